/*
  Loops of the networks, for the instruction set that this file is compiled for; PETLAP_ISA names it.

  The linker merges inline functions and templates of the same name, whatever instructions they were compiled to. So nothing here comes from a
  header of the C++ library, and everything but the tables at the end is local to the file.
*/
#include "network_kernels.h"

#include <cstddef>

namespace {

#if defined(__AVX512F__)
  #define BYTES 64
#elif defined(__AVX2__)
  #define BYTES 32
#else
  #define BYTES 16
#endif
/* Channels in and out whose products are kept in registers */
#define BLOCK_IN  4
#define BLOCK_OUT (BYTES == 64 ? 4 : 2)

template <typename Real>
struct Lanes;
template <>
struct Lanes<float> {
  typedef float type __attribute__((vector_size(BYTES), aligned(sizeof(float)), may_alias));
};
template <>
struct Lanes<double> {
  typedef double type __attribute__((vector_size(BYTES), aligned(sizeof(double)), may_alias));
};
#define VECTOR(Real)           typename Lanes<Real>::type
#define AT(p)                  (*(VECTOR(Real) *)(p))
#define AT_CONST(p)            (*(const VECTOR(Real) *)(p))
#define VECTOR_OF(Real, value) (VECTOR(Real){} + (value))

template <typename Real>
static const int Width = BYTES / (int)sizeof(Real);

template <typename Real>
static Real Sum(VECTOR(Real) v)
{
  Real sum = 0;

  for (int i = 0; i < Width<Real>; i++) sum += v[i];
  return sum;
}

/* COUNT channels out, from c on */
template <int COUNT, typename Real>
static void ConvolveChannels(const NetworkShape *s, int c, const Real *in, const Real *weights, const Real *bias, Real *out)
{
  const int    side = 2 * s->reach + 1;
  const size_t b    = s->batch;

  for (int y = 0; y < s->height; y++) {
    for (int x = 0; x < s->width; x++) {
      Real *o = out + (((size_t)y * s->width + x) * s->out + c) * b;

      for (size_t l = 0; l < b; l += Width<Real>) {
        VECTOR(Real) sum[COUNT];

        for (int n = 0; n < COUNT; n++) sum[n] = bias ? VECTOR_OF(Real, bias[c + n]) : AT(o + n * b + l);
        for (int t = 0; t < side * side; t++) {
          const int   yy = y + t / side - s->reach, xx = x + t % side - s->reach;
          const Real *i = in + ((size_t)yy * s->width + xx) * s->in * b + l, *w = weights + (size_t)t * s->in * s->out + c;

          if (yy < 0 || yy >= s->height || xx < 0 || xx >= s->width) continue;
          for (int k = 0; k < s->in; k++) {
            const VECTOR(Real) v = AT_CONST(i + k * b);

            for (int n = 0; n < COUNT; n++) sum[n] += w[(size_t)k * s->out + n] * v;
          }
        }
        for (int n = 0; n < COUNT; n++) AT(o + n * b + l) = sum[n];
      }
    }
  }
}

template <typename Real>
static void Convolve(const NetworkShape *s, const Real *in, const Real *weights, const Real *bias, Real *out)
{
  int c = 0;

  for (; c + 8 <= s->out; c += 8) ConvolveChannels<8>(s, c, in, weights, bias, out);
  for (; c + 4 <= s->out; c += 4) ConvolveChannels<4>(s, c, in, weights, bias, out);
  for (; c < s->out; c++) ConvolveChannels<1>(s, c, in, weights, bias, out);
}

/* COUNT channels in, from k on, and COUNT_OUT channels out, from c on, in row y for tap t */
template <int COUNT, int COUNT_OUT, typename Real>
static void WeightBlock(const NetworkShape *s, int y, int t, int k, int c, const Real *in, const Real *dout, Real *dweights)
{
  const int    side = 2 * s->reach + 1, dx = t % side - s->reach, yy = y + t / side - s->reach;
  const size_t b                     = s->batch;
  VECTOR(Real) sum[COUNT][COUNT_OUT] = {};

  for (int x = dx < 0 ? -dx : 0; x < s->width - (dx > 0 ? dx : 0); x++) {
    const Real *i = in + (((size_t)yy * s->width + x + dx) * s->in + k) * b, *o = dout + (((size_t)y * s->width + x) * s->out + c) * b;

    for (size_t l = 0; l < b; l += Width<Real>) {
      VECTOR(Real) g[COUNT_OUT];

      for (int n = 0; n < COUNT_OUT; n++) g[n] = AT_CONST(o + n * b + l);
      for (int m = 0; m < COUNT; m++) {
        const VECTOR(Real) v = AT_CONST(i + m * b + l);

        for (int n = 0; n < COUNT_OUT; n++) sum[m][n] += v * g[n];
      }
    }
  }
  for (int m = 0; m < COUNT; m++) {
    for (int n = 0; n < COUNT_OUT; n++) dweights[((size_t)t * s->in + k + m) * s->out + c + n] += Sum<Real>(sum[m][n]);
  }
}

template <typename Real>
static void ConvolveWeights(const NetworkShape *s, const Real *in, const Real *dout, Real *dweights, Real *dbias)
{
  const int    side = 2 * s->reach + 1;
  const size_t b    = s->batch;

  for (int c = 0; c < s->out; c++) {
    VECTOR(Real) sum = {};

    for (size_t p = 0; p < (size_t)s->width * s->height; p++) {
      for (size_t l = 0; l < b; l += Width<Real>) sum += AT_CONST(dout + (p * s->out + c) * b + l);
    }
    dbias[c] += Sum<Real>(sum);
  }
  for (int y = 0; y < s->height; y++) {
    for (int t = 0; t < side * side; t++) {
      const int yy = y + t / side - s->reach;
      int       k  = 0;

      if (yy < 0 || yy >= s->height) continue;
      for (; k + BLOCK_IN <= s->in; k += BLOCK_IN) {
        int c = 0;

        for (; c + BLOCK_OUT <= s->out; c += BLOCK_OUT) WeightBlock<BLOCK_IN, BLOCK_OUT>(s, y, t, k, c, in, dout, dweights);
        for (; c < s->out; c++) WeightBlock<BLOCK_IN, 1>(s, y, t, k, c, in, dout, dweights);
      }
      for (; k < s->in; k++) {
        int c = 0;

        for (; c + BLOCK_OUT <= s->out; c += BLOCK_OUT) WeightBlock<1, BLOCK_OUT>(s, y, t, k, c, in, dout, dweights);
        for (; c < s->out; c++) WeightBlock<1, 1>(s, y, t, k, c, in, dout, dweights);
      }
    }
  }
}

template <typename Real>
static void Normalize(const NetworkShape *s, const Real *in, const Real *gamma, const Real *beta, Real *saved, Real *out)
{
  const size_t points = (size_t)s->width * s->height, b = s->batch;

  for (int c = 0; c < s->in; c++) {
    VECTOR(Real) sum = {}, square = {};
    Real mean, scale;

    for (size_t p = 0; p < points; p++) {
      for (size_t l = 0; l < b; l += Width<Real>) sum += AT_CONST(in + (p * s->in + c) * b + l);
    }
    mean = Sum<Real>(sum) / (Real)(points * b);
    for (size_t p = 0; p < points; p++) {
      for (size_t l = 0; l < b; l += Width<Real>) {
        const VECTOR(Real) v = AT_CONST(in + (p * s->in + c) * b + l) - mean;

        square += v * v;
      }
    }
    /* A channel that is constant stays so */
    scale            = 1 / (Real)__builtin_sqrt(Sum<Real>(square) / (Real)(points * b) + (Real)1e-5);
    saved[2 * c]     = mean;
    saved[2 * c + 1] = scale;
    for (size_t p = 0; p < points; p++) {
      for (size_t l = 0; l < b; l += Width<Real>) AT(out + (p * s->in + c) * b + l) = (AT_CONST(in + (p * s->in + c) * b + l) - mean) * (scale * gamma[c]) + beta[c];
    }
  }
}

template <typename Real>
static void NormalizeAdjoint(const NetworkShape *s, const Real *in, const Real *gamma, const Real *saved, const Real *dout, Real *dgamma, Real *dbeta, Real *din)
{
  const size_t points = (size_t)s->width * s->height, b = s->batch;

  for (int c = 0; c < s->in; c++) {
    const Real mean = saved[2 * c], scale = saved[2 * c + 1], n = (Real)(points * b);
    VECTOR(Real) sum = {}, product = {};
    Real db, dg;

    for (size_t p = 0; p < points; p++) {
      for (size_t l = 0; l < b; l += Width<Real>) {
        const VECTOR(Real) g = AT_CONST(dout + (p * s->in + c) * b + l);

        sum += g;
        product += g * (AT_CONST(in + (p * s->in + c) * b + l) - mean);
      }
    }
    db = Sum<Real>(sum);
    dg = Sum<Real>(product) * scale;
    dbeta[c] += db;
    dgamma[c] += dg;
    for (size_t p = 0; p < points; p++) {
      for (size_t l = 0; l < b; l += Width<Real>) {
        const size_t at = (p * s->in + c) * b + l;

        AT(din + at) += (AT_CONST(dout + at) - db / n - (AT_CONST(in + at) - mean) * (scale * dg / n)) * (gamma[c] * scale);
      }
    }
  }
}

/* The four points of the input that the largest is taken of */
template <typename Real>
static const Real *Corner(const NetworkShape *s, const Real *in, int y, int x, int corner)
{
  return in + ((size_t)(2 * y + corner / 2) * s->width + 2 * x + corner % 2) * s->in * s->batch;
}

template <typename Real>
static void Pool(const NetworkShape *s, const Real *in, Real *out)
{
  const size_t n = (size_t)s->in * s->batch;

  for (int y = 0; y < s->height / 2; y++) {
    for (int x = 0; x < s->width / 2; x++, out += n) {
      for (size_t l = 0; l < n; l += Width<Real>) {
        VECTOR(Real) most = AT_CONST(Corner(s, in, y, x, 0) + l);

        for (int corner = 1; corner < 4; corner++) {
          const VECTOR(Real) v = AT_CONST(Corner(s, in, y, x, corner) + l);

          most = v > most ? v : most;
        }
        AT(out + l) = most;
      }
    }
  }
}

template <typename Real>
static void PoolAdjoint(const NetworkShape *s, const Real *in, const Real *out, const Real *dout, Real *din)
{
  const size_t n = (size_t)s->in * s->batch;

  for (int y = 0; y < s->height / 2; y++) {
    for (int x = 0; x < s->width / 2; x++, out += n, dout += n) {
      for (size_t l = 0; l < n; l += Width<Real>) {
        const VECTOR(Real) zero = {};
        VECTOR(Real) left       = AT_CONST(dout + l);

        /* The first of several equal ones takes it all */
        for (int corner = 0; corner < 4; corner++) {
          const Real *i = Corner(s, in, y, x, corner) + l;

          AT(din + (i - in)) += AT_CONST(i) == AT_CONST(out + l) ? left : zero;
          left = AT_CONST(i) == AT_CONST(out + l) ? zero : left;
        }
      }
    }
  }
}

/* Row or column i of the fine grid lies between two of the coarse one, at a quarter of their distance from the first */
static void Between(int i, int n, int *first, int *second)
{
  *first  = i / 2;
  *second = i % 2 ? i / 2 + 1 : i / 2 - 1;
  if (*second < 0) *second = 0;
  if (*second >= n) *second = n - 1;
}

template <typename Real>
static void Upsample(const NetworkShape *s, const Real *in, Real *out)
{
  const size_t n = (size_t)s->in * s->batch;

  for (int y = 0; y < 2 * s->height; y++) {
    for (int x = 0; x < 2 * s->width; x++, out += n) {
      int         y0, y1, x0, x1;
      const Real *p00, *p01, *p10, *p11;

      Between(y, s->height, &y0, &y1);
      Between(x, s->width, &x0, &x1);
      p00 = in + ((size_t)y0 * s->width + x0) * n;
      p01 = in + ((size_t)y0 * s->width + x1) * n;
      p10 = in + ((size_t)y1 * s->width + x0) * n;
      p11 = in + ((size_t)y1 * s->width + x1) * n;
      for (size_t l = 0; l < n; l += Width<Real>) AT(out + l) = AT_CONST(p00 + l) * (Real)0.5625 + (AT_CONST(p01 + l) + AT_CONST(p10 + l)) * (Real)0.1875 + AT_CONST(p11 + l) * (Real)0.0625;
    }
  }
}

template <typename Real>
static void UpsampleAdjoint(const NetworkShape *s, const Real *dout, Real *din)
{
  const size_t n = (size_t)s->in * s->batch;

  for (int y = 0; y < 2 * s->height; y++) {
    for (int x = 0; x < 2 * s->width; x++, dout += n) {
      int ys[2], xs[2];

      Between(y, s->height, &ys[0], &ys[1]);
      Between(x, s->width, &xs[0], &xs[1]);
      for (int corner = 0; corner < 4; corner++) {
        const Real weight = (Real)((corner / 2 ? 0.25 : 0.75) * (corner % 2 ? 0.25 : 0.75));
        Real      *d      = din + ((size_t)ys[corner / 2] * s->width + xs[corner % 2]) * n;

        for (size_t l = 0; l < n; l += Width<Real>) AT(d + l) += AT_CONST(dout + l) * weight;
      }
    }
  }
}

} // namespace

#define TABLE(Real)                                                         \
  extern const NetworkKernels<Real> NETWORK_KERNELS_NAME(Real, PETLAP_ISA); \
  const NetworkKernels<Real>        NETWORK_KERNELS_NAME(Real, PETLAP_ISA) = {Convolve<Real>, ConvolveWeights<Real>, Normalize<Real>, NormalizeAdjoint<Real>, Pool<Real>, PoolAdjoint<Real>, Upsample<Real>, UpsampleAdjoint<Real>}
TABLE(float);
TABLE(double);
