#include "mat/schwarzschur/factor_cuda_impl.h"
#include "mat/schwarzschur/factor_cuda_kernels.h"

#include <exception>
#include <memory>
namespace {

cudaError_t OpenBlas(CudaBlas *blas)
{
#if defined(PETLAP_CUDA_EMULATED)
  *blas = {cublasCreate_v2, cublasDestroy_v2, cublasSetStream_v2, cublasSetWorkspace_v2, cublasSgemmStridedBatched, cublasDgemmStridedBatched, cublasCgemmStridedBatched, cublasZgemmStridedBatched};
#else
  DeviceCall(DeviceOpen("libcublas.so", CUBLAS_VER_MAJOR,
                        {{"cublasCreate_v2", (void **)&blas->create},
                         {"cublasDestroy_v2", (void **)&blas->destroy},
                         {"cublasSetStream_v2", (void **)&blas->setstream},
                         {"cublasSetWorkspace_v2", (void **)&blas->setworkspace},
                         {"cublasSgemmStridedBatched", (void **)&blas->sgemm},
                         {"cublasDgemmStridedBatched", (void **)&blas->dgemm},
                         {"cublasCgemmStridedBatched", (void **)&blas->cgemm},
                         {"cublasZgemmStridedBatched", (void **)&blas->zgemm}}));
#endif
  return cudaSuccess;
}

/* C = alpha A B + beta C for a batch of matrices */
#define DefineGemm(T, S, name)                                                                                                                                                                                                    \
  cudaError_t Gemm(const CudaBlas *blas, cublasHandle_t h, int m, int n, int k, T alpha, const T *A, int lda, long long sa, const T *B, int ldb, long long sb, T beta, T *C, int ldc, long long sc, int batch)                    \
  {                                                                                                                                                                                                                               \
    if (!m || !n || !batch) return cudaSuccess;                                                                                                                                                                                   \
    return blas->name(h, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, (const S *)&alpha, (const S *)A, lda, sa, (const S *)B, ldb, sb, (const S *)&beta, (S *)C, ldc, sc, batch) == CUBLAS_STATUS_SUCCESS ? cudaSuccess : cudaErrorUnknown; \
  }
#if defined(PETSC_USE_COMPLEX)
DefineGemm(DeviceComplex<float>, cuComplex, cgemm) DefineGemm(DeviceComplex<double>, cuDoubleComplex, zgemm)
#else
DefineGemm(float, float, sgemm) DefineGemm(double, double, dgemm)
#endif

} // namespace

namespace {

/* ---- The matrix by itself ---- */

__global__ static void ClearParameters(CudaParameters *p)
{
  p->tiny = p->replacement = 0;
  p->norm = p->largest = 0;
  p->ratio             = Bits(1.0);
  p->nonfinite = p->failed = 0;
  p->replaced              = 0;
}

__global__ static void MatrixNorms(PetscInt n, const PetscInt *ia, const Value *aa, CudaParameters *p)
{
  double *scratch = DeviceShared<double>(), norm = 0, largest = 0;
  bool    nonfinite = false;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) {
    double sum = 0;

    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) {
      const double v = Modulus(aa[k]);

      sum += v;
      if (v > largest) largest = v;
    }
    if (!(sum <= DBL_MAX))
      nonfinite = true;
    else if (sum > norm)
      norm = sum;
  }
  if (nonfinite) atomicMax(&p->nonfinite, 1);
  norm    = BlockMax(norm, scratch);
  largest = BlockMax(largest, scratch);
  if (!threadIdx.x) {
    atomicMax(&p->norm, Bits(norm));
    atomicMax(&p->largest, Bits(largest));
  }
}

__global__ static void SetPivotLimits(CudaParameters *p, bool single)
{
  const double largest = FromBits(p->largest);

  p->tiny        = (single ? 1e-30 : 1e-40) * largest;
  p->replacement = sqrt(single ? (double)FLT_EPSILON : DBL_EPSILON) * largest;
  if (p->tiny == 0) p->tiny = single ? FLT_MIN : DBL_MIN;
}

