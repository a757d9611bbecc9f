/*
  Rows of a matrix and the points of its grid.
*/
#include "mat/grid/numbering.h"
#include "mat/compat/petscversion.h"
#include <petscdm.h>
#include <petscdmda.h>
#include <algorithm>

PetscErrorCode StructuredGridNumberingCreate(Mat A, DM da, StructuredGridNumbering *numbering)
{
  const PetscInt *range;
  PetscMPIInt     size;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(numbering, sizeof(*numbering)));
  PetscCallMPI(MPI_Comm_size(PetscObjectComm((PetscObject)A), &size));
  PetscCall(MatGetOwnershipRanges(A, &range));
  PetscCall(PetscMalloc1(size + 1, &numbering->range));
  PetscCall(PetscArraycpy(numbering->range, range, size + 1));
  numbering->dof = 1;
  for (int a = 0; a < 3; a++) numbering->size[a] = 1;
  if (da) {
    const PetscInt *width[3], one[1] = {1};
    PetscInt        dim, dof, nbox[3];

    PetscCall(DMDAGetInfo(da, &dim, nullptr, nullptr, nullptr, &nbox[0], &nbox[1], &nbox[2], &dof, nullptr, nullptr, nullptr, nullptr, nullptr));
    PetscCall(DMDAGetOwnershipRanges(da, &width[0], &width[1], &width[2]));
    for (PetscInt a = dim; a < 3; a++) {
      nbox[a]  = 1;
      width[a] = one;
    }
    PetscCall(StructuredGridNumberingSetBoxes(numbering, dof, nbox, width));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode StructuredGridNumberingSetBoxes(StructuredGridNumbering *numbering, PetscInt dof, const PetscInt nbox[3], const PetscInt *const width[3])
{
  PetscInt at = 0;

  PetscFunctionBegin;
  numbering->boxes = PETSC_TRUE;
  numbering->dof   = dof;
  for (int a = 0; a < 3; a++) {
    numbering->nbox[a] = nbox[a];
    PetscCall(PetscMalloc1(nbox[a] + 1, &numbering->start[a]));
    numbering->start[a][0] = 0;
    for (PetscInt k = 0; k < nbox[a]; k++) numbering->start[a][k + 1] = numbering->start[a][k] + width[a][k];
    numbering->size[a] = numbering->start[a][nbox[a]];
  }
  PetscCall(PetscMalloc1(nbox[0] * nbox[1] * nbox[2] + 1, &numbering->first));
  numbering->first[0] = 0;
  for (PetscInt z = 0; z < nbox[2]; z++) {
    for (PetscInt y = 0; y < nbox[1]; y++) {
      for (PetscInt x = 0; x < nbox[0]; x++, at++) numbering->first[at + 1] = numbering->first[at] + dof * width[0][x] * width[1][y] * width[2][z];
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Back to natural order */
PetscErrorCode StructuredGridNumberingClearBoxes(StructuredGridNumbering *numbering)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(numbering->first));
  for (int a = 0; a < 3; a++) PetscCall(PetscFree(numbering->start[a]));
  numbering->boxes = PETSC_FALSE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode StructuredGridNumberingDestroy(StructuredGridNumbering *numbering)
{
  PetscFunctionBegin;
  PetscCall(StructuredGridNumberingClearBoxes(numbering));
  PetscCall(PetscFree(numbering->range));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The box of a row: its first row, its first point, and its points along each axis */
static PetscInt NumberingBox(const StructuredGridNumbering *n, PetscInt row, PetscInt lo[3], PetscInt width[3])
{
  const PetscInt box = (PetscInt)(std::upper_bound(n->first, n->first + n->nbox[0] * n->nbox[1] * n->nbox[2] + 1, row) - n->first) - 1;
  PetscInt       at  = box;

  for (int a = 0; a < 3; a++) {
    const PetscInt k = at % n->nbox[a];

    lo[a]    = n->start[a][k];
    width[a] = n->start[a][k + 1] - lo[a];
    at /= n->nbox[a];
  }
  return n->first[box];
}

PetscInt StructuredGridNumberingNatural(const StructuredGridNumbering *n, PetscInt row)
{
  PetscInt lo[3], width[3], p, x[3];

  if (!n->boxes) return row;
  row -= NumberingBox(n, row, lo, width);
  p = row / n->dof;
  for (int a = 0; a < 3; a++) {
    x[a] = lo[a] + p % width[a];
    p /= width[a];
  }
  return row % n->dof + n->dof * (x[0] + n->size[0] * (x[1] + n->size[1] * x[2]));
}

PetscInt StructuredGridNumberingRun(const StructuredGridNumbering *n, PetscInt row)
{
  PetscInt lo[3], width[3];

  if (!n->boxes) return PETSC_MAX_INT;
  row -= NumberingBox(n, row, lo, width);
  return width[0] * n->dof - row % (width[0] * n->dof);
}

PetscInt StructuredGridNumberingRow(const StructuredGridNumbering *n, PetscInt natural)
{
  PetscInt p = natural / n->dof, box = 0, local = 0, stride = 1, points = 1;

  if (!n->boxes) return natural;
  for (int a = 0; a < 3; a++) {
    const PetscInt x = p % n->size[a], k = (PetscInt)(std::upper_bound(n->start[a], n->start[a] + n->nbox[a] + 1, x) - n->start[a]) - 1;

    p /= n->size[a];
    box += k * stride;
    local += (x - n->start[a][k]) * points;
    stride *= n->nbox[a];
    points *= n->start[a][k + 1] - n->start[a][k];
  }
  return n->first[box] + local * n->dof + natural % n->dof;
}

void StructuredGridNumberingFind(const StructuredGridNumbering *n, PetscMPIInt size, PetscInt natural, PetscInt *rank, PetscInt *local)
{
  const PetscInt row = StructuredGridNumberingRow(n, natural);

  /* Ranks without rows begin where the next one begins */
  *rank  = (PetscInt)(std::upper_bound(n->range, n->range + size + 1, row) - n->range) - 1;
  *local = row - n->range[*rank];
}
