/*
  The cycle of hsc on a device beside the one on the host: matrices of all kinds, odd sizes, both precisions, all smoothers and cycles, vectors in either
  memory. On machines without a device it is the emulated one that is tested.
*/
#include "mat/compat/device.h"
#include "mat/compat/backend.h"
#include "pc/hsc/cycle_cuda.h"
#include "pc/hsc/solver.h"
#include "tests/unit/random.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <vector>

using namespace petlap::hsc;

static int bad = 0, checks = 0;

static void Expect(bool good, const char test[], const char what[], double value)
{
  checks++;
  if (good) return;
  if (bad++ < 30) printf("%s: %s, %g\n", test, what, value);
}

/* A symmetric matrix made edge by edge */
struct Matrix {
  std::vector<std::map<PetscInt, PetscReal>> row;
  std::vector<PetscInt>                      ia, ja;
  std::vector<PetscReal>                     a;
  std::vector<double>                        diagonal;
  Rows                                       rows;

  explicit Matrix(int n) : row((size_t)n), diagonal((size_t)n) {}
  int Size() const
  {
    return (int)row.size();
  }
  void Link(int i, int j, double w)
  {
    if (i == j || row[i].count(j)) return;
    row[i][j] = row[j][i] = -w;
    row[i][i] += w;
    row[j][j] += w;
  }
  void Finish()
  {
    ia.assign(1, 0);
    for (const auto &r : row) {
      for (const auto &entry : r) {
        ja.push_back(entry.first);
        a.push_back(entry.second);
      }
      ia.push_back((PetscInt)ja.size());
    }
    rows.n  = (PetscInt)row.size();
    rows.ia = ia.data();
    rows.ja = ja.data();
    rows.a  = a.data();
  }
};

/* A box of 5 or 7 points, with Dirichlet conditions at one side unless it is singular */
static Matrix Box(int nx, int ny, int nz, bool rough, bool singular)
{
  Matrix A(nx * ny * nz);
  Random random = {(uint64_t)(nx + ny)};

  for (int k = 0; k < nz; k++) {
    for (int j = 0; j < ny; j++) {
      for (int i = 0; i < nx; i++) {
        const int v    = i + nx * (j + ny * k);
        auto      link = [&](int u) { A.Link(v, u, rough ? std::pow(10.0, 3.0 * random() - 1.5) : 1.0); };

        if (i + 1 < nx) link(v + 1);
        if (j + 1 < ny) link(v + nx);
        if (k + 1 < nz) link(v + nx * ny);
        if (!singular && i == 0) A.row[v][v] += 1.0;
      }
    }
  }
  return A;
}

/* Like a mesh whose vertices are numbered along a curve, with a few that have many neighbours */
static Matrix Mesh(int n, int seed, double excess)
{
  Matrix A(n);
  Random random = {(uint64_t)seed};

  for (int i = 1; i < n; i++) {
    A.Link(i, i - 1 - (int)(random() * std::min(i, 12)), 0.1 + random());
    A.Link(i, i - 1 - (int)(random() * std::min(i, 30)), 0.1 + random());
    if (i % 3) A.Link(i, (int)(random() * i), 0.01 + random());
    if (i % 17 == 0) A.Link(i, n / 2, 1.0);
    if (random() < 0.1) A.row[i][i] += excess * random();
  }
  if (excess > 0.0) A.row[0][0] += 0.1;
  return A;
}

/* Three components without excess, rows with a diagonal alone, a row without anything, and one row that a fixed unknown enters */
static Matrix Pieces(int n)
{
  const Matrix one = Mesh(n, 5, 0.0);
  Matrix       A(3 * n + 40);

  for (int p = 0; p < 3; p++) {
    for (int i = 0; i < n; i++) {
      for (const auto &entry : one.row[i]) A.row[p * n + i][p * n + entry.first] = (p + 1.0) * entry.second;
    }
  }
  for (int i = 0; i < 39; i++) A.row[3 * n + i][3 * n + i] = 1.0 + i;
  return A;
}

/* As Dirichlet conditions are left behind by programs that clear rows and keep columns */
static Matrix Fixed(int nx, int ny)
{
  Matrix A = Box(nx, ny, 1, true, true);

  for (int i = 0; i < nx * ny; i += 7) {
    const double d = A.row[i][i];

    A.row[i].clear();
    A.row[i][i] = d;
  }
  return A;
}

/* D A D is no longer diagonally dominant */
static Matrix Scaled(int nx, int ny)
{
  Matrix              A      = Box(nx, ny, 1, true, false);
  Random              random = {3};
  std::vector<double> d;

  for (int i = 0; i < nx * ny; i++) d.push_back(0.5 + random());
  for (int i = 0; i < nx * ny; i++) {
    for (auto &entry : A.row[i]) entry.second *= d[i] * d[entry.first];
  }
  return A;
}

