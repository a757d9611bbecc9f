/*
  Matrix families on structured grids and meshes. Random numbers are a hash of the place and the seed, so that a value does not depend on the order in which values are made.
*/
#include "tests/bench/families.h"
#include <petscdmda.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

const char *const BenchFamilyNames = "lap5, neumann, var5, darcyCONTRAST, epdALPHA:LAMBDA, cd5, cd5c, aniso9, helK, rdeconv, udeconv, mattingLAMBDA, color, lap7, lap7n, fem27, mesh1, meshd, cotan, cotanbad, closed";

static uint64_t Hash(uint64_t seed, uint64_t i)
{
  uint64_t z = i * 0x9e3779b97f4a7c15u + seed * 0xd1b54a32d192ed03u + 0x2545f4914f6cdd1du;

  for (int k = 0; k < 2; k++) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
  }
  return z;
}

/* In (0, 1) */
static PetscReal Uniform(uint64_t seed, uint64_t i)
{
  return ((PetscReal)(Hash(seed, i) >> 12) + 0.5) / 4503599627370496.0;
}

static PetscReal Normal(uint64_t seed, uint64_t i)
{
  return std::sqrt(-2.0 * std::log(Uniform(seed, 2 * i))) * std::cos(2.0 * PETSC_PI * Uniform(seed, 2 * i + 1));
}

/* Where the entries of a row stand: lower neighbours first, as in a sorted CSR row */
struct Grid {
  PetscInt n[3];

  explicit Grid(const BenchFamily &f) : n{f.nx, f.ny, f.nz} {}
  PetscInt node(const PetscInt at[]) const
  {
    return at[0] + n[0] * (at[1] + n[1] * at[2]);
  }
  PetscInt low(const PetscInt at[], int d) const
  {
    return at[d] > 0;
  }
  PetscInt width(const PetscInt at[], int d) const
  {
    return 1 + (at[d] > 0) + (at[d] < n[d] - 1);
  }
  PetscInt size(const PetscInt at[], bool box) const
  {
    return box ? width(at, 0) * width(at, 1) * width(at, 2) : width(at, 0) + width(at, 1) + width(at, 2) - 2;
  }
  bool inside(const PetscInt at[], int d, int side) const
  {
    return at[d] + side >= 0 && at[d] + side < n[d];
  }
  PetscInt neighbour(const PetscInt at[], int d, int side) const
  {
    return node(at) + side * (d == 0 ? 1 : d == 1 ? n[0] : n[0] * n[1]);
  }
  /* Place in a row of a box stencil of the neighbour at distance to[] */
  PetscInt place(const PetscInt at[], const PetscInt to[]) const
  {
    return to[0] + low(at, 0) + width(at, 0) * (to[1] + low(at, 1) + width(at, 1) * (to[2] + low(at, 2)));
  }
};

template <typename Body>
static void ForEachNode(const Grid &g, Body body)
{
  PetscInt at[3];

  for (at[2] = 0; at[2] < g.n[2]; at[2]++) {
    for (at[1] = 0; at[1] < g.n[1]; at[1]++) {
      for (at[0] = 0; at[0] < g.n[0]; at[0]++) body(at);
    }
  }
}

static std::vector<PetscInt> RowStarts(const BenchFamily &f, const Grid &g)
{
  std::vector<PetscInt> start(1, 0);

  start.reserve((size_t)g.n[0] * g.n[1] * g.n[2] + 1);
  ForEachNode(g, [&](const PetscInt at[]) { start.push_back(start.back() + g.size(at, f.box)); });
  return start;
}

/* weight(at, d, side) is the coupling to a neighbour, also to those outside, which Dirichlet conditions leave on the diagonal only; excess is added to the diagonal */
template <typename Weight>
static void FillStar(const Grid &g, const std::vector<PetscInt> &start, PetscReal excess, PetscScalar a[], Weight weight)
{
  ForEachNode(g, [&](const PetscInt at[]) {
    const int    dim = g.n[2] > 1 ? 3 : 2;
    PetscScalar *v   = a + start[g.node(at)];
    PetscReal    sum = excess;

    for (int side = -1; side <= 1; side += 2) {
      for (int k = 0; k < dim; k++) {
        const int       d = side < 0 ? dim - 1 - k : k;
        const PetscReal w = weight(at, d, side);

        sum += w;
        if (g.inside(at, d, side)) *v++ = -w;
      }
      if (side < 0) v++;
    }
    v  = a + start[g.node(at)] + g.low(at, 0) + g.low(at, 1) + g.low(at, 2);
    *v = sum;
  });
}

