/*
  Exchange between the ranks of a level, and levels that move to fewer ranks.
*/
#include "pc/hsc/ranks.h"
#include <algorithm>
#include <climits>
#include <map>

namespace petlap {
namespace hsc {

static int RankOf(MPI_Comm comm)
{
  int rank = 0;

  CommunicateMPI(MPI_Comm_rank(comm, &rank));
  return rank;
}

static int SizeOf(MPI_Comm comm)
{
  int size = 1;

  CommunicateMPI(MPI_Comm_size(comm, &size));
  return size;
}

template <typename Real>
std::vector<int> SortEdges(const std::vector<OuterEdge<Real>> &edge, bool theirs)
{
  std::vector<int> order(edge.size());

  for (size_t k = 0; k < edge.size(); k++) order[k] = (int)k;
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    const Remote &x = edge[a].other, &y = edge[b].other;
    const int     v = edge[a].vertex, w = edge[b].vertex;

    if (x.rank != y.rank) return x.rank < y.rank;
    if (theirs) return x.vertex != y.vertex ? x.vertex < y.vertex : v < w;
    return v != w ? v < w : x.vertex < y.vertex;
  });
  return order;
}

template <typename Real>
std::vector<Remote> FindGhosts(const std::vector<OuterEdge<Real>> &edge, Array<int> &index)
{
  std::vector<Remote> ghost;

  index.resize(edge.size());
  for (int k : SortEdges(edge, true)) {
    const Remote &other = edge[k].other;

    if (ghost.empty() || ghost.back().rank != other.rank || ghost.back().vertex != other.vertex) ghost.push_back(other);
    index[k] = (int)ghost.size() - 1;
  }
  return ghost;
}

template <typename Real>
void Exchange(MPI_Comm comm, const std::vector<OuterEdge<Real>> &edge, const double mine[], double theirs[])
{
  const size_t             n    = edge.size();
  const std::vector<int>   send = SortEdges(edge, true), receive = SortEdges(edge, false); /* in the order that the receiver's edges have, which both know */
  std::vector<double>      out(n), in(n);
  std::vector<MPI_Request> request;
  MPI_Comm                 inner;
  PetscMPIInt              tag;

  for (size_t k = 0; k < n; k++) out[k] = mine[send[k]];
  Communicate(PetscCommDuplicate(comm, &inner, &tag));
  for (size_t begin = 0; begin < n;) {
    const int rank = edge[send[begin]].other.rank;
    size_t    end  = begin;

    while (end < n && edge[send[end]].other.rank == rank) end++;
    request.resize(request.size() + 2);
    CommunicateMPI(MPI_Irecv(in.data() + begin, (int)(end - begin), MPI_DOUBLE, rank, tag, inner, &request[request.size() - 2]));
    CommunicateMPI(MPI_Isend(out.data() + begin, (int)(end - begin), MPI_DOUBLE, rank, tag, inner, &request[request.size() - 1]));
    begin = end;
  }
  if (!request.empty()) CommunicateMPI(MPI_Waitall((int)request.size(), request.data(), MPI_STATUSES_IGNORE));
  Communicate(PetscCommDestroy(&inner));
  for (size_t k = 0; k < n; k++) theirs[receive[k]] = in[k];
}

/* Leaves are ghosts in their order, roots the n things of each rank that Remote::vertex counts */
static PetscSF MakeForest(MPI_Comm comm, int n, const std::vector<Remote> &ghost)
{
  PetscSF      sf;
  PetscSFNode *remote;

  Communicate(PetscSFCreate(comm, &sf));
  Communicate(PetscMalloc1(ghost.size(), &remote));
  for (size_t k = 0; k < ghost.size(); k++) {
    remote[k].rank  = ghost[k].rank;
    remote[k].index = ghost[k].vertex;
  }
  Communicate(PetscSFSetGraph(sf, n, (PetscInt)ghost.size(), nullptr, PETSC_OWN_POINTER, remote, PETSC_OWN_POINTER));
  Communicate(PetscSFSetUp(sf));
  return sf;
}

