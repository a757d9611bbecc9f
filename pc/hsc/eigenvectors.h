/*
  What PCHSC and the functions for its eigenvectors know of each other.
*/
#pragma once

#include "petlap.h"
#include "mat/compat/petscversion.h"
#include "pc/hsc/solver.h"

#if !defined(PETSC_USE_COMPLEX)
struct PCHSCEigen {
  PetscReal         tol;
  PetscInt          maxit, guard, steps;
  PetscBool         mass;
  PetscViewer       monitor;
  PetscViewerFormat format;
  PetscInt          its; /* of the last call */
};

/* The preconditioner after its set-up */
struct PCHSCInside {
  petlap::hsc::Solver *solver;
  petlap::hsc::Sweeps  sweeps;
  int                  sign; /* -1 for the negative of a Laplacian */
  PCHSCEigen          *eigen;
};

/* The rows of this process */
struct PCHSCRows {
  petlap::hsc::Rows     own;
  petlap::hsc::Outside  outside; /* what of them belongs to other processes */
  petlap::hsc::Outside *there;   /* that, or null on one process */
  Mat                   diagonal, off;
};

PETSC_INTERN PetscErrorCode PCHSCGetInside(PC, PCHSCInside *);
/* The matrix of the preconditioner as an AIJ matrix, for the caller to destroy, and its rows */
PETSC_INTERN PetscErrorCode PCHSCGetAIJ(PC, Mat, Mat *);
PETSC_INTERN PetscErrorCode PCHSCGetRows(Mat, PCHSCRows *);
PETSC_INTERN PetscErrorCode PCHSCRestoreRows(PCHSCRows *);
PETSC_INTERN PetscErrorCode PCHSCEigenSetFromOptions(PC, PCHSCEigen *, CompatOptionItems);
PETSC_INTERN PetscErrorCode PCHSCEigenCreate(PCHSCEigen *);
PETSC_INTERN PetscErrorCode PCHSCEigenDestroy(PCHSCEigen *);
PETSC_INTERN PetscErrorCode PCHSCEigenInitialize(void);
PETSC_INTERN PetscErrorCode PCHSCComputeEigenvectors_HSC(PC, PetscInt, PetscReal[], Vec[], PetscReal[], PetscInt *);
PETSC_INTERN PetscErrorCode PCHSCComputeInitialSpace_HSC(PC, PetscInt, Vec[]);
PETSC_INTERN PetscErrorCode PCHSCSetEigenTolerances_HSC(PC, PetscReal, PetscInt);
PETSC_INTERN PetscErrorCode PCHSCGetEigenTolerances_HSC(PC, PetscReal *, PetscInt *);
PETSC_INTERN PetscErrorCode PCHSCSetEigenGuard_HSC(PC, PetscInt);
PETSC_INTERN PetscErrorCode PCHSCGetEigenGuard_HSC(PC, PetscInt *);
PETSC_INTERN PetscErrorCode PCHSCGetEigenIterationNumber_HSC(PC, PetscInt *);
/* Of a PCHSC */
PETSC_INTERN PCHSCEigen *PCHSCGetEigen(PC);
#endif
