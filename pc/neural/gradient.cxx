/*
  The network over several right-hand sides, and its derivative: plain loops over the lists of the network, backwards.
*/
#include "pc/neural/gradient.h"
#include "mat/compat/isa.h"
#include <algorithm>
#include <cstring>

namespace petlap {
namespace neural {

extern const BatchKernels<float>  SingleBatchKernels_portable;
extern const BatchKernels<double> DoubleBatchKernels_portable;
#if defined(PETLAP_HAVE_X86)
extern const BatchKernels<float>  SingleBatchKernels_avx2, SingleBatchKernels_avx512;
extern const BatchKernels<double> DoubleBatchKernels_avx2, DoubleBatchKernels_avx512;

template <typename Kernels>
static const Kernels &Best(const Kernels &portable, const Kernels &avx2, const Kernels &avx512)
{
  const PetlapISA isa = PetlapBestISA();

  return isa == PETLAP_ISA_AVX512 ? avx512 : isa == PETLAP_ISA_AVX2 ? avx2 : portable;
}
#endif

const BatchKernels<float> &FindBatchKernels(float)
{
#if defined(PETLAP_HAVE_X86)
  return Best(SingleBatchKernels_portable, SingleBatchKernels_avx2, SingleBatchKernels_avx512);
#else
  return SingleBatchKernels_portable;
#endif
}

const BatchKernels<double> &FindBatchKernels(double)
{
#if defined(PETLAP_HAVE_X86)
  return Best(DoubleBatchKernels_portable, DoubleBatchKernels_avx2, DoubleBatchKernels_avx512);
#else
  return DoubleBatchKernels_portable;
#endif
}

/* body(first, count) for all groups of numbers of a model, in the order in which weight files and optimizers see them */
template <typename M, typename Body>
static void EachGroup(M &model, Body body)
{
  const auto convolution = [&](auto &c) {
    for (auto *v : {&c.base, &c.air, &c.solid, &c.pinned}) body(v->data(), v->size());
  };
  const auto affine = [&](auto &a) {
    body(&a.bias, (size_t)1);
    for (auto *v : {&a.air, &a.solid}) body(v->data(), v->size());
  };

  for (auto &stage : model.stage) {
    convolution(stage.pre);
    convolution(stage.post);
    affine(stage.c1);
    affine(stage.c2);
  }
  convolution(model.coarsest);
}

size_t CountNumbers(const Model &model)
{
  size_t n = 0;

  EachGroup(model, [&](const double *, size_t count) { n += count; });
  return n;
}

std::vector<double> Numbers(const Model &model)
{
  std::vector<double> v;

  EachGroup(model, [&](const double *first, size_t count) { v.insert(v.end(), first, first + count); });
  return v;
}

void SetNumbers(Model &model, const double numbers[])
{
  EachGroup(model, [&](double *first, size_t count) {
    std::copy_n(numbers, count, first);
    numbers += count;
  });
}

static size_t CountOf(const Convolution &c)
{
  return c.base.size() + c.air.size() + c.solid.size() + c.pinned.size();
}

static size_t CountOf(const Affine &a)
{
  return 1 + a.air.size() + a.solid.size();
}

template <typename Real>
Gradient<Real>::Gradient(const Network &network) : network(network), dim(network.GetPartition().dim), K(dim == 3 ? 27 : 9), nine(dim == 3), loops(FindBatchKernels(Real(0)))
{
  for (int l = 0; l < network.nlevels(); l++) level.push_back(std::unique_ptr<Resolution>(new Resolution));
  SetImage();
}

template <typename Real>
void Gradient<Real>::SetImage()
{
  for (int l = 0; l < network.nlevels(); l++) {
    const size_t room = network.GetLevel(l).layout.room * BATCH;

    for (Field<Real> *f : {&level[l]->r, &level[l]->x, &level[l]->between, &level[l]->gx, &level[l]->gr}) {
      if (f->size() == room)
        memset(f->data(), 0, room * sizeof(Real));
      else
        f->make(room);
    }
    if (masked.size() < room) masked.make(room);
  }
}

/* What one cell of a window, of one channel, adds to the entries of a kernel, which are side by side */
static std::vector<double> Columns(const Convolution &C)
{
  const size_t        K = C.base.size();
  std::vector<double> table(3 * K * K, 0.0);

  for (size_t p = 0; p < K; p++) {
    for (size_t q = 0; q < K; q++) {
      table[q * K + p]           = C.air[p * K + q];
      table[(K + q) * K + p]     = C.solid[p * K + q];
      table[(2 * K + q) * K + p] = C.pinned.empty() ? 0.0 : C.pinned[p * K + q];
    }
  }
  return table;
}

template <typename Real>
void Gradient<Real>::SetModel(const Model &m)
{
  model = m;
  for (int l = 0; l < network.nlevels(); l++) {
    const Level &L        = network.GetLevel(l);
    Resolution  &R        = *level[l];
    const bool   coarsest = l == network.nlevels() - 1;

    R.c1 = coarsest ? 1.0 : network.Mean(l, model.at(l).c1);
    R.c2 = coarsest ? 1.0 : network.Mean(l, model.at(l).c2);
    for (int which = 0; which < (coarsest ? 1 : 2); which++) {
      const Convolution  &C     = coarsest ? model.coarsest : which ? model.at(l).post : model.at(l).pre;
      const double        f     = which ? R.c2 : 1.0;
      std::vector<double> table = Columns(C);

      for (double &v : table) v *= f;
      R.stencil[which].resize(K);
      R.kernels[which].resize((size_t)L.nkernels * K);
      for (int p = 0; p < K; p++) R.stencil[which][p] = (Real)(f * C.base[p]);
      for (long long k = 0; k < L.nkernels; k++) {
        const float *w = L.windows.data() + (size_t)k * 3 * K;
        double       sum[27];

        for (int p = 0; p < K; p++) sum[p] = f * C.base[p];
        for (int j = 0; j < 3 * K; j++) {
          const double *column = table.data() + (size_t)j * K, share = w[j];

          if (share == 0.0) continue;
          for (int p = 0; p < K; p++) sum[p] += share * column[p];
        }
        for (int p = 0; p < K; p++) R.kernels[which][(size_t)k * K + p] = (Real)sum[p];
      }
    }
  }
}

/* body(y, z, row) for the rows with active cells */
template <typename Real>
template <typename Body>
void Gradient<Real>::Rows(int l, Body body) const
{
  const Level &L = network.GetLevel(l);

  for (int z = L.layout.lo[2]; z < L.layout.hi[2]; z++) {
    for (int y = L.layout.lo[1]; y < L.layout.hi[1]; y++) {
      const int row = L.rowOf(y, z);

      if (L.span.start[row] < L.span.start[row + 1]) body(y, z, row);
    }
  }
}

template <typename Real>
void Gradient<Real>::Around(int l, const Real *field, int y, int z, const Real *in[9]) const
{
  const Layout &Y = network.GetLevel(l).layout;

  for (int r = 0; r < K / 3; r++) in[r] = field + BATCH * (nine ? Y.at(0, y + r % 3 - 1, z + r / 3 - 1) : Y.at(0, y, z + r - 1));
}

template <typename Real>
void Gradient<Real>::Convolve(int l, int which, const Real *in, Real *out) const
{
  const Level &L = network.GetLevel(l);

  Rows(l, [&](int y, int z, int row) {
    const Real *around[9];
    Real       *to = out + BATCH * L.layout.at(0, y, z);

    Around(l, in, y, z, around);
    for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) loops.convolve[nine](L.span.item[s].x0, L.span.item[s].x1, around, level[l]->stencil[which].data(), to);
    for (int s = L.special.start[row]; s < L.special.start[row + 1]; s++) {
      loops.convolve[nine](L.special.item[s].x, L.special.item[s].x + 1, around, level[l]->kernels[which].data() + (size_t)L.special.item[s].kernel * K, to);
    }
  });
}

/* out is what g becomes under the transpose, on active cells; other cells get numbers that nobody may use */
template <typename Real>
void Gradient<Real>::Transpose(int l, int which, const Real *g, Real *out)
{
  const Level      &L = network.GetLevel(l);
  std::vector<Real> turned(level[l]->stencil[which].rbegin(), level[l]->stencil[which].rend());

  /* Ordinary cells all have the same kernel, so their part is a convolution with it turned around. Special ones hand out by themselves. */
  memcpy(masked.data(), g, L.layout.room * BATCH * sizeof(Real));
  Rows(l, [&](int y, int z, int row) {
    for (int s = L.special.start[row]; s < L.special.start[row + 1]; s++) memset(masked.data() + BATCH * L.layout.at(L.special.item[s].x, y, z), 0, BATCH * sizeof(Real));
  });
  Rows(l, [&](int y, int z, int row) {
    const Real *around[9];

    Around(l, masked.data(), y, z, around);
    for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) loops.convolve[nine](L.span.item[s].x0, L.span.item[s].x1, around, turned.data(), out + BATCH * L.layout.at(0, y, z));
  });
  Rows(l, [&](int y, int z, int row) {
    const Real *around[9];

    Around(l, out, y, z, around);
    for (int s = L.special.start[row]; s < L.special.start[row + 1]; s++) {
      const int x = L.special.item[s].x;

      loops.scatter[nine](x, level[l]->kernels[which].data() + (size_t)L.special.item[s].kernel * K, g + BATCH * L.layout.at(x, y, z), const_cast<Real *const *>(around));
    }
  });
}

