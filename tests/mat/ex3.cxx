static char help[] = "Gradients through a direct solve, by the adjoint and by finite differences.\n\n\
  -nx, -ny <9, 7>  points of the grid\n\
  -symmetric       a symmetric matrix (complex scalars: not Hermitian)\n\
  -hermitian       a Hermitian matrix\n\
  -refused         wrong arguments as well\n\n";

#include <petlap.h>
#include <petscdmda.h>

/* A number between -1 and 1 that is the same on any machine and any number of processes */
static PetscReal Noise(PetscInt i, PetscInt j)
{
  const PetscReal s = 43758.5453 * PetscSinReal(12.9898 * (PetscReal)i + 78.233 * (PetscReal)j + 1.0);

  return 2.0 * (s - PetscFloorReal(s)) - 1.0;
}

static PetscScalar Number(PetscInt i, PetscInt j)
{
#if defined(PETSC_USE_COMPLEX)
  return Noise(i, j) + PETSC_i * Noise(j + 1000, i);
#else
  return Noise(i, j);
#endif
}

typedef enum { GENERAL, SYMMETRIC, HERMITIAN } Kind;

/* Sets all nonzeros of A to noise; a heavy diagonal keeps the system well away from singular */
static PetscErrorCode Fill(Mat A, Kind kind, PetscInt seed, PetscReal diagonal)
{
  Mat                pattern;
  PetscInt           start, end, n;
  const PetscInt    *columns;
  const PetscScalar *values;

  PetscFunctionBeginUser;
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &pattern));
  PetscCall(MatGetOwnershipRange(A, &start, &end));
  for (PetscInt i = start; i < end; i++) {
    PetscCall(MatGetRow(pattern, i, &n, &columns, &values));
    for (PetscInt k = 0; k < n; k++) {
      const PetscInt j = columns[k];
      PetscScalar    v = kind == GENERAL ? Number(i + seed, j) : Number(PetscMin(i, j) + seed, PetscMax(i, j));

      if (kind == HERMITIAN && i > j) v = PetscConj(v);
      if (kind == HERMITIAN && i == j) v = PetscRealPart(v);
      if (i == j) v += diagonal;
      PetscCall(MatSetValue(A, i, j, v, INSERT_VALUES));
    }
    PetscCall(MatRestoreRow(pattern, i, &n, &columns, &values));
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatDestroy(&pattern));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode FillVec(Vec v, PetscInt seed)
{
  PetscInt start, end;

  PetscFunctionBeginUser;
  PetscCall(VecGetOwnershipRange(v, &start, &end));
  for (PetscInt i = start; i < end; i++) PetscCall(VecSetValue(v, i, Number(i, seed), INSERT_VALUES));
  PetscCall(VecAssemblyBegin(v));
  PetscCall(VecAssemblyEnd(v));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* E(x) = sum |x_i - t_i|^2 / 2 + |x_i|^4 / 4, and its gradient (x - t) + |x|^2 x */
static PetscErrorCode Energy(Vec x, Vec t, PetscReal *E, Vec g)
{
  const PetscScalar *xx, *tt;
  PetscScalar       *gg  = nullptr;
  PetscReal          sum = 0.0;
  PetscInt           n;

  PetscFunctionBeginUser;
  PetscCall(VecGetLocalSize(x, &n));
  PetscCall(VecGetArrayRead(x, &xx));
  PetscCall(VecGetArrayRead(t, &tt));
  if (g) PetscCall(VecGetArrayWrite(g, &gg));
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal square = PetscRealPart(xx[i] * PetscConj(xx[i]));

    sum += 0.5 * PetscRealPart((xx[i] - tt[i]) * PetscConj(xx[i] - tt[i])) + 0.25 * square * square;
    if (g) gg[i] = xx[i] - tt[i] + square * xx[i];
  }
  PetscCall(VecRestoreArrayRead(x, &xx));
  PetscCall(VecRestoreArrayRead(t, &tt));
  if (g) PetscCall(VecRestoreArrayWrite(g, &gg));
  PetscCallMPI(MPI_Allreduce(&sum, E, 1, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The energy of the solution of (A + h dA) x = b + h db */
static PetscErrorCode Moved(KSP ksp, Kind kind, Mat A, Mat dA, Vec b, Vec db, Vec t, PetscReal h, PetscReal *E)
{
  Mat Ah;
  Vec bh, x;

  PetscFunctionBeginUser;
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &Ah));
  PetscCall(MatAXPY(Ah, h, dA, SAME_NONZERO_PATTERN));
  if (kind == HERMITIAN) PetscCall(MatSetOption(Ah, MAT_HERMITIAN, PETSC_TRUE));
  PetscCall(VecDuplicate(b, &bh));
  PetscCall(VecDuplicate(b, &x));
  PetscCall(VecWAXPY(bh, h, db, b));
  PetscCall(KSPSetOperators(ksp, Ah, Ah));
  PetscCall(KSPSolve(ksp, bh, x));
  PetscCall(Energy(x, t, E, nullptr));
  PetscCall(MatDestroy(&Ah));
  PetscCall(VecDestroy(&bh));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Re(sum conj(G_ij) D_ij) over the stored entries of two matrices of one pattern */
static PetscErrorCode MatInner(Mat G, Mat D, PetscReal *inner)
{
  const PetscScalar *g, *d;
  PetscInt           start, end, n;
  PetscReal          sum = 0.0;

  PetscFunctionBeginUser;
  PetscCall(MatGetOwnershipRange(G, &start, &end));
  for (PetscInt i = start; i < end; i++) {
    PetscCall(MatGetRow(D, i, &n, nullptr, &d));
    PetscScalar row[64];

    for (PetscInt k = 0; k < n; k++) row[k] = d[k];
    PetscCall(MatRestoreRow(D, i, &n, nullptr, &d));
    PetscCall(MatGetRow(G, i, &n, nullptr, &g));
    for (PetscInt k = 0; k < n; k++) sum += PetscRealPart(PetscConj(g[k]) * row[k]);
    PetscCall(MatRestoreRow(G, i, &n, nullptr, &g));
  }
  PetscCallMPI(MPI_Allreduce(&sum, inner, 1, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Compare(const char what[], PetscInt quiet, KSP ksp, Kind kind, Mat A, Mat dA, Vec b, Vec db, Vec t, PetscReal adjoint)
{
  const PetscReal h = 1e-5;
  PetscReal       plus, minus, difference;

  PetscFunctionBeginUser;
  PetscCall(Moved(ksp, kind, A, dA, b, db, t, h, &plus));
  PetscCall(Moved(ksp, kind, A, dA, b, db, t, -h, &minus));
  difference = (plus - minus) / (2 * h);
  /* Central differences leave h^2 and eps / h */
  if (PetscAbsReal(difference - adjoint) > 1e-7 * PetscMax(PetscAbsReal(adjoint), 1e-2))
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: the adjoint gives %.10e, finite differences %.10e\n", what, (double)adjoint, (double)difference));
  else if (!quiet)
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: agrees\n", what));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode KeepText(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType type, const char *text, void *context)
{
  if (type == PETSC_ERROR_INITIAL && text) (void)PetscStrncpy((char *)context, text, 512);
  return code;
}

static PetscErrorCode Refused(const char what[], Mat F, Mat A, Vec x, Vec dEdx, Vec dEdb, Mat dEdA)
{
  char           text[512] = "";
  PetscErrorCode code;

  PetscFunctionBeginUser;
  PetscCall(PetscPushErrorHandler(KeepText, text));
  code = MatSchwarzSchurSolveAdjoint(F, A, x, dEdx, dEdb, dEdA);
  PetscCall(PetscPopErrorHandler());
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: error %d, %s\n", what, (int)code, text));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode WrongArguments(Mat F, Mat A, Vec x, Vec g, Vec dEdb, Mat dEdA)
{
  Mat                small, other, dense, raw, wide;
  Vec                shorter;
  PetscInt           n, N, start, end;
  const PetscInt    *columns;
  const PetscScalar *values;

  PetscFunctionBeginUser;
  PetscCall(MatGetLocalSize(A, &n, nullptr));
  PetscCall(MatGetSize(A, &N, nullptr));
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, N - 3, N - 3, 1, nullptr, 0, nullptr, &small));
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, n, n, N, N, 9, nullptr, 9, nullptr, &other));
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, n, PETSC_DECIDE, N, N + 5, 1, nullptr, 0, nullptr, &wide));
  PetscCall(MatAssemblyBegin(small, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(small, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyBegin(wide, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(wide, MAT_FINAL_ASSEMBLY));
  PetscCall(MatGetOwnershipRange(A, &start, &end));
  for (PetscInt i = start; i < end; i++) {
    PetscCall(MatGetRow(A, i, &n, &columns, &values));
    PetscCall(MatSetValues(other, 1, &i, i == 40 ? n - 1 : n, columns, values, INSERT_VALUES));
    PetscCall(MatRestoreRow(A, i, &n, &columns, &values));
  }
  PetscCall(MatAssemblyBegin(other, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(other, MAT_FINAL_ASSEMBLY));
  PetscCall(MatGetLocalSize(A, &n, nullptr));
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, n, n, N, N, 1, nullptr, 0, nullptr, &raw));
  PetscCall(MatConvert(A, MATDENSE, MAT_INITIAL_MATRIX, &dense));
  PetscCall(MatCreateVecs(small, &shorter, nullptr));

  PetscCall(Refused("F no factor", A, A, x, g, dEdb, dEdA));
  PetscCall(Refused("A a factor", F, F, x, g, dEdb, dEdA));
  PetscCall(Refused("A unassembled", F, raw, x, g, dEdb, dEdA));
  PetscCall(Refused("A not square", F, wide, x, g, dEdb, dEdA));
  PetscCall(Refused("A of another size", F, small, x, g, dEdb, dEdA));
  PetscCall(Refused("x of another size", F, A, shorter, g, dEdb, dEdA));
  PetscCall(Refused("dEdx of another size", F, A, x, shorter, dEdb, dEdA));
  PetscCall(Refused("dEdb of another size", F, A, x, g, shorter, dEdA));
  PetscCall(Refused("dEdb = x", F, A, x, g, x, dEdA));
  PetscCall(Refused("dEdb = dEdx", F, A, x, g, g, dEdA));
  PetscCall(Refused("dEdA = A", F, A, x, g, dEdb, A));
  PetscCall(Refused("dEdA dense", F, A, x, g, dEdb, dense));
  PetscCall(Refused("dEdA unassembled", F, A, x, g, dEdb, raw));
  PetscCall(Refused("dEdA of another size", F, A, x, g, dEdb, small));
  PetscCall(Refused("dEdA without an entry of row 40", F, A, x, g, dEdb, other));

  PetscCall(MatDestroy(&small));
  PetscCall(MatDestroy(&other));
  PetscCall(MatDestroy(&wide));
  PetscCall(MatDestroy(&raw));
  PetscCall(MatDestroy(&dense));
  PetscCall(VecDestroy(&shorter));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  DM          dm;
  Mat         A, F, dA, dEdA, again;
  Vec         b, db, x, t, g, dEdb, zero;
  KSP         ksp;
  PC          pc;
  Kind        kind = GENERAL;
  PetscInt    nx = 9, ny = 7, start, end;
  PetscReal   E, partA, difference, norm;
  PetscBool   refused = PETSC_FALSE, symmetric = PETSC_FALSE, hermitian = PETSC_FALSE;
  PetscScalar partb;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-nx", &nx, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-ny", &ny, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-symmetric", &symmetric, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-hermitian", &hermitian, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-refused", &refused, nullptr));
  if (symmetric) kind = SYMMETRIC;
  if (hermitian) kind = HERMITIAN;

  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_BOX, nx, ny, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &dm));
  PetscCall(DMSetFromOptions(dm));
  PetscCall(DMSetUp(dm));
  PetscCall(DMCreateMatrix(dm, &A));
  PetscCall(MatDuplicate(A, MAT_DO_NOT_COPY_VALUES, &dA));
  PetscCall(MatDuplicate(A, MAT_DO_NOT_COPY_VALUES, &dEdA));
  PetscCall(Fill(A, kind, 0, 8.0));
  PetscCall(Fill(dA, kind, 500, 0.0));
  if (kind == SYMMETRIC) PetscCall(MatSetOption(A, MAT_SYMMETRIC, PETSC_TRUE));
  if (kind == HERMITIAN) PetscCall(MatSetOption(A, MAT_HERMITIAN, PETSC_TRUE));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecDuplicate(b, &db));
  PetscCall(VecDuplicate(b, &t));
  PetscCall(VecDuplicate(b, &g));
  PetscCall(VecDuplicate(b, &dEdb));
  PetscCall(VecDuplicate(b, &zero));
  PetscCall(FillVec(b, 1));
  PetscCall(VecScale(b, 10.0));
  PetscCall(FillVec(db, 2));
  PetscCall(FillVec(t, 3));
  PetscCall(VecZeroEntries(zero));

  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCLU));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(PCFactorGetMatrix(pc, &F));
  PetscCall(Energy(x, t, &E, g));
  PetscCall(MatSchwarzSchurSolveAdjoint(F, A, x, g, dEdb, dEdA));

  /* One output alone is the same as both together, whatever was in it */
  PetscCall(MatDuplicate(dEdA, MAT_COPY_VALUES, &again));
  PetscCall(MatScale(again, 1e300));
  PetscCall(MatScale(again, 1e300));
  PetscCall(MatSchwarzSchurSolveAdjoint(F, A, x, g, nullptr, again));
  PetscCall(MatAXPY(again, -1.0, dEdA, SAME_NONZERO_PATTERN));
  PetscCall(MatNorm(again, NORM_FROBENIUS, &difference));
  PetscCall(MatNorm(dEdA, NORM_FROBENIUS, &norm));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "without dEdb: %s\n", difference < 1e-13 * norm ? "the same" : "different"));
  PetscCall(MatSchwarzSchurSolveAdjoint(F, A, x, g, zero, nullptr));
  PetscCall(VecAXPY(zero, -1.0, dEdb));
  PetscCall(VecNorm(zero, NORM_INFINITY, &difference));
  PetscCall(VecNorm(dEdb, NORM_INFINITY, &norm));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "without dEdA: %s\n", difference < 1e-13 * norm ? "the same" : "different"));
  PetscCall(VecZeroEntries(zero));
  PetscCall(MatSchwarzSchurSolveAdjoint(F, A, x, g, nullptr, nullptr));
  if (refused) PetscCall(WrongArguments(F, A, x, g, dEdb, dEdA));

  PetscCall(MatInner(dEdA, dA, &partA));
  PetscCall(VecDot(db, dEdb, &partb));
  PetscCall(MatZeroEntries(again));
  PetscCall(Compare("b", 0, ksp, kind, A, again, b, db, t, PetscRealPart(partb)));
  PetscCall(Compare("A", 0, ksp, kind, A, dA, b, zero, t, partA));
  PetscCall(Compare("A and b", 0, ksp, kind, A, dA, b, db, t, partA + PetscRealPart(partb)));

  /* Single entries: i, j and the direction 1 or i */
  if (kind == GENERAL) {
    const PetscInt entries[][2] = {{0, 0}, {0, 1}, {11, 10}, {30, 30}, {30, 31}};

    PetscCall(MatGetOwnershipRange(A, &start, &end));
    for (PetscInt k = 0; k < 5; k++) {
      for (PetscInt imaginary = 0; imaginary < (PetscDefined(USE_COMPLEX) ? 2 : 1); imaginary++) {
        PetscScalar one = 1.0;

#if defined(PETSC_USE_COMPLEX)
        if (imaginary) one = PETSC_i;
#endif
        PetscCall(MatZeroEntries(dA));
        if (entries[k][0] >= start && entries[k][0] < end) PetscCall(MatSetValue(dA, entries[k][0], entries[k][1], one, INSERT_VALUES));
        PetscCall(MatAssemblyBegin(dA, MAT_FINAL_ASSEMBLY));
        PetscCall(MatAssemblyEnd(dA, MAT_FINAL_ASSEMBLY));
        PetscCall(MatInner(dEdA, dA, &partA));
        PetscCall(Compare("an entry", imaginary, ksp, kind, A, dA, b, zero, t, partA));
      }
    }
  }
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&dA));
  PetscCall(MatDestroy(&dEdA));
  PetscCall(MatDestroy(&again));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&db));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&t));
  PetscCall(VecDestroy(&g));
  PetscCall(VecDestroy(&dEdb));
  PetscCall(VecDestroy(&zero));
  PetscCall(DMDestroy(&dm));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  test:
    suffix: lu
    args: -refused

  test:
    suffix: cholesky
    args: -symmetric -pc_type cholesky -nx 12

  test:
    suffix: mumps
    requires: mumps
    nsize: {{1 3}}
    args: -refused -pc_factor_mat_solver_type mumps
    filter: sed -E -e "s/ [(][0-9]+ here[)]//g" -e "s/(seq|mpi)dense/dense/"

  test:
    suffix: mumps_cholesky
    requires: mumps
    nsize: {{1 2}}
    args: -symmetric -pc_type cholesky -pc_factor_mat_solver_type mumps

  test:
    suffix: cholmod
    requires: suitesparse
    args: -hermitian -pc_type cholesky -pc_factor_mat_solver_type cholmod

TEST*/
