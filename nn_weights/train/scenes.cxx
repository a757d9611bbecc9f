#include "scenes.h"
#include <algorithm>
#include <cmath>

namespace petlap {
namespace scenes {

const char *const ClassNames[NCLASSES] = {"box", "pool", "smoke", "dam", "ball", "wavy", "splash", "hill"};

static const double PI = 3.14159265358979323846;

/* Every bit of the result depends on every bit of the number */
static uint64_t Mixed(uint64_t h)
{
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ull;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebull;
  return h ^ (h >> 31);
}

Random::Random(uint64_t seed, uint64_t stream) : key(Mixed(Mixed(seed + 0x9e3779b97f4a7c15ull) + stream)) {}

uint64_t Random::bits()
{
  return Mixed(key + ++count * 0x9e3779b97f4a7c15ull);
}

double Random::uniform()
{
  return (double)(bits() >> 11) * 0x1p-53;
}

int Random::integer(int lo, int hi)
{
  return lo + (int)(uniform() * (hi - lo + 1));
}

double Random::normal()
{
  double sum = -6.0;

  for (int k = 0; k < 12; k++) sum += uniform();
  return sum;
}

double Sine(double x)
{
  const double turns = x / (2.0 * PI) + 0.25;
  double       t     = turns - std::floor(turns); /* sin x = -cos(2 pi t) */

  /* A polynomial on half a period around the middle */
  double sign = 1.0;
  t           = t - 0.5;
  if (t > 0.25) {
    t    = 0.5 - t;
    sign = -1.0;
  } else if (t < -0.25) {
    t    = -0.5 - t;
    sign = -1.0;
  }
  const double y = 2.0 * PI * t, s = y * y;
  double       c = 1.0, term = 1.0;
  for (int k = 1; k <= 10; k++) {
    term *= -s / ((2 * k - 1) * (2 * k));
    c += term;
  }
  return sign * c;
}

static double Cosine(double x)
{
  return Sine(x + 0.5 * PI);
}

namespace {

/* A point in units of the shortest side of the grid */
struct Point {
  double v[3];
};

/* A solid of some kind at some place, turned around */
struct Solid {
  enum Kind { SPHERE, BLOCK, PLATE, TORUS } kind;
  int    dim;
  Point  centre;
  double axis[3][3], size[3];

  Solid(int dim, const double extent[3], double cell, Random &random) : dim(dim)
  {
    kind = (Kind)random.integer(0, 3);
    for (int a = 0; a < 3; a++) centre.v[a] = extent[a] * random.uniform(0.1, 0.9);
    Turn(random);
    for (double &s : size) s = random.uniform(0.04, 0.15);
    if (kind == SPHERE) size[0] = random.uniform(0.04, 0.17);
    if (kind == PLATE) {
      size[0] = 0.5 * cell * random.uniform(0.7, 2.5);
      size[1] = random.uniform(0.06, 0.25);
      size[2] = random.uniform(0.06, 0.25);
    }
    if (kind == TORUS) {
      size[0] = random.uniform(0.08, 0.2);
      size[1] = size[0] * random.uniform(0.15, 0.45);
    }
  }

  void Turn(Random &random)
  {
    for (int a = 0; a < 3; a++) {
      for (int b = 0; b < 3; b++) axis[a][b] = a == b;
    }
    if (random.uniform() < 0.25) return;
    for (int r = 0; r < (dim == 3 ? 3 : 1); r++) {
      const int    a = dim == 3 ? r : 0, b = dim == 3 ? (r + 1) % 3 : 2;
      const double angle = random.uniform(0.0, 2.0 * PI), c = Cosine(angle), s = Sine(angle);

      for (auto &row : axis) {
        const double x = row[a], y = row[b];

        row[a] = c * x - s * y;
        row[b] = s * x + c * y;
      }
    }
  }

  bool Contains(const Point &p) const
  {
    double y[3];

    for (int a = 0; a < 3; a++) {
      y[a] = 0.0;
      for (int b = 0; b < 3; b++) y[a] += axis[a][b] * (p.v[b] - centre.v[b]);
      if (dim == 2 && a == 1) y[a] = 0.0;
    }
    switch (kind) {
    case SPHERE:
      return y[0] * y[0] + y[1] * y[1] + y[2] * y[2] < size[0] * size[0];
    case BLOCK:
    case PLATE:
      return std::abs(y[0]) < size[0] && std::abs(y[1]) < size[1] && std::abs(y[2]) < size[2];
    default: {
      const double ring = std::sqrt(y[0] * y[0] + y[1] * y[1] + (dim == 2 ? y[2] * y[2] : 0.0)) - size[0], off = dim == 2 ? 0.0 : y[2];

      return ring * ring + off * off < size[1] * size[1];
    }
    }
  }
};

struct Builder {
  Scene  scene;
  double cell, extent[3]; /* of a cell, and of the grid */
  Random random;

