/*
  The cycle on a CUDA device.

  A cycle is a list of operations on rows, made by the same recursion as on the host. An operation on many rows is a kernel with one thread for
  each; successive operations on few rows, which all coarse levels have, are done by one kernel with a single block, where a barrier takes the place
  of a launch. The list is captured as a graph, so that the host makes four calls for an application: the size of the right-hand side, which single
  precision needs to know, its copy into the order of the hierarchy, the graph, and the copy back. The copies read and write the vectors of the
  application, whose addresses change; the graph only knows the executor's own.

  Matrices are stored in slices of 32 rows that are padded to the longest of them and stored column by column, so that a warp reads consecutive
  addresses. Rows are sorted by length within windows of 256, the size of a block of threads, so that there is little padding and the rows of a
  block stay close to each other in the vectors. Restriction is the product with a transpose that is stored as well: it costs no more than adding
  to the coarse right-hand side from the fine rows, needs no atomic operations, and gives the same result every time.

  The inverse of the coarsest level is stored in double precision in any case. Entries rounded to single precision would be wrong by 1e-7 of the
  smoothest mode, the largest one in it, which drowns all others where a matrix is nearly singular.
*/
#include "mat/compat/device.h"
#include "pc/hsc/cycle_cuda.h"

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

template <typename Real>
struct Operation {
  Kind          kind;
  int           n, first, nc; /* number of rows and the first of them; where the fine entries begin */
  Real          omega;
  Slices<Real>  a;
  const Real   *r, *x;
  Real         *y;
  const double *inverse;
};

/* Sum of the products of a row */
template <typename Real>
static __host__ __device__ __forceinline__ Real Dot(const Slices<Real> &a, int i, const Real *x)
{
  const int    s     = i / slice;
  const size_t begin = (size_t)a.start[s] * slice + (size_t)(i % slice), end = (size_t)a.start[s + 1] * slice;
  Real         sum = 0;

#if defined(__CUDA_ARCH__)
  #pragma unroll 4
#endif
  for (size_t k = begin; k < end; k += slice) sum += a.w[k] * x[a.col[k]];
  return sum;
}

/* One row of any operation but SOLVE */
template <int KIND, typename Real>
static __host__ __device__ __forceinline__ void Row(const Operation<Real> &o, int t)
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
        const Real x = o.x[p];

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
template <typename Real>
static __device__ __forceinline__ void Invert(const Operation<Real> &o, int warp, int nwarps)
{
  const int lane = (int)threadIdx.x % slice;

  for (int i = warp; i < o.n; i += nwarps) {
    const double *a   = o.inverse + (size_t)i * (size_t)o.n;
    double        sum = 0;

    for (int j = lane; j < o.n; j += slice) sum += a[j] * (double)o.r[j];
    for (int k = slice / 2; k > 0; k /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, k);
    if (!lane) o.y[i] = (Real)sum;
  }
}

template <int KIND, typename Real>
__global__ void __launch_bounds__(threads) ManyRows(Operation<Real> o)
{
  if constexpr (KIND == SOLVE)
    Invert(o, (int)(blockIdx.x * blockDim.x + threadIdx.x) / slice, (int)(gridDim.x * blockDim.x) / slice);
  else {
    const int t = (int)(blockIdx.x * blockDim.x + threadIdx.x);

    if (t < o.n) Row<KIND>(o, t);
  }
}

template <int KIND, typename Real>
static __device__ __forceinline__ void RowsOfBlock(const Operation<Real> &o)
{
  for (int t = (int)threadIdx.x; t < o.n; t += (int)blockDim.x) Row<KIND>(o, t);
}

