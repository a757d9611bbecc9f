static char help[] = "Solves a Laplacian on a DMDA; the solution is known.\n\n\
  -dim <2>        2 or 3\n\
  -size <20>      points along each axis, made different along each\n\
  -neumann        singular system with the constants as null space\n\
  -negative       solves with -A\n\
  -phase          complex scalars: couplings exp(i phi), a Hermitian matrix\n\
  -guess          starts from a nonzero guess\n\
  -nsolve <1>     solves as often, with a right-hand side of its own each time\n\
  -expect <-1>    the number of iterations that is expected, give or take 5 %; printed when it differs\n\n";

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

/* Values that depend on the point of the grid alone, with high and low frequencies */
static PetscErrorCode Wave(DM da, PetscReal frequency, Vec u)
{
  Vec      natural;
  PetscInt start, end;

  PetscFunctionBeginUser;
  PetscCall(DMDACreateNaturalVector(da, &natural));
  PetscCall(VecGetOwnershipRange(natural, &start, &end));
  for (PetscInt i = start; i < end; i++) PetscCall(VecSetValue(natural, i, PetscSinReal(0.01 * frequency * (PetscReal)i) + PetscCosReal((PetscReal)(i * i % 1013)), INSERT_VALUES));
  PetscCall(VecAssemblyBegin(natural));
  PetscCall(VecAssemblyEnd(natural));
  PetscCall(DMDANaturalToGlobalBegin(da, natural, INSERT_VALUES, u));
  PetscCall(DMDANaturalToGlobalEnd(da, natural, INSERT_VALUES, u));
  PetscCall(VecDestroy(&natural));
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
  PetscInt           dim = 2, size = 20, nsolve = 1, expect = -1, its;
  PetscReal          error, norm;
  PetscBool          neumann = PETSC_FALSE, negative = PETSC_FALSE, guess = PETSC_FALSE, phase = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-dim", &dim, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-size", &size, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-expect", &expect, nullptr));
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
  for (PetscInt s = 0; s < nsolve; s++) {
    PetscCall(Wave(da, 1.0 + (PetscReal)s, u));
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
    if (PetscAbsInt(its - expect) <= PetscMax(2, expect / 20))
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s iterations as expected", KSPConvergedReasons[reason]));
    else
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s iterations %" PetscInt_FMT " expected %" PetscInt_FMT, KSPConvergedReasons[reason], its, expect));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, " error %s\n", error < 1e-6 * norm ? "< 1e-6" : "> 1e-6"));
  }
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
    nsize: {{1 2 4}}
    args: -ksp_type psdo -pc_type jacobi
    output_file: output/ex1_1.out
    test:
      suffix: mmax_0
      args: -ksp_psdo_mmax 0 -size 8 -expect 360
    test:
      suffix: mmax
      args: -ksp_psdo_mmax {{1 2 30}} -size 8 -expect 38
    test:
      suffix: 3d
      args: -dim 3 -size 7 -expect 48
    test:
      suffix: neumann
      args: -neumann -expect 111
    test:
      suffix: negative
      args: -negative -expect 82
    test:
      suffix: preconditioned
      args: -ksp_norm_type preconditioned -expect 82
    test:
      suffix: natural
      args: -ksp_norm_type natural -expect 82

  testset:
    nsize: {{1 2 4}}
    args: -ksp_type psdo
    output_file: output/ex1_2.out
    test:
      suffix: guess
      args: -pc_type jacobi -guess -nsolve 3 -expect 82

  testset:
    nsize: {{1 2}}
    args: -ksp_type psdo -pc_type jacobi -phase
    requires: complex
    output_file: output/ex1_1.out
    test:
      suffix: hermitian
      args: -ksp_psdo_mmax {{1 8}} -size 8 -expect 38
    test:
      suffix: hermitian_0
      args: -ksp_psdo_mmax 0 -size 8 -expect 305

  test:
    suffix: view
    args: -ksp_type psdo -pc_type icc -ksp_psdo_mmax 7 -ksp_psdo_residual_replacement 5 -ksp_view -ksp_rtol 1e-6
    filter: grep -A 2 -E "psdo"
    requires: !complex

  test:
    suffix: norm_none
    args: -ksp_type psdo -pc_type icc -ksp_norm_type none -ksp_max_it 50 -expect 50
    requires: !complex

  test:
    suffix: maxit
    args: -ksp_type psdo -pc_type jacobi -ksp_max_it {{0 1}} -expect 1

  test:
    suffix: smoother
    nsize: {{1 2}}
    args: -da_refine 1 -size 17 -ksp_type fgmres -pc_type mg -pc_mg_levels 2 -pc_mg_galerkin both -mg_levels_ksp_type psdo -mg_levels_pc_type jacobi -mg_levels_ksp_max_it 2 -mg_coarse_ksp_type preonly -mg_coarse_pc_type redundant -expect 6
    output_file: output/ex1_1.out

  test:
    suffix: variable
    nsize: {{1 2}}
    args: -ksp_type psdo -ksp_psdo_mmax 4 -pc_type ksp -ksp_ksp_type gmres -ksp_pc_type jacobi -ksp_ksp_rtol 1e-2 -expect 5
    output_file: output/ex1_1.out

  test:
    suffix: help
    args: -ksp_type psdo -pc_type none -help -expect 90
    filter: grep -E "^ *-ksp_psdo|PSDO options" | sed -e "s/mmax:/mmax/" -e "s/replacement:/replacement/"

TEST*/
