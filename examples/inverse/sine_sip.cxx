static char help[] = "Trains a network to invert a function of two variables whose conditioning can be chosen: it gets y and has to find x with P(x) = y. This follows the\n\
characterization of Holl, Koltun, Thuerey, Scale-invariant Learning by Physics Inversion, NeurIPS 2022, sections 3.4 and B.1. For every xi the same network is trained\n\
  - SIP: one step of saddle-free Newton from the answer x0 of the network is what it should have answered; half the squared distance to it is the loss,\n\
    by Adam,\n\
  - Adam, SGD: on half the squared distance of P(x0) to y.\n\
Writes how the error of x depends on xi, and the learning curves for the last xi.\n\n\
  -xi <1,2,4,8,16,32>           conditionings, in increasing order\n\
  -phi <45>                     angle in degrees that couples the two variables\n\
  -gamma <10>                   scale of the variables\n\
  -batch <96>                   examples for a step, a multiple of 16\n\
  -steps <20000>                of each training\n\
  -seconds <0>                  after which a training ends before; 0 is never\n\
  -sip_rate <1e-3>, -adam_rate <1e-3>, -sgd_rate <1e-2>  learning rates; that of SGD is divided by xi^2\n\
  -seed <0>                     of the random numbers\n\
  -monitor_steps <10000>        after which a line is printed, with the seconds left of this training; 0 is never\n\
  -picture <sine_sip.png>       file for the curves\n\
  -test_gradient                compares the gradients of the network and of the loss with finite differences, and does no more\n\n";

/*
  P(x) = (sin(x1 / xi), xi x2) of x rotated by phi and times gamma. The paper prints sin(x1) / xi, which could reach only few y between -1 and 1;
  that the range of the solutions is proportional to xi, as it says, holds for the form here. Its batches have 100 examples, it trains for ten minutes each, and it leaves open how long a
  step of Newton's method may be where the curvature is small.
*/
#include "curves.h"
#include "network.h"
#include <petlap.h>
#include <petsctime.h>
#include <cmath>

typedef enum { METHOD_SIP, METHOD_ADAM, METHOD_SGD, METHODS } Method;
static const char *const   Names[METHODS]      = {"SIP", "Adam", "SGD"};
static const unsigned char Colours[METHODS][3] = {{31, 119, 180}, {230, 110, 0}, {60, 150, 60}};

struct Problem {
  PetscReal xi, cosine, sine, gamma;
};

/* The loss 1/2 |P(x) - y|^2, its gradient and its Hessian, of which the entries are xx, xy, yy */
static PetscReal Loss(const Problem &problem, const PetscReal x[2], const PetscReal y[2], PetscReal gradient[2], PetscReal hessian[3])
{
  const PetscReal first[2]  = {problem.gamma / problem.xi * problem.cosine, -problem.gamma / problem.xi * problem.sine};
  const PetscReal second[2] = {problem.gamma * problem.xi * problem.sine, problem.gamma * problem.xi * problem.cosine};
  const PetscReal a = first[0] * x[0] + first[1] * x[1], slope = PetscCosReal(a);
  const PetscReal r[2] = {PetscSinReal(a) - y[0], second[0] * x[0] + second[1] * x[1] - y[1]}, curvature = slope * slope - r[0] * PetscSinReal(a);

  for (PetscInt i = 0; i < 2; i++) gradient[i] = r[0] * slope * first[i] + r[1] * second[i];
  hessian[0] = curvature * first[0] * first[0] + second[0] * second[0];
  hessian[1] = curvature * first[0] * first[1] + second[0] * second[1];
  hessian[2] = curvature * first[1] * first[1] + second[1] * second[1];
  return 0.5 * (r[0] * r[0] + r[1] * r[1]);
}

/* Downhill along both eigenvectors of the Hessian, as far as Newton's method would go. Where the curvature is small that is too far: it would promise to lower the loss by
   slope^2 / (2 curvature), and the loss cannot fall below 0. */
static void SaddleFreeNewton(PetscReal loss, const PetscReal g[2], const PetscReal h[3], PetscReal update[2])
{
  const PetscReal angle = 0.5 * std::atan2(2.0 * h[1], h[0] - h[2]), c = PetscCosReal(angle), s = PetscSinReal(angle);
  const PetscReal vectors[2][2] = {{c, s}, {-s, c}};

  update[0] = update[1] = 0.0;
  for (const PetscReal *v : vectors) {
    const PetscReal curvature = PetscAbsReal(v[0] * v[0] * h[0] + 2.0 * v[0] * v[1] * h[1] + v[1] * v[1] * h[2]), slope = v[0] * g[0] + v[1] * g[1];
    const PetscReal step = slope * slope > 2.0 * loss * curvature ? -2.0 * loss / slope : (curvature > 0.0 ? -slope / curvature : 0.0);

    update[0] += step * v[0];
    update[1] += step * v[1];
  }
}

