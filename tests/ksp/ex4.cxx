static char help[] = "Initializes and finalizes PETSc three times; the plug-in must work each time.\n\n";

#include "petlap.h"

static PetscErrorCode Solve(PetscInt *its)
{
  Mat A;
  Vec x, b;
  KSP ksp;
  PC  pc;

  PetscFunctionBeginUser;
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, 10, 10, PETSC_DETERMINE, PETSC_DETERMINE, 3, nullptr, 1, nullptr, &A));
  PetscInt start, end, n;
  PetscCall(MatGetSize(A, &n, nullptr));
  PetscCall(MatGetOwnershipRange(A, &start, &end));
  for (PetscInt i = start; i < end; i++) {
    PetscInt    c[3] = {i - 1, i, i + 1 < n ? i + 1 : -1};
    PetscScalar v[3] = {-1.0, 2.5, -1.0};

    PetscCall(MatSetValues(A, 1, &i, 3, c, v, INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSet(b, 1.0));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetType(ksp, KSPPSDO));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCJACOBI));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetIterationNumber(ksp, its));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  PetscInt its[3];

  if (MPI_Init(&argc, &argv)) return 1;
  for (int round = 0; round < 3; round++) {
    PetscBool linked = PETSC_FALSE;

    PetscFunctionBeginUser;
    PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
    PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-linked", &linked, nullptr));
    /* Twice, because a program may link the library and load it */
    if (linked) PetscCall(PetlapInitialize());
    if (linked) PetscCall(PetlapInitialize());
    PetscCall(Solve(&its[round]));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "round %d: %s\n", round, its[round] == its[0] && its[round] > 2 ? "ok" : "other iterations than in round 0"));
    PetscCall(PetscFinalize());
  }
  return MPI_Finalize();
}

/*TEST

  test:
    nsize: {{1 2}}
    args: -linked {{0 1}}

  test:
    suffix: citations
    args: -citations -linked
    filter: grep -E "lan2024neural|round"

TEST*/
