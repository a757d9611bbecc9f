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

void Outside::Fetch(const double mine[], double ghosts[]) const
{
  Communicate(PetscSFBcastBegin(sf, MPI_DOUBLE, mine, ghosts, MPI_REPLACE));
  Communicate(PetscSFBcastEnd(sf, MPI_DOUBLE, mine, ghosts, MPI_REPLACE));
}

void Outside::Return(const double ghosts[], double mine[]) const
{
  Communicate(PetscSFReduceBegin(sf, MPI_DOUBLE, ghosts, mine, MPI_SUM));
  Communicate(PetscSFReduceEnd(sf, MPI_DOUBLE, ghosts, mine, MPI_SUM));
}

double Outside::Most(double value) const
{
  double most = value;

  CommunicateMPI(MPI_Allreduce(&value, &most, 1, MPI_DOUBLE, MPI_MAX, comm));
  return most;
}

void Outside::Sum(int n, double values[]) const
{
  std::vector<double> mine(values, values + n);

  CommunicateMPI(MPI_Allreduce(mine.data(), values, n, MPI_DOUBLE, MPI_SUM, comm));
}

/* The report of the first rank that has something to report, to all of them; returns whether there is one */
template <typename Report>
static bool Agree(const Outside *outside, bool mine, Report &report)
{
  int rank, first;

  if (!outside) return mine;
  CommunicateMPI(MPI_Comm_rank(outside->comm, &rank));
  if (!mine) rank = INT_MAX;
  CommunicateMPI(MPI_Allreduce(&rank, &first, 1, MPI_INT, MPI_MIN, outside->comm));
  if (first == INT_MAX) return false;
  CommunicateMPI(MPI_Bcast(&report, (int)sizeof(report), MPI_BYTE, first, outside->comm));
  return true;
}

