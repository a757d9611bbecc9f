/*
  What the CUDA executor does with vectors besides solves and residuals.
*/
#include "mat/schwarzschur/factor_cuda_impl.h"

#include <exception>

namespace {

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

/* What is queued goes into the stream of this call, after what was queued before */
#define EnterStream(F)                              \
  do {                                              \
    const int entered_ = DeviceError((F)->Enter()); \
    if (entered_) return entered_;                  \
  } while (0)

int FactorCudaAdd(FactorCuda *F, double a, int nrhs, const void *d, void *x, ptrdiff_t ldx)
{
  EnterStream(F);
  return DeviceError(DeviceLaunch(AddOrFill, VectorGrid(F->n, nrhs), 256, 0, F->stream, F->n, a, (const Value *)d, (Value *)x, (long long)ldx));
}

int FactorCudaFill(FactorCuda *F, double a, int nrhs, void *x, ptrdiff_t ldx)
{
  EnterStream(F);
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
  EnterStream(F);
  const size_t width = (size_t)F->n * sizeof(Value);
  const int    error = DeviceError(cudaMemcpy2DAsync(device, width, host, (size_t)ld * sizeof(Value), width, (size_t)nrhs, cudaMemcpyHostToDevice, F->stream));

  return error ? error : DeviceError(cudaStreamSynchronize(F->stream));
}

int FactorCudaDownload(FactorCuda *F, int nrhs, const void *device, void *host, ptrdiff_t ld)
{
  EnterStream(F);
  const size_t width = (size_t)F->n * sizeof(Value);
  const int    error = DeviceError(cudaMemcpy2DAsync(host, (size_t)ld * sizeof(Value), device, width, width, (size_t)nrhs, cudaMemcpyDeviceToHost, F->stream));

  return error ? error : DeviceError(cudaStreamSynchronize(F->stream));
}

int FactorCudaSetScale(FactorCuda *F, int which, const double *host, PetscInt n)
{
  EnterStream(F);
  if (n != F->n) return DeviceError(cudaErrorInvalidValue);
  /* What is queued may read the scale that was there */
  const int error = DeviceError(cudaStreamSynchronize(F->stream));

  return error ? error : DeviceError(F->scale[which].Set(host, (size_t)n));
}

int FactorCudaApplyScale(FactorCuda *F, int which, int nrhs, const void *x, ptrdiff_t ldx, void *y, ptrdiff_t ldy)
{
  EnterStream(F);
  if (!F->scale[which].p) return DeviceError(cudaErrorInvalidValue);
  if (!nrhs) return 0;
  return DeviceError(DeviceLaunch(ApplyScale, VectorGrid(F->n, nrhs), 256, 0, F->stream, F->n, F->scale[which].p, (const Value *)x, (long long)ldx, (Value *)y, (long long)ldy));
}

int FactorCudaUploadBasis(FactorCuda *F, int which, int k, const void *host, void **device)
{
  EnterStream(F);
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
  EnterStream(F);
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
  EnterStream(F);
  if (!k || !nrhs) return 0;
  return DeviceError(SubtractProduct(F, k, (const Value *)basis, nrhs, (const Value *)coefficients, (Value *)x, ldx));
}
