static char help[] = "Pressure equations on voxels with PCNEURAL: images that are given, come with the rows of the matrix, or are read off it; the same iterations on any number of processes.\n\
-dim, -n (cells along x), -scene (box|open|pool|dam|smoke|drops|pocket|chambers, or without neighbours of fluid: air|walls|cells|one, or drain, where all but the second image are a dam), -image (given|matrix), -rows (all|fluid), -entry (off the diagonal, times -1), -columns (values of air keep their columns),\n\
-half (values are given half a cell behind the sides of open), -ghost (the surface is at this part of the way to a cell of air), -jump (of the density, in the middle), -again (the image changes), -most (iterations),\n\
-alone (one process needs as many iterations), -transpose (of the preconditioner, and several vectors at once).\n\n";

#include <petlap.h>
#include <petscdmda.h>
#include <cstdlib>
#include <cstring>

enum { AIR, FLUID, SOLID };

static PetscInt Scene(const char name[], PetscInt dim, const PetscInt n[3], const PetscInt c[3], PetscInt again)
{
  const PetscReal x = (c[0] + 0.5) / n[0] + 0.02 * again, y = (c[1] + 0.5) / n[1], z = dim == 3 ? (c[2] + 0.5) / n[2] : 0.5, up = dim == 3 ? z : y;
  const int       key  = (int)(((unsigned)c[0] * 73856093u) ^ ((unsigned)c[1] * 19349663u) ^ ((unsigned)(c[2] + 7 * again) * 83492791u));
  const auto      ball = [&](PetscReal a, PetscReal b, PetscReal d, PetscReal r) { return PetscSqr(x - a) + PetscSqr(y - b) + PetscSqr(z - d) < r * r; };

  if (!strcmp(name, "air")) return AIR;
  if (!strcmp(name, "walls")) return SOLID;
  if (!strcmp(name, "cells")) return c[0] % 2 || c[1] % 2 || c[2] % 2 ? (c[0] + c[1]) % 3 ? AIR : SOLID : FLUID;
  if (!strcmp(name, "one")) return c[0] == n[0] / 2 && c[1] == n[1] / 2 && c[2] == n[2] / 2 ? FLUID : AIR;
  if (!strcmp(name, "drain")) return again == 1 ? (PetscInt)AIR : Scene("dam", dim, n, c, again);
  switch (name[0] == 'p' ? name[2] : name[0] == 'd' ? name[1] : name[0]) {
  case 'o': /* open, or p-o-o-l */
    return name[0] == 'p' ? (up < 0.6 ? FLUID : AIR) : FLUID;
  case 'a': /* dam */
    return (x < 0.35 && up < 0.7) || up < 0.15 ? FLUID : AIR;
  case 's':
    return ball(0.4, 0.5, 0.5, 0.16) || ball(0.75, 0.6, 0.5, 0.11) ? SOLID : FLUID;
  case 'r': /* drops and bubbles of single cells, and cells that nothing flows out of */
    if (std::abs(key % 100000) % 23 == 0) return up < 0.5 ? AIR : FLUID;
    if (std::abs(key % 100000) % 29 == 0) return SOLID;
    return up < 0.5 ? FLUID : AIR;
  case 'c': /* pocket: fluid closed in by walls, beside a pool */
    if (name[0] == 'p') {
      const PetscReal d = PetscMax(PetscAbsReal(x - 0.5), PetscMax(PetscAbsReal(y - 0.5), dim == 3 ? PetscAbsReal(z - 0.5) : 0.0));

      if (d < 0.15) return FLUID;
      if (d < 0.3) return SOLID;
      return up < 0.9 ? FLUID : AIR;
    }
    /* chambers: two of them, neither with air */
    return PetscAbsReal(x - 0.55) < 0.06 ? SOLID : FLUID;
  default:
    return FLUID;
  }
}

