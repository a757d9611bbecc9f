/*
  The network as the trainer sees it: its numbers, its output for BATCH right-hand sides at once, and the derivative by all numbers.
*/
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace petlap {
namespace neural {
class Network;
template <typename Real>
class Gradient;
struct Model;
} // namespace neural

namespace training {

enum { BATCH = 16 };

/* What the numbers of a network are, in their order: for each stage two convolutions and two affine blocks, then the convolution of the coarsest level */
struct Shape {
  int  dim = 3, stages = 2;
  bool pinned = true;  /* convolutions have a third channel of image */
  bool affine = false; /* affine blocks have weights beside their constant */

  int window() const
  {
    return dim == 3 ? 27 : 9;
  }
};

/* The numbers of the method without training */
std::vector<double> InitialNumbers(const Shape &shape);
bool                Save(const Shape &shape, const std::vector<double> &numbers, const char file[], const std::vector<std::pair<std::string, std::string>> &provenance, std::string *error);
bool                Load(const char file[], Shape *shape, std::vector<double> *numbers, std::string *error);

class Preconditioner {
public:
  /* For inference (one right-hand side), training, or training in double precision */
  enum Use { ONE, MANY, MANY_DOUBLE };

  Preconditioner(Use use, int dim, const int n[3], const unsigned char cells[]);
  ~Preconditioner();
  void SetNumbers(const Shape &shape, const std::vector<double> &numbers);
  /* Numbers of the fluid cells, in the order in which they lie in the grid */
  void Apply(const double r[], double d[]);
  void ApplyBatch(const double r[], double d[]);
  void AddGradient(const double g[], double derivative[]);

private:
  std::unique_ptr<neural::Network>          network;
  std::unique_ptr<neural::Gradient<float>>  gradient;
  std::unique_ptr<neural::Gradient<double>> exact;
  std::vector<ptrdiff_t>                    offset;
};

} // namespace training
} // namespace petlap
