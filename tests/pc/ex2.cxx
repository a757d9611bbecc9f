static char help[] = "hsc as an operator: linear, symmetric where it should be, positive definite, its transpose, both precisions, and what every option changes.\n\
Options for the matrix are those of laplacians.h.\n\
  -options         checks what every option changes\n\
  -single <1e-4>   what rounding in single precision may amount to\n\n";

#include <petlap.h>
#include "laplacians.h"

/* Matrix and vectors that all checks share */
struct Bench {
  Laplacian laplacian;
  Mat       A;
  Vec       x, y, Mx, My, z;
};

static PetscErrorCode Random(Vec v, PetscInt seed)
{
  Laplacian    l;
  PetscInt     n;
  PetscScalar *a;

  PetscFunctionBeginUser;
  l.state = (uint64_t)seed;
  PetscCall(VecGetSize(v, &n));
  PetscCall(VecGetArray(v, &a));
  for (PetscInt i = 0; i < n; i++) a[i] = 2.0 * l.Random() - 1.0;
  PetscCall(VecRestoreArray(v, &a));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Create(const Bench *t, PC *pc)
{
  PetscFunctionBeginUser;
  PetscCall(PCCreate(PETSC_COMM_SELF, pc));
  PetscCall(PCSetType(*pc, PCHSC));
  PetscCall(PCSetOperators(*pc, t->A, t->A));
  PetscCall(PCHSCSetPrecision(*pc, PCHSC_PRECISION_DOUBLE));
  PetscCall(PCHSCSetDirectSize(*pc, 40));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Check(const Bench *t, PC pc, const char what[], PetscReal tolerance, PetscBool symmetric)
{
  PetscReal xMy, yMx, xMx, yMy, nx, ny, nz, size;

  PetscFunctionBeginUser;
  PetscCall(PCApply(pc, t->x, t->Mx));
  PetscCall(PCApply(pc, t->y, t->My));
  PetscCall(VecDot(t->x, t->My, &xMy));
  PetscCall(VecDot(t->y, t->Mx, &yMx));
  PetscCall(VecDot(t->x, t->Mx, &xMx));
  PetscCall(VecDot(t->y, t->My, &yMy));
  PetscCall(VecNorm(t->Mx, NORM_2, &nx));
  PetscCall(VecNorm(t->y, NORM_2, &ny));
  size = nx * ny;
  if (symmetric && !(PetscAbsReal(xMy - yMx) <= tolerance * size)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: not symmetric, %.1e\n", what, (double)(PetscAbsReal(xMy - yMx) / size)));
  if (symmetric && !(xMx > 0.0 && yMy > 0.0)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: not positive, %g %g\n", what, (double)xMx, (double)yMy));
  /* (M^T y, x) = (y, M x) */
  PetscCall(PCApplyTranspose(pc, t->y, t->z));
  PetscCall(VecDot(t->z, t->x, &xMy));
  if (!(PetscAbsReal(xMy - yMx) <= tolerance * size)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: the transpose is another one, %.1e\n", what, (double)(PetscAbsReal(xMy - yMx) / size)));
  /* M (3 x - 1e-3 y) */
  PetscCall(VecCopy(t->x, t->z));
  PetscCall(VecAXPBY(t->z, -1e-3, 3.0, t->y));
  PetscCall(VecAXPBY(t->Mx, -1e-3, 3.0, t->My));
  PetscCall(PCApply(pc, t->z, t->My));
  PetscCall(VecNorm(t->Mx, NORM_2, &nx));
  PetscCall(VecAXPY(t->My, -1.0, t->Mx));
  PetscCall(VecNorm(t->My, NORM_2, &nz));
  if (!(nz <= tolerance * nx)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: not linear, %.1e\n", what, (double)(nz / nx)));
  /* A power of two changes nothing else */
  PetscCall(PCApply(pc, t->x, t->Mx));
  PetscCall(VecCopy(t->x, t->z));
  PetscCall(VecScale(t->z, PetscPowReal(2.0, -700.0)));
  PetscCall(PCApply(pc, t->z, t->My));
  PetscCall(VecScale(t->My, PetscPowReal(2.0, 700.0)));
  PetscCall(VecNorm(t->Mx, NORM_2, &nx));
  PetscCall(VecAXPY(t->My, -1.0, t->Mx));
  PetscCall(VecNorm(t->My, NORM_2, &nz));
  if (!(nz <= tolerance * nx)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: small right-hand sides differ, %.1e\n", what, (double)(nz / nx)));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Relative difference of what two preconditioners make of x */
static PetscErrorCode Difference(const Bench *t, PC a, PC b, PetscReal *difference)
{
  PetscReal norm;

  PetscFunctionBeginUser;
  PetscCall(PCApply(a, t->x, t->Mx));
  PetscCall(PCApply(b, t->x, t->z));
  PetscCall(VecNorm(t->Mx, NORM_2, &norm));
  PetscCall(VecAXPY(t->z, -1.0, t->Mx));
  PetscCall(VecNorm(t->z, NORM_2, difference));
  *difference /= norm;
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Every cycle in either precision */
static PetscErrorCode Cycles(const Bench *t)
{
  PetscReal single = 1e-4;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-single", &single, NULL));
  for (PetscInt smoother = 0; smoother < 2; smoother++) {
    for (PetscInt cycle = 0; cycle < 2; cycle++) {
      for (PetscInt symmetric = 1; symmetric < 3; symmetric++) {
        for (PetscInt sweeps = 0; sweeps < 3; sweeps++) {
          const PetscInt pre = sweeps == 2 ? 2 : 0, post = sweeps == 1 ? 3 : 1;
          PC             pc[2];
          char           what[128];
          PetscReal      difference;

          for (PetscInt precision = 0; precision < 2; precision++) {
            PetscCall(Create(t, &pc[precision]));
            PetscCall(PCHSCSetSmoother(pc[precision], (PCHSCSmoother)smoother));
            PetscCall(PCHSCSetCycleType(pc[precision], (PCHSCCycleType)cycle));
            PetscCall(PCHSCSetSymmetric(pc[precision], (PCHSCSymmetric)symmetric));
            PetscCall(PCHSCSetSweeps(pc[precision], pre, post));
            PetscCall(PCHSCSetPrecision(pc[precision], (PCHSCPrecision)precision));
            PetscCall(PetscSNPrintf(what, sizeof(what), "%s, %s, %s, %" PetscInt_FMT " and %" PetscInt_FMT " sweeps, %s", smoother ? "jacobi" : "gs", cycle ? "W" : "V", symmetric == 2 ? "symmetric" : "not symmetric", pre, post,
                                    precision ? "double" : "single"));
            PetscCall(Check(t, pc[precision], what, precision ? 1e-10 : single, (PetscBool)(symmetric == 2 && !t->laplacian.keepcolumns)));
          }
          PetscCall(Difference(t, pc[0], pc[1], &difference));
          if (!(difference < 10.0 * single && difference > 1e-12)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s: precisions differ by %.1e\n", what, (double)difference));
          PetscCall(PCDestroy(&pc[0]));
          PetscCall(PCDestroy(&pc[1]));
        }
      }
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Every function sets what its partner gets; what is set before and after the set-up comes to the same; and it makes a difference */
#define CHECK_OPTION(Name, type, value, visible)                                                                                 \
  do {                                                                                                                           \
    PC        with, late, without;                                                                                               \
    type      old, got;                                                                                                          \
    PetscReal d1, d2;                                                                                                            \
    PetscCall(Create(t, &with));                                                                                                 \
    PetscCall(Create(t, &late));                                                                                                 \
    PetscCall(Create(t, &without));                                                                                              \
    PetscCall(PCHSCGet##Name(with, &old));                                                                                       \
    if (old == (value)) PetscCall(PetscPrintf(PETSC_COMM_SELF, #Name " is the default\n"));                                      \
    PetscCall(PCHSCSet##Name(with, value));                                                                                      \
    PetscCall(PCHSCGet##Name(with, &got));                                                                                       \
    if (got != (value)) PetscCall(PetscPrintf(PETSC_COMM_SELF, #Name " is not what was set\n"));                                 \
    PetscCall(PCSetUp(late));                                                                                                    \
    PetscCall(PCHSCSet##Name(late, value));                                                                                      \
    PetscCall(Difference(t, with, without, &d1));                                                                                \
    PetscCall(Difference(t, with, late, &d2));                                                                                   \
    if ((visible) != (d1 > 1e-12)) PetscCall(PetscPrintf(PETSC_COMM_SELF, #Name " changes the result by %.1e\n", (double)d1));   \
    if (d2 != 0.0) PetscCall(PetscPrintf(PETSC_COMM_SELF, #Name " after the set-up differs from before by %.1e\n", (double)d2)); \
    PetscCall(PCHSCSet##Name(late, old));                                                                                        \
    PetscCall(Difference(t, without, late, &d2));                                                                                \
    if (d2 != 0.0) PetscCall(PetscPrintf(PETSC_COMM_SELF, #Name " set back differs by %.1e\n", (double)d2));                     \
    PetscCall(PCDestroy(&with));                                                                                                 \
    PetscCall(PCDestroy(&late));                                                                                                 \
    PetscCall(PCDestroy(&without));                                                                                              \
  } while (0)

static PetscErrorCode Options(const Bench *t)
{
  PC        pc, other, none;
  PetscInt  pre, post, i;
  PetscReal finest, others, difference;

  PetscFunctionBeginUser;
  CHECK_OPTION(Smoother, PCHSCSmoother, PCHSC_SMOOTHER_JACOBI, true);
  CHECK_OPTION(Omega, PetscReal, 0.5, false);
  CHECK_OPTION(CycleType, PCHSCCycleType, PCHSC_CYCLE_W, true);
  CHECK_OPTION(Symmetric, PCHSCSymmetric, PCHSC_SYMMETRIC_NO, true);
  CHECK_OPTION(Coloring, PCHSCColoring, PCHSC_COLORING_PAPER, true);
  CHECK_OPTION(Compensate, PetscBool, PETSC_FALSE, true);
  CHECK_OPTION(MinDegree, PetscInt, 6, true);
  CHECK_OPTION(DirectSize, PetscInt, 20, true);
  CHECK_OPTION(MaxLevels, PetscInt, 2, true);
  CHECK_OPTION(Precision, PCHSCPrecision, PCHSC_PRECISION_SINGLE, true);
  CHECK_OPTION(Reorder, PCHSCReorder, PCHSC_REORDER_BFS, true);
  CHECK_OPTION(Positive, PCHSCPositive, PCHSC_POSITIVE_LUMP, false);
  CHECK_OPTION(Symmetrize, PetscBool, PETSC_TRUE, false);
  CHECK_OPTION(Reuse, PCHSCReuse, PCHSC_REUSE_NONE, false);
  CHECK_OPTION(Shift, PetscReal, 2.5, true);

  PetscCall(Create(t, &pc));
  PetscCall(Create(t, &other));
  PetscCall(PCHSCSetSmoother(pc, PCHSC_SMOOTHER_JACOBI));
  PetscCall(PCHSCSetSmoother(other, PCHSC_SMOOTHER_JACOBI));
  PetscCall(PCHSCSetOmega(other, 0.5));
  PetscCall(Difference(t, pc, other, &difference));
  if (!(difference > 1e-12)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "Omega changes nothing\n"));
  PetscCall(PCHSCSetOmega(other, 0.8));
  PetscCall(PCHSCSetTheta(other, 0.7, 0.6));
  PetscCall(PCHSCGetTheta(other, &finest, &others));
  if (finest != (PetscReal)0.7 || others != (PetscReal)0.6) PetscCall(PetscPrintf(PETSC_COMM_SELF, "Theta is not what was set\n"));
  PetscCall(Difference(t, pc, other, &difference));
  if (!(difference > 1e-12)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "Theta changes nothing\n"));
  PetscCall(PCHSCSetTheta(other, 1.0, 0.99));
  PetscCall(PCHSCSetSymmetric(pc, PCHSC_SYMMETRIC_NO));
  PetscCall(PCHSCSetSymmetric(other, PCHSC_SYMMETRIC_NO));
  for (i = 0; i < 3; i++) {
    PetscCall(PCHSCSetSweeps(other, i > 0, i != 1));
    PetscCall(PCHSCGetSweeps(other, &pre, &post));
    if (pre != (i > 0) || post != (i != 1)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "Sweeps are not what was set\n"));
    PetscCall(PCHSCGetSweeps(other, NULL, NULL));
    PetscCall(Difference(t, pc, other, &difference));
    if ((i > 0) != (difference > 1e-12)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "Sweeps change the result by %.1e\n", (double)difference));
  }
  PetscCall(PCDestroy(&pc));
  PetscCall(PCDestroy(&other));
  /* After a reset all starts again; setting fails silently and getting loudly for other types */
  PetscCall(Create(t, &pc));
  PetscCall(Create(t, &other));
  PetscCall(PCSetUp(pc));
  PetscCall(PCReset(pc));
  PetscCall(PCSetOperators(pc, t->A, t->A));
  PetscCall(Difference(t, pc, other, &difference));
  if (difference != 0.0) PetscCall(PetscPrintf(PETSC_COMM_SELF, "A reset changes the result by %.1e\n", (double)difference));
  PetscCall(PCCreate(PETSC_COMM_SELF, &none));
  PetscCall(PCSetType(none, PCNONE));
  PetscCall(PCHSCSetShift(none, 1.0));
  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
  i = (PetscInt)PCHSCGetShift(none, &finest);
  PetscCall(PetscPopErrorHandler());
  if (i != PETSC_ERR_SUP) PetscCall(PetscPrintf(PETSC_COMM_SELF, "PCHSCGetShift() of another type gives %" PetscInt_FMT "\n", i));
  PetscCall(PCDestroy(&pc));
  PetscCall(PCDestroy(&other));
  PetscCall(PCDestroy(&none));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Bench     t;
  PetscBool options = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-options", &options, NULL));
  PetscCall(t.laplacian.Make(NULL));
  PetscCall(t.laplacian.Assemble(&t.A));
  PetscCall(MatCreateVecs(t.A, &t.x, &t.y));
  PetscCall(VecDuplicate(t.x, &t.Mx));
  PetscCall(VecDuplicate(t.x, &t.My));
  PetscCall(VecDuplicate(t.x, &t.z));
  PetscCall(Random(t.x, 1));
  PetscCall(Random(t.y, 2));
  if (options)
    PetscCall(Options(&t));
  else
    PetscCall(Cycles(&t));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "done\n"));
  PetscCall(VecDestroy(&t.x));
  PetscCall(VecDestroy(&t.y));
  PetscCall(VecDestroy(&t.Mx));
  PetscCall(VecDestroy(&t.My));
  PetscCall(VecDestroy(&t.z));
  PetscCall(MatDestroy(&t.A));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex petlap

  testset:
    output_file: output/ex1_1.out
    args: -malloc_dump
    test:
      suffix: cycles
      args: -kind {{mesh space}} -n 17,16,5
    test:
      suffix: weights
      args: -kind nine -n 25,24 -weights {{jump span}} -single 1e-3
    test:
      suffix: positive
      args: -kind q1 -n 21,20 -eps {{0.3 0.05}}
    test:
      suffix: scaled
      args: -n 25,24 -scaled -isolated 3 -alone 3 -zeros
    test:
      suffix: rows
      args: -n 25,24 -identity {{rows columns}}
    test:
      suffix: options
      args: -options -kind mesh -n 31,30

TEST*/
