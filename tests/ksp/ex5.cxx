static char help[] = "The residual that psdo reports against b - A x.\n\n\
  -size <30>        points along each axis of a Laplacian\n\
  -its <400>        iterations, without convergence test\n\
  -bound <2>        the true residual may be this many times the reported one\n\n";

#include <petscdmda.h>
#include <petscksp.h>

typedef struct {
  PetscReal worst, least, bnorm;
} Watch;

static PetscErrorCode Monitor(KSP ksp, PetscInt, PetscReal reported, void *ctx)
{
  Watch    *watch = (Watch *)ctx;
  Vec       r;
  PetscReal norm;

  PetscFunctionBeginUser;
  PetscCall(KSPBuildResidual(ksp, nullptr, nullptr, &r));
  PetscCall(VecNorm(r, NORM_2, &norm));
  PetscCall(VecDestroy(&r));
  if (reported > 0.0) watch->worst = PetscMax(watch->worst, norm / reported);
  watch->least = PetscMin(watch->least, norm / watch->bnorm);
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  DM            da;
  DMDALocalInfo info;
  Mat           A;
  Vec           x, b;
  KSP           ksp;
  Watch         watch = {0.0, PETSC_MAX_REAL, 0.0};
  PetscInt      size = 30, its = 400;
  PetscReal     bound = 2.0;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-size", &size, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-its", &its, nullptr));
  PetscCall(PetscOptionsGetReal(nullptr, nullptr, "-bound", &bound, nullptr));
  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, size, size, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &da));
  PetscCall(DMSetUp(da));
  PetscCall(DMCreateMatrix(da, &A));
  PetscCall(DMDAGetLocalInfo(da, &info));
  for (PetscInt j = info.ys; j < info.ys + info.ym; j++) {
    for (PetscInt i = info.xs; i < info.xs + info.xm; i++) {
      MatStencil  row  = {}, column[5];
      PetscScalar v[5] = {4.0, -1.0, -1.0, -1.0, -1.0};

      row.i = i;
      row.j = j;
      for (MatStencil &c : column) c = row;
      column[1].i = i - 1;
      column[2].i = i + 1 < info.mx ? i + 1 : -1;
      column[3].j = j - 1;
      column[4].j = j + 1 < info.my ? j + 1 : -1;
      PetscCall(MatSetValuesStencil(A, 1, &row, 5, column, v, INSERT_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSetRandom(b, nullptr));
  PetscCall(VecNorm(b, NORM_2, &watch.bnorm));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetType(ksp, "psdo"));
  PetscCall(KSPSetTolerances(ksp, 1e-30, PETSC_DEFAULT, PETSC_DEFAULT, its));
  PetscCall(KSPMonitorSet(ksp, Monitor, &watch, nullptr));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "true residual at most %g times the reported one: %s\n", (double)bound, watch.worst <= bound ? "yes" : "NO"));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "smallest true relative residual below 1e-13: %s\n", watch.least < 1e-13 ? "yes" : "NO"));
  if (watch.worst > bound || watch.least >= 1e-13) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  worst %g smallest %g\n", (double)watch.worst, (double)watch.least));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(MatDestroy(&A));
  PetscCall(DMDestroy(&da));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    nsize: {{1 2}}
    requires: double
    output_file: output/ex5_1.out
    test:
      suffix: 1
      args: -ksp_psdo_residual_replacement {{1 7 20 50}} -pc_type {{jacobi bjacobi}}
    test:
      suffix: mmax
      args: -ksp_psdo_residual_replacement 10 -ksp_psdo_mmax {{1 8}} -pc_type jacobi

  test:
    suffix: off
    requires: double
    args: -ksp_psdo_residual_replacement 0 -pc_type jacobi -bound 1e300

TEST*/
