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

/*
  Cells x0, ..., x1 - 1 of a row, among which there may be special ones. The loops write cells w0, ..., w1 - 1, all active and the additional ones special,
  as whole vectors are faster: special cells get their numbers afterwards.
*/
struct Stretch {
  int x0, x1, w0, w1;
};

/* Rows that are worked on at once in three dimensions, as they share most of what is read */
enum { BLOCK = 4 };

/* Kernels are asked for so many cells before they are needed; lists of cells are longer by so many */
enum { AHEAD = 6 };

/* Special cells are at places of a plane: a single one or several below each other, or a run of cells of a row, which have the same kernel */
struct Single {
  int at, kernel;
};
struct Run {
  int at, count, kernel;
};

/* After interpolation they are at places of one array and read from places of a coarser one: single ones, or two below each other, or pairs that share a coarse cell */
struct RisenSingle {
  int to, from, kernel[2];
};
struct RisenRun {
  int to, from, pairs, kernel[2];
};

/*
  The loops named rise are a convolution after interpolation from a coarser level, whose cells they read: plane[] belongs to that.
  near is the share of the coarse cell that a fine one lies in, along each axis; the rest comes from the neighbour on its side.
*/
struct NetworkKernels {
  /* out(i) = sum over rows and offsets of stencil * in; index 0 for three rows, 1 for nine */
  void (*convolve[2])(int n, const float *const plane[3], long row, const float stencil[], float out[]);
  /* The same for a stencil that depends on the distance from the centre alone, given by its three or four different entries; for one row or BLOCK of them, one stretch each */
  void (*symmetric[2])(const Stretch stretch[], const float *const plane[3], long row, const float entries[], float out[]);
  void (*block)(const Stretch stretch[], const float *const plane[3], long row, const float entries[], float out[]);
  /* Special cells: n runs, single ones, or BLOCK of them below each other */
  void (*runs[2])(int n, const Run runs[], const float *const plane[3], long row, const float kernels[], float out[]);
  void (*singles[2])(int n, const Single singles[], const float *const plane[3], long row, const float kernels[], float out[]);
  void (*blocks)(int n, const Single blocks[], const float *const plane[3], long row, const float kernels[], float out[]);
  /* Fine cells 2 c0, ..., 2 c1 - 1, of the one or two rows that are within the rows of coarse cells; plane[] are on the near side, in the middle and on the far side */
  void (*rise[2])(int c0, int c1, const float *const plane[3], long row, float near, const float entries[], float *const out[]);
  void (*riseRuns[2])(int n, const RisenRun runs[], const float *const plane[3], long row, const float kernels[], float out[]);
  void (*riseSingles[2])(int n, const RisenSingle singles[], const float *const plane[3], long row, const float kernels[], float out[]);
  /* The second row is at the distance below */
  void (*riseTwos)(int n, const RisenSingle twos[], const float *const plane[3], long row, const float kernels[], float out[], int below);
  /*
    Kernels after interpolation: slot[2 i] is the kernel that the i-th is made of, the bits of slot[2 i + 1] tell along which axes its cell is the odd one. The bits of
    active[kernel] tell which cells of the window have numbers.
  */
  void (*raise[2])(int n, const int slot[], const unsigned active[], float near, const float kernels[], float risen[]);
  /* Kernels of n cells: base plus entries of table times the numbers of the windows, nwindow of them each. base and the rows of table have the size of a stored kernel. */
  void (*kernels[2])(int n, int nwindow, const float windows[], const float base[], const float table[], float kernels[]);
  /* coarse(i) = the mean of cells 2 i and 2 i + 1 of nrows rows */
  void (*pool)(int n, int nrows, const float *const in[], float coarse[]);
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
