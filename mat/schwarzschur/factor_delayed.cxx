/*
  Multifrontal LU with delayed pivots. Fronts come in postorder, and the blocks that they leave to their parents stand on a stack. Rows and columns of a front are exchanged
  independently of each other, so each keeps the numbers of its own; a front may even pass up more rows than columns, once some of them turned out to depend on others.
*/
#include "mat/schwarzschur/factor_delayed.h"
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <vector>

namespace {

/* Pivots of a panel before the rest of the front is brought up to date */
const int PANEL = 32;
/*
  A pivot is at least this part of the largest entry of its row, in the root and below. Without that, what rounding leaves of a dependent row could grow until it passes for a
  pivot. Measured: few pivots fail for it that do not fail for their columns.
*/
const double ROOT_ROW = 0.25, ROW = 0.1;
/* Pivots up to the order times the rounding unit are none. The order counts within these bounds, so that neither chance nor a matrix that is merely ill-conditioned is taken for singular. */
const double LEAST_ORDER = 8192, MOST_ORDER = 524288;
/* Rows and columns are balanced where the largest entries of some are smaller by this factor than those of others; entries that are smaller by NOTHING are left out of that */
const double UNEVEN = 1e-3, NOTHING = 1e-30;
const int    TURNS = 20;
/* Binary exponents of the factors, and of what they may bring the largest entry of a row to on the way */
const double MOST_POWER = 500, MOST_GROWTH = 400;
/* Right-hand sides that are solved for together */
const int MOST_VECTORS = 32;
/* Candidates are tried again while one of so many finds a pivot */
const int RETRY = 8;

/* A measure of size for pivoting: the modulus, or the sum of the moduli of both parts */
double Size(PetscScalar a)
{
#if defined(PETSC_USE_COMPLEX)
  return std::fabs(a.real()) + std::fabs(a.imag());
#else
  return std::fabs(a);
#endif
}

/* The largest part, which is finite whenever a is */
double Part(PetscScalar a)
{
#if defined(PETSC_USE_COMPLEX)
  return std::fmax(std::fabs(a.real()), std::fabs(a.imag()));
#else
  return std::fabs(a);
#endif
}

bool Finite(PetscScalar a)
{
#if defined(PETSC_USE_COMPLEX)
  return std::isfinite(a.real()) && std::isfinite(a.imag());
#else
  return std::isfinite(a);
#endif
}

/* The size of the largest entry. Several maxima at a time, since each has to wait for the one before. */
double Most(int n, const PetscScalar *a)
{
  double most[4] = {0, 0, 0, 0};
  int    i       = 0;

  for (; i + 4 <= n; i += 4) {
    for (int k = 0; k < 4; k++) most[k] = std::max(most[k], Size(a[i + k]));
  }
  for (; i < n; i++) most[0] = std::max(most[0], Size(a[i]));
  return std::max(std::max(most[0], most[1]), std::max(most[2], most[3]));
}

/* The same, and the first that is as large; 0 if there is none */
int Largest(int n, const PetscScalar *a, double *size)
{
  *size = Most(n, a);
  for (int i = 0; i < n; i++) {
    if (Size(a[i]) == *size) return i;
  }
  return 0;
}

/* Memory that grows by chunks, stays where it is, and is given back all at once */
class Chunks {
  struct Chunk {
    char  *p;
    size_t size;
  };
  std::vector<Chunk> chunk;
  size_t             now = 0, used = 0, total = 0;

public:
  Chunks()                          = default;
  Chunks(const Chunks &)            = delete;
  Chunks &operator=(const Chunks &) = delete;
  ~Chunks()
  {
    Free();
  }
  void Free()
  {
    for (Chunk &c : chunk) free(c.p);
    chunk.clear();
    now = used = total = 0;
  }
  void Reset()
  {
    now = used = 0;
  }
  double Bytes() const
  {
    return (double)total;
  }
  template <class T>
  T *Take(size_t n)
  {
    const double bytes = (double)n * sizeof(T);
    if (bytes > 0.4 * (double)PTRDIFF_MAX) throw std::bad_alloc();
    const size_t size = (n * sizeof(T) + 63) / 64 * 64;

    for (; now < chunk.size(); now++, used = 0) {
      if (size > chunk[now].size - used) continue;
      used += size;
      return (T *)(chunk[now].p + used - size);
    }
    const size_t room = std::max(size, std::min(std::max(total / 8, (size_t)1 << 18), (size_t)1 << 26) / 64 * 64);
    chunk.reserve(chunk.size() + 1);
    char *p = (char *)aligned_alloc(64, room);
    if (!p) throw std::bad_alloc();
    chunk.push_back({p, room});
    total += room;
    now  = chunk.size() - 1;
    used = size;
    return (T *)p;
  }
};

/* One array that only grows. Contents are kept up to keep. */
class Growing {
  PetscScalar *p    = nullptr;
  size_t       size = 0;

public:
  Growing()                           = default;
  Growing(const Growing &)            = delete;
  Growing &operator=(const Growing &) = delete;
  ~Growing()
  {
    Free();
  }
  void Free()
  {
    free(p);
    p    = nullptr;
    size = 0;
  }
  PetscScalar *Get() const
  {
    return p;
  }
  double Bytes() const
  {
    return (double)size * sizeof(PetscScalar);
  }
  PetscScalar *Reserve(double entries, size_t keep = 0)
  {
    if (entries <= (double)size) return p;
    const double want = keep ? std::max(entries, 1.5 * (double)size) : entries;
    if (want * sizeof(PetscScalar) > 0.4 * (double)PTRDIFF_MAX) throw std::bad_alloc();
    if (!keep) Free();
    PetscScalar *q = (PetscScalar *)aligned_alloc(64, ((size_t)want * sizeof(PetscScalar) + 127) / 64 * 64);
    if (!q) throw std::bad_alloc();
    if (keep) memcpy((void *)q, (const void *)p, keep * sizeof(PetscScalar));
    free(p);
    p    = q;
    size = (size_t)want;
    return p;
  }
};

/* Consecutive rows or columns of a child's block and where they stand in the front */
struct Segment {
  int from, to, n;
};

struct FrontNode {
  int          cls, child[2];
  PetscInt     origin;
  int          pivots, rows, cols; /* what is passed up, beside the ring: rows and columns */
  PetscScalar *L, *U;              /* (pivots + rows + ring) x pivots, and pivots x (cols + ring) */
  PetscInt    *row, *col;          /* unknowns: of the pivots, then of what is passed up */
};

/* A front while it is eliminated */
struct Elimination {
  const FactorDense *dense;
  PetscScalar       *F, *column, *line, *factor; /* the front; a column and a row of it up to date; entries of L in that row */
  void              *work;
  int                nr, nc, sr, sc; /* rows and columns, and how many of them are fully summed */
  double             u, v, singular;
  PetscInt          *row, *col; /* of the fully summed ones */
  int                k0 = 0, k = 0, rejected = 0;
  double             least = DBL_MAX, most = 0;

