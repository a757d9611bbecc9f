/*
  The network of the neural Poisson preconditioner (Lan et al. 2024, sec. 4.2.1): a linear map from right-hand sides to approximate solutions whose
  convolution kernels depend on the image of the domain, the cells of which are air, fluid or solid.

  A kernel is an affine function of the image in the window around its cell. Written in terms of air and solid, a window of nothing but fluid has the
  constant part alone, so all cells but those near a boundary share one stencil; the others, called special, have kernels of their own, which are
  made when the image is set.

  Axis 0 runs fastest. In two dimensions the axes are 0 and 2, and axis 1 has one cell: a plane of axes 0 and 1 is then a row.
*/
#pragma once

#include "pc/neural/model.h"
#include "pc/neural/network_kernels.h"
#include "pc/neural/partition.h"
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace petlap {
namespace neural {

/* Numbers that are zero when they are made, in memory that the system gives only where it is touched */
template <typename T>
class Field {
public:
  Field()                         = default;
  Field(const Field &)            = delete;
  Field &operator=(const Field &) = delete;
  ~Field()
  {
    free(base);
  }
  void make(size_t n)
  {
    free(base);
    count = 0;
    base  = static_cast<T *>(calloc(n + 3 * SLACK, sizeof(T)));
    if (!base) throw std::bad_alloc();
    count = n;
    first = base + SLACK;
    /* At the beginning of a line of the caches */
    while ((uintptr_t)first % 64) first++;
  }
  size_t size() const
  {
    return count;
  }
  T *data()
  {
    return first;
  }
  const T *data() const
  {
    return first;
  }

private:
  /* Loops may read, and not use, a few numbers more than there are */
  enum { SLACK = 64 };
  T     *base = nullptr, *first = nullptr;
  size_t count = 0;
};

/* Items in groups, one after the other */
template <typename T>
struct Grouped {
  std::vector<T>   item;
  std::vector<int> start = {0};

  void clear()
  {
    item.clear();
    start.assign(1, 0);
  }
  void close()
  {
    start.push_back((int)item.size());
  }
  /* The first item of a group, and how many there are */
  const T *at(int group) const
  {
    return item.data() + start[group];
  }
  int count(int group) const
  {
    return start[group + 1] - start[group];
  }
  size_t Memory() const
  {
    return item.size() * sizeof(T) + start.size() * sizeof(int);
  }
};

/* The levels that a grid gets: the longest axis of the coarsest one has 4 to 7 cells */
int DefaultLevels(int dim, const int n[3]);

/* Cells x0, ..., x1 - 1 of a row */
struct Span {
  int x0, x1;
};

/* The kernel of cell x of a row */
struct Special {
  int x, kernel;
};

/* A span of the finest level within the part of this process */
struct Segment {
  int x0, x1, y, z;
};

/*
  One resolution. The grid is surrounded by a ring of solid cells, which can be active on all levels but the finest and belong to the process next to them: so
  a domain is the same whether its box ends at a wall or goes on behind it.
*/
struct Level {
  int    n[3];
  bool   whole = true; /* this process has all cells */
  Layout layout;       /* of r and x, with one layer of cells of other processes, or of zeros */

  /* By row of layout.first, ..., layout.last - 1 along axes 1 and 2 */
  Grouped<Span>    span;    /* active cells, also in the layer of other processes */
  Grouped<Special> special; /* in own cells */
  Grouped<Stretch> stretch; /* all own active cells but special ones at the ends */
  /* Special cells by own plane, and after interpolation by those own rows of a plane that are within a row of coarse cells */
  Grouped<Run>         run;
  Grouped<Single>      single, block;
  Grouped<RisenRun>    risenrun;
  Grouped<RisenSingle> risensingle, risentwo;
  long long            nactive = 0, nspecial = 0, nkernels = 0; /* own cells */

  std::vector<float>    windows;    /* by kernel: air, solid and pinned in the cells of the window */
  std::vector<unsigned> active;     /* by kernel: bits of the active cells of the window */
  std::vector<int>      risen;      /* kernels after interpolation: which they are made of, and at what place between the coarse cells */
  Field<float>          pre, post;  /* kernels of special cells, before the coarser levels, and after them and interpolation; there, at the end, also of all others */
  std::vector<float>    stencil[2]; /* of all others */
  std::vector<float>    entries[2]; /* where it only depends on the distance, its different entries; else empty */
  float                 c1 = 1.0f;

  Field<float> r, x;

  int rowOf(int y, int z) const
  {
    return (y - layout.first[1]) + (z - layout.first[2]) * (layout.last[1] - layout.first[1]);
  }
};

/* What the cells of a level contain: with two layers around those of the process. Outside the grid everything is solid. */
struct Image {
  Layout                     layout;
  std::vector<unsigned char> label;              /* of the finest level */
  std::vector<float>         air, solid, pinned; /* shares, and how far air fixes the cell, of the others */
};

/* How often something was made */
struct Counts {
  int levels = 0, lists = 0, kernels = 0, rescaled = 0;
};

class Network {
public:
  /* The partition must be aligned for this number of levels. Throws std::bad_alloc, as everything here may. */
  Network(const Partition &partition, int nlevels, Mask mask);

  /* labels of the cells of this process, axis 0 fastest; collective */
  void SetImage(const unsigned char labels[]);
  /* For the image; collective */
  void SetKernels(const Model &model);

  /* What fluid this process has, row by row */
  const std::vector<Segment> &segments() const
  {
    return segment;
  }
  /*
    z = scale P r for the fluid cells of this process; the s-th segment begins at offset[s] of r and z, and what else they hold is neither read nor written. Collective.
  */
  void Apply(const double r[], const ptrdiff_t offset[], double scale, double z[]);

  Mask GetMask() const
  {
    return mask;
  }
  int nlevels() const
  {
    return (int)level.size();
  }
  const Level &GetLevel(int l) const
  {
    return *level[l];
  }
  const Image &GetImage(int l) const
  {
    return image[l];
  }
  const Partition &GetPartition() const
  {
    return part;
  }
  /* Of the output, by the model */
  double Scale() const
  {
    return scale;
  }
  const Counts &GetCounts() const
  {
    return counts;
  }
  /* Means over all cells of a level of air and of solid in the cells of their windows, and the value of an affine block; collective */
  void   Means(int l, double mean[]) const;
  double Mean(int l, const Affine &affine) const;
  /* Of the coarse cell that a fine one lies in, its share in interpolation along an axis */
  float Near() const
  {
    return nearest ? 1.0f : 0.75f;
  }
  /* What this process makes of a level: of the first one that all have, a part that the others get */
  void Share(int l, int lo[3], int hi[3]) const;
  /* Cells of other processes: the layers around the own ones, or, of the first level that all have, all */
  template <typename T>
  void Exchange(const Level &L, const Layout &layout, T *field);
  template <typename T>
  void Gather(int l, const Layout &layout, T *field);
  /* Of one application by this process: multiplications and additions */
  double Flops() const;
  size_t Memory() const;

private:
  Partition                           part;
  Mask                                mask;
  bool                                nearest = false;
  int                                 nine; /* index of the loops for nine rows, else three */
  double                              scale = 1.0;
  std::vector<std::unique_ptr<Level>> level;
  std::vector<Image>                  image;
  std::vector<Segment>                segment;
  std::vector<int>                    segmentptr; /* by row of the finest level */
  double                              unit = 1.0; /* what the input is multiplied with to stay in the range of single precision */
  Counts                              counts;
  const NetworkKernels               &loops;
  Field<float>                        ring, work;
  int                                 below; /* distance of two rows in work */
  std::vector<float>                  zeros;
  std::vector<Span>                   dirty; /* of the rows of the ring: where they may not be zero */
  std::vector<char>                   send, receive;

  void BoundsOf(int l, const int place[3], int lo[3], int hi[3]) const;
  void Bounds(int l, int lo[3], int hi[3]) const;
  void Pooled(int l);
  void Lists(int l);
  void NumberKernels(int l);
  void Arrange(Level &L, bool risen) const;
  void ConvolvePlane(const Level &L, int z, const float *const planes[3], float *out) const;
  void PoolPlane(int l, int cz);
  template <typename Fill>
  const float *RingPlane(const Level &L, int z, Fill fill);
  void         ClearRing(const Level &L);
  void         Down(int l);
  double       DownFused(const double r[], const ptrdiff_t offset[]);
  void         Up(int l, const ptrdiff_t offset[], double factor, double z[]);
  void         Clamp(Level &L);
};

} // namespace neural
} // namespace petlap
