/*
  What the CUDA executors share: launches, memory, errors, complex numbers. Included by .cu files only, and by unit tests of device code.

  Where petlap is configured with PETLAP_CUDA=EMULATE, cuda_runtime.h is the one of tests/gpu/emulate and the same files are compiled for the
  processor. Three things keep them the same: kernels are launched by DeviceLaunch(), get their shared memory from DeviceShared(), and
  call of CUDA what the emulation has.
*/
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <initializer_list>

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
  return EmulateLaunch((const void *)kernel, stream, grid, block, shared, [=] { kernel((P)a...); });
}
template <class T>
static inline T *DeviceShared(void)
{
  return (T *)EmulateSharedMemory();
}

#else

template <class... P>
static inline cudaError_t DeviceLaunchArguments(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream, P... p)
{
  void *arguments[] = {(void *)&p..., nullptr};

  return cudaLaunchKernel((const void *)kernel, grid, block, arguments, shared, stream);
}
/* Tells of this launch, and not of an error that PETSc or the application has left behind, as cudaGetLastError() would */
template <class... P, class... A>
static inline cudaError_t DeviceLaunch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream, A... a)
{
  return DeviceLaunchArguments(kernel, grid, block, shared, stream, (P)a...);
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

/* Lets a kernel have so much shared memory in a block, which without this may be 48 KiB */
template <class... P>
static inline cudaError_t DeviceAllowShared(void (*kernel)(P...), size_t bytes)
{
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes);
}

/* Loads kernels, which the device otherwise does when they are first launched: not in a capture, please */
template <class... K>
static inline cudaError_t DeviceLoad(K... kernel)
{
  cudaError_t error = cudaSuccess;

  for (const cudaError_t e : {cudaSuccess, [&] {
                                cudaFuncAttributes attributes;

                                return cudaFuncGetAttributes(&attributes, kernel);
                              }()...}) {
    if (error == cudaSuccess) error = e;
  }
  return error;
}

#if !defined(PETLAP_CUDA_EMULATED)
/* Functions of one of CUDA's libraries, which petlap is not linked with. DeviceError() then keeps a text that names the cure. */
struct DeviceFunction {
  const char *name;
  void      **function;
};
cudaError_t DeviceOpen(const char library[], int version, std::initializer_list<DeviceFunction> functions);
#endif

/* An executor whose arrays two streams would share: work of another stream than the last one waits for it */
class DeviceOrder {
public:
  cudaError_t Enter(cudaStream_t stream)
  {
    if (used && stream != last) DeviceCall(cudaDeviceSynchronize());
    used = true;
    last = stream;
    return cudaSuccess;
  }

private:
  cudaStream_t last = nullptr;
  bool         used = false;
};

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