/* Adds scale * dK to the derivative by the numbers of C, which made kernels that were multiplied by scale, and to dc that by scale */
template <typename Real>
void Gradient<Real>::Products(int l, int which, const Real *in, const Real *g, double scale, const Convolution &C, double derivative[], double *dc) const
{
  const Level      &L = network.GetLevel(l);
  std::vector<Real> plain((size_t)K * BATCH, Real(0)), special((size_t)L.nkernels * K * BATCH, Real(0));
  double           *base = derivative, *air = base + C.base.size(), *solid = air + C.air.size(), *pinned = solid + C.solid.size();

  (void)which;
  Rows(l, [&](int y, int z, int row) {
    const Real *around[9], *from = g + BATCH * L.layout.at(0, y, z);
    int         s = L.special.start[row];

    Around(l, in, y, z, around);
    for (int k = L.span.start[row]; k < L.span.start[row + 1]; k++) {
      /* Ordinary cells between two special ones */
      for (int x = L.span.item[k].x0; x < L.span.item[k].x1;) {
        const int next = s < L.special.start[row + 1] ? std::min(L.special.item[s].x, L.span.item[k].x1) : L.span.item[k].x1;

        if (next > x) loops.products[nine](x, next, around, from, plain.data());
        x = next;
        if (x < L.span.item[k].x1) {
          loops.products[nine](x, x + 1, around, from, special.data() + (size_t)L.special.item[s].kernel * K * BATCH);
          s++;
          x++;
        }
      }
    }
  });
  std::vector<double> table(3 * (size_t)K * K, 0.0);
  for (long long k = -1; k < L.nkernels; k++) {
    const Real *from = k < 0 ? plain.data() : special.data() + (size_t)k * K * BATCH;
    double      t[27];

    for (int p = 0; p < K; p++) {
      Real sum = 0;

      for (int b = 0; b < BATCH; b++) sum += from[p * BATCH + b];
      t[p] = (double)sum;
      base[p] += scale * t[p];
      if (dc) *dc += t[p] * C.base[p];
    }
    for (int j = 0; k >= 0 && j < 3 * K; j++) {
      const double share = L.windows[(size_t)k * 3 * K + j];

      if (share == 0.0) continue;
      for (int p = 0; p < K; p++) table[(size_t)j * K + p] += share * t[p];
    }
  }
  if (dc) {
    const std::vector<double> columns = Columns(C);

    for (size_t i = 0; i < table.size(); i++) *dc += table[i] * columns[i];
  }
  for (int p = 0; p < K; p++) {
    for (int q = 0; q < K; q++) {
      const size_t i = (size_t)p * K + q;

      air[i] += scale * table[(size_t)q * K + p];
      solid[i] += scale * table[(size_t)(K + q) * K + p];
      if (!C.pinned.empty()) pinned[i] += scale * table[(size_t)(2 * K + q) * K + p];
    }
  }
}

