/*
  Numerical factorization and solves along a Plan, on a CUDA device.

  All fronts of one height are worked on at once. A front that fits the shared memory of a multiprocessor is assembled, eliminated and
  written back by one block; larger ones go through cuBLAS, all fronts of a class in one call. Instead of triangular factors the inverse of W is
  kept, as in section 3.3 of the paper, so that solves are products with matrices:

    Winv = W^-1, T = Winv Z, D = X - Y T        forward  u = Winv b_S, b_R -= Y u        backward  x_S = u - T x_R

  For symmetric matrices Y Winv is T^T, and Y is not kept. Pivots are sought in blocks of the diagonal of W.

  Vectors and values are of PetscScalar; nvcc may have another type of that name. Functions return a cudaError_t (0 is success), pointers marked `device` are to the device's memory, and work is queued in a
  stream, unless a function says that it waits. cuBLAS works on large fronts, cuSPARSE forms residuals; each is opened when it is first needed.
*/
#pragma once

#include "mat/schwarzschur/factor.h"

struct FactorCuda;

/* Columns that FactorCudaResidual() takes at a time */
static const int FACTOR_CUDA_COLUMNS = 32;

/* The pattern of the matrix, on the host. With gaps in the stencil, slot tells where each entry stands, as do start and length of FactorValues. */
struct FactorCudaPattern {
  PetscInt              n;
  const PetscInt       *ia, *ja;
  const unsigned short *slot;  /* null for rows without gaps */
  const PetscInt       *start; /* n + 1, with slot */
  PetscInt              batch; /* grids, one after the other, with the same pattern */
};

/* 0 for what is best for the device; others are for tests */
struct FactorCudaTuning {
  int small; /* largest separator of the fronts that one block works on */
  int block; /* columns of W that are eliminated at a time, at most 64 */
};

struct FactorCudaResult {
  double norm;            /* largest sum of a row's moduli */
  double replaced, ratio; /* as in FactorInfo */
  int    nonfinite;       /* an entry of the matrix is not finite */
  int    failed;          /* as FactorNumeric() returns it */
};

struct FactorCudaInfo {
  double entries, flops, bytes;
  double passing_bytes; /* contribution blocks, arrays that pass between kernels, workspaces of cuBLAS */
  double stack_bytes;   /* these, and all else on the device but the factors */
  double small, large;  /* fronts */
  int    launches;      /* kernels of a factorization */
};

/* The bytes of factors and of passing_bytes that FactorCudaCreate() will ask of the device for so many grids */
int FactorCudaForesee(const Plan *plan, const FactorOptions *options, PetscInt batch, const FactorCudaTuning *tuning, double *bytes);
/* FactorOptions: threads and isa are without meaning. Where there is no stream, each call asks DeviceCurrentStream(). Null with *error = 0 when the host's memory runs out. Waits. */
FactorCuda *FactorCudaCreate(const Plan *plan, const FactorOptions *options, const FactorCudaPattern *pattern, const FactorCudaTuning *tuning, void *stream, int *error);
void        FactorCudaDestroy(FactorCuda *F);
/* Another stream for the calls that follow, or null as above. Work of several streams is done in the order of the calls. */
void FactorCudaSetStream(FactorCuda *F, void *stream);
/* Values in the order of the pattern, on the device or on the host. Waits. */
int FactorCudaNumeric(FactorCuda *F, const void *aa, bool device, FactorCudaResult *result);
/* x and b are n x nrhs on the device, column-major, and may be the same */
int FactorCudaSolve(FactorCuda *F, FactorTranspose trans, int nrhs, const void *b, ptrdiff_t ldb, void *x, ptrdiff_t ldx);
/* r = b - op(A) x, n x nrhs; the largest normwise backward error of a column. Waits. The values are those of the last factorization. */
int FactorCudaResidual(FactorCuda *F, FactorTranspose trans, int nrhs, const void *b, ptrdiff_t ldb, const void *x, ptrdiff_t ldx, void *r, double *error);
/* x += a d, and x = a, n x nrhs */
int FactorCudaAdd(FactorCuda *F, double a, int nrhs, const void *d, void *x, ptrdiff_t ldx);
int FactorCudaFill(FactorCuda *F, double a, int nrhs, void *x, ptrdiff_t ldx);
/* Vectors of the executor's own for n x nrhs numbers: 0 and 1 for what comes from the host, 2 and 3 for residual and correction, 4 for another right-hand side */
int FactorCudaVector(FactorCuda *F, int which, int nrhs, void **v);
/* Between the host and such vectors. Waits. */
int FactorCudaUpload(FactorCuda *F, int nrhs, const void *host, ptrdiff_t ld, void *device);
int FactorCudaDownload(FactorCuda *F, int nrhs, const void *device, void *host, ptrdiff_t ld);
/* Diagonal matrices for rows (0) and columns (1): n real numbers of the host. Waits. */
int FactorCudaSetScale(FactorCuda *F, int which, const double *host, PetscInt n);
/* y = D x, n x nrhs on the device, which may be the same */
int FactorCudaApplyScale(FactorCuda *F, int which, int nrhs, const void *x, ptrdiff_t ldx, void *y, ptrdiff_t ldy);
/* Four bases of null spaces, n x k of the host, sent to arrays of the executor's own. Waits. */
int FactorCudaUploadBasis(FactorCuda *F, int which, int k, const void *host, void **device);
/* out = basis^H x, k x nrhs numbers of the host. The same numbers each time. Waits. */
int FactorCudaDots(FactorCuda *F, int k, const void *basis, int nrhs, const void *x, ptrdiff_t ldx, void *out);
/* x -= basis coefficients, with k x nrhs coefficients of the host. Waits. */
int FactorCudaSubtract(FactorCuda *F, int k, const void *basis, int nrhs, const void *coefficients, void *x, ptrdiff_t ldx);
/* A factorization with the values of the last one, height by height instead of as one graph. Waits. level: as many as the plan has heights. */
struct FactorCudaLevel {
  double fronts, flops, ms;
  int    m, r; /* of the largest front */
};
int FactorCudaProfile(FactorCuda *F, FactorCudaLevel *level);
/* Whether an error says that the device's memory is used up */
bool FactorCudaIsMemory(int error);
/* The bytes that are free on the device */
int            FactorCudaMemory(double *bytes);
FactorCudaInfo FactorCudaGetInfo(const FactorCuda *F);
