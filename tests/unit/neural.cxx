/*
  The network against a plain implementation of Algorithm 2 that knows nothing of spans, shared kernels or processes: every cell of every level gets its kernel
  from its window, in double precision.
*/
#include "pc/neural/gradient.h"
#include "pc/neural/precise.h"
#include "tests/unit/random_network.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

using namespace petlap::neural;

/* Numbers of a level, with two layers of cells around it */
struct Plain {
  int                 n[3], around[3];
  std::vector<double> v;

  Plain(const int size[3], int dim, double value = 0.0)
  {
    size_t room = 1;

    for (int a = 0; a < 3; a++) {
      n[a]      = size[a];
      around[a] = dim == 3 || a != 1 ? 3 : 0;
      room *= n[a] + 2 * around[a];
    }
    v.assign(room, value);
  }
  double &at(int x, int y, int z)
  {
    return v[((size_t)(z + around[2]) * (n[1] + 2 * around[1]) + (y + around[1])) * (n[0] + 2 * around[0]) + (x + around[0])];
  }
};

struct PlainLevel {
  Plain air, solid, pinned, active, r, x;

  PlainLevel(const int n[3], int dim) : air(n, dim), solid(n, dim, 1.0), pinned(n, dim), active(n, dim), r(n, dim), x(n, dim) {}
};

class PlainNetwork {
public:
  PlainNetwork(const Model &model, const int size[3], int nlevels, const std::vector<unsigned char> &label) : model(model), D(model.dim), K(D == 3 ? 27 : 9)
  {
    int n[3];

    for (int a = 0; a < 3; a++) {
      const int whole = D == 3 || a != 1 ? 1 << (nlevels - 1) : 1;

      n[a] = model.mask == MASK_NONE ? (size[a] + whole - 1) / whole * whole : size[a];
    }
    for (int l = 0; l < nlevels; l++) {
      level.push_back(PlainLevel(n, D));
      PlainLevel &L = level.back();

      cells(L.air, 0, [&](int x, int y, int z) {
        if (l == 0) {
          const int c = x < size[0] && y < size[1] && z < size[2] ? (int)label[((size_t)z * size[1] + y) * size[0] + x] : (int)SOLID;

          L.air.at(x, y, z)    = c == AIR;
          L.solid.at(x, y, z)  = c == SOLID;
          L.pinned.at(x, y, z) = c == AIR;
        } else {
          L.air.at(x, y, z)    = mean(level[l - 1].air, x, y, z);
          L.solid.at(x, y, z)  = mean(level[l - 1].solid, x, y, z);
          L.pinned.at(x, y, z) = std::min(1.0, 4.0 * mean(level[l - 1].pinned, x, y, z));
        }
      });
      cells(L.air, 1, [&](int x, int y, int z) {
        bool here = false;

        if (model.mask == MASK_NONE) {
          here = inside(L.air, x, y, z);
        } else if (model.mask == MASK_FLUID || l == 0) {
          here = fluid(L, x, y, z);
        } else {
          window([&](int, int dx, int dy, int dz) { here = here || fluid(L, x + dx, y + dy, z + dz); });
        }
        L.active.at(x, y, z) = here;
      });
      for (int a = 0; a < 3; a++) n[a] = D == 3 || a != 1 ? (n[a] + 1) / 2 : 1;
    }
  }

