/*
  Levels, lists and kernels of the network, and its application.
*/
#include "pc/neural/network.h"
#include "mat/compat/isa.h"
#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace petlap {
namespace neural {

#if defined(PETLAP_HAVE_X86)
extern const NetworkKernels NetworkKernels_avx2, NetworkKernels_avx512;
#endif
extern const NetworkKernels NetworkKernels_portable;

const NetworkKernels &FindNetworkKernels()
{
#if defined(PETLAP_HAVE_X86)
  const PetlapISA isa = PetlapBestISA();

  if (isa == PETLAP_ISA_AVX512) return NetworkKernels_avx512;
  if (isa == PETLAP_ISA_AVX2) return NetworkKernels_avx2;
#endif
  return NetworkKernels_portable;
}

/* The largest absolute values of the input that are not scaled are between this and its reciprocal */
static const double UNSCALED = 1e15;

Model AnalyticModel(int dim)
{
  Model        model;
  const int    K  = dim == 3 ? 27 : 9;
  const double w1 = dim == 3 ? 0.13 : 0.15;
  Convolution  point, same;
  Stage        stage;

  model.dim = dim;
  for (Convolution *c : {&point, &same}) {
    c->base.assign(K, 0.0);
    c->air.assign((size_t)K * K, 0.0);
    c->solid.assign((size_t)K * K, 0.0);
  }
  /* Where the window's own cell is a wall its value is about the mean of its neighbours, and where it is air one that makes the surface between them zero */
  const int centre = K / 2, steps[3] = {1, 3, 9};
  point.base[centre] = 1.0;
  same.base[centre]  = 1.0;
  for (int a = 0; a < dim; a++) {
    for (int side = -1; side <= 1; side += 2) {
      const int p = centre + side * steps[a];

      point.base[p]                       = w1;
      point.solid[(size_t)p * K + centre] = 0.5;
      point.air[(size_t)p * K + centre]   = -1.5 * w1;
    }
  }
  stage.pre     = point;
  stage.post    = same;
  stage.c1.bias = 1.0;
  /* A coarser cell has four times the diagonal, and the product of averaging and interpolation wants half of it */
  stage.c2.bias  = 2.0;
  model.stage    = {stage};
  model.coarsest = point;
  model.scale    = 1.0 / (2 * dim);
  model.origin   = "analytic";
  return model;
}

int DefaultLevels(int dim, const int n[3])
{
  int most = 1, levels = 1;

  for (int a = 0; a < 3; a++) {
    if (Halved(dim, a)) most = std::max(most, n[a]);
  }
  for (; most > 7; most = (most + 1) / 2) levels++;
  return levels;
}

Network::Network(const Partition &partition, int nlevels, Mask mask) : part(partition), mask(mask), nine(partition.dim == 3), image(nlevels), loops(FindNetworkKernels())
{
  size_t longest = 0, row = 0, rows = 0;

  for (int l = 0; l < nlevels; l++) {
    level.push_back(std::unique_ptr<Level>(new Level));
    Level &L = *level[l];

    for (int a = 0; a < 3; a++) {
      const int step = Halved(part.dim, a) ? 1 << l : 1, whole = Halved(part.dim, a) ? 1 << (nlevels - 1) : 1;

      /* A network for all cells is one for grids that can be halved so often */
      L.n[a] = mask == MASK_NONE ? (part.n[a] + whole - 1) / whole * (whole / step) : (part.n[a] + step - 1) / step;
    }
    L.whole = part.size() == 1 || l >= part.gathered;
    int lo[3], hi[3];
    Bounds(l, lo, hi);
    L.layout.make(lo, hi, part.dim, 1);
    image[l].layout.make(lo, hi, part.dim, 2);
    if (l > 0 || part.size() > 1 || mask == MASK_NONE) L.r.make(L.layout.room);
    L.x.make(L.layout.room);
    longest = std::max(longest, (size_t)L.layout.plane);
    row     = std::max(row, (size_t)L.layout.row);
    rows    = std::max(rows, (size_t)(L.layout.last[1] - L.layout.first[1]));
  }
  ring.make(3 * (longest + 64));
  zeros.assign(row + 128, 0.0f);
  below = (int)row + 128;
  work.make(2 * (size_t)below);
  dirty.assign(3 * rows, {0, 0});
  counts.levels++;
}

void Network::BoundsOf(int l, const int place[3], int lo[3], int hi[3]) const
{
  for (int a = 0; a < 3; a++) {
    const int  shift = Halved(part.dim, a) ? l : 0;
    const bool ring  = shift > 0;

    lo[a] = place[a] == 0 ? (ring ? -1 : 0) : part.cut[a][place[a]] >> shift;
    hi[a] = place[a] == part.processes[a] - 1 ? level[l]->n[a] + (ring ? 1 : 0) : part.cut[a][place[a] + 1] >> shift;
  }
}

void Network::Bounds(int l, int lo[3], int hi[3]) const
{
  if (!level[l]->whole) return BoundsOf(l, part.place, lo, hi);
  for (int a = 0; a < 3; a++) {
    const int ring = l > 0 && Halved(part.dim, a) ? 1 : 0;

    lo[a] = -ring;
    hi[a] = level[l]->n[a] + ring;
  }
}

void Network::Share(int l, int lo[3], int hi[3]) const
{
  if (l <= part.gathered)
    BoundsOf(l, part.place, lo, hi);
  else
    Bounds(l, lo, hi);
}

template <typename T>
void Network::Exchange(const Level &L, const Layout &layout, T *field)
{
  if (!L.whole) ExchangeLayers(part, layout, field, send, receive);
}

template <typename T>
void Network::Gather(int l, const Layout &layout, T *field)
{
  if (part.size() == 1 || l != part.gathered) return;
  const int        size = part.size();
  std::vector<int> count(size), start(size + 1, 0);
  int              lo[3], hi[3], rank;
  const auto       bounds = [&](int p) {
    const int place[3] = {p % part.processes[0], p / part.processes[0] % part.processes[1], p / (part.processes[0] * part.processes[1])};

    BoundsOf(l, place, lo, hi);
  };

  CommunicateMPI(MPI_Comm_rank(part.comm, &rank));
  for (int p = 0; p < size; p++) {
    bounds(p);
    count[p]     = (int)(CellsOf(lo, hi) * sizeof(T));
    start[p + 1] = start[p] + count[p];
  }
  send.resize(std::max(send.size(), (size_t)count[rank]));
  receive.resize(std::max(receive.size(), (size_t)start[size]));
  bounds(rank);
  Pack(layout, field, lo, hi, (T *)send.data());
  CommunicateMPI(MPI_Allgatherv(send.data(), count[rank], MPI_BYTE, receive.data(), count.data(), start.data(), MPI_BYTE, part.comm));
  for (int p = 0; p < size; p++) {
    bounds(p);
    Unpack(layout, field, lo, hi, (const T *)(receive.data() + start[p]));
  }
}

template void Network::Exchange(const Level &, const Layout &, double *);
template void Network::Gather(int, const Layout &, double *);

/* The image of a level from that of the finer one */
void Network::Pooled(int l)
{
  Image       &I        = image[l];
  const Image &F        = image[l - 1];
  const Level &L        = *level[l];
  const int    children = part.dim == 3 ? 8 : 4, ny = part.dim == 3 ? 2 : 1;
  const float  share = 1.0f / children, pins = part.dim == 3 ? 0.5f : 1.0f;
  int          lo[3], hi[3];

  I.air.assign(I.layout.room, 0.0f);
  I.solid.assign(I.layout.room, 1.0f);
  I.pinned.assign(I.layout.room, 0.0f);
  Share(l, lo, hi);
  for (int a = 0; a < 3; a++) {
    lo[a] = std::max(lo[a], 0);
    hi[a] = std::min(hi[a], L.n[a]);
  }
  for (int z = lo[2]; z < hi[2]; z++) {
    for (int y = lo[1]; y < hi[1]; y++) {
      const ptrdiff_t to = I.layout.at(0, y, z);
      ptrdiff_t       from[4];

      for (int k = 0; k < children / 2; k++) from[k] = F.layout.at(0, ny * y + k % ny, 2 * z + k / ny);
      if (l == 1) {
        for (int x = lo[0]; x < hi[0]; x++) {
          int sum = 0;

          /* Each cell counts in a byte of its own: air in the lowest, then fluid, then solid */
          for (int k = 0; k < children / 2; k++) sum += (1 << (8 * F.label[from[k] + 2 * x])) + (1 << (8 * F.label[from[k] + 2 * x + 1]));
          const int air    = sum & 255;
          I.air[to + x]    = share * (float)air;
          I.solid[to + x]  = share * (float)(sum >> 16);
          I.pinned[to + x] = std::min(1.0f, pins * (float)air);
        }
      } else {
        for (int x = lo[0]; x < hi[0]; x++) {
          float air = 0.0f, solid = 0.0f, pinned = 0.0f;

          for (int k = 0; k < children / 2; k++) {
            const ptrdiff_t i = from[k] + 2 * x;

            air += F.air[i] + F.air[i + 1];
            solid += F.solid[i] + F.solid[i + 1];
            pinned += F.pinned[i] + F.pinned[i + 1];
          }
          I.air[to + x]    = share * air;
          I.solid[to + x]  = share * solid;
          I.pinned[to + x] = std::min(1.0f, pins * pinned);
        }
      }
    }
  }
  for (std::vector<float> *channel : {&I.air, &I.solid, &I.pinned}) {
    Gather(l, I.layout, channel->data());
    Exchange(L, I.layout, channel->data());
  }
}

/* some: there is fluid; other: there is something else. With whole numbers this is exact, as shares are multiples of powers of two. */
static void Contents(const Image &I, bool finest, size_t n, unsigned char *__restrict some, unsigned char *__restrict other)
{
  const unsigned char *const label = I.label.data();
  const float *const air = I.air.data(), *const solid = I.solid.data();

  if (finest) {
    for (size_t i = 0; i < n; i++) {
      some[i]  = label[i] == FLUID;
      other[i] = label[i] != FLUID;
    }
  } else {
    for (size_t i = 0; i < n; i++) {
      some[i]  = air[i] + solid[i] < 1.0f;
      other[i] = air[i] + solid[i] > 0.0f;
    }
  }
}

/* Whether there is something in the windows of cells 1, ..., n, where cells 0 and n + 1 take part */
static void Around(int n, int nrows, const unsigned char *const rows[], unsigned char *__restrict sum, unsigned char *__restrict to)
{
  for (int r = 0; r < nrows; r += 3) {
    const unsigned char *const a = rows[r], *const b = rows[r + 1], *const c = rows[r + 2];

    if (r == 0) {
      for (int i = 0; i < n + 2; i++) sum[i] = a[i] | b[i] | c[i];
    } else {
      for (int i = 0; i < n + 2; i++) sum[i] |= a[i] | b[i] | c[i];
    }
  }
  for (int i = 1; i <= n; i++) to[i] = sum[i - 1] | sum[i] | sum[i + 1];
}

/* What is left between two stretches by a few special cells is not worth a new one */
static void AddStretch(Level &L, const Stretch &s)
{
  std::vector<Stretch> &list = L.stretch.item;

  if ((int)list.size() > L.stretch.start.back() && list.back().w1 >= s.w0) {
    list.back().x1 = s.x1;
    list.back().w1 = s.w1;
  } else {
    list.push_back(s);
  }
}

/* Active cells by row, and which of them are special */
void Network::Lists(int l)
{
  Level                     &L = *level[l];
  const Image               &I = image[l];
  const Layout              &Y = L.layout, &J = I.layout;
  const int                  width    = Y.last[0] - Y.first[0];
  const bool                 solidtoo = mask == MASK_NONE, dilate = mask == MASK_DILATED && l > 0;
  std::vector<unsigned char> some(J.room), other(J.room), near(width + 2), odd(width + 2), sum(width + 2);

  Contents(I, l == 0, J.room, some.data(), other.data());
  L.span.clear();
  L.special.clear();
  L.stretch.clear();
  L.nactive     = 0;
  const int dy0 = part.dim == 3 ? -1 : 0;
  for (int z = Y.first[2]; z < Y.last[2]; z++) {
    for (int y = Y.first[1]; y < Y.last[1]; y++) {
      const bool own    = z >= Y.lo[2] && z < Y.hi[2] && y >= Y.lo[1] && y < Y.hi[1];
      const bool rim    = z < -1 || z > L.n[2] || y < -1 || y > L.n[1];
      const auto around = [&](const std::vector<unsigned char> &field, std::vector<unsigned char> &to) {
        const unsigned char *rows[9];
        int                  n = 0;

        for (int dz = -1; dz <= 1; dz++) {
          for (int dy = dy0; dy <= -dy0; dy++) rows[n++] = field.data() + J.at(Y.first[0] - 1, y + dy, z + dz);
        }
        Around(width, n, rows, sum.data(), to.data());
      };

      if (!rim) {
        const unsigned char *active = some.data() + J.at(Y.first[0] - 1, y, z);
        const bool           inside = z >= 0 && z < L.n[2] && y >= 0 && y < L.n[1];

        if (dilate) {
          around(some, near);
          active = near.data();
        } else if (solidtoo) {
          for (int i = 0; i < width + 2; i++) near[i] = inside && Y.first[0] - 1 + i >= 0 && Y.first[0] - 1 + i < L.n[0];
          active = near.data();
        }
        const int begin = std::max(Y.first[0], -1), end = std::min(Y.last[0], L.n[0] + 1);
        bool      listed = false;
        for (int x = begin; x < end; x++) {
          const int i = x - Y.first[0] + 1;

          if (!active[i]) continue;
          int last = x + 1;
          while (last < end && active[last - Y.first[0] + 1]) last++;
          L.span.item.push_back({x, last});
          if (own) {
            const int x0 = std::max(x, Y.lo[0]), x1 = std::min(last, Y.hi[0]);

            if (!listed) around(other, odd);
            listed = true;
            L.nactive += std::max(0, x1 - x0);
            for (int s = x0; s < x1;) {
              const unsigned char *from = odd.data() + (s - Y.first[0] + 1), *next = (const unsigned char *)memchr(from, 1, x1 - s);
              const int            stop = next ? s + (int)(next - from) : x1;

              if (stop > s) AddStretch(L, {s, stop, std::max(x0, s & -16), std::min(x1, (stop + 15) & -16)});
              for (s = stop; s < x1 && odd[s - Y.first[0] + 1]; s++) L.special.item.push_back({s, 0});
            }
          }
          x = last;
        }
      }
      L.span.close();
      L.special.close();
      L.stretch.close();
    }
  }
  L.nspecial = (long long)L.special.item.size();
  NumberKernels(l);
}

/* A number of which every bit depends on every bit of the other */
static uint64_t Mixed(uint64_t h)
{
  h = (h ^ (h >> 32)) * 0x9e3779b97f4a7c15ull;
  h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9ull;
  return h ^ (h >> 32);
}

static uint64_t Bits(float f)
{
  uint32_t bits;

  memcpy(&bits, &f, sizeof(bits));
  return bits;
}

/* Cells with equal windows share a kernel: there are few different windows along flat walls and surfaces. Windows are told apart by 64 bits made of their cells. */
void Network::NumberKernels(int l)
{
  Level        &L = *level[l];
  const Image  &I = image[l];
  const Layout &Y = L.layout, &J = I.layout;
  const int     K = part.dim == 3 ? 27 : 9, rows = K / 3;
  uint64_t      factor[9], last                  = 0;
  int           kernel = -1;
  /* A table with open addressing, at most half full */
  size_t                mask = 1024;
  std::vector<uint64_t> keys;
  std::vector<int>      values;

  while (mask < 2 * L.special.item.size()) mask *= 2;
  /* Most tables stay nearly empty */
  if (l == 0) mask = std::min(mask, (size_t)1 << 16);
  keys.assign(mask, 0);
  values.assign(mask, -1);
  mask--;
  for (int r = 0; r < 9; r++) factor[r] = Mixed(r + 1) | 1;
  L.windows.clear();
  L.active.clear();
  L.nkernels = 0;
  std::vector<uint64_t>      hash;
  std::vector<unsigned char> active;
  /* Of the finest level the labels tell which cells are active, unless all are that are within the grid */
  const bool told = l == 0 && this->mask != MASK_NONE;
  if (!told) {
    active.resize(J.room);
    for (int z = Y.first[2]; z < Y.last[2]; z++) {
      for (int y = Y.first[1]; y < Y.last[1]; y++) {
        const int row = L.rowOf(y, z);

        for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) memset(active.data() + J.at(L.span.item[s].x0, y, z), 1, L.span.item[s].x1 - L.span.item[s].x0);
      }
    }
    hash.resize(J.room);
    if (l == 0) {
      for (size_t i = 0; i < J.room; i++) hash[i] = Mixed(2 * I.label[i] + active[i] + 1);
    } else {
      for (size_t i = 0; i < J.room; i++) {
        /* Mostly it is as before */
        if (i > 0 && I.air[i] == I.air[i - 1] && I.solid[i] == I.solid[i - 1] && I.pinned[i] == I.pinned[i - 1] && active[i] == active[i - 1])
          hash[i] = hash[i - 1];
        else
          hash[i] = Mixed(Bits(I.air[i]) | Bits(I.solid[i]) << 32) + 3 * Mixed(2 * Bits(I.pinned[i]) + active[i]);
      }
    }
  }
  for (int z = Y.lo[2]; z < Y.hi[2]; z++) {
    for (int y = Y.lo[1]; y < Y.hi[1]; y++) {
      const int row = L.rowOf(y, z);
      ptrdiff_t at[9];

      if (L.special.start[row] == L.special.start[row + 1]) continue;
      for (int r = 0; r < rows; r++) at[r] = rows == 9 ? J.at(0, y + r % 3 - 1, z + r / 3 - 1) : J.at(0, y, z + r - 1);
      /* The cells at the same place along axis 0: labels fit into two bits each */
      const auto slice = [&](int x) {
        uint64_t sum = 0;

        if (told) {
          for (int r = 0; r < rows; r++) sum |= (uint64_t)I.label[at[r] + x] << (2 * r);
          return sum;
        }
        for (int r = 0; r < rows; r++) sum += hash[at[r] + x] * factor[r];
        return Mixed(sum);
      };
      uint64_t slices[3] = {0, 0, 0};
      int      before    = INT_MIN;

      for (int s = L.special.start[row]; s < L.special.start[row + 1]; s++) {
        const int x = L.special.item[s].x;

        if (x == before + 1) {
          slices[0] = slices[1];
          slices[1] = slices[2];
        } else {
          slices[0] = slice(x - 1);
          slices[1] = slice(x);
        }
        slices[2]          = slice(x + 1);
        before             = x;
        const uint64_t key = told ? slices[0] | slices[1] << 18 | slices[2] << 36 : slices[0] * factor[0] + slices[1] * factor[1] + slices[2] * factor[2];

        if (kernel < 0 || key != last) {
          size_t slot = Mixed(key) & mask;

          while (values[slot] >= 0 && keys[slot] != key) slot = (slot + 1) & mask;
          if (values[slot] < 0) {
            keys[slot]   = key;
            values[slot] = (int)L.nkernels++;
            L.active.push_back(0);
            for (int r = 0; r < rows; r++) {
              for (int m = 0; m < 3; m++) {
                const ptrdiff_t i = at[r] + x + m - 1;

                if (told ? I.label[i] == FLUID : active[i]) L.active.back() |= 1u << (3 * r + m);
              }
            }
            L.windows.resize((size_t)L.nkernels * 3 * K);
            float *w = L.windows.data() + (size_t)(L.nkernels - 1) * 3 * K;
            for (int r = 0; r < rows; r++) {
              for (int m = -1; m <= 1; m++, w++) {
                const ptrdiff_t i = at[r] + x + m;

                w[0]     = l == 0 ? I.label[i] == AIR : I.air[i];
                w[K]     = l == 0 ? I.label[i] == SOLID : I.solid[i];
                w[2 * K] = l == 0 ? I.label[i] == AIR : I.pinned[i];
              }
            }
            /* The finest level has many cells and began with a small table */
            if (2 * (size_t)L.nkernels > mask) {
              std::vector<uint64_t> oldkeys(2 * (mask + 1), 0);
              std::vector<int>      oldvalues(2 * (mask + 1), -1);

              std::swap(keys, oldkeys);
              std::swap(values, oldvalues);
              mask = 2 * (mask + 1) - 1;
              for (size_t i = 0; i < oldkeys.size(); i++) {
                if (oldvalues[i] < 0) continue;
                size_t to = Mixed(oldkeys[i]) & mask;
                while (values[to] >= 0) to = (to + 1) & mask;
                keys[to]   = oldkeys[i];
                values[to] = oldvalues[i];
              }
              slot = Mixed(key) & mask;
              while (keys[slot] != key || values[slot] < 0) slot = (slot + 1) & mask;
            }
          }
          kernel = values[slot];
          last   = key;
        }
        L.special.item[s].kernel = kernel;
      }
    }
  }
  Arrange(L, l < nlevels() - 1);
}

