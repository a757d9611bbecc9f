#include "mat/compat/device.h"
#include "mat/compat/backend.h"
#include <petscsys.h>
#if PetscDefined(HAVE_CUDA)
  #include "mat/compat/petscversion.h"
  #include <petscdevice_cuda.h>
#endif

#include <cstdio>

static bool         chosen = false, found = false;
static cudaStream_t own = nullptr;
static char         text[256];

int DeviceError(int cudaerror)
{
  if (cudaerror != cudaSuccess) {
    snprintf(text, sizeof(text), "%s (%s)", cudaGetErrorString((cudaError_t)cudaerror), cudaGetErrorName((cudaError_t)cudaerror));
    (void)cudaGetLastError();
  }
  return cudaerror;
}

const char *DeviceErrorText(void)
{
  return text;
}

void DeviceErrorExplain(const char explanation[])
{
  snprintf(text, sizeof(text), "%s", explanation);
}

bool DeviceFind(int rank, const char **reason)
{
  int n = 0, device;

  if (!chosen) {
    const cudaError_t error = cudaGetDeviceCount(&n);

    chosen = true;
    if (DeviceError(error) == cudaSuccess && n > 0) {
#if PetscDefined(HAVE_CUDA)
      /* PETSc gives each process its device when it is first asked for one */
      found = PetscDeviceInitialize(PETSC_DEVICE_CUDA) == 0 && DeviceError(cudaGetDevice(&device)) == cudaSuccess;
#else
      found = DeviceError(cudaGetDevice(&device)) == cudaSuccess && (device > 0 || DeviceError(cudaSetDevice(rank % n)) == cudaSuccess);
#endif
    } else if (error == cudaSuccess)
      snprintf(text, sizeof(text), "there is no device");
    (void)rank;
    (void)device;
  }
  *reason = text;
  return found;
}

void *DeviceStream(void)
{
#if PetscDefined(HAVE_CUDA)
  cudaStream_t stream;

  return PetscGetCurrentCUDAStream(&stream) ? nullptr : stream;
#else
  if (!own && DeviceError(cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking)) != cudaSuccess) own = nullptr;
  return own;
#endif
}

void DeviceFinalize(void)
{
  if (own) (void)cudaStreamDestroy(own);
  own    = nullptr;
  chosen = found = false;
  text[0]        = 0;
}