  /* r and z of all cells, zero where there is no fluid */
  void apply(const std::vector<double> &r, std::vector<double> &z, const int size[3])
  {
    const int last = (int)level.size() - 1;

    cells(level[0].r, 0, [&](int x, int y, int zz) { level[0].r.at(x, y, zz) = x < size[0] && y < size[1] && zz < size[2] ? r[((size_t)zz * size[1] + y) * size[0] + x] : 0.0; });
    for (int l = 0; l <= last; l++) {
      PlainLevel &L = level[l];

      if (l > 0) cells(L.r, 1, [&](int x, int y, int zz) { L.r.at(x, y, zz) = L.active.at(x, y, zz) != 0.0 ? mean(level[l - 1].x, x, y, zz) : 0.0; });
      convolve(l == last ? model.coarsest : model.at(l).pre, L, L.r, L.x);
    }
    for (int l = last - 1; l >= 0; l--) {
      PlainLevel  &L = level[l], &C = level[l + 1];
      Plain        between(L.r.n, D), y(L.r.n, D);
      const double c1 = affine(model.at(l).c1, L), c2 = affine(model.at(l).c2, L);

      cells(L.r, 1, [&](int x, int yy, int zz) { between.at(x, yy, zz) = L.active.at(x, yy, zz) != 0.0 ? interpolated(C.x, x, yy, zz) : 0.0; });
      convolve(model.at(l).post, L, between, y);
      cells(L.r, 1, [&](int x, int yy, int zz) { L.x.at(x, yy, zz) = c1 * L.x.at(x, yy, zz) + c2 * y.at(x, yy, zz); });
    }
    for (int k = 0; k < size[2]; k++) {
      for (int j = 0; j < size[1]; j++) {
        for (int i = 0; i < size[0]; i++) z[((size_t)k * size[1] + j) * size[0] + i] = fluid(level[0], i, j, k) ? model.scale * level[0].x.at(i, j, k) : 0.0;
      }
    }
  }

private:
  const Model            &model;
  int                     D, K;
  std::vector<PlainLevel> level;

  static bool inside(const Plain &p, int x, int y, int z)
  {
    return x >= 0 && x < p.n[0] && y >= 0 && y < p.n[1] && z >= 0 && z < p.n[2];
  }
  bool fluid(PlainLevel &L, int x, int y, int z)
  {
    return inside(L.air, x, y, z) && L.air.at(x, y, z) + L.solid.at(x, y, z) < 1.0;
  }
  template <typename Body>
  void cells(const Plain &p, int layers, Body body)
  {
    const int ly = D == 3 ? layers : 0;

    for (int z = -layers; z < p.n[2] + layers; z++) {
      for (int y = -ly; y < p.n[1] + ly; y++) {
        for (int x = -layers; x < p.n[0] + layers; x++) body(x, y, z);
      }
    }
  }
  template <typename Body>
  void window(Body body)
  {
    for (int q = 0; q < K; q++) body(q, q % 3 - 1, D == 3 ? q / 3 % 3 - 1 : 0, D == 3 ? q / 9 - 1 : q / 3 - 1);
  }
  double mean(Plain &fine, int x, int y, int z)
  {
    double sum = 0.0;

    /* -1 has the children -2 and -1 */
    for (int c = 0; c < (D == 3 ? 8 : 4); c++) sum += fine.at(2 * x + c % 2, D == 3 ? 2 * y + c / 2 % 2 : 0, 2 * z + (D == 3 ? c / 4 : c / 2));
    return sum / (D == 3 ? 8 : 4);
  }
  double interpolated(Plain &coarse, int x, int y, int z)
  {
    double    sum   = 0.0;
    const int at[3] = {x, y, z};

    for (int c = 0; c < 8; c++) {
      double w = 1.0;
      int    p[3];

      for (int a = 0; a < 3; a++) {
        const bool other = c >> a & 1;

        p[a] = at[a];
        if (D == 2 && a == 1) {
          w *= other ? 0.0 : 1.0;
          continue;
        }
        p[a] = at[a] >> 1;
        if (model.interpolation == INTERPOLATION_NEAREST) {
          w *= other ? 0.0 : 1.0;
        } else {
          w *= other ? 0.25 : 0.75;
          if (other) p[a] += at[a] & 1 ? 1 : -1;
        }
        if (model.mask == MASK_NONE) p[a] = std::max(0, std::min(coarse.n[a] - 1, p[a]));
      }
      if (w != 0.0) sum += w * coarse.at(p[0], p[1], p[2]);
    }
    return sum;
  }
  void convolve(const Convolution &C, PlainLevel &L, Plain &in, Plain &out)
  {
    cells(L.r, 1, [&](int x, int y, int z) {
      double sum = 0.0;

      if (L.active.at(x, y, z) != 0.0) {
        window([&](int p, int px, int py, int pz) {
          double k = C.base[p];

          window([&](int q, int dx, int dy, int dz) {
            k += C.air[(size_t)p * K + q] * L.air.at(x + dx, y + dy, z + dz) + C.solid[(size_t)p * K + q] * L.solid.at(x + dx, y + dy, z + dz);
            if (!C.pinned.empty()) k += C.pinned[(size_t)p * K + q] * L.pinned.at(x + dx, y + dy, z + dz);
          });
          sum += k * in.at(x + px, y + py, z + pz);
        });
      }
      out.at(x, y, z) = sum;
    });
  }
  double affine(const Affine &A, PlainLevel &L)
  {
    double sum = 0.0, count = 0.0;

    if (A.air.empty()) return A.bias;
    cells(L.r, 0, [&](int x, int y, int z) {
      count += 1.0;
      window([&](int q, int dx, int dy, int dz) { sum += A.air[q] * L.air.at(x + dx, y + dy, z + dz) + A.solid[q] * L.solid.at(x + dx, y + dy, z + dz); });
    });
    return A.bias + sum / count;
  }
};

