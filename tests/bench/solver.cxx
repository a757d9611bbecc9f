/*
  Solvers by name, each a set of options, and how their set-up and solve are measured.
*/
#include "tests/bench/solver.h"
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#define CG     "-ksp_type cg -ksp_norm_type unpreconditioned "
#define DIRECT "-ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type "
#define LU     "-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type "
#define STRONG CG "-pc_type hypre -pc_hypre_boomeramg_interp_type ext+i -pc_hypre_boomeramg_coarsen_type HMIS -pc_hypre_boomeramg_P_max 4 -pc_hypre_boomeramg_strong_threshold "
/* A small threshold that falls from level to level, and no aggressive coarsening: of ten sets of options the best one for hard coefficients, and little slower than
   the defaults without them. One symmetric sweep needs none of the eigenvalue estimates of Chebyshev smoothing. */
#define GAMG_TUNED CG "-pc_type gamg -pc_gamg_threshold 0.01 -pc_gamg_threshold_scale 0.5 -pc_gamg_aggressive_coarsening 0 -mg_levels_ksp_type richardson -mg_levels_ksp_max_it 1 -mg_levels_pc_type sor"
#define NEURAL     "-ksp_type psdo -pc_type neural -ksp_norm_type unpreconditioned"
/* Geometric multigrid has levels that bench_neural makes. Of V, F and kaskade cycles with Jacobi, Chebyshev and SOR the fastest, though not quite symmetric. */
#define MG CG "-pc_type mg -pc_mg_type kaskade -mg_levels_ksp_type richardson -mg_levels_ksp_max_it 1 -mg_levels_pc_type sor -mg_coarse_ksp_type preonly -mg_coarse_pc_type svd"
/* The only place that knows what a solver's name means */
static const struct {
  const char *name, *options, *solid; /* solid: what is different in three dimensions */
  PetscBool   direct;
} solvers[] = {
  {"hsc", "-pc_type hsc -ksp_type fcg -ksp_fcg_mmax 1 -ksp_norm_type unpreconditioned", nullptr, PETSC_FALSE},
  {"hscsym", CG "-pc_type hsc -pc_hsc_symmetric yes", nullptr, PETSC_FALSE},
  {"hypre", CG "-pc_type hypre", nullptr, PETSC_FALSE},
  {"hyprestrong", STRONG "0.25", STRONG "0.5", PETSC_FALSE},
  {"hypreagg", STRONG "0.25 -pc_hypre_boomeramg_agg_nl 1", STRONG "0.5 -pc_hypre_boomeramg_agg_nl 1", PETSC_FALSE},
  {"gamg", CG "-pc_type gamg", nullptr, PETSC_FALSE},
  {"gamgtuned", GAMG_TUNED, nullptr, PETSC_FALSE},
  {"gamgagg", CG "-pc_type gamg -pc_gamg_aggressive_coarsening 2 -mg_levels_ksp_type richardson -mg_levels_ksp_max_it 1 -mg_levels_pc_type sor", nullptr, PETSC_FALSE},
  {"ml", CG "-pc_type ml", nullptr, PETSC_FALSE},
  {"icc", CG "-pc_type icc", nullptr, PETSC_FALSE},
  {"ssor", CG "-pc_type sor -pc_sor_omega 1.8", nullptr, PETSC_FALSE},
  {"none", CG "-pc_type none", nullptr, PETSC_FALSE},
  {"neural", NEURAL, nullptr, PETSC_FALSE},
  {"analytic", NEURAL " -pc_neural_weights analytic", nullptr, PETSC_FALSE},
  {"mg", MG, nullptr, PETSC_FALSE},
  {"cholmod", DIRECT "cholmod", nullptr, PETSC_TRUE},
  {"mumps", DIRECT "mumps", nullptr, PETSC_TRUE},
  {"schwarzschur", DIRECT "schwarzschur", nullptr, PETSC_TRUE},
  {"schwarzschurlu", LU "schwarzschur", nullptr, PETSC_TRUE},
  {"mumpslu", LU "mumps", nullptr, PETSC_TRUE},
  {"superludist", LU "superlu_dist", nullptr, PETSC_TRUE},
};