template <typename Real>
__global__ void __launch_bounds__(manythreads) FewRows(const Operation<Real> *list, int n)
{
  for (int k = 0; k < n; k++) {
    const Operation<Real> o = list[k];

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
template <typename Real>
__global__ void __launch_bounds__(threads) Enter(Outside o, const PetscReal *b, int nparts, double *parts, Real *r)
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
  if (i < o.n) r[o.place[i]] = (Real)(EntryOf(o, b, i) * down);
  if (!i) parts[maxblocks] = 1.0 / down;
}

/* o has C' here */
template <typename Real>
__global__ void __launch_bounds__(threads) Leave(Outside o, double scale, const double *parts, const Real *y, PetscReal *x)
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

/* A matrix of the host, row by row */
template <typename Real>
struct Source {
  const int       *col;
  const Real      *w, *inv; /* inv may be null */
  std::vector<int> begin;   /* of each row, and the end */
  std::vector<int> row;     /* the rows by colour, and as far as the colour lets them in the order of their entries */
  std::vector<int> place;   /* entries of vectors, in that order */
  std::vector<int> group;   /* where each colour begins therein, and the end */
  bool             own;     /* entries of a vector may be read where a row has nothing to read: its own, or the first one */
};

template <typename Real>
class DeviceCycleOf : public DeviceCycle<Real> {
public:
  explicit DeviceCycleOf(int t) : together(t) {}
  ~DeviceCycleOf() override
  {
    Release();
  }

  int Build(const Hierarchy<Real> &h, Cycle<Real> &cycle, const Frame &frame) override
  {
    const cudaError_t error = BuildAll(h, cycle, frame);

    std::vector<int>().swap(ints);
    std::vector<Real>().swap(reals);
    if (error != cudaSuccess) Release();
    return error;
  }

  int Apply(const Sweeps &sweeps, bool transpose, bool bdevice, bool xdevice, const PetscReal *b, PetscReal *x, void *on) override
  {
    const cudaStream_t stream = (cudaStream_t)on;
    const int          blocks = (n + threads - 1) / threads, nparts = std::min(blocks, maxblocks);
    const size_t       shared = threads * sizeof(double);
    Captured          &c      = captured[transpose ? 1 : 0];

    if (n == 0) return cudaSuccess;
    if (!sweeps.jacobi && !coloured) return cudaErrorInvalidValue;
    DeviceCall(order.Enter(stream));
    if (!c.graph || !Same(c.sweeps, sweeps)) DeviceCall(Capture(sweeps, c, stream));
    if (!bdevice || !xdevice) DeviceCall(staged.Resize(2 * (size_t)n));
    if (!bdevice) DeviceCall(cudaMemcpyAsync(staged.p, b, (size_t)n * sizeof(PetscReal), cudaMemcpyHostToDevice, stream));
    const PetscReal *from   = bdevice ? b : staged.p;
    PetscReal       *to     = xdevice ? x : staged.p + n;
    Outside          before = Sides(transpose ? NEITHER : STRAIGHT), after = Sides(transpose ? TRANSPOSED : NEITHER);

    DeviceCall(DeviceLaunch(Largest, nparts, threads, shared, stream, before, from, parts.p));
    DeviceCall(DeviceLaunch(Enter<Real>, blocks, threads, shared, stream, before, from, nparts, parts.p, c.r));
    DeviceCall(cudaGraphLaunch(c.graph, stream));
    DeviceCall(DeviceLaunch(Leave<Real>, blocks, threads, 0, stream, after, scale, (const double *)parts.p, (const Real *)c.y, to));
    nlaunches = c.launches + 3;
    if (!xdevice) DeviceCall(cudaMemcpyAsync(x, to, (size_t)n * sizeof(PetscReal), cudaMemcpyDeviceToHost, stream));
    if (!bdevice || !xdevice) DeviceCall(cudaStreamSynchronize(stream));
    return cudaSuccess;
  }

  size_t Memory() const override
  {
    return dints.n * sizeof(int) + (dreals.n + vectors.n) * sizeof(Real) + (dinverse.n + parts.n) * sizeof(double) + (dframe.n + staged.n) * sizeof(PetscReal);
  }

  int Launches() const override
  {
    return nlaunches;
  }

private:
  struct Matrices {
    Stored down, up, matrix; /* restriction, interpolation, smoothing */
  };
  /* Vectors of a level: right-hand side, residual, and, in pairs, the corrections of the first visit and of later ones, whose right-hand side is again */
  struct Vectors {
    Real *right = nullptr, *rest = nullptr, *again = nullptr, *left[2] = {nullptr, nullptr}, *more[2] = {nullptr, nullptr};
  };
  struct Captured {
    Sweeps                       sweeps;
    cudaGraphExec_t              graph = nullptr;
    DeviceArray<Operation<Real>> list;
    Real                        *r = nullptr, *y = nullptr; /* right-hand side and solution */
    int                          launches = 0;
  };
  enum Side { NEITHER, STRAIGHT, TRANSPOSED };

  static bool Same(const Sweeps &a, const Sweeps &b)
  {
    return a.jacobi == b.jacobi && a.omega == b.omega && a.pre == b.pre && a.post == b.post && a.gamma == b.gamma;
  }

  void Forget()
  {
    for (Captured &c : captured) {
      if (c.graph) (void)cudaGraphExecDestroy(c.graph);
      c.graph = nullptr;
    }
  }

  void Release()
  {
    Forget();
    for (Captured &c : captured) c.list.Free();
    dints.Free();
    dreals.Free();
    vectors.Free();
    dinverse.Free();
    parts.Free();
    dframe.Free();
    staged.Free();
  }

  Outside Sides(Side side) const
  {
    Outside o;

    o.n       = n;
    o.place   = dints.p + place;
    o.factors = scaled ? dframe.p : nullptr;
    o.start = o.col = nullptr;
    o.value         = nullptr;
    if (side == NEITHER || !coupled) return o;
    const int *at = dints.p + (side == STRAIGHT ? straight : transposed);

    o.start = at;
    o.col   = at + n + 1;
    o.value = dframe.p + (scaled ? n : 0) + (side == STRAIGHT ? 0 : coupled);
    return o;
  }

  /* ---- Copies ---- */

  Stored Store(const Source<Real> &m)
  {
    const int window = threads;
    Stored    s;
    int       nrows = 0;

    for (size_t c = 0; c + 1 < m.group.size(); c++) {
      s.first.push_back(nrows);
      s.count.push_back(m.group[c + 1] - m.group[c]);
      nrows += (s.count.back() + slice - 1) / slice * slice;
    }
    s.rows = s.first.empty() ? 0 : s.first.back() + s.count.back();
    /* which one of m.row a stored row is, or -1 */
    std::vector<int> which((size_t)nrows, -1);
    for (size_t c = 0; c < s.first.size(); c++) {
      for (int k = 0; k < s.count[c]; k++) which[(size_t)(s.first[c] + k)] = m.group[c] + k;
      for (int k = 0; k < s.count[c]; k += window) {
        const auto from   = which.begin() + s.first[c] + k;
        auto       length = [&](int i) { return m.begin[m.row[i] + 1] - m.begin[m.row[i]]; };

        std::stable_sort(from, from + std::min(window, s.count[c] - k), [&](int i, int j) { return length(i) > length(j); });
      }
    }
    for (int i = 0; i < nrows; i++) s.sorted = s.sorted || (which[i] >= 0 && m.place[which[i]] != i);
    s.start = ints.size();
    ints.push_back(0);
    for (int i = 0; i < nrows; i += slice) {
      int most = 0;

      for (int k = i; k < i + slice; k++) {
        if (which[k] >= 0) most = std::max(most, m.begin[m.row[which[k]] + 1] - m.begin[m.row[which[k]]]);
      }
      ints.push_back(ints.back() + most);
    }
    if (s.sorted) {
      s.place = ints.size();
      for (int i = 0; i < nrows; i++) ints.push_back(which[i] >= 0 ? m.place[which[i]] : -1);
    }
    if (m.inv) {
      s.inv = reals.size();
      for (int i = 0; i < nrows; i++) reals.push_back(which[i] >= 0 ? m.inv[m.row[which[i]]] : 0);
    }
    const size_t total = (size_t)ints[s.start + (size_t)(nrows / slice)] * slice;

    s.col   = ints.size();
    s.value = reals.size();
    ints.resize(s.col + total);
    reals.resize(s.value + total);
    for (int i = 0; i < nrows; i++) {
      const int row   = which[i] < 0 ? -1 : m.row[which[i]];
      const int begin = row < 0 ? 0 : m.begin[row], end = row < 0 ? 0 : m.begin[row + 1];
      /* what is multiplied by zero must be a number, and not one that another thread is writing */
      const int idle = row < 0 ? 0 : m.own ? m.place[which[i]] : end > begin ? m.col[begin] : 0;

      for (int k = begin, j = ints[s.start + (size_t)(i / slice)]; j < ints[s.start + (size_t)(i / slice) + 1]; j++, k++) {
        const size_t at = (size_t)j * slice + (size_t)(i % slice);

        ints[s.col + at]    = k < end ? m.col[k] : idle;
        reals[s.value + at] = k < end ? m.w[k] : 0;
      }
    }
    return s;
  }

  static void Begins(const std::vector<Run> &runs, std::vector<int> &begin)
  {
    if (begin.empty()) begin.push_back(0);
    for (const Run &run : runs) {
      for (int i = 0; i < run.nrows; i++) begin.push_back(begin.back() + run.length);
    }
  }

  static void Whole(int nrows, Source<Real> &m)
  {
    m.row.resize((size_t)nrows);
    for (int i = 0; i < nrows; i++) m.row[i] = i;
    m.place = m.row;
    m.group = {0, nrows};
  }

  Matrices StoreLevel(const Level<Real> &L)
  {
    const int         nf = L.n - L.nc;
    Matrices          g;
    Source<Real>      up, down, m;
    std::vector<Real> share(L.fcol.size()), shared(L.fcol.size());
    std::vector<int>  col(L.fcol.size());

    Begins(L.frun, up.begin);
    Whole(nf, up);
    for (int f = 0; f < nf; f++) {
      for (int k = up.begin[f]; k < up.begin[f + 1]; k++) share[k] = L.fweight[k] * L.finv[f];
    }
    up.col = L.fcol.data();
    up.w   = share.data();
    up.inv = L.finv.data();
    up.own = false;
    g.up   = Store(up);

    down.begin.assign((size_t)L.nc + 1, 0);
    for (size_t k = 0; k < L.fcol.size(); k++) down.begin[L.fcol[k] + 1]++;
    for (int c = 0; c < L.nc; c++) down.begin[c + 1] += down.begin[c];
    std::vector<int> next(down.begin);
    for (int f = 0; f < nf; f++) {
      for (int k = up.begin[f]; k < up.begin[f + 1]; k++) {
        const int at = next[L.fcol[k]]++;

        col[at]    = f;
        shared[at] = share[k];
      }
    }
    Whole(L.nc, down);
    down.col = col.data();
    down.w   = shared.data();
    down.inv = nullptr;
    down.own = false;
    g.down   = Store(down);
    if (!L.smooth) return g;

    const int        known = (int)L.srow.size();
    std::vector<int> at((size_t)L.n), colour((size_t)L.n, 0);
    Begins(L.crun, m.begin);
    Begins(L.srun, m.begin);
    for (int i = 0; i < L.n; i++) at[i < known ? L.srow[i] : i] = i;
    m.group = L.colour.empty() ? std::vector<int>{0, L.n} : L.colour;
    for (size_t c = 0; c + 1 < m.group.size(); c++) {
      for (int i = m.group[c]; i < m.group[c + 1]; i++) colour[i] = (int)c;
    }
    next = m.group;
    m.row.resize((size_t)L.n);
    m.place.resize((size_t)L.n);
    for (int p = 0; p < L.n; p++) {
      const int k = next[colour[at[p]]]++;

      m.row[k]   = at[p];
      m.place[k] = p;
    }
    m.col    = L.scol.data();
    m.w      = L.sweight.data();
    m.inv    = L.sinv.data();
    m.own    = true;
    g.matrix = Store(m);
    return g;
  }

  /* C or its transpose as compressed rows; the numbers go behind those that are there */
  static void StoreCoupling(int nrows, const std::vector<int> &row, const std::vector<int> &col, const std::vector<PetscReal> &value, std::vector<int> &where, std::vector<PetscReal> &numbers)
  {
    const size_t     start = where.size(), at = numbers.size(), m = row.size();
    std::vector<int> next((size_t)nrows + 1, 0);

    for (size_t k = 0; k < m; k++) next[row[k] + 1]++;
    for (int i = 0; i < nrows; i++) next[i + 1] += next[i];
    where.insert(where.end(), next.begin(), next.end());
    where.resize(start + (size_t)nrows + 1 + m);
    numbers.resize(at + m);
    for (size_t k = 0; k < m; k++) {
      const int to = next[row[k]]++;

      where[start + (size_t)nrows + 1 + (size_t)to] = col[k];
      numbers[at + (size_t)to]                      = value[k];
    }
  }

  cudaError_t BuildAll(const Hierarchy<Real> &h, Cycle<Real> &cycle, const Frame &frame)
  {
    Array<double>          inverse;
    std::vector<PetscReal> numbers;

    /* What is replaced may still be at work */
    DeviceCall(cudaDeviceSynchronize());
    DeviceCall(DeviceLoad(ManyRows<ZERO, Real>, ManyRows<ADD, Real>, ManyRows<RESTRICT, Real>, ManyRows<INTERPOLATE, Real>, ManyRows<CORRECT, Real>, ManyRows<RELAX, Real>, ManyRows<JACOBI, Real>, ManyRows<JACOBI_FROM_ZERO, Real>,
                          ManyRows<RESIDUAL, Real>, ManyRows<SOLVE, Real>, FewRows<Real>));
    Forget();
    n         = h.n;
    scale     = frame.scale;
    nlaunches = 0;
    grids.clear();
    ints.assign(h.place.data(), h.place.data() + h.n);
    place    = 0;
    sizes.n  = h.n;
    sizes.nd = h.nd;
    sizes.level.clear();
    coloured = true;
    for (const Level<Real> &L : h.level) {
      grids.push_back(StoreLevel(L));
      sizes.level.emplace_back();
      sizes.level.back().n      = L.n;
      sizes.level.back().nc     = L.nc;
      sizes.level.back().smooth = L.smooth;
      coloured                  = coloured && (!L.smooth || !L.colour.empty());
    }
    scaled = frame.factors != nullptr;
    if (scaled) numbers.assign(frame.factors, frame.factors + n);
    coupled = frame.value.size();
    if (coupled) {
      straight = ints.size();
      StoreCoupling(n, frame.row, frame.col, frame.value, ints, numbers);
      transposed = ints.size();
      StoreCoupling(n, frame.col, frame.row, frame.value, ints, numbers);
    }
    cycle.Inverse(inverse);
    DeviceCall(dints.Set(ints.data(), ints.size()));
    DeviceCall(dreals.Set(reals.data(), reals.size()));
    DeviceCall(dinverse.Set(inverse.data(), inverse.size()));
    DeviceCall(dframe.Set(numbers.data(), numbers.size()));
    return parts.Resize(maxblocks + 1);
  }

  /* ---- The list of operations ---- */

  Slices<Real> Get(const Stored &s) const
  {
    return {dints.p + s.start, dints.p + s.col, s.sorted ? dints.p + s.place : nullptr, dreals.p + s.value, dreals.p + s.inv};
  }

  void Add(Kind kind, int rows, const Stored *matrix, int first, const Real *r, const Real *x, Real *y, int nc = 0)
  {
    Operation<Real> o;

    if (rows == 0) return;
    o.kind    = kind;
    o.n       = rows;
    o.first   = first;
    o.nc      = nc;
    o.omega   = (Real)sweeps.omega;
    o.a       = matrix ? Get(*matrix) : Slices<Real>{nullptr, nullptr, nullptr, nullptr, nullptr};
    o.r       = r;
    o.x       = x;
    o.y       = y;
    o.inverse = dinverse.p;
    operations.push_back(o);
  }

  /* Sweeps over a level; pair[0] has the correction before and after, unless it is zero before */
  void Smooth(int l, bool pre, bool zero, const Real *r, Real *pair[2])
  {
    const Stored &m        = grids[(size_t)l].matrix;
    const int     ncolours = (int)m.first.size(), size = m.rows;

    for (int k = 0; k < (pre ? sweeps.pre : sweeps.post); k++, zero = false) {
      if (sweeps.jacobi && zero) {
        Add(JACOBI_FROM_ZERO, size, &m, 0, r, nullptr, pair[0]);
      } else if (sweeps.jacobi) {
        Add(JACOBI, size, &m, 0, r, pair[0], pair[1]);
        std::swap(pair[0], pair[1]);
      } else {
        if (zero) Add(ZERO, sizes.level[(size_t)l].n, nullptr, 0, nullptr, nullptr, pair[0]);
        for (int c = 0; c < ncolours; c++) {
          const int colour = pre ? ncolours - 1 - c : c;

          Add(RELAX, m.count[(size_t)colour], &m, m.first[(size_t)colour], r, nullptr, pair[0]);
        }
      }
    }
  }

  /* As on the host; the result is in pair[0] */
  void Visit(int l, const Real *r, Real *pair[2])
  {
    if (l == (int)grids.size()) {
      Add(SOLVE, sizes.nd, nullptr, 0, r, nullptr, pair[0]);
      return;
    }
    const Level<Real> &L   = sizes.level[(size_t)l];
    const Matrices    &m   = grids[(size_t)l];
    const bool         pre = L.smooth && sweeps.pre > 0;
    Vectors           &v = vector[(size_t)l], &c = vector[(size_t)l + 1];
    Real              *coarse[2] = {pre ? c.left[0] : pair[0], pre ? c.left[1] : pair[1]};
    const Real        *rest      = r;

    if (pre) {
      Smooth(l, true, true, r, pair);
      Add(RESIDUAL, m.matrix.rows, &m.matrix, 0, r, pair[0], v.rest);
      rest = v.rest;
    }
    Add(RESTRICT, L.nc, &m.down, 0, rest, nullptr, c.right, L.nc);
    Visit(l + 1, c.right, coarse);
    for (int g = 1; g < gamma[(size_t)l]; g++) {
      Real *more[2] = {c.more[0], c.more[1]};

      Add(RESIDUAL, grids[(size_t)l + 1].matrix.rows, &grids[(size_t)l + 1].matrix, 0, c.right, coarse[0], c.again);
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
  size_t Lay(Real *base, Real *top[2])
  {
    size_t at   = 0;
    auto   take = [&](int length) {
      Real *p = base ? base + at : nullptr;

      at += ((size_t)length + 31) / 32 * 32;
      return p;
    };

    vector.assign(grids.size() + 1, Vectors());
    for (int k = 0; k < 2; k++) top[k] = k == 0 || sweeps.jacobi ? take(n) : nullptr;
    vector[0].right = take(n);
    for (size_t l = 0; l < grids.size(); l++) {
      const int nc = sizes.level[l].nc;
      Vectors  &c  = vector[l + 1];

      c.right = take(nc);
      if (sweeps.pre > 0) vector[l].rest = take(sizes.level[l].n);
      for (int k = 0; k < (sweeps.jacobi ? 2 : 1); k++) {
        if (sweeps.pre > 0) c.left[k] = take(nc);
        if (gamma[l] > 1) c.more[k] = take(nc);
      }
      if (gamma[l] > 1) c.again = take(nc);
    }
    return at;
  }

  template <int KIND>
  cudaError_t Launch(const Operation<Real> &o, cudaStream_t stream)
  {
    const int per = KIND == SOLVE ? threads / slice : threads;

    return DeviceLaunch(ManyRows<KIND, Real>, (o.n + per - 1) / per, threads, 0, stream, o);
  }

  cudaError_t Launch(const Operation<Real> &o, cudaStream_t stream)
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
    auto few = [&](const Operation<Real> &o) { return o.n <= (o.kind == SOLVE ? together / 8 : together); };

    c.launches = 0;
    for (size_t k = 0; k < operations.size(); c.launches++) {
      size_t end = k;

      while (end < operations.size() && few(operations[end])) end++;
      if (end < k + 2) {
        DeviceCall(Launch(operations[k++], stream));
      } else {
        int most = slice;

        for (size_t j = k; j < end; j++) most = std::max(most, operations[j].kind == SOLVE ? std::min(operations[j].n, manythreads / slice) * slice : operations[j].n);
        DeviceCall(DeviceLaunch(FewRows<Real>, 1, std::min((most + slice - 1) / slice * slice, manythreads), 0, stream, (const Operation<Real> *)(c.list.p + k), (int)(end - k)));
        k = end;
      }
    }
    return cudaSuccess;
  }

  cudaError_t Capture(const Sweeps &s, Captured &c, cudaStream_t stream)
  {
    Real        *pair[2];
    cudaStream_t own;
    cudaGraph_t  graph = nullptr;

    DeviceCall(cudaStreamSynchronize(stream));
    sweeps = s;
    gamma  = Visits(sizes, s);
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

  const int             together;
  int                   n = 0, nlaunches = 0;
  double                scale  = 1.0;
  bool                  scaled = false, coloured = false;
  DeviceOrder           order;
  size_t                coupled = 0, place = 0, straight = 0, transposed = 0;
  Hierarchy<Real>       sizes; /* of the levels, without their matrices */
  std::vector<Matrices> grids;
  std::vector<int>      ints; /* while they are made */
  std::vector<Real>     reals;

  DeviceArray<int>       dints;
  DeviceArray<Real>      dreals, vectors;
  DeviceArray<double>    dinverse, parts;
  DeviceArray<PetscReal> dframe, staged;

  Sweeps                       sweeps; /* while the list is made */
  std::vector<int>             gamma;
  std::vector<Vectors>         vector;
  std::vector<Operation<Real>> operations;
  Captured                     captured[2]; /* the cycle and its transpose */
};

} // namespace

template <typename Real>
std::unique_ptr<DeviceCycle<Real>> DeviceCycle<Real>::Create(int together)
{
  static_assert(outofmemory == (int)cudaErrorMemoryAllocation, "the number is CUDA's");

  return std::unique_ptr<DeviceCycle<Real>>(new DeviceCycleOf<Real>(together));
}

template class DeviceCycle<float>;
template class DeviceCycle<double>;

} // namespace hsc
} // namespace petlap
