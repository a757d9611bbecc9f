/*
  A program that uses petlap: solves the five-point Laplacian on a square with psdo.

  It calls petlap's functions and therefore links libpetlap. A program that only selects petlap's types through options needs neither the
  header nor the library; compiled with -DLOAD_AT_RUN_TIME this is such a program, to be run with

    ./plain -dll_append /path/to/libpetlap.so -ksp_type psdo
*/
#include <petscksp.h>
#ifndef LOAD_AT_RUN_TIME
  #include <petlap.h>
#endif

int main(int argc, char **argv)
{
  Mat         A;
  Vec         x, b, u;
  KSP         ksp;
  KSPType     type;
  PetscInt    n = 20, first, last, its;
  PetscReal   error;
  const char *verdict;

  PetscCall(PetscInitialize(&argc, &argv, NULL, "Solves the Laplacian on an n by n grid.\n"));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-n", &n, NULL));

  PetscCall(MatCreate(PETSC_COMM_WORLD, &A));
  PetscCall(MatSetSizes(A, PETSC_DECIDE, PETSC_DECIDE, n * n, n * n));
  PetscCall(MatSetFromOptions(A));
  PetscCall(MatSetUp(A));
  PetscCall(MatGetOwnershipRange(A, &first, &last));
  for (PetscInt k = first; k < last; k++) {
    const PetscInt i = k / n, j = k % n;

    PetscCall(MatSetValue(A, k, k, 4.0, INSERT_VALUES));
    if (i > 0) PetscCall(MatSetValue(A, k, k - n, -1.0, INSERT_VALUES));
    if (i < n - 1) PetscCall(MatSetValue(A, k, k + n, -1.0, INSERT_VALUES));
    if (j > 0) PetscCall(MatSetValue(A, k, k - 1, -1.0, INSERT_VALUES));
    if (j < n - 1) PetscCall(MatSetValue(A, k, k + 1, -1.0, INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));

  /* The right-hand side belongs to the solution u = 1 */
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecDuplicate(x, &u));
  PetscCall(VecSet(u, 1.0));
  PetscCall(MatMult(A, u, b));

  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetTolerances(ksp, 1e-8, PETSC_DEFAULT, PETSC_DEFAULT, 1000));
#ifndef LOAD_AT_RUN_TIME
  PetscCall(PetlapInitialize());
  PetscCall(KSPSetType(ksp, KSPPSDO));
  PetscCall(KSPPSDOSetMmax(ksp, 3));
#endif
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSolve(ksp, b, x));

  PetscCall(KSPGetType(ksp, &type));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(VecAXPY(x, -1.0, u));
  PetscCall(VecNorm(x, NORM_INFINITY, &error));
  verdict = error < 1e-5 ? "error < 1e-5" : "error is too large";
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %d iterations, %s\n", type, (int)its, verdict));

  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&u));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(MatDestroy(&A));
  PetscCall(PetscFinalize());
  return error < 1e-5 ? 0 : 1;
}
