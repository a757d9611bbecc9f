/*
  The pattern of a matrix beside a structured grid: whether every coupling is a short way on it, and how far the stencil reaches.
*/
#include "mat/grid/stencilfit.h"
#include "mat/compat/petscversion.h"
#include <algorithm>

static inline bool OnFrame(const Shape *s, const PetscInt x[3])
{
  return x[0] == 0 || x[1] == 0 || x[0] == s->size[0] - 1 || x[1] == s->size[1] - 1;
}

static inline void CountCoupling(Fit *fit, PetscInt vector, PetscInt dof, PetscInt row, PetscInt column)
{
  char *coupled = &fit->coupled[(vector * dof + row % dof) * dof + column % dof];

  if (!*coupled) fit->ncoupled++;
  *coupled = 1;
}

/* Checks and measures those rows of one point that lie in the run. far is how far right of the point, in its list of raw coordinates, a coupling goes. */
static bool FitPoint(const Pattern *A, const PatternRun *run, const Shape *s, PetscInt limit, PetscInt most, PetscInt p, const PetscInt at[3], Fit *fit, PetscInt *far)
{
  const PetscInt nx = s->size[0], ny = s->size[1], dof = s->dof, side = 2 * limit + 1, end = PetscMin((p + 1) * dof, run->first + run->n);
  const bool     frame    = s->frame && OnFrame(s, at);
  PetscInt       previous = -1, vector = 0;

  *far = 0;
  for (PetscInt row = PetscMax(p * dof, run->first); row < end; row++) {
    const PetscInt *i = A->i + run->local + (row - run->first);

    for (PetscInt k = i[0]; k < i[1]; k++) {
      const PetscInt q     = dof == 1 ? A->j[k] : A->j[k] / dof;
      PetscInt       to[3] = {at[0] + (q - p), at[1], at[2]}, delta[3], moved = 0, width = 0;
      bool           wraps[3] = {false, false, false}, outside = false, first;
      char           around;

      /* The unknowns of one point follow each other */
      if (q == previous) {
        if (fit->coupled) CountCoupling(fit, vector, dof, row, A->j[k]);
        continue;
      }
      previous = q;
      vector   = 0;
      if (to[0] < 0 || to[0] >= nx) {
        const PetscInt line = q / nx;

        to[0] = q - line * nx;
        to[2] = line / ny;
        to[1] = line - to[2] * ny;
      }
      *far = PetscMax(*far, to[0] - at[0]);
      if (frame && OnFrame(s, to)) continue;
      for (int a = 2; a >= 0; a--) {
        PetscInt d = to[a] - at[a];

        if (s->wrap[a] && PetscAbsInt(d) > s->size[a] - PetscAbsInt(d)) {
          d += d > 0 ? -s->size[a] : s->size[a];
          wraps[a] = true;
        }
        delta[a] = d;
        d        = PetscAbsInt(d);
        if (d) moved++;
        if (d > limit) outside = true;
        width  = PetscMax(width, d);
        vector = vector * side + delta[a] + limit;
      }
      if (outside) {
        fit->row    = row;
        fit->column = A->j[k];
        for (int a = 0; a < 3; a++) {
          fit->from[a]  = at[a];
          fit->to[a]    = to[a];
          fit->delta[a] = delta[a];
        }
        return false;
      }
      if (fit->coupled) CountCoupling(fit, vector, dof, row, A->j[k]);
      around = wraps[0] || wraps[1] || wraps[2] ? SEEN_AROUND : SEEN_INSIDE;
      for (int a = 0; a < 3; a++) {
        if (wraps[a]) fit->wraps[a] = PETSC_TRUE;
      }
      if (fit->seen[vector] & around) continue;
      first = !fit->seen[vector];
      fit->seen[vector] |= around;
      if (!first) continue;
      fit->width = PetscMax(fit->width, width);
      if (moved > 1) fit->star = PETSC_FALSE;
      if (++fit->nvectors > most) return false;
    }
  }
  return true;
}

