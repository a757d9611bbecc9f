/*
  LU with delayed pivots on random matrices of grids, among them those that elimination without exchanges between fronts cannot factor. Backward errors are those of the matrix
  itself, and ranks are compared with elimination of the dense matrix under complete pivoting. One line for each family.
*/
#include "mat/schwarzschur/factor_delayed.h"
#include "tests/unit/random.h"
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>
#include <sys/resource.h>

namespace {

const double BOUND = 1e-13;
/* Orders up to this are compared with dense elimination */
const PetscInt DENSE = 130;

enum Family {
  DOMINANT,
  ZERODIAGONAL,
  SIGNS,
  SKEW,
  PAIRS,
  SADDLE,
  HELMHOLTZ,
  FEM,
  SCALED,
  MASKED,
  NULLVECTOR,
  NEUMANN,
  COMPONENTS,
  DOUBLED,
  FAMILIES
};
const char *const names[] = {"dominant", "zero diagonal", "entries of modulus one", "skew-symmetric", "pairs", "saddle point", "Helmholtz", "finite elements", "scaled rows and columns", "zero rows and columns", "null vector", "Neumann", "three components", "doubled columns"};

struct Matrix {
  PetscInt                                  n;
  std::vector<std::map<PetscInt, PetscScalar>> row;
  int                                       null = 0; /* rank deficiency that is known, or -1 where it is to be found out */
};

int         failures, cases, compared, singular, delayed;
double      worst, last; /* backward error; the largest pivot that was taken for none, and so on, of the dense elimination */
double      least, rest;
std::string trouble;

void Fail(const std::string &what)
{
  if (trouble.empty()) trouble = what;
}

PetscScalar Number(Random &random)
{
  const double re = 2 * random() - 1;
#if defined(PETSC_USE_COMPLEX)
  return PetscScalar(re, 2 * random() - 1);
#else
  return re;
#endif
}

PetscScalar Sign(Random &random)
{
#if defined(PETSC_USE_COMPLEX)
  const int    k    = (int)(4 * random());
  const double v[4] = {1, 0, -1, 0};
  return PetscScalar(v[k], v[(k + 1) % 4]);
#else
  return random() < 0.5 ? -1 : 1;
#endif
}

/* Points that a row couples to, ascending */
std::vector<PetscInt> Neighbors(const Plan *plan, PetscInt p)
{
  const PlanGrid       &g    = plan->grid;
  const PetscInt        c[3] = {p % g.size[0], p / g.size[0] % g.size[1], p / g.size[0] / g.size[1]};
  std::vector<PetscInt> all;

  for (int k = 0; k < plan->nstencil; k++) {
    PetscInt t[3];
    bool     inside = true;

    for (int d = 0; d < 3; d++) {
      t[d] = c[d] + plan->stencil[k][d];
      if (g.periodic[d]) t[d] = (t[d] + 4 * g.size[d]) % g.size[d];
      inside = inside && t[d] >= 0 && t[d] < g.size[d];
    }
    if (inside) all.push_back(t[0] + g.size[0] * (t[1] + g.size[1] * t[2]));
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

/* Entries with that pattern, given by value(row, column) */
template <class Value>
Matrix Fill(const Plan *plan, Value value)
{
  const int dof = plan->grid.dof;
  Matrix    A;

  A.n = plan->npoints * dof;
  A.row.resize((size_t)A.n);
  for (PetscInt p = 0; p < plan->npoints; p++) {
    const std::vector<PetscInt> all = Neighbors(plan, p);

    for (int a = 0; a < dof; a++) {
      for (PetscInt q : all) {
        for (int b = 0; b < dof; b++) A.row[(size_t)(p * dof + a)][q * dof + b] = value(p * dof + a, q * dof + b);
      }
    }
  }
  return A;
}

/* One neighbor at most for each point, and nothing else: the pairs cross every separator */
Matrix Pairs(const Plan *plan, Random &random)
{
  const int             dof = plan->grid.dof;
  std::vector<PetscInt> partner((size_t)(plan->npoints * dof), -1);
  Matrix                A;

  for (PetscInt p = 0; p < plan->npoints; p++) {
    const std::vector<PetscInt> all = Neighbors(plan, p);

    for (int a = 0; a < dof; a++) {
      const PetscInt i = p * dof + a, j = all[(size_t)(random() * (double)all.size())] * dof + (int)(random() * dof);

      if (partner[(size_t)i] >= 0) continue;
      if (partner[(size_t)j] < 0) {
        partner[(size_t)i] = j;
        partner[(size_t)j] = i;
      } else {
        partner[(size_t)i] = i;
      }
    }
  }
  A = Fill(plan, [&](PetscInt i, PetscInt j) { return partner[(size_t)i] == j ? Sign(random) : PetscScalar(0); });
  return A;
}

} // namespace