template <typename T>
static void Fetch(PetscSF sf, MPI_Datatype type, const T roots[], T leaves[])
{
  Communicate(PetscSFBcastBegin(sf, type, roots, leaves, MPI_REPLACE));
  Communicate(PetscSFBcastEnd(sf, type, roots, leaves, MPI_REPLACE));
}

template <typename Real>
Ranks<Real>::Ranks(MPI_Comm comm, bool o, Graph<Real> &g, Graph<Real> *matrix, const std::vector<OuterEdge<Real>> &edge) : communicator(comm), own(o), rank(RankOf(comm)), nranks(SizeOf(comm))
{
  std::vector<int> number(g.n, -1);
  Array<int>       theirs;
  int              nb = 0;

  for (Graph<Real> *h : {&g, matrix}) {
    if (!h) continue;
    h->outer.assign(g.n, 0);
    h->border.assign(g.n, false);
  }
  for (const OuterEdge<Real> &e : edge) {
    g.outer[e.vertex] += e.weight;
    g.border[e.vertex] = true;
    if (matrix) matrix->outer[e.vertex] += e.smooth;
    if (matrix) matrix->border[e.vertex] = true;
  }
  for (int v = 0; v < g.n; v++) {
    if (g.border[v]) number[v] = nb++;
  }
  remote = FindGhosts(edge, ghost);
  theirs.resize(remote.size());
  PetscSF vertices = MakeForest(comm, g.n, remote);
  Fetch(vertices, MPI_INT, number.data(), theirs.data());
  Communicate(PetscSFDestroy(&vertices));
  for (size_t k = 0; k < remote.size(); k++) remote[k].vertex = theirs[k];
  halo = MakeForest(comm, nb, remote);

  vertex.resize(nb);
  first.assign(nb + 1, 0);
  weight.resize(edge.size());
  smooth.resize(matrix ? edge.size() : 0);
  for (int v = 0; v < g.n; v++) {
    if (number[v] >= 0) vertex[number[v]] = v;
  }
  for (size_t k = 0; k < edge.size(); k++) {
    first[number[edge[k].vertex] + 1]++;
    weight[k] = edge[k].weight;
    if (matrix) smooth[k] = edge[k].smooth;
  }
  for (int i = 0; i < nb; i++) first[i + 1] += first[i];
  nborders = nb;
  Sum(1, &nborders);
}

template <typename Real>
Ranks<Real>::~Ranks()
{
  (void)!PetscSFDestroy(&halo);
  if (own) (void)MPI_Comm_free(&communicator);
}

template <typename Real>
void Ranks<Real>::Sum(int n, double values[]) const
{
  double sums[4] = {0.0, 0.0, 0.0, 0.0};

  CommunicateMPI(MPI_Allreduce(values, sums, n, MPI_DOUBLE, MPI_SUM, communicator));
  std::copy(sums, sums + n, values);
}

template <typename Real>
void Ranks<Real>::Settle(const Array<int> &place)
{
  for (size_t i = 0; i < vertex.size(); i++) vertex[i] = place[vertex[i]];
}

template <typename Real>
template <typename Number>
typename Ranks<Real>::template Values<Number> &Ranks<Real>::ValuesIn()
{
  Values<Number> &v = values.template In<Number>();

  if (v.sent.size() != vertex.size() || v.got.size() != remote.size()) {
    v.sent.resize(vertex.size());
    v.kept.resize(vertex.size());
    v.got.resize(remote.size());
  }
  return v;
}

template <typename Real>
template <typename Number>
void Ranks<Real>::Begin(const Number x[])
{
  Values<Number> &v = ValuesIn<Number>();

  for (size_t i = 0; i < vertex.size(); i++) v.sent[i] = x[vertex[i]];
  Communicate(PetscSFBcastBegin(halo, TypeOf<Number>(), v.sent.data(), v.got.data(), MPI_REPLACE));
}

