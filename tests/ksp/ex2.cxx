static char help[] = "With a fixed preconditioner psdo takes the iterations of fcg with as many directions, and without one those of cg.\n\n";

#include <petscdmda.h>
#include <petscksp.h>

/* Solves with one method and counts iterations */
static PetscErrorCode Count(Mat A, Vec b, const char type[], const char pctype[], PetscInt mmax, PetscInt *its, PetscReal *error)
{
  KSP                ksp;
  PC                 pc;
  Vec                x;
  KSPConvergedReason reason;
  char               number[16];

  PetscFunctionBeginUser;
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)A), &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetType(ksp, type));
  PetscCall(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetTolerances(ksp, 1e-8, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, pctype));
  PetscCall(PetscSNPrintf(number, sizeof(number), "%d", (int)mmax));
  PetscCall(PetscOptionsSetValue(nullptr, "-ksp_psdo_mmax", number));
  PetscCall(PetscOptionsSetValue(nullptr, "-ksp_fcg_mmax", number));
  PetscCall(PetscOptionsSetValue(nullptr, "-ksp_fcg_truncation_type", "standard"));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(VecDuplicate(b, &x));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCheck(reason > 0, PetscObjectComm((PetscObject)A), PETSC_ERR_NOT_CONVERGED, "%s with %s: %s", type, pctype, KSPConvergedReasons[reason]);
  PetscCall(KSPGetIterationNumber(ksp, its));
  PetscCall(VecShift(x, -1.0));
  PetscCall(VecNorm(x, NORM_INFINITY, error));
  PetscCall(VecDestroy(&x));
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  const char   *pcs[]  = {"jacobi", "bjacobi", "gamg"};
  const int     mmax[] = {1, 2, 8, 30};
  DM            da;
  DMDALocalInfo info;
  Mat           A;
  Vec           x, b;
  PetscInt      its[2];
  PetscReal     error[2];

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, 40, 40, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &da));
  PetscCall(DMSetFromOptions(da));
  PetscCall(DMSetUp(da));
  PetscCall(DMCreateMatrix(da, &A));
  /* A graph Laplacian with weights that vary, plus a small diagonal */
  PetscCall(DMDAGetLocalInfo(da, &info));
  for (PetscInt j = info.ys; j < info.ys + info.ym; j++) {
    for (PetscInt i = info.xs; i < info.xs + info.xm; i++) {
      MatStencil  row = {}, column[5];
      PetscScalar v[5];
      PetscInt    n = 1;

      row.i = i;
      row.j = j;
      v[0]  = 1e-3;
      for (PetscInt s = 0; s < 4; s++) {
        const PetscInt ni = i + (s == 0) - (s == 1), nj = j + (s == 2) - (s == 3);

        if (ni < 0 || ni >= info.mx || nj < 0 || nj >= info.my) continue;
        column[n]   = row;
        column[n].i = ni;
        column[n].j = nj;
        v[n]        = -(1.0 + (PetscReal)((i + j * info.mx + ni + nj * info.mx) * 7919 % 10));
        v[0] -= v[n++];
      }
      column[0] = row;
      PetscCall(MatSetValuesStencil(A, 1, &row, n, column, v, INSERT_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSet(x, 1.0));
  PetscCall(MatMult(A, x, b));
  for (const char *pc : pcs) {
    for (int m : mmax) {
      PetscCall(Count(A, b, "psdo", pc, m, &its[0], &error[0]));
      PetscCall(Count(A, b, "fcg", pc, m, &its[1], &error[1]));
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s mmax %d: psdo and fcg take %s iterations, errors %s\n", pc, m, its[0] == its[1] ? "the same" : "DIFFERENT", PetscMax(error[0], error[1]) < 1e-3 ? "< 1e-3" : "TOO LARGE"));
    }
  }
  for (int m : mmax) {
    PetscCall(Count(A, b, "psdo", "none", m, &its[0], &error[0]));
    PetscCall(Count(A, b, "cg", "none", m, &its[1], &error[1]));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "none mmax %d: psdo takes %s cg\n", m, PetscAbsInt(its[0] - its[1]) <= its[1] / 50 ? "the iterations of" : "OTHER ITERATIONS THAN"));
  }
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(MatDestroy(&A));
  PetscCall(DMDestroy(&da));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  test:
    nsize: {{1 2 4}}

TEST*/
