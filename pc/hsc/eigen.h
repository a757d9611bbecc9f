/*
  The lowest eigenvectors of a symmetric matrix from a hierarchy of HSC (section 4.5 of Krishnan, Fattal, Szeliski 2013): first those of a coarse level,
  which are interpolated and improved from level to level, then the locally optimal block method (LOBPCG) on the finest.
*/
#pragma once

#include "pc/hsc/cycle.h"
#include "pc/hsc/eigen_kernels.h"
#include <functional>
#include <memory>

namespace petlap {
namespace hsc {

/* Vectors side by side in panels of four. Rows are filled up to a multiple of four, and vectors to whole panels, with zeros. */
class Block {
public:
  Block() = default;
  Block(int n, int npanels)
  {
    resize(n, npanels);
  }
  void resize(int n, int npanels);
  int  rows() const
  {
    return n;
  }
  int panels() const
  {
    return (int)panel.size();
  }
  double *const *data()
  {
    return panel.data();
  }
  double *operator[](int p)
  {
    return panel[p];
  }
  double &at(size_t row, int column)
  {
    return panel[column / PANEL][row * PANEL + column % PANEL];
  }

private:
  int                   n = 0;
  Array<double>         memory;
  std::vector<double *> panel;
};

/*
  What is known of the spectrum. Connected parts of the graph without excess have their indicator as null vector, and unknowns without neighbours are
  eigenvectors by themselves.
*/
struct Parts {
  enum { REGULAR = -1, ALONE = -2 };
  int              nnull = 0;
  std::vector<int> part; /* of each unknown: the number of its null vector, REGULAR or ALONE; empty where all are REGULAR */
};

/* A symmetric matrix A and a preconditioner for it, on np panels at a time */
class EigenProblem {
public:
  virtual ~EigenProblem()                                                 = default;
  virtual void Product(int np, double *const x[], double *const y[])      = 0;
  virtual void Precondition(int np, double *const x[], double *const y[]) = 0;
  /* Takes what is known out of the vectors */
  virtual void Project(int np, double *const x[]) = 0;
  /* Where the rows of vectors are spread over ranks: sums over all of them, the same on each */
  virtual void Sum(int, double[]) {}
};

struct EigenSettings {
  int    wanted = 1;    /* eigenvectors */
  int    block  = 4;    /* vectors iterated on */
  double tol    = 1e-8; /* relative to the eigenvalue */
  double floor  = 0.0;  /* residuals that cannot be seen for rounding errors */
  int    maxit  = 100;
  double loose  = 0.0; /* tolerance of the vectors beyond the wanted ones */

  unsigned long long seed = 1; /* of random numbers, another one for every rank */
  /* (iteration, wanted vectors that have converged, eigenvalues, norms of residuals); false stops */
  std::function<bool(int, int, const double[], const double[])> monitor;
};

struct EigenResult {
  int                 iterations = 0, converged = 0;
  std::vector<double> value, residual; /* of the whole block */
};

/* The block X of settings.block vectors holds what to begin with, and the eigenvectors afterwards */
EigenResult LowestEigenvectors(EigenProblem &problem, const EigenSettings &settings, Block &X);
/* All eigenvalues, ascending, and eigenvectors of the matrix a, column by column; the latter replace it. False if there is no convergence or a number is none. */
bool DenseEigen(int n, double a[], double values[]);
/* Numbers between -1 and 1, the same on all machines */
void RandomColumn(Block &X, int column, unsigned long long &seed);

/* What the eigensolver sees of a hierarchy */
class EigenLevels {
public:
  virtual ~EigenLevels() = default;
  /* One cycle without pre-smoothing for np panels in the order of the matrix */
  virtual void Cycle(int post, int np, double *const x[], double *const y[]) = 0;
  /*
    Approximate eigenvectors in the order of the matrix: those of the coarsest level that has enough unknowns, interpolated and, on each level that is
    smoothed, improved by steps iterations. False where no level has enough unknowns.
  */
  virtual bool Start(const Parts &parts, int block, int steps, bool mass, int post, Block &X) = 0;
};

template <typename Real>
std::unique_ptr<EigenLevels> MakeEigenLevels(const Hierarchy<Real> &h, Cycle<Real> &cycle, double scale);

} // namespace hsc
} // namespace petlap
