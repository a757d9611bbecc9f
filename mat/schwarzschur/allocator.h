/*
  Storage whose pieces are taken and given back in a known order, so that their places can be found beforehand.
*/
#pragma once

#include <cstddef>
#include <iterator>
#include <map>

class FactorAllocator {
  std::map<size_t, size_t> free; /* offset, length */
  size_t                   end = 0;

public:
  size_t Size() const
  {
    return end;
  }
  size_t Take(size_t n)
  {
    n = (n + 7) / 8 * 8;
    for (auto i = free.begin(); i != free.end(); ++i) {
      if (i->second < n) continue;
      const size_t at = i->first, rest = i->second - n;

      free.erase(i);
      if (rest) free[at + n] = rest;
      return at;
    }
    end += n;
    return end - n;
  }
  void Give(size_t at, size_t n)
  {
    n = (n + 7) / 8 * 8;
    if (!n) return;
    auto i = free.insert({at, n}).first, next = std::next(i);
    if (next != free.end() && i->first + i->second == next->first) {
      i->second += next->second;
      free.erase(next);
    }
    if (i != free.begin()) {
      auto before = std::prev(i);
      if (before->first + before->second == i->first) {
        before->second += i->second;
        free.erase(i);
      }
    }
  }
};