Survey Inspect(const Rows &A, double diagonal[], const Outside *outside)
{
  Survey         s;
  uint64_t       hash[4] = {1, 2, 3, 4};
  double         least = std::numeric_limits<double>::infinity(), weakest = least, distance = 0.0, sum = 0.0, dmost = 0.0, lack[2] = {0.0, 0.0}; /* of rows with negative and with positive sums, beside their diagonals */
  PetscInt       nplus = 0, nminus = 0, ndplus = 0, ndminus = 0, naplus = 0, naminus = 0, firstminus = -1, noff = 0;                             /* nd: rows with neighbors, na: without */
  double         known = 0.0;                                                                                                                    /* rows with neighbors */
  const PetscInt start = outside ? outside->start : 0;
  struct {
    Survey::Problem problem;
    PetscInt        row, col;
    PetscReal       value;
  } first = {Survey::NONE, -1, -1, 0.0};

  auto problem = [&](Survey::Problem p, PetscInt row, PetscInt col, double value) {
    if (first.problem != Survey::NONE) return;
    first.problem = p;
    first.row     = row;
    first.col     = col;
    first.value   = (PetscReal)value;
  };
  auto settled = [&] {
    if (!Agree(outside, first.problem != Survey::NONE, first)) return false;
    s.problem = first.problem;
    s.row     = first.row;
    s.col     = first.col;
    s.value   = first.value;
    return true;
  };
  /* One process holds no more than int can number, twice for edges and entries */
  const PetscInt entries = A.ia[A.n] + (outside ? outside->rows.ia[A.n] : 0);
  if (A.n > INT_MAX / 4 || entries > INT_MAX) problem(Survey::TOO_LARGE, A.n, entries, 0.0);
  for (PetscInt i = 0; i < A.n && first.problem != Survey::TOO_LARGE; i++) {
    PetscInt last = -1, alone = 1;
    double   d = 0.0, row = 0.0, lightest = std::numeric_limits<double>::infinity();

    const uint64_t place = (uint64_t)i * 0xa0761d6478bd642full;
    auto           enter = [&](PetscInt k, PetscInt j, double v) {
      hash[k % 4] = (hash[k % 4] ^ (Bits(v) + (uint64_t)j * 0xd6e8feb86659fd93ull + place)) * 0x9e3779b97f4a7c15ull;
      hash[k % 4] ^= hash[k % 4] >> 29;
      if (v == 0.0) return;
      alone = 0;
      nplus += v > 0.0;
      nminus += v < 0.0;
      lightest = std::min(lightest, std::abs(v));
    };
    for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
      const PetscInt j = A.ja[k];
      const double   v = A.a[k];

      if (j <= last || j >= A.n) problem(Survey::UNSORTED, start + i, start + j, v);
      last = j;
      sum += std::abs(v);
      row += v;
      if (j == i) {
        d = v;
        continue;
      }
      enter(k, j, v);
      noff += v != 0.0;
      distance += v != 0.0 ? std::abs((double)(i - j)) : 0.0;
    }
    ForOutside(outside, i, [&](PetscInt k, PetscInt j, double v) {
      sum += std::abs(v);
      row += v;
      enter(k, A.n + j, v);
    });
    diagonal[i] = d;
    if (!alone && d != 0.0) lack[row > 0.0] += std::abs(row / d);
    known += !alone;
    least = std::min(least, lightest);
    if (d != 0.0) weakest = std::min(weakest, lightest / std::abs(d));
    if (alone) {
      naplus += d > 0.0;
      naminus += d < 0.0;
      s.nempty += d == 0.0;
    } else if (d > 0.0) {
      ndplus++;
    } else if (d < 0.0) {
      ndminus++;
      if (firstminus < 0) firstminus = i;
    } else
      problem(Survey::DIAGONAL, start + i, start + i, d);
    s.nalone += alone;
    if (alone && d != 0.0) least = std::min(least, std::abs(d));
    dmost = std::max(dmost, std::abs(d));
  }
  if (!std::isfinite(sum)) {
    first.problem = Survey::NONE;
    for (PetscInt i = 0; i < A.n; i++) {
      for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
        if (!std::isfinite((double)A.a[k])) problem(Survey::NOT_A_NUMBER, start + i, start + A.ja[k], A.a[k]);
      }
      ForOutside(outside, i, [&](PetscInt, PetscInt j, double v) {
        if (!std::isfinite(v)) problem(Survey::NOT_A_NUMBER, start + i, outside->ghost[j], v);
      });
    }
    /* finite, but their sum is not: the scale below takes care of them */
  }
  if (settled()) return s;
  if (outside) {
    double sums[11] = {(double)nplus, (double)nminus, (double)ndplus, (double)ndminus, (double)s.nempty, (double)s.nalone, known, lack[0], lack[1], (double)naplus, (double)naminus}, all[11];
    double mosts[3] = {dmost, -least, -weakest}, both[3];

    CommunicateMPI(MPI_Allreduce(sums, all, 11, MPI_DOUBLE, MPI_SUM, outside->comm));
    CommunicateMPI(MPI_Allreduce(mosts, both, 3, MPI_DOUBLE, MPI_MAX, outside->comm));
    nplus    = (PetscInt)all[0];
    nminus   = (PetscInt)all[1];
    ndplus   = (PetscInt)all[2];
    ndminus  = (PetscInt)all[3];
    s.nempty = (PetscInt)all[4];
    s.nalone = (PetscInt)all[5];
    known    = all[6];
    lack[0]  = all[7];
    lack[1]  = all[8];
    naplus   = (PetscInt)all[9];
    naminus  = (PetscInt)all[10];
    dmost    = both[0];
    least    = -both[1];
    weakest  = -both[2];
  }
  /* Rows of the unit matrix, as Dirichlet conditions leave them, may be beside the negative of a Laplacian */
  s.sign      = ndminus > 0 || ndplus > 0 ? (ndplus == 0 ? -1 : 1) : naminus > 0 && naplus == 0 ? -1 : 1;
  s.nopposite = s.sign > 0 ? naminus : naplus;
  if (s.sign > 0 && ndminus > 0) {
    if (firstminus >= 0) problem(Survey::DIAGONAL, start + firstminus, start + firstminus, diagonal[firstminus]);
    (void)settled();
  }
  s.npositive = s.sign > 0 ? nplus : nminus;
  s.lack      = known > 0.0 ? lack[s.sign < 0] / known : 0.0;
  if (dmost > 0.0) {
    int e;

    frexp(dmost, &e);
    s.scale    = ldexp(1.0, std::min(std::max(-e, -1000), 1000));
    s.smallest = std::isfinite(least) ? least / dmost : 1.0;
  }
  s.weakest  = std::isfinite(weakest) ? weakest : 1.0;
  s.diagonal = diagonal;
  s.distance = noff ? distance / noff : 0.0;
  for (int k = 0; k < 4; k++) s.hash = (s.hash ^ hash[k]) * 0xd1b54a32d192ed03ull + 1;
  return s;
}