/* Rows without their gaps; full is zero beforehand */
__global__ static void FillGaps(PetscInt n, const PetscInt *ia, const PetscInt *ja, const unsigned short *slot, const PetscInt *start, int dof, const Value *aa, Value *full)
{
  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) {
    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) {
      if (slot[k] != (unsigned short)-1) full[start[i] + (PetscInt)slot[k] * dof + ja[k] % dof] = aa[k];
    }
  }
}
template <class T>
__global__ static void CopyIn(PetscInt n, const Value *b, long long ldb, T *x, bool conj)
{
  const int q = (int)blockIdx.z;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) x[i + (long long)q * n] = Caster<T>::From(Conjugate(b[i + q * ldb], conj));
}
template <class T>
__global__ static void CopyOut(PetscInt n, const T *x, Value *to, long long ldx, bool conj)
{
  const int q = (int)blockIdx.z;

  for (PetscInt i = (PetscInt)blockIdx.x * (PetscInt)blockDim.x + (PetscInt)threadIdx.x; i < n; i += (PetscInt)gridDim.x * (PetscInt)blockDim.x) to[i + q * ldx] = Conjugate(Widen(x[i + (long long)q * n]), conj);
}
template <class T>
struct Executor : FactorCuda {
  DeviceArray<T> factor, D, v, s, x, zs[NSTREAM], ys[NSTREAM], ps[NSTREAM], rs[NSTREAM], cs[NSTREAM];

