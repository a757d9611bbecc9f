/*
  Weight files: what is written is read again, tensors in the paper's order mean the same kernels, and no damage to a file does more than an error.
*/
#include "pc/neural/gradient.h"
#include "pc/neural/weights.h"
#include <hdf5.h>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

using namespace petlap::neural;

static int bad = 0, checks = 0;

static void Expect(bool good, const char what[], const std::string &more = "")
{
  checks++;
  if (good) return;
  if (bad++ < 20) printf("%s: %s\n", what, more.c_str());
}

static Model RandomModel(int dim, int stages, bool pinned, bool affine)
{
  std::mt19937                           random(dim + 10 * stages);
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  Model                                  model = AnalyticModel(dim);
  const int                              K     = model.window();

  model.stage.resize(stages, model.stage[0]);
  for (Stage &stage : model.stage) {
    for (Convolution *c : {&stage.pre, &stage.post}) c->pinned.assign(pinned ? K * K : 0, 0.0);
    for (Affine *a : {&stage.c1, &stage.c2}) {
      a->air.assign(affine ? K : 0, 0.0);
      a->solid.assign(affine ? K : 0, 0.0);
    }
  }
  std::vector<double> numbers = Numbers(model);
  for (double &v : numbers) v = number(random);
  SetNumbers(model, numbers.data());
  model.mask          = MASK_FLUID;
  model.interpolation = INTERPOLATION_NEAREST;
  model.scale         = number(random);
  model.nlevels       = stages + 1;
  return model;
}

