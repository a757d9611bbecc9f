/*
  Which ranks work on which fronts of a plan.

  Every rank knows the whole plan, and maps it in the same way: the root belongs to all ranks, and the children of a front share its interval of ranks in
  proportion to the work in their subtrees. A subtree whose interval lies within one rank, or which is too small to be worth messages, belongs to that rank
  alone. The columns of the fronts above are dealt to the ranks of their intervals.
*/
#pragma once

#include "mat/schwarzschur/plan.h"

/* A front that several ranks share, or the root of a subtree that one rank eliminates */
struct TreeMapNode {
  int      cls, parent, nchild, child[2];
  PetscInt origin;
  int      first, last; /* its ranks are first..last - 1 */
  bool     local;       /* a subtree of rank first; it has no children here */
  double   flops;       /* of the front, or of the whole subtree, without use of symmetry */
};

/*
  Nodes are in postorder, the root is the last. All ranks work on shared fronts in the same order, so nobody waits for somebody who waits for him. A rank at the end of an interval is often also
  in the next one; in postorder, the fronts of a level would then wait for each other from left to right, so the order is the one in which fronts can begin.
*/
struct TreeMap {
  int          size, nnode;
  TreeMapNode *node;
  int          nshared;
  int         *order; /* the shared fronts, children before parents */
};

/* The operations by which the longest chain of fronts that wait for each other takes, and who does most; all without use of symmetry */
struct TreeMapCount {
  double total, path, largest; /* flops of all, of the chain, of the busiest rank */
  int    nlocal, nfront, levels;
};

/* What is sent in the fronts of one distance from the root */
struct TreeMapLevel {
  int    nfront, ranks; /* ranks of the largest interval */
  double m, f;          /* unknowns of the largest separator and front */
  double flops;         /* of all fronts on the level */
  double blocks;        /* messages and entries that carry contribution blocks of the children */
  double block_entries;
  double panels; /* and eliminated panels */
  double panel_entries;
};

/* A pure function of its arguments. Null when memory runs out. */
TreeMap     *TreeMapCreate(const Plan *plan, int size);
void         TreeMapDestroy(TreeMap *map);
TreeMapCount TreeMapCounts(const TreeMap *map);
/* Fills level[0 .. levels - 1], the root's first; columns is the number of columns of a panel */
void TreeMapLevels(const Plan *plan, const TreeMap *map, int columns, TreeMapLevel level[]);