  PetscScalar *At(int i, int j) const
  {
    return F + i + (ptrdiff_t)j * nr;
  }
  void Update(int i, int ni, int j, int nj, int first)
  {
    if (ni > 0 && nj > 0 && k > first) dense->gemm(false, ni, nj, k - first, FACTOR_PLAIN, At(i, first), nr, FACTOR_PLAIN, At(first, j), nr, At(i, j), nr, work);
  }
  /* Everything that pivots are looked for in. The block of the ring only needs to be up to date in the end. */
  void Flush()
  {
    Update(k, nr - k, k, sc - k, k0);
    Update(k, sr - k, sc, nc - sc, k0);
    k0 = k;
  }
  void ExchangeColumns(int a, int b)
  {
    if (a == b) return;
    std::swap_ranges(At(0, a), At(0, a) + nr, At(0, b));
    std::swap(col[a], col[b]);
    std::swap(line[a - k], line[b - k]);
  }
  /* The entry (i, j) becomes the next pivot; column and line hold its column and row */
  void Accept(int i, int j)
  {
    PetscScalar      *to;
    const PetscScalar pivot = column[i - k], inverse = PetscScalar(1) / pivot;
    const double      size = PetscAbsScalar(pivot);

    if (j > k + rejected) {
      ExchangeColumns(j, k + rejected);
      j = k + rejected;
    }
    if (j < k + rejected) rejected--;
    ExchangeColumns(j, k);
    if (i != k) {
      for (int c = 0; c < k; c++) std::swap(*At(i, c), *At(k, c));
      for (int c = k + 1; c < nc; c++) *At(i, c) = *At(k, c);
      std::swap(row[i], row[k]);
      column[i - k] = column[0];
    }
    for (int c = k + 1; c < nc; c++) *At(k, c) = line[c - k];
    to    = At(k, k);
    to[0] = pivot;
    for (int q = 1; q < nr - k; q++) to[q] = column[q] * inverse;
    least = std::min(least, size);
    most  = std::max(most, size);
    k++;
  }
  /* Looks for a pivot in column j. From a row that has a much larger entry in another fully summed column, the search goes on there. */
  bool Try(int j)
  {
    for (;;) {
      double size, below, right, beside;

      std::copy(At(k, j), At(k, j) + nr - k, column);
      if (k > k0) dense->gemm(false, nr - k, 1, k - k0, FACTOR_PLAIN, At(k, k0), nr, FACTOR_PLAIN, At(k0, j), nr, column, nr, work);
      const int i = k + Largest(sr - k, column, &size);
      below       = Most(nr - sr, column + sr - k);
      if (!(size > singular) || size < u * below) return false;
      for (int c = k; c < nc; c++) line[c - k] = *At(i, c);
      if (k > k0) {
        for (int q = k0; q < k; q++) factor[q - k0] = *At(i, q);
        dense->gemm(false, nc - k, 1, k - k0, FACTOR_TRANSPOSED, At(k0, k), nr, FACTOR_PLAIN, factor, PANEL, line, nc, work);
      }
      const int next = k + Largest(sc - k, line, &right);
      beside         = Most(nc - sc, line + sc - k);
      if (size >= v * std::max(right, beside)) {
        Accept(i, j);
        return true;
      }
      if (size >= v * right || next == j) return false;
      j = next;
    }
  }
  /* Eliminates what has a pivot. Columns that are without stand first among those that are left, and are tried again when others have changed them. */
  void Run(bool root)
  {
    for (;;) {
      int found = 0, tried = 0;

      rejected = 0;
      while (k + rejected < sc && k < sr) {
        if (k - k0 == PANEL) Flush();
        tried++;
        if (Try(k + rejected))
          found++;
        else
          rejected++;
      }
      Flush();
      if (k == sr || k == sc || !found || (!root && found * RETRY < tried)) break;
    }
    Update(sr, nr - sr, sc, nc - sc, 0);
  }
};

} // namespace

