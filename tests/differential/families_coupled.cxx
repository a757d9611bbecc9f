/* Several unknowns for each point, several grids, and normalized Laplacians */
#include "tests/differential/families.h"
#include <algorithm>

namespace differential {

/* Velocities and pressure of a staggered grid, three unknowns for each cell; those that lie on the wall are rows of the unit matrix */
static void Stokes(Random &r, PetscInt most, System *s)
{
  const double jump = r.Chance(0.5) ? r.Power(-6, 6) : 1, pin = r.Chance(0.6) ? 1 : r.Chance(0.5) ? 0 : r.Power(-10, -4);

  DrawGrid(r, most, 2, 3, s);
  const PetscInt nx = s->size[0], ny = s->size[1];
  auto           at   = [&](PetscInt x, PetscInt y, int c) { return 3 * (x + nx * y) + c; };
  auto           wall = [&](PetscInt x, PetscInt y, int c) { return (c == 0 && x == nx - 1) || (c == 1 && y == ny - 1); };

  for (PetscInt y = 0; y < ny; y++) {
    for (PetscInt x = 0; x < nx; x++) {
      const double viscosity = 2 * x > nx ? jump : 1;

      for (int c = 0; c < 2; c++) {
        const PetscInt i = at(x, y, c);

        if (wall(x, y, c)) {
          s->Add(i, i, 1);
          continue;
        }
        s->Add(i, i, 4 * viscosity);
        for (int k = 0; k < 4; k++) {
          const PetscInt u = x + (k == 0) - (k == 1), v = y + (k == 2) - (k == 3);

          if (u < 0 || v < 0 || u >= nx || v >= ny || wall(u, v, c)) continue;
          s->Add(i, at(u, v, c), -std::min(viscosity, 2 * u > nx ? jump : 1));
        }
        /* The gradient of the pressure, and the divergence that is its transpose */
        const PetscInt here = at(x, y, 2), next = c ? at(x, y + 1, 2) : at(x + 1, y, 2);
        s->Add(i, here, -1);
        s->Add(i, next, 1);
        s->Add(here, i, -1);
        s->Add(next, i, 1);
      }
      if (r.Chance(0.9)) s->Add(at(x, y, 2), at(x, y, 2), 0);
    }
  }
  s->Add(2, 2, pin);
  s->symmetric = jump == 1;
}

/* Blocks of 2 to 4 unknowns that belong together, as in elasticity or reaction */
static void Blocks(Random &r, PetscInt most, System *s)
{
  const bool   symmetric = r.Chance(0.6);
  const double dominance = r.Chance(0.7) ? 1.01 : r.Uniform(0.2, 1), positive = r();

  DrawGrid(r, most, r.Integer(1, 3), r.Integer(2, 4), s);
  const PetscInt      dof = s->dof;
  std::vector<double> sum(s->n, 0.0);
  auto                add = [&](PetscInt i, PetscInt j, double v) {
    s->Add(i, j, v);
    sum[i] += std::abs(v);
  };
  Pairs(*s, r.Chance(0.4), 1, [&](PetscInt p, PetscInt q, PetscInt) {
    for (PetscInt a = 0; a < dof; a++) {
      for (PetscInt b = 0; b < dof; b++) {
        const double v = r() * (r.Chance(positive) ? 1 : -1), w = symmetric ? v : r.Normal();

        add(p * dof + a, q * dof + b, v);
        add(q * dof + b, p * dof + a, w);
      }
    }
  });
  for (PetscInt i = 0; i < s->n; i++) {
    for (PetscInt b = i % dof + 1; b < dof; b++) {
      const double v = 0.3 * r.Normal();

      add(i, i - i % dof + b, v);
      add(i - i % dof + b, i, symmetric ? v : -v);
    }
  }
  for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, dominance * sum[i] + 0.01);
  s->symmetric = symmetric;
  s->definite  = symmetric && dominance > 1;
  s->tame      = dominance > 1;
}

/* One Laplacian for each component, which are not coupled */
static void Vector(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, most, 2, r.Integer(2, 3), s);
  const PetscInt dof  = s->dof;
  const double   weak = r.Chance(0.3) ? r.Power(-18, -2) : 0, shift = r.Power(-6, 0);
  const bool     store = r.Chance(0.6);

  Pairs(*s, false, 1, [&](PetscInt p, PetscInt q, PetscInt) {
    for (PetscInt a = 0; a < dof; a++) {
      s->Link(p * dof + a, q * dof + a, 1 + (double)a);
      for (PetscInt b = 0; b < dof && (store || weak != 0); b++) {
        if (a == b) continue;
        s->Add(p * dof + a, q * dof + b, weak);
        s->Add(q * dof + b, p * dof + a, weak);
      }
    }
  });
  for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, shift);
  s->symmetric = s->definite = true;
}

/* Grids of one shape as blocks of the diagonal */
static void Batch(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, std::max((PetscInt)4, most / 6), r.Integer(1, 2), r.Chance(0.2) ? 2 : 1, s);
  s->batch                 = r.Integer(1, 6);
  const PetscInt n         = s->n;
  const bool     symmetric = r.Chance(0.6), box = r.Chance(0.4);
  for (PetscInt k = 0; k < s->batch; k++) {
    const double scale = r.Chance(0.2) ? r.Power(-9, 9) : 1;

    Pairs(*s, box, 1, [&](PetscInt p, PetscInt q, PetscInt) {
      for (PetscInt a = 0; a < s->dof; a++) {
        for (PetscInt b = 0; b < s->dof; b++) {
          const double v = scale * r();

          s->Add(k * n + p * s->dof + a, k * n + q * s->dof + b, -v);
          s->Add(k * n + q * s->dof + b, k * n + p * s->dof + a, symmetric ? -v : -scale * r());
        }
      }
    });
    for (PetscInt i = 0; i < n; i++) {
      for (PetscInt b = 0; b < s->dof; b++) s->Add(k * n + i, k * n + i - i % s->dof + b, scale * (b == i % s->dof ? 20 : 0.1));
    }
  }
  s->n *= s->batch;
  s->symmetric = s->definite = symmetric;
}

/* D^(-1/2) L D^(-1/2), with or without the null vector */
static void Normalized(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, most, 2, 1, s);
  const bool   singular = r.Chance(0.5);
  const double k        = r.Uniform(0, 3);

  Pairs(*s, r.Chance(0.5), 1, [&](PetscInt p, PetscInt q, PetscInt) { s->Link(p, q, r.Power(-k, k)); });
  for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, s->n == 1 ? 1 : 0);
  s->Assemble();
  std::vector<double> d(s->n, 1.0);
  for (const Entry &e : s->entry) {
    if (e.i == e.j && e.v > 0) d[e.i] = std::sqrt(e.v);
  }
  for (Entry &e : s->entry) e.v /= d[e.i] * d[e.j];
  s->symmetric = true;
  if (singular && s->n > 1) {
    s->kernel = d;
    s->left   = d;
  } else {
    for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, r.Power(-8, 0));
    s->definite = true;
  }
}

std::vector<Family> CoupledFamilies()
{
  return {
    {"stokes", "sss", Stokes}, {"blocks", "sssp", Blocks}, {"vector", "shhp", Vector}, {"batch", "ss", Batch}, {"normalized", "hhp", Normalized},
  };
}

} // namespace differential
