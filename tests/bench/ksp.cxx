static char help[] = "Times an iteration of psdo against fcg with the same number of directions and against cg, on a Laplacian.\n\
Load libpetlap.so with -dll_append. Times are milliseconds per iteration: median (smallest, largest) of the runs; with several processes the\n\
slowest one counts. The preconditioner's setup is not timed. Ratios are medians of the ratios within a round.\n\n";

#include "tests/bench/bench.h"
#include <petscdmda.h>
#include <petsctime.h>
#include <sys/resource.h>
#include <algorithm>
#include <array>
#include <vector>

static const char *const methods[] = {"psdo", "fcg", "cg"};
enum { PSDO, FCG, CG, NMETHODS };
static const char *const clocks[] = {"user CPU", "wall"};
enum { USER, WALL, NCLOCKS };

typedef std::array<std::vector<PetscReal>, NMETHODS> Samples; /* one value per method and round */

static PetscErrorCode CreateLaplacian(PetscInt dim, PetscInt n, Mat *A)
{
  DM            dm;
  DMDALocalInfo info;

  PetscFunctionBeginUser;
  if (dim == 2)
    PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, n, n, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &dm));
  else
    PetscCall(DMDACreate3d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, n, n, n, PETSC_DECIDE, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, nullptr, &dm));
  PetscCall(DMSetFromOptions(dm));
  PetscCall(DMSetUp(dm));
  PetscCall(DMCreateMatrix(dm, A));
  PetscCall(DMDAGetLocalInfo(dm, &info));
  for (PetscInt k = info.zs; k < info.zs + info.zm; k++) {
    for (PetscInt j = info.ys; j < info.ys + info.ym; j++) {
      for (PetscInt i = info.xs; i < info.xs + info.xm; i++) {
        MatStencil     row = {k, j, i, 0}, col[7];
        PetscScalar    v[7];
        const PetscInt at[3] = {i, j, k};
        PetscInt       ncols = 0;

        for (PetscInt d = 0; d < dim; d++) {
          for (PetscInt side = -1; side <= 1; side += 2) {
            if (at[d] + side < 0 || at[d] + side >= n) continue;
            col[ncols] = row;
            (d == 0 ? col[ncols].i : d == 1 ? col[ncols].j : col[ncols].k) += side;
            v[ncols++] = -1.0;
          }
        }
        col[ncols] = row;
        v[ncols++] = 2.0 * dim;
        PetscCall(MatSetValuesStencil(*A, 1, &row, ncols, col, v, INSERT_VALUES));
      }
    }
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatSetOption(*A, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(DMDestroy(&dm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscLogDouble UserTime()
{
  struct rusage usage;

  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + 1e-6 * usage.ru_utime.tv_usec;
}

/* Milliseconds per iteration on both clocks, of the slowest process */
static PetscErrorCode TimeSolve(KSP ksp, PetscInt its, Vec b, Vec x, PetscReal ms[])
{
  PetscLogDouble wall[2], user[2];
  PetscReal      mine[NCLOCKS];
  PetscInt       done;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  user[0] = UserTime();
  PetscCall(PetscTime(&wall[0]));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(PetscTime(&wall[1]));
  user[1] = UserTime();
  PetscCall(KSPGetIterationNumber(ksp, &done));
  PetscCheck(done == its, PETSC_COMM_WORLD, PETSC_ERR_NOT_CONVERGED, "A run ended after %" PetscInt_FMT " instead of %" PetscInt_FMT " iterations: give fewer with -bench_its or a larger -bench_n", done, its);
  mine[USER] = 1e3 * (user[1] - user[0]) / its;
  mine[WALL] = 1e3 * (wall[1] - wall[0]) / its;
  CompatCallAllreduce(mine, ms, NCLOCKS, MPIU_REAL, MPIU_MAX, PETSC_COMM_WORLD);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscReal Median(std::vector<PetscReal> v)
{
  const size_t n = v.size();

  std::sort(v.begin(), v.end());
  return 0.5 * (v[(n - 1) / 2] + v[n / 2]);
}

static PetscReal MedianRatio(const Samples &s, int a, int b)
{
  std::vector<PetscReal> ratio;

  for (size_t r = 0; r < s[a].size(); r++) ratio.push_back(s[a][r] / s[b][r]);
  return Median(ratio);
}

/* Every round runs each method once, in an order that turns round: a machine that slows down or speeds up then favours none */
static PetscErrorCode Measure(PC pc, PetscInt mmax, PetscInt its, PetscInt runs, Vec b, Vec x, Samples samples[])
{
  KSP       ksp[NMETHODS];
  PetscReal ms[NCLOCKS];

  PetscFunctionBeginUser;
  for (int m = 0; m < NMETHODS; m++) {
    PetscCall(BenchCreateKSP(pc, methods[m], mmax, &ksp[m]));
    PetscCall(KSPSetTolerances(ksp[m], PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT, its));
    /* The norm is computed as in a real solve, but only the number of iterations ends it. Reaching max_it without a test would let fcg and
       cg apply the preconditioner once more than they have iterations. */
    PetscCall(KSPSetConvergenceTest(ksp[m], KSPConvergedSkip, nullptr, nullptr));
    /* Unmeasured, so that all memory has been touched */
    PetscCall(TimeSolve(ksp[m], its, b, x, ms));
  }
  for (PetscInt r = 0; r < runs; r++) {
    for (int k = 0; k < NMETHODS; k++) {
      const int m = r % 2 ? NMETHODS - 1 - k : k;

      PetscCall(TimeSolve(ksp[m], its, b, x, ms));
      for (int c = 0; c < NCLOCKS; c++) samples[c][m].push_back(ms[c]);
    }
  }
  for (int m = 0; m < NMETHODS; m++) PetscCall(KSPDestroy(&ksp[m]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PrintRow(const char pc[], PetscInt mmax, const char clock[], const Samples &s)
{
  PetscFunctionBeginUser;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-8s %4" PetscInt_FMT "  %-8s", pc, mmax, clock));
  for (const auto &v : s) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  %8.3f (%8.3f %8.3f)", (double)Median(v), (double)*std::min_element(v.begin(), v.end()), (double)*std::max_element(v.begin(), v.end())));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  %8.3f %8.3f\n", (double)MedianRatio(s, PSDO, FCG), (double)MedianRatio(s, PSDO, CG)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  PetscInt    dim = 2, n = 0, its = 30, runs = 9, npc, nmmax, mmax[BENCH_MAX_LIST], rows;
  char       *pcs[BENCH_MAX_LIST], csv[PETSC_MAX_PATH_LEN] = "";
  PetscBool   tocsv;
  PetscMPIInt size;
  FILE       *file = nullptr;
  Mat         A;
  Vec         b, x;
  PetscRandom random;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Time per iteration of psdo, fcg and cg", nullptr);
  PetscCall(PetscOptionsBoundedInt("-bench_dim", "Dimension of the grid, 2 or 3", "", dim, &dim, nullptr, 2));
  PetscCheck(dim <= 3, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-bench_dim %" PetscInt_FMT ": give 2 or 3", dim);
  n = dim == 2 ? 1000 : 100;
  PetscCall(PetscOptionsBoundedInt("-bench_n", "Grid points in each direction", "", n, &n, nullptr, 2));
  PetscCall(PetscOptionsBoundedInt("-bench_its", "Iterations of each run", "", its, &its, nullptr, 1));
  PetscCall(PetscOptionsBoundedInt("-bench_runs", "Timed runs of each method", "", runs, &runs, nullptr, 1));
  PetscCall(PetscOptionsString("-bench_csv", "File for the time of every run", "", csv, csv, sizeof(csv), &tocsv));
  PetscOptionsEnd();
  PetscCall(BenchStringList("-bench_pc", "Preconditioners; with several processes icc and ilu work on the diagonal blocks", "icc,jacobi", &npc, pcs));
  PetscCall(BenchIntList("-bench_mmax", "Directions kept by psdo and fcg", "2", &nmmax, mmax));

  PetscCall(CreateLaplacian(dim, n, &A));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(MatGetSize(A, &rows, nullptr));
  PetscCall(PetscRandomCreate(PETSC_COMM_WORLD, &random));
  PetscCall(VecSetRandom(b, random));
  PetscCall(PetscRandomDestroy(&random));

  PetscCall(BenchPrintPETSc(PETSC_COMM_WORLD));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "Laplacian in %" PetscInt_FMT "-D, %" PetscInt_FMT " unknowns, %" PetscInt_FMT " iterations a run, %" PetscInt_FMT " runs, ms per iteration: median (min max)\n", dim, rows, its, runs));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-8s %4s  %-8s  %-28s  %-28s  %-28s  %8s %8s\n", "pc", "mmax", "clock", "psdo", "fcg", "cg", "psdo/fcg", "psdo/cg"));
  if (tocsv) {
    PetscCall(PetscFOpen(PETSC_COMM_WORLD, csv, "w", &file));
    PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "dim,unknowns,processes,pc,mmax,its,round,method,user_ms,wall_ms\n"));
  }
  for (PetscInt p = 0; p < npc; p++) {
    PC pc;

    PetscCall(BenchCreatePC(A, pcs[p], &pc));
    for (PetscInt m = 0; m < nmmax; m++) {
      Samples samples[NCLOCKS];

      PetscCall(Measure(pc, mmax[m], its, runs, b, x, samples));
      for (int c = 0; c < NCLOCKS; c++) PetscCall(PrintRow(pcs[p], mmax[m], clocks[c], samples[c]));
      if (!tocsv) continue;
      for (PetscInt r = 0; r < runs; r++) {
        for (int k = 0; k < NMETHODS; k++) {
          PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "%" PetscInt_FMT ",%" PetscInt_FMT ",%d,%s,%" PetscInt_FMT ",%" PetscInt_FMT ",%" PetscInt_FMT ",%s,%.6g,%.6g\n", dim, rows, (int)size, pcs[p], mmax[m], its, r, methods[k],
                                 (double)samples[USER][k][r], (double)samples[WALL][k][r]));
        }
      }
    }
    PetscCall(PCDestroy(&pc));
  }
  if (tocsv) PetscCall(PetscFClose(PETSC_COMM_WORLD, file));
  PetscCall(BenchFreeList(npc, pcs));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(MatDestroy(&A));
  PetscCall(PetscFinalize());
  return 0;
}
