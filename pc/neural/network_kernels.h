/*
  Loops of the network over a row of cells, compiled for several instruction sets.

  plane[] are the rows of cells before, at and behind a row of cells along axis 2. In three dimensions the rows on both sides of these along axis 1
  take part, at the distance row. Numbers -1 and n of the rows are read as well.
*/
#pragma once

namespace petlap {
namespace neural {

/* Entries of the kernel of a special cell are stored in groups of four for the three of a row, the fourth being zero */
enum { GROUP = 4 };
inline int KernelRoom(int dim)
{
  return (dim == 3 ? 9 : 3) * GROUP;
}

struct NetworkKernels {
  /* out(i) = sum over rows and offsets of stencil * in; index 0 for three rows, 1 for nine */
  void (*convolve[2])(int n, const float *const plane[3], long row, const float stencil[], float out[]);
  /* The same for a stencil that depends on the distance from the centre alone, given by its three or four different entries */
  void (*symmetric[2])(int n, const float *const plane[3], long row, const float entries[], float out[]);
  /* out of the cells of n runs, each of which has a first cell, a number of cells, and a kernel for all of them */
  void (*special[2])(int n, const int runs[], const float *const plane[3], long row, const float kernels[], float out[]);
  /* Kernels of n cells: base plus entries of table times the numbers of the windows, nwindow of them each. base and the rows of table have the size of a stored kernel. */
  void (*kernels[2])(int n, int nwindow, const float windows[], const float base[], const float table[], float kernels[]);
  /* coarse(i) = the mean of cells 2 i and 2 i + 1 of nrows rows */
  void (*pool)(int n, int nrows, const float *const in[], float coarse[]);
  /* fine(2 i) and fine(2 i + 1) between coarse(i - 1), coarse(i), coarse(i + 1), where coarse is the sum of nrows rows with weights */
  void (*interpolate)(int n, int nrows, const float *const in[], const float weights[], float fine[]);
  void (*repeat)(int n, const float in[], float fine[]);
  /* x = c x + y */
  void (*combine)(int n, float c, const float y[], float x[]);
  /* z = scale (c x + y) */
  void (*leave)(int n, double scale, float c, const float x[], const float y[], double z[]);
  /* x = scale r; returns the largest absolute value of r, or a NaN where there is one */
  double (*enter)(int n, double scale, const double r[], float x[]);
};

/* The best for this processor */
const NetworkKernels &FindNetworkKernels();

} // namespace neural
} // namespace petlap
