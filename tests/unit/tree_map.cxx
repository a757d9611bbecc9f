/*
  How elimination trees are dealt to ranks: that every unknown belongs to one rank, and that ranks get equal shares. With the argument table it prints what that costs, from
  the plan alone, for square grids and cubes.
*/
#include "mat/schwarzschur/tree_map.h"
#include "tests/unit/random.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

static Plan *MakePlan(int dim, PetscInt nx, PetscInt ny, PetscInt nz, int dof, bool star, bool periodic, PlanTopology topology)
{
  PlanGrid g;
  char     error[256];

  memset(&g, 0, sizeof(g));
  g.dim         = dim;
  g.size[0]     = nx;
  g.size[1]     = ny;
  g.size[2]     = nz;
  g.dof         = dof;
  g.width       = 1;
  g.star        = star;
  g.periodic[0] = periodic;
  g.topology    = topology;
  return PlanCreate(&g, 0, 0, error, sizeof(error));
}

static int  errors = 0;
static long maps   = 0;

static void Expect(bool good, const char text[], const Plan *plan, int size, double value)
{
  if (!good && errors++ < 20) printf("%d x %d x %d points, %d ranks: %s (%g)\n", (int)plan->grid.size[0], (int)plan->grid.size[1], (int)plan->grid.size[2], size, text, value);
}

/* Counts how often each point is eliminated */
static void Count(const Plan *plan, int cls, PetscInt origin, bool below, std::vector<int> &times)
{
  const PlanClass &c = plan->cls[cls];

  for (int i = 0; i < c.m; i++) times[origin + c.offset[i]]++;
  for (int k = 0; k < c.nchild && below; k++) Count(plan, c.child[k], origin + c.shift[k], true, times);
}

/* What communication relies on: a front's ranks are among its parent's, and all ranks can work on the fronts in the order */
static void CheckRanks(const Plan *plan, const TreeMap *map)
{
  const int size  = map->size;
  int       roots = 0;

  for (int i = 0; i < map->nnode; i++) {
    const TreeMapNode &n = map->node[i];

    Expect(n.first >= 0 && n.first < n.last && n.last <= size, "a front has no ranks", plan, size, i);
    Expect(!n.local || (n.last - n.first == 1 && n.nchild == 0), "a subtree has several ranks", plan, size, i);
    Expect(n.local || n.last - n.first > 1, "a shared front has one rank", plan, size, i);
    if (n.parent < 0) {
      roots++;
      continue;
    }
    const TreeMapNode &p = map->node[n.parent];
    Expect(n.parent > i && (p.child[0] == i || (p.nchild > 1 && p.child[1] == i)), "a parent is not after its child", plan, size, i);
    Expect(n.first >= p.first && n.last <= p.last, "ranks of a front are not its parent's", plan, size, i);
  }
  std::vector<bool> done(map->nnode, false);
  for (int k = 0; k < map->nshared; k++) {
    const TreeMapNode &n = map->node[map->order[k]];

    Expect(!n.local && !done[map->order[k]], "the order has a front twice, or a subtree", plan, size, k);
    for (int i = 0; i < n.nchild; i++) Expect(map->node[n.child[i]].local || done[n.child[i]], "a parent comes before its child", plan, size, k);
    done[map->order[k]] = true;
  }
  for (int i = 0; i < map->nnode; i++) Expect(map->node[i].local || done[i], "a front is missing in the order", plan, size, i);
  Expect(roots == 1 && map->node[map->nnode - 1].parent < 0, "the root is not the last", plan, size, roots);
  const TreeMapNode &root = map->node[map->nnode - 1];
  Expect(root.local || (root.first == 0 && root.last == size), "the root is not everyone's", plan, size, root.last);
}

