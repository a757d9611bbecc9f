#include "mat/compat/backend.h"
#include "mat/compat/petscversion.h"

const char *const PetlapBackends[] = {"auto", "host", "cuda", "PetlapBackend", "PETLAP_BACKEND_", nullptr};

PetscErrorCode BackendHolds(Mat A, Vec x, PetscBool *ondevice)
{
  PetscBool mat = PETSC_FALSE, vec = PETSC_FALSE;

  PetscFunctionBegin;
  if (A) PetscCall(PetscObjectTypeCompareAny((PetscObject)A, &mat, MATSEQAIJCUSPARSE, MATMPIAIJCUSPARSE, ""));
  if (x) PetscCall(PetscObjectTypeCompareAny((PetscObject)x, &vec, VECSEQCUDA, VECMPICUDA, VECCUDA, ""));
  *ondevice = (PetscBool)(mat || vec);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BackendChoose(PetscObject object, PetlapBackend wanted, PetscBool ondevice, const char option[], PetscBool *device)
{
  const char *prefix;

  PetscFunctionBegin;
  *device = PETSC_FALSE;
  PetscCall(PetscObjectGetOptionsPrefix(object, &prefix));
  if (!prefix) prefix = "";
  if (wanted == PETLAP_BACKEND_HOST || (wanted == PETLAP_BACKEND_AUTO && !ondevice)) PetscFunctionReturn(PETSC_SUCCESS);
#if defined(PETLAP_HAVE_CUDA)
  {
    MPI_Comm    node;
    PetscMPIInt rank = 0;
    const char *reason;

  #if !PetscDefined(HAVE_MPIUNI)
    PetscCallMPI(MPI_Comm_split_type(PetscObjectComm(object), MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
    PetscCallMPI(MPI_Comm_rank(node, &rank));
    PetscCallMPI(MPI_Comm_free(&node));
  #else
    (void)node;
  #endif
    if (DeviceFind(rank, &reason))
      *device = PETSC_TRUE;
    else {
      PetscCheck(wanted == PETLAP_BACKEND_AUTO, PetscObjectComm(object), PETSC_ERR_GPU, "-%s%s cuda needs a CUDA device: %s. Use -%s%s auto, which falls back to the host", prefix, option, reason, prefix, option);
      PetscCall(PetscInfo(object, "Works on the host: no CUDA device (%s)\n", reason));
    }
  }
#else
  PetscCheck(wanted == PETLAP_BACKEND_AUTO, PetscObjectComm(object), PETSC_ERR_SUP, "-%s%s cuda: petlap was configured without CUDA; configure it with -DPETLAP_CUDA=ON, or use -%s%s auto", prefix, option, prefix, option);
  PetscCall(PetscInfo(object, "Works on the host: petlap was configured without CUDA\n"));
#endif
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BackendCheck(PetscBool *check)
{
  PetscFunctionBegin;
  *check = PETSC_FALSE;
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-petlap_check", check, nullptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}