struct FactorDelayed {
  const Plan          *plan;
  const FactorKernels *kernels;
  double               threshold, singular; /* pivots up to this are none */
  PetscInt             n;
  bool                 factored = false;

  std::vector<FrontNode>   node; /* postorder */
  std::vector<double>      rowscale, colscale;
  std::vector<PetscInt>    row, col; /* fully summed, of the front at hand */
  std::vector<Segment>     rowsegment, colsegment;
  std::vector<int>         keptrow, keptcol;
  std::vector<size_t>      block;                /* where the blocks on the stack start */
  size_t                   top = 0, longest = 0; /* end of the stack; rows of the longest front */
  std::vector<PetscScalar> lines;
  Chunks                   factors;
  Growing                  front, stack, work, vectors;
  FactorDelayedInfo        info;

  int Dof() const
  {
    return plan->grid.dof;
  }
  const PlanClass &ClassOf(const FrontNode &f) const
  {
    return plan->cls[f.cls];
  }
};

namespace {

int AddFronts(FactorDelayed *F, int cls, PetscInt origin)
{
  const PlanClass &c = F->plan->cls[cls];
  FrontNode        f;

  memset((void *)&f, 0, sizeof(f));
  f.cls    = cls;
  f.origin = origin;
  for (int k = 0; k < 2; k++) f.child[k] = k < c.nchild ? AddFronts(F, c.child[k], origin + c.shift[k]) : -1;
  F->node.push_back(f);
  return (int)F->node.size() - 1;
}

/* Calls put(row, col, value, row in front, column in front) for the entries of A that enter a front */
template <class Put>
void ForEntries(const FactorDelayed *F, const FrontNode &f, const FactorValues *values, Put put)
{
  const PlanClass &c   = F->ClassOf(f);
  const int        dof = F->Dof();

  for (int k = 0; k < c.nrow; k++) {
    const PlanRow &row = c.row[k];

    for (int a = 0; a < dof; a++) {
      const PetscInt     i  = (f.origin + row.offset) * dof + a;
      const PetscScalar *at = values->aa + values->ai[i];

      for (int e = row.first; e < row.first + row.n; e++) {
        const PlanEntry   &entry = c.entry[e];
        const PetscScalar *from  = at + (ptrdiff_t)(values->slots ? entry.slot : entry.rank) * dof;
        const PetscInt     j     = (f.origin + c.offset[entry.col]) * dof;

        for (int b = 0; b < dof; b++) put(i, j + b, from[b], row.row * dof + a, entry.col * dof + b);
      }
    }
  }
  if (&f != &F->node.back()) return;
  for (PetscInt k = 0; k < F->plan->nglue; k++) {
    const PlanGlue &g = F->plan->glue[k];

    put((f.origin + c.offset[g.row / dof]) * dof + g.row % dof, (f.origin + c.offset[g.col / dof]) * dof + g.col % dof, values->glue[g.k], g.row, g.col);
  }
}

double PowerOf(double e)
{
  return std::ldexp(1.0, (int)std::max(std::min(e, MOST_POWER), -MOST_POWER));
}

/* A power of two that brings s between a half and one, or one for zero */
double Power(double s)
{
  int e = 0;

  if (s > 0) std::frexp(s, &e);
  return PowerOf(-e);
}

/* Whether the largest entries of rows, or of columns, differ so much that the order of scaling them matters */
bool Uneven(const std::vector<double> &most)
{
  double lo = DBL_MAX, hi = 0;

  for (double v : most) {
    if (v == 0) continue;
    lo = std::min(lo, v);
    hi = std::max(hi, v);
  }
  return hi * UNEVEN > lo;
}

/*
  Brings the geometric means of rows and columns to one, by turns. Of any two matrices that differ by factors of rows and columns it makes the same one if it goes on for long; what
  is left after a few turns varies slowly over the grid.
*/
void Balance(FactorDelayed *F, const FactorValues *values)
{
  std::vector<double> log[2], sum((size_t)F->n), count((size_t)F->n);

  for (auto &l : log) l.assign((size_t)F->n, 0.0);
  for (int turn = 0; turn < TURNS; turn++) {
    const int side = turn % 2;

    std::fill(sum.begin(), sum.end(), 0.0);
    std::fill(count.begin(), count.end(), 0.0);
    for (const FrontNode &f : F->node) {
      ForEntries(F, f, values, [&](PetscInt i, PetscInt j, PetscScalar v, int, int) {
        const size_t own = (size_t)(side ? j : i), other = (size_t)(side ? i : j);
        const double part = Part(v);

        if (part == 0 || (part < NOTHING * F->rowscale[(size_t)i] && part < NOTHING * F->colscale[(size_t)j])) return;
        sum[own] += std::ilogb(part) + log[!side][other];
        count[own]++;
      });
    }
    for (size_t i = 0; i < (size_t)F->n; i++) log[side][i] = count[i] > 0 ? -sum[i] / count[i] : 0;
  }
  for (size_t i = 0; i < (size_t)F->n; i++) {
    /* Products of both factors and any entry must not overflow */
    if (F->rowscale[i] > 0) log[0][i] = std::min(log[0][i], MOST_GROWTH - std::ilogb(F->rowscale[i]));
    F->rowscale[i] = PowerOf(log[0][i]);
    F->colscale[i] = PowerOf(log[1][i]);
  }
}

/* Powers of two for rows and columns, after which the largest entries of columns lie between a half and one. False where values are not finite. */
bool Scale(FactorDelayed *F, const FactorValues *values)
{
  std::vector<double> &r = F->rowscale, &c = F->colscale, most;
  bool                 finite = true;

  r.assign((size_t)F->n, 0.0);
  c.assign((size_t)F->n, 0.0);
  for (const FrontNode &f : F->node) {
    ForEntries(F, f, values, [&](PetscInt i, PetscInt j, PetscScalar v, int, int) {
      const double part = Part(v);

      finite       = finite && Finite(v);
      r[(size_t)i] = std::max(r[(size_t)i], part);
      c[(size_t)j] = std::max(c[(size_t)j], part);
    });
  }
  if (!finite) return false;
  if (Uneven(r) || Uneven(c)) {
    Balance(F, values);
    most.assign((size_t)F->n, 0.0);
    for (const FrontNode &f : F->node) {
      ForEntries(F, f, values, [&](PetscInt i, PetscInt j, PetscScalar v, int, int) { most[(size_t)i] = std::max(most[(size_t)i], r[(size_t)i] * Part(v) * c[(size_t)j]); });
    }
    for (size_t i = 0; i < (size_t)F->n; i++) r[i] *= Power(most[i]);
  } else {
    for (double &v : r) v = Power(v);
    c.assign((size_t)F->n, 1.0);
  }
  most.assign((size_t)F->n, 0.0);
  for (const FrontNode &f : F->node) {
    ForEntries(F, f, values, [&](PetscInt i, PetscInt j, PetscScalar v, int, int) { most[(size_t)j] = std::max(most[(size_t)j], r[(size_t)i] * Part(v) * c[(size_t)j]); });
  }
  for (size_t i = 0; i < (size_t)F->n; i++) c[i] *= Power(most[i]);
  return true;
}

/* Where the rows (or columns) of a child's block stand: first what it passes up, which the front keeps from position at, then its ring */
void Segments(const FactorDelayed *F, const PlanClass &c, int child, int passed, int at, int summed, std::vector<Segment> &segment)
{
  const int dof = F->Dof();

  segment.clear();
  if (passed) segment.push_back({0, at, passed});
  for (int q = 0; q < c.nrun[child]; q++) {
    const PlanRun &run = c.run[child][q];

    segment.push_back({passed + run.child * dof, run.parent < c.m ? run.parent * dof : summed + (run.parent - c.m) * dof, run.n * dof});
  }
}

/* The entries of A and what the children left; takes their blocks from the stack */
void Assemble(FactorDelayed *F, const FrontNode &f, const FactorValues *values, Elimination &e)
{
  const PlanClass &c   = F->ClassOf(f);
  const int        dof = F->Dof(), m = c.m * dof;
  int              rows = m, cols = m;

  std::fill(e.F, e.F + (size_t)e.nr * e.nc, PetscScalar(0));
  for (int k = 0; k < c.nchild; k++) {
    const FrontNode   &child = F->node[f.child[k]];
    const int          r     = F->ClassOf(child).r * dof;
    const PetscScalar *B     = F->stack.Get() + F->block[F->block.size() - c.nchild + k];
    const ptrdiff_t    ld    = child.rows + r;

    Segments(F, c, k, child.rows, rows, e.sr, F->rowsegment);
    Segments(F, c, k, child.cols, cols, e.sc, F->colsegment);
    for (const Segment &t : F->colsegment) {
      for (int j = 0; j < t.n; j++) {
        const PetscScalar *from = B + (t.from + j) * ld;
        PetscScalar       *to   = e.At(0, t.to + j);

        for (const Segment &s : F->rowsegment) {
          for (int i = 0; i < s.n; i++) to[s.to + i] += from[s.from + i];
        }
      }
    }
    rows += child.rows;
    cols += child.cols;
  }
  if (c.nchild) F->top = F->block[F->block.size() - c.nchild];
  F->block.resize(F->block.size() - c.nchild);
  ForEntries(F, f, values, [&](PetscInt i, PetscInt j, PetscScalar v, int row, int col) { *e.At(row < m ? row : row - m + e.sr, col < m ? col : col - m + e.sc) += F->rowscale[(size_t)i] * v * F->colscale[(size_t)j]; });
}

/*
  Fully summed rows and columns that are left without a pivot. Those without an entry that is large enough for one are taken for zero: the matrix is as close to a singular one as
  these entries are to zero. On their way to the root they would only gather rounding errors and might pass for more.
*/
void Kept(const Elimination &e, std::vector<int> &rows, std::vector<int> &cols, double *rest)
{
  const auto keep = [&](double most, int at, std::vector<int> &kept) {
    if (most > e.singular)
      kept.push_back(at);
    else
      *rest = std::max(*rest, most);
  };

  rows.clear();
  cols.clear();
  for (int j = e.k; j < e.sc; j++) keep(Most(e.nr - e.k, e.At(e.k, j)), j, cols);
  for (int i = e.k; i < e.sr; i++) {
    double most = 0;

    for (int j = e.k; j < e.nc; j++) most = std::max(most, Size(*e.At(i, j)));
    keep(most, i, rows);
  }
}

/* Column j below the pivots: the rows that are kept, and the ring's */
void CopyBelow(const Elimination &e, int j, const std::vector<int> &kept, PetscScalar *to)
{
  const PetscScalar *from = e.At(0, j);

  for (int i : kept) *to++ = from[i];
  std::copy(from + e.sr, from + e.nr, to);
}

/* Factors to their place, and what is left onto the stack */
void Store(FactorDelayed *F, FrontNode &f, const Elimination &e, bool root)
{
  const int p = e.k, ring = e.nr - e.sr;

  F->keptrow.clear();
  F->keptcol.clear();
  if (!root) Kept(e, F->keptrow, F->keptcol, &F->info.rest);
  f.pivots     = p;
  f.rows       = (int)F->keptrow.size();
  f.cols       = (int)F->keptcol.size();
  const int nl = p + f.rows + ring, nu = f.cols + ring;
  f.L   = F->factors.Take<PetscScalar>((size_t)nl * p);
  f.U   = F->factors.Take<PetscScalar>((size_t)nu * p);
  f.row = F->factors.Take<PetscInt>((size_t)p + f.rows);
  f.col = F->factors.Take<PetscInt>((size_t)p + f.cols);
  std::copy(e.row, e.row + p, f.row);
  std::copy(e.col, e.col + p, f.col);
  for (int i = 0; i < f.rows; i++) f.row[p + i] = e.row[F->keptrow[i]];
  for (int j = 0; j < f.cols; j++) f.col[p + j] = e.col[F->keptcol[j]];
  for (int j = 0; j < p; j++) {
    std::copy(e.At(0, j), e.At(p, j), f.L + (size_t)j * nl);
    CopyBelow(e, j, F->keptrow, f.L + (size_t)j * nl + p);
  }
  const size_t rows = (size_t)f.rows + ring, size = root ? 0 : rows * nu;
  PetscScalar *left = F->stack.Reserve((double)F->top + (double)size, F->top) + F->top;
  for (int j = 0; j < nu; j++) {
    const int at = j < f.cols ? F->keptcol[j] : e.sc + j - f.cols;

    std::copy(e.At(0, at), e.At(p, at), f.U + (size_t)j * p);
    if (size) CopyBelow(e, at, F->keptrow, left + j * rows);
  }
  F->block.push_back(F->top);
  F->top += size;
  F->info.entries += (double)p * (nl + nu);
  for (int k = 1; k <= p; k++) F->info.flops += (double)(e.nr - k) * (1 + 2.0 * (e.nc - k));
  F->info.delayed += f.cols;
  F->info.null -= p;
  F->info.least = std::min(F->info.least, e.least);
  F->info.most  = std::max(F->info.most, e.most);
  F->longest    = std::max(F->longest, (size_t)p + (size_t)std::max(f.rows, f.cols) + ring);
}

/* False where something is not finite */
bool Eliminate(FactorDelayed *F, FrontNode &f, const FactorValues *values)
{
  const PlanClass &c    = F->ClassOf(f);
  const bool       root = &f == &F->node.back();
  const int        dof = F->Dof(), ring = c.r * dof;
  Elimination      e;

  F->row.clear();
  for (int i = 0; i < c.m; i++) {
    for (int a = 0; a < dof; a++) F->row.push_back((f.origin + c.offset[i]) * dof + a);
  }
  F->col = F->row;
  for (int k = 0; k < c.nchild; k++) {
    const FrontNode &child = F->node[f.child[k]];

    F->row.insert(F->row.end(), child.row + child.pivots, child.row + child.pivots + child.rows);
    F->col.insert(F->col.end(), child.col + child.pivots, child.col + child.pivots + child.cols);
  }
  e.sr = (int)F->row.size();
  e.sc = (int)F->col.size();
  e.nr = e.sr + ring;
  e.nc = e.sc + ring;
  F->lines.resize((size_t)e.nr + e.nc + PANEL);
  e.dense    = &F->kernels->dense;
  e.F        = F->front.Reserve((double)e.nr * e.nc);
  e.column   = F->lines.data();
  e.line     = e.column + e.nr;
  e.factor   = e.line + e.nc;
  e.work     = F->work.Get();
  e.u        = F->threshold;
  e.v        = root ? ROOT_ROW : ROW;
  e.singular = F->singular;
  e.row      = F->row.data();
  e.col      = F->col.data();
  Assemble(F, f, values, e);
  e.Run(root);
  for (int j = e.k; j < e.nc && root; j++) {
    /* Maxima pass over what is not a number */
    if (!std::all_of(e.At(e.k, j), e.At(0, j) + e.nr, Finite)) return false;
    F->info.rest = std::max(F->info.rest, Most(e.nr - e.k, e.At(e.k, j)));
  }
  Store(F, f, e, root);
  return std::isfinite(e.most);
}

int Factorize(FactorDelayed *F, const FactorValues *values)
{
  const double front = (double)F->plan->maxfront * F->Dof();

  memset(&F->info, 0, sizeof(F->info));
  F->info.null  = (double)F->n;
  F->info.least = DBL_MAX;
  F->factors.Reset();
  F->block.clear();
  F->top = F->longest = 0;
  if (!Scale(F, values)) return 2;
  F->work.Reserve((double)F->kernels->worksize);
  F->front.Reserve(front * front);
  F->stack.Reserve(PlanCounts(F->plan).stack + 1);
  for (FrontNode &f : F->node) {
    if (!Eliminate(F, f, values)) return 2;
  }
  if (F->info.most == 0) F->info.least = 0;
  F->info.bytes = F->factors.Bytes();
  return 0;
}

/* ---- solves ---- */

struct Solution {
  FactorDelayed  *F;
  FactorTranspose trans;
  int             n; /* right-hand sides */
  PetscScalar    *w, *x, *t;
  ptrdiff_t       ldw, ldx, ldt;

