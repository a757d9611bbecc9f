/*
  Drives the subtrees and the shared fronts of an elimination tree over ranks, and moves between them what one leaves to the next.
*/
#include "mat/schwarzschur/tree_ranks.h"
#include "mat/schwarzschur/front_ranks.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <vector>

struct TreeRanks;

namespace {

#if defined(PETSC_USE_COMPLEX)
typedef std::complex<double> Double;
typedef std::complex<float>  Single;
Double                       Conj(Double v)
{
  return std::conj(v);
}
Single Conj(Single v)
{
  return std::conj(v);
}
#else
typedef double Double;
typedef float  Single;
template <class T>
T Conj(T v)
{
  return v;
}
#endif

template <class T>
T Convert(PetscScalar v)
{
  return (T)v;
}
#if defined(PETSC_USE_COMPLEX)
template <>
Single Convert<Single>(PetscScalar v)
{
  return Single((float)v.real(), (float)v.imag());
}
#endif

/* Memory of the C library, which only becomes resident where it is touched */
class Lazy {
  void  *p     = nullptr;
  double bytes = 0;

public:
  Lazy()                        = default;
  Lazy(const Lazy &)            = delete;
  Lazy &operator=(const Lazy &) = delete;
  ~Lazy()
  {
    free(p);
  }
  bool Reserve(double n)
  {
    if (n <= bytes) return true;
    free(p);
    p     = n < 0.9 * (double)PTRDIFF_MAX ? malloc((size_t)n) : nullptr;
    bytes = p ? n : 0;
    return p != nullptr;
  }
  void Release()
  {
    free(p);
    p     = nullptr;
    bytes = 0;
  }
  template <class T>
  T *As() const
  {
    return (T *)p;
  }
};

/*
  A subtree of this rank. The executors address rows, right-hand sides and solutions by the points of the grid, so there are arrays from the subtree's first point to its last. In these
  lie lines of other ranks' points, but they are never touched, and memory that nobody touches is not resident: what a rank really
  holds is its own lines, to whole pages.
*/
struct Subtree {
  int                    node;
  Plan                   plan; /* its classes only */
  std::vector<PlanClass> cls;
  Factor                *factor = nullptr;
  PetscInt               lo, hi; /* points lo..hi - 1, its ring among them */
  Lazy                   start;  /* of the matrix row of each unknown */
  Lazy                   b, x;
  std::vector<PetscInt>  point; /* that it eliminates, ascending */
  PetscInt               own;   /* where they begin in what the rank owns */
  std::vector<char>      block; /* contribution block of its root, where it had to be copied */
  void                  *ring = nullptr;

  ~Subtree()
  {
    FactorDestroy(factor);
  }
};

/* An entry of A in a column of this rank; from counts values of the rows that are needed */
struct FrontEntry {
  int    row, col;
  bool   conj;
  size_t from;
};

/* How the contribution block of a child lies in the columns of its parent, and what of it this rank sends and gets */
struct Route {
  int                           node, parent, r;
  bool                          lower, mirror; /* only the child's lower triangle is there; the parent wants both */
  std::vector<int>              pos, to, from; /* of each column: position in the parent, rank that has it there, rank that has it here */
  std::vector<std::vector<int>> of;            /* columns that each rank of the parent has there */
  std::vector<size_t>           out, in;       /* entries for each rank of the parent, and from each rank of the child */

  Route(const TreeRanks *t, int n, int k);
  template <class Put>
  void   Pieces(int first, int s, int q, Put put) const;
  size_t Count(int first, int s, int q) const;
};

/* A front that this rank shares with others */
struct Shared {
  int                     node;
  MPI_Comm                comm    = MPI_COMM_NULL;
  bool                    ownscom = false;
  FrontRanks             *front   = nullptr;
  std::vector<FrontEntry> entry;
  std::vector<Route>      route; /* of each child */
  std::vector<int>        home;  /* points of S that this rank owns, as positions */
  PetscInt                own;
  Lazy                    v; /* f x nrhs */
  double                  replaced = 0, ratio = 1;
  double                  block = 0; /* bytes of its contribution block on this rank */
};

} // namespace

struct TreeRanks {
  const Plan          *plan;
  TreeRanksOptions     options;
  const FactorKernels *kernels;
  TreeMap             *map  = nullptr;
  MPI_Comm             comm = MPI_COMM_NULL;
  int                  rank = 0;

  std::vector<std::unique_ptr<Subtree>> subtree;
  std::vector<std::unique_ptr<Shared>>  shared;              /* in the order of the map */
  std::vector<int>                      subtreeof, sharedof; /* of each node, or -1 */
  std::vector<PetscInt>                 needs, owns;
  std::vector<MPI_Request>              request;                 /* has room for those of any front */
  double                                out = 0, in = 0;         /* entries that the largest front's extend-add sends and gets */
  Lazy                                  outroom, inroom, panels; /* for them, while numbers are put in */

  ~TreeRanks()
  {
    for (size_t i = shared.size(); i-- > 0;) {
      FrontRanksDestroy(shared[i]->front);
      if (shared[i]->ownscom) (void)MPI_Comm_free(&shared[i]->comm);
    }
    if (comm != MPI_COMM_NULL) (void)MPI_Comm_free(&comm);
    TreeMapDestroy(map);
  }
};