/* Weights with which the fine cell i takes part in the coarse cells i / 2 and its neighbour on the same side */
static int Other(int i)
{
  return (i >> 1) + (i & 1 ? 1 : -1);
}

template <typename Real>
void Gradient<Real>::Pool(int l)
{
  const Level  &C = network.GetLevel(l + 1);
  const Layout &F = network.GetLevel(l).layout, &Y = C.layout;
  const int     ny    = nine ? 2 : 1;
  const Real    share = Real(1) / (nine ? 8 : 4), *x = level[l]->x.data();
  Real         *r = level[l + 1]->r.data();

  Rows(l + 1, [&](int cy, int cz, int row) {
    for (int s = C.span.start[row]; s < C.span.start[row + 1]; s++) {
      for (int cx = C.span.item[s].x0; cx < C.span.item[s].x1; cx++) {
        Real sum[BATCH] = {};

        for (int z = 2 * cz; z < 2 * cz + 2; z++) {
          for (int y = ny * cy; y < ny * cy + ny; y++) {
            if (z < F.first[2] || z >= F.last[2] || y < F.first[1] || y >= F.last[1]) continue;
            const Real *from = x + BATCH * F.at(2 * cx, y, z);
            for (int b = 0; b < BATCH; b++) sum[b] += from[b] + from[BATCH + b];
          }
        }
        Real *to = r + BATCH * Y.at(cx, cy, cz);
        for (int b = 0; b < BATCH; b++) to[b] = share * sum[b];
      }
    }
  });
}