  /* Rows of the factors, in the order of the front: pivots if wanted, what is passed up, the ring. Calls move(position, unknown). */
  template <class Move>
  void ForRows(const FrontNode &f, const PetscInt *number, int first, int last, Move move)
  {
    const PlanClass &c   = F->ClassOf(f);
    const int        dof = F->Dof();

    for (int i = first; i < last; i++) move(i, number[i]);
    for (int q = 0; q < c.r; q++) {
      for (int a = 0; a < dof; a++) move(last + q * dof + a, (f.origin + c.offset[c.m + q]) * dof + a);
    }
  }
  void Forward(const FrontNode &f)
  {
    const FactorDense *d = &F->kernels->dense;
    const int          p = f.pivots, ring = F->ClassOf(f).r * F->Dof(), nl = p + f.rows + ring, nu = f.cols + ring;
    void              *work = F->work.Get();

    for (int q = 0; q < n; q++) {
      const PetscScalar *from = w + q * ldw;
      PetscScalar       *to   = t + q * ldt;

      ForRows(f, trans == FACTOR_TRANS ? f.col : f.row, 0, p + (trans == FACTOR_TRANS ? f.cols : f.rows), [=](int i, PetscInt k) { to[i] = from[k]; });
    }
    if (trans == FACTOR_TRANS) {
      d->trsm(true, FACTOR_TRANSPOSED, false, p, n, f.L, nl, t, ldt, work);
      d->gemm(false, nu, n, p, FACTOR_TRANSPOSED, f.U, p, FACTOR_PLAIN, t, ldt, t + p, ldt, work);
    } else {
      d->trsm(false, FACTOR_PLAIN, true, p, n, f.L, nl, t, ldt, work);
      d->gemm(false, nl - p, n, p, FACTOR_PLAIN, f.L + p, nl, FACTOR_PLAIN, t, ldt, t + p, ldt, work);
    }
    for (int q = 0; q < n; q++) {
      PetscScalar       *to   = w + q * ldw;
      const PetscScalar *from = t + q * ldt;

      ForRows(f, trans == FACTOR_TRANS ? f.col : f.row, 0, p + (trans == FACTOR_TRANS ? f.cols : f.rows), [=](int i, PetscInt k) { to[k] = from[i]; });
    }
  }
  void Backward(const FrontNode &f)
  {
    const FactorDense *d = &F->kernels->dense;
    const int          p = f.pivots, ring = F->ClassOf(f).r * F->Dof(), nl = p + f.rows + ring, nu = f.cols + ring;
    const PetscInt    *in = trans == FACTOR_TRANS ? f.col : f.row, *out = trans == FACTOR_TRANS ? f.row : f.col;
    void              *work = F->work.Get();

    for (int q = 0; q < n; q++) {
      const PetscScalar *y = w + q * ldw, *from = x + q * ldx;
      PetscScalar       *to = t + q * ldt;

      for (int i = 0; i < p; i++) to[i] = y[in[i]];
      ForRows(f, out, p, p + (trans == FACTOR_TRANS ? f.rows : f.cols), [=](int i, PetscInt k) { to[i] = from[k]; });
    }
    if (trans == FACTOR_TRANS) {
      d->gemm(false, p, n, nl - p, FACTOR_TRANSPOSED, f.L + p, nl, FACTOR_PLAIN, t + p, ldt, t, ldt, work);
      d->trsm(false, FACTOR_TRANSPOSED, true, p, n, f.L, nl, t, ldt, work);
    } else {
      d->gemm(false, p, n, nu, FACTOR_PLAIN, f.U, p, FACTOR_PLAIN, t + p, ldt, t, ldt, work);
      d->trsm(true, FACTOR_PLAIN, false, p, n, f.L, nl, t, ldt, work);
    }
    for (int q = 0; q < n; q++) {
      for (int i = 0; i < p; i++) x[out[i] + q * ldx] = t[i + q * ldt];
    }
  }
};

} // namespace

