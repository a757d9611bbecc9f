/*
  Residuals: products of the matrix or its transpose with one vector or several by cuSPARSE, and norms.

  The transpose is stored as rows of its own, made when it is first asked for: cuSPARSE adds in an order that changes from call to call when it
  transposes by itself.
*/
#include "mat/schwarzschur/factor_cuda_impl.h"

#include <cusparse.h>

#include <cmath>
#include <exception>
#include <memory>

/* cuSPARSE is opened when the first residual needs it: loading it takes longer than many programs run */
struct CudaSparse {
  decltype(&cusparseCreate)          create;
  decltype(&cusparseDestroy)         destroy;
  decltype(&cusparseSetStream)       setstream;
  decltype(&cusparseCreateCsr)       createcsr;
  decltype(&cusparseDestroySpMat)    destroymat;
  decltype(&cusparseCreateDnVec)     createvec;
  decltype(&cusparseDestroyDnVec)    destroyvec;
  decltype(&cusparseCreateDnMat)     createdense;
  decltype(&cusparseDestroyDnMat)    destroydense;
  decltype(&cusparseSpMV_bufferSize) mvsize;
  decltype(&cusparseSpMV)            mv;
  decltype(&cusparseSpMM_bufferSize) mmsize;
  decltype(&cusparseSpMM)            mm;

  cusparseHandle_t      handle    = nullptr;
  cusparseSpMatDescr_t  matrix[2] = {nullptr, nullptr}; /* A and its transpose */
  DeviceArray<PetscInt> tia, tja, torder;               /* rows of the transpose, and which entries of A they take */
  DeviceArray<Value>    taa;
  DeviceArray<char>     buffer;

  cudaError_t Open(void);
  ~CudaSparse()
  {
    for (cusparseSpMatDescr_t m : matrix) {
      if (m) (void)destroymat(m);
    }
    if (handle) (void)destroy(handle);
    tia.Free();
    tja.Free();
    torder.Free();
    taa.Free();
    buffer.Free();
  }
};

void CudaSparseDestroy(CudaSparse *sparse)
{
  delete sparse;
}

size_t CudaSparseMemory(const CudaSparse *sparse)
{
  return (sparse->tia.n + sparse->tja.n + sparse->torder.n) * sizeof(PetscInt) + sparse->taa.n * sizeof(Value) + sparse->buffer.n;
}

#define SparseCall(...)                                                    \
  do {                                                                     \
    if ((__VA_ARGS__) != CUSPARSE_STATUS_SUCCESS) return cudaErrorUnknown; \
  } while (0)

cudaError_t CudaSparse::Open(void)
{
#if defined(PETLAP_CUDA_EMULATED)
  create       = cusparseCreate;
  destroy      = cusparseDestroy;
  setstream    = cusparseSetStream;
  createcsr    = cusparseCreateCsr;
  destroymat   = cusparseDestroySpMat;
  createvec    = cusparseCreateDnVec;
  destroyvec   = cusparseDestroyDnVec;
  createdense  = cusparseCreateDnMat;
  destroydense = cusparseDestroyDnMat;
  mvsize       = cusparseSpMV_bufferSize;
  mv           = cusparseSpMV;
  mmsize       = cusparseSpMM_bufferSize;
  mm           = cusparseSpMM;
#else
  DeviceCall(DeviceOpen("libcusparse.so", CUSPARSE_VER_MAJOR,
                        {{"cusparseCreate", (void **)&create},
                         {"cusparseDestroy", (void **)&destroy},
                         {"cusparseSetStream", (void **)&setstream},
                         {"cusparseCreateCsr", (void **)&createcsr},
                         {"cusparseDestroySpMat", (void **)&destroymat},
                         {"cusparseCreateDnVec", (void **)&createvec},
                         {"cusparseDestroyDnVec", (void **)&destroyvec},
                         {"cusparseCreateDnMat", (void **)&createdense},
                         {"cusparseDestroyDnMat", (void **)&destroydense},
                         {"cusparseSpMV_bufferSize", (void **)&mvsize},
                         {"cusparseSpMV", (void **)&mv},
                         {"cusparseSpMM_bufferSize", (void **)&mmsize},
                         {"cusparseSpMM", (void **)&mm}}));
#endif
  SparseCall(create(&handle));
  return cudaSuccess;
}

namespace {

const cudaDataType SCALAR = sizeof(Value) == sizeof(double) ? CUDA_R_64F : CUDA_C_64F;

__global__ static void Permute(PetscInt n, const PetscInt *order, const Value *from, Value *to)
{
  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) to[i] = from[order[i]];
}

