/*
  A linear system of the differential test as plain numbers, the same on all processes, and what is known of it
*/
#pragma once

#include <petscksp.h>
#include "mat/compat/petscversion.h"
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace differential {

/* Numbers that depend on nothing but where they start */
struct Random {
  uint64_t state;

  uint64_t Next()
  {
    uint64_t z = (state += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /* In [0, 1) */
  double operator()()
  {
    return (double)(Next() >> 11) / 9007199254740992.0;
  }
  double Uniform(double low, double high)
  {
    return low + (high - low) * (*this)();
  }
  /* About normal, of mean 0 and variance 1 */
  double Normal()
  {
    double sum = -6;

    for (int k = 0; k < 12; k++) sum += (*this)();
    return sum;
  }
  /* Both ends included */
  PetscInt Integer(PetscInt low, PetscInt high)
  {
    return low + (PetscInt)(Next() % (uint64_t)(high - low + 1));
  }
  bool Chance(double p)
  {
    return (*this)() < p;
  }
  /* 10 to a uniform power */
  double Power(double low, double high)
  {
    return std::pow(10.0, Uniform(low, high));
  }
  double Sign()
  {
    return Next() & 1 ? 1.0 : -1.0;
  }
  template <typename T, size_t N>
  T Pick(const T (&list)[N])
  {
    return list[Next() % N];
  }
};

struct Entry {
  PetscInt i, j;
  double   v;
};

struct System {
  PetscInt            n = 0;
  std::vector<Entry>  entry; /* in any order, those of the same place add up; Assemble() makes rows of them */
  std::vector<size_t> start;

  /* Points of a grid in natural order, x fastest, unknowns of a point fastest of all; dim is 0 where there is none */
  PetscInt            dim = 0, size[3] = {1, 1, 1}, dof = 1, batch = 1;
  std::array<bool, 3> periodic = {{false, false, false}};
  /* Cells of the grid, for neural: 0 air, 1 fluid, 2 solid; rows are for all cells, or for those that are fluid */
  std::vector<int> label;
  bool             reduced = false;

  bool symmetric = false, definite = false;
  /* The same stencil everywhere; couplings along the axes to the next points alone */
  bool uniform = false, star = false;
  /* A direct method without pivoting and refinement is accurate for it */
  bool tame = false;
  /* A vector of the null space and one of the transpose's; none where it is regular or has more of them */
  std::vector<double> kernel, left;
  /* A right-hand side that belongs to it, or none */
  std::vector<double> b;
  /* What was done to it beyond its family */
  std::string note;

  void Add(PetscInt i, PetscInt j, double v)
  {
    entry.push_back({i, j, v});
  }
  /* An edge of a Laplacian */
  void Link(PetscInt i, PetscInt j, double w)
  {
    if (i == j) return;
    Add(i, i, w);
    Add(j, j, w);
    Add(i, j, -w);
    Add(j, i, -w);
  }
  PetscInt Points() const
  {
    return size[0] * size[1] * size[2];
  }
  void Assemble();
  void Singular()
  {
    kernel.assign(n, 1.0);
    left = kernel;
  }
  bool Finite() const;
  /* y = A x, or with the transpose */
  void Multiply(bool transpose, const std::vector<double> &x, std::vector<long double> &y) const;
};

/* Calls f(p, q, |offset|^2) for the points at most reach apart, each pair once; in all directions, or along the axes only */
template <typename Function>
void Pairs(const System &s, bool box, PetscInt reach, Function f)
{
  for (PetscInt z = 0; z < s.size[2]; z++) {
    for (PetscInt y = 0; y < s.size[1]; y++) {
      for (PetscInt x = 0; x < s.size[0]; x++) {
        const PetscInt at[3] = {x, y, z}, p = x + s.size[0] * (y + s.size[1] * z);

        for (PetscInt dz = 0; dz <= (s.size[2] > 1 ? reach : 0); dz++) {
          for (PetscInt dy = -reach; dy <= reach; dy++) {
            for (PetscInt dx = -reach; dx <= reach; dx++) {
              const PetscInt by[3] = {dx, dy, dz};
              PetscInt       to[3];
              bool           inside = true;

              if (dz == 0 && (dy < 0 || (dy == 0 && dx <= 0))) continue;
              if (!box && (dx != 0) + (dy != 0) + (dz != 0) > 1) continue;
              for (int d = 0; d < 3; d++) {
                to[d] = at[d] + by[d];
                if (s.periodic[d]) to[d] = ((to[d] % s.size[d]) + s.size[d]) % s.size[d];
                inside = inside && to[d] >= 0 && to[d] < s.size[d];
              }
              const PetscInt q = to[0] + s.size[0] * (to[1] + s.size[1] * to[2]);
              if (inside && q != p) f(p, q, dx * dx + dy * dy + dz * dz);
            }
          }
        }
      }
    }
  }
}

/* A grid of dim dimensions with at most `most` unknowns */
void DrawGrid(Random &, PetscInt most, PetscInt dim, PetscInt dof, System *);
/* Changes of scale, sign and pattern that any matrix may meet; for the type of that letter */
void Twist(Random &, char type, System *);
/* A right-hand side of one kind or another */
std::vector<double> DrawRHS(Random &, const System &);

/* What is left of b - A x, summed in more than double precision */
struct Residual {
  bool        finite;
  long double two, infinity; /* of the residual; without the part that no solution can reach where the null space is known */
  long double b2, backward;  /* |b|, and the normwise backward error in the infinity norm */
  long double rounding;      /* eps (|A| |x| + |b|) */
};
Residual Measure(const System &, bool transpose, bool project, const std::vector<double> &b, const std::vector<double> &x);

} // namespace differential
