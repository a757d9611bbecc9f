/*
  Finds the structured grid of a matrix: from options, from its DMDA, or from its sparsity. Whatever the source, every entry is checked.
*/
#include "mat/grid/structuredgrid.h"
#include "mat/grid/numbering.h"
#include "mat/compat/petscversion.h"
#include <algorithm>
#include <petscdm.h>
#include <petscdmda.h>
#include <petscviewer.h>

/* A misfit is measured up to this width, so that the error can say how wide the stencil is */
#define WIDEST 8
/* Vectors of that width in three dimensions */
#define MOST_VECTORS ((2 * WIDEST + 1) * (2 * WIDEST + 1) * (2 * WIDEST + 1))
/* Guesses at the unknowns per point where the matrix has no block size */
#define DOF_GUESSES 8
/* Rows that have refused a guess and are shown to the next guess first */
#define NREFUSERS 8

/* Rows that follow each other in natural order */
typedef struct {
  PetscInt first, n, local; /* local: the place of the first among the rows of this process */
} PatternRun;

/* The rows of this process, in runs of natural order, with natural columns. What is found out is found out by all processes together. */
typedef struct {
  MPI_Comm          comm;
  PetscMPIInt       size;
  PetscInt          n; /* of all processes */
  const PetscInt   *i, *j;
  PetscInt          nrun;
  const PatternRun *run;
} Pattern;

/* A grid before it is known whether the matrix fits it */
typedef struct {
  PetscInt  dim, size[3], dof;
  PetscBool wrap[3]; /* couplings may go around the end of the axis */
  PetscBool frame;   /* couplings within the boundary frame are allowed */
} Shape;

/* Where in the grid a vector was seen: inside, or around the end of an axis */
#define SEEN_INSIDE 1
#define SEEN_AROUND 2