  Builder(int dim, const int n[3], uint64_t seed) : random(seed, 1)
  {
    int least = n[0];

    scene.dim = dim;
    for (int a = 0; a < 3; a++) {
      scene.n[a] = n[a];
      if (dim == 3 || a != 1) least = std::min(least, n[a]);
    }
    cell = 1.0 / least;
    for (int a = 0; a < 3; a++) extent[a] = n[a] * cell;
    scene.cell.assign(scene.size(), FLUID);
  }

  /* body(point, cell) for all cells */
  template <typename Body>
  void Each(Body body)
  {
    size_t i = 0;

    for (int z = 0; z < scene.n[2]; z++) {
      for (int y = 0; y < scene.n[1]; y++) {
        for (int x = 0; x < scene.n[0]; x++, i++) body(Point{{(x + 0.5) * cell, (y + 0.5) * cell, (z + 0.5) * cell}}, scene.cell[i]);
      }
    }
  }

  double Square(const Point &p, const Point &q) const
  {
    double sum = 0.0;

    for (int a = 0; a < 3; a++) {
      if (scene.dim == 3 || a != 1) sum += (p.v[a] - q.v[a]) * (p.v[a] - q.v[a]);
    }
    return sum;
  }

  Point Place(double lo, double hi)
  {
    Point p;

    for (int a = 0; a < 3; a++) p.v[a] = extent[a] * random.uniform(lo, hi);
    return p;
  }

  void Solids(int count)
  {
    for (int k = 0; k < count; k++) {
      const Solid solid(scene.dim, extent, cell, random);

      Each([&](const Point &p, unsigned char &c) {
        if (solid.Contains(p)) c = SOLID;
      });
    }
  }

  /* Balls of fluid in air, down to single cells */
  void Droplets(int count)
  {
    for (int k = 0; k < count; k++) {
      const Point  centre = Place(0.0, 1.0);
      const double small = 0.6 * cell, large = 0.05, share = random.uniform(), radius = std::max(small, small + (large - small) * share * share);
      int          lo[3], hi[3];

      for (int a = 0; a < 3; a++) {
        lo[a] = std::max(0, (int)((centre.v[a] - radius) / cell) - 1);
        hi[a] = std::min(scene.n[a], (int)((centre.v[a] + radius) / cell) + 2);
        if (scene.dim == 2 && a == 1) {
          lo[a] = 0;
          hi[a] = 1;
        }
      }
      for (int z = lo[2]; z < hi[2]; z++) {
        for (int y = lo[1]; y < hi[1]; y++) {
          for (int x = lo[0]; x < hi[0]; x++) {
            unsigned char &c = scene.cell[((size_t)z * scene.n[1] + y) * scene.n[0] + x];

            if (c == AIR && Square({{(x + 0.5) * cell, (y + 0.5) * cell, (z + 0.5) * cell}}, centre) < radius * radius) c = FLUID;
          }
        }
      }
    }
  }

  /* height(point) of the surface */
  template <typename Height>
  void Surface(Height height)
  {
    Each([&](const Point &p, unsigned char &c) {
      if (c == FLUID && p.v[2] >= height(p)) c = AIR;
    });
  }

  void Dam()
  {
    const double width = random.uniform(0.2, 0.5) * extent[0], top = random.uniform(0.4, 0.9) * extent[2], slope = random.uniform(-0.5, 0.5), pool = random.uniform() < 0.3 ? 0.0 : random.uniform(0.02, 0.15);
    const bool   right = random.uniform() < 0.5;

    Surface([&](const Point &p) {
      const double x = right ? extent[0] - p.v[0] : p.v[0];

      return x < width ? std::max(pool, top - slope * x) : pool;
    });
  }

  void Pillars(int count)
  {
    for (int k = 0; k < count; k++) {
      const Point  at    = Place(0.3, 0.95);
      const double width = random.uniform(0.02, 0.06), height = extent[2] * random.uniform(0.3, 1.0);
      const bool   round = random.uniform() < 0.3;

      Each([&](const Point &p, unsigned char &c) {
        const double dx = std::abs(p.v[0] - at.v[0]), dy = scene.dim == 3 ? std::abs(p.v[1] - at.v[1]) : 0.0;

        if (p.v[2] < height && (round ? dx * dx + dy * dy < width * width : dx < width && dy < width)) c = SOLID;
      });
    }
  }

