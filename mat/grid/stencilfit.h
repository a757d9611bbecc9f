/*
  The pattern of a matrix beside a structured grid: whether every coupling is a short way on it, and how far the stencil reaches.
*/
#pragma once

#include "mat/grid/numbering.h"
#include <vector>

/* A misfit is measured up to this width, so that the error can say how wide the stencil is */
#define WIDEST 8
/* Vectors of that width in three dimensions */
#define MOST_VECTORS ((2 * WIDEST + 1) * (2 * WIDEST + 1) * (2 * WIDEST + 1))

/* Rows that follow each other in natural order */
typedef struct {
  PetscInt first, n, local; /* local: the place of the first among the rows of this process */
} PatternRun;

/* The rows of this process, in runs of natural order, with natural columns. What is found out is found out by all processes together. */
typedef struct {
  MPI_Comm          comm;
  PetscMPIInt       size;
  PetscInt          n;       /* of all processes */
  PetscInt          entries; /* of the fullest row of all processes */
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

/*
  Fits the matrix to a grid with a stencil that reaches no further than limit and has no more than most vectors, and stops at the first entry
  that does not fit. Rows that refused another grid may be named, to be looked at first.
*/
PETSC_INTERN PetscErrorCode FitShape(const Pattern *, const Shape *, PetscInt limit, PetscInt most, PetscInt nrefusers, const PetscInt refusers[], Fit *);
/* For the rows of this process alone */
PETSC_INTERN void FitShapeLocal(const Pattern *, const Shape *, PetscInt limit, PetscInt most, PetscInt nrefusers, const PetscInt refusers[], Fit *);
/* Couplings of a row of points that has all that occur anywhere, in pairs of unknowns */
PETSC_INTERN PetscErrorCode CouplingsOfShape(const Pattern *, const Shape *, PetscInt width, Fit *, PetscInt *couplings);

/* A pattern and the memory it lies in, unless a matrix on one process lends its own */
struct OwnPattern {
  Pattern                 pattern;
  std::vector<PetscInt>   i, j;
  std::vector<PatternRun> run;
};

/* The rows of this process as they are numbered: one run. Collective. */
PETSC_INTERN PetscErrorCode PatternRead(Mat, OwnPattern *);
/* The same rows in natural order. Collective where there is an error only. */
PETSC_INTERN PetscErrorCode PatternRenumber(const OwnPattern *from, const StructuredGridNumbering *, OwnPattern *to);
