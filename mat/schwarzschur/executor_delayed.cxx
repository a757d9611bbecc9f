/*
  The executor whose pivots may leave their separator, on one process. A matrix that is spread over ranks is gathered on the first of them, in natural order, and so are right-hand sides.
*/
#include "mat/schwarzschur/executor.h"
#include "mat/schwarzschur/factor_delayed.h"
#include "mat/compat/petscversion.h"
#include <petsc/private/matimpl.h>
#include <algorithm>
#include <cstring>

namespace {

/* Times the order: pivots that are no larger are none. What is merely close to singular is known by what a solve with it grows to. */
const double NULL_PIVOT = PETSC_MACHINE_EPSILON;

class Delayed : public SchwarzSchurHostVectors {
  Plan                        *plan;
  std::vector<FactorDelayed *> factor; /* of each grid; none on ranks that have no factors */
  SchwarzSchurValues          *values;
  SchwarzSchurValues           gathered; /* where they are not those of the matrix itself */
  const bool                   distributed;
  PetscMPIInt                  rank = 0;
  std::vector<PetscMPIInt>     count, shift; /* rows of each rank */
  std::vector<PetscInt>        row;          /* of the matrix, of each natural number; of the first rank */
  std::vector<PetscScalar>     all[2];       /* the vectors of all ranks, in their order and in natural order */
  double                       of[5] = {0, 0, 0, 0, 0};