/* How special cells are worked on: together, where they have the same kernel or are read from the same cells */
void Network::Arrange(Level &L, bool risen) const
{
  /* Shorter runs are cells of their own */
  const int        SHORT = 8, width = L.layout.hi[0] - L.layout.lo[0], nrows = nine ? 2 : 1, high = nine ? BLOCK : 1;
  const Layout    &Y = L.layout;
  std::vector<int> free((size_t)width * BLOCK, -1), slot((size_t)L.nkernels * 8, -1);
  int             *kernel[BLOCK];
  /* body(first cell, number of cells) for all runs of a row */
  const auto each = [&](int row, auto body) {
    const Special *const c = L.special.at(row);
    const int            n = L.special.count(row);

    for (int s = 0, e; s < n; s = e) {
      for (e = s + 1; e < n && c[e].kernel == c[s].kernel && c[e].x == c[s].x + (e - s);) e++;
      body(c[s], e - s);
    }
  };

  for (int b = 0; b < BLOCK; b++) kernel[b] = free.data() + (ptrdiff_t)b * width - Y.lo[0];
  L.run.clear();
  L.single.clear();
  L.block.clear();
  for (int z = Y.lo[2]; z < Y.hi[2]; z++) {
    for (int y = Y.lo[1]; y < Y.hi[1]; y += high) {
      const int row = L.rowOf(y, z), n = std::min(high, Y.hi[1] - y);

      if (L.special.start[row] == L.special.start[row + n]) continue;
      for (int b = 0; b < n; b++) {
        each(row + b, [&](const Special &c, int count) {
          if (count >= SHORT)
            L.run.item.push_back({(int)((y + b) * Y.row) + c.x, count, c.kernel});
          else
            std::fill_n(kernel[b] + c.x, count, c.kernel);
        });
      }
      for (int s = L.special.start[row]; n == BLOCK && s < L.special.start[row + 1]; s++) {
        const int x = L.special.item[s].x, k = kernel[0][x];

        if (k < 0 || kernel[1][x] != k || kernel[2][x] != k || kernel[3][x] != k) continue;
        L.block.item.push_back({(int)(y * Y.row) + x, k});
        for (int b = 0; b < BLOCK; b++) kernel[b][x] = -1;
      }
      for (int b = 0; b < n; b++) {
        for (int s = L.special.start[row + b]; s < L.special.start[row + b + 1]; s++) {
          int &k = kernel[b][L.special.item[s].x];

          if (k >= 0) L.single.item.push_back({(int)((y + b) * Y.row) + L.special.item[s].x, k});
          k = -1;
        }
      }
    }
    L.run.close();
    L.single.close();
    L.block.close();
  }
  L.single.item.insert(L.single.item.end(), AHEAD, {0, 0});
  L.risen.clear();
  L.risenrun.clear();
  L.risensingle.clear();
  L.risentwo.clear();
  if (!risen) return;
  /* After interpolation the kernel of a cell also depends on where it is between the coarse ones: of the eight places most kernels have few */
  const auto raised = [&](int k, int place) {
    int &to = slot[(size_t)k * 8 + place];

    if (to < 0) {
      to = (int)L.risen.size() / 2;
      L.risen.insert(L.risen.end(), {k, place});
    }
    return to;
  };
  for (int z = Y.lo[2]; z < Y.hi[2]; z++) {
    for (int cy = nine ? Y.lo[1] >> 1 : Y.lo[1]; nrows * cy < Y.hi[1]; cy++) {
      const int begin = std::max(Y.lo[1], nrows * cy), end = std::min(Y.hi[1], nrows * (cy + 1));

      for (int y = begin; y < end; y++) {
        const int place = (nine ? 2 * (y & 1) : 0) + 4 * (z & 1), b = y - nrows * cy;

        each(L.rowOf(y, z), [&](const Special &c, int count) {
          int x = c.x;

          if (count >= SHORT) {
            if (x & 1) kernel[b][x] = raised(c.kernel, place + 1), x++;
            const int pairs = (c.x + count - x) / 2;
            L.risenrun.item.push_back({x + b * below, x >> 1, pairs, {raised(c.kernel, place), raised(c.kernel, place + 1)}});
            x += 2 * pairs;
          }
          for (; x < c.x + count; x++) kernel[b][x] = raised(c.kernel, place + (x & 1));
        });
      }
      for (int y = begin; y < end; y++) {
        const int row = L.rowOf(y, z), b = y - nrows * cy;

        for (int s = L.special.start[row]; s < L.special.start[row + 1]; s++) {
          const int x = L.special.item[s].x;
          int      &k = kernel[b][x], &other = kernel[1][x];

          if (k < 0) continue;
          if (b == 0 && other >= 0) {
            L.risentwo.item.push_back({x, x >> 1, {k, other}});
            other = -1;
          } else {
            L.risensingle.item.push_back({x + b * below, x >> 1, {k, 0}});
          }
          k = -1;
        }
      }
      L.risenrun.close();
      L.risensingle.close();
      L.risentwo.close();
    }
  }
  L.risensingle.item.insert(L.risensingle.item.end(), AHEAD, {0, 0, {0, 0}});
  L.risentwo.item.insert(L.risentwo.item.end(), AHEAD, {0, 0, {0, 0}});
}

