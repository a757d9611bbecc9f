/*
  The CUDA executor of schwarzschur beside the host's, on the same plans and matrices: each test ends in EquivalentToHost. Small limits send
  fronts of every size through the code for large ones too.
*/
#include "mat/compat/backend.h"
#include "mat/compat/device.h"
#include "mat/schwarzschur/factor_cuda.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#if defined(PETSC_USE_COMPLEX)
typedef std::complex<double> Scalar;
#else
typedef double Scalar;
#endif

static int failures = 0;

static void Check(bool good, const std::string &name, double error)
{
  if (good)
    printf("ok - %s\n", name.c_str());
  else
    printf("not ok - %s (%g)\n", name.c_str(), error);
  failures += !good;
}

static unsigned int seed = 1;
static double       Random(void)
{
  seed = seed * 1664525u + 1013904223u;
  return (double)(seed >> 8) / 16777216.0 - 0.5;
}
static Scalar RandomScalar(void)
{
#if defined(PETSC_USE_COMPLEX)
  const double re = Random();

  return Scalar(re, Random());
#else
  return Random();
#endif
}
static Scalar Conj(Scalar v)
{
#if defined(PETSC_USE_COMPLEX)
  return std::conj(v);
#else
  return v;
#endif
}

struct Case {
  const char *name;
  int         dim;
  PetscInt    size[3];
  int         dof, width;
  bool        star;
  FactorMode  mode;
  bool        single, hermitian, constant, gaps;
  bool        periodic;
};

struct Matrix {
  PetscInt                    n;
  std::vector<PetscInt>       ia, ja, start;
  std::vector<Scalar>         aa, full;
  std::vector<unsigned short> slot;
  double                      largest, norm;
};

/* Diagonally dominant, with random couplings that are as symmetric as the mode wants them */
static Matrix Make(const Plan *plan, const Case &c)
{
  const PlanGrid       &g   = plan->grid;
  const PetscInt        np  = plan->npoints;
  const int             dof = g.dof, K = plan->nstencil * dof;
  Matrix                A;
  std::vector<PetscInt> col;

  A.n = np * dof;
  A.ia.push_back(0);
  for (PetscInt i = 0; i < A.n; i++) {
    const PetscInt p = i / dof;

    for (int k = 0; k < plan->nstencil; k++) {
      PetscInt q[3] = {p % g.size[0], p / g.size[0] % g.size[1], p / g.size[0] / g.size[1]};
      bool     in   = true;

      for (int d = 0; d < 3; d++) {
        q[d] += plan->stencil[k][d];
        if (g.periodic[d]) q[d] = (q[d] + g.size[d]) % g.size[d];
        in = in && q[d] >= 0 && q[d] < g.size[d];
      }
      if (!in) continue;
      const PetscInt at = q[0] + g.size[0] * (q[1] + g.size[1] * q[2]);

      if (c.gaps && at != p && (p + at) % 5 == 0) continue;
      for (int b = 0; b < dof; b++) A.ja.push_back(at * dof + b);
    }
    std::vector<PetscInt> row(A.ja.begin() + A.ia.back(), A.ja.end());

    std::sort(row.begin(), row.end());
    std::copy(row.begin(), row.end(), A.ja.begin() + A.ia.back());
    A.ia.push_back((PetscInt)A.ja.size());
  }
  A.aa.assign(A.ja.size(), Scalar(0));
  A.largest = A.norm = 0;
  for (PetscInt i = 0; i < A.n; i++) {
    for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
      const PetscInt j = A.ja[k];

      if (c.constant) {
        A.aa[k] = i == j ? Scalar(K + 0.5) : Scalar(-1.0);
      } else if (c.mode == FACTOR_LU || j > i) {
        A.aa[k] = RandomScalar();
        if (c.mode != FACTOR_LU) {
          const PetscInt at = (PetscInt)(std::lower_bound(A.ja.begin() + A.ia[j], A.ja.begin() + A.ia[j + 1], i) - A.ja.begin());

          A.aa[at] = c.hermitian ? Conj(A.aa[k]) : A.aa[k];
        }
      }
      if (i == j && !c.constant) {
        A.aa[k] = Scalar((c.mode == FACTOR_SPD || Random() > -0.25 ? 1.0 : -1.0) * 0.5 * K);
#if defined(PETSC_USE_COMPLEX)
        if (c.mode != FACTOR_SPD && !c.hermitian) A.aa[k] *= Scalar(0.6, 0.8);
#endif
      }
    }
  }
  for (PetscInt i = 0; i < A.n; i++) {
    double sum = 0;

    for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
      sum += std::abs(A.aa[k]);
      A.largest = std::max(A.largest, std::abs(A.aa[k]));
    }
    A.norm = std::max(A.norm, sum);
  }
  if (c.gaps || c.periodic) {
    A.full.assign((size_t)A.n * K, Scalar(0));
    for (PetscInt i = 0; i <= A.n; i++) A.start.push_back(i * K);
    for (PetscInt i = 0; i < A.n; i++) {
      for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
        const int s = PlanSlot(plan, i / dof, A.ja[k] / dof);

        A.slot.push_back((unsigned short)s);
        A.full[A.start[i] + s * dof + A.ja[k] % dof] = A.aa[k];
      }
    }
  }
  return A;
}

