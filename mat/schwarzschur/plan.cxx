/*
  Builds the elimination tree of a structured grid.
*/
#include "mat/schwarzschur/plan.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <unordered_map>
#include <vector>

namespace {

struct ClassLists {
  std::vector<PetscInt>  offset;
  std::vector<PlanRun>   run[2];
  std::vector<PlanRow>   row;
  std::vector<PlanEntry> entry;
};

struct Arena {
  std::vector<PlanClass>                   classes;
  std::vector<std::unique_ptr<ClassLists>> lists;
  std::vector<PlanGlue>                    glue;
  std::vector<int>                         stencil;
};

typedef std::vector<PetscInt> Key;

class Builder {
protected:
  const PlanGrid    &grid;
  Plan              *plan;
  Arena             *arena;
  int                s;
  std::map<Key, int> known;
  struct Release {
    void operator()(int *p) const
    {
      free(p);
    }
  };
  /* Of every point, for the front at hand. Only points in the front of some class are touched, which are few, so that most of this memory never becomes resident. */
  std::unique_ptr<int[], Release> stamp, position;
  int                             now = 0;

  /* Index of a point, or -1 outside of the domain */
  PetscInt Index(PetscInt x, PetscInt y, PetscInt z) const
  {
    PetscInt c[3] = {x, y, z};

    for (int d = 0; d < 3; d++) {
      if (c[d] >= 0 && c[d] < grid.size[d]) continue;
      if (!grid.periodic[d]) return -1;
      c[d] %= grid.size[d];
      if (c[d] < 0) c[d] += grid.size[d];
    }
    return c[0] + grid.size[0] * (c[1] + grid.size[1] * c[2]);
  }

  void Coordinates(PetscInt p, PetscInt c[3]) const
  {
    c[0] = p % grid.size[0];
    c[1] = p / grid.size[0] % grid.size[1];
    c[2] = p / grid.size[0] / grid.size[1];
  }

  /* The points that the row of p is coupled to, in the order of the stencil; a point that two slots lead to belongs to the first */
  void RowPoints(PetscInt p, PetscInt *targets)
  {
    PetscInt c[3];

    Coordinates(p, c);
    for (int k = 0; k < plan->nstencil; k++) {
      targets[k] = Index(c[0] + plan->stencil[k][0], c[1] + plan->stencil[k][1], c[2] + plan->stencil[k][2]);
      for (int l = 0; l < k && targets[k] >= 0 && (grid.periodic[0] || grid.periodic[1] || grid.periodic[2]); l++) {
        if (targets[l] == targets[k]) targets[k] = -1;
      }
    }
  }

  /* Adds the class of the front whose separator and ring are given; points are absolute */
  int Add(const Key &key, const int extent[3], const std::vector<PetscInt> &S, const std::vector<PetscInt> &ring, int nchild, const int child[], const PetscInt childorigin[], PetscInt origin, int block)
  {
    std::unique_ptr<ClassLists> l(new ClassLists);
    PlanClass                   c;
    std::vector<PetscInt>       front, targets(plan->nstencil), ordered;

    memset(&c, 0, sizeof(c));
    now++;
    for (PetscInt p : S) {
      if (stamp[p] == now) continue;
      stamp[p]    = now;
      position[p] = (int)front.size();
      front.push_back(p);
    }
    c.m = (int)front.size();
    for (PetscInt p : ring) {
      if (stamp[p] == now) continue;
      stamp[p]    = now;
      position[p] = (int)front.size();
      front.push_back(p);
    }
    c.r      = (int)front.size() - c.m;
    c.nchild = nchild;
    c.block  = block;
    for (int d = 0; d < 3; d++) c.box[d] = extent[d];
    for (PetscInt p : front) l->offset.push_back(p - origin);
    for (int i = 0; i < nchild; i++) {
      const PlanClass  &cc = arena->classes[child[i]];
      const ClassLists &cl = *arena->lists[child[i]];

      c.child[i] = child[i];
      c.shift[i] = childorigin[i] - origin;
      c.height   = std::max(c.height, cc.height + 1);
      for (int k = 0; k < cc.r; k++) {
        const PetscInt p = childorigin[i] + cl.offset[cc.m + k];
        const int      q = position[p];

        /* A ring lies in the separator and the ring of the parent, or the tree is wrong */
        if (stamp[p] != now) abort();
        if (!l->run[i].empty() && l->run[i].back().parent + l->run[i].back().n == q && (q != c.m))
          l->run[i].back().n++;
        else
          l->run[i].push_back({k, q, 1});
      }
    }
    for (int pass = 0; pass < 2; pass++) {
      for (int k = pass ? c.m : 0; k < (pass ? c.m + c.r : c.m); k++) {
        PlanRow row    = {front[k] - origin, k, (int)l->entry.size(), 0};
        bool    sorted = false;

        RowPoints(front[k], targets.data());
        for (int t = 0; t < plan->nstencil; t++) {
          const PetscInt p = targets[t];

          if (p < 0 || stamp[p] != now || (pass && position[p] >= c.m)) continue;
          if (!sorted) {
            ordered.clear();
            for (PetscInt q : targets) {
              if (q >= 0) ordered.push_back(q);
            }
            std::sort(ordered.begin(), ordered.end());
            sorted = true;
          }
          l->entry.push_back({position[p], t, (int)(std::lower_bound(ordered.begin(), ordered.end(), p) - ordered.begin())});
          row.n++;
        }
        if (row.n) l->row.push_back(row);
      }
      if (!pass) c.nsrow = (int)l->row.size();
    }
    c.nrow = (int)l->row.size();
    arena->classes.push_back(c);
    arena->lists.push_back(std::move(l));
    if (!key.empty()) known[key] = (int)arena->classes.size() - 1;
    return (int)arena->classes.size() - 1;
  }

