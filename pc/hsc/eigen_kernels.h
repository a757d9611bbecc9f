/*
  Loops of the eigensolver over blocks of vectors, compiled for several instruction sets.

  A panel holds four vectors row by row: the numbers of one row stand side by side, so that one entry of a matrix that is read serves four vectors.
*/
#pragma once

#include <petscsys.h>

namespace petlap {
namespace hsc {

enum { PANEL = 4 }; /* vectors */

/* Of one level of the hierarchy, for WIDTH vectors whose numbers stand side by side. runs are pairs of a number of rows and their length. */
template <typename Real>
struct LevelKernels {
  /* rc += W (rf / D) */
  void (*down)(int nruns, const int runs[], const int col[], const Real w[], const Real inv[], const Real rf[], Real rc[]);
  /* xf = (rf + W x) / D, without rf where it is null */
  void (*up)(int nruns, const int runs[], const int col[], const Real w[], const Real inv[], const Real rf[], const Real x[], Real xf[]);
  /* One sweep of Gauss-Seidel; the i-th row is that of vertex place[i], or of i where place is null; first is i of the first row of these runs */
  void (*smooth)(int nruns, const int runs[], int first, const int place[], const int col[], const Real w[], const Real inv[], const Real r[], Real x[]);
  /* Into the order of the hierarchy and back, where panels are in that of the matrix; each vector is multiplied by its scale */
  void (*enter)(int n, const int place[], const double *const panel[], const double scale[], Real r[]);
  void (*leave)(int n, const int place[], const Real x[], const double scale[], double *const panel[]);
};

struct EigenKernels {
  /* g(i, j) += a(:, i)' b(:, j) for rows first, ..., last - 1; rows are counted in fours, and panels are zero behind their end */
  void (*gram)(int first, int last, int na, const double *const a[], int nb, const double *const b[], double g[]);
  /* out(0 ... last - first - 1, :) = in(first ... last - 1, :) c, with c row by row; out are other panels than in */
  void (*combine)(int first, int last, int nin, const double *const in[], int nout, const double c[], double *const out[]);
  /* y = A x for np panels and rows first, ..., last - 1 */
  void (*multiply)(PetscInt first, PetscInt last, const PetscInt ia[], const PetscInt ja[], const PetscReal a[], int np, const double *const x[], double *const y[]);
  /* y = A x for the matrix of a level, in the order of the hierarchy, one panel */
  void (*product_s)(int nruns, const int runs[], int first, const int place[], const int col[], const float w[], const float inv[], const double x[], double y[]);
  void (*product_d)(int nruns, const int runs[], int first, const int place[], const int col[], const double w[], const double inv[], const double x[], double y[]);
  LevelKernels<float>  single[2]; /* for one panel and for two */
  LevelKernels<double> dbl[2];
};

/* The best for this processor */
const EigenKernels &FindEigenKernels();

} // namespace hsc
} // namespace petlap
