static char help[] = "Lowest eigenvectors by PCHSCComputeEigenvectors() of Laplacians whose spectrum is known, or small enough for Jacobi's method: values, residuals as they\n\
are reported, orthonormal vectors. -matrix (grid|random|parts|weak|alone|mesh), -nx, -ny, -neumann, -negative, -normalize (the diagonal is one), -shift (of the matrix), -other (the operator is a shell), -empty (a process has no rows), -k, -tol.\n\n";

#include <petlap.h>
#include <petsc/private/petscimpl.h>
#include <algorithm>
#include <cmath>
#include <vector>

/* Random numbers in (0, 1), the same on all machines */
static PetscReal Random(void)
{
  static unsigned long long seed = 7;

  seed = seed * 6364136223846793005ull + 1442695040888963407ull;
  return ((PetscReal)(seed >> 11) + 0.5) / 9007199254740992.0;
}

struct Edge {
  PetscInt  i, j;
  PetscReal w;
};

static PetscErrorCode Laplacian(PetscInt n, const std::vector<Edge> &edges, const std::vector<PetscReal> &excess, PetscReal factor, Mat *A)
{
  std::vector<PetscInt>  count(n, 1);
  std::vector<PetscReal> diagonal(excess);

  PetscFunctionBeginUser;
  for (const Edge &e : edges) {
    count[e.i]++;
    count[e.j]++;
    diagonal[e.i] += e.w;
    diagonal[e.j] += e.w;
  }
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, n, n, 0, count.data(), A));
  for (const Edge &e : edges) {
    PetscCall(MatSetValue(*A, e.i, e.j, -factor * e.w, ADD_VALUES));
    PetscCall(MatSetValue(*A, e.j, e.i, -factor * e.w, ADD_VALUES));
  }
  for (PetscInt i = 0; i < n; i++) PetscCall(MatSetValue(*A, i, i, factor * diagonal[i], ADD_VALUES));
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The same matrix on all processes, with as many rows as another one, or with none on the first and the last one */
static PetscErrorCode Spread(PetscBool empty, Mat *A)
{
  Mat         B;
  PetscInt    n, m = PETSC_DECIDE, start, end;
  PetscMPIInt rank, size;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(MatGetSize(*A, &n, nullptr));
  if (empty) m = rank == 0 || (rank == size - 1 && size > 2) ? 0 : rank == 1 ? n - n / PetscMax(1, size - 2) * PetscMax(0, size - 3) : n / PetscMax(1, size - 2);
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, m, m, n, n, 10, nullptr, 10, nullptr, &B));
  PetscCall(MatSetOption(B, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
  PetscCall(MatGetOwnershipRange(B, &start, &end));
  for (PetscInt i = start; i < end; i++) {
    PetscInt           k;
    const PetscInt    *col;
    const PetscScalar *v;

    PetscCall(MatGetRow(*A, i, &k, &col, &v));
    PetscCall(MatSetValues(B, 1, &i, k, col, v, INSERT_VALUES));
    PetscCall(MatRestoreRow(*A, i, &k, &col, &v));
  }
  PetscCall(MatAssemblyBegin(B, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(B, MAT_FINAL_ASSEMBLY));
  PetscCall(MatDestroy(A));
  *A = B;
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Jacobi's method: slow and sure */
static PetscErrorCode DenseValues(Mat A, std::vector<PetscReal> &values)
{
  PetscInt n;
  Mat      D;

  PetscFunctionBeginUser;
  PetscCall(MatGetSize(A, &n, nullptr));
  PetscCall(MatConvert(A, MATSEQDENSE, MAT_INITIAL_MATRIX, &D));
  std::vector<PetscReal> a((size_t)n * n);
  const PetscScalar     *array;
  PetscCall(MatDenseGetArrayRead(D, &array));
  for (size_t k = 0; k < a.size(); k++) a[k] = PetscRealPart(array[k]);
  PetscCall(MatDenseRestoreArrayRead(D, &array));
  PetscCall(MatDestroy(&D));
  for (int sweep = 0; sweep < 30; sweep++) {
    PetscReal off = 0.0;

    for (PetscInt p = 0; p < n; p++) {
      for (PetscInt q = p + 1; q < n; q++) {
        const PetscReal apq = a[p * n + q];

        off = std::max(off, std::abs(apq));
        if (std::abs(apq) < 1e-18) continue;
        const PetscReal theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq), t = (theta < 0 ? -1.0 : 1.0) / (std::abs(theta) + std::sqrt(theta * theta + 1.0)), c = 1.0 / std::sqrt(t * t + 1.0), s = t * c;

        for (PetscInt k = 0; k < n; k++) {
          const PetscReal x = a[k * n + p], y = a[k * n + q];

          a[k * n + p] = c * x - s * y;
          a[k * n + q] = s * x + c * y;
        }
        for (PetscInt k = 0; k < n; k++) {
          const PetscReal x = a[p * n + k], y = a[q * n + k];

          a[p * n + k] = c * x - s * y;
          a[q * n + k] = s * x + c * y;
        }
      }
    }
    if (off < 1e-15) break;
  }
  values.resize(n);
  for (PetscInt i = 0; i < n; i++) values[i] = a[i * n + i];
  std::sort(values.begin(), values.end());
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Multiply(Mat S, Vec x, Vec y)
{
  Mat A;

  PetscFunctionBeginUser;
  PetscCall(MatShellGetContext(S, &A));
  PetscCall(MatMult(A, x, y));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Mat                    A, S = nullptr;
  PC                     pc;
  Vec                   *x, r;
  PetscInt               nx = 32, ny = 0, n, k = 5, nconv = 0, its;
  PetscReal              tol = 1e-8, shift = 0.0, norm, scale;
  PetscBool              neumann = PETSC_FALSE, negative = PETSC_FALSE, other = PETSC_FALSE, known = PETSC_FALSE, start = PETSC_FALSE, empty = PETSC_FALSE, normalize = PETSC_FALSE, good = PETSC_TRUE;
  char                   kind[32] = "grid";
  PetscMPIInt            size;
  std::vector<Edge>      edges;
  std::vector<PetscReal> excess, exact, values, residuals;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-nx", &nx, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-ny", &ny, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-k", &k, nullptr));
  PetscCall(PetscOptionsGetReal(nullptr, nullptr, "-tol", &tol, nullptr));
  PetscCall(PetscOptionsGetReal(nullptr, nullptr, "-shift", &shift, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-neumann", &neumann, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-negative", &negative, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-other", &other, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-empty", &empty, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-start", &start, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-normalize", &normalize, nullptr));
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-matrix", kind, sizeof(kind), nullptr));
  const std::string matrix = kind;
  if (ny == 0) ny = nx;
  auto grid = [&](PetscInt first, PetscInt mx, PetscInt my, PetscReal w, bool dirichlet) {
    excess.resize(first + mx * my, 0.0);
    for (PetscInt j = 0; j < my; j++) {
      for (PetscInt i = 0; i < mx; i++) {
        const PetscInt v = first + j * mx + i;

        if (i + 1 < mx) edges.push_back({v, v + 1, w});
        if (j + 1 < my) edges.push_back({v, v + mx, w});
        if (dirichlet) excess[v] += w * ((i == 0) + (i + 1 == mx) + (j == 0) + (j + 1 == my));
        const PetscReal pi = 3.14159265358979323846, a = dirichlet ? pi * (i + 1) / (mx + 1) : pi * i / mx, b = dirichlet ? pi * (j + 1) / (my + 1) : pi * j / my;

        exact.push_back(4.0 * w * (std::sin(0.5 * a) * std::sin(0.5 * a) + std::sin(0.5 * b) * std::sin(0.5 * b)));
      }
    }
  };
  if (matrix == "grid") {
    grid(0, nx, ny, 1.0, !neumann);
    known = PETSC_TRUE;
  } else if (matrix == "parts") {
    /* Grids of several sizes and weights, of which the last ones leave no trace on coarse levels, equal ones among them, and points without neighbours */
    grid(0, nx, ny, 1.0, false);
    grid((PetscInt)excess.size(), nx / 2, ny, 0.5, true);
    for (int copies = 0; copies < 5; copies++) grid((PetscInt)excess.size(), 4, 3, 1e-3, false);
    for (int copies = 0; copies < 5; copies++) grid((PetscInt)excess.size(), 3, 3, 2e-3, true);
    for (int i = 0; i < 3; i++) {
      excess.push_back(i * 1e-3);
      exact.push_back(i * 1e-3);
    }
    known = PETSC_TRUE;
  } else if (matrix == "weak") {
    /* A few vertices in the middle of a large grid hang on weak edges, each group with low eigenvalues of its own */
    grid(0, nx, ny, 1.0, !neumann);
    exact.clear();
    for (Edge &e : edges) {
      auto inside = [&](PetscInt v) {
        const PetscInt i = v % nx, j = v / nx;

        return i % 8 < 3 && j % 8 < 3 && i > 3;
      };

      if (inside(e.i) || inside(e.j)) e.w = 1e-3;
    }
  } else {
    /* Each vertex has edges to some others, of weights over four orders of magnitude */
    n = nx;
    excess.assign(n, 0.0);
    for (PetscInt i = 1; i < n; i++) {
      for (int d = 0; d < 3; d++) edges.push_back({i, PetscMin(i - 1, (PetscInt)(Random() * i)), std::pow(10.0, 4.0 * Random() - 3.0)});
    }
    if (!neumann) excess[n / 2] = 1.0;
  }
  n = (PetscInt)excess.size();
  for (PetscInt i = 0; i < n; i++) excess[i] += shift;
  for (PetscReal &v : exact) v += shift;
  PetscCall(Laplacian(n, edges, excess, negative ? -1.0 : 1.0, &A));
  if (normalize) {
    Vec scaling;

    PetscCall(MatCreateVecs(A, &scaling, nullptr));
    PetscCall(MatGetDiagonal(A, scaling));
    PetscCall(VecSqrtAbs(scaling));
    PetscCall(VecReciprocal(scaling));
    PetscCall(MatDiagonalScale(A, scaling, scaling));
    PetscCall(VecDestroy(&scaling));
  }
  if (!known) {
    PetscCall(DenseValues(A, exact));
    if (negative)
      for (PetscReal &v : exact) v = -v;
  }
  std::sort(exact.begin(), exact.end());
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  if (size > 1) PetscCall(Spread(empty, &A));
  if (other) {
    PetscInt m;

    PetscCall(MatGetLocalSize(A, &m, nullptr));
    PetscCall(MatCreateShell(PETSC_COMM_WORLD, m, m, n, n, A, &S));
    PetscCall(MatShellSetOperation(S, MATOP_MULT, (void (*)(void))Multiply));
  }

  PetscCall(PCCreate(PETSC_COMM_WORLD, &pc));
  PetscCall(PCSetType(pc, PCHSC));
  PetscCall(PCSetOperators(pc, other ? S : A, A));
  PetscCall(PCHSCSetEigenTolerances(pc, tol, PETSC_DEFAULT));
  PetscCall(PCSetFromOptions(pc));
  PetscCall(PCHSCGetEigenTolerances(pc, &tol, nullptr));
  PetscCall(MatCreateVecs(A, &r, nullptr));
  if (k < 0) k = n;
  PetscCall(VecDuplicateVecs(r, PetscMax(k, 1), &x));
  values.resize(PetscMax(k, 1));
  residuals.resize(PetscMax(k, 1));
  if (start) {
    PetscCall(PCHSCComputeInitialSpace(pc, k, x));
    for (PetscInt j = 0; j < k; j++) {
      PetscScalar dot;

      PetscCall(MatMult(A, x[j], r));
      PetscCall(VecDot(x[j], r, &dot));
      /* A first guess */
      if (std::abs(PetscRealPart(dot) - exact[j]) > 0.5 * exact[j] + 1e-14) {
        good = PETSC_FALSE;
        PetscCall(PetscPrintf(PETSC_COMM_WORLD, "Rayleigh quotient %" PetscInt_FMT " is %g and the eigenvalue %g\n", j, (double)PetscRealPart(dot), (double)exact[j]));
      }
    }
    nconv = k;
  } else {
    PetscObjectState before, after;

    PetscCall(PetscObjectStateGet((PetscObject)A, &before));
    PetscCall(PCHSCComputeEigenvectors(pc, k, values.data(), x, residuals.data(), &nconv));
    PetscCall(PetscObjectStateGet((PetscObject)A, &after));
    /* Preconditioners would be built again */
    PetscCheck(before == after, PETSC_COMM_SELF, PETSC_ERR_PLIB, "The matrix counts as changed");
    PetscCall(MatNorm(A, NORM_INFINITY, &scale));
    for (PetscInt j = 0; j < nconv; j++) {
      const PetscReal want = (negative ? -1.0 : 1.0) * exact[j];

      PetscCall(MatMult(A, x[j], r));
      PetscCall(VecAXPY(r, -values[j], x[j]));
      PetscCall(VecNorm(r, NORM_2, &norm));
      if (std::abs(values[j] - want) > tol * std::abs(want) + 1e-13 * scale || std::abs(norm - residuals[j]) > 1e-3 * norm + 1e-14 * scale || norm > tol * std::abs(values[j]) + 1e-14 * scale) {
        good = PETSC_FALSE;
        PetscCall(PetscPrintf(PETSC_COMM_WORLD, "eigenvalue %" PetscInt_FMT " is %.15g and not %.15g, residual %g is reported as %g\n", j, (double)values[j], (double)want, (double)norm, (double)residuals[j]));
      }
    }
  }
  for (PetscInt i = 0; i < k; i++) {
    for (PetscInt j = 0; j <= i; j++) {
      PetscScalar dot;

      PetscCall(VecDot(x[i], x[j], &dot));
      if (PetscAbsScalar(dot - (i == j ? 1.0 : 0.0)) > 1e-11) {
        good = PETSC_FALSE;
        PetscCall(PetscPrintf(PETSC_COMM_WORLD, "vectors %" PetscInt_FMT " and %" PetscInt_FMT " have the product %.15g\n", i, j, (double)PetscRealPart(dot)));
      }
    }
  }
  PetscCall(PCHSCGetEigenIterationNumber(pc, &its));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %s eigenvectors: %s\n", its > 60 ? "many iterations" : "few iterations", nconv == k ? "all" : "not all", good ? "right" : "wrong"));
  PetscCall(PetscInfo(pc, "%" PetscInt_FMT " iterations\n", its));
  PetscCall(VecDestroyVecs(PetscMax(k, 1), &x));
  PetscCall(VecDestroy(&r));
  PetscCall(PCDestroy(&pc));
  PetscCall(MatDestroy(&S));
  PetscCall(MatDestroy(&A));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    args: -malloc_dump
    output_file: output/eigen1_right.out
    requires: !complex double
    test:
      suffix: dirichlet
      args: -nx {{17 64}} -k {{1 6 11}} -tol {{1e-4 1e-10}}
    test:
      suffix: neumann
      args: -neumann -nx 40 -ny {{40 53}} -k {{1 2 7}}
    test:
      suffix: negative
      args: -negative -nx 40 -neumann {{0 1}} -k 4
    test:
      suffix: shift
      args: -nx 40 -neumann -shift {{1e-6 1e-2}} -k 5
    test:
      suffix: other
      args: -nx 40 -other -neumann {{0 1}} -k 4
    test:
      suffix: parts
      args: -matrix parts -nx 40 -k {{1 8 20 60}}
    test:
      suffix: weak
      args: -matrix weak -nx 20 -ny 10 -neumann {{0 1}} -k {{3 20}}
    test:
      suffix: random
      args: -matrix random -nx 200 -neumann {{0 1}} -k {{1 4 12}} -pc_hsc_direct_size {{20 256}}
    test:
      suffix: normalized
      args: -matrix random -nx 200 -normalize -neumann {{0 1}} -k 5 -pc_hsc_direct_size 20
    test:
      suffix: all
      args: -nx {{1 2 3 7}} -neumann {{0 1}} -k -1
    test:
      suffix: cycles
      args: -nx 40 -k 4 -pc_hsc_symmetric {{no yes}} -pc_hsc_smoother {{gs jacobi}} -pc_hsc_cycle {{v w}}
    test:
      suffix: options
      args: -nx 50 -neumann -k 3 -pc_hsc_precision {{single double}} -pc_hsc_eigen_guard {{0 7}} -pc_hsc_eigen_steps {{0 2}} -pc_hsc_eigen_mass {{0 1}} -pc_hsc_eigen_tol 1e-6
    test:
      suffix: start
      args: -nx 64 -neumann {{0 1}} -k {{1 5}} -start

  testset:
    output_file: output/eigen1_right.out
    args: -malloc_dump
    test:
      suffix: ranks
      nsize: {{2 4}}
      args: -nx 40 -neumann {{0 1}} -empty {{0 1}} -k 5
    test:
      suffix: ranks_parts
      nsize: 3
      args: -matrix parts -nx 40 -k {{8 60}}
    test:
      suffix: ranks_other
      nsize: 2
      args: -nx 40 -other -negative -neumann {{0 1}} -k 4
    test:
      suffix: ranks_random
      nsize: 3
      args: -matrix random -nx 200 -neumann {{0 1}} -k 4 -pc_hsc_direct_size 20
    test:
      suffix: ranks_all
      nsize: 4
      args: -nx {{1 2 7}} -neumann {{0 1}} -k -1

  test:
    suffix: stop
    requires: !complex double
    args: -malloc_dump -nx 64 -k 4 -pc_hsc_eigen_max_it 1 -tol 1e-12

TEST*/
