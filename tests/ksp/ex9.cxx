static char help[] = "psdo where there is no solution, or rounding hides that there is none: it must not say that it has converged.\n\n\
  -size <40>    points along each axis of the grids\n\n";

#include <petscksp.h>

/* Two grids of size x size points, the first of which has values given around it; so does the second with closed, which otherwise floats. And rows of zeros. */
static PetscErrorCode Grids(PetscInt size, PetscBool closed, PetscInt zeros, Mat *A)
{
  const PetscInt n = 2 * size * size + zeros;
  PetscInt       start, end;

  PetscFunctionBeginUser;
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, n, n, 5, nullptr, 4, nullptr, A));
  PetscCall(MatGetOwnershipRange(*A, &start, &end));
  for (PetscInt i = start; i < end; i++) {
    const PetscInt second = i / (size * size), at[2] = {i % size, i / size % size}, step[2] = {1, size};
    PetscScalar    diagonal = 0.0;

    for (PetscInt a = 0; a < 2 && second < 2; a++) {
      for (PetscInt side = -1; side <= 1; side += 2) {
        const PetscBool inside = (PetscBool)(at[a] + side >= 0 && at[a] + side < size);

        if (inside) PetscCall(MatSetValue(*A, i, i + side * step[a], -1.0, INSERT_VALUES));
        if (inside || second == 0 || closed) diagonal += 1.0;
      }
    }
    PetscCall(MatSetValue(*A, i, i, diagonal, INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* With show, the reason is printed; else only whether it is what the residual says, as a solve without a solution may end in several ways */
static PetscErrorCode Solve(const char what[], Mat A, Vec b, PetscBool show)
{
  KSP                ksp;
  Vec                x, r;
  KSPConvergedReason reason;
  PetscReal          rnorm, bnorm, rtol;

  PetscFunctionBeginUser;
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetType(ksp, "psdo"));
  PetscCall(KSPSetTolerances(ksp, 1e-8, PETSC_DEFAULT, PETSC_DEFAULT, 2000));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(VecDuplicate(b, &x));
  PetscCall(VecDuplicate(b, &r));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(KSPGetTolerances(ksp, &rtol, nullptr, nullptr, nullptr));
  PetscCall(MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1.0, b));
  PetscCall(VecNorm(r, NORM_2, &rnorm));
  PetscCall(VecNorm(b, NORM_2, &bnorm));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %s\n", what, reason > 0 && !(rnorm <= 50.0 * rtol * bnorm) ? "WRONG, converged without a solution" : show || reason > 0 ? KSPConvergedReasons[reason] : "diverged"));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&r));
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  PetscInt  size = 40, n, start, end;
  PetscReal part;
  Mat       closed, floating, empty, zero, bad;
  Vec       b, c;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-size", &size, nullptr));
  n = size * size;
  PetscCall(Grids(size, PETSC_TRUE, 0, &closed));
  PetscCall(Grids(size, PETSC_FALSE, 0, &floating));
  PetscCall(MatCreateVecs(floating, &b, &c));
  PetscCall(VecGetOwnershipRange(b, &start, &end));
  /* Of the second grid the values add up to zero but for a small part */
  for (PetscReal small : {0.0, 1e-6, 1e-3, 1.0}) {
    char what[64];

    for (PetscInt i = start; i < end; i++) PetscCall(VecSetValue(b, i, PetscSinReal(0.1 * (PetscReal)(i % n)) + (i < n ? 0.3 : i % 2 ? 1.0 : -1.0), INSERT_VALUES));
    PetscCall(VecAssemblyBegin(b));
    PetscCall(VecAssemblyEnd(b));
    PetscCall(VecCopy(b, c));
    for (PetscInt i = start; i < PetscMin(n, end); i++) PetscCall(VecSetValue(c, i, 0.0, INSERT_VALUES));
    PetscCall(VecAssemblyBegin(c));
    PetscCall(VecAssemblyEnd(c));
    {
      PetscScalar sum;

      PetscCall(VecSum(c, &sum));
      part = PetscRealPart(sum) / (PetscReal)n - small;
    }
    for (PetscInt i = PetscMax(n, start); i < end; i++) PetscCall(VecSetValue(b, i, -part, ADD_VALUES));
    PetscCall(VecAssemblyBegin(b));
    PetscCall(VecAssemblyEnd(b));
    PetscCall(PetscSNPrintf(what, sizeof(what), "floating component, inconsistent by %g", (double)small));
    PetscCall(Solve(what, floating, b, PETSC_FALSE));
  }
  PetscCall(Solve("no component floats", closed, b, PETSC_TRUE));
  PetscCall(VecSet(b, 0.0));
  PetscCall(Solve("nothing to do", closed, b, PETSC_TRUE));
  PetscCall(MatDuplicate(closed, MAT_COPY_VALUES, &bad));
  if (start == 0) PetscCall(MatSetValue(bad, 3, 3, NAN, INSERT_VALUES));
  PetscCall(MatAssemblyBegin(bad, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(bad, MAT_FINAL_ASSEMBLY));
  PetscCall(Solve("nothing to do, NaN in the matrix", bad, b, PETSC_FALSE));
  PetscCall(MatDuplicate(closed, MAT_COPY_VALUES, &zero));
  PetscCall(MatZeroEntries(zero));
  PetscCall(VecSet(b, 1.0));
  PetscCall(Solve("zero matrix", zero, b, PETSC_TRUE));
  for (Vec v : {b, c}) PetscCall(VecDestroy(&v));

  PetscCall(Grids(size, PETSC_TRUE, 3, &empty));
  PetscCall(MatCreateVecs(empty, &b, nullptr));
  PetscCall(VecGetOwnershipRange(b, &start, &end));
  for (PetscReal value : {0.0, 1e-4, 1.0}) {
    char what[64];

    for (PetscInt i = start; i < end; i++) PetscCall(VecSetValue(b, i, i < 2 * n ? 1.0 + 0.1 * (PetscReal)(i % 7) : i == 2 * n ? value : 0.0, INSERT_VALUES));
    PetscCall(VecAssemblyBegin(b));
    PetscCall(VecAssemblyEnd(b));
    PetscCall(PetscSNPrintf(what, sizeof(what), "%g in a row of zeros", (double)value));
    PetscCall(Solve(what, empty, b, PETSC_TRUE));
  }
  PetscCall(VecDestroy(&b));
  for (Mat M : {closed, floating, empty, zero, bad}) PetscCall(MatDestroy(&M));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  test:
    nsize: {{1 2 4}}
    args: -pc_type {{none jacobi}} -ksp_norm_type {{unpreconditioned natural}}

  test:
    suffix: hsc
    output_file: output/ex9_1.out
    requires: !complex
    nsize: {{1 2 4}}
    args: -pc_type hsc -ksp_norm_type {{unpreconditioned preconditioned natural}}

  test:
    suffix: mmax
    output_file: output/ex9_1.out
    requires: !complex
    args: -pc_type hsc -ksp_psdo_mmax {{0 1 8 30}}

TEST*/