/* Whether the rows of points p .. p + count - 1, and those of p - 1, lie in the run and are the same but for a shift. All loops run through, so that they vectorise. */
static inline bool SameStencil(const Pattern *A, const PatternRun *run, PetscInt dof, PetscInt p, PetscInt count)
{
  if ((p - 1) * dof < run->first || (p + count) * dof > run->first + run->n) return false;
  const PetscInt *i = A->i + run->local + (p * dof - run->first), *j = A->j + i[0], m = i[0] - i[-dof], length = i[count * dof] - i[0];
  PetscInt        differs = 0;

  for (PetscInt row = 1; row <= count * dof; row++) differs |= (i[row] - i[row - dof]) ^ m;
  if (differs) return false;
  for (PetscInt k = 0; k < length; k++) differs |= (j[k] - j[k - m]) ^ dof;
  return !differs;
}

/* FitShape() for one run */
static bool FitRun(const Pattern *A, const PatternRun *run, const Shape *s, PetscInt limit, PetscInt most, Fit *fit)
{
  const PetscInt nx = s->size[0], ny = s->size[1], end = (run->first + run->n + s->dof - 1) / s->dof;
  PetscInt       p = run->first / s->dof, at[3] = {p % nx, p / nx % ny, p / nx / ny}, far;

  while (p < end) {
    PetscInt last, count = 1;
    bool     same = true;

    if (!FitPoint(A, run, s, limit, most, p, at, fit, &far)) return false;
    last = s->frame && OnFrame(s, at) ? at[0] : nx - 1 - far;
    p++;
    at[0]++;
    /* Doubling steps up to the first that fails, then halving ones */
    while (count && at[0] <= last && p < end) {
      count = PetscMin(count, last - at[0] + 1);
      if (SameStencil(A, run, s->dof, p, count)) {
        p += count;
        at[0] += count;
        count = same ? PetscMin(2 * count, 128) : count / 2;
      } else {
        same = false;
        count /= 2;
      }
    }
    if (at[0] == nx) {
      at[0] = 0;
      if (++at[1] == ny) {
        at[1] = 0;
        at[2]++;
      }
    }
  }
  return true;
}