void Network::SetImage(const unsigned char labels[])
{
  Image    &I  = image[0];
  const int nx = part.hi(0) - part.lo(0), ny = part.hi(1) - part.lo(1);

  I.label.assign(I.layout.room, SOLID);
  for (int z = part.lo(2); z < part.hi(2); z++) {
    for (int y = part.lo(1); y < part.hi(1); y++) memcpy(I.label.data() + I.layout.at(part.lo(0), y, z), labels + ((size_t)(z - part.lo(2)) * ny + (y - part.lo(1))) * nx, nx);
  }
  Gather(0, I.layout, I.label.data());
  Exchange(*level[0], I.layout, I.label.data());
  segment.clear();
  segmentptr.assign((size_t)(level[0]->layout.last[1] - level[0]->layout.first[1]) * (level[0]->layout.last[2] - level[0]->layout.first[2]) + 1, 0);
  for (int z = part.lo(2); z < part.hi(2); z++) {
    for (int y = part.lo(1); y < part.hi(1); y++) {
      const unsigned char *row = I.label.data() + I.layout.at(0, y, z);

      for (int x = part.lo(0); x < part.hi(0); x++) {
        const unsigned char *const next = (const unsigned char *)memchr(row + x, FLUID, part.hi(0) - x);

        if (!next) break;
        x        = (int)(next - row);
        int last = x + 1;
        while (last < part.hi(0) && row[last] == FLUID) last++;
        segment.push_back({x, last, y, z});
        segmentptr[level[0]->rowOf(y, z) + 1]++;
        x = last;
      }
    }
  }
  for (size_t row = 1; row < segmentptr.size(); row++) segmentptr[row] += segmentptr[row - 1];
  for (int l = 0; l < nlevels(); l++) {
    Level &L = *level[l];

    if (l > 0) Pooled(l);
    Lists(l);
    /* What is not active stays zero */
    if (L.r.size()) memset(L.r.data(), 0, L.layout.room * sizeof(float));
    memset(L.x.data(), 0, L.layout.room * sizeof(float));
  }
  counts.lists++;
}

