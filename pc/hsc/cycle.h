/*
  The cycle of the hierarchy: restriction, coarse solve, interpolation and smoothing on vectors in the hierarchy's order.
*/
#pragma once

#include "pc/hsc/ranks.h"

namespace petlap {
namespace hsc {

/*
  Post-smoothing goes over the coarse vertices first and the fine ones second, pre-smoothing the other way round, so that with as many sweeps of both the
  cycle is symmetric.
*/
struct Sweeps {
  bool   jacobi = false;
  double omega  = 0.8; /* damping of Jacobi */
  int    pre = 0, post = 1;
  int    gamma = 1;    /* visits of the next coarser level; more than one need a hierarchy with all matrices */
  bool   wide  = true; /* vectors are in double precision, so that the cycle is a linear operator, whatever the matrices are in */
};

/* Visits of the level below each, for every visit of its own: where levels shrink too slowly, visiting them again and again would take forever */
template <typename Real>
std::vector<int> Visits(const Hierarchy<Real> &h, const Sweeps &s);

template <typename Real>
class Cycle {
public:
  /* Factors the coarsest level; false where it is not positive definite. On several ranks this and all that follows is collective. */
  bool Factor(const Hierarchy<Real> &h);
  /* x = M b in the order of the finest level's vertices, multiplied by scale */
  void Apply(const Hierarchy<Real> &h, const Sweeps &s, double scale, const PetscReal b[], PetscReal x[]);
  /* Bytes of the vectors and the factor */
  size_t Memory() const;
  /* The inverse of the coarsest level's matrix */
  void Inverse(Array<double> &inverse);
  /* On the coarsest level of one rank */
  template <typename Number>
  void Solve(const Hierarchy<Real> &h, const Number r[], Number x[]);

private:
  /* A component of the coarsest level without excess */
  struct Floating {
    std::vector<int> vertex;
    double           most; /* largest entry of the diagonal */
  };
  template <typename Number>
  struct Vectors {
    std::vector<Array<Number>> right, left, rest; /* of the levels, as far as a cycle needs them */
    Array<Number>              x, scratch;
  };

  template <typename Number>
  void ApplyIn(const Hierarchy<Real> &h, const Sweeps &s, double scale, const PetscReal b[], PetscReal y[]);
  template <typename Number>
  void Run(const Hierarchy<Real> &h, const Sweeps &s);
  template <typename Number>
  void Coarsest(const Hierarchy<Real> &h, const Sweeps &s, const Number r[], Number y[]);
  void Substitute(int n, int first);
  void SolveDense(int n, int first);
  template <typename Number>
  void Allocate(const Hierarchy<Real> &h, const Sweeps &s);
  template <typename Number>
  void VisitOnce(const Hierarchy<Real> &h, const Sweeps &s, int l, Number r[]);
  template <typename Number>
  void Visit(const Hierarchy<Real> &h, const Sweeps &s, int l, Number r[], Number y[]);
  template <typename Number>
  void Smooth(const Hierarchy<Real> &h, int l, const Sweeps &s, bool pre, bool begun, Number r[], Number y[]);

  std::vector<int>             gamma; /* visits of the level below each, for every visit of its own */
  ByPrecision<Vectors>         vectors;
  double                       down = 1.0; /* what right-hand sides are multiplied by */
  Array<double>                factor, z;
  std::vector<Floating>        floating;
  std::unique_ptr<Cycle<Real>> below; /* of the levels that have moved to this rank */
};

/* out = r - A x with the matrix of the level before edges were cut, as far as it is on this rank */
template <typename Real, typename Number>
void Residual(const Level<Real> &L, const Number r[], const Number x[], Number out[]);

} // namespace hsc
} // namespace petlap
