/*
  MATSOLVERSCHWARZSCHUR: the structured-grid direct solver as PETSc sees it. Factorizations are in schwarzschur_factor.cxx, solves in schwarzschur_solve.cxx, options in schwarzschur_options.cxx.
*/
#include "mat/schwarzschur/schwarzschur.h"
#include "mat/schwarzschur/schwarzschur_ranks.h"
#include "mat/compat/petscversion.h"
#include "mat/compat/backend.h"

PetscLogEvent MAT_SSSymbolic, MAT_SSNumeric, MAT_SSSolve;

static PetscBool  SchwarzSchurCited      = PETSC_FALSE;
static const char SchwarzSchurCitation[] = "@inproceedings{wang2025schwarz,\n"
                                           "  title     = {Schwarz-Schur Involution: Lightspeed Differentiable Sparse Linear Solvers},\n"
                                           "  author    = {Yu Wang and S. Mazdak Abulnaga and Ya{\\\"e}l Balbastre and Bruce Fischl},\n"
                                           "  booktitle = {Proceedings of the 42nd International Conference on Machine Learning},\n"
                                           "  year      = {2025}\n"
                                           "}\n";

static PetscErrorCode Reset(Mat_SchwarzSchur *ss)
{
  PetscFunctionBegin;
  ss->executor.reset();
  ss->mirror.reset();
  ss->values.reset();
  PetscCall(SchwarzSchurRanksDestroy(&ss->ranks));
  PetscCall(MatSchwarzSchurResetTransform(ss));
  PetscCall(MatDestroy(&ss->A));
  PlanDestroy(ss->plan);
  ss->plan       = nullptr;
  ss->scaled     = SCALING_NONE;
  ss->indefinite = ss->toosmall = ss->fellback = ss->shared = ss->delayed = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatDestroy_SchwarzSchur(Mat F)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  if (ss) PetscCall(Reset(ss));
  delete ss;
  F->data = nullptr;
  PetscCall(PetscObjectComposeFunction((PetscObject)F, "MatFactorGetSolverType_C", nullptr));
  PetscCall(MatSchwarzSchurComposeOptions(F, PETSC_FALSE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatFactorGetSolverType_SchwarzSchur(Mat F, MatSolverType *type)
{
  PetscFunctionBegin;
  (void)F;
  *type = MATSOLVERSCHWARZSCHUR;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The block of A that all others must be like */
static PetscErrorCode FirstGrid(const Mat_SchwarzSchur *ss, Mat A, Mat *first)
{
  const PetscInt   batch = ss->asked.batch;
  SchwarzSchurRows rows;
  IS               is;

  PetscFunctionBegin;
  if (batch == 1) {
    PetscCall(PetscObjectReference((PetscObject)A));
    *first = A;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SchwarzSchurGetRows(A, PETSC_FALSE, &rows));
  const PetscInt  n  = rows.n;
  const PetscInt *ia = rows.ia, *ja = rows.ja;
  PetscCheck(n % batch == 0, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ, "The %" PetscInt_FMT " rows of the matrix cannot belong to %" PetscInt_FMT " grids of the same size: correct -mat_schwarzschur_batch", n, batch);
  for (PetscInt i = 0; i < n; i++) {
    const PetscInt at = i % (n / batch), shift = i - at;
    PetscBool      same = (PetscBool)(ia[i + 1] - ia[i] == ia[at + 1] - ia[at]);

    for (PetscInt k = ia[i]; k < ia[i + 1] && same; k++) same = (PetscBool)(ja[k] == ja[ia[at] + k - ia[i]] + shift && ja[k] >= shift && ja[k] < shift + n / batch);
    PetscCheck(same, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG,
               "Row %" PetscInt_FMT " has not the entries that row %" PetscInt_FMT " of the first of %" PetscInt_FMT " grids has: give all grids the same pattern, with zeros where something is missing, or correct -mat_schwarzschur_batch", i, at,
               batch);
  }
  PetscCall(SchwarzSchurRestoreRows(A, &rows));
  PetscCall(ISCreateStride(PETSC_COMM_SELF, A->rmap->n / batch, 0, 1, &is));
  PetscCall(MatCreateSubMatrix(A, is, is, MAT_INITIAL_MATRIX, first));
  PetscCall(ISDestroy(&is));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What does not go together, before any work is done */
static PetscErrorCode CheckAsked(Mat F, Mat A, PetscBool distributed)
{
  const SchwarzSchurAsked &asked = ((Mat_SchwarzSchur *)F->data)->asked;

  PetscFunctionBegin;
  PetscCheck(!distributed || asked.batch == 1, PetscObjectComm((PetscObject)A), PETSC_ERR_SUP, "-mat_schwarzschur_batch works on the matrix of one process: leave it out, or give each process grids of its own with -pc_type bjacobi -sub_pc_type %s",
             F->factortype == MAT_FACTOR_LU ? "lu" : "cholesky");
  PetscCheck(!distributed || asked.constant != CONSTANT_YES, PetscObjectComm((PetscObject)A), PETSC_ERR_SUP, "-mat_schwarzschur_constant yes works on the matrix of one process: leave it out");
  PetscCheck(!distributed || asked.backend != PETLAP_BACKEND_CUDA, PetscObjectComm((PetscObject)A), PETSC_ERR_SUP,
             "-mat_schwarzschur_backend cuda works on the matrix of one process: use -mat_schwarzschur_backend host, or -pc_type bjacobi with schwarzschur on the blocks");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MakePlan(Mat_SchwarzSchur *ss)
{
  PlanGrid grid;
  char     text[256];

  PetscFunctionBegin;
  PetscCheck(ss->asked.batch == 1 || ss->asked.constant != CONSTANT_YES, PETSC_COMM_SELF, PETSC_ERR_SUP, "-mat_schwarzschur_constant yes does not go with -mat_schwarzschur_batch: leave one of them out");
  PetscCheck(ss->asked.batch == 1 || ss->grid.topology == STRUCTURED_GRID_PLAIN, PETSC_COMM_SELF, PETSC_ERR_SUP, "-mat_schwarzschur_batch does not go with -mat_schwarzschur_topology octahedral: factor the grids one by one");
  grid.dim      = (int)ss->grid.dim;
  grid.dof      = (int)ss->grid.dof;
  grid.width    = (int)ss->grid.width;
  grid.star     = ss->grid.star;
  grid.topology = ss->grid.topology == STRUCTURED_GRID_OCTAHEDRAL ? PLAN_OCTAHEDRAL : PLAN_PLAIN;
  for (int d = 0; d < 3; d++) {
    grid.size[d]     = ss->grid.size[d];
    grid.periodic[d] = ss->grid.periodic[d];
  }
  grid.separators = (PlanSeparators)ss->asked.separators;
  PetscCheck(grid.separators != PLAN_SEPARATORS_DIAGONAL || PlanDiagonal(&grid), PETSC_COMM_SELF, PETSC_ERR_SUP,
             "-mat_schwarzschur_separators diagonal is for plane grids that are not periodic, with couplings to the four neighbours only: use auto or straight");
  ss->plan = PlanCreate(&grid, (int)ss->asked.leaf, (int)ss->asked.block, text, sizeof(text));
  PetscCheck(ss->plan, PETSC_COMM_SELF, PETSC_ERR_MEM, "%s", text);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rows that are numbered box by box, as where the matrix has been gathered from several processes */
static PetscErrorCode ReadOrder(Mat_SchwarzSchur *ss, Mat A)
{
  IS              rows;
  const PetscInt *row;
  PetscInt        n;

  PetscFunctionBegin;
  PetscCheck(ss->asked.backend != PETLAP_BACKEND_CUDA, PETSC_COMM_SELF, PETSC_ERR_SUP, "-mat_schwarzschur_backend cuda works on rows in natural order, and those of this matrix are numbered box by box: use -mat_schwarzschur_backend host");
  PetscCall(StructuredGridGetPermutation(A, nullptr, &ss->asked.hints, &rows));
  if (!rows) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(ISGetLocalSize(rows, &n));
  PetscCall(ISGetIndices(rows, &row));
  ss->order.assign(row, row + n);
  PetscCall(ISRestoreIndices(rows, &row));
  PetscCall(ISDestroy(&rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatFactorSymbolic_SchwarzSchur(Mat F, Mat A)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  PetscBool         distributed;
  Mat               first, W;

  PetscFunctionBegin;
  PetscCall(PetscCitationsRegister(SchwarzSchurCitation, &SchwarzSchurCited));
  PetscCall(MatSchwarzSchurSetFromOptions(F));
  PetscCall(PetscLogEventBegin(MAT_SSSymbolic, F, A, 0, 0));
  PetscCall(Reset(ss));
  ss->asked.hints.size_option     = "-mat_schwarzschur_grid";
  ss->asked.hints.dof_option      = "-mat_schwarzschur_dof";
  ss->asked.hints.periodic_option = "-mat_schwarzschur_periodic";
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)A, MATMPIAIJ, &distributed));
  PetscCall(CheckAsked(F, A, distributed));
  PetscCall(FirstGrid(ss, A, &first));
  ss->asked.hints.permuted = (PetscBool)(!distributed && ss->asked.batch == 1);
  PetscCall(StructuredGridDetermine(first, nullptr, &ss->asked.hints, &ss->grid));
  if (ss->grid.permuted && !distributed) PetscCall(ReadOrder(ss, first));
  PetscCall(MatDestroy(&first));
  PetscCall(MakePlan(ss));
  ss->single = (PetscBool)(ss->asked.precision == MATSCHWARZSCHUR_SINGLE);
  ss->nsymbolic++;
  PetscCall(MatSchwarzSchurChooseMode(F, A));
  F->ops->lufactornumeric       = F->factortype == MAT_FACTOR_LU ? MatFactorNumeric_SchwarzSchur : nullptr;
  F->ops->choleskyfactornumeric = F->factortype == MAT_FACTOR_CHOLESKY ? MatFactorNumeric_SchwarzSchur : nullptr;
  PetscCall(BackendHolds(A, nullptr, &ss->held));
  ss->ondevice = ss->compare = PETSC_FALSE;
  if (distributed) {
    if (ss->held) PetscCall(PetscInfo(F, "The matrix is spread over processes, and so its values are copied to the host and factored there\n"));
    ss->held = PETSC_FALSE;
    PetscCall(PetscObjectReference((PetscObject)A));
    W = A;
    PetscCall(SchwarzSchurRanksCreate(A, &ss->asked.hints, ss->plan, &ss->ranks));
  } else {
    PetscCall(MatSchwarzSchurPermute(ss, A, &W));
    ss->values.reset(new SchwarzSchurValues());
    PetscCall(ss->values->Analyze(W, ss->plan));
    PetscCall(BackendChoose((PetscObject)F, ss->order.empty() ? ss->asked.backend : PETLAP_BACKEND_HOST, ss->held, "mat_schwarzschur_backend", &ss->ondevice));
    PetscCall(BackendCheck(&ss->compare));
    ss->compare = (PetscBool)(ss->compare && ss->ondevice);
  }
  PetscCall(MatSchwarzSchurPrepare(F, A, W));
  PetscCall(MatDestroy(&W));
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

static PetscErrorCode MatGetInfo_SchwarzSchur(Mat F, MatInfoType type, MatInfo *info)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;
  MatInfo           of;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(info, sizeof(*info)));
  info->block_size = 1;
  if (!ss->executor) PetscFunctionReturn(PETSC_SUCCESS);
  const FactorInfo f        = type == MAT_GLOBAL_SUM ? ss->executor->Info() : ss->executor->OwnInfo();
  double           value[2] = {f.entries, f.bytes + f.stack_bytes}, most[2];
  if (type == MAT_GLOBAL_MAX) {
    CompatCallAllreduce(value, most, 2, MPI_DOUBLE, MPI_MAX, ss->executor->comm);
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
  if (!ss->executor) {
    PetscCall(PetscViewerASCIIPrintf(viewer, "schwarzschur: not factored\n"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  const FactorInfo f      = ss->executor->Info();
  const PetscBool  detail = (PetscBool)(format == PETSC_VIEWER_ASCII_INFO_DETAIL);
  PetscCall(PetscViewerASCIIPrintf(viewer, "schwarzschur:\n"));
  PetscCall(PetscViewerASCIIPushTab(viewer));
  PetscCall(StructuredGridView(&ss->grid, viewer));
  if (ss->asked.batch > 1) PetscCall(PetscViewerASCIIPrintf(viewer, "%" PetscInt_FMT " grids\n", ss->asked.batch));
  PetscCall(PetscViewerASCIIPrintf(viewer, "factorization: %s%s, %s precision%s%s\n", ss->hermitian && ss->used != FACTOR_LU ? "Hermitian " : "", modes[ss->used], ss->single ? "single" : "double", ss->toosmall ? " (single was not enough)" : "",
                                   ss->shared ? ", one matrix for all boxes of the same shape" : ""));
  PetscCall(PetscViewerASCIIPrintf(viewer, "tree: %" PetscInt_FMT " fronts of %d classes on %d levels, largest front %d, leaf %d, block %d, %s separators\n", ss->plan->nfronts, ss->plan->nclass, ss->plan->height + 1,
                                   ss->plan->maxfront * ss->plan->grid.dof, ss->plan->leaf, ss->plan->block, ss->plan->diagonal ? "diagonal" : "straight"));
  PetscCall(PetscViewerASCIIPrintf(viewer, "factors: %.0f entries, %.1f MB, and %.1f MB of work space; %.3g Gflop\n", ss->nnz, f.bytes * 1e-6, f.stack_bytes * 1e-6, 1e-9 * f.flops));
  if (ss->scaled) PetscCall(PetscViewerASCIIPrintf(viewer, "rows and columns are scaled by powers of two%s\n", ss->scaled == SCALING_LOGARITHMS ? ", from logarithms" : ""));
  if (ss->transform.nnull) PetscCall(PetscViewerASCIIPrintf(viewer, "null space: %" PetscInt_FMT " vectors, each with an unknown that is fixed\n", ss->transform.nnull));
  PetscCall(PetscViewerASCIIPrintf(viewer, "refinement: at most %" PetscInt_FMT " steps\n", MatSchwarzSchurSteps(ss)));
  if (ss->delayed)
    PetscCall(PetscViewerASCIIPrintf(viewer, "pivot threshold %g, LU with pivots that may leave their separator\n", (double)ss->asked.threshold));
  else
    PetscCall(PetscViewerASCIIPrintf(viewer, "pivot threshold %g, pivots replaced: %.0f\n", (double)ss->asked.threshold, f.replaced));
  if (ss->ondevice)
    PetscCall(PetscViewerASCIIPrintf(viewer, "backend: cuda%s%s\n", ss->asked.backend == PETLAP_BACKEND_AUTO ? " (auto)" : "", ss->compare ? ", compared with the host" : ""));
  else
    PetscCall(PetscViewerASCIIPrintf(viewer, "backend: host, threads: %d%s\n", f.threads, ss->fellback ? " (the pivots of the device were not enough)" : ""));
  PetscCall(ss->executor->View(viewer, detail));
  if (detail) {
    PetscCall(PetscViewerASCIIPrintf(viewer, "symbolic factorizations %" PetscInt_FMT ", numeric ones %" PetscInt_FMT "\n", ss->nsymbolic, ss->nnumeric));
    if (ss->error >= 0) PetscCall(PetscViewerASCIIPrintf(viewer, "backward error of the last solve that was checked %g after %" PetscInt_FMT " steps\n", (double)ss->error, ss->nrefined));
  }
  PetscCall(PetscViewerASCIIPopTab(viewer));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatGetFactor_AIJ_SchwarzSchur(Mat A, MatFactorType type, Mat *F)
{
  Mat       B;
  PetscBool same;

  PetscFunctionBegin;
  PetscCheck(A->rmap->N == A->cmap->N, PetscObjectComm((PetscObject)A), PETSC_ERR_ARG_SIZ, "The matrix is %" PetscInt_FMT " x %" PetscInt_FMT ", only square ones can be factored", A->rmap->N, A->cmap->N);
  PetscCall(PetscLayoutCompare(A->rmap, A->cmap, &same));
  PetscCheck(same, PetscObjectComm((PetscObject)A), PETSC_ERR_ARG_SIZ, "The columns of the matrix are not dealt to processes as its rows are: give MatSetSizes() the same local sizes for both");
  PetscCall(MatCreate(PetscObjectComm((PetscObject)A), &B));
  PetscCall(MatSetSizes(B, A->rmap->n, A->cmap->n, A->rmap->N, A->cmap->N));
  PetscCall(PetscStrallocpy("schwarzschur", &((PetscObject)B)->type_name));
  PetscCall(MatSetUp(B));
  B->data         = new Mat_SchwarzSchur();
  B->ops->destroy = MatDestroy_SchwarzSchur;
  B->ops->view    = MatView_SchwarzSchur;
  B->ops->getinfo = MatGetInfo_SchwarzSchur;
  if (type == MAT_FACTOR_LU)
    B->ops->lufactorsymbolic = MatLUFactorSymbolic_SchwarzSchur;
  else
    B->ops->choleskyfactorsymbolic = MatCholeskyFactorSymbolic_SchwarzSchur;
  PetscCall(PetscObjectComposeFunction((PetscObject)B, "MatFactorGetSolverType_C", MatFactorGetSolverType_SchwarzSchur));
  PetscCall(MatSchwarzSchurComposeOptions(B, PETSC_TRUE));
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
  PetscCall(SchwarzSchurWatchOwners());
  PetscCall(PetscLogEventRegister("MatSSSymbolic", MAT_CLASSID, &MAT_SSSymbolic));
  PetscCall(PetscLogEventRegister("MatSSNumeric", MAT_CLASSID, &MAT_SSNumeric));
  PetscCall(PetscLogEventRegister("MatSSSolve", MAT_CLASSID, &MAT_SSSolve));
  PetscFunctionReturn(PETSC_SUCCESS);
}
