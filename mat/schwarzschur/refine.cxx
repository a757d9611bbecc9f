/*
  Solves with iterative refinement, for all executors alike.
*/
#include "mat/schwarzschur/schwarzschur.h"
#include "mat/compat/petscversion.h"
#include <algorithm>

/* Steps of a probe */
static const PetscInt PROBE_STEPS = 10;
/* Steps for the small components of a scaled system, and the componentwise backward error that ends them */
static const PetscInt  COMPONENT_STEPS = 3;
static const PetscReal COMPONENT_GOOD  = 64 * PETSC_MACHINE_EPSILON;

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
  while (now > (refinement->steps ? refinement->aim : refinement->worth) && now < PETSC_MAX_REAL && refinement->steps < (now > SCHWARZSCHUR_FAIR ? refinement->longest : refinement->most)) {
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

/* What is left of a right-hand side that no solution reaches is rounding, and a Krylov method would take the direction of its solution for one */
static PetscErrorCode ClearRounding(SchwarzSchurExecutor *executor, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *c)
{
  std::vector<PetscReal> before((size_t)nrhs), after((size_t)nrhs);

  PetscFunctionBegin;
  PetscCall(executor->Sizes(nrhs, b, ldb, before.data()));
  PetscCall(executor->Sizes(nrhs, c, executor->n, after.data()));
  for (PetscInt q = 0; q < nrhs; q++) {
    if (before[(size_t)q] < PETSC_MAX_REAL && after[(size_t)q] <= 64 * PETSC_MACHINE_EPSILON * before[(size_t)q]) PetscCall(PetscArrayzero(c + (size_t)q * executor->n, executor->n));
  }
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
      if (!executor->device) PetscCall(ClearRounding(executor, nrhs, b, ldb, c));
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

/* The residual r of A, and the largest of its components beside the sums of moduli that it is a difference of */
static PetscErrorCode ComponentResidual(const Mat_SchwarzSchur *ss, SchwarzSchurExecutor *executor, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, const PetscScalar *x, PetscInt ldx, PetscScalar *r, PetscReal *error)
{
  const PetscInt           n = executor->n;
  std::vector<PetscScalar> bm((size_t)n), xm((size_t)n), sum((size_t)n);
  std::vector<PetscReal>   normwise((size_t)nrhs);
  PetscReal                most = 0;

  PetscFunctionBegin;
  PetscCall(executor->Residual(ss->A, ss->transform.norm, trans, nrhs, b, ldb, x, ldx, r, nullptr, normwise.data()));
  for (PetscInt q = 0; q < nrhs; q++) {
    for (PetscInt i = 0; i < n; i++) {
      bm[(size_t)i] = PetscAbsScalar(b[i + (size_t)q * ldb]);
      xm[(size_t)i] = -PetscAbsScalar(x[i + (size_t)q * ldx]);
    }
    /* |b| + |A| |x| */
    PetscCall(executor->Residual(ss->transform.moduli, ss->transform.norm, trans, 1, bm.data(), n, xm.data(), n, sum.data(), nullptr, normwise.data()));
    for (PetscInt i = 0; i < n; i++) {
      const PetscReal one = FactorBackwardError(0, PetscAbsScalar(r[i + (size_t)q * n]), 0, PetscRealPart(sum[(size_t)i]));

      if (!(one <= most)) most = PetscIsInfOrNanReal(one) ? PETSC_MAX_REAL : one;
    }
  }
  CompatCallAllreduce(&most, error, 1, MPIU_REAL, MPIU_MAX, executor->comm);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  Where columns are scaled far apart, components that are small in the scaled solution are as large in x as the others, and those of b likewise. They are lost beside the large ones, whatever the normwise
  error says; each step brings back what lies within the precision of the last correction.
*/
static PetscErrorCode RefineComponents(const Mat_SchwarzSchur *ss, SchwarzSchurExecutor *executor, FactorTranspose trans, PetscInt nrhs, const PetscScalar *b, PetscInt ldb, PetscScalar *x, PetscInt ldx, SchwarzSchurRefinement *refinement,
                                       PetscReal *error)
{
  const PetscInt           n = executor->n;
  std::vector<PetscScalar> kept((size_t)n * (size_t)nrhs);
  PetscScalar             *r, *d;
  PetscReal                now, before;

  PetscFunctionBegin;
  PetscCall(executor->Work(SCHWARZSCHUR_OUTER_RESIDUAL, nrhs, &r));
  PetscCall(executor->Work(SCHWARZSCHUR_OUTER_CORRECTION, nrhs, &d));
  PetscCall(ComponentResidual(ss, executor, trans, nrhs, b, ldb, x, ldx, r, &now));
  for (PetscInt step = 0; step < COMPONENT_STEPS && now > COMPONENT_GOOD && now < PETSC_MAX_REAL; step++) {
    SchwarzSchurRefinement inner = *refinement;

    before = now;
    for (PetscInt q = 0; q < nrhs; q++) PetscCall(PetscArraycpy(kept.data() + (size_t)q * n, x + (size_t)q * ldx, n));
    PetscCall(SolveTransformed(ss, executor, trans, nrhs, r, n, d, n, &inner));
    PetscCall(executor->Add(1, nrhs, d, x, ldx));
    PetscCall(ComponentResidual(ss, executor, trans, nrhs, b, ldb, x, ldx, r, &now));
    if (now < before) {
      refinement->steps++;
      continue;
    }
    for (PetscInt q = 0; q < nrhs; q++) PetscCall(PetscArraycpy(x + (size_t)q * ldx, kept.data() + (size_t)q * n, n));
    now = before;
    break;
  }
  *error = now;
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
  PetscReal scaled = -1, components;

  PetscCall(RefineLoop(executor, ss->A, t.norm, trans, nrhs, b, ldb, x, ldx, SCHWARZSCHUR_OUTER_RESIDUAL, SCHWARZSCHUR_OUTER_CORRECTION, size.data(), refinement, [&](const PetscScalar *v, PetscInt ldv, PetscScalar *y, PetscInt ldy) {
    PetscFunctionBegin;
    PetscCall(SolveTransformed(ss, executor, trans, nrhs, v, ldv, y, ldy, &inner));
    if (scaled < 0) scaled = inner.error;
    PetscFunctionReturn(PETSC_SUCCESS);
  }));
  if (t.scaled && refinement->finite && refinement->error <= SCHWARZSCHUR_USELESS) {
    PetscCall(RefineComponents(ss, executor, trans, nrhs, b, ldb, x, ldx, refinement, &components));
    /* Factors that are bad in the scaled system are bad, also where the large components of x make the residual look small */
    if (scaled > SCHWARZSCHUR_REGULAR && components > SCHWARZSCHUR_REGULAR) refinement->error = PetscMax(refinement->error, PetscMin(scaled, components));
  }
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

/* Different on each rank, and the same in every run */
static PetscErrorCode ProbeVector(const Mat_SchwarzSchur *ss, std::vector<PetscScalar> &v)
{
  PetscInt first = 0;

  PetscFunctionBegin;
  PetscCall(MatGetOwnershipRange(ss->A, &first, nullptr));
  unsigned seed = 1 + (unsigned)first;
  v.resize((size_t)ss->executor->n);
  for (PetscScalar &a : v) {
    seed = seed * 1664525u + 1013904223u;
    a    = 0.5 + (PetscReal)(seed >> 8) / 16777216.0;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurMeasure(const Mat_SchwarzSchur *ss, PetscReal *error)
{
  SchwarzSchurExecutor    *executor = ss->executor.get();
  const PetscInt           n        = executor->n;
  std::vector<PetscScalar> host, zero((size_t)n, 0.0);
  PetscScalar             *b, *r, *x;
  /* What was factored as a symmetric matrix must solve for what only the transpose of another one reaches */
  const FactorTranspose trans = ss->used == FACTOR_LU || ss->hermitian ? FACTOR_NOTRANS : FACTOR_TRANS;

  PetscFunctionBegin;
  PetscCall(ProbeVector(ss, host));
  for (size_t i = 0; i < host.size(); i += 2) host[i] = -host[i];
  PetscCall(executor->Work(SCHWARZSCHUR_RHS, 1, &b));
  PetscCall(executor->Work(SCHWARZSCHUR_CORRECTION, 1, &x));
  PetscCall(executor->Work(SCHWARZSCHUR_RESIDUAL, 1, &r));
  PetscCall(executor->Upload(1, zero.data(), n, r));
  PetscCall(executor->Upload(1, host.data(), n, x));
  PetscCall(executor->Residual(ss->transform.W, ss->found.norms.sum, trans, 1, r, n, x, n, b, nullptr, error));
  PetscCall(executor->Solve(FACTOR_NOTRANS, 1, b, n, x, n));
  PetscCall(executor->Residual(ss->transform.W, ss->found.norms.sum, FACTOR_NOTRANS, 1, b, n, x, n, r, nullptr, error));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatSchwarzSchurProbe(const Mat_SchwarzSchur *ss, PetscReal *error, PetscReal *size)
{
  SchwarzSchurExecutor    *executor = ss->executor.get();
  std::vector<PetscScalar> host;
  SchwarzSchurRefinement   refinement;

  PetscReal most = 0, all;

  PetscFunctionBegin;
  PetscCall(ProbeVector(ss, host));
  PetscCall(SchwarzSchurRefineHost(executor, ss->transform.W, ss->found.norms.sum, FACTOR_NOTRANS, host.data(), &refinement));
  for (PetscScalar v : host) {
    const PetscReal a = PetscAbsScalar(v);

    if (!(a <= most)) most = PetscIsInfOrNanReal(a) ? PETSC_MAX_REAL : a;
  }
  CompatCallAllreduce(&most, &all, 1, MPIU_REAL, MPIU_MAX, executor->comm);
  /* Solves that are not to be refined are as good as the factors are */
  *error = ss->asked.refine == 0 && !ss->single && refinement.first > SCHWARZSCHUR_USELESS ? refinement.first : refinement.error;
  *size  = all < PETSC_MAX_REAL ? ss->found.norms.sum * all : PETSC_MAX_REAL;
  PetscFunctionReturn(PETSC_SUCCESS);
}
