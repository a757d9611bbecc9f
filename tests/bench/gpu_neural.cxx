static char help[] = "The neural preconditioner on a CUDA device: what an application costs beside copies of as many bytes, and solves of pressure equations beside solvers of PETSc whose matrices\n\
and vectors are on the device. One line for each number, and a table in -bench_csv FILE. -bench_sizes and -bench_scenes are lists (box, dam, ...), -bench_seconds when to begin nothing more.\n\n";

#include "tests/bench/scene.h"
#include "petlap.h"
#include <petscdevice.h>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

/* Repetitions between two looks at the clock, and how many of these the median is of */
enum { BATCH = 10, ROUNDS = 15 };

static const struct {
  const char *name, *options;
  bool        box; /* for the scene box only */
} Solvers[] = {
  {"neural", "-ksp_type psdo -pc_type neural", false},
  {"analytic", "-ksp_type psdo -pc_type neural -pc_neural_weights analytic", false},
  {"jacobi", "-ksp_type cg -pc_type jacobi", false},
  {"gamg", "-ksp_type cg -pc_type gamg -mg_levels_ksp_type chebyshev -mg_levels_pc_type jacobi", false},
  {"gamg1", "-ksp_type cg -pc_type gamg -mg_levels_ksp_type chebyshev -mg_levels_ksp_max_it 1 -mg_levels_pc_type jacobi -pc_gamg_threshold 0.01 -pc_gamg_threshold_scale 0.5", false},
  /* A coarsest level that stays on the device */
  {"mg", "-ksp_type cg -pc_type mg -mg_levels_ksp_type chebyshev -mg_levels_ksp_max_it 2 -mg_levels_pc_type jacobi -mg_coarse_ksp_type chebyshev -mg_coarse_ksp_max_it 8 -mg_coarse_pc_type jacobi", true},
  {"mg1", "-ksp_type cg -pc_type mg -mg_levels_ksp_type chebyshev -mg_levels_ksp_max_it 1 -mg_levels_pc_type jacobi -mg_coarse_ksp_type chebyshev -mg_coarse_ksp_max_it 8 -mg_coarse_pc_type jacobi", true},
#if PetscDefined(HAVE_HYPRE)
  {"hypre", "-ksp_type cg -pc_type hypre -pc_hypre_boomeramg_relax_type_all l1scaled-Jacobi -pc_hypre_boomeramg_coarsen_type PMIS -pc_hypre_boomeramg_interp_type ext+i -pc_hypre_boomeramg_no_CF", false},
#endif
};

static FILE        *table;
static PetscReal    deadline;
static BenchSeconds begin;

