/*
  Dense kernels for fronts: C -= op(A) op(B), Cholesky and LU of the first columns of a front, triangular solves, row exchanges.

  Arrays are column-major. Entries are float, double, or DenseComplex of one of these, which has the layout of std::complex.

  One source file includes this header and is compiled several times, each time with other machine flags, and the program chooses at run time. Everything is
  therefore local to the translation unit: a function shared by two of them would be merged by the linker and might run on a processor that lacks its instructions.
  For the same reason nothing here comes from other headers with templates or inline functions. Those of immintrin.h are always inlined, so they are safe.
*/
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#if defined(__AVX512F__) || defined(__AVX2__)
  #include <immintrin.h>
#endif

#if defined(__clang__)
  #define DENSE_UNROLL _Pragma("clang loop unroll(full)")
#else
  #define DENSE_UNROLL _Pragma("GCC unroll 32")
#endif
#define DENSE_INLINE static inline __attribute__((always_inline))

enum DenseTrans { DENSE_N, DENSE_T, DENSE_C }; /* A, its transpose, its conjugate transpose */
enum DensePart { DENSE_ALL, DENSE_LOWER };     /* all of a matrix, or rows i and columns j with i >= j */

/* The vectors: 24 accumulators where there are 32 registers, 12 where there are 16 */
#if defined(__AVX512F__)
  #define DENSE_BYTES 64
  #define DENSE_MV    3
  #define DENSE_NR    8
#elif defined(__AVX__)
  #define DENSE_BYTES 32
  #define DENSE_MV    3
  #define DENSE_NR    4
#else
  #define DENSE_BYTES 16
  #define DENSE_MV    2
  #define DENSE_NR    4
#endif

/* In blocks of this size along the diagonal, kernels for DENSE_LOWER and DenseCholesky() may overwrite what is above the diagonal */
#define DENSE_TILE 16

template <class R>
struct DenseComplex {
  R re, im;
};

