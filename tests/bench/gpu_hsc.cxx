static char help[] = "Times hsc on a CUDA device: set-up, copy of the hierarchy, one cycle beside what the memory of the device allows, and whole solutions beside\n\
PETSc's preconditioners on the same device and hsc on the host. Prints CSV; where there is no device it says so and returns 77.\n\
  -bench_size <1>       factor for the side lengths\n\
  -bench_seconds <80>   peers that have not begun by then are left out\n\
  -bench_cycles <100>   cycles that are timed\n\n";

#include "tests/bench/bench.h"
#include "petlap.h"
#include <petscdevice.h>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

/* A Laplacian with Dirichlet conditions (lap5, lap7), or that of an edge-preserving decomposition of a made-up picture (epd) */
struct Problem {
  const char *name;
  PetscInt    nx, ny, nz;
  bool        epd;
};

struct Limits {
  BenchSeconds start;
  PetscReal    seconds;
  PetscInt     cycles;
  double       bandwidth; /* bytes in a second, read and written */
};

static PetscErrorCode Synchronize()
{
  PetscDeviceContext context;

  PetscFunctionBegin;
  PetscCall(PetscDeviceContextGetCurrentContext(&context));
  PetscCall(PetscDeviceContextSynchronize(context));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Brightness in [0.05, 1]: regions with sharp edges, a slope, and noise that depends on the place alone */
static PetscReal Brightness(PetscInt x, PetscInt y, PetscInt n)
{
  const PetscReal u = (PetscReal)x / n, v = (PetscReal)y / n;
  const uint64_t  h = ((uint64_t)x * 0x9e3779b97f4a7c15ull) ^ ((uint64_t)y * 0xd1b54a32d192ed03ull), z = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9ull;
  const PetscReal noise = (PetscReal)((z ^ (z >> 32)) >> 11) / 9007199254740992.0;

  return 0.05 + 0.3 * u + (std::sin(9.0 * u + 4.0 * v) + std::cos(13.0 * v * u) > 0.4 ? 0.35 : 0.0) + ((u - 0.5) * (u - 0.5) + (v - 0.4) * (v - 0.4) < 0.07 ? 0.2 : 0.0) + 0.05 * noise;
}

static PetscErrorCode Assemble(const Problem &p, Mat *A)
{
  const PetscInt n = p.nx * p.ny * p.nz, step[3] = {1, p.nx, p.nx * p.ny}, size[3] = {p.nx, p.ny, p.nz};
  PetscInt      *ia, *ja, at                                                       = 0;
  PetscScalar   *a;
  Mat            B;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n + 1, &ia, 7 * n, &ja, 7 * n, &a));
  ia[0] = 0;
  for (PetscInt i = 0; i < n; i++) {
    const PetscInt where[3] = {i % p.nx, i / p.nx % p.ny, i / (p.nx * p.ny)};
    PetscReal      diagonal = p.epd ? 1.0 : 0.0;
    PetscInt       mine     = -1;

    for (int k = 0; k < 7; k++) {
      const int      d = k < 3 ? 2 - k : k - 4, direction = k < 3 ? -1 : 1;
      const PetscInt to = k == 3 ? 0 : where[d] + direction;
      PetscReal      w  = 1.0;

      if (k == 3) {
        mine     = at;
        ja[at++] = i;
        continue;
      }
      if (size[d] == 1) continue;
      if (to < 0 || to >= size[d]) {
        if (!p.epd) diagonal += 1.0;
        continue;
      }
      if (p.epd) w = 1.0 / (std::pow(PetscAbsReal(std::log(Brightness(where[0], where[1], p.nx)) - std::log(Brightness(where[0] + (d == 0) * direction, where[1] + (d == 1) * direction, p.nx))), 1.2) + 1e-4);
      diagonal += w;
      ja[at]  = i + direction * step[d];
      a[at++] = -w;
    }
    a[mine]   = diagonal;
    ia[i + 1] = at;
  }
  PetscCall(MatCreateSeqAIJWithArrays(PETSC_COMM_SELF, n, n, ia, ja, a, &B));
  PetscCall(MatDuplicate(B, MAT_COPY_VALUES, A));
  PetscCall(MatDestroy(&B));
  PetscCall(PetscFree3(ia, ja, a));
  PetscCall(MatSetOption(*A, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(MatSetOption(*A, MAT_SPD, PETSC_TRUE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The number behind a text in the view of a preconditioner */
static PetscErrorCode FromView(PC pc, const char text[], double *number)
{
  PetscViewer viewer;
  char       *buffer = nullptr;
  size_t      length = 0;
  FILE       *file   = open_memstream(&buffer, &length);

  PetscFunctionBegin;
  *number = 0.0;
  PetscCheck(file, PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory");
  PetscCall(PetscViewerASCIIOpenWithFILE(PETSC_COMM_SELF, file, &viewer));
  PetscCall(PCView(pc, viewer));
  PetscCall(PetscViewerDestroy(&viewer));
  fclose(file);
  if (const char *found = strstr(buffer, text)) *number = strtod(found + strlen(text), nullptr);
  free(buffer);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A median cycle that is waited for, and the mean of cycles that are not */
static PetscErrorCode Cycles(PC pc, Vec b, Vec x, PetscInt n, double *waited, double *queued)
{
  std::vector<BenchSeconds> times;
  BenchSeconds              start;

  PetscFunctionBegin;
  for (int k = 0; k < 3; k++) PetscCall(PCApply(pc, b, x));
  PetscCall(Synchronize());
  for (PetscInt k = 0; k < n; k++) {
    start = BenchNow();
    PetscCall(PCApply(pc, b, x));
    PetscCall(Synchronize());
    times.push_back(BenchSince(start));
  }
  *waited = BenchMedian(times).s[BENCH_WALL];
  start   = BenchNow();
  for (PetscInt k = 0; k < n; k++) PetscCall(PCApply(pc, b, x));
  PetscCall(Synchronize());
  *queued = BenchSince(start).s[BENCH_WALL] / n;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Bandwidth(double *bytes)
{
  const PetscInt            n = 1 << 26;
  Vec                       x, y;
  std::vector<BenchSeconds> times;

  PetscFunctionBegin;
  PetscCall(VecCreate(PETSC_COMM_SELF, &x));
  PetscCall(VecSetSizes(x, n, n));
  PetscCall(VecSetType(x, VECSEQCUDA));
  PetscCall(VecSet(x, 1.0));
  PetscCall(VecDuplicate(x, &y));
  for (int k = 0; k < 12; k++) {
    const BenchSeconds start = BenchNow();

    PetscCall(VecCopy(x, y));
    PetscCall(Synchronize());
    if (k > 1) times.push_back(BenchSince(start));
  }
  *bytes = 2.0 * sizeof(PetscScalar) * n / BenchMedian(times).s[BENCH_WALL];
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Options as on the command line, for one solver */
static PetscErrorCode Measure(const Problem &p, const char solver[], const char options[], Mat A, double hostsetup, const Limits &limits, double *setup)
{
  KSP                ksp;
  PC                 pc;
  Vec                b, x;
  PetscRandom        random;
  PetscBool          hsc, onhost;
  PetscInt           rows, its;
  MatInfo            info;
  KSPConvergedReason reason;
  PetscReal          residual;
  BenchSeconds       start;
  double             solve, waited = 0.0, queued = 0.0, kernels = 0.0, megabytes = 0.0;

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)A, MATSEQAIJ, &onhost));
  PetscCall(PetscOptionsInsertString(nullptr, options));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(PetscRandomCreate(PETSC_COMM_SELF, &random));
  PetscCall(VecSetRandom(b, random));
  PetscCall(PetscRandomDestroy(&random));
  PetscCall(MatGetSize(A, &rows, nullptr));
  PetscCall(MatGetInfo(A, MAT_LOCAL, &info));
  PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
  PetscCall(KSPSetOptionsPrefix(ksp, "run_"));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetTolerances(ksp, 1e-6, PETSC_DEFAULT, PETSC_DEFAULT, 5000));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  /* The matrix is on the device before the clock starts */
  PetscCall(MatMult(A, b, x));
  PetscCall(Synchronize());
  start = BenchNow();
  PetscCall(KSPSetUp(ksp));
  PetscCall(Synchronize());
  *setup = BenchSince(start).s[BENCH_WALL];
  PetscCall(PetscObjectTypeCompare((PetscObject)pc, PCHSC, &hsc));
  if (hsc && !onhost) {
    PetscCall(Cycles(pc, b, x, limits.cycles, &waited, &queued));
    PetscCall(FromView(pc, "a cycle launches ", &kernels));
    PetscCall(FromView(pc, "a cycle moves ", &megabytes));
  }
  PetscCall(VecSet(x, 0.0));
  PetscCall(Synchronize());
  start = BenchNow();
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(Synchronize());
  solve = BenchSince(start).s[BENCH_WALL];
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(BenchTrueResidual(A, b, x, &residual));
  const double floor = megabytes * 1e6 / limits.bandwidth;
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s,%s,%" PetscInt_FMT ",%.0f,%.4f,%.4f,%.1f,%.1f,%.0f,%.1f,%.1f,%.2f,%" PetscInt_FMT ",%.4f,%.4f,%.2e,%s\n", p.name, solver, rows, (double)info.nz_used, *setup, hsc && !onhost ? *setup - hostsetup : 0.0,
                        waited * 1e6, queued * 1e6, kernels, megabytes, floor * 1e6, floor > 0.0 ? queued / floor : 0.0, its, solve, *setup + solve, (double)residual, KSPConvergedReasons[reason]));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Run(const Problem &p, const Limits &limits)
{
  static const char *const peer[][2] = {
    {"hsc", "-run_ksp_type fcg -run_ksp_fcg_mmax 1 -run_pc_type hsc -run_pc_hsc_backend cuda -run_pc_hsc_smoother auto -run_pc_hsc_precision single"},
    {"hsc gs", "-run_ksp_type fcg -run_ksp_fcg_mmax 1 -run_pc_type hsc -run_pc_hsc_backend cuda -run_pc_hsc_smoother gs -run_pc_hsc_precision single"},
    {"hsc double", "-run_ksp_type fcg -run_ksp_fcg_mmax 1 -run_pc_type hsc -run_pc_hsc_backend cuda -run_pc_hsc_smoother auto -run_pc_hsc_precision double"},
    {"gamg", "-run_ksp_type cg -run_pc_type gamg"},
    {"jacobi", "-run_ksp_type cg -run_pc_type jacobi"},
  };
  Mat    A;
  double host = 0.0, setup;

  PetscFunctionBegin;
  PetscCall(Assemble(p, &A));
  PetscCall(Measure(p, "hsc host", "-run_ksp_type fcg -run_ksp_fcg_mmax 1 -run_pc_type hsc -run_pc_hsc_backend host -run_pc_hsc_smoother auto -run_pc_hsc_precision single", A, 0.0, limits, &host));
  PetscCall(MatConvert(A, MATSEQAIJCUSPARSE, MAT_INPLACE_MATRIX, &A));
  for (const auto &s : peer) {
    if (BenchSince(limits.start).s[BENCH_WALL] > limits.seconds) {
      PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s,%s,,,,,,,,,,,,,,,no time left\n", p.name, s[0]));
      continue;
    }
    PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, nullptr));
    const PetscErrorCode code = Measure(p, s[0], s[1], A, host, limits, &setup);
    PetscCall(PetscPopErrorHandler());
    if (code) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s,%s,,,,,,,,,,,,,,,error %d\n", p.name, s[0], (int)code));
  }
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  Limits    limits;
  PetscReal size   = 1.0;
  PetscBool device = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  limits.start   = BenchNow();
  limits.seconds = 80.0;
  limits.cycles  = 100;
  PetscCall(PetscOptionsGetReal(nullptr, nullptr, "-bench_size", &size, nullptr));
  PetscCall(PetscOptionsGetReal(nullptr, nullptr, "-bench_seconds", &limits.seconds, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-bench_cycles", &limits.cycles, nullptr));
#if PetscDefined(HAVE_CUDA)
  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, nullptr));
  device = (PetscBool)(PetscDeviceInitialize(PETSC_DEVICE_CUDA) == 0);
  PetscCall(PetscPopErrorHandler());
  if (!device) PetscCall(PetscPrintf(PETSC_COMM_SELF, "# SKIP there is no CUDA device\n"));
#else
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "# SKIP PETSc was configured without CUDA\n"));
#endif
  if (device) {
    const PetscInt n1 = (PetscInt)(1024 * size), n2 = (PetscInt)(2048 * size), n3 = (PetscInt)(128 * size);
    const Problem  problems[] = {
       {"lap5", n1, n1, 1, false}, {"lap5 large", n2, n2, 1, false}, {"epd", n1, n1, 1, true}, {"epd large", n2, n2, 1, true}, {"lap7", n3, n3, n3, false},
    };

    PetscCall(Bandwidth(&limits.bandwidth));
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "# a copy of vectors moves %.0f GB/s\n", limits.bandwidth * 1e-9));
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "problem,solver,rows,nnz,setup_s,copy_s,cycle_us,queued_cycle_us,kernels,cycle_MB,floor_us,times_floor,iterations,solve_s,total_s,residual,status\n"));
    for (const Problem &p : problems) PetscCall(Run(p, limits));
  }
  PetscCall(PetscFinalize());
  return device ? 0 : 77;
}