template <typename Real>
template <typename Number>
void Ranks<Real>::End(bool finest, Number r[])
{
  const Real     *w = finest && !smooth.empty() ? smooth.data() : weight.data();
  Values<Number> &v = ValuesIn<Number>();

  Communicate(PetscSFBcastEnd(halo, TypeOf<Number>(), v.sent.data(), v.got.data(), MPI_REPLACE));
  for (size_t i = 0; i < vertex.size(); i++) {
    Number sum = v.kept[i];

    for (int k = first[i]; k < first[i + 1]; k++) sum += w[k] * v.got[ghost[k]];
    r[vertex[i]] = sum;
  }
}

template <typename Real>
template <typename Number>
void Ranks<Real>::Keep(const Number r[])
{
  Values<Number> &v = ValuesIn<Number>();

  for (size_t i = 0; i < vertex.size(); i++) v.kept[i] = r[vertex[i]];
}

template <typename Real>
template <typename Number>
void Ranks<Real>::Restore(Number r[])
{
  const Values<Number> &v = ValuesIn<Number>();

  for (size_t i = 0; i < vertex.size(); i++) r[vertex[i]] = v.kept[i];
}

template <typename Real>
size_t Ranks<Real>::Memory() const
{
  size_t bytes = (vertex.size() + first.size() + ghost.size()) * sizeof(int) + (weight.size() + smooth.size()) * sizeof(Real) + remote.size() * (sizeof(Remote) + sizeof(PetscSFNode));

  values.ForEach([&](const auto &v) { bytes += (v.sent.size() + v.got.size() + v.kept.size()) * sizeof(v.sent[0]); });
  return bytes;
}

/*
  Ranks in groups, each of which becomes one: those with the most edges between them are paired, then the pairs, until there are few enough groups. All
  ranks know all numbers and come to the same result. group[] counts the groups by their first ranks.
*/
static int MakeGroups(int nranks, const std::vector<int> &n, const std::vector<int> &begin, const std::vector<int> &neighbour, const std::vector<int> &edges, int wanted, std::vector<int> &group)
{
  std::vector<std::map<int, double>> graph(nranks); /* of the groups as they are */
  std::vector<double>                size(n.begin(), n.end());
  int                                count = nranks;

  group.resize(nranks);
  for (int r = 0; r < nranks; r++) group[r] = r;
  for (int r = 0; r < nranks; r++) {
    for (int k = begin[r]; k < begin[r + 1]; k++) {
      graph[r][neighbour[k]] += edges[k];
      graph[neighbour[k]][r] += edges[k];
    }
  }
  while (count > wanted) {
    struct Pair {
      double weight, size;
      int    a, b;
    };
    std::vector<Pair> pair;
    std::vector<int>  partner(count, -1), next(count), alone;
    int               left = count;

    for (int a = 0; a < count; a++) {
      for (const auto &e : graph[a]) {
        if (e.first > a) pair.push_back({e.second, size[a] + size[e.first], a, e.first});
      }
    }
    std::sort(pair.begin(), pair.end(), [](const Pair &x, const Pair &y) { return x.weight != y.weight ? x.weight > y.weight : x.size != y.size ? x.size < y.size : x.a != y.a ? x.a < y.a : x.b < y.b; });
    for (const Pair &p : pair) {
      if (left == wanted) break;
      if (partner[p.a] >= 0 || partner[p.b] >= 0) continue;
      partner[p.a] = p.b;
      partner[p.b] = p.a;
      left--;
    }
    /* Groups without neighbours that are free, as those without vertices have none */
    for (int a = 0; a < count; a++) {
      if (partner[a] < 0) alone.push_back(a);
    }
    std::stable_sort(alone.begin(), alone.end(), [&](int a, int b) { return size[a] < size[b]; });
    for (size_t k = 0; k + 1 < alone.size() && left > wanted; k += 2, left--) {
      partner[alone[k]]     = alone[k + 1];
      partner[alone[k + 1]] = alone[k];
    }
    count = 0;
    for (int a = 0; a < (int)partner.size(); a++) next[a] = partner[a] >= 0 && partner[a] < a ? next[partner[a]] : count++;
    std::vector<std::map<int, double>> joined(count);
    std::vector<double>                sizes(count, 0.0);
    for (int a = 0; a < (int)partner.size(); a++) {
      sizes[next[a]] += size[a];
      for (const auto &e : graph[a]) {
        if (next[e.first] != next[a]) joined[next[a]][next[e.first]] += e.second;
      }
    }
    graph = std::move(joined);
    size  = std::move(sizes);
    for (int &g : group) g = next[g];
  }
  return count;
}

