static char help[] = "Trains the network of the neural Poisson preconditioner, on scenes that it makes up and on systems from files.\n\
  train -train_dim 3 -train_out poisson3d.h5\n\
Weights are written when the training ends; -train_steps 0 -train_init FILE only counts the iterations that given weights need.\n\n";

#include "curves.h"
#include "loss.h"
#include "symmetry.h"
#include "petlap.h"
#include "mat/compat/petscversion.h"
#include <algorithm>
#include <cmath>
#include <ctime>
#if defined(__GLIBC__)
  #include <malloc.h>
#endif

using namespace petlap;
using namespace petlap::training;

/* Scenes that are trained on, that decide when to stop, and that the final numbers come from have seeds of their own */
static const uint64_t HELDOUT = 2000000011, TEST = scenes::TestSeed;

struct Setting {
  Source                source;
  Loss                  loss;
  Shape                 shape;
  PetscBool             symmetry = PETSC_TRUE, monitor = PETSC_TRUE, test = PETSC_TRUE, check = PETSC_FALSE;
  PetscInt              steps = 0, pool = 24, visits = 12, group = 2, patience = 0, seeds = 3, every = 1;
  PetscReal             seconds = 0.0, rate = 4e-3, beta2 = 0.99, clip = 10.0, warmup = 0.03, target = 0.0;
  std::vector<PetscInt> heldout, sizes, box;
  char                  out[PETSC_MAX_PATH_LEN] = "", init[PETSC_MAX_PATH_LEN] = "", resume[PETSC_MAX_PATH_LEN] = "", checkpoint[PETSC_MAX_PATH_LEN] = "", table[PETSC_MAX_PATH_LEN] = "", picture[PETSC_MAX_PATH_LEN] = "";
};

/* All that goes on from one step to the next. Systems do not: they are made anew at the begin of each epoch, which is when a checkpoint is written. */
struct State {
  std::vector<double>   parameters, first, second, best; /* Adam's moments; parameters that needed the fewest iterations */
  PetscInt              step = 0, idle = 0;              /* evaluations since the best one */
  double                seconds = 0.0, loss = 1.0, length = 1.0, least = 1e300;
  std::vector<Progress> rows;
};

