/*
  Products with the matrix, and what is done with vectors besides solves.
*/
#include "mat/schwarzschur/factor_cuda_impl.h"

#include <exception>

namespace {

/* r = b - A x, and the largest moduli of r, x and b (in that order, as bits) of each column. order: entries by row of A^T, or null for A's own. */
__global__ static void Residual(PetscInt n, const PetscInt *ia, const PetscInt *ja, const PetscInt *order, const Value *aa, const Value *b, long long ldb, const Value *x, long long ldx, Value *r, unsigned long long *norms)
{
  double   *scratch = DeviceShared<double>(), most[3] = {0, 0, 0};
  const int q = (int)blockIdx.z;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) {
    const Value bi = b[i + q * ldb];
    Value       s  = bi;
    double      v[3];

    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) s -= aa[order ? order[k] : k] * x[ja[k] + q * ldx];
    r[i + (long long)q * n] = s;
    v[0]                    = Modulus(s);
    v[1]                    = Modulus(x[i + q * ldx]);
    v[2]                    = Modulus(bi);
    for (int k = 0; k < 3; k++) {
      /* What is no number counts as infinite */
      if (!(v[k] <= DBL_MAX)) v[k] = HUGE_VAL;
      if (v[k] > most[k]) most[k] = v[k];
    }
  }
  for (int k = 0; k < 3; k++) {
    const double v = BlockMax(most[k], scratch);

    if (!threadIdx.x) atomicMax(&norms[3 * q + k], Bits(v));
  }
}

/* x += a d where there is d, else x = a */
__global__ static void AddOrFill(PetscInt n, double a, const Value *d, Value *x, long long ldx)
{
  const int q = (int)blockIdx.z;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) {
    if (d)
      x[i + q * ldx] += Value(a) * d[i + (long long)q * n];
    else
      x[i + q * ldx] = Value(a);
  }
}

/* y = D x, which may be the same */
__global__ static void ApplyScale(PetscInt n, const double *d, const Value *x, long long ldx, Value *y, long long ldy)
{
  const int q = (int)blockIdx.z;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) y[i + q * ldy] = Value(d[i]) * x[i + q * ldx];
}

/* Sums of conj(basis) x, one for each block in x, column of the basis (y) and column of x (z): with a fixed order of the additions, unlike atomic ones */
__global__ static void Dots(PetscInt n, const Value *basis, const Value *x, long long ldx, Value *partial)
{
  const int    tid = (int)threadIdx.x;
  const Value *c = basis + (long long)blockIdx.y * n, *z = x + blockIdx.z * ldx;
  Value       *scratch = DeviceShared<Value>(), s = Value(0);

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + tid; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) s += Conjugate(c[i], true) * z[i];
  scratch[tid] = s;
  __syncthreads();
  for (int half = (int)blockDim.x / 2; half > 0; half /= 2) {
    if (tid < half) scratch[tid] += scratch[tid + half];
    __syncthreads();
  }
  if (!tid) partial[blockIdx.x + gridDim.x * (blockIdx.y + (size_t)gridDim.y * blockIdx.z)] = scratch[0];
}

/* x -= basis coefficients */
__global__ static void Subtract(PetscInt n, int k, const Value *basis, const Value *coefficients, Value *x, long long ldx)
{
  const int    q = (int)blockIdx.z;
  const Value *a = coefficients + (long long)q * k;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) {
    Value s = x[i + q * ldx];

    for (int e = 0; e < k; e++) s -= basis[i + (long long)e * n] * a[e];
    x[i + q * ldx] = s;
  }
}
} // namespace

/* Rows of the transpose, each of which takes up its entries in the same order each time */
static cudaError_t BuildTranspose(FactorCuda *F)
{
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
  DeviceCall(F->tia.Set(tia.data(), tia.size()));
  DeviceCall(F->tja.Set(tja.data(), tja.size()));
  return F->torder.Set(order.data(), order.size());
}

