/* One unknown for each point of a grid: images, finite elements, flow, waves */
#include "tests/differential/families.h"
#include <algorithm>

namespace differential {

static double Square(double a)
{
  return a * a;
}

/* A picture with edges: patches of constant grey, and some noise */
static std::vector<double> Picture(Random &r, const System &s)
{
  std::vector<double> grey(s.Points());
  const double        noise = r.Chance(0.5) ? 0 : r.Power(-4, -1);
  double              a[4], b[4], c[4];

  for (int k = 0; k < 4; k++) {
    a[k] = r.Normal();
    b[k] = r.Normal();
    c[k] = r.Normal() * (double)s.size[0] / 2;
  }
  for (PetscInt p = 0; p < s.Points(); p++) {
    const double x = (double)(p % s.size[0]), y = (double)(p / s.size[0] % s.size[1]);

    for (int k = 0; k < 4; k++) grey[p] += a[k] * x + b[k] * y > c[k] ? 0.25 : 0;
    grey[p] += noise * r();
  }
  return grey;
}

static void Plane(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, most, r.Chance(0.1) ? 3 : 2, 1, s);
}

static void AddDiagonal(System *s, double d)
{
  for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, d);
}

static void DirichletSome(Random &r, System *s, double d)
{
  std::vector<bool> fixed(s->n);
  const bool        border = r.Chance(0.6), keep = r.Chance(0.4);
  const double      part = r.Uniform(0.01, 0.3);

  for (PetscInt p = 0; p < s->n; p++) {
    const PetscInt x = p % s->size[0], y = p / s->size[0] % s->size[1];

    fixed[p] = border ? x == 0 || x == s->size[0] - 1 || y == 0 || y == s->size[1] - 1 : r.Chance(part);
  }
  fixed[0] = true;
  Dirichlet(s, fixed, d, keep);
}

/* lambda grad' W grad + data, W falls across edges */
static void Epd(Random &r, PetscInt most, System *s)
{
  Plane(r, most, s);
  const std::vector<double> grey   = Picture(r, *s);
  const double              lambda = r.Power(-2, 3), power = r.Uniform(1, 2), eps = r.Power(-8, -2);
  const bool                box = r.Chance(0.4), data = !r.Chance(0.2);

  Pairs(*s, box, 1, [&](PetscInt p, PetscInt q, PetscInt) { s->Link(p, q, lambda / (std::pow(std::abs(grey[p] - grey[q]), power) + eps)); });
  s->symmetric = true;
  if (data) {
    const bool some = r.Chance(0.3);

    for (PetscInt i = 0; i < s->n; i++) {
      if (!some || r.Chance(0.05)) s->Add(i, i, 1);
    }
    s->definite = s->tame = !some;
  } else {
    s->Singular();
  }
}

/* Affinities of windows of 3 x 3, as in closed-form matting: dense windows, entries of both signs */
static void Matting(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, most / 2, 2, 1, s);
  s->size[0]                     = std::max((PetscInt)3, s->size[0]);
  s->size[1]                     = std::max((PetscInt)3, s->size[1]);
  s->n                           = s->Points();
  const std::vector<double> grey = Picture(r, *s);
  const double              eps = r.Power(-9, -3), lambda = r.Power(-4, 2);

  for (PetscInt y = 1; y + 1 < s->size[1]; y++) {
    for (PetscInt x = 1; x + 1 < s->size[0]; x++) {
      PetscInt w[9];
      double   mean = 0, variance = 0;

      for (int k = 0; k < 9; k++) w[k] = x + k % 3 - 1 + s->size[0] * (y + k / 3 - 1);
      for (PetscInt p : w) mean += grey[p] / 9;
      for (PetscInt p : w) variance += Square(grey[p] - mean) / 9;
      for (PetscInt p : w) {
        for (PetscInt q : w) {
          if (p < q) s->Link(p, q, (1 + (grey[p] - mean) * (grey[q] - mean) / (variance + eps / 9)) / 9);
        }
      }
    }
  }
  s->symmetric = true;
  if (r.Chance(0.8)) {
    for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, r.Chance(0.2) ? lambda : 0.0);
  } else {
    s->Singular();
  }
}

