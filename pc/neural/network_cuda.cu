/*
  The network on a CUDA device: tiles of cells in shared memory.

  A block of threads works on one tile, a thread on the cells within one coarse cell. Of tiles without active cells nothing is done. On the way down the
  tile's input is read with the cells around it, convolved, stored, and its means over coarse cells become the input of the coarser level. On the way up
  a convolution after interpolation is one of coarse cells, whose kernel only depends on which of its cells a fine one is: so a thread reads the window
  of its coarse cell once for all of its cells. Cells with kernels of their own are in lists by tile, and read their windows from the same shared memory.
  Small levels are worked on by a single block that keeps them in shared memory.

  What is read and written once, in bytes for each cell: 8 r, 8 z, 4 + 4 x of the finest level, about 0.5 to tell which cells are where in the vectors, and
  24 for each cell of the coarser levels, together about 28.

  One graph holds the whole application, from the first one on. It finds the vectors in a record on the device, which a kernel of one thread sets where they are others than the last
  time: this costs about two microseconds, where a graph for each pair of vectors would have to be made for the first use of each, at fifty times of that, and again
  after every change of the image.
*/
#include "pc/neural/network_cuda.h"
#include "mat/compat/backend.h"
#include "mat/compat/device.h"
#include "pc/neural/network.h"
#include <algorithm>
#include <vector>

namespace petlap {
namespace neural {

namespace {

enum { THREADS = 256, BOTTOM_THREADS = 512 };
/* Levels go to a single block from the first one on with so many cells or less, layers around them included: more keep it longer than launches for the level take */
enum { BOTTOM_CELLS = 2800, BOTTOM_SHARED = 44 * 1024 };
/* Rows that a warp asks for before it needs the first */
enum { FLIGHT = 5 };

/* Fine cells of a tile (X, Y, Z), coarse ones (CX, CY, CZ), and with a layer of cells around them (W, V) */
template <int DIM>
struct Tile {
  enum { LAYER = DIM == 3 ? 1 : 0, ROWS = DIM == 3 ? 9 : 3, PAIR = DIM == 3 ? 2 : 1, CHILDREN = DIM == 3 ? 8 : 4, WINDOW = 3 * ROWS };
  enum { X = 32, Y = DIM == 3 ? 8 : 1, Z = DIM == 3 ? 8 : 32, CX = X / 2, CY = Y / PAIR, CZ = Z / 2, CELLS = X * Y * Z };
  enum { WX = X + 2, WY = Y + 2 * LAYER, WZ = Z + 2, VX = CX + 2, VY = CY + 2 * LAYER, VZ = CZ + 2 };
  static_assert(CX * CY * CZ == THREADS, "a thread for each coarse cell");
};

/* The cells lo, ..., lo + size - 1 of a level; rows are size[0] apart */
struct Box {
  int lo[3], size[3];

  __host__ __device__ bool Has(int x, int y, int z) const
  {
    return (unsigned)(x - lo[0]) < (unsigned)size[0] && (unsigned)(y - lo[1]) < (unsigned)size[1] && (unsigned)(z - lo[2]) < (unsigned)size[2];
  }
  __host__ __device__ int At(int x, int y, int z) const
  {
    return (x - lo[0]) + size[0] * ((y - lo[1]) + size[1] * (z - lo[2]));
  }
  size_t Room() const
  {
    return (size_t)size[0] * size[1] * size[2];
  }
};

/* What an application works on, in device memory */
struct Record {
  const double      *r;
  double            *z;
  double             factor;
  double             inverse; /* of unit, a power of two */
  double             unit;    /* what the input is multiplied with to stay in the range of single precision; of the last application, until the finest level has been read */
  unsigned long long most;    /* bits of the largest absolute value of the input */
};

/* Which of the 32 cells of a row from a multiple of 32 on are fluid, and where they are in vectors: cell i has the number first + how many bits of numbered are below i */
struct alignas(16) Word {
  unsigned fluid, numbered;
  int      first, unused;
};

struct Vectors {
  const Word   *word;
  int           n[3], nwords; /* cells of the finest level, and words of a row */
  const double *scaling;
};

/* Tiles with active cells, and the cells in them that have kernels of their own */
struct Lists {
  int                   ntiles, tiles[2];
  const int            *tile;
  const unsigned short *bits;            /* by tile and thread: which of its cells are active, and in the upper half, special */
  const int            *start;           /* by tile */
  const int            *place, *kernels; /* by special cell: number in the tile, kernel */
  const float4         *kernel;          /* a row of three entries each */
};

template <int DIM>
struct Stencil {
  float entry[Tile<DIM>::WINDOW];
};
/* By child of a coarse cell */
template <int DIM>
struct Risen {
  float entry[Tile<DIM>::CHILDREN][Tile<DIM>::WINDOW];
};

/* The power of two that brings input into range; as on the host, the last one serves while it does */
static __device__ double Unit(const Record *record)
{
  const double unscaled = 1e15;
  double       most;

  memcpy(&most, &record->most, sizeof(most));
  if (most == 0.0 || !(most < HUGE_VAL) || (most < unscaled && most > 1.0 / unscaled)) return 1.0;
  if (most * record->unit < unscaled && most * record->unit > 1.0 / unscaled) return record->unit;
  /* 2 to minus the exponent of the largest value */
  const unsigned long long bits = (unsigned long long)(1023 - max(-1000, min(1000, (int)(record->most >> 52) - 1023))) << 52;
  double                   unit;

  memcpy(&unit, &bits, sizeof(unit));
  return unit;
}

static __device__ void KeepUnit(Record *record)
{
  record->unit    = Unit(record);
  record->inverse = 1.0 / record->unit;
}

__global__ static void SetRecord(Record *record, const double *r, double *z, double factor)
{
  record->r      = r;
  record->z      = z;
  record->factor = factor;
}

__global__ static void SetUnit(Record *record)
{
  KeepUnit(record);
}

__global__ static void Others(int n, const int *other, const double *inverse, const Record *record)
{
  const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);