typedef struct {
  PetscBool ok;
  /* Measured up to the misfit, if there is one */
  PetscInt  width, nvectors; /* nvectors: different ways from a point to one that it is coupled with */
  PetscBool star, wraps[3];
  /* The misfit; row -1: there were more vectors than asked for */
  PetscInt row, column, from[3], to[3], delta[3];
  PetscInt ncoupled;
  char    *coupled; /* if not NULL, pairs of unknowns in each vector are counted as well */
  char     seen[MOST_VECTORS];
} Fit;

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
static PetscErrorCode FitShape(const Pattern *A, const Shape *s, PetscInt limit, PetscInt most, PetscInt nrefusers, const PetscInt refusers[], Fit *fit)
{
  const PetscInt nx = s->size[0], ny = s->size[1], side = 2 * limit + 1;
  bool           ok = true;
  PetscInt       far;

  PetscFunctionBegin;
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
  PetscCall(FitCombine(A, limit, most, fit));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A search for the grid of a pattern: the best so far, and how the guess that went furthest failed */
typedef struct {
  PetscInt  limit;
  PetscBool periodic[3]; /* axes that may be periodic where no plain grid fits */
  PetscBool wrap[3], frame;
  PetscBool line;    /* grids of one dimension are among those looked for, and folds are taken note of */
  PetscBool inorder; /* look for the first misfit of each guess, for the error text */
  PetscBool uncoupled, ambiguous;
  PetscBool found, rival; /* rival: a grid fits that has too few points along an axis to be told from a fold */
  Shape     best, rival_shape, nearest;
  Fit       best_fit, rival_fit, nearest_fit, fit;
  PetscInt  nrefusers, refusers[NREFUSERS];
} Search;

/* Fewer vectors are the simpler explanation of the pattern */
static bool FitIsBetter(const Fit *a, PetscInt adim, const Fit *b, PetscInt bdim)
{
  if (a->nvectors != b->nvectors) return a->nvectors < b->nvectors;
  if (a->width != b->width) return a->width < b->width;
  if (a->star != b->star) return a->star;
  return adim < bdim;
}

/*
  What a row of unknowns costs on a grid: the couplings that occur anywhere, as if each occurred everywhere, by dof. A grid that lumps points
  together, or tears the unknowns of a point apart, needs more than the one that the matrix was made on.
*/
static PetscErrorCode CouplingsOfShape(const Pattern *A, const Shape *s, PetscInt width, Fit *fit, PetscInt *couplings)
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

static PetscErrorCode SearchConsider(const Pattern *A, PetscInt dof, PetscInt dim, PetscInt nx, PetscInt ny, PetscInt nz, Search *search)
{
  Shape          s     = {dim, {nx, ny, nz}, dof, {PETSC_FALSE, PETSC_FALSE, PETSC_FALSE}, search->frame};
  Fit           *fit   = &search->fit;
  const bool     pair  = dim > 1 && (nx <= 2 || (dim > 2 && ny <= 2));
  const PetscInt limit = pair ? 1 : search->limit, side = 2 * limit + 1;
  PetscInt       place = 0;
  bool           fold  = false;

  PetscFunctionBegin;
  /* Two points along an axis, not the last, are a fold whatever the width */
  if (pair && !search->line) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt a = 0; a < dim; a++) s.wrap[a] = search->wrap[a];
  PetscCall(FitShape(A, &s, limit, search->found ? search->best_fit.nvectors : MOST_VECTORS, search->inorder ? 0 : search->nrefusers, search->refusers, fit));
  if (!fit->ok) {
    if (fit->row < 0) PetscFunctionReturn(PETSC_SUCCESS);
    if (search->inorder && fit->row > search->nearest_fit.row) {
      search->nearest     = s;
      search->nearest_fit = *fit;
    }
    /* To the front, from its old place or from the end */
    while (place < search->nrefusers && search->refusers[place] != fit->row) place++;
    if (place == search->nrefusers && place < NREFUSERS) search->nrefusers++;
    for (PetscInt r = PetscMin(place, NREFUSERS - 1); r > 0; r--) search->refusers[r] = search->refusers[r - 1];
    search->refusers[0] = fit->row;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  /* On an axis as short as the stencil anything fits. One that is longer by a point can be an axis of a smaller grid, folded. */
  for (PetscInt a = 0; a < dim; a++) {
    if (fit->wraps[a] ? s.size[a] <= 2 * fit->width + 1 : dim > 1 && s.size[a] <= fit->width + (s.frame ? 2 : 0)) PetscFunctionReturn(PETSC_SUCCESS);
    if (a < dim - 1 && s.size[a] <= fit->width + 1) fold = true;
  }
  /* On a periodic grid no vector is special to the ends of the axes. A line wound up like a thread has such vectors. */
  for (PetscInt v = 0; v < side * side * side; v++) {
    if (fit->seen[v] == SEEN_AROUND) PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (fold) {
    if (!search->line || fit->width > 1 || (search->rival && !FitIsBetter(fit, dim, &search->rival_fit, search->rival_shape.dim))) PetscFunctionReturn(PETSC_SUCCESS);
    search->rival       = PETSC_TRUE;
    search->rival_shape = s;
    search->rival_fit   = *fit;
  } else {
    if (search->found && !FitIsBetter(fit, dim, &search->best_fit, search->best.dim)) PetscFunctionReturn(PETSC_SUCCESS);
    search->found    = PETSC_TRUE;
    search->best     = s;
    search->best_fit = *fit;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Finds the best of all grids with dof unknowns per point; line: also those of one dimension */
static PetscErrorCode SearchDof(const Pattern *A, PetscInt dof, PetscBool line, Search *search)
{
  const PetscInt n         = A->n / dof;
  PetscInt       ndivisors = 0, low = 0, *divisors;

  PetscFunctionBegin;
  search->found = search->rival = PETSC_FALSE;
  search->line                  = line;
  if (line && !search->frame) {
    PetscCall(SearchConsider(A, dof, 1, n, 1, 1, search));
    if (search->found && search->best_fit.width <= 1) {
      if (!search->best_fit.width && n > 1) search->uncoupled = PETSC_TRUE;
      PetscFunctionReturn(PETSC_SUCCESS);
    }
  }
  for (PetscInt d = 1; d <= n / d; d++) {
    if (n % d == 0) low++;
  }
  PetscCall(PetscMalloc1(2 * low, &divisors));
  for (PetscInt d = 1; d <= n / d; d++) {
    if (n % d == 0) divisors[ndivisors++] = d;
  }
  for (PetscInt k = low - 1; k >= 0; k--) {
    if (divisors[k] != n / divisors[k]) divisors[ndivisors++] = n / divisors[k];
  }
  for (PetscInt k = 1; k < ndivisors - 1; k++) PetscCall(SearchConsider(A, dof, 2, divisors[k], n / divisors[k], 1, search));
  /* What fits a plane with a stencil of width 1 fits no box with fewer vectors */
  if (!search->frame && !(search->found && search->best_fit.width <= 1)) {
    for (PetscInt k = 1; k < ndivisors - 1; k++) {
      const PetscInt rest = n / divisors[k];

      for (PetscInt l = 1; l < ndivisors - 1 && divisors[l] < rest; l++) {
        if (rest % divisors[l] == 0) PetscCall(SearchConsider(A, dof, 3, divisors[k], divisors[l], rest / divisors[l], search));
      }
    }
  }
  PetscCall(PetscFree(divisors));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether the grid that may be a fold explains the pattern better than what was found */
static bool RivalWins(const Search *s)
{
  return s->rival && (!s->found || FitIsBetter(&s->rival_fit, s->rival_shape.dim, &s->best_fit, s->best.dim));
}

/* Grids without wrap-around come first: on a short axis a wrap-around cannot be told from a wide stencil */
static PetscErrorCode SearchPlainThenPeriodic(const Pattern *A, PetscInt dof, PetscBool line, Search *search)
{
  PetscFunctionBegin;
  for (int a = 0; a < 3; a++) search->wrap[a] = PETSC_FALSE;
  PetscCall(SearchDof(A, dof, line, search));
  if (!search->found && !search->uncoupled && (search->periodic[0] || search->periodic[1] || search->periodic[2])) {
    const PetscBool rival = search->rival;
    const Shape     shape = search->rival_shape;

    for (int a = 0; a < 3; a++) search->wrap[a] = search->periodic[a];
    PetscCall(SearchDof(A, dof, line, search));
    if (!search->found && rival) {
      search->rival       = PETSC_TRUE;
      search->rival_shape = shape;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Looks for a grid with another number of unknowns per point that explains the pattern better */
static PetscErrorCode SearchOtherDofs(const Pattern *A, PetscInt bs, Search *search)
{
  PetscInt couplings = 0, more;
  Search  *guess;

  PetscFunctionBegin;
  PetscCall(PetscNew(&guess));
  *guess = *search;
  for (PetscInt dof = 1; dof <= DOF_GUESSES && !(search->found && search->best_fit.width <= 1); dof++) {
    if (dof == bs || A->n % dof) continue;
    if (search->found) guess->limit = search->best_fit.width - 1;
    PetscCall(SearchPlainThenPeriodic(A, dof, PETSC_FALSE, guess));
    if (!guess->found) continue;
    if (search->found && !couplings) PetscCall(CouplingsOfShape(A, &search->best, search->best_fit.width, &search->fit, &couplings));
    PetscCall(CouplingsOfShape(A, &guess->best, guess->best_fit.width, &guess->fit, &more));
    if (search->found && (PetscReal)more * search->best.dof >= (PetscReal)couplings * dof) continue;
    search->found    = PETSC_TRUE;
    search->best     = guess->best;
    search->best_fit = guess->best_fit;
    couplings        = more;
  }
  if (guess->inorder) {
    search->nearest     = guess->nearest;
    search->nearest_fit = guess->nearest_fit;
  }
  PetscCall(PetscFree(guess));
  if (search->found && search->best.dof != bs && search->rival) {
    PetscCall(CouplingsOfShape(A, &search->rival_shape, search->rival_fit.width, &search->fit, &more));
    search->ambiguous = (PetscBool)((PetscReal)more * search->best.dof < (PetscReal)couplings * bs);
  } else
    search->ambiguous = (PetscBool)RivalWins(search);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  After how many rows the pattern repeats itself, going by a sample: the unknowns per point where the matrix has no block size. Within a point
  no row repeats the one before it, since both have the same columns there.
*/
static PetscErrorCode PatternPeriod(const Pattern *A, PetscInt *period)
{
  const PetscInt nsamples              = PetscMax(8, 256 / (PetscInt)A->size);
  PetscInt       same[DOF_GUESSES + 1] = {0}, most = 0;

  PetscFunctionBegin;
  *period = 1;
  for (PetscInt r = 0; r < A->nrun; r++) {
    const PatternRun *run = &A->run[r];

    for (PetscInt sample = 0; sample < nsamples && run->n; sample++) {
      const PetscInt row = (PetscInt)(((PetscInt64)2 * sample + 1) * run->n / (2 * nsamples)), *i = A->i + run->local + row, length = i[1] - i[0];

      for (PetscInt d = 1; d <= DOF_GUESSES && row + d < run->n && length > 1; d++) {
        const PetscInt *j = A->j + i[0], *next = A->j + i[d];
        bool            equal = i[d + 1] - i[d] == length;

        for (PetscInt k = 0; k < length && equal; k++) equal = next[k] == j[k] + d;
        if (equal && A->n % d == 0) same[d]++;
      }
    }
  }
  if (A->size > 1) CompatCallAllreduce(MPI_IN_PLACE, same, DOF_GUESSES + 1, MPIU_INT, MPI_SUM, A->comm);
  for (PetscInt d = 1; d <= DOF_GUESSES; d++) most = PetscMax(most, same[d]);
  if (8 * same[1] >= most) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt d = 2; d <= DOF_GUESSES && *period == 1; d++) {
    if (4 * same[d] >= 3 * most) *period = d;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  Looks for the grid in the sparsity. Any pattern fits many grids if the stencil may be wide, so the smallest stencil wins. dof 0: the
  period of the pattern is tried first, then bs, and further numbers of unknowns if the stencil is still wider than 1.
*/
static PetscErrorCode SearchGrid(const Pattern *A, PetscInt dof, PetscInt bs, Search *search)
{
  PetscFunctionBegin;
  search->uncoupled       = PETSC_FALSE;
  search->nrefusers       = 0;
  search->nearest_fit.row = -1;
  if (!dof && bs == 1 && !search->frame) {
    PetscInt period;

    PetscCall(PatternPeriod(A, &period));
    /* A sample of irregular rows can show a multiple of the period */
    for (PetscInt d = 2; d <= period; d++) {
      if (period % d) continue;
      PetscCall(SearchPlainThenPeriodic(A, d, PETSC_FALSE, search));
      search->ambiguous = PETSC_FALSE;
      if (search->found && search->best_fit.width <= 1) PetscFunctionReturn(PETSC_SUCCESS);
    }
  }
  PetscCall(SearchPlainThenPeriodic(A, dof ? dof : bs, PETSC_TRUE, search));
  if (dof || search->uncoupled || search->frame || (search->found && (search->best.dim == 1 || search->best_fit.width <= 1)))
    search->ambiguous = (PetscBool)RivalWins(search);
  else
    PetscCall(SearchOtherDofs(A, bs, search));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A search within the limits of the hints */
static PetscErrorCode SearchByHints(const Pattern *A, const StructuredGridHints *hints, PetscInt bs, Search *search)
{
  PetscFunctionBegin;
  search->inorder = PETSC_FALSE;
  search->limit   = STRUCTURED_GRID_MAX_WIDTH;
  search->frame   = (PetscBool)(hints->topology == STRUCTURED_GRID_OCTAHEDRAL);
  for (PetscInt a = 0; a < 3; a++) search->periodic[a] = (PetscBool)(!search->frame && (!hints->nperiodic || (a < hints->nperiodic && hints->periodic[a])));
  PetscCall(SearchGrid(A, hints->dof, bs, search));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* "(x, y)", or another bracket and separator */
static PetscErrorCode CoordinatesText(PetscInt dim, const PetscInt x[3], const char *open, const char *separator, const char *close, size_t length, char text[])
{
  size_t used;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(text, open, length));
  for (PetscInt a = 0; a < dim; a++) {
    PetscCall(PetscStrlen(text, &used));
    PetscCall(PetscSNPrintf(text + used, length - used, "%s%" PetscInt_FMT, a ? separator : "", x[a]));
  }
  PetscCall(PetscStrlen(text, &used));
  PetscCall(PetscStrncpy(text + used, close, length - used));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SizeText(PetscInt dim, const PetscInt size[3], PetscBool option, size_t length, char text[])
{
  PetscFunctionBegin;
  PetscCall(CoordinatesText(dim, size, "", option ? "," : " x ", "", length, text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static const char *OptionName(const char *name, const char *otherwise)
{
  return name ? name : otherwise;
}
#define SIZE_OPTION(hints)     OptionName((hints)->size_option, "the option for the grid's size")
#define DOF_OPTION(hints)      OptionName((hints)->dof_option, "the option for the unknowns per point")
#define PERIODIC_OPTION(hints) OptionName((hints)->periodic_option, "the option for the periodic axes")

/* "-grid 37,200 -dof 2 -periodic 1,0" for a grid that was found to fit */
static PetscErrorCode OptionsText(const Shape *s, const Fit *fit, const StructuredGridHints *hints, size_t length, char text[])
{
  char     size[128];
  size_t   used;
  PetscInt wraps[3] = {fit->wraps[0], fit->wraps[1], fit->wraps[2]};

  PetscFunctionBegin;
  PetscCall(SizeText(s->dim, s->size, PETSC_TRUE, sizeof(size), size));
  PetscCall(PetscSNPrintf(text, length, "%s %s", SIZE_OPTION(hints), size));
  if (s->dof > 1 || hints->dof) {
    PetscCall(PetscStrlen(text, &used));
    PetscCall(PetscSNPrintf(text + used, length - used, " %s %" PetscInt_FMT, DOF_OPTION(hints), s->dof));
  }
  if (wraps[0] || wraps[1] || wraps[2]) {
    PetscCall(SizeText(s->dim, wraps, PETSC_TRUE, sizeof(size), size));
    PetscCall(PetscStrlen(text, &used));
    PetscCall(PetscSNPrintf(text + used, length - used, " %s %s", PERIODIC_OPTION(hints), size));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The axis on which the misfit is furthest apart */
static int MisfitAxis(const Fit *fit)
{
  int axis = 0;

  for (int a = 1; a < 3; a++) {
    if (PetscAbsInt(fit->delta[a]) > PetscAbsInt(fit->delta[axis])) axis = a;
  }
  return axis;
}

/* Says why the matrix does not fit a grid that the user or the DMDA has named, and what would mend it. Always an error. */
static PetscErrorCode StructuredGridErrorNamed(const Pattern *A, const Shape *s, const Fit *misfit, PetscInt bound, const char *origin, PetscInt bs, const StructuredGridHints *hints)
{
  const int axis = MisfitAxis(misfit), name = "xyz"[axis];
  PetscBool dmda, options;
  char      what[512], size[128], from[128], to[128], option[256];
  Shape     other = *s;
  Search   *search;
  Fit      *fit;

  PetscFunctionBegin;
  PetscCall(PetscStrcmp(origin, "DMDA", &dmda));
  PetscCall(PetscStrcmp(origin, "options", &options));
  PetscCall(SizeText(s->dim, s->size, PETSC_FALSE, sizeof(size), size));
  PetscCall(CoordinatesText(s->dim, misfit->from, "(", ", ", ")", sizeof(from), from));
  PetscCall(CoordinatesText(s->dim, misfit->to, "(", ", ", ")", sizeof(to), to));
  PetscCall(PetscSNPrintf(what, sizeof(what), "Row %" PetscInt_FMT " couples column %" PetscInt_FMT ": points %s and %s of the grid of %s points %s%s, %" PetscInt_FMT " apart in %c", misfit->row, misfit->column, from, to, size,
                          dmda      ? "of the DMDA"
                          : options ? "given by "
                                    : "that the sparsity shows",
                          options ? SIZE_OPTION(hints) : "", PetscAbsInt(misfit->delta[axis]), name));
  PetscCall(PetscNew(&search));
  fit = &search->fit;

  if (bound < STRUCTURED_GRID_MAX_WIDTH) {
    PetscCall(FitShape(A, s, STRUCTURED_GRID_MAX_WIDTH, MOST_VECTORS, 0, nullptr, fit));
    if (fit->ok) {
      const PetscInt width = fit->width;

      PetscCall(PetscFree(search));
      SETERRQ(A->comm, PETSC_ERR_ARG_INCOMP, "%s, but the stencil, which reaches %" PetscInt_FMT ", may reach %" PetscInt_FMT " only. %s%s", what, width, bound,
              dmda ? "Create the DMDA with this stencil width, or give the grid with " : "Allow it this width", dmda ? SIZE_OPTION(hints) : "");
    }
  }
  if (!s->frame) {
    for (PetscInt a = 0; a < s->dim; a++) other.wrap[a] = PETSC_TRUE;
    PetscCall(FitShape(A, &other, STRUCTURED_GRID_MAX_WIDTH, MOST_VECTORS, 0, nullptr, fit));
    if (fit->ok) {
      const PetscInt wraps[3] = {fit->wraps[0], fit->wraps[1], fit->wraps[2]};

      PetscCall(PetscFree(search));
      PetscCall(SizeText(s->dim, wraps, PETSC_TRUE, sizeof(option), option));
      SETERRQ(A->comm, PETSC_ERR_ARG_INCOMP, "%s. They are near each other only around the end of the axis: the grid is periodic, give %s %s", what, PERIODIC_OPTION(hints), option);
    }
  }
  PetscCall(SearchByHints(A, hints, bs, search));
  if (search->found && !search->ambiguous) {
    PetscCall(OptionsText(&search->best, &search->best_fit, hints, sizeof(option), option));
    PetscCall(PetscFree(search));
    SETERRQ(A->comm, PETSC_ERR_ARG_INCOMP, "%s. The sparsity fits another grid: give %s", what, option);
  }
  PetscCall(FitShape(A, s, WIDEST, MOST_VECTORS, 0, nullptr, fit));
  if (fit->ok) {
    const PetscInt width = fit->width;

    PetscCall(PetscFree(search));
    SETERRQ(A->comm, PETSC_ERR_SUP, "%s: the stencil has width %" PetscInt_FMT ", and no more than %d is supported. Take a solver that needs no grid", what, width, STRUCTURED_GRID_MAX_WIDTH);
  }
  PetscCall(PetscFree(search));
  SETERRQ(A->comm, PETSC_ERR_ARG_INCOMP, "%s: not a stencil of width <= %d. Give the right grid with %s, or take a solver that needs no grid", what, STRUCTURED_GRID_MAX_WIDTH, SIZE_OPTION(hints));
}

/* Says why no grid was found in the sparsity. Always an error. */
static PetscErrorCode StructuredGridErrorSearch(const Pattern *A, PetscInt bs, const StructuredGridHints *hints, Search *search)
{
  char size[128], from[128], to[128], option[256];
  Fit *fit = &search->fit;

  PetscFunctionBegin;
  if (hints->dof || hints->nperiodic) {
    StructuredGridHints fewer = *hints;

    fewer.dof = fewer.nperiodic = 0;
    PetscCall(SearchByHints(A, &fewer, bs, search));
    if (search->found && !search->ambiguous) {
      PetscCall(OptionsText(&search->best, &search->best_fit, hints, sizeof(option), option));
      SETERRQ(A->comm, PETSC_ERR_ARG_INCOMP, "No grid fits the sparsity with what is given for it by %s%s%s: give %s", hints->dof ? DOF_OPTION(hints) : "", hints->dof && hints->nperiodic ? " and " : "", hints->nperiodic ? PERIODIC_OPTION(hints) : "",
              option);
    }
  }
  for (int a = 0; a < 3; a++) search->periodic[a] = PETSC_FALSE;
  search->limit = WIDEST;
  PetscCall(SearchGrid(A, hints->dof, bs, search));
  if (search->found && !search->ambiguous) {
    const PetscInt width = search->best_fit.width;
    int            axis;

    PetscCall(FitShape(A, &search->best, STRUCTURED_GRID_MAX_WIDTH, MOST_VECTORS, 0, nullptr, fit));
    axis = MisfitAxis(fit);
    PetscCall(SizeText(search->best.dim, search->best.size, PETSC_FALSE, sizeof(size), size));
    SETERRQ(A->comm, PETSC_ERR_SUP,
            "The sparsity fits a grid of %s points with a stencil of width %" PetscInt_FMT ", and no more than %d is supported: row %" PetscInt_FMT " couples column %" PetscInt_FMT ", %" PetscInt_FMT
            " apart in %c. Give another grid with %s, or take a solver that needs no grid",
            size, width, STRUCTURED_GRID_MAX_WIDTH, fit->row, fit->column, PetscAbsInt(fit->delta[axis]), "xyz"[axis], SIZE_OPTION(hints));
  }
  search->limit   = STRUCTURED_GRID_MAX_WIDTH;
  search->inorder = PETSC_TRUE;
  PetscCall(SearchGrid(A, hints->dof, bs, search));
  fit = &search->nearest_fit;
  if (fit->row < 0) SETERRQ(A->comm, PETSC_ERR_ARG_WRONG, "The sparsity of the matrix does not tell its grid: give it with %s", SIZE_OPTION(hints));
  PetscCall(SizeText(search->nearest.dim, search->nearest.size, PETSC_FALSE, sizeof(size), size));
  PetscCall(CoordinatesText(search->nearest.dim, fit->from, "(", ", ", ")", sizeof(from), from));
  PetscCall(CoordinatesText(search->nearest.dim, fit->to, "(", ", ", ")", sizeof(to), to));
  SETERRQ(A->comm, PETSC_ERR_ARG_WRONG,
          "The matrix is not a stencil of width <= %d on a grid: row %" PetscInt_FMT " couples column %" PetscInt_FMT
          ", which are points %s and %s on the grid of %s points that fits longest. Give the grid with %s if there is one, or take a solver that needs none",
          STRUCTURED_GRID_MAX_WIDTH, fit->row, fit->column, from, to, size, SIZE_OPTION(hints));
}

/* Reads the grid off the sparsity into s, with its measures in fit */
static PetscErrorCode StructuredGridFromSparsity(const Pattern *A, PetscInt bs, const StructuredGridHints *hints, Shape *s, Fit *fit)
{
  char    size[128];
  Search *search;

  PetscFunctionBegin;
  PetscCheck(!hints->dof || A->n % hints->dof == 0, A->comm, PETSC_ERR_ARG_SIZ, "%s %" PetscInt_FMT " does not divide the %" PetscInt_FMT " rows of the matrix", DOF_OPTION(hints), hints->dof, A->n);
  PetscCall(PetscNew(&search));
  PetscCall(SearchByHints(A, hints, bs, search));
  if (search->uncoupled) {
    PetscCall(PetscFree(search));
    SETERRQ(A->comm, PETSC_ERR_ARG_WRONG, "The matrix couples no two grid points, so its sparsity does not tell the grid: give %s nx,ny", SIZE_OPTION(hints));
  }
  if (search->ambiguous) {
    PetscCall(SizeText(search->rival_shape.dim, search->rival_shape.size, PETSC_TRUE, sizeof(size), size));
    PetscCall(PetscFree(search));
    SETERRQ(A->comm, PETSC_ERR_ARG_WRONG, "The sparsity does not tell the grid: with so few points along an axis, %s is only one of several that fit. Give the grid with %s, as in %s %s", size, SIZE_OPTION(hints), SIZE_OPTION(hints), size);
  }
  if (!search->found) {
    const PetscErrorCode ierr = StructuredGridErrorSearch(A, bs, hints, search);

    PetscCall(PetscFree(search));
    PetscCall(ierr);
  }
  *s   = search->best;
  *fit = search->best_fit;
  PetscCall(PetscFree(search));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sizes beyond the dimension may hold anything */
static PetscErrorCode DMDAGetShape(DM da, Shape *s, PetscInt *width, DMBoundaryType boundary[3])
{
  PetscFunctionBegin;
  PetscCall(DMDAGetInfo(da, &s->dim, &s->size[0], &s->size[1], &s->size[2], nullptr, nullptr, nullptr, &s->dof, width, &boundary[0], &boundary[1], &boundary[2], nullptr));
  for (PetscInt a = s->dim; a < 3; a++) s->size[a] = 1;
  for (PetscInt a = 0; a < 3; a++) s->wrap[a] = (PetscBool)(a < s->dim && boundary[a] == DM_BOUNDARY_PERIODIC);
  s->frame = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The DMDA that describes the rows of A, which are dealt to processes as its points are, or NULL */
static PetscErrorCode StructuredGridGetDMDA(Mat A, DM dm, DM *da)
{
  DM          candidates[2] = {nullptr, dm};
  PetscInt    n, local;
  PetscMPIInt size;

  PetscFunctionBegin;
  *da = nullptr;
  PetscCall(MatGetSize(A, &n, nullptr));
  PetscCall(MatGetLocalSize(A, &local, nullptr));
  PetscCallMPI(MPI_Comm_size(PetscObjectComm((PetscObject)A), &size));
  PetscCall(MatGetDM(A, &candidates[0]));
  for (int c = 0; c < 2 && !*da; c++) {
    PetscBool      isda;
    PetscMPIInt    nproc;
    Shape          s;
    PetscInt       width, lo[3], points[3], differs, any;
    DMBoundaryType boundary[3];

    if (!candidates[c]) continue;
    PetscCall(PetscObjectTypeCompare((PetscObject)candidates[c], DMDA, &isda));
    if (!isda) continue;
    PetscCallMPI(MPI_Comm_size(PetscObjectComm((PetscObject)candidates[c]), &nproc));
    if (nproc != size) {
      PetscCall(PetscInfo(A, "The DMDA is ignored: it is spread over %d processes\n", (int)nproc));
      continue;
    }
    PetscCall(DMDAGetShape(candidates[c], &s, &width, boundary));
    if ((PetscInt64)s.size[0] * s.size[1] * s.size[2] * s.dof != n) {
      PetscCall(PetscInfo(A, "The DMDA is ignored: its %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " points with %" PetscInt_FMT " unknowns are not the %" PetscInt_FMT " rows of the matrix\n", s.size[0], s.size[1], s.size[2], s.dof, n));
      continue;
    }
    if (size > 1) {
      PetscCall(DMDAGetCorners(candidates[c], &lo[0], &lo[1], &lo[2], &points[0], &points[1], &points[2]));
      for (PetscInt a = s.dim; a < 3; a++) points[a] = 1;
      differs = points[0] * points[1] * points[2] * s.dof != local;
      CompatCallAllreduce(&differs, &any, 1, MPIU_INT, MPI_MAX, PetscObjectComm((PetscObject)A));
      if (any) {
        PetscCall(PetscInfo(A, "The DMDA is ignored: its points are not dealt to processes as the rows of the matrix are\n"));
        continue;
      }
    }
    *da = candidates[c];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Takes the shape from the hints. The DMDA, if it has the same points, knows which axes are periodic. */
static PetscErrorCode StructuredGridFromHints(MPI_Comm comm, PetscInt n, const StructuredGridHints *hints, Shape *s)
{
  PetscInt points = 1;
  char     size[128];

  PetscFunctionBegin;
  PetscCheck(hints->dim > 0 && hints->dim <= 3, comm, PETSC_ERR_ARG_OUTOFRANGE, "%s takes one to three sizes, not %" PetscInt_FMT, SIZE_OPTION(hints), hints->dim);
  PetscCall(SizeText(hints->dim, hints->size, PETSC_TRUE, sizeof(size), size));
  for (PetscInt a = 0; a < hints->dim; a++) {
    PetscCheck(hints->size[a] > 0, comm, PETSC_ERR_ARG_OUTOFRANGE, "%s %s: there must be at least one point along each axis", SIZE_OPTION(hints), size);
    /* Division instead of multiplication, because the product of wrong sizes may overflow */
    PetscCheck(hints->size[a] <= n / points, comm, PETSC_ERR_ARG_SIZ, "%s %s has more points than the matrix has rows, which is %" PetscInt_FMT, SIZE_OPTION(hints), size, n);
    points *= hints->size[a];
    s->size[a] = hints->size[a];
  }
  s->dim = hints->dim;
  s->dof = hints->dof ? hints->dof : n / points;
  PetscCheck(s->dof <= n / points && s->dof * points == n, comm, PETSC_ERR_ARG_SIZ, "%s %s has %" PetscInt_FMT " points, which with %" PetscInt_FMT " unknown%s each are not the %" PetscInt_FMT " rows of the matrix: %s%s%s", SIZE_OPTION(hints), size,
             points, s->dof, s->dof == 1 ? "" : "s", n, n % points ? "give sizes whose product divides the rows" : "leave ", n % points ? "" : DOF_OPTION(hints), n % points ? "" : " away");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode StructuredGridFromDMDA(DM da, const StructuredGridHints *hints, Shape *s, PetscInt *bound)
{
  DMBoundaryType boundary[3];

  PetscFunctionBegin;
  PetscCall(DMDAGetShape(da, s, bound, boundary));
  PetscCheck(!hints->dof || hints->dof == s->dof, PetscObjectComm((PetscObject)da), PETSC_ERR_ARG_INCOMP, "%s is %" PetscInt_FMT " unknowns per point, but the matrix's DMDA has %" PetscInt_FMT ": leave the option away", DOF_OPTION(hints), hints->dof,
             s->dof);
  for (PetscInt a = 0; a < s->dim; a++) {
    PetscCheck(boundary[a] == DM_BOUNDARY_NONE || boundary[a] == DM_BOUNDARY_GHOSTED || boundary[a] == DM_BOUNDARY_PERIODIC, PetscObjectComm((PetscObject)da), PETSC_ERR_SUP,
               "The DMDA's boundary type in %c is %s; none, ghosted and periodic are supported. Give the grid with %s to go by the matrix alone", "xyz"[a], DMBoundaryTypes[boundary[a]], SIZE_OPTION(hints));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode StructuredGridFromPattern(Mat mat, const Pattern *A, DM da, const StructuredGridHints *hints, StructuredGrid *grid)
{
  Shape    s     = {0, {1, 1, 1}, 1, {PETSC_FALSE, PETSC_FALSE, PETSC_FALSE}, (PetscBool)(hints->topology == STRUCTURED_GRID_OCTAHEDRAL)};
  PetscInt bound = STRUCTURED_GRID_MAX_WIDTH, bs;
  Fit      fit;

  PetscFunctionBegin;
  fit.coupled = nullptr;
  PetscCheck(hints->dof >= 0, A->comm, PETSC_ERR_ARG_OUTOFRANGE, "%s %" PetscInt_FMT ": there must be at least one unknown per point", DOF_OPTION(hints), hints->dof);
  PetscCall(MatGetBlockSize(mat, &bs));
  if (hints->dim) {
    PetscCall(StructuredGridFromHints(A->comm, A->n, hints, &s));
    grid->origin = "options";
    if (da && !hints->nperiodic) {
      Shape          known;
      PetscInt       width;
      DMBoundaryType boundary[3];

      PetscCall(DMDAGetShape(da, &known, &width, boundary));
      if (known.size[0] == s.size[0] && known.size[1] == s.size[1] && known.size[2] == s.size[2]) {
        for (int a = 0; a < 3; a++) s.wrap[a] = known.wrap[a];
      }
    }
  } else if (da) {
    PetscCall(StructuredGridFromDMDA(da, hints, &s, &bound));
    s.frame      = (PetscBool)(hints->topology == STRUCTURED_GRID_OCTAHEDRAL);
    bound        = PetscMin(bound, STRUCTURED_GRID_MAX_WIDTH);
    grid->origin = "DMDA";
  } else {
    PetscCall(StructuredGridFromSparsity(A, bs, hints, &s, &fit));
    grid->origin = "sparsity";
  }
  if (hints->nperiodic) {
    PetscCheck(hints->nperiodic <= s.dim, A->comm, PETSC_ERR_ARG_OUTOFRANGE, "%s is given for %" PetscInt_FMT " axes, but the grid has %" PetscInt_FMT, PERIODIC_OPTION(hints), hints->nperiodic, s.dim);
    for (PetscInt a = 0; a < 3; a++) s.wrap[a] = (PetscBool)(a < hints->nperiodic && hints->periodic[a]);
  }
  if (s.frame) {
    PetscCheck(s.dim == 2, A->comm, PETSC_ERR_ARG_INCOMP, "An octahedral grid has two dimensions, not %" PetscInt_FMT ": give %s nx,ny", s.dim, SIZE_OPTION(hints));
    PetscCheck(!s.wrap[0] && !s.wrap[1], A->comm, PETSC_ERR_ARG_INCOMP, "An octahedral grid is not periodic: its frame is closed already. Give %s 0,0", PERIODIC_OPTION(hints));
  }
  if (hints->width > 0) bound = PetscMin(bound, hints->width);
  if (!hints->dim && !da) {
    /* The search has fitted it already, with no bound but its own */
    if (fit.width > bound) PetscCall(FitShape(A, &s, bound, MOST_VECTORS, 0, nullptr, &fit));
  } else
    PetscCall(FitShape(A, &s, bound, MOST_VECTORS, 0, nullptr, &fit));
  if (!fit.ok) PetscCall(StructuredGridErrorNamed(A, &s, &fit, bound, grid->origin, bs, hints));

  grid->dim      = s.dim;
  grid->dof      = s.dof;
  grid->width    = PetscMax(fit.width, 1);
  grid->star     = fit.star;
  grid->topology = hints->topology;
  for (int a = 0; a < 3; a++) {
    grid->size[a]     = s.size[a];
    grid->periodic[a] = fit.wraps[a];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether the rows are numbered as the DMDA numbers them: without other sizes in the hints */
static PetscErrorCode StructuredGridKeepsDMDA(DM da, const StructuredGridHints *hints, PetscBool *keeps)
{
  Shape          s;
  PetscInt       width;
  DMBoundaryType boundary[3];

  PetscFunctionBegin;
  *keeps = (PetscBool)(da != nullptr);
  if (!da || !hints->dim) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(DMDAGetShape(da, &s, &width, boundary));
  for (PetscInt a = 0; a < 3; a++) *keeps = (PetscBool)(*keeps && (a < hints->dim ? hints->size[a] : 1) == s.size[a]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  StructuredGridGetNumbering - How the rows of a distributed matrix, whose grid StructuredGridDetermine() finds, are numbered

  Collective

  Input Parameters:
+ A     - the matrix
. dm    - as for StructuredGridDetermine()
- hints - as for StructuredGridDetermine()

  Output Parameter:
. numbering - to be given to StructuredGridNumberingDestroy()
*/
PetscErrorCode StructuredGridGetNumbering(Mat A, DM dm, const StructuredGridHints *hints, StructuredGridNumbering *numbering)
{
  DM        da;
  PetscBool keeps;

  PetscFunctionBegin;
  PetscCall(StructuredGridGetDMDA(A, dm, &da));
  PetscCall(StructuredGridKeepsDMDA(da, hints, &keeps));
  PetscCall(StructuredGridNumberingCreate(A, keeps ? da : nullptr, numbering));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The rows of this process with natural columns, ascending, and the runs that they form. Nothing of the size of the whole matrix is made. */
static PetscErrorCode PatternOfDistributed(Mat A, const StructuredGridNumbering *numbering, Pattern *pattern, PetscInt **i, PetscInt **j, PatternRun **run)
{
  Mat             block[2];
  const PetscInt *columns, *ia[2], *ja[2];
  PetscInt        n, first, ncolumns, *natural, *own;
  PetscBool       done[2];
  PetscMPIInt     rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(pattern->comm, &rank));
  PetscCall(MatGetOwnershipRange(A, &first, nullptr));
  PetscCall(MatMPIAIJGetSeqAIJ(A, &block[0], &block[1], &columns));
  for (int k = 0; k < 2; k++) {
    PetscCall(MatGetRowIJ(block[k], 0, PETSC_FALSE, PETSC_FALSE, &n, &ia[k], &ja[k], &done[k]));
    PetscCheck(done[k], PETSC_COMM_SELF, PETSC_ERR_SUP, "The matrix does not give its rows: use -mat_type aij");
  }
  PetscCall(MatGetSize(block[1], nullptr, &ncolumns));
  PetscCall(PetscMalloc2(ncolumns, &natural, n, &own));
  for (PetscInt k = 0; k < n; k++) own[k] = StructuredGridNumberingNatural(numbering, pattern->size, first + k);
  for (PetscInt k = 0; k < ncolumns; k++) natural[k] = StructuredGridNumberingNatural(numbering, pattern->size, columns[k]);
  PetscCall(PetscMalloc2(n + 1, i, ia[0][n] + ia[1][n], j));
  (*i)[0] = 0;
  for (PetscInt row = 0; row < n; row++) {
    PetscInt *to = *j + (*i)[row];

    for (PetscInt k = ia[0][row]; k < ia[0][row + 1]; k++) *to++ = own[ja[0][k]];
    for (PetscInt k = ia[1][row]; k < ia[1][row + 1]; k++) *to++ = natural[ja[1][k]];
    (*i)[row + 1] = (PetscInt)(to - *j);
    if (!std::is_sorted(*j + (*i)[row], to)) std::sort(*j + (*i)[row], to);
  }
  PetscCall(PetscFree2(natural, own));
  for (int k = 0; k < 2; k++) PetscCall(MatRestoreRowIJ(block[k], 0, PETSC_FALSE, PETSC_FALSE, &n, &ia[k], &ja[k], &done[k]));
  PetscCall(MatGetLocalSize(A, &n, nullptr));
  pattern->nrun = 1;
  if (numbering->boxes) {
    PetscInt lo[3], hi[3];

    StructuredGridNumberingBox(numbering, rank, lo, hi);
    pattern->nrun = (hi[1] - lo[1]) * (hi[2] - lo[2]);
    PetscCall(PetscMalloc1(pattern->nrun, run));
    for (PetscInt k = 0; k < pattern->nrun; k++) {
      const PetscInt y = lo[1] + k % (hi[1] - lo[1]), z = lo[2] + k / (hi[1] - lo[1]), width = hi[0] - lo[0], dof = numbering->dof;

      (*run)[k] = {dof * (lo[0] + numbering->size[0] * (y + numbering->size[1] * z)), dof * width, dof * width * k};
    }
  } else {
    PetscCall(PetscMalloc1(1, run));
    (*run)[0] = {first, n, 0};
  }
  pattern->i   = *i;
  pattern->j   = *j;
  pattern->run = *run;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  StructuredGridDetermine - Finds the grid that the rows of a matrix live on, and checks every entry against it

  Collective

  Input Parameters:
+ A     - an assembled square matrix of type seqaij, mpiaij, or a type derived from them. Rows are in natural order, or as the DMDA deals them to processes.
. dm    - a DMDA that is asked if A has none itself, or NULL
- hints - what is known of the grid; it comes before any DMDA, and a DMDA before the sparsity

  Output Parameter:
. grid - the grid, with the width, star and periodicity that the pattern of A needs

  Note:
  Rows and columns in error texts are natural numbers.
*/
PetscErrorCode StructuredGridDetermine(Mat A, DM dm, const StructuredGridHints *hints, StructuredGrid *grid)
{
  MPI_Comm                comm = PetscObjectComm((PetscObject)A);
  PetscInt                m, n, *i = nullptr, *j = nullptr;
  PetscBool               seqaij, mpiaij, assembled, done, keeps;
  DM                      da;
  Pattern                 pattern;
  PatternRun              whole, *run = nullptr;
  StructuredGridNumbering numbering;
  PetscErrorCode          ierr;

  PetscFunctionBegin;
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)A, MATSEQAIJ, &seqaij));
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)A, MATMPIAIJ, &mpiaij));
  if (!seqaij && !mpiaij) {
    MatType type;

    PetscCall(MatGetType(A, &type));
    SETERRQ(comm, PETSC_ERR_SUP, "The grid of a matrix of type %s cannot be determined: use -mat_type aij", type ? type : "that is not set");
  }
  PetscCall(MatGetSize(A, &m, &n));
  PetscCheck(m == n, comm, PETSC_ERR_ARG_SIZ, "A matrix of %" PetscInt_FMT " rows and %" PetscInt_FMT " columns lives on no grid: it must be square", m, n);
  PetscCheck(m > 0, comm, PETSC_ERR_ARG_SIZ, "A matrix without rows lives on no grid: set its sizes");
  PetscCall(MatAssembled(A, &assembled));
  PetscCheck(assembled, comm, PETSC_ERR_ARG_WRONGSTATE, "The matrix is not assembled: call MatAssemblyBegin() and MatAssemblyEnd() first");
  PetscCall(StructuredGridGetDMDA(A, dm, &da));
  pattern.comm = comm;
  pattern.n    = m;
  PetscCallMPI(MPI_Comm_size(comm, &pattern.size));
  if (mpiaij) {
    PetscCall(StructuredGridKeepsDMDA(da, hints, &keeps));
    PetscCall(StructuredGridNumberingCreate(A, keeps ? da : nullptr, &numbering));
    PetscCall(PatternOfDistributed(A, &numbering, &pattern, &i, &j, &run));
    PetscCall(StructuredGridNumberingDestroy(&numbering));
  } else {
    PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &pattern.i, &pattern.j, &done));
    PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "The matrix does not give its rows: use -mat_type aij");
    whole        = {0, m, 0};
    pattern.nrun = 1;
    pattern.run  = &whole;
  }
  ierr = StructuredGridFromPattern(A, &pattern, da, hints, grid);
  if (mpiaij) {
    PetscCall(PetscFree2(i, j));
    PetscCall(PetscFree(run));
  } else
    PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &pattern.i, &pattern.j, &done));
  PetscCall(ierr);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Prints the grid in one line, to ASCII viewers only */
PetscErrorCode StructuredGridView(const StructuredGrid *grid, PetscViewer viewer)
{
  PetscBool ascii;
  char      size[128];

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SizeText(grid->dim, grid->size, PETSC_FALSE, sizeof(size), size));
  PetscCall(PetscViewerASCIIPrintf(viewer, "grid from %s: %s points, %" PetscInt_FMT " unknown%s each, %s stencil of width %" PetscInt_FMT "%s%s%s%s%s\n", grid->origin, size, grid->dof, grid->dof > 1 ? "s" : "", grid->star ? "star" : "box",
                                   grid->width, grid->periodic[0] || grid->periodic[1] || grid->periodic[2] ? ", periodic in " : "", grid->periodic[0] ? "x" : "", grid->periodic[1] ? "y" : "", grid->periodic[2] ? "z" : "",
                                   grid->topology == STRUCTURED_GRID_OCTAHEDRAL ? ", octahedral" : ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}
