/*
  The device layer by itself: launches of uneven size, barriers, shuffles, shared memory, graphs, events, arrays. On machines without a
  device the emulation is what is tested here.
*/
#include "mat/compat/device.h"
#include "mat/compat/backend.h"

#include <cmath>
#include <cstdio>
#include <vector>

static int failures = 0;

static void Check(bool good, const char *what)
{
  printf("%s - %s\n", good ? "ok" : "not ok", what);
  failures += !good;
}

#define TestCall(...)                                                         \
  do {                                                                        \
    const cudaError_t error_ = (__VA_ARGS__);                                 \
    if (error_ != cudaSuccess) {                                              \
      printf("not ok - line %d: %s\n", __LINE__, cudaGetErrorString(error_)); \
      return 1;                                                               \
    }                                                                         \
  } while (0)

/* Sum of each block's part by a tree in shared memory, and of each warp's by shuffles */
__global__ static void Sums(int n, const double *x, double *bytree, double *byshuffle)
{
  double   *s = DeviceShared<double>();
  const int t = (int)threadIdx.x, i = (int)(blockIdx.x * blockDim.x) + t;
  double    v = i < n ? x[i] : 0;

  s[t] = v;
  __syncthreads();
  for (int half = (int)blockDim.x / 2; half > 0; half /= 2) {
    if (t < half) s[t] += s[t + half];
    __syncthreads();
  }
  if (!t) bytree[blockIdx.x] = s[0];
  for (int k = 16; k > 0; k /= 2) v += __shfl_xor_sync(0xffffffffu, v, k);
  if (t % 32 == 0) atomicAdd(&byshuffle[blockIdx.x], v);
}

/* Threads that end before the others reach a barrier, three dimensions of threads */
__global__ static void Early(int *x)
{
  int      *s = DeviceShared<int>();
  const int t = (int)(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));

  s[t] = t;
  __syncthreads();
  if (t >= 40) return;
  x[t] = s[t + 20];
  __syncthreads();
  atomicAdd(&x[40], x[39 - t]);
}

__global__ static void Scale(double a, int n, double *x)
{
  for (int i = (int)(blockIdx.x * blockDim.x + threadIdx.x); i < n; i += (int)(gridDim.x * blockDim.x)) x[i] *= a;
}

/* One number for each thread of shared memory, whatever there is */
__global__ static void Room(int *x)
{
  int *room = DeviceShared<int>();

  room[threadIdx.x] = (int)threadIdx.x;
  __syncthreads();
  if (!threadIdx.x) *x = room[1];
}

__global__ static void NeverLaunchedBefore(int *x)
{
  *x = 5;
}

