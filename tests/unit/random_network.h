/*
  Networks and images without any order, for tests.
*/
#pragma once

#include "pc/neural/network.h"
#include <algorithm>
#include <random>
#include <vector>

namespace petlap {
namespace neural {

inline Convolution RandomConvolution(int dim, bool symmetric, bool pinned, std::mt19937 &random)
{
  const int                              K = dim == 3 ? 27 : 9;
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  Convolution                            C;
  double                                 entry[4];

  for (double &e : entry) e = number(random);
  for (int p = 0; p < K; p++) C.base.push_back(symmetric ? entry[(p % 3 != 1) + (p / 3 % 3 != 1) + (K == 27 && p / 9 != 1)] : number(random));
  for (int i = 0; i < K * K; i++) {
    C.air.push_back(number(random));
    C.solid.push_back(number(random));
    if (pinned) C.pinned.push_back(number(random));
  }
  return C;
}

/* Blocks and single cells of everything in a box of something */
inline std::vector<unsigned char> RandomLabels(const int n[3], std::mt19937 &random)
{
  std::vector<unsigned char> label((size_t)n[0] * n[1] * n[2], random() % 3 == 0 ? SOLID : random() % 2 ? AIR : FLUID);

  for (int shape = 0; shape < 12; shape++) {
    const unsigned char value = shape < 3 ? 1 : random() % 3;
    int                 lo[3], hi[3];

    for (int a = 0; a < 3; a++) {
      lo[a] = random() % n[a];
      hi[a] = std::min(n[a], lo[a] + 1 + (int)(random() % (shape < 3 ? n[a] : (n[a] + 2) / 3)));
    }
    for (int z = lo[2]; z < hi[2]; z++) {
      for (int y = lo[1]; y < hi[1]; y++) {
        for (int x = lo[0]; x < hi[0]; x++) label[((size_t)z * n[1] + y) * n[0] + x] = value;
      }
    }
  }
  for (size_t i = 0; i < label.size(); i++) {
    if (random() % 40 == 0) label[i] = random() % 3;
  }
  return label;
}

} // namespace neural
} // namespace petlap