/* Q1 elements of edge 1: tensor (xx, yy, xy) of a cell for the gradients, mass for the values */
template <typename Tensor>
static void FillElements(const Grid &g, const std::vector<PetscInt> &start, PetscReal mass, PetscScalar a[], Tensor tensor)
{
  static const PetscReal K[2][2] = {{1, -1}, {-1, 1}}, M[2][2] = {{1.0 / 3, 1.0 / 6}, {1.0 / 6, 1.0 / 3}}, C[2][2] = {{-0.5, -0.5}, {0.5, 0.5}};
  const bool             solid    = g.n[2] > 1;
  const int              ncorners = solid ? 8 : 4;

  std::fill(a, a + start.back(), 0.0);
  ForEachNode(g, [&](const PetscInt cell[]) {
    PetscReal t[3] = {1, 1, 0};

    if (cell[0] == g.n[0] - 1 || cell[1] == g.n[1] - 1 || (solid && cell[2] == g.n[2] - 1)) return;
    tensor(cell, t);
    for (int p = 0; p < ncorners; p++) {
      const int      px = p & 1, py = p >> 1 & 1, pz = p >> 2;
      const PetscInt at[3] = {cell[0] + px, cell[1] + py, cell[2] + pz};

      for (int q = 0; q < ncorners; q++) {
        const int       qx = q & 1, qy = q >> 1 & 1, qz = q >> 2;
        const PetscInt  to[3] = {qx - px, qy - py, qz - pz};
        const PetscReal kx = K[px][qx], ky = K[py][qy], kz = K[pz][qz], mx = M[px][qx], my = M[py][qy], mz = M[pz][qz];
        PetscScalar    &v = a[start[g.node(at)] + g.place(at, to)];

        if (solid)
          v += t[0] * (kx * my * mz + mx * ky * mz + mx * my * kz) + mass * mx * my * mz;
        else
          v += t[0] * kx * my + t[1] * mx * ky + t[2] * (C[px][qx] * C[qy][py] + C[qx][px] * C[py][qy]) + mass * mx * my;
      }
    }
  });
}

/* Edges between the cells of a grid with coefficients k: harmonic means; the boundary is as far from a cell as another cell would be */
static void FillCoefficients(const Grid &g, const std::vector<PetscInt> &start, const std::vector<PetscReal> &k, PetscScalar a[])
{
  FillStar(g, start, 0.0, a, [&](const PetscInt at[], int d, int side) {
    const PetscReal mine = k[g.node(at)];

    if (!g.inside(at, d, side)) return mine;
    const PetscReal yours = k[g.neighbour(at, d, side)];
    return 2.0 * mine * yours / (mine + yours);
  });
}

/* weight(at, k, to) of the neighbour at distance to, k-th in the stencil without clipping */
template <typename Weight>
static void FillBox(const Grid &g, const std::vector<PetscInt> &start, PetscScalar a[], Weight weight)
{
  ForEachNode(g, [&](const PetscInt at[]) {
    PetscScalar *v     = a + start[g.node(at)];
    PetscInt     to[3] = {0, 0, 0};

    for (to[1] = -1; to[1] <= 1; to[1]++) {
      for (to[0] = -1; to[0] <= 1; to[0]++) {
        if (at[0] + to[0] < 0 || at[0] + to[0] >= g.n[0] || at[1] + to[1] < 0 || at[1] + to[1] >= g.n[1]) continue;
        *v++ = weight(at, to[0] + 1 + 3 * (to[1] + 1), to);
      }
    }
  });
}

/* 1 and 0 where the user would have marked foreground and background, -1 where the answer is sought: a band of a twelfth of the picture round a disc */
static PetscReal Trimap(const BenchFamily &f, const PetscInt at[])
{
  const PetscReal x = (at[0] + 0.5) / f.nx - 0.5, y = (at[1] + 0.5) / f.ny - 0.5, r = std::sqrt(x * x + y * y);

  return r < 0.24 ? 1.0 : r > 0.36 ? 0.0 : -1.0;
}