static int bad = 0, checks = 0;

static void Expect(bool good, const char what[], int seed, double value)
{
  checks++;
  if (good) return;
  if (bad++ < 20) printf("%s: problem %d, %g\n", what, seed, value);
}

static Affine RandomAffine(int dim, bool image, std::mt19937 &random)
{
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  Affine                                 A;

  A.bias = number(random);
  for (int q = 0; image && q < (dim == 3 ? 27 : 9); q++) {
    A.air.push_back(number(random));
    A.solid.push_back(number(random));
  }
  return A;
}

static void TestPlain(int seed)
{
  std::mt19937                           random(seed);
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  const int                              dim    = 2 + seed % 2;
  const Mask                             mask   = (Mask)(seed / 2 % 3);
  const int                              levels = 1 + random() % 4;
  int                                    n[3];
  Model                                  model;

  for (int a = 0; a < 3; a++) n[a] = dim == 2 && a == 1 ? 1 : 1 + random() % (dim == 3 ? 14 : 40);
  model.dim           = dim;
  model.mask          = mask;
  model.interpolation = random() % 4 == 0 ? INTERPOLATION_NEAREST : INTERPOLATION_LINEAR;
  model.scale         = 0.25;
  for (int s = 0; s < 1 + (int)(random() % 3); s++) {
    Stage stage;

    stage.pre  = RandomConvolution(dim, random() % 2, random() % 2, random);
    stage.post = RandomConvolution(dim, random() % 2, random() % 2, random);
    stage.c1   = RandomAffine(dim, random() % 2, random);
    stage.c2   = RandomAffine(dim, random() % 2, random);
    model.stage.push_back(stage);
  }
  model.coarsest = RandomConvolution(dim, random() % 2, random() % 2, random);

  Network                network(Partition::Whole(dim, n), levels, mask);
  const size_t           N = (size_t)n[0] * n[1] * n[2];
  std::vector<double>    r(N), expected(N), z(N);
  std::vector<ptrdiff_t> offset;
  for (int image = 0; image < 3; image++) {
    const std::vector<unsigned char> label = RandomLabels(n, random);
    PlainNetwork                     plain(model, n, levels, label);
    const double                     size = image == 2 ? 1e-40 : 1.0;
    double                           most = 0.0, error = 0.0;

    network.SetImage(label.data());
    network.SetKernels(model);
    offset.clear();
    for (const Segment &s : network.segments()) offset.push_back(((ptrdiff_t)s.z * n[1] + s.y) * n[0] + s.x0);
    for (size_t i = 0; i < N; i++) {
      r[i] = label[i] == FLUID ? number(random) : 0.0;
      z[i] = 0.0;
    }
    plain.apply(r, expected, n);
    for (double &v : r) v *= size;
    network.Apply(r.data(), offset.data(), 3.0 / size, z.data());
    for (size_t i = 0; i < N; i++) {
      most  = std::max(most, std::abs(3.0 * expected[i]));
      error = std::max(error, std::abs(3.0 * expected[i] - z[i]));
    }
    Expect(error <= 3e-5 * most, "network differs from Algorithm 2", seed, error / most);
    error = 0.0;
    PreciseNetwork precise(network, model);
    precise.Apply(r.data(), offset.data(), 3.0 / size, z.data());
    for (size_t i = 0; i < N; i++) error = std::max(error, std::abs(3.0 * expected[i] - z[i]));
    Expect(error <= 1e-12 * most, "network in double precision differs from Algorithm 2", seed, error / most);
  }
}

