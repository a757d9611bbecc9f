#include "shifted.h"

PetscErrorCode ShiftedSolverCreate(Mat A, PetscReal rtol, KSP *ksp)
{
  MPI_Comm    comm;
  PetscMPIInt size;
  PC          pc;
  PetscErrorCode (*hsc)(PC) = nullptr;

  PetscFunctionBeginUser;
  PetscCall(PetscObjectGetComm((PetscObject)A, &comm));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(KSPCreate(comm, ksp));
  PetscCall(KSPSetOperators(*ksp, A, A));
  PetscCall(KSPSetTolerances(*ksp, rtol, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPSetType(*ksp, KSPFCG));
  PetscCall(KSPFCGSetMmax(*ksp, 1));
  PetscCall(KSPGetPC(*ksp, &pc));
  if (size == 1) PetscCall(PetscFunctionListFind(PCList, "hsc", &hsc));
  PetscCall(PCSetType(pc, hsc ? "hsc" : PCGAMG));
  PetscCall(KSPSetErrorIfNotConverged(*ksp, PETSC_TRUE));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ShiftedSolverSetUp(KSP ksp)
{
  PC pc;
  void (*shift)(void) = nullptr;

  PetscFunctionBeginUser;
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PetscObjectQueryFunction((PetscObject)pc, "PCHSCSetShift_C", &shift));
  if (shift) PetscCall(KSPSetUp(ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ShiftedSolverSetShift(KSP ksp, Vec diagonal, PetscReal t, Vec weight)
{
  Mat A;
  Vec d;

  PetscFunctionBeginUser;
  PetscCall(KSPGetOperators(ksp, &A, nullptr));
  PetscCall(VecDuplicate(diagonal, &d));
  PetscCall(VecCopy(diagonal, d));
  if (weight)
    PetscCall(VecAXPY(d, t, weight));
  else
    PetscCall(VecShift(d, t));
  PetscCall(MatDiagonalSet(A, d, INSERT_VALUES));
  PetscCall(VecDestroy(&d));
  /* hsc compares the values and finds that only the diagonal is another one */
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscFunctionReturn((PetscErrorCode)0);
}
