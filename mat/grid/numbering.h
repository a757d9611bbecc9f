/*
  How the points of a structured grid are dealt to the ranks of a matrix, and numbered there. The natural number of an unknown is its row when one process has the whole grid.
*/
#pragma once

#include <petscmat.h>
#include <petscdmtypes.h>

/* Rows are either in natural order, or each rank has a box of points in natural order, as a DMDA deals them */
typedef struct {
  PetscInt  size[3], dof;
  PetscInt *range; /* first row of each rank, and the end */
  PetscBool boxes;
  PetscInt  nbox[3], *start[3]; /* boxes along each axis: their first points, and the end */
} StructuredGridNumbering;

/* da tells the boxes; NULL for natural order, in which sizes are of no account */
PETSC_INTERN PetscErrorCode StructuredGridNumberingCreate(Mat, DM da, StructuredGridNumbering *);
PETSC_INTERN PetscErrorCode StructuredGridNumberingDestroy(StructuredGridNumbering *);
/* The box of a rank */
PETSC_INTERN void StructuredGridNumberingBox(const StructuredGridNumbering *, PetscMPIInt rank, PetscInt lo[3], PetscInt hi[3]);
/* The natural number of a row of the matrix */
PETSC_INTERN PetscInt StructuredGridNumberingNatural(const StructuredGridNumbering *, PetscMPIInt size, PetscInt row);
/* The rank of a natural number, and which of its rows it is */
PETSC_INTERN void StructuredGridNumberingFind(const StructuredGridNumbering *, PetscMPIInt size, PetscInt natural, PetscInt *rank, PetscInt *local);
