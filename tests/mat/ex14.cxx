static char help[] = "Componentwise backward errors of systems whose rows and columns are scaled independently.\n\
Components that are small in the scaled system are as good as the large ones, for one right-hand side and for several, and of the transposed matrix.\n\n";

#include <petlap.h>

/* The same numbers on all ranks */
static PetscReal Random(void)
{
  static unsigned int seed = 1;

  seed = seed * 1664525u + 1013904223u;
  return (PetscReal)(seed >> 8) / 16777216.0;
}

/* A power of two between 2^-bits and 2^bits */
static PetscReal Scale(PetscReal bits)
{
  return PetscPowReal(2, PetscFloorReal(bits * (2 * Random() - 1)));
}

/* Convection and diffusion on a grid, dominated by its diagonal, then scaled; moduli has the moduli of the entries */
static PetscErrorCode Make(PetscInt nx, PetscInt ny, PetscReal bits, Mat *A, Mat *moduli)
{
  const PetscInt offset[5][2] = {{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {0, -1}}, n = nx * ny;
  PetscReal     *row, *column;
  PetscInt       first, last;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc2(n, &row, n, &column));
  for (PetscInt i = 0; i < n; i++) {
    row[i]    = Scale(bits);
    column[i] = Scale(bits);
  }
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, n, n, 5, NULL, 5, NULL, A));
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, n, n, 5, NULL, 5, NULL, moduli));
  PetscCall(MatGetOwnershipRange(*A, &first, &last));
  for (PetscInt i = 0; i < n; i++) {
    for (int k = 0; k < 5; k++) {
      const PetscInt  x = i % nx + offset[k][0], y = i / nx + offset[k][1], j = x + nx * y;
      const PetscReal v = k ? -0.2 - Random() : 5;

      if (x < 0 || x >= nx || y < 0 || y >= ny || i < first || i >= last) continue;
      PetscCall(MatSetValue(*A, i, j, v * row[i] * column[j], INSERT_VALUES));
      PetscCall(MatSetValue(*moduli, i, j, PetscAbsReal(v) * row[i] * column[j], INSERT_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyBegin(*moduli, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*moduli, MAT_FINAL_ASSEMBLY));
  PetscCall(PetscFree2(row, column));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The largest component of b - op(A) x beside |b| + |op(A)| |x| */
static PetscErrorCode ComponentError(Mat A, Mat moduli, PetscBool transpose, Vec b, Vec x, PetscReal *error)
{
  Vec r, sum, xm;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(b, &r));
  PetscCall(VecDuplicate(b, &sum));
  PetscCall(VecDuplicate(x, &xm));
  PetscCall(VecCopy(x, xm));
  PetscCall(VecAbs(xm));
  PetscCall(transpose ? MatMultTranspose(A, x, r) : MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1, b));
  PetscCall(transpose ? MatMultTranspose(moduli, xm, sum) : MatMult(moduli, xm, sum));
  PetscCall(VecCopy(b, xm));
  PetscCall(VecAbs(xm));
  PetscCall(VecAXPY(sum, 1, xm));
  PetscCall(VecPointwiseDivide(r, r, sum));
  PetscCall(VecNorm(r, NORM_INFINITY, error));
  PetscCall(VecDestroy(&r));
  PetscCall(VecDestroy(&sum));
  PetscCall(VecDestroy(&xm));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A right-hand side whose solution has components of the same size */
static PetscErrorCode MakeRhs(Mat A, PetscBool transpose, Vec x, Vec b)
{
  PetscInt first, last, n;

  PetscFunctionBeginUser;
  PetscCall(VecGetOwnershipRange(x, &first, &last));
  PetscCall(VecGetSize(x, &n));
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal v = 0.5 + Random();

    if (i >= first && i < last) PetscCall(VecSetValue(x, i, v, INSERT_VALUES));
  }
  PetscCall(VecAssemblyBegin(x));
  PetscCall(VecAssemblyEnd(x));
  PetscCall(transpose ? MatMultTranspose(A, x, b) : MatMult(A, x, b));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Say(const char *what, PetscReal error)
{
  PetscFunctionBeginUser;
  if (error < 1e-13)
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: componentwise backward error < 1e-13\n", what));
  else
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: componentwise backward error %g\n", what, (double)error));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Case(PetscInt nx, PetscInt ny, PetscReal bits, PetscReal worst[3])
{
  const PetscInt columns = 3;
  Mat            A, moduli, B, X;
  KSP            ksp;
  PC             pc;
  Vec            b, x, v;
  PetscReal      error;

  PetscFunctionBeginUser;
  PetscCall(Make(nx, ny, bits, &A, &moduli));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPSetErrorIfNotConverged(ksp, PETSC_TRUE));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCLU));
  PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERSCHWARZSCHUR));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(MatCreateVecs(A, &x, &b));
  for (int transpose = 0; transpose < 2; transpose++) {
    PetscCall(MakeRhs(A, (PetscBool)transpose, x, b));
    PetscCall(transpose ? KSPSolveTranspose(ksp, b, x) : KSPSolve(ksp, b, x));
    PetscCall(ComponentError(A, moduli, (PetscBool)transpose, b, x, &error));
    worst[transpose] = PetscMax(worst[transpose], error);
  }
  PetscCall(MatCreateDense(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, nx * ny, columns, NULL, &B));
  PetscCall(MatSetUp(B));
  for (PetscInt q = 0; q < columns; q++) {
    PetscCall(MakeRhs(A, PETSC_FALSE, x, b));
    PetscCall(MatDenseGetColumnVecWrite(B, q, &v));
    PetscCall(VecCopy(b, v));
    PetscCall(MatDenseRestoreColumnVecWrite(B, q, &v));
  }
  PetscCall(MatAssemblyBegin(B, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(B, MAT_FINAL_ASSEMBLY));
  PetscCall(MatDuplicate(B, MAT_DO_NOT_COPY_VALUES, &X));
  PetscCall(KSPMatSolve(ksp, B, X));
  for (PetscInt q = 0; q < columns; q++) {
    PetscCall(MatDenseGetColumnVecRead(B, q, &v));
    PetscCall(VecCopy(v, b));
    PetscCall(MatDenseRestoreColumnVecRead(B, q, &v));
    PetscCall(MatDenseGetColumnVecRead(X, q, &v));
    PetscCall(ComponentError(A, moduli, PETSC_FALSE, b, v, &error));
    PetscCall(MatDenseRestoreColumnVecRead(X, q, &v));
    worst[2] = PetscMax(worst[2], error);
  }
  PetscCall(MatDestroy(&B));
  PetscCall(MatDestroy(&X));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&moduli));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  const PetscInt size[][2] = {{20, 13}, {9, 31}, {40, 1}};
  PetscReal      worst[3]  = {0, 0, 0};

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetlapInitialize());
  for (int k = 0; k < 9; k++) PetscCall(Case(size[k % 3][0], size[k % 3][1], k < 3 ? 20 : k < 6 ? 40 : 60, worst));
  PetscCall(Say("one right-hand side", worst[0]));
  PetscCall(Say("of the transposed matrix", worst[1]));
  PetscCall(Say("three at once", worst[2]));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: petlap

  testset:
    output_file: output/ex14_1.out
    args: -malloc_dump
    test:
      suffix: 1
    test:
      suffix: ranks
      nsize: {{2 4}}
    test:
      suffix: single
      args: -mat_schwarzschur_precision single

TEST*/
