/*
  LU with delayed pivots on random matrices of grids, among them those that elimination inside separators cannot factor. Backward errors are those of the unscaled matrix, and
  ranks are compared with elimination of the dense matrix under complete pivoting. One line for each family of matrices. An argument gives the number of grids.
*/
#include "mat/schwarzschur/factor_delayed.h"
#include "tests/unit/random.h"
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>
#if defined(__linux__)
  #include <sys/resource.h>
  #include <unistd.h>
#endif

namespace {

const double BOUND = 1e-13, BOUND_SINGULAR = 1e-11;
/* Orders up to this are compared with dense elimination */
const PetscInt DENSE = 130;

enum Family { DOMINANT, ZERODIAGONAL, SIGNS, SKEW, PAIRS, SADDLE, HELMHOLTZ, FEM, SCALED, MASKED, NULLVECTOR, NEUMANN, COMPONENTS, DOUBLED, FAMILIES };
const char *const names[] = {"dominant diagonal", "zero diagonal",           "entries of modulus one", "skew-symmetric", "pairs",   "saddle point",     "Helmholtz",
                             "finite elements",   "scaled rows and columns", "zero rows and columns",  "null vector",    "Neumann", "three components", "doubled columns"};

struct Statistics {
  int         cases = 0, compared = 0, singular = 0, undecided = 0;
  double      delayed = 0, worst = 0;
  std::string trouble;
} statistics[FAMILIES];

typedef std::vector<std::map<PetscInt, PetscScalar>> Rows;

/* Where the matrix is another one with scaled rows and columns, that one is kept */
struct Matrix {
  Rows                row, plain;
  std::vector<double> rowscale, colscale;
  PetscInt            null = -1; /* order minus rank, where it is known */

