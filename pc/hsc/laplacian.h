/*
  A sparse matrix read as the weighted graph of a Laplacian, with what stands in the way of that.
*/
#pragma once

#include "pc/hsc/ranks.h"
#include <limits>

namespace petlap {
namespace hsc {

/* Compressed sparse rows, columns ascending */
struct Rows {
  PetscInt         n;
  const PetscInt  *ia, *ja;
  const PetscReal *a;
};

/* Of the rows of this rank, the entries whose columns belong to other ranks, the ghosts; columns of rows are their places in ghost */
struct Outside {
  MPI_Comm        comm;
  PetscInt        start; /* of this rank's rows in the matrix */
  Rows            rows;
  PetscInt        nghost;
  const PetscInt *ghost; /* their columns in the matrix, ascending */
  PetscSF         sf;    /* from the rows of all ranks to the ghosts */

  /* Numbers of the ghosts, from those of all ranks' rows */
  void Fetch(const double mine[], double ghosts[]) const;
  /* ghosts[] are added to the rows that they are ghosts of */
  void Return(const double ghosts[], double mine[]) const;
  /* Maximum over the ranks, and sums over them, the same on all */
  double Most(double value) const;
  void   Sum(int n, double values[]) const;
};

/* visit(k, j, value): entry k of a row, where there are other ranks, in the column of ghost j */
template <typename Visit>
void ForOutside(const Outside *outside, PetscInt row, Visit &&visit)
{
  if (!outside) return;
  for (PetscInt k = outside->rows.ia[row]; k < outside->rows.ia[row + 1]; k++) visit(k, outside->rows.ja[k], outside->rows.a[k]);
}

enum Positive { POSITIVE_COMPENSATE, POSITIVE_DROP, POSITIVE_LUMP };

/* An entry that is smaller than so much of both diagonals is rounding */
const double NEGLIGIBLE = 32 * std::numeric_limits<double>::epsilon();

/* A first look at the values */
struct Survey {
  enum Problem { NONE, TOO_LARGE, UNSORTED, NOT_A_NUMBER, DIAGONAL } problem = NONE;
  PetscInt           row = -1, col = -1; /* where the problem is */
  PetscReal          value     = 0.0;
  int                sign      = 1;                         /* -1 for the negative of a Laplacian */
  double             scale     = 1.0;                       /* a power of two that brings the largest diagonal entry near one */
  double             smallest  = 1.0;                       /* smallest entry off the diagonal, or in a row by itself, beside the largest on it */
  double             weakest   = 1.0;                       /* smallest entry off the diagonal beside the one on it */
  PetscInt           npositive = 0, nalone = 0, nempty = 0; /* entries of the wrong sign, rows with the diagonal alone, with nothing */
  PetscInt           nopposite = 0;                         /* rows with a diagonal alone, of the other sign than the rest has */
  double             lack      = 0.0;                       /* of rows whose sum is negative: that beside the diagonal, in the mean of all rows */
  double             distance  = 0.0;                       /* mean distance of the numbers of neighbours */
  unsigned long long hash      = 0;                         /* of all values off the diagonal */
  const double      *diagonal  = nullptr;                   /* what Inspect() was given for it */
  double             nosum     = NEGLIGIBLE;                /* what a row's sum may be beside its moduli and is rounding */
};
/* diagonal[] receives the diagonal as it is. Where there are other ranks all is theirs too but the hash and the distance; rows and columns of problems are those of the whole matrix. */
Survey Inspect(const Rows &A, double diagonal[], const Outside *outside = nullptr);

/* Columns of rows with nothing but a diagonal, which a Dirichlet condition leaves behind; in row col itself twice its diagonal, where that has the other sign than the graph has */
struct Coupling {
  PetscInt  row, col;
  PetscReal value;
};

struct Asymmetry {
  PetscInt  row = -1, col = -1;
  PetscReal value = 0.0, other = 0.0;
  bool      pattern = false; /* there is no other entry */
};

/* What a rank knows of the matrix beyond its graph */
template <typename Real>
struct Between {
  std::vector<OuterEdge<Real>> edge;     /* with both weights equal; the other vertex is a row of its rank */
  std::vector<Coupling>        coupling; /* columns are places in Outside::ghost */
};

/* False where the matrix is not symmetric beyond rounding, on all ranks then */
template <typename Real>
bool MakeGraph(const Rows &A, const Outside *outside, const Survey &survey, Graph<Real> &g, std::vector<Coupling> &coupling, Between<Real> &between, Asymmetry &asymmetry);
/* Entries of the wrong sign, beyond rounding, between unknowns of different components, which go round in blocks of size bs; of all ranks */
PetscInt CountBetweenComponents(const Rows &A, const Outside *outside, const Survey &survey, PetscInt bs);
/* Whether D A is symmetric for a positive diagonal matrix D, of which the least and the largest entries beside each other are returned; on one rank */
bool IsRowScaled(const Rows &A, double *spread);
/* Edges of negative weight leave the graph: what becomes of them is the rule's. Those to other ranks, ascending by vertex, keep that weight for smoothing; collective where there is a communicator. */
template <typename Real>
void RemoveNegative(const Graph<Real> &g, Positive rule, Graph<Real> &positive, MPI_Comm comm, std::vector<OuterEdge<Real>> &outer);
/* Breadth first, component by component: number[v] is the place of v */
template <typename Real>
void BreadthFirst(const Graph<Real> &g, Array<int> &number);
template <typename Real>
void Renumber(const Graph<Real> &g, const Array<int> &number, Graph<Real> &out);

} // namespace hsc
} // namespace petlap