  void Prepare()
  {
    stamp.reset((int *)calloc((size_t)plan->npoints, sizeof(int)));
    position.reset((int *)calloc((size_t)plan->npoints, sizeof(int)));
    if (!stamp || !position) throw std::bad_alloc();
  }

  Builder(Plan *p, Arena *a) : grid(p->grid), plan(p), arena(a), s(p->grid.width) {}
};

class StraightBuilder : public Builder {
  struct Box {
    PetscInt lo[3], hi[3];
  };

  /* Points of a slab, those along its normal first, so that the slabs of neighbouring boxes have long common pieces */
  void Slab(int normal, const PetscInt lo[3], const PetscInt hi[3], std::vector<PetscInt> &points) const
  {
    const int a = normal == 0 ? 1 : 0, b = normal == 2 ? 1 : 2;
    PetscInt  c[3];

    for (c[b] = lo[b]; c[b] < hi[b]; c[b]++) {
      for (c[a] = lo[a]; c[a] < hi[a]; c[a]++) {
        for (c[normal] = lo[normal]; c[normal] < hi[normal]; c[normal]++) {
          const PetscInt p = Index(c[0], c[1], c[2]);

          if (p >= 0) points.push_back(p);
        }
      }
    }
  }

  void Ring(const Box &box, std::vector<PetscInt> &points) const
  {
    for (int d = 0; d < grid.dim; d++) {
      for (int side = 0; side < 2; side++) {
        Box slab = box;

        for (int e = d + 1; e < grid.dim && !grid.star; e++) {
          slab.lo[e] -= s;
          slab.hi[e] += s;
          if (!grid.periodic[e]) {
            slab.lo[e] = std::max(slab.lo[e], (PetscInt)0);
            slab.hi[e] = std::min(slab.hi[e], grid.size[e]);
          }
        }
        slab.lo[d] = side ? box.hi[d] : box.lo[d] - s;
        slab.hi[d] = slab.lo[d] + s;
        Slab(d, slab.lo, slab.hi, points);
      }
    }
  }

  int AddBox(const Key &key, const Box &box, const std::vector<PetscInt> &S, const std::vector<PetscInt> &ring, int nchild, const int child[], const PetscInt childorigin[], PetscInt origin, int block)
  {
    const int extent[3] = {(int)(box.hi[0] - box.lo[0]), (int)(box.hi[1] - box.lo[1]), (int)(box.hi[2] - box.lo[2])};

    return Add(key, extent, S, ring, nchild, child, childorigin, origin, block);
  }

  PetscInt Origin(const Box &box) const
  {
    return box.lo[0] + grid.size[0] * (box.lo[1] + grid.size[1] * box.lo[2]);
  }

  /* Boxes with the same key have the same lists: the same extent, and the same grid around them as far as rows of the ring reach */
  Key BoxKey(const Box &box) const
  {
    Key key;

    for (int d = 0; d < grid.dim; d++) {
      key.push_back(box.hi[d] - box.lo[d]);
      key.push_back(std::min(box.lo[d], (PetscInt)(2 * s)));
      key.push_back(std::min(grid.size[d] - box.hi[d], (PetscInt)(2 * s)));
    }
    return key;
  }

  int Split(const Box &box, int d, PetscInt at, const int child[2], Key &key, int block)
  {
    std::vector<PetscInt> S, ring;
    Box                   slab = box, right = box;
    PetscInt              origin[2];

    slab.lo[d]  = at;
    slab.hi[d]  = at + s;
    right.lo[d] = at + s;
    origin[0]   = Origin(box);
    origin[1]   = Origin(right);
    Slab(d, slab.lo, slab.hi, S);
    Ring(box, ring);
    return AddBox(key, box, S, ring, 2, child, origin, Origin(box), block);
  }

