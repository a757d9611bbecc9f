/*
  petlap: Laplacian and structured-grid solvers that PETSc loads as a plug-in.

  A program that only selects petlap's types through options does not need this header: loading libpetlap.so with
  -dll_append is enough. The header serves programs that link libpetlap and call its functions.
*/
#pragma once

#include <petscksp.h>

#define PETLAP_VERSION_MAJOR    0
#define PETLAP_VERSION_MINOR    1
#define PETLAP_VERSION_SUBMINOR 0

/* petlap is compiled with hidden visibility; only what carries this mark can be called from outside */
#if defined(__cplusplus)
  #define PETLAP_EXTERN extern "C" __attribute__((visibility("default")))
#else
  #define PETLAP_EXTERN extern __attribute__((visibility("default")))
#endif

/* Name for KSPSetType() */
#define KSPPSDO "psdo"

/* Name for PCFactorSetMatSolverType() and MatGetFactor() */
#define MATSOLVERSCHWARZSCHUR "schwarzschur"

typedef enum { MATSCHWARZSCHUR_AUTO, MATSCHWARZSCHUR_LU, MATSCHWARZSCHUR_SYMMETRIC, MATSCHWARZSCHUR_SPD } MatSchwarzSchurMode;
typedef enum { MATSCHWARZSCHUR_DOUBLE, MATSCHWARZSCHUR_SINGLE } MatSchwarzSchurPrecision;

PETLAP_EXTERN PetscErrorCode PetlapInitialize(void);

PETLAP_EXTERN PetscErrorCode KSPPSDOSetMmax(KSP, PetscInt);
PETLAP_EXTERN PetscErrorCode KSPPSDOGetMmax(KSP, PetscInt *);
PETLAP_EXTERN PetscErrorCode KSPPSDOSetResidualReplacement(KSP, PetscInt);
PETLAP_EXTERN PetscErrorCode KSPPSDOGetResidualReplacement(KSP, PetscInt *);

PETLAP_EXTERN PetscErrorCode PetlapLoadSystem(MPI_Comm, const char[], Mat *, Vec *, Vec *);

PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSetGrid(Mat, PetscInt, const PetscInt[], PetscInt);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurGetGrid(Mat, PetscInt *, PetscInt[], PetscInt *);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSetMode(Mat, MatSchwarzSchurMode);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurGetMode(Mat, MatSchwarzSchurMode *);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSetPrecision(Mat, MatSchwarzSchurPrecision);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurGetPrecision(Mat, MatSchwarzSchurPrecision *);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSetRefine(Mat, PetscInt);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurGetRefine(Mat, PetscInt *, PetscInt *, PetscReal *);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSolveAdjoint(Mat, Mat, Vec, Vec, Vec, Mat);