  ~Executor() override
  {
    factor.Free();
    D.Free();
    v.Free();
    s.Free();
    x.Free();
    for (int k = 0; k < NSTREAM; k++) {
      zs[k].Free();
      ys[k].Free();
      ps[k].Free();
      rs[k].Free();
      cs[k].Free();
    }
  }
  double Passing(void) const override
  {
    double bytes = (double)(D.n * sizeof(T));

    for (int k = 0; k < NSTREAM; k++) bytes += (double)((zs[k].n + ys[k].n + ps[k].n + rs[k].n + cs[k].n) * sizeof(T) + drange[k].n * sizeof(double2) + workspace[k].n);
    return bytes;
  }
  double Vectors(void) const override
  {
    return (double)std::max(nrhs, 1) * (double)(((size_t)n + nv + ns) * sizeof(T));
  }
  cudaError_t Reserve(void) override
  {
    bool large = false;

    DeviceCall(factor.Resize(nfactor));
    DeviceCall(D.Resize(nd));
    for (size_t i = 0, k = 0; i < group[0].size(); i++) {
      const CudaGroup &g = group[0][i];

      if (!g.large) {
        k = 0;
        continue;
      }
      const CudaPassing need = CudaPassingOf(limits, options.mode == FACTOR_LU, g.n, g.m, g.r);

      large = true;
      k     = i && group[0][i - 1].large && group[0][i - 1].height == g.height ? (k + 1) % NSTREAM : 0;
      DeviceCall(zs[k].Resize(need.z));
      DeviceCall(ys[k].Resize(need.y));
      DeviceCall(ps[k].Resize(need.p));
      DeviceCall(rs[k].Resize(need.rows));
      DeviceCall(cs[k].Resize(need.rows));
      DeviceCall(drange[k].Resize(need.range));
    }
    DeviceCall(DeviceLoad(SmallFactor<T, 8, 2>, SmallFactor<T, 16, 2>, SmallFactor<T, 16, 4>, LargeAssemble<T>, LargeEntries<T>, LargeGlue<T>, PivotBlock<T>, TakeColumns<T>, PutRows<T>));
    DeviceCall(DeviceLoad(SmallForward<T>, SmallBackward<T>, Large<T>, ClearParameters, MatrixNorms, SetPivotLimits, FillGaps));
    DeviceCall(DeviceAllowShared(SmallFactor<T, 8, 2>, (size_t)limits.smem));
    DeviceCall(DeviceAllowShared(SmallFactor<T, 16, 2>, (size_t)limits.smem));
    DeviceCall(DeviceAllowShared(SmallFactor<T, 16, 4>, (size_t)limits.smem));
    DeviceCall(DeviceAllowShared(PivotBlock<T>, SmallBytes(sizeof(T), limits.nb, 0)));
    if (large && !hasblas) {
      DeviceCall(OpenBlas(&blas));
      hasblas = true;
      for (int k = 0; k < NSTREAM; k++) {
        const size_t bytes = (size_t)1 << WORKSPACE;

        if (blas.create(&handle[k]) != CUBLAS_STATUS_SUCCESS) return cudaErrorUnknown;
        DeviceCall(workspace[k].Resize(bytes));
        if (blas.setstream(handle[k], aux[k]) != CUBLAS_STATUS_SUCCESS || blas.setworkspace(handle[k], workspace[k].p, bytes) != CUBLAS_STATUS_SUCCESS) return cudaErrorUnknown;
      }
    }
    return cudaSuccess;
  }
  cudaError_t Room(int want) override
  {
    if (want <= nrhs) return cudaSuccess;
    nrhs = 0;
    DropGraphs();
    DeviceCall(x.Resize((size_t)n * (size_t)want));
    DeviceCall(v.Resize(nv * (size_t)want));
    DeviceCall(s.Resize(ns * (size_t)want));
    nrhs = want;
    return cudaSuccess;
  }
  cudaError_t RecordLarge(const CudaGroup &g, int k, const CudaTables &t)
  {
    const int       m = g.m, r = g.r, f = m + r, batch = CudaBatch(limits, g.n, g.m, g.r), nb = limits.nb, nt = 256;
    const long long size = (long long)m * f + (t.lu ? (long long)m * r : 0), panel = (long long)m * r;
    cudaStream_t    st = aux[k];

    for (int at = 0; at < g.n; at += batch) {
      const int n = std::min(batch, g.n - at), first = g.first + at;

      DeviceCall(DeviceLaunch(LargeAssemble<T>, dim3((unsigned int)n, (unsigned int)((f + 7) / 8)), nt, 0, st, t, first, factor.p, D.p, zs[k].p, ys[k].p));
      if (g.entries) DeviceCall(DeviceLaunch(LargeEntries<T>, dim3((unsigned int)n, (unsigned int)((g.entries + nt - 1) / nt)), nt, 0, st, t, first, factor.p, zs[k].p, ys[k].p));
      if (nglue && g.cls == plan->root) DeviceCall(DeviceLaunch(LargeGlue<T>, 1, nt, 0, st, t, first, factor.p, nglue, dglue.p, daa.p));
      T *W = factor.p + base[g.cls] + at * size, *Tz = W + (long long)m * m, *Y = t.lu ? W + (long long)m * f : ys[k].p, *X = D.p + dbase[g.cls] + (long long)at * r * r;

      if (m <= nb) {
        DeviceCall(DeviceLaunch(PivotBlock<T>, n, nt, SmallBytes(sizeof(T), m, 0), st, t, first, factor.p, 0, m, (T *)nullptr, drange[k].p));
      } else {
        for (int j = 0; j < m; j += nb) {
          const int w = std::min(nb, m - j);

          DeviceCall(DeviceLaunch(PivotBlock<T>, n, nt, SmallBytes(sizeof(T), w, 0), st, t, first, factor.p, j, w, ps[k].p, drange[k].p));
          DeviceCall(DeviceLaunch(TakeColumns<T>, dim3((unsigned int)n, (unsigned int)((m + nt - 1) / nt)), nt, 0, st, t, first, factor.p, j, w, cs[k].p));
          DeviceCall(Gemm(&blas, handle[k], w, m, w, T(1), ps[k].p, w, (long long)w * w, W + j, m, size, T(0), rs[k].p, w, (long long)w * m, n));
          DeviceCall(Gemm(&blas, handle[k], m, m, w, T(-1), cs[k].p, m, (long long)w * m, rs[k].p, w, (long long)w * m, T(1), W, m, size, n));
          DeviceCall(DeviceLaunch(PutRows<T>, dim3((unsigned int)n, (unsigned int)((w * m + 4 * nt - 1) / (4 * nt))), nt, 0, st, t, first, factor.p, j, w, rs[k].p));
          launches += 5;
        }
      }
      DeviceCall(Gemm(&blas, handle[k], m, r, m, T(1), W, m, size, zs[k].p, m, panel, T(0), Tz, m, size, n));
      DeviceCall(Gemm(&blas, handle[k], r, r, m, T(-1), Y, r, t.lu ? size : panel, Tz, m, size, T(1), X, r, (long long)r * r, n));
      launches += 5;
    }
    return cudaSuccess;
  }
  cudaError_t RecordNumeric(void) override
  {
    CudaTables t = Tables(0);

    launches = 4;
    DeviceCall(DeviceLaunch(ClearParameters, 1, 1, 0, aux[0], dparameters.p));
    DeviceCall(DeviceLaunch(MatrixNorms, VectorGrid(n, 1), 256, 256 * sizeof(double), aux[0], n, dia.p, daa.p, dparameters.p));
    DeviceCall(DeviceLaunch(SetPivotLimits, 1, 1, 0, aux[0], dparameters.p, options.single));
    if (dstart.p) {
      DeviceCall(cudaMemsetAsync(dfull.p, 0, (size_t)nfull * sizeof(Value), aux[0]));
      DeviceCall(DeviceLaunch(FillGaps, VectorGrid(n, 1), 256, 0, aux[0], n, dia.p, dja.p, dslot.p, dstart.p, plan->grid.dof, daa.p, dfull.p));
    }
    if (mark) DeviceCall(cudaEventRecord(mark[0], aux[0]));
    for (size_t i = 0; i < group[0].size();) {
      size_t end = i;
      int    k   = 0;

      while (end < group[0].size() && group[0][end].height == group[0][i].height) end++;
      const bool several = end > i + 1;

      if (several) DeviceCall(Fork());
      for (; i < end; i++) {
        const CudaGroup &g = group[0][i];

        if (g.large) {
          DeviceCall(RecordLarge(g, k, t));
        } else {
          if (g.side == 8)
            DeviceCall(DeviceLaunch(SmallFactor<T, 8, 2>, g.n, 64, g.shared, aux[k], t, g.first, factor.p, D.p));
          else if (g.m <= 32)
            DeviceCall(DeviceLaunch(SmallFactor<T, 16, 2>, g.n, 256, g.shared, aux[k], t, g.first, factor.p, D.p));
          else
            DeviceCall(DeviceLaunch(SmallFactor<T, 16, 4>, g.n, 256, g.shared, aux[k], t, g.first, factor.p, D.p));
          launches++;
        }
        /* As in Reserve(), where passing things were given their places */
        if (g.large) k = (k + 1) % NSTREAM;
      }
      if (several) DeviceCall(Join());
      if (mark) DeviceCall(cudaEventRecord(mark[1 + group[0][end - 1].height], aux[0]));
    }
    return cudaMemcpyAsync(parameters, dparameters.p, sizeof(CudaParameters), cudaMemcpyDeviceToHost, aux[0]);
  }
  cudaError_t RecordSolve(int q, bool trans) override
  {
    CudaTables     t = Tables(1);
    CudaVectors<T> z = {factor.p, x.p, v.p, s.p, (long long)n, (long long)nv, (long long)ns, trans, false};

    for (size_t i = 0; i < group[1].size(); i++) {
      const CudaGroup &g      = group[1][i];
      const int        nt     = g.large ? 256 : SolveThreads(g.m + g.r);
      const dim3       grid   = dim3((unsigned int)g.n, g.large ? (unsigned int)((std::max(g.m, g.r) + 31) / 32) : 1, (unsigned int)q);
      const size_t     shared = ((size_t)nt + (g.large ? 0 : (size_t)(2 * g.m + g.r))) * sizeof(T);

      if (!g.large)
        DeviceCall(DeviceLaunch(SmallForward<T>, grid, nt, shared, aux[0], t, g.first, z));
      else {
        DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_GATHER_UP));
        if (t.lu && !trans) {
          DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_WINV));
          if (g.r) DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_RING));
        } else
          DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_RING_T));
      }
    }
    for (size_t i = group[1].size(); i-- > 0;) {
      const CudaGroup &g      = group[1][i];
      const int        nt     = g.large ? 256 : SolveThreads(g.m + g.r);
      const dim3       grid   = dim3((unsigned int)g.n, g.large ? (unsigned int)((std::max(g.m, g.r) + 31) / 32) : 1, (unsigned int)q);
      const size_t     shared = ((size_t)nt + (g.large ? 0 : (size_t)(2 * g.m + g.r))) * sizeof(T);

      if (!g.large)
        DeviceCall(DeviceLaunch(SmallBackward<T>, grid, nt, shared, aux[0], t, g.first, z));
      else {
        DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_GATHER_DOWN));
        if (t.lu && trans) {
          DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_BACK_T1));
          DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, LARGE_BACK_T2));
        } else
          DeviceCall(DeviceLaunch(Large<T>, grid, nt, shared, aux[0], t, g.first, z, t.lu ? LARGE_BACK : LARGE_BACK_SYMMETRIC));
      }
    }
    return cudaSuccess;
  }
  cudaError_t In(int q, const Value *b, ptrdiff_t ldb, bool conj) override
  {
    return DeviceLaunch(CopyIn<T>, VectorGrid(n, q), 256, 0, stream, n, b, (long long)ldb, x.p, conj);
  }
  cudaError_t Out(int q, Value *to, ptrdiff_t ldx, bool conj) override
  {
    return DeviceLaunch(CopyOut<T>, VectorGrid(n, q), 256, 0, stream, n, x.p, to, (long long)ldx, conj);
  }
};

} // namespace

