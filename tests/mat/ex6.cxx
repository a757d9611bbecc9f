static char help[] = "Functions, information and reuse of schwarzschur, one subject after another; prints what does not hold.\n\n";

#include <petlap.h>
#include <petscdmda.h>
#include "tests/mat/backwarderror.h"

#define Expect(what)                                                                                \
  do {                                                                                              \
    if (!(what)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "line %d: not so: %s\n", __LINE__, #what)); \
  } while (0)

/* A 5-point matrix on nx x ny points; wide adds couplings that leave the axes */
static PetscErrorCode Create(PetscInt nx, PetscInt ny, PetscReal shift, PetscBool wide, Mat *A)
{
  PetscFunctionBeginUser;
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, nx * ny, nx * ny, 9, NULL, A));
  for (PetscInt i = 0; i < nx * ny; i++) {
    PetscScalar diagonal = shift;

    for (PetscInt y = -1; y <= 1; y++) {
      for (PetscInt x = -1; x <= 1; x++) {
        if ((!x && !y) || (!wide && x && y) || i % nx + x < 0 || i % nx + x >= nx || i / nx + y < 0 || i / nx + y >= ny) continue;
        diagonal += 1.0;
        PetscCall(MatSetValue(*A, i, i + x + nx * y, -1.0, INSERT_VALUES));
      }
    }
    PetscCall(MatSetValue(*A, i, i, diagonal, INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Factor(Mat A, MatFactorType type, Mat *F)
{
  MatFactorInfo info;

  PetscFunctionBeginUser;
  PetscCall(MatFactorInfoInitialize(&info));
  if (!*F) {
    PetscCall(MatGetFactor(A, MATSOLVERSCHWARZSCHUR, type, F));
    if (type == MAT_FACTOR_LU)
      PetscCall(MatLUFactorSymbolic(*F, A, NULL, NULL, &info));
    else
      PetscCall(MatCholeskyFactorSymbolic(*F, A, NULL, &info));
  }
  if (type == MAT_FACTOR_LU)
    PetscCall(MatLUFactorNumeric(*F, A, &info));
  else
    PetscCall(MatCholeskyFactorNumeric(*F, A, &info));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Normwise backward error of F's answer as a solution with A */
static PetscErrorCode Error(Mat F, Mat A, PetscReal *error)
{
  Vec      b, x;
  PetscInt n;

  PetscFunctionBeginUser;
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecGetSize(b, &n));
  for (PetscInt i = 0; i < n; i++) PetscCall(VecSetValue(b, i, 1.0 + i % 7, INSERT_VALUES));
  PetscCall(VecAssemblyBegin(b));
  PetscCall(VecAssemblyEnd(b));
  PetscCall(MatSolve(F, b, x));
  PetscCall(BackwardError(A, PETSC_FALSE, b, x, error));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Availability(void)
{
  Mat           A, F;
  PetscBool     is, ordering;
  MatSolverType type;
  MatFactorType factor;

  PetscFunctionBeginUser;
  PetscCall(Create(8, 7, 1.0, PETSC_FALSE, &A));
  PetscCall(MatGetFactorAvailable(A, MATSOLVERSCHWARZSCHUR, MAT_FACTOR_LU, &is));
  Expect(is);
  PetscCall(MatGetFactorAvailable(A, MATSOLVERSCHWARZSCHUR, MAT_FACTOR_CHOLESKY, &is));
  Expect(is);
  PetscCall(MatGetFactorAvailable(A, MATSOLVERSCHWARZSCHUR, MAT_FACTOR_ILU, &is));
  Expect(!is);
  PetscCall(MatGetFactor(A, MATSOLVERSCHWARZSCHUR, MAT_FACTOR_CHOLESKY, &F));
  PetscCall(MatFactorGetSolverType(F, &type));
  PetscCall(PetscStrcmp(type, MATSOLVERSCHWARZSCHUR, &is));
  Expect(is);
  PetscCall(MatGetFactorType(F, &factor));
  Expect(factor == MAT_FACTOR_CHOLESKY);
  PetscCall(MatFactorGetCanUseOrdering(F, &ordering));
  Expect(!ordering);
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Functions(void)
{
  const PetscInt           grid[] = {8, 7};
  Mat                      A, F = NULL, G = NULL;
  PetscInt                 dim, size[3], dof, steps, last, negative, zero, positive;
  MatSchwarzSchurMode      mode;
  MatSchwarzSchurPrecision precision;
  PetscReal                error;
  MatInfo                  info;

  PetscFunctionBeginUser;
  PetscCall(Create(8, 7, 1.0, PETSC_FALSE, &A));
  PetscCall(MatGetFactor(A, MATSOLVERSCHWARZSCHUR, MAT_FACTOR_LU, &F));
  /* Nothing is known yet */
  PetscCall(MatSchwarzSchurGetGrid(F, &dim, size, &dof));
  Expect(dim == 0 && dof == 0);
  PetscCall(MatSchwarzSchurGetMode(F, &mode));
  Expect(mode == MATSCHWARZSCHUR_AUTO);
  PetscCall(MatSchwarzSchurGetPrecision(F, &precision));
  Expect(precision == MATSCHWARZSCHUR_DOUBLE);
  PetscCall(MatSchwarzSchurGetRefine(F, &steps, &last, &error));
  Expect(steps < 0 && last == 0 && error < 0);
  PetscCall(MatGetInfo(F, MAT_LOCAL, &info));
  Expect(info.nz_used == 0);
  /* What is set can be asked for */
  PetscCall(MatSchwarzSchurSetGrid(F, 2, grid, 1));
  PetscCall(MatSchwarzSchurSetMode(F, MATSCHWARZSCHUR_SYMMETRIC));
  PetscCall(MatSchwarzSchurSetPrecision(F, MATSCHWARZSCHUR_SINGLE));
  PetscCall(MatSchwarzSchurSetRefine(F, 5));
  PetscCall(MatSchwarzSchurGetGrid(F, &dim, size, &dof));
  Expect(dim == 2 && dof == 1 && size[0] == 8 && size[1] == 7 && size[2] == 1);
  PetscCall(MatSchwarzSchurGetGrid(F, NULL, NULL, NULL));
  PetscCall(MatSchwarzSchurGetRefine(F, &steps, NULL, NULL));
  Expect(steps == 5);
  {
    MatFactorInfo factor;

    PetscCall(MatFactorInfoInitialize(&factor));
    PetscCall(MatLUFactorSymbolic(F, A, NULL, NULL, &factor));
    PetscCall(MatLUFactorNumeric(F, A, &factor));
  }
  PetscCall(Error(F, A, &error));
  Expect(error < 1e-14);
  PetscCall(MatSchwarzSchurGetMode(F, &mode));
  Expect(mode == MATSCHWARZSCHUR_SYMMETRIC);
  PetscCall(MatSchwarzSchurGetPrecision(F, &precision));
  Expect(precision == MATSCHWARZSCHUR_SINGLE);
  PetscCall(MatSchwarzSchurGetRefine(F, NULL, &last, &error));
  Expect(last > 0 && last <= 5 && error >= 0 && error < 1e-14);
  /* Afterwards, without refinement: single precision is what is left */
  PetscCall(MatSchwarzSchurSetRefine(F, 0));
  PetscCall(Error(F, A, &error));
  Expect(error > 1e-12 && error < 1e-5);
  PetscCall(MatGetInfo(F, MAT_LOCAL, &info));
  Expect(info.nz_used > 56 && info.memory > 4 * info.nz_used && info.assemblies == 1 && info.fill_ratio_needed > 0);
  PetscCall(MatDestroy(&F));

  /* Found out: a grid from the sparsity, Cholesky, and its inertia */
  PetscCall(Factor(A, MAT_FACTOR_CHOLESKY, &F));
  PetscCall(MatSchwarzSchurGetGrid(F, &dim, size, &dof));
  Expect(dim == 2 && size[0] == 8 && size[1] == 7 && size[2] == 1 && dof == 1);
#if !defined(PETSC_USE_COMPLEX)
  PetscCall(MatSchwarzSchurGetMode(F, &mode));
  Expect(mode == MATSCHWARZSCHUR_SPD);
  PetscCall(MatGetInertia(F, &negative, &zero, &positive));
  Expect(negative == 0 && zero == 0 && positive == 56);
#endif
  PetscCall(MatSetOption(A, MAT_SPD, PETSC_TRUE));
  PetscCall(Factor(A, MAT_FACTOR_CHOLESKY, &G));
  PetscCall(MatSchwarzSchurGetMode(G, &mode));
  Expect(mode == MATSCHWARZSCHUR_SPD);
  PetscCall(MatGetInertia(G, &negative, &zero, &positive));
  Expect(negative == 0 && zero == 0 && positive == 56);
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&G));

  /* LU looks at what is known of the matrix */
  PetscCall(Factor(A, MAT_FACTOR_LU, &F));
  PetscCall(MatSchwarzSchurGetMode(F, &mode));
  Expect(mode == MATSCHWARZSCHUR_SPD);
  PetscCall(MatDestroy(&F));
  PetscCall(MatSetOption(A, MAT_SPD, PETSC_FALSE));
  PetscCall(MatSetOption(A, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(Factor(A, MAT_FACTOR_LU, &F));
  PetscCall(MatSchwarzSchurGetMode(F, &mode));
  Expect(mode == MATSCHWARZSCHUR_SYMMETRIC);
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&A));

  /* Not definite: found out once, and factored again */
  PetscCall(Create(8, 7, -3.3, PETSC_FALSE, &A));
  PetscCall(Factor(A, MAT_FACTOR_CHOLESKY, &F));
  PetscCall(MatSchwarzSchurGetMode(F, &mode));
  Expect(mode == MATSCHWARZSCHUR_SYMMETRIC);
  PetscCall(Error(F, A, &error));
  Expect(error < 1e-14);
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Factors belong to the values that were factored, whatever becomes of the matrix */
static PetscErrorCode Lifetimes(void)
{
  Mat       A, B, C, F = NULL, G = NULL, W = NULL;
  PetscReal error;
  PetscInt  last;

  PetscFunctionBeginUser;
  PetscCall(Create(30, 20, 0.1, PETSC_FALSE, &A));
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &C));
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &B));
  PetscCall(MatScale(B, 3.0));
  PetscCall(MatShift(B, 1.0));
  /* Two at once, one of another kind */
  PetscCall(Factor(A, MAT_FACTOR_LU, &F));
  PetscCall(Factor(B, MAT_FACTOR_CHOLESKY, &G));
  PetscCall(Error(F, A, &error));
  Expect(error < 1e-14);
  PetscCall(Error(G, B, &error));
  Expect(error < 1e-14);
  PetscCall(Error(F, A, &error));
  Expect(error < 1e-14);
  /* A second numeric factorization with the values of another matrix */
  PetscCall(Factor(B, MAT_FACTOR_LU, &F));
  PetscCall(Error(F, B, &error));
  Expect(error < 1e-14);
  /* B is changed: the factors go on solving with what it was, and refinement, which would pull towards the new values, stands back */
  PetscCall(MatDuplicate(B, MAT_COPY_VALUES, &W));
  PetscCall(Factor(B, MAT_FACTOR_LU, &F));
  PetscCall(MatShift(B, 5.0));
  PetscCall(Error(F, W, &error));
  Expect(error < 1e-13);
  PetscCall(MatSchwarzSchurGetRefine(F, NULL, &last, &error));
  Expect(last == 0 && error < 0);
  PetscCall(MatDestroy(&B));
  PetscCall(MatDestroy(&G));
  /* The matrix is gone */
  PetscCall(Factor(A, MAT_FACTOR_LU, &F));
  PetscCall(MatDestroy(&A));
  PetscCall(Error(F, C, &error));
  Expect(error < 1e-14);
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&C));
  PetscCall(MatDestroy(&W));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Counts(PetscInt *symbolic, PetscInt *numeric)
{
  PetscLogEvent      event;
  PetscEventPerfInfo info;

  PetscFunctionBeginUser;
  PetscCall(PetscLogEventGetId("MatSSSymbolic", &event));
  PetscCall(PetscLogEventGetPerfInfo(PETSC_DETERMINE, event, &info));
  *symbolic = info.count;
  PetscCall(PetscLogEventGetId("MatSSNumeric", &event));
  PetscCall(PetscLogEventGetPerfInfo(PETSC_DETERMINE, event, &info));
  *numeric = info.count;
  PetscFunctionReturn((PetscErrorCode)0);
}