FactorDelayed *FactorDelayedCreate(const Plan *plan, double threshold, double null, const char *isa)
{
  FactorDelayed *F = nullptr;

  if (plan->cls[plan->root].r) return nullptr;
  try {
    F            = new FactorDelayed();
    F->plan      = plan;
    F->kernels   = FactorFindKernels(false, isa);
    F->n         = plan->npoints * plan->grid.dof;
    F->threshold = threshold > 0 ? std::min(threshold, 1.0) : 0.1;
    F->singular  = null > 0 ? null : std::min(std::max((double)F->n, LEAST_ORDER), MOST_ORDER) * DBL_EPSILON;
    memset(&F->info, 0, sizeof(F->info));
    F->node.reserve((size_t)plan->nfronts);
    AddFronts(F, plan->root, plan->rootorigin);
  } catch (const std::exception &) {
    delete F;
    return nullptr;
  }
  if (!F->kernels) {
    delete F;
    return nullptr;
  }
  return F;
}

void FactorDelayedDestroy(FactorDelayed *F)
{
  delete F;
}

int FactorDelayedNumeric(FactorDelayed *F, const FactorValues *values)
{
  int failed = 3;

  F->factored = false;
  try {
    failed = Factorize(F, values);
  } catch (const std::exception &) {
    failed = 3;
  }
  F->front.Free();
  F->stack.Free();
  if (failed) {
    F->factors.Free();
    memset(&F->info, 0, sizeof(F->info));
  }
  F->factored = !failed;
  return failed;
}