namespace {

int Dof(const TreeRanks *t)
{
  return t->plan->grid.dof;
}

const PlanClass &ClassOf(const TreeRanks *t, int node)
{
  return t->plan->cls[t->map->node[node].cls];
}

int Size(const TreeMapNode &n)
{
  return n.last - n.first;
}

/* The rank that has a column of a shared front */
int ColumnRank(const TreeRanks *t, int node, int col)
{
  const PlanClass &c = ClassOf(t, node);

  return t->map->node[node].first + FrontRanksOwner(c.m * Dof(t), c.r * Dof(t), t->options.columns, Size(t->map->node[node]), col);
}

/* Pieces of a message that MPI's counts can hold */
const size_t PIECE = (size_t)1 << 28;

size_t Pieces(size_t entries)
{
  return (entries + PIECE - 1) / PIECE;
}

/* ---- layout ---- */

void SubtreePoints(const Plan *plan, int cls, PetscInt origin, std::vector<PetscInt> &points)
{
  const PlanClass &c = plan->cls[cls];

  for (int i = 0; i < c.m; i++) points.push_back(origin + c.offset[i]);
  for (int k = 0; k < c.nchild; k++) SubtreePoints(plan, c.child[k], origin + c.shift[k], points);
}

void AddSubtree(TreeRanks *t, int node)
{
  const TreeMapNode       &n = t->map->node[node];
  std::unique_ptr<Subtree> s(new Subtree());
  std::vector<int>         number(t->plan->nclass, -1);
  const PlanClass         &root = t->plan->cls[n.cls];

  s->node       = node;
  s->plan       = *t->plan;
  number[n.cls] = 0;
  for (int i = n.cls; i >= 0; i--) {
    for (int k = 0; k < t->plan->cls[i].nchild && number[i] >= 0; k++) number[t->plan->cls[i].child[k]] = 0;
  }
  for (int i = 0; i <= n.cls; i++) {
    if (number[i] < 0) continue;
    PlanClass c = t->plan->cls[i];

    c.count = 0;
    for (int k = 0; k < c.nchild; k++) c.child[k] = number[c.child[k]];
    number[i] = (int)s->cls.size();
    s->cls.push_back(c);
  }
  s->cls.back().count = 1;
  for (size_t i = s->cls.size(); i-- > 0;) {
    for (int k = 0; k < s->cls[i].nchild; k++) s->cls[s->cls[i].child[k]].count += s->cls[i].count;
  }
  s->plan.nclass     = (int)s->cls.size();
  s->plan.cls        = s->cls.data();
  s->plan.root       = s->plan.nclass - 1;
  s->plan.rootorigin = n.origin;
  s->plan.arena      = nullptr;
  if (n.parent >= 0) s->plan.nglue = 0;
  SubtreePoints(t->plan, n.cls, n.origin, s->point);
  std::sort(s->point.begin(), s->point.end());
  s->lo = s->point.empty() ? n.origin : s->point.front();
  s->hi = s->point.empty() ? n.origin : s->point.back() + 1;
  for (int i = root.m; i < root.m + root.r; i++) {
    s->lo = std::min(s->lo, n.origin + root.offset[i]);
    s->hi = std::max(s->hi, n.origin + root.offset[i] + 1);
  }
  t->needs.insert(t->needs.end(), s->point.begin(), s->point.end());
  /* Rows of the ring have couplings to the inside, which LU does not get from the inside's own rows */
  if (t->options.mode == FACTOR_LU) {
    for (int i = root.m; i < root.m + root.r; i++) t->needs.push_back(n.origin + root.offset[i]);
  }
  s->own = (PetscInt)t->owns.size();
  t->owns.insert(t->owns.end(), s->point.begin(), s->point.end());
  t->subtreeof[node] = (int)t->subtree.size();
  t->subtree.push_back(std::move(s));
}

/* Calls put(point, row, col, offset in the point's rows, conj) for the entries of A in columns of this rank. The lower triangle comes from the rows of the upper one, as in AssembleEntries(). */
template <class Put>
void ForEntries(const TreeRanks *t, int node, Put put)
{
  const TreeMapNode &n   = t->map->node[node];
  const PlanClass   &c   = ClassOf(t, node);
  const int          dof = Dof(t), f = (c.m + c.r) * dof;
  const bool         lu = t->options.mode == FACTOR_LU, herm = t->options.hermitian;
  const size_t       K = (size_t)t->plan->nstencil * dof;
  std::vector<char>  mine(f);

  for (int j = 0; j < f; j++) mine[j] = ColumnRank(t, node, j) == t->rank;
  for (int k = 0; k < (lu ? c.nrow : c.nsrow); k++) {
    const PlanRow &row = c.row[k];

    for (int a = 0; a < dof; a++) {
      const int i = row.row * dof + a;

      for (int e = row.first; e < row.first + row.n; e++) {
        for (int b = 0; b < dof; b++) {
          const int    j  = c.entry[e].col * dof + b;
          const size_t at = a * K + (size_t)c.entry[e].slot * dof + b;

          if (lu) {
            if (mine[j]) put(n.origin + row.offset, i, j, at, false);
            continue;
          }
          if (j < i) continue;
          if (mine[i]) put(n.origin + row.offset, j, i, at, herm);
          if (t->options.mode == FACTOR_SYMMETRIC && j != i && mine[j]) put(n.origin + row.offset, i, j, at, false);
        }
      }
    }
  }
}

void AddShared(TreeRanks *t, int node)
{
  const TreeMapNode      &n = t->map->node[node];
  const PlanClass        &c = ClassOf(t, node);
  std::unique_ptr<Shared> s(new Shared());

  s->node = node;
  s->own  = (PetscInt)t->owns.size();
  for (int i = 0; i < c.m; i++) {
    if (ColumnRank(t, node, i * Dof(t)) != t->rank) continue;
    s->home.push_back(i);
    t->owns.push_back(n.origin + c.offset[i]);
  }
  ForEntries(t, node, [&](PetscInt point, int, int, size_t, bool) {
    if (t->needs.empty() || t->needs.back() != point) t->needs.push_back(point);
  });
  t->sharedof[node] = (int)t->shared.size();
  t->shared.push_back(std::move(s));
}

/* ---- how contribution blocks go from children to parents ---- */

Route::Route(const TreeRanks *t, int n, int k)
{
  const TreeMapNode &p   = t->map->node[n];
  const PlanClass   &pc  = ClassOf(t, n);
  const int          dof = Dof(t);

  node                  = p.child[k];
  parent                = n;
  const TreeMapNode &c  = t->map->node[node];
  const PlanClass   &cc = ClassOf(t, node);
  r                     = cc.r * dof;
  lower                 = t->options.mode == FACTOR_SPD || (t->options.mode == FACTOR_SYMMETRIC && c.local);
  mirror                = t->options.mode == FACTOR_SYMMETRIC && c.local;
  pos.resize(r);
  to.resize(r);
  from.resize(r);
  of.resize(Size(p));
  for (int q = 0; q < pc.nrun[k]; q++) {
    const PlanRun &run = pc.run[k][q];

    for (int i = 0; i < run.n * dof; i++) pos[run.child * dof + i] = run.parent * dof + i;
  }
  for (int i = 0; i < r; i++) {
    to[i]   = ColumnRank(t, n, pos[i]);
    from[i] = c.local ? c.first : ColumnRank(t, node, cc.m * dof + i);
    of[to[i] - p.first].push_back(i);
  }
  out.resize(Size(p));
  in.resize(Size(c));
  if (t->rank >= c.first && t->rank < c.last) {
    for (int q = p.first; q < p.last; q++) {
      if (q != t->rank) out[q - p.first] = Count(p.first, t->rank, q);
    }
  }
  for (int s = c.first; s < c.last; s++) {
    if (s != t->rank) in[s - c.first] = Count(p.first, s, t->rank);
  }
}

/* Calls put(k, i, n, flip): entries i..i + n - 1 of column k of the child, which rank s sends to rank q. They are rows of the parent's column for k, or, flipped, entries of one row of it. Both ranks see the same order. */
template <class Put>
void Route::Pieces(int first, int s, int q, Put put) const
{
  const std::vector<int> &list = of[q - first];

  for (int k = 0; k < r; k++) {
    if (from[k] != s) continue;
    if (to[k] == q) {
      for (int i = lower ? k : 0; i < r;) {
        int n = 1;

        if (!lower || mirror)
          n = r - i;
        else if (pos[i] < pos[k]) {
          i++;
          continue;
        } else
          while (i + n < r && pos[i + n] > pos[k]) n++;
        put(k, i, n, false);
        i += n;
      }
    }
    if (!lower) continue;
    for (auto i = std::upper_bound(list.begin(), list.end(), k); i != list.end(); ++i) {
      if (mirror || pos[*i] < pos[k]) put(k, *i, 1, true);
    }
  }
}

size_t Route::Count(int first, int s, int q) const
{
  size_t count = 0;

  Pieces(first, s, q, [&](int, int, int n, bool) { count += (size_t)n; });
  return count;
}

/* Buffers are for the front that needs most */
void AddRoutes(TreeRanks *t, Shared &s)
{
  const TreeMapNode &n   = t->map->node[s.node];
  double             out = 0, in = 0;
  size_t             messages = 0;

  s.route.reserve(n.nchild);
  for (int k = 0; k < n.nchild; k++) {
    s.route.emplace_back(t, s.node, k);
    for (size_t count : s.route.back().out) {
      if (count) out += (double)(count + 1), messages += Pieces(count + 1);
    }
    for (size_t count : s.route.back().in) {
      if (count) in += (double)(count + 1), messages += Pieces(count + 1);
    }
  }
  t->out = std::max(t->out, out);
  t->in  = std::max(t->in, in);
  t->request.reserve(messages);
}

/* What only depends on the plan; no communication */
void LayOut(TreeRanks *t)
{
  t->subtreeof.assign(t->map->nnode, -1);
  t->sharedof.assign(t->map->nnode, -1);
  for (int i = 0; i < t->map->nnode; i++) {
    const TreeMapNode &n = t->map->node[i];

    if (n.local && t->rank == n.first) AddSubtree(t, i);
  }
  for (int k = 0; k < t->map->nshared; k++) {
    const TreeMapNode &n = t->map->node[t->map->order[k]];

    if (t->rank >= n.first && t->rank < n.last) AddShared(t, t->map->order[k]);
  }
  std::sort(t->needs.begin(), t->needs.end());
  t->needs.erase(std::unique(t->needs.begin(), t->needs.end()), t->needs.end());
  const auto   index = [&](PetscInt p) { return (size_t)(std::lower_bound(t->needs.begin(), t->needs.end(), p) - t->needs.begin()); };
  const int    dof   = Dof(t);
  const size_t K     = (size_t)t->plan->nstencil * dof;
  for (auto &s : t->subtree) {
    FactorOptions options;

    /* Starts are counted in PetscInt, as those of a whole matrix would be */
    if ((double)t->needs.size() * dof * K > (double)PETSC_MAX_INT) throw std::bad_alloc();
    if (!s->start.Reserve(((double)(s->hi - s->lo) * dof + 1) * sizeof(PetscInt))) throw std::bad_alloc();
    PetscInt  *start = s->start.As<PetscInt>();
    const auto set   = [&](PetscInt p, size_t at) {
      for (int a = 0; a < dof; a++) start[(p - s->lo) * dof + a] = (PetscInt)((at * dof + a) * K);
    };
    /* Both are ascending */
    size_t at = s->point.empty() ? 0 : index(s->point.front());
    for (PetscInt p : s->point) {
      while (t->needs[at] != p) at++;
      set(p, at);
    }
    if (t->options.mode == FACTOR_LU) {
      const PlanClass &root = s->cls.back();

      for (int i = root.m; i < root.m + root.r; i++) set(s->plan.rootorigin + root.offset[i], index(s->plan.rootorigin + root.offset[i]));
    }
    options.mode      = t->options.mode;
    options.single    = t->options.single;
    options.hermitian = t->options.hermitian;
    options.constant  = false;
    options.threads   = t->options.threads;
    options.threshold = t->options.threshold;
    options.isa       = t->options.isa;
    s->factor         = FactorCreate(&s->plan, &options);
    if (!s->factor) throw std::bad_alloc();
  }
  for (auto &s : t->shared) AddRoutes(t, *s);
  for (auto &s : t->shared) ForEntries(t, s->node, [&](PetscInt point, int row, int col, size_t at, bool conj) { s->entry.push_back({row, col, conj, index(point) * dof * K + at}); });
}

/* The communicators of the shared fronts, down the tree; the ranks of a front are among those of its parent. Nonzero where MPI fails. */
int Split(TreeRanks *t, int node)
{
  const TreeMapNode &n      = t->map->node[node];
  int                failed = 0;

  if (n.local || t->sharedof[node] < 0) return 0;
  Shared &s = *t->shared[t->sharedof[node]];
  if (n.parent < 0) s.comm = t->comm;
  for (int k = 0; k < n.nchild; k++) {
    const TreeMapNode &c    = t->map->node[n.child[k]];
    const bool         mine = t->rank >= c.first && t->rank < c.last;
    MPI_Comm           comm = s.comm;

    if (c.local) continue;
    if (Size(c) < Size(n) && MPI_Comm_split(s.comm, mine ? 0 : MPI_UNDEFINED, t->rank, &comm)) failed = FRONT_RANKS_MESSAGE;
    if (!mine) continue;
    Shared &of = *t->shared[t->sharedof[n.child[k]]];
    of.comm    = comm;
    of.ownscom = Size(c) < Size(n);
  }
  for (int k = 0; k < n.nchild; k++) failed = std::max(failed, Split(t, n.child[k]));
  return failed;
}

/* Whether anyone has failed, and how badly. If this call fails, the others learn of it from the next one. */
int Agree(MPI_Comm comm, int size, int *failed)
{
  int all = *failed;

  if (size > 1 && MPI_Allreduce(failed, &all, 1, MPI_INT, MPI_MAX, comm)) *failed = FRONT_RANKS_MESSAGE;
  return all;
}

/* ---- extend-add ---- */

/*
  Messages of any length, as pieces. The first entry tells why the sender has failed, or is zero; the others are then left out, since a receiver takes what is shorter than what it has room for.
  The number of the child is in the tag, beyond those that fronts use.
*/
template <class T>
struct Messages {
  TreeRanks *t;
  int        tag, failed = 0;

