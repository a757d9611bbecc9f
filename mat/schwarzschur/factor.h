/*
  Numerical factorization and solves along a Plan, on the host.

  Below the blocks of the plan, V congruent subtrees are eliminated at once, one in each lane of the vector registers, so that their small
  fronts need no masks and no shuffles. Above, there is one column-major front at a time. Both are compiled once for each instruction set and
  chosen when the program runs.
*/
#pragma once

#include "mat/schwarzschur/plan.h"

enum FactorMode { FACTOR_LU, FACTOR_SYMMETRIC, FACTOR_SPD };
enum FactorTranspose { FACTOR_NOTRANS, FACTOR_TRANS };

/* Consecutive positions of a front, and where they stand in the rings of the children, or -1 */
struct FactorSegment {
  int at, n, src[2];
};

/* What the executors need to know of a class, in unknowns instead of points except where PlanClass is asked */
struct FactorClass {
  const PlanClass *plan;
  int              m, r, f;
  int              nsegment, nsegment_s; /* the first nsegment_s lie in S */
  FactorSegment   *segment;
  size_t           size; /* entries of the factors of a front */
};

/* A front inside a block; offsets are relative to the block's own storage and count vectors of V entries */
struct FactorNode {
  int      cls, nchild;
  PetscInt shift;
  size_t   factor, d, cd[2], v, cv[2], x;
  int      pivot;
};

struct FactorProgram {
  int         nnode;
  FactorNode *node;
  size_t      factor, d, v, x; /* sizes; x of the separators of all nodes */
  int         pivot;
};

/* Contribution blocks live in the arena of the thread, or in the one that threads share */
struct FactorPlace {
  size_t d, v;
  bool   shared;
};

/* One front (program < 0), or V blocks of a class */
struct FactorStep {
  int          program, cls, n, nchild;
  PetscInt    *origin; /* n */
  FactorPlace *place;  /* n */
  FactorPlace  child[2];
  size_t       factor, pivot, x;
};

/* Steps that one thread does in this order. A task starts when its children have ended. */
struct FactorTask {
  int         nstep, parent, nchild;
  FactorStep *step;
};

/* Where the entries of A are: row i starts at ai[i] and holds its points by rank, or, when rows have gaps, by slot */
struct FactorValues {
  const PetscInt    *ai;
  const PetscScalar *aa;
  bool               slots;
  const PetscScalar *glue; /* the matrix' own values */
};

/* Numbers that every thread keeps of its own */
struct FactorThread {
  void  *d, *v, *lanes, *vlanes, *work;
  double replaced, ratio; /* pivots replaced, and the smallest modulus of a pivot beside the largest in its front or the largest entry of the matrix */
  int    failed;          /* a pivot that is not positive, or NaN */
};

struct FactorData {
  const Plan        *plan;
  FactorMode         mode;
  bool               hermitian;
  int                nclass, nprogram, ntask;
  FactorClass       *cls;
  FactorProgram     *program;
  FactorTask        *task;
  void              *factor, *shared_d, *shared_v;
  void              *packed; /* the separators of the batches, V vectors in the lanes, nrhs of each after the other */
  int               *pivot;
  FactorValues       values;
  double             threshold, tiny, replacement;
  double             norm; /* largest entry of the matrix */
  int                nrhs;
  ptrdiff_t          ldb, ldx;
  FactorTranspose    trans;
  const PetscScalar *b;
  void              *x; /* of the type of the factors, ldx = unknowns */
};

/* A, its transpose, its conjugate transpose */
enum FactorOp { FACTOR_PLAIN, FACTOR_TRANSPOSED, FACTOR_ADJOINT };

