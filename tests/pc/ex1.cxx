static char help[] = "Solves Laplacians with hsc; the solution is known. Options for the matrix are those of laplacians.h.\n\
  -da                  a 5-point matrix on a DMDA of size -n\n\
  -coordinates         calls PCSetCoordinates() with the points of a grid\n\
  -nullspace           attaches the constants\n\
  -type T              converts the matrix\n\
  -graded              the solution is divided by the diagonal and the error multiplied by it, for matrices whose scale varies\n\
  -below n             bound for the iterations\n\
  -kappa_below, -kappa_above: bounds for the condition number by KSPComputeExtremeSingularValues()\n\
  -methods, -boundaries, -sizes: lists of Krylov methods, boundaries and side lengths\n\
  -tolerance <1e-5>    for the error, relative to the solution\n\
  -show                prints the numbers\n\n";

#include "laplacians.h"
#include <petscdmda.h>
#include <petscksp.h>

static PetscErrorCode FillGrid(DM da, Mat A)
{
  DMDALocalInfo info;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetLocalInfo(da, &info));
  for (PetscInt j = info.ys; j < info.ys + info.ym; j++) {
    for (PetscInt i = info.xs; i < info.xs + info.xm; i++) {
      MatStencil  row = {}, column[5];
      PetscScalar v[5];
      PetscInt    m = 0;

      row.i = i;
      row.j = j;
      for (PetscInt k = 0; k < 4; k++) {
        const PetscInt x = i + (k == 0) - (k == 1), y = j + (k == 2) - (k == 3);

        if (x < 0 || y < 0 || x >= info.mx || y >= info.my) continue;
        column[m]   = row;
        column[m].i = x;
        column[m].j = y;
        v[m++]      = -1.0;
      }
      column[m] = row;
      v[m++]    = 4.0;
      PetscCall(MatSetValuesStencil(A, 1, &row, m, column, v, INSERT_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Solves with one method and says whether all was as expected */
static PetscErrorCode Solve(const Laplacian *laplacian, Mat A, DM da, Vec b, Vec u, Vec d, const char method[], PetscInt nx, PetscInt ny)
{
  KSP                ksp;
  PC                 pc;
  Vec                x, v;
  KSPConvergedReason reason;
  PetscInt           below = 10, its;
  PetscReal          error, norm, kappabelow = 0.0, kappaabove = 0.0, tolerance = 1e-5;
  PetscBool          coordinates = PETSC_FALSE, show = PETSC_FALSE, graded = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-coordinates", &coordinates, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-show", &show, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-graded", &graded, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-below", &below, NULL));
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-kappa_below", &kappabelow, NULL));
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-kappa_above", &kappaabove, NULL));
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-tolerance", &tolerance, NULL));
  PetscCall(VecDuplicate(u, &x));
  PetscCall(VecDuplicate(u, &v));
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)A), &ksp));
  PetscCall(KSPSetType(ksp, method));
  if (!strcmp(method, KSPFCG)) PetscCall(KSPFCGSetMmax(ksp, 1));
  if (!strcmp(method, KSPGMRES)) PetscCall(KSPSetPCSide(ksp, PC_RIGHT));
  PetscCall(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetTolerances(ksp, 1e-9, 1e-300, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, "hsc"));
  if (da) PetscCall(PCSetDM(pc, da));
  PetscCall(KSPSetOperators(ksp, A, A));
  if (kappabelow > 0.0 || kappaabove > 0.0) PetscCall(KSPSetComputeSingularValues(ksp, PETSC_TRUE));
  PetscCall(KSPSetFromOptions(ksp));
  if (coordinates) {
    std::vector<PetscReal> at;

    for (PetscInt i = 0; i < nx * ny; i++) {
      at.push_back(0.25 * (PetscReal)(i % nx) - 3.0);
      at.push_back(0.5 * (PetscReal)(i / nx));
    }
    PetscCall(PCSetCoordinates(pc, 2, nx * ny, at.data()));
  }
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(VecAXPY(x, -1.0, u));
  if (!da) PetscCall(laplacian->RemoveConstants(x));
  PetscCall(VecCopy(u, v));
  if (graded) {
    PetscCall(VecPointwiseMult(v, v, d));
    PetscCall(VecPointwiseMult(x, x, d));
  }
  PetscCall(VecNorm(v, NORM_2, &norm));
  PetscCall(VecNorm(x, NORM_2, &error));
  if (reason <= 0 || its > below || !(error <= tolerance * norm))
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %s iterations %" PetscInt_FMT " bound %" PetscInt_FMT " error %.1e\n", method, KSPConvergedReasons[reason], its, below, (double)(error / norm)));
  if (show) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: iterations %" PetscInt_FMT " error %.1e\n", method, its, (double)(error / norm)));
  if (kappabelow > 0.0 || kappaabove > 0.0) {
    PetscReal high, low;

    PetscCall(KSPComputeExtremeSingularValues(ksp, &high, &low));
    if (kappabelow > 0.0 && !(high / low < kappabelow)) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "condition number %.3g, expected below %.3g\n", (double)(high / low), (double)kappabelow));
    if (kappaabove > 0.0 && !(high / low > kappaabove)) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "condition number %.3g, expected above %.3g\n", (double)(high / low), (double)kappaabove));
    if (show) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "condition number %.3g\n", (double)(high / low)));
  }
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&v));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Run(PetscInt nx, PetscInt ny)
{
  Laplacian    laplacian;
  Mat          A;
  DM           da = NULL;
  Vec          b, u, d;
  MatNullSpace nullspace = NULL;
  PetscInt     start, end, nmethod = 8;
  PetscBool    useda = PETSC_FALSE, constants = PETSC_FALSE, graded = PETSC_FALSE, has;
  char         type[64] = "", *method[8];

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-da", &useda, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-nullspace", &constants, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-graded", &graded, NULL));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-type", type, sizeof(type), &has));
  if (useda) {
    PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, nx, ny, PETSC_DECIDE, PETSC_DECIDE, 1, 1, NULL, NULL, &da));
    PetscCall(DMSetFromOptions(da));
    PetscCall(DMSetUp(da));
    PetscCall(DMCreateMatrix(da, &A));
    PetscCall(FillGrid(da, A));
  } else {
    PetscCall(laplacian.Make(NULL));
    PetscCall(laplacian.Assemble(&A));
    PetscCall(MatSetOption(A, MAT_SYMMETRIC, (PetscBool)!laplacian.keepcolumns));
  }
  if (has) PetscCall(MatConvert(A, type, MAT_INPLACE_MATRIX, &A));
  PetscCall(MatCreateVecs(A, &u, &b));
  if (constants) {
    PetscCall(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_TRUE, 0, NULL, &nullspace));
    PetscCall(MatSetNullSpace(A, nullspace));
  }
  PetscCall(VecGetOwnershipRange(u, &start, &end));
  for (PetscInt i = start; i < end; i++) PetscCall(VecSetValue(u, i, PetscSinReal(0.01 * (PetscReal)i) + PetscCosReal((PetscReal)(i % 1013 * (i % 1013) % 1013)), INSERT_VALUES));
  PetscCall(VecAssemblyBegin(u));
  PetscCall(VecAssemblyEnd(u));
  /* Errors are weighed by the diagonal, so that every component of the matrix counts */
  PetscCall(VecDuplicate(u, &d));
  PetscCall(MatGetDiagonal(A, d));
  if (graded) PetscCall(VecPointwiseDivide(u, u, d));
  PetscCall(MatMult(A, u, b));
  PetscCall(PetscOptionsGetStringArray(NULL, NULL, "-methods", method, &nmethod, &has));
  if (!has) {
    nmethod = 1;
    PetscCall(PetscStrallocpy(KSPFCG, &method[0]));
  }
  for (PetscInt m = 0; m < nmethod; m++) {
    PetscCall(Solve(&laplacian, A, da, b, u, d, method[m], nx, ny));
    PetscCall(PetscFree(method[m]));
  }
  PetscCall(MatNullSpaceDestroy(&nullspace));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&u));
  PetscCall(VecDestroy(&d));
  PetscCall(MatDestroy(&A));
  PetscCall(DMDestroy(&da));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  PetscInt  size[3] = {20, 20, 1}, nsize = 3, sizes[8], nsizes = 8, nboundaries = 4;
  PetscBool has, hasb, da;
  char     *boundary[4];

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetIntArray(NULL, NULL, "-n", size, &nsize, NULL));
  PetscCall(PetscOptionsGetIntArray(NULL, NULL, "-sizes", sizes, &nsizes, &has));
  PetscCall(PetscOptionsGetStringArray(NULL, NULL, "-boundaries", boundary, &nboundaries, &hasb));
  PetscCall(PetscOptionsHasName(NULL, NULL, "-da", &da));
  if (!hasb) nboundaries = 1;
  for (PetscInt k = 0; k < nboundaries; k++) {
    if (hasb) {
      PetscCall(PetscOptionsSetValue(NULL, "-boundary", boundary[k]));
      PetscCall(PetscFree(boundary[k]));
    }
    if (!has) PetscCall(Run(size[0], size[1]));
    for (PetscInt s = 0; has && s < nsizes; s++) {
      char text[64];

      PetscCall(PetscSNPrintf(text, sizeof(text), "%" PetscInt_FMT ",%" PetscInt_FMT, sizes[s], sizes[s]));
      if (!da) PetscCall(PetscOptionsSetValue(NULL, "-n", text));
      PetscCall(Run(sizes[s], sizes[s]));
    }
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "done\n"));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex

  testset:
    output_file: output/ex1_1.out
    args: -malloc_dump -boundaries dirichlet,neumann
    test:
      suffix: grid
      args: -n {{60,60 97,41}} -methods fcg,psdo,cg,gmres,fgmres,bcgs,richardson -below 13
    test:
      suffix: kinds
      args: -kind {{nine mesh}} -n 60,60 -methods fcg,psdo,cg -below 17
    test:
      suffix: space
      args: -kind space -n 15,16,17 -methods fcg,psdo,cg -below 12
    test:
      suffix: graphs
      args: -kind {{path star hub}} -n 2500 -methods fcg,cg -below 5
    test:
      suffix: graphs_far
      args: -kind {{random tree}} -n 2500 -methods fcg,cg -below 28
    test:
      suffix: complete
      args: -kind complete -n 400 -pc_hsc_cycle {{v w}} -below 6
    # eliminated one by one, so that repeated visits of every level would never end
    test:
      suffix: slow_levels
      args: -kind complete -n 200 -pc_hsc_theta_finest 0 -pc_hsc_theta 0 -pc_hsc_direct_size 10 -pc_hsc_cycle {{v w}} -below 6
    # whose elimination would leave a dense matrix
    test:
      suffix: large_hub
      args: -kind hub -n 20000 -pc_hsc_coloring {{greedy paper}} -below 6
    test:
      suffix: components
      args: -components {{2 40}} -n 12,25 -kind {{grid mesh}} -isolated 5 -alone 5 -methods fcg,cg -below 16
    test:
      suffix: data
      args: -n 70,71 -data {{1 1000 4000}} -methods fcg,cg -below 12
    test:
      suffix: identity
      args: -n 60,60 -identity {{rows columns}} -zeros {{0 1}} -methods gmres,fgmres,psdo -below 12
    test:
      suffix: identity_cg
      args: -n 60,60 -identity rows -methods cg,fcg -below 9
    test:
      suffix: negative
      args: -n 60,60 -negative -methods fcg,psdo,cg,gmres -below 11
    test:
      suffix: weights
      args: -n 70,50 -kind {{grid mesh}} -weights {{jump span}} -methods fcg,cg -below 20
    test:
      suffix: small
      args: -kind path -n {{0 1 2 3}} -methods fcg,cg -below 3
    test:
      suffix: shuffle
      args: -n 70,71 -shuffle -pc_hsc_reorder {{auto none bfs}} -below 11

  testset:
    output_file: output/ex1_1.out
    args: -malloc_dump
    test:
      suffix: nullspace
      args: -nullspace -n 50,60 -kind {{grid mesh}} -boundary neumann -methods fcg,psdo,cg,gmres -below 18
    test:
      suffix: scale
      args: -n 50,50 -graded -factor {{1e-290 1e-200 1e200 -1e200}} -methods fcg,cg -below 11
    test:
      suffix: graded
      args: -n 30,30 -graded -components 5 -weights graded -span_log {{29 40 200}} -alone 3 -methods fcg,cg -below 11
    # positive definite without diagonal dominance: far from what the method is made for
    test:
      suffix: scaled
      args: -n 40,40 -scaled -methods fcg,cg -below 90
    test:
      suffix: type
      args: -n 41,42 -type {{seqaij mpiaij seqsbaij mpisbaij seqbaij seqaijperm seqsell seqaijcrl}} -pc_hsc_direct_size 100 -below 11
    test:
      suffix: type_dense
      args: -n 9,10 -type seqdense -below 3
    test:
      suffix: direct
      args: -n 17,18 -pc_hsc_direct_size {{1 10 400}} -below 11
    test:
      suffix: smoother
      args: -n 60,60 -methods fcg,cg -pc_hsc_smoother {{gs jacobi}} -pc_hsc_cycle {{v w}} -pc_hsc_precision {{single double}} -below 12
    test:
      suffix: coloring
      args: -kind {{grid mesh}} -n 60,60 -pc_hsc_coloring {{greedy paper}} -pc_hsc_dmin {{0 3}} -below 24
    test:
      suffix: da
      args: -da -n 61,62 -pc_hsc_geometry {{0 1}} -methods fcg,cg -below 10
    test:
      suffix: coordinates
      args: -coordinates -n 61,62 -pc_hsc_geometry -weights {{one span}} -boundaries dirichlet,neumann -below 12
    test:
      suffix: composed
      nsize: {{1 2 4}}
      args: -da -n 61,62 -pc_type {{bjacobi asm}} -sub_pc_type hsc -sub_ksp_type preonly -methods fcg,cg -below 90
    # every second unknown is a field, so that the fields are columns of the grid
    test:
      suffix: fieldsplit
      args: -n 40,40 -methods fcg,gmres -pc_type fieldsplit -pc_fieldsplit_block_size 2 -pc_fieldsplit_type symmetric_multiplicative -fieldsplit_0_pc_type hsc -fieldsplit_1_pc_type hsc -fieldsplit_0_ksp_type preonly -fieldsplit_1_ksp_type preonly -below 75
    test:
      suffix: redundant
      nsize: 2
      args: -da -n 31,32 -pc_type redundant -redundant_pc_type hsc -redundant_ksp_type preonly -below 10
    test:
      suffix: coarse
      nsize: {{1 2}}
      args: -da -n 65,65 -pc_type mg -pc_mg_levels 2 -pc_mg_galerkin both -mg_levels_pc_type jacobi -mg_coarse_ksp_type preonly -mg_coarse_pc_type bjacobi -mg_coarse_sub_ksp_type preonly -mg_coarse_sub_pc_type hsc -below 40
    test:
      suffix: coarse_alone
      args: -da -n 65,65 -pc_type mg -pc_mg_levels 2 -pc_mg_galerkin both -mg_levels_pc_type jacobi -mg_coarse_ksp_type preonly -mg_coarse_pc_type hsc -methods cg,fcg -below 14

  # The condition number stays where it is while the grid grows
  testset:
    output_file: output/ex1_1.out
    args: -ksp_rtol 1e-12 -methods cg -pc_hsc_symmetric yes -kappa_below 1.5 -below 10
    test:
      suffix: kappa
      args: -sizes 32,64,128,256,512 -boundaries dirichlet,neumann
    test:
      suffix: kappa_da
      args: -da -pc_hsc_geometry -sizes 32,64,128,256,512
    test:
      suffix: kappa_coordinates
      args: -coordinates -pc_hsc_geometry -boundary neumann -sizes 32,64,128,256

  # and does not without compensation
  testset:
    output_file: output/ex1_1.out
    args: -ksp_rtol 1e-12 -methods cg -pc_hsc_symmetric yes -pc_hsc_compensate 0 -below 1000
    test:
      suffix: kappa_32
      args: -n 32,32 -kappa_above 1.2 -kappa_below 2.5
    test:
      suffix: kappa_128
      args: -n 128,128 -kappa_above 2.5 -kappa_below 12
    test:
      suffix: kappa_512
      args: -n 512,512 -kappa_above 5
    test:
      suffix: kappa_256_da
      args: -da -pc_hsc_geometry -n 256,256 -kappa_above 4

  # Finite elements on stretched cells have positive entries off the diagonal
  testset:
    output_file: output/ex1_1.out
    args: -kind q1 -n 50,50 -boundaries dirichlet,neumann -malloc_dump
    test:
      suffix: positive
      args: -eps 0.1 -pc_hsc_positive {{compensate drop}} -methods fcg,cg -below 60
    test:
      suffix: positive_lump
      args: -eps 0.1 -pc_hsc_positive lump -methods cg -below 400
    test:
      suffix: positive_none
      args: -eps 0.8 -pc_hsc_positive error -below 14
    test:
      suffix: positive_many
      args: -eps 0.01 -methods cg -below 160 -tolerance 1e-4

TEST*/
