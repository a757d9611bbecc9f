/*
  The linear systems that the network learns from, with BATCH vectors side by side, and steepest descent with A-orthogonalisation for them.
*/
#pragma once

#include "batch.h"
#include "scenes.h"
#include <functional>
#include <memory>
#include <vector>

namespace petlap {
namespace training {

/* Vectors of BATCH numbers per fluid cell */
typedef std::vector<double> Block;

/* The matrix of the fluid cells, in the order in which they lie in the grid. Its off-diagonal entries have the mean -1. */
struct Problem {
  scenes::Scene       scene;
  size_t              n = 0;
  std::vector<int>    ptr, neighbour;
  std::vector<double> diagonal, weight;
  /* Connected parts without air around them, on which A annihilates constants: the part of each cell, or -1 */
  std::vector<int> floating;
  int              nfloating = 0;

  Problem() = default;
  explicit Problem(scenes::Scene scene);
  /* Of a matrix of somebody else: rows of fluid cells alone */
  void SetMatrix(std::vector<int> ptr, std::vector<int> neighbour, std::vector<double> weight, std::vector<double> diagonal);

  void Multiply(const double x[], double y[]) const;
  void MultiplyOne(const double x[], double y[]) const;
  /* Makes the vectors orthogonal to the kernel */
  void Project(double x[]) const;

private:
  void FindFloating();
};

/* BATCH inner products */
struct Dots {
  double v[BATCH];
};
Dots Dot(size_t n, const double x[], const double y[]);
/* y[b] += a[b] x[b], and y[b] *= a[b] */
void Axpy(size_t n, const Dots &a, const double x[], double y[]);
void Scale(size_t n, const Dots &a, double y[]);

/* Directions that the next one is made A-orthogonal to, and their images under A */
class Directions {
public:
  explicit Directions(int most) : most(most) {}
  /* Makes d A-orthogonal and Ad its image; columns[b] tells from how many directions on */
  void Orthogonalise(size_t n, double d[], double Ad[]) const;
  void Keep(const Block &d, const Block &Ad);
  /* Column b begins anew */
  void Forget(int b);
  void Clear()
  {
    kept.clear();
  }

private:
  struct Direction {
    Block d, Ad;
    Dots  q; /* d A d, or 0 where the column has no such direction */
  };
  int                    most;
  std::vector<Direction> kept;
};

/* Solutions of A e = b to a relative tolerance or a number of steps; b becomes the residual. Returns the steps. */
int Solve(const Problem &problem, Preconditioner &P, int north, double tolerance, int most, Block &b, Block &e);

/* Steps to a relative residual, for one right-hand side and the network that is used in the end */
int Iterations(const Problem &problem, Preconditioner &P, int north, double tolerance, int most, const std::vector<double> &b);

} // namespace training
} // namespace petlap
