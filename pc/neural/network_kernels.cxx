/*
  Loops of the network, for the instruction set that this file is compiled for; PETLAP_ISA names it.

  The linker merges inline functions and templates of the same name, whatever instructions they were compiled to. So nothing here comes from a
  header of the C++ library, and everything but the table at the end is local to the file.
*/
#include "pc/neural/network_kernels.h"

namespace petlap {
namespace neural {
namespace {

/* Cells that are worked on at once, so that intermediate results stay in the first-level cache, and what vectors may reach beyond them */
enum { CHUNK = 256, EDGE = 16 };

#if defined(__AVX512F__)
enum { WIDE = 16 };
#elif defined(__AVX__)
enum { WIDE = 8 };
#else
enum { WIDE = 4 };
#endif

typedef long long Integer __attribute__((may_alias));
typedef float     Four __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef float     Vector __attribute__((vector_size(WIDE * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef float     Sixteen __attribute__((vector_size(16 * sizeof(float)), aligned(sizeof(float)), may_alias));

static inline const Vector &At(const float *p)
{
  return *(const Vector *)p;
}

static inline Vector &At(float *p)
{
  return *(Vector *)p;
}

static inline int Least(int a, int b)
{
  return a < b ? a : b;
}

static inline int Most(int a, int b)
{
  return a > b ? a : b;
}

/* The row r of those around */
template <int ROWS>
static inline const float *Row(const float *const plane[3], long row, int r)
{
  return ROWS == 9 ? plane[r / 3] + (r % 3 - 1) * row : plane[r];
}

/* At cells i, ..., i + WIDE - 1; the three entries of a row of a stencil are STEP numbers after those of the row before */
template <int ROWS, int STEP>
static inline Vector ConvolveVector(const float *const plane[3], long row, const float stencil[], long i)
{
  Vector sum[3];

  for (int m = 0; m < 3; m++) {
    sum[m] = stencil[m] * At(Row<ROWS>(plane, row, 0) + i + m - 1);
    for (int r = 1; r < ROWS; r++) sum[m] += stencil[STEP * r + m] * At(Row<ROWS>(plane, row, r) + i + m - 1);
  }
  return sum[1] + (sum[0] + sum[2]);
}

template <int ROWS, int STEP>
static inline void ConvolveRow(int n, const float *const plane[3], long row, const float stencil[], float *__restrict out)
{
  int i = 0;

  for (; i + WIDE <= n; i += WIDE) At(out + i) = ConvolveVector<ROWS, STEP>(plane, row, stencil, i);
  if (i < n) {
    const Vector v = ConvolveVector<ROWS, STEP>(plane, row, stencil, i);

    for (int k = 0; i + k < n; k++) out[i + k] = v[k];
  }
}

template <int ROWS>
static void Convolve(int n, const float *const plane[3], long row, const float stencil[], float *__restrict out)
{
  ConvolveRow<ROWS, 3>(n, plane, row, stencil, out);
}

/* Rows at the same distance are added first, and what a cell gives to both its neighbours is computed once */
template <int ROWS, int COUNT>
static void Symmetric(const Stretch s[], const float *const plane[3], long row, const float c[], float *__restrict out)
{
  float       here[COUNT][CHUNK + 2 * EDGE], aside[COUNT][CHUNK + 4 * EDGE] __attribute__((aligned(64)));
  const float c0 = c[0], c1 = c[1], c2 = c[2], c3 = ROWS == 9 ? c[3] : 0.0f;
  Stretch     all = s[0];

  for (int k = 1; k < COUNT; k++) all = {Least(all.x0, s[k].x0), Most(all.x1, s[k].x1), Least(all.w0, s[k].w0), Most(all.w1, s[k].w1)};
  for (int begin = all.w0; begin < all.w1; begin += CHUNK) {
    const int end = Least(begin + CHUNK, all.w1);
    /* Vectors begin at multiples of their size */
    const int from = (Most(begin, all.x0) - 1) & -EDGE, m = ((Least(end, all.x1) + EDGE) & -EDGE) - from;

    for (int i = 0; i < m; i += WIDE) {
      const float *const p = plane[0] + from + i, *const q = plane[1] + from + i, *const r = plane[2] + from + i;

      if (ROWS == 9) {
        Vector centre[COUNT + 2], pair[COUNT + 2];

        for (int k = 0; k < COUNT + 2; k++) {
          centre[k] = At(q + (k - 1) * row);
          pair[k]   = At(p + (k - 1) * row) + At(r + (k - 1) * row);
        }
        for (int k = 0; k < COUNT; k++) {
          const Vector face = pair[k + 1] + (centre[k] + centre[k + 2]), edge = pair[k] + pair[k + 2];

          At(here[k] + i)         = c0 * centre[k + 1] + c1 * face + c2 * edge;
          At(aside[k] + EDGE + i) = c1 * centre[k + 1] + c2 * face + c3 * edge;
        }
      } else {
        const Vector centre = At(q), face = At(p) + At(r);

        At(here[0] + i)         = c0 * centre + c1 * face;
        At(aside[0] + EDGE + i) = c1 * centre + c2 * face;
      }
    }
    for (int k = 0; k < COUNT; k++) {
      float *const       to = out + k * row;
      const float *const h = here[k] - from, *const a = aside[k] + EDGE - from;
      const int stop = Least(end, s[k].w1);
      int       x    = Most(begin, s[k].w0);

      /* Read for special cells only */
      aside[k][EDGE - 1] = aside[k][EDGE + m] = 0.0f;
      for (; x + WIDE <= stop; x += WIDE) At(to + x) = At(h + x) + (At(a + x - 1) + At(a + x + 1));
      for (; x < stop; x++) to[x] = h[x] + (a[x - 1] + a[x + 1]);
    }
  }
}

/*
  The same after interpolation. Along an axis, a cell has the number near * middle + rest * next, where next is the neighbour of the coarse cell on the side of the
  fine one; and its two neighbours have the sum near * next + middle + rest * far. The stencil is a sum of products of these.
*/
template <int ROWS>
static void Rise(int c0, int c1, const float *const plane[3], long row, float near, const float c[], float *const out[])
{
  enum { PHASES = ROWS == 9 ? 2 : 1, CLASSES = ROWS == 9 ? 3 : 2 };
  float       here[PHASES][CHUNK + 2 * EDGE], before[PHASES][CHUNK + 2 * EDGE], behind[PHASES][CHUNK + 2 * EDGE];
  const float rest = 1.0f - near;
  float       h[CLASSES], b[CLASSES], f[CLASSES];

  /* What the even cell gets from its own coarse cell, from the one before and from the one behind it; for the odd one the last two change places */
  for (int t = 0; t < CLASSES; t++) {
    h[t] = near * c[t] + c[t + 1];
    b[t] = rest * c[t] + near * c[t + 1];
    f[t] = rest * c[t + 1];
  }
  for (int begin = c0; begin < c1; begin += CHUNK) {
    const int n = Least(CHUNK, c1 - begin);

    for (int i = 0; i < n + 2; i += WIDE) {
      const float *const p = plane[0] + begin - 1 + i, *const q = plane[1] + begin - 1 + i, *const r = plane[2] + begin - 1 + i;

      if (ROWS == 9) {
        Vector centre[3], pair[3];

        for (int k = 0; k < 3; k++) {
          const Vector next = At(p + (k - 1) * row), middle = At(q + (k - 1) * row), far = At(r + (k - 1) * row);

          centre[k] = near * middle + rest * next;
          pair[k]   = near * next + (middle + rest * far);
        }
        for (int phase = 0; phase < PHASES; phase++) {
          const int    next = 2 * phase, far = 2 - next;
          const Vector centre2 = near * centre[1] + rest * centre[next], edge = near * pair[next] + (pair[1] + rest * pair[far]);
          const Vector face = (near * pair[1] + rest * pair[next]) + (near * centre[next] + (centre[1] + rest * centre[far]));

          At(here[phase] + i)   = h[0] * centre2 + h[1] * face + h[CLASSES - 1] * edge;
          At(before[phase] + i) = b[0] * centre2 + b[1] * face + b[CLASSES - 1] * edge;
          At(behind[phase] + i) = f[0] * centre2 + f[1] * face + f[CLASSES - 1] * edge;
        }
      } else {
        const Vector next = At(p), middle = At(q), far = At(r), centre = near * middle + rest * next, face = near * next + (middle + rest * far);

        At(here[0] + i)   = h[0] * centre + h[1] * face;
        At(before[0] + i) = b[0] * centre + b[1] * face;
        At(behind[0] + i) = f[0] * centre + f[1] * face;
      }
    }
    for (int phase = 0; phase < PHASES; phase++) {
      const float *const m = here[phase] + 1, *const w = before[phase] + 1, *const v = behind[phase] + 1;
      float *__restrict fine = out[phase] + 2 * begin;

      for (int i = 0; i < n; i++) {
        fine[2 * i]     = m[i] + (w[i - 1] + v[i + 1]);
        fine[2 * i + 1] = m[i] + (w[i + 1] + v[i - 1]);
      }
    }
  }
}

/* The fourth entry of a row of a kernel is zero, but what it was multiplied with may be anything */
static inline float SumOf(Four v)
{
  return v[0] + v[1] + v[2];
}

template <int ROWS>
static inline float Cell(const float *const plane[3], long row, const float k[], long i)
{
  Four sum[3] = {};

  for (int r = 0; r < ROWS; r++) sum[r % 3] += *(const Four *)(k + r * GROUP) * *(const Four *)(Row<ROWS>(plane, row, r) + i - 1);
  return SumOf(sum[0] + sum[1] + sum[2]);
}

/* The lines of a kernel; more of them in three dimensions */
template <int ROWS>
static inline void PrefetchKernel(const float kernels[], int kernel)
{
  const float *const k = kernels + (long)kernel * (ROWS * GROUP);

  for (int i = 0; i < ROWS * GROUP; i += 16) __builtin_prefetch(k + i);
}

template <int ROWS>
static void Singles(int n, const Single singles[], const float *const plane[3], long row, const float kernels[], float *__restrict out)
{
  for (int s = 0; s < n; s++) {
    PrefetchKernel<ROWS>(kernels, singles[s + AHEAD].kernel);
    out[singles[s].at] = Cell<ROWS>(plane, row, kernels + (long)singles[s].kernel * (ROWS * GROUP), singles[s].at);
  }
}

/* What is read for a cell is read for those in the rows beside it as well */
static void Blocks(int n, const Single blocks[], const float *const plane[3], long row, const float kernels[], float *__restrict out)
{
  for (int s = 0; s < n; s++) {
    const float *const k          = kernels + (long)blocks[s].kernel * (9 * GROUP);
    const long         at         = blocks[s].at;
    Four               sum[BLOCK] = {};

    for (int z = 0; z < 3; z++) {
      const float *const in = plane[z] + at - 1, *const e = k + 3 * z * GROUP;

#pragma GCC unroll 6
      for (int y = -1; y <= BLOCK; y++) {
        const Four v = *(const Four *)(in + y * row);

        if (y >= 1) sum[y - 1] += *(const Four *)(e + 2 * GROUP) * v;
        if (y >= 0 && y < BLOCK) sum[y] += *(const Four *)(e + GROUP) * v;
        if (y + 1 < BLOCK) sum[y + 1] += *(const Four *)e * v;
      }
    }
    for (int y = 0; y < BLOCK; y++) out[at + y * row] = SumOf(sum[y]);
  }
}

template <int ROWS>
static void Runs(int n, const Run runs[], const float *const plane[3], long row, const float kernels[], float *__restrict out)
{
  for (int s = 0; s < n; s++) {
    const int          at      = runs[s].at;
    const float *const from[3] = {plane[0] + at, plane[1] + at, plane[2] + at};

    ConvolveRow<ROWS, GROUP>(runs[s].count, from, row, kernels + (long)runs[s].kernel * (ROWS * GROUP), out + at);
  }
}

template <int ROWS>
static void RiseSingles(int n, const RisenSingle singles[], const float *const plane[3], long row, const float kernels[], float *__restrict out)
{
  for (int s = 0; s < n; s++) {
    PrefetchKernel<ROWS>(kernels, singles[s + AHEAD].kernel[0]);
    out[singles[s].to] = Cell<ROWS>(plane, row, kernels + (long)singles[s].kernel[0] * (ROWS * GROUP), singles[s].from);
  }
}

static void RiseTwos(int n, const RisenSingle twos[], const float *const plane[3], long row, const float kernels[], float *__restrict out, int below)
{
  for (int s = 0; s < n; s++) {
    const float *const k[2]      = {kernels + (long)twos[s].kernel[0] * (9 * GROUP), kernels + (long)twos[s].kernel[1] * (9 * GROUP)};
    Four               sum[2][2] = {};

    for (int i = 0; i < 2; i++) PrefetchKernel<9>(kernels, twos[s + AHEAD].kernel[i]);
#pragma GCC unroll 9
    for (int r = 0; r < 9; r++) {
      const Four v = *(const Four *)(Row<9>(plane, row, r) + twos[s].from - 1);

      sum[0][r & 1] += *(const Four *)(k[0] + r * GROUP) * v;
      sum[1][r & 1] += *(const Four *)(k[1] + r * GROUP) * v;
    }
    for (int i = 0; i < 2; i++) out[twos[s].to + i * below] = SumOf(sum[i][0] + sum[i][1]);
  }
}

template <int ROWS>
static void RiseRuns(int n, const RisenRun runs[], const float *const plane[3], long row, const float kernels[], float *__restrict out)
{
  float even[CHUNK + EDGE], odd[CHUNK + EDGE];

  for (int s = 0; s < n; s++) {
    for (int begin = 0; begin < runs[s].pairs; begin += CHUNK) {
      const int          m = Least(CHUNK, runs[s].pairs - begin), at = runs[s].from + begin;
      float *const       fine = out + runs[s].to + 2 * begin;
      const float *const k[2] = {kernels + (long)runs[s].kernel[0] * (ROWS * GROUP), kernels + (long)runs[s].kernel[1] * (ROWS * GROUP)};

      for (int i = 0; i < m; i += WIDE) At(even + i) = ConvolveVector<ROWS, GROUP>(plane, row, k[0], at + i);
      for (int i = 0; i < m; i += WIDE) At(odd + i) = ConvolveVector<ROWS, GROUP>(plane, row, k[1], at + i);
      for (int i = 0; i < m; i++) {
        fine[2 * i]     = even[i];
        fine[2 * i + 1] = odd[i];
      }
    }
  }
}

/* What three entries along an axis give to the coarse cells along it */
static inline void RaiseAxis(Four v[], int step, bool odd, float near, float rest)
{
  const Four low = v[0], middle = v[step], high = v[2 * step];

  if (odd) {
    v[0]        = rest * low;
    v[step]     = near * (low + middle) + rest * high;
    v[2 * step] = near * high + rest * middle;
  } else {
    v[0]        = near * low + rest * middle;
    v[step]     = near * (high + middle) + rest * low;
    v[2 * step] = rest * high;
  }
}

template <int ROWS>
static void Raise(int n, const int slot[], const unsigned active[], float near, const float kernels[], float *__restrict risen)
{
  const float rest = 1.0f - near;

  for (int s = 0; s < n; s++) {
    const float *const k    = kernels + (long)slot[2 * s] * (ROWS * GROUP);
    const unsigned     bits = active[slot[2 * s]];
    const int          odd  = slot[2 * s + 1];
    const Four         low = odd & 1 ? Four{rest, near, 0.0f, 0.0f} : Four{near, rest, 0.0f, 0.0f}, high = odd & 1 ? Four{0.0f, rest, near, 0.0f} : Four{0.0f, near, rest, 0.0f};
    const Four         middle = odd & 1 ? Four{0.0f, near, rest, 0.0f} : Four{rest, near, 0.0f, 0.0f};
    Four               v[ROWS];

    for (int r = 0; r < ROWS; r++) {
      const float *const e = k + r * GROUP;

      v[r] = (bits >> (3 * r) & 1 ? e[0] : 0.0f) * low + (bits >> (3 * r + 1) & 1 ? e[1] : 0.0f) * middle + (bits >> (3 * r + 2) & 1 ? e[2] : 0.0f) * high;
    }
    for (int i = 0; i < ROWS / 3; i++) RaiseAxis(v + i, ROWS / 3, odd & 4, near, rest);
    if (ROWS == 9) {
      for (int i = 0; i < 3; i++) RaiseAxis(v + 3 * i, 1, odd & 2, near, rest);
    }
    for (int r = 0; r < ROWS; r++) *(Four *)(risen + (long)s * (ROWS * GROUP) + r * GROUP) = v[r];
  }
}

template <int ROWS>
static void MakeKernels(int n, int nwindow, const float windows[], const float base[], const float table[], float *__restrict kernels)
{
  enum { ROOM = ROWS * GROUP, SIXTEENS = ROOM / 16, FOURS = (ROOM - 16 * SIXTEENS) / 4 };
  for (int s = 0; s < n; s++) {
    const float *const w = windows + (long)s * nwindow;
    float *const       k = kernels + (long)s * ROOM;
    Sixteen            wide[SIXTEENS + 1];
    Four               narrow[FOURS + 1];

    for (int v = 0; v < SIXTEENS; v++) wide[v] = *(const Sixteen *)(base + 16 * v);
    for (int v = 0; v < FOURS; v++) narrow[v] = *(const Four *)(base + 16 * SIXTEENS + 4 * v);
    for (int q = 0; q < nwindow; q++) {
      const float *const t = table + (long)q * ROOM;

      if (w[q] == 0.0f) continue;
      for (int v = 0; v < SIXTEENS; v++) wide[v] += w[q] * *(const Sixteen *)(t + 16 * v);
      for (int v = 0; v < FOURS; v++) narrow[v] += w[q] * *(const Four *)(t + 16 * SIXTEENS + 4 * v);
    }
    for (int v = 0; v < SIXTEENS; v++) *(Sixteen *)(k + 16 * v) = wide[v];
    for (int v = 0; v < FOURS; v++) *(Four *)(k + 16 * SIXTEENS + 4 * v) = narrow[v];
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
const NetworkKernels        KERNELS_NAME(PETLAP_ISA) = {{Convolve<3>, Convolve<9>},
                                                        {Symmetric<3, 1>, Symmetric<9, 1>},
                                                        Symmetric<9, BLOCK>,
                                                        {Runs<3>, Runs<9>},
                                                        {Singles<3>, Singles<9>},
                                                        Blocks,
                                                        {Rise<3>, Rise<9>},
                                                        {RiseRuns<3>, RiseRuns<9>},
                                                        {RiseSingles<3>, RiseSingles<9>},
                                                        RiseTwos,
                                                        {Raise<3>, Raise<9>},
                                                        {MakeKernels<3>, MakeKernels<9>},
                                                        Pool,
                                                        Combine,
                                                        Leave,
                                                        Enter};

} // namespace neural
} // namespace petlap