/* Some entries off the diagonal are positive */
static Matrix WithPositive(int n)
{
  Matrix A = Mesh(n, 8, 1.0);

  for (int i = 0; i + 5 < n; i += 11) {
    if (A.row[i].count(i + 5)) continue;
    A.row[i][i + 5] = A.row[i + 5][i] = 0.01;
    A.row[i][i] += 0.01;
    A.row[i + 5][i + 5] += 0.01;
  }
  return A;
}

static double Difference(const std::vector<PetscReal> &x, const std::vector<PetscReal> &y)
{
  double most = 0.0, size = 0.0;

  for (size_t i = 0; i < x.size(); i++) {
    if (x[i] != x[i]) return std::numeric_limits<double>::infinity();
    most = std::max(most, (double)std::abs(x[i] - y[i]));
    size = std::max(size, (double)std::abs(y[i]));
  }
  return size > 0.0 ? most / size : most;
}

struct Vector {
  DeviceArray<PetscReal> p;

  explicit Vector(const std::vector<PetscReal> &host)
  {
    if (p.Set(host.data(), host.size()) != cudaSuccess) bad++;
    if (cudaDeviceSynchronize() != cudaSuccess) bad++;
  }
  Vector(const Vector &)            = delete;
  Vector &operator=(const Vector &) = delete;
  ~Vector()
  {
    p.Free();
  }
  std::vector<PetscReal> Get(size_t n) const
  {
    std::vector<PetscReal> host(n);

    if (n && cudaMemcpy(host.data(), p.p, n * sizeof(PetscReal), cudaMemcpyDeviceToHost) != cudaSuccess) bad++;
    return host;
  }
};

static std::vector<PetscReal> OnDevice(Solver &solver, const Sweeps &sweeps, bool transpose, bool bdevice, bool xdevice, const std::vector<PetscReal> &b, const char test[])
{
  const size_t           n = b.size();
  Vector                 db(b), dx(std::vector<PetscReal>(n, 7.0));
  std::vector<PetscReal> x(n, 7.0);
  int                    error = DeviceError(solver.Upload(sweeps));

  if (!error) error = DeviceError(solver.ApplyOnDevice(sweeps, transpose, bdevice, xdevice, bdevice ? db.p.p : b.data(), xdevice ? dx.p.p : x.data(), DeviceStream()));
  if (!error) error = DeviceError(cudaStreamSynchronize((cudaStream_t)DeviceStream()));
  Expect(!error, test, error ? DeviceErrorText() : "", error);
  return xdevice ? dx.Get(n) : x;
}

/* All cycles on one matrix, built for one of three ways to divide the work between large and small kernels */
static void EquivalentToHost(const char test[], Matrix &&A, bool single, int direct, int together, bool all, double factor = 1.0)
{
  const int              n         = A.Size();
  const double           tolerance = (single ? 2e-5 : 1e-12) * factor;
  std::vector<PetscReal> b((size_t)n), x((size_t)n), t((size_t)n);
  Random                 random = {(uint64_t)n};
  Options                options;
  Asymmetry              asymmetry;
  static const struct {
    bool jacobi;
    int  pre, post, gamma;
  } cycles[] = {
    {true, 0, 1, 1}, {false, 0, 1, 1}, {false, 1, 1, 1}, {true, 1, 1, 1}, {true, 2, 1, 1}, {false, 0, 2, 1}, {true, 0, 1, 2}, {false, 1, 2, 2}, {true, 3, 0, 2}, {true, 0, 0, 1},
  };

  A.Finish();
  for (PetscReal &v : b) v = random() - 0.5;
  for (PetscReal &v : t) v = random() < 0.5 ? 0.0 : random();
  for (int keep = 0; keep < (all ? 2 : 1); keep++) {
    const Survey survey = Inspect(A.rows, A.diagonal.data());
    auto         solver = Solver::Create(single, together);

    options.rules.direct = direct;
    options.rules.keep   = keep;
    Expect(solver->Build(A.rows, survey, nullptr, options, asymmetry) == Solver::BUILT, test, "not built", 0.0);
    for (size_t c = 0; c < sizeof(cycles) / sizeof(cycles[0]); c++) {
      Sweeps s;

      if ((cycles[c].gamma > 1) != (keep > 0) || (!all && c > 2) || (keep && !single && c > 6)) continue;
      s.jacobi = cycles[c].jacobi;
      s.pre    = cycles[c].pre;
      s.post   = cycles[c].post;
      s.gamma  = cycles[c].gamma;
      s.omega  = 0.7;
      s.wide   = c % 2;
      for (int transpose = 0; transpose < (s.pre == s.post || (c == 0 && all) ? 1 : 2); transpose++) {
        const auto y = OnDevice(*solver, s, transpose, c % 2, c % 3 != 0, b, test);

        solver->Apply(s, transpose, b.data(), x.data());
        Expect(Difference(y, x) <= tolerance, test, "the device differs from the host", Difference(y, x));
        Expect(c > 3 || OnDevice(*solver, s, transpose, true, true, b, test) == y, test, "a second application differs from the first", (double)c);
      }
      if (c > 1) continue;
      solver->Shift(t.data(), 0.0);
      const auto y = OnDevice(*solver, s, false, true, true, b, test);

      solver->Apply(s, false, b.data(), x.data());
      Expect(Difference(y, x) <= tolerance, test, "the shifted device differs from the host", Difference(y, x));
      solver->Shift(nullptr, 0.0);
    }
  }
}

