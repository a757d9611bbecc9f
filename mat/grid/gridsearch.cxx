/*
  Finds the grid of a matrix in natural order from its sparsity.
*/
#include "mat/grid/gridsearch.h"
#include "mat/compat/petscversion.h"
#include <algorithm>

/* Fewer vectors are the simpler explanation of the pattern. Of grids that are as simple the one with the shortest longest axis is nearest to a square or a cube. */
bool FitIsBetter(const Fit *a, const Shape *s, const Fit *b, const Shape *t)
{
  if (a->nvectors != b->nvectors) return a->nvectors < b->nvectors;
  if (a->width != b->width) return a->width < b->width;
  if (a->star != b->star) return a->star;
  if (s->dim != t->dim) return s->dim < t->dim;
  return PetscMax(s->size[0], PetscMax(s->size[1], s->size[2])) < PetscMax(t->size[0], PetscMax(t->size[1], t->size[2]));
}

/*
  How far a fit proves the grid. On an axis as short as the stencil anything fits. One that is longer by a point can be an axis of a smaller
  grid, folded. And on a periodic grid no vector is special to the ends of the axes, as it is where a line is wound up like a thread.
*/
ShapeEvidence ShapeTold(const Shape *s, const Fit *fit, PetscInt limit)
{
  const PetscInt side = 2 * limit + 1;
  ShapeEvidence  told = SHAPE_TOLD;

  for (PetscInt a = 0; a < s->dim; a++) {
    if (fit->wraps[a] ? s->size[a] <= 2 * fit->width + 1 : s->dim > 1 && s->size[a] <= fit->width + (s->frame ? 2 : 0)) return SHAPE_FORCED;
    if (a < s->dim - 1 && s->size[a] <= fit->width + 1) told = SHAPE_FOLDED;
  }
  for (PetscInt v = 0; v < side * side * side; v++) {
    if (fit->seen[v] == SEEN_AROUND) return SHAPE_FORCED;
  }
  return told;
}
/* What a guess has to fit. Two points along an axis, not the last, are a fold whatever the width. */
static PetscInt SearchLimit(const Search *search, PetscInt dim, const PetscInt size[3])
{
  const bool pair = !search->loose && dim > 1 && (size[0] <= 2 || (dim > 2 && size[1] <= 2));

  return pair && !search->line ? -1 : pair ? 1 : search->limit;
}

static Shape SearchShape(const Search *search, PetscInt dof, PetscInt dim, const PetscInt size[3])
{
  Shape s = {dim, {size[0], size[1], size[2]}, dof, {PETSC_FALSE, PETSC_FALSE, PETSC_FALSE}, search->frame};

  for (PetscInt a = 0; a < dim; a++) s.wrap[a] = search->wrap[a];
  return s;
}

/* The latest row that refused comes first, from its old place or from the end */
static void SearchRefused(PetscInt row, Search *search)
{
  PetscInt place = 0;

  while (place < search->nrefusers && search->refusers[place] != row) place++;
  if (place == search->nrefusers && place < NREFUSERS) search->nrefusers++;
  for (PetscInt r = PetscMin(place, NREFUSERS - 1); r > 0; r--) search->refusers[r] = search->refusers[r - 1];
  search->refusers[0] = row;
}

