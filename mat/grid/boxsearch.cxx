/*
  Finds the boxes in which the rows of a matrix are numbered, as the processes of a DMDA number them, where no DMDA tells them. Guesses come from
  the rows of the processes, from the places where the pattern breaks off, and from the way in which a DMDA deals points by default. Each is
  tried on a sample of rows first.
*/
#include "mat/grid/gridsearch.h"
#include "mat/compat/petscversion.h"
#include <algorithm>
#include <numeric>

/* No more guesses for each number of unknowns per point, and no more of them that are tried on all rows, and measured */
#define MOST_GUESSES 20000
#define MOST_SCANS   200
#define MOST_TRIALS  8
/* Boxes that are read off the pattern */
#define MOST_BOXES 65536
/* Rows of each process that a guess is tried on first */
#define NSAMPLES 32
/* Boxes by default where the sizes are known and the number of processes is not */
#define MOST_PROCESSES 64

/* The points of the boxes along each axis */
struct Boxes {
  PetscInt              dof;
  std::vector<PetscInt> width[3];
};

struct BoxSearch {
  const OwnPattern          *A;
  const PetscInt            *range;
  const StructuredGridHints *hints;
  PetscInt                   npoint, dof;
  std::vector<Boxes>         guesses;
};

/* Takes a guess, unless it has other sizes than it should, or is in natural order and has been tried */
static void AddGuess(BoxSearch *b, const std::vector<PetscInt> width[3])
{
  PetscInt size[3], cut = -1, last = 0;
  bool     mixed = false;

  if (b->guesses.size() >= MOST_GUESSES) return;
  for (int a = 0; a < 3; a++) {
    size[a] = std::accumulate(width[a].begin(), width[a].end(), (PetscInt)0);
    if (b->hints->dim && size[a] != (a < b->hints->dim ? b->hints->size[a] : 1)) return;
    if (size[a] > 1) last = a;
  }
  if ((PetscInt64)size[0] * size[1] * size[2] != b->npoint) return;
  for (PetscInt a = 0; a < 3; a++) {
    if (width[a].size() == 1) continue;
    mixed = mixed || cut >= 0;
    cut   = a;
  }
  if (!mixed && (cut < 0 || cut == last)) return;
  b->guesses.push_back({b->dof, {width[0], width[1], width[2]}});
}

/* Every process has a box, so its rows are a product of three widths, of which one process of each axis tells the others */
static void GuessByRanges(BoxSearch *b)
{
  const PetscInt        size = (PetscInt)b->A->pattern.size;
  std::vector<PetscInt> points((size_t)size), width[3];

  for (PetscInt r = 0; r < size; r++) {
    points[(size_t)r] = (b->range[r + 1] - b->range[r]) / b->dof;
    if (!points[(size_t)r]) return;
  }
  const std::vector<PetscInt> divisors = Divisors(points[0]);

  for (PetscInt px = 1; px <= size; px++) {
    for (PetscInt py = 1; size % px == 0 && py <= size / px; py++) {
      const PetscInt nbox[3] = {px, py, size / px / py}, stride[3] = {1, px, px * py};
      PetscInt       unit[3];
      bool           product = (size / px) % py == 0;

      for (PetscInt r = 0; r < size && product; r++) {
        const PetscInt x = r % px, y = r / px % py, z = r / px / py;
        const auto     at = [&](PetscInt i, PetscInt j, PetscInt k) { return (PetscInt64)points[(size_t)(i + px * (j + py * k))]; };

        product = at(x, y, z) * at(0, 0, 0) == at(x, 0, 0) * at(0, y, z) && at(0, y, z) * at(0, 0, 0) == at(0, y, 0) * at(0, 0, z);
      }
      if (!product) continue;
      for (int a = 0; a < 3; a++) {
        unit[a] = 1;
        for (PetscInt k = 0; k < nbox[a]; k++) unit[a] = std::lcm(unit[a], points[0] / std::gcd(points[0], points[(size_t)(k * stride[a])]));
      }
      for (const PetscInt lx : divisors) {
        for (const PetscInt ly : divisors) {
          if (ly > points[0] / lx || lx % unit[0] || ly % unit[1] || (points[0] / lx) % ly) continue;
          const PetscInt first[3] = {lx, ly, points[0] / lx / ly};

          if (first[2] % unit[2]) continue;
          for (int a = 0; a < 3; a++) {
            width[a].clear();
            for (PetscInt k = 0; k < nbox[a]; k++) width[a].push_back((PetscInt)((PetscInt64)first[a] * points[(size_t)(k * stride[a])] / points[0]));
          }
          AddGuess(b, width);
        }
      }
    }
  }
}

