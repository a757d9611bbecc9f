static char help[] = "Solves Laplacians with hsc on the host and on a CUDA device: both must find the solution in nearly as many iterations, and a\n\
diagonal that grows must reach the device. Options for the matrix are those of laplacians.h.\n\
  -mat_type T, -vec_type T  types of matrix and vectors\n\
  -more n                   iterations that the device may take beyond those of the host\n\
  -show                     prints the numbers\n\n";

#include "laplacians.h"
#include <petlap.h>
#include <petscksp.h>

struct Outcome {
  KSPConvergedReason reason;
  PetscInt           its;
  PetscReal          error;
};

static PetscErrorCode Solve(const Laplacian *laplacian, KSP ksp, Mat A, Vec u, Outcome *o)
{
  Vec       b, x;
  PetscReal norm;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(u, &b));
  PetscCall(VecDuplicate(u, &x));
  PetscCall(MatMult(A, u, b));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &o->reason));
  PetscCall(KSPGetIterationNumber(ksp, &o->its));
  PetscCall(VecAXPY(x, -1.0, u));
  PetscCall(laplacian->RemoveConstants(x));
  PetscCall(VecNorm(u, NORM_2, &norm));
  PetscCall(VecNorm(x, NORM_2, &o->error));
  o->error /= norm;
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Laplacian           laplacian;
  Mat                 A, B;
  Vec                 u;
  KSP                 ksp;
  PC                  pc;
  char                mattype[64] = "", vectype[64] = "";
  PetscBool           hasmat, hasvec, show = PETSC_FALSE;
  PetscInt            more = 2;
  PetscScalar         trace;
  const PetlapBackend backends[] = {PETLAP_BACKEND_HOST, PETLAP_BACKEND_CUDA};
  Outcome             o[2][3];

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-mat_type", mattype, sizeof(mattype), &hasmat));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-vec_type", vectype, sizeof(vectype), &hasvec));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-more", &more, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-show", &show, NULL));
  PetscCall(laplacian.Make(NULL));
  PetscCall(laplacian.Assemble(&A));
  if (hasmat) PetscCall(MatConvert(A, mattype, MAT_INPLACE_MATRIX, &A));
  PetscCall(MatCreateVecs(A, &u, NULL));
  if (hasvec) PetscCall(VecSetType(u, vectype));
  PetscCall(VecSetRandom(u, NULL));
  PetscCall(laplacian.RemoveConstants(u));
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &B));
  PetscCall(MatGetTrace(B, &trace));
  PetscCall(MatShift(B, PetscRealPart(trace) > 0.0 ? 0.25 : -0.25));
  for (int k = 0; k < 2; k++) {
    PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
    PetscCall(KSPSetType(ksp, KSPFCG));
    PetscCall(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
    PetscCall(KSPSetTolerances(ksp, 1e-9, 1e-300, PETSC_DEFAULT, 200));
    PetscCall(KSPGetPC(ksp, &pc));
    PetscCall(PCSetType(pc, PCHSC));
    PetscCall(PCHSCSetBackend(pc, backends[k]));
    PetscCall(KSPSetFromOptions(ksp));
    PetscCall(Solve(&laplacian, ksp, A, u, &o[k][0]));
    /* The diagonal grows, which shifts the hierarchy; then another hierarchy is built */
    PetscCall(Solve(&laplacian, ksp, B, u, &o[k][1]));
    PetscCall(PCHSCSetTheta(pc, 0.9, 0.9));
    PetscCall(Solve(&laplacian, ksp, A, u, &o[k][2]));
    PetscCall(KSPDestroy(&ksp));
  }
  for (int s = 0; s < 3; s++) {
    for (int k = 0; k < 2; k++) {
      if (show || o[k][s].reason <= 0 || !(o[k][s].error < 1e-5) || o[k][s].its > o[0][s].its + more)
        PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s, solve %d: %s iterations %" PetscInt_FMT " error %.1e\n", k ? "device" : "host", s, KSPConvergedReasons[o[k][s].reason], o[k][s].its, (double)o[k][s].error));
    }
  }
  PetscCall(VecDestroy(&u));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&B));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex petlap

  testset:
    requires: gpu
    args: -petlap_check -malloc_dump
    output_file: output/ex9_gpu.out
    test:
      suffix: gpu
      args: -kind {{grid random mesh}separate output} -n 24,23
    test:
      suffix: gpu_boundary
      args: -n 24,23 -boundary neumann -components 3 -isolated 1 -alone 2
    test:
      suffix: gpu_identity
      args: -n 24,23 -identity {{columns rows}} -ksp_type gmres -ksp_pc_side right
    test:
      suffix: gpu_space
      args: -kind space -n 9,8,9 -weights jump
    test:
      suffix: gpu_gs
      args: -kind mesh -n 20,21 -pc_hsc_smoother gs -pc_hsc_precision {{single double}} -more 1
    test:
      suffix: gpu_cycles
      args: -kind mesh -n 14,15 -pc_hsc_direct_size 60 -pc_hsc_cycle {{v w}} -pc_hsc_smoother {{gs jacobi}} -pc_hsc_pre 1 -pc_hsc_post 2
    test:
      suffix: gpu_cg
      args: -n 24,23 -ksp_type cg -negative
    test:
      suffix: gpu_scaled
      args: -n 24,23 -scaled -shuffle -pc_hsc_reorder bfs -more 4
    test:
      suffix: gpu_positive
      args: -kind q1 -n 24,23 -eps 0.1 -more 3
    test:
      suffix: gpu_one
      args: -n 1,1
    test:
      requires: cuda
      suffix: gpu_cuda
      args: -n 24,23 -mat_type aijcusparse -pc_hsc_backend auto

TEST*/