static cudaError_t Residuals(FactorCuda *F, bool trans, int nrhs, const Value *b, ptrdiff_t ldb, const Value *x, ptrdiff_t ldx, Value *r)
{
  if (trans && !F->tia.p) {
    try {
      DeviceCall(BuildTranspose(F));
    } catch (const std::exception &) {
      return cudaErrorMemoryAllocation;
    }
  }
  DeviceCall(cudaMemsetAsync(F->dnorms.p, 0, (size_t)(3 * nrhs) * sizeof(unsigned long long), F->stream));
  DeviceCall(DeviceLaunch(Residual, VectorGrid(F->n, nrhs), 256, 256 * sizeof(double), F->stream, F->n, trans ? F->tia.p : F->dia.p, trans ? F->tja.p : F->dja.p, trans ? F->torder.p : (PetscInt *)nullptr, F->daa.p, b, (long long)ldb, x,
                          (long long)ldx, r, F->dnorms.p));
  DeviceCall(cudaMemcpyAsync(F->norms, F->dnorms.p, (size_t)(3 * nrhs) * sizeof(unsigned long long), cudaMemcpyDeviceToHost, F->stream));
  return cudaStreamSynchronize(F->stream);
}

int FactorCudaResidual(FactorCuda *F, FactorTranspose trans, int nrhs, const void *b, ptrdiff_t ldb, const void *x, ptrdiff_t ldx, void *r, double *error)
{
  const int failed = nrhs > 32 ? DeviceError(cudaErrorInvalidValue) : DeviceError(Residuals(F, trans == FACTOR_TRANS, nrhs, (const Value *)b, ldb, (const Value *)x, ldx, (Value *)r));

  *error = 0;
  for (int q = 0; q < nrhs && !failed; q++) {
    const double nr = FromBits(F->norms[3 * q]), nx = FromBits(F->norms[3 * q + 1]), nb = FromBits(F->norms[3 * q + 2]), e = nr == 0 ? 0 : nr / (F->norm * nx + nb);

    if (!(e <= *error)) *error = e <= DBL_MAX ? e : DBL_MAX;
  }
  return failed;
}

int FactorCudaAdd(FactorCuda *F, double a, int nrhs, const void *d, void *x, ptrdiff_t ldx)
{
  return DeviceError(DeviceLaunch(AddOrFill, VectorGrid(F->n, nrhs), 256, 0, F->stream, F->n, a, (const Value *)d, (Value *)x, (long long)ldx));
}

int FactorCudaFill(FactorCuda *F, double a, int nrhs, void *x, ptrdiff_t ldx)
{
  return DeviceError(DeviceLaunch(AddOrFill, VectorGrid(F->n, nrhs), 256, 0, F->stream, F->n, a, (const Value *)nullptr, (Value *)x, (long long)ldx));
}

int FactorCudaVector(FactorCuda *F, int which, int nrhs, void **v)
{
  const int error = DeviceError(F->vector[which].Resize((size_t)F->n * (size_t)nrhs));

  *v = F->vector[which].p;
  return error;
}

int FactorCudaUpload(FactorCuda *F, int nrhs, const void *host, ptrdiff_t ld, void *device)
{
  const size_t width = (size_t)F->n * sizeof(Value);
  const int    error = DeviceError(cudaMemcpy2DAsync(device, width, host, (size_t)ld * sizeof(Value), width, (size_t)nrhs, cudaMemcpyHostToDevice, F->stream));

  return error ? error : DeviceError(cudaStreamSynchronize(F->stream));
}

int FactorCudaDownload(FactorCuda *F, int nrhs, const void *device, void *host, ptrdiff_t ld)
{
  const size_t width = (size_t)F->n * sizeof(Value);
  const int    error = DeviceError(cudaMemcpy2DAsync(host, (size_t)ld * sizeof(Value), device, width, width, (size_t)nrhs, cudaMemcpyDeviceToHost, F->stream));

  return error ? error : DeviceError(cudaStreamSynchronize(F->stream));
}