/* The device has done what it was told */
static PetscErrorCode Wait(void)
{
  PetscFunctionBegin;
#if PetscDefined(HAVE_CUDA)
  PetscDeviceContext context;

  PetscCall(PetscDeviceContextGetCurrentContext(&context));
  PetscCall(PetscDeviceContextSynchronize(context));
#endif
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Report(const char scene[], PetscInt n, const char solver[], const char name[], double value)
{
  PetscFunctionBegin;
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%-6s %4" PetscInt_FMT " %-10s %-16s %.6g\n", scene, n, solver, name, value));
  if (table) fprintf(table, "%s,%d,%s,%s,%.9g\n", scene, (int)n, solver, name, value);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The median of the wall clock for one call */
template <typename Body>
static PetscErrorCode Measure(Body body, PetscReal *seconds)
{
  std::vector<PetscReal> times;

  PetscFunctionBegin;
  for (int k = 0; k < BATCH; k++) PetscCall(body());
  PetscCall(Wait());
  for (int round = 0; round < ROUNDS; round++) {
    const BenchSeconds start = BenchNow();

    for (int k = 0; k < BATCH; k++) PetscCall(body());
    PetscCall(Wait());
    times.push_back(BenchSince(start).s[BENCH_WALL] / BATCH);
  }
  std::sort(times.begin(), times.end());
  *seconds = times[ROUNDS / 2];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What an application must move at least, in bytes: input and output, the finest level once written and once read, and of the coarser ones all fields that are passed on */
static double LeastBytes(const BenchScene &s, PetscInt rows)
{
  double coarser = 0.0;

  for (double share = s.scene.dim == 3 ? 0.125 : 0.25, level = share; level > 1e-6; level *= share) coarser += level;
  return (double)rows * (8 + 8 + 4 + 4 + 24 * coarser);
}

static PetscErrorCode MeasureApply(const BenchScene &s, const char scene[], PetscInt n)
{
  PC        pc;
  Vec       x, y;
  PetscInt  rows;
  PetscReal apply = 0.0, copy = 0.0, mult = 0.0, changed = 0.0;

  PetscFunctionBegin;
  PetscCall(MatGetSize(s.A, &rows, nullptr));
  PetscCall(VecDuplicate(s.b, &x));
  PetscCall(VecDuplicate(s.b, &y));
  PetscCall(PCCreate(PETSC_COMM_SELF, &pc));
  PetscCall(PCSetOperators(pc, s.A, s.A));
  PetscCall(PCSetType(pc, PCNEURAL));
  PetscCall(PCNeuralSetImage(pc, s.dm, s.labels));
  PetscCall(PCNeuralSetBackend(pc, PETLAP_BACKEND_CUDA));
  PetscCall(PCSetFromOptions(pc));
  PetscCall(PCSetUp(pc));
  PetscCall(Measure([&] { return PCApply(pc, s.b, x); }, &apply));
  /* Solvers apply it to one vector after the other */
  PetscInt turn = 0;
  PetscCall(Measure([&] { return PCApply(pc, s.b, turn++ % 2 ? x : y); }, &changed));
  PetscCall(Measure([&] { return VecCopy(s.b, x); }, &copy));
  PetscCall(Measure([&] { return MatMult(s.A, s.b, x); }, &mult));
  const double rate = 16.0 * (double)rows / copy, floor = LeastBytes(s, rows) / rate;
  PetscCall(Report(scene, n, "apply", "rows", (double)rows));
  PetscCall(Report(scene, n, "apply", "copy_GB/s", rate / 1e9));
  PetscCall(Report(scene, n, "apply", "least_MB", LeastBytes(s, rows) / 1e6));
  PetscCall(Report(scene, n, "apply", "floor_us", floor * 1e6));
  PetscCall(Report(scene, n, "apply", "apply_us", apply * 1e6));
  PetscCall(Report(scene, n, "apply", "apply_turns_us", changed * 1e6));
  PetscCall(Report(scene, n, "apply", "times_floor", apply / floor));
  PetscCall(Report(scene, n, "apply", "mult_us", mult * 1e6));
  PetscCall(PCDestroy(&pc));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Solve(const BenchScene &s, const char scene[], PetscInt n, const char name[], const char options[], MatType type)
{
  PetscOptions           database;
  KSP                    ksp;
  PC                     pc;
  Vec                    x;
  BenchSeconds           start;
  std::vector<PetscReal> times;
  PetscReal              setup = 0.0, residual = 0.0;
  PetscInt               its;
  KSPConvergedReason     reason;
  const bool             neural = std::strstr(options, "-pc_type neural"), mg = std::strstr(options, "-pc_type mg");

  PetscFunctionBegin;
  PetscCall(PetscOptionsCreate(&database));
  PetscCall(PetscOptionsPush(database));
  PetscCall(PetscOptionsInsertString(nullptr, options));
  PetscCall(PetscOptionsInsertString(nullptr, "-ksp_norm_type unpreconditioned"));
  PetscCall(VecDuplicate(s.b, &x));
  PetscCall(Wait());
  start = BenchNow();
  PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
  PetscCall(KSPSetOperators(ksp, s.A, s.A));
  PetscCall(KSPSetTolerances(ksp, 1e-6, PETSC_DEFAULT, PETSC_DEFAULT, 3000));
  PetscCall(KSPGetPC(ksp, &pc));
  if (neural) {
    PetscCall(PCSetType(pc, PCNEURAL));
    PetscCall(PCNeuralSetImage(pc, s.dm, s.labels));
    PetscCall(PCNeuralSetBackend(pc, PETLAP_BACKEND_CUDA));
  } else if (mg) {
    PetscCall(PCSetType(pc, PCMG));
    PetscCall(BenchSceneLevels(pc, s.scene, type));
  }
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSetUp(ksp));
  PetscCall(Wait());
  setup = BenchSince(start).s[BENCH_WALL];
  /* The first solve makes what later ones find */
  for (int k = 0; k < 4 && (k < 2 || BenchSince(begin).s[BENCH_WALL] < deadline); k++) {
    PetscCall(VecSet(x, 0.0));
    PetscCall(Wait());
    start = BenchNow();
    PetscCall(KSPSolve(ksp, s.b, x));
    PetscCall(Wait());
    if (k > 0) times.push_back(BenchSince(start).s[BENCH_WALL]);
  }
  std::sort(times.begin(), times.end());
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(BenchTrueResidual(s.A, s.b, x, &residual));
  PetscCall(Report(scene, n, name, "setup_ms", setup * 1e3));
  PetscCall(Report(scene, n, name, "solve_ms", times[times.size() / 2] * 1e3));
  PetscCall(Report(scene, n, name, "iterations", (double)its));
  PetscCall(Report(scene, n, name, "residual", residual));
  if (reason <= 0) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s of %s %" PetscInt_FMT " has not converged: %s\n", name, scene, n, KSPConvergedReasons[reason]));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&x));
  PetscCall(PetscOptionsPop());
  PetscCall(PetscOptionsDestroy(&database));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Run(PetscInt nsizes, const PetscInt sizes[], PetscInt nscenes, char *scenes[])
{
  const MatType type = PetscDefined(HAVE_CUDA) ? "aijcusparse" : MATAIJ;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < nsizes; k++) {
    for (PetscInt i = 0; i < nscenes; i++) {
      BenchScene   s;
      MatNullSpace space;
      PetscInt     kind = 0;
      Vec          b;

      while (kind < BENCH_BUBBLES && std::strcmp(BenchKinds[kind], scenes[i])) kind++;
      PetscCheck(kind < BENCH_BUBBLES, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "Unknown scene %s: take box, dam or another class of scenes.h", scenes[i]);
      if (BenchSince(begin).s[BENCH_WALL] > deadline) {
        PetscCall(PetscPrintf(PETSC_COMM_SELF, "%-6s %4" PetscInt_FMT " left out: no time is left\n", scenes[i], sizes[k]));
        continue;
      }
      PetscCall(BenchCreateScene(BenchCube(3, sizes[k]), kind, 0, BENCH_CONSTANT, 1.0, &s));
      PetscCall(MatConvert(s.A, type, MAT_INPLACE_MATRIX, &s.A));
      PetscCall(MatCreateVecs(s.A, nullptr, &b));
      PetscCall(VecCopy(s.b, b));
      PetscCall(VecDestroy(&s.b));
      s.b = b;
      PetscCall(BenchNullSpace(s.A, &space));
      if (space) {
        PetscCall(MatSetNullSpace(s.A, space));
        PetscCall(MatNullSpaceRemove(space, s.b));
        PetscCall(MatNullSpaceDestroy(&space));
      }
      PetscCall(MeasureApply(s, scenes[i], sizes[k]));
      for (const auto &solver : Solvers) {
        if (solver.box && std::strcmp(scenes[i], "box")) continue;
        if (BenchSince(begin).s[BENCH_WALL] > deadline)
          PetscCall(PetscPrintf(PETSC_COMM_SELF, "%-6s %4" PetscInt_FMT " %s left out: no time is left\n", scenes[i], sizes[k], solver.name));
        else
          PetscCall(Solve(s, scenes[i], sizes[k], solver.name, solver.options, type));
      }
      PetscCall(BenchDestroyScene(&s));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The first report of an error tells why there is no device */
static PetscErrorCode KeepText(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType type, const char *message, void *text)
{
  if (type == PETSC_ERROR_INITIAL && message) *(std::string *)text = message;
  return code;
}

static PetscErrorCode TryDevice(void)
{
  BenchScene s;
  PC         pc;

  PetscFunctionBegin;
  PetscCall(BenchCreateScene(BenchCube(3, 8), 0, 0, BENCH_CONSTANT, 1.0, &s));
  PetscCall(PCCreate(PETSC_COMM_SELF, &pc));
  PetscCall(PCSetOperators(pc, s.A, s.A));
  PetscCall(PCSetType(pc, PCNEURAL));
  PetscCall(PCNeuralSetImage(pc, s.dm, s.labels));
  PetscCall(PCNeuralSetBackend(pc, PETLAP_BACKEND_CUDA));
  PetscCall(PCSetUp(pc));
  PetscCall(PCDestroy(&pc));
  PetscCall(BenchDestroyScene(&s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  char           file[PETSC_MAX_PATH_LEN] = "", *scenes[BENCH_MAX_LIST];
  PetscInt       sizes[BENCH_MAX_LIST], nsizes = BENCH_MAX_LIST, nscenes = BENCH_MAX_LIST;
  std::string    text;
  PetscErrorCode code;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  begin    = BenchNow();
  deadline = 60.0;
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "The neural preconditioner on a device", nullptr);
  PetscCall(PetscOptionsString("-bench_csv", "File for the numbers", "", file, file, sizeof(file), nullptr));
  PetscCall(PetscOptionsReal("-bench_seconds", "After so many seconds nothing more is begun", "", deadline, &deadline, nullptr));
  PetscCall(BenchIntList("-bench_sizes", "Cells along each side", "128,256", &nsizes, sizes));
  PetscCall(BenchStringList("-bench_scenes", "Scenes", "box,dam", &nscenes, scenes));
  PetscOptionsEnd();
  PetscCall(PetscPushErrorHandler(KeepText, &text));
  code = TryDevice();
  PetscCall(PetscPopErrorHandler());
  if (code) {
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "skipped: %s\n", text.c_str()));
    std::fflush(nullptr);
    std::_Exit(77);
  }
  if (!PetscDefined(HAVE_CUDA)) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "This PETSc knows no device: vectors are copied in each application, and its own solvers work on the host\n"));
  PetscCall(BenchPrintPETSc(PETSC_COMM_WORLD));
  if (file[0]) {
    table = std::fopen(file, "w");
    PetscCheck(table, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "%s cannot be written", file);
    std::fprintf(table, "scene,n,solver,name,value\n");
  }
  PetscCall(Run(nsizes, sizes, nscenes, scenes));
  if (table) std::fclose(table);
  PetscCall(BenchFreeList(nscenes, scenes));
  PetscCall(PetscFinalize());
  return 0;
}
