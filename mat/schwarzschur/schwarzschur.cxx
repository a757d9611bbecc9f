/*
  MATSOLVERSCHWARZSCHUR: the structured-grid direct solver as PETSc sees it. The numbers are worked on in factor_host.cxx and factor_cuda.cu, and for
  matrices that are spread over ranks behind schwarzschur_ranks.h.
*/
#include "petlap.h"
#include <petsc/private/matimpl.h>
#include "mat/compat/petscversion.h"
#include "mat/grid/structuredgrid.h"
#include "mat/schwarzschur/factor.h"
#include "mat/schwarzschur/factor_cuda.h"
#include "mat/schwarzschur/schwarzschur_ranks.h"
#include "mat/compat/backend.h"
#include <cmath>
#include <cstring>
#include <unistd.h>

#define SCHWARZSCHUR_DEFAULT_REFINE          2
#define SCHWARZSCHUR_DEFAULT_REFINE_SINGLE   10
#define SCHWARZSCHUR_DEFAULT_THREADS         1
#define SCHWARZSCHUR_DEFAULT_PIVOT_THRESHOLD 0.1
/* Backward errors: the one that refinement aims at, the one from which on it is worth its time, and the one above which no answer is given */
#define SCHWARZSCHUR_GOOD    (8 * PETSC_MACHINE_EPSILON)
#define SCHWARZSCHUR_FAIR    (256 * PETSC_MACHINE_EPSILON)
#define SCHWARZSCHUR_USELESS 1e-8
/* What refinement reaches when only pivots, and not the matrix, were zero */
#define SCHWARZSCHUR_REGULAR 1e-12
/* Part of the machine's memory that a factorization may take */
#define SCHWARZSCHUR_MEMORY 0.9

static const char *const MatSchwarzSchurModes[]      = {"AUTO", "LU", "SYMMETRIC", "SPD", "MatSchwarzSchurMode", "MATSCHWARZSCHUR_", nullptr};
static const char *const MatSchwarzSchurPrecisions[] = {"DOUBLE", "SINGLE", "MatSchwarzSchurPrecision", "MATSCHWARZSCHUR_", nullptr};
/* Whether fronts of the same shape share their factors */
typedef enum { CONSTANT_AUTO, CONSTANT_NO, CONSTANT_YES } SchwarzSchurConstant;
static const char *const SchwarzSchurConstants[]     = {"AUTO", "NO", "YES", "SchwarzSchurConstant", "CONSTANT_", nullptr};
static const char *const MatSchwarzSchurSeparators[] = {"auto", "straight", "diagonal"};
static const char *const MatSchwarzSchurTopologies[] = {"PLAIN", "OCTAHEDRAL", "MatSchwarzSchurTopology", "MATSCHWARZSCHUR_", nullptr};

typedef struct {
  /* What was asked for */
  StructuredGridHints      hints;
  MatSchwarzSchurMode      mode;
  MatSchwarzSchurPrecision precision;
  PetscInt                 refine, threads, block, leaf, separators;
  PetscReal                threshold, memory; /* MB */
  char                     isa[32];
  SchwarzSchurConstant     constant;
  PetlapBackend            backend;
  PetscInt                 batch;          /* grids of the same shape that A holds as diagonal blocks */
  PetscInt                 small, columns; /* tuning of the device's factorization */
  PetscBool                profile;

  /* What the matrix made of it */
  StructuredGrid     grid;
  Plan              *plan;
  Factor           **factor; /* of each grid on the host, or all of them on the device */
  PetscInt           nfactor;
  FactorCuda        *cuda;
  SchwarzSchurRanks *ranks;                   /* of a matrix that is spread over ranks; arrays then hold the rows of this one */
  PetscBool          laid;                    /* whether its factors are laid out */
  PetscInt           local;                   /* rows of this rank */
  PetscBool          held, ondevice, compare; /* whether A has its values on the device; where the factors are; whether the host's are kept beside them, for -petlap_check */
  PetscBool          fellback;                /* pivots of the device did not do */
  PetscBool          timing;                  /* PETSc's clock of the device runs */
  double             replaced, ratio;         /* of a factorization on the device, as in FactorInfo */
  FactorMode         used;
  PetscBool          hermitian, single, indefinite, toosmall, shared; /* not positive definite, single precision did not do: found out by an earlier factorization */
  PetscInt           nsymbolic, nnumeric;
  double             nnz;

  /* Refinement needs the matrix as it was factored */
  Mat              A;
  PetscObjectId    id; /* of the matrix whose values were read last, and of what state */
  PetscObjectState state;
  PetscReal        norm;
  PetscBool        check; /* off once a solve has shown that nothing needs refining */
  PetscInt         nrefined;
  PetscReal        error; /* backward error of the last solve that was checked */

  /* A with gaps in its stencil is copied to a form without */
  PetscInt       *start;
  PetscScalar    *full;
  unsigned short *slot;
  PetscBool       filled; /* full has the values that were read last; those that go from device to device pass it by */
} Mat_SchwarzSchur;

static PetscLogEvent MAT_SSSymbolic, MAT_SSNumeric, MAT_SSSolve;
static PetscBool     SchwarzSchurCited      = PETSC_FALSE;
static const char    SchwarzSchurCitation[] = "@inproceedings{wang2025schwarz,\n"
                                              "  title     = {Schwarz-Schur Involution: Lightspeed Differentiable Sparse Linear Solvers},\n"
                                              "  author    = {Yu Wang and S. Mazdak Abulnaga and Ya{\\\"e}l Balbastre and Bruce Fischl},\n"
                                              "  booktitle = {Proceedings of the 42nd International Conference on Machine Learning},\n"
                                              "  year      = {2025}\n"
                                              "}\n";

/* ---- The executors as one. Arrays are where the executor works: in the host's memory, or in the device's. ---- */

/* What calls for an executor that does not exist */
#if defined(PETLAP_HAVE_CUDA)
  #define SchwarzSchurCuda(...) BackendCall(PETSC_COMM_SELF, __VA_ARGS__)
#else
  #define SchwarzSchurCuda(...) SETERRQ(PETSC_COMM_SELF, PETSC_ERR_PLIB, "petlap was configured without CUDA")
#endif

static PetscErrorCode MatSchwarzSchurDestroyFactors(Mat_SchwarzSchur *ss)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < ss->nfactor; k++) FactorDestroy(ss->factor[k]);
  ss->nfactor = 0;
  PetscCall(PetscFree(ss->factor));
#if defined(PETLAP_HAVE_CUDA)
  FactorCudaDestroy(ss->cuda);
#endif
  ss->cuda = nullptr;
  ss->laid = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscInt MatSchwarzSchurSize(const Mat_SchwarzSchur *ss)
{
  return ss->ranks ? ss->local : ss->batch * ss->plan->npoints * ss->plan->grid.dof;
}

static bool MatSchwarzSchurHasFactor(const Mat_SchwarzSchur *ss)
{
  if (ss->ranks) return ss->laid;
  return ss->ondevice ? ss->cuda != nullptr : ss->factor != nullptr;
}

/* Of all ranks together */
static FactorInfo MatSchwarzSchurGetFactorInfo(const Mat_SchwarzSchur *ss)
{
  if (ss->ranks) {
    SchwarzSchurRanksInfo ranks;

    SchwarzSchurRanksGetInfo(ss->ranks, &ranks);
    return ranks.total;
  }
#if defined(PETLAP_HAVE_CUDA)
  if (ss->ondevice) {
    const FactorCudaInfo cuda = FactorCudaGetInfo(ss->cuda);
    FactorInfo           info;

    memset(&info, 0, sizeof(info));
    info.isa         = "CUDA";
    info.entries     = cuda.entries;
    info.flops       = cuda.flops;
    info.bytes       = cuda.bytes;
    info.stack_bytes = cuda.stack_bytes;
    info.replaced    = ss->replaced;
    info.ratio       = ss->ratio;
    return info;
  }
#endif
  FactorInfo info = FactorGetInfo(ss->factor[0]);

  for (PetscInt k = 1; k < ss->nfactor; k++) {
    const FactorInfo of = FactorGetInfo(ss->factor[k]);

    info.entries += of.entries;
    info.flops += of.flops;
    info.bytes += of.bytes;
    info.stack_bytes += of.stack_bytes;
    info.batches += of.batches;
    info.blocks += of.blocks;
    info.replaced += of.replaced;
    if (of.ratio < info.ratio) info.ratio = of.ratio;
  }
  return info;
}

/* Of this rank */
static FactorInfo MatSchwarzSchurOwnInfo(const Mat_SchwarzSchur *ss)
{
  SchwarzSchurRanksInfo ranks;

  if (!ss->ranks) return MatSchwarzSchurGetFactorInfo(ss);
  SchwarzSchurRanksGetInfo(ss->ranks, &ranks);
  return ranks.own;
}

