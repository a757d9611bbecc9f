/*
  One level: Algorithm 1 of the paper, which cuts edges of triangles and colours the vertices in one sweep, and the elimination of the fine vertices.
*/
#include "pc/hsc/hierarchy.h"
#include <algorithm>
#include <climits>
#include <limits>

namespace petlap {
namespace hsc {

/* Vertices are sorted by the length of their rows only within so many, so that what is near stays near */
static const int chunk   = 4096;
static const int hub     = 64; /* so many neighbours are many */
static const int lengths = 64; /* longer rows are not told apart in sorting */

namespace {

/* The neighbours of one vertex, from which edges of triangles are cut */
template <typename Real>
struct Star {
  const int   *uptr, *lptr, *adj;
  const Lower *lower;
  Real        *w;
  Colour      *colour;
  int         *mark, *nb, *edge; /* mark[u] claims to be the place of u in nb[]; -1 in nb[] is a neighbour that was cut off */
  Real         theta;
  int          dmin;
  bool         compensate;
  long long    ncut = 0;

  int gather(int v)
  {
    int d = 0;

    for (int k = lptr[v]; k < lptr[v + 1]; k++) {
      const Lower o = lower[k];

      nb[d]          = o.vertex;
      edge[d]        = o.edge;
      mark[o.vertex] = d;
      d += w[o.edge] > 0;
    }
    for (int k = uptr[v]; k < uptr[v + 1]; k++) {
      nb[d]        = adj[k];
      edge[d]      = k;
      mark[adj[k]] = d;
      d += w[k] > 0;
    }
    return d;
  }

  void drop(int goes, int stays, int l)
  {
    const Real weak = w[edge[goes]];

    if (colour[nb[goes]] == UNMARKED) colour[nb[goes]] = FINE;
    w[edge[goes]] = 0;
    nb[goes]      = -1;
    if (compensate) {
      w[edge[stays]] += weak;
      w[l] += weak;
    }
    ncut++;
  }

  /* visit(l, p) for the triangles of v, nb[i] and a later nb[p], as long as it returns true; l is the edge opposite of v. Of a row that is much longer than v's, only what v's row asks for is looked up. */
  template <typename Visit>
  void opposite(int d, int i, Visit &&visit) const
  {
    const int u = nb[i], begin = uptr[u], end = uptr[u + 1];

    if (end - begin <= 64 + 8 * d) {
      for (int l = begin; l < end; l++) {
        const int t = adj[l], p = mark[t];

        if (p >= d || nb[p] != t || !(w[l] > 0)) continue;
        if (!visit(l, p)) return;
      }
      return;
    }
    for (int p = 0; p < d; p++) {
      const int t = nb[p];

      if (t <= u) continue;
      const Lower *last = lower + lptr[t + 1], *o = std::lower_bound(lower + lptr[t], last, u, [](const Lower &x, int y) { return x.vertex < y; });

      if (o == last || o->vertex != u || !(w[o->edge] > 0)) continue;
      if (!visit(o->edge, p)) return;
    }
  }

  /* In every triangle, the weakest edge goes if it is one of v's; if the opposite one is the weakest, the triangle stays */
  void cut(int d)
  {
    int alive = d;

    for (int i = 0; i < d && alive > dmin; i++) {
      if (nb[i] < 0) continue;
      opposite(d, i, [&](int l, int p) {
        if (alive <= dmin) return false;
        const Real wut = w[l], wvt = w[edge[p]], wvu = w[edge[i]];
        const bool second = wvt < wvu;
        const Real weak = second ? wvt : wvu, strong = second ? wvu : wvt;

        if (weak > theta * std::min(strong, wut)) return true;
        drop(second ? p : i, second ? i : p, l);
        alive--;
        return second;
      });
    }
  }

