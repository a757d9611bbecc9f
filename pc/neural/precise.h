/*
  The network in double precision, and its transpose, with the lists of the one in single precision, in plain loops.

  In single precision an application is off by 1e-7 of its largest number, so that it is a linear map to no more digits than that. Methods that apply the
  preconditioner to one vector and form the solution with its output for another, as GMRES does with a basis, ask for more.
*/
#pragma once

#include "pc/neural/network.h"

namespace petlap {
namespace neural {

class PreciseNetwork {
public:
  /* Of a network with image and kernels of the model; a new one is needed when either changes. The network must stay. Collective. */
  PreciseNetwork(Network &network, const Model &model);

  /* As Network::Apply(). Collective. */
  void Apply(const double r[], const ptrdiff_t offset[], double scale, double z[]);
  void ApplyTranspose(const double r[], const ptrdiff_t offset[], double scale, double z[]);

  size_t Memory() const;

private:
  struct Resolution {
    Field<double>       r, x, between; /* between: x of the coarser level, interpolated */
    std::vector<double> stencil[2], kernels[2];
    double              c1 = 1.0;
  };

  Network                                 &network;
  const Partition                         &part;
  int                                      dim, K;
  std::vector<std::unique_ptr<Resolution>> level;
  std::vector<char>                        send, receive;
  std::vector<double>                      line;

  void Offsets(const Layout &Y, ptrdiff_t offset[27]) const;
  template <typename Body>
  void Rows(const Level &L, bool layers, Body body) const;
  template <typename Body>
  void Interpolation(int l, Body body) const;
  template <typename Body>
  void Ring(int l, Body body) const;
  void Convolve(int l, int which, const double *in, double *out) const;
  void ConvolveTranspose(int l, int which, const double *in, double *out);
  void Clear();
  void KeepActive(int l, double *field) const;
  void Pool(int l);
  void PoolTranspose(int l);
  void Interpolate(int l);
  void InterpolateTranspose(int l);
};

} // namespace neural
} // namespace petlap