template <typename T>
void GatherAll(MPI_Comm comm, MPI_Datatype type, const std::vector<T> &mine, std::vector<int> &begin, std::vector<T> &all)
{
  const int        size = SizeOf(comm), n = (int)mine.size();
  std::vector<int> count(size);

  CommunicateMPI(MPI_Allgather(const_cast<int *>(&n), 1, MPI_INT, count.data(), 1, MPI_INT, comm));
  begin.assign(size + 1, 0);
  for (int r = 0; r < size; r++) begin[r + 1] = begin[r] + count[r];
  all.resize(begin[size]);
  CommunicateMPI(MPI_Allgatherv(const_cast<T *>(mine.data()), n, type, all.data(), count.data(), begin.data(), type, comm));
}

/* Arrays of all ranks to the first one, one after the other */
template <typename T>
static void GatherFirst(MPI_Comm comm, MPI_Datatype type, const std::vector<T> &mine, std::vector<int> &begin, std::vector<T> &all)
{
  const int        size = SizeOf(comm), n = (int)mine.size();
  const bool       root = RankOf(comm) == 0;
  std::vector<int> count(root ? size : 1);

  CommunicateMPI(MPI_Gather(const_cast<int *>(&n), 1, MPI_INT, count.data(), 1, MPI_INT, 0, comm));
  begin.assign(root ? size + 1 : 1, 0);
  for (int r = 0; root && r < size; r++) begin[r + 1] = begin[r] + count[r];
  if (root) all.resize(begin[size]);
  CommunicateMPI(MPI_Gatherv(const_cast<T *>(mine.data()), n, type, all.data(), count.data(), begin.data(), type, 0, comm));
}

template <typename Real>
Merge<Real>::~Merge()
{
  if (group != MPI_COMM_NULL) (void)MPI_Comm_free(&group);
}

