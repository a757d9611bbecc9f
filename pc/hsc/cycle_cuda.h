/*
  The cycle of the hierarchy on a CUDA device. The hierarchy is built by the host and copied; vectors may be in the memory of either.

  Functions that return int return a cudaError_t.
*/
#pragma once

#include "pc/hsc/cycle.h"
#include <memory>

namespace petlap {
namespace hsc {

/* What happens to vectors before and after the cycle, for rows of the matrix that is preconditioned */
struct Frame {
  double           scale   = 1.0;
  const PetscReal *factors = nullptr; /* right-hand sides and solutions are multiplied by these, unless null */
  /* Right-hand sides b become b - C b and solutions x of the transposed problem x - C' x; C is given by entries, each row of which is together */
  int                    ncoupling = 0;
  std::vector<int>       row, col;
  std::vector<PetscReal> value;
};

template <typename Real>
class DeviceCycle {
public:
  static const int outofmemory = 2; /* the cudaError_t of that name */

  /* Operations with at most so many rows are done by a single block of threads, as many as follow on each other at once */
  static std::unique_ptr<DeviceCycle> Create(int together = 4096);
  virtual ~DeviceCycle() = default;
  /* Copies a hierarchy, whose rows are sorted by colour if Gauss-Seidel is to smooth. What it was built from may go, and does not follow it when it changes. */
  virtual int Build(const Hierarchy<Real> &h, Cycle<Real> &cycle, const Frame &frame) = 0;
  /*
    x = M b on a stream, a cudaStream_t; waits for its end only where a vector is in the memory of the host. The sweeps are as they are for the transposed
    cycle already.
  */
  virtual int Apply(const Sweeps &sweeps, bool transpose, bool bdevice, bool xdevice, const PetscReal b[], PetscReal x[], void *stream) = 0;
  /* Bytes on the device, and launches of kernels for the last application */
  virtual size_t Memory() const   = 0;
  virtual int    Launches() const = 0;
};

} // namespace hsc
} // namespace petlap
