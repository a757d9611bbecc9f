/* Elimination trees of structured grids against a factorization of the pattern, entry by entry */
#include "mat/schwarzschur/plan.h"
#include <cstdio>
#include <iterator>
#include <set>
#include <vector>

typedef std::vector<std::set<PetscInt>> Graph;

static Graph Couplings(const Plan *plan)
{
  const PlanGrid &g = plan->grid;
  Graph           graph(plan->npoints);

  for (PetscInt p = 0; p < plan->npoints; p++) {
    const PetscInt c[3] = {p % g.size[0], p / g.size[0] % g.size[1], p / g.size[0] / g.size[1]};

    for (int k = 0; k < plan->nstencil; k++) {
      PetscInt t[3];
      bool     inside = true;

      for (int d = 0; d < 3; d++) {
        t[d] = c[d] + plan->stencil[k][d];
        if (g.periodic[d]) t[d] = (t[d] + 4 * g.size[d]) % g.size[d];
        inside = inside && t[d] >= 0 && t[d] < g.size[d];
      }
      if (inside) graph[p].insert(t[0] + g.size[0] * (t[1] + g.size[1] * t[2]));
    }
  }
  return graph;
}

struct Checker {
  const Plan       *plan;
  const Graph       couplings;
  Graph             graph; /* with fill, of what is not eliminated yet */
  std::vector<bool> gone;
  int               errors  = 0;
  double            entries = 0;

  explicit Checker(const Plan *p) : plan(p), couplings(Couplings(p)), graph(couplings), gone(p->npoints, false) {}

  void Fail(const char *text, PetscInt point)
  {
    if (errors++ < 5) printf("%s: point %d\n", text, (int)point);
  }

  /* Eliminates what lies below and in a front */
  void Front(int cls, PetscInt origin)
  {
    const PlanClass      &c = plan->cls[cls];
    std::vector<PetscInt> points(c.m + c.r);
    std::set<PetscInt>    ring;

    for (int k = 0; k < c.nchild; k++) Front(c.child[k], origin + c.shift[k]);
    for (int k = 0; k < c.m + c.r; k++) {
      points[k] = origin + c.offset[k];
      if (points[k] < 0 || points[k] >= plan->npoints) return Fail("a point lies outside", points[k]);
      if (gone[points[k]]) Fail("a point is in a front after its elimination", points[k]);
    }
    for (int k = 0; k < c.nchild; k++) {
      const PlanClass &child = plan->cls[c.child[k]];
      int              n     = 0;

      for (int q = 0; q < c.nrun[k]; q++) {
        const PlanRun &run = c.run[k][q];

        if (run.child != n) Fail("runs have gaps", origin);
        for (int i = 0; i < run.n; i++, n++) {
          if (run.parent + i >= c.m + c.r || run.child + i >= child.r || points[run.parent + i] != origin + c.shift[k] + child.offset[child.m + run.child + i]) Fail("a run leads to another point", origin);
        }
        if (run.parent < c.m && run.parent + run.n > c.m) Fail("a run crosses into the ring", origin);
      }
      if (n != child.r) Fail("runs miss points", origin);
    }
    for (int k = 0; k < c.nrow; k++) {
      const PlanRow &row  = c.row[k];
      const PetscInt p    = origin + row.offset;
      const auto    &full = couplings[p];

      if (points[row.row] != p || (k < c.nsrow) != (row.row < c.m)) Fail("a row stands in the wrong place", p);
      for (int e = row.first; e < row.first + row.n; e++) {
        const PlanEntry &entry = c.entry[e];
        const PetscInt   q     = points[entry.col];

        if (!full.count(q)) Fail("an entry that the stencil lacks", p);
        if (PlanSlot(plan, p, q) != entry.slot) Fail("an entry in the wrong slot", p);
        if ((int)std::distance(full.begin(), full.find(q)) != entry.rank) Fail("an entry of the wrong rank", p);
        entries++;
      }
    }
    std::set<PetscInt> S(points.begin(), points.begin() + c.m), inring(points.begin() + c.m, points.end());
    if ((int)S.size() != c.m || (int)inring.size() != c.r) Fail("a point is twice in a front", origin);
    /* Points of S first, in any order: what they leave coupled is the ring and nothing else */
    for (PetscInt p : S) {
      if (gone[p]) continue;
      gone[p] = true;
      graph[p].erase(p);
      for (PetscInt a : graph[p]) {
        if (!S.count(a)) ring.insert(a);
        graph[a].erase(p);
        for (PetscInt b : graph[p]) graph[a].insert(b);
      }
    }
    for (PetscInt p : ring) {
      if (!inring.count(p)) Fail("a coupled point is missing in the ring", p);
    }
    for (PetscInt p : inring) {
      if (!ring.count(p)) Fail("a point of the ring is not coupled", p);
    }
  }
};