  /* A box whose division depends on nothing but its own extent */
  int Block(const Box &box)
  {
    Key key = BoxKey(box);
    int d   = 0;

    key.push_back(-1);
    auto found = known.find(key);
    if (found != known.end()) return found->second;
    for (int e = 1; e < grid.dim; e++) {
      if (box.hi[e] - box.lo[e] > box.hi[d] - box.lo[d]) d = e;
    }
    const PetscInt side = box.hi[d] - box.lo[d];
    if (side <= plan->leaf || side < s + 2) {
      std::vector<PetscInt> S, ring;

      Slab(0, box.lo, box.hi, S);
      Ring(box, ring);
      return AddBox(key, box, S, ring, 0, nullptr, nullptr, Origin(box), 1);
    }
    Box       left = box, right = box;
    const int at       = (int)(box.lo[d] + (side - s) / 2);
    left.hi[d]         = at;
    right.lo[d]        = at + s;
    const int child[2] = {Block(left), Block(right)};
    return Split(box, d, at, child, key, 1);
  }

  std::vector<PetscInt> first[3], last[3]; /* of the blocks along each direction */

  void Partition(int d, PetscInt lo, PetscInt hi)
  {
    const PetscInt n = hi - lo;
    PetscInt       k = (PetscInt)((double)(n + s) / (plan->block + s) + 0.5);

    k = std::max(k, (PetscInt)1);
    while (k > 1 && (n - (k - 1) * s) / k < 1) k--;
    const PetscInt        total = n - (k - 1) * s;
    std::vector<PetscInt> width(k, total / k);
    PetscInt              rest = total % k;

    /* The outermost blocks differ from the others anyway */
    if (rest) width[k - 1]++, rest--;
    for (PetscInt i = 0; rest; i++, rest--) width[i]++;
    first[d].clear();
    last[d].clear();
    for (PetscInt i = 0, at = lo; i < k; at += width[i] + s, i++) {
      first[d].push_back(at);
      last[d].push_back(at + width[i]);
    }
  }

  int Upper(const int b0[3], const int b1[3])
  {
    Box box;
    int d = -1;

    for (int e = 0; e < 3; e++) {
      box.lo[e] = first[e][b0[e]];
      box.hi[e] = last[e][b1[e] - 1];
      if (b1[e] - b0[e] > 1 && (d < 0 || box.hi[e] - box.lo[e] > box.hi[d] - box.lo[d])) d = e;
    }
    if (d < 0) return Block(box);
    /* Between the two blocks where the halves are most alike */
    int      cut  = b0[d] + 1;
    PetscInt best = PETSC_MAX_INT;
    for (int i = b0[d] + 1; i < b1[d]; i++) {
      const PetscInt differ = PetscAbsInt((last[d][i - 1] - box.lo[d]) - (box.hi[d] - first[d][i]));

      if (differ < best) {
        best = differ;
        cut  = i;
      }
    }
    int c1[3] = {b1[0], b1[1], b1[2]}, c0[3] = {b0[0], b0[1], b0[2]};
    c1[d]              = cut;
    c0[d]              = cut;
    const int child[2] = {Upper(b0, c1), Upper(c0, b1)};
    Key       key      = BoxKey(box);

    key.push_back(d);
    key.push_back(last[d][cut - 1] - box.lo[d]);
    key.push_back(child[0]);
    key.push_back(child[1]);
    auto found = known.find(key);
    if (found != known.end()) return found->second;
    return Split(box, d, last[d][cut - 1], child, key, 0);
  }

public:
  StraightBuilder(Plan *p, Arena *a) : Builder(p, a) {}

  void Build()
  {
    Box                   inner;
    std::vector<PetscInt> frame;
    bool                  framed = false, empty = false;

    Prepare();
    for (int d = 0; d < 3; d++) {
      inner.lo[d] = 0;
      inner.hi[d] = grid.size[d];
      if (d < grid.dim && grid.topology == PLAN_OCTAHEDRAL) {
        inner.lo[d] = s;
        inner.hi[d] -= s;
        framed = true;
      } else if (d < grid.dim && grid.periodic[d]) {
        inner.lo[d] = std::min((PetscInt)s, grid.size[d]);
        framed      = true;
      }
      if (inner.hi[d] <= inner.lo[d]) empty = true;
    }
    if (framed) {
      for (PetscInt p = 0; p < plan->npoints; p++) {
        PetscInt c[3];
        bool     in = !empty;

        Coordinates(p, c);
        for (int d = 0; d < 3; d++) in = in && c[d] >= inner.lo[d] && c[d] < inner.hi[d];
        if (!in) frame.push_back(p);
      }
    }
    int      top    = -1;
    PetscInt origin = 0;
    if (!empty) {
      int b0[3] = {0, 0, 0}, b1[3];

      for (int d = 0; d < 3; d++) {
        Partition(d, inner.lo[d], inner.hi[d]);
        b1[d] = (int)first[d].size();
      }
      top    = Upper(b0, b1);
      origin = Origin(inner);
    }
    if (framed) {
      Box whole;

      for (int d = 0; d < 3; d++) {
        whole.lo[d] = 0;
        whole.hi[d] = grid.size[d];
      }
      top    = AddBox(Key(), whole, frame, std::vector<PetscInt>(), empty ? 0 : 1, &top, &origin, 0, 0);
      origin = 0;
    }
    plan->root       = top;
    plan->rootorigin = origin;
  }
};

/*
  Dissection of a plane grid whose points are coupled to their four neighbours: all points of one diagonal x + y = p or x - y = q separate its
  two sides, and the region with the shortest ring for its area is a diamond. So every region is a rectangle in p and q, cut off at the sides of
  the grid. Cuts follow a lattice of diagonals down to its cells, the blocks, which are all alike inside the grid.

  The line in the middle is often not the best one: first cutting off what lies in the corners of the grid saves a sixth of the work.
  So the cuts are found by dynamic programming over the regions that lines of a coarse lattice, a sixth to a third of the region apart, can lead to.
*/
class DiagonalBuilder : public Builder {
  enum { P, Q, X, Y };