static std::vector<PetscReal> Luminance(const BenchFamily &f)
{
  std::vector<PetscReal> y((size_t)f.nx * f.ny);

  for (size_t i = 0; i < y.size(); i++) y[i] = 0.299 * f.picture.rgb[3 * i] + 0.587 * f.picture.rgb[3 * i + 1] + 0.114 * f.picture.rgb[3 * i + 2];
  return y;
}

/* The logarithm of the darkest pixels must stay finite; 1e-3 is less than one step of 255 */
static std::vector<PetscReal> LogLuminance(const BenchFamily &f)
{
  std::vector<PetscReal> y = Luminance(f);

  for (PetscReal &v : y) v = std::log(v + 1e-3);
  return y;
}

/* Where the user would have drawn colours: 17 strokes of length 0.15 and width 0.006 of the picture, about 1.5% of the pixels; 0 elsewhere, else the colour from 1 to 2 */
static std::vector<PetscReal> Strokes(const BenchFamily &f)
{
  std::vector<PetscReal> colour((size_t)f.nx * f.ny, 0.0);

  for (PetscInt k = 0; k < 17; k++) {
    const PetscReal x = 0.1 + 0.8 * Uniform(77, 4 * k), y = 0.1 + 0.8 * Uniform(77, 4 * k + 1), angle = PETSC_PI * Uniform(77, 4 * k + 2), value = 1.0 + Uniform(77, 4 * k + 3);
    const PetscReal c = std::cos(angle), s = std::sin(angle);

    /* On a coarse grid a stroke may miss every pixel, and without strokes the matrix would be singular */
    colour[(PetscInt)(x * f.nx) + f.nx * (PetscInt)(y * f.ny)] = value;
    for (PetscInt j = (PetscInt)PetscMax((y - 0.08) * f.ny, 0.0); j < PetscMin((y + 0.08) * f.ny, (PetscReal)f.ny); j++) {
      for (PetscInt i = (PetscInt)PetscMax((x - 0.08) * f.nx, 0.0); i < PetscMin((x + 0.08) * f.nx, (PetscReal)f.nx); i++) {
        const PetscReal u = (i + 0.5) / f.nx - x, v = (j + 0.5) / f.ny - y;

        if (PetscAbsReal(c * u + s * v) < 0.075 && PetscAbsReal(c * v - s * u) < 0.003) colour[i + f.nx * j] = value;
      }
    }
  }
  return colour;
}

/* affinity(i, j) of neighbouring pixels, excess(at) is added to the diagonal */
template <typename Affinity, typename Excess>
static void FillPixels(const Grid &g, const std::vector<PetscInt> &start, PetscScalar a[], Affinity affinity, Excess excess)
{
  FillBox(g, start, a, [&](const PetscInt at[], PetscInt, const PetscInt to[]) {
    PetscReal sum = excess(at);

    if (to[0] || to[1]) return -affinity(g.node(at), g.node(at) + to[0] + g.n[0] * to[1]);
    for (PetscInt y = std::max(at[1] - 1, (PetscInt)0); y <= std::min(at[1] + 1, g.n[1] - 1); y++) {
      for (PetscInt x = std::max(at[0] - 1, (PetscInt)0); x <= std::min(at[0] + 1, g.n[0] - 1); x++) {
        if (x != at[0] || y != at[1]) sum += affinity(g.node(at), x + g.n[0] * y);
      }
    }
    return sum;
  });
}

