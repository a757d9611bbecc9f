static char help[] = "Solves with matrices on grids that are spread over ranks, in many ways, and says what is not as it should be.\n\n\
  -n nx,ny[,nz], -dof d, -width w, -star, -periodic px,py[,pz], -frame (octahedral): the grid and its stencil\n\
  -gap: rows lack a part of the stencil\n\
  -kind (spd|indefinite|random): the matrix\n\
  -layout (dmda|natural|uneven|last): how the rows are dealt: by a DMDA, as PETSc does, unevenly with a rank without rows, all to the last rank\n\
  -lx a,b,..., -ly, -lz: points of the DMDA's boxes along each axis\n\
  -hint: the grid is given to the factor, and not found out\n\
  -cholesky: in place of LU\n\
  -tolerance t: of backward errors\n\n";

#include "petlap.h"
#include "backwarderror.h"
#include <petscdmda.h>
#include <petscksp.h>
#include <cstring>
#include <vector>

typedef struct {
  PetscInt  n[3], dim, dof, width, N;
  PetscBool star, periodic[3], frame, gap;
  char      kind[32], layout[32];
  DM        da;
  PetscReal scale; /* for other values with the same pattern */
} Problem;

/* A number between 0 and 1 that belongs to two numbers */
static PetscReal Hash(PetscInt i, PetscInt j, PetscInt k)
{
  unsigned long long h = 88172645463325252ull + (unsigned long long)i * 1181783497276652981ull + (unsigned long long)j * 7885678312317343043ull + (unsigned long long)k * 2685821657736338717ull;

  for (int s = 0; s < 3; s++) {
    h ^= h >> 29;
    h *= 0xbf58476d1ce4e5b9ull;
  }
  return (PetscReal)(h >> 11) / 9007199254740992.0;
}

/* What a row of the matrix couples with, in natural numbers */
static void RowColumns(const Problem *p, PetscInt row, std::vector<PetscInt> &columns)
{
  const PetscInt q = row / p->dof, c[3] = {q % p->n[0], q / p->n[0] % p->n[1], q / p->n[0] / p->n[1]};
  PetscInt       x[3];

  columns.clear();
  for (x[2] = c[2] - p->width; x[2] <= c[2] + p->width; x[2]++) {
    for (x[1] = c[1] - p->width; x[1] <= c[1] + p->width; x[1]++) {
      for (x[0] = c[0] - p->width; x[0] <= c[0] + p->width; x[0]++) {
        PetscInt y[3], moved = 0;
        bool     out = false;

        for (int d = 0; d < 3; d++) {
          y[d] = x[d];
          if (p->periodic[d]) y[d] = (y[d] + p->n[d]) % p->n[d];
          if (y[d] < 0 || y[d] >= p->n[d]) out = true;
          if (x[d] != c[d]) moved++;
        }
        if (out || (p->star && moved > 1)) continue;
        const PetscInt other = y[0] + p->n[0] * (y[1] + p->n[1] * y[2]);
        if (p->gap && moved && Hash(PetscMin(q, other), PetscMax(q, other), 7) < 0.2) continue;
        for (PetscInt b = 0; b < p->dof; b++) columns.push_back(other * p->dof + b);
      }
    }
  }
  /* Opposite points of the frame */
  if (p->frame && (c[0] == 0 || c[1] == 0 || c[0] == p->n[0] - 1 || c[1] == p->n[1] - 1)) {
    const PetscInt other = (p->n[0] - 1 - c[0]) + p->n[0] * (p->n[1] - 1 - c[1]);

    for (PetscInt b = 0; b < p->dof; b++) columns.push_back(other * p->dof + b);
  }
}

static PetscScalar Coupling(const Problem *p, PetscInt i, PetscInt j)
{
  const PetscInt  a = PetscMin(i, j), b = PetscMax(i, j);
  const PetscReal size = p->scale * (0.5 + Hash(a, b, 1));

  if (!strcmp(p->kind, "random")) {
#if defined(PETSC_USE_COMPLEX)
    return PetscCMPLX(2 * Hash(i, j, 2) - 1, 2 * Hash(i, j, 3) - 1);
#else
    return 2 * Hash(i, j, 2) - 1;
#endif
  }
#if defined(PETSC_USE_COMPLEX)
  const PetscReal angle = 6.28 * Hash(a, b, 4) * (i < j ? 1 : -1);

  if (!strcmp(p->kind, "spd")) return PetscCMPLX(-size * PetscCosReal(angle), -size * PetscSinReal(angle));
  /* Symmetric, not Hermitian */
  return PetscCMPLX(-size, 0.3 * Hash(a, b, 5));
#else
  return -size;
#endif
}

