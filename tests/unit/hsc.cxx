/* The cores of hsc against plain dense algebra */
#include "pc/hsc/solver.h"
#include "tests/unit/random.h"
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

using namespace petlap::hsc;

static int bad = 0, checks = 0;

static void Expect(bool good, const char what[], int seed, double value)
{
  checks++;
  if (good) return;
  if (bad++ < 20) printf("%s: problem %d, %g\n", what, seed, value);
}

/* Dense symmetric matrices, row by row */
typedef std::vector<std::vector<double>> Dense;

static Dense Zero(int n)
{
  return Dense(n, std::vector<double>(n, 0.0));
}

/* A graph of one kind or another; excess on some of the vertices, or none */
static Dense Problem(int seed, int n, bool tree, bool singular)
{
  Random random = {(uint64_t)seed};
  Dense  A      = Zero(n);
  auto   link   = [&](int i, int j) {
    const double w = seed % 3 ? std::pow(10.0, 2.0 * random() - 1.0) : 1.0;

    if (i == j || A[i][j] != 0.0) return;
    A[i][j] = A[j][i] = -w;
    A[i][i] += w;
    A[j][j] += w;
  };

  for (int i = 1; i < n; i++) {
    link(i, (int)(random() * i));
    if (tree) continue;
    for (int k = 0; k < 1 + seed % 4; k++) link(i, std::max(0, i - 1 - (int)(random() * 8)));
  }
  for (int i = 0; !singular && i < n; i++) {
    if (i == 0 || random() < 0.3) A[i][i] += random();
  }
  return A;
}

/* The matrix of a graph */
template <typename Real>
static Dense Matrix(const Graph<Real> &g, bool *plain)
{
  Dense A = Zero(g.n);

  for (int v = 0; v < g.n; v++) {
    A[v][v] += g.excess[v];
    for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
      const int    u = g.adj[k];
      const double w = g.weight[k];

      if (u <= v || u >= g.n || !(w >= 0.0)) *plain = false;
      A[v][v] += w;
      A[u][u] += w;
      A[v][u] -= w;
      A[u][v] -= w;
    }
    for (int k = g.lptr[v]; k < g.lptr[v + 1]; k++) {
      const Lower o = g.lower[k];

      if (o.vertex >= v || g.adj[o.edge] != v || o.edge < g.uptr[o.vertex] || o.edge >= g.uptr[o.vertex + 1]) *plain = false;
    }
  }
  return A;
}

static double Largest(const Dense &A)
{
  double most = 0.0;

  for (const auto &row : A) {
    for (double v : row) most = std::max(most, std::abs(v));
  }
  return most;
}

/* x with A x = b by elimination with pivots */
static std::vector<double> Solve(Dense A, std::vector<double> b)
{
  const int n = (int)b.size();

  for (int k = 0; k < n; k++) {
    int p = k;

    for (int i = k; i < n; i++) {
      if (std::abs(A[i][k]) > std::abs(A[p][k])) p = i;
    }
    std::swap(A[k], A[p]);
    std::swap(b[k], b[p]);
    for (int i = k + 1; i < n; i++) {
      const double f = A[i][k] / A[k][k];

      for (int j = k; j < n; j++) A[i][j] -= f * A[k][j];
      b[i] -= f * b[k];
    }
  }
  for (int k = n - 1; k >= 0; k--) {
    for (int j = k + 1; j < n; j++) b[k] -= A[k][j] * b[j];
    b[k] /= A[k][k];
  }
  return b;
}

/* Compressed rows of a dense matrix */
struct Sparse {
  std::vector<PetscInt>  ia, ja;
  std::vector<PetscReal> a;
  std::vector<double>    diagonal;
  Rows                   rows;

  explicit Sparse(const Dense &A) : ia(1, 0), diagonal(A.size())
  {
    for (const auto &row : A) {
      for (size_t j = 0; j < row.size(); j++) {
        if (row[j] == 0.0) continue;
        ja.push_back((PetscInt)j);
        a.push_back(row[j]);
      }
      ia.push_back((PetscInt)ja.size());
    }
    rows.n  = (PetscInt)A.size();
    rows.ia = ia.data();
    rows.ja = ja.data();
    rows.a  = a.data();
  }
};

