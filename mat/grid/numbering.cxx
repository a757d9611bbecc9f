/*
  Rows of a distributed matrix and the points of its grid.
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
    const PetscInt *width[3];
    PetscInt        dim;

    numbering->boxes = PETSC_TRUE;
    PetscCall(DMDAGetInfo(da, &dim, &numbering->size[0], &numbering->size[1], &numbering->size[2], &numbering->nbox[0], &numbering->nbox[1], &numbering->nbox[2], &numbering->dof, nullptr, nullptr, nullptr, nullptr, nullptr));
    PetscCall(DMDAGetOwnershipRanges(da, &width[0], &width[1], &width[2]));
    for (int a = 0; a < 3; a++) {
      if (a >= dim) numbering->size[a] = numbering->nbox[a] = 1;
      PetscCall(PetscMalloc1(numbering->nbox[a] + 1, &numbering->start[a]));
      numbering->start[a][0] = 0;
      for (PetscInt k = 0; k < numbering->nbox[a]; k++) numbering->start[a][k + 1] = numbering->start[a][k] + (a < dim ? width[a][k] : 1);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode StructuredGridNumberingDestroy(StructuredGridNumbering *numbering)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(numbering->range));
  for (int a = 0; a < 3; a++) PetscCall(PetscFree(numbering->start[a]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void StructuredGridNumberingBox(const StructuredGridNumbering *n, PetscMPIInt rank, PetscInt lo[3], PetscInt hi[3])
{
  PetscInt at = rank;

  for (int a = 0; a < 3; a++) {
    const PetscInt k = at % n->nbox[a];

    lo[a] = n->start[a][k];
    hi[a] = n->start[a][k + 1];
    at /= n->nbox[a];
  }
}

PetscInt StructuredGridNumberingNatural(const StructuredGridNumbering *n, PetscMPIInt size, PetscInt row)
{
  PetscInt lo[3], hi[3], p, x[3];

  if (!n->boxes) return row;
  /* Ranks without rows begin where the next one begins */
  const PetscMPIInt rank = (PetscMPIInt)(std::upper_bound(n->range, n->range + size + 1, row) - n->range) - 1;
  StructuredGridNumberingBox(n, rank, lo, hi);
  p = (row - n->range[rank]) / n->dof;
  for (int a = 0; a < 3; a++) {
    x[a] = lo[a] + p % (hi[a] - lo[a]);
    p /= hi[a] - lo[a];
  }
  return (row - n->range[rank]) % n->dof + n->dof * (x[0] + n->size[0] * (x[1] + n->size[1] * x[2]));
}

void StructuredGridNumberingFind(const StructuredGridNumbering *n, PetscMPIInt size, PetscInt natural, PetscInt *rank, PetscInt *local)
{
  if (!n->boxes) {
    *rank  = (PetscInt)(std::upper_bound(n->range, n->range + size + 1, natural) - n->range) - 1;
    *local = natural - n->range[*rank];
    return;
  }
  PetscInt p = natural / n->dof, stride = 1, points = 1;

  *rank = *local = 0;
  for (int a = 0; a < 3; a++) {
    const PetscInt x = p % n->size[a], k = (PetscInt)(std::upper_bound(n->start[a], n->start[a] + n->nbox[a] + 1, x) - n->start[a]) - 1;

    p /= n->size[a];
    *rank += k * stride;
    *local += (x - n->start[a][k]) * points;
    stride *= n->nbox[a];
    points *= n->start[a][k + 1] - n->start[a][k];
  }
  *local = *local * n->dof + natural % n->dof;
}
