/*
  The kernels of the cycle on a CUDA device and the list of operations that they do, for cycle_cuda.cu alone.
*/
#pragma once

#include "mat/compat/device.h"
#include "pc/hsc/cycle.h"
#include <algorithm>
#include <cmath>

namespace petlap {
namespace hsc {

namespace {

const int slice = 32, threads = 256, manythreads = 1024, maxblocks = 256;

enum Kind { ZERO, ADD, RESTRICT, INTERPOLATE, CORRECT, RELAX, JACOBI, JACOBI_FROM_ZERO, RESIDUAL, SOLVE };

/* A matrix on the device; row i belongs to entry place[i] of vectors, or i where place is null */
template <typename Real>
struct Slices {
  const int  *start, *col, *place;
  const Real *w, *inv;
};

template <typename Real, typename Number>
struct Operation {
  Kind          kind;
  int           n, first, nc; /* number of rows and the first of them; where the fine entries begin */
  Number        omega;
  Slices<Real>  a;
  const Number *r, *x;
  Number       *y;
  const double *inverse;
};

/* Sum of the products of a row */
template <typename Real, typename Number>
static __host__ __device__ __forceinline__ Number Dot(const Slices<Real> &a, int i, const Number *x)
{
  const int    s     = i / slice;
  const size_t begin = (size_t)a.start[s] * slice + (size_t)(i % slice), end = (size_t)a.start[s + 1] * slice;
  Number       sum = 0;

#if defined(__CUDA_ARCH__)
  #pragma unroll 4
#endif
  for (size_t k = begin; k < end; k += slice) sum += a.w[k] * x[a.col[k]];
  return sum;
}

/* One row of any operation but SOLVE */
template <int KIND, typename Real, typename Number>
static __host__ __device__ __forceinline__ void Row(const Operation<Real, Number> &o, int t)
{
  if constexpr (KIND == ZERO) {
    o.y[t] = 0;
  } else if constexpr (KIND == ADD) {
    o.y[t] += o.x[t];
  } else {
    const int i = o.first + t;

    if constexpr (KIND == CORRECT) {
      /* a correction for coarse and fine entries: the rows of the fine ones come last */
      if (t < o.nc) {
        o.y[t] += o.x[t];
      } else {
        const int f = t - o.nc, p = o.nc + (o.a.place ? o.a.place[f] : f);

        o.y[p] += Dot(o.a, f, o.x) + o.a.inv[f] * o.r[p];
      }
    } else {
      const int p = o.a.place ? o.a.place[i] : i;

      if (p < 0) return;
      if constexpr (KIND == RESTRICT) {
        o.y[p] = o.r[p] + Dot(o.a, i, o.r + o.nc);
      } else if constexpr (KIND == INTERPOLATE) {
        o.y[o.nc + p] = Dot(o.a, i, o.y) + o.a.inv[i] * o.r[o.nc + p];
      } else if constexpr (KIND == RELAX) {
        o.y[p] = (o.r[p] + Dot(o.a, i, o.y)) * o.a.inv[i];
      } else if constexpr (KIND == JACOBI) {
        const Number x = o.x[p];

        o.y[p] = x + o.omega * ((o.r[p] + Dot(o.a, i, o.x)) * o.a.inv[i] - x);
      } else if constexpr (KIND == JACOBI_FROM_ZERO) {
        o.y[p] = o.omega * (o.r[p] * o.a.inv[i]);
      } else if constexpr (KIND == RESIDUAL) {
        const Real inv = o.a.inv[i];

        o.y[p] = inv > 0 ? o.r[p] + Dot(o.a, i, o.x) - o.x[p] / inv : 0;
      }
    }
  }
}

/* A row of the inverse for each warp */
template <typename Real, typename Number>
static __device__ __forceinline__ void Invert(const Operation<Real, Number> &o, int warp, int nwarps)
{
  const int lane = (int)threadIdx.x % slice;

  for (int i = warp; i < o.n; i += nwarps) {
    const double *a   = o.inverse + (size_t)i * (size_t)o.n;
    double        sum = 0;

    for (int j = lane; j < o.n; j += slice) sum += a[j] * (double)o.r[j];
    for (int k = slice / 2; k > 0; k /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, k);
    if (!lane) o.y[i] = (Number)sum;
  }
}

template <int KIND, typename Real, typename Number>
__global__ void __launch_bounds__(threads) ManyRows(Operation<Real, Number> o)
{
  if constexpr (KIND == SOLVE)
    Invert(o, (int)(blockIdx.x * blockDim.x + threadIdx.x) / slice, (int)(gridDim.x * blockDim.x) / slice);
  else {
    const int t = (int)(blockIdx.x * blockDim.x + threadIdx.x);

    if (t < o.n) Row<KIND>(o, t);
  }
}

template <int KIND, typename Real, typename Number>
static __device__ __forceinline__ void RowsOfBlock(const Operation<Real, Number> &o)
{
  for (int t = (int)threadIdx.x; t < o.n; t += (int)blockDim.x) Row<KIND>(o, t);
}

template <typename Real, typename Number>
__global__ void __launch_bounds__(manythreads) FewRows(const Operation<Real, Number> *list, int n)
{
  for (int k = 0; k < n; k++) {
    const Operation<Real, Number> o = list[k];

    switch (o.kind) {
    case ZERO:
      RowsOfBlock<ZERO>(o);
      break;
    case ADD:
      RowsOfBlock<ADD>(o);
      break;
    case RESTRICT:
      RowsOfBlock<RESTRICT>(o);
      break;
    case INTERPOLATE:
      RowsOfBlock<INTERPOLATE>(o);
      break;
    case CORRECT:
      RowsOfBlock<CORRECT>(o);
      break;
    case RELAX:
      RowsOfBlock<RELAX>(o);
      break;
    case JACOBI:
      RowsOfBlock<JACOBI>(o);
      break;
    case JACOBI_FROM_ZERO:
      RowsOfBlock<JACOBI_FROM_ZERO>(o);
      break;
    case RESIDUAL:
      RowsOfBlock<RESIDUAL>(o);
      break;
    case SOLVE:
      Invert(o, (int)threadIdx.x / slice, (int)blockDim.x / slice);
      break;
    }
    __syncthreads();
  }
}

/* Vectors of the application and what they are read and written with; rows of C that are empty have equal starts, and start is null where all are */
struct Outside {
  int              n;
  const int       *place;
  const PetscReal *factors;
  const int       *start, *col;
  const PetscReal *value;
};

static __host__ __device__ __forceinline__ double EntryOf(const Outside &o, const PetscReal *b, int i)
{
  double v = (double)b[i];

  if (o.factors) v *= (double)o.factors[i];
  if (o.start) {
    for (int k = o.start[i]; k < o.start[i + 1]; k++) v -= (double)o.value[k] * (double)b[o.col[k]] * (o.factors ? (double)o.factors[o.col[k]] : 1.0);
  }
  return v;
}

/* The larger one; what is not a number stays */
static __host__ __device__ __forceinline__ double Larger(double a, double b)
{
  return a != a ? a : b > a || b != b ? b : a;
}

/* The largest of a block, for every thread of it */
static __device__ __forceinline__ double LargestOfBlock(double v)
{
  double   *s = DeviceShared<double>();
  const int t = (int)threadIdx.x;

  s[t] = v;
  __syncthreads();
  for (int half = (int)blockDim.x / 2; half > 0; half /= 2) {
    if (t < half) s[t] = Larger(s[t], s[t + half]);
    __syncthreads();
  }
  return s[0];
}

/* Largest modulus of the right-hand side's entries, by parts */
static __global__ void __launch_bounds__(threads) Largest(Outside o, const PetscReal *b, double *parts)
{
  double most = 0.0;

  for (int i = (int)(blockIdx.x * blockDim.x + threadIdx.x); i < o.n; i += (int)(gridDim.x * blockDim.x)) most = Larger(most, fabs(EntryOf(o, b, i)));
  most = LargestOfBlock(most);
  if (!threadIdx.x) parts[blockIdx.x] = most;
}

/*
  Single precision has a narrow range, residuals have not. They are scaled by a power of two, which changes nothing else; what is not a number or
  infinite makes the whole result not a number, as on the host. down and its inverse are kept behind the parts.
*/
template <typename Number>
__global__ void __launch_bounds__(threads) Enter(Outside o, const PetscReal *b, int nparts, double *parts, Number *r)
{
  const int    i    = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  const double most = LargestOfBlock((int)threadIdx.x < nparts ? parts[threadIdx.x] : 0.0);
  double       down = 1.0;

  if (most > 0.0) {
    int e = most <= 1.7976931348623157e308 ? ilogb(most) : 0;

    e    = e < -1000 ? -1000 : e > 1000 ? 1000 : e;
    down = ldexp(1.0, -e);
  }
  if (!(most <= 1.7976931348623157e308)) down = most - most;
  if (i < o.n) r[o.place[i]] = (Number)(EntryOf(o, b, i) * down);
  if (!i) parts[maxblocks] = 1.0 / down;
}

/* o has C' here */
template <typename Number>
__global__ void __launch_bounds__(threads) Leave(Outside o, double scale, const double *parts, const Number *y, PetscReal *x)
{
  const int    i  = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  const double up = scale * parts[maxblocks];

  if (i < o.n) {
    double v = (double)y[o.place[i]] * up;

    if (o.start) {
      for (int k = o.start[i]; k < o.start[i + 1]; k++) v -= (double)o.value[k] * ((double)y[o.place[o.col[k]]] * up);
    }
    x[i] = (PetscReal)(o.factors ? v * (double)o.factors[i] : v);
  }
}

/* A matrix of the device: where its arrays begin in those of all matrices */
struct Stored {
  size_t           start = 0, col = 0, place = 0, value = 0, inv = 0;
  bool             sorted = false; /* row i is not that of entry i */
  int              rows   = 0;     /* with the empty ones between colours, whose place is -1 */
  std::vector<int> first, count;   /* first rows of the colours, each of which begins with a new slice, and their numbers */
};

/* A level's matrices: restriction, interpolation, smoothing */
struct Matrices {
  Stored down, up, matrix;
};

/* What the device keeps of a hierarchy */
template <typename Real>
struct Kept {
  explicit Kept(int t) : together(t) {}
  Slices<Real> Get(const Stored &s) const
  {
    return {dints.p + s.start, dints.p + s.col, s.sorted ? dints.p + s.place : nullptr, dreals.p + s.value, dreals.p + s.inv};
  }

