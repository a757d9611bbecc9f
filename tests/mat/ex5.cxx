static char help[] = "Solves with a matrix on a grid after something has been made wrong, and prints the error or how the solver ended.\n\
  -n nx,ny,nz, -dof d: the grid, by default 10,9\n\
  -attach: gives the matrix a DMDA\n\
  -spread: over all processes, and not on each\n\
  -wrong NAME: what is wrong\n\n";

#include <petlap.h>
#include <petscdmda.h>
#include <cmath>
#include <string>

/* Only the first report of an error carries its text */
static PetscErrorCode Handler(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType type, const char *message, void *text)
{
  if (type == PETSC_ERROR_INITIAL && message) *(std::string *)text = message;
  return code;
}

static PetscErrorCode Run(MPI_Comm comm, const std::string &wrong, KSPConvergedReason *reason)
{
  PetscInt  n[3] = {10, 9, 1}, dof = 1, got = 3, N, reach = 1;
  PetscBool attach = PETSC_FALSE;
  Mat       A;
  Vec       b, x;
  KSP       ksp;
  PC        pc;
  int       rank;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetIntArray(NULL, NULL, "-n", n, &got, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-dof", &dof, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-attach", &attach, NULL));
  N = n[0] * n[1] * n[2] * dof;
  if (wrong == "wide") reach = 4;
  PetscCall(MatCreateAIJ(comm, PETSC_DECIDE, PETSC_DECIDE, N, wrong == "rectangle" ? N + 1 : N, (6 * reach + 1) * dof + 4, NULL, (6 * reach + 1) * dof + 4, NULL, &A));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  for (PetscInt i = 0; i < N && rank == 0; i++) {
    const PetscInt p = i / dof, c[3] = {p % n[0], p / n[0] % n[1], p / n[0] / n[1]};
    const PetscInt step[3] = {1, n[0], n[0] * n[1]};
    PetscScalar    sum     = wrong == "neumann" ? 0.0 : wrong == "negative" ? -9.0 : 1.0;

    for (PetscInt d = 0; d < 3; d++) {
      for (PetscInt s = -reach; s <= reach; s++) {
        const PetscInt j = i + s * step[d] * dof;
        PetscScalar    v = -1.0;

        if (!s || c[d] + s < 0 || c[d] + s >= n[d]) continue;
        sum += 1.0;
        if (wrong == "unsymmetric" && s > 0) v = -0.5;
        if (wrong == "nocolumn" && j == 41) v = 0.0;
        if (wrong == "norow" && i == 41) v = 0.0;
        if (wrong == "hole0" && (i == 41 || j == 41)) v = 0.0;
        if (wrong == "hole" && (i == 41 || j == 41)) continue;
        if (wrong == "nan" && i == 41 && j == 42) v = NAN;
        if (wrong == "inf" && i == 41 && j == 40) v = INFINITY;
        PetscCall(MatSetValue(A, i, j, v, INSERT_VALUES));
      }
    }
    if ((wrong == "norow" || wrong == "nocolumn" || wrong == "hole" || wrong == "hole0") && i == 41) sum = 0.0;
    if (wrong != "hole" || i != 41) PetscCall(MatSetValue(A, i, i, sum, INSERT_VALUES));
    if (wrong == "mesh") PetscCall(MatSetValue(A, i, (i * 37 + 11) % N, -0.01, INSERT_VALUES));
  }
  if (wrong != "unassembled") {
    PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  }
  if (wrong == "baij") PetscCall(MatConvert(A, MATBAIJ, MAT_INPLACE_MATRIX, &A));
  if (attach) {
    DM dm;

    PetscCall(DMDACreate2d(comm, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, n[0], n[1], 1, 1, dof, 1, NULL, NULL, &dm));
    PetscCall(DMSetUp(dm));
    PetscCall(MatSetDM(A, dm));
    PetscCall(DMDestroy(&dm));
  }
  if (wrong == "functions") {
    const PetscInt size[] = {10, 0};
    Mat            F;

    PetscCall(MatGetFactor(A, MATSOLVERSCHWARZSCHUR, MAT_FACTOR_LU, &F));
    PetscCall(MatSchwarzSchurSetGrid(F, 2, size, 1));
  }
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSet(b, 1.0));
  PetscCall(KSPCreate(comm, &ksp));
  PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPSetNormType(ksp, KSP_NORM_NONE));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCLU));
  PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERSCHWARZSCHUR));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, reason));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  char               wrong[32] = "";
  PetscBool          spread    = PETSC_FALSE;
  int                rank, worst;
  std::string        text;
  PetscErrorCode     code;
  KSPConvergedReason reason = KSP_CONVERGED_ITERATING;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-wrong", wrong, sizeof(wrong), NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-spread", &spread, NULL));
  PetscCall(PetscPushErrorHandler(Handler, &text));
  code = Run(spread ? PETSC_COMM_WORLD : PETSC_COMM_SELF, wrong, &reason);
  PetscCall(PetscPopErrorHandler());
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  worst = (int)code;
  if (spread) PetscCallMPI(MPI_Bcast(&worst, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  if (worst != (int)code) PetscCall(PetscPrintf(PETSC_COMM_SELF, "another error on process %d, %d: %s\n", rank, (int)code, text.c_str()));
  if (spread && rank) {
    PetscCall(PetscFinalize());
    return 0;
  }
  if (code)
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "error %d: %s\n", (int)code, text.c_str()));
  else
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s\n", KSPConvergedReasons[reason]));
  PetscCall(PetscFinalize());
  return 0;
}
