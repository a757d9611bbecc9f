/*
  Small neural networks for the examples, on one process: layers of convolutions, normalizations and the like on a grid, their gradient by a backward
  pass, and the optimizers Adam and stochastic gradient descent. A fully connected network is one of 1x1 convolutions on a grid of one point. Arrays are
  [y][x][channel][example].
*/
#pragma once

#include <petscsys.h>
#include <vector>

typedef enum { LAYER_INPUT, LAYER_CONVOLUTION, LAYER_NORMALIZATION, LAYER_POOL, LAYER_UPSAMPLE, LAYER_CONCATENATION } LayerType;

template <typename Real>
struct Layer {
  LayerType type;
  PetscInt  from, beside;            /* the layers that it reads, which come before it */
  PetscInt  width, height, channels; /* of what comes out */
  PetscInt  reach;
  PetscBool rectify; /* what is negative becomes 0 at the end (ReLU) */
  size_t    weights; /* where its parameters begin: weights or gamma, then the bias or beta */
  size_t    size;
  Real     *value, *gradient, *saved;
};

template <typename Real>
struct Network {
  PetscInt                 batch = 0;
  std::vector<Layer<Real>> layers;         /* the first is the input, the last the output */
  size_t                   parameters = 0; /* how many */
  Real                    *theta = nullptr, *gradient = nullptr;
};

/* The batch must be a multiple of 16. Layers are added in order, from = -1 is the last one so far; then NetworkSetUp() makes the arrays and draws the parameters from
   random numbers that depend on seed alone. Freed by NetworkDestroy(). */
template <typename Real>
PetscErrorCode NetworkCreate(PetscInt width, PetscInt height, PetscInt channels, PetscInt batch, Network<Real> *network);
template <typename Real>
PetscErrorCode NetworkAddConvolution(Network<Real> *network, PetscInt from, PetscInt channels, PetscInt reach, PetscBool rectify);
/* To mean 0 and variance 1 over the batch, then by learnt numbers; always with the rectifier */
template <typename Real>
PetscErrorCode NetworkAddNormalization(Network<Real> *network, PetscInt from);
/* To half the width and height, by the largest of 2 x 2, and to twice */
template <typename Real>
PetscErrorCode NetworkAddPool(Network<Real> *network, PetscInt from);
template <typename Real>
PetscErrorCode NetworkAddUpsample(Network<Real> *network, PetscInt from);
/* The channels of both */
template <typename Real>
PetscErrorCode NetworkAddConcatenation(Network<Real> *network, PetscInt from, PetscInt beside);
template <typename Real>
PetscErrorCode NetworkSetUp(Network<Real> *network, PetscInt seed);
template <typename Real>
PetscErrorCode NetworkDestroy(Network<Real> *network);

/* From the value of the first layer to that of the last */
template <typename Real>
PetscErrorCode NetworkForward(Network<Real> *network);
/* From the gradient with respect to the value of the last layer to that with respect to the parameters */
template <typename Real>
PetscErrorCode NetworkBackward(Network<Real> *network);
/* The largest difference between the gradient and central differences, along some directions of the parameters and relative to both, for a random input and a random linear function of
   the output */
template <typename Real>
PetscErrorCode NetworkTestGradient(Network<Real> *network, PetscReal *difference);

typedef enum { OPTIMIZER_ADAM, OPTIMIZER_SGD } OptimizerType;

/* Steps of Adam (with 0.9 and 0.999) or of gradient descent with momentum */
template <typename Real>
struct Optimizer {
  OptimizerType type = OPTIMIZER_ADAM;
  PetscReal     rate = 0.0, momentum = 0.9;
  PetscInt      steps = 0;
  Real         *mean = nullptr, *square = nullptr;
};

template <typename Real>
PetscErrorCode OptimizerCreate(const Network<Real> *network, OptimizerType type, PetscReal rate, Optimizer<Real> *optimizer);
template <typename Real>
PetscErrorCode OptimizerStep(Optimizer<Real> *optimizer, Network<Real> *network);
template <typename Real>
PetscErrorCode OptimizerDestroy(Optimizer<Real> *optimizer);