/* Bilinear elements on a grid that may be stretched, reaction, and rows of Dirichlet conditions in every way that programs have */
static void Fem(Random &r, PetscInt most, System *s)
{
  static const double shape[4][2] = {{-1, -1}, {1, -1}, {-1, 1}, {1, 1}};
  const double        stretch = r.Chance(0.3) ? r.Power(-3, 3) : 1, mass = r.Chance(0.3) ? r.Power(-6, 1) : 0, sign = r.Chance(0.2) ? -1 : 1;

  DrawGrid(r, most, 2, 1, s);
  for (PetscInt y = 0; y + 1 < s->size[1]; y++) {
    for (PetscInt x = 0; x + 1 < s->size[0]; x++) {
      for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
          const double   xx = shape[i][0] * shape[j][0], yy = shape[i][1] * shape[j][1];
          const double   k = stretch * xx * (3 + yy) / 12 + yy * (3 + xx) / (12 * stretch), m = (3 + xx) * (3 + yy) / 144;
          const PetscInt p = x + i % 2 + s->size[0] * (y + i / 2), q = x + j % 2 + s->size[0] * (y + j / 2);

          s->Add(p, q, sign * (k + mass * m));
        }
      }
    }
  }
  for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, 0);
  s->symmetric = true;
  s->definite  = sign > 0;
  if (mass == 0 && r.Chance(0.2) && s->size[0] > 1 && s->size[1] > 1) {
    s->Singular();
    s->definite = false;
  } else if (mass == 0 || r.Chance(0.5)) {
    DirichletSome(r, s, r.Chance(0.7) ? 1.0 : r.Sign() * r.Power(-12, 12));
    s->definite = false;
  }
}

/* Weights of cotangents of a grid of triangles whose points have been moved */
static void Cotangent(Random &r, PetscInt most, System *s)
{
  const double move = r.Uniform(0, 0.49), flat = r.Chance(0.4) ? r.Power(-5, 0) : 1;

  DrawGrid(r, most, 2, 1, s);
  std::vector<double> x(s->n), y(s->n);
  for (PetscInt p = 0; p < s->n; p++) {
    x[p] = (double)(p % s->size[0]) + move * r.Uniform(-1, 1);
    y[p] = flat * ((double)(p / s->size[0]) + move * r.Uniform(-1, 1));
  }
  auto corner = [&](PetscInt a, PetscInt b, PetscInt c) {
    const double ux = x[a] - x[c], uy = y[a] - y[c], vx = x[b] - x[c], vy = y[b] - y[c];

    s->Link(a, b, 0.5 * (ux * vx + uy * vy) / std::max(1e-14, std::abs(ux * vy - uy * vx)));
  };
  for (PetscInt j = 0; j + 1 < s->size[1]; j++) {
    for (PetscInt i = 0; i + 1 < s->size[0]; i++) {
      const PetscInt p = i + s->size[0] * j, q[4] = {p, p + 1, p + s->size[0], p + s->size[0] + 1};

      for (int k = 0; k < 3; k++) {
        const int low[3] = {0, 1, 2}, high[3] = {1, 3, 2};

        corner(q[low[k]], q[low[(k + 1) % 3]], q[low[(k + 2) % 3]]);
        corner(q[high[k]], q[high[(k + 1) % 3]], q[high[(k + 2) % 3]]);
      }
    }
  }
  s->symmetric = s->definite = true;
  if (r.Chance(0.7))
    AddDiagonal(s, r.Power(-8, 0));
  else if (s->size[0] > 1 && s->size[1] > 1)
    s->Singular();
  else
    AddDiagonal(s, 1);
}

static void Darcy(Random &r, PetscInt most, System *s)
{
  Plane(r, most, s);
  std::vector<double> k(s->n);
  const double        contrast = r.Sign() * r.Uniform(1, 12);
  const bool          smooth   = r.Chance(0.3);
  const PetscInt      low = r.Integer(0, s->size[0] - 1), high = r.Integer(0, s->size[0] - 1);

  for (PetscInt p = 0; p < s->n; p++) {
    const PetscInt x = p % s->size[0];

    k[p] = smooth ? r.Power(-std::abs(contrast) / 2, std::abs(contrast) / 2) : (x >= low && x <= high) || r.Chance(0.1) ? std::pow(10.0, contrast) : 1;
  }
  Pairs(*s, false, 1, [&](PetscInt p, PetscInt q, PetscInt) { s->Link(p, q, 2 * k[p] * k[q] / (k[p] + k[q])); });
  s->symmetric = true;
  if (r.Chance(0.2)) {
    s->Singular();
  } else if (r.Chance(0.3)) {
    for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, 0);
    DirichletSome(r, s, 1);
  } else {
    for (PetscInt p = 0; p < s->n; p++) {
      if (p % s->size[0] == 0) s->Add(p, p, 2 * k[p]);
    }
    s->definite = true;
  }
}

