/*
  Deals the fronts of a plan to ranks, and counts what that costs.
*/
#include "mat/schwarzschur/tree_map.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <memory>
#include <vector>

namespace {

/* An end of an interval of ranks that is this close to a whole number is moved there: a rank with a tenth of its time for a second front only makes messages */
const double SNAP = 0.1;
/* Subtrees with less than this part of a rank's share of the work are not worth messages */
const double SMALL = 1. / 8;

struct Map : public TreeMap {
  std::vector<TreeMapNode> nodes;
  std::vector<int>         shared;
};

double FrontFlops(const Plan *plan, int cls)
{
  const double d = plan->grid.dof, m = d * plan->cls[cls].m, r = d * plan->cls[cls].r;

  return 2 * m * m * m / 3 + 2 * m * m * r + 2 * m * r * r;
}

int Clamp(int i, int least, int most)
{
  return std::min(std::max(i, least), most);
}

class Mapper {
  const Plan               *plan;
  int                       size;
  std::vector<TreeMapNode> &nodes;
  std::vector<double>       below; /* flops of the subtree of each class */

public:
  Mapper(const Plan *p, int s, std::vector<TreeMapNode> &n) : plan(p), size(s), nodes(n), below(p->nclass)
  {
    for (int i = 0; i < plan->nclass; i++) {
      below[i] = FrontFlops(plan, i);
      for (int k = 0; k < plan->cls[i].nchild; k++) below[i] += below[plan->cls[i].child[k]];
    }
  }

  /*
    The interval [a, b] of ranks, of which first..last - 1 may be used, those of the parent; returns the index of the node. Where a split is moved to an end of the parent's interval, that of a child is empty:
    it is work for one rank, the parent's next to the split.
  */
  int Node(int cls, PetscInt origin, double a, double b, int first, int last)
  {
    const PlanClass &c = plan->cls[cls];
    TreeMapNode      n;

    memset(&n, 0, sizeof(n));
    n.cls    = cls;
    n.origin = origin;
    n.parent = -1;
    n.first  = Clamp((int)a, first, last - 1);
    n.last   = Clamp((int)std::ceil(b), n.first + 1, last);
    n.local  = n.last - n.first == 1 || c.block || below[cls] <= SMALL * below[plan->root] / size;
    if (n.local) {
      n.flops = below[cls];
      n.first = Clamp((int)((a + b) / 2), n.first, n.last - 1);
      n.last  = n.first + 1;
    } else {
      double ends[3] = {a, b, b};

      n.flops  = FrontFlops(plan, cls);
      n.nchild = c.nchild;
      if (c.nchild == 2) {
        const double w0 = below[c.child[0]], w1 = below[c.child[1]];

        ends[1] = w0 + w1 > 0 ? a + (b - a) * w0 / (w0 + w1) : (a + b) / 2;
        if (std::fabs(ends[1] - std::round(ends[1])) < SNAP) ends[1] = std::min(b, std::max(a, std::round(ends[1])));
      }
      for (int k = 0; k < c.nchild; k++) n.child[k] = Node(c.child[k], origin + c.shift[k], ends[k], ends[k + 1], n.first, n.last);
    }
    for (int k = 0; k < n.nchild; k++) nodes[n.child[k]].parent = (int)nodes.size();
    nodes.push_back(n);
    return (int)nodes.size() - 1;
  }
};

/* When each rank is done, in flops that it has done or waited for */
class Clocks {
  std::vector<double> clock;

public:
  explicit Clocks(int size) : clock(size, 0.0) {}