static double Difference(const std::vector<Scalar> &a, const std::vector<Scalar> &b)
{
  double d = 0, s = 0;

  for (size_t i = 0; i < a.size(); i++) {
    const double e = std::abs(a[i] - b[i]), v = std::abs(b[i]);

    if (!(e <= d)) d = e;
    if (v > s) s = v;
  }
  return d / s;
}

#define TestCall(...)                                                \
  do {                                                               \
    if (__VA_ARGS__) {                                               \
      printf("not ok - line %d: %s\n", __LINE__, DeviceErrorText()); \
      failures++;                                                    \
      return;                                                        \
    }                                                                \
  } while (0)

/* b - A x or b - A^T x in r, n x nrhs */
static void HostResidual(const Matrix &A, bool trans, int nrhs, const Scalar *b, PetscInt ldb, const Scalar *x, PetscInt ldx, std::vector<Scalar> &r)
{
  r.resize((size_t)A.n * (size_t)nrhs);
  for (int q = 0; q < nrhs; q++) {
    Scalar *to = &r[(size_t)q * (size_t)A.n];

    for (PetscInt i = 0; i < A.n; i++) to[i] = b[i + q * ldb];
    for (PetscInt i = 0; i < A.n; i++) {
      for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
        const PetscInt j = A.ja[k];

        to[trans ? j : i] -= A.aa[k] * x[(trans ? i : j) + q * ldx];
      }
    }
  }
}