/* Means over all cells of the grid of air and of solid in the cells of their windows */
void Network::Means(int l, double mean[]) const
{
  const Level &L = *level[l];
  const Image &I = image[l];
  const int    K = part.dim == 3 ? 27 : 9, dy0 = part.dim == 3 ? -1 : 0;
  double       total = 1.0;
  int          lo[3], hi[3];

  for (int a = 0; a < 3; a++) {
    lo[a] = std::max(L.layout.lo[a], 0);
    hi[a] = std::min(L.layout.hi[a], L.n[a]);
    total *= L.n[a];
  }
  for (int q = 0; q < K; q++) {
    const int dx = q % 3 - 1, dy = dy0 ? q / 3 % 3 - 1 : 0, dz = dy0 ? q / 9 - 1 : q / 3 - 1;
    double    air = 0.0, solid = 0.0;

    for (int z = lo[2]; z < hi[2]; z++) {
      for (int y = lo[1]; y < hi[1]; y++) {
        const ptrdiff_t i = I.layout.at(dx, y + dy, z + dz);

        for (int x = lo[0]; x < hi[0]; x++) {
          air += l == 0 ? I.label[i + x] == AIR : I.air[i + x];
          solid += l == 0 ? I.label[i + x] == SOLID : I.solid[i + x];
        }
      }
    }
    mean[q]     = air / total;
    mean[K + q] = solid / total;
  }
  if (!L.whole) CommunicateMPI(MPI_Allreduce(MPI_IN_PLACE, mean, 2 * K, MPI_DOUBLE, MPI_SUM, part.comm));
}

