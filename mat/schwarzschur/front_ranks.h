/*
  A front whose columns are spread over the ranks of a communicator.

  The m columns of the separator S come first, the r columns of the ring after them. Columns are dealt round to the ranks in blocks; the ring starts a new block. Entries have the
  type of the kernels, and a column has f = m + r of them, one after the other. With Cholesky only rows from the diagonal down are read and written, and the contribution block
  is its lower triangle.

  A right-hand side reaches a front as shares: every rank has a vector, and their sum is meant. So sums over ranks are only made where a block of S is solved for, and what the
  ring receives stays in shares for the next front. Sums are made in the order of the ranks: the same ranks find the same bits in every run.

  No rank may leave out a call that is marked collective. Those do not agree on failures: a rank that has failed sends what the others wait for all the same, marked as bad where they would use it, and
  goes on to the next call. Who has brought all fronts to their end asks once whether anyone has failed. Messages have the tags 1 to 3.
*/
#pragma once

#include "mat/schwarzschur/factor.h"

struct FrontRanksOptions {
  MPI_Comm             comm;                               /* its ranks share the columns; not duplicated, and must outlive the front */
  int                  m, r;                               /* unknowns of the separator and of the ring */
  int                  block;                              /* columns of a block, 0 for the default */
  bool                 cholesky, hermitian;                /* Hermitian matters to Cholesky only, which solves with L^H where it is set and with L^T where not */
  double               threshold, tiny, replacement, norm; /* as in FactorData */
  const FactorKernels *kernels;                            /* whose type the numbers have */
};

/* What the calls return. A message fails only where MPI is told to return errors. */
enum { FRONT_RANKS_GOOD, FRONT_RANKS_NOT_POSITIVE, FRONT_RANKS_NOT_FINITE, FRONT_RANKS_MEMORY, FRONT_RANKS_MESSAGE };

struct FrontRanks;

/* The rank of a column. The second one needs no front: block 0 is the default, size the number of ranks. */
int FrontRanksOwner(const FrontRanks *, int col);
int FrontRanksOwner(int m, int r, int block, int size, int col);

/* Null and in failed FRONT_RANKS_MEMORY or FRONT_RANKS_MESSAGE, which may be one rank's alone. No communication. */
FrontRanks *FrontRanksCreate(const FrontRanksOptions *, int *failed);
void        FrontRanksDestroy(FrontRanks *);
/* For values of another matrix, whose norm has changed */
void FrontRanksSetPivots(FrontRanks *, double tiny, double replacement, double norm);
/* Allocates what is missing and sets all entries to zero; must be called before columns are filled. No communication: FRONT_RANKS_MEMORY may be one rank's alone. */
int FrontRanksZero(FrontRanks *);
/* Row 0 of a column of this rank; null for those of others, and for the ring's after FrontRanksRelease() */
void *FrontRanksColumn(FrontRanks *, int col);
/* Bytes that FrontRanksFactor() needs for panels on their way; they need no contents, and hold nothing afterwards */
size_t FrontRanksRoom(const FrontRanks *);
/*
  Collective. failed: nonzero on a rank that cannot do its part, be it that it has no memory for its columns or that these hold no numbers. Returns the largest failure that this rank knows of, its own
  among them; one without panels does not reach the others. replaced counts the pivots that were replaced in this front, ratio is that of the least and the largest pivot's moduli. The
  contribution block is then in rows m to f of the ring's columns.
*/
int FrontRanksFactor(FrontRanks *, void *room, int failed, double *replaced, double *ratio);
/* Gives back the contribution block, once the parent has it */
void FrontRanksRelease(FrontRanks *);
/* Room for solves with so many vectors, which must be there on all ranks before any of them solves. No communication: FRONT_RANKS_MEMORY may be one rank's alone. */
int FrontRanksReserve(FrontRanks *, int nrhs);
/*
  Collective. v is f x nrhs, columns ld apart. In: this rank's share. Out: in rows below m the vector on its way up, the same on all ranks; in the rest this rank's share of what
  the ring receives.
*/
int FrontRanksForward(FrontRanks *, FactorTranspose, int nrhs, void *v, ptrdiff_t ld);
/* Collective. In: what FrontRanksForward() left in rows below m, and the solution in the ring, both the same on all ranks. Out: the solution in rows below m, the same on all ranks. */
int FrontRanksBackward(FrontRanks *, FactorTranspose, int nrhs, void *v, ptrdiff_t ld);
/* Of this rank */
size_t FrontRanksBytes(const FrontRanks *);