static void Anisotropic(Random &r, PetscInt most, System *s)
{
  Plane(r, most, s);
  const double ratio[3] = {1, r.Power(-14, 0), r.Power(-14, 2)}, angle = r.Uniform(0, 3.2);
  const bool   turned = s->dim == 2 && r.Chance(0.5);

  if (turned) {
    /* The usual nine points, with entries of both signs */
    const double   e = ratio[1], cc = std::cos(angle) * std::cos(angle), ss = 1 - cc, cs = std::cos(angle) * std::sin(angle), cross = (1 - e) * cs / 2;
    const PetscInt nx = s->size[0];

    Pairs(*s, true, 1, [&](PetscInt p, PetscInt q, PetscInt d) {
      const bool along = q - p == 1;

      if (d == 1) s->Link(p, q, along ? cc + e * ss : ss + e * cc);
      if (d == 2) s->Link(p, q, q - p == nx + 1 ? cross : -cross);
    });
    AddDiagonal(s, r.Power(-6, 0));
  } else {
    Pairs(*s, false, 1, [&](PetscInt p, PetscInt q, PetscInt) { s->Link(p, q, q - p == 1 ? ratio[0] : q - p == s->size[0] ? ratio[1] : ratio[2]); });
    AddDiagonal(s, r.Power(-12, 0));
  }
  s->symmetric = s->definite = true;
  if (turned) s->definite = false;
}

static void Neumann(Random &r, PetscInt most, System *s)
{
  Plane(r, most, s);
  const bool box = r.Chance(0.3), varied = r.Chance(0.4);

  for (int d = 0; d < s->dim; d++) s->periodic[d] = r.Chance(0.1) && s->size[d] > 2;
  Pairs(*s, box, 1, [&](PetscInt p, PetscInt q, PetscInt) { s->Link(p, q, varied ? r.Power(-2, 2) : 1); });
  for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, 0);
  s->symmetric = true;
  s->Singular();
  if (r.Chance(0.15)) {
    s->kernel.clear();
    s->left.clear();
    AddDiagonal(s, r.Power(-16, -6));
  }
}

/* Rows of mirrored points count a neighbour twice */
static void Mirror(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, most, 2, 1, s);
  const double shift = r.Chance(0.5) ? r.Power(-4, 0) : 0;

  for (PetscInt p = 0; p < s->n; p++) {
    const PetscInt x = p % s->size[0], y = p / s->size[0], nx = s->size[0], ny = s->size[1];

    if (nx > 1) {
      s->Add(p, x ? p - 1 : p + 1, -1);
      s->Add(p, x < nx - 1 ? p + 1 : p - 1, -1);
      s->Add(p, p, 2);
    }
    if (ny > 1) {
      s->Add(p, y ? p - nx : p + nx, -1);
      s->Add(p, y < ny - 1 ? p + nx : p - nx, -1);
      s->Add(p, p, 2);
    }
    s->Add(p, p, shift + (nx * ny == 1));
  }
}

/* Random numbers in a stencil that reaches one to three points */
static void Signs(Random &r, PetscInt most, System *s)
{
  const PetscInt reach     = r.Chance(0.2) ? r.Integer(2, 3) : 1;
  const bool     symmetric = r.Chance(0.5), box = r.Chance(0.5), units = r.Chance(0.6);
  const double   fill = r.Chance(0.5) ? 1 : r.Uniform(0.3, 1);

  DrawGrid(r, r.Chance(0.7) ? std::min((PetscInt)80, most) : most, r.Integer(1, 2), r.Chance(0.15) ? r.Integer(2, 4) : 1, s);
  const PetscInt dof    = s->dof;
  auto           value  = [&] { return units ? r.Sign() : r.Normal(); };
  auto           couple = [&](PetscInt p, PetscInt q) {
    for (PetscInt a = 0; a < dof; a++) {
      for (PetscInt b = 0; b < dof; b++) {
        const double v = value();

        if (r.Chance(fill)) {
          s->Add(p * dof + a, q * dof + b, v);
          s->Add(q * dof + b, p * dof + a, symmetric ? v : value());
        }
      }
    }
  };
  Pairs(*s, box, reach, [&](PetscInt p, PetscInt q, PetscInt) { couple(p, q); });
  for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, value());
  s->symmetric = symmetric;
}