/* Residuals of vectors that solve nothing, one column and several, twice */
static void TestResiduals(FactorCuda *F, const Matrix &A, const std::string &name)
{
  const PetscInt      n = A.n, ldb = n + 2, ldx = n + 1;
  const int           most = 3;
  std::vector<Scalar> b((size_t)ldb * most), x((size_t)ldx * most), y((size_t)n * most), again(y), expected;
  void               *db, *dx, *dr;
  double              found = 0, worst = 0, wrong = 0;
  bool                same = true;

  for (Scalar &v : b) v = RandomScalar();
  for (Scalar &v : x) v = RandomScalar();
  TestCall(FactorCudaVector(F, 0, most + 1, &db));
  TestCall(FactorCudaVector(F, 1, most + 1, &dx));
  TestCall(FactorCudaVector(F, 2, most, &dr));
  /* As they are, gaps included */
  TestCall(FactorCudaUpload(F, 1, b.data(), n, db));
  for (int q = 0; q < most; q++) {
    TestCall(FactorCudaUpload(F, 1, &b[(size_t)q * (size_t)ldb], n, (char *)db + (size_t)q * (size_t)ldb * sizeof(Scalar)));
    TestCall(FactorCudaUpload(F, 1, &x[(size_t)q * (size_t)ldx], n, (char *)dx + (size_t)q * (size_t)ldx * sizeof(Scalar)));
  }
  for (int trans = 0; trans < 2; trans++) {
    for (int nrhs : {1, 3, 2}) {
      double error = 0;

      TestCall(FactorCudaResidual(F, trans ? FACTOR_TRANS : FACTOR_NOTRANS, nrhs, db, ldb, dx, ldx, dr, &found));
      TestCall(FactorCudaDownload(F, nrhs, dr, y.data(), n));
      TestCall(FactorCudaResidual(F, trans ? FACTOR_TRANS : FACTOR_NOTRANS, nrhs, db, ldb, dx, ldx, dr, &found));
      TestCall(FactorCudaDownload(F, nrhs, dr, again.data(), n));
      same = same && !memcmp(y.data(), again.data(), (size_t)n * (size_t)nrhs * sizeof(Scalar));
      HostResidual(A, trans, nrhs, b.data(), ldb, x.data(), ldx, expected);
      for (int q = 0; q < nrhs; q++) {
        double nr = 0, nx = 0, nb = 0;

        for (PetscInt i = 0; i < n; i++) {
          const double d = std::abs(y[(size_t)(i + q * n)] - expected[(size_t)(i + q * n)]) / A.norm;

          if (!(d <= worst)) worst = d;
          nr = std::max(nr, std::abs(expected[(size_t)(i + q * n)]));
          nx = std::max(nx, std::abs(x[(size_t)(i + q * ldx)]));
          nb = std::max(nb, std::abs(b[(size_t)(i + q * ldb)]));
        }
        error = std::max(error, nr / (A.norm * nx + nb));
      }
      wrong = std::max(wrong, std::abs(found / error - 1));
    }
  }
  Check(worst < 1e-14, name + "ResidualEquivalentToHost", worst);
  Check(wrong < 1e-12, name + "ResidualNorms", wrong);
  Check(same, name + "ResidualRepeatable", 0);
  Check(FactorCudaResidual(F, FACTOR_NOTRANS, FACTOR_CUDA_COLUMNS + 1, db, ldb, dx, ldx, dr, &found) != 0, name + "ResidualOfTooManyColumns", 0);
}

