/*
  The executor on a CUDA device. Its vectors are in the device's memory.
*/
#include "mat/schwarzschur/executor.h"
#include "mat/schwarzschur/factor_cuda.h"
#include "mat/compat/backend.h"
#include "mat/compat/petscversion.h"
#include <cstring>

#if defined(PETLAP_HAVE_CUDA)

  #define Call(...) BackendCall(PETSC_COMM_SELF, __VA_ARGS__)

namespace {

class Cuda : public SchwarzSchurExecutor {
  FactorCuda         *cuda = nullptr;
  const Plan         *plan;
  SchwarzSchurValues *values;
  PetscBool           held, profile;
  double              replaced = 0, ratio = 1;
  PetscScalar        *basis[4]  = {nullptr, nullptr, nullptr, nullptr}; /* in the device's memory, of the FactorCuda */
  PetscInt            nbasis[4] = {0, 0, 0, 0};

public:
  Cuda(const Plan *p, PetscInt batch, PetscBool h, PetscBool prof, SchwarzSchurValues *v) : SchwarzSchurExecutor(PETSC_COMM_SELF, batch * p->npoints * p->grid.dof, true), plan(p), values(v), held(h), profile(prof) {}
  ~Cuda() override
  {
    FactorCudaDestroy(cuda);
  }
  PetscErrorCode Create(Mat F, Mat A, const FactorOptions *options, PetscInt batch, const FactorCudaTuning *tuning, PetscBool *memory)
  {
    FactorCudaPattern pattern;
    SchwarzSchurRows  rows;
    int               error;

    PetscFunctionBegin;
    PetscCall(SchwarzSchurGetRows(A, PETSC_FALSE, &rows));
    pattern.n     = rows.n;
    pattern.ia    = rows.ia;
    pattern.ja    = rows.ja;
    pattern.slot  = values->Slot();
    pattern.start = values->Start();
    pattern.batch = batch;
    cuda          = FactorCudaCreate(plan, options, &pattern, tuning, nullptr, &error);
    PetscCall(SchwarzSchurRestoreRows(A, &rows));
    *memory = (PetscBool)FactorCudaIsMemory(error);
    if (!*memory) BackendCall(F, error);
    PetscCheck(*memory || cuda, PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory while the fronts were laid out");
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Numeric(Mat A, SchwarzSchurFactored *found) override
  {
    SchwarzSchurRows   rows;
    const PetscScalar *aa   = nullptr;
    PetscScalar       *da   = nullptr;
    PetscMemType       type = PETSC_MEMTYPE_HOST;
    FactorCudaResult   result;

    PetscFunctionBegin;
    memset(&result, 0, sizeof(result));
    if (held) PetscCall(MatSeqAIJGetCSRAndMemType(A, nullptr, nullptr, &da, &type));
    if (PetscMemTypeDevice(type)) {
      Call(FactorCudaNumeric(cuda, da, true, &result));
    } else {
      PetscCall(MatSeqAIJGetArrayRead(A, &aa));
      Call(FactorCudaNumeric(cuda, aa, false, &result));
      PetscCall(MatSeqAIJRestoreArrayRead(A, &aa));
    }
    replaced            = result.replaced;
    ratio               = result.ratio;
    found->null         = 0;
    found->failed       = result.failed;
    found->norms.sum    = result.norm;
    found->norms.entry  = result.norm;
    found->norms.least  = 0;
    found->norms.finite = (PetscBool)!result.nonfinite;
    if (result.nonfinite) {
      int      block;
      PetscInt at;

      PetscCall(SchwarzSchurGetRows(A, PETSC_TRUE, &rows));
      found->failed = SCHWARZSCHUR_OVERFLOW;
      if (SchwarzSchurFindNonfinite(1, &rows, &found->bad[0], &block, &at)) {
        found->bad[1] = rows.ja[at];
        found->failed = SCHWARZSCHUR_NOT_FINITE;
      }
      PetscCall(SchwarzSchurRestoreRows(A, &rows));
    }
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Solve(FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx) override
  {
    PetscFunctionBegin;
    Call(FactorCudaSolve(cuda, trans, (int)nrhs, b, ldb, x, ldx));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Residual(Mat A, PetscReal norm, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, const PetscScalar *x, PetscInt ldx, PetscScalar *r, const PetscReal[], PetscReal error[]) override
  {
    double found = 0;

    PetscFunctionBegin;
    (void)A;
    (void)norm;
    Call(FactorCudaResidual(cuda, trans, (int)nrhs, b, ldb, x, ldx, r, &found));
    for (PetscInt q = 0; q < nrhs; q++) error[q] = found;
    if (!PetscIsInfOrNanReal(found) && found < 1) PetscFunctionReturn(PETSC_SUCCESS);
    /* One column must not be blamed for another, nor any for a right-hand side that is not finite */
    std::vector<PetscScalar> host((size_t)n);
    for (PetscInt q = 0; q < nrhs; q++) {
      bool finite = true;

      if (nrhs > 1) Call(FactorCudaResidual(cuda, trans, 1, b + (size_t)q * ldb, ldb, x + (size_t)q * ldx, ldx, r + (size_t)q * n, &found));
      error[q] = PetscIsInfOrNanReal(found) ? PETSC_MAX_REAL : found;
      if (error[q] < PETSC_MAX_REAL) continue;
      Call(FactorCudaDownload(cuda, 1, b + (size_t)q * ldb, host.data(), n));
      for (PetscInt i = 0; i < n; i++) finite = finite && !PetscIsInfOrNanScalar(host[(size_t)i]);
      if (!finite) error[q] = -1;
    }
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Sizes(PetscInt, const PetscScalar *, PetscInt, PetscReal[]) override
  {
    SETERRQ(PETSC_COMM_SELF, PETSC_ERR_PLIB, "Only residuals of the matrix that is factored are measured on a device");
  }

  PetscErrorCode Add(PetscReal a, PetscInt nrhs, const PetscScalar *d, PetscScalar *x, PetscInt ldx) override
  {
    PetscFunctionBegin;
    Call(FactorCudaAdd(cuda, a, (int)nrhs, d, x, ldx));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode SetScale(int which, const PetscReal *scale) override
  {
    PetscFunctionBegin;
    Call(FactorCudaSetScale(cuda, which, scale, n));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Scale(int which, PetscInt nrhs, const PetscScalar *x, PetscInt ldx, PetscScalar *y, PetscInt ldy) override
  {
    PetscFunctionBegin;
    Call(FactorCudaApplyScale(cuda, which, (int)nrhs, x, ldx, y, ldy));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode SetBasis(int which, PetscInt k, const PetscScalar *vectors) override
  {
    PetscFunctionBegin;
    nbasis[which] = k;
    if (k) Call(FactorCudaUploadBasis(cuda, which, (int)k, vectors, (void **)&basis[which]));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Project(int which, PetscInt nrhs, PetscScalar *x, PetscInt ldx) override
  {
    const PetscInt           k = nbasis[which];
    std::vector<PetscScalar> c((size_t)(k * nrhs));

    PetscFunctionBegin;
    if (!k) PetscFunctionReturn(PETSC_SUCCESS);
    Call(FactorCudaDots(cuda, (int)k, basis[which], (int)nrhs, x, ldx, c.data()));
    Call(FactorCudaSubtract(cuda, (int)k, basis[which], (int)nrhs, c.data(), x, ldx));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Work(int which, PetscInt nrhs, PetscScalar **array) override
  {
    PetscFunctionBegin;
    Call(FactorCudaVector(cuda, which, (int)nrhs, (void **)array));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Density(const PetscScalar *b, PetscReal *part) override
  {
    std::vector<PetscScalar> host((size_t)n);
    PetscReal                most = 0, count = 0;

    PetscFunctionBegin;
    Call(FactorCudaDownload(cuda, 1, b, host.data(), n));
    for (PetscScalar v : host) most = PetscMax(most, PetscAbsScalar(v));
    for (PetscScalar v : host) count += PetscAbsScalar(v) > 1e-3 * most;
    *part = most > 0 ? count / (PetscReal)n : 0;
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Permute(const std::vector<PetscInt> &, bool, PetscInt, const PetscScalar *, PetscInt, PetscScalar *, PetscInt) override
  {
    SETERRQ(PETSC_COMM_SELF, PETSC_ERR_PLIB, "Rows that are not in natural order are for the host");
  }

  PetscErrorCode Copy(const PetscScalar *x, PetscScalar *y) override
  {
    PetscFunctionBegin;
    Call(FactorCudaFill(cuda, 0, 1, y, n));
    Call(FactorCudaAdd(cuda, 1, 1, x, y, n));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Upload(PetscInt nrhs, const PetscScalar *host, PetscInt ld, PetscScalar *v) override
  {
    PetscFunctionBegin;
    Call(FactorCudaUpload(cuda, (int)nrhs, host, ld, v));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Download(PetscInt nrhs, const PetscScalar *v, PetscScalar *host, PetscInt ld) override
  {
    PetscFunctionBegin;
    Call(FactorCudaDownload(cuda, (int)nrhs, v, host, ld));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  FactorInfo Info() const override
  {
    const FactorCudaInfo of = FactorCudaGetInfo(cuda);
    FactorInfo           info;

    memset(&info, 0, sizeof(info));
    info.isa         = "CUDA";
    info.entries     = of.entries;
    info.flops       = of.flops;
    info.bytes       = of.bytes;
    info.stack_bytes = of.stack_bytes;
    info.replaced    = replaced;
    info.ratio       = ratio;
    return info;
  }

  /* What each height of the tree takes */
  PetscErrorCode View(PetscViewer viewer, PetscBool detail) override
  {
    std::vector<FactorCudaLevel> level((size_t)plan->height + 1);

    PetscFunctionBegin;
    if (!profile || !detail) PetscFunctionReturn(PETSC_SUCCESS);
    memset(level.data(), 0, level.size() * sizeof(level[0]));
    Call(FactorCudaProfile(cuda, level.data()));
    PetscCall(PetscViewerASCIIPrintf(viewer, "%6s %10s %8s %8s %12s %10s %10s\n", "height", "fronts", "m", "r", "Gflop", "ms", "Gflop/s"));
    for (int h = 0; h <= plan->height; h++) {
      const FactorCudaLevel &l = level[(size_t)h];

      PetscCall(PetscViewerASCIIPrintf(viewer, "%6d %10.0f %8d %8d %12.4f %10.4f %10.1f\n", h, l.fronts, l.m, l.r, 1e-9 * l.flops, l.ms, l.ms > 0 ? 1e-6 * l.flops / l.ms : 0));
    }
    PetscFunctionReturn(PETSC_SUCCESS);
  }
};

} // namespace

PetscErrorCode SchwarzSchurCreateCuda(Mat F, Mat A, const Plan *plan, const FactorOptions *options, PetscInt batch, PetscBool held, PetscInt small, PetscInt columns, PetscBool profile, SchwarzSchurValues *values, SchwarzSchurExecutor **executor,
                                      PetscBool *memory)
{
  const FactorCudaTuning tuning = {(int)small, (int)columns};
  std::unique_ptr<Cuda>  cuda(new Cuda(plan, batch, held, profile, values));

  PetscFunctionBegin;
  PetscCall(cuda->Create(F, A, options, batch, &tuning, memory));
  *executor = *memory ? nullptr : cuda.release();
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurCudaMemory(const Plan *plan, const FactorOptions *options, PetscInt batch, PetscInt small, PetscInt columns, double *need, double *room)
{
  const FactorCudaTuning tuning = {(int)small, (int)columns};

  PetscFunctionBegin;
  Call(FactorCudaMemory(room));
  Call(FactorCudaForesee(plan, options, batch, &tuning, need));
  PetscFunctionReturn(PETSC_SUCCESS);
}

#else

PetscErrorCode SchwarzSchurCreateCuda(Mat, Mat, const Plan *, const FactorOptions *, PetscInt, PetscBool, PetscInt, PetscInt, PetscBool, SchwarzSchurValues *, SchwarzSchurExecutor **, PetscBool *)
{
  SETERRQ(PETSC_COMM_SELF, PETSC_ERR_PLIB, "petlap was configured without CUDA");
}

PetscErrorCode SchwarzSchurCudaMemory(const Plan *, const FactorOptions *, PetscInt, PetscInt, PetscInt, double *, double *)
{
  SETERRQ(PETSC_COMM_SELF, PETSC_ERR_PLIB, "petlap was configured without CUDA");
}

#endif