  /* Bounds of p, q, x and y, all of them attained */
  struct Region {
    PetscInt lo[4], hi[4];
  };
  struct State {
    int  v[12];
    bool operator==(const State &o) const
    {
      return !memcmp(v, o.v, sizeof(v));
    }
  };
  struct StateHash {
    size_t operator()(const State &s) const
    {
      uint64_t h = 1469598103934665603u;

      for (int k : s.v) h = (h ^ (uint64_t)(unsigned)k) * 1099511628211u, h ^= h >> 29;
      return (size_t)h;
    }
  };
  struct Cut {
    int      d; /* P or Q, negative for a block */
    PetscInt at;
    double   cost;
  };

  PetscInt                                     nx, ny, spacing, anchor[2];
  std::unordered_map<State, Cut, StateHash>    cuts;
  std::unordered_map<State, double, StateHash> blockcost;

  /* First and last point of the line whose coordinate d is c, among those of the grid with lo <= other coordinate <= hi */
  bool Line(int d, PetscInt c, PetscInt lo, PetscInt hi, PetscInt *first, PetscInt *last) const
  {
    PetscInt a = std::max(lo, -c), b = std::min(hi, 2 * (nx - 1) - c);

    if (d == P) {
      a = std::max(a, c - 2 * (ny - 1));
      b = std::min(b, c);
    } else {
      a = std::max(a, c);
      b = std::min(b, 2 * (ny - 1) + c);
    }
    if ((a ^ c) & 1) a++;
    if ((b ^ c) & 1) b--;
    *first = a;
    *last  = b;
    return a <= b;
  }

  void AddLine(int d, PetscInt c, PetscInt lo, PetscInt hi, std::vector<PetscInt> &points) const
  {
    PetscInt a, b;

    if (!Line(d, c, lo, hi, &a, &b)) return;
    for (; a <= b; a += 2) points.push_back((c + a) / 2 + nx * (d == P ? (c - a) / 2 : (a - c) / 2));
  }

  static PetscInt HalfDown(PetscInt n)
  {
    return (n - (n & 1)) / 2;
  }
  static PetscInt HalfUp(PetscInt n)
  {
    return (n + (n & 1)) / 2;
  }

  /* Makes the bounds of all four coordinates as tight as whole numbers allow; false when there is no point */
  static bool Tighten(Region &R)
  {
    PetscInt *l = R.lo, *h = R.hi;
    bool      again = true;
    auto      raise = [&](int d, PetscInt v) {
      if (v > l[d]) l[d] = v, again = true;
    };
    auto lower = [&](int d, PetscInt v) {
      if (v < h[d]) h[d] = v, again = true;
    };

    while (again) {
      again = false;
      raise(X, HalfUp(l[P] + l[Q]));
      lower(X, HalfDown(h[P] + h[Q]));
      raise(Y, HalfUp(l[P] - h[Q]));
      lower(Y, HalfDown(h[P] - l[Q]));
      raise(P, l[X] + l[Y]);
      raise(P, 2 * l[X] - h[Q]);
      raise(P, 2 * l[Y] + l[Q]);
      lower(P, h[X] + h[Y]);
      lower(P, 2 * h[X] - l[Q]);
      lower(P, 2 * h[Y] + h[Q]);
      raise(Q, l[X] - h[Y]);
      raise(Q, 2 * l[X] - h[P]);
      raise(Q, l[P] - 2 * h[Y]);
      lower(Q, h[X] - l[Y]);
      lower(Q, 2 * h[X] - l[P]);
      lower(Q, h[P] - 2 * l[Y]);
      raise(X, l[P] - h[Y]);
      raise(X, l[Q] + l[Y]);
      lower(X, h[P] - l[Y]);
      lower(X, h[Q] + h[Y]);
      raise(Y, l[P] - h[X]);
      raise(Y, l[X] - h[Q]);
      lower(Y, h[P] - l[X]);
      lower(Y, h[X] - l[Q]);
      for (int d = 0; d < 4; d++) {
        if (l[d] > h[d]) return false;
      }
    }
    return true;
  }

