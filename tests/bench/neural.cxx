static char help[] = "Times one solver on one pressure equation of a fluid, from a file or of a scene that it makes up, and prints one line for each number: set-up, solve, iterations,\n\
the true residual, memory; with -bench_kernels what an apply and a set-up of PCNEURAL cost beside a product with the matrix.\n\
A solver is a set of options; those of the command line come on top. The matrix has rows for fluid cells only, and is the same for all solvers.\n\n";

#include "tests/bench/scene.h"
#include "tests/bench/solver.h"
#include "petlap.h"
#include <petscdmda.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#if defined(__GLIBC__)
  #include <malloc.h>
#endif

using petlap::scenes::Scene;

/* Neither a scene that weights are trained on nor one that training looks at to choose among weights has this seed */
static const uint64_t SEED = 3000000019;

struct Case {
  char        file[PETSC_MAX_PATH_LEN] = "", scene[64] = "dam", solver[64] = "neural";
  PetscInt    dim = 3, n = 64, seed = 0;
  BenchRepeat repeat;
  PetscBool   kernels = PETSC_FALSE;
};

struct System {
  Mat   A = nullptr;
  Vec   b = nullptr, labels = nullptr;
  DM    dm    = nullptr; /* of the labels */
  bool  solid = true, singular = false;
  Scene scene; /* empty for a file */
};