  if (i < n) record->z[other[i]] = record->r[other[i]] * inverse[i];
}

/* The number in vectors of the cell of a word */
static __device__ __forceinline__ int NumberOf(const Word &w, int cell)
{
  return w.first + __popc(w.numbered & ((1u << cell) - 1u));
}

static __device__ __forceinline__ Word WordOf(const Vectors &v, int k, int y, int z)
{
  if ((unsigned)y >= (unsigned)v.n[1] || (unsigned)z >= (unsigned)v.n[2] || (unsigned)k >= (unsigned)v.nwords) return {0, 0, 0, 0};
  /* In one access */
  const int4 w = *(const int4 *)(v.word + (z * v.n[1] + y) * v.nwords + k);

  return {(unsigned)w.x, (unsigned)w.y, w.z, 0};
}

/* in: the first cell of the window, whose rows and planes are so far apart */
template <int DIM>
static __device__ __forceinline__ float Cell(const float4 *kernel, const float *in, int row, int plane)
{
  float sum = 0.0f;

  for (int r = 0; r < Tile<DIM>::ROWS; r++) {
    const float4       e = kernel[r];
    const float *const p = in + (DIM == 3 ? r / 3 * plane + r % 3 * row : r * plane);

    sum += e.x * p[0] + e.y * p[1] + e.z * p[2];
  }
  return sum;
}

/* The first cell of the b-th tile */
template <int DIM>
static __device__ __forceinline__ void Corner(const Lists &lists, const Box &box, int b, int corner[3])
{
  const int t = lists.tile[b];

  corner[0] = box.lo[0] + t % lists.tiles[0] * Tile<DIM>::X;
  corner[1] = box.lo[1] + t / lists.tiles[0] % lists.tiles[1] * Tile<DIM>::Y;
  corner[2] = box.lo[2] + t / lists.tiles[0] / lists.tiles[1] * Tile<DIM>::Z;
}

/* The input of the finest level: the tile at corner and the cells around it. Returns the bits of the largest absolute value that this thread has read. */
template <int DIM>
static __device__ unsigned long long Enter(const Vectors &v, const double *r, double unit, const int corner[3], float *in)
{
  typedef Tile<DIM> T;
  enum { NROWS = T::WY * T::WZ, WARPS = THREADS / 32 };
  const int          lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, k = corner[0] / 32;
  unsigned long long most  = 0;
  const auto         value = [&](const Word &w, int cell, double x) {
    unsigned long long bits;

    if (v.scaling) x *= v.scaling[NumberOf(w, cell)];
    memcpy(&bits, &x, sizeof(bits));
    bits &= 0x7fffffffffffffffULL;
    most = max(most, bits);
    return (float)(unit * x);
  };

  for (int first = warp; first < NROWS; first += FLIGHT * WARPS) {
    Word   w[FLIGHT];
    double x[FLIGHT];

    for (int i = 0; i < FLIGHT; i++) {
      const int row = first + i * WARPS;

      w[i] = row < NROWS ? WordOf(v, k, corner[1] - T::LAYER + row % T::WY, corner[2] - 1 + row / T::WY) : Word{0, 0, 0, 0};
    }
    for (int i = 0; i < FLIGHT; i++) x[i] = w[i].fluid >> lane & 1 ? r[NumberOf(w[i], lane)] : 0.0;
    for (int i = 0; i < FLIGHT; i++) {
      const int row = first + i * WARPS;

      if (row < NROWS) in[row * T::WX + 1 + lane] = w[i].fluid >> lane & 1 ? value(w[i], lane, x[i]) : 0.0f;
    }
  }
  for (int i = (int)threadIdx.x; i < 2 * NROWS; i += THREADS) {
    const int  row = i / 2, side = i % 2, cell = side ? 0 : 31;
    const Word w = WordOf(v, side ? k + 1 : k - 1, corner[1] - T::LAYER + row % T::WY, corner[2] - 1 + row / T::WY);

    in[row * T::WX + side * (T::X + 1)] = w.fluid >> cell & 1 ? value(w, cell, r[NumberOf(w, cell)]) : 0.0f;
  }
  return most;
}

/* The same of other levels */
template <int DIM>
static __device__ void Read(const Box &box, const float *r, const int corner[3], float *in)
{
  typedef Tile<DIM> T;
  enum { NROWS = T::WY * T::WZ, WARPS = THREADS / 32 };
  const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32;

  for (int first = warp; first < NROWS; first += FLIGHT * WARPS) {
    float x[FLIGHT];

    for (int i = 0; i < FLIGHT; i++) {
      const int row = first + i * WARPS, y = corner[1] - T::LAYER + row % T::WY, z = corner[2] - 1 + row / T::WY;

      x[i] = row < NROWS && box.Has(corner[0], y, z) ? r[box.At(corner[0] + lane, y, z)] : 0.0f;
    }
    for (int i = 0; i < FLIGHT; i++) {
      const int row = first + i * WARPS;

      if (row < NROWS) in[row * T::WX + 1 + lane] = x[i];
    }
  }
  for (int i = (int)threadIdx.x; i < 2 * NROWS; i += THREADS) {
    const int row = i / 2, side = i % 2, x = side ? corner[0] + T::X : corner[0] - 1, y = corner[1] - T::LAYER + row % T::WY, z = corner[2] - 1 + row / T::WY;

    in[row * T::WX + side * (T::X + 1)] = box.Has(x, y, z) ? r[box.At(x, y, z)] : 0.0f;
  }
}

/* The largest number of a warp goes to *to, unless it is there: most warps only look, as all of them would wait for each other to write */
static __device__ void Most(unsigned long long most, unsigned long long *to)
{
  for (int k = 16; k > 0; k /= 2) most = max(most, __shfl_xor_sync(0xffffffffu, most, k));
  if (threadIdx.x % 32 == 0 && most > *(volatile unsigned long long *)to) atomicMax(to, most);
}

/*
  x = conv(r), and the means of x as the input of the coarser level, if there is one. FINEST: r is that of the record. again: only if the input turned out
  to need another scaling.
*/
template <int DIM, bool FINEST>
__global__ __launch_bounds__(THREADS, 3) static void Down(Lists lists, Stencil<DIM> stencil, Box box, const float *r, float *x, Box coarse, float *rcoarse, Vectors vectors, Record *record, int again)
{
  typedef Tile<DIM> T;
  float *const in = DeviceShared<float>(), *const out = in + T::WX * T::WY * T::WZ;
  const int t = (int)threadIdx.x, cx = t % T::CX, cy = t / T::CX % T::CY, cz = t / T::CX / T::CY;

  if (FINEST) {
    if (again && Unit(record) == record->unit) return;
  } else if (record && blockIdx.x == 0 && t == 0) {
    KeepUnit(record);
  }
  for (int b = (int)blockIdx.x; b < lists.ntiles; b += (int)gridDim.x) {
    const unsigned bits  = lists.bits[(ptrdiff_t)b * THREADS + t];
    const int      first = lists.start[b], last = lists.start[b + 1];
    int            corner[3];
    float          sum[T::CHILDREN], mean = 0.0f;

    Corner<DIM>(lists, box, b, corner);
    if (FINEST) {
      const unsigned long long most = Enter<DIM>(vectors, record->r, again ? Unit(record) : record->unit, corner, in);

      if (!again) Most(most, &record->most);
    } else {
      Read<DIM>(box, r, corner, in);
    }
    __syncthreads();
    for (int s = first + t; s < last; s += THREADS) {
      const int p = lists.place[s];

      out[p] = Cell<DIM>(lists.kernel + (ptrdiff_t)lists.kernels[s] * T::ROWS, in + (p / T::X / T::Y * T::WY + p / T::X % T::Y) * T::WX + p % T::X, T::WX, T::WX * T::WY);
    }
    if (first < last) __syncthreads();
    for (int o = 0; o < T::CHILDREN; o++) sum[o] = 0.0f;
    if (bits & 255) {
      const float *const p = in + (2 * cz * T::WY + T::PAIR * cy) * T::WX + 2 * cx;

      /* Each row of four cells serves the cells of the thread whose windows it is in */
      DEVICE_UNROLL
      for (int j = 0; j < 4 * (T::PAIR + 2 * T::LAYER); j++) {
        const int    jz = j / (T::PAIR + 2 * T::LAYER), jy = j % (T::PAIR + 2 * T::LAYER);
        const float2 a = *(const float2 *)(p + (jz * T::WY + jy) * T::WX), c = *(const float2 *)(p + (jz * T::WY + jy) * T::WX + 2);
        const float  v[4] = {a.x, a.y, c.x, c.y};

        for (int o = 0; o < T::CHILDREN; o++) {
          const int oy = DIM == 3 ? o / 2 % 2 : 0, oz = DIM == 3 ? o / 4 : o / 2, dy = jy - oy, dz = jz - oz;

          if (dz < 0 || dz > 2 || dy < 0 || dy > 2 * T::LAYER) continue;
          for (int m = 0; m < 3; m++) sum[o] += stencil.entry[3 * (DIM == 3 ? 3 * dz + dy : dz) + m] * v[o % 2 + m];
        }
      }
    }
    for (int o = 0; o < T::CHILDREN; o++) {
      const int oy = DIM == 3 ? o / 2 % 2 : 0, oz = DIM == 3 ? o / 4 : o / 2;

      if (bits >> (8 + o) & 1) sum[o] = out[((2 * cz + oz) * T::Y + T::PAIR * cy + oy) * T::X + 2 * cx + o % 2];
      if (!(bits >> o & 1)) sum[o] = 0.0f;
      mean += sum[o];
    }
    for (int o = 0; o < T::CHILDREN; o += 2) {
      const int oy = DIM == 3 ? o / 2 % 2 : 0, oz = DIM == 3 ? o / 4 : o / 2;

      *(float2 *)(x + box.At(corner[0] + 2 * cx, corner[1] + T::PAIR * cy + oy, corner[2] + 2 * cz + oz)) = make_float2(sum[o], sum[o + 1]);
    }
    if (rcoarse) {
      const int to[3] = {corner[0] / 2 + cx, corner[1] / T::PAIR + cy, corner[2] / 2 + cz};

      if (coarse.Has(to[0], to[1], to[2])) rcoarse[coarse.At(to[0], to[1], to[2])] = mean * (1.0f / T::CHILDREN);
    }
    if (b + (int)gridDim.x < lists.ntiles) __syncthreads();
  }
}

/* x = c x + conv(interpolated x of the coarser level). FINEST: z of the record gets it. clamp: cells behind the last ones of the grid are as these. */
template <int DIM, bool FINEST>
__global__ __launch_bounds__(THREADS, 3) static void Up(Lists lists, Risen<DIM> risen, float c, Box box, float *x, Box coarse, const float *xcoarse, int clamp, int3 ncoarse, Vectors vectors, Record *record)
{
  typedef Tile<DIM> T;
  enum { NIN = T::VX * T::VY * T::VZ, PER = (NIN + THREADS - 1) / THREADS };
  float *const in = DeviceShared<float>(), *const out = in + (NIN + 3) / 4 * 4;
  const int      t = (int)threadIdx.x, cx = t % T::CX, cy = t / T::CX % T::CY, cz = t / T::CX / T::CY, b = (int)blockIdx.x;
  const unsigned bits  = lists.bits[(ptrdiff_t)b * THREADS + t];
  const int      first = lists.start[b], last = lists.start[b + 1];
  int            corner[3];
  float          sum[T::CHILDREN], read[PER];
  float2         old[T::CHILDREN / 2];

  Corner<DIM>(lists, box, b, corner);
  const auto row = [&](int o) { return box.At(corner[0] + 2 * cx, corner[1] + T::PAIR * cy + (DIM == 3 ? o % 2 : 0), corner[2] + 2 * cz + (DIM == 3 ? o / 2 : o)); };
  for (int o = 0; o < T::CHILDREN / 2; o++) old[o] = *(const float2 *)(x + row(o));
  for (int i = 0; i < PER; i++) {
    const int k  = t + i * THREADS;
    int       xc = corner[0] / 2 - 1 + k % T::VX, yc = corner[1] / T::PAIR - T::LAYER + k / T::VX % T::VY, zc = corner[2] / 2 - 1 + k / T::VX / T::VY;

    if (clamp) {
      xc = min(max(xc, 0), ncoarse.x - 1);
      yc = min(max(yc, 0), ncoarse.y - 1);
      zc = min(max(zc, 0), ncoarse.z - 1);
    }
    read[i] = k < NIN && coarse.Has(xc, yc, zc) ? xcoarse[coarse.At(xc, yc, zc)] : 0.0f;
  }
  for (int i = 0; i < PER; i++) {
    if (t + i * THREADS < NIN) in[t + i * THREADS] = read[i];
  }
  __syncthreads();
  for (int s = first + t; s < last; s += THREADS) {
    const int p = lists.place[s];

    out[p] = Cell<DIM>(lists.kernel + (ptrdiff_t)lists.kernels[s] * T::ROWS, in + (p / T::X / T::Y / 2 * T::VY + p / T::X % T::Y / T::PAIR) * T::VX + p % T::X / 2, T::VX, T::VX * T::VY);
  }
  if (first < last) __syncthreads();
  for (int o = 0; o < T::CHILDREN; o++) sum[o] = 0.0f;
  if (bits & 255) {
    const float *const p = in + (cz * T::VY + cy) * T::VX + cx;

    DEVICE_UNROLL
    for (int j = 0; j < T::ROWS; j++) {
      const float *const q = p + (DIM == 3 ? (j / 3 * T::VY + j % 3) * T::VX : j * T::VX);

      for (int m = 0; m < 3; m++) {
        const float v = q[m];

        for (int o = 0; o < T::CHILDREN; o++) sum[o] += risen.entry[o][3 * j + m] * v;
      }
    }
  }
  for (int o = 0; o < T::CHILDREN; o++) {
    const int oy = DIM == 3 ? o / 2 % 2 : 0, oz = DIM == 3 ? o / 4 : o / 2;

    if (bits >> (8 + o) & 1) sum[o] = out[((2 * cz + oz) * T::Y + T::PAIR * cy + oy) * T::X + 2 * cx + o % 2];
    sum[o] = bits >> o & 1 ? c * (o % 2 ? old[o / 2].y : old[o / 2].x) + sum[o] : 0.0f;
  }
  if (!FINEST) {
    for (int o = 0; o < T::CHILDREN / 2; o++) *(float2 *)(x + row(o)) = make_float2(sum[2 * o], sum[2 * o + 1]);
    return;
  }
  /* A row of 32 cells belongs to sixteen threads of one warp, which store neighbours together */
  const double factor = record->factor * record->inverse;
  double      *z      = record->z;

  for (int o = 0; o < T::CHILDREN / 2; o++) {
    const int oy = DIM == 3 ? o % 2 : 0, oz = DIM == 3 ? o / 2 : o;

    *(float2 *)(out + ((2 * cz + oz) * T::Y + T::PAIR * cy + oy) * T::X + 2 * cx) = make_float2(sum[2 * o], sum[2 * o + 1]);
  }
  __syncwarp();
  for (int o = 0; o < T::CHILDREN / 2; o++) {
    const int          oy = DIM == 3 ? o % 2 : 0, oz = DIM == 3 ? o / 2 : o;
    const Word         w    = WordOf(vectors, corner[0] / 32, corner[1] + T::PAIR * cy + oy, corner[2] + 2 * cz + oz);
    const float *const from = out + ((2 * cz + oz) * T::Y + T::PAIR * cy + oy) * T::X;

    for (int cell = cx; cell < T::X; cell += T::CX) {
      if (!(w.fluid >> cell & 1)) continue;
      const int    i = NumberOf(w, cell);
      const double v = factor * (double)from[cell];

      z[i] = vectors.scaling ? v * vectors.scaling[i] : v;
    }
  }
  if (b == 0 && t == 0) record->most = 0;
}

/* z of a single level */
__global__ static void Leave(Box box, const float *x, Vectors vectors, Record *record)
{
  const ptrdiff_t i = (ptrdiff_t)blockIdx.x * blockDim.x + threadIdx.x, row = i / 32 / vectors.nwords;
  const int       cell = (int)(i % 32), k = (int)(i / 32 % vectors.nwords), y = (int)(row % vectors.n[1]), z = (int)(row / vectors.n[1]);

  if (i == 0) record->most = 0;
  if (z >= vectors.n[2]) return;
  const Word w = WordOf(vectors, k, y, z);
  if (!(w.fluid >> cell & 1)) return;
  const int    to = NumberOf(w, cell);
  const double v  = record->factor * record->inverse * (double)x[box.At(32 * k + cell, y, z)];

  record->z[to] = vectors.scaling ? v * vectors.scaling[to] : v;
}

/* A level that a single block works on; r and x are where its fields begin in shared memory */
struct Small {
  int           first, count; /* of its active cells */
  int           r, x, row, plane;
  float         c;
  int           firstclamp, nclamps;
  const float4 *pre, *post;
};
/* A cell in the fields of its level, the first cell within it, the coarse cell that it lies in, and where it is in the fields that other kernels know */
struct SmallCell {
  int at, child, coarse, from, pre, post;
};

template <int DIM>
__global__ __launch_bounds__(BOTTOM_THREADS) static void Bottom(int nlevels, const Small *level, const SmallCell *cells, const int2 *clamps, int room, const float *r, float *x, Record *record)
{
  typedef Tile<DIM> T;
  float *const      s = DeviceShared<float>();
  const int         t = (int)threadIdx.x;

  if (record && t == 0) KeepUnit(record);
  for (int i = t; i < room; i += BOTTOM_THREADS) s[i] = 0.0f;
  __syncthreads();
  for (int l = 0; l < nlevels; l++) {
    const Small &L = level[l];

    for (int i = L.first + t; i < L.first + L.count; i += BOTTOM_THREADS) {
      const SmallCell &c = cells[i];
      float            v = 0.0f;

      if (l == 0) {
        v = r[c.from];
      } else {
        const Small       &F = level[l - 1];
        const float *const f = s + F.x + c.child;

        for (int o = 0; o < T::CHILDREN; o++) v += f[DIM == 3 ? o % 2 + o / 2 % 2 * F.row + o / 4 * F.plane : o % 2 + o / 2 * F.plane];
        v *= 1.0f / T::CHILDREN;
      }
      s[L.r + c.at] = v;
    }
    __syncthreads();
    for (int i = L.first + t; i < L.first + L.count; i += BOTTOM_THREADS) {
      const SmallCell &c = cells[i];

      s[L.x + c.at] = Cell<DIM>(L.pre + (ptrdiff_t)c.pre * T::ROWS, s + L.r + c.at - 1 - T::LAYER * L.row - L.plane, L.row, L.plane);
    }
    __syncthreads();
  }
  for (int l = nlevels - 2; l >= 0; l--) {
    const Small &L = level[l], &C = level[l + 1];

    for (int i = C.firstclamp + t; i < C.firstclamp + C.nclamps; i += BOTTOM_THREADS) s[C.x + clamps[i].x] = s[C.x + clamps[i].y];
    if (C.nclamps) __syncthreads();
    for (int i = L.first + t; i < L.first + L.count; i += BOTTOM_THREADS) {
      const SmallCell &c = cells[i];

      s[L.x + c.at] = L.c * s[L.x + c.at] + Cell<DIM>(L.post + (ptrdiff_t)c.post * T::ROWS, s + C.x + c.coarse - 1 - T::LAYER * C.row - C.plane, C.row, C.plane);
    }
    __syncthreads();
  }
  for (int i = level[0].first + t; i < level[0].first + level[0].count; i += BOTTOM_THREADS) x[cells[i].from] = s[level[0].x + cells[i].at];
}

/* One level on the device */
struct DeviceLevel {
  Box                         box;
  int                         tiles[3], ntiles = 0;
  DeviceArray<float>          r, x;
  DeviceArray<int>            tile, start, place, prekernel, postkernel;
  DeviceArray<unsigned short> bits;
  DeviceArray<float>          pre, post;