int FactorDelayedSolve(FactorDelayed *F, FactorTranspose trans, int nrhs, const PetscScalar *b, ptrdiff_t ldb, PetscScalar *x, ptrdiff_t ldx)
{
  const double *in = (trans == FACTOR_TRANS ? F->colscale : F->rowscale).data(), *out = (trans == FACTOR_TRANS ? F->rowscale : F->colscale).data();
  const size_t  n = (size_t)F->n;
  Solution      s;

  if (!F->factored) return 2;
  s.F     = F;
  s.trans = trans;
  s.ldw   = (ptrdiff_t)n;
  s.ldx   = ldx;
  s.ldt   = (ptrdiff_t)F->longest;
  try {
    s.w = F->vectors.Reserve(((double)n + (double)F->longest) * std::min(nrhs, MOST_VECTORS));
  } catch (const std::exception &) {
    return 3;
  }
  for (int first = 0; first < nrhs; first += MOST_VECTORS) {
    s.n = std::min(nrhs - first, MOST_VECTORS);
    s.x = x + first * ldx;
    s.t = s.w + n * s.n;
    for (int q = 0; q < s.n; q++) {
      for (size_t i = 0; i < n; i++) s.w[i + q * n] = in[i] * b[i + (first + q) * ldb];
    }
    for (int q = 0; q < s.n; q++) std::fill(s.x + q * ldx, s.x + q * ldx + n, PetscScalar(0));
    for (size_t k = 0; k < F->node.size(); k++) s.Forward(F->node[k]);
    for (size_t k = F->node.size(); k-- > 0;) s.Backward(F->node[k]);
    for (int q = 0; q < s.n; q++) {
      for (size_t i = 0; i < n; i++) s.x[i + q * ldx] *= out[i];
    }
  }
  return 0;
}

FactorDelayedInfo FactorDelayedGetInfo(const FactorDelayed *F)
{
  return F->info;
}