/* The largest moduli of r, x and b (in that order, as bits) of each column */
__global__ static void Norms(PetscInt n, const Value *r, const Value *x, long long ldx, const Value *b, long long ldb, unsigned long long *norms)
{
  double   *scratch = DeviceShared<double>(), most[3] = {0, 0, 0};
  const int q = (int)blockIdx.z;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) {
    double v[3] = {Modulus(r[i + (long long)q * n]), Modulus(x[i + q * ldx]), Modulus(b[i + q * ldb])};

    DEVICE_UNROLL
    for (int k = 0; k < 3; k++) {
      /* What is no number counts as infinite */
      if (!(v[k] <= DBL_MAX)) v[k] = HUGE_VAL;
      if (v[k] > most[k]) most[k] = v[k];
    }
  }
  DEVICE_UNROLL
  for (int k = 0; k < 3; k++) {
    const double v = BlockMax(most[k], scratch);

    if (!threadIdx.x) atomicMax(&norms[3 * q + k], Bits(v));
  }
}

/* A matrix for cuSPARSE, which reads its arrays in each product */
cudaError_t Describe(const FactorCuda *F, const PetscInt *ia, const PetscInt *ja, const Value *aa, cusparseSpMatDescr_t *matrix)
{
  const cusparseIndexType_t index = sizeof(PetscInt) == 4 ? CUSPARSE_INDEX_32I : CUSPARSE_INDEX_64I;

  SparseCall(F->sparse->createcsr(matrix, F->n, F->n, F->nnz, (void *)ia, (void *)ja, (void *)aa, index, index, CUSPARSE_INDEX_BASE_ZERO, SCALAR));
  return cudaSuccess;
}

/* Rows of the transpose, each of which takes up its entries in the same order each time */
cudaError_t BuildTranspose(FactorCuda *F)
{
  CudaSparse           *S = F->sparse;
  const size_t          n = (size_t)F->n;
  std::vector<PetscInt> tia(n + 1, 0), tja((size_t)F->nnz), order((size_t)F->nnz), at;

  for (PetscInt j : F->ja) tia[(size_t)j + 1]++;
  for (size_t i = 0; i < n; i++) tia[i + 1] += tia[i];
  at = tia;
  for (size_t i = 0; i < n; i++) {
    for (PetscInt k = F->ia[i]; k < F->ia[i + 1]; k++) {
      const size_t to = (size_t)at[(size_t)F->ja[(size_t)k]]++;

      tja[to]   = (PetscInt)i;
      order[to] = k;
    }
  }
  DeviceCall(S->tia.Set(tia.data(), tia.size()));
  DeviceCall(S->tja.Set(tja.data(), tja.size()));
  DeviceCall(S->torder.Set(order.data(), order.size()));
  DeviceCall(S->taa.Resize((size_t)F->nnz));
  return Describe(F, S->tia.p, S->tja.p, S->taa.p, &S->matrix[1]);
}

/* What products with A or its transpose need */
cudaError_t Prepare(FactorCuda *F, bool trans)
{
  if (!F->sparse) {
    std::unique_ptr<CudaSparse> made(new CudaSparse());

    DeviceCall(made->Open());
    F->sparse = made.release();
  }
  if (!F->sparse->matrix[0]) DeviceCall(Describe(F, F->dia.p, F->dja.p, F->daa.p, &F->sparse->matrix[0]));
  if (!trans) return cudaSuccess;
  if (!F->sparse->matrix[1]) DeviceCall(BuildTranspose(F));
  if (!F->transposed) DeviceCall(DeviceLaunch(Permute, VectorGrid(F->nnz, 1), 256, 0, F->stream, F->nnz, F->sparse->torder.p, F->daa.p, F->sparse->taa.p));
  F->transposed = true;
  return cudaSuccess;
}

/* Vectors for cuSPARSE while a product with them is queued */
struct Operands {
  const CudaSparse    *S;
  cusparseDnVecDescr_t x = nullptr, r = nullptr;
  cusparseDnMatDescr_t xs = nullptr, rs = nullptr;

  explicit Operands(const CudaSparse *sparse) : S(sparse) {}
  Operands(const Operands &)            = delete;
  Operands &operator=(const Operands &) = delete;
  ~Operands()
  {
    if (x) (void)S->destroyvec(x);
    if (r) (void)S->destroyvec(r);
    if (xs) (void)S->destroydense(xs);
    if (rs) (void)S->destroydense(rs);
  }
};

