#include "mat/schwarzschur/factor_cuda.h"
#include "mat/compat/backend.h"
#include "mat/compat/device.h"
#include "mat/schwarzschur/allocator.h"

#include <cublas_v2.h>

#include <algorithm>
#include <cfloat>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <vector>
#if !defined(PETLAP_CUDA_EMULATED)
  #include <dlfcn.h>
#endif

#define CUBLAS_NAME_(version) "libcublas.so." #version
#define CUBLAS_NAME(version)  CUBLAS_NAME_(version)

#if defined(PETSC_USE_COMPLEX)
typedef DeviceComplex<double> Value;
#else
typedef double Value;
#endif

/* ---- cuBLAS, which is opened when the first large front needs it: loading it takes longer than many programs run ---- */

namespace {

struct Blas {
  decltype(&cublasCreate_v2)           create;
  decltype(&cublasDestroy_v2)          destroy;
  decltype(&cublasSetStream_v2)        setstream;
  decltype(&cublasSetWorkspace_v2)     setworkspace;
  decltype(&cublasSgemmStridedBatched) sgemm;
  decltype(&cublasDgemmStridedBatched) dgemm;
  decltype(&cublasCgemmStridedBatched) cgemm;
  decltype(&cublasZgemmStridedBatched) zgemm;
};

cudaError_t OpenBlas(Blas *blas)
{
#if defined(PETLAP_CUDA_EMULATED)
  *blas = {cublasCreate_v2, cublasDestroy_v2, cublasSetStream_v2, cublasSetWorkspace_v2, cublasSgemmStridedBatched, cublasDgemmStridedBatched, cublasCgemmStridedBatched, cublasZgemmStridedBatched};
#else
  const char *const names[] = {CUBLAS_NAME(CUBLAS_VER_MAJOR), "libcublas.so"};
  void             *library = nullptr;

  for (const char *name : names) {
    if (!library) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  if (!library) return cudaErrorSharedObjectInitFailed;
  blas->create       = (decltype(blas->create))dlsym(library, "cublasCreate_v2");
  blas->destroy      = (decltype(blas->destroy))dlsym(library, "cublasDestroy_v2");
  blas->setstream    = (decltype(blas->setstream))dlsym(library, "cublasSetStream_v2");
  blas->setworkspace = (decltype(blas->setworkspace))dlsym(library, "cublasSetWorkspace_v2");
  blas->sgemm        = (decltype(blas->sgemm))dlsym(library, "cublasSgemmStridedBatched");
  blas->dgemm        = (decltype(blas->dgemm))dlsym(library, "cublasDgemmStridedBatched");
  blas->cgemm        = (decltype(blas->cgemm))dlsym(library, "cublasCgemmStridedBatched");
  blas->zgemm        = (decltype(blas->zgemm))dlsym(library, "cublasZgemmStridedBatched");
  if (!blas->create || !blas->destroy || !blas->setstream || !blas->setworkspace || !blas->sgemm || !blas->dgemm || !blas->cgemm || !blas->zgemm) return cudaErrorSharedObjectSymbolNotFound;
#endif
  return cudaSuccess;
}

/* C = alpha A B + beta C for a batch of matrices */
#define DefineGemm(T, S, name)                                                                                                                                                                                                    \
  cudaError_t Gemm(const Blas *blas, cublasHandle_t h, int m, int n, int k, T alpha, const T *A, int lda, long long sa, const T *B, int ldb, long long sb, T beta, T *C, int ldc, long long sc, int batch)                        \
  {                                                                                                                                                                                                                               \
    if (!m || !n || !batch) return cudaSuccess;                                                                                                                                                                                   \
    return blas->name(h, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, (const S *)&alpha, (const S *)A, lda, sa, (const S *)B, ldb, sb, (const S *)&beta, (S *)C, ldc, sc, batch) == CUBLAS_STATUS_SUCCESS ? cudaSuccess : cudaErrorUnknown; \
  }
#if defined(PETSC_USE_COMPLEX)
DefineGemm(DeviceComplex<float>, cuComplex, cgemm) DefineGemm(DeviceComplex<double>, cuDoubleComplex, zgemm)
#else
DefineGemm(float, float, sgemm) DefineGemm(double, double, dgemm)
#endif

  /* ---- What the device knows of the plan ---- */

  /* Positions count unknowns */
  struct CudaClass {
  int  m, r, nchild, rk[2]; /* rk: rings of the children */
  int  map;                 /* where the front's positions stand in the children's rings, or -1: m + r of child 0, then of child 1 */
  int  offset;              /* m + r unknowns relative to the origin */
  int  entry, nentry;
  bool alone; /* entries that meet in one place: one thread adds them */
};

/* An entry of A: its row relative to the origin, and which of the row it is */
struct CudaEntry {
  int      row, col, k;
  PetscInt from;
};

/* A front: its unknown of the origin, and where its numbers begin */
struct CudaFront {
  int       cls;
  PetscInt  origin;
  long long factor, d, cd[2], v, cv[2], w;
};

struct CudaGlue {
  int      row, col;
  PetscInt k;
};

/* How a factorization fails. What follows a pivot that is not positive may well overflow, and must not hide it. */
const int NOT_FINITE = 1, NOT_POSITIVE = 2;

/* What a factorization learns on its way */
struct CudaParameters {
  double             tiny, replacement;
  unsigned long long norm, largest, ratio; /* bits of positive doubles */
  int                nonfinite, failed;
  unsigned int       replaced;
};

/* Where everything is */
struct CudaTables {
  const CudaClass *cls;
  const int       *map;
  const PetscInt  *offset;
  const CudaEntry *entry;
  const CudaFront *front;
  const PetscInt  *ai;
  const Value     *aa;
  CudaParameters  *parameters;
  double           threshold;
  bool             lu, spd, hermitian, single;
};

/* The largest finite number */
template <class R>
__host__ __device__ inline R Largest(void)
{
  return sizeof(R) == sizeof(float) ? (R)FLT_MAX : (R)DBL_MAX;
}

/* Positive doubles are ordered as their bits are */
__host__ __device__ inline unsigned long long Bits(double v)
{
  unsigned long long b;

  memcpy(&b, &v, sizeof(b));
  return b;
}
__host__ __device__ inline double FromBits(unsigned long long b)
{
  double v;

  memcpy(&v, &b, sizeof(v));
  return v;
}

/* To the numbers of the factors and back */
template <class T>
struct Caster {
  static __host__ __device__ __forceinline__ T From(double v)
  {
    return (T)v;
  }
};
#if defined(PETSC_USE_COMPLEX)
template <class R>
struct Caster<DeviceComplex<R>> {
  static __host__ __device__ __forceinline__ DeviceComplex<R> From(DeviceComplex<double> v)
  {
    return DeviceComplex<R>(v);
  }
};
template <class R>
__host__ __device__ inline Value Widen(DeviceComplex<R> v)
{
  return Value(v);
}
__host__ __device__ inline double Modulus(Value v)
{
  return sqrt(v.re * v.re + v.im * v.im);
}
#else
template <class R>
__host__ __device__ inline Value Widen(R v)
{
  return v;
}
__host__ __device__ inline double Modulus(Value v)
{
  return v < 0 ? -v : v;
}
#endif

template <class T>
__device__ __forceinline__ T Conjugate(T v, bool conj)
{
  return conj ? DeviceScalar<T>::Conj(v) : v;
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

/* What the threads of a block tell each other while they invert */
template <class T>
struct Pivoting {
  T      inverse;
  int    p;
  double least, most;
};

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

/* Numbers of shared memory that a front needs */
template <class T>
__host__ __device__ inline size_t SmallBytes(int m, int r)
{
  const size_t numbers = (size_t)m * m + 2 * (size_t)m * r + (size_t)m, ints = (size_t)2 * (m + r) + (size_t)m;

  return sizeof(Pivoting<double2>) + numbers * sizeof(T) + ints * sizeof(int);
}

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
  if (!tid) atomicMin(&t.parameters->ratio, Bits(pivoting->least / pivoting->most));
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
    if (k + n == m) atomicMin(&t.parameters->ratio, Bits(pivoting->least / pivoting->most));
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

/* ---- The matrix and vectors by themselves ---- */

/* The largest of the threads' values, for thread 0; scratch with a number for each thread */
__device__ inline double BlockMax(double v, double *scratch)
{
  const int tid = (int)threadIdx.x;

  scratch[tid] = v;
  __syncthreads();
  for (int half = (int)blockDim.x / 2; half > 0; half /= 2) {
    if (tid < half && scratch[tid + half] > scratch[tid]) scratch[tid] = scratch[tid + half];
    __syncthreads();
  }
  v = scratch[0];
  __syncthreads();
  return v;
}

__global__ static void ClearParameters(CudaParameters *p)
{
  p->tiny = p->replacement = 0;
  p->norm = p->largest = 0;
  p->ratio             = Bits(1.0);
  p->nonfinite = p->failed = 0;
  p->replaced              = 0;
}

__global__ static void MatrixNorms(PetscInt n, const PetscInt *ia, const Value *aa, CudaParameters *p)
{
  double *scratch = DeviceShared<double>(), norm = 0, largest = 0;
  bool    nonfinite = false;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) {
    double sum = 0;

    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) {
      const double v = Modulus(aa[k]);

      sum += v;
      if (v > largest) largest = v;
    }
    if (!(sum <= DBL_MAX))
      nonfinite = true;
    else if (sum > norm)
      norm = sum;
  }
  if (nonfinite) atomicMax(&p->nonfinite, 1);
  norm    = BlockMax(norm, scratch);
  largest = BlockMax(largest, scratch);
  if (!threadIdx.x) {
    atomicMax(&p->norm, Bits(norm));
    atomicMax(&p->largest, Bits(largest));
  }
}

__global__ static void SetPivotLimits(CudaParameters *p, bool single)
{
  const double largest = FromBits(p->largest);

  p->tiny        = (single ? 1e-30 : 1e-40) * largest;
  p->replacement = sqrt(single ? (double)FLT_EPSILON : DBL_EPSILON) * largest;
  if (p->tiny == 0) p->tiny = single ? FLT_MIN : DBL_MIN;
}

/* Rows without their gaps; full is zero beforehand */
__global__ static void FillGaps(PetscInt n, const PetscInt *ia, const PetscInt *ja, const unsigned short *slot, const PetscInt *start, int dof, const Value *aa, Value *full)
{
  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) {
    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) {
      if (slot[k] != (unsigned short)-1) full[start[i] + (PetscInt)slot[k] * dof + ja[k] % dof] = aa[k];
    }
  }
}

