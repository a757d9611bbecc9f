static char help[] = "hsc on matrices that are Laplacians but for rounding, signs, weak ties, scales or the type they are stored in. A solver must converge in few iterations\n\
with a true residual as small as was asked for.\n\
  -show: iterations and residuals\n\n";

#include <petlap.h>
#include <petscdmda.h>
#include <cmath>
#include <random>
#include <string>
#include <vector>

struct Entry {
  PetscInt  i, j;
  PetscReal v;
};

struct System {
  PetscInt           n = 0;
  std::vector<Entry> entry;
  bool               neumann = false; /* the constants are attached as the null space */
  bool               small   = false; /* for one process: several do not solve it directly */

  void Add(PetscInt i, PetscInt j, PetscReal v)
  {
    entry.push_back({i, j, v});
  }
  void Edge(PetscInt i, PetscInt j, PetscReal w)
  {
    Add(i, i, w);
    Add(j, j, w);
    Add(i, j, -w);
    Add(j, i, -w);
  }
};

/* Rows in blocks; values in the same place are added */
static PetscErrorCode Assemble(const System &s, Mat *A)
{
  PetscInt              first, last;
  std::vector<PetscInt> length((size_t)s.n, 0);
  MatNullSpace          space;

  PetscFunctionBeginUser;
  PetscCall(MatCreate(PETSC_COMM_WORLD, A));
  PetscCall(MatSetSizes(*A, PETSC_DECIDE, PETSC_DECIDE, s.n, s.n));
  PetscCall(MatSetType(*A, MATAIJ));
  PetscCall(MatSetUp(*A));
  PetscCall(MatGetOwnershipRange(*A, &first, &last));
  for (const Entry &e : s.entry) length[(size_t)e.i]++;
  for (PetscInt &l : length) l = PetscMin(l, s.n);
  PetscCall(MatXAIJSetPreallocation(*A, 1, length.data() + first, length.data() + first, NULL, NULL));
  PetscCall(MatSetOption(*A, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
  for (const Entry &e : s.entry) {
    if (e.i >= first && e.i < last) PetscCall(MatSetValue(*A, e.i, e.j, e.v, ADD_VALUES));
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  if (s.neumann) {
    PetscCall(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_TRUE, 0, NULL, &space));
    PetscCall(MatSetNullSpace(*A, space));
    PetscCall(MatNullSpaceDestroy(&space));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* b = A x with a random x, so that singular systems have a solution */
static PetscErrorCode Solve(const char name[], Mat A, const char method[], PetscInt most)
{
  KSP                ksp;
  PC                 pc;
  Vec                x, b, r;
  PetscRandom        random;
  PetscReal          left, size;
  PetscInt           its;
  KSPConvergedReason reason;
  PetscBool          show = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-show", &show, NULL));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecDuplicate(b, &r));
  PetscCall(PetscRandomCreate(PETSC_COMM_WORLD, &random));
  PetscCall(PetscRandomSetType(random, PETSCRAND48));
  PetscCall(VecSetRandom(x, random));
  PetscCall(MatMult(A, x, b));
  PetscCall(VecZeroEntries(x));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetType(ksp, method));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCHSC));
  PetscCall(KSPSetTolerances(ksp, 1e-8, 1e-300, PETSC_DEFAULT, 300));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1.0, b));
  PetscCall(VecNorm(r, NORM_2, &left));
  PetscCall(VecNorm(b, NORM_2, &size));
  if (show || !(reason > 0 && its <= most && left <= 1e-6 * size)) {
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %s: %s after %" PetscInt_FMT " iterations of at most %" PetscInt_FMT ", %.1e are left\n", name, method, KSPConvergedReasons[reason], its, most, (double)(left / size)));
  }
  PetscCall(KSPDestroy(&ksp));
  PetscCall(PetscRandomDestroy(&random));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&r));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Try(const char name[], const System &s, PetscInt most, bool symmetric = true)
{
  Mat A;

  PetscMPIInt size;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  if (s.small && size > 1) PetscFunctionReturn((PetscErrorCode)0);
  PetscCall(Assemble(s, &A));
  for (const char *method : {"gmres", "fcg", "cg", "psdo"}) {
    if (symmetric || method[0] == 'g') PetscCall(Solve(name, A, method, most));
  }
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* 5 points, wx and wy between neighbors and with walls of them around, as far as they are not 0 */
static System Grid(PetscInt n, PetscReal wx, PetscReal wy, bool walls)
{
  System s;

  s.n       = n * n;
  s.neumann = !walls;
  for (PetscInt y = 0; y < n; y++) {
    for (PetscInt x = 0; x < n; x++) {
      const PetscInt i = x + y * n;

      if (x + 1 < n) s.Edge(i, i + 1, wx);
      if (y + 1 < n) s.Edge(i, i + n, wy);
      if (walls) s.Add(i, i, (x == 0 ? wx : 0) + (x + 1 == n ? wx : 0) + (y == 0 ? wy : 0) + (y + 1 == n ? wy : 0));
    }
  }
  return s;
}

static PetscErrorCode Weak(void)
{
  PetscFunctionBeginUser;
  /* An island of a grid, held by ties that rounding is as large as, or nearly */
  for (PetscReal tie : {1e-6, 1e-9, 1e-12, 1e-15, 1e-18, 1e-32, 1e-100, 1e-300}) {
    System         s = Grid(30, 1, 1, true);
    const PetscInt n = s.n;

    s.n += 400;
    for (PetscInt i = 0; i < 400; i++) {
      if (i % 20 < 19) s.Edge(n + i, n + i + 1, 1);
      if (i < 380) s.Edge(n + i, n + i + 20, 1);
    }
    for (PetscInt k = 0; k < 5; k++) s.Edge(17 * k, n + k, tie);
    PetscCall(Try(("island held by " + std::to_string(std::log10(tie))).c_str(), s, 14));
  }
  for (PetscReal w : {1e-4, 1e-8, 1e-12, 1e-16}) PetscCall(Try("lines", Grid(40, 1, w, true), 12));
  /* Hub of a star with so many ends that work in proportion to their square would show, and nothing but the hub holds it */
  {
    System s;

    s.n = 50001;
    for (PetscInt i = 1; i < s.n; i++) s.Edge(0, i, 1);
    s.Add(0, 0, 1);
    PetscCall(Try("star", s, 3));
    /* Two of them with the same ends */
    s   = System();
    s.n = 20002;
    for (PetscInt i = 2; i < s.n; i++) {
      s.Edge(0, i, 1);
      s.Edge(1, i, 1 + 1e-3 * (PetscReal)(i % 7));
    }
    s.Edge(0, 1, 1);
    s.Add(0, 0, 1);
    PetscCall(Try("two hubs", s, 12));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Rounding(void)
{
  std::mt19937 random(1);
  auto         draw = [&] { return (PetscReal)random() / 4294967296.0 - 0.5; };

  PetscFunctionBeginUser;
  for (PetscReal size : {1e-17, 1e-16, 4e-16, 1e-30, 1e-320}) {
    System       s    = Grid(31, 1, 1, true);
    const size_t many = s.entry.size();

    /* Entries that come from sums of the same numbers in another order, some of them on one side only */
    for (size_t k = 0; k < many; k++) {
      if (s.entry[k].i != s.entry[k].j) s.Add(s.entry[k].i, s.entry[k].j, size * draw());
    }
    for (PetscInt k = 0; k + 40 < s.n; k += 3) {
      s.Add(k, k + 40, size * draw());
      if (k % 2) s.Add(k + 40, k, size * draw());
    }
    PetscCall(Try("rounding", s, 12));
  }
  /* Identity rows beside the negative of a Laplacian, whose columns stay or go */
  for (int keep = 0; keep < 2; keep++) {
    for (PetscReal sign : {-1.0, 1.0}) {
      System         s;
      const PetscInt n = 40;

      s.n = n * n;
      for (PetscInt y = 0; y < n; y++) {
        for (PetscInt x = 0; x < n; x++) {
          const PetscInt i    = x + y * n;
          auto           wall = [&](PetscInt a, PetscInt b) { return a == 0 || b == 0 || a == n - 1 || b == n - 1; };

          s.Add(i, i, wall(x, y) ? 1 : 4 * sign);
          if (wall(x, y)) continue;
          for (int d = 0; d < 4; d++) {
            const PetscInt a = x + (d == 0) - (d == 1), b = y + (d == 2) - (d == 3);

            if (keep || !wall(a, b)) s.Add(i, a + b * n, -sign);
          }
        }
      }
      PetscCall(Try(keep ? "identity rows, columns stay" : "identity rows", s, 12, false));
    }
  }
  /* Symmetrized, where the other rows are much larger: what is left of the columns belongs to the right-hand side, and is no half of an edge */
  {
    const PetscInt n = 30;
    System         s;
    Mat            A;

    s.n = n * n;
    for (PetscInt y = 0; y < n; y++) {
      for (PetscInt x = 0; x < n; x++) {
        const PetscInt i    = x + y * n;
        const bool     wall = x == 0 || y == 0 || x == n - 1 || y == n - 1;

        s.Add(i, i, wall ? 1 : 4e4);
        for (PetscInt j : {i - 1, i + 1, i - n, i + n}) {
          if (!wall) s.Add(i, j, -1e4 * (1 + 1e-3 * (PetscReal)((i + j) % 3 - 1) * (i < j ? 1 : -1)));
        }
      }
    }
    PetscCall(Assemble(s, &A));
    PetscCall(PetscOptionsSetValue(NULL, "-pc_hsc_symmetrize", "1"));
    PetscCall(Solve("symmetrized", A, "gmres", 12));
    PetscCall(MatDestroy(&A));
    /* With what is not symmetric between two of three processes, so that the third does not see it */
    s   = System();
    s.n = 30;
    for (PetscInt i = 0; i < s.n; i++) {
      s.Add(i, i, 0.1);
      if (i + 1 < s.n) s.Edge(i, i + 1, 1);
    }
    s.Add(9, 10, -1e-3);
    PetscCall(Assemble(s, &A));
    PetscCall(Solve("symmetrized, seen by some", A, "gmres", 12));
    PetscCall(PetscOptionsClearValue(NULL, "-pc_hsc_symmetrize"));
    PetscCall(MatDestroy(&A));
  }
  for (PetscReal d : {1.0, -3.0}) {
    System s;

    s.n = 3;
    s.Add(0, 0, d);
    s.Add(1, 0, -1);
    s.Add(1, 1, 2);
    s.Add(1, 2, -1);
    s.Add(2, 1, -1);
    s.Add(2, 2, 1);
    PetscCall(Try("3 rows", s, 3, false));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Rows with negative sums: diffusion along turned axes in 9 points, whose border is eliminated, and grids that are scaled from both sides */
static PetscErrorCode Scaled(void)
{
  const PetscInt n = 33;
  std::mt19937   random(2);

  PetscFunctionBeginUser;
  for (PetscReal eps : {0.3, 0.1, 0.03}) {
    System s;

    s.n = n * n;
    for (PetscInt y = -1; y < n; y++) {
      for (PetscInt x = -1; x < n; x++) {
        /* bilinear elements, a tensor for each */
        const PetscReal angle = 0.7 * (PetscReal)(x + 2 * y) / n, c = std::cos(angle), d = std::sin(angle), kxx = c * c + eps * d * d, kyy = d * d + eps * c * c, kxy = (1 - eps) * c * d;

        for (int p = 0; p < 4; p++) {
          for (int q = 0; q < 4; q++) {
            const int       px = p % 2, py = p / 2, qx = q % 2, qy = q / 2, sx = px == qx ? 1 : -1, sy = py == qy ? 1 : -1;
            const PetscReal v = kxx * sx * (py == qy ? 2 : 1) / 6.0 + kyy * sy * (px == qx ? 2 : 1) / 6.0 + kxy * ((px == 1 ? 1 : -1) * (qy == 1 ? 1 : -1) + (py == 1 ? 1 : -1) * (qx == 1 ? 1 : -1)) / 4.0;
            const PetscInt  i = x + px, j = y + py, k = x + qx, l = y + qy;

            if (i >= 0 && j >= 0 && i < n && j < n && k >= 0 && l >= 0 && k < n && l < n) s.Add(i + j * n, k + l * n, v);
          }
        }
      }
    }
    PetscCall(Try("turned axes", s, eps > 0.2 ? 12 : eps > 0.05 ? 18 : 28));
  }
  for (int neumann = 0; neumann < 2; neumann++) {
    System                           s = Grid(n, 1, 1, !neumann);
    std::normal_distribution<double> normal;
    std::vector<PetscReal>           f((size_t)s.n);

    for (PetscReal &v : f) v = std::exp(normal(random));
    for (Entry &e : s.entry) e.v *= f[(size_t)e.i] * f[(size_t)e.j];
    s.neumann = false;
    PetscCall(Try("scaled from both sides", s, 16));
  }
  /* By factors that are far apart */
  for (PetscReal k : {3.0, 6.0}) {
    System                 s = Grid(n, 1, 1, true);
    std::vector<PetscReal> f((size_t)s.n);

    for (PetscReal &v : f) v = std::pow(10.0, k * (2.0 * (PetscReal)random() / 4294967296.0 - 1.0));
    for (Entry &e : s.entry) e.v *= f[(size_t)e.i] * f[(size_t)e.j];
    PetscCall(Try("scaled by powers of ten", s, 16));
  }
  /* Small enough to be solved directly, whatever the weights and scales */
  for (int seed = 0; seed < 10; seed++) {
    const PetscReal weights[4] = {1e-7, 1e-3, 1, 1e5};
    System          s;

    s.n = 20 + 8 * seed;
    std::vector<PetscReal> f((size_t)s.n);
    for (PetscInt i = 0; i < s.n; i++) {
      f[(size_t)i] = std::pow(10.0, 4.0 * (PetscReal)random() / 4294967296.0 - 2.0);
      s.Add(i, i, 1e-7);
      if (i + 1 < s.n) s.Edge(i, i + 1, weights[random() % 4]);
    }
    for (Entry &e : s.entry) e.v *= f[(size_t)e.i] * f[(size_t)e.j];
    s.small = true;
    PetscCall(Try("path over many decades", s, 5));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* What converts to AIJ */
static PetscErrorCode Types(void)
{
  Mat A, B, two[2];
  DM  dm;

  PetscFunctionBeginUser;
  PetscCall(Assemble(Grid(20, 1, 1, true), &A));
  PetscCall(MatCreateTranspose(A, &B));
  PetscCall(Solve("transpose", B, "gmres", 12));
  PetscCall(MatDestroy(&B));
  two[0] = two[1] = A;
  PetscCall(MatCreateComposite(PETSC_COMM_WORLD, 2, two, &B));
  PetscCall(Solve("composite", B, "gmres", 12));
  PetscCall(MatScale(B, 3.0));
  PetscCall(Solve("composite, scaled", B, "gmres", 12));
  PetscCall(MatDestroy(&B));
  PetscCall(MatDestroy(&A));
  /* Bidiagonal, so that its normal matrix is a Laplacian of a path */
  {
    System s;

    s.n = 400;
    for (PetscInt i = 0; i < s.n; i++) {
      s.Add(i, i, 1);
      if (i + 1 < s.n) s.Add(i, i + 1, -1);
    }
    PetscCall(Assemble(s, &A));
    PetscCall(MatCreateNormal(A, &B));
    PetscCall(Solve("normal", B, "gmres", 3));
    PetscCall(MatDestroy(&B));
    PetscCall(MatDestroy(&A));
  }
  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_BOX, 20, 20, PETSC_DECIDE, PETSC_DECIDE, 1, 1, NULL, NULL, &dm));
  PetscCall(DMSetUp(dm));
  PetscCall(DMSetMatType(dm, MATIS));
  PetscCall(DMCreateMatrix(dm, &A));
  {
    const PetscScalar v[9] = {1.1, -0.5, -0.5, -0.5, 0.6, 0, -0.5, 0, 0.6};
    PetscInt          n, corners;
    const PetscInt   *element;
    Mat               local;

    PetscCall(MatISGetLocalMat(A, &local));
    PetscCall(MatSetOption(local, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
    PetscCall(MatISRestoreLocalMat(A, &local));
    PetscCall(DMDAGetElements(dm, &n, &corners, &element));
    for (PetscInt e = 0; e < n; e++) PetscCall(MatSetValuesLocal(A, 3, element + 3 * e, 3, element + 3 * e, v, ADD_VALUES));
    PetscCall(DMDARestoreElements(dm, &n, &corners, &element));
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(Solve("is", A, "gmres", 12));
  PetscCall(MatDestroy(&A));
  PetscCall(DMDestroy(&dm));
  /* A vector whose components are not coupled; some entries of each have the wrong sign */
  {
    const System one = Grid(18, 1, 1, true);
    System       s;

    s.n = 2 * one.n;
    for (const Entry &e : one.entry) {
      for (PetscInt c = 0; c < 2; c++) s.Add(2 * e.i + c, 2 * e.j + c, (1 + c) * e.v);
    }
    for (PetscInt i = 0; i + 19 < one.n; i += 3) s.Edge(2 * i, 2 * (i + 19), -0.05);
    PetscCall(Assemble(s, &A));
    PetscCall(MatSetBlockSize(A, 2));
    PetscCall(Solve("vector", A, "gmres", 12));
    PetscCall(MatDestroy(&A));
  }
  /* Dense, a third of it with the wrong sign */
  {
    std::mt19937 random(3);
    System       s;

    s.n = 300;
    for (PetscInt i = 0; i < s.n; i++) {
      for (PetscInt j = 0; j < i; j++) {
        const PetscReal w = (PetscReal)random() / 4294967296.0, v = random() % 3 ? -w : w;

        s.Add(i, j, v);
        s.Add(j, i, v);
        s.Add(i, i, w);
        s.Add(j, j, w);
      }
    }
    PetscCall(Assemble(s, &A));
    PetscCall(Solve("dense", A, "cg", 12));
    PetscCall(MatDestroy(&A));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  char part[32] = "";

  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-part", part, sizeof(part), NULL));
  const std::string p = part;
  if (p == "weak") PetscCall(Weak());
  if (p == "rounding") PetscCall(Rounding());
  if (p == "scaled") PetscCall(Scaled());
  if (p == "types") PetscCall(Types());
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "done\n"));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex

  testset:
    output_file: output/ex13_1.out
    nsize: {{1 2 3}}
    args: -malloc_dump -ksp_norm_type unpreconditioned
    test:
      suffix: weak
      args: -part weak
    test:
      suffix: rounding
      args: -part rounding
    test:
      suffix: scaled
      args: -part scaled
    test:
      suffix: types
      args: -part types

TEST*/
