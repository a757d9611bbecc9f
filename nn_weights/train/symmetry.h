/*
  The Poisson operator looks the same after the axes are exchanged or reversed. Numbers of the network that such a change of the axes carries into each
  other are one parameter.
*/
#pragma once

#include "batch.h"

namespace petlap {
namespace training {

struct Parameters {
  std::vector<int> of;    /* the parameter of each number of the network */
  int              count; /* of parameters */

  /* tied: else each number is a parameter of its own */
  Parameters(const Shape &shape, bool tied);
  std::vector<double> Numbers(const std::vector<double> &parameters) const;
  /* Means over the numbers that share a parameter */
  std::vector<double> Mean(const std::vector<double> &numbers) const;
  std::vector<double> Sum(const std::vector<double> &derivative) const;
};

} // namespace training
} // namespace petlap