  /* The line of the ring at the given end of coordinate d. Corners belong to the lines of p. */
  bool Side(const Region &R, int d, int end, PetscInt *c, PetscInt *first, PetscInt *last) const
  {
    PetscInt a, b;

    *c = end ? R.hi[d] : R.lo[d];
    if (!Line(d, *c, R.lo[!d], R.hi[!d], &a, &b)) return false;
    *c += end ? 1 : -1;
    a--;
    b++;
    if (d == Q) {
      a = std::max(a, R.lo[P]);
      b = std::min(b, R.hi[P]);
    }
    return Line(d, *c, a, b, first, last);
  }

  int RingSize(const Region &R) const
  {
    PetscInt c, a, b, n = 0;

    for (int k = 0; k < 4; k++) {
      if (Side(R, k / 2, k % 2, &c, &a, &b)) n += (b - a) / 2 + 1;
    }
    return (int)n;
  }

  PetscInt Origin(const Region &R) const
  {
    return R.lo[X] + nx * R.lo[Y];
  }

  /* What the lists of a region depend on: its shape, and the sides of the grid as far as rows of the ring reach */
  State Shape(const Region &R) const
  {
    const PetscInt p = R.lo[X] + R.lo[Y], q = R.lo[X] - R.lo[Y];
    State          s = {{(int)(R.lo[P] - p), (int)(R.hi[P] - p), (int)(R.lo[Q] - q), (int)(R.hi[Q] - q), (int)(R.hi[X] - R.lo[X]), (int)(R.hi[Y] - R.lo[Y]), 0, 0, 0, 0, 0, 0}};

    for (int k = 0; k < 2; k++) {
      s.v[6 + 2 * k] = (int)std::min(R.lo[X + k], (PetscInt)2);
      s.v[7 + 2 * k] = (int)std::min(grid.size[k] - 1 - R.hi[X + k], (PetscInt)2);
    }
    return s;
  }

  Key FrontKey(const State &s, int kind) const
  {
    Key key(s.v, s.v + 12);

    key.push_back(kind);
    return key;
  }

  /* Operations of a front, to compare trees */
  static double FrontCost(double m, double r)
  {
    return 2 * m * m * m / 3 + 2 * m * m * r + 2 * m * r * r;
  }

  /* The parts on both sides of a cut; returns their number */
  static int Parts(const Region &R, int d, PetscInt at, Region part[2])
  {
    int n = 0;

    for (int k = 0; k < 2; k++) {
      part[n] = R;
      if (k)
        part[n].lo[d] = at + 1;
      else
        part[n].hi[d] = at - 1;
      if (part[n].lo[d] <= part[n].hi[d] && Tighten(part[n])) n++;
    }
    return n;
  }

  int Front(const Region &R, const Key &key, int d, PetscInt at, int n, const PetscInt origin[], const int child[], int block)
  {
    std::vector<PetscInt> S, ring;
    const int             extent[3] = {(int)(R.hi[X] - R.lo[X] + 1), (int)(R.hi[Y] - R.lo[Y] + 1), 1};
    PetscInt              c, a, b;

    if (d < 0) {
      for (PetscInt p = R.lo[P]; p <= R.hi[P]; p++) AddLine(P, p, R.lo[Q], R.hi[Q], S);
    } else
      AddLine(d, at, R.lo[!d], R.hi[!d], S);
    for (int k = 0; k < 4; k++) {
      if (Side(R, k / 2, k % 2, &c, &a, &b)) AddLine(k / 2, c, a, b, ring);
    }
    return Add(key, extent, S, ring, n, child, origin, Origin(R), block);
  }

  /* Where a block is cut; false for leaves */
  bool Halve(const Region &R, int *d, PetscInt *at) const
  {
    *d                  = R.hi[Q] - R.lo[Q] > R.hi[P] - R.lo[P];
    const PetscInt side = R.hi[*d] - R.lo[*d] + 1;

    *at = R.lo[*d] + (side - 1) / 2;
    return side > plan->leaf;
  }

  int Points(const Region &R) const
  {
    PetscInt a, b, n = 0;

    for (PetscInt p = R.lo[P]; p <= R.hi[P]; p++) {
      if (Line(P, p, R.lo[Q], R.hi[Q], &a, &b)) n += (b - a) / 2 + 1;
    }
    return (int)n;
  }

  double BlockCost(const Region &R)
  {
    const State s     = Shape(R);
    auto        found = blockcost.find(s);
    const int   r     = RingSize(R);
    Region      part[2];
    PetscInt    at, a, b;
    int         d;
    double      c;

    if (found != blockcost.end()) return found->second;
    if (!Halve(R, &d, &at))
      c = FrontCost(Points(R), r);
    else {
      c = FrontCost(Line(d, at, R.lo[!d], R.hi[!d], &a, &b) ? (double)((b - a) / 2 + 1) : 0, r);
      for (int k = 0, n = Parts(R, d, at, part); k < n; k++) c += BlockCost(part[k]);
    }
    return blockcost[s] = c;
  }

