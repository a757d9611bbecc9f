/*
  The executors of a factorization, for the instruction set that this file is compiled for; PETLAP_ISA names it.

  The linker merges inline functions and templates of the same name, whatever instructions they were compiled to. So nothing here comes from a
  header of the C++ library, and everything but the tables at the end is local to the file.
*/
#include "mat/schwarzschur/factor.h"
#include "mat/schwarzschur/dense.h"

namespace {

#if defined(__AVX512F__)
enum { VECTOR = 64, TILE_M = 4, TILE_N = 6, TILE_CM = 2, TILE_CN = 5 };
#elif defined(__AVX__)
enum { VECTOR = 32, TILE_M = 3, TILE_N = 4, TILE_CM = 2, TILE_CN = 2 };
#else
enum { VECTOR = 16, TILE_M = 3, TILE_N = 4, TILE_CM = 2, TILE_CN = 2 };
#endif

typedef double  PackDouble __attribute__((vector_size(VECTOR)));
typedef float   PackFloat __attribute__((vector_size(VECTOR)));
typedef int64_t MaskDouble __attribute__((vector_size(VECTOR)));
typedef int32_t MaskFloat __attribute__((vector_size(VECTOR)));

/* What V lanes hold of one number */
template <class R>
struct RealLanes;
template <>
struct RealLanes<double> {
  typedef PackDouble pack;
  typedef MaskDouble mask;
  typedef int64_t    index;
};
template <>
struct RealLanes<float> {
  typedef PackFloat pack;
  typedef MaskFloat mask;
  typedef int32_t   index;
};

template <class R>
struct PackComplex {
  typename RealLanes<R>::pack re, im;
};

template <class T>
struct Lanes {
  typedef T                           real;
  typedef typename RealLanes<T>::pack pack;
  typedef typename RealLanes<T>::pack rpack;
  typedef typename RealLanes<T>::mask mask;
  enum { V = VECTOR / sizeof(T), M = TILE_M, N = TILE_N };
};
template <class R>
struct Lanes<DenseComplex<R>> {
  typedef R                           real;
  typedef PackComplex<R>              pack;
  typedef typename RealLanes<R>::pack rpack;
  typedef typename RealLanes<R>::mask mask;
  enum { V = VECTOR / sizeof(R), M = TILE_CM, N = TILE_CN };
};

/* Arithmetic that numbers and packs of them share */
template <class E>
inline E Zero()
{
  return E{};
}
template <class E>
inline void AddTo(E &a, const E &b)
{
  a += b;
}
template <class R>
inline void AddTo(DenseComplex<R> &a, const DenseComplex<R> &b)
{
  a.re += b.re;
  a.im += b.im;
}
template <class R>
inline void AddTo(PackComplex<R> &a, const PackComplex<R> &b)
{
  a.re += b.re;
  a.im += b.im;
}
template <class E>
inline E Conj(const E &a)
{
  return a;
}
template <class R>
inline DenseComplex<R> Conj(const DenseComplex<R> &a)
{
  return {a.re, -a.im};
}
template <class R>
inline PackComplex<R> Conj(const PackComplex<R> &a)
{
  return {a.re, -a.im};
}
template <class E>
inline void SubMul(E &c, const E &a, const E &b)
{
  c -= a * b;
}
template <class R>
inline void SubMul(PackComplex<R> &c, const PackComplex<R> &a, const PackComplex<R> &b)
{
  c.re -= a.re * b.re;
  c.re += a.im * b.im;
  c.im -= a.re * b.im;
  c.im -= a.im * b.re;
}
template <class E>
inline E Mul(const E &a, const E &b)
{
  return a * b;
}
template <class R>
inline PackComplex<R> Mul(const PackComplex<R> &a, const PackComplex<R> &b)
{
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class E>
inline E Reciprocal(const E &a)
{
  return (E{} + 1) / a;
}
template <class R>
inline PackComplex<R> Reciprocal(const PackComplex<R> &a)
{
  const typename RealLanes<R>::pack s = 1 / (a.re * a.re + a.im * a.im);

  return {a.re * s, -a.im * s};
}
/* A measure of size for pivoting: the modulus, or the sum of the moduli of both parts */
template <class P>
inline P Size(const P &a)
{
  return a < 0 ? -a : a;
}
template <class R>
inline typename RealLanes<R>::pack Size(const PackComplex<R> &a)
{
  return Size(a.re) + Size(a.im);
}
template <class P>
inline P Real(const P &a)
{
  return a;
}
template <class R>
inline typename RealLanes<R>::pack Real(const PackComplex<R> &a)
{
  return a.re;
}
template <class P, class M>
inline P Select(M mask, const P &a, const P &b)
{
  return mask ? a : b;
}
template <class R, class M>
inline PackComplex<R> Select(M mask, const PackComplex<R> &a, const PackComplex<R> &b)
{
  return {mask ? a.re : b.re, mask ? a.im : b.im};
}
template <class P, class Q>
inline void Scale(P &a, const Q &s)
{
  a *= s;
}
template <class R>
inline void Scale(PackComplex<R> &a, const typename RealLanes<R>::pack &s)
{
  a.re *= s;
  a.im *= s;
}
template <class M>
inline bool Any(const M &mask)
{
  bool any = false;

  for (unsigned l = 0; l < sizeof(mask) / sizeof(mask[0]); l++) any = any || mask[l];
  return any;
}
inline double SquareRoot(double x)
{
  return __builtin_sqrt(x);
}
inline float SquareRoot(float x)
{
  return __builtin_sqrtf(x);
}

/* Lane l of a pack */
template <class T>
inline void SetLane(T *p, int l, T v)
{
  p[l] = v;
}
template <class T>
inline T GetLane(const T *p, int l)
{
  return p[l];
}
template <class R>
inline void SetLane(DenseComplex<R> *p, int l, DenseComplex<R> v)
{
  ((R *)p)[l]                             = v.re;
  ((R *)p)[l + Lanes<DenseComplex<R>>::V] = v.im;
}
template <class R>
inline DenseComplex<R> GetLane(const DenseComplex<R> *p, int l)
{
  return {((const R *)p)[l], ((const R *)p)[l + Lanes<DenseComplex<R>>::V]};
}

#if defined(PETSC_USE_COMPLEX)
typedef DenseComplex<double> Value;
template <class T>
inline T Convert(Value v)
{
  return {(typename Lanes<T>::real)v.re, (typename Lanes<T>::real)v.im};
}
template <class T>
inline Value Widen(T v)
{
  return {(double)v.re, (double)v.im};
}
#else
typedef double Value;
template <class T>
inline T Convert(Value v)
{
  return (T)v;
}
template <class T>
inline Value Widen(T v)
{
  return (Value)v;
}
#endif

/* ---- extend-add: what the children leave to a front ---- */

template <class E>
inline void Gather(E *dst, int n, int nsrc, const E *const src[2], const ptrdiff_t step[2], bool conj[2])
{
  if (!nsrc) {
    for (int i = 0; i < n; i++) dst[i] = Zero<E>();
  } else if (nsrc == 1) {
    const E        *s = src[0];
    const ptrdiff_t k = step[0];

    if (k == 1) {
      for (int i = 0; i < n; i++) dst[i] = s[i];
    } else if (conj[0]) {
      for (int i = 0; i < n; i++) dst[i] = Conj(s[i * k]);
    } else {
      for (int i = 0; i < n; i++) dst[i] = s[i * k];
    }
  } else {
    for (int i = 0; i < n; i++) {
      E a = src[0][i * step[0]], b = src[1][i * step[1]];

      if (conj[0]) a = Conj(a);
      if (conj[1]) b = Conj(b);
      AddTo(a, b);
      dst[i] = a;
    }
  }
}

/*
  Rows of the segments [s0, s1) of front column j, which lies in segment sj; dst is where row 0 of the front would be. With lower, only rows
  from j on, and the children's blocks hold their lower halves only, whose order may be another.
*/
template <class E>
inline void AssembleColumn(const FactorClass *c, bool lower, bool hermitian, int sj, int j, int s0, int s1, E *dst, const E *const D[2], const int ld[2])
{
  const FactorSegment *col = &c->segment[sj];

  for (int s = s0; s < s1; s++) {
    const FactorSegment *seg  = &c->segment[s];
    const int            skip = lower && seg->at < j ? j - seg->at : 0;
    const E             *src[2];
    ptrdiff_t            step[2];
    bool                 conj[2];
    int                  nsrc = 0;

    if (skip >= seg->n) continue;
    for (int k = 0; k < 2; k++) {
      if (col->src[k] < 0 || seg->src[k] < 0) continue;
      const ptrdiff_t ci = seg->src[k] + skip, cj = col->src[k] + j - col->at;
      const bool      flip = lower && seg->src[k] < col->src[k];

      src[nsrc]    = flip ? D[k] + cj + ci * ld[k] : D[k] + ci + cj * ld[k];
      step[nsrc]   = flip ? ld[k] : 1;
      conj[nsrc++] = flip && hermitian;
    }
    Gather(dst + seg->at + skip, seg->n - skip, nsrc, src, step, conj);
  }
}

/* Blocks whose rows are columns of the source are turned in tiles that the cache holds */
template <class T>
inline void GatherFlipped(T *dst, ptrdiff_t ldd, int rows, int cols, const T *src, ptrdiff_t lds, bool conj, bool add)
{
  enum { TILE = 16 };

  for (int i0 = 0; i0 < rows; i0 += TILE) {
    const int in = rows - i0 < TILE ? rows - i0 : (int)TILE;

    for (int j0 = 0; j0 < cols; j0 += TILE) {
      const int jn = cols - j0 < TILE ? cols - j0 : (int)TILE;

      for (int j = j0; j < j0 + jn; j++) {
        T       *d = dst + i0 + j * ldd;
        const T *s = src + j + i0 * lds;

        for (int i = 0; i < in; i++) {
          T v = conj ? Conj(s[i * lds]) : s[i * lds];

          if (add)
            AddTo(d[i], v);
          else
            d[i] = v;
        }
      }
    }
  }
}

/* Columns [j0, j0 + n) of a front and the rows of the segments [s0, s1), like AssembleColumn(), by blocks */
template <class T>
inline void AssembleColumns(const FactorClass *c, bool lower, bool hermitian, int j0, int n, int s0, int s1, T *dst, ptrdiff_t ldd, const T *const D[2], const int ld[2])
{
  for (int sj = 0; sj < c->nsegment; sj++) {
    const FactorSegment *col = &c->segment[sj];
    const int            jb = col->at > j0 ? col->at : j0, je = col->at + col->n < j0 + n ? col->at + col->n : j0 + n;

    if (jb >= je) continue;
    for (int s = s0; s < s1; s++) {
      const FactorSegment *seg  = &c->segment[s];
      int                  nsrc = 0;

      if (lower && seg->at + seg->n <= jb) continue;
      if (lower && seg->at < je) { /* on the diagonal */
        for (int j = jb; j < je; j++) AssembleColumn(c, lower, hermitian, sj, j, s, s + 1, dst + (ptrdiff_t)j * ldd, D, ld);
        continue;
      }
      for (int k = 0; k < 2; k++) {
        if (col->src[k] < 0 || seg->src[k] < 0) continue;
        const ptrdiff_t ci = seg->src[k], cj = col->src[k] + jb - col->at;
        T              *to = dst + seg->at + (ptrdiff_t)jb * ldd;

        if (lower && seg->src[k] < col->src[k]) {
          GatherFlipped(to, ldd, seg->n, je - jb, D[k] + cj + ci * ld[k], ld[k], hermitian, nsrc > 0);
        } else {
          for (int j = 0; j < je - jb; j++) {
            const T *src = D[k] + ci + (cj + j) * ld[k];
            T       *d   = to + j * ldd;

            if (nsrc) {
              for (int i = 0; i < seg->n; i++) AddTo(d[i], src[i]);
            } else {
              for (int i = 0; i < seg->n; i++) d[i] = src[i];
            }
          }
        }
        nsrc++;
      }
      if (!nsrc) {
        for (int j = jb; j < je; j++) {
          T *d = dst + seg->at + (ptrdiff_t)j * ldd;

          for (int i = 0; i < seg->n; i++) d[i] = Zero<T>();
        }
      }
    }
  }
}

/* The entries of A that enter a front, into its columns [0, m) and, for LU, its rows [0, m) */
template <class T, class E, int V>
inline void AssembleEntries(const FactorData *data, const FactorClass *c, const PetscInt *origin, int nlane, E *F, E *Z)
{
  const PlanClass *p   = c->plan;
  const int        dof = data->plan->grid.dof, f = c->f, m = c->m;
  const bool       slots = data->values.slots;
  const Value     *aa    = (const Value *)data->values.aa;
  const PetscInt  *ai    = data->values.ai;
  const int        nrow  = data->mode == FACTOR_LU ? p->nrow : p->nsrow;
  const Value     *at[V];

  for (int k = 0; k < nrow; k++) {
    const PlanRow *row = &p->row[k];

    for (int a = 0; a < dof; a++) {
      const int i = row->row * dof + a;

      for (int l = 0; l < V; l++) at[l] = aa + ai[(origin[l < nlane ? l : 0] + row->offset) * dof + a];
      for (int e = row->first; e < row->first + row->n; e++) {
        const PlanEntry *entry = &p->entry[e];
        const ptrdiff_t  from  = (ptrdiff_t)(slots ? entry->slot : entry->rank) * dof;

        for (int b = 0; b < dof; b++) {
          const int j = entry->col * dof + b;
          E        *to;
          bool      conj = false;

          if (data->mode == FACTOR_LU)
            to = j < m ? F + i + (ptrdiff_t)j * f : Z + i + (ptrdiff_t)(j - m) * m;
          else if (j < i)
            continue;
          else {
            to   = F + j + (ptrdiff_t)i * f;
            conj = data->hermitian;
          }
          for (int l = 0; l < V; l++) {
            const T v = Convert<T>(at[l][from + b]), u = conj ? Conj(v) : v;

            if constexpr (sizeof(E) == sizeof(T)) {
              AddTo(*to, u);
            } else {
              T w = GetLane((T *)to, l);

              AddTo(w, u);
              SetLane((T *)to, l, w);
            }
          }
        }
      }
    }
  }
}

/* ---- V fronts at once ---- */

enum LaneOp { LANE_PLAIN, LANE_CONJ_B, LANE_TRANS_A, LANE_HERM_A }; /* A B, A conj(B), A^T B, A^H B */

template <class P, int M, int N, LaneOp OP>
inline void LaneTile(int K, const P *A, ptrdiff_t lda, const P *B, ptrdiff_t bk, ptrdiff_t bn, P *C, ptrdiff_t ldc)
{
  const ptrdiff_t am = OP >= LANE_TRANS_A ? lda : 1, ak = OP >= LANE_TRANS_A ? 1 : lda;
  P               c[N][M];

  for (int n = 0; n < N; n++) {
    for (int m = 0; m < M; m++) c[n][m] = C[m + n * ldc];
  }
  for (int k = 0; k < K; k++) {
    P a[M];

    for (int m = 0; m < M; m++) a[m] = OP == LANE_HERM_A ? Conj(A[m * am + k * ak]) : A[m * am + k * ak];
    for (int n = 0; n < N; n++) {
      const P b = OP == LANE_CONJ_B ? Conj(B[k * bk + n * bn]) : B[k * bk + n * bn];

      for (int m = 0; m < M; m++) SubMul(c[n][m], a[m], b);
    }
  }
  for (int n = 0; n < N; n++) {
    for (int m = 0; m < M; m++) C[m + n * ldc] = c[n][m];
  }
}

template <class P, int M, int N, LaneOp OP>
inline void LaneRows(int rows, int K, const P *A, ptrdiff_t lda, const P *B, ptrdiff_t bk, ptrdiff_t bn, P *C, ptrdiff_t ldc)
{
  const ptrdiff_t am = OP >= LANE_TRANS_A ? lda : 1;
  int             i  = 0;

  for (; i + M <= rows; i += M) LaneTile<P, M, N, OP>(K, A + i * am, lda, B, bk, bn, C + i, ldc);
  if constexpr (M > 2) {
    if (rows - i == 3) LaneTile<P, 3, N, OP>(K, A + i * am, lda, B, bk, bn, C + i, ldc);
    if (rows - i == 2) LaneTile<P, 2, N, OP>(K, A + i * am, lda, B, bk, bn, C + i, ldc);
  }
  if (rows - i == 1) LaneTile<P, 1, N, OP>(K, A + i * am, lda, B, bk, bn, C + i, ldc);
}

/* C (rows x cols) -= A B, where B(k, n) = B[k bk + n bn] */
template <class P, LaneOp OP>
inline void LaneGemm(int rows, int cols, int K, const P *A, ptrdiff_t lda, const P *B, ptrdiff_t bk, ptrdiff_t bn, P *C, ptrdiff_t ldc)
{
  enum { M = sizeof(P) > VECTOR ? TILE_CM : TILE_M, N = sizeof(P) > VECTOR ? TILE_CN : TILE_N };
  int j = 0;

  for (; j + N <= cols; j += N) LaneRows<P, M, N, OP>(rows, K, A, lda, B + j * bn, bk, bn, C + j * ldc, ldc);
  for (; j + 2 <= cols; j += 2) LaneRows<P, M, 2, OP>(rows, K, A, lda, B + j * bn, bk, bn, C + j * ldc, ldc);
  for (; j < cols; j++) LaneRows<P, M, 1, OP>(rows, K, A, lda, B + j * bn, bk, bn, C + j * ldc, ldc);
}

/* The smallest pivot that one lane has met beside the largest, or beside the largest entry of the matrix, as a hint at a singular one */
template <class RP>
inline void PivotRatio(const RP &least, const RP &most, double norm, FactorThread *thread)
{
  for (unsigned l = 0; l < sizeof(RP) / sizeof(least[0]); l++) {
    const double largest = most[l] > norm ? (double)most[l] : norm;

    if (least[l] < thread->ratio * largest) thread->ratio = (double)least[l] / largest;
  }
}

/*
  LU of W with row exchanges inside W where a lane needs them; Z's rows move along. Returns reciprocals of the pivots in inverse.
*/
template <class T>
void LaneLU(const FactorData *data, int m, int r, typename Lanes<T>::pack *W, ptrdiff_t ld, typename Lanes<T>::pack *Z, int *pivot, typename Lanes<T>::pack *inverse, int nlane, FactorThread *thread)
{
  typedef typename Lanes<T>::pack  P;
  typedef typename Lanes<T>::rpack RP;
  typedef typename Lanes<T>::mask  Mask;
  typedef typename Lanes<T>::real  R;
  enum { V = Lanes<T>::V };
  const R threshold = (R)data->threshold, tiny = (R)data->tiny, replacement = (R)data->replacement;
  bool    moved = false;
  RP      least = RP{}, largest = RP{};

  for (int k = 0; k < m; k++) {
    P   *wk   = W + k * ld;
    RP   size = Size(wk[k]), most = RP{};
    Mask best = Mask{} + k;

    for (int i = k + 1; i < m; i++) {
      const RP   s    = Size(wk[i]);
      const Mask more = s > most;

      most = more ? s : most;
      best = more ? Mask{} + i : best;
    }
    const Mask change = size < threshold * most;
    best              = change ? best : Mask{} + k;
    if (Any(change)) {
      moved = true;
      for (int i = k + 1; i < m; i++) {
        const Mask here = best == i;

        if (!Any(here)) continue;
        for (int j = 0; j < m; j++) {
          const P a = W[k + j * ld], b = W[i + j * ld];

          W[k + j * ld] = Select(here, b, a);
          W[i + j * ld] = Select(here, a, b);
        }
        for (int j = 0; j < r; j++) {
          const P a = Z[k + j * m], b = Z[i + j * m];

          Z[k + j * m] = Select(here, b, a);
          Z[i + j * m] = Select(here, a, b);
        }
      }
      size = Size(wk[k]);
    }
    for (int l = 0; l < V; l++) pivot[1 + k * V + l] = (int)best[l];
    const Mask small = !(size >= tiny);
    if (Any(small)) {
      for (int l = 0; l < V; l++) {
        if (!small[l]) continue;
        T w = GetLane((T *)&wk[k], l);

        if (size[l] != size[l])
          thread->failed = 2;
        else if (l < nlane)
          thread->replaced++;
        if constexpr (sizeof(T) == sizeof(R)) {
          w = *(R *)&w < 0 ? -replacement : replacement;
        } else {
          w.re = w.re < 0 ? -replacement : replacement;
          w.im = 0;
        }
        SetLane((T *)&wk[k], l, w);
      }
    }
    size       = Size(wk[k]);
    least      = k ? (size < least ? size : least) : size;
    largest    = size > largest ? size : largest;
    inverse[k] = Reciprocal(wk[k]);
    for (int i = k + 1; i < m; i++) wk[i] = Mul(wk[i], inverse[k]);
    for (int j = k + 1; j < m; j++) {
      const P u = W[k + j * ld];

      for (int i = k + 1; i < m; i++) SubMul(W[i + j * ld], wk[i], u);
    }
  }
  PivotRatio(least, largest, data->norm, thread);
  pivot[0] = moved;
}

/* B (m x n) := L^-1 B with unit lower triangular L */
template <class P, int N>
inline void LaneSolveLower(int m, int n, const P *L, ptrdiff_t ldl, P *B, ptrdiff_t ldb)
{
  int j = 0;

  for (; j + N <= n; j += N) {
    for (int i = 1; i < m; i++) {
      P c[N];

      for (int q = 0; q < N; q++) c[q] = B[i + (j + q) * ldb];
      for (int k = 0; k < i; k++) {
        const P l = L[i + k * ldl];

        for (int q = 0; q < N; q++) SubMul(c[q], l, B[k + (j + q) * ldb]);
      }
      for (int q = 0; q < N; q++) B[i + (j + q) * ldb] = c[q];
    }
  }
  if constexpr (N > 1) LaneSolveLower<P, 1>(m, n - j, L, ldl, B + j * ldb, ldb);
}

/* B (m x n) := U^-1 B */
template <class P, int N>
inline void LaneSolveUpper(int m, int n, const P *U, ptrdiff_t ldu, const P *inverse, P *B, ptrdiff_t ldb)
{
  int j = 0;

  for (; j + N <= n; j += N) {
    for (int i = m - 1; i >= 0; i--) {
      P c[N];

      for (int q = 0; q < N; q++) c[q] = B[i + (j + q) * ldb];
      for (int k = i + 1; k < m; k++) {
        const P u = U[i + k * ldu];

        for (int q = 0; q < N; q++) SubMul(c[q], u, B[k + (j + q) * ldb]);
      }
      for (int q = 0; q < N; q++) B[i + (j + q) * ldb] = Mul(c[q], inverse[i]);
    }
  }
  if constexpr (N > 1) LaneSolveUpper<P, 1>(m, n - j, U, ldu, inverse, B + j * ldb, ldb);
}

/* Y (n x m) := Y R^-1 where R(k, j) = Rr[k rk + j rj] is upper triangular */
template <class P, int N, bool CONJ>
inline void LaneSolveRight(int n, int m, const P *R, ptrdiff_t rk, ptrdiff_t rj, const P *inverse, P *Y, ptrdiff_t ldy)
{
  int i = 0;

  for (; i + N <= n; i += N) {
    for (int j = 0; j < m; j++) {
      P c[N];

      for (int q = 0; q < N; q++) c[q] = Y[i + q + j * ldy];
      for (int k = 0; k < j; k++) {
        const P u = CONJ ? Conj(R[k * rk + j * rj]) : R[k * rk + j * rj];

        for (int q = 0; q < N; q++) SubMul(c[q], Y[i + q + k * ldy], u);
      }
      for (int q = 0; q < N; q++) Y[i + q + j * ldy] = Mul(c[q], inverse[j]);
    }
  }
  if constexpr (N > 1) LaneSolveRight<P, 1, CONJ>(n - i, m, R, rk, rj, inverse, Y + i, ldy);
}

template <class T, bool CONJ>
void LaneCholesky(int m, typename Lanes<T>::pack *F, ptrdiff_t ld, typename Lanes<T>::pack *inverse, double norm, FactorThread *thread)
{
  typedef typename Lanes<T>::pack  P;
  typedef typename Lanes<T>::rpack RP;
  typedef typename Lanes<T>::mask  Mask;
  enum { V = Lanes<T>::V };
  RP least = RP{}, most = RP{};

  for (int k = 0; k < m; k++) {
    P         *fk  = F + k * ld;
    RP         d   = Real(fk[k]);
    const Mask bad = !(d > 0);

    if (Any(bad)) {
      for (int l = 0; l < V; l++) {
        if (d[l] != d[l]) thread->failed = 2;
      }
      if (!thread->failed) thread->failed = 1;
      return;
    }
    least = k ? (d < least ? d : least) : d;
    most  = d > most ? d : most;
    for (int l = 0; l < V; l++) d[l] = SquareRoot(d[l]);
    const RP s = 1 / d;
    if constexpr (sizeof(P) == sizeof(RP)) {
      *(RP *)&fk[k]      = d;
      *(RP *)&inverse[k] = s;
    } else {
      fk[k]      = {d, RP{}};
      inverse[k] = {s, RP{}};
    }
    for (int i = k + 1; i < m; i++) Scale(fk[i], s);
    for (int j = k + 1; j < m; j++) {
      const P u = CONJ ? Conj(fk[j]) : fk[j];

      for (int i = j; i < m; i++) SubMul(F[i + j * ld], fk[i], u);
    }
  }
  PivotRatio(least, most, norm, thread);
}

enum { MAX_LANE_M = 512 };

/* Eliminates the separators of V congruent fronts; D gets what is left of them */
template <class T>
void LaneFront(const FactorData *data, const FactorNode *node, const PetscInt origin[], int nlane, typename Lanes<T>::pack *factor, int *pivot, typename Lanes<T>::pack *work, FactorThread *thread)
{
  typedef typename Lanes<T>::pack P;
  enum { V = Lanes<T>::V, M = Lanes<T>::M, N = Lanes<T>::N, CX = sizeof(T) != sizeof(typename Lanes<T>::real) };
  const FactorClass *c     = &data->cls[node->cls];
  const bool         lower = data->mode != FACTOR_LU, herm = data->hermitian;
  const int          m = c->m, r = c->r, f = c->f;
  const P           *D[2];
  int                ld[2] = {0, 0};
  P                 *F, *Z = nullptr, *to = work + node->d;
  P                  inverse[MAX_LANE_M];

  for (int k = 0; k < node->nchild; k++) {
    D[k]  = work + node->cd[k];
    ld[k] = data->cls[c->plan->child[k]].r;
  }
  F = factor + node->factor;
  if (data->mode == FACTOR_LU) Z = F + (size_t)f * m;
  if (data->mode == FACTOR_SYMMETRIC) {
    Z = F + (size_t)m * m;
    F = to + (size_t)r * r;
  }
  for (int s = 0; s < c->nsegment; s++) {
    const int at = c->segment[s].at, n = c->segment[s].n;

    for (int j = at; j < at + n; j++) {
      if (j < m)
        AssembleColumn(c, lower, herm, s, j, 0, c->nsegment, F + (ptrdiff_t)j * f, D, ld);
      else if (!lower)
        AssembleColumn(c, lower, herm, s, j, 0, c->nsegment_s, Z + (ptrdiff_t)(j - m) * m, D, ld);
    }
  }
  AssembleEntries<T, P, V>(data, c, origin, nlane, F, Z);
  if (data->mode == FACTOR_SPD) {
    if (CX && herm) {
      LaneCholesky<T, true>(m, F, f, inverse, data->norm, thread);
      if (thread->failed) return;
      LaneSolveRight<P, 4, true>(r, m, F, f, 1, inverse, F + m, f);
    } else {
      LaneCholesky<T, false>(m, F, f, inverse, data->norm, thread);
      if (thread->failed) return;
      LaneSolveRight<P, 4, false>(r, m, F, f, 1, inverse, F + m, f);
    }
  } else if (data->mode == FACTOR_LU) {
    LaneLU<T>(data, m, r, F, f, Z, pivot + node->pivot, inverse, nlane, thread);
    LaneSolveLower<P, 4>(m, r, F, f, Z, m);
    LaneSolveRight<P, 4, false>(r, m, F, 1, f, inverse, F + m, f);
  } else {
    P *W = factor + node->factor;

    for (int j = 0; j < m; j++) {
      for (int i = 0; i < m; i++) W[i + (ptrdiff_t)j * m] = i >= j ? F[i + (ptrdiff_t)j * f] : herm ? Conj(F[j + (ptrdiff_t)i * f]) : F[j + (ptrdiff_t)i * f];
    }
    for (int j = 0; j < r; j++) {
      for (int i = 0; i < m; i++) Z[i + (ptrdiff_t)j * m] = herm ? Conj(F[m + j + (ptrdiff_t)i * f]) : F[m + j + (ptrdiff_t)i * f];
    }
    LaneLU<T>(data, m, r, W, m, Z, pivot + node->pivot, inverse, nlane, thread);
    LaneSolveLower<P, 4>(m, r, W, m, Z, m);
    LaneSolveUpper<P, 4>(m, r, W, m, inverse, Z, m);
  }
  /* One strip of columns after the other, so that what the children left is still in the cache when it is updated */
  int s = c->nsegment_s;
  for (int j0 = m; j0 < f; j0 += N) {
    const int n = j0 + N < f ? N : f - j0, top = lower ? j0 - m : 0;
    P        *strip = to + (ptrdiff_t)(j0 - m) * r;

    for (int j = j0; j < j0 + n; j++) {
      while (c->segment[s].at + c->segment[s].n <= j) s++;
      AssembleColumn(c, lower, herm, s, j, c->nsegment_s, c->nsegment, strip + (ptrdiff_t)(j - j0) * r - m, D, ld);
    }
    const P *A = F + m + top;
    if (data->mode == FACTOR_SPD) {
      if (CX && herm)
        LaneGemm<P, LANE_CONJ_B>(r - top, n, m, A, f, F + j0, f, 1, strip + top, r);
      else
        LaneGemm<P, LANE_PLAIN>(r - top, n, m, A, f, F + j0, f, 1, strip + top, r);
    } else {
      LaneGemm<P, LANE_PLAIN>(r - top, n, m, A, f, Z + (ptrdiff_t)(j0 - m) * m, 1, m, strip + top, r);
    }
  }
}

/* Rows of packs to columns of lanes: 4 x 4 and 8 x 8 transposes in registers */
template <class P>
inline void Transpose4(P a[4])
{
  const P b0 = __builtin_shufflevector(a[0], a[1], 0, 4, 2, 6), b1 = __builtin_shufflevector(a[0], a[1], 1, 5, 3, 7);
  const P b2 = __builtin_shufflevector(a[2], a[3], 0, 4, 2, 6), b3 = __builtin_shufflevector(a[2], a[3], 1, 5, 3, 7);

  a[0] = __builtin_shufflevector(b0, b2, 0, 1, 4, 5);
  a[1] = __builtin_shufflevector(b1, b3, 0, 1, 4, 5);
  a[2] = __builtin_shufflevector(b0, b2, 2, 3, 6, 7);
  a[3] = __builtin_shufflevector(b1, b3, 2, 3, 6, 7);
}
template <class P>
inline void Transpose8(P a[8])
{
  P b[8], c[8];

  for (int k = 0; k < 8; k += 2) {
    b[k]     = __builtin_shufflevector(a[k], a[k + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    b[k + 1] = __builtin_shufflevector(a[k], a[k + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int k = 0; k < 8; k += 4) {
    for (int l = 0; l < 2; l++) {
      c[k + l]     = __builtin_shufflevector(b[k + l], b[k + l + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      c[k + l + 2] = __builtin_shufflevector(b[k + l], b[k + l + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (int l = 0; l < 4; l++) {
    a[l]     = __builtin_shufflevector(c[l], c[l + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    a[l + 4] = __builtin_shufflevector(c[l], c[l + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

template <class T>
inline void Spread(const T *from, ptrdiff_t n, int nlane, T *const to[])
{
  typedef typename Lanes<T>::rpack P;
  enum { V = Lanes<T>::V, REAL = sizeof(T) == sizeof(typename Lanes<T>::real) };
  ptrdiff_t i = 0;

  if constexpr (REAL && (V == 4 || V == 8)) {
    for (; i + V <= n; i += V) {
      P a[V];

      for (int k = 0; k < V; k++) a[k] = *(const P *)(from + (i + k) * V);
      if constexpr (V == 4)
        Transpose4(a);
      else
        Transpose8(a);
      for (int l = 0; l < nlane; l++) __builtin_memcpy(to[l] + i, &a[l], sizeof(P));
    }
  }
  for (; i < n; i++) {
    for (int l = 0; l < nlane; l++) to[l][i] = GetLane(from + i * V, l);
  }
}

template <class T>
inline T *Place(const FactorPlace *place, void *own, void *shared, bool vector, int scale = 1)
{
  return (T *)(place->shared ? shared : own) + (vector ? place->v * scale : place->d);
}

template <class T>
void LaneStep(const FactorData *data, const FactorStep *step, FactorThread *thread)
{
  typedef typename Lanes<T>::pack P;
  enum { V = Lanes<T>::V };
  const FactorProgram *program = &data->program[step->program];
  const FactorClass   *c       = &data->cls[step->cls];
  PetscInt             origin[V];
  T                   *to[V];
  P                   *work = (P *)thread->lanes;

  for (int k = 0; k < program->nnode; k++) {
    const FactorNode *node = &program->node[k];

    for (int l = 0; l < step->n; l++) origin[l] = step->origin[l] + node->shift;
    LaneFront<T>(data, node, origin, step->n, (P *)((T *)data->factor + step->factor), data->pivot + step->pivot, work, thread);
    if (thread->failed) return;
  }
  const P *D = work + program->node[program->nnode - 1].d;
  for (int l = 0; l < step->n; l++) to[l] = Place<T>(&step->place[l], thread->d, data->shared_d, false);
  for (int j = 0; j < c->r; j++) {
    const int       top = data->mode == FACTOR_LU ? 0 : j;
    const ptrdiff_t at  = top + (ptrdiff_t)j * c->r;
    T              *out[V];

    for (int l = 0; l < step->n; l++) out[l] = to[l] + at;
    Spread((const T *)(D + at), c->r - top, step->n, out);
  }
}

/* ---- one front at a time ---- */

/* Moduli on the diagonal */
template <class T>
void Moduli(int m, const T *W, ptrdiff_t ld, double *least, double *most)
{
  for (int k = 0; k < m; k++) {
    const Value   v = Widen(W[k + k * ld]);
    const double *p = (const double *)&v;
    const double  s = __builtin_fabs(p[0]) + (sizeof(v) > sizeof(double) ? __builtin_fabs(p[sizeof(v) / sizeof(double) - 1]) : 0);

    if (s < *least) *least = s;
    if (s > *most) *most = s;
  }
}

template <class T>
void FrontRatio(int m, const T *W, ptrdiff_t ld, bool squared, double norm, FactorThread *thread)
{
  double least = __builtin_inf(), most = 0;

  Moduli<T>(m, W, ld, &least, &most);
  if (squared) {
    least *= least;
    most *= most;
  }
  if (norm > most) most = norm;
  if (least < thread->ratio * most) thread->ratio = least / most;
}

/* Whether a pivot that Cholesky stopped at is negative or not a number */
template <class T>
int CholeskyFailed(const T *F, ptrdiff_t ld, int bad)
{
  const Value v = Widen(F[bad + bad * ld]);

  return ((const double *)&v)[0] != ((const double *)&v)[0] ? 2 : 1;
}

/* What a front leaves: what the children left, minus Y Z, in strips of columns that stay in the cache between the two */
template <class T>
void FrontUpdate(const FactorClass *c, bool lower, bool hermitian, const T *Y, DenseTrans tz, const T *Z, ptrdiff_t ldz, T *to, const T *const D[2], const int ld[2], T *work)
{
  const int m = c->m, r = c->r;
  int       strip = (int)((384 << 10) / (sizeof(T) * (r + 1))) / 48 * 48;

  if (strip < 48) strip = 48;
  for (int j = 0; j < r; j += strip) {
    const int n = r - j < strip ? r - j : strip, top = lower ? j : 0;

    AssembleColumns(c, lower, hermitian, m + j, n, c->nsegment_s, c->nsegment, to - m - (ptrdiff_t)m * r, r, D, ld);
    DenseGemm<T>(lower ? DENSE_LOWER : DENSE_ALL, r - top, n, m, DENSE_N, Y + top, c->f, tz, tz == DENSE_N ? Z + j * ldz : Z + j, ldz, to + top + (ptrdiff_t)j * r, r, work);
  }
}

template <class T>
void FrontStep(const FactorData *data, const FactorStep *step, FactorThread *thread)
{
  const FactorClass *c     = &data->cls[step->cls];
  const bool         lower = data->mode != FACTOR_LU, herm = data->hermitian;
  const int          m = c->m, r = c->r, f = c->f;
  const T           *D[2];
  int                ld[2] = {0, 0}, *pivot = data->pivot + step->pivot;
  T                 *F = (T *)data->factor + step->factor, *Z = nullptr, *W = F, *work = (T *)thread->work;
  T                 *to = Place<T>(&step->place[0], thread->d, data->shared_d, false);

  for (int k = 0; k < step->nchild; k++) {
    D[k]  = Place<T>(&step->child[k], thread->d, data->shared_d, false);
    ld[k] = data->cls[c->plan->child[k]].r;
  }
  if (data->mode == FACTOR_LU) Z = F + (size_t)f * m;
  if (data->mode == FACTOR_SYMMETRIC) {
    Z = F + (size_t)m * m;
    F = work + DenseWorkSize<T>();
  }
  AssembleColumns(c, lower, herm, 0, m, 0, c->nsegment, F, f, D, ld);
  if (!lower) AssembleColumns(c, false, false, m, r, 0, c->nsegment_s, Z - (ptrdiff_t)m * m, m, D, ld);
  AssembleEntries<T, T, 1>(data, c, step->origin, 1, F, Z);
  if (step->cls == data->plan->root) {
    for (PetscInt k = 0; k < data->plan->nglue; k++) {
      const PlanGlue *g = &data->plan->glue[k];
      T               v = Convert<T>(((const Value *)data->values.glue)[g->k]), *at;

      if (lower && g->col > g->row) continue;
      at = F + g->row + (ptrdiff_t)g->col * f;
      AddTo(*at, v);
    }
  }
  if (data->mode == FACTOR_SPD) {
    const int bad = DenseCholesky<T>(m, f, F, f, work);

    if (bad >= 0) {
      thread->failed = CholeskyFailed<T>(F, f, bad);
      return;
    }
    FrontRatio<T>(m, F, f, true, data->norm, thread);
    FrontUpdate(c, true, herm, F + m, herm ? DENSE_C : DENSE_T, F + m, f, to, D, ld, work);
    return;
  }
  if (data->mode == FACTOR_SYMMETRIC) {
    for (int j = 0; j < m; j++) {
      for (int i = 0; i < m; i++) W[i + (ptrdiff_t)j * m] = i >= j ? F[i + (ptrdiff_t)j * f] : herm ? Conj(F[j + (ptrdiff_t)i * f]) : F[j + (ptrdiff_t)i * f];
    }
    for (int j = 0; j < r; j++) {
      for (int i = 0; i < m; i++) Z[i + (ptrdiff_t)j * m] = herm ? Conj(F[m + j + (ptrdiff_t)i * f]) : F[m + j + (ptrdiff_t)i * f];
    }
  }
  const int replaced = DenseLU<T>(m, lower ? m : f, W, lower ? m : f, pivot, data->threshold, data->tiny, data->replacement, work);
  if (replaced < 0) {
    thread->failed = 2;
    return;
  }
  thread->replaced += replaced;
  FrontRatio<T>(m, W, lower ? m : f, false, data->norm, thread);
  DenseSwapRows<T>(m, r, Z, m, pivot, true);
  DenseTrsm<T>(false, DENSE_N, true, m, r, W, lower ? m : f, Z, m, work);
  if (lower) DenseTrsm<T>(true, DENSE_N, false, m, r, W, m, Z, m, work);
  FrontUpdate(c, lower, herm, F + m, DENSE_N, Z, m, to, D, ld, work);
}

template <class T>
void Step(const FactorData *data, const FactorStep *step, FactorThread *thread)
{
  if (step->program >= 0)
    LaneStep<T>(data, step, thread);
  else
    FrontStep<T>(data, step, thread);
}

/* ---- solves ---- */

/* What the children's rings add to the vector of a front, rows of the segments [s0, s1) */
template <class E>
inline void AssembleVector(const FactorClass *c, int s0, int s1, E *dst, const E *const v[2])
{
  const ptrdiff_t step[2] = {1, 1};
  bool            conj[2] = {false, false};

  for (int s = s0; s < s1; s++) {
    const FactorSegment *seg = &c->segment[s];
    const E             *src[2];
    int                  nsrc = 0;

    for (int k = 0; k < 2; k++) {
      if (seg->src[k] >= 0) src[nsrc++] = v[k] + seg->src[k];
    }
    Gather(dst + seg->at, seg->n, nsrc, src, step, conj);
  }
}

/* And back: the rows of these segments to child k */
template <class E>
inline void ChildVector(const FactorClass *c, int s0, int s1, int k, const E *front, E *v)
{
  for (int s = s0; s < s1; s++) {
    const FactorSegment *seg = &c->segment[s];

    if (seg->src[k] < 0) continue;
    for (int i = 0; i < seg->n; i++) v[seg->src[k] + i] = front[seg->at + i];
  }
}

/* y -= A x with N columns, and y -= A^T x with N rows of A^T */
template <class P, int N, bool CONJ>
inline void LaneColumns(int rows, const P *A, ptrdiff_t lda, const P *x, P *y)
{
  P u[N];

  for (int q = 0; q < N; q++) u[q] = x[q];
  for (int i = 0; i < rows; i++) {
    P s = y[i];

    for (int q = 0; q < N; q++) SubMul(s, CONJ ? Conj(A[i + q * lda]) : A[i + q * lda], u[q]);
    y[i] = s;
  }
}
template <class P, int N, bool CONJ>
inline void LaneDots(int rows, const P *A, ptrdiff_t lda, const P *x, P *y)
{
  P s[N];

  for (int q = 0; q < N; q++) s[q] = y[q];
  for (int i = 0; i < rows; i++) {
    const P u = x[i];

    for (int q = 0; q < N; q++) SubMul(s[q], CONJ ? Conj(A[i + q * lda]) : A[i + q * lda], u);
  }
  for (int q = 0; q < N; q++) y[q] = s[q];
}

template <class P, int N, bool CONJ, bool DOTS>
inline void LaneUpTo(int n, int rows, const P *A, ptrdiff_t lda, const P *x, P *y)
{
  if (n == N) {
    if constexpr (DOTS)
      LaneDots<P, N, CONJ>(rows, A, lda, x, y);
    else
      LaneColumns<P, N, CONJ>(rows, A, lda, x, y);
  } else if constexpr (N > 1)
    LaneUpTo<P, N - 1, CONJ, DOTS>(n, rows, A, lda, x, y);
}

/* Many columns at a time, which the processor then fetches ahead of their use */
template <class P>
constexpr int LaneWidth()
{
  return sizeof(P) > VECTOR ? 4 : 8;
}

/* Vectors of one front, ld apart */
struct LaneVectors {
  int       n;
  ptrdiff_t ld;
};

/* y -= A x, A is rows x cols, column-major; cols is at most LaneWidth() */
template <class P>
inline void LaneSome(int rows, int cols, const P *A, ptrdiff_t lda, LaneVectors v, const P *x, P *y)
{
  if (v.n == 1)
    LaneUpTo<P, LaneWidth<P>(), false, false>(cols, rows, A, lda, x, y);
  else
    LaneGemm<P, LANE_PLAIN>(rows, v.n, cols, A, lda, x, 1, v.ld, y, v.ld);
}

/* y -= A^T x, A is rows x cols and cols at most LaneWidth(); with CONJ, A^H */
template <class P, bool CONJ>
inline void LaneSomeT(int rows, int cols, const P *A, ptrdiff_t lda, LaneVectors v, const P *x, P *y)
{
  if (v.n == 1)
    LaneUpTo<P, LaneWidth<P>(), CONJ, true>(cols, rows, A, lda, x, y);
  else
    LaneGemm<P, CONJ ? LANE_HERM_A : LANE_TRANS_A>(cols, v.n, rows, A, lda, x, 1, v.ld, y, v.ld);
}

template <class P>
inline void LaneGemv(int rows, int cols, const P *A, ptrdiff_t lda, LaneVectors v, const P *x, P *y)
{
  enum { N = LaneWidth<P>() };

  if (v.n > 1) {
    LaneGemm<P, LANE_PLAIN>(rows, v.n, cols, A, lda, x, 1, v.ld, y, v.ld);
    return;
  }
  for (int j = 0; j < cols; j += N) LaneSome<P>(rows, cols - j < N ? cols - j : (int)N, A + j * lda, lda, v, x + j, y);
}

template <class P, bool CONJ>
inline void LaneGemvT(int rows, int cols, const P *A, ptrdiff_t lda, LaneVectors v, const P *x, P *y)
{
  enum { N = LaneWidth<P>() };

  for (int j = 0; j < cols; j += N) LaneSomeT<P, CONJ>(rows, cols - j < N ? cols - j : (int)N, A + j * lda, lda, v, x, y + j);
}

template <class T>
inline void LaneSwap(int m, LaneVectors v, typename Lanes<T>::pack *x, const int *pivot, bool forward)
{
  enum { V = Lanes<T>::V };

  if (!pivot[0]) return;
  for (int q = 0; q < m; q++) {
    const int k = forward ? q : m - 1 - q;

    for (int l = 0; l < V; l++) {
      const int p = pivot[1 + k * V + l];

      if (p == k) continue;
      for (int q = 0; q < v.n; q++) {
        T      *y = (T *)(x + q * v.ld + k), *z = (T *)(x + q * v.ld + p);
        const T a = GetLane(y, l), b = GetLane(z, l);

        SetLane(y, l, b);
        SetLane(z, l, a);
      }
    }
  }
}

/*
  Triangular solves with vectors in each lane; A holds L below and U on and above the diagonal. Columns of L go on below the triangle to row f, where x
  follows what is solved for.
*/
template <class P, bool UNIT>
inline void LaneLower(int m, int f, const P *A, ptrdiff_t ld, LaneVectors v, P *x)
{
  enum { N = LaneWidth<P>() };

  for (int j = 0; j < m; j += N) {
    const int e = m - j < N ? m : j + N;

    for (int k = j; k < e; k++) {
      const P d = UNIT ? Zero<P>() : Reciprocal(A[k + k * ld]);

      for (int q = 0; q < v.n; q++) {
        P *y = x + q * v.ld;

        if (!UNIT) y[k] = Mul(y[k], d);
        for (int i = k + 1; i < e; i++) SubMul(y[i], A[i + k * ld], y[k]);
      }
    }
    LaneSome<P>(f - e, e - j, A + e + j * ld, ld, v, x + j, x + e);
  }
}
template <class P>
inline void LaneUpper(int m, const P *A, ptrdiff_t ld, LaneVectors v, P *x)
{
  enum { N = LaneWidth<P>() };

  for (int j = (m - 1) / N * N; j >= 0; j -= N) {
    const int e = m - j < N ? m : j + N;

    for (int k = e - 1; k >= j; k--) {
      const P d = Reciprocal(A[k + k * ld]);

      for (int q = 0; q < v.n; q++) {
        P *y = x + q * v.ld;

        y[k] = Mul(y[k], d);
        for (int i = j; i < k; i++) SubMul(y[i], A[i + k * ld], y[k]);
      }
    }
    LaneSome<P>(j, e - j, A + j * ld, ld, v, x + j, x);
  }
}
template <class P, bool UNIT, bool CONJ>
inline void LaneLowerT(int m, int f, const P *A, ptrdiff_t ld, LaneVectors v, P *x)
{
  enum { N = LaneWidth<P>() };

  for (int j = (m - 1) / N * N; j >= 0; j -= N) {
    const int e = m - j < N ? m : j + N;

    LaneSomeT<P, CONJ>(f - e, e - j, A + e + j * ld, ld, v, x + e, x + j);
    for (int k = e - 1; k >= j; k--) {
      const P d = UNIT ? Zero<P>() : Reciprocal(CONJ ? Conj(A[k + k * ld]) : A[k + k * ld]);

      for (int q = 0; q < v.n; q++) {
        P *y = x + q * v.ld, s = y[k];

        for (int i = k + 1; i < e; i++) SubMul(s, CONJ ? Conj(A[i + k * ld]) : A[i + k * ld], y[i]);
        y[k] = UNIT ? s : Mul(s, d);
      }
    }
  }
}
template <class P>
inline void LaneUpperT(int m, const P *A, ptrdiff_t ld, LaneVectors v, P *x)
{
  enum { N = LaneWidth<P>() };

  for (int j = 0; j < m; j += N) {
    const int e = m - j < N ? m : j + N;

    LaneSomeT<P, false>(j, e - j, A + j * ld, ld, v, x, x + j);
    for (int k = j; k < e; k++) {
      const P d = Reciprocal(A[k + k * ld]);

      for (int q = 0; q < v.n; q++) {
        P *y = x + q * v.ld, s = y[k];

        for (int i = j; i < k; i++) SubMul(s, A[i + k * ld], y[i]);
        y[k] = Mul(s, d);
      }
    }
  }
}

/* The vectors of V fronts on their way up: S has been gathered in x[0, m), the ring in x[m, f) */
template <class T>
inline void LaneForward(const FactorData *data, const FactorClass *c, const typename Lanes<T>::pack *A, const int *pivot, LaneVectors v, typename Lanes<T>::pack *x)
{
  typedef typename Lanes<T>::pack P;
  const int                       m = c->m, r = c->r, f = c->f;

  if (data->mode == FACTOR_SPD) {
    LaneLower<P, false>(m, f, A, f, v, x);
  } else if (data->mode == FACTOR_SYMMETRIC) {
    if (data->hermitian)
      LaneGemvT<P, true>(m, r, A + (size_t)m * m, m, v, x, x + m);
    else
      LaneGemvT<P, false>(m, r, A + (size_t)m * m, m, v, x, x + m);
  } else if (data->trans == FACTOR_NOTRANS) {
    LaneSwap<T>(m, v, x, pivot, true);
    LaneLower<P, true>(m, f, A, f, v, x);
  } else {
    LaneUpperT<P>(m, A, f, v, x);
    LaneGemvT<P, false>(m, r, A + (size_t)f * m, m, v, x, x + m);
  }
}

template <class T>
inline void LaneBackward(const FactorData *data, const FactorClass *c, const typename Lanes<T>::pack *A, const int *pivot, LaneVectors v, typename Lanes<T>::pack *x)
{
  typedef typename Lanes<T>::pack P;
  const int                       m = c->m, r = c->r, f = c->f;

  if (data->mode == FACTOR_SPD) {
    if (data->hermitian)
      LaneLowerT<P, false, true>(m, f, A, f, v, x);
    else
      LaneLowerT<P, false, false>(m, f, A, f, v, x);
  } else if (data->mode == FACTOR_SYMMETRIC) {
    LaneSwap<T>(m, v, x, pivot, true);
    LaneLower<P, true>(m, m, A, m, v, x);
    LaneUpper<P>(m, A, m, v, x);
    LaneGemv<P>(m, r, A + (size_t)m * m, m, v, x + m, x);
  } else if (data->trans == FACTOR_NOTRANS) {
    LaneGemv<P>(m, r, A + (size_t)f * m, m, v, x + m, x);
    LaneUpper<P>(m, A, f, v, x);
  } else {
    LaneLowerT<P, true, false>(m, f, A, f, v, x);
    LaneSwap<T>(m, v, x, pivot, false);
  }
}

/* Solves with A^T = conj(A), for Hermitian A, run on the conjugates */
template <class T>
inline T Entering(const FactorData *data, Value v)
{
  return Convert<T>(data->hermitian && data->trans == FACTOR_TRANS ? Conj(v) : v);
}

/* A vector's entries in a batch of blocks, to the lanes and back */
template <class T>
inline void LaneRead(const FactorData *data, const FactorStep *step, const Value *b, typename Lanes<T>::pack *S)
{
  typedef typename Lanes<T>::pack P;
  const FactorProgram            *program = &data->program[step->program];
  const int                       dof     = data->plan->grid.dof;

  for (int k = 0; k < program->nnode; k++) {
    const FactorNode *node = &program->node[k];
    const PlanClass  *p    = data->cls[node->cls].plan;

    for (int i = 0; i < p->m; i++) {
      P *to = S + node->x + i * dof;

      for (int a = 0; a < dof && step->n < Lanes<T>::V; a++) to[a] = Zero<P>();
      for (int l = 0; l < step->n; l++) {
        const size_t at = (size_t)(step->origin[l] + node->shift + p->offset[i]) * dof;

        for (int a = 0; a < dof; a++) SetLane((T *)(to + a), l, Entering<T>(data, b[at + a]));
      }
    }
  }
}
template <class T>
inline void LaneWrite(const FactorData *data, const FactorStep *step, const typename Lanes<T>::pack *S, T *x)
{
  const FactorProgram *program = &data->program[step->program];
  const int            dof     = data->plan->grid.dof;

  for (int k = 0; k < program->nnode; k++) {
    const FactorNode *node = &program->node[k];
    const PlanClass  *p    = data->cls[node->cls].plan;

    for (int i = 0; i < p->m; i++) {
      for (int l = 0; l < step->n; l++) {
        const size_t at = (size_t)(step->origin[l] + node->shift + p->offset[i]) * dof;

        for (int a = 0; a < dof; a++) x[at + a] = GetLane((const T *)(S + node->x + i * dof + a), l);
      }
    }
  }
}

/* Vectors that go through a front together; more would drive its factors out of the cache */
enum { LANE_VECTORS = 24 };

/* The vector of a node's ring begins at nrhs times its place */
template <class T>
void LaneStepForward(const FactorData *data, const FactorStep *step, FactorThread *thread)
{
  typedef typename Lanes<T>::pack P;
  enum { V = Lanes<T>::V };
  const FactorProgram *program = &data->program[step->program];
  const int            nrhs    = data->nrhs;
  P                   *work = (P *)thread->vlanes, *front = work + program->v * nrhs, *S = (P *)((T *)data->packed + step->x * nrhs);
  const P             *factor = (const P *)((const T *)data->factor + step->factor);
  const int           *pivot  = data->pivot + step->pivot;

  for (int q = 0; q < nrhs; q++) LaneRead<T>(data, step, (const Value *)data->b + q * data->ldb, S + q * program->x);
  for (int k = 0; k < program->nnode; k++) {
    const FactorNode  *node = &program->node[k];
    const FactorClass *c    = &data->cls[node->cls];

    for (int q0 = 0; q0 < nrhs; q0 += LANE_VECTORS) {
      const LaneVectors vectors = {nrhs - q0 < LANE_VECTORS ? nrhs - q0 : (int)LANE_VECTORS, c->f};

      for (int q = q0; q < q0 + vectors.n; q++) {
        const P *v[2], *s = S + q * program->x + node->x;
        P       *x = front + (q - q0) * vectors.ld;

        for (int n = 0; n < node->nchild; n++) v[n] = work + node->cv[n] * nrhs + (size_t)q * data->cls[c->plan->child[n]].r;
        AssembleVector(c, 0, c->nsegment, x, v);
        for (int i = 0; i < c->m; i++) AddTo(x[i], s[i]);
      }
      LaneForward<T>(data, c, factor + node->factor, pivot + node->pivot, vectors, front);
      for (int q = q0; q < q0 + vectors.n; q++) {
        const P *x = front + (q - q0) * vectors.ld;
        P       *s = S + q * program->x + node->x;

        for (int i = 0; i < c->m; i++) s[i] = x[i];
        for (int i = 0; i < c->r; i++) work[node->v * nrhs + (size_t)q * c->r + i] = x[c->m + i];
      }
    }
  }
  const ptrdiff_t n = (ptrdiff_t)data->cls[step->cls].r * nrhs;
  T              *to[V];
  for (int l = 0; l < step->n; l++) to[l] = Place<T>(&step->place[l], thread->v, data->shared_v, true, nrhs);
  Spread((const T *)(work + program->node[program->nnode - 1].v * nrhs), n, step->n, to);
}

template <class T>
void LaneStepBackward(const FactorData *data, const FactorStep *step, FactorThread *thread)
{
  typedef typename Lanes<T>::pack P;
  const FactorProgram            *program = &data->program[step->program];
  const int                       nrhs    = data->nrhs;
  P                              *work = (P *)thread->vlanes, *front = work + program->v * nrhs, *top = work + program->node[program->nnode - 1].v * nrhs;
  P                              *S      = (P *)((T *)data->packed + step->x * nrhs);
  const P                        *factor = (const P *)((const T *)data->factor + step->factor);
  const int                      *pivot  = data->pivot + step->pivot;
  const ptrdiff_t                 n      = (ptrdiff_t)data->cls[step->cls].r * nrhs;

  for (int l = 0; l < step->n; l++) {
    const T *from = Place<T>(&step->place[l], thread->v, data->shared_v, true, nrhs);

    for (ptrdiff_t i = 0; i < n; i++) SetLane((T *)(top + i), l, from[i]);
  }
  for (int k = program->nnode - 1; k >= 0; k--) {
    const FactorNode  *node = &program->node[k];
    const FactorClass *c    = &data->cls[node->cls];

    for (int q0 = 0; q0 < nrhs; q0 += LANE_VECTORS) {
      const LaneVectors vectors = {nrhs - q0 < LANE_VECTORS ? nrhs - q0 : (int)LANE_VECTORS, c->f};

      for (int q = q0; q < q0 + vectors.n; q++) {
        const P *s = S + q * program->x + node->x;
        P       *x = front + (q - q0) * vectors.ld;

        for (int i = 0; i < c->m; i++) x[i] = s[i];
        for (int i = 0; i < c->r; i++) x[c->m + i] = work[node->v * nrhs + (size_t)q * c->r + i];
      }
      LaneBackward<T>(data, c, factor + node->factor, pivot + node->pivot, vectors, front);
      for (int q = q0; q < q0 + vectors.n; q++) {
        const P *x = front + (q - q0) * vectors.ld;
        P       *s = S + q * program->x + node->x;

        for (int i = 0; i < c->m; i++) s[i] = x[i];
        for (int a = 0; a < node->nchild; a++) ChildVector(c, 0, c->nsegment, a, x, work + node->cv[a] * nrhs + (size_t)q * data->cls[c->plan->child[a]].r);
      }
    }
  }
  for (int q = 0; q < nrhs; q++) LaneWrite<T>(data, step, S + q * program->x, (T *)data->x + q * data->ldx);
}

/* What a front has of its own, to x */
template <class T>
inline void FrontWrite(const FactorData *data, const FactorStep *step, const T *S)
{
  const FactorClass *c   = &data->cls[step->cls];
  const int          dof = data->plan->grid.dof;

  for (int q = 0; q < data->nrhs; q++) {
    T *x = (T *)data->x + q * data->ldx;

    for (int i = 0; i < c->plan->m; i++) {
      const size_t at = (size_t)(step->origin[0] + c->plan->offset[i]) * dof;

      for (int a = 0; a < dof; a++) x[at + a] = S[(size_t)q * c->m + i * dof + a];
    }
  }
}

/* Fronts above the blocks: S in one array (m x nrhs), the ring where the parent finds it (r x nrhs) */
template <class T>
void FrontStepForward(const FactorData *data, const FactorStep *step, FactorThread *thread)
{
  const FactorClass *c = &data->cls[step->cls];
  const int          m = c->m, r = c->r, f = c->f, dof = data->plan->grid.dof, nrhs = data->nrhs, *pivot = data->pivot + step->pivot;
  const T           *A    = (const T *)data->factor + step->factor;
  T                 *ring = Place<T>(&step->place[0], thread->v, data->shared_v, true, nrhs), *S = (T *)thread->work + DenseWorkSize<T>();

  for (int q = 0; q < nrhs; q++) {
    const Value *b = (const Value *)data->b + q * data->ldb;
    const T     *v[2];

    for (int k = 0; k < step->nchild; k++) v[k] = Place<T>(&step->child[k], thread->v, data->shared_v, true, nrhs) + (size_t)q * data->cls[c->plan->child[k]].r;
    AssembleVector(c, 0, c->nsegment_s, S + (size_t)q * m, v);
    AssembleVector(c, c->nsegment_s, c->nsegment, ring + (size_t)q * r - m, v);
    for (int i = 0; i < c->plan->m; i++) {
      const size_t at = (size_t)(step->origin[0] + c->plan->offset[i]) * dof;

      for (int a = 0; a < dof; a++) AddTo(S[(size_t)q * m + i * dof + a], Entering<T>(data, b[at + a]));
    }
  }
  if (data->mode == FACTOR_SPD) {
    DenseTrsm<T>(false, DENSE_N, false, m, nrhs, A, f, S, m, (T *)thread->work);
    DenseGemm<T>(DENSE_ALL, r, nrhs, m, DENSE_N, A + m, f, DENSE_N, S, m, ring, r, (T *)thread->work);
  } else if (data->mode == FACTOR_SYMMETRIC) {
    DenseGemm<T>(DENSE_ALL, r, nrhs, m, data->hermitian ? DENSE_C : DENSE_T, A + (size_t)m * m, m, DENSE_N, S, m, ring, r, (T *)thread->work);
  } else if (data->trans == FACTOR_NOTRANS) {
    DenseSwapRows<T>(m, nrhs, S, m, pivot, true);
    DenseTrsm<T>(false, DENSE_N, true, m, nrhs, A, f, S, m, (T *)thread->work);
    DenseGemm<T>(DENSE_ALL, r, nrhs, m, DENSE_N, A + m, f, DENSE_N, S, m, ring, r, (T *)thread->work);
  } else {
    DenseTrsm<T>(true, DENSE_T, false, m, nrhs, A, f, S, m, (T *)thread->work);
    DenseGemm<T>(DENSE_ALL, r, nrhs, m, DENSE_T, A + (size_t)f * m, m, DENSE_N, S, m, ring, r, (T *)thread->work);
  }
  FrontWrite(data, step, S);
}

template <class T>
void FrontStepBackward(const FactorData *data, const FactorStep *step, FactorThread *thread)
{
  const FactorClass *c = &data->cls[step->cls];
  const int          m = c->m, r = c->r, f = c->f, dof = data->plan->grid.dof, nrhs = data->nrhs, *pivot = data->pivot + step->pivot;
  const T           *A    = (const T *)data->factor + step->factor;
  T                 *ring = Place<T>(&step->place[0], thread->v, data->shared_v, true, nrhs), *S = (T *)thread->work + DenseWorkSize<T>(), *x = (T *)data->x;

  for (int q = 0; q < nrhs; q++) {
    for (int i = 0; i < c->plan->m; i++) {
      const size_t at = (size_t)(step->origin[0] + c->plan->offset[i]) * dof + q * data->ldx;

      for (int a = 0; a < dof; a++) S[(size_t)q * m + i * dof + a] = x[at + a];
    }
  }
  if (data->mode == FACTOR_SPD) {
    const DenseTrans t = data->hermitian ? DENSE_C : DENSE_T;

    DenseGemm<T>(DENSE_ALL, m, nrhs, r, t, A + m, f, DENSE_N, ring, r, S, m, (T *)thread->work);
    DenseTrsm<T>(false, t, false, m, nrhs, A, f, S, m, (T *)thread->work);
  } else if (data->mode == FACTOR_SYMMETRIC) {
    DenseSwapRows<T>(m, nrhs, S, m, pivot, true);
    DenseTrsm<T>(false, DENSE_N, true, m, nrhs, A, m, S, m, (T *)thread->work);
    DenseTrsm<T>(true, DENSE_N, false, m, nrhs, A, m, S, m, (T *)thread->work);
    DenseGemm<T>(DENSE_ALL, m, nrhs, r, DENSE_N, A + (size_t)m * m, m, DENSE_N, ring, r, S, m, (T *)thread->work);
  } else if (data->trans == FACTOR_NOTRANS) {
    DenseGemm<T>(DENSE_ALL, m, nrhs, r, DENSE_N, A + (size_t)f * m, m, DENSE_N, ring, r, S, m, (T *)thread->work);
    DenseTrsm<T>(true, DENSE_N, false, m, nrhs, A, f, S, m, (T *)thread->work);
  } else {
    DenseGemm<T>(DENSE_ALL, m, nrhs, r, DENSE_T, A + m, f, DENSE_N, ring, r, S, m, (T *)thread->work);
    DenseTrsm<T>(false, DENSE_T, true, m, nrhs, A, f, S, m, (T *)thread->work);
    DenseSwapRows<T>(m, nrhs, S, m, pivot, false);
  }
  FrontWrite(data, step, S);
  for (int k = 0; k < step->nchild; k++) {
    const int rk = data->cls[c->plan->child[k]].r;
    T        *v  = Place<T>(&step->child[k], thread->v, data->shared_v, true, nrhs);

    for (int q = 0; q < nrhs; q++) {
      ChildVector(c, 0, c->nsegment_s, k, S + (size_t)q * m, v + (size_t)q * rk);
      ChildVector(c, c->nsegment_s, c->nsegment, k, ring + (size_t)q * r - m, v + (size_t)q * rk);
    }
  }
}

template <class T>
void Forward(const FactorData *data, const FactorStep *step, FactorThread *thread)
{
  if (step->program >= 0)
    LaneStepForward<T>(data, step, thread);
  else
    FrontStepForward<T>(data, step, thread);
}

template <class T>
void Backward(const FactorData *data, const FactorStep *step, FactorThread *thread)
{
  if (step->program >= 0)
    LaneStepBackward<T>(data, step, thread);
  else
    FrontStepBackward<T>(data, step, thread);
}

/* ---- the dense kernels, whatever the type ---- */

inline DenseTrans Trans(FactorOp op)
{
  return op == FACTOR_PLAIN ? DENSE_N : op == FACTOR_TRANSPOSED ? DENSE_T : DENSE_C;
}

template <class T>
struct Dense {
  static void Gemm(bool lower, int m, int n, int k, FactorOp ta, const void *A, ptrdiff_t lda, FactorOp tb, const void *B, ptrdiff_t ldb, void *C, ptrdiff_t ldc, void *work)
  {
    DenseGemm<T>(lower ? DENSE_LOWER : DENSE_ALL, m, n, k, Trans(ta), (const T *)A, lda, Trans(tb), (const T *)B, ldb, (T *)C, ldc, (T *)work);
  }
  static void Trsm(bool upper, FactorOp t, bool unit, int m, int n, const void *A, ptrdiff_t lda, void *B, ptrdiff_t ldb, void *work)
  {
    DenseTrsm<T>(upper, Trans(t), unit, m, n, (const T *)A, lda, (T *)B, ldb, (T *)work);
  }
  static int LU(int m, int n, int f, void *A, ptrdiff_t lda, int *pivot, double threshold, double tiny, double replacement, void *work)
  {
    return DenseLUPanel<T>(m, n, f, (T *)A, lda, pivot, threshold, tiny, replacement, (T *)work);
  }
  static int Cholesky(int n, int f, void *A, ptrdiff_t lda, void *work)
  {
    const int bad = DenseCholesky<T>(n, f, (T *)A, lda, (T *)work);

    return bad < 0 ? 0 : CholeskyFailed<T>((const T *)A, lda, bad);
  }
  static void Exchange(int m, int n, void *B, ptrdiff_t ldb, const int *pivot, bool forward)
  {
    DenseSwapRows<T>(m, n, (T *)B, ldb, pivot, forward);
  }
  static void Add(int m, int n, const void *A, ptrdiff_t lda, void *B, ptrdiff_t ldb)
  {
    for (int j = 0; j < n; j++) {
      const T *a = (const T *)A + j * lda;
      T       *b = (T *)B + j * ldb;

      for (int i = 0; i < m; i++) AddTo(b[i], a[i]);
    }
  }
  static void ModuliOf(int m, const void *A, ptrdiff_t lda, double *least, double *most)
  {
    Moduli<T>(m, (const T *)A, lda, least, most);
  }
};

#if defined(PETSC_USE_COMPLEX)
typedef DenseComplex<double> Double;
typedef DenseComplex<float>  Single;
#else
typedef double Double;
typedef float  Single;
#endif

} // namespace

#define KERNELS_NAME2(isa) FactorKernels_##isa
#define KERNELS_NAME(isa)  KERNELS_NAME2(isa)
#define KERNELS_TEXT2(isa) #isa
#define KERNELS_TEXT(isa)  KERNELS_TEXT2(isa)

extern const FactorKernels KERNELS_NAME(PETLAP_ISA)[2];
#define KERNELS(T)                                                                                                            \
  {                                                                                                                           \
    KERNELS_TEXT(PETLAP_ISA), Lanes<T>::V, sizeof(T), DenseWorkSize<T>(), Step<T>, Forward<T>, Backward<T>,                   \
    {                                                                                                                         \
      Dense<T>::Gemm, Dense<T>::Trsm, Dense<T>::LU, Dense<T>::Cholesky, Dense<T>::Exchange, Dense<T>::Add, Dense<T>::ModuliOf \
    }                                                                                                                         \
  }
const FactorKernels KERNELS_NAME(PETLAP_ISA)[2] = {KERNELS(Double), KERNELS(Single)};