double Network::Mean(int l, const Affine &affine) const
{
  const int           K = part.dim == 3 ? 27 : 9;
  std::vector<double> mean(2 * K);
  double              sum = affine.bias;

  if (affine.air.empty()) return sum;
  Means(l, mean.data());
  for (int q = 0; q < K; q++) sum += affine.air[q] * mean[q] + affine.solid[q] * mean[K + q];
  return sum;
}

void Network::SetKernels(const Model &model)
{
  const int K = part.dim == 3 ? 27 : 9, room = KernelRoom(part.dim);

  /* Memory is kept while it is not far too much */
  const auto fit = [](Field<float> &field, size_t n) {
    if (field.size() < n || field.size() > 4 * (n + 1024)) field.make(n);
  };

  nearest = model.interpolation == INTERPOLATION_NEAREST;
  scale   = model.scale;
  for (int l = 0; l < nlevels(); l++) {
    Level       &L        = *level[l];
    const bool   coarsest = l == nlevels() - 1;
    const Stage *stage    = coarsest ? nullptr : &model.at(l);
    const double c2       = coarsest ? 1.0 : Mean(l, stage->c2);

    L.c1 = coarsest ? 1.0f : (float)Mean(l, stage->c1);
    for (int which = 0; which < (coarsest ? 1 : 2); which++) {
      const Convolution &C = coarsest ? model.coarsest : which ? stage->post : stage->pre;
      const double       f = which ? c2 : 1.0;
      std::vector<float> base(room, 0.0f), table((size_t)3 * K * room, 0.0f);
      const auto         place = [](int p) { return p / 3 * GROUP + p % 3; };

      L.stencil[which].resize(K);
      for (int p = 0; p < K; p++) {
        L.stencil[which][p] = base[place(p)] = (float)(f * C.base[p]);
        for (int q = 0; q < K; q++) {
          const size_t i      = (size_t)p * K + q;
          const double pinned = C.pinned.empty() ? 0.0 : C.pinned[i];

          table[(size_t)q * room + place(p)]           = (float)(f * C.air[i]);
          table[(size_t)(K + q) * room + place(p)]     = (float)(f * C.solid[i]);
          table[(size_t)(2 * K + q) * room + place(p)] = (float)(f * pinned);
        }
      }
      /* The class of an entry is the number of axes along which it is off the centre */
      std::vector<float> entries(part.dim + 1);
      bool               symmetric = true;
      for (int pass = 0; pass < 2; pass++) {
        for (int p = 0; p < K; p++) {
          const int d = (p % 3 != 1) + (p / 3 % 3 != 1) + (K == 27 && p / 9 != 1);

          if (pass == 0)
            entries[d] = L.stencil[which][p];
          else
            symmetric = symmetric && entries[d] == L.stencil[which][p];
        }
      }
      L.entries[which] = symmetric ? entries : std::vector<float>();

      if (which == 0) {
        fit(L.pre, (size_t)L.nkernels * room);
        loops.kernels[nine]((int)L.nkernels, 3 * K, L.windows.data(), base.data(), table.data(), L.pre.data());
      } else {
        const size_t       nrisen     = L.risen.size() / 2;
        const int          places[16] = {0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7};
        const unsigned     everything = ~0u;
        std::vector<float> flat((size_t)L.nkernels * room + 16);

        fit(L.post, (nrisen + 8) * room);
        loops.kernels[nine]((int)L.nkernels, 3 * K, L.windows.data(), base.data(), table.data(), flat.data());
        loops.raise[nine]((int)nrisen, L.risen.data(), L.active.data(), Near(), flat.data(), L.post.data());
        loops.raise[nine](8, places, &everything, Near(), base.data(), L.post.data() + nrisen * room);
      }
    }
  }
  counts.kernels++;
}

