/*
  Numerical factorization and solves along a Plan, on the ranks of a communicator that a TreeMap deals it to.

  Each rank first eliminates its subtrees, as a Factor each, and then takes its part in the fronts above them, in the map's order. That order is the same on
  all ranks, so nobody waits for somebody who waits for him.

  What a rank sends and gets in a front follows from the plan alone, and the room for it is found before the first front. So a rank that fails in the middle still takes part in all
  messages, in which it sends word of that instead of numbers, and all agree once, after the last front.
*/
#pragma once

#include "mat/schwarzschur/front_ranks.h"
#include "mat/schwarzschur/tree_map.h"

struct TreeRanksOptions {
  MPI_Comm    comm;
  FactorMode  mode;
  bool        single, hermitian;
  int         threads;
  int         columns; /* of a block of columns, 0 for the default */
  double      threshold;
  const char *isa; /* null for the best that the processor has */
};

struct TreeRanksInfo {
  FactorInfo own;            /* of this rank; a front counts by its share */
  int        nlocal, nfront; /* subtrees of this rank, and fronts that it shares */
};

struct TreeRanks;

/*
  Collective. Null on all ranks when memory runs out or a message fails, with FRONT_RANKS_MEMORY or FRONT_RANKS_MESSAGE in failed, the same on all ranks. The plan, whose glue has been set, must outlive what is made. Communicators are made, but numbers are only given room by
  the first TreeRanksNumeric().
*/
TreeRanks *TreeRanksCreate(const Plan *plan, const TreeRanksOptions *options, int *failed);
void       TreeRanksDestroy(TreeRanks *tree);
/* Points whose matrix rows this rank has to see, ascending; and those whose unknowns it solves for, each of which belongs to one rank */
PetscInt TreeRanksNeeds(const TreeRanks *tree, const PetscInt **point);
PetscInt TreeRanksOwns(const TreeRanks *tree, const PetscInt **point);
/*
  Collective. The matrix rows of the points that are needed, in that order, each with its stencil by slots, without gaps; glue holds the values that the plan's glue
  counts. norm as for FactorNumeric(), whose results are returned, or FRONT_RANKS_MESSAGE, the same on all ranks.
*/
int TreeRanksNumeric(TreeRanks *tree, const PetscScalar *rows, const PetscScalar *glue, double norm);
/* Collective. Vectors hold the unknowns of the points that this rank owns, in that order. Returns 0, FRONT_RANKS_MEMORY or FRONT_RANKS_MESSAGE, the same on all ranks. */
int           TreeRanksSolve(TreeRanks *tree, FactorTranspose trans, int nrhs, const PetscScalar *b, ptrdiff_t ldb, PetscScalar *x, ptrdiff_t ldx);
TreeRanksInfo TreeRanksGetInfo(const TreeRanks *tree);
