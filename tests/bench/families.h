/*
  Matrix families on structured grids, x fastest, one process. A name is a family with its parameter behind it where it has one: hel0.1, matting1e-2.
*/
#pragma once

#include <petscmat.h>
#include "mat/compat/petscversion.h"
#include <string>
#include <vector>

struct BenchPicture {
  PetscInt               nx = 0, ny = 0;
  std::vector<PetscReal> rgb; /* 3 values in [0, 1] for a pixel, x fastest */
};

struct BenchFamily {
  std::string  kind; /* the name without the parameter */
  PetscReal    parameter;
  PetscInt     nx, ny, nz; /* nz is 1 in two dimensions */
  bool         box;        /* 9 or 27 points, else 5 or 7 */
  bool         symmetric, definite;
  BenchPicture picture; /* matting only; BenchFamilyCreate() scales it to the grid */
};

/* All names that BenchFamilyCreate() takes, for messages */
extern const char *const BenchFamilyNames;

PetscErrorCode BenchFamilyCreate(const char name[], PetscInt nx, PetscInt ny, PetscInt nz, const char picture[], BenchFamily *);
/* From -bench_family, -bench_n and so on; name is the family where none is asked for */
PetscErrorCode BenchFamilyFromOptions(const char name[], BenchFamily *);
/* Values of another version have the pattern of version 0 and none of its values. With flags PETSc is told that a matrix is symmetric or definite. */
PetscErrorCode BenchFamilyCreateMat(const BenchFamily &, PetscInt version, PetscBool dm, PetscBool flags, Mat *);
PetscErrorCode BenchFamilySetValues(const BenchFamily &, PetscInt version, Mat);
/* Random normal, or for matting the constraints that belong to its matrix */
PetscErrorCode BenchFamilyCreateVec(const BenchFamily &, Mat, PetscInt seed, Vec *);
PetscErrorCode BenchFamilyCreateRHS(const BenchFamily &, Mat, Vec *);
