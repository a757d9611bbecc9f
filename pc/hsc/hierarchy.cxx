/*
  All levels, from the finest to the coarsest, and the order of the vectors that they share.
*/
#include "pc/hsc/hierarchy.h"
#include <algorithm>

namespace petlap {
namespace hsc {

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
void Build(Graph<Real> &&finest, const Graph<Real> *matrix, Lattice *lattice, const Rules &rules, Hierarchy<Real> &h)
{
  Workspace<Real>         work;
  Graph<Real>             g = std::move(finest);
  std::vector<Array<int>> index;

  h.n = g.n;
  h.level.clear();
  h.nclamped = 0;
  if (rules.clamp) {
    for (int v = 0; v < g.n; v++) g.excess[v] = std::max(g.excess[v], (Real)0);
  }
  while (g.n > rules.direct && (int)h.level.size() < rules.levels) {
    const int          number = (int)h.level.size();
    const Graph<Real> *smooth = number == 0 && matrix ? matrix : &g;
    const Real        *weights;

    h.level.emplace_back();
    index.emplace_back();
    Level<Real> &L = h.level.back();
    work.before.resize(g.weight.size());
    Copy(work.before.data(), g.weight.data(), g.weight.size());
    weights = smooth == &g ? work.before.data() : smooth->weight.data();
    h.nclamped += Sparsify(g, *smooth, number, rules, lattice, work, L);
    L.nedges = (long long)smooth->adj.size();
    L.smooth = L.ncut > 0 || rules.keep || smooth != &g;
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
  h.place  = std::move(index[0]);
  h.coarse = std::move(g);
  h.shift.assign(h.nd, 0.0);
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
      for (int i = 0; i < L.n; i++) place[i] = i < L.nc ? L.srow[i] : i;
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
}

template void Build(Graph<float> &&, const Graph<float> *, Lattice *, const Rules &, Hierarchy<float> &);
template void Build(Graph<double> &&, const Graph<double> *, Lattice *, const Rules &, Hierarchy<double> &);
template void Shift(Hierarchy<float> &, const double[], double);
template void Shift(Hierarchy<double> &, const double[], double);

} // namespace hsc
} // namespace petlap