/* gx of the level += what gr of the coarser one becomes */
template <typename Real>
void Gradient<Real>::PoolTranspose(int l)
{
  const Level  &L     = network.GetLevel(l);
  const Layout &Y     = network.GetLevel(l + 1).layout;
  const Real    share = Real(1) / (nine ? 8 : 4), *g = level[l + 1]->gr.data();
  Real         *gx = level[l]->gx.data();

  Rows(l, [&](int y, int z, int row) {
    const Real *from = g + BATCH * Y.at(0, nine ? y >> 1 : y, z >> 1);
    Real       *to   = gx + BATCH * L.layout.at(0, y, z);

    for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
      for (int x = L.span.item[s].x0; x < L.span.item[s].x1; x++) {
        for (int b = 0; b < BATCH; b++) to[(ptrdiff_t)x * BATCH + b] += share * from[(ptrdiff_t)(x >> 1) * BATCH + b];
      }
    }
  });
}

/* between of the level, from x of the coarser one */
template <typename Real>
void Gradient<Real>::Interpolate(int l)
{
  const Level  &L       = network.GetLevel(l);
  const Layout &Y       = network.GetLevel(l + 1).layout;
  const Real   *c       = level[l + 1]->x.data();
  const bool    nearest = model.interpolation == INTERPOLATION_NEAREST;

  Rows(l, [&](int y, int z, int row) {
    Real       *to    = level[l]->between.data() + BATCH * L.layout.at(0, y, z);
    const int   rows  = nearest ? 1 : nine ? 4 : 2;
    const Real  w4[4] = {Real(0.5625), Real(0.1875), Real(0.1875), Real(0.0625)}, w2[2] = {Real(0.75), Real(0.25)}, w1[1] = {Real(1)}, *w = rows == 4 ? w4 : rows == 2 ? w2 : w1;
    const Real *from[4];

    for (int k = 0; k < rows; k++) {
      const int cz = (rows == 4 ? k / 2 : k) ? Other(z) : z >> 1, cy = !nine ? y : rows == 4 && k % 2 ? Other(y) : y >> 1;
      /* A row that the coarser level lacks is zero, and so is its first row, which lies beyond the ring */
      const bool there = cz >= Y.first[2] && cz < Y.last[2] && cy >= Y.first[1] && cy < Y.last[1];

      from[k] = c + BATCH * (there ? Y.at(0, cy, cz) : Y.at(0, Y.first[1], Y.first[2]));
    }
    for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
      for (int x = L.span.item[s].x0; x < L.span.item[s].x1; x++) {
        const ptrdiff_t a = (ptrdiff_t)(x >> 1) * BATCH, o = (ptrdiff_t)Other(x) * BATCH;
        Real            sum[BATCH] = {};

        for (int k = 0; k < rows; k++) {
          if (nearest) {
            for (int b = 0; b < BATCH; b++) sum[b] += from[k][a + b];
          } else {
            for (int b = 0; b < BATCH; b++) sum[b] += w[k] * (Real(0.75) * from[k][a + b] + Real(0.25) * from[k][o + b]);
          }
        }
        for (int b = 0; b < BATCH; b++) to[(ptrdiff_t)x * BATCH + b] = sum[b];
      }
    }
  });
}

