static char help[] = "Times one solver on one Laplacian of a family and prints one line for each number: set-up, solve, iterations, the true residual, memory;\n\
with -bench_kappa the condition number of the preconditioned matrix, with -bench_shifts a sequence of matrices that differ on the diagonal only.\n\
A solver is a set of options; those of the command line come on top. hsc is chosen by name only and comes from -dll_append.\n\n";

#include "tests/bench/families.h"
#include "tests/bench/solver.h"
#include <cstring>

struct Case {
  BenchFamily family;
  char        solver[64];
  BenchRepeat repeat;
  PetscBool   dm, kappa, rebuild;
  PetscInt    nshifts;
  PetscReal   shifts[BENCH_MAX_LIST];
};

/* From the coefficients of CG, which needs a symmetric cycle. The right-hand side has all eigenvectors in it. */
static PetscErrorCode Condition(Mat A, Vec b)
{
  KSP       ksp;
  Vec       x;
  PetscReal largest = 0.0, smallest = 0.0;
  PetscBool cg;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(b, &x));
  /* The matrix of the coefficients must be small: later ones come from vectors that have lost their orthogonality */
  PetscCall(BenchSolverCreate(A, 1e-13, 60, nullptr, &ksp));
  PetscCall(KSPSetComputeSingularValues(ksp, PETSC_TRUE));
  PetscCall(BenchSolverSetUp(ksp));
  PetscCall(PetscObjectTypeCompare((PetscObject)ksp, KSPCG, &cg));
  PetscCheck(cg, PETSC_COMM_SELF, PETSC_ERR_SUP, "Condition numbers come from the coefficients of cg: use hscsym");
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(BenchSolverPrintEnd(ksp, A, b, x));
  PetscCall(KSPComputeExtremeSingularValues(ksp, &largest, &smallest));
  if (smallest > 0.0) PetscCall(BenchPrintNumber("kappa", largest / smallest));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One preconditioner that is told of each new diagonal, or a new one for each */