template <typename Real>
void Merge<Real>::Join(const Graph<Real> &g, const Lattice *lattice, const Ranks<Real> &ranks, double total, int factor, double capacity, Graph<Real> &joined, std::unique_ptr<Lattice> &joinedlattice, std::unique_ptr<Ranks<Real>> &next)
{
  const MPI_Comm    comm = ranks.communicator;
  const int         size = ranks.nranks, rank = ranks.rank;
  std::vector<int>  numbers, numbersbegin, mine, begin, all, neighbour, edges, groupof;
  std::vector<Real> reals, allreals;

  n = g.n;
  /* neighbours and the edges to them */
  {
    std::map<int, int> between;

    for (size_t k = 0; k < ranks.ghost.size(); k++) between[ranks.remote[ranks.ghost[k]].rank]++;
    for (const auto &b : between) {
      mine.push_back(b.first);
      mine.push_back(b.second);
    }
  }
  GatherAll(comm, MPI_INT, std::vector<int>(1, n), numbersbegin, numbers);
  GatherAll(comm, MPI_INT, mine, begin, all);
  for (size_t k = 0; k < all.size(); k += 2) {
    neighbour.push_back(all[k]);
    edges.push_back(all[k + 1]);
  }
  for (int &b : begin) b /= 2;
  const double few     = factor > 0 ? (size + factor - 1) / factor : total / capacity;
  const int    wanted  = std::max(1, (int)std::min(few, 0.5 * size));
  const int    ngroups = MakeGroups(size, numbers, begin, neighbour, edges, wanted, groupof);

  /* where the vertices of a rank begin among those of its group */
  std::vector<int>    base(size);
  std::vector<double> sizes(ngroups, 0.0);
  for (int r = 0; r < size; r++) {
    base[r] = (int)std::min(sizes[groupof[r]], (double)INT_MAX);
    sizes[groupof[r]] += numbers[r];
  }
  CommunicateMPI(MPI_Comm_split(comm, groupof[rank], rank, &group));
  first           = RankOf(group) == 0;
  MPI_Comm firsts = MPI_COMM_NULL;
  if (ngroups > 1) CommunicateMPI(MPI_Comm_split(comm, first ? 0 : MPI_UNDEFINED, rank, &firsts));

  /* what the ghosts are called there */
  std::vector<int> place(ranks.vertex.size());
  Array<int>       places(ranks.remote.size());
  for (size_t i = 0; i < place.size(); i++) place[i] = ranks.vertex[i];
  Fetch(ranks.halo, MPI_INT, place.data(), places.data());

  /* numbers of vertices, of edges, and of edges to other ranks, then what they count; those of the matrix alone have served their purpose */
  mine.assign({n, (int)g.adj.size(), 0});
  mine.insert(mine.end(), g.uptr.data(), g.uptr.data() + n + 1);
  mine.insert(mine.end(), g.adj.data(), g.adj.data() + g.adj.size());
  reals.assign(g.weight.data(), g.weight.data() + g.adj.size());
  reals.insert(reals.end(), g.excess.data(), g.excess.data() + n);
  for (size_t i = 0; i < ranks.vertex.size(); i++) {
    for (int k = ranks.first[i]; k < ranks.first[i + 1]; k++) {
      const int owner = ranks.remote[ranks.ghost[k]].rank;

      if (!(ranks.weight[k] > 0)) continue;
      mine.push_back(ranks.vertex[i]);
      mine.push_back(groupof[owner]);
      mine.push_back(base[owner] + places[ranks.ghost[k]]);
      reals.push_back(ranks.weight[k]);
      mine[2]++;
    }
  }
  if (lattice) {
    mine.insert(mine.end(), lattice->x.data(), lattice->x.data() + n);
    mine.insert(mine.end(), lattice->y.data(), lattice->y.data() + n);
  }
  GatherFirst(group, MPI_INT, mine, begin, all);
  GatherFirst(group, TypeOf<Real>(), reals, numbersbegin, allreals);
  if (!first) return;

  /* Vertices of the ranks one after the other; an edge between two of them is known to both and taken from the one with the lower vertex */
  const int                    here = groupof[rank], members = SizeOf(group);
  std::vector<OuterEdge<Real>> outer;
  int                          vertices = 0;

  count.resize(members);
  offset.resize(members);
  for (int r = 0; r < members; r++) {
    offset[r] = vertices;
    count[r]  = all[begin[r]];
    vertices += count[r];
  }
  joined.n = vertices;
  joined.uptr.assign(vertices + 1, 0);
  joined.excess.resize(vertices);
  if (lattice) {
    joinedlattice.reset(new Lattice());
    joinedlattice->x.resize(vertices);
    joinedlattice->y.resize(vertices);
  }
  struct Part {
    const int  *head, *uptr, *adj, *outer, *lattice;
    const Real *weight, *excess, *between;
  };
  auto part = [&](int r) {
    Part p;

    p.head    = all.data() + begin[r];
    p.uptr    = p.head + 3;
    p.adj     = p.uptr + p.head[0] + 1;
    p.outer   = p.adj + p.head[1];
    p.lattice = p.outer + 3 * p.head[2];
    p.weight  = allreals.data() + numbersbegin[r];
    p.excess  = p.weight + p.head[1];
    p.between = p.excess + p.head[0];
    return p;
  };
  for (int r = 0; r < members; r++) {
    const Part p = part(r);

    for (int v = 0; v < count[r]; v++) {
      joined.uptr[offset[r] + v + 1] += p.uptr[v + 1] - p.uptr[v];
      joined.excess[offset[r] + v] = p.excess[v];
    }
    for (int k = 0; k < p.head[2]; k++) {
      const int v = offset[r] + p.outer[3 * k], u = p.outer[3 * k + 2];

      if (p.outer[3 * k + 1] == here) {
        if (v < u) joined.uptr[v + 1]++;
      } else
        outer.push_back({v, {p.outer[3 * k + 1], u}, p.between[k], p.between[k]});
    }
    if (lattice) {
      std::copy(p.lattice, p.lattice + count[r], joinedlattice->x.data() + offset[r]);
      std::copy(p.lattice + count[r], p.lattice + 2 * count[r], joinedlattice->y.data() + offset[r]);
    }
  }
  for (int v = 0; v < vertices; v++) joined.uptr[v + 1] += joined.uptr[v];
  joined.adj.resize(joined.uptr[vertices]);
  joined.weight.resize(joined.uptr[vertices]);
  std::vector<int> cursor(joined.uptr.data(), joined.uptr.data() + vertices);
  for (int r = 0; r < members; r++) {
    const Part p = part(r);

    for (int v = 0; v < count[r]; v++) {
      for (int k = p.uptr[v]; k < p.uptr[v + 1]; k++) {
        const int at = cursor[offset[r] + v]++;

        joined.adj[at]    = offset[r] + p.adj[k];
        joined.weight[at] = p.weight[k];
      }
    }
    for (int k = 0; k < p.head[2]; k++) {
      const int v = offset[r] + p.outer[3 * k], u = p.outer[3 * k + 2];

      if (p.outer[3 * k + 1] != here || v > u) continue;
      const int at = cursor[v]++;

      joined.adj[at]    = u;
      joined.weight[at] = p.between[k];
    }
  }
  FillLower(joined);
  if (ngroups > 1) {
    std::stable_sort(outer.begin(), outer.end(), [](const OuterEdge<Real> &a, const OuterEdge<Real> &b) { return a.vertex < b.vertex; });
    next.reset(new Ranks<Real>(firsts, true, joined, nullptr, outer));
  }
}

