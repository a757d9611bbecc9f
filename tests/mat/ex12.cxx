static char help[] = "What schwarzschur says of systems at the edge: singular, badly scaled, indefinite without pivots on the diagonal, not finite, empty.\n\
Each case prints that it ended as it should, or what went wrong. The first test of a kind is also what a program would write.\n\n";

#include <petlap.h>
#include "backwarderror.h"
#include <cmath>
#include <cstring>

static PetscRandom rnd;

/* The same numbers on all ranks, which those of PETSc's vectors are not */
static PetscReal Random(void)
{
  static unsigned int seed = 1;

  seed = seed * 1664525u + 1013904223u;
  return (PetscReal)(seed >> 8) / 16777216.0;
}

/* A coupling of two neighbours on a grid; how rows are made of them */
typedef PetscErrorCode (*Entry)(PetscInt row, PetscInt column, const PetscInt offset[2], PetscScalar *value, PetscBool *there, void *context);

/* A matrix on an nx x ny grid whose rows couple to their eight neighbours, or to less */
static PetscErrorCode Make(PetscInt nx, PetscInt ny, Entry entry, void *context, Mat *A)
{
  PetscInt first, last;

  PetscFunctionBeginUser;
  PetscCall(MatCreate(PETSC_COMM_WORLD, A));
  PetscCall(MatSetSizes(*A, PETSC_DECIDE, PETSC_DECIDE, nx * ny, nx * ny));
  PetscCall(MatSetType(*A, MATAIJ));
  PetscCall(MatSetFromOptions(*A));
  PetscCall(MatSeqAIJSetPreallocation(*A, 9, NULL));
  PetscCall(MatMPIAIJSetPreallocation(*A, 9, NULL, 9, NULL));
  PetscCall(MatGetOwnershipRange(*A, &first, &last));
  for (PetscInt i = 0; i < nx * ny; i++) {
    for (PetscInt k = 0; k < 9; k++) {
      const PetscInt offset[2] = {k % 3 - 1, k / 3 - 1}, x = i % nx + offset[0], y = i / nx + offset[1];
      PetscScalar    value = 0;
      PetscBool      there = PETSC_TRUE;

      if (x < 0 || x >= nx || y < 0 || y >= ny) continue;
      /* All ranks draw the same numbers */
      PetscCall((*entry)(i, x + nx * y, offset, &value, &there, context));
      if (there && i >= first && i < last) PetscCall(MatSetValue(*A, i, x + nx * y, value, INSERT_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

typedef struct {
  PetscInt  nx, ny;
  PetscInt  cut;       /* no coupling crosses this column of points; -1 for none */
  PetscBool dirichlet; /* the diagonal is that of a larger grid */
  PetscReal spread;    /* rows and columns are multiplied by 10^U(-spread, spread) */
  PetscBool rows;      /* only rows are */
  PetscReal below;     /* coefficient of the rows above the middle */
  PetscBool identity;  /* rows of the grid's end are those of the identity */
  PetscInt  hole;      /* this row and column hold zeros; -1 for none */
  PetscReal scale[4096];
  PetscReal columns[4096]; /* of the columns, where they are not those of the rows; 0: they are */
} Laplace;

static PetscErrorCode LaplaceEntry(PetscInt row, PetscInt column, const PetscInt offset[2], PetscScalar *value, PetscBool *there, void *context)
{
  const Laplace *l = (const Laplace *)context;
  const PetscInt x = row % l->nx, y = row / l->nx, to = column % l->nx;
  PetscReal      k = 1;

  PetscFunctionBeginUser;
  *there = (PetscBool)(offset[0] == 0 || offset[1] == 0);
  if (l->below > 0 && y >= l->ny / 2) k = l->below;
  if (l->identity && y == l->ny - 1) {
    *value = row == column;
    PetscFunctionReturn((PetscErrorCode)0);
  }
  if (row != column) {
    *value = l->cut >= 0 && (x < l->cut) != (to < l->cut) ? 0 : -k;
  } else {
    const PetscInt near = (x > 0 && x != l->cut) + (x < l->nx - 1 && x != l->cut - 1) + (y > 0) + (y < l->ny - 1);

    *value = k * (l->dirichlet ? 4 : near);
  }
  if (row == l->hole || column == l->hole) *value = 0;
  if (l->spread > 0) *value *= l->scale[row] * (l->rows ? 1 : l->columns[column] > 0 ? l->columns[column] : l->scale[column]);
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode LaplaceInit(Laplace *l, PetscInt nx, PetscInt ny)
{
  PetscFunctionBeginUser;
  memset(l, 0, sizeof(*l));
  l->nx   = nx;
  l->ny   = ny;
  l->cut  = -1;
  l->hole = -1;
  for (PetscInt i = 0; i < nx * ny; i++) l->scale[i] = PetscPowReal(10, 8 * Random() - 4);
  PetscFunctionReturn((PetscErrorCode)0);
}

typedef enum { SIGNS, ZERO_DIAGONAL, SKEW } Kind;

typedef struct {
  Kind     kind;
  PetscInt n;
  int      sign[80 * 80];
} Indefinite;

/* Whether the determinant is 0, by elimination modulo a prime: nothing is rounded, and a matrix that is singular for this prime alone is not met here */
static PetscBool IsSingular(const Indefinite *m)
{
  const long long p = 2147483647;
  long long       a[80][80];

  for (PetscInt i = 0; i < m->n; i++) {
    for (PetscInt j = 0; j < m->n; j++) a[i][j] = (m->sign[i * m->n + j] + p) % p;
  }
  for (PetscInt k = 0; k < m->n; k++) {
    PetscInt  at      = k;
    long long inverse = 1, base;

    while (at < m->n && a[at][k] == 0) at++;
    if (at == m->n) return PETSC_TRUE;
    for (PetscInt j = 0; j < m->n; j++) {
      const long long v = a[k][j];

      a[k][j]  = a[at][j];
      a[at][j] = v;
    }
    base = a[k][k];
    for (long long e = p - 2; e; e /= 2, base = base * base % p) inverse = e % 2 ? inverse * base % p : inverse;
    for (PetscInt i = k + 1; i < m->n; i++) {
      const long long f = a[i][k] * inverse % p;

      for (PetscInt j = k; j < m->n; j++) a[i][j] = (a[i][j] + (p - f) * a[k][j]) % p;
    }
  }
  return PETSC_FALSE;
}

static PetscErrorCode RandomEntry(PetscInt row, PetscInt column, const PetscInt offset[2], PetscScalar *value, PetscBool *there, void *context)
{
  Indefinite *m    = (Indefinite *)context;
  const Kind  kind = m->kind;

  PetscFunctionBeginUser;
  (void)offset;
  (void)there;
  m->sign[row * m->n + column] = Random() < 0.5 ? 1 : -1;
  *value                       = m->sign[row * m->n + column];
  if (kind == ZERO_DIAGONAL) *value = row == column ? 0 : 2 * Random() - 1;
  /* The same number for both entries of a pair */
  if (kind == SKEW) *value = row == column ? 0. : (row < column ? 1 : -1) * PetscSinReal(1 + 12.9898 * PetscMin(row, column) + 78.233 * PetscMax(row, column));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Solver(Mat A, Mat P, PCType type, KSP *ksp)
{
  PC pc;

  PetscFunctionBeginUser;
  PetscCall(KSPCreate(PETSC_COMM_WORLD, ksp));
  PetscCall(KSPSetType(*ksp, KSPPREONLY));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(PCSetType(pc, type));
  PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERSCHWARZSCHUR));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscCall(KSPSetOperators(*ksp, A, P));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Say(const char name[], const char what[])
{
  PetscFunctionBeginUser;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %s\n", name, what));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode SayError(const char name[], PetscReal error, PetscReal bound)
{
  PetscFunctionBeginUser;
  if (error <= bound)
    PetscCall(Say(name, "right"));
  else
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: error %g\n", name, (double)error));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Residual beside what no solution can take away: that part of b that is orthogonal to the range, whose complement is spanned by left */
static PetscErrorCode SingularError(Mat A, PetscBool transpose, Vec b, Vec x, MatNullSpace left, MatNullSpace right, PetscReal *error)
{
  Vec       r, c;
  PetscReal nr, nb, moved;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(b, &r));
  PetscCall(VecDuplicate(b, &c));
  PetscCall(VecCopy(b, c));
  PetscCall(MatNullSpaceRemove(left, c));
  if (transpose)
    PetscCall(MatMultTranspose(A, x, r));
  else
    PetscCall(MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1.0, c));
  PetscCall(VecNorm(r, NORM_2, &nr));
  PetscCall(VecNorm(b, NORM_2, &nb));
  /* The solution has no part in the null space */
  PetscCall(VecCopy(x, c));
  PetscCall(MatNullSpaceRemove(right, c));
  PetscCall(VecAXPY(c, -1.0, x));
  PetscCall(VecNorm(c, NORM_2, &moved));
  PetscCall(VecNorm(x, NORM_2, &nb));
  *error = PetscMax(nr, moved) / PetscMax(1e-300, nb);
  PetscCall(VecDestroy(&r));
  PetscCall(VecDestroy(&c));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A solve, a transposed one and one with three columns */
static PetscErrorCode Singular(const char name[], Mat A, Mat P, MatNullSpace right, MatNullSpace left, PCType type, PetscBool consistent)
{
  KSP                ksp;
  PC                 pc;
  Mat                F, B, X;
  Vec                b, x, column;
  PetscInt           n;
  PetscReal          error;
  KSPConvergedReason reason;
  char               text[128];

  PetscFunctionBeginUser;
  PetscCall(Solver(A, P, type, &ksp));
  PetscCall(MatCreateVecs(P, &x, &b));
  PetscCall(VecSetRandom(x, rnd));
  if (consistent)
    PetscCall(MatMult(P, x, b));
  else
    PetscCall(VecSetRandom(b, rnd));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(PetscSNPrintf(text, sizeof(text), "%s, %s", name, type));
  if (reason < 0) {
    PetscCall(Say(text, KSPConvergedReasons[reason]));
  } else {
    PetscCall(SingularError(P, PETSC_FALSE, b, x, left, right, &error));
    PetscCall(SayError(text, error, 1e-11));
    PetscCall(KSPGetPC(ksp, &pc));
    PetscCall(PCFactorGetMatrix(pc, &F));
    PetscCall(MatSolveTranspose(F, b, x));
    PetscCall(SingularError(P, PETSC_TRUE, b, x, right, left, &error));
    PetscCall(PetscSNPrintf(text, sizeof(text), "%s, %s transposed", name, type));
    PetscCall(SayError(text, error, 1e-11));
    PetscCall(MatGetLocalSize(P, &n, NULL));
    PetscCall(MatCreateDense(PETSC_COMM_WORLD, n, PETSC_DECIDE, PETSC_DETERMINE, 3, NULL, &B));
    PetscCall(MatSetRandom(B, rnd));
    PetscCall(MatDuplicate(B, MAT_DO_NOT_COPY_VALUES, &X));
    PetscCall(MatMatSolve(F, B, X));
    for (PetscInt q = 0; q < 3; q++) {
      PetscReal worst = 0;

      PetscCall(MatDenseGetColumnVecRead(B, q, &column));
      PetscCall(VecCopy(column, b));
      PetscCall(MatDenseRestoreColumnVecRead(B, q, &column));
      PetscCall(MatDenseGetColumnVecRead(X, q, &column));
      PetscCall(VecCopy(column, x));
      PetscCall(MatDenseRestoreColumnVecRead(X, q, &column));
      PetscCall(SingularError(P, PETSC_FALSE, b, x, left, right, &worst));
      error = q ? PetscMax(error, worst) : worst;
    }
    PetscCall(PetscSNPrintf(text, sizeof(text), "%s, %s columns", name, type));
    PetscCall(SayError(text, error, 1e-11));
    PetscCall(MatDestroy(&B));
    PetscCall(MatDestroy(&X));
  }
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Both parts of a grid that is cut in two are a component */
static PetscErrorCode Parts(Mat A, const Laplace *l, MatNullSpace *space)
{
  Vec      v[2];
  PetscInt first, last;

  PetscFunctionBeginUser;
  PetscCall(MatCreateVecs(A, &v[0], NULL));
  PetscCall(VecDuplicate(v[0], &v[1]));
  PetscCall(VecGetOwnershipRange(v[0], &first, &last));
  for (PetscInt i = first; i < last; i++) PetscCall(VecSetValue(v[i % l->nx < l->cut], i, 1.0, INSERT_VALUES));
  for (int k = 0; k < 2; k++) {
    PetscCall(VecAssemblyBegin(v[k]));
    PetscCall(VecAssemblyEnd(v[k]));
    PetscCall(VecNormalize(v[k], NULL));
  }
  PetscCall(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_FALSE, 2, v, space));
  PetscCall(VecDestroy(&v[0]));
  PetscCall(VecDestroy(&v[1]));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode NullSpaces(void)
{
  Laplace      l;
  Mat          A, P;
  MatNullSpace constant, parts, left;
  Vec          w;
  PetscInt     first, last;

  PetscFunctionBeginUser;
  PetscCall(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_TRUE, 0, NULL, &constant));
  PetscCall(LaplaceInit(&l, 33, 29));
  PetscCall(Make(33, 29, LaplaceEntry, &l, &A));
  PetscCall(Singular("no null space", A, A, constant, constant, PCLU, PETSC_TRUE));
  PetscCall(Singular("no null space", A, A, constant, constant, PCCHOLESKY, PETSC_TRUE));
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &P));
  PetscCall(MatSetNullSpace(A, constant));
  for (int consistent = 0; consistent < 2; consistent++) {
    PetscCall(Singular(consistent ? "consistent" : "inconsistent", A, A, constant, constant, PCLU, (PetscBool)consistent));
    PetscCall(Singular(consistent ? "consistent" : "inconsistent", A, A, constant, constant, PCCHOLESKY, (PetscBool)consistent));
  }
  PetscCall(Singular("null space of the operator", A, P, constant, constant, PCLU, PETSC_FALSE));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&P));
  l.cut = 14;
  PetscCall(Make(33, 29, LaplaceEntry, &l, &A));
  PetscCall(Parts(A, &l, &parts));
  PetscCall(MatSetNullSpace(A, constant));
  PetscCall(Singular("one vector of two", A, A, parts, parts, PCLU, PETSC_TRUE));
  PetscCall(MatSetNullSpace(A, parts));
  PetscCall(Singular("two components", A, A, parts, parts, PCLU, PETSC_FALSE));
  PetscCall(Singular("two components", A, A, parts, parts, PCCHOLESKY, PETSC_FALSE));
  PetscCall(MatNullSpaceDestroy(&parts));
  PetscCall(MatDestroy(&A));
  /* A point that is coupled to nothing, and has a diagonal of zero */
  l.cut       = -1;
  l.dirichlet = PETSC_TRUE;
  l.hole      = 300;
  PetscCall(Make(33, 29, LaplaceEntry, &l, &A));
  PetscCall(MatCreateVecs(A, NULL, &w));
  PetscCall(VecGetOwnershipRange(w, &first, &last));
  if (l.hole >= first && l.hole < last) PetscCall(VecSetValue(w, l.hole, 1.0, INSERT_VALUES));
  PetscCall(VecAssemblyBegin(w));
  PetscCall(VecAssemblyEnd(w));
  PetscCall(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_FALSE, 1, &w, &left));
  PetscCall(MatSetNullSpace(A, left));
  PetscCall(Singular("a row of zeros", A, A, left, left, PCLU, PETSC_FALSE));
  PetscCall(MatNullSpaceDestroy(&left));
  PetscCall(VecDestroy(&w));
  PetscCall(MatDestroy(&A));
  l.dirichlet = PETSC_FALSE;
  l.hole      = -1;
  /* Rows are scaled, so that the left null vector is another one */
  l.cut    = -1;
  l.spread = 1;
  l.rows   = PETSC_TRUE;
  for (PetscInt i = 0; i < 33 * 29; i++) l.scale[i] = 1 + 3 * Random();
  PetscCall(Make(33, 29, LaplaceEntry, &l, &A));
  PetscCall(MatCreateVecs(A, NULL, &w));
  PetscCall(VecGetOwnershipRange(w, &first, &last));
  for (PetscInt i = first; i < last; i++) PetscCall(VecSetValue(w, i, 1 / l.scale[i], INSERT_VALUES));
  PetscCall(VecAssemblyBegin(w));
  PetscCall(VecAssemblyEnd(w));
  PetscCall(VecNormalize(w, NULL));
  PetscCall(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_FALSE, 1, &w, &left));
  PetscCall(MatSetNullSpace(A, constant));
  PetscCall(Singular("left null space unknown", A, A, constant, left, PCLU, PETSC_FALSE));
  PetscCall(MatSetTransposeNullSpace(A, left));
  PetscCall(Singular("left null space known", A, A, constant, left, PCLU, PETSC_FALSE));
  PetscCall(MatDestroy(&A));
  PetscCall(MatNullSpaceDestroy(&left));
  PetscCall(VecDestroy(&w));
  PetscCall(MatNullSpaceDestroy(&constant));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The largest backward error of solves with right-hand sides of several kinds, in this order; one without a number may come before */
static PetscErrorCode Solves(Mat A, PCType type, PetscBool upset, PetscReal *worst, KSPConvergedReason *reason)
{
  KSP       ksp;
  Vec       b, x;
  PetscReal error;

  PetscFunctionBeginUser;
  *worst = 0;
  PetscCall(Solver(A, A, type, &ksp));
  PetscCall(MatCreateVecs(A, &x, &b));
  for (int k = upset ? 0 : 2; k < 4; k++) {
    PetscCall(VecSetRandom(b, rnd));
    if (k < 2) PetscCall(VecSet(b, k ? NAN : 0.0));
    if (k == 3) PetscCall(VecShift(b, -0.5));
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(KSPGetConvergedReason(ksp, reason));
    if (*reason < 0) break;
    if (k == 1) continue;
    if (k == 0)
      PetscCall(VecNorm(x, NORM_INFINITY, &error));
    else
      PetscCall(BackwardError(A, PETSC_FALSE, b, x, &error));
    if (!(error <= *worst)) *worst = PetscIsInfOrNanReal(error) ? PETSC_MAX_REAL : error;
  }
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Right(const char name[], Mat A, PCType type, PetscBool upset)
{
  PetscReal          error;
  KSPConvergedReason reason;

  PetscFunctionBeginUser;
  PetscCall(Solves(A, type, upset, &error, &reason));
  if (reason < 0)
    PetscCall(Say(name, KSPConvergedReasons[reason]));
  else
    PetscCall(SayError(name, error, 1e-13));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Rows and columns that are scaled independently have more than one set of scales that makes the largest entries ones, and with some the matrix looks singular */
static PetscErrorCode ScaledApart(void)
{
  const PetscInt size[6][2] = {{8, 1}, {30, 1}, {1, 12}, {3, 3}, {9, 7}, {20, 20}};
  Laplace        l;
  Mat            A, T;
  PetscInt       refused = 0;
  PetscReal      worst   = 0;

  PetscFunctionBeginUser;
  for (int k = 0; k < 60; k++) {
    const PetscInt nx = size[k % 6][0], ny = size[k % 6][1];

    PetscCall(LaplaceInit(&l, nx, ny));
    l.dirichlet = PETSC_TRUE;
    l.spread    = 12;
    for (PetscInt i = 0; i < nx * ny; i++) {
      l.scale[i]   = PetscPowReal(10, 24 * Random() - 12);
      l.columns[i] = PetscPowReal(10, 24 * Random() - 12);
    }
    PetscCall(Make(nx, ny, LaplaceEntry, &l, &A));
    PetscCall(MatTranspose(A, MAT_INITIAL_MATRIX, &T));
    for (int side = 0; side < 2; side++) {
      PetscReal          error;
      KSPConvergedReason reason;

      PetscCall(Solves(side ? T : A, PCLU, PETSC_FALSE, &error, &reason));
      refused += reason < 0;
      worst = PetscMax(worst, error);
    }
    PetscCall(MatDestroy(&A));
    PetscCall(MatDestroy(&T));
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "rows and columns scaled apart: refused %" PetscInt_FMT "\n", refused));
  PetscCall(SayError("those that were solved", worst, 1e-13));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Scaled(void)
{
  Laplace l;
  Mat     A;

  PetscFunctionBeginUser;
  PetscCall(LaplaceInit(&l, 20, 20));
  l.dirichlet = PETSC_TRUE;
  PetscCall(Make(20, 20, LaplaceEntry, &l, &A));
  PetscCall(Right("Dirichlet", A, PCLU, PETSC_TRUE));
  PetscCall(MatDestroy(&A));
  l.spread = 4;
  PetscCall(Make(20, 20, LaplaceEntry, &l, &A));
  PetscCall(Right("scaled from both sides, lu", A, PCLU, PETSC_TRUE));
  PetscCall(Right("scaled from both sides, cholesky", A, PCCHOLESKY, PETSC_TRUE));
  PetscCall(MatDestroy(&A));
  l.rows = PETSC_TRUE;
  PetscCall(Make(20, 20, LaplaceEntry, &l, &A));
  PetscCall(Right("scaled rows", A, PCLU, PETSC_TRUE));
  PetscCall(MatDestroy(&A));
  for (PetscInt i = 0; i < 400; i++) l.scale[i] = PetscPowReal(l.scale[i], 12.0);
  PetscCall(Make(20, 20, LaplaceEntry, &l, &A));
  PetscCall(Right("rows scaled by 1e-48 to 1e48", A, PCLU, PETSC_FALSE));
  PetscCall(MatDestroy(&A));
  l.spread = 0;
  l.below  = 1e-12;
  PetscCall(Make(20, 20, LaplaceEntry, &l, &A));
  PetscCall(Right("a block of 1e-12", A, PCLU, PETSC_FALSE));
  PetscCall(MatDestroy(&A));
  l.identity = PETSC_TRUE;
  l.below    = 1e-13;
  PetscCall(Make(20, 20, LaplaceEntry, &l, &A));
  PetscCall(Right("rows of the identity beside 1e-13", A, PCLU, PETSC_FALSE));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Matrices that want pivots from elsewhere. Of those with signs, some are singular; the others have condition numbers below 1e4. */
static PetscErrorCode IndefiniteCases(Kind kind, const char name[], PetscInt cases)
{
  PetscInt   right = 0, refused = 0, wrong = 0;
  PetscReal  error;
  Indefinite m;

  PetscFunctionBeginUser;
  m.kind = kind;
  for (PetscInt k = 0; k < cases; k++) {
    const PetscInt     nx = 2 + k % 5, ny = 2 * (3 + k % 4);
    Mat                A;
    KSPConvergedReason reason;

    m.n = nx * ny;
    memset(m.sign, 0, sizeof(m.sign));
    PetscCall(Make(nx, ny, RandomEntry, &m, &A));
    PetscCall(Solves(A, PCLU, (PetscBool)(k % 2), &error, &reason));
    if (kind == SIGNS && IsSingular(&m)) {
      if (reason >= 0) wrong++;
    } else if (reason < 0) {
      refused++;
    } else if (error <= 1e-12) {
      right++;
    } else {
      wrong++;
    }
    PetscCall(MatDestroy(&A));
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %s, wrong %" PetscInt_FMT ", refused %" PetscInt_FMT "\n", name, right > cases / 2 ? "most are solved" : "few are solved", wrong, refused));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Three grids in one matrix, each of which wants pivots from elsewhere; every process has its own */
static PetscErrorCode Batch(void)
{
  const PetscInt n = 5, grids = 3, size = n * n;
  Mat            A, F;
  Vec            b, x;
  PetscReal      error;

  PetscFunctionBeginUser;
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, grids * size, grids * size, 9, NULL, &A));
  for (PetscInt i = 0; i < grids * size; i++) {
    for (PetscInt k = 0; k < 9; k++) {
      const PetscInt x = i % n + k % 3 - 1, y = i % size / n + k / 3 - 1;

      if (x >= 0 && x < n && y >= 0 && y < n) PetscCall(MatSetValue(A, i, i - i % size + x + n * y, k == 4 ? 0 : 2 * Random() - 1, INSERT_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSetRandom(b, rnd));
  PetscCall(MatGetFactor(A, MATSOLVERSCHWARZSCHUR, MAT_FACTOR_LU, &F));
  PetscCall(MatSchwarzSchurSetBatch(F, grids));
  PetscCall(MatLUFactorSymbolic(F, A, NULL, NULL, NULL));
  PetscCall(MatLUFactorNumeric(F, A, NULL));
  PetscCall(MatSolve(F, b, x));
  PetscCall(BackwardError(A, PETSC_FALSE, b, x, &error));
  PetscCall(SayError("three grids with zero diagonals", error, 1e-13));
  PetscCall(MatSolveTranspose(F, b, x));
  PetscCall(BackwardError(A, PETSC_TRUE, b, x, &error));
  PetscCall(SayError("the same, transposed", error, 1e-13));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The reason, or where there is an answer, whether it is one */
static PetscErrorCode SaySolve(const char name[], KSP ksp, Mat A, Vec b, Vec x)
{
  PetscReal          error;
  KSPConvergedReason reason;

  PetscFunctionBeginUser;
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  if (reason < 0) {
    PetscCall(Say(name, KSPConvergedReasons[reason]));
    PetscFunctionReturn((PetscErrorCode)0);
  }
  PetscCall(BackwardError(A, PETSC_FALSE, b, x, &error));
  PetscCall(SayError(name, error, 1e-14));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* An entry that is not a number, once */
static PetscErrorCode NotFinite(PCType type)
{
  Laplace  l;
  Mat      A;
  KSP      ksp;
  Vec      b, x;
  PetscInt first;
  char     text[64];

  PetscFunctionBeginUser;
  PetscCall(LaplaceInit(&l, 20, 20));
  l.dirichlet = PETSC_TRUE;
  PetscCall(Make(20, 20, LaplaceEntry, &l, &A));
  PetscCall(Solver(A, A, type, &ksp));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSetRandom(b, rnd));
  PetscCall(MatGetOwnershipRange(A, &first, NULL));
  for (int k = 0; k < 4; k++) {
    if (first == 0) PetscCall(MatSetValue(A, 0, 0, k == 1 ? NAN : k == 2 ? INFINITY : 4, INSERT_VALUES));
    PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
    PetscCall(PetscSNPrintf(text, sizeof(text), "%s, %s", k == 1 ? "NaN" : k == 2 ? "Inf" : "finite", type));
    PetscCall(SaySolve(text, ksp, A, b, x));
  }
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A right-hand side whose solution is too large for a number, between two that have one */
static PetscErrorCode Overflow(PCType type)
{
  Laplace l;
  Mat     A;
  KSP     ksp;
  Vec     b, x;
  char    text[64];

  PetscFunctionBeginUser;
  PetscCall(LaplaceInit(&l, 20, 20));
  l.dirichlet = PETSC_TRUE;
  PetscCall(Make(20, 20, LaplaceEntry, &l, &A));
  PetscCall(MatScale(A, 1e-200));
  PetscCall(Solver(A, A, type, &ksp));
  PetscCall(MatCreateVecs(A, &x, &b));
  for (int k = 0; k < 3; k++) {
    PetscCall(VecSet(b, k == 1 ? 1e150 : 1e-180));
    PetscCall(PetscSNPrintf(text, sizeof(text), "%s, %s", k == 1 ? "solution too large" : "small solution", type));
    PetscCall(SaySolve(text, ksp, A, b, x));
  }
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Right-hand sides of which underflow leaves few digits: a residual of some of the smallest numbers is as good as any, and nothing of it stays for the next solve */
static PetscErrorCode Underflow(PCType type)
{
  Laplace l;
  Mat     A;
  KSP     ksp;
  Vec     b, x, r;

  PetscFunctionBeginUser;
  PetscCall(LaplaceInit(&l, 20, 20));
  l.dirichlet = PETSC_TRUE;
  PetscCall(Make(20, 20, LaplaceEntry, &l, &A));
  PetscCall(Solver(A, A, type, &ksp));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecDuplicate(b, &r));
  for (int k = 0; k < 4; k++) {
    const PetscReal    scale = k < 2 ? 1 : 1e-290;
    KSPConvergedReason reason;
    PetscReal          left;
    char               text[64];

    if (k == 2) PetscCall(MatScale(A, scale));
    PetscCall(VecSetRandom(b, rnd));
    PetscCall(VecScale(b, k % 2 ? scale : 1e-320));
    PetscCall(PetscSNPrintf(text, sizeof(text), "matrix of %g, %s right-hand side, %s", (double)scale, k % 2 ? "ordinary" : "denormal", type));
    if (k % 2) {
      PetscCall(SaySolve(text, ksp, A, b, x));
      continue;
    }
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCall(MatMult(A, x, r));
    PetscCall(VecAYPX(r, -1.0, b));
    PetscCall(VecNorm(r, NORM_INFINITY, &left));
    if (reason < 0)
      PetscCall(Say(text, KSPConvergedReasons[reason]));
    else
      PetscCall(SayError(text, left, 1e-321));
  }
  PetscCall(VecDestroy(&r));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* An error in the middle of a solve, where single precision does not do and there is no memory for double; and another solve */
static PetscErrorCode NoMemory(void)
{
  Laplace        l;
  Mat            A;
  KSP            ksp;
  Vec            b, x;
  PetscErrorCode code;

  PetscFunctionBeginUser;
  PetscCall(LaplaceInit(&l, 60, 60));
  l.dirichlet = PETSC_TRUE;
  PetscCall(Make(60, 60, LaplaceEntry, &l, &A));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOptionsPrefix(ksp, "little_"));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSetRandom(b, rnd));
  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
  code = KSPSolve(ksp, b, x);
  PetscCall(PetscPopErrorHandler());
  PetscCall(Say("no memory for double", code == PETSC_ERR_MEM ? "an error" : "no error"));
  PetscCall(SaySolve("and after the error", ksp, A, b, x));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* No stored entries, or only a few */
static PetscErrorCode Empty(void)
{
  PetscFunctionBeginUser;
  for (PetscInt n = 1; n <= 25; n += 4) {
    for (PetscInt some = 0; some < 3; some++) {
      Mat                A;
      PetscReal          error;
      KSPConvergedReason reason;
      PetscInt           first, last;
      char               text[64];

      PetscCall(MatCreate(PETSC_COMM_WORLD, &A));
      PetscCall(MatSetSizes(A, PETSC_DECIDE, PETSC_DECIDE, n, n));
      PetscCall(MatSetType(A, MATAIJ));
      PetscCall(MatSetUp(A));
      PetscCall(MatGetOwnershipRange(A, &first, &last));
      for (PetscInt i = first; i < last; i++) {
        if (some == 2 || (some == 1 && i % 2)) PetscCall(MatSetValue(A, i, i, 2.0, INSERT_VALUES));
      }
      PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
      PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
      PetscCall(Solves(A, n % 8 == 1 ? PCLU : PCCHOLESKY, PETSC_FALSE, &error, &reason));
      PetscCall(PetscSNPrintf(text, sizeof(text), "%" PetscInt_FMT " rows, %s", n, some == 2 ? "diagonal" : some ? "half of the diagonal" : "empty"));
      if (reason < 0)
        PetscCall(Say(text, KSPConvergedReasons[reason]));
      else
        PetscCall(SayError(text, error, 1e-14));
      PetscCall(MatDestroy(&A));
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Functions that come too late, and values that are none */
static PetscErrorCode Order(void)
{
  Laplace        l;
  Mat            A, F;
  Vec            b, x;
  const PetscInt size[2] = {10, 10};
  PetscErrorCode error[10];
  PetscReal      backward;

  PetscFunctionBeginUser;
  PetscCall(LaplaceInit(&l, 20, 20));
  l.dirichlet = PETSC_TRUE;
  PetscCall(Make(20, 20, LaplaceEntry, &l, &A));
  PetscCall(MatGetFactor(A, MATSOLVERSCHWARZSCHUR, MAT_FACTOR_LU, &F));
  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
  error[0] = MatSchwarzSchurSetMode(F, (MatSchwarzSchurMode)99);
  error[1] = MatSchwarzSchurSetPrecision(F, (MatSchwarzSchurPrecision)-1);
  error[2] = MatSchwarzSchurSetBackend(F, (PetlapBackend)3);
  PetscCall(PetscPopErrorHandler());
  for (int k = 0; k < 3; k++) PetscCall(Say("a value that is none", error[k] == PETSC_ERR_ARG_OUTOFRANGE ? "out of range" : "taken"));
  for (int phase = 0; phase < 2; phase++) {
    if (phase == 0)
      PetscCall(MatLUFactorSymbolic(F, A, NULL, NULL, NULL));
    else
      PetscCall(MatLUFactorNumeric(F, A, NULL));
    PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
    error[0] = MatSchwarzSchurSetBatch(F, 3);
    error[1] = MatSchwarzSchurSetGrid(F, 2, size, 1);
    error[2] = MatSchwarzSchurSetMode(F, MATSCHWARZSCHUR_SPD);
    error[3] = MatSchwarzSchurSetPrecision(F, MATSCHWARZSCHUR_SINGLE);
    error[4] = MatSchwarzSchurSetBackend(F, PETLAP_BACKEND_CUDA);
    PetscCall(PetscPopErrorHandler());
    for (int k = 0; k < 5; k++) PetscCall(Say(phase ? "after the numeric phase" : "after the symbolic phase", error[k] == PETSC_ERR_ORDER ? "too late" : "taken"));
    PetscCall(MatSchwarzSchurSetRefine(F, 3));
  }
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSetRandom(b, rnd));
  PetscCall(MatSolve(F, b, x));
  PetscCall(BackwardError(A, PETSC_FALSE, b, x, &backward));
  PetscCall(SayError("and the solve", backward, 1e-14));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  PetscInt  cases = 150;
  PetscBool little;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetlapInitialize());
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-cases", &cases, NULL));
  PetscCall(PetscRandomCreate(PETSC_COMM_SELF, &rnd));
  PetscCall(PetscRandomSetSeed(rnd, 1));
  PetscCall(PetscRandomSeed(rnd));
  PetscCall(NullSpaces());
  PetscCall(Scaled());
  PetscCall(ScaledApart());
  PetscCall(IndefiniteCases(SIGNS, "signs", cases));
  PetscCall(IndefiniteCases(ZERO_DIAGONAL, "zero diagonal", cases));
  PetscCall(IndefiniteCases(SKEW, "skew", cases));
  PetscCall(Batch());
  PetscCall(NotFinite(PCLU));
  PetscCall(NotFinite(PCCHOLESKY));
  PetscCall(Overflow(PCLU));
  PetscCall(Overflow(PCCHOLESKY));
  PetscCall(Underflow(PCLU));
  PetscCall(Underflow(PCCHOLESKY));
  PetscCall(PetscOptionsHasName(NULL, NULL, "-little_pc_type", &little));
  if (little) PetscCall(NoMemory());
  PetscCall(Empty());
  PetscCall(Order());
  PetscCall(PetscRandomDestroy(&rnd));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: petlap

  testset:
    output_file: output/ex12_1.out
    args: -malloc_dump
    test:
      suffix: 1
    test:
      suffix: ranks
      nsize: {{2 4}}
      args: -cases 40
    test:
      suffix: single
      args: -mat_schwarzschur_precision single
    test:
      suffix: cuda
      requires: gpu
      args: -cases 20 -mat_schwarzschur_backend cuda

  # The limit holds the factors in single precision and not in double
  testset:
    output_file: output/ex12_memory.out
    args: -malloc_dump -cases 2 -little_ksp_type preonly -little_pc_type lu -little_pc_factor_mat_solver_type schwarzschur -little_mat_schwarzschur_precision single -little_mat_schwarzschur_refine 0
    filter: grep -A 1 memory
    test:
      suffix: memory
      requires: !complex
      args: -little_mat_schwarzschur_memory_limit 1
    test:
      suffix: memory_complex
      requires: complex
      args: -little_mat_schwarzschur_memory_limit 1.8

TEST*/
