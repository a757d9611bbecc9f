/*
  Scaling of rows and columns by powers of two, which round nothing.

  Largest entries: each sweep takes the square roots of the largest entries of rows and columns out of them (Ruiz 2001). The result is not unique: rows and columns that were scaled independently may end in
  an ill-conditioned matrix whose largest entries are all 1. Logarithms: the least sum of squares of the entries' logarithms (Curtis and Reid 1972), whose result does not depend on how the matrix was scaled
  before, followed by the largest entries. They hear of entries that are tiny beside their row, as the largest entries do not, and are for that reason what comes second.
*/
#include "mat/schwarzschur/schwarzschur.h"
#include "mat/compat/petscversion.h"
#include <cmath>

/* Sweeps over the largest entries: each takes the square root of what is missing */
static const int SWEEPS = 12;
/* Ratio of what rows and columns differ by from which on only one side has been scaled */
static const PetscReal ONE_SIDED = 32;
/* Passes over the logarithms, steps of conjugate gradients in each, and the root mean square of what these may leave, in bits */
static const int       LOG_PASSES = 8, LOG_STEPS = 100;
static const PetscReal LOG_LEFT = 0.01;
/* Bits: an entry so much smaller than most counts as tiny, and larger exponents are of no use */
static const PetscReal LOG_TINY = 8, LOG_MOST = 500;

/* ---- largest entries ---- */

/* Near v to the power of minus part */
static PetscReal PowerOfTwo(PetscReal v, PetscReal part)
{
  int exponent;

  /* Rows of zeros, and of what is not finite, stay as they are */
  if (!(v > 0) || PetscIsInfOrNanReal(v)) return 1;
  (void)frexp(v, &exponent);
  return ldexp(1.0, -(int)lround(part * (exponent - 1)));
}

