/*
  The network applied by a CUDA device, for a process that has all cells. Lists, kernels and weights are those of the host's network.

  All functions return a cudaError_t, whose text DeviceErrorText() keeps.
*/
#pragma once

#include <cstddef>

namespace petlap {
namespace neural {

class Network;

class NetworkDevice {
public:
  NetworkDevice();
  ~NetworkDevice();
  NetworkDevice(const NetworkDevice &)            = delete;
  NetworkDevice &operator=(const NetworkDevice &) = delete;

  /* After Network::SetImage() and Network::SetKernels(); SetKernels() where only these have changed. Both wait for what the device does. */
  int SetNetwork(const Network &);
  int SetKernels(const Network &);
  /*
    Where the s-th segment of the network begins in vectors: among the 32 cells of a row from a multiple of 32 on, numbers must not grow faster than cells. scaling, by number in the vectors,
    is multiplied with input and output; null for none. For the rows other[], output is input times otherinv[].
  */
  int SetVectors(const Network &, const ptrdiff_t offset[], size_t n, const double scaling[], size_t nother, const size_t other[], const double otherinv[]);
  /* z = factor P r for vectors on the device, which stream (a cudaStream_t) then computes. Nothing is copied, and nobody waits. */
  int Apply(void *stream, const double r[], double factor, double z[]);
  /* The same for vectors of n numbers, either of which may be the host's: waits for the result where that is */
  int ApplyStaged(void *stream, size_t n, const double r[], bool ronhost, double factor, double z[], bool zonhost);

  size_t Memory() const;
  int    Launches() const; /* kernels of one application */

private:
  struct Data;
  Data *data;
};

} // namespace neural
} // namespace petlap