static PetscErrorCode SearchConsider(const Pattern *A, PetscInt dof, PetscInt dim, PetscInt nx, PetscInt ny, PetscInt nz, Search *search)
{
  const PetscInt size[3] = {nx, ny, nz}, limit = SearchLimit(search, dim, size);
  const Shape    s   = SearchShape(search, dof, dim, size);
  Fit           *fit = &search->fit;
  ShapeEvidence  told;

  PetscFunctionBegin;
  if (limit < 0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(FitShape(A, &s, limit, search->found ? search->best_fit.nvectors : MOST_VECTORS, search->inorder ? 0 : search->nrefusers, search->refusers, fit));
  if (!fit->ok) {
    if (fit->row < 0) PetscFunctionReturn(PETSC_SUCCESS);
    if (search->inorder && fit->row > search->nearest_fit.row) {
      search->nearest     = s;
      search->nearest_fit = *fit;
    }
    SearchRefused(fit->row, search);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  told = ShapeTold(&s, fit, limit);
  /* A large matrix with few entries is of no use on a grid with many couplings */
  if (search->loose && (A->n <= MOST_DENSE || fit->nvectors * dof <= MOST_FILL * A->entries)) told = SHAPE_TOLD;
  if (told == SHAPE_FORCED) PetscFunctionReturn(PETSC_SUCCESS);
  if (told == SHAPE_FOLDED) {
    if (!search->line || fit->width > 1 || (search->rival && !FitIsBetter(fit, &s, &search->rival_fit, &search->rival_shape))) PetscFunctionReturn(PETSC_SUCCESS);
    search->rival       = PETSC_TRUE;
    search->rival_shape = s;
    search->rival_fit   = *fit;
  } else {
    if (search->found && !FitIsBetter(fit, &s, &search->best_fit, &search->best)) PetscFunctionReturn(PETSC_SUCCESS);
    search->found    = PETSC_TRUE;
    search->best     = s;
    search->best_fit = *fit;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sizes of a grid */
struct Guess {
  PetscInt size[3];
};

/*
  Considers guesses one after the other. Many processes would have to agree on each, so all try all of them first, as far as they can alone, and
  agree on what is left; and, for the error text, on the guess that went furthest.
*/
static PetscErrorCode SearchGuesses(const Pattern *A, PetscInt dof, PetscInt dim, const std::vector<Guess> &guesses, Search *search)
{
  std::vector<PetscInt> misfit(guesses.size(), PETSC_MAX_INT);
  size_t                furthest = 0;

  PetscFunctionBegin;
  if (A->size > 1 && !guesses.empty()) {
    const PetscInt shared = search->nrefusers;
    PetscInt       refusers[NREFUSERS];

    for (PetscInt r = 0; r < NREFUSERS; r++) refusers[r] = search->refusers[r];
    for (size_t k = 0; k < guesses.size(); k++) {
      const PetscInt limit = SearchLimit(search, dim, guesses[k].size);
      const Shape    s     = SearchShape(search, dof, dim, guesses[k].size);

      if (limit < 0) continue;
      FitShapeLocal(A, &s, limit, MOST_VECTORS, search->inorder ? 0 : search->nrefusers, search->refusers, &search->fit);
      if (search->fit.ok) continue;
      misfit[k] = search->fit.row;
      SearchRefused(misfit[k], search);
    }
    search->nrefusers = shared;
    for (PetscInt r = 0; r < NREFUSERS; r++) search->refusers[r] = refusers[r];
    CompatCallAllreduce(MPI_IN_PLACE, misfit.data(), (PetscMPIInt)misfit.size(), MPIU_INT, MPI_MIN, A->comm);
    for (size_t k = 0; k < misfit.size(); k++) {
      if (misfit[k] < PETSC_MAX_INT && (misfit[furthest] == PETSC_MAX_INT || misfit[k] > misfit[furthest])) furthest = k;
    }
  }
  for (size_t k = 0; k < guesses.size(); k++) {
    if (misfit[k] == PETSC_MAX_INT || (search->inorder && k == furthest)) PetscCall(SearchConsider(A, dof, dim, guesses[k].size[0], guesses[k].size[1], guesses[k].size[2], search));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

std::vector<PetscInt> Divisors(PetscInt n)
{
  std::vector<PetscInt> low, high;

  for (PetscInt d = 1; d <= n / d; d++) {
    if (n % d) continue;
    low.push_back(d);
    if (d != n / d) high.push_back(n / d);
  }
  low.insert(low.end(), high.rbegin(), high.rend());
  return low;
}

/* Finds the best of all grids with dof unknowns per point; line: also those of one dimension */
static PetscErrorCode SearchDof(const Pattern *A, PetscInt dof, PetscBool line, Search *search)
{
  const PetscInt     n = A->n / dof;
  std::vector<Guess> guesses;

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
  const std::vector<PetscInt> divisors = Divisors(n);

  for (size_t k = 1; k + 1 < divisors.size(); k++) guesses.push_back({{divisors[k], n / divisors[k], 1}});
  PetscCall(SearchGuesses(A, dof, 2, guesses, search));
  /* What fits a plane with a stencil of width 1 fits no box with fewer vectors */
  if (search->frame || (search->found && search->best_fit.width <= 1)) PetscFunctionReturn(PETSC_SUCCESS);
  guesses.clear();
  for (size_t k = 1; k + 1 < divisors.size(); k++) {
    const PetscInt rest = n / divisors[k];

    for (size_t l = 1; l + 1 < divisors.size() && divisors[l] < rest; l++) {
      if (rest % divisors[l] == 0) guesses.push_back({{divisors[k], divisors[l], rest / divisors[l]}});
    }
  }
  PetscCall(SearchGuesses(A, dof, 3, guesses, search));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether the grid that may be a fold explains the pattern better than what was found */
static bool RivalWins(const Search *s)
{
  return s->rival && (!s->found || FitIsBetter(&s->rival_fit, &s->rival_shape, &s->best_fit, &s->best));
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
    const Fit       fit   = search->rival_fit;

    for (int a = 0; a < 3; a++) search->wrap[a] = search->periodic[a];
    PetscCall(SearchDof(A, dof, line, search));
    if (rival && !(search->rival && FitIsBetter(&search->rival_fit, &search->rival_shape, &fit, &shape))) {
      search->rival       = PETSC_TRUE;
      search->rival_shape = shape;
      search->rival_fit   = fit;
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
PetscErrorCode SearchGrid(const Pattern *A, PetscInt dof, PetscInt bs, Search *search)
{
  PetscFunctionBegin;
  search->uncoupled = search->ambiguous = search->loose = PETSC_FALSE;
  search->nrefusers                                     = 0;
  search->nearest_fit.row                               = -1;
  if (!dof && bs == 1 && !search->frame) {
    PetscInt period;

    PetscCall(PatternPeriod(A, &period));
    /* A sample of irregular rows can show a multiple of the period */
    for (PetscInt d = 2; d <= period; d++) {
      if (period % d) continue;
      PetscCall(SearchPlainThenPeriodic(A, d, PETSC_FALSE, search));
      if (search->found && search->best_fit.width <= 1) PetscFunctionReturn(PETSC_SUCCESS);
    }
  }
  PetscCall(SearchPlainThenPeriodic(A, dof ? dof : bs, PETSC_TRUE, search));
  if (dof || search->uncoupled || search->frame || (search->found && (search->best.dim == 1 || search->best_fit.width <= 1)))
    search->ambiguous = (PetscBool)RivalWins(search);
  else
    PetscCall(SearchOtherDofs(A, bs, search));
  if (search->ambiguous) {
    search->found    = PETSC_TRUE;
    search->best     = search->rival_shape;
    search->best_fit = search->rival_fit;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The best of all grids that contain the sparsity, whatever they prove: small ones, and those with couplings that only the ends of their axes have */
PetscErrorCode SearchAnyGrid(const Pattern *A, PetscInt dof, PetscInt bs, Search *search)
{
  PetscInt least = PETSC_MAX_INT, row;
  Search  *guess;

  PetscFunctionBegin;
  PetscCall(PetscNew(&guess));
  *guess           = *search;
  guess->loose     = PETSC_TRUE;
  guess->uncoupled = guess->ambiguous = PETSC_FALSE;
  guess->nrefusers                    = 0;
  for (PetscInt g = 0; g <= DOF_GUESSES; g++) {
    const PetscInt d = g ? g : dof ? dof : bs;

    if (g && (dof || g == bs || A->n % g)) continue;
    for (int periodic = 0; periodic < 2; periodic++) {
      if (periodic && !guess->periodic[0] && !guess->periodic[1] && !guess->periodic[2]) continue;
      for (int a = 0; a < 3; a++) guess->wrap[a] = (PetscBool)(periodic && guess->periodic[a]);
      PetscCall(SearchDof(A, d, PETSC_TRUE, guess));
      if (!guess->found) continue;
      PetscCall(CouplingsOfShape(A, &guess->best, guess->best_fit.width, &guess->fit, &row));
      /* Of one row */
      row = row / d + (row % d != 0);
      if (search->found && row >= least) continue;
      least            = row;
      search->found    = PETSC_TRUE;
      search->best     = guess->best;
      search->best_fit = guess->best_fit;
    }
  }
  PetscCall(PetscFree(guess));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The limits that the hints set to a search */
void SearchSetHints(const StructuredGridHints *hints, Search *search)
{
  search->inorder = PETSC_FALSE;
  search->limit   = STRUCTURED_GRID_MAX_WIDTH;
  search->frame   = (PetscBool)(hints->topology == STRUCTURED_GRID_OCTAHEDRAL);
  for (PetscInt a = 0; a < 3; a++) search->periodic[a] = (PetscBool)(!search->frame && (!hints->nperiodic || (a < hints->nperiodic && hints->periodic[a])));
}
