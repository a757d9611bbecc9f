/*
  LU along a Plan for matrices that the executors of factor.h cannot hold: a front eliminates only what has a good pivot in its own rows and columns, and passes the
  unknowns that have none to its parent. What is eliminated there has the bounds of threshold pivoting over all of the front, so that growth is bounded as with partial
  pivoting, whatever the matrix. The root looks for pivots in rows and columns (rook pivoting), which tells the rank.

  Real and complex, double precision, one thread. The matrix is scaled by powers of two, rows first and then columns, so that tolerances are relative to entries of at most
  one; where the sizes of rows or columns differ much, geometric means are balanced before. Values are those of all rows, also where A is symmetric: FACTOR_LU's form.
*/
#pragma once

#include "mat/schwarzschur/factor.h"

struct FactorDelayed;

struct FactorDelayedInfo {
  double entries, flops, bytes; /* of the factors */
  double delayed;               /* unknowns passed to a parent, summed over the fronts that passed them */
  double null;                  /* unknowns without a pivot: the rank is less than the order by as many */
  double least, most;           /* moduli of the pivots of the scaled matrix; 0 where there are none */
  double rest;                  /* the largest entry of the scaled matrix that was too small for a pivot and is taken for zero */
};

/*
  Null when memory runs out, when isa is not there, or when the root of the plan has a ring. The plan must outlive the factor. A pivot is at least threshold times the largest
  entry of its column; 0 for the default, 0.1. With less, rounding errors grow more and may pass for pivots, so that ranks are not reliable.
  An entry of the scaled matrix up to null is no pivot; 0 for a default that depends on the order, and takes no matrix for regular that only rounding keeps from being singular.
*/
FactorDelayed *FactorDelayedCreate(const Plan *plan, double threshold, double null, const char *isa);
void           FactorDelayedDestroy(FactorDelayed *factor);
/* 0, 2 when values are not finite, 3 out of memory. A singular matrix is no failure; FactorDelayedInfo::null tells. */
int FactorDelayedNumeric(FactorDelayed *factor, const FactorValues *values);
/*
  A x = b or A^T x = b, nothing conjugated. x and b are n x nrhs, column-major, and may be the same. Returns 0, 2 when there are no factors, or 3 out of memory. Where the matrix
  is singular, the equations without a pivot are left out, and the unknowns without one are 0.
*/
int               FactorDelayedSolve(FactorDelayed *factor, FactorTranspose trans, int nrhs, const PetscScalar *b, ptrdiff_t ldb, PetscScalar *x, ptrdiff_t ldx);
FactorDelayedInfo FactorDelayedGetInfo(const FactorDelayed *factor);
