/*
  The executor of a matrix that is spread over ranks, over SchwarzSchurRanks.
*/
#include "mat/schwarzschur/executor.h"
#include "mat/schwarzschur/schwarzschur_ranks.h"
#include "mat/compat/petscversion.h"

namespace {

class Ranks : public SchwarzSchurHostVectors {
  SchwarzSchurRanks *ranks;

public:
  Ranks(SchwarzSchurRanks *r, PetscInt rows) : SchwarzSchurHostVectors(SchwarzSchurRanksComm(r), rows), ranks(r) {}

  PetscErrorCode Numeric(Mat A, SchwarzSchurFactored *found) override
  {
    PetscFunctionBegin;
    found->null = 0;
    PetscCall(SchwarzSchurRanksNumeric(ranks, A, &found->norms, found->bad, &found->failed));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  PetscErrorCode Solve(FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx) override
  {
    PetscFunctionBegin;
    PetscCall(SchwarzSchurRanksSolve(ranks, trans, nrhs, b, ldb, x, ldx));
    PetscFunctionReturn(PETSC_SUCCESS);
  }

  FactorInfo Info() const override
  {
    SchwarzSchurRanksInfo info;

    SchwarzSchurRanksGetInfo(ranks, &info);
    return info.total;
  }
  FactorInfo OwnInfo() const override
  {
    SchwarzSchurRanksInfo info;

    SchwarzSchurRanksGetInfo(ranks, &info);
    return info.own;
  }

  PetscErrorCode View(PetscViewer viewer, PetscBool detail) override
  {
    const FactorInfo      f = Info();
    SchwarzSchurRanksInfo info;

    PetscFunctionBegin;
    SchwarzSchurRanksGetInfo(ranks, &info);
    PetscCall(PetscViewerASCIIPrintf(viewer, "ranks: %d, %d subtrees of one rank each, %d fronts shared by several; the busiest rank has %.1f%% of the work, the fullest %.1f MB\n", (int)info.size, info.nlocal, info.nfront, 100 * info.share,
                                     info.bytes * 1e-6));
    if (detail) PetscCall(PetscViewerASCIIPrintf(viewer, "instruction set %s, %d lanes, %.0f blocks in %.0f batches\n", f.isa, f.lanes, f.blocks, f.batches));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
};

} // namespace

PetscErrorCode SchwarzSchurCreateRanks(SchwarzSchurRanks *ranks, PetscInt n, const FactorOptions *options, SchwarzSchurExecutor **executor, SchwarzSchurRanksNeed *need)
{
  TreeRanksOptions      o;
  SchwarzSchurRanksInfo info;
  PetscBool             done;

  PetscFunctionBegin;
  *executor   = nullptr;
  o.comm      = SchwarzSchurRanksComm(ranks);
  o.mode      = options->mode;
  o.single    = options->single;
  o.hermitian = options->hermitian;
  o.threads   = options->threads;
  o.columns   = 0;
  o.threshold = options->threshold;
  o.isa       = options->isa;
  PetscCall(SchwarzSchurRanksLayOut(ranks, &o, &done));
  if (!done) PetscFunctionReturn(PETSC_SUCCESS);
  SchwarzSchurRanksGetInfo(ranks, &info);
  need->bytes = info.bytes;
  need->used  = info.used;
  need->room  = info.room;
  *executor   = new Ranks(ranks, n);
  PetscFunctionReturn(PETSC_SUCCESS);
}
