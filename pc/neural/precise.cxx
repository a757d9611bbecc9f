/*
  The network in double precision, forwards and backwards.
*/
#include "pc/neural/precise.h"
#include <algorithm>
#include <cstring>

namespace petlap {
namespace neural {

PreciseNetwork::PreciseNetwork(Network &network, const Model &model) : network(network), part(network.GetPartition()), dim(part.dim), K(dim == 3 ? 27 : 9)
{
  size_t longest = 0;

  for (int l = 0; l < network.nlevels(); l++) {
    const Level &L        = network.GetLevel(l);
    const bool   coarsest = l == network.nlevels() - 1;

    level.push_back(std::unique_ptr<Resolution>(new Resolution));
    Resolution  &R  = *level[l];
    const double c2 = coarsest ? 1.0 : network.Mean(l, model.at(l).c2);
    R.c1            = coarsest ? 1.0 : network.Mean(l, model.at(l).c1);
    R.r.make(L.layout.room);
    R.x.make(L.layout.room);
    if (!coarsest) R.between.make(L.layout.room);
    longest = std::max(longest, (size_t)L.layout.row);
    for (int which = 0; which < (coarsest ? 1 : 2); which++) {
      const Convolution &C = coarsest ? model.coarsest : which ? model.at(l).post : model.at(l).pre;
      const double       f = which ? c2 : 1.0;

      R.stencil[which].resize(K);
      R.kernels[which].resize((size_t)L.nkernels * K);
      for (int p = 0; p < K; p++) R.stencil[which][p] = f * C.base[p];
      for (long long k = 0; k < L.nkernels; k++) {
        const float  *w      = L.windows.data() + (size_t)k * 3 * K;
        double *const kernel = R.kernels[which].data() + (size_t)k * K;

        for (int p = 0; p < K; p++) {
          double sum = C.base[p];

          for (int q = 0; q < K; q++) {
            const size_t i = (size_t)p * K + q;

            sum += (double)w[q] * C.air[i] + (double)w[K + q] * C.solid[i];
            if (!C.pinned.empty()) sum += (double)w[2 * K + q] * C.pinned[i];
          }
          kernel[p] = f * sum;
        }
      }
    }
  }
  line.assign(longest, 0.0);
}

/* Where the cells of a window are from its own cell */
void PreciseNetwork::Offsets(const Layout &Y, ptrdiff_t offset[27]) const
{
  for (int p = 0; p < K; p++) offset[p] = (p % 3 - 1) + (dim == 3 ? (p / 3 % 3 - 1) * Y.row + (p / 9 - 1) * Y.plane : (p / 3 - 1) * Y.plane);
}

/* body(y, z, row) for rows with active cells: the own ones, or also those of the layers around */
template <typename Body>
void PreciseNetwork::Rows(const Level &L, bool layers, Body body) const
{
  const Layout &Y = L.layout;

  for (int z = layers ? Y.first[2] : Y.lo[2]; z < (layers ? Y.last[2] : Y.hi[2]); z++) {
    for (int y = layers ? Y.first[1] : Y.lo[1]; y < (layers ? Y.last[1] : Y.hi[1]); y++) {
      const int row = L.rowOf(y, z);

      if (L.span.count(row)) body(y, z, row);
    }
  }
}

void PreciseNetwork::Convolve(int l, int which, const double *in, double *out) const
{
  const Level      &L = network.GetLevel(l);
  const Resolution &R = *level[l];
  ptrdiff_t         offset[27];

  Offsets(L.layout, offset);
  Rows(L, false, [&](int y, int z, int row) {
    const double *const from = in + L.layout.at(0, y, z);
    double *__restrict to    = out + L.layout.at(0, y, z);

    for (int s = L.stretch.start[row]; s < L.stretch.start[row + 1]; s++) {
      const Stretch &t = L.stretch.item[s];

      for (int x = t.x0; x < t.x1; x++) to[x] = 0.0;
      for (int p = 0; p < K; p++) {
        const double *const at    = from + offset[p];
        const double        entry = R.stencil[which][p];

        for (int x = t.x0; x < t.x1; x++) to[x] += entry * at[x];
      }
    }
    for (int s = L.special.start[row]; s < L.special.start[row + 1]; s++) {
      const double *const k = R.kernels[which].data() + (size_t)L.special.item[s].kernel * K, *const at = from + L.special.item[s].x;
      double sum = 0.0;

      for (int p = 0; p < K; p++) sum += k[p] * at[offset[p]];
      to[L.special.item[s].x] = sum;
    }
  });
}

/* Of the own cells; what they give to others is left in the layers */
void PreciseNetwork::ConvolveTranspose(int l, int which, const double *in, double *out)
{
  const Level      &L = network.GetLevel(l);
  const Resolution &R = *level[l];
  ptrdiff_t         offset[27];

  Offsets(L.layout, offset);
  memset(out, 0, L.layout.room * sizeof(double));
  Rows(L, false, [&](int y, int z, int row) {
    const double *const from = in + L.layout.at(0, y, z);
    double *const       to   = out + L.layout.at(0, y, z);
    double *__restrict usual = line.data() - L.layout.first[0];

    for (int s = L.stretch.start[row]; s < L.stretch.start[row + 1]; s++) {
      const Stretch &t = L.stretch.item[s];

      for (int x = t.x0; x < t.x1; x++) usual[x] = from[x];
    }
    for (int s = L.special.start[row]; s < L.special.start[row + 1]; s++) usual[L.special.item[s].x] = 0.0;
    for (int s = L.stretch.start[row]; s < L.stretch.start[row + 1]; s++) {
      const Stretch &t = L.stretch.item[s];

      for (int p = 0; p < K; p++) {
        double *__restrict at = to + offset[p];
        const double entry    = R.stencil[which][p];

        for (int x = t.x0; x < t.x1; x++) at[x] += entry * usual[x];
      }
    }
    for (int s = L.special.start[row]; s < L.special.start[row + 1]; s++) {
      const double *const k = R.kernels[which].data() + (size_t)L.special.item[s].kernel * K;
      const double        g = from[L.special.item[s].x];

      for (int p = 0; p < K; p++) to[L.special.item[s].x + offset[p]] += k[p] * g;
    }
  });
}

/* Zeros where nothing is active */
void PreciseNetwork::KeepActive(int l, double *field) const
{
  const Level  &L = network.GetLevel(l);
  const Layout &Y = L.layout;

  for (int z = Y.first[2]; z < Y.last[2]; z++) {
    for (int y = Y.first[1]; y < Y.last[1]; y++) {
      const int     row = L.rowOf(y, z);
      double *const f   = field + Y.at(0, y, z);
      int           x   = Y.first[0];

      for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
        std::fill(f + x, f + L.span.item[s].x0, 0.0);
        x = L.span.item[s].x1;
      }
      std::fill(f + x, f + Y.last[0], 0.0);
    }
  }
}

/* Means of cells become the input of the coarser level */
void PreciseNetwork::Pool(int l)
{
  const Level  &L = network.GetLevel(l), &C = network.GetLevel(l + 1);
  const Layout &Y        = L.layout;
  const double *x        = level[l]->x.data();
  const int     children = dim == 3 ? 8 : 4;
  int           lo[3], hi[3];

  network.Share(l + 1, lo, hi);
  for (int z = lo[2]; z < hi[2]; z++) {
    for (int y = lo[1]; y < hi[1]; y++) {
      const int     row = C.rowOf(y, z);
      double *const to  = level[l + 1]->r.data() + C.layout.at(0, y, z);

      for (int s = C.span.start[row]; s < C.span.start[row + 1]; s++) {
        for (int i = std::max(C.span.item[s].x0, lo[0]); i < std::min(C.span.item[s].x1, hi[0]); i++) {
          double sum = 0.0;

          for (int k = 0; k < children; k++) {
            const int at[3] = {2 * i + k % 2, dim == 3 ? 2 * y + k / 2 % 2 : y, 2 * z + (dim == 3 ? k / 4 : k / 2)};

            if (at[0] >= Y.first[0] && at[0] < Y.last[0] && at[1] >= Y.first[1] && at[1] < Y.last[1] && at[2] >= Y.first[2] && at[2] < Y.last[2]) sum += x[Y.at(at[0], at[1], at[2])];
          }
          to[i] = sum / children;
        }
      }
    }
  }
}

void PreciseNetwork::PoolTranspose(int l)
{
  const Level  &L = network.GetLevel(l), &C = network.GetLevel(l + 1);
  const double *r     = level[l + 1]->r.data();
  const double  share = dim == 3 ? 0.125 : 0.25;

  Rows(L, false, [&](int y, int z, int row) {
    double *const       x    = level[l]->x.data() + L.layout.at(0, y, z);
    const double *const from = r + C.layout.at(0, dim == 3 ? y >> 1 : y, z >> 1);

    for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
      for (int i = std::max(L.span.item[s].x0, L.layout.lo[0]); i < std::min(L.span.item[s].x1, L.layout.hi[0]); i++) x[i] += share * from[i >> 1];
    }
  });
}