static PetscErrorCode Shifts(Case &c, Mat A)
{
  KSP          ksp = nullptr;
  Vec          b   = nullptr, x;
  BenchSeconds start, setup = {}, solve = {}, t;
  PetscInt     its, total = 0;
  char         name[64];

  PetscFunctionBegin;
  PetscCall(MatCreateVecs(A, &x, nullptr));
  for (PetscInt k = 0; k < c.nshifts; k++) {
    KSPConvergedReason reason;
    PetscReal          residual;

    c.family.shift = c.shifts[k];
    PetscCall(BenchFamilySetValues(c.family, 0, A));
    PetscCall(VecDestroy(&b));
    PetscCall(BenchFamilyCreateRHS(c.family, A, &b));
    start = BenchNow();
    if (c.rebuild) PetscCall(KSPDestroy(&ksp));
    if (!ksp)
      PetscCall(BenchSolverCreate(A, 1e-6, 10000, nullptr, &ksp));
    else
      PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(BenchSolverSetUp(ksp));
    t = BenchSince(start);
    PetscCall(BenchSolverCheckOptions(ksp));
    for (int clock = 0; clock < BENCH_NCLOCKS; clock++) setup.s[clock] += t.s[clock];
    PetscCall(PetscSNPrintf(name, sizeof(name), "setup%" PetscInt_FMT, k));
    PetscCall(BenchPrintSeconds(name, t));
    start = BenchNow();
    PetscCall(KSPSolve(ksp, b, x));
    t = BenchSince(start);
    for (int clock = 0; clock < BENCH_NCLOCKS; clock++) solve.s[clock] += t.s[clock];
    PetscCall(PetscSNPrintf(name, sizeof(name), "solve%" PetscInt_FMT, k));
    PetscCall(BenchPrintSeconds(name, t));
    PetscCall(KSPGetIterationNumber(ksp, &its));
    PetscCall(PetscSNPrintf(name, sizeof(name), "iterations%" PetscInt_FMT, k));
    PetscCall(BenchPrintNumber(name, its));
    total += its;
    PetscCall(BenchTrueResidual(A, b, x, &residual));
    PetscCall(PetscSNPrintf(name, sizeof(name), "residual%" PetscInt_FMT, k));
    PetscCall(BenchPrintNumber(name, residual));
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCheck(reason > 0, PETSC_COMM_SELF, PETSC_ERR_NOT_CONVERGED, "%s at shift %g", KSPConvergedReasons[reason], (double)c.shifts[k]);
  }
  PetscCall(BenchPrintNumber("iterations", total));
  PetscCall(BenchPrintSeconds("setup", setup));
  PetscCall(BenchPrintSeconds("solve", solve));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Run(Case &c)
{
  Mat      A;
  Vec      b;
  MatInfo  mat;
  PetscInt rows;

  PetscFunctionBegin;
  PetscCall(BenchSolverChoose(c.solver, (PetscBool)(c.family.nz > 1), (PetscBool)c.family.singular));
  PetscCall(BenchFamilyCreateMat(c.family, 0, c.dm, PETSC_TRUE, &A));
  PetscCall(MatGetInfo(A, MAT_LOCAL, &mat));
  PetscCall(MatGetSize(A, &rows, nullptr));
  PetscCall(BenchPrintNumber("rows", (double)rows));
  PetscCall(BenchPrintNumber("nnz", mat.nz_used));
  if (c.nshifts > 0) {
    PetscCheck(c.family.kind == "epd", PETSC_COMM_SELF, PETSC_ERR_SUP, "-bench_shifts is for the family epd");
    PetscCall(Shifts(c, A));
  } else {
    if (c.kappa)
      PetscCall(BenchFamilyCreateVec(c.family, A, 0, &b));
    else
      PetscCall(BenchFamilyCreateRHS(c.family, A, &b));
    /* The memory of the picture is not the solver's */
    std::vector<PetscReal>().swap(c.family.picture.rgb);
    if (c.kappa)
      PetscCall(Condition(A, b));
    else
      PetscCall(BenchSolverMeasure(A, b, c.repeat, nullptr));
    PetscCall(VecDestroy(&b));
  }
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Bytes that a loop over arrays larger than the caches moves in a second: two are read, one is written */
static PetscErrorCode PrintTriad()
{
  const size_t        n = (size_t)1 << 24;
  std::vector<double> a(n, 0.0), b(n, 1.0), c(n, 2.0);
  BenchSeconds        start, t, best = {};

  PetscFunctionBegin;
  for (int k = 0; k < 10; k++) {
    /* Every repetition reads what the one before has written, so that the compiler can leave none out */
    double *x = k % 2 ? b.data() : a.data(), *y = k % 2 ? a.data() : b.data(), *z = c.data();

    start = BenchNow();
    for (size_t i = 0; i < n; i++) x[i] = y[i] + 0.5 * z[i];
    t = BenchSince(start);
    for (int clock = 0; clock < BENCH_NCLOCKS; clock++) best.s[clock] = k ? PetscMin(best.s[clock], t.s[clock]) : t.s[clock];
  }
  PetscCall(BenchPrintNumber("triad_GBs_user", 24e-9 * n / best.s[BENCH_USER]));
  PetscCall(BenchPrintNumber("triad_GBs_cpu", 24e-9 * n / best.s[BENCH_CPU]));
  PetscCall(BenchPrintNumber("triad_GBs_wall", 24e-9 * n / best.s[BENCH_WALL]));
  PetscCheck(b[n / 2] == 11.0, PETSC_COMM_SELF, PETSC_ERR_PLIB, "the loop computed %g", b[n / 2]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  Case      c;
  PetscBool triad = PETSC_FALSE, shifts;

  c.dm = c.kappa = c.rebuild = PETSC_FALSE;
  c.nshifts                  = BENCH_MAX_LIST;
  std::strcpy(c.solver, "hsc");
  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Solvers of Laplacians", nullptr);
  PetscCall(PetscOptionsString("-bench_solver", "Set of options", "", c.solver, c.solver, sizeof(c.solver), nullptr));
  PetscCall(PetscOptionsBool("-bench_dm", "The matrix carries its DMDA", "", c.dm, &c.dm, nullptr));
  PetscCall(PetscOptionsBool("-bench_kappa", "Condition number of the preconditioned matrix instead of times", "", c.kappa, &c.kappa, nullptr));
  PetscCall(PetscOptionsRealArray("-bench_shifts", "Diagonals of the family epd, one after the other", "", c.shifts, &c.nshifts, &shifts));
  PetscCall(PetscOptionsBool("-bench_rebuild", "A new preconditioner for each of them", "", c.rebuild, &c.rebuild, nullptr));
  PetscCall(PetscOptionsBool("-bench_triad", "Only measures the bandwidth of the memory", "", triad, &triad, nullptr));
  PetscOptionsEnd();
  PetscCall(BenchRepeatFromOptions(&c.repeat));
  if (!shifts) c.nshifts = 0;
  if (triad) {
    PetscCall(PrintTriad());
  } else {
    PetscCall(BenchFamilyFromOptions("lap5", &c.family));
    PetscCall(BenchKeepErrors());
    PetscCall(BenchPrintStatus(Run(c)));
  }
  PetscCall(PetscFinalize());
  return 0;
}
