/*
  The hierarchy of HSC (Krishnan, Fattal, Szeliski 2013) as arrays. A level is a graph of positive weights with an excess for every vertex, which
  is what a Laplacian matrix is: diagonal = excess + weights of the vertex, off-diagonal = -weight. Fine vertices (F) are eliminated, coarse
  ones (C) make the next level.

  Weights are only ever added and multiplied, never subtracted, and the excess is kept apart from them, so that single precision keeps every
  entry to a relative 1e-7 however large the condition number is.
*/
#pragma once

#include <petscsys.h>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace petlap {
namespace hsc {

/* An array of plain numbers that is not set to zero when it is made: most are written once, and touching memory is what set-up costs */
template <typename T>
class Array {
public:
  Array() = default;
  explicit Array(size_t n)
  {
    resize(n);
  }
  Array(Array &&a) noexcept : p(a.p), n(a.n), room(a.room)
  {
    a.p = nullptr;
    a.n = a.room = 0;
  }
  Array &operator=(Array &&a) noexcept
  {
    std::swap(p, a.p);
    std::swap(n, a.n);
    std::swap(room, a.room);
    return *this;
  }
  ~Array()
  {
    free(p);
  }
  /* Keeps what is there, as far as it fits */
  void resize(size_t m)
  {
    if (m > room) reserve(m);
    n = m;
  }
  void reserve(size_t m)
  {
    void *q = realloc(static_cast<void *>(p), m * sizeof(T) + 64);

    if (!q) throw std::bad_alloc();
    p    = static_cast<T *>(q);
    room = m;
  }
  void assign(size_t m, T value)
  {
    resize(m);
    for (size_t i = 0; i < m; i++) p[i] = value;
  }
  /* Gives back what is not used */
  void fit()
  {
    if (room > n + n / 8) reserve(n);
  }
  void clear()
  {
    free(p);
    p = nullptr;
    n = room = 0;
  }
  size_t size() const
  {
    return n;
  }
  size_t capacity() const
  {
    return room;
  }
  bool empty() const
  {
    return n == 0;
  }
  T *data()
  {
    return p;
  }
  const T *data() const
  {
    return p;
  }
  T &operator[](size_t i)
  {
    return p[i];
  }
  const T &operator[](size_t i) const
  {
    return p[i];
  }

private:
  T     *p = nullptr;
  size_t n = 0, room = 0;
};

/* The same of numbers in either precision */
template <template <typename> class T>
struct ByPrecision {
  T<float>  single;
  T<double> wide;

  template <typename Number>
  T<Number> &In()
  {
    if constexpr (sizeof(Number) == sizeof(float))
      return single;
    else
      return wide;
  }
  template <typename Body>
  void ForEach(Body &&body) const
  {
    body(single);
    body(wide);
  }
};

/* Arrays without entries have no address, which memcpy() does not take even where nothing is to copy */
template <typename T>
inline void Copy(T *to, const T *from, size_t n)
{
  if (n) memcpy(to, from, n * sizeof(T));
}

struct Lower {
  int vertex, edge;
};

/*
  An undirected graph. Edges are numbered such that those from v to higher vertices are uptr[v], ..., uptr[v+1]-1; adj[] is the higher vertex and
  weight[] the weight, which is stored once. lower[lptr[v]], ..., lower[lptr[v+1]-1] are the edges to the lower vertices, in ascending order.
*/
template <typename Real>
struct Graph {
  int          n = 0;
  Array<int>   uptr, adj, lptr;
  Array<Lower> lower;
  Array<Real>  weight, excess;
  Array<Real>  outer;  /* weights to vertices of other ranks, summed: part of the diagonal */
  Array<bool>  border; /* there are such; both are empty where the graph is on one rank */
};

/* Makes lptr and lower from uptr and adj */
template <typename Real>
void FillLower(Graph<Real> &g);
/* Neighbors of v, also over edges of weight 0 */
template <typename Real>
inline int Degree(const Graph<Real> &g, int v)
{
  return g.uptr[v + 1] - g.uptr[v] + g.lptr[v + 1] - g.lptr[v];
}

enum Colour : signed char { UNMARKED, COARSE, FINE };

enum Coloring { COLORING_GREEDY, COLORING_PAPER };

struct Rules {
  Coloring coloring    = COLORING_GREEDY;
  double   thetafinest = 1.0;   /* an edge of a triangle is cut when its weight is at most theta times those of the other two: on the finest level */
  double   theta       = 0.99;  /* and on all others */
  int      dmin        = 0;     /* edges of vertices with at most dmin neighbours are not cut */
  bool     compensate  = true;  /* the weight of an edge that is cut goes to the other two of the triangle */
  bool     keep        = false; /* matrices are kept also of levels that need no smoothing */
  int      direct      = 256;   /* size of the level that is factored */
  int      levels      = 64;
  bool     clamp       = false; /* negative excesses count as zero */
  int      join        = 0;     /* ranks that become one when a level moves to fewer of them, 0 for as many as the level's size asks for */
};

/* Places of the vertices on a plane lattice, for red-black coloring where weights are smooth */
struct Lattice {
  Array<int> x, y;
};

/* Consecutive rows with the same number of entries, so that no row needs a loop of unknown length */
struct Run {
  int nrows, length;
};

/* What a level of the preconditioner needs. All vectors of the hierarchy share one ordering, in which a coarser level is a prefix of the finer one. */
template <typename Real>
struct Level {
  int       n = 0, nc = 0; /* vertices, coarse vertices */
  long long nedges = 0, ncut = 0;
  double    total  = 0.0;   /* vertices of all ranks */
  bool      smooth = false; /* edges were cut, on some rank, so the elimination is not exact */

