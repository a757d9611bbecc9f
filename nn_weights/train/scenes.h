/*
  Scenes of fluid simulations, for training and for tests of preconditioners: which cells of a grid are air, fluid and solid, and divergences of velocities
  as right-hand sides.

  A scene is a function of its number alone, on every machine: the random numbers are a hash of how many have been drawn, and nothing but additions,
  multiplications, divisions and square roots decides on a cell.
*/
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace petlap {
namespace scenes {

enum Cell : unsigned char { AIR, FLUID, SOLID };

class Random {
public:
  explicit Random(uint64_t seed, uint64_t stream = 0);
  uint64_t bits();
  double   uniform(); /* in [0, 1) */
  double   uniform(double lo, double hi)
  {
    return lo + (hi - lo) * uniform();
  }
  int    integer(int lo, int hi); /* lo, ..., hi */
  double normal();                /* nearly: a sum of twelve uniform numbers */

private:
  uint64_t key, count = 0;
};

/* The first seven are the classes that quality is measured on */
enum Class { BOX, POOL, SMOKE, DAM, BALL, WAVY, SPLASH, HILL, NCLASSES };
enum { NMEASURED = HILL };

extern const char *const ClassNames[NCLASSES];

/* Of the first scene of each class that quality is measured on; those that are trained on have other numbers */
static const uint64_t TestSeed = 1000000007;

struct Options {
  double bubbles = 0.0;   /* share of the fluid cells that become air, each by itself */
  bool   margins = false; /* layers of solid or of air around the scene */
};

struct Scene {
  int                        dim = 0, n[3] = {1, 1, 1}; /* axis 0 runs fastest; in two dimensions n[1] = 1; axis 2 points upwards */
  std::vector<unsigned char> cell;

  size_t size() const
  {
    return (size_t)n[0] * n[1] * n[2];
  }
};

/* Fluid cells with walls on all sides, whose rows of the matrix would be zero, are solid */
Scene MakeScene(int dim, const int n[3], Class kind, uint64_t seed, const Options &options = Options());
void  FillPockets(Scene &scene);

/*
  Divergences of nb velocity fields, which vanish on walls, in the fluid cells: nb numbers per cell side by side, cell after cell. Each is the sum of some
  waves, of noise and of gravity.
*/
void Divergence(const Scene &scene, uint64_t seed, int nb, double b[]);

/* sin(x), from additions and multiplications */
double Sine(double x);

} // namespace scenes
} // namespace petlap