/* What is done with vectors besides solves, beside the same on the host */
static void TestVectors(FactorCuda *F, PetscInt n, const std::string &name)
{
  const int           k = 2, nrhs = 3;
  const PetscInt      ld = n + 3;
  std::vector<double> scale[2];
  std::vector<Scalar> x((size_t)n * nrhs), y((size_t)n * nrhs), z((size_t)n * nrhs), basis((size_t)n * k), dots(k * nrhs), again(k * nrhs), expected(k * nrhs);
  void               *db, *dx, *dv;
  double              error = 0;

  for (Scalar &v : x) v = RandomScalar();
  for (Scalar &v : basis) v = RandomScalar();
  for (int w = 0; w < 2; w++) {
    for (PetscInt i = 0; i < n; i++) scale[w].push_back(1 + Random());
    TestCall(FactorCudaSetScale(F, w, scale[w].data(), n));
  }
  Check(FactorCudaSetScale(F, 0, scale[0].data(), n - 1) != 0, name + "ScaleOfAnotherLength", 0);
  TestCall(FactorCudaVector(F, 0, nrhs + 1, &dv));
  TestCall(FactorCudaVector(F, 1, nrhs, &dx));
  TestCall(FactorCudaUpload(F, nrhs, x.data(), n, dx));
  /* To another array with another leading dimension, and in place */
  TestCall(FactorCudaApplyScale(F, 0, nrhs, dx, n, dv, ld));
  for (int q = 0; q < nrhs; q++) TestCall(FactorCudaDownload(F, 1, (char *)dv + (size_t)q * (size_t)ld * sizeof(Scalar), &y[(size_t)q * (size_t)n], n));
  TestCall(FactorCudaApplyScale(F, 1, nrhs, dx, n, dx, n));
  TestCall(FactorCudaDownload(F, nrhs, dx, z.data(), n));
  for (int w = 0; w < 2; w++) {
    for (size_t i = 0; i < x.size(); i++) error = std::max(error, std::abs((w ? z : y)[i] - scale[w][i % (size_t)n] * x[i]));
    Check(error < 1e-15, name + (w ? "ScaleColumns" : "ScaleRows"), error);
  }
  TestCall(FactorCudaUploadBasis(F, 1, k, basis.data(), &db));
  TestCall(FactorCudaDots(F, k, db, nrhs, dx, n, dots.data()));
  TestCall(FactorCudaDots(F, k, db, nrhs, dx, n, again.data()));
  error = 0;
  for (int q = 0; q < nrhs; q++) {
    for (int e = 0; e < k; e++) {
      expected[(size_t)(e + k * q)] = 0;
      for (PetscInt i = 0; i < n; i++) expected[(size_t)(e + k * q)] += Conj(basis[(size_t)(i + e * n)]) * z[(size_t)(i + q * n)];
      error = std::max(error, std::abs(expected[(size_t)(e + k * q)] - dots[(size_t)(e + k * q)]));
    }
  }
  Check(error < 1e-14 * (double)n, name + "Dots", error);
  Check(!memcmp(dots.data(), again.data(), dots.size() * sizeof(Scalar)), name + "DotsRepeatable", 0);
  TestCall(FactorCudaSubtract(F, k, db, nrhs, dots.data(), dx, n));
  TestCall(FactorCudaDownload(F, nrhs, dx, y.data(), n));
  error = 0;
  for (int q = 0; q < nrhs; q++) {
    for (PetscInt i = 0; i < n; i++) {
      Scalar s = z[(size_t)(i + q * n)];

      for (int e = 0; e < k; e++) s -= basis[(size_t)(i + e * n)] * dots[(size_t)(e + k * q)];
      error = std::max(error, std::abs(s - y[(size_t)(i + q * n)]));
    }
  }
  Check(error < 1e-14 * (double)n, name + "Subtract", error);
}

