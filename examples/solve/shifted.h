/*
  What the examples with Laplacians share: a solver to begin with, and a sequence of matrices that differ in their diagonals alone.
*/
#pragma once

#include <petscksp.h>

/* For a symmetric matrix with the sign pattern of a Laplacian: CG with one direction kept (FCG) and hsc, where petlap has hsc and there is one
   process, or gamg. Options ask for anything else. */
PetscErrorCode ShiftedSolverCreate(Mat A, PetscReal rtol, KSP *ksp);

/* Call this where the matrix is the one with the smallest diagonal of the sequence. Then hsc builds its hierarchy for it, and what follows
   are updates. Other preconditioners would have one set-up more than they need, and wait for the first solve. */
PetscErrorCode ShiftedSolverSetUp(KSP ksp);

/* The diagonal of the matrix becomes diagonal + t weight; without weight it is diagonal + t. */
PetscErrorCode ShiftedSolverSetShift(KSP ksp, Vec diagonal, PetscReal t, Vec weight);
