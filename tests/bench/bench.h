/*
  What the benchmarks share: preconditioners and methods by name, systems from files, true residuals, lists on the command line, clocks, errors as results.
*/
#pragma once

#include <petscksp.h>
#include "mat/compat/petscversion.h"
#include <vector>

#define BENCH_MAX_LIST 64

struct BenchSystem {
  Mat       A;
  Vec       b;
  PetscBool symmetric, singular;
  char      name[PETSC_MAX_PATH_LEN]; /* of the file, without folders */
};

/* cpu is user and system time of all threads */
enum { BENCH_CPU, BENCH_USER, BENCH_WALL, BENCH_NCLOCKS };
struct BenchSeconds {
  PetscReal s[BENCH_NCLOCKS];
};

BenchSeconds   BenchNow();
BenchSeconds   BenchSince(const BenchSeconds &start, PetscInt runs = 1);
BenchSeconds   BenchMedian(std::vector<BenchSeconds> &);
PetscErrorCode BenchPrintSeconds(const char phase[], const BenchSeconds &);
PetscErrorCode BenchPrintNumber(const char name[], double value);
/* Megabytes of a line of /proc/self/status; 0 where there is none. After BenchForgetPeak() VmHWM tells the peak of what follows. */
double BenchMemory(const char key[]);
void   BenchForgetPeak();
/* Prints "status ok" or "status" with the first message of the errors since BenchKeepErrors(), and leaves the program after an error */
PetscErrorCode BenchKeepErrors();
PetscErrorCode BenchPrintStatus(PetscErrorCode);

PetscErrorCode BenchPrintPETSc(MPI_Comm);
PetscErrorCode BenchStringList(const char[], const char[], const char[], PetscInt *, char *[]);
PetscErrorCode BenchIntList(const char[], const char[], const char[], PetscInt *, PetscInt[]);
PetscErrorCode BenchFreeList(PetscInt, char *[]);
PetscErrorCode BenchCreatePC(Mat, const char[], PC *);
PetscErrorCode BenchCreateKSP(PC, const char[], PetscInt, KSP *);
PetscErrorCode BenchTrueResidual(Mat, Vec, Vec, PetscReal *);
PetscErrorCode BenchLoadSystem(MPI_Comm, const char[], BenchSystem *);
PetscErrorCode BenchDestroySystem(BenchSystem *);