namespace {

typedef double  DenseVd __attribute__((vector_size(DENSE_BYTES)));
typedef float   DenseVf __attribute__((vector_size(DENSE_BYTES)));
typedef int64_t DenseIl __attribute__((vector_size(DENSE_BYTES)));
typedef int32_t DenseIi __attribute__((vector_size(DENSE_BYTES)));
typedef double  DenseUd __attribute__((vector_size(DENSE_BYTES), aligned(8), may_alias));
typedef float   DenseUf __attribute__((vector_size(DENSE_BYTES), aligned(4), may_alias));

template <class R>
struct DenseVec;
template <>
struct DenseVec<double> {
  typedef DenseVd  V;
  typedef DenseUd  U;
  typedef DenseIl  I;
  typedef int64_t  Int;
  static const int lanes = DENSE_BYTES / 8;
};
template <>
struct DenseVec<float> {
  typedef DenseVf  V;
  typedef DenseUf  U;
  typedef DenseIi  I;
  typedef int32_t  Int;
  static const int lanes = DENSE_BYTES / 4;
};

/* comp real numbers make one entry */
template <class T>
struct DenseOf {
  typedef T        R;
  static const int comp = 1;
};
template <class S>
struct DenseOf<DenseComplex<S>> {
  typedef S        R;
  static const int comp = 2;
};

template <class T>
struct DenseSize {
  typedef typename DenseOf<T>::R R;
  static const int               comp  = DenseOf<T>::comp;
  static const int               lanes = DenseVec<R>::lanes;
  static const int               rows  = lanes / comp;                   /* entries in a vector */
  static const int               cols  = DENSE_NR / comp;                /* columns of a tile */
  static const int               tri   = rows > 8 ? rows : 8;            /* rows that are solved for by substitution at a time */
  static const int               inv   = tri * (rows * 2 > tri ? 2 : 3); /* order of the diagonal blocks that are inverted */
  static const int               kc    = 256;                            /* inner length of packed blocks */
  static const int               base  = 96;                             /* order of a triangle that is not split further */
  static const size_t            apack = 512 * 1024 / sizeof(T);         /* packed block of A: half of a second-level cache of 1 MB */
  static const size_t            bpack = (size_t)kc * cols;
  static const size_t            tpack = (size_t)(base + inv) * (base + 2 * inv); /* triangles */
};

/* Entries as scalars */
DENSE_INLINE double DenseAbs1(double a)
{
  return fabs(a);
}
DENSE_INLINE float DenseAbs1(float a)
{
  return fabsf(a);
}
template <class S>
DENSE_INLINE S DenseAbs1(DenseComplex<S> a)
{
  return DenseAbs1(a.re) + DenseAbs1(a.im);
}
template <class S>
DENSE_INLINE S DenseRe(S a)
{
  return a;
}
template <class S>
DENSE_INLINE S DenseRe(DenseComplex<S> a)
{
  return a.re;
}
template <class S>
DENSE_INLINE S DenseConj(S a)
{
  return a;
}
template <class S>
DENSE_INLINE DenseComplex<S> DenseConj(DenseComplex<S> a)
{
  return {a.re, -a.im};
}
template <class S>
DENSE_INLINE S DenseMul(S a, S b)
{
  return a * b;
}
template <class S>
DENSE_INLINE DenseComplex<S> DenseMul(DenseComplex<S> a, DenseComplex<S> b)
{
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class S>
DENSE_INLINE S DenseSub(S a, S b)
{
  return a - b;
}
template <class S>
DENSE_INLINE DenseComplex<S> DenseSub(DenseComplex<S> a, DenseComplex<S> b)
{
  return {a.re - b.re, a.im - b.im};
}
template <class S>
DENSE_INLINE S DenseAdd(S a, S b)
{
  return a + b;
}
template <class S>
DENSE_INLINE DenseComplex<S> DenseAdd(DenseComplex<S> a, DenseComplex<S> b)
{
  return {a.re + b.re, a.im + b.im};
}
template <class S>
DENSE_INLINE S DenseInv(S a)
{
  return 1 / a;
}
/* The larger part divides, so that squares neither overflow nor vanish */
template <class S>
DENSE_INLINE DenseComplex<S> DenseInv(DenseComplex<S> a)
{
  if (DenseAbs1(a.re) >= DenseAbs1(a.im)) {
    S q = a.im / a.re, d = 1 / (a.re + a.im * q);
    return {d, -q * d};
  } else {
    S q = a.re / a.im, d = 1 / (a.re * q + a.im);
    return {q * d, -d};
  }
}
DENSE_INLINE double DenseModulus(double a)
{
  return fabs(a);
}
DENSE_INLINE double DenseModulus(float a)
{
  return fabs((double)a);
}
template <class S>
DENSE_INLINE double DenseModulus(DenseComplex<S> a)
{
  return hypot((double)a.re, (double)a.im);
}
/* A number of modulus r with the sign or phase of a */
template <class S>
DENSE_INLINE S DensePhase(S a, double r)
{
  return (S)(a < 0 ? -r : r);
}
template <class S>
DENSE_INLINE DenseComplex<S> DensePhase(DenseComplex<S> a, double r)
{
  double h = DenseModulus(a);

  if (h > 0) return {(S)(r * (a.re / h)), (S)(r * (a.im / h))};
  return {(S)r, 0};
}
template <class S>
DENSE_INLINE void DenseSet(S *a, double r)
{
  *a = (S)r;
}
template <class S>
DENSE_INLINE void DenseSet(DenseComplex<S> *a, double r)
{
  *a = {(S)r, 0};
}

/* Entries as vectors. A mask holds the first lanes; masked loads and stores do not touch memory beyond it. */
template <class R>
DENSE_INLINE typename DenseVec<R>::V DenseLoad(const R *p)
{
  return *(const typename DenseVec<R>::U *)p;
}
template <class R>
DENSE_INLINE void DenseStore(R *p, typename DenseVec<R>::V v)
{
  *(typename DenseVec<R>::U *)p = v;
}
template <class R>
DENSE_INLINE typename DenseVec<R>::V DenseSplat(R a)
{
  /* Subtracting zero changes nothing, so this is one broadcast; adding it would not be */
  return a - typename DenseVec<R>::V{};
}
#if defined(__AVX512F__)
template <class R>
struct DenseMask {
  uint32_t m;
};
template <class R>
DENSE_INLINE DenseMask<R> DenseFirst(int n)
{
  return {(1u << n) - 1};
}
DENSE_INLINE DenseVd DenseLoad(const double *p, DenseMask<double> m)
{
  return (DenseVd)_mm512_maskz_loadu_pd((__mmask8)m.m, p);
}
DENSE_INLINE DenseVf DenseLoad(const float *p, DenseMask<float> m)
{
  return (DenseVf)_mm512_maskz_loadu_ps((__mmask16)m.m, p);
}
DENSE_INLINE void DenseStore(double *p, DenseVd v, DenseMask<double> m)
{
  _mm512_mask_storeu_pd(p, (__mmask8)m.m, (__m512d)v);
}
DENSE_INLINE void DenseStore(float *p, DenseVf v, DenseMask<float> m)
{
  _mm512_mask_storeu_ps(p, (__mmask16)m.m, (__m512)v);
}
DENSE_INLINE DenseVd DenseFma(DenseVd a, DenseVd b, DenseVd c)
{
  return (DenseVd)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
DENSE_INLINE DenseVf DenseFma(DenseVf a, DenseVf b, DenseVf c)
{
  return (DenseVf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
DENSE_INLINE DenseVd DenseFnma(DenseVd a, DenseVd b, DenseVd c)
{
  return (DenseVd)_mm512_fnmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
DENSE_INLINE DenseVf DenseFnma(DenseVf a, DenseVf b, DenseVf c)
{
  return (DenseVf)_mm512_fnmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
#elif defined(__AVX2__)
template <class R>
struct DenseMask {
  __m256i m;
};
template <class R>
DENSE_INLINE DenseMask<R> DenseFirst(int n)
{
  if (sizeof(R) == 8) return {_mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3))};
  return {_mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))};
}
DENSE_INLINE DenseVd DenseLoad(const double *p, DenseMask<double> m)
{
  return (DenseVd)_mm256_maskload_pd(p, m.m);
}
DENSE_INLINE DenseVf DenseLoad(const float *p, DenseMask<float> m)
{
  return (DenseVf)_mm256_maskload_ps(p, m.m);
}
DENSE_INLINE void DenseStore(double *p, DenseVd v, DenseMask<double> m)
{
  _mm256_maskstore_pd(p, m.m, (__m256d)v);
}
DENSE_INLINE void DenseStore(float *p, DenseVf v, DenseMask<float> m)
{
  _mm256_maskstore_ps(p, m.m, (__m256)v);
}
  #if defined(__FMA__)
DENSE_INLINE DenseVd DenseFma(DenseVd a, DenseVd b, DenseVd c)
{
  return (DenseVd)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
DENSE_INLINE DenseVf DenseFma(DenseVf a, DenseVf b, DenseVf c)
{
  return (DenseVf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
DENSE_INLINE DenseVd DenseFnma(DenseVd a, DenseVd b, DenseVd c)
{
  return (DenseVd)_mm256_fnmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
DENSE_INLINE DenseVf DenseFnma(DenseVf a, DenseVf b, DenseVf c)
{
  return (DenseVf)_mm256_fnmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
  #endif
#else
template <class R>
struct DenseMask {
  int n;
};
template <class R>
DENSE_INLINE DenseMask<R> DenseFirst(int n)
{
  return {n};
}
template <class R>
DENSE_INLINE typename DenseVec<R>::V DenseLoad(const R *p, DenseMask<R> m)
{
  typename DenseVec<R>::V v = {};

  if (m.n == DenseVec<R>::lanes) return DenseLoad(p);
  for (int i = 0; i < m.n; i++) v[i] = p[i];
  return v;
}
template <class R>
DENSE_INLINE void DenseStore(R *p, typename DenseVec<R>::V v, DenseMask<R> m)
{
  if (m.n == DenseVec<R>::lanes)
    DenseStore(p, v);
  else
    for (int i = 0; i < m.n; i++) p[i] = v[i];
}
#endif
#if !defined(__AVX512F__) && !(defined(__AVX2__) && defined(__FMA__))
template <class V>
DENSE_INLINE V DenseFma(V a, V b, V c)
{
  return a * b + c;
}
template <class V>
DENSE_INLINE V DenseFnma(V a, V b, V c)
{
  return c - a * b;
}
#endif

/* Exchanges neighbours: real and imaginary parts */
#if defined(__clang__)
  #if DENSE_BYTES == 64
    #define DENSE_SWAP_D 1, 0, 3, 2, 5, 4, 7, 6
    #define DENSE_SWAP_F 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14
  #elif DENSE_BYTES == 32
    #define DENSE_SWAP_D 1, 0, 3, 2
    #define DENSE_SWAP_F 1, 0, 3, 2, 5, 4, 7, 6
  #else
    #define DENSE_SWAP_D 1, 0
    #define DENSE_SWAP_F 1, 0, 3, 2
  #endif
DENSE_INLINE DenseVd DenseSwap(DenseVd v)
{
  return __builtin_shufflevector(v, v, DENSE_SWAP_D);
}
DENSE_INLINE DenseVf DenseSwap(DenseVf v)
{
  return __builtin_shufflevector(v, v, DENSE_SWAP_F);
}
template <class R>
DENSE_INLINE typename DenseVec<R>::V DenseLane(typename DenseVec<R>::V v, int l)
{
  return DenseSplat<R>(v[l]);
}
#else
DENSE_INLINE DenseIl DenseIota(int64_t)
{
  #if DENSE_BYTES == 64
  return DenseIl{0, 1, 2, 3, 4, 5, 6, 7};
  #elif DENSE_BYTES == 32
  return DenseIl{0, 1, 2, 3};
  #else
  return DenseIl{0, 1};
  #endif
}
DENSE_INLINE DenseIi DenseIota(int32_t)
{
  #if DENSE_BYTES == 64
  return DenseIi{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  #elif DENSE_BYTES == 32
  return DenseIi{0, 1, 2, 3, 4, 5, 6, 7};
  #else
  return DenseIi{0, 1, 2, 3};
  #endif
}
DENSE_INLINE DenseVd DenseSwap(DenseVd v)
{
  return __builtin_shuffle(v, DenseIota((int64_t)0) ^ 1);
}
DENSE_INLINE DenseVf DenseSwap(DenseVf v)
{
  return __builtin_shuffle(v, DenseIota((int32_t)0) ^ 1);
}
template <class R>
DENSE_INLINE typename DenseVec<R>::V DenseLane(typename DenseVec<R>::V v, int l)
{
  return __builtin_shuffle(v, typename DenseVec<R>::I{} + (typename DenseVec<R>::Int)l);
}
#endif
/* even, odd, even, ... */
template <class R>
DENSE_INLINE typename DenseVec<R>::V DenseAlternate(R even, R odd)
{
  typename DenseVec<R>::V v;

  DENSE_UNROLL
  for (int l = 0; l < DenseVec<R>::lanes; l++) v[l] = l % 2 ? odd : even;
  return v;
}
template <class R>
DENSE_INLINE R DenseSum(typename DenseVec<R>::V v, int first, int step)
{
  R s[DenseVec<R>::lanes], sum = 0;

  DenseStore(s, v);
  for (int l = first; l < DenseVec<R>::lanes; l += step) sum += s[l];
  return sum;
}

/*
  The tile: rows in lanes, MV vectors by NR columns, K products accumulated in registers.

  Complex entries need no other loop: the real and the imaginary part of an entry of B are two columns of a real matrix, A times these gives two accumulators, and
  what is then added to C is the first plus i times the second. Conjugates are signs at the end.

  A is at a + k ak + v av for step k and vector v, so it can be a matrix or packed vectors. B is at b + k bk + j (rows, which is also how it is packed), or column j at b + j bj
  (columns).
*/
enum DenseLayout { DENSE_ROWS, DENSE_COLUMNS };
enum DenseFinish { DENSE_SUBTRACT, DENSE_ASSIGN, DENSE_SOLVE }; /* C -= AB, C = AB, C = (C - AB) tri^-1 */

template <class R>
struct DenseTile {
  int       K, n, lanes; /* real columns; lanes of the last vector */
  const R  *a;
  ptrdiff_t ak, av;
  const R  *b;
  ptrdiff_t bk, bj;
  R        *c;
  ptrdiff_t ldc;
  R         sa, sb; /* complex: what multiplies the imaginary part of the sum, and that of B */
  const R  *tri;    /* DENSE_SOLVE: upper triangle by rows, with the reciprocals of its diagonal */
};

template <class T, int MV, int NR, DenseLayout L, DenseFinish E>
static void DenseTileRun(const DenseTile<typename DenseOf<T>::R> *t)
{
  typedef typename DenseOf<T>::R  R;
  typedef typename DenseVec<R>::V V;
  const int                       lanes = DenseVec<R>::lanes, comp = DenseOf<T>::comp, nc = NR / comp;
  const int                       n = t->n, K = t->K;
  const DenseMask<R>              mask = DenseFirst<R>(t->lanes);
  const R                        *a    = t->a, *b[NR];
  const ptrdiff_t                 ak = t->ak, av = t->av, bk = L == DENSE_ROWS ? t->bk : comp, ldc = t->ldc;
  R                              *c = t->c;
  V                               acc[NR][MV];

  DENSE_UNROLL
  for (int j = 0; j < NR; j++) {
    /* Of an odd number of columns the last is computed twice */
    int jj = j == NR - 1 && n < NR ? NR - 2 : j;

    b[j] = L == DENSE_ROWS ? t->b + jj : t->b + (jj / comp) * t->bj + jj % comp;
    DENSE_UNROLL
    for (int v = 0; v < MV; v++) acc[j][v] = V{};
  }
  for (ptrdiff_t k = 0; k < K; k++) {
    V x[MV];

    DENSE_UNROLL
    for (int v = 0; v < MV - 1; v++) x[v] = DenseLoad(a + v * av);
    x[MV - 1] = DenseLoad(a + (MV - 1) * av, mask);
    a += ak;
    DENSE_UNROLL
    for (int j = 0; j < NR; j++) {
      V s = DenseSplat(b[j][k * bk]);

      DENSE_UNROLL
      for (int v = 0; v < MV; v++) acc[j][v] = DenseFma(x[v], s, acc[j][v]);
    }
  }
  if (comp == 2) {
    /* acc[2 j] + i acc[2 j + 1] */
    const V rot = DenseAlternate<R>(-t->sb, t->sb), con = DenseAlternate<R>(1, t->sa);

    DENSE_UNROLL
    for (int j = 0; j < nc; j++) {
      DENSE_UNROLL
      for (int v = 0; v < MV; v++) acc[j][v] = con * DenseFma(rot, DenseSwap(acc[j * comp + comp - 1][v]), acc[j * comp][v]);
    }
  }
  if (E != DENSE_ASSIGN) {
    DENSE_UNROLL
    for (int j = 0; j < nc; j++) {
      if (j * comp < n) {
        DENSE_UNROLL
        for (int v = 0; v < MV - 1; v++) acc[j][v] = DenseLoad(c + j * ldc + v * lanes) - acc[j][v];
        acc[j][MV - 1] = DenseLoad(c + j * ldc + (MV - 1) * lanes, mask) - acc[j][MV - 1];
      }
    }
  }
  if (E == DENSE_SOLVE) {
    const V minus = DenseAlternate<R>(-1, 1);

    DENSE_UNROLL
    for (int j = 0; j < nc; j++) {
      const R *tri = t->tri + (ptrdiff_t)j * nc * comp;

      DENSE_UNROLL
      for (int v = 0; v < MV; v++) {
        V x = acc[j][v] * DenseSplat(tri[j * comp]), y = V{};

        if (comp == 2) {
          x = DenseFma(minus * DenseSwap(acc[j][v]), DenseSplat(tri[j * comp + comp - 1]), x);
          y = minus * DenseSwap(x);
        }
        acc[j][v] = x;
        DENSE_UNROLL
        for (int l = j + 1; l < nc; l++) {
          acc[l][v] = DenseFnma(x, DenseSplat(tri[l * comp]), acc[l][v]);
          if (comp == 2) acc[l][v] = DenseFnma(y, DenseSplat(tri[l * comp + comp - 1]), acc[l][v]);
        }
      }
    }
  }
  DENSE_UNROLL
  for (int j = 0; j < nc; j++) {
    if (j * comp < n) {
      DENSE_UNROLL
      for (int v = 0; v < MV - 1; v++) DenseStore(c + j * ldc + v * lanes, acc[j][v]);
      DenseStore(c + j * ldc + (MV - 1) * lanes, acc[j][MV - 1], mask);
    }
  }
}

/* nv vectors, 1 to DENSE_MV; columns rounded up to an even number */
template <class T, DenseLayout L, DenseFinish E, int NR>
DENSE_INLINE void DenseTileRows(const DenseTile<typename DenseOf<T>::R> *t, int nv)
{
  switch (nv) {
  case 1:
    DenseTileRun<T, 1, NR, L, E>(t);
    break;
  case 2:
    DenseTileRun<T, 2, NR, L, E>(t);
    break;
  default:
    DenseTileRun<T, DENSE_MV, NR, L, E>(t);
  }
}
template <class T, DenseLayout L, DenseFinish E>
DENSE_INLINE void DenseTileColumns(const DenseTile<typename DenseOf<T>::R> *t, int nv)
{
  if (E == DENSE_SOLVE || t->n > DENSE_NR - 2)
    DenseTileRows<T, L, E, DENSE_NR>(t, nv);
  else if (t->n <= 2)
    DenseTileRows<T, L, E, 2>(t, nv);
#if DENSE_NR > 4
  else if (t->n <= 4)
    DenseTileRows<T, L, E, 4>(t, nv);
  else
    DenseTileRows<T, L, E, 6>(t, nv);
#endif
}

/* The vectors of the next tile where left remain: no tile of one vector after one of three */
DENSE_INLINE int DenseTileNext(int left)
{
  return left == DENSE_MV + 1 && DENSE_MV > 2 ? 2 : (left < DENSE_MV ? left : DENSE_MV);
}

/* One strip of at most DENSE_NR real columns: tiles down M entries of a column */
template <class T, DenseLayout L, DenseFinish E>
static void DenseStrip(DenseTile<typename DenseOf<T>::R> *t, int M)
{
  const int lanes = DenseSize<T>::lanes, rows = M * DenseSize<T>::comp, nv = (rows + lanes - 1) / lanes;

  for (int v = 0; v < nv;) {
    int w = DenseTileNext(nv - v);

    t->lanes = v + w == nv ? rows - (nv - 1) * lanes : lanes;
    DenseTileColumns<T, L, E>(t, w);
    t->a += w * t->av;
    t->c += w * lanes;
    v += w;
  }
}

/* Packed A: vectors of rows, each with its K steps one after the other, zeros below the last row */
template <class T>
static void DensePackA(DenseTrans ta, int M, int K, const T *A, ptrdiff_t lda, T *P)
{
  typedef typename DenseOf<T>::R R;
  const int                      lanes = DenseSize<T>::lanes, rows = DenseSize<T>::rows, comp = DenseSize<T>::comp;

  for (int i = 0; i < M; i += rows, P += (ptrdiff_t)K * rows) {
    const int w = M - i < rows ? M - i : rows;

    if (ta == DENSE_N) {
      const R           *a    = (const R *)(A + i);
      R                 *p    = (R *)P;
      const DenseMask<R> mask = DenseFirst<R>(w * comp);

      if (w == rows)
        for (int k = 0; k < K; k++) DenseStore(p + (ptrdiff_t)k * lanes, DenseLoad(a + k * lda * comp));
      else
        for (int k = 0; k < K; k++) DenseStore(p + (ptrdiff_t)k * lanes, DenseLoad(a + k * lda * comp, mask));
    } else {
      for (int l = 0; l < w; l++)
        for (int k = 0; k < K; k++) P[(ptrdiff_t)k * rows + l] = A[k + (i + l) * lda];
      for (int l = w; l < rows; l++)
        for (int k = 0; k < K; k++) P[(ptrdiff_t)k * rows + l] = T{};
    }
  }
}

/* Packed B: a strip by rows, zeros right of the last column. Inlined into its callers it draws false warnings about overflowing loops. */
template <class T>
static __attribute__((noinline)) void DensePackB(DenseTrans tb, int n, int K, const T *B, ptrdiff_t ldb, T *P)
{
  const int cols = DenseSize<T>::cols;

  if (tb == DENSE_N) {
    if (n == cols) {
      for (int k = 0; k < K; k++) {
        DENSE_UNROLL
        for (int j = 0; j < cols; j++) P[(ptrdiff_t)k * cols + j] = B[k + j * ldb];
      }
      return;
    }
    for (int j = 0; j < n; j++)
      for (int k = 0; k < K; k++) P[(ptrdiff_t)k * cols + j] = B[k + j * ldb];
  } else {
    if (n == cols) {
      for (int k = 0; k < K; k++) {
        DENSE_UNROLL
        for (int j = 0; j < cols; j++) P[(ptrdiff_t)k * cols + j] = B[j + k * ldb];
      }
      return;
    }
    for (int k = 0; k < K; k++)
      for (int j = 0; j < n; j++) P[(ptrdiff_t)k * cols + j] = B[j + k * ldb];
  }
  for (int j = n; j < cols; j++)
    for (int k = 0; k < K; k++) P[(ptrdiff_t)k * cols + j] = T{};
}

/* y -= A x, columns of A taken eight (complex: four) at a time */
template <class T, int NC>
static void DenseGemvColumns(int M, const T *A, ptrdiff_t lda, const T *x, T *y)
{
  typedef typename DenseOf<T>::R  R;
  typedef typename DenseVec<R>::V V;
  const int                       comp = DenseOf<T>::comp, lanes = DenseVec<R>::lanes, rows = M * comp;
  const R                        *a = (const R *)A, *xr = (const R *)x;
  R                              *yr  = (R *)y;
  const V                         rot = DenseAlternate<R>(-1, 1);
  V                               re[NC], im[NC];

  DENSE_UNROLL
  for (int j = 0; j < NC; j++) {
    re[j] = DenseSplat(xr[j * comp]);
    im[j] = DenseSplat(xr[j * comp + comp - 1]);
  }
  for (int i = 0; i < rows; i += lanes) {
    V s = V{}, u = V{};

    if (rows - i >= lanes) {
      DENSE_UNROLL
      for (int j = 0; j < NC; j++) {
        V v = DenseLoad(a + i + j * lda * comp);

        if (comp == 2 || j % 2 == 0) s = DenseFma(v, re[j], s);
        if (comp == 2)
          u = DenseFma(v, im[j], u);
        else if (j % 2)
          u = DenseFma(v, re[j], u);
      }
      s = comp == 2 ? DenseFma(rot, DenseSwap(u), s) : s + u;
      DenseStore(yr + i, DenseLoad(yr + i) - s);
    } else {
      const DenseMask<R> mask = DenseFirst<R>(rows - i);

      DENSE_UNROLL
      for (int j = 0; j < NC; j++) {
        V v = DenseLoad(a + i + j * lda * comp, mask);

        s = DenseFma(v, re[j], s);
        if (comp == 2) u = DenseFma(v, im[j], u);
      }
      if (comp == 2) s = DenseFma(rot, DenseSwap(u), s);
      DenseStore(yr + i, DenseLoad(yr + i, mask) - s, mask);
    }
  }
}

/* The same for up to NC columns */
template <class T, int NC>
static void DenseGemvUpTo(int nc, int M, const T *A, ptrdiff_t lda, const T *x, T *y)
{
  if (nc == NC)
    DenseGemvColumns<T, NC>(M, A, lda, x, y);
  else if constexpr (NC > 1)
    DenseGemvUpTo<T, NC - 1>(nc, M, A, lda, x, y);
}

/* C(NI x NJ) -= op(A) B with op not the identity: inner products of columns, steps in lanes */
template <class T, int NI, int NJ>
static void DenseDots(DenseTrans ta, int K, const T *A, ptrdiff_t lda, const T *B, ptrdiff_t ldb, T *C, ptrdiff_t ldc)
{
  typedef typename DenseOf<T>::R  R;
  typedef typename DenseVec<R>::V V;
  const int                       comp = DenseOf<T>::comp, lanes = DenseVec<R>::lanes, steps = K * comp;
  const R                        *a = (const R *)A, *b = (const R *)B;
  V                               s[NI][NJ], u[NI][NJ]; /* a b and, for complex entries, a times b with its parts exchanged */

  DENSE_UNROLL
  for (int i = 0; i < NI; i++) {
    DENSE_UNROLL
    for (int j = 0; j < NJ; j++) s[i][j] = u[i][j] = V{};
  }
  for (int k = 0; k < steps; k += lanes) {
    const bool         full = steps - k >= lanes;
    const DenseMask<R> mask = DenseFirst<R>(full ? lanes : steps - k);
    V                  x[NI];

    DENSE_UNROLL
    for (int i = 0; i < NI; i++) x[i] = DenseLoad(a + k + i * lda * comp, mask);
    DENSE_UNROLL
    for (int j = 0; j < NJ; j++) {
      V y = DenseLoad(b + k + j * ldb * comp, mask), z = V{};

      if (comp == 2) z = DenseSwap(y);
      DENSE_UNROLL
      for (int i = 0; i < NI; i++) {
        s[i][j] = DenseFma(x[i], y, s[i][j]);
        if (comp == 2) u[i][j] = DenseFma(x[i], z, u[i][j]);
      }
    }
  }
  for (int j = 0; j < NJ; j++) {
    for (int i = 0; i < NI; i++) {
      R *c = (R *)(C + i + j * ldc);

      if (comp == 1)
        c[0] -= DenseSum<R>(s[i][j], 0, 1);
      else if (ta == DENSE_C) {
        c[0] -= DenseSum<R>(s[i][j], 0, 1);
        c[comp - 1] -= DenseSum<R>(u[i][j], 0, 2) - DenseSum<R>(u[i][j], 1, 2);
      } else {
        c[0] -= DenseSum<R>(s[i][j], 0, 2) - DenseSum<R>(s[i][j], 1, 2);
        c[comp - 1] -= DenseSum<R>(u[i][j], 0, 1);
      }
    }
  }
}

/* The same for up to NI rows of C */
template <class T, int NI, int NJ>
static void DenseDotsUpTo(int ni, DenseTrans ta, int K, const T *A, ptrdiff_t lda, const T *B, ptrdiff_t ldb, T *C, ptrdiff_t ldc)
{
  if (ni == NI)
    DenseDots<T, NI, NJ>(ta, K, A, lda, B, ldb, C, ldc);
  else if constexpr (NI > 1)
    DenseDotsUpTo<T, NI - 1, NJ>(ni, ta, K, A, lda, B, ldb, C, ldc);
}

/* Pages of memory that n columns touch in one row: more than the processor translates at once are packed */
template <class T>
DENSE_INLINE int DenseSpan(int n, ptrdiff_t ld)
{
  const size_t bytes = (size_t)ld * sizeof(T);

  return bytes >= 4096 ? n : (int)((size_t)n * bytes / 4096);
}

/* The most entries of T that the kernels take as work */
template <class T>
static size_t DenseWorkSize()
{
  return DenseSize<T>::apack + DenseSize<T>::bpack + DenseSize<T>::tpack;
}

template <class T>
static void DenseGemmBlocked(DensePart part, int M, int N, int K, DenseTrans ta, const T *A, ptrdiff_t lda, DenseTrans tb, const T *B, ptrdiff_t ldb, T *C, ptrdiff_t ldc, T *work)
{
  typedef typename DenseOf<T>::R R;
  const int                      comp = DenseSize<T>::comp, rows = DenseSize<T>::rows, lanes = DenseSize<T>::lanes, cols = DenseSize<T>::cols;
  T                             *pa = work, *pb = work + DenseSize<T>::apack;
  DenseTile<R>                   t  = {};
  const bool                     ca = ta == DENSE_C, cb = tb == DENSE_C;
  const bool                     packA = ta != DENSE_N || (N >= 4 * cols && DenseSpan<T>(K, lda) > 40);
  const bool                     packB = tb != DENSE_N && M >= 8 * rows && DenseSpan<T>(K, ldb) > 16;
  const int                      nk = (K + DenseSize<T>::kc - 1) / DenseSize<T>::kc, kc = packA || packB ? (K + nk - 1) / nk : (N <= 2 * cols && K > 64 ? 32 : K);

  t.sa = ca ? -1 : 1;
  t.sb = ca != cb ? -1 : 1;
  for (int k = 0; k < K; k += kc) {
    const int kw = K - k < kc ? K - k : kc;
    int       mc = packA ? (int)(DenseSize<T>::apack / (size_t)kw) / (rows * DENSE_MV) * (rows * DENSE_MV) : M;

    if (mc < M) {
      int nm = (M + mc - 1) / mc;

      mc = ((M + nm - 1) / nm + rows * DENSE_MV - 1) / (rows * DENSE_MV) * (rows * DENSE_MV);
    }
    for (int i = 0; i < M; i += mc) {
      const int iw = M - i < mc ? M - i : mc;

      if (packA) DensePackA(ta, iw, kw, ta == DENSE_N ? A + i + k * lda : A + k + i * lda, lda, pa);
      for (int j = 0; j < N; j += cols) {
        const int jw    = N - j < cols ? N - j : cols;
        int       first = part == DENSE_LOWER && j > i ? j - i : 0;
        const T  *b     = tb == DENSE_N ? B + k + j * ldb : B + j + k * ldb;

        if (packA) first = first / rows * rows;
        if (first >= iw) break;
        t.K   = kw;
        t.n   = jw * comp;
        t.c   = (R *)(C + i + first + j * ldc);
        t.ldc = ldc * comp;
        if (packA) {
          t.a  = (const R *)(pa + (ptrdiff_t)first * kw);
          t.ak = lanes;
          t.av = (ptrdiff_t)kw * lanes;
        } else {
          t.a  = (const R *)(A + i + first + k * lda);
          t.ak = lda * comp;
          t.av = lanes;
        }
        if (packB) {
          DensePackB(tb, jw, kw, b, ldb, pb);
          t.b  = (const R *)pb;
          t.bk = DENSE_NR;
          DenseStrip<T, DENSE_ROWS, DENSE_SUBTRACT>(&t, iw - first);
        } else if (tb == DENSE_N) {
          t.b  = (const R *)b;
          t.bj = ldb * comp;
          DenseStrip<T, DENSE_COLUMNS, DENSE_SUBTRACT>(&t, iw - first);
        } else {
          t.b  = (const R *)b;
          t.bk = ldb * comp;
          DenseStrip<T, DENSE_ROWS, DENSE_SUBTRACT>(&t, iw - first);
        }
      }
    }
  }
}

/*
  C -= op(A) op(B), C is M x N. With DENSE_LOWER only entries on and below the diagonal are right; those above it change in blocks of DENSE_TILE on the diagonal only.
*/
template <class T>
static void DenseGemm(DensePart part, int M, int N, int K, DenseTrans ta, const T *A, ptrdiff_t lda, DenseTrans tb, const T *B, ptrdiff_t ldb, T *C, ptrdiff_t ldc, T *work)
{
  const int comp = DenseSize<T>::comp;

  if (M <= 0 || N <= 0 || K <= 0) return;
  /* Products of factors that come from memory with few vectors: many columns at a time, which the processor then fetches ahead of their use */
  if (N == 1 && ta == DENSE_N) {
    const int nc = 8 / comp;

    for (int k = 0; k < K; k += nc) {
      const int n    = K - k < nc ? K - k : nc;
      T         x[8] = {};

      for (int j = 0; j < n; j++) {
        x[j] = tb == DENSE_N ? B[k + j] : B[(k + j) * ldb];
        if (tb == DENSE_C) x[j] = DenseConj(x[j]);
      }
      DenseGemvUpTo<T, nc>(n, M, A + k * lda, lda, x, C);
    }
    return;
  }
  if (ta != DENSE_N && tb == DENSE_N && N <= 16 && part == DENSE_ALL) {
    const int ni = N < 4 ? 8 / comp : 4 / comp;

    for (int i = 0; i < M; i += ni) {
      const int n = M - i < ni ? M - i : ni;
      int       j = 0;

      for (; j + 4 <= N; j += 4) DenseDotsUpTo<T, 4 / comp, 4>(n, ta, K, A + i * lda, lda, B + j * ldb, ldb, C + i + j * ldc, ldc);
      for (; j < N; j++) DenseDotsUpTo<T, 8 / comp, 1>(n, ta, K, A + i * lda, lda, B + j * ldb, ldb, C + i + j * ldc, ldc);
    }
    return;
  }
  DenseGemmBlocked<T>(part, M, N, K, ta, A, lda, tb, B, ldb, C, ldc, work);
}

/* The entry (i,j) of op(A) */
template <class T>
DENSE_INLINE T DenseEntry(DenseTrans t, const T *A, ptrdiff_t lda, int i, int j)
{
  return t == DENSE_N ? A[i + j * lda] : (t == DENSE_T ? A[j + i * lda] : DenseConj(A[j + i * lda]));
}

/*
  B := op(A)^-1 B for at most tri rows, by substitution in registers. Dividing the columns of the triangle by its diagonal first leaves no division and no product on the
  path from one unknown to the next.
*/
template <class T>
static void DenseSubstitute(bool forward, DenseTrans t, bool unit, int m, int n, const T *A, ptrdiff_t lda, T *B, ptrdiff_t ldb)
{
  typedef typename DenseOf<T>::R  R;
  typedef typename DenseVec<R>::V V;
  const int                       comp = DenseOf<T>::comp, lanes = DenseVec<R>::lanes, rows = lanes / comp, mt = DenseSize<T>::tri, nv = mt / rows;
  const V                         rot = DenseAlternate<R>(-1, 1);
  T                               L[mt * mt], d[mt];
  R                              *l = (R *)L, *dr = (R *)d;
  DenseMask<R>                    mask[nv];

  for (int v = 0; v < nv; v++) {
    int left = m * comp - v * lanes;

    mask[v] = DenseFirst<R>(left < 0 ? 0 : (left < lanes ? left : lanes));
  }
  for (int j = 0; j < mt; j++) {
    T s = T{};

    if (j < m) {
      if (unit)
        DenseSet(&s, 1);
      else
        s = DenseInv(DenseEntry(t, A, lda, j, j));
    }
    d[j] = s;
    for (int i = 0; i < mt; i++) {
      bool in = j < m && i < m && (forward ? i > j : i < j);

      L[i + j * mt] = in ? (unit ? DenseEntry(t, A, lda, i, j) : DenseMul(DenseEntry(t, A, lda, i, j), s)) : T{};
    }
  }
  for (int c = 0; c < n; c++) {
    R *b = (R *)(B + c * ldb);
    V  x[nv];

    DENSE_UNROLL
    for (int v = 0; v < nv; v++) x[v] = DenseLoad(b + v * lanes, mask[v]);
    DENSE_UNROLL
    for (int jj = 0; jj < mt; jj++) {
      const int j  = forward ? jj : mt - 1 - jj;
      V         re = DenseSplat<R>(x[j / rows][j % rows * comp]), im = V{};

      if (comp == 2) im = DenseSplat<R>(x[j / rows][j % rows * comp + comp - 1]);
      DENSE_UNROLL
      for (int v = 0; v < nv; v++) {
        V a = DenseLoad(l + (j * mt * comp + v * lanes));

        x[v] = DenseFnma(a, re, x[v]);
        if (comp == 2) x[v] = DenseFnma(rot * DenseSwap(a), im, x[v]);
      }
    }
    DENSE_UNROLL
    for (int v = 0; v < nv; v++) {
      if (!unit) {
        if (comp == 1)
          x[v] = x[v] * DenseLoad(dr + v * lanes);
        else {
          V a = DenseLoad(dr + v * lanes), re = V{}, im = V{};

          DENSE_UNROLL
          for (int q = 0; q < lanes; q++) {
            re[q] = a[q / 2 * 2];
            im[q] = a[q / 2 * 2 + 1];
          }
          x[v] = DenseFma(x[v], re, rot * DenseSwap(x[v]) * im);
        }
      }
      DenseStore(b + v * lanes, x[v], mask[v]);
    }
  }
}

/* B := op(A)^-1 B for few columns: substitution in blocks of tri rows, everything else by products with columns of A as they lie in memory */
template <class T>
static void DenseTrsmNarrow(bool forward, DenseTrans t, bool unit, int m, int n, const T *A, ptrdiff_t lda, T *B, ptrdiff_t ldb, T *work)
{
  const int mt = DenseSize<T>::tri, nb = (m + mt - 1) / mt;

  for (int bb = 0; bb < nb; bb++) {
    const int i = (forward ? bb : nb - 1 - bb) * mt, w = m - i < mt ? m - i : mt;

    if (t != DENSE_N) {
      if (forward)
        DenseGemm(DENSE_ALL, w, n, i, t, A + i * lda, lda, DENSE_N, B, ldb, B + i, ldb, work);
      else
        DenseGemm(DENSE_ALL, w, n, m - i - w, t, A + i + w + i * lda, lda, DENSE_N, B + i + w, ldb, B + i, ldb, work);
    }
    if (forward)
      DenseSubstitute(true, t, unit, w, n, A + i + i * lda, lda, B + i, ldb);
    else
      DenseSubstitute(false, t, unit, w, n, A + i + i * lda, lda, B + i, ldb);
    if (t == DENSE_N) {
      if (forward)
        DenseGemm(DENSE_ALL, m - i - w, n, w, DENSE_N, A + i + w + i * lda, lda, DENSE_N, B + i, ldb, B + i + w, ldb, work);
      else
        DenseGemm(DENSE_ALL, i, n, w, DENSE_N, A + i * lda, lda, DENSE_N, B + i, ldb, B, ldb, work);
    }
  }
}

/* B := op(A)^-1 B, B is m x n; A is triangular, and nothing is read on its other side, nor on its diagonal if that is unit */
template <class T>
static void DenseTrsm(bool upper, DenseTrans t, bool unit, int m, int n, const T *A, ptrdiff_t lda, T *B, ptrdiff_t ldb, T *work)
{
  typedef typename DenseOf<T>::R R;
  const bool                     forward = upper != (t == DENSE_N);
  const int                      comp = DenseSize<T>::comp, rows = DenseSize<T>::rows, lanes = DenseSize<T>::lanes, cols = DenseSize<T>::cols, base = DenseSize<T>::base, nb = DenseSize<T>::inv;

  if (m <= 0 || n <= 0) return;
  if (n < 16) {
    DenseTrsmNarrow(forward, t, unit, m, n, A, lda, B, ldb, work);
    return;
  }
  if (m > base) {
    const int m1 = (m / 2 + nb - 1) / nb * nb, m2 = m - m1;
    const T  *A22 = A + m1 + m1 * lda, *off = upper ? A + m1 * lda : A + m1;

    if (forward) {
      DenseTrsm(upper, t, unit, m1, n, A, lda, B, ldb, work);
      DenseGemm(DENSE_ALL, m2, n, m1, t, off, lda, DENSE_N, B, ldb, B + m1, ldb, work);
      DenseTrsm(upper, t, unit, m2, n, A22, lda, B + m1, ldb, work);
    } else {
      DenseTrsm(upper, t, unit, m2, n, A22, lda, B + m1, ldb, work);
      DenseGemm(DENSE_ALL, m1, n, m2, t, off, lda, DENSE_N, B + m1, ldb, B, ldb, work);
      DenseTrsm(upper, t, unit, m1, n, A, lda, B, ldb, work);
    }
    return;
  }

  /* The inverses of the diagonal blocks, then strip after strip of B, which stays in the first-level cache */
  const int nblock = (m + nb - 1) / nb;
  T        *inv = work + DenseSize<T>::apack + DenseSize<T>::bpack, *pa = inv + (ptrdiff_t)nblock * nb * nb;

  for (int i = 0, p = 0; i < m; i += nb, p++) {
    const int w = m - i < nb ? m - i : nb;
    T        *X = inv + (ptrdiff_t)p * nb * nb;

    for (int c = 0; c < nb; c++)
      for (int r = 0; r < nb; r++) X[r + c * nb] = T{};
    for (int c = 0; c < w; c++) DenseSet(&X[c + c * nb], 1);
    DenseTrsmNarrow(forward, t, unit, w, w, A + i + i * lda, lda, X, nb, work);
    if (t != DENSE_N) {
      if (forward)
        DensePackA(t, w, i, A + i * lda, lda, pa + (ptrdiff_t)i * m);
      else if (i + nb < m)
        DensePackA(t, w, m - i - nb, A + i + nb + i * lda, lda, pa + (ptrdiff_t)i * m);
    }
  }
  for (int j = 0; j < n; j += cols) {
    const int    jw = n - j < cols ? n - j : cols;
    DenseTile<R> s  = {};

    s.n   = jw * comp;
    s.ldc = s.bj = ldb * comp;
    for (int bb = 0; bb < nblock; bb++) {
      const int p = forward ? bb : nblock - 1 - bb, i = p * nb, w = m - i < nb ? m - i : nb;
      const int k = forward ? 0 : i + nb, K = forward ? i : m - k;

      if (K > 0) {
        s.K  = K;
        s.a  = t == DENSE_N ? (const R *)(A + i + k * lda) : (const R *)(pa + (ptrdiff_t)i * m);
        s.ak = t == DENSE_N ? lda * comp : lanes;
        s.av = t == DENSE_N ? lanes : (ptrdiff_t)K * lanes;
        s.b  = (const R *)(B + k + j * ldb);
        s.c  = (R *)(B + i + j * ldb);
        s.sa = s.sb = 1;
        if (t == DENSE_C) s.sa = s.sb = -1;
        DenseStrip<T, DENSE_COLUMNS, DENSE_SUBTRACT>(&s, w);
      }
      /* Several tiles would overwrite what the next one reads, so the block is copied where it has more than one */
      T block[nb * cols];

      for (int c = 0; c < jw; c++) memcpy(block + c * nb, B + i + (j + c) * ldb, w * sizeof(T));
      s.K  = w;
      s.a  = (const R *)(inv + (ptrdiff_t)p * nb * nb);
      s.ak = nb * comp;
      s.av = lanes;
      s.b  = (const R *)block;
      s.bj = nb * comp;
      s.c  = (R *)(B + i + j * ldb);
      s.sa = s.sb = 1;
      DenseStrip<T, DENSE_COLUMNS, DENSE_ASSIGN>(&s, w);
      s.bj = ldb * comp;
    }
  }
  (void)rows;
}

/* Rows k and ipiv[k] of B (m exchanges, n columns) are exchanged, for k = 0, 1, ... or, if not forward, ..., 1, 0 */
template <class T>
static void DenseSwapRows(int m, int n, T *B, ptrdiff_t ldb, const int *ipiv, bool forward)
{
  for (int j = 0; j < n; j++) {
    T *b = B + j * ldb;

    for (int kk = 0; kk < m; kk++) {
      const int k = forward ? kk : m - 1 - kk, p = ipiv[k];

      if (p != k) {
        T s  = b[k];
        b[k] = b[p];
        b[p] = s;
      }
    }
  }
}

/* X := X U^-1 for r rows: U is upper triangular of order m (DENSE_N), or L^H of a lower triangular L (DENSE_C), or L^T (DENSE_T) */
template <class T>
static void DenseSolveRight(DenseTrans t, bool unit, int r, int m, const T *U, ptrdiff_t ldu, T *X, ptrdiff_t ldx, T *work)
{
  typedef typename DenseOf<T>::R R;
  const int                      comp = DenseSize<T>::comp, lanes = DenseSize<T>::lanes, rows = DenseSize<T>::rows, cols = DenseSize<T>::cols, base = DenseSize<T>::base;
  T                             *tri = work + DenseSize<T>::apack + DenseSize<T>::bpack, *pb = work;

  if (r <= 0 || m <= 0) return;
  if (m > base) {
    const int m1 = (m / 2 + 23) / 24 * 24, m2 = m - m1;

    DenseSolveRight(t, unit, r, m1, U, ldu, X, ldx, work);
    DenseGemm(DENSE_ALL, r, m2, m1, DENSE_N, X, ldx, t, t == DENSE_N ? U + m1 * ldu : U + m1, ldu, X + m1 * ldx, ldx, work);
    DenseSolveRight(t, unit, r, m2, U + m1 + m1 * ldu, ldu, X + m1 * ldx, ldx, work);
    return;
  }
  for (int j = 0; j < m; j += cols) {
    const int jw = m - j < cols ? m - j : cols;
    T        *d  = tri + (ptrdiff_t)j * cols;

    for (int a = 0; a < cols; a++) {
      for (int b = 0; b < cols; b++) {
        T s = T{};

        if (a == b && unit)
          DenseSet(&s, 1);
        else if (a == b && a < jw)
          s = DenseInv(DenseEntry(t, U, ldu, j + a, j + a));
        else if (a < b && b < jw)
          s = DenseEntry(t, U, ldu, j + a, j + b);
        d[a * cols + b] = s;
      }
    }
    if (t == DENSE_N || jw < cols) DensePackB(t, jw, j, t == DENSE_N ? U + j * ldu : U + j, ldu, pb + (ptrdiff_t)j * m);
  }
  for (int i = 0; i < r;) {
    const int    nv = (r - i + rows - 1) / rows, w = DenseTileNext(nv);
    DenseTile<R> s = {};

    s.lanes = w == nv ? (r - i) * comp - (nv - 1) * lanes : lanes;
    s.a     = (const R *)(X + i);
    s.ak = s.ldc = ldx * comp;
    s.av         = lanes;
    s.sa         = 1;
    s.sb         = t == DENSE_C ? -1 : 1;
    for (int j = 0; j < m; j += cols) {
      const int jw = m - j < cols ? m - j : cols;

      s.K   = j;
      s.n   = jw * comp;
      s.c   = (R *)(X + i + j * ldx);
      s.tri = (const R *)(tri + (ptrdiff_t)j * cols);
      if (t == DENSE_N || jw < cols) {
        s.b  = (const R *)(pb + (ptrdiff_t)j * m);
        s.bk = DENSE_NR;
      } else {
        s.b  = (const R *)(U + j);
        s.bk = ldu * comp;
      }
      DenseTileRows<T, DENSE_ROWS, DENSE_SOLVE, DENSE_NR>(&s, w);
    }
    i += w * rows;
  }
}

/* Cholesky of a few columns, entry by entry */
template <class T>
static int DenseCholeskyUnblocked(int m, T *W, ptrdiff_t ld)
{
  typedef typename DenseOf<T>::R R;

  for (int j = 0; j < m; j++) {
    R d = DenseRe(W[j + j * ld]);

    if (!(d > 0) || !(d - d == 0)) return j;
    d = (R)sqrt(d);
    DenseSet(&W[j + j * ld], d);
    d = 1 / d;
    for (int i = j + 1; i < m; i++) {
      T s;

      DenseSet(&s, d);
      W[i + j * ld] = DenseMul(W[i + j * ld], s);
    }
    for (int k = j + 1; k < m; k++) {
      T s = DenseConj(W[k + j * ld]);

      for (int i = k; i < m; i++) W[i + k * ld] = DenseSub(W[i + k * ld], DenseMul(W[i + j * ld], s));
    }
  }
  return -1;
}

template <class T>
static int DenseCholeskySquare(int m, T *W, ptrdiff_t ld, T *work)
{
  if (m > 8) {
    const int m1 = m > 64 ? (m / 2 + 15) / 16 * 16 : (m / 2 + 7) / 8 * 8, m2 = m - m1;
    int       bad;

    bad = DenseCholeskySquare(m1, W, ld, work);
    if (bad >= 0) return bad;
    DenseSolveRight(DENSE_C, false, m2, m1, W, ld, W + m1, ld, work);
    DenseGemm(DENSE_LOWER, m2, m2, m1, DENSE_N, W + m1, ld, DENSE_C, W + m1, ld, W + m1 + m1 * ld, ld, work);
    bad = DenseCholeskySquare(m2, W + m1 + m1 * ld, ld, work);
    return bad >= 0 ? bad + m1 : -1;
  }
  return DenseCholeskyUnblocked(m, W, ld);
}

/*
  Cholesky factorization of the first m columns of a front with f rows, [W; Y]: W = L L^H, Y := Y L^-H. Above the diagonal of W nothing is read, and entries change in blocks
  of DENSE_TILE on the diagonal only. Returns -1, or the first pivot that is not positive (or not finite); the columns from there on are then undefined.
*/
template <class T>
static int DenseCholesky(int m, int f, T *F, ptrdiff_t ld, T *work)
{
  int bad = DenseCholeskySquare(m, F, ld, work);

  if (bad < 0) DenseSolveRight(DENSE_C, false, f - m, m, F, ld, F + m, ld, work);
  return bad;
}

/* The row of the largest |re| + |im| among n entries, and that value; entries that are not numbers are passed over */
template <class T>
static int DenseLargest(int n, const T *a, typename DenseOf<T>::R *value)
{
  typename DenseOf<T>::R best = -1;
  int                    at   = 0;

  for (int i = 0; i < n; i++) {
    typename DenseOf<T>::R s = DenseAbs1(a[i]);

    if (s > best) {
      best = s;
      at   = i;
    }
  }
  *value = best;
  return at;
}

struct DensePivoting {
  double threshold, tiny, replacement;
  int    replaced;
};

/* LU of n columns with at least as many rows. Returns false where a pivot is not finite. */
template <class T>
static bool DenseLUColumns(int m, int n, T *A, ptrdiff_t ld, int *ipiv, DensePivoting *rule, T *work)
{
  typedef typename DenseOf<T>::R R;

  if (n > 8) {
    const int n1 = n > 64 ? (n / 2 + 15) / 16 * 16 : (n / 2 + 7) / 8 * 8, n2 = n - n1;

    if (!DenseLUColumns(m, n1, A, ld, ipiv, rule, work)) return false;
    DenseSwapRows(n1, n2, A + n1 * ld, ld, ipiv, true);
    DenseTrsm(false, DENSE_N, true, n1, n2, A, ld, A + n1 * ld, ld, work);
    DenseGemm(DENSE_ALL, m - n1, n2, n1, DENSE_N, A + n1, ld, DENSE_N, A + n1 * ld, ld, A + n1 + n1 * ld, ld, work);
    if (!DenseLUColumns(m - n1, n2, A + n1 + n1 * ld, ld, ipiv + n1, rule, work)) return false;
    DenseSwapRows(n2, n1, A + n1, ld, ipiv + n1, true);
    for (int i = n1; i < n; i++) ipiv[i] += n1;
    return true;
  }
  for (int j = 0; j < n; j++) {
    R   largest;
    int p = j + DenseLargest(m - j, A + j + j * ld, &largest);
    T   d;

    if ((double)DenseAbs1(A[j + j * ld]) >= rule->threshold * (double)largest) p = j;
    ipiv[j] = p;
    if (p != j) {
      for (int k = 0; k < n; k++) {
        T s           = A[j + k * ld];
        A[j + k * ld] = A[p + k * ld];
        A[p + k * ld] = s;
      }
    }
    d = A[j + j * ld];
    if (!(DenseAbs1(d) - DenseAbs1(d) == 0)) return false;
    if (DenseModulus(d) < rule->tiny) {
      d = A[j + j * ld] = DensePhase(d, rule->replacement);
      rule->replaced++;
    }
    d = DenseInv(d);
    for (int i = j + 1; i < m; i++) A[i + j * ld] = DenseMul(A[i + j * ld], d);
    for (int k = j + 1; k < n; k++) {
      const T s = A[j + k * ld];

      for (int i = j + 1; i < m; i++) A[i + k * ld] = DenseSub(A[i + k * ld], DenseMul(A[i + j * ld], s));
    }
  }
  return true;
}

/*
  LU factorization of the first n columns of a front with f rows, [W; Y] with m >= n rows in W: W = P^-1 L U with unit L, Y := Y U^-1. Rows are exchanged inside W only: row k with
  row ipiv[k] >= k, one after the other, as DenseSwapRows() does it. The diagonal entry stays the pivot where it is at least threshold times the largest of its column. A pivot of
  modulus below tiny is replaced by one of modulus replacement with its sign or phase. Returns how many were, or -1 where a pivot is not finite. For complex entries "largest" and
  "threshold" mean |re| + |im|.
*/
template <class T>
static int DenseLUPanel(int m, int n, int f, T *F, ptrdiff_t ld, int *ipiv, double threshold, double tiny, double replacement, T *work)
{
  DensePivoting rule = {threshold, tiny, replacement, 0};

  if (!DenseLUColumns(m, n, F, ld, ipiv, &rule, work)) return -1;
  DenseSolveRight(DENSE_N, false, f - m, n, F, ld, F + m, ld, work);
  return rule.replaced;
}

/* The same where W is square */
template <class T>
static int DenseLU(int m, int f, T *F, ptrdiff_t ld, int *ipiv, double threshold, double tiny, double replacement, T *work)
{
  return DenseLUPanel(m, m, f, F, ld, ipiv, threshold, tiny, replacement, work);
}

} // namespace
