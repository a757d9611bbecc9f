/*
  Boxes of cells and what processes tell each other of them.
*/
#include "pc/neural/partition.h"
#include <algorithm>
#include <cstring>

namespace petlap {
namespace neural {

Partition Partition::Whole(int dim, const int n[3])
{
  Partition p;

  p.dim = dim;
  for (int a = 0; a < 3; a++) {
    p.n[a]   = n[a];
    p.cut[a] = {0, n[a]};
  }
  return p;
}

void Partition::Align(int nlevels)
{
  gathered = 0;
  if (size() == 1) return;
  for (int g = nlevels - 1; g > 0; g--) {
    std::vector<int> moved[3];
    bool             fits = true;

    for (int a = 0; a < 3; a++) {
      const int step = Halved(dim, a) ? 1 << g : 1;

      moved[a] = cut[a];
      for (int p = 1; p < processes[a]; p++) moved[a][p] = (cut[a][p] + step / 2) / step * step;
      for (int p = 0; p < processes[a]; p++) fits = fits && moved[a][p + 1] - moved[a][p] >= step;
    }
    if (!fits) continue;
    gathered = g;
    for (int a = 0; a < 3; a++) cut[a] = moved[a];
    return;
  }
}

void Layout::make(const int l[3], const int h[3], int dim, int layers)
{
  for (int a = 0; a < 3; a++) {
    const int around = Halved(dim, a) ? layers : 0;

    lo[a]    = l[a];
    hi[a]    = h[a];
    first[a] = l[a] - around;
    last[a]  = h[a] + around;
  }
  /* What is between two rows stays zero. Cells 0 are at multiples of 16, also where rows begin at others. */
  row    = ((ptrdiff_t)(last[0] - first[0]) + 4 + 15) / 16 * 16;
  plane  = row * (last[1] - first[1]);
  origin = -((first[0] & -16) + first[1] * row + first[2] * plane);
  room   = (size_t)(plane * (last[2] - first[2])) + 16;
}

/* Copies a box of cells into a buffer or out of it */
template <typename T>
void Pack(const Layout &layout, const T *field, const int lo[3], const int hi[3], T *buffer)
{
  for (int z = lo[2]; z < hi[2]; z++) {
    for (int y = lo[1]; y < hi[1]; y++, buffer += hi[0] - lo[0]) memcpy(buffer, field + layout.at(lo[0], y, z), (hi[0] - lo[0]) * sizeof(T));
  }
}

template <typename T>
void Unpack(const Layout &layout, T *field, const int lo[3], const int hi[3], const T *buffer)
{
  for (int z = lo[2]; z < hi[2]; z++) {
    for (int y = lo[1]; y < hi[1]; y++, buffer += hi[0] - lo[0]) memcpy(field + layout.at(lo[0], y, z), buffer, (hi[0] - lo[0]) * sizeof(T));
  }
}

template <typename T>
void ExchangeLayers(const Partition &part, const Layout &layout, T *field, std::vector<char> &send, std::vector<char> &receive)
{
  int rank, lo[3], hi[3], stride = 1;

  CommunicateMPI(MPI_Comm_rank(part.comm, &rank));
  for (int a = 0; a < 3; a++) {
    lo[a] = layout.lo[a];
    hi[a] = layout.hi[a];
  }
  for (int a = 0; a < 3; stride *= part.processes[a], a++) {
    const int  layers = layout.lo[a] - layout.first[a], below = part.place[a] > 0 ? rank - stride : MPI_PROC_NULL, above = part.place[a] < part.processes[a] - 1 ? rank + stride : MPI_PROC_NULL;
    int        from[3], to[3];
    const auto slab = [&](int begin, int end) {
      for (int b = 0; b < 3; b++) {
        from[b] = b == a ? begin : lo[b];
        to[b]   = b == a ? end : hi[b];
      }
      return CellsOf(from, to) * sizeof(T);
    };

    if (part.processes[a] > 1) {
      const int bytes = (int)slab(0, layers);

      send.resize(std::max(send.size(), (size_t)bytes));
      receive.resize(std::max(receive.size(), (size_t)bytes));
      for (int up = 0; up < 2; up++) {
        const int to_rank = up ? above : below, from_rank = up ? below : above;

        if (to_rank != MPI_PROC_NULL) {
          slab(up ? layout.hi[a] - layers : layout.lo[a], up ? layout.hi[a] : layout.lo[a] + layers);
          Pack(layout, field, from, to, (T *)send.data());
        }
        CommunicateMPI(MPI_Sendrecv(send.data(), bytes, MPI_BYTE, to_rank, 0, receive.data(), bytes, MPI_BYTE, from_rank, 0, part.comm, MPI_STATUS_IGNORE));
        if (from_rank != MPI_PROC_NULL) {
          slab(up ? layout.first[a] : layout.hi[a], up ? layout.lo[a] : layout.last[a]);
          Unpack(layout, field, from, to, (const T *)receive.data());
        }
      }
    }
    lo[a] = layout.first[a];
    hi[a] = layout.last[a];
  }
}

template <typename T>
void AddLayers(const Partition &part, const Layout &layout, T *field, std::vector<char> &send, std::vector<char> &receive)
{
  int            rank;
  std::vector<T> sum;

  CommunicateMPI(MPI_Comm_rank(part.comm, &rank));
  for (int a = 2; a >= 0; a--) {
    const int layers = layout.lo[a] - layout.first[a], stride = a == 0 ? 1 : a == 1 ? part.processes[0] : part.processes[0] * part.processes[1];
    const int below = part.place[a] > 0 ? rank - stride : MPI_PROC_NULL, above = part.place[a] < part.processes[a] - 1 ? rank + stride : MPI_PROC_NULL;
    int       from[3], to[3];
    /* Corners travel along the axes after this one: what came along the axes before it belongs to others */
    const auto slab = [&](int begin, int end) {
      for (int b = 0; b < 3; b++) {
        from[b] = b == a ? begin : b < a ? layout.first[b] : layout.lo[b];
        to[b]   = b == a ? end : b < a ? layout.last[b] : layout.hi[b];
      }
      return CellsOf(from, to);
    };

    if (part.processes[a] == 1) continue;
    const size_t count = slab(0, layers);
    send.resize(std::max(send.size(), count * sizeof(T)));
    receive.resize(std::max(receive.size(), count * sizeof(T)));
    sum.resize(std::max(sum.size(), count));
    for (int up = 0; up < 2; up++) {
      const int to_rank = up ? above : below, from_rank = up ? below : above, bytes = (int)(count * sizeof(T));

      if (to_rank != MPI_PROC_NULL) {
        slab(up ? layout.hi[a] : layout.first[a], up ? layout.last[a] : layout.lo[a]);
        Pack(layout, field, from, to, (T *)send.data());
      }
      CommunicateMPI(MPI_Sendrecv(send.data(), bytes, MPI_BYTE, to_rank, 0, receive.data(), bytes, MPI_BYTE, from_rank, 0, part.comm, MPI_STATUS_IGNORE));
      if (from_rank == MPI_PROC_NULL) continue;
      slab(up ? layout.lo[a] : layout.hi[a] - layers, up ? layout.lo[a] + layers : layout.hi[a]);
      Pack(layout, field, from, to, sum.data());
      for (size_t i = 0; i < count; i++) sum[i] += ((const T *)receive.data())[i];
      Unpack(layout, field, from, to, sum.data());
    }
  }
}

template void AddLayers(const Partition &, const Layout &, double *, std::vector<char> &, std::vector<char> &);
template void ExchangeLayers(const Partition &, const Layout &, double *, std::vector<char> &, std::vector<char> &);
template void ExchangeLayers(const Partition &, const Layout &, float *, std::vector<char> &, std::vector<char> &);
template void ExchangeLayers(const Partition &, const Layout &, unsigned char *, std::vector<char> &, std::vector<char> &);
#define BOXES(T)                                                                  \
  template void Pack(const Layout &, const T *, const int[3], const int[3], T *); \
  template void Unpack(const Layout &, T *, const int[3], const int[3], const T *);
BOXES(double)
BOXES(float)
BOXES(unsigned char)
#undef BOXES

} // namespace neural
} // namespace petlap
