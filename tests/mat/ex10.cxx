static char help[] = "Factors several grids in one matrix, and compares with PETSc's own factorization of the same matrix.\n\
  -n nx,ny,nz: each grid\n\
  -grids k: how many\n\
  -gaps: some rows lack entries, the same in each grid\n\
  -differ: one grid has a row that the others have not\n\n";

#include <petlap.h>

static PetscReal Random(unsigned int *seed)
{
  *seed = *seed * 1664525u + 1013904223u;
  return (PetscReal)(*seed >> 8) / 16777216.0 - 0.5;
}

int main(int argc, char **argv)
{
  PetscInt     n[3] = {13, 11, 1}, got = 3, grids = 3, points, batch;
  PetscBool    gaps = PETSC_FALSE, differ = PETSC_FALSE;
  PetscReal    norm, size, worst = 0;
  unsigned int seed = 1;
  Mat          A, plain, F[2], B, X[2];
  Vec          b, x[2];

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetlapInitialize());
  PetscCall(PetscOptionsGetIntArray(NULL, NULL, "-n", n, &got, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-grids", &grids, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-gaps", &gaps, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-differ", &differ, NULL));
  points = n[0] * n[1] * n[2];
  PetscCall(MatCreate(PETSC_COMM_SELF, &A));
  PetscCall(MatSetSizes(A, grids * points, grids * points, grids * points, grids * points));
  PetscCall(MatSetType(A, MATSEQAIJ));
  PetscCall(MatSetFromOptions(A));
  PetscCall(MatSeqAIJSetPreallocation(A, 27, NULL));
  for (PetscInt g = 0; g < grids; g++) {
    for (PetscInt p = 0; p < points; p++) {
      const PetscInt c[3] = {p % n[0], p / n[0] % n[1], p / n[0] / n[1]};

      for (PetscInt k = 0; k < 27; k++) {
        const PetscInt q[3] = {c[0] + k % 3 - 1, c[1] + k / 3 % 3 - 1, c[2] + k / 9 - 1}, row = g * points + p;
        PetscBool      in = PETSC_TRUE;

        for (int d = 0; d < 3; d++) in = (PetscBool)(in && q[d] >= 0 && q[d] < n[d]);
        if (!in) continue;
        const PetscInt at = q[0] + n[0] * (q[1] + n[1] * q[2]);

        if (k != 13 && ((gaps && (at + p) % 5 == 0) || (differ && g == 1 && p == 7))) continue;
        PetscCall(MatSetValue(A, row, g * points + at, k == 13 ? 10 + g : Random(&seed), INSERT_VALUES));
      }
    }
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatCreateVecs(A, &x[0], &b));
  PetscCall(VecDuplicate(x[0], &x[1]));
  PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, grids * points, 3, NULL, &B));
  PetscCall(MatDuplicate(B, MAT_DO_NOT_COPY_VALUES, &X[0]));
  PetscCall(MatDuplicate(B, MAT_DO_NOT_COPY_VALUES, &X[1]));
  for (PetscInt i = 0; i < grids * points; i++) {
    PetscCall(VecSetValue(b, i, Random(&seed), INSERT_VALUES));
    for (PetscInt q = 0; q < 3; q++) PetscCall(MatSetValue(B, i, q, Random(&seed), INSERT_VALUES));
  }
  PetscCall(VecAssemblyBegin(b));
  PetscCall(VecAssemblyEnd(b));
  PetscCall(MatAssemblyBegin(B, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(B, MAT_FINAL_ASSEMBLY));
  for (int k = 0; k < 2; k++) {
    IS            row, col;
    MatFactorInfo info;

    /* A matrix on the host for PETSc's own, wherever A is */
    PetscCall(MatConvert(A, MATSEQAIJ, MAT_INITIAL_MATRIX, &plain));
    PetscCall(MatGetFactor(k ? plain : A, k ? MATSOLVERPETSC : MATSOLVERSCHWARZSCHUR, MAT_FACTOR_LU, &F[k]));
    PetscCall(MatGetOrdering(plain, k ? MATORDERINGND : MATORDERINGEXTERNAL, &row, &col));
    PetscCall(MatFactorInfoInitialize(&info));
    if (!k) {
      PetscCall(MatSchwarzSchurSetBatch(F[k], grids));
      PetscCall(MatSchwarzSchurGetBatch(F[k], &batch));
      PetscCheck(batch == grids, PETSC_COMM_SELF, PETSC_ERR_PLIB, "%" PetscInt_FMT " grids", batch);
    }
    PetscCall(MatLUFactorSymbolic(F[k], k ? plain : A, row, col, &info));
    /* Twice, with other values */
    PetscCall(MatLUFactorNumeric(F[k], k ? plain : A, &info));
    if (!k) PetscCall(MatScale(A, 2));
    PetscCall(MatLUFactorNumeric(F[k], k ? plain : A, &info));
    PetscCall(MatDestroy(&plain));
    PetscCall(ISDestroy(&row));
    PetscCall(ISDestroy(&col));
  }
  for (int transposed = 0; transposed < 2; transposed++) {
    for (int k = 0; k < 2; k++) PetscCall(transposed ? MatSolveTranspose(F[k], b, x[k]) : MatSolve(F[k], b, x[k]));
    PetscCall(VecNorm(x[1], NORM_INFINITY, &size));
    PetscCall(VecAXPY(x[0], -1, x[1]));
    PetscCall(VecNorm(x[0], NORM_INFINITY, &norm));
    worst = PetscMax(worst, norm / size);
  }
  for (int k = 0; k < 2; k++) PetscCall(MatMatSolve(F[k], B, X[k]));
  PetscCall(MatNorm(X[1], NORM_FROBENIUS, &size));
  PetscCall(MatAXPY(X[0], -1, X[1], SAME_NONZERO_PATTERN));
  PetscCall(MatNorm(X[0], NORM_FROBENIUS, &norm));
  worst = PetscMax(worst, norm / size);
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, worst < 1e-12 ? "as PETSc's factorization\n" : "differs by %g\n", (double)worst));
  for (int k = 0; k < 2; k++) {
    PetscCall(MatDestroy(&F[k]));
    PetscCall(MatDestroy(&X[k]));
    PetscCall(VecDestroy(&x[k]));
  }
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&B));
  PetscCall(VecDestroy(&b));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double petlap

  testset:
    output_file: output/ex10_1.out
    args: -malloc_dump
    test:
      suffix: 1
      args: -grids {{1 2 9}} -gaps {{0 1}}
    test:
      suffix: space
      args: -n 5,6,4 -grids 3 -mat_schwarzschur_grid 5,6,4
    test:
      suffix: single
      args: -mat_schwarzschur_precision single
    test:
      suffix: cuda
      requires: gpu
      args: -grids {{1 5}} -gaps {{0 1}} -mat_schwarzschur_backend cuda -petlap_check
    test:
      suffix: cuda_values
      requires: gpu cuda
      args: -grids {{1 5}} -gaps {{0 1}} -mat_type aijcusparse -petlap_check
    test:
      suffix: cuda_large
      requires: gpu
      args: -mat_schwarzschur_backend cuda -mat_schwarzschur_cuda_small 3 -mat_schwarzschur_cuda_block 4 -petlap_check

  test:
    suffix: differ
    args: -differ -petsc_ci_portable_error_output -error_output_stdout
    filter: grep -o "Row [0-9]* has not the entries that row [0-9]*"

  test:
    suffix: size
    args: -n 7,1,1 -grids 3 -mat_schwarzschur_batch 5 -petsc_ci_portable_error_output -error_output_stdout
    filter: grep -o "The [0-9]* rows of the matrix cannot belong to [0-9]* grids"

TEST*/