/* gx of the coarser level, from what is in gr of this one in place of between */
template <typename Real>
void Gradient<Real>::InterpolateTranspose(int l)
{
  const Level  &L = network.GetLevel(l), &C = network.GetLevel(l + 1);
  const Layout &Y       = C.layout;
  Real         *c       = level[l + 1]->gx.data();
  const bool    nearest = model.interpolation == INTERPOLATION_NEAREST;

  memset(c, 0, Y.room * BATCH * sizeof(Real));
  Rows(l, [&](int y, int z, int row) {
    const Real *g     = level[l]->gr.data() + BATCH * L.layout.at(0, y, z);
    const int   rows  = nearest ? 1 : nine ? 4 : 2;
    const Real  w4[4] = {Real(0.5625), Real(0.1875), Real(0.1875), Real(0.0625)}, w2[2] = {Real(0.75), Real(0.25)}, w1[1] = {Real(1)}, *w = rows == 4 ? w4 : rows == 2 ? w2 : w1;

    for (int k = 0; k < rows; k++) {
      const int cz = (rows == 4 ? k / 2 : k) ? Other(z) : z >> 1, cy = !nine ? y : rows == 4 && k % 2 ? Other(y) : y >> 1;

      if (cz < Y.first[2] || cz >= Y.last[2] || cy < Y.first[1] || cy >= Y.last[1]) continue;
      Real *to = c + BATCH * Y.at(0, cy, cz);
      for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
        for (int x = L.span.item[s].x0; x < L.span.item[s].x1; x++) {
          const ptrdiff_t a = (ptrdiff_t)(x >> 1) * BATCH, o = (ptrdiff_t)Other(x) * BATCH, i = (ptrdiff_t)x * BATCH;

          if (nearest) {
            for (int b = 0; b < BATCH; b++) to[a + b] += g[i + b];
          } else {
            for (int b = 0; b < BATCH; b++) {
              to[a + b] += Real(0.75) * w[k] * g[i + b];
              to[o + b] += Real(0.25) * w[k] * g[i + b];
            }
          }
        }
      }
    }
  });
  /* Only active cells have numbers */
  std::vector<Real> keep;
  for (int z = Y.first[2]; z < Y.last[2]; z++) {
    for (int y = Y.first[1]; y < Y.last[1]; y++) {
      const int row = C.rowOf(y, z);
      Real     *to  = c + BATCH * Y.at(0, y, z);
      int       x   = Y.first[0];

      for (int s = C.span.start[row]; s <= C.span.start[row + 1]; s++) {
        const int end = s < C.span.start[row + 1] ? C.span.item[s].x0 : Y.last[0];

        if (end > x) memset(to + (ptrdiff_t)x * BATCH, 0, (size_t)(end - x) * BATCH * sizeof(Real));
        if (s < C.span.start[row + 1]) x = C.span.item[s].x1;
      }
    }
  }
}

template <typename Real>
void Gradient<Real>::Apply(const double r[], double d[])
{
  const int     last = network.nlevels() - 1;
  const Layout &Y    = network.GetLevel(0).layout;
  Real         *to   = level[0]->r.data();

  for (const Segment &s : network.segments()) {
    Real *p = to + BATCH * Y.at(s.x0, s.y, s.z);

    for (int i = 0; i < (s.x1 - s.x0) * BATCH; i++) p[i] = (Real)*r++;
  }
  for (int l = 0; l <= last; l++) {
    Convolve(l, 0, level[l]->r.data(), level[l]->x.data());
    if (l < last) Pool(l);
  }
  for (int l = last - 1; l >= 0; l--) {
    const Level &L = network.GetLevel(l);

    Interpolate(l);
    /* gx holds the output for now, and x what comes before the combination, which the derivative needs; the coarser levels are done with theirs */
    Convolve(l, 1, level[l]->between.data(), level[l]->gx.data());
    Rows(l, [&](int y, int z, int row) {
      Real *x = level[l]->x.data() + BATCH * L.layout.at(0, y, z), *g = level[l]->gx.data() + BATCH * L.layout.at(0, y, z);

      for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
        for (ptrdiff_t i = (ptrdiff_t)L.span.item[s].x0 * BATCH; i < (ptrdiff_t)L.span.item[s].x1 * BATCH; i++) {
          g[i] += (Real)level[l]->c1 * x[i];
          std::swap(g[i], x[i]);
        }
      }
    });
  }
  const Real *x = level[0]->x.data();
  for (const Segment &s : network.segments()) {
    const Real *p = x + BATCH * Y.at(s.x0, s.y, s.z);

    for (int i = 0; i < (s.x1 - s.x0) * BATCH; i++) *d++ = model.scale * (double)p[i];
  }
  /* From now on x is what it was before the combination */
  for (int l = 0; l < last; l++) {
    const Level &L = network.GetLevel(l);

    Rows(l, [&](int y, int z, int row) {
      Real *a = level[l]->x.data() + BATCH * L.layout.at(0, y, z), *g = level[l]->gx.data() + BATCH * L.layout.at(0, y, z);

      for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) memcpy(a + (ptrdiff_t)L.span.item[s].x0 * BATCH, g + (ptrdiff_t)L.span.item[s].x0 * BATCH, (size_t)(L.span.item[s].x1 - L.span.item[s].x0) * BATCH * sizeof(Real));
    });
  }
}

