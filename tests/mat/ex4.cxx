static char help[] = "Factors matrices on structured grids with schwarzschur, and checks every kind of solve by its backward error.\n\
  -n nx,ny,nz -dof d -width w -star -periodic px,py,pz: the grid and its stencil\n\
  -kind random|spd|indefinite|hermitian|constant|absorbing: the values; absorbing is a Helmholtz problem whose waves die away near the boundary\n\
  -gaps: leaves entries out; -dirichlet: identity rows on the boundary; -attach: gives the matrix a DMDA\n\
  -factor lu|cholesky, -tolerance for the backward errors\n\n";

#include <petlap.h>
#include <petscdmda.h>
#include "tests/mat/backwarderror.h"

typedef struct {
  PetscInt  n[3], dim, dof, width;
  PetscBool star, periodic[3], gaps, dirichlet, symmetric, hermitian, constant, absorbing;
  PetscReal diagonal;
} Problem;

/* A number in [0, 1) that depends on an unordered pair, or on an ordered one */
static PetscReal Hash(PetscInt i, PetscInt j, unsigned salt)
{
  unsigned h = (unsigned)i * 2654435761u ^ ((unsigned)j + salt) * 40503u * 2246822519u;

  h ^= h >> 15;
  h *= 2246822519u;
  h ^= h >> 13;
  return (h & 0xffffff) / 16777216.0;
}

static PetscScalar Value(const Problem *p, PetscInt i, PetscInt j, PetscInt couplings, unsigned salt)
{
  const PetscInt  a = p->symmetric ? PetscMin(i, j) : i, b = p->symmetric ? PetscMax(i, j) : j;
  const PetscReal r = Hash(a, b, salt);
  PetscScalar     v;

#if defined(PETSC_USE_COMPLEX)
  if (p->absorbing) {
    const PetscInt  q = i / p->dof, c[3] = {q % p->n[0], q / p->n[0] % p->n[1], q / p->n[0] / p->n[1]};
    const PetscReal wave    = 0.3 + 0.05 * salt; /* wave number squared, in units of the mesh */
    PetscReal       damping = 0.0;

    for (PetscInt d = 0; d < p->dim; d++) {
      const PetscReal depth = 10.0 - PetscMin(c[d], p->n[d] - 1 - c[d]);

      if (depth > 0.0) damping += 0.02 * depth * depth;
    }
    return i == j ? PetscCMPLX(p->star ? 2.0 * p->dim : PetscPowInt(3, p->dim) - 1.0, 0.0) - wave * PetscCMPLX(1.0, damping) : (PetscScalar)(-1.0);
  }
#endif
  if (p->constant) return i == j ? (PetscScalar)(3.0 * PetscPowInt(2 * p->width + 1, p->dim) * p->dof) : (PetscScalar)(-Hash(j - i, i % p->dof, salt));
  if (i == j)
    v = p->diagonal * couplings * (p->diagonal > 0.5 ? 1.0 : 2.0 * r - 1.0) + (p->diagonal == 0 ? 2.0 * r - 1.0 : 0.0);
  else
    v = p->symmetric ? -r : 2.0 * r - 1.0;
#if defined(PETSC_USE_COMPLEX)
  if (p->hermitian) {
    if (i != j) v += PetscCMPLX(0.0, (i < j ? 0.5 : -0.5) * Hash(a, b, salt + 7));
  } else {
    v += PetscCMPLX(0.0, 0.3 * Hash(a, b, salt + 7));
  }
#endif
  return v;
}

