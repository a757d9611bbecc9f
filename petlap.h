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

/* Where a component does its work: auto follows the vectors and the matrix, cuda is an error where there is no device */
typedef enum { PETLAP_BACKEND_AUTO, PETLAP_BACKEND_HOST, PETLAP_BACKEND_CUDA } PetlapBackend;

/* Name for KSPSetType() */
#define KSPPSDO "psdo"

/* Name for PCSetType(); real numbers only */
#define PCHSC "hsc"

typedef enum { PCHSC_SMOOTHER_GS, PCHSC_SMOOTHER_JACOBI, PCHSC_SMOOTHER_AUTO } PCHSCSmoother;
typedef enum { PCHSC_CYCLE_V, PCHSC_CYCLE_W } PCHSCCycleType;
typedef enum { PCHSC_SYMMETRIC_AUTO, PCHSC_SYMMETRIC_NO, PCHSC_SYMMETRIC_YES } PCHSCSymmetric;
typedef enum { PCHSC_COLORING_GREEDY, PCHSC_COLORING_PAPER } PCHSCColoring;
typedef enum { PCHSC_PRECISION_SINGLE, PCHSC_PRECISION_DOUBLE } PCHSCPrecision;
typedef enum { PCHSC_REORDER_AUTO, PCHSC_REORDER_NONE, PCHSC_REORDER_BFS } PCHSCReorder;
typedef enum { PCHSC_POSITIVE_COMPENSATE, PCHSC_POSITIVE_DROP, PCHSC_POSITIVE_LUMP, PCHSC_POSITIVE_ERROR } PCHSCPositive;
typedef enum { PCHSC_REUSE_NONE, PCHSC_REUSE_SHIFT, PCHSC_REUSE_ALL } PCHSCReuse;

/* Name for PCSetType(); real numbers only */
#define PCNEURAL       "neural"
#define PCNEURAL_BATCH 16

typedef enum { PCNEURAL_MASK_WEIGHTS, PCNEURAL_MASK_NONE, PCNEURAL_MASK_FLUID, PCNEURAL_MASK_DILATED } PCNeuralMask;
typedef enum { PCNEURAL_PRECISION_AUTO, PCNEURAL_PRECISION_SINGLE, PCNEURAL_PRECISION_DOUBLE } PCNeuralPrecision;
typedef enum { PCNEURAL_SCALING_NONE, PCNEURAL_SCALING_SCALAR, PCNEURAL_SCALING_DIAGONAL } PCNeuralScaling;

/* Name for PCFactorSetMatSolverType() and MatGetFactor() */
#define MATSOLVERSCHWARZSCHUR "schwarzschur"

typedef enum { MATSCHWARZSCHUR_AUTO, MATSCHWARZSCHUR_LU, MATSCHWARZSCHUR_SYMMETRIC, MATSCHWARZSCHUR_SPD } MatSchwarzSchurMode;
typedef enum { MATSCHWARZSCHUR_DOUBLE, MATSCHWARZSCHUR_SINGLE } MatSchwarzSchurPrecision;

PETLAP_EXTERN PetscErrorCode PetlapInitialize(void);

PETLAP_EXTERN PetscErrorCode KSPPSDOSetMmax(KSP, PetscInt);
PETLAP_EXTERN PetscErrorCode KSPPSDOGetMmax(KSP, PetscInt *);
PETLAP_EXTERN PetscErrorCode KSPPSDOSetResidualReplacement(KSP, PetscInt);
PETLAP_EXTERN PetscErrorCode KSPPSDOGetResidualReplacement(KSP, PetscInt *);