  /* Where all three vertices of a triangle are geometric, its longest edge goes, whichever it is */
  void cut(int v, int d, const Lattice &at, const bool geometric[])
  {
    auto distance = [&](int a, int b) {
      const long long dx = (long long)at.x[a] - at.x[b], dy = (long long)at.y[a] - at.y[b];
      return dx * dx + dy * dy;
    };

    for (int i = 0; i < d; i++) {
      if (nb[i] < 0) continue;
      opposite(d, i, [&](int l, int p) {
        const int  u = nb[i], t = nb[p];
        const Real wut = w[l], wvt = w[edge[p]], wvu = w[edge[i]];
        if (geometric[v] && geometric[u] && geometric[t]) {
          const long long dvu = distance(v, u), dvt = distance(v, t), dut = distance(u, t);

          if (dut > dvu && dut > dvt) {
            w[l] = 0;
            if (compensate) {
              w[edge[p]] += wut;
              w[edge[i]] += wut;
            }
            ncut++;
          } else {
            drop(dvu > dvt ? i : p, dvu > dvt ? p : i, l);
            if (dvu > dvt) return false;
          }
        } else {
          const bool second = wvt < wvu;
          const Real weak = second ? wvt : wvu, strong = second ? wvu : wvt;

          if (weak > theta * std::min(strong, wut)) return true;
          drop(second ? p : i, second ? i : p, l);
          if (!second) return false;
        }
        return true;
      });
    }
  }
};

} // namespace

/*
  A vertex is geometric where the spread of its weights is at most the mean spread of all vertices (sec. 4.3). Those whose neighbours are geometric
  too take their color from a checkerboard, which turns by 45 degrees from level to level and so ends up on every second line after two of them.
*/
template <typename Real>
static void RedBlack(const Graph<Real> &g, int number, const Lattice &at, Array<bool> &geometric, Array<Colour> &colour)
{
  const int   n = g.n, m = std::min(number / 2, 30);
  Array<Real> most, spread;
  double      mean  = 0.0;
  auto        board = [&](int v) {
    const int x = at.x[v] >> m, y = at.y[v] >> m;
    return ((number % 2 ? x : x + y) & 1) ? FINE : COARSE;
  };

  most.assign(n, 0);
  spread.resize(n); /* the least weight so far */
  std::fill(spread.data(), spread.data() + n, std::numeric_limits<Real>::max());
  for (int v = 0; v < n; v++) {
    for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
      const int  u = g.adj[k];
      const Real w = g.weight[k];

      most[v]   = std::max(most[v], w);
      most[u]   = std::max(most[u], w);
      spread[v] = std::min(spread[v], w);
      spread[u] = std::min(spread[u], w);
    }
  }
  for (int v = 0; v < n; v++) {
    spread[v] = most[v] > 0 ? (most[v] - spread[v]) / most[v] : 0;
    mean += spread[v];
  }
  mean /= n;
  geometric.resize(n);
  for (int v = 0; v < n; v++) geometric[v] = spread[v] <= mean * (1 + 1e-6);
  Array<bool> all; /* the vertex and its neighbours are geometric, and the neighbours of the other color or farther away than a step of this level */
  all.resize(n);
  for (int v = 0; v < n; v++) all[v] = geometric[v];
  for (int v = 0; v < n; v++) {
    for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
      const int u = g.adj[k];

      if (!geometric[u]) all[v] = false;
      if (!geometric[v]) all[u] = false;
    }
  }
  for (int v = 0; v < n; v++) {
    if (all[v] && (g.border.empty() || !g.border[v])) colour[v] = board(v);
  }
}

static void Append(std::vector<Run> &run, int length)
{
  if (run.empty() || run.back().length != length) run.push_back({0, length});
  run.back().nrows++;
}

namespace {

/*
  Takes the rows of fine vertices one by one as they are settled, while what they hold is still in the cache, and stores them such that rows of the
  same length follow each other: by their length in the matrix for smoothing first and after the cuts second.
*/
template <typename Real>
class FineRows {
public:
  FineRows(const Graph<Real> &g, const Graph<Real> &m, Workspace<Real> &w, Level<Real> &l) : matrix(m), excess(g.excess.data()), work(w), level(l)
  {
    level.frun.clear();
    level.fcol.reserve(g.weight.size() + 64);
    level.fweight.reserve(g.weight.size() + 64);
    level.finv.resize(g.n);
    work.share.resize(g.n);
    work.fine.resize(g.n);
    work.begin.resize(g.n + 1);
    work.start.resize((size_t)lengths * lengths + 2);
    col.reserve(16 * chunk);
    weight.reserve(16 * chunk);
    begin[0] = 0;
  }

