/*
  Communication that fails, in cores that hold no PETSc objects: they throw, and who calls them returns the code as PETSc's. MPI only returns errors where it is told to.
*/
#pragma once

#include <petscsys.h>

namespace petlap {

/* There is no way to go on from there */
struct CommunicationError {
  PetscErrorCode code;
};

inline void CommunicateMPI(int code)
{
  if (code != MPI_SUCCESS) throw CommunicationError{PETSC_ERR_MPI};
}

} // namespace petlap
