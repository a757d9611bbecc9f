/*
  The data of a MATSOLVERSCHWARZSCHUR factor, shared by the files that handle its options, its factorizations, and its solves.
*/
#pragma once

#include "petlap.h"
#include "mat/schwarzschur/executor.h"
#include <petsc/private/matimpl.h>

/* Whether fronts of the same shape share their factors */
typedef enum { CONSTANT_AUTO, CONSTANT_NO, CONSTANT_YES } SchwarzSchurConstant;

/* What the scales of rows and columns are made from */
typedef enum { SCALING_NONE, SCALING_LARGEST, SCALING_LOGARITHMS } SchwarzSchurScaling;

/* What options and functions ask for; frozen between the symbolic phase and the next one, but for refine */
struct SchwarzSchurAsked {
  StructuredGridHints      hints     = {};
  MatSchwarzSchurMode      mode      = MATSCHWARZSCHUR_AUTO;
  MatSchwarzSchurPrecision precision = MATSCHWARZSCHUR_DOUBLE;
  PetscInt                 refine = -1, threads = 1, block = 0, leaf = 0, separators = 0;
  PetscReal                threshold = 0.1, memory = 0; /* MB */
  char                     isa[32]  = "";
  SchwarzSchurConstant     constant = CONSTANT_AUTO;
  PetlapBackend            backend  = PETLAP_BACKEND_AUTO;
  PetscInt                 batch    = 1;           /* grids of the same shape that A holds as diagonal blocks */
  PetscInt                 small = 0, columns = 0; /* tuning of the device's factorization */
  PetscBool                profile = PETSC_FALSE;
};

/* The system that is factored where it is not that of A: W = P (R A C + shifts on the diagonal) P^T, with diagonal matrices R and C, and a permutation P to natural order */
struct SchwarzSchurTransform {
  Mat                      W      = nullptr;
  Mat                      moduli = nullptr;       /* |A|, where W is scaled */
  PetscReal                norm   = 0;             /* largest sum of moduli in a row of A, where W is scaled or shifted */
  std::vector<PetscReal>   row, column;            /* R and C, powers of two */
  std::vector<PetscScalar> right, left;            /* orthonormal bases of the null spaces of A and A^H, n x nnull and n x nleft */
  PetscInt                 nnull = 0, nleft = 0;   /* vectors of both */
  PetscBool                scaled   = PETSC_FALSE; /* on all ranks, also on one without rows */
  PetscBool                grown    = PETSC_FALSE; /* W has diagonal entries that A does not store */
  PetscBool                attached = PETSC_FALSE; /* there is a null space, which A may have or not */
  PetscBool                moved    = PETSC_FALSE; /* pins have been chosen again */
  PetscBool                leftof   = PETSC_FALSE; /* left is known */
  std::vector<PetscInt>    pin;                    /* local row whose diagonal is shifted for a null vector, or -1 where another rank has it */
};

struct Mat_SchwarzSchur {
  SchwarzSchurAsked asked;

  /* What the pattern of the matrix made of it */
  StructuredGrid                        grid = {};
  Plan                                 *plan = nullptr;
  std::unique_ptr<SchwarzSchurValues>   values;
  SchwarzSchurRanks                    *ranks = nullptr;  /* of a matrix that is spread over ranks */
  std::unique_ptr<SchwarzSchurExecutor> executor, mirror; /* the mirror is the host's beside a device's, for -petlap_check */
  FactorMode                            used     = FACTOR_LU;
  PetscBool                             held     = PETSC_FALSE; /* A has its values on the device */
  PetscBool                             ondevice = PETSC_FALSE, compare = PETSC_FALSE, hermitian = PETSC_FALSE, shared = PETSC_FALSE;
  std::vector<PetscInt>                 order; /* rows of A in natural order, where they are in another one */
  PetscInt                              nsymbolic = 0, nnumeric = 0;
  double                                nnz = 0;

  /* What earlier factorizations of this pattern have found out */
  PetscBool           single = PETSC_FALSE, toosmall = PETSC_FALSE, indefinite = PETSC_FALSE, fellback = PETSC_FALSE, delayed = PETSC_FALSE;
  SchwarzSchurScaling scaled = SCALING_NONE;

