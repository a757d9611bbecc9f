/*
  What factors and solves for MATSOLVERSCHWARZSCHUR, as one interface: on the host, on a device, on several ranks, or on the host with pivots that may leave their separator.

  Vectors of an executor are arrays of PetscScalar with n rows, where the executor works: in the host's memory, or in the device's. Except where a function says otherwise, calls are collective on comm
  and numbers that come back are the same on all ranks.
*/
#pragma once

#include "mat/grid/structuredgrid.h"
#include "mat/schwarzschur/values.h"
#include <memory>

/* How a numerical factorization ends; the first four are those of FactorNumeric() */
enum { SCHWARZSCHUR_SUCCESS, SCHWARZSCHUR_NOT_POSITIVE, SCHWARZSCHUR_OVERFLOW, SCHWARZSCHUR_MEMORY, SCHWARZSCHUR_MESSAGE, SCHWARZSCHUR_NOT_FINITE };

struct SchwarzSchurFactored {
  int               failed;
  SchwarzSchurNorms norms;  /* of the matrix; on a device, least is unknown and 0 */
  PetscInt          bad[2]; /* row and column of the first entry that is not finite, where failed says so */
  double            null;   /* pivots that are zero to rounding; only known where pivots may leave their separator */
};

/* Diagonal matrices and bases of null spaces that an executor can apply */
enum { SCHWARZSCHUR_ROWS, SCHWARZSCHUR_COLUMNS };
enum { SCHWARZSCHUR_LEFT, SCHWARZSCHUR_RIGHT, SCHWARZSCHUR_LEFT_CONJ, SCHWARZSCHUR_RIGHT_CONJ };
/* Vectors of its own; the outer ones are the host's alone */
enum { SCHWARZSCHUR_INPUT, SCHWARZSCHUR_OUTPUT, SCHWARZSCHUR_RESIDUAL, SCHWARZSCHUR_CORRECTION, SCHWARZSCHUR_RHS, SCHWARZSCHUR_OUTER_RHS, SCHWARZSCHUR_OUTER_RESIDUAL, SCHWARZSCHUR_OUTER_CORRECTION, SCHWARZSCHUR_NWORK };

class SchwarzSchurExecutor {
public:
  const MPI_Comm comm;
  const PetscInt n; /* unknowns of this rank */
  const bool     device;

  SchwarzSchurExecutor(MPI_Comm c, PetscInt rows, bool isdevice = false) : comm(c), n(rows), device(isdevice) {}
  SchwarzSchurExecutor(const SchwarzSchurExecutor &)            = delete;
  SchwarzSchurExecutor &operator=(const SchwarzSchurExecutor &) = delete;
  virtual ~SchwarzSchurExecutor() {}

  virtual PetscErrorCode Numeric(Mat A, SchwarzSchurFactored *found) = 0;
  /* x and b may be the same */
  virtual PetscErrorCode Solve(FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx) = 0;
  /* r = b - op(A) x, columns of r n apart, and the normwise backward error of each column; PETSC_MAX_REAL where the solution is not finite, and -1 where the right-hand side is not. A is the matrix that was factored last; on the host, any. size, if given, are the sizes of the right-hand sides of which b is a part. */
  virtual PetscErrorCode Residual(Mat A, PetscReal norm, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, const PetscScalar *x, PetscInt ldx, PetscScalar *r, const PetscReal size[], PetscReal error[]) = 0;
  /* The largest modulus in each column; PETSC_MAX_REAL where one is not finite */
  virtual PetscErrorCode Sizes(PetscInt nrhs, const PetscScalar *x, PetscInt ldx, PetscReal size[]) = 0;
  /* x += a d, columns of d n apart */
  virtual PetscErrorCode Add(PetscReal a, PetscInt nrhs, const PetscScalar *d, PetscScalar *x, PetscInt ldx) = 0;
  /* y = D x, and x -= V V^H x, with what was set last; x and y may be the same */
  virtual PetscErrorCode SetScale(int which, const PetscReal *scale)                                                       = 0;
  virtual PetscErrorCode Scale(int which, PetscInt nrhs, const PetscScalar *x, PetscInt ldx, PetscScalar *y, PetscInt ldy) = 0;
  virtual PetscErrorCode SetBasis(int which, PetscInt k, const PetscScalar *basis)                                         = 0;
  virtual PetscErrorCode Project(int which, PetscInt nrhs, PetscScalar *x, PetscInt ldx)                                   = 0;
  /* Room for n x nrhs numbers, which stays until more is asked for */
  virtual PetscErrorCode Work(int which, PetscInt nrhs, PetscScalar **work) = 0;
  /* y = P x, or with back P^T x, where row i of P x is row order[i] of x; x and y are two */
  virtual PetscErrorCode Permute(const std::vector<PetscInt> &order, bool back, PetscInt nrhs, const PetscScalar *x, PetscInt ldx, PetscScalar *y, PetscInt ldy) = 0;
  /* y = x for one vector */
  virtual PetscErrorCode Copy(const PetscScalar *x, PetscScalar *y) = 0;
  /* Between columns of the host's, ld apart, and such vectors. Waits. */
  virtual PetscErrorCode Upload(PetscInt nrhs, const PetscScalar *host, PetscInt ld, PetscScalar *v)   = 0;
  virtual PetscErrorCode Download(PetscInt nrhs, const PetscScalar *v, PetscScalar *host, PetscInt ld) = 0;
  /* Part of the entries of the first column that are not small beside the largest */
  virtual PetscErrorCode Density(const PetscScalar *b, PetscReal *part) = 0;
  /* Not collective: of all ranks together, and of this one */
  virtual FactorInfo Info() const = 0;
  virtual FactorInfo OwnInfo() const
  {
    return Info();
  }
  /* The line about the backend, and in detailed views what else there is to tell */
  virtual PetscErrorCode View(PetscViewer viewer, PetscBool detail) = 0;
};