static void Run(Case c, const FactorCudaTuning &tuning, const char *how)
{
  PlanGrid    g;
  char        text[256];
  std::string name = std::string(c.name) + how;

  memset(&g, 0, sizeof(g));
  g.dim        = c.dim;
  g.dof        = c.dof;
  g.width      = c.width;
  g.star       = c.star;
  g.topology   = PLAN_PLAIN;
  g.separators = PLAN_SEPARATORS_AUTO;
  for (int d = 0; d < 3; d++) {
    g.size[d]     = c.size[d];
    g.periodic[d] = c.periodic && d < c.dim;
  }
  seed = 7;
#if defined(PETSC_USE_COMPLEX)
  /* Only Hermitian matrices are positive definite */
  if (c.mode == FACTOR_SPD) c.hermitian = true;
#endif
  Plan *plan = PlanCreate(&g, 0, 0, text, sizeof(text));
  if (!plan) {
    printf("not ok - %s: %s\n", c.name, text);
    failures++;
    return;
  }
  const Matrix        A    = Make(plan, c);
  const int           nrhs = 3;
  const PetscInt      n = A.n, ld = n + 3;
  FactorOptions       o;
  FactorValues        values  = {A.slot.empty() ? A.ia.data() : A.start.data(), (const PetscScalar *)(A.slot.empty() ? A.aa.data() : A.full.data()), !A.slot.empty(), (const PetscScalar *)A.aa.data()};
  FactorCudaPattern   pattern = {n, A.ia.data(), A.ja.data(), A.slot.empty() ? nullptr : A.slot.data(), A.slot.empty() ? nullptr : A.start.data(), 1};
  FactorCudaResult    result, again;
  std::vector<Scalar> b((size_t)ld * nrhs), x((size_t)n * nrhs), y((size_t)n * nrhs), z((size_t)n * nrhs);
  void               *db, *dx, *dr;
  int                 error;
  double              residual;
  const double        tolerance = c.single ? 2e-4 : 1e-11;

  memset(&o, 0, sizeof(o));
  o.mode      = c.mode;
  o.single    = c.single;
  o.hermitian = c.hermitian;
  o.constant  = c.constant;
  o.threads   = 1;
  o.threshold = 0.1;
  for (Scalar &v : b) v = RandomScalar();
  Factor     *host   = FactorCreate(plan, &o);
  FactorCuda *device = FactorCudaCreate(plan, &o, &pattern, &tuning, DeviceStream(), &error);
  if (!host || !device) {
    printf("not ok - %s: no executor (%s)\n", c.name, DeviceErrorText());
    failures++;
    return;
  }
  error = FactorNumeric(host, &values, A.largest);
  TestCall(FactorCudaNumeric(device, A.aa.data(), false, &result));
  Check(!error && !result.failed && !result.nonfinite && result.replaced == FactorGetInfo(host).replaced && fabs(result.norm / A.norm - 1) < 1e-12, name + "FactorEquivalentToHost", result.failed);
  for (int trans = 0; trans < 2; trans++) {
    const FactorTranspose t = trans ? FACTOR_TRANS : FACTOR_NOTRANS;

    TestCall(FactorCudaVector(device, 0, nrhs + 1, &db));
    TestCall(FactorCudaVector(device, 1, nrhs, &dx));
    TestCall(FactorCudaVector(device, 2, nrhs, &dr));
    (void)FactorSolve(host, t, nrhs, (const PetscScalar *)b.data(), ld, (PetscScalar *)x.data(), n);
    TestCall(FactorCudaUpload(device, nrhs, b.data(), ld, db));
    TestCall(FactorCudaSolve(device, t, nrhs, db, n, dx, n));
    TestCall(FactorCudaDownload(device, nrhs, dx, y.data(), n));
    const double d = Difference(y, x);

    Check(d < tolerance, name + (trans ? "SolveTransposeEquivalentToHost" : "SolveEquivalentToHost"), d);
    TestCall(FactorCudaResidual(device, t, nrhs, db, n, dx, n, dr, &residual));
    Check(residual < tolerance, name + (trans ? "ResidualTranspose" : "Residual"), residual);
    /* In place, with numbers of another matrix in between */
    TestCall(FactorCudaNumeric(device, A.aa.data(), false, &again));
    TestCall(FactorCudaSolve(device, t, nrhs, db, n, db, n));
    TestCall(FactorCudaDownload(device, nrhs, db, z.data(), n));
    Check(!memcmp(y.data(), z.data(), y.size() * sizeof(Scalar)), name + (trans ? "RepeatableTranspose" : "Repeatable"), 0);
  }
  TestResiduals(device, A, name);
  TestVectors(device, n, name);
  double foreseen;
  TestCall(FactorCudaForesee(plan, &o, 1, &tuning, &foreseen));
  const FactorCudaInfo info = FactorCudaGetInfo(device);

  Check(foreseen == info.bytes + info.passing_bytes && info.stack_bytes > info.passing_bytes, name + "MemoryAsForeseen", foreseen - info.bytes - info.passing_bytes);
  Check(tuning.small == 0 || c.dim == 1 || info.large > 0, name + "TakesBothWays", info.large);
  FactorCudaDestroy(device);
  FactorDestroy(host);
  PlanDestroy(plan);
}

/* Everything that tests of a few solves need: a matrix of a small grid for each of several grids in a row */
struct Small {
  Plan             *plan = nullptr;
  Matrix            A;
  FactorOptions     options;
  FactorCudaPattern pattern;