/* r = b - A x, and the largest moduli of r, x and b (in that order, as bits) of each column. order: entries by row of A^T, or null for A's own. */
__global__ static void Residual(PetscInt n, const PetscInt *ia, const PetscInt *ja, const PetscInt *order, const Value *aa, const Value *b, long long ldb, const Value *x, long long ldx, Value *r, unsigned long long *norms)
{
  double   *scratch = DeviceShared<double>(), most[3] = {0, 0, 0};
  const int q = (int)blockIdx.z;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) {
    const Value bi = b[i + q * ldb];
    Value       s  = bi;
    double      v[3];

    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) s -= aa[order ? order[k] : k] * x[ja[k] + q * ldx];
    r[i + (long long)q * n] = s;
    v[0]                    = Modulus(s);
    v[1]                    = Modulus(x[i + q * ldx]);
    v[2]                    = Modulus(bi);
    for (int k = 0; k < 3; k++) {
      /* What is no number counts as infinite */
      if (!(v[k] <= DBL_MAX)) v[k] = HUGE_VAL;
      if (v[k] > most[k]) most[k] = v[k];
    }
  }
  for (int k = 0; k < 3; k++) {
    const double v = BlockMax(most[k], scratch);

    if (!threadIdx.x) atomicMax(&norms[3 * q + k], Bits(v));
  }
}

/* x += a d where there is d, else x = a */
__global__ static void AddOrFill(PetscInt n, double a, const Value *d, Value *x, long long ldx)
{
  const int q = (int)blockIdx.z;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) {
    if (d)
      x[i + q * ldx] += Value(a) * d[i + (long long)q * n];
    else
      x[i + q * ldx] = Value(a);
  }
}

template <class T>
__global__ static void CopyIn(PetscInt n, const Value *b, long long ldb, T *x, bool conj)
{
  const int q = (int)blockIdx.z;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) x[i + (long long)q * n] = Caster<T>::From(Conjugate(b[i + q * ldb], conj));
}
template <class T>
__global__ static void CopyOut(PetscInt n, const T *x, Value *to, long long ldx, bool conj)
{
  const int q = (int)blockIdx.z;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) to[i + q * ldx] = Conjugate(Widen(x[i + (long long)q * n]), conj);
}

dim3 VectorGrid(PetscInt n, int nrhs)
{
  return dim3((unsigned int)std::min<PetscInt>(4096, (n + 255) / 256), 1, (unsigned int)nrhs);
}

/* ---- The executor ---- */

/* Fronts that one launch works on: those of a height that are small, or those of a class that are large */
struct Group {
  int    first, n, height, cls; /* cls: of large ones */
  bool   large;
  int    m, r, entries; /* the largest */
  size_t shared;        /* bytes of the factorization */
  int    side;          /* threads */
};

const int NSTREAM = 4;
/* What cuBLAS is given for each stream, as a power of two: the size that its manual recommends */
#if defined(PETLAP_CUDA_EMULATED)
const int WORKSPACE = 12;
#else
const int WORKSPACE = 25;
#endif

} // namespace

