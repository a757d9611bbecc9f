/*
  The network on the device against the network on the host: random images with everything next to everything, masks, levels, weights, numberings of vectors.
*/
#include "mat/compat/backend.h"
#include "mat/compat/device.h"
#include "pc/neural/network.h"
#include "pc/neural/network_cuda.h"
#include "pc/neural/weights.h"
#include "tests/unit/random_network.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>

using namespace petlap::neural;

static int failures = 0;

static void Check(bool good, const std::string &what)
{
  printf("%s - %s\n", good ? "ok" : "not ok", what.c_str());
  failures += !good;
}

static Model RandomModel(int dim, Mask mask, std::mt19937 &random)
{
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  Model                                  model;

  model.dim           = dim;
  model.mask          = mask;
  model.interpolation = random() % 4 == 0 ? INTERPOLATION_NEAREST : INTERPOLATION_LINEAR;
  model.scale         = 0.25;
  for (int s = 0; s < 1 + (int)(random() % 3); s++) {
    Stage stage;

    stage.pre     = RandomConvolution(dim, random() % 2, random() % 2, random);
    stage.post    = RandomConvolution(dim, random() % 2, random() % 2, random);
    stage.c1.bias = number(random);
    stage.c2.bias = number(random);
    model.stage.push_back(stage);
  }
  model.coarsest = RandomConvolution(dim, random() % 2, random() % 2, random);
  return model;
}

/* How cells of fluid are numbered in vectors */
enum Numbering { ALL, FLUID_ONLY, PADDED, CLOSED, NNUMBERINGS };

struct Problem {
  std::vector<ptrdiff_t> offset;
  std::vector<double>    r, scaling;
  std::vector<size_t>    other;
  std::vector<double>    inverse;
  size_t                 n = 0;
};

/* r is NaN where there is no cell of fluid, as it must not be read there */
static Problem MakeProblem(const Network &network, const int n[3], Numbering numbering, double size, std::mt19937 &random)
{
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  Problem                                p;
  ptrdiff_t                              next = 0;

  for (size_t k = 0; k < network.segments().size(); k++) {
    const Segment &s   = network.segments()[k];
    const Segment *was = k ? &network.segments()[k - 1] : nullptr;

    if (numbering == ALL)
      next = ((ptrdiff_t)s.z * n[1] + s.y) * n[0] + s.x0;
    else if (was && (was->y != s.y || was->z != s.z))
      next += numbering == PADDED ? 5 : 0;
    else if (was && numbering == CLOSED)
      next++;
    p.offset.push_back(next);
    next += s.x1 - s.x0;
  }
  p.n = numbering == ALL ? (size_t)n[0] * n[1] * n[2] : (size_t)next + 3;
  p.r.assign(p.n, NAN);
  for (size_t k = 0; k < p.offset.size(); k++) {
    for (int i = 0; i < network.segments()[k].x1 - network.segments()[k].x0; i++) p.r[p.offset[k] + i] = size * number(random);
  }
  for (size_t i = 0; i < p.n; i++) {
    if (numbering != ALL || !std::isnan(p.r[i])) continue;
    p.other.push_back(i);
    p.inverse.push_back(0.5);
    p.r[i] = (double)i;
  }
  return p;
}

#define TestCall(...)                                                \
  do {                                                               \
    const int error_ = (__VA_ARGS__);                                \
    if (error_) {                                                    \
      printf("not ok - line %d: %s\n", __LINE__, DeviceErrorText()); \
      failures++;                                                    \
      return;                                                        \
    }                                                                \
  } while (0)

static void ApplyOnDevice(NetworkDevice &device, const Problem &p, DeviceArray<double> &r, DeviceArray<double> &z, double factor, std::vector<double> &result)
{
  result.assign(p.n, -7.0);
  TestCall(DeviceError(r.Set(p.r.data(), p.n)));
  TestCall(DeviceError(z.Set(result.data(), p.n)));
  TestCall(DeviceError(cudaDeviceSynchronize()));
  TestCall(device.Apply(DeviceStream(), r.p, factor, z.p));
  TestCall(DeviceError(cudaStreamSynchronize((cudaStream_t)DeviceStream())));
  TestCall(DeviceError(cudaMemcpy(result.data(), z.p, p.n * sizeof(double), cudaMemcpyDeviceToHost)));
}