  int Block(const Region &R)
  {
    const Key key   = FrontKey(Shape(R), 1);
    auto      found = known.find(key);
    Region    part[2];
    PetscInt  at, origin[2];
    int       d, child[2], n;

    if (found != known.end()) return found->second;
    if (!Halve(R, &d, &at)) return Front(R, key, -1, 0, 0, nullptr, nullptr, 1);
    n = Parts(R, d, at, part);
    for (int k = 0; k < n; k++) {
      child[k]  = Block(part[k]);
      origin[k] = Origin(part[k]);
    }
    return Front(R, key, d, at, n, origin, child, 1);
  }

  /* How a region lies in the lattice whose lines may cut it: their distance, and the first one as seen from the low end */
  void Lattice(const Region &R, PetscInt step[2], PetscInt first[2]) const
  {
    for (int d = 0; d < 2; d++) {
      const PetscInt side = R.hi[d] - R.lo[d] + 1;

      step[d] = spacing;
      while (6 * step[d] <= side) step[d] *= 2;
      first[d] = (anchor[d] - R.lo[d]) % step[d];
      if (first[d] < 0) first[d] += step[d];
    }
  }

  /*
    What the cost of a region depends on, the same for its mirror images. A region is its bounding box in x and y with the corners cut off, and
    each corner belongs to one end of p or q. Also tells which of p and q were reversed, and then, whether they were exchanged.
  */
  State Likeness(const Region &R, const PetscInt step[2], const PetscInt first[2], bool reversed[2], bool *exchanged) const
  {
    const PetscInt w = R.hi[X] - R.lo[X], h = R.hi[Y] - R.lo[Y];
    const PetscInt cut[2][2]  = {{R.lo[P] - R.lo[X] - R.lo[Y], R.hi[X] + R.hi[Y] - R.hi[P]}, {R.lo[Q] - R.lo[X] + R.hi[Y], R.hi[X] - R.lo[Y] - R.hi[Q]}};
    const int      free[2][2] = {{R.lo[X] > 0, R.lo[Y] > 0}, {R.hi[Y] < ny - 1, R.hi[X] < nx - 1}};
    PetscInt       last[2];
    State          s;
    int           *v = s.v;

    for (int d = 0; d < 2; d++) {
      last[d] = (R.hi[d] - R.lo[d] - first[d]) % step[d];
      if (last[d] < 0) last[d] += step[d];
      PetscInt differ = cut[d][0] - cut[d][1];
      if (!differ) differ = first[d] - last[d];
      if (!differ) differ = free[0][0] - free[1][1] + (d ? free[1][0] - free[0][1] : free[0][1] - free[1][0]);
      reversed[d] = differ > 0;
    }
    const int a = reversed[0], b = reversed[1];
    int       side[2] = {(int)(R.hi[P] - R.lo[P]), (int)(R.hi[Q] - R.lo[Q])};
    PetscInt  differ  = side[0] - side[1];
    if (!differ) differ = cut[0][a] - cut[1][b];
    if (!differ) differ = cut[0][!a] - cut[1][!b];
    if (!differ) differ = free[a][!b] - free[!a][b];
    *exchanged = differ > 0;
    for (int k = 0; k < 2; k++) {
      const int d = *exchanged ? !k : k, e = reversed[d];

      v[k]     = (int)cut[d][e];
      v[2 + k] = (int)cut[d][!e];
      v[4 + k] = (int)(e ? last[d] : first[d]);
    }
    v[6]  = (int)(a == b ? w : h);
    v[7]  = (int)(a == b ? h : w);
    v[8]  = free[a][b];
    v[9]  = free[!a][!b];
    v[10] = *exchanged ? free[!a][b] : free[a][!b];
    v[11] = *exchanged ? free[a][!b] : free[!a][b];
    return s;
  }