  double Start(const TreeMapNode &n) const
  {
    return *std::max_element(clock.begin() + n.first, clock.begin() + n.last);
  }
  void Do(const TreeMapNode &n)
  {
    const double end = Start(n) + n.flops / (n.last - n.first);

    std::fill(clock.begin() + n.first, clock.begin() + n.last, end);
  }
  double End() const
  {
    return *std::max_element(clock.begin(), clock.end());
  }
};

/* Always the front that can begin first, and of those the one with most work between it and the root */
void Order(const TreeMap *map, std::vector<int> &order)
{
  Clocks              clocks(map->size);
  std::vector<double> above(map->nnode, 0.0);
  std::vector<int>    waits(map->nnode, 0), ready;

  for (int i = map->nnode - 1; i >= 0; i--) {
    const TreeMapNode &n = map->node[i];

    if (n.parent >= 0) above[i] = above[n.parent];
    above[i] += n.local ? 0 : n.flops / (n.last - n.first);
    if (n.local) clocks.Do(n);
    for (int k = 0; k < n.nchild; k++) waits[i] += !map->node[n.child[k]].local;
    if (!n.local && !waits[i]) ready.push_back(i);
  }
  while (!ready.empty()) {
    size_t best  = 0;
    double start = clocks.Start(map->node[ready[0]]);

    for (size_t k = 1; k < ready.size(); k++) {
      const double s = clocks.Start(map->node[ready[k]]);

      if (s > start || (s == start && above[ready[k]] <= above[ready[best]])) continue;
      best  = k;
      start = s;
    }
    const int i = ready[best];
    ready.erase(ready.begin() + (ptrdiff_t)best);
    order.push_back(i);
    clocks.Do(map->node[i]);
    const int parent = map->node[i].parent;
    if (parent >= 0 && --waits[parent] == 0) ready.push_back(parent);
  }
}

} // namespace

TreeMap *TreeMapCreate(const Plan *plan, int size)
{
  try {
    std::unique_ptr<Map> map(new Map());

    Mapper(plan, size, map->nodes).Node(plan->root, plan->rootorigin, 0, size, 0, size);
    map->size  = size;
    map->nnode = (int)map->nodes.size();
    map->node  = map->nodes.data();
    Order(map.get(), map->shared);
    map->nshared = (int)map->shared.size();
    map->order   = map->shared.data();
    return map.release();
  } catch (const std::exception &) {
    return nullptr;
  }
}

void TreeMapDestroy(TreeMap *map)
{
  delete (Map *)map;
}

namespace {

std::vector<int> Levels(const TreeMap *map)
{
  std::vector<int> level(map->nnode, 0);

  for (int i = map->nnode - 1; i >= 0; i--) {
    if (map->node[i].parent >= 0) level[i] = level[map->node[i].parent] + 1;
  }
  return level;
}

} // namespace

TreeMapCount TreeMapCounts(const TreeMap *map)
{
  const std::vector<int> level = Levels(map);
  std::vector<double>    busy(map->size, 0.0); /* of each rank, in flops */
  Clocks                 clocks(map->size);
  TreeMapCount           n;

  memset(&n, 0, sizeof(n));
  for (int i = 0; i < map->nnode; i++) {
    const TreeMapNode &t = map->node[i];

    n.total += t.flops;
    for (int p = t.first; p < t.last; p++) busy[p] += t.flops / (t.last - t.first);
    if (t.local) {
      n.nlocal++;
      clocks.Do(t);
    } else {
      n.nfront++;
      n.levels = std::max(n.levels, level[i] + 1);
    }
  }
  for (int k = 0; k < map->nshared; k++) clocks.Do(map->node[map->order[k]]);
  n.path    = clocks.End();
  n.largest = *std::max_element(busy.begin(), busy.end());
  return n;
}

void TreeMapLevels(const Plan *plan, const TreeMap *map, int columns, TreeMapLevel level[])
{
  const std::vector<int> of = Levels(map);
  const double           d  = plan->grid.dof;

  for (int i = 0; i < map->nnode; i++) {
    const TreeMapNode &t = map->node[i];
    const PlanClass   &c = plan->cls[t.cls];
    const double       m = d * c.m, r = d * c.r, f = m + r;
    const int          p = t.last - t.first;

    if (t.local) continue;
    TreeMapLevel &l = level[of[i]];
    l.nfront++;
    l.ranks = std::max(l.ranks, p);
    l.m     = std::max(l.m, m);
    l.f     = std::max(l.f, f);
    l.flops += t.flops;
    /* A panel has the rows from its diagonal down, and goes to all others */
    const double panels = std::ceil(m / columns);
    l.panels += panels * (p - 1);
    l.panel_entries += (m * f - m * (m - 1) / 2) * (p - 1);
    for (int k = 0; k < t.nchild; k++) {
      const TreeMapNode &child = map->node[t.child[k]];
      const double       rk = d * plan->cls[child.cls].r, pk = child.last - child.first;

      /* Every rank of the child has something for every one of the parent, but not for itself */
      l.blocks += pk * p - pk;
      l.block_entries += rk * rk * (1 - 1. / p);
    }
  }
}
