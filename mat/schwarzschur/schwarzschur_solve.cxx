/*
  Solves of MATSOLVERSCHWARZSCHUR: PETSc's vectors and matrices on their way to the executor, and what follows where an answer is not good enough.
*/
#include "mat/schwarzschur/schwarzschur.h"
#include "mat/compat/petscversion.h"
#include <cmath>

/* Steps of refinement by default, and where single precision, replaced pivots or a residual that is still large call for more */
static const PetscInt STEPS = 2, STEPS_MORE = 10;
/* Unknowns up to which refinement costs nothing that counts, so that no error is left that it can take away */
static const PetscInt SMALL = 20000;
/* Columns that are solved for at a time, which bounds the memory of the vectors */
static const PetscInt COLUMNS = 32;
/* Part of the right-hand side that must not be small, so that the lack of an error says something of the factors */
static const PetscReal DENSE = 0.5;

PetscInt MatSchwarzSchurSteps(const Mat_SchwarzSchur *ss)
{
  /* Single precision rounds vectors too, and a Krylov method that takes the factors for a linear operator would converge to something else */
  if (ss->asked.refine == 0 && ss->single && ss->inpc) return 1;
  if (ss->asked.refine >= 0) return ss->asked.refine;
  return ss->single || ss->executor->Info().replaced > 0 ? STEPS_MORE : STEPS;
}

static SchwarzSchurRefinement DefaultRefinement(Mat F)
{
  const Mat_SchwarzSchur *ss    = (const Mat_SchwarzSchur *)F->data;
  const bool              small = F->rmap->N <= SMALL;
  SchwarzSchurRefinement  refinement;

  refinement.most    = MatSchwarzSchurSteps(ss);
  refinement.longest = ss->asked.refine >= 0 ? refinement.most : STEPS_MORE;
  refinement.worth   = ss->single || small ? SCHWARZSCHUR_GOOD : SCHWARZSCHUR_FAIR;
  if (small) refinement.aim = PETSC_MACHINE_EPSILON / 2;
  return refinement;
}

/* No answer is better than a wrong one. The factors stay as they are: other right-hand sides may have one. */
static PetscErrorCode MatSchwarzSchurRefuse(Mat F, const SchwarzSchurRefinement *refinement, PetscScalar *x, PetscInt ldx)
{
  Mat_SchwarzSchur        *ss = (Mat_SchwarzSchur *)F->data;
  std::vector<PetscScalar> infinite((size_t)ss->executor->n, INFINITY); /* PETSC_INFINITY is finite */

  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurCheckSymmetric(F));
  PetscCall(PetscInfo(F, "Refinement stops at a backward error of %g, which is no useful solution\n", (double)ss->error));
  for (size_t q = 0; q < refinement->column.size(); q++) {
    if (refinement->column[q] > SCHWARZSCHUR_USELESS) PetscCall(ss->executor->Upload(1, infinite.data(), ss->executor->n, x + q * (size_t)ldx));
  }
  PetscCall(SchwarzSchurTellFailure(F));
  PetscCheck(!F->erroriffailure && !ss->A->erroriffailure, PetscObjectComm((PetscObject)F), PETSC_ERR_MAT_LU_ZRPVT, "Refinement stops at a backward error of %g: use another solver", (double)ss->error);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Arrays are the executor's. *again: there is another executor now, and the same is to be asked of it. */