  const int             together;
  Hierarchy<Real>       sizes; /* of the levels, without their matrices */
  std::vector<Matrices> grids;
  DeviceArray<int>      dints;
  DeviceArray<Real>     dreals;
  DeviceArray<double>   dinverse;
};

/* The operations of a cycle on vectors in a precision of their own */
template <typename Real, typename Number>
class Program {
public:
  struct Captured {
    Sweeps                               sweeps;
    cudaGraphExec_t                      graph = nullptr;
    DeviceArray<Operation<Real, Number>> list;
    Number                              *r = nullptr, *y = nullptr; /* right-hand side and solution */
    int                                  launches = 0;
  };

  explicit Program(const Kept<Real> &k) : kept(k) {}

  static cudaError_t Load()
  {
    return DeviceLoad(ManyRows<ZERO, Real, Number>, ManyRows<ADD, Real, Number>, ManyRows<RESTRICT, Real, Number>, ManyRows<INTERPOLATE, Real, Number>, ManyRows<CORRECT, Real, Number>, ManyRows<RELAX, Real, Number>, ManyRows<JACOBI, Real, Number>,
                      ManyRows<JACOBI_FROM_ZERO, Real, Number>, ManyRows<RESIDUAL, Real, Number>, ManyRows<SOLVE, Real, Number>, FewRows<Real, Number>);
  }