/* What a device refuses, so that code which passes on the emulated one passes on others too */
static int RunRefused(void)
{
  cudaStream_t     a, b;
  cudaEvent_t      e;
  cudaGraph_t      graph = nullptr;
  cudaGraphExec_t  exec;
  DeviceArray<int> x;
  int              value = 0;

  TestCall(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
  TestCall(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
  TestCall(cudaEventCreateWithFlags(&e, cudaEventDisableTiming));
  TestCall(x.Resize(2));
  Check(DeviceError(cudaGraphExecDestroy(nullptr)) != cudaSuccess, "no graph is destroyed");
  Check(DeviceError(DeviceLaunch(Room, 1, 32, 60 * 1024, a, x.p)) != cudaSuccess, "more shared memory than a kernel has without asking");
  TestCall(DeviceAllowShared(Room, 60 * 1024));
  Check(DeviceError(DeviceLaunch(Room, 1, 32, 60 * 1024, a, x.p)) == cudaSuccess, "and after it has asked");
  TestCall(cudaStreamSynchronize(a));

  /* An error that someone has left behind is not the launch's, but shall not be left behind */
  (void)cudaGraphExecDestroy(nullptr);
#if defined(PETLAP_CUDA_EMULATED)
  Check(DeviceError(DeviceLaunch(Room, 1, 32, 1024, a, x.p)) != cudaSuccess, "an error that is left behind is found");
#else
  Check(DeviceLaunch(Room, 1, 32, 1024, a, x.p) == cudaSuccess, "a launch tells of itself alone");
  (void)cudaGetLastError();
#endif

  /* b is captured with a, and does not come back */
  TestCall(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
  TestCall(cudaEventRecord(e, a));
  TestCall(cudaStreamWaitEvent(b, e, 0));
  TestCall(cudaMemsetAsync(x.p, 0, sizeof(int), b));
  Check(DeviceError(cudaStreamEndCapture(a, &graph)) != cudaSuccess, "a capture whose streams do not join");
#if defined(PETLAP_CUDA_EMULATED)
  TestCall(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
  Check(DeviceError(DeviceLaunch(NeverLaunchedBefore, 1, 1, 0, a, x.p)) != cudaSuccess, "a first launch in a capture");
  TestCall(cudaStreamEndCapture(a, &graph));
  TestCall(cudaGraphDestroy(graph));
#endif
  TestCall(DeviceLoad(NeverLaunchedBefore));
  TestCall(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
  TestCall(DeviceLaunch(NeverLaunchedBefore, 1, 1, 0, a, x.p));
  TestCall(cudaEventRecord(e, a));
  TestCall(cudaStreamWaitEvent(b, e, 0));
  TestCall(cudaMemcpyAsync(x.p + 1, x.p, sizeof(int), cudaMemcpyDeviceToDevice, b));
  TestCall(cudaEventRecord(e, b));
  TestCall(cudaStreamWaitEvent(a, e, 0));
  TestCall(cudaMemsetAsync(x.p, 0, sizeof(int), a));
  TestCall(cudaStreamEndCapture(a, &graph));
  TestCall(cudaGraphInstantiate(&exec, graph, 0));
  TestCall(cudaGraphDestroy(graph));
  TestCall(cudaGraphLaunch(exec, a));
  TestCall(cudaMemcpyAsync(&value, x.p + 1, sizeof(int), cudaMemcpyDeviceToHost, a));
  TestCall(cudaStreamSynchronize(a));
  TestCall(cudaGraphExecDestroy(exec));
  Check(value == 5, "a graph of two streams");
  x.Free();
  TestCall(cudaEventDestroy(e));
  TestCall(cudaStreamDestroy(a));
  TestCall(cudaStreamDestroy(b));
  return 0;
}

static int Run(void)
{
  const int           n = 1000, threads = 128, nblock = (n + threads - 1) / threads;
  std::vector<double> x(n), tree(nblock), shuffle(nblock), y(n);
  DeviceArray<double> dx, dt, ds;
  DeviceArray<int>    di;
  std::vector<int>    ints(41);
  cudaStream_t        a, b;
  cudaEvent_t         e;
  cudaGraph_t         graph;
  cudaGraphExec_t     exec;
  bool                good = true;

  for (int i = 0; i < n; i++) x[i] = (i * 37) % 101;
  TestCall(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
  TestCall(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
  TestCall(cudaEventCreateWithFlags(&e, cudaEventDisableTiming));
  TestCall(dx.Set(x.data(), n));
  TestCall(dt.Resize(nblock));
  TestCall(ds.Resize(nblock));
  TestCall(cudaMemsetAsync(ds.p, 0, nblock * sizeof(double), a));
  TestCall(DeviceLaunch(Sums, nblock, threads, threads * sizeof(double), a, n, dx.p, dt.p, ds.p));
  TestCall(cudaMemcpyAsync(tree.data(), dt.p, nblock * sizeof(double), cudaMemcpyDeviceToHost, a));
  TestCall(cudaMemcpyAsync(shuffle.data(), ds.p, nblock * sizeof(double), cudaMemcpyDeviceToHost, a));
  TestCall(cudaStreamSynchronize(a));
  for (int k = 0; k < nblock; k++) {
    double sum = 0;

    for (int i = k * threads; i < n && i < (k + 1) * threads; i++) sum += x[i];
    good = good && sum == tree[k] && sum == shuffle[k];
  }
  Check(good, "sums by barriers and by shuffles");

  std::vector<int> zero(41, 0);

  TestCall(di.Set(zero.data(), 41));
  TestCall(DeviceLaunch(Early, 1, dim3(10, 3, 2), 60 * sizeof(int), a, di.p));
  TestCall(cudaMemcpyAsync(ints.data(), di.p, 41 * sizeof(int), cudaMemcpyDeviceToHost, a));
  TestCall(cudaStreamSynchronize(a));
  good = ints[40] == 40 * 39 / 2 + 40 * 20;
  for (int i = 0; i < 40; i++) good = good && ints[i] == i + 20;
  Check(good, "threads that end before a barrier");

  /* Two streams, the second of which waits for the first; then the same as a graph, twice */
  TestCall(DeviceLaunch(Scale, 3, 64, 0, a, 2.0, n, dx.p));
  TestCall(cudaEventRecord(e, a));
  TestCall(cudaStreamWaitEvent(b, e, 0));
  TestCall(cudaMemcpyAsync(y.data(), dx.p, n * sizeof(double), cudaMemcpyDeviceToHost, b));
  TestCall(cudaStreamSynchronize(b));
  good = true;
  for (int i = 0; i < n; i++) good = good && y[i] == 2 * x[i];
  Check(good, "an event between two streams");
  TestCall(cudaStreamBeginCapture(a, cudaStreamCaptureModeThreadLocal));
  TestCall(DeviceLaunch(Scale, 3, 64, 0, a, 2.0, n, dx.p));
  TestCall(DeviceLaunch(Scale, 1, 33, 0, a, 0.25, n, dx.p));
  TestCall(cudaStreamEndCapture(a, &graph));
  TestCall(cudaGraphInstantiate(&exec, graph, 0));
  TestCall(cudaGraphDestroy(graph));
  for (int k = 0; k < 2; k++) TestCall(cudaGraphLaunch(exec, a));
  TestCall(cudaMemcpyAsync(y.data(), dx.p, n * sizeof(double), cudaMemcpyDeviceToHost, a));
  TestCall(cudaStreamSynchronize(a));
  TestCall(cudaGraphExecDestroy(exec));
  good = true;
  for (int i = 0; i < n; i++) good = good && y[i] == 0.5 * x[i];
  Check(good, "a graph launched twice");

  const DeviceComplex<double> u(3, -4), v(0.5, 2), w = u * v * DeviceScalar<DeviceComplex<double>>::Inverse(v) - u;

  Check(w.re * w.re + w.im * w.im < 1e-28, "complex division");
  Check(fabs(DeviceScalar<DeviceComplex<double>>::Inverse(DeviceComplex<double>(0, 1e-300)).im * 1e-300 + 1) < 1e-15, "complex division of small numbers");
  Check(DeviceError(DeviceLaunch(Scale, 1, 2048, 0, a, 2.0, n, dx.p)) != cudaSuccess, "a launch with too many threads fails");
  dx.Free();
  dt.Free();
  ds.Free();
  di.Free();
  TestCall(cudaEventDestroy(e));
  TestCall(cudaStreamDestroy(a));
  TestCall(cudaStreamDestroy(b));
  return 0;
}

int main(int argc, char **argv)
{
  const char *reason;

  /* A PETSc with CUDA chooses the device and the stream */
  if (PetscInitialize(&argc, &argv, nullptr, nullptr)) return 1;
  if (!DeviceFind(0, &reason)) {
    printf("ok - # SKIP %s\n", reason);
    return PetscFinalize() || !reason[0] ? 1 : 77;
  }
  if (Run() || RunRefused()) failures++;
  DeviceFinalize();
  return PetscFinalize() || failures;
}