/* One level: the coarse graph is the Schur complement of what the cuts left, and that is a Laplacian */
template <typename Real>
static void Level1(int seed, double theta, bool compensate, Coloring coloring)
{
  const Dense           A = Problem(seed, 40 + seed % 90, false, seed % 2);
  Sparse                sparse(A);
  Survey                survey = Inspect(sparse.rows, sparse.diagonal.data());
  Graph<Real>           g;
  std::vector<Coupling> coupling;
  Between<Real>         between;
  Asymmetry             asymmetry;
  Workspace<Real>       work;
  Array<int>            index;
  Level<Real>           level;
  Rules                 rules;
  bool                  plain     = true;
  const double          precision = sizeof(Real) == 4 ? 1e-5 : 1e-13;

  survey.scale = 1.0;
  Expect(survey.problem == Survey::NONE && MakeGraph(sparse.rows, nullptr, survey, g, coupling, between, asymmetry), "no graph", seed, survey.problem);
  const Dense before = Matrix(g, &plain);
  double      error  = 0.0;
  for (int i = 0; i < g.n; i++) {
    for (int j = 0; j < g.n; j++) error = std::max(error, std::abs(before[i][j] - A[i][j]));
  }
  Expect(error <= precision * Largest(A), "the graph is not that of the matrix", seed, error);
  rules.thetafinest = theta;
  rules.compensate  = compensate;
  rules.coloring    = coloring;
  std::vector<Real> excess(g.excess.data(), g.excess.data() + g.n), weights(g.weight.data(), g.weight.data() + g.weight.size());
  Sparsify(g, g, 0, rules, (const Lattice *)nullptr, work, level);
  const long long ncut  = level.ncut;
  const Dense     after = Matrix(g, &plain);
  long long       gone  = 0;
  int             nc    = 0;

  level.smooth = ncut > 0;
  for (size_t k = 0; k < weights.size(); k++) gone += weights[k] > 0 && !(g.weight[k] > 0);
  Expect(gone == ncut, "edges cut are miscounted", seed, (double)(gone - ncut));
  Expect(ncut == 0 || theta > 0.0, "edges are cut though none is weak enough", seed, (double)ncut);
  for (int v = 0; v < g.n; v++) {
    Expect(g.excess[v] == excess[v], "cuts change an excess", seed, g.excess[v] - excess[v]);
    Expect(work.colour[v] == COARSE || work.colour[v] == FINE, "a vertex has no colour", seed, v);
    nc += work.colour[v] == COARSE;
    for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) Expect(!(g.weight[k] > 0) || work.colour[v] != FINE || work.colour[g.adj[k]] != FINE, "two fine vertices are neighbours", seed, v);
    if (!compensate) {
      for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) Expect(g.weight[k] == 0 || g.weight[k] == weights[k], "a weight changes without compensation", seed, k);
    }
  }
  Expect(nc < g.n, "no vertex is fine", seed, nc);
  /* The schur complement by elimination of the fine vertices, which are not coupled */
  std::vector<int> coarse, fine;
  for (int v = 0; v < g.n; v++) (work.colour[v] == COARSE ? coarse : fine).push_back(v);
  Dense S = Zero(nc);
  for (int i = 0; i < nc; i++) {
    for (int j = 0; j < nc; j++) {
      S[i][j] = after[coarse[i]][coarse[j]];
      for (int f : fine) {
        if (after[f][f] > 0.0) S[i][j] -= after[coarse[i]][f] * after[f][coarse[j]] / after[f][f];
      }
    }
  }
  std::vector<int> colour(work.colour.data(), work.colour.data() + g.n);
  Eliminate(g, g, weights.data(), work, index, level);
  Expect(work.next.n == nc && level.nc == nc && level.n == g.n, "the sizes of the level are wrong", seed, work.next.n);
  for (int i = 0; i < nc; i++) Expect(index[coarse[i]] == i, "a coarse vertex has another number", seed, i);
  const Dense next = Matrix(work.next, &plain);
  error            = 0.0;
  for (int i = 0; i < nc; i++) {
    for (int j = 0; j < nc; j++) error = std::max(error, std::abs(next[i][j] - S[i][j]));
    Expect(work.next.excess[i] >= 0, "a coarse row has a sum below zero", seed, work.next.excess[i]);
    if (seed % 2) Expect(work.next.excess[i] == 0, "a coarse row of a singular matrix has a sum", seed, work.next.excess[i]);
  }
  Expect(error <= 10 * precision * Largest(A), "the coarse graph is not the Schur complement", seed, error);
  Expect(plain, "a graph is damaged or has negative weights", seed, 0.0);
}