  Small(PetscInt nx, PetscInt ny, PetscInt nz, FactorMode mode, PetscInt batch)
  {
    const Case c = {"small", nz > 1 ? 3 : 2, {nx, ny, nz}, 1, 1, nz == 1, mode, false, mode == FACTOR_SPD, false, false, false};
    PlanGrid   g;
    char       text[256];

    memset(&g, 0, sizeof(g));
    g.dim = c.dim;
    g.dof = g.width = 1;
    g.star          = c.star;
    g.topology      = PLAN_PLAIN;
    g.separators    = PLAN_SEPARATORS_AUTO;
    for (int d = 0; d < 3; d++) g.size[d] = c.size[d];
    plan             = PlanCreate(&g, 0, 0, text, sizeof(text));
    A                = Make(plan, c);
    const PetscInt n = A.n, nnz = A.ia.back();

    for (PetscInt k = 1; k < batch; k++) {
      for (PetscInt i = 1; i <= n; i++) A.ia.push_back(k * nnz + A.ia[(size_t)i]);
      for (PetscInt e = 0; e < nnz; e++) {
        A.ja.push_back(k * n + A.ja[(size_t)e]);
        A.aa.push_back(A.aa[(size_t)e] * (double)(k + 1));
      }
    }
    A.norm *= (double)batch;
    A.n     = n * batch;
    pattern = {A.n, A.ia.data(), A.ja.data(), nullptr, nullptr, batch};
    memset(&options, 0, sizeof(options));
    options.mode      = mode;
    options.hermitian = c.hermitian;
    options.threads   = 1;
    options.threshold = 0.1;
  }
  Small(const Small &)            = delete;
  Small &operator=(const Small &) = delete;
  ~Small()
  {
    PlanDestroy(plan);
  }
};

/* A solve with nrhs columns, whose residual must be small */
static void SolveOnce(FactorCuda *F, const Matrix &A, FactorTranspose trans, int nrhs, const std::string &name)
{
  std::vector<Scalar> b((size_t)A.n * (size_t)nrhs), x(b), r;
  void               *db, *dx;
  double              most = 0;

  for (Scalar &v : b) v = RandomScalar();
  TestCall(FactorCudaVector(F, 0, nrhs, &db));
  TestCall(FactorCudaVector(F, 1, nrhs, &dx));
  TestCall(FactorCudaUpload(F, nrhs, b.data(), A.n, db));
  TestCall(FactorCudaSolve(F, trans, nrhs, db, A.n, dx, A.n));
  TestCall(FactorCudaDownload(F, nrhs, dx, x.data(), A.n));
  HostResidual(A, trans == FACTOR_TRANS, nrhs, b.data(), A.n, x.data(), A.n, r);
  for (const Scalar &v : r) {
    if (!(std::abs(v) <= most)) most = std::abs(v);
  }
  Check(most < 1e-11, name, most);
}

