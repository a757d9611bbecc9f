#include "sample.h"
#include "petlap.h"
#include <petscblaslapack.h>
#if defined(PETSC_HAVE_HDF5)
  #include <hdf5.h>
#endif
#include <algorithm>
#include <cmath>

namespace petlap {
namespace training {

const char *const RhsNames[] = {"onpolicy", "divergence", "ritz", "mixed", "Rhs", "RHS_", nullptr};

Sample::~Sample()
{
  PetscCallAbort(PETSC_COMM_SELF, KSPDestroy(&ksp));
  PetscCallAbort(PETSC_COMM_SELF, MatDestroy(&A));
  PetscCallAbort(PETSC_COMM_SELF, VecDestroy(&in));
  PetscCallAbort(PETSC_COMM_SELF, VecDestroy(&out));
}

/* A mixture of the original solutions */
void Sample::Begin(int column)
{
  double c[BATCH];

  for (double &v : c) v = random.normal();
  for (size_t i = 0; i < problem.n; i++) {
    double sum = 0.0;

    for (int k = 0; k < BATCH; k++) sum += c[k] * (double)origin[i * BATCH + k];
    e[i * BATCH + column] = sum;
  }
  const bool moves = source.rhs == RHS_ONPOLICY || (source.rhs == RHS_MIXED && column < BATCH / 2);
  age[column]      = 0;
  life[column]     = moves ? (int)source.life : 1;
  left[column]     = 1.0;
  directions.Forget(column);
}

/* All numbers of a dataset, which must be at most so many */
static PetscErrorCode ReadIntegers(const char file[], const char name[], size_t most, std::vector<int> *values)
{
  PetscFunctionBegin;
#if defined(PETSC_HAVE_HDF5)
  const hid_t f   = H5Fopen(file, H5F_ACC_RDONLY, H5P_DEFAULT);
  hid_t       set = -1, space = -1;
  hssize_t    n      = -1;
  herr_t      status = -1;

  if (f >= 0 && H5Lexists(f, name, H5P_DEFAULT) > 0) set = H5Dopen2(f, name, H5P_DEFAULT);
  if (set >= 0) space = H5Dget_space(set);
  if (space >= 0) n = H5Sget_simple_extent_npoints(space);
  if (n >= 0 && (size_t)n <= most) {
    values->resize((size_t)n);
    status = H5Dread(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values->data());
  }
  if (space >= 0) H5Sclose(space);
  if (set >= 0) H5Dclose(set);
  if (f >= 0) H5Fclose(f);
  PetscCheck(status >= 0, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s has no readable dataset '%s': the network needs to know the grid, in griddims, and which of its cells are air (3), fluid (2) and solid (1), in flags", file, name);
#else
  (void)name;
  (void)most;
  (void)values;
  SETERRQ(PETSC_COMM_SELF, PETSC_ERR_SUP_SYS, "%s: flags of cells are read from HDF5 files, and this PETSc was built without HDF5", file);
#endif
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Matrices of fluid simulations: the unknowns are the cells that the flags call fluid, the first axis fastest */
PetscErrorCode LoadProblem(const char file[], Problem *problem, std::vector<double> *rhs)
{
  Mat                 A;
  Vec                 b, x;
  PetscInt            n;
  std::vector<int>    sizes, flags;
  const PetscScalar  *values;
  scenes::Scene       scene;
  std::vector<int>    ptr(1, 0), neighbour;
  std::vector<double> weight, diagonal;
  double              sum = 0.0;

  PetscFunctionBegin;
  PetscCall(PetlapLoadSystem(PETSC_COMM_SELF, file, &A, &b, &x));
  PetscCall(MatGetSize(A, &n, nullptr));
  PetscCall(ReadIntegers(file, "griddims", 3, &sizes));
  PetscCheck(sizes.size() == 2 || sizes.size() == 3, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s: griddims must have 2 or 3 numbers", file);
  for (int v : sizes) PetscCheck(v >= 1 && v <= 100000, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s: griddims holds the size %d", file, v);
  scene.dim  = (int)sizes.size();
  scene.n[0] = sizes.back();
  scene.n[1] = sizes.size() == 3 ? sizes[1] : 1;
  scene.n[2] = sizes[0];
  PetscCall(ReadIntegers(file, "flags", scene.size(), &flags));
  PetscCheck(flags.size() == scene.size(), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s: there are %zu flags, and griddims tell of %zu cells", file, flags.size(), scene.size());
  for (int flag : flags) scene.cell.push_back(flag == 3 ? scenes::AIR : flag == 2 ? scenes::FLUID : scenes::SOLID);
  *problem = Problem(std::move(scene));
  PetscCheck(problem->n == (size_t)n, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s: the matrix has %" PetscInt_FMT " rows, and %zu cells are fluid", file, n, problem->n);
  for (PetscInt i = 0; i < n; i++) {
    const PetscInt *columns;
    PetscInt        count;

    PetscCall(MatGetRow(A, i, &count, &columns, &values));
    diagonal.push_back(0.0);
    for (PetscInt k = 0; k < count; k++) {
      if (columns[k] == i) {
        diagonal.back() = PetscRealPart(values[k]);
      } else if (values[k] != (PetscScalar)0.0) {
        neighbour.push_back((int)columns[k]);
        weight.push_back(-PetscRealPart(values[k]));
        sum += weight.back();
      }
    }
    ptr.push_back((int)neighbour.size());
    PetscCall(MatRestoreRow(A, i, &count, &columns, &values));
  }
  PetscCheck(sum != 0.0, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s: the matrix is diagonal", file);
  const double unit = sum / (double)weight.size();
  for (double &v : weight) v /= unit;
  for (double &v : diagonal) v /= unit;
  problem->SetMatrix(std::move(ptr), std::move(neighbour), std::move(weight), std::move(diagonal));
  if (rhs) {
    rhs->assign(n, 0.0);
    PetscCheck(b, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s has no right-hand side 'b'", file);
    PetscCall(VecGetArrayRead(b, &values));
    for (PetscInt i = 0; i < n; i++) (*rhs)[i] = PetscRealPart(values[i]) / unit;
    PetscCall(VecRestoreArrayRead(b, &values));
  }
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn((PetscErrorCode)0);
}

/*
  Ritz vectors of A from Lanczos iterations, every vector made orthogonal to all before it, that begin with a divergence. The mixtures have normal
  coefficients, nine times as large on the lowest 60 % of the Ritz values. With b = V c and V' A V = T, the error is V T^-1 c up to the last vector of V.
*/
PetscErrorCode Sample::Ritz(uint64_t seed)
{
  const size_t        n    = problem.n;
  const int           most = (int)std::min<size_t>((size_t)source.ritz, n);
  std::vector<float>  V;
  std::vector<double> alpha, beta, v(n), w(n), b(n);

  PetscFunctionBegin;
  scenes::Divergence(problem.scene, seed, 1, b.data());
  double norm = 0.0;
  for (double x : b) norm += x * x;
  norm = std::sqrt(norm);
  for (int k = 0; k < most && norm > 0.0; k++) {
    for (size_t i = 0; i < n; i++) v[i] = b[i] / norm;
    for (size_t i = 0; i < n; i++) V.push_back((float)v[i]);
    problem.MultiplyOne(v.data(), w.data());
    double a = 0.0;
    for (size_t i = 0; i < n; i++) a += v[i] * w[i];
    alpha.push_back(a);
    for (int pass = 0; pass < 2; pass++) {
      for (int j = 0; j <= k; j++) {
        const float *u   = V.data() + (size_t)j * n;
        double       sum = 0.0;

        for (size_t i = 0; i < n; i++) sum += u[i] * w[i];
        for (size_t i = 0; i < n; i++) w[i] -= sum * u[i];
      }
    }
    norm = 0.0;
    for (double x : w) norm += x * x;
    norm = std::sqrt(norm);
    beta.push_back(norm);
    if (norm < 1e-5 * alpha[0]) break;
    b = w;
  }
  const int           m = (int)alpha.size();
  std::vector<double> Z((size_t)m * m, 0.0), work(std::max(1, 2 * m - 2));
  PetscBLASInt        order, info;
  PetscCall(PetscBLASIntCast(m, &order));
  beta.resize(std::max(1, m));
  PetscCallBLAS("LAPACKsteqr", LAPACKREALsteqr_("I", &order, alpha.data(), beta.data(), Z.data(), &order, work.data(), &info));
  PetscCheck(!info, PETSC_COMM_SELF, PETSC_ERR_LIB, "LAPACK steqr: %d", (int)info);
  std::vector<double> mix((size_t)m * BATCH, 0.0);
  for (int c = 0; c < BATCH; c++) {
    for (int k = 0; k < m; k++) {
      const double z = random.normal() * (k < 0.6 * m ? 9.0 : 1.0) / std::max(alpha[k], 1e-10 * alpha[m - 1]);

      for (int j = 0; j < m; j++) mix[(size_t)j * BATCH + c] += z * Z[(size_t)k * m + j];
    }
  }
  e.assign(n * BATCH, 0.0);
  for (int j = 0; j < m; j++) {
    const float  *u = V.data() + (size_t)j * n;
    const double *c = mix.data() + (size_t)j * BATCH;

    for (size_t i = 0; i < n; i++) {
      for (int k = 0; k < BATCH; k++) e[i * BATCH + k] += c[k] * u[i];
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode Sample::Make(uint64_t epoch, PetscInt k, const Shape &shape, const std::vector<double> &numbers)
{
  uint64_t seed = 0;

  PetscFunctionBegin;
  random = scenes::Random((uint64_t)source.seed, (epoch << 20) + (uint64_t)k);
  /* Files take every second place, or all */
  if (!source.files.empty() && (source.sizes.empty() || k % 2)) {
    name = source.files[(epoch * 7919 + (uint64_t)k / (source.sizes.empty() ? 1 : 2)) % source.files.size()];
    PetscCall(LoadProblem(name.c_str(), &problem, nullptr));
    PetscCheck(problem.scene.dim == source.dim, PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP, "%s is a system in %d dimensions: use -train_dim %d", name.c_str(), problem.scene.dim, problem.scene.dim);
    seed = random.bits() >> 1;
  } else {
    /* A scene with hardly any fluid teaches nothing */
    for (int attempt = 0; attempt < 100 && problem.n < 30; attempt++) {
      int             n[3] = {1, 1, 1};
      scenes::Options options;
      const int       dim = (int)source.dim, N = (int)source.sizes[random.integer(0, (int)source.sizes.size() - 1)];

      for (int a = 0; a < 3; a++) n[a] = dim == 3 || a != 1 ? N : 1;
      if (random.uniform() < source.oblong) {
        const int  axis   = dim == 3 ? random.integer(0, 2) : 2 * random.integer(0, 1);
        const bool longer = random.uniform() < 0.5;

        n[axis] = longer && (dim == 2 || N <= 32) ? 2 * N : N / 2;
      }
      const scenes::Class kind = (scenes::Class)random.integer(0, scenes::NCLASSES - 1);
      const double        wet = random.uniform(), share = random.uniform();
      options.bubbles = wet < (kind == scenes::SPLASH ? 2.0 : 1.0) * source.bubbles ? 0.02 * std::max(0.05, share) : 0.0;
      options.margins = random.uniform() < source.margins;
      seed            = random.bits() >> 1;
      problem         = Problem(scenes::MakeScene(dim, n, kind, seed, options));
      name            = scenes::ClassNames[kind];
    }
  }
  P.reset(new Preconditioner(source.exact ? Preconditioner::MANY_DOUBLE : Preconditioner::MANY, problem.scene.dim, problem.scene.n, problem.scene.cell.data()));
  if (source.rhs == RHS_RITZ) {
    PetscCall(Ritz(seed));
  } else {
    Block b(problem.n * BATCH);

    scenes::Divergence(problem.scene, seed, BATCH, b.data());
    Dots f = Dot(problem.n, b.data(), b.data());
    for (double &v : f.v) v = v > 0.0 ? 1.0 / std::sqrt(v) : 0.0;
    Scale(problem.n, f, b.data());
    P->SetNumbers(shape, numbers);
    Solve(problem, *P, 2, 1e-4, 12, b, e);
  }
  problem.Project(e.data());
  origin.assign(e.begin(), e.end());
  for (int c = 0; c < BATCH; c++) {
    Begin(c);
    /* Not all at once later on */
    if (life[c] > 1) age[c] = -random.integer(0, life[c] - 1);
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

void Sample::Residual(Block &r, Dots *re)
{
  r.resize(problem.n * BATCH);
  problem.Multiply(e.data(), r.data());
  Dots f = Dot(problem.n, r.data(), r.data());
  for (double &v : f.v) v = v > 0.0 ? 1.0 / std::sqrt(v) : 0.0;
  Scale(problem.n, f, r.data());
  Scale(problem.n, f, e.data());
  *re = Dot(problem.n, r.data(), e.data());
}

void Sample::Advance(const Block &r, const Dots &re, Block &d, Block &Ad)
{
  const size_t n = problem.n;
  Dots         step;

  directions.Orthogonalise(n, d.data(), Ad.data());
  const Dots q = Dot(n, d.data(), Ad.data()), rd = Dot(n, r.data(), d.data());
  for (int c = 0; c < BATCH; c++) {
    const bool good = q.v[c] > 0.0 && re.v[c] > 0.0;

    step.v[c] = good ? -rd.v[c] / q.v[c] : 0.0;
    left[c] *= good ? std::max(1e-8, 1.0 - rd.v[c] * rd.v[c] / (q.v[c] * re.v[c])) : 0.0;
  }
  Axpy(n, step, d.data(), e.data());
  /* Constants on floating parts come from d, and would drown what is left of e */
  problem.Project(e.data());
  directions.Keep(d, Ad);
  for (int c = 0; c < BATCH; c++) {
    if (++age[c] >= life[c] || left[c] < 1e-14) Begin(c);
  }
}

PetscErrorCode Sample::Correct(const Block &b, Block &x)
{
  const PetscInt n = (PetscInt)problem.n;

  PetscFunctionBegin;
  if (!ksp) {
    PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, n, n, 7, nullptr, &A));
    for (PetscInt i = 0; i < n; i++) {
      PetscCall(MatSetValue(A, i, i, problem.diagonal[i], INSERT_VALUES));
      for (int k = problem.ptr[i]; k < problem.ptr[i + 1]; k++) PetscCall(MatSetValue(A, i, problem.neighbour[k], -problem.weight[k], INSERT_VALUES));
    }
    PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
    PetscCall(MatSetOption(A, MAT_SYMMETRIC, PETSC_TRUE));
    PetscCall(MatCreateVecs(A, &out, &in));
    if (problem.nfloating) {
      MatNullSpace     kernel;
      std::vector<Vec> basis(problem.nfloating);

      for (int part = 0; part < problem.nfloating; part++) {
        PetscCall(VecDuplicate(in, &basis[part]));
        for (PetscInt i = 0; i < n; i++) {
          if (problem.floating[i] == part) PetscCall(VecSetValue(basis[part], i, 1.0, INSERT_VALUES));
        }
        PetscCall(VecAssemblyBegin(basis[part]));
        PetscCall(VecAssemblyEnd(basis[part]));
        PetscCall(VecNormalize(basis[part], nullptr));
      }
      PetscCall(MatNullSpaceCreate(PETSC_COMM_SELF, PETSC_FALSE, problem.nfloating, basis.data(), &kernel));
      PetscCall(MatSetNullSpace(A, kernel));
      PetscCall(MatNullSpaceDestroy(&kernel));
      for (Vec &v : basis) PetscCall(VecDestroy(&v));
    } else {
      PetscCall(MatSetOption(A, MAT_SPD, PETSC_TRUE));
    }
    PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
    PetscCall(KSPSetOptionsPrefix(ksp, "train_sip_solver_"));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(KSPSetType(ksp, KSPCG));
    PC pc;
    PetscCall(KSPGetPC(ksp, &pc));
    PetscCall(PCSetType(pc, PCNONE));
    /* As many steps as told, whatever they achieve */
    PetscCall(KSPSetTolerances(ksp, 1e-14, 1e-50, 1e50, 8));
    PetscCall(KSPSetFromOptions(ksp));
  }
  x.resize(b.size());
  for (int c = 0; c < BATCH; c++) {
    PetscScalar       *values;
    const PetscScalar *result;

    PetscCall(VecGetArrayWrite(in, &values));
    for (PetscInt i = 0; i < n; i++) values[i] = b[(size_t)i * BATCH + c];
    PetscCall(VecRestoreArrayWrite(in, &values));
    PetscCall(KSPSolve(ksp, in, out));
    PetscCall(VecGetArrayRead(out, &result));
    for (PetscInt i = 0; i < n; i++) x[(size_t)i * BATCH + c] = PetscRealPart(result[i]);
    PetscCall(VecRestoreArrayRead(out, &result));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

} // namespace training
} // namespace petlap
