/*
  Derivatives through a direct solve: from the gradient with respect to the solution of A x = b to those with respect to b and to the nonzeros
  of A, with one transposed solve.
*/
#include "petlap.h"
#include "mat/compat/petscversion.h"
#include <petsc/private/matimpl.h>

/* The first row of two sequential matrices in which the stored columns differ, or their number of rows */
static PetscErrorCode AdjointFirstDifferentRow(Mat A, Mat B, PetscInt *row)
{
  const PetscInt *ai, *aj, *bi, *bj;
  PetscInt        m, n;
  PetscBool       adone, bdone, whole;

  PetscFunctionBegin;
  PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &m, &ai, &aj, &adone));
  PetscCall(MatGetRowIJ(B, 0, PETSC_FALSE, PETSC_FALSE, &n, &bi, &bj, &bdone));
  PetscCheck(adone && bdone, PETSC_COMM_SELF, PETSC_ERR_PLIB, "The sparsity of the matrix cannot be seen");
  *row  = 0;
  whole = (PetscBool)(m == n);
  if (whole) PetscCall(PetscArraycmp(ai, bi, m + 1, &whole));
  if (whole) PetscCall(PetscArraycmp(aj, bj, ai[m], &whole));
  if (whole) *row = m;
  for (; *row < PetscMin(m, n); (*row)++) {
    const PetscInt start = ai[*row], length = ai[*row + 1] - start;
    PetscBool      same = (PetscBool)(bi[*row] == start && bi[*row + 1] == start + length);

    if (same) PetscCall(PetscArraycmp(aj + start, bj + start, length, &same));
    if (!same) break;
  }
  PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &m, &ai, &aj, &adone));
  PetscCall(MatRestoreRowIJ(B, 0, PETSC_FALSE, PETSC_FALSE, &n, &bi, &bj, &bdone));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The sequential matrices that hold the local rows of A; the second one is NULL unless A is distributed */
