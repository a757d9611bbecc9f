/*
  Numbers in [0, 1) that are the same everywhere.
*/
#pragma once

#include <cstdint>

struct Random {
  uint64_t state;

  double operator()()
  {
    state += 0x9e3779b97f4a7c15ull;
    uint64_t z = state;
    z          = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z          = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
  }
};
