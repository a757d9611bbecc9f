#pragma once

#include <petscmat.h>

/* Normwise backward error of x as a solution of A x = b, or of A^T x = b: |b - A x|/(|A| |x| + |b|) in the infinity norm */
static inline PetscErrorCode BackwardError(Mat A, PetscBool transpose, Vec b, Vec x, PetscReal *error)
{
  Vec       r;
  PetscReal nr, nx, nb, na;

  PetscFunctionBeginUser;
  *error = PETSC_MAX_REAL;
  PetscCall(VecDuplicate(b, &r));
  if (transpose)
    PetscCall(MatMultTranspose(A, x, r));
  else
    PetscCall(MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1.0, b));
  PetscCall(VecNorm(r, NORM_INFINITY, &nr));
  PetscCall(VecNorm(x, NORM_INFINITY, &nx));
  PetscCall(VecNorm(b, NORM_INFINITY, &nb));
  PetscCall(MatNorm(A, transpose ? NORM_1 : NORM_INFINITY, &na));
  PetscCall(VecDestroy(&r));
  *error = nr / (na * nx + nb);
  PetscFunctionReturn((PetscErrorCode)0);
}