/* Entries without a counterpart that are rounding have got weight 0, and leave the graph */
template <typename Real>
static void RemoveDead(Graph<Real> &g)
{
  Array<int> moved(g.adj.size());
  int        m = 0, begin = 0;

  for (int v = 0; v < g.n; v++) {
    const int end = g.uptr[v + 1];

    for (int k = begin; k < end; k++) {
      moved[k] = m;
      if (g.weight[k] == 0) continue;
      g.adj[m]      = g.adj[k];
      g.weight[m++] = g.weight[k];
    }
    begin         = end;
    g.uptr[v + 1] = m;
  }
  g.adj.resize(m);
  g.weight.resize(m);
  for (size_t k = 0; k < g.lower.size(); k++) g.lower[k].edge = moved[g.lower[k].edge];
}

static PetscReal EntryOf(const Rows &A, PetscInt i, PetscInt j)
{
  const PetscInt *end = A.ja + A.ia[i + 1], *at = std::lower_bound(A.ja + A.ia[i], end, j);

  return at < end && *at == j ? A.a[at - A.ja] : 0.0;
}

/* What is known of the rows at both ends of an entry */
struct Ends {
  const double       *diagonal;
  std::vector<double> ghostdiagonal, ghostalone; /* the latter is not read where no row is alone */
  Array<bool>         alone;
  bool                rounding; /* there are entries that may be rounding */
  double              nosum;

  bool Negligible(PetscInt i, PetscInt j, double v) const
  {
    return std::abs(v) <= NEGLIGIBLE * std::min(std::abs(diagonal[i]), std::abs(diagonal[j]));
  }
  bool NegligibleOutside(PetscInt i, PetscInt ghost, double v) const
  {
    return std::abs(v) <= NEGLIGIBLE * std::min(std::abs(diagonal[i]), std::abs(ghostdiagonal[ghost]));
  }
};

