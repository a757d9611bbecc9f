static char help[] = "Solves with hsc after something has been made wrong, and prints the error or how the solver ended.\n\
  -wrong NAME: what is wrong\n\
  -cases FILE: lines of names and options, each tried in turn\n\
Options for the matrix are those of laplacians.h.\n\n";

#include "laplacians.h"
#include <petlap.h>
#include <petscdmda.h>
#include <cmath>
#include <cstdio>

/* Only the first report of an error carries its text */
static PetscErrorCode Handler(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType type, const char *message, void *text)
{
  if (type == PETSC_ERROR_INITIAL && message) *(std::string *)text = message;
  return code;
}

static PetscErrorCode Nothing(Mat, Vec, Vec y)
{
  return VecSet(y, 1.0);
}

static PetscErrorCode Set(Mat A, PetscInt i, PetscInt j, PetscReal v)
{
  PetscFunctionBeginUser;
  PetscCall(MatSetOption(A, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
  PetscCall(MatSetValue(A, i, j, v, INSERT_VALUES));
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Run(const std::string &wrong, KSPConvergedReason *reason)
{
  Laplacian   laplacian;
  Mat         A, B;
  Vec         b, x, d;
  KSP         ksp;
  PC          pc;
  PetscInt    n, m;
  PetscMPIInt size;

  PetscFunctionBeginUser;
  PetscCall(laplacian.Make(NULL));
  PetscCall(laplacian.Assemble(&A));
  PetscCall(MatGetSize(A, &n, NULL));
  if (wrong == "nan") PetscCall(Set(A, 41, 41, NAN));
  if (wrong == "nan_off") PetscCall(Set(A, 41, 42, NAN));
  if (wrong == "inf") PetscCall(Set(A, 41, 41, INFINITY));
  if (wrong == "inf_off") PetscCall(Set(A, 42, 41, -INFINITY));
  if (wrong == "pattern") PetscCall(Set(A, 41, 57, -0.5));
  if (wrong == "pattern_lower") PetscCall(Set(A, 57, 41, -0.5));
  if (wrong == "values") PetscCall(Set(A, 41, 42, -0.5));
  if (wrong == "positive") {
    PetscCall(Set(A, 41, 57, 0.25));
    PetscCall(Set(A, 57, 41, 0.25));
  }
  if (wrong == "zero_diagonal") PetscCall(Set(A, 41, 41, 0.0));
  if (wrong == "negative_diagonal") PetscCall(Set(A, 41, 41, -4.0));
  if (wrong == "mixed_diagonal") {
    PetscCall(MatScale(A, -1.0));
    PetscCall(Set(A, 41, 41, 4.0));
  }
  if (wrong == "rows_scaled") {
    Vec      d;
    PetscInt first, last;

    PetscCall(MatCreateVecs(A, &d, NULL));
    PetscCall(VecGetOwnershipRange(d, &first, &last));
    for (PetscInt i = first; i < last; i++) PetscCall(VecSetValue(d, i, 1.0 + i % 4, INSERT_VALUES));
    PetscCall(VecAssemblyBegin(d));
    PetscCall(VecAssemblyEnd(d));
    PetscCall(MatDiagonalScale(A, d, NULL));
    PetscCall(VecDestroy(&d));
  }
  if (wrong == "indefinite") PetscCall(MatShift(A, -3.0));
  if (wrong == "empty_row") {
    for (PetscInt j = 40; j < 43; j++) PetscCall(Set(A, 41, j, 0.0));
    PetscCall(Set(A, 41, 41 - 10, 0.0));
    PetscCall(Set(A, 41, 41 + 10, 0.0));
  }
  if (wrong == "zero") PetscCall(MatZeroEntries(A));
  if (wrong == "huge") {
    PetscCall(Set(A, 41, 42, -1e300));
    PetscCall(Set(A, 42, 41, -1e300));
  }
  if (wrong == "blocks") {
    PetscCall(MatDestroy(&A));
    PetscCall(MatCreateSeqBAIJ(PETSC_COMM_SELF, 2, 40, 40, 1, NULL, &A));
    for (PetscInt i = 0; i < 20; i++) {
      const PetscScalar v[] = {2.0, 0.5, 0.5, 2.0};

      PetscCall(MatSetValuesBlocked(A, 1, &i, 1, &i, v, INSERT_VALUES));
    }
    PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
    n = 40;
  }
  if (wrong == "rectangle") {
    PetscCall(MatDestroy(&A));
    PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, n, n + 1, 1, NULL, &A));
    for (PetscInt i = 0; i < n; i++) PetscCall(MatSetValue(A, i, i, 1.0, INSERT_VALUES));
    PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  }
  if (wrong == "shell") {
    PetscCall(MatDestroy(&A));
    PetscCall(MatCreateShell(PETSC_COMM_SELF, n, n, n, n, NULL, &A));
    PetscCall(MatShellSetOperation(A, MATOP_MULT, (void (*)(void))Nothing));
  }
  if (wrong == "unsorted") {
    static PetscInt    ia[] = {0, 2, 4}, ja[] = {1, 0, 1, 0};
    static PetscScalar a[] = {-1.0, 2.0, 2.0, -1.0};

    PetscCall(MatDestroy(&A));
    PetscCall(MatCreateSeqAIJWithArrays(PETSC_COMM_SELF, 2, 2, ia, ja, a, &A));
  }
  if (wrong == "unassembled") {
    PetscCall(MatDestroy(&A));
    PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, n, n, 1, NULL, &A));
    PetscCall(MatSetValue(A, 0, 0, 1.0, INSERT_VALUES));
  }
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  if (size > 1) {
    PetscCall(MatDestroy(&A));
    PetscCall(MatCreateConstantDiagonal(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, 10, 10, 1.0, &B));
    PetscCall(MatConvert(B, MATAIJ, MAT_INITIAL_MATRIX, &A));
    PetscCall(MatDestroy(&B));
  }
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)A), &ksp));
  PetscCall(KSPSetType(ksp, KSPFCG));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCHSC));
  PetscCall(KSPSetTolerances(ksp, 1e-8, PETSC_DEFAULT, PETSC_DEFAULT, 300));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetFromOptions(ksp));
  m = wrong == "shift_size" || wrong == "shift_size_early" ? n + 1 : n;
  if (wrong.substr(0, 5) == "shift") {
    PC target = pc;

    PetscCall(VecCreateSeq(PETSC_COMM_SELF, m, &d));
    PetscCall(VecSet(d, 1.0));
    if (wrong == "shift_negative") PetscCall(VecSetValue(d, 3, -1e-3, INSERT_VALUES));
    if (wrong == "shift_nan") PetscCall(VecSetValue(d, 3, NAN, INSERT_VALUES));
    if (wrong == "shift_inf") PetscCall(VecSetValue(d, 3, INFINITY, INSERT_VALUES));
    if (wrong == "shift_scalar_nan") PetscCall(PCHSCSetShift(pc, NAN));
    if (wrong == "shift_size_early") {
      /* Before the preconditioner knows the matrix */
      PetscCall(PCCreate(PETSC_COMM_SELF, &target));
      PetscCall(PCSetType(target, PCHSC));
    }
    PetscCall(PCHSCSetDiagonalShift(target, d));
    if (target != pc) {
      PetscCall(KSPSetPC(ksp, target));
      PetscCall(PCDestroy(&target));
      PetscCall(KSPSetOperators(ksp, A, A));
    }
    PetscCall(VecDestroy(&d));
  }
  if (wrong.substr(0, 6) == "coords") {
    std::vector<PetscReal> at;
    const PetscInt         dim = wrong == "coords_space" ? 3 : 2, points = wrong == "coords_few" ? n - 1 : n;

    for (PetscInt i = 0; i < dim * points; i++) at.push_back(i % dim == 0 ? (PetscReal)(i / dim % 10) : (PetscReal)(i / dim / 10));
    if (wrong == "coords_off") at[2 * 15] += 0.4;
    if (wrong == "coords_nan") at[2 * 15] = NAN;
    PetscCall(PCSetCoordinates(pc, dim, points, at.data()));
  }
  if (wrong == "dmda") {
    DM dm;

    PetscCall(DMDACreate2d(PETSC_COMM_SELF, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, 10, 9, 1, 1, 2, 1, NULL, NULL, &dm));
    PetscCall(DMSetUp(dm));
    PetscCall(PCSetDM(pc, dm));
    PetscCall(DMDestroy(&dm));
  }
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSet(b, 1.0));
  if (wrong == "rhs_nan") PetscCall(VecSetValue(b, 3, NAN, INSERT_VALUES));
  PetscCall(VecAssemblyBegin(b));
  PetscCall(VecAssemblyEnd(b));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, reason));
  if (wrong == "smoother_number") PetscCall(PCHSCSetSmoother(pc, (PCHSCSmoother)7));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* One line with the error or the reason */
