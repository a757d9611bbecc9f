/*
  Loops of the networks of the examples. All arrays are [y][x][channel][example] with the examples of the batch innermost, so that whatever is done
  to one example is done to a vector of them.
*/
#pragma once

/* The batch is a multiple of this, which is a whole number of vectors for every instruction set */
#define NETWORK_LANES 16

/* A layer as the loops see it: the size of its input, the channels in and out, and how far its stencil reaches, 0 for 1x1 and 1 for 3x3 */
struct NetworkShape {
  int width, height, in, out, reach, batch;
};

template <typename Real>
struct NetworkKernels {
  /* out = stencil of in, plus the bias; without one it is added to out. Weights are [tap][channel in][channel out]. */
  void (*convolve)(const NetworkShape *shape, const Real *in, const Real *weights, const Real *bias, Real *out);
  /* Adds to the gradients with respect to the weights and the bias */
  void (*convolve_weights)(const NetworkShape *shape, const Real *in, const Real *dout, Real *dweights, Real *dbias);
  /* Every channel gets mean beta and standard deviation gamma; saved becomes its mean and the inverse of its standard deviation */
  void (*normalize)(const NetworkShape *shape, const Real *in, const Real *gamma, const Real *beta, Real *saved, Real *out);
  void (*normalize_adjoint)(const NetworkShape *shape, const Real *in, const Real *gamma, const Real *saved, const Real *dout, Real *dgamma, Real *dbeta, Real *din);
  /* Largest of 2 x 2 */
  void (*pool)(const NetworkShape *shape, const Real *in, Real *out);
  void (*pool_adjoint)(const NetworkShape *shape, const Real *in, const Real *out, const Real *dout, Real *din);
  /* Bilinear, to twice the width and height */
  void (*upsample)(const NetworkShape *shape, const Real *in, Real *out);
  void (*upsample_adjoint)(const NetworkShape *shape, const Real *dout, Real *din);
};

#define NETWORK_KERNELS_NAME_(Real, isa) NetworkKernels_##Real##_##isa
#define NETWORK_KERNELS_NAME(Real, isa)  NETWORK_KERNELS_NAME_(Real, isa)
