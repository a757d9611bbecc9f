static char help[] = "Functions, options and reuse of psdo through petlap.h.\n\n";

#include "petlap.h"

static PetscErrorCode Laplacian(PetscInt n, PetscScalar diagonal, Mat *A)
{
  PetscInt start, end;

  PetscFunctionBeginUser;
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, n, n, 3, nullptr, 2, nullptr, A));
  PetscCall(MatGetOwnershipRange(*A, &start, &end));
  for (PetscInt i = start; i < end; i++) {
    PetscInt    c[3] = {i - 1, i, i + 1 < n ? i + 1 : -1};
    PetscScalar v[3] = {-1.0, diagonal, -1.0};

    PetscCall(MatSetValues(*A, 1, &i, 3, c, v, INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Solve(KSP ksp, const char what[])
{
  Mat       A;
  Vec       x, b;
  PetscReal error;

  PetscFunctionBeginUser;
  PetscCall(KSPGetOperators(ksp, &A, nullptr));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSet(x, 1.0));
  PetscCall(MatMult(A, x, b));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(VecShift(x, -1.0));
  PetscCall(VecNorm(x, NORM_INFINITY, &error));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: error %s\n", what, error < 1e-6 ? "< 1e-6" : "TOO LARGE"));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Changes the option in the middle of a solve; the solve must go on undisturbed */
static PetscErrorCode Meddle(KSP ksp, PetscInt it, PetscReal, void *)
{
  PetscFunctionBeginUser;
  PetscCall(KSPPSDOSetMmax(ksp, it % 2 ? 1 : 9));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Refused(const char what[], PetscErrorCode code)
{
  PetscFunctionBeginUser;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %s\n", what, code == PETSC_ERR_ARG_OUTOFRANGE ? "refused" : "NOT REFUSED"));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Mat       A, B;
  KSP       ksp, other;
  PetscInt  mmax, k;
  PetscBool same;
  KSPType   type;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(Laplacian(50, 2.1, &A));
  PetscCall(Laplacian(73, 2.2, &B));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetType(ksp, KSPPSDO));
  PetscCall(KSPGetType(ksp, &type));
  PetscCall(PetscStrcmp(type, KSPPSDO, &same));
  PetscCall(KSPPSDOGetMmax(ksp, &mmax));
  PetscCall(KSPPSDOGetResidualReplacement(ksp, &k));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "type %s mmax %" PetscInt_FMT " replacement %" PetscInt_FMT "\n", same ? "psdo" : "OTHER", mmax, k));
  PetscCall(KSPPSDOSetMmax(ksp, 5));
  PetscCall(KSPPSDOSetResidualReplacement(ksp, 25));
  PetscCall(KSPSetTolerances(ksp, 1e-10, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPPSDOGetMmax(ksp, &mmax));
  PetscCall(KSPPSDOGetResidualReplacement(ksp, &k));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "after options: mmax %" PetscInt_FMT " replacement %" PetscInt_FMT "\n", mmax, k));

  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, nullptr));
  PetscCall(Refused("mmax -1", KSPPSDOSetMmax(ksp, -1)));
  PetscCall(Refused("replacement -3", KSPPSDOSetResidualReplacement(ksp, -3)));
  PetscCall(PetscPopErrorHandler());

  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(Solve(ksp, "50 unknowns"));
  PetscCall(Solve(ksp, "again"));
  PetscCall(KSPPSDOSetMmax(ksp, 100000000));
  PetscCall(Solve(ksp, "mmax 100000000"));
  PetscCall(KSPPSDOSetMmax(ksp, 1));
  PetscCall(Solve(ksp, "mmax 1"));
  PetscCall(KSPReset(ksp));
  PetscCall(KSPSetOperators(ksp, B, B));
  PetscCall(Solve(ksp, "another size"));
  PetscCall(KSPMonitorSet(ksp, Meddle, nullptr, nullptr));
  PetscCall(Solve(ksp, "option changed while solving"));

  /* Setters do nothing to a solver of another type */
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &other));
  PetscCall(KSPSetType(other, KSPCG));
  PetscCall(KSPPSDOSetMmax(other, 3));
  PetscCall(KSPPSDOSetResidualReplacement(other, 3));
  /* A change of type takes psdo's functions along */
  PetscCall(KSPSetType(ksp, KSPCG));
  PetscCall(KSPPSDOSetMmax(ksp, 3));
  PetscCall(KSPDestroy(&other));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&B));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  test:
    nsize: {{1 2 4}}

  test:
    suffix: options
    args: -ksp_psdo_mmax 0 -ksp_psdo_residual_replacement 2

TEST*/