PETLAP_EXTERN PetscErrorCode PCHSCSetBackend(PC, PetlapBackend);
PETLAP_EXTERN PetscErrorCode PCHSCGetBackend(PC, PetlapBackend *);
PETLAP_EXTERN PetscErrorCode PCHSCSetSmoother(PC, PCHSCSmoother);
PETLAP_EXTERN PetscErrorCode PCHSCGetSmoother(PC, PCHSCSmoother *);
PETLAP_EXTERN PetscErrorCode PCHSCSetOmega(PC, PetscReal);
PETLAP_EXTERN PetscErrorCode PCHSCGetOmega(PC, PetscReal *);
PETLAP_EXTERN PetscErrorCode PCHSCSetCycleType(PC, PCHSCCycleType);
PETLAP_EXTERN PetscErrorCode PCHSCGetCycleType(PC, PCHSCCycleType *);
PETLAP_EXTERN PetscErrorCode PCHSCSetSymmetric(PC, PCHSCSymmetric);
PETLAP_EXTERN PetscErrorCode PCHSCGetSymmetric(PC, PCHSCSymmetric *);
PETLAP_EXTERN PetscErrorCode PCHSCSetColoring(PC, PCHSCColoring);
PETLAP_EXTERN PetscErrorCode PCHSCGetColoring(PC, PCHSCColoring *);
PETLAP_EXTERN PetscErrorCode PCHSCSetCompensate(PC, PetscBool);
PETLAP_EXTERN PetscErrorCode PCHSCGetCompensate(PC, PetscBool *);
PETLAP_EXTERN PetscErrorCode PCHSCSetMinDegree(PC, PetscInt);
PETLAP_EXTERN PetscErrorCode PCHSCGetMinDegree(PC, PetscInt *);
PETLAP_EXTERN PetscErrorCode PCHSCSetDirectSize(PC, PetscInt);
PETLAP_EXTERN PetscErrorCode PCHSCGetDirectSize(PC, PetscInt *);
PETLAP_EXTERN PetscErrorCode PCHSCSetMaxLevels(PC, PetscInt);
PETLAP_EXTERN PetscErrorCode PCHSCGetMaxLevels(PC, PetscInt *);
PETLAP_EXTERN PetscErrorCode PCHSCSetAgglomerate(PC, PetscInt);
PETLAP_EXTERN PetscErrorCode PCHSCGetAgglomerate(PC, PetscInt *);
PETLAP_EXTERN PetscErrorCode PCHSCSetGeometry(PC, PetscBool);
PETLAP_EXTERN PetscErrorCode PCHSCGetGeometry(PC, PetscBool *);
PETLAP_EXTERN PetscErrorCode PCHSCSetPrecision(PC, PCHSCPrecision);
PETLAP_EXTERN PetscErrorCode PCHSCGetPrecision(PC, PCHSCPrecision *);
PETLAP_EXTERN PetscErrorCode PCHSCSetReorder(PC, PCHSCReorder);
PETLAP_EXTERN PetscErrorCode PCHSCGetReorder(PC, PCHSCReorder *);
PETLAP_EXTERN PetscErrorCode PCHSCSetPositive(PC, PCHSCPositive);
PETLAP_EXTERN PetscErrorCode PCHSCGetPositive(PC, PCHSCPositive *);
PETLAP_EXTERN PetscErrorCode PCHSCSetSymmetrize(PC, PetscBool);
PETLAP_EXTERN PetscErrorCode PCHSCGetSymmetrize(PC, PetscBool *);
PETLAP_EXTERN PetscErrorCode PCHSCSetScaling(PC, PetscBool);
PETLAP_EXTERN PetscErrorCode PCHSCGetScaling(PC, PetscBool *);
PETLAP_EXTERN PetscErrorCode PCHSCSetReuse(PC, PCHSCReuse);
PETLAP_EXTERN PetscErrorCode PCHSCGetReuse(PC, PCHSCReuse *);
PETLAP_EXTERN PetscErrorCode PCHSCSetSweeps(PC, PetscInt, PetscInt);
PETLAP_EXTERN PetscErrorCode PCHSCGetSweeps(PC, PetscInt *, PetscInt *);
PETLAP_EXTERN PetscErrorCode PCHSCSetTheta(PC, PetscReal, PetscReal);
PETLAP_EXTERN PetscErrorCode PCHSCGetTheta(PC, PetscReal *, PetscReal *);
PETLAP_EXTERN PetscErrorCode PCHSCSetShift(PC, PetscReal);
PETLAP_EXTERN PetscErrorCode PCHSCGetShift(PC, PetscReal *);
PETLAP_EXTERN PetscErrorCode PCHSCSetDiagonalShift(PC, Vec);
PETLAP_EXTERN PetscErrorCode PCHSCComputeEigenvectors(PC, PetscInt, PetscReal[], Vec[], PetscReal[], PetscInt *);
PETLAP_EXTERN PetscErrorCode PCHSCComputeInitialSpace(PC, PetscInt, Vec[]);
PETLAP_EXTERN PetscErrorCode PCHSCSetEigenTolerances(PC, PetscReal, PetscInt);
PETLAP_EXTERN PetscErrorCode PCHSCGetEigenTolerances(PC, PetscReal *, PetscInt *);
PETLAP_EXTERN PetscErrorCode PCHSCSetEigenGuard(PC, PetscInt);
PETLAP_EXTERN PetscErrorCode PCHSCGetEigenGuard(PC, PetscInt *);
PETLAP_EXTERN PetscErrorCode PCHSCGetEigenIterationNumber(PC, PetscInt *);

