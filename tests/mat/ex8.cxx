static char help[] = "Closed surfaces on a square whose frame is glued to itself, with schwarzschur's octahedral topology.\n\
  -n nx,ny, -dof d: the grid\n\
  -kind cells: each side of the frame is coupled to its own mirror image; random: any frame point to any other; vertices: mirror images are one\n\
  vertex, by constraints with multipliers, compared with the elimination of the duplicates\n\
  -unsymmetric: other values above the diagonal\n\
  -attach: gives the matrix a DMDA\n\n";

#include <petlap.h>
#include <petscdmda.h>
#include "tests/mat/backwarderror.h"

static PetscReal Hash(PetscInt i, PetscInt j)
{
  unsigned h = (unsigned)i * 2654435761u ^ (unsigned)j * 2246822519u;

  h ^= h >> 15;
  h *= 2246822519u;
  h ^= h >> 13;
  return (h & 0xffffff) / 16777216.0;
}

/* The point that midpoint reflection puts on this one; corners are one point */
static PetscInt Mirror(const PetscInt n[2], PetscInt p)
{
  const PetscInt x = p % n[0], y = p / n[0];

  if ((x == 0 || x == n[0] - 1) && (y == 0 || y == n[1] - 1)) return 0;
  if (y == 0 || y == n[1] - 1) return (n[0] - 1 - x) + n[0] * y;
  if (x == 0 || x == n[0] - 1) return x + n[0] * (n[1] - 1 - y);
  return p;
}

