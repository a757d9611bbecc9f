/*
  What the benchmarks share: preconditioners and methods by name, systems from files, true residuals, lists on the command line.
*/
#pragma once

#include <petscksp.h>
#include "mat/compat/petscversion.h"

#define BENCH_MAX_LIST 64

struct BenchSystem {
  Mat       A;
  Vec       b;
  PetscBool symmetric, singular;
  char      name[PETSC_MAX_PATH_LEN]; /* of the file, without folders */
};

PetscErrorCode BenchPrintPETSc(MPI_Comm);
PetscErrorCode BenchStringList(const char[], const char[], const char[], PetscInt *, char *[]);
PetscErrorCode BenchIntList(const char[], const char[], const char[], PetscInt *, PetscInt[]);
PetscErrorCode BenchFreeList(PetscInt, char *[]);
PetscErrorCode BenchCreatePC(Mat, const char[], PC *);
PetscErrorCode BenchCreateKSP(PC, const char[], PetscInt, KSP *);
PetscErrorCode BenchTrueResidual(Mat, Vec, Vec, PetscReal *);
PetscErrorCode BenchLoadSystem(MPI_Comm, const char[], BenchSystem *);
PetscErrorCode BenchDestroySystem(BenchSystem *);
