/*
  Loops of the network over several right-hand sides at once, compiled for several instruction sets. The BATCH numbers of a cell stand side by side.

  in[] are the rows around a row of cells, given by their cell 0: three in two dimensions and nine in three.
*/
#pragma once

namespace petlap {
namespace neural {

enum { BATCH = 16 };

template <typename Real>
struct BatchKernels {
  /* out(x) = sum of stencil * in for cells x0, ..., x1 - 1; index 0 for three rows, 1 for nine */
  void (*convolve[2])(int x0, int x1, const Real *const in[], const Real stencil[], Real out[]);
  /* sums[p] += g(x) in(x + p), for each right-hand side by itself */
  void (*products[2])(int x0, int x1, const Real *const in[], const Real g[], Real sums[]);
  /* out(x + p) += stencil[p] g for one cell x */
  void (*scatter[2])(int x, const Real stencil[], const Real g[], Real *const out[]);
};

const BatchKernels<float>  &FindBatchKernels(float);
const BatchKernels<double> &FindBatchKernels(double);

} // namespace neural
} // namespace petlap
