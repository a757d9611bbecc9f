#include "mat/schwarzschur/values.h"
#include "mat/compat/petscversion.h"
#include <petsc/private/petscimpl.h>
#include <algorithm>

PetscErrorCode SchwarzSchurGetRows(Mat A, PetscBool values, SchwarzSchurRows *rows)
{
  PetscBool done;

  PetscFunctionBegin;
  rows->aa = nullptr;
  PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &rows->n, &rows->ia, &rows->ja, &done));
  PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "The pattern of this %s matrix cannot be read: convert it with -mat_type aij", ((PetscObject)A)->type_name);
  if (values) PetscCall(MatSeqAIJGetArrayRead(A, &rows->aa));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurRestoreRows(Mat A, SchwarzSchurRows *rows)
{
  PetscBool done;

  PetscFunctionBegin;
  if (rows->aa) PetscCall(MatSeqAIJRestoreArrayRead(A, &rows->aa));
  PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &rows->n, &rows->ia, &rows->ja, &done));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void SchwarzSchurMeasure(int nblock, const SchwarzSchurRows block[], SchwarzSchurNorms *norms)
{
  PetscReal largest = 0, entry = 0, least = PETSC_MAX_REAL;
  bool      finite = true;

  for (PetscInt i = 0; i < block[0].n; i++) {
    PetscReal sum = 0;

    for (int b = 0; b < nblock; b++) {
      for (PetscInt k = block[b].ia[i]; k < block[b].ia[i + 1]; k++) {
        const PetscReal v = PetscAbsScalar(block[b].aa[k]);

        sum += v;
        entry = v > entry ? v : entry;
      }
    }
    /* NaN compares with nothing and would be lost in a maximum; a call for each row would cost a sixth of the pass */
    if (!(sum <= PETSC_MAX_REAL)) finite = false;
    if (sum > largest) largest = sum;
    if (sum > 0 && sum < least) least = sum;
  }
  norms->sum    = finite ? largest : 0;
  norms->entry  = finite ? entry : 0;
  norms->least  = least;
  norms->finite = (PetscBool)finite;
}

bool SchwarzSchurFindNonfinite(int nblock, const SchwarzSchurRows block[], PetscInt *row, int *which, PetscInt *at)
{
  for (PetscInt i = 0; i < block[0].n; i++) {
    for (int b = 0; b < nblock; b++) {
      for (PetscInt k = block[b].ia[i]; k < block[b].ia[i + 1]; k++) {
        if (!PetscIsInfOrNanScalar(block[b].aa[k])) continue;
        *row   = i;
        *which = b;
        *at    = k;
        return true;
      }
    }
  }
  return false;
}

StencilSlots::StencilSlots(const Plan *p) : plan(p), linear((size_t)p->nstencil), distinct(true)
{
  const PlanGrid &g = p->grid;

  for (int k = 0; k < p->nstencil; k++) {
    linear[(size_t)k] = p->stencil[k][0] + g.size[0] * (p->stencil[k][1] + g.size[1] * (PetscInt)p->stencil[k][2]);
    if (k && linear[(size_t)k] <= linear[(size_t)k - 1]) distinct = false;
  }
}

void StencilSlots::Row(PetscInt p)
{
  const PlanGrid &g    = plan->grid;
  const PetscInt  c[3] = {p % g.size[0], p / g.size[0] % g.size[1], p / g.size[0] / g.size[1]};

  point = p;
  next  = 0;
  inner = distinct;
  for (int d = 0; d < g.dim; d++) inner = inner && c[d] >= g.width && c[d] < g.size[d] - g.width;
}

int StencilSlots::Of(PetscInt other)
{
  const PetscInt distance = other - point;

  if (!inner) return PlanSlot(plan, point, other);
  if (next && linear[(size_t)next] > distance) next = (int)(std::lower_bound(linear.begin(), linear.begin() + next, distance) - linear.begin());
  while (next + 1 < plan->nstencil && linear[(size_t)next] < distance) next++;
  return linear[(size_t)next] == distance ? next : -1;
}

FramePositions::FramePositions(const Plan *plan)
{
  const PlanClass &root = plan->cls[plan->root];

  if (plan->grid.topology != PLAN_OCTAHEDRAL) return;
  for (int k = 0; k < root.m; k++) at.push_back({plan->rootorigin + root.offset[k], k});
  std::sort(at.begin(), at.end());
}

int FramePositions::Of(PetscInt point) const
{
  const auto found = std::lower_bound(at.begin(), at.end(), std::make_pair(point, 0));

  return found != at.end() && found->first == point ? found->second : -1;
}

