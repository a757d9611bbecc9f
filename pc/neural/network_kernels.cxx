/*
  Loops of the network, for the instruction set that this file is compiled for; PETLAP_ISA names it.

  The linker merges inline functions and templates of the same name, whatever instructions they were compiled to. So nothing here comes from a
  header of the C++ library, and everything but the table at the end is local to the file.
*/
#include "pc/neural/network_kernels.h"

namespace petlap {
namespace neural {
namespace {

/* Cells that are worked on at once, so that intermediate results stay in the first-level cache */
enum { CHUNK = 512 };

typedef long long Integer __attribute__((may_alias));
typedef float     Four __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef float     Sixteen __attribute__((vector_size(16 * sizeof(float)), aligned(sizeof(float)), may_alias));

/* The row r of those around */
template <int ROWS>
static inline const float *Row(const float *const plane[3], long row, int r)
{
  return ROWS == 9 ? plane[r / 3] + (r % 3 - 1) * row : plane[r];
}

/* The three entries of a row of a stencil are STEP numbers after those of the row before */
template <int ROWS, int STEP>
static inline void ConvolveRow(int n, const float *const plane[3], long row, const float stencil[], float *__restrict out)
{
  const float *in[ROWS];

  for (int r = 0; r < ROWS; r++) in[r] = Row<ROWS>(plane, row, r);
  for (int i = 0; i < n; i++) {
    float sum = 0.0f;

    for (int r = 0; r < ROWS; r++) sum += stencil[STEP * r] * in[r][i - 1] + stencil[STEP * r + 1] * in[r][i] + stencil[STEP * r + 2] * in[r][i + 1];
    out[i] = sum;
  }
}

template <int ROWS>
static void Convolve(int n, const float *const plane[3], long row, const float stencil[], float *__restrict out)
{
  ConvolveRow<ROWS, 3>(n, plane, row, stencil, out);
}

/* Rows at the same distance are added first, and what a cell gives to both its neighbours is computed once */
template <int ROWS>
static void Symmetric(int n, const float *const plane[3], long row, const float c[], float *__restrict out)
{
  float       here[CHUNK + 2], aside[CHUNK + 2];
  const float c0 = c[0], c1 = c[1], c2 = c[2], c3 = ROWS == 9 ? c[3] : 0.0f;

  for (int begin = 0; begin < n; begin += CHUNK) {
    const int          m  = n - begin < CHUNK ? n - begin : CHUNK;
    const float *const p1 = plane[0] + begin - 1, *const p4 = plane[1] + begin - 1, *const p7 = plane[2] + begin - 1;

    if (ROWS == 9) {
      const float *const p0 = p1 - row, *const p2 = p1 + row, *const p3 = p4 - row, *const p5 = p4 + row, *const p6 = p7 - row, *const p8 = p7 + row;

      for (int i = 0; i < m + 2; i++) {
        const float centre = p4[i], face = (p1[i] + p3[i]) + (p5[i] + p7[i]), edge = (p0[i] + p2[i]) + (p6[i] + p8[i]);

        here[i]  = c0 * centre + c1 * face + c2 * edge;
        aside[i] = c1 * centre + c2 * face + c3 * edge;
      }
    } else {
      for (int i = 0; i < m + 2; i++) {
        const float centre = p4[i], face = p1[i] + p7[i];

        here[i]  = c0 * centre + c1 * face;
        aside[i] = c1 * centre + c2 * face;
      }
    }
    for (int i = 0; i < m; i++) out[begin + i] = here[i + 1] + (aside[i] + aside[i + 2]);
  }
}

template <int ROWS>
static void SpecialCells(int n, const int runs[], const float *const plane[3], long row, const float kernels[], float *__restrict out)
{
  for (int s = 0; s < n; s++) {
    const int          x = runs[3 * s], count = runs[3 * s + 1];
    const float *const k       = kernels + (long)runs[3 * s + 2] * (ROWS * GROUP);
    const float *const from[3] = {plane[0] + x, plane[1] + x, plane[2] + x};

    if (count > 2) {
      ConvolveRow<ROWS, GROUP>(count, from, row, k, out + x);
      continue;
    }
    for (int i = 0; i < count; i++) {
      Four sum[3] = {};

      for (int r = 0; r < ROWS; r++) sum[r % 3] += *(const Four *)(k + r * GROUP) * *(const Four *)(Row<ROWS>(from, row, r) + i - 1);
      sum[0] += sum[1] + sum[2];
      /* The fourth entry of a kernel is zero, but what it was multiplied with may be anything */
      out[x + i] = sum[0][0] + sum[0][1] + sum[0][2];
    }
  }
}

template <int ROWS>
static void MakeKernels(int n, int nwindow, const float windows[], const float base[], const float table[], float *__restrict kernels)
{
  enum { ROOM = ROWS * GROUP, WIDE = ROOM / 16, NARROW = (ROOM - 16 * WIDE) / 4 };
  for (int s = 0; s < n; s++) {
    const float *const w = windows + (long)s * nwindow;
    float *const       k = kernels + (long)s * ROOM;
    Sixteen            wide[WIDE + 1];
    Four               narrow[NARROW + 1];

    for (int v = 0; v < WIDE; v++) wide[v] = *(const Sixteen *)(base + 16 * v);
    for (int v = 0; v < NARROW; v++) narrow[v] = *(const Four *)(base + 16 * WIDE + 4 * v);
    for (int q = 0; q < nwindow; q++) {
      const float *const t = table + (long)q * ROOM;

      if (w[q] == 0.0f) continue;
      for (int v = 0; v < WIDE; v++) wide[v] += w[q] * *(const Sixteen *)(t + 16 * v);
      for (int v = 0; v < NARROW; v++) narrow[v] += w[q] * *(const Four *)(t + 16 * WIDE + 4 * v);
    }
    for (int v = 0; v < WIDE; v++) *(Sixteen *)(k + 16 * v) = wide[v];
    for (int v = 0; v < NARROW; v++) *(Four *)(k + 16 * WIDE + 4 * v) = narrow[v];
  }
}

static void Pool(int n, int nrows, const float *const in[], float *__restrict coarse)
{
  if (nrows == 4) {
    const float *const a = in[0], *const b = in[1], *const c = in[2], *const d = in[3];

    for (int i = 0; i < n; i++) coarse[i] = 0.125f * (((a[2 * i] + a[2 * i + 1]) + (b[2 * i] + b[2 * i + 1])) + ((c[2 * i] + c[2 * i + 1]) + (d[2 * i] + d[2 * i + 1])));
  } else {
    const float *const a = in[0], *const b = in[1];

    for (int i = 0; i < n; i++) coarse[i] = 0.25f * ((a[2 * i] + a[2 * i + 1]) + (b[2 * i] + b[2 * i + 1]));
  }
}

static void Interpolate(int n, int nrows, const float *const in[], const float w[], float *__restrict fine)
{
  float sum[CHUNK + 2];

  for (int begin = 0; begin < n; begin += CHUNK) {
    const int m = n - begin < CHUNK ? n - begin : CHUNK;

    if (nrows == 4) {
      const float *const a = in[0] + begin - 1, *const b = in[1] + begin - 1, *const c = in[2] + begin - 1, *const d = in[3] + begin - 1;

      for (int i = 0; i < m + 2; i++) sum[i] = (w[0] * a[i] + w[1] * b[i]) + (w[2] * c[i] + w[3] * d[i]);
    } else {
      const float *const a = in[0] + begin - 1, *const b = in[1] + begin - 1;

      for (int i = 0; i < m + 2; i++) sum[i] = w[0] * a[i] + w[1] * b[i];
    }
    for (int i = 0; i < m; i++) {
      const float t = 0.75f * sum[i + 1];

      fine[2 * (begin + i)]     = t + 0.25f * sum[i];
      fine[2 * (begin + i) + 1] = t + 0.25f * sum[i + 2];
    }
  }
}

static void Repeat(int n, const float in[], float *__restrict fine)
{
  for (int i = 0; i < n; i++) fine[2 * i] = fine[2 * i + 1] = in[i];
}

static void Combine(int n, float c, const float y[], float *__restrict x)
{
  for (int i = 0; i < n; i++) x[i] = c * x[i] + y[i];
}

static void Leave(int n, double scale, float c, const float x[], const float y[], double *__restrict z)
{
  for (int i = 0; i < n; i++) z[i] = scale * (double)(c * x[i] + y[i]);
}

static double Enter(int n, double scale, const double r[], float *__restrict x)
{
  /* As integers, absolute values have the same order, and a NaN is above all numbers */
  const Integer *const bits = (const Integer *)r;
  Integer              most = 0;
  union {
    Integer i;
    double  d;
  } result;

  for (int i = 0; i < n; i++) {
    const Integer a = bits[i] & 0x7fffffffffffffffLL;

    most = a > most ? a : most;
    x[i] = (float)(scale * r[i]);
  }
  result.i = most;
  return result.d;
}

} // namespace

#define KERNELS_NAME2(isa) NetworkKernels_##isa
#define KERNELS_NAME(isa)  KERNELS_NAME2(isa)

extern const NetworkKernels KERNELS_NAME(PETLAP_ISA);
const NetworkKernels        KERNELS_NAME(PETLAP_ISA) = {{Convolve<3>, Convolve<9>}, {Symmetric<3>, Symmetric<9>}, {SpecialCells<3>, SpecialCells<9>}, {MakeKernels<3>, MakeKernels<9>}, Pool, Interpolate, Repeat, Combine, Leave, Enter};

} // namespace neural
} // namespace petlap