  /* The same on all ranks, from the first */
  PetscErrorCode Share(double *v, int n)
  {
    PetscFunctionBegin;
    if (distributed) PetscCallMPI(MPI_Bcast(v, n, MPI_DOUBLE, 0, comm));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  /* The matrix of all ranks on the first, and an empty one on the others */
  PetscErrorCode Gather(Mat A, Mat *S)
  {
    const PetscInt N = rank ? 0 : A->rmap->N;
    IS             is, order;
    Mat           *part;

    PetscFunctionBegin;
    PetscCall(ISCreateStride(PETSC_COMM_SELF, N, 0, 1, &is));
    PetscCall(MatCreateSubMatrices(A, 1, &is, &is, MAT_INITIAL_MATRIX, &part));
    PetscCall(ISDestroy(&is));
    *S = nullptr;
    if (!rank) {
      PetscCall(ISCreateGeneral(PETSC_COMM_SELF, N, row.data(), PETSC_USE_POINTER, &order));
      PetscCall(ISSetPermutation(order));
      PetscCall(MatPermute(part[0], order, order, S));
      PetscCall(ISDestroy(&order));
    }
    PetscCall(MatDestroySubMatrices(1, &part));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode NumericHere(Mat S, SchwarzSchurFactored *found)
  {
    SchwarzSchurRows rows;
    FactorValues     v;

    PetscFunctionBegin;
    PetscCall(SchwarzSchurGetRows(S, PETSC_TRUE, &rows));
    SchwarzSchurMeasure(1, &rows, &found->norms);
    found->failed = found->norms.finite ? SCHWARZSCHUR_SUCCESS : SCHWARZSCHUR_OVERFLOW;
    std::fill(of, of + 5, 0.0);
    if (found->norms.finite) {
      const PetscInt each = rows.n / (PetscInt)factor.size();

      PetscCall(values->Fill(S, rows, &v));
      for (size_t k = 0; k < factor.size() && !found->failed; k++) {
        FactorValues own = v;

        own.ai += (PetscInt)k * each;
        found->failed = FactorDelayedNumeric(factor[k], &own);

        const FactorDelayedInfo info = FactorDelayedGetInfo(factor[k]);
        of[0] += info.entries;
        of[1] += info.flops;
        of[2] += info.bytes;
        of[3] += info.delayed;
        of[4] += info.null;
      }
    } else {
      int      block;
      PetscInt at;

      if (SchwarzSchurFindNonfinite(1, &rows, &found->bad[0], &block, &at)) {
        found->bad[1] = rows.ja[at];
        found->failed = SCHWARZSCHUR_NOT_FINITE;
      }
    }
    PetscCall(SchwarzSchurRestoreRows(S, &rows));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

public:
  Delayed(Mat A, Plan *p, SchwarzSchurValues *v, bool spread) : SchwarzSchurHostVectors(PetscObjectComm((PetscObject)A), A->rmap->n), plan(p), values(spread ? &gathered : v), distributed(spread) {}
  ~Delayed() override
  {
    for (FactorDelayed *f : factor) FactorDelayedDestroy(f);
  }

  PetscErrorCode Create(Mat A, const FactorOptions *options, PetscInt batch, const StructuredGridNumbering *numbering)
  {
    double made = 1;

    PetscFunctionBegin;
    if (distributed) {
      PetscMPIInt size;

      PetscCallMPI(MPI_Comm_size(comm, &size));
      PetscCallMPI(MPI_Comm_rank(comm, &rank));
      for (PetscMPIInt r = 0; r < size; r++) {
        PetscMPIInt rows;

        PetscCall(PetscMPIIntCast(A->rmap->range[r + 1] - A->rmap->range[r], &rows));
        count.push_back(rows);
        shift.push_back((PetscMPIInt)A->rmap->range[r]);
      }
      for (PetscInt i = 0; !rank && i < A->rmap->N; i++) {
        PetscInt of_rank, local;

        StructuredGridNumberingFind(numbering, size, i, &of_rank, &local);
        row.push_back(A->rmap->range[of_rank] + local);
      }
    }
    for (PetscInt k = 0; !rank && k < batch; k++) {
      factor.push_back(FactorDelayedCreate(plan, options->threshold, NULL_PIVOT * PetscMax(64, (double)A->rmap->N), options->isa));
      if (!factor.back()) made = 0;
    }
    PetscCall(Share(&made, 1));
    PetscCheck(made > 0, comm, PETSC_ERR_MEM, "Out of memory for the factors with pivots that may leave their separator: use a smaller grid");
    if (distributed) {
      Mat S;

      PetscCall(Gather(A, &S));
      if (S) PetscCall(gathered.Analyze(S, plan));
      PetscCall(MatDestroy(&S));
    }
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Numeric(Mat A, SchwarzSchurFactored *found) override
  {
    double share[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    Mat    S        = A;

    PetscFunctionBegin;
    if (distributed) PetscCall(Gather(A, &S));
    if (S) PetscCall(NumericHere(S, found));
    if (distributed) {
      if (!rank) {
        const double mine[8] = {(double)found->failed, found->norms.sum, found->norms.least, found->norms.entry, (double)found->norms.finite, 0, 0, 0};

        std::copy(mine, mine + 8, share);
        if (found->failed == SCHWARZSCHUR_NOT_FINITE) {
          share[5] = (double)row[(size_t)found->bad[0]];
          share[6] = (double)row[(size_t)found->bad[1]];
        }
      }
      PetscCall(Share(share, 8));
      PetscCall(Share(of, 5));
      found->failed       = (int)share[0];
      found->norms.sum    = share[1];
      found->norms.least  = share[2];
      found->norms.entry  = share[3];
      found->norms.finite = (PetscBool)(share[4] > 0);
      found->bad[0]       = (PetscInt)share[5];
      found->bad[1]       = (PetscInt)share[6];
      PetscCall(MatDestroy(&S));
    }
    found->null = of[4];
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Solve(FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx) override
  {
    double failed = 0;

    PetscFunctionBegin;
    if (!distributed) {
      const PetscInt each = n / (PetscInt)factor.size();

      for (size_t k = 0; k < factor.size() && failed == 0; k++) failed = FactorDelayedSolve(factor[k], trans, (int)nrhs, b + (PetscInt)k * each, ldb, x + (PetscInt)k * each, ldx);
    }
    for (PetscInt q = 0; distributed && q < nrhs; q++) {
      const size_t N = row.size();

      all[0].resize(std::max((size_t)1, N));
      all[1].resize(std::max((size_t)1, N));
      PetscCallMPI(MPI_Gatherv(b + (size_t)q * ldb, count[(size_t)rank], MPIU_SCALAR, all[0].data(), count.data(), shift.data(), MPIU_SCALAR, 0, comm));
      if (!rank) {
        for (size_t i = 0; i < N; i++) all[1][i] = all[0][(size_t)row[i]];
        failed = FactorDelayedSolve(factor[0], trans, 1, all[1].data(), (ptrdiff_t)N, all[1].data(), (ptrdiff_t)N);
        for (size_t i = 0; i < N; i++) all[0][(size_t)row[i]] = all[1][i];
      }
      PetscCallMPI(MPI_Scatterv(all[0].data(), count.data(), shift.data(), MPIU_SCALAR, x + (size_t)q * ldx, count[(size_t)rank], MPIU_SCALAR, 0, comm));
      if (failed > 0) break;
    }
    PetscCall(Share(&failed, 1));
    PetscCheck(failed == 0, comm, PETSC_ERR_MEM, "Out of memory for a solve with %" PetscInt_FMT " right-hand sides: solve for fewer at a time", nrhs);
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  FactorInfo Info() const override
  {
    FactorInfo info;

    memset(&info, 0, sizeof(info));
    info.isa     = "";
    info.entries = of[0];
    info.flops   = of[1];
    info.bytes   = of[2];
    info.ratio   = 1;
    info.threads = 1;
    return info;
  }
  FactorInfo OwnInfo() const override
  {
    FactorInfo info = Info();

    if (rank) info.entries = info.flops = info.bytes = 0;
    return info;
  }

  PetscErrorCode View(PetscViewer viewer, PetscBool) override
  {
    PetscFunctionBegin;
    PetscCall(PetscViewerASCIIPrintf(viewer, "unknowns that were passed to a larger separator: %.0f%s\n", of[3], distributed ? "; all factors are on the first process" : ""));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
};

} // namespace

PetscErrorCode SchwarzSchurCreateDelayed(Mat A, Plan *plan, const FactorOptions *options, PetscInt batch, SchwarzSchurValues *values, const StructuredGridNumbering *numbering, SchwarzSchurExecutor **executor)
{
  std::unique_ptr<Delayed> delayed(new Delayed(A, plan, values, numbering != nullptr));

  PetscFunctionBegin;
  PetscCall(delayed->Create(A, options, batch, numbering));
  *executor = delayed.release();
  PetscFunctionReturn(PETSC_SUCCESS);
}