/* body(place, places of coarse cells, their shares, how many) for active cells, with those of the layers */
template <typename Body>
void PreciseNetwork::Interpolation(int l, Body body) const
{
  const Level  &L = network.GetLevel(l), &C = network.GetLevel(l + 1);
  const double  near = (double)network.Near(), rest = 1.0 - near;
  const Layout &W = C.layout;

  Rows(L, true, [&](int y, int z, int row) {
    const int ny = dim == 3 ? 2 : 1;
    int       cy[2], cz[2];
    double    wy[2] = {1.0, 0.0}, wz[2] = {near, rest};
    ptrdiff_t from[4];
    double    share[4];

    cy[0] = dim == 3 ? y >> 1 : y;
    cy[1] = cy[0] + (y & 1 ? 1 : -1);
    cz[0] = z >> 1;
    cz[1] = cz[0] + (z & 1 ? 1 : -1);
    if (dim == 3) {
      wy[0] = near;
      wy[1] = rest;
    }
    for (int k = 0; k < 2 * ny; k++) {
      from[k]  = W.at(0, cy[k % ny], cz[k / ny]);
      share[k] = wy[k % ny] * wz[k / ny];
    }
    for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
      for (int x = L.span.item[s].x0; x < L.span.item[s].x1; x++) {
        const int cx[2] = {x >> 1, (x >> 1) + (x & 1 ? 1 : -1)};
        ptrdiff_t place[8];
        double    weight[8];

        for (int k = 0; k < 2 * ny; k++) {
          place[2 * k]      = from[k] + cx[0];
          place[2 * k + 1]  = from[k] + cx[1];
          weight[2 * k]     = share[k] * near;
          weight[2 * k + 1] = share[k] * rest;
        }
        body(L.layout.at(x, y, z), place, weight, 4 * ny);
      }
    }
  });
}