/* What the command line says stays stronger than what a solver's name stands for */
PetscErrorCode BenchSolverChoose(const char name[], PetscBool solid, PetscBool singular)
{
  std::string names;

  PetscFunctionBegin;
  for (const auto &s : solvers) {
    if (!std::strcmp(name, s.name)) {
      char *given;

      PetscCheck(!s.direct || !singular, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONGSTATE, "direct solvers need a regular matrix");
      PetscCall(PetscOptionsGetAll(nullptr, &given));
      PetscCall(PetscOptionsInsertString(nullptr, solid && s.solid ? s.solid : s.options));
      PetscCall(PetscOptionsInsertString(nullptr, given));
      PetscCall(PetscFree(given));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    names += std::string(" ") + s.name;
  }
  SETERRQ(PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "Unknown solver %s: take one of%s", name, names.c_str());
}

PetscErrorCode BenchSolverCreate(Mat A, PetscReal rtol, PetscInt most, const BenchPrepare &prepare, KSP *ksp)
{
  PetscFunctionBegin;
  PetscCall(KSPCreate(PETSC_COMM_SELF, ksp));
  PetscCall(KSPSetOperators(*ksp, A, A));
  PetscCall(KSPSetTolerances(*ksp, rtol, 1e-300, 1e30, most));
  if (prepare) PetscCall(prepare(*ksp));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchSolverSetUp(KSP ksp)
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

PetscErrorCode BenchSolverCheckOptions(KSP ksp)
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

PetscErrorCode BenchSolverPrintEnd(KSP ksp, Mat A, Vec b, Vec x)
{
  KSPConvergedReason reason;
  PetscInt           its;
  PetscReal          residual;

  PetscFunctionBegin;
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(BenchTrueResidual(A, b, x, &residual));
  PetscCall(BenchSolverCheckOptions(ksp));
  PetscCall(BenchPrintNumber("iterations", its));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "reason %s\n", KSPConvergedReasons[reason]));
  PetscCall(BenchPrintNumber("residual", residual));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchSolverMeasure(Mat A, Vec b, const BenchRepeat &repeat, const BenchPrepare &prepare)
{
  const PetscReal           rtol = 1e-6;
  KSP                       ksp;
  Vec                       x;
  KSPConvergedReason        reason;
  BenchSeconds              begin, start;
  std::vector<BenchSeconds> setup, solve;
  PetscReal                 residual, worst = 0.0;
  double                    before;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(b, &x));
  begin = BenchNow();
  do {
    if (setup.empty()) BenchForgetPeak();
    before = BenchMemory("VmRSS");
    start  = BenchNow();
    PetscCall(BenchSolverCreate(A, rtol, 10000, prepare, &ksp));
    PetscCall(BenchSolverSetUp(ksp));
    setup.push_back(BenchSince(start));
    start = BenchNow();
    PetscCall(KSPSolve(ksp, b, x));
    solve.push_back(BenchSince(start));
    if (setup.size() == 1) {
      PetscCall(BenchPrintNumber("peak_MB", BenchMemory("VmHWM") - before));
      PetscCall(BenchSolverPrintEnd(ksp, A, b, x));
      PetscCall(PrintComplexity(ksp));
    }
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCall(BenchTrueResidual(A, b, x, &residual));
    worst = PetscMax(worst, residual);
    PetscCall(KSPDestroy(&ksp));
  } while (reason > 0 && (PetscInt)setup.size() < repeat.most && BenchSince(begin).s[BENCH_CPU] < repeat.least);
  PetscCall(BenchPrintNumber("runs", (double)setup.size()));
  PetscCall(BenchPrintSeconds("setup", BenchMedian(setup)));
  PetscCall(BenchPrintSeconds("solve", BenchMedian(solve)));
  PetscCall(VecDestroy(&x));
  /* The stopping test of a method may see a residual that has drifted away from the true one */
  PetscCheck(reason < 0 || worst <= 1.01 * rtol, PETSC_COMM_SELF, PETSC_ERR_NOT_CONVERGED, "the true residual is %.1e", (double)worst);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchRepeatFromOptions(BenchRepeat *repeat)
{
  PetscFunctionBegin;
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Repetitions", nullptr);
  PetscCall(PetscOptionsReal("-bench_least", "CPU seconds that set-up and solve are repeated for", "", repeat->least, &repeat->least, nullptr));
  PetscCall(PetscOptionsInt("-bench_most", "Repetitions at most", "", repeat->most, &repeat->most, nullptr));
  PetscOptionsEnd();
  PetscFunctionReturn(PETSC_SUCCESS);
}
