static char help[] = "Solves a system from a file with hsc to 1e-10 and compares with the solution that is stored.\n\
  -dir <folder>, -f <file>, -below <bound for the iterations>\n\
  -show: prints the numbers\n\n";

#include <petlap.h>

int main(int argc, char **argv)
{
  char               dir[PETSC_MAX_PATH_LEN] = ".", file[PETSC_MAX_PATH_LEN] = "", path[2 * PETSC_MAX_PATH_LEN + 1];
  Mat                A;
  Vec                b, x, u, r;
  KSP                ksp;
  PC                 pc;
  PetscInt           below = 10, its;
  PetscBool          show  = PETSC_FALSE;
  PetscReal          error = 0.0, norm = 1.0, residual, right;
  KSPConvergedReason reason;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-dir", dir, sizeof(dir), NULL));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-f", file, sizeof(file), NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-below", &below, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-show", &show, NULL));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s", dir, file));
  PetscCall(PetlapLoadSystem(PETSC_COMM_SELF, path, &A, &b, &u));
  PetscCall(VecDuplicate(b, &x));
  PetscCall(VecDuplicate(b, &r));
  for (const char *type : {KSPFCG, KSPCG}) {
    PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
    PetscCall(KSPSetType(ksp, type));
    PetscCall(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
    PetscCall(KSPSetTolerances(ksp, 1e-10, 1e-300, PETSC_DEFAULT, 2000));
    PetscCall(KSPGetPC(ksp, &pc));
    PetscCall(PCSetType(pc, PCHSC));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(KSPSetFromOptions(ksp));
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCall(KSPGetIterationNumber(ksp, &its));
    PetscCall(MatMult(A, x, r));
    PetscCall(VecAXPY(r, -1.0, b));
    PetscCall(VecNorm(r, NORM_2, &residual));
    PetscCall(VecNorm(b, NORM_2, &right));
    if (u) {
      Vec constants;

      /* A singular system leaves the mean open */
      PetscCall(VecAXPY(x, -1.0, u));
      PetscCall(VecDuplicate(x, &constants));
      PetscCall(VecSet(constants, 1.0));
      PetscCall(MatMult(A, constants, r));
      PetscCall(VecNorm(r, NORM_INFINITY, &error));
      PetscCall(MatNorm(A, NORM_INFINITY, &norm));
      if (error <= 1e-12 * norm) {
        PetscCall(VecSum(x, &error));
        PetscCall(VecGetSize(x, &its));
        PetscCall(VecShift(x, -error / (PetscReal)its));
        PetscCall(KSPGetIterationNumber(ksp, &its));
      }
      PetscCall(VecDestroy(&constants));
      PetscCall(VecNorm(x, NORM_2, &error));
      PetscCall(VecNorm(u, NORM_2, &norm));
    }
    if (show) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: %" PetscInt_FMT " iterations, residual %.1e, error %.1e%s\n", type, its, (double)(residual / right), (double)(error / norm), u ? "" : ", no solution stored"));
    if (reason <= 0 || its > below || !(residual <= 2e-10 * right) || !(error <= 1e-5 * norm))
      PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: %s, %" PetscInt_FMT " iterations, bound %" PetscInt_FMT ", residual %.1e, error %.1e\n", type, KSPConvergedReasons[reason], its, below, (double)(residual / right), (double)(error / norm)));
    PetscCall(KSPDestroy(&ksp));
  }
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "done\n"));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&u));
  PetscCall(VecDestroy(&r));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex petlap hdf5

  testset:
    output_file: output/ex1_1.out
    args: -malloc_dump -below 18
    test:
      suffix: ship
      args: -dir ${PETLAP_DATA} -f {{aniso_dir_brick_65x65.h5 aniso_par_brick_65x65.h5 color_sym_chelsea_65x65.h5 darcy_coins_65x65_c10000.h5 epd_coffee_97x65_lam1.h5 fluid_dampillars_64x64x64_f15.h5 fluid_smoke_solid_32x48x32_f25.h5 fluid_smokeopen_solid_32x48x32_f25.h5}}
    test:
      suffix: test_data
      requires: test_data
      args: -dir ${PETLAP_TEST_DATA} -f {{blend_lemur_beach_113x73.h5 fluid_dam_spot_32x32x32_f2.h5 fluid_dam_spot_32x32x32_f40.h5 fluid_smoke_spot_20x24x20_f20.h5 hdr_neumann_Garden_81x65.h5 matting_cf_lemur65.h5 matting_rw_lemur65_lam0.01.h5 mesh_cot_spot.h5 mesh_graph_spot.h5 mesh_invdist_spot.h5 pyamg_airfoil.h5 pyamg_unit_square.h5 ss_494_bus.h5 ss_jagmesh7.h5}}

TEST*/
