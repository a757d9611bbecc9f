#include "symmetry.h"
#include <algorithm>
#include <map>

namespace petlap {
namespace training {

/* For each of the 8 or 48 symmetries of a window, where its cells go */
static std::vector<std::vector<int>> Symmetries(int dim)
{
  const int                     K = dim == 3 ? 27 : 9, stride[3] = {1, 3, 9};
  std::vector<std::vector<int>> all;
  std::vector<int>              axes;

  for (int a = 0; a < dim; a++) axes.push_back(a);
  do {
    for (int flips = 0; flips < 1 << dim; flips++) {
      std::vector<int> to(K);

      for (int p = 0; p < K; p++) {
        for (int a = 0; a < dim; a++) {
          const int i = p / stride[a] % 3;

          to[p] += stride[axes[a]] * (flips >> a & 1 ? 2 - i : i);
        }
      }
      all.push_back(to);
    }
  } while (std::next_permutation(axes.begin(), axes.end()));
  return all;
}

Parameters::Parameters(const Shape &shape, bool tied) : count(0)
{
  const int  K         = shape.window();
  const auto symmetric = tied ? Symmetries(shape.dim) : std::vector<std::vector<int>>();
  /* The number among the images of a cell or a pair of cells that is the least stands for all of them */
  const auto group = [&](int size, auto image) {
    std::map<int, int> first;

    for (int i = 0; i < size; i++) {
      int least = i;

      for (const auto &to : symmetric) least = std::min(least, image(to, i));
      if (!first.count(least)) first[least] = count++;
      of.push_back(first[least]);
    }
  };
  const auto cells       = [&]() { group(K, [](const std::vector<int> &to, int p) { return to[p]; }); };
  const auto pairs       = [&]() { group(K * K, [&](const std::vector<int> &to, int i) { return to[i / K] * K + to[i % K]; }); };
  const auto convolution = [&]() {
    cells();
    pairs();
    pairs();
    if (shape.pinned) pairs();
  };
  const auto affine = [&]() {
    of.push_back(count++);
    if (!shape.affine) return;
    cells();
    cells();
  };

  for (int s = 0; s < shape.stages; s++) {
    convolution();
    convolution();
    affine();
    affine();
  }
  convolution();
}

std::vector<double> Parameters::Numbers(const std::vector<double> &parameters) const
{
  std::vector<double> numbers(of.size());

  for (size_t i = 0; i < of.size(); i++) numbers[i] = parameters[of[i]];
  return numbers;
}

std::vector<double> Parameters::Sum(const std::vector<double> &derivative) const
{
  std::vector<double> sum(count, 0.0);

  for (size_t i = 0; i < of.size(); i++) sum[of[i]] += derivative[i];
  return sum;
}

std::vector<double> Parameters::Mean(const std::vector<double> &numbers) const
{
  std::vector<double> sum = Sum(numbers), ones(of.size(), 1.0), members = Sum(ones);

  for (int p = 0; p < count; p++) sum[p] /= members[p];
  return sum;
}

} // namespace training
} // namespace petlap
