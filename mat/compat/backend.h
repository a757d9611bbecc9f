/*
  Where a component does its work. The plumbing asks here and needs no header of CUDA.
*/
#pragma once

#include "petlap.h"

/* Names of PetlapBackend for options and views */
extern const char *const PetlapBackends[];

/*
  Whether the device shall be used by an object for which the user wants this, set by `option`; ondevice: its vectors or its matrix are there.
  Auto never fails: it says with PetscInfo() what is missing. An error where the device is demanded and there is none.
*/
PetscErrorCode BackendChoose(PetscObject object, PetlapBackend wanted, PetscBool ondevice, const char option[], PetscBool *device);
/* Whether the type of a matrix or of a vector keeps its values on a CUDA device */
PetscErrorCode BackendHolds(Mat A, Vec x, PetscBool *ondevice);
/* -petlap_check: results of the device are compared with those of the host, and a difference is an error */
PetscErrorCode BackendCheck(PetscBool *check);
/* The error of a call that a device executor made */
#define BackendCall(object, ...)                                                                                                          \
  do {                                                                                                                                    \
    const int backend_error_ = (__VA_ARGS__);                                                                                             \
    PetscCheck(!backend_error_, PetscObjectComm((PetscObject)(object)), PETSC_ERR_GPU, "The CUDA device reports: %s", DeviceErrorText()); \
  } while (0)

/* Below: of device.cu, absent where petlap is configured without CUDA */

/* The device that this process works on is chosen at the first call: process number `rank` of a node takes device rank modulo their number,
   unless PETSc has chosen one. False, with the reason, where there is none. */
bool DeviceFind(int rank, const char **reason);
/* The stream that PETSc works in, or one of petlap's own where PETSc knows no device; a cudaStream_t. Returns a cudaError_t. */
int DeviceCurrentStream(void **stream);
/* The same for those who need not know why there is none */
void *DeviceStream(void);
/* Keeps the text of a cudaError_t, and returns it */
int         DeviceError(int cudaerror);
const char *DeviceErrorText(void);
/* When the library is unloaded */
void DeviceFinalize(void);