template <typename Real>
template <typename Number>
void Merge<Real>::Gather(const Number x[])
{
  Array<Number> &all = values.template In<Number>();

  if (first && all.empty()) all.resize(h->n);
  CommunicateMPI(MPI_Gatherv(const_cast<Number *>(x), n, TypeOf<Number>(), all.data(), count.data(), offset.data(), TypeOf<Number>(), 0, group));
}

template <typename Real>
template <typename Number>
void Merge<Real>::Scatter(Number x[])
{
  CommunicateMPI(MPI_Scatterv(values.template In<Number>().data(), count.data(), offset.data(), TypeOf<Number>(), x, n, TypeOf<Number>(), 0, group));
}

template std::vector<int>    SortEdges(const std::vector<OuterEdge<float>> &, bool);
template std::vector<int>    SortEdges(const std::vector<OuterEdge<double>> &, bool);
template void                GatherAll(MPI_Comm, MPI_Datatype, const std::vector<double> &, std::vector<int> &, std::vector<double> &);
template std::vector<Remote> FindGhosts(const std::vector<OuterEdge<float>> &, Array<int> &);
template std::vector<Remote> FindGhosts(const std::vector<OuterEdge<double>> &, Array<int> &);
template void                Exchange(MPI_Comm, const std::vector<OuterEdge<float>> &, const double[], double[]);
template void                Exchange(MPI_Comm, const std::vector<OuterEdge<double>> &, const double[], double[]);
template class Ranks<float>;
template class Ranks<double>;
template struct Merge<float>;
template struct Merge<double>;

#define INSTANTIATE(Real, Number)                    \
  template void Ranks<Real>::Begin(const Number[]);  \
  template void Ranks<Real>::End(bool, Number[]);    \
  template void Ranks<Real>::Keep(const Number[]);   \
  template void Ranks<Real>::Restore(Number[]);      \
  template void Merge<Real>::Gather(const Number[]); \
  template void Merge<Real>::Scatter(Number[]);
INSTANTIATE(float, float)
INSTANTIATE(float, double)
INSTANTIATE(double, double)
#undef INSTANTIATE

} // namespace hsc
} // namespace petlap
