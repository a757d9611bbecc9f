static char help[] = "What PCHSCComputeEigenvectors() and its companions refuse, each with its error, and what they leave alone.\n\n";

#include <petlap.h>
#include <cstring>

static int expected = 0;

/* Errors are collected in place of being printed */
static PetscErrorCode Handler(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType type, const char *message, void *)
{
  if (type == PETSC_ERROR_INITIAL) expected = (int)code;
  if (type == PETSC_ERROR_INITIAL && std::strlen(message) < 20) expected = -1;
  return code;
}

static PetscErrorCode Refused(const char what[], PetscErrorCode want, PetscErrorCode got)
{
  PetscFunctionBeginUser;
  if (got == want && expected == (int)want)
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "ok - %s\n", what));
  else
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "not ok - %s: %d in place of %d\n", what, (int)got, (int)want));
  expected = 0;
  PetscFunctionReturn((PetscErrorCode)0);
}
#define REFUSED(what, want, call)                        \
  do {                                                   \
    PetscErrorCode got;                                  \
    PetscCall(PetscPushErrorHandler(Handler, nullptr));  \
    got = call;                                          \
    PetscCall(PetscPopErrorHandler());                   \
    PetscCall(Refused(what, (PetscErrorCode)want, got)); \
  } while (0)

static PetscErrorCode Path(PetscInt n, Mat *A)
{
  PetscFunctionBeginUser;
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, n, n, 3, nullptr, A));
  for (PetscInt i = 0; i < n; i++) {
    PetscCall(MatSetValue(*A, i, i, i == 0 || i == n - 1 ? 1.0 : 2.0, INSERT_VALUES));
    if (i > 0) PetscCall(MatSetValue(*A, i, i - 1, -1.0, INSERT_VALUES));
    if (i > 0) PetscCall(MatSetValue(*A, i - 1, i, -1.0, INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Mat       A, B;
  PC        pc, other;
  Vec       x[2], small[2];
  PetscReal values[2], tol;
  PetscInt  n = 50, nconv, maxit, guard;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(Path(n, &A));
  PetscCall(MatCreateVecs(A, &x[0], nullptr));
  PetscCall(VecDuplicate(x[0], &x[1]));
  PetscCall(VecCreateSeq(PETSC_COMM_SELF, n - 1, &small[0]));
  PetscCall(VecDuplicate(small[0], &small[1]));
  PetscCall(PCCreate(PETSC_COMM_SELF, &pc));
  PetscCall(PCSetType(pc, PCHSC));
  PetscCall(PCSetOperators(pc, A, A));

  REFUSED("no eigenvectors", PETSC_ERR_ARG_OUTOFRANGE, PCHSCComputeEigenvectors(pc, 0, values, x, nullptr, &nconv));
  REFUSED("more eigenvectors than rows", PETSC_ERR_ARG_OUTOFRANGE, PCHSCComputeEigenvectors(pc, n + 1, nullptr, nullptr, nullptr, nullptr));
  REFUSED("vectors of another size", PETSC_ERR_ARG_SIZ, PCHSCComputeEigenvectors(pc, 2, values, small, nullptr, &nconv));
  REFUSED("an initial space of another size", PETSC_ERR_ARG_SIZ, PCHSCComputeInitialSpace(pc, 2, small));
  REFUSED("an initial space without vectors", PETSC_ERR_ARG_NULL, PCHSCComputeInitialSpace(pc, 2, nullptr));
  REFUSED("a negative tolerance", PETSC_ERR_ARG_OUTOFRANGE, PCHSCSetEigenTolerances(pc, -0.5, 10));
  REFUSED("a tolerance of one", PETSC_ERR_ARG_OUTOFRANGE, PCHSCSetEigenTolerances(pc, 1.0, 10));
  REFUSED("a negative number of iterations", PETSC_ERR_ARG_OUTOFRANGE, PCHSCSetEigenTolerances(pc, 1e-3, -7));
  REFUSED("a negative number of guard vectors", PETSC_ERR_ARG_OUTOFRANGE, PCHSCSetEigenGuard(pc, -7));
  PetscCall(PCHSCGetEigenTolerances(pc, &tol, &maxit));
  PetscCall(PCHSCGetEigenGuard(pc, &guard));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "tol %g, max_it %" PetscInt_FMT ", guard %" PetscInt_FMT "\n", (double)tol, maxit, guard));

  PetscCall(PCCreate(PETSC_COMM_SELF, &other));
  PetscCall(PCSetType(other, PCJACOBI));
  PetscCall(PCSetOperators(other, A, A));
  REFUSED("another preconditioner", PETSC_ERR_SUP, PCHSCComputeEigenvectors(other, 1, values, x, nullptr, &nconv));
  PetscCall(PCHSCSetEigenTolerances(other, -1.0, 10));
  PetscCall(PCDestroy(&other));

  /* Row 0 fixes its unknown, and the others keep their entries in its column */
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &B));
  {
    const PetscInt row = 0;

    PetscCall(MatZeroRows(B, 1, &row, 1.0, nullptr, nullptr));
  }
  PetscCall(PCCreate(PETSC_COMM_SELF, &other));
  PetscCall(PCSetType(other, PCHSC));
  PetscCall(PCSetOperators(other, B, B));
  REFUSED("a Dirichlet row with its column", PETSC_ERR_ARG_WRONG, PCHSCComputeEigenvectors(other, 1, values, x, nullptr, &nconv));
  PetscCall(PCDestroy(&other));
  PetscCall(MatDestroy(&B));

  /* After all that it still works, with as little as one may ask for */
  PetscCall(PCHSCSetEigenTolerances(pc, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(PCHSCComputeEigenvectors(pc, 2, nullptr, nullptr, nullptr, nullptr));
  PetscCall(PCHSCComputeEigenvectors(pc, 2, values, x, nullptr, &nconv));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%" PetscInt_FMT " converged: 0 and %.6g\n", nconv, (double)values[1]));
  for (int j = 0; j < 2; j++) {
    PetscCall(VecDestroy(&x[j]));
    PetscCall(VecDestroy(&small[j]));
  }
  PetscCall(PCDestroy(&pc));
  PetscCall(MatDestroy(&A));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  test:
    requires: !complex double
    args: -malloc_dump

TEST*/
