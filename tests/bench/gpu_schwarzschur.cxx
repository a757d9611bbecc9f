static char help[] = "Times the direct solver schwarzschur on a CUDA device, beside cuDSS where this program was built with it.\n\
Milliseconds by the clock after the device has finished, medians of rounds in which the solvers take turns.\n\n";

#include <petscmat.h>
#include <cstdio>

#if PetscDefined(USE_COMPLEX) || !PetscDefined(USE_REAL_DOUBLE)
  #define BENCH_REASON "the matrices are of real numbers in double precision"
#elif !defined(BENCH_CUDA) && !defined(BENCH_EMULATED)
  #define BENCH_REASON "petlap was configured without CUDA (-DPETLAP_CUDA=ON)"
#endif

#if defined(BENCH_REASON)

int main(void)
{
  std::printf("# SKIP %s\n", BENCH_REASON);
  (void)help;
  return 77;
}

#else

  #include "petlap.h"
  #include "tests/bench/bench.h"
  #include "tests/bench/families.h"
  #include "tests/mat/backwarderror.h"
  #include <sys/stat.h>
  #include <algorithm>
  #include <cmath>
  #include <cstdarg>
  #include <cstdlib>
  #include <cstring>
  #include <map>
  #include <string>
  #include <thread>
  #include <vector>
  #if defined(BENCH_CUDA)
    #include <cuda_runtime.h>
  #endif
  #if defined(BENCH_CUBLAS)
    #include <cublas_v2.h>
  #endif
  #if defined(BENCH_CUDSS)
    #include <cudss.h>
  #endif

/* What a number is that was not measured */
static const double NONE = -1.0;

/* ---- The device. The emulated one has finished whenever petlap returns, and is not this program's to ask. ---- */

static void Synchronize()
{
  #if defined(BENCH_CUDA)
  (void)cudaDeviceSynchronize();
  #endif
}

/* Milliseconds of the clock, when the device has nothing left to do */
static double Now()
{
  Synchronize();
  return 1e3 * BenchNow().s[BENCH_WALL];
}

/* Megabytes of the device that are taken, by everyone; memory that pools keep for later is given back first */
static double DeviceUsed(double *free_MB)
{
  #if defined(BENCH_CUDA)
  size_t        unused = 0, total = 0;
  cudaMemPool_t pool;
  int           device = 0;

  Synchronize();
  if (cudaGetDevice(&device) == cudaSuccess && cudaDeviceGetDefaultMemPool(&pool, device) == cudaSuccess) (void)cudaMemPoolTrimTo(pool, 0);
  (void)cudaMemGetInfo(&unused, &total);
  if (free_MB) *free_MB = unused * 1e-6;
  return (total - unused) * 1e-6;
  #else
  if (free_MB) *free_MB = 0.0;
  return 0.0;
  #endif
}

/* Why there is nothing to be measured here, if so */
static const char *DeviceMissing(std::string *name)
{
  #if defined(BENCH_CUDA)
  cudaDeviceProp property;
  int            n     = 0;
  cudaError_t    error = cudaGetDeviceCount(&n);

  if (error != cudaSuccess) return cudaGetErrorString(error);
  if (n == 0) return "there is no device";
  error = cudaGetDeviceProperties(&property, 0);
  if (error != cudaSuccess) return cudaGetErrorString(error);
  *name = std::string(property.name) + ", " + std::to_string(property.multiProcessorCount) + " multiprocessors, " + std::to_string(property.totalGlobalMem / 1000000000) + " GB, compute capability " + std::to_string(property.major) + "." +
          std::to_string(property.minor);
  #else
  if (std::getenv("PETLAP_EMULATE_NO_DEVICE")) return "there is no device";
  *name = "emulated by the processor: its times mean nothing";
  #endif
  return nullptr;
}

  #if defined(BENCH_CUBLAS)
static cublasStatus_t Gemm(cublasHandle_t handle, int n, const double *a, double *c)
{
  const double one = 1.0, zero = 0.0;

  return cublasDgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, n, a, n, &zero, c, n);
}
static cublasStatus_t Gemm(cublasHandle_t handle, int n, const float *a, float *c)
{
  const float one = 1.0f, zero = 0.0f;

  return cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, n, a, n, &zero, c, n);
}