/* Couplings of the octahedral topology that no stencil holds lie in the frame, which is the root front */
static void ValuesFindGlue(Plan *plan, const SchwarzSchurRows &rows)
{
  const PetscInt        dof = plan->grid.dof;
  const FramePositions  frame(plan);
  std::vector<PlanGlue> glue;

  for (PetscInt i = 0; i < rows.n; i++) {
    const int p = frame.Of(i / dof);

    if (p < 0) continue;
    for (PetscInt e = rows.ia[i]; e < rows.ia[i + 1]; e++) {
      const int q = frame.Of(rows.ja[e] / dof);

      if (q < 0 || PlanSlot(plan, i / dof, rows.ja[e] / dof) >= 0) continue;
      glue.push_back({(int)(p * dof + i % dof), (int)(q * dof + rows.ja[e] % dof), e});
    }
  }
  std::copy(glue.begin(), glue.end(), PlanSetGlue(plan, (PetscInt)glue.size()));
}

PetscErrorCode SchwarzSchurValues::Analyze(Mat A, Plan *p)
{
  const PlanGrid  &g       = p->grid;
  const PetscInt   dof     = g.dof;
  bool             regular = g.topology != PLAN_OCTAHEDRAL;
  SchwarzSchurRows rows;

  PetscFunctionBegin;
  plan   = p;
  filled = compared = MatrixState();
  start_.clear();
  slot_.clear();
  PetscCall(SchwarzSchurGetRows(A, PETSC_FALSE, &rows));
  for (PetscInt point = 0; point < rows.n / dof && regular; point++) {
    const PetscInt points = PlanRowPoints(p, point % p->npoints);

    for (PetscInt a = 0; a < dof; a++) regular = regular && rows.ia[point * dof + a + 1] - rows.ia[point * dof + a] == points * dof;
  }
  if (g.topology == PLAN_OCTAHEDRAL) ValuesFindGlue(p, rows);
  if (!regular) {
    const PetscInt K = (PetscInt)p->nstencil * dof;
    StencilSlots   slots(p);

    PetscCheck((double)rows.n * K <= (double)PETSC_MAX_INT, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "The matrix without its gaps has %g entries, more than the indices of this PETSc can count: use a PETSc configured --with-64-bit-indices",
               (double)rows.n * K);
    start_.resize((size_t)rows.n + 1);
    for (PetscInt i = 0; i <= rows.n; i++) start_[(size_t)i] = i * K;
    /* A matrix without any entries has gaps alone */
    slot_.resize(std::max((size_t)1, (size_t)rows.ia[rows.n]));
    for (PetscInt i = 0; i < rows.n; i++) {
      const PetscInt first = i / dof / p->npoints * p->npoints;

      slots.Row(i / dof - first);
      for (PetscInt e = rows.ia[i]; e < rows.ia[i + 1]; e++) slot_[(size_t)e] = (unsigned short)slots.Of(rows.ja[e] / dof - first);
    }
  }
  PetscCall(SchwarzSchurRestoreRows(A, &rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode MatrixState::See(Mat A, bool *others)
{
  PetscObjectId    nowid;
  PetscObjectState now;

  PetscFunctionBegin;
  PetscCall(PetscObjectGetId((PetscObject)A, &nowid));
  PetscCall(PetscObjectStateGet((PetscObject)A, &now));
  *others = nowid != id || now != state;
  id      = nowid;
  state   = now;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurValues::Fill(Mat A, const SchwarzSchurRows &rows, FactorValues *values)
{
  const PetscInt dof    = plan->grid.dof;
  bool           others = false;

  PetscFunctionBegin;
  if (!slot_.empty()) PetscCall(filled.See(A, &others));
  if (others) {
    /* One entry at least, so that there is an array */
    full.assign(std::max((size_t)1, (size_t)start_[(size_t)rows.n]), 0.0);
    for (PetscInt i = 0; i < rows.n; i++) {
      for (PetscInt k = rows.ia[i]; k < rows.ia[i + 1]; k++) {
        if (slot_[(size_t)k] != (unsigned short)-1) full[(size_t)(start_[(size_t)i] + slot_[(size_t)k] * dof + rows.ja[k] % dof)] = rows.aa[k];
      }
    }
  }
  values->ai    = slot_.empty() ? rows.ia : start_.data();
  values->aa    = slot_.empty() ? rows.aa : full.data();
  values->slots = !slot_.empty();
  values->glue  = rows.aa;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SchwarzSchurValues::Constant(Mat A, bool *isconstant, PetscInt *row)
{
  bool others = false;

  PetscFunctionBegin;
  PetscCall(compared.See(A, &others));
  if (others) {
    SchwarzSchurRows rows;
    FactorValues     values;

    PetscCall(SchwarzSchurGetRows(A, PETSC_TRUE, &rows));
    PetscCall(Fill(A, rows, &values));
    constant = FactorIsConstant(plan, &values, &differs);
    PetscCall(SchwarzSchurRestoreRows(A, &rows));
  }
  *isconstant = constant;
  *row        = differs;
  PetscFunctionReturn(PETSC_SUCCESS);
}