/* The value belongs to the rows divided by every */
static PetscErrorCode Couple(Mat A, PetscInt i, PetscInt j, PetscInt every, PetscBool unsymmetric)
{
  PetscReal v = 0.5 + Hash(PetscMin(i, j) / every, PetscMax(i, j) / every);

  PetscFunctionBeginUser;
  PetscCall(MatSetValue(A, i, i, v, ADD_VALUES));
  if (unsymmetric && i < j) v *= 0.7;
  PetscCall(MatSetValue(A, i, j, -v, ADD_VALUES));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A 9-point Laplacian and the identity; every unknown of a point is coupled to all of the neighbours */
static PetscErrorCode Grid(Mat A, const PetscInt n[2], PetscInt dof, PetscInt used, PetscBool unsymmetric)
{
  PetscFunctionBeginUser;
  for (PetscInt p = 0; p < n[0] * n[1]; p++) {
    for (PetscInt y = -1; y <= 1; y++) {
      for (PetscInt x = -1; x <= 1; x++) {
        if ((!x && !y) || p % n[0] + x < 0 || p % n[0] + x >= n[0] || p / n[0] + y < 0 || p / n[0] + y >= n[1]) continue;
        for (PetscInt a = 0; a < used; a++) {
          for (PetscInt b = 0; b < used; b++) PetscCall(Couple(A, p * dof + a, (p + x + n[0] * y) * dof + b, dof / used, unsymmetric));
        }
      }
    }
    for (PetscInt a = 0; a < used; a++) PetscCall(MatSetValue(A, p * dof + a, p * dof + a, 0.1, ADD_VALUES));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The answer without duplicates: (F^T D F) v = F^T d, u = F v */
static PetscErrorCode Eliminate(const PetscInt n[2], PetscBool unsymmetric, Vec d, Vec u)
{
  const PetscInt N      = n[0] * n[1];
  PetscInt       unique = 0, *column;
  Mat            D, F, P;
  Vec            v, w;
  KSP            ksp;
  PC             pc;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc1(N, &column));
  for (PetscInt p = 0; p < N; p++) {
    const PetscInt q = PetscMin(p, Mirror(n, p));

    column[p] = q < p ? column[q] : unique++;
  }
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, N, N, 9, NULL, &D));
  PetscCall(Grid(D, n, 1, 1, unsymmetric));
  PetscCall(MatAssemblyBegin(D, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(D, MAT_FINAL_ASSEMBLY));
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, N, unique, 1, NULL, &F));
  for (PetscInt p = 0; p < N; p++) PetscCall(MatSetValue(F, p, column[p], 1.0, INSERT_VALUES));
  PetscCall(MatAssemblyBegin(F, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(F, MAT_FINAL_ASSEMBLY));
  PetscCall(MatPtAP(D, F, MAT_INITIAL_MATRIX, 3.0, &P));
  PetscCall(MatCreateVecs(P, &v, &w));
  PetscCall(MatMultTranspose(F, d, w));
  PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
  PetscCall(KSPSetOptionsPrefix(ksp, "eliminated_"));
  PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCLU));
  PetscCall(KSPSetOperators(ksp, P, P));
  PetscCall(KSPSolve(ksp, w, v));
  PetscCall(MatMult(F, v, u));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&v));
  PetscCall(VecDestroy(&w));
  PetscCall(MatDestroy(&P));
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&D));
  PetscCall(PetscFree(column));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Check(const char what[], PetscReal error, PetscReal bound)
{
  PetscFunctionBeginUser;
  if (error <= bound)
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: small\n", what));
  else
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: %.1e\n", what, (double)error));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  PetscInt  n[2] = {21, 21}, got = 2, dof = 1, N, points;
  PetscBool unsymmetric = PETSC_FALSE, attach = PETSC_FALSE, vertices, random;
  char      kind[16] = "cells";
  Mat       A;
  Vec       b, x, r;
  KSP       ksp;
  PetscReal nx, worst = 0;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetIntArray(NULL, NULL, "-n", n, &got, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-dof", &dof, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-unsymmetric", &unsymmetric, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-attach", &attach, NULL));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-kind", kind, sizeof(kind), NULL));
  PetscCall(PetscStrcmp(kind, "vertices", &vertices));
  PetscCall(PetscStrcmp(kind, "random", &random));
  if (vertices) dof = 2;
  points = n[0] * n[1];
  N      = points * dof;
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, N, N, 20 * dof, NULL, &A));
  PetscCall(MatSetBlockSize(A, dof));
  PetscCall(MatSetOption(A, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
  PetscCall(Grid(A, n, dof, vertices ? 1 : dof, unsymmetric));
  for (PetscInt p = 0; p < points; p++) {
    const PetscInt q = Mirror(n, p), x = p % n[0], y = p / n[0];

    if (vertices) {
      /* The multiplier of a duplicate is its second unknown, those of the others are zero */
      if (q < p) {
        PetscCall(MatSetValue(A, 2 * p + 1, 2 * p, 1.0, ADD_VALUES));
        PetscCall(MatSetValue(A, 2 * p, 2 * p + 1, 1.0, ADD_VALUES));
        PetscCall(MatSetValue(A, 2 * p + 1, 2 * q, -1.0, ADD_VALUES));
        PetscCall(MatSetValue(A, 2 * q, 2 * p + 1, -1.0, ADD_VALUES));
        PetscCall(MatSetValue(A, 2 * p + 1, 2 * p + 1, 0.0, ADD_VALUES));
      } else {
        PetscCall(MatSetValue(A, 2 * p + 1, 2 * p + 1, 1.0, ADD_VALUES));
      }
    } else if (random) {
      if (x && y && x < n[0] - 1 && y < n[1] - 1) continue;
      for (PetscInt k = 1; k <= 3; k++) {
        PetscInt o = (PetscInt)(Hash(p, k) * 2 * n[0]);

        o = o < n[0] ? o : o - n[0] + n[0] * (n[1] - 1);
        if (o == p) continue;
        PetscCall(Couple(A, p * dof, o * dof + dof - 1, 1, unsymmetric));
        PetscCall(Couple(A, o * dof + dof - 1, p * dof, 1, unsymmetric));
      }
    } else if (q != p) {
      for (PetscInt a = 0; a < dof; a++) {
        PetscCall(Couple(A, p * dof + a, q * dof + a, 1, unsymmetric));
        /* All corners couple to the first, and the first to all */
        if (!q) PetscCall(Couple(A, a, p * dof + a, 1, unsymmetric));
      }
    }
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  if (attach) {
    DM dm;

    PetscCall(DMDACreate2d(PETSC_COMM_SELF, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_BOX, n[0], n[1], 1, 1, dof, 1, NULL, NULL, &dm));
    PetscCall(DMSetUp(dm));
    PetscCall(MatSetDM(A, dm));
    PetscCall(DMDestroy(&dm));
  }
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecDuplicate(b, &r));
  for (PetscInt i = 0; i < N; i++) PetscCall(VecSetValue(b, i, vertices && i % 2 ? 0.0 : Hash(i, 77) - 0.3, INSERT_VALUES));
  PetscCall(VecAssemblyBegin(b));
  PetscCall(VecAssemblyEnd(b));
  PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
  PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetFromOptions(ksp));
  for (PetscInt transpose = 1; transpose >= 0; transpose--) {
    PetscReal error;

    if (transpose)
      PetscCall(KSPSolveTranspose(ksp, b, x));
    else
      PetscCall(KSPSolve(ksp, b, x));
    PetscCall(BackwardError(A, (PetscBool)transpose, b, x, &error));
    /* NaN stays */
    if (!(error <= worst)) worst = error;
  }
  PetscCall(Check("backward error", worst, 1e-14));
  if (vertices) {
    Vec         d, u;
    PetscScalar got, want;

    PetscCall(VecCreateSeq(PETSC_COMM_SELF, points, &d));
    PetscCall(VecDuplicate(d, &u));
    for (PetscInt p = 0; p < points; p++) PetscCall(VecSetValue(d, p, Hash(2 * p, 77) - 0.3, INSERT_VALUES));
    PetscCall(VecAssemblyBegin(d));
    PetscCall(VecAssemblyEnd(d));
    PetscCall(Eliminate(n, unsymmetric, d, u));
    worst = 0;
    for (PetscInt p = 0; p < points; p++) {
      const PetscInt i = 2 * p;

      PetscCall(VecGetValues(x, 1, &i, &got));
      PetscCall(VecGetValues(u, 1, &p, &want));
      worst = PetscMax(worst, PetscAbsScalar(got - want));
    }
    PetscCall(VecNorm(u, NORM_INFINITY, &nx));
    PetscCall(Check("difference from the eliminated system", worst / nx, 1e-11));
    PetscCall(VecDestroy(&d));
    PetscCall(VecDestroy(&u));
  }
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&r));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double petlap

  testset:
    args: -malloc_dump -pc_factor_mat_solver_type schwarzschur -mat_schwarzschur_topology octahedral
    test:
      suffix: cells
      output_file: output/ex8_small.out
      args: -pc_type {{lu cholesky}} -n {{21,21 32,32 33,17}} -dof {{1 2}} -attach {{0 1}}
    test:
      suffix: cells_unsymmetric
      output_file: output/ex8_small.out
      args: -pc_type lu -unsymmetric -n {{5,5 40,40}} -attach -mat_schwarzschur_precision {{double single}}
    test:
      suffix: random
      output_file: output/ex8_small.out
      args: -kind random -pc_type lu -unsymmetric {{0 1}} -dof {{1 2}} -mat_schwarzschur_grid 21,21 -mat_schwarzschur_threads {{1 2}}
    test:
      suffix: random_cholesky
      output_file: output/ex8_small.out
      args: -kind random -pc_type cholesky -attach
    test:
      suffix: vertices
      output_file: output/ex8_vertices.out
      args: -kind vertices -pc_type {{lu cholesky}} -n {{9,9 21,21 30,30 25,33}} -attach

TEST*/