/* body(place in the ring, place of the nearest cell within the grid): without a ring of active cells, the last ones go on behind the end of the grid */
template <typename Body>
void PreciseNetwork::Ring(int l, Body body) const
{
  const Level  &L      = network.GetLevel(l);
  const Layout &Y      = L.layout;
  const auto    inside = [&](int i, int a) { return std::min(std::max(i, 0), L.n[a] - 1); };

  if (network.GetMask() != MASK_NONE) return;
  for (int z = Y.lo[2]; z < Y.hi[2]; z++) {
    for (int y = Y.lo[1]; y < Y.hi[1]; y++) {
      const bool all = z < 0 || z >= L.n[2] || y < 0 || y >= L.n[1];

      for (int x = Y.lo[0]; x < Y.hi[0]; x++) {
        if (all || x < 0 || x >= L.n[0]) body(Y.at(x, y, z), Y.at(inside(x, 0), inside(y, 1), inside(z, 2)));
      }
    }
  }
}

/* x of the coarser level, on this one */
void PreciseNetwork::Interpolate(int l)
{
  const Level  &C       = network.GetLevel(l + 1);
  double *const coarse  = level[l + 1]->x.data();
  double *const between = level[l]->between.data();

  network.Exchange(C, C.layout, coarse);
  Ring(l + 1, [&](ptrdiff_t outside, ptrdiff_t inside) { coarse[outside] = coarse[inside]; });
  Interpolation(l, [&](ptrdiff_t at, const ptrdiff_t place[], const double weight[], int n) {
    double sum = 0.0;

    for (int k = 0; k < n; k++) sum += weight[k] * coarse[place[k]];
    between[at] = sum;
  });
}

void PreciseNetwork::InterpolateTranspose(int l)
{
  const Level  &L = network.GetLevel(l), &C = network.GetLevel(l + 1);
  double *const coarse  = level[l + 1]->x.data();
  double *const between = level[l]->between.data();

  memset(coarse, 0, C.layout.room * sizeof(double));
  Interpolation(l, [&](ptrdiff_t at, const ptrdiff_t place[], const double weight[], int n) {
    for (int k = 0; k < n; k++) coarse[place[k]] += weight[k] * between[at];
  });
  if (!C.whole)
    AddLayers(part, C.layout, coarse, send, receive);
  else if (!L.whole)
    CommunicateMPI(MPI_Allreduce(MPI_IN_PLACE, coarse, (int)C.layout.room, MPI_DOUBLE, MPI_SUM, part.comm));
  Ring(l + 1, [&](ptrdiff_t outside, ptrdiff_t inside) {
    coarse[inside] += coarse[outside];
    coarse[outside] = 0.0;
  });
  KeepActive(l + 1, coarse);
}

