#pragma once

#include <petscmat.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

/*
  Laplacians of graphs by options, for tests:

    -kind grid|nine|space|random|path|star|hub|complete|tree|mesh|q1   the graph; hub is a star whose middle comes first, q1 finite elements on a grid stretched by -eps
    -n nx,ny,nz                      its size
    -boundary dirichlet|neumann      whether there is a row sum at the ends of a grid, path, star and so on, or none at all
    -weights one|jump|span|graded    weights of the edges: 1; 1 or 1e4 by regions; 10 to the power of a random number between 0 and -span_log, negative; a power
                                     of ten for each of the components, which becomes smaller by -span_log from the first to the last
    -components k                    as many copies side by side
    -data k                          a data term on every k-th vertex
    -isolated k, -alone k            as many further rows that are zero, or that have a diagonal alone
    -identity columns|rows           every 7th row becomes one of the unit matrix; its column stays, or goes as well
    -zeros                           with explicit zeros
    -negative, -factor f             the matrix is multiplied by -1, by f
    -scaled                          D A D with a random diagonal matrix D: symmetric positive definite, but not diagonally dominant
    -shuffle                         random numbers for the vertices
    -seed s
*/
struct Laplacian {
  struct Edge {
    PetscInt  i, j;
    PetscReal w;
  };
  PetscInt               n = 0;
  std::vector<Edge>      edge;
  std::vector<PetscReal> excess, scale;
  std::vector<PetscBool> identity; /* rows of the unit matrix */
  PetscBool              keepcolumns = PETSC_FALSE, zeros = PETSC_FALSE;
  PetscReal              factor = 1.0;
  uint64_t               state  = 1;

  /* In [0, 1) */
  PetscReal Random()
  {
    state += 0x9e3779b97f4a7c15ull;
    uint64_t z = state;
    z          = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z          = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return (PetscReal)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
  }

  PetscErrorCode Make(const char prefix[]);
  PetscErrorCode Assemble(Mat *A) const;
  /* Removes the mean of every component that has no excess */
  PetscErrorCode RemoveConstants(Vec x) const;

private:
  void Connect(PetscInt i, PetscInt j, PetscReal w)
  {
    edge.push_back({i, j, w});
  }
};