/* Objects that are solved with once and go, solves that grow, several grids, several streams */
static void TestLives(FactorMode mode, const FactorCudaTuning &tuning, const std::string &name)
{
  Small            small(9, 8, 1, mode, 1), three(7, 8, 1, mode, 3);
  FactorCudaResult result;
  int              error;

  for (int object = 0; object < 3; object++) {
    FactorCuda *F = FactorCudaCreate(small.plan, &small.options, &small.pattern, &tuning, nullptr, &error);

    TestCall(error);
    TestCall(FactorCudaNumeric(F, small.A.aa.data(), false, &result));
    SolveOnce(F, small.A, object == 1 ? FACTOR_TRANS : FACTOR_NOTRANS, 1, name + "OneSolveOfObject" + std::to_string(object));
    FactorCudaDestroy(F);
  }
  FactorCuda *F = FactorCudaCreate(small.plan, &small.options, &small.pattern, &tuning, nullptr, &error);

  TestCall(error);
  TestCall(FactorCudaNumeric(F, small.A.aa.data(), false, &result));
  for (int nrhs : {1, 3, 1, 3, 5}) SolveOnce(F, small.A, FACTOR_NOTRANS, nrhs, name + "SolveOf" + std::to_string(nrhs) + "Columns");
  for (int nrhs : {1, 4}) SolveOnce(F, small.A, FACTOR_TRANS, nrhs, name + "TransposedSolveOf" + std::to_string(nrhs) + "Columns");

  /* The second stream takes up what the first has left, although nobody waited for that */
  cudaStream_t        stream[2];
  std::vector<Scalar> b((size_t)small.A.n), x(b), y(b), r;
  void               *db, *dx, *dy;
  double              most = 0;

  for (Scalar &v : b) v = RandomScalar();
  for (cudaStream_t &s : stream) TestCall(DeviceError(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking)));
  TestCall(FactorCudaVector(F, 0, 1, &db));
  TestCall(FactorCudaVector(F, 1, 1, &dx));
  TestCall(FactorCudaVector(F, 2, 1, &dy));
  TestCall(FactorCudaUpload(F, 1, b.data(), small.A.n, db));
  FactorCudaSetStream(F, stream[0]);
  TestCall(FactorCudaSolve(F, FACTOR_NOTRANS, 1, db, small.A.n, dx, small.A.n));
  FactorCudaSetStream(F, stream[1]);
  TestCall(FactorCudaSolve(F, FACTOR_NOTRANS, 1, dx, small.A.n, dy, small.A.n));
  TestCall(FactorCudaDownload(F, 1, dy, y.data(), small.A.n));
  FactorCudaSetStream(F, nullptr);
  TestCall(FactorCudaDownload(F, 1, dx, x.data(), small.A.n));
  for (int k = 0; k < 2; k++) {
    HostResidual(small.A, false, 1, k ? x.data() : b.data(), small.A.n, k ? y.data() : x.data(), small.A.n, r);
    for (const Scalar &v : r) {
      if (!(std::abs(v) <= most)) most = std::abs(v);
    }
  }
  Check(most < 1e-11, name + "TwoStreams", most);
  FactorCudaDestroy(F);
  for (cudaStream_t s : stream) TestCall(DeviceError(cudaStreamDestroy(s)));

  F = FactorCudaCreate(three.plan, &three.options, &three.pattern, &tuning, nullptr, &error);
  TestCall(error);
  TestCall(FactorCudaNumeric(F, three.A.aa.data(), false, &result));
  for (int nrhs : {1, 2}) {
    SolveOnce(F, three.A, FACTOR_NOTRANS, nrhs, name + "SolveOfThreeGrids");
    SolveOnce(F, three.A, FACTOR_TRANS, nrhs, name + "TransposedSolveOfThreeGrids");
  }
  TestResiduals(F, three.A, name + "ThreeGrids");
  FactorCudaDestroy(F);
}

#if defined(PETLAP_CUDA_EMULATED)
/* Fronts whose solves need more shared memory than a kernel has without asking are large ones. The device of this test has little of it. */
static void TestSharedMemory(void)
{
  const int        limit = 256 * (int)sizeof(Scalar);
  Small            grid(14, 13, 12, FACTOR_LU, 1);
  FactorCudaResult result;
  int              error;
  double           large = 0;

  for (int little = 0; little < 2; little++) {
    if (little) setenv("PETLAP_EMULATE_SHARED", std::to_string(limit).c_str(), 1);
    FactorCuda *F = FactorCudaCreate(grid.plan, &grid.options, &grid.pattern, nullptr, nullptr, &error);

    TestCall(error);
    TestCall(FactorCudaNumeric(F, grid.A.aa.data(), false, &result));
    SolveOnce(F, grid.A, FACTOR_NOTRANS, 2, little ? "SolveWithLittleSharedMemory" : "SolveWithSharedMemory");
    SolveOnce(F, grid.A, FACTOR_TRANS, 1, little ? "TransposedSolveWithLittleSharedMemory" : "TransposedSolveWithSharedMemory");
    if (little) Check(FactorCudaGetInfo(F).large > large, "MoreLargeFrontsWithLittleSharedMemory", FactorCudaGetInfo(F).large - large);
    large = FactorCudaGetInfo(F).large;
    FactorCudaDestroy(F);
  }
  unsetenv("PETLAP_EMULATE_SHARED");
}
#endif