/* A DMDA by default, on some number of processes */
static void GuessByDefault(BoxSearch *b, PetscInt nproc)
{
  const std::vector<PetscInt> divisors = Divisors(b->npoint), processes = Divisors(nproc);
  std::vector<PetscInt>       width[3];

  for (const PetscInt nx : divisors) {
    for (const PetscInt ny : divisors) {
      if (ny > b->npoint / nx || (b->npoint / nx) % ny) continue;
      const PetscInt size[3] = {nx, ny, b->npoint / nx / ny};

      /* A plane lies in the first two axes */
      if ((nx == 1 && ny * size[2] > 1) || (ny == 1 && size[2] > 1)) continue;
      for (const PetscInt px : processes) {
        for (const PetscInt py : processes) {
          if (py > nproc / px || (nproc / px) % py) continue;
          const PetscInt nbox[3] = {px, py, nproc / px / py};

          if (px > nx || py > ny || nbox[2] > size[2]) continue;
          for (int a = 0; a < 3; a++) {
            width[a].assign((size_t)nbox[a], size[a] / nbox[a]);
            for (PetscInt k = 0; k < size[a] % nbox[a]; k++) width[a][(size_t)k]++;
          }
          AddGuess(b, width);
        }
      }
    }
  }
}

/* Whether a point of this process is coupled with another */
static bool PointCouples(const BoxSearch *b, PetscInt local, PetscInt q)
{
  for (PetscInt row = local * b->dof; row < (local + 1) * b->dof; row++) {
    const PetscInt *begin = b->A->pattern.j + b->A->pattern.i[row], *end = b->A->pattern.j + b->A->pattern.i[row + 1], *found = std::lower_bound(begin, end, q * b->dof);

    if (found != end && *found < (q + 1) * b->dof) return true;
  }
  return false;
}

/*
  Whether most couplings of a point are those of another too, as far on as this one is, as in a line or a plane. Where two lines follow each other
  by chance, a corner of the stencil around the end of an axis may couple their ends all the same.
*/
static bool PointFollows(const BoxSearch *b, PetscInt local, PetscInt other)
{
  const PetscInt *i = b->A->pattern.i + local * b->dof, *io = b->A->pattern.i + other * b->dof, *next = b->A->pattern.j + io[0], *end = b->A->pattern.j + io[1];
  PetscInt        same = 0;

  for (PetscInt k = i[0]; k < i[1]; k++) {
    const PetscInt column = b->A->pattern.j[k] + (other - local) * b->dof;

    while (next < end && *next < column) next++;
    if (next < end && *next == column) same++;
  }
  return 5 * same > 3 * (i[1] - i[0]);
}

