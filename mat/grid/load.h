/*
  Private to the loader: what one process has read of a linear system, before it becomes PETSc objects.
*/
#pragma once

#include <petscmat.h>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

/* The first thing that was found wrong on this process; the processes then agree on one PETSc error */
struct LoadError {
  PetscErrorCode code       = (PetscErrorCode)0;
  char           text[1024] = "";

  /* Always returns false, so that a reader can end with it */
  __attribute__((format(printf, 3, 4))) bool Set(int c, const char *format, ...)
  {
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    code = (PetscErrorCode)c;
    return false;
  }
};

/* Memory without PETSc's error printing, because an error must first be agreed on */
template <typename T>
bool LoadAllocate(size_t n, T **p, LoadError *error)
{
  free(*p);
  *p = n < (size_t)1 << 58 ? (T *)calloc(n ? n : 1, sizeof(T)) : nullptr;
  if (!*p) return error->Set(PETSC_ERR_MEM, "Out of memory: %.1f MB are needed on this process; use more processes or a smaller system", (double)n * sizeof(T) / 1e6);
  return true;
}

/* Entries [first, first + n) of a vector in the file's numbering */
struct LoadVector {
  bool         present = false;
  PetscInt     first = 0, n = 0;
  PetscScalar *v = nullptr;

  ~LoadVector()
  {
    free(v);
  }
};

/* A share of a square matrix as triplets in the file's numbering, shares of b and x, and the grid that the numbering follows */
struct LoadedSystem {
  PetscInt     n  = 0;
  PetscCount   nz = 0;
  PetscInt    *i = nullptr, *j = nullptr;
  PetscScalar *v = nullptr;
  LoadVector   b, x;
  PetscInt     dim = 0, size[3] = {1, 1, 1}; /* points along x, y, z; dim is 0 when there is no grid */
  /* Cells of a voxel domain of which only some are unknowns: 0 air, 1 fluid, 2 solid; a share, in the file's numbering */
  PetscInt       celldim = 0, cells[3] = {1, 1, 1}, firstcell = 0, ncells = 0;
  unsigned char *label = nullptr;
  LoadError      image; /* why the cells have no usable labels; no reason to refuse the system */

  ~LoadedSystem()
  {
    free(label);
    free(i);
    free(j);
    free(v);
  }
};

/* Position of the first value that is not finite, or n */
static inline size_t LoadFirstNotFinite(size_t n, const PetscScalar *v)
{
  for (size_t k = 0; k < n; k++) {
    if (PetscIsInfOrNanScalar(v[k])) return k;
  }
  return n;
}

/* False after an error that names the cure, if files that start like this are known and hold no system */
bool LoadCheckStart(const char filename[], const unsigned char start[], size_t n, LoadError *error);

/* Each reader fills this process's share and returns false after setting the error */
bool LoadReadHDF5(const char filename[], PetscMPIInt rank, PetscMPIInt size, LoadedSystem *system, LoadError *error);
bool LoadReadMatrixMarket(const char filename[], LoadedSystem *system, LoadError *error);
bool LoadReadMatrixMarketVector(const char filename[], PetscInt n, LoadVector *vector, LoadError *error);
/* PETSc reads its own binary format without looking for nonsense; this looks first, and tells how many vectors follow the matrix */
bool LoadCheckBinary(const char filename[], PetscInt *nvectors, LoadError *error);