  /* Fine vertex nc + f has the neighbours col, all coarse, with the weights that are left; finv is the reciprocal of the diagonal or 0 */
  std::vector<Run> frun;
  Array<int>       fcol;
  Array<Real>      fweight, finv;
  /* The matrix before edges were cut, for smoothing: first the coarse rows, the i-th of which belongs to vertex srow[i], then the fine rows. Where rows
     are sorted by colour all of them are in crun and srow, and those of a colour, from colour[k] to colour[k + 1], are not coupled. */
  std::vector<Run> crun, srun;
  std::vector<int> colour;
  Array<int>       srow, scol;
  Array<Real>      sweight, sinv;
  Array<Real>      fbase, sbase; /* finv and sinv without a shift, once there is one */
};

template <typename Real>
class Ranks;
template <typename Real>
struct Merge;

template <typename Real>
struct Hierarchy {
  std::vector<Level<Real>> level;
  int                      n = 0;
  Array<int>               place;        /* of a vertex of the finest level in the vectors of the hierarchy */
  int                      nd = 0;       /* size of the coarsest level */
  Graph<Real>              coarse;       /* the coarsest level */
  Array<double>            shift;        /* of its diagonal */
  int                      nclamped = 0; /* fine vertices with so negative an excess that it was left out */
  /* On several ranks: how these levels hang together, and where the coarsest one moves to, in place of coarse */
  std::unique_ptr<Ranks<Real>> ranks;
  std::unique_ptr<Merge<Real>> merge;

  Hierarchy();
  ~Hierarchy();
};

/* Memory that levels use one after the other */
template <typename Real>
struct Workspace {
  Array<Colour> colour;
  Array<int>    mark, row, edge, order, start;
  Array<int>    fine, begin;   /* vertex and first entry of the level's fine rows */
  Array<Real>   before, share; /* share of a fine vertex's excess that goes along with a unit of weight */
  Graph<Real>   next;
};

/*
  Cuts edges, colours all vertices coarse or fine, and makes the rows of the fine ones, with vertices of the graph as columns. Rows are sorted by
  their length in matrix, which may have more edges than g. Returns the number of fine vertices whose negative excess was left out.
*/
template <typename Real>
int Sparsify(Graph<Real> &g, const Graph<Real> &matrix, int number, const Rules &rules, const Lattice *lattice, Workspace<Real> &work, Level<Real> &level);
/*
  Makes the rows for smoothing, of matrix and weights, and the graph of the coarse vertices, work.next. Columns are vertices of their levels until
  the order of all levels is known; index[v] is the number of a coarse vertex, or -1 - the number of a fine one.
*/
template <typename Real>
void Eliminate(const Graph<Real> &g, const Graph<Real> &matrix, const Real weights[], Workspace<Real> &work, Array<int> &index, Level<Real> &level);
/*
  matrix, where there is one, is what the finest level smoothes: g with edges of either sign that g has not. Where h.ranks is set the graph is this
  rank's part, and the call collective over them. first is the number of the first level.
*/
template <typename Real>
void Build(Graph<Real> &&finest, const Graph<Real> *matrix, Lattice *lattice, const Rules &rules, Hierarchy<Real> &h, int first = 0);
/* Sorts the rows for smoothing by colour, so that all of a colour can be smoothed at once; Gauss-Seidel goes from colour to colour then */
template <typename Real>
void SortByColour(Hierarchy<Real> &h);
/* Makes the hierarchy of A one of A + diag(t), where t is by vertex, or the same for all vertices where t is null; replaces an earlier shift */
template <typename Real>
void Shift(Hierarchy<Real> &h, const double t[], double all);

} // namespace hsc
} // namespace petlap