/* The points of all processes that are not coupled with the one before them, or strictly do not follow it. Lines of boxes begin there. None where there are too many. */
static PetscErrorCode LineStarts(const BoxSearch *b, bool strictly, std::vector<PetscInt> *starts)
{
  const Pattern           *A     = &b->A->pattern;
  const PetscInt           first = b->A->run[0].first / b->dof, n = b->A->run[0].n / b->dof;
  std::vector<PetscInt>    own, all;
  std::vector<PetscMPIInt> count((size_t)A->size), shift((size_t)A->size), joins((size_t)A->size);
  PetscInt                 many = 0, total;
  PetscMPIInt              mine[2];

  PetscFunctionBegin;
  starts->clear();
  for (PetscInt p = 0; p < n; p++) {
    if (first + p > 0 && (PointCouples(b, p, first + p - 1) || (p && PointCouples(b, p - 1, first + p))) && !(strictly && p && !PointFollows(b, p - 1, p))) continue;
    own.push_back(first + p);
  }
  many = (PetscInt)own.size();
  CompatCallAllreduce(&many, &total, 1, MPIU_INT, MPI_SUM, A->comm);
  /* Lines have two points and more */
  if (total > b->npoint / 2 + 1 || total > PETSC_MPI_INT_MAX / 2) PetscFunctionReturn(PETSC_SUCCESS);
  all.resize((size_t)total);
  mine[0] = (PetscMPIInt)own.size();
  mine[1] = n && first + n < b->npoint && PointCouples(b, n - 1, first + n);
  PetscCallMPI(MPI_Allgather(&mine[0], 1, MPI_INT, count.data(), 1, MPI_INT, A->comm));
  PetscCallMPI(MPI_Allgather(&mine[1], 1, MPI_INT, joins.data(), 1, MPI_INT, A->comm));
  for (size_t r = 1; r < (size_t)A->size; r++) shift[r] = shift[r - 1] + count[r - 1];
  PetscCallMPI(MPI_Allgatherv(own.data(), mine[0], MPIU_INT, all.data(), count.data(), shift.data(), MPIU_INT, A->comm));
  for (const PetscInt p : all) {
    bool joined = false;

    /* The coupling may be in the last row of the process before */
    for (PetscMPIInt r = 1; r < A->size; r++) joined = joined || (joins[(size_t)r - 1] && b->range[r] == p * b->dof);
    if (!joined) starts->push_back(p);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Things that follow each other and are alike, as lines of a plane or planes of a box: where they begin, their extents, and how many */
struct Stack {
  PetscInt start, width[3];
};

/* Puts those on top of each other that have the same extents and whose first points are coupled, or strictly follow each other */
static PetscErrorCode StackUp(const BoxSearch *b, int axis, bool strictly, const std::vector<Stack> &from, std::vector<Stack> *to)
{
  const Pattern    *A     = &b->A->pattern;
  const PetscInt    first = b->A->run[0].first / b->dof, n = b->A->run[0].n / b->dof;
  std::vector<char> joins(from.size(), 0);

  PetscFunctionBegin;
  to->clear();
  for (size_t k = 1; k < from.size(); k++) {
    const PetscInt p = from[k - 1].start, q = from[k].start, *width = from[k].width, middle = width[0] / 2 + width[0] * (width[1] / 2);

    if (!std::equal(from[k].width, from[k].width + 3, from[k - 1].width)) continue;
    if (p >= first && p < first + n && PointCouples(b, p - first, q)) joins[k] = 1;
    if (q >= first && q < first + n && PointCouples(b, q - first, p)) joins[k] = 1;
    /* In the middle, where no neighbor along the other axes is in a box that is cut otherwise */
    if (strictly && p >= first && q + middle < first + n && !PointFollows(b, p + middle - first, q + middle - first)) joins[k] = 0;
  }
  if (A->size > 1) CompatCallAllreduce(MPI_IN_PLACE, joins.data(), (PetscMPIInt)joins.size(), MPI_CHAR, MPI_MAX, A->comm);
  for (size_t k = 0; k < from.size(); k++) {
    if (joins[k])
      to->back().width[axis]++;
    else
      to->push_back(from[k]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Boxes in a row, if they can be those of a grid that is cut along its axes */
static void GuessByList(BoxSearch *b, const std::vector<Stack> &list)
{
  const PetscInt n = (PetscInt)list.size();

  if (n < 2 || n > MOST_BOXES) return;
  for (const PetscInt px : Divisors(n)) {
    for (const PetscInt py : Divisors(n / px)) {
      const PetscInt        nbox[3] = {px, py, n / px / py}, stride[3] = {1, px, px * py};
      std::vector<PetscInt> width[3];
      bool                  fits = true;

      for (int a = 0; a < 3; a++) {
        for (PetscInt k = 0; k < nbox[a]; k++) width[a].push_back(list[(size_t)(k * stride[a])].width[a]);
      }
      for (PetscInt k = 0; k < n && fits; k++) {
        for (int a = 0; a < 3; a++) fits = fits && list[(size_t)k].width[a] == width[a][(size_t)(k / stride[a] % nbox[a])];
      }
      if (fits) AddGuess(b, width);
    }
  }
}

/* Lines end where a point is not coupled with the next. Planes end where a line is not coupled with the next, and boxes where a plane is not. */
static PetscErrorCode GuessByPattern(BoxSearch *b, bool strictly)
{
  std::vector<PetscInt> starts;
  std::vector<Stack>    lines, planes, boxes;

  PetscFunctionBegin;
  PetscCall(LineStarts(b, strictly, &starts));
  for (size_t k = 0; k < starts.size(); k++) lines.push_back({starts[k], {(k + 1 < starts.size() ? starts[k + 1] : b->npoint) - starts[k], 1, 1}});
  PetscCall(StackUp(b, 1, strictly, lines, &planes));
  GuessByList(b, planes);
  PetscCall(StackUp(b, 2, strictly, planes, &boxes));
  if (boxes.size() < planes.size()) GuessByList(b, boxes);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode NumberingOfBoxes(const Boxes &boxes, StructuredGridNumbering *numbering)
{
  const PetscInt  nbox[3]  = {(PetscInt)boxes.width[0].size(), (PetscInt)boxes.width[1].size(), (PetscInt)boxes.width[2].size()};
  const PetscInt *width[3] = {boxes.width[0].data(), boxes.width[1].data(), boxes.width[2].data()};

  PetscFunctionBegin;
  PetscCall(StructuredGridNumberingSetBoxes(numbering, boxes.dof, nbox, width));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether the guess holds for some of the rows of this process */
static bool SampleFits(const OwnPattern *A, const StructuredGridNumbering *numbering, const Search *search, PetscInt nsamples)
{
  const PetscInt first = A->run[0].first, n = A->run[0].n, *size = numbering->size;

  for (PetscInt sample = 0; sample < nsamples; sample++) {
    const PetscInt row = (PetscInt)((PetscInt64)sample * n / nsamples), p = StructuredGridNumberingNatural(numbering, first + row) / numbering->dof;

    for (PetscInt k = A->pattern.i[row]; k < A->pattern.i[row + 1]; k++) {
      PetscInt from = p, to = StructuredGridNumberingNatural(numbering, A->pattern.j[k]) / numbering->dof;

      for (int a = 0; a < 3; a++) {
        const PetscInt d = PetscAbsInt(to % size[a] - from % size[a]);

        if (d > search->limit && !(search->periodic[a] && size[a] - d <= search->limit)) return false;
        from /= size[a];
        to /= size[a];
      }
    }
  }
  return true;
}

/* Keeps the guesses that hold for the samples of all processes: first of a few rows each, then of all rows, of which most are not looked at where there is a misfit */
static PetscErrorCode TrySamples(BoxSearch *b, const Search *search)
{
  const PetscInt n = b->A->run[0].n;

  PetscFunctionBegin;
  for (int pass = 0; pass < 2 && !b->guesses.empty(); pass++) {
    std::vector<char> fits(b->guesses.size(), 0);
    size_t            left = 0;

    for (size_t k = 0; k < b->guesses.size(); k++) {
      StructuredGridNumbering numbering = {};

      PetscCall(NumberingOfBoxes(b->guesses[k], &numbering));
      fits[k] = SampleFits(b->A, &numbering, search, pass ? n : PetscMin(n, NSAMPLES));
      PetscCall(StructuredGridNumberingDestroy(&numbering));
    }
    if (b->A->pattern.size > 1) CompatCallAllreduce(MPI_IN_PLACE, fits.data(), (PetscMPIInt)fits.size(), MPI_CHAR, MPI_MIN, b->A->pattern.comm);
    for (size_t k = 0; k < b->guesses.size(); k++) {
      if (fits[k]) b->guesses[left++] = b->guesses[k];
    }
    b->guesses.resize(PetscMin(left, (size_t)(pass ? MOST_TRIALS : MOST_SCANS)));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Tries a guess on all rows. It becomes the best if it proves more, or has fewer couplings. */
static PetscErrorCode TryGuess(const BoxSearch *b, const Boxes &guess, Search *search, PetscInt *least, Boxes *best)
{
  StructuredGridNumbering numbering = {};
  OwnPattern              natural;
  ShapeEvidence           told;
  Shape                   s   = {1, {1, 1, 1}, guess.dof, {PETSC_FALSE, PETSC_FALSE, PETSC_FALSE}, PETSC_FALSE};
  Fit                    *fit = &search->fit;
  PetscInt                couplings;

  PetscFunctionBegin;
  PetscCall(NumberingOfBoxes(guess, &numbering));
  PetscCall(PatternRenumber(b->A, &numbering, &natural));
  for (PetscInt a = 0; a < 3; a++) {
    s.size[a] = numbering.size[a];
    if (s.size[a] > 1) s.dim = a + 1;
  }
  PetscCall(StructuredGridNumberingDestroy(&numbering));
  if (b->hints->dim) s.dim = b->hints->dim;
  PetscCall(FitShape(&natural.pattern, &s, search->limit, MOST_VECTORS, 0, nullptr, fit));
  if (!fit->ok) {
    for (PetscInt a = 0; a < s.dim; a++) s.wrap[a] = search->periodic[a];
    PetscCall(FitShape(&natural.pattern, &s, search->limit, MOST_VECTORS, 0, nullptr, fit));
  }
  if (!fit->ok) PetscFunctionReturn(PETSC_SUCCESS);
  told = ShapeTold(&s, fit, search->limit);
  if (search->found && told > search->told) PetscFunctionReturn(PETSC_SUCCESS);
  {
    const Fit measured = *fit;

    PetscCall(CouplingsOfShape(&natural.pattern, &s, fit->width, fit, &couplings));
    couplings /= s.dof;
    if (search->found && told == search->told && (couplings > *least || (couplings == *least && !FitIsBetter(&measured, &s, &search->best_fit, &search->best)))) PetscFunctionReturn(PETSC_SUCCESS);
    search->best_fit = measured;
  }
  *least        = couplings;
  *best         = guess;
  search->found = PETSC_TRUE;
  search->told  = told;
  search->best  = s;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode SearchBoxesDof(BoxSearch *b, Search *search, PetscInt *least, Boxes *best)
{
  const PetscMPIInt size = b->A->pattern.size;
  std::vector<char> fits;
  PetscMPIInt       world;

  PetscFunctionBegin;
  b->npoint = b->A->pattern.n / b->dof;
  b->guesses.clear();
  for (PetscMPIInt r = 0; r < size; r++) {
    if (b->range[r] % b->dof) PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(GuessByPattern(b, false));
  PetscCall(GuessByPattern(b, true));
  if (size > 1) GuessByRanges(b);
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &world));
  if (world > 1) GuessByDefault(b, world);
  for (PetscInt nproc = 2; nproc <= MOST_PROCESSES && b->hints->dim; nproc++) {
    if (nproc != world) GuessByDefault(b, nproc);
  }
  PetscCall(TrySamples(b, search));
  for (const Boxes &guess : b->guesses) PetscCall(TryGuess(b, guess, search, least, best));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode SearchBoxes(const OwnPattern *A, const PetscInt range[], PetscInt bs, const StructuredGridHints *hints, Search *search, StructuredGridNumbering *numbering)
{
  const PetscInt n   = A->pattern.n;
  PetscInt       dof = hints->dof, least = PETSC_MAX_INT;
  BoxSearch      b    = {A, range, hints, n, 1, {}};
  Boxes          best = {1, {}};

  PetscFunctionBegin;
  search->found = PETSC_FALSE;
  search->told  = SHAPE_FORCED;
  if (hints->dim) dof = n / hints->size[0] / (hints->dim > 1 ? hints->size[1] : 1) / (hints->dim > 2 ? hints->size[2] : 1);
  b.dof = dof ? dof : bs;
  PetscCall(SearchBoxesDof(&b, search, &least, &best));
  for (PetscInt d = 1; d <= DOF_GUESSES && !dof; d++) {
    if (search->found && search->told == SHAPE_TOLD && search->best_fit.width <= 1) break;
    if (d == bs || n % d) continue;
    b.dof = d;
    PetscCall(SearchBoxesDof(&b, search, &least, &best));
  }
  if (search->found) PetscCall(NumberingOfBoxes(best, numbering));
  PetscFunctionReturn(PETSC_SUCCESS);
}