/* The rows as far as they are on this rank, and their edges to others */
template <typename Real>
static bool MakeOwnGraph(const Rows &A, const Outside *outside, const Ends &ends, double scale, Graph<Real> &g, std::vector<Coupling> &coupling, Between<Real> &between, Asymmetry &asymmetry)
{
  const Array<bool> &alone  = ends.alone;
  bool               dead   = false;
  const int          n      = (int)A.n;
  const PetscSFNode *remote = nullptr;
  Array<int>         cursor; /* the next entry of a row's upper part that waits for its counterpart */
  int                m = 0, lm = 0;

  if (outside) Communicate(PetscSFGetGraph(outside->sf, nullptr, nullptr, nullptr, &remote));
  g.n = n;
  g.uptr.resize(n + 1);
  g.lptr.resize(n + 1);
  g.excess.resize(n);
  cursor.resize(n);
  const size_t most = (size_t)A.ia[n] / 2 + 1; /* edges of a symmetric matrix, which the others may exceed until they are found out */
  g.adj.resize(most);
  g.weight.resize(most);
  g.lower.resize(most);
  for (int i = 0; i < n; i++) {
    double sum = 0.0, size = 0.0;

    g.uptr[i] = cursor[i] = m;
    g.lptr[i]             = lm;
    for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
      const int j = (int)A.ja[k];
      double    v = A.a[k] * scale;

      size += std::abs(v);
      if (ends.rounding && j != i && ends.Negligible(i, j, A.a[k])) {
        sum += v;
        continue;
      }
      if (j == i && v < 0.0 && alone.size() && alone[i]) {
        coupling.push_back({i, i, 2 * A.a[k]});
        v = -v;
      }
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
        /* An entry that waits and was passed over has no counterpart, which counts unless it is rounding */
        while (cursor[j] < g.uptr[j + 1] && g.adj[cursor[j]] < i && ends.Negligible(j, g.adj[cursor[j]], 0.25 * g.weight[cursor[j]] / scale)) {
          g.weight[cursor[j]++] = 0;
          dead                  = true;
        }
        const int  c    = cursor[j];
        const bool have = c < g.uptr[j + 1] && g.adj[c] == i;

        if (!have && ends.Negligible(i, j, 0.25 * A.a[k])) continue;
        cursor[j]++;
        if (!have) {
          asymmetry.pattern = true;
          asymmetry.row     = i;
          asymmetry.col     = j;
          asymmetry.value   = A.a[k];
          /* The entry that waits comes first where it has been passed over */
          if (c < g.uptr[j + 1] && g.adj[c] < i) {
            asymmetry.row   = j;
            asymmetry.col   = g.adj[c];
            asymmetry.value = EntryOf(A, j, g.adj[c]);
          }
          return false;
        }
        const double w = g.weight[c];
        if (std::abs(w + v) > 1e-7 * (std::abs(w) + std::abs(v)) && !ends.Negligible(i, j, (w + v) / scale)) {
          /* single precision cannot tell more than this */
          asymmetry.row   = i;
          asymmetry.col   = j;
          asymmetry.value = A.a[k];
          asymmetry.other = EntryOf(A, j, i);
          return false;
        }
        if ((size_t)lm >= g.lower.size()) g.lower.resize(2 * g.lower.size());
        g.lower[lm++] = {j, c};
      }
    }
    ForOutside(outside, i, [&](PetscInt, PetscInt j, PetscReal a) {
      const double v = a * scale;

      size += std::abs(v);
      if (v == 0.0) return;
      if (ends.rounding && ends.NegligibleOutside(i, j, a)) {
        sum += v;
        return;
      }
      if (alone.size() && ends.ghostalone[j] != 0.0) {
        between.coupling.push_back({i, j, a});
        return;
      }
      sum += v;
      between.edge.push_back({i, {(int)remote[j].rank, (int)remote[j].index}, (Real)-v, (Real)-v, ends.ghostdiagonal[j]});
    });
    g.uptr[i + 1] = m;
    g.excess[i]   = std::abs(sum) <= ends.nosum * size ? 0 : (Real)sum;
  }
  g.lptr[n] = lm;
  for (int j = 0; j < n; j++) {
    while (cursor[j] < g.uptr[j + 1] && ends.Negligible(j, g.adj[cursor[j]], 0.25 * g.weight[cursor[j]] / scale)) {
      g.weight[cursor[j]++] = 0;
      dead                  = true;
    }
    if (cursor[j] == g.uptr[j + 1]) continue;
    asymmetry.pattern = true;
    asymmetry.row     = j;
    asymmetry.col     = g.adj[cursor[j]];
    asymmetry.value   = EntryOf(A, j, g.adj[cursor[j]]);
    return false;
  }
  g.adj.resize(m);
  g.weight.resize(m);
  g.lower.resize(lm);
  if (dead) RemoveDead(g);
  return true;
}