  void Forget()
  {
    for (Captured &c : captured) {
      if (c.graph) (void)cudaGraphExecDestroy(c.graph);
      c.graph = nullptr;
    }
  }

  void Free()
  {
    Forget();
    for (Captured &c : captured) c.list.Free();
    vectors.Free();
  }

  /* Captures the cycle anew where it was for other sweeps */
  cudaError_t Capture(const Sweeps &s, bool transpose, cudaStream_t stream)
  {
    Captured &c = captured[transpose ? 1 : 0];

    return c.graph && Same(c.sweeps, s) ? cudaSuccess : Record(s, c, stream);
  }

  Captured            captured[2]; /* the cycle and its transpose */
  DeviceArray<Number> vectors;

private:
  /* Vectors of a level: right-hand side, residual, and, in pairs, the corrections of the first visit and of later ones, whose right-hand side is again */
  struct Vectors {
    Number *right = nullptr, *rest = nullptr, *again = nullptr, *left[2] = {nullptr, nullptr}, *more[2] = {nullptr, nullptr};
  };

  static bool Same(const Sweeps &a, const Sweeps &b)
  {
    return a.jacobi == b.jacobi && a.omega == b.omega && a.pre == b.pre && a.post == b.post && a.gamma == b.gamma;
  }

  void Add(Kind kind, int rows, const Stored *matrix, int first, const Number *r, const Number *x, Number *y, int nc = 0)
  {
    Operation<Real, Number> o;

    if (rows == 0) return;
    o.kind    = kind;
    o.n       = rows;
    o.first   = first;
    o.nc      = nc;
    o.omega   = (Number)sweeps.omega;
    o.a       = matrix ? kept.Get(*matrix) : Slices<Real>{nullptr, nullptr, nullptr, nullptr, nullptr};
    o.r       = r;
    o.x       = x;
    o.y       = y;
    o.inverse = kept.dinverse.p;
    operations.push_back(o);
  }

