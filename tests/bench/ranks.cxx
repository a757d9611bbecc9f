static char help[] = "Set-up and solve of one system on all processes of the program, with the messages that they take.\n\
  -bench_family lap5|lap9|lap7|jump5|jump9|cd5   matrix on a DMDA: homogeneous with 5, 9 or 7 points, with a random coefficient of 1e-2 to 1 in every point, the same with convection\n\
  -bench_n n           points along a side\n\
  -bench_file FILE     in place of these: the matrix of a file of PETSc, with a right-hand side in its range\n\
  -bench_solver NAME   what is measured: a name of solver.cxx\n\
  -bench_runs <3>      repetitions\n\n";

#include "tests/bench/solver.h"
#include <petscdmda.h>
#include <petsctime.h>
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

/* The same number on any number of processes */
static PetscReal Random(PetscInt64 point, PetscInt64 seed)
{
  uint64_t z = (uint64_t)point * 0x9e3779b97f4a7c15ull + (uint64_t)seed * 0xd1b54a32d192ed03ull;

  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return (PetscReal)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* Coefficients of points; an edge has the harmonic mean of both, and at the boundary half a cell lies between the point and a value that is given */
static PetscErrorCode Fill(const char family[], PetscInt dim, DM da, Mat A)
{
  DMDALocalInfo   info;
  const PetscBool nine = (PetscBool) !!std::strchr(family, '9'), wind = (PetscBool)!std::strcmp(family, "cd5"), jump = (PetscBool)(wind || !std::strncmp(family, "jump", 4));

  PetscFunctionBegin;
  PetscCall(DMDAGetLocalInfo(da, &info));
  auto coefficient = [&](PetscInt i, PetscInt j) { return jump ? PetscPowReal(10.0, -2.0 * Random(i + (PetscInt64)info.mx * j, 1)) : 1.0; };
  for (PetscInt k = info.zs; k < info.zs + info.zm; k++) {
    for (PetscInt j = info.ys; j < info.ys + info.ym; j++) {
      for (PetscInt i = info.xs; i < info.xs + info.xm; i++) {
        MatStencil      row = {}, column[9];
        PetscScalar     v[9];
        PetscReal       diagonal = 0.0;
        PetscInt        m        = 0;
        const PetscReal here     = coefficient(i, j);

        row.i = i;
        row.j = j;
        row.k = k;
        for (PetscInt z = dim == 3 ? -1 : 0; z <= (dim == 3 ? 1 : 0); z++) {
          for (PetscInt y = -1; y <= 1; y++) {
            for (PetscInt x = -1; x <= 1; x++) {
              const PetscInt  far = PetscAbsInt(x) + PetscAbsInt(y) + PetscAbsInt(z), p = i + x, q = j + y, r = k + z;
              const PetscBool in = (PetscBool)(p >= 0 && q >= 0 && r >= 0 && p < info.mx && q < info.my && r < info.mz);
              PetscReal       w  = far == 1 ? (nine ? 4.0 : 1.0) : 1.0;

              if (far == 0 || (far > 1 && !nine)) continue;
              if (jump) w *= in ? 2.0 / (1.0 / here + 1.0 / coefficient(p, q)) : 2.0 * here;
              /* the wind blows along x and a little along y */
              if (wind && (x == -1 || y == -1)) w += x == -1 ? 0.5 : 0.2;
              diagonal += w;
              if (!in) continue;
              column[m]   = row;
              column[m].i = p;
              column[m].j = q;
              column[m].k = r;
              v[m++]      = -w;
            }
          }
        }
        column[m] = row;
        v[m++]    = diagonal;
        PetscCall(MatSetValuesStencil(A, 1, &row, m, column, v, INSERT_VALUES));
      }
    }
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  if (!wind) PetscCall(MatSetOption(A, MAT_SPD, PETSC_TRUE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The largest over the processes, as they wait for each other */
static PetscErrorCode Median(std::vector<PetscReal> &seconds, const char name[])
{
  PetscReal most;

  PetscFunctionBegin;
  std::sort(seconds.begin(), seconds.end());
  most = seconds[seconds.size() / 2];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPIU_REAL, MPIU_MAX, PETSC_COMM_WORLD));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s %g\n", name, (double)most));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Of one application or set-up: messages that a process sends, at most, and the bytes in them */
static PetscErrorCode Messages(const char event[], const char name[])
{
  PetscLogEvent      id;
  PetscEventPerfInfo info;
  PetscReal          sums[4] = {0.0, 0.0, 0.0, 0.0};

  PetscFunctionBegin;
  PetscCall(PetscLogEventGetId(event, &id));
  PetscCall(PetscLogEventGetPerfInfo(PETSC_DETERMINE, id, &info));
  if (info.count > 0) {
    sums[0] = info.numMessages / info.count;
    sums[1] = info.messageLength / info.count;
    sums[2] = info.numReductions / info.count;
    sums[3] = info.messageLength / info.count;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 3, MPIU_REAL, MPIU_MAX, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums + 3, 1, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s_messages %g\n%s_bytes %g\n%s_reductions %g\n%s_bytes_all %g\n", name, (double)sums[0], name, (double)sums[1], name, (double)sums[2], name, (double)sums[3]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Measure(Mat A, Vec b, PetscInt runs)
{
  std::vector<PetscReal> setup, update, solve;
  PetscReal              residual, norm;
  PetscInt               its = 0, n, nnz;
  KSPConvergedReason     reason;
  Vec                    x, r;
  MatInfo                info;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(b, &x));
  PetscCall(VecDuplicate(b, &r));
  PetscCall(VecNorm(b, NORM_2, &norm));
  for (PetscInt k = 0; k < runs; k++) {
    KSP            ksp;
    PetscLogDouble start = 0.0, end = 0.0;
    auto           clock = [&](PetscLogDouble *t) -> PetscErrorCode {
      PetscFunctionBegin;
      PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
      PetscCall(PetscTime(t));
      PetscFunctionReturn(PETSC_SUCCESS);
    };

    PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(KSPSetTolerances(ksp, 1e-6, 1e-300, 1e30, 1000));
    PetscCall(KSPSetFromOptions(ksp));
    PetscCall(clock(&start));
    PetscCall(BenchSolverSetUp(ksp));
    PetscCall(clock(&end));
    setup.push_back(end - start);
    /* A direct solver keeps its analysis when values change */
    PetscCall(MatScale(A, 2.0));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(clock(&start));
    PetscCall(BenchSolverSetUp(ksp));
    PetscCall(clock(&end));
    update.push_back(end - start);
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(clock(&start));
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(clock(&end));
    solve.push_back(end - start);
    PetscCall(KSPGetIterationNumber(ksp, &its));
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCall(BenchSolverCheckOptions(ksp));
    PetscCall(KSPDestroy(&ksp));
    if (k + 1 < runs) PetscCall(MatScale(A, 0.5));
  }
  PetscCall(MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1.0, b));
  PetscCall(VecNorm(r, NORM_2, &residual));
  PetscCall(MatGetSize(A, &n, nullptr));
  PetscCall(MatGetInfo(A, MAT_GLOBAL_SUM, &info));
  nnz = (PetscInt)info.nz_used;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "rows %" PetscInt_FMT "\nnnz %" PetscInt_FMT "\nreason %s\niterations %" PetscInt_FMT "\nresidual %g\n", n, nnz, KSPConvergedReasons[reason], its, (double)(residual / norm)));
  PetscCall(Median(setup, "setup_wall"));
  PetscCall(Median(update, "update_wall"));
  PetscCall(Median(solve, "solve_wall"));
  PetscCall(Messages("PCSetUp", "setup"));
  PetscCall(Messages("PCApply", "apply"));
  PetscCheck(reason > 0 && residual <= 1e-5 * norm, PETSC_COMM_WORLD, PETSC_ERR_NOT_CONVERGED, "%s, residual %g", KSPConvergedReasons[reason], (double)(residual / norm));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&r));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  char           family[32] = "lap5", solver[64] = "hsc", file[PETSC_MAX_PATH_LEN];
  PetscInt       n = 100, runs = 3, start, end;
  PetscMPIInt    size;
  DM             da = nullptr;
  Mat            A;
  Vec            b;
  PetscBool      given, known;
  PetscErrorCode code;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-bench_family", family, sizeof(family), nullptr));
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-bench_solver", solver, sizeof(solver), nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-bench_n", &n, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-bench_runs", &runs, nullptr));
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-bench_file", file, sizeof(file), &given));
  known = given;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  const PetscBool solid = (PetscBool)!std::strcmp(family, "lap7");
  for (const char *name : {"lap5", "lap9", "lap7", "jump5", "jump9", "cd5"}) known = (PetscBool)(known || !std::strcmp(family, name));
  PetscCheck(known, PETSC_COMM_WORLD, PETSC_ERR_ARG_WRONG, "Unknown family %s: take lap5, lap9, lap7, jump5, jump9 or cd5", family);
  PetscCall(PetscLogDefaultBegin());
  BenchKeepErrors();
  PetscCall(BenchSolverChoose(solver, solid, PETSC_FALSE));
  if (given) {
    PetscViewer viewer;

    PetscCall(PetscViewerBinaryOpen(PETSC_COMM_WORLD, file, FILE_MODE_READ, &viewer));
    PetscCall(MatCreate(PETSC_COMM_WORLD, &A));
    PetscCall(MatSetType(A, MATAIJ));
    PetscCall(MatLoad(A, viewer));
    PetscCall(PetscViewerDestroy(&viewer));
  } else {
    if (solid)
      PetscCall(DMDACreate3d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, n, n, n, PETSC_DECIDE, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, nullptr, &da));
    else
      PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, std::strchr(family, '9') ? DMDA_STENCIL_BOX : DMDA_STENCIL_STAR, n, n, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &da));
    PetscCall(DMSetFromOptions(da));
    PetscCall(DMSetUp(da));
    PetscCall(DMCreateMatrix(da, &A));
    PetscCall(Fill(family, solid ? 3 : 2, da, A));
  }
  PetscCall(MatCreateVecs(A, nullptr, &b));
  PetscCall(VecGetOwnershipRange(b, &start, &end));
  for (PetscInt i = start; i < end; i++) PetscCall(VecSetValue(b, i, Random(i, 2) - 0.5, INSERT_VALUES));
  PetscCall(VecAssemblyBegin(b));
  PetscCall(VecAssemblyEnd(b));
  if (given) {
    Vec x;

    PetscCall(VecDuplicate(b, &x));
    PetscCall(VecCopy(b, x));
    PetscCall(MatMult(A, x, b));
    PetscCall(VecDestroy(&x));
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "processes %d\n", (int)size));
  code = Measure(A, b, runs);
  PetscCall(BenchPrintStatus(code));
  PetscCall(VecDestroy(&b));
  PetscCall(MatDestroy(&A));
  PetscCall(DMDestroy(&da));
  PetscCall(PetscFinalize());
  return 0;
}