/* r -= A x, in an order of the additions that is the same each time */
cudaError_t SubtractProduct(FactorCuda *F, bool trans, int nrhs, const Value *x, ptrdiff_t ldx, Value *r)
{
  CudaSparse                *S  = F->sparse;
  const cusparseOperation_t  no = CUSPARSE_OPERATION_NON_TRANSPOSE;
  const cusparseSpMatDescr_t A  = S->matrix[trans];
  const Value                alpha(-1), beta(1);
  size_t                     bytes = 0;
  Operands                   v(S);

  SparseCall(S->setstream(S->handle, F->stream));
  if (nrhs == 1) {
    SparseCall(S->createvec(&v.x, F->n, (void *)x, SCALAR));
    SparseCall(S->createvec(&v.r, F->n, r, SCALAR));
    SparseCall(S->mvsize(S->handle, no, &alpha, A, v.x, &beta, v.r, SCALAR, CUSPARSE_SPMV_CSR_ALG2, &bytes));
    DeviceCall(S->buffer.Resize(bytes));
    SparseCall(S->mv(S->handle, no, &alpha, A, v.x, &beta, v.r, SCALAR, CUSPARSE_SPMV_CSR_ALG2, S->buffer.p));
  } else {
    SparseCall(S->createdense(&v.xs, F->n, nrhs, ldx, (void *)x, SCALAR, CUSPARSE_ORDER_COL));
    SparseCall(S->createdense(&v.rs, F->n, nrhs, F->n, r, SCALAR, CUSPARSE_ORDER_COL));
    SparseCall(S->mmsize(S->handle, no, no, &alpha, A, v.xs, &beta, v.rs, SCALAR, CUSPARSE_SPMM_CSR_ALG3, &bytes));
    DeviceCall(S->buffer.Resize(bytes));
    SparseCall(S->mm(S->handle, no, no, &alpha, A, v.xs, &beta, v.rs, SCALAR, CUSPARSE_SPMM_CSR_ALG3, S->buffer.p));
  }
  return cudaSuccess;
}

cudaError_t Residuals(FactorCuda *F, bool trans, int nrhs, const Value *b, ptrdiff_t ldb, const Value *x, ptrdiff_t ldx, Value *r)
{
  const size_t width = (size_t)F->n * sizeof(Value);

  if (nrhs < 1 || nrhs > FACTOR_CUDA_COLUMNS) return cudaErrorInvalidValue;
  DeviceCall(F->Enter());
  try {
    DeviceCall(Prepare(F, trans));
  } catch (const std::exception &) {
    return cudaErrorMemoryAllocation;
  }
  DeviceCall(cudaMemcpy2DAsync(r, width, b, (size_t)ldb * sizeof(Value), width, (size_t)nrhs, cudaMemcpyDeviceToDevice, F->stream));
  DeviceCall(SubtractProduct(F, trans, nrhs, x, ldx, r));
  DeviceCall(cudaMemsetAsync(F->dnorms.p, 0, (size_t)(3 * nrhs) * sizeof(unsigned long long), F->stream));
  DeviceCall(DeviceLaunch(Norms, VectorGrid(F->n, nrhs), 256, 256 * sizeof(double), F->stream, F->n, r, x, (long long)ldx, b, (long long)ldb, F->dnorms.p));
  DeviceCall(cudaMemcpyAsync(F->norms, F->dnorms.p, (size_t)(3 * nrhs) * sizeof(unsigned long long), cudaMemcpyDeviceToHost, F->stream));
  return cudaStreamSynchronize(F->stream);
}

} // namespace

int FactorCudaResidual(FactorCuda *F, FactorTranspose trans, int nrhs, const void *b, ptrdiff_t ldb, const void *x, ptrdiff_t ldx, void *r, double *error)
{
  const int failed = DeviceError(Residuals(F, trans == FACTOR_TRANS, nrhs, (const Value *)b, ldb, (const Value *)x, ldx, (Value *)r));

  *error = 0;
  for (int q = 0; q < nrhs && !failed; q++) {
    const double nr = FromBits(F->norms[3 * q]), nx = FromBits(F->norms[3 * q + 1]), nb = FromBits(F->norms[3 * q + 2]), e = FactorBackwardError(F->norm, nr, nx, nb);

    if (!(e <= *error)) *error = e <= DBL_MAX ? e : DBL_MAX;
  }
  return failed;
}
