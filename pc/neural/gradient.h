/*
  The network for BATCH right-hand sides at once, and the gradient of a function of its output with respect to the numbers of the model. For training: on
  one process, and in either precision.
*/
#pragma once

#include "pc/neural/gradient_kernels.h"
#include "pc/neural/network.h"

namespace petlap {
namespace neural {

/* All numbers of a model in a row, in the order of Numbers() */
size_t              CountNumbers(const Model &model);
std::vector<double> Numbers(const Model &model);
void                SetNumbers(Model &model, const double numbers[]);

template <typename Real>
class Gradient {
public:
  /* The network must stay, with its image, until the gradient is gone or refreshed */
  explicit Gradient(const Network &network);

  /* After the network has got a new image; the numbers of the model, which must have three channels of image for every convolution */
  void SetImage();
  void SetModel(const Model &model);

  /* d = P r for the fluid cells, row by row; the BATCH numbers of a cell stand side by side */
  void Apply(const double r[], double d[]);
  /* Adds the derivative of the sum of g d, with d from the last Apply(), to that of each number of the model */
  void Add(const double g[], double derivative[]);

private:
  struct Resolution {
    Field<Real>       r, x, between, gx, gr; /* x before it is combined with that of the coarser level */
    std::vector<Real> stencil[2], kernels[2];
    double            c1 = 1.0, c2 = 1.0;
  };

  const Network                           &network;
  Model                                    model;
  int                                      dim, K, nine;
  std::vector<std::unique_ptr<Resolution>> level;
  Field<Real>                              masked;
  const BatchKernels<Real>                &loops;

  template <typename Body>
  void Rows(int l, Body body) const;
  void Around(int l, const Real *field, int y, int z, const Real *in[9]) const;
  void Convolve(int l, int which, const Real *in, Real *out) const;
  void Transpose(int l, int which, const Real *g, Real *out);
  void Products(int l, int which, const Real *in, const Real *g, double scale, const Convolution &C, double derivative[], double *dc) const;
  void Pool(int l);
  void PoolTranspose(int l);
  void Interpolate(int l);
  void InterpolateTranspose(int l);
};

extern template class Gradient<float>;
extern template class Gradient<double>;

} // namespace neural
} // namespace petlap
