static char help[] = "Laplacians that were scaled from both sides, so that they are M-matrices without diagonal dominance: hsc scales them back.\n\n";

#include "petlap.h"
#include "mat/compat/petscversion.h"

/* The weights are those of a picture with an edge; the scaling is none, by the diagonal, rough or smooth */
static PetscErrorCode CreateMat(PetscInt n, const char kind[], Mat *A)
{
  PetscBool diagonal, rough, smooth;
  Vec       s;
  PetscReal value;

  PetscFunctionBeginUser;
  PetscCall(PetscStrcmp(kind, "diagonal", &diagonal));
  PetscCall(PetscStrcmp(kind, "rough", &rough));
  PetscCall(PetscStrcmp(kind, "smooth", &smooth));
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, n * n, n * n, 5, nullptr, A));
  for (PetscInt i = 0; i < n * n; i++) PetscCall(MatSetValue(*A, i, i, 1e-4, ADD_VALUES));
  for (PetscInt i = 0; i < n; i++) {
    for (PetscInt j = 0; j < n; j++) {
      for (PetscInt d = 0; d < 2; d++) {
        const PetscInt    p = i * n + j, q = d ? p + n : p + 1;
        const PetscScalar w = (i + j) % 17 == 0 ? 1e-3 : 1.0;

        if ((d ? i : j) == n - 1) continue;
        PetscCall(MatSetValue(*A, p, p, w, ADD_VALUES));
        PetscCall(MatSetValue(*A, q, q, w, ADD_VALUES));
        PetscCall(MatSetValue(*A, p, q, -w, ADD_VALUES));
        PetscCall(MatSetValue(*A, q, p, -w, ADD_VALUES));
      }
    }
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatCreateVecs(*A, &s, nullptr));
  PetscCall(VecSet(s, 1.0));
  if (diagonal) {
    PetscCall(MatGetDiagonal(*A, s));
    PetscCall(VecSqrtAbs(s));
    PetscCall(VecReciprocal(s));
  }
  for (PetscInt i = 0; i < n * n && (rough || smooth); i++) {
    value = rough ? PetscExpReal(2.0 * PetscSinReal(1e4 * PetscSinReal((PetscReal)(i + 1)))) : PetscExpReal(3.0 * PetscSinReal(20.0 * i / (n * n)));
    PetscCall(VecSetValue(s, i, value, INSERT_VALUES));
  }
  PetscCall(VecAssemblyBegin(s));
  PetscCall(VecAssemblyEnd(s));
  PetscCall(MatDiagonalScale(*A, s, s));
  PetscCall(VecDestroy(&s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  static const char *const kinds[] = {"none", "diagonal", "rough", "smooth"};
  PetscInt                 n = 100, most = 20;
  PetscReal                shift = 0.0;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-n", &n, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-most", &most, nullptr));
  PetscCall(PetscOptionsGetReal(nullptr, nullptr, "-t", &shift, nullptr));
  for (const char *kind : kinds) {
    Mat                A;
    Vec                x, b, u;
    KSP                ksp;
    PC                 pc;
    KSPConvergedReason reason;
    PetscInt           its;
    PetscReal          error, norm;

    PetscCall(CreateMat(n, kind, &A));
    PetscCall(MatCreateVecs(A, &x, &b));
    PetscCall(VecDuplicate(x, &u));
    PetscCall(VecSetRandom(u, nullptr));
    PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(KSPSetTolerances(ksp, 1e-10, PETSC_DEFAULT, PETSC_DEFAULT, 400));
    PetscCall(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
    PetscCall(KSPGetPC(ksp, &pc));
    PetscCall(PCSetType(pc, PCHSC));
    PetscCall(KSPSetFromOptions(ksp));
    if (shift > 0.0) {
      /* The matrix grows on the diagonal after the set-up */
      PetscCall(KSPSetUp(ksp));
      PetscCall(MatShift(A, shift));
      PetscCall(KSPSetOperators(ksp, A, A));
    }
    PetscCall(MatMult(A, u, b));
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCall(KSPGetIterationNumber(ksp, &its));
    PetscCall(MatMult(A, x, u));
    PetscCall(VecAXPY(u, -1.0, b));
    PetscCall(VecNorm(u, NORM_2, &error));
    PetscCall(VecNorm(b, NORM_2, &norm));
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: %s, %s %" PetscInt_FMT " iterations, residual %s 1e-9\n", kind, KSPConvergedReasons[reason], its <= most ? "at most" : "more than", most, error < 1e-9 * norm ? "below" : "above"));
    PetscCall(KSPDestroy(&ksp));
    PetscCall(VecDestroy(&x));
    PetscCall(VecDestroy(&b));
    PetscCall(VecDestroy(&u));
    PetscCall(MatDestroy(&A));
  }
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    requires: double !complex
    output_file: output/ex6_1.out
    test:
      suffix: 1
      args: -ksp_type {{fcg cg psdo}}
    test:
      suffix: double
      args: -ksp_type fcg -pc_hsc_precision double -pc_hsc_reorder bfs
    test:
      suffix: shift
      args: -ksp_type fcg -t 1e-3

  test:
    suffix: off
    requires: double !complex
    args: -ksp_type cg -pc_hsc_scaling 0

TEST*/