static PetscErrorCode Fill(const Problem *p, Mat A)
{
  PetscMPIInt           size, rank;
  std::vector<PetscInt> columns, to;
  AO                    ao = nullptr;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (p->da) PetscCall(DMDAGetAO(p->da, &ao));
  PetscCall(MatZeroEntries(A));
  for (PetscInt row = (PetscInt)((PetscInt64)p->N * rank / size); row < (PetscInt)((PetscInt64)p->N * (rank + 1) / size); row++) {
    PetscReal                sum = 0;
    std::vector<PetscScalar> value;
    PetscInt                 i = row;

    RowColumns(p, row, columns);
    for (PetscInt j : columns) {
      value.push_back(j == row ? 0.0 : Coupling(p, row, j));
      sum += PetscAbsScalar(value.back());
    }
    for (size_t k = 0; k < columns.size(); k++) {
      if (columns[k] != row) continue;
      if (!strcmp(p->kind, "spd"))
        value[k] = sum + 0.01 * p->scale;
      else if (!strcmp(p->kind, "indefinite"))
        value[k] = 0.6 * sum + Hash(row, row, 6);
      else
        value[k] = 0.5 * sum;
      break;
    }
    if (ao) {
      PetscCall(AOApplicationToPetsc(ao, 1, &i));
      PetscCall(AOApplicationToPetsc(ao, (PetscInt)columns.size(), columns.data()));
    }
    PetscCall(MatSetValues(A, 1, &i, (PetscInt)columns.size(), columns.data(), value.data(), ADD_VALUES));
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Create(Problem *p, Mat *A)
{
  PetscInt    local = PETSC_DECIDE, most = p->dof * (2 * p->width + 1) * (p->dim > 1 ? 2 * p->width + 1 : 1) * (p->dim > 2 ? 2 * p->width + 1 : 1) + p->dof;
  PetscMPIInt size, rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  p->da = nullptr;
  if (!strcmp(p->layout, "dmda")) {
    DMBoundaryType type[3];
    PetscInt       parts[3] = {PETSC_DECIDE, PETSC_DECIDE, PETSC_DECIDE}, line[3][8], x, y, z;
    PetscBool      given[3];
    PetscInt      *width[3];
    const char    *names[3] = {"-lx", "-ly", "-lz"};

    for (int d = 0; d < 3; d++) {
      PetscInt n = 8;

      type[d] = p->periodic[d] ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE;
      PetscCall(PetscOptionsGetIntArray(NULL, NULL, names[d], line[d], &n, &given[d]));
      width[d] = given[d] ? line[d] : nullptr;
      if (given[d]) parts[d] = n;
    }
    PetscCall(DMDACreate(PETSC_COMM_WORLD, &p->da));
    PetscCall(DMSetDimension(p->da, p->dim));
    PetscCall(DMDASetSizes(p->da, p->n[0], p->n[1], p->n[2]));
    PetscCall(DMDASetNumProcs(p->da, parts[0], parts[1], parts[2]));
    PetscCall(DMDASetBoundaryType(p->da, type[0], type[1], type[2]));
    PetscCall(DMDASetDof(p->da, p->dof));
    PetscCall(DMDASetStencilType(p->da, p->star ? DMDA_STENCIL_STAR : DMDA_STENCIL_BOX));
    PetscCall(DMDASetStencilWidth(p->da, p->width));
    PetscCall(DMDASetOwnershipRanges(p->da, width[0], width[1], width[2]));
    PetscCall(DMSetUp(p->da));
    PetscCall(DMDAGetCorners(p->da, nullptr, nullptr, nullptr, &x, &y, &z));
    local = p->dof * x * (p->dim > 1 ? y : 1) * (p->dim > 2 ? z : 1);
  } else if (!strcmp(p->layout, "uneven")) {
    /* The first rank has few rows, the second none, where there are others */
    local = size == 1 ? p->N : rank == 0 ? p->N / (2 * size) : rank == 1 ? 0 : PETSC_DECIDE;
    if (size == 2 && rank == 0) local = p->N;
    if (size > 2 && rank > 1) {
      const PetscInt rest = p->N - p->N / (2 * size), k = rank - 2, of = size - 2;

      local = (PetscInt)((PetscInt64)rest * (k + 1) / of) - (PetscInt)((PetscInt64)rest * k / of);
    }
  } else if (!strcmp(p->layout, "last"))
    local = rank == size - 1 ? p->N : 0;
  PetscCall(MatCreate(PETSC_COMM_WORLD, A));
  PetscCall(MatSetSizes(*A, local, local, p->N, p->N));
  PetscCall(MatSetType(*A, MATMPIAIJ));
  PetscCall(MatMPIAIJSetPreallocation(*A, most, nullptr, most, nullptr));
  if (p->da) PetscCall(MatSetDM(*A, p->da));
  if (p->dof > 1 && !p->da) PetscCall(MatSetOption(*A, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
  PetscCall(Fill(p, *A));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* What is known of the matrix; an assembly makes PETSc forget it */
static PetscErrorCode Tell(const Problem *p, PetscBool cholesky, Mat A)
{
  PetscFunctionBeginUser;
  if (!strcmp(p->kind, "spd")) {
    PetscCall(MatSetOption(A, PetscDefined(USE_COMPLEX) ? MAT_HERMITIAN : MAT_SYMMETRIC, PETSC_TRUE));
    if (cholesky) PetscCall(MatSetOption(A, MAT_SPD, PETSC_TRUE));
  } else if (!strcmp(p->kind, "indefinite"))
    PetscCall(MatSetOption(A, MAT_SYMMETRIC, PETSC_TRUE));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Expect(PetscBool transpose, const char what[], Mat A, Vec b, Vec x, PetscReal tolerance)
{
  PetscReal error;

  PetscFunctionBeginUser;
  PetscCall(BackwardError(A, transpose, b, x, &error));
  if (!(error <= tolerance)) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: backward error %g\n", what, (double)error));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The answer of another solver on one rank */
static PetscErrorCode Compare(Mat A, Vec b, Vec x, PetscReal tolerance)
{
  KSP       ksp;
  PC        pc;
  Vec       y;
  PetscReal error, size;

  PetscFunctionBeginUser;
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCREDUNDANT));
  PetscCall(PCRedundantSetNumber(pc, 1));
  PetscCall(VecDuplicate(x, &y));
  PetscCall(KSPSolve(ksp, b, y));
  PetscCall(VecNorm(y, NORM_INFINITY, &size));
  PetscCall(VecAXPY(y, -1.0, x));
  PetscCall(VecNorm(y, NORM_INFINITY, &error));
  if (!(error <= tolerance * size)) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "differs from PETSc's own solver by %g\n", (double)(error / size)));
  PetscCall(VecDestroy(&y));
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Numeric(Mat F, Mat A, PetscBool cholesky)
{
  MatFactorInfo info;

  PetscFunctionBeginUser;
  PetscCall(MatFactorInfoInitialize(&info));
  if (cholesky)
    PetscCall(MatCholeskyFactorNumeric(F, A, &info));
  else
    PetscCall(MatLUFactorNumeric(F, A, &info));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Several right-hand sides at once, against one after the other */
static PetscErrorCode Columns(Mat A, Mat F, PetscInt N, PetscReal tolerance)
{
  Mat      B, X;
  PetscInt n;
  Vec      b, x;

  PetscFunctionBeginUser;
  PetscCall(MatGetLocalSize(A, &n, nullptr));
  PetscCall(MatCreateDense(PETSC_COMM_WORLD, n, PETSC_DECIDE, PETSC_DETERMINE, N, nullptr, &B));
  PetscCall(MatSetRandom(B, nullptr));
  PetscCall(MatDuplicate(B, MAT_DO_NOT_COPY_VALUES, &X));
  for (int transpose = 0; transpose < 2; transpose++) {
    if (transpose)
      PetscCall(MatMatSolveTranspose(F, B, X));
    else
      PetscCall(MatMatSolve(F, B, X));
    for (PetscInt k = 0; k < N; k++) {
      PetscCall(MatDenseGetColumnVecRead(B, k, &b));
      PetscCall(MatDenseGetColumnVecRead(X, k, &x));
      PetscCall(Expect((PetscBool)transpose, transpose ? "transposed solve with several right-hand sides" : "several right-hand sides", A, b, x, tolerance));
      PetscCall(MatDenseRestoreColumnVecRead(X, k, &x));
      PetscCall(MatDenseRestoreColumnVecRead(B, k, &b));
    }
  }
  PetscCall(MatDestroy(&B));
  PetscCall(MatDestroy(&X));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The gradient with respect to the matrix against a difference */
static PetscErrorCode Adjoint(Mat A, Mat F, Vec b, Vec x, PetscReal tolerance)
{
  Vec         g, y, z;
  Mat         G;
  PetscScalar found, expected;
  PetscReal   size;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(x, &g));
  PetscCall(VecDuplicate(x, &y));
  PetscCall(VecDuplicate(x, &z));
  PetscCall(VecSetRandom(g, nullptr));
  PetscCall(MatDuplicate(A, MAT_DO_NOT_COPY_VALUES, &G));
  PetscCall(MatSchwarzSchurSolveAdjoint(F, A, x, g, y, G));
  /* G has -y_i conj(x_j) where A has entries, so its row sums are those of the pattern with x; z = A^H y must be g */
  PetscCall(MatMultHermitianTranspose(A, y, z));
  PetscCall(VecAXPY(z, -1.0, g));
  PetscCall(VecNorm(z, NORM_INFINITY, &size));
  PetscCall(VecNorm(y, NORM_INFINITY, &tolerance));
  if (!(size <= 1e-8 * (1 + tolerance))) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "adjoint solve: residual %g\n", (double)size));
  PetscCall(VecDot(b, y, &expected)); /* conj(y) b = conj(y) A x = conj(g) x */
  PetscCall(VecDot(x, g, &found));
  if (PetscAbsScalar(found - expected) > 1e-8 * (1 + PetscAbsScalar(found))) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "the adjoint's product is %g and not %g\n", (double)PetscRealPart(found), (double)PetscRealPart(expected)));
  PetscCall(MatDestroy(&G));
  PetscCall(VecDestroy(&g));
  PetscCall(VecDestroy(&y));
  PetscCall(VecDestroy(&z));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Problem   p;
  PetscInt  n = 3, bits = 3;
  PetscBool hint = PETSC_FALSE, cholesky = PETSC_FALSE, same, view = PETSC_FALSE, again = PETSC_TRUE;
  PetscReal tolerance = 1e-12;
  Mat       A, F;
  Vec       b, x, y;
  MatInfo   info;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  memset(&p, 0, sizeof(p));
  p.dof = p.width = 1;
  p.scale         = 1;
  p.n[0] = p.n[1] = p.n[2] = 1;
  strcpy(p.kind, "spd");
  strcpy(p.layout, "natural");
  PetscCall(PetscOptionsGetIntArray(NULL, NULL, "-n", p.n, &n, NULL));
  p.dim = n;
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-dof", &p.dof, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-width", &p.width, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-star", &p.star, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-frame", &p.frame, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-gap", &p.gap, NULL));
  PetscCall(PetscOptionsGetBoolArray(NULL, NULL, "-periodic", p.periodic, &bits, NULL));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-kind", p.kind, sizeof(p.kind), NULL));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-layout", p.layout, sizeof(p.layout), NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-hint", &hint, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-cholesky", &cholesky, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-view", &view, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-again", &again, NULL));
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-tolerance", &tolerance, NULL));
  p.N = p.n[0] * p.n[1] * p.n[2] * p.dof;
  PetscCall(Create(&p, &A));
  PetscCall(Tell(&p, cholesky, A));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecDuplicate(x, &y));
  PetscCall(VecSetRandom(b, nullptr));
  PetscCall(MatGetFactor(A, MATSOLVERSCHWARZSCHUR, cholesky ? MAT_FACTOR_CHOLESKY : MAT_FACTOR_LU, &F));
  if (hint) PetscCall(MatSchwarzSchurSetGrid(F, p.dim, p.n, p.dof));
  if (cholesky)
    PetscCall(MatCholeskyFactorSymbolic(F, A, nullptr, nullptr));
  else
    PetscCall(MatLUFactorSymbolic(F, A, nullptr, nullptr, nullptr));
  for (int pass = 0; pass < (again ? 2 : 1); pass++) {
    if (pass) {
      p.scale = 3;
      PetscCall(Fill(&p, A));
      PetscCall(Tell(&p, cholesky, A));
    }
    PetscCall(Numeric(F, A, cholesky));
    PetscCall(MatSolve(F, b, x));
    PetscCall(Expect(PETSC_FALSE, pass ? "solve with other values" : "solve", A, b, x, tolerance));
    if (!pass) PetscCall(Compare(A, b, x, 1e-6));
    PetscCall(MatSolve(F, b, y));
    PetscCall(MatSolve(F, b, x));
    PetscCall(VecEqual(x, y, &same));
    if (!same) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "two solves with the same right-hand side differ\n"));
    PetscCall(MatSolveTranspose(F, b, x));
    PetscCall(Expect(PETSC_TRUE, "transposed solve", A, b, x, tolerance));
  }
  PetscCall(Columns(A, F, 5, tolerance));
  PetscCall(MatSolve(F, b, x));
  PetscCall(Adjoint(A, F, b, x, tolerance));
  PetscCall(MatGetInfo(F, MAT_GLOBAL_SUM, &info));
  if (info.nz_used < p.N) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%g entries in the factors\n", (double)info.nz_used));
  if (view) {
    PetscCall(PetscViewerPushFormat(PETSC_VIEWER_STDOUT_WORLD, PETSC_VIEWER_ASCII_INFO));
    PetscCall(MatView(F, PETSC_VIEWER_STDOUT_WORLD));
    PetscCall(PetscViewerPopFormat(PETSC_VIEWER_STDOUT_WORLD));
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "done\n"));
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&y));
  PetscCall(DMDestroy(&p.da));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    requires: petlap
    output_file: output/ex11_1.out
    # Splits of ranks that come to lie at the end of their parent's
    test:
      suffix: split4
      nsize: 4
      args: -n {{97,65 129,65 101,67 113,73 89,61}} -star -cholesky {{0 1}}
    test:
      suffix: split6
      nsize: 6
      args: -n 129,65 -star -cholesky {{0 1}}
    test:
      suffix: split8
      nsize: 8
      args: -n 129,65 -star -cholesky {{0 1}}
    test:
      suffix: uneven
      nsize: 4
      args: -n 40,37 -layout dmda -lx 25,15 -ly 7,30 -kind random
    test:
      suffix: lu
      nsize: {{1 3 8}}
      args: -n 40,37 -kind random
    test:
      suffix: star
      nsize: {{2 7}}
      args: -n 51,54 -star -cholesky
    test:
      suffix: symmetric
      nsize: 3
      args: -n 50,45 -kind indefinite -layout uneven
    test:
      suffix: space
      nsize: 4
      args: -n 9,10,11 -star -kind random -layout uneven
    test:
      suffix: space_spd
      nsize: 4
      args: -n 11,10,9 -cholesky -layout dmda -lx 8,3 -ly 4,6 -lz 9
    test:
      suffix: dof
      nsize: 3
      args: -n 21,17 -dof 2 -layout dmda -kind random
    test:
      suffix: dof_spd
      nsize: 2
      args: -n 21,17 -dof 3 -cholesky -layout uneven -hint
    test:
      suffix: width
      nsize: 4
      args: -n 31,33 -width 2 -kind random -layout dmda
    test:
      suffix: periodic
      nsize: 4
      args: -n 24,20 -periodic 1,0 -layout dmda -kind random
    test:
      suffix: torus
      nsize: 3
      args: -n 24,20 -periodic 1,1
    test:
      suffix: octahedral
      nsize: 3
      args: -n 20,20 -frame -mat_schwarzschur_topology octahedral -kind random
    test:
      suffix: octahedral_spd
      nsize: 4
      args: -n 20,20 -frame -mat_schwarzschur_topology octahedral -cholesky -layout dmda
    test:
      suffix: octahedral_symmetric
      nsize: 2
      args: -n 20,20 -frame -mat_schwarzschur_topology octahedral -kind indefinite
    test:
      suffix: gap
      nsize: 3
      args: -n 40,41 -gap -kind random -hint
    test:
      suffix: single
      nsize: 2
      args: -n 50,40 -mat_schwarzschur_precision single -layout dmda
    test:
      suffix: single_lu
      nsize: 3
      args: -n 50,40 -mat_schwarzschur_precision single -kind random
    test:
      suffix: lines
      nsize: 8
      args: -n 3,4 -hint
    test:
      suffix: line
      nsize: 4
      args: -n 200
    test:
      suffix: last
      nsize: 3
      args: -n 40,30 -layout last -kind random
    test:
      suffix: threads
      nsize: 2
      args: -n 60,50 -mat_schwarzschur_threads 2 -again 0
    test:
      suffix: unrefined
      nsize: 3
      args: -n 40,37 -cholesky -mat_schwarzschur_refine 0 -again 0

TEST*/