/* The dense kernels (dense.h) for those who do not know the type of the entries. Arrays are column-major, work has worksize entries. */
struct FactorDense {
  /* C -= op(A) op(B), C is m x n; with lower, only on and below the diagonal */
  void (*gemm)(bool lower, int m, int n, int k, FactorOp ta, const void *A, ptrdiff_t lda, FactorOp tb, const void *B, ptrdiff_t ldb, void *C, ptrdiff_t ldc, void *work);
  /* B := op(A)^-1 B, B is m x n */
  void (*trsm)(bool upper, FactorOp t, bool unit, int m, int n, const void *A, ptrdiff_t lda, void *B, ptrdiff_t ldb, void *work);
  /* Of n columns with f rows, pivots among the first m. Returns how many pivots were replaced, or -1 where one is not finite. */
  int (*lu)(int m, int n, int f, void *A, ptrdiff_t lda, int *pivot, double threshold, double tiny, double replacement, void *work);
  /* Of n columns with f rows. Returns 0, 1 where a pivot is not positive, 2 where it is not finite. */
  int (*cholesky)(int n, int f, void *A, ptrdiff_t lda, void *work);
  /* Rows k and pivot[k] of B, k < m, one after the other or, if not forward, the last first */
  void (*exchange)(int m, int n, void *B, ptrdiff_t ldb, const int *pivot, bool forward);
  /* B += A, m x n */
  void (*add)(int m, int n, const void *A, ptrdiff_t lda, void *B, ptrdiff_t ldb);
  /* Lowers least and raises most to the moduli on the diagonal of order m */
  void (*moduli)(int m, const void *A, ptrdiff_t lda, double *least, double *most);
};

/* The executors for one type of the factors and one instruction set */
struct FactorKernels {
  const char *isa;
  int         lanes;    /* V */
  size_t      scalar;   /* bytes */
  size_t      worksize; /* entries */
  void (*step)(const FactorData *, const FactorStep *, FactorThread *);
  void (*forward)(const FactorData *, const FactorStep *, FactorThread *);
  void (*backward)(const FactorData *, const FactorStep *, FactorThread *);
  FactorDense dense;
};

struct FactorOptions {
  FactorMode  mode;
  bool        single, hermitian;
  bool        constant; /* fronts of the same class hold the same numbers: one of each is factored (section C.6 of the paper) */
  int         threads;
  double      threshold;
  const char *isa; /* null for the best that the processor has */
};

struct FactorInfo {
  const char *isa;
  int         lanes;
  double      entries, flops;     /* of the factors, by the modes' counts */
  double      bytes, stack_bytes; /* of the factors and of the rest */
  double      batches, blocks;    /* of V blocks, and the blocks in them */
  double      replaced, ratio;
  int         threads, tasks;
};

struct Factor;

/* Null when memory runs out. The plan must outlive the factor. The memory of the factors is only asked for by the first FactorNumeric(). */
Factor *FactorCreate(const Plan *plan, const FactorOptions *options);
void    FactorDestroy(Factor *factor);
/* 0, or 1 when a pivot of a positive definite matrix is not positive, 2 when values are not finite, 3 out of memory */
int FactorNumeric(Factor *factor, const FactorValues *values, double norm);
/* x and b are n x nrhs, column-major, and may be the same. Returns 0, or 3 out of memory. */
int FactorSolve(Factor *factor, FactorTranspose trans, int nrhs, const PetscScalar *b, ptrdiff_t ldb, PetscScalar *x, ptrdiff_t ldx);
/*
  The same in two halves, for a plan whose root is a front with a ring, which belongs to a larger tree. b holds scalars and x numbers of the factors' type; both are read and
  written at the points of the subtree only, counted as the plan counts them. Between the halves, x must not be touched. The first half leaves in ring (r x nrhs, of the factors'
  type) what the ring receives, and the second expects the ring's solution there. Nothing is conjugated on the way out.
*/
int  FactorForward(Factor *factor, FactorTranspose trans, int nrhs, const PetscScalar *b, ptrdiff_t ldb, void *x, ptrdiff_t ldx, void **ring);
void FactorBackward(Factor *factor);
/* After FactorNumeric(), what the root leaves to its ring: r x r without gaps, of the factors' type; the lower triangle unless the mode is LU */
const void *FactorContribution(const Factor *factor);
/* Gives back what only a factorization needs, the contribution block with it */
void FactorRelease(Factor *factor);
/* Pivots below tiny are replaced, in a matrix whose largest entry is norm */
void FactorPivots(bool single, double norm, double *tiny, double *replacement);
/* Of a solution, from the largest moduli of the residual, the solution and the right-hand side. What is lost to underflow is no error: nothing could be nearer. */
double FactorBackwardError(double norm, double residual, double x, double b);
/* Whether rows that see the same surroundings hold the same numbers; else the first row that differs */
bool                 FactorIsConstant(const Plan *plan, const FactorValues *values, PetscInt *row);
FactorInfo           FactorGetInfo(const Factor *factor);
const FactorKernels *FactorFindKernels(bool single, const char *isa);
