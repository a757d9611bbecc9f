/*
  What the files of the CUDA executor share. Included by .cu files only.
*/
#pragma once

#include "mat/compat/backend.h"
#include "mat/compat/device.h"
#include "mat/schwarzschur/factor_cuda.h"

#include <cublas_v2.h>

#include <algorithm>
#include <cfloat>
#include <cstring>
#include <map>
#include <vector>

#if defined(PETSC_USE_COMPLEX)
typedef DeviceComplex<double> Value;
#else
typedef double Value;
#endif

/* ---- cuBLAS, which is opened when the first large front needs it: loading it takes longer than many programs run ---- */

struct CudaBlas {
  decltype(&cublasCreate_v2)           create;
  decltype(&cublasDestroy_v2)          destroy;
  decltype(&cublasSetStream_v2)        setstream;
  decltype(&cublasSetWorkspace_v2)     setworkspace;
  decltype(&cublasSgemmStridedBatched) sgemm;
  decltype(&cublasDgemmStridedBatched) dgemm;
  decltype(&cublasCgemmStridedBatched) cgemm;
  decltype(&cublasZgemmStridedBatched) zgemm;
};

/* cuSPARSE, in the same way */
struct CudaSparse;
void   CudaSparseDestroy(CudaSparse *);
size_t CudaSparseMemory(const CudaSparse *);

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
static const int NOT_FINITE = 1, NOT_POSITIVE = 2;

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

inline dim3 VectorGrid(PetscInt n, int nrhs)
{
  return dim3((unsigned int)std::min<PetscInt>(4096, (n + 255) / 256), 1, (unsigned int)nrhs);
}

/* ---- The executor ---- */

/* What the threads of a block tell each other while they invert */
template <class T>
struct Pivoting {
  T      inverse;
  int    p;
  double least, most;
};

/* Bytes of shared memory that a front needs in its factorization, with numbers of `scalar` bytes, and in a solve with nt threads */
inline size_t SmallBytes(size_t scalar, int m, int r)
{
  const size_t numbers = (size_t)m * m + 2 * (size_t)m * r + (size_t)m, ints = (size_t)2 * (m + r) + (size_t)m;

  return sizeof(Pivoting<double2>) + numbers * scalar + ints * sizeof(int);
}
inline size_t SolveBytes(size_t scalar, int m, int r, int nt)
{
  return ((size_t)nt + 2 * (size_t)m + (size_t)r) * scalar;
}
/* Threads of a block in solves with small fronts */
const int  SOLVE_THREADS = 128;
inline int SolveThreads(int f)
{
  return f <= 64 ? 32 : f <= 160 ? 64 : SOLVE_THREADS;
}

/* What decides which fronts one block works on */
struct CudaLimits {
  size_t scalar;       /* bytes of a number */
  int    smem, shared; /* bytes of shared memory that a kernel may have, and those that it has without asking */
  int    small, nb;    /* of FactorCudaTuning */
};
/* 0 and 1 for fronts of one block of few or of many threads, 2 for large ones */
int CudaKind(const CudaLimits &limits, int m, int r, bool glue);
/* Large fronts that are worked on at once, so that passing things stay small, and the bytes of these */
struct CudaPassing {
  size_t z, y, p, rows, range; /* numbers, but for range, which counts fronts */
};
cudaError_t CudaGetLimits(CudaLimits *limits, size_t scalar, const FactorCudaTuning *tuning);
int         CudaBatch(const CudaLimits &limits, int n, int m, int r);
CudaPassing CudaPassingOf(const CudaLimits &limits, bool lu, int n, int m, int r);

/* Fronts that one launch works on: those of a height that are small, or those of a class that are large */
struct CudaGroup {
  int    first, n, height, cls; /* cls: of large ones */
  bool   large;
  int    m, r, entries; /* the largest */
  size_t shared, solve; /* bytes of the factorization, and of solves besides a number for each thread */
  int    side;          /* threads */
};

static const int NSTREAM = 4;
/* What cuBLAS is given for each stream, as a power of two: the size that its manual recommends */
#if defined(PETLAP_CUDA_EMULATED)
static const int WORKSPACE = 12;
#else
static const int WORKSPACE = 25;
#endif