/* What does not depend on the type of the factors */
struct FactorCuda {
  const Plan                     *plan;
  FactorOptions                   options;
  cudaStream_t                    stream;            /* the caller's */
  cudaStream_t                    aux[NSTREAM] = {}; /* aux[0] records the graphs */
  cudaEvent_t                     fork = nullptr, edge = nullptr, join[NSTREAM] = {};
  PetscInt                        n = 0, nnz = 0, nfull = 0;
  std::vector<CudaClass>          cls;
  std::vector<Group>              group[2]; /* of factorizations and of solves */
  DeviceArray<CudaClass>          dcls;
  DeviceArray<int>                dmap;
  DeviceArray<PetscInt>           doffset, dia, dja, dstart, tia, tja, torder;
  DeviceArray<CudaEntry>          dentry;
  DeviceArray<CudaFront>          dfront[2];
  DeviceArray<CudaGlue>           dglue;
  DeviceArray<unsigned short>     dslot;
  DeviceArray<Value>              daa, dfull, vector[4];
  DeviceArray<CudaParameters>     dparameters;
  DeviceArray<unsigned long long> dnorms;
  DeviceArray<double2>            drange[NSTREAM];
  CudaParameters                 *parameters = nullptr; /* pinned */
  unsigned long long             *norms      = nullptr; /* pinned, 3 for each of 32 columns */
  std::vector<PetscInt>           ia, ja;               /* for the transpose */
  std::vector<long long>          base, dbase;          /* of each class, where the first front's numbers begin */
  size_t                          nfactor = 0, nd = 0, nv = 0, ns = 0;
  int                             nb = 64, smem = 0, nglue = 0;
  bool                            hasblas = false;
  Blas                            blas;
  cublasHandle_t                  handle[NSTREAM] = {};
  DeviceArray<char>               workspace[NSTREAM];
  cudaGraphExec_t                 numeric = nullptr;
  bool                            warm = false, warmsolve[2] = {false, false}; /* kernels have been loaded */
  std::map<int, cudaGraphExec_t>  solve;                                       /* by 2 nrhs + trans */
  int                             nrhs = 0;                                    /* that there is room for */
  double                          norm = 0, replaced = 0, ratio = 1, nsmall = 0, nlarge = 0;
  int                             launches = 0;
  double                          batch    = 1;       /* grids */
  cudaEvent_t                    *mark     = nullptr; /* recorded before the first height and after each, while a profile is made */

  virtual ~FactorCuda()
  {
    if (numeric) (void)cudaGraphExecDestroy(numeric);
    for (auto &g : solve) (void)cudaGraphExecDestroy(g.second);
    for (int k = 0; k < NSTREAM; k++) {
      if (handle[k]) (void)blas.destroy(handle[k]);
      if (join[k]) (void)cudaEventDestroy(join[k]);
      if (aux[k]) (void)cudaStreamDestroy(aux[k]);
      workspace[k].Free();
      drange[k].Free();
    }
    if (fork) (void)cudaEventDestroy(fork);
    if (edge) (void)cudaEventDestroy(edge);
    for (auto &v : vector) v.Free();
    for (auto &f : dfront) f.Free();
    dcls.Free();
    dmap.Free();
    doffset.Free();
    dia.Free();
    dja.Free();
    dstart.Free();
    tia.Free();
    tja.Free();
    torder.Free();
    dentry.Free();
    dglue.Free();
    dslot.Free();
    daa.Free();
    dfull.Free();
    dparameters.Free();
    dnorms.Free();
    if (parameters) (void)cudaFreeHost(parameters);
    if (norms) (void)cudaFreeHost(norms);
  }
  void DropGraphs(void)
  {
    for (auto &g : solve) (void)cudaGraphExecDestroy(g.second);
    solve.clear();
  }
  CudaTables Tables(int which)
  {
    CudaTables t;

    t.cls        = dcls.p;
    t.map        = dmap.p;
    t.offset     = doffset.p;
    t.entry      = dentry.p;
    t.front      = which && dfront[1].p ? dfront[1].p : dfront[0].p;
    t.ai         = dslot.p ? dstart.p : dia.p;
    t.aa         = dslot.p ? dfull.p : daa.p;
    t.parameters = dparameters.p;
    t.threshold  = options.threshold;
    t.lu         = options.mode == FACTOR_LU;
    t.spd        = options.mode == FACTOR_SPD;
    t.hermitian  = options.hermitian;
    t.single     = options.single;
    return t;
  }
  /* Work of stream 0 goes on when that of the others has ended, and the other way round */
  cudaError_t Fork(void)
  {
    DeviceCall(cudaEventRecord(fork, aux[0]));
    for (int k = 1; k < NSTREAM; k++) DeviceCall(cudaStreamWaitEvent(aux[k], fork, 0));
    return cudaSuccess;
  }
  cudaError_t Join(void)
  {
    for (int k = 1; k < NSTREAM; k++) {
      DeviceCall(cudaEventRecord(join[k], aux[k]));
      DeviceCall(cudaStreamWaitEvent(aux[0], join[k], 0));
    }
    return cudaSuccess;
  }
  /* A graph of what `record` puts into aux[0] */
  template <class Record>
  cudaError_t Capture(cudaGraphExec_t *exec, Record record)
  {
    cudaGraph_t graph = nullptr;

    DeviceCall(cudaStreamBeginCapture(aux[0], cudaStreamCaptureModeThreadLocal));
    const cudaError_t error = record(), ended = cudaStreamEndCapture(aux[0], &graph);

    if (error == cudaSuccess) {
      DeviceCall(ended);
      const cudaError_t made = cudaGraphInstantiate(exec, graph, 0);

      (void)cudaGraphDestroy(graph);
      return made;
    }
    if (graph) (void)cudaGraphDestroy(graph);
    return error;
  }
  /*
    Does in the caller's stream what `record` puts into aux[0]: as it stands the first time, when kernels may have to be loaded, which a stream that is
    captured does not stand, and as a graph from then on.
  */
  template <class Record>
  cudaError_t Run(cudaGraphExec_t *exec, bool *warmed, Record record)
  {
    if (*warmed) {
      if (!*exec) DeviceCall(Capture(exec, record));
      return cudaGraphLaunch(*exec, stream);
    }
    DeviceCall(cudaEventRecord(edge, stream));
    DeviceCall(cudaStreamWaitEvent(aux[0], edge, 0));
    DeviceCall(record());
    DeviceCall(cudaEventRecord(edge, aux[0]));
    DeviceCall(cudaStreamWaitEvent(stream, edge, 0));
    *warmed = true;
    return cudaSuccess;
  }

  virtual size_t      SmallLimit(int m, int r) const                         = 0;
  virtual size_t      Scalar(void) const                                     = 0;
  virtual cudaError_t Reserve(void)                                          = 0;
  virtual cudaError_t Room(int nrhs)                                         = 0;
  virtual cudaError_t RecordNumeric(void)                                    = 0;
  virtual cudaError_t RecordSolve(int nrhs, bool trans)                      = 0;
  virtual cudaError_t In(int nrhs, const Value *b, ptrdiff_t ldb, bool conj) = 0;
  virtual cudaError_t Out(int nrhs, Value *x, ptrdiff_t ldx, bool conj)      = 0;
};

namespace {

template <class T>
struct Executor : FactorCuda {
  DeviceArray<T> factor, D, v, s, x, zs[NSTREAM], ys[NSTREAM], ps[NSTREAM], rs[NSTREAM], cs[NSTREAM];