  void Free()
  {
    r.Free();
    x.Free();
    tile.Free();
    start.Free();
    place.Free();
    prekernel.Free();
    postkernel.Free();
    bits.Free();
    pre.Free();
    post.Free();
  }
  size_t Memory() const
  {
    return (r.n + x.n + pre.n + post.n) * sizeof(float) + (tile.n + start.n + place.n + prekernel.n + postkernel.n) * sizeof(int) + bits.n * sizeof(unsigned short);
  }
};

/* Where a cell is on the side of the host: numbers of kernels after interpolation by kernel and place between coarse cells */
static std::vector<int> RisenSlots(const Level &L)
{
  std::vector<int> slot((size_t)L.nkernels * 8, 0);

  for (size_t i = 0; i < L.risen.size() / 2; i++) slot[(size_t)L.risen[2 * i] * 8 + L.risen[2 * i + 1]] = (int)i;
  return slot;
}

static int PlaceOf(int dim, int x, int y, int z)
{
  return (x & 1) + (dim == 3 ? 2 * (y & 1) : 0) + 4 * (z & 1);
}

/* body(x, y, z, kernel) for the own active cells of a level in their order; kernel is -1 for those without one of their own */
template <typename Body>
static void EachActive(const Level &L, Body body)
{
  const Layout &Y = L.layout;

  for (int z = Y.lo[2]; z < Y.hi[2]; z++) {
    for (int y = Y.lo[1]; y < Y.hi[1]; y++) {
      const int            row     = L.rowOf(y, z);
      const Special       *special = L.special.at(row);
      const Special *const last    = special + L.special.count(row);

      for (int s = L.span.start[row]; s < L.span.start[row + 1]; s++) {
        for (int x = std::max(L.span.item[s].x0, Y.lo[0]); x < std::min(L.span.item[s].x1, Y.hi[0]); x++) {
          const bool is = special < last && special->x == x;

          body(x, y, z, is ? special->kernel : -1);
          if (is) special++;
        }
      }
    }
  }
}

} // namespace

struct NetworkDevice::Data {
  int                      dim = 3, bottom = 0, smallroom = 0, nother = 0, multiprocessors = 1, launches = 0;
  bool                     clamp = false;
  double                   scale = 1.0;
  std::vector<DeviceLevel> level;
  std::vector<Small>       small;
  DeviceArray<Small>       smalls;
  DeviceArray<SmallCell>   cells;
  DeviceArray<int2>        clamps;
  DeviceArray<Word>        words;
  DeviceArray<double>      scaling, otherinv, in, out;
  DeviceArray<int>         other;
  DeviceArray<Record>      record;
  Vectors                  vectors = {};
  std::vector<int>         n; /* of all levels */
  std::vector<Stencil<3>>  stencil;
  std::vector<Risen<3>>    risen;
  std::vector<float>       c1;