static void Check(const Plan *plan, int size)
{
  TreeMap         *map = TreeMapCreate(plan, size);
  std::vector<int> times(plan->npoints, 0);

  CheckRanks(plan, map);
  for (int i = 0; i < map->nnode; i++) Count(plan, map->node[i].cls, map->node[i].origin, map->node[i].local, times);
  Expect(*std::min_element(times.begin(), times.end()) == 1 && *std::max_element(times.begin(), times.end()) == 1, "a point is not eliminated once", plan, size, 0);
  const TreeMapCount count = TreeMapCounts(map);
  Expect(count.path >= count.largest * (1 - 1e-12) && count.largest * size >= count.total * (1 - 1e-12), "the counts contradict each other", plan, size, count.path);
  TreeMapDestroy(map);
}

/* A grid on a third of the numbers of ranks from 2 to 32, and on some larger ones */
static void CheckSizes(PlanGrid g)
{
  char  error[256];
  Plan *plan = PlanCreate(&g, 0, 0, error, sizeof(error));

  for (int size = 2 + (int)((g.size[0] + 2 * g.size[1]) % 3); size <= 80; size += size < 32 ? 3 : 21) {
    TreeMap *map = TreeMapCreate(plan, size);

    CheckRanks(plan, map);
    TreeMapDestroy(map);
    maps++;
  }
  PlanDestroy(plan);
}

/* One grid of so many */
static void Many(int thin)
{
  Random   random = {3};
  PlanGrid g;

  for (int k = 0; k < 1500; k++) {
    const double kind = random();

    memset(&g, 0, sizeof(g));
    g.dim     = k % 4 ? 2 : 3;
    g.width   = 1;
    g.dof     = 1 + (int)(3 * kind * kind);
    g.star    = random() < 0.6;
    g.size[2] = 1;
    for (int d = 0; d < g.dim; d++) {
      g.size[d]     = 1 + (PetscInt)(random() * (g.dim > 2 ? 20 : k % 3 ? 64 : 200));
      g.periodic[d] = random() < 0.1;
    }
    if (k % 7 == 0) g.separators = PLAN_SEPARATORS_STRAIGHT;
    if (k % 7 == 1 && PlanDiagonal(&g)) g.separators = PLAN_SEPARATORS_DIAGONAL;
    if (k % thin == 0) CheckSizes(g);
  }
  for (PetscInt nx = 1; nx <= 200; nx += nx < 64 ? 1 : 9) {
    for (PetscInt ny = 1; ny <= 200; ny += ny < 64 ? 1 : 9) {
      if ((nx > 64 && ny < 33) || (nx + 7 * ny) % thin) continue;
      memset(&g, 0, sizeof(g));
      g.dim     = 2;
      g.width   = 1;
      g.dof     = 1;
      g.star    = (nx + ny) % 3 != 0;
      g.size[0] = nx;
      g.size[1] = ny;
      g.size[2] = 1;
      CheckSizes(g);
    }
  }
}

static void Balance(const Plan *plan, int size, double most)
{
  TreeMap           *map   = TreeMapCreate(plan, size);
  const TreeMapCount count = TreeMapCounts(map);

  Expect(count.largest * size <= most * count.total, "the busiest rank does too much", plan, size, count.largest * size / count.total);
  Expect(count.path * size <= 1.25 * most * count.total, "fronts wait for each other", plan, size, count.path * size / count.total);
  TreeMapDestroy(map);
}