  /* Neighbours nb[] of v, where they are not negative, over edges of the weights w[edge[]] */
  void add(int v, int d, const int nb[], const int edge[], const Real w[])
  {
    int k = begin[m];

    if ((size_t)(k + d) > col.capacity()) {
      col.reserve(2 * col.capacity() + d);
      weight.reserve(col.capacity());
    }
    /* in ascending order, which most of them have already */
    for (int i = 0; i < d; i++) {
      const int u = nb[i];
      int       j = k;

      if (u < 0) continue;
      for (; j > begin[m] && col[j - 1] > u; j--) {
        col[j]    = col[j - 1];
        weight[j] = weight[j - 1];
      }
      col[j]    = u;
      weight[j] = w[edge[i]];
      k++;
    }
    vertex[m]  = v;
    key[m]     = std::min(Degree(matrix, v), lengths - 1) * lengths + std::min(k - begin[m], lengths - 1);
    begin[++m] = k;
    if (m == chunk) flush();
  }

  /* Returns the number of rows whose negative excess is left out */
  int finish()
  {
    flush();
    work.begin[nf] = (int)at;
    level.fcol.resize(at);
    level.fweight.resize(at);
    level.finv.resize(nf);
    level.nc = level.n - nf;
    return nclamped;
  }

private:
  void flush()
  {
    int *start = work.start.data(), most = 0, least = INT_MAX;

    if (m == 0) return;
    for (int i = 0; i < m; i++) {
      most  = std::max(most, key[i]);
      least = std::min(least, key[i]);
    }
    std::fill(start + least, start + most + 2, 0);
    for (int i = 0; i < m; i++) start[key[i] + 1]++;
    for (int k = least; k <= most; k++) start[k + 1] += start[k];
    for (int i = 0; i < m; i++) sorted[start[key[i]]++] = i;
    if (at + begin[m] > level.fcol.capacity()) {
      level.fcol.reserve(level.fcol.capacity() + level.fcol.capacity() / 2 + begin[m]);
      level.fweight.reserve(level.fcol.capacity());
    }
    for (int i = 0; i < m; i++, nf++) {
      const int  j = sorted[i], length = begin[j + 1] - begin[j];
      const int *c = col.data() + begin[j], *const end = c + length;
      const Real *w = weight.data() + begin[j], e = excess[vertex[j]];
      Real        sum = 0;

      work.begin[nf] = (int)at;
      work.fine[nf]  = vertex[j];
      for (int *to = level.fcol.data() + at; c < end; c++) *to++ = *c;
      for (int k = 0; k < length; k++) {
        level.fweight[at + k] = w[k];
        sum += w[k];
      }
      at += length;
      /* With a diagonal far below its weights the row is no longer one of a Laplacian, and the coarse ones would be worse */
      const bool good = e >= (Real)-0.5 * sum;
      const Real used = good ? e : 0;
      nclamped += !good;
      sum += used;
      level.finv[nf] = sum > 0 ? 1 / sum : 0;
      work.share[nf] = level.finv[nf] * used;
      Append(level.frun, length);
    }
    m = 0;
  }

  const Graph<Real> &matrix;
  const Real        *excess;
  Workspace<Real>   &work;
  Level<Real>       &level;
  int                nf = 0, m = 0, nclamped = 0;
  size_t             at = 0;
  Array<int>         col;
  Array<Real>        weight;
  int                vertex[chunk], begin[chunk + 1], key[chunk], sorted[chunk];
};

} // namespace

