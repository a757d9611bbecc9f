/*
  The entries of a matrix on their way to an executor: where they stand in the stencil, how large they are, and whether all of them are finite.
*/
#pragma once

#include "mat/schwarzschur/factor.h"
#include <petscmat.h>
#include <utility>
#include <vector>

/* A sequential AIJ matrix, or one of the two blocks that hold the local rows of a distributed one */
struct SchwarzSchurRows {
  PetscInt           n;
  const PetscInt    *ia, *ja;
  const PetscScalar *aa; /* null where only the pattern was asked for */
};

PETSC_INTERN PetscErrorCode SchwarzSchurGetRows(Mat A, PetscBool values, SchwarzSchurRows *rows);
PETSC_INTERN PetscErrorCode SchwarzSchurRestoreRows(Mat A, SchwarzSchurRows *rows);

struct SchwarzSchurNorms {
  PetscReal sum, least; /* the largest and the smallest sum of moduli in a row; rows of zeros do not count for the smallest */
  PetscReal entry;      /* the largest modulus */
  PetscBool finite;
};

/* Of rows that stand in one block or in two */
PETSC_INTERN void SchwarzSchurMeasure(int nblock, const SchwarzSchurRows block[], SchwarzSchurNorms *norms);
/* The first entry that is not finite, as row, block and place in the block; false where there is none */
PETSC_INTERN bool SchwarzSchurFindNonfinite(int nblock, const SchwarzSchurRows block[], PetscInt *row, int *which, PetscInt *at);

/* Slots of the couplings of a point, for rows that are visited one after the other */
class StencilSlots {
  const Plan           *plan;
  std::vector<PetscInt> linear; /* distances of the couplings in natural order */
  bool                  distinct, inner = false;
  PetscInt              point = 0;
  int                   next  = 0;

public:
  explicit StencilSlots(const Plan *plan);
  void Row(PetscInt point);
  /* -1 for a coupling across the frame, which the plan keeps apart. Fastest where points come in ascending order. */
  int Of(PetscInt other);
};

/* Positions of the points of the octahedral topology's frame in the root front */
class FramePositions {
  std::vector<std::pair<PetscInt, int>> at;

public:
  explicit FramePositions(const Plan *plan);
  /* -1 for other points */
  int Of(PetscInt point) const;
};

/* Values of a matrix that have been seen */
struct MatrixState {
  PetscObjectId    id    = 0;
  PetscObjectState state = -1;

  /* Whether those of A are others, which then have been seen */
  PetscErrorCode See(Mat A, bool *others);
};

/*
  The entries of a sequential matrix in the form that the factorization reads: the matrix itself where all rows hold the whole stencil, else a copy with zeros in the gaps.
*/
class SchwarzSchurValues {
  const Plan                 *plan = nullptr;
  std::vector<PetscInt>       start_;
  std::vector<unsigned short> slot_;
  std::vector<PetscScalar>    full;
  MatrixState                 filled, compared; /* the values in full, and those that constant and differs tell of */
  bool                        constant = false;
  PetscInt                    differs  = 0;

public:
  /* Reads the pattern, whose grid the plan is for. Sets the plan's glue. */
  PetscErrorCode Analyze(Mat A, Plan *plan);
  /* The values as they are read by FactorNumeric(); rows are those of A, and must be kept as long as the values are used */
  PetscErrorCode Fill(Mat A, const SchwarzSchurRows &rows, FactorValues *values);
  /* Whether boxes of the same shape have the same values; if not, the row that differs */
  PetscErrorCode Constant(Mat A, bool *constant, PetscInt *row);

  /* Of rows with gaps: row i starts at start[i] in the copy, and where the entries stand there; null for others */
  const PetscInt *Start() const
  {
    return slot_.empty() ? nullptr : start_.data();
  }
  const unsigned short *Slot() const
  {
    return slot_.empty() ? nullptr : slot_.data();
  }
};
