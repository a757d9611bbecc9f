/*
  A level whose vertices lie on the ranks of a communicator. A vertex with neighbours on other ranks, one of the border, is coarse on every level.
  Cuts and elimination begin at fine vertices, all of whose edges are therefore on their rank: they need no communication, and the edges between
  ranks stay as they are. Vectors of the hierarchy have the coarse vertices first, so that a vertex of the border has one place on all levels, and
  one exchange serves them all. When the border is most of what is left, ranks are joined: the level moves to fewer ranks, and with it what is
  coarser, until one rank has it all.
*/
#pragma once

#include "mat/compat/messages.h"
#include "pc/hsc/hierarchy.h"
#include <petscsf.h>

namespace petlap {
namespace hsc {

using petlap::CommunicateMPI;
using petlap::CommunicationError;

/* PETSc's own communication */
inline void Communicate(PetscErrorCode code)
{
  if (code != 0) throw CommunicationError{code};
}

/* Where a vertex of another rank is */
struct Remote {
  int rank, vertex;
};

/* An edge between ranks */
template <typename Real>
struct OuterEdge {
  int    vertex; /* of this rank, ascending */
  Remote other;
  Real   weight, smooth; /* in the graph, where it is positive or zero, and in the matrix that the finest level smoothes */
  double diagonal = 0.0; /* of the matrix at the other end, while it is read */
};

/* The edges by the rank at their other end, and there in the order of its vertices, which is that of its own list of them, or in the order of this rank's */
template <typename Real>
std::vector<int> SortEdges(const std::vector<OuterEdge<Real>> &edge, bool theirs);
/* The other ends of edges without repetition, in the order of their ranks; index[k] is the one of edge k */
template <typename Real>
std::vector<Remote> FindGhosts(const std::vector<OuterEdge<Real>> &edge, Array<int> &index);
/* A number for every edge from the rank at its other end, which knows the same edges */
template <typename Real>
void Exchange(MPI_Comm comm, const std::vector<OuterEdge<Real>> &edge, const double mine[], double theirs[]);

/* The arrays of all ranks to all of them: that of rank r is all[begin[r]], ..., all[begin[r + 1] - 1] */
template <typename T>
void GatherAll(MPI_Comm comm, MPI_Datatype type, const std::vector<T> &mine, std::vector<int> &begin, std::vector<T> &all);

template <typename T>
MPI_Datatype TypeOf();
template <>
inline MPI_Datatype TypeOf<float>()
{
  return MPI_FLOAT;
}
template <>
inline MPI_Datatype TypeOf<double>()
{
  return MPI_DOUBLE;
}

template <typename Real>
class Ranks {
public:
  /* The communicator is kept by the caller, or with own, freed in the end. Collective. Fills in the outer weights of g, and of the matrix where there is one. */
  Ranks(MPI_Comm comm, bool own, Graph<Real> &g, Graph<Real> *matrix, const std::vector<OuterEdge<Real>> &edge);
  ~Ranks();
  Ranks(const Ranks &)            = delete;
  Ranks &operator=(const Ranks &) = delete;

  MPI_Comm comm() const
  {
    return communicator;
  }
  int size() const
  {
    return nranks;
  }
  /* Sums over the ranks, the same on all of them */
  void Sum(int n, double values[]) const;
  /* Whether so many of the total vertices are on the border that another level would hardly be coarser */
  bool Crowded(double total) const
  {
    return nborders > 0.5 * total;
  }
  /* place[v] is where vertex v stands in the vectors of the hierarchy */
  void Settle(const Array<int> &place);
  /* The ghosts' values of x start to travel: from here to End() the border's entries of x must not change */
  template <typename Number>
  void Begin(const Number x[]);
  /* r = what Keep() saw + the ghosts' values times the weights, on the border; finest tells which weights */
  template <typename Number>
  void End(bool finest, Number r[]);
  template <typename Number>
  void Keep(const Number r[]);
  template <typename Number>
  void   Restore(Number r[]);
  size_t Memory() const;
  double Entries() const /* edges to other ranks */
  {
    return (double)ghost.size();
  }

private:
  template <typename Scalar>
  friend struct Merge;
  template <typename Number>
  struct Values {
    Array<Number> sent, got, kept; /* of the border and of the ghosts, once they are needed */
  };
  template <typename Number>
  Values<Number> &ValuesIn();

  MPI_Comm            communicator;
  bool                own;
  int                 rank, nranks;
  double              nborders = 0.0; /* vertices of all ranks' borders */
  PetscSF             halo     = nullptr;
  std::vector<Remote> remote;         /* of each ghost: its rank, and there its number among the border's vertices */
  Array<int>          vertex;         /* of the border, and, once known, their places */
  Array<int>          first, ghost;   /* ghost[first[i]], ... are coupled to the i-th vertex of the border */
  Array<Real>         weight, smooth; /* in the graph, and in the matrix that the finest level smoothes where that differs */
  ByPrecision<Values> values;
};

/* A level that moves to fewer ranks */
template <typename Real>
struct Merge {
  MPI_Comm                         group = MPI_COMM_NULL; /* of the ranks that become one, which is the first of them */
  bool                             first = false;
  int                              n     = 0;     /* vertices of this rank */
  std::vector<int>                 count, offset; /* on the first rank: vertices of each, and where they begin */
  ByPrecision<Array>               values;
  std::unique_ptr<Hierarchy<Real>> h; /* there */

  ~Merge();
  /*
    Joins factor ranks at a time, or, where that is 0, so many that the rest of them have about capacity vertices each. The first ranks of the groups receive the
    graph, and the ranks that the next level lies on unless it is one. Collective.
  */
  void Join(const Graph<Real> &g, const Lattice *lattice, const Ranks<Real> &ranks, double total, int factor, double capacity, Graph<Real> &joined, std::unique_ptr<Lattice> &joinedlattice, std::unique_ptr<Ranks<Real>> &next);
  /* Values by vertex to the first rank, where they are in values then, and back */
  template <typename Number>
  void Gather(const Number x[]);
  template <typename Number>
  void Scatter(Number x[]);
};

} // namespace hsc
} // namespace petlap