  /* The last factorization */
  Mat                   A     = nullptr;
  PetscObjectState      state = -1; /* of A when it was factored */
  SchwarzSchurTransform transform;
  SchwarzSchurFactored  found      = {};
  PetscBool             timing     = PETSC_FALSE; /* PETSc's clock of the device runs */
  PetscBool             inpc       = PETSC_FALSE; /* a PC has asked for it */
  PetscBool             lenient    = PETSC_FALSE; /* solves that are accurate count, whatever they grow to */
  PetscBool             stuck      = PETSC_FALSE; /* nothing is left to try for solves whose residual is not as small as it should be */
  PetscBool             suspicious = PETSC_FALSE; /* pivots were small or replaced: each solve is checked */
  PetscBool             measured   = PETSC_FALSE; /* whether the factors are good for any right-hand side has been looked at */
  PetscBool             check      = PETSC_TRUE;  /* off once a solve has shown that nothing needs refining */
  PetscInt              nrefined   = 0;
  PetscReal             error      = -1;          /* backward error of the last solve that was checked */
  PetscReal             spread = -1, uneven = -1; /* of the largest entries of rows or columns, and of the logarithms, once they have been asked for */
};

/* Backward errors: the one that refinement aims at, the one from which on it is worth its time, the one that is expected of factors whose pivots are in doubt, and the one above which no answer is given */
#define SCHWARZSCHUR_GOOD    (8 * PETSC_MACHINE_EPSILON)
#define SCHWARZSCHUR_FAIR    (256 * PETSC_MACHINE_EPSILON)
#define SCHWARZSCHUR_REGULAR 1e-12
#define SCHWARZSCHUR_USELESS 1e-10

/* ---- options (schwarzschur_options.cxx) ---- */
PETSC_INTERN PetscErrorCode MatSchwarzSchurSetFromOptions(Mat F);
PETSC_INTERN PetscErrorCode MatSchwarzSchurComposeOptions(Mat F, PetscBool compose);

/* ---- another system instead of A (transform.cxx) ---- */
/* The null space that has been attached to A, or to the operator of the KSP that F serves, as far as A really has it */
PETSC_INTERN PetscErrorCode MatSchwarzSchurFindNullSpace(Mat F, Mat A);
/* Makes W from A: scaled where factorizations have shown that it must be, and with a shift for each null vector */
PETSC_INTERN PetscErrorCode MatSchwarzSchurMakeTransform(Mat F, Mat A);
/* A in natural order, or A itself */
PETSC_INTERN PetscErrorCode MatSchwarzSchurPermute(const Mat_SchwarzSchur *ss, Mat A, Mat *W);
/* Tells an executor, and computes what needs its factors. *again: another unknown has to be fixed than the one that was. */
PETSC_INTERN PetscErrorCode MatSchwarzSchurTellTransform(Mat F, SchwarzSchurExecutor *executor, PetscBool *again);
PETSC_INTERN PetscErrorCode MatSchwarzSchurResetTransform(Mat_SchwarzSchur *ss);

/* ---- scaling (scaling.cxx) ---- */
/* The largest ratio of two rows' or two columns' largest entries */
PETSC_INTERN PetscErrorCode MatSchwarzSchurSpread(const Mat_SchwarzSchur *ss, Mat A, PetscReal *spread);
/* By how many bits the scales of two rows or two columns differ that the logarithms of the entries tell, whatever their largest entries say; 0 where these scales are of no use */
PETSC_INTERN PetscErrorCode MatSchwarzSchurUneven(const Mat_SchwarzSchur *ss, Mat A, PetscReal *bits);
/* Scales W in the way that ss asks for, by powers of two, and tells them */
/* The moduli of the entries */
PETSC_INTERN PetscErrorCode MatSchwarzSchurModuli(Mat A, Mat *moduli);
PETSC_INTERN PetscErrorCode MatSchwarzSchurScale(const Mat_SchwarzSchur *ss, Mat W, std::vector<PetscReal> &row, std::vector<PetscReal> &column);

