static char help[] = "Solves a system from a file with schwarzschur and with MUMPS; schwarzschur's backward error may be ten times that of MUMPS.\n\
  -dir <folder>, -f <file>: the system; a symmetric matrix is factored by LU and by Cholesky\n\
  -show: prints the errors\n\n";

#include <petlap.h>
#include "tests/mat/backwarderror.h"

static PetscErrorCode Solve(Mat A, Vec b, PCType type, const char solver[], PetscReal *error)
{
  KSP                ksp;
  PC                 pc;
  Vec                x;
  KSPConvergedReason reason;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(b, &x));
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)A), &ksp));
  PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPSetNormType(ksp, KSP_NORM_NONE));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, type));
  PetscCall(PCFactorSetMatSolverType(pc, solver));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(BackwardError(A, PETSC_FALSE, b, x, error));
  if (reason <= 0) *error = PETSC_MAX_REAL;
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  char      dir[PETSC_MAX_PATH_LEN] = ".", file[PETSC_MAX_PATH_LEN] = "", path[2 * PETSC_MAX_PATH_LEN + 1];
  Mat       A;
  Vec       b;
  PetscBool symmetric, show = PETSC_FALSE;
  PetscReal mumps, error;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-dir", dir, sizeof(dir), NULL));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-f", file, sizeof(file), NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-show", &show, NULL));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", dir, file));
  PetscCall(PetlapLoadSystem(PETSC_COMM_SELF, path, &A, &b, NULL));
  PetscCall(MatIsSymmetric(A, 0.0, &symmetric));
  for (PetscInt cholesky = 0; cholesky <= (PetscInt)symmetric; cholesky++) {
    const char *type = cholesky ? PCCHOLESKY : PCLU;

    PetscCall(Solve(A, b, type, MATSOLVERMUMPS, &mumps));
    PetscCall(Solve(A, b, type, MATSOLVERSCHWARZSCHUR, &error));
    if (show) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s %s: %.1e, mumps %.1e\n", file, type, (double)error, (double)mumps));
    /* Below rounding, luck decides */
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: backward error %s\n", type, error <= 10 * PetscMax(mumps, PETSC_MACHINE_EPSILON) ? "as small as that of mumps" : "too large"));
  }
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double petlap hdf5 mumps

  testset:
    args: -malloc_dump -dir ${PETLAP_DATA}
    test:
      suffix: symmetric
      output_file: output/ex9_symmetric.out
      args: -f {{aniso_dir_brick_65x65.h5 aniso_par_brick_65x65.h5 color_sym_chelsea_65x65.h5 darcy_coins_65x65_c10000.h5 epd_coffee_97x65_lam1.h5 helmholtz_hom_65x65_k2_0.01562.h5 helmholtz_moon_81x49_k2_0.25.h5}}
    test:
      suffix: unsymmetric
      output_file: output/ex9_unsymmetric.out
      args: -f {{color_row_chelsea_65x65.h5 deconv_uniform_camera_65x65.h5}}

TEST*/