  cudaStream_t    capture = nullptr;
  DeviceOrder     order;
  cudaGraphExec_t graph = nullptr;
  Record          known = {nullptr, nullptr, 0.0, 1.0, 1.0, 0}; /* what the record on the device holds */

  cudaError_t ForgetGraph()
  {
    cudaGraphExec_t old = graph;

    graph = nullptr;
    return old ? cudaGraphExecDestroy(old) : cudaSuccess;
  }
  void        Free();
  cudaError_t SetLists(const Network &);
  cudaError_t SetLevel(const Network &, int l);
  cudaError_t SetSmall(const Network &);
  cudaError_t SetKernels(const Network &);
  cudaError_t SetWords(const Network &, const ptrdiff_t offset[], bool *fits);
  cudaError_t SetVectors(const Network &, const ptrdiff_t offset[], size_t size, const double factors[], size_t count, const size_t rows[], const double inverse[]);
  template <int DIM>
  cudaError_t Launch(cudaStream_t);
  cudaError_t Capture();
  cudaError_t Apply(cudaStream_t, const double r[], double factor, double z[]);
  cudaError_t ApplyStaged(cudaStream_t, size_t count, const double r[], bool ronhost, double factor, double z[], bool zonhost);
};

void NetworkDevice::Data::Free()
{
  (void)ForgetGraph();
  if (capture) (void)cudaStreamDestroy(capture);
  capture = nullptr;
  for (DeviceLevel &L : level) L.Free();
  smalls.Free();
  cells.Free();
  clamps.Free();
  words.Free();
  scaling.Free();
  otherinv.Free();
  in.Free();
  out.Free();
  other.Free();
  record.Free();
}

/* Which tiles have active cells, and what is in them */
cudaError_t NetworkDevice::Data::SetLevel(const Network &network, int l)
{
  DeviceLevel                &D       = level[l];
  const Level                &L       = network.GetLevel(l);
  const int                   size[3] = {32, dim == 3 ? 8 : 1, dim == 3 ? 8 : 32};
  const std::vector<int>      slot    = RisenSlots(L);
  std::vector<unsigned short> bits;
  std::vector<int>            index, tile, start, place, pre, post, next;

  for (int a = 0; a < 3; a++) {
    const bool halved = Halved(dim, a);

    /* Coarse cells have all their cells in one tile. The ring around the grid is only there on coarser levels. */
    D.box.lo[a]   = l > 0 && halved ? -2 : 0;
    D.tiles[a]    = (L.layout.hi[a] - D.box.lo[a] + size[a] - 1) / size[a];
    D.box.size[a] = D.tiles[a] * size[a];
  }
  if (D.box.Room() > 0x7fffffff) return cudaErrorInvalidValue;
  index.assign((size_t)D.tiles[0] * D.tiles[1] * D.tiles[2], -1);
  const auto tileof = [&](int x, int y, int z) { return (x - D.box.lo[0]) / size[0] + (size_t)D.tiles[0] * ((y - D.box.lo[1]) / size[1] + (size_t)D.tiles[1] * ((z - D.box.lo[2]) / size[2])); };
  EachActive(L, [&](int x, int y, int z, int) { index[tileof(x, y, z)] = 0; });
  for (size_t i = 0; i < index.size(); i++) {
    if (index[i] < 0) continue;
    index[i] = (int)tile.size();
    tile.push_back((int)i);
  }
  D.ntiles = (int)tile.size();
  bits.assign((size_t)D.ntiles * THREADS, 0);
  start.assign((size_t)D.ntiles + 1, 0);
  EachActive(L, [&](int x, int y, int z, int kernel) {
    const int i[3] = {(x - D.box.lo[0]) % size[0], (y - D.box.lo[1]) % size[1], (z - D.box.lo[2]) % size[2]}, b = index[tileof(x, y, z)];
    const int thread = dim == 3 ? i[0] / 2 + 16 * (i[1] / 2 + 4 * (i[2] / 2)) : i[0] / 2 + 16 * (i[2] / 2), child = dim == 3 ? (i[0] & 1) + 2 * (i[1] & 1) + 4 * (i[2] & 1) : (i[0] & 1) + 2 * (i[2] & 1);

    bits[(size_t)b * THREADS + thread] |= (unsigned short)((kernel < 0 ? 1 : 257) << child);
    start[b + 1] += kernel >= 0;
  });
  for (int b = 0; b < D.ntiles; b++) start[b + 1] += start[b];
  next = start;
  place.resize(start.back());
  pre.resize(start.back());
  post.resize(start.back());
  EachActive(L, [&](int x, int y, int z, int kernel) {
    if (kernel < 0) return;
    const int k = next[index[tileof(x, y, z)]]++;

    place[k] = (x - D.box.lo[0]) % size[0] + size[0] * ((y - D.box.lo[1]) % size[1] + size[1] * ((z - D.box.lo[2]) % size[2]));
    pre[k]   = kernel;
    post[k]  = l < network.nlevels() - 1 ? slot[(size_t)kernel * 8 + PlaceOf(dim, x, y, z)] : 0;
  });
  DeviceCall(D.tile.Set(tile.data(), tile.size()));
  DeviceCall(D.bits.Set(bits.data(), bits.size()));
  DeviceCall(D.start.Set(start.data(), start.size()));
  DeviceCall(D.place.Set(place.data(), place.size()));
  DeviceCall(D.prekernel.Set(pre.data(), pre.size()));
  DeviceCall(D.postkernel.Set(post.data(), post.size()));
  /* What is not active stays zero, in tiles that nothing is done for as well */
  if (l > 0) {
    DeviceCall(D.r.Resize(D.box.Room()));
    DeviceCall(cudaMemset(D.r.p, 0, D.box.Room() * sizeof(float)));
  }
  DeviceCall(D.x.Resize(D.box.Room()));
  return cudaMemset(D.x.p, 0, D.box.Room() * sizeof(float));
}

/* The levels of a single block: their fields have two layers on the low side and three on the high one, so that coarse cells of the ring have all their cells */
cudaError_t NetworkDevice::Data::SetSmall(const Network &network)
{
  const auto             width = [&](const Level &L, int a) { return Halved(dim, a) ? L.n[a] + 5 : 1; };
  const auto             at    = [&](const Level &L, int x, int y, int z) { return (x + 2) + width(L, 0) * ((Halved(dim, 1) ? y + 2 : 0) + width(L, 1) * (z + 2)); };
  std::vector<SmallCell> list;
  std::vector<int2>      pairs;
  const int              last = network.nlevels() - 1;

  small.clear();
  smallroom = 0;
  bottom    = last + 1;
  /* From the coarsest level on, as far as there is room */
  for (size_t room = 0; bottom > 1; bottom--) {
    const Level &L     = network.GetLevel(bottom - 1);
    const size_t cells = (size_t)width(L, 0) * width(L, 1) * width(L, 2);

    room += 2 * cells;
    if (cells > BOTTOM_CELLS || room * sizeof(float) > BOTTOM_SHARED) break;
    smallroom = (int)room;
  }
  int offset = 0;
  for (int l = bottom; l <= last; l++) {
    const Level           &L     = network.GetLevel(l);
    const std::vector<int> slot  = RisenSlots(L);
    const int              cells = width(L, 0) * width(L, 1) * width(L, 2), nrisen = (int)L.risen.size() / 2;
    Small                  s = {};

    s.first      = (int)list.size();
    s.firstclamp = (int)pairs.size();
    s.r          = offset;
    s.x          = offset + cells;
    s.row        = width(L, 0);
    s.plane      = width(L, 0) * width(L, 1);
    EachActive(L, [&](int x, int y, int z, int kernel) {
      SmallCell c     = {};
      const int place = PlaceOf(dim, x, y, z);

      c.at   = at(L, x, y, z);
      c.pre  = kernel < 0 ? (int)L.nkernels : kernel;
      c.from = l == bottom ? level[l].box.At(x, y, z) : 0;
      if (l > bottom) c.child = at(network.GetLevel(l - 1), 2 * x, dim == 3 ? 2 * y : y, 2 * z);
      if (l < last) {
        c.coarse = at(network.GetLevel(l + 1), x >> 1, dim == 3 ? y >> 1 : y, z >> 1);
        c.post   = kernel < 0 ? nrisen + place : slot[(size_t)kernel * 8 + place];
      }
      list.push_back(c);
    });
    const Layout &Y      = L.layout;
    const auto    inside = [&](int i, int a) { return std::min(std::max(i, 0), L.n[a] - 1); };
    for (int z = Y.lo[2]; clamp && z < Y.hi[2]; z++) {
      for (int y = Y.lo[1]; y < Y.hi[1]; y++) {
        for (int x = Y.lo[0]; x < Y.hi[0]; x++) {
          const int from = at(L, inside(x, 0), inside(y, 1), inside(z, 2)), to = at(L, x, y, z);

          if (from != to) pairs.push_back(make_int2(to, from));
        }
      }
    }
    s.count   = (int)list.size() - s.first;
    s.nclamps = (int)pairs.size() - s.firstclamp;
    offset += 2 * cells;
    small.push_back(s);
  }
  DeviceCall(cells.Set(list.data(), list.size()));
  return clamps.Set(pairs.data(), pairs.size());
}

cudaError_t NetworkDevice::Data::SetLists(const Network &network)
{
  int device;

  dim   = network.GetPartition().dim;
  clamp = network.GetMask() == MASK_NONE;
  DeviceCall(DeviceLoad(SetUnit, Others, Leave, Down<2, true>, Down<2, false>, Down<3, true>, Down<3, false>, Up<2, true>, Up<2, false>, Up<3, true>, Up<3, false>, Bottom<2>, Bottom<3>));
  DeviceCall(cudaGetDevice(&device));
  DeviceCall(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
  for (int l = network.nlevels(); l < (int)level.size(); l++) level[l].Free();
  level.resize(network.nlevels());
  n.clear();
  for (int l = 0; l < network.nlevels(); l++) {
    const Level &L = network.GetLevel(l);

    n.insert(n.end(), L.n, L.n + 3);
    DeviceCall(SetLevel(network, l));
  }
  DeviceCall(SetSmall(network));
  known = {nullptr, nullptr, 0.0, 1.0, 1.0, 0};
  return record.Set(&known, 1);
}

cudaError_t NetworkDevice::Data::SetKernels(const Network &network)
{
  const int room = KernelRoom(dim), window = dim == 3 ? 27 : 9, last = network.nlevels() - 1;

  scale   = network.Scale();
  known.r = nullptr;
  stencil.assign(level.size(), {});
  risen.assign(level.size(), {});
  c1.assign(level.size(), 1.0f);
  for (int l = 0; l <= last; l++) {
    const Level       &L = network.GetLevel(l);
    DeviceLevel       &D = level[l];
    std::vector<float> pre(L.pre.data(), L.pre.data() + (size_t)L.nkernels * room);

    /* The kernel of all other cells comes behind those of special ones */
    for (int p = 0; p < window; p++) {
      stencil[l].entry[p] = L.stencil[0][p];
      pre.push_back(L.stencil[0][p]);
      if (p % 3 == 2) pre.push_back(0.0f);
    }
    c1[l] = L.c1;
    DeviceCall(D.pre.Set(pre.data(), pre.size()));
    if (l == last) continue;
    const size_t       nrisen = L.risen.size() / 2;
    const float *const usual  = L.post.data() + nrisen * room;
    float             *to     = &risen[l].entry[0][0];
    for (int child = 0; child < (dim == 3 ? 8 : 4); child++) {
      const int place = dim == 3 ? child : (child & 1) + 4 * (child >> 1);

      for (int p = 0; p < window; p++) *to++ = usual[(size_t)place * room + p / 3 * GROUP + p % 3];
    }
    DeviceCall(D.post.Set(L.post.data(), (nrisen + 8) * room));
  }
  for (size_t i = 0; i < small.size(); i++) {
    small[i].c    = c1[bottom + i];
    small[i].pre  = (const float4 *)level[bottom + i].pre.p;
    small[i].post = (const float4 *)level[bottom + i].post.p;
  }
  return smalls.Set(small.data(), small.size());
}

cudaError_t NetworkDevice::Data::SetWords(const Network &network, const ptrdiff_t offset[], bool *fits)
{
  const std::vector<Segment> &segment = network.segments();
  const Partition            &part    = network.GetPartition();
  std::vector<Word>           list;
  std::vector<int>            last; /* cell of a word that comes last, and its number */

  for (int a = 0; a < 3; a++) vectors.n[a] = part.n[a];
  vectors.nwords = (part.n[0] + 31) / 32;
  *fits          = true;
  list.assign((size_t)vectors.nwords * part.n[1] * part.n[2], {0, 0, 0, 0});
  last.assign(list.size(), 0);
  for (size_t s = 0; s < segment.size(); s++) {
    const Segment &S = segment[s];

    for (int x = S.x0; x < S.x1; x++) {
      const size_t    k      = ((size_t)S.z * part.n[1] + S.y) * vectors.nwords + x / 32;
      const int       cell   = x % 32;
      const ptrdiff_t number = offset[s] + (x - S.x0);
      Word           &w      = list[k];

      if (number < 0 || number > 0x7fffffff) *fits = false;
      if (!w.fluid) {
        w.first = (int)number;
      } else {
        /* Cells between two of fluid may have numbers too */
        ptrdiff_t between = number - (w.first + __builtin_popcount(w.numbered & ((1u << last[k]) - 1u))) - 1;

        if (between < 0 || between > cell - last[k] - 1) *fits = false;
        for (int i = last[k] + 1; i < cell && between > 0; i++, between--) w.numbered |= 1u << i;
      }
      w.fluid |= 1u << cell;
      w.numbered |= 1u << cell;
      last[k] = cell;
    }
  }
  if (!*fits) return cudaSuccess;
  DeviceCall(words.Set(list.data(), list.size()));
  vectors.word = words.p;
  return cudaSuccess;
}

cudaError_t NetworkDevice::Data::SetVectors(const Network &network, const ptrdiff_t offset[], size_t size, const double factors[], size_t count, const size_t rows[], const double inverse[])
{
  std::vector<int> list(rows, rows + count);
  bool             fits;

  DeviceCall(ForgetGraph());
  DeviceCall(cudaDeviceSynchronize());
  DeviceCall(SetWords(network, offset, &fits));
  if (!fits || size > 0x7fffffff) return cudaErrorInvalidValue;
  vectors.scaling = nullptr;
  if (factors) {
    DeviceCall(scaling.Set(factors, size));
    vectors.scaling = scaling.p;
  }
  nother = (int)count;
  DeviceCall(other.Set(list.data(), count));
  DeviceCall(otherinv.Set(inverse, count));
  return cudaDeviceSynchronize();
}

/* Stencils are kept for three dimensions; those for two have less entries */
template <int DIM, typename To, typename From>
static To Narrow(const From &from)
{
  To to;

  memcpy((void *)&to, (const void *)&from, sizeof(To));
  return to;
}

template <int DIM>
cudaError_t NetworkDevice::Data::Launch(cudaStream_t stream)
{
  typedef Tile<DIM> T;
  const int         nlevels = (int)level.size(), single = std::min(bottom, nlevels);
  const size_t      down = (T::WX * T::WY * T::WZ + T::CELLS) * sizeof(float), up = ((T::VX * T::VY * T::VZ + 3) / 4 * 4 + T::CELLS) * sizeof(float);
  const auto        lists = [&](int l, bool after) {
    const DeviceLevel &D = level[l];

    return Lists{D.ntiles, {D.tiles[0], D.tiles[1]}, D.tile.p, D.bits.p, D.start.p, D.place.p, after ? D.postkernel.p : D.prekernel.p, (const float4 *)(after ? D.post.p : D.pre.p)};
  };

  launches = 0;
  if (nother) {
    DeviceCall(DeviceLaunch(Others, dim3((unsigned)(nother + THREADS - 1) / THREADS), dim3(THREADS), 0, stream, nother, other.p, otherinv.p, record.p));
    launches++;
  }
  for (int l = 0; l < single; l++) {
    DeviceLevel       &D = level[l], none;
    DeviceLevel       &C = l + 1 < nlevels ? level[l + 1] : none;
    const Stencil<DIM> s = Narrow<DIM, Stencil<DIM>>(stencil[l]);
    const dim3         threads(THREADS);

    if (!D.ntiles) continue;
    if (l + 1 == nlevels) C.box = D.box;
    if (l == 0) {
      DeviceCall(DeviceLaunch(Down<DIM, true>, dim3((unsigned)D.ntiles), threads, down, stream, lists(l, false), s, D.box, (const float *)nullptr, D.x.p, C.box, C.r.p, vectors, record.p, 0));
      /* Few blocks, as they mostly have nothing to do */
      DeviceCall(DeviceLaunch(Down<DIM, true>, dim3((unsigned)std::min(D.ntiles, 2 * multiprocessors)), threads, down, stream, lists(l, false), s, D.box, (const float *)nullptr, D.x.p, C.box, C.r.p, vectors, record.p, 1));
      launches += 2;
    } else {
      DeviceCall(DeviceLaunch(Down<DIM, false>, dim3((unsigned)D.ntiles), threads, down, stream, lists(l, false), s, D.box, (const float *)D.r.p, D.x.p, C.box, C.r.p, vectors, l == 1 ? record.p : (Record *)nullptr, 0));
      launches++;
    }
  }
  if (nlevels == 1) {
    const size_t threads = (size_t)vectors.nwords * 32 * vectors.n[1] * vectors.n[2];

    DeviceCall(DeviceLaunch(SetUnit, dim3(1), dim3(1), 0, stream, record.p));
    DeviceCall(DeviceLaunch(Leave, dim3((unsigned)((threads + THREADS - 1) / THREADS)), dim3(THREADS), 0, stream, level[0].box, (const float *)level[0].x.p, vectors, record.p));
    launches += 2;
    return cudaSuccess;
  }
  if (!small.empty()) {
    DeviceCall(DeviceLaunch(Bottom<DIM>, dim3(1), dim3(BOTTOM_THREADS), smallroom * sizeof(float), stream, (int)small.size(), (const Small *)smalls.p, (const SmallCell *)cells.p, (const int2 *)clamps.p, smallroom, (const float *)level[bottom].r.p,
                            level[bottom].x.p, bottom == 1 ? record.p : (Record *)nullptr));
    launches++;
  }
  for (int l = single - (small.empty() ? 2 : 1); l >= 0; l--) {
    DeviceLevel     &D = level[l], &C = level[l + 1];
    const Risen<DIM> s    = Narrow<DIM, Risen<DIM>>(risen[l]);
    const int3       size = {n[3 * l + 3], n[3 * l + 4], n[3 * l + 5]};

    if (!D.ntiles) continue;
    if (l == 0)
      DeviceCall(DeviceLaunch(Up<DIM, true>, dim3((unsigned)D.ntiles), dim3(THREADS), up, stream, lists(l, true), s, c1[l], D.box, D.x.p, C.box, (const float *)C.x.p, (int)clamp, size, vectors, record.p));
    else
      DeviceCall(DeviceLaunch(Up<DIM, false>, dim3((unsigned)D.ntiles), dim3(THREADS), up, stream, lists(l, true), s, c1[l], D.box, D.x.p, C.box, (const float *)C.x.p, (int)clamp, size, vectors, record.p));
    launches++;
  }
  return cudaSuccess;
}

/* The stream of the application may be the legacy one, which cannot be captured: the graph is made in another */
cudaError_t NetworkDevice::Data::Capture()
{
  cudaGraph_t made;
  cudaError_t error, ended;

  if (!capture) DeviceCall(cudaStreamCreateWithFlags(&capture, cudaStreamNonBlocking));
  DeviceCall(cudaStreamBeginCapture(capture, cudaStreamCaptureModeThreadLocal));
  error = dim == 3 ? Launch<3>(capture) : Launch<2>(capture);
  ended = cudaStreamEndCapture(capture, &made);
  DeviceCall(error);
  DeviceCall(ended);
  error = cudaGraphInstantiate(&graph, made, 0);
  (void)cudaGraphDestroy(made);
  if (error != cudaSuccess) graph = nullptr;
  return error;
}

cudaError_t NetworkDevice::Data::Apply(cudaStream_t stream, const double r[], double factor, double z[])
{
  DeviceCall(order.Enter(stream));
  if (known.r != r || known.z != z || known.factor != factor) {
    known.r = nullptr;
    DeviceCall(DeviceLaunch(SetRecord, dim3(1), dim3(1), 0, stream, record.p, r, z, factor * scale));
    known.r      = r;
    known.z      = z;
    known.factor = factor;
  }
  if (!graph) DeviceCall(Capture());
  return cudaGraphLaunch(graph, stream);
}

cudaError_t NetworkDevice::Data::ApplyStaged(cudaStream_t stream, size_t count, const double r[], bool ronhost, double factor, double z[], bool zonhost)
{
  DeviceCall(order.Enter(stream));
  if (ronhost) {
    DeviceCall(in.Resize(count));
    DeviceCall(cudaMemcpyAsync(in.p, r, count * sizeof(double), cudaMemcpyHostToDevice, stream));
  }
  if (zonhost) DeviceCall(out.Resize(count));
  DeviceCall(Apply(stream, ronhost ? in.p : r, factor, zonhost ? out.p : z));
  if (!zonhost) return cudaSuccess;
  DeviceCall(cudaMemcpyAsync(z, out.p, count * sizeof(double), cudaMemcpyDeviceToHost, stream));
  return cudaStreamSynchronize(stream);
}

NetworkDevice::NetworkDevice() : data(new Data) {}

NetworkDevice::~NetworkDevice()
{
  data->Free();
  delete data;
}

int NetworkDevice::SetNetwork(const Network &network)
{
  const auto set = [&] {
    DeviceCall(data->ForgetGraph());
    DeviceCall(cudaDeviceSynchronize());
    DeviceCall(data->SetLists(network));
    DeviceCall(data->SetKernels(network));
    return cudaDeviceSynchronize();
  };

  return DeviceError(set());
}

int NetworkDevice::SetKernels(const Network &network)
{
  const auto set = [&] {
    DeviceCall(data->ForgetGraph());
    DeviceCall(cudaDeviceSynchronize());
    DeviceCall(data->SetKernels(network));
    return cudaDeviceSynchronize();
  };

  return DeviceError(set());
}

int NetworkDevice::SetVectors(const Network &network, const ptrdiff_t offset[], size_t n, const double scaling[], size_t nother, const size_t other[], const double otherinv[])
{
  return DeviceError(data->SetVectors(network, offset, n, scaling, nother, other, otherinv));
}

int NetworkDevice::Apply(void *stream, const double r[], double factor, double z[])
{
  return DeviceError(data->Apply((cudaStream_t)stream, r, factor, z));
}

int NetworkDevice::ApplyStaged(void *stream, size_t n, const double r[], bool ronhost, double factor, double z[], bool zonhost)
{
  return DeviceError(data->ApplyStaged((cudaStream_t)stream, n, r, ronhost, factor, z, zonhost));
}

size_t NetworkDevice::Memory() const
{
  size_t bytes = data->words.n * sizeof(Word) + (data->scaling.n + data->otherinv.n + data->in.n + data->out.n) * sizeof(double) + data->other.n * sizeof(int) + data->cells.n * sizeof(SmallCell);

  for (const DeviceLevel &L : data->level) bytes += L.Memory();
  return bytes;
}

int NetworkDevice::Launches() const
{
  return data->launches;
}

} // namespace neural
} // namespace petlap