template <typename Real>
int Sparsify(Graph<Real> &g, const Graph<Real> &matrix, int number, const Rules &rules, const Lattice *lattice, Workspace<Real> &work, Level<Real> &level)
{
  const int   n    = g.n;
  int         most = 0;
  Star<Real>  s;
  Array<bool> geometric;

  for (int v = 0; v < n; v++) most = std::max(most, Degree(g, v));
  work.colour.assign(n, UNMARKED);
  /* Eliminating a vertex connects all its neighbours with each other, so that one with very many stays */
  const double limit = std::max((double)hub, 4.0 * 2.0 * (double)g.adj.size() / std::max(1, n));
  for (int v = 0; most > limit && v < n; v++) {
    if (Degree(g, v) > limit) work.colour[v] = COARSE;
  }
  for (size_t v = 0; v < g.border.size(); v++) {
    if (g.border[v]) work.colour[v] = COARSE;
  }
  work.mark.assign(n, 0);
  work.row.resize(most + 1);
  work.edge.resize(most + 1);
  s.uptr   = g.uptr.data();
  s.lptr   = g.lptr.data();
  s.adj    = g.adj.data();
  s.lower  = g.lower.data();
  s.w      = g.weight.data();
  s.colour = work.colour.data();
  s.mark   = work.mark.data();
  s.nb     = work.row.data();
  s.edge   = work.edge.data();
  level.n  = n;
  FineRows<Real> rows(g, matrix, work, level);
  s.theta      = (Real)(number == 0 ? rules.thetafinest : rules.theta);
  s.dmin       = rules.dmin;
  s.compensate = rules.compensate;
  if (lattice) RedBlack(g, number, *lattice, geometric, work.colour);

  Colour    *colour  = s.colour;
  const bool settled = rules.coloring == COLORING_GREEDY && !lattice; /* the row of a fine vertex does not change after its visit */
  if (rules.coloring == COLORING_PAPER) {
    if (n && colour[0] == UNMARKED) colour[0] = FINE;
    for (int v = 0; v < n; v++) {
      if (colour[v] == COARSE) continue;
      const int d = s.gather(v);

      if (lattice)
        s.cut(v, d, *lattice, geometric.data());
      else
        s.cut(d);
      for (int i = 0; i < d; i++) {
        if (s.nb[i] >= 0 && colour[s.nb[i]] == UNMARKED) colour[s.nb[i]] = COARSE;
      }
    }
    for (int v = 0; v < n; v++) {
      if (colour[v] != UNMARKED) continue;
      const int d = s.gather(v);

      colour[v] = FINE;
      for (int i = 0; i < d; i++) {
        if (colour[s.nb[i]] == FINE) colour[v] = COARSE;
      }
    }
    for (int v = 0; v < n; v++) {
      if (colour[v] != FINE) continue;
      for (int k = s.uptr[v]; k < s.uptr[v + 1]; k++) {
        if (s.w[k] > 0 && colour[s.adj[k]] == FINE) colour[s.adj[k]] = COARSE;
      }
    }
  } else {
    for (int v = 0; v < n; v++) {
      if (colour[v] == COARSE) continue;
      const int d    = s.gather(v);
      Colour    mine = FINE;

      if (lattice)
        s.cut(v, d, *lattice, geometric.data());
      else
        s.cut(d);
      for (int i = 0; i < d; i++) {
        if (s.nb[i] >= 0 && s.nb[i] < v && colour[s.nb[i]] == FINE) mine = COARSE;
      }
      colour[v] = mine;
      if (mine == COARSE) continue;
      for (int i = 0; i < d; i++) {
        if (s.nb[i] >= 0) colour[s.nb[i]] = COARSE;
      }
      if (settled) rows.add(v, d, s.nb, s.edge, s.w);
    }
  }
  level.ncut = s.ncut;
  if (settled) return rows.finish();
  /* A coarse vertex between coarse ones can be eliminated as well */
  for (int v = 0; v < n; v++) {
    if (colour[v] != COARSE || (!g.border.empty() && g.border[v])) continue;
    bool lonely = true;

    for (int k = s.uptr[v]; lonely && k < s.uptr[v + 1]; k++) lonely = colour[s.adj[k]] != FINE || !(s.w[k] > 0);
    for (int k = s.lptr[v]; lonely && k < s.lptr[v + 1]; k++) lonely = colour[s.lower[k].vertex] != FINE || !(s.w[s.lower[k].edge] > 0);
    if (!lonely) continue;
    s.cut(s.gather(v));
    colour[v] = FINE;
  }
  level.ncut = s.ncut;
  for (int v = 0; v < n; v++) {
    if (colour[v] != FINE) continue;
    const int d = s.gather(v);

    rows.add(v, d, s.nb, s.edge, s.w);
  }
  return rows.finish();
}