/* ---- refinement (refine.cxx) ---- */
struct SchwarzSchurRefinement {
  PetscInt  most, longest;              /* steps at the most, and where the error is still above that of regular factors */
  PetscReal worth;                      /* error from which on the first step is worth its time */
  PetscReal aim    = SCHWARZSCHUR_GOOD; /* error that ends it */
  PetscInt  steps  = 0;                 /* that were taken */
  PetscReal first  = 0;                 /* backward error before the first step, the largest of all columns whose right-hand side is finite */
  PetscReal error  = 0;                 /* the same in the end */
  PetscBool finite = PETSC_FALSE;       /* all right-hand sides are */

  std::vector<PetscReal> column; /* backward errors of the columns in the end; -1 where the right-hand side is not finite */
};
/* Solves op(W) x = b for finite columns to rounding, as far as the factors allow */
PETSC_INTERN PetscErrorCode SchwarzSchurRefine(SchwarzSchurExecutor *executor, Mat W, PetscReal norm, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx, SchwarzSchurRefinement *refinement);
/* The same for a vector of the host's, in place, as well as the factors allow */
PETSC_INTERN PetscErrorCode SchwarzSchurRefineHost(SchwarzSchurExecutor *executor, Mat W, PetscReal norm, FactorTranspose trans, PetscScalar *v, SchwarzSchurRefinement *refinement);
/* Solves op(A) x = b through the transform. refinement null: without a look at the residual. */
PETSC_INTERN PetscErrorCode MatSchwarzSchurSolveWith(const Mat_SchwarzSchur *ss, SchwarzSchurExecutor *executor, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx,
                                                     SchwarzSchurRefinement *refinement);
/* Solves for a vector that no singular matrix could have produced: the backward error after refinement, and the solution's size times the norm over the vector's size */
PETSC_INTERN PetscErrorCode MatSchwarzSchurProbe(const Mat_SchwarzSchur *ss, PetscReal *error, PetscReal *size);

/* ---- factorizations (schwarzschur_factor.cxx) ---- */
PETSC_INTERN PetscErrorCode MatSchwarzSchurChooseMode(Mat F, Mat A);
/* Makes the executor that the state and the values of W ask for, unless there is one. An allocation that cannot succeed is refused, with what would need less. */
PETSC_INTERN PetscErrorCode MatSchwarzSchurPrepare(Mat F, Mat A, Mat W);
PETSC_INTERN PetscErrorCode MatFactorNumeric_SchwarzSchur(Mat F, Mat A, const MatFactorInfo *info);
/* An error unless the matrix is what the mode takes it for */
PETSC_INTERN PetscErrorCode MatSchwarzSchurCheckSymmetric(Mat F);
/* Factors A again, with what is tried next where the last factors lead to no answer; *done is false where there is nothing left to try */
enum { SCHWARZSCHUR_TRY_DOUBLE, SCHWARZSCHUR_TRY_SCALE, SCHWARZSCHUR_TRY_PIVOTS };
PETSC_INTERN PetscErrorCode MatSchwarzSchurTryHarder(Mat F, int what, PetscBool *done);

/* ---- solves (schwarzschur_solve.cxx) ---- */
PETSC_INTERN PetscErrorCode MatSchwarzSchurSetSolves(Mat F);
PETSC_INTERN PetscInt       MatSchwarzSchurSteps(const Mat_SchwarzSchur *ss);
PETSC_INTERN PetscLogEvent  MAT_SSSymbolic, MAT_SSNumeric, MAT_SSSolve;

/* Solves for A times a vector, so that nothing of the answer is large beside the rest, and the backward error is that of the factors for any right-hand side */
PETSC_INTERN PetscErrorCode MatSchwarzSchurMeasure(const Mat_SchwarzSchur *ss, PetscReal *error);

/* ---- what system a factor is made for (owner.cxx) ---- */
/* When the library is loaded */
PETSC_INTERN PetscErrorCode SchwarzSchurWatchOwners(void);
/* While F is factored by a PC, the operator that the PC was given; else null */
PETSC_INTERN PetscErrorCode SchwarzSchurFindOperator(Mat F, Mat *A);
/* While a PC applies F: lets it know that the factors are of no use */
PETSC_INTERN PetscErrorCode SchwarzSchurTellFailure(Mat F);