static PetscErrorCode MatSchwarzSchurSubstitute(Mat_SchwarzSchur *ss, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx)
{
  const PetscInt n = ss->plan->npoints * ss->plan->grid.dof;

  PetscFunctionBegin;
  if (ss->ranks) {
    PetscCall(SchwarzSchurRanksSolve(ss->ranks, trans, nrhs, b, ldb, x, ldx));
  } else if (ss->ondevice) {
    SchwarzSchurCuda(FactorCudaSolve(ss->cuda, trans, (int)nrhs, b, ldb, x, ldx));
  } else {
    for (PetscInt k = 0; k < ss->nfactor; k++)
      PetscCheck(FactorSolve(ss->factor[k], trans, (int)nrhs, b + k * n, ldb, x + k * n, ldx) == 0, PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory for a solve with %" PetscInt_FMT " right-hand sides: solve for fewer at a time", nrhs);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The same for one vector of the host's */
static PetscErrorCode MatSchwarzSchurSubstituteHost(Mat_SchwarzSchur *ss, const PetscScalar *b, PetscScalar *x)
{
  const PetscInt n  = MatSchwarzSchurSize(ss);
  void          *db = nullptr;

  PetscFunctionBegin;
  if (ss->ondevice) {
    SchwarzSchurCuda(FactorCudaVector(ss->cuda, 0, 1, &db));
    SchwarzSchurCuda(FactorCudaUpload(ss->cuda, 1, b, n, db));
    PetscCall(MatSchwarzSchurSubstitute(ss, FACTOR_NOTRANS, 1, (const PetscScalar *)db, n, (PetscScalar *)db, n));
    SchwarzSchurCuda(FactorCudaDownload(ss->cuda, 1, db, x, n));
  } else {
    PetscCall(MatSchwarzSchurSubstitute(ss, FACTOR_NOTRANS, 1, b, n, x, n));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* x += a d, where d is n x nrhs without gaps; x = a where there is no d */
static PetscErrorCode MatSchwarzSchurAdd(Mat_SchwarzSchur *ss, double a, PetscInt nrhs, const PetscScalar *d, PetscScalar *x, PetscInt ldx)
{
  const PetscInt n = MatSchwarzSchurSize(ss);

  PetscFunctionBegin;
  if (ss->ondevice) {
    SchwarzSchurCuda(d ? FactorCudaAdd(ss->cuda, a, (int)nrhs, d, x, ldx) : FactorCudaFill(ss->cuda, a, (int)nrhs, x, ldx));
  } else {
    for (PetscInt q = 0; q < nrhs; q++) {
      for (PetscInt i = 0; i < n; i++) x[i + (size_t)q * ldx] = d ? x[i + (size_t)q * ldx] + a * d[i + (size_t)q * n] : a;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Room for residuals and corrections of nrhs columns */
static PetscErrorCode MatSchwarzSchurGetWork(Mat_SchwarzSchur *ss, PetscInt nrhs, PetscScalar **r, PetscScalar **d)
{
  const size_t n = (size_t)MatSchwarzSchurSize(ss);

  PetscFunctionBegin;
  if (ss->ondevice) {
    SchwarzSchurCuda(FactorCudaVector(ss->cuda, 2, (int)nrhs, (void **)r));
    SchwarzSchurCuda(FactorCudaVector(ss->cuda, 3, (int)nrhs, (void **)d));
  } else {
    PetscCall(PetscMalloc2(n * nrhs, r, n * nrhs, d));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurRestoreWork(Mat_SchwarzSchur *ss, PetscScalar **r, PetscScalar **d)
{
  PetscFunctionBegin;
  if (!ss->ondevice) PetscCall(PetscFree2(*r, *d));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurReset(Mat_SchwarzSchur *ss)
{
  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurDestroyFactors(ss));
  PetscCall(SchwarzSchurRanksDestroy(&ss->ranks));
  ss->id = 0;
  PetscCall(MatDestroy(&ss->A));
  PlanDestroy(ss->plan);
  ss->plan = nullptr;
  PetscCall(PetscFree(ss->start));
  PetscCall(PetscFree(ss->full));
  PetscCall(PetscFree(ss->slot));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatDestroy_SchwarzSchur(Mat F)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  if (ss) PetscCall(MatSchwarzSchurReset(ss));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatFactorGetSolverType_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurSetGrid_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurGetGrid_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurSetMode_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurGetMode_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurSetPrecision_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurGetPrecision_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurSetBackend_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurSetBatch_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurGetBackend_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurGetBatch_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurSetRefine_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatSchwarzSchurGetRefine_C", nullptr));
  PetscCall(PetscFree(F->data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatFactorGetSolverType_SchwarzSchur(Mat F, MatSolverType *type)
{
  PetscFunctionBegin;
  (void)F;
  *type = MATSOLVERSCHWARZSCHUR;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The prefix of the options is only known now: PETSc sets it after the factor has been created */
static PetscErrorCode MatSchwarzSchurSetFromOptions(Mat F)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  PetscInt          size[4], n = 4;
  PetscBool         set, periodic[4];
  PetscEnum         value;

  PetscFunctionBegin;
  PetscOptionsBegin(PetscObjectComm((PetscObject)F), ((PetscObject)F)->prefix, "schwarzschur options", "Mat");
  PetscCall(PetscOptionsIntArray("-mat_schwarzschur_grid", "Grid points along x (fastest), y and z", "MatSchwarzSchurSetGrid", size, &n, &set));
  if (set) {
    PetscCheck(n <= 3, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_grid takes one to three sizes, and is given more");
    ss->hints.dim = n;
    for (PetscInt d = 0; d < 3; d++) ss->hints.size[d] = d < n ? size[d] : 1;
  }
  PetscCall(PetscOptionsInt("-mat_schwarzschur_dof", "Unknowns per grid point", "MatSchwarzSchurSetGrid", ss->hints.dof, &ss->hints.dof, nullptr));
  n = 4;
  PetscCall(PetscOptionsBoolArray("-mat_schwarzschur_periodic", "Directions in which the grid closes", "MatSchwarzSchurSetGrid", periodic, &n, &set));
  if (set) {
    PetscCheck(n <= 3, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_periodic takes one to three values, and is given more");
    ss->hints.nperiodic = n;
    for (PetscInt d = 0; d < 3; d++) ss->hints.periodic[d] = (PetscBool)(d < n && periodic[d]);
  }
  value = (PetscEnum)ss->hints.topology;
  PetscCall(PetscOptionsEnum("-mat_schwarzschur_topology", "What the edges of the grid are glued to", "MatSchwarzSchurSetGrid", MatSchwarzSchurTopologies, value, &value, nullptr));
  ss->hints.topology = (StructuredGridTopology)value;
  PetscCall(PetscOptionsEnum("-mat_schwarzschur_mode", "Factorization", "MatSchwarzSchurSetMode", MatSchwarzSchurModes, (PetscEnum)ss->mode, (PetscEnum *)&ss->mode, nullptr));
  PetscCall(PetscOptionsEnum("-mat_schwarzschur_precision", "Precision of the factors", "MatSchwarzSchurSetPrecision", MatSchwarzSchurPrecisions, (PetscEnum)ss->precision, (PetscEnum *)&ss->precision, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_refine", "Most steps of iterative refinement (negative: 2, or 10 for single precision)", "MatSchwarzSchurSetRefine", ss->refine, &ss->refine, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_threads", "Threads of this process", "", ss->threads, &ss->threads, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_block", "Side of the blocks that are eliminated several at a time (0: chosen)", "", ss->block, &ss->block, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_leaf", "Largest side of the smallest boxes (0: chosen)", "", ss->leaf, &ss->leaf, nullptr));
  PetscCall(PetscOptionsEList("-mat_schwarzschur_separators", "Lines that cut the grid", "", MatSchwarzSchurSeparators, 3, MatSchwarzSchurSeparators[ss->separators], &ss->separators, nullptr));
  PetscCall(PetscOptionsReal("-mat_schwarzschur_pivot_threshold", "A diagonal entry smaller than this part of its column gives way as pivot", "", ss->threshold, &ss->threshold, nullptr));
  PetscCall(PetscOptionsReal("-mat_schwarzschur_memory_limit", "Most memory to be taken, in MB (0: 90% of what the machine has)", "", ss->memory, &ss->memory, nullptr));
  PetscCall(PetscOptionsString("-mat_schwarzschur_isa", "Instruction set (avx512, avx2 or portable; by default the best there is)", "", ss->isa, ss->isa, sizeof(ss->isa), nullptr));
  PetscCall(PetscOptionsEnum("-mat_schwarzschur_backend", "Where the factors are; auto follows the matrix", "MatSchwarzSchurSetBackend", PetlapBackends, (PetscEnum)ss->backend, (PetscEnum *)&ss->backend, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_batch", "Grids of the same shape that the matrix holds as diagonal blocks", "MatSchwarzSchurSetBatch", ss->batch, &ss->batch, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_cuda_small", "Largest separator of the fronts that one block of threads works on (0: chosen)", "", ss->small, &ss->small, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_cuda_block", "Columns of a separator that the device eliminates at a time, and exchanges rows within (0: 64)", "", ss->columns, &ss->columns, nullptr));
  PetscCall(PetscOptionsBool("-mat_schwarzschur_cuda_profile", "Detailed views repeat the factorization level by level, and print times", "", ss->profile, &ss->profile, nullptr));
  PetscCall(PetscOptionsEnum("-mat_schwarzschur_constant", "Whether one matrix serves all boxes of the same shape, for stencils that are the same everywhere", "", SchwarzSchurConstants, (PetscEnum)ss->constant, (PetscEnum *)&ss->constant, nullptr));
  PetscOptionsEnd();
  PetscCheck(ss->hints.dof >= 0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_dof is %" PetscInt_FMT " and must be positive, or 0 for finding it out", ss->hints.dof);
  PetscCheck(ss->threads >= 1 && ss->threads <= 1024, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_threads is %" PetscInt_FMT " and must be between 1 and 1024", ss->threads);
  PetscCheck(ss->block >= 0 && ss->block <= 1024, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_block is %" PetscInt_FMT " and must be between 0 and 1024", ss->block);
  PetscCheck(ss->leaf >= 0 && ss->leaf <= 64, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_leaf is %" PetscInt_FMT " and must be between 0 and 64", ss->leaf);
  PetscCheck(ss->batch >= 1, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_batch is %" PetscInt_FMT " and must be positive", ss->batch);
  PetscCheck(ss->small >= 0 && ss->small <= 64, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_cuda_small is %" PetscInt_FMT " and must be between 0 and 64", ss->small);
  PetscCheck(ss->columns >= 0 && ss->columns <= 64, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_cuda_block is %" PetscInt_FMT " and must be between 0 and 64", ss->columns);
  PetscCheck(ss->threshold >= 0 && ss->threshold <= 1, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_pivot_threshold is %g and must be between 0 and 1", (double)ss->threshold);
  PetscCheck(ss->memory >= 0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_memory_limit is %g MB and must not be negative", (double)ss->memory);
  PetscCheck(FactorFindKernels(false, ss->isa[0] ? ss->isa : nullptr), PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_isa %s: this processor has no such instruction set, or petlap was built without it; leave the option out", ss->isa);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where a row's couplings stand in the stencil, for rows that do not hold all of it */
static PetscErrorCode MatSchwarzSchurFindSlots(Mat_SchwarzSchur *ss, PetscInt n, const PetscInt *ia, const PetscInt *ja)
{
  const Plan     *plan = ss->plan;
  const PlanGrid &g    = plan->grid;
  const PetscInt  dof = g.dof, K = (PetscInt)plan->nstencil * dof;
  PetscInt       *linear;
  PetscBool       distinct = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCheck((double)n * K <= (double)PETSC_MAX_INT, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "The matrix without its gaps has %g entries, more than the indices of this PETSc can count: use a PETSc configured --with-64-bit-indices", (double)n * K);
  PetscCall(PetscMalloc1(ia[n], &ss->slot));
  PetscCall(PetscMalloc1(n + 1, &ss->start));
  PetscCall(PetscMalloc1(plan->nstencil, &linear));
  for (PetscInt i = 0; i <= n; i++) ss->start[i] = i * K;
  for (int k = 0; k < plan->nstencil; k++) {
    linear[k] = plan->stencil[k][0] + g.size[0] * (plan->stencil[k][1] + g.size[1] * (PetscInt)plan->stencil[k][2]);
    if (k && linear[k] <= linear[k - 1]) distinct = PETSC_FALSE;
  }
  for (PetscInt i = 0; i < n; i++) {
    const PetscInt first = i / dof / plan->npoints * plan->npoints, p = i / dof - first, c[3] = {p % g.size[0], p / g.size[0] % g.size[1], p / g.size[0] / g.size[1]};
    PetscBool      inner = distinct;
    int            k     = 0;

    for (int d = 0; d < g.dim; d++) inner = (PetscBool)(inner && c[d] >= g.width && c[d] < g.size[d] - g.width);
    for (PetscInt e = ia[i]; e < ia[i + 1]; e++) {
      const PetscInt q = ja[e] / dof - first;

      if (inner) {
        while (k < plan->nstencil && p + linear[k] < q) k++;
        if (k == plan->nstencil || p + linear[k] != q) k = -1;
      } else {
        k = PlanSlot(plan, p, q);
      }
      if (k < 0) {
        /* A coupling across the frame, which the plan keeps apart */
        ss->slot[e] = (unsigned short)-1;
        k           = 0;
      } else {
        ss->slot[e] = (unsigned short)k;
      }
    }
  }
  PetscCall(PetscFree(linear));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Couplings of the octahedral topology that no stencil holds lie in the frame, which is the root front */
static PetscErrorCode MatSchwarzSchurFindGlue(Mat_SchwarzSchur *ss, PetscInt n, const PetscInt *ia, const PetscInt *ja)
{
  const PetscInt   dof  = ss->grid.dof;
  const PlanClass *root = &ss->plan->cls[ss->plan->root];
  PetscInt        *position, nglue = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n / dof, &position));
  for (PetscInt p = 0; p < n / dof; p++) position[p] = -1;
  for (int k = 0; k < root->m; k++) position[ss->plan->rootorigin + root->offset[k]] = k;
  for (int pass = 0; pass < 2; pass++) {
    PlanGlue *glue = nullptr;

    if (pass) glue = PlanSetGlue(ss->plan, nglue);
    nglue = 0;
    for (PetscInt i = 0; i < n; i++) {
      if (position[i / dof] < 0) continue;
      for (PetscInt e = ia[i]; e < ia[i + 1]; e++) {
        if (position[ja[e] / dof] < 0 || PlanSlot(ss->plan, i / dof, ja[e] / dof) >= 0) continue;
        if (pass) glue[nglue] = {(int)(position[i / dof] * dof + i % dof), (int)(position[ja[e] / dof] * dof + ja[e] % dof), e};
        nglue++;
      }
    }
  }
  PetscCall(PetscFree(position));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurChooseMode(Mat F, Mat A)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  PetscBool         set, spd, symmetric, hermitian;

  PetscFunctionBegin;
  PetscCall(MatIsSPDKnown(A, &set, &spd));
  spd = (PetscBool)(set && spd);
  PetscCall(MatIsSymmetricKnown(A, &set, &symmetric));
  symmetric = (PetscBool)(set && symmetric);
  PetscCall(MatIsHermitianKnown(A, &set, &hermitian));
  hermitian = (PetscBool)(PetscDefined(USE_COMPLEX) && set && hermitian);
  if (PetscDefined(USE_COMPLEX)) hermitian = (PetscBool)(hermitian || spd || (ss->mode == MATSCHWARZSCHUR_SPD));
  ss->hermitian = hermitian;
  switch (ss->mode) {
  case MATSCHWARZSCHUR_LU:
    ss->used = FACTOR_LU;
    break;
  case MATSCHWARZSCHUR_SYMMETRIC:
    ss->used = FACTOR_SYMMETRIC;
    break;
  case MATSCHWARZSCHUR_SPD:
    ss->used = FACTOR_SPD;
    break;
  default:
    if (spd)
      ss->used = FACTOR_SPD;
    else if (F->factortype == MAT_FACTOR_CHOLESKY)
      ss->used = PetscDefined(USE_COMPLEX) && !hermitian ? FACTOR_SYMMETRIC : FACTOR_SPD;
    else
      ss->used = symmetric || hermitian ? FACTOR_SYMMETRIC : FACTOR_LU;
    /* Known from an earlier factorization of this pattern */
    if (ss->used == FACTOR_SPD && ss->indefinite) ss->used = FACTOR_SYMMETRIC;
  }
  if (ss->used == FACTOR_LU) ss->hermitian = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Lays the factors out over the ranks. Each of them may take -mat_schwarzschur_memory_limit, or all on a machine together a part of what it has. */
static PetscErrorCode MatSchwarzSchurCreateRanks(Mat F)
{
  Mat_SchwarzSchur     *ss = (Mat_SchwarzSchur *)F->data;
  TreeRanksOptions      options;
  SchwarzSchurRanksInfo info;

  PetscFunctionBegin;
  options.comm      = PetscObjectComm((PetscObject)F);
  options.mode      = ss->used;
  options.single    = ss->single;
  options.hermitian = ss->hermitian;
  options.threads   = (int)ss->threads;
  options.columns   = 0;
  options.threshold = ss->threshold;
  options.isa       = ss->isa[0] ? ss->isa : nullptr;
  PetscCall(SchwarzSchurRanksLayOut(ss->ranks, &options, &ss->laid));
  PetscCheck(ss->laid, PetscObjectComm((PetscObject)F), PETSC_ERR_MEM, "Out of memory while the fronts were laid out: use more processes on more machines, or a smaller grid");
  SchwarzSchurRanksGetInfo(ss->ranks, &info);
  ss->nnz           = info.total.entries;
  const double need = ss->memory > 0 ? info.bytes : info.used, limit = ss->memory > 0 ? ss->memory * 1e6 : SCHWARZSCHUR_MEMORY * info.room;
  ss->laid = (PetscBool)(need <= limit);
  PetscCheck(ss->laid, PetscObjectComm((PetscObject)F), PETSC_ERR_MEM,
             "The factors of this grid need %.1f MB on one %s and the limit is %.1f MB (-mat_schwarzschur_memory_limit; by default a part of what the machine has): use %s%smore processes%s, a smaller grid, or an iterative method", need * 1e-6,
             ss->memory > 0 ? "process" : "machine", limit * 1e-6, ss->single ? "" : "-mat_schwarzschur_precision single, ", ss->used == FACTOR_LU ? "-pc_type cholesky if the matrix is symmetric, " : "", ss->memory > 0 ? "" : " on more machines");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Lays the factors out; an allocation that cannot succeed is refused here, with what would need less */
static PetscErrorCode MatSchwarzSchurCreateFactor(Mat F, Mat A)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  FactorOptions     options;
  FactorInfo        info;
  double            need, room = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), limit;
  const PlanCount   count   = PlanCounts(ss->plan);
  const double      bytes   = ss->single ? sizeof(PetscScalar) / 2. : sizeof(PetscScalar);
  bool              refused = false;

  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurDestroyFactors(ss));
  if (ss->ranks) {
    PetscCall(MatSchwarzSchurCreateRanks(F));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (ss->ondevice) SchwarzSchurCuda(FactorCudaMemory(&room));
  limit             = ss->memory > 0 ? ss->memory * 1e6 : SCHWARZSCHUR_MEMORY * room;
  options.mode      = ss->used;
  options.single    = ss->single;
  options.hermitian = ss->hermitian;
  options.constant  = ss->shared;
  options.threads   = (int)ss->threads;
  options.threshold = ss->threshold;
  options.isa       = ss->isa[0] ? ss->isa : nullptr;
  ss->nnz           = ss->used == FACTOR_LU ? count.lu : count.symmetric;
  need              = ss->shared ? 0 : ss->batch * bytes * (ss->nnz + count.stack);
  if (need <= limit) {
    if (!ss->ondevice || ss->compare) {
      PetscCall(PetscMalloc1(ss->batch, &ss->factor));
      for (; ss->nfactor < ss->batch; ss->nfactor++) {
        ss->factor[ss->nfactor] = FactorCreate(ss->plan, &options);
        PetscCheck(ss->factor[ss->nfactor], PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory while the fronts were laid out");
      }
    }
#if defined(PETLAP_HAVE_CUDA)
    if (ss->ondevice) {
      FactorCudaPattern      pattern;
      const FactorCudaTuning tuning = {(int)ss->small, (int)ss->columns};
      PetscInt               n;
      PetscBool              done;
      int                    error;

      PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &pattern.ia, &pattern.ja, &done));
      pattern.n     = n;
      pattern.slot  = ss->slot;
      pattern.start = ss->start;
      pattern.batch = ss->batch;
      ss->cuda      = FactorCudaCreate(ss->plan, &options, &pattern, &tuning, DeviceStream(), &error);
      PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &pattern.ia, &pattern.ja, &done));
      refused = FactorCudaIsMemory(error);
      if (!refused) BackendCall(F, error);
      PetscCheck(refused || ss->cuda, PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory while the fronts were laid out");
    }
#endif
    if (!refused) {
      info    = MatSchwarzSchurGetFactorInfo(ss);
      ss->nnz = info.entries;
      need    = info.bytes + info.stack_bytes;
    }
  }
  (void)A;
  PetscCheck(need <= limit && !refused, PETSC_COMM_SELF, PETSC_ERR_MEM,
             "The factors of this grid need %s%.1f MB and the limit is %.1f MB (-mat_schwarzschur_memory_limit; by default a part of what the %s has): use %s%s, a smaller grid, or an iterative method", refused ? "more than " : "", need * 1e-6,
             limit * 1e-6, ss->ondevice ? "device" : "machine", ss->single ? "" : "-mat_schwarzschur_precision single, ", ss->used == FACTOR_LU ? "-pc_type cholesky if the matrix is symmetric" : "more processes");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The values in the form that the factorization reads, and whether they let boxes share their factors; lays the factors out when that has changed */
static PetscErrorCode MatSchwarzSchurGetValues(Mat F, Mat A, PetscInt n, const PetscInt *ia, const PetscInt *ja, const PetscScalar *aa, FactorValues *values)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  PetscObjectId     id;
  PetscObjectState  state;
  PetscBool         changed;

  PetscFunctionBegin;
  PetscCall(PetscObjectGetId((PetscObject)A, &id));
  PetscCall(PetscObjectStateGet((PetscObject)A, &state));
  changed = (PetscBool)(id != ss->id || state != ss->state);
  if (ss->slot && (changed || !ss->filled)) {
    const PetscInt dof = ss->grid.dof;

    if (!ss->full) PetscCall(PetscMalloc1(ss->start[n], &ss->full));
    PetscCall(PetscArrayzero(ss->full, ss->start[n]));
    for (PetscInt i = 0; i < n; i++) {
      for (PetscInt k = ia[i]; k < ia[i + 1]; k++) {
        if (ss->slot[k] != (unsigned short)-1) ss->full[ss->start[i] + ss->slot[k] * dof + ja[k] % dof] = aa[k];
      }
    }
    ss->filled = PETSC_TRUE;
  }
  values->ai    = ss->slot ? ss->start : ia;
  values->aa    = ss->slot ? ss->full : aa;
  values->slots = ss->slot != nullptr;
  values->glue  = aa;
  if (changed && ss->batch == 1 && (ss->constant == CONSTANT_YES || (ss->constant == CONSTANT_AUTO && ss->plan->nfronts > 8 * (PetscInt)ss->plan->nclass))) {
    PetscInt   row      = 0;
    const bool constant = FactorIsConstant(ss->plan, values, &row);

    PetscCheck(constant || ss->constant == CONSTANT_AUTO, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG,
               "Row %" PetscInt_FMT " of the matrix differs from others with the same surroundings, or the grid is periodic or too small: leave out -mat_schwarzschur_constant", row);
    if (constant != (bool)ss->shared) {
      PetscCall(PetscInfo(F, "Boxes of the same shape %s their factors\n", constant ? "share" : "no longer share"));
      ss->shared = (PetscBool)constant;
      PetscCall(MatSchwarzSchurCreateFactor(F, A));
    }
  }
  if (!MatSchwarzSchurHasFactor(ss)) PetscCall(MatSchwarzSchurCreateFactor(F, A));
  ss->id    = id;
  ss->state = state;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatFactorNumeric_SchwarzSchur(Mat, Mat, const MatFactorInfo *);

/* The block of A that all others must be like */
static PetscErrorCode MatSchwarzSchurFirstGrid(Mat_SchwarzSchur *ss, Mat A, Mat *first)
{
  const PetscInt  batch = ss->batch;
  PetscInt        n;
  const PetscInt *ia, *ja;
  PetscBool       done;
  IS              rows;

  PetscFunctionBegin;
  if (batch == 1) {
    PetscCall(PetscObjectReference((PetscObject)A));
    *first = A;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "The pattern of this %s matrix cannot be read: convert it with -mat_type aij", ((PetscObject)A)->type_name);
  PetscCheck(n % batch == 0, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ, "The %" PetscInt_FMT " rows of the matrix cannot belong to %" PetscInt_FMT " grids of the same size: correct -mat_schwarzschur_batch", n, batch);
  for (PetscInt i = 0; i < n; i++) {
    const PetscInt at = i % (n / batch), shift = i - at;
    PetscBool      same = (PetscBool)(ia[i + 1] - ia[i] == ia[at + 1] - ia[at]);

    for (PetscInt k = ia[i]; k < ia[i + 1] && same; k++) same = (PetscBool)(ja[k] == ja[ia[at] + k - ia[i]] + shift && ja[k] >= shift && ja[k] < shift + n / batch);
    PetscCheck(same, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG,
               "Row %" PetscInt_FMT " has not the entries that row %" PetscInt_FMT " of the first of %" PetscInt_FMT " grids has: give all grids the same pattern, with zeros where something is missing, or correct -mat_schwarzschur_batch", i, at,
               batch);
  }
  PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscCall(ISCreateStride(PETSC_COMM_SELF, A->rmap->n / batch, 0, 1, &rows));
  PetscCall(MatCreateSubMatrix(A, rows, rows, MAT_INITIAL_MATRIX, first));
  PetscCall(ISDestroy(&rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatFactorSymbolic_SchwarzSchur(Mat F, Mat A)
{
  Mat_SchwarzSchur  *ss = (Mat_SchwarzSchur *)F->data;
  PetscInt           n;
  const PetscInt    *ia, *ja;
  const PetscScalar *aa;
  FactorValues       values;
  PetscBool          done, distributed, regular = PETSC_TRUE;
  PlanGrid           grid;
  Mat                first;
  char               text[256];

  PetscFunctionBegin;
  PetscCall(PetscCitationsRegister(SchwarzSchurCitation, &SchwarzSchurCited));
  PetscCall(MatSchwarzSchurSetFromOptions(F));
  PetscCall(PetscLogEventBegin(MAT_SSSymbolic, F, A, 0, 0));
  PetscCall(MatSchwarzSchurReset(ss));
  ss->hints.size_option     = "-mat_schwarzschur_grid";
  ss->hints.dof_option      = "-mat_schwarzschur_dof";
  ss->hints.periodic_option = "-mat_schwarzschur_periodic";
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)A, MATMPIAIJ, &distributed));
  PetscCheck(!distributed || ss->batch == 1, PetscObjectComm((PetscObject)A), PETSC_ERR_SUP, "-mat_schwarzschur_batch works on the matrix of one process: leave it out, or give each process grids of its own with -pc_type bjacobi -sub_pc_type %s",
             F->factortype == MAT_FACTOR_LU ? "lu" : "cholesky");
  PetscCheck(!distributed || ss->constant != CONSTANT_YES, PetscObjectComm((PetscObject)A), PETSC_ERR_SUP, "-mat_schwarzschur_constant yes works on the matrix of one process: leave it out");
  PetscCheck(!distributed || ss->backend != PETLAP_BACKEND_CUDA, PetscObjectComm((PetscObject)A), PETSC_ERR_SUP,
             "-mat_schwarzschur_backend cuda works on the matrix of one process: use -mat_schwarzschur_backend host, or -pc_type bjacobi with schwarzschur on the blocks");
  PetscCall(MatSchwarzSchurFirstGrid(ss, A, &first));
  PetscCall(StructuredGridDetermine(first, nullptr, &ss->hints, &ss->grid));
  PetscCall(MatDestroy(&first));
  PetscCheck(ss->batch == 1 || ss->constant != CONSTANT_YES, PETSC_COMM_SELF, PETSC_ERR_SUP, "-mat_schwarzschur_constant yes does not go with -mat_schwarzschur_batch: leave one of them out");
  PetscCheck(ss->batch == 1 || ss->grid.topology == STRUCTURED_GRID_PLAIN, PETSC_COMM_SELF, PETSC_ERR_SUP, "-mat_schwarzschur_batch does not go with -mat_schwarzschur_topology octahedral: factor the grids one by one");
  grid.dim      = (int)ss->grid.dim;
  grid.dof      = (int)ss->grid.dof;
  grid.width    = (int)ss->grid.width;
  grid.star     = ss->grid.star;
  grid.topology = ss->grid.topology == STRUCTURED_GRID_OCTAHEDRAL ? PLAN_OCTAHEDRAL : PLAN_PLAIN;
  for (int d = 0; d < 3; d++) {
    grid.size[d]     = ss->grid.size[d];
    grid.periodic[d] = ss->grid.periodic[d];
  }
  grid.separators = (PlanSeparators)ss->separators;
  PetscCheck(grid.separators != PLAN_SEPARATORS_DIAGONAL || PlanDiagonal(&grid), PETSC_COMM_SELF, PETSC_ERR_SUP,
             "-mat_schwarzschur_separators diagonal is for plane grids that are not periodic, with couplings to the four neighbours only: use auto or straight");
  ss->plan = PlanCreate(&grid, (int)ss->leaf, (int)ss->block, text, sizeof(text));
  PetscCheck(ss->plan, PETSC_COMM_SELF, PETSC_ERR_MEM, "%s", text);
  ss->indefinite = PETSC_FALSE;
  ss->toosmall   = PETSC_FALSE;
  ss->fellback   = PETSC_FALSE;
  ss->shared     = PETSC_FALSE;
  ss->single     = (PetscBool)(ss->precision == MATSCHWARZSCHUR_SINGLE);
  ss->nsymbolic++;
  PetscCall(MatSchwarzSchurChooseMode(F, A));
  F->ops->lufactornumeric       = F->factortype == MAT_FACTOR_LU ? MatFactorNumeric_SchwarzSchur : nullptr;
  F->ops->choleskyfactornumeric = F->factortype == MAT_FACTOR_CHOLESKY ? MatFactorNumeric_SchwarzSchur : nullptr;
  if (distributed) {
    PetscCall(BackendHolds(A, nullptr, &ss->held));
    if (ss->held) PetscCall(PetscInfo(F, "The matrix is spread over processes, and so its values are copied to the host and factored there\n"));
    ss->ondevice = ss->held = ss->compare = PETSC_FALSE;
    ss->local                             = A->rmap->n;
    PetscCall(SchwarzSchurRanksCreate(A, &ss->hints, ss->plan, &ss->ranks));
    PetscCall(MatSchwarzSchurCreateFactor(F, A));
    PetscCall(PetscLogEventEnd(MAT_SSSymbolic, F, A, 0, 0));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "The pattern of this %s matrix cannot be read: convert it with -mat_type aij", ((PetscObject)A)->type_name);
  for (PetscInt p = 0; p < n / grid.dof && regular; p++) {
    const PetscInt points = PlanRowPoints(ss->plan, p % ss->plan->npoints);

    for (PetscInt a = 0; a < grid.dof; a++) regular = (PetscBool)(regular && ia[p * grid.dof + a + 1] - ia[p * grid.dof + a] == points * grid.dof);
  }
  if (grid.topology == PLAN_OCTAHEDRAL) {
    PetscCall(MatSchwarzSchurFindGlue(ss, n, ia, ja));
    regular = PETSC_FALSE;
  }
  if (!regular) PetscCall(MatSchwarzSchurFindSlots(ss, n, ia, ja));
  PetscCall(BackendHolds(A, nullptr, &ss->held));
  PetscCall(BackendChoose((PetscObject)F, ss->backend, ss->held, "mat_schwarzschur_backend", &ss->ondevice));
  PetscCall(BackendCheck(&ss->compare));
  ss->compare = (PetscBool)(ss->compare && ss->ondevice);
  if (ss->ondevice && ss->held && ss->constant != CONSTANT_YES) {
    /* Nobody looks at values that are on the device already */
    PetscCall(MatSchwarzSchurCreateFactor(F, A));
  } else {
    PetscCall(MatSeqAIJGetArrayRead(A, &aa));
    PetscCall(MatSchwarzSchurGetValues(F, A, n, ia, ja, aa, &values));
    PetscCall(MatSeqAIJRestoreArrayRead(A, &aa));
  }
  PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscCall(PetscLogEventEnd(MAT_SSSymbolic, F, A, 0, 0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatLUFactorSymbolic_SchwarzSchur(Mat F, Mat A, IS row, IS col, const MatFactorInfo *info)
{
  PetscFunctionBegin;
  (void)row;
  (void)col;
  (void)info;
  PetscCall(MatFactorSymbolic_SchwarzSchur(F, A));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatCholeskyFactorSymbolic_SchwarzSchur(Mat F, Mat A, IS perm, const MatFactorInfo *info)
{
  PetscFunctionBegin;
  (void)perm;
  (void)info;
  PetscCall(MatFactorSymbolic_SchwarzSchur(F, A));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The first entry that is not finite, for the error text */
static PetscErrorCode MatSchwarzSchurCheckFinite(PetscInt n, const PetscInt *ia, const PetscInt *ja, const PetscScalar *aa)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) {
    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) PetscCheck(!PetscIsInfOrNanScalar(aa[k]), PETSC_COMM_SELF, PETSC_ERR_FP, "Entry (%" PetscInt_FMT ", %" PetscInt_FMT ") of the matrix is not finite: correct the assembly", i, ja[k]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Factors on the host with what has been laid out. failed as FactorNumeric() returns it. */
static PetscErrorCode MatSchwarzSchurRunHost(Mat F, Mat A, int *failed)
{
  Mat_SchwarzSchur  *ss = (Mat_SchwarzSchur *)F->data;
  PetscInt           n;
  const PetscInt    *ia, *ja;
  const PetscScalar *aa;
  PetscBool          done;
  FactorValues       values;
  double             largest = 0;

  PetscFunctionBegin;
  PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscCall(MatSeqAIJGetArrayRead(A, &aa));
  ss->norm = 0;
  for (PetscInt i = 0; i < n; i++) {
    double sum = 0;

    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) {
      const double v = PetscAbsScalar(aa[k]);

      sum += v;
      largest = v > largest ? v : largest;
    }
    /* NaN compares with nothing and would be lost in a maximum */
    if (PetscIsInfOrNanReal(sum)) PetscCall(MatSchwarzSchurCheckFinite(n, ia, ja, aa));
    if (sum > ss->norm) ss->norm = sum;
  }
  PetscCall(MatSchwarzSchurGetValues(F, A, n, ia, ja, aa, &values));
  *failed = 0;
  for (PetscInt k = 0; k < ss->batch && !*failed; k++) {
    FactorValues own = values;

    own.ai += k * (n / ss->batch);
    *failed = FactorNumeric(ss->factor[k], &own, largest);
  }
  PetscCall(MatSeqAIJRestoreArrayRead(A, &aa));
  PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscCheck(*failed != 3, PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory for the factors: use -mat_schwarzschur_precision single, or a smaller grid");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The same on the device */
static PetscErrorCode MatSchwarzSchurRunDevice(Mat F, Mat A, int *failed)
{
  Mat_SchwarzSchur  *ss = (Mat_SchwarzSchur *)F->data;
  PetscInt           n;
  const PetscInt    *ia, *ja;
  const PetscScalar *aa   = nullptr;
  PetscScalar       *da   = nullptr;
  PetscMemType       type = PETSC_MEMTYPE_HOST;
  PetscBool          done;
  FactorValues       values;
  FactorCudaResult   result;

  PetscFunctionBegin;
  memset(&result, 0, sizeof(result));
  PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  if (ss->held) PetscCall(MatSeqAIJGetCSRAndMemType(A, nullptr, nullptr, &da, &type));
  if (PetscMemTypeDevice(type)) {
    PetscCall(PetscObjectGetId((PetscObject)A, &ss->id));
    PetscCall(PetscObjectStateGet((PetscObject)A, &ss->state));
    ss->filled = PETSC_FALSE;
  } else {
    PetscCall(MatSeqAIJGetArrayRead(A, &aa));
    PetscCall(MatSchwarzSchurGetValues(F, A, n, ia, ja, aa, &values));
  }
  SchwarzSchurCuda(FactorCudaNumeric(ss->cuda, aa ? aa : da, !aa, &result));
  if (aa) PetscCall(MatSeqAIJRestoreArrayRead(A, &aa));
  if (result.nonfinite) {
    PetscCall(MatSeqAIJGetArrayRead(A, &aa));
    PetscCall(MatSchwarzSchurCheckFinite(n, ia, ja, aa));
    PetscCall(MatSeqAIJRestoreArrayRead(A, &aa));
  }
  PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  ss->norm     = result.norm;
  ss->replaced = result.replaced;
  ss->ratio    = result.ratio;
  *failed      = result.failed;
  if (ss->compare) {
    int host;

    ss->ondevice = PETSC_FALSE;
    PetscCall(MatSchwarzSchurRunHost(F, A, &host));
    ss->ondevice = PETSC_TRUE;
    PetscCheck(host == *failed, PETSC_COMM_SELF, PETSC_ERR_GPU, "-petlap_check: the factorization ends with %d on the device and with %d on the host", *failed, host);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The same on ranks */
static PetscErrorCode MatSchwarzSchurRunRanks(Mat F, Mat A, int *failed)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  if (!ss->laid) PetscCall(MatSchwarzSchurCreateFactor(F, A));
  PetscCall(SchwarzSchurRanksNumeric(ss->ranks, A, &ss->norm, failed));
  PetscCall(PetscObjectGetId((PetscObject)A, &ss->id));
  PetscCall(PetscObjectStateGet((PetscObject)A, &ss->state));
  PetscCheck(*failed < 3, PetscObjectComm((PetscObject)F), PETSC_ERR_MEM, "Out of memory for the factors: use -mat_schwarzschur_precision single, more processes on more machines, or a smaller grid");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurRun(Mat F, Mat A, int *failed)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  if (ss->ranks) {
    PetscCall(MatSchwarzSchurRunRanks(F, A, failed));
  } else if (!ss->ondevice) {
    PetscCall(MatSchwarzSchurRunHost(F, A, failed));
  } else {
    const PetscBool outer = ss->timing;

    /* A solve that has to factor again is timed already */
    if (!outer) PetscCall(PetscLogGpuTimeBegin());
    PetscCall(MatSchwarzSchurRunDevice(F, A, failed));
    if (!outer) PetscCall(PetscLogGpuTimeEnd());
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurUseDouble(Mat F, Mat A)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  ss->single   = PETSC_FALSE;
  ss->toosmall = PETSC_TRUE;
  PetscCall(MatSchwarzSchurCreateFactor(F, A));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Like MatSchwarzSchurRun(), and where precision or mode do not do and are not the caller's wish, again with those that do */
static PetscErrorCode MatSchwarzSchurFactor(Mat F, Mat A, int *failed)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurRun(F, A, failed));
  if (*failed && ss->single) {
    PetscCall(PetscInfo(F, "Single precision does not hold the factors: back to double\n"));
    PetscCall(MatSchwarzSchurUseDouble(F, A));
    PetscCall(MatSchwarzSchurRun(F, A, failed));
  }
  if (*failed == 1 && ss->mode == MATSCHWARZSCHUR_AUTO) {
    PetscCall(PetscInfo(F, "The matrix is not positive definite: from now on it is factored as a symmetric indefinite one\n"));
    ss->indefinite = PETSC_TRUE;
    ss->used       = FACTOR_SYMMETRIC;
    PetscCall(MatSchwarzSchurCreateFactor(F, A));
    PetscCall(MatSchwarzSchurRun(F, A, failed));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whoever wants errors has said so to A */
static PetscErrorCode MatSchwarzSchurZeroPivot(Mat F, Mat A, const char reason[])
{
  PetscFunctionBegin;
  F->factorerrortype = MAT_FACTOR_NUMERIC_ZEROPIVOT;
  PetscCall(PetscInfo(F, "%s\n", reason));
  PetscCheck(!F->erroriffailure && !A->erroriffailure, PetscObjectComm((PetscObject)F), PETSC_ERR_MAT_LU_ZRPVT, "%s", reason);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurResidualHost(Mat_SchwarzSchur *, FactorTranspose, PetscInt, const PetscScalar *, PetscInt, const PetscScalar *, PetscInt, PetscScalar *, PetscReal *);

/* The same number on all ranks, from one of each */
static PetscErrorCode MatSchwarzSchurMaximum(const Mat_SchwarzSchur *ss, Mat F, PetscReal *value)
{
  PetscReal most = PetscIsInfOrNanReal(*value) ? PETSC_MAX_REAL : *value;

  PetscFunctionBegin;
  if (ss->ranks) CompatCallAllreduce(&most, value, 1, MPIU_REAL, MPIU_MAX, PetscObjectComm((PetscObject)F));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  A singular matrix may leave pivots that are small but not zero. Solving for a vector that no such matrix could have produced tells: the answer
  is then as large as rounding lets it be. Where pivots were replaced the answer is one of another matrix, and it tells whether refinement leads
  from there to one of this.
*/
static PetscErrorCode MatSchwarzSchurIsSingular(Mat F, PetscBool *singular)
{
  Mat_SchwarzSchur *ss       = (Mat_SchwarzSchur *)F->data;
  const PetscInt    n        = MatSchwarzSchurSize(ss);
  const bool        replaced = MatSchwarzSchurGetFactorInfo(ss).replaced > 0;
  PetscScalar      *b, *x, *r;
  PetscReal         most = 0, error = 0;
  unsigned          seed = 1 + (unsigned)F->rmap->rstart;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n, &b, n, &x, replaced ? n : 0, &r));
  for (PetscInt i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    b[i] = 0.5 + (PetscReal)(seed >> 8) / 16777216.0;
  }
  PetscCall(MatSchwarzSchurSubstituteHost(ss, b, x));
  for (int step = 0; replaced && step <= SCHWARZSCHUR_DEFAULT_REFINE_SINGLE; step++) {
    PetscCall(MatSchwarzSchurResidualHost(ss, FACTOR_NOTRANS, 1, b, n, x, n, r, &error));
    if (error <= SCHWARZSCHUR_REGULAR) break;
    PetscCall(MatSchwarzSchurSubstituteHost(ss, r, r));
    for (PetscInt i = 0; i < n; i++) x[i] += r[i];
  }
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal v = PetscAbsScalar(x[i]);

    if (!(v <= most)) most = v;
  }
  PetscCall(MatSchwarzSchurMaximum(ss, F, &most));
  *singular = (PetscBool)(!(error <= SCHWARZSCHUR_REGULAR) || !(ss->norm * most < (ss->single ? 1e6 : 1e14)));
  PetscCall(PetscFree3(b, x, r));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSolve_SchwarzSchur(Mat, Vec, Vec);
static PetscErrorCode MatSolveTranspose_SchwarzSchur(Mat, Vec, Vec);
static PetscErrorCode MatMatSolve_SchwarzSchur(Mat, Mat, Mat);
static PetscErrorCode MatMatSolveTranspose_SchwarzSchur(Mat, Mat, Mat);
static PetscErrorCode MatMatTransposeSolve_SchwarzSchur(Mat, Mat, Mat);

static PetscErrorCode MatGetInertia_SchwarzSchur(Mat F, PetscInt *nneg, PetscInt *nzero, PetscInt *npos)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  PetscCheck(ss->used == FACTOR_SPD, PETSC_COMM_SELF, PETSC_ERR_SUP, "The inertia is only known for positive definite matrices: use -pc_factor_mat_solver_type mumps for the inertia of others");
  if (nneg) *nneg = 0;
  if (nzero) *nzero = 0;
  if (npos) *npos = F->rmap->N;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatFactorNumeric_SchwarzSchur(Mat F, Mat A, const MatFactorInfo *info)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  int               failed;
  FactorInfo        found;
  PetscBool         singular = PETSC_FALSE;

  PetscFunctionBegin;
  (void)info;
  PetscCall(PetscLogEventBegin(MAT_SSNumeric, F, A, 0, 0));
  F->factorerrortype = MAT_FACTOR_NOERROR;
  PetscCall(MatSchwarzSchurFactor(F, A, &failed));
  PetscCall(MatDestroy(&ss->A));
  PetscCall(PetscObjectReference((PetscObject)A));
  ss->A        = A;
  ss->check    = PETSC_TRUE;
  ss->error    = -1;
  ss->nrefined = 0;
  ss->nnumeric++;
  found = MatSchwarzSchurGetFactorInfo(ss);
  if (!failed && (found.replaced > 0 || found.ratio < (ss->single ? 1e-5 : 1e-12))) {
    PetscCall(MatSchwarzSchurIsSingular(F, &singular));
    if (singular && ss->single) {
      PetscCall(PetscInfo(F, "The matrix is singular to single precision: back to double\n"));
      PetscCall(MatSchwarzSchurUseDouble(F, A));
      PetscCall(MatSchwarzSchurFactor(F, A, &failed));
      found = MatSchwarzSchurGetFactorInfo(ss);
      if (!failed && (found.replaced > 0 || found.ratio < 1e-12))
        PetscCall(MatSchwarzSchurIsSingular(F, &singular));
      else
        singular = PETSC_FALSE;
    }
  }
  if (failed == 1)
    PetscCall(MatSchwarzSchurZeroPivot(F, A, "The matrix is not positive definite: use -mat_schwarzschur_mode symmetric, or -pc_type lu if it is not symmetric"));
  else if (failed)
    PetscCall(MatSchwarzSchurZeroPivot(F, A, "The factors overflow: scale the matrix"));
  else if (singular)
    PetscCall(MatSchwarzSchurZeroPivot(F, A, "The matrix is singular to working precision: fix an unknown, add a shift (-pc_factor_shift_type has no effect here), or use a Krylov method with its null space"));
  F->assembled              = PETSC_TRUE;
  F->preallocated           = PETSC_TRUE;
  F->ops->solve             = MatSolve_SchwarzSchur;
  F->ops->solvetranspose    = MatSolveTranspose_SchwarzSchur;
  F->ops->matsolve          = MatMatSolve_SchwarzSchur;
  F->ops->matsolvetranspose = MatMatSolveTranspose_SchwarzSchur;
  F->ops->mattransposesolve = MatMatTransposeSolve_SchwarzSchur;
  F->ops->getinertia        = F->factortype == MAT_FACTOR_CHOLESKY ? MatGetInertia_SchwarzSchur : nullptr;
  if (ss->ondevice)
    PetscCall(PetscLogGpuFlops(found.flops));
  else
    PetscCall(PetscLogFlops(MatSchwarzSchurOwnInfo(ss).flops));
  PetscCall(PetscLogEventEnd(MAT_SSNumeric, F, A, 0, 0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* r = b - op(A) x, column by column; returns the largest normwise backward error of a column */
static PetscErrorCode MatSchwarzSchurResidualHost(Mat_SchwarzSchur *ss, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, const PetscScalar *x, PetscInt ldx, PetscScalar *r, PetscReal *error)
{
  PetscInt           n;
  const PetscInt    *ia, *ja;
  const PetscScalar *aa;
  PetscBool          done;

  PetscFunctionBegin;
  if (ss->ranks) {
    PetscCall(SchwarzSchurRanksResidual(ss->ranks, ss->A, ss->norm, trans, nrhs, b, ldb, x, ldx, r, error));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(MatGetRowIJ(ss->A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscCall(MatSeqAIJGetArrayRead(ss->A, &aa));
  *error = 0;
  for (PetscInt q = 0; q < nrhs; q++) {
    const PetscScalar *bq = b + (size_t)q * ldb, *xq = x + (size_t)q * ldx;
    PetscScalar       *rq = r + (size_t)q * n;
    PetscReal          nr = 0, nx = 0, nb = 0, e;

    if (trans == FACTOR_NOTRANS) {
      for (PetscInt i = 0; i < n; i++) {
        PetscScalar s = bq[i];

        for (PetscInt k = ia[i]; k < ia[i + 1]; k++) s -= aa[k] * xq[ja[k]];
        rq[i] = s;
      }
    } else {
      for (PetscInt i = 0; i < n; i++) rq[i] = bq[i];
      for (PetscInt i = 0; i < n; i++) {
        const PetscScalar s = xq[i];

        for (PetscInt k = ia[i]; k < ia[i + 1]; k++) rq[ja[k]] -= aa[k] * s;
      }
    }
    for (PetscInt i = 0; i < n; i++) {
      const PetscReal vr = PetscAbsScalar(rq[i]), vx = PetscAbsScalar(xq[i]), vb = PetscAbsScalar(bq[i]);

      if (!(vr <= nr)) nr = vr;
      if (!(vx <= nx)) nx = vx;
      if (!(vb <= nb)) nb = vb;
    }
    e = nr / (ss->norm * nx + nb);
    if (nr == 0) e = 0;
    if (!(e <= *error)) *error = PetscIsInfOrNanReal(e) ? PETSC_MAX_REAL : e;
  }
  PetscCall(MatSeqAIJRestoreArrayRead(ss->A, &aa));
  PetscCall(MatRestoreRowIJ(ss->A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurResidual(Mat_SchwarzSchur *ss, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, const PetscScalar *x, PetscInt ldx, PetscScalar *r, PetscReal *error)
{
  double found = 0;

  PetscFunctionBegin;
  if (ss->ondevice) {
    SchwarzSchurCuda(FactorCudaResidual(ss->cuda, trans, (int)nrhs, b, ldb, x, ldx, r, &found));
    *error = found;
  } else {
    PetscCall(MatSchwarzSchurResidualHost(ss, trans, nrhs, b, ldb, x, ldx, r, error));
  }
  (void)found;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Most steps of refinement */
static PetscInt MatSchwarzSchurSteps(const Mat_SchwarzSchur *ss)
{
  if (ss->refine >= 0) return ss->refine;
  return ss->single || MatSchwarzSchurGetFactorInfo(ss).replaced > 0 ? SCHWARZSCHUR_DEFAULT_REFINE_SINGLE : SCHWARZSCHUR_DEFAULT_REFINE;
}

/* Whether the matrix is what the mode takes it for */
static PetscErrorCode MatSchwarzSchurIsSymmetric(const Mat_SchwarzSchur *ss, PetscBool *symmetric)
{
  PetscReal norm;
  Mat       B;

  PetscFunctionBegin;
  if (!ss->ranks) {
    if (ss->hermitian)
      PetscCall(MatIsHermitian(ss->A, 1e-8 * ss->norm, symmetric));
    else
      PetscCall(MatIsSymmetric(ss->A, 1e-8 * ss->norm, symmetric));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  /* PETSc knows no such test for all distributed matrices */
  if (ss->hermitian)
    PetscCall(MatHermitianTranspose(ss->A, MAT_INITIAL_MATRIX, &B));
  else
    PetscCall(MatTranspose(ss->A, MAT_INITIAL_MATRIX, &B));
  PetscCall(MatAXPY(B, -1.0, ss->A, DIFFERENT_NONZERO_PATTERN));
  PetscCall(MatNorm(B, NORM_INFINITY, &norm));
  PetscCall(MatDestroy(&B));
  *symmetric = (PetscBool)(norm <= 1e-8 * ss->norm);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* useless: the device's factors lead to no answer, and those of the host, which exchanges rows in all of a separator, may */
static PetscErrorCode MatSchwarzSchurSolveArrays(Mat F, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx, PetscBool *useless)
{
  Mat_SchwarzSchur *ss    = (Mat_SchwarzSchur *)F->data;
  const PetscInt    n     = F->rmap->n;
  const PetscInt    steps = MatSchwarzSchurSteps(ss);
  const PetscReal   good  = SCHWARZSCHUR_GOOD;
  PetscObjectState  state = -1;
  PetscScalar      *r, *d;
  PetscReal         error, before, changed;

  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurSubstitute(ss, trans, nrhs, b, ldb, x, ldx));
  if (ss->ondevice)
    PetscCall(PetscLogGpuFlops(4.0 * ss->nnz * nrhs));
  else
    PetscCall(PetscLogFlops(4.0 * (ss->ranks ? MatSchwarzSchurOwnInfo(ss).entries : ss->nnz) * nrhs));
  if (ss->A) PetscCall(PetscObjectStateGet((PetscObject)ss->A, &state));
  changed = state != ss->state;
  if (ss->check && steps) PetscCall(MatSchwarzSchurMaximum(ss, F, &changed));
  /* Whoever has changed the matrix wants the old factors as they are */
  if (!ss->check || !steps || changed > 0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(MatSchwarzSchurGetWork(ss, nrhs, &r, &d));
  PetscCall(MatSchwarzSchurResidual(ss, trans, nrhs, b, ldb, x, ldx, r, &error));
  ss->nrefined = 0;
  /* Cholesky's errors do not depend on the right-hand side as those of the others do, whose pivots are sought in the separators only */
  if (error <= (ss->used == FACTOR_SPD ? good : PETSC_MACHINE_EPSILON / 2)) ss->check = PETSC_FALSE;
  while (error > (ss->nrefined || ss->single ? good : SCHWARZSCHUR_FAIR) && ss->nrefined < steps) {
    before = error;
    PetscCall(MatSchwarzSchurSubstitute(ss, trans, nrhs, r, n, d, n));
    PetscCall(MatSchwarzSchurAdd(ss, 1, nrhs, d, x, ldx));
    ss->nrefined++;
    PetscCall(MatSchwarzSchurResidual(ss, trans, nrhs, b, ldb, x, ldx, r, &error));
    if (!(error < 0.5 * before)) {
      /* The last step may have done harm */
      if (!(error <= before)) {
        PetscCall(MatSchwarzSchurAdd(ss, -1, nrhs, d, x, ldx));
        error = before;
      }
      break;
    }
  }
  ss->error = error;
  PetscCall(MatSchwarzSchurRestoreWork(ss, &r, &d));
  if (ss->single && error > 100 * good) {
    int failed;

    PetscCall(PetscInfo(F, "Refinement of the single precision factors stops at a backward error of %g: back to double\n", (double)error));
    PetscCall(MatSchwarzSchurUseDouble(F, ss->A));
    PetscCall(MatSchwarzSchurFactor(F, ss->A, &failed));
    if (failed) {
      PetscCall(MatSchwarzSchurZeroPivot(F, ss->A, "The factorization in double precision failed"));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    PetscCall(MatSchwarzSchurSolveArrays(F, trans, nrhs, b, ldb, x, ldx, useless));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (error > SCHWARZSCHUR_USELESS && ss->ondevice) {
    *useless = PETSC_TRUE;
  } else if (error > SCHWARZSCHUR_USELESS) {
    PetscBool symmetric = PETSC_TRUE;

    /* No answer is better than a wrong one; infinite values stop any method that sees them. PETSC_INFINITY is finite. */
    PetscCall(MatSchwarzSchurAdd(ss, INFINITY, nrhs, nullptr, x, ldx));
    if (ss->used != FACTOR_LU) PetscCall(MatSchwarzSchurIsSymmetric(ss, &symmetric));
    PetscCheck(symmetric, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_WRONG, "The matrix is not %s, but was to be factored as if it were: use -pc_type lu, and do not call MatSetOption() with what is not so",
               ss->hermitian ? "Hermitian" : "symmetric");
    PetscCall(MatSchwarzSchurZeroPivot(F, ss->A, "Refinement does not reach a useful residual: the pivots inside the separators are too small. Use -mat_schwarzschur_pivot_threshold 1, or another solver"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* From now on on the host */
static PetscErrorCode MatSchwarzSchurUseHost(Mat F)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  int               failed;

  PetscFunctionBegin;
  PetscCall(PetscInfo(F, "The device's pivots lead to no useful residual: factors again on the host\n"));
  ss->ondevice = PETSC_FALSE;
  ss->compare  = PETSC_FALSE;
  ss->fellback = PETSC_TRUE;
  ss->check    = PETSC_TRUE;
  PetscCall(MatSchwarzSchurCreateFactor(F, ss->A));
  PetscCall(MatSchwarzSchurFactor(F, ss->A, &failed));
  if (failed) PetscCall(MatSchwarzSchurZeroPivot(F, ss->A, "The factorization on the host failed"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* -petlap_check: the host's answer y leaves the same residual as the device's */
static PetscErrorCode MatSchwarzSchurCompare(Mat F, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, const PetscScalar *x, PetscInt ldx)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  const PetscInt    n = F->rmap->n, last = ss->nrefined;
  const PetscReal   tolerance = ss->refine == 0 && ss->single ? 1e-4 : 1e-10, found = ss->error;
  const PetscBool   check = ss->check;
  PetscScalar      *y, *r;
  PetscReal         most = 0, size = 0, error;
  PetscBool         useless = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2((size_t)n * nrhs, &y, (size_t)n * nrhs, &r));
  ss->ondevice = PETSC_FALSE;
  ss->check    = PETSC_TRUE;
  PetscCall(MatSchwarzSchurSolveArrays(F, trans, nrhs, b, ldb, y, n, &useless));
  for (PetscInt q = 0; q < nrhs; q++) {
    for (PetscInt i = 0; i < n; i++) {
      const PetscReal v = PetscAbsScalar(y[i + (size_t)q * n]);

      if (v > size) size = v;
      y[i + (size_t)q * n] -= x[i + (size_t)q * ldx];
      r[i + (size_t)q * n] = 0;
    }
  }
  /* Of A (y - x), whose size does not depend on the condition of A */
  PetscCall(MatSchwarzSchurResidualHost(ss, trans, nrhs, r, n, y, n, r, &error));
  for (size_t i = 0; i < (size_t)n * nrhs; i++) {
    const PetscReal v = PetscAbsScalar(r[i]);

    if (!(v <= most)) most = v;
  }
  ss->ondevice = PETSC_TRUE;
  ss->check    = check;
  ss->nrefined = last;
  ss->error    = found;
  PetscCall(PetscFree2(y, r));
  PetscCheck(most <= tolerance * ss->norm * size, PETSC_COMM_SELF, PETSC_ERR_GPU, "-petlap_check: the device's solution differs from the host's by a backward error of %g", (double)(most / (ss->norm * size)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Arrays of the host's or of the device's; whatever is not where the factors are is copied */
static PetscErrorCode MatSchwarzSchurSolveAnywhere(Mat F, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscMemType btype, PetscScalar *x, PetscInt ldx, PetscMemType xtype, PetscBool *useless)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  const PetscInt    n  = F->rmap->n;
  void             *db = nullptr, *dx = nullptr;

  PetscFunctionBegin;
  if (!ss->ondevice) {
    PetscCall(MatSchwarzSchurSolveArrays(F, trans, nrhs, b, ldb, x, ldx, useless));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscLogGpuTimeBegin());
  ss->timing = PETSC_TRUE;
  if (PetscMemTypeHost(btype)) {
    SchwarzSchurCuda(FactorCudaVector(ss->cuda, 0, (int)nrhs, &db));
    SchwarzSchurCuda(FactorCudaUpload(ss->cuda, (int)nrhs, b, ldb, db));
  }
  if (PetscMemTypeHost(xtype)) SchwarzSchurCuda(FactorCudaVector(ss->cuda, 1, (int)nrhs, &dx));
  PetscCall(MatSchwarzSchurSolveArrays(F, trans, nrhs, db ? (const PetscScalar *)db : b, db ? n : ldb, dx ? (PetscScalar *)dx : x, dx ? n : ldx, useless));
  if (dx && ss->ondevice) SchwarzSchurCuda(FactorCudaDownload(ss->cuda, (int)nrhs, dx, x, ldx));
  PetscCall(PetscLogGpuTimeEnd());
  ss->timing = PETSC_FALSE;
  if (ss->compare && !*useless) {
    const PetscScalar *hb = b, *hx = x;
    PetscScalar       *copy[2] = {nullptr, nullptr};

    if (!db) {
      PetscCall(PetscMalloc1((size_t)n * nrhs, &copy[0]));
      SchwarzSchurCuda(FactorCudaDownload(ss->cuda, (int)nrhs, b, copy[0], n));
      hb = copy[0];
    }
    if (!dx) {
      PetscCall(PetscMalloc1((size_t)n * nrhs, &copy[1]));
      SchwarzSchurCuda(FactorCudaDownload(ss->cuda, (int)nrhs, x, copy[1], n));
      hx = copy[1];
    }
    PetscCall(MatSchwarzSchurCompare(F, trans, nrhs, hb, db ? ldb : n, hx, dx ? ldx : n));
    PetscCall(PetscFree(copy[0]));
    PetscCall(PetscFree(copy[1]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSolveVec(Mat F, FactorTranspose trans, Vec b, Vec x)
{
  Mat_SchwarzSchur  *ss = (Mat_SchwarzSchur *)F->data;
  const PetscScalar *bb;
  PetscScalar       *xx;
  PetscMemType       btype, xtype;
  PetscBool          useless = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(PetscLogEventBegin(MAT_SSSolve, F, b, x, 0));
  if (ss->ondevice) {
    PetscCall(VecGetArrayReadAndMemType(b, &bb, &btype));
    PetscCall(VecGetArrayWriteAndMemType(x, &xx, &xtype));
    PetscCall(MatSchwarzSchurSolveAnywhere(F, trans, 1, bb, F->rmap->n, btype, xx, F->rmap->n, xtype, &useless));
    PetscCall(VecRestoreArrayWriteAndMemType(x, &xx));
    PetscCall(VecRestoreArrayReadAndMemType(b, &bb));
    if (useless) PetscCall(MatSchwarzSchurUseHost(F));
  }
  if (!ss->ondevice) {
    PetscCall(VecGetArrayRead(b, &bb));
    PetscCall(VecGetArray(x, &xx));
    PetscCall(MatSchwarzSchurSolveArrays(F, trans, 1, bb, F->rmap->n, xx, F->rmap->n, &useless));
    PetscCall(VecRestoreArray(x, &xx));
    PetscCall(VecRestoreArrayRead(b, &bb));
  }
  PetscCall(PetscLogEventEnd(MAT_SSSolve, F, b, x, 0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSolve_SchwarzSchur(Mat F, Vec b, Vec x)
{
  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurSolveVec(F, FACTOR_NOTRANS, b, x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSolveTranspose_SchwarzSchur(Mat F, Vec b, Vec x)
{
  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurSolveVec(F, FACTOR_TRANS, b, x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Right-hand sides that are not dense are made so; at most 32 at a time bound the memory of the vectors */
static PetscErrorCode MatSchwarzSchurSolveMat(Mat F, FactorTranspose trans, Mat B, Mat X)
{
  Mat                dense = nullptr;
  PetscBool          isdense, same;
  const PetscScalar *b;
  PetscScalar       *x;
  PetscInt           ldb, ldx, N;
  PetscMemType       btype = PETSC_MEMTYPE_HOST, xtype = PETSC_MEMTYPE_HOST;
  Mat_SchwarzSchur  *ss       = (Mat_SchwarzSchur *)F->data;
  const PetscBool    ondevice = ss->ondevice;

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompareAny((PetscObject)X, &isdense, MATSEQDENSE, MATSEQDENSECUDA, ss->ranks ? MATMPIDENSE : nullptr, nullptr));
  PetscCheck(isdense, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_WRONG, "The solutions are to be written to a %s matrix: make it %s", ((PetscObject)X)->type_name, ss->ranks ? "MATDENSE" : "MATSEQDENSE");
  PetscCall(PetscObjectTypeCompareAny((PetscObject)B, &isdense, MATSEQDENSE, MATSEQDENSECUDA, ss->ranks ? MATMPIDENSE : nullptr, nullptr));
  same = (PetscBool)(B == X);
  if (same)
    PetscCall(MatDuplicate(B, MAT_COPY_VALUES, &dense));
  else if (!isdense)
    PetscCall(MatConvert(B, MATDENSE, MAT_INITIAL_MATRIX, &dense));
  if (dense) B = dense;
  PetscCall(PetscLogEventBegin(MAT_SSSolve, F, B, X, 0));
  PetscCall(MatGetSize(B, nullptr, &N));
  PetscCall(MatDenseGetLDA(B, &ldb));
  PetscCall(MatDenseGetLDA(X, &ldx));
  if (ss->ondevice) {
    PetscCall(CompatDenseGetArrayRead(B, &b, &btype));
    PetscCall(CompatDenseGetArrayWrite(X, &x, &xtype));
  } else {
    PetscCall(MatDenseGetArrayRead(B, &b));
    PetscCall(MatDenseGetArrayWrite(X, &x));
  }
  for (PetscInt q = 0; q < N; q += 32) {
    const PetscInt nrhs    = PetscMin(32, N - q);
    PetscBool      useless = PETSC_FALSE;

    PetscCall(MatSchwarzSchurSolveAnywhere(F, trans, nrhs, b + (size_t)q * ldb, ldb, btype, x + (size_t)q * ldx, ldx, xtype, &useless));
    if (useless) {
      PetscCheck(PetscMemTypeHost(btype) && PetscMemTypeHost(xtype), PETSC_COMM_SELF, PETSC_ERR_NOT_CONVERGED, "Refinement does not reach a useful residual with the pivots of the device: use -mat_schwarzschur_backend host");
      PetscCall(MatSchwarzSchurUseHost(F));
      PetscCall(MatSchwarzSchurSolveArrays(F, trans, nrhs, b + (size_t)q * ldb, ldb, x + (size_t)q * ldx, ldx, &useless));
    }
  }
  if (ondevice) {
    PetscCall(CompatDenseRestoreArrayWrite(X, &x));
    PetscCall(CompatDenseRestoreArrayRead(B, &b));
  } else {
    PetscCall(MatDenseRestoreArrayWrite(X, &x));
    PetscCall(MatDenseRestoreArrayRead(B, &b));
  }
  PetscCall(PetscLogEventEnd(MAT_SSSolve, F, B, X, 0));
  PetscCall(MatDestroy(&dense));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatMatSolve_SchwarzSchur(Mat F, Mat B, Mat X)
{
  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurSolveMat(F, FACTOR_NOTRANS, B, X));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatMatSolveTranspose_SchwarzSchur(Mat F, Mat B, Mat X)
{
  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurSolveMat(F, FACTOR_TRANS, B, X));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A X = B^T */
static PetscErrorCode MatMatTransposeSolve_SchwarzSchur(Mat F, Mat Bt, Mat X)
{
  Mat B;

  PetscFunctionBegin;
  PetscCall(MatTranspose(Bt, MAT_INITIAL_MATRIX, &B));
  PetscCall(MatSchwarzSchurSolveMat(F, FACTOR_NOTRANS, B, X));
  PetscCall(MatDestroy(&B));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatGetInfo_SchwarzSchur(Mat F, MatInfoType type, MatInfo *info)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  MatInfo           of;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(info, sizeof(*info)));
  info->block_size = 1;
  if (!MatSchwarzSchurHasFactor(ss)) PetscFunctionReturn(PETSC_SUCCESS);
  const FactorInfo f        = type == MAT_GLOBAL_SUM ? MatSchwarzSchurGetFactorInfo(ss) : MatSchwarzSchurOwnInfo(ss);
  double           value[2] = {ss->ranks ? f.entries : ss->nnz, f.bytes + f.stack_bytes}, most[2];
  if (ss->ranks && type == MAT_GLOBAL_MAX) {
    CompatCallAllreduce(value, most, 2, MPI_DOUBLE, MPI_MAX, PetscObjectComm((PetscObject)F));
    PetscCall(PetscArraycpy(value, most, 2));
  }
  info->nz_allocated = info->nz_used = value[0];
  info->memory                       = value[1];
  info->assemblies                   = ss->nnumeric;
  if (ss->A) {
    PetscCall(MatGetInfo(ss->A, ss->ranks ? type : MAT_LOCAL, &of));
    if (of.nz_used > 0) info->fill_ratio_needed = value[0] / of.nz_used;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What each height of the tree takes on the device */
static PetscErrorCode MatSchwarzSchurViewLevels(Mat_SchwarzSchur *ss, PetscViewer viewer)
{
  FactorCudaLevel *level;

  PetscFunctionBegin;
  if (!ss->profile) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscCalloc1(ss->plan->height + 1, &level));
  SchwarzSchurCuda(FactorCudaProfile(ss->cuda, level));
  PetscCall(PetscViewerASCIIPrintf(viewer, "%6s %10s %8s %8s %12s %10s %10s\n", "height", "fronts", "m", "r", "Gflop", "ms", "Gflop/s"));
  for (int h = 0; h <= ss->plan->height; h++)
    PetscCall(PetscViewerASCIIPrintf(viewer, "%6d %10.0f %8d %8d %12.4f %10.4f %10.1f\n", h, level[h].fronts, level[h].m, level[h].r, 1e-9 * level[h].flops, level[h].ms, level[h].ms > 0 ? 1e-6 * level[h].flops / level[h].ms : 0));
  PetscCall(PetscFree(level));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatView_SchwarzSchur(Mat F, PetscViewer viewer)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  PetscBool         ascii;
  PetscViewerFormat format;
  const char *const modes[] = {"LU", "symmetric indefinite", "Cholesky"};

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscViewerGetFormat(viewer, &format));
  if (!MatSchwarzSchurHasFactor(ss)) {
    PetscCall(PetscViewerASCIIPrintf(viewer, "schwarzschur: not factored\n"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  const FactorInfo f = MatSchwarzSchurGetFactorInfo(ss);
  PetscCall(PetscViewerASCIIPrintf(viewer, "schwarzschur:\n"));
  PetscCall(PetscViewerASCIIPushTab(viewer));
  PetscCall(StructuredGridView(&ss->grid, viewer));
  if (ss->batch > 1) PetscCall(PetscViewerASCIIPrintf(viewer, "%" PetscInt_FMT " grids\n", ss->batch));
  PetscCall(PetscViewerASCIIPrintf(viewer, "factorization: %s%s, %s precision%s%s\n", ss->hermitian && ss->used != FACTOR_LU ? "Hermitian " : "", modes[ss->used], ss->single ? "single" : "double", ss->toosmall ? " (single was not enough)" : "",
                                   ss->shared ? ", one matrix for all boxes of the same shape" : ""));
  PetscCall(PetscViewerASCIIPrintf(viewer, "tree: %" PetscInt_FMT " fronts of %d classes on %d levels, largest front %d, leaf %d, block %d, %s separators\n", ss->plan->nfronts, ss->plan->nclass, ss->plan->height + 1,
                                   ss->plan->maxfront * ss->plan->grid.dof, ss->plan->leaf, ss->plan->block, ss->plan->diagonal ? "diagonal" : "straight"));
  PetscCall(PetscViewerASCIIPrintf(viewer, "factors: %.0f entries, %.1f MB, and %.1f MB of work space; %.3g Gflop\n", ss->nnz, f.bytes * 1e-6, f.stack_bytes * 1e-6, 1e-9 * f.flops));
  PetscCall(PetscViewerASCIIPrintf(viewer, "refinement: at most %" PetscInt_FMT " steps\n", MatSchwarzSchurSteps(ss)));
  PetscCall(PetscViewerASCIIPrintf(viewer, "pivot threshold %g, pivots replaced: %.0f\n", (double)ss->threshold, f.replaced));
  if (ss->ranks) {
    SchwarzSchurRanksInfo ranks;

    SchwarzSchurRanksGetInfo(ss->ranks, &ranks);
    PetscCall(PetscViewerASCIIPrintf(viewer, "ranks: %d, %d subtrees of one rank each, %d fronts shared by several; the busiest rank has %.1f%% of the work, the fullest %.1f MB\n", (int)ranks.size, ranks.nlocal, ranks.nfront, 100 * ranks.share,
                                     ranks.bytes * 1e-6));
  }
  if (ss->ondevice)
    PetscCall(PetscViewerASCIIPrintf(viewer, "backend: cuda%s%s\n", ss->backend == PETLAP_BACKEND_AUTO ? " (auto)" : "", ss->compare ? ", compared with the host" : ""));
  else
    PetscCall(PetscViewerASCIIPrintf(viewer, "backend: host, threads: %d%s\n", f.threads, ss->fellback ? " (the pivots of the device were not enough)" : ""));
  if (format == PETSC_VIEWER_ASCII_INFO_DETAIL) {
    if (ss->ondevice)
      PetscCall(MatSchwarzSchurViewLevels(ss, viewer));
    else
      PetscCall(PetscViewerASCIIPrintf(viewer, "instruction set %s, %d lanes, %.0f of %" PetscInt_FMT " blocks in %.0f batches\n", f.isa, f.lanes, f.blocks, ss->plan->nblocks, f.batches));
    PetscCall(PetscViewerASCIIPrintf(viewer, "symbolic factorizations %" PetscInt_FMT ", numeric ones %" PetscInt_FMT "\n", ss->nsymbolic, ss->nnumeric));
    if (ss->error >= 0) PetscCall(PetscViewerASCIIPrintf(viewer, "backward error of the last solve that was checked %g after %" PetscInt_FMT " steps\n", (double)ss->error, ss->nrefined));
  }
  PetscCall(PetscViewerASCIIPopTab(viewer));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetGrid_SchwarzSchur(Mat F, PetscInt dim, const PetscInt size[], PetscInt dof)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  ss->hints.dim = dim;
  ss->hints.dof = dof;
  for (PetscInt d = 0; d < 3; d++) ss->hints.size[d] = d < dim ? size[d] : 1;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetGrid_SchwarzSchur(Mat F, PetscInt *dim, PetscInt size[], PetscInt *dof)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  if (dim) *dim = ss->plan ? ss->grid.dim : ss->hints.dim;
  if (dof) *dof = ss->plan ? ss->grid.dof : ss->hints.dof;
  for (PetscInt d = 0; size && d < 3; d++) size[d] = ss->plan ? ss->grid.size[d] : ss->hints.size[d];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetMode_SchwarzSchur(Mat F, MatSchwarzSchurMode mode)
{
  PetscFunctionBegin;
  ((Mat_SchwarzSchur *)F->data)->mode = mode;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetMode_SchwarzSchur(Mat F, MatSchwarzSchurMode *mode)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  *mode = ss->mode;
  if (MatSchwarzSchurHasFactor(ss)) *mode = ss->used == FACTOR_LU ? MATSCHWARZSCHUR_LU : ss->used == FACTOR_SPD ? MATSCHWARZSCHUR_SPD : MATSCHWARZSCHUR_SYMMETRIC;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetPrecision_SchwarzSchur(Mat F, MatSchwarzSchurPrecision precision)
{
  PetscFunctionBegin;
  ((Mat_SchwarzSchur *)F->data)->precision = precision;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetPrecision_SchwarzSchur(Mat F, MatSchwarzSchurPrecision *precision)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  *precision = MatSchwarzSchurHasFactor(ss) && !ss->single ? MATSCHWARZSCHUR_DOUBLE : ss->precision;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetBatch_SchwarzSchur(Mat F, PetscInt batch)
{
  PetscFunctionBegin;
  ((Mat_SchwarzSchur *)F->data)->batch = batch;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetBatch_SchwarzSchur(Mat F, PetscInt *batch)
{
  PetscFunctionBegin;
  *batch = ((Mat_SchwarzSchur *)F->data)->batch;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetBackend_SchwarzSchur(Mat F, PetlapBackend backend)
{
  PetscFunctionBegin;
  ((Mat_SchwarzSchur *)F->data)->backend = backend;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetBackend_SchwarzSchur(Mat F, PetlapBackend *backend)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  *backend = !MatSchwarzSchurHasFactor(ss) ? ss->backend : ss->ondevice ? PETLAP_BACKEND_CUDA : PETLAP_BACKEND_HOST;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetRefine_SchwarzSchur(Mat F, PetscInt steps)
{
  PetscFunctionBegin;
  ((Mat_SchwarzSchur *)F->data)->refine = steps;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetRefine_SchwarzSchur(Mat F, PetscInt *steps, PetscInt *last, PetscReal *error)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  if (steps) *steps = ss->refine;
  if (last) *last = ss->nrefined;
  if (error) *error = ss->error;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*MC
  MATSOLVERSCHWARZSCHUR = "schwarzschur" - Direct solver for matrices whose unknowns lie on a structured grid

  Options Database Keys:
+ -pc_type (lu|cholesky) -pc_factor_mat_solver_type schwarzschur - selects it
. -mat_schwarzschur_grid nx,ny[,nz]           - grid points, x fastest (else from the matrix' `DMDA`, else read off the sparsity)
. -mat_schwarzschur_dof d                     - unknowns per grid point, fastest of all
. -mat_schwarzschur_periodic px,py[,pz]       - directions in which the grid closes
. -mat_schwarzschur_topology (plain|octahedral) - octahedral allows couplings between all points of the grid's frame
. -mat_schwarzschur_mode (auto|lu|symmetric|spd) - factorization; auto goes by the `PCType` and by what is known of the matrix
. -mat_schwarzschur_precision (double|single) - precision of the factors; single is refined to double, and given up when it does not converge
. -mat_schwarzschur_backend (auto|host|cuda)  - where the factors are; auto takes the device for matrices of a CUDA type, and falls back to the host
. -petlap_check                               - what the device does is done by the host too, and a difference is an error
. -mat_schwarzschur_batch k                   - the matrix holds k grids of the same shape as diagonal blocks with the same pattern, which are factored together
. -mat_schwarzschur_refine n                  - most steps of iterative refinement (2; 10 with single precision, or where pivots were replaced)
. -mat_schwarzschur_threads n                 - OpenMP threads
. -mat_schwarzschur_pivot_threshold t         - a diagonal entry below t times the largest of its column gives way
. -mat_schwarzschur_memory_limit MB           - a factorization that needs more is refused
. -mat_schwarzschur_block n                   - side of the blocks that are eliminated several at a time
. -mat_schwarzschur_leaf n                    - largest side of the smallest boxes
. -mat_schwarzschur_cuda_small n              - largest separator of the fronts that one block of the device's threads works on, at most 64
. -mat_schwarzschur_cuda_block n              - columns of a separator that the device eliminates at a time, at most 64
. -mat_schwarzschur_cuda_profile              - detailed views repeat the device's factorization level by level, and print times
. -mat_schwarzschur_constant (auto|no|yes)    - one matrix for all boxes of the same shape, where the stencil is the same everywhere (section C.6 of the paper)
. -mat_schwarzschur_separators (auto|straight|diagonal) - lines that cut the grid; diagonals need a 5-point stencil and save half of the work there
- -mat_schwarzschur_isa (avx512|avx2|portable) - instruction set

  Level: beginner

  Notes:
  Works on `MATSEQAIJ` and `MATMPIAIJ`, on the diagonal blocks of `PCBJACOBI` and `PCASM`, and on the coarse level of `PCMG`. Every entry of the matrix must
  couple grid points at most three apart in each direction. Rows may lack any part of the stencil.

  The rows of a matrix that is spread over processes are numbered as its `DMDA` does it, box by box, or in natural order, in blocks of any size. Error texts that are about the grid
  count rows in natural order. The tree of boxes is dealt to processes by the work in it: each eliminates boxes of its own, and the fronts above are shared by columns, with the exchanges of rows and the
  refinement of one process; those of symmetric indefinite matrices are factored by LU. There is neither a batch nor a device then, and -mat_schwarzschur_memory_limit counts for each process.

  The grid is cut into boxes, recursively; the fronts of the boxes are dense and of few shapes. A box is eliminated as soon as it is complete, with
  exchanges of rows inside its separator only, so what remains of it is the Dirichlet-to-Neumann matrix of its boundary (section 3 and appendix C
  of the paper; boxes here do not overlap). Grids whose points are coupled to their four neighbours only are cut along diagonals instead, which makes
  the boundaries of the pieces shorter.

  A solve is followed by refinement to rounding where its normwise backward error is above 256 times the machine precision, as long as the matrix has not been changed since it was factored.

  The blocks of `PCASM` must be boxes too, numbered along x first: give `PCASMSetSortIndices()` `PETSC_FALSE` and take -pc_asm_dm_subdomains.

  With `MATSEQAIJCUSPARSE` and `VECSEQCUDA` the values and vectors stay on the device, also where refinement looks at residuals. Other matrices and
  vectors are copied there when -mat_schwarzschur_backend is cuda, which a PETSc without CUDA can do too. The device keeps the inverse of each
  separator's matrix, as the paper does, and exchanges rows within 64 of them; where that leads to no useful residual, the host factors again.

  A `PC` makes a new factor when the nonzero pattern changes, and what functions have set on the old one is lost. Options are read again.

  Errors:
  `PETSC_ERR_ARG_WRONG` and others when the matrix does not fit the grid, with the first entry that does not; `PETSC_ERR_MEM` when the factors do not fit the memory.
  `PETSC_ERR_FP` when an entry is not finite. A singular matrix, or one that is not positive definite where that was asked for, gives
  `MAT_FACTOR_NUMERIC_ZEROPIVOT`, which makes `KSPSolve()` end with `KSP_DIVERGED_PC_FAILED`; -info tells why, and -ksp_error_if_not_converged makes it an error.

  References:
. * - Wang, Abulnaga, Balbastre, Fischl, Schwarz-Schur Involution: Lightspeed Differentiable Sparse Linear Solvers, ICML 2025

.seealso: `MatSchwarzSchurSetGrid()`, `MatSchwarzSchurSetMode()`, `MatSchwarzSchurSetPrecision()`, `MatSchwarzSchurSetRefine()`, `MatSchwarzSchurSolveAdjoint()`, `PCFactorSetMatSolverType()`
M*/
static PetscErrorCode MatGetFactor_AIJ_SchwarzSchur(Mat A, MatFactorType type, Mat *F)
{
  Mat_SchwarzSchur *ss;
  Mat               B;
  PetscBool         same;

  PetscFunctionBegin;
  PetscCheck(A->rmap->N == A->cmap->N, PetscObjectComm((PetscObject)A), PETSC_ERR_ARG_SIZ, "The matrix is %" PetscInt_FMT " x %" PetscInt_FMT ", only square ones can be factored", A->rmap->N, A->cmap->N);
  PetscCall(PetscLayoutCompare(A->rmap, A->cmap, &same));
  PetscCheck(same, PetscObjectComm((PetscObject)A), PETSC_ERR_ARG_SIZ, "The columns of the matrix are not dealt to processes as its rows are: give MatSetSizes() the same local sizes for both");
  PetscCall(MatCreate(PetscObjectComm((PetscObject)A), &B));
  PetscCall(MatSetSizes(B, A->rmap->n, A->cmap->n, A->rmap->N, A->cmap->N));
  PetscCall(PetscStrallocpy("schwarzschur", &((PetscObject)B)->type_name));
  PetscCall(MatSetUp(B));
  PetscCall(PetscNew(&ss));
  ss->mode        = MATSCHWARZSCHUR_AUTO;
  ss->precision   = MATSCHWARZSCHUR_DOUBLE;
  ss->refine      = -1;
  ss->threads     = SCHWARZSCHUR_DEFAULT_THREADS;
  ss->threshold   = SCHWARZSCHUR_DEFAULT_PIVOT_THRESHOLD;
  ss->error       = -1;
  ss->batch       = 1;
  B->data         = ss;
  B->ops->destroy = MatDestroy_SchwarzSchur;
  B->ops->view    = MatView_SchwarzSchur;
  B->ops->getinfo = MatGetInfo_SchwarzSchur;
  if (type == MAT_FACTOR_LU)
    B->ops->lufactorsymbolic = MatLUFactorSymbolic_SchwarzSchur;
  else
    B->ops->choleskyfactorsymbolic = MatCholeskyFactorSymbolic_SchwarzSchur;
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatFactorGetSolverType_C", MatFactorGetSolverType_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurSetGrid_C", MatSchwarzSchurSetGrid_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurGetGrid_C", MatSchwarzSchurGetGrid_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurSetMode_C", MatSchwarzSchurSetMode_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurGetMode_C", MatSchwarzSchurGetMode_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurSetPrecision_C", MatSchwarzSchurSetPrecision_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurGetPrecision_C", MatSchwarzSchurGetPrecision_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurSetBackend_C", MatSchwarzSchurSetBackend_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurSetBatch_C", MatSchwarzSchurSetBatch_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurGetBackend_C", MatSchwarzSchurGetBackend_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurGetBatch_C", MatSchwarzSchurGetBatch_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurSetRefine_C", MatSchwarzSchurSetRefine_SchwarzSchur));
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatSchwarzSchurGetRefine_C", MatSchwarzSchurGetRefine_SchwarzSchur));
  B->factortype      = type;
  B->canuseordering  = PETSC_FALSE;
  B->trivialsymbolic = PETSC_FALSE;
  PetscCall(PetscStrallocpy(MATORDERINGEXTERNAL, (char **)&B->preferredordering[type]));
  PetscCall(PetscFree(B->solvertype));
  PetscCall(PetscStrallocpy(MATSOLVERSCHWARZSCHUR, &B->solvertype));
  *F = B;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurFinalize(void)
{
  PetscFunctionBegin;
  SchwarzSchurCited = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PETSC_INTERN PetscErrorCode MatSolverTypeInitialize_SchwarzSchur(void)
{
  PetscFunctionBegin;
  PetscCall(PetscRegisterFinalize(MatSchwarzSchurFinalize));
  /* MatSolverTypeRegister() would do this too, but only after it has looked at the list, which it then starts afresh, without PETSc's own solvers */
  PetscCall(MatInitializePackage());
  PetscCall(MatSolverTypeRegister(MATSOLVERSCHWARZSCHUR, MATSEQAIJ, MAT_FACTOR_LU, MatGetFactor_AIJ_SchwarzSchur));
  PetscCall(MatSolverTypeRegister(MATSOLVERSCHWARZSCHUR, MATSEQAIJ, MAT_FACTOR_CHOLESKY, MatGetFactor_AIJ_SchwarzSchur));
  PetscCall(MatSolverTypeRegister(MATSOLVERSCHWARZSCHUR, MATMPIAIJ, MAT_FACTOR_LU, MatGetFactor_AIJ_SchwarzSchur));
  PetscCall(MatSolverTypeRegister(MATSOLVERSCHWARZSCHUR, MATMPIAIJ, MAT_FACTOR_CHOLESKY, MatGetFactor_AIJ_SchwarzSchur));
  PetscCall(PetscLogEventRegister("MatSSSymbolic", MAT_CLASSID, &MAT_SSSymbolic));
  PetscCall(PetscLogEventRegister("MatSSNumeric", MAT_CLASSID, &MAT_SSNumeric));
  PetscCall(PetscLogEventRegister("MatSSSolve", MAT_CLASSID, &MAT_SSSolve));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurSetGrid - Tells `MATSOLVERSCHWARZSCHUR` the grid of the unknowns

  Logically Collective

  Input Parameters:
+ F    - the factor, from `MatGetFactor()` or `PCFactorGetMatrix()`, before its symbolic factorization
. dim  - dimension of the grid, 1 to 3, or 0 for finding it out
. size - dim numbers of grid points, along x (fastest), y and z
- dof  - unknowns per grid point, numbered fastest of all, or 0 for finding it out

  Options Database Keys:
+ -mat_schwarzschur_grid nx,ny[,nz] - the grid
- -mat_schwarzschur_dof d           - unknowns per grid point

  Level: intermediate

  Errors:
  The symbolic factorization refuses a matrix that does not fit the grid, with its first entry that does not.

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurGetGrid()`, `MatSetDM()`
@*/
PetscErrorCode MatSchwarzSchurSetGrid(Mat F, PetscInt dim, const PetscInt size[], PetscInt dof)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscValidLogicalCollectiveInt(F, dim, 2);
  PetscValidLogicalCollectiveInt(F, dof, 4);
  PetscCheck(dim >= 0 && dim <= 3, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_OUTOFRANGE, "The grid cannot have %" PetscInt_FMT " dimensions: give 1, 2 or 3, or 0 for finding out", dim);
  PetscCheck(!dim || size, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_NULL, "The numbers of grid points are missing");
  PetscCheck(dof >= 0, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_OUTOFRANGE, "There cannot be %" PetscInt_FMT " unknowns per grid point", dof);
  for (PetscInt d = 0; d < dim; d++) PetscCheck(size[d] > 0, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_OUTOFRANGE, "The grid cannot have %" PetscInt_FMT " points along direction %" PetscInt_FMT, size[d], d);
  PetscTryMethod(F, "MatSchwarzSchurSetGrid_C", (Mat, PetscInt, const PetscInt[], PetscInt), (F, dim, size, dof));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurGetGrid - The grid that `MATSOLVERSCHWARZSCHUR` works on

  Not Collective

  Input Parameter:
. F - the factor

  Output Parameters:
+ dim  - dimension of the grid, 0 when it is not known yet, or `NULL`
. size - three numbers of grid points, or `NULL`
- dof  - unknowns per grid point, or `NULL`

  Level: intermediate

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurSetGrid()`
@*/
PetscErrorCode MatSchwarzSchurGetGrid(Mat F, PetscInt *dim, PetscInt size[], PetscInt *dof)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscUseMethod(F, "MatSchwarzSchurGetGrid_C", (Mat, PetscInt *, PetscInt[], PetscInt *), (F, dim, size, dof));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurSetMode - Sets how `MATSOLVERSCHWARZSCHUR` factors

  Logically Collective

  Input Parameters:
+ F    - the factor, before its symbolic factorization
- mode - `MATSCHWARZSCHUR_AUTO` (by what is known of the matrix), `MATSCHWARZSCHUR_LU`, `MATSCHWARZSCHUR_SYMMETRIC` (indefinite), or `MATSCHWARZSCHUR_SPD`

  Options Database Key:
. -mat_schwarzschur_mode (auto|lu|symmetric|spd) - the mode

  Level: intermediate

  Note:
  With auto, a Cholesky factorization that meets a pivot that is not positive starts again as a symmetric indefinite one.

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurGetMode()`, `MatSetOption()`
@*/
PetscErrorCode MatSchwarzSchurSetMode(Mat F, MatSchwarzSchurMode mode)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(F, mode, 2);
  PetscTryMethod(F, "MatSchwarzSchurSetMode_C", (Mat, MatSchwarzSchurMode), (F, mode));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurGetMode - How `MATSOLVERSCHWARZSCHUR` factors; after the factorization, what was really done

  Not Collective

  Input Parameter:
. F - the factor

  Output Parameter:
. mode - the mode

  Level: intermediate

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurSetMode()`
@*/
PetscErrorCode MatSchwarzSchurGetMode(Mat F, MatSchwarzSchurMode *mode)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscCheck(mode, PETSC_COMM_SELF, PETSC_ERR_ARG_NULL, "No place for the mode");
  PetscUseMethod(F, "MatSchwarzSchurGetMode_C", (Mat, MatSchwarzSchurMode *), (F, mode));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurSetPrecision - Sets the precision of the factors of `MATSOLVERSCHWARZSCHUR`

  Logically Collective

  Input Parameters:
+ F         - the factor, before its symbolic factorization
- precision - `MATSCHWARZSCHUR_DOUBLE` or `MATSCHWARZSCHUR_SINGLE`

  Options Database Key:
. -mat_schwarzschur_precision (double|single) - the precision

  Level: intermediate

  Note:
  Single precision halves memory and time of the factorization. Solves are refined to double precision; where refinement does not converge, the
  matrix is factored again in double precision.

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurGetPrecision()`, `MatSchwarzSchurSetRefine()`
@*/
PetscErrorCode MatSchwarzSchurSetPrecision(Mat F, MatSchwarzSchurPrecision precision)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(F, precision, 2);
  PetscTryMethod(F, "MatSchwarzSchurSetPrecision_C", (Mat, MatSchwarzSchurPrecision), (F, precision));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurGetPrecision - The precision of the factors of `MATSOLVERSCHWARZSCHUR`; after the factorization, the one really used

  Not Collective

  Input Parameter:
. F - the factor

  Output Parameter:
. precision - the precision

  Level: intermediate

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurSetPrecision()`
@*/
PetscErrorCode MatSchwarzSchurGetPrecision(Mat F, MatSchwarzSchurPrecision *precision)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscCheck(precision, PETSC_COMM_SELF, PETSC_ERR_ARG_NULL, "No place for the precision");
  PetscUseMethod(F, "MatSchwarzSchurGetPrecision_C", (Mat, MatSchwarzSchurPrecision *), (F, precision));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurSetBatch - Tells `MATSOLVERSCHWARZSCHUR` that the matrix holds several grids

  Logically Collective

  Input Parameters:
+ F     - the factor, before its symbolic factorization
- batch - the number of grids, 1 by default

  Options Database Key:
. -mat_schwarzschur_batch k - the number of grids

  Level: intermediate

  Notes:
  The grids are diagonal blocks of the matrix, of the same size and with the same pattern, one after the other; the size that is set or found
  is that of each. Their fronts are worked on together, which on a device is what makes many small grids fast. Solves take the vectors of all
  grids one after the other. Only values may differ, so all of them refine as long as one must.

  Errors:
  The symbolic factorization fails with `PETSC_ERR_ARG_WRONG` and the first row that differs from its counterpart in the first grid, and with `PETSC_ERR_SUP` when the
  matrix is spread over processes.

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurGetBatch()`, `MatSchwarzSchurSetGrid()`
@*/
PetscErrorCode MatSchwarzSchurSetBatch(Mat F, PetscInt batch)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscValidLogicalCollectiveInt(F, batch, 2);
  PetscCheck(batch >= 1, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_OUTOFRANGE, "There cannot be %" PetscInt_FMT " grids", batch);
  PetscTryMethod(F, "MatSchwarzSchurSetBatch_C", (Mat, PetscInt), (F, batch));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurGetBatch - The number of grids that the matrix of `MATSOLVERSCHWARZSCHUR` holds

  Not Collective

  Input Parameter:
. F - the factor

  Output Parameter:
. batch - the number of grids

  Level: intermediate

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurSetBatch()`
@*/
PetscErrorCode MatSchwarzSchurGetBatch(Mat F, PetscInt *batch)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscCheck(batch, PETSC_COMM_SELF, PETSC_ERR_ARG_NULL, "No place for the number of grids");
  PetscUseMethod(F, "MatSchwarzSchurGetBatch_C", (Mat, PetscInt *), (F, batch));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurSetBackend - Sets where `MATSOLVERSCHWARZSCHUR` factors and solves

  Logically Collective

  Input Parameters:
+ F       - the factor, before its symbolic factorization
- backend - `PETLAP_BACKEND_AUTO` (by the type of the matrix), `PETLAP_BACKEND_HOST`, or `PETLAP_BACKEND_CUDA`

  Options Database Key:
. -mat_schwarzschur_backend (auto|host|cuda) - the backend

  Level: intermediate

  Errors:
  With cuda the symbolic factorization fails with `PETSC_ERR_GPU` where there is no device, and with `PETSC_ERR_SUP` where petlap was configured without CUDA or the
  matrix is spread over processes. Auto works on the host then.

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurGetBackend()`, `PCHSCSetBackend()`, `PCNeuralSetBackend()`
@*/
PetscErrorCode MatSchwarzSchurSetBackend(Mat F, PetlapBackend backend)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(F, backend, 2);
  PetscTryMethod(F, "MatSchwarzSchurSetBackend_C", (Mat, PetlapBackend), (F, backend));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurGetBackend - Where `MATSOLVERSCHWARZSCHUR` factors and solves; after the factorization, where it really did

  Not Collective

  Input Parameter:
. F - the factor

  Output Parameter:
. backend - the backend

  Level: intermediate

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurSetBackend()`
@*/
PetscErrorCode MatSchwarzSchurGetBackend(Mat F, PetlapBackend *backend)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscCheck(backend, PETSC_COMM_SELF, PETSC_ERR_ARG_NULL, "No place for the backend");
  PetscUseMethod(F, "MatSchwarzSchurGetBackend_C", (Mat, PetlapBackend *), (F, backend));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurSetRefine - Sets how many steps of iterative refinement may follow a solve of `MATSOLVERSCHWARZSCHUR`

  Logically Collective

  Input Parameters:
+ F     - the factor
- steps - the most steps; 0 for none, negative for the default (2, or 10 with single precision)

  Options Database Key:
. -mat_schwarzschur_refine steps - the most steps

  Level: intermediate

  Notes:
  Double precision is refined when the normwise backward error is above 256 times the machine precision, where direct solvers that pivot at will
  usually are, single precision always. Refinement ends when the error is at rounding, or no longer halves. When the first solve after a factorization needs none, later
  solves with the same factors do not look again. Without refinement, answers are not checked at all.

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurGetRefine()`
@*/
PetscErrorCode MatSchwarzSchurSetRefine(Mat F, PetscInt steps)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscValidLogicalCollectiveInt(F, steps, 2);
  PetscTryMethod(F, "MatSchwarzSchurSetRefine_C", (Mat, PetscInt), (F, steps));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  MatSchwarzSchurGetRefine - Iterative refinement of `MATSOLVERSCHWARZSCHUR`: the most steps, and what the last solve took

  Not Collective

  Input Parameter:
. F - the factor

  Output Parameters:
+ steps - the most steps, negative for the default, or `NULL`
. last  - steps of the last solve that was checked, or `NULL`
- error - its normwise backward error ||b - A x||/(||A|| ||x|| + ||b||) in the infinity norm, negative when none was checked yet, or `NULL`

  Level: intermediate

.seealso: `MATSOLVERSCHWARZSCHUR`, `MatSchwarzSchurSetRefine()`
@*/
PetscErrorCode MatSchwarzSchurGetRefine(Mat F, PetscInt *steps, PetscInt *last, PetscReal *error)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(F, MAT_CLASSID, 1);
  PetscUseMethod(F, "MatSchwarzSchurGetRefine_C", (Mat, PetscInt *, PetscInt *, PetscReal *), (F, steps, last, error));
  PetscFunctionReturn(PETSC_SUCCESS);
}
