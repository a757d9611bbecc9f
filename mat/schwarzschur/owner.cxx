/*
  What system a factor is made for. A factor sees the matrix that it is made from, but not the operator of its KSP, which may be another matrix and then is the one that the null space is attached to. Nor can it tell its PC that a solve has shown the factors to be of no use. So PETSc's
  lu and cholesky are wrapped, only to know which PC is at work.
*/
#include "mat/schwarzschur/schwarzschur.h"
#include "mat/compat/petscversion.h"
#include <petsc/private/pcimpl.h>

typedef PetscErrorCode (*PCFunction)(PC);
typedef PetscErrorCode (*PCVecFunction)(PC, Vec, Vec);
typedef PetscErrorCode (*PCMatFunction)(PC, Mat, Mat);
typedef PetscErrorCode (*PCKSPFunction)(PC, KSP, Vec, Vec);

static PC current = nullptr;
/* Of PETSc's lu and cholesky */
static PCFunction    create[2], setup[2];
static PCVecFunction apply[2], transpose[2];
static PCMatFunction columns[2];
static PCKSPFunction postsolve[2];

/* Calls PETSc's function, and lets those who are called from there know for whom */
template <class Function, class... Argument>
static PetscErrorCode OwnerCall(PC pc, Function function, Argument... argument)
{
  const PC       outer = current;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  current = pc;
  ierr    = (*function)(pc, argument...);
  current = outer;
  PetscCall(ierr);
  PetscFunctionReturn(PETSC_SUCCESS);
}

template <int WHICH>
static PetscErrorCode OwnerSetUp(PC pc)
{
  PetscFunctionBegin;
  PetscCall(OwnerCall(pc, setup[WHICH]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The factor of schwarzschur that the PC has, or null */
static PetscErrorCode OwnerFactor(PC pc, Mat *F)
{
  PetscBool ours = PETSC_FALSE;

  PetscFunctionBegin;
  *F = nullptr;
  if (pc->ops->getfactoredmatrix) PetscCall((*pc->ops->getfactoredmatrix)(pc, F));
  if (*F) PetscCall(PetscStrcmp((*F)->solvertype, MATSOLVERSCHWARZSCHUR, &ours));
  if (!ours) *F = nullptr;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode VecIsFinite(Vec v, bool *finite)
{
  PetscReal norm;

  PetscFunctionBegin;
  PetscCall(VecNorm(v, NORM_1, &norm));
  /* The sum may be too large where no entry is */
  if (PetscIsInfOrNanReal(norm)) PetscCall(VecNorm(v, NORM_INFINITY, &norm));
  *finite = !PetscIsInfOrNanReal(norm);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Solutions that are too large for a number pass for infinite ones also where residuals are no longer looked at */
static PetscErrorCode OwnerLook(PC pc, Vec x, Vec y)
{
  Mat  F;
  bool solution, rhs;

  PetscFunctionBegin;
  PetscCall(OwnerFactor(pc, &F));
  if (!F || pc->failedreason != PC_NOERROR) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecIsFinite(y, &solution));
  if (solution) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecIsFinite(x, &rhs));
  if (!rhs) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscInfo(pc, "The solution is too large for numbers of this precision\n"));
  PetscCall(PCSetFailedReason(pc, PC_FACTOR_NUMERIC_ZEROPIVOT));
  PetscFunctionReturn(PETSC_SUCCESS);
}

template <int WHICH>
static PetscErrorCode OwnerApply(PC pc, Vec x, Vec y)
{
  PetscFunctionBegin;
  PetscCall(OwnerCall(pc, apply[WHICH], x, y));
  PetscCall(OwnerLook(pc, x, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

template <int WHICH>
static PetscErrorCode OwnerApplyTranspose(PC pc, Vec x, Vec y)
{
  PetscFunctionBegin;
  PetscCall(OwnerCall(pc, transpose[WHICH], x, y));
  PetscCall(OwnerLook(pc, x, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

template <int WHICH>
static PetscErrorCode OwnerMatApply(PC pc, Mat X, Mat Y)
{
  Mat      F;
  PetscInt n;

  PetscFunctionBegin;
  PetscCall(OwnerCall(pc, columns[WHICH], X, Y));
  PetscCall(OwnerFactor(pc, &F));
  PetscCall(MatGetSize(Y, nullptr, &n));
  for (PetscInt q = 0; F && q < n; q++) {
    Vec x, y;

    PetscCall(MatDenseGetColumnVecRead(X, q, &x));
    PetscCall(MatDenseGetColumnVecRead(Y, q, &y));
    PetscCall(OwnerLook(pc, x, y));
    PetscCall(MatDenseRestoreColumnVecRead(X, q, &x));
    PetscCall(MatDenseRestoreColumnVecRead(Y, q, &y));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* That factors were of no use to one right-hand side is no failure of those that follow */
template <int WHICH>
static PetscErrorCode OwnerPostSolve(PC pc, KSP ksp, Vec b, Vec x)
{
  Mat            F;
  MatFactorError error;

  PetscFunctionBegin;
  if (postsolve[WHICH]) PetscCall((*postsolve[WHICH])(pc, ksp, b, x));
  PetscCall(OwnerFactor(pc, &F));
  if (!F || pc->failedreason == PC_NOERROR) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(MatFactorGetError(F, &error));
  if (!error) PetscCall(PCSetFailedReason(pc, PC_NOERROR));
  PetscFunctionReturn(PETSC_SUCCESS);
}

template <int WHICH>
static PetscErrorCode OwnerCreate(PC pc)
{
  PetscFunctionBegin;
  PetscCall((*create[WHICH])(pc));
  setup[WHICH]     = pc->ops->setup;
  apply[WHICH]     = pc->ops->apply;
  transpose[WHICH] = pc->ops->applytranspose;
  columns[WHICH]   = pc->ops->matapply;
  postsolve[WHICH] = pc->ops->postsolve;

  pc->ops->setup     = OwnerSetUp<WHICH>;
  pc->ops->apply     = OwnerApply<WHICH>;
  pc->ops->postsolve = OwnerPostSolve<WHICH>;
  if (transpose[WHICH]) pc->ops->applytranspose = OwnerApplyTranspose<WHICH>;
  if (columns[WHICH]) pc->ops->matapply = OwnerMatApply<WHICH>;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurWatchOwners(void)
{
  const char *const types[2] = {PCLU, PCCHOLESKY};
  const PCFunction  own[2]   = {OwnerCreate<0>, OwnerCreate<1>};

  PetscFunctionBegin;
  PetscCall(PCInitializePackage());
  for (int k = 0; k < 2; k++) {
    PCFunction found;

    PetscCall(PetscFunctionListFind(PCList, types[k], &found));
    if (!found || found == own[k]) continue;
    create[k] = found;
    PetscCall(PCRegister(types[k], own[k]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether F is the factor of the PC that is at work */
static PetscErrorCode OwnerIs(Mat F, PetscBool *is)
{
  Mat of = nullptr;

  PetscFunctionBegin;
  if (current) PetscCall(OwnerFactor(current, &of));
  *is = (PetscBool)(of == F);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurFindOperator(Mat F, Mat *A)
{
  PetscBool is = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(OwnerIs(F, &is));
  *A = is ? current->mat : nullptr;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurTellFailure(Mat F)
{
  PetscBool is = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(OwnerIs(F, &is));
  if (is) PetscCall(PCSetFailedReason(current, PC_FACTOR_NUMERIC_ZEROPIVOT));
  PetscFunctionReturn(PETSC_SUCCESS);
}