  void Waves()
  {
    const double level = extent[2] * random.uniform(0.3, 0.7);
    double       size[5], k[5][2], phase[5];

    for (int s = 0; s < 5; s++) {
      size[s] = random.uniform(0.0, 0.07);
      for (double &v : k[s]) v = random.uniform(-20.0, 20.0);
      phase[s] = random.uniform(0.0, 2.0 * PI);
    }
    if (scene.dim == 2) {
      Surface([&](const Point &p) {
        double h = level;

        for (int s = 0; s < 5; s++) h += size[s] * Sine(k[s][0] * p.v[0] + phase[s]);
        return h;
      });
      return;
    }
    std::vector<double> height;
    for (int y = 0; y < scene.n[1]; y++) {
      for (int x = 0; x < scene.n[0]; x++) {
        double h = level;

        for (int s = 0; s < 5; s++) h += size[s] * Sine(k[s][0] * (x + 0.5) * cell + k[s][1] * (y + 0.5) * cell + phase[s]);
        height.push_back(h);
      }
    }
    Surface([&](const Point &p) { return height[(size_t)(p.v[1] / cell) * scene.n[0] + (size_t)(p.v[0] / cell)]; });
  }

  void Splash()
  {
    const bool   bowl  = random.uniform() < 0.5;
    const double level = extent[2] * random.uniform(0.1, 0.4), width = random.uniform(0.05, 0.12);
    const Point  jet = Place(0.35, 0.65);
    const Point  bottom{{0.5 * extent[0], 0.5 * extent[1], 0.0}};
    const double radius = 0.48;

    Each([&](const Point &p, unsigned char &c) {
      const Point q{{p.v[0], p.v[1], jet.v[2]}};
      const bool  inJet = Square(q, jet) < width * width;

      if (p.v[2] >= level && !inJet) c = AIR;
      if (bowl) {
        const Point centre{{bottom.v[0], bottom.v[1], radius}};

        if (p.v[2] < radius && Square(p, centre) > radius * radius) c = SOLID;
      }
    });
    if (!bowl) Solids(random.integer(1, 5));
    Droplets(random.integer(5, 60));
  }

  void Hill()
  {
    const double foot = random.uniform(0.2, 0.8) * extent[0], slope = random.uniform(0.2, 1.2), level = random.uniform(0.15, 0.6) * extent[2], step = random.uniform() < 0.3 ? random.uniform(0.05, 0.2) : 0.0;
    const bool   dam = random.uniform() < 0.5;

    if (dam)
      Dam();
    else
      Surface([&](const Point &) { return level; });
    Each([&](const Point &p, unsigned char &c) {
      double h = slope * (p.v[0] - foot);

      /* Stairs */
      if (step > 0.0) h = step * std::floor(h / step);
      if (p.v[2] < h) c = SOLID;
    });
    Droplets(random.integer(0, 10));
  }

  void Bubbles(double share)
  {
    for (unsigned char &c : scene.cell) {
      const bool hit = random.uniform() < share;

      if (hit && c == FLUID) c = AIR;
    }
  }