/* Largest difference over the largest result; what belongs to no cell must be as it was */
static double Compare(const Network &network, const Problem &p, const std::vector<double> &expected, const std::vector<double> &z)
{
  std::vector<char> known(p.n, 0);
  double            most = 0.0, error = 0.0;

  for (size_t k = 0; k < p.offset.size(); k++) {
    for (int i = 0; i < network.segments()[k].x1 - network.segments()[k].x0; i++) {
      const size_t at = (size_t)p.offset[k] + i;

      known[at] = 1;
      most      = std::max(most, std::abs(expected[at]));
      if (!(std::abs(z[at] - expected[at]) <= error)) error = std::abs(z[at] - expected[at]);
    }
  }
  for (size_t k = 0; k < p.other.size(); k++) {
    known[p.other[k]] = 1;
    if (z[p.other[k]] != p.r[p.other[k]] * p.inverse[k]) return 1e30;
  }
  for (size_t i = 0; i < p.n; i++) {
    if (!known[i] && z[i] != -7.0) return 1e31;
  }
  return most > 0.0 ? error / most : error;
}

static void TestEquivalent(const std::string &name, const int n[3], int dim, int levels, const Model &model, int images, std::mt19937 &random, bool full = false)
{
  Network             network(Partition::Whole(dim, n), levels, model.mask);
  NetworkDevice       device;
  DeviceArray<double> r[2], z[2];
  double              worst = 0.0;
  bool                same  = true;

  for (int image = 0; image < images; image++) {
    std::vector<unsigned char> label = full ? std::vector<unsigned char>((size_t)n[0] * n[1] * n[2], FLUID) : RandomLabels(n, random);

    network.SetImage(label.data());
    network.SetKernels(model);
    TestCall(device.SetNetwork(network));
    /* Sizes that single precision does not hold, one after the other with the same graph */
    const Numbering     numbering = (Numbering)(random() % NNUMBERINGS);
    Problem             p         = MakeProblem(network, n, numbering, 1.0, random);
    const bool          scaled    = random() % 3 == 0;
    std::vector<double> expected(p.n), first, again, in(p.n);

    p.scaling.assign(p.n, 1.0);
    for (double &v : p.scaling) v = scaled ? 1.0 + (random() % 8) / 8.0 : 1.0;
    TestCall(device.SetVectors(network, p.offset.data(), p.n, scaled ? p.scaling.data() : nullptr, p.other.size(), p.other.data(), p.inverse.data()));
    for (double size : {1e-40, 1.0, 1e150}) {
      Problem q = p;

      for (double &v : q.r) v *= size;
      for (size_t i = 0; i < p.n; i++) in[i] = q.r[i] * p.scaling[i];
      network.Apply(in.data(), p.offset.data(), 3.0 / size, expected.data());
      for (size_t i = 0; i < p.n; i++) expected[i] *= p.scaling[i];
      ApplyOnDevice(device, q, r[0], z[0], 3.0 / size, first);
      worst = std::max(worst, Compare(network, q, expected, first));
      if (size != 1.0) continue;
      ApplyOnDevice(device, q, r[1], z[1], 3.0 / size, again);
      same = same && first == again;
    }
  }
  char text[64];
  snprintf(text, sizeof(text), ", difference %.1e, %d launches", worst, device.Launches());
  Check(worst <= 3e-5 && device.Memory() > 0, name + "EquivalentToHost" + (worst <= 3e-5 ? "" : text));
  Check(same, name + ": the same bits again, with other vectors");
  for (int i = 0; i < 2; i++) {
    r[i].Free();
    z[i].Free();
  }
}

/* A device object that is used for one network after the other, new weights, vectors of the host */
static void TestReuse(std::mt19937 &random)
{
  const int           sizes[3][3] = {{33, 17, 20}, {9, 12, 10}, {40, 1, 37}};
  NetworkDevice       device;
  DeviceArray<double> r, z;
  double              worst = 0.0;

  for (int k = 0; k < 6; k++) {
    const int                 *n     = sizes[k % 3];
    const int                  dim   = n[1] > 1 ? 3 : 2;
    Model                      model = RandomModel(dim, (Mask)(k % 3), random);
    Network                    network(Partition::Whole(dim, n), 1 + k % 4, model.mask);
    std::vector<unsigned char> label = RandomLabels(n, random);

    network.SetImage(label.data());
    network.SetKernels(model);
    TestCall(device.SetNetwork(network));
    const Problem p = MakeProblem(network, n, ALL, 1.0, random);
    TestCall(device.SetVectors(network, p.offset.data(), p.n, nullptr, p.other.size(), p.other.data(), p.inverse.data()));
    for (int weights = 0; weights < 2; weights++) {
      std::vector<double> expected(p.n, 0.0), result(p.n, 0.0);

      if (weights) {
        model = RandomModel(dim, model.mask, random);
        network.SetKernels(model);
        TestCall(device.SetKernels(network));
      }
      network.Apply(p.r.data(), p.offset.data(), 2.0, expected.data());
      ApplyOnDevice(device, p, r, z, 2.0, result);
      worst = std::max(worst, Compare(network, p, expected, result));
      TestCall(device.ApplyStaged(DeviceStream(), p.n, p.r.data(), true, 2.0, result.data(), true));
      worst = std::max(worst, Compare(network, p, expected, result));
    }
  }
  Check(worst <= 3e-5, "other networks and weightsEquivalentToHost");
  r.Free();
  z.Free();
}