/* The same cycle by large and by small kernels */
static void AnyDivisionOfTheWork(bool single)
{
  std::vector<PetscReal> b, first;
  Random                 random = {1};
  Options                options;
  Asymmetry              asymmetry;

  options.rules.direct = 20;
  for (int together : {0, 100, 4096, 1 << 30}) {
    Matrix A = Mesh(701, 4, 0.5);
    Sweeps s;

    A.Finish();
    while ((int)b.size() < A.Size()) b.push_back(random() - 0.5);
    auto solver = Solver::Create(single, together);
    s.pre       = 1;
    solver->Build(A.rows, Inspect(A.rows, A.diagonal.data()), nullptr, options, asymmetry);
    const auto y = OnDevice(*solver, s, false, true, true, b, "division of the work");
    if (first.empty()) first = y;
#if defined(PETLAP_CUDA_EMULATED)
    Expect(y == first, "division of the work", "the result depends on it", together);
#else
    /* The compiler may fuse other multiplications with additions in another kernel */
    Expect(Difference(y, first) <= (single ? 1e-5 : 1e-13), "division of the work", "the result depends on it", together);
#endif
    Expect(together < 1 << 30 || solver->GetDeviceReport().launches == 4, "division of the work", "launches", solver->GetDeviceReport().launches);
    Expect(together > 0 || solver->GetDeviceReport().launches > 20, "division of the work", "launches", solver->GetDeviceReport().launches);
  }
}

/* Right-hand sides of any size, zero, and what is not a number, as on the host */
static void RightHandSides(bool single)
{
  Matrix                 A = Box(19, 23, 1, true, false);
  std::vector<PetscReal> b((size_t)A.Size()), c(b), x(b);
  Random                 random = {1};
  Options                options;
  Asymmetry              asymmetry;
  Sweeps                 s;
  auto                   solver = Solver::Create(single);
  const char            *test   = "right-hand sides";

  A.Finish();
  options.rules.direct = 20;
  s.jacobi             = true;
  solver->Build(A.rows, Inspect(A.rows, A.diagonal.data()), nullptr, options, asymmetry);
  for (PetscReal &v : b) v = random() - 0.5;
  for (double size : {1.0, 1e-200, 1e200, 1e30, 0.0}) {
    for (size_t i = 0; i < b.size(); i++) c[i] = b[i] * size;
    solver->Apply(s, false, c.data(), x.data());
    const auto y = OnDevice(*solver, s, false, true, true, c, test);
    Expect(Difference(y, x) <= (single ? 2e-5 : 1e-12), test, "differs at size", size);
  }
  for (double wrong : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    int count = 0;

    c    = b;
    c[5] = wrong;
    for (double v : OnDevice(*solver, s, false, true, true, c, test)) count += v != v;
    Expect(count == A.Size(), test, "what is not a number gives a number", wrong);
  }
}

