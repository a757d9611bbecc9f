/*
  Rows and vectors of a distributed matrix on their way to the ranks whose fronts need them, and back.
*/
#include "mat/schwarzschur/schwarzschur_ranks.h"
#include "mat/compat/petscversion.h"
#include <petscsf.h>
#include <algorithm>
#include <cmath>
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
  Vec          left, right;

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
  PetscCall(VecDestroy(&r->left));
  PetscCall(VecDestroy(&r->right));
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
  const Plan                                *plan = r->plan;
  const PlanGrid                            &g    = plan->grid;
  const PetscInt                             dof  = g.dof;
  const PlanClass                           *root = &plan->cls[plan->root];
  Mat                                        block[2];
  const PetscInt                            *columns;
  PetscInt                                   first;
  std::vector<PetscInt>                      linear(plan->nstencil), pairs, natural[2]; /* numbers of the columns of both blocks */
  std::vector<std::pair<PetscInt, PetscInt>> frame;                                     /* its points, and their positions in the root's front */
  std::vector<GlueValue>                     glue;
  bool                                       distinct = true;

  PetscFunctionBegin;
  for (int k = 0; k < plan->nstencil; k++) {
    linear[k] = plan->stencil[k][0] + g.size[0] * (plan->stencil[k][1] + g.size[1] * (PetscInt)plan->stencil[k][2]);
    if (k && linear[k] <= linear[k - 1]) distinct = false;
  }
  if (g.topology == PLAN_OCTAHEDRAL) {
    for (int k = 0; k < root->m; k++) frame.push_back({plan->rootorigin + root->offset[k], k});
    std::sort(frame.begin(), frame.end());
  }
  const auto position = [&](PetscInt p) {
    const auto found = std::lower_bound(frame.begin(), frame.end(), std::make_pair(p, (PetscInt)0));

    return found != frame.end() && found->first == p ? found->second : -1;
  };
  PetscCall(MatGetOwnershipRange(A, &first, nullptr));
  PetscCall(MatMPIAIJGetSeqAIJ(A, &block[0], &block[1], &columns));
  for (int b = 0; b < 2; b++) {
    PetscInt n;

    PetscCall(MatGetSize(block[b], nullptr, &n));
    natural[b].resize((size_t)n);
    for (PetscInt j = 0; j < n; j++) natural[b][(size_t)j] = StructuredGridNumberingNatural(&r->numbering, r->size, b ? columns[j] : first + j);
  }
  for (int b = 0; b < 2; b++) {
    PetscInt        n;
    const PetscInt *ia, *ja;
    PetscBool       done;

    PetscCall(MatGetRowIJ(block[b], 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
    PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "The pattern of the matrix cannot be read: convert it with -mat_type aij");
    PetscCall(PetscMalloc1(ia[n], &r->slot[b]));
    for (PetscInt i = 0; i < n; i++) {
      const PetscInt row = natural[0][(size_t)i], p = row / dof, c[3] = {p % g.size[0], p / g.size[0] % g.size[1], p / g.size[0] / g.size[1]};
      bool           inner = distinct;

      for (int d = 0; d < g.dim; d++) inner = inner && c[d] >= g.width && c[d] < g.size[d] - g.width;
      for (PetscInt e = ia[i]; e < ia[i + 1]; e++) {
        const PetscInt column = natural[b][(size_t)ja[e]], q = column / dof;
        int            k;

        if (inner) {
          k = (int)(std::lower_bound(linear.begin(), linear.end(), q - p) - linear.begin());
          if (k == plan->nstencil || linear[k] != q - p) k = -1;
        } else {
          k = PlanSlot(plan, p, q);
        }
        r->slot[b][e] = k < 0 ? -1 : (int)(k * dof + column % dof);
        if (k < 0) {
          glue.push_back({b, e});
          pairs.push_back(position(p) * dof + row % dof);
          pairs.push_back(position(q) * dof + column % dof);
        }
      }
    }
    PetscCall(MatRestoreRowIJ(block[b], 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  }
  r->nglue = (PetscInt)glue.size();
  PetscCall(PetscMalloc1(r->nglue, &r->glue));
  PetscCall(PetscArraycpy(r->glue, glue.data(), r->nglue));
  if (g.topology == PLAN_OCTAHEDRAL) PetscCall(RanksShareGlue(r, pairs));
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
  PetscCall(MatCreateVecs(A, &r->right, &r->left));
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

/* The first entry that is not finite, in PETSc's numbers; an error on all ranks where there is one */
static PetscErrorCode RanksCheckFinite(SchwarzSchurRanks *r, Mat A, const Mat block[2], const PetscInt *columns)
{
  PetscInt    first, where[2] = {PETSC_MAX_INT, -1}, row, column;
  PetscMPIInt root = 0, all;

  PetscFunctionBegin;
  PetscCall(MatGetOwnershipRange(A, &first, nullptr));
  for (int b = 0; b < 2; b++) {
    PetscInt           n;
    const PetscInt    *ia, *ja;
    const PetscScalar *aa;
    PetscBool          done;

    PetscCall(MatGetRowIJ(block[b], 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
    PetscCall(MatSeqAIJGetArrayRead(block[b], &aa));
    for (PetscInt i = 0; i < n && first + i < where[0]; i++) {
      for (PetscInt k = ia[i]; k < ia[i + 1]; k++) {
        if (!PetscIsInfOrNanScalar(aa[k])) continue;
        where[0] = first + i;
        where[1] = b ? columns[ja[k]] : first + ja[k];
        break;
      }
    }
    PetscCall(MatSeqAIJRestoreArrayRead(block[b], &aa));
    PetscCall(MatRestoreRowIJ(block[b], 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  }
  CompatCallAllreduce(&where[0], &row, 1, MPIU_INT, MPI_MIN, r->comm);
  if (row == PETSC_MAX_INT) PetscFunctionReturn(PETSC_SUCCESS);
  if (row == where[0]) root = r->rank;
  CompatCallAllreduce(&root, &all, 1, MPI_INT, MPI_MAX, r->comm);
  column = where[1];
  PetscCallMPI(MPI_Bcast(&column, 1, MPIU_INT, all, r->comm));
  SETERRQ(r->comm, PETSC_ERR_FP, "Entry (%" PetscInt_FMT ", %" PetscInt_FMT ") of the matrix is not finite: correct the assembly", row, column);
}

/* The local rows without gaps, and their norms: the largest sum of a row and the largest entry of all ranks */
static PetscErrorCode RanksFill(SchwarzSchurRanks *r, Mat A, double norms[2])
{
  Mat                block[2];
  const PetscInt    *columns, *ia[2], *ja[2];
  const PetscScalar *aa[2];
  PetscInt           n;
  PetscBool          done, finite = PETSC_TRUE;
  double             mine[3] = {0, 0, 0}, all[3];

  PetscFunctionBegin;
  PetscCall(MatMPIAIJGetSeqAIJ(A, &block[0], &block[1], &columns));
  for (int b = 0; b < 2; b++) {
    PetscCall(MatGetRowIJ(block[b], 0, PETSC_FALSE, PETSC_FALSE, &n, &ia[b], &ja[b], &done));
    PetscCall(MatSeqAIJGetArrayRead(block[b], &aa[b]));
  }
  PetscCall(PetscArrayzero(r->full, (size_t)r->n * r->slots));
  for (PetscInt i = 0; i < r->n; i++) {
    PetscScalar *to  = r->full + (size_t)i * r->slots;
    double       sum = 0;

    for (int b = 0; b < 2; b++) {
      for (PetscInt k = ia[b][i]; k < ia[b][i + 1]; k++) {
        const double v = PetscAbsScalar(aa[b][k]);

        sum += v;
        mine[1] = v > mine[1] ? v : mine[1];
        if (r->slot[b][k] >= 0) to[r->slot[b][k]] = aa[b][k];
      }
    }
    /* NaN compares with nothing and would be lost in a maximum */
    if (PetscIsInfOrNanReal(sum)) finite = PETSC_FALSE;
    if (sum > mine[0]) mine[0] = sum;
  }
  for (PetscInt k = 0; k < r->nglue; k++) r->ownglue[k] = aa[r->glue[k].block][r->glue[k].at];
  for (int b = 0; b < 2; b++) {
    PetscCall(MatSeqAIJRestoreArrayRead(block[b], &aa[b]));
    PetscCall(MatRestoreRowIJ(block[b], 0, PETSC_FALSE, PETSC_FALSE, &n, &ia[b], &ja[b], &done));
  }
  mine[2] = !finite;
  if (!finite) mine[0] = mine[1] = 0;
  CompatCallAllreduce(mine, all, 3, MPI_DOUBLE, MPI_MAX, r->comm);
  norms[0] = all[0];
  norms[1] = all[1];
  if (all[2] > 0) PetscCall(RanksCheckFinite(r, A, block, columns));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurRanksNumeric(SchwarzSchurRanks *r, Mat A, PetscReal *norm, int *failed)
{
  double norms[2] = {0, 0};

  PetscFunctionBegin;
  if (!r->full) PetscCall(PetscMalloc1((size_t)r->n * r->slots, &r->full));
  if (!r->needed) PetscCall(PetscMalloc1((size_t)r->nneeds * r->slots, &r->needed));
  PetscCall(RanksFill(r, A, norms));
  *norm = norms[0];
  PetscCall(PetscSFBcastBegin(r->rows, r->unit, r->full, r->needed, MPI_REPLACE));
  PetscCall(PetscSFBcastEnd(r->rows, r->unit, r->full, r->needed, MPI_REPLACE));
  if (r->gluecount) PetscCallMPI(MPI_Allgatherv(r->ownglue, (PetscMPIInt)r->nglue, MPIU_SCALAR, r->gluevalue, r->gluecount, r->glueshift, MPIU_SCALAR, r->comm));
  *failed = TreeRanksNumeric(r->tree, r->needed, r->gluevalue, norms[1]);
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

PetscErrorCode SchwarzSchurRanksResidual(SchwarzSchurRanks *r, Mat A, PetscReal norm, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, const PetscScalar *x, PetscInt ldx, PetscScalar *rr, PetscReal *error)
{
  std::vector<double> size(3 * (size_t)nrhs, 0.0), all(3 * (size_t)nrhs);

  PetscFunctionBegin;
  for (PetscInt q = 0; q < nrhs; q++) {
    const PetscScalar *bq = b + (size_t)q * ldb, *xq = x + (size_t)q * ldx;
    PetscScalar       *rq = rr + (size_t)q * r->n;

    PetscCall(VecPlaceArray(r->right, xq));
    PetscCall(VecPlaceArray(r->left, rq));
    if (trans == FACTOR_NOTRANS)
      PetscCall(MatMult(A, r->right, r->left));
    else
      PetscCall(MatMultTranspose(A, r->right, r->left));
    PetscCall(VecResetArray(r->left));
    PetscCall(VecResetArray(r->right));
    for (PetscInt i = 0; i < r->n; i++) {
      double v[3];

      rq[i] = bq[i] - rq[i];
      v[0]  = PetscAbsScalar(rq[i]);
      v[1]  = PetscAbsScalar(xq[i]);
      v[2]  = PetscAbsScalar(bq[i]);
      /* NaN would be lost in the maximum of the ranks */
      for (int k = 0; k < 3; k++) {
        if (!(v[k] <= size[3 * q + k])) size[3 * q + k] = PetscIsInfOrNanReal(v[k]) ? INFINITY : v[k];
      }
    }
  }
  CompatCallAllreduce(size.data(), all.data(), (PetscMPIInt)(3 * nrhs), MPI_DOUBLE, MPI_MAX, r->comm);
  *error = 0;
  for (PetscInt q = 0; q < nrhs; q++) {
    PetscReal e = all[3 * q] / (norm * all[3 * q + 1] + all[3 * q + 2]);

    if (all[3 * q] == 0) e = 0;
    if (!(e <= *error)) *error = PetscIsInfOrNanReal(e) ? PETSC_MAX_REAL : e;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SchwarzSchurRanksGetInfo(const SchwarzSchurRanks *ranks, SchwarzSchurRanksInfo *info)
{
  *info = ranks->info;
}