/* What does not depend on the type of the factors */
struct FactorCuda {
  const Plan                     *plan;
  FactorOptions                   options;
  cudaStream_t                    stream = nullptr; /* of the call that is made */
  bool                            follow = true;    /* it is asked for at each call */
  DeviceOrder                     order;
  CudaSparse                     *sparse       = nullptr; /* for residuals */
  bool                            transposed   = false;   /* the transpose has the values of the last factorization */
  cudaStream_t                    aux[NSTREAM] = {};      /* aux[0] records the graphs */
  cudaEvent_t                     fork = nullptr, edge = nullptr, join[NSTREAM] = {};
  PetscInt                        n = 0, nnz = 0, nfull = 0;
  std::vector<CudaClass>          cls;
  std::vector<CudaGroup>          group[2]; /* of factorizations and of solves */
  DeviceArray<CudaClass>          dcls;
  DeviceArray<int>                dmap;
  DeviceArray<PetscInt>           doffset, dia, dja, dstart;
  DeviceArray<CudaEntry>          dentry;
  DeviceArray<CudaFront>          dfront[2];
  DeviceArray<CudaGlue>           dglue;
  DeviceArray<unsigned short>     dslot;
  DeviceArray<Value>              daa, dfull, vector[5], basis[4], small; /* small: what passes between the host and kernels on vectors */
  DeviceArray<double>             scale[2];
  DeviceArray<CudaParameters>     dparameters;
  DeviceArray<unsigned long long> dnorms;
  DeviceArray<double2>            drange[NSTREAM];
  CudaParameters                 *parameters = nullptr; /* pinned */
  unsigned long long             *norms      = nullptr; /* pinned, 3 for each column */
  std::vector<PetscInt>           ia, ja;               /* for the transpose */
  std::vector<long long>          base, dbase;          /* of each class, where the first front's numbers begin */
  size_t                          nfactor = 0, nd = 0, nv = 0, ns = 0;
  int                             nglue = 0;
  CudaLimits                      limits;
  bool                            hasblas = false;
  CudaBlas                        blas;
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
    DropGraphs();
    if (sparse) CudaSparseDestroy(sparse);
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
    for (auto &b : basis) b.Free();
    for (auto &s : scale) s.Free();
    small.Free();
    for (auto &f : dfront) f.Free();
    dcls.Free();
    dmap.Free();
    doffset.Free();
    dia.Free();
    dja.Free();
    dstart.Free();
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
  /* First in each call that queues something */
  cudaError_t Enter(void)
  {
    void *now = stream;

    if (follow) DeviceCall((cudaError_t)DeviceCurrentStream(&now));
    stream = (cudaStream_t)now;
    return order.Enter(stream);
  }
  void DropGraphs(void)
  {
    /* Those that were not captured yet are null, which CUDA refuses */
    for (auto &g : solve) {
      if (g.second) (void)cudaGraphExecDestroy(g.second);
    }
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
    t.ai         = dstart.p ? dstart.p : dia.p;
    t.aa         = dstart.p ? dfull.p : daa.p;
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
    Does in the caller's stream what `record` puts into aux[0]: as it stands the first time, when cuBLAS may have to load kernels, which a stream that is
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

  virtual double      Passing(void) const                                    = 0; /* bytes of contribution blocks, passing arrays and workspaces */
  virtual double      Vectors(void) const                                    = 0; /* and of what solves need */
  virtual cudaError_t Reserve(void)                                          = 0;
  virtual cudaError_t Room(int nrhs)                                         = 0;
  virtual cudaError_t RecordNumeric(void)                                    = 0;
  virtual cudaError_t RecordSolve(int nrhs, bool trans)                      = 0;
  virtual cudaError_t In(int nrhs, const Value *b, ptrdiff_t ldb, bool conj) = 0;
  virtual cudaError_t Out(int nrhs, Value *x, ptrdiff_t ldx, bool conj)      = 0;
};

/* The tables and the arrays of an executor, whose options, plan and matrix are set */
cudaError_t FactorCudaBuild(FactorCuda *F, const FactorCudaPattern *pattern);
