/*
  Everything that differs between PETSc 3.18 and the newest release, so that no other file has to ask for a version.
*/
#pragma once

#include <petscksp.h>

#if PETSC_VERSION_LT(3, 18, 0)
  #error "petlap needs PETSc 3.18 or newer: set PETSC_DIR (and PETSC_ARCH) to such a PETSc and configure again"
#endif

#if PETSC_VERSION_LT(3, 19, 0)
  #define PETSC_SUCCESS ((PetscErrorCode)0)
#endif

/* How a setfromoptions operation receives its context; the argument itself must be called PetscOptionsObject */
#if PETSC_VERSION_LT(3, 23, 0)
typedef PetscOptionItems *CompatOptionItems;
#else
typedef PetscOptionItems CompatOptionItems;
#endif

/* MPIU_Allreduce() returned a PETSc error code before 3.22 and an MPI one since */
#if PETSC_VERSION_LT(3, 22, 0)
  #define CompatCallAllreduce(...) PetscCall(MPIU_Allreduce(__VA_ARGS__))
#else
  #define CompatCallAllreduce(...) PetscCallMPI(MPIU_Allreduce(__VA_ARGS__))
#endif

/* Arrays of dense matrices on whatever device they are; before 3.20 they are brought to the host */
#if PETSC_VERSION_LT(3, 20, 0)
  #define CompatDenseGetArrayRead(A, a, type) (*(type) = PETSC_MEMTYPE_HOST, MatDenseGetArrayRead(A, a))
  #define CompatDenseRestoreArrayRead(A, a)   MatDenseRestoreArrayRead(A, a)
  #define CompatDenseGetArray(A, a, type)     (*(type) = PETSC_MEMTYPE_HOST, MatDenseGetArray(A, a))
  #define CompatDenseRestoreArray(A, a)       MatDenseRestoreArray(A, a)
#else
  #define CompatDenseGetArrayRead(A, a, type) MatDenseGetArrayReadAndMemType(A, a, type)
  #define CompatDenseRestoreArrayRead(A, a)   MatDenseRestoreArrayReadAndMemType(A, a)
  #define CompatDenseGetArray(A, a, type)     MatDenseGetArrayAndMemType(A, a, type)
  #define CompatDenseRestoreArray(A, a)       MatDenseRestoreArrayAndMemType(A, a)
#endif