static std::unique_ptr<Solver> Create(const Dense &A, const Options &options, bool single, int seed)
{
  Sparse    sparse(A);
  Survey    survey = Inspect(sparse.rows, sparse.diagonal.data());
  Asymmetry asymmetry;
  auto      solver = Solver::Create(single);

  Expect(solver->Build(sparse.rows, survey, nullptr, options, asymmetry) == Solver::BUILT, "a solver is not built", seed, 0.0);
  return solver;
}

static double Norm(const std::vector<double> &v)
{
  double sum = 0.0;

  for (double x : v) sum += x * x;
  return std::sqrt(sum);
}

/* |x - y| / |y| */
static double Distance(std::vector<double> x, const std::vector<double> &y)
{
  for (size_t i = 0; i < x.size(); i++) x[i] -= y[i];
  return Norm(x) / Norm(y);
}

/* What must be the exact inverse: no levels, nothing that is cut, a path; also shifted as far as the hierarchy stays exact */
static void Exact(int seed, bool single)
{
  const double        precision = single ? 1e-4 : 1e-11;
  const int           n         = 30 + seed * 7 % 60;
  const Dense         A         = Problem(seed, n, false, false);
  Random              random    = {(uint64_t)seed + 77};
  std::vector<double> b(n), x(n), t(n);
  Options             options;
  Sweeps              sweeps;

  for (double &v : b) v = random() - 0.5;
  for (double &v : t) v = random() < 0.5 ? 0.0 : 10.0 * random();
  options.rules.direct = n;
  auto solver          = Create(A, options, single, seed);
  solver->Apply(sweeps, false, b.data(), x.data());
  Expect(Distance(x, Solve(A, b)) <= precision, "the dense solver is not exact", seed, Distance(x, Solve(A, b)));
  Dense shifted = A;
  for (int i = 0; i < n; i++) shifted[i][i] += t[i];
  Expect(solver->Shift(t.data(), 0.0), "a shifted matrix is not positive definite", seed, 0.0);
  solver->Apply(sweeps, false, b.data(), x.data());
  Expect(Distance(x, Solve(shifted, b)) <= precision, "the shifted dense solver is not exact", seed, Distance(x, Solve(shifted, b)));
  shifted = A;
  for (int i = 0; i < n; i++) shifted[i][i] += 3.0;
  solver->Shift(nullptr, 3.0);
  solver->Apply(sweeps, true, b.data(), x.data());
  Expect(Distance(x, Solve(shifted, b)) <= precision, "another shift adds to the first", seed, Distance(x, Solve(shifted, b)));
  solver->Shift(nullptr, 0.0);
  solver->Apply(sweeps, false, b.data(), x.data());
  Expect(Distance(x, Solve(A, b)) <= precision, "a shift does not go away", seed, Distance(x, Solve(A, b)));

  /* Nothing is cut, so that elimination is exact however many levels there are */
  options.rules.direct      = 1;
  options.rules.thetafinest = options.rules.theta = 0.0;
  solver                                          = Create(A, options, single, seed);
  solver->Apply(sweeps, false, b.data(), x.data());
  Expect(Distance(x, Solve(A, b)) <= precision, "elimination without cuts is not exact", seed, Distance(x, Solve(A, b)));
  for (const LevelReport &l : solver->GetReport().level) Expect(l.ncut == 0 && !l.smooth, "a level is cut", seed, (double)l.ncut);

  /* A path has no triangles on any level */
  Dense path = Zero(n);
  for (int i = 0; i < n; i++) {
    const double w = random() + 0.1;

    path[i][i] += i ? 0.0 : 0.5;
    if (i + 1 == n) continue;
    path[i][i] += w;
    path[i + 1][i + 1] += w;
    path[i][i + 1] = path[i + 1][i] = -w;
  }
  options              = Options();
  options.rules.direct = 2;
  solver               = Create(path, options, single, seed);
  solver->Apply(sweeps, false, b.data(), x.data());
  Expect(Distance(x, Solve(path, b)) <= 100 * precision, "a path is not solved exactly", seed, Distance(x, Solve(path, b)));
}