  PetscInt Order() const
  {
    return (PetscInt)row.size();
  }
};

PetscScalar Number(Random &random)
{
  const double re = 2 * random() - 1;
#if defined(PETSC_USE_COMPLEX)
  return PetscScalar(re, 2 * random() - 1);
#else
  return re;
#endif
}

PetscScalar Sign(Random &random)
{
#if defined(PETSC_USE_COMPLEX)
  const double v[4] = {1, 0, -1, 0};
  const int    k    = (int)(4 * random());

  return PetscScalar(v[k], v[(k + 1) % 4]);
#else
  return random() < 0.5 ? -1 : 1;
#endif
}

/* The same for (i, j) and (j, i) */
Random Shared(PetscInt i, PetscInt j, uint64_t seed)
{
  return {seed + 1000003 * (uint64_t)std::min(i, j) + (uint64_t)std::max(i, j)};
}

void Coordinates(const Plan *plan, PetscInt p, PetscInt c[3])
{
  const PetscInt *size = plan->grid.size;

  c[0] = p % size[0];
  c[1] = p / size[0] % size[1];
  c[2] = p / size[0] / size[1];
}

/* Points that a row couples to, ascending. On octahedral grids further ones of the frame, here by any rule, are glue. */
std::vector<PetscInt> Neighbors(const Plan *plan, PetscInt p)
{
  const PlanGrid    &g = plan->grid;
  PetscInt           c[3];
  std::set<PetscInt> all;

  Coordinates(plan, p, c);
  for (int k = 0; k < plan->nstencil; k++) {
    PetscInt t[3];
    bool     inside = true;

    for (int d = 0; d < 3; d++) {
      t[d] = c[d] + plan->stencil[k][d];
      if (g.periodic[d]) t[d] = (t[d] + 4 * g.size[d]) % g.size[d];
      inside = inside && t[d] >= 0 && t[d] < g.size[d];
    }
    if (inside) all.insert(t[0] + g.size[0] * (t[1] + g.size[1] * t[2]));
  }
  if (g.topology == PLAN_OCTAHEDRAL) {
    const PetscInt other[2] = {p % g.size[0] + g.size[0] * (g.size[1] - 1 - c[1]), g.size[0] - 1 - c[0] + g.size[0] * c[1]};

    if (c[1] == 0 || c[1] == g.size[1] - 1) all.insert(other[0]);
    if (c[0] == 0 || c[0] == g.size[0] - 1) all.insert(other[1]);
  }
  return {all.begin(), all.end()};
}

template <class Value>
Matrix Fill(const Plan *plan, Value value)
{
  const int dof = plan->grid.dof;
  Matrix    A;

  A.row.resize((size_t)(plan->npoints * dof));
  for (PetscInt p = 0; p < plan->npoints; p++) {
    for (PetscInt q : Neighbors(plan, p)) {
      for (int a = 0; a < dof; a++) {
        for (int b = 0; b < dof; b++) A.row[(size_t)(p * dof + a)][q * dof + b] = value(p * dof + a, q * dof + b);
      }
    }
  }
  return A;
}

Matrix Dominant(const Plan *plan, Random &random)
{
  Matrix A = Fill(plan, [&](PetscInt, PetscInt) { return Number(random); });

  for (PetscInt i = 0; i < A.Order(); i++) {
    double sum = 1;

    for (const auto &e : A.row[(size_t)i]) sum += PetscAbsScalar(e.second);
    A.row[(size_t)i][i] = sum;
  }
  A.null = 0;
  return A;
}

/* Every unknown has one entry, in its own column or in that of a neighbor: pairs cross every separator. Entries far smaller than the pivots do no harm. */
Matrix Pairs(const Plan *plan, Random &random)
{
  const int             dof   = plan->grid.dof;
  const double          noise = random() < 0.5 ? 0 : 1e-6;
  std::vector<PetscInt> partner((size_t)(plan->npoints * dof), -1);
  Matrix                A;

  for (PetscInt i = 0; i < plan->npoints * dof; i++) {
    const std::vector<PetscInt> all = Neighbors(plan, i / dof);
    const PetscInt              j   = all[(size_t)(random() * (double)all.size())] * dof + (int)(random() * dof);

    if (partner[(size_t)i] >= 0) continue;
    partner[(size_t)i] = partner[(size_t)j] < 0 ? j : i;
    if (partner[(size_t)j] < 0) partner[(size_t)j] = i;
  }
  A      = Fill(plan, [&](PetscInt i, PetscInt j) { return partner[(size_t)i] == j ? Sign(random) : noise * Number(random); });
  A.null = 0;
  return A;
}

/* Velocities on the walls of cells and pressures in the cells. The divergence is the transpose of the gradient. */
Matrix Saddle(const Plan *plan, Random &random)
{
  const int      dof = plan->grid.dof, nu = dof - 1;
  const uint64_t seed = (uint64_t)(random() * 1e15);
  PetscInt       c[3], t[3];
  Matrix         A;

  A = Fill(plan, [&](PetscInt i, PetscInt j) {
    const int a = (int)(i % dof), b = (int)(j % dof);
    int       away = 0, along = -1;

    Coordinates(plan, i / dof, c);
    Coordinates(plan, j / dof, t);
    for (int d = 0; d < 3; d++) {
      if (t[d] == c[d]) continue;
      away++;
      along = d;
    }
    if (a == b && a < nu) return PetscScalar(away ? (away == 1 ? -0.9 - 0.1 * Shared(i, j, seed)() : 0) : 4.0 * plan->grid.dim);
    if (a < nu && b == nu) return PetscScalar(away == 0 ? -1 : away == 1 && along == a && t[a] - c[a] == 1 ? 1 : 0);
    if (a == nu && b < nu) return PetscScalar(away == 0 ? -1 : away == 1 && along == b && c[b] - t[b] == 1 ? 1 : 0);
    return PetscScalar(0);
  });
  return A;
}

/* Differences to neighbors, whose coefficients are symmetric or not, between points that are in the same part of the grid */
Matrix Neumann(const Plan *plan, Random &random, int parts, PetscInt *found)
{
  const int          dof       = plan->grid.dof;
  const uint64_t     seed      = (uint64_t)(random() * 1e15);
  const bool         symmetric = random() < 0.5;
  const auto         part      = [&](PetscInt i) { return i / dof % plan->grid.size[0] * parts / plan->grid.size[0]; };
  Matrix             A         = Fill(plan, [&](PetscInt i, PetscInt j) {
    if (i == j || i % dof != j % dof || part(i) != part(j)) return PetscScalar(0);
    return PetscScalar(symmetric ? -0.1 - Shared(i, j, seed)() : -0.1 - random());
  });
  std::set<PetscInt> all;

  for (PetscInt i = 0; i < A.Order(); i++) {
    PetscScalar sum = 0;

    for (const auto &e : A.row[(size_t)i]) sum -= e.second;
    A.row[(size_t)i][i] = sum;
    all.insert(part(i));
  }
  *found = (PetscInt)all.size() * dof;
  return A;
}

Matrix Laplacian(const Plan *plan, Random &random, Family family)
{
  const double shift = 3 * random();

  return Fill(plan, [&](PetscInt i, PetscInt j) {
    const int dof = plan->grid.dof, dim = plan->grid.dim;
    PetscInt  c[3], t[3];
    int       away = 0;

    Coordinates(plan, i / dof, c);
    Coordinates(plan, j / dof, t);
    for (int d = 0; d < 3; d++) away += t[d] != c[d];
    if (i % dof != j % dof) return family == FEM ? 0.05 * Number(random) : PetscScalar(0);
    if (family == HELMHOLTZ) return PetscScalar(away ? (away == 1 ? -1 : 0) : 2 * dim - shift * random());
    if (dim < 3) return PetscScalar(away ? -1.0 / 3 : 8.0 / 3);
    return PetscScalar(away == 0 ? 8.0 / 3 : away == 1 ? 0 : away == 2 ? -1.0 / 6 : -1.0 / 12);
  });
}

Matrix Make(const Plan *plan, Family family, Random &random)
{
  const uint64_t seed = (uint64_t)(random() * 1e15);
  Matrix         A;

  switch (family) {
  case DOMINANT:
    return Dominant(plan, random);
  case ZERODIAGONAL:
    return Fill(plan, [&](PetscInt i, PetscInt j) { return i == j ? PetscScalar(0) : Number(random); });
  case SIGNS:
    return Fill(plan, [&](PetscInt, PetscInt) { return Sign(random); });
  case SKEW:
    return Fill(plan, [&](PetscInt i, PetscInt j) {
      Random own = Shared(i, j, seed);

      return i == j ? PetscScalar(0) : i < j ? Number(own) : -Number(own);
    });
  case PAIRS:
    return Pairs(plan, random);
  case SADDLE:
    return Saddle(plan, random);
  case HELMHOLTZ:
  case FEM:
    return Laplacian(plan, random, family);
  case SCALED: {
    A       = Make(plan, (Family)(int)(random() * SCALED), random);
    A.plain = A.row;
    for (PetscInt i = 0; i < A.Order(); i++) {
      A.rowscale.push_back(pow(10, 16 * random() - 8));
      A.colscale.push_back(pow(10, 16 * random() - 8));
    }
    for (PetscInt i = 0; i < A.Order(); i++) {
      for (auto &e : A.row[(size_t)i]) e.second *= A.rowscale[(size_t)i] * A.colscale[(size_t)e.first];
    }
    return A;
  }
  case MASKED: {
    std::set<PetscInt> gone;

    A = Dominant(plan, random);
    for (int k = 0; k < 3; k++) gone.insert((PetscInt)(random() * (double)A.Order()));
    for (PetscInt i = 0; i < A.Order(); i++) {
      for (auto &e : A.row[(size_t)i]) {
        if (gone.count(i) || gone.count(e.first)) e.second = 0;
      }
    }
    A.null = (PetscInt)gone.size();
    return A;
  }
  case NULLVECTOR: {
    std::vector<PetscScalar> z;

    A = Make(plan, random() < 0.5 ? ZERODIAGONAL : SIGNS, random);
    for (PetscInt i = 0; i < A.Order(); i++) z.push_back(Sign(random) * (0.5 + random()));
    for (PetscInt i = 0; i < A.Order(); i++) {
      PetscScalar sum = 0;

      for (const auto &e : A.row[(size_t)i]) sum -= e.first == i ? 0 : e.second * z[(size_t)e.first];
      A.row[(size_t)i][i] = sum / z[(size_t)i];
    }
    return A;
  }
  case NEUMANN:
    A = Neumann(plan, random, 1, &A.null);
    return A;
  case COMPONENTS:
    return Neumann(plan, random, 3, &A.null);
  default: {
    const int          dof  = plan->grid.dof;
    const bool         rows = random() < 0.5;
    std::set<PetscInt> points;

    A = Dominant(plan, random);
    for (int k = 0; k < 3 && dof > 1; k++) points.insert((PetscInt)(random() * (double)plan->npoints));
    for (PetscInt p : points) {
      if (rows) {
        for (auto &e : A.row[(size_t)(p * dof + 1)]) e.second = 3.0 * A.row[(size_t)(p * dof)][e.first];
        continue;
      }
      for (auto &row : A.row) {
        if (row.count(p * dof)) row[p * dof + 1] = 3.0 * row[p * dof];
      }
    }
    A.null = (PetscInt)points.size();
    return A;
  }
  }
}

/* ---- the numbers as FactorValues has them ---- */

struct Values {
  std::vector<PetscInt>    ai;
  std::vector<PetscScalar> aa, glue;
  FactorValues             v;

