/*
  All levels, from the finest to the coarsest, and the order of the vectors that they share.
*/
#include "pc/hsc/ranks.h"
#include <algorithm>

namespace petlap {
namespace hsc {

template <typename Real>
Hierarchy<Real>::Hierarchy() = default;
template <typename Real>
Hierarchy<Real>::~Hierarchy() = default;

template <typename Real>
void FillLower(Graph<Real> &g)
{
  Array<int> next(g.n);

  g.lptr.assign(g.n + 1, 0);
  for (size_t k = 0; k < g.adj.size(); k++) g.lptr[g.adj[k] + 1]++;
  for (int i = 0; i < g.n; i++) {
    g.lptr[i + 1] += g.lptr[i];
    next[i] = g.lptr[i];
  }
  g.lower.resize(g.adj.size());
  for (int i = 0; i < g.n; i++) {
    for (int k = g.uptr[i]; k < g.uptr[i + 1]; k++) g.lower[next[g.adj[k]]++] = {i, k};
  }
}

/* The places of the coarse vertices */
static void Restrict(const Array<int> &index, Lattice &lattice)
{
  int nc = 0;

  for (size_t v = 0; v < index.size(); v++) {
    if (index[v] < 0) continue;
    lattice.x[nc]   = lattice.x[v];
    lattice.y[nc++] = lattice.y[v];
  }
  lattice.x.resize(nc);
  lattice.y.resize(nc);
}

template <typename Real>
void Build(Graph<Real> &&finest, const Graph<Real> *matrix, Lattice *lattice, const Rules &rules, Hierarchy<Real> &h, int first)
{
  Workspace<Real>         work;
  Graph<Real>             g = std::move(finest);
  std::vector<Array<int>> index;
  double                  total = g.n, shrunk = 0.0;
  Ranks<Real>            *ranks = h.ranks.get();

  h.n = g.n;
  h.level.clear();
  h.nclamped = 0;
  if (rules.clamp) {
    for (int v = 0; v < g.n; v++) g.excess[v] = std::max(g.excess[v], (Real)0);
  }
  if (ranks) ranks->Sum(1, &total);
  const double capacity = std::max(16384.0, ranks ? 0.25 * total / ranks->size() : 0.0);
  while (total > rules.direct && first + (int)h.level.size() < rules.levels && !(ranks && (ranks->Crowded(total) || shrunk > 0.98))) {
    const int          number = first + (int)h.level.size();
    const Graph<Real> *smooth = number == 0 && matrix ? matrix : &g;
    const Real        *weights;
    double             all[2]; /* coarse vertices and smoothing of all ranks */

    h.level.emplace_back();
    index.emplace_back();
    Level<Real> &L = h.level.back();
    work.before.resize(g.weight.size());
    Copy(work.before.data(), g.weight.data(), g.weight.size());
    weights = smooth == &g ? work.before.data() : smooth->weight.data();
    h.nclamped += Sparsify(g, *smooth, number, rules, lattice, work, L);
    L.nedges = (long long)smooth->adj.size();
    L.total  = total;
    all[0]   = L.nc;
    all[1]   = L.ncut > 0 || rules.keep || smooth != &g;
    if (ranks) ranks->Sum(2, all);
    L.smooth = all[1] > 0.0;
    shrunk   = all[0] / total;
    total    = all[0];
    Eliminate(g, *smooth, weights, work, index.back(), L);
    if (lattice) Restrict(index.back(), *lattice);
    std::swap(g, work.next);
  }

  /* place[l][v] is where vertex v of level l stands: coarse ones where the coarser level has them, fine ones behind them */
  const int nlevels = (int)h.level.size();
  h.nd              = g.n;
  index.emplace_back();
  index.back().resize(g.n);
  for (int i = 0; i < g.n; i++) index.back()[i] = i;
  for (int l = nlevels - 1; l >= 0; l--) {
    Level<Real> &L     = h.level[l];
    int         *place = index[l].data();
    const int   *below = index[l + 1].data();

    for (int v = 0; v < L.n; v++) place[v] = place[v] >= 0 ? below[place[v]] : L.nc - 1 - place[v];
    for (size_t k = 0; k < L.fcol.size(); k++) L.fcol[k] = below[L.fcol[k]];
    for (size_t k = 0; k < L.scol.size(); k++) L.scol[k] = place[L.scol[k]];
    for (size_t k = 0; k < L.srow.size(); k++) L.srow[k] = below[L.srow[k]];
    L.fcol.fit();
    L.fweight.fit();
    index[l + 1].clear();
  }
  h.place = std::move(index[0]);
  h.shift.assign(h.nd, 0.0);
  h.merge.reset();
  if (ranks) {
    Graph<Real>                  joined;
    std::unique_ptr<Lattice>     places;
    std::unique_ptr<Ranks<Real>> next;

    ranks->Settle(h.place);
    h.merge.reset(new Merge<Real>());
    h.merge->Join(g, lattice, *ranks, total, first + nlevels < rules.levels && total > rules.direct ? rules.join : ranks->size(), capacity, joined, places, next);
    if (h.merge->first) {
      h.merge->h.reset(new Hierarchy<Real>());
      h.merge->h->ranks = std::move(next);
      Build(std::move(joined), (const Graph<Real> *)nullptr, places.get(), rules, *h.merge->h, first + nlevels);
    }
    g = Graph<Real>();
  }
  h.coarse = std::move(g);
}

/* rows[i] is the row that comes i-th from now on */
template <typename T>
static void Sort(const Array<int> &rows, Array<T> &a)
{
  Array<T> sorted(a.size());

  for (size_t i = 0; i < a.size(); i++) sorted[i] = a[rows[i]];
  a = std::move(sorted);
}

/*
  Each row takes the first colour that none of its neighbours has. Few colours are what matters, as every one is a pass over the level that waits for
  the one before: coarse and fine rows therefore share them.
*/
template <typename Real>
static void SortByColour(Level<Real> &L)
{
  const int   n = L.n, nc = (int)L.srow.size();
  Array<int>  place(n), length(n), colour, stamp, rows(n), col(L.scol.size());
  Array<Real> weight(L.sweight.size());
  Array<int>  begin(n + 1);
  int         ncolours = 0, i = 0;

  begin[0] = 0;
  for (const auto *runs : {&L.crun, &L.srun}) {
    for (const Run &run : *runs) {
      for (int k = 0; k < run.nrows; k++, i++) {
        place[i]     = i < nc ? L.srow[i] : i;
        length[i]    = run.length;
        begin[i + 1] = begin[i] + run.length;
      }
    }
  }
  colour.assign(n, -1);
  stamp.assign(n + 1, -1);
  for (i = 0; i < n; i++) {
    int c = 0;

    for (int k = begin[i]; k < begin[i + 1]; k++) {
      if (colour[L.scol[k]] >= 0) stamp[colour[L.scol[k]]] = i;
    }
    while (stamp[c] == i) c++;
    colour[place[i]] = c;
    ncolours         = std::max(ncolours, c + 1);
  }
  L.colour.assign(ncolours + 1, 0);
  for (i = 0; i < n; i++) L.colour[colour[i] + 1]++;
  for (int c = 0; c < ncolours; c++) L.colour[c + 1] += L.colour[c];
  std::vector<int> next(L.colour);
  for (i = 0; i < n; i++) rows[next[colour[place[i]]]++] = i;
  L.crun.clear();
  L.srun.clear();
  int at = 0;
  for (i = 0; i < n; i++) {
    const int row = rows[i];

    Copy(col.data() + at, L.scol.data() + begin[row], length[row]);
    Copy(weight.data() + at, L.sweight.data() + begin[row], length[row]);
    at += length[row];
    if (L.crun.empty() || L.crun.back().length != length[row]) L.crun.push_back({0, length[row]});
    L.crun.back().nrows++;
  }
  L.scol    = std::move(col);
  L.sweight = std::move(weight);
  L.srow    = std::move(place);
  Sort(rows, L.srow);
  Sort(rows, L.sinv);
  if (!L.sbase.empty()) Sort(rows, L.sbase);
}

template <typename Real>
void SortByColour(Hierarchy<Real> &h)
{
  for (Level<Real> &L : h.level) {
    if (L.smooth && L.colour.empty()) SortByColour(L);
  }
}

/* inv = 1/(1/base + t); the diagonal of a row that has none stays out of the way */
template <typename Real>
static void ShiftInverse(Array<Real> &base, Array<Real> &inv, const Real t[], const int place[])
{
  if (base.empty()) {
    base.resize(inv.size());
    Copy(base.data(), inv.data(), inv.size());
  }
  for (size_t i = 0; i < inv.size(); i++) {
    const Real ti = t[place ? place[i] : (int)i], b = base[i];
    const Real d = b > 0 ? 1 + b * ti : ti;

    inv[i] = d > 0 ? (b > 0 ? b / d : 1 / d) : 0;
  }
}

/*
  Section 4.4 with one change. The excess of a fine vertex goes to its coarse neighbours in proportion to their weights, and the interpolation takes
  the shifted diagonal; the published formula leaves the interpolation as it was, which costs more iterations the larger the shift is.
*/
template <typename Real>
void Shift(Hierarchy<Real> &h, const double t[], double all)
{
  Array<Real> s(h.n);

  for (int v = 0; v < h.n; v++) s[h.place[v]] = (Real)(t ? t[v] : all);
  for (Level<Real> &L : h.level) {
    const Real *w   = L.fweight.data();
    const int  *col = L.fcol.data();
    int         f   = 0;

    if (L.smooth) {
      Array<int> place(L.n);
      for (int i = 0; i < L.n; i++) place[i] = i < (int)L.srow.size() ? L.srow[i] : i;
      ShiftInverse(L.sbase, L.sinv, s.data(), place.data());
    }
    ShiftInverse(L.fbase, L.finv, s.data() + L.nc, nullptr);
    for (const Run &run : L.frun) {
      for (int i = 0; i < run.nrows; i++, f++, w += run.length, col += run.length) {
        const Real share = s[L.nc + f] * L.finv[f];

        for (int k = 0; k < run.length; k++) s[col[k]] += w[k] * share;
      }
    }
  }
  for (int v = 0; v < h.nd; v++) h.shift[v] = s[v];
  if (h.merge) {
    h.merge->Gather(s.data());
    if (h.merge->first) {
      const Array<Real>  &values = h.merge->values.template In<Real>();
      std::vector<double> below(values.data(), values.data() + h.merge->h->n);

      Shift(*h.merge->h, below.data(), 0.0);
    }
  }
}

template struct Hierarchy<float>;
template struct Hierarchy<double>;
template void FillLower(Graph<float> &);
template void FillLower(Graph<double> &);
template void Build(Graph<float> &&, const Graph<float> *, Lattice *, const Rules &, Hierarchy<float> &, int);
template void Build(Graph<double> &&, const Graph<double> *, Lattice *, const Rules &, Hierarchy<double> &, int);
template void SortByColour(Hierarchy<float> &);
template void SortByColour(Hierarchy<double> &);
template void Shift(Hierarchy<float> &, const double[], double);
template void Shift(Hierarchy<double> &, const double[], double);

} // namespace hsc
} // namespace petlap
