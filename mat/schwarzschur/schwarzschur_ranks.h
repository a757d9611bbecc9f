/*
  MATSOLVERSCHWARZSCHUR on a matrix that is spread over ranks: what stands between PETSc's rows and vectors and a TreeRanks.
*/
#pragma once

#include "mat/schwarzschur/executor.h"
#include "mat/schwarzschur/tree_ranks.h"

typedef struct {
  FactorInfo  total;      /* of all ranks together; the ratio is the smallest */
  FactorInfo  own;        /* of this rank */
  PetscMPIInt size;       /* ranks */
  int         nlocal;     /* subtrees */
  int         nfront;     /* fronts that several ranks share */
  double      share;      /* part of the flops that the busiest rank has */
  double      bytes;      /* the most that one rank needs for factors and work space */
  double      used, room; /* what the ranks of a machine need together, and what it has, on the machine where least is left */
} SchwarzSchurRanksInfo;

/* All are collective, and return the same errors on all ranks. */
/* Reads the pattern of A; dm and hints as for StructuredGridDetermine(), which has found the plan's grid. Sets the plan's glue. */
PETSC_INTERN PetscErrorCode SchwarzSchurRanksCreate(Mat A, const StructuredGridHints *hints, Plan *plan, SchwarzSchurRanks **ranks);
PETSC_INTERN PetscErrorCode SchwarzSchurRanksDestroy(SchwarzSchurRanks **ranks);
/* Lays the factors out, for the options' sake again. done: false where memory ran out. The communicator of the options is of no account. */
PETSC_INTERN PetscErrorCode SchwarzSchurRanksLayOut(SchwarzSchurRanks *ranks, const TreeRanksOptions *options, PetscBool *done);
/* failed is one of those of executor.h; with an entry that is not finite, bad has its row and column */
PETSC_INTERN PetscErrorCode SchwarzSchurRanksNumeric(SchwarzSchurRanks *ranks, Mat A, SchwarzSchurNorms *norms, PetscInt bad[2], int *failed);
/* Vectors hold the rows of this rank */
PETSC_INTERN PetscErrorCode SchwarzSchurRanksSolve(SchwarzSchurRanks *ranks, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx);
/* Not collective: what was found when the factors were laid out, or when numbers were last put in */
PETSC_INTERN void                           SchwarzSchurRanksGetInfo(const SchwarzSchurRanks *ranks, SchwarzSchurRanksInfo *info);
PETSC_INTERN MPI_Comm                       SchwarzSchurRanksComm(const SchwarzSchurRanks *ranks);
PETSC_INTERN const StructuredGridNumbering *SchwarzSchurRanksNumbering(const SchwarzSchurRanks *ranks);