  ~Executor() override
  {
    factor.Free();
    D.Free();
    v.Free();
    s.Free();
    x.Free();
    for (int k = 0; k < NSTREAM; k++) {
      zs[k].Free();
      ys[k].Free();
      ps[k].Free();
      rs[k].Free();
      cs[k].Free();
    }
  }
  size_t SmallLimit(int m, int r) const override
  {
    return SmallBytes<T>(m, r);
  }
  size_t Scalar(void) const override
  {
    return sizeof(T);
  }
  /* Fronts of a class that are worked on at once, so that passing things stay small */
  int Batch(const Group &g) const
  {
    const double most = 3e8 / (double)sizeof(T), one = 2.0 * g.m * g.r + 3.0 * nb * g.m + (double)nb * nb;

    return (int)std::max(1.0, std::min((double)std::min(g.n, 32768), most / one));
  }
  cudaError_t Reserve(void) override
  {
    bool large = false;

    DeviceCall(factor.Resize(nfactor));
    DeviceCall(D.Resize(nd));
    for (size_t i = 0, k = 0; i < group[0].size(); i++) {
      const Group &g = group[0][i];

      if (!g.large) {
        k = 0;
        continue;
      }
      const size_t b = (size_t)Batch(g), m = (size_t)g.m, r = (size_t)g.r, n = (size_t)nb;

      large = true;
      k     = i && group[0][i - 1].large && group[0][i - 1].height == g.height ? (k + 1) % NSTREAM : 0;
      DeviceCall(zs[k].Resize(b * m * r));
      if (options.mode != FACTOR_LU) DeviceCall(ys[k].Resize(b * m * r));
      DeviceCall(drange[k].Resize(b));
      if (m > n) {
        DeviceCall(ps[k].Resize(b * n * n));
        DeviceCall(rs[k].Resize(b * n * m));
        DeviceCall(cs[k].Resize(b * n * m));
      }
    }
    DeviceCall(DeviceAllowShared(SmallFactor<T, 8, 2>, (size_t)smem));
    DeviceCall(DeviceAllowShared(SmallFactor<T, 16, 2>, (size_t)smem));
    DeviceCall(DeviceAllowShared(SmallFactor<T, 16, 4>, (size_t)smem));
    DeviceCall(DeviceAllowShared(PivotBlock<T>, SmallBytes<T>(nb, 0)));
    if (large && !hasblas) {
      DeviceCall(OpenBlas(&blas));
      hasblas = true;
      for (int k = 0; k < NSTREAM; k++) {
        const size_t bytes = (size_t)1 << WORKSPACE;

        if (blas.create(&handle[k]) != CUBLAS_STATUS_SUCCESS) return cudaErrorUnknown;
        DeviceCall(workspace[k].Resize(bytes));
        if (blas.setstream(handle[k], aux[k]) != CUBLAS_STATUS_SUCCESS || blas.setworkspace(handle[k], workspace[k].p, bytes) != CUBLAS_STATUS_SUCCESS) return cudaErrorUnknown;
      }
    }
    return cudaSuccess;
  }
  cudaError_t Room(int want) override
  {
    if (want <= nrhs) return cudaSuccess;
    nrhs = 0;
    DropGraphs();
    DeviceCall(x.Resize((size_t)n * (size_t)want));
    DeviceCall(v.Resize(nv * (size_t)want));
    DeviceCall(s.Resize(ns * (size_t)want));
    nrhs = want;
    return cudaSuccess;
  }
  cudaError_t RecordLarge(const Group &g, int k, const CudaTables &t)
  {
    const int       m = g.m, r = g.r, f = m + r, batch = Batch(g), nt = 256;
    const long long size = (long long)m * f + (t.lu ? (long long)m * r : 0), panel = (long long)m * r;
    cudaStream_t    st = aux[k];

    for (int at = 0; at < g.n; at += batch) {
      const int n = std::min(batch, g.n - at), first = g.first + at;

      DeviceCall(DeviceLaunch(LargeAssemble<T>, dim3((unsigned int)n, (unsigned int)((f + 7) / 8)), nt, 0, st, t, first, factor.p, D.p, zs[k].p, ys[k].p));
      if (g.entries) DeviceCall(DeviceLaunch(LargeEntries<T>, dim3((unsigned int)n, (unsigned int)((g.entries + nt - 1) / nt)), nt, 0, st, t, first, factor.p, zs[k].p, ys[k].p));
      if (nglue && g.cls == plan->root) DeviceCall(DeviceLaunch(LargeGlue<T>, 1, nt, 0, st, t, first, factor.p, nglue, dglue.p, daa.p));
      T *W = factor.p + base[g.cls] + at * size, *Tz = W + (long long)m * m, *Y = t.lu ? W + (long long)m * f : ys[k].p, *X = D.p + dbase[g.cls] + (long long)at * r * r;

      if (m <= nb) {
        DeviceCall(DeviceLaunch(PivotBlock<T>, n, nt, SmallBytes<T>(m, 0), st, t, first, factor.p, 0, m, (T *)nullptr, drange[k].p));
      } else {
        for (int j = 0; j < m; j += nb) {
          const int w = std::min(nb, m - j);

          DeviceCall(DeviceLaunch(PivotBlock<T>, n, nt, SmallBytes<T>(w, 0), st, t, first, factor.p, j, w, ps[k].p, drange[k].p));
          DeviceCall(DeviceLaunch(TakeColumns<T>, dim3((unsigned int)n, (unsigned int)((m + nt - 1) / nt)), nt, 0, st, t, first, factor.p, j, w, cs[k].p));
          DeviceCall(Gemm(&blas, handle[k], w, m, w, T(1), ps[k].p, w, (long long)w * w, W + j, m, size, T(0), rs[k].p, w, (long long)w * m, n));
          DeviceCall(Gemm(&blas, handle[k], m, m, w, T(-1), cs[k].p, m, (long long)w * m, rs[k].p, w, (long long)w * m, T(1), W, m, size, n));
          DeviceCall(DeviceLaunch(PutRows<T>, dim3((unsigned int)n, (unsigned int)((w * m + 4 * nt - 1) / (4 * nt))), nt, 0, st, t, first, factor.p, j, w, rs[k].p));
          launches += 5;
        }
      }
      DeviceCall(Gemm(&blas, handle[k], m, r, m, T(1), W, m, size, zs[k].p, m, panel, T(0), Tz, m, size, n));
      DeviceCall(Gemm(&blas, handle[k], r, r, m, T(-1), Y, r, t.lu ? size : panel, Tz, m, size, T(1), X, r, (long long)r * r, n));
      launches += 5;
    }
    return cudaSuccess;
  }
  cudaError_t RecordNumeric(void) override
  {
    CudaTables t = Tables(0);

    launches = 4;
    DeviceCall(DeviceLaunch(ClearParameters, 1, 1, 0, aux[0], dparameters.p));
    DeviceCall(DeviceLaunch(MatrixNorms, VectorGrid(n, 1), 256, 256 * sizeof(double), aux[0], n, dia.p, daa.p, dparameters.p));
    DeviceCall(DeviceLaunch(SetPivotLimits, 1, 1, 0, aux[0], dparameters.p, options.single));
    if (dslot.p) {
      DeviceCall(cudaMemsetAsync(dfull.p, 0, (size_t)nfull * sizeof(Value), aux[0]));
      DeviceCall(DeviceLaunch(FillGaps, VectorGrid(n, 1), 256, 0, aux[0], n, dia.p, dja.p, dslot.p, dstart.p, plan->grid.dof, daa.p, dfull.p));
    }
    if (mark) DeviceCall(cudaEventRecord(mark[0], aux[0]));
    for (size_t i = 0; i < group[0].size();) {
      size_t end = i;
      int    k   = 0;

      while (end < group[0].size() && group[0][end].height == group[0][i].height) end++;
      const bool several = end > i + 1;

      if (several) DeviceCall(Fork());
      for (; i < end; i++) {
        const Group &g = group[0][i];

        if (g.large) {
          DeviceCall(RecordLarge(g, k, t));
        } else {
          if (g.side == 8)
            DeviceCall(DeviceLaunch(SmallFactor<T, 8, 2>, g.n, 64, g.shared, aux[k], t, g.first, factor.p, D.p));
          else if (g.m <= 32)
            DeviceCall(DeviceLaunch(SmallFactor<T, 16, 2>, g.n, 256, g.shared, aux[k], t, g.first, factor.p, D.p));
          else
            DeviceCall(DeviceLaunch(SmallFactor<T, 16, 4>, g.n, 256, g.shared, aux[k], t, g.first, factor.p, D.p));
          launches++;
        }
        /* As in Reserve(), where passing things were given their places */
        if (g.large) k = (k + 1) % NSTREAM;
      }
      if (several) DeviceCall(Join());
      if (mark) DeviceCall(cudaEventRecord(mark[1 + group[0][end - 1].height], aux[0]));
    }
    return cudaMemcpyAsync(parameters, dparameters.p, sizeof(CudaParameters), cudaMemcpyDeviceToHost, aux[0]);
  }
  cudaError_t RecordSolve(int q, bool trans) override
  {
    CudaTables     t = Tables(1);
    CudaVectors<T> z = {factor.p, x.p, v.p, s.p, (long long)n, (long long)nv, (long long)ns, trans, false};

    for (size_t i = 0; i < group[1].size(); i++) {
      const Group &g      = group[1][i];
      const int    nt     = g.large ? 256 : g.m + g.r <= 64 ? 32 : g.m + g.r <= 160 ? 64 : 128;
      const dim3   grid   = dim3((unsigned int)g.n, g.large ? (unsigned int)((std::max(g.m, g.r) + 31) / 32) : 1, (unsigned int)q);
      const size_t shared = ((size_t)nt + (g.large ? 0 : (size_t)(2 * g.m + g.r))) * sizeof(T);

      if (!g.large)
        DeviceCall(DeviceLaunch(SmallForward<T>, grid, nt, shared, aux[0], t, g.first, z));
      else {
        DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_GATHER_UP));
        if (t.lu && !trans) {
          DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_WINV));
          if (g.r) DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_RING));
        } else
          DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_RING_T));
      }
    }
    for (size_t i = group[1].size(); i-- > 0;) {
      const Group &g      = group[1][i];
      const int    nt     = g.large ? 256 : g.m + g.r <= 64 ? 32 : g.m + g.r <= 160 ? 64 : 128;
      const dim3   grid   = dim3((unsigned int)g.n, g.large ? (unsigned int)((std::max(g.m, g.r) + 31) / 32) : 1, (unsigned int)q);
      const size_t shared = ((size_t)nt + (g.large ? 0 : (size_t)(2 * g.m + g.r))) * sizeof(T);

      if (!g.large)
        DeviceCall(DeviceLaunch(SmallBackward<T>, grid, nt, shared, aux[0], t, g.first, z));
      else {
        DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_GATHER_DOWN));
        if (t.lu && trans) {
          DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_BACK_T1));
          DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_BACK_T2));
        } else
          DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, t.lu ? LARGE_BACK : LARGE_BACK_SYMMETRIC));
      }
    }
    return cudaSuccess;
  }
  cudaError_t In(int q, const Value *b, ptrdiff_t ldb, bool conj) override
  {
    return DeviceLaunch(CopyIn<T>, VectorGrid(n, q), 256, 0, stream, n, b, (long long)ldb, x.p, conj);
  }
  cudaError_t Out(int q, Value *to, ptrdiff_t ldx, bool conj) override
  {
    return DeviceLaunch(CopyOut<T>, VectorGrid(n, q), 256, 0, stream, n, x.p, to, (long long)ldx, conj);
  }
};

} // namespace