  Cut Decide(const Region &R)
  {
    PetscInt step[2], first[2];
    bool     reversed[2], exchanged;
    Lattice(R, step, first);
    const State s     = Likeness(R, step, first, reversed, &exchanged);
    auto        found = cuts.find(s);
    Cut         best  = {-1, 0, 0};

    if (found != cuts.end()) {
      best = found->second;
      if (best.d < 0) return best;
      best.d = exchanged ? !best.d : best.d;
      if (reversed[best.d]) best.at = R.hi[best.d] - R.lo[best.d] - best.at;
      return best;
    }
    const double r = RingSize(R);
    for (int d = 0; d < 2; d++) {
      const PetscInt side = R.hi[d] - R.lo[d] + 1;

      for (PetscInt off = first[d]; off < side; off += step[d]) {
        Region   part[2];
        PetscInt a, b;

        /* No slivers */
        if (4 * off < spacing || 4 * (side - 1 - off) < spacing) continue;
        if (!Line(d, R.lo[d] + off, R.lo[!d], R.hi[!d], &a, &b)) continue;
        double c = FrontCost((double)((b - a) / 2 + 1), r);
        for (int k = 0, n = Parts(R, d, R.lo[d] + off, part); k < n && (best.d < 0 || c < best.cost); k++) c += Decide(part[k]).cost;
        if (best.d < 0 || c < best.cost) best = {d, off, c};
      }
    }
    if (best.d < 0) best.cost = BlockCost(R);
    Cut stored = best;
    if (best.d >= 0) {
      if (reversed[best.d]) stored.at = R.hi[best.d] - R.lo[best.d] - best.at;
      if (exchanged) stored.d = !best.d;
    }
    cuts[s] = stored;
    return best;
  }

  int Upper(const Region &R)
  {
    const Cut cut = Decide(R);
    Region    part[2];
    PetscInt  step[2], first[2], origin[2];
    int       child[2];

    if (cut.d < 0) return Block(R);
    State s = Shape(R);
    Lattice(R, step, first);
    for (int d = 0; d < 2; d++) s.v[10 + d] = (int)first[d];
    const Key key   = FrontKey(s, 0);
    auto      found = known.find(key);
    if (found != known.end()) return found->second;
    const PetscInt at = R.lo[cut.d] + cut.at;
    const int      n  = Parts(R, cut.d, at, part);
    for (int k = 0; k < n; k++) {
      child[k]  = Upper(part[k]);
      origin[k] = Origin(part[k]);
    }
    return Front(R, key, cut.d, at, n, origin, child, 0);
  }

public:
  DiagonalBuilder(Plan *p, Arena *a) : Builder(p, a), nx(p->grid.size[0]), ny(p->grid.size[1]), spacing(p->block + 1) {}

  void Build()
  {
    Region whole = {{0, 1 - ny, 0, 0}, {nx + ny - 2, nx - 1, nx - 1, ny - 1}};

    Prepare();
    /* A corner of cells lies in the middle of the grid */
    anchor[P] = (nx + ny - 2) / 2;
    anchor[Q] = (nx - ny) / 2;
    if ((anchor[P] ^ anchor[Q]) & 1) anchor[Q]++;
    plan->root       = Upper(whole);
    plan->rootorigin = 0;
  }
};

} // namespace

/* Grids with a side below SMALL gain nothing from diagonals; blocks are larger on grids of more points than LARGE */
enum { SMALL = 40, LARGE = 200 * 200 };

bool PlanDiagonal(const PlanGrid *g)
{
  return g->dim == 2 && g->star && g->width == 1 && !g->periodic[0] && !g->periodic[1] && g->topology == PLAN_PLAIN;
}

static void PlanFinish(Plan *plan, Arena *arena)
{
  plan->nclass = (int)arena->classes.size();
  plan->cls    = arena->classes.data();
  for (int i = 0; i < plan->nclass; i++) {
    PlanClass  &c = plan->cls[i];
    ClassLists &l = *arena->lists[i];

    c.offset = l.offset.data();
    c.row    = l.row.data();
    c.entry  = l.entry.data();
    for (int k = 0; k < 2; k++) {
      c.nrun[k] = (int)l.run[k].size();
      c.run[k]  = l.run[k].data();
    }
    plan->maxfront = std::max(plan->maxfront, c.m + c.r);
  }
  plan->cls[plan->root].count = 1;
  for (int i = plan->nclass - 1; i >= 0; i--) {
    for (int k = 0; k < plan->cls[i].nchild; k++) plan->cls[plan->cls[i].child[k]].count += plan->cls[i].count;
  }
  plan->height  = plan->cls[plan->root].height;
  plan->nfronts = 0;
  plan->nblocks = plan->cls[plan->root].block;
  for (int i = 0; i < plan->nclass; i++) {
    const PlanClass &c = plan->cls[i];

    plan->nfronts += (PetscInt)c.count;
    for (int k = 0; k < c.nchild; k++) plan->nblocks += !c.block && plan->cls[c.child[k]].block ? (PetscInt)c.count : 0;
  }
}