static PetscErrorCode Fill(const BenchFamily &f, PetscInt version, PetscScalar a[])
{
  const Grid                  g(f);
  const std::vector<PetscInt> start = RowStarts(f, g);
  const PetscReal             scale = 1.0 + version / 128.0; /* makes the values of families without random numbers new */
  const uint64_t              seed  = 1 + (uint64_t)version;

  PetscFunctionBegin;
  if (f.kind == "lap5" || f.kind == "lap7") {
    FillStar(g, start, 0.0, a, [&](const PetscInt *, int, int) { return scale; });
  } else if (f.kind == "neumann" || f.kind == "lap7n") {
    /* In three dimensions with Dirichlet conditions on the top, as a fluid with a free surface */
    FillStar(g, start, 0.0, a, [&](const PetscInt at[], int d, int side) { return g.inside(at, d, side) || (d == 2 && side > 0) ? scale : 0.0; });
  } else if (f.kind == "epd") {
    const std::vector<PetscReal> y = LogLuminance(f);

    FillStar(g, start, f.shift, a, [&](const PetscInt at[], int d, int side) {
      if (!g.inside(at, d, side)) return (PetscReal)0.0;
      return scale * f.second / (std::pow(PetscAbsReal(y[g.node(at)] - y[g.neighbour(at, d, side)]), f.parameter) + 1e-4);
    });
  } else if (f.kind == "darcy") {
    /* Blocks of 8 x 8 cells */
    std::vector<PetscReal> k((size_t)f.nx * f.ny);

    for (PetscInt y = 0; y < f.ny; y++) {
      for (PetscInt x = 0; x < f.nx; x++) k[x + f.nx * y] = std::pow(f.parameter, Uniform(seed, x / 8 + ((uint64_t)(y / 8) << 20)));
    }
    FillCoefficients(g, start, k, a);
  } else if (f.kind == "var5") {
    std::vector<PetscReal> k((size_t)f.nx * f.ny * f.nz);

    for (size_t i = 0; i < k.size(); i++) k[i] = std::exp(Normal(seed, i));
    FillCoefficients(g, start, k, a);
  } else if (f.kind == "cd5" || f.kind == "cd5c") {
    /* A vortex that turns with the version. The Peclet number of a cell is 10 with upwind and 1 with central differences, which would lose the
       maximum principle beyond 2. */
    const bool      upwind = f.kind == "cd5";
    const PetscReal peclet = upwind ? 10.0 : 1.0, angle = 0.3 * version;

    FillStar(g, start, 0.0, a, [&](const PetscInt at[], int d, int side) {
      const PetscReal x = 2.0 * (at[0] + 1) / (f.nx + 1) - 1.0, y = 2.0 * (at[1] + 1) / (f.ny + 1) - 1.0;
      const PetscReal v = peclet * (d == 0 ? std::cos(angle) * y + std::sin(angle) * x : std::sin(angle) * y - std::cos(angle) * x);

      /* Flow from the neighbour strengthens the coupling to it */
      return upwind ? 1.0 + std::max(-side * v, (PetscReal)0.0) : 1.0 - 0.5 * side * v;
    });
  } else if (f.kind == "aniso9") {
    FillElements(g, start, 1e-4, a, [&](const PetscInt cell[], PetscReal t[]) {
      const PetscReal angle = PETSC_PI * Uniform(seed, g.node(cell)), c = std::cos(angle), s = std::sin(angle);

      t[0] = c * c + 0.01 * s * s;
      t[1] = s * s + 0.01 * c * c;
      t[2] = 0.99 * c * s;
    });
  } else if (f.kind == "hel") {
    FillElements(g, start, -scale * f.parameter / 64.0, a, [&](const PetscInt *, PetscReal t[]) {
      t[0] = t[1] = scale;
      t[2]        = 0.0;
    });
  } else if (f.kind == "fem27") {
    FillElements(g, start, 1e-4, a, [&](const PetscInt cell[], PetscReal t[]) { t[0] = std::exp(Normal(seed, g.node(cell))); });
  } else if (f.kind == "rdeconv") {
    FillBox(g, start, a, [&](const PetscInt at[], PetscInt k, const PetscInt *) { return Normal(seed, 9 * g.node(at) + k); });
  } else if (f.kind == "udeconv") {
    FillBox(g, start, a, [&](const PetscInt at[], PetscInt k, const PetscInt *) { return 2.0 * Uniform(seed, 9 * g.node(at) + k) - 1.0; });
  } else if (f.kind == "color") {
    const std::vector<PetscReal> y = Luminance(f), colour = Strokes(f);

    FillPixels(
      g, start, a, [&](PetscInt i, PetscInt j) { return scale * PetscMax(std::exp(-(y[i] - y[j]) * (y[i] - y[j]) / (2.0 * 0.05 * 0.05)), 1e-6); }, [&](const PetscInt at[]) { return colour[g.node(at)] > 0.0 ? scale : 0.0; });
  } else {
    /* Pixels of similar colour are coupled; the smallest weight keeps the graph of a black and white picture connected */
    const auto affinity = [&](PetscInt i, PetscInt j) {
      PetscReal sum = 0.0;

      for (int c = 0; c < 3; c++) {
        const PetscReal difference = f.picture.rgb[3 * i + c] - f.picture.rgb[3 * j + c];

        sum += difference * difference;
      }
      return scale * (std::exp(-sum / (2.0 * 0.033 * 0.033)) + 1e-6);
    };
    FillPixels(g, start, a, affinity, [&](const PetscInt at[]) { return Trimap(f, at) >= 0.0 ? scale * f.parameter : 0.0; });
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Bilinear */
static PetscErrorCode LoadPicture(const char filename[], PetscInt nx, PetscInt ny, BenchPicture *picture)
{
  std::vector<PetscReal>     rgb((size_t)3 * nx * ny);
  std::vector<unsigned char> p;
  FILE                      *file = std::fopen(filename, "rb");
  int                        w = 0, h = 0;
  size_t                     size = 0;

  PetscFunctionBegin;
  PetscCheck(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "Cannot open the picture %s", filename);
  if (std::fscanf(file, "P6 %d %d 255", &w, &h) == 2 && std::fgetc(file) == '\n' && w > 0 && h > 0 && w < 100000 && h < 100000) {
    p.resize((size_t)3 * w * h);
    size = std::fread(p.data(), 1, p.size(), file);
  }
  std::fclose(file);
  PetscCheck(size > 0 && size == p.size(), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s is no binary PPM picture: make it with tests/bench/picture.py", filename);
  for (PetscInt y = 0; y < ny; y++) {
    for (PetscInt x = 0; x < nx; x++) {
      const PetscReal u = PetscMin(PetscMax((x + 0.5) * w / nx - 0.5, 0.0), w - 1.0), t = PetscMin(PetscMax((y + 0.5) * h / ny - 0.5, 0.0), h - 1.0);
      const int       u0 = (int)u, t0 = (int)t, u1 = PetscMin(u0 + 1, w - 1), t1 = PetscMin(t0 + 1, h - 1);

      for (int c = 0; c < 3; c++) {
        const auto at = [&](int i, int j) { return p[3 * (i + (size_t)w * j) + c] / (PetscReal)255; };

        rgb[3 * (x + nx * y) + c] = (1 - (t - t0)) * ((1 - (u - u0)) * at(u0, t0) + (u - u0) * at(u1, t0)) + (t - t0) * ((1 - (u - u0)) * at(u0, t1) + (u - u0) * at(u1, t1));
      }
    }
  }
  picture->nx = nx;
  picture->ny = ny;
  picture->rgb.swap(rgb);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Big-endian numbers of the file, count at a time */
template <typename Bits, typename Body>
static bool ReadNumbers(FILE *file, PetscInt count, Body body)
{
  std::vector<unsigned char> buffer(sizeof(Bits) * (size_t)65536);

  for (PetscInt i = 0; i < count;) {
    const PetscInt some = PetscMin(count - i, 65536);

    if (std::fread(buffer.data(), sizeof(Bits), (size_t)some, file) != (size_t)some) return false;
    for (PetscInt k = 0; k < some; k++) {
      Bits bits = 0;

      for (size_t byte = 0; byte < sizeof(Bits); byte++) bits = bits << 8 | buffer[sizeof(Bits) * k + byte];
      body(i++, bits);
    }
  }
  return true;
}

/* A matrix in PETSc's binary format with 32-bit indices and real values. MatLoad() only reads those of its own index size and scalars. */
static PetscErrorCode LoadMesh(const char filename[], Mat *A)
{
  FILE                    *file    = std::fopen(filename, "rb");
  PetscInt                 head[4] = {0, 0, 0, 0};
  std::vector<PetscInt>    start, columns;
  std::vector<PetscScalar> a;
  bool                     ok;

  PetscFunctionBegin;
  PetscCheck(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "Cannot open the mesh %s: make it with tests/bench/mesh.py", filename);
  ok = ReadNumbers<uint32_t>(file, 4, [&](PetscInt i, uint32_t v) { head[i] = (PetscInt)v; }) && head[0] == MAT_FILE_CLASSID && head[1] > 0 && head[1] == head[2] && head[3] > 0;
  if (ok) {
    start.assign((size_t)head[1] + 1, 0);
    columns.resize((size_t)head[3]);
    a.resize((size_t)head[3]);
    ok = ReadNumbers<uint32_t>(file, head[1], [&](PetscInt i, uint32_t v) { start[i + 1] = start[i] + (PetscInt)v; }) && start[head[1]] == head[3];
    ok = ok && ReadNumbers<uint32_t>(file, head[3], [&](PetscInt i, uint32_t v) { columns[i] = (PetscInt)v; });
    ok = ok && ReadNumbers<uint64_t>(file, head[3], [&](PetscInt i, uint64_t v) {
           double value;

           std::memcpy(&value, &v, sizeof(value));
           a[i] = value;
         });
  }
  std::fclose(file);
  PetscCheck(ok, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s is no square matrix in PETSc's binary format with 32-bit indices", filename);
  PetscCall(MatCreate(PETSC_COMM_SELF, A));
  PetscCall(MatSetSizes(*A, head[1], head[1], head[1], head[1]));
  PetscCall(MatSetType(*A, MATSEQAIJ));
  PetscCall(MatSeqAIJSetPreallocationCSR(*A, start.data(), columns.data(), a.data()));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchFamilyCreate(const char name[], PetscInt nx, PetscInt ny, PetscInt nz, const char picture[], const char mesh[], BenchFamily *f)
{
  enum { STAR, BOX, MESH };
  enum { GENERAL, INDEFINITE, SINGULAR, DEFINITE };
  static const struct {
    const char *kind;
    int         parameters, stencil, dimension, type;
    bool        picture;
  } known[] = {
    {"lap5", 0, STAR, 2, DEFINITE, false},  {"neumann", 0, STAR, 2, SINGULAR, false},  {"var5", 0, STAR, 2, DEFINITE, false},   {"darcy", 1, STAR, 2, DEFINITE, false}, {"epd", 2, STAR, 2, DEFINITE, true},    {"cd5", 0, STAR, 2, GENERAL, false},
    {"cd5c", 0, STAR, 2, GENERAL, false},   {"aniso9", 0, BOX, 2, DEFINITE, false},    {"hel", 1, BOX, 2, INDEFINITE, false},   {"rdeconv", 0, BOX, 2, GENERAL, false}, {"udeconv", 0, BOX, 2, GENERAL, false}, {"matting", 1, BOX, 2, DEFINITE, true},
    {"color", 0, BOX, 2, DEFINITE, true},   {"lap7", 0, STAR, 3, DEFINITE, false},     {"lap7n", 0, STAR, 3, DEFINITE, false},  {"fem27", 0, BOX, 3, DEFINITE, false},  {"mesh1", 0, MESH, 2, DEFINITE, false}, {"meshd", 0, MESH, 2, DEFINITE, false},
    {"cotan", 0, MESH, 2, DEFINITE, false}, {"cotanbad", 0, MESH, 2, DEFINITE, false}, {"closed", 0, MESH, 2, SINGULAR, false},
  };

  PetscFunctionBegin;
  for (const auto &k : known) {
    const size_t length   = std::strlen(k.kind);
    double       value[2] = {0.0, 0.0};
    const char  *rest     = name + length;
    bool         match    = !std::strncmp(name, k.kind, length);

    for (int i = 0; match && i < k.parameters; i++) {
      char *end;

      /* A comma would end the name in a list */
      if (i > 0) match = *rest == ':' || *rest == ',';
      if (match) {
        value[i] = std::strtod(rest + (i > 0), &end);
        match    = end > rest + (i > 0);
        rest     = end;
      }
    }
    if (!match || *rest) continue;
    for (int i = 0; i < k.parameters; i++) PetscCheck(value[i] > 0.0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "The numbers in %s must be positive", name);
    PetscCheck(k.stencil == MESH || (nx > 1 && ny > 1 && (k.dimension == 2 || nz > 1)), PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "%s needs at least two points in each direction: give larger -bench_nx, -bench_ny, -bench_nz", name);
    f->kind      = k.kind;
    f->parameter = value[0];
    f->second    = value[1];
    f->nx        = nx;
    f->ny        = ny;
    f->nz        = k.dimension == 3 ? nz : 1;
    f->box       = k.stencil == BOX;
    f->symmetric = k.type != GENERAL;
    f->definite  = k.type == DEFINITE;
    f->singular  = k.type == SINGULAR;
    f->mesh.clear();
    if (k.stencil == MESH) {
      PetscCheck(mesh && mesh[0], PETSC_COMM_SELF, PETSC_ERR_USER, "%s needs a mesh: -bench_mesh FILE, made with tests/bench/mesh.py", name);
      f->mesh = mesh;
    }
    if (k.picture) {
      PetscCheck(picture && picture[0], PETSC_COMM_SELF, PETSC_ERR_USER, "%s needs a picture: -bench_picture FILE, made with tests/bench/picture.py", name);
      PetscCall(LoadPicture(picture, nx, ny, &f->picture));
    }
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  SETERRQ(PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "Unknown family %s: take one of %s", name, BenchFamilyNames);
}

PetscErrorCode BenchFamilySetValues(const BenchFamily &f, PetscInt version, Mat A)
{
  PetscScalar *a;

  PetscFunctionBegin;
  PetscCheck(f.mesh.empty(), PETSC_COMM_SELF, PETSC_ERR_SUP, "%s has no other values: -bench_refactors 0", f.kind.c_str());
  PetscCall(MatSeqAIJGetArray(A, &a));
  PetscCall(Fill(f, version, a));
  PetscCall(MatSeqAIJRestoreArray(A, &a));
  /* What PETSc has derived from the old values, such as the inverse diagonal, goes */
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchFamilyFromOptions(const char name[], BenchFamily *f)
{
  char     family[64], picture[PETSC_MAX_PATH_LEN] = "", mesh[PETSC_MAX_PATH_LEN] = "";
  PetscInt n = 257, nx, ny, nz;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(family, name, sizeof(family)));
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Matrix families", nullptr);
  PetscCall(PetscOptionsString("-bench_family", BenchFamilyNames, "", family, family, sizeof(family), nullptr));
  PetscCall(PetscOptionsString("-bench_picture", "Picture of the families matting, epd and color", "", picture, picture, sizeof(picture), nullptr));
  PetscCall(PetscOptionsString("-bench_mesh", "Matrix of a mesh", "", mesh, mesh, sizeof(mesh), nullptr));
  PetscCall(PetscOptionsInt("-bench_n", "Points in each direction", "", n, &n, nullptr));
  nx = ny = nz = n;
  PetscCall(PetscOptionsInt("-bench_nx", "Points in x", "", nx, &nx, nullptr));
  PetscCall(PetscOptionsInt("-bench_ny", "Points in y", "", ny, &ny, nullptr));
  PetscCall(PetscOptionsInt("-bench_nz", "Points in z, of families in three dimensions", "", nz, &nz, nullptr));
  PetscCall(PetscOptionsReal("-bench_shift", "What the family epd adds to the diagonal", "", f->shift, &f->shift, nullptr));
  PetscOptionsEnd();
  PetscCall(BenchFamilyCreate(family, nx, ny, nz, picture, mesh, f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchFamilyCreateMat(const BenchFamily &f, PetscInt version, PetscBool dm, PetscBool flags, Mat *A)
{
  const Grid     g(f);
  const PetscInt n = f.nx * f.ny * f.nz;

  PetscFunctionBegin;
  if (!f.mesh.empty()) {
    PetscCheck(version == 0 && !dm, PETSC_COMM_SELF, PETSC_ERR_SUP, "%s has one version and no DMDA", f.kind.c_str());
    PetscCall(LoadMesh(f.mesh.c_str(), A));
  } else {
    const std::vector<PetscInt> start = RowStarts(f, g);
    std::vector<PetscInt>       columns((size_t)start.back());
    std::vector<PetscScalar>    a((size_t)start.back());
    PetscInt                   *j = columns.data();

    ForEachNode(g, [&](const PetscInt at[]) {
      PetscInt to[3];

      for (to[2] = -1; to[2] <= 1; to[2]++) {
        for (to[1] = -1; to[1] <= 1; to[1]++) {
          for (to[0] = -1; to[0] <= 1; to[0]++) {
            const PetscInt other[3] = {at[0] + to[0], at[1] + to[1], at[2] + to[2]};
            bool           inside   = f.box || std::abs(to[0]) + std::abs(to[1]) + std::abs(to[2]) <= 1;

            for (int d = 0; d < 3; d++) inside = inside && other[d] >= 0 && other[d] < g.n[d];
            if (inside) *j++ = g.node(other);
          }
        }
      }
    });
    PetscCall(Fill(f, version, a.data()));
    PetscCall(MatCreate(PETSC_COMM_SELF, A));
    PetscCall(MatSetSizes(*A, n, n, n, n));
    PetscCall(MatSetType(*A, MATSEQAIJ));
    PetscCall(MatSeqAIJSetPreallocationCSR(*A, start.data(), columns.data(), a.data()));
  }
  if (flags && f.symmetric) {
    PetscCall(MatSetOption(*A, MAT_SYMMETRIC, PETSC_TRUE));
    PetscCall(MatSetOption(*A, MAT_HERMITIAN, PETSC_TRUE));
    /* Assembling again must not forget it */
    PetscCall(MatSetOption(*A, MAT_SYMMETRY_ETERNAL, PETSC_TRUE));
  }
  if (flags && f.definite) PetscCall(MatSetOption(*A, MAT_SPD, PETSC_TRUE));
  if (f.singular) {
    MatNullSpace constants;

    PetscCall(MatNullSpaceCreate(PETSC_COMM_SELF, PETSC_TRUE, 0, nullptr, &constants));
    PetscCall(MatSetNullSpace(*A, constants));
    PetscCall(MatSetTransposeNullSpace(*A, constants));
    PetscCall(MatNullSpaceDestroy(&constants));
  }
  if (dm) {
    const DMDAStencilType stencil = f.box ? DMDA_STENCIL_BOX : DMDA_STENCIL_STAR;
    DM                    da;

    if (f.nz > 1)
      PetscCall(DMDACreate3d(PETSC_COMM_SELF, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, stencil, f.nx, f.ny, f.nz, 1, 1, 1, 1, 1, nullptr, nullptr, nullptr, &da));
    else
      PetscCall(DMDACreate2d(PETSC_COMM_SELF, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, stencil, f.nx, f.ny, 1, 1, 1, 1, nullptr, nullptr, &da));
    PetscCall(DMSetUp(da));
    PetscCall(MatSetDM(*A, da));
    PetscCall(DMDestroy(&da));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchFamilyCreateVec(const BenchFamily &f, Mat A, PetscInt seed, Vec *x)
{
  PetscScalar *v;
  PetscInt     n;

  PetscFunctionBegin;
  PetscCall(MatCreateVecs(A, x, nullptr));
  PetscCall(VecGetLocalSize(*x, &n));
  PetscCall(VecGetArrayWrite(*x, &v));
  for (PetscInt i = 0; i < n; i++) v[i] = Normal(1000000 + (uint64_t)seed, i);
  PetscCall(VecRestoreArrayWrite(*x, &v));
  if (f.singular) {
    MatNullSpace constants;

    PetscCall(MatGetNullSpace(A, &constants));
    PetscCall(MatNullSpaceRemove(constants, *x));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchFamilyCreateRHS(const BenchFamily &f, Mat A, Vec *b)
{
  PetscFunctionBegin;
  PetscCall(BenchFamilyCreateVec(f, A, 0, b));
  if (!f.picture.rgb.empty()) {
    PetscScalar           *v;
    std::vector<PetscReal> data;

    if (f.kind == "epd") {
      data = LogLuminance(f);
      for (PetscReal &value : data) value *= f.shift;
    } else if (f.kind == "color") {
      data = Strokes(f);
    } else {
      ForEachNode(Grid(f), [&](const PetscInt at[]) { data.push_back(f.parameter * PetscMax(Trimap(f, at), 0.0)); });
    }
    PetscCall(VecGetArrayWrite(*b, &v));
    std::copy(data.begin(), data.end(), v);
    PetscCall(VecRestoreArrayWrite(*b, &v));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