  Values(Plan *plan, const Matrix &A, bool slots)
  {
    const int             dof  = plan->grid.dof;
    const PlanClass      &root = plan->cls[plan->root];
    std::vector<int>      position((size_t)plan->npoints, -1);
    std::vector<PlanGlue> glued;

    for (int i = 0; i < root.m; i++) position[(size_t)(plan->rootorigin + root.offset[i])] = i;
    for (PetscInt i = 0; i < A.Order(); i++) {
      ai.push_back((PetscInt)aa.size());
      if (slots) aa.resize(aa.size() + (size_t)(plan->nstencil * dof));
      for (const auto &e : A.row[(size_t)i]) {
        const PetscInt p = i / dof, q = e.first / dof;
        const int      slot = PlanSlot(plan, p, q);

        if (slot < 0) {
          glued.push_back({(int)(position[(size_t)p] * dof + i % dof), (int)(position[(size_t)q] * dof + e.first % dof), (PetscInt)glue.size()});
          glue.push_back(e.second);
        } else if (slots) {
          aa[(size_t)(ai.back() + (PetscInt)slot * dof + e.first % dof)] = e.second;
        } else {
          aa.push_back(e.second);
        }
      }
    }
    ai.push_back((PetscInt)aa.size());
    if (plan->grid.topology == PLAN_OCTAHEDRAL) std::copy(glued.begin(), glued.end(), PlanSetGlue(plan, (PetscInt)glued.size()));
    v = {ai.data(), aa.data(), slots, glue.data()};
  }
};

/* ---- checks ---- */

/* |b - A x|/(|A| |x| + |b|), or with A^T */
double BackwardError(const Rows &A, FactorTranspose trans, const PetscScalar *x, const PetscScalar *b)
{
  const size_t             n = A.size();
  std::vector<PetscScalar> r(b, b + n);
  std::vector<double>      sum(n, 0);
  double                   nr = 0, na = 0, nx = 0, nb = 0;

  for (size_t i = 0; i < n; i++) {
    for (const auto &e : A[i]) {
      const size_t j = (size_t)e.first;

      r[trans == FACTOR_TRANS ? j : i] -= e.second * x[trans == FACTOR_TRANS ? i : j];
      sum[trans == FACTOR_TRANS ? j : i] += PetscAbsScalar(e.second);
    }
  }
  for (size_t i = 0; i < n; i++) {
    const double size = PetscAbsScalar(r[i]);

    if (!(size <= DBL_MAX)) return DBL_MAX;
    nr = std::max(nr, size);
    na = std::max(na, sum[i]);
    nx = std::max(nx, (double)PetscAbsScalar(x[i]));
    nb = std::max(nb, (double)PetscAbsScalar(b[i]));
  }
  return nr > 0 ? nr / (na * nx + nb) : 0;
}

/* The larger one of the matrix as it is, and of that without the scales of rows and columns */
double BackwardError(const Matrix &A, FactorTranspose trans, const PetscScalar *x, const PetscScalar *b)
{
  double e = BackwardError(A.row, trans, x, b);

  if (A.plain.size()) {
    const std::vector<double> &r = trans == FACTOR_TRANS ? A.colscale : A.rowscale, &c = trans == FACTOR_TRANS ? A.rowscale : A.colscale;
    std::vector<PetscScalar>   px(x, x + A.row.size()), pb(b, b + A.row.size());

    for (size_t i = 0; i < px.size(); i++) {
      px[i] *= c[i];
      pb[i] /= r[i];
    }
    e = std::max(e, BackwardError(A.plain, trans, px.data(), pb.data()));
  }
  return e;
}

/* Moduli of the pivots of complete pivoting, after rows and then columns have been divided by their largest entries */
std::vector<double> Pivots(const Rows &A)
{
  const size_t             n = A.size();
  std::vector<PetscScalar> D(n * n);
  std::vector<double>      pivots;

  for (size_t i = 0; i < n; i++) {
    double most = 0;

    for (const auto &e : A[i]) most = std::max(most, (double)PetscAbsScalar(e.second));
    for (const auto &e : A[i]) D[i + (size_t)e.first * n] = most > 0 ? e.second / most : 0;
  }
  for (size_t j = 0; j < n; j++) {
    double most = 0;

    for (size_t i = 0; i < n; i++) most = std::max(most, (double)PetscAbsScalar(D[i + j * n]));
    for (size_t i = 0; i < n && most > 0; i++) D[i + j * n] /= most;
  }
  for (size_t k = 0; k < n; k++) {
    size_t at   = k + k * n;
    double most = 0;

    for (size_t j = k; j < n; j++) {
      for (size_t i = k; i < n; i++) {
        const double size = PetscAbsScalar(D[i + j * n]);

        if (size > most) most = size, at = i + j * n;
      }
    }
    pivots.push_back(most);
    if (most == 0) continue;
    for (size_t j = 0; j < n; j++) std::swap(D[k + j * n], D[at % n + j * n]);
    for (size_t i = 0; i < n; i++) std::swap(D[i + k * n], D[i + at / n * n]);
    for (size_t i = k + 1; i < n; i++) D[i + k * n] /= D[k + k * n];
    for (size_t j = k + 1; j < n; j++) {
      for (size_t i = k + 1; i < n && D[k + j * n] != PetscScalar(0); i++) D[i + j * n] -= D[i + k * n] * D[k + j * n];
    }
  }
  return pivots;
}

void Rank(const Matrix &A, const FactorDelayedInfo &info, Statistics &s, const std::string &what)
{
  if (A.null >= 0 && info.null != (double)A.null && s.trouble.empty()) s.trouble = what + ": " + std::to_string((int)info.null) + " pivots missing, not " + std::to_string((int)A.null);
  s.singular += info.null > 0;
  if (A.Order() > DENSE) return;
  int  null = 0;
  bool near = false;

  for (double p : Pivots(A.plain.size() ? A.plain : A.row)) {
    near = near || (p > 1e-13 && p < 1e-9);
    null += p <= 1e-13;
  }
  /* Neither singular nor not */
  if (near) {
    s.undecided++;
    return;
  }
  s.compared++;
  if (info.null != null && s.trouble.empty()) s.trouble = what + ": " + std::to_string((int)info.null) + " pivots missing, dense elimination misses " + std::to_string(null);
}

void Solves(FactorDelayed *F, const Matrix &A, FactorTranspose trans, int nrhs, bool same, Random &random, Statistics &s, const std::string &what)
{
  const bool               singular = FactorDelayedGetInfo(F).null > 0;
  const size_t             n = (size_t)A.Order(), ldb = n + 2, ldx = same ? ldb : n + 1;
  const PetscScalar        mark = 7;
  std::vector<PetscScalar> b(ldb * (size_t)nrhs, mark), x, y(ldx * (size_t)nrhs, mark);
  const char              *wrong = nullptr;

  /* Singular systems have solutions where the right-hand side comes from one */
  for (int q = 0; q < nrhs; q++) {
    for (size_t i = 0; i < n; i++) b[i + (size_t)q * ldb] = singular ? PetscScalar(0) : Number(random);
    for (size_t i = 0; i < n && singular; i++) {
      const PetscScalar v = Number(random);

      if (trans == FACTOR_NOTRANS) {
        for (const auto &e : A.row[i]) b[i + (size_t)q * ldb] += e.second * (0.5 + cos((double)(e.first + q)));
      } else {
        for (const auto &e : A.row[i]) b[(size_t)e.first + (size_t)q * ldb] += e.second * v;
      }
    }
  }
  x = b;
  if (FactorDelayedSolve(F, trans, nrhs, x.data(), (ptrdiff_t)ldb, same ? x.data() : y.data(), (ptrdiff_t)ldx)) wrong = "solve";
  for (int q = 0; q < nrhs; q++) {
    const double e = BackwardError(A, trans, (same ? x : y).data() + (size_t)q * ldx, b.data() + (size_t)q * ldb);

    if (!(e <= (singular ? BOUND_SINGULAR : BOUND))) wrong = "backward error";
    if (!singular) s.worst = std::max(s.worst, e);
    for (size_t i = n; i < ldx; i++) {
      if ((same ? x : y)[i + (size_t)q * ldx] != mark) wrong = "overwritten";
    }
  }
  if (!same && memcmp(x.data(), b.data(), b.size() * sizeof(b[0]))) wrong = "right-hand side overwritten";
  if (wrong && s.trouble.empty()) s.trouble = what + (trans == FACTOR_TRANS ? " transposed, " : ", ") + std::to_string(nrhs) + " vectors: " + wrong;
}

/* With rank, the threshold is one that promises it */
void Case(FactorDelayed *F, Plan *plan, Family family, bool slots, bool rank, Random &random, const std::string &what)
{
  Statistics             &s = statistics[family];
  const Matrix            A = Make(plan, family, random);
  const Values            values(plan, A, slots);
  const int               nrhs   = random() < 0.02 ? 40 : 1 + (int)(3 * random());
  const bool              same   = random() < 0.5;
  const int               failed = FactorDelayedNumeric(F, &values.v);
  const FactorDelayedInfo info   = FactorDelayedGetInfo(F);

  s.cases++;
  if (failed) {
    s.trouble = what + ": failed with " + std::to_string(failed);
    return;
  }
  s.delayed += info.delayed;
  /* Rows and columns of zeros need not wait for the root to be told from others */
  if ((family == DOMINANT || family == MASKED) && info.delayed > 0) s.trouble = what + ": delayed without need";
  if (family == PAIRS && plan->nfronts > 20 && info.delayed == 0) s.trouble = what + ": nothing delayed";
  if (rank) Rank(A, info, s, what);
  if (info.null < (double)A.Order() && !(info.least > 0 && info.least <= info.most && info.entries > 0 && info.bytes > 0)) s.trouble = what + ": information";
  Solves(F, A, FACTOR_NOTRANS, nrhs, same, random, s, what);
  Solves(F, A, FACTOR_TRANS, nrhs, same, random, s, what);
}

/* ---- grids ---- */

PlanGrid Grid(Random &random, bool large)
{
  PlanGrid  g    = {2, {1, 1, 1}, 1, 1, false, {false, false, false}, PLAN_PLAIN, PLAN_SEPARATORS_AUTO};
  const int most = large ? 40 : 11;

  g.dim = random() < 0.25 ? 3 : 2;
  g.dof = random() < 0.5 ? 1 : 1 + (int)(3 * random());
  for (int d = 0; d < g.dim; d++) g.size[d] = 1 + (PetscInt)(random() * (g.dim == 3 ? (large ? 9 : 5) : most));
  g.star  = random() < 0.4;
  g.width = random() < 0.1 ? 2 : 1;
  for (int d = 0; d < g.dim; d++) g.periodic[d] = random() < 0.1;
  if (g.dim == 2 && random() < 0.1) {
    g.topology    = PLAN_OCTAHEDRAL;
    g.periodic[0] = g.periodic[1] = false;
    g.size[0]                     = std::max(g.size[0], (PetscInt)2);
    g.size[1]                     = std::max(g.size[1], (PetscInt)2);
  }
  if (random() < 0.5) g.separators = PLAN_SEPARATORS_DIAGONAL;
  return g;
}

std::string Text(const PlanGrid &g, int leaf, int block, bool slots)
{
  char text[256];

  snprintf(text, sizeof(text), "%d x %d x %d, dof %d, width %d, star %d, periodic %d%d%d, topology %d, separators %d, leaf %d, block %d, slots %d", (int)g.size[0], (int)g.size[1], (int)g.size[2], g.dof, g.width, g.star, g.periodic[0], g.periodic[1],
           g.periodic[2], (int)g.topology, (int)g.separators, leaf, block, slots);
  return text;
}

void Expect(bool right, const char *what, int *bad)
{
  if (right) return;
  printf("not ok - %s\n", what);
  ++*bad;
}

/* Values that are not finite, matrices without any, all numbers very large or very small, and what is not there */
int Edges()
{
  const PlanGrid                 g      = {2, {13, 12, 1}, 2, 1, false, {false, false, false}, PLAN_PLAIN, PLAN_SEPARATORS_AUTO};
  Random                         random = {5};
  char                           text[256];
  int                            bad  = 0;
  Plan                          *plan = PlanCreate(&g, 0, 0, text, sizeof(text));
  FactorDelayed                 *F    = FactorDelayedCreate(plan, 0, 0, nullptr);
  const Matrix                   A    = Make(plan, SIGNS, random);
  const size_t                   n    = (size_t)A.Order();
  Values                         values(plan, A, false);
  std::vector<PetscScalar>       b(n, 1.0), x(n);
  const std::vector<PetscScalar> saved = values.aa;

  Expect(!FactorDelayedCreate(plan, 0, 0, "abacus"), "an instruction set that is unknown", &bad);
  Expect(FactorDelayedSolve(F, FACTOR_NOTRANS, 1, b.data(), (ptrdiff_t)n, x.data(), (ptrdiff_t)n) == 2, "solve without factors", &bad);
  for (double wrong : {(double)NAN, (double)INFINITY, -(double)INFINITY}) {
    values.aa[values.aa.size() / 3] = wrong;
    Expect(FactorDelayedNumeric(F, &values.v) == 2, "values that are not finite", &bad);
    Expect(FactorDelayedSolve(F, FACTOR_TRANS, 1, b.data(), (ptrdiff_t)n, x.data(), (ptrdiff_t)n) == 2, "solve after a failure", &bad);
  }
  std::fill(values.aa.begin(), values.aa.end(), 0.0);
  Expect(!FactorDelayedNumeric(F, &values.v) && FactorDelayedGetInfo(F).null == (double)n && FactorDelayedGetInfo(F).least == 0 && FactorDelayedGetInfo(F).most == 0, "a matrix of zeros", &bad);
  Expect(!FactorDelayedSolve(F, FACTOR_NOTRANS, 1, b.data(), (ptrdiff_t)n, x.data(), (ptrdiff_t)n) && std::all_of(x.begin(), x.end(), [](PetscScalar v) { return v == 0.0; }), "solution with a matrix of zeros", &bad);
  for (double scale : {1e300, 1e-300, 1e150, 1e-150}) {
    Matrix B = A;

    for (size_t i = 0; i < saved.size(); i++) values.aa[i] = saved[i] * scale;
    for (size_t i = 0; i < n; i++) b[i] = scale * Number(random);
    Expect(!FactorDelayedNumeric(F, &values.v) && !FactorDelayedGetInfo(F).null, "a matrix that is very large or very small", &bad);
    Expect(!FactorDelayedSolve(F, FACTOR_NOTRANS, 1, b.data(), (ptrdiff_t)n, x.data(), (ptrdiff_t)n), "a solve with that", &bad);
    for (size_t i = 0; i < n; i++) b[i] /= scale;
    Expect(BackwardError(B, FACTOR_NOTRANS, x.data(), b.data()) <= BOUND, "the solution with that", &bad);
  }
  /* Very large and very small numbers side by side: no order of scaling helps, but nothing breaks */
  for (size_t i = 0; i < saved.size(); i++) values.aa[i] = saved[i] * pow(10, 600 * random() - 300);
  Expect(!FactorDelayedNumeric(F, &values.v), "numbers of all magnitudes", &bad);
  FactorDelayedDestroy(F);
  PlanDestroy(plan);
  return bad;
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
/* Where memory runs out nothing is lost, and the factorization goes on when there is some again */
int Memory()
{
  const PlanGrid g      = {2, {120, 110, 1}, 1, 1, false, {false, false, false}, PLAN_PLAIN, PLAN_SEPARATORS_AUTO};
  Random         random = {6};
  char           text[256];
  int            bad = 0, full = 0, enough = 0;
  long           pages = 0;
  struct rlimit  old, now;
  Plan          *plan = PlanCreate(&g, 0, 0, text, sizeof(text));
  FactorDelayed *F    = FactorDelayedCreate(plan, 0, 0, nullptr);
  const Matrix   A    = Make(plan, SIGNS, random);
  const Values   values(plan, A, false);
  Statistics     s;

  getrlimit(RLIMIT_AS, &old);
  for (int k = 0; k < 24; k++) {
    FILE *file = fopen("/proc/self/statm", "r");
    int   failed;

    if (!file || fscanf(file, "%ld", &pages) != 1) pages = 0;
    if (file) fclose(file);
    if (!pages) break;
    now          = old;
    now.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)k << 20);
    setrlimit(RLIMIT_AS, &now);
    failed = FactorDelayedNumeric(F, &values.v);
    setrlimit(RLIMIT_AS, &old);
    Expect(failed == 0 || failed == 3, "failure where memory runs out", &bad);
    full += failed == 3;
    enough += !failed;
  }
  Expect(!pages || (full && enough), "memory that runs out", &bad);
  Expect(!FactorDelayedNumeric(F, &values.v), "memory that is there again", &bad);
  Solves(F, A, FACTOR_NOTRANS, 2, false, random, s, "memory");
  Expect(s.trouble.empty(), "solution after memory was there again", &bad);
  FactorDelayedDestroy(F);
  PlanDestroy(plan);
  return bad;
}
#else
int Memory()
{
  return 0;
}
#endif

