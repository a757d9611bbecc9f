/*
  From a matrix to a graph: signs, scale, symmetry, positive off-diagonal entries, numbering.
*/
#include "pc/hsc/laplacian.h"
#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace petlap {
namespace hsc {

static inline uint64_t Bits(double v)
{
  uint64_t u;

  memcpy(&u, &v, sizeof(u));
  return u;
}

Survey Inspect(const Rows &A, double diagonal[])
{
  Survey   s;
  uint64_t hash[4] = {1, 2, 3, 4};
  double   most = 0.0, least = std::numeric_limits<double>::infinity(), distance = 0.0, sum = 0.0, dmost = 0.0, total = 0.0, lack[2] = {0.0, 0.0}; /* of rows with negative and with positive sums */
  PetscInt nplus = 0, nminus = 0, ndplus = 0, ndminus = 0, firstplus = -1, firstminus = -1, noff = 0;

  auto problem = [&](Survey::Problem p, PetscInt row, PetscInt col, double value) {
    if (s.problem != Survey::NONE) return;
    s.problem = p;
    s.row     = row;
    s.col     = col;
    s.value   = (PetscReal)value;
  };
  /* One process holds no more than int can number, twice for edges and entries */
  if (A.n > INT_MAX / 4 || A.ia[A.n] > INT_MAX) {
    problem(Survey::TOO_LARGE, A.n, A.ia[A.n], 0.0);
    return s;
  }
  for (PetscInt i = 0; i < A.n; i++) {
    PetscInt last = -1, alone = 1;
    double   d = 0.0, row = 0.0;

    const uint64_t place = (uint64_t)i * 0xa0761d6478bd642full;
    for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
      const PetscInt j = A.ja[k];
      const double   v = A.a[k];

      if (j <= last || j >= A.n) problem(Survey::UNSORTED, i, j, v);
      last = j;
      sum += std::abs(v);
      row += v;
      if (j == i) {
        d = v;
        continue;
      }
      hash[k % 4] = (hash[k % 4] ^ (Bits(v) + (uint64_t)j * 0xd6e8feb86659fd93ull + place)) * 0x9e3779b97f4a7c15ull;
      hash[k % 4] ^= hash[k % 4] >> 29;
      if (v == 0.0) continue;
      alone = 0;
      nplus += v > 0.0;
      nminus += v < 0.0;
      noff++;
      distance += std::abs((double)(i - j));
      most  = std::max(most, std::abs(v));
      least = std::min(least, std::abs(v));
    }
    diagonal[i] = d;
    total += std::abs(d);
    lack[row > 0.0] += std::abs(row);
    if (d > 0.0) {
      ndplus++;
      if (firstplus < 0) firstplus = i;
    } else if (d < 0.0) {
      ndminus++;
      if (firstminus < 0) firstminus = i;
    } else if (alone)
      s.nempty++;
    else
      problem(Survey::DIAGONAL, i, i, d);
    s.nalone += alone;
    if (alone && d != 0.0) least = std::min(least, std::abs(d));
    dmost = std::max(dmost, std::abs(d));
  }
  if (!std::isfinite(sum)) {
    s.problem = Survey::NONE;
    for (PetscInt i = 0; i < A.n; i++) {
      for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
        if (!std::isfinite((double)A.a[k])) problem(Survey::NOT_A_NUMBER, i, A.ja[k], A.a[k]);
      }
    }
    /* finite, but their sum is not: the scale below takes care of them */
  }
  if (s.problem != Survey::NONE) return s;
  s.sign = ndminus > 0 && ndplus == 0 ? -1 : 1;
  if (s.sign > 0 && ndminus > 0) problem(Survey::DIAGONAL, firstminus, firstminus, diagonal[firstminus]);
  s.npositive = s.sign > 0 ? nplus : nminus;
  s.lack      = total > 0.0 ? lack[s.sign < 0] / total : 0.0;
  if (dmost > 0.0) {
    int e;

    frexp(dmost, &e);
    s.scale    = ldexp(1.0, std::min(std::max(-e, -1000), 1000));
    s.smallest = std::isfinite(least) ? least / dmost : 1.0;
  }
  s.distance = noff ? distance / noff : 0.0;
  for (int k = 0; k < 4; k++) s.hash = (s.hash ^ hash[k]) * 0xd1b54a32d192ed03ull + 1;
  return s;
}