  /* Sweeps over a level; pair[0] has the correction before and after, unless it is zero before */
  void Smooth(int l, bool pre, bool zero, const Number *r, Number *pair[2])
  {
    const Stored &m        = kept.grids[(size_t)l].matrix;
    const int     ncolours = (int)m.first.size(), size = m.rows;

    for (int k = 0; k < (pre ? sweeps.pre : sweeps.post); k++, zero = false) {
      if (sweeps.jacobi && zero) {
        Add(JACOBI_FROM_ZERO, size, &m, 0, r, nullptr, pair[0]);
      } else if (sweeps.jacobi) {
        Add(JACOBI, size, &m, 0, r, pair[0], pair[1]);
        std::swap(pair[0], pair[1]);
      } else {
        if (zero) Add(ZERO, kept.sizes.level[(size_t)l].n, nullptr, 0, nullptr, nullptr, pair[0]);
        for (int c = 0; c < ncolours; c++) {
          const int colour = pre ? ncolours - 1 - c : c;

          Add(RELAX, m.count[(size_t)colour], &m, m.first[(size_t)colour], r, nullptr, pair[0]);
        }
      }
    }
  }

  /* As on the host; the result is in pair[0] */
  void Visit(int l, const Number *r, Number *pair[2])
  {
    if (l == (int)kept.grids.size()) {
      Add(SOLVE, kept.sizes.nd, nullptr, 0, r, nullptr, pair[0]);
      return;
    }
    const Level<Real> &L   = kept.sizes.level[(size_t)l];
    const Matrices    &m   = kept.grids[(size_t)l];
    const bool         pre = L.smooth && sweeps.pre > 0;
    Vectors           &v = vector[(size_t)l], &c = vector[(size_t)l + 1];
    Number            *coarse[2] = {pre ? c.left[0] : pair[0], pre ? c.left[1] : pair[1]};
    const Number      *rest      = r;

    if (pre) {
      Smooth(l, true, true, r, pair);
      Add(RESIDUAL, m.matrix.rows, &m.matrix, 0, r, pair[0], v.rest);
      rest = v.rest;
    }
    Add(RESTRICT, L.nc, &m.down, 0, rest, nullptr, c.right, L.nc);
    Visit(l + 1, c.right, coarse);
    for (int g = 1; g < gamma[(size_t)l]; g++) {
      Number *more[2] = {c.more[0], c.more[1]};

      Add(RESIDUAL, kept.grids[(size_t)l + 1].matrix.rows, &kept.grids[(size_t)l + 1].matrix, 0, c.right, coarse[0], c.again);
      Visit(l + 1, c.again, more);
      Add(ADD, L.nc, nullptr, 0, nullptr, more[0], coarse[0]);
    }
    if (pre) {
      Add(CORRECT, L.n, &m.up, 0, rest, coarse[0], pair[0], L.nc);
    } else {
      /* Coarse and fine entries are in one vector */
      pair[0] = coarse[0];
      pair[1] = coarse[1];
      Add(INTERPOLATE, L.n - L.nc, &m.up, 0, rest, nullptr, pair[0], L.nc);
    }
    if (L.smooth) Smooth(l, false, false, r, pair);
  }

  /* Vectors as far as the sweeps need them, one behind the other */
  size_t Lay(Number *base, Number *top[2])
  {
    size_t at   = 0;
    auto   take = [&](int length) {
      Number *p = base ? base + at : nullptr;

      at += ((size_t)length + 31) / 32 * 32;
      return p;
    };

    vector.assign(kept.grids.size() + 1, Vectors());
    for (int k = 0; k < 2; k++) top[k] = k == 0 || sweeps.jacobi ? take(kept.sizes.n) : nullptr;
    vector[0].right = take(kept.sizes.n);
    for (size_t l = 0; l < kept.grids.size(); l++) {
      const int nc = kept.sizes.level[l].nc;
      Vectors  &c  = vector[l + 1];

      c.right = take(nc);
      if (sweeps.pre > 0) vector[l].rest = take(kept.sizes.level[l].n);
      for (int k = 0; k < (sweeps.jacobi ? 2 : 1); k++) {
        if (sweeps.pre > 0) c.left[k] = take(nc);
        if (gamma[l] > 1) c.more[k] = take(nc);
      }
      if (gamma[l] > 1) c.again = take(nc);
    }
    return at;
  }