/* Objects that are applied once and go; one for a small network, then for a larger one; two streams, the second of which takes up what the first leaves */
static void TestLives(std::mt19937 &random)
{
  const int           sizes[2][3] = {{6, 5, 4}, {35, 18, 21}};
  NetworkDevice       grows;
  DeviceArray<double> r, z, again;
  double              worst = 0.0;

  for (int k = 0; k < 4; k++) {
    const int                 *n     = sizes[k % 2];
    const Model                model = RandomModel(3, (Mask)(k % 3), random);
    Network                    network(Partition::Whole(3, n), 2, model.mask);
    std::vector<unsigned char> label = RandomLabels(n, random);

    network.SetImage(label.data());
    network.SetKernels(model);
    const Problem       p = MakeProblem(network, n, ALL, 1.0, random);
    std::vector<double> expected(p.n, 0.0), result;

    network.Apply(p.r.data(), p.offset.data(), 2.0, expected.data());
    for (int shared = 0; shared < 2; shared++) {
      NetworkDevice  once;
      NetworkDevice &device = shared ? grows : once;

      TestCall(device.SetNetwork(network));
      TestCall(device.SetVectors(network, p.offset.data(), p.n, nullptr, p.other.size(), p.other.data(), p.inverse.data()));
      ApplyOnDevice(device, p, r, z, 2.0, result);
      worst = std::max(worst, Compare(network, p, expected, result));
    }
    if (k < 2) continue;
    /* z of the first application is r of the second */
    cudaStream_t        stream[2];
    std::vector<double> first(p.n, 0.0), second(p.n, 0.0);

    network.Apply(p.r.data(), p.offset.data(), 2.0, first.data());
    network.Apply(first.data(), p.offset.data(), 0.5, second.data());
    Problem q = p;
    for (size_t i = 0; i < p.other.size(); i++) q.r[p.other[i]] = p.r[p.other[i]] * p.inverse[i];
    for (cudaStream_t &s : stream) TestCall(DeviceError(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking)));
    result.assign(p.n, -7.0);
    TestCall(DeviceError(r.Set(p.r.data(), p.n)));
    TestCall(DeviceError(z.Set(result.data(), p.n)));
    TestCall(DeviceError(again.Set(result.data(), p.n)));
    TestCall(grows.Apply(stream[0], r.p, 2.0, z.p));
    TestCall(grows.Apply(stream[1], z.p, 0.5, again.p));
    TestCall(DeviceError(cudaStreamSynchronize(stream[1])));
    TestCall(DeviceError(cudaMemcpy(result.data(), again.p, p.n * sizeof(double), cudaMemcpyDeviceToHost)));
    for (cudaStream_t s : stream) TestCall(DeviceError(cudaStreamDestroy(s)));
    worst = std::max(worst, Compare(network, q, second, result));
  }
  Check(worst <= 3e-5, "objects of one application, of growing networks, of two streamsEquivalentToHost");
  r.Free();
  z.Free();
  again.Free();
}