static PetscErrorCode Try(const char name[])
{
  char               wrong[32] = "";
  std::string        text;
  PetscErrorCode     code;
  KSPConvergedReason reason = KSP_CONVERGED_ITERATING;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetString(NULL, NULL, "-wrong", wrong, sizeof(wrong), NULL));
  PetscCall(PetscPushErrorHandler(Handler, &text));
  code = Run(wrong, &reason);
  PetscCall(PetscPopErrorHandler());
  if (code)
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%serror %d: %s\n", name, (int)code, text.c_str()));
  else
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s%s\n", name, KSPConvergedReasons[reason]));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  char      cases[PETSC_MAX_PATH_LEN], line[1024];
  PetscBool has;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-cases", cases, sizeof(cases), &has));
  if (has) {
    FILE *file = fopen(cases, "r");

    PetscCheck(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "%s", cases);
    while (fgets(line, sizeof(line), file)) {
      char *options;

      line[strcspn(line, "\n")] = 0;
      options                   = strchr(line, ':');

      PetscCheck(options, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s", line);
      PetscCall(PetscOptionsClear(NULL));
      PetscCall(PetscOptionsInsertString(NULL, options + 1));
      strcpy(options, ": ");
      PetscCall(Try(line));
    }
    fclose(file);
    PetscCall(PetscOptionsClear(NULL));
  } else
    PetscCall(Try(""));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex petlap

  testset:
    test:
      suffix: view
      args: -kind mesh -n 40,40 -boundary neumann -ksp_view
      filter: sed -n -E "/PC Object/,/linear system/p" | sed -E -e "s,[0-9]+ levels.*,some levels," -e "/(level [0-9]|memory)/d" -e "/linear system/d"
    test:
      suffix: view_options
      args: -n 40,40 -negative -ksp_type cg -ksp_view -pc_hsc_smoother jacobi -pc_hsc_omega 0.7 -pc_hsc_pre 1 -pc_hsc_post 2 -pc_hsc_cycle w -pc_hsc_symmetric no -pc_hsc_coloring paper -pc_hsc_compensate 0 -pc_hsc_theta_finest 0.9 -pc_hsc_theta 0.8 -pc_hsc_dmin 4 -pc_hsc_direct_size 300 -pc_hsc_max_levels 5 -pc_hsc_precision double -pc_hsc_reorder bfs -pc_hsc_positive drop -pc_hsc_symmetrize -pc_hsc_reuse all -pc_hsc_shift 0.5
      filter: sed -n -E "/PC Object/,/linear system/p" | sed -E -e "s,[0-9]+ levels.*,some levels," -e "/(level [0-9]|memory)/d" -e "/linear system/d"
    test:
      suffix: view_positive
      args: -kind q1 -n 30,30 -eps 0.1 -ksp_view
      filter: grep -E "WARNING|symmetric"
    test:
      suffix: view_identity
      args: -n 30,30 -identity columns -weights graded -components 2 -span_log 40 -ksp_view -ksp_type gmres
      filter: grep -E "belong to|precision"
    test:
      suffix: info_positive
      args: -kind q1 -n 30,30 -eps 0.1 -info :pc
      filter: grep -o "[0-9]* entries off the diagonal.*"
    test:
      suffix: help
      args: -help
      filter: grep -E "^ *-pc_hsc|HSC options" | sed -E -e "s,: +,: ," -e "s,: <, <," -e "s,<now ,<," -e "s, : formerly , : ," -e "s,OptionsGetViewer,OptionsCreateViewer,"
    test:
      suffix: citations
      args: -citations
      filter: grep -A 8 krishnan
    test:
      suffix: log
      requires: defined(PETSC_USE_LOG)
      args: -n 40,40 -log_view -pc_hsc_shift 1
      filter: grep -oE "^PCHSC(SetUp|Update|Apply)"

TEST*/
