/*
  What the set-ups of preconditioners have in common.
*/
#pragma once

#include <petsc/private/kspimpl.h>

/*
  After a set-up that failed, KSPSolve() ends at once, and does not reach PCApply(), which would set up for a matrix whose values have changed
  since, unless KSPSetOperators() is called. So that is done when the solve begins.
*/
static inline PetscErrorCode PetlapPreSolve(PC pc, KSP ksp)
{
  PetscFunctionBegin;
  if (pc->failedreason) {
    PetscCall(PCSetUp(pc));
    if (!pc->failedreason && ksp->reason == KSP_DIVERGED_PC_FAILED) ksp->reason = KSP_CONVERGED_ITERATING;
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* An error in a set-up leaves KSPSolve() between PCPreSolve() and PCPostSolve(), and after two of them PETSc would take every further solve for one that is embedded in others */
static inline void PetlapSetUpEnded(PC pc, PetscErrorCode code)
{
  if (code && pc->presolvedone > 0) pc->presolvedone--;
}