/* What is not written is taken to be zero */
void PreciseNetwork::Clear()
{
  for (int l = 0; l < network.nlevels(); l++) {
    memset(level[l]->r.data(), 0, network.GetLevel(l).layout.room * sizeof(double));
    memset(level[l]->x.data(), 0, network.GetLevel(l).layout.room * sizeof(double));
  }
}

void PreciseNetwork::Apply(const double r[], const ptrdiff_t offset[], double factor, double z[])
{
  const std::vector<Segment> &segment = network.segments();
  const int                   n       = network.nlevels();

  Clear();
  for (size_t s = 0; s < segment.size(); s++) {
    const Segment &S = segment[s];

    std::copy_n(r + offset[s], S.x1 - S.x0, level[0]->r.data() + network.GetLevel(0).layout.at(S.x0, S.y, S.z));
  }
  for (int l = 0; l < n; l++) {
    const Level &L = network.GetLevel(l);

    network.Gather(l, L.layout, level[l]->r.data());
    network.Exchange(L, L.layout, level[l]->r.data());
    Convolve(l, 0, level[l]->r.data(), level[l]->x.data());
    if (l + 1 < n) Pool(l);
  }
  for (int l = n - 2; l >= 0; l--) {
    const Level &L = network.GetLevel(l);
    Resolution  &R = *level[l];

    Interpolate(l);
    Convolve(l, 1, R.between.data(), R.r.data());
    Rows(L, false, [&](int y, int k, int row) {
      double *const       x = R.x.data() + L.layout.at(0, y, k);
      const double *const f = R.r.data() + L.layout.at(0, y, k);

      for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
        for (int i = std::max(L.span.item[s].x0, L.layout.lo[0]); i < std::min(L.span.item[s].x1, L.layout.hi[0]); i++) x[i] = R.c1 * x[i] + f[i];
      }
    });
  }
  for (size_t s = 0; s < segment.size(); s++) {
    const Segment      &S = segment[s];
    const double *const x = level[0]->x.data() + network.GetLevel(0).layout.at(S.x0, S.y, S.z);

    for (int i = 0; i < S.x1 - S.x0; i++) z[offset[s] + i] = factor * network.Scale() * x[i];
  }
}

/* The same from the end to the beginning, each step transposed; x and r hold what multiplies their numbers */
void PreciseNetwork::ApplyTranspose(const double r[], const ptrdiff_t offset[], double factor, double z[])
{
  const std::vector<Segment> &segment = network.segments();
  const int                   n       = network.nlevels();

  Clear();
  for (size_t s = 0; s < segment.size(); s++) {
    const Segment &S = segment[s];

    std::copy_n(r + offset[s], S.x1 - S.x0, level[0]->x.data() + network.GetLevel(0).layout.at(S.x0, S.y, S.z));
  }
  network.Gather(0, network.GetLevel(0).layout, level[0]->x.data());
  for (int l = 0; l + 1 < n; l++) {
    Resolution &R = *level[l];

    ConvolveTranspose(l, 1, R.x.data(), R.between.data());
    KeepActive(l, R.between.data());
    InterpolateTranspose(l);
    for (size_t i = 0; i < network.GetLevel(l).layout.room; i++) R.x.data()[i] *= R.c1;
  }
  for (int l = n - 1; l >= 0; l--) {
    const Level &L = network.GetLevel(l);
    Resolution  &R = *level[l];

    ConvolveTranspose(l, 0, R.x.data(), R.r.data());
    if (!L.whole) AddLayers(part, L.layout, R.r.data(), send, receive);
    KeepActive(l, R.r.data());
    if (l > 0) PoolTranspose(l - 1);
  }
  for (size_t s = 0; s < segment.size(); s++) {
    const Segment      &S = segment[s];
    const double *const f = level[0]->r.data() + network.GetLevel(0).layout.at(S.x0, S.y, S.z);

    for (int i = 0; i < S.x1 - S.x0; i++) z[offset[s] + i] = factor * network.Scale() * f[i];
  }
}

size_t PreciseNetwork::Memory() const
{
  size_t numbers = line.size();

  for (const auto &R : level) numbers += R->r.size() + R->x.size() + R->between.size() + R->kernels[0].size() + R->kernels[1].size();
  return numbers * sizeof(double) + send.size() + receive.size();
}

} // namespace neural
} // namespace petlap
