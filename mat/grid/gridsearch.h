/*
  Finds the grid of a matrix from its sparsity.
*/
#pragma once

#include "mat/grid/stencilfit.h"
#include "mat/grid/structuredgrid.h"

/* Guesses at the unknowns per point where the matrix has no block size */
#define DOF_GUESSES 8
/* Rows that have refused a guess and are shown to the next guess first */
#define NREFUSERS 8

/* Rows of a matrix that may be put on any grid. With more rows a grid that proves nothing may have so many times as many couplings of a row as the fullest row has. */
#define MOST_DENSE 128
#define MOST_FILL  4

/* Whether a fit tells the grid, could be one of a smaller grid that is folded, or is one that a grid of this shape has for almost any pattern */
typedef enum { SHAPE_TOLD, SHAPE_FOLDED, SHAPE_FORCED } ShapeEvidence;

/* A search for the grid of a pattern: the best so far, and how the guess that went furthest failed */
typedef struct {
  PetscInt      limit;
  PetscBool     periodic[3]; /* axes that may be periodic where no plain grid fits */
  PetscBool     wrap[3], frame;
  PetscBool     line;                 /* grids of one dimension are among those looked for, and folds are taken note of */
  PetscBool     inorder;              /* look for the first misfit of each guess, for the error text */
  PetscBool     loose;                /* take any grid that fits */
  ShapeEvidence told;                 /* what the boxes prove that were found */
  PetscBool     uncoupled, ambiguous; /* ambiguous: the best may be a fold */
  PetscBool     found, rival;         /* rival: a grid fits that has too few points along an axis to be told from a fold */
  Shape         best, rival_shape, nearest;
  Fit           best_fit, rival_fit, nearest_fit, fit;
  PetscInt      nrefusers, refusers[NREFUSERS];
} Search;

/* Ascending */
PETSC_INTERN std::vector<PetscInt> Divisors(PetscInt n);
/* Whether the fit to s explains the pattern better than that to t */
PETSC_INTERN bool           FitIsBetter(const Fit *, const Shape *s, const Fit *, const Shape *t);
PETSC_INTERN ShapeEvidence  ShapeTold(const Shape *, const Fit *, PetscInt limit);
PETSC_INTERN void           SearchSetHints(const StructuredGridHints *, Search *);
PETSC_INTERN PetscErrorCode SearchGrid(const Pattern *, PetscInt dof, PetscInt bs, Search *);
PETSC_INTERN PetscErrorCode SearchAnyGrid(const Pattern *, PetscInt dof, PetscInt bs, Search *);

/* Looks for the boxes in which the rows of a pattern are numbered, and the grid that these make, with the sizes in the hints if there are some. range: the first rows of the ranks, and the end. */
PETSC_INTERN PetscErrorCode SearchBoxes(const OwnPattern *, const PetscInt range[], PetscInt bs, const StructuredGridHints *, Search *, StructuredGridNumbering *);
