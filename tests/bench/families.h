/*
  Matrix families on structured grids, x fastest, and on meshes, one process. A name is a family with its parameters behind it where it has some: hel0.1,
  matting1e-2, epd1.2:40.
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
  std::string  kind; /* the name without the parameters */
  PetscReal    parameter, second;
  PetscReal    shift = 1.0; /* epd: what is added to the diagonal, its data term */
  PetscInt     nx, ny, nz;  /* nz is 1 in two dimensions */
  bool         box;         /* 9 or 27 points, else 5 or 7 */
  bool         symmetric, definite;
  bool         singular; /* the constants are the null space, which the matrix is told */
  BenchPicture picture;  /* scaled to the grid by BenchFamilyCreate(); of the families that are made from one */
  std::string  mesh;     /* file with the matrix of a mesh, made by mesh.py; the numbers of points mean nothing then */
};

/* All names that BenchFamilyCreate() takes, for messages */
extern const char *const BenchFamilyNames;

PetscErrorCode BenchFamilyCreate(const char name[], PetscInt nx, PetscInt ny, PetscInt nz, const char picture[], const char mesh[], BenchFamily *);
/* From -bench_family, -bench_n and so on; name is the family where none is asked for */
PetscErrorCode BenchFamilyFromOptions(const char name[], BenchFamily *);
/* Values of another version have the pattern of version 0 and none of its values; meshes have version 0 only. With flags PETSc is told that a matrix is symmetric or definite. */
PetscErrorCode BenchFamilyCreateMat(const BenchFamily &, PetscInt version, PetscBool dm, PetscBool flags, Mat *);
PetscErrorCode BenchFamilySetValues(const BenchFamily &, PetscInt version, Mat);
/* Random normal, in the range of a singular matrix */
PetscErrorCode BenchFamilyCreateVec(const BenchFamily &, Mat, PetscInt seed, Vec *);
/* The same, or for the families that are made from a picture the data that belong to the matrix */
PetscErrorCode BenchFamilyCreateRHS(const BenchFamily &, Mat, Vec *);
