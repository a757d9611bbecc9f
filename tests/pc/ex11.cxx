static char help[] = "A matrix that is wrong for a while: hsc and neural end the solver with a reason where numbers are not finite, and with an error where\n\
the matrix is not one for them, and the same solver goes on when the matrix is right again.\n\
  -again: the matrix is given to the solver each time it has changed\n\
  -snes: a Jacobian that is not finite once; -picard: it is that of the linear part\n\n";

#include <petlap.h>
#include <petscdmda.h>
#include <petscsnes.h>
#include <cmath>

typedef struct {
  PetscInt  calls;
  PetscBool nan;    /* in the second Jacobian */
  PetscBool picard; /* the Jacobian is that of the linear part */
} Problem;

/* 5 points with walls of a given value, and for a nonlinear problem the derivative of u / (1 + u) / 100 */
static PetscErrorCode Fill(DM dm, Mat A, const PetscScalar *const *u)
{
  DMDALocalInfo info;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetLocalInfo(dm, &info));
  for (PetscInt y = info.ys; y < info.ys + info.ym; y++) {
    for (PetscInt x = info.xs; x < info.xs + info.xm; x++) {
      const PetscInt to[4][2] = {{x, y - 1}, {x - 1, y}, {x + 1, y}, {x, y + 1}};
      MatStencil     row = {}, col[5] = {};
      PetscScalar    v[5];
      PetscInt       n = 1;

      row.i  = x;
      row.j  = y;
      col[0] = row;
      v[0]   = 4.0 + (u ? 0.01 / ((1.0 + u[y][x]) * (1.0 + u[y][x])) : 0.0);
      for (int k = 0; k < 4; k++) {
        if (to[k][0] < 0 || to[k][0] >= info.mx || to[k][1] < 0 || to[k][1] >= info.my) continue;
        col[n].i = to[k][0];
        col[n].j = to[k][1];
        v[n++]   = -1.0;
      }
      PetscCall(MatSetValuesStencil(A, 1, &row, n, col, v, INSERT_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The diagonal of a row of the last process */
static PetscErrorCode Spoil(Mat A, PetscScalar v)
{
  PetscInt n, first, last;

  PetscFunctionBeginUser;
  PetscCall(MatGetSize(A, &n, NULL));
  PetscCall(MatGetOwnershipRange(A, &first, &last));
  n -= 3;
  if (n >= first && n < last) PetscCall(MatSetValue(A, n, n, v, INSERT_VALUES));
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Quiet(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType, const char *, void *)
{
  return code;
}

static PetscErrorCode Linear(DM dm)
{
  const char *const kinds[] = {"finite", "NaN", "Inf", "NaN", "finite", "wrong", "wrong", "wrong", "finite", "NaN", "finite"};
  Mat               A;
  Vec               b, x;
  KSP               ksp;
  PetscBool         again = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-again", &again, NULL));
  PetscCall(DMCreateMatrix(dm, &A));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSet(b, 1.0));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetFromOptions(ksp));
  for (const char *kind : kinds) {
    KSPConvergedReason reason;
    PetscErrorCode     code;

    PetscCall(Fill(dm, A, NULL));
    if (kind[0] == 'N') PetscCall(Spoil(A, NAN));
    if (kind[0] == 'I') PetscCall(Spoil(A, INFINITY));
    if (kind[0] == 'w') PetscCall(Spoil(A, -4.0));
    if (again) PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(PetscPushErrorHandler(Quiet, NULL));
    code = KSPSolve(ksp, b, x);
    PetscCall(PetscPopErrorHandler());
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    if (code)
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: an error\n", kind));
    else
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %s\n", kind, reason > 0 ? "converged" : KSPConvergedReasons[reason]));
  }
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Function(SNES snes, Vec u, Vec f, void *)
{
  DM            dm;
  DMDALocalInfo info;
  Vec           local;
  PetscScalar **a, **r;

  PetscFunctionBeginUser;
  PetscCall(SNESGetDM(snes, &dm));
  PetscCall(DMDAGetLocalInfo(dm, &info));
  PetscCall(DMGetLocalVector(dm, &local));
  PetscCall(DMGlobalToLocal(dm, u, INSERT_VALUES, local));
  PetscCall(DMDAVecGetArrayRead(dm, local, &a));
  PetscCall(DMDAVecGetArray(dm, f, &r));
  for (PetscInt y = info.ys; y < info.ys + info.ym; y++) {
    for (PetscInt x = info.xs; x < info.xs + info.xm; x++) {
      r[y][x] = 4.0 * a[y][x] + 0.01 * a[y][x] / (1.0 + a[y][x]) - 1.0;
      if (x > 0) r[y][x] -= a[y][x - 1];
      if (y > 0) r[y][x] -= a[y - 1][x];
      if (x < info.mx - 1) r[y][x] -= a[y][x + 1];
      if (y < info.my - 1) r[y][x] -= a[y + 1][x];
    }
  }
  PetscCall(DMDAVecRestoreArray(dm, f, &r));
  PetscCall(DMDAVecRestoreArrayRead(dm, local, &a));
  PetscCall(DMRestoreLocalVector(dm, &local));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Jacobian(SNES snes, Vec u, Mat, Mat A, void *context)
{
  Problem      *p = (Problem *)context;
  DM            dm;
  PetscScalar **a;

  PetscFunctionBeginUser;
  PetscCall(SNESGetDM(snes, &dm));
  PetscCall(DMDAVecGetArrayRead(dm, u, &a));
  PetscCall(Fill(dm, A, p->picard ? NULL : a));
  PetscCall(DMDAVecRestoreArrayRead(dm, u, &a));
  if (p->nan && ++p->calls == 2) PetscCall(Spoil(A, NAN));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Nonlinear(DM dm)
{
  Problem p = {0, PETSC_FALSE, PETSC_FALSE};
  Mat     A;
  Vec     u;
  SNES    snes;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-picard", &p.picard, NULL));
  PetscCall(DMCreateMatrix(dm, &A));
  PetscCall(DMCreateGlobalVector(dm, &u));
  PetscCall(SNESCreate(PETSC_COMM_WORLD, &snes));
  PetscCall(SNESSetDM(snes, dm));
  PetscCall(SNESSetFunction(snes, NULL, Function, NULL));
  PetscCall(SNESSetJacobian(snes, A, A, Jacobian, &p));
  PetscCall(SNESSetFromOptions(snes));
  for (int k = 0; k < 4; k++) {
    SNESConvergedReason reason;

    /* Every other solve has a second Jacobian that is not finite */
    p.nan   = (PetscBool)(k % 2 == 0);
    p.calls = 0;
    PetscCall(VecSet(u, 0.0));
    PetscCall(SNESSolve(snes, NULL, u));
    PetscCall(SNESGetConvergedReason(snes, &reason));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %s\n", p.nan ? "NaN once" : "finite", reason > 0 ? "converged" : SNESConvergedReasons[reason]));
  }
  PetscCall(SNESDestroy(&snes));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&u));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  DM        dm;
  PetscBool snes = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-snes", &snes, NULL));
  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, 24, 24, PETSC_DECIDE, PETSC_DECIDE, 1, 1, NULL, NULL, &dm));
  PetscCall(DMSetUp(dm));
  PetscCall(snes ? Nonlinear(dm) : Linear(dm));
  PetscCall(DMDestroy(&dm));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex petlap

  testset:
    nsize: {{1 2}}
    test:
      suffix: hsc
      output_file: output/ex11_linear.out
      args: -pc_type hsc -ksp_type {{cg fcg gmres}} -again {{0 1}}
    test:
      suffix: neural
      output_file: output/ex11_linear.out
      args: -pc_type neural -pc_neural_weights analytic -ksp_type {{fcg fgmres}} -again {{0 1}}
    test:
      suffix: snes
      output_file: output/ex11_snes.out
      args: -snes -pc_type hsc -ksp_type fcg
    test:
      suffix: snes_neural
      output_file: output/ex11_snes.out
      args: -snes -picard -pc_type neural -pc_neural_weights analytic -ksp_type fcg

TEST*/