/* Every edge between ranks is known to both, with the same weight: each sends what it knows to the other, in the order of the other's rows. What is known to one and is rounding goes. */
template <typename Real>
static bool CheckBetween(const Outside *outside, const Ends &ends, double scale, std::vector<OuterEdge<Real>> &edge, Asymmetry &asymmetry)
{
  struct Known {
    int    theirs, mine; /* rows of the receiver and of the sender */
    Real   weight;
    double diagonal; /* of the sender's row */
  };
  std::vector<int>         order = SortEdges(edge, true); /* by rank, and there by row */
  std::vector<Known>       known(edge.size());
  std::vector<PetscMPIInt> to;
  std::vector<PetscInt>    begin;
  PetscMPIInt              nfrom, *from;
  PetscInt                *lengths;
  bool                     good = true;
  const PetscInt          *ranges;
  PetscLayout              layout;

  for (size_t k = 0; k < order.size(); k++) {
    const OuterEdge<Real> &e = edge[order[k]];

    if (to.empty() || to.back() != e.other.rank) {
      to.push_back(e.other.rank);
      begin.push_back((PetscInt)k);
    }
    known[k] = {e.other.vertex, e.vertex, e.weight, std::abs(ends.diagonal[e.vertex] * scale)};
  }
  begin.push_back((PetscInt)order.size());
  std::vector<PetscInt> length(to.size());
  for (size_t q = 0; q < to.size(); q++) length[q] = begin[q + 1] - begin[q];
  Communicate(PetscCommBuildTwoSided(outside->comm, 1, MPIU_INT, (PetscMPIInt)to.size(), to.data(), length.data(), &nfrom, &from, &lengths));
  std::vector<std::vector<Known>> theirs(nfrom);
  std::vector<MPI_Request>        request(nfrom + to.size());
  MPI_Comm                        comm;
  PetscMPIInt                     tag;
  Communicate(PetscCommDuplicate(outside->comm, &comm, &tag));
  for (int q = 0; q < nfrom; q++) {
    theirs[q].resize(lengths[q]);
    CommunicateMPI(MPI_Irecv(theirs[q].data(), (int)(lengths[q] * sizeof(Known)), MPI_BYTE, from[q], tag, comm, &request[q]));
  }
  for (size_t q = 0; q < to.size(); q++) CommunicateMPI(MPI_Isend(known.data() + begin[q], (int)(length[q] * sizeof(Known)), MPI_BYTE, to[q], tag, comm, &request[nfrom + q]));
  CommunicateMPI(MPI_Waitall((int)request.size(), request.data(), MPI_STATUSES_IGNORE));
  Communicate(PetscCommDestroy(&comm));
  Communicate(PetscLayoutCreate(outside->comm, &layout));
  Communicate(PetscLayoutSetLocalSize(layout, outside->rows.n));
  Communicate(PetscLayoutSetUp(layout));
  Communicate(PetscLayoutGetRanges(layout, &ranges));

  bool dead       = false;
  auto negligible = [&](double weight, int vertex, double theirs) { return 0.25 * std::abs(weight) <= NEGLIGIBLE * std::min(std::abs(ends.diagonal[vertex] * scale), theirs); };
  auto report     = [&](bool pattern, PetscInt row, PetscInt col, Real mine, Real other) {
    good              = false;
    asymmetry.pattern = pattern;
    asymmetry.row     = row;
    asymmetry.col     = col;
    asymmetry.value   = (PetscReal)(-mine / scale);
    asymmetry.other   = (PetscReal)(-other / scale);
  };
  /* mine, sorted by rank, own row, and row of the other: what the other rank sends comes in the same order */
  order = SortEdges(edge, false);
  for (size_t q = 0; good && q < to.size(); q++) {
    const PetscInt            other = ranges[to[q]], start = outside->start;
    const std::vector<Known> *list = nullptr;
    size_t                    at   = 0;

    for (int k = 0; k < nfrom; k++) {
      if (from[k] == to[q]) list = &theirs[k];
    }
    /* What only one of both knows counts unless it is rounding */
    auto extra = [&](const Known &o) {
      if (!negligible(o.weight, o.theirs, o.diagonal)) report(true, other + o.mine, start + o.theirs, o.weight, 0);
    };
    auto before = [](const Known &o, const OuterEdge<Real> &e) { return o.theirs != e.vertex ? o.theirs < e.vertex : o.mine < e.other.vertex; };
    for (PetscInt k = begin[q]; good && k < begin[q + 1]; k++) {
      OuterEdge<Real> &e = edge[order[k]];

      for (; good && list && at < list->size() && before((*list)[at], e); at++) extra((*list)[at]);
      if (!good) break;
      if (list && at < list->size() && (*list)[at].theirs == e.vertex && (*list)[at].mine == e.other.vertex) {
        const Real w = (*list)[at].weight;

        if (std::abs(w - e.weight) > 1e-7 * (std::abs(w) + std::abs(e.weight)) && !negligible(w - e.weight, e.vertex, (*list)[at].diagonal)) report(false, start + e.vertex, other + e.other.vertex, e.weight, w);
        at++;
      } else if (negligible(e.weight, e.vertex, std::abs(e.diagonal * scale))) {
        e.weight = 0;
        dead     = true;
      } else
        report(true, start + e.vertex, other + e.other.vertex, e.weight, 0);
    }
    for (; good && list && at < list->size(); at++) extra((*list)[at]);
  }
  for (int k = 0; good && k < nfrom; k++) {
    if (std::binary_search(to.begin(), to.end(), from[k])) continue;
    for (const Known &o : theirs[k]) {
      if (good && !negligible(o.weight, o.theirs, o.diagonal)) report(true, ranges[from[k]] + o.mine, outside->start + o.theirs, o.weight, 0);
    }
  }
  Communicate(PetscLayoutDestroy(&layout));
  Communicate(PetscFree(from));
  Communicate(PetscFree(lengths));
  if (dead) edge.erase(std::remove_if(edge.begin(), edge.end(), [](const OuterEdge<Real> &e) { return e.weight == 0; }), edge.end());
  return good;
}