/* A row of a field, or zeros where there is none, or nothing active in it: reading these is no load on the memory */
static const float *RowOf(const Level &L, const float *field, int y, int z, const std::vector<float> &zeros)
{
  const Layout &Y = L.layout;

  if (y < Y.first[1] || y >= Y.last[1] || z < Y.first[2] || z >= Y.last[2] || L.span.count(L.rowOf(y, z)) == 0) return zeros.data() + 32 - Y.first[0];
  return field + Y.at(0, y, z);
}

/* Numbers that are needed soon: loops over short rows otherwise wait for the memory more than they compute */
template <typename T>
static void Prefetch(const T *from, int n)
{
  const int line = 64 / (int)sizeof(T);

  for (int i = 0; i < n; i += line) __builtin_prefetch(from + i, 1);
}

/* Own active cells of a plane before the coarser levels. planes are those of z - 1, z, z + 1, each given by its cell (0, 0), as is out. */
void Network::ConvolvePlane(const Level &L, int z, const float *const planes[3], float *out) const
{
  const Layout &Y      = L.layout;
  const int     first  = L.rowOf(0, z);
  const bool    simple = !L.entries[0].empty();
  const auto    shift  = [&](const float *at[3], ptrdiff_t by) {
    for (int d = 0; d < 3; d++) at[d] = planes[d] + by;
  };

  for (int y = Y.lo[1]; y < Y.hi[1];) {
    const int   *ptr   = L.stretch.start.data() + first + y;
    const bool   block = nine && simple && y + BLOCK <= Y.hi[1] && ptr[1] == ptr[0] + 1 && ptr[2] == ptr[0] + 2 && ptr[3] == ptr[0] + 3 && ptr[4] == ptr[0] + 4;
    const int    count = block ? BLOCK : 1;
    const float *at[3];

    for (int b = y + BLOCK; b < std::min(y + count + BLOCK, Y.hi[1]); b++) {
      for (int s = L.stretch.start[first + b]; s < L.stretch.start[first + b + 1]; s++) Prefetch(out + b * Y.row + L.stretch.item[s].w0, L.stretch.item[s].w1 - L.stretch.item[s].w0);
    }
    if (block) {
      shift(at, y * Y.row);
      loops.block(&L.stretch.item[ptr[0]], at, Y.row, L.entries[0].data(), out + y * Y.row);
    } else {
      for (int s = ptr[0]; s < ptr[1]; s++) {
        const Stretch &t = L.stretch.item[s];

        shift(at, y * Y.row + (simple ? 0 : t.x0));
        if (simple)
          loops.symmetric[nine](&t, at, Y.row, L.entries[0].data(), out + y * Y.row);
        else
          loops.convolve[nine](t.x1 - t.x0, at, Y.row, L.stencil[0].data(), out + y * Y.row + t.x0);
      }
    }
    y += count;
  }
  const int plane = z - Y.lo[2];
  if (L.run.count(plane)) loops.runs[nine](L.run.count(plane), L.run.at(plane), planes, Y.row, L.pre.data(), out);
  if (L.single.count(plane)) loops.singles[nine](L.single.count(plane), L.single.at(plane), planes, Y.row, L.pre.data(), out);
  if (L.block.count(plane)) loops.blocks(L.block.count(plane), L.block.at(plane), planes, Y.row, L.pre.data(), out);
}

/* Means of the cells of a level become the input of the coarser one */
void Network::PoolPlane(int l, int cz)
{
  Level       &L = *level[l], &C = *level[l + 1];
  const float *in[4];
  int          lo[3], hi[3];

  Share(l + 1, lo, hi);
  for (int cy = lo[1]; cy < hi[1]; cy++) {
    const int row = C.rowOf(cy, cz);

    for (int s = C.span.start[row]; s < C.span.start[row + 1]; s++) {
      const int x0 = std::max(C.span.item[s].x0, lo[0]), x1 = std::min(C.span.item[s].x1, hi[0]);

      if (x1 <= x0) continue;
      for (int k = 0; k < (nine ? 4 : 2); k++) in[k] = (nine ? RowOf(L, L.x.data(), 2 * cy + k % 2, 2 * cz + k / 2, zeros) : RowOf(L, L.x.data(), cy, 2 * cz + k, zeros)) + 2 * x0;
      loops.pool(x1 - x0, nine ? 4 : 2, in, C.r.data() + C.layout.at(x0, cy, cz));
    }
  }
}