/* How often a KSP factors */
static PetscErrorCode Reuse(void)
{
  Mat       A, B, F, F2;
  Vec       b, x;
  KSP       ksp;
  PC        pc;
  PetscInt  s0, s1, s2, n0, n1, n2, its;
  PetscReal error;

  PetscFunctionBeginUser;
  PetscCall(Create(30, 20, 0.1, PETSC_FALSE, &A));
  PetscCall(Create(30, 20, 0.1, PETSC_TRUE, &B));
  PetscCall(MatCreateVecs(A, &x, &b));
  for (PetscInt i = 0; i < 600; i++) PetscCall(VecSetValue(b, i, 1.0 + i % 7, INSERT_VALUES));
  PetscCall(VecAssemblyBegin(b));
  PetscCall(VecAssemblyEnd(b));
  PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
  PetscCall(KSPSetOptionsPrefix(ksp, "reuse_"));
  PetscCall(KSPSetType(ksp, KSPGMRES));
  PetscCall(KSPSetTolerances(ksp, 1e-10, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCLU));
  PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERSCHWARZSCHUR));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(Counts(&s0, &n0));
  for (PetscInt k = 0; k < 3; k++) {
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(KSPGetIterationNumber(ksp, &its));
    Expect(its == 1);
    PetscCall(MatShift(A, 0.5));
  }
  PetscCall(Counts(&s1, &n1));
  Expect(s1 - s0 == 1 && n1 - n0 == 3);
  /* Kept on purpose: the preconditioner is no longer the inverse */
  PetscCall(KSPSetReusePreconditioner(ksp, PETSC_TRUE));
  PetscCall(MatShift(A, 1.0));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  Expect(its > 1);
  PetscCall(Counts(&s2, &n2));
  Expect(s2 == s1 && n2 == n1);
  PetscCall(KSPSetReusePreconditioner(ksp, PETSC_FALSE));
  /* A second right-hand side with the same matrix needs no factorization */
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPSolve(ksp, x, b));
  PetscCall(Counts(&s2, &n2));
  Expect(s2 == s1 && n2 == n1 + 1);
  /* Another nonzero pattern */
  PetscCall(KSPSetOperators(ksp, B, B));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  Expect(its == 1);
  PetscCall(Counts(&s2, &n2));
  Expect(s2 == s1 + 1 && n2 == n1 + 2);
  /* A pattern that changes under the factor: two points far apart are not on a grid; near ones are */
  PetscCall(MatSetOption(B, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
  PetscCall(MatSetValue(B, 100, 102, -0.5, INSERT_VALUES));
  PetscCall(MatAssemblyBegin(B, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(B, MAT_FINAL_ASSEMBLY));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  Expect(its == 1);
  PetscCall(Counts(&s2, &n2));
  Expect(s2 == s1 + 2 && n2 == n1 + 3);
  PetscCall(PCFactorGetMatrix(pc, &F));
  PetscCall(Error(F, B, &error));
  Expect(error < 1e-14);
  PetscCall(KSPDestroy(&ksp));

  /* The functions reach a factor that PETSc makes */
  PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
  PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCCHOLESKY));
  PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERSCHWARZSCHUR));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(PCFactorSetUpMatSolverType(pc));
  PetscCall(PCFactorGetMatrix(pc, &F));
  PetscCall(MatSchwarzSchurSetMode(F, MATSCHWARZSCHUR_LU));
  PetscCall(KSPSetUp(ksp));
  {
    MatSchwarzSchurMode mode;

    PetscCall(PCFactorGetMatrix(pc, &F2));
    Expect(F2 == F);
    PetscCall(MatSchwarzSchurGetMode(F, &mode));
    Expect(mode == MATSCHWARZSCHUR_LU);
  }
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&B));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A permutation is not asked for, and is not obeyed; a second symbolic factorization of the same factor starts from the beginning */
static PetscErrorCode Again(void)
{
  Mat           A, B, F = NULL;
  MatFactorInfo info;
  PetscReal     error;
  PetscInt      dim, size[3], dof;

  PetscFunctionBeginUser;
  PetscCall(MatFactorInfoInitialize(&info));
  PetscCall(Create(12, 10, 0.1, PETSC_FALSE, &A));
  PetscCall(Create(8, 15, 0.1, PETSC_TRUE, &B));
  PetscCall(Factor(A, MAT_FACTOR_LU, &F));
  PetscCall(MatLUFactorSymbolic(F, B, NULL, NULL, &info));
  PetscCall(MatLUFactorNumeric(F, B, &info));
  PetscCall(Error(F, B, &error));
  Expect(error < 1e-14);
  PetscCall(MatSchwarzSchurGetGrid(F, &dim, size, &dof));
  Expect(dim == 2 && size[0] == 8 && size[1] == 15 && dof == 1);
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&B));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscLogDefaultBegin());
  PetscCall(PetlapInitialize());
  PetscCall(Availability());
  PetscCall(Functions());
  PetscCall(Lifetimes());
  PetscCall(Reuse());
  PetscCall(Again());
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "done\n"));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double petlap

  test:
    args: -malloc_dump

TEST*/