/* What the processes have found, put together: the measures of all, and the misfit that comes first */
static PetscErrorCode FitCombine(const Pattern *A, PetscInt limit, PetscInt most, Fit *fit)
{
  const PetscInt side = 2 * limit + 1;
  PetscInt       mine[8], all[8], where[10], found[10];

  PetscFunctionBegin;
  if (A->size == 1) PetscFunctionReturn(PETSC_SUCCESS);
  mine[0] = fit->width;
  mine[1] = !fit->star;
  mine[2] = !fit->ok;
  mine[3] = fit->ok || fit->row < 0 ? -PETSC_MAX_INT : -fit->row;
  for (int a = 0; a < 3; a++) mine[4 + a] = fit->wraps[a];
  mine[7] = fit->nvectors > most;
  CompatCallAllreduce(mine, all, 8, MPIU_INT, MPI_MAX, A->comm);
  fit->width = all[0];
  fit->star  = (PetscBool)!all[1];
  fit->ok    = (PetscBool)!all[2];
  for (int a = 0; a < 3; a++) fit->wraps[a] = (PetscBool)all[4 + a];
  if (fit->ok) {
    CompatCallAllreduce(MPI_IN_PLACE, fit->seen, (PetscMPIInt)(side * side * side), MPI_UNSIGNED_CHAR, MPI_BOR, A->comm);
    fit->nvectors = 0;
    for (PetscInt v = 0; v < side * side * side; v++) fit->nvectors += fit->seen[v] != 0;
    if (fit->nvectors > most) fit->ok = PETSC_FALSE;
    fit->row = -1;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (int k = 0; k < 10; k++) where[k] = PETSC_MIN_INT;
  if (all[3] == -PETSC_MAX_INT) {
    fit->row = -1;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (mine[3] == all[3]) {
    where[0] = fit->column;
    for (int a = 0; a < 3; a++) {
      where[1 + a] = fit->from[a];
      where[4 + a] = fit->to[a];
      where[7 + a] = fit->delta[a];
    }
  }
  CompatCallAllreduce(where, found, 10, MPIU_INT, MPI_MAX, A->comm);
  fit->row    = -all[3];
  fit->column = found[0];
  for (int a = 0; a < 3; a++) {
    fit->from[a]  = found[1 + a];
    fit->to[a]    = found[4 + a];
    fit->delta[a] = found[7 + a];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  Fits the matrix to a grid with a stencil that reaches no further than limit, and stops at the first entry that does not fit. Almost every
  row has its columns where the row before has them, one point further. Such a row needs no look at coordinates as long as no column passes
  the end of its line, so only the points at the ends of lines, or beside irregular rows, are looked at one by one.
*/
void FitShapeLocal(const Pattern *A, const Shape *s, PetscInt limit, PetscInt most, PetscInt nrefusers, const PetscInt refusers[], Fit *fit)
{
  const PetscInt nx = s->size[0], ny = s->size[1], side = 2 * limit + 1;
  bool           ok = true;
  PetscInt       far;

  fit->width = fit->nvectors = 0;
  fit->star                  = PETSC_TRUE;
  fit->row = fit->column = -1;
  for (int a = 0; a < 3; a++) fit->wraps[a] = PETSC_FALSE;
  for (PetscInt v = 0; v < side * side * side; v++) fit->seen[v] = 0;
  for (PetscInt r = 0; r < nrefusers && ok; r++) {
    const PetscInt q = refusers[r] / s->dof, where[3] = {q % nx, q / nx % ny, q / nx / ny};

    for (PetscInt k = 0; k < A->nrun && ok; k++) {
      if (refusers[r] >= A->run[k].first && refusers[r] < A->run[k].first + A->run[k].n) ok = FitPoint(A, &A->run[k], s, limit, most, q, where, fit, &far);
    }
  }
  for (PetscInt k = 0; k < A->nrun && ok; k++) ok = FitRun(A, &A->run[k], s, limit, most, fit);
  fit->ok = (PetscBool)ok;
}

PetscErrorCode FitShape(const Pattern *A, const Shape *s, PetscInt limit, PetscInt most, PetscInt nrefusers, const PetscInt refusers[], Fit *fit)
{
  PetscFunctionBegin;
  FitShapeLocal(A, s, limit, most, nrefusers, refusers, fit);
  PetscCall(FitCombine(A, limit, most, fit));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  What a row of unknowns costs on a grid: the couplings that occur anywhere, as if each occurred everywhere, by dof. A grid that lumps points
  together, or tears the unknowns of a point apart, needs more than the one that the matrix was made on.
*/
PetscErrorCode CouplingsOfShape(const Pattern *A, const Shape *s, PetscInt width, Fit *fit, PetscInt *couplings)
{
  const PetscInt side = 2 * width + 1;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(side * side * side * s->dof * s->dof, &fit->coupled));
  fit->ncoupled = 0;
  PetscCall(FitShape(A, s, width, MOST_VECTORS, 0, nullptr, fit));
  if (A->size > 1) {
    const PetscInt n = side * side * side * s->dof * s->dof;

    CompatCallAllreduce(MPI_IN_PLACE, fit->coupled, (PetscMPIInt)n, MPI_UNSIGNED_CHAR, MPI_BOR, A->comm);
    fit->ncoupled = 0;
    for (PetscInt k = 0; k < n; k++) fit->ncoupled += fit->coupled[k];
  }
  *couplings = fit->ncoupled;
  PetscCall(PetscFree(fit->coupled));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The arrays of an AIJ matrix are its own and stay where they are until it is assembled again, which is later than anybody asks for its grid. */
static PetscErrorCode BorrowRows(Mat A, const PetscInt **i, const PetscInt **j)
{
  const PetscInt *ia, *ja;
  PetscInt        m;
  PetscBool       done;

  PetscFunctionBegin;
  PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &m, &ia, &ja, &done));
  PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "The matrix does not give its rows: use -mat_type aij");
  *i = ia;
  *j = ja;
  PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &m, &ia, &ja, &done));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Of many processes, where the columns of other processes come apart from one's own */
static PetscErrorCode CopyRows(Mat A, PetscInt first, PetscInt n, OwnPattern *own)
{
  Mat             block[2];
  const PetscInt *columns, *ia[2], *ja[2];

  PetscFunctionBegin;
  PetscCall(MatMPIAIJGetSeqAIJ(A, &block[0], &block[1], &columns));
  for (int k = 0; k < 2; k++) PetscCall(BorrowRows(block[k], &ia[k], &ja[k]));
  own->i.assign((size_t)n + 1, 0);
  for (PetscInt row = 0; row < n; row++) own->i[(size_t)row + 1] = own->i[(size_t)row] + ia[0][row + 1] - ia[0][row] + ia[1][row + 1] - ia[1][row];
  own->j.resize((size_t)own->i[(size_t)n]);
  for (PetscInt row = 0; row < n; row++) {
    PetscInt *const begin = own->j.data() + own->i[(size_t)row], *to = begin;

    for (PetscInt e = ia[0][row]; e < ia[0][row + 1]; e++) *to++ = first + ja[0][e];
    for (PetscInt e = ia[1][row]; e < ia[1][row + 1]; e++) *to++ = columns[ja[1][e]];
    if (!std::is_sorted(begin, to)) std::sort(begin, to);
  }
  own->pattern.i = own->i.data();
  own->pattern.j = own->j.data();
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PatternRead(Mat A, OwnPattern *own)
{
  Pattern  *pattern = &own->pattern;
  PetscInt  first, n, entries = 0;
  PetscBool mpiaij;

  PetscFunctionBegin;
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)A, MATMPIAIJ, &mpiaij));
  pattern->comm = PetscObjectComm((PetscObject)A);
  PetscCall(MatGetSize(A, &pattern->n, nullptr));
  PetscCallMPI(MPI_Comm_size(pattern->comm, &pattern->size));
  PetscCall(MatGetOwnershipRange(A, &first, nullptr));
  PetscCall(MatGetLocalSize(A, &n, nullptr));
  if (mpiaij)
    PetscCall(CopyRows(A, first, n, own));
  else
    PetscCall(BorrowRows(A, &pattern->i, &pattern->j));
  for (PetscInt row = 0; row < n; row++) entries = PetscMax(entries, pattern->i[row + 1] - pattern->i[row]);
  CompatCallAllreduce(&entries, &pattern->entries, 1, MPIU_INT, MPI_MAX, pattern->comm);
  own->run.assign(1, {first, n, 0});
  pattern->nrun = 1;
  pattern->run  = own->run.data();
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode PatternRenumber(const OwnPattern *from, const StructuredGridNumbering *numbering, OwnPattern *to)
{
  const PetscInt first = from->run[0].first, n = from->run[0].n;

  PetscFunctionBegin;
  to->pattern = from->pattern;
  to->i.assign(from->pattern.i, from->pattern.i + n + 1);
  to->j.resize((size_t)(to->i[(size_t)n] - to->i[0]));
  to->run.clear();
  for (PetscInt row = 0; row < n;) {
    const PetscInt m = PetscMin(StructuredGridNumberingRun(numbering, first + row), n - row);

    to->run.push_back({StructuredGridNumberingNatural(numbering, first + row), m, row});
    row += m;
  }
  for (size_t row = 0; row < (size_t)n; row++) {
    const auto begin = to->j.begin() + to->i[row], end = to->j.begin() + to->i[row + 1];

    for (PetscInt k = to->i[row]; k < to->i[row + 1]; k++) to->j[(size_t)k] = StructuredGridNumberingNatural(numbering, from->pattern.j[k]);
    if (!std::is_sorted(begin, end)) std::sort(begin, end);
  }
  to->pattern.i    = to->i.data();
  to->pattern.j    = to->j.data();
  to->pattern.nrun = (PetscInt)to->run.size();
  to->pattern.run  = to->run.data();
  PetscFunctionReturn(PETSC_SUCCESS);
}