FactorCuda *FactorCudaCreate(const Plan *plan, const FactorOptions *options, const FactorCudaPattern *pattern, const FactorCudaTuning *tuning, void *stream, int *error)
{
  std::unique_ptr<FactorCuda> F;

  *error = 0;
  try {
#if defined(PETSC_USE_COMPLEX)
    if (options->single)
      F.reset(new Executor<DeviceComplex<float>>());
    else
      F.reset(new Executor<DeviceComplex<double>>());
#else
    if (options->single)
      F.reset(new Executor<float>());
    else
      F.reset(new Executor<double>());
#endif
    F->plan    = plan;
    F->options = *options;
    FactorCudaSetStream(F.get(), stream);
    F->n     = pattern->n;
    F->batch = (double)pattern->batch;
    F->nnz   = pattern->ia[pattern->n];
    F->ia.assign(pattern->ia, pattern->ia + pattern->n + 1);
    F->ja.assign(pattern->ja, pattern->ja + F->nnz);
    *error = DeviceError(CudaGetLimits(&F->limits, options->single ? sizeof(Value) / 2 : sizeof(Value), tuning));
    if (!*error) {
      *error = DeviceError(FactorCudaBuild(F.get(), pattern));
    }
  } catch (const std::exception &) {
    return nullptr;
  }
  if (*error) return nullptr;
  return F.release();
}

