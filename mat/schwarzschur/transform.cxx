/*
  Another system instead of A x = b where that one does not do: W y = R b with W = R A C + shifts, x = C y.

  R and C are diagonal and hold powers of two, so that nothing is rounded. A singular A whose null vectors are known gets a shift on one diagonal entry for each of them. For a right-hand side
  b in the range of A, the shifted system has the solution in which these unknowns are zero, which also solves A x = b: a vector y of the left null space gives y^H b = 0 = shift y_p^H x_p. So b is first projected on
  the range, and x in the end on what is orthogonal to the null space.
*/
#include "mat/schwarzschur/schwarzschur.h"
#include "mat/compat/petscversion.h"
#include <cmath>

/* Backward error up to which a vector counts as one of the null space */
static const PetscReal NULL_VECTOR = 1e-10;

/* ---- bases of null spaces ---- */

static PetscErrorCode BasisDots(MPI_Comm comm, PetscInt n, PetscInt k, const PetscScalar *V, const PetscScalar *x, PetscScalar *dots)
{
  std::vector<PetscScalar> own((size_t)k + 1, 0.0);
  PetscMPIInt              count;

  PetscFunctionBegin;
  for (PetscInt j = 0; j < k; j++) {
    for (PetscInt i = 0; i < n; i++) own[(size_t)j] += PetscConj(V[i + (size_t)j * n]) * x[i];
  }
  PetscCall(PetscMPIIntCast(k, &count));
  CompatCallAllreduce(own.data(), dots, count, MPIU_SCALAR, MPIU_SUM, comm);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Takes the vector x into the orthonormal basis, unless it lies in its span */
static PetscErrorCode BasisAdd(MPI_Comm comm, PetscInt n, std::vector<PetscScalar> &V, PetscInt *k, std::vector<PetscScalar> x)
{
  std::vector<PetscScalar> dots((size_t)*k + 1);
  PetscScalar              square, before;

  PetscFunctionBegin;
  PetscCall(BasisDots(comm, n, 1, x.data(), x.data(), &before));
  for (int pass = 0; pass < 2; pass++) {
    PetscCall(BasisDots(comm, n, *k, V.data(), x.data(), dots.data()));
    for (PetscInt j = 0; j < *k; j++) {
      for (PetscInt i = 0; i < n; i++) x[(size_t)i] -= dots[(size_t)j] * V[(size_t)(i + j * n)];
    }
  }
  PetscCall(BasisDots(comm, n, 1, x.data(), x.data(), &square));
  if (!(PetscRealPart(square) > 1e-16 * PetscRealPart(before)) || PetscIsInfOrNanScalar(square)) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscScalar &v : x) v /= PetscSqrtReal(PetscRealPart(square));
  V.insert(V.end(), x.begin(), x.end());
  ++*k;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The vectors of a null space of op(A) that A really has; conj: their conjugates are meant. */
static PetscErrorCode BasisFromNullSpace(Mat A, PetscReal norm, PetscBool transpose, PetscBool conj, MatNullSpace space, std::vector<PetscScalar> &V, PetscInt *k)
{
  Vec        v, r;
  PetscBool  constant = PETSC_FALSE;
  PetscInt   nvec     = 0, n;
  const Vec *vec      = nullptr;

  PetscFunctionBegin;
  if (!space) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(MatNullSpaceGetVecs(space, &constant, &nvec, &vec));
  PetscCall(MatCreateVecs(A, &v, &r));
  PetscCall(VecGetLocalSize(v, &n));
  for (PetscInt j = constant ? -1 : 0; j < nvec; j++) {
    PetscReal          large, residual;
    const PetscScalar *array;

    if (j < 0)
      PetscCall(VecSet(v, 1.0));
    else {
      PetscInt size, expected;

      PetscCall(VecGetLocalSize(vec[j], &size));
      PetscCall(VecGetLocalSize(v, &expected));
      if (size != expected) continue;
      PetscCall(VecCopy(vec[j], v));
    }
    if (transpose)
      PetscCall(MatMultTranspose(A, v, r));
    else
      PetscCall(MatMult(A, v, r));
    PetscCall(VecNorm(v, NORM_INFINITY, &large));
    PetscCall(VecNorm(r, NORM_INFINITY, &residual));
    if (!(large > 0) || !(residual <= NULL_VECTOR * norm * large)) continue;
    if (conj) PetscCall(VecConjugate(v));
    PetscCall(VecGetArrayRead(v, &array));
    PetscCall(BasisAdd(PetscObjectComm((PetscObject)A), n, V, k, std::vector<PetscScalar>(array, array + n)));
    PetscCall(VecRestoreArrayRead(v, &array));
  }
  PetscCall(VecDestroy(&v));
  PetscCall(VecDestroy(&r));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether A^H w = 0 for the vectors w of V, or of its conjugate */
static PetscErrorCode BasisIsLeft(Mat A, PetscReal norm, PetscInt n, PetscInt k, const std::vector<PetscScalar> &V, PetscBool conj, PetscBool *is)
{
  Vec v, r;

  PetscFunctionBegin;
  *is = PETSC_TRUE;
  PetscCall(MatCreateVecs(A, &r, &v));
  for (PetscInt j = 0; j < k && *is; j++) {
    PetscScalar *array;
    PetscReal    large, residual;

    PetscCall(VecGetArray(v, &array));
    for (PetscInt i = 0; i < n; i++) array[i] = conj ? V[(size_t)(i + j * n)] : PetscConj(V[(size_t)(i + j * n)]);
    PetscCall(VecRestoreArray(v, &array));
    PetscCall(MatMultTranspose(A, v, r));
    PetscCall(VecNorm(v, NORM_INFINITY, &large));
    PetscCall(VecNorm(r, NORM_INFINITY, &residual));
    *is = (PetscBool)(residual <= NULL_VECTOR * norm * large);
  }
  PetscCall(VecDestroy(&v));
  PetscCall(VecDestroy(&r));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- pins ---- */

/* How welcome a shift is in the local rows: 1 where the diagonal entry is stored, less where it has to be added, which only a matrix of one process allows, else 0 */
static PetscErrorCode PinCandidates(Mat A, std::vector<PetscReal> &has)
{
  Mat              block = A;
  PetscBool        distributed;
  SchwarzSchurRows rows;

  PetscFunctionBegin;
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)A, MATMPIAIJ, &distributed));
  if (distributed) PetscCall(MatMPIAIJGetSeqAIJ(A, &block, nullptr, nullptr));
  PetscCall(SchwarzSchurGetRows(block, PETSC_FALSE, &rows));
  has.assign((size_t)rows.n, distributed ? 0 : 1e-4);
  for (PetscInt i = 0; i < rows.n; i++) {
    for (PetscInt k = rows.ia[i]; k < rows.ia[i + 1]; k++) {
      if (rows.ja[k] == i) has[(size_t)i] = 1;
    }
  }
  PetscCall(SchwarzSchurRestoreRows(block, &rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sizes of the rows of a basis */
static std::vector<PetscReal> BasisWeights(PetscInt n, PetscInt k, const std::vector<PetscScalar> &V)
{
  std::vector<PetscReal> weight((size_t)n, 0);

  for (PetscInt j = 0; j < k; j++) {
    for (PetscInt i = 0; i < n; i++) weight[(size_t)i] = PetscMax(weight[(size_t)i], PetscAbsScalar(V[(size_t)(i + j * n)]));
  }
  return weight;
}

/* One row for each vector of the basis, by elimination with the largest entries, times their weights, as pivots; -1 for a row of another rank */
static PetscErrorCode PinChoose(MPI_Comm comm, PetscInt n, PetscInt k, const std::vector<PetscScalar> &basis, const std::vector<PetscReal> &weight, std::vector<PetscInt> &pin, PetscBool *found)
{
  std::vector<PetscScalar> V = basis;
  PetscMPIInt              rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  *found = PETSC_TRUE;
  pin.assign((size_t)k, -1);
  for (PetscInt j = 0; j < k; j++) {
    struct {
      double value;
      int    rank;
    } own                       = {0, rank}, best;
    PetscInt                 at = -1;
    std::vector<PetscScalar> row((size_t)k, 0.0);

    for (PetscInt i = 0; i < n; i++) {
      const double v = PetscAbsScalar(V[(size_t)(i + j * n)]) * weight[(size_t)i];

      /* The first of those that are as large to rounding, so that more ranks choose the same */
      if (!(v > own.value * (1 + 1e-10))) continue;
      own.value = v;
      at        = i;
    }
    PetscCallMPI(MPI_Allreduce(&own, &best, 1, MPI_DOUBLE_INT, MPI_MAXLOC, comm));
    if (!(best.value > 0)) *found = PETSC_FALSE;
    if (!*found) PetscFunctionReturn(PETSC_SUCCESS);
    if (best.rank == rank) {
      pin[(size_t)j] = at;
      for (PetscInt l = 0; l < k; l++) row[(size_t)l] = V[(size_t)(at + l * n)];
    }
    PetscCallMPI(MPI_Bcast(row.data(), (PetscMPIInt)k, MPIU_SCALAR, best.rank, comm));
    for (PetscInt l = j + 1; l < k; l++) {
      const PetscScalar f = row[(size_t)l] / row[(size_t)j];

      for (PetscInt i = 0; i < n; i++) V[(size_t)(i + l * n)] -= f * V[(size_t)(i + j * n)];
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurFindNullSpace(Mat F, Mat A)
{
  Mat_SchwarzSchur      *ss = (Mat_SchwarzSchur *)F->data;
  SchwarzSchurTransform &t  = ss->transform;
  MatNullSpace           space, other;
  Mat                    operators;
  PetscReal              norm;
  PetscBool              found;
  std::vector<PetscReal> has;
  PetscInt               nleft = 0;
  const MPI_Comm         comm  = PetscObjectComm((PetscObject)A);

  PetscFunctionBegin;
  t.right.clear();
  t.left.clear();
  t.pin.clear();
  t.nnull = t.nleft = 0;
  t.leftof = t.moved = PETSC_FALSE;
  t.attached         = PETSC_FALSE;
  PetscCall(MatGetNullSpace(A, &space));
  PetscCall(MatGetTransposeNullSpace(A, &other));
  if (!space) {
    PetscCall(SchwarzSchurFindOperator(F, &operators));
    if (operators) {
      PetscCall(MatGetNullSpace(operators, &space));
      if (!other) PetscCall(MatGetTransposeNullSpace(operators, &other));
    }
  }
  if (!space) PetscFunctionReturn(PETSC_SUCCESS);
  t.attached = PETSC_TRUE;
  PetscCall(MatNorm(A, NORM_INFINITY, &norm));
  if (PetscIsInfOrNanReal(norm)) PetscFunctionReturn(PETSC_SUCCESS);
  const PetscInt n = A->rmap->n;
  PetscCall(BasisFromNullSpace(A, norm, PETSC_FALSE, PETSC_FALSE, space, t.right, &t.nnull));
  if (!t.nnull) {
    PetscCall(PetscInfo(F, "The null space that is attached is none of this matrix\n"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  /* PETSc's transposed null space is that of A^T, the conjugate of what A^H has */
  PetscCall(BasisFromNullSpace(A, norm, PETSC_TRUE, PETSC_TRUE, other, t.left, &nleft));
  t.nleft  = nleft;
  t.leftof = (PetscBool)(nleft == t.nnull);
  for (int conj = 0; conj < (PetscDefined(USE_COMPLEX) ? 2 : 1) && !t.leftof; conj++) {
    PetscCall(BasisIsLeft(A, norm, n, t.nnull, t.right, (PetscBool)conj, &t.leftof));
    if (!t.leftof) continue;
    t.left  = t.right;
    t.nleft = t.nnull;
    for (PetscScalar &v : t.left) v = conj ? PetscConj(v) : v;
  }
  PetscCall(PinCandidates(A, has));
  if (t.leftof) {
    const std::vector<PetscReal> weight = BasisWeights(n, t.nleft, t.left);

    for (size_t i = 0; i < has.size(); i++) has[i] *= weight[i];
  }
  PetscCall(PinChoose(comm, n, t.nnull, t.right, has, t.pin, &found));
  if (!found) {
    PetscCall(PetscInfo(F, "No diagonal entries are where the null space could be fixed\n"));
    t.nnull = 0;
    t.pin.clear();
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscInfo(F, "The null space has %" PetscInt_FMT " vectors, each of which fixes an unknown\n", t.nnull));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- W ---- */

/* Shifts as large as the row is, or as the matrix is where the row is zero, with the sign of the diagonal */
static PetscErrorCode PinMatrix(Mat_SchwarzSchur *ss, Mat W)
{
  const SchwarzSchurTransform &t = ss->transform;
  Vec                          diagonal, largest;
  const PetscScalar           *d, *v;
  PetscReal                    norm;
  PetscInt                     first;

  PetscFunctionBegin;
  PetscCall(MatNorm(W, NORM_INFINITY, &norm));
  PetscCall(MatGetOwnershipRange(W, &first, nullptr));
  PetscCall(MatCreateVecs(W, nullptr, &diagonal));
  PetscCall(VecDuplicate(diagonal, &largest));
  PetscCall(MatGetDiagonal(W, diagonal));
  PetscCall(MatGetRowMaxAbs(W, largest, nullptr));
  PetscCall(VecGetArrayRead(diagonal, &d));
  PetscCall(VecGetArrayRead(largest, &v));
  if (!ss->ranks) PetscCall(MatSetOption(W, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
  for (PetscInt p : t.pin) {
    if (p < 0) continue;
    const PetscScalar sign = d[p] == 0.0 ? 1.0 : d[p] / PetscAbsScalar(d[p]), size = v[p] == 0.0 ? (norm > 0 ? norm : 1) : PetscAbsScalar(v[p]);

    PetscCall(MatSetValue(W, first + p, first + p, sign * size, ADD_VALUES));
  }
  PetscCall(VecRestoreArrayRead(largest, &v));
  PetscCall(VecRestoreArrayRead(diagonal, &d));
  PetscCall(VecDestroy(&largest));
  PetscCall(VecDestroy(&diagonal));
  PetscCall(MatAssemblyBegin(W, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(W, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurPermute(const Mat_SchwarzSchur *ss, Mat A, Mat *W)
{
  IS order;

  PetscFunctionBegin;
  if (ss->order.empty()) {
    PetscCall(PetscObjectReference((PetscObject)A));
    *W = A;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(ISCreateGeneral(PETSC_COMM_SELF, (PetscInt)ss->order.size(), ss->order.data(), PETSC_USE_POINTER, &order));
  PetscCall(ISSetPermutation(order));
  PetscCall(MatPermute(A, order, order, W));
  PetscCall(ISDestroy(&order));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurMakeTransform(Mat F, Mat A)
{
  Mat_SchwarzSchur      *ss    = (Mat_SchwarzSchur *)F->data;
  SchwarzSchurTransform &t     = ss->transform;
  PetscBool              grown = PETSC_FALSE;

  PetscFunctionBegin;
  t.row.clear();
  t.column.clear();
  t.scaled = (PetscBool)(ss->scaled != SCALING_NONE);
  PetscCall(MatDestroy(&t.W));
  PetscCall(MatDestroy(&t.moduli));
  if (ss->scaled) PetscCall(MatSchwarzSchurModuli(A, &t.moduli));
  if (ss->scaled || t.nnull) {
    Mat              copy;
    PetscObjectState before, after;

    PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &copy));
    PetscCall(MatNorm(A, NORM_INFINITY, &t.norm));
    if (ss->scaled) PetscCall(MatSchwarzSchurScale(ss, copy, t.row, t.column));
    PetscCall(MatGetNonzeroState(copy, &before));
    if (t.nnull) PetscCall(PinMatrix(ss, copy));
    PetscCall(MatGetNonzeroState(copy, &after));
    PetscCall(MatSchwarzSchurPermute(ss, copy, &t.W));
    PetscCall(MatDestroy(&copy));
    grown = (PetscBool)(after != before && !ss->ranks);
  } else {
    PetscCall(MatSchwarzSchurPermute(ss, A, &t.W));
  }
  /* Diagonal entries have come, or are gone again */
  if (grown || t.grown) {
    PetscCall(ss->values->Analyze(t.W, ss->plan));
    ss->executor.reset();
  }
  t.grown = grown;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The left null space is what the shifted and transposed system gives for the pinned unknowns. *again: it is small where the pins are, which have then been moved. */
static PetscErrorCode FindLeft(Mat_SchwarzSchur *ss, SchwarzSchurExecutor *executor, PetscBool *again)
{
  SchwarzSchurTransform   &t = ss->transform;
  const PetscInt           n = executor->n;
  std::vector<PetscScalar> e((size_t)n), y((size_t)n);
  SchwarzSchurRefinement   refinement;
  PetscInt                 k = 0;

  PetscFunctionBegin;
  *again = PETSC_FALSE;
  t.left.clear();
  for (PetscInt p : t.pin) {
    for (size_t i = 0; i < e.size(); i++) e[i] = p >= 0 && (ss->order.empty() ? (PetscInt)i : ss->order[i]) == p ? 1 : 0;
    PetscCall(SchwarzSchurRefineHost(executor, t.W, ss->found.norms.sum, FACTOR_TRANS, e.data(), &refinement));
    for (size_t i = 0; i < e.size(); i++) {
      const size_t at = ss->order.empty() ? i : (size_t)ss->order[i];

      y[at] = PetscConj(e[i]) * (t.scaled ? t.row[at] : 1.);
    }
    PetscCall(BasisAdd(executor->comm, n, t.left, &k, y));
  }
  t.nleft  = k;
  t.leftof = (PetscBool)(k == t.nnull);
  if (!t.leftof) PetscFunctionReturn(PETSC_SUCCESS);
  const std::vector<PetscReal> weight = BasisWeights(n, k, t.left);
  std::vector<PetscReal>       has;
  std::vector<PetscInt>        moved;
  PetscReal                    own[2] = {0, -PETSC_MAX_REAL}, all[2];
  PetscBool                    found;

  for (PetscReal w : weight) own[0] = PetscMax(own[0], w);
  for (PetscInt p : t.pin) {
    if (p >= 0) own[1] = PetscMax(own[1], -weight[(size_t)p]);
  }
  CompatCallAllreduce(own, all, 2, MPIU_REAL, MPIU_MAX, executor->comm);
  if (-all[1] >= 1e-3 * all[0] || t.moved) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PinCandidates(ss->A, has));
  for (size_t i = 0; i < has.size(); i++) has[i] *= weight[i];
  PetscCall(PinChoose(executor->comm, n, t.nnull, t.right, has, moved, &found));
  if (!found) PetscFunctionReturn(PETSC_SUCCESS);
  t.pin    = moved;
  t.moved  = PETSC_TRUE;
  *again   = PETSC_TRUE;
  t.leftof = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurTellTransform(Mat F, SchwarzSchurExecutor *executor, PetscBool *again)
{
  Mat_SchwarzSchur      *ss = (Mat_SchwarzSchur *)F->data;
  SchwarzSchurTransform &t  = ss->transform;

  PetscFunctionBegin;
  *again = PETSC_FALSE;
  if (t.scaled) {
    PetscCall(executor->SetScale(SCHWARZSCHUR_ROWS, t.row.data()));
    PetscCall(executor->SetScale(SCHWARZSCHUR_COLUMNS, t.column.data()));
  }
  if (!t.nnull) PetscFunctionReturn(PETSC_SUCCESS);
  if (!t.leftof) PetscCall(FindLeft(ss, executor, again));
  if (*again) {
    PetscCall(PetscInfo(F, "The left null space is small where unknowns are fixed: fixes others\n"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  std::vector<PetscScalar> conj(t.right.size());

  PetscCall(executor->SetBasis(SCHWARZSCHUR_LEFT, t.nleft, t.left.data()));
  PetscCall(executor->SetBasis(SCHWARZSCHUR_RIGHT, t.nnull, t.right.data()));
  for (size_t i = 0; i < conj.size(); i++) conj[i] = PetscConj(t.right[i]);
  PetscCall(executor->SetBasis(SCHWARZSCHUR_RIGHT_CONJ, t.nnull, conj.data()));
  conj = t.left;
  for (PetscScalar &v : conj) v = PetscConj(v);
  PetscCall(executor->SetBasis(SCHWARZSCHUR_LEFT_CONJ, t.nleft, conj.data()));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurResetTransform(Mat_SchwarzSchur *ss)
{
  PetscFunctionBegin;
  PetscCall(MatDestroy(&ss->transform.W));
  PetscCall(MatDestroy(&ss->transform.moduli));
  ss->transform = SchwarzSchurTransform();
  PetscFunctionReturn(PETSC_SUCCESS);
}