/* Zeros, infinities and NaN end the same way; numbers that go backwards are refused */
static void TestEdges(std::mt19937 &random)
{
  const int           n[3]  = {20, 11, 13};
  const Model         model = AnalyticModel(3);
  Network             network(Partition::Whole(3, n), 3, MASK_DILATED);
  NetworkDevice       device;
  DeviceArray<double> r, z;
  std::vector<double> result;

  network.SetImage(std::vector<unsigned char>((size_t)n[0] * n[1] * n[2], FLUID).data());
  network.SetKernels(model);
  TestCall(device.SetNetwork(network));
  Problem p = MakeProblem(network, n, ALL, 0.0, random);
  TestCall(device.SetVectors(network, p.offset.data(), p.n, nullptr, 0, nullptr, nullptr));
  ApplyOnDevice(device, p, r, z, 1.0, result);
  Check(std::all_of(result.begin(), result.end(), [](double v) { return v == 0.0; }), "zero gives zero");
  for (double wrong : {(double)NAN, HUGE_VAL}) {
    p.r[500] = wrong;
    ApplyOnDevice(device, p, r, z, 1.0, result);
    Check(!std::isfinite(result[500]), "what is no number stays none");
    p.r[500] = 1.0;
    ApplyOnDevice(device, p, r, z, 1.0, result);
    Check(std::all_of(result.begin(), result.end(), [](double v) { return std::isfinite(v); }), "and is gone the next time");
  }
  std::vector<unsigned char> label((size_t)n[0] * n[1] * n[2], FLUID);
  label[5] = SOLID;
  network.SetImage(label.data());
  network.SetKernels(model);
  TestCall(device.SetNetwork(network));
  p           = MakeProblem(network, n, ALL, 1.0, random);
  p.offset[1] = 0;
  Check(device.SetVectors(network, p.offset.data(), p.n, nullptr, 0, nullptr, nullptr) != 0, "numbers that go backwards are refused");
  network.SetImage(std::vector<unsigned char>((size_t)n[0] * n[1] * n[2], SOLID).data());
  network.SetKernels(model);
  TestCall(device.SetNetwork(network));
  TestCall(device.SetVectors(network, nullptr, p.n, nullptr, 0, nullptr, nullptr));
  ApplyOnDevice(device, p, r, z, 1.0, result);
  Check(result[0] == -7.0, "nothing but walls");
  r.Free();
  z.Free();
}

int main(int argc, char **argv)
{
  const char  *reason;
  std::mt19937 random(5);

  /* A PETSc with CUDA chooses the device and the stream, and does so when it is initialized */
  if (PetscInitialize(&argc, &argv, nullptr, nullptr)) return 1;
  if (!DeviceFind(0, &reason)) {
    printf("ok - # SKIP %s\n", reason);
    return PetscFinalize() || !reason[0] ? 1 : 77;
  }
  const int sizes[][3] = {{5, 7, 9}, {33, 17, 65}, {1, 1, 1}, {2, 3, 1}, {40, 9, 30}, {7, 1, 5}, {65, 1, 33}, {100, 1, 130}, {1, 1, 50}};
  for (const auto &n : sizes) {
    const int dim = n[1] == 1 && n[0] != 1 ? 2 : 3;

    for (int mask = 0; mask < 3; mask++) {
      for (int levels : {1, 2, 4}) {
        if (n[0] > 30 && dim == 3 && levels == 2) continue;
        const std::string name = std::to_string(n[0]) + "x" + std::to_string(n[1]) + "x" + std::to_string(n[2]) + " mask " + std::to_string(mask) + " levels " + std::to_string(levels) + " ";

        TestEquivalent(name, n, dim, levels, RandomModel(dim, (Mask)mask, random), n[0] > 30 && dim == 3 ? 1 : 2, random);
      }
    }
  }
  const int big[3] = {64, 64, 64}, wide[3] = {257, 1, 90}, empty[3] = {70, 12, 12};
  TestEquivalent("64x64x64 analytic ", big, 3, DefaultLevels(3, big), AnalyticModel(3), 1, random);
  TestEquivalent("257x90 analytic ", wide, 2, DefaultLevels(2, wide), AnalyticModel(2), 1, random);
  TestEquivalent("70x12x12 of fluid ", empty, 3, DefaultLevels(3, empty), AnalyticModel(3), 1, random, true);
  for (int file = 1; file < argc; file++) {
    Model       model;
    std::string error;

    if (!ReadWeights(argv[file], &model, &error)) {
      Check(false, error);
      continue;
    }
    const int *n = model.dim == 3 ? sizes[4] : wide;
    TestEquivalent(std::string(argv[file]).substr(std::string(argv[file]).rfind('/') + 1) + " ", n, model.dim, model.nlevels ? model.nlevels : DefaultLevels(model.dim, n), model, 1, random);
  }
  TestLives(random);
  TestReuse(random);
  TestEdges(random);
#if defined(PETLAP_CUDA_EMULATED)
  {
    size_t available, total;

    Check(cudaMemGetInfo(&available, &total) == cudaSuccess && available == total, "all memory of the device is given back");
  }
#endif
  DeviceFinalize();
  return PetscFinalize() || failures > 0;
}
