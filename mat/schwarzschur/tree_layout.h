/*
  How the elimination tree of a plan is laid out over ranks, without numbers: the subtrees and fronts that this rank has a part in, the entries of the matrix that go there, and what is sent
  between a front and its parent. Every rank finds the same, and there is no communication.
*/
#pragma once

#include "mat/schwarzschur/tree_ranks.h"
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

struct TreeRanks;

namespace treeranks {

/* Memory of the C library, which only becomes resident where it is touched */
class Lazy {
  void  *p     = nullptr;
  double bytes = 0;

public:
  Lazy()                        = default;
  Lazy(const Lazy &)            = delete;
  Lazy &operator=(const Lazy &) = delete;
  ~Lazy()
  {
    free(p);
  }
  bool Reserve(double n)
  {
    if (n <= bytes) return true;
    free(p);
    p     = n < 0.9 * (double)PTRDIFF_MAX ? malloc((size_t)n) : nullptr;
    bytes = p ? n : 0;
    return p != nullptr;
  }
  void Release()
  {
    free(p);
    p     = nullptr;
    bytes = 0;
  }
  template <class T>
  T *As() const
  {
    return (T *)p;
  }
};

/*
  A subtree of this rank. The executors address rows, right-hand sides and solutions by the points of the grid, so there are arrays from the subtree's first point to its last. In these
  lie lines of other ranks' points, but they are never touched, and memory that nobody touches is not resident: what a rank really
  holds is its own lines, to whole pages.
*/
struct Subtree {
  int                    node;
  Plan                   plan; /* its classes only */
  std::vector<PlanClass> cls;
  Factor                *factor = nullptr;
  PetscInt               lo, hi; /* points lo..hi - 1, its ring among them */
  Lazy                   start;  /* of the matrix row of each unknown */
  Lazy                   b, x;
  std::vector<PetscInt>  point; /* that it eliminates, ascending */
  PetscInt               own;   /* where they begin in what the rank owns */
  std::vector<char>      block; /* contribution block of its root, where it had to be copied */
  void                  *ring = nullptr;

  ~Subtree()
  {
    FactorDestroy(factor);
  }
};

/* An entry of A in a column of this rank; from counts values of the rows that are needed */
struct FrontEntry {
  int    row, col;
  bool   conj;
  size_t from;
};

/* How the contribution block of a child lies in the columns of its parent, and what of it this rank sends and gets */
struct Route {
  int                           node, parent, r;
  bool                          lower, mirror; /* only the child's lower triangle is there; the parent wants both */
  std::vector<int>              pos, to, from; /* of each column: position in the parent, rank that has it there, rank that has it here */
  std::vector<std::vector<int>> of;            /* columns that each rank of the parent has there */
  std::vector<size_t>           out, in;       /* entries for each rank of the parent, and from each rank of the child */

  Route(const TreeRanks *t, int n, int k);
  template <class Put>
  void   Pieces(int first, int s, int q, Put put) const;
  size_t Count(int first, int s, int q) const;
};

/* A front that this rank shares with others */
struct Shared {
  int                     node;
  MPI_Comm                comm    = MPI_COMM_NULL;
  bool                    ownscom = false;
  FrontRanks             *front   = nullptr;
  std::vector<FrontEntry> entry;
  std::vector<Route>      route; /* of each child */
  std::vector<int>        home;  /* points of S that this rank owns, as positions */
  PetscInt                own;
  Lazy                    v; /* f x nrhs */
  double                  replaced = 0, ratio = 1;
  double                  block = 0; /* bytes of its contribution block on this rank */
};

} // namespace treeranks

struct TreeRanks {
  const Plan          *plan;
  TreeRanksOptions     options;
  const FactorKernels *kernels;
  TreeMap             *map  = nullptr;
  MPI_Comm             comm = MPI_COMM_NULL;
  int                  rank = 0;

  std::vector<std::unique_ptr<treeranks::Subtree>> subtree;
  std::vector<std::unique_ptr<treeranks::Shared>>  shared;              /* in the order of the map */
  std::vector<int>                                 subtreeof, sharedof; /* of each node, or -1 */
  std::vector<PetscInt>                            needs, owns;
  std::vector<MPI_Request>                         request;                 /* has room for those of any front */
  double                                           out = 0, in = 0;         /* entries that the largest front's extend-add sends and gets */
  treeranks::Lazy                                  outroom, inroom, panels; /* for them, while numbers are put in */

  ~TreeRanks()
  {
    for (size_t i = shared.size(); i-- > 0;) {
      FrontRanksDestroy(shared[i]->front);
      if (shared[i]->ownscom) (void)MPI_Comm_free(&shared[i]->comm);
    }
    if (comm != MPI_COMM_NULL) (void)MPI_Comm_free(&comm);
    TreeMapDestroy(map);
  }
};

namespace treeranks {

inline int Dof(const TreeRanks *t)
{
  return t->plan->grid.dof;
}

inline const PlanClass &ClassOf(const TreeRanks *t, int node)
{
  return t->plan->cls[t->map->node[node].cls];
}

inline int Size(const TreeMapNode &n)
{
  return n.last - n.first;
}

/* The rank that has a column of a shared front */
inline int ColumnRank(const TreeRanks *t, int node, int col)
{
  const PlanClass &c = ClassOf(t, node);

  return t->map->node[node].first + FrontRanksOwner(c.m * Dof(t), c.r * Dof(t), t->options.columns, Size(t->map->node[node]), col);
}

/* Pieces of a message that MPI's counts can hold */
const size_t PIECE = (size_t)1 << 28;

inline size_t Pieces(size_t entries)
{
  return (entries + PIECE - 1) / PIECE;
}

/* Calls put(k, i, n, flip): entries i..i + n - 1 of column k of the child, which rank s sends to rank q. They are rows of the parent's column for k, or, flipped, entries of one row of it. Both ranks see the same order. */
template <class Put>
void Route::Pieces(int first, int s, int q, Put put) const
{
  const std::vector<int> &list = of[q - first];

  for (int k = 0; k < r; k++) {
    if (from[k] != s) continue;
    if (to[k] == q) {
      for (int i = lower ? k : 0; i < r;) {
        int n = 1;

        if (!lower || mirror)
          n = r - i;
        else if (pos[i] < pos[k]) {
          i++;
          continue;
        } else
          while (i + n < r && pos[i + n] > pos[k]) n++;
        put(k, i, n, false);
        i += n;
      }
    }
    if (!lower) continue;
    for (auto i = std::upper_bound(list.begin(), list.end(), k); i != list.end(); ++i) {
      if (mirror || pos[*i] < pos[k]) put(k, *i, 1, true);
    }
  }
}

/* What only depends on the plan, the map, and the options; throws when memory runs out */
void LayOut(TreeRanks *t);

} // namespace treeranks
