/*
  How the points of a structured grid are dealt to the ranks of a matrix, and numbered there. The natural number of an unknown is its row when one process has the whole grid.
*/
#pragma once

#include <petscmat.h>
#include <petscdmtypes.h>

/*
  Rows are in natural order, or the grid is cut into boxes whose rows follow each other, each box in natural order: as a DMDA deals them to
  processes, box by box along x, then y, then z. The boxes are those of the ranks, or of more ranks or fewer where the matrix has been gathered.
*/
typedef struct {
  PetscInt  size[3], dof;
  PetscInt *range; /* first row of each rank, and the end */
  PetscBool boxes;
  PetscInt  nbox[3], *start[3]; /* boxes along each axis: their first points, and the end */
  PetscInt *first;              /* first row of each box, and the end */
} StructuredGridNumbering;

/* da tells the boxes; NULL for natural order, in which sizes are of no account */
PETSC_INTERN PetscErrorCode StructuredGridNumberingCreate(Mat, DM da, StructuredGridNumbering *);
/* Makes boxes of a numbering in natural order; width: the points of the boxes along each axis */
PETSC_INTERN PetscErrorCode StructuredGridNumberingSetBoxes(StructuredGridNumbering *, PetscInt dof, const PetscInt nbox[3], const PetscInt *const width[3]);
PETSC_INTERN PetscErrorCode StructuredGridNumberingClearBoxes(StructuredGridNumbering *);
PETSC_INTERN PetscErrorCode StructuredGridNumberingDestroy(StructuredGridNumbering *);
/* The natural number of a row of the matrix */
PETSC_INTERN PetscInt StructuredGridNumberingNatural(const StructuredGridNumbering *, PetscInt row);
/* How many rows from this one on have natural numbers that follow each other */
PETSC_INTERN PetscInt StructuredGridNumberingRun(const StructuredGridNumbering *, PetscInt row);
/* The row of the matrix that has a natural number */
PETSC_INTERN PetscInt StructuredGridNumberingRow(const StructuredGridNumbering *, PetscInt natural);
/* The rank of a natural number, and which of its rows it is */
PETSC_INTERN void StructuredGridNumberingFind(const StructuredGridNumbering *, PetscMPIInt size, PetscInt natural, PetscInt *rank, PetscInt *local);