static double CpuSeconds()
{
  timespec t;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Replaces the list where the option is given; the option alone empties it */
static PetscErrorCode Sizes(CompatOptionItems PetscOptionsObject, const char option[], const char text[], std::vector<PetscInt> *sizes)
{
  PetscInt  values[64], count = 64;
  PetscBool set;

  PetscFunctionBegin;
  PetscCall(PetscOptionsIntArray(option, text, nullptr, values, &count, &set));
  if (set) sizes->assign(values, values + count);
  for (PetscInt N : *sizes) PetscCheck(N >= 4 && N <= 1024, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "%s: sizes are between 4 and 1024", option);
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode ReadOptions(Setting *set)
{
  Source   &source = set->source;
  char     *files[64];
  PetscInt  nfiles = 64;
  PetscBool pinned = PETSC_TRUE, affine = PETSC_FALSE, some, known;
  PetscInt  stages = 0;

  bool      three = true;
  PetscReal unit  = set->loss.unit;

  PetscFunctionBegin;
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Training of the neural preconditioner", nullptr);
  PetscCall(PetscOptionsInt("-train_dim", "Dimension, 2 or 3", nullptr, source.dim, &source.dim, nullptr));
  PetscCheck(source.dim == 2 || source.dim == 3, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-train_dim must be 2 or 3");
  three       = source.dim == 3;
  set->steps  = three ? 4000 : 12000;
  set->every  = three ? 4 : 10;
  source.life = three ? 12 : 16;
  stages      = three ? 2 : 3;
  PetscCall(PetscOptionsInt("-train_steps", "Steps of the optimizer", nullptr, set->steps, &set->steps, nullptr));
  PetscCall(PetscOptionsReal("-train_seconds", "CPU seconds to train, instead of a number of steps", nullptr, set->seconds, &set->seconds, nullptr));
  PetscCall(PetscOptionsInt("-train_seed", "Number that all scenes and right-hand sides follow from", nullptr, source.seed, &source.seed, nullptr));
  PetscCall(PetscOptionsEnum("-train_loss", "What is made small", nullptr, LossNames, (PetscEnum)set->loss.kind, (PetscEnum *)&set->loss.kind, nullptr));
  PetscCall(PetscOptionsReal("-train_unit", "How much the loss rel wants steps of length one", nullptr, unit, &unit, nullptr));
  PetscCall(PetscOptionsEnum("-train_metric", "Norm of the losses sip and sipn", nullptr, MetricNames, (PetscEnum)set->loss.metric, (PetscEnum *)&set->loss.metric, nullptr));
  PetscCall(PetscOptionsEnum("-train_sip", "Update of the losses sip and sipn: the exact solution, or what a KSP with the prefix train_sip_solver_ makes of the residual", nullptr, SipSolverNames, (PetscEnum)set->loss.solver,
                             (PetscEnum *)&set->loss.solver, nullptr));
  PetscCall(PetscOptionsEnum("-train_rhs", "Right-hand sides", nullptr, RhsNames, (PetscEnum)source.rhs, (PetscEnum *)&source.rhs, nullptr));
  PetscCall(PetscOptionsInt("-train_ritz", "Ritz vectors that the right-hand sides ritz are mixed from", nullptr, source.ritz, &source.ritz, nullptr));
  PetscCall(PetscOptionsInt("-train_life", "Steps of the solver that right-hand sides follow", nullptr, source.life, &source.life, nullptr));
  PetscCall(PetscOptionsInt("-train_mmax", "Directions that this solver keeps", nullptr, source.mmax, &source.mmax, nullptr));
  PetscCall(PetscOptionsInt("-train_stages", "Levels with numbers of their own; the last of them stands for all coarser ones but the coarsest", nullptr, stages, &stages, nullptr));
  PetscCall(PetscOptionsBool("-train_pinned", "Kernels see where there is any air, besides how much", nullptr, pinned, &pinned, nullptr));
  PetscCall(PetscOptionsBool("-train_affine", "The combination of levels depends on the image", nullptr, affine, &affine, nullptr));
  PetscCall(PetscOptionsBool("-train_symmetry", "Numbers that rotations and reflections carry into each other are the same", nullptr, set->symmetry, &set->symmetry, nullptr));
  PetscCall(PetscOptionsInt("-train_pool", "Systems of an epoch", nullptr, set->pool, &set->pool, nullptr));
  PetscCall(PetscOptionsInt("-train_visits", "Visits of each system in an epoch", nullptr, set->visits, &set->visits, nullptr));
  PetscCall(PetscOptionsInt("-train_group", "Systems of a step", nullptr, set->group, &set->group, nullptr));
  PetscCall(PetscOptionsReal("-train_rate", "Largest learning rate of Adam", nullptr, set->rate, &set->rate, nullptr));
  PetscCall(PetscOptionsReal("-train_beta2", "Adam's memory of squares", nullptr, set->beta2, &set->beta2, nullptr));
  PetscCall(PetscOptionsReal("-train_clip", "Largest norm of a derivative", nullptr, set->clip, &set->clip, nullptr));
  PetscCall(PetscOptionsReal("-train_warmup", "Share of the training in which the rate grows", nullptr, set->warmup, &set->warmup, nullptr));
  PetscCall(PetscOptionsReal("-train_oblong", "Share of the scenes with an axis of another length", nullptr, source.oblong, &source.oblong, nullptr));
  PetscCall(PetscOptionsReal("-train_bubbles", "Share of the scenes with isolated cells of air", nullptr, source.bubbles, &source.bubbles, nullptr));
  PetscCall(PetscOptionsReal("-train_margins", "Share of the scenes with layers of solid or air around them", nullptr, source.margins, &source.margins, nullptr));
  PetscCall(PetscOptionsStringArray("-train_files", "Systems with the dataset 'flags', see share/petlap/data", nullptr, files, &nfiles, &some));
  for (PetscInt k = 0; some && k < nfiles; k++) {
    source.files.push_back(files[k]);
    PetscCall(PetscFree(files[k]));
  }
  PetscCall(PetscOptionsInt("-train_every", "Epochs between evaluations on held-out scenes", nullptr, set->every, &set->every, nullptr));
  PetscCall(PetscOptionsInt("-train_patience", "Stop after so many evaluations without progress; 0: never", nullptr, set->patience, &set->patience, nullptr));
  PetscCall(PetscOptionsReal("-train_target", "Stop when held-out scenes need no more iterations than this", nullptr, set->target, &set->target, nullptr));
  PetscCall(PetscOptionsBool("-train_monitor", "Print the progress", nullptr, set->monitor, &set->monitor, nullptr));
  PetscCall(PetscOptionsBool("-train_check", "Compare derivatives with differences, and end", nullptr, set->check, &set->check, nullptr));
  PetscCall(PetscOptionsBool("-train_test", "Count iterations on test scenes at the end", nullptr, set->test, &set->test, nullptr));
  PetscCall(PetscOptionsInt("-train_test_seeds", "Test scenes of each class and size", nullptr, set->seeds, &set->seeds, nullptr));
  PetscCall(PetscOptionsString("-train_out", "Weight file to write", nullptr, set->out, set->out, sizeof(set->out), nullptr));
  PetscCall(PetscOptionsString("-train_init", "Weight file to begin with", nullptr, set->init, set->init, sizeof(set->init), nullptr));
  PetscCall(PetscOptionsString("-train_checkpoint", "File that keeps the state of the training at the begin of each epoch", nullptr, set->checkpoint, set->checkpoint, sizeof(set->checkpoint), nullptr));
  PetscCall(PetscOptionsString("-train_resume", "Checkpoint to go on from, with otherwise the same options", nullptr, set->resume, set->resume, sizeof(set->resume), nullptr));
  PetscCall(PetscOptionsString("-train_table", "CSV file for the progress", nullptr, set->table, set->table, sizeof(set->table), nullptr));
  PetscCall(PetscOptionsString("-train_picture", "SVG file for the progress", nullptr, set->picture, set->picture, sizeof(set->picture), nullptr));
  source.sizes = three ? std::vector<PetscInt>{24, 32, 32, 48, 64} : std::vector<PetscInt>{32, 48, 64, 64, 96, 128};
  set->heldout = three ? std::vector<PetscInt>{32, 64} : std::vector<PetscInt>{64, 128};
  set->sizes   = three ? std::vector<PetscInt>{32, 64} : std::vector<PetscInt>{64, 128, 256};
  PetscCall(Sizes(PetscOptionsObject, "-train_sizes", "Cells along the axes of scenes", &source.sizes));
  PetscCall(Sizes(PetscOptionsObject, "-train_heldout_sizes", "Sizes of the held-out scenes", &set->heldout));
  PetscCall(Sizes(PetscOptionsObject, "-train_test_sizes", "Sizes of the test scenes", &set->sizes));
  PetscCall(Sizes(PetscOptionsObject, "-train_test_box", "Cells along each axis of a further grid of test scenes", &set->box));
  PetscOptionsEnd();
  PetscCheck(set->box.empty() || (PetscInt)set->box.size() == source.dim, PETSC_COMM_WORLD, PETSC_ERR_ARG_SIZ, "-train_test_box wants a size for each axis");
  PetscCall(PetscOptionsHasName(nullptr, nullptr, "-train_sizes", &known));
  /* Who names files and no sizes wants no scenes */
  if (!source.files.empty() && !known) source.sizes.clear();
  PetscCheck(!source.sizes.empty() || !source.files.empty(), PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "There is nothing to learn from: give -train_sizes or -train_files");
  PetscCheck(set->group > 0 && set->pool > 0 && set->visits > 0 && set->pool % set->group == 0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-train_pool must be a multiple of -train_group, and -train_visits positive");
  PetscCheck(stages >= 1 && stages <= 16, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-train_stages must be 1, ..., 16");
  PetscCheck(source.life >= 1 && source.mmax >= 0 && source.ritz >= 2 && set->every >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-train_life and -train_every must be positive, -train_mmax not negative and -train_ritz at least 2");
  set->loss.unit    = unit;
  set->shape.dim    = (int)source.dim;
  set->shape.stages = (int)stages;
  set->shape.pinned = pinned;
  set->shape.affine = affine;
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The sum of the derivatives of the columns of one system goes to derivative, that of the losses to loss, and of the best step lengths to length */
static PetscErrorCode Visit(const Setting &set, const std::vector<double> &numbers, Sample &sample, double weight, double derivative[], double *loss, double *length)
{
  const size_t n = sample.problem.n;
  Block        r, d(n * BATCH), Ad(n * BATCH), x, g;
  Dots         re, value, scale;

  PetscFunctionBegin;
  sample.Residual(r, &re);
  sample.P->SetNumbers(set.shape, numbers);
  sample.P->ApplyBatch(r.data(), d.data());
  sample.problem.Multiply(d.data(), Ad.data());
  PetscCall(set.loss.Target(sample, r, d, Ad, x));
  set.loss.Evaluate(sample, r, re, d, Ad, x, &value, g);
  for (double &v : scale.v) v = weight;
  Scale(n, scale, g.data());
  sample.P->AddGradient(g.data(), derivative);
  const Dots rd = Dot(n, r.data(), d.data()), q = Dot(n, d.data(), Ad.data());
  for (int b = 0; b < BATCH; b++) {
    *loss += weight * value.v[b];
    *length += weight * (q.v[b] > 0.0 ? rd.v[b] / q.v[b] : 1.0);
  }
  sample.Advance(r, re, d, Ad);
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Iterations of the classes from first on, each with some seeds, shared out over the processes */
static PetscErrorCode Count(const Setting &set, const std::vector<double> &numbers, const int n[3], uint64_t firstseed, int seeds, double bubbles, std::vector<double> *mean, std::vector<double> *most)
{
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  mean->assign(scenes::NCLASSES, 0.0);
  most->assign(scenes::NCLASSES, 0.0);
  for (int kind = 0; kind < scenes::NCLASSES; kind++) {
    for (int seed = 0; seed < seeds; seed++) {
      scenes::Options options;

      if ((kind * seeds + seed) % size != rank || (bubbles > 0.0 && kind != scenes::SPLASH)) continue;
      options.bubbles = bubbles;
      const Problem       problem(scenes::MakeScene(set.shape.dim, n, (scenes::Class)kind, firstseed + seed, options));
      std::vector<double> b(problem.n);
      Preconditioner      P(Preconditioner::ONE, set.shape.dim, n, problem.scene.cell.data());
      scenes::Divergence(problem.scene, firstseed + seed, 1, b.data());
      P.SetNumbers(set.shape, numbers);
      const double its = Iterations(problem, P, 2, 1e-6, 300, b);
      (*mean)[kind] += its / seeds;
      (*most)[kind] = std::max((*most)[kind], its);
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, mean->data(), scenes::NCLASSES, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, most->data(), scenes::NCLASSES, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A grid of N cells along all axes */
struct Cube {
  int n[3];

  Cube(int dim, PetscInt N) : n{(int)N, dim == 3 ? (int)N : 1, (int)N} {}
};

/* The mean over the measured classes */
static double Mean(const std::vector<double> &its)
{
  double sum = 0.0;

  for (int kind = 0; kind < scenes::NMEASURED; kind++) sum += its[kind] / scenes::NMEASURED;
  return sum;
}

static PetscErrorCode HeldOut(const Setting &set, const std::vector<double> &numbers, double *iterations)
{
  std::vector<double> mean, most;

  PetscFunctionBegin;
  *iterations = 0.0;
  for (PetscInt N : set.heldout) {
    PetscCall(Count(set, numbers, Cube(set.shape.dim, N).n, HELDOUT, 1, 0.0, &mean, &most));
    *iterations += Mean(mean) / (double)set.heldout.size();
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Test(const Setting &set, const std::vector<double> &numbers, std::string *quality)
{
  std::vector<double> mean, most, bubbly, mostbubbly;

  PetscFunctionBegin;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "Iterations of psdo to 1e-6, means of %" PetscInt_FMT " scenes (most)\n       size   mean", set.seeds));
  for (const char *name : scenes::ClassNames) PetscCall(PetscPrintf(PETSC_COMM_WORLD, " %11s", name));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "     bubbles\n"));
  std::vector<Cube> grids;
  for (PetscInt N : set.sizes) grids.push_back(Cube(set.shape.dim, N));
  if (!set.box.empty()) {
    grids.push_back(Cube(set.shape.dim, set.box[0]));
    for (int a = 1; a < set.shape.dim; a++) grids.back().n[set.shape.dim == 3 ? a : 2] = (int)set.box[a];
  }
  for (const Cube &grid : grids) {
    const int *n = grid.n;
    char       text[64];

    PetscCall(Count(set, numbers, n, TEST, (int)set.seeds, 0.0, &mean, &most));
    PetscCall(Count(set, numbers, n, TEST, (int)set.seeds, 0.01, &bubbly, &mostbubbly));
    mean.push_back(bubbly[scenes::SPLASH]);
    most.push_back(mostbubbly[scenes::SPLASH]);
    const std::string name = std::to_string(n[0]) + (n[0] == n[2] ? "" : (set.shape.dim == 3 ? "x" + std::to_string(n[1]) : "") + "x" + std::to_string(n[2]));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%11s %6.2f", name.c_str(), Mean(mean)));
    for (size_t k = 0; k < mean.size(); k++) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  %5.1f (%2.0f)", mean[k], most[k]));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
    snprintf(text, sizeof(text), "%s%s: %.2f", quality->empty() ? "" : ", ", name.c_str(), Mean(mean));
    *quality += text;
  }
  for (const std::string &file : set.source.files) {
    Problem             problem;
    std::vector<double> b;

    PetscCall(LoadProblem(file.c_str(), &problem, &b));
    Preconditioner P(Preconditioner::ONE, problem.scene.dim, problem.scene.n, problem.scene.cell.data());
    P.SetNumbers(set.shape, numbers);
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %d\n", file.c_str(), Iterations(problem, P, 2, 1e-6, 300, b)));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Derivatives in double precision against central differences, along a random direction */
static PetscErrorCode Check(const Setting &given, const Parameters &map, std::vector<double> parameters)
{
  Setting        set = given;
  scenes::Random random((uint64_t)set.source.seed, 77);

  PetscFunctionBegin;
  set.source.exact = true;
  /* Where no two numbers are the same any more */
  for (double &v : parameters) v += 0.02 * random.normal();
  for (PetscInt k = 0; k < 4; k++) {
    Sample              sample(set.source);
    const auto          numbers = map.Numbers(parameters);
    std::vector<double> derivative(numbers.size(), 0.0), direction(parameters.size());
    double              along = 0.0, difference = 0.0, total[2];
    const double        h = 1e-5;

    PetscCall(sample.Make(0, k, set.shape, numbers));
    const size_t n = sample.problem.n;
    Block        r, d(n * BATCH), Ad(n * BATCH), x, g, unused;
    Dots         re, value;
    sample.Residual(r, &re);
    sample.P->SetNumbers(set.shape, numbers);
    sample.P->ApplyBatch(r.data(), d.data());
    sample.problem.Multiply(d.data(), Ad.data());
    PetscCall(set.loss.Target(sample, r, d, Ad, x));
    set.loss.Evaluate(sample, r, re, d, Ad, x, &value, g);
    sample.P->AddGradient(g.data(), derivative.data());
    const std::vector<double> sums = map.Sum(derivative);
    for (size_t i = 0; i < direction.size(); i++) {
      direction[i] = random.normal();
      along += direction[i] * sums[i];
    }
    for (int side = 0; side < 2; side++) {
      std::vector<double> moved(parameters);

      for (size_t i = 0; i < moved.size(); i++) moved[i] += (side ? h : -h) * direction[i];
      sample.P->SetNumbers(set.shape, map.Numbers(moved));
      sample.P->ApplyBatch(r.data(), d.data());
      sample.problem.Multiply(d.data(), Ad.data());
      set.loss.Evaluate(sample, r, re, d, Ad, x, &value, unused);
      /* What the loss holds constant does not move: the size of the target of sipn stays that of x */
      total[side] = 0.0;
      for (double v : value.v) total[side] += v;
    }
    difference         = (total[1] - total[0]) / (2.0 * h);
    const double error = std::abs(difference - along) / std::max(std::abs(along), 1e-300);
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: derivative %.8e, difference quotient %.8e, they differ by %.1e\n", sample.name.c_str(), along, difference, error));
    PetscCheck(error < 1e-4, PETSC_COMM_WORLD, PETSC_ERR_PLIB, "The derivative of the loss %s is wrong", LossNames[set.loss.kind]);
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Vectors of a checkpoint one after the other, in PETSc's binary format */
static PetscErrorCode Transfer(PetscViewer viewer, bool write, std::vector<double> *v)
{
  PetscInt n = (PetscInt)v->size();

  PetscFunctionBegin;
  if (write) {
    PetscCall(PetscViewerBinaryWrite(viewer, &n, 1, PETSC_INT));
    PetscCall(PetscViewerBinaryWrite(viewer, v->data(), n, PETSC_DOUBLE));
  } else {
    PetscCall(PetscViewerBinaryRead(viewer, &n, 1, nullptr, PETSC_INT));
    PetscCheck(n >= 0 && n < 100000000, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "The checkpoint is damaged");
    v->resize(n);
    PetscCall(PetscViewerBinaryRead(viewer, v->data(), n, nullptr, PETSC_DOUBLE));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Checkpoint(const Setting &set, bool write, const char file[], State *state)
{
  PetscViewer         viewer;
  PetscMPIInt         rank;
  const std::string   fresh = std::string(file) + (write ? ".part" : "");
  const size_t        n     = state->parameters.size();
  std::vector<double> made  = {19750101.0, (double)set.shape.dim, (double)set.shape.stages, (double)set.shape.pinned, (double)set.shape.affine, (double)set.symmetry, (double)set.source.seed, (double)set.pool, (double)set.visits, (double)set.group},
                      found = made, rest, rows;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (write && rank) PetscFunctionReturn((PetscErrorCode)0);
  rest = {(double)state->step, (double)state->idle, state->seconds, state->loss, state->length, state->least};
  for (const Progress &p : state->rows) rows.insert(rows.end(), {(double)p.step, p.seconds, p.loss, p.rate, p.iterations});
  PetscCall(PetscViewerBinaryOpen(PETSC_COMM_SELF, fresh.c_str(), write ? FILE_MODE_WRITE : FILE_MODE_READ, &viewer));
  PetscCall(Transfer(viewer, write, &found));
  PetscCheck(found == made, PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP,
             "%s is no checkpoint of this training: use the same -train_dim, -train_stages, -train_pinned, -train_affine, -train_symmetry, -train_seed, -train_pool, -train_visits and -train_group", file);
  for (std::vector<double> *v : {&state->parameters, &state->first, &state->second, &state->best, &rest, &rows}) PetscCall(Transfer(viewer, write, v));
  PetscCall(PetscViewerDestroy(&viewer));
  if (write) {
    PetscCheck(rename(fresh.c_str(), file) == 0, PETSC_COMM_SELF, PETSC_ERR_FILE_WRITE, "%s cannot be written", file);
    PetscFunctionReturn((PetscErrorCode)0);
  }
  PetscCheck(state->parameters.size() == n && state->first.size() == n && state->second.size() == n && state->best.size() == n && rest.size() == 6 && rows.size() % 5 == 0, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s is damaged", file);
  state->step    = (PetscInt)rest[0];
  state->idle    = (PetscInt)rest[1];
  state->seconds = rest[2];
  state->loss    = rest[3];
  state->length  = rest[4];
  state->least   = rest[5];
  state->rows.clear();
  for (size_t k = 0; k < rows.size(); k += 5) state->rows.push_back({(PetscInt)rows[k], rows[k + 1], rows[k + 2], rows[k + 3], rows[k + 4]});
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Adam */
static void Update(const Setting &set, const std::vector<double> &derivative, double rate, State *state)
{
  double norm = 0.0;

  for (double v : derivative) norm += v * v;
  norm                 = std::sqrt(norm);
  const double shorter = norm > set.clip ? set.clip / norm : 1.0, k = (double)++state->step;
  for (size_t i = 0; i < derivative.size(); i++) {
    const double g   = shorter * derivative[i];
    state->first[i]  = 0.9 * state->first[i] + 0.1 * g;
    state->second[i] = set.beta2 * state->second[i] + (1.0 - set.beta2) * g * g;
    state->parameters[i] -= rate * state->first[i] / (1.0 - std::pow(0.9, k)) / (std::sqrt(state->second[i] / (1.0 - std::pow(set.beta2, k))) + 1e-8);
  }
}

static PetscErrorCode Train(const Setting &set, const Parameters &map, State *state)
{
  const double                         begin = CpuSeconds() - state->seconds;
  const PetscInt                       epoch = set.pool / set.group * set.visits;
  std::vector<std::unique_ptr<Sample>> pool(set.pool);
  PetscMPIInt                          rank, size;
  double                               sum[2] = {0.0, 0.0};
  PetscInt                             summed = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  for (const PetscInt resumed = state->step;;) {
    const bool first = state->step % epoch == 0;

    /* Processes must agree on when to end */
    state->seconds = CpuSeconds() - begin;
    PetscCallMPI(MPI_Bcast(&state->seconds, 1, MPI_DOUBLE, 0, PETSC_COMM_WORLD));
    const double              done    = set.seconds > 0.0 ? state->seconds / set.seconds : set.steps > 0 ? (double)state->step / (double)set.steps : 1.0;
    const std::vector<double> numbers = map.Numbers(state->parameters);
    if ((first || done >= 1.0) && state->step > 0 && (state->step > resumed || done >= 1.0)) {
      double its = 0.0;

      if (state->step / epoch % set.every == 0 || done >= 1.0) {
        PetscCall(HeldOut(set, numbers, &its));
        state->idle = its < state->least ? 0 : state->idle + 1;
        /* Of equals the last one has learned most */
        if (its <= state->least) {
          state->least = its;
          state->best  = state->parameters;
        }
        const double left = set.seconds > 0.0 ? set.seconds - state->seconds : state->seconds * (1.0 / std::max(done, 1e-3) - 1.0);
        if (set.monitor) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "step %6" PetscInt_FMT "  loss %.4f  iterations %6.2f  step length %.3f  %.0f s, %.0f s left\n", state->step, state->loss, its, state->length, state->seconds, std::max(0.0, left)));
        state->rows.push_back({state->step, state->seconds, state->loss, 0.0, its});
      }
      if (done >= 1.0 || (set.patience && state->idle >= set.patience) || (its > 0.0 && its <= set.target)) break;
      if (set.checkpoint[0]) PetscCall(Checkpoint(set, true, set.checkpoint, state));
    }
    if (done >= 1.0) break;
    if (first) {
      for (PetscInt k = 0; k < set.pool; k++) {
        if (k % size != rank) continue;
        pool[k].reset(new Sample(set.source));
        PetscCall(pool[k]->Make((uint64_t)(state->step / epoch), k, set.shape, numbers));
      }
    }
    std::vector<double> derivative(numbers.size(), 0.0), all;
    double              loss = 0.0, length = 0.0;
    for (PetscInt s = 0; s < set.group; s++) {
      const PetscInt k = (state->step * set.group + s) % set.pool;

      if (k % size == rank) PetscCall(Visit(set, numbers, *pool[k], 1.0 / (double)(BATCH * set.group), derivative.data(), &loss, &length));
    }
    all = map.Sum(derivative);
    all.push_back(loss);
    all.push_back(length);
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, all.data(), (PetscMPIInt)all.size(), MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
    length = all.back();
    all.pop_back();
    loss = all.back();
    all.pop_back();
    PetscCheck(std::isfinite(loss), PETSC_COMM_WORLD, PETSC_ERR_FP, "The loss is not a number after %" PetscInt_FMT " steps: use a smaller -train_rate", state->step);
    const double rate = set.rate * std::min(1.0, set.warmup > 0.0 ? (done + 1e-4) / set.warmup : 1.0) * 0.5 * (1.0 + std::cos(PETSC_PI * done));
    Update(set, all, rate, state);
    state->loss += (state->step == 1 ? 1.0 : 0.02) * (loss - state->loss);
    state->length += (state->step == 1 ? 1.0 : 0.02) * (length - state->length);
    sum[0] += loss;
    if (++summed == 20) {
      state->rows.push_back({state->step, state->seconds, sum[0] / 20.0, rate, 0.0});
      sum[0] = 0.0;
      summed = 0;
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The output gets the size that is best on average. Only the first stage combines the finest level, so its affine blocks can do it, unless it serves others too. */
static void Calibrate(const Shape &shape, double length, std::vector<double> *numbers)
{
  const size_t K = shape.window(), convolution = K + (shape.pinned ? 3 : 2) * K * K, affine = 1 + (shape.affine ? 2 * K : 0);

  if (shape.stages < 2) return;
  for (size_t i = 0; i < 2 * affine; i++) (*numbers)[2 * convolution + i] *= length;
}

int main(int argc, char **argv)
{
  Setting     set;
  State       state;
  std::string command, quality, error;
  PetscMPIInt rank, processes;

  for (int k = 0; k < argc; k++) command += (k ? " " : "") + std::string(k ? argv[k] : "train");
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
#if defined(__GLIBC__)
  /* Systems come and go, and their memory can be used again */
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
  PetscCall(PetlapInitialize());
  PetscCall(ReadOptions(&set));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &processes));

  std::vector<double> numbers;
  if (set.init[0]) {
    PetscCheck(Load(set.init, &set.shape, &numbers, &error), PETSC_COMM_WORLD, PETSC_ERR_FILE_UNEXPECTED, "%s", error.c_str());
    PetscCheck(set.shape.dim == (int)set.source.dim, PETSC_COMM_WORLD, PETSC_ERR_ARG_INCOMP, "%s is for %d dimensions: use -train_dim %d", set.init, set.shape.dim, set.shape.dim);
  } else {
    numbers = InitialNumbers(set.shape);
  }
  const Parameters map(set.shape, set.symmetry);
  state.parameters = state.best = map.Mean(numbers);
  state.first.assign(map.count, 0.0);
  state.second.assign(map.count, 0.0);
  if (set.resume[0]) PetscCall(Checkpoint(set, false, set.resume, &state));
  if (set.check) {
    PetscCall(Check(set, map, state.parameters));
    PetscCall(PetscFinalize());
    return 0;
  }
  if (set.monitor) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%d parameters for %d numbers, %d processes\n", map.count, (int)map.of.size(), (int)processes));
  PetscCall(Train(set, map, &state));
  if (state.step > 0) {
    numbers = map.Numbers(state.best);
    Calibrate(set.shape, state.length, &numbers);
  }
  if (set.test) PetscCall(Test(set, numbers, &quality));
  if (rank == 0) {
    if (set.out[0]) {
      char                                             text[64];
      std::vector<std::pair<std::string, std::string>> provenance;

      provenance.push_back({"command", command});
      snprintf(text, sizeof(text), "%d", (int)set.source.seed);
      provenance.push_back({"seed", text});
      snprintf(text, sizeof(text), "%d", (int)state.step);
      provenance.push_back({"steps", text});
      snprintf(text, sizeof(text), "%.0f", state.seconds);
      provenance.push_back({"CPU seconds", text});
      snprintf(text, sizeof(text), "%d.%d.%d", PETLAP_VERSION_MAJOR, PETLAP_VERSION_MINOR, PETLAP_VERSION_SUBMINOR);
      provenance.push_back({"petlap", text});
      provenance.push_back({"quality", quality.empty() ? "not measured" : "mean iterations of psdo to 1e-6 by size: " + quality});
      PetscCheck(Save(set.shape, numbers, set.out, provenance, &error), PETSC_COMM_SELF, PETSC_ERR_FILE_WRITE, "%s", error.c_str());
    }
    if (set.table[0]) PetscCall(WriteTable(state.rows, set.table));
    if (set.picture[0]) PetscCall(WritePicture(state.rows, std::string("Training in ") + (set.shape.dim == 3 ? "three" : "two") + " dimensions, loss " + LossNames[set.loss.kind], set.picture));
  }
  PetscCall(PetscFinalize());
  return 0;
}
