static char help[] = "Solves a Laplacian on a DMDA; the solution is known.\n\n\
  -dim <2>        2 or 3\n\
  -size <20>      points along each axis, made different along each\n\
  -neumann        singular system with the constants as null space\n\
  -negative       solves with -A\n\
  -phase          complex scalars: couplings exp(i phi), a Hermitian matrix\n\
  -guess          starts from a nonzero guess\n\
  -nsolve <1>     solves as often, with a right-hand side of its own each time\n\n";

#include <petscdmda.h>
#include <petscksp.h>

/* Row of the Laplacian with Dirichlet values outside, or Neumann conditions */
static PetscErrorCode Fill(DM da, Mat A, PetscBool neumann, PetscScalar sign, PetscBool phase)
{
  DMDALocalInfo info;
  PetscScalar   forward = 1.0;

  PetscFunctionBeginUser;
#if defined(PETSC_USE_COMPLEX)
  if (phase) forward = PetscExpComplex(PETSC_i * 0.7);
#else
  PetscCheck(!phase, PETSC_COMM_WORLD, PETSC_ERR_USER_INPUT, "-phase needs complex scalars");
#endif
  PetscCall(DMDAGetLocalInfo(da, &info));
  for (PetscInt k = info.zs; k < info.zs + info.zm; k++) {
    for (PetscInt j = info.ys; j < info.ys + info.ym; j++) {
      for (PetscInt i = info.xs; i < info.xs + info.xm; i++) {
        const PetscInt p[3] = {i, j, k}, n[3] = {info.mx, info.my, info.mz};
        MatStencil     row = {}, column[7];
        PetscScalar    v[7];
        PetscInt       entries = 1;

        row.i = i;
        row.j = j;
        row.k = k;
        v[0]  = 0.0;
        for (PetscInt d = 0; d < info.dim; d++) {
          for (PetscInt s = -1; s <= 1; s += 2) {
            PetscBool inside = (PetscBool)(p[d] + s >= 0 && p[d] + s < n[d]);

            if (inside) {
              column[entries] = row;
              (d == 0 ? column[entries].i : d == 1 ? column[entries].j : column[entries].k) += s;
              v[entries++] = -sign * (s > 0 ? forward : PetscConj(forward));
            }
            if (inside || !neumann) v[0] += sign;
          }
        }
        column[0] = row;
        PetscCall(MatSetValuesStencil(A, 1, &row, entries, column, v, INSERT_VALUES));
      }
    }
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  DM                 da;
  Mat                A;
  Vec                x, b, u;
  KSP                ksp;
  PC                 pc;
  KSPConvergedReason reason;
  MatNullSpace       nullspace = nullptr;
  PetscRandom        random;
  PetscInt           dim = 2, size = 20, nsolve = 1, its;
  PetscReal          error, norm;
  PetscBool          neumann = PETSC_FALSE, negative = PETSC_FALSE, guess = PETSC_FALSE, phase = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-dim", &dim, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-size", &size, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-nsolve", &nsolve, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-neumann", &neumann, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-negative", &negative, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-guess", &guess, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-phase", &phase, nullptr));
  PetscCall(DMDACreate(PETSC_COMM_WORLD, &da));
  PetscCall(DMSetDimension(da, dim));
  PetscCall(DMDASetSizes(da, size, size + 3, dim > 2 ? size + 5 : 1));
  PetscCall(DMDASetDof(da, 1));
  PetscCall(DMDASetStencilWidth(da, 1));
  PetscCall(DMSetFromOptions(da));
  PetscCall(DMSetUp(da));
  PetscCall(DMCreateMatrix(da, &A));
  PetscCall(Fill(da, A, neumann, negative ? -1.0 : 1.0, phase));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecDuplicate(x, &u));
  if (neumann) {
    PetscCall(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_TRUE, 0, nullptr, &nullspace));
    PetscCall(MatSetNullSpace(A, nullspace));
  }
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetDM(pc, da));
  PetscCall(KSPSetTolerances(ksp, 1e-9, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPSetInitialGuessNonzero(ksp, guess));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(PetscRandomCreate(PETSC_COMM_WORLD, &random));
  for (PetscInt s = 0; s < nsolve; s++) {
    PetscCall(VecSetRandom(u, random));
    if (nullspace) PetscCall(MatNullSpaceRemove(nullspace, u));
    PetscCall(MatMult(A, u, b));
    PetscCall(VecSet(x, 1.0));
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCall(KSPGetIterationNumber(ksp, &its));
    if (nullspace) PetscCall(MatNullSpaceRemove(nullspace, x));
    PetscCall(VecNorm(u, NORM_2, &norm));
    PetscCall(VecAXPY(x, -1.0, u));
    PetscCall(VecNorm(x, NORM_2, &error));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s iterations %" PetscInt_FMT " error %s\n", KSPConvergedReasons[reason], its, error < 1e-6 * norm ? "< 1e-6" : "TOO LARGE"));
  }
  PetscCall(PetscRandomDestroy(&random));
  PetscCall(MatNullSpaceDestroy(&nullspace));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&u));
  PetscCall(MatDestroy(&A));
  PetscCall(DMDestroy(&da));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    nsize: {{1 2 4}separate output}
    args: -ksp_type psdo -pc_type jacobi
    test:
      suffix: mmax
      args: -ksp_psdo_mmax {{0 1 2 30}separate output} -size 8 -ksp_max_it 2000
    test:
      suffix: 3d
      args: -dim 3 -size 7
    test:
      suffix: neumann
      args: -neumann
    test:
      suffix: negative
      args: -negative
    test:
      suffix: guess
      args: -guess -nsolve 3
    test:
      suffix: norm
      args: -ksp_norm_type {{unpreconditioned preconditioned natural}separate output} -pc_type bjacobi -sub_pc_type ilu

  testset:
    nsize: {{1 2}separate output}
    args: -ksp_type psdo -pc_type jacobi -phase
    requires: complex
    test:
      suffix: hermitian
      args: -ksp_psdo_mmax {{0 1 8}separate output} -size 8 -ksp_max_it 2000

  test:
    suffix: view
    args: -ksp_type psdo -pc_type icc -ksp_psdo_mmax 7 -ksp_psdo_residual_replacement 5 -ksp_view -ksp_monitor_short -ksp_rtol 1e-6
    filter: grep -A 9 -E "psdo|KSP Residual|iterations" | grep -v -E "tolerance|happy"
    requires: !complex

  test:
    suffix: norm_none
    args: -ksp_type psdo -pc_type icc -ksp_norm_type none -ksp_max_it 50
    requires: !complex

  test:
    suffix: maxit
    args: -ksp_type psdo -pc_type jacobi -ksp_max_it {{0 3}separate output}

  test:
    suffix: smoother
    nsize: {{1 2}separate output}
    args: -da_refine 1 -size 17 -ksp_type fgmres -pc_type mg -pc_mg_levels 2 -pc_mg_galerkin both -mg_levels_ksp_type psdo -mg_levels_pc_type jacobi -mg_levels_ksp_max_it 2 -mg_coarse_ksp_type preonly -mg_coarse_pc_type redundant

  test:
    suffix: variable
    nsize: {{1 2}separate output}
    args: -ksp_type psdo -ksp_psdo_mmax 4 -pc_type ksp -ksp_ksp_type gmres -ksp_pc_type jacobi -ksp_ksp_rtol 1e-2

  test:
    suffix: help
    args: -ksp_type psdo -pc_type none -help
    filter: grep -E "psdo|PSDO"

TEST*/
