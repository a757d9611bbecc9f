static char help[] = "Trains a network to solve an inverse problem: it gets y and has to say for which x the solution of Poisson's equation is y. This follows the experiment with\n\
Poisson's equation of Holl, Koltun, Thuerey, Scale-invariant Learning by Physics Inversion, NeurIPS 2022, sections 3.5 and B.2. The same network is trained\n\
  - SIP: with x0 the answer of the network and y0 the solution for it, one step of an inverse solver, x0 - Laplacian (y0 - y), is what the network\n\
    should have answered; half the squared distance to it is the loss, by Adam,\n\
  - Adam, SGD: on half the squared distance of y0 to y, the gradient of which takes one more solve.\n\
Writes the learning curves and, for one y, the answers of the networks.\n\n\
  -da_grid_x <64>, -da_grid_y <48>  points of the grid, multiples of 2^(levels-1)\n\
  -levels <4>                   of the U-net\n\
  -width <8>                    channels of its layers\n\
  -batch <16>                   examples for a step, a multiple of 16\n\
  -steps <1200>                 of each training\n\
  -seconds <0>                  after which a training ends before; 0 is never\n\
  -sip_rate <1e-3>, -adam_rate <1e-3>, -sgd_rate <2e-4>  learning rates; that of SGD is multiplied by the square of the smallest eigenvalue\n\
                                of the Laplacian\n\
  -seed <0>                     of the random numbers\n\
  -monitor_steps <100>          after which a line is printed, with the seconds left; 0 is never\n\
  -picture <poisson_sip.png>    file for curves and answers\n\
  -test_gradient                compares the gradient of the network with finite differences, and does no more\n\n\
Options for the solver of Poisson's equation have the prefix physics_ (-physics_ksp_type, -physics_pc_type).\n\n";

/*
  The paper has 80 x 60 cells, 16 channels, batches of 128 and 12000 steps on a GPU; with -width 16 the network has its number of parameters, 37697. The
  normalizations take means and variances from the batch also when an answer is drawn. Pixels beyond the boundary are 0 for the convolutions, as y
  is for the Laplacian.
*/
#include "curves.h"
#include "network.h"
#include <petlap.h>
#include <petscdmda.h>
#include <petscksp.h>
#include <petsctime.h>

typedef enum { METHOD_SIP, METHOD_ADAM, METHOD_SGD, METHODS } Method;
static const char *const   Names[METHODS]      = {"SIP", "Adam", "SGD"};
static const unsigned char Colours[METHODS][3] = {{31, 119, 180}, {230, 110, 0}, {60, 150, 60}};

struct Problem {
  PetscInt    nx, ny, batch;
  Mat         A;   /* the Laplacian times -1, positive definite, y is 0 beyond the boundary */
  KSP         ksp; /* for A */
  PetscRandom random;
  Mat         x, y;                 /* what is looked for, and what the network gets: a column for each example */
  Mat         x0, y0, target, work; /* answers of the network, the solutions for them, what it should have answered */
};

/* How a training went: after each step the loss and the error of x, relative to x itself, both in this batch before the step */
struct History {
  std::vector<PetscReal>   loss, error;
  std::vector<PetscScalar> answer; /* for the example that is drawn */
  PetscLogDouble           seconds;
};

