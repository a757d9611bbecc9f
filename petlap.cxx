/*
  Entry points of the plug-in: what PETSc calls when it loads libpetlap.so, and the same for programs that link it.
*/
#include "petlap.h"
#include "mat/compat/backend.h"
#include "mat/compat/petscversion.h"
#include <cstdio>
#if defined(_OPENMP)
  #include <dlfcn.h>
  #include <omp.h>
#endif

PETSC_INTERN PetscErrorCode KSPInitialize_PSDO(void);
PETSC_INTERN PetscErrorCode PCInitialize_HSC(void);
PETSC_INTERN PetscErrorCode PCInitialize_Neural(void);
PETSC_INTERN PetscErrorCode PetlapLoadInitialize(void);
PETSC_INTERN PetscErrorCode MatSolverTypeInitialize_SchwarzSchur(void);

static PetscBool PetlapInitialized = PETSC_FALSE;

/* Both KSPPSDO and PCNEURAL are from this paper, which is named once */
static PetscBool  LanCited      = PETSC_FALSE;
static const char LanCitation[] = "@inproceedings{lan2024neural,\n"
                                  "  title     = {A Neural-Preconditioned Poisson Solver for Mixed Dirichlet and Neumann Boundary Conditions},\n"
                                  "  author    = {Kai Weixian Lan and Elias Gueidon and Ayano Kaneda and Julian Panetta and Joseph Teran},\n"
                                  "  booktitle = {Proceedings of the 41st International Conference on Machine Learning},\n"
                                  "  year      = {2024}\n"
                                  "}\n";

PETSC_INTERN PetscErrorCode PetlapCiteLan(void)
{
  PetscFunctionBegin;
  PetscCall(PetscCitationsRegister(LanCitation, &LanCited));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* PetscFinalize() may or may not unload the library, so no state may outlive it */
static PetscErrorCode PetlapFinalize(void)
{
  PetscFunctionBegin;
  PetlapInitialized = PETSC_FALSE;
  LanCited          = PETSC_FALSE;
#if defined(PETLAP_HAVE_CUDA)
  DeviceFinalize();
#endif
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  The layout of PETSc's objects changes with every minor release and with the scalar and index types, so a plug-in that was compiled
  for another PETSc would read garbage. Everything that is asked here is answered by the PETSc that runs, not by its headers.
*/
static PetscErrorCode PetlapCheckPETSc(void)
{
  PetscInt      major, minor, subminor, release;
  PetscDataType scalar;
  PetscBool     found;
  size_t        intsize;

  PetscFunctionBegin;
  /* Where the program uses another libpetsc, the one that came along with this library was never initialized, and cannot print an error */
  if (PETSC_COMM_WORLD == MPI_COMM_NULL) {
    fprintf(stderr,
            "libpetlap.so was built for another libpetsc (PETSc %d.%d.%d, %s scalars, %d-bit indices) than the program uses: build petlap with PETSC_DIR and PETSC_ARCH set to the program's PETSc. "
            "In a program that links both, call PetscInitialize() before PetlapInitialize().\n",
            PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, PETSC_VERSION_SUBMINOR, PetscDataTypes[PETSC_SCALAR], (int)(8 * sizeof(PetscInt)));
    return PETSC_ERR_LIB;
  }
  PetscCall(PetscGetVersionNumber(&major, &minor, &subminor, &release));
  PetscCheck(major == PETSC_VERSION_MAJOR && minor == PETSC_VERSION_MINOR, PETSC_COMM_SELF, PETSC_ERR_LIB,
             "This libpetlap.so was compiled for PETSc %d.%d and is loaded by PETSc %d.%d: configure petlap with PETSC_DIR set to the PETSc that your program uses and build it again", PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, (int)major, (int)minor);
  PetscCall(PetscDataTypeFromString("scalar", &scalar, &found));
  PetscCall(PetscDataTypeGetSize(PETSC_INT, &intsize));
  PetscCheck(found && scalar == PETSC_SCALAR && intsize == sizeof(PetscInt), PETSC_COMM_SELF, PETSC_ERR_LIB,
             "This libpetlap.so was compiled for %s scalars and %d-bit indices and is loaded by a PETSc with %s scalars and %d-bit indices: build petlap for the PETSc that your program uses", PetscDataTypes[PETSC_SCALAR], (int)(8 * sizeof(PetscInt)),
             found ? PetscDataTypes[scalar] : "other", (int)(8 * intsize));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  PETSc unloads this library when it ends, and the OpenMP runtime goes along where nobody else uses it. Its threads wait for more work for a while, and must
  find their code there: the runtime is made to stay.
*/
static void PetlapKeepThreads(void)
{
#if defined(_OPENMP)
  Dl_info info;

  if (dladdr((void *)omp_get_max_threads, &info) && info.dli_fname) (void)dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
#endif
}

/*@C
  PetlapInitialize - Registers petlap's types, log events and options with PETSc

  Not Collective, but must be called on all processes that use petlap

  Level: beginner

  Notes:
  Programs that link libpetlap call this after `PetscInitialize()`. Programs that load the library with `-dll_append` need not call it.
  Calling it more than once, also after another `PetscFinalize()` and `PetscInitialize()`, is fine.

  Errors:
  `PETSC_ERR_LIB` when the running PETSc has another version, scalar type or index size than the one petlap was compiled for.

.seealso: `KSPPSDO`, `PetlapLoadSystem()`
@*/
PetscErrorCode PetlapInitialize(void)
{
  PetscFunctionBegin;
  if (PetlapInitialized) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetlapCheckPETSc());
  PetlapKeepThreads();
  PetlapInitialized = PETSC_TRUE;
  PetscCall(PetscRegisterFinalize(PetlapFinalize));
  PetscCall(KSPInitialize_PSDO());
#if !defined(PETSC_USE_COMPLEX)
  PetscCall(PCInitialize_HSC());
  PetscCall(PCInitialize_Neural());
#endif
  PetscCall(PetlapLoadInitialize());
  PetscCall(MatSolverTypeInitialize_SchwarzSchur());
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* PETSc derives this name from the file name: libpetlap.so must keep its name */
PETLAP_EXTERN PetscErrorCode PetscDLLibraryRegister_petlap(void)
{
  PetscFunctionBegin;
  PetscCall(PetlapInitialize());
  PetscFunctionReturn(PETSC_SUCCESS);
}