template <typename Real>
bool MakeGraph(const Rows &A, const Outside *outside, const Survey &survey, Graph<Real> &g, std::vector<Coupling> &coupling, Between<Real> &between, Asymmetry &asymmetry)
{
  const int    n     = (int)A.n;
  const double scale = survey.scale * survey.sign;
  Ends         ends;
  bool         good;

  coupling.clear();
  between.edge.clear();
  between.coupling.clear();
  ends.diagonal = survey.diagonal;
  ends.rounding = survey.weakest <= NEGLIGIBLE;
  ends.nosum    = survey.nosum;
  if (outside) {
    ends.ghostdiagonal.resize(outside->nghost);
    outside->Fetch(survey.diagonal, ends.ghostdiagonal.data());
  }
  if (survey.nalone || ends.rounding) {
    ends.alone.resize(n);
    for (int i = 0; i < n; i++) {
      bool others = false;

      for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) others |= A.ja[k] != i && A.a[k] != 0.0 && !(ends.rounding && ends.Negligible(i, A.ja[k], A.a[k]));
      ForOutside(outside, i, [&](PetscInt, PetscInt j, PetscReal a) { others |= a != 0.0 && !(ends.rounding && ends.NegligibleOutside(i, j, a)); });
      ends.alone[i] = survey.diagonal[i] != 0.0 && !others;
    }
    if (outside) {
      std::vector<double> mine(ends.alone.data(), ends.alone.data() + n);

      ends.ghostalone.resize(outside->nghost);
      outside->Fetch(mine.data(), ends.ghostalone.data());
    }
  }
  good = MakeOwnGraph(A, outside, ends, scale, g, coupling, between, asymmetry);
  if (!outside) return good;
  if (!good) {
    asymmetry.row += outside->start;
    asymmetry.col += outside->start;
  }
  if (Agree(outside, !good, asymmetry)) return false;
  good = CheckBetween(outside, ends, scale, between.edge, asymmetry);
  return !Agree(outside, !good, asymmetry);
}

PetscInt CountBetweenComponents(const Rows &A, const Outside *outside, const Survey &survey, PetscInt bs)
{
  const PetscInt start = outside ? outside->start : 0;
  double         count = 0.0;

  for (PetscInt i = 0; i < A.n; i++) {
    auto look = [&](PetscInt j, double v) { count += (start + i) % bs != j % bs && survey.sign * v > NEGLIGIBLE * std::abs(survey.diagonal[i]); };

    for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) look(start + A.ja[k], A.a[k]);
    ForOutside(outside, i, [&](PetscInt, PetscInt j, PetscReal v) { look(outside->ghost[j], v); });
  }
  if (outside) outside->Sum(1, &count);
  return (PetscInt)count;
}

