#include "network.h"
#include "network_kernels.h"
#include <cmath>
#include <random>

#define DECLARE(isa)                                                     \
  extern const NetworkKernels<float>  NETWORK_KERNELS_NAME(float, isa);  \
  extern const NetworkKernels<double> NETWORK_KERNELS_NAME(double, isa); \
  static const NetworkKernels<float> &Choose_##isa(float)                \
  {                                                                      \
    return NETWORK_KERNELS_NAME(float, isa);                             \
  }                                                                      \
  static const NetworkKernels<double> &Choose_##isa(double)              \
  {                                                                      \
    return NETWORK_KERNELS_NAME(double, isa);                            \
  }
DECLARE(portable)
#if defined(PETLAP_HAVE_X86)
DECLARE(avx2)
DECLARE(avx512)
#endif

/* The loops for the best instruction set of this machine */
template <typename Real>
static const NetworkKernels<Real> &Kernels()
{
#if defined(PETLAP_HAVE_X86)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");

  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) return Choose_avx512(Real());
  if (avx2) return Choose_avx2(Real());
#endif
  return Choose_portable(Real());
}

template <typename Real>
PetscErrorCode NetworkCreate(PetscInt width, PetscInt height, PetscInt channels, PetscInt batch, Network<Real> *network)
{
  Layer<Real> layer = {};

  PetscFunctionBeginUser;
  PetscCheck(batch > 0 && batch % NETWORK_LANES == 0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "A batch of %" PetscInt_FMT " examples: it must be a multiple of %d", batch, NETWORK_LANES);
  layer.type     = LAYER_INPUT;
  layer.width    = width;
  layer.height   = height;
  layer.channels = channels;
  *network       = Network<Real>();
  network->batch = batch;
  network->layers.push_back(layer);
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A layer that is as large as the one that it reads and has as many parameters */
template <typename Real>
static Layer<Real> &AddLayer(Network<Real> *network, LayerType type, PetscInt from, PetscInt channels, size_t parameters)
{
  Layer<Real> layer;

  if (from < 0) from = (PetscInt)network->layers.size() - 1;
  layer          = network->layers[from];
  layer.type     = type;
  layer.from     = from;
  layer.reach    = 0;
  layer.rectify  = PETSC_FALSE;
  layer.channels = channels;
  layer.weights  = network->parameters;
  network->parameters += parameters;
  network->layers.push_back(layer);
  return network->layers.back();
}

template <typename Real>
static PetscInt Channels(const Network<Real> *network, PetscInt from)
{
  return from < 0 ? network->layers.back().channels : network->layers[from].channels;
}

template <typename Real>
PetscErrorCode NetworkAddConvolution(Network<Real> *network, PetscInt from, PetscInt channels, PetscInt reach, PetscBool rectify)
{
  const size_t taps = (size_t)(2 * reach + 1) * (2 * reach + 1);

  PetscFunctionBeginUser;
  {
    Layer<Real> &layer = AddLayer(network, LAYER_CONVOLUTION, from, channels, (taps * Channels(network, from) + 1) * channels);

    layer.reach   = reach;
    layer.rectify = rectify;
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode NetworkAddNormalization(Network<Real> *network, PetscInt from)
{
  PetscFunctionBeginUser;
  AddLayer(network, LAYER_NORMALIZATION, from, Channels(network, from), 2 * (size_t)Channels(network, from)).rectify = PETSC_TRUE;
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode NetworkAddPool(Network<Real> *network, PetscInt from)
{
  PetscFunctionBeginUser;
  {
    Layer<Real> &layer = AddLayer(network, LAYER_POOL, from, Channels(network, from), 0);

    PetscCheck(layer.width % 2 == 0 && layer.height % 2 == 0, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ, "%" PetscInt_FMT " x %" PetscInt_FMT " points cannot be halved", layer.width, layer.height);
    layer.width /= 2;
    layer.height /= 2;
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode NetworkAddUpsample(Network<Real> *network, PetscInt from)
{
  PetscFunctionBeginUser;
  {
    Layer<Real> &layer = AddLayer(network, LAYER_UPSAMPLE, from, Channels(network, from), 0);

    layer.width *= 2;
    layer.height *= 2;
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode NetworkAddConcatenation(Network<Real> *network, PetscInt from, PetscInt beside)
{
  PetscFunctionBeginUser;
  AddLayer(network, LAYER_CONCATENATION, from, Channels(network, from) + Channels(network, beside), 0).beside = beside;
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode NetworkSetUp(Network<Real> *network, PetscInt seed)
{
  std::mt19937_64 random((uint64_t)seed);

  PetscFunctionBeginUser;
  PetscCall(PetscCalloc2(network->parameters, &network->theta, network->parameters, &network->gradient));
  for (Layer<Real> &layer : network->layers) {
    layer.size = (size_t)layer.width * layer.height * layer.channels * network->batch;
    PetscCall(PetscCalloc3(layer.size, &layer.value, layer.size, &layer.gradient, 2 * (size_t)layer.channels, &layer.saved));
    if (layer.type == LAYER_CONVOLUTION) {
      const size_t                           taps = (size_t)(2 * layer.reach + 1) * (2 * layer.reach + 1) * network->layers[layer.from].channels;
      std::uniform_real_distribution<double> uniform(-1.0 / std::sqrt((double)taps), 1.0 / std::sqrt((double)taps));

      for (size_t i = 0; i < (taps + 1) * layer.channels; i++) network->theta[layer.weights + i] = (Real)uniform(random);
    } else if (layer.type == LAYER_NORMALIZATION) {
      for (PetscInt c = 0; c < layer.channels; c++) network->theta[layer.weights + c] = 1;
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode NetworkDestroy(Network<Real> *network)
{
  PetscFunctionBeginUser;
  for (Layer<Real> &layer : network->layers) PetscCall(PetscFree3(layer.value, layer.gradient, layer.saved));
  PetscCall(PetscFree2(network->theta, network->gradient));
  *network = Network<Real>();
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
static NetworkShape Shape(const Network<Real> *network, const Layer<Real> &layer)
{
  const Layer<Real> &from = network->layers[layer.from];

  return {(int)from.width, (int)from.height, (int)from.channels, (int)layer.channels, (int)layer.reach, (int)network->batch};
}

/* Copies the channels of the narrow array into those of the wide one from the first on, or adds those of the wide one to the narrow */
template <typename Real>
static void CopyChannels(size_t points, size_t narrow, size_t wide, size_t first, const Real *a, Real *b)
{
  for (size_t p = 0; p < points; p++) {
    for (size_t i = 0; i < narrow; i++) b[p * wide + first + i] = a[p * narrow + i];
  }
}
template <typename Real>
static void AddChannels(size_t points, size_t narrow, size_t wide, size_t first, const Real *b, Real *a)
{
  for (size_t p = 0; p < points; p++) {
    for (size_t i = 0; i < narrow; i++) a[p * narrow + i] += b[p * wide + first + i];
  }
}

template <typename Real>
PetscErrorCode NetworkForward(Network<Real> *network)
{
  const NetworkKernels<Real> &kernels = Kernels<Real>();

  PetscFunctionBeginUser;
  for (Layer<Real> &layer : network->layers) {
    const Layer<Real> &from   = network->layers[layer.from];
    const NetworkShape shape  = Shape(network, layer);
    const Real        *theta  = network->theta + layer.weights;
    const size_t       points = (size_t)layer.width * layer.height, wide = (size_t)layer.channels * network->batch, narrow = (size_t)from.channels * network->batch;

    switch (layer.type) {
    case LAYER_CONVOLUTION:
      kernels.convolve(&shape, from.value, theta, theta + (size_t)(2 * layer.reach + 1) * (2 * layer.reach + 1) * from.channels * layer.channels, layer.value);
      break;
    case LAYER_NORMALIZATION:
      kernels.normalize(&shape, from.value, theta, theta + layer.channels, layer.saved, layer.value);
      break;
    case LAYER_POOL:
      kernels.pool(&shape, from.value, layer.value);
      break;
    case LAYER_UPSAMPLE:
      kernels.upsample(&shape, from.value, layer.value);
      break;
    case LAYER_CONCATENATION:
      CopyChannels(points, narrow, wide, 0, from.value, layer.value);
      CopyChannels(points, wide - narrow, wide, narrow, network->layers[layer.beside].value, layer.value);
      break;
    case LAYER_INPUT:
      break;
    }
    if (layer.rectify) {
      for (size_t i = 0; i < layer.size; i++) layer.value[i] = layer.value[i] > 0 ? layer.value[i] : 0;
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode NetworkBackward(Network<Real> *network)
{
  const NetworkKernels<Real> &kernels = Kernels<Real>();
  std::vector<Real>           turned;

  PetscFunctionBeginUser;
  PetscCall(PetscArrayzero(network->gradient, network->parameters));
  for (size_t l = 0; l + 1 < network->layers.size(); l++) PetscCall(PetscArrayzero(network->layers[l].gradient, network->layers[l].size));
  for (size_t l = network->layers.size(); l-- > 1;) {
    Layer<Real>       &layer  = network->layers[l];
    Layer<Real>       &from   = network->layers[layer.from];
    const NetworkShape shape  = Shape(network, layer);
    const size_t       points = (size_t)layer.width * layer.height, wide = (size_t)layer.channels * network->batch, narrow = (size_t)from.channels * network->batch;
    const Real        *theta  = network->theta + layer.weights;
    Real              *dtheta = network->gradient + layer.weights;

    if (layer.rectify) {
      for (size_t i = 0; i < layer.size; i++) layer.gradient[i] = layer.value[i] > 0 ? layer.gradient[i] : 0;
    }
    switch (layer.type) {
    case LAYER_CONVOLUTION: {
      const size_t taps = (size_t)(2 * layer.reach + 1) * (2 * layer.reach + 1);
      NetworkShape back = shape;

      kernels.convolve_weights(&shape, from.value, layer.gradient, dtheta, dtheta + taps * from.channels * layer.channels);
      if (from.type == LAYER_INPUT) break; /* which nobody asks for */
      /* The adjoint is a convolution too, with the taps in reverse order and the channels exchanged */
      back.in  = shape.out;
      back.out = shape.in;
      turned.resize(taps * from.channels * layer.channels);
      for (size_t t = 0; t < taps; t++) {
        for (PetscInt i = 0; i < from.channels; i++) {
          for (PetscInt o = 0; o < layer.channels; o++) turned[(t * layer.channels + o) * from.channels + i] = theta[((taps - 1 - t) * from.channels + i) * layer.channels + o];
        }
      }
      kernels.convolve(&back, layer.gradient, turned.data(), nullptr, from.gradient);
      break;
    }
    case LAYER_NORMALIZATION:
      kernels.normalize_adjoint(&shape, from.value, theta, layer.saved, layer.gradient, dtheta, dtheta + layer.channels, from.gradient);
      break;
    case LAYER_POOL:
      kernels.pool_adjoint(&shape, from.value, layer.value, layer.gradient, from.gradient);
      break;
    case LAYER_UPSAMPLE:
      kernels.upsample_adjoint(&shape, layer.gradient, from.gradient);
      break;
    case LAYER_CONCATENATION:
      AddChannels(points, narrow, wide, 0, layer.gradient, from.gradient);
      AddChannels(points, wide - narrow, wide, narrow, layer.gradient, network->layers[layer.beside].gradient);
      break;
    case LAYER_INPUT:
      break;
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode NetworkTestGradient(Network<Real> *network, PetscReal *difference)
{
  std::mt19937_64                  random(1);
  std::normal_distribution<double> normal;
  Layer<Real>                     &in = network->layers.front(), &out = network->layers.back();
  std::vector<Real>                theta(network->theta, network->theta + network->parameters), direction(network->parameters), function(out.size);

  PetscFunctionBeginUser;
  *difference = 0.0;
  for (size_t i = 0; i < in.size; i++) in.value[i] = (Real)normal(random);
  for (Real &f : function) f = (Real)normal(random);
  PetscCall(NetworkForward(network));
  for (size_t i = 0; i < out.size; i++) out.gradient[i] = function[i];
  PetscCall(NetworkBackward(network));
  /* Along the parameters of one layer each time, so that none hides behind those of larger gradients */
  for (const Layer<Real> &layer : network->layers) {
    const size_t end   = (size_t)(&layer - network->layers.data()) + 1 < network->layers.size() ? (&layer)[1].weights : network->parameters;
    PetscReal    exact = 0.0, best = PETSC_MAX_REAL;

    if (layer.type != LAYER_CONVOLUTION && layer.type != LAYER_NORMALIZATION) continue;
    for (size_t i = layer.weights; i < end; i++) {
      direction[i] = (Real)normal(random);
      exact += (PetscReal)direction[i] * network->gradient[i];
    }
    /* Where a rectifier or a largest value changes between the two points, the quotient says nothing; a shorter step has fewer of these */
    for (Real h : {(Real)1e-7, (Real)1e-8, (Real)1e-9}) {
      PetscReal quotient = 0.0;

      for (int side = -1; side <= 1; side += 2) {
        for (size_t i = layer.weights; i < end; i++) network->theta[i] = theta[i] + side * h * direction[i];
        PetscCall(NetworkForward(network));
        for (size_t i = 0; i < out.size; i++) quotient += side * (PetscReal)function[i] * out.value[i] / (2 * h);
      }
      best = PetscMin(best, PetscAbsReal(exact - quotient) / (PetscAbsReal(exact) + PetscAbsReal(quotient) + 1e-3));
    }
    for (size_t i = layer.weights; i < end; i++) network->theta[i] = theta[i];
    *difference = PetscMax(*difference, best);
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode OptimizerCreate(const Network<Real> *network, OptimizerType type, PetscReal rate, Optimizer<Real> *optimizer)
{
  PetscFunctionBeginUser;
  *optimizer      = Optimizer<Real>();
  optimizer->type = type;
  optimizer->rate = rate;
  PetscCall(PetscCalloc2(network->parameters, &optimizer->mean, network->parameters, &optimizer->square));
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode OptimizerStep(Optimizer<Real> *optimizer, Network<Real> *network)
{
  const Real momentum = (Real)optimizer->momentum, decay = (Real)0.999;

  PetscFunctionBeginUser;
  optimizer->steps++;
  if (optimizer->type == OPTIMIZER_SGD) {
    const Real rate = (Real)optimizer->rate;

    for (size_t i = 0; i < network->parameters; i++) {
      optimizer->mean[i] = momentum * optimizer->mean[i] + network->gradient[i];
      network->theta[i] -= rate * optimizer->mean[i];
    }
  } else {
    /* Both means begin with 0, which is undone here */
    const Real rate = (Real)(optimizer->rate / (1.0 - PetscPowReal(momentum, (PetscReal)optimizer->steps)));
    const Real full = (Real)(1.0 / (1.0 - PetscPowReal(decay, (PetscReal)optimizer->steps)));

    for (size_t i = 0; i < network->parameters; i++) {
      const Real g = network->gradient[i];

      optimizer->mean[i]   = momentum * optimizer->mean[i] + (1 - momentum) * g;
      optimizer->square[i] = decay * optimizer->square[i] + (1 - decay) * g * g;
      network->theta[i] -= rate * optimizer->mean[i] / (std::sqrt(full * optimizer->square[i]) + (Real)1e-8);
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

template <typename Real>
PetscErrorCode OptimizerDestroy(Optimizer<Real> *optimizer)
{
  PetscFunctionBeginUser;
  PetscCall(PetscFree2(optimizer->mean, optimizer->square));
  PetscFunctionReturn((PetscErrorCode)0);
}

#define INSTANTIATE(Real)                                                                                            \
  template PetscErrorCode NetworkCreate<Real>(PetscInt, PetscInt, PetscInt, PetscInt, Network<Real> *);              \
  template PetscErrorCode NetworkAddConvolution<Real>(Network<Real> *, PetscInt, PetscInt, PetscInt, PetscBool);     \
  template PetscErrorCode NetworkAddNormalization<Real>(Network<Real> *, PetscInt);                                  \
  template PetscErrorCode NetworkAddPool<Real>(Network<Real> *, PetscInt);                                           \
  template PetscErrorCode NetworkAddUpsample<Real>(Network<Real> *, PetscInt);                                       \
  template PetscErrorCode NetworkAddConcatenation<Real>(Network<Real> *, PetscInt, PetscInt);                        \
  template PetscErrorCode NetworkSetUp<Real>(Network<Real> *, PetscInt);                                             \
  template PetscErrorCode NetworkDestroy<Real>(Network<Real> *);                                                     \
  template PetscErrorCode NetworkForward<Real>(Network<Real> *);                                                     \
  template PetscErrorCode NetworkBackward<Real>(Network<Real> *);                                                    \
  template PetscErrorCode NetworkTestGradient<Real>(Network<Real> *, PetscReal *);                                   \
  template PetscErrorCode OptimizerCreate<Real>(const Network<Real> *, OptimizerType, PetscReal, Optimizer<Real> *); \
  template PetscErrorCode OptimizerStep<Real>(Optimizer<Real> *, Network<Real> *);                                   \
  template PetscErrorCode OptimizerDestroy<Real>(Optimizer<Real> *)
INSTANTIATE(float);
INSTANTIATE(double);
