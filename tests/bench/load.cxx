/*
  Systems from files, made ready for the symmetric solvers.
*/
#include "tests/bench/bench.h"
#include "petlap.h"

/* A file without a right-hand side gets A times a random vector. A matrix that annihilates the constants gets them as its null space. */
PetscErrorCode BenchLoadSystem(MPI_Comm comm, const char filename[], BenchSystem *system)
{
  const char *slash;
  Mat         At;
  Vec         one, Aone;
  PetscReal   anorm, norm;

  PetscFunctionBegin;
  PetscCall(PetscStrrchr(filename, '/', (char **)&slash));
  PetscCall(PetscStrncpy(system->name, slash, sizeof(system->name)));
  PetscCall(PetlapLoadSystem(comm, filename, &system->A, &system->b, nullptr));
  PetscCall(MatNorm(system->A, NORM_INFINITY, &anorm));

  PetscCall(MatTranspose(system->A, MAT_INITIAL_MATRIX, &At));
  PetscCall(MatAXPY(At, -1.0, system->A, DIFFERENT_NONZERO_PATTERN));
  PetscCall(MatNorm(At, NORM_INFINITY, &norm));
  PetscCall(MatDestroy(&At));
  system->symmetric = (PetscBool)(norm <= 1e-12 * anorm);
  if (system->symmetric) PetscCall(MatSetOption(system->A, MAT_SYMMETRIC, PETSC_TRUE));

  PetscCall(MatCreateVecs(system->A, &one, &Aone));
  if (!system->b) {
    PetscRandom random;

    PetscCall(VecDuplicate(Aone, &system->b));
    PetscCall(PetscRandomCreate(comm, &random));
    PetscCall(VecSetRandom(one, random));
    PetscCall(PetscRandomDestroy(&random));
    PetscCall(MatMult(system->A, one, system->b));
  }
  PetscCall(VecSet(one, 1.0));
  PetscCall(MatMult(system->A, one, Aone));
  PetscCall(VecNorm(Aone, NORM_INFINITY, &norm));
  system->singular = (PetscBool)(norm <= 1e-12 * anorm);
  if (system->singular) {
    MatNullSpace constants;

    PetscCall(MatNullSpaceCreate(comm, PETSC_TRUE, 0, nullptr, &constants));
    PetscCall(MatSetNullSpace(system->A, constants));
    PetscCall(MatNullSpaceRemove(constants, system->b));
    PetscCall(MatNullSpaceDestroy(&constants));
  }
  PetscCall(VecDestroy(&one));
  PetscCall(VecDestroy(&Aone));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchDestroySystem(BenchSystem *system)
{
  PetscFunctionBegin;
  PetscCall(MatDestroy(&system->A));
  PetscCall(VecDestroy(&system->b));
  PetscFunctionReturn(PETSC_SUCCESS);
}