inline PetscErrorCode Laplacian::Make(const char prefix[])
{
  char      kind[32] = "grid", boundary[32] = "dirichlet", weights[32] = "one", rows[32] = "";
  PetscInt  size[3] = {20, 20, 1}, nsize = 3, ncomponents = 1, data = 0, nisolated = 0, nalone = 0, seed = 1;
  PetscReal span = 4.0, eps = 0.1;
  PetscBool negative = PETSC_FALSE, scaled = PETSC_FALSE, shuffle = PETSC_FALSE, has, dirichlet;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetString(NULL, prefix, "-kind", kind, sizeof(kind), NULL));
  PetscCall(PetscOptionsGetString(NULL, prefix, "-boundary", boundary, sizeof(boundary), NULL));
  PetscCall(PetscOptionsGetString(NULL, prefix, "-weights", weights, sizeof(weights), NULL));
  PetscCall(PetscOptionsGetString(NULL, prefix, "-identity", rows, sizeof(rows), &has));
  PetscCall(PetscOptionsGetIntArray(NULL, prefix, "-n", size, &nsize, NULL));
  PetscCall(PetscOptionsGetInt(NULL, prefix, "-components", &ncomponents, NULL));
  PetscCall(PetscOptionsGetInt(NULL, prefix, "-data", &data, NULL));
  PetscCall(PetscOptionsGetInt(NULL, prefix, "-isolated", &nisolated, NULL));
  PetscCall(PetscOptionsGetInt(NULL, prefix, "-alone", &nalone, NULL));
  PetscCall(PetscOptionsGetInt(NULL, prefix, "-seed", &seed, NULL));
  PetscCall(PetscOptionsGetReal(NULL, prefix, "-span_log", &span, NULL));
  PetscCall(PetscOptionsGetReal(NULL, prefix, "-eps", &eps, NULL));
  PetscCall(PetscOptionsGetReal(NULL, prefix, "-factor", &factor, NULL));
  PetscCall(PetscOptionsGetBool(NULL, prefix, "-negative", &negative, NULL));
  PetscCall(PetscOptionsGetBool(NULL, prefix, "-scaled", &scaled, NULL));
  PetscCall(PetscOptionsGetBool(NULL, prefix, "-shuffle", &shuffle, NULL));
  PetscCall(PetscOptionsGetBool(NULL, prefix, "-zeros", &zeros, NULL));
  PetscCheck(!strcmp(boundary, "dirichlet") || !strcmp(boundary, "neumann"), PETSC_COMM_SELF, PETSC_ERR_USER_INPUT, "-boundary %s", boundary);
  dirichlet = (PetscBool)!strcmp(boundary, "dirichlet");
  state     = (uint64_t)seed * 1000003u;
  if (negative) factor = -factor;

  const PetscInt    nx = size[0], ny = nsize > 1 ? size[1] : 1, nz = nsize > 2 ? size[2] : 1;
  const std::string k       = kind;
  const bool        lattice = k == "grid" || k == "nine" || k == "space" || k == "q1" || k == "mesh";
  const PetscInt    one     = lattice ? nx * ny * (k == "space" ? nz : 1) : nx;

  n = one * ncomponents;
  excess.assign(n, 0.0);
  for (PetscInt c = 0; c < ncomponents; c++) {
    const PetscInt at = c * one;

    if (lattice) {
      const PetscInt depth = k == "space" ? nz : 1;
      auto           link  = [&](PetscInt p, PetscInt x, PetscInt y, PetscInt z, PetscReal w) {
        if (x >= 0 && x < nx && y >= 0 && y < ny && z >= 0 && z < depth) {
          if (x + nx * (y + ny * z) > p) Connect(at + p, at + x + nx * (y + ny * z), w);
        } else if (dirichlet)
          excess[at + p] += w;
      };

      for (PetscInt p = 0; p < one; p++) {
        const PetscInt x = p % nx, y = p / nx % ny, z = p / nx / ny;
        /* Bilinear elements: edges along the long side of a stretched cell are positive entries */
        /* An edge on the boundary belongs to one element in place of two */
        const PetscReal hx = k == "q1" && !dirichlet && (y == 0 || y == ny - 1) ? 0.5 : 1.0, hy = k == "q1" && !dirichlet && (x == 0 || x == nx - 1) ? 0.5 : 1.0;
        const PetscReal wx = k == "q1" ? hx * (4.0 * eps - 2.0 / eps) / 6.0 : 1.0, wy = k == "q1" ? hy * (4.0 / eps - 2.0 * eps) / 6.0 : 1.0, wd = k == "q1" ? (eps + 1.0 / eps) / 6.0 : k == "mesh" ? 1.0 : 0.5;

        for (PetscInt s = -1; s <= 1; s += 2) {
          link(p, x + s, y, z, wx);
          link(p, x, y + s, z, wy);
          if (k == "space") link(p, x, y, z + s, 1.0);
          if (k == "mesh") link(p, x + s, y + s, z, wd);
          if (k == "nine" || k == "q1") {
            link(p, x + s, y + s, z, wd);
            link(p, x + s, y - s, z, wd);
          }
        }
      }
    } else if (k == "path" || k == "complete" || k == "star" || k == "hub" || k == "random" || k == "tree") {
      const PetscInt middle = k == "hub" ? 0 : one / 2;

      for (PetscInt i = 0; i < one; i++) {
        if (k == "path" && i + 1 < one) Connect(at + i, at + i + 1, 1.0);
        if (k == "tree" && i > 0) Connect(at + i, at + (PetscInt)(Random() * (PetscReal)i), 1.0);
        if ((k == "star" || k == "hub") && i != middle) Connect(at + i, at + middle, 1.0);
        if (k == "complete") {
          for (PetscInt j = i + 1; j < one; j++) Connect(at + i, at + j, 1.0);
        }
        if (k == "random" && i > 0) {
          Connect(at + i, at + i - 1, 1.0);
          for (PetscInt d = 0; d < 3; d++) {
            const PetscInt j = (PetscInt)(Random() * (PetscReal)i);

            if (j < i - 1) Connect(at + i, at + j, 1.0);
          }
        }
      }
      if (dirichlet && one > 0) excess[at] += 1.0;
    } else
      SETERRQ(PETSC_COMM_SELF, PETSC_ERR_USER_INPUT, "-kind %s", kind);
  }
  if (!strcmp(weights, "jump") || !strcmp(weights, "span")) {
    for (Edge &e : edge) e.w *= !strcmp(weights, "jump") ? (e.i % one / PetscMax(1, nx / 3) % 2 ? 1e4 : 1.0) : PetscPowReal(10.0, -span * Random());
  } else if (!strcmp(weights, "graded")) {
    auto grade = [&](PetscInt i) { return PetscPowReal(10.0, -span * (PetscReal)(i / one) / (PetscReal)PetscMax(1, ncomponents - 1)); };

    for (PetscInt i = 0; i < n; i++) excess[i] *= grade(i);
    for (Edge &e : edge) e.w *= grade(e.i);
  } else
    PetscCheck(!strcmp(weights, "one"), PETSC_COMM_SELF, PETSC_ERR_USER_INPUT, "-weights %s", weights);
  for (PetscInt i = 0; data && i < n; i += data) excess[i] += 0.5;
  excess.resize(n + nisolated, 0.0);
  excess.resize(n + nisolated + nalone, 3.0);
  n += nisolated + nalone;
  if (has) {
    identity.assign(n, PETSC_FALSE);
    for (PetscInt i = 0; i < n; i += 7) identity[i] = PETSC_TRUE;
    keepcolumns = (PetscBool)!strcmp(rows, "columns");
  }
  scale.assign(n, 1.0);
  if (scaled) {
    for (PetscReal &s : scale) s = 0.5 + Random();
  }
  if (shuffle) {
    std::vector<PetscInt>  number(n);
    std::vector<PetscReal> moved(n);

    std::iota(number.begin(), number.end(), 0);
    for (PetscInt i = n - 1; i > 0; i--) std::swap(number[i], number[(PetscInt)(Random() * (PetscReal)(i + 1))]);
    for (PetscInt i = 0; i < n; i++) moved[number[i]] = excess[i];
    excess = moved;
    for (Edge &e : edge) {
      e.i = number[e.i];
      e.j = number[e.j];
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

inline PetscErrorCode Laplacian::Assemble(Mat *A) const
{
  std::vector<std::vector<std::pair<PetscInt, PetscReal>>> row(n);
  std::vector<PetscReal>                                   diagonal = excess;
  std::vector<PetscInt>                                    ia(1, 0), ja, nnz;
  std::vector<PetscScalar>                                 a;

  PetscFunctionBeginUser;
  for (const Edge &e : edge) {
    diagonal[e.i] += e.w;
    diagonal[e.j] += e.w;
    row[e.i].push_back({e.j, -e.w});
    row[e.j].push_back({e.i, -e.w});
  }
  for (PetscInt i = 0; i < n; i++) {
    row[i].push_back({i, diagonal[i]});
    if (zeros && i + 3 < n) {
      row[i].push_back({i + 3, 0.0});
      row[i + 3].push_back({i, 0.0});
    }
  }
  for (PetscInt i = 0; i < n; i++) {
    std::sort(row[i].begin(), row[i].end(), [](const auto &p, const auto &q) { return p.first < q.first; });
    for (size_t p = 0; p < row[i].size();) {
      const PetscInt j   = row[i][p].first;
      PetscReal      sum = 0.0;

      /* several edges between two vertices */
      for (; p < row[i].size() && row[i][p].first == j; p++) sum += row[i][p].second;
      if (identity.size() && identity[i]) {
        if (j != i) continue;
        sum = 1.0;
      } else if (identity.size() && identity[j] && !keepcolumns)
        continue;
      ja.push_back(j);
      a.push_back(factor * sum * scale[i] * scale[j]);
    }
    ia.push_back((PetscInt)ja.size());
    nnz.push_back(ia[i + 1] - ia[i]);
  }
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, n, n, 0, nnz.data(), A));
  for (PetscInt i = 0; i < n; i++) PetscCall(MatSetValues(*A, 1, &i, nnz[i], ja.data() + ia[i], a.data() + ia[i], INSERT_VALUES));
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

inline PetscErrorCode Laplacian::RemoveConstants(Vec x) const
{
  std::vector<PetscInt>  part(n);
  std::vector<PetscReal> sum(n, 0.0), mean(n, 0.0), count(n, 0.0);
  PetscScalar           *v;

  PetscFunctionBeginUser;
  std::iota(part.begin(), part.end(), 0);
  auto root = [&](PetscInt i) {
    while (part[i] != i) i = part[i] = part[part[i]];
    return i;
  };
  for (const Edge &e : edge) part[root(e.i)] = root(e.j);
  for (PetscInt i = 0; i < n; i++) {
    if (identity.size() && identity[i]) sum[root(i)] = 1.0;
    sum[root(i)] += excess[i];
  }
  PetscCall(VecGetArray(x, &v));
  for (PetscInt i = 0; i < n; i++) {
    mean[root(i)] += PetscRealPart(v[i]);
    count[root(i)]++;
  }
  for (PetscInt i = 0; i < n; i++) {
    if (sum[root(i)] == 0.0) v[i] -= mean[root(i)] / count[root(i)];
  }
  PetscCall(VecRestoreArray(x, &v));
  PetscFunctionReturn((PetscErrorCode)0);
}