  Messages(TreeRanks *tree, int node) : t(tree), tag(4 + node % 32000) {}
  static MPI_Datatype Type()
  {
    return sizeof(T) % sizeof(double) == 0 && sizeof(T) / sizeof(double) == sizeof(PetscScalar) / sizeof(double) ? MPI_DOUBLE : MPI_FLOAT;
  }
  /* Of n entries at p, there are so many */
  template <class Post>
  void ForPieces(T *p, size_t n, size_t there, Post post)
  {
    for (size_t at = 0; at < n; at += PIECE) {
      t->request.push_back(MPI_REQUEST_NULL);
      if (post(p + at, (int)((at < there ? std::min(PIECE, there - at) : 0) * (sizeof(PetscScalar) / sizeof(double))), &t->request.back())) failed = FRONT_RANKS_MESSAGE;
    }
  }
  void Send(T *p, size_t n, size_t there, int rank)
  {
    ForPieces(p, n, there, [&](T *q, int count, MPI_Request *r) { return MPI_Isend(q, count, Type(), rank, tag, t->comm, r); });
  }
  void Receive(T *p, size_t n, int rank)
  {
    ForPieces(p, n, n, [&](T *q, int count, MPI_Request *r) { return MPI_Irecv(q, count, Type(), rank, tag, t->comm, r); });
  }
};

/* Row 0 of column k of a child's contribution block, on a rank that has it */
template <class T>
const T *BlockColumn(const TreeRanks *t, const Route &c, int k)
{
  const TreeMapNode &n = t->map->node[c.node];

  if (n.local) {
    const Subtree &s = *t->subtree[t->subtreeof[c.node]];
    const T       *D = s.block.empty() ? (const T *)FactorContribution(s.factor) : (const T *)s.block.data();

    return D + (size_t)k * c.r;
  }
  const int m = ClassOf(t, c.node).m * Dof(t);
  return (const T *)FrontRanksColumn(t->shared[t->sharedof[c.node]]->front, m + k) + m;
}

/* value() gives the entries of a piece one after the other */
template <class T, class Value>
void AddPiece(const TreeRanks *t, const Route &c, FrontRanks *front, int k, int i, int n, bool flip, Value value)
{
  const bool herm = t->options.hermitian;

  if (flip) {
    T      *to = (T *)FrontRanksColumn(front, c.pos[i]) + c.pos[k];
    const T v  = value();

    *to += herm ? Conj(v) : v;
  } else {
    T *to = (T *)FrontRanksColumn(front, c.pos[k]);

    for (int l = i; l < i + n; l++) to[c.pos[l]] += value();
  }
}

/* Receives and sends of a child's block; in and out point to free room for them and are moved behind it. Who has failed sends word of that. */
template <class T>
int Begin(TreeRanks *t, const Route &route, int failed, T **in, T **out)
{
  const TreeMapNode &p = t->map->node[route.parent], &c = t->map->node[route.node];
  Messages<T>        messages(t, route.node);

  for (int s = c.first; s < c.last; s++) {
    const size_t n = route.in[s - c.first];

    if (!n) continue;
    **in = T(0); /* where the message is lost */
    messages.Receive(*in, n + 1, s);
    *in += n + 1;
  }
  for (int q = p.first; q < p.last; q++) {
    const size_t n  = route.out[q - p.first];
    T           *to = *out;

    if (!n) continue;
    *to++ = T((float)failed);
    if (!failed) {
      route.Pieces(p.first, t->rank, q, [&](int k, int i, int m, bool) {
        const T *from = BlockColumn<T>(t, route, k);

        to = std::copy(from + i, from + i + m, to);
      });
    }
    messages.Send(*out, n + 1, failed ? 1 : n + 1, q);
    *out += n + 1;
  }
  return messages.failed;
}

/* What the senders of a child's block found, when their messages are there; in is moved as before */
template <class T>
int Found(const Route &route, const T **in)
{
  int failed = 0;

  for (size_t n : route.in) {
    if (!n) continue;
    failed = std::max(failed, (int)std::real(**in));
    *in += n + 1;
  }
  return failed;
}

/* In the order of the ranks, so that sums do not depend on who was faster */
template <class T>
void Add(const TreeRanks *t, const Route &route, FrontRanks *front, const T **in)
{
  const TreeMapNode &p = t->map->node[route.parent], &c = t->map->node[route.node];

  for (int s = c.first; s < c.last; s++) {
    const size_t n = route.in[s - c.first];
    const T     *v = *in + 1;

    if (s == t->rank) {
      route.Pieces(p.first, s, s, [&](int k, int i, int m, bool flip) {
        const T *from = BlockColumn<T>(t, route, k) + i;

        AddPiece<T>(t, route, front, k, i, m, flip, [&]() { return *from++; });
      });
    } else if (n) {
      route.Pieces(p.first, s, t->rank, [&](int k, int i, int m, bool flip) { AddPiece<T>(t, route, front, k, i, m, flip, [&]() { return *v++; }); });
      *in += n + 1;
    }
  }
}

/* ---- numbers ---- */

template <class T>
void AddEntries(const TreeRanks *t, Shared &s, const PetscScalar *rows, const PetscScalar *glue)
{
  for (const FrontEntry &e : s.entry) {
    const T v = Convert<T>(rows[e.from]);

    ((T *)FrontRanksColumn(s.front, e.col))[e.row] += e.conj ? Conj(v) : v;
  }
  if (t->map->node[s.node].parent >= 0) return;
  for (PetscInt k = 0; k < t->plan->nglue; k++) {
    const PlanGlue &g = t->plan->glue[k];
    const T         v = Convert<T>(glue[g.k]);
    T              *to;

    if (t->options.mode != FACTOR_LU && g.col > g.row) continue;
    if ((to = (T *)FrontRanksColumn(s.front, g.col))) to[g.row] += v;
    if (t->options.mode == FACTOR_SYMMETRIC && g.col != g.row && (to = (T *)FrontRanksColumn(s.front, g.row))) to[g.col] += t->options.hermitian ? Conj(v) : v;
  }
}

/* Who has failed, or knows of others who have, takes part in all messages but computes nothing. Returns what this rank knows afterwards. */
template <class T>
int FactorShared(TreeRanks *t, Shared &s, const PetscScalar *rows, const PetscScalar *glue, int failed)
{
  const TreeMapNode &n  = t->map->node[s.node];
  T                 *in = t->inroom.As<T>(), *out = t->outroom.As<T>();
  const T           *got = in, *add = in;

  if (!failed && FrontRanksZero(s.front)) failed = FRONT_RANKS_MEMORY;
  const int before = failed;
  t->request.clear();
  for (const Route &route : s.route) failed = std::max(failed, Begin<T>(t, route, before, &in, &out));
  if (!failed) AddEntries<T>(t, s, rows, glue);
  if (!t->request.empty() && MPI_Waitall((int)t->request.size(), t->request.data(), MPI_STATUSES_IGNORE)) failed = FRONT_RANKS_MESSAGE;
  for (const Route &route : s.route) failed = std::max(failed, Found<T>(route, &got));
  for (const Route &route : s.route) {
    if (!failed) Add<T>(t, route, s.front, &add);
  }
  for (int k = 0; k < n.nchild; k++) {
    const int i = t->sharedof[n.child[k]], j = t->subtreeof[n.child[k]];

    if (i >= 0) FrontRanksRelease(t->shared[i]->front);
    if (j >= 0) std::vector<char>().swap(t->subtree[j]->block);
  }
  return FrontRanksFactor(s.front, t->panels.As<void>(), failed, &s.replaced, &s.ratio);
}

template <class T>
int FactorSubtree(TreeRanks *t, Subtree &s, const PetscScalar *rows, const PetscScalar *glue, double norm)
{
  FactorValues values;

  values.ai    = s.start.As<PetscInt>() - s.lo * Dof(t);
  values.aa    = rows;
  values.slots = true;
  values.glue  = glue;
  try {
    const int failed = FactorNumeric(s.factor, &values, norm);
    /* The work space of one subtree is kept for the next factorization, that of several would add up */
    if (failed || t->subtree.size() == 1) return failed;
    const size_t r = (size_t)s.cls.back().r * Dof(t);
    const T     *D = (const T *)FactorContribution(s.factor);

    s.block.resize(std::max((size_t)1, r * r * sizeof(T)));
    for (size_t j = 0; j < r; j++) {
      const size_t top = t->options.mode == FACTOR_LU ? 0 : j;

      memcpy((T *)s.block.data() + top + j * r, D + top + j * r, (r - top) * sizeof(T));
    }
    FactorRelease(s.factor);
  } catch (const std::exception &) {
    return FRONT_RANKS_MEMORY;
  }
  return FRONT_RANKS_GOOD;
}

/* Room for all messages, so that a rank that finds no more memory still sends and gets what the others count on. What is not touched is not resident. */
bool ReserveMessages(TreeRanks *t)
{
  const double scalar = (double)t->kernels->scalar;
  size_t       room   = 0;

  for (auto &s : t->shared) room = std::max(room, FrontRanksRoom(s->front));
  return t->inroom.Reserve(t->in * scalar) && t->outroom.Reserve(t->out * scalar) && t->panels.Reserve((double)room);
}

template <class T>
int Numeric(TreeRanks *t, const PetscScalar *rows, const PetscScalar *glue, double norm)
{
  double tiny, replacement;
  int    failed = ReserveMessages(t) ? FRONT_RANKS_GOOD : FRONT_RANKS_MEMORY, all;

  FactorPivots(t->options.single, norm, &tiny, &replacement);
  all = Agree(t->comm, t->map->size, &failed);
  if (!all) {
    for (auto &s : t->subtree) {
      if (!failed) failed = FactorSubtree<T>(t, *s, rows, glue, norm);
    }
    for (auto &s : t->shared) {
      FrontRanksSetPivots(s->front, tiny, replacement);
      failed = std::max(failed, FactorShared<T>(t, *s, rows, glue, failed));
    }
    all = Agree(t->comm, t->map->size, &failed);
  }
  for (auto &s : t->subtree) std::vector<char>().swap(s->block);
  t->inroom.Release();
  t->outroom.Release();
  t->panels.Release();
  return std::max(all, failed);
}

/* Rows of a child's ring in its parent's vector */
template <class T, class Move>
void ForRing(const TreeRanks *t, int node, int k, Move move)
{
  const PlanClass &c   = ClassOf(t, node);
  const int        dof = Dof(t);

  for (int q = 0; q < c.nrun[k]; q++) {
    for (int i = 0; i < c.run[k][q].n * dof; i++) move(c.run[k][q].child * dof + i, c.run[k][q].parent * dof + i);
  }
}

/* The ring's part of the vectors of a node, and the distance of its columns; null where this rank has no part in it */
template <class T>
T *RingOf(const TreeRanks *t, int node, ptrdiff_t *ld)
{
  const PlanClass &c = ClassOf(t, node);

  if (t->subtreeof[node] >= 0) {
    *ld = (ptrdiff_t)c.r * Dof(t);
    return (T *)t->subtree[t->subtreeof[node]]->ring;
  }
  if (t->sharedof[node] >= 0) {
    *ld = (ptrdiff_t)(c.m + c.r) * Dof(t);
    return t->shared[t->sharedof[node]]->v.As<T>() + c.m * Dof(t);
  }
  return nullptr;
}

/* Room for all vectors and messages, and the subtrees' part of the way up */
template <class T>
int SolveSubtrees(TreeRanks *t, FactorTranspose op, bool conj, int nrhs, const PetscScalar *b, ptrdiff_t ldb)
{
  const int dof = Dof(t);

  for (auto &s : t->shared) {
    const PlanClass &c = ClassOf(t, s->node);

    if (!s->v.Reserve((double)(c.m + c.r) * dof * nrhs * sizeof(T)) || FrontRanksReserve(s->front, nrhs)) return FRONT_RANKS_MEMORY;
  }
  for (auto &s : t->subtree) {
    const ptrdiff_t span = (ptrdiff_t)(s->hi - s->lo) * dof, shift = (ptrdiff_t)s->lo * dof;

    if (!s->b.Reserve((double)span * nrhs * sizeof(PetscScalar)) || (t->options.single && !s->x.Reserve((double)span * nrhs * sizeof(T)))) return FRONT_RANKS_MEMORY;
    PetscScalar *to = s->b.As<PetscScalar>();
    for (int q = 0; q < nrhs; q++) {
      for (size_t i = 0; i < s->point.size(); i++) {
        for (int a = 0; a < dof; a++) {
          const PetscScalar v = b[((ptrdiff_t)s->own + (ptrdiff_t)i) * dof + a + q * ldb];

          to[(ptrdiff_t)(s->point[i] - s->lo) * dof + a + q * span] = conj ? PetscConj(v) : v;
        }
      }
    }
    try {
      if (FactorForward(s->factor, op, nrhs, to - shift, span, t->options.single ? s->x.As<T>() - shift : (T *)to - shift, span, &s->ring)) return FRONT_RANKS_MEMORY;
    } catch (const std::exception &) {
      return FRONT_RANKS_MEMORY;
    }
  }
  return FRONT_RANKS_GOOD;
}

template <class T>
int Solve(TreeRanks *t, FactorTranspose trans, int nrhs, const PetscScalar *b, ptrdiff_t ldb, PetscScalar *x, ptrdiff_t ldx)
{
  const int dof = Dof(t);
  /* A^T is A itself, or its conjugate, and then the conjugates are solved for */
  const bool            conj   = t->options.hermitian && trans == FACTOR_TRANS;
  const FactorTranspose op     = t->options.mode == FACTOR_LU ? trans : FACTOR_NOTRANS;
  int                   failed = SolveSubtrees<T>(t, op, conj, nrhs, b, ldb), all = Agree(t->comm, t->map->size, &failed);

  if (all) return all;
  for (auto &s : t->shared) {
    const PlanClass &c = ClassOf(t, s->node);
    const ptrdiff_t  f = (ptrdiff_t)(c.m + c.r) * dof;
    T               *v = s->v.As<T>();

    std::fill(v, v + f * nrhs, T());
    for (int k = 0; k < c.nchild; k++) {
      ptrdiff_t ld   = 0;
      const T  *ring = RingOf<T>(t, t->map->node[s->node].child[k], &ld);

      for (int q = 0; ring && q < nrhs; q++) ForRing<T>(t, s->node, k, [&](int i, int j) { v[j + q * f] += ring[i + q * ld]; });
    }
    for (int q = 0; q < nrhs; q++) {
      for (size_t i = 0; i < s->home.size(); i++) {
        for (int a = 0; a < dof; a++) {
          const T u = Convert<T>(b[((ptrdiff_t)s->own + (ptrdiff_t)i) * dof + a + q * ldb]);

          v[s->home[i] * dof + a + q * f] += conj ? Conj(u) : u;
        }
      }
    }
    failed = std::max(failed, FrontRanksForward(s->front, op, nrhs, v, f));
  }
  for (size_t l = t->shared.size(); l-- > 0;) {
    Shared          &s = *t->shared[l];
    const PlanClass &c = ClassOf(t, s.node);
    const ptrdiff_t  f = (ptrdiff_t)(c.m + c.r) * dof;
    T               *v = s.v.As<T>();

    failed = std::max(failed, FrontRanksBackward(s.front, op, nrhs, v, f));
    for (int k = 0; k < c.nchild; k++) {
      ptrdiff_t ld   = 0;
      T        *ring = RingOf<T>(t, t->map->node[s.node].child[k], &ld);

      for (int q = 0; ring && q < nrhs; q++) ForRing<T>(t, s.node, k, [&](int i, int j) { ring[i + q * ld] = v[j + q * f]; });
    }
    for (int q = 0; q < nrhs; q++) {
      for (size_t i = 0; i < s.home.size(); i++) {
        for (int a = 0; a < dof; a++) {
          const PetscScalar u = (PetscScalar)v[s.home[i] * dof + a + q * f];

          x[((ptrdiff_t)s.own + (ptrdiff_t)i) * dof + a + q * ldx] = conj ? PetscConj(u) : u;
        }
      }
    }
  }
  for (auto &s : t->subtree) {
    const ptrdiff_t span = (ptrdiff_t)(s->hi - s->lo) * dof;
    const T        *from = t->options.single ? s->x.As<T>() : s->b.As<T>();

    try {
      FactorBackward(s->factor);
    } catch (const std::exception &) {
      failed = std::max(failed, (int)FRONT_RANKS_MEMORY);
    }
    for (int q = 0; q < nrhs; q++) {
      for (size_t i = 0; i < s->point.size(); i++) {
        for (int a = 0; a < dof; a++) {
          const PetscScalar u = (PetscScalar)from[(ptrdiff_t)(s->point[i] - s->lo) * dof + a + q * span];

          x[((ptrdiff_t)s->own + (ptrdiff_t)i) * dof + a + q * ldx] = conj ? PetscConj(u) : u;
        }
      }
    }
  }
  all = Agree(t->comm, t->map->size, &failed);
  return std::max(all, failed);
}

} // namespace

