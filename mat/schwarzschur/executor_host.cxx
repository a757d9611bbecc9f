/*
  Vectors in the host's memory, and the executor of one process there.
*/
#include "mat/schwarzschur/executor.h"
#include "mat/compat/petscversion.h"
#include <cmath>

PetscErrorCode SchwarzSchurHostVectors::Residual(Mat A, PetscReal norm, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, const PetscScalar *x, PetscInt ldx, PetscScalar *r, const PetscReal size[], PetscReal error[])
{
  /* Of residual, solution and right-hand side in each column */
  std::vector<PetscReal> own(3 * (size_t)nrhs, 0.0), all(own.size());
  PetscMPIInt            count;

  PetscFunctionBegin;
  for (PetscInt q = 0; q < nrhs; q++) {
    const PetscScalar *bq = b + (size_t)q * ldb, *xq = x + (size_t)q * ldx;
    PetscScalar       *rq   = r + (size_t)q * n;
    PetscReal         *most = &own[3 * (size_t)q];

    PetscCall(Multiply(A, trans, xq, rq));
    for (PetscInt i = 0; i < n; i++) {
      rq[i]                = bq[i] - rq[i];
      const PetscReal v[3] = {PetscAbsScalar(rq[i]), PetscAbsScalar(xq[i]), PetscAbsScalar(bq[i])};

      /* NaN compares with nothing and would be lost in a maximum */
      for (int k = 0; k < 3; k++) {
        if (!(v[k] <= most[k])) most[k] = PetscIsInfOrNanReal(v[k]) ? PETSC_MAX_REAL : v[k];
      }
    }
  }
  PetscCall(PetscMPIIntCast((PetscInt)own.size(), &count));
  CompatCallAllreduce(own.data(), all.data(), count, MPIU_REAL, MPIU_MAX, comm);
  for (PetscInt q = 0; q < nrhs; q++) {
    const PetscReal *most = &all[3 * (size_t)q];

    if (most[2] == PETSC_MAX_REAL)
      error[q] = -1;
    else if (most[0] == PETSC_MAX_REAL || most[1] == PETSC_MAX_REAL)
      error[q] = PETSC_MAX_REAL;
    else
      error[q] = FactorBackwardError(norm, most[0], most[1], size ? PetscMax(size[q], most[2]) : most[2]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Sizes(PetscInt nrhs, const PetscScalar *x, PetscInt ldx, PetscReal size[])
{
  std::vector<PetscReal> own((size_t)nrhs, 0.0);
  PetscMPIInt            count;

  PetscFunctionBegin;
  for (PetscInt q = 0; q < nrhs; q++) {
    for (PetscInt i = 0; i < n; i++) {
      const PetscReal v = PetscAbsScalar(x[i + (size_t)q * ldx]);

      own[(size_t)q] = PetscMax(own[(size_t)q], PetscIsInfOrNanReal(v) ? PETSC_MAX_REAL : v);
    }
  }
  PetscCall(PetscMPIIntCast(nrhs, &count));
  CompatCallAllreduce(own.data(), size, count, MPIU_REAL, MPIU_MAX, comm);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Add(PetscReal a, PetscInt nrhs, const PetscScalar *d, PetscScalar *x, PetscInt ldx)
{
  PetscFunctionBegin;
  for (PetscInt q = 0; q < nrhs; q++) {
    for (PetscInt i = 0; i < n; i++) x[i + (size_t)q * ldx] += a * d[i + (size_t)q * n];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::SetScale(int which, const PetscReal *values)
{
  PetscFunctionBegin;
  scale[which].assign(values, values + n);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Scale(int which, PetscInt nrhs, const PetscScalar *x, PetscInt ldx, PetscScalar *y, PetscInt ldy)
{
  const PetscReal *d = scale[which].data();

  PetscFunctionBegin;
  for (PetscInt q = 0; q < nrhs; q++) {
    for (PetscInt i = 0; i < n; i++) y[i + (size_t)q * ldy] = d[i] * x[i + (size_t)q * ldx];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::SetBasis(int which, PetscInt k, const PetscScalar *vectors)
{
  PetscFunctionBegin;
  basis[which].assign(vectors, vectors + (size_t)n * k);
  nbasis[which] = k;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Project(int which, PetscInt nrhs, PetscScalar *x, PetscInt ldx)
{
  const PetscInt           k = nbasis[which];
  std::vector<PetscScalar> own((size_t)(k * nrhs), 0.0), all(own.size());
  PetscMPIInt              count;

  PetscFunctionBegin;
  for (PetscInt q = 0; q < nrhs; q++) {
    for (PetscInt j = 0; j < k; j++) {
      const PetscScalar *v = &basis[which][(size_t)j * n];

      for (PetscInt i = 0; i < n; i++) own[(size_t)(j + q * k)] += PetscConj(v[i]) * x[i + (size_t)q * ldx];
    }
  }
  PetscCall(PetscMPIIntCast(k * nrhs, &count));
  CompatCallAllreduce(own.data(), all.data(), count, MPIU_SCALAR, MPIU_SUM, comm);
  for (PetscInt q = 0; q < nrhs; q++) {
    for (PetscInt j = 0; j < k; j++) {
      const PetscScalar *v = &basis[which][(size_t)j * n], c = all[(size_t)(j + q * k)];

      for (PetscInt i = 0; i < n; i++) x[i + (size_t)q * ldx] -= c * v[i];
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Work(int which, PetscInt nrhs, PetscScalar **array)
{
  const size_t size = (size_t)n * (size_t)nrhs;

  PetscFunctionBegin;
  if (work[which].size() < size) {
    try {
      std::vector<PetscScalar>().swap(work[which]);
      work[which].resize(size);
    } catch (const std::exception &) {
      SETERRQ(PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory for a solve with %" PetscInt_FMT " right-hand sides: solve for fewer at a time", nrhs);
    }
  }
  *array = work[which].data();
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Permute(const std::vector<PetscInt> &order, bool back, PetscInt nrhs, const PetscScalar *x, PetscInt ldx, PetscScalar *y, PetscInt ldy)
{
  PetscFunctionBegin;
  for (PetscInt q = 0; q < nrhs; q++) {
    const PetscScalar *xq = x + (size_t)q * ldx;
    PetscScalar       *yq = y + (size_t)q * ldy;

    for (PetscInt i = 0; i < n; i++) {
      if (back)
        yq[order[(size_t)i]] = xq[i];
      else
        yq[i] = xq[order[(size_t)i]];
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Copy(const PetscScalar *x, PetscScalar *y)
{
  PetscFunctionBegin;
  PetscCall(PetscArraycpy(y, x, n));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Upload(PetscInt nrhs, const PetscScalar *host, PetscInt ld, PetscScalar *v)
{
  PetscFunctionBegin;
  for (PetscInt q = 0; q < nrhs; q++) PetscCall(PetscArraycpy(v + (size_t)q * n, host + (size_t)q * ld, n));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Download(PetscInt nrhs, const PetscScalar *v, PetscScalar *host, PetscInt ld)
{
  PetscFunctionBegin;
  for (PetscInt q = 0; q < nrhs; q++) PetscCall(PetscArraycpy(host + (size_t)q * ld, v + (size_t)q * n, n));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Density(const PetscScalar *b, PetscReal *part)
{
  PetscReal most = 0, all, own[2] = {0, (PetscReal)n}, sum[2];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) most = PetscMax(most, PetscAbsScalar(b[i]));
  CompatCallAllreduce(&most, &all, 1, MPIU_REAL, MPIU_MAX, comm);
  for (PetscInt i = 0; i < n; i++) own[0] += PetscAbsScalar(b[i]) > 1e-3 * all;
  CompatCallAllreduce(own, sum, 2, MPIU_REAL, MPIU_SUM, comm);
  *part = all > 0 ? sum[0] / sum[1] : 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

SchwarzSchurHostVectors::~SchwarzSchurHostVectors()
{
  (void)VecDestroy(&left);
  (void)VecDestroy(&right);
}

/* y = op(A) x */
static PetscErrorCode MultiplyRows(Mat A, FactorTranspose trans, const PetscScalar *x, PetscScalar *y)
{
  SchwarzSchurRows rows;

  PetscFunctionBegin;
  PetscCall(SchwarzSchurGetRows(A, PETSC_TRUE, &rows));
  if (trans == FACTOR_NOTRANS) {
    for (PetscInt i = 0; i < rows.n; i++) {
      PetscScalar s = 0;

      for (PetscInt k = rows.ia[i]; k < rows.ia[i + 1]; k++) s += rows.aa[k] * x[rows.ja[k]];
      y[i] = s;
    }
  } else {
    for (PetscInt i = 0; i < rows.n; i++) y[i] = 0;
    for (PetscInt i = 0; i < rows.n; i++) {
      const PetscScalar s = x[i];

      for (PetscInt k = rows.ia[i]; k < rows.ia[i + 1]; k++) y[rows.ja[k]] += rows.aa[k] * s;
    }
  }
  PetscCall(SchwarzSchurRestoreRows(A, &rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurHostVectors::Multiply(Mat A, FactorTranspose trans, const PetscScalar *x, PetscScalar *y)
{
  PetscBool sequential;

  PetscFunctionBegin;
  /* Values of a device are looked at from the host here */
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)A, MATSEQAIJ, &sequential));
  if (sequential) {
    PetscCall(MultiplyRows(A, trans, x, y));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (!left) PetscCall(MatCreateVecs(A, &right, &left));
  PetscCall(VecPlaceArray(right, x));
  PetscCall(VecPlaceArray(left, y));
  if (trans == FACTOR_NOTRANS)
    PetscCall(MatMult(A, right, left));
  else
    PetscCall(MatMultTranspose(A, right, left));
  PetscCall(VecResetArray(left));
  PetscCall(VecResetArray(right));
  PetscFunctionReturn(PETSC_SUCCESS);
}

namespace {

/* Each grid of a batch has a factor of its own */
class Host : public SchwarzSchurHostVectors {
  const Plan           *plan;
  SchwarzSchurValues   *values;
  std::vector<Factor *> factor;

public:
  Host(const Plan *p, PetscInt batch, SchwarzSchurValues *v) : SchwarzSchurHostVectors(PETSC_COMM_SELF, batch * p->npoints * p->grid.dof), plan(p), values(v) {}
  ~Host() override
  {
    for (Factor *f : factor) FactorDestroy(f);
  }
  bool Create(const FactorOptions *options, PetscInt batch)
  {
    for (PetscInt k = 0; k < batch; k++) {
      factor.push_back(FactorCreate(plan, options));
      if (!factor.back()) return false;
    }
    return true;
  }

  PetscErrorCode Numeric(Mat A, SchwarzSchurFactored *found) override
  {
    const PetscInt   each = n / (PetscInt)factor.size();
    SchwarzSchurRows rows;
    FactorValues     v;

    PetscFunctionBegin;
    found->null   = 0;
    found->failed = SCHWARZSCHUR_SUCCESS;
    PetscCall(SchwarzSchurGetRows(A, PETSC_TRUE, &rows));
    SchwarzSchurMeasure(1, &rows, &found->norms);
    if (found->norms.finite) {
      PetscCall(values->Fill(A, rows, &v));
      for (size_t k = 0; k < factor.size() && !found->failed; k++) {
        FactorValues own = v;

        own.ai += (PetscInt)k * each;
        found->failed = FactorNumeric(factor[k], &own, found->norms.entry);
      }
    } else {
      int      block;
      PetscInt at;

      found->failed = SCHWARZSCHUR_NOT_FINITE;
      if (SchwarzSchurFindNonfinite(1, &rows, &found->bad[0], &block, &at))
        found->bad[1] = rows.ja[at];
      else
        found->failed = SCHWARZSCHUR_OVERFLOW; /* finite entries whose sum is not */
    }
    PetscCall(SchwarzSchurRestoreRows(A, &rows));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Solve(FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx) override
  {
    const PetscInt each = n / (PetscInt)factor.size();

    PetscFunctionBegin;
    for (size_t k = 0; k < factor.size(); k++)
      PetscCheck(FactorSolve(factor[k], trans, (int)nrhs, b + (PetscInt)k * each, ldb, x + (PetscInt)k * each, ldx) == 0, PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory for a solve with %" PetscInt_FMT " right-hand sides: solve for fewer at a time",
                 nrhs);
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  FactorInfo Info() const override
  {
    FactorInfo info = FactorGetInfo(factor[0]);

    for (size_t k = 1; k < factor.size(); k++) {
      const FactorInfo of = FactorGetInfo(factor[k]);

      info.entries += of.entries;
      info.flops += of.flops;
      info.bytes += of.bytes;
      info.stack_bytes += of.stack_bytes;
      info.batches += of.batches;
      info.blocks += of.blocks;
      info.replaced += of.replaced;
      info.ratio = PetscMin(info.ratio, of.ratio);
    }
    return info;
  }

  PetscErrorCode View(PetscViewer viewer, PetscBool detail) override
  {
    const FactorInfo f = Info();

    PetscFunctionBegin;
    if (detail) PetscCall(PetscViewerASCIIPrintf(viewer, "instruction set %s, %d lanes, %.0f of %" PetscInt_FMT " blocks in %.0f batches\n", f.isa, f.lanes, f.blocks, plan->nblocks, f.batches));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
};

} // namespace

PetscErrorCode SchwarzSchurCreateHost(const Plan *plan, const FactorOptions *options, PetscInt batch, SchwarzSchurValues *values, SchwarzSchurExecutor **executor)
{
  std::unique_ptr<Host> host(new Host(plan, batch, values));

  PetscFunctionBegin;
  *executor = host->Create(options, batch) ? host.release() : nullptr;
  PetscFunctionReturn(PETSC_SUCCESS);
}