int Several(int ngrid)
{
  Random            random = {1};
  const char *const isas[] = {nullptr, "portable", "avx2", "avx512"};
  int               bad    = 0;

  for (int k = 0; k < ngrid; k++) {
    const PlanGrid base = Grid(random, k % 40 == 39);
    const int      leaf = random() < 0.4 ? 0 : 1 + (int)(6 * random()), block = random() < 0.5 ? 0 : leaf + (int)(12 * random());
    const double   threshold = random() < 0.7 ? 0 : random() < 0.5 ? 1 : 0.02;
    const char    *isa       = isas[(int)(4 * random())];

    if (isa && !FactorFindKernels(false, isa)) isa = nullptr;
    for (int pass = 0; pass < 3; pass++) {
      PlanGrid g     = base;
      bool     slots = g.topology == PLAN_OCTAHEDRAL || random() < 0.3;
      char     text[256];

      /* Families that need their own number of unknowns */
      if (pass) g.dof = pass == 1 ? std::min(g.dim, 2) + 1 : 2;
      if (pass == 1) g.periodic[0] = g.periodic[1] = g.periodic[2] = false;
      Plan          *plan = PlanCreate(&g, leaf, block, text, sizeof(text));
      FactorDelayed *F    = plan ? FactorDelayedCreate(plan, threshold, 0, isa) : nullptr;
      if (!F) {
        printf("not ok - %s\n", plan ? "no factor" : text);
        return 1;
      }
      for (int family = 0; family < FAMILIES; family++) {
        if ((family == SADDLE) != (pass == 1) || (family == DOUBLED) != (pass == 2)) continue;
        Case(F, plan, (Family)family, slots, threshold == 0 || threshold >= 0.1, random, Text(g, leaf, block, slots) + ", threshold " + std::to_string(threshold) + ", grid " + std::to_string(k));
      }
      FactorDelayedDestroy(F);
      PlanDestroy(plan);
    }
  }
  for (int k = 0; k < FAMILIES; k++) {
    const Statistics &s = statistics[k];

    if (s.trouble.empty())
      printf("ok - %s\n", names[k]);
    else
      printf("not ok - %s: %s\n", names[k], s.trouble.c_str());
    if (getenv("UNIT_VERBOSE")) printf("#  %d cases, %d ranks compared and %d undecided, %d singular, %.0f delayed, largest backward error %.1e\n", s.cases, s.compared, s.undecided, s.singular, s.delayed, s.worst);
    bad += !s.trouble.empty();
  }
  return bad;
}
} // namespace

int main(int argc, char **argv)
{
  const int bad = Memory() + Edges();

  printf("%s - edges\n", bad ? "not ok" : "ok");
  return bad + Several(argc > 1 ? atoi(argv[1]) : 300) > 0;
}