static int Check(const PlanGrid &grid, int leaf, int block)
{
  char  text[256];
  Plan *plan = PlanCreate(&grid, leaf, block, text, sizeof(text));

  if (!plan) {
    printf("no plan: %s\n", text);
    return 1;
  }
  Checker check(plan);
  double  count = 0, fronts = 0, entries = 0;

  check.Front(plan->root, plan->rootorigin);
  for (PetscInt p = 0; p < plan->npoints; p++) {
    if (!check.gone[p]) check.Fail("a point is never eliminated", p);
    entries += (double)check.couplings[p].size();
  }
  for (int i = 0; i < plan->nclass; i++) {
    count += plan->cls[i].count * plan->cls[i].m;
    fronts += plan->cls[i].count;
  }
  if (count != (double)plan->npoints || fronts != (double)plan->nfronts) check.Fail("the classes count other points or fronts", 0);
  if (check.entries != entries) check.Fail("entries of the matrix are lost or taken twice", 0);
  if (check.errors) printf("  grid %d x %d x %d, width %d, star %d, separators %d, leaf %d, block %d\n", (int)grid.size[0], (int)grid.size[1], (int)grid.size[2], grid.width, grid.star, (int)grid.separators, leaf, block);
  PlanDestroy(plan);
  return check.errors > 0;
}

int main()
{
  const PetscInt sizes[][2] = {{1, 1}, {2, 2}, {1, 9}, {9, 1}, {3, 3}, {2, 40}, {5, 4}, {16, 16}, {17, 23}, {30, 41}, {64, 20}, {45, 46}};
  int            bad = 0, n = 0;

  for (const auto &size : sizes) {
    for (int separators = 0; separators < 3; separators++) {
      for (int block : {0, 6, 7, 24}) {
        const PlanGrid star = {2, {size[0], size[1], 1}, 1, 1, true, {false, false, false}, PLAN_PLAIN, (PlanSeparators)separators};
        PlanGrid       full = star;

        bad += Check(star, block == 6 ? 1 : 0, block);
        n++;
        if (separators) continue;
        full.star = false;
        bad += Check(full, 0, block);
        full.width = 2;
        bad += Check(full, 0, block);
        full.width       = 1;
        full.periodic[1] = true;
        bad += Check(full, 0, block);
        n += 3;
      }
    }
  }
  for (int star = 0; star < 2; star++) {
    const PlanGrid space = {3, {9, 10, 11}, 1, 1, star != 0, {false, false, star != 0}, PLAN_PLAIN, PLAN_SEPARATORS_AUTO};

    bad += Check(space, 0, 0);
    n++;
  }
  /* Diagonals are there to save work */
  double flops[2];
  for (int k = 0; k < 2; k++) {
    const PlanGrid grid = {2, {129, 129, 1}, 1, 1, true, {false, false, false}, PLAN_PLAIN, k ? PLAN_SEPARATORS_AUTO : PLAN_SEPARATORS_STRAIGHT};
    char           text[256];
    Plan          *plan = PlanCreate(&grid, 0, 0, text, sizeof(text));

    if (!plan || plan->diagonal != (k == 1)) {
      printf("separators of the wrong kind\n");
      return 1;
    }
    flops[k] = PlanCounts(plan).lu_flops;
    PlanDestroy(plan);
  }
  if (flops[1] > 0.6 * flops[0]) {
    printf("%g Mflop with diagonal separators, %g with straight ones\n", flops[1] * 1e-6, flops[0] * 1e-6);
    bad++;
  }
  printf("%d trees, %d of them wrong\n", n, bad);
  return bad > 0;
}
