/*
  Numerical factorizations of MATSOLVERSCHWARZSCHUR: which executor makes them, and whether they are good enough.
*/
#include "mat/schwarzschur/schwarzschur.h"
#include "mat/schwarzschur/schwarzschur_ranks.h"
#include "mat/compat/petscversion.h"
#include "mat/compat/backend.h"
#include <unistd.h>

/* Part of the machine's memory that a factorization may take */
static const double MEMORY = 0.9;
/* Norm times solution over right-hand side from which on a matrix is singular to working precision */
static const PetscReal SINGULAR_DOUBLE = 1e14, SINGULAR_SINGLE = 1e6;
/* Residual over right-hand side that refinement must reach, where pivots were replaced and else: of a singular matrix it only makes the solution larger, and with it the error smaller */
static const PetscReal REPLACED_LEAVE = 1e-3, REGULAR_LEAVE = 3e-2;
/* Ratios of rows' sizes from which on the matrix is scaled: without a look at the factors, and where their pivots are in doubt */
static const PetscReal SPREAD_EAGER = 1e9, SPREAD_DOUBTFUL = 32;

PetscErrorCode MatSchwarzSchurChooseMode(Mat F, Mat A)
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
  if (PetscDefined(USE_COMPLEX)) hermitian = (PetscBool)(hermitian || spd || (ss->asked.mode == MATSCHWARZSCHUR_SPD));
  ss->hermitian = hermitian;
  switch (ss->asked.mode) {
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

/* Each rank may take -mat_schwarzschur_memory_limit, or all on a machine together a part of what it has */
static PetscErrorCode CreateRanks(Mat F, const FactorOptions *options)
{
  Mat_SchwarzSchur     *ss = (Mat_SchwarzSchur *)F->data;
  SchwarzSchurExecutor *made;
  SchwarzSchurRanksNeed of;
  const PetscReal       asked = ss->asked.memory;

  PetscFunctionBegin;
  PetscCall(SchwarzSchurCreateRanks(ss->ranks, F->rmap->n, options, &made, &of));
  PetscCheck(made, PetscObjectComm((PetscObject)F), PETSC_ERR_MEM, "Out of memory while the fronts were laid out: use more processes on more machines, or a smaller grid");
  std::unique_ptr<SchwarzSchurExecutor> executor(made);
  const double                          need = asked > 0 ? of.bytes : of.used, limit = asked > 0 ? asked * 1e6 : MEMORY * of.room;
  PetscCheck(need <= limit, PetscObjectComm((PetscObject)F), PETSC_ERR_MEM,
             "The factors of this grid need %.1f MB on one %s and the limit is %.1f MB (-mat_schwarzschur_memory_limit; by default a part of what the machine has): use %s%smore processes%s, a smaller grid, or an iterative method", need * 1e-6,
             asked > 0 ? "process" : "machine", limit * 1e-6, ss->single ? "" : "-mat_schwarzschur_precision single, ", ss->used == FACTOR_LU ? "-pc_type cholesky if the matrix is symmetric, " : "", asked > 0 ? "" : " on more machines");
  ss->executor = std::move(executor);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* On this process, or on its device */
static PetscErrorCode CreateSequential(Mat F, Mat A, const FactorOptions *options)
{
  Mat_SchwarzSchur        *ss    = (Mat_SchwarzSchur *)F->data;
  const SchwarzSchurAsked &asked = ss->asked;
  SchwarzSchurExecutor    *made  = nullptr;
  double                   need, room = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE), limit;
  const PlanCount          count   = PlanCounts(ss->plan);
  const double             bytes   = ss->single ? sizeof(PetscScalar) / 2. : sizeof(PetscScalar);
  PetscBool                refused = PETSC_FALSE;

  PetscFunctionBegin;
  need = ss->shared ? 0 : asked.batch * bytes * ((ss->used == FACTOR_LU ? count.lu : count.symmetric) + count.stack);
  if (ss->ondevice) PetscCall(SchwarzSchurCudaMemory(ss->plan, options, asked.batch, asked.small, asked.columns, &need, &room));
  limit = asked.memory > 0 ? asked.memory * 1e6 : MEMORY * room;
  if (need <= limit) {
    if (!ss->ondevice || ss->compare) {
      PetscCall(SchwarzSchurCreateHost(ss->plan, options, asked.batch, ss->values.get(), &made));
      PetscCheck(made, PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory while the fronts were laid out");
      (ss->ondevice ? ss->mirror : ss->executor).reset(made);
    }
    if (ss->ondevice) {
      PetscCall(SchwarzSchurCreateCuda(F, A, ss->plan, options, asked.batch, ss->held, asked.small, asked.columns, asked.profile, ss->values.get(), &made, &refused));
      ss->executor.reset(made);
    }
    if (ss->executor) {
      const FactorInfo info = ss->executor->Info();

      need = info.bytes + info.stack_bytes;
    }
  }
  if (need > limit) ss->executor.reset();
  PetscCheck(need <= limit && !refused, PETSC_COMM_SELF, PETSC_ERR_MEM,
             "The factors of this grid need %s%.1f MB and the limit is %.1f MB (-mat_schwarzschur_memory_limit; by default a part of what the %s has): use %s%s, a smaller grid, or an iterative method", refused ? "more than " : "", need * 1e-6,
             limit * 1e-6, ss->ondevice ? "device" : "machine", ss->single ? "" : "-mat_schwarzschur_precision single, ", ss->used == FACTOR_LU ? "-pc_type cholesky if the matrix is symmetric" : "more processes");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateExecutor(Mat F, Mat A)
{
  Mat_SchwarzSchur     *ss = (Mat_SchwarzSchur *)F->data;
  SchwarzSchurExecutor *made;
  FactorOptions         options;

  PetscFunctionBegin;
  ss->executor.reset();
  ss->mirror.reset();
  options.mode      = ss->delayed ? FACTOR_LU : ss->used;
  options.single    = ss->single;
  options.hermitian = ss->hermitian;
  options.constant  = ss->shared;
  options.threads   = (int)ss->asked.threads;
  options.threshold = ss->asked.threshold;
  options.isa       = ss->asked.isa[0] ? ss->asked.isa : nullptr;
  if (ss->delayed) {
    PetscCall(SchwarzSchurCreateDelayed(A, ss->plan, &options, ss->asked.batch, ss->values.get(), ss->ranks ? SchwarzSchurRanksNumbering(ss->ranks) : nullptr, &made));
    ss->executor.reset(made);
  } else if (ss->ranks) {
    PetscCall(CreateRanks(F, &options));
  } else {
    PetscCall(CreateSequential(F, A, &options));
  }
  ss->nnz = ss->executor->Info().entries;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether boxes of the same shape can share their factors, as far as that may be looked at */
static PetscErrorCode FindShared(Mat F, Mat W, PetscBool *shared)
{
  Mat_SchwarzSchur          *ss       = (Mat_SchwarzSchur *)F->data;
  const SchwarzSchurConstant constant = ss->asked.constant;
  PetscInt                   row;
  bool                       isconstant;

  PetscFunctionBegin;
  *shared = PETSC_FALSE;
  if (ss->ranks || ss->delayed || ss->asked.batch > 1 || constant == CONSTANT_NO || (constant == CONSTANT_AUTO && ss->plan->nfronts <= 8 * (PetscInt)ss->plan->nclass)) PetscFunctionReturn(PETSC_SUCCESS);
  /* Nobody looks at values that are on the device already */
  if (ss->ondevice && ss->held && constant != CONSTANT_YES) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(ss->values->Constant(W, &isconstant, &row));
  *shared = (PetscBool)isconstant;
  PetscCheck(*shared || constant == CONSTANT_AUTO || ss->scaled || ss->transform.nnull, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG,
             "Row %" PetscInt_FMT " of the matrix differs from others with the same surroundings, or the grid is periodic or too small: leave out -mat_schwarzschur_constant", row);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurPrepare(Mat F, Mat A, Mat W)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  PetscBool         shared;

  PetscFunctionBegin;
  PetscCall(FindShared(F, W, &shared));
  if (shared != ss->shared) {
    PetscCall(PetscInfo(F, "Boxes of the same shape %s their factors\n", shared ? "share" : "no longer share"));
    ss->executor.reset();
  }
  ss->shared = shared;
  if (!ss->executor) PetscCall(CreateExecutor(F, A));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One factorization with what has been found out so far */
static PetscErrorCode FactorOnce(Mat F, PetscBool *again)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  *again = PETSC_FALSE;
  PetscCall(MatSchwarzSchurMakeTransform(F, ss->A));
  PetscCall(MatSchwarzSchurPrepare(F, ss->A, ss->transform.W));
  if (ss->ondevice && !ss->timing) PetscCall(PetscLogGpuTimeBegin());
  PetscCall(ss->executor->Numeric(ss->transform.W, &ss->found));
  if (ss->ondevice && !ss->timing) PetscCall(PetscLogGpuTimeEnd());
  if (ss->mirror) {
    SchwarzSchurFactored host;

    PetscCall(ss->mirror->Numeric(ss->transform.W, &host));
    PetscCheck(host.failed == ss->found.failed, PETSC_COMM_SELF, PETSC_ERR_GPU, "-petlap_check: the factorization ends with %d on the device and with %d on the host", ss->found.failed, host.failed);
  }
  if (!ss->found.failed) {
    PetscCall(MatSchwarzSchurTellTransform(F, ss->executor.get(), again));
    if (ss->mirror && !*again) PetscCall(MatSchwarzSchurTellTransform(F, ss->mirror.get(), again));
  }
  ss->nnz = ss->executor->Info().entries;
  PetscCheck(ss->found.failed != SCHWARZSCHUR_MEMORY, PetscObjectComm((PetscObject)F), PETSC_ERR_MEM, "Out of memory for the factors: use %s%sa smaller grid", ss->single ? "" : "-mat_schwarzschur_precision single, ",
             ss->ranks ? "more processes on more machines, or " : "or ");
  PetscCheck(ss->found.failed != SCHWARZSCHUR_MESSAGE, PetscObjectComm((PetscObject)F), PETSC_ERR_MPI, "A message between the processes has failed, and with it the factorization");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurUseDouble(Mat F, const char why[])
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  PetscCall(PetscInfo(F, "%s: back to double\n", why));
  ss->single   = PETSC_FALSE;
  ss->toosmall = PETSC_TRUE;
  ss->executor.reset();
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurCheckSymmetric(Mat F)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  PetscReal         norm, difference;
  PetscBool         symmetric;
  Mat               B;

  PetscFunctionBegin;
  if (ss->used == FACTOR_LU) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(MatNorm(ss->A, NORM_INFINITY, &norm));
  if (!ss->ranks) {
    if (ss->hermitian)
      PetscCall(MatIsHermitian(ss->A, 1e-8 * norm, &symmetric));
    else
      PetscCall(MatIsSymmetric(ss->A, 1e-8 * norm, &symmetric));
  } else {
    /* PETSc knows no such test for all distributed matrices */
    if (ss->hermitian)
      PetscCall(MatHermitianTranspose(ss->A, MAT_INITIAL_MATRIX, &B));
    else
      PetscCall(MatTranspose(ss->A, MAT_INITIAL_MATRIX, &B));
    PetscCall(MatAXPY(B, -1.0, ss->A, DIFFERENT_NONZERO_PATTERN));
    PetscCall(MatNorm(B, NORM_INFINITY, &difference));
    PetscCall(MatDestroy(&B));
    symmetric = (PetscBool)(difference <= 1e-8 * norm);
  }
  /* Who goes on after the error must not take the factors for good ones */
  if (!symmetric) {
    F->factorerrortype = MAT_FACTOR_NUMERIC_ZEROPIVOT;
    PetscCall(SchwarzSchurTellFailure(F));
  }
  PetscCheck(symmetric, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_WRONG, "The matrix is not %s, but was to be factored as if it were: use -pc_type lu, and do not call MatSetOption() with what is not so",
             ss->hermitian ? "Hermitian" : "symmetric");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Pivots from larger parts of the matrix: those of the host instead of the device's, then those that may leave their separator. */
static PetscErrorCode MatSchwarzSchurUsePivots(Mat F, PetscBool *done)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  *done = PETSC_TRUE;
  if (ss->ondevice) {
    PetscCall(PetscInfo(F, "The device's pivots lead to no useful residual: factors again on the host\n"));
    ss->ondevice = ss->compare = PETSC_FALSE;
    ss->fellback               = PETSC_TRUE;
    ss->executor.reset();
  } else if (!ss->delayed) {
    const PlanCount count = PlanCounts(ss->plan);
    const double    need = ss->asked.batch * sizeof(PetscScalar) * (count.lu + count.stack), limit = ss->asked.memory > 0 ? ss->asked.memory * 1e6 : MEMORY * (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);

    PetscCall(MatSchwarzSchurCheckSymmetric(F));
    if (need > limit) {
      PetscCall(PetscInfo(F, "Factors with pivots that may leave their separator need more than %.1f MB on one process, and the limit is %.1f MB (-mat_schwarzschur_memory_limit)\n", need * 1e-6, limit * 1e-6));
      *done = PETSC_FALSE;
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    PetscCall(PetscInfo(F, "The pivots inside the separators lead to no useful residual: factors again with pivots that may leave their separator%s\n", ss->ranks ? ", on one process" : ""));
    ss->delayed = PETSC_TRUE;
    ss->single  = PETSC_FALSE;
    ss->executor.reset();
  } else {
    *done = PETSC_FALSE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The next way to scale the matrix, if it is worth it. What is found out of the values is kept, since solves may ask again. */
static PetscErrorCode MatSchwarzSchurUseScale(Mat F, PetscReal from, PetscBool *done)
{
  Mat_SchwarzSchur   *ss   = (Mat_SchwarzSchur *)F->data;
  SchwarzSchurScaling next = SCALING_NONE;

  PetscFunctionBegin;
  if (ss->scaled == SCALING_NONE) {
    if (ss->spread < 0) PetscCall(MatSchwarzSchurSpread(ss, ss->A, &ss->spread));
    if (ss->spread > from) next = SCALING_LARGEST;
  }
  /* The largest entries do for a positive definite matrix: they are on the diagonal, whatever the scales were */
  if (!next && ss->scaled != SCALING_LOGARITHMS && ss->used != FACTOR_SPD && from <= SPREAD_DOUBTFUL) {
    if (ss->uneven < 0) PetscCall(MatSchwarzSchurUneven(ss, ss->A, &ss->uneven));
    if (ss->uneven > PetscLog2Real(SPREAD_DOUBTFUL)) next = SCALING_LOGARITHMS;
  }
  *done = (PetscBool)(next != SCALING_NONE);
  if (!next) PetscFunctionReturn(PETSC_SUCCESS);
  if (next == SCALING_LARGEST)
    PetscCall(PetscInfo(F, "The largest entries of rows or columns differ by a factor of %g: the matrix is scaled by powers of two\n", (double)ss->spread));
  else
    PetscCall(PetscInfo(F, "By the logarithms of the entries, the scales of rows or columns differ by %g bits: the matrix is scaled by powers of two that these tell\n", (double)ss->uneven));
  ss->scaled = next;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What ends a factorization. The text is null where it is good. */
static PetscErrorCode SchwarzSchurJudge(Mat F, const char **bad, PetscBool *again)
{
  Mat_SchwarzSchur *ss    = (Mat_SchwarzSchur *)F->data;
  const FactorInfo  info  = ss->executor->Info();
  const PetscReal   doubt = ss->single ? 1e-5 : PetscMax(1e-12, 64 * PETSC_MACHINE_EPSILON * (PetscReal)F->rmap->N);
  PetscReal         error, size;

  PetscFunctionBegin;
  *bad   = nullptr;
  *again = PETSC_FALSE;
  /* Also where solves are not to be looked at */
  ss->suspicious = (PetscBool)(info.replaced > 0 || !(info.ratio >= doubt) || ss->delayed || (ss->asked.refine == 0 && !ss->single));
  if (!ss->suspicious) PetscFunctionReturn(PETSC_SUCCESS);
  error = PETSC_MAX_REAL;
  size  = PETSC_MAX_REAL;
  if (!(ss->found.null > 0)) PetscCall(MatSchwarzSchurProbe(ss, &error, &size));
  const bool settled  = ss->delayed || error * size <= (info.replaced > 0 ? REPLACED_LEAVE : REGULAR_LEAVE);
  const bool accurate = error <= SCHWARZSCHUR_REGULAR && settled, regular = size < (ss->single ? SINGULAR_SINGLE : SINGULAR_DOUBLE);
  /* Other pivots would find the same */
  const bool singular = error <= SCHWARZSCHUR_REGULAR && !regular && !ss->lenient && info.replaced == 0;
  if (accurate && (regular || ss->lenient)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscInfo(F, "A solve with the factors has a backward error of %g and grows by %g; pivots differ by %g, %g were replaced\n", (double)error, (double)size, info.ratio, info.replaced));
  if (ss->single) {
    PetscCall(MatSchwarzSchurUseDouble(F, "The matrix is singular to single precision"));
    *again = PETSC_TRUE;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(MatSchwarzSchurUseScale(F, SPREAD_DOUBTFUL, again));
  if (!*again && !accurate && !singular && !(ss->found.null > 0)) PetscCall(MatSchwarzSchurUsePivots(F, again));
  if (*again) PetscFunctionReturn(PETSC_SUCCESS);
  if (ss->transform.attached)
    *bad =
      "The matrix is singular to working precision, also where its null space is fixed: attach all vectors of it, and store the diagonal entries where they are large (and those of the left null space, or attach that with MatSetTransposeNullSpace())";
  else
    *bad = "The matrix is singular to working precision: attach its null space with MatSetNullSpace(), fix an unknown, add a shift (-pc_factor_shift_type has no effect here), or use a Krylov method";
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Factors with precision, mode, scaling and pivots that do, as far as they are not the caller's wish. *type says what is wrong where nothing does. */
static PetscErrorCode MatSchwarzSchurFactorUntilGood(Mat F, MatFactorError *type, char text[], size_t length)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  const char       *bad;
  PetscBool         again = PETSC_TRUE;

  PetscFunctionBegin;
  /* Until the caller knows better: an error on the way leaves no factors. It is the one that a PC forgets with new values. */
  F->factorerrortype = MAT_FACTOR_NUMERIC_ZEROPIVOT;
  *type              = MAT_FACTOR_NOERROR;
  text[0]            = 0;
  while (again) {
    bad = nullptr;
    PetscCall(FactorOnce(F, &again));
    if (again) continue;
    switch (ss->found.failed) {
    case SCHWARZSCHUR_SUCCESS:
      if (!ss->scaled && ss->found.norms.least > 0 && ss->found.norms.sum > SPREAD_EAGER * ss->found.norms.least) PetscCall(MatSchwarzSchurUseScale(F, SPREAD_EAGER, &again));
      if (!again) PetscCall(SchwarzSchurJudge(F, &bad, &again));
      break;
    case SCHWARZSCHUR_NOT_FINITE:
      /* The only error that a PC forgets when it is set up for new values */
      *type = MAT_FACTOR_NUMERIC_ZEROPIVOT;
      PetscCall(PetscSNPrintf(text, length, "Entry (%" PetscInt_FMT ", %" PetscInt_FMT ") of the matrix is not finite: correct the assembly", ss->found.bad[0], ss->found.bad[1]));
      PetscFunctionReturn(PETSC_SUCCESS);
    case SCHWARZSCHUR_NOT_POSITIVE:
      again = PETSC_TRUE;
      if (ss->single) {
        PetscCall(MatSchwarzSchurUseDouble(F, "Single precision does not hold the factors"));
      } else if (ss->asked.mode == MATSCHWARZSCHUR_AUTO) {
        PetscCall(PetscInfo(F, "The matrix is not positive definite: from now on it is factored as a symmetric indefinite one\n"));
        ss->indefinite = PETSC_TRUE;
        ss->used       = FACTOR_SYMMETRIC;
        ss->executor.reset();
      } else {
        again = PETSC_FALSE;
        bad   = "The matrix is not positive definite: use -mat_schwarzschur_mode symmetric, or -pc_type lu if it is not symmetric";
      }
      break;
    default:
      if (ss->single) {
        PetscCall(MatSchwarzSchurUseDouble(F, "Single precision does not hold the factors"));
        again = PETSC_TRUE;
      } else {
        PetscCall(MatSchwarzSchurUseScale(F, SPREAD_DOUBTFUL, &again));
        if (!again) PetscCall(MatSchwarzSchurUsePivots(F, &again));
        bad = again ? nullptr : "The factors overflow: scale the matrix";
      }
    }
    if (bad) {
      *type = MAT_FACTOR_NUMERIC_ZEROPIVOT;
      PetscCall(PetscStrncpy(text, bad, length));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whoever wants errors has said so to A */
static PetscErrorCode MatSchwarzSchurVerdict(Mat F, MatFactorError type, const char text[])
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  F->factorerrortype = type;
  if (type == MAT_FACTOR_NOERROR) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscInfo(F, "%s\n", text));
  PetscCheck(!F->erroriffailure && !ss->A->erroriffailure, PetscObjectComm((PetscObject)F), ss->found.failed == SCHWARZSCHUR_NOT_FINITE ? PETSC_ERR_FP : PETSC_ERR_MAT_LU_ZRPVT, "%s", text);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurTryHarder(Mat F, int what, PetscBool *done)
{
  Mat_SchwarzSchur         *ss      = (Mat_SchwarzSchur *)F->data;
  const PetscBool           delayed = ss->delayed;
  const SchwarzSchurScaling scaled  = ss->scaled;
  const PetscReal           error   = ss->error;
  MatFactorError            type;
  char                      text[512];

  PetscFunctionBegin;
  *done = PETSC_FALSE;
  if (ss->stuck) PetscFunctionReturn(PETSC_SUCCESS);
  if (what == SCHWARZSCHUR_TRY_DOUBLE) {
    PetscCall(MatSchwarzSchurUseDouble(F, "Refinement of the single precision factors does not reach double precision"));
    *done = PETSC_TRUE;
  } else {
    PetscCall(MatSchwarzSchurUseScale(F, SPREAD_DOUBTFUL, done));
    if (!*done && what == SCHWARZSCHUR_TRY_PIVOTS) PetscCall(MatSchwarzSchurUsePivots(F, done));
  }
  if (!*done) PetscFunctionReturn(PETSC_SUCCESS);
  /* The matrix has passed for regular before */
  ss->lenient = PETSC_TRUE;
  PetscCall(MatSchwarzSchurFactorUntilGood(F, &type, text, sizeof(text)));
  if (type && (ss->delayed != delayed || ss->scaled != scaled) && error <= SCHWARZSCHUR_USELESS) {
    PetscCall(PetscInfo(F, "%s; back to the factors as they were\n", text));
    ss->delayed = delayed;
    ss->scaled  = scaled;
    ss->stuck   = PETSC_TRUE;
    ss->executor.reset();
    PetscCall(MatSchwarzSchurFactorUntilGood(F, &type, text, sizeof(text)));
  }
  ss->lenient = PETSC_FALSE;
  ss->check   = PETSC_TRUE;
  PetscCall(MatSchwarzSchurVerdict(F, type, text));
  if (type) PetscCall(SchwarzSchurTellFailure(F));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatGetInertia_SchwarzSchur(Mat F, PetscInt *nneg, PetscInt *nzero, PetscInt *npos)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  PetscCheck(ss->used == FACTOR_SPD && !ss->transform.nnull, PETSC_COMM_SELF, PETSC_ERR_SUP, "The inertia is only known for positive definite matrices: use -pc_factor_mat_solver_type mumps for the inertia of others");
  if (nneg) *nneg = 0;
  if (nzero) *nzero = 0;
  if (npos) *npos = F->rmap->N;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatFactorNumeric_SchwarzSchur(Mat F, Mat A, const MatFactorInfo *info)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  MatFactorError    type;
  Mat               operators;
  char              text[512];

  PetscFunctionBegin;
  (void)info;
  PetscCall(PetscLogEventBegin(MAT_SSNumeric, F, A, 0, 0));
  PetscCall(PetscObjectReference((PetscObject)A));
  PetscCall(MatDestroy(&ss->A));
  ss->A = A;
  PetscCall(PetscObjectStateGet((PetscObject)A, &ss->state));
  PetscCall(SchwarzSchurFindOperator(F, &operators));
  ss->inpc     = (PetscBool)(operators != nullptr);
  ss->stuck    = PETSC_FALSE;
  ss->lenient  = PETSC_FALSE;
  ss->measured = PETSC_FALSE;
  ss->check    = PETSC_TRUE;
  ss->error    = -1;
  ss->spread   = -1;
  ss->uneven   = -1;
  ss->nrefined = 0;
  ss->nnumeric++;
  PetscCall(MatSchwarzSchurFindNullSpace(F, A));
  PetscCall(MatSchwarzSchurFactorUntilGood(F, &type, text, sizeof(text)));
  PetscCall(MatSchwarzSchurVerdict(F, type, text));
  F->assembled    = PETSC_TRUE;
  F->preallocated = PETSC_TRUE;
  PetscCall(MatSchwarzSchurSetSolves(F));
  F->ops->getinertia = F->factortype == MAT_FACTOR_CHOLESKY ? MatGetInertia_SchwarzSchur : nullptr;
  if (ss->ondevice)
    PetscCall(PetscLogGpuFlops(ss->executor->Info().flops));
  else
    PetscCall(PetscLogFlops(ss->executor->OwnInfo().flops));
  PetscCall(PetscLogEventEnd(MAT_SSNumeric, F, A, 0, 0));
  PetscFunctionReturn(PETSC_SUCCESS);
}