/* An executor whose vectors are in the host's memory */
class SchwarzSchurHostVectors : public SchwarzSchurExecutor {
  std::vector<PetscScalar> work[SCHWARZSCHUR_NWORK], basis[4];
  std::vector<PetscReal>   scale[2];
  PetscInt                 nbasis[4] = {0, 0, 0, 0};
  Vec                      left = nullptr, right = nullptr; /* without arrays of their own */

  PetscErrorCode Multiply(Mat A, FactorTranspose trans, const PetscScalar *x, PetscScalar *y);

public:
  using SchwarzSchurExecutor::SchwarzSchurExecutor;
  ~SchwarzSchurHostVectors() override;
  PetscErrorCode Residual(Mat A, PetscReal norm, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, const PetscScalar *x, PetscInt ldx, PetscScalar *r, const PetscReal size[], PetscReal error[]) override;
  PetscErrorCode Sizes(PetscInt nrhs, const PetscScalar *x, PetscInt ldx, PetscReal size[]) override;
  PetscErrorCode Add(PetscReal a, PetscInt nrhs, const PetscScalar *d, PetscScalar *x, PetscInt ldx) override;
  PetscErrorCode SetScale(int which, const PetscReal *values) override;
  PetscErrorCode Scale(int which, PetscInt nrhs, const PetscScalar *x, PetscInt ldx, PetscScalar *y, PetscInt ldy) override;
  PetscErrorCode SetBasis(int which, PetscInt k, const PetscScalar *vectors) override;
  PetscErrorCode Project(int which, PetscInt nrhs, PetscScalar *x, PetscInt ldx) override;
  PetscErrorCode Work(int which, PetscInt nrhs, PetscScalar **array) override;
  PetscErrorCode Permute(const std::vector<PetscInt> &order, bool back, PetscInt nrhs, const PetscScalar *x, PetscInt ldx, PetscScalar *y, PetscInt ldy) override;
  PetscErrorCode Copy(const PetscScalar *x, PetscScalar *y) override;
  PetscErrorCode Upload(PetscInt nrhs, const PetscScalar *host, PetscInt ld, PetscScalar *v) override;
  PetscErrorCode Download(PetscInt nrhs, const PetscScalar *v, PetscScalar *host, PetscInt ld) override;
  PetscErrorCode Density(const PetscScalar *b, PetscReal *part) override;
};

/* Values and plan must outlive the executor. *executor is null where memory ran out. */
PETSC_INTERN PetscErrorCode SchwarzSchurCreateHost(const Plan *plan, const FactorOptions *options, PetscInt batch, SchwarzSchurValues *values, SchwarzSchurExecutor **executor);
/* held: A has its values on the device. memory: the device's did not suffice, and there is no executor. */
PETSC_INTERN PetscErrorCode SchwarzSchurCreateCuda(Mat F, Mat A, const Plan *plan, const FactorOptions *options, PetscInt batch, PetscBool held, PetscInt small, PetscInt columns, PetscBool profile, SchwarzSchurValues *values,
                                                   SchwarzSchurExecutor **executor, PetscBool *memory);
/* The bytes that the factors need on the device, and those that are free there */
PETSC_INTERN PetscErrorCode SchwarzSchurCudaMemory(const Plan *plan, const FactorOptions *options, PetscInt batch, PetscInt small, PetscInt columns, double *need, double *room);

/* What a matrix that is spread over ranks needs */
struct SchwarzSchurRanksNeed {
  double bytes;      /* the most that one rank needs for factors and work space */
  double used, room; /* what the ranks of a machine need together, and what it has, on the machine where least is left */
};
struct SchwarzSchurRanks;
PETSC_INTERN PetscErrorCode SchwarzSchurCreateRanks(SchwarzSchurRanks *ranks, PetscInt n, const FactorOptions *options, SchwarzSchurExecutor **executor, SchwarzSchurRanksNeed *need);
/* Pivots may leave their separator. Of a distributed matrix, whose rows the numbering tells, the first rank has all factors. */
PETSC_INTERN PetscErrorCode SchwarzSchurCreateDelayed(Mat A, Plan *plan, const FactorOptions *options, PetscInt batch, SchwarzSchurValues *values, const StructuredGridNumbering *numbering, SchwarzSchurExecutor **executor);