int FactorCudaSetScale(FactorCuda *F, int which, const double *host, PetscInt n)
{
  if (n != F->n) return DeviceError(cudaErrorInvalidValue);
  /* What is queued may read the scale that was there */
  const int error = DeviceError(cudaStreamSynchronize(F->stream));

  return error ? error : DeviceError(F->scale[which].Set(host, (size_t)n));
}

int FactorCudaApplyScale(FactorCuda *F, int which, int nrhs, const void *x, ptrdiff_t ldx, void *y, ptrdiff_t ldy)
{
  if (!F->scale[which].p) return DeviceError(cudaErrorInvalidValue);
  if (!nrhs) return 0;
  return DeviceError(DeviceLaunch(ApplyScale, VectorGrid(F->n, nrhs), 256, 0, F->stream, F->n, F->scale[which].p, (const Value *)x, (long long)ldx, (Value *)y, (long long)ldy));
}

int FactorCudaUploadBasis(FactorCuda *F, int which, int k, const void *host, void **device)
{
  int error = DeviceError(cudaStreamSynchronize(F->stream));

  if (!error) error = DeviceError(F->basis[which].Set((const Value *)host, (size_t)F->n * (size_t)k));
  *device = F->basis[which].p;
  return error;
}

static cudaError_t PartialDots(FactorCuda *F, int k, const Value *basis, int nrhs, const Value *x, ptrdiff_t ldx, int blocks, std::vector<Value> &sums)
{
  DeviceCall(F->small.Resize(sums.size()));
  DeviceCall(DeviceLaunch(Dots, dim3((unsigned int)blocks, (unsigned int)k, (unsigned int)nrhs), 256, 256 * sizeof(Value), F->stream, F->n, basis, x, (long long)ldx, F->small.p));
  DeviceCall(cudaMemcpyAsync(sums.data(), F->small.p, sums.size() * sizeof(Value), cudaMemcpyDeviceToHost, F->stream));
  return cudaStreamSynchronize(F->stream);
}

int FactorCudaDots(FactorCuda *F, int k, const void *basis, int nrhs, const void *x, ptrdiff_t ldx, void *out)
{
  const int blocks = (int)std::min<PetscInt>(128, (F->n + 2047) / 2048);
  Value    *to     = (Value *)out;

  if (!k || !nrhs) return 0;
  try {
    std::vector<Value> sums((size_t)blocks * (size_t)k * (size_t)nrhs);
    const int          error = DeviceError(PartialDots(F, k, (const Value *)basis, nrhs, (const Value *)x, ldx, blocks, sums));

    for (size_t e = 0; e < (size_t)k * (size_t)nrhs && !error; e++) {
      to[e] = Value(0);
      for (int b = 0; b < blocks; b++) to[e] += sums[(size_t)b + (size_t)blocks * e];
    }
    return error;
  } catch (const std::exception &) {
    return DeviceError(cudaErrorMemoryAllocation);
  }
}

static cudaError_t SubtractProduct(FactorCuda *F, int k, const Value *basis, int nrhs, const Value *coefficients, Value *x, ptrdiff_t ldx)
{
  const size_t size = (size_t)k * (size_t)nrhs;

  DeviceCall(F->small.Resize(size));
  DeviceCall(cudaMemcpyAsync(F->small.p, coefficients, size * sizeof(Value), cudaMemcpyHostToDevice, F->stream));
  DeviceCall(DeviceLaunch(Subtract, VectorGrid(F->n, nrhs), 256, 0, F->stream, F->n, k, basis, F->small.p, x, (long long)ldx));
  /* The coefficients are the caller's again afterwards */
  return cudaStreamSynchronize(F->stream);
}

int FactorCudaSubtract(FactorCuda *F, int k, const void *basis, int nrhs, const void *coefficients, void *x, ptrdiff_t ldx)
{
  if (!k || !nrhs) return 0;
  return DeviceError(SubtractProduct(F, k, (const Value *)basis, nrhs, (const Value *)coefficients, (Value *)x, ldx));
}