/* Three planes that move through a level; fill(s, out) writes the span s of a row, and the rest of what was there is cleared */
template <typename Fill>
const float *Network::RingPlane(const Level &L, int z, Fill fill)
{
  const Layout &Y     = L.layout;
  const int     slot  = ((z % 3) + 3) % 3;
  float *const  plane = ring.data() + slot * (ring.size() / 3) + 16 - (Y.first[0] & -16) - Y.first[1] * Y.row;

  const auto clear = [](float *out, int x0, int x1) {
    if (x1 > x0) memset(out + x0, 0, (x1 - x0) * sizeof(float));
  };

  for (int y = Y.first[1]; y < Y.last[1]; y++) {
    const int    row = L.rowOf(y, z);
    Span        &d   = dirty[(size_t)slot * (dirty.size() / 3) + (y - Y.first[1])];
    float *const out = plane + y * Y.row;

    for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
      const Span &t = L.span.item[s];

      clear(out, d.x0, std::min(d.x1, t.x0));
      d.x0 = t.x1;
      fill(s, out);
    }
    clear(out, d.x0, d.x1);
    d = {0, 0};
    if (L.span.start[row] < L.span.start[row + 1]) d = {L.span.item[L.span.start[row]].x0, L.span.item[L.span.start[row + 1] - 1].x1};
  }
  return plane;
}

/* The ring is used by one level after the other, which leave different rows behind */
void Network::ClearRing(const Level &L)
{
  const Layout &Y = L.layout;

  for (int slot = 0; slot < 3; slot++) {
    for (int y = Y.first[1]; y < Y.last[1]; y++) {
      Span &d = dirty[(size_t)slot * (dirty.size() / 3) + (y - Y.first[1])];

      if (d.x1 > d.x0) memset(ring.data() + slot * (ring.size() / 3) + 16 - (Y.first[0] & -16) - Y.first[1] * Y.row + y * Y.row + d.x0, 0, (d.x1 - d.x0) * sizeof(float));
      d = {0, 0};
    }
  }
}

void Network::Down(int l)
{
  Level        &L = *level[l];
  const Layout &Y = L.layout;

  for (int z = Y.lo[2]; z < Y.hi[2]; z++) {
    const float *planes[3];

    for (int d = 0; d < 3; d++) planes[d] = L.r.data() + Y.at(0, 0, z + d - 1);
    ConvolvePlane(L, z, planes, L.x.data() + Y.at(0, 0, z));
  }
  if (l + 1 < nlevels()) {
    int lo[3], hi[3];

    Share(l + 1, lo, hi);
    for (int z = lo[2]; z < hi[2]; z++) PoolPlane(l, z);
  }
}

/* The finest level without a copy of the input. Returns the largest absolute value of the input. */
double Network::DownFused(const double r[], const ptrdiff_t offset[])
{
  Level        &L    = *level[0];
  const Layout &Y    = L.layout;
  double        most = 0.0;
  const auto    fill = [&](int s, float *out) {
    const double m = loops.enter(L.span.item[s].x1 - L.span.item[s].x0, unit, r + offset[s], out + L.span.item[s].x0);

    if (!(m <= most)) most = m;
  };
  const float *planes[3];

  planes[1] = RingPlane(L, Y.lo[2] - 1, fill);
  planes[2] = RingPlane(L, Y.lo[2], fill);
  for (int z = Y.lo[2]; z < Y.hi[2]; z++) {
    planes[0] = planes[1];
    planes[1] = planes[2];
    planes[2] = RingPlane(L, z + 1, fill);
    ConvolvePlane(L, z, planes, L.x.data() + Y.at(0, 0, z));
    if (nlevels() > 1 && ((z & 1) || z == Y.hi[2] - 1)) PoolPlane(0, z >> 1);
  }
  ClearRing(L);
  return most;
}

/* x = c1 x + conv(interpolated x of the coarser level); of the finest level to z */
void Network::Up(int l, const ptrdiff_t offset[], double factor, double z[])
{
  Level        &L = *level[l], &C = *level[l + 1];
  const Layout &Y = L.layout, &W = C.layout;
  const bool    simple = !L.entries[1].empty();
  const int     nrows = nine ? 2 : 1, usual = (int)L.risen.size() / 2;
  float *const first = work.data() + 32 - (Y.first[0] & -16), *const out[2] = {first, first + below};
  int group = 0;
  for (int k = Y.lo[2]; k < Y.hi[2]; k++) {
    const float *const middle = C.x.data() + W.at(0, 0, k >> 1), *const before = middle - W.plane, *const behind = middle + W.plane;

    for (int cy = nine ? Y.lo[1] >> 1 : Y.lo[1]; nrows * cy < Y.hi[1]; cy++, group++) {
      /* Fine rows within the row of coarse cells, of which one may belong to another process */
      const int          begin = std::max(Y.lo[1], nrows * cy), end = std::min(Y.hi[1], nrows * (cy + 1));
      const ptrdiff_t    to         = cy * W.row;
      const float *const ordered[3] = {before + to, middle + to, behind + to}, *const sided[3] = {ordered[k & 1 ? 2 : 0], ordered[1], ordered[k & 1 ? 0 : 2]};

      if (l == 0) {
        for (int y = end; y < std::min(end + 2, Y.hi[1]); y++) {
          const int row = L.rowOf(y, k);

          for (int s = segmentptr[row]; s < segmentptr[row + 1]; s++) {
            Prefetch(L.x.data() + Y.at(segment[s].x0, y, k), segment[s].x1 - segment[s].x0);
            Prefetch(z + offset[s], segment[s].x1 - segment[s].x0);
          }
        }
      }
      if (simple) {
        /* Both rows get numbers where one of them has ordinary cells */
        const int row = L.rowOf(begin, k), last = L.rowOf(end - 1, k);
        int       i = L.stretch.start[row], j = row == last ? 0 : L.stretch.start[last];
        const int iend = L.stretch.start[row + 1], jend = row == last ? 0 : L.stretch.start[last + 1];

        while (i < iend || j < jend) {
          int x0 = std::min(i < iend ? L.stretch.item[i].x0 : INT_MAX, j < jend ? L.stretch.item[j].x0 : INT_MAX), x1 = x0;

          while (true) {
            if (i < iend && L.stretch.item[i].x0 <= x1 + 16)
              x1 = std::max(x1, L.stretch.item[i++].x1);
            else if (j < jend && L.stretch.item[j].x0 <= x1 + 16)
              x1 = std::max(x1, L.stretch.item[j++].x1);
            else
              break;
          }
          loops.rise[nine](x0 >> 1, ((x1 - 1) >> 1) + 1, sided, W.row, Near(), L.entries[1].data(), out);
        }
      }
      for (int y = begin; y < end && !simple; y++) {
        const int row = L.rowOf(y, k), place = usual + (nine ? 2 * (y & 1) : 0) + 4 * (k & 1);

        for (int s = L.stretch.start[row]; s < L.stretch.start[row + 1]; s++) {
          const int      c   = L.stretch.item[s].x0 >> 1;
          const RisenRun all = {2 * c, c, ((L.stretch.item[s].x1 - 1) >> 1) + 1 - c, {place, place + 1}};

          loops.riseRuns[nine](1, &all, ordered, W.row, L.post.data(), out[y - nrows * cy]);
        }
      }
      if (L.risenrun.count(group)) loops.riseRuns[nine](L.risenrun.count(group), L.risenrun.at(group), ordered, W.row, L.post.data(), first);
      if (L.risensingle.count(group)) loops.riseSingles[nine](L.risensingle.count(group), L.risensingle.at(group), ordered, W.row, L.post.data(), first);
      if (L.risentwo.count(group)) loops.riseTwos(L.risentwo.count(group), L.risentwo.at(group), ordered, W.row, L.post.data(), first, below);
      for (int y = begin; y < end; y++) {
        const int    row = L.rowOf(y, k);
        float *const x = L.x.data() + Y.at(0, y, k), *const y0 = out[y - nrows * cy];

        if (L.span.start[row] == L.span.start[row + 1]) continue;
        if (l == 0) {
          for (int s = segmentptr[row]; s < segmentptr[row + 1]; s++) loops.leave(segment[s].x1 - segment[s].x0, factor, L.c1, x + segment[s].x0, y0 + segment[s].x0, z + offset[s]);
        } else {
          for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
            const int x0 = std::max(L.span.item[s].x0, Y.lo[0]), count = std::min(L.span.item[s].x1, Y.hi[0]) - x0;

            if (count > 0) loops.combine(count, L.c1, y0 + x0, x + x0);
          }
        }
      }
    }
  }
}

