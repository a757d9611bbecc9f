/*
  The cycle on the host.
*/
#include "pc/hsc/cycle.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace petlap {
namespace hsc {

/* Body(integral constant LENGTH, first row, first entry, rows) for every run; LENGTH is 0 for lengths that are not unrolled */
template <int LENGTH>
struct Fixed {
  static const int length = LENGTH;
};
template <typename Body>
static inline void ForLength(const Run &run, int row, size_t at, Body &&body)
{
  switch (run.length) {
#define CASE(L)                              \
  case L:                                    \
    body(Fixed<L>(), row, at, run.nrows, L); \
    break
    CASE(1);
    CASE(2);
    CASE(3);
    CASE(4);
    CASE(5);
    CASE(6);
    CASE(7);
    CASE(8);
    CASE(9);
    CASE(10);
    CASE(11);
    CASE(12);
#undef CASE
  default:
    body(Fixed<0>(), row, at, run.nrows, run.length);
    break;
  }
}

template <int LENGTH, typename Real, typename Number>
static inline Number Dot(const Real *w, const int *col, const Number *x, int length)
{
  if constexpr (LENGTH > 0) {
    Number a = 0, b = 0;

    for (int k = 0; k + 1 < LENGTH; k += 2) {
      a += w[k] * x[col[k]];
      b += w[k + 1] * x[col[k + 1]];
    }
    if constexpr (LENGTH % 2) a += w[LENGTH - 1] * x[col[LENGTH - 1]];
    return a + b;
  } else {
    Number a = 0, b = 0, c = 0, d = 0;
    int    k = 0;

    for (; k + 3 < length; k += 4) {
      a += w[k] * x[col[k]];
      b += w[k + 1] * x[col[k + 1]];
      c += w[k + 2] * x[col[k + 2]];
      d += w[k + 3] * x[col[k + 3]];
    }
    for (; k < length; k++) a += w[k] * x[col[k]];
    return (a + b) + (c + d);
  }
}

/* r_C += W (r_F / D): what a fine vertex passes on to its coarse neighbours */
template <typename Real, typename Number>
static void Restrict(const Level<Real> &L, const Number *rf, Number *rc)
{
  const Real *w = L.fweight.data(), *inv = L.finv.data();
  const int  *col = L.fcol.data();
  size_t      at  = 0;
  int         row = 0;

  for (const Run &run : L.frun) {
    ForLength(run, row, at, [&](auto fixed, int f, size_t k, int m, int length) {
      for (int i = 0; i < m; i++, f++) {
        const Number t = rf[f] * inv[f];
        const int    n = decltype(fixed)::length ? decltype(fixed)::length : length;

        for (int j = 0; j < n; j++, k++) rc[col[k]] += w[k] * t;
      }
    });
    row += run.nrows;
    at += (size_t)run.nrows * run.length;
  }
}

/* y(f) = (r_F + W x_C) / D for every fine vertex f */
template <typename Real, typename Number, typename Put>
static void Interpolate(const Level<Real> &L, const Number *rf, const Number *x, Put &&put)
{
  const Real *w = L.fweight.data(), *inv = L.finv.data();
  const int  *col = L.fcol.data();
  size_t      at  = 0;
  int         row = 0;

  for (const Run &run : L.frun) {
    ForLength(run, row, at, [&](auto fixed, int f, size_t k, int m, int length) {
      for (int i = 0; i < m; i++, f++, k += length) put(f, (rf[f] + Dot<decltype(fixed)::length>(w + k, col + k, x, length)) * inv[f]);
    });
    row += run.nrows;
    at += (size_t)run.nrows * run.length;
  }
}

/* row(i, p, sum of w x) for all rows of the matrix, i counting rows as they are stored and p being the vertex */
template <bool REVERSE, typename Real, typename Number, typename Row>
static void ForRows(const Level<Real> &L, const Number *x, Row &&visit)
{
  const Real *w   = L.sweight.data();
  const int  *col = L.scol.data(), *place = L.srow.data();
  size_t      at   = REVERSE ? L.scol.size() : 0;
  int         row  = REVERSE ? L.n : 0;
  auto        fine = [&](const Run &run) {
    if (REVERSE) {
      row -= run.nrows;
      at -= (size_t)run.nrows * run.length;
    }
    ForLength(run, row, at, [&](auto fixed, int i, size_t k, int m, int length) {
      if (REVERSE) {
        for (int j = m - 1; j >= 0; j--) visit(i + j, i + j, Dot<decltype(fixed)::length>(w + k + (size_t)j * length, col + k + (size_t)j * length, x, length));
      } else {
        for (const int end = i + m; i < end; i++, k += length) visit(i, i, Dot<decltype(fixed)::length>(w + k, col + k, x, length));
      }
    });
    if (!REVERSE) {
      row += run.nrows;
      at += (size_t)run.nrows * run.length;
    }
  };
  auto coarse = [&](const Run &run) {
    if (REVERSE) {
      row -= run.nrows;
      at -= (size_t)run.nrows * run.length;
    }
    ForLength(run, row, at, [&](auto fixed, int i, size_t k, int m, int length) {
      if (REVERSE) {
        for (int j = m - 1; j >= 0; j--) visit(i + j, place[i + j], Dot<decltype(fixed)::length>(w + k + (size_t)j * length, col + k + (size_t)j * length, x, length));
      } else {
        for (const int end = i + m; i < end; i++, k += length) visit(i, place[i], Dot<decltype(fixed)::length>(w + k, col + k, x, length));
      }
    });
    if (!REVERSE) {
      row += run.nrows;
      at += (size_t)run.nrows * run.length;
    }
  };

  if (REVERSE) {
    for (auto run = L.srun.rbegin(); run != L.srun.rend(); ++run) fine(*run);
    for (auto run = L.crun.rbegin(); run != L.crun.rend(); ++run) coarse(*run);
  } else {
    for (const Run &run : L.crun) coarse(run);
    for (const Run &run : L.srun) fine(run);
  }
}

template <typename Real, typename Number>
void Residual(const Level<Real> &L, const Number *r, const Number *x, Number *out)
{
  const Real *inv = L.sinv.data();

  ForRows<false>(L, x, [=](int i, int p, Number wx) { out[p] = inv[i] > 0 ? r[p] + wx - x[p] / inv[i] : 0; });
}

/*
  Values of other ranks stay as they were at the beginning of a sweep, so that Gauss-Seidel is Jacobi between the ranks. What they contribute goes to
  the right-hand side.
*/
template <typename Real>
template <typename Number>
void Cycle<Real>::Smooth(const Hierarchy<Real> &h, int l, const Sweeps &s, bool pre, bool begun, Number *r, Number *y)
{
  const Level<Real> &L      = h.level[l];
  const Real        *inv    = L.sinv.data();
  Ranks<Real>       *ranks  = h.ranks.get();
  const int          sweeps = pre ? s.pre : s.post;

  if (ranks && sweeps) ranks->Keep(r);
  for (int k = 0; k < sweeps; k++) {
    /* The first sweep before the coarse correction starts from zero */
    if (ranks && (!pre || k)) {
      if (!begun || k) ranks->Begin(y);
      ranks->End(l == 0, r);
    }
    if (s.jacobi) {
      Number      *t     = vectors.template In<Number>().scratch.data();
      const Number omega = (Number)s.omega;

      ForRows<false>(L, y, [=](int i, int p, Number wx) { t[p] = y[p] + omega * ((r[p] + wx) * inv[i] - y[p]); });
      Copy(y, t, L.n);
    } else if (pre)
      ForRows<true>(L, y, [=](int i, int p, Number wx) { y[p] = (r[p] + wx) * inv[i]; });
    else
      ForRows<false>(L, y, [=](int i, int p, Number wx) { y[p] = (r[p] + wx) * inv[i]; });
  }
  if (ranks && sweeps) ranks->Restore(r);
}

/* out = r - A x with the whole matrix of the level */
template <typename Real, typename Number>
static void ResidualOn(const Hierarchy<Real> &h, int l, Number *r, const Number *x, Number *out)
{
  Ranks<Real> *ranks = h.ranks.get();

  if (ranks) {
    ranks->Keep(r);
    ranks->Begin(x);
    ranks->End(l == 0, r);
  }
  Residual(h.level[l], r, x, out);
  if (ranks) ranks->Restore(r);
}

/*
  L L' in the lower triangle, column by column, of a matrix that is given by its row sums and the moduli of its entries below the diagonal, none of which is positive. What is eliminated only
  adds to those, so that the smallest pivot is as exact as the largest one, however weak the ties are. Pivots of pinned rows become infinite. The matrix is too small
  for BLAS to be worth starting its threads.
*/
static bool Cholesky(int n, double *a, std::vector<double> &sum, const std::vector<bool> &pinned)
{
  const size_t N = (size_t)n;

  for (int j = 0; j < n; j++) {
    double *c = a + j * N, e = sum[j];
    int     k = 0;

    for (; k + 3 < j; k += 4) {
      const double *p = a + k * N, *q = p + N, *r = q + N, *s = r + N, x = p[j], y = q[j], z = r[j], w = s[j];

      for (int i = j + 1; i < n; i++) c[i] += x * p[i] + y * q[i] + z * r[i] + w * s[i];
      e -= sum[k] * x + sum[k + 1] * y + sum[k + 2] * z + sum[k + 3] * w;
    }
    for (; k < j; k++) {
      const double *p = a + k * N, x = p[j];

      for (int i = j + 1; i < n; i++) c[i] += x * p[i];
      e -= sum[k] * x;
    }
    double d = e;
    for (int i = j + 1; i < n; i++) d += c[i];
    if (pinned[j])
      d = std::numeric_limits<double>::infinity();
    else if (!(d > 0.0))
      return false;
    c[j]            = std::sqrt(d);
    const double in = 1.0 / c[j];
    sum[j]          = e * in;
    for (int i = j + 1; i < n; i++) c[i] *= -in;
  }
  return true;
}

/*
  The dense matrix of the coarsest level. A component without excess, as all of them are with pure Neumann conditions, has the constants as its
  null space: its last vertex is pinned and the constants are projected out, but for a multiple of them that changes nothing for a right-hand side that such a system can have.
*/
template <typename Real>
bool Cycle<Real>::Factor(const Hierarchy<Real> &h)
{
  const int           nd = h.nd;
  const size_t        N  = (size_t)nd;
  std::vector<int>    part(nd);
  std::vector<double> sum(nd, 0.0), excess(nd, 0.0), most(nd, 0.0), d(nd, 0.0); /* excess: by component, the sum of moduli */
  std::vector<int>    count(nd, 0);
  std::vector<bool>   pinned(nd, false);

  if (h.merge) {
    bool   good = true;
    double bad;

    below.reset();
    if (h.merge->first) {
      below.reset(new Cycle<Real>());
      good = below->Factor(*h.merge->h);
    }
    bad = good ? 0.0 : 1.0;
    h.ranks->Sum(1, &bad);
    return bad == 0.0;
  }
  factor.assign(N * N, 0.0);
  z.resize(N);
  for (int v = 0; v < nd; v++) part[v] = v;
  auto root = [&](int v) {
    while (part[v] != v) v = part[v] = part[part[v]];
    return v;
  };
  for (int v = 0; v < nd; v++) {
    sum[v] = (double)h.coarse.excess[v] + h.shift[v];
    d[v] += sum[v];
    for (int k = h.coarse.uptr[v]; k < h.coarse.uptr[v + 1]; k++) {
      const int    u = h.coarse.adj[k];
      const double w = h.coarse.weight[k];

      d[v] += w;
      d[u] += w;
      factor[v * N + u] += w; /* the lower triangle, column by column */
      if (w > 0) part[root(u)] = root(v);
    }
  }
  for (int v = 0; v < nd; v++) {
    const int p = root(v);

    excess[p] += std::abs(sum[v]);
    most[p] = std::max(most[p], d[v]);
    count[p]++;
  }
  floating.clear();
  for (int p = 0; p < nd; p++) {
    if (count[p] == 0) continue;
    if (count[p] == 1) {
      /* An isolated vertex without a diagonal has no equation. A preconditioner that gave zero for it would hide what is left of a right-hand side that asks for one. */
      if (!(d[p] > 0)) sum[p] = 1.0;
    } else if (excess[p] <= 1e-15 * most[p] * count[p]) {
      Floating f;

      f.most = most[p];
      for (int v = 0; v < nd; v++) {
        if (root(v) != p) continue;
        f.vertex.push_back(v);
        sum[v] = 0.0;
      }
      pinned[f.vertex.back()] = true;
      floating.push_back(std::move(f));
    }
  }
  return Cholesky(nd, factor.data(), sum, pinned);
}

/* z = (L L')^-1 z, where z is zero before the entry first; BLAS would start its threads for this */
template <typename Real>
void Cycle<Real>::Substitute(int n, int first)
{
  for (int j = first; j < n; j++) {
    const double *c = factor.data() + (size_t)j * n, t = z[j] / c[j];
    double       *p = z.data();

    p[j] = t;
    for (int i = j + 1; i < n; i++) p[i] -= c[i] * t;
  }
  for (int j = n - 1; j >= 0; j--) {
    const double *c = factor.data() + (size_t)j * n, *p = z.data();
    double        sum[4] = {0.0, 0.0, 0.0, 0.0};
    int           i      = j + 1;

    for (; i + 3 < n; i += 4) {
      for (int k = 0; k < 4; k++) sum[k] += c[i + k] * p[i + k];
    }
    for (; i < n; i++) sum[0] += c[i] * p[i];
    z[j] = (z[j] - sum[0] - sum[1] - sum[2] - sum[3]) / c[j];
  }
}

/* z = M z, where z is zero before the entry first */
template <typename Real>
void Cycle<Real>::SolveDense(int n, int first)
{
  std::vector<double> constant(floating.size());

  auto project = [&](const Floating &f) {
    double sum = 0.0;

    for (int v : f.vertex) sum += z[v];
    sum /= (double)f.vertex.size();
    for (int v : f.vertex) z[v] -= sum;
    return sum;
  };
  for (size_t p = 0; p < floating.size(); p++) {
    constant[p] = project(floating[p]) / floating[p].most;
    first       = std::min(first, floating[p].vertex.front());
  }
  Substitute(n, first);
  for (size_t p = 0; p < floating.size(); p++) {
    (void)project(floating[p]);
    for (int v : floating[p].vertex) z[v] += constant[p];
  }
}

template <typename Real>
void Cycle<Real>::Inverse(Array<double> &inverse)
{
  const size_t n = z.size();

  inverse.resize(n * n);
  for (size_t j = 0; j < n; j++) {
    std::fill(z.data(), z.data() + n, 0.0);
    z[j] = 1.0;
    SolveDense((int)n, (int)j);
    Copy(inverse.data() + j * n, z.data(), n);
  }
  /* Both triangles are what rounding made of one number */
  for (size_t j = 0; j < n; j++) {
    for (size_t i = 0; i < j; i++) inverse[j * n + i] = inverse[i * n + j];
  }
}

template <typename Real>
template <typename Number>
void Cycle<Real>::Solve(const Hierarchy<Real> &h, const Number *b, Number *y)
{
  const int n = h.nd;

  for (int i = 0; i < n; i++) z[i] = b[i];
  SolveDense(n, 0);
  for (int i = 0; i < n; i++) y[i] = (Number)z[i];
}

/* What is coarser may be on fewer ranks */
template <typename Real>
template <typename Number>
void Cycle<Real>::Coarsest(const Hierarchy<Real> &h, const Sweeps &s, const Number *r, Number *y)
{
  if (!h.merge) {
    Solve(h, r, y);
    return;
  }
  Merge<Real> &m = *h.merge;

  m.Gather(r);
  if (m.first) {
    Vectors<Number> &there  = below->vectors.template In<Number>();
    Array<Number>   &values = m.values.template In<Number>();

    below->template Allocate<Number>(*m.h, s);
    for (int v = 0; v < m.h->n; v++) there.right[0][m.h->place[v]] = values[v];
    below->template Run<Number>(*m.h, s);
    for (int v = 0; v < m.h->n; v++) values[v] = there.x[m.h->place[v]];
  }
  m.Scatter(y);
}

template <typename Real>
std::vector<int> Visits(const Hierarchy<Real> &h, const Sweeps &s)
{
  std::vector<int> gamma(h.level.size(), 1);
  double           visits = 1.0;

  for (size_t l = 0; l + 1 < h.level.size(); l++) {
    if (h.level[l + 1].smooth && visits * s.gamma * h.level[l + 1].total <= 8.0 * h.level[0].total) gamma[l] = s.gamma;
    visits *= gamma[l];
  }
  return gamma;
}

template <typename Real>
template <typename Number>
void Cycle<Real>::Allocate(const Hierarchy<Real> &h, const Sweeps &s)
{
  Vectors<Number> &v       = vectors.template In<Number>();
  const bool       general = s.pre > 0 || s.gamma > 1;
  const size_t     n       = h.level.size();

  v.right.resize(n + 1);
  v.left.resize(n + 1);
  v.rest.resize(n + 1);
  v.right[0].resize(h.n);
  v.x.resize(h.n);
  for (size_t l = 0; l < n; l++) {
    const Level<Real> &L = h.level[l];

    if (L.smooth || general) v.right[l + 1].resize(L.nc);
    if (general) {
      v.left[l + 1].resize(L.nc);
      v.rest[l].resize(L.n);
    }
  }
  gamma = Visits(h, s);
  if (s.jacobi) v.scratch.resize(h.n);
}

template <typename Real>
size_t Cycle<Real>::Memory() const
{
  double bytes = (double)(factor.size() + z.size()) * sizeof(double);

  vectors.ForEach([&](const auto &v) {
    size_t m = v.x.size() + v.scratch.size();

    for (const auto *a : {&v.right, &v.left, &v.rest}) {
      for (const auto &w : *a) m += w.size();
    }
    bytes += (double)m * sizeof(v.x[0]);
  });
  return (below ? below->Memory() : 0) + (size_t)bytes;
}

/* One visit of every level and no pre-smoothing: a single vector x serves all levels, and the right-hand side of levels without smoothing the next */
template <typename Real>
template <typename Number>
void Cycle<Real>::VisitOnce(const Hierarchy<Real> &h, const Sweeps &s, int l, Number *r)
{
  Vectors<Number> &v = vectors.template In<Number>();
  Number          *x = v.x.data();

  if (l == (int)h.level.size()) {
    Coarsest(h, s, r, x);
    return;
  }
  const Level<Real> &L  = h.level[l];
  Number            *rc = r, *xf = x + L.nc;

  if (L.smooth) {
    rc = v.right[l + 1].data();
    Copy(rc, r, L.nc);
  }
  Restrict(L, r + L.nc, rc);
  VisitOnce(h, s, l + 1, rc);
  /* All of the border is coarse and known before the fine vertices are */
  if (h.ranks && L.smooth && s.post > 0) h.ranks->Begin(x);
  Interpolate(L, r + L.nc, x, [=](int f, Number value) { xf[f] = value; });
  if (L.smooth) Smooth(h, l, s, false, true, r, x);
}

template <typename Real>
template <typename Number>
void Cycle<Real>::Visit(const Hierarchy<Real> &h, const Sweeps &s, int l, Number *r, Number *y)
{
  Vectors<Number> &v = vectors.template In<Number>();

  if (l == (int)h.level.size()) {
    Coarsest(h, s, r, y);
    return;
  }
  const Level<Real> &L   = h.level[l];
  const bool         pre = L.smooth && s.pre > 0;
  const int          nc  = L.nc;
  const Number      *res = r;
  Number            *rc = v.right[l + 1].data(), *xc = v.left[l + 1].data();

  if (pre) {
    std::fill(y, y + L.n, (Number)0);
    Smooth(h, l, s, true, false, r, y);
    ResidualOn(h, l, r, y, v.rest[l].data());
    res = v.rest[l].data();
  }
  Copy(rc, res, nc);
  Restrict(L, res + nc, rc);
  Visit(h, s, l + 1, rc, xc);
  if (gamma[l] > 1) {
    Array<Number> again(nc), more(nc);

    for (int g = 1; g < gamma[l]; g++) {
      ResidualOn(h, l + 1, rc, xc, again.data());
      Visit(h, s, l + 1, again.data(), more.data());
      for (int i = 0; i < nc; i++) xc[i] += more[i];
    }
  }
  if (pre) {
    for (int i = 0; i < nc; i++) y[i] += xc[i];
    if (h.ranks && s.post > 0) h.ranks->Begin(y);
    Interpolate(L, res + nc, xc, [=](int f, Number value) { y[nc + f] += value; });
  } else {
    Copy(y, xc, nc);
    if (h.ranks && L.smooth && s.post > 0) h.ranks->Begin(y);
    Interpolate(L, res + nc, xc, [=](int f, Number value) { y[nc + f] = value; });
  }
  if (L.smooth) Smooth(h, l, s, false, true, r, y);
}

/* From the right-hand side in right[0] to x, both in the hierarchy's order */
template <typename Real>
template <typename Number>
void Cycle<Real>::Run(const Hierarchy<Real> &h, const Sweeps &s)
{
  Vectors<Number> &v = vectors.template In<Number>();

  if (s.pre > 0 || s.gamma > 1)
    Visit(h, s, 0, v.right[0].data(), v.x.data());
  else
    VisitOnce(h, s, 0, v.right[0].data());
}

template <typename Real>
template <typename Number>
void Cycle<Real>::ApplyIn(const Hierarchy<Real> &h, const Sweeps &s, double scale, const PetscReal *b, PetscReal *y)
{
  Vectors<Number> &w     = vectors.template In<Number>();
  const int       *place = h.place.data();
  double           largest, total;
  Number          *r0;
  auto             scatter = [&](double factor) {
    double most[4] = {0.0, 0.0, 0.0, 0.0}, sum[4] = {0.0, 0.0, 0.0, 0.0};

    for (int i = 0; i < h.n; i++) {
      const double v = b[i], size = std::abs(v);
      double      &m = most[i % 4];

      r0[place[i]] = (Number)(v * factor);
      m            = size > m ? size : m;
      sum[i % 4] += size;
    }
    largest = std::max(std::max(most[0], most[1]), std::max(most[2], most[3]));
    total   = sum[0] + sum[1] + sum[2] + sum[3]; /* notices what is not a number */
    if (h.ranks) {
      const double mine = total == total ? largest : std::numeric_limits<double>::infinity();

      CommunicateMPI(MPI_Allreduce(const_cast<double *>(&mine), &largest, 1, MPI_DOUBLE, MPI_MAX, h.ranks->comm()));
      total = largest;
    }
  };

  Allocate<Number>(h, s);
  r0 = w.right[0].data();
  /* Single precision has a narrow range, residuals have not. The factor is a power of two, so that it does not matter that one from an earlier call may still do. */
  scatter(down);
  if (!(total > 0.0) || std::isinf(largest)) {
    for (int i = 0; i < h.n; i++) y[i] = total == 0.0 ? 0.0 : std::numeric_limits<PetscReal>::quiet_NaN();
    return;
  }
  if (largest * down > 0x1p30 || largest * down < 0x1p-30) {
    down = std::ldexp(1.0, std::min(std::max(-std::ilogb(largest), -1000), 1000));
    for (int i = 0; i < h.n; i++) r0[place[i]] = (Number)(b[i] * down);
  }
  const double up = scale / down;
  Run<Number>(h, s);
  for (int i = 0; i < h.n; i++) y[i] = w.x[place[i]] * up;
}

template <typename Real>
void Cycle<Real>::Apply(const Hierarchy<Real> &h, const Sweeps &s, double scale, const PetscReal *b, PetscReal *y)
{
  if (s.wide)
    ApplyIn<double>(h, s, scale, b, y);
  else
    ApplyIn<Real>(h, s, scale, b, y);
}

template void             Residual(const Level<float> &, const float *, const float *, float *);
template void             Residual(const Level<double> &, const double *, const double *, double *);
template void             Cycle<float>::Solve(const Hierarchy<float> &, const float *, float *);
template void             Cycle<double>::Solve(const Hierarchy<double> &, const double *, double *);
template std::vector<int> Visits(const Hierarchy<float> &, const Sweeps &);
template std::vector<int> Visits(const Hierarchy<double> &, const Sweeps &);
template class Cycle<float>;
template class Cycle<double>;

} // namespace hsc
} // namespace petlap