/* Levels of two convolutions each, down and up again, where each level sees what it was on the way down */
template <typename Real>
static PetscErrorCode CreateNetwork(PetscInt nx, PetscInt ny, PetscInt batch, PetscInt levels, PetscInt width, PetscInt seed, Network<Real> *network)
{
  std::vector<PetscInt> skip;

  PetscFunctionBeginUser;
  PetscCall(NetworkCreate(nx, ny, (PetscInt)1, batch, network));
  for (PetscInt level = 0; level < 2 * levels - 1; level++) {
    if (level >= levels) {
      PetscCall(NetworkAddUpsample(network, -1));
      skip.pop_back();
      PetscCall(NetworkAddConcatenation(network, -1, skip.back()));
    } else if (level > 0) {
      PetscCall(NetworkAddPool(network, -1));
    }
    for (PetscInt i = 0; i < 2; i++) {
      PetscCall(NetworkAddConvolution(network, -1, width, 1, PETSC_FALSE));
      PetscCall(NetworkAddNormalization(network, -1));
    }
    if (level < levels) skip.push_back((PetscInt)network->layers.size() - 1);
  }
  PetscCall(NetworkAddConvolution(network, -1, 1, 0, PETSC_FALSE));
  PetscCall(NetworkSetUp(network, seed));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The 5-point Laplacian times -1, on cells of unit size */
static PetscErrorCode AssembleLaplacian(DM dm, PetscInt nx, PetscInt ny, Mat *A)
{
  const PetscInt neighbours[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};

  PetscFunctionBeginUser;
  PetscCall(DMCreateMatrix(dm, A));
  PetscCall(MatSetOption(*A, MAT_SPD, PETSC_TRUE));
  for (PetscInt j = 0; j < ny; j++) {
    for (PetscInt i = 0; i < nx; i++) {
      MatStencil  row = {}, columns[5];
      PetscScalar entries[5];
      PetscInt    n = 1;

      row.i      = i;
      row.j      = j;
      columns[0] = row;
      entries[0] = 4.0;
      for (PetscInt d = 0; d < 4; d++) {
        columns[n]   = row;
        columns[n].i = i + neighbours[d][0];
        columns[n].j = j + neighbours[d][1];
        entries[n]   = -1.0;
        if (columns[n].i >= 0 && columns[n].i < nx && columns[n].j >= 0 && columns[n].j < ny) n++;
      }
      PetscCall(MatSetValuesStencil(*A, 1, &row, n, columns, entries, INSERT_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* P(x): the solutions y of Laplacian y = x. It is its own adjoint. */
static PetscErrorCode Solve(Problem *problem, Mat x, Mat y)
{
  PetscFunctionBeginUser;
  PetscCall(KSPMatSolve(problem->ksp, x, y));
  PetscCall(MatScale(y, -1.0));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Waves along one axis of n cells: at each point a cosine and a sine for each number of periods */
static std::vector<PetscReal> Waves(PetscInt n, PetscInt waves)
{
  std::vector<PetscReal> table((size_t)n * 2 * waves);

  for (PetscInt i = 0; i < n; i++) {
    for (PetscInt k = 0; k < waves; k++) {
      table[(2 * k) * n + i]     = PetscCosReal(2.0 * PETSC_PI * k * i / n);
      table[(2 * k + 1) * n + i] = PetscSinReal(2.0 * PETSC_PI * k * i / n);
    }
  }
  return table;
}

/* Random fields x of mean square 1, and the solutions for them: waves between 4 and 32 cells long, the amplitudes of which are normal and fall with the square of the frequency */
static PetscErrorCode Sample(Problem *problem)
{
  const PetscInt               nx = problem->nx, ny = problem->ny, kx = nx / 4 + 1, ky = ny / 4 + 1;
  const std::vector<PetscReal> across = Waves(nx, kx), down = Waves(ny, ky);
  std::vector<PetscReal>       row(nx);
  PetscScalar                 *x;
  PetscInt                     ld;

  PetscFunctionBeginUser;
  PetscCall(MatDenseGetLDA(problem->x, &ld));
  PetscCall(MatDenseGetArrayWrite(problem->x, &x));
  for (PetscInt b = 0; b < problem->batch; b++) {
    PetscScalar *field  = x + (size_t)b * ld;
    PetscReal    square = 0.0;

    std::fill(field, field + nx * ny, 0.0);
    for (PetscInt k = 0; k < 2 * ky; k++) {
      std::fill(row.begin(), row.end(), 0.0);
      for (PetscInt l = 0; l < kx; l++) {
        const PetscReal fx = (PetscReal)l / nx, fy = (PetscReal)(k / 2) / ny, frequency = fx * fx + fy * fy;
        PetscReal       u, v, size;

        if (frequency * 32.0 * 32.0 < 1.0 || frequency * 4.0 * 4.0 > 1.0) continue;
        /* Two independent normal numbers */
        PetscCall(PetscRandomGetValueReal(problem->random, &u));
        PetscCall(PetscRandomGetValueReal(problem->random, &v));
        size = PetscSqrtReal(-2.0 * PetscLogReal(1.0 - u)) / frequency;
        u    = size * PetscCosReal(2.0 * PETSC_PI * v);
        v    = size * PetscSinReal(2.0 * PETSC_PI * v);
        for (PetscInt i = 0; i < nx; i++) row[i] += u * across[2 * l * nx + i] + v * across[(2 * l + 1) * nx + i];
      }
      for (PetscInt j = 0; j < ny; j++) {
        for (PetscInt i = 0; i < nx; i++) field[j * nx + i] += down[k * ny + j] * row[i];
      }
    }
    for (PetscInt i = 0; i < nx * ny; i++) square += PetscRealPart(field[i] * field[i]);
    for (PetscInt i = 0; i < nx * ny; i++) field[i] *= PetscSqrtReal(nx * ny / square);
  }
  PetscCall(MatDenseRestoreArrayWrite(problem->x, &x));
  PetscCall(Solve(problem, problem->x, problem->y));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Columns of a matrix to examples of a layer, and back */
static PetscErrorCode PutExamples(Mat columns, float layer[])
{
  const PetscScalar *array;
  PetscInt           n, batch, ld;

  PetscFunctionBeginUser;
  PetscCall(MatGetSize(columns, &n, &batch));
  PetscCall(MatDenseGetLDA(columns, &ld));
  PetscCall(MatDenseGetArrayRead(columns, &array));
  for (PetscInt b = 0; b < batch; b++) {
    for (PetscInt i = 0; i < n; i++) layer[(size_t)i * batch + b] = (float)array[(size_t)b * ld + i];
  }
  PetscCall(MatDenseRestoreArrayRead(columns, &array));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode GetExamples(const float layer[], Mat columns)
{
  PetscScalar *array;
  PetscInt     n, batch, ld;

  PetscFunctionBeginUser;
  PetscCall(MatGetSize(columns, &n, &batch));
  PetscCall(MatDenseGetLDA(columns, &ld));
  PetscCall(MatDenseGetArrayWrite(columns, &array));
  for (PetscInt b = 0; b < batch; b++) {
    for (PetscInt i = 0; i < n; i++) array[(size_t)b * ld + i] = layer[(size_t)i * batch + b];
  }
  PetscCall(MatDenseRestoreArrayWrite(columns, &array));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Sum of the absolute values or of the squares of all entries */
static PetscErrorCode SumEntries(Mat columns, PetscBool square, PetscReal *sum)
{
  const PetscScalar *array;
  PetscInt           n, batch, ld;

  PetscFunctionBeginUser;
  *sum = 0.0;
  PetscCall(MatGetSize(columns, &n, &batch));
  PetscCall(MatDenseGetLDA(columns, &ld));
  PetscCall(MatDenseGetArrayRead(columns, &array));
  for (PetscInt b = 0; b < batch; b++) {
    for (PetscInt i = 0; i < n; i++) {
      const PetscReal a = PetscAbsScalar(array[(size_t)b * ld + i]);

      *sum += square ? a * a : a;
    }
  }
  PetscCall(MatDenseRestoreArrayRead(columns, &array));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The gradient of the loss with respect to the answers x0 of the network. */
static PetscErrorCode Physics(Problem *problem, Method method, PetscReal *loss, PetscReal *error, Mat gradient)
{
  PetscReal norm;

  PetscFunctionBeginUser;
  PetscCall(Solve(problem, problem->x0, problem->y0));
  PetscCall(MatAXPY(problem->y0, -1.0, problem->y, SAME_NONZERO_PATTERN));
  PetscCall(SumEntries(problem->y0, PETSC_TRUE, loss));
  *loss *= 0.5 / problem->batch;
  if (method == METHOD_SIP) {
    /* x~ = x0 - Laplacian (y0 - y) is held constant, and 1/2 |x0 - x~|^2 has the gradient x0 - x~ */
    PetscCall(MatMatMult(problem->A, problem->y0, MAT_REUSE_MATRIX, 1.0, &problem->target));
    PetscCall(MatAXPY(problem->target, 1.0, problem->x0, SAME_NONZERO_PATTERN));
    PetscCall(MatCopy(problem->x0, gradient, SAME_NONZERO_PATTERN));
    PetscCall(MatAXPY(gradient, -1.0, problem->target, SAME_NONZERO_PATTERN));
  } else {
    PetscCall(Solve(problem, problem->y0, gradient));
  }
  PetscCall(MatScale(gradient, 1.0 / problem->batch));
  PetscCall(MatAXPY(problem->x0, -1.0, problem->x, SAME_NONZERO_PATTERN));
  PetscCall(SumEntries(problem->x0, PETSC_FALSE, error));
  PetscCall(SumEntries(problem->x, PETSC_FALSE, &norm));
  *error /= norm;
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Train(Problem *problem, Method method, PetscInt seed, PetscInt steps, PetscReal seconds, PetscInt monitor, Network<float> *network, Optimizer<float> *optimizer, History *history)
{
  Layer<float>      &in = network->layers.front(), &out = network->layers.back();
  PetscLogDouble     start, now;
  const PetscScalar *array;

  PetscFunctionBeginUser;
  PetscCall(PetscRandomSetSeed(problem->random, (unsigned long)seed + 1));
  PetscCall(PetscRandomSeed(problem->random));
  PetscCall(PetscTime(&start));
  for (PetscInt step = 1; step <= steps; step++) {
    PetscReal loss, error;

    PetscCall(Sample(problem));
    PetscCall(PutExamples(problem->y, in.value));
    PetscCall(NetworkForward(network));
    PetscCall(GetExamples(out.value, problem->x0));
    PetscCall(Physics(problem, method, &loss, &error, problem->work));
    PetscCall(PutExamples(problem->work, out.gradient));
    PetscCall(NetworkBackward(network));
    PetscCall(OptimizerStep(optimizer, network));
    history->loss.push_back(loss);
    history->error.push_back(error);
    PetscCall(PetscTime(&now));
    history->seconds = now - start;
    if (monitor && step % monitor == 0) {
      const PetscReal left = (PetscReal)(history->seconds * (steps - step) / step);

      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-4s step %5" PetscInt_FMT "  loss %.3e  error of x %.3f  %.0f s left\n", Names[method], step, (double)loss, (double)error, (double)(seconds > 0.0 ? PetscMin(left, seconds - history->seconds) : left)));
    }
    if (seconds > 0.0 && history->seconds > seconds) break;
  }
  /* All draw the same example, the first of a batch that none has seen */
  PetscCall(PetscRandomSetSeed(problem->random, (unsigned long)seed + 1000000007));
  PetscCall(PetscRandomSeed(problem->random));
  PetscCall(Sample(problem));
  PetscCall(PutExamples(problem->y, in.value));
  PetscCall(NetworkForward(network));
  PetscCall(GetExamples(out.value, problem->x0));
  PetscCall(MatDenseGetArrayRead(problem->x0, &array));
  history->answer.assign(array, array + problem->nx * problem->ny);
  PetscCall(MatDenseRestoreArrayRead(problem->x0, &array));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Direct, with the solver for grids where there is one for these matrices; options may ask for another one */
static PetscErrorCode CreateSolver(Mat A, KSP *ksp)
{
  PC        pc;
  MatType   type;
  PetscBool known;

  PetscFunctionBeginUser;
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)A), ksp));
  PetscCall(KSPSetOptionsPrefix(*ksp, "physics_"));
  PetscCall(KSPSetOperators(*ksp, A, A));
  PetscCall(KSPSetType(*ksp, KSPPREONLY));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(PCSetType(pc, PCCHOLESKY));
  PetscCall(MatGetType(A, &type));
  PetscCall(MatSolverTypeGet("schwarzschur", type, MAT_FACTOR_CHOLESKY, nullptr, &known, nullptr));
  if (known) PetscCall(PCFactorSetMatSolverType(pc, "schwarzschur"));
  PetscCall(KSPSetErrorIfNotConverged(*ksp, PETSC_TRUE));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscCall(KSPSetUp(*ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Draw(Problem *problem, const History history[], const char filename[])
{
  const PetscInt     n = problem->nx * problem->ny, scale = PetscMax(180 / problem->nx, 1), field = problem->nx * scale + 12;
  const PetscInt     width = PetscMax(4 * field + 20, 640), curves = 340;
  Picture            picture;
  std::vector<Curve> errors;
  const PetscScalar *x;
  PetscReal          size = 0.0;

  PetscFunctionBeginUser;
  for (PetscInt m = 0; m < METHODS; m++) {
    Curve curve = {Names[m], {Colours[m][0], Colours[m][1], Colours[m][2]}, {}, CurvesSmooth(history[m].error, 64)};

    for (size_t i = 0; i < curve.y.size(); i++) curve.x.push_back((PetscReal)(i + 1));
    errors.push_back(curve);
  }
  PetscCall(CurvesCreate(width, curves + 30 + problem->ny * scale, &picture));
  PetscCall(CurvesDraw(&picture, 0, 0, width, curves, "relative error of x", "steps", PETSC_FALSE, errors));
  PetscCall(MatDenseGetArrayRead(problem->x, &x));
  for (PetscInt i = 0; i < n; i++) size = PetscMax(size, PetscAbsScalar(x[i]));
  PetscCall(CurvesDrawField(&picture, 10, curves + 5, scale, problem->nx, problem->ny, x, -size, size, "true x"));
  PetscCall(MatDenseRestoreArrayRead(problem->x, &x));
  for (PetscInt m = 0; m < METHODS; m++) PetscCall(CurvesDrawField(&picture, 10 + (m + 1) * field, curves + 5, scale, problem->nx, problem->ny, history[m].answer.data(), -size, size, Names[m]));
  PetscCall(CurvesFinish(&picture));
  PetscCall(PictureWrite(PETSC_COMM_WORLD, filename, &picture));
  PetscCall(PictureDestroy(&picture));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Problem     problem;
  History     history[METHODS];
  DM          dm;
  PetscInt    levels = 4, width = 8, steps = 1200, seed = 0, monitor = 100, coarse;
  PetscReal   seconds = 0.0, rates[METHODS] = {1e-3, 1e-3, 2e-4}, ahead, smallest;
  PetscBool   test = PETSC_FALSE;
  PetscMPIInt size;
  char        filename[PETSC_MAX_PATH_LEN] = "poisson_sip.png";

  problem.batch = 16;
  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Training for an inverse problem with Poisson's equation", nullptr);
  PetscCall(PetscOptionsInt("-levels", "Levels of the U-net", nullptr, levels, &levels, nullptr));
  PetscCall(PetscOptionsInt("-width", "Channels of its layers", nullptr, width, &width, nullptr));
  PetscCall(PetscOptionsInt("-batch", "Examples for a step", nullptr, problem.batch, &problem.batch, nullptr));
  PetscCall(PetscOptionsInt("-steps", "Steps of each training", nullptr, steps, &steps, nullptr));
  PetscCall(PetscOptionsReal("-seconds", "After which a training ends before", nullptr, seconds, &seconds, nullptr));
  PetscCall(PetscOptionsReal("-sip_rate", "Learning rate of SIP", nullptr, rates[METHOD_SIP], &rates[METHOD_SIP], nullptr));
  PetscCall(PetscOptionsReal("-adam_rate", "Learning rate of Adam", nullptr, rates[METHOD_ADAM], &rates[METHOD_ADAM], nullptr));
  PetscCall(PetscOptionsReal("-sgd_rate", "Learning rate of gradient descent", nullptr, rates[METHOD_SGD], &rates[METHOD_SGD], nullptr));
  PetscCall(PetscOptionsInt("-seed", "Of the random numbers", nullptr, seed, &seed, nullptr));
  PetscCall(PetscOptionsInt("-monitor_steps", "Steps between lines", nullptr, monitor, &monitor, nullptr));
  PetscCall(PetscOptionsString("-picture", "File for curves and answers", nullptr, filename, filename, sizeof(filename), nullptr));
  PetscCall(PetscOptionsBool("-test_gradient", "Compare with finite differences", nullptr, test, &test, nullptr));
  PetscOptionsEnd();
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCheck(size == 1, PETSC_COMM_WORLD, PETSC_ERR_WRONG_MPI_SIZE, "%d processes: this program runs on one", size);
  PetscCheck(levels >= 1 && levels <= 10, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-levels %" PetscInt_FMT ": must be from 1 to 10", levels);
  PetscCheck(width >= 1 && width <= 1024, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-width %" PetscInt_FMT ": must be from 1 to 1024", width);
  PetscCheck(problem.batch >= 16 && problem.batch % 16 == 0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-batch %" PetscInt_FMT ": must be a multiple of 16", problem.batch);
  PetscCheck(steps >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-steps %" PetscInt_FMT ": must be at least 1", steps);
  PetscCheck(seconds >= 0.0 && monitor >= 0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-seconds and -monitor_steps must not be negative");
  for (PetscInt m = 0; m < METHODS; m++) PetscCheck(rates[m] > 0.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-sip_rate, -adam_rate and -sgd_rate must be positive");

  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, 64, 48, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &dm));
  PetscCall(DMSetFromOptions(dm));
  PetscCall(DMSetUp(dm));
  PetscCall(DMDAGetInfo(dm, nullptr, &problem.nx, &problem.ny, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  coarse   = (PetscInt)1 << (levels - 1);
  smallest = 4.0 * PetscSqr(PetscSinReal(0.5 * PETSC_PI / (problem.nx + 1))) + 4.0 * PetscSqr(PetscSinReal(0.5 * PETSC_PI / (problem.ny + 1)));
  PetscCheck(problem.nx % coarse == 0 && problem.ny % coarse == 0, PETSC_COMM_WORLD, PETSC_ERR_ARG_SIZ, "-da_grid_x %" PetscInt_FMT " -da_grid_y %" PetscInt_FMT ": must be multiples of %" PetscInt_FMT " for -levels %" PetscInt_FMT, problem.nx,
             problem.ny, coarse, levels);
  if (test) {
    Network<double> network;
    PetscReal       difference;

    PetscCall(CreateNetwork(problem.nx, problem.ny, problem.batch, levels, width, seed, &network));
    PetscCall(NetworkTestGradient(&network, &difference));
    if (difference < 1e-5)
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%d parameters, the gradient agrees with finite differences\n", (int)network.parameters));
    else
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%d parameters, the gradient differs from finite differences by %g\n", (int)network.parameters, (double)difference));
    PetscCall(NetworkDestroy(&network));
    PetscCall(DMDestroy(&dm));
    PetscCall(PetscFinalize());
    return 0;
  }

  PetscCall(AssembleLaplacian(dm, problem.nx, problem.ny, &problem.A));
  PetscCall(CreateSolver(problem.A, &problem.ksp));
  PetscCall(PetscRandomCreate(PETSC_COMM_SELF, &problem.random));
  for (Mat *m : {&problem.x, &problem.y, &problem.x0, &problem.y0, &problem.work}) PetscCall(MatCreateDense(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, problem.nx * problem.ny, problem.batch, nullptr, m));
  for (Mat m : {problem.x, problem.y, problem.x0, problem.y0, problem.work}) {
    PetscCall(MatAssemblyBegin(m, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(m, MAT_FINAL_ASSEMBLY));
  }
  PetscCall(MatMatMult(problem.A, problem.x, MAT_INITIAL_MATRIX, 1.0, &problem.target));
  for (PetscInt m = 0; m < METHODS; m++) {
    Network<float>   network;
    Optimizer<float> optimizer;

    PetscCall(CreateNetwork(problem.nx, problem.ny, problem.batch, levels, width, seed, &network));
    if (m == 0)
      PetscCall(
        PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " x %" PetscInt_FMT " points, network of %d parameters, %" PetscInt_FMT " steps with %" PetscInt_FMT " examples each\n", problem.nx, problem.ny, (int)network.parameters, steps, problem.batch));
    PetscCall(OptimizerCreate(&network, m == METHOD_SGD ? OPTIMIZER_SGD : OPTIMIZER_ADAM, m == METHOD_SGD ? rates[m] * smallest * smallest : rates[m], &optimizer));
    PetscCall(Train(&problem, (Method)m, seed, steps, seconds, monitor, &network, &optimizer, &history[m]));
    PetscCall(OptimizerDestroy(&optimizer));
    PetscCall(NetworkDestroy(&network));
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "means over the last 64 steps:\n        loss        error of x  steps    seconds\n"));
  for (PetscInt m = 0; m < METHODS; m++) {
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-6s  %.3e  %.4f      %-6d  %6.1f\n", Names[m], (double)CurvesSmooth(history[m].loss, 64).back(), (double)CurvesSmooth(history[m].error, 64).back(), (int)history[m].error.size(), history[m].seconds));
  }
  ahead = CurvesSmooth(history[METHOD_ADAM].error, 64).back() / CurvesSmooth(history[METHOD_SIP].error, 64).back();
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "the error of x with SIP is that of Adam divided by %.2f\n", (double)ahead));
  PetscCall(Draw(&problem, history, filename));

  PetscCall(KSPDestroy(&problem.ksp));
  for (Mat *m : {&problem.A, &problem.x, &problem.y, &problem.x0, &problem.y0, &problem.target, &problem.work}) PetscCall(MatDestroy(m));
  PetscCall(PetscRandomDestroy(&problem.random));
  PetscCall(DMDestroy(&dm));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    args: -test_gradient -da_grid_x 16 -da_grid_y 8
    test:
      suffix: gradient
    test:
      suffix: gradient_paper
      args: -width 16

  test:
    suffix: learn
    args: -da_grid_x 24 -da_grid_y 16 -levels 3 -steps 250 -monitor_steps 0
    filter: sed -n -E -e "s/^SIP .+ 0[.][0-2][0-9]+ +250 .+/SIP error less than 0.3/p" -e "s/^Adam .+ 0[.][4-9][0-9]+ +250 .+/Adam error more than 0.4/p" -e "s/^SGD .+ 0[.][4-9][0-9]+ +250 .+/SGD error more than 0.4/p"

TEST*/
