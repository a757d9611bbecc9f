/*
  Finds the structured grid of a matrix: from options, from its DMDA, or from its sparsity. Whatever the source, every entry is checked.
*/
#include "mat/grid/structuredgrid.h"
#include "mat/grid/gridsearch.h"
#include "mat/compat/petscversion.h"
#include <petscdm.h>
#include <petscdmda.h>
#include <petscviewer.h>

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
  SearchSetHints(hints, search);
  PetscCall(SearchGrid(A, hints->dof, bs, search));
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
  SETERRQ(A->comm, PETSC_ERR_ARG_INCOMP, "%s: not a stencil of width <= %d. Give the right grid with %s, with %s where axes close, or take a solver that needs no grid", what, STRUCTURED_GRID_MAX_WIDTH, SIZE_OPTION(hints), PERIODIC_OPTION(hints));
}

/* Says why no grid was found in the sparsity. Always an error. */
static PetscErrorCode StructuredGridErrorSearch(const Pattern *A, PetscInt bs, const StructuredGridHints *hints, Search *search)
{
  char      size[128], from[128], to[128], option[256], unknowns[64] = "";
  Fit      *fit    = &search->fit;
  PetscBool narrow = PETSC_FALSE;

  PetscFunctionBegin;
  if (hints->dof || hints->nperiodic) {
    StructuredGridHints fewer = *hints;

    fewer.dof = fewer.nperiodic = 0;
    SearchSetHints(&fewer, search);
    PetscCall(SearchGrid(A, 0, bs, search));
    if (!search->found) PetscCall(SearchAnyGrid(A, 0, bs, search));
    if (search->found) {
      PetscCall(OptionsText(&search->best, &search->best_fit, hints, sizeof(option), option));
      SETERRQ(A->comm, PETSC_ERR_ARG_INCOMP, "No grid fits the sparsity with what is given for it by %s%s%s: give %s", hints->dof ? DOF_OPTION(hints) : "", hints->dof && hints->nperiodic ? " and " : "", hints->nperiodic ? PERIODIC_OPTION(hints) : "",
              option);
    }
  }
  SearchSetHints(hints, search);
  for (int a = 0; a < 3; a++) search->periodic[a] = PETSC_FALSE;
  search->limit = WIDEST;
  PetscCall(SearchGrid(A, hints->dof, bs, search));
  /* Stencils as wide as half of the grid fit almost anything */
  for (PetscInt a = 0; a < search->best.dim && search->found; a++) narrow = (PetscBool)(narrow || search->best.size[a] <= 2 * search->best_fit.width);
  if (search->found && !search->ambiguous && !narrow) {
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
  SearchSetHints(hints, search);
  search->inorder = PETSC_TRUE;
  PetscCall(SearchGrid(A, hints->dof, bs, search));
  fit = &search->nearest_fit;
  PetscCheck(fit->row >= 0, A->comm, PETSC_ERR_ARG_WRONG, "The sparsity of the matrix does not tell its grid: give it with %s", SIZE_OPTION(hints));
  PetscCall(SizeText(search->nearest.dim, search->nearest.size, PETSC_FALSE, sizeof(size), size));
  if (search->nearest.dof > 1) PetscCall(PetscSNPrintf(unknowns, sizeof(unknowns), " with %" PetscInt_FMT " unknowns each", search->nearest.dof));
  PetscCall(CoordinatesText(search->nearest.dim, fit->from, "(", ", ", ")", sizeof(from), from));
  PetscCall(CoordinatesText(search->nearest.dim, fit->to, "(", ", ", ")", sizeof(to), to));
  SETERRQ(A->comm, PETSC_ERR_ARG_WRONG,
          "The matrix is not a stencil of width <= %d on a grid: row %" PetscInt_FMT " couples column %" PetscInt_FMT
          ", which are points %s and %s on the grid of %s points%s%s that fits longest. Give the grid with %s, with %s where a point has several unknowns and %s where axes close, if there is one, or take a solver that needs none",
          STRUCTURED_GRID_MAX_WIDTH, fit->row, fit->column, from, to, size, unknowns, search->nearest.wrap[0] || search->nearest.wrap[1] || search->nearest.wrap[2] ? ", periodic," : "", SIZE_OPTION(hints), DOF_OPTION(hints), PERIODIC_OPTION(hints));
}

/* What is looked at while the grid of a matrix is found */
typedef struct {
  OwnPattern                *raw;     /* as the rows are numbered */
  const Pattern             *natural; /* in the order that options, DMDA or nothing tells */
  PetscInt                   bs;
  const StructuredGridHints *hints;
  PetscBool                  search;    /* the rows may be numbered in boxes that nothing tells */
  PetscBool                  permuted;  /* such a numbering can be dealt with */
  StructuredGridNumbering   *numbering; /* becomes one of boxes where they are found */
} Quest;

/* Looks for boxes. All the same, the caller may want no other order than the natural one: always an error where boxes are found then. */
static PetscErrorCode StructuredGridFromBoxes(Quest *q, Search *boxes)
{
  StructuredGridNumbering found = {};
  char                    size[128], count[128];

  PetscFunctionBegin;
  SearchSetHints(q->hints, boxes);
  boxes->found = PETSC_FALSE;
  if (!q->search || boxes->frame) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SearchBoxes(q->raw, q->numbering->range, q->bs, q->hints, boxes, q->permuted ? q->numbering : &found));
  if (!boxes->found || q->permuted) PetscFunctionReturn(PETSC_SUCCESS);
  if (boxes->told != SHAPE_TOLD) {
    boxes->found = PETSC_FALSE;
    PetscCall(StructuredGridNumberingDestroy(&found));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(SizeText(boxes->best.dim, boxes->best.size, PETSC_FALSE, sizeof(size), size));
  PetscCall(SizeText(boxes->best.dim, found.nbox, PETSC_FALSE, sizeof(count), count));
  PetscCall(StructuredGridNumberingDestroy(&found));
  SETERRQ(q->natural->comm, PETSC_ERR_SUP, "The rows are not in natural order: they are numbered as a DMDA of %s points on %s processes numbers them. Permute the matrix to natural order", size, count);
}

/* Reads the grid off the sparsity into s, with its measures in fit */
static PetscErrorCode StructuredGridFromSparsity(Quest *q, Shape *s, Fit *fit)
{
  const StructuredGridHints *hints = q->hints;
  const Pattern             *A     = q->natural;
  Search                    *search, *boxes;
  PetscBool                  doubtful;
  PetscErrorCode             ierr = PETSC_SUCCESS;

  PetscFunctionBegin;
  PetscCheck(!hints->dof || A->n % hints->dof == 0, A->comm, PETSC_ERR_ARG_SIZ, "%s %" PetscInt_FMT " does not divide the %" PetscInt_FMT " rows of the matrix", DOF_OPTION(hints), hints->dof, A->n);
  PetscCall(PetscNew(&search));
  PetscCall(PetscNew(&boxes));
  SearchSetHints(hints, search);
  PetscCall(SearchGrid(A, hints->dof, q->bs, search));
  /* What proves little in natural order, or lumps points together, may be a plain grid in boxes */
  doubtful = (PetscBool)(!search->found || search->ambiguous || search->best_fit.nvectors * search->best.dof > 2 * A->entries);
  if (doubtful && q->permuted) PetscCall(StructuredGridFromBoxes(q, boxes));
  doubtful = (PetscBool)(doubtful && !(search->found && search->best_fit.nvectors * search->best.dof <= boxes->best_fit.nvectors * boxes->best.dof));
  if (boxes->found && doubtful && (boxes->told == SHAPE_TOLD || (boxes->told == SHAPE_FOLDED && !search->found))) {
    *search = *boxes;
  } else {
    if (!search->found) PetscCall(SearchAnyGrid(A, hints->dof, q->bs, search));
    if (!search->found && boxes->found) {
      *search = *boxes;
    } else {
      boxes->found = PETSC_FALSE;
      if (!search->found && !q->permuted) ierr = StructuredGridFromBoxes(q, boxes);
      if (!ierr && !search->found) ierr = StructuredGridErrorSearch(A, q->bs, hints, search);
    }
  }
  if (!boxes->found) PetscCall(StructuredGridNumberingClearBoxes(q->numbering));
  *s   = search->best;
  *fit = search->best_fit;
  PetscCall(PetscFree(boxes));
  PetscCall(PetscFree(search));
  PetscCall(ierr);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Fits the matrix to the grid that options or a DMDA name. Where they do not tell what axes are periodic, the matrix does; and so it does for the boxes. */
static PetscErrorCode StructuredGridFromShape(Quest *q, PetscInt bound, PetscBool given, Shape *s, Fit *fit)
{
  const Pattern *A     = q->natural;
  Shape          other = *s;
  Fit           *around;
  PetscBool      wide = PETSC_FALSE; /* a wider stencil fits than is allowed, and that is all */

  PetscFunctionBegin;
  PetscCall(FitShape(A, s, bound, MOST_VECTORS, 0, nullptr, fit));
  if (fit->ok || !given) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscNew(&around));
  if (bound < STRUCTURED_GRID_MAX_WIDTH) {
    PetscCall(FitShape(A, s, STRUCTURED_GRID_MAX_WIDTH, MOST_VECTORS, 0, nullptr, around));
    wide = around->ok;
  }
  if (!wide && !s->frame && !q->hints->nperiodic) {
    for (PetscInt a = 0; a < s->dim; a++) other.wrap[a] = PETSC_TRUE;
    PetscCall(FitShape(A, &other, bound, MOST_VECTORS, 0, nullptr, around));
    if (around->ok) {
      *s   = other;
      *fit = *around;
    }
  }
  PetscCall(PetscFree(around));
  /* What fits around the ends of short axes alone proves little, and boxes may prove more */
  if (!wide && (!fit->ok || (q->permuted && ShapeTold(s, fit, bound) != SHAPE_TOLD))) {
    Search        *boxes;
    PetscErrorCode ierr = PETSC_SUCCESS;

    PetscCall(PetscNew(&boxes));
    /* A grid in natural order is the better advice to those who want no other order */
    SearchSetHints(q->hints, boxes);
    if (!q->permuted) PetscCall(SearchGrid(A, q->hints->dof, q->bs, boxes));
    if (boxes->found && !boxes->ambiguous)
      boxes->found = PETSC_FALSE;
    else
      ierr = StructuredGridFromBoxes(q, boxes);
    if (!ierr && boxes->found && (!fit->ok || boxes->told == SHAPE_TOLD)) {
      *s   = boxes->best;
      *fit = boxes->best_fit;
    } else
      PetscCall(StructuredGridNumberingClearBoxes(q->numbering));
    PetscCall(PetscFree(boxes));
    PetscCall(ierr);
  }
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
    PetscCheck(boundary[a] != DM_BOUNDARY_TWIST, PetscObjectComm((PetscObject)da), PETSC_ERR_SUP, "The DMDA's boundary type in %c is TWIST; none, ghosted, mirror and periodic are supported. Give the grid with %s to go by the matrix alone", "xyz"[a],
               SIZE_OPTION(hints));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode StructuredGridFromPattern(Quest *q, DM da, StructuredGrid *grid)
{
  const Pattern             *A     = q->natural;
  const StructuredGridHints *hints = q->hints;
  Shape                      s     = {0, {1, 1, 1}, 1, {PETSC_FALSE, PETSC_FALSE, PETSC_FALSE}, (PetscBool)(hints->topology == STRUCTURED_GRID_OCTAHEDRAL)};
  PetscInt                   bound = STRUCTURED_GRID_MAX_WIDTH;
  Fit                        fit;

  PetscFunctionBegin;
  fit.coupled = nullptr;
  PetscCheck(hints->dof >= 0, A->comm, PETSC_ERR_ARG_OUTOFRANGE, "%s %" PetscInt_FMT ": there must be at least one unknown per point", DOF_OPTION(hints), hints->dof);
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
    PetscCall(StructuredGridFromSparsity(q, &s, &fit));
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
  if (hints->dim || da) {
    PetscCall(StructuredGridFromShape(q, bound, (PetscBool)(hints->dim > 0), &s, &fit));
  } else if (fit.width > bound) {
    /* The search has fitted it already, with no bound but its own */
    fit.ok = PETSC_FALSE;
  }
  /* Boxes have been fitted with no bound either */
  if (fit.ok && fit.width > bound) fit.ok = PETSC_FALSE;
  if (!fit.ok) {
    OwnPattern own;

    if (q->numbering->boxes && q->search) {
      PetscCall(PatternRenumber(q->raw, q->numbering, &own));
      A = &own.pattern;
    }
    PetscCall(FitShape(A, &s, bound, MOST_VECTORS, 0, nullptr, &fit));
    PetscCall(StructuredGridErrorNamed(A, &s, &fit, bound, grid->origin, q->bs, hints));
  }

  grid->dim      = s.dim;
  grid->dof      = s.dof;
  grid->width    = PetscMax(fit.width, 1);
  grid->star     = fit.star;
  grid->topology = hints->topology;
  for (int a = 0; a < 3; a++) {
    grid->size[a]     = s.size[a];
    grid->periodic[a] = fit.wraps[a];
    grid->boxes[a]    = q->numbering->boxes ? q->numbering->nbox[a] : 1;
  }
  grid->permuted = q->numbering->boxes;
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

/* StructuredGridDetermine(), and how the rows are numbered. The numbering is made in any case, and destroyed where there is an error. */
static PetscErrorCode StructuredGridDetermineNumbering(Mat A, DM dm, const StructuredGridHints *hints, StructuredGrid *grid, StructuredGridNumbering *numbering)
{
  MPI_Comm       comm = PetscObjectComm((PetscObject)A);
  PetscInt       m, n;
  PetscBool      seqaij, mpiaij, assembled, keeps = PETSC_FALSE;
  DM             da;
  OwnPattern     raw, natural;
  Quest          q = {&raw, &raw.pattern, 1, hints, PETSC_FALSE, PETSC_FALSE, numbering};
  PetscErrorCode ierr;

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
  PetscCall(MatGetBlockSize(A, &q.bs));
  PetscCall(PatternRead(A, &raw));
  if (mpiaij) PetscCall(StructuredGridKeepsDMDA(da, hints, &keeps));
  q.search   = (PetscBool)!keeps;
  q.permuted = (PetscBool)(mpiaij || hints->permuted);
  PetscCall(StructuredGridNumberingCreate(A, keeps ? da : nullptr, numbering));
  if (keeps) {
    PetscCall(PatternRenumber(&raw, numbering, &natural));
    q.natural = &natural.pattern;
  }
  ierr = StructuredGridFromPattern(&q, da, grid);
  if (ierr) PetscCall(StructuredGridNumberingDestroy(numbering));
  PetscCall(ierr);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  StructuredGridGetNumbering - How the rows of a matrix, whose grid StructuredGridDetermine() finds, are numbered

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
  DM             da;
  PetscBool      keeps = PETSC_FALSE, mpiaij;
  StructuredGrid grid;

  PetscFunctionBegin;
  PetscCall(StructuredGridGetDMDA(A, dm, &da));
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)A, MATMPIAIJ, &mpiaij));
  if (mpiaij) PetscCall(StructuredGridKeepsDMDA(da, hints, &keeps));
  /* With a DMDA nothing has to be looked for */
  if (keeps)
    PetscCall(StructuredGridNumberingCreate(A, da, numbering));
  else
    PetscCall(StructuredGridDetermineNumbering(A, dm, hints, &grid, numbering));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  StructuredGridGetPermutation - The rows of the matrix of one process in natural order

  Not collective

  Input Parameters:
+ A     - the matrix, of one process
. dm    - as for StructuredGridDetermine()
- hints - as for StructuredGridDetermine(), with permuted set

  Output Parameter:
. rows - row number rows[k] of A is number k in natural order. `MatCreateSubMatrix()` with it for rows and columns gives the matrix in natural order.

  Note:
  NULL where the rows are in natural order already.
*/
PetscErrorCode StructuredGridGetPermutation(Mat A, DM dm, const StructuredGridHints *hints, IS *rows)
{
  StructuredGridNumbering numbering;
  PetscInt                n, *row;

  PetscFunctionBegin;
  *rows = nullptr;
  PetscCall(MatGetSize(A, &n, nullptr));
  PetscCall(StructuredGridGetNumbering(A, dm, hints, &numbering));
  if (numbering.boxes) {
    PetscCall(PetscMalloc1(n, &row));
    for (PetscInt k = 0; k < n; k++) row[k] = StructuredGridNumberingRow(&numbering, k);
    PetscCall(ISCreateGeneral(PetscObjectComm((PetscObject)A), n, row, PETSC_OWN_POINTER, rows));
    PetscCall(ISSetPermutation(*rows));
  }
  PetscCall(StructuredGridNumberingDestroy(&numbering));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  StructuredGridDetermine - Finds the grid that the rows of a matrix live on, and checks every entry against it

  Collective

  Input Parameters:
+ A     - an assembled square matrix of type seqaij, mpiaij, or a type derived from them
. dm    - a DMDA that is asked if A has none itself, or NULL
- hints - what is known of the grid; it comes before any DMDA, and a DMDA before the sparsity

  Output Parameter:
. grid - the grid, with the width, star and periodicity that the pattern of A needs

  Notes:
  Rows are in natural order, or box by box, as a DMDA deals them to processes: those of the matrix, or others from which it has been gathered.
  `StructuredGridGetNumbering()` tells which. For a matrix of type seqaij, boxes are an error unless the hints have permuted set.

  Rows and columns in error texts are natural numbers.
*/
PetscErrorCode StructuredGridDetermine(Mat A, DM dm, const StructuredGridHints *hints, StructuredGrid *grid)
{
  StructuredGridNumbering numbering;

  PetscFunctionBegin;
  PetscCall(StructuredGridDetermineNumbering(A, dm, hints, grid, &numbering));
  PetscCall(StructuredGridNumberingDestroy(&numbering));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Prints the grid in one line, to ASCII viewers only */
PetscErrorCode StructuredGridView(const StructuredGrid *grid, PetscViewer viewer)
{
  PetscBool ascii, dmda;
  char      size[128], boxes[128];

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(SizeText(grid->dim, grid->size, PETSC_FALSE, sizeof(size), size));
  PetscCall(SizeText(grid->dim, grid->boxes, PETSC_FALSE, sizeof(boxes), boxes));
  PetscCall(PetscStrcmp(grid->origin, "DMDA", &dmda));
  PetscCall(PetscViewerASCIIPrintf(viewer, "grid from %s: %s points, %" PetscInt_FMT " unknown%s each, %s stencil of width %" PetscInt_FMT "%s%s%s%s%s%s%s%s\n", grid->origin, size, grid->dof, grid->dof > 1 ? "s" : "", grid->star ? "star" : "box",
                                   grid->width, grid->periodic[0] || grid->periodic[1] || grid->periodic[2] ? ", periodic in " : "", grid->periodic[0] ? "x" : "", grid->periodic[1] ? "y" : "", grid->periodic[2] ? "z" : "",
                                   grid->topology == STRUCTURED_GRID_OCTAHEDRAL ? ", octahedral" : "", grid->permuted && !dmda ? ", numbered in " : "", grid->permuted && !dmda ? boxes : "", grid->permuted && !dmda ? " boxes" : ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}