PETLAP_EXTERN PetscErrorCode PCNeuralSetImage(PC, DM, Vec);
PETLAP_EXTERN PetscErrorCode PCNeuralSetLevels(PC, PetscInt);
PETLAP_EXTERN PetscErrorCode PCNeuralGetLevels(PC, PetscInt *);
PETLAP_EXTERN PetscErrorCode PCNeuralSetMask(PC, PCNeuralMask);
PETLAP_EXTERN PetscErrorCode PCNeuralGetMask(PC, PCNeuralMask *);
PETLAP_EXTERN PetscErrorCode PCNeuralSetScaling(PC, PCNeuralScaling);
PETLAP_EXTERN PetscErrorCode PCNeuralGetScaling(PC, PCNeuralScaling *);
PETLAP_EXTERN PetscErrorCode PCNeuralSetWeights(PC, const char *);
PETLAP_EXTERN PetscErrorCode PCNeuralGetWeights(PC, const char **);
PETLAP_EXTERN PetscErrorCode PCNeuralSetBackend(PC, PetlapBackend);
PETLAP_EXTERN PetscErrorCode PCNeuralGetBackend(PC, PetlapBackend *);
PETLAP_EXTERN PetscErrorCode PCNeuralSetPrecision(PC, PCNeuralPrecision);
PETLAP_EXTERN PetscErrorCode PCNeuralGetPrecision(PC, PCNeuralPrecision *);
PETLAP_EXTERN PetscErrorCode PCNeuralGetParameters(PC, PetscInt *, PetscReal *[]);
PETLAP_EXTERN PetscErrorCode PCNeuralSetParameters(PC, PetscInt, const PetscReal[]);
PETLAP_EXTERN PetscErrorCode PCNeuralApplyBatch(PC, const PetscReal[], PetscReal[]);
PETLAP_EXTERN PetscErrorCode PCNeuralAddGradient(PC, const PetscReal[], PetscReal[]);

PETLAP_EXTERN PetscErrorCode PetlapLoadSystem(MPI_Comm, const char[], Mat *, Vec *, Vec *);

PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSetGrid(Mat, PetscInt, const PetscInt[], PetscInt);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurGetGrid(Mat, PetscInt *, PetscInt[], PetscInt *);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSetMode(Mat, MatSchwarzSchurMode);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurGetMode(Mat, MatSchwarzSchurMode *);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSetPrecision(Mat, MatSchwarzSchurPrecision);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurGetPrecision(Mat, MatSchwarzSchurPrecision *);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSetBatch(Mat, PetscInt);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurGetBatch(Mat, PetscInt *);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSetBackend(Mat, PetlapBackend);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurGetBackend(Mat, PetlapBackend *);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSetRefine(Mat, PetscInt);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurGetRefine(Mat, PetscInt *, PetscInt *, PetscReal *);
PETLAP_EXTERN PetscErrorCode MatSchwarzSchurSolveAdjoint(Mat, Mat, Vec, Vec, Vec, Mat);