/* Without a ring, what is interpolated near the end of the grid is as if its last cells went on behind it */
void Network::Clamp(Level &L)
{
  const Layout &Y      = L.layout;
  float *const  x      = L.x.data();
  const auto    inside = [&](int i, int a) { return std::min(std::max(i, 0), L.n[a] - 1); };

  for (int k = Y.lo[2]; k < Y.hi[2]; k++) {
    for (int j = Y.lo[1]; j < Y.hi[1]; j++) {
      const bool all = k < 0 || k >= L.n[2] || j < 0 || j >= L.n[1];

      for (int i = Y.lo[0]; i < Y.hi[0]; i += all || i < 0 || i >= L.n[0] - 1 ? 1 : L.n[0]) {
        if (all || i < 0 || i >= L.n[0]) x[Y.at(i, j, k)] = x[Y.at(inside(i, 0), inside(j, 1), inside(k, 2))];
      }
    }
  }
}

void Network::Apply(const double r[], const ptrdiff_t offset[], double factor, double z[])
{
  const bool fused = part.size() == 1 && mask != MASK_NONE;
  double     most;

  for (int attempt = 0;; attempt++) {
    if (fused) {
      most = DownFused(r, offset);
    } else {
      Level &L = *level[0];

      most = 0.0;
      for (size_t s = 0; s < segment.size(); s++) {
        const Segment &S = segment[s];
        const double   m = loops.enter(S.x1 - S.x0, unit, r + offset[s], L.r.data() + L.layout.at(S.x0, S.y, S.z));

        if (!(m <= most)) most = m;
      }
      if (part.size() > 1) {
        /* Infinity and NaN both end up as infinity, which no scaling mends */
        if (!std::isfinite(most)) most = HUGE_VAL;
        CommunicateMPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, part.comm));
      }
    }
    const bool   usual  = most == 0.0 || !std::isfinite(most) || (most < UNSCALED && most > 1.0 / UNSCALED);
    const double wanted = usual ? 1.0 : most * unit < UNSCALED && most * unit > 1.0 / UNSCALED ? unit : std::ldexp(1.0, -std::max(-1000, std::min(1000, std::ilogb(most))));

    if (wanted == unit || attempt > 1) break;
    unit = wanted;
    counts.rescaled++;
  }
  for (int l = fused ? 1 : 0; l < nlevels(); l++) {
    Level &L = *level[l];

    Gather(l, L.layout, L.r.data());
    Exchange(L, L.layout, L.r.data());
    Down(l);
  }
  for (int l = nlevels() - 2; l >= 0; l--) {
    Level &C = *level[l + 1];

    Exchange(C, C.layout, C.x.data());
    if (mask == MASK_NONE) Clamp(C);
    Up(l, offset, factor * scale / unit, z);
  }
  /* A single level has nothing to go up from */
  if (nlevels() == 1) {
    const Level &L = *level[0];

    for (size_t s = 0; s < segment.size(); s++) {
      const Segment &S = segment[s];
      const float   *x = L.x.data() + L.layout.at(S.x0, S.y, S.z);

      for (int i = 0; i < S.x1 - S.x0; i++) z[offset[s] + i] = factor * scale / unit * (double)x[i];
    }
  }
}

double Network::Flops() const
{
  double flops = 0.0;

  for (const auto &L : level) flops += (double)L->nactive * (nine ? 2 * 2 * 27 + 10 : 2 * 2 * 9 + 8);
  return flops;
}

size_t Network::Memory() const
{
  size_t bytes = (ring.size() + work.size() + zeros.size()) * sizeof(float) + dirty.size() * sizeof(Span) + segment.size() * sizeof(Segment) + send.size() + receive.size();

  for (const auto &L : level) {
    bytes += (L->r.size() + L->x.size() + L->pre.size() + L->post.size() + L->windows.size()) * sizeof(float);
    bytes += L->span.Memory() + L->special.Memory() + L->stretch.Memory() + L->run.Memory() + L->single.Memory() + L->block.Memory();
    bytes += L->risenrun.Memory() + L->risensingle.Memory() + L->risentwo.Memory() + (L->risen.size() + L->active.size()) * sizeof(int);
  }
  for (const Image &I : image) bytes += I.label.size() + (I.air.size() + I.solid.size() + I.pinned.size()) * sizeof(float);
  return bytes;
}

} // namespace neural
} // namespace petlap
