/*
  Lays out subtrees, shared fronts, and the ways of contribution blocks.
*/
#include "mat/schwarzschur/tree_layout.h"
#include <new>

namespace treeranks {

static void SubtreePoints(const Plan *plan, int cls, PetscInt origin, std::vector<PetscInt> &points)
{
  const PlanClass &c = plan->cls[cls];

  for (int i = 0; i < c.m; i++) points.push_back(origin + c.offset[i]);
  for (int k = 0; k < c.nchild; k++) SubtreePoints(plan, c.child[k], origin + c.shift[k], points);
}

static void AddSubtree(TreeRanks *t, int node)
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
static void ForEntries(const TreeRanks *t, int node, Put put)
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

static void AddShared(TreeRanks *t, int node)
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

size_t Route::Count(int first, int s, int q) const
{
  size_t count = 0;

  Pieces(first, s, q, [&](int, int, int n, bool) { count += (size_t)n; });
  return count;
}

/* Buffers are for the front that needs most */
static void AddRoutes(TreeRanks *t, Shared &s)
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

} // namespace treeranks