static void Skew(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, most, r.Integer(1, 3), 1, s);
  const double d = r.Chance(0.5) ? 0 : r.Power(-8, 1), noise = r.Chance(0.5) ? 0.5 : 0;

  Pairs(*s, r.Chance(0.3), 1, [&](PetscInt p, PetscInt q, PetscInt) {
    const double v = 1 + noise * r.Normal();

    s->Add(p, q, v);
    s->Add(q, p, -v);
  });
  AddDiagonal(s, d);
}

static void ZeroDiagonal(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, most, r.Integer(1, 2), 1, s);
  const double part  = r.Chance(0.5) ? 1 : r();
  const bool   store = r.Chance(0.7), symmetric = r.Chance(0.7);

  Pairs(*s, r.Chance(0.4), 1, [&](PetscInt p, PetscInt q, PetscInt) {
    const double v = 1 + r();

    s->Add(p, q, v);
    s->Add(q, p, symmetric ? v : 1 + r());
  });
  for (PetscInt i = 0; i < s->n; i++) {
    if (!r.Chance(part))
      s->Add(i, i, 1 + r());
    else if (store)
      s->Add(i, i, 0);
  }
  s->symmetric = symmetric;
}

/* Often at an eigenvalue, or close to one */
static void Helmholtz(Random &r, PetscInt most, System *s)
{
  Plane(r, most, s);
  double lambda = 0;

  for (int d = 0; d < s->dim; d++) {
    const double k = (double)r.Integer(1, s->size[d]);

    lambda += 4 * Square(std::sin(k * PETSC_PI / (2.0 * (double)(s->size[d] + 1))));
  }
  lambda += r.Chance(0.3) ? 0 : r.Sign() * r.Power(-16, 0);
  Pairs(*s, false, 1, [&](PetscInt p, PetscInt q, PetscInt) {
    s->Add(p, q, -1);
    s->Add(q, p, -1);
  });
  AddDiagonal(s, 2.0 * (double)s->dim - lambda);
  s->uniform = s->star = true;
  s->symmetric         = true;
}

static void Convection(Random &r, PetscInt most, System *s)
{
  Plane(r, most, s);
  const double peclet = r.Power(-2, 7), shift = r.Chance(0.3) ? r.Power(-3, 1) : 0;
  const bool   upwind = r.Chance(0.5), turning = r.Chance(0.5);

  Pairs(*s, false, 1, [&](PetscInt p, PetscInt q, PetscInt) {
    const double x = (double)(p % s->size[0]) / (double)s->size[0] - 0.5, y = (double)(p / s->size[0] % s->size[1]) / (double)s->size[1] - 0.5;
    const double v = peclet * (turning ? (q - p == 1 ? y : -x) : 1), out = upwind ? std::max(v, 0.0) : v / 2, in = upwind ? std::max(-v, 0.0) : -v / 2;

    s->Add(p, q, -1 - in);
    s->Add(q, p, -1 - out);
    s->Add(p, p, 1 + (upwind ? out : 0));
    s->Add(q, q, 1 + (upwind ? in : 0));
  });
  AddDiagonal(s, 1 + shift);
  s->star = true;
}

/* Directions that close after one, two, three or a few more points */
static void Periodic(Random &r, PetscInt, System *s)
{
  s->dim = r.Integer(1, 3);
  for (PetscInt d = 0; d < s->dim; d++) {
    s->size[d]     = r.Integer(s->dim == 3 ? 2 : 3, s->dim == 3 ? 5 : 12);
    s->periodic[d] = r.Chance(0.7);
  }
  s->n           = s->Points();
  const bool box = r.Chance(0.4), symmetric = r.Chance(0.5);
  Pairs(*s, box, 1, [&](PetscInt p, PetscInt q, PetscInt) {
    const double v = 0.5 + r(), w = symmetric ? v : 0.5 + r();

    s->Add(p, q, -v);
    s->Add(q, p, -w);
    s->Add(p, p, v);
    s->Add(q, q, w);
  });
  AddDiagonal(s, r.Power(-6, 0));
  s->symmetric = s->definite = symmetric;
}