TreeRanks *TreeRanksCreate(const Plan *plan, const TreeRanksOptions *options, int *failed)
{
  std::unique_ptr<TreeRanks> t;
  int                        size = 2, rank = 0, found = FRONT_RANKS_GOOD;

  if (MPI_Comm_size(options->comm, &size) || MPI_Comm_rank(options->comm, &rank)) found = FRONT_RANKS_MESSAGE;
  try {
    t.reset(new TreeRanks());
    t->plan    = plan;
    t->options = *options;
    t->rank    = rank;
    t->kernels = FactorFindKernels(options->single, options->isa);
    t->map     = TreeMapCreate(plan, size);
    if (!t->map || !t->kernels) throw std::bad_alloc();
    LayOut(t.get());
  } catch (const std::exception &) {
    found = std::max(found, (int)FRONT_RANKS_MEMORY);
  }
  *failed = Agree(options->comm, size, &found);
  if (*failed) return nullptr;
  if (MPI_Comm_dup(options->comm, &t->comm)) found = FRONT_RANKS_MESSAGE;
  found = std::max(found, Split(t.get(), t->map->nnode - 1));
  for (auto &s : t->shared) {
    const PlanClass  &c = ClassOf(t.get(), s->node);
    FrontRanksOptions o;
    int               code;

    if (s->comm == MPI_COMM_NULL) continue;
    memset(&o, 0, sizeof(o));
    o.comm      = s->comm;
    o.m         = c.m * Dof(t.get());
    o.r         = c.r * Dof(t.get());
    o.block     = options->columns;
    o.cholesky  = options->mode == FACTOR_SPD;
    o.hermitian = options->hermitian;
    o.threshold = options->threshold;
    o.kernels   = t->kernels;
    s->front    = FrontRanksCreate(&o, &code);
    found       = std::max(found, code);
  }
  *failed = Agree(options->comm, size, &found);
  *failed = std::max(*failed, found);
  return *failed ? nullptr : t.release();
}

