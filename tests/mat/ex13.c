static char help[] = "A reaction and diffusion equation on a DMDA, whose Jacobian is not a number once: the step is repeated with half the size, by the same solver.\n\
  -when k: which Jacobian it is, 0 for none\n\n";

#include <petscts.h>
#include <petscdmda.h>
#include <math.h>

typedef struct {
  PetscInt count, when;
} Context;

static const PetscReal diffusion = 0.01;

/* Where the neighbors of a point are */
static PetscInt Neighbors(const DMDALocalInfo *g, PetscInt x, PetscInt y, MatStencil to[4])
{
  const PetscInt near[4][2] = {{x - 1, y}, {x + 1, y}, {x, y - 1}, {x, y + 1}};
  PetscInt       n          = 0;

  for (int k = 0; k < 4; k++) {
    if (near[k][0] < 0 || near[k][0] >= g->mx || near[k][1] < 0 || near[k][1] >= g->my) continue;
    to[n].i   = near[k][0];
    to[n].j   = near[k][1];
    to[n].k   = 0;
    to[n++].c = 0;
  }
  return n;
}

static PetscErrorCode Function(TS ts, PetscReal t, Vec U, Vec Ut, Vec R, void *context)
{
  DM            da;
  Vec           local;
  PetscScalar **u, **ut, **r;
  DMDALocalInfo g;

  PetscFunctionBeginUser;
  (void)t;
  (void)context;
  PetscCall(TSGetDM(ts, &da));
  PetscCall(DMDAGetLocalInfo(da, &g));
  PetscCall(DMGetLocalVector(da, &local));
  PetscCall(DMGlobalToLocal(da, U, INSERT_VALUES, local));
  PetscCall(DMDAVecGetArrayRead(da, local, &u));
  PetscCall(DMDAVecGetArrayRead(da, Ut, &ut));
  PetscCall(DMDAVecGetArray(da, R, &r));
  for (PetscInt y = g.ys; y < g.ys + g.ym; y++) {
    for (PetscInt x = g.xs; x < g.xs + g.xm; x++) {
      MatStencil     to[4];
      const PetscInt n   = Neighbors(&g, x, y, to);
      PetscScalar    sum = 0;

      for (PetscInt k = 0; k < n; k++) sum += u[to[k].j][to[k].i];
      r[y][x] = ut[y][x] - diffusion * g.mx * g.mx * (sum - 4.0 * u[y][x]) - u[y][x] * (1.0 - u[y][x]);
    }
  }
  PetscCall(DMDAVecRestoreArray(da, R, &r));
  PetscCall(DMDAVecRestoreArrayRead(da, Ut, &ut));
  PetscCall(DMDAVecRestoreArrayRead(da, local, &u));
  PetscCall(DMRestoreLocalVector(da, &local));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Jacobian(TS ts, PetscReal t, Vec U, Vec Ut, PetscReal shift, Mat A, Mat P, void *context)
{
  Context      *c = (Context *)context;
  DM            da;
  PetscScalar **u;
  DMDALocalInfo g;

  PetscFunctionBeginUser;
  (void)t;
  (void)Ut;
  (void)A;
  c->count++;
  PetscCall(TSGetDM(ts, &da));
  PetscCall(DMDAGetLocalInfo(da, &g));
  PetscCall(DMDAVecGetArrayRead(da, U, &u));
  for (PetscInt y = g.ys; y < g.ys + g.ym; y++) {
    for (PetscInt x = g.xs; x < g.xs + g.xm; x++) {
      const PetscReal h    = diffusion * g.mx * g.mx;
      MatStencil      row  = {0, y, x, 0}, to[5];
      PetscScalar     v[5] = {-h, -h, -h, -h, 0};
      const PetscInt  n    = Neighbors(&g, x, y, to);

      to[n] = row;
      v[n]  = c->count == c->when && x == 3 && y == 4 ? NAN : shift + 4 * h - 1.0 + 2.0 * u[y][x];
      PetscCall(MatSetValuesStencil(P, 1, &row, n + 1, to, v, INSERT_VALUES));
    }
  }
  PetscCall(DMDAVecRestoreArrayRead(da, U, &u));
  PetscCall(MatAssemblyBegin(P, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(P, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  TS                ts;
  DM                da;
  Vec               u;
  Mat               A;
  TSConvergedReason reason;
  PetscInt          failures;
  PetscReal         norm;
  Context           context = {0, 3};

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-when", &context.when, NULL));
  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, 21, 21, PETSC_DECIDE, PETSC_DECIDE, 1, 1, NULL, NULL, &da));
  PetscCall(DMSetFromOptions(da));
  PetscCall(DMSetUp(da));
  PetscCall(DMCreateMatrix(da, &A));
  PetscCall(DMCreateGlobalVector(da, &u));
  PetscCall(VecSet(u, 0.3));
  PetscCall(TSCreate(PETSC_COMM_WORLD, &ts));
  PetscCall(TSSetDM(ts, da));
  PetscCall(TSSetIFunction(ts, NULL, Function, NULL));
  PetscCall(TSSetIJacobian(ts, A, A, Jacobian, &context));
  PetscCall(TSSetType(ts, TSBDF));
  PetscCall(TSSetMaxTime(ts, 0.5));
  PetscCall(TSSetTimeStep(ts, 0.01));
  PetscCall(TSSetExactFinalTime(ts, TS_EXACTFINALTIME_MATCHSTEP));
  PetscCall(TSSetMaxSNESFailures(ts, -1));
  PetscCall(TSSetFromOptions(ts));
  PetscCall(TSSolve(ts, u));
  PetscCall(TSGetConvergedReason(ts, &reason));
  PetscCall(TSGetSNESFailures(ts, &failures));
  PetscCall(VecNorm(u, NORM_2, &norm));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %" PetscInt_FMT " steps repeated, norm %.4f\n", TSConvergedReasons[reason], failures, (double)norm));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&u));
  PetscCall(TSDestroy(&ts));
  PetscCall(DMDestroy(&da));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: petlap !complex

  testset:
    output_file: output/ex13_1.out
    nsize: {{1 2}}
    args: -malloc_dump
    test:
      suffix: 1
      args: -ksp_type preonly -pc_type lu -pc_factor_mat_solver_type schwarzschur
    test:
      suffix: cholesky
      args: -ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type schwarzschur
    test:
      suffix: hsc
      args: -ksp_rtol 1e-8 -pc_type hsc

  test:
    suffix: none
    args: -when 0 -ksp_type preonly -pc_type lu -pc_factor_mat_solver_type schwarzschur

TEST*/