template <typename Real>
bool MakeGraph(const Rows &A, const Survey &survey, Graph<Real> &g, std::vector<Coupling> &coupling, Asymmetry &asymmetry)
{
  const int    n     = (int)A.n;
  const double scale = survey.scale * survey.sign;
  Array<bool>  alone;
  Array<int>   cursor; /* the next entry of a row's upper part that waits for its counterpart */
  int          m = 0, lm = 0;

  coupling.clear();
  g.n = n;
  g.uptr.resize(n + 1);
  g.lptr.resize(n + 1);
  g.excess.resize(n);
  cursor.resize(n);
  if (survey.nalone) {
    alone.resize(n);
    for (int i = 0; i < n; i++) {
      bool diagonal = false, others = false;

      for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) (A.ja[k] == i ? diagonal : others) |= A.a[k] != 0.0;
      alone[i] = diagonal && !others;
    }
  }
  const size_t most = (size_t)A.ia[n] / 2 + 1; /* edges of a symmetric matrix, which the others may exceed until they are found out */
  g.adj.resize(most);
  g.weight.resize(most);
  g.lower.resize(most);
  for (int i = 0; i < n; i++) {
    double sum = 0.0, size = 0.0;

    g.uptr[i] = cursor[i] = m;
    g.lptr[i]             = lm;
    for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
      const int    j = (int)A.ja[k];
      const double v = A.a[k] * scale;

      size += std::abs(v);
      /* What goes to the right-hand side leaves its part of the diagonal behind */
      if (j != i && A.a[k] != 0.0 && alone.size() && alone[j]) {
        coupling.push_back({i, j, A.a[k]});
        continue;
      }
      sum += v;
      if (j == i || A.a[k] == 0.0) continue;
      if (j > i) {
        if ((size_t)m >= g.adj.size()) {
          g.adj.resize(2 * g.adj.size());
          g.weight.resize(g.adj.size());
        }
        g.adj[m]      = j;
        g.weight[m++] = (Real)-v;
      } else {
        const int  c    = cursor[j]++;
        const bool have = c < g.uptr[j + 1] && g.adj[c] == i;

        if (!have) {
          asymmetry.pattern = true;
          asymmetry.row     = i;
          asymmetry.col     = j;
          asymmetry.value   = A.a[k];
          /* The entry that waits comes first where it has been passed over */
          if (c < g.uptr[j + 1] && g.adj[c] < i) {
            asymmetry.row   = j;
            asymmetry.col   = g.adj[c];
            asymmetry.value = (PetscReal)(-g.weight[c] / scale);
          }
          return false;
        }
        const double w = g.weight[c];
        if (std::abs(w + v) > 1e-7 * (std::abs(w) + std::abs(v))) {
          /* single precision cannot tell more than this; look at the values themselves */
          asymmetry.row   = i;
          asymmetry.col   = j;
          asymmetry.value = A.a[k];
          asymmetry.other = (PetscReal)(-w / scale);
          return false;
        }
        if ((size_t)lm >= g.lower.size()) g.lower.resize(2 * g.lower.size());
        g.lower[lm++] = {j, c};
      }
    }
    g.uptr[i + 1] = m;
    g.excess[i]   = std::abs(sum) <= 32 * std::numeric_limits<double>::epsilon() * size ? 0 : (Real)sum;
  }
  g.lptr[n] = lm;
  for (int j = 0; j < n; j++) {
    if (cursor[j] == g.uptr[j + 1]) continue;
    asymmetry.pattern = true;
    asymmetry.row     = j;
    asymmetry.col     = g.adj[cursor[j]];
    asymmetry.value   = (PetscReal)(-g.weight[cursor[j]] / scale);
    return false;
  }
  g.adj.resize(m);
  g.weight.resize(m);
  g.lower.resize(lm);
  return true;
}

/* Lists of lower neighbours from those of upper ones */
template <typename Real>
static void Transpose(Graph<Real> &g)
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