static PetscErrorCode AdjointGetBlocks(Mat A, Mat blocks[2], const PetscInt *columns[], PetscInt *ncolumns)
{
  PetscBool distributed;

  PetscFunctionBegin;
  blocks[0] = A;
  blocks[1] = nullptr;
  *columns  = nullptr;
  *ncolumns = 0;
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)A, MATMPIAIJ, &distributed));
  if (distributed) {
    PetscCall(MatMPIAIJGetSeqAIJ(A, &blocks[0], &blocks[1], columns));
    PetscCall(MatGetSize(blocks[1], nullptr, ncolumns));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode AdjointCheckPattern(Mat A, Mat dEdA)
{
  Mat             a[2], d[2];
  const PetscInt *acolumns, *dcolumns;
  PetscInt        n, an, dn, start, first[2], rows;
  PetscBool       same;

  PetscFunctionBegin;
  PetscCall(AdjointGetBlocks(A, a, &acolumns, &an));
  PetscCall(AdjointGetBlocks(dEdA, d, &dcolumns, &dn));
  PetscCall(MatGetLocalSize(A, &n, nullptr));
  PetscCall(MatGetOwnershipRange(A, &start, nullptr));
  PetscCall(MatGetSize(A, &rows, nullptr));
  PetscCall(AdjointFirstDifferentRow(a[0], d[0], &first[0]));
  if (a[1] && d[1] && first[0] == n) {
    /* The numbers in the second block count the columns that it has anything in */
    same = (PetscBool)(an == dn);
    if (same) PetscCall(PetscArraycmp(acolumns, dcolumns, an, &same));
    if (same) {
      PetscCall(AdjointFirstDifferentRow(a[1], d[1], &first[0]));
    } else {
      first[0] = 0;
    }
  }
  first[0] = first[0] == n ? rows : start + first[0];
  CompatCallAllreduce(&first[0], &first[1], 1, MPIU_INT, MPI_MIN, PetscObjectComm((PetscObject)A));
  PetscCheck(first[1] == rows, PetscObjectComm((PetscObject)A), PETSC_ERR_ARG_INCOMP,
             "dEdA does not have the nonzero pattern of A from row %" PetscInt_FMT " on: make it with MatDuplicate(A, MAT_DO_NOT_COPY_VALUES, &dEdA) when all nonzeros of A are in place", first[1]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What can be told from the arguments alone, before anything is computed */
static PetscErrorCode AdjointCheckArguments(Mat F, Mat A, Vec x, Vec dEdx, Vec dEdb, Mat dEdA)
{
  MPI_Comm      comm = PetscObjectComm((PetscObject)A);
  MatFactorType factored, plain;
  PetscInt      m, n, M, N, fm, fM;
  PetscBool     assembled;

  PetscFunctionBegin;
  PetscCall(MatGetFactorType(F, &factored));
  PetscCall(MatGetFactorType(A, &plain));
  PetscCheck(factored == MAT_FACTOR_LU || factored == MAT_FACTOR_CHOLESKY, comm, PETSC_ERR_ARG_WRONG,
             "F is no complete factorization: take the one that PCFactorGetMatrix() returns after KSPSetUp() with -pc_type lu or cholesky, or that MatGetFactor(), MatLUFactorSymbolic() and MatLUFactorNumeric() make");
  PetscCheck(plain == MAT_FACTOR_NONE, comm, PETSC_ERR_ARG_WRONG, "A is a factor: the second argument is the matrix itself, which a factorization in place (-pc_factor_in_place) would have overwritten");
  PetscCall(MatAssembled(A, &assembled));
  PetscCheck(assembled, comm, PETSC_ERR_ARG_WRONGSTATE, "A is not assembled: call MatAssemblyBegin() and MatAssemblyEnd()");
  PetscCall(MatGetSize(A, &M, &N));
  PetscCall(MatGetLocalSize(A, &m, &n));
  PetscCall(MatGetSize(F, &fM, nullptr));
  PetscCall(MatGetLocalSize(F, &fm, nullptr));
  PetscCheck(M == N, comm, PETSC_ERR_ARG_SIZ, "A is %" PetscInt_FMT " x %" PetscInt_FMT ": only a square system has a direct solution", M, N);
  PetscCheck(fM == M && fm == m, comm, PETSC_ERR_ARG_SIZ, "F is the factor of a matrix with %" PetscInt_FMT " rows (%" PetscInt_FMT " here), and A has %" PetscInt_FMT " (%" PetscInt_FMT " here): factor A itself", fM, fm, M, m);
  for (PetscInt k = 0; k < 3; k++) {
    const char *const names[] = {"x", "dEdx", "dEdb"};
    const Vec         v       = k == 0 ? x : (k == 1 ? dEdx : dEdb);

    if (!v) continue;
    PetscCall(VecGetSize(v, &N));
    PetscCall(VecGetLocalSize(v, &n));
    PetscCheck(N == M && n == m, comm, PETSC_ERR_ARG_SIZ, "%s has %" PetscInt_FMT " entries (%" PetscInt_FMT " here), and A has %" PetscInt_FMT " rows (%" PetscInt_FMT " here): make it with MatCreateVecs()", names[k], N, n, M, m);
  }
  PetscCheck(!dEdb || (dEdb != x && dEdb != dEdx), comm, PETSC_ERR_ARG_IDN, "dEdb is the same vector as %s: make another one with VecDuplicate()", dEdb == x ? "x" : "dEdx");
  if (dEdA) {
    PetscBool supported[2];

    PetscCheck(dEdA != A && dEdA != F, comm, PETSC_ERR_ARG_IDN, "dEdA is the same matrix as %s: make another one with MatDuplicate(A, MAT_DO_NOT_COPY_VALUES, &dEdA)", dEdA == A ? "A" : "F");
    PetscCall(PetscObjectBaseTypeCompareAny((PetscObject)A, &supported[0], MATSEQAIJ, MATMPIAIJ, ""));
    PetscCall(PetscObjectBaseTypeCompareAny((PetscObject)dEdA, &supported[1], MATSEQAIJ, MATMPIAIJ, ""));
    PetscCheck(supported[0] && supported[1], comm, PETSC_ERR_SUP, "The gradient with respect to a matrix of type %s is not supported: use -mat_type aij, or MatConvert(), for A and dEdA (symmetric storage has no place for both dE/dA_ij and dE/dA_ji)",
               ((PetscObject)(supported[0] ? dEdA : A))->type_name);
    PetscCall(MatAssembled(dEdA, &assembled));
    PetscCheck(assembled, comm, PETSC_ERR_ARG_WRONGSTATE, "dEdA is not assembled: make it with MatDuplicate(A, MAT_DO_NOT_COPY_VALUES, &dEdA)");
    PetscCall(MatGetSize(dEdA, &fM, &N));
    PetscCall(MatGetLocalSize(dEdA, &fm, &n));
    PetscCheck(fM == M && N == M && fm == m && n == m, comm, PETSC_ERR_ARG_SIZ, "dEdA is %" PetscInt_FMT " x %" PetscInt_FMT ", and A has %" PetscInt_FMT " rows: make it with MatDuplicate(A, MAT_DO_NOT_COPY_VALUES, &dEdA)", fM, N, M);
    PetscCall(AdjointCheckPattern(A, dEdA));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* y := A^-H g */
static PetscErrorCode AdjointSolve(Mat F, Mat A, Vec g, Vec y)
{
  MatFactorType factored;
  MatSolverType solver;
  PetscBool     transposed, known, hermitian, symmetric;
  Vec           conjugate = g;

  PetscFunctionBegin;
  PetscCall(MatGetFactorType(F, &factored));
  PetscCall(MatIsHermitianKnown(A, &known, &hermitian));
  hermitian = (PetscBool)(known && hermitian);
  /* The plain solve is asked for where it will do: some solver types have no transposed one, or one that forgets to conjugate */
  symmetric = (PetscBool)(factored == MAT_FACTOR_CHOLESKY && !hermitian);
  PetscCall(MatHasOperation(F, MATOP_SOLVE_TRANSPOSE, &transposed));
  if (!transposed && !symmetric && !hermitian) {
    PetscCall(MatFactorGetSolverType(F, &solver));
    SETERRQ(PetscObjectComm((PetscObject)F), PETSC_ERR_SUP, "The solver type %s cannot solve with the transposed matrix: use -pc_factor_mat_solver_type petsc or mumps", solver);
  }
  if (PetscDefined(USE_COMPLEX) && !hermitian) {
    PetscCall(VecDuplicate(g, &conjugate));
    PetscCall(VecCopy(g, conjugate));
    PetscCall(VecConjugate(conjugate));
  }
  if (symmetric || hermitian) {
    PetscCall(MatSolve(F, conjugate, y));
  } else {
    PetscCall(MatSolveTranspose(F, conjugate, y));
  }
  if (conjugate != g) {
    PetscCall(VecConjugate(y));
    PetscCall(VecDestroy(&conjugate));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* dEdA_ij := -y_i conj(x_j) for a sequential matrix, in one pass over its memory */
static PetscErrorCode AdjointOuterProductSequential(Vec y, Vec x, Mat dEdA)
{
  const PetscInt    *rows, *columns;
  const PetscScalar *left, *right;
  PetscScalar       *values;
  PetscInt           n;
  PetscBool          done;

  PetscFunctionBegin;
  PetscCall(MatGetRowIJ(dEdA, 0, PETSC_FALSE, PETSC_FALSE, &n, &rows, &columns, &done));
  PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_PLIB, "The sparsity of the matrix cannot be seen");
  PetscCall(VecGetArrayRead(y, &left));
  PetscCall(VecGetArrayRead(x, &right));
  PetscCall(MatSeqAIJGetArrayWrite(dEdA, &values));
  for (PetscInt i = 0; i < n; i++) {
    for (PetscInt k = rows[i]; k < rows[i + 1]; k++) values[k] = -left[i] * PetscConj(right[columns[k]]);
  }
  PetscCall(PetscLogFlops(rows[n]));
  PetscCall(MatSeqAIJRestoreArrayWrite(dEdA, &values));
  PetscCall(VecRestoreArrayRead(x, &right));
  PetscCall(VecRestoreArrayRead(y, &left));
  PetscCall(MatRestoreRowIJ(dEdA, 0, PETSC_FALSE, PETSC_FALSE, &n, &rows, &columns, &done));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The same for a distributed one, as a diagonal scaling of the pattern: PETSc then fetches what is needed of x from other processes */
static PetscErrorCode AdjointOuterProductDistributed(Vec y, Vec x, Mat dEdA)
{
  Mat             blocks[2];
  const PetscInt *columns;
  PetscInt        n;
  Vec             right = x;

  PetscFunctionBegin;
  PetscCall(AdjointGetBlocks(dEdA, blocks, &columns, &n));
  for (PetscInt k = 0; k < 2; k++) {
    MatInfo      info;
    PetscScalar *values;

    PetscCall(MatGetInfo(blocks[k], MAT_LOCAL, &info));
    PetscCall(MatSeqAIJGetArrayWrite(blocks[k], &values));
    for (PetscCount l = 0; l < (PetscCount)info.nz_used; l++) values[l] = -1.0;
    PetscCall(MatSeqAIJRestoreArrayWrite(blocks[k], &values));
  }
  if (PetscDefined(USE_COMPLEX)) {
    PetscCall(VecDuplicate(x, &right));
    PetscCall(VecCopy(x, right));
    PetscCall(VecConjugate(right));
  }
  PetscCall(MatDiagonalScale(dEdA, y, right));
  if (right != x) PetscCall(VecDestroy(&right));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurSolveAdjoint - Computes the gradients with respect to b and to the nonzeros of A of a function E of the solution of A x = b

  Collective

  Input Parameters:
+ F    - a complete factorization (LU or Cholesky) of A, of any `MatSolverType`, for example from `PCFactorGetMatrix()`
. A    - the matrix that was factored, of type `MATAIJ` if dEdA is wanted
. x    - the solution of A x = b
- dEdx - the gradient of E with respect to x

  Output Parameters:
+ dEdb - the gradient with respect to b, A^-H dEdx; or `NULL`
- dEdA - the gradient with respect to the nonzeros of A, -dEdb_i conj(x_j) in row i and column j; or `NULL`. An assembled matrix with the
         nonzero pattern of A, from `MatDuplicate()` with `MAT_DO_NOT_COPY_VALUES`; all its values are overwritten.

  Level: intermediate

  Notes:
  E is real. The gradient g with respect to a vector (or to the nonzeros of a matrix) v is the one with dE = sum_i g_i dv_i, and for complex
  scalars the one with dE = Re(sum_i conj(g_i) dv_i), which is to say g_i = dE/dRe(v_i) + i dE/dIm(v_i). For E = |x - t|^2 / 2 it is x - t in both cases.

  The nonzeros of A count as independent of one another. Where they depend on parameters p, also where A is symmetric, the chain rule
  dE/dp = sum_ij dEdA_ij dA_ij/dp is one pass over the assembly loop.

  The cost is that of one transposed solve with the factor that exists already; nothing is factored. Where A is known to be
  Hermitian (`MatSetOption()` with `MAT_HERMITIAN`), or F is a Cholesky factorization, it is a plain solve. For complex scalars, a Cholesky factor is taken
  to be that of a symmetric matrix unless A is known to be Hermitian. If the factorization has failed, the gradients are as infinite or NaN as the solution is.

  Errors:
  `PETSC_ERR_ARG_WRONG` when F is no complete factorization or A is one, `PETSC_ERR_ARG_SIZ` when sizes differ, `PETSC_ERR_ARG_IDN` when an output is also an
  input, `PETSC_ERR_ARG_WRONGSTATE` when A or dEdA is not assembled, `PETSC_ERR_ARG_INCOMP` when dEdA has not the nonzero pattern of A,
  `PETSC_ERR_SUP` when A or dEdA is not of type `MATAIJ` or when the solver type has no transposed solve.

  References:
  Schwarz-Schur Involution: Lightspeed Differentiable Sparse Linear Solvers, appendices C.3, C.4 and C.7.

.seealso: `MatSolveTranspose()`, `PCFactorGetMatrix()`, `MatDuplicate()`
@*/
PetscErrorCode MatSchwarzSchurSolveAdjoint(Mat F, Mat A, Vec x, Vec dEdx, Vec dEdb, Mat dEdA)
{
  Vec       y = dEdb;
  PetscBool sequential;

  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscValidHeaderSpecific(A, MAT_CLASSID, 2);
  PetscValidHeaderSpecific(x, VEC_CLASSID, 3);
  PetscValidHeaderSpecific(dEdx, VEC_CLASSID, 4);
  if (dEdb) PetscValidHeaderSpecific(dEdb, VEC_CLASSID, 5);
  if (dEdA) PetscValidHeaderSpecific(dEdA, MAT_CLASSID, 6);
  PetscCall(AdjointCheckArguments(F, A, x, dEdx, dEdb, dEdA));
  if (!dEdb && !dEdA) PetscFunctionReturn(PETSC_SUCCESS);
  if (!y) PetscCall(VecDuplicate(dEdx, &y));
  PetscCall(AdjointSolve(F, A, dEdx, y));
  if (dEdA) {
    PetscCall(PetscObjectBaseTypeCompare((PetscObject)dEdA, MATSEQAIJ, &sequential));
    if (sequential) {
      PetscCall(AdjointOuterProductSequential(y, x, dEdA));
    } else {
      PetscCall(AdjointOuterProductDistributed(y, x, dEdA));
    }
  }
  if (y != dEdb) PetscCall(VecDestroy(&y));
  PetscFunctionReturn(PETSC_SUCCESS);
}