bool IsRowScaled(const Rows &A, double *spread)
{
  const double          tolerance = 1e-8;
  std::vector<double>   d((size_t)A.n, 0.0);
  std::vector<PetscInt> queue;

  *spread = 1.0;
  for (PetscInt start = 0; start < A.n; start++) {
    double least = 1.0, most = 1.0;

    if (d[start] != 0.0) continue;
    d[start] = 1.0;
    queue.assign(1, start);
    for (size_t head = 0; head < queue.size(); head++) {
      const PetscInt i = queue[head];

      for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
        const PetscInt j    = A.ja[k];
        const double   mine = d[i] * A.a[k], other = EntryOf(A, j, i);

        if (j == i || A.a[k] == 0.0) continue;
        if (!(mine * other > 0.0)) return false;
        if (d[j] == 0.0) {
          d[j]  = mine / other;
          least = std::min(least, d[j]);
          most  = std::max(most, d[j]);
          queue.push_back(j);
        } else if (!(std::abs(mine - d[j] * other) <= tolerance * std::abs(mine)))
          return false;
      }
    }
    *spread = std::max(*spread, most / least);
  }
  return true;
}

/*
  What an edge of negative weight takes from the triangles around it. A rank sees the triangles of which two vertices are its own. Weights between
  ranks change by what both ends find.
*/
template <typename Real>
static void Compensate(const Graph<Real> &g, MPI_Comm comm, const std::vector<OuterEdge<Real>> &outer, Array<Real> &w, std::vector<double> &change)
{
  const int           n = g.n, m = (int)g.weight.size(), nouter = (int)outer.size();
  Array<int>          ghost;
  const int           nghost = (int)FindGhosts(outer, ghost).size();
  Array<int>          mark, begin, around, next; /* edges of a ghost: around[next[x]], ... */
  std::vector<double> common(nouter, 0.0), theirs(nouter, 0.0);

  mark.assign(n + nghost, -1);
  begin.assign(n + 1, 0);
  next.assign(nghost + 1, 0);
  around.resize(nouter);
  for (int k = 0; k < nouter; k++) {
    begin[outer[k].vertex + 1]++;
    next[ghost[k] + 1]++;
  }
  for (int v = 0; v < n; v++) begin[v + 1] += begin[v];
  for (int x = 0; x < nghost; x++) next[x + 1] += next[x];
  std::vector<int> cursor(next.data(), next.data() + nghost);
  for (int k = 0; k < nouter; k++) around[cursor[ghost[k]]++] = k;
  /* (vertex, edge): ghosts and their edges are counted behind the rank's own */
  auto neighbours = [&](int x, auto &&visit) {
    for (int k = g.lptr[x]; k < g.lptr[x + 1]; k++) visit(g.lower[k].vertex, g.lower[k].edge);
    for (int k = g.uptr[x]; k < g.uptr[x + 1]; k++) visit(g.adj[k], k);
    for (int k = begin[x]; k < begin[x + 1]; k++) visit(n + ghost[k], m + k);
  };
  auto others = [&](int k, auto &&visit) { /* of the ghost at the end of an edge */
                                           for (int q = next[ghost[k]]; q < next[ghost[k] + 1]; q++) {
                                             if (around[q] != k) visit(outer[around[q]].vertex, m + around[q]);
                                           }
  };
  auto positive = [&](int e) { return e < m ? w[e] > 0 : outer[e - m].weight > 0; };
  auto lessen   = [&](int e, Real part) {
    if (e < m)
      w[e] = std::max((Real)(0.1 * w[e]), w[e] + part);
    else
      change[e - m] += part;
  };

  if (nouter) {
    for (int v = 0; v < n; v++) {
      for (int k = begin[v]; k < begin[v + 1]; k++) {
        if (!(outer[k].weight < 0)) continue;
        neighbours(v, [&](int t, int e) { mark[t] = e; });
        others(k, [&](int t, int e) { common[k] += mark[t] >= 0 && positive(e) && positive(mark[t]); });
        neighbours(v, [&](int t, int) { mark[t] = -1; });
      }
    }
    Exchange(comm, outer, common.data(), theirs.data());
  }
  for (int v = 0; v < n; v++) {
    bool marked = false;
    auto touch  = [&] {
      if (!marked) neighbours(v, [&](int t, int e) { mark[t] = e; });
      marked = true;
    };

    for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
      const int u       = g.adj[k];
      int       ncommon = 0;

      if (!(g.weight[k] < 0)) continue;
      touch();
      neighbours(u, [&](int t, int e) { ncommon += mark[t] >= 0 && positive(e) && positive(mark[t]); });
      if (!ncommon) continue;
      const Real part = g.weight[k] / ncommon;
      neighbours(u, [&](int t, int e) {
        if (!(mark[t] >= 0 && positive(e) && positive(mark[t]))) return;
        lessen(e, part);
        lessen(mark[t], part);
      });
    }
    for (int k = begin[v]; k < begin[v + 1]; k++) {
      if (!(outer[k].weight < 0) || common[k] + theirs[k] == 0.0) continue;
      const Real part = (Real)(outer[k].weight / (common[k] + theirs[k]));

      touch();
      others(k, [&](int t, int e) {
        if (!(mark[t] >= 0 && positive(e) && positive(mark[t]))) return;
        lessen(e, part);
        lessen(mark[t], part);
      });
    }
    if (marked) neighbours(v, [&](int t, int) { mark[t] = -1; });
  }
  if (nouter) {
    Exchange(comm, outer, change.data(), theirs.data());
    for (int k = 0; k < nouter; k++) change[k] += theirs[k];
  }
}

