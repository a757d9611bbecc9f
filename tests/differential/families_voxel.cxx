/* Pressure equations on cells that are fluid, air or solid */
#include "tests/differential/families.h"
#include <algorithm>

namespace differential {

/* Rows for all cells, those of air and solid with a diagonal alone, or for fluid cells; face gives the weight of the face between two cells */
template <typename Face>
static void Pressure(Random &r, System *s, Face face)
{
  const PetscInt        points = s->Points();
  const double          other  = r.Chance(0.7) ? 1 : r.Power(-3, 3);
  std::vector<PetscInt> row(points, -1);
  bool                  air = false;

  s->reduced = r.Chance(0.3) && std::count(s->label.begin(), s->label.end(), 1) > 0;
  s->n       = 0;
  for (PetscInt p = 0; p < points; p++) {
    if (!s->reduced || s->label[p] == 1) row[p] = s->n++;
  }
  Pairs(*s, false, 1, [&](PetscInt p, PetscInt q, PetscInt) {
    const double w = face(p, q);

    if (s->label[p] == 1 && s->label[q] == 1) {
      s->Link(row[p], row[q], w);
    } else if ((s->label[p] == 1 && s->label[q] == 0) || (s->label[p] == 0 && s->label[q] == 1)) {
      const PetscInt i = row[s->label[p] == 1 ? p : q];

      s->Add(i, i, w);
      air = true;
    }
  });
  for (PetscInt p = 0; p < points; p++) {
    if (row[p] >= 0) s->Add(row[p], row[p], s->label[p] == 1 ? 0 : other);
  }
  s->symmetric = true;
  s->definite  = air;
  /* Fluid that air does not reach is singular; its null space is not that of all constants if there are other rows */
  if (!air && s->reduced) s->Singular();
}

static void Domain(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, most, r.Integer(2, 3), 1, s);
  s->label.assign(s->Points(), 1);
}

static double One(PetscInt, PetscInt)
{
  return 1;
}

static void Pool(Random &r, PetscInt most, System *s)
{
  Domain(r, most, s);
  const PetscInt nx = s->size[0], ny = s->size[1], level = r.Integer(0, ny - 1);
  const bool     walls = r.Chance(0.5);

  for (PetscInt p = 0; p < s->Points(); p++) {
    const PetscInt x = p % nx, y = p / nx % ny;

    if (y > level) s->label[p] = 0;
    if (walls && (x == 0 || x == nx - 1 || y == 0)) s->label[p] = 2;
    if (r.Chance(0.03)) s->label[p] = (int)r.Integer(0, 2);
  }
  Pressure(r, s, One);
}

/* Every cell by chance */
static void Gravel(Random &r, PetscInt most, System *s)
{
  Domain(r, most, s);
  const double air = r(), solid = r() * (1 - air);

  for (int &l : s->label) {
    const double u = r();

    l = u < air ? 0 : u < air + solid ? 2 : 1;
  }
  Pressure(r, s, One);
}

/* All air, all solid, all fluid, or all but one cell */
static void Single(Random &r, PetscInt most, System *s)
{
  Domain(r, r.Chance(0.5) ? 30 : most, s);
  std::fill(s->label.begin(), s->label.end(), (int)r.Integer(0, 2));
  if (r.Chance(0.6)) s->label[r.Integer(0, s->Points() - 1)] = (int)r.Integer(0, 2);
  Pressure(r, s, One);
}

/* Balls and bubbles */
static void Balls(Random &r, PetscInt most, System *s)
{
  Domain(r, most, s);
  for (int k = (int)r.Integer(1, 5); k > 0; k--) {
    const double radius = r.Uniform(0.5, 4);
    const int    what   = (int)r.Integer(0, 2);
    double       c[3];

    for (int d = 0; d < 3; d++) c[d] = r() * (double)s->size[d];
    for (PetscInt p = 0; p < s->Points(); p++) {
      const double x = (double)(p % s->size[0]) - c[0], y = (double)(p / s->size[0] % s->size[1]) - c[1], z = s->dim > 2 ? (double)(p / s->size[0] / s->size[1]) - c[2] : 0;

      if (x * x + y * y + z * z < radius * radius) s->label[p] = what;
    }
  }
  Pressure(r, s, One);
}

/* Two densities, or coefficients that vary smoothly */
static void Densities(Random &r, PetscInt most, System *s)
{
  Domain(r, most, s);
  const double   ratio = r.Power(-3, 3), wave = r.Uniform(0, 2);
  const bool     smooth = r.Chance(0.5);
  const PetscInt half   = s->size[0] / 2;

  for (PetscInt p = 0; p < s->Points(); p++) {
    if (p / s->size[0] % s->size[1] == s->size[1] - 1) s->label[p] = 0;
  }
  Pressure(r, s, [&](PetscInt p, PetscInt q) {
    const double x = (double)(p % s->size[0] + q % s->size[0]) / 2;

    return smooth ? std::exp(wave * std::sin(x / 5)) : x > (double)half ? ratio : 1;
  });
}

std::vector<Family> VoxelFamilies()
{
  return {
    {"pool", "nnnnnnp", Pool}, {"gravel", "nn", Gravel}, {"single", "nn", Single}, {"balls", "nn", Balls}, {"densities", "n", Densities},
  };
}

} // namespace differential