int main(int argc, char **argv)
{
  const char *reason;
  const Case  cases[] = {
     {"plane5", 2, {21, 15, 1}, 1, 1, true, FACTOR_LU, false, false, false, false, false},
     {"plane9", 2, {19, 22, 1}, 1, 1, false, FACTOR_LU, false, false, false, false, false},
     {"plane9single", 2, {19, 22, 1}, 1, 1, false, FACTOR_LU, true, false, false, false, false},
     {"symmetric", 2, {17, 13, 1}, 1, 1, false, FACTOR_SYMMETRIC, false, false, false, false, false},
     {"spd", 2, {40, 38, 1}, 1, 1, true, FACTOR_SPD, false, false, false, false, false},
     {"spdsingle", 2, {13, 15, 1}, 1, 1, false, FACTOR_SPD, true, false, false, false, false},
     {"gaps", 2, {15, 18, 1}, 1, 1, false, FACTOR_LU, false, false, false, true, false},
     {"gapsspd", 2, {15, 18, 1}, 1, 1, true, FACTOR_SPD, false, false, false, true, false},
     {"two", 2, {9, 11, 1}, 2, 1, false, FACTOR_LU, false, false, false, false, false},
     {"wide", 2, {13, 10, 1}, 1, 2, false, FACTOR_SYMMETRIC, false, false, false, false, false},
     {"space", 3, {6, 7, 5}, 1, 1, true, FACTOR_LU, false, false, false, false, false},
     {"spacespd", 3, {5, 6, 7}, 1, 1, false, FACTOR_SPD, false, false, false, false, false},
     {"line", 1, {61, 1, 1}, 1, 1, true, FACTOR_LU, false, false, false, false, false},
     {"one", 1, {1, 1, 1}, 1, 1, true, FACTOR_LU, false, false, false, false, false},
     {"constant", 2, {33, 33, 1}, 1, 1, false, FACTOR_SPD, false, false, true, false, false},
     {"periodic", 2, {12, 14, 1}, 1, 1, true, FACTOR_LU, false, false, false, false, true},
#if defined(PETSC_USE_COMPLEX)
    {"hermitian", 2, {17, 13, 1}, 1, 1, false, FACTOR_SYMMETRIC, false, true, false, false, false},
    {"hermitianspd", 2, {17, 13, 1}, 1, 1, false, FACTOR_SPD, false, true, false, false, false},
#endif
  };

  /* A PETSc with CUDA chooses the device and the stream */
  if (PetscInitialize(&argc, &argv, nullptr, nullptr)) return 1;
  if (!DeviceFind(0, &reason)) {
    printf("ok - # SKIP %s\n", reason);
    return PetscFinalize() || !reason[0] ? 1 : 77;
  }
  for (const Case &c : cases) {
    Run(c, {0, 0}, "");
    if (strcmp(c.name, "one")) Run(c, {5, 4}, "Large");
  }
  TestLives(FACTOR_LU, {0, 0}, "Lu");
  TestLives(FACTOR_SPD, {2, 2}, "SpdLarge");
#if defined(PETLAP_CUDA_EMULATED)
  TestSharedMemory();
  {
    size_t available, total;

    Check(cudaMemGetInfo(&available, &total) == cudaSuccess && available == total, "all memory of the device is given back", 0);
  }
#endif
  DeviceFinalize();
  return PetscFinalize() || failures;
}
