/*
  What system a factor is made for. A factor sees the matrix that it is made from, but not the operator of its KSP, which may be another matrix and then is the one that the null space is attached to. So the set-up of PETSc's
  lu and cholesky is wrapped, only to know which PC is being set up.
*/
#include "mat/schwarzschur/schwarzschur.h"
#include "mat/compat/petscversion.h"
#include <petsc/private/pcimpl.h>

typedef PetscErrorCode (*PCFunction)(PC);

static PC         current = nullptr;
static PCFunction create[2], setup[2]; /* of PETSc's lu and cholesky */

static PetscErrorCode OwnerSetUp(PC pc, int which)
{
  const PC       outer = current;
  PetscErrorCode ierr;

  PetscFunctionBegin;
  current = pc;
  ierr    = (*setup[which])(pc);
  current = outer;
  PetscCall(ierr);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode OwnerSetUp_LU(PC pc)
{
  PetscFunctionBegin;
  PetscCall(OwnerSetUp(pc, 0));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode OwnerSetUp_Cholesky(PC pc)
{
  PetscFunctionBegin;
  PetscCall(OwnerSetUp(pc, 1));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode OwnerCreate_LU(PC pc)
{
  PetscFunctionBegin;
  PetscCall((*create[0])(pc));
  setup[0]       = pc->ops->setup;
  pc->ops->setup = OwnerSetUp_LU;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode OwnerCreate_Cholesky(PC pc)
{
  PetscFunctionBegin;
  PetscCall((*create[1])(pc));
  setup[1]       = pc->ops->setup;
  pc->ops->setup = OwnerSetUp_Cholesky;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurWatchOwners(void)
{
  const char *const types[2] = {PCLU, PCCHOLESKY};
  const PCFunction  own[2]   = {OwnerCreate_LU, OwnerCreate_Cholesky};

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

PetscErrorCode SchwarzSchurFindOperator(Mat F, Mat *A)
{
  Mat of = nullptr;

  PetscFunctionBegin;
  *A = nullptr;
  if (!current || !current->ops->getfactoredmatrix) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall((*current->ops->getfactoredmatrix)(current, &of));
  if (of == F) *A = current->mat;
  PetscFunctionReturn(PETSC_SUCCESS);
}
