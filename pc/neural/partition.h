/*
  Boxes of cells: how a grid is shared out among processes, and where the cells of a box lie in an array.

  Axis 0 runs fastest. In two dimensions the axes are 0 and 2, and axis 1 has one cell.
*/
#pragma once

#include "mat/compat/messages.h"
#include <cstddef>
#include <vector>

namespace petlap {
namespace neural {

enum Label : unsigned char { AIR, FLUID, SOLID };

/* Whether an axis has more than the one cell of two dimensions */
inline bool Halved(int dim, int axis)
{
  return dim == 3 || axis != 1;
}

/*
  Which cells of the finest level a process has. Coarser levels are shared out in the same way, until the parts are too small: of the levels from gathered on, every process has all cells.
*/
struct Partition {
  MPI_Comm         comm         = MPI_COMM_SELF;
  int              dim          = 3;
  int              n[3]         = {1, 1, 1};
  int              processes[3] = {1, 1, 1}; /* along the axes; the rank is that along axis 0, plus so many times that along axis 1, ... */
  int              place[3]     = {0, 0, 0}; /* of this process */
  std::vector<int> cut[3];                   /* first cell of each process along an axis, and after the last the number of cells */
  int              gathered = 0;

  int size() const
  {
    return processes[0] * processes[1] * processes[2];
  }
  int lo(int axis) const
  {
    return cut[axis][place[axis]];
  }
  int hi(int axis) const
  {
    return cut[axis][place[axis] + 1];
  }
  /* All cells in one process */
  static Partition Whole(int dim, const int n[3]);
  /* Sets gathered, and moves the cuts to cells where as many levels as possible can be shared out */
  void Align(int nlevels);
};

/* Numbers of cells lo - layers, ..., hi + layers - 1, in rows that are multiples of 16 apart; so are cells 0 from the first number */
struct Layout {
  int       lo[3], hi[3], first[3], last[3]; /* own cells, and those with the layers around them */
  ptrdiff_t row, plane, origin;              /* distances, and place of cell (0, 0, 0) */
  size_t    room;

  void      make(const int lo[3], const int hi[3], int dim, int layers);
  ptrdiff_t at(int x, int y, int z) const
  {
    return origin + x + y * row + z * plane;
  }
};

/* Copies the cells lo, ..., hi - 1 into a buffer, or out of it */
template <typename T>
void Pack(const Layout &layout, const T *field, const int lo[3], const int hi[3], T *buffer);
template <typename T>
void          Unpack(const Layout &layout, T *field, const int lo[3], const int hi[3], const T *buffer);
inline size_t CellsOf(const int lo[3], const int hi[3])
{
  return (size_t)(hi[0] - lo[0]) * (size_t)(hi[1] - lo[1]) * (size_t)(hi[2] - lo[2]);
}

/* The layers around the own cells come from the processes that have them, corners included; axes in which a process is the last have nothing there. Collective. */
template <typename T>
void ExchangeLayers(const Partition &part, const Layout &layout, T *field, std::vector<char> &send, std::vector<char> &receive);
/* The transpose: what is in the layers is added to the cells of the processes that have them. The layers keep numbers of no meaning. Collective. */
template <typename T>
void AddLayers(const Partition &part, const Layout &layout, T *field, std::vector<char> &send, std::vector<char> &receive);

} // namespace neural
} // namespace petlap
