/*
  What the speed of the direct solver on a device hangs on, measured without petlap: cuBLAS at the shapes of large fronts in single, TF32 and double
  precision, the time between the nodes of a graph, and the rate of a copy. tests/gpu/carry builds it.
*/
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#define Call(...)                                              \
  do {                                                         \
    const int error_ = (int)(__VA_ARGS__);                     \
    if (error_) {                                              \
      printf("failed: line %d, error %d\n", __LINE__, error_); \
      exit(1);                                                 \
    }                                                          \
  } while (0)

__global__ static void Nothing(int *p)
{
  if (p && threadIdx.x == 999) *p = 1;
}

__global__ static void Fill(size_t n, float *x)
{
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) x[i] = (float)((i * 2654435761u) >> 8 & 65535) / 65536.0f - 0.5f;
}

static cudaStream_t stream;

/* Microseconds of f, the median of seven times n calls */
template <class F>
static double Time(F f, int n)
{
  std::vector<float> times;
  cudaEvent_t        begin, end;

  Call(cudaEventCreate(&begin));
  Call(cudaEventCreate(&end));
  for (int k = 0; k < 3; k++) f();
  for (int round = 0; round < 7; round++) {
    float ms;

    Call(cudaEventRecord(begin, stream));
    for (int k = 0; k < n; k++) f();
    Call(cudaEventRecord(end, stream));
    Call(cudaEventSynchronize(end));
    Call(cudaEventElapsedTime(&ms, begin, end));
    times.push_back(ms / (float)n);
  }
  Call(cudaEventDestroy(begin));
  Call(cudaEventDestroy(end));
  std::sort(times.begin(), times.end());
  return 1e3 * times[3];
}

/* Chains of kernels that do nothing, side by side in one graph */
static void Chains(int chains)
{
  const int       length = 256;
  cudaStream_t    side[16];
  cudaEvent_t     fork, join;
  cudaGraph_t     graph;
  cudaGraphExec_t exec;

  Call(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  Call(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
  for (cudaStream_t &s : side) Call(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  Call(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  Call(cudaEventRecord(fork, stream));
  for (int c = 0; c < chains; c++) {
    Call(cudaStreamWaitEvent(side[c], fork, 0));
    for (int k = 0; k < length; k++) Nothing<<<8, 256, 0, side[c]>>>(nullptr);
    Call(cudaEventRecord(join, side[c]));
    Call(cudaStreamWaitEvent(stream, join, 0));
  }
  Call(cudaStreamEndCapture(stream, &graph));
  Call(cudaGraphInstantiate(&exec, graph, 0));
  printf("graph of %2d chains of %d kernels: %.2f us for each link\n", chains, length, Time([&] { Call(cudaGraphLaunch(exec, stream)); }, 5) / length);
  Call(cudaGraphExecDestroy(exec));
  Call(cudaGraphDestroy(graph));
  for (cudaStream_t s : side) Call(cudaStreamDestroy(s));
  Call(cudaEventDestroy(fork));
  Call(cudaEventDestroy(join));
}

/* Microseconds of C -= A B in a batch */
static double Multiply(cublasHandle_t handle, int kind, int m, int n, int k, int batch, float *x, float *y, size_t length)
{
  const float     alpha = -1, beta = 1;
  const double    alpha2 = -1, beta2 = 1;
  const long long a = (long long)m * k, b = (long long)k * n, c = (long long)m * n;

  return Time(
    [&] {
      if (kind == 2)
        Call(cublasDgemmStridedBatched(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &alpha2, (double *)x, m, a, (double *)x + length / 4, k, b, &beta2, (double *)y, m, c, batch));
      else
        Call(cublasGemmStridedBatchedEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &alpha, x, CUDA_R_32F, m, a, x + length / 2, CUDA_R_32F, k, b, &beta, y, CUDA_R_32F, m, c, batch, kind ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                        CUBLAS_GEMM_DEFAULT));
    },
    20);
}

int main()
{
  const size_t   length = (size_t)1 << 28, workspace = (size_t)32 << 20;
  float         *x, *y;
  void          *work;
  cublasHandle_t handle;
  /* m, n, k and batch of the products in a step of the elimination (panel, update), of T and of D, at the heights of 2561 x 2561 and of 513 x 513 points */
  const int shapes[][4] = {
    {64, 160, 64, 64},  {160, 160, 64, 64}, {64, 640, 64, 4},    {640, 640, 64, 4},    {64, 2561, 64, 1},     {2561, 2561, 64, 1},   {80, 240, 80, 114}, {240, 240, 80, 114}, {160, 480, 160, 28}, {480, 480, 160, 28},
    {320, 960, 320, 7}, {960, 960, 320, 7}, {640, 1920, 640, 2}, {1920, 1920, 640, 2}, {1280, 2561, 1280, 1}, {2561, 2561, 1280, 1}, {128, 385, 128, 2}, {385, 385, 128, 2},  {256, 513, 256, 1},  {513, 513, 256, 1},
  };

  Call(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  Call(cudaMalloc(&x, length * sizeof(float)));
  Call(cudaMalloc(&y, length * sizeof(float)));
  Call(cudaMalloc(&work, workspace));
  Fill<<<4096, 256, 0, stream>>>(length, x);
  Call(cudaGetLastError());
  Fill<<<4096, 256, 0, stream>>>(length, y);
  Call(cudaGetLastError());
  Call(cublasCreate(&handle));
  Call(cublasSetStream(handle, stream));
  Call(cublasSetWorkspace(handle, work, workspace));
  printf("copy: %.0f GB/s read and written\n", 2e-3 * (double)(length * sizeof(float)) / Time([&] { Call(cudaMemcpyAsync(y, x, length * sizeof(float), cudaMemcpyDeviceToDevice, stream)); }, 5));
  for (int chains : {1, 4, 16}) Chains(chains);
  printf("%5s %5s %5s %5s | single us TF/s | TF32 us  TF/s | double us TF/s\n", "m", "n", "k", "batch");
  for (const auto &s : shapes) {
    printf("%5d %5d %5d %5d |", s[0], s[1], s[2], s[3]);
    for (int kind = 0; kind < 3; kind++) {
      const double us = Multiply(handle, kind, s[0], s[1], s[2], s[3], x, y, length);

      printf(" %8.1f %5.1f |", us, 2e-6 * s[0] * s[1] * s[2] * s[3] / us);
    }
    printf("\n");
  }
  Call(cudaDeviceSynchronize());
  return 0;
}
