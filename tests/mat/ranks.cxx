static char help[] = "Solves on grids of random sizes, whose rows are dealt to the processes at random, by schwarzschur and by hsc, with an MPI that keeps no message for later (synchronous.c).\n\
  -solvers: a list of lu, cholesky and hsc\n\
  -cases: grids for each of them\n\
  -seed: of the grids\n\
  -most: the longest side\n\
  -grids nx,ny,...: these planes before the random ones\n\
  -limit: seconds for a case\n\
By hand, also with -n 2 to 8, and with --mca btl_vader_eager_limit 64 where MPI is Open MPI's:\n\
  mpiexec -n 4 test_ranks -cases 200\n\n";

#include <petlap.h>
#include "tests/unit/random.h"
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <unistd.h>
#include <vector>

extern "C" long synchronous_calls;

static char doing[256];

/* Nothing but what may be called at any time */
static void TooLong(int)
{
  const char text[] = "not ok - it takes too long: ";

  if (write(2, text, sizeof(text) - 1) < 0 || write(2, doing, strlen(doing)) < 0) _exit(3);
  _exit(2);
}

struct Grid {
  PetscInt n[3], dof;
  bool     box, periodic;
};

/* The same for both directions where the matrix is symmetric */
static PetscScalar Coupling(PetscInt i, PetscInt j, bool symmetric)
{
  if (symmetric && i > j) std::swap(i, j);
  return -0.1 - Random{(uint64_t)i * 7919 + (uint64_t)j}();
}

/* A Laplacian with random weights and a little more on its diagonal; entries differ by their direction unless it is to be symmetric */
static PetscErrorCode MakeMatrix(const Grid &g, bool symmetric, Random &random, Mat *A)
{
  const PetscInt points = g.n[0] * g.n[1] * g.n[2], N = points * g.dof;
  PetscMPIInt    size, rank;
  PetscInt       first, end;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  /* All ranks draw the same numbers. Some get few rows, or none. */
  std::vector<PetscInt> cut(size + 1, 0);
  const bool            even = random() < 0.5, sorted = random() < 0.9;
  for (int q = 1; q < size; q++) cut[q] = even ? (PetscInt)((double)points * q / size) : (PetscInt)(random() * (points + 1));
  cut[size] = points;
  if (sorted) std::sort(cut.begin(), cut.end());
  for (int q = 1; q <= size; q++) cut[q] = std::max(cut[q], cut[q - 1]);
  first = cut[rank], end = cut[rank + 1];
  PetscCall(MatCreate(PETSC_COMM_WORLD, A));
  PetscCall(MatSetSizes(*A, (end - first) * g.dof, (end - first) * g.dof, N, N));
  PetscCall(MatSetType(*A, MATAIJ));
  PetscCall(MatSeqAIJSetPreallocation(*A, 27 * g.dof, nullptr));
  PetscCall(MatMPIAIJSetPreallocation(*A, 27 * g.dof, nullptr, 27 * g.dof, nullptr));
  for (PetscInt p = first; p < end; p++) {
    const PetscInt at[3] = {p % g.n[0], p / g.n[0] % g.n[1], p / g.n[0] / g.n[1]};

    for (PetscInt a = 0; a < g.dof; a++) {
      PetscScalar sum = 1e-2;

      for (int k = 0; k < 27; k++) {
        const int step[3] = {k % 3 - 1, k / 3 % 3 - 1, k / 9 - 1};
        PetscInt  q[3];
        bool      in = k != 13 && (g.box || std::abs(step[0]) + std::abs(step[1]) + std::abs(step[2]) == 1);

        for (int d = 0; d < 3; d++) {
          q[d] = at[d] + step[d];
          if (!d && g.periodic) q[d] = (q[d] + g.n[d]) % g.n[d];
          in = in && q[d] >= 0 && q[d] < g.n[d];
        }
        if (!in) continue;
        for (PetscInt b = 0; b < g.dof; b++) {
          const PetscInt    row = p * g.dof + a, column = (q[0] + g.n[0] * (q[1] + g.n[1] * q[2])) * g.dof + b;
          const PetscScalar v = Coupling(row, column, symmetric);

          PetscCall(MatSetValue(*A, row, column, v, INSERT_VALUES));
          sum -= v;
        }
      }
      for (PetscInt b = 0; b < g.dof; b++) {
        if (b != a) PetscCall(MatSetValue(*A, p * g.dof + a, p * g.dof + b, -0.25, INSERT_VALUES));
      }
      PetscCall(MatSetValue(*A, p * g.dof + a, p * g.dof + a, sum + 0.25 * (g.dof - 1), INSERT_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

/* Set up and solve twice, the second time with other values */
static PetscErrorCode Solve(const char solver[], Mat A, PetscReal *worst)
{
  const bool         hsc = !strcmp(solver, "hsc");
  KSP                ksp;
  PC                 pc;
  Vec                b, x, r;
  PetscReal          size, residual;
  KSPConvergedReason reason;

  PetscFunctionBeginUser;
  *worst = 0;
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecDuplicate(b, &r));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(KSPSetType(ksp, hsc ? KSPFCG : KSPPREONLY));
  PetscCall(PCSetType(pc, solver));
  if (!hsc) PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERSCHWARZSCHUR));
  PetscCall(KSPSetTolerances(ksp, 1e-9, PETSC_DEFAULT, PETSC_DEFAULT, 200));
  PetscCall(KSPSetFromOptions(ksp));
  for (int round = 0; round < 2; round++) {
    PetscInt first, end;

    PetscCall(VecGetOwnershipRange(b, &first, &end));
    for (PetscInt i = first; i < end; i++) PetscCall(VecSetValue(b, i, Random{(uint64_t)i + 1000000 * (uint64_t)round}() - 0.5, INSERT_VALUES));
    PetscCall(VecAssemblyBegin(b));
    PetscCall(VecAssemblyEnd(b));
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCall(MatMult(A, x, r));
    PetscCall(VecAYPX(r, -1, b));
    PetscCall(VecNorm(r, NORM_2, &residual));
    PetscCall(VecNorm(b, NORM_2, &size));
    if (reason < 0 || !(residual / size <= *worst)) *worst = reason < 0 ? PETSC_MAX_REAL : residual / size;
    if (!round) {
      PetscCall(MatScale(A, 0.5));
      PetscCall(MatShift(A, 0.25));
    }
  }
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&r));
  PetscFunctionReturn(0);
}

