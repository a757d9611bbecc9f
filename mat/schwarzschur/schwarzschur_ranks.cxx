/*
  Rows and vectors of a distributed matrix on their way to the ranks whose fronts need them, and back.
*/
#include "mat/schwarzschur/schwarzschur_ranks.h"
#include "mat/compat/petscversion.h"
#include <petscsf.h>
#include <map>
#include <unistd.h>
#include <utility>
#include <vector>

/* A coupling of the octahedral topology, in one of the two blocks of the local rows */
typedef struct {
  int      block;
  PetscInt at;
} GlueValue;

struct SchwarzSchurRanks {
  MPI_Comm                comm;
  PetscMPIInt             size, rank;
  Plan                   *plan;
  PetscInt                n, slots; /* rows of this rank, entries of each without gaps */
  StructuredGridNumbering numbering;
  int                    *slot[2]; /* of each entry of the two blocks, -1 for glue */
  PetscInt                nglue;
  GlueValue              *glue;
  PetscMPIInt            *gluecount, *glueshift; /* of all ranks */
  PetscScalar            *gluevalue, *ownglue;

  TreeRanks   *tree;
  PetscSF      rows, vectors; /* from the rows of the matrix to those that the fronts need, and to the unknowns that are solved for here */
  MPI_Datatype unit;
  PetscInt     nneeds, nowns; /* in unknowns */
  PetscScalar *full, *needed, *own;
  PetscInt     nrhs; /* that own has room for */

  SchwarzSchurRanksInfo info;
};

