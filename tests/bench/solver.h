/*
  Solvers by name, each a set of options, and how their set-up and solve are measured. Those of petlap come from -dll_append.
*/
#pragma once

#include "tests/bench/bench.h"
#include <functional>

struct BenchRepeat {
  PetscReal least = 1.0; /* CPU seconds that set-up and solve are repeated for */
  PetscInt  most  = 20;
};

/* What options cannot tell a preconditioner; called when it has its operators and before its options are read. It counts as set-up. */
typedef std::function<PetscErrorCode(KSP)> BenchPrepare;

/* Puts the options of a solver into the database, below those of the command line */
PetscErrorCode BenchSolverChoose(const char name[], PetscBool solid, PetscBool singular);
PetscErrorCode BenchSolverCreate(Mat, PetscReal rtol, PetscInt most, const BenchPrepare &, KSP *);
PetscErrorCode BenchSolverSetUp(KSP);
/* A misspelt option of the preconditioner must not give numbers under its name */
PetscErrorCode BenchSolverCheckOptions(KSP);
/* Iterations, reason and the true residual */
PetscErrorCode BenchSolverPrintEnd(KSP, Mat, Vec b, Vec x);
/* Set-up and solve to a relative residual of 1e-6, every time with a new preconditioner; a solution that claims this residual and has a larger one is an error */
PetscErrorCode BenchSolverMeasure(Mat, Vec b, const BenchRepeat &, const BenchPrepare &);
PetscErrorCode BenchRepeatFromOptions(BenchRepeat *);
