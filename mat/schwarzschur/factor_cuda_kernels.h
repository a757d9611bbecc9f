/*
  Kernels of the CUDA executor that work on fronts. Included by factor_cuda.cu only.
*/
#pragma once

#include "mat/schwarzschur/factor_cuda_impl.h"

namespace {

/* As in FactorInfo */
__device__ __forceinline__ double PivotRatio(const CudaParameters &p, double least, double most)
{
  const double largest = FromBits(p.largest);

  return least / (most > largest ? most : largest);
}

/* ---- Assembly ---- */

/* What the children's contribution blocks add to entry (i, j) of a front */
template <class T>
__device__ __forceinline__ T FromChildren(const CudaClass &c, const CudaFront &front, const int *map, const T *D, int i, int j)
{
  const int f = c.m + c.r;
  T         s = T(0);

  DEVICE_UNROLL
  for (int k = 0; k < 2; k++) {
    const int a = k < c.nchild ? map[k * f + i] : -1, b = k < c.nchild ? map[k * f + j] : -1;

    if (a >= 0 && b >= 0) s += D[front.cd[k] + a + (long long)b * c.rk[k]];
  }
  return s;
}

/* Entry e of A, added to the front whose parts are W (m x m), Z (m x r) and Y (r x m). Symmetric matrices are read from their upper half. */
template <class T>
__device__ __forceinline__ void AddEntry(const CudaTables &t, const CudaClass &c, const CudaFront &front, int e, T *W, T *Z, T *Y)
{
  const CudaEntry &entry = t.entry[c.entry + e];
  const int        i = entry.row, j = entry.col, m = c.m, r = c.r;
  const T          v = Caster<T>::From(t.aa[t.ai[front.origin + entry.from] + entry.k]);

  if (i >= m)
    Y[i - m + (long long)j * r] += v;
  else if (j < m) {
    W[i + (long long)j * m] += v;
    if (!t.lu && i != j) W[j + (long long)i * m] += Conjugate(v, t.hermitian);
  } else {
    Z[i + (long long)(j - m) * m] += v;
    if (!t.lu) Y[j - m + (long long)i * r] += Conjugate(v, t.hermitian);
  }
}

template <class T>
__device__ __forceinline__ void AddEntries(const CudaTables &t, const CudaClass &c, const CudaFront &front, int first, int step, T *W, T *Z, T *Y)
{
  if (c.alone) {
    if (first == 0) {
      for (int e = 0; e < c.nentry; e++) AddEntry(t, c, front, e, W, Z, Y);
    }
  } else {
    for (int e = first; e < c.nentry; e += step) AddEntry(t, c, front, e, W, Z, Y);
  }
}

/* ---- Inversion by one block ---- */

/* Largest modulus among rows [k, m) of column k, and its row; all lanes of a warp get it */
template <class R, class T>
__device__ inline void LargestPivot(int m, const T *A, int ld, int k, int lane, R *best, int *row)
{
  *best = -1;
  *row  = k;
  for (int i = k + lane; i < m; i += 32) {
    const R v = DeviceScalar<T>::Abs(A[i + k * ld]);

    if (v > *best) {
      *best = v;
      *row  = i;
    }
  }
  for (int step = 16; step > 0; step /= 2) {
    const R   v = __shfl_xor_sync(0xffffffffu, *best, step);
    const int i = __shfl_xor_sync(0xffffffffu, *row, step);

    if (v > *best || (v == *best && i < *row)) {
      *best = v;
      *row  = i;
    }
  }
}

/*
  A (m x m in shared memory) becomes its inverse, by Gauss-Jordan elimination with exchanges of rows. All threads of the block, side x side of
  them, take part. column holds m numbers, pivot m.
*/
template <class T>
__device__ void Invert(const CudaTables &t, int m, T *A, int ld, int side, T *column, int *pivot, Pivoting<T> *shared)
{
  typedef typename DeviceScalar<T>::Real R;
  const int                              tid = (int)threadIdx.x, nt = side * side, ti = tid % side, tj = tid / side;

  if (!tid) {
    shared->least = DBL_MAX;
    shared->most  = 0;
  }
  for (int k = 0; k < m; k++) {
    if (tid < 32) {
      R   best;
      int p;

      LargestPivot(m, A, ld, k, tid, &best, &p);
      if (!tid) {
        const R diagonal = DeviceScalar<T>::Abs(A[k + k * ld]);
        T       d;

        /* NaN is less than nothing, and must be seen */
        if (t.spd || (double)diagonal >= t.threshold * (double)best || !(best >= 0)) p = k;
        d = A[p + k * ld];
        if (t.spd && !(DeviceScalar<T>::RealPart(d) > 0)) {
          atomicMax(&t.parameters->failed, DeviceScalar<T>::Abs(d) <= Largest<R>() ? NOT_POSITIVE : NOT_FINITE);
          d = T((R)FromBits(t.parameters->largest));
        } else if (!(DeviceScalar<T>::Abs(d) <= Largest<R>()))
          atomicMax(&t.parameters->failed, NOT_FINITE);
        else if ((double)DeviceScalar<T>::Abs(d) < t.parameters->tiny) {
          atomicAdd(&t.parameters->replaced, 1u);
          d = T((R)t.parameters->replacement);
        }
        const double modulus = (double)DeviceScalar<T>::Abs(d);

        if (modulus < shared->least) shared->least = modulus;
        if (modulus > shared->most) shared->most = modulus;
        shared->inverse = DeviceScalar<T>::Inverse(d);
        shared->p       = p;
        pivot[k]        = p;
      }
    }
    __syncthreads();
    {
      const int p = shared->p;
      const T   d = shared->inverse;

      for (int i = tid; i < m; i += nt) column[i] = i == p ? A[k + k * ld] : A[i + k * ld];
      for (int j = tid; j < m; j += nt) {
        if (j == k) continue;
        const T a = A[p + j * ld];

        if (p != k) A[p + j * ld] = A[k + j * ld];
        A[k + j * ld] = a * d;
      }
      __syncthreads();
      for (int j = tj; j < m; j += side) {
        const T a = j == k ? d : A[k + j * ld];

        for (int i = ti; i < m; i += side) {
          if (j == k)
            A[i + k * ld] = i == k ? d : -(column[i] * a);
          else if (i != k)
            A[i + j * ld] -= column[i] * a;
        }
      }
    }
    __syncthreads();
  }
  for (int i = tid; i < m; i += nt) {
    for (int k = m - 1; k >= 0; k--) {
      const int p = pivot[k];

      if (p != k) {
        const T a = A[i + k * ld];

        A[i + k * ld] = A[i + p * ld];
        A[i + p * ld] = a;
      }
    }
  }
  __syncthreads();
}

/* ---- Fronts that one block works on ---- */

/* side x side threads, each of which holds tile x tile numbers of a product. The rows of W fit into side * tile. */
template <class T, int SIDE, int TILE>
__global__ static void __launch_bounds__(SIDE *SIDE, 2) SmallFactor(CudaTables t, int first, T *factor, T *D)
{
  const CudaFront front = t.front[first + (int)blockIdx.x];
  const CudaClass c     = t.cls[front.cls];
  const int       m = c.m, r = c.r, f = m + r, tid = (int)threadIdx.x, nt = SIDE * SIDE, ti = tid % SIDE, tj = tid / SIDE, span = SIDE * TILE;
  Pivoting<T>    *pivoting = (Pivoting<T> *)DeviceShared<double2>();
  T              *W = (T *)((char *)pivoting + sizeof(Pivoting<double2>)), *Z = W + m * m, *Y = Z + m * r, *column = Y + m * r, *to = factor + front.factor;
  int            *map = (int *)(column + m), *pivot = map + 2 * f;

  for (int k = 0; k < c.nchild; k++) {
    for (int i = tid; i < f; i += nt) map[k * f + i] = t.map[c.map + k * f + i];
  }
  __syncthreads();
  for (int j = tj; j < f; j += SIDE) {
    for (int i = ti; i < (j < m ? f : m); i += SIDE) {
      const T v = FromChildren(c, front, map, D, i, j);

      if (j >= m)
        Z[i + (j - m) * m] = v;
      else if (i < m)
        W[i + j * m] = v;
      else
        Y[i - m + j * r] = v;
    }
  }
  __syncthreads();
  AddEntries(t, c, front, tid, nt, W, Z, Y);
  __syncthreads();
  Invert(t, m, W, m, SIDE, column, pivot, pivoting);
  if (!tid) atomicMin(&t.parameters->ratio, Bits(PivotRatio(*t.parameters, pivoting->least, pivoting->most)));
  /* Z becomes T = Winv Z */
  for (int j0 = 0; j0 < r; j0 += span) {
    T acc[TILE][TILE];

    for (int a = 0; a < TILE; a++) {
      for (int b = 0; b < TILE; b++) acc[a][b] = T(0);
    }
    for (int k = 0; k < m; k++) {
      T w[TILE], z[TILE];

      DEVICE_UNROLL
      for (int a = 0; a < TILE; a++) w[a] = ti + a * SIDE < m ? W[ti + a * SIDE + k * m] : T(0);
      DEVICE_UNROLL
      for (int b = 0; b < TILE; b++) z[b] = j0 + tj + b * SIDE < r ? Z[k + (j0 + tj + b * SIDE) * m] : T(0);
      DEVICE_UNROLL
      for (int a = 0; a < TILE; a++) {
        DEVICE_UNROLL
        for (int b = 0; b < TILE; b++) acc[a][b] += w[a] * z[b];
      }
    }
    __syncthreads();
    DEVICE_UNROLL
    for (int a = 0; a < TILE; a++) {
      DEVICE_UNROLL
      for (int b = 0; b < TILE; b++) {
        const int i = ti + a * SIDE, j = j0 + tj + b * SIDE;

        if (i < m && j < r) Z[i + j * m] = acc[a][b];
      }
    }
  }
  __syncthreads();
  for (int e = tid; e < m * f; e += nt) to[e] = W[e]; /* and Z, which follows it */
  if (t.lu) {
    for (int e = tid; e < m * r; e += nt) to[m * f + e] = Y[e];
  }
  for (int j0 = 0; j0 < r; j0 += span) {
    for (int i0 = 0; i0 < r; i0 += span) {
      T acc[TILE][TILE];

      DEVICE_UNROLL
      for (int a = 0; a < TILE; a++) {
        DEVICE_UNROLL
        for (int b = 0; b < TILE; b++) {
          const int i = i0 + ti + a * SIDE, j = j0 + tj + b * SIDE;

          acc[a][b] = i < r && j < r ? FromChildren(c, front, map, D, m + i, m + j) : T(0);
        }
      }
      for (int k = 0; k < m; k++) {
        T y[TILE], z[TILE];

        DEVICE_UNROLL
        for (int a = 0; a < TILE; a++) y[a] = i0 + ti + a * SIDE < r ? Y[i0 + ti + a * SIDE + k * r] : T(0);
        DEVICE_UNROLL
        for (int b = 0; b < TILE; b++) z[b] = j0 + tj + b * SIDE < r ? Z[k + (j0 + tj + b * SIDE) * m] : T(0);
        DEVICE_UNROLL
        for (int a = 0; a < TILE; a++) {
          DEVICE_UNROLL
          for (int b = 0; b < TILE; b++) acc[a][b] -= y[a] * z[b];
        }
      }
      DEVICE_UNROLL
      for (int a = 0; a < TILE; a++) {
        DEVICE_UNROLL
        for (int b = 0; b < TILE; b++) {
          const int i = i0 + ti + a * SIDE, j = j0 + tj + b * SIDE;

          if (i < r && j < r) D[front.d + i + (long long)j * r] = acc[a][b];
        }
      }
    }
  }
}

/* ---- Large fronts, of one class in a row ---- */

/* Eight columns for each block in y. Z and, for symmetric matrices, Y are passing things. */
template <class T>
__global__ static void LargeAssemble(CudaTables t, int first, T *factor, T *D, T *Zs, T *Ys)
{
  const CudaFront front = t.front[first + (int)blockIdx.x];
  const CudaClass c     = t.cls[front.cls];
  const int       m = c.m, r = c.r, f = m + r, end = min(f, 8 * ((int)blockIdx.y + 1));
  const int      *map = t.map + c.map;
  T              *W = factor + front.factor, *Z = Zs + (long long)blockIdx.x * m * r, *Y = t.lu ? W + (long long)m * f : Ys + (long long)blockIdx.x * m * r, *X = D + front.d;

  for (int j = 8 * (int)blockIdx.y; j < end; j++) {
    for (int i = (int)threadIdx.x; i < f; i += (int)blockDim.x) {
      const T v = FromChildren(c, front, map, D, i, j);

      if (j < m) {
        if (i < m)
          W[i + (long long)j * m] = v;
        else
          Y[i - m + (long long)j * r] = v;
      } else if (i < m)
        Z[i + (long long)(j - m) * m] = v;
      else
        X[i - m + (long long)(j - m) * r] = v;
    }
  }
}

template <class T>
__global__ static void LargeEntries(CudaTables t, int first, T *factor, T *Zs, T *Ys)
{
  const CudaFront front = t.front[first + (int)blockIdx.x];
  const CudaClass c     = t.cls[front.cls];
  T              *W     = factor + front.factor;

  AddEntries(t, c, front, (int)(blockIdx.y * blockDim.x + threadIdx.x), (int)(gridDim.y * blockDim.x), W, Zs + (long long)blockIdx.x * c.m * c.r, t.lu ? W + (long long)c.m * (c.m + c.r) : Ys + (long long)blockIdx.x * c.m * c.r);
}

/* Couplings across the frame of the octahedral topology enter W of the root */
template <class T>
__global__ static void LargeGlue(CudaTables t, int first, T *factor, int nglue, const CudaGlue *glue, const Value *values)
{
  const CudaFront front = t.front[first];
  const int       m     = t.cls[front.cls].m;
  T              *W     = factor + front.factor;

  for (int k = (int)threadIdx.x; k < nglue; k += (int)blockDim.x) {
    const int i = glue[k].row, j = glue[k].col;
    const T   v = Caster<T>::From(values[glue[k].k]);

    if (t.lu)
      W[i + (long long)j * m] += v;
    else if (j <= i) {
      W[i + (long long)j * m] += v;
      if (i != j) W[j + (long long)i * m] += Conjugate(v, t.hermitian);
    }
  }
}

/* Diagonal block [k, k + n) of W, inverted into P; into W itself where there is no P. range: smallest and largest pivot of each front. */
template <class T>
__global__ static void PivotBlock(CudaTables t, int first, T *factor, int k, int n, T *P, double2 *range)
{
  const CudaFront front = t.front[first + (int)blockIdx.x];
  const int       m = t.cls[front.cls].m, tid = (int)threadIdx.x, nt = (int)blockDim.x;
  Pivoting<T>    *pivoting = (Pivoting<T> *)DeviceShared<double2>();
  T              *A = (T *)((char *)pivoting + sizeof(Pivoting<double2>)), *column = A + n * n, *W = factor + front.factor + k + (long long)k * m, *to = P ? P + (long long)blockIdx.x * n * n : W;
  int            *pivot = (int *)(column + n);
  const int       ld    = P ? n : m;

  for (int e = tid; e < n * n; e += nt) A[e] = W[e % n + (long long)(e / n) * m];
  __syncthreads();
  Invert(t, n, A, n, 16, column, pivot, pivoting);
  for (int e = tid; e < n * n; e += nt) to[e % n + (long long)(e / n) * ld] = A[e];
  if (!tid) {
    double2 *at = &range[blockIdx.x];

    if (k) {
      if (at->x < pivoting->least) pivoting->least = at->x;
      if (at->y > pivoting->most) pivoting->most = at->y;
    }
    *at = make_double2(pivoting->least, pivoting->most);
    if (k + n == m) atomicMin(&t.parameters->ratio, Bits(PivotRatio(*t.parameters, pivoting->least, pivoting->most)));
  }
}

/* Columns [k, k + n) of W move to C, without the rows of the block, and leave a unit matrix in the block */
template <class T>
__global__ static void TakeColumns(CudaTables t, int first, T *factor, int k, int n, T *C)
{
  const CudaFront front = t.front[first + (int)blockIdx.x];
  const int       m = t.cls[front.cls].m, i = (int)(blockIdx.y * blockDim.x + threadIdx.x);
  const bool      inside = i >= k && i < k + n;
  T              *W = factor + front.factor + (long long)k * m, *to = C + (long long)blockIdx.x * m * n;

  if (i >= m) return;
  for (int j = 0; j < n; j++) {
    to[i + (long long)j * m] = inside ? T(0) : W[i + (long long)j * m];
    W[i + (long long)j * m]  = inside && i - k == j ? T(1) : T(0);
  }
}

/* Rows [k, k + n) of W become R */
template <class T>
__global__ static void PutRows(CudaTables t, int first, T *factor, int k, int n, const T *R)
{
  const CudaFront front = t.front[first + (int)blockIdx.x];
  const int       m     = t.cls[front.cls].m;
  T              *W     = factor + front.factor + k;
  const T        *from  = R + (long long)blockIdx.x * n * m;

  for (int e = (int)(blockIdx.y * blockDim.x + threadIdx.x); e < n * m; e += (int)(gridDim.y * blockDim.x)) W[e % n + (long long)(e / n) * m] = from[e];
}

/* ---- Solves ---- */

/* out(i, sum over j of A(i, j) x(j)) for each row; x in memory that all threads see, scratch with a number for each thread */
template <class T, class Out>
__device__ inline void RowProducts(int rows, int cols, const T *A, long long lda, const T *x, T *scratch, Out out)
{
  const int lane = (int)threadIdx.x % 32, group = (int)threadIdx.x / 32, groups = (int)blockDim.x / 32;

  for (int i0 = 0; i0 < rows; i0 += 32) {
    const int i = i0 + lane;
    T         s = T(0);

    if (i < rows) {
      for (int j = group; j < cols; j += groups) s += A[i + j * lda] * x[j];
    }
    if (groups > 1) {
      scratch[threadIdx.x] = s;
      __syncthreads();
      if (!group) {
        for (int g = 1; g < groups; g++) s += scratch[g * 32 + lane];
      }
    }
    if (!group && i < rows) out(i, s);
    if (groups > 1) __syncthreads();
  }
}

template <class T>
struct Shuffle {
  static __device__ __forceinline__ T Xor(T v, int step)
  {
    return __shfl_xor_sync(0xffffffffu, v, step);
  }
};
template <class R>
struct Shuffle<DeviceComplex<R>> {
  static __device__ __forceinline__ DeviceComplex<R> Xor(DeviceComplex<R> v, int step)
  {
    return {__shfl_xor_sync(0xffffffffu, v.re, step), __shfl_xor_sync(0xffffffffu, v.im, step)};
  }
};

/* out(j, sum over i of A(i, j) x(i)), or with conj(A), for each column */
template <class T, class Out>
__device__ inline void ColumnProducts(int rows, int cols, const T *A, long long lda, bool conj, const T *x, Out out)
{
  const int width = rows <= 8 ? 8 : rows <= 16 ? 16 : 32, lane = (int)threadIdx.x % width, group = (int)threadIdx.x / width, groups = (int)blockDim.x / width;

  for (int j0 = 0; j0 < cols; j0 += groups) {
    const int j = j0 + group;
    T         s = T(0);

    if (j < cols) {
      for (int i = lane; i < rows; i += width) s += Conjugate(A[i + j * lda], conj) * x[i];
    }
    for (int step = width / 2; step > 0; step /= 2) s += Shuffle<T>::Xor(s, step);
    if (!lane && j < cols) out(j, s);
  }
}

/* Vectors of a solve: b and x are the caller's order, v holds the fronts' rings, s and u what large fronts keep between kernels */
template <class T>
struct CudaVectors {
  const T  *factor;
  T        *x, *v, *s;
  long long n, nv, ns;
  bool      trans, conj; /* the transposed matrix; conjugate vectors, for that of a Hermitian one */
};

/* Position i of a front on the way up */
template <class T>
__device__ __forceinline__ T Gather(const CudaTables &t, const CudaClass &c, const CudaFront &front, const CudaVectors<T> &z, int q, int i)
{
  const int f = c.m + c.r;
  T         s = i < c.m ? z.x[front.origin + t.offset[c.offset + i] + q * z.n] : T(0);

  DEVICE_UNROLL
  for (int k = 0; k < 2; k++) {
    const int a = k < c.nchild ? t.map[c.map + k * f + i] : -1;

    if (a >= 0) s += z.v[front.cv[k] + a + q * z.nv];
  }
  return s;
}

template <class T>
__global__ static void SmallForward(CudaTables t, int first, CudaVectors<T> z)
{
  const CudaFront front = t.front[first + (int)blockIdx.x];
  const CudaClass c     = t.cls[front.cls];
  const int       m = c.m, r = c.r, f = m + r, q = (int)blockIdx.z;
  T              *s = DeviceShared<T>(), *u = s + f, *scratch = u + m, *v = z.v + front.v + q * z.nv, *x = z.x + front.origin + q * z.n;
  const T        *W = z.factor + front.factor, *Tz = W + (long long)m * m, *Y = W + (long long)m * f;
  const PetscInt *offset = t.offset + c.offset;

  for (int i = (int)threadIdx.x; i < f; i += (int)blockDim.x) s[i] = Gather(t, c, front, z, q, i);
  __syncthreads();
  if (t.lu && !z.trans) {
    RowProducts(m, m, W, m, s, scratch, [&](int i, T a) {
      u[i]         = a;
      x[offset[i]] = a;
    });
    __syncthreads();
    RowProducts(r, m, Y, r, u, scratch, [&](int i, T a) { v[i] = s[m + i] - a; });
  } else {
    for (int i = (int)threadIdx.x; i < m; i += (int)blockDim.x) x[offset[i]] = s[i];
    ColumnProducts(m, r, Tz, m, !t.lu && t.hermitian, s, [&](int j, T a) { v[j] = s[m + j] - a; });
  }
}

template <class T>
__global__ static void SmallBackward(CudaTables t, int first, CudaVectors<T> z)
{
  const CudaFront front = t.front[first + (int)blockIdx.x];
  const CudaClass c     = t.cls[front.cls];
  const int       m = c.m, r = c.r, f = m + r, q = (int)blockIdx.z;
  T              *s = DeviceShared<T>(), *u = s + f, *scratch = u + m, *x = z.x + front.origin + q * z.n;
  const T        *W = z.factor + front.factor, *Tz = W + (long long)m * m, *Y = W + (long long)m * f;
  const PetscInt *offset = t.offset + c.offset;

  for (int i = (int)threadIdx.x; i < f; i += (int)blockDim.x) s[i] = i < m ? x[offset[i]] : -x[offset[i]];
  __syncthreads();
  if (t.lu && z.trans) {
    ColumnProducts(r, m, Y, r, false, s + m, [&](int j, T a) { u[j] = s[j] + a; });
    __syncthreads();
    ColumnProducts(m, m, W, m, false, u, [&](int j, T a) { x[offset[j]] = a; });
  } else if (t.lu) {
    RowProducts(m, r, Tz, m, s + m, scratch, [&](int i, T a) { x[offset[i]] = s[i] + a; });
  } else {
    RowProducts(m, f, W, m, s, scratch, [&](int i, T a) { x[offset[i]] = a; });
  }
}

/* The steps of large fronts: blocks in y take 32 rows or columns each, s holds f numbers of a front and then m that pass between the steps */
enum LargeStep { LARGE_GATHER_UP, LARGE_GATHER_DOWN, LARGE_WINV, LARGE_RING, LARGE_RING_T, LARGE_BACK, LARGE_BACK_SYMMETRIC, LARGE_BACK_T1, LARGE_BACK_T2 };

template <class T>
__global__ static void Large(CudaTables t, int first, CudaVectors<T> z, LargeStep what)
{
  const CudaFront front = t.front[first + (int)blockIdx.x];
  const CudaClass c     = t.cls[front.cls];
  const int       m = c.m, r = c.r, f = m + r, q = (int)blockIdx.z, at = 32 * (int)blockIdx.y;
  T              *scratch = DeviceShared<T>(), *s = z.s + front.w + q * z.ns, *u = s + f, *v = z.v + front.v + q * z.nv, *x = z.x + front.origin + q * z.n;
  const T        *W = z.factor + front.factor, *Tz = W + (long long)m * m, *Y = W + (long long)m * f;
  const PetscInt *offset = t.offset + c.offset;
  const int       mm = min(32, m - at), rr = min(32, r - at);

  switch (what) {
  case LARGE_GATHER_UP:
  case LARGE_GATHER_DOWN:
    for (int i = (int)(blockIdx.y * blockDim.x + threadIdx.x); i < f; i += (int)(gridDim.y * blockDim.x)) s[i] = what == LARGE_GATHER_UP ? Gather(t, c, front, z, q, i) : i < m ? x[offset[i]] : -x[offset[i]];
    break;
  case LARGE_WINV:
    if (mm > 0)
      RowProducts(mm, m, W + at, m, s, scratch, [&](int i, T a) {
        u[at + i]         = a;
        x[offset[at + i]] = a;
      });
    break;
  case LARGE_RING:
    if (rr > 0) RowProducts(rr, m, Y + at, r, u, scratch, [&](int i, T a) { v[at + i] = s[m + at + i] - a; });
    break;
  case LARGE_RING_T:
    for (int i = at + (int)threadIdx.x; i < min(m, at + 32); i += (int)blockDim.x) x[offset[i]] = s[i];
    if (rr > 0) ColumnProducts(m, rr, Tz + (long long)at * m, m, !t.lu && t.hermitian, s, [&](int j, T a) { v[at + j] = s[m + at + j] - a; });
    break;
  case LARGE_BACK:
    if (mm > 0) RowProducts(mm, r, Tz + at, m, s + m, scratch, [&](int i, T a) { x[offset[at + i]] = s[at + i] + a; });
    break;
  case LARGE_BACK_SYMMETRIC:
    if (mm > 0) RowProducts(mm, f, W + at, m, s, scratch, [&](int i, T a) { x[offset[at + i]] = a; });
    break;
  case LARGE_BACK_T1:
    if (mm > 0) ColumnProducts(r, mm, Y + (long long)at * r, r, false, s + m, [&](int j, T a) { u[at + j] = s[at + j] + a; });
    break;
  case LARGE_BACK_T2:
    if (mm > 0) ColumnProducts(m, mm, W + (long long)at * m, m, false, u, [&](int j, T a) { x[offset[at + j]] = a; });
    break;
  }
}
} // namespace