template <typename Real>
void RemoveNegative(const Graph<Real> &g, Positive rule, Graph<Real> &out)
{
  const int   n = g.n;
  Array<Real> w;
  Array<int>  mark;
  int         m = 0;

  w.resize(g.weight.size());
  Copy(w.data(), g.weight.data(), g.weight.size());
  out.n = n;
  out.uptr.resize(n + 1);
  out.excess.resize(n);
  Copy(out.excess.data(), g.excess.data(), n);
  mark.assign(n, -1);
  for (int v = 0; v < n; v++) {
    auto neighbours = [&](int x, auto &&visit) {
      for (int k = g.lptr[x]; k < g.lptr[x + 1]; k++) visit(g.lower[k].vertex, g.lower[k].edge);
      for (int k = g.uptr[x]; k < g.uptr[x + 1]; k++) visit(g.adj[k], k);
    };

    bool marked = false;
    for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
      const int u = g.adj[k];

      if (!(g.weight[k] < 0)) continue;
      if (rule == POSITIVE_LUMP) {
        /* the diagonal stays as it is */
        out.excess[v] += g.weight[k];
        out.excess[u] += g.weight[k];
      } else if (rule == POSITIVE_COMPENSATE) {
        int ncommon = 0;

        if (!marked) neighbours(v, [&](int t, int e) { mark[t] = e; });
        marked = true;
        neighbours(u, [&](int t, int e) { ncommon += mark[t] >= 0 && w[e] > 0 && w[mark[t]] > 0; });
        if (!ncommon) continue;
        const Real part = g.weight[k] / ncommon;
        neighbours(u, [&](int t, int e) {
          if (!(mark[t] >= 0 && w[e] > 0 && w[mark[t]] > 0)) return;
          w[e]       = std::max((Real)(0.1 * w[e]), w[e] + part);
          w[mark[t]] = std::max((Real)(0.1 * w[mark[t]]), w[mark[t]] + part);
        });
      }
    }
    if (marked) neighbours(v, [&](int t, int) { mark[t] = -1; });
  }
  out.adj.resize(g.adj.size());
  out.weight.resize(g.adj.size());
  for (int v = 0; v < n; v++) {
    out.uptr[v] = m;
    for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
      if (!(g.weight[k] > 0)) continue;
      out.adj[m]      = g.adj[k];
      out.weight[m++] = w[k];
    }
  }
  out.uptr[n] = m;
  out.adj.resize(m);
  out.weight.resize(m);
  Transpose(out);
}

template <typename Real>
void BreadthFirst(const Graph<Real> &g, Array<int> &number)
{
  Array<int> queue(g.n);
  int        head = 0, tail = 0;

  number.assign(g.n, -1);
  for (int start = 0; start < g.n; start++) {
    if (number[start] >= 0) continue;
    number[start] = tail;
    queue[tail++] = start;
    while (head < tail) {
      const int v = queue[head++];

      for (int k = g.lptr[v]; k < g.lptr[v + 1]; k++) {
        const int u = g.lower[k].vertex;

        if (number[u] >= 0) continue;
        number[u]     = tail;
        queue[tail++] = u;
      }
      for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
        const int u = g.adj[k];

        if (number[u] >= 0) continue;
        number[u]     = tail;
        queue[tail++] = u;
      }
    }
  }
}

template <typename Real>
void Renumber(const Graph<Real> &g, const Array<int> &number, Graph<Real> &out)
{
  Array<int> next(g.n);

  out.n = g.n;
  out.uptr.assign(g.n + 1, 0);
  out.excess.resize(g.n);
  out.adj.resize(g.adj.size());
  out.weight.resize(g.adj.size());
  for (int v = 0; v < g.n; v++) {
    out.excess[number[v]] = g.excess[v];
    for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) out.uptr[std::min(number[v], number[g.adj[k]]) + 1]++;
  }
  for (int v = 0; v < g.n; v++) {
    out.uptr[v + 1] += out.uptr[v];
    next[v] = out.uptr[v];
  }
  for (int v = 0; v < g.n; v++) {
    for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
      const int a = number[v], b = number[g.adj[k]], at = next[std::min(a, b)]++;

      out.adj[at]    = std::max(a, b);
      out.weight[at] = g.weight[k];
    }
  }
  Transpose(out);
}

#define INSTANTIATE(Real)                                                                                     \
  template bool MakeGraph(const Rows &, const Survey &, Graph<Real> &, std::vector<Coupling> &, Asymmetry &); \
  template void RemoveNegative(const Graph<Real> &, Positive, Graph<Real> &);                                 \
  template void BreadthFirst(const Graph<Real> &, Array<int> &);                                              \
  template void Renumber(const Graph<Real> &, const Array<int> &, Graph<Real> &);
INSTANTIATE(float)
INSTANTIATE(double)

} // namespace hsc
} // namespace petlap