void TreeRanksDestroy(TreeRanks *tree)
{
  delete tree;
}

PetscInt TreeRanksNeeds(const TreeRanks *tree, const PetscInt **point)
{
  *point = tree->needs.data();
  return (PetscInt)tree->needs.size();
}

PetscInt TreeRanksOwns(const TreeRanks *tree, const PetscInt **point)
{
  *point = tree->owns.data();
  return (PetscInt)tree->owns.size();
}

int TreeRanksNumeric(TreeRanks *tree, const PetscScalar *rows, const PetscScalar *glue, double norm)
{
  return tree->options.single ? Numeric<Single>(tree, rows, glue, norm) : Numeric<Double>(tree, rows, glue, norm);
}

int TreeRanksSolve(TreeRanks *tree, FactorTranspose trans, int nrhs, const PetscScalar *b, ptrdiff_t ldb, PetscScalar *x, ptrdiff_t ldx)
{
  return tree->options.single ? Solve<Single>(tree, trans, nrhs, b, ldb, x, ldx) : Solve<Double>(tree, trans, nrhs, b, ldb, x, ldx);
}

TreeRanksInfo TreeRanksGetInfo(const TreeRanks *t)
{
  TreeRanksInfo info;
  const double  dof = Dof(t), scalar = (double)t->kernels->scalar;
  double        live = 0, most = 0; /* bytes of contribution blocks */

  memset(&info, 0, sizeof(info));
  info.own.isa   = t->kernels->isa;
  info.own.lanes = t->kernels->lanes;
  info.own.ratio = 1;
  info.nlocal    = (int)t->subtree.size();
  info.nfront    = (int)t->shared.size();
  for (auto &s : t->subtree) {
    const FactorInfo of = FactorGetInfo(s->factor);
    const double     r  = dof * s->cls.back().r;

    info.own.entries += of.entries;
    info.own.flops += of.flops;
    info.own.bytes += of.bytes;
    info.own.stack_bytes = std::max(info.own.stack_bytes, of.stack_bytes);
    info.own.batches += of.batches;
    info.own.blocks += of.blocks;
    info.own.replaced += of.replaced;
    info.own.ratio   = std::min(info.own.ratio, of.ratio);
    info.own.threads = of.threads;
    info.own.tasks += of.tasks;
    if (t->subtree.size() > 1) live += r * r * scalar;
  }
  most = live;
  for (auto &s : t->shared) {
    const TreeMapNode &n = t->map->node[s->node];
    const PlanClass   &c = ClassOf(t, s->node);
    const double       m = dof * c.m, r = dof * c.r, f = m + r, size = Size(n);
    double             columns = 0, ring = 0;

    for (int j = 0; j < (int)f; j++) (j < m ? columns : ring) += ColumnRank(t, s->node, j) == t->rank;
    info.own.entries += (t->options.mode == FACTOR_SPD ? m * (m + 1) / 2 + m * r : m * m + 2 * m * r) / size;
    info.own.flops += (t->options.mode == FACTOR_SPD ? m * m * m / 3 + m * m * r + m * r * r : 2 * m * m * m / 3 + 2 * m * m * r + 2 * m * r * r) / size;
    info.own.bytes += (columns * f + ring * m) * scalar;
    if (t->rank == n.first) info.own.replaced += s->replaced;
    info.own.ratio = std::min(info.own.ratio, s->ratio);
    /* Its own block, what comes from the children, and theirs until it has come */
    live += ring * r * scalar;
    double arrives = 0;
    for (int k = 0; k < n.nchild; k++) {
      const double rk = dof * ClassOf(t, n.child[k]).r;

      arrives += rk * rk * scalar / size;
    }
    most = std::max(most, live + arrives);
    for (int k = 0; k < n.nchild; k++) {
      const int    i = t->sharedof[n.child[k]], j = t->subtreeof[n.child[k]];
      const double rk = dof * ClassOf(t, n.child[k]).r;

      if (i >= 0) live -= t->shared[i]->block;
      if (j >= 0 && t->subtree.size() > 1) live -= rk * rk * scalar;
    }
    s->block = ring * r * scalar;
  }
  info.own.stack_bytes += most;
  return info;
}