/* Gflop/s of cuBLAS's product of square matrices; random entries, as the clock of a device depends on what it multiplies */
template <class T>
static double GemmRate(int n)
{
  const size_t        size = (size_t)n * n;
  cublasHandle_t      handle;
  std::vector<double> times;
  std::vector<T>      host(size);
  T                  *a = nullptr, *c = nullptr;
  unsigned            seed = 1;
  bool                good = true;

  if (n <= 0 || cublasCreate(&handle) != CUBLAS_STATUS_SUCCESS) return NONE;
  for (T &v : host) {
    seed = seed * 1664525u + 1013904223u;
    v    = (T)((double)(seed >> 8) / 8388608.0 - 1.0);
  }
  good = cudaMalloc((void **)&a, size * sizeof(T)) == cudaSuccess && cudaMalloc((void **)&c, size * sizeof(T)) == cudaSuccess && cudaMemcpy(a, host.data(), size * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess;
  for (int r = 0; good && r < 8; r++) {
    const double start = Now();

    good = Gemm(handle, n, a, c) == CUBLAS_STATUS_SUCCESS;
    times.push_back(Now() - start);
  }
  (void)cudaFree(a);
  (void)cudaFree(c);
  (void)cublasDestroy(handle);
  (void)cudaGetLastError();
  if (!good) return NONE;
  /* The first ones wait for kernels to be loaded */
  std::sort(times.begin() + 3, times.end());
  return 2e-6 * n * (double)size / times[3 + 2];
}
  #else
template <class T>
static double GemmRate(int)
{
  return NONE;
}
  #endif

/* ---- What is measured ---- */

struct Case {
  std::string family;
  PetscInt    n;
  bool        symmetric, single; /* how it is factored */
};

/* Milliseconds, megabytes */
struct Row {
  std::string solver, factors, status = "ok", source;
  Case        c;
  double      rows = NONE, nnz = NONE;
  double      analysis = NONE, first = NONE, factor = NONE, refactor = NONE, solve = NONE, refined = NONE, total = NONE;
  double      error = NONE, refined_error = NONE, memory = NONE, device = NONE, flops = NONE, gemm = NONE;
  /* Of the rounds */
  std::vector<double> factors_ms, refactors_ms, solves_ms, refined_ms, totals_ms;

  void medians()
  {
    factor   = median(factors_ms);
    refactor = median(refactors_ms);
    solve    = median(solves_ms);
    refined  = median(refined_ms);
    total    = median(totals_ms);
  }
  static double median(std::vector<double> v)
  {
    if (v.empty()) return NONE;
    std::sort(v.begin(), v.end());
    return 0.5 * (v[(v.size() - 1) / 2] + v[v.size() / 2]);
  }
  double rate() const
  {
    return flops > 0 && factor > 0 ? 1e-6 * flops / factor : NONE;
  }
};

struct System {
  BenchFamily family;
  Mat         A = nullptr;
  Vec         b = nullptr, x = nullptr;
  bool        ondevice = false; /* where A and the vectors are */
};

static PetscErrorCode SystemCreate(const char name[], PetscInt n, bool ondevice, System *s)
{
  PetscFunctionBegin;
  PetscCall(BenchFamilyCreate(name, n, n, n, nullptr, nullptr, &s->family));
  PetscCall(BenchFamilyCreateMat(s->family, 0, PETSC_FALSE, PETSC_FALSE, &s->A));
  #if PetscDefined(HAVE_CUDA)
  if (ondevice) PetscCall(MatConvert(s->A, MATSEQAIJCUSPARSE, MAT_INPLACE_MATRIX, &s->A));
  #endif
  s->ondevice = ondevice;
  PetscCall(BenchFamilyCreateVec(s->family, s->A, 0, &s->b));
  PetscCall(VecDuplicate(s->b, &s->x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SystemDestroy(System *s)
{
  PetscFunctionBegin;
  PetscCall(MatDestroy(&s->A));
  PetscCall(VecDestroy(&s->b));
  PetscCall(VecDestroy(&s->x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- petlap ---- */

static PetscErrorCode Symbolic(const System &s, bool symmetric, Mat F)
{
  MatFactorInfo info;

  PetscFunctionBegin;
  PetscCall(MatFactorInfoInitialize(&info));
  if (symmetric)
    PetscCall(MatCholeskyFactorSymbolic(F, s.A, nullptr, &info));
  else
    PetscCall(MatLUFactorSymbolic(F, s.A, nullptr, nullptr, &info));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Numeric(const System &s, bool symmetric, Mat F)
{
  MatFactorInfo  info;
  MatFactorError error;

  PetscFunctionBegin;
  PetscCall(MatFactorInfoInitialize(&info));
  if (symmetric)
    PetscCall(MatCholeskyFactorNumeric(F, s.A, &info));
  else
    PetscCall(MatLUFactorNumeric(F, s.A, &info));
  PetscCall(MatFactorGetError(F, &error));
  PetscCheck(error == MAT_FACTOR_NOERROR, PETSC_COMM_SELF, PETSC_ERR_MAT_LU_ZRPVT, "zero pivot");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PetlapCreate(const System &s, bool symmetric, bool single, Mat *F)
{
  PetscFunctionBegin;
  PetscCall(MatGetFactor(s.A, MATSOLVERSCHWARZSCHUR, symmetric ? MAT_FACTOR_CHOLESKY : MAT_FACTOR_LU, F));
  PetscCall(MatSchwarzSchurSetMode(*F, !symmetric ? MATSCHWARZSCHUR_LU : s.family.definite ? MATSCHWARZSCHUR_SPD : MATSCHWARZSCHUR_SYMMETRIC));
  PetscCall(MatSchwarzSchurSetPrecision(*F, single ? MATSCHWARZSCHUR_SINGLE : MATSCHWARZSCHUR_DOUBLE));
  PetscCall(MatSchwarzSchurSetBackend(*F, PETLAP_BACKEND_CUDA));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What MatView() says of the factors, as there is no other way to ask */
static PetscErrorCode PetlapView(Mat F, PetscBool detail, std::string *text)
{
  PetscViewer viewer;
  FILE       *file = std::tmpfile();
  char        line[1024];

  PetscFunctionBegin;
  text->clear();
  PetscCheck(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "no temporary file");
  PetscCall(PetscViewerASCIIOpenWithFILE(PETSC_COMM_SELF, file, &viewer));
  PetscCall(PetscViewerPushFormat(viewer, detail ? PETSC_VIEWER_ASCII_INFO_DETAIL : PETSC_VIEWER_ASCII_INFO));
  PetscCall(MatView(F, viewer));
  PetscCall(PetscViewerPopFormat(viewer));
  PetscCall(PetscViewerFlush(viewer));
  std::rewind(file);
  while (std::fgets(line, sizeof(line), file)) *text += line;
  PetscCall(PetscViewerDestroy(&viewer));
  std::fclose(file);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One factorization with values that count as new and lie where the matrix has them, and both kinds of solve */
static PetscErrorCode PetlapRound(const System &s, bool first, Mat F, Row *row)
{
  static bool doubled = false;
  double      start, factored, solved, refined;

  PetscFunctionBegin;
  /* New values, made where the matrix is; powers of two leave every digit as it was */
  PetscCall(MatScale(s.A, doubled ? 0.5 : 2.0));
  doubled = !doubled;
  PetscCall(MatSchwarzSchurSetRefine(F, 0));
  start = Now();
  PetscCall(Numeric(s, row->c.symmetric, F));
  factored = Now();
  PetscCall(MatSolve(F, s.b, s.x));
  solved = Now();
  if (first) PetscCall(BackwardError(s.A, PETSC_FALSE, s.b, s.x, &row->error));
  if (!first) {
    row->factors_ms.push_back(factored - start);
    row->solves_ms.push_back(solved - factored);
    row->totals_ms.push_back(solved - start);
  }
  /* Where nothing can be refined petlap would go over to the host, which takes long and is not asked for here */
  if (!(row->error < 1e-3)) {
    row->status = "inaccurate";
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(MatSchwarzSchurSetRefine(F, -1));
  refined = Now();
  PetscCall(MatSolve(F, s.b, s.x));
  refined = Now() - refined;
  if (first)
    PetscCall(BackwardError(s.A, PETSC_FALSE, s.b, s.x, &row->refined_error));
  else
    row->refined_ms.push_back(refined);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PetlapStart(const System &s, Mat *F, Row *row)
{
  double      before = DeviceUsed(nullptr), start;
  std::string text;
  const char *place;
  MatInfo     info;

  PetscFunctionBegin;
  start = Now();
  PetscCall(PetlapCreate(s, row->c.symmetric, row->c.single, F));
  PetscCall(Symbolic(s, row->c.symmetric, *F));
  row->analysis = Now() - start;
  start         = Now();
  PetscCall(Numeric(s, row->c.symmetric, *F));
  row->first = Now() - start;
  PetscCall(PetlapRound(s, true, *F, row));
  row->device = DeviceUsed(nullptr) - before;
  PetscCall(MatGetInfo(*F, MAT_LOCAL, &info));
  row->memory = info.memory * 1e-6;
  PetscCall(PetlapView(*F, PETSC_FALSE, &text));
  place = std::strstr(text.c_str(), "of work space; ");
  if (place) row->flops = 1e9 * std::atof(place + std::strlen("of work space; "));
  if (text.find("single was not enough") != std::string::npos) row->status = "double was needed";
  if (text.find("backend: cuda") == std::string::npos) row->status = "went to the host";
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- cuDSS ---- */

  #if defined(BENCH_CUDSS)

    /* Leaves a function that returns why it failed */
    #define CudaCheck(...)                                            \
      do {                                                            \
        const cudaError_t error_ = (__VA_ARGS__);                     \
        if (error_ != cudaSuccess) return cudaGetErrorString(error_); \
      } while (0)
    #define CudssCheck(...)                                             \
      do {                                                              \
        const cudssStatus_t status_ = (__VA_ARGS__);                    \
        if (status_ != CUDSS_STATUS_SUCCESS) return CudssText(status_); \
      } while (0)

static const char *CudssText(cudssStatus_t status)
{
  static const char *const names[] = {"", "not initialized", "out of memory", "invalid value", "not supported", "execution failed", "internal error", "refinement failed"};

  return (size_t)status < sizeof(names) / sizeof(names[0]) ? names[status] : "unknown status";
}

static cudssHandle_t cudss = nullptr;

static const char *CudssInitialize(std::string *text)
{
  int version[3] = {0, 0, 0};

  CudssCheck(cudssCreate(&cudss));
  CudssCheck(cudssGetProperty(MAJOR_VERSION, &version[0]));
  CudssCheck(cudssGetProperty(MINOR_VERSION, &version[1]));
  CudssCheck(cudssGetProperty(PATCH_LEVEL, &version[2]));
  *text             = "cuDSS " + std::to_string(version[0]) + "." + std::to_string(version[1]) + "." + std::to_string(version[2]);
    #if defined(BENCH_CUDSS_THREADS)
  const char *layer = BENCH_CUDSS_THREADS;
    #else
  const char *layer = std::getenv("CUDSS_THREADING_LIB");
    #endif
  if (layer && cudssSetThreadingLayer(cudss, layer) == CUDSS_STATUS_SUCCESS)
    *text += ", analysis with " + std::to_string(std::thread::hardware_concurrency()) + " threads";
  else
    *text += ", analysis with one thread";
  return nullptr;
}

struct Cudss {
  cudssConfig_t       config = nullptr;
  cudssData_t         data   = nullptr;
  cudssMatrix_t       A = nullptr, b = nullptr, x = nullptr;
  std::vector<void *> memory;
  void               *dx     = nullptr;
  bool                single = false;
  size_t              n      = 0;
};

/* Numbers of a host's array in the precision that is asked for, on the device */
static const char *CudssUpload(Cudss *c, size_t n, const double *values, void **d)
{
  const size_t       size = c->single ? sizeof(float) : sizeof(double);
  std::vector<float> low;

  CudaCheck(cudaMalloc(d, n * size));
  c->memory.push_back(*d);
  if (values && c->single) low.assign(values, values + n);
  if (values) CudaCheck(cudaMemcpy(*d, c->single ? (const void *)low.data() : (const void *)values, n * size, cudaMemcpyHostToDevice));
  return nullptr;
}

static const char *CudssUploadInts(Cudss *c, const std::vector<int> &values, void **d)
{
  CudaCheck(cudaMalloc(d, values.size() * sizeof(int)));
  c->memory.push_back(*d);
  CudaCheck(cudaMemcpy(*d, values.data(), values.size() * sizeof(int), cudaMemcpyHostToDevice));
  return nullptr;
}

/* A matrix that is factored as a symmetric one is given by its upper triangle */
static const char *CudssCreate(Cudss *c, const Row &row, bool definite, PetscInt n, const PetscInt *ia, const PetscInt *ja, const double *aa, const double *b)
{
  const cudaDataType_t type  = row.c.single ? CUDA_R_32F : CUDA_R_64F;
  const bool           upper = row.c.symmetric;
  std::vector<int>     start(1, 0), column;
  std::vector<double>  value;
  void                *dstart, *dcolumn, *dvalue, *db;
  const char          *failed;

  c->single = row.c.single;
  c->n      = (size_t)n;
  start.reserve((size_t)n + 1);
  column.reserve((size_t)ia[n]);
  value.reserve((size_t)ia[n]);
  for (PetscInt i = 0; i < n; i++) {
    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) {
      if (upper && ja[k] < i) continue;
      column.push_back((int)ja[k]);
      value.push_back(aa[k]);
    }
    start.push_back((int)column.size());
  }
  failed = CudssUploadInts(c, start, &dstart);
  if (!failed) failed = CudssUploadInts(c, column, &dcolumn);
  if (!failed) failed = CudssUpload(c, value.size(), value.data(), &dvalue);
  if (!failed) failed = CudssUpload(c, c->n, b, &db);
  if (!failed) failed = CudssUpload(c, c->n, nullptr, &c->dx);
  if (failed) return failed;
  CudssCheck(cudssConfigCreate(&c->config));
    #if defined(BENCH_CUDSS_THREADS)
  {
    int threads = (int)std::thread::hardware_concurrency();

    CudssCheck(cudssConfigSet(c->config, CUDSS_CONFIG_HOST_NTHREADS, &threads, sizeof(threads)));
  }
    #endif
  CudssCheck(cudssDataCreate(cudss, &c->data));
  CudssCheck(cudssMatrixCreateCsr(&c->A, n, n, (int64_t)value.size(), dstart, nullptr, dcolumn, dvalue, CUDA_R_32I, CUDA_R_32I, type,
                                  !upper     ? CUDSS_MTYPE_GENERAL
                                  : definite ? CUDSS_MTYPE_SPD
                                             : CUDSS_MTYPE_SYMMETRIC,
                                  upper ? CUDSS_MVIEW_UPPER : CUDSS_MVIEW_FULL, CUDSS_BASE_ZERO));
  CudssCheck(cudssMatrixCreateDn(&c->b, n, 1, n, db, type, CUDSS_LAYOUT_COL_MAJOR));
  CudssCheck(cudssMatrixCreateDn(&c->x, n, 1, n, c->dx, type, CUDSS_LAYOUT_COL_MAJOR));
  return nullptr;
}

static void CudssDestroy(Cudss *c)
{
  Synchronize();
  if (c->A) (void)cudssMatrixDestroy(c->A);
  if (c->b) (void)cudssMatrixDestroy(c->b);
  if (c->x) (void)cudssMatrixDestroy(c->x);
  if (c->data) (void)cudssDataDestroy(cudss, c->data);
  if (c->config) (void)cudssConfigDestroy(c->config);
  for (void *p : c->memory) (void)cudaFree(p);
  (void)cudaGetLastError();
  *c = Cudss();
}

/* Milliseconds of one phase */
static const char *CudssRun(Cudss *c, int phase, double *ms)
{
  const double start = Now();

  CudssCheck(cudssExecute(cudss, phase, c->config, c->data, c->A, c->x, c->b));
  CudaCheck(cudaDeviceSynchronize());
  *ms = Now() - start;
  return nullptr;
}

static const char *CudssRound(Cudss *c, bool first, Row *row)
{
  double      factor = 0, refactor = 0, solve = 0;
  const char *failed = CudssRun(c, CUDSS_PHASE_FACTORIZATION, &factor);

  if (!failed) failed = CudssRun(c, CUDSS_PHASE_REFACTORIZATION, &refactor);
  if (!failed) failed = CudssRun(c, CUDSS_PHASE_SOLVE, &solve);
  if (failed || first) return failed;
  row->factors_ms.push_back(factor);
  row->refactors_ms.push_back(refactor);
  row->solves_ms.push_back(solve);
  row->totals_ms.push_back(refactor + solve);
  return nullptr;
}

/* Analysis and the first factorization, which is not counted later */
static const char *CudssStart(Cudss *c, Row *row)
{
  int64_t     estimates[16] = {0};
  size_t      written       = 0;
  const char *failed;

  failed = CudssRun(c, CUDSS_PHASE_ANALYSIS, &row->analysis);
  if (!failed) failed = CudssRun(c, CUDSS_PHASE_FACTORIZATION, &row->first);
  if (!failed) failed = CudssRound(c, true, row);
  if (failed) return failed;
  /* The second one is the peak on the device */
  if (cudssDataGet(cudss, c->data, CUDSS_DATA_MEMORY_ESTIMATES, estimates, sizeof(estimates), &written) == CUDSS_STATUS_SUCCESS && estimates[1] > 0) row->memory = estimates[1] * 1e-6;
  return nullptr;
}

static const char *CudssAnswer(const Cudss &c, double *x)
{
  std::vector<float> low(c.single ? c.n : 0);

  CudaCheck(cudaMemcpy(c.single ? (void *)low.data() : (void *)x, c.dx, c.n * (c.single ? sizeof(float) : sizeof(double)), cudaMemcpyDeviceToHost));
  std::copy(low.begin(), low.end(), x);
  return nullptr;
}

static PetscErrorCode CudssBegin(const System &s, Cudss *c, Row *row)
{
  double             before = DeviceUsed(nullptr);
  PetscInt           n;
  const PetscInt    *ia, *ja;
  const PetscScalar *aa, *b;
  PetscScalar       *x;
  PetscBool          done;
  const char        *failed;

  PetscFunctionBegin;
  PetscCall(MatGetRowIJ(s.A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscCall(MatSeqAIJGetArrayRead(s.A, &aa));
  PetscCall(VecGetArrayRead(s.b, &b));
  failed = CudssCreate(c, *row, s.family.definite, n, ia, ja, aa, b);
  PetscCall(VecRestoreArrayRead(s.b, &b));
  PetscCall(MatSeqAIJRestoreArrayRead(s.A, &aa));
  PetscCall(MatRestoreRowIJ(s.A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  if (!failed) failed = CudssStart(c, row);
  if (!failed) {
    PetscCall(VecGetArrayWrite(s.x, &x));
    failed = CudssAnswer(*c, x);
    PetscCall(VecRestoreArrayWrite(s.x, &x));
    PetscCall(BackwardError(s.A, PETSC_FALSE, s.b, s.x, &row->error));
    row->device = DeviceUsed(nullptr) - before;
    if (!(row->error < 1e-3)) row->status = "inaccurate";
  }
  if (failed) row->status = failed;
  PetscFunctionReturn(PETSC_SUCCESS);
}

  #endif

/* ---- The whole ---- */

/* Runs a part that may fail without ending the program; the message is that of the first error */
static char message[256];

static PetscErrorCode KeepMessage(MPI_Comm, int, const char[], const char[], PetscErrorCode code, PetscErrorType type, const char text[], void *)
{
  if (type == PETSC_ERROR_INITIAL && !message[0]) std::snprintf(message, sizeof(message), "error %d: %s", (int)code, text ? text : "");
  return code;
}

template <class Body>
static bool Try(std::string *status, Body body)
{
  PetscErrorCode code;

  message[0] = 0;
  (void)PetscPushErrorHandler(KeepMessage, nullptr);
  code = body();
  (void)PetscPopErrorHandler();
  for (char *p = message; *p; p++) {
    if (*p == '\n' || *p == ',') *p = ' ';
  }
  if (code) *status = code == PETSC_ERR_MEM ? "out of memory" : message;
  return !code;
}

/* How long a part took at the last size, from which that of the next one is foreseen */
struct Forecast {
  std::map<std::string, std::pair<PetscInt, double>> known;

  double operator()(const std::string &what, PetscInt n) const
  {
    const auto k = known.find(what);

    return k == known.end() ? 0.0 : k->second.second * std::pow((double)n / k->second.first, 2.4);
  }
  void set(const std::string &what, PetscInt n, double seconds)
  {
    known[what] = {n, seconds};
  }
};

/* What the paper reports, for the kinds of matrices that come nearest to the families here. Milliseconds; cuDSS is its column CUDA. */
static const struct {
  const char *family;
  PetscInt    n;
  bool        single;
  double      total, solve, cudss;
  const char *status, *source;
} paper[] = {
  {"aniso9", 257, false, 8.82, 2.56, 235.0, "ok", "Tables 10 and 7"},
  {"aniso9", 257, true, 6.47, NONE, NONE, "ok", "Table 10"},
  {"aniso9", 513, false, 35.4, 3.01, 1038.0, "ok", "Tables 10 and 7"},
  {"aniso9", 513, true, 12.2, NONE, NONE, "ok", "Table 10"},
  {"aniso9", 1025, false, 187.4, 3.13, 4779.0, "ok", "Tables 10 and 7"},
  {"aniso9", 1025, true, 42.2, NONE, NONE, "ok", "Table 10"},
  {"aniso9", 2049, false, NONE, NONE, 21396.0, "out of memory", "Table 10"},
  {"aniso9", 2049, true, 171.6, NONE, NONE, "ok", "Table 10"},
  {"lap5", 257, false, 7.55, NONE, 235.0, "ok", "Table 8"},
  {"lap5", 257, true, 5.11, NONE, NONE, "ok", "Table 8"},
  {"lap5", 513, false, 31.9, NONE, 1053.0, "ok", "Table 8"},
  {"lap5", 513, true, 10.9, NONE, NONE, "ok", "Table 8"},
  {"lap5", 1025, false, 172.9, NONE, 4663.0, "ok", "Table 8"},
  {"lap5", 1025, true, 37.4, NONE, NONE, "ok", "Table 8"},
  {"lap5", 2049, false, NONE, NONE, 21297.0, "out of memory", "Table 8"},
  {"lap5", 2049, true, 158.5, NONE, NONE, "ok", "Table 8"},
  {"lap5", 2561, false, NONE, NONE, 36926.0, "not reported", "Table 1"},
  {"lap5", 2561, true, 220.1, NONE, NONE, "ok", "Table 1"},
  {"udeconv", 513, false, 35.5, 3.0, 1038.0, "ok", "Table 3"},
  {"udeconv", 513, true, NONE, NONE, NONE, "NaN", "Table 3"},
  {"udeconv", 1025, false, 175.0, 3.1, 4687.0, "ok", "Table 4"},
  {"udeconv", 1025, true, 36.4, NONE, NONE, "error NaN", "Tables 4 and 5"},
  {"hel1", 513, false, 35.5, 3.0, 1020.0, "ok", "Table 3"},
  {"hel1", 513, true, 12.2, NONE, NONE, "ok", "Table 3"},
  {"hel1", 1025, false, 175.0, 3.1, 4554.0, "ok", "Table 4"},
  {"hel1", 1025, true, 36.4, NONE, NONE, "ok", "Table 4"},
};

static void AddPaper(const Case &c, std::vector<Row> *rows)
{
  for (const auto &p : paper) {
    Row row;

    if (c.symmetric || c.family != p.family || c.n != p.n || c.single != p.single) continue;
    row.c       = c;
    row.solver  = "paper";
    row.factors = "lu";
    row.status  = p.status;
    row.source  = p.source;
    row.total   = p.total;
    row.solve   = p.solve;
    rows->push_back(row);
    if (p.cudss == NONE) continue;
    row.solver = "paper:cudss";
    row.status = "ok";
    row.source = p.source;
    if (row.source == "Tables 10 and 7") row.source = "Table 10";
    row.total = p.cudss;
    row.solve = NONE;
    rows->push_back(row);
  }
}

static std::string Cell(double value, int width)
{
  char text[64];

  if (!(value > NONE))
    std::snprintf(text, sizeof(text), "%*s", width, "-");
  else
    std::snprintf(text, sizeof(text), "%*.*f", width, value < 10 ? 2 : value < 1000 ? 1 : 0, value);
  return text;
}

static std::string Error(double value)
{
  char text[32];

  if (value < 0)
    std::snprintf(text, sizeof(text), "%8s", "-");
  else
    std::snprintf(text, sizeof(text), "%8.1e", value);
  return text;
}

static std::string Ratio(double value, double ours)
{
  return Cell(value > 0 && ours > 0 ? value / ours : NONE, 8);
}

/* A line for each solver and each way to factor, below each other those of one way */
static PetscErrorCode PrintTable(const BenchFamily &f, const std::string &name, const std::vector<Row> &rows)
{
  const Row *ours = nullptr;

  PetscFunctionBegin;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n%s: %s, %d points\n", name.c_str(), f.definite ? "symmetric, positive definite" : f.symmetric ? "symmetric, indefinite" : "not symmetric", f.box ? 9 : 5));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%5s %-11s %-7s %-6s %8s %8s %8s %8s %8s %8s %8s %8s %8s %8s %5s | %8s %8s %8s %8s %8s\n", "n", "solver", "factors", "prec.", "analysis", "factor", "refactor", "solve", "total", "error", "refined", "error",
                        "MB", "GF/s", "gemm", "analysis", "factor", "solve", "total", "MB"));
  for (const Row &r : rows) {
    std::string line;
    char        text[128];

    if (r.c.family != name) continue;
    if (r.solver == "petlap") ours = &r;
    std::snprintf(text, sizeof(text), "%5d %-11s %-7s %-6s ", (int)r.c.n, r.solver.c_str(), r.factors.c_str(), r.c.single ? "single" : "double");
    line = text;
    line += Cell(r.analysis, 8) + " " + Cell(r.factor, 8) + " " + Cell(r.refactor, 8) + " " + Cell(r.solve, 8) + " " + Cell(r.total, 8) + " " + Error(r.error) + " " + Cell(r.refined, 8) + " " + Error(r.refined_error) + " " + Cell(r.memory, 8) + " " +
            Cell(r.rate(), 8);
    if (r.gemm > 0 && r.rate() > 0)
      std::snprintf(text, sizeof(text), " %4.0f%%", 100 * r.rate() / r.gemm);
    else
      std::snprintf(text, sizeof(text), " %5s", "-");
    line += text;
    if (ours && &r != ours && ours->c.n == r.c.n && ours->c.symmetric == r.c.symmetric && ours->c.single == r.c.single)
      line += " | " + Ratio(r.analysis, ours->analysis) + " " + Ratio(r.refactor, ours->factor) + " " + Ratio(r.solve, ours->solve) + " " + Ratio(r.total, ours->total) + " " + Ratio(r.memory, ours->memory);
    if (r.status != "ok") line += "  " + r.status;
    if (!r.source.empty()) line += "  " + r.source;
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s\n", line.c_str()));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void WriteRow(FILE *file, const Row &r)
{
  const double values[] = {r.rows, r.nnz, r.analysis, r.first, r.factor, r.refactor, r.solve, r.total, r.refined, r.error, r.refined_error, r.memory, r.device, r.flops, r.rate(), r.gemm};

  if (!file) return;
  std::fprintf(file, "%s,%d,%s,%s,%s,%s,%s,%d", r.c.family.c_str(), (int)r.c.n, r.solver.c_str(), r.factors.c_str(), r.c.single ? "single" : "double", r.status.c_str(), r.source.c_str(), (int)r.totals_ms.size());
  for (double v : values) {
    if (v > NONE)
      std::fprintf(file, ",%.6g", v);
    else
      std::fprintf(file, ",");
  }
  std::fprintf(file, "\n");
  std::fflush(file);
}

struct Options {
  PetscInt    rounds = 5, gemm = 8192;
  PetscReal   seconds; /* of the whole */
  PetscBool   peer = PETSC_TRUE;
  std::string peername; /* empty where there is none */
  double      gemms[2] = {NONE, NONE};
  double      begun;
};

static double Elapsed(const Options &o)
{
  return 1e-3 * (Now() - o.begun);
}

/* One matrix factored in one way, by both solvers; true if the peer may take part */
static PetscErrorCode Measure(const Options &o, const System &s, const Case &c, bool peer, Forecast *forecast, std::vector<Row> *rows)
{
  Row         ours, theirs;
  Mat         F = nullptr;
  MatInfo     info;
  PetscInt    n;
  double      spent[2] = {0, 0}, start;
  bool        good[2];
  std::string key = c.family + (c.symmetric ? " symmetric" : " lu") + (c.single ? " single" : " double");

  PetscFunctionBegin;
  PetscCall(MatGetInfo(s.A, MAT_LOCAL, &info));
  PetscCall(MatGetSize(s.A, &n, nullptr));
  ours.c        = c;
  ours.rows     = (double)n;
  ours.nnz      = info.nz_used;
  ours.gemm     = o.gemms[c.single];
  ours.factors  = !c.symmetric ? "lu" : s.family.definite ? "spd" : "sym";
  theirs        = ours;
  theirs.gemm   = NONE;
  ours.solver   = "petlap";
  theirs.solver = "cudss";
  start         = Now();
  good[0]       = Try(&ours.status, [&]() { return PetlapStart(s, &F, &ours); });
  spent[0]      = Now() - start;
  good[0]       = good[0] && ours.status != "went to the host";
  good[1]       = false;
  #if defined(BENCH_CUDSS)
  Cudss cu;

  if (peer) {
    start    = Now();
    good[1]  = Try(&theirs.status, [&]() { return CudssBegin(s, &cu, &theirs); }) && (theirs.status == "ok" || theirs.status == "inaccurate");
    spent[1] = Now() - start;
  }
  #endif
  for (PetscInt r = 0; r < o.rounds; r++) {
    for (int turn = 0; turn < 2; turn++) {
      const int who = (int)((r + turn) % 2);

      if (!good[who]) continue;
      start = Now();
      if (who == 0) good[0] = Try(&ours.status, [&]() { return PetlapRound(s, false, F, &ours); });
  #if defined(BENCH_CUDSS)
      if (who == 1) {
        const char *failed = CudssRound(&cu, false, &theirs);

        good[1] = !failed;
        if (failed) theirs.status = failed;
      }
  #endif
      spent[who] += Now() - start;
    }
  }
  #if defined(BENCH_CUDSS)
  CudssDestroy(&cu);
  #endif
  PetscCall(MatDestroy(&F));
  ours.medians();
  theirs.medians();
  rows->push_back(ours);
  if (peer)
    rows->push_back(theirs);
  else if (!o.peername.empty()) {
    theirs.status = "time";
    rows->push_back(theirs);
  }
  forecast->set("petlap " + key, c.n, 1e-3 * spent[0]);
  if (peer) forecast->set("peer " + key, c.n, 1e-3 * spent[1]);
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "# %5.0f s: %s, %d, petlap %s + %s ms", Elapsed(o), key.c_str(), (int)c.n, Cell(ours.factor, 0).c_str(), Cell(ours.solve, 0).c_str()));
  if (peer) PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", cudss %s + %s ms", Cell(theirs.refactor, 0).c_str(), Cell(theirs.solve, 0).c_str()));
  if (ours.status != "ok") PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", petlap: %s", ours.status.c_str()));
  if (peer && theirs.status != "ok") PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", cudss: %s", theirs.status.c_str()));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The table of levels where petlap makes one, by a factorization of its own, since measuring levels delays them */
static PetscErrorCode Profile(const System &s, const char what[])
{
  Mat         F = nullptr;
  std::string text, status = "ok";

  PetscFunctionBegin;
  PetscCall(PetscOptionsSetValue(nullptr, "-mat_schwarzschur_cuda_profile", "1"));
  Try(&status, [&]() {
    PetscFunctionBegin;
    PetscCall(PetlapCreate(s, false, false, &F));
    PetscCall(Symbolic(s, false, F));
    PetscCall(Numeric(s, false, F));
    PetscCall(Numeric(s, false, F));
    PetscCall(PetlapView(F, PETSC_TRUE, &text));
    PetscFunctionReturn(PETSC_SUCCESS);
  });
  PetscCall(PetscOptionsClearValue(nullptr, "-mat_schwarzschur_cuda_profile"));
  PetscCall(MatDestroy(&F));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n%s, lu, double%s%s\n%s\n", what, status == "ok" ? "" : ": ", status == "ok" ? "" : status.c_str(), text.c_str()));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Run(Options &o, const std::string &devicename)
{
  char             csv[PETSC_MAX_PATH_LEN] = "", *families[BENCH_MAX_LIST], *precisions[BENCH_MAX_LIST];
  PetscInt         nfamilies, nprecisions, nsizes, sizes[BENCH_MAX_LIST], nprofiles, profiles[BENCH_MAX_LIST];
  PetscBool        set, given;
  bool             ondevice = false;
  FILE            *file     = nullptr;
  Forecast         forecast;
  std::vector<Row> rows;
  double           available = 0, most = 0;

  PetscFunctionBegin;
  /* tests/bench/gpu ends a program that takes longer than this, and its tables would be lost */
  o.seconds = std::getenv("BENCH_TIMEOUT") ? 0.85 * std::atof(std::getenv("BENCH_TIMEOUT")) : 150.0;
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "schwarzschur on a device", nullptr);
  PetscCall(PetscOptionsInt("-bench_rounds", "Runs of each solver, in turns", "", o.rounds, &o.rounds, nullptr));
  PetscCall(PetscOptionsReal("-bench_seconds", "Nothing starts that is not expected to end within these", "", o.seconds, &o.seconds, nullptr));
  PetscCall(PetscOptionsInt("-bench_gemm", "Order of the matrices of cuBLAS's product that the factorizations are compared with, 0 leaves it out", "", o.gemm, &o.gemm, nullptr));
  PetscCall(PetscOptionsBool("-bench_peer", "cuDSS too, where there is one", "", o.peer, &o.peer, nullptr));
  PetscCall(PetscOptionsString("-bench_csv", "File for all numbers, or a folder for gpu_schwarzschur.csv", "", csv, csv, sizeof(csv), &set));
  PetscOptionsEnd();
  #if defined(BENCH_EMULATED)
  const char defaults[] = "17,33";
  #else
  const char defaults[] = "257,513,1025,2049,2561,4097";
  #endif
  PetscCall(BenchIntList("-bench_n", "Points in each direction, small ones first", defaults, &nsizes, sizes));
  PetscCall(BenchIntList("-bench_profile", "Sizes whose levels are shown", "1025,2561", &nprofiles, profiles));
  PetscCall(BenchStringList("-bench_families", BenchFamilyNames, "aniso9,lap5,udeconv,hel1", &nfamilies, families));
  PetscCall(BenchStringList("-bench_precisions", "double, single", "double,single", &nprecisions, precisions));
  PetscCall(PetscOptionsHasName(nullptr, nullptr, "-mat_schwarzschur_constant", &given));
  /* A user's matrix that lies on the device is not looked at for equal boxes either */
  if (!given) PetscCall(PetscOptionsSetValue(nullptr, "-mat_schwarzschur_constant", "no"));
  /* An older petlap does not know all options that are set here */
  PetscCall(PetscOptionsSetValue(nullptr, "-options_left", "no"));

  #if defined(BENCH_CUDA)
  ondevice = PetscDefined(HAVE_CUDA);
  #endif
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "device: %s\n", devicename.c_str()));
  PetscCall(BenchPrintPETSc(PETSC_COMM_WORLD));
  #if defined(BENCH_CUDA)
  {
    int driver = 0, runtime = 0;

    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "CUDA runtime %d.%d, driver for %d.%d\n", runtime / 1000, runtime % 1000 / 10, driver / 1000, driver % 1000 / 10));
  }
  #endif
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s\n", ondevice ? "matrices and vectors lie on the device" : "this PETSc has no CUDA: matrices and vectors lie on the host, and every time has their way to the device in it"));
  #if defined(BENCH_CUDSS)
  if (o.peer) {
    const char *failed = CudssInitialize(&o.peername);

    if (failed) {
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "cuDSS: %s\n", failed));
      o.peername.clear();
    }
  }
  #endif
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "peer: %s\n", !o.peername.empty() ? o.peername.c_str() : "none (configure with CUDSS_DIR for cuDSS)"));
  o.gemms[0] = GemmRate<double>((int)o.gemm);
  o.gemms[1] = GemmRate<float>((int)o.gemm);
  if (o.gemms[0] > 0) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "gemm of cuBLAS, order %d: double %.0f, single %.0f Gflop/s\n", (int)o.gemm, o.gemms[0], o.gemms[1]));
  if (set) {
    struct stat status;
    std::string name = csv;

    if (!stat(csv, &status) && S_ISDIR(status.st_mode)) name += "/gpu_schwarzschur.csv";
    file = std::fopen(name.c_str(), "w");
    PetscCheck(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "Cannot write %s", name.c_str());
    std::fprintf(file, "# %s\n", devicename.c_str());
    std::fprintf(file, "family,n,solver,factors,precision,status,source,rounds,rows,nnz,analysis_ms,first_ms,factor_ms,refactor_ms,solve_ms,total_ms,refined_ms,error,refined_error,memory_MB,device_MB,flops,GFs,gemm_GFs\n");
  }

  for (PetscInt i = 0; i < nsizes; i++) {
    const PetscInt n = sizes[i];
    /* Peers of small sizes leave time for those of large ones */
    const double share = i + 1 < nsizes ? o.seconds * (i + 1) / (nsizes + 0.5) : o.seconds;

    /* Memory is foreseen too, as a device may end a program that wants too much */
    (void)DeviceUsed(&available);
    if (available > 0 && i > 0 && most * std::pow((double)n / sizes[i - 1], 2.2) > 0.8 * available) {
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "# %d is left out: too little memory on the device\n", (int)n));
      break;
    }
    for (PetscInt k = 0; k < nfamilies; k++) {
      const std::string name = families[k];
      System            s;
      std::string       status;
      double            start = Elapsed(o);

      if (start + forecast("matrix " + name, n) + forecast("petlap " + name + " lu double", n) > o.seconds) {
        PetscCall(PetscPrintf(PETSC_COMM_WORLD, "# %5.0f s: %s, %d is left out: no time\n", start, name.c_str(), (int)n));
        continue;
      }
      if (!Try(&status, [&]() { return SystemCreate(name.c_str(), n, ondevice, &s); })) {
        PetscCall(PetscPrintf(PETSC_COMM_WORLD, "# %s, %d: %s\n", name.c_str(), (int)n, status.c_str()));
        PetscCall(SystemDestroy(&s));
        continue;
      }
      forecast.set("matrix " + name, n, Elapsed(o) - start);
      for (PetscInt p = 0; p < nprecisions; p++) {
        for (int symmetric = 0; symmetric <= (s.family.symmetric ? 1 : 0); symmetric++) {
          const Case        c    = {name, n, symmetric == 1, !std::strcmp(precisions[p], "single")};
          const std::string key  = name + (c.symmetric ? " symmetric" : " lu") + (c.single ? " single" : " double");
          const double      ours = Elapsed(o) + forecast("petlap " + key, n);
          const size_t      old  = rows.size();

          if (ours > o.seconds) {
            PetscCall(PetscPrintf(PETSC_COMM_WORLD, "# %5.0f s: %s, %d is left out: no time\n", Elapsed(o), key.c_str(), (int)n));
          } else {
            PetscCall(Measure(o, s, c, !o.peername.empty() && ours + forecast("peer " + key, n) <= share, &forecast, &rows));
            for (size_t q = old; q < rows.size(); q++) most = PetscMax(most, PetscMax(rows[q].device, rows[q].memory));
          }
          AddPaper(c, &rows);
          for (size_t q = old; q < rows.size(); q++) WriteRow(file, rows[q]);
        }
      }
      for (PetscInt q = 0; k == 0 && q < nprofiles; q++) {
        if (profiles[q] == n && Elapsed(o) + forecast("petlap " + name + " lu double", n) <= o.seconds) PetscCall(Profile(s, (name + ", " + std::to_string(n)).c_str()));
      }
      PetscCall(SystemDestroy(&s));
    }
  }
  if (file) std::fclose(file);

  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\nMilliseconds by the clock, medians of %d rounds; behind the bar ratios over petlap.\n", (int)o.rounds));
  for (PetscInt k = 0; k < nfamilies; k++) {
    BenchFamily f;
    std::string status;

    if (Try(&status, [&]() { return BenchFamilyCreate(families[k], 17, 17, 17, nullptr, nullptr, &f); })) PetscCall(PrintTable(f, families[k], rows));
  }
  PetscCall(
    PetscPrintf(PETSC_COMM_WORLD,
                "\npaper: Wang et al., Schwarz-Schur Involution (ICML 2025), as printed there: factorization and solve (total), solve again (solve), on a device that it calls A6000 Ada 48GB, with a Xeon w9-3475X; paper:cudss is its column CUDA.\n"
                "aniso9: anisotropic, Neumann. lap5: Laplacian, Dirichlet. udeconv: R-Deconv. hel1: Hel 1.0. The matrices are of the same kind, not the same.\n"));
  PetscCall(BenchFreeList(nfamilies, families));
  PetscCall(BenchFreeList(nprecisions, precisions));
  #if defined(BENCH_CUDSS)
  if (cudss) (void)cudssDestroy(cudss);
  #endif
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  Options     o;
  std::string devicename;
  const char *missing = DeviceMissing(&devicename);

  if (missing) {
    std::printf("# SKIP %s\n", missing);
    return 77;
  }
  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  o.begun = Now();
  PetscCall(Run(o, devicename));
  PetscCall(PetscFinalize());
  return 0;
}

#endif