template <typename Real>
void RemoveNegative(const Graph<Real> &g, Positive rule, Graph<Real> &out, MPI_Comm comm, std::vector<OuterEdge<Real>> &outer)
{
  const int           n = g.n;
  Array<Real>         w;
  std::vector<double> change(outer.size(), 0.0);
  int                 m = 0;

  w.resize(g.weight.size());
  Copy(w.data(), g.weight.data(), g.weight.size());
  out.n = n;
  out.uptr.resize(n + 1);
  out.excess.resize(n);
  Copy(out.excess.data(), g.excess.data(), n);
  if (rule == POSITIVE_LUMP) {
    /* the diagonal stays as it is */
    for (int v = 0; v < n; v++) {
      for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
        if (!(g.weight[k] < 0)) continue;
        out.excess[v] += g.weight[k];
        out.excess[g.adj[k]] += g.weight[k];
      }
    }
    for (const OuterEdge<Real> &e : outer) {
      if (e.weight < 0) out.excess[e.vertex] += e.weight;
    }
  } else if (rule == POSITIVE_COMPENSATE)
    Compensate(g, comm, outer, w, change);
  for (size_t k = 0; k < outer.size(); k++) outer[k].weight = outer[k].weight > 0 ? std::max((Real)(0.1 * outer[k].weight), (Real)(outer[k].weight + change[k])) : 0;
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
  FillLower(out);
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
  FillLower(out);
}

#define INSTANTIATE(Real)                                                                                                                       \
  template bool MakeGraph(const Rows &, const Outside *, const Survey &, Graph<Real> &, std::vector<Coupling> &, Between<Real> &, Asymmetry &); \
  template void RemoveNegative(const Graph<Real> &, Positive, Graph<Real> &, MPI_Comm, std::vector<OuterEdge<Real>> &);                         \
  template void BreadthFirst(const Graph<Real> &, Array<int> &);                                                                                \
  template void Renumber(const Graph<Real> &, const Array<int> &, Graph<Real> &);
INSTANTIATE(float)
INSTANTIATE(double)

} // namespace hsc
} // namespace petlap