void FactorCudaSetStream(FactorCuda *F, void *stream)
{
  F->follow = !stream;
  F->stream = (cudaStream_t)stream;
}

void FactorCudaDestroy(FactorCuda *F)
{
  delete F;
}

static cudaError_t Numeric(FactorCuda *F, const void *aa, bool device)
{
  DeviceCall(F->Enter());
  F->transposed = false;
  DeviceCall(cudaMemcpyAsync(F->daa.p, aa, (size_t)F->nnz * sizeof(Value), device ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice, F->stream));
  DeviceCall(F->Run(&F->numeric, &F->warm, [&]() { return F->RecordNumeric(); }));
  return cudaStreamSynchronize(F->stream);
}

int FactorCudaNumeric(FactorCuda *F, const void *aa, bool device, FactorCudaResult *result)
{
  const int error = DeviceError(Numeric(F, aa, device));

  if (error) return error;
  F->norm           = FromBits(F->parameters->norm);
  F->replaced       = F->parameters->replaced;
  F->ratio          = FromBits(F->parameters->ratio);
  result->norm      = F->norm;
  result->replaced  = F->replaced;
  result->ratio     = F->ratio;
  result->nonfinite = F->parameters->nonfinite;
  result->failed    = F->parameters->failed == NOT_POSITIVE ? 1 : F->parameters->failed == NOT_FINITE ? 2 : 0;
  return 0;
}

static cudaError_t Solve(FactorCuda *F, bool trans, int nrhs, const Value *b, ptrdiff_t ldb, Value *x, ptrdiff_t ldx)
{
  const bool       conj = trans && F->options.hermitian;
  cudaGraphExec_t *exec;

  if (F->options.mode != FACTOR_LU) trans = false;
  DeviceCall(F->Enter());
  DeviceCall(F->Room(nrhs));
  exec = &F->solve[2 * nrhs + trans];
  DeviceCall(F->In(nrhs, b, ldb, conj));
  DeviceCall(F->Run(exec, &F->warmsolve[trans], [&]() { return F->RecordSolve(nrhs, trans); }));
  return F->Out(nrhs, x, ldx, conj);
}

