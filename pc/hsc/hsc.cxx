/*
  PCHSC: Hierarchical Sparsify and Compensate, a multilevel preconditioner for Laplacian matrices.
*/
#include "petlap.h"
#include <petsc/private/pcimpl.h>
#include <petscdmda.h>
#include <cmath>
#include "mat/compat/backend.h"
#include "mat/compat/petscversion.h"
#include "pc/hsc/eigenvectors.h"
#include "pc/hsc/solver.h"
#include "pc/setup.h"

#if !defined(PETSC_USE_COMPLEX)
using namespace petlap::hsc;

static const char *const PCHSCSmoothers[]  = {"gs", "jacobi", "auto", "PCHSCSmoother", "PCHSC_SMOOTHER_", nullptr};
static const char *const PCHSCCycleTypes[] = {"v", "w", "PCHSCCycleType", "PCHSC_CYCLE_", nullptr};
static const char *const PCHSCSymmetrics[] = {"auto", "no", "yes", "PCHSCSymmetric", "PCHSC_SYMMETRIC_", nullptr};
static const char *const PCHSCColorings[]  = {"greedy", "paper", "PCHSCColoring", "PCHSC_COLORING_", nullptr};
static const char *const PCHSCPrecisions[] = {"single", "double", "PCHSCPrecision", "PCHSC_PRECISION_", nullptr};
static const char *const PCHSCReorders[]   = {"auto", "none", "bfs", "PCHSCReorder", "PCHSC_REORDER_", nullptr};
static const char *const PCHSCPositives[]  = {"compensate", "drop", "lump", "error", "PCHSCPositive", "PCHSC_POSITIVE_", nullptr};
static const char *const PCHSCReuses[]     = {"none", "shift", "all", "PCHSCReuse", "PCHSC_REUSE_", nullptr};

typedef struct {
  PCHSCSmoother  smoother;
  PetscReal      omega;
  PetscInt       pre, post;
  PCHSCCycleType cycle;
  PCHSCSymmetric symmetric;
  PCHSCColoring  coloring;
  PetscBool      compensate, geometry, symmetrize, scaling;
  PetscReal      thetafinest, theta;
  PetscInt       dmin, direct, maxlevels, agglomerate;
  PCHSCPrecision precision;
  PCHSCReorder   reorder;
  PCHSCPositive  positive;
  PCHSCReuse     reuse;

  PetscInt   dim, ncoords; /* coordinates given by the user */
  PetscReal *coords;

  PetscReal shift;  /* of the user */
  Vec       dshift; /* of the user, by row */

  /* The hierarchy and what it was built from */
  Solver    *solver;
  Survey     survey;
  PetscReal *diagonal; /* then */
  PetscReal *grown;    /* what the absolute values of the diagonal have gained since, or null */
  PetscInt   n, nnz;
  PetscBool  stale, shifted;  /* an option or a shift has changed since */
  PetscBool  single;          /* precision used */
  PetscBool  allowed, narrow; /* the Krylov method takes a nonsymmetric preconditioner, or one that is linear up to single precision only */
  PetscInt   nbuilt, nupdated;

  PetlapBackend backend;
  PetscBool     device, check; /* cycles are run by the device, and compared with those of the host */
  PetscBool     full;          /* the hierarchy did not fit there */

  PCHSCEigen eigen;
} PC_HSC;

static PetscLogEvent PC_HSCSetUp, PC_HSCUpdate, PC_HSCApply;
static PetscBool     HSCCited      = PETSC_FALSE;
static const char    HSCCitation[] = "@article{krishnan2013efficient,\n"
                                     "  title   = {Efficient Preconditioning of Laplacian Matrices for Computer Graphics},\n"
                                     "  author  = {Dilip Krishnan and Raanan Fattal and Richard Szeliski},\n"
                                     "  journal = {ACM Transactions on Graphics},\n"
                                     "  volume  = {32},\n"
                                     "  number  = {4},\n"
                                     "  pages   = {142:1--142:15},\n"
                                     "  year    = {2013}\n"
                                     "}\n";

