static char help[] = "Times one solver on one Laplacian of a family and prints one line for each number: set-up, solve, iterations, the true residual, memory;\n\
with -bench_kappa the condition number of the preconditioned matrix, with -bench_shifts a sequence of matrices that differ on the diagonal only.\n\
A solver is a set of options; those of the command line come on top. hsc is chosen by name only and comes from -dll_append.\n\n";

#include "tests/bench/bench.h"
#include "tests/bench/families.h"
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#define CG     "-ksp_type cg -ksp_norm_type unpreconditioned "
#define DIRECT "-ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type "
#define STRONG CG "-pc_type hypre -pc_hypre_boomeramg_interp_type ext+i -pc_hypre_boomeramg_coarsen_type HMIS -pc_hypre_boomeramg_P_max 4 -pc_hypre_boomeramg_strong_threshold "
/* A small threshold that falls from level to level, and no aggressive coarsening: of ten sets of options the best one for hard coefficients, and little slower than
   the defaults without them. One symmetric sweep needs none of the eigenvalue estimates of Chebyshev smoothing. */
#define GAMG_TUNED CG "-pc_type gamg -pc_gamg_threshold 0.01 -pc_gamg_threshold_scale 0.5 -pc_gamg_aggressive_coarsening 0 -mg_levels_ksp_type richardson -mg_levels_ksp_max_it 1 -mg_levels_pc_type sor"
/* The only place that knows what a solver's name means */
static const struct {
  const char *name, *options, *solid; /* solid: what is different in three dimensions */
  PetscBool   direct;
} solvers[] = {
  {"hsc", "-pc_type hsc -ksp_type fcg -ksp_fcg_mmax 1 -ksp_norm_type unpreconditioned", nullptr, PETSC_FALSE},
  {"hscsym", CG "-pc_type hsc -pc_hsc_symmetric yes", nullptr, PETSC_FALSE},
  {"hypre", CG "-pc_type hypre", nullptr, PETSC_FALSE},
  {"hyprestrong", STRONG "0.25", STRONG "0.5", PETSC_FALSE},
  {"gamg", CG "-pc_type gamg", nullptr, PETSC_FALSE},
  {"gamgtuned", GAMG_TUNED, nullptr, PETSC_FALSE},
  {"ml", CG "-pc_type ml", nullptr, PETSC_FALSE},
  {"icc", CG "-pc_type icc", nullptr, PETSC_FALSE},
  {"none", CG "-pc_type none", nullptr, PETSC_FALSE},
  {"cholmod", DIRECT "cholmod", nullptr, PETSC_TRUE},
  {"mumps", DIRECT "mumps", nullptr, PETSC_TRUE},
};

struct Case {
  BenchFamily family;
  char        solver[64];
  PetscReal   least;
  PetscInt    most;
  PetscBool   dm, kappa, rebuild;
  PetscInt    nshifts;
  PetscReal   shifts[BENCH_MAX_LIST];
};