static PetscErrorCode SolveColumns(Mat F, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx, PetscBool *again)
{
  Mat_SchwarzSchur      *ss       = (Mat_SchwarzSchur *)F->data;
  SchwarzSchurExecutor  *executor = ss->executor.get();
  const PetscInt         steps    = MatSchwarzSchurSteps(ss);
  PetscObjectState       state    = -1;
  PetscReal              changed, any = 0, part;
  SchwarzSchurRefinement refinement;

  PetscFunctionBegin;
  *again = PETSC_FALSE;
  if (ss->ondevice)
    PetscCall(PetscLogGpuFlops(4.0 * ss->nnz * nrhs));
  else
    PetscCall(PetscLogFlops(4.0 * executor->OwnInfo().entries * nrhs));
  if (ss->A) PetscCall(PetscObjectStateGet((PetscObject)ss->A, &state));
  changed = state != ss->state;
  if (ss->check && steps) CompatCallAllreduce(&changed, &any, 1, MPIU_REAL, MPIU_MAX, executor->comm);
  /* Whoever has changed the matrix wants the old factors as they are */
  if (!ss->check || !steps || any > 0) {
    PetscCall(MatSchwarzSchurSolveWith(ss, executor, trans, nrhs, b, ldb, x, ldx, nullptr));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  refinement = DefaultRefinement(F);
  PetscCall(MatSchwarzSchurSolveWith(ss, executor, trans, nrhs, b, ldb, x, ldx, &refinement));
  ss->nrefined = refinement.steps;
  ss->error    = refinement.error;
  /* Cholesky's errors do not depend on the right-hand side as those of the others do, whose pivots are sought in the separators only: these are looked at as long as it costs nothing that counts */
  if (!ss->transform.scaled && !ss->transform.nnull && (ss->used == FACTOR_SPD || F->rmap->N > SMALL) && refinement.first <= (ss->used == FACTOR_SPD ? SCHWARZSCHUR_GOOD : PETSC_MACHINE_EPSILON / 2) && refinement.finite && !ss->suspicious &&
      !ss->single && !ss->measured) {
    PetscReal error = 0;

    PetscCall(executor->Density(b, &part));
    if (part >= DENSE) {
      PetscCall(MatSchwarzSchurMeasure(ss, &error));
      ss->check    = (PetscBool)(error > SCHWARZSCHUR_GOOD);
      ss->measured = PETSC_TRUE;
    }
  }
  if (ss->single && refinement.error > 100 * SCHWARZSCHUR_GOOD) {
    PetscCall(MatSchwarzSchurTryHarder(F, SCHWARZSCHUR_TRY_DOUBLE, again));
  } else if (refinement.error > SCHWARZSCHUR_FAIR) {
    PetscCall(MatSchwarzSchurTryHarder(F, refinement.error > SCHWARZSCHUR_REGULAR ? SCHWARZSCHUR_TRY_PIVOTS : SCHWARZSCHUR_TRY_SCALE, again));
    if (!*again && refinement.error > SCHWARZSCHUR_USELESS) PetscCall(MatSchwarzSchurRefuse(F, &refinement, x, ldx));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* -petlap_check: the host's answer y leaves the same residual as the device's x; arrays are the host's */
static PetscErrorCode Compare(Mat F, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, const PetscScalar *x, PetscInt ldx)
{
  Mat_SchwarzSchur        *ss        = (Mat_SchwarzSchur *)F->data;
  SchwarzSchurExecutor    *mirror    = ss->mirror.get();
  const PetscInt           n         = mirror->n;
  const PetscReal          tolerance = ss->asked.refine == 0 && ss->single ? 1e-4 : 1e-10;
  const size_t             size      = (size_t)n * (size_t)nrhs;
  std::vector<PetscScalar> y(size), r(size), zero(size, 0.0);
  std::vector<PetscReal>   error((size_t)nrhs);
  PetscReal                norm, large = 0, most = 0;
  SchwarzSchurRefinement   refinement = DefaultRefinement(F);

  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurSolveWith(ss, mirror, trans, nrhs, b, ldb, y.data(), n, &refinement));
  for (PetscInt q = 0; q < nrhs; q++) {
    for (PetscInt i = 0; i < n; i++) {
      PetscScalar &v = y[(size_t)(i + q * n)];

      large = PetscMax(large, PetscAbsScalar(v));
      v -= x[i + (size_t)q * ldx];
    }
  }
  /* Of A (y - x), whose size does not depend on the condition of A */
  PetscCall(MatNorm(ss->A, NORM_INFINITY, &norm));
  PetscCall(mirror->Residual(ss->A, norm, trans, nrhs, zero.data(), n, y.data(), n, r.data(), nullptr, error.data()));
  for (PetscScalar v : r) {
    if (!(PetscAbsScalar(v) <= most)) most = PetscAbsScalar(v);
  }
  PetscCheck(most <= tolerance * norm * large || !refinement.finite, PETSC_COMM_SELF, PETSC_ERR_GPU, "-petlap_check: the device's solution differs from the host's by a backward error of %g", (double)(most / (norm * large)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Arrays of the host's or of the device's; whatever is not where the executor works is copied */
static PetscErrorCode SolveAnywhere(Mat F, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscMemType btype, PetscScalar *x, PetscInt ldx, PetscMemType xtype, PetscBool *again)
{
  Mat_SchwarzSchur     *ss       = (Mat_SchwarzSchur *)F->data;
  SchwarzSchurExecutor *executor = ss->executor.get();
  const PetscInt        n        = executor->n;
  const bool            bhost = PetscMemTypeHost(btype), xhost = PetscMemTypeHost(xtype);
  PetscScalar          *db = nullptr, *dx = nullptr;

  PetscFunctionBegin;
  if (!executor->device) {
    PetscCall(SolveColumns(F, trans, nrhs, b, ldb, x, ldx, again));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscLogGpuTimeBegin());
  ss->timing = PETSC_TRUE;
  if (bhost) {
    PetscCall(executor->Work(SCHWARZSCHUR_INPUT, nrhs, &db));
    PetscCall(executor->Upload(nrhs, b, ldb, db));
  }
  if (xhost) PetscCall(executor->Work(SCHWARZSCHUR_OUTPUT, nrhs, &dx));
  PetscCall(SolveColumns(F, trans, nrhs, bhost ? db : b, bhost ? n : ldb, xhost ? dx : x, xhost ? n : ldx, again));
  if (!*again && xhost) PetscCall(executor->Download(nrhs, dx, x, ldx));
  PetscCall(PetscLogGpuTimeEnd());
  ss->timing = PETSC_FALSE;
  if (ss->mirror && !*again) {
    std::vector<PetscScalar> copy[2];

    if (!bhost) {
      copy[0].resize((size_t)n * (size_t)nrhs);
      for (PetscInt q = 0; q < nrhs; q++) PetscCall(executor->Download(1, b + (size_t)q * ldb, &copy[0][(size_t)q * n], n));
    }
    if (!xhost) {
      copy[1].resize((size_t)n * (size_t)nrhs);
      for (PetscInt q = 0; q < nrhs; q++) PetscCall(executor->Download(1, x + (size_t)q * ldx, &copy[1][(size_t)q * n], n));
    }
    PetscCall(Compare(F, trans, nrhs, bhost ? b : copy[0].data(), bhost ? ldb : n, xhost ? x : copy[1].data(), xhost ? ldx : n));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SolveVec(Mat F, FactorTranspose trans, Vec b, Vec x)
{
  Mat_SchwarzSchur  *ss = (Mat_SchwarzSchur *)F->data;
  const PetscInt     n  = F->rmap->n;
  const PetscScalar *bb;
  PetscScalar       *xx;
  PetscMemType       btype, xtype;
  PetscBool          again = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(PetscLogEventBegin(MAT_SSSolve, F, b, x, 0));
  while (again && !F->factorerrortype) {
    if (ss->ondevice) {
      PetscCall(VecGetArrayReadAndMemType(b, &bb, &btype));
      PetscCall(VecGetArrayWriteAndMemType(x, &xx, &xtype));
      PetscCall(SolveAnywhere(F, trans, 1, bb, n, btype, xx, n, xtype, &again));
      PetscCall(VecRestoreArrayWriteAndMemType(x, &xx));
      PetscCall(VecRestoreArrayReadAndMemType(b, &bb));
    } else {
      PetscCall(VecGetArrayRead(b, &bb));
      PetscCall(VecGetArrayWrite(x, &xx));
      PetscCall(SolveColumns(F, trans, 1, bb, n, xx, n, &again));
      PetscCall(VecRestoreArrayWrite(x, &xx));
      PetscCall(VecRestoreArrayRead(b, &bb));
    }
  }
  /* Factors that were good enough before this solve */
  if (again) PetscCall(VecSet(x, INFINITY));
  PetscCall(PetscLogEventEnd(MAT_SSSolve, F, b, x, 0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSolve_SchwarzSchur(Mat F, Vec b, Vec x)
{
  PetscFunctionBegin;
  PetscCall(SolveVec(F, FACTOR_NOTRANS, b, x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSolveTranspose_SchwarzSchur(Mat F, Vec b, Vec x)
{
  PetscFunctionBegin;
  PetscCall(SolveVec(F, FACTOR_TRANS, b, x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Columns *q to N - 1; those before *q are done. *again: the rest is to be asked of another executor. */
static PetscErrorCode SolveDense(Mat F, FactorTranspose trans, Mat B, Mat X, PetscInt N, PetscInt *q, PetscBool *again)
{
  const PetscBool    ondevice = ((Mat_SchwarzSchur *)F->data)->ondevice;
  const PetscScalar *b;
  PetscScalar       *x;
  PetscInt           ldb, ldx;
  PetscMemType       btype = PETSC_MEMTYPE_HOST, xtype = PETSC_MEMTYPE_HOST;

  PetscFunctionBegin;
  *again = PETSC_FALSE;
  PetscCall(MatDenseGetLDA(B, &ldb));
  PetscCall(MatDenseGetLDA(X, &ldx));
  if (ondevice) {
    PetscCall(CompatDenseGetArrayRead(B, &b, &btype));
    /* Not for writing alone: columns that are done already are kept */
    PetscCall(CompatDenseGetArray(X, &x, &xtype));
  } else {
    PetscCall(MatDenseGetArrayRead(B, &b));
    PetscCall(MatDenseGetArray(X, &x));
  }
  while (*q < N && !*again) {
    const PetscInt nrhs = PetscMin(COLUMNS, N - *q);

    PetscCall(SolveAnywhere(F, trans, nrhs, b + (size_t)*q * ldb, ldb, btype, x + (size_t)*q * ldx, ldx, xtype, again));
    if (!*again) *q += nrhs;
  }
  if (ondevice) {
    PetscCall(CompatDenseRestoreArray(X, &x));
    PetscCall(CompatDenseRestoreArrayRead(B, &b));
  } else {
    PetscCall(MatDenseRestoreArray(X, &x));
    PetscCall(MatDenseRestoreArrayRead(B, &b));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Right-hand sides that are not dense are made so */
static PetscErrorCode SolveMat(Mat F, FactorTranspose trans, Mat B, Mat X)
{
  Mat_SchwarzSchur *ss    = (Mat_SchwarzSchur *)F->data;
  Mat               dense = nullptr;
  PetscBool         isdense, again = PETSC_TRUE;
  PetscInt          N, q           = 0;

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompareAny((PetscObject)X, &isdense, MATSEQDENSE, MATSEQDENSECUDA, ss->ranks ? MATMPIDENSE : nullptr, nullptr));
  PetscCheck(isdense, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_WRONG, "The solutions are to be written to a %s matrix: make it %s", ((PetscObject)X)->type_name, ss->ranks ? "MATDENSE" : "MATSEQDENSE");
  PetscCall(PetscObjectTypeCompareAny((PetscObject)B, &isdense, MATSEQDENSE, MATSEQDENSECUDA, ss->ranks ? MATMPIDENSE : nullptr, nullptr));
  if (B == X)
    PetscCall(MatDuplicate(B, MAT_COPY_VALUES, &dense));
  else if (!isdense)
    PetscCall(MatConvert(B, MATDENSE, MAT_INITIAL_MATRIX, &dense));
  if (dense) B = dense;
  PetscCall(PetscLogEventBegin(MAT_SSSolve, F, B, X, 0));
  PetscCall(MatGetSize(B, nullptr, &N));
  while (again && !F->factorerrortype) PetscCall(SolveDense(F, trans, B, X, N, &q, &again));
  if (again) {
    PetscScalar *x;
    PetscInt     ldx;

    PetscCall(MatDenseGetLDA(X, &ldx));
    PetscCall(MatDenseGetArray(X, &x));
    for (; q < N; q++) {
      for (PetscInt i = 0; i < F->rmap->n; i++) x[i + (size_t)q * ldx] = INFINITY;
    }
    PetscCall(MatDenseRestoreArray(X, &x));
  }
  PetscCall(PetscLogEventEnd(MAT_SSSolve, F, B, X, 0));
  PetscCall(MatDestroy(&dense));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatMatSolve_SchwarzSchur(Mat F, Mat B, Mat X)
{
  PetscFunctionBegin;
  PetscCall(SolveMat(F, FACTOR_NOTRANS, B, X));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatMatSolveTranspose_SchwarzSchur(Mat F, Mat B, Mat X)
{
  PetscFunctionBegin;
  PetscCall(SolveMat(F, FACTOR_TRANS, B, X));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A X = B^T */
static PetscErrorCode MatMatTransposeSolve_SchwarzSchur(Mat F, Mat Bt, Mat X)
{
  Mat B;

  PetscFunctionBegin;
  PetscCall(MatTranspose(Bt, MAT_INITIAL_MATRIX, &B));
  PetscCall(SolveMat(F, FACTOR_NOTRANS, B, X));
  PetscCall(MatDestroy(&B));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurSetSolves(Mat F)
{
  PetscFunctionBegin;
  F->ops->solve             = MatSolve_SchwarzSchur;
  F->ops->solvetranspose    = MatSolveTranspose_SchwarzSchur;
  F->ops->matsolve          = MatMatSolve_SchwarzSchur;
  F->ops->matsolvetranspose = MatMatSolveTranspose_SchwarzSchur;
  F->ops->mattransposesolve = MatMatTransposeSolve_SchwarzSchur;
  PetscFunctionReturn(PETSC_SUCCESS);
}
