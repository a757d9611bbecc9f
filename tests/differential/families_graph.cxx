/* Laplacians of graphs, and what is no grid */
#include "tests/differential/families.h"
#include <algorithm>
#include <functional>

namespace differential {

typedef std::function<double()> Weight;

/* Weights of edges, of one kind for a whole graph */
static Weight DrawWeight(Random &r)
{
  const double k = r.Uniform(0, r.Chance(0.2) ? 12 : 4);

  switch (r.Integer(0, 4)) {
  case 0:
  case 1:
    return [] { return 1.0; };
  case 2:
    return [&r] { return 0.1 + r(); };
  case 3:
    return [&r, k] { return r.Power(-k, k); };
  default:
    return [&r, k] { return r.Chance(0.2) ? std::pow(10.0, -k) : 1.0; };
  }
}

/* Nothing, a term everywhere or somewhere, or rows of the unit matrix */
static void Finish(Random &r, System *s, bool connected)
{
  const double k = r.Power(-12, 2);

  s->symmetric = s->definite = true;
  switch (r.Integer(0, 5)) {
  case 0:
    s->definite = false;
    if (connected) s->Singular();
    break;
  case 1:
    for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, k);
    break;
  case 2:
    s->Add(r.Integer(0, s->n - 1), r.Integer(0, s->n - 1), 0);
    s->Add(0, 0, k);
    s->definite = connected;
    break;
  case 3:
    for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, r.Power(-6, 2));
    break;
  case 4:
    for (PetscInt i = 0; i < s->n; i++) {
      if (r.Chance(0.2)) s->Add(i, i, 1);
    }
    s->definite = false;
    break;
  default: {
    std::vector<bool> fixed(s->n);
    const bool        keep = r.Chance(0.5);

    for (PetscInt i = 0; i < s->n; i++) fixed[i] = r.Chance(0.1);
    fixed[0] = true;
    Dirichlet(s, fixed, r.Chance(0.5) ? 1.0 : r.Power(-3, 3), keep);
  }
  }
}

void Dirichlet(System *s, const std::vector<bool> &fixed, double d, bool keepcolumns)
{
  s->entry.erase(std::remove_if(s->entry.begin(), s->entry.end(), [&](const Entry &e) { return fixed[e.i] || (fixed[e.j] && !keepcolumns); }), s->entry.end());
  for (PetscInt i = 0; i < s->n; i++) {
    if (fixed[i]) s->Add(i, i, d);
  }
  if (keepcolumns) {
    s->symmetric = s->definite = false;
    s->note += ",columns-kept";
  }
  s->kernel.clear();
  s->left.clear();
}

static PetscInt Size(Random &r, PetscInt most)
{
  return std::max((PetscInt)1, (PetscInt)std::pow((double)most, r.Uniform(0.0, 1.0)));
}

static void Path(Random &r, PetscInt most, System *s)
{
  const Weight w = DrawWeight(r);

  s->n       = Size(r, most);
  s->dim     = 1;
  s->size[0] = s->n;
  for (PetscInt i = 1; i < s->n; i++) s->Link(i, i - 1, w());
  Finish(r, s, true);
}

static void Star(Random &r, PetscInt most, System *s)
{
  const Weight w = DrawWeight(r);

  s->n = Size(r, r.Chance(0.02) ? 20 * most : most);
  for (PetscInt i = 1; i < s->n; i++) s->Link(i, 0, w());
  if (r.Chance(0.3)) {
    /* Only the middle is shifted */
    s->Add(0, 0, r.Power(-3, 1));
    s->symmetric = s->definite = true;
  } else {
    Finish(r, s, true);
  }
}

static void Complete(Random &r, PetscInt most, System *s)
{
  const Weight w = DrawWeight(r);

  s->n = Size(r, std::min(most, (PetscInt)100));
  for (PetscInt i = 1; i < s->n; i++) {
    for (PetscInt j = 0; j < i; j++) s->Link(i, j, w());
  }
  Finish(r, s, true);
}

static void Hypercube(Random &r, PetscInt most, System *s)
{
  const Weight   w    = DrawWeight(r);
  const PetscInt dims = r.Integer(1, 9);

  s->n = 1;
  for (PetscInt d = 0; d < dims && 2 * s->n <= most; d++) s->n *= 2;
  for (PetscInt bit = 1; bit < s->n; bit *= 2) {
    for (PetscInt i = 0; i < s->n; i++) {
      if (!(i & bit)) s->Link(i, i | bit, w());
    }
  }
  Finish(r, s, true);
}