/* With vectors in double precision the cycle is linear, and symmetric where it smooths on both sides, to the last digits, whatever the matrices are in; with those in single precision it is nearly the same */
static void Linear(int seed, bool single)
{
  const int           n      = 60 + seed * 11 % 90;
  const Dense         A      = Problem(seed, n, false, false);
  Random              random = {(uint64_t)seed + 123};
  std::vector<double> a(n), b(n), c(n), Ma(n), Mb(n), Mc(n);
  Options             options;

  for (int i = 0; i < n; i++) {
    a[i] = random() - 0.5;
    b[i] = 1e3 * (random() - 0.5);
    c[i] = a[i] + 1e-5 * b[i];
  }
  options.rules.direct = 4;
  options.rules.keep   = true;
  auto solver          = Create(A, options, single, seed);
  for (int k = 0; k < 8; k++) {
    Sweeps s;
    double aMb = 0.0, bMa = 0.0;

    s.jacobi = k & 1;
    s.pre    = k & 2 ? 1 : 0;
    s.gamma  = k & 4 ? 2 : 1;
    solver->Apply(s, false, a.data(), Ma.data());
    solver->Apply(s, false, b.data(), Mb.data());
    solver->Apply(s, false, c.data(), Mc.data());
    for (int i = 0; i < n; i++) {
      aMb += a[i] * Mb[i];
      bMa += b[i] * Ma[i];
    }
    if (s.pre) Expect(std::abs(aMb - bMa) <= 1e-12 * Norm(a) * Norm(Mb), "the cycle is not symmetric", seed, std::abs(aMb - bMa));
    solver->Apply(s, true, a.data(), Mc.data());
    bMa = 0.0;
    for (int i = 0; i < n; i++) bMa += b[i] * Mc[i];
    Expect(std::abs(aMb - bMa) <= 1e-12 * Norm(a) * Norm(Mb), "the transpose is not the transpose", seed, std::abs(aMb - bMa));
    solver->Apply(s, false, c.data(), Mc.data());
    for (int i = 0; i < n; i++) Ma[i] += 1e-5 * Mb[i];
    Expect(Distance(Mc, Ma) <= 1e-12, "the cycle is not linear", seed, Distance(Mc, Ma));
    s.wide = false;
    solver->Apply(s, false, c.data(), Ma.data());
    Expect(Distance(Ma, Mc) <= (single ? 1e-4 : 1e-15), "vectors in single precision make another cycle", seed, Distance(Ma, Mc));
  }
}

/* Singular components: A M b = b for every b without constants */
static void Singular(int seed, bool single, int direct)
{
  const int           n = 20 + seed % 40, parts = 3;
  const Dense         one    = Problem(seed, n, seed % 3 == 1, true);
  Dense               A      = Zero(parts * n + 2);
  Random              random = {(uint64_t)seed + 99};
  std::vector<double> b(parts * n + 2), x(parts * n + 2);
  Options             options;
  Sweeps              sweeps;

  /* Also a vertex without an equation and one with a diagonal alone */
  A[parts * n][parts * n] = 2.0;
  b[parts * n]            = 3.0;
  b[parts * n + 1]        = 0.0;
  for (int p = 0; p < parts; p++) {
    double sum = 0.0;

    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) A[p * n + i][p * n + j] = one[i][j] * (p + 1.0);
      b[p * n + i] = random() - 0.5;
      sum += b[p * n + i];
    }
    for (int i = 0; i < n; i++) b[p * n + i] -= sum / n;
  }
  options.rules.direct      = direct;
  options.rules.thetafinest = options.rules.theta = 0.0;
  auto solver                                     = Create(A, options, single, seed);
  solver->Apply(sweeps, false, b.data(), x.data());
  std::vector<double> r(b.size(), 0.0);
  for (size_t i = 0; i < r.size(); i++) {
    for (size_t j = 0; j < r.size(); j++) r[i] += A[i][j] * x[j];
  }
  Expect(Distance(r, b) <= (single ? 1e-4 : 1e-11), "a singular system is not solved", seed, Distance(r, b));
  Expect(x[parts * n + 1] == 0.0 && std::abs(x[parts * n] - 1.5) < 1e-6, "lone vertices are wrong", seed, x[parts * n]);
}

int main()
{
  for (int seed = 0; seed < 60; seed++) {
    for (double theta : {0.0, 0.5, 1.0}) {
      for (int k = 0; k < 4; k++) {
        Level1<double>(seed, theta, k % 2, k / 2 ? COLORING_PAPER : COLORING_GREEDY);
        Level1<float>(seed, theta, k % 2, k / 2 ? COLORING_PAPER : COLORING_GREEDY);
      }
    }
    for (int single = 0; single < 2; single++) {
      Exact(seed, single);
      Linear(seed, single);
      Singular(seed, single, 1);
      Singular(seed, single, 1000);
    }
  }
  if (bad) printf("%d of %d checks failed\n", bad, checks);
  printf(bad ? "not ok\n" : "ok\n");
  return bad > 0;
}