/* The largest moduli of the rows, and of the columns, which are the rows of the transposed matrix T; without one, A is symmetric */
static PetscErrorCode LargestEntries(Mat A, Mat T, Vec rows, Vec columns)
{
  PetscFunctionBegin;
  PetscCall(MatGetRowMaxAbs(A, rows, nullptr));
  if (T)
    PetscCall(MatGetRowMaxAbs(T, columns, nullptr));
  else
    PetscCall(VecCopy(rows, columns));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The ratio of the largest and the smallest entry that is not zero */
static PetscErrorCode VecSpread(Vec v, PetscReal *spread)
{
  PetscReal          own[2] = {0, -PETSC_MAX_REAL}, all[2];
  const PetscScalar *array;
  PetscInt           n;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(v, &n));
  PetscCall(VecGetArrayRead(v, &array));
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal a = PetscAbsScalar(array[i]);

    if (!(a > 0)) continue;
    own[0] = PetscMax(own[0], a);
    own[1] = PetscMax(own[1], -a);
  }
  PetscCall(VecRestoreArrayRead(v, &array));
  CompatCallAllreduce(own, all, 2, MPIU_REAL, MPIU_MAX, PetscObjectComm((PetscObject)v));
  *spread = all[0] > 0 ? all[0] / -all[1] : 1;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurSpread(const Mat_SchwarzSchur *ss, Mat A, PetscReal *spread)
{
  Vec       v[2];
  PetscReal of[2];
  Mat       T = nullptr;

  PetscFunctionBegin;
  PetscCall(MatCreateVecs(A, &v[1], &v[0]));
  if (ss->used == FACTOR_LU) PetscCall(MatTranspose(A, MAT_INITIAL_MATRIX, &T));
  PetscCall(LargestEntries(A, T, v[0], v[1]));
  PetscCall(MatDestroy(&T));
  for (int k = 0; k < 2; k++) {
    PetscCall(VecSpread(v[k], &of[k]));
    PetscCall(VecDestroy(&v[k]));
  }
  *spread = PetscMax(of[0], of[1]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Scales W, and what row and column hold */
static PetscErrorCode ScaleLargest(const Mat_SchwarzSchur *ss, Mat W, std::vector<PetscReal> &row, std::vector<PetscReal> &column)
{
  Vec      v[2];
  PetscInt n;
  Mat      T = nullptr;

  PetscFunctionBegin;
  if (ss->used == FACTOR_LU) PetscCall(MatTranspose(W, MAT_INITIAL_MATRIX, &T));
  PetscCall(MatCreateVecs(W, &v[1], &v[0]));
  PetscCall(VecGetLocalSize(v[0], &n));
  for (int sweep = 0; sweep < SWEEPS; sweep++) {
    PetscReal moved = 0, all, spread[2] = {1, 1};

    PetscCall(LargestEntries(W, T, v[0], v[1]));
    /* A matrix that is scaled from one side gets that taken back first */
    for (int k = 0; k < 2 && T && !sweep; k++) PetscCall(VecSpread(v[k], &spread[k]));
    for (int k = 0; k < 2; k++) {
      PetscScalar            *array;
      std::vector<PetscReal> &scale = k ? column : row;

      PetscCall(VecGetArray(v[k], &array));
      for (PetscInt i = 0; i < n; i++) {
        const PetscReal part = spread[k] > ONE_SIDED * spread[1 - k] ? 1 : spread[1 - k] > ONE_SIDED * spread[k] ? 0 : 0.5, s = PowerOfTwo(PetscAbsScalar(array[i]), part);

        array[i] = s;
        scale[(size_t)i] *= s;
        if (s != 1) moved = 1;
      }
      PetscCall(VecRestoreArray(v[k], &array));
    }
    CompatCallAllreduce(&moved, &all, 1, MPIU_REAL, MPIU_MAX, PetscObjectComm((PetscObject)W));
    if (all == 0) break;
    PetscCall(MatDiagonalScale(W, v[0], v[1]));
    if (T) PetscCall(MatDiagonalScale(T, v[1], v[0]));
  }
  PetscCall(MatDestroy(&T));
  PetscCall(VecDestroy(&v[0]));
  PetscCall(VecDestroy(&v[1]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- logarithms ---- */

/* Rows and columns have scales of their own unless the factors are symmetric */
static int Sides(const Mat_SchwarzSchur *ss)
{
  return ss->used == FACTOR_LU ? 2 : 1;
}

/* Scales from their exponents, also in scale unless that is null */
static PetscErrorCode FromExponents(Vec v, std::vector<PetscReal> *scale)
{
  PetscScalar *array;
  PetscInt     n;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(v, &n));
  PetscCall(VecGetArray(v, &array));
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal s = std::ldexp(1., (int)PetscRealPart(array[i]));

    array[i] = s;
    if (scale) (*scale)[(size_t)i] = s;
  }
  PetscCall(VecRestoreArray(v, &array));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Entries of L, which has the pattern of A, from those of A */
template <class Function>
static PetscErrorCode FillFrom(Mat A, Mat L, Function entry)
{
  Mat       from[2] = {A, nullptr}, to[2] = {L, nullptr};
  PetscBool distributed;

  PetscFunctionBegin;
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)A, MATMPIAIJ, &distributed));
  if (distributed) {
    PetscCall(MatMPIAIJGetSeqAIJ(A, &from[0], &from[1], nullptr));
    PetscCall(MatMPIAIJGetSeqAIJ(L, &to[0], &to[1], nullptr));
  }
  for (int b = 0; b < 2 && from[b]; b++) {
    SchwarzSchurRows rows;
    PetscScalar     *l;

    PetscCall(SchwarzSchurGetRows(from[b], PETSC_TRUE, &rows));
    PetscCall(MatSeqAIJGetArray(to[b], &l));
    for (PetscInt k = 0; k < rows.ia[rows.n]; k++) l[k] = entry(rows.aa[k]);
    PetscCall(MatSeqAIJRestoreArray(to[b], &l));
    PetscCall(SchwarzSchurRestoreRows(from[b], &rows));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Weights of the entries, times the logarithms of their moduli or not; zeros where entries are zero or not finite */
static PetscErrorCode FillLogarithms(Mat A, PetscBool logarithms, PetscBool weigh, Mat L)
{
  PetscFunctionBegin;
  PetscCall(FillFrom(A, L, [=](PetscScalar v) {
    const PetscReal a = PetscAbsScalar(v);

    if (!(a > 0) || PetscIsInfOrNanReal(a)) return 0.;
    const PetscReal bits = std::log2(a), weight = weigh && bits < -LOG_TINY ? -LOG_TINY / bits : 1;

    return logarithms ? weight * bits : weight;
  }));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurModuli(Mat A, Mat *moduli)
{
  PetscFunctionBegin;
  PetscCall(MatDuplicate(A, MAT_DO_NOT_COPY_VALUES, moduli));
  PetscCall(FillFrom(A, *moduli, [](PetscScalar v) { return PetscAbsScalar(v); }));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* y = P x for the rows, and P^T x of the rows for the columns, where they are not the same */
static PetscErrorCode Products(Mat P, int sides, const Vec x[], Vec y[])
{
  PetscFunctionBegin;
  PetscCall(MatMult(P, x[sides - 1], y[0]));
  if (sides > 1) PetscCall(MatMultTranspose(P, x[0], y[1]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Dot(int sides, const Vec x[], const Vec y[], PetscReal *dot)
{
  PetscFunctionBegin;
  *dot = 0;
  for (int k = 0; k < sides; k++) {
    PetscScalar part;

    PetscCall(VecDot(x[k], y[k], &part));
    *dot += PetscRealPart(part);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  Exponents u of rows and v of columns with the least weighted sum of (log2 |a_ij| + u_i + v_j)^2; only u where both are to be the same. The normal equations are those of a bipartite graph: for each row, the sum of what
  is left of its logarithms is zero, and for each column.
*/
static PetscErrorCode Logarithms(Mat A, int sides, PetscBool weigh, Vec u[])
{
  enum { COUNT, LEFT, PRECONDITIONED, DIRECTION, PRODUCT, NWORK };
  Vec       work[NWORK][2];
  Mat       P;
  PetscReal rho, before, curvature;
  PetscInt  N;

  PetscFunctionBegin;
  for (int w = 0; w < NWORK; w++) {
    for (int k = 0; k < sides; k++) PetscCall(VecDuplicate(u[k], &work[w][k]));
  }
  PetscCall(MatDuplicate(A, MAT_DO_NOT_COPY_VALUES, &P));
  PetscCall(FillLogarithms(A, PETSC_TRUE, weigh, P));
  for (int k = 0; k < sides; k++) PetscCall(VecSet(u[k], 1));
  PetscCall(Products(P, sides, u, work[LEFT]));
  PetscCall(FillLogarithms(A, PETSC_FALSE, weigh, P));
  PetscCall(Products(P, sides, u, work[COUNT]));
  for (int k = 0; k < sides; k++) {
    PetscScalar *count;
    PetscInt     n;

    PetscCall(VecSet(u[k], 0));
    PetscCall(VecScale(work[LEFT][k], -1));
    PetscCall(VecGetLocalSize(work[COUNT][k], &n));
    PetscCall(VecGetArray(work[COUNT][k], &count));
    for (PetscInt i = 0; i < n; i++) {
      if (count[i] == 0.) count[i] = 1;
    }
    PetscCall(VecRestoreArray(work[COUNT][k], &count));
    PetscCall(VecSet(work[DIRECTION][k], 0));
  }
  PetscCall(VecGetSize(u[0], &N));
  before = 1;
  for (int step = 0; step < LOG_STEPS; step++) {
    for (int k = 0; k < sides; k++) PetscCall(VecPointwiseDivide(work[PRECONDITIONED][k], work[LEFT][k], work[COUNT][k]));
    PetscCall(Dot(sides, work[LEFT], work[PRECONDITIONED], &rho));
    if (!(rho > LOG_LEFT * LOG_LEFT * (PetscReal)N)) break;
    for (int k = 0; k < sides; k++) PetscCall(VecAYPX(work[DIRECTION][k], rho / before, work[PRECONDITIONED][k]));
    PetscCall(Products(P, sides, work[DIRECTION], work[PRODUCT]));
    for (int k = 0; k < sides; k++) {
      PetscCall(VecPointwiseMult(work[PRECONDITIONED][k], work[COUNT][k], work[DIRECTION][k]));
      PetscCall(VecAXPY(work[PRODUCT][k], 1, work[PRECONDITIONED][k]));
    }
    PetscCall(Dot(sides, work[DIRECTION], work[PRODUCT], &curvature));
    if (!(curvature > 0)) break;
    for (int k = 0; k < sides; k++) {
      PetscCall(VecAXPY(u[k], rho / curvature, work[DIRECTION][k]));
      PetscCall(VecAXPY(work[LEFT][k], -rho / curvature, work[PRODUCT][k]));
    }
    before = rho;
  }
  PetscCall(MatDestroy(&P));
  for (int w = 0; w < NWORK; w++) {
    for (int k = 0; k < sides; k++) PetscCall(VecDestroy(&work[w][k]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The largest modulus on all sides */
static PetscErrorCode Largest(int sides, const Vec u[], PetscReal *largest)
{
  PetscFunctionBegin;
  *largest = 0;
  for (int k = 0; k < sides; k++) {
    PetscReal norm;

    PetscCall(VecNorm(u[k], NORM_INFINITY, &norm));
    *largest = PetscMax(*largest, norm);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Exponents of the scales of A's rows and columns. Entries that turn out to be tiny beside what most are weigh less in the next pass, so that few of them do not move the others. */
static PetscErrorCode WeighedLogarithms(Mat A, int sides, Vec total[])
{
  Vec       u[2];
  Mat       W;
  PetscReal moved;

  PetscFunctionBegin;
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &W));
  for (int k = 0; k < sides; k++) {
    PetscCall(VecDuplicate(total[k], &u[k]));
    PetscCall(VecSet(total[k], 0));
  }
  for (int pass = 0; pass < LOG_PASSES; pass++) {
    PetscCall(Logarithms(W, sides, (PetscBool)(pass > 0), u));
    for (int k = 0; k < sides; k++) {
      PetscScalar *array;
      PetscInt     n;

      PetscCall(VecGetLocalSize(u[k], &n));
      PetscCall(VecGetArray(u[k], &array));
      for (PetscInt i = 0; i < n; i++) array[i] = std::round(PetscRealPart(array[i]));
      PetscCall(VecRestoreArray(u[k], &array));
      PetscCall(VecAXPY(total[k], 1, u[k]));
    }
    PetscCall(Largest(sides, u, &moved));
    if (!(moved > 0)) break;
    PetscCall(Largest(sides, total, &moved));
    if (moved > LOG_MOST) break;
    for (int k = 0; k < sides; k++) PetscCall(FromExponents(u[k], nullptr));
    PetscCall(MatDiagonalScale(W, u[0], u[sides - 1]));
  }
  PetscCall(MatDestroy(&W));
  for (int k = 0; k < sides; k++) PetscCall(VecDestroy(&u[k]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Scales W, and what row and column hold */
static PetscErrorCode ScaleLogarithms(const Mat_SchwarzSchur *ss, Mat W, std::vector<PetscReal> &row, std::vector<PetscReal> &column)
{
  const int sides = Sides(ss);
  Vec       u[2];
  PetscReal most;

  PetscFunctionBegin;
  PetscCall(MatCreateVecs(W, &u[1], &u[0]));
  PetscCall(WeighedLogarithms(W, sides, u));
  PetscCall(Largest(sides, u, &most));
  if (most <= LOG_MOST) {
    for (int k = 0; k < sides; k++) PetscCall(FromExponents(u[k], k ? &column : &row));
    if (sides == 1) column = row;
    PetscCall(MatDiagonalScale(W, u[0], u[sides - 1]));
  }
  PetscCall(VecDestroy(&u[0]));
  PetscCall(VecDestroy(&u[1]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurScale(const Mat_SchwarzSchur *ss, Mat W, std::vector<PetscReal> &row, std::vector<PetscReal> &column)
{
  PetscFunctionBegin;
  row.assign((size_t)W->rmap->n, 1);
  column.assign((size_t)W->rmap->n, 1);
  if (ss->scaled == SCALING_LOGARITHMS) PetscCall(ScaleLogarithms(ss, W, row, column));
  PetscCall(ScaleLargest(ss, W, row, column));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurUneven(const Mat_SchwarzSchur *ss, Mat A, PetscReal *bits)
{
  const int sides = Sides(ss);
  Vec       u[2];
  PetscReal most;

  PetscFunctionBegin;
  *bits = 0;
  PetscCall(MatCreateVecs(A, &u[1], &u[0]));
  PetscCall(WeighedLogarithms(A, sides, u));
  PetscCall(Largest(sides, u, &most));
  for (int k = 0; k < sides && most <= LOG_MOST; k++) {
    PetscReal low, high;

    PetscCall(VecMin(u[k], nullptr, &low));
    PetscCall(VecMax(u[k], nullptr, &high));
    *bits = PetscMax(*bits, high - low);
  }
  PetscCall(VecDestroy(&u[0]));
  PetscCall(VecDestroy(&u[1]));
  PetscFunctionReturn(PETSC_SUCCESS);
}