static void Space(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, most, 3, 1, s);
  const bool box = r.Chance(0.5), varied = r.Chance(0.5);

  Pairs(*s, box, 1, [&](PetscInt p, PetscInt q, PetscInt) { s->Link(p, q, varied ? r.Power(-3, 3) : 1); });
  AddDiagonal(s, r.Power(-3, 0));
  s->symmetric = s->definite = s->tame = true;
}

/* Thirteen points, entries of both signs */
static void Plate(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, most, 2, 1, s);
  std::vector<std::vector<std::pair<PetscInt, double>>> row(s->n);

  for (PetscInt p = 0; p < s->n; p++) row[p].push_back({p, 4});
  Pairs(*s, false, 1, [&](PetscInt p, PetscInt q, PetscInt) {
    row[p].push_back({q, -1});
    row[q].push_back({p, -1});
  });
  for (PetscInt p = 0; p < s->n; p++) {
    for (const auto &a : row[p]) {
      for (const auto &b : row[p]) s->Add(a.first, b.first, a.second * b.second);
    }
  }
  s->symmetric = s->definite = true;
}

/* Rows of the unit matrix beside coefficients of another size */
static void Beside(Random &r, PetscInt most, System *s)
{
  Plane(r, most, s);
  const double k = std::pow(10.0, -(double)r.Integer(0, 20));

  Pairs(*s, r.Chance(0.3), 1, [&](PetscInt p, PetscInt q, PetscInt) { s->Link(p, q, k); });
  for (PetscInt i = 0; i < s->n; i++) s->Add(i, i, 0);
  s->symmetric = true;
  DirichletSome(r, s, 1);
}

/* Some rows hold nothing, or all of them */
static void Empty(Random &r, PetscInt most, System *s)
{
  DrawGrid(r, std::min((PetscInt)60, most), r.Integer(1, 2), 1, s);
  const double      part = r.Chance(0.3) ? 1 : r();
  std::vector<bool> without(s->n);

  for (PetscInt i = 0; i < s->n; i++) without[i] = r.Chance(part);
  for (PetscInt i = 0; i < s->n; i++) {
    if (!without[i]) s->Add(i, i, 4);
  }
  Pairs(*s, false, 1, [&](PetscInt p, PetscInt q, PetscInt) {
    if (without[p] || without[q]) return;
    s->Add(p, q, -1);
    s->Add(q, p, -1);
  });
  s->symmetric = true;
}

/* Nothing but points of the usual stencil, dominated by the diagonal: what a solver must do without trouble */
static void Plain(Random &r, PetscInt most, System *s)
{
  const bool symmetric = r.Chance(0.5), box = r.Chance(0.5), constant = r.Chance(0.4);

  DrawGrid(r, most, r.Integer(1, 3), 1, s);
  Pairs(*s, box, 1, [&](PetscInt p, PetscInt q, PetscInt) {
    const double v = constant ? 1 : 0.5 + r(), w = symmetric || constant ? v : 0.5 + r();

    s->Add(p, q, -v);
    s->Add(q, p, -w);
    if (!constant) {
      s->Add(p, p, v);
      s->Add(q, q, w);
    }
  });
  AddDiagonal(s, constant ? (box ? std::pow(3.0, (double)s->dim) : 2.0 * (double)s->dim) : 0.1);
  s->symmetric = s->definite = symmetric || constant;
  s->uniform                 = constant;
  s->star                    = !box;
  s->tame                    = true;
}

std::vector<Family> GridFamilies()
{
  return {
    {"epd", "ssshhhpp", Epd}, {"matting", "sshhp", Matting}, {"fem", "sshhhpp", Fem},     {"cotangent", "shhp", Cotangent},  {"darcy", "sshhhpp", Darcy},      {"anisotropic", "sshhpp", Anisotropic}, {"neumann", "sshhpp", Neumann},
    {"mirror", "sh", Mirror}, {"signs", "ssssp", Signs},     {"skew", "sp", Skew},        {"zerodiag", "ssp", ZeroDiagonal}, {"helmholtz", "sshp", Helmholtz}, {"convection", "ssp", Convection},      {"periodic", "ssshp", Periodic},
    {"space", "sshp", Space}, {"plate", "shp", Plate},       {"beside", "sshhp", Beside}, {"empty", "shp", Empty},           {"plain", "sssshhpp", Plain},
  };
}

} // namespace differential