int FactorCudaSolve(FactorCuda *F, FactorTranspose trans, int nrhs, const void *b, ptrdiff_t ldb, void *x, ptrdiff_t ldx)
{
  return DeviceError(Solve(F, trans == FACTOR_TRANS, nrhs, (const Value *)b, ldb, (Value *)x, ldx));
}
static cudaError_t Profile(FactorCuda *F, FactorCudaLevel *level)
{
  const int                heights = F->plan->height + 1;
  std::vector<cudaEvent_t> mark((size_t)heights + 1, nullptr);
  cudaError_t              error = cudaSuccess;

  for (cudaEvent_t &e : mark) {
    if (error == cudaSuccess) error = cudaEventCreate(&e);
  }
  if (error == cudaSuccess) error = F->Enter();
  if (error == cudaSuccess) error = cudaStreamSynchronize(F->stream);
  F->mark = mark.data();
  if (error == cudaSuccess) error = F->RecordNumeric();
  F->mark = nullptr;
  if (error == cudaSuccess) error = cudaStreamSynchronize(F->aux[0]);
  for (int h = 0; h < heights && error == cudaSuccess; h++) {
    float ms = 0;

    memset(&level[h], 0, sizeof(level[h]));
    error       = cudaEventElapsedTime(&ms, mark[(size_t)h], mark[(size_t)h + 1]);
    level[h].ms = ms;
  }
  for (cudaEvent_t e : mark) {
    if (e) (void)cudaEventDestroy(e);
  }
  for (size_t i = 0; i < F->cls.size() && error == cudaSuccess; i++) {
    const double     m = F->cls[i].m, r = F->cls[i].r, count = F->options.constant ? 1 : F->batch * F->plan->cls[i].count;
    FactorCudaLevel &l = level[F->plan->cls[i].height];

    l.fronts += count;
    l.flops += count * (2 * m * m * m + 2 * m * m * r + 2 * m * r * r);
    l.m = std::max(l.m, F->cls[i].m);
    l.r = std::max(l.r, F->cls[i].r);
  }
  return error;
}

int FactorCudaProfile(FactorCuda *F, FactorCudaLevel *level)
{
  try {
    return DeviceError(Profile(F, level));
  } catch (const std::exception &) {
    return DeviceError(cudaErrorMemoryAllocation);
  }
}

bool FactorCudaIsMemory(int error)
{
  return error == cudaErrorMemoryAllocation;
}

int FactorCudaMemory(double *bytes)
{
  size_t    available = 0, total = 0;
  const int error = DeviceError(cudaMemGetInfo(&available, &total));

  *bytes = (double)available;
  return error;
}

FactorCudaInfo FactorCudaGetInfo(const FactorCuda *F)
{
  FactorCudaInfo info;
  double         tables = (double)F->dcls.n * sizeof(CudaClass) + (double)F->dmap.n * sizeof(int) + (double)F->dentry.n * sizeof(CudaEntry);
  const double   matrix = (double)F->nnz * (sizeof(Value) + sizeof(PetscInt)) + (double)F->dslot.n * sizeof(unsigned short) + (double)(F->doffset.n + F->dia.n + F->dstart.n) * sizeof(PetscInt) + (double)F->nfull * sizeof(Value);

  memset(&info, 0, sizeof(info));
  for (size_t i = 0; i < F->cls.size(); i++) {
    const double m = F->cls[i].m, r = F->cls[i].r, count = F->options.constant ? 1 : F->batch * F->plan->cls[i].count;

    info.entries += count * (m * m + (F->options.mode == FACTOR_LU ? 2 : 1) * m * r);
    info.flops += count * (2 * m * m * m + 2 * m * m * r + 2 * m * r * r);
  }
  for (const auto &f : F->dfront) tables += (double)f.n * sizeof(CudaFront);
  info.bytes         = (double)F->nfactor * (double)F->limits.scalar;
  info.passing_bytes = F->Passing();
  info.stack_bytes   = info.passing_bytes + F->Vectors() + tables + matrix;
  for (const auto &v : F->vector) info.stack_bytes += (double)v.n * sizeof(Value);
  for (const auto &v : F->basis) info.stack_bytes += (double)v.n * sizeof(Value);
  for (const auto &v : F->scale) info.stack_bytes += (double)v.n * sizeof(double);
  if (F->sparse) info.stack_bytes += (double)CudaSparseMemory(F->sparse);
  info.small    = F->nsmall;
  info.large    = F->nlarge;
  info.launches = F->launches;
  return info;
}
