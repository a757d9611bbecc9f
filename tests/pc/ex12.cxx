static char help[] = "hsc in many Krylov methods: each must end with a true residual as small as the preconditioner leaves it when all of it is in double precision.\n\
The methods differ in what they take for granted: most of them that the preconditioner is a linear operator, to the rounding of the vectors.\n\
  -rtol r: of all methods; the matrix as in laplacians.h\n\n";

#include <petlap.h>
#include "laplacians.h"

struct Method {
  const char *name, *options;
};

static const Method methods[] = {
  {"gmres", ""},
  {"gmres", "-ksp_pc_side right"},
  {"gmres", "-ksp_norm_type unpreconditioned"},
  {"fgmres", ""},
  {"lgmres", ""},
  {"dgmres", ""},
  {"pgmres", ""},
  {"pipefgmres", ""},
  {"gcr", ""},
  {"pipegcr", ""},
  {"cg", ""},
  {"fcg", ""},
  {"pipefcg", ""},
  {"pipecg", ""},
  {"pipecgrr", ""},
  {"pipelcg", "-ksp_pipelcg_pipel 1"},
  {"groppcg", ""},
  {"psdo", ""},
  {"cr", ""},
  {"pipecr", ""},
  {"minres", ""},
  {"symmlq", ""},
  {"bcgs", ""},
  {"bcgsl", ""},
  {"fbcgs", ""},
  {"ibcgs", ""},
  {"cgs", ""},
  {"tfqmr", ""},
  {"tcqmr", ""},
  {"richardson", ""},
  {"fgmres", "-pc_type ksp -ksp_ksp_type richardson -ksp_ksp_max_it 2 -ksp_pc_type hsc"},
  {"gmres", "-pc_type ksp -ksp_ksp_type richardson -ksp_ksp_max_it 2 -ksp_pc_type hsc"},
  {"gmres", "-pc_type composite -pc_composite_pcs hsc"},
};

/* Reason and true residual of one method */
static PetscErrorCode Solve(Mat A, Vec b, const Method &m, const char precision[], PetscReal rtol, KSPConvergedReason *reason, PetscReal *left)
{
  KSP       ksp;
  Vec       x, r;
  PetscReal size;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsClear(NULL));
  PetscCall(PetscOptionsInsertString(NULL, "-pc_type hsc"));
  PetscCall(PetscOptionsInsertString(NULL, m.options));
  PetscCall(PetscOptionsSetValue(NULL, "-pc_hsc_precision", precision));
  PetscCall(PetscOptionsSetValue(NULL, "-ksp_pc_hsc_precision", precision));
  PetscCall(PetscOptionsSetValue(NULL, "-sub_0_pc_hsc_precision", precision));
  PetscCall(VecDuplicate(b, &x));
  PetscCall(VecDuplicate(b, &r));
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)A), &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetType(ksp, m.name));
  PetscCall(KSPSetTolerances(ksp, rtol, 1e-300, PETSC_DEFAULT, 200));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, reason));
  PetscCall(MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1.0, b));
  PetscCall(VecNorm(r, NORM_2, left));
  PetscCall(VecNorm(b, NORM_2, &size));
  *left /= size;
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&r));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Rows in blocks */
static PetscErrorCode Spread(Mat S, Mat *A)
{
  PetscInt first, last, n;

  PetscFunctionBeginUser;
  PetscCall(MatGetSize(S, &n, NULL));
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, n, n, 9, NULL, 9, NULL, A));
  PetscCall(MatGetOwnershipRange(*A, &first, &last));
  for (PetscInt i = first; i < last; i++) {
    PetscInt           m;
    const PetscInt    *col;
    const PetscScalar *v;

    PetscCall(MatGetRow(S, i, &m, &col, &v));
    PetscCall(MatSetValues(*A, 1, &i, m, col, v, INSERT_VALUES));
    PetscCall(MatRestoreRow(S, i, &m, &col, &v));
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Laplacian   lap;
  Mat         S, A;
  Vec         x, b;
  PetscRandom random;
  PetscReal   rtol = 1e-10;
  int         good = 0, count = 0;

  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-rtol", &rtol, NULL));
  PetscCall(lap.Make(NULL));
  PetscCall(lap.Assemble(&S));
  PetscCall(Spread(S, &A));
  PetscCall(MatDestroy(&S));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(PetscRandomCreate(PETSC_COMM_WORLD, &random));
  PetscCall(PetscRandomSetType(random, PETSCRAND48));
  PetscCall(VecSetRandom(x, random));
  PetscCall(MatMult(A, x, b));
  for (const Method &m : methods) {
    KSPConvergedReason reason, reference;
    PetscReal          left, least;

    PetscCall(Solve(A, b, m, "single", rtol, &reason, &left));
    PetscCall(Solve(A, b, m, "double", rtol, &reference, &least));
    count++;
    if (reason > 0 && reference > 0 && left <= PetscMax(10.0 * least, 2.0 * rtol)) {
      good++;
      continue;
    }
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s %s: %s and %.1e are left, in double precision %s and %.1e\n", m.name, m.options, KSPConvergedReasons[reason], (double)left, KSPConvergedReasons[reference], (double)least));
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%d of %d methods end with the residual of double precision\n", good, count));
  PetscCall(PetscRandomDestroy(&random));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(MatDestroy(&A));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex

  testset:
    output_file: output/ex12_1.out
    nsize: {{1 2 3}}
    args: -malloc_dump
    test:
      suffix: grid
      args: -kind grid -n 40,40
    test:
      suffix: jump
      args: -kind nine -n 33,31 -weights jump
    test:
      suffix: mesh
      args: -kind mesh -n 30,30 -boundary neumann -data 50

TEST*/
