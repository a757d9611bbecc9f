/*
  Drives the subtrees and the shared fronts of an elimination tree over ranks, and moves between them what one leaves to the next.
*/
#include "mat/schwarzschur/tree_layout.h"
#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

using namespace treeranks;

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

/* Of the largest panels' places */
double PanelBytes(const TreeRanks *t)
{
  size_t room = 0;

  for (auto &s : t->shared) room = std::max(room, FrontRanksRoom(s->front));
  return (double)room;
}

/* Room for all messages, so that a rank that finds no more memory still sends and gets what the others count on. What is not touched is not resident. */
bool ReserveMessages(TreeRanks *t)
{
  const double scalar = (double)t->kernels->scalar;

  return t->inroom.Reserve(t->in * scalar) && t->outroom.Reserve(t->out * scalar) && t->panels.Reserve(PanelBytes(t));
}
double MessageBytes(const TreeRanks *t)
{
  return (t->in + t->out) * (double)t->kernels->scalar + PanelBytes(t);
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
      FrontRanksSetPivots(s->front, tiny, replacement, norm);
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
    /* Its own block, and the children's until they have been sent */
    live += ring * r * scalar;
    most = std::max(most, live);
    for (int k = 0; k < n.nchild; k++) {
      const int    i = t->sharedof[n.child[k]], j = t->subtreeof[n.child[k]];
      const double rk = dof * ClassOf(t, n.child[k]).r;

      if (i >= 0) live -= t->shared[i]->block;
      if (j >= 0 && t->subtree.size() > 1) live -= rk * rk * scalar;
    }
    s->block = ring * r * scalar;
  }
  info.own.stack_bytes += most + MessageBytes(t);
  return info;
}
