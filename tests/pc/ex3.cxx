static char help[] = "Diagonals that grow: shifts by functions and options, and by the matrix. Prints how often the hierarchy was built and shifted.\n\
Options for the matrix are those of laplacians.h.\n\
  -test functions|detect|reuse|changes|failures\n\
  -show                  prints iterations\n\n";

#include <petlap.h>
#include "laplacians.h"
#include <cstdio>

static PetscBool show = PETSC_FALSE;

/* From what -ksp_view prints */
static PetscErrorCode Counts(PC pc, PetscInt *built, PetscInt *shifted)
{
  PetscViewer viewer;
  char       *text, *at;
  size_t      n;
  FILE       *file;
  int         b = -1, s = -1;

  PetscFunctionBeginUser;
  file = open_memstream(&text, &n);
  PetscCheck(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "No memory stream");
  PetscCall(PetscViewerASCIIOpenWithFILE(PETSC_COMM_SELF, file, &viewer));
  PetscCall(PCView(pc, viewer));
  PetscCall(PetscViewerDestroy(&viewer));
  fclose(file);
  at = strstr(text, "hierarchy: built ");
  PetscCheck(at && sscanf(at, "hierarchy: built %d times, shifted %d times", &b, &s) == 2, PETSC_COMM_SELF, PETSC_ERR_PLIB, "No counts in the view");
  free(text);
  *built   = b;
  *shifted = s;
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode CreateKSP(Mat A, KSPType type, KSP *ksp)
{
  PC pc;

  PetscFunctionBeginUser;
  PetscCall(KSPCreate(PETSC_COMM_SELF, ksp));
  PetscCall(KSPSetType(*ksp, type));
  PetscCall(KSPSetNormType(*ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetTolerances(*ksp, 1e-9, 1e-300, PETSC_DEFAULT, 500));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(PCSetType(pc, PCHSC));
  PetscCall(KSPSetOperators(*ksp, A, A));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Iterations for a right-hand side that has a solution */
static PetscErrorCode Iterations(KSP ksp, PetscInt *its)
{
  Mat                A;
  Vec                x, b;
  PetscInt           n;
  Laplacian          random;
  PetscScalar       *a;
  KSPConvergedReason reason;

  PetscFunctionBeginUser;
  PetscCall(KSPGetOperators(ksp, &A, NULL));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecGetSize(x, &n));
  PetscCall(VecGetArray(x, &a));
  for (PetscInt i = 0; i < n; i++) a[i] = random.Random();
  PetscCall(VecRestoreArray(x, &a));
  PetscCall(MatMult(A, x, b));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetIterationNumber(ksp, its));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  if (reason <= 0) *its = 1000000;
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The same with a hierarchy of its own */
static PetscErrorCode Fresh(Mat A, KSPType type, PetscInt *its)
{
  KSP ksp;

  PetscFunctionBeginUser;
  PetscCall(CreateKSP(A, type, &ksp));
  PetscCall(Iterations(ksp, its));
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Compare(const char what[], PetscReal t, KSP ksp, KSPType type)
{
  Mat      A;
  PetscInt its, fresh;

  PetscFunctionBeginUser;
  PetscCall(KSPGetOperators(ksp, &A, NULL));
  PetscCall(Iterations(ksp, &its));
  PetscCall(Fresh(A, type, &fresh));
  if (its > fresh + PetscMax(5, fresh / 3)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s, %g: %" PetscInt_FMT " iterations and %" PetscInt_FMT " with a hierarchy of its own\n", what, (double)t, its, fresh));
  if (show) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s, %g: %" PetscInt_FMT " iterations, %" PetscInt_FMT "\n", what, (double)t, its, fresh));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Expect(const char what[], KSP ksp, PetscInt built, PetscInt shifted)
{
  PC       pc;
  PetscInt b = -1, s = -1;

  PetscFunctionBeginUser;
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(Counts(pc, &b, &s));
  if (b != built || s != shifted) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: built %" PetscInt_FMT " times, expected %" PetscInt_FMT "; shifted %" PetscInt_FMT " times, expected %" PetscInt_FMT "\n", what, b, built, s, shifted));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* t times 1 by turns with nothing, half and all, as in a data term that varies */
static PetscErrorCode Growth(Mat A, PetscReal t, PetscReal sign, Vec *d)
{
  PetscInt     n;
  PetscScalar *a;

  PetscFunctionBeginUser;
  PetscCall(MatCreateVecs(A, d, NULL));
  PetscCall(VecGetSize(*d, &n));
  PetscCall(VecGetArray(*d, &a));
  for (PetscInt i = 0; i < n; i++) a[i] = sign * t * 0.5 * (PetscReal)(i / 5 % 3);
  PetscCall(VecRestoreArray(*d, &a));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Functions(Mat A0, PetscReal sign, KSPType type)
{
  KSP ksp;
  PC  pc;
  Mat A;

  PetscFunctionBeginUser;
  for (PetscInt vector = 0; vector < 3; vector++) {
    PetscInt nshift = 0;

    PetscCall(CreateKSP(A0, type, &ksp));
    PetscCall(KSPGetPC(ksp, &pc));
    /* The preconditioner knows A0 and the shift alone; the matrix to solve with changes */
    for (PetscReal t : {1e-3, 1.0, 30.0, 1e3, 0.1, 0.0}) {
      Vec d;

      PetscCall(MatDuplicate(A0, MAT_COPY_VALUES, &A));
      PetscCall(Growth(A, t, 1.0, &d));
      if (vector != 1) {
        PetscCall(PCHSCSetShift(pc, t));
        PetscCall(MatShift(A, sign * t));
      }
      if (vector != 0) {
        PetscCall(PCHSCSetDiagonalShift(pc, t == 0.0 ? NULL : d));
        PetscCall(VecScale(d, sign));
        PetscCall(MatDiagonalSet(A, d, ADD_VALUES));
      }
      PetscCall(KSPSetOperators(ksp, A, A0));
      PetscCall(Compare(vector == 0 ? "shift" : vector == 1 ? "diagonal shift" : "both", t, ksp, type));
      nshift++;
      PetscCall(Expect("functions", ksp, 1, nshift));
      PetscCall(VecDestroy(&d));
      PetscCall(MatDestroy(&A));
    }
    PetscCall(KSPDestroy(&ksp));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The diagonal grows in the matrix itself, or in a new one */
static PetscErrorCode Detect(Mat A0, PetscReal sign, KSPType type, PetscBool anew)
{
  KSP             ksp;
  Mat             A;
  Vec             d;
  PetscInt        nshift = 0, nbuilt = 1;
  const PetscReal t[] = {0.01, 1.0, 0.5, 100.0, 1e4, 0.0};

  PetscFunctionBeginUser;
  PetscCall(MatDuplicate(A0, MAT_COPY_VALUES, &A));
  PetscCall(CreateKSP(A, type, &ksp));
  PetscCall(Compare("detected", 0.0, ksp, type));
  PetscCall(Expect("detected", ksp, nbuilt, nshift));
  for (PetscReal s : t) {
    if (anew) {
      PetscCall(MatDestroy(&A));
      PetscCall(MatDuplicate(A0, MAT_COPY_VALUES, &A));
    } else
      PetscCall(MatCopy(A0, A, SAME_NONZERO_PATTERN));
    PetscCall(Growth(A, s, sign, &d));
    PetscCall(MatDiagonalSet(A, d, ADD_VALUES));
    PetscCall(VecDestroy(&d));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(Compare("detected", s, ksp, type));
    PetscCall(Expect("detected", ksp, nbuilt, ++nshift));
  }
  /* Below where it was when the hierarchy was built */
  PetscCall(MatCopy(A0, A, SAME_NONZERO_PATTERN));
  PetscCall(MatShift(A, sign));
  PetscCall(MatScale(A, 2.0));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(Compare("twice the matrix", 2.0, ksp, type));
  PetscCall(Expect("twice the matrix", ksp, ++nbuilt, nshift));
  PetscCall(MatShift(A, -sign));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(Compare("less than before", 2.0, ksp, type));
  PetscCall(Expect("less than before", ksp, ++nbuilt, nshift));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Reuse(Mat A0, PetscReal sign, KSPType type)
{
  const PCHSCReuse kind[] = {PCHSC_REUSE_NONE, PCHSC_REUSE_SHIFT, PCHSC_REUSE_ALL};

  PetscFunctionBeginUser;
  for (PetscInt keep = 0; keep < 4; keep++) {
    KSP ksp;
    PC  pc;
    Mat A;

    PetscCall(MatDuplicate(A0, MAT_COPY_VALUES, &A));
    PetscCall(CreateKSP(A, type, &ksp));
    PetscCall(KSPGetPC(ksp, &pc));
    if (keep < 3) PetscCall(PCHSCSetReuse(pc, kind[keep]));
    PetscCall(KSPSetUp(ksp));
    if (keep == 3) PetscCall(KSPSetReusePreconditioner(ksp, PETSC_TRUE));
    PetscCall(MatShift(A, sign));
    PetscCall(KSPSetOperators(ksp, A, A));
    if (keep < 3)
      PetscCall(Compare("reuse", (PetscReal)keep, ksp, type));
    else
      PetscCall(KSPSetUp(ksp));
    PetscCall(Expect("after a shift", ksp, keep == 0 ? 2 : 1, keep == 1 || keep == 2));
    PetscCall(MatScale(A, 2.0));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(KSPSetUp(ksp));
    PetscCall(Expect("after another change", ksp, keep == 0 ? 3 : keep == 1 ? 2 : 1, keep == 2 ? 2 : keep == 1 ? 1 : 0));
    if (keep == 3) {
      PetscCall(KSPSetReusePreconditioner(ksp, PETSC_FALSE));
      PetscCall(KSPSetOperators(ksp, A, A));
      PetscCall(Compare("not kept any more", 0.0, ksp, type));
      PetscCall(Expect("not kept any more", ksp, 2, 0));
    }
    PetscCall(KSPDestroy(&ksp));
    PetscCall(MatDestroy(&A));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Matrices that look alike: as many entries, the same values in the same order, diagonals that do not fall */
static PetscErrorCode Changes(KSPType type)
{
  const PetscInt n   = 300;
  KSP            ksp = NULL;

  PetscFunctionBeginUser;
  for (PetscInt k = 0; k < 2; k++) {
    Mat A;

    PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, n, n, 3, NULL, &A));
    for (PetscInt i = 0; i < n; i++) {
      /* A ring, and another one that leaps */
      const PetscInt leap = k ? 7 : 1, next = (i + leap) % n, last = (i + n - leap) % n;

      PetscCall(MatSetValue(A, i, i, 2.01, INSERT_VALUES));
      PetscCall(MatSetValue(A, i, next, -1.0, INSERT_VALUES));
      PetscCall(MatSetValue(A, i, last, -1.0, INSERT_VALUES));
    }
    PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
    if (!ksp) PetscCall(CreateKSP(A, type, &ksp));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(Compare("another graph", (PetscReal)k, ksp, type));
    PetscCall(Expect("another graph", ksp, k + 1, 0));
    PetscCall(MatDestroy(&A));
  }
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A set-up that fails leaves nothing behind that a later one takes for its own */
static PetscErrorCode Failures(Mat A0, KSPType type)
{
  KSP            ksp;
  Mat            A;
  Vec            d;
  PC             pc;
  PetscErrorCode code;

  PetscFunctionBeginUser;
  PetscCall(MatDuplicate(A0, MAT_COPY_VALUES, &A));
  PetscCall(CreateKSP(A, type, &ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(KSPSetUp(ksp));
  /* Other weights, and one diagonal entry of the wrong sign */
  PetscCall(MatCreateVecs(A, &d, NULL));
  PetscCall(VecSet(d, 1.0));
  PetscCall(VecSetValue(d, 3, 1e-3, INSERT_VALUES));
  PetscCall(VecAssemblyBegin(d));
  PetscCall(VecAssemblyEnd(d));
  PetscCall(MatDiagonalScale(A, d, d));
  PetscCall(MatShift(A, 1.0));
  PetscCall(MatSetValue(A, 5, 5, -9.0, INSERT_VALUES));
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
  PetscCall(KSPSetOperators(ksp, A, A));
  code = KSPSetUp(ksp);
  PetscCall(PetscPopErrorHandler());
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s\n", code == PETSC_ERR_ARG_WRONG ? "refused" : "not refused"));
  PetscCall(MatSetValue(A, 5, 5, 9.0, INSERT_VALUES));
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(Compare("after a failure", 0.0, ksp, type));
  PetscCall(Expect("after a failure", ksp, 2, 0));
  PetscCall(VecDestroy(&d));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Laplacian   laplacian;
  Mat         A;
  char        test[32] = "functions";
  std::string name;
  PetscReal   sign;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-test", test, sizeof(test), NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-show", &show, NULL));
  name = test;
  PetscCall(laplacian.Make(NULL));
  PetscCall(laplacian.Assemble(&A));
  sign = laplacian.factor < 0.0 ? -1.0 : 1.0;
  for (const char *type : {KSPFCG, KSPCG}) {
    if (name == "functions") PetscCall(Functions(A, sign, type));
    if (name == "detect") PetscCall(Detect(A, sign, type, PETSC_FALSE));
    if (name == "detect") PetscCall(Detect(A, sign, type, PETSC_TRUE));
    if (name == "reuse") PetscCall(Reuse(A, sign, type));
    if (name == "changes") PetscCall(Changes(type));
    if (name == "failures") PetscCall(Failures(A, type));
  }
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "done\n"));
  PetscCall(MatDestroy(&A));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex petlap

  testset:
    output_file: output/ex1_1.out
    args: -malloc_dump -n 61,60
    test:
      suffix: functions
      args: -test functions -kind {{grid mesh}} -negative {{0 1}} -pc_hsc_precision {{single double}}
    test:
      suffix: detect
      args: -test detect -kind {{grid mesh}} -negative {{0 1}}
    test:
      suffix: weights
      args: -test {{functions detect}} -weights span -boundary neumann -isolated 3 -alone 3
    test:
      suffix: reuse
      args: -test reuse -negative {{0 1}}
    test:
      suffix: changes
      args: -test changes -pc_hsc_direct_size 20

  test:
    suffix: failures
    args: -test failures -n 40,40

TEST*/