/* Sorts the coarse vertices, chunk by chunk, by the length of their rows */
template <typename Real>
static void SortCoarse(const Graph<Real> &matrix, const int index[], Workspace<Real> &work)
{
  int total = 0, v = 0, buffer[chunk], keys[chunk], start[lengths + 1], *order = work.order.data();

  while (v < matrix.n) {
    int m = 0;

    std::fill(start, start + lengths + 1, 0);
    for (; v < matrix.n && m < chunk; v++) {
      if (index[v] < 0) continue;
      buffer[m] = v;
      keys[m]   = std::min(Degree(matrix, v), lengths - 1);
      start[keys[m++] + 1]++;
    }
    for (int k = 0; k < lengths; k++) start[k + 1] += start[k];
    for (int i = 0; i < m; i++) order[total + start[keys[i]]++] = buffer[i];
    total += m;
  }
}

/* The matrix before edges were cut, with the weights w: columns are vertices of this level */
template <typename Real>
static void SmoothRows(const Graph<Real> &g, const Real w[], Workspace<Real> &work, const int index[], Level<Real> &level)
{
  const int    n = level.n, nc = level.nc;
  const int   *uptr = g.uptr.data(), *lptr = g.lptr.data(), *adj = g.adj.data();
  const Lower *lower = g.lower.data();
  const Real  *e     = g.excess.data();
  int          k     = 0;

  work.order.resize(nc);
  SortCoarse(g, index, work);
  level.srow.resize(nc);
  level.scol.resize(2 * g.adj.size());
  level.sweight.resize(2 * g.adj.size());
  level.sinv.resize(n);
  level.crun.clear();
  level.srun.clear();
  int  *col = level.scol.data();
  Real *sw = level.sweight.data(), *inv = level.sinv.data();

  for (int i = 0; i < n; i++) {
    const int v   = i < nc ? work.order[i] : work.fine[i - nc];
    Real      sum = e[v];

    for (int l = uptr[v]; l < uptr[v + 1]; l++, k++) {
      col[k] = adj[l];
      sw[k]  = w[l];
      sum += w[l];
    }
    for (int l = lptr[v]; l < lptr[v + 1]; l++, k++) {
      const Lower o  = lower[l];
      const Real  wo = w[o.edge];

      col[k] = o.vertex;
      sw[k]  = wo;
      sum += wo;
    }
    if (!g.outer.empty()) sum += g.outer[v];
    inv[i] = sum > 0 ? 1 / sum : 0;
    if (i < nc) level.srow[i] = index[v];
    Append(i < nc ? level.crun : level.srun, Degree(g, v));
  }
}