/* The core reports that it has no memory by an exception, PETSc by an error code */
template <typename Body>
static PetscErrorCode PCHSCTry(PC pc, const char doing[], Body body)
{
  PetscFunctionBegin;
  try {
    body();
  } catch (const std::bad_alloc &) {
    PC_HSC *hsc = (PC_HSC *)pc->data;

    delete hsc->solver;
    hsc->solver = nullptr;
    SETERRQ(PETSC_COMM_SELF, PETSC_ERR_MEM, "Out of memory while %s: use -pc_hsc_precision single, or more processes", doing);
  } catch (const CommunicationError &error) {
    SETERRQ(PETSC_COMM_SELF, error.code, "Communication failed while %s", doing);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCCheckEnum(PC pc, const char function[], const char *const list[], PetscInt value)
{
  PetscInt n = 0;

  PetscFunctionBegin;
  /* the list ends with the names of the type and of the prefix */
  while (list[n + 2]) n++;
  PetscCheck(value >= 0 && value < n, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "%s was given %" PetscInt_FMT ", which is none of the %" PetscInt_FMT " values of %s", function, value, n, list[n]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* On a device every color of Gauss-Seidel is a kernel that waits for the one before, while Jacobi takes about one iteration more. It is no smoother for every matrix with positive entries off the diagonal. */
static bool PCHSCUsesJacobi(const PC_HSC *hsc)
{
  return hsc->smoother == PCHSC_SMOOTHER_AUTO ? hsc->device && !hsc->survey.npositive : hsc->smoother == PCHSC_SMOOTHER_JACOBI;
}

static Sweeps PCHSCSweeps(const PC_HSC *hsc)
{
  Sweeps          s;
  const PetscBool symmetric = (PetscBool)(hsc->symmetric == PCHSC_SYMMETRIC_YES || (hsc->symmetric == PCHSC_SYMMETRIC_AUTO && (!hsc->allowed || hsc->survey.npositive > 0)));

  s.jacobi = PCHSCUsesJacobi(hsc);
  s.omega  = (double)hsc->omega;
  s.post   = (int)hsc->post;
  s.pre    = symmetric ? (int)hsc->post : (int)hsc->pre;
  s.gamma  = hsc->cycle == PCHSC_CYCLE_W ? 2 : 1;
  s.wide   = !hsc->narrow;
  return s;
}

/*
  Methods that do without symmetry: flexible ones, and those for nonsymmetric matrices.

  Most methods keep a residual that is the true one only as long as the preconditioner is linear to the precision of the vectors. Some do not care: they use the same
  z = M r for the solution and for the residual. Richardson and Chebyshev do so too, but inside a preconditioner they are linear, and what is around them may ask for that.
*/
static PetscErrorCode PCPreSolve_HSC(PC pc, KSP ksp, Vec, Vec)
{
  PC_HSC   *hsc = (PC_HSC *)pc->data;
  PetscBool any, stationary;

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompareAny((PetscObject)ksp, &hsc->narrow, KSPPSDO, KSPCG, KSPFCG, KSPPIPEFCG, KSPFGMRES, KSPGCR, KSPFBCGS, ""));
  PetscCall(PetscObjectTypeCompareAny((PetscObject)ksp, &stationary, KSPRICHARDSON, KSPCHEBYSHEV, ""));
  if (stationary && !((PetscObject)ksp)->tablevel) hsc->narrow = PETSC_TRUE;
  PetscCall(PetscObjectTypeCompareAny((PetscObject)ksp, &any, KSPPSDO, KSPFCG, KSPPIPEFCG, KSPGCR, KSPPIPEGCR, KSPGMRES, KSPFGMRES, KSPLGMRES, KSPDGMRES, KSPPGMRES, KSPPIPEFGMRES, KSPRICHARDSON, KSPBCGS, KSPIBCGS, KSPFBCGS, KSPFBCGSR, KSPQMRCGS,
                                      KSPBCGSL, KSPPIPEBCGS, KSPCGS, KSPTFQMR, KSPTCQMR, ""));
  hsc->allowed = any;
  PetscCall(PetlapPreSolve(pc, ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCCheckMat(PC pc, Mat P)
{
  PetscInt  m, n;
  PetscBool assembled;

  PetscFunctionBegin;
  PetscCall(MatAssembled(P, &assembled));
  PetscCheck(assembled, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_WRONGSTATE, "The matrix is not assembled: call MatAssemblyBegin() and MatAssemblyEnd() first");
  PetscCall(MatGetSize(P, &m, &n));
  PetscCheck(m == n, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_SIZ, "PCHSC needs a square matrix and this one has %" PetscInt_FMT " rows and %" PetscInt_FMT " columns: give the preconditioner a square one as Pmat of KSPSetOperators()", m, n);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The sum of the parts, as PETSc's own conversion multiplies by all columns of the unit matrix. Whatever else the matrix is scaled by, one product tells. */
static PetscErrorCode PCHSCConvertComposite(PC pc, Mat P, MatType type, Mat *B)
{
  MatCompositeType kind;
  PetscInt         n;
  Vec              x, y, z;
  PetscScalar      yz, zz;
  PetscReal        norm, rest;

  PetscFunctionBegin;
  PetscCall(MatCompositeGetType(P, &kind));
  PetscCall(MatCompositeGetNumberMat(P, &n));
  PetscCheck(kind == MAT_COMPOSITE_ADDITIVE && n > 0, PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP, "PCHSC needs the entries of the matrix and forms none of a product: give the preconditioner an AIJ matrix as Pmat of KSPSetOperators()");
  for (PetscInt k = 0; k < n; k++) {
    Mat part, C;

    PetscCall(MatCompositeGetMat(P, k, &part));
    PetscCall(MatConvert(part, type, MAT_INITIAL_MATRIX, &C));
    if (k == 0)
      *B = C;
    else {
      PetscCall(MatAXPY(*B, 1.0, C, DIFFERENT_NONZERO_PATTERN));
      PetscCall(MatDestroy(&C));
    }
  }
  PetscCall(MatCreateVecs(P, &x, &y));
  PetscCall(VecDuplicate(y, &z));
  PetscCall(VecSetRandom(x, nullptr));
  PetscCall(MatMult(P, x, y));
  PetscCall(MatMult(*B, x, z));
  PetscCall(VecDot(y, z, &yz));
  PetscCall(VecDot(z, z, &zz));
  if (zz != 0.0) PetscCall(MatScale(*B, yz / zz));
  if (zz != 0.0) PetscCall(VecScale(z, yz / zz));
  PetscCall(VecNorm(y, NORM_2, &norm));
  PetscCall(VecAXPY(z, -1.0, y));
  PetscCall(VecNorm(z, NORM_2, &rest));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&y));
  PetscCall(VecDestroy(&z));
  PetscCheck(!(rest > 1e-10 * norm), PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP,
             "PCHSC needs the entries of the matrix and has none of a composite one whose rows or parts are scaled: give the preconditioner an AIJ matrix as Pmat of KSPSetOperators()");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether PETSc has a way to an AIJ matrix other than a product for every column */
static PetscErrorCode PCHSCConvertible(Mat P, PetscBool *convertible)
{
  static const char *const to[] = {"seqaij", "mpiaij", "aij"};
  PetscBool                shell;

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompareAny((PetscObject)P, &shell, MATSHELL, MATMFFD, ""));
  *convertible = PETSC_FALSE;
  if (shell) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(MatHasOperation(P, MATOP_GET_ROW, convertible));
  if (!*convertible) PetscCall(MatHasOperation(P, MATOP_CONVERT, convertible));
  for (const char *type : to) {
    char name[256];
    void (*function)(void) = nullptr;

    if (*convertible) break;
    PetscCall(PetscSNPrintf(name, sizeof(name), "MatConvert_%s_%s_C", ((PetscObject)P)->type_name, type));
    PetscCall(PetscObjectQueryFunction((PetscObject)P, name, &function));
    if (function) *convertible = PETSC_TRUE;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* 0 for rows that have a diagonal alone, 1 for others */
static PetscErrorCode PCHSCFindAlone(Mat B, Vec *others, PetscBool *any)
{
  PetscInt     first, last, found = 0;
  PetscScalar *o;

  PetscFunctionBegin;
  PetscCall(MatCreateVecs(B, nullptr, others));
  PetscCall(MatGetOwnershipRange(B, &first, &last));
  PetscCall(VecGetArrayWrite(*others, &o));
  for (PetscInt i = first; i < last; i++) {
    PetscInt           n;
    const PetscInt    *col;
    const PetscScalar *v;
    PetscBool          diagonal = PETSC_FALSE, more = PETSC_FALSE;

    PetscCall(MatGetRow(B, i, &n, &col, &v));
    for (PetscInt k = 0; k < n; k++) {
      if (v[k] != 0.0) (col[k] == i ? diagonal : more) = PETSC_TRUE;
    }
    PetscCall(MatRestoreRow(B, i, &n, &col, &v));
    o[i - first] = diagonal && !more ? 0.0 : 1.0;
    found += diagonal && !more;
  }
  PetscCall(VecRestoreArrayWrite(*others, &o));
  CompatCallAllreduce(MPI_IN_PLACE, &found, 1, MPIU_INT, MPI_SUM, PetscObjectComm((PetscObject)B));
  *any = (PetscBool)(found > 0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The symmetric part, but for the columns of rows that a Dirichlet condition has left with the diagonal alone: these stay, as half of them would couple unknowns that are known */
static PetscErrorCode PCHSCSymmetrize(Mat *B)
{
  PetscBool symmetric, any = PETSC_FALSE;
  Mat       K = nullptr, T;
  Vec       others, diagonal;

  PetscFunctionBegin;
  PetscCall(MatIsSymmetric(*B, 0.0, &symmetric));
  /* Of a distributed matrix each process has an answer of its own */
  PetscInt mine = symmetric ? 1 : 0, all;
  CompatCallAllreduce(&mine, &all, 1, MPIU_INT, MPI_MIN, PetscObjectComm((PetscObject)*B));
  if (all) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PCHSCFindAlone(*B, &others, &any));
  if (any) {
    PetscCall(VecDuplicate(others, &diagonal));
    PetscCall(MatGetDiagonal(*B, diagonal));
    PetscCall(MatDuplicate(*B, MAT_COPY_VALUES, &K));
    PetscCall(MatDiagonalScale(K, nullptr, others));
    PetscCall(MatDiagonalSet(K, diagonal, INSERT_VALUES));
    PetscCall(VecDestroy(&diagonal));
  }
  PetscCall(VecDestroy(&others));
  PetscCall(MatTranspose(K ? K : *B, MAT_INITIAL_MATRIX, &T));
  PetscCall(MatAXPY(T, 1.0, K ? K : *B, DIFFERENT_NONZERO_PATTERN));
  PetscCall(MatScale(T, 0.5));
  if (K) {
    PetscCall(MatAXPY(T, 1.0, *B, DIFFERENT_NONZERO_PATTERN));
    PetscCall(MatAXPY(T, -1.0, K, DIFFERENT_NONZERO_PATTERN));
    PetscCall(MatDestroy(&K));
  }
  PetscCall(MatDestroy(B));
  *B = T;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The matrix as compressed sparse rows of a SeqAIJ matrix, or on several processes of an MPIAIJ matrix, which is a new one for other types and where the symmetric part is wanted */
PetscErrorCode PCHSCGetAIJ(PC pc, Mat P, Mat *B)
{
  PC_HSC     *hsc = (PC_HSC *)pc->data;
  PetscBool   aij, mpiaij, composite, convertible;
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PetscObjectComm((PetscObject)P), &size));
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)P, MATSEQAIJ, &aij));
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)P, MATMPIAIJ, &mpiaij));
  if (aij || (mpiaij && size > 1)) {
    PetscCall(PetscObjectReference((PetscObject)P));
    *B = P;
  } else if (mpiaij)
    PetscCall(MatMPIAIJGetLocalMat(P, MAT_INITIAL_MATRIX, B));
  else {
    PetscCall(PetscObjectTypeCompare((PetscObject)P, MATCOMPOSITE, &composite));
    PetscCall(PCHSCConvertible(P, &convertible));
    PetscCheck(convertible || composite, PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP, "PCHSC needs the entries of the matrix and has none from type %s: give the preconditioner an AIJ matrix as Pmat of KSPSetOperators()",
               ((PetscObject)P)->type_name);
    if (composite)
      PetscCall(PCHSCConvertComposite(pc, P, size > 1 ? MATMPIAIJ : MATSEQAIJ, B));
    else
      PetscCall(MatConvert(P, size > 1 ? MATMPIAIJ : MATSEQAIJ, MAT_INITIAL_MATRIX, B));
  }
  if (hsc->symmetrize) PetscCall(PCHSCSymmetrize(B));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetRowsSeq(Mat B, PetscBool restore, Rows *rows)
{
  PetscBool        done;
  const PetscReal *a;

  PetscFunctionBegin;
  if (restore) {
    a = rows->a;
    PetscCall(MatSeqAIJRestoreArrayRead(B, &a));
    PetscCall(MatRestoreRowIJ(B, 0, PETSC_FALSE, PETSC_FALSE, &rows->n, &rows->ia, &rows->ja, &done));
  } else {
    PetscCall(MatGetRowIJ(B, 0, PETSC_FALSE, PETSC_FALSE, &rows->n, &rows->ia, &rows->ja, &done));
    PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "The rows of a matrix of type %s cannot be had", ((PetscObject)B)->type_name);
    PetscCall(MatSeqAIJGetArrayRead(B, &a));
    rows->a = a;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCGetRows(Mat B, PCHSCRows *rows)
{
  PetscBool   mpiaij;
  PetscLayout layout;

  PetscFunctionBegin;
  *rows = PCHSCRows();
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)B, MATMPIAIJ, &mpiaij));
  if (!mpiaij) {
    rows->diagonal = B;
    PetscCall(PCHSCGetRowsSeq(B, PETSC_FALSE, &rows->own));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  rows->there        = &rows->outside;
  rows->outside.comm = PetscObjectComm((PetscObject)B);
  PetscCall(MatMPIAIJGetSeqAIJ(B, &rows->diagonal, &rows->off, &rows->outside.ghost));
  PetscCall(PCHSCGetRowsSeq(rows->diagonal, PETSC_FALSE, &rows->own));
  PetscCall(PCHSCGetRowsSeq(rows->off, PETSC_FALSE, &rows->outside.rows));
  PetscCall(MatGetLocalSize(rows->off, nullptr, &rows->outside.nghost));
  PetscCall(MatGetOwnershipRange(B, &rows->outside.start, nullptr));
  PetscCall(MatGetLayouts(B, &layout, nullptr));
  PetscCall(PetscSFCreate(rows->outside.comm, &rows->outside.sf));
  PetscCall(PetscSFSetGraphLayout(rows->outside.sf, layout, rows->outside.nghost, nullptr, PETSC_OWN_POINTER, rows->outside.ghost));
  PetscCall(PetscSFSetUp(rows->outside.sf));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PCHSCRestoreRows(PCHSCRows *rows)
{
  PetscFunctionBegin;
  PetscCall(PCHSCGetRowsSeq(rows->diagonal, PETSC_TRUE, &rows->own));
  if (rows->there) PetscCall(PCHSCGetRowsSeq(rows->off, PETSC_TRUE, &rows->outside.rows));
  PetscCall(PetscSFDestroy(&rows->outside.sf));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCCheckSurvey(PC pc, Mat P, const PCHSCRows &rows, const Survey &s)
{
  PC_HSC  *hsc  = (PC_HSC *)pc->data;
  MPI_Comm comm = PetscObjectComm((PetscObject)pc);
  PetscInt bs;

  PetscFunctionBegin;
  switch (s.problem) {
  case Survey::NONE:
    break;
  case Survey::TOO_LARGE:
    SETERRQ(comm, PETSC_ERR_SUP, "The matrix of one process has %" PetscInt_FMT " rows and %" PetscInt_FMT " entries, more than PCHSC can number: use more processes", s.row, s.col);
  case Survey::UNSORTED:
    SETERRQ(comm, PETSC_ERR_ARG_WRONG, "Row %" PetscInt_FMT " of the matrix has column %" PetscInt_FMT " twice or out of order: sort the columns given to MatCreateSeqAIJWithArrays(), or set the values by MatSetValues()", s.row, s.col);
  case Survey::NOT_A_NUMBER:
    SETERRQ(comm, PETSC_ERR_FP, "Entry (%" PetscInt_FMT ", %" PetscInt_FMT ") of the matrix is %g: look at how it was computed", s.row, s.col, (double)s.value);
  case Survey::DIAGONAL:
    SETERRQ(comm, PETSC_ERR_ARG_WRONG,
            "Diagonal entry %" PetscInt_FMT " of the matrix is %g, so that the matrix is neither a Laplacian nor the negative of one, whose diagonals have one sign and no zeros except in empty rows: use another preconditioner, or -pc_type "
            "fieldsplit for one block of a saddle point matrix",
            s.row, (double)s.value);
  }
  PetscCall(MatGetBlockSize(P, &bs));
  if (s.npositive) {
    PetscCall(PetscInfo(pc, "%" PetscInt_FMT " entries off the diagonal have the sign of the diagonal, which PCHSC is not made for (-pc_hsc_positive): with many of them a direct solver or -pc_type hypre is the better choice\n", s.npositive));
    /* Components that are not coupled are so many Laplacians; who says what is to become of such entries knows of them */
    if (bs > 1 && hsc->positive == PCHSC_POSITIVE_COMPENSATE) {
      PetscInt between = 0;

      PetscCall(PCHSCTry(pc, "the matrix was read", [&] { between = CountBetweenComponents(rows.own, rows.there, s, bs); }));
      PetscCheck(!between, comm, PETSC_ERR_SUP,
                 "The matrix has blocks of size %" PetscInt_FMT " and %" PetscInt_FMT " entries between their components with the sign of the diagonal: PCHSC is for scalar Laplacians. Use -pc_type fieldsplit -pc_fieldsplit_block_size %" PetscInt_FMT
                 " with hsc for the fields",
                 bs, between, bs);
    }
    PetscCheck(hsc->positive != PCHSC_POSITIVE_ERROR, comm, PETSC_ERR_ARG_WRONG,
               "%" PetscInt_FMT " entries off the diagonal have the sign of the diagonal and -pc_hsc_positive is error: use -pc_hsc_positive compensate, drop or lump, a direct solver, or -pc_type hypre", s.npositive);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where the unknowns are: as the user says, or on the DMDA */
static PetscErrorCode PCHSCGetLattice(PC pc, Mat P, PetscInt n, Lattice &lattice)
{
  PC_HSC        *hsc = (PC_HSC *)pc->data;
  DM             dm  = nullptr;
  PetscBool      isda;
  const MPI_Comm comm = PetscObjectComm((PetscObject)pc);

  PetscFunctionBegin;
  lattice.x.resize(n);
  lattice.y.resize(n);
  if (hsc->coords) {
    PetscReal low[2] = {PETSC_MAX_REAL, PETSC_MAX_REAL}, high[2] = {-PETSC_MAX_REAL, -PETSC_MAX_REAL}, step[2] = {PETSC_MAX_REAL, PETSC_MAX_REAL};

    PetscCheck(hsc->dim == 2, comm, PETSC_ERR_SUP, "-pc_hsc_geometry is for points in the plane and PCSetCoordinates() was given %" PetscInt_FMT " dimensions: leave the option out", hsc->dim);
    PetscCheck(hsc->ncoords == n, comm, PETSC_ERR_ARG_SIZ, "PCSetCoordinates() was given %" PetscInt_FMT " points and the matrix has %" PetscInt_FMT " rows: give it one point for each row, or leave -pc_hsc_geometry out", hsc->ncoords, n);
    for (PetscInt i = 0; i < n; i++) {
      for (PetscInt d = 0; d < 2; d++) {
        const PetscReal c = hsc->coords[2 * i + d];

        PetscCheck(!PetscIsInfOrNanReal(c), comm, PETSC_ERR_FP, "Coordinate %" PetscInt_FMT " of point %" PetscInt_FMT " is %g: look at how it was computed", d, i, (double)c);
        low[d]  = PetscMin(low[d], c);
        high[d] = PetscMax(high[d], c);
      }
    }
    low[0] = -low[0];
    low[1] = -low[1];
    CompatCallAllreduce(MPI_IN_PLACE, low, 2, MPIU_REAL, MPIU_MAX, comm);
    CompatCallAllreduce(MPI_IN_PLACE, high, 2, MPIU_REAL, MPIU_MAX, comm);
    low[0] = -low[0];
    low[1] = -low[1];
    for (PetscInt i = 1; i < n; i++) {
      for (PetscInt d = 0; d < 2; d++) {
        const PetscReal c = PetscAbsReal(hsc->coords[2 * i + d] - hsc->coords[2 * (i - 1) + d]);

        if (c > 1e-8 * (high[d] - low[d])) step[d] = PetscMin(step[d], c);
      }
    }
    CompatCallAllreduce(MPI_IN_PLACE, step, 2, MPIU_REAL, MPIU_MIN, comm);
    for (PetscInt i = 0; i < n; i++) {
      int at[2];

      for (PetscInt d = 0; d < 2; d++) {
        const PetscReal c = high[d] > low[d] ? (hsc->coords[2 * i + d] - low[d]) / step[d] : 0.0;

        PetscCheck(c < 1e9 && PetscAbsReal(c - PetscFloorReal(c + 0.5)) < 0.25, comm, PETSC_ERR_ARG_WRONG, "Point %" PetscInt_FMT " lies on no lattice of step %g x %g: leave -pc_hsc_geometry out", i, (double)step[0], (double)step[1]);
        at[d] = (int)PetscFloorReal(c + 0.5);
      }
      lattice.x[i] = at[0];
      lattice.y[i] = at[1];
    }
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(MatGetDM(P, &dm));
  if (!dm) PetscCall(PCGetDM(pc, &dm));
  isda = PETSC_FALSE;
  if (dm) PetscCall(PetscObjectTypeCompare((PetscObject)dm, DMDA, &isda));
  if (isda) {
    PetscInt dim, M, N, dof, xs, ys, xm, ym, m;

    PetscCall(MatGetSize(P, &m, nullptr));
    PetscCall(DMDAGetInfo(dm, &dim, &M, &N, nullptr, nullptr, nullptr, nullptr, &dof, nullptr, nullptr, nullptr, nullptr, nullptr));
    PetscCheck(dim == 2 && dof == 1 && M * N == m, comm, PETSC_ERR_SUP,
               "-pc_hsc_geometry is for matrices on a plane DMDA with one degree of freedom; this one has %" PetscInt_FMT " dimensions, %" PetscInt_FMT " degrees of freedom and %" PetscInt_FMT " points for %" PetscInt_FMT
               " rows: leave the option out",
               dim, dof, M * N, m);
    PetscCall(DMDAGetCorners(dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
    PetscCheck(xm * ym == n, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ, "This process has %" PetscInt_FMT " rows of the matrix and %" PetscInt_FMT " points of the DMDA: create the matrix by DMCreateMatrix(), or leave -pc_hsc_geometry out", n, xm * ym);
    for (PetscInt i = 0; i < n; i++) {
      lattice.x[i] = (int)(xs + i % xm);
      lattice.y[i] = (int)(ys + i / xm);
    }
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  SETERRQ(comm, PETSC_ERR_ARG_WRONGSTATE, "-pc_hsc_geometry needs coordinates: call PCSetCoordinates(), KSPSetDM() or PCSetDM() with a plane DMDA, or leave the option out");
}

static PetscErrorCode PCHSCBuild(PC pc, Mat P, const PCHSCRows &rows)
{
  PC_HSC         *hsc = (PC_HSC *)pc->data;
  Options         options;
  Lattice         lattice;
  Asymmetry       asymmetry;
  Solver::Outcome outcome = Solver::BUILT;
  const MPI_Comm  comm    = PetscObjectComm((PetscObject)pc);

  PetscFunctionBegin;
  PetscCall(PCHSCCheckSurvey(pc, P, rows, hsc->survey));
  if (hsc->geometry) PetscCall(PCHSCGetLattice(pc, P, rows.own.n, lattice));
  options.rules.coloring    = hsc->coloring == PCHSC_COLORING_PAPER ? COLORING_PAPER : COLORING_GREEDY;
  options.rules.thetafinest = (double)hsc->thetafinest;
  options.rules.theta       = (double)hsc->theta;
  options.rules.dmin        = (int)PetscMin(hsc->dmin, PETSC_MAX_INT / 2);
  options.rules.compensate  = (bool)hsc->compensate;
  options.rules.keep        = hsc->cycle == PCHSC_CYCLE_W;
  options.rules.direct      = (int)hsc->direct;
  options.rules.levels      = (int)PetscMin(hsc->maxlevels, 1000);
  options.rules.join        = (int)PetscMin(hsc->agglomerate, PETSC_MAX_INT / 2);
  options.scaling           = (bool)hsc->scaling;
  options.strict            = true;
  options.positive          = hsc->positive == PCHSC_POSITIVE_DROP ? POSITIVE_DROP : hsc->positive == PCHSC_POSITIVE_LUMP ? POSITIVE_LUMP : POSITIVE_COMPENSATE;
  options.reorder           = hsc->reorder == PCHSC_REORDER_BFS ? REORDER_BFS : hsc->reorder == PCHSC_REORDER_NONE ? REORDER_NONE : REORDER_AUTO;
  PetscCall(PetscLogEventBegin(PC_HSCSetUp, pc, P, nullptr, nullptr));
  hsc->single = (PetscBool)(hsc->precision == PCHSC_PRECISION_SINGLE);
  for (PetscBool again = PETSC_TRUE; again;) {
    PetscCall(PCHSCTry(pc, "the hierarchy was built", [&] {
      delete hsc->solver;
      hsc->solver = nullptr;
      hsc->solver = Solver::Create((bool)hsc->single).release();
      outcome     = hsc->solver->Build(rows.own, hsc->survey, hsc->geometry ? &lattice : nullptr, options, asymmetry, rows.there);
    }));
    again = (PetscBool)(outcome == Solver::TOO_COARSE);
    if (!again) break;
    PetscCall(PetscInfo(pc, "Single precision is too coarse for the entries of the matrix, or for a preconditioner that is its inverse: the hierarchy is in double precision\n"));
    hsc->single = PETSC_FALSE;
    /* It was used up */
    if (hsc->geometry) PetscCall(PCHSCGetLattice(pc, P, rows.own.n, lattice));
  }
  PetscCall(PetscLogEventEnd(PC_HSCSetUp, pc, P, nullptr, nullptr));
  if (outcome == Solver::ASYMMETRIC) {
    delete hsc->solver;
    hsc->solver      = nullptr;
    double spread    = 1.0;
    bool   rowscaled = false;

    if (!rows.there) PetscCall(PCHSCTry(pc, "the matrix was read", [&] { rowscaled = IsRowScaled(rows.own, &spread); }));
    /* Smaller factors are no scaling, and larger ones no mass matrix but convection, which is of this kind as well where it goes one way */
    PetscCheck(!(rowscaled && spread > 1.001 && spread < 1e6), comm, PETSC_ERR_ARG_WRONG,
               "The matrix is not symmetric: entry (%" PetscInt_FMT ", %" PetscInt_FMT ") is %.17g and entry (%" PetscInt_FMT ", %" PetscInt_FMT
               ") is %.17g. It is a symmetric one whose rows were multiplied by factors that differ by up to %g (or its columns), as by the inverse of a mass or degree matrix. PCHSC needs the symmetric one: leave that out, or multiply rows and "
               "right-hand side by that matrix; its symmetric part (-pc_hsc_symmetrize) is another matrix, and -pc_type hypre or gamg take this one",
               asymmetry.row, asymmetry.col, (double)asymmetry.value, asymmetry.col, asymmetry.row, (double)asymmetry.other, spread);
    if (asymmetry.pattern)
      SETERRQ(comm, PETSC_ERR_ARG_WRONG,
              "The matrix is not symmetric: entry (%" PetscInt_FMT ", %" PetscInt_FMT ") is %.17g and there is no entry (%" PetscInt_FMT ", %" PetscInt_FMT
              "). PCHSC needs a symmetric matrix: use -pc_hsc_symmetrize for its symmetric part, or another preconditioner",
              asymmetry.row, asymmetry.col, (double)asymmetry.value, asymmetry.col, asymmetry.row);
    SETERRQ(comm, PETSC_ERR_ARG_WRONG,
            "The matrix is not symmetric: entry (%" PetscInt_FMT ", %" PetscInt_FMT ") is %.17g and entry (%" PetscInt_FMT ", %" PetscInt_FMT
            ") is %.17g. PCHSC needs a symmetric matrix: use -pc_hsc_symmetrize for its symmetric part, or another preconditioner",
            asymmetry.row, asymmetry.col, (double)asymmetry.value, asymmetry.col, asymmetry.row, (double)asymmetry.other);
  }
  if (outcome == Solver::TOO_DENSE) {
    const PetscInt nd = (PetscInt)hsc->solver->GetReport().level.back().n;

    delete hsc->solver;
    hsc->solver = nullptr;
    SETERRQ(comm, PETSC_ERR_SUP, "%" PetscInt_FMT " unknowns are left on the coarsest level, more than the %d that a dense factorization is made for: raise -pc_hsc_max_levels, or use a direct solver if the graph of the matrix is nearly complete", nd,
            Solver::maxdense);
  }
  pc->failedreason = PC_NOERROR;
  if (outcome == Solver::INDEFINITE) {
    PetscCall(PetscInfo(pc, "The coarsest level is not positive definite\n"));
    pc->failedreason = PC_FACTOR_NUMERIC_ZEROPIVOT;
  }
  hsc->nbuilt++;
  hsc->stale   = PETSC_FALSE;
  hsc->shifted = (PetscBool)(hsc->shift != 0.0 || hsc->dshift);
  PetscCall(PetscFree(hsc->grown));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Brings the hierarchy to the shift that the user and the growth of the diagonal ask for */
static PetscErrorCode PCHSCUpdate(PC pc)
{
  PC_HSC    *hsc      = (PC_HSC *)pc->data;
  PetscReal *t        = nullptr;
  bool       definite = true;

  PetscFunctionBegin;
  if (!hsc->shifted || !hsc->solver) PetscFunctionReturn(PETSC_SUCCESS);
  if (hsc->dshift) {
    PetscInt m;

    PetscCall(VecGetLocalSize(hsc->dshift, &m));
    PetscCheck(m == hsc->n, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_SIZ, "The vector given to PCHSCSetDiagonalShift() has %" PetscInt_FMT " entries and the matrix has %" PetscInt_FMT " rows: give it one entry for each row, or NULL", m,
               hsc->n);
  }
  PetscCall(PetscLogEventBegin(PC_HSCUpdate, pc, nullptr, nullptr, nullptr));
  if (hsc->dshift || hsc->grown) {
    PetscCall(PetscMalloc1(hsc->n, &t));
    for (PetscInt i = 0; i < hsc->n; i++) t[i] = hsc->shift + (hsc->grown ? hsc->grown[i] : 0.0);
    if (hsc->dshift) {
      const PetscScalar *d;

      PetscCall(VecGetArrayRead(hsc->dshift, &d));
      for (PetscInt i = 0; i < hsc->n; i++) t[i] += d[i];
      PetscCall(VecRestoreArrayRead(hsc->dshift, &d));
    }
  }
  PetscCall(PCHSCTry(pc, "the hierarchy was shifted", [&] { definite = hsc->solver->Shift(t, hsc->shift); }));
  PetscCall(PetscFree(t));
  pc->failedreason = definite ? PC_NOERROR : PC_FACTOR_NUMERIC_ZEROPIVOT;
  hsc->shifted     = PETSC_FALSE;
  hsc->nupdated++;
  PetscCall(PetscLogEventEnd(PC_HSCUpdate, pc, nullptr, nullptr, nullptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscInt PCHSCEntries(const PCHSCRows &rows)
{
  return rows.own.ia[rows.own.n] + (rows.there ? rows.there->rows.ia[rows.own.n] : 0);
}

/* Whether the hierarchy serves this matrix as well, and with what growth of the diagonal; the same on all processes */
static PetscErrorCode PCHSCCompare(PC pc, const PCHSCRows &rows, const Survey &survey, PetscReal diagonal[], PetscBool *same)
{
  PC_HSC        *hsc      = (PC_HSC *)pc->data;
  const PetscInt n        = rows.own.n;
  PetscInt       other[2] = {0, 0}; /* the matrix is another, the diagonal is */

  PetscFunctionBegin;
  *same = PETSC_FALSE;
  if (!hsc->solver || hsc->stale || hsc->reuse == PCHSC_REUSE_NONE || survey.problem != Survey::NONE) PetscFunctionReturn(PETSC_SUCCESS);
  if (n != hsc->n || survey.sign != hsc->survey.sign) other[0] = 1;
  if (hsc->reuse != PCHSC_REUSE_ALL && (PCHSCEntries(rows) != hsc->nnz || survey.hash != hsc->survey.hash)) other[0] = 1;
  /* Weights between coarse unknowns were computed with the diagonal as it was, and are too weak for a smaller one */
  for (PetscInt i = 0; i < n && !other[0]; i++) {
    const PetscReal t = survey.sign * (diagonal[i] - hsc->diagonal[i]);

    if (t < 0.0 && hsc->reuse != PCHSC_REUSE_ALL) other[0] = 1;
    if (t != 0.0) other[1] = 1;
  }
  if (rows.there) CompatCallAllreduce(MPI_IN_PLACE, other, 2, MPIU_INT, MPI_MAX, rows.there->comm);
  if (other[0]) PetscFunctionReturn(PETSC_SUCCESS);
  /* Sums of rows that were taken for zero, and are not, have not been kept */
  if (other[1] && hsc->reuse != PCHSC_REUSE_ALL) {
    Report r;

    PetscCall(PCHSCTry(pc, "the hierarchy was looked at", [&] { r = hsc->solver->GetReport(); }));
    if (r.clamped || r.nclamped) PetscFunctionReturn(PETSC_SUCCESS);
  }
  *same = PETSC_TRUE;
  if (!other[1] && !hsc->grown) PetscFunctionReturn(PETSC_SUCCESS);
  /* not null where a process has no rows */
  if (!hsc->grown) PetscCall(PetscMalloc1(n + 1, &hsc->grown));
  for (PetscInt i = 0; i < n; i++) hsc->grown[i] = PetscMax(0.0, survey.sign * (diagonal[i] - hsc->diagonal[i]));
  hsc->shifted = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Numbers that are not finite are a matter of the method that computed them, as of a Newton step that went too far: solvers end with a reason and go on with other ones */
static PetscErrorCode PCHSCFail(PC pc, const Survey &survey)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  delete hsc->solver;
  hsc->solver      = nullptr;
  pc->failedreason = PC_FACTOR_OTHER;
  PetscCall(PetscInfo(pc, "Entry (%" PetscInt_FMT ", %" PetscInt_FMT ") of the matrix is %g: look at how it was computed\n", survey.row, survey.col, (double)survey.value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCBuildOrKeep(PC pc, Mat B, const PCHSCRows &rows)
{
  PC_HSC    *hsc = (PC_HSC *)pc->data;
  Survey     survey;
  PetscReal *diagonal;
  PetscBool  same;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(rows.own.n, &diagonal));
  PetscCall(PCHSCTry(pc, "the matrix was read", [&] { survey = Inspect(rows.own, diagonal, rows.there); }));
  if (survey.problem == Survey::NOT_A_NUMBER && !pc->erroriffailure) {
    PetscCall(PetscFree(diagonal));
    PetscCall(PCHSCFail(pc, survey));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PCHSCCompare(pc, rows, survey, diagonal, &same));
  if (same) {
    PetscCall(PetscFree(diagonal));
    PetscCall(PetscInfo(pc, "The hierarchy is kept%s\n", hsc->shifted ? " and shifted by the change of the diagonal" : ""));
  } else {
    /* A set-up that fails leaves no hierarchy of another matrix behind */
    delete hsc->solver;
    hsc->solver = nullptr;
    PetscCall(PetscFree(hsc->diagonal));
    hsc->diagonal = diagonal;
    hsc->survey   = survey;
    hsc->n        = rows.own.n;
    hsc->nnz      = PCHSCEntries(rows);
    PetscCall(PCHSCBuild(pc, B == pc->pmat ? B : pc->pmat, rows));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where cycles are run: as the user says, or where the matrix or the vector is. The device receives what the hierarchy has become. */
static PetscErrorCode PCHSCPrepare(PC pc, Vec b)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  if (!hsc->device) {
    PetscBool   there;
    PetscMPIInt size;

    PetscCallMPI(MPI_Comm_size(PetscObjectComm((PetscObject)pc), &size));
    PetscCall(BackendHolds(b ? nullptr : pc->pmat, b, &there));
    if (size > 1) {
      PetscCheck(hsc->backend != PETLAP_BACKEND_CUDA, PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP,
                 "A hierarchy that is spread over %d processes works on the host: use -pc_hsc_backend host or auto, or one process for each device with -pc_type bjacobi -sub_pc_type hsc", (int)size);
      /* Vectors are looked at in each application, which need not all say it */
      if (!b && there && hsc->backend == PETLAP_BACKEND_AUTO) PetscCall(PetscInfo(pc, "Works on the host: a hierarchy that is spread over %d processes does not work on a device\n", (int)size));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    /* Whatever else was to be said about this was said at the set-up */
    if (b && (!there || hsc->full || hsc->backend != PETLAP_BACKEND_AUTO)) PetscFunctionReturn(PETSC_SUCCESS);
    PetscCall(BackendChoose((PetscObject)pc, hsc->backend, there, "pc_hsc_backend", &hsc->device));
  }
  #if defined(PETLAP_HAVE_CUDA)
  if (hsc->device) {
    int error = 0;

    PetscCall(PCHSCTry(pc, "the hierarchy was copied to the device", [&] { error = hsc->solver->Upload(PCHSCSweeps(hsc)); }));
    if (error == Solver::outofmemory) {
      (void)DeviceError(error);
      PetscCheck(hsc->backend == PETLAP_BACKEND_AUTO, PetscObjectComm((PetscObject)pc), PETSC_ERR_MEM,
                 "The hierarchy of %" PetscInt_FMT " unknowns does not fit into the memory of the CUDA device: use -pc_hsc_precision single, or -pc_hsc_backend host", hsc->n);
      PetscCall(PetscInfo(pc, "Works on the host: the hierarchy does not fit into the memory of the CUDA device\n"));
      hsc->device = PETSC_FALSE;
      hsc->full   = PETSC_TRUE;
    } else
      BackendCall(pc, DeviceError(error));
  }
  #endif
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetUp(PC pc)
{
  PC_HSC        *hsc = (PC_HSC *)pc->data;
  Mat            B;
  PCHSCRows      rows;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscCitationsRegister(HSCCitation, &HSCCited));
  PetscCall(PCHSCCheckMat(pc, pc->pmat));
  PetscCall(PCHSCGetAIJ(pc, pc->pmat, &B));
  PetscCall(PCHSCGetRows(B, &rows));
  /* A program may go on after a matrix that is refused, which must not be kept */
  code = PCHSCBuildOrKeep(pc, B, rows);
  PetscCall(PCHSCRestoreRows(&rows));
  PetscCall(MatDestroy(&B));
  PetscCall(code);
  if (!hsc->solver) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PCHSCUpdate(pc));
  PetscCall(BackendCheck(&hsc->check));
  hsc->device = hsc->full = PETSC_FALSE;
  PetscCall(PCHSCPrepare(pc, nullptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCSetUp_HSC(PC pc)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  code = PCHSCSetUp(pc);
  PetlapSetUpEnded(pc, code);
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

  #if defined(PETLAP_HAVE_CUDA)
/*
  The same cycle by the host. Results may differ by rounding, and by what rounding does to a matrix that is nearly singular, which a second cycle for
  a right-hand side with changes of the size of rounding shows.
*/
static PetscErrorCode PCHSCCompareBackends(PC pc, PetscBool transpose, const Sweeps &sweeps, Vec b, Vec x)
{
  PC_HSC            *hsc = (PC_HSC *)pc->data;
  const PetscScalar *barray, *xarray;
  PetscScalar       *y, *z, *c;
  PetscInt           n        = hsc->n;
  const PetscReal    rounding = hsc->single ? 1.2e-7 : PETSC_MACHINE_EPSILON, tolerance = 200.0 * rounding;
  PetscReal          size = 0.0, difference = 0.0, sensitivity = 0.0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n, &y, n, &z, n, &c));
  PetscCall(VecGetArrayRead(b, &barray));
  for (PetscInt i = 0; i < n; i++) c[i] = barray[i] * (1.0 + rounding * (((i + 1) * 7919) % 2001 - 1000) / 1000.0);
  PetscCall(PCHSCTry(pc, "a cycle was run", [&] {
    hsc->solver->Apply(sweeps, (bool)transpose, barray, y);
    hsc->solver->Apply(sweeps, (bool)transpose, c, z);
  }));
  PetscCall(VecRestoreArrayRead(b, &barray));
  PetscCall(VecGetArrayRead(x, &xarray));
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal d = PetscAbsReal(xarray[i] - y[i]), e = PetscAbsReal(z[i] - y[i]);

    size        = PetscMax(size, PetscAbsReal(y[i]));
    sensitivity = PetscMax(sensitivity, e);
    /* The one may be no number where the other is none */
    if (!(xarray[i] != xarray[i] && y[i] != y[i])) difference = d > difference || d != d ? d : difference;
    if (difference != difference) break;
  }
  PetscCall(VecRestoreArrayRead(x, &xarray));
  PetscCall(PetscFree3(y, z, c));
  PetscCheck(difference <= tolerance * size + 100.0 * sensitivity, PetscObjectComm((PetscObject)pc), PETSC_ERR_PLIB,
             "-petlap_check: a cycle of the CUDA device differs from that of the host by %g of the largest entry, where %g is allowed: use -pc_hsc_backend host, and report this with the matrix", (double)(difference / size),
             (double)(tolerance + 100.0 * sensitivity / size));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Vectors of the device are read and written where they are, and nothing waits for the result then */
static PetscErrorCode PCHSCApplyOnDevice(PC pc, PetscBool transpose, const Sweeps &sweeps, Vec b, Vec x)
{
  PC_HSC            *hsc = (PC_HSC *)pc->data;
  const PetscScalar *barray;
  PetscScalar       *xarray;
  PetscMemType       bwhere, xwhere;
  void              *stream;
  int                error = 0;

  PetscFunctionBegin;
  BackendCall(pc, DeviceCurrentStream(&stream));
  PetscCall(VecGetArrayReadAndMemType(b, &barray, &bwhere));
  PetscCall(VecGetArrayWriteAndMemType(x, &xarray, &xwhere));
  PetscCall(PCHSCTry(pc, "a cycle was run", [&] { error = hsc->solver->ApplyOnDevice(sweeps, (bool)transpose, (bool)PetscMemTypeDevice(bwhere), (bool)PetscMemTypeDevice(xwhere), barray, xarray, stream); }));
  if (error == Solver::outofmemory) (void)DeviceError(error);
  PetscCheck(error != Solver::outofmemory, PetscObjectComm((PetscObject)pc), PETSC_ERR_MEM, "The vectors of a cycle do not fit into the memory of the CUDA device beside the hierarchy: use -pc_hsc_precision single, or -pc_hsc_backend host");
  BackendCall(pc, DeviceError(error));
  PetscCall(VecRestoreArrayWriteAndMemType(x, &xarray));
  PetscCall(VecRestoreArrayReadAndMemType(b, &barray));
  if (PetscMemTypeHost(bwhere)) PetscCall(PetscLogCpuToGpu((PetscLogDouble)hsc->n * sizeof(PetscScalar)));
  if (PetscMemTypeHost(xwhere)) PetscCall(PetscLogGpuToCpu((PetscLogDouble)hsc->n * sizeof(PetscScalar)));
  PetscCall(PetscLogGpuFlops(hsc->solver->Flops(sweeps)));
  if (hsc->check) PetscCall(PCHSCCompareBackends(pc, transpose, sweeps, b, x));
  PetscFunctionReturn(PETSC_SUCCESS);
}
  #endif

static PetscErrorCode PCHSCApplyOnHost(PC pc, PetscBool transpose, const Sweeps &sweeps, Vec b, Vec x)
{
  PC_HSC            *hsc = (PC_HSC *)pc->data;
  const PetscScalar *barray;
  PetscScalar       *xarray;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(b, &barray));
  PetscCall(VecGetArrayWrite(x, &xarray));
  PetscCall(PCHSCTry(pc, "a cycle was run", [&] { hsc->solver->Apply(sweeps, (bool)transpose, barray, xarray); }));
  PetscCall(VecRestoreArrayWrite(x, &xarray));
  PetscCall(VecRestoreArrayRead(b, &barray));
  PetscCall(PetscLogFlops(hsc->solver->Flops(sweeps)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCApply(PC pc, PetscBool transpose, Vec b, Vec x)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  /* An option may have changed since the set-up, which PETSc does not repeat for that */
  if (hsc->stale || !hsc->solver) PetscCall(PCSetUp_HSC(pc));
  if (!hsc->solver) {
    /* PETSC_INFINITY is finite, and what remains of it without a null space may be zero */
    PetscCall(VecSet(x, INFINITY));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PCHSCUpdate(pc));
  PetscCall(PCHSCPrepare(pc, b));
  PetscCall(PetscLogEventBegin(PC_HSCApply, pc, b, x, nullptr));
  #if defined(PETLAP_HAVE_CUDA)
  if (hsc->device)
    PetscCall(PCHSCApplyOnDevice(pc, transpose, PCHSCSweeps(hsc), b, x));
  else
  #endif
    PetscCall(PCHSCApplyOnHost(pc, transpose, PCHSCSweeps(hsc), b, x));
  PetscCall(PetscLogEventEnd(PC_HSCApply, pc, b, x, nullptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCApply_HSC(PC pc, Vec b, Vec x)
{
  PetscFunctionBegin;
  PetscCall(PCHSCApply(pc, PETSC_FALSE, b, x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCApplyTranspose_HSC(PC pc, Vec b, Vec x)
{
  PetscFunctionBegin;
  PetscCall(PCHSCApply(pc, PETSC_TRUE, b, x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCSetFromOptions_HSC(PC pc, CompatOptionItems PetscOptionsObject)
{
  PC_HSC   *hsc = (PC_HSC *)pc->data;
  PetscBool set, set2, flag;
  PetscReal real, real2;
  PetscInt  number, number2;

  PetscFunctionBegin;
  PetscOptionsHeadBegin(PetscOptionsObject, "HSC options");
  /* PetscEnum itself has no other values than 0 */
  #define PCHSC_OPTION_ENUM(key, text, Name, type, field, list)                                                      \
    {                                                                                                                \
      type chosen = hsc->field;                                                                                      \
      PetscCall(PetscOptionsEnum(key, text, "PCHSCSet" #Name, list, (PetscEnum)chosen, (PetscEnum *)&chosen, &set)); \
      if (set) PetscCall(PCHSCSet##Name(pc, chosen));                                                                \
    }
  #define PCHSC_OPTION_INT(key, text, Name, field)                                      \
    PetscCall(PetscOptionsInt(key, text, "PCHSCSet" #Name, hsc->field, &number, &set)); \
    if (set) PetscCall(PCHSCSet##Name(pc, number));
  #define PCHSC_OPTION_BOOL(key, text, Name, field)                                    \
    PetscCall(PetscOptionsBool(key, text, "PCHSCSet" #Name, hsc->field, &flag, &set)); \
    if (set) PetscCall(PCHSCSet##Name(pc, flag));
  PCHSC_OPTION_ENUM("-pc_hsc_backend", "Where cycles are run", Backend, PetlapBackend, backend, PetlapBackends)
  PCHSC_OPTION_ENUM("-pc_hsc_smoother", "Smoother", Smoother, PCHSCSmoother, smoother, PCHSCSmoothers)
  PetscCall(PetscOptionsReal("-pc_hsc_omega", "Damping of the Jacobi smoother", "PCHSCSetOmega", hsc->omega, &real, &set));
  if (set) PetscCall(PCHSCSetOmega(pc, real));
  number  = hsc->pre;
  number2 = hsc->post;
  PetscCall(PetscOptionsInt("-pc_hsc_pre", "Smoothing sweeps before the coarse correction", "PCHSCSetSweeps", number, &number, &set));
  PetscCall(PetscOptionsInt("-pc_hsc_post", "Smoothing sweeps after the coarse correction", "PCHSCSetSweeps", number2, &number2, &set2));
  if (set || set2) PetscCall(PCHSCSetSweeps(pc, number, number2));
  PCHSC_OPTION_ENUM("-pc_hsc_cycle", "Cycle", CycleType, PCHSCCycleType, cycle, PCHSCCycleTypes)
  PCHSC_OPTION_ENUM("-pc_hsc_symmetric", "Whether the cycle is symmetric", Symmetric, PCHSCSymmetric, symmetric, PCHSCSymmetrics)
  PCHSC_OPTION_ENUM("-pc_hsc_coloring", "Choice of coarse unknowns", Coloring, PCHSCColoring, coloring, PCHSCColorings)
  PCHSC_OPTION_BOOL("-pc_hsc_compensate", "Give the weight of edges that are cut to others", Compensate, compensate)
  real  = hsc->thetafinest;
  real2 = hsc->theta;
  PetscCall(PetscOptionsReal("-pc_hsc_theta_finest", "An edge is cut when its weight is at most this part of the others' in a triangle, on the finest level", "PCHSCSetTheta", real, &real, &set));
  PetscCall(PetscOptionsReal("-pc_hsc_theta", "The same on all other levels", "PCHSCSetTheta", real2, &real2, &set2));
  if (set || set2) PetscCall(PCHSCSetTheta(pc, real, real2));
  PCHSC_OPTION_INT("-pc_hsc_dmin", "No edges of unknowns with so many neighbours are cut", MinDegree, dmin)
  PCHSC_OPTION_INT("-pc_hsc_direct_size", "Largest level that is solved directly", DirectSize, direct)
  PCHSC_OPTION_INT("-pc_hsc_max_levels", "Most levels above the one that is solved directly", MaxLevels, maxlevels)
  PCHSC_OPTION_INT("-pc_hsc_agglomerate", "Processes that are joined when a level moves to fewer of them, 0 for as many as its size asks for", Agglomerate, agglomerate)
  PCHSC_OPTION_BOOL("-pc_hsc_geometry", "Color regions of smooth coefficients as a checkerboard", Geometry, geometry)
  PCHSC_OPTION_ENUM("-pc_hsc_precision", "Precision of the hierarchy", Precision, PCHSCPrecision, precision, PCHSCPrecisions)
  PCHSC_OPTION_ENUM("-pc_hsc_reorder", "Order in which unknowns are visited", Reorder, PCHSCReorder, reorder, PCHSCReorders)
  PCHSC_OPTION_ENUM("-pc_hsc_positive", "What becomes of positive entries off the diagonal", Positive, PCHSCPositive, positive, PCHSCPositives)
  PCHSC_OPTION_BOOL("-pc_hsc_scaling", "Scale a matrix that is not diagonally dominant", Scaling, scaling)
  PCHSC_OPTION_BOOL("-pc_hsc_symmetrize", "Take the symmetric part of the matrix", Symmetrize, symmetrize)
  PCHSC_OPTION_ENUM("-pc_hsc_reuse", "What is kept when values change", Reuse, PCHSCReuse, reuse, PCHSCReuses)
  PetscCall(PetscOptionsReal("-pc_hsc_shift", "Precondition for the matrix plus this multiple of the unit matrix", "PCHSCSetShift", hsc->shift, &real, &set));
  if (set) PetscCall(PCHSCSetShift(pc, real));
  PetscCall(PCHSCEigenSetFromOptions(pc, &hsc->eigen, PetscOptionsObject));
  #undef PCHSC_OPTION_ENUM
  #undef PCHSC_OPTION_INT
  #undef PCHSC_OPTION_BOOL
  PetscOptionsHeadEnd();
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCView_HSC(PC pc, PetscViewer viewer)
{
  PC_HSC   *hsc = (PC_HSC *)pc->data;
  PetscBool ascii;

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(PETSC_SUCCESS);
  const Sweeps    s         = PCHSCSweeps(hsc);
  const PetscBool symmetric = (PetscBool)(s.pre == s.post);
  PetscMPIInt     size;

  PetscCallMPI(MPI_Comm_size(PetscObjectComm((PetscObject)pc), &size));
  if (s.jacobi)
    PetscCall(PetscViewerASCIIPrintf(viewer, "  cycle: %s, %d sweeps before and %d after of Jacobi damped by %g\n", PCHSCCycleTypes[hsc->cycle], s.pre, s.post, s.omega));
  else if (hsc->solver && hsc->solver->GetDeviceReport().colors > 0)
    PetscCall(PetscViewerASCIIPrintf(viewer, "  cycle: %s, %d sweeps before and %d after of multicolor Gauss-Seidel with at most %d colors\n", PCHSCCycleTypes[hsc->cycle], s.pre, s.post, hsc->solver->GetDeviceReport().colors));
  else
    PetscCall(PetscViewerASCIIPrintf(viewer, "  cycle: %s, %d sweeps before and %d after of Gauss-Seidel%s\n", PCHSCCycleTypes[hsc->cycle], s.pre, s.post, size > 1 ? ", Jacobi between processes" : ""));
  PetscCall(
    PetscViewerASCIIPrintf(viewer, "  %s (%s): fit for %s\n", symmetric ? "symmetric" : "not symmetric", PCHSCSymmetrics[hsc->symmetric], symmetric ? "cg and all other methods" : "fcg, psdo, fgmres, gmres and others without need of symmetry"));
  PetscCall(PetscViewerASCIIPrintf(viewer, "  coloring: %s, edges %scompensated, theta %g on the finest level and %g on others, dmin %" PetscInt_FMT "%s\n", PCHSCColorings[hsc->coloring], hsc->compensate ? "" : "not ", (double)hsc->thetafinest,
                                   (double)hsc->theta, hsc->dmin, hsc->geometry ? ", checkerboard where coefficients are smooth" : ""));
  PetscCall(PetscViewerASCIIPrintf(viewer, "  solved directly: at most %" PetscInt_FMT " unknowns, after at most %" PetscInt_FMT " levels\n", hsc->direct, hsc->maxlevels));
  if (size > 1) {
    if (hsc->agglomerate)
      PetscCall(PetscViewerASCIIPrintf(viewer, "  agglomeration: %" PetscInt_FMT " processes are joined when half of a level lies between them\n", hsc->agglomerate));
    else
      PetscCall(PetscViewerASCIIPrintf(viewer, "  agglomeration: when half of a level lies between processes, on as many as its size asks for\n"));
  }
  PetscCall(PetscViewerASCIIPrintf(viewer, "  reuse: %s, positive entries: %s, symmetrize: %s, scaling: %s, reorder: %s\n", PCHSCReuses[hsc->reuse], PCHSCPositives[hsc->positive], PetscBools[hsc->symmetrize], PetscBools[hsc->scaling],
                                   PCHSCReorders[hsc->reorder]));
  if (hsc->solver) {
    Report    r;
    PetscReal moved = hsc->solver->Bytes(s);

    PetscCall(PCHSCTry(pc, "the hierarchy was viewed", [&] { r = hsc->solver->GetReport(); }));
    CompatCallAllreduce(MPI_IN_PLACE, &moved, 1, MPIU_REAL, MPIU_SUM, PetscObjectComm((PetscObject)pc));
    if (hsc->device) {
      const DeviceReport d = hsc->solver->GetDeviceReport();

      PetscCall(PetscViewerASCIIPrintf(viewer, "  backend: cuda (%s), %.3g MB on the device%s\n", PetlapBackends[hsc->backend], (double)d.memory * 1e-6, hsc->check ? ", compared with the host" : ""));
      if (d.launches) PetscCall(PetscViewerASCIIPrintf(viewer, "  a cycle launches %d kernels\n", d.launches));
    } else
      PetscCall(PetscViewerASCIIPrintf(viewer, "  backend: host (%s)\n", PetlapBackends[hsc->backend]));
    PetscCall(PetscViewerASCIIPrintf(viewer, "  precision: %s%s\n", hsc->single ? "single" : "double",
                                     !hsc->single && hsc->precision == PCHSC_PRECISION_SINGLE ? " (single is not enough for these entries)"
                                     : !hsc->single                                           ? ""
                                     : hsc->narrow                                            ? ", also of vectors"
                                                                                              : ", vectors in double for methods that need a linear operator"));
    PetscCall(
      PetscViewerASCIIPrintf(viewer, "  hierarchy: built %" PetscInt_FMT " times, shifted %" PetscInt_FMT " times; %d levels, operator complexity %.3g, grid complexity %.3g\n", hsc->nbuilt, hsc->nupdated, (int)r.level.size(), r.operators, r.grids));
    PetscCall(PetscViewerASCIIPrintf(viewer, "  memory: %.3g MB, a cycle moves %.3g MB\n", r.memory * 1e-6, (double)moved * 1e-6));
    if (hsc->shift != 0.0 || hsc->dshift) PetscCall(PetscViewerASCIIPrintf(viewer, "  shift of the diagonal: %g%s\n", (double)hsc->shift, hsc->dshift ? " and a vector" : ""));
    if (r.reordered) PetscCall(PetscViewerASCIIPrintf(viewer, "  unknowns are reordered breadth first\n"));
    if (hsc->survey.sign < 0) PetscCall(PetscViewerASCIIPrintf(viewer, "  the matrix is the negative of a Laplacian\n"));
    if (hsc->survey.npositive)
      PetscCall(PetscViewerASCIIPrintf(viewer, "  WARNING: %" PetscInt_FMT " entries off the diagonal have the sign of the diagonal; the method is not made for them, a direct solver or hypre may be better\n", hsc->survey.npositive));
    if (r.bounded) PetscCall(PetscViewerASCIIPrintf(viewer, "  positive entries are dropped: they have too many triangles around them to be compensated\n"));
    if (r.scaled) PetscCall(PetscViewerASCIIPrintf(viewer, "  rows have negative sums: the matrix is scaled from both sides\n"));
    if (r.lacking) PetscCall(PetscViewerASCIIPrintf(viewer, "  rows have negative sums, which no scaling was found for\n"));
    if (r.clamped)
      PetscCall(PetscViewerASCIIPrintf(viewer, "  rows with sums below zero count as rows with sum zero\n"));
    else if (r.nclamped)
      PetscCall(PetscViewerASCIIPrintf(viewer, "  %lld rows have sums too far below zero and count as rows with sum zero\n", r.nclamped));
    if (r.ncoupling) PetscCall(PetscViewerASCIIPrintf(viewer, "  %lld entries belong to unknowns that their own row fixes\n", r.ncoupling));
    for (size_t l = 0; l < r.level.size(); l++) {
      char processes[64] = "";

      if (size > 1) PetscCall(PetscSNPrintf(processes, sizeof(processes), ", on %d process%s", r.level[l].nranks, r.level[l].nranks > 1 ? "es" : ""));
      PetscCall(PetscViewerASCIIPrintf(viewer, "  level %d: %lld unknowns, %.3g entries in a row, %s%s\n", (int)l, r.level[l].n, r.level[l].n ? (double)r.level[l].nnz / r.level[l].n : 0.0,
                                       l + 1 == r.level.size() ? "solved directly"
                                       : r.level[l].smooth     ? "smoothed"
                                                               : "eliminated exactly",
                                       processes));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCReset_HSC(PC pc)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  delete hsc->solver;
  hsc->solver = nullptr;
  hsc->device = PETSC_FALSE;
  PetscCall(PetscFree(hsc->diagonal));
  PetscCall(PetscFree(hsc->grown));
  PetscCall(VecDestroy(&hsc->dshift));
  PetscCall(PetscFree(hsc->coords));
  hsc->ncoords = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetSweeps_HSC(PC pc, PetscInt pre, PetscInt post)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCheck(pre >= 0 && post >= 0 && pre <= 1000 && post <= 1000, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "-pc_hsc_pre is %" PetscInt_FMT " and -pc_hsc_post is %" PetscInt_FMT "; both must be between 0 and 1000", pre, post);
  hsc->pre  = pre;
  hsc->post = post;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetSweeps_HSC(PC pc, PetscInt *pre, PetscInt *post)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  if (pre) *pre = hsc->pre;
  if (post) *post = hsc->post;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetSweeps - Sets the number of smoothing sweeps of `PCHSC`

  Logically Collective

  Input Parameters:
+ pc   - the preconditioner
. pre  - sweeps before the coarse correction (default 0)
- post - sweeps after it (default 1)

  Options Database Keys:
+ -pc_hsc_pre <0>  - sweeps before
- -pc_hsc_post <1> - sweeps after

  Level: intermediate

  Notes:
  A symmetric cycle has as many sweeps before as after, whatever `pre` is, see `PCHSCSetSymmetric()`. Levels on which no edge was cut are not smoothed, as their elimination is exact.

  Reference: section 4.3 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for numbers below 0 or above 1000

.seealso: `PCHSC`, `PCHSCGetSweeps()`, `PCHSCSetSymmetric()`, `PCHSCSetSmoother()`
@*/
PetscErrorCode PCHSCSetSweeps(PC pc, PetscInt pre, PetscInt post)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveInt(pc, pre, 2);
  PetscValidLogicalCollectiveInt(pc, post, 3);
  PetscTryMethod(pc, "PCHSCSetSweeps_C", (PC, PetscInt, PetscInt), (pc, pre, post));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetSweeps - Gets the number of smoothing sweeps of `PCHSC`

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameters:
+ pre  - sweeps before the coarse correction, or NULL
- post - sweeps after it, or NULL

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetSweeps()`
@*/
PetscErrorCode PCHSCGetSweeps(PC pc, PetscInt *pre, PetscInt *post)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetSweeps_C", (PC, PetscInt *, PetscInt *), (pc, pre, post));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetTheta_HSC(PC pc, PetscReal finest, PetscReal others)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCheck(finest >= 0 && others >= 0 && finest <= 1e6 && others <= 1e6, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "-pc_hsc_theta_finest is %g and -pc_hsc_theta is %g; both must not be negative", (double)finest, (double)others);
  if (hsc->thetafinest != finest || hsc->theta != others) hsc->stale = PETSC_TRUE;
  hsc->thetafinest = finest;
  hsc->theta       = others;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetTheta_HSC(PC pc, PetscReal *finest, PetscReal *others)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  if (finest) *finest = hsc->thetafinest;
  if (others) *others = hsc->theta;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetTheta - Sets how weak an edge must be for `PCHSC` to cut it

  Logically Collective

  Input Parameters:
+ pc     - the preconditioner
. finest - for the finest level (default 1)
- others - for all other levels (default 0.99)

  Options Database Keys:
+ -pc_hsc_theta_finest <1> - for the finest level
- -pc_hsc_theta <0.99>     - for all others

  Level: advanced

  Notes:
  In a triangle an edge is cut when its weight is at most theta times each of the other two weights. With 1 the weakest edge goes also where all are alike. That makes coarse systems small where the given matrix has equal weights; below the
  finest level it spoils the regularity of homogeneous problems, so that only edges that are truly weaker are cut there. Small values make larger hierarchies and fewer iterations.

  Reference: section 4.1 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for negative values

.seealso: `PCHSC`, `PCHSCGetTheta()`, `PCHSCSetMinDegree()`
@*/
PetscErrorCode PCHSCSetTheta(PC pc, PetscReal finest, PetscReal others)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveReal(pc, finest, 2);
  PetscValidLogicalCollectiveReal(pc, others, 3);
  PetscTryMethod(pc, "PCHSCSetTheta_C", (PC, PetscReal, PetscReal), (pc, finest, others));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetTheta - Gets how weak an edge must be for `PCHSC` to cut it

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameters:
+ finest - for the finest level, or NULL
- others - for all other levels, or NULL

  Level: advanced

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetTheta()`
@*/
PetscErrorCode PCHSCGetTheta(PC pc, PetscReal *finest, PetscReal *others)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetTheta_C", (PC, PetscReal *, PetscReal *), (pc, finest, others));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetShift_HSC(PC pc, PetscReal t)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCheck(t >= 0 && !PetscIsInfOrNanReal(t), PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "The shift is %g and must not be negative: set up the preconditioner for the matrix with the smallest shift and shift from there", (double)t);
  if (hsc->shift != t) hsc->shifted = PETSC_TRUE;
  hsc->shift = t;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetShift_HSC(PC pc, PetscReal *t)
{
  PetscFunctionBegin;
  *t = ((PC_HSC *)pc->data)->shift;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetShift - Makes `PCHSC` a preconditioner for the matrix plus a multiple of the unit matrix, without building it anew

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- t  - the multiple, not negative, in the units of the matrix entries (of their absolute values for the negative of a Laplacian)

  Options Database Key:
. -pc_hsc_shift <0> - the multiple

  Level: intermediate

  Notes:
  The hierarchy is made from the matrix of `KSPSetOperators()` as it is; the shift only concerns the preconditioner. It replaces an earlier shift and adds to that of `PCHSCSetDiagonalShift()`. It may be set at any time; the update happens when the
  preconditioner is used next. For programs that add the shift to the matrix itself, see `PCHSCSetReuse()`.

  Reference: section 4.4 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for negative shifts

.seealso: `PCHSC`, `PCHSCSetDiagonalShift()`, `PCHSCSetReuse()`, `PCHSCGetShift()`
@*/
PetscErrorCode PCHSCSetShift(PC pc, PetscReal t)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveReal(pc, t, 2);
  PetscTryMethod(pc, "PCHSCSetShift_C", (PC, PetscReal), (pc, t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetShift - Gets the shift of `PCHSC`

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. t - the multiple of the unit matrix

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetShift()`
@*/
PetscErrorCode PCHSCGetShift(PC pc, PetscReal *t)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetShift_C", (PC, PetscReal *), (pc, t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetDiagonalShift_HSC(PC pc, Vec d)
{
  PC_HSC   *hsc   = (PC_HSC *)pc->data;
  PetscReal least = 0.0, most = 0.0;
  PetscInt  n = 0;

  PetscFunctionBegin;
  if (d) {
    PetscCall(VecGetSize(d, &n));
    if (pc->pmat) {
      PetscInt m;

      PetscCall(MatGetSize(pc->pmat, &m, nullptr));
      PetscCheck(m == n, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_SIZ, "The vector given to PCHSCSetDiagonalShift() has %" PetscInt_FMT " entries and the matrix has %" PetscInt_FMT " rows: give it one entry for each row, or NULL", n, m);
    }
    if (n) PetscCall(VecMin(d, nullptr, &least));
    if (n) PetscCall(VecNorm(d, NORM_INFINITY, &most));
    PetscCheck(!PetscIsInfOrNanReal(most) && !PetscIsInfOrNanReal(least), PetscObjectComm((PetscObject)pc), PETSC_ERR_FP, "The vector given to PCHSCSetDiagonalShift() has entries that are infinite or not a number: look at how it was computed");
    PetscCheck(least >= 0, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "The smallest shift is %g and must not be negative: set up the preconditioner for the matrix with the smallest diagonal and shift from there", (double)least);
    if (hsc->dshift) {
      PetscInt m;

      PetscCall(VecGetSize(hsc->dshift, &m));
      if (m != n) PetscCall(VecDestroy(&hsc->dshift));
    }
    if (!hsc->dshift) PetscCall(VecDuplicate(d, &hsc->dshift));
    PetscCall(VecCopy(d, hsc->dshift));
  } else
    PetscCall(VecDestroy(&hsc->dshift));
  hsc->shifted = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetDiagonalShift - Makes `PCHSC` a preconditioner for the matrix plus a diagonal matrix, without building it anew

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- d  - one number for every row of the matrix, none of them negative; or NULL for no shift

  Level: intermediate

  Notes:
  The numbers are copied. Otherwise as `PCHSCSetShift()`.

  Reference: section 4.4 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for negative numbers, `PETSC_ERR_ARG_SIZ` for a vector of another size than the matrix

.seealso: `PCHSC`, `PCHSCSetShift()`, `PCHSCSetReuse()`
@*/
PetscErrorCode PCHSCSetDiagonalShift(PC pc, Vec d)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  if (d) PetscValidHeaderSpecific(d, VEC_CLASSID, 2);
  PetscTryMethod(pc, "PCHSCSetDiagonalShift_C", (PC, Vec), (pc, d));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCSetCoordinates_HSC(PC pc, PetscInt dim, PetscInt n, PetscReal coords[])
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PetscFree(hsc->coords));
  /* not null where a process has no rows */
  PetscCall(PetscMalloc1(dim * n + 1, &hsc->coords));
  PetscCall(PetscArraycpy(hsc->coords, coords, dim * n));
  hsc->dim     = dim;
  hsc->ncoords = n;
  if (hsc->geometry) hsc->stale = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetBackend_HSC(PC pc, PetlapBackend backend)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCHSCCheckEnum(pc, "PCHSCSetBackend()", PetlapBackends, (PetscInt)backend));
  if (hsc->backend != backend) hsc->stale = PETSC_TRUE;
  hsc->backend = backend;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetBackend_HSC(PC pc, PetlapBackend *backend)
{
  PetscFunctionBegin;
  *backend = ((PC_HSC *)pc->data)->backend;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetBackend - Sets where `PCHSC` runs its cycles

  Logically Collective

  Input Parameters:
+ pc      - the preconditioner
- backend - `PETLAP_BACKEND_HOST`, `PETLAP_BACKEND_CUDA`, or `PETLAP_BACKEND_AUTO` (default): on the device if the matrix or the vectors are there

  Options Database Keys:
+ -pc_hsc_backend (auto|host|cuda) - where cycles are run
- -petlap_check                    - compares every cycle of a device with the same one of the host

  Level: intermediate

  Notes:
  The hierarchy is built by the host in any case and copied to the device, again after a shift. Vectors that are on the device are used where they are, others are copied for each application. Automatic falls back to the host where there is no device or
  where its memory does not suffice, and `-info` says why. With `-petlap_check` results may differ by 200 times the rounding of the hierarchy's precision, relative to the largest entry, and by 100 times what a change of the right-hand side by one rounding makes of the result; anything more is an error. The smoother may be another one on a device, see `PCHSCSetSmoother()`. Eigenvectors are computed by the host.

  Errors:
  `PETSC_ERR_GPU` when the preconditioner is set up for CUDA and there is no device, `PETSC_ERR_SUP` if petlap was configured without CUDA, `PETSC_ERR_MEM` if the memory of the device does not suffice, `PETSC_ERR_ARG_OUTOFRANGE` for other values

.seealso: `PCHSC`, `PCHSCGetBackend()`, `PCHSCSetSmoother()`, `PCHSCSetPrecision()`
@*/
PetscErrorCode PCHSCSetBackend(PC pc, PetlapBackend backend)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, backend, 2);
  PetscTryMethod(pc, "PCHSCSetBackend_C", (PC, PetlapBackend), (pc, backend));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetBackend - Gets where `PCHSC` is to run its cycles

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. backend - as it was set; `PCView()` shows what is used

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetBackend()`
@*/
PetscErrorCode PCHSCGetBackend(PC pc, PetlapBackend *backend)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetBackend_C", (PC, PetlapBackend *), (pc, backend));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetSmoother_HSC(PC pc, PCHSCSmoother type)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCHSCCheckEnum(pc, "PCHSCSetSmoother()", PCHSCSmoothers, (PetscInt)type));
  hsc->smoother = type;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetSmoother_HSC(PC pc, PCHSCSmoother *type)
{
  PetscFunctionBegin;
  *type = ((PC_HSC *)pc->data)->smoother;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetSmoother - Sets the smoother of `PCHSC`

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- type - `PCHSC_SMOOTHER_GS` (Gauss-Seidel), `PCHSC_SMOOTHER_JACOBI` (damped by `PCHSCSetOmega()`) or `PCHSC_SMOOTHER_AUTO` (default: one of them)

  Options Database Key:
. -pc_hsc_smoother (gs|jacobi|auto)

  Level: intermediate

  Notes:
  Jacobi costs about one iteration more and depends on no order of the unknowns. On a CUDA device Gauss-Seidel goes from color to color instead of from unknown to unknown, which takes as many iterations, but 10 to 20 kernels for a level where
  Jacobi takes one. Automatic is therefore Gauss-Seidel on the host and Jacobi on a device, unless the matrix has positive entries off the diagonal.

  Reference: section 5.1, Table 4 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values

.seealso: `PCHSC`, `PCHSCGetSmoother()`
@*/
PetscErrorCode PCHSCSetSmoother(PC pc, PCHSCSmoother type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, type, 2);
  PetscTryMethod(pc, "PCHSCSetSmoother_C", (PC, PCHSCSmoother), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetSmoother - Gets the smoother of `PCHSC`

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. type - `PCHSC_SMOOTHER_GS`, `PCHSC_SMOOTHER_JACOBI` or `PCHSC_SMOOTHER_AUTO`, as it was set

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetSmoother()`
@*/
PetscErrorCode PCHSCGetSmoother(PC pc, PCHSCSmoother *type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetSmoother_C", (PC, PCHSCSmoother *), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetOmega_HSC(PC pc, PetscReal value)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCheck(value > 0 && value < 2, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "-pc_hsc_omega is %g and must lie between 0 and 2", (double)value);
  hsc->omega = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetOmega_HSC(PC pc, PetscReal *value)
{
  PetscFunctionBegin;
  *value = ((PC_HSC *)pc->data)->omega;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetOmega - Sets the damping of the Jacobi smoother of `PCHSC`

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- value - factor, above 0 and below 2

  Options Database Key:
. -pc_hsc_omega <0.8>

  Level: intermediate

  Reference: section 5.1 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` unless 0 < omega < 2

.seealso: `PCHSC`, `PCHSCGetOmega()`
@*/
PetscErrorCode PCHSCSetOmega(PC pc, PetscReal value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveReal(pc, value, 2);
  PetscTryMethod(pc, "PCHSCSetOmega_C", (PC, PetscReal), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetOmega - Gets the damping of the Jacobi smoother of `PCHSC`

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. value - factor, above 0 and below 2

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetOmega()`
@*/
PetscErrorCode PCHSCGetOmega(PC pc, PetscReal *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetOmega_C", (PC, PetscReal *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetCycleType_HSC(PC pc, PCHSCCycleType type)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCHSCCheckEnum(pc, "PCHSCSetCycleType()", PCHSCCycleTypes, (PetscInt)type));
  if (hsc->cycle != type) hsc->stale = PETSC_TRUE;
  hsc->cycle = type;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetCycleType_HSC(PC pc, PCHSCCycleType *type)
{
  PetscFunctionBegin;
  *type = ((PC_HSC *)pc->data)->cycle;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetCycleType - Sets the cycle of `PCHSC`

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- type - `PCHSC_CYCLE_V` (default) or `PCHSC_CYCLE_W`

  Options Database Key:
. -pc_hsc_cycle (v|w)

  Level: intermediate

  Notes:
  Levels shrink by about two, so that a W cycle costs a multiple of a V cycle that grows with the logarithm of the size.

  Reference: section 4.3 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values

.seealso: `PCHSC`, `PCHSCGetCycleType()`
@*/
PetscErrorCode PCHSCSetCycleType(PC pc, PCHSCCycleType type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, type, 2);
  PetscTryMethod(pc, "PCHSCSetCycleType_C", (PC, PCHSCCycleType), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetCycleType - Gets the cycle of `PCHSC`

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. type - `PCHSC_CYCLE_V` (default) or `PCHSC_CYCLE_W`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetCycleType()`
@*/
PetscErrorCode PCHSCGetCycleType(PC pc, PCHSCCycleType *type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetCycleType_C", (PC, PCHSCCycleType *), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetSymmetric_HSC(PC pc, PCHSCSymmetric type)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCHSCCheckEnum(pc, "PCHSCSetSymmetric()", PCHSCSymmetrics, (PetscInt)type));
  hsc->symmetric = type;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetSymmetric_HSC(PC pc, PCHSCSymmetric *type)
{
  PetscFunctionBegin;
  *type = ((PC_HSC *)pc->data)->symmetric;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetSymmetric - Sets whether the cycle of `PCHSC` is a symmetric operator

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- type - `PCHSC_SYMMETRIC_AUTO` (default), `PCHSC_SYMMETRIC_NO` or `PCHSC_SYMMETRIC_YES`

  Options Database Key:
. -pc_hsc_symmetric (auto|no|yes)

  Level: intermediate

  Notes:
  The paper's cycle smooths after the coarse correction only, which makes the preconditioner nonsymmetric and cheap. Flexible methods (`KSPFCG`, `KSPPSDO`, `KSPFGMRES`) and those for
  nonsymmetric systems take it as it is. A symmetric cycle smooths as often before as after, in the opposite order, for `KSPCG` and all methods that need it; it costs about twice as much.
  The automatic choice is the cheap cycle where the Krylov method that calls the preconditioner is known to allow it, and the symmetric one elsewhere, inside other preconditioners, and for matrices with positive entries
  off the diagonal.

  Reference: section 5 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values

.seealso: `PCHSC`, `PCHSCGetSymmetric()`
@*/
PetscErrorCode PCHSCSetSymmetric(PC pc, PCHSCSymmetric type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, type, 2);
  PetscTryMethod(pc, "PCHSCSetSymmetric_C", (PC, PCHSCSymmetric), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetSymmetric - Gets whether the cycle of `PCHSC` is a symmetric operator

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. type - `PCHSC_SYMMETRIC_AUTO` (default), `PCHSC_SYMMETRIC_NO` or `PCHSC_SYMMETRIC_YES`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetSymmetric()`
@*/
PetscErrorCode PCHSCGetSymmetric(PC pc, PCHSCSymmetric *type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetSymmetric_C", (PC, PCHSCSymmetric *), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetColoring_HSC(PC pc, PCHSCColoring type)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCHSCCheckEnum(pc, "PCHSCSetColoring()", PCHSCColorings, (PetscInt)type));
  if (hsc->coloring != type) hsc->stale = PETSC_TRUE;
  hsc->coloring = type;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetColoring_HSC(PC pc, PCHSCColoring *type)
{
  PetscFunctionBegin;
  *type = ((PC_HSC *)pc->data)->coloring;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetColoring - Sets how `PCHSC` chooses coarse and fine unknowns

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- type - `PCHSC_COLORING_GREEDY` (default) or `PCHSC_COLORING_PAPER`

  Options Database Key:
. -pc_hsc_coloring (greedy|paper)

  Level: intermediate

  Notes:
  The greedy rule settles the color of an unknown when it is visited, so that no two fine ones are coupled; Algorithm 1 of the paper resolves such conflicts afterwards, which gives larger coarse systems.

  Reference: Algorithm 1 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values

.seealso: `PCHSC`, `PCHSCGetColoring()`
@*/
PetscErrorCode PCHSCSetColoring(PC pc, PCHSCColoring type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, type, 2);
  PetscTryMethod(pc, "PCHSCSetColoring_C", (PC, PCHSCColoring), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetColoring - Gets how `PCHSC` chooses coarse and fine unknowns

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. type - `PCHSC_COLORING_GREEDY` (default) or `PCHSC_COLORING_PAPER`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetColoring()`
@*/
PetscErrorCode PCHSCGetColoring(PC pc, PCHSCColoring *type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetColoring_C", (PC, PCHSCColoring *), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetCompensate_HSC(PC pc, PetscBool flag)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  if (hsc->compensate != flag) hsc->stale = PETSC_TRUE;
  hsc->compensate = flag;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetCompensate_HSC(PC pc, PetscBool *flag)
{
  PetscFunctionBegin;
  *flag = ((PC_HSC *)pc->data)->compensate;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetCompensate - Sets whether `PCHSC` adds the weight of an edge that it cuts to the other edges of the triangle

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- flag - `PETSC_TRUE` (default) or `PETSC_FALSE`

  Options Database Key:
. -pc_hsc_compensate <true>

  Level: intermediate

  Notes:
  Without compensation the condition number grows with the size of the problem; this is for comparison.

  Reference: section 4.2 of Krishnan, Fattal, Szeliski (2013)

.seealso: `PCHSC`, `PCHSCGetCompensate()`
@*/
PetscErrorCode PCHSCSetCompensate(PC pc, PetscBool flag)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveBool(pc, flag, 2);
  PetscTryMethod(pc, "PCHSCSetCompensate_C", (PC, PetscBool), (pc, flag));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetCompensate - Gets whether `PCHSC` adds the weight of an edge that it cuts to the other edges of the triangle

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. flag - `PETSC_TRUE` (default) or `PETSC_FALSE`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetCompensate()`
@*/
PetscErrorCode PCHSCGetCompensate(PC pc, PetscBool *flag)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetCompensate_C", (PC, PetscBool *), (pc, flag));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetMinDegree_HSC(PC pc, PetscInt value)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCheck(value >= 0, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "-pc_hsc_dmin is %" PetscInt_FMT " and must not be negative", value);
  if (hsc->dmin != value) hsc->stale = PETSC_TRUE;
  hsc->dmin = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetMinDegree_HSC(PC pc, PetscInt *value)
{
  PetscFunctionBegin;
  *value = ((PC_HSC *)pc->data)->dmin;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetMinDegree - Sets the number of neighbours below which `PCHSC` cuts no more edges of an unknown

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- value - number of neighbours; 0 (default) never stops

  Options Database Key:
. -pc_hsc_dmin <0>

  Level: intermediate

  Reference: section 4.1 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` if negative

.seealso: `PCHSC`, `PCHSCGetMinDegree()`
@*/
PetscErrorCode PCHSCSetMinDegree(PC pc, PetscInt value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveInt(pc, value, 2);
  PetscTryMethod(pc, "PCHSCSetMinDegree_C", (PC, PetscInt), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetMinDegree - Gets the number of neighbours below which `PCHSC` cuts no more edges of an unknown

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. value - number of neighbours; 0 (default) never stops

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetMinDegree()`
@*/
PetscErrorCode PCHSCGetMinDegree(PC pc, PetscInt *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetMinDegree_C", (PC, PetscInt *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetDirectSize_HSC(PC pc, PetscInt value)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCheck(value >= 1 && value <= 20000, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "-pc_hsc_direct_size is %" PetscInt_FMT " and must be between 1 and 20000", value);
  if (hsc->direct != value) hsc->stale = PETSC_TRUE;
  hsc->direct = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetDirectSize_HSC(PC pc, PetscInt *value)
{
  PetscFunctionBegin;
  *value = ((PC_HSC *)pc->data)->direct;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetDirectSize - Sets the size of the coarsest level of `PCHSC`, which is solved directly

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- value - unknowns, at least 1

  Options Database Key:
. -pc_hsc_direct_size <256>

  Level: intermediate

  Notes:
  The level is stored as a dense matrix.

  Reference: section 3.3 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` unless between 1 and 20000

.seealso: `PCHSC`, `PCHSCGetDirectSize()`
@*/
PetscErrorCode PCHSCSetDirectSize(PC pc, PetscInt value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveInt(pc, value, 2);
  PetscTryMethod(pc, "PCHSCSetDirectSize_C", (PC, PetscInt), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetDirectSize - Gets the size of the coarsest level of `PCHSC`, which is solved directly

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. value - unknowns, at least 1

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetDirectSize()`
@*/
PetscErrorCode PCHSCGetDirectSize(PC pc, PetscInt *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetDirectSize_C", (PC, PetscInt *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetMaxLevels_HSC(PC pc, PetscInt value)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCheck(value >= 0, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "-pc_hsc_max_levels is %" PetscInt_FMT " and must not be negative", value);
  if (hsc->maxlevels != value) hsc->stale = PETSC_TRUE;
  hsc->maxlevels = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetMaxLevels_HSC(PC pc, PetscInt *value)
{
  PetscFunctionBegin;
  *value = ((PC_HSC *)pc->data)->maxlevels;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetMaxLevels - Sets the largest number of levels that `PCHSC` makes above the one that is solved directly

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- value - levels, at least 0

  Options Database Key:
. -pc_hsc_max_levels <64>

  Level: intermediate

  Notes:
  Where it is reached, the last level is solved directly however large it is; more than 20000 unknowns are refused.

  Reference: section 3.3 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` if negative

.seealso: `PCHSC`, `PCHSCGetMaxLevels()`
@*/
PetscErrorCode PCHSCSetMaxLevels(PC pc, PetscInt value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveInt(pc, value, 2);
  PetscTryMethod(pc, "PCHSCSetMaxLevels_C", (PC, PetscInt), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetMaxLevels - Gets the largest number of levels that `PCHSC` makes above the one that is solved directly

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. value - levels, at least 0

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetMaxLevels()`
@*/
PetscErrorCode PCHSCGetMaxLevels(PC pc, PetscInt *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetMaxLevels_C", (PC, PetscInt *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetAgglomerate_HSC(PC pc, PetscInt value)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCheck(value == 0 || value > 1, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "PCHSCSetAgglomerate() and -pc_hsc_agglomerate were given %" PetscInt_FMT ": take 0 for the automatic choice, or 2 or more processes", value);
  if (value != hsc->agglomerate) hsc->stale = PETSC_TRUE;
  hsc->agglomerate = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetAgglomerate_HSC(PC pc, PetscInt *value)
{
  PetscFunctionBegin;
  *value = ((PC_HSC *)pc->data)->agglomerate;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetAgglomerate - Sets how many processes are joined when a level moves to fewer of them

  Logically Collective

  Input Parameters:
+ pc    - the preconditioner, of type `PCHSC`
- value - processes that become one, at least 2, or 0 for the automatic choice

  Options Database Key:
. -pc_hsc_agglomerate <0> - the number

  Level: advanced

  Notes:
  Unknowns with neighbours on other processes are coarse on every level, so that set-up, restriction and interpolation need no communication. When they are half of a level, neighbouring processes are joined and the level moves to the first of each, until one has
  the level that is solved directly.

  The automatic choice joins as many as bring a process back to a quarter of the unknowns that it had in the beginning, and to 16384 at least: few moves keep the number of iterations near that of one process.

  On one process it has no effect.

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for 1 and for negative values.

.seealso: `PCHSC`, `PCHSCGetAgglomerate()`, `PCHSCSetDirectSize()`, `PCHSCSetMaxLevels()`
@*/
PetscErrorCode PCHSCSetAgglomerate(PC pc, PetscInt value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveInt(pc, value, 2);
  PetscTryMethod(pc, "PCHSCSetAgglomerate_C", (PC, PetscInt), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetAgglomerate - Gets how many processes are joined when a level moves to fewer of them

  Not Collective

  Input Parameter:
. pc - the preconditioner, of type `PCHSC`

  Output Parameter:
. value - processes that become one, or 0 for the automatic choice

  Level: advanced

.seealso: `PCHSC`, `PCHSCSetAgglomerate()`
@*/
PetscErrorCode PCHSCGetAgglomerate(PC pc, PetscInt *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetAgglomerate_C", (PC, PetscInt *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetGeometry_HSC(PC pc, PetscBool flag)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  if (hsc->geometry != flag) hsc->stale = PETSC_TRUE;
  hsc->geometry = flag;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetGeometry_HSC(PC pc, PetscBool *flag)
{
  PetscFunctionBegin;
  *flag = ((PC_HSC *)pc->data)->geometry;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetGeometry - Sets whether `PCHSC` colors regions of smooth coefficients as a checkerboard

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- flag - `PETSC_TRUE` or `PETSC_FALSE` (default)

  Options Database Key:
. -pc_hsc_geometry <false>

  Level: intermediate

  Notes:
  The unknowns must lie on a lattice in the plane: a two-dimensional `DMDA` with one degree of freedom that the matrix or the preconditioner knows, or coordinates given by `PCSetCoordinates()`.

  Reference: section 4.3 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_WRONGSTATE` in the set-up where no such coordinates are known

.seealso: `PCHSC`, `PCHSCGetGeometry()`
@*/
PetscErrorCode PCHSCSetGeometry(PC pc, PetscBool flag)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveBool(pc, flag, 2);
  PetscTryMethod(pc, "PCHSCSetGeometry_C", (PC, PetscBool), (pc, flag));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetGeometry - Gets whether `PCHSC` colors regions of smooth coefficients as a checkerboard

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. flag - `PETSC_TRUE` or `PETSC_FALSE` (default)

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetGeometry()`
@*/
PetscErrorCode PCHSCGetGeometry(PC pc, PetscBool *flag)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetGeometry_C", (PC, PetscBool *), (pc, flag));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetPrecision_HSC(PC pc, PCHSCPrecision type)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCHSCCheckEnum(pc, "PCHSCSetPrecision()", PCHSCPrecisions, (PetscInt)type));
  if (hsc->precision != type) hsc->stale = PETSC_TRUE;
  hsc->precision = type;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetPrecision_HSC(PC pc, PCHSCPrecision *type)
{
  PetscFunctionBegin;
  *type = ((PC_HSC *)pc->data)->precision;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetPrecision - Sets the precision of the hierarchy of `PCHSC`

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- type - `PCHSC_PRECISION_SINGLE` (default) or `PCHSC_PRECISION_DOUBLE`

  Options Database Key:
. -pc_hsc_precision (single|double)

  Level: intermediate

  Notes:
  Single precision nearly halves the memory that a cycle reads and costs no iterations. Double precision is taken where single is not enough: for entries that span more than it can hold, for groups of unknowns that are tied to the rest by
  less than a millionth of what ties them to each other, where the coarsest level is not positive definite, and for hierarchies that are small or exact. `-ksp_view` says so.

  Most Krylov methods take the preconditioner for a linear operator, and end as converged without being so where rounding of single precision makes it none. Therefore it is only the matrices that are in single precision, and vectors of
  the cycle are in double precision, unless the method uses what the preconditioner returns for the solution and for the residual alike: `KSPCG`, `KSPFCG`, `KSPPIPEFCG`, `KSPPSDO`, `KSPFGMRES`, `KSPGCR`, `KSPFBCGS`, and outside of other
  preconditioners `KSPRICHARDSON` and `KSPCHEBYSHEV`.

  Reference: section 3.3 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values

.seealso: `PCHSC`, `PCHSCGetPrecision()`
@*/
PetscErrorCode PCHSCSetPrecision(PC pc, PCHSCPrecision type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, type, 2);
  PetscTryMethod(pc, "PCHSCSetPrecision_C", (PC, PCHSCPrecision), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetPrecision - Gets the precision of the hierarchy of `PCHSC`

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. type - `PCHSC_PRECISION_SINGLE` (default) or `PCHSC_PRECISION_DOUBLE`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetPrecision()`
@*/
PetscErrorCode PCHSCGetPrecision(PC pc, PCHSCPrecision *type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetPrecision_C", (PC, PCHSCPrecision *), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetReorder_HSC(PC pc, PCHSCReorder type)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCHSCCheckEnum(pc, "PCHSCSetReorder()", PCHSCReorders, (PetscInt)type));
  if (hsc->reorder != type) hsc->stale = PETSC_TRUE;
  hsc->reorder = type;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetReorder_HSC(PC pc, PCHSCReorder *type)
{
  PetscFunctionBegin;
  *type = ((PC_HSC *)pc->data)->reorder;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetReorder - Sets the order in which `PCHSC` visits the unknowns

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- type - `PCHSC_REORDER_AUTO` (default), `PCHSC_REORDER_NONE` or `PCHSC_REORDER_BFS` (breadth first)

  Options Database Key:
. -pc_hsc_reorder (auto|none|bfs)

  Level: intermediate

  Notes:
  The automatic choice numbers the unknowns anew where those of neighbours are far apart, as in a mesh whose points are numbered at random.

  Reference: section 4.3 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values

.seealso: `PCHSC`, `PCHSCGetReorder()`
@*/
PetscErrorCode PCHSCSetReorder(PC pc, PCHSCReorder type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, type, 2);
  PetscTryMethod(pc, "PCHSCSetReorder_C", (PC, PCHSCReorder), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetReorder - Gets the order in which `PCHSC` visits the unknowns

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. type - `PCHSC_REORDER_AUTO` (default), `PCHSC_REORDER_NONE` or `PCHSC_REORDER_BFS` (breadth first)

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetReorder()`
@*/
PetscErrorCode PCHSCGetReorder(PC pc, PCHSCReorder *type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetReorder_C", (PC, PCHSCReorder *), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetPositive_HSC(PC pc, PCHSCPositive type)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCHSCCheckEnum(pc, "PCHSCSetPositive()", PCHSCPositives, (PetscInt)type));
  if (hsc->positive != type) hsc->stale = PETSC_TRUE;
  hsc->positive = type;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetPositive_HSC(PC pc, PCHSCPositive *type)
{
  PetscFunctionBegin;
  *type = ((PC_HSC *)pc->data)->positive;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetPositive - Sets what `PCHSC` does about positive entries off the diagonal

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- type - `PCHSC_POSITIVE_COMPENSATE` (default), `PCHSC_POSITIVE_DROP`, `PCHSC_POSITIVE_LUMP` or `PCHSC_POSITIVE_ERROR`

  Options Database Key:
. -pc_hsc_positive (compensate|drop|lump|error)

  Level: intermediate

  Notes:
  The method is for matrices without them. They are left out of the hierarchy; smoothing on the finest level sees them. Compensation takes their weight from the edges to common neighbours, dropping keeps the sums of rows
  as they are, lumping keeps the diagonal. Where a matrix has so many of them that compensation would take longer than 64 passes over the matrix, as a dense one has, they are dropped. `-info` and `-ksp_view` tell how many there are. Many or large ones, as cotangent weights of slivers, are better left to a direct solver or `PCHYPRE`.

  Reference: sections 1 and 3.1 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values; with `PCHSC_POSITIVE_ERROR`, `PETSC_ERR_ARG_WRONG` in the set-up where there are any

.seealso: `PCHSC`, `PCHSCGetPositive()`
@*/
PetscErrorCode PCHSCSetPositive(PC pc, PCHSCPositive type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, type, 2);
  PetscTryMethod(pc, "PCHSCSetPositive_C", (PC, PCHSCPositive), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetPositive - Gets what `PCHSC` does about positive entries off the diagonal

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. type - `PCHSC_POSITIVE_COMPENSATE` (default), `PCHSC_POSITIVE_DROP`, `PCHSC_POSITIVE_LUMP` or `PCHSC_POSITIVE_ERROR`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetPositive()`
@*/
PetscErrorCode PCHSCGetPositive(PC pc, PCHSCPositive *type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetPositive_C", (PC, PCHSCPositive *), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetSymmetrize_HSC(PC pc, PetscBool flag)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  if (hsc->symmetrize != flag) hsc->stale = PETSC_TRUE;
  hsc->symmetrize = flag;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetSymmetrize_HSC(PC pc, PetscBool *flag)
{
  PetscFunctionBegin;
  *flag = ((PC_HSC *)pc->data)->symmetrize;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetSymmetrize - Sets whether `PCHSC` takes the symmetric part of a matrix that is not symmetric

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- flag - `PETSC_TRUE` or `PETSC_FALSE` (default)

  Options Database Key:
. -pc_hsc_symmetrize <false>

  Level: intermediate

  Notes:
  Without it such a matrix is an error.

  Reference: section 3.1 of Krishnan, Fattal, Szeliski (2013)

.seealso: `PCHSC`, `PCHSCGetSymmetrize()`
@*/
PetscErrorCode PCHSCSetSymmetrize(PC pc, PetscBool flag)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveBool(pc, flag, 2);
  PetscTryMethod(pc, "PCHSCSetSymmetrize_C", (PC, PetscBool), (pc, flag));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetSymmetrize - Gets whether `PCHSC` takes the symmetric part of a matrix that is not symmetric

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. flag - `PETSC_TRUE` or `PETSC_FALSE` (default)

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetSymmetrize()`
@*/
PetscErrorCode PCHSCGetSymmetrize(PC pc, PetscBool *flag)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetSymmetrize_C", (PC, PetscBool *), (pc, flag));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetScaling_HSC(PC pc, PetscBool flag)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  if (hsc->scaling != flag) hsc->stale = PETSC_TRUE;
  hsc->scaling = flag;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetScaling_HSC(PC pc, PetscBool *flag)
{
  PetscFunctionBegin;
  *flag = ((PC_HSC *)pc->data)->scaling;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetScaling - Sets whether `PCHSC` scales a matrix that is not diagonally dominant until it is

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- flag - `PETSC_TRUE` (default) or `PETSC_FALSE`

  Options Database Key:
. -pc_hsc_scaling <true>

  Level: intermediate

  Notes:
  The method is for matrices whose row sums are not negative. Every other symmetric positive definite M-matrix A becomes one when rows and columns are multiplied by a vector v with A v >= 0; for a Laplacian that was scaled from both
  sides, as normalized ones are, that is the inverse of the scaling. The vector comes from some sweeps of Gauss-Seidel and, where they are not enough, from hierarchies that are improved with it, so that the set-up of such a
  matrix takes up to three times as long. Matrices without negative row sums are left as they are, and so are those for which a first vector does not at least halve the sum of the negative ones, as for indefinite matrices and many with
  entries of the wrong sign; `-ksp_view` says so.

  Reference: section 3.1 of Krishnan, Fattal, Szeliski (2013)

.seealso: `PCHSC`, `PCHSCGetScaling()`
@*/
PetscErrorCode PCHSCSetScaling(PC pc, PetscBool flag)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveBool(pc, flag, 2);
  PetscTryMethod(pc, "PCHSCSetScaling_C", (PC, PetscBool), (pc, flag));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetScaling - Gets whether `PCHSC` scales a matrix that is not diagonally dominant until it is

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. flag - `PETSC_TRUE` (default) or `PETSC_FALSE`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetScaling()`
@*/
PetscErrorCode PCHSCGetScaling(PC pc, PetscBool *flag)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetScaling_C", (PC, PetscBool *), (pc, flag));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCSetReuse_HSC(PC pc, PCHSCReuse type)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCHSCCheckEnum(pc, "PCHSCSetReuse()", PCHSCReuses, (PetscInt)type));
  hsc->reuse = type;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCHSCGetReuse_HSC(PC pc, PCHSCReuse *type)
{
  PetscFunctionBegin;
  *type = ((PC_HSC *)pc->data)->reuse;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCSetReuse - Sets what `PCHSC` keeps when the values of the matrix have changed

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- type - `PCHSC_REUSE_SHIFT` (default), `PCHSC_REUSE_NONE` or `PCHSC_REUSE_ALL`

  Options Database Key:
. -pc_hsc_reuse (none|shift|all)

  Level: intermediate

  Notes:
  With `PCHSC_REUSE_SHIFT` a matrix whose entries have only grown on the diagonal since the hierarchy was built updates the hierarchy, at a fraction of the cost of building it; any other change builds it anew.
  With `PCHSC_REUSE_ALL` the hierarchy is kept whatever has changed off the diagonal.

  Reference: section 4.4 of Krishnan, Fattal, Szeliski (2013)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values

.seealso: `PCHSC`, `PCHSCGetReuse()`
@*/
PetscErrorCode PCHSCSetReuse(PC pc, PCHSCReuse type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, type, 2);
  PetscTryMethod(pc, "PCHSCSetReuse_C", (PC, PCHSCReuse), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCHSCGetReuse - Gets what `PCHSC` keeps when the values of the matrix have changed

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. type - `PCHSC_REUSE_SHIFT` (default), `PCHSC_REUSE_NONE` or `PCHSC_REUSE_ALL`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCHSC`

.seealso: `PCHSC`, `PCHSCSetReuse()`
@*/
PetscErrorCode PCHSCGetReuse(PC pc, PCHSCReuse *type)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCHSCGetReuse_C", (PC, PCHSCReuse *), (pc, type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PCHSCEigen *PCHSCGetEigen(PC pc)
{
  return &((PC_HSC *)pc->data)->eigen;
}

PetscErrorCode PCHSCGetInside(PC pc, PCHSCInside *inside)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  if (hsc->stale) PetscCall(PCSetUp_HSC(pc));
  PetscCheck(hsc->solver, PetscObjectComm((PetscObject)pc), PETSC_ERR_FP, "The matrix has entries that are not finite: look at how they were computed");
  PetscCall(PCHSCUpdate(pc));
  inside->solver = hsc->solver;
  inside->sign   = hsc->survey.sign;
  inside->eigen  = &hsc->eigen;
  /* Block methods do without a symmetric cycle, and need it as little as the flexible methods of KSP */
  const PetscBool allowed = hsc->allowed, narrow = hsc->narrow;
  hsc->allowed = hsc->narrow = PETSC_TRUE;
  inside->sweeps             = PCHSCSweeps(hsc);
  hsc->allowed               = allowed;
  hsc->narrow                = narrow;
  PetscFunctionReturn(PETSC_SUCCESS);
}

  #define PCHSC_METHOD(name)                                   \
    {                                                          \
      "PCHSC" #name "_C", (PetscVoidFunction)PCHSC##name##_HSC \
    }
static PetscErrorCode PCHSCCompose(PC pc, PetscBool on)
{
  static const struct {
    const char       *name;
    PetscVoidFunction function;
  } method[] = {
    PCHSC_METHOD(SetBackend),
    PCHSC_METHOD(GetBackend),
    PCHSC_METHOD(SetSmoother),
    PCHSC_METHOD(GetSmoother),
    PCHSC_METHOD(SetOmega),
    PCHSC_METHOD(GetOmega),
    PCHSC_METHOD(SetCycleType),
    PCHSC_METHOD(GetCycleType),
    PCHSC_METHOD(SetSymmetric),
    PCHSC_METHOD(GetSymmetric),
    PCHSC_METHOD(SetColoring),
    PCHSC_METHOD(GetColoring),
    PCHSC_METHOD(SetCompensate),
    PCHSC_METHOD(GetCompensate),
    PCHSC_METHOD(SetMinDegree),
    PCHSC_METHOD(GetMinDegree),
    PCHSC_METHOD(SetDirectSize),
    PCHSC_METHOD(GetDirectSize),
    PCHSC_METHOD(SetMaxLevels),
    PCHSC_METHOD(GetMaxLevels),
    PCHSC_METHOD(SetAgglomerate),
    PCHSC_METHOD(GetAgglomerate),
    PCHSC_METHOD(SetGeometry),
    PCHSC_METHOD(GetGeometry),
    PCHSC_METHOD(SetPrecision),
    PCHSC_METHOD(GetPrecision),
    PCHSC_METHOD(SetReorder),
    PCHSC_METHOD(GetReorder),
    PCHSC_METHOD(SetPositive),
    PCHSC_METHOD(GetPositive),
    PCHSC_METHOD(SetSymmetrize),
    PCHSC_METHOD(GetSymmetrize),
    PCHSC_METHOD(SetReuse),
    PCHSC_METHOD(GetReuse),
    PCHSC_METHOD(SetSweeps),
    PCHSC_METHOD(GetSweeps),
    PCHSC_METHOD(SetTheta),
    PCHSC_METHOD(GetTheta),
    PCHSC_METHOD(SetShift),
    PCHSC_METHOD(GetShift),
    PCHSC_METHOD(SetDiagonalShift),
    PCHSC_METHOD(ComputeEigenvectors),
    PCHSC_METHOD(ComputeInitialSpace),
    PCHSC_METHOD(SetEigenTolerances),
    PCHSC_METHOD(GetEigenTolerances),
    PCHSC_METHOD(SetEigenGuard),
    PCHSC_METHOD(GetEigenGuard),
    PCHSC_METHOD(GetEigenIterationNumber),
    PCHSC_METHOD(SetScaling),
    PCHSC_METHOD(GetScaling),
    {"PCSetCoordinates_C", (PetscVoidFunction)PCSetCoordinates_HSC},
  };

  PetscFunctionBegin;
  for (const auto &m : method) PetscCall(PetscObjectComposeFunction((PetscObject)pc, m.name, on ? m.function : nullptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCDestroy_HSC(PC pc)
{
  PC_HSC *hsc = (PC_HSC *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCReset_HSC(pc));
  PetscCall(PCHSCEigenDestroy(&hsc->eigen));
  PetscCall(PCHSCCompose(pc, PETSC_FALSE));
  delete hsc;
  pc->data = nullptr;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*MC
  PCHSC = "hsc" - Hierarchical Sparsify and Compensate: a multilevel preconditioner for Laplacian matrices of images, meshes and volumes

  Options Database Keys:
+ -pc_hsc_symmetric (auto|no|yes)                 - whether the cycle is symmetric; automatic: as the Krylov method needs it
. -pc_hsc_backend (auto|host|cuda)                - where cycles are run
. -pc_hsc_smoother (gs|jacobi|auto)               - smoother
. -pc_hsc_omega <0.8>                             - damping of Jacobi
. -pc_hsc_pre <0>, -pc_hsc_post <1>               - smoothing sweeps
. -pc_hsc_cycle (v|w)                             - cycle
. -pc_hsc_theta_finest <1>, -pc_hsc_theta <0.99>  - how weak an edge of a triangle must be to be cut
. -pc_hsc_dmin <0>                                - neighbours below which nothing is cut
. -pc_hsc_compensate <true>                       - give the weight of cut edges to others
. -pc_hsc_coloring (greedy|paper)                 - choice of coarse unknowns
. -pc_hsc_geometry <false>                        - checkerboard where coefficients are smooth
. -pc_hsc_direct_size <256>                       - size of the level that is solved directly
. -pc_hsc_max_levels <64>                         - most levels above it
. -pc_hsc_agglomerate <0>                         - processes that are joined when a level moves to fewer of them
. -pc_hsc_precision (single|double)               - of the hierarchy
. -pc_hsc_reorder (auto|none|bfs)                 - order in which unknowns are visited
. -pc_hsc_positive (compensate|drop|lump|error)   - what becomes of positive entries off the diagonal
. -pc_hsc_scaling <true>                          - scale a matrix that is not diagonally dominant
. -pc_hsc_symmetrize <false>                      - take the symmetric part of the matrix
. -pc_hsc_reuse (none|shift|all)                  - what is kept when values change
- -pc_hsc_shift <0>                               - precondition for the matrix plus this multiple of the unit matrix

  Level: beginner

  Notes:
  For symmetric matrices with entries off the diagonal that are zero or negative and row sums that are zero or positive: Laplacians of graphs, with or without data terms or Dirichlet conditions, singular or not, in one piece or in many. Rows that consist of
  the diagonal alone are solved exactly. The negative of such a matrix works as well. Matrices of elements with a few positive entries work, see `PCHSCSetPositive()`.

  Fastest with a flexible method: `-ksp_type fcg` (with `-ksp_fcg_mmax 1`) or `-ksp_type psdo`. With `-ksp_type cg` the cycle becomes symmetric, which costs about twice as much.

  On several processes unknowns with neighbours on other processes stay until levels move to fewer processes, which the options above decide; Gauss-Seidel takes values of other processes as they were before the sweep. The fewer unknowns lie between processes the
  better: number them such that a process has a connected piece, as DMDA and mesh partitioners do. A hierarchy on several processes is run by the host.

  Real numbers only.

  References:
  Krishnan, Fattal, Szeliski: Efficient Preconditioning of Laplacian Matrices for Computer Graphics, ACM Transactions on Graphics 32(4), 2013.

.seealso: `PCHSCComputeEigenvectors()`, `PCHSCSetSymmetric()`, `PCHSCSetShift()`, `PCHSCSetReuse()`, `PCHSCSetPositive()`, `PCHSCSetTheta()`, `KSPPSDO`, `KSPFCG`
M*/
static PetscErrorCode PCCreate_HSC(PC pc)
{
  PC_HSC *hsc;

  PetscFunctionBegin;
  hsc = new (std::nothrow) PC_HSC();
  PetscCheck(hsc, PetscObjectComm((PetscObject)pc), PETSC_ERR_MEM, "Out of memory");
  hsc->smoother    = PCHSC_SMOOTHER_AUTO;
  hsc->omega       = 0.8;
  hsc->pre         = 0;
  hsc->post        = 1;
  hsc->compensate  = PETSC_TRUE;
  hsc->scaling     = PETSC_TRUE;
  hsc->thetafinest = 1.0;
  hsc->theta       = 0.99;
  hsc->direct      = 256;
  hsc->maxlevels   = 64;
  hsc->reuse       = PCHSC_REUSE_SHIFT;
  pc->data         = hsc;
  PetscCall(PCHSCEigenCreate(&hsc->eigen));

  pc->ops->apply          = PCApply_HSC;
  pc->ops->applytranspose = PCApplyTranspose_HSC;
  pc->ops->setup          = PCSetUp_HSC;
  pc->ops->reset          = PCReset_HSC;
  pc->ops->destroy        = PCDestroy_HSC;
  pc->ops->setfromoptions = PCSetFromOptions_HSC;
  pc->ops->view           = PCView_HSC;
  pc->ops->presolve       = PCPreSolve_HSC;
  PetscCall(PCHSCCompose(pc, PETSC_TRUE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The library may be loaded again */
static PetscErrorCode PCFinalize_HSC(void)
{
  PetscFunctionBegin;
  HSCCited = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PETSC_INTERN PetscErrorCode PCInitialize_HSC(void)
{
  PetscFunctionBegin;
  PetscCall(PCRegister(PCHSC, PCCreate_HSC));
  PetscCall(PetscLogEventRegister("PCHSCSetUp", PC_CLASSID, &PC_HSCSetUp));
  PetscCall(PetscLogEventRegister("PCHSCUpdate", PC_CLASSID, &PC_HSCUpdate));
  PetscCall(PetscLogEventRegister("PCHSCApply", PC_CLASSID, &PC_HSCApply));
  PetscCall(PCHSCEigenInitialize());
  PetscCall(PetscRegisterFinalize(PCFinalize_HSC));
  PetscFunctionReturn(PETSC_SUCCESS);
}
#endif
