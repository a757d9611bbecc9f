static char help[] = "What psdo does with matrices and preconditioners that are not what it needs.\n\n";

#include <petscksp.h>

typedef enum { PC_ZERO, PC_NAN, PC_ORTHOGONAL, PC_FLIP, PC_ROUNDING, PC_RANDOM, PC_FAIL } Mischief;

static PetscErrorCode Apply(PC pc, Vec r, Vec z)
{
  Mischief       *mischief;
  static PetscInt calls = 0;
  PetscScalar     rv;
  PetscReal       rr;
  PetscRandom     random;

  PetscFunctionBeginUser;
  PetscCall(PCShellGetContext(pc, &mischief));
  switch (*mischief) {
  case PC_ZERO: /* the residual itself is left */
    PetscCall(VecSet(z, 0.0));
    break;
  case PC_NAN:
    PetscCall(VecSet(z, NAN));
    break;
  case PC_ORTHOGONAL: /* no component along the residual */
    PetscCall(VecSet(z, 1.0));
    PetscCall(VecDot(z, r, &rv));
    PetscCall(VecNorm(r, NORM_2, &rr));
    PetscCall(VecAXPY(z, -rv / (rr * rr), r));
    PetscCall(VecDot(z, r, &rv));
    PetscCall(VecAXPY(z, -rv / (rr * rr), r));
    break;
  case PC_FLIP: /* changes its sign with every call */
    PetscCall(VecCopy(r, z));
    if (calls++ % 2) PetscCall(VecScale(z, -1.0));
    break;
  case PC_ROUNDING: /* the sign says nothing where the residual is about as small as the tolerance, 1e-5 of a right-hand side of norm 21 */
    PetscCall(VecCopy(r, z));
    PetscCall(VecNorm(r, NORM_2, &rr));
    if (rr < 2e-4) PetscCall(VecScale(z, -1.0));
    break;
  case PC_RANDOM: /* different each time, and not symmetric */
    PetscCall(PetscRandomCreate(PetscObjectComm((PetscObject)z), &random));
    PetscCall(PetscRandomSetSeed(random, 17 + calls++));
    PetscCall(PetscRandomSeed(random));
    PetscCall(VecSetRandom(z, random));
    PetscCall(VecPointwiseMult(z, z, r));
    PetscCall(PetscRandomDestroy(&random));
    break;
  case PC_FAIL:
    PetscCall(VecSet(z, NAN));
    PetscCall(PCSetFailedReason(pc, PC_SUBPC_ERROR));
    break;
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* With hopeless set there is no solution, and any reason but convergence will do */
static PetscErrorCode Solve(const char what[], Mat A, Vec b, PetscInt mischief, KSPNormType normtype, PetscBool hopeless = PETSC_FALSE)
{
  KSP                ksp;
  PC                 pc;
  Vec                x;
  KSPConvergedReason reason;
  Mischief           m = (Mischief)mischief;

  PetscFunctionBeginUser;
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSetType(ksp, "psdo"));
  PetscCall(KSPSetNormType(ksp, normtype));
  PetscCall(KSPGetPC(ksp, &pc));
  if (mischief < 0)
    PetscCall(PCSetType(pc, PCNONE));
  else {
    PetscCall(PCSetType(pc, PCSHELL));
    PetscCall(PCShellSetApply(pc, Apply));
    PetscCall(PCShellSetContext(pc, &m));
  }
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(VecDuplicate(b, &x));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %s\n", what, hopeless && reason < 0 ? "DIVERGED" : KSPConvergedReasons[reason]));
  if (reason > 0) {
    Vec       r;
    PetscReal rnorm, bnorm;

    PetscCall(VecDuplicate(b, &r));
    PetscCall(MatMult(A, x, r));
    PetscCall(VecAYPX(r, -1.0, b));
    PetscCall(VecNorm(r, NORM_2, &rnorm));
    PetscCall(VecNorm(b, NORM_2, &bnorm));
    if (rnorm > 1e-4 * bnorm) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  WRONG: true relative residual %g\n", (double)(rnorm / bnorm)));
    PetscCall(VecDestroy(&r));
  }
  PetscCall(VecDestroy(&x));
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  const PetscInt n = 40;
  Mat            A, indefinite, zero, singular, skew;
  Vec            b, bnan, bzero, one;
  MatNullSpace   nullspace;
  PetscInt       start, end;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(MatCreateAIJ(PETSC_COMM_WORLD, PETSC_DECIDE, PETSC_DECIDE, n, n, 3, nullptr, 3, nullptr, &A));
  PetscCall(MatGetOwnershipRange(A, &start, &end));
  for (PetscInt i = start; i < end; i++) {
    PetscInt    c[3] = {i - 1, i, i + 1 < n ? i + 1 : -1};
    PetscScalar v[3] = {-1.0, 2.0, -1.0};

    PetscCall(MatSetValues(A, 1, &i, 3, c, v, INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &indefinite));
  PetscCall(MatShift(indefinite, -1.0));
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &zero));
  PetscCall(MatZeroEntries(zero));
  PetscCall(MatDuplicate(A, MAT_COPY_VALUES, &singular));
  PetscCall(MatDuplicate(zero, MAT_COPY_VALUES, &skew));
  for (PetscInt i = start; i < end; i++) {
    if (i == 0 || i == n - 1) PetscCall(MatSetValue(singular, i, i, 1.0, INSERT_VALUES));
    if (i + 1 < n) PetscCall(MatSetValue(skew, i, i + 1, 1.0, INSERT_VALUES));
    if (i > 0) PetscCall(MatSetValue(skew, i, i - 1, -1.0, INSERT_VALUES));
  }
  for (Mat M : {singular, skew}) {
    PetscCall(MatAssemblyBegin(M, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(M, MAT_FINAL_ASSEMBLY));
  }
  PetscCall(MatCreateVecs(A, &b, &bnan));
  PetscCall(VecDuplicate(b, &bzero));
  PetscCall(VecDuplicate(b, &one));
  PetscCall(VecSet(one, 1.0));
  for (PetscInt i = start; i < end; i++) {
    PetscCall(VecSetValue(b, i, 1.0 + (PetscReal)(i * i % 7), INSERT_VALUES));
    PetscCall(VecSetValue(bnan, i, i == 5 ? NAN : 1.0, INSERT_VALUES));
  }
  for (Vec v : {b, bnan}) {
    PetscCall(VecAssemblyBegin(v));
    PetscCall(VecAssemblyEnd(v));
  }

  PetscCall(Solve("preconditioner that returns zero", A, b, PC_ZERO, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("preconditioner that returns zero, preconditioned norm", A, b, PC_ZERO, KSP_NORM_PRECONDITIONED));
  PetscCall(Solve("preconditioner that returns zero, natural norm", A, b, PC_ZERO, KSP_NORM_NATURAL));
  PetscCall(Solve("preconditioner that returns NaN", A, b, PC_NAN, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("preconditioner that returns NaN, preconditioned norm", A, b, PC_NAN, KSP_NORM_PRECONDITIONED));
  PetscCall(Solve("preconditioner that fails", A, b, PC_FAIL, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("preconditioner orthogonal to the residual", A, b, PC_ORTHOGONAL, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("preconditioner that flips its sign", A, b, PC_FLIP, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("preconditioner that flips its sign, natural norm", A, b, PC_FLIP, KSP_NORM_NATURAL));
  PetscCall(Solve("preconditioner without a sign at the end, natural norm", A, b, PC_ROUNDING, KSP_NORM_NATURAL));
  PetscCall(Solve("random nonsymmetric preconditioner", A, b, PC_RANDOM, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("indefinite matrix", indefinite, b, -1, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("zero matrix", zero, b, -1, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("skew-symmetric matrix", skew, b, -1, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("NaN in the right-hand side", A, bnan, -1, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("zero right-hand side", A, bzero, -1, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("zero right-hand side, preconditioned norm", A, bzero, -1, KSP_NORM_PRECONDITIONED));
  PetscCall(Solve("zero right-hand side, no norm", A, bzero, -1, KSP_NORM_NONE));
  PetscCall(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_TRUE, 0, nullptr, &nullspace));
  PetscCall(MatSetNullSpace(singular, nullspace));
  PetscCall(Solve("singular matrix, right-hand side in its null space", singular, one, -1, KSP_NORM_UNPRECONDITIONED));
  PetscCall(Solve("singular matrix, inconsistent right-hand side", singular, b, -1, KSP_NORM_UNPRECONDITIONED, PETSC_TRUE));
  PetscCall(MatNullSpaceRemove(nullspace, b));
  PetscCall(Solve("singular matrix, consistent right-hand side", singular, b, -1, KSP_NORM_UNPRECONDITIONED));
  PetscCall(MatSetNullSpace(singular, nullptr));
  PetscCall(Solve("the same without its null space attached", singular, b, -1, KSP_NORM_UNPRECONDITIONED));

  PetscCall(MatNullSpaceDestroy(&nullspace));
  for (Mat M : {A, indefinite, zero, singular, skew}) PetscCall(MatDestroy(&M));
  for (Vec v : {b, bnan, bzero, one}) PetscCall(VecDestroy(&v));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  test:
    nsize: {{1 2 4}}
    args: -ksp_psdo_mmax {{1 2 5}} -ksp_max_it 1500

TEST*/
