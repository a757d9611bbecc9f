/*
  Loops over several right-hand sides, for the instruction set that this file is compiled for; PETLAP_ISA names it.

  The linker merges inline functions and templates of the same name, whatever instructions they were compiled to. So nothing here comes from a
  header of the C++ library, and everything but the tables at the end is local to the file.
*/
#include "pc/neural/gradient_kernels.h"

namespace petlap {
namespace neural {
namespace {

/* The numbers of a cell */
template <typename Real>
struct Cell;
template <>
struct Cell<float> {
  typedef float type __attribute__((vector_size(BATCH * sizeof(float)), aligned(sizeof(float)), may_alias));
};
template <>
struct Cell<double> {
  typedef double type __attribute__((vector_size(BATCH * sizeof(double)), aligned(sizeof(double)), may_alias));
};

/* The type and not the vector is the parameter, as the alignment of a type is lost on the way through a template's parameter */
template <typename Real>
static inline typename Cell<Real>::type &At(Real *p, long i)
{
  return *(typename Cell<Real>::type *)(p + i * BATCH);
}
template <typename Real>
static inline const typename Cell<Real>::type &At(const Real *p, long i)
{
  return *(const typename Cell<Real>::type *)(p + i * BATCH);
}

template <typename Real, int ROWS>
struct Loops {
  typedef typename Cell<Real>::type Vector;

  /* Neighbouring cells share most of what they read */
  template <int CELLS>
  static inline void Block(int x, const Real *const in[], const Real stencil[], Real out[])
  {
    Vector sum[CELLS] = {};

    for (int r = 0; r < ROWS; r++) {
      Vector v[CELLS + 2];

      for (int i = 0; i < CELLS + 2; i++) v[i] = At(in[r], x + i - 1);
      for (int i = 0; i < CELLS; i++) sum[i] += stencil[3 * r] * v[i] + stencil[3 * r + 1] * v[i + 1] + stencil[3 * r + 2] * v[i + 2];
    }
    for (int i = 0; i < CELLS; i++) At(out, x + i) = sum[i];
  }

  static void Convolve(int x0, int x1, const Real *const in[], const Real stencil[], Real out[])
  {
    int x = x0;

    for (; x + 4 <= x1; x += 4) Block<4>(x, in, stencil, out);
    for (; x < x1; x++) Block<1>(x, in, stencil, out);
  }

  static void Products(int x0, int x1, const Real *const in[], const Real g[], Real sums[])
  {
    /* Nine sums at a time stay in registers */
    for (int begin = 0; begin < ROWS; begin += 3) {
      Vector sum[9];

      for (int p = 0; p < 9; p++) sum[p] = At(sums, 3 * begin + p);
      for (int x = x0; x < x1; x++) {
        const Vector v = At(g, x);

        for (int p = 0; p < 9; p++) sum[p] += v * At(in[begin + p / 3], x + p % 3 - 1);
      }
      for (int p = 0; p < 9; p++) At(sums, 3 * begin + p) = sum[p];
    }
  }

  static void Scatter(int x, const Real stencil[], const Real g[], Real *const out[])
  {
    const Vector v = At(g, 0);

    for (int r = 0; r < ROWS; r++) {
      for (int m = 0; m < 3; m++) At(out[r], x + m - 1) += stencil[3 * r + m] * v;
    }
  }
};

} // namespace

#define KERNELS_NAME2(name, isa) name##_##isa
#define KERNELS_NAME(name, isa)  KERNELS_NAME2(name, isa)
#define TABLE(Real)                                                                                             \
  {                                                                                                             \
    {Loops<Real, 3>::Convolve, Loops<Real, 9>::Convolve}, {Loops<Real, 3>::Products, Loops<Real, 9>::Products}, \
    {                                                                                                           \
      Loops<Real, 3>::Scatter, Loops<Real, 9>::Scatter                                                          \
    }                                                                                                           \
  }

extern const BatchKernels<float>  KERNELS_NAME(SingleBatchKernels, PETLAP_ISA);
extern const BatchKernels<double> KERNELS_NAME(DoubleBatchKernels, PETLAP_ISA);
const BatchKernels<float>         KERNELS_NAME(SingleBatchKernels, PETLAP_ISA) = TABLE(float);
const BatchKernels<double>        KERNELS_NAME(DoubleBatchKernels, PETLAP_ISA) = TABLE(double);

} // namespace neural
} // namespace petlap