template <typename Real>
void Gradient<Real>::Add(const double g[], double derivative[])
{
  const int           last = network.nlevels() - 1;
  const Layout       &Y    = network.GetLevel(0).layout;
  std::vector<size_t> begin(1, 0);

  for (const Stage &s : model.stage) begin.push_back(begin.back() + CountOf(s.pre) + CountOf(s.post) + CountOf(s.c1) + CountOf(s.c2));
  const auto affine = [&](int l, const Affine &A, double dc, double *to) {
    std::vector<double> mean(2 * K);

    to[0] += dc;
    if (A.air.empty()) return;
    network.Means(l, mean.data());
    for (int q = 0; q < 2 * K; q++) to[1 + q] += dc * mean[q];
  };

  memset(level[0]->gx.data(), 0, Y.room * BATCH * sizeof(Real));
  for (const Segment &s : network.segments()) {
    Real *p = level[0]->gx.data() + BATCH * Y.at(s.x0, s.y, s.z);

    for (int i = 0; i < (s.x1 - s.x0) * BATCH; i++) p[i] = (Real)(model.scale * *g++);
  }
  for (int l = 0; l < last; l++) {
    const Level &L     = network.GetLevel(l);
    Resolution  &R     = *level[l];
    const int    set   = std::min(l, (int)model.stage.size() - 1);
    const Stage &stage = model.stage[set];
    double      *post = derivative + begin[set] + CountOf(stage.pre), *c1 = post + CountOf(stage.post), *c2 = c1 + CountOf(stage.c1), dc1 = 0.0, dc2 = 0.0;

    Products(l, 1, R.between.data(), R.gx.data(), R.c2, stage.post, post, &dc2);
    Rows(l, [&](int y, int z, int row) {
      const ptrdiff_t at = BATCH * L.layout.at(0, y, z);

      for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
        Real sum[BATCH] = {};

        for (ptrdiff_t i = at + (ptrdiff_t)L.span.item[s].x0 * BATCH; i < at + (ptrdiff_t)L.span.item[s].x1 * BATCH; i += BATCH) {
          for (int b = 0; b < BATCH; b++) sum[b] += R.gx.data()[i + b] * R.x.data()[i + b];
        }
        for (int b = 0; b < BATCH; b++) dc1 += (double)sum[b];
      }
    });
    affine(l, stage.c1, dc1, c1);
    affine(l, stage.c2, dc2, c2);
    Transpose(l, 1, R.gx.data(), R.gr.data());
    InterpolateTranspose(l);
    /* What is left of the way back is that of x before the combination */
    Rows(l, [&](int y, int z, int row) {
      Real *p = R.gx.data() + BATCH * L.layout.at(0, y, z);

      for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
        for (ptrdiff_t i = (ptrdiff_t)L.span.item[s].x0 * BATCH; i < (ptrdiff_t)L.span.item[s].x1 * BATCH; i++) p[i] *= (Real)R.c1;
      }
    });
  }
  for (int l = last; l >= 0; l--) {
    Resolution        &R   = *level[l];
    const int          set = std::min(l, (int)model.stage.size() - 1);
    const Convolution &C   = l == last ? model.coarsest : model.stage[set].pre;

    if (l < last) PoolTranspose(l);
    Products(l, 0, R.r.data(), R.gx.data(), 1.0, C, derivative + (l == last ? begin.back() : begin[set]), nullptr);
    if (l > 0) Transpose(l, 0, R.gx.data(), R.gr.data());
  }
}

template class Gradient<float>;
template class Gradient<double>;

} // namespace neural
} // namespace petlap
