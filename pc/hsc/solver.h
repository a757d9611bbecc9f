/*
  HSC for a matrix in memory, in either precision: reading, building, shifting, applying.
*/
#pragma once

#include "pc/hsc/cycle.h"
#include "pc/hsc/eigen.h"
#include "pc/hsc/laplacian.h"
#include <memory>

namespace petlap {
namespace hsc {

enum Reorder { REORDER_AUTO, REORDER_NONE, REORDER_BFS };

struct Options {
  Rules    rules;
  Positive positive = POSITIVE_COMPENSATE;
  Reorder  reorder  = REORDER_AUTO;
  bool     strict   = false; /* single precision is only taken where it is as good as double */
  bool     scaling  = true;  /* M-matrices that are not diagonally dominant are scaled until they are */
};

struct LevelReport {
  long long n, nnz, ncut; /* of all ranks */
  bool      smooth;
  int       nranks; /* that the level is spread over */
};

struct Report {
  std::vector<LevelReport> level;                                                               /* the last one is that of the dense solver; all numbers are sums over the ranks */
  double                   operators = 0.0, grids = 0.0;                                        /* sums over the levels beside the finest */
  double                   stored    = 0.0;                                                     /* numbers of all matrices that a cycle reads */
  double                   memory    = 0.0;                                                     /* bytes */
  bool                     reordered = false, clamped = false, scaled = false, lacking = false; /* lacking: rows have negative sums, and no scaling was found that mends it */
  bool                     bounded  = false;                                                    /* positive entries were dropped, as there are too many triangles to compensate them in */
  long long                nclamped = 0, ncoupling = 0;
};

struct DeviceReport {
  int    launches = 0; /* of kernels, for the last application */
  size_t memory   = 0; /* bytes */
  int    colors   = 0; /* most on a level, 0 where rows are not sorted by colour */
};

class Solver {
public:
  enum Outcome { BUILT, ASYMMETRIC, INDEFINITE, TOO_DENSE, TOO_COARSE }; /* the last: where single precision is not as good as double and that is asked for */

  static const int maxdense    = 20000; /* largest dense system that is factored */
  static const int outofmemory = 2;     /* result of Upload() where the device has not enough */

  /* together: see DeviceCycle */
  static std::unique_ptr<Solver> Create(bool single, int together = 4096);
  virtual ~Solver() = default;
  /* lattice may be null and is used up. With outside, A is the part of the rows whose columns are on this rank too, and everything that is not const below is collective, as is GetReport(). */
  virtual Outcome Build(const Rows &A, const Survey &survey, Lattice *lattice, const Options &options, Asymmetry &asymmetry, const Outside *outside = nullptr) = 0;
  /* For A + diag(t), or A - diag(t) where A is the negative of a Laplacian; t is by row or, if null, the same for all; false where the coarsest level is not positive definite */
  virtual bool   Shift(const double t[], double all)                                             = 0;
  virtual void   Apply(const Sweeps &sweeps, bool transpose, const PetscReal b[], PetscReal x[]) = 0;
  virtual Report GetReport() const                                                               = 0;
  /* Of one cycle, on this rank: operations, and bytes that it reads or writes when nothing stays in a cache */
  virtual double Flops(const Sweeps &sweeps) const = 0;
  virtual double Bytes(const Sweeps &sweeps) const = 0;
  /* For the eigensolver, while the hierarchy stays as it is; null where rows of the matrix fix other unknowns, where it was scaled, and on several ranks */
  virtual std::unique_ptr<EigenLevels> Levels() = 0;

  /* The device, where petlap has one. Both return a cudaError_t; Upload() does nothing where the device has what these sweeps need, and frees what it had where it fails. */
  virtual int          Upload(const Sweeps &sweeps)                                                                                                      = 0;
  virtual int          ApplyOnDevice(const Sweeps &sweeps, bool transpose, bool bdevice, bool xdevice, const PetscReal b[], PetscReal x[], void *stream) = 0;
  virtual DeviceReport GetDeviceReport() const                                                                                                           = 0;
};

} // namespace hsc
} // namespace petlap