namespace {

/* Fronts of one class, with their children's numbers in their classes */
struct Fronts {
  std::vector<PetscInt> origin;
  std::vector<int>      child[2];
};

int Enumerate(const Plan *plan, int cls, PetscInt origin, std::vector<Fronts> &fronts)
{
  const PlanClass &p        = plan->cls[cls];
  int              child[2] = {-1, -1};

  for (int k = 0; k < p.nchild; k++) child[k] = Enumerate(plan, p.child[k], origin + p.shift[k], fronts);
  fronts[cls].origin.push_back(origin);
  for (int k = 0; k < 2; k++) fronts[cls].child[k].push_back(child[k]);
  return (int)fronts[cls].origin.size() - 1;
}

/* Everything that the device must know before it sees a number, on the host */
struct Layout {
  std::vector<int>       map;
  std::vector<PetscInt>  offset;
  std::vector<CudaEntry> entry;
  std::vector<CudaFront> front[2];
  std::vector<CudaGlue>  glue;
};

void BuildClass(FactorCuda *F, int i, bool slots, Layout &lay)
{
  const PlanClass &p   = F->plan->cls[i];
  const int        dof = F->plan->grid.dof, nrow = F->options.mode == FACTOR_LU ? p.nrow : p.nsrow;
  CudaClass       &c = F->cls[i];

  c.m      = p.m * dof;
  c.r      = p.r * dof;
  c.nchild = p.nchild;
  c.map    = (int)lay.map.size();
  for (int k = 0; k < p.nchild; k++) {
    const size_t at = lay.map.size();

    c.rk[k] = F->plan->cls[p.child[k]].r * dof;
    lay.map.resize(at + (size_t)(c.m + c.r), -1);
    for (int q = 0; q < p.nrun[k]; q++) {
      const PlanRun &run = p.run[k][q];

      for (int e = 0; e < run.n * dof; e++) lay.map[at + (size_t)(run.parent * dof + e)] = run.child * dof + e;
    }
  }
  c.offset = (int)lay.offset.size();
  for (int k = 0; k < p.m + p.r; k++) {
    for (int a = 0; a < dof; a++) lay.offset.push_back(p.offset[k] * dof + a);
  }
  c.entry = (int)lay.entry.size();
  for (int k = 0; k < nrow; k++) {
    const PlanRow &row = p.row[k];

    for (int a = 0; a < dof; a++) {
      for (int e = row.first; e < row.first + row.n; e++) {
        for (int b = 0; b < dof; b++) {
          const int at = row.row * dof + a, j = p.entry[e].col * dof + b;

          if (F->options.mode == FACTOR_LU || j >= at) lay.entry.push_back({at, j, (slots ? p.entry[e].slot : p.entry[e].rank) * dof + b, row.offset * dof + a});
        }
      }
    }
  }
  c.nentry = (int)lay.entry.size() - c.entry;
  std::vector<long long> place;

  for (int e = 0; e < c.nentry; e++) place.push_back(lay.entry[(size_t)(c.entry + e)].row + (long long)lay.entry[(size_t)(c.entry + e)].col * (c.m + c.r));
  std::sort(place.begin(), place.end());
  c.alone = std::adjacent_find(place.begin(), place.end()) != place.end();
}

void BuildLayout(FactorCuda *F, const FactorCudaPattern *pattern, const FactorCudaTuning *tuning, Layout &lay)
{
  const Plan                   *plan = F->plan;
  const int                     ncls = plan->nclass, most = tuning && tuning->small ? tuning->small : 64, height = plan->height;
  const bool                    lu    = F->options.mode == FACTOR_LU;
  const size_t                  limit = (size_t)F->smem;
  std::vector<Fronts>           fronts((size_t)ncls);
  std::vector<int>              last((size_t)ncls, -1), start((size_t)ncls);
  std::vector<long long>        vbase((size_t)ncls), wbase((size_t)ncls);
  std::vector<std::vector<int>> order((size_t)height + 1); /* classes of each height: small ones of few threads, other small ones, large ones */
  FactorAllocator               d;

  F->nb    = tuning && tuning->block ? std::min(tuning->block, 64) : 64;
  F->nglue = (int)plan->nglue;
  for (PetscInt k = 0; k < plan->nglue; k++) lay.glue.push_back({plan->glue[k].row, plan->glue[k].col, plan->glue[k].k});
  F->cls.resize((size_t)ncls);
  F->base.resize((size_t)ncls);
  F->dbase.resize((size_t)ncls);
  for (PetscInt k = 0; k < pattern->batch; k++) Enumerate(plan, plan->root, plan->rootorigin + k * plan->npoints, fronts);
  for (int i = 0; i < ncls; i++) BuildClass(F, i, pattern->slot != nullptr, lay);

  auto kind = [&](int i) {
    const CudaClass &c     = F->cls[(size_t)i];
    const size_t     bytes = F->SmallLimit(c.m, c.r);

    if (c.m > std::min(most, 64) || bytes > limit || (F->nglue && i == plan->root)) return 2;
    return c.m <= 16 && c.r <= 64 ? 0 : 1;
  };
  for (int i = 0; i < ncls; i++) {
    if (fronts[(size_t)i].origin.empty()) continue;
    order[(size_t)plan->cls[i].height].push_back(i);
    for (int k = 0; k < plan->cls[i].nchild; k++) last[(size_t)plan->cls[i].child[k]] = std::max(last[(size_t)plan->cls[i].child[k]], plan->cls[i].height);
  }
  for (auto &o : order) std::stable_sort(o.begin(), o.end(), [&](int a, int b) { return kind(a) < kind(b); });
  for (int w = 0; w < (F->options.constant ? 2 : 1); w++) {
    const bool one = F->options.constant && w == 0; /* front of each class */
    int        at  = 0;

    for (int h = 0; h <= height; h++) {
      for (int i : order[(size_t)h]) {
        const CudaClass &c = F->cls[(size_t)i];
        const int        n = one ? 1 : (int)fronts[(size_t)i].origin.size(), what = kind(i);

        start[(size_t)i] = at;
        at += n;
        auto &groups = F->group[w];

        if (what == 2 || groups.empty() || groups.back().height != h || groups.back().large || groups.back().side != (what == 0 ? 8 : 16)) groups.push_back({start[(size_t)i], 0, h, i, what == 2, 0, 0, 0, 0, what == 0 ? 8 : 16});
        Group &g = groups.back();

        g.n += n;
        g.m       = std::max(g.m, c.m);
        g.r       = std::max(g.r, c.r);
        g.entries = std::max(g.entries, c.nentry);
        g.shared  = std::max(g.shared, what == 2 ? 0 : F->SmallLimit(c.m, c.r));
        if (w == 0) {
          const size_t size = (size_t)c.m * (size_t)(c.m + c.r) + (lu ? (size_t)c.m * (size_t)c.r : 0), count = F->options.constant ? 1 : (size_t)n;

          F->base[(size_t)i] = (long long)F->nfactor;
          F->nfactor += size * count;
          F->dbase[(size_t)i] = (long long)d.Take((size_t)c.r * (size_t)c.r * count);
          (what == 2 ? F->nlarge : F->nsmall) += n;
        }
        if (!one) {
          vbase[(size_t)i] = (long long)F->nv;
          F->nv += (size_t)c.r * (size_t)n;
          wbase[(size_t)i] = (long long)F->ns;
          if (what == 2) F->ns += (size_t)(2 * c.m + c.r) * (size_t)n;
        }
      }
      if (w == 0) {
        for (int i = 0; i < ncls; i++) {
          if (last[(size_t)i] == h) d.Give((size_t)F->dbase[(size_t)i], (size_t)F->cls[(size_t)i].r * (size_t)F->cls[(size_t)i].r * (F->options.constant ? 1 : fronts[(size_t)i].origin.size()));
        }
      }
    }
    lay.front[w].resize((size_t)at);
    for (int i = 0; i < ncls; i++) {
      const CudaClass &c    = F->cls[(size_t)i];
      const long long  size = (long long)c.m * (c.m + c.r) + (lu ? (long long)c.m * c.r : 0);
      const size_t     n    = fronts[(size_t)i].origin.empty() ? 0 : one ? 1 : fronts[(size_t)i].origin.size();

      for (size_t q = 0; q < n; q++) {
        CudaFront &f = lay.front[w][(size_t)start[(size_t)i] + q];

        memset(&f, 0, sizeof(f));
        f.cls    = i;
        f.origin = fronts[(size_t)i].origin[q] * plan->grid.dof;
        f.factor = F->base[(size_t)i] + (F->options.constant ? 0 : (long long)q * size);
        f.d      = F->dbase[(size_t)i] + (F->options.constant ? 0 : (long long)q * c.r * c.r);
        f.v      = vbase[(size_t)i] + (long long)q * c.r;
        f.w      = wbase[(size_t)i] + (long long)q * (2 * c.m + c.r);
        for (int k = 0; k < c.nchild; k++) {
          const int       ck = plan->cls[i].child[k];
          const long long qk = fronts[(size_t)i].child[k][q];

          f.cd[k] = F->dbase[(size_t)ck] + (F->options.constant ? 0 : qk * c.rk[k] * c.rk[k]);
          f.cv[k] = vbase[(size_t)ck] + qk * c.rk[k];
        }
      }
    }
  }
  if (!F->options.constant) F->group[1] = F->group[0];
  F->nd = d.Size();
}

cudaError_t UploadLayout(FactorCuda *F, const FactorCudaPattern *pattern, const Layout &lay)
{
  const PetscInt n = pattern->n;

  for (int k = 0; k < NSTREAM; k++) {
    DeviceCall(cudaStreamCreateWithFlags(&F->aux[k], cudaStreamNonBlocking));
    DeviceCall(cudaEventCreateWithFlags(&F->join[k], cudaEventDisableTiming));
  }
  DeviceCall(cudaEventCreateWithFlags(&F->fork, cudaEventDisableTiming));
  DeviceCall(cudaEventCreateWithFlags(&F->edge, cudaEventDisableTiming));
  DeviceCall(cudaMallocHost(&F->parameters, sizeof(CudaParameters)));
  DeviceCall(cudaMallocHost(&F->norms, 96 * sizeof(unsigned long long)));
  DeviceCall(F->dparameters.Resize(1));
  DeviceCall(F->dnorms.Resize(96));
  DeviceCall(F->dcls.Set(F->cls.data(), F->cls.size()));
  DeviceCall(F->dmap.Set(lay.map.data(), lay.map.size()));
  DeviceCall(F->doffset.Set(lay.offset.data(), lay.offset.size()));
  DeviceCall(F->dentry.Set(lay.entry.data(), lay.entry.size()));
  DeviceCall(F->dglue.Set(lay.glue.data(), lay.glue.size()));
  for (int w = 0; w < 2; w++) DeviceCall(F->dfront[w].Set(lay.front[w].data(), lay.front[w].size()));
  DeviceCall(F->dia.Set(pattern->ia, (size_t)n + 1));
  DeviceCall(F->dja.Set(pattern->ja, (size_t)F->nnz));
  DeviceCall(F->daa.Resize((size_t)F->nnz));
  if (pattern->slot) {
    F->nfull = pattern->start[n];
    DeviceCall(F->dslot.Set(pattern->slot, (size_t)F->nnz));
    DeviceCall(F->dstart.Set(pattern->start, (size_t)n + 1));
    DeviceCall(F->dfull.Resize((size_t)F->nfull));
  }
  return F->Reserve();
}

} // namespace

