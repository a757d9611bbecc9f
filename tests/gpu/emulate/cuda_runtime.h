/*
  The part of the CUDA runtime that petlap uses, run by the processor: for tests of device code on machines that have no device.

  Each thread of a block is a fiber, so that kernels may synchronise as they do on a device. What is put into a stream is done only when
  someone waits for it, in an order of blocks and threads that PETLAP_EMULATE_ORDER chooses (forward, reverse, shuffle): code that counts on
  an order, or that lacks a barrier, then gives different results. Device memory can only be touched while device code runs, and starts
  as NaN, as shared memory does for each block.
*/
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>

#define PETLAP_CUDA_EMULATED 1

#define __global__
#define __device__
#define __host__
#define __constant__
#define __shared__      static
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
  unsigned int x, y, z;

  constexpr dim3(unsigned int x_ = 1, unsigned int y_ = 1, unsigned int z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(8) int2 {
  int x, y;
};
struct int3 {
  int x, y, z;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
static inline float2 make_float2(float x, float y)
{
  return {x, y};
}
static inline float4 make_float4(float x, float y, float z, float w)
{
  return {x, y, z, w};
}
static inline double2 make_double2(double x, double y)
{
  return {x, y};
}
static inline int2 make_int2(int x, int y)
{
  return {x, y};
}
static inline int4 make_int4(int x, int y, int z, int w)
{
  return {x, y, z, w};
}

extern dim3          threadIdx, blockIdx, blockDim, gridDim;
static constexpr int warpSize = 32;

void  EmulateBarrier(int warp); /* of the block (-1) or of a warp */
void *EmulateSharedMemory(void);
void *EmulateWarpExchange(const void *value, size_t size, int lane);

static inline int EmulateThread(void)
{
  return (int)(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
}
static inline void __syncthreads(void)
{
  EmulateBarrier(-1);
}
static inline void __syncwarp(unsigned int = 0xffffffffu)
{
  EmulateBarrier(EmulateThread() / warpSize);
}
static inline void __threadfence(void) {}
template <class T>
static inline T EmulateShuffle(T value, int lane)
{
  T result;

  memcpy(&result, EmulateWarpExchange(&value, sizeof(T), lane), sizeof(T));
  EmulateBarrier(EmulateThread() / warpSize);
  return result;
}
template <class T>
static inline T __shfl_sync(unsigned int, T value, int lane, int width = warpSize)
{
  const int me = EmulateThread() % warpSize;

  return EmulateShuffle(value, me / width * width + lane % width);
}
template <class T>
static inline T __shfl_xor_sync(unsigned int, T value, int mask, int = warpSize)
{
  return EmulateShuffle(value, (EmulateThread() % warpSize) ^ mask);
}
template <class T>
static inline T __shfl_down_sync(unsigned int, T value, unsigned int delta, int width = warpSize)
{
  const int me = EmulateThread() % warpSize;

  return EmulateShuffle(value, me % width + (int)delta < width ? me + (int)delta : me);
}
static inline int __popc(unsigned int v)
{
  return __builtin_popcount(v);
}
template <class T>
static inline T min(T a, T b)
{
  return b < a ? b : a;
}
template <class T>
static inline T max(T a, T b)
{
  return a < b ? b : a;
}
template <class T>
static inline T __ldg(const T *p)
{
  return *p;
}
template <class T>
static inline T atomicAdd(T *p, T value)
{
  const T old = *p;

  *p = old + value;
  return old;
}
template <class T>
static inline T atomicMax(T *p, T value)
{
  const T old = *p;

  if (value > old) *p = value;
  return old;
}
template <class T>
static inline T atomicMin(T *p, T value)
{
  const T old = *p;

  if (value < old) *p = value;
  return old;
}

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2, cudaErrorNotReady = 600, cudaErrorStreamCaptureUnsupported = 900 };
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount, cudaDevAttrMaxSharedMemoryPerBlockOptin, cudaDevAttrMaxThreadsPerBlock, cudaDevAttrComputeCapabilityMajor, cudaDevAttrComputeCapabilityMinor };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeHost, cudaMemoryTypeDevice };

struct EmulateStream;
struct EmulateEvent;
struct EmulateGraph;
typedef EmulateStream *cudaStream_t;
typedef EmulateEvent  *cudaEvent_t;
typedef EmulateGraph  *cudaGraph_t;
typedef EmulateGraph  *cudaGraphExec_t;

struct cudaDeviceProp {
  char   name[256];
  int    major, minor, multiProcessorCount;
  size_t totalGlobalMem, sharedMemPerBlockOptin;
};
struct cudaPointerAttributes {
  cudaMemoryType type;
};

static const unsigned int cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaHostAllocDefault = 0;

const char *cudaGetErrorString(cudaError_t);
const char *cudaGetErrorName(cudaError_t);
cudaError_t cudaGetLastError(void);
cudaError_t cudaGetDeviceCount(int *);
cudaError_t cudaSetDevice(int);
cudaError_t cudaGetDevice(int *);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *, int);
cudaError_t cudaDeviceGetAttribute(int *, cudaDeviceAttr, int);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaMemGetInfo(size_t *, size_t *);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *, const void *);
cudaError_t EmulateMalloc(void **, size_t);
cudaError_t EmulateMallocHost(void **, size_t);
cudaError_t cudaFree(void *);
cudaError_t cudaFreeHost(void *);
cudaError_t cudaMemcpy(void *, const void *, size_t, cudaMemcpyKind);
cudaError_t cudaMemcpyAsync(void *, const void *, size_t, cudaMemcpyKind, cudaStream_t = nullptr);
cudaError_t cudaMemcpy2DAsync(void *, size_t, const void *, size_t, size_t, size_t, cudaMemcpyKind, cudaStream_t = nullptr);
cudaError_t cudaMemset(void *, int, size_t);
cudaError_t cudaMemsetAsync(void *, int, size_t, cudaStream_t = nullptr);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *, unsigned int);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned int = 0);
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *, cudaGraph_t, unsigned long long = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t);
cudaError_t cudaGraphDestroy(cudaGraph_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *, unsigned int);
cudaError_t cudaEventCreate(cudaEvent_t *);
cudaError_t cudaEventDestroy(cudaEvent_t);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t = nullptr);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaEventElapsedTime(float *, cudaEvent_t, cudaEvent_t);

template <class T>
static inline cudaError_t cudaMalloc(T **p, size_t bytes)
{
  return EmulateMalloc((void **)p, bytes);
}
template <class T>
static inline cudaError_t cudaMallocHost(T **p, size_t bytes)
{
  return EmulateMallocHost((void **)p, bytes);
}
template <class F>
static inline cudaError_t cudaFuncSetAttribute(F, cudaFuncAttribute, int)
{
  return cudaSuccess;
}

/* Puts work into a stream: done when someone waits for it, or recorded while the stream is captured */
cudaError_t EmulateEnqueue(cudaStream_t, std::function<void(void)>);
cudaError_t EmulateLaunch(cudaStream_t, dim3 grid, dim3 block, size_t shared, std::function<void(void)>);