static PetscErrorCode DestroySystem(System *s)
{
  PetscFunctionBegin;
  PetscCall(MatDestroy(&s->A));
  PetscCall(VecDestroy(&s->b));
  PetscCall(VecDestroy(&s->labels));
  PetscCall(DMDestroy(&s->dm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The matrix is told its null space, or that it is definite */
static PetscErrorCode FindNullSpace(System *s)
{
  MatNullSpace space;

  PetscFunctionBegin;
  PetscCall(BenchNullSpace(s->A, &space));
  s->singular = space != nullptr;
  if (s->singular) {
    PetscCall(MatSetNullSpace(s->A, space));
    PetscCall(MatNullSpaceRemove(space, s->b));
    PetscCall(MatNullSpaceDestroy(&space));
  } else {
    PetscCall(MatSetOption(s->A, MAT_SPD, PETSC_TRUE));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateFromScene(const Scene &scene, uint64_t seed, System *s)
{
  PetscScalar *b;

  PetscFunctionBegin;
  s->scene = scene;
  s->solid = scene.dim == 3;
  PetscCall(BenchSceneMatrix(
    scene, [](const int *, const int *) { return 1.0; }, &s->A));
  PetscCall(BenchSceneLabels(scene, &s->dm, &s->labels));
  PetscCall(MatCreateVecs(s->A, nullptr, &s->b));
  PetscCall(VecGetArray(s->b, &b));
  petlap::scenes::Divergence(scene, seed, 1, b);
  PetscCall(VecRestoreArray(s->b, &b));
  PetscCall(FindNullSpace(s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* bubbles is splash with single cells of air in the fluid */
static PetscErrorCode MakeScene(const Case &c, Scene *scene)
{
  using namespace petlap::scenes;
  const bool  bubbles = !std::strcmp(c.scene, "bubbles");
  const int   n = (int)c.n, size[3] = {n, c.dim == 3 ? n : 1, n};
  std::string names;
  Options     options;

  PetscFunctionBegin;
  PetscCheck(c.dim == 2 || c.dim == 3, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-bench_dim is 2 or 3");
  PetscCheck(c.n >= 4 && c.n <= 1024, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-bench_n is between 4 and 1024");
  if (bubbles) options.bubbles = 0.01;
  for (int k = 0; k < NCLASSES; k++) {
    names += std::string(" ") + ClassNames[k];
    if (std::strcmp(bubbles ? ClassNames[SPLASH] : c.scene, ClassNames[k])) continue;
    *scene = petlap::scenes::MakeScene((int)c.dim, size, (Class)k, SEED + (uint64_t)c.seed, options);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  SETERRQ(PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "Unknown scene %s: take bubbles or one of%s", c.scene, names.c_str());
}

static PetscErrorCode LoadFile(const char file[], System *s)
{
  BenchSystem loaded;
  PetscInt    dim;

  PetscFunctionBegin;
  PetscCall(BenchLoadSystem(PETSC_COMM_SELF, file, &loaded));
  s->A = loaded.A;
  s->b = loaded.b;
  PetscCall(PetscObjectQuery((PetscObject)s->A, "PetlapImage", (PetscObject *)&s->labels));
  PetscCheck(s->labels, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s has no flags that tell fluid, air and solid", file);
  PetscCall(PetscObjectReference((PetscObject)s->labels));
  PetscCall(VecGetDM(s->labels, &s->dm));
  PetscCall(PetscObjectReference((PetscObject)s->dm));
  PetscCall(DMGetDimension(s->dm, &dim));
  s->solid = dim == 3;
  PetscCall(FindNullSpace(s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The matrix does not tell which cells are its rows, nor where coarser grids are */
static PetscErrorCode Prepare(const System &s, KSP ksp)
{
  PC        pc;
  char      type[64] = "";
  PetscBool neural, mg;

  PetscFunctionBegin;
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-pc_type", type, sizeof(type), nullptr));
  PetscCall(PetscStrcmp(type, PCNEURAL, &neural));
  PetscCall(PetscStrcmp(type, PCMG, &mg));
  PetscCall(KSPGetPC(ksp, &pc));
  if (neural) {
    PetscCall(PCSetType(pc, PCNEURAL));
    PetscCall(PCNeuralSetImage(pc, s.dm, s.labels));
  } else if (mg) {
    PetscCall(PCSetType(pc, PCMG));
    PetscCall(BenchSceneLevels(pc, s.scene, MATSEQAIJ));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The shortest of some runs */
struct Least {
  BenchSeconds best;
  PetscInt     runs = 0;

  void Add(const BenchSeconds &start)
  {
    const BenchSeconds t = BenchSince(start);

    for (int c = 0; c < BENCH_NCLOCKS; c++) best.s[c] = runs ? PetscMin(best.s[c], t.s[c]) : t.s[c];
    runs++;
  }
};

/* What changes between two steps of a simulation: here the scene is seen in a mirror, so that there are as many fluid cells as before */
static PetscErrorCode MeasureChange(const Case &c, const Scene &scene)
{
  Scene        first = scene, second;
  System       s[2];
  PC           pc;
  BenchSeconds start, begin;
  Least        change;

  PetscFunctionBegin;
  const auto mirror = [](const Scene &from) {
    Scene to = from;

    for (size_t k = 0; k < to.size(); k += to.n[0]) std::reverse(to.cell.begin() + (ptrdiff_t)k, to.cell.begin() + (ptrdiff_t)k + to.n[0]);
    return to;
  };
  second = mirror(first);
  /* Of a symmetric scene the mirror makes a change when a corner is a wall */
  if (first.cell == second.cell) {
    first.cell[0] = petlap::scenes::SOLID;
    second        = mirror(first);
  }
  PetscCall(CreateFromScene(first, SEED + (uint64_t)c.seed, &s[0]));
  PetscCall(CreateFromScene(second, SEED + (uint64_t)c.seed, &s[1]));
  PetscCall(PCCreate(PETSC_COMM_SELF, &pc));
  PetscCall(PCSetType(pc, PCNEURAL));
  PetscCall(PCSetFromOptions(pc));
  begin = BenchNow();
  for (PetscInt k = 0; k < 3 || BenchSince(begin).s[BENCH_CPU] < c.repeat.least; k++) {
    start = BenchNow();
    PetscCall(PCSetOperators(pc, s[k % 2].A, s[k % 2].A));
    PetscCall(PCNeuralSetImage(pc, s[k % 2].dm, s[k % 2].labels));
    PetscCall(PCSetUp(pc));
    if (k > 0) change.Add(start);
  }
  PetscCall(BenchPrintSeconds("change", change.best));
  PetscCall(PCDestroy(&pc));
  for (System &one : s) PetscCall(DestroySystem(&one));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Products and applies take turns, so that both suffer alike from other programs */
static PetscErrorCode MeasureKernels(const Case &c, const System &s)
{
  PC           pc = nullptr;
  Vec          x;
  BenchSeconds start, begin;
  Least        first, mult, apply;

  PetscFunctionBegin;
  PetscCheck(s.scene.dim, PETSC_COMM_SELF, PETSC_ERR_SUP, "-bench_kernels needs a scene: leave -f out");
  PetscCall(VecDuplicate(s.b, &x));
  begin = BenchNow();
  do {
    PetscCall(PCDestroy(&pc));
    start = BenchNow();
    PetscCall(PCCreate(PETSC_COMM_SELF, &pc));
    PetscCall(PCSetOperators(pc, s.A, s.A));
    PetscCall(PCSetType(pc, PCNEURAL));
    PetscCall(PCNeuralSetImage(pc, s.dm, s.labels));
    PetscCall(PCNeuralSetPrecision(pc, PCNEURAL_PRECISION_SINGLE));
    PetscCall(PCSetFromOptions(pc));
    PetscCall(PCSetUp(pc));
    first.Add(start);
  } while (BenchSince(begin).s[BENCH_CPU] < c.repeat.least);
  begin = BenchNow();
  do {
    start = BenchNow();
    PetscCall(MatMult(s.A, s.b, x));
    mult.Add(start);
    start = BenchNow();
    PetscCall(PCApply(pc, s.b, x));
    apply.Add(start);
  } while (BenchSince(begin).s[BENCH_CPU] < c.repeat.least);
  PetscCall(BenchPrintNumber("runs", (double)apply.runs));
  PetscCall(BenchPrintSeconds("first", first.best));
  PetscCall(BenchPrintSeconds("mult", mult.best));
  PetscCall(BenchPrintSeconds("apply", apply.best));
  PetscCall(PCDestroy(&pc));
  PetscCall(VecDestroy(&x));
  PetscCall(MeasureChange(c, s.scene));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Run(const Case &c)
{
  System   s;
  MatInfo  mat;
  PetscInt rows, cells;

  PetscFunctionBegin;
  if (c.file[0]) {
    PetscCall(LoadFile(c.file, &s));
  } else {
    Scene scene;

    PetscCall(MakeScene(c, &scene));
    PetscCall(CreateFromScene(scene, SEED + (uint64_t)c.seed, &s));
  }
  PetscCall(MatGetInfo(s.A, MAT_LOCAL, &mat));
  PetscCall(MatGetSize(s.A, &rows, nullptr));
  PetscCall(VecGetSize(s.labels, &cells));
  PetscCall(BenchPrintNumber("cells", (double)cells));
  PetscCall(BenchPrintNumber("rows", (double)rows));
  PetscCall(BenchPrintNumber("nnz", mat.nz_used));
  PetscCall(BenchPrintNumber("singular", s.singular));
  if (c.kernels) {
    PetscCall(MeasureKernels(c, s));
  } else {
    /* Memory that the scene has left behind would hide what a solver needs */
#if defined(__GLIBC__)
    (void)malloc_trim(0);
#endif
    PetscCall(BenchSolverChoose(c.solver, (PetscBool)s.solid, (PetscBool)s.singular));
    PetscCall(BenchSolverMeasure(s.A, s.b, c.repeat, [&s](KSP ksp) { return Prepare(s, ksp); }));
  }
  PetscCall(DestroySystem(&s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  Case c;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Solvers of pressure equations", nullptr);
  PetscCall(PetscOptionsString("-f", "File with a system and its flags, instead of a scene", "", c.file, c.file, sizeof(c.file), nullptr));
  PetscCall(PetscOptionsString("-bench_scene", "Scene", "", c.scene, c.scene, sizeof(c.scene), nullptr));
  PetscCall(PetscOptionsInt("-bench_dim", "Dimensions", "", c.dim, &c.dim, nullptr));
  PetscCall(PetscOptionsInt("-bench_n", "Cells along each side", "", c.n, &c.n, nullptr));
  PetscCall(PetscOptionsInt("-bench_seed", "Number of the scene among those of its kind", "", c.seed, &c.seed, nullptr));
  PetscCall(PetscOptionsString("-bench_solver", "Set of options", "", c.solver, c.solver, sizeof(c.solver), nullptr));
  PetscCall(PetscOptionsBool("-bench_kernels", "An apply and a set-up instead of solves", "", c.kernels, &c.kernels, nullptr));
  PetscOptionsEnd();
  PetscCall(BenchRepeatFromOptions(&c.repeat));
  PetscCall(BenchKeepErrors());
  PetscCall(BenchPrintStatus(Run(c)));
  PetscCall(PetscFinalize());
  return 0;
}