/* Output of the loops over several right-hand sides, and their derivative against finite differences */
template <typename Real>
static void TestGradient(int seed, double tolerance)
{
  std::mt19937                           random(seed);
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  const int                              dim = 2 + seed % 2, levels = 1 + random() % 4;
  int                                    n[3];
  Model                                  model;

  for (int a = 0; a < 3; a++) n[a] = dim == 2 && a == 1 ? 1 : 1 + random() % (dim == 3 ? 11 : 30);
  model.dim           = dim;
  model.mask          = seed / 2 % 2 ? MASK_DILATED : MASK_FLUID;
  model.interpolation = random() % 4 == 0 ? INTERPOLATION_NEAREST : INTERPOLATION_LINEAR;
  model.scale         = 0.25;
  for (int s = 0; s < 1 + (int)(random() % 2); s++) {
    Stage stage;

    stage.pre  = RandomConvolution(dim, false, random() % 2, random);
    stage.post = RandomConvolution(dim, false, random() % 2, random);
    stage.c1   = RandomAffine(dim, random() % 2, random);
    stage.c2   = RandomAffine(dim, random() % 2, random);
    model.stage.push_back(stage);
  }
  model.coarsest = RandomConvolution(dim, false, random() % 2, random);

  Network        network(Partition::Whole(dim, n), levels, model.mask);
  Gradient<Real> gradient(network);
  for (int image = 0; image < 2; image++) {
    const std::vector<unsigned char> label  = RandomLabels(n, random);
    size_t                           nfluid = 0;
    double                           most = 0.0, error = 0.0;

    network.SetImage(label.data());
    network.SetKernels(model);
    gradient.SetImage();
    gradient.SetModel(model);
    std::vector<ptrdiff_t> offset;
    for (const Segment &s : network.segments()) {
      offset.push_back((ptrdiff_t)nfluid);
      nfluid += s.x1 - s.x0;
    }
    std::vector<double> r(nfluid * BATCH), d(nfluid * BATCH), g(nfluid * BATCH), one(nfluid), z(nfluid);
    for (double &v : r) v = number(random);
    for (double &v : g) v = number(random);
    gradient.Apply(r.data(), d.data());
    const int b = random() % BATCH;
    for (size_t i = 0; i < nfluid; i++) one[i] = r[i * BATCH + b];
    network.Apply(one.data(), offset.data(), 1.0, z.data());
    for (size_t i = 0; i < nfluid; i++) {
      most  = std::max(most, std::abs(z[i]));
      error = std::max(error, std::abs(z[i] - d[i * BATCH + b]));
    }
    Expect(error <= 3e-5 * most, "several right-hand sides differ from one", seed, error / most);

    std::vector<double> numbers = Numbers(model), derivative(numbers.size(), 0.0), moved(numbers.size()), direction(numbers.size());
    gradient.Add(g.data(), derivative.data());
    const double h     = sizeof(Real) == 8 ? 1e-5 : 3e-3;
    double       along = 0.0, size = 0.0, difference = 0.0;
    for (size_t i = 0; i < numbers.size(); i++) {
      direction[i] = number(random);
      along += direction[i] * derivative[i];
      size += std::abs(direction[i] * derivative[i]);
    }
    for (int side = -1; side <= 1; side += 2) {
      Model other = model;

      for (size_t i = 0; i < numbers.size(); i++) moved[i] = numbers[i] + side * h * direction[i];
      SetNumbers(other, moved.data());
      gradient.SetModel(other);
      gradient.Apply(r.data(), d.data());
      for (size_t i = 0; i < d.size(); i++) difference += side * g[i] * d[i] / (2.0 * h);
    }
    gradient.SetModel(model);
    Expect(std::abs(difference - along) <= tolerance * size, sizeof(Real) == 8 ? "derivative" : "derivative in single precision", seed, std::abs(difference - along) / size);
  }
}

