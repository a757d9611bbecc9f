/*
  What structured grid the unknowns of a matrix live on, and how far its stencil reaches there.
*/
#pragma once

#include <petscmat.h>
#include <petscdmtypes.h>
#include "mat/grid/numbering.h"

/* Widest stencil that is taken for one: a wider front is no longer small beside what it eliminates */
#define STRUCTURED_GRID_MAX_WIDTH 3

/* On an octahedral grid any two points of the boundary frame may be coupled, which closes the square to a sphere */
typedef enum { STRUCTURED_GRID_PLAIN, STRUCTURED_GRID_OCTAHEDRAL } StructuredGridTopology;

/*
  Unknown u of point (x, y, z) has the natural number u + dof (x + size[0] (y + size[1] z)). Width, star and periodic tell what the pattern of the matrix needs,
  which can be less than what a DMDA or an option allows. On an octahedral grid the couplings within the frame count for none of them.
*/
typedef struct {
  PetscInt               dim, size[3]; /* points along x, y, z; 1 beyond dim */
  PetscInt               dof;          /* unknowns per point */
  PetscInt               width;        /* reach of the stencil, at least 1 */
  PetscBool              star;         /* no coupling leaves the three axes through its point */
  PetscBool              periodic[3];  /* some coupling goes around the end of this axis */
  StructuredGridTopology topology;
  PetscBool              permuted; /* rows are not in natural order, but box by box */
  PetscInt               boxes[3]; /* along each axis */
  const char            *origin;   /* "DMDA", "options" or "sparsity" */
} StructuredGrid;

/* What the user has said about the grid, and how the options are called that error texts should name */
typedef struct {
  PetscInt               dim, size[3]; /* dim 0: not given */
  PetscInt               dof;          /* 0: not given */
  PetscInt               width;        /* upper bound; 0: none but STRUCTURED_GRID_MAX_WIDTH */
  PetscInt               nperiodic;    /* 0: not given */
  PetscBool              periodic[3];  /* axes whose ends are neighbours; those from nperiodic on are not */
  StructuredGridTopology topology;
  const char            *size_option, *dof_option, *periodic_option;
  PetscBool              permuted; /* of a matrix of one process: rows may be numbered in boxes, as where it was gathered from several. Those of more are permitted this always. */
} StructuredGridHints;

PETSC_INTERN PetscErrorCode StructuredGridDetermine(Mat, DM, const StructuredGridHints *, StructuredGrid *);
PETSC_INTERN PetscErrorCode StructuredGridGetNumbering(Mat, DM, const StructuredGridHints *, StructuredGridNumbering *);
PETSC_INTERN PetscErrorCode StructuredGridGetPermutation(Mat, DM, const StructuredGridHints *, IS *);
PETSC_INTERN PetscErrorCode StructuredGridView(const StructuredGrid *, PetscViewer);