  template <int KIND>
  cudaError_t Launch(const Operation<Real, Number> &o, cudaStream_t stream)
  {
    const int per = KIND == SOLVE ? threads / slice : threads;

    return DeviceLaunch(ManyRows<KIND, Real, Number>, (o.n + per - 1) / per, threads, 0, stream, o);
  }

  cudaError_t Launch(const Operation<Real, Number> &o, cudaStream_t stream)
  {
    switch (o.kind) {
    case ZERO:
      return Launch<ZERO>(o, stream);
    case ADD:
      return Launch<ADD>(o, stream);
    case RESTRICT:
      return Launch<RESTRICT>(o, stream);
    case INTERPOLATE:
      return Launch<INTERPOLATE>(o, stream);
    case CORRECT:
      return Launch<CORRECT>(o, stream);
    case RELAX:
      return Launch<RELAX>(o, stream);
    case JACOBI:
      return Launch<JACOBI>(o, stream);
    case JACOBI_FROM_ZERO:
      return Launch<JACOBI_FROM_ZERO>(o, stream);
    case RESIDUAL:
      return Launch<RESIDUAL>(o, stream);
    case SOLVE:
      return Launch<SOLVE>(o, stream);
    }
    return cudaErrorInvalidValue;
  }

  cudaError_t LaunchAll(Captured &c, cudaStream_t stream)
  {
    auto few = [&](const Operation<Real, Number> &o) { return o.n <= (o.kind == SOLVE ? kept.together / 8 : kept.together); };

    c.launches = 0;
    for (size_t k = 0; k < operations.size(); c.launches++) {
      size_t end = k;

      while (end < operations.size() && few(operations[end])) end++;
      if (end < k + 2) {
        DeviceCall(Launch(operations[k++], stream));
      } else {
        int most = slice;

        for (size_t j = k; j < end; j++) most = std::max(most, operations[j].kind == SOLVE ? std::min(operations[j].n, manythreads / slice) * slice : operations[j].n);
        DeviceCall(DeviceLaunch(FewRows<Real, Number>, 1, std::min((most + slice - 1) / slice * slice, manythreads), 0, stream, (const Operation<Real, Number> *)(c.list.p + k), (int)(end - k)));
        k = end;
      }
    }
    return cudaSuccess;
  }

  cudaError_t Record(const Sweeps &s, Captured &c, cudaStream_t stream)
  {
    Number      *pair[2];
    cudaStream_t own;
    cudaGraph_t  graph = nullptr;

    DeviceCall(cudaStreamSynchronize(stream));
    sweeps = s;
    gamma  = Visits(kept.sizes, s);
    if (c.graph) (void)cudaGraphExecDestroy(c.graph);
    c.graph           = nullptr;
    const size_t most = Lay(nullptr, pair);
    if (most > vectors.n) {
      Forget();
      DeviceCall(vectors.Resize(most));
    }
    Lay(vectors.p, pair);
    operations.clear();
    c.r = vector[0].right;
    Visit(0, c.r, pair);
    c.y = pair[0];
    DeviceCall(c.list.Set(operations.data(), operations.size()));
    /* PETSc may work in the default stream, which cannot be captured */
    DeviceCall(cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking));
    cudaError_t error = cudaStreamBeginCapture(own, cudaStreamCaptureModeThreadLocal);
    if (error == cudaSuccess) {
      const cudaError_t launched = LaunchAll(c, own);

      error = cudaStreamEndCapture(own, &graph);
      if (launched != cudaSuccess) error = launched;
    }
    if (error == cudaSuccess) error = cudaGraphInstantiate(&c.graph, graph, 0);
    if (graph) (void)cudaGraphDestroy(graph);
    (void)cudaStreamDestroy(own);
    if (error != cudaSuccess)
      c.graph = nullptr;
    else
      c.sweeps = s;
    return error;
  }

  const Kept<Real>                    &kept;
  Sweeps                               sweeps; /* while the list is made */
  std::vector<int>                     gamma;
  std::vector<Vectors>                 vector;
  std::vector<Operation<Real, Number>> operations;
};

} // namespace

} // namespace hsc
} // namespace petlap
