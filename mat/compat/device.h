/*
  What the CUDA executors share: launches, memory, errors, complex numbers. Included by .cu files only, and by unit tests of device code.

  Where petlap is configured with PETLAP_CUDA=EMULATE, cuda_runtime.h is the one of tests/gpu/emulate and the same files are compiled for the
  processor. Three things keep them the same: kernels are launched by DeviceLaunch(), get their shared memory from DeviceShared(), and
  call of CUDA what the emulation has.
*/
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

/* Loops over arrays that shall stay in registers */
#if defined(PETLAP_CUDA_EMULATED)
  #define DEVICE_UNROLL
#else
  #define DEVICE_UNROLL _Pragma("unroll")
#endif

#if defined(PETLAP_CUDA_EMULATED)

template <class... P, class... A>
static inline cudaError_t DeviceLaunch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream, A... a)
{
  return EmulateLaunch(stream, grid, block, shared, [=] { kernel((P)a...); });
}
template <class T>
static inline T *DeviceShared(void)
{
  return (T *)EmulateSharedMemory();
}

#else

template <class... P, class... A>
static inline cudaError_t DeviceLaunch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream, A... a)
{
  kernel<<<grid, block, shared, stream>>>((P)a...);
  return cudaGetLastError();
}
template <class T>
static __device__ __forceinline__ T *DeviceShared(void)
{
  extern __shared__ double2 petlap_shared[];

  return (T *)petlap_shared;
}

#endif

/* Leaves a function that returns a cudaError_t */
#define DeviceCall(...)                                     \
  do {                                                      \
    const cudaError_t device_error_ = (__VA_ARGS__);        \
    if (device_error_ != cudaSuccess) return device_error_; \
  } while (0)

/* Lets a kernel have more shared memory in a block than the 48 KiB that every device allows */
template <class... P>
static inline cudaError_t DeviceAllowShared(void (*kernel)(P...), size_t bytes)
{
  return bytes > 48 * 1024 ? cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes) : cudaSuccess;
}

/* An array on the device that is as long as it must be: contents are lost when it grows */
template <class T>
struct DeviceArray {
  T     *p = nullptr;
  size_t n = 0;

  cudaError_t Resize(size_t size)
  {
    if (size <= n) return cudaSuccess;
    Free();
    DeviceCall(cudaMalloc(&p, size * sizeof(T)));
    n = size;
    return cudaSuccess;
  }
  cudaError_t Set(const T *host, size_t size)
  {
    DeviceCall(Resize(size));
    if (!size) return cudaSuccess;
    DeviceCall(cudaMemcpy(p, host, size * sizeof(T), cudaMemcpyHostToDevice));
    /* The copy may end later than the call, and streams that do not block do not wait for it */
    return cudaDeviceSynchronize();
  }
  void Free(void)
  {
    if (p) (void)cudaFree(p);
    p = nullptr;
    n = 0;
  }
};

/* Complex numbers for device code, laid out as those of C++ */
template <class R>
struct alignas(2 * sizeof(R)) DeviceComplex {
  R re, im;

  DeviceComplex() = default;
  __host__ __device__ constexpr DeviceComplex(R r, R i = 0) : re(r), im(i) {}
  template <class S>
  __host__ __device__ constexpr explicit DeviceComplex(const DeviceComplex<S> &z) : re((R)z.re), im((R)z.im)
  {}
};
template <class R>
__host__ __device__ inline DeviceComplex<R> operator+(DeviceComplex<R> a, DeviceComplex<R> b)
{
  return {a.re + b.re, a.im + b.im};
}
template <class R>
__host__ __device__ inline DeviceComplex<R> operator-(DeviceComplex<R> a, DeviceComplex<R> b)
{
  return {a.re - b.re, a.im - b.im};
}
template <class R>
__host__ __device__ inline DeviceComplex<R> operator-(DeviceComplex<R> a)
{
  return {-a.re, -a.im};
}
template <class R>
__host__ __device__ inline DeviceComplex<R> operator*(DeviceComplex<R> a, DeviceComplex<R> b)
{
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class R>
__host__ __device__ inline DeviceComplex<R> &operator+=(DeviceComplex<R> &a, DeviceComplex<R> b)
{
  return a = a + b;
}
template <class R>
__host__ __device__ inline DeviceComplex<R> &operator-=(DeviceComplex<R> &a, DeviceComplex<R> b)
{
  return a = a - b;
}

/* Modulus, conjugate and inverse of real and complex numbers */
template <class R>
struct DeviceScalar {
  typedef R                                    Real;
  static __host__ __device__ __forceinline__ R Abs(R a)
  {
    return a < 0 ? -a : a;
  }
  static __host__ __device__ __forceinline__ R Conj(R a)
  {
    return a;
  }
  static __host__ __device__ __forceinline__ R Inverse(R a)
  {
    return 1 / a;
  }
  static __host__ __device__ __forceinline__ R RealPart(R a)
  {
    return a;
  }
};
template <class R>
struct DeviceScalar<DeviceComplex<R>> {
  typedef R Real;
  /* The larger part, and half of the other: good enough to choose and to judge pivots, and never overflows */
  static __host__ __device__ __forceinline__ R Abs(DeviceComplex<R> a)
  {
    const R x = a.re < 0 ? -a.re : a.re, y = a.im < 0 ? -a.im : a.im;

    return x > y ? x + y / 2 : y + x / 2;
  }
  static __host__ __device__ __forceinline__ DeviceComplex<R> Conj(DeviceComplex<R> a)
  {
    return {a.re, -a.im};
  }
  static __host__ __device__ __forceinline__ DeviceComplex<R> Inverse(DeviceComplex<R> a)
  {
    const R s = (a.re < 0 ? -a.re : a.re) + (a.im < 0 ? -a.im : a.im), x = a.re / s, y = a.im / s, d = s * (x * x + y * y);

    return {x / d, -y / d};
  }
  static __host__ __device__ __forceinline__ R RealPart(DeviceComplex<R> a)
  {
    return a.re;
  }
};
