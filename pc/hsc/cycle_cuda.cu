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
#include "pc/hsc/cycle_program.h"

namespace petlap {
namespace hsc {

namespace {

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
  explicit DeviceCycleOf(int together) : kept(together), narrow(kept), wide(kept) {}
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
    return sweeps.wide ? ApplyBy(wide, sweeps, transpose, bdevice, xdevice, b, x, (cudaStream_t)on) : ApplyBy(narrow, sweeps, transpose, bdevice, xdevice, b, x, (cudaStream_t)on);
  }

  size_t Memory() const override
  {
    return kept.dints.n * sizeof(int) + kept.dreals.n * sizeof(Real) + narrow.vectors.n * sizeof(Real) + wide.vectors.n * sizeof(double) + (kept.dinverse.n + parts.n) * sizeof(double) + (dframe.n + staged.n) * sizeof(PetscReal);
  }

  int Launches() const override
  {
    return nlaunches;
  }

private:
  enum Side { NEITHER, STRAIGHT, TRANSPOSED };

  void Release()
  {
    narrow.Free();
    wide.Free();
    kept.dints.Free();
    kept.dreals.Free();
    kept.dinverse.Free();
    parts.Free();
    dframe.Free();
    staged.Free();
  }

  template <typename Number>
  cudaError_t ApplyBy(Program<Real, Number> &program, const Sweeps &sweeps, bool transpose, bool bdevice, bool xdevice, const PetscReal *b, PetscReal *x, cudaStream_t stream)
  {
    const int    blocks = (n + threads - 1) / threads, nparts = std::min(blocks, maxblocks);
    const size_t shared = threads * sizeof(double);

    if (n == 0) return cudaSuccess;
    if (!sweeps.jacobi && !coloured) return cudaErrorInvalidValue;
    DeviceCall(order.Enter(stream));
    DeviceCall(program.Capture(sweeps, transpose, stream));
    const typename Program<Real, Number>::Captured &c = program.captured[transpose ? 1 : 0];

    if (!bdevice || !xdevice) DeviceCall(staged.Resize(2 * (size_t)n));
    if (!bdevice) DeviceCall(cudaMemcpyAsync(staged.p, b, (size_t)n * sizeof(PetscReal), cudaMemcpyHostToDevice, stream));
    const PetscReal *from   = bdevice ? b : staged.p;
    PetscReal       *to     = xdevice ? x : staged.p + n;
    Outside          before = Sides(transpose ? NEITHER : STRAIGHT), after = Sides(transpose ? TRANSPOSED : NEITHER);

    DeviceCall(DeviceLaunch(Largest, nparts, threads, shared, stream, before, from, parts.p));
    DeviceCall(DeviceLaunch(Enter<Number>, blocks, threads, shared, stream, before, from, nparts, parts.p, c.r));
    DeviceCall(cudaGraphLaunch(c.graph, stream));
    DeviceCall(DeviceLaunch(Leave<Number>, blocks, threads, 0, stream, after, scale, (const double *)parts.p, (const Number *)c.y, to));
    nlaunches = c.launches + 3;
    if (!xdevice) DeviceCall(cudaMemcpyAsync(x, to, (size_t)n * sizeof(PetscReal), cudaMemcpyDeviceToHost, stream));
    if (!bdevice || !xdevice) DeviceCall(cudaStreamSynchronize(stream));
    return cudaSuccess;
  }

  Outside Sides(Side side) const
  {
    Outside o;

    o.n       = n;
    o.place   = kept.dints.p + place;
    o.factors = scaled ? dframe.p : nullptr;
    o.start = o.col = nullptr;
    o.value         = nullptr;
    if (side == NEITHER || !coupled) return o;
    const int *at = kept.dints.p + (side == STRAIGHT ? straight : transposed);

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
    DeviceCall((Program<Real, Real>::Load()));
    DeviceCall((Program<Real, double>::Load()));
    narrow.Forget();
    wide.Forget();
    n         = h.n;
    scale     = frame.scale;
    nlaunches = 0;
    kept.grids.clear();
    ints.assign(h.place.data(), h.place.data() + h.n);
    place         = 0;
    kept.sizes.n  = h.n;
    kept.sizes.nd = h.nd;
    kept.sizes.level.clear();
    coloured = true;
    for (const Level<Real> &L : h.level) {
      kept.grids.push_back(StoreLevel(L));
      kept.sizes.level.emplace_back();
      kept.sizes.level.back().n      = L.n;
      kept.sizes.level.back().nc     = L.nc;
      kept.sizes.level.back().smooth = L.smooth;
      coloured                       = coloured && (!L.smooth || !L.colour.empty());
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
    DeviceCall(kept.dints.Set(ints.data(), ints.size()));
    DeviceCall(kept.dreals.Set(reals.data(), reals.size()));
    DeviceCall(kept.dinverse.Set(inverse.data(), inverse.size()));
    DeviceCall(dframe.Set(numbers.data(), numbers.size()));
    return parts.Resize(maxblocks + 1);
  }

  int                   n = 0, nlaunches = 0;
  double                scale  = 1.0;
  bool                  scaled = false, coloured = false;
  DeviceOrder           order;
  size_t                coupled = 0, place = 0, straight = 0, transposed = 0;
  Kept<Real>            kept;
  Program<Real, Real>   narrow; /* by the precision of vectors */
  Program<Real, double> wide;
  std::vector<int>      ints; /* while they are made */
  std::vector<Real>     reals;

  DeviceArray<double>    parts;
  DeviceArray<PetscReal> dframe, staged;
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
