static char help[] = "schwarzschur inside other preconditioners: a diffusion problem on a DMDA, on any number of processes.\n\
  -dim 2|3, -size n, -dof d, -periodic: the grid, which options of DMDA change further\n\
  -unsymmetric: with convection\n\
  -sort 0: the unknowns of PCASM's blocks in the order in which the DMDA gives them\n\
  -most n: the iterations that are enough\n\n";

#include <petscksp.h>
#include <petscdmda.h>

typedef struct {
  PetscInt  dim;
  PetscBool unsymmetric;
} Problem;

static PetscErrorCode Matrix(KSP ksp, Mat J, Mat A, void *context)
{
  const Problem *p = (const Problem *)context;
  DM             dm;
  DMDALocalInfo  info;

  PetscFunctionBeginUser;
  (void)J;
  PetscCall(KSPGetDM(ksp, &dm));
  PetscCall(DMDAGetLocalInfo(dm, &info));
  for (PetscInt z = info.zs; z < info.zs + info.zm; z++) {
    for (PetscInt y = info.ys; y < info.ys + info.ym; y++) {
      for (PetscInt x = info.xs; x < info.xs + info.xm; x++) {
        for (PetscInt c = 0; c < info.dof; c++) {
          MatStencil     row, col;
          PetscScalar    diagonal = 0.0, value;
          const PetscInt at[3] = {x, y, z}, size[3] = {info.mx, info.my, info.mz};
          const PetscInt wrap[3] = {info.bx == DM_BOUNDARY_PERIODIC, info.by == DM_BOUNDARY_PERIODIC, info.bz == DM_BOUNDARY_PERIODIC};

          row.i = x;
          row.j = y;
          row.k = z;
          row.c = c;
          for (PetscInt d = 0; d < p->dim; d++) {
            for (PetscInt s = -1; s <= 1; s += 2) {
              PetscReal m[3] = {(PetscReal)at[0], (PetscReal)at[1], (PetscReal)at[2]}, v;

              /* Both sides of a face see the same value */
              m[d] += 0.5 * s;
              if (m[d] < 0) m[d] += size[d];
              v = 1.0 + 0.5 * PetscSinReal(m[0]) * PetscCosReal(m[1]);
              if (p->unsymmetric) v += 0.2 * s;
              diagonal += v;
              if (!wrap[d] && (at[d] + s < 0 || at[d] + s >= size[d])) continue;
              col = row;
              if (d == 0) col.i += s;
              if (d == 1) col.j += s;
              if (d == 2) col.k += s;
              value = -v;
              PetscCall(MatSetValuesStencil(A, 1, &row, 1, &col, &value, ADD_VALUES));
            }
          }
          for (PetscInt o = 0; o < info.dof; o++) {
            if (o == c) continue;
            col   = row;
            col.c = o;
            value = -0.05;
            PetscCall(MatSetValuesStencil(A, 1, &row, 1, &col, &value, ADD_VALUES));
          }
          diagonal += 0.05 * info.dof;
          PetscCall(MatSetValuesStencil(A, 1, &row, 1, &row, &diagonal, ADD_VALUES));
        }
      }
    }
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode RightHandSide(KSP ksp, Vec b, void *context)
{
  PetscFunctionBeginUser;
  (void)ksp;
  (void)context;
  PetscCall(VecSet(b, 1.0));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Problem        p    = {2, PETSC_FALSE};
  PetscInt       size = 17, dof = 1, its, most = 100;
  PetscBool      periodic = PETSC_FALSE, sort = PETSC_TRUE;
  DMBoundaryType boundary;
  DM             dm;
  KSP            ksp;
  PC             pc;
  Mat            A;
  Vec            b, x, r;
  PetscReal      nr, nb;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-dim", &p.dim, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-size", &size, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-dof", &dof, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-most", &most, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-periodic", &periodic, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-unsymmetric", &p.unsymmetric, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-sort", &sort, NULL));
  boundary = periodic ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE;
  if (p.dim == 2)
    PetscCall(DMDACreate2d(PETSC_COMM_WORLD, boundary, boundary, DMDA_STENCIL_STAR, size, size + (periodic ? 3 : 0), PETSC_DECIDE, PETSC_DECIDE, dof, 1, NULL, NULL, &dm));
  else
    PetscCall(DMDACreate3d(PETSC_COMM_WORLD, boundary, boundary, boundary, DMDA_STENCIL_STAR, size, size, size, PETSC_DECIDE, PETSC_DECIDE, PETSC_DECIDE, dof, 1, NULL, NULL, NULL, &dm));
  PetscCall(DMSetFromOptions(dm));
  PetscCall(DMSetUp(dm));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetDM(ksp, dm));
  PetscCall(KSPSetComputeOperators(ksp, Matrix, &p));
  PetscCall(KSPSetComputeRHS(ksp, RightHandSide, &p));
  PetscCall(KSPSetTolerances(ksp, 1e-9, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCASMSetSortIndices(pc, sort));
  PetscCall(KSPSolve(ksp, NULL, NULL));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(KSPGetOperators(ksp, &A, NULL));
  PetscCall(KSPGetRhs(ksp, &b));
  PetscCall(KSPGetSolution(ksp, &x));
  PetscCall(VecDuplicate(b, &r));
  PetscCall(MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1.0, b));
  PetscCall(VecNorm(r, NORM_2, &nr));
  PetscCall(VecNorm(b, NORM_2, &nb));
  if (its > most) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%d iterations\n", (int)its));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "residual %s\n", nr <= 1e-7 * nb ? "small" : "too large"));
  PetscCall(VecDestroy(&r));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(DMDestroy(&dm));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double petlap

  testset:
    output_file: output/ex7_small.out
    args: -malloc_dump
    test:
      suffix: direct
      args: -pc_type {{lu cholesky}} -pc_factor_mat_solver_type schwarzschur -most 1 -dim {{2 3}} -dof {{1 2}} -periodic {{0 1}}
    test:
      suffix: unsymmetric
      args: -pc_type lu -pc_factor_mat_solver_type schwarzschur -most 1 -unsymmetric -dim {{2 3}}
    test:
      suffix: bjacobi
      nsize: {{2 4}}
      args: -pc_type bjacobi -sub_pc_type {{lu cholesky}} -sub_pc_factor_mat_solver_type schwarzschur -dim {{2 3}} -dof {{1 2}}
    test:
      suffix: bjacobi_blocks
      nsize: 2
      args: -pc_type bjacobi -pc_bjacobi_blocks 4 -da_processors_x 1 -size 20 -sub_pc_type lu -sub_pc_factor_mat_solver_type schwarzschur
    test:
      suffix: bjacobi_periodic
      nsize: 4
      args: -pc_type bjacobi -sub_pc_type lu -sub_pc_factor_mat_solver_type schwarzschur -periodic
    # Overlap along the axis that is cut leaves a box; along both it leaves out the corners, unless the DMDA is asked for boxes
    test:
      suffix: asm
      nsize: 2
      args: -pc_type asm -pc_asm_overlap {{0 1 2}} -sub_pc_type lu -sub_pc_factor_mat_solver_type schwarzschur -pc_asm_dm_subdomains 0
    test:
      suffix: asm_boxes
      nsize: 4
      args: -pc_type asm -pc_asm_dm_subdomains -sort 0 -da_overlap {{1 2}} -sub_pc_type lu -sub_pc_factor_mat_solver_type schwarzschur
    test:
      suffix: mg
      nsize: {{1 2 4}}
      args: -pc_type mg -pc_mg_levels 3 -pc_mg_galerkin {{none both}} -mg_coarse_pc_type redundant -mg_coarse_redundant_pc_type lu -mg_coarse_redundant_pc_factor_mat_solver_type schwarzschur -dim {{2 3}}
    test:
      suffix: mg_lu
      args: -pc_type mg -pc_mg_levels 3 -pc_mg_galerkin {{none both}} -mg_coarse_pc_type {{lu cholesky}} -mg_coarse_pc_factor_mat_solver_type schwarzschur -dim {{2 3}} -dof {{1 2}}
    # The coarse matrix is numbered box by box and has no DMDA
    test:
      suffix: mg_lu_ranks
      nsize: {{2 3 4}}
      args: -da_refine 1 -size 9 -pc_type mg -pc_mg_levels 2 -pc_mg_galerkin both -mg_coarse_pc_type lu -mg_coarse_pc_factor_mat_solver_type schwarzschur -dim {{2 3}} -dof {{1 2}}
    test:
      suffix: mg_cholesky_ranks
      nsize: 4
      args: -da_refine 1 -size 8 -periodic -pc_type mg -pc_mg_levels 2 -pc_mg_galerkin both -mg_coarse_pc_type cholesky -mg_coarse_pc_factor_mat_solver_type schwarzschur -dim {{2 3}}
    # Two groups of two processes have what four have had
    test:
      suffix: mg_groups
      nsize: 4
      args: -da_refine 1 -size 9 -pc_type mg -pc_mg_levels 2 -pc_mg_galerkin both -mg_coarse_pc_type redundant -mg_coarse_pc_redundant_number 2 -mg_coarse_redundant_pc_type lu -mg_coarse_redundant_pc_factor_mat_solver_type schwarzschur -dim {{2 3}} -dof {{1 2}}
    test:
      suffix: mg_telescope_2
      nsize: 4
      args: -da_refine 1 -size 9 -pc_type mg -pc_mg_levels 2 -pc_mg_galerkin both -mg_coarse_pc_type telescope -mg_coarse_pc_telescope_ignore_dm {{0 1}} -mg_coarse_pc_telescope_reduction_factor 2 -mg_coarse_telescope_pc_type lu -mg_coarse_telescope_pc_factor_mat_solver_type schwarzschur -dim {{2 3}}
    test:
      suffix: fieldsplit
      nsize: {{1 2 4}}
      args: -dof 2 -size 9 -pc_type fieldsplit -fieldsplit_pc_type lu -fieldsplit_pc_factor_mat_solver_type schwarzschur -dim {{2 3}} -periodic {{0 1}}
    test:
      suffix: mg_telescope
      nsize: 4
      args: -pc_type mg -pc_mg_levels 3 -mg_coarse_pc_type telescope -mg_coarse_pc_telescope_reduction_factor 4 -mg_coarse_telescope_pc_type lu -mg_coarse_telescope_pc_factor_mat_solver_type schwarzschur
    test:
      suffix: redundant_boxes
      nsize: {{2 4}}
      args: -dof {{1 2}} -dim {{2 3}} -pc_type redundant -redundant_pc_type lu -redundant_pc_factor_mat_solver_type schwarzschur -most 1
    test:
      suffix: redundant
      nsize: {{2 4}}
      args: -pc_type redundant -redundant_pc_type lu -redundant_pc_factor_mat_solver_type schwarzschur -da_processors_x 1 -most 1

TEST*/