static PetscBool OnBoundary(const Problem *p, PetscInt q)
{
  const PetscInt c[3] = {q % p->n[0], q / p->n[0] % p->n[1], q / p->n[0] / p->n[1]};

  for (PetscInt d = 0; d < p->dim; d++) {
    if (!p->periodic[d] && (c[d] == 0 || c[d] == p->n[d] - 1)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

static PetscErrorCode Fill(const Problem *p, Mat A, unsigned salt)
{
  PetscInt    *cols, *points;
  PetscScalar *vals;
  PetscInt     reach = 2 * p->width + 1, most = reach * reach * reach * p->dof;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc3(most, &cols, most, &vals, most, &points));
  for (PetscInt q = 0; q < p->n[0] * p->n[1] * p->n[2]; q++) {
    const PetscInt  c[3]     = {q % p->n[0], q / p->n[0] % p->n[1], q / p->n[0] / p->n[1]};
    PetscInt        npoints  = 0, w[3];
    const PetscBool boundary = OnBoundary(p, q);

    for (PetscInt d = 0; d < 3; d++) w[d] = d < p->dim ? p->width : 0;
    for (PetscInt z = -w[2]; z <= w[2]; z++) {
      for (PetscInt y = -w[1]; y <= w[1]; y++) {
        for (PetscInt x = -w[0]; x <= w[0]; x++) {
          const PetscInt s[3] = {x, y, z};
          PetscInt       t[3];
          PetscBool      in = (PetscBool)(!p->star || (x != 0) + (y != 0) + (z != 0) <= 1);

          for (PetscInt d = 0; d < 3; d++) {
            t[d] = c[d] + s[d];
            if (p->periodic[d]) t[d] = (t[d] % p->n[d] + p->n[d]) % p->n[d];
            if (t[d] < 0 || t[d] >= p->n[d]) in = PETSC_FALSE;
          }
          if (!in) continue;
          points[npoints] = t[0] + p->n[0] * (t[1] + p->n[1] * t[2]);
          PetscBool twice = PETSC_FALSE;
          for (PetscInt k = 0; k < npoints; k++) twice = (PetscBool)(twice || points[k] == points[npoints]);
          if (!twice) npoints++;
        }
      }
    }
    for (PetscInt a = 0; a < p->dof; a++) {
      const PetscInt i     = q * p->dof + a;
      PetscInt       ncols = 0;

      for (PetscInt k = 0; k < npoints; k++) {
        for (PetscInt b = 0; b < p->dof; b++) {
          const PetscInt j = points[k] * p->dof + b;

          if (i != j && p->gaps && ((i + j) * 7 + i * j) % 11 == 3) continue;
          if (i != j && p->dirichlet && (boundary || (p->symmetric && OnBoundary(p, points[k])))) continue;
          cols[ncols]   = j;
          vals[ncols++] = i == j && p->dirichlet && boundary ? 1.0 : Value(p, i, j, npoints * p->dof, salt);
        }
      }
      PetscCall(MatSetValues(A, 1, &i, ncols, cols, vals, INSERT_VALUES));
    }
  }
  PetscCall(PetscFree3(cols, vals, points));
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Check(Mat A, PetscBool transpose, Vec b, Vec x, const char what[], PetscReal tolerance, PetscReal *worst)
{
  PetscReal e;

  PetscFunctionBeginUser;
  PetscCall(BackwardError(A, transpose, b, x, &e));
  *worst = PetscMax(*worst, e);
  if (!(e <= tolerance)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: backward error %.1e\n", what, (double)e));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode CheckColumns(Mat A, PetscBool transpose, Mat B, Mat X, const char what[], PetscReal tolerance, PetscReal *worst)
{
  PetscInt n;

  PetscFunctionBeginUser;
  PetscCall(MatGetSize(B, NULL, &n));
  for (PetscInt k = 0; k < n; k++) {
    Vec b, x, bb;

    PetscCall(MatDenseGetColumnVecRead(B, k, &b));
    PetscCall(VecDuplicate(b, &bb));
    PetscCall(VecCopy(b, bb));
    PetscCall(MatDenseRestoreColumnVecRead(B, k, &b));
    PetscCall(MatDenseGetColumnVecRead(X, k, &x));
    PetscCall(Check(A, transpose, bb, x, what, tolerance, worst));
    PetscCall(MatDenseRestoreColumnVecRead(X, k, &x));
    PetscCall(VecDestroy(&bb));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Problem       p;
  Mat           A, F, B, X, Bt;
  Vec           b, x, y;
  IS            row, col;
  MatFactorInfo info;
  MatFactorType type;
  PetscInt      n = 3, N;
  PetscBool     flag, attach = PETSC_FALSE, view = PETSC_FALSE, cholesky = PETSC_FALSE;
  PetscReal     worst = 0, tolerance = 6e-14;
  char          kind[16] = "random", factor[16] = "lu";
  PetscRandom   random;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscMemzero(&p, sizeof(p)));
  p.n[0] = 9;
  p.n[1] = p.n[2] = 1;
  p.dof = p.width = 1;
  PetscCall(PetscOptionsGetIntArray(NULL, NULL, "-n", p.n, &n, NULL));
  p.dim = p.n[2] > 1 ? 3 : p.n[1] > 1 ? 2 : 1;
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-dim", &p.dim, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-dof", &p.dof, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-width", &p.width, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-star", &p.star, NULL));
  n = 3;
  PetscCall(PetscOptionsGetBoolArray(NULL, NULL, "-periodic", p.periodic, &n, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-gaps", &p.gaps, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-dirichlet", &p.dirichlet, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-attach", &attach, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-view_factor", &view, NULL));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-kind", kind, sizeof(kind), NULL));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-factor", factor, sizeof(factor), NULL));
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-tolerance", &tolerance, NULL));
  PetscCall(PetscStrcmp(kind, "random", &flag));
  PetscCall(PetscStrcmp(kind, "constant", &p.constant));
  p.symmetric = (PetscBool)(!flag && !p.constant);
  PetscCall(PetscStrcmp(kind, "hermitian", &p.hermitian));
  PetscCall(PetscStrcmp(kind, "absorbing", &p.absorbing));
  PetscCheck(!p.absorbing || PetscDefined(USE_COMPLEX), PETSC_COMM_SELF, PETSC_ERR_SUP, "-kind absorbing needs complex scalars");
  PetscCall(PetscStrcmp(kind, "spd", &flag));
  p.diagonal = flag || p.hermitian ? 1.01 : p.symmetric ? 0.3 : 0.0;
  PetscCall(PetscStrcmp(factor, "cholesky", &cholesky));
  type = cholesky ? MAT_FACTOR_CHOLESKY : MAT_FACTOR_LU;

  N = p.n[0] * p.n[1] * p.n[2] * p.dof;
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, N, N, (2 * p.width + 1) * (p.dim > 1 ? 2 * p.width + 1 : 1) * (p.dim > 2 ? 2 * p.width + 1 : 1) * p.dof, NULL, &A));
  if (p.hermitian) PetscCall(MatSetOption(A, MAT_HERMITIAN, PETSC_TRUE));
  if (attach) {
    DM dm;

    PetscCall(DMDACreate(PETSC_COMM_SELF, &dm));
    PetscCall(DMSetDimension(dm, p.dim));
    PetscCall(DMDASetSizes(dm, p.n[0], p.n[1], p.n[2]));
    PetscCall(DMDASetBoundaryType(dm, p.periodic[0] ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE, p.periodic[1] ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE, p.periodic[2] ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE));
    PetscCall(DMDASetDof(dm, p.dof));
    PetscCall(DMDASetStencilType(dm, p.star ? DMDA_STENCIL_STAR : DMDA_STENCIL_BOX));
    PetscCall(DMDASetStencilWidth(dm, p.width));
    PetscCall(DMSetUp(dm));
    PetscCall(MatSetDM(A, dm));
    PetscCall(DMDestroy(&dm));
  }
  PetscCall(Fill(&p, A, 1));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecDuplicate(b, &y));
  PetscCall(PetscRandomCreate(PETSC_COMM_SELF, &random));
  PetscCall(VecSetRandom(b, random));
  PetscCall(VecSetRandom(y, random));
  PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, N, 37, NULL, &B));
  PetscCall(MatSetRandom(B, random));
  PetscCall(MatDuplicate(B, MAT_DO_NOT_COPY_VALUES, &X));
  PetscCall(MatTranspose(B, MAT_INITIAL_MATRIX, &Bt));

  PetscCall(MatGetFactor(A, MATSOLVERSCHWARZSCHUR, type, &F));
  PetscCall(MatFactorInfoInitialize(&info));
  PetscCall(MatGetOrdering(A, MATORDERINGNATURAL, &row, &col));
  if (cholesky)
    PetscCall(MatCholeskyFactorSymbolic(F, A, row, &info));
  else
    PetscCall(MatLUFactorSymbolic(F, A, row, col, &info));
  for (PetscInt k = 0; k < 2; k++) {
    Vec z;

    /* The second time with other values */
    if (k) PetscCall(Fill(&p, A, 5));
    if (cholesky)
      PetscCall(MatCholeskyFactorNumeric(F, A, &info));
    else
      PetscCall(MatLUFactorNumeric(F, A, &info));
    if (view && !k) PetscCall(MatView(F, PETSC_VIEWER_STDOUT_SELF));
    PetscCall(MatSolve(F, b, x));
    PetscCall(Check(A, PETSC_FALSE, b, x, "MatSolve", tolerance, &worst));
    PetscCall(MatSolveTranspose(F, b, x));
    PetscCall(Check(A, PETSC_TRUE, b, x, "MatSolveTranspose", tolerance, &worst));
    PetscCall(VecDuplicate(x, &z));
    PetscCall(MatSolveAdd(F, b, y, z));
    PetscCall(VecAXPY(z, -1.0, y));
    PetscCall(Check(A, PETSC_FALSE, b, z, "MatSolveAdd", tolerance * 100, &worst));
    PetscCall(VecDestroy(&z));
    PetscCall(MatMatSolve(F, B, X));
    PetscCall(CheckColumns(A, PETSC_FALSE, B, X, "MatMatSolve", tolerance, &worst));
    PetscCall(MatMatSolveTranspose(F, B, X));
    PetscCall(CheckColumns(A, PETSC_TRUE, B, X, "MatMatSolveTranspose", tolerance, &worst));
    PetscCall(MatMatTransposeSolve(F, Bt, X));
    PetscCall(CheckColumns(A, PETSC_FALSE, B, X, "MatMatTransposeSolve", tolerance, &worst));
  }
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "backward errors %s\n", worst <= 100 * tolerance ? "small" : "too large"));
  PetscCall(ISDestroy(&row));
  PetscCall(ISDestroy(&col));
  PetscCall(PetscRandomDestroy(&random));
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&B));
  PetscCall(MatDestroy(&Bt));
  PetscCall(MatDestroy(&X));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&y));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double petlap

  testset:
    output_file: output/ex4_small.out
    args: -malloc_dump
    test:
      suffix: chain
      args: -n {{1 2 9 80}} -factor {{lu cholesky}} -kind spd
    test:
      suffix: sizes
      args: -n {{2,2 3,3 40,40 37,200 123,87}} -attach -kind {{random spd}}
    test:
      suffix: line
      args: -n {{1,77 77,1}} -dim 2 -attach
    test:
      suffix: star
      args: -star -n {{64,31 10,11,12}} -attach {{0 1}} -kind {{random spd}}
    test:
      suffix: diagonal
      args: -star -n {{2,2 37,90 123,87}} -attach -kind {{random spd}} -mat_schwarzschur_separators {{straight diagonal}}
    test:
      suffix: diagonal_dof
      args: -star -n 41,60 -dof 2 -kind {{spd indefinite}} -factor {{lu cholesky}} -mat_schwarzschur_separators diagonal -mat_schwarzschur_threads {{1 3}}
    test:
      suffix: diagonal_tree
      args: -star -n 60,50 -kind spd -gaps -factor {{lu cholesky}} -mat_schwarzschur_separators diagonal -mat_schwarzschur_block {{1 6 40}} -mat_schwarzschur_leaf {{1 7}}
    test:
      suffix: cholesky
      args: -factor cholesky -n 60,50 -kind {{spd indefinite}} -mat_schwarzschur_threads {{1 3}}
    test:
      suffix: symmetric
      args: -n 60,50 -kind indefinite -mat_schwarzschur_mode {{lu symmetric}}
    test:
      suffix: width
      args: -n 61,50 -width {{2 3}} -star {{0 1}} -kind {{random spd}}
    test:
      suffix: dof
      args: -n 31,30 -dof {{2 3}} -attach -kind {{random spd}}
    test:
      suffix: gaps
      args: -n 60,50 -factor {{lu cholesky}} -kind spd -gaps {{0 1}} -dirichlet
    test:
      suffix: gaps_random
      args: -n {{60,50 9,10,11}} -gaps -dirichlet {{0 1}}
    test:
      suffix: periodic
      args: -n {{60,50 3,3 20,3 4,40}} -periodic {{1,0 0,1 1,1}} -attach -kind {{random spd}}
    test:
      suffix: space
      args: -n {{12,13,14 5,30,4}} -attach -kind {{random spd}}
    test:
      suffix: space_periodic
      args: -n 8,9,10 -periodic {{1,0,0 1,0,1 1,1,1}} -attach
    test:
      suffix: single
      args: -n 60,50 -kind {{random spd indefinite}} -factor lu -mat_schwarzschur_precision single
    test:
      suffix: single_cholesky
      args: -n 60,50 -kind {{spd indefinite}} -factor cholesky -mat_schwarzschur_precision single
    test:
      suffix: isa
      args: -n 100,70 -kind {{random spd}} -mat_schwarzschur_isa portable -mat_schwarzschur_precision {{double single}}
    test:
      suffix: tree
      args: -n 60,50 -kind spd -factor {{lu cholesky}} -mat_schwarzschur_block {{1 6 40}} -mat_schwarzschur_leaf {{1 4}}
    test:
      suffix: threads
      args: -n {{100,100 20,30}} -kind {{random spd}} -mat_schwarzschur_threads {{2 5}}
    test:
      suffix: constant
      args: -kind constant -n {{150,140 200,37}} -mat_schwarzschur_constant {{yes no}} -star {{0 1}}
    test:
      suffix: constant_dof
      args: -kind constant -n {{60,70 10,11,12}} -dof 2 -attach -mat_schwarzschur_constant yes -mat_schwarzschur_precision {{double single}}
    test:
      suffix: constant_dirichlet
      args: -kind constant -n 90,90 -dirichlet -mat_schwarzschur_constant {{auto yes}}
    test:
      suffix: hermitian
      requires: complex
      args: -n 50,40 -kind hermitian -factor {{lu cholesky}}
    test:
      suffix: absorbing
      requires: complex
      args: -kind absorbing -n {{65,65 123,87 14,15,16}} -star {{0 1}} -factor {{lu cholesky}}
    test:
      suffix: hermitian_single
      requires: complex
      args: -n 50,40 -kind hermitian -factor cholesky -mat_schwarzschur_precision single

  testset:
    requires: gpu
    output_file: output/ex4_small.out
    args: -malloc_dump -mat_schwarzschur_backend cuda -petlap_check
    test:
      suffix: cuda
      args: -n {{15,13 1,77 2,2}} -kind {{random spd indefinite}}
    test:
      suffix: cuda_cholesky
      args: -n 14,12 -factor cholesky -kind {{spd indefinite}}
    test:
      suffix: cuda_diagonal
      args: -star -n 25,14 -kind spd -gaps
    test:
      suffix: cuda_width
      args: -n 11,12 -width {{2 3}}
    test:
      suffix: cuda_dof
      args: -n 9,8 -dof 2 -attach -kind {{random spd}}
    test:
      suffix: cuda_periodic
      args: -n {{4,20 3,3}} -periodic {{1,0 1,1}} -attach
    test:
      suffix: cuda_space
      args: -n 5,6,5 -attach -kind {{random spd}}
    test:
      suffix: cuda_single
      args: -n 13,12 -kind {{random indefinite}} -mat_schwarzschur_precision single
    test:
      suffix: cuda_constant
      args: -kind constant -n 24,24 -mat_schwarzschur_constant yes
    test:
      suffix: cuda_dirichlet
      args: -n 12,11 -gaps -dirichlet
    test:
      suffix: cuda_hermitian
      requires: complex
      args: -n 12,11 -kind hermitian -factor {{lu cholesky}}
    test:
      suffix: cuda_absorbing
      requires: complex
      args: -n 12,11 -kind absorbing -factor {{lu cholesky}}

TEST*/