Plan *PlanCreate(const PlanGrid *grid, int leaf, int block, char *error, size_t length)
{
  std::unique_ptr<Arena> arena;
  std::unique_ptr<Plan>  plan;

  try {
    plan.reset(new Plan());
    arena.reset(new Arena());
    plan->grid    = *grid;
    plan->npoints = grid->size[0] * grid->size[1] * grid->size[2];
    for (int z = -(grid->dim > 2) * grid->width; z <= (grid->dim > 2) * grid->width; z++) {
      for (int y = -(grid->dim > 1) * grid->width; y <= (grid->dim > 1) * grid->width; y++) {
        for (int x = -grid->width; x <= grid->width; x++) {
          if (grid->star && (x != 0) + (y != 0) + (z != 0) > 1) continue;
          arena->stencil.insert(arena->stencil.end(), {x, y, z});
        }
      }
    }
    plan->nstencil = (int)arena->stencil.size() / 3;
    plan->stencil  = (int(*)[3])arena->stencil.data();
    plan->leaf     = leaf ? leaf : (grid->dim > 2 ? 3 : 5);
    plan->block    = block ? block : (grid->dim > 2 ? 7 : 15);
    plan->diagonal = PlanDiagonal(grid) && grid->separators != PLAN_SEPARATORS_STRAIGHT && (grid->separators == PLAN_SEPARATORS_DIAGONAL || std::min(grid->size[0], grid->size[1]) >= SMALL);
    /* Sides of a diamond count diagonals, so it has half as many points as a box. Few lanes would be filled by large ones on a small grid. */
    if (plan->diagonal && !block && plan->npoints > LARGE) plan->block = 31;
    plan->leaf = std::max(plan->leaf, grid->width + 1);
    /* Points of a single diagonal are not coupled to each other, so nothing is cut down to one */
    if (plan->diagonal) plan->leaf = std::max(plan->leaf, 4);
    plan->block = std::max(plan->block, plan->leaf);
    if (plan->diagonal)
      DiagonalBuilder(plan.get(), arena.get()).Build();
    else
      StraightBuilder(plan.get(), arena.get()).Build();
    PlanFinish(plan.get(), arena.get());
  } catch (const std::exception &) {
    snprintf(error, length, "out of memory while the elimination tree of the grid was built");
    return nullptr;
  }
  plan->arena = arena.release();
  return plan.release();
}

void PlanDestroy(Plan *plan)
{
  if (!plan) return;
  delete (Arena *)plan->arena;
  delete plan;
}

int PlanSlot(const Plan *plan, PetscInt point, PetscInt other)
{
  const PlanGrid &g = plan->grid;
  PetscInt        c[3], t[3];

  c[0] = point % g.size[0], c[1] = point / g.size[0] % g.size[1], c[2] = point / g.size[0] / g.size[1];
  for (int k = 0; k < plan->nstencil; k++) {
    for (int d = 0; d < 3; d++) {
      t[d] = c[d] + plan->stencil[k][d];
      if (g.periodic[d]) t[d] = (t[d] % g.size[d] + g.size[d]) % g.size[d];
      if (t[d] < 0 || t[d] >= g.size[d]) t[d] = -1;
    }
    if (t[0] >= 0 && t[1] >= 0 && t[2] >= 0 && t[0] + g.size[0] * (t[1] + g.size[1] * t[2]) == other) return k;
  }
  return -1;
}

int PlanRowPoints(const Plan *plan, PetscInt point)
{
  const PlanGrid &g    = plan->grid;
  const PetscInt  c[3] = {point % g.size[0], point / g.size[0] % g.size[1], point / g.size[0] / g.size[1]};
  PetscInt        reach[3], sum = 1, product = 1;

  for (int d = 0; d < 3; d++) {
    const PetscInt w = d < g.dim ? g.width : 0;

    reach[d] = g.periodic[d] ? PetscMin(2 * w, g.size[d] - 1) : PetscMin(w, c[d]) + PetscMin(w, g.size[d] - 1 - c[d]);
    sum += reach[d];
    product *= reach[d] + 1;
  }
  return (int)(g.star ? sum : product);
}

PlanGlue *PlanSetGlue(Plan *plan, PetscInt n)
{
  Arena *arena = (Arena *)plan->arena;

  arena->glue.resize((size_t)n);
  plan->nglue = n;
  plan->glue  = arena->glue.data();
  return plan->glue;
}

PlanCount PlanCounts(const Plan *plan)
{
  PlanCount           n = {0, 0, 0, 0, 0};
  const double        d = plan->grid.dof;
  std::vector<double> stack(plan->nclass, 0.0);

  for (int i = 0; i < plan->nclass; i++) {
    const PlanClass &c = plan->cls[i];
    const double     m = d * c.m, r = d * c.r;
    double           live = 0;

    n.lu += c.count * (m * m + 2 * m * r);
    n.symmetric += c.count * (m * (m + 1) / 2 + m * r);
    n.lu_flops += c.count * (2 * m * m * m / 3 + 2 * m * m * r + 2 * m * r * r);
    n.symmetric_flops += c.count * (m * m * m / 3 + m * m * r + m * r * r);
    for (int k = 0; k < c.nchild; k++) {
      const double rk = d * plan->cls[c.child[k]].r;

      stack[i] = std::max(stack[i], live + stack[c.child[k]]);
      live += rk * rk;
    }
    stack[i] = std::max(stack[i], live + r * r);
  }
  n.stack = stack[plan->root];
  return n;
}