/* The network in double precision on several processes against one, and its transpose: q'P r = r'P^T q. Offsets are those of all cells of the grid. */
static void TestPrecise(Network &one, Network &many, const Model &model, const std::vector<double> &r, std::mt19937 &random, int seed)
{
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  PreciseNetwork                         precise(one, model), parts(many, model);
  const int                             *n = one.GetPartition().n;
  std::vector<double>                    expected(r.size(), 0.0), z(r.size(), 0.0), q(r.size()), g(r.size(), 0.0);
  std::vector<ptrdiff_t>                 offset;
  double                                 most = 0.0, error = 0.0, sum[3] = {0.0, 0.0, 0.0};

  const auto at = [&](const Segment &s) { return ((ptrdiff_t)s.z * n[1] + s.y) * n[0] + s.x0; };
  for (double &v : q) v = number(random);
  for (const Segment &s : one.segments()) offset.push_back(at(s));
  precise.Apply(r.data(), offset.data(), 1.0, expected.data());
  for (double v : expected) most = std::max(most, std::abs(v));
  offset.clear();
  for (const Segment &s : many.segments()) offset.push_back(at(s));
  parts.Apply(r.data(), offset.data(), 1.0, z.data());
  for (int again = 0; again < 2; again++) parts.ApplyTranspose(q.data(), offset.data(), 1.0, g.data());
  for (const Segment &s : many.segments()) {
    for (ptrdiff_t i = at(s); i < at(s) + s.x1 - s.x0; i++) {
      error = std::max(error, std::abs(expected[i] - z[i]));
      sum[0] += q[i] * z[i];
      sum[1] += r[i] * g[i];
      sum[2] += std::abs(q[i] * z[i]) + std::abs(r[i] * g[i]);
    }
  }
  Expect(error <= 1e-13 * most, "processes differ from one in double precision", seed, error / most);
  MPI_Allreduce(MPI_IN_PLACE, sum, 3, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  Expect(std::abs(sum[0] - sum[1]) <= 1e-12 * sum[2], "transpose", seed, std::abs(sum[0] - sum[1]) / sum[2]);
  parts.Apply(r.data(), offset.data(), 1.0, g.data());
  error = 0.0;
  for (const Segment &s : many.segments()) {
    for (ptrdiff_t i = at(s); i < at(s) + s.x1 - s.x0; i++) error = std::max(error, std::abs(g[i] - z[i]));
  }
  Expect(error == 0.0, "application after a transposed one", seed, error / most);
}

/* Several processes against one. All draw the same random numbers. */
static void TestRanks(int seed, int size, int rank)
{
  std::mt19937                           random(seed);
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  const int                              dim = 2 + seed % 2;
  Partition                              part;
  Model                                  model;
  int                                    n[3], axis[3] = {1, 1, 1}, left = size;

  for (int a = 0; left > 1; a = (a + 1) % 3) {
    if (dim == 2 && a == 1) continue;
    const int p = left % 2 ? left : random() % 2 ? 2 : 1;

    axis[a] *= p;
    left /= p;
  }
  for (int a = 0; a < 3; a++) n[a] = dim == 2 && a == 1 ? 1 : axis[a] + random() % (dim == 3 ? 24 : 60);
  const int levels = seed % 3 == 0 ? 1 + random() % 4 : DefaultLevels(dim, n);

  part.comm = MPI_COMM_WORLD;
  part.dim  = dim;
  for (int a = 0, r = rank; a < 3; r /= axis[a], a++) {
    part.n[a]         = n[a];
    part.processes[a] = axis[a];
    part.place[a]     = r % axis[a];
    part.cut[a]       = {0};
    for (int p = 1; p < axis[a]; p++) part.cut[a].push_back(std::min(n[a] - axis[a] + p, part.cut[a].back() + 1 + (int)(random() % (2 * n[a] / axis[a]))));
    part.cut[a].push_back(n[a]);
  }
  model.dim           = dim;
  model.mask          = (Mask)(seed / 2 % 3);
  model.interpolation = random() % 4 == 0 ? INTERPOLATION_NEAREST : INTERPOLATION_LINEAR;
  Stage stage;
  stage.pre      = RandomConvolution(dim, false, true, random);
  stage.post     = RandomConvolution(dim, false, true, random);
  stage.c1       = RandomAffine(dim, random() % 2, random);
  stage.c2       = RandomAffine(dim, random() % 2, random);
  model.stage    = {stage};
  model.coarsest = RandomConvolution(dim, false, true, random);
  if (model.mask != MASK_NONE) part.Align(levels);

  const Partition        all = Partition::Whole(dim, n);
  Network                one(all, levels, model.mask), many(part, levels, model.mask);
  const size_t           N = (size_t)n[0] * n[1] * n[2];
  std::vector<double>    r(N), expected(N, 0.0), z(N, 0.0);
  std::vector<ptrdiff_t> offset;
  for (int image = 0; image < 2; image++) {
    const std::vector<unsigned char> label = RandomLabels(n, random);
    std::vector<unsigned char>       mine;
    const double                     size_of = image ? 1e30 : 1.0;
    double                           most = 0.0, error = 0.0;

    for (double &v : r) v = size_of * number(random);
    for (int zz = part.lo(2); zz < part.hi(2); zz++) {
      for (int y = part.lo(1); y < part.hi(1); y++) {
        for (int x = part.lo(0); x < part.hi(0); x++) mine.push_back(label[((size_t)zz * n[1] + y) * n[0] + x]);
      }
    }
    mine.push_back(0);
    one.SetImage(label.data());
    many.SetImage(mine.data());
    one.SetKernels(model);
    many.SetKernels(model);
    offset.clear();
    for (const Segment &s : one.segments()) offset.push_back(((ptrdiff_t)s.z * n[1] + s.y) * n[0] + s.x0);
    one.Apply(r.data(), offset.data(), 1.0, expected.data());
    offset.clear();
    for (const Segment &s : many.segments()) offset.push_back(((ptrdiff_t)s.z * n[1] + s.y) * n[0] + s.x0);
    many.Apply(r.data(), offset.data(), 1.0, z.data());
    for (size_t i = 0; i < N; i++) most = std::max(most, label[i] == FLUID ? std::abs(expected[i]) : 0.0);
    for (const Segment &s : many.segments()) {
      for (int x = s.x0; x < s.x1; x++) {
        const size_t i = ((size_t)s.z * n[1] + s.y) * n[0] + x;

        error = std::max(error, std::abs(expected[i] - z[i]));
      }
    }
    Expect(error <= 1e-5 * most, "processes differ from one", seed, error / most);
    TestPrecise(one, many, model, r, random, seed);
  }
}

int main(int argc, char **argv)
{
  int size, rank, all;

  MPI_Init(&argc, &argv);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  for (int seed = 0; seed < 60; seed++) TestRanks(seed, size, rank);
  for (int seed = 0; size == 1 && seed < 240; seed++) TestPlain(seed);
  for (int seed = 0; size == 1 && seed < 80; seed++) {
    TestGradient<double>(seed, 1e-6);
    TestGradient<float>(seed, 1e-2);
  }
  MPI_Allreduce(&bad, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  if (rank == 0) printf("%d checks, %d failed\n", checks, all);
  MPI_Finalize();
  return all > 0;
}