/* v'P u against u'P^T v, and several vectors at once against one */
static PetscErrorCode CheckTranspose(PC pc, Vec b)
{
  Vec         u, v, pu, pv, column;
  Mat         U, Z;
  PetscRandom random;
  PetscScalar one, other;
  PetscReal   size[2], difference;
  PetscInt    n;

  PetscFunctionBeginUser;
  for (Vec *w : {&u, &v, &pu, &pv}) PetscCall(VecDuplicate(b, w));
  PetscCall(PetscRandomCreate(PetscObjectComm((PetscObject)b), &random));
  PetscCall(VecSetRandom(u, random));
  PetscCall(VecSetRandom(v, random));
  PetscCall(PCApply(pc, u, pu));
  PetscCall(PCApplyTranspose(pc, v, pv));
  PetscCall(VecDot(pu, v, &one));
  PetscCall(VecDot(pv, u, &other));
  PetscCall(VecNorm(pu, NORM_2, &size[0]));
  PetscCall(VecNorm(v, NORM_2, &size[1]));
  if (!(PetscAbsScalar(one - other) <= 1e-12 * size[0] * size[1])) PetscCall(PetscPrintf(PetscObjectComm((PetscObject)b), "The transpose is wrong by %g\n", (double)(PetscAbsScalar(one - other) / (size[0] * size[1]))));
  PetscCall(VecGetLocalSize(b, &n));
  PetscCall(MatCreateDense(PetscObjectComm((PetscObject)b), n, PETSC_DECIDE, PETSC_DETERMINE, 2, nullptr, &U));
  PetscCall(MatDuplicate(U, MAT_DO_NOT_COPY_VALUES, &Z));
  for (PetscInt k = 0; k < 2; k++) {
    PetscCall(MatDenseGetColumnVecWrite(U, k, &column));
    PetscCall(VecCopy(k ? u : v, column));
    PetscCall(MatDenseRestoreColumnVecWrite(U, k, &column));
  }
  PetscCall(MatAssemblyBegin(U, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(U, MAT_FINAL_ASSEMBLY));
  PetscCall(PCMatApply(pc, U, Z));
  PetscCall(MatDenseGetColumnVecRead(Z, 1, &column));
  PetscCall(VecAXPY(pu, -1.0, column));
  PetscCall(MatDenseRestoreColumnVecRead(Z, 1, &column));
  PetscCall(VecNorm(pu, NORM_2, &difference));
  if (!(difference <= 1e-14 * size[0])) PetscCall(PetscPrintf(PetscObjectComm((PetscObject)b), "Several vectors at once differ from one by %g\n", (double)(difference / size[0])));
  for (Vec *w : {&u, &v, &pu, &pv}) PetscCall(VecDestroy(w));
  PetscCall(MatDestroy(&U));
  PetscCall(MatDestroy(&Z));
  PetscCall(PetscRandomDestroy(&random));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Solve(MPI_Comm comm, PetscInt *iterations)
{
  DM                 dm;
  Vec                labels, local, b, x, r, rows;
  Mat                A;
  KSP                ksp;
  PC                 pc;
  PetscInt           dim = 2, n[3] = {33, 29, 1}, most = 100000, again = 0, its, total = 0, s[3], w[3], nfluid = 0;
  PetscReal          entry = 1.0, ghost = 1.0, jump = 1.0, bnorm, rnorm, rtol;
  PetscBool          given = PETSC_TRUE, all = PETSC_TRUE, columns = PETSC_FALSE, half = PETSC_FALSE, transpose = PETSC_FALSE, flag;
  char               scene[32] = "box", word[32];
  PetscScalar     ***l3, **l2, ***g3, **g2;
  KSPConvergedReason reason;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-dim", &dim, nullptr));
  if (dim == 3) {
    n[0] = 17;
    n[1] = 15;
    n[2] = 19;
  }
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-n", &n[0], nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-most", &most, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-again", &total, nullptr));
  PetscCall(PetscOptionsGetReal(nullptr, nullptr, "-entry", &entry, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-columns", &columns, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-half", &half, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-transpose", &transpose, nullptr));
  PetscCall(PetscOptionsGetReal(nullptr, nullptr, "-ghost", &ghost, nullptr));
  PetscCall(PetscOptionsGetReal(nullptr, nullptr, "-jump", &jump, nullptr));
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-scene", scene, sizeof(scene), nullptr));
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-image", word, sizeof(word), &flag));
  if (flag) given = (PetscBool)(word[0] == 'g');
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-rows", word, sizeof(word), &flag));
  if (flag) all = (PetscBool)(word[0] == 'a');

  if (dim == 3)
    PetscCall(DMDACreate3d(comm, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, n[0], n[1], n[2], PETSC_DECIDE, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, nullptr, &dm));
  else
    PetscCall(DMDACreate2d(comm, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, n[0], n[1], PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &dm));
  PetscCall(DMSetFromOptions(dm));
  PetscCall(DMSetUp(dm));
  PetscCall(DMDAGetCorners(dm, &s[0], &s[1], &s[2], &w[0], &w[1], &w[2]));
  PetscCall(DMCreateGlobalVector(dm, &labels));
  PetscCall(DMCreateLocalVector(dm, &local));
  PetscCall(KSPCreate(comm, &ksp));
  PetscCall(KSPSetType(ksp, KSPPSDO));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCNEURAL));
  PetscCall(KSPSetTolerances(ksp, 1e-8, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPSetFromOptions(ksp));
  for (again = 0; again <= total; again++) {
    const bool open  = scene[0] == 'o';
    IS         fluid = nullptr;

    const auto label = [&](PetscInt i, PetscInt j, PetscInt k) -> PetscInt {
      if (i < 0 || j < 0 || k < 0 || i >= n[0] || j >= n[1] || k >= n[2]) return open ? AIR : SOLID;
      return (PetscInt)PetscRealPart(dim == 3 ? l3[k][j][i] : l2[j][i]);
    };
    const auto cells = [&](auto body) {
      for (PetscInt k = s[2]; k < s[2] + w[2]; k++) {
        for (PetscInt j = s[1]; j < s[1] + w[1]; j++) {
          for (PetscInt i = s[0]; i < s[0] + w[0]; i++) PetscCall(body(i, j, k));
        }
      }
      return (PetscErrorCode)0;
    };

    if (dim == 3)
      PetscCall(DMDAVecGetArray(dm, labels, &g3));
    else
      PetscCall(DMDAVecGetArray(dm, labels, &g2));
    PetscCall(cells([&](PetscInt i, PetscInt j, PetscInt k) {
      const PetscInt c[3] = {i, j, k};

      (dim == 3 ? g3[k][j][i] : g2[j][i]) = (PetscScalar)Scene(scene, dim, n, c, again);
      return (PetscErrorCode)0;
    }));
    if (dim == 3)
      PetscCall(DMDAVecRestoreArray(dm, labels, &g3));
    else
      PetscCall(DMDAVecRestoreArray(dm, labels, &g2));
    PetscCall(DMGlobalToLocal(dm, labels, INSERT_VALUES, local));
    if (dim == 3)
      PetscCall(DMDAVecGetArrayRead(dm, local, &l3));
    else
      PetscCall(DMDAVecGetArrayRead(dm, local, &l2));

    /* The matrix on all cells; rows of cells without an equation are those of the identity */
    PetscCall(DMCreateMatrix(dm, &A));
    PetscCall(MatSetOption(A, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
    PetscCall(MatSetOption(A, MAT_IGNORE_ZERO_ENTRIES, PETSC_TRUE));

    nfluid = 0;
    PetscCall(cells([&](PetscInt i, PetscInt j, PetscInt k) -> PetscErrorCode {
      const PetscInt step[6][3] = {{-1, 0, 0}, {1, 0, 0}, {0, -1, 0}, {0, 1, 0}, {0, 0, -1}, {0, 0, 1}};
      MatStencil     row        = {k, j, i, 0}, column;
      PetscScalar    diagonal = 0.0, one = entry;
      const bool     is = label(i, j, k) == FLUID;

      for (PetscInt f = 0; f < 2 * dim && is; f++) {
        const PetscInt    to[3] = {i + step[f][0], j + step[f][1], k + step[f][2]}, l = label(to[0], to[1], to[2]);
        const PetscReal   weight = jump == 1.0 ? entry : 2.0 * entry / ((2 * i < n[0] ? 1.0 : jump) + (2 * to[0] < n[0] ? 1.0 : jump));
        const PetscScalar off    = -weight;
        const bool        beyond = to[0] < 0 || to[1] < 0 || to[2] < 0 || to[0] >= n[0] || to[1] >= n[1] || to[2] >= n[2];

        if (l != SOLID) diagonal += half && beyond ? 2.0 * weight : l == AIR ? weight / ghost : weight;
        if (l == FLUID || (l == AIR && columns && !beyond)) {
          column = {to[2], to[1], to[0], 0};
          PetscCall(MatSetValuesStencil(A, 1, &row, 1, &column, &off, INSERT_VALUES));
        }
      }
      if (is && diagonal != 0.0) nfluid++;
      if (!is || diagonal == 0.0) diagonal = one;
      PetscCall(MatSetValuesStencil(A, 1, &row, 1, &row, &diagonal, INSERT_VALUES));
      return (PetscErrorCode)0;
    }));
    PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
    if (!all) {
      Mat                part;
      const PetscScalar *l;
      PetscInt          *index, start, m = 0;

      PetscCall(VecGetArrayRead(labels, &l));
      PetscCall(VecGetOwnershipRange(labels, &start, nullptr));
      PetscCall(PetscMalloc1(w[0] * w[1] * w[2], &index));
      for (PetscInt i = 0; i < w[0] * w[1] * w[2]; i++) {
        if (l[i] == 1.0) index[m++] = start + i;
      }
      PetscCall(VecRestoreArrayRead(labels, &l));
      PetscCall(ISCreateGeneral(comm, m, index, PETSC_OWN_POINTER, &fluid));
      PetscCall(MatCreateSubMatrix(A, fluid, fluid, MAT_INITIAL_MATRIX, &part));
      PetscCall(MatDestroy(&A));
      A = part;
    }
    if (dim == 3)
      PetscCall(DMDAVecRestoreArrayRead(dm, local, &l3));
    else
      PetscCall(DMDAVecRestoreArrayRead(dm, local, &l2));
    if (given) PetscCall(PCNeuralSetImage(pc, dm, labels));

    /* A right-hand side in the range of the matrix, the same on any number of processes */
    PetscCall(MatCreateVecs(A, &x, &b));
    PetscCall(VecDuplicate(b, &r));
    PetscCall(VecDuplicate(labels, &rows));
    {
      PetscScalar *v;
      PetscInt     k = 0;

      PetscCall(VecGetArrayWrite(rows, &v));
      PetscCall(cells([&](PetscInt i, PetscInt j, PetscInt z) {
        v[k++] = PetscSinReal(0.7 * i + 0.3) * PetscCosReal(1.1 * j) + 0.1 * z + ((i * 7 + j * 13 + z * 29) % 11) * 0.05;
        return (PetscErrorCode)0;
      }));
      PetscCall(VecRestoreArrayWrite(rows, &v));
      if (columns) {
        /* Rows of fluid do not see values of air that are zero */
        const PetscScalar *l;

        PetscCall(VecGetArrayRead(labels, &l));
        PetscCall(VecGetArray(rows, &v));
        for (PetscInt i = 0; i < w[0] * w[1] * w[2]; i++) {
          if (l[i] != 1.0) v[i] = 0.0;
        }
        PetscCall(VecRestoreArray(rows, &v));
        PetscCall(VecRestoreArrayRead(labels, &l));
      }
      if (fluid) {
        Vec part;

        PetscCall(VecGetSubVector(rows, fluid, &part));
        PetscCall(VecCopy(part, r));
        PetscCall(VecRestoreSubVector(rows, fluid, &part));
      } else
        PetscCall(VecCopy(rows, r));
    }
    PetscCall(MatMult(A, r, b));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(KSPGetConvergedReason(ksp, &reason));
    PetscCall(KSPGetIterationNumber(ksp, &its));
    PetscCall(MatMult(A, x, r));
    PetscCall(VecAYPX(r, -1.0, b));
    PetscCall(VecNorm(b, NORM_2, &bnorm));
    PetscCall(VecNorm(r, NORM_2, &rnorm));
    PetscCall(KSPGetTolerances(ksp, &rtol, nullptr, nullptr, nullptr));
    if (transpose) PetscCall(CheckTranspose(pc, b));
    if (comm == PETSC_COMM_WORLD) {
      PetscCall(PetscPrintf(comm, "%s: %s, %s", scene, reason > 0 ? "converged" : KSPConvergedReasons[reason], rnorm <= 10.0 * rtol * bnorm ? "solved" : "NOT SOLVED"));
      if (its > most) PetscCall(PetscPrintf(comm, ", in %" PetscInt_FMT " iterations", its));
      PetscCall(PetscPrintf(comm, "\n"));
    }
    *iterations = its;
    PetscCall(ISDestroy(&fluid));
    PetscCall(MatDestroy(&A));
    PetscCall(VecDestroy(&x));
    PetscCall(VecDestroy(&b));
    PetscCall(VecDestroy(&r));
    PetscCall(VecDestroy(&rows));
  }
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&labels));
  PetscCall(VecDestroy(&local));
  PetscCall(DMDestroy(&dm));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  PetscInt  its, alone;
  PetscBool flag;

  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(Solve(PETSC_COMM_WORLD, &its));
  PetscCall(PetscOptionsHasName(nullptr, nullptr, "-alone", &flag));
  if (flag) {
    PetscCall(Solve(PETSC_COMM_SELF, &alone));
    /* Sums over processes are rounded in another order */
    if (PetscAbsInt(its - alone) > 1) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " iterations, and %" PetscInt_FMT " of one process\n", its, alone));
  }
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex petlap

  testset:
    args: -pc_neural_weights analytic -alone -most 60
    nsize: {{1 2 4}}
    test:
      suffix: given
      args: -dim {{2 3}separate output} -scene {{box pool dam smoke drops pocket chambers}separate output}
    test:
      suffix: read
      args: -image matrix -dim {{2 3}separate output} -scene {{open pool dam drops}separate output}
    test:
      suffix: fluid
      args: -rows fluid -dim {{2 3}separate output} -scene {{dam drops}separate output}

  testset:
    args: -pc_neural_weights analytic
    nsize: {{1 3}}
    test:
      suffix: half
      args: -scene open -image matrix -half -dim {{2 3}}
    test:
      suffix: columns
      args: -scene pool -columns -image {{given matrix}}
    test:
      suffix: entry
      args: -scene pool -entry {{-3.5 1e-12 1e12}}
    test:
      suffix: mask
      args: -scene pool -pc_neural_mask {{none fluid dilated}} -dim {{2 3}} -n {{9 24}}
    test:
      suffix: scaling
      args: -scene pool -pc_neural_scaling {{none scalar diagonal}} -rows {{all fluid}}
    test:
      suffix: levels
      args: -scene pool -pc_neural_levels {{1 2 3 24}} -dim {{2 3}}
    test:
      suffix: thin
      args: -scene box -n {{1 2 3}} -dim {{2 3}}
      nsize: 1
    test:
      suffix: methods
      args: -scene pool -ksp_type {{fcg fgmres gcr}}
    # The solution is formed by applying the preconditioner to other vectors than the residual is: in double precision
    test:
      suffix: linear
      args: -scene dam -rows {{all fluid}} -ksp_rtol 1e-10 -ksp_type {{gmres bcgs cgs tfqmr bicg}} -ksp_pc_side left
    test:
      suffix: linear_right
      args: -scene pool -ksp_rtol 1e-10 -ksp_type {{gmres bcgs}} -ksp_pc_side right -dim {{2 3}}
    test:
      suffix: linear_part
      args: -scene pool -image matrix -ksp_rtol 1e-10 -ksp_type {{gmres psdo}} -pc_type mg -pc_mg_levels 1 -mg_levels_ksp_type richardson -mg_levels_ksp_max_it 1 -mg_levels_pc_type neural -mg_levels_pc_neural_weights analytic
    test:
      suffix: linear_sum
      args: -scene pool -image matrix -ksp_rtol 1e-10 -ksp_type {{gmres psdo}} -pc_type composite -pc_composite_pcs neural,jacobi -sub_0_pc_neural_weights analytic
    test:
      suffix: precision
      args: -scene pool -ksp_view -ksp_type {{psdo gmres}separate output} -pc_neural_precision {{auto single double}separate output} -ksp_rtol 1e-4
      filter: grep -E "solved|precision"
    test:
      suffix: transpose
      args: -scene drops -transpose -pc_neural_precision double -dim {{2 3}} -pc_neural_mask {{none fluid dilated}} -pc_neural_scaling {{scalar diagonal}} -ksp_type psdo
    test:
      suffix: dry
      args: -scene {{air walls cells one}separate output} -image {{given matrix}} -rows all -dim {{2 3}} -transpose
    test:
      suffix: dry_fluid
      args: -scene {{air walls cells one}separate output} -rows fluid -dim {{2 3}}
    test:
      suffix: drain
      args: -scene drain -again 3
    test:
      suffix: drain_image
      output_file: output/neural1_drain.out
      args: -scene drain -again 3 -image matrix
    # Faces that are not alike
    test:
      suffix: varies
      args: -scene pool -ksp_view -ghost {{1 0.3}separate output} -jump {{1 10 1000}separate output} -rows {{all fluid}} -ksp_max_it 20000 -ksp_psdo_mmax 30
      filter: grep -E "solved|vary"
    test:
      suffix: again
      args: -scene dam -again 2 -ksp_view
      filter: grep -E "solved|made so far"
      nsize: 1

  # Each application is compared with that of the host; gpu: a real one or the emulated one
  testset:
    args: -pc_neural_weights analytic -pc_neural_backend cuda -petlap_check
    requires: gpu
    test:
      suffix: gpu
      args: -dim {{2 3}separate output} -scene {{dam drops}separate output} -rows {{all fluid}} -most 60
    test:
      suffix: gpu_again
      args: -scene dam -again 2 -ksp_view
      filter: grep -E "solved|made so far|backend"
    test:
      suffix: gpu_open
      args: -scene open -image matrix -half -pc_neural_scaling {{scalar diagonal}} -pc_neural_mask {{none fluid dilated}}
    test:
      suffix: gpu_levels
      args: -scene pool -pc_neural_levels {{1 2 3 24}} -dim {{2 3}} -n {{9 24}} -most 500

  # Vectors on the device: auto follows them, and nothing goes back and forth in a solve
  testset:
    args: -pc_neural_weights analytic -dm_vec_type cuda -dm_mat_type aijcusparse -dim 3
    requires: gpu cuda
    test:
      suffix: cuda
      args: -scene {{dam drops}separate output} -petlap_check -most 60
    test:
      suffix: cuda_view
      args: -scene pool -ksp_view
      filter: grep -E "solved|backend"
    test:
      suffix: cuda_host
      args: -scene pool -pc_neural_backend host -ksp_view
      filter: grep -E "solved|backend"

TEST*/