FactorCuda *FactorCudaCreate(const Plan *plan, const FactorOptions *options, const FactorCudaPattern *pattern, const FactorCudaTuning *tuning, void *stream, int *error)
{
  std::unique_ptr<FactorCuda> F;
  int                         device = 0;

  *error = 0;
  try {
    Layout lay;

#if defined(PETSC_USE_COMPLEX)
    if (options->single)
      F.reset(new Executor<DeviceComplex<float>>());
    else
      F.reset(new Executor<DeviceComplex<double>>());
#else
    if (options->single)
      F.reset(new Executor<float>());
    else
      F.reset(new Executor<double>());
#endif
    F->plan    = plan;
    F->options = *options;
    F->stream  = (cudaStream_t)stream;
    F->n       = pattern->n;
    F->batch   = (double)pattern->batch;
    F->nnz     = pattern->ia[pattern->n];
    F->ia.assign(pattern->ia, pattern->ia + pattern->n + 1);
    F->ja.assign(pattern->ja, pattern->ja + F->nnz);
    *error = DeviceError(cudaGetDevice(&device));
    if (!*error) *error = DeviceError(cudaDeviceGetAttribute(&F->smem, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    if (!*error) {
      BuildLayout(F.get(), pattern, tuning, lay);
      *error = DeviceError(UploadLayout(F.get(), pattern, lay));
    }
  } catch (const std::exception &) {
    return nullptr;
  }
#if !defined(PETLAP_CUDA_EMULATED)
  if (*error == cudaErrorSharedObjectInitFailed) DeviceErrorExplain(CUBLAS_NAME(CUBLAS_VER_MAJOR) " cannot be loaded: add the folder of CUDA's libraries to LD_LIBRARY_PATH");
  if (*error == cudaErrorSharedObjectSymbolNotFound) DeviceErrorExplain("the cuBLAS that was found lacks a function: put the one that petlap was built with first in LD_LIBRARY_PATH");
#endif
  if (*error) return nullptr;
  return F.release();
}

void FactorCudaDestroy(FactorCuda *F)
{
  delete F;
}

static cudaError_t Numeric(FactorCuda *F, const void *aa, bool device)
{
  DeviceCall(cudaMemcpyAsync(F->daa.p, aa, (size_t)F->nnz * sizeof(Value), device ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice, F->stream));
  DeviceCall(F->Run(&F->numeric, &F->warm, [&]() { return F->RecordNumeric(); }));
  return cudaStreamSynchronize(F->stream);
}

int FactorCudaNumeric(FactorCuda *F, const void *aa, bool device, FactorCudaResult *result)
{
  const int error = DeviceError(Numeric(F, aa, device));

  if (error) return error;
  F->norm           = FromBits(F->parameters->norm);
  F->replaced       = F->parameters->replaced;
  F->ratio          = FromBits(F->parameters->ratio);
  result->norm      = F->norm;
  result->replaced  = F->replaced;
  result->ratio     = F->ratio;
  result->nonfinite = F->parameters->nonfinite;
  result->failed    = F->parameters->failed == NOT_POSITIVE ? 1 : F->parameters->failed == NOT_FINITE ? 2 : 0;
  return 0;
}

static cudaError_t Solve(FactorCuda *F, bool trans, int nrhs, const Value *b, ptrdiff_t ldb, Value *x, ptrdiff_t ldx)
{
  const bool       conj = trans && F->options.hermitian;
  cudaGraphExec_t *exec;

  if (F->options.mode != FACTOR_LU) trans = false;
  DeviceCall(F->Room(nrhs));
  exec = &F->solve[2 * nrhs + trans];
  DeviceCall(F->In(nrhs, b, ldb, conj));
  DeviceCall(F->Run(exec, &F->warmsolve[trans], [&]() { return F->RecordSolve(nrhs, trans); }));
  return F->Out(nrhs, x, ldx, conj);
}

int FactorCudaSolve(FactorCuda *F, FactorTranspose trans, int nrhs, const void *b, ptrdiff_t ldb, void *x, ptrdiff_t ldx)
{
  return DeviceError(Solve(F, trans == FACTOR_TRANS, nrhs, (const Value *)b, ldb, (Value *)x, ldx));
}

/* Rows of the transpose, each of which takes up its entries in the same order each time */
static cudaError_t BuildTranspose(FactorCuda *F)
{
  const size_t          n = (size_t)F->n;
  std::vector<PetscInt> tia(n + 1, 0), tja((size_t)F->nnz), order((size_t)F->nnz), at;

  for (PetscInt j : F->ja) tia[(size_t)j + 1]++;
  for (size_t i = 0; i < n; i++) tia[i + 1] += tia[i];
  at = tia;
  for (size_t i = 0; i < n; i++) {
    for (PetscInt k = F->ia[i]; k < F->ia[i + 1]; k++) {
      const size_t to = (size_t)at[(size_t)F->ja[(size_t)k]]++;

      tja[to]   = (PetscInt)i;
      order[to] = k;
    }
  }
  DeviceCall(F->tia.Set(tia.data(), tia.size()));
  DeviceCall(F->tja.Set(tja.data(), tja.size()));
  return F->torder.Set(order.data(), order.size());
}

static cudaError_t Residuals(FactorCuda *F, bool trans, int nrhs, const Value *b, ptrdiff_t ldb, const Value *x, ptrdiff_t ldx, Value *r)
{
  if (trans && !F->tia.p) {
    try {
      DeviceCall(BuildTranspose(F));
    } catch (const std::exception &) {
      return cudaErrorMemoryAllocation;
    }
  }
  DeviceCall(cudaMemsetAsync(F->dnorms.p, 0, (size_t)(3 * nrhs) * sizeof(unsigned long long), F->stream));
  DeviceCall(DeviceLaunch(Residual, VectorGrid(F->n, nrhs), 256, 256 * sizeof(double), F->stream, F->n, trans ? F->tia.p : F->dia.p, trans ? F->tja.p : F->dja.p, trans ? F->torder.p : (PetscInt *)nullptr, F->daa.p, b, (long long)ldb, x,
                          (long long)ldx, r, F->dnorms.p));
  DeviceCall(cudaMemcpyAsync(F->norms, F->dnorms.p, (size_t)(3 * nrhs) * sizeof(unsigned long long), cudaMemcpyDeviceToHost, F->stream));
  return cudaStreamSynchronize(F->stream);
}

int FactorCudaResidual(FactorCuda *F, FactorTranspose trans, int nrhs, const void *b, ptrdiff_t ldb, const void *x, ptrdiff_t ldx, void *r, double *error)
{
  const int failed = nrhs > 32 ? DeviceError(cudaErrorInvalidValue) : DeviceError(Residuals(F, trans == FACTOR_TRANS, nrhs, (const Value *)b, ldb, (const Value *)x, ldx, (Value *)r));

  *error = 0;
  for (int q = 0; q < nrhs && !failed; q++) {
    const double nr = FromBits(F->norms[3 * q]), nx = FromBits(F->norms[3 * q + 1]), nb = FromBits(F->norms[3 * q + 2]), e = nr == 0 ? 0 : nr / (F->norm * nx + nb);

    if (!(e <= *error)) *error = e <= DBL_MAX ? e : DBL_MAX;
  }
  return failed;
}

int FactorCudaAdd(FactorCuda *F, double a, int nrhs, const void *d, void *x, ptrdiff_t ldx)
{
  return DeviceError(DeviceLaunch(AddOrFill, VectorGrid(F->n, nrhs), 256, 0, F->stream, F->n, a, (const Value *)d, (Value *)x, (long long)ldx));
}

int FactorCudaFill(FactorCuda *F, double a, int nrhs, void *x, ptrdiff_t ldx)
{
  return DeviceError(DeviceLaunch(AddOrFill, VectorGrid(F->n, nrhs), 256, 0, F->stream, F->n, a, (const Value *)nullptr, (Value *)x, (long long)ldx));
}

int FactorCudaVector(FactorCuda *F, int which, int nrhs, void **v)
{
  const int error = DeviceError(F->vector[which].Resize((size_t)F->n * (size_t)nrhs));

  *v = F->vector[which].p;
  return error;
}

int FactorCudaUpload(FactorCuda *F, int nrhs, const void *host, ptrdiff_t ld, void *device)
{
  const size_t width = (size_t)F->n * sizeof(Value);
  const int    error = DeviceError(cudaMemcpy2DAsync(device, width, host, (size_t)ld * sizeof(Value), width, (size_t)nrhs, cudaMemcpyHostToDevice, F->stream));

  return error ? error : DeviceError(cudaStreamSynchronize(F->stream));
}

int FactorCudaDownload(FactorCuda *F, int nrhs, const void *device, void *host, ptrdiff_t ld)
{
  const size_t width = (size_t)F->n * sizeof(Value);
  const int    error = DeviceError(cudaMemcpy2DAsync(host, (size_t)ld * sizeof(Value), device, width, width, (size_t)nrhs, cudaMemcpyDeviceToHost, F->stream));

  return error ? error : DeviceError(cudaStreamSynchronize(F->stream));
}

static cudaError_t Profile(FactorCuda *F, FactorCudaLevel *level)
{
  const int                heights = F->plan->height + 1;
  std::vector<cudaEvent_t> mark((size_t)heights + 1, nullptr);
  cudaError_t              error = cudaSuccess;

  for (cudaEvent_t &e : mark) {
    if (error == cudaSuccess) error = cudaEventCreate(&e);
  }
  if (error == cudaSuccess) error = cudaStreamSynchronize(F->stream);
  F->mark = mark.data();
  if (error == cudaSuccess) error = F->RecordNumeric();
  F->mark = nullptr;
  if (error == cudaSuccess) error = cudaStreamSynchronize(F->aux[0]);
  for (int h = 0; h < heights && error == cudaSuccess; h++) {
    float ms = 0;

    memset(&level[h], 0, sizeof(level[h]));
    error       = cudaEventElapsedTime(&ms, mark[(size_t)h], mark[(size_t)h + 1]);
    level[h].ms = ms;
  }
  for (cudaEvent_t e : mark) {
    if (e) (void)cudaEventDestroy(e);
  }
  for (size_t i = 0; i < F->cls.size() && error == cudaSuccess; i++) {
    const double     m = F->cls[i].m, r = F->cls[i].r, count = F->options.constant ? 1 : F->batch * F->plan->cls[i].count;
    FactorCudaLevel &l = level[F->plan->cls[i].height];

    l.fronts += count;
    l.flops += count * (2 * m * m * m + 2 * m * m * r + 2 * m * r * r);
    l.m = std::max(l.m, F->cls[i].m);
    l.r = std::max(l.r, F->cls[i].r);
  }
  return error;
}

int FactorCudaProfile(FactorCuda *F, FactorCudaLevel *level)
{
  try {
    return DeviceError(Profile(F, level));
  } catch (const std::exception &) {
    return DeviceError(cudaErrorMemoryAllocation);
  }
}

bool FactorCudaIsMemory(int error)
{
  return error == cudaErrorMemoryAllocation;
}

int FactorCudaMemory(double *bytes)
{
  size_t    available = 0, total = 0;
  const int error = DeviceError(cudaMemGetInfo(&available, &total));

  *bytes = (double)available;
  return error;
}

FactorCudaInfo FactorCudaGetInfo(const FactorCuda *F)
{
  FactorCudaInfo info;
  double         passing = 0;

  memset(&info, 0, sizeof(info));
  for (size_t i = 0; i < F->cls.size(); i++) {
    const double m = F->cls[i].m, r = F->cls[i].r, count = F->options.constant ? 1 : F->batch * F->plan->cls[i].count;

    info.entries += count * (m * m + (F->options.mode == FACTOR_LU ? 2 : 1) * m * r);
    info.flops += count * (2 * m * m * m + 2 * m * m * r + 2 * m * r * r);
  }
  for (const auto &f : F->dfront) passing += (double)f.n * sizeof(CudaFront);
  info.bytes       = (double)F->nfactor * (double)F->Scalar();
  info.stack_bytes = ((double)F->nd + (double)F->nv + (double)F->ns) * (double)F->Scalar() + passing + (double)F->nnz * (sizeof(Value) + sizeof(PetscInt)) + (double)F->nfull * sizeof(Value);
  info.small       = F->nsmall;
  info.large       = F->nlarge;
  info.launches    = F->launches;
  return info;
}
