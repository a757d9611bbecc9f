static char help[] = "Solves one system of a family with the KSP and the PC of the options and prints one line for each number: seconds of the setup, of the first and\n\
of a second solve, iterations, why they ended, the true residual.\n\n";

#include "tests/bench/bench.h"
#include "tests/bench/families.h"

static PetscErrorCode Measure(const BenchFamily &family, PetscBool dm)
{
  Mat                A;
  Vec                b, x;
  KSP                ksp;
  PetscInt           its;
  PetscReal          residual;
  KSPConvergedReason reason;
  BenchSeconds       start, t;

  PetscFunctionBegin;
  PetscCall(BenchFamilyCreateMat(family, 0, dm, PETSC_TRUE, &A));
  PetscCall(BenchFamilyCreateRHS(family, A, &b));
  PetscCall(VecDuplicate(b, &x));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetTolerances(ksp, 1e-6, 1e-300, 1e10, 10000));
  PetscCall(KSPSetFromOptions(ksp));
  start = BenchNow();
  PetscCall(KSPSetUp(ksp));
  PetscCall(KSPSetUpOnBlocks(ksp));
  t = BenchSince(start);
  PetscCall(BenchPrintSeconds("setup", t));
  start = BenchNow();
  PetscCall(KSPSolve(ksp, b, x));
  t = BenchSince(start);
  PetscCall(BenchPrintSeconds("solve", t));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(BenchTrueResidual(A, b, x, &residual));
  PetscCall(BenchPrintNumber("iterations", its));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "reason %s\n", KSPConvergedReasons[reason]));
  PetscCall(BenchPrintNumber("residual", residual));
  if (reason > 0) {
    start = BenchNow();
    PetscCall(KSPSolve(ksp, b, x));
    t = BenchSince(start);
    PetscCall(BenchPrintSeconds("again", t));
  }
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  BenchFamily family;
  PetscBool   dm = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Iterative solvers", nullptr);
  PetscCall(PetscOptionsBool("-bench_dm", "The matrix carries its DMDA", "", dm, &dm, nullptr));
  PetscOptionsEnd();
  PetscCall(BenchFamilyFromOptions("lap5", &family));
  PetscCall(BenchKeepErrors());
  PetscCall(BenchPrintStatus(Measure(family, dm)));
  PetscCall(PetscFinalize());
  return 0;
}