/* Distance to the closest of all solutions */
static PetscReal Distance(const Problem &problem, const PetscReal x[2], const PetscReal y[2])
{
  const PetscReal a = problem.gamma / problem.xi * (problem.cosine * x[0] - problem.sine * x[1]), b = problem.gamma * problem.xi * (problem.sine * x[0] + problem.cosine * x[1]);
  const PetscReal angle = std::asin(y[0]), rising = std::remainder(a - angle, 2.0 * PETSC_PI), falling = std::remainder(a - PETSC_PI + angle, 2.0 * PETSC_PI);

  return std::hypot(PetscMin(PetscAbsReal(rising), PetscAbsReal(falling)) * problem.xi, (b - y[1]) / problem.xi) / problem.gamma;
}

struct History {
  std::vector<PetscReal> loss, error; /* the error is the mean distance to a solution, divided by xi */
  PetscLogDouble         seconds;
};

/* Fully connected layers of 32, 64 and 32 with rectifiers */
template <typename Real>
static PetscErrorCode CreateNetwork(PetscInt batch, PetscInt seed, Network<Real> *network)
{
  PetscFunctionBeginUser;
  PetscCall(NetworkCreate((PetscInt)1, (PetscInt)1, (PetscInt)2, batch, network));
  for (PetscInt width : {32, 64, 32}) PetscCall(NetworkAddConvolution(network, -1, width, 0, PETSC_TRUE));
  PetscCall(NetworkAddConvolution(network, -1, 2, 0, PETSC_FALSE));
  PetscCall(NetworkSetUp(network, seed));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Train(const Problem &problem, Method method, PetscInt seed, PetscInt batch, PetscInt steps, PetscReal seconds, PetscInt monitor, Network<float> *network, Optimizer<float> *optimizer, History *history)
{
  float         *in = network->layers.front().value, *out = network->layers.back().value, *gradient = network->layers.back().gradient;
  PetscRandom    random;
  PetscLogDouble start, now;

  PetscFunctionBeginUser;
  PetscCall(PetscRandomCreate(PETSC_COMM_SELF, &random));
  PetscCall(PetscRandomSetSeed(random, (unsigned long)seed + 1));
  PetscCall(PetscRandomSeed(random));
  PetscCall(PetscTime(&start));
  for (PetscInt step = 1; step <= steps; step++) {
    PetscReal loss = 0.0, error = 0.0;

    for (PetscInt i = 0; i < 2 * batch; i++) {
      PetscReal u;

      PetscCall(PetscRandomGetValueReal(random, &u));
      in[i] = (float)(2.0 * u - 1.0);
    }
    PetscCall(NetworkForward(network));
    for (PetscInt b = 0; b < batch; b++) {
      const PetscReal y[2] = {in[b], in[batch + b]}, x[2] = {out[b], out[batch + b]};
      PetscReal       g[2], h[3];
      const PetscReal value = Loss(problem, x, y, g, h);

      loss += value;
      error += Distance(problem, x, y) / problem.xi;
      if (method == METHOD_SIP) {
        PetscReal update[2], target[2];

        /* The target is held constant, and 1/2 |x - target|^2 has the gradient x - target */
        SaddleFreeNewton(value, g, h, update);
        for (PetscInt i = 0; i < 2; i++) {
          target[i] = x[i] + update[i];
          g[i]      = x[i] - target[i];
        }
      }
      for (PetscInt i = 0; i < 2; i++) gradient[i * batch + b] = (float)(g[i] / batch);
    }
    PetscCall(NetworkBackward(network));
    PetscCall(OptimizerStep(optimizer, network));
    history->loss.push_back(loss / batch);
    history->error.push_back(error / batch);
    PetscCall(PetscTime(&now));
    history->seconds = now - start;
    if (monitor && step % monitor == 0) {
      const PetscReal left = (PetscReal)(history->seconds * (steps - step) / step), recent = CurvesSmooth(std::vector<PetscReal>(history->error.end() - PetscMin(step, 256), history->error.end()), 256).back();

      PetscCall(
        PetscPrintf(PETSC_COMM_WORLD, "xi %-4g %-4s step %6" PetscInt_FMT "  error of x %.2e  %.0f s left\n", (double)problem.xi, Names[method], step, (double)recent, (double)(seconds > 0.0 ? PetscMin(left, seconds - history->seconds) : left)));
    }
    if (seconds > 0.0 && history->seconds > seconds) break;
  }
  PetscCall(PetscRandomDestroy(&random));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The mean over the last tenth of the training, as in the paper */
static PetscReal Final(const std::vector<PetscReal> &y)
{
  return CurvesSmooth(y, (PetscInt)(y.size() + 9) / 10).back();
}

static PetscErrorCode TestGradient(const Problem &problem, PetscInt batch, PetscInt seed)
{
  const PetscReal x[2] = {0.037, -0.021}, y[2] = {0.3, -0.5}, step = 1e-6;
  PetscReal       difference, g[2], h[3], gs[2][2], hs[3], worst = 0.0;
  Network<double> network;

  PetscFunctionBeginUser;
  PetscCall(CreateNetwork(batch, seed, &network));
  PetscCall(NetworkTestGradient(&network, &difference));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%d parameters, the gradient %s finite differences\n", (int)network.parameters, difference < 1e-5 ? "agrees with" : "differs from"));
  PetscCall(NetworkDestroy(&network));
  Loss(problem, x, y, g, h);
  for (PetscInt i = 0; i < 2; i++) {
    PetscReal losses[2];

    for (PetscInt side = 0; side < 2; side++) {
      PetscReal near[2] = {x[0], x[1]};

      near[i] += side ? step : -step;
      losses[side] = Loss(problem, near, y, gs[side], hs);
    }
    worst = PetscMax(worst, PetscAbsReal((losses[1] - losses[0]) / (2.0 * step) - g[i]) / (1.0 + PetscAbsReal(g[i])));
    for (PetscInt j = 0; j < 2; j++) worst = PetscMax(worst, PetscAbsReal((gs[1][j] - gs[0][j]) / (2.0 * step) - h[i + j]) / (1.0 + PetscAbsReal(h[i + j])));
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "gradient and Hessian of the loss %s finite differences\n", worst < 1e-5 ? "agree with" : "differ from"));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Problem              problem;
  PetscInt             batch = 96, steps = 20000, seed = 0, monitor = 10000, n = 32;
  PetscReal            seconds = 0.0, rates[METHODS] = {1e-3, 1e-3, 1e-2}, phi = 45.0, xis[32];
  PetscBool            test = PETSC_FALSE, set;
  PetscMPIInt          size;
  char                 filename[PETSC_MAX_PATH_LEN] = "sine_sip.png", title[64];
  std::vector<Curve>   conditioning, learning;
  std::vector<History> histories;
  Picture              picture;

  problem.gamma = 10.0;
  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Training for an inverse problem of two variables", nullptr);
  PetscCall(PetscOptionsRealArray("-xi", "Conditionings", nullptr, xis, &n, &set));
  PetscCall(PetscOptionsReal("-phi", "Angle in degrees", nullptr, phi, &phi, nullptr));
  PetscCall(PetscOptionsReal("-gamma", "Scale of the variables", nullptr, problem.gamma, &problem.gamma, nullptr));
  PetscCall(PetscOptionsInt("-batch", "Examples for a step", nullptr, batch, &batch, nullptr));
  PetscCall(PetscOptionsInt("-steps", "Steps of each training", nullptr, steps, &steps, nullptr));
  PetscCall(PetscOptionsReal("-seconds", "After which a training ends before", nullptr, seconds, &seconds, nullptr));
  PetscCall(PetscOptionsReal("-sip_rate", "Learning rate of SIP", nullptr, rates[METHOD_SIP], &rates[METHOD_SIP], nullptr));
  PetscCall(PetscOptionsReal("-adam_rate", "Learning rate of Adam", nullptr, rates[METHOD_ADAM], &rates[METHOD_ADAM], nullptr));
  PetscCall(PetscOptionsReal("-sgd_rate", "Learning rate of gradient descent, times xi^2", nullptr, rates[METHOD_SGD], &rates[METHOD_SGD], nullptr));
  PetscCall(PetscOptionsInt("-seed", "Of the random numbers", nullptr, seed, &seed, nullptr));
  PetscCall(PetscOptionsInt("-monitor_steps", "Steps between lines", nullptr, monitor, &monitor, nullptr));
  PetscCall(PetscOptionsString("-picture", "File for the curves", nullptr, filename, filename, sizeof(filename), nullptr));
  PetscCall(PetscOptionsBool("-test_gradient", "Compare with finite differences", nullptr, test, &test, nullptr));
  PetscOptionsEnd();
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCheck(size == 1, PETSC_COMM_WORLD, PETSC_ERR_WRONG_MPI_SIZE, "%d processes: this program runs on one", size);
  if (!set) {
    n = 0;
    for (PetscReal xi : {1.0, 2.0, 4.0, 8.0, 16.0, 32.0}) xis[n++] = xi;
  }
  for (PetscInt i = 0; i < n; i++) PetscCheck(xis[i] > (i ? xis[i - 1] : 0.0), PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-xi: must be positive numbers in increasing order");
  PetscCheck(problem.gamma > 0.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-gamma %g: must be positive", (double)problem.gamma);
  PetscCheck(batch >= 16 && batch % 16 == 0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-batch %" PetscInt_FMT ": must be a multiple of 16", batch);
  PetscCheck(steps >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-steps %" PetscInt_FMT ": must be at least 1", steps);
  PetscCheck(seconds >= 0.0 && monitor >= 0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-seconds and -monitor_steps must not be negative");
  for (PetscReal rate : rates) PetscCheck(rate > 0.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-sip_rate, -adam_rate and -sgd_rate must be positive");
  problem.cosine = PetscCosReal(phi * PETSC_PI / 180.0);
  problem.sine   = PetscSinReal(phi * PETSC_PI / 180.0);

  if (test) {
    problem.xi = xis[n - 1];
    PetscCall(TestGradient(problem, batch, seed));
    PetscCall(PetscFinalize());
    return 0;
  }
  for (PetscInt m = 0; m < METHODS; m++) conditioning.push_back({Names[m], {Colours[m][0], Colours[m][1], Colours[m][2]}, {}, {}});
  learning = conditioning;
  for (PetscInt i = 0; i < n; i++) {
    problem.xi = xis[i];
    for (PetscInt m = 0; m < METHODS; m++) {
      Network<float>   network;
      Optimizer<float> optimizer;
      History          history;

      PetscCall(CreateNetwork(batch, seed, &network));
      PetscCall(OptimizerCreate(&network, m == METHOD_SGD ? OPTIMIZER_SGD : OPTIMIZER_ADAM, rates[m] / (m == METHOD_SGD ? xis[i] * xis[i] : 1.0), &optimizer));
      optimizer.momentum = m == METHOD_SGD ? 0.0 : 0.9;
      PetscCall(Train(problem, (Method)m, seed, batch, steps, seconds, monitor, &network, &optimizer, &history));
      PetscCall(OptimizerDestroy(&optimizer));
      PetscCall(NetworkDestroy(&network));
      conditioning[m].x.push_back(xis[i]);
      conditioning[m].y.push_back(Final(history.error));
      if (i == n - 1) {
        const std::vector<PetscReal> smooth = CurvesSmooth(history.error, 256);
        const size_t                 every  = smooth.size() / 1000 + 1;

        for (size_t k = every - 1; k < smooth.size(); k += every) {
          learning[m].x.push_back((PetscReal)(k + 1));
          learning[m].y.push_back(smooth[k]);
        }
      }
      histories.push_back(history);
    }
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "means over the last tenth; the error of x is divided by xi:\nxi     method  loss       error of x  steps    seconds\n"));
  for (PetscInt i = 0; i < n; i++) {
    for (PetscInt m = 0; m < METHODS; m++) {
      const History &history = histories[i * METHODS + m];

      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-6g %-6s  %.2e   %.2e    %-6d  %6.1f\n", (double)xis[i], Names[m], (double)Final(history.loss), (double)conditioning[m].y[i], (int)history.error.size(), history.seconds));
    }
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "error for the last xi over that for the first:"));
  for (PetscInt m = 0; m < METHODS; m++) PetscCall(PetscPrintf(PETSC_COMM_WORLD, " %s %.1f", Names[m], (double)(conditioning[m].y[n - 1] / conditioning[m].y[0])));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));

  PetscCall(CurvesCreate(860, 340, &picture));
  PetscCall(CurvesDraw(&picture, 0, 0, 430, 340, "error of x after training", "xi", PETSC_TRUE, conditioning));
  PetscCall(PetscSNPrintf(title, sizeof(title), "error of x, xi = %.4g", (double)xis[n - 1]));
  PetscCall(CurvesDraw(&picture, 430, 0, 430, 340, title, "steps", PETSC_FALSE, learning));
  PetscCall(CurvesFinish(&picture));
  PetscCall(PictureWrite(PETSC_COMM_WORLD, filename, &picture));
  PetscCall(PictureDestroy(&picture));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  test:
    suffix: gradient
    args: -test_gradient -phi {{0 30}} -xi 2

  test:
    suffix: conditioning
    args: -xi 1,32 -steps 3000 -monitor_steps 0
    filter: sed -n -E "s/^error .+: SIP [01][.][0-9] Adam ([3-9]|[1-9][0-9]+)[.][0-9] SGD ([5-9]|[1-9][0-9]+)[.][0-9]$/error grows: SIP less than 2, Adam more than 3, SGD more than 5/p"

TEST*/