static std::vector<char> Bytes(const char file[])
{
  std::ifstream in(file, std::ios::binary);

  return std::vector<char>(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

static void Put(const char file[], const std::vector<char> &bytes)
{
  std::ofstream(file, std::ios::binary).write(bytes.data(), (std::streamsize)bytes.size());
}

static void PutSet(hid_t file, const std::string &name, std::vector<hsize_t> sizes, const std::vector<double> &values)
{
  const hid_t space = H5Screate_simple((int)sizes.size(), sizes.data(), nullptr), set = H5Dcreate2(file, name.c_str(), H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

  H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(set);
  H5Sclose(space);
}

static void TestPaper(int dim, const char name[])
{
  std::mt19937                           random(dim);
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  const size_t                           K = dim == 3 ? 27 : 9, copies = dim == 3 ? 1 : 9;
  const hid_t                            file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  std::vector<double>                    W, B, A, a;
  std::string                            error;
  Model                                  model;

  const auto make = [&](const std::string &block, size_t count, std::vector<double> *weight, std::vector<double> *bias) {
    std::vector<hsize_t> sizes = {count, 3};

    sizes.insert(sizes.end(), dim, 3);
    weight->resize(count * 3 * K);
    bias->resize(count);
    /* Exact in single precision */
    for (double &v : *weight) v = (float)number(random);
    for (double &v : *bias) v = (float)number(random);
    PutSet(file, block + ".weight", sizes, *weight);
    PutSet(file, block + ".bias", {count}, *bias);
  };
  std::vector<double> unused, unusedbias;
  for (const char *stage : {"0", "1"}) {
    make(std::string("pre.") + stage, K, stage[0] == '1' ? &W : &unused, stage[0] == '1' ? &B : &unusedbias);
    make(std::string("post.") + stage, K, &unused, &unusedbias);
    make(std::string("c0.") + stage, copies, stage[0] == '1' ? &A : &unused, stage[0] == '1' ? &a : &unusedbias);
    make(std::string("c1.") + stage, copies, &unused, &unusedbias);
  }
  make("l", K, &unused, &unusedbias);
  H5Fclose(file);
  const bool ok = ReadWeights(name, &model, &error);
  Expect(ok, "the paper's tensors", error);
  if (!ok) return;
  Expect(model.dim == dim && model.stage.size() == 2 && model.nlevels == 3 && model.mask == MASK_NONE && model.interpolation == (dim == 3 ? INTERPOLATION_LINEAR : INTERPOLATION_NEAREST), "the paper's network");
  for (int image = 0; image < 20; image++) {
    std::vector<double> air(K), solid(K);
    double              worst = 0.0;

    for (size_t q = 0; q < K; q++) {
      air[q]   = 0.5 + 0.5 * number(random);
      solid[q] = (1.0 - air[q]) * (0.5 + 0.5 * number(random));
    }
    for (size_t p = 0; p < K; p++) {
      const Convolution &C    = model.stage[1].pre;
      double             mine = C.base[p], theirs = B[p];

      for (size_t q = 0; q < K; q++) {
        mine += C.air[p * K + q] * air[q] + C.solid[p * K + q] * solid[q];
        theirs += W[(p * 3 + 0) * K + q] * air[q] + W[(p * 3 + 1) * K + q] * (1.0 - air[q] - solid[q]) + W[(p * 3 + 2) * K + q] * (1.0 - solid[q]);
      }
      worst = std::max(worst, std::abs(mine - theirs));
    }
    const Affine &c    = model.stage[1].c1;
    double        mine = c.bias, theirs = 0.0;
    for (size_t q = 0; q < K; q++) mine += c.air[q] * air[q] + c.solid[q] * solid[q];
    for (size_t p = 0; p < copies; p++) {
      theirs += a[p] / (double)copies;
      for (size_t q = 0; q < K; q++) theirs += (A[(p * 3 + 0) * K + q] * air[q] + A[(p * 3 + 1) * K + q] * (1.0 - air[q] - solid[q]) + A[(p * 3 + 2) * K + q] * (1.0 - solid[q])) / (double)copies;
    }
    worst = std::max(worst, std::abs(mine - theirs));
    Expect(worst < 1e-12 * (double)K * 3.0, "a kernel of the paper", std::to_string(worst));
  }
}

int main(int argc, char **argv)
{
  const char *const name = argc > 1 ? argv[1] : "weights.h5";
  std::string       error;

  MPI_Init(&argc, &argv);
  for (int dim = 2; dim <= 3; dim++) {
    for (int kind = 0; kind < 4; kind++) {
      const Model model = RandomModel(dim, 1 + kind, kind & 1, kind & 2);
      Model       read;

      Expect(WriteWeights(name, model, {{"command", "none"}, {"seed", "7"}}, &error), "writing", error);
      Expect(ReadWeights(name, &read, &error), "reading", error);
      Expect(read.dim == dim && read.stage.size() == model.stage.size() && read.mask == model.mask && read.interpolation == model.interpolation && read.scale == model.scale && read.nlevels == model.nlevels && Numbers(read) == Numbers(model),
             "what was read");
    }
    TestPaper(dim, name);
  }

  Expect(!WriteWeights("no/such/folder/weights.h5", RandomModel(2, 1, true, false), {}, &error) && error.find("folder") != std::string::npos, "an impossible name", error);
  Expect(!ReadWeights("no/such/file.h5", nullptr, &error), "a missing file", error);

  /* A damaged file gives an error or other numbers, and numbers are finite */
  const Model written = RandomModel(2, 2, true, true);
  Expect(WriteWeights(name, written, {}, &error), "writing", error);
  const std::vector<char> good = Bytes(name);
  for (size_t n = 0; n < good.size(); n += 97) {
    Model read;

    Put(name, std::vector<char>(good.begin(), good.begin() + (std::ptrdiff_t)n));
    Expect(!ReadWeights(name, &read, &error) && !error.empty() && read.dim == 0, "a file that ends early", std::to_string(n));
  }
  /* Bytes of numbers alone: libhdf5 itself breaks where its own data are damaged */
  std::mt19937        random(3);
  std::vector<size_t> numbers;
  for (double v : Numbers(written)) {
    for (size_t at = 0; at + sizeof(v) <= good.size(); at += 8) {
      if (!memcmp(&good[at], &v, sizeof(v))) numbers.push_back(at);
    }
  }
  Expect(numbers.size() >= Numbers(written).size(), "the numbers lie in the file");
  int taken = 0;
  for (int k = 0; k < 600; k++) {
    std::vector<char> damaged = good;
    Model             read;

    for (int n = 0; n < 1 + k % 8; n++) damaged[numbers[random() % numbers.size()] + (k % 2 ? 6 + random() % 2 : random() % 8)] = (char)(random() % 3 ? random() : 0xff);
    Put(name, damaged);
    error.clear();
    const bool ok = ReadWeights(name, &read, &error);
    Expect(ok || (error.find("not finite") != std::string::npos && read.dim == 0), "a damaged file", error);
    if (!ok) continue;
    taken++;
    for (double v : Numbers(read)) Expect(std::isfinite(v), "a number of a damaged file");
  }
  Expect(taken > 50 && taken < 550, "some damaged files are taken");

  /* Right datasets of a wrong shape, or numbers that are none */
  Model model               = RandomModel(2, 1, false, false);
  model.stage[0].pre.air[3] = NAN;
  Expect(WriteWeights(name, model, {}, &error), "writing", error);
  Expect(!ReadWeights(name, &model, &error) && error.find("not finite") != std::string::npos, "NaN", error);
  model.stage[0].pre.air.assign(80, 0.0);
  model.stage[0].pre.base.resize(8);
  Expect(WriteWeights(name, model, {}, &error), "writing", error);
  Expect(!ReadWeights(name, &model, &error) && error.find("shape") != std::string::npos, "a wrong shape", error);
  remove(name);
  printf("%d checks, %d failed\n", checks, bad);
  MPI_Finalize();
  return bad > 0;
}
