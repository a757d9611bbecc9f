#include "mat/compat/device.h"
#include "mat/compat/backend.h"
#include <petscsys.h>
#if PetscDefined(HAVE_CUDA)
  #include "mat/compat/petscversion.h"
  #include <petscdevice_cuda.h>
#endif

#include <cstdio>
#if !defined(PETLAP_CUDA_EMULATED)
  #include <dlfcn.h>
#endif

static bool         chosen = false, found = false;
static cudaStream_t own       = nullptr;
static int          explained = cudaSuccess; /* the error that text explains better than CUDA does */
static char         text[256];

int DeviceError(int cudaerror)
{
  if (cudaerror != cudaSuccess) {
    if (cudaerror != explained) snprintf(text, sizeof(text), "%s (%s)", cudaGetErrorString((cudaError_t)cudaerror), cudaGetErrorName((cudaError_t)cudaerror));
    explained = cudaSuccess;
    (void)cudaGetLastError();
  }
  return cudaerror;
}

const char *DeviceErrorText(void)
{
  return text;
}

#if !defined(PETLAP_CUDA_EMULATED)
cudaError_t DeviceOpen(const char library[], int version, std::initializer_list<DeviceFunction> functions)
{
  char  name[64];
  void *handle;

  snprintf(name, sizeof(name), "%s.%d", library, version);
  handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!handle) handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    snprintf(text, sizeof(text), "%s cannot be loaded: add the folder of CUDA's libraries to LD_LIBRARY_PATH", name);
    explained = cudaErrorSharedObjectInitFailed;
    return cudaErrorSharedObjectInitFailed;
  }
  for (const DeviceFunction &f : functions) {
    *f.function = dlsym(handle, f.name);
    if (*f.function) continue;
    snprintf(text, sizeof(text), "the %s that was found lacks %s: put the one that petlap was built with first in LD_LIBRARY_PATH", library, f.name);
    explained = cudaErrorSharedObjectSymbolNotFound;
    return cudaErrorSharedObjectSymbolNotFound;
  }
  return cudaSuccess;
}
#endif

#if PetscDefined(HAVE_CUDA)
/* The context that PETSc works in, where it is one of CUDA; PETSc itself does not look before it takes a stream from it */
static PetscErrorCode GetStream(cudaStream_t *stream, PetscDeviceType *type)
{
  PetscDeviceContext context;

  PetscFunctionBegin;
  PetscCall(PetscDeviceContextGetCurrentContext(&context));
  PetscCall(PetscDeviceContextGetDeviceType(context, type));
  if (*type == PETSC_DEVICE_CUDA) PetscCall(PetscGetCurrentCUDAStream(stream));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* PETSc's answer when it is asked for a device, without its error messages */
static PetscErrorCode Initialize(void)
{
  PetscErrorCode ierr;

  PetscFunctionBegin;
  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, nullptr));
  ierr = PetscDeviceInitialize(PETSC_DEVICE_CUDA);
  PetscCall(PetscPopErrorHandler());
  PetscFunctionReturn(ierr);
}
#endif

int DeviceCurrentStream(void **stream)
{
#if PetscDefined(HAVE_CUDA)
  cudaStream_t    current = nullptr;
  PetscDeviceType type    = PETSC_DEVICE_CUDA;

  *stream = nullptr;
  if (GetStream(&current, &type)) {
    snprintf(text, sizeof(text), "PETSc has no current device context");
    explained = cudaErrorUnknown;
    return DeviceError(cudaErrorUnknown);
  }
  if (type != PETSC_DEVICE_CUDA) {
    snprintf(text, sizeof(text), "PETSc's current device context is of type %s and not cuda: leave out -default_device_type and -root_device_context_device_type", PetscDeviceTypes[type]);
    explained = cudaErrorUnknown;
    return DeviceError(cudaErrorUnknown);
  }
  *stream = current;
  return cudaSuccess;
#else
  int error = cudaSuccess;

  if (!own) error = DeviceError(cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking));
  if (error) own = nullptr;
  *stream = own;
  return error;
#endif
}

void *DeviceStream(void)
{
  void *stream;

  return DeviceCurrentStream(&stream) ? nullptr : stream;
}

bool DeviceFind(int rank, const char **reason)
{
  int n = 0, device;

  if (!chosen) {
    const cudaError_t error = cudaGetDeviceCount(&n);

    chosen = true;
    if (DeviceError(error) == cudaSuccess && n > 0) {
#if PetscDefined(HAVE_CUDA)
      void *stream;

      /* PETSc gives each process its device when it is first asked for one */
      if (Initialize())
        snprintf(text, sizeof(text), "PETSc cannot use the device: is it initialized, and without -device_enable none?");
      else
        found = DeviceError(cudaGetDevice(&device)) == cudaSuccess && !DeviceCurrentStream(&stream);
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

void DeviceFinalize(void)
{
  if (own) (void)cudaStreamDestroy(own);
  own    = nullptr;
  chosen = found = false;
  text[0]        = 0;
}