/* Each vertex chooses some of those before it, by their edges */
static void PowerLaw(Random &r, PetscInt most, System *s)
{
  const Weight          w    = DrawWeight(r);
  const PetscInt        each = r.Integer(1, 4);
  std::vector<PetscInt> end(1, 0);

  s->n = Size(r, most);
  for (PetscInt i = 1; i < s->n; i++) {
    for (PetscInt k = 0; k < std::min(i, each); k++) {
      const PetscInt j = end[(size_t)r.Integer(0, (PetscInt)end.size() - 1)];

      if (j == i) continue;
      s->Link(i, j, w());
      end.push_back(j);
    }
    end.push_back(i);
  }
  Finish(r, s, true);
}

static void Hubs(Random &r, PetscInt most, System *s)
{
  const Weight w = DrawWeight(r);

  s->n                = Size(r, most);
  const PetscInt hubs = std::min(s->n, r.Integer(1, 8));
  for (PetscInt i = 1; i < s->n; i++) s->Link(i, i - 1, w());
  for (PetscInt i = 0; i < s->n; i++) {
    for (PetscInt h = 0; h < hubs; h++) {
      if (r.Chance(0.3)) s->Link(i, h, w());
    }
  }
  Finish(r, s, true);
}

static void Tree(Random &r, PetscInt most, System *s)
{
  const Weight w = DrawWeight(r);

  s->n = Size(r, most);
  for (PetscInt i = 1; i < s->n; i++) s->Link(i, r.Integer(0, i - 1), w());
  Finish(r, s, true);
}

static void Components(Random &r, PetscInt most, System *s)
{
  const Weight   w    = DrawWeight(r);
  const PetscInt size = r.Integer(1, 6);

  s->n = Size(r, r.Chance(0.05) ? 10 * most : most);
  for (PetscInt i = 1; i < s->n; i++) {
    if (i % size && !r.Chance(0.05)) s->Link(i, i - 1, w());
  }
  Finish(r, s, false);
}

/* Pieces that are held together by next to nothing */
static void Islands(Random &r, PetscInt most, System *s)
{
  const Weight   w      = DrawWeight(r);
  const PetscInt pieces = r.Integer(2, 5), side = std::max((PetscInt)1, (PetscInt)std::sqrt((double)Size(r, most) / (double)pieces)), each = side * side;
  const double   tie = std::pow(10.0, -(double)(r.Chance(0.3) ? r.Integer(30, 300) : r.Integer(6, 30)));

  s->n = pieces * each;
  for (PetscInt k = 0; k < pieces; k++) {
    for (PetscInt i = 0; i < each; i++) {
      if (i % side) s->Link(k * each + i, k * each + i - 1, w());
      if (i >= side) s->Link(k * each + i, k * each + i - side, w());
    }
    if (k) s->Link(k * each, k * each - 1, tie);
  }
  s->symmetric = s->definite = true;
  if (r.Chance(0.2)) {
    s->definite = false;
    s->Singular();
  } else {
    s->Add(0, 0, r.Chance(0.5) ? 1.0 : tie);
  }
}

/* Any matrix with a strong diagonal: symmetric, skew or neither */
static void Sparse(Random &r, PetscInt most, System *s)
{
  s->n                  = Size(r, most);
  const double positive = r.Chance(0.5) ? r() : 0.0, part = r.Uniform(0.2, 2);

  for (PetscInt k = 0; k < 3 * s->n; k++) {
    const PetscInt i = r.Integer(0, s->n - 1), j = r.Integer(0, s->n - 1);
    const double   v = r() * (r.Chance(positive) ? 1 : -1);

    if (i == j) continue;
    s->Add(i, j, v);
    s->Add(j, i, v);
    s->Add(i, i, part * std::abs(v));
    s->Add(j, j, part * std::abs(v));
  }
  for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, 1e-3);
  s->symmetric = true;
  s->definite  = part >= 1;
}

std::vector<Family> GraphFamilies()
{
  return {
    {"path", "hhpps", Path}, {"star", "hhp", Star}, {"complete", "hps", Complete},     {"hypercube", "hp", Hypercube}, {"powerlaw", "hhp", PowerLaw},
    {"hubs", "hhp", Hubs},   {"tree", "hp", Tree},  {"components", "hhp", Components}, {"islands", "hhhpp", Islands},  {"sparse", "hpp", Sparse},
  };
}

} // namespace differential
