/*
  Options of MATSOLVERSCHWARZSCHUR, and the functions that set the same.
*/
#include "mat/schwarzschur/schwarzschur.h"
#include "mat/compat/petscversion.h"
#include "mat/compat/backend.h"

static const char *const MatSchwarzSchurModes[]      = {"AUTO", "LU", "SYMMETRIC", "SPD", "MatSchwarzSchurMode", "MATSCHWARZSCHUR_", nullptr};
static const char *const MatSchwarzSchurPrecisions[] = {"DOUBLE", "SINGLE", "MatSchwarzSchurPrecision", "MATSCHWARZSCHUR_", nullptr};
static const char *const SchwarzSchurConstants[]     = {"AUTO", "NO", "YES", "SchwarzSchurConstant", "CONSTANT_", nullptr};
static const char *const MatSchwarzSchurSeparators[] = {"auto", "straight", "diagonal"};
static const char *const MatSchwarzSchurTopologies[] = {"PLAIN", "OCTAHEDRAL", "MatSchwarzSchurTopology", "MATSCHWARZSCHUR_", nullptr};

/* The prefix of the options is only known now: PETSc sets it after the factor has been created */
PetscErrorCode MatSchwarzSchurSetFromOptions(Mat F)
{
  SchwarzSchurAsked *asked   = &((Mat_SchwarzSchur *)F->data)->asked;
  PetscInt           size[4] = {0, 0, 0, 0}, n = 4;
  PetscBool          set, periodic[4]          = {PETSC_FALSE, PETSC_FALSE, PETSC_FALSE, PETSC_FALSE};
  PetscEnum          value;

  PetscFunctionBegin;
  PetscOptionsBegin(PetscObjectComm((PetscObject)F), ((PetscObject)F)->prefix, "schwarzschur options", "Mat");
  PetscCall(PetscOptionsIntArray("-mat_schwarzschur_grid", "Grid points along x (fastest), y and z", "MatSchwarzSchurSetGrid", size, &n, &set));
  if (set) {
    PetscCheck(n <= 3, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_grid takes one to three sizes, and is given more");
    asked->hints.dim = n;
    for (PetscInt d = 0; d < 3; d++) asked->hints.size[d] = d < n ? size[d] : 1;
  }
  PetscCall(PetscOptionsInt("-mat_schwarzschur_dof", "Unknowns per grid point", "MatSchwarzSchurSetGrid", asked->hints.dof, &asked->hints.dof, nullptr));
  n = 4;
  PetscCall(PetscOptionsBoolArray("-mat_schwarzschur_periodic", "Directions in which the grid closes", "MatSchwarzSchurSetGrid", periodic, &n, &set));
  if (set) {
    PetscCheck(n <= 3, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_periodic takes one to three values, and is given more");
    asked->hints.nperiodic = n;
    for (PetscInt d = 0; d < 3; d++) asked->hints.periodic[d] = (PetscBool)(d < n && periodic[d]);
  }
  value = (PetscEnum)asked->hints.topology;
  PetscCall(PetscOptionsEnum("-mat_schwarzschur_topology", "What the edges of the grid are glued to", "MatSchwarzSchurSetGrid", MatSchwarzSchurTopologies, value, &value, nullptr));
  asked->hints.topology = (StructuredGridTopology)value;
  PetscCall(PetscOptionsEnum("-mat_schwarzschur_mode", "Factorization", "MatSchwarzSchurSetMode", MatSchwarzSchurModes, (PetscEnum)asked->mode, (PetscEnum *)&asked->mode, nullptr));
  PetscCall(PetscOptionsEnum("-mat_schwarzschur_precision", "Precision of the factors", "MatSchwarzSchurSetPrecision", MatSchwarzSchurPrecisions, (PetscEnum)asked->precision, (PetscEnum *)&asked->precision, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_refine", "Most steps of iterative refinement (negative: 2, or 10 for single precision)", "MatSchwarzSchurSetRefine", asked->refine, &asked->refine, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_threads", "Threads of this process", "", asked->threads, &asked->threads, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_block", "Side of the blocks that are eliminated several at a time (0: chosen)", "", asked->block, &asked->block, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_leaf", "Largest side of the smallest boxes (0: chosen)", "", asked->leaf, &asked->leaf, nullptr));
  PetscCall(PetscOptionsEList("-mat_schwarzschur_separators", "Lines that cut the grid", "", MatSchwarzSchurSeparators, 3, MatSchwarzSchurSeparators[asked->separators], &asked->separators, nullptr));
  PetscCall(PetscOptionsReal("-mat_schwarzschur_pivot_threshold", "A diagonal entry smaller than this part of its column gives way as pivot", "", asked->threshold, &asked->threshold, nullptr));
  PetscCall(PetscOptionsReal("-mat_schwarzschur_memory_limit", "Most memory to be taken, in MB (0: 90% of what the machine has)", "", asked->memory, &asked->memory, nullptr));
  PetscCall(PetscOptionsString("-mat_schwarzschur_isa", "Instruction set (avx512, avx2 or portable; by default the best there is)", "", asked->isa, asked->isa, sizeof(asked->isa), nullptr));
  PetscCall(PetscOptionsEnum("-mat_schwarzschur_backend", "Where the factors are; auto follows the matrix", "MatSchwarzSchurSetBackend", PetlapBackends, (PetscEnum)asked->backend, (PetscEnum *)&asked->backend, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_batch", "Grids of the same shape that the matrix holds as diagonal blocks", "MatSchwarzSchurSetBatch", asked->batch, &asked->batch, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_cuda_small", "Largest separator of the fronts that one block of threads works on (0: chosen)", "", asked->small, &asked->small, nullptr));
  PetscCall(PetscOptionsInt("-mat_schwarzschur_cuda_block", "Columns of a separator that the device eliminates at a time, and exchanges rows within (0: 64)", "", asked->columns, &asked->columns, nullptr));
  PetscCall(PetscOptionsBool("-mat_schwarzschur_cuda_profile", "Detailed views repeat the factorization level by level, and print times", "", asked->profile, &asked->profile, nullptr));
  PetscCall(
    PetscOptionsEnum("-mat_schwarzschur_constant", "Whether one matrix serves all boxes of the same shape, for stencils that are the same everywhere", "", SchwarzSchurConstants, (PetscEnum)asked->constant, (PetscEnum *)&asked->constant, nullptr));
  PetscOptionsEnd();
  PetscCheck(asked->hints.dof >= 0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_dof is %" PetscInt_FMT " and must be positive, or 0 for finding it out", asked->hints.dof);
  PetscCheck(asked->threads >= 1 && asked->threads <= 1024, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_threads is %" PetscInt_FMT " and must be between 1 and 1024", asked->threads);
  PetscCheck(asked->block >= 0 && asked->block <= 1024, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_block is %" PetscInt_FMT " and must be between 0 and 1024", asked->block);
  PetscCheck(asked->leaf >= 0 && asked->leaf <= 64, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_leaf is %" PetscInt_FMT " and must be between 0 and 64", asked->leaf);
  PetscCheck(asked->batch >= 1, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_batch is %" PetscInt_FMT " and must be positive", asked->batch);
  PetscCheck(asked->small >= 0 && asked->small <= 64, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_cuda_small is %" PetscInt_FMT " and must be between 0 and 64", asked->small);
  PetscCheck(asked->columns >= 0 && asked->columns <= 64, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_cuda_block is %" PetscInt_FMT " and must be between 0 and 64", asked->columns);
  PetscCheck(asked->threshold >= 0 && asked->threshold <= 1, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_pivot_threshold is %g and must be between 0 and 1", (double)asked->threshold);
  PetscCheck(asked->memory >= 0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_memory_limit is %g MB and must not be negative", (double)asked->memory);
  PetscCheck(FactorFindKernels(false, asked->isa[0] ? asked->isa : nullptr), PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-mat_schwarzschur_isa %s: this processor has no such instruction set, or petlap was built without it; leave the option out",
             asked->isa);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What was asked for has become part of the plan */
static PetscErrorCode MatSchwarzSchurCheckOrder(Mat F, const char function[])
{
  PetscFunctionBegin;
  PetscCheck(!((Mat_SchwarzSchur *)F->data)->plan, PetscObjectComm((PetscObject)F), PETSC_ERR_ORDER, "%s() comes after the symbolic factorization: call it before, or on a new factor from MatGetFactor()", function);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetGrid_SchwarzSchur(Mat F, PetscInt dim, const PetscInt size[], PetscInt dof)
{
  StructuredGridHints *hints = &((Mat_SchwarzSchur *)F->data)->asked.hints;

  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurCheckOrder(F, "MatSchwarzSchurSetGrid"));
  hints->dim = dim;
  hints->dof = dof;
  for (PetscInt d = 0; d < 3; d++) hints->size[d] = d < dim ? size[d] : 1;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetGrid_SchwarzSchur(Mat F, PetscInt *dim, PetscInt size[], PetscInt *dof)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  if (dim) *dim = ss->plan ? ss->grid.dim : ss->asked.hints.dim;
  if (dof) *dof = ss->plan ? ss->grid.dof : ss->asked.hints.dof;
  for (PetscInt d = 0; size && d < 3; d++) size[d] = ss->plan ? ss->grid.size[d] : ss->asked.hints.size[d];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetMode_SchwarzSchur(Mat F, MatSchwarzSchurMode mode)
{
  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurCheckOrder(F, "MatSchwarzSchurSetMode"));
  ((Mat_SchwarzSchur *)F->data)->asked.mode = mode;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetMode_SchwarzSchur(Mat F, MatSchwarzSchurMode *mode)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  *mode = ss->asked.mode;
  if (ss->executor) *mode = ss->used == FACTOR_LU ? MATSCHWARZSCHUR_LU : ss->used == FACTOR_SPD ? MATSCHWARZSCHUR_SPD : MATSCHWARZSCHUR_SYMMETRIC;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetPrecision_SchwarzSchur(Mat F, MatSchwarzSchurPrecision precision)
{
  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurCheckOrder(F, "MatSchwarzSchurSetPrecision"));
  ((Mat_SchwarzSchur *)F->data)->asked.precision = precision;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetPrecision_SchwarzSchur(Mat F, MatSchwarzSchurPrecision *precision)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  *precision = ss->executor && !ss->single ? MATSCHWARZSCHUR_DOUBLE : ss->asked.precision;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetBatch_SchwarzSchur(Mat F, PetscInt batch)
{
  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurCheckOrder(F, "MatSchwarzSchurSetBatch"));
  ((Mat_SchwarzSchur *)F->data)->asked.batch = batch;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetBatch_SchwarzSchur(Mat F, PetscInt *batch)
{
  PetscFunctionBegin;
  *batch = ((Mat_SchwarzSchur *)F->data)->asked.batch;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetBackend_SchwarzSchur(Mat F, PetlapBackend backend)
{
  PetscFunctionBegin;
  PetscCall(MatSchwarzSchurCheckOrder(F, "MatSchwarzSchurSetBackend"));
  ((Mat_SchwarzSchur *)F->data)->asked.backend = backend;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetBackend_SchwarzSchur(Mat F, PetlapBackend *backend)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  *backend = !ss->executor ? ss->asked.backend : ss->ondevice ? PETLAP_BACKEND_CUDA : PETLAP_BACKEND_HOST;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurSetRefine_SchwarzSchur(Mat F, PetscInt steps)
{
  PetscFunctionBegin;
  ((Mat_SchwarzSchur *)F->data)->asked.refine = steps;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode MatSchwarzSchurGetRefine_SchwarzSchur(Mat F, PetscInt *steps, PetscInt *last, PetscReal *error)
{
  Mat_SchwarzSchur *ss = (Mat_SchwarzSchur *)F->data;

  PetscFunctionBegin;
  if (steps) *steps = ss->asked.refine;
  if (last) *last = ss->nrefined;
  if (error) *error = ss->error;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Gives a factor the functions below, or takes them from it */
PetscErrorCode MatSchwarzSchurComposeOptions(Mat F, PetscBool compose)
{
  const struct {
    const char       *name;
    PetscVoidFunction function;
  } methods[] = {
    {"MatSchwarzSchurSetGrid_C", (PetscVoidFunction)MatSchwarzSchurSetGrid_SchwarzSchur},           {"MatSchwarzSchurGetGrid_C", (PetscVoidFunction)MatSchwarzSchurGetGrid_SchwarzSchur},
    {"MatSchwarzSchurSetMode_C", (PetscVoidFunction)MatSchwarzSchurSetMode_SchwarzSchur},           {"MatSchwarzSchurGetMode_C", (PetscVoidFunction)MatSchwarzSchurGetMode_SchwarzSchur},
    {"MatSchwarzSchurSetPrecision_C", (PetscVoidFunction)MatSchwarzSchurSetPrecision_SchwarzSchur}, {"MatSchwarzSchurGetPrecision_C", (PetscVoidFunction)MatSchwarzSchurGetPrecision_SchwarzSchur},
    {"MatSchwarzSchurSetBackend_C", (PetscVoidFunction)MatSchwarzSchurSetBackend_SchwarzSchur},     {"MatSchwarzSchurGetBackend_C", (PetscVoidFunction)MatSchwarzSchurGetBackend_SchwarzSchur},
    {"MatSchwarzSchurSetBatch_C", (PetscVoidFunction)MatSchwarzSchurSetBatch_SchwarzSchur},         {"MatSchwarzSchurGetBatch_C", (PetscVoidFunction)MatSchwarzSchurGetBatch_SchwarzSchur},
    {"MatSchwarzSchurSetRefine_C", (PetscVoidFunction)MatSchwarzSchurSetRefine_SchwarzSchur},       {"MatSchwarzSchurGetRefine_C", (PetscVoidFunction)MatSchwarzSchurGetRefine_SchwarzSchur},
  };

  PetscFunctionBegin;
  for (const auto &m : methods) PetscCall(PetscObjectComposeFunction((PetscObject)F, m.name, compose ? m.function : nullptr));
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

  A solve is followed by refinement to rounding where its normwise backward error is above 256 times the machine precision (8 times, up to 20,000 unknowns), as long as the matrix has not been changed
  since it was factored.

  Factors whose pivots were replaced, or are small beside the matrix, are tried on a vector before they are used. Where they lead to no small residual, or a later solve finds none, the matrix is
  factored in double precision, scaled from both sides by powers of two (from largest entries, then from logarithms), or factored again by LU with pivots that may leave their separator, which takes two to four times as long; those factors are on the host,
  and of a distributed matrix on the first process. On the host, solves of a scaled matrix are refined until each component of the residual is small beside the moduli that it is a difference of, so that what is
  small in the scaled system is right as well; this takes one to three more solves. -ksp_view and -info tell. What has been found out is kept for the following factorizations with the same pattern.

  A singular matrix whose null space has been attached to it with `MatSetNullSpace()`, or to the operator of the `KSP`, is solved up to that null space: one unknown is fixed for each of its vectors, the part of
  the right-hand side that no solution reaches is left out, and the solution is orthogonal to the null space. The left null space is that of `MatSetTransposeNullSpace()`, the same one, or found by a transposed solve.
  A matrix that is spread over processes must store the diagonal entries of the unknowns that are fixed, of which there is one for each vector where it is large.
  Without a null space, a matrix that is singular to working precision is no system to solve: see below.

  The rows of a matrix of one process may also be numbered box by box, as where it has been gathered from the processes of a `DMDA` (`PCREDUNDANT`, `PCTELESCOPE`).

  The blocks of `PCASM` must be boxes too, numbered along x first: give `PCASMSetSortIndices()` `PETSC_FALSE` and take -pc_asm_dm_subdomains.

  With `MATSEQAIJCUSPARSE` and `VECSEQCUDA` the values and vectors stay on the device, also where refinement looks at residuals. Other matrices and
  vectors are copied there when -mat_schwarzschur_backend is cuda, which a PETSc without CUDA can do too. The device keeps the inverse of each
  separator's matrix, as the paper does, and exchanges rows within 64 of them; where that leads to no useful residual, the host factors again. cuBLAS works on the large
  fronts, cuSPARSE forms the residuals of refinement and of adjoints; both are loaded when they are first needed.

  A `PC` makes a new factor when the nonzero pattern changes, and what functions have set on the old one is lost. Options are read again.

  Errors:
  `PETSC_ERR_ARG_WRONG` and others when the matrix does not fit the grid, with the first entry that does not; `PETSC_ERR_MEM` when the factors do not fit the memory.
  `PETSC_ERR_ORDER` when a function that sets something comes after the symbolic factorization. A singular matrix, one with an entry that is not finite, or one that is not positive definite where that was
  asked for, gives `MAT_FACTOR_NUMERIC_ZEROPIVOT`, which makes `KSPSolve()` end with `KSP_DIVERGED_PC_FAILED`; -info tells why, -ksp_error_if_not_converged makes it an error (`PETSC_ERR_MAT_LU_ZRPVT`, or
  `PETSC_ERR_FP`), and the next matrix of the same `KSP` is factored as if nothing had happened.

  References:
. * - Wang, Abulnaga, Balbastre, Fischl, Schwarz-Schur Involution: Lightspeed Differentiable Sparse Linear Solvers, ICML 2025

.seealso: `MatSchwarzSchurSetGrid()`, `MatSchwarzSchurSetMode()`, `MatSchwarzSchurSetPrecision()`, `MatSchwarzSchurSetRefine()`, `MatSchwarzSchurSolveAdjoint()`, `PCFactorSetMatSolverType()`
M*/
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
  PetscCheck((int)mode >= 0 && (int)mode <= (int)MATSCHWARZSCHUR_SPD, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_OUTOFRANGE, "%d is no mode: give MATSCHWARZSCHUR_AUTO, _LU, _SYMMETRIC or _SPD", (int)mode);
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
  PetscCheck((int)precision >= 0 && (int)precision <= (int)MATSCHWARZSCHUR_SINGLE, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_OUTOFRANGE, "%d is no precision: give MATSCHWARZSCHUR_DOUBLE or MATSCHWARZSCHUR_SINGLE", (int)precision);
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
  PetscCheck((int)backend >= 0 && (int)backend <= (int)PETLAP_BACKEND_CUDA, PetscObjectComm((PetscObject)F), PETSC_ERR_ARG_OUTOFRANGE, "%d is no backend: give PETLAP_BACKEND_AUTO, _HOST or _CUDA", (int)backend);
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