/* What the command line says stays stronger than what a solver's name stands for */
static PetscErrorCode ChooseSolver(const Case &c)
{
  std::string names;

  PetscFunctionBegin;
  for (const auto &s : solvers) {
    if (!std::strcmp(c.solver, s.name)) {
      char *given;

      PetscCheck(!s.direct || !c.family.singular, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONGSTATE, "direct solvers need a regular matrix");
      PetscCall(PetscOptionsGetAll(nullptr, &given));
      PetscCall(PetscOptionsInsertString(nullptr, c.family.nz > 1 && s.solid ? s.solid : s.options));
      PetscCall(PetscOptionsInsertString(nullptr, given));
      PetscCall(PetscFree(given));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    names += std::string(" ") + s.name;
  }
  SETERRQ(PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "Unknown solver %s: take one of%s", c.solver, names.c_str());
}

static PetscErrorCode CreateKSP(Mat A, PetscReal rtol, PetscInt most, KSP *ksp)
{
  PetscFunctionBegin;
  PetscCall(KSPCreate(PETSC_COMM_SELF, ksp));
  PetscCall(KSPSetOperators(*ksp, A, A));
  PetscCall(KSPSetTolerances(*ksp, rtol, 1e-300, 1e30, most));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SetUp(KSP ksp)
{
  PetscFunctionBegin;
  PetscCall(KSPSetUp(ksp));
  PetscCall(KSPSetUpOnBlocks(ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* PCs that have an operator complexity print it in their view, as "operator complexity 2.1" or "Complexity: grid = 1.3 operator = 1.5" */
static PetscErrorCode PrintComplexity(KSP ksp)
{
  PC          pc;
  PetscViewer viewer;
  FILE       *file = std::tmpfile();
  char        line[1024];
  bool        found = false;

  PetscFunctionBegin;
  if (!file) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PetscViewerASCIIOpenWithFILE(PETSC_COMM_SELF, file, &viewer));
  PetscCall(PCView(pc, viewer));
  PetscCall(PetscViewerDestroy(&viewer));
  std::rewind(file);
  while (std::fgets(line, sizeof(line), file)) {
    const char *at = std::strstr(line, "a cycle moves ");

    /* what petlap says of itself */
    if (at) PetscCall(BenchPrintNumber("cycle_MB", std::atof(at + std::strlen("a cycle moves "))));

    for (char *p = line; *p; p++) *p = (char)std::tolower((unsigned char)*p);
    if (found || !std::strstr(line, "complexity")) continue;
    at = std::strstr(line, "operator");
    if (!at) continue;
    at += std::strcspn(at, "0123456789\n");
    if (*at == '\n' || !*at) continue;
    PetscCall(BenchPrintNumber("complexity", std::atof(at)));
    found = true;
  }
  std::fclose(file);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A misspelt option of the preconditioner must not give numbers under its name */
static PetscErrorCode CheckOptions(KSP ksp)
{
  PC          pc;
  PCType      type;
  PetscInt    count;
  char      **names, **values;
  std::string unknown;

  PetscFunctionBegin;
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCGetType(pc, &type));
  PetscCall(PetscOptionsLeftGet(nullptr, &count, &names, &values));
  for (PetscInt i = 0; i < count; i++) {
    if (std::string(names[i]).rfind(std::string("pc_") + type + "_", 0) == 0) unknown += std::string(" -") + names[i];
  }
  PetscCall(PetscOptionsLeftRestore(nullptr, &count, &names, &values));
  PetscCheck(unknown.empty(), PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "%s knows no%s", type, unknown.c_str());
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PrintEnd(KSP ksp, Mat A, Vec b, Vec x)
{
  KSPConvergedReason reason;
  PetscInt           its;
  PetscReal          residual;

  PetscFunctionBegin;
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(BenchTrueResidual(A, b, x, &residual));
  PetscCall(CheckOptions(ksp));
  PetscCall(BenchPrintNumber("iterations", its));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "reason %s\n", KSPConvergedReasons[reason]));
  PetscCall(BenchPrintNumber("residual", residual));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Set-up and solve, every time with a new preconditioner, until the clock has run for c.least seconds */
static PetscErrorCode Measure(const Case &c, Mat A, Vec b)
{
  KSP                       ksp;
  Vec                       x;
  KSPConvergedReason        reason;
  BenchSeconds              begin, start;
  std::vector<BenchSeconds> setup, solve;
  double                    before;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(b, &x));
  begin = BenchNow();
  do {
    if (setup.empty()) BenchForgetPeak();
    before = BenchMemory("VmRSS");
    start  = BenchNow();
    PetscCall(CreateKSP(A, 1e-6, 10000, &ksp));
    PetscCall(SetUp(ksp));
    setup.push_back(BenchSince(start));
    start = BenchNow();
    PetscCall(KSPSolve(ksp, b, x));
    solve.push_back(BenchSince(start));
    if (setup.size() == 1) {
      PetscCall(BenchPrintNumber("peak_MB", BenchMemory("VmHWM") - before));
      PetscCall(PrintEnd(ksp, A, b, x));
      PetscCall(PrintComplexity(ksp));
    }
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCall(KSPDestroy(&ksp));
  } while (reason > 0 && (PetscInt)setup.size() < c.most && BenchSince(begin).s[BENCH_CPU] < c.least);
  PetscCall(BenchPrintNumber("runs", (double)setup.size()));
  PetscCall(BenchPrintSeconds("setup", BenchMedian(setup)));
  PetscCall(BenchPrintSeconds("solve", BenchMedian(solve)));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

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
  PetscCall(CreateKSP(A, 1e-13, 60, &ksp));
  PetscCall(KSPSetComputeSingularValues(ksp, PETSC_TRUE));
  PetscCall(SetUp(ksp));
  PetscCall(PetscObjectTypeCompare((PetscObject)ksp, KSPCG, &cg));
  PetscCheck(cg, PETSC_COMM_SELF, PETSC_ERR_SUP, "Condition numbers come from the coefficients of cg: use hscsym");
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(PrintEnd(ksp, A, b, x));
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
      PetscCall(CreateKSP(A, 1e-6, 10000, &ksp));
    else
      PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(SetUp(ksp));
    t = BenchSince(start);
    PetscCall(CheckOptions(ksp));
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
  PetscCall(ChooseSolver(c));
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
      PetscCall(Measure(c, A, b));
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

  c.least = 1.0;
  c.most  = 20;
  c.dm = c.kappa = c.rebuild = PETSC_FALSE;
  c.nshifts                  = BENCH_MAX_LIST;
  std::strcpy(c.solver, "hsc");
  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Solvers of Laplacians", nullptr);
  PetscCall(PetscOptionsString("-bench_solver", "Set of options", "", c.solver, c.solver, sizeof(c.solver), nullptr));
  PetscCall(PetscOptionsReal("-bench_least", "CPU seconds that set-up and solve are repeated for", "", c.least, &c.least, nullptr));
  PetscCall(PetscOptionsInt("-bench_most", "Repetitions at most", "", c.most, &c.most, nullptr));
  PetscCall(PetscOptionsBool("-bench_dm", "The matrix carries its DMDA", "", c.dm, &c.dm, nullptr));
  PetscCall(PetscOptionsBool("-bench_kappa", "Condition number of the preconditioned matrix instead of times", "", c.kappa, &c.kappa, nullptr));
  PetscCall(PetscOptionsRealArray("-bench_shifts", "Diagonals of the family epd, one after the other", "", c.shifts, &c.nshifts, &shifts));
  PetscCall(PetscOptionsBool("-bench_rebuild", "A new preconditioner for each of them", "", c.rebuild, &c.rebuild, nullptr));
  PetscCall(PetscOptionsBool("-bench_triad", "Only measures the bandwidth of the memory", "", triad, &triad, nullptr));
  PetscOptionsEnd();
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
