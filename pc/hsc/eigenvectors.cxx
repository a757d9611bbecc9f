/*
  PCHSC's eigenvectors for users: matrices and vectors of PETSc around the multilevel eigensolver.
*/
#include "pc/hsc/eigenvectors.h"
#include <petsc/private/pcimpl.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

#if !defined(PETSC_USE_COMPLEX)
using namespace petlap::hsc;

static PetscLogEvent PC_HSCEigen;

PetscErrorCode PCHSCEigenInitialize(void)
{
  PetscFunctionBegin;
  PetscCall(PetscLogEventRegister("PCHSCEigen", PC_CLASSID, &PC_HSCEigen));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCEigenCreate(PCHSCEigen *eigen)
{
  PetscFunctionBegin;
  *eigen       = PCHSCEigen();
  eigen->tol   = 1e-8;
  eigen->maxit = 200;
  eigen->guard = PETSC_DECIDE;
  eigen->steps = 1;
  eigen->mass  = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCEigenDestroy(PCHSCEigen *eigen)
{
  PetscFunctionBegin;
  PetscCall(PetscViewerDestroy(&eigen->monitor));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCEigenSetFromOptions(PC pc, PCHSCEigen *eigen, CompatOptionItems PetscOptionsObject)
{
  PetscReal         tol   = eigen->tol;
  PetscInt          maxit = eigen->maxit, guard = eigen->guard;
  PetscBool         set, set2;
  PetscViewer       viewer;
  PetscViewerFormat format;

  PetscFunctionBegin;
  PetscCall(PetscOptionsReal("-pc_hsc_eigen_tol", "Residual of an eigenvector beside its eigenvalue that is small enough", "PCHSCSetEigenTolerances", tol, &tol, &set));
  PetscCall(PetscOptionsInt("-pc_hsc_eigen_max_it", "Most iterations for eigenvectors on the finest level", "PCHSCSetEigenTolerances", maxit, &maxit, &set2));
  if (set || set2) PetscCall(PCHSCSetEigenTolerances(pc, tol, maxit));
  PetscCall(PetscOptionsInt("-pc_hsc_eigen_guard", "Vectors at least that are iterated on beyond the eigenvectors asked for, -1 for a third of them", "PCHSCSetEigenGuard", guard, &guard, &set));
  if (set) PetscCall(PCHSCSetEigenGuard(pc, guard));
  PetscCall(PetscOptionsInt("-pc_hsc_eigen_steps", "Iterations for eigenvectors on each coarse level", "", eigen->steps, &eigen->steps, nullptr));
  PetscCall(PetscOptionsBool("-pc_hsc_eigen_mass", "Unknowns of coarse levels count as the unknowns that they stand for", "", eigen->mass, &eigen->mass, nullptr));
  PetscCall(PetscOptionsViewer("-pc_hsc_eigen_monitor", "Prints residuals and eigenvalues of each iteration", "PCHSCComputeEigenvectors", &viewer, &format, &set));
  if (set) {
    PetscCall(PetscViewerDestroy(&eigen->monitor));
    eigen->monitor = viewer;
    eigen->format  = format;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The core reports that it has no memory by an exception, PETSc by an error code */
template <typename Body>
static PetscErrorCode PCHSCEigenTry(PC pc, Body body)
{
  PetscFunctionBegin;
  try {
    body();
  } catch (const std::bad_alloc &) {
    SETERRQ(PetscObjectComm((PetscObject)pc), PETSC_ERR_MEM, "Out of memory while eigenvectors were computed: ask for fewer of them, lower -pc_hsc_eigen_guard, or use -pc_hsc_precision single");
  } catch (const CommunicationError &failed) {
    SETERRQ(PETSC_COMM_SELF, failed.code, "Communication failed while eigenvectors were computed");
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The operator of the preconditioner; an error is kept until there is someone to return it to */
class PCHSCProblem : public EigenProblem {
public:
  PCHSCProblem(PC pc, const PCHSCInside &inside, PetscInt n) : pc(pc), solver(inside.solver), sweeps(inside.sweeps), sign(inside.sign), n((int)n), comm(PetscObjectComm((PetscObject)pc))
  {
    CommunicateMPI(MPI_Comm_rank(comm, &rank));
    CommunicateMPI(MPI_Comm_size(comm, &size));
    /* Blocks of vectors go through the usual cycle at once, and through all others one after the other */
    levels = solver->Levels();
    plain  = levels && !sweeps.jacobi && sweeps.pre == 0 && sweeps.gamma == 1;
  }

  void Product(int np, double *const x[], double *const y[]) override
  {
    if (ia)
      FindEigenKernels().multiply(0, n, ia, ja, a, np, x, y);
    else
      ForColumns(np, x, y, [&] { return MatMult(pc->mat, in, out); });
    for (int p = 0; sign < 0 && p < np; p++) {
      for (size_t i = 0; i < (size_t)n * PANEL; i++) y[p][i] = -y[p][i];
    }
  }

  void Precondition(int np, double *const x[], double *const y[]) override
  {
    if (plain)
      levels->Cycle(sweeps.post, np, x, y);
    else
      ForColumns(np, x, y, [&]() -> PetscErrorCode {
        const PetscScalar *b;
        PetscScalar       *z;

        PetscFunctionBegin;
        PetscCall(VecGetArrayRead(in, &b));
        PetscCall(VecGetArrayWrite(out, &z));
        solver->Apply(sweeps, false, b, z);
        PetscCall(VecRestoreArrayWrite(out, &z));
        PetscCall(VecRestoreArrayRead(in, &b));
        PetscFunctionReturn(PETSC_SUCCESS);
      });
  }

  void Project(int np, double *const x[]) override
  {
    if (!special) return;
    for (int p = 0; p < np; p++) ProjectOut(x[p]);
  }

  void Sum(int count, double values[]) override
  {
    if (size > 1) CommunicateMPI(MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, comm));
  }

  /* Of all processes, one after the other */
  std::vector<double> Gather(const std::vector<double> &mine) const
  {
    std::vector<int>    begin;
    std::vector<double> all;

    if (size == 1) return mine;
    GatherAll(comm, MPI_DOUBLE, mine, begin, all);
    return all;
  }

  unsigned long long Seed(unsigned long long seed) const
  {
    return seed + 0x9e3779b97f4a7c15ull * (unsigned long long)rank;
  }

  PC                           pc;
  Solver                      *solver;
  std::unique_ptr<EigenLevels> levels;
  const Sweeps                 sweeps;
  const int                    sign, n; /* n: rows of this process */
  const MPI_Comm               comm;
  int                          rank = 0, size = 1;
  bool                         plain;
  Parts                        parts;
  const PetscInt              *ia = nullptr, *ja = nullptr;
  const PetscReal             *a  = nullptr;
  Vec                          in = nullptr, out = nullptr;
  PetscErrorCode               error = PETSC_SUCCESS;

private:
  template <typename Body>
  void ForColumns(int np, double *const x[], double *const y[], Body &&body)
  {
    for (int j = 0; j < np * PANEL && !error; j++) {
      const double *from = x[j / PANEL] + j % PANEL;
      double       *to   = y[j / PANEL] + j % PANEL;

      error = Column(from, to, body);
    }
  }

  template <typename Body>
  PetscErrorCode Column(const double *from, double *to, Body &&body)
  {
    PetscScalar       *b;
    const PetscScalar *z;

    PetscFunctionBegin;
    PetscCall(VecGetArrayWrite(in, &b));
    for (int i = 0; i < n; i++) b[i] = from[(size_t)i * PANEL];
    PetscCall(VecRestoreArrayWrite(in, &b));
    PetscCall(body());
    PetscCall(VecGetArrayRead(out, &z));
    for (int i = 0; i < n; i++) to[(size_t)i * PANEL] = z[i];
    PetscCall(VecRestoreArrayRead(out, &z));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  void ProjectOut(double *x)
  {
    std::vector<double> sum((size_t)parts.nnull * PANEL, 0.0);

    for (int i = 0; i < n; i++) {
      const int p = parts.part[i];

      for (int j = 0; j < PANEL; j++) {
        if (p >= 0) sum[(size_t)p * PANEL + j] += x[(size_t)i * PANEL + j];
        if (p == Parts::ALONE) x[(size_t)i * PANEL + j] = 0.0;
      }
    }
    Sum((int)sum.size(), sum.data());
    for (int p = 0; p < parts.nnull; p++) {
      for (int j = 0; j < PANEL; j++) sum[(size_t)p * PANEL + j] /= count[p];
    }
    for (int i = 0; i < n; i++) {
      const int p = parts.part[i];

      if (p < 0) continue;
      for (int j = 0; j < PANEL; j++) x[(size_t)i * PANEL + j] -= sum[(size_t)p * PANEL + j];
    }
  }

public:
  std::vector<double> count, diagonal; /* unknowns of the parts; the diagonal where an unknown stands alone */
  std::vector<int>    alone;           /* of this process */
  int                 nparts  = 0;     /* connected parts of more than one unknown */
  int                 nfree   = 0;     /* unknowns that do not stand alone */
  double              norm    = 0.0;
  bool                special = false; /* there are such or null vectors, on some process */
};

/* What is known of the eigenvectors: connected parts whose rows sum to zero, and unknowns without neighbours */
static void PCHSCFindParts(PCHSCProblem &p, const PCHSCRows &rows, const PetscScalar sums[])
{
  const int                n     = p.n;
  const Outside           *there = rows.there;
  const double             start = there ? (double)there->start : 0.0;
  std::vector<int>         root(n);
  std::vector<char>        singular(n, 1), single(n, 1);
  std::vector<double>      label(n), mine(n), theirs(there ? there->nghost : 0), known;
  std::map<double, double> parts; /* by label: number of unknowns, or 0 where some row does not sum to zero */
  std::map<double, int>    number;
  auto                     ForRow = [&](int i, auto &&own, auto &&other) {
    for (PetscInt k = rows.own.ia[i]; k < rows.own.ia[i + 1]; k++) own((int)rows.own.ja[k], (double)rows.own.a[k]);
    ForOutside(there, i, [&](PetscInt, PetscInt j, double v) { other((int)j, v); });
  };
  auto find = [&](int i) {
    while (root[i] != i) i = root[i] = root[root[i]];
    return i;
  };

  std::iota(root.begin(), root.end(), 0);
  p.diagonal.assign(n, 0.0);
  for (int i = 0; i < n; i++) {
    ForRow(
      i,
      [&](int j, double v) {
        if (v == 0.0 || j == i) return;
        const int r = find(i), s = find(j);

        /* The smaller number is the root, so that the paths stay short where numbers are close */
        root[std::max(r, s)] = std::min(r, s);
        single[i] = single[j] = 0;
      },
      [&](int, double v) {
        if (v != 0.0) single[i] = 0;
      });
  }
  /* Parts have the lowest row of theirs as their label, which goes from process to process until all know it */
  for (int i = 0; i < n; i++) label[i] = start + i;
  for (double changed = there ? 1.0 : 0.0; changed > 0.0; changed = there->Most(changed)) {
    for (int i = 0; i < n; i++) mine[i] = label[find(i)];
    there->Fetch(mine.data(), theirs.data());
    changed = 0.0;
    for (int i = 0; i < n; i++) {
      ForRow(
        i, [](int, double) {},
        [&](int j, double v) {
          double &l = label[find(i)];

          if (v == 0.0 || theirs[j] >= l) return;
          l       = theirs[j];
          changed = 1.0;
        });
    }
  }
  for (int i = 0; i < n; i++) {
    double sum = 0.0, size = 0.0, entries = 0.0;

    ForRow(
      i,
      [&](int j, double v) {
        sum += v;
        size += std::abs(v);
        entries++;
        if (j == i) p.diagonal[i] = v;
      },
      [&](int, double v) {
        sum += v;
        size += std::abs(v);
        entries++;
      });
    if (sums) sum = sums[i];
    p.norm = std::max(p.norm, size);
    /* The diagonal was added up of the others */
    if (!(std::abs(sum) <= (4.0 + entries) * PETSC_MACHINE_EPSILON * size)) singular[find(i)] = 0;
  }
  if (there) p.norm = there->Most(p.norm);
  std::vector<double> members(n, 0.0);
  for (int i = 0; i < n; i++) members[find(i)]++;
  for (int i = 0; i < n; i++) {
    if (single[i] || find(i) != i) continue;
    known.push_back(label[i]);
    known.push_back(singular[i] ? members[i] : 0.0);
  }
  known = p.Gather(known);
  for (size_t k = 0; k < known.size(); k += 2) {
    auto found = parts.find(known[k]);

    if (found == parts.end())
      parts[known[k]] = known[k + 1];
    else
      found->second = found->second > 0.0 && known[k + 1] > 0.0 ? found->second + known[k + 1] : 0.0;
  }
  p.nparts = (int)parts.size();
  for (const auto &part : parts) {
    if (part.second == 0.0) continue;
    number[part.first] = p.parts.nnull++;
    p.count.push_back(part.second);
  }
  p.parts.part.assign(n, Parts::REGULAR);
  for (int i = 0; i < n; i++) {
    if (single[i]) {
      p.parts.part[i] = Parts::ALONE;
      p.alone.push_back(i);
    } else {
      auto found = number.find(label[find(i)]);

      if (found != number.end()) p.parts.part[i] = found->second;
    }
  }
  double counts[2] = {(double)(n - (int)p.alone.size()), (double)p.alone.size()};
  p.Sum(2, counts);
  p.nfree   = (int)counts[0];
  p.special = p.parts.nnull > 0 || counts[1] > 0.0;
  if (!p.special) p.parts.part.clear();
}

/* All eigenvectors but those that are known, by a dense matrix on every process, for small problems. The block X receives as many as it has room for. */
static bool PCHSCDense(PCHSCProblem &p, int wanted, Block &X, std::vector<double> &values)
{
  std::vector<int>    row; /* of this process, the first of which is number first of all */
  std::vector<double> counts(p.size, 0.0);
  const int           m     = p.nfree;
  int                 first = 0;
  Block               e(p.n, 1), y(p.n, 1);

  for (int i = 0; i < p.n; i++) {
    if (p.parts.part.empty() || p.parts.part[i] != Parts::ALONE) row.push_back(i);
  }
  counts[p.rank] = (double)row.size();
  p.Sum(p.size, counts.data());
  for (int r = 0; r < p.rank; r++) first += (int)counts[r];
  std::vector<double> A((size_t)m * m, 0.0), part(m, 0.0);
  for (size_t i = 0; i < row.size(); i++) part[first + i] = p.parts.part.empty() ? Parts::REGULAR : p.parts.part[row[i]];
  p.Sum(m, part.data());
  for (int j = 0; j < m; j += PANEL) {
    const int width = std::min((int)PANEL, m - j);
    auto      unit  = [&](double value) {
      for (int c = 0; c < width; c++) {
        if (j + c >= first && j + c < first + (int)row.size()) e.at(row[j + c - first], c) = value;
      }
    };

    unit(1.0);
    p.Product(1, e.data(), y.data());
    for (int c = 0; c < width; c++) {
      for (size_t i = 0; i < row.size(); i++) A[(size_t)(j + c) * m + first + i] = y.at(row[i], c);
    }
    unit(0.0);
    p.Sum(width * m, A.data() + (size_t)j * m);
  }
  /* Null vectors move to the other end of the spectrum */
  for (int i = 0; i < m; i++) {
    for (int j = 0; j < m; j++) {
      if (part[i] >= 0 && part[i] == part[j]) A[(size_t)i * m + j] += 4.0 * p.norm / p.count[(int)part[i]];
    }
  }
  for (int i = 0; i < m; i++) {
    for (int j = 0; j < i; j++) A[(size_t)i * m + j] = A[(size_t)j * m + i] = 0.5 * (A[(size_t)i * m + j] + A[(size_t)j * m + i]);
  }
  values.resize(m);
  if (!DenseEigen(m, A.data(), values.data())) return false;
  for (int j = 0; j < wanted; j++) {
    for (size_t i = 0; i < row.size(); i++) X.at(row[i], j) = A[(size_t)j * m + first + i];
  }
  return true;
}

/*
  Adds to each vector a part, relative to its norm, of random vectors to which the preconditioner was applied twice, so that they consist of low
  eigenvectors. A coarse level may have none of the unknowns of a small or weakly connected part of the graph, and vectors that come from it would
  miss all that happens there. As many random vectors as there are others are only needed where many eigenvectors may be missed.
*/
static void PCHSCDisturb(PCHSCProblem &p, bool many, double size, Block &X)
{
  const int           np = many ? X.panels() : 1, m = X.panels() * PANEL;
  Block               Z(p.n, np);
  std::vector<double> norm(np * PANEL, 0.0), square(m, 0.0);
  unsigned long long  seed = p.Seed(42), common = 43;

  for (int j = 0; j < np * PANEL; j++) RandomColumn(Z, j, seed);
  for (int pass = 0; pass < 2; pass++) {
    p.Project(np, Z.data());
    p.Precondition(np, Z.data(), Z.data());
  }
  p.Project(np, Z.data());
  for (int j = 0; j < np * PANEL; j++) {
    for (int i = 0; i < p.n; i++) norm[j] += Z.at(i, j) * Z.at(i, j);
  }
  p.Sum(np * PANEL, norm.data());
  for (double &x : norm) x = std::sqrt(x);
  for (int j = 0; j < m; j++) {
    for (int i = 0; i < p.n; i++) square[j] += X.at(i, j) * X.at(i, j);
  }
  p.Sum(m, square.data());
  for (int j = 0; j < m; j++) {
    double factor[PANEL];
    int    at = many ? j : 0;

    for (int c = 0; c < PANEL; c++) {
      common    = common * 6364136223846793005ull + 1442695040888963407ull;
      factor[c] = (double)(common >> 11) / (double)(1ull << 52) - 1.0;
      if (many) factor[c] = c == 0;
      if (at + c < np * PANEL && norm[at + c] > 0.0) factor[c] *= size * (square[j] > 0.0 ? std::sqrt(square[j]) : 1.0) / norm[at + c];
    }
    for (int i = 0; i < p.n; i++) {
      double sum = 0.0;

      for (int c = 0; c < (many ? 1 : (int)PANEL); c++) sum += factor[c] * Z.at(i, at + c);
      X.at(i, j) += sum;
    }
  }
}

/* Norms of residuals where there was no iteration to tell them */
static void PCHSCResiduals(PCHSCProblem &p, int wanted, Block &X, const std::vector<double> &values, std::vector<double> &norms)
{
  Block Y(p.n, X.panels());

  p.Product(X.panels(), X.data(), Y.data());
  norms.assign(wanted, 0.0);
  for (int j = 0; j < wanted; j++) {
    for (int i = 0; i < p.n; i++) norms[j] += (Y.at(i, j) - values[j] * X.at(i, j)) * (Y.at(i, j) - values[j] * X.at(i, j));
  }
  p.Sum(wanted, norms.data());
  for (double &norm : norms) norm = std::sqrt(norm);
}

static PetscErrorCode PCHSCEigenvectors(PC pc, PetscInt k, PetscBool initial, PetscReal values[], Vec vectors[], PetscReal residuals[], PetscInt *nconv)
{
  PCHSCInside    inside;
  Mat            B;
  PetscInt       n, m, start;
  PCHSCRows      rows;
  Report         report;
  Vec            ones = nullptr, sums = nullptr;
  const MPI_Comm comm = PetscObjectComm((PetscObject)pc);

  PetscFunctionBegin;
  PetscCall(PCSetUp(pc));
  PetscCall(PCHSCGetInside(pc, &inside));
  PCHSCEigen &eigen = *inside.eigen;
  PetscCall(MatGetSize(pc->mat, &n, nullptr));
  PetscCall(MatGetLocalSize(pc->mat, &m, nullptr));
  PetscCall(MatGetOwnershipRange(pc->mat, &start, nullptr));
  PetscCheck(k >= 1 && k <= n, comm, PETSC_ERR_ARG_OUTOFRANGE, "%" PetscInt_FMT " eigenvectors were asked for and the matrix has %" PetscInt_FMT " rows: ask for at least one and at most as many as there are rows", k, n);
  for (PetscInt j = 0; vectors && j < k; j++) {
    PetscInt size;

    PetscValidHeaderSpecific(vectors[j], VEC_CLASSID, 5);
    PetscCall(VecGetLocalSize(vectors[j], &size));
    PetscCheck(size == m, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ, "Vector %" PetscInt_FMT " has %" PetscInt_FMT " entries and the matrix has %" PetscInt_FMT " rows: make the vectors by MatCreateVecs() and VecDuplicateVecs()", j, size, m);
  }
  PetscCheck(!pc->failedreason, comm, PETSC_ERR_NOT_CONVERGED, "The hierarchy has no positive definite coarsest level: the matrix is too far from a Laplacian for PCHSC, see -pc_hsc_positive and -info");
  PetscCall(PCHSCEigenTry(pc, [&] { report = inside.solver->GetReport(); }));
  PetscCheck(report.ncoupling == 0, comm, PETSC_ERR_ARG_WRONG, "The matrix is not symmetric: rows with nothing but a diagonal have columns with %lld other entries. Use MatZeroRowsColumns() in place of MatZeroRows()", report.ncoupling);
  PetscCall(PetscLogEventBegin(PC_HSCEigen, pc, nullptr, nullptr, nullptr));
  PetscCall(PCHSCGetAIJ(pc, pc->pmat, &B));
  PCHSCProblem problem(pc, inside, m);
  PetscCall(MatCreateVecs(pc->mat, &problem.in, &problem.out));
  if (pc->mat != pc->pmat) {
    PetscCall(VecDuplicate(problem.in, &ones));
    PetscCall(VecDuplicate(problem.in, &sums));
  }
  PetscCall(PCHSCGetRows(B, &rows));
  if (pc->mat != pc->pmat) {
    const PetscScalar *s;

    PetscCall(VecSet(ones, 1.0));
    PetscCall(MatMult(pc->mat, ones, sums));
    PetscCall(VecGetArrayRead(sums, &s));
    PetscCall(PCHSCEigenTry(pc, [&] { PCHSCFindParts(problem, rows, s); }));
    PetscCall(VecRestoreArrayRead(sums, &s));
  } else {
    if (!rows.there) {
      problem.ia = rows.own.ia;
      problem.ja = rows.own.ja;
      problem.a  = rows.own.a;
    }
    PetscCall(PCHSCEigenTry(pc, [&] { PCHSCFindParts(problem, rows, nullptr); }));
  }

  /* Null vectors and unknowns that stand alone need no iteration; what is known besides cannot be lower than any of these */
  const int           nnull = problem.parts.nnull, left = problem.nfree - nnull;
  const int           wanted = (int)PetscMax(0, PetscMin(k - nnull, left));
  Block               X;
  EigenResult         result;
  std::vector<double> lambda, norms;
  int                 converged = wanted;
  if (wanted > 0) {
    const PetscInt64 guard = eigen.guard >= 0 ? eigen.guard : (wanted + 2) / 3, block64 = (wanted + guard + PANEL - 1) / PANEL * PANEL;
    const int        block = (int)PetscMin(block64, (PetscInt64)INT_MAX / 8);
    EigenSettings    settings;
    bool             good = true;

    settings.wanted = wanted;
    settings.block  = block;
    settings.tol    = (double)eigen.tol;
    settings.floor  = 8.0 * PETSC_MACHINE_EPSILON * problem.norm;
    settings.maxit  = initial ? 0 : (int)PetscMin(eigen.maxit, 1000000);
    settings.loose  = 1.0;
    settings.seed   = problem.Seed(1);
    if (eigen.monitor && !initial) {
      settings.monitor = [&](int it, int nconverged, const double value[], const double norm[]) {
        const int j = std::min(nconverged, wanted - 1);

        if (!problem.error) problem.error = PetscViewerPushFormat(eigen.monitor, eigen.format);
        if (!problem.error) problem.error = PetscViewerASCIIPrintf(eigen.monitor, "%3d PCHSC %d of %d eigenvectors converged, number %d: eigenvalue %.10g, residual %.3e\n", it, nconverged, wanted, j, inside.sign * value[j], norm[j]);
        if (!problem.error) problem.error = PetscViewerPopFormat(eigen.monitor);
        return problem.error == 0;
      };
    } else
      settings.monitor = [&](int, int, const double[], const double[]) { return problem.error == 0; };
    PetscCall(PCHSCEigenTry(pc, [&] {
      if (5 * (PetscInt64)block > left) {
        X.resize(problem.n, (wanted + PANEL - 1) / PANEL);
        good = PCHSCDense(problem, wanted, X, lambda);
        if (good) PCHSCResiduals(problem, wanted, X, lambda, norms);
        eigen.its = 0;
      } else {
        X.resize(problem.n, block / PANEL);
        const bool start = problem.levels && problem.levels->Start(problem.parts, block, (int)eigen.steps, (bool)eigen.mass, std::max(1, problem.sweeps.post), X);
        PCHSCDisturb(problem, !start || problem.nparts > 1, start ? 0.1 : 1.0, X);
        result    = LowestEigenvectors(problem, settings, X);
        lambda    = result.value;
        norms     = result.residual;
        converged = result.converged;
        eigen.its = result.iterations;
      }
    }));
    PetscCall(problem.error);
    PetscCheck(good && !std::isnan(lambda[0]), comm, PETSC_ERR_FP, "A product with the matrix or the preconditioner is not a number");
  } else
    eigen.its = 0;

  /* In ascending order, whatever they come from */
  struct Pair {
    double value, residual;
    enum { NULLVECTOR, ALONE, COMPUTED } kind;
    PetscInt number; /* of the null vector, row that stands alone, or column of X */
    bool     good;
  };
  std::vector<Pair> pairs;
  PetscCall(PCHSCEigenTry(pc, [&] {
    std::vector<double> alone;

    for (int i : problem.alone) {
      alone.push_back((double)(start + i));
      alone.push_back(problem.sign * problem.diagonal[i]);
    }
    alone = problem.Gather(alone);
    for (int i = 0; i < nnull; i++) pairs.push_back({0.0, 0.0, Pair::NULLVECTOR, i, true});
    for (size_t i = 0; i < alone.size(); i += 2) pairs.push_back({alone[i + 1], 0.0, Pair::ALONE, (PetscInt)alone[i], true});
    for (int j = 0; j < wanted; j++) pairs.push_back({lambda[j], norms[j], Pair::COMPUTED, j, j < converged});
    std::stable_sort(pairs.begin(), pairs.end(), [](const Pair &x, const Pair &y) { return x.value < y.value; });
  }));
  PetscInt count = 0;
  while (count < k && pairs[count].good) count++;
  for (PetscInt j = 0; j < k; j++) {
    const Pair  &pair = pairs[j];
    PetscScalar *x;

    if (values) values[j] = problem.sign * pair.value;
    if (residuals) residuals[j] = pair.residual;
    if (!vectors) continue;
    PetscCall(VecGetArrayWrite(vectors[j], &x));
    for (int i = 0; i < problem.n; i++) {
      if (pair.kind == Pair::NULLVECTOR)
        x[i] = problem.parts.part[i] == pair.number ? 1.0 / std::sqrt(problem.count[pair.number]) : 0.0;
      else if (pair.kind == Pair::ALONE)
        x[i] = start + i == pair.number ? 1.0 : 0.0;
      else
        x[i] = X.at(i, (int)pair.number);
    }
    PetscCall(VecRestoreArrayWrite(vectors[j], &x));
  }
  if (nconv) *nconv = count;
  if (!initial)
    PetscCall(PetscInfo(pc, "%" PetscInt_FMT " of %" PetscInt_FMT " eigenvectors converged after %" PetscInt_FMT " iterations; %d are constant on a part of the graph, %d unknowns stand alone\n", count, k, eigen.its, nnull, (int)(n - problem.nfree)));
  PetscCall(PCHSCRestoreRows(&rows));
  PetscCall(VecDestroy(&problem.in));
  PetscCall(VecDestroy(&problem.out));
  PetscCall(VecDestroy(&ones));
  PetscCall(VecDestroy(&sums));
  PetscCall(MatDestroy(&B));
  PetscCall(PetscLogEventEnd(PC_HSCEigen, pc, nullptr, nullptr, nullptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCComputeEigenvectors_HSC(PC pc, PetscInt k, PetscReal values[], Vec vectors[], PetscReal residuals[], PetscInt *nconv)
{
  PetscFunctionBegin;
  PetscCall(PCHSCEigenvectors(pc, k, PETSC_FALSE, values, vectors, residuals, nconv));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@C
  PCHSCComputeEigenvectors - Computes the lowest eigenvectors of the operator of a `PCHSC`

  Collective

  Input Parameters:
+ pc - the preconditioner, with its operators set; it is set up where it is not
- k  - how many, from 1 to the number of rows

  Output Parameters:
+ values    - array of `k` numbers for the eigenvalues, ascending (of the negative of a Laplacian descending from zero), in the units of the matrix; or NULL
. vectors   - `k` vectors that the caller has made, as by `VecDuplicateVecs()`, for the eigenvectors, which are orthonormal; or NULL
. residuals - array of `k` numbers for the 2-norms of $A x - \lambda x$, in the units of the matrix; or NULL
- nconv     - how many have converged: those with numbers 0 to nconv - 1; or NULL

  Options Database Keys:
+ -pc_hsc_eigen_tol <1e-8>   - residual, relative to the eigenvalue, that is small enough
. -pc_hsc_eigen_max_it <200> - most iterations on the finest level
. -pc_hsc_eigen_guard <-1>   - vectors at least that are iterated on beyond the `k`; -1 for a third of them
. -pc_hsc_eigen_steps <1>    - iterations on each coarse level, for the vectors to begin with
. -pc_hsc_eigen_mass <true>  - on coarse levels an unknown counts as much as the unknowns of the finest that it stands for
- -pc_hsc_eigen_monitor      - prints residuals and eigenvalues of each iteration

  Level: intermediate

  Notes:
  The operator is the first matrix of `PCSetOperators()`, real and symmetric, and the hierarchy belongs to the second one; usually they are the same. If they are not, only products with the first one are needed. A shift, see `PCHSCSetShift()`, is one of the preconditioner alone.

  An eigenvector counts as converged when the norm of its residual is at most tol times the absolute value of its eigenvalue, plus 8 times the rounding error of the largest row of the matrix, below which residuals mean nothing.
  The error of the eigenvalue is about the square of that of the vector. Not to converge in max_it iterations is no error: look at `nconv`; the other vectors are as good as they have become.

  Vectors that are constant on one connected part of the graph and zero on the others belong to the eigenvalue zero where the sums of rows are zero. They are found by looking at the graph, count among the `k`, come first, and are exact. So ask for one
  eigenvector more than wanted where the matrix is the singular Laplacian of a connected graph and the constant is of no use. Rows with nothing but a diagonal give exact eigenvectors as well.

  Eigenvectors of the coarsest level with enough unknowns are interpolated and improved from level to level; LOBPCG with the cycle as its preconditioner goes on with them on the finest level. The memory is that of about six blocks of `k` plus guard
  vectors. It is made for few eigenvectors, up to about a hundred. Where `k` is not small beside the number of rows, a dense matrix is made.

  Convergence depends on how far the eigenvalues asked for are from the next ones, beside their own size. So take a multiple of the unit matrix out of the matrix, which leaves the eigenvectors as they are.

  Reference: section 4.5 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for `k` below 1 or above the number of rows; `PETSC_ERR_ARG_SIZ` for vectors of another size; `PETSC_ERR_ARG_WRONG` for a matrix with rows that have only a diagonal and columns that have more; `PETSC_ERR_NOT_CONVERGED`
  where the set-up has failed; `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCComputeInitialSpace()`, `PCHSCSetEigenTolerances()`, `PCHSCSetEigenGuard()`, `PCHSCGetEigenIterationNumber()`
@*/
PetscErrorCode PCHSCComputeEigenvectors(PC pc, PetscInt k, PetscReal values[], Vec vectors[], PetscReal residuals[], PetscInt *nconv)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveInt(pc, k, 2);
  PetscUseMethod(pc, "PCHSCComputeEigenvectors_C", (PC, PetscInt, PetscReal[], Vec[], PetscReal[], PetscInt *), (pc, k, values, vectors, residuals, nconv));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCComputeInitialSpace_HSC(PC pc, PetscInt k, Vec vectors[])
{
  PetscFunctionBegin;
  PetscCall(PCHSCEigenvectors(pc, k, PETSC_TRUE, nullptr, vectors, nullptr, nullptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@C
  PCHSCComputeInitialSpace - Computes approximations of the lowest eigenvectors from the coarse levels of a `PCHSC`, for other eigensolvers to begin with

  Collective

  Input Parameters:
+ pc - the preconditioner, with its operators set; it is set up where it is not
- k  - how many, from 1 to the number of rows

  Output Parameter:
. vectors - `k` vectors that the caller has made; they become orthonormal, and are sorted by their Rayleigh quotients

  Level: intermediate

  Notes:
  These are what `PCHSCComputeEigenvectors()` begins with on the finest level. For SLEPc's EPS pass them to `EPSSetInitialSpace()`, and set the type of the preconditioner of the ST's KSP to hsc, with a solver that uses preconditioners (`EPSLOBPCG`, `EPSGD`, `EPSJD`).

  Null vectors that are constant on connected parts of the graph come first, as in `PCHSCComputeEigenvectors()`.

  Reference: section 4.5 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  as of `PCHSCComputeEigenvectors()`

.seealso: `PCHSC`, `PCHSCComputeEigenvectors()`
@*/
PetscErrorCode PCHSCComputeInitialSpace(PC pc, PetscInt k, Vec vectors[])
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveInt(pc, k, 2);
  PetscCheck(vectors, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_NULL, "PCHSCComputeInitialSpace() needs vectors to put its result in");
  PetscUseMethod(pc, "PCHSCComputeInitialSpace_C", (PC, PetscInt, Vec[]), (pc, k, vectors));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCSetEigenTolerances_HSC(PC pc, PetscReal tol, PetscInt maxit)
{
  PCHSCEigen *eigen = PCHSCGetEigen(pc);

  PetscFunctionBegin;
  PetscCheck(tol == PETSC_DEFAULT || (tol >= 0.0 && tol < 1.0), PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "-pc_hsc_eigen_tol is %g; it must be at least 0 and below 1", (double)tol);
  PetscCheck(maxit == PETSC_DEFAULT || maxit >= 0, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "-pc_hsc_eigen_max_it is %" PetscInt_FMT "; it must not be negative", maxit);
  if (tol != (PetscReal)PETSC_DEFAULT) eigen->tol = tol;
  if (maxit != PETSC_DEFAULT) eigen->maxit = maxit;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCGetEigenTolerances_HSC(PC pc, PetscReal *tol, PetscInt *maxit)
{
  PetscFunctionBegin;
  if (tol) *tol = PCHSCGetEigen(pc)->tol;
  if (maxit) *maxit = PCHSCGetEigen(pc)->maxit;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetEigenTolerances - Sets when `PCHSCComputeEigenvectors()` stops

  Logically Collective

  Input Parameters:
+ pc    - the preconditioner
. tol   - 2-norm of the residual, relative to the absolute value of the eigenvalue, that is small enough (default 1e-8), or `PETSC_DEFAULT` to keep it
- maxit - most iterations on the finest level (default 200), or `PETSC_DEFAULT` to keep it

  Options Database Keys:
+ -pc_hsc_eigen_tol <1e-8>   - tolerance
- -pc_hsc_eigen_max_it <200> - most iterations

  Level: intermediate

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for a tolerance that is negative or not below 1, or a negative number of iterations

.seealso: `PCHSC`, `PCHSCComputeEigenvectors()`, `PCHSCGetEigenTolerances()`
@*/
PetscErrorCode PCHSCSetEigenTolerances(PC pc, PetscReal tol, PetscInt maxit)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveReal(pc, tol, 2);
  PetscValidLogicalCollectiveInt(pc, maxit, 3);
  PetscTryMethod(pc, "PCHSCSetEigenTolerances_C", (PC, PetscReal, PetscInt), (pc, tol, maxit));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetEigenTolerances - Gets when `PCHSCComputeEigenvectors()` stops

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameters:
+ tol   - 2-norm of the residual, relative to the absolute value of the eigenvalue, that is small enough, or NULL
- maxit - most iterations on the finest level, or NULL

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetEigenTolerances()`
@*/
PetscErrorCode PCHSCGetEigenTolerances(PC pc, PetscReal *tol, PetscInt *maxit)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetEigenTolerances_C", (PC, PetscReal *, PetscInt *), (pc, tol, maxit));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCSetEigenGuard_HSC(PC pc, PetscInt guard)
{
  PetscFunctionBegin;
  PetscCheck(guard >= PETSC_DECIDE && guard <= 10000, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "-pc_hsc_eigen_guard is %" PetscInt_FMT "; it must be between 0 and 10000, or -1 for a third of the eigenvectors asked for", guard);
  PCHSCGetEigen(pc)->guard = guard;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCGetEigenGuard_HSC(PC pc, PetscInt *guard)
{
  PetscFunctionBegin;
  *guard = PCHSCGetEigen(pc)->guard;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetEigenGuard - Sets how many vectors `PCHSCComputeEigenvectors()` iterates on beyond those that it is asked for

  Logically Collective

  Input Parameters:
+ pc    - the preconditioner
- guard - vectors at least, or `PETSC_DECIDE` (default) for a third of the eigenvectors asked for; the block is filled up to a multiple of 4

  Options Database Key:
. -pc_hsc_eigen_guard <-1>

  Level: advanced

  Notes:
  The last eigenvectors converge the faster the further their eigenvalues are from the first one that is not in the block. A multiple eigenvalue at the end needs more of these vectors.

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for numbers below -1 or above 10000

.seealso: `PCHSC`, `PCHSCComputeEigenvectors()`, `PCHSCGetEigenGuard()`
@*/
PetscErrorCode PCHSCSetEigenGuard(PC pc, PetscInt guard)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveInt(pc, guard, 2);
  PetscTryMethod(pc, "PCHSCSetEigenGuard_C", (PC, PetscInt), (pc, guard));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetEigenGuard - Gets how many vectors `PCHSCComputeEigenvectors()` iterates on beyond those that it is asked for

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. guard - vectors at least, or `PETSC_DECIDE` for a third of the eigenvectors asked for

  Level: advanced

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetEigenGuard()`
@*/
PetscErrorCode PCHSCGetEigenGuard(PC pc, PetscInt *guard)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetEigenGuard_C", (PC, PetscInt *), (pc, guard));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCGetEigenIterationNumber_HSC(PC pc, PetscInt *its)
{
  PetscFunctionBegin;
  *its = PCHSCGetEigen(pc)->its;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetEigenIterationNumber - Gets the number of iterations on the finest level that the last `PCHSCComputeEigenvectors()` took

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. its - iterations; 0 where a dense matrix was made, or nothing but null vectors was asked for

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCComputeEigenvectors()`
@*/
PetscErrorCode PCHSCGetEigenIterationNumber(PC pc, PetscInt *its)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetEigenIterationNumber_C", (PC, PetscInt *), (pc, its));
  PetscFunctionReturn(PETSC_SUCCESS);
}
#endif