static void Table(int dim, PetscInt n, bool levels)
{
  Plan *plan = MakePlan(dim, n, n, dim > 2 ? n : 1, 1, false, false, PLAN_PLAIN);

  printf("\n%d^%d points, LU, %.4g Gflop\n%6s %9s %7s %9s %12s %12s %9s %11s %11s %11s %11s\n", (int)n, dim, 1e-9 * PlanCounts(plan).lu_flops, "ranks", "subtrees", "fronts", "levels", "path Gflop", "speed-up", "busiest", "block msgs", "block MB",
         "panel msgs", "panel MB");
  for (int size = 4; size <= 1024; size *= 2) {
    TreeMap                  *map   = TreeMapCreate(plan, size);
    const TreeMapCount        count = TreeMapCounts(map);
    std::vector<TreeMapLevel> level(count.levels);
    TreeMapLevel              sum;

    memset(level.data(), 0, level.size() * sizeof(TreeMapLevel));
    memset(&sum, 0, sizeof(sum));
    TreeMapLevels(plan, map, 64, level.data());
    for (const TreeMapLevel &l : level) {
      sum.blocks += l.blocks;
      sum.block_entries += l.block_entries;
      sum.panels += l.panels;
      sum.panel_entries += l.panel_entries;
    }
    printf("%6d %9d %7d %9d %12.4g %12.1f %9.3f %11.4g %11.4g %11.4g %11.4g\n", size, count.nlocal, count.nfront, count.levels, 1e-9 * count.path, count.total / count.path, size * count.largest / count.total, sum.blocks, 8e-6 * sum.block_entries,
           sum.panels, 8e-6 * sum.panel_entries);
    if (levels && (size == 64 || size == 1024)) {
      printf("  level %8s %7s %8s %8s %12s %12s %11s %11s %11s\n", "fronts", "ranks", "m", "f", "Gflop", "block msgs", "block MB", "panel msgs", "panel MB");
      for (size_t k = 0; k < level.size(); k++)
        printf("  %5d %8d %7d %8.0f %8.0f %12.4g %12.4g %11.4g %11.4g %11.4g\n", (int)k, level[k].nfront, level[k].ranks, level[k].m, level[k].f, 1e-9 * level[k].flops, level[k].blocks, 8e-6 * level[k].block_entries, level[k].panels,
               8e-6 * level[k].panel_entries);
    }
    TreeMapDestroy(map);
  }
  PlanDestroy(plan);
}

int main(int argc, char **argv)
{
  if (argc > 1 && !strcmp(argv[1], "table")) {
    printf("What a factorization over ranks costs by the tree alone: subtrees of one rank each, fronts that ranks share, the levels of these, the longest chain of work in which one\n"
           "waits for the other (a front's work divided by its ranks), total work by that chain, the busiest rank's work by the mean, and what is sent in all: contribution blocks\n"
           "of children, and eliminated panels of 64 columns to all other ranks of a front. 9-point and 27-point stencils, one unknown for each point, double precision.\n");
    for (PetscInt n = 513; n <= 4097; n = 2 * n - 1) Table(2, n, n == 4097);
    for (PetscInt n = 33; n <= 129; n = 2 * n - 1) Table(3, n, n == 129);
    return 0;
  }
  const int sizes[] = {1, 2, 3, 4, 7, 8, 13, 64, 100};
  Plan     *plans[] = {MakePlan(2, 65, 65, 1, 1, false, false, PLAN_PLAIN),  MakePlan(2, 100, 37, 1, 2, true, false, PLAN_PLAIN), MakePlan(2, 50, 50, 1, 1, false, true, PLAN_PLAIN), MakePlan(2, 40, 40, 1, 1, false, false, PLAN_OCTAHEDRAL),
                       MakePlan(3, 17, 12, 20, 1, false, false, PLAN_PLAIN), MakePlan(1, 300, 1, 1, 1, true, false, PLAN_PLAIN),  MakePlan(2, 3, 4, 1, 1, false, false, PLAN_PLAIN),  MakePlan(3, 1, 1, 1, 1, false, false, PLAN_PLAIN)};

  for (Plan *plan : plans) {
    for (int size : sizes) Check(plan, size);
    PlanDestroy(plan);
  }
  Plan *square = MakePlan(2, 513, 513, 1, 1, false, false, PLAN_PLAIN), *oblong = MakePlan(2, 300, 517, 1, 1, true, false, PLAN_PLAIN), *cube = MakePlan(3, 33, 33, 33, 1, false, false, PLAN_PLAIN);
  for (int size = 2; size <= 16; size++) {
    Balance(square, size, 1.4);
    Balance(oblong, size, 1.6);
    Balance(cube, size, 1.4);
  }
  PlanDestroy(square);
  PlanDestroy(oblong);
  PlanDestroy(cube);
  Many(argc > 1 ? std::max(1, atoi(argv[1])) : 1);
  if (getenv("UNIT_VERBOSE")) printf("#  %ld maps\n", maps);
  printf(errors ? "not ok - %d\n" : "ok\n", errors);
  return errors > 0;
}
