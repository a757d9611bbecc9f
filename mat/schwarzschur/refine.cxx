/*
  Solves with iterative refinement, for all executors alike.
*/
#include "mat/schwarzschur/schwarzschur.h"
#include "mat/compat/petscversion.h"
#include <algorithm>

/* Steps of a probe */
static const PetscInt PROBE_STEPS = 10;

static PetscReal RefineLargest(const std::vector<PetscReal> &error)
{
  return *std::max_element(error.begin(), error.end());
}

/* Solves by solve(b, ldb, x, ldx), and adds corrections as long as they halve the residual of op(A) x = b */
template <class Solve>
static PetscErrorCode RefineLoop(SchwarzSchurExecutor *executor, Mat A, PetscReal norm, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx, int residual, int correction, const PetscReal size[],
                                 SchwarzSchurRefinement *refinement, Solve solve)
{
  PetscScalar           *r, *d;
  std::vector<PetscReal> error((size_t)nrhs);
  PetscReal              now, before;

  PetscFunctionBegin;
  PetscCall(solve(b, ldb, x, ldx));
  PetscCall(executor->Work(residual, nrhs, &r));
  PetscCall(executor->Residual(A, norm, trans, nrhs, b, ldb, x, ldx, r, size, error.data()));
  now                = PetscMax(0, RefineLargest(error));
  refinement->first  = now;
  refinement->steps  = 0;
  refinement->finite = (PetscBool)(*std::min_element(error.begin(), error.end()) >= 0);
  while (now > (refinement->steps ? SCHWARZSCHUR_GOOD : refinement->worth) && now < PETSC_MAX_REAL && refinement->steps < (now > SCHWARZSCHUR_REGULAR ? refinement->longest : refinement->most)) {
    before = now;
    PetscCall(executor->Work(correction, nrhs, &d));
    PetscCall(solve(r, executor->n, d, executor->n));
    PetscCall(executor->Add(1, nrhs, d, x, ldx));
    refinement->steps++;
    PetscCall(executor->Residual(A, norm, trans, nrhs, b, ldb, x, ldx, r, size, error.data()));
    now = PetscMax(0, RefineLargest(error));
    if (now < 0.5 * before) continue;
    /* The last step may have done harm */
    if (now == PETSC_MAX_REAL) {
      PetscCall(solve(b, ldb, x, ldx));
      now = refinement->first;
    } else if (now > before) {
      PetscCall(executor->Add(-1, nrhs, d, x, ldx));
      now = before;
    }
    break;
  }
  refinement->error  = now;
  refinement->column = error;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurRefine(SchwarzSchurExecutor *executor, Mat W, PetscReal norm, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx, SchwarzSchurRefinement *refinement)
{
  PetscFunctionBegin;
  PetscCall(RefineLoop(executor, W, norm, trans, nrhs, b, ldb, x, ldx, SCHWARZSCHUR_RESIDUAL, SCHWARZSCHUR_CORRECTION, nullptr, refinement,
                       [=](const PetscScalar *v, PetscInt ldv, PetscScalar *y, PetscInt ldy) { return executor->Solve(trans, nrhs, v, ldv, y, ldy); }));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The system of A by way of W */
static PetscErrorCode SolveTransformed(const Mat_SchwarzSchur *ss, SchwarzSchurExecutor *executor, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx, SchwarzSchurRefinement *refinement)
{
  const SchwarzSchurTransform &t     = ss->transform;
  const bool                   plain = trans == FACTOR_NOTRANS, scaled = t.scaled, permuted = !ss->order.empty();
  const PetscInt               n = executor->n;
  PetscScalar                 *c, *y = x;
  PetscInt                     ldy = ldx;

  PetscFunctionBegin;
  if (scaled || t.nnull) {
    PetscCall(executor->Work(SCHWARZSCHUR_RHS, nrhs, &c));
    if (t.nnull) {
      for (PetscInt q = 0; q < nrhs; q++) PetscCall(executor->Copy(b + (size_t)q * ldb, c + (size_t)q * n));
      PetscCall(executor->Project(plain ? SCHWARZSCHUR_LEFT : SCHWARZSCHUR_RIGHT_CONJ, nrhs, c, n));
      if (scaled) PetscCall(executor->Scale(plain ? SCHWARZSCHUR_ROWS : SCHWARZSCHUR_COLUMNS, nrhs, c, n, c, n));
    } else {
      PetscCall(executor->Scale(plain ? SCHWARZSCHUR_ROWS : SCHWARZSCHUR_COLUMNS, nrhs, b, ldb, c, n));
    }
    b   = c;
    ldb = n;
  }
  if (permuted) {
    PetscCall(executor->Work(SCHWARZSCHUR_INPUT, nrhs, &c));
    PetscCall(executor->Permute(ss->order, false, nrhs, b, ldb, c, n));
    PetscCall(executor->Work(SCHWARZSCHUR_OUTPUT, nrhs, &y));
    b   = c;
    ldb = ldy = n;
  }
  if (refinement)
    PetscCall(SchwarzSchurRefine(executor, t.W, ss->found.norms.sum, trans, nrhs, b, ldb, y, ldy, refinement));
  else
    PetscCall(executor->Solve(trans, nrhs, b, ldb, y, ldy));
  if (permuted) PetscCall(executor->Permute(ss->order, true, nrhs, y, ldy, x, ldx));
  if (scaled) PetscCall(executor->Scale(plain ? SCHWARZSCHUR_COLUMNS : SCHWARZSCHUR_ROWS, nrhs, x, ldx, x, ldx));
  if (t.nnull) PetscCall(executor->Project(plain ? SCHWARZSCHUR_RIGHT : SCHWARZSCHUR_LEFT_CONJ, nrhs, x, ldx));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurSolveWith(const Mat_SchwarzSchur *ss, SchwarzSchurExecutor *executor, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx, SchwarzSchurRefinement *refinement)
{
  const SchwarzSchurTransform &t = ss->transform;
  SchwarzSchurRefinement       inner;
  std::vector<PetscReal>       size((size_t)nrhs);
  PetscScalar                 *c;

  PetscFunctionBegin;
  /* A device knows the residual of what it has factored only */
  if (!refinement || executor->device || (!t.scaled && !t.nnull)) {
    PetscCall(SolveTransformed(ss, executor, trans, nrhs, b, ldb, x, ldx, refinement));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  /* Small rows of a scaled system may be solved well, and large ones not as well as they can be, beside what A has of both */
  inner = *refinement;
  /* Where nearly all of b lies outside the range, what is left is as uncertain as rounding of b makes it */
  PetscCall(executor->Sizes(nrhs, b, ldb, size.data()));
  if (t.nnull) {
    PetscCall(executor->Work(SCHWARZSCHUR_OUTER_RHS, nrhs, &c));
    for (PetscInt q = 0; q < nrhs; q++) PetscCall(executor->Copy(b + (size_t)q * ldb, c + (size_t)q * executor->n));
    PetscCall(executor->Project(trans == FACTOR_NOTRANS ? SCHWARZSCHUR_LEFT : SCHWARZSCHUR_RIGHT_CONJ, nrhs, c, executor->n));
    b   = c;
    ldb = executor->n;
  }
  PetscCall(RefineLoop(executor, ss->A, t.norm, trans, nrhs, b, ldb, x, ldx, SCHWARZSCHUR_OUTER_RESIDUAL, SCHWARZSCHUR_OUTER_CORRECTION, size.data(), refinement,
                       [&](const PetscScalar *v, PetscInt ldv, PetscScalar *y, PetscInt ldy) { return SolveTransformed(ss, executor, trans, nrhs, v, ldv, y, ldy, &inner); }));
  refinement->steps += inner.steps;
  refinement->first = PetscMax(refinement->first, inner.first);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurRefineHost(SchwarzSchurExecutor *executor, Mat W, PetscReal norm, FactorTranspose trans, PetscScalar *v, SchwarzSchurRefinement *refinement)
{
  const PetscInt n = executor->n;
  PetscScalar   *b, *x;

  PetscFunctionBegin;
  refinement->most = refinement->longest = PROBE_STEPS;
  refinement->worth                      = SCHWARZSCHUR_FAIR;
  PetscCall(executor->Work(SCHWARZSCHUR_RHS, 1, &b));
  PetscCall(executor->Work(SCHWARZSCHUR_OUTPUT, 1, &x));
  PetscCall(executor->Upload(1, v, n, b));
  PetscCall(SchwarzSchurRefine(executor, W, norm, trans, 1, b, n, x, n, refinement));
  PetscCall(executor->Download(1, x, v, n));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurProbe(const Mat_SchwarzSchur *ss, PetscReal *error, PetscReal *size)
{
  SchwarzSchurExecutor    *executor = ss->executor.get();
  const PetscInt           n        = executor->n;
  std::vector<PetscScalar> host((size_t)n);
  SchwarzSchurRefinement   refinement;

  PetscReal most  = 0, all;
  PetscInt  first = 0;

  PetscFunctionBegin;
  /* Different on each rank, and the same in every run */
  PetscCall(MatGetOwnershipRange(ss->A, &first, nullptr));
  unsigned seed = 1 + (unsigned)first;
  for (PetscScalar &v : host) {
    seed = seed * 1664525u + 1013904223u;
    v    = 0.5 + (PetscReal)(seed >> 8) / 16777216.0;
  }
  PetscCall(SchwarzSchurRefineHost(executor, ss->transform.W, ss->found.norms.sum, FACTOR_NOTRANS, host.data(), &refinement));
  for (PetscScalar v : host) {
    const PetscReal a = PetscAbsScalar(v);

    if (!(a <= most)) most = PetscIsInfOrNanReal(a) ? PETSC_MAX_REAL : a;
  }
  CompatCallAllreduce(&most, &all, 1, MPIU_REAL, MPIU_MAX, executor->comm);
  *error = refinement.error;
  *size  = all < PETSC_MAX_REAL ? ss->found.norms.sum * all : PETSC_MAX_REAL;
  PetscFunctionReturn(PETSC_SUCCESS);
}