  void Margins()
  {
    int lo[3] = {0, 0, 0}, hi[3];
    int inside[3];

    for (int a = 0; a < 3; a++) {
      const int most  = std::max(1, scene.n[a] / 5);
      const int below = random.uniform() < 0.5 ? random.integer(1, most) : 0, above = random.uniform() < 0.5 ? random.integer(1, most) : 0;

      lo[a]     = scene.dim == 3 || a != 1 ? below : 0;
      hi[a]     = scene.n[a] - (scene.dim == 3 || a != 1 ? above : 0);
      inside[a] = random.integer(0, 1);
    }
    const bool same = random.uniform() < 0.5;
    size_t     i    = 0;
    for (int z = 0; z < scene.n[2]; z++) {
      for (int y = 0; y < scene.n[1]; y++) {
        for (int x = 0; x < scene.n[0]; x++, i++) {
          const int at[3] = {x, y, z};

          for (int a = 0; a < 3; a++) {
            if (at[a] < lo[a] || at[a] >= hi[a]) scene.cell[i] = inside[same ? 0 : a] ? SOLID : AIR;
          }
        }
      }
    }
  }
};

} // namespace

void FillPockets(Scene &scene)
{
  const ptrdiff_t step[3] = {1, scene.n[0], (ptrdiff_t)scene.n[0] * scene.n[1]};

  /* A cell that becomes solid had only walls around it, so no other cell changes with it */
  size_t i = 0;
  for (int z = 0; z < scene.n[2]; z++) {
    for (int y = 0; y < scene.n[1]; y++) {
      for (int x = 0; x < scene.n[0]; x++, i++) {
        const int at[3] = {x, y, z};
        bool      open  = false;

        if (scene.cell[i] != FLUID) continue;
        for (int a = 0; a < 3; a++) {
          if (at[a] > 0 && scene.cell[i - step[a]] != SOLID) open = true;
          if (at[a] < scene.n[a] - 1 && scene.cell[i + step[a]] != SOLID) open = true;
        }
        if (!open) scene.cell[i] = SOLID;
      }
    }
  }
}

Scene MakeScene(int dim, const int n[3], Class kind, uint64_t seed, const Options &options)
{
  Builder build(dim, n, Mixed(seed) + kind);
  Random &random = build.random;

  switch (kind) {
  case POOL: {
    const double height = build.extent[2] * random.uniform(0.3, 0.9);

    build.Surface([&](const Point &) { return height; });
    break;
  }
  case SMOKE:
    build.Solids(random.integer(2, 10));
    break;
  case DAM:
    build.Dam();
    build.Pillars(random.integer(0, 4));
    build.Droplets(random.integer(0, 20));
    break;
  case BALL: {
    const double height = build.extent[2] * random.uniform(0.1, 0.4), radius = random.uniform(0.1, 0.25);
    const Point  centre = build.Place(0.4, 0.7);

    build.Each([&](const Point &p, unsigned char &c) {
      if (p.v[2] >= height && build.Square(p, centre) >= radius * radius) c = AIR;
    });
    break;
  }
  case WAVY:
    build.Waves();
    build.Solids(random.integer(1, 5));
    build.Droplets(random.integer(0, 40));
    break;
  case SPLASH:
    build.Splash();
    break;
  case HILL:
    build.Hill();
    break;
  default:
    break;
  }
  if (options.bubbles > 0.0) build.Bubbles(options.bubbles);
  if (options.margins) build.Margins();
  FillPockets(build.scene);
  return build.scene;
}

void Divergence(const Scene &scene, uint64_t seed, int nb, double b[])
{
  enum { WAVES = 4 };
  const int          *n = scene.n, dim = scene.dim;
  const ptrdiff_t     step[3] = {1, n[0], (ptrdiff_t)n[0] * n[1]};
  const double        N       = std::max(n[0], std::max(n[1], n[2]));
  std::vector<double> face(scene.size());
  std::vector<int>    number(scene.size(), -1);
  size_t              nfluid = 0;

  for (size_t i = 0; i < scene.size(); i++) {
    if (scene.cell[i] == FLUID) number[i] = (int)nfluid++;
  }
  std::fill_n(b, nfluid * nb, 0.0);
  for (int column = 0; column < nb; column++) {
    Random       random(seed, 2 + column);
    const double noise = Sine(0.5 * PI * random.uniform()), weak = random.uniform(); /* from hardly any to as much as waves */
    const double amount = noise * weak * weak * weak, gravity = random.uniform() < 0.5 ? random.uniform(0.0, 2.0) : 0.0;
    const int    upwards = random.uniform() < 0.7 ? 2 : random.integer(0, 2);

    for (int a = 0; a < 3; a++) {
      if (dim == 2 && a == 1) continue;
      std::vector<double> table[WAVES][3][2];
      double              size[WAVES];

      /* exp(i k x) is a product of one number per axis */
      for (int w = 0; w < WAVES; w++) {
        const double phase = random.uniform(0.0, 2.0 * PI);

        size[w] = random.normal();
        for (int d = 0; d < 3; d++) {
          const double k = 2.0 * PI * random.normal() * (1 << random.integer(0, 3)) / N;

          for (int i = 0; i < n[d]; i++) {
            const double at = k * (i + (d == a ? 0.0 : 0.5)) + (d == 0 ? phase : 0.0);

            table[w][d][0].push_back(Cosine(at));
            table[w][d][1].push_back(Sine(at));
          }
        }
      }
      /* Between cell i and the one before it */
      size_t i = 0;
      for (int z = 0; z < n[2]; z++) {
        for (int y = 0; y < n[1]; y++) {
          double re[WAVES], im[WAVES];

          for (int w = 0; w < WAVES; w++) {
            const double cy = table[w][1][0][y], sy = table[w][1][1][y], cz = table[w][2][0][z], sz = table[w][2][1][z];

            re[w] = size[w] * (cy * cz - sy * sz);
            im[w] = size[w] * (cy * sz + sy * cz);
          }
          for (int x = 0; x < n[0]; x++, i++) {
            const int at[3] = {x, y, z};
            double    u     = amount * 2.0 * (random.uniform() - 0.5) + (a == upwards ? gravity : 0.0);

            for (int w = 0; w < WAVES; w++) u += re[w] * table[w][0][1][x] + im[w] * table[w][0][0][x];
            if (at[a] == 0 || scene.cell[i] == SOLID || scene.cell[i - step[a]] == SOLID) u = 0.0;
            if (number[i] >= 0) b[(size_t)number[i] * nb + column] -= u;
            if (at[a] > 0 && number[i - step[a]] >= 0) b[(size_t)number[i - step[a]] * nb + column] += u;
          }
        }
      }
    }
  }
}

} // namespace scenes
} // namespace petlap