static PetscErrorCode SchwarzSchurRanksReset(SchwarzSchurRanks *ranks)
{
  PetscFunctionBegin;
  TreeRanksDestroy(ranks->tree);
  ranks->tree = nullptr;
  PetscCall(PetscSFDestroy(&ranks->rows));
  PetscCall(PetscSFDestroy(&ranks->vectors));
  PetscCall(PetscFree(ranks->needed));
  PetscCall(PetscFree(ranks->own));
  ranks->nrhs = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurRanksDestroy(SchwarzSchurRanks **ranks)
{
  SchwarzSchurRanks *r = *ranks;

  PetscFunctionBegin;
  if (!r) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SchwarzSchurRanksReset(r));
  PetscCall(StructuredGridNumberingDestroy(&r->numbering));
  for (int k = 0; k < 2; k++) PetscCall(PetscFree(r->slot[k]));
  PetscCall(PetscFree(r->glue));
  PetscCall(PetscFree(r->gluecount));
  PetscCall(PetscFree(r->glueshift));
  PetscCall(PetscFree(r->gluevalue));
  PetscCall(PetscFree(r->ownglue));
  PetscCall(PetscFree(r->full));
  if (r->unit != MPI_DATATYPE_NULL) PetscCallMPI(MPI_Type_free(&r->unit));
  PetscCall(PetscFree(r));
  *ranks = nullptr;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Couplings across the frame are few beside the unknowns of the frame's front, so every rank has them all */
static PetscErrorCode RanksShareGlue(SchwarzSchurRanks *r, const std::vector<PetscInt> &pairs)
{
  PetscMPIInt n, total = 0;
  PlanGlue   *glue;
  PetscInt   *all;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(r->size, &r->gluecount));
  PetscCall(PetscMalloc1(r->size, &r->glueshift));
  PetscCall(PetscMPIIntCast((PetscInt)pairs.size(), &n));
  PetscCallMPI(MPI_Allgather(&n, 1, MPI_INT, r->gluecount, 1, MPI_INT, r->comm));
  for (PetscMPIInt k = 0; k < r->size; k++) {
    r->glueshift[k] = total;
    total += r->gluecount[k];
  }
  PetscCall(PetscMalloc1(total, &all));
  PetscCallMPI(MPI_Allgatherv(pairs.data(), n, MPIU_INT, all, r->gluecount, r->glueshift, MPIU_INT, r->comm));
  glue = PlanSetGlue(r->plan, total / 2);
  for (PetscInt k = 0; k < total / 2; k++) glue[k] = {(int)all[2 * k], (int)all[2 * k + 1], k};
  PetscCall(PetscFree(all));
  for (PetscMPIInt k = 0; k < r->size; k++) {
    r->gluecount[k] /= 2;
    r->glueshift[k] /= 2;
  }
  PetscCall(PetscMalloc1(total / 2, &r->gluevalue));
  PetscCall(PetscMalloc1(r->nglue, &r->ownglue));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where the entries of the local rows stand in the stencil */
static PetscErrorCode RanksFindSlots(SchwarzSchurRanks *r, Mat A)
{
  const Plan            *plan = r->plan;
  const PetscInt         dof  = plan->grid.dof;
  Mat                    block[2];
  const PetscInt        *columns;
  PetscInt               first;
  std::vector<PetscInt>  pairs, natural[2]; /* numbers of the columns of both blocks */
  std::vector<GlueValue> glue;
  const FramePositions   frame(plan);
  StencilSlots           slots(plan);

  PetscFunctionBegin;
  PetscCall(MatGetOwnershipRange(A, &first, nullptr));
  PetscCall(MatMPIAIJGetSeqAIJ(A, &block[0], &block[1], &columns));
  for (int b = 0; b < 2; b++) {
    PetscInt n;

    PetscCall(MatGetSize(block[b], nullptr, &n));
    natural[b].resize((size_t)n);
    for (PetscInt j = 0; j < n; j++) natural[b][(size_t)j] = StructuredGridNumberingNatural(&r->numbering, b ? columns[j] : first + j);
  }
  for (int b = 0; b < 2; b++) {
    SchwarzSchurRows rows;

    PetscCall(SchwarzSchurGetRows(block[b], PETSC_FALSE, &rows));
    PetscCall(PetscMalloc1(rows.ia[rows.n], &r->slot[b]));
    for (PetscInt i = 0; i < rows.n; i++) {
      const PetscInt row = natural[0][(size_t)i], p = row / dof;

      slots.Row(p);
      for (PetscInt e = rows.ia[i]; e < rows.ia[i + 1]; e++) {
        const PetscInt column = natural[b][(size_t)rows.ja[e]], q = column / dof;
        const int      k = slots.Of(q);

        r->slot[b][e] = k < 0 ? -1 : (int)(k * dof + column % dof);
        if (k < 0) {
          glue.push_back({b, e});
          pairs.push_back(frame.Of(p) * dof + row % dof);
          pairs.push_back(frame.Of(q) * dof + column % dof);
        }
      }
    }
    PetscCall(SchwarzSchurRestoreRows(block[b], &rows));
  }
  r->nglue = (PetscInt)glue.size();
  PetscCall(PetscMalloc1(r->nglue, &r->glue));
  PetscCall(PetscArraycpy(r->glue, glue.data(), r->nglue));
  if (plan->grid.topology == PLAN_OCTAHEDRAL) PetscCall(RanksShareGlue(r, pairs));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurRanksCreate(Mat A, const StructuredGridHints *hints, Plan *plan, SchwarzSchurRanks **ranks)
{
  SchwarzSchurRanks *r;
  PetscMPIInt        slots;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  *ranks   = r;
  r->comm  = PetscObjectComm((PetscObject)A);
  r->plan  = plan;
  r->unit  = MPI_DATATYPE_NULL;
  r->slots = (PetscInt)plan->nstencil * plan->grid.dof;
  PetscCallMPI(MPI_Comm_size(r->comm, &r->size));
  PetscCallMPI(MPI_Comm_rank(r->comm, &r->rank));
  PetscCall(MatGetLocalSize(A, &r->n, nullptr));
  PetscCall(StructuredGridGetNumbering(A, nullptr, hints, &r->numbering));
  PetscCall(RanksFindSlots(r, A));
  PetscCall(PetscMPIIntCast(r->slots, &slots));
  PetscCallMPI(MPI_Type_contiguous(slots, MPIU_SCALAR, &r->unit));
  PetscCallMPI(MPI_Type_commit(&r->unit));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* From the rows of the matrix, where they are, to the unknowns of some points, one after the other */
static PetscErrorCode RanksCreateSF(SchwarzSchurRanks *r, PetscInt npoint, const PetscInt point[], PetscSF *sf)
{
  const PetscInt dof = r->plan->grid.dof;
  PetscSFNode   *remote;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(npoint * dof, &remote));
  for (PetscInt i = 0; i < npoint; i++) {
    for (PetscInt a = 0; a < dof; a++) {
      PetscInt rank, local;

      StructuredGridNumberingFind(&r->numbering, r->size, point[i] * dof + a, &rank, &local);
      remote[i * dof + a].rank  = rank;
      remote[i * dof + a].index = local;
    }
  }
  PetscCall(PetscSFCreate(r->comm, sf));
  PetscCall(PetscSFSetGraph(*sf, r->n, npoint * dof, nullptr, PETSC_OWN_POINTER, remote, PETSC_OWN_POINTER));
  PetscCall(PetscSFSetUp(*sf));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode RanksCheckMessages(SchwarzSchurRanks *r, int failed)
{
  PetscFunctionBegin;
  PetscCheck(failed != FRONT_RANKS_MESSAGE, r->comm, PETSC_ERR_MPI, "A message between the processes of a front failed");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sums over the ranks, and what the ranks of each machine need together */
static PetscErrorCode RanksUpdateInfo(SchwarzSchurRanks *r, PetscBool memory)
{
  const TreeRanksInfo of   = TreeRanksGetInfo(r->tree);
  const double        need = of.own.bytes + of.own.stack_bytes + ((double)r->n + (double)r->nneeds) * (double)r->slots * sizeof(PetscScalar);
  double              mine[8], all[8], most[4];
  TreeMap            *map;

  PetscFunctionBegin;
  r->info.own   = of.own;
  r->info.total = of.own;
  r->info.size  = r->size;
  mine[0]       = of.own.entries;
  mine[1]       = of.own.flops;
  mine[2]       = of.own.bytes;
  mine[3]       = of.own.stack_bytes;
  mine[4]       = of.own.batches;
  mine[5]       = of.own.blocks;
  mine[6]       = of.own.replaced;
  mine[7]       = of.own.tasks;
  CompatCallAllreduce(mine, all, 8, MPI_DOUBLE, MPI_SUM, r->comm);
  r->info.total.entries     = all[0];
  r->info.total.flops       = all[1];
  r->info.total.bytes       = all[2];
  r->info.total.stack_bytes = all[3];
  r->info.total.batches     = all[4];
  r->info.total.blocks      = all[5];
  r->info.total.replaced    = all[6];
  r->info.total.tasks       = (int)all[7];
  mine[0]                   = -of.own.ratio;
  mine[1]                   = of.own.flops;
  mine[2]                   = need;
  mine[3]                   = of.own.threads;
  CompatCallAllreduce(mine, most, 4, MPI_DOUBLE, MPI_MAX, r->comm);
  r->info.total.ratio   = -most[0];
  r->info.share         = all[1] > 0 ? most[1] / all[1] : 1;
  r->info.bytes         = most[2];
  r->info.total.threads = (int)most[3];
  if (!memory) PetscFunctionReturn(PETSC_SUCCESS);
  map = TreeMapCreate(r->plan, r->size);
  PetscCheck(map, PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory while the fronts were laid out");
  const TreeMapCount count = TreeMapCounts(map);
  TreeMapDestroy(map);
  r->info.nlocal = count.nlocal;
  r->info.nfront = count.nfront;
  /* The machine that is fullest */
  char                                        host[256] = "";
  unsigned long long                          hash      = 1469598103934665603ull;
  std::vector<double>                         of_ranks(3 * (size_t)r->size);
  std::map<double, std::pair<double, double>> machine;

  PetscCall(PetscGetHostName(host, sizeof(host)));
  for (const char *c = host; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211ull;
  mine[0] = (double)(hash >> 12);
  mine[1] = need;
  mine[2] = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  PetscCallMPI(MPI_Allgather(mine, 3, MPI_DOUBLE, of_ranks.data(), 3, MPI_DOUBLE, r->comm));
  for (PetscMPIInt k = 0; k < r->size; k++) {
    std::pair<double, double> &m = machine[of_ranks[3 * k]];

    m.first += of_ranks[3 * k + 1];
    m.second = of_ranks[3 * k + 2];
  }
  r->info.used = 0;
  r->info.room = 1;
  for (const auto &m : machine) {
    if (m.second.first * r->info.room < r->info.used * m.second.second) continue;
    r->info.used = m.second.first;
    r->info.room = m.second.second;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurRanksLayOut(SchwarzSchurRanks *r, const TreeRanksOptions *options, PetscBool *done)
{
  TreeRanksOptions own = *options;
  const PetscInt  *point;
  PetscInt         n;
  int              failed;

  PetscFunctionBegin;
  PetscCall(SchwarzSchurRanksReset(r));
  own.comm = r->comm;
  r->tree  = TreeRanksCreate(r->plan, &own, &failed);
  PetscCall(RanksCheckMessages(r, failed));
  *done = (PetscBool)(r->tree != nullptr);
  if (!r->tree) PetscFunctionReturn(PETSC_SUCCESS);
  n         = TreeRanksNeeds(r->tree, &point);
  r->nneeds = n * r->plan->grid.dof;
  PetscCall(RanksCreateSF(r, n, point, &r->rows));
  n        = TreeRanksOwns(r->tree, &point);
  r->nowns = n * r->plan->grid.dof;
  PetscCall(RanksCreateSF(r, n, point, &r->vectors));
  PetscCall(RanksUpdateInfo(r, PETSC_TRUE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The first entry that is not finite on any rank, in PETSc's numbers; -1 where there is none */
static PetscErrorCode RanksFindNonfinite(SchwarzSchurRanks *r, Mat A, const SchwarzSchurRows rows[2], const PetscInt *columns, PetscInt bad[2])
{
  PetscInt    first, where[2] = {PETSC_MAX_INT, -1}, row, at;
  PetscMPIInt root = 0, all;
  int         block;

  PetscFunctionBegin;
  PetscCall(MatGetOwnershipRange(A, &first, nullptr));
  if (SchwarzSchurFindNonfinite(2, rows, &row, &block, &at)) {
    where[0] = first + row;
    where[1] = block ? columns[rows[1].ja[at]] : first + rows[0].ja[at];
  }
  CompatCallAllreduce(&where[0], &bad[0], 1, MPIU_INT, MPI_MIN, r->comm);
  bad[1] = -1;
  if (bad[0] == PETSC_MAX_INT) {
    bad[0] = -1;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (bad[0] == where[0]) root = r->rank;
  CompatCallAllreduce(&root, &all, 1, MPI_INT, MPI_MAX, r->comm);
  bad[1] = where[1];
  PetscCallMPI(MPI_Bcast(&bad[1], 1, MPIU_INT, all, r->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The local rows without gaps, and the norms of all ranks */
static PetscErrorCode RanksFill(SchwarzSchurRanks *r, Mat A, SchwarzSchurNorms *norms, PetscInt bad[2])
{
  Mat               block[2];
  const PetscInt   *columns;
  SchwarzSchurRows  rows[2];
  SchwarzSchurNorms own;

  PetscFunctionBegin;
  PetscCall(MatMPIAIJGetSeqAIJ(A, &block[0], &block[1], &columns));
  for (int b = 0; b < 2; b++) PetscCall(SchwarzSchurGetRows(block[b], PETSC_TRUE, &rows[b]));
  SchwarzSchurMeasure(2, rows, &own);
  PetscCall(PetscArrayzero(r->full, (size_t)r->n * r->slots));
  for (PetscInt i = 0; i < r->n; i++) {
    PetscScalar *to = r->full + (size_t)i * r->slots;

    for (int b = 0; b < 2; b++) {
      for (PetscInt k = rows[b].ia[i]; k < rows[b].ia[i + 1]; k++) {
        if (r->slot[b][k] >= 0) to[r->slot[b][k]] = rows[b].aa[k];
      }
    }
  }
  for (PetscInt k = 0; k < r->nglue; k++) r->ownglue[k] = rows[r->glue[k].block].aa[r->glue[k].at];
  const PetscReal mine[4] = {own.sum, own.entry, -own.least, own.finite ? 0. : 1.};
  PetscReal       all[4];
  CompatCallAllreduce(mine, all, 4, MPIU_REAL, MPIU_MAX, r->comm);
  norms->sum    = all[0];
  norms->entry  = all[1];
  norms->least  = -all[2];
  norms->finite = (PetscBool)(all[3] == 0);
  if (!norms->finite) PetscCall(RanksFindNonfinite(r, A, rows, columns, bad));
  for (int b = 0; b < 2; b++) PetscCall(SchwarzSchurRestoreRows(block[b], &rows[b]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurRanksNumeric(SchwarzSchurRanks *r, Mat A, SchwarzSchurNorms *norms, PetscInt bad[2], int *failed)
{
  PetscFunctionBegin;
  if (!r->full) PetscCall(PetscMalloc1((size_t)r->n * r->slots, &r->full));
  if (!r->needed) PetscCall(PetscMalloc1((size_t)r->nneeds * r->slots, &r->needed));
  PetscCall(RanksFill(r, A, norms, bad));
  if (!norms->finite) {
    /* Entries may be finite although the sum of a row is not */
    *failed = bad[0] < 0 ? SCHWARZSCHUR_OVERFLOW : SCHWARZSCHUR_NOT_FINITE;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscSFBcastBegin(r->rows, r->unit, r->full, r->needed, MPI_REPLACE));
  PetscCall(PetscSFBcastEnd(r->rows, r->unit, r->full, r->needed, MPI_REPLACE));
  if (r->gluecount) PetscCallMPI(MPI_Allgatherv(r->ownglue, (PetscMPIInt)r->nglue, MPIU_SCALAR, r->gluevalue, r->gluecount, r->glueshift, MPIU_SCALAR, r->comm));
  *failed = TreeRanksNumeric(r->tree, r->needed, r->gluevalue, norms->entry);
  PetscCall(RanksCheckMessages(r, *failed));
  PetscCall(RanksUpdateInfo(r, PETSC_FALSE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurRanksSolve(SchwarzSchurRanks *r, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx)
{
  int failed;

  PetscFunctionBegin;
  if (nrhs > r->nrhs) {
    PetscCall(PetscFree(r->own));
    PetscCall(PetscMalloc1((size_t)r->nowns * nrhs, &r->own));
    r->nrhs = nrhs;
  }
  for (PetscInt q = 0; q < nrhs; q++) {
    PetscCall(PetscSFBcastBegin(r->vectors, MPIU_SCALAR, b + (size_t)q * ldb, r->own + (size_t)q * r->nowns, MPI_REPLACE));
    PetscCall(PetscSFBcastEnd(r->vectors, MPIU_SCALAR, b + (size_t)q * ldb, r->own + (size_t)q * r->nowns, MPI_REPLACE));
  }
  failed = TreeRanksSolve(r->tree, trans, (int)nrhs, r->own, r->nowns, r->own, r->nowns);
  PetscCall(RanksCheckMessages(r, failed));
  PetscCheck(!failed, r->comm, PETSC_ERR_MEM, "Out of memory for a solve with %" PetscInt_FMT " right-hand sides: solve for fewer at a time", nrhs);
  for (PetscInt q = 0; q < nrhs; q++) {
    PetscCall(PetscSFReduceBegin(r->vectors, MPIU_SCALAR, r->own + (size_t)q * r->nowns, x + (size_t)q * ldx, MPI_REPLACE));
    PetscCall(PetscSFReduceEnd(r->vectors, MPIU_SCALAR, r->own + (size_t)q * r->nowns, x + (size_t)q * ldx, MPI_REPLACE));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SchwarzSchurRanksGetInfo(const SchwarzSchurRanks *ranks, SchwarzSchurRanksInfo *info)
{
  *info = ranks->info;
}

MPI_Comm SchwarzSchurRanksComm(const SchwarzSchurRanks *ranks)
{
  return ranks->comm;
}

const StructuredGridNumbering *SchwarzSchurRanksNumbering(const SchwarzSchurRanks *ranks)
{
  return &ranks->numbering;
}