/* Solvers that are applied once and go; one for a small matrix, then for a larger one; two streams, the second of which takes up what the first leaves */
static void Lives(bool single)
{
  const double tolerance = single ? 2e-5 : 1e-12;
  const char  *test      = "solvers of one application";
  Options      options;
  Asymmetry    asymmetry;
  Sweeps       s;
  auto         grows = Solver::Create(single);

  options.rules.direct = 20;
  s.pre                = 1;
  for (int k = 0; k < 3; k++) {
    Matrix                 A = Box(7 + 12 * k, 9 + 4 * k, 1, true, false);
    std::vector<PetscReal> b((size_t)A.Size()), x(b), y(b);
    Random                 random = {1};

    A.Finish();
    for (PetscReal &v : b) v = random() - 0.5;
    for (int shared = 0; shared < 2; shared++) {
      auto    once   = Solver::Create(single);
      Solver &solver = shared ? *grows : *once;

      Expect(solver.Build(A.rows, Inspect(A.rows, A.diagonal.data()), nullptr, options, asymmetry) == Solver::BUILT, test, "not built", k);
      const auto found = OnDevice(solver, s, k == 1, true, true, b, test);
      solver.Apply(s, k == 1, b.data(), x.data());
      Expect(Difference(found, x) <= tolerance, test, "the device differs from the host", Difference(found, x));
    }
    cudaStream_t stream[2];
    Vector       db(b), dx(b), dy(b);

    grows->Apply(s, false, b.data(), x.data());
    grows->Apply(s, false, x.data(), y.data());
    for (cudaStream_t &c : stream) Expect(cudaStreamCreateWithFlags(&c, cudaStreamNonBlocking) == cudaSuccess, test, "no stream", k);
    Expect(!DeviceError(grows->Upload(s)), test, DeviceErrorText(), k);
    Expect(!DeviceError(grows->ApplyOnDevice(s, false, true, true, db.p.p, dx.p.p, stream[0])), test, DeviceErrorText(), k);
    Expect(!DeviceError(grows->ApplyOnDevice(s, false, true, true, dx.p.p, dy.p.p, stream[1])), test, DeviceErrorText(), k);
    Expect(cudaStreamSynchronize(stream[1]) == cudaSuccess, test, "no end", k);
    const auto found = dy.Get(b.size());
    Expect(Difference(found, y) <= 10 * tolerance, test, "two streams differ from the host", Difference(found, y));
    for (cudaStream_t c : stream) Expect(cudaStreamDestroy(c) == cudaSuccess, test, "a stream stays", k);
  }
}

static int RunAll(void)
{
  for (int single = 0; single < 2; single++) {
    EquivalentToHost("5-point, EquivalentToHost", Box(19, 17, 1, false, false), single, 16, 4096, true);
    EquivalentToHost("5-point in large kernels, EquivalentToHost", Box(21, 23, 1, true, false), single, 30, 0, true);
    EquivalentToHost("5-point in both, EquivalentToHost", Box(33, 31, 1, true, false), single, 60, 257, false);
    EquivalentToHost("singular 5-point, EquivalentToHost", Box(15, 16, 1, false, true), single, 20, 64, true, 10.0);
    EquivalentToHost("7-point, EquivalentToHost", Box(7, 6, 9, false, false), single, 60, 100, true);
    EquivalentToHost("mesh, EquivalentToHost", Mesh(401, 1, 1.0), single, 60, 100, true);
    EquivalentToHost("mesh of another size, EquivalentToHost", Mesh(1283, 2, 0.1), single, 100, 333, false);
    EquivalentToHost("components and rows alone, EquivalentToHost", Pieces(51), single, 20, 50, false, 10.0);
    EquivalentToHost("fixed unknowns, EquivalentToHost", Fixed(20, 17), single, 50, 50, false);
    EquivalentToHost("scaled rows, EquivalentToHost", Scaled(20, 17), single, 50, 50, false, 10.0);
    EquivalentToHost("positive entries, EquivalentToHost", WithPositive(301), single, 50, 50, false);
    EquivalentToHost("solved directly, EquivalentToHost", Mesh(90, 3, 0.2), single, 1000, 4096, false);
    EquivalentToHost("one unknown, EquivalentToHost", Box(1, 1, 1, false, false), single, 1, 4096, false);
    EquivalentToHost("two unknowns, EquivalentToHost", Box(2, 1, 1, false, false), single, 1, 0, false);
    EquivalentToHost("down to one unknown, EquivalentToHost", Box(1, 70, 1, false, false), single, 1, 0, false);
    AnyDivisionOfTheWork(single);
    RightHandSides(single);
    Lives(single);
  }
  if (bad) printf("%d of %d checks failed\n", bad, checks);
  printf(bad ? "not ok\n" : "ok - %d checks\n", checks);
  DeviceFinalize();
  return bad > 0;
}

/* PETSc's stream is there when PETSc is */
int main(int argc, char **argv)
{
  const char *reason;
  int         result = 77;

  if (PetscInitialize(&argc, &argv, nullptr, nullptr)) return 1;
  if (DeviceFind(0, &reason))
    result = RunAll();
  else
    printf("ok - # SKIP %s\n", reason);
  if (PetscFinalize() || (result == 77 && !reason[0])) return 1;
  return result;
}