/*
  The Schur complement: coarse rows as far as they lie above the diagonal. Rows of fine vertices are sorted, and the coarse vertices in them come by in
  that order: those that are still to come are the ones above.
*/
template <typename Real>
static void Complement(const Graph<Real> &g, Workspace<Real> &work, const int index[], const Level<Real> &level)
{
  const int    n = level.n, nc = level.nc;
  const int   *uptr = g.uptr.data(), *lptr = g.lptr.data(), *adj = g.adj.data();
  const Lower *lower = g.lower.data();
  const Real  *w = g.weight.data(), *e = g.excess.data();
  const int   *begin = work.begin.data(), *fcol = level.fcol.data();
  const Real  *fw = level.fweight.data(), *inv = level.finv.data(), *share = work.share.data();
  Graph<Real> &coarse = work.next;

  coarse.n = nc;
  coarse.uptr.resize(nc + 1);
  coarse.lptr.assign(nc + 2, 0);
  coarse.excess.resize(nc);
  coarse.outer.resize(g.outer.empty() ? 0 : nc);
  coarse.border.resize(g.border.empty() ? 0 : nc);
  coarse.adj.resize(std::max(g.weight.size() / 2, coarse.adj.capacity()));
  coarse.weight.resize(std::max(g.weight.size() / 2, coarse.weight.capacity()));
  work.mark.assign(nc, -1);
  work.order.resize(n - nc);
  std::copy(begin, begin + n - nc, work.order.data());
  int   *next  = work.order.data();
  size_t have  = std::min(coarse.adj.capacity(), coarse.weight.capacity());
  int   *place = work.mark.data(), *count = coarse.lptr.data() + 2, *col = coarse.adj.data(), at = 0;
  Real  *acc = coarse.weight.data();

  for (int v = 0, i = 0; v < n; v++) {
    if (index[v] < 0) continue;
    const int first = at;
    Real      ec    = e[v];
    auto      grow  = [&](int m) {
      if ((size_t)at + m < have) return;
      have += have / 2 + m + 64;
      coarse.adj.reserve(have);
      coarse.weight.reserve(have);
      col = coarse.adj.data();
      acc = coarse.weight.data();
    };
    /* Without branches, which would go either way at random */
    auto add = [&](int j, Real x) {
      const int  p     = place[j];
      const bool fresh = p < first;
      const int  q     = fresh ? at : p;

      acc[q]   = (fresh ? (Real)0 : acc[q]) + x;
      col[q]   = j;
      place[j] = q;
      count[j] += fresh;
      at += fresh;
    };
    auto through = [&](int f, Real wk) {
      const Real s  = wk * inv[f];
      const int  lo = ++next[f], hi = begin[f + 1];

      ec += wk * share[f];
      grow(hi - lo);
      for (int l = lo; l < hi; l++) add(fcol[l], s * fw[l]);
    };

    for (int k = lptr[v]; k < lptr[v + 1]; k++) {
      const Lower o  = lower[k];
      const int   u  = index[o.vertex];
      const Real  wk = w[o.edge];

      if (wk > 0 && u < 0) through(-1 - u, wk);
    }
    for (int k = uptr[v]; k < uptr[v + 1]; k++) {
      const int  u  = index[adj[k]];
      const Real wk = w[k];

      if (!(wk > 0)) continue;
      if (u < 0)
        through(-1 - u, wk);
      else {
        grow(1);
        add(u, wk);
      }
    }
    coarse.excess[i] = ec;
    if (!g.outer.empty()) {
      coarse.outer[i]  = g.outer[v];
      coarse.border[i] = g.border[v];
    }
    coarse.uptr[i++] = first;
  }
  coarse.uptr[nc] = at;
  coarse.adj.resize(at);
  coarse.weight.resize(at);
}

/* Makes the lists of lower neighbours; lptr[j + 2] holds the length of row j */
template <typename Real>
static void Transpose(Graph<Real> &g)
{
  const int *uptr = g.uptr.data(), *adj = g.adj.data();
  int       *next = g.lptr.data() + 1; /* where row j begins; moves on to its end, which is where the next row begins */

  for (int i = 1; i <= g.n; i++) next[i] += next[i - 1];
  g.lower.resize(g.adj.size());
  Lower *lower = g.lower.data();
  for (int i = 0; i < g.n; i++) {
    for (int k = uptr[i]; k < uptr[i + 1]; k++) lower[next[adj[k]]++] = {i, k};
  }
}

template <typename Real>
void Eliminate(const Graph<Real> &g, const Graph<Real> &matrix, const Real weights[], Workspace<Real> &work, Array<int> &index, Level<Real> &level)
{
  index.resize(g.n);
  for (int f = 0; f < g.n - level.nc; f++) index[work.fine[f]] = -1 - f;
  for (int v = 0, c = 0; v < g.n; v++) {
    if (work.colour[v] == COARSE) index[v] = c++;
  }
  for (size_t k = 0; k < level.fcol.size(); k++) level.fcol[k] = index[level.fcol[k]];
  if (level.smooth) SmoothRows(matrix, weights, work, index.data(), level);
  Complement(g, work, index.data(), level);
  Transpose(work.next);
}

#define INSTANTIATE(Real)                                                                                                            \
  template int  Sparsify(Graph<Real> &, const Graph<Real> &, int, const Rules &, const Lattice *, Workspace<Real> &, Level<Real> &); \
  template void Eliminate(const Graph<Real> &, const Graph<Real> &, const Real[], Workspace<Real> &, Array<int> &, Level<Real> &);
INSTANTIATE(float)
INSTANTIATE(double)

} // namespace hsc
} // namespace petlap