static PetscErrorCode RunCase(const char solver[], const Grid &g, PetscInt limit, Random &random, int *bad)
{
  const bool  symmetric = strcmp(solver, "lu") != 0;
  PetscMPIInt size, rank;
  PetscReal   worst;
  Mat         A;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  snprintf(doing, sizeof(doing), "%s, %d x %d x %d points, %d unknowns each, %s%s, %d processes, rank %d\n", solver, (int)g.n[0], (int)g.n[1], (int)g.n[2], (int)g.dof, g.box ? "box" : "star", g.periodic ? ", periodic" : "", size, rank);
  alarm((unsigned)limit);
  PetscCall(MakeMatrix(g, symmetric, random, &A));
  PetscCall(Solve(solver, A, &worst));
  PetscCall(MatDestroy(&A));
  alarm(0);
  if (!(worst < (strcmp(solver, "hsc") ? 1e-10 : 1e-7))) {
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "not ok - relative residual %g: %s", (double)worst, doing));
    ++*bad;
  }
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  char       *solvers[8], defaults[3][16] = {"lu", "cholesky", "hsc"};
  PetscInt    cases = 20, seed = 1, most = 200, limit = 10, nsolver = 8, planes[64], nplane = 64;
  PetscBool   set, given;
  PetscMPIInt size;
  int         bad = 0;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(PetscOptionsGetStringArray(nullptr, nullptr, "-solvers", solvers, &nsolver, &set));
  if (!set) {
    nsolver = PetscDefined(USE_COMPLEX) ? 2 : 3;
    for (int k = 0; k < nsolver; k++) PetscCall(PetscStrallocpy(defaults[k], &solvers[k]));
  }
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-cases", &cases, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-seed", &seed, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-most", &most, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-limit", &limit, nullptr));
  PetscCall(PetscOptionsGetIntArray(nullptr, nullptr, "-grids", planes, &nplane, &given));
  if (!given) nplane = 0;
  signal(SIGALRM, TooLong);
  for (PetscInt s = 0; s < nsolver; s++) {
    const bool hsc    = !strcmp(solvers[s], "hsc");
    Random     random = {(uint64_t)(seed * 100 + s * 10 + size)};
    const int  before = bad;

    for (PetscInt k = 0; k + 1 < nplane; k += 2) PetscCall(RunCase(solvers[s], {{planes[k], planes[k + 1], 1}, 1, false, false}, limit, random, &bad));
    for (PetscInt k = 0; k < cases; k++) {
      Grid       g      = {{1, 1, 1}, 1, random() < 0.3, false};
      const bool volume = random() < 0.2;

      for (int d = 0; d < (volume ? 3 : 2); d++) g.n[d] = 3 + (PetscInt)(random() * (double)(volume ? std::min(most, (PetscInt)16) : most));
      if (!hsc && random() < 0.2 && g.n[0] * g.n[1] * g.n[2] < 10000) g.dof = 2;
      if (random() < 0.1 && g.n[0] > 4) g.periodic = true;
      PetscCall(RunCase(solvers[s], g, limit, random, &bad));
    }
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s - %s, %d grids on %d processes\n", bad > before ? "not ok" : "ok", solvers[s], (int)(cases + nplane / 2), size));
    PetscCall(PetscFree(solvers[s]));
  }
  if (size > 1 && synchronous_calls < 100) {
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "not ok - MPI is called past this program: %ld calls\n", synchronous_calls));
    bad++;
  }
  PetscCall(PetscFinalize());
  return bad > 0;
}
