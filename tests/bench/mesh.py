#!/usr/bin/env python3
"""mesh.py KIND N FILE: writes the Laplacian of a mesh with about N * N vertices, in PETSc's binary format with 32-bit indices.

KIND      mesh1     Delaunay triangulation of random points in a square, all edges have the weight 1
          meshd     the same, an edge of length d has the weight 1/d^2 (d in units of the mean distance of points)
          cotan     cotangent weights of a torus of nearly equilateral triangles
          cotanbad  the same, with triangles so flat that a fifth of the edges has a negative weight, which is a positive off-diagonal entry
          closed    the torus of cotan, all edges have the weight 1
with an s behind it the vertices are numbered at random; else along a Hilbert curve (mesh1, meshd) or row by row.
mesh1 and meshd have 1 added to the diagonal of the vertices at the boundary (nearer to it than the mean distance of points), like Dirichlet
conditions; cotan and cotanbad 1e-4 of the mass matrix, areas in units of the mean square of edges; closed is singular. The same arguments give the same file."""
import sys

try:
    import numpy as np
    import scipy.sparse as sp
    import scipy.spatial
except ImportError as error:
    sys.exit(f"{error}: on Debian apt-get install python3-numpy python3-scipy")


def hilbert(x, y, bits=16):
    """Place on the Hilbert curve of points in the unit square"""
    i, j = (np.minimum(v * 2**bits, 2**bits - 1).astype(np.int64) for v in (x, y))
    d = np.zeros(len(i), np.int64)
    for k in reversed(range(bits)):
        s = 1 << k
        rx, ry = (i & s) > 0, (j & s) > 0
        d += s * s * ((3 * rx) ^ ry)
        # Turn the quadrant so that it looks like the whole
        flip = ~ry & rx
        i, j = np.where(flip, s - 1 - (i & (s - 1)), i & (s - 1)), np.where(flip, s - 1 - (j & (s - 1)), j & (s - 1))
        i, j = np.where(ry, i, j), np.where(ry, j, i)
    return d


def laplacian(count, edges, weights, excess):
    """Edges may occur twice: their weights add up"""
    w = sp.coo_matrix((weights, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    w = w + w.T
    return (sp.diags(np.asarray(w.sum(axis=1)).ravel() + excess) - w).tocsr()


def points(n, inverse, random):
    count = n * n
    p = random.random((count, 2))
    p = p[np.argsort(hilbert(p[:, 0], p[:, 1]), kind="stable")]
    t = scipy.spatial.Delaunay(p).simplices
    edges = np.sort(np.vstack((t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]])), axis=1)
    edges = np.unique(edges[:, 0].astype(np.int64) * count + edges[:, 1])
    edges = np.stack((edges // count, edges % count), axis=1)
    difference = p[edges[:, 0]] - p[edges[:, 1]]
    # Points that nearly coincide would have an edge beyond all others
    weights = 1.0 / np.maximum(count * (difference**2).sum(axis=1), 1e-6) if inverse else np.ones(len(edges))
    boundary = np.minimum(p, 1.0 - p).min(axis=1) < 1.0 / n
    return laplacian(count, edges, weights, boundary.astype(float))


def torus(n, height, random, unit=False):
    # Rows of triangles round a tube, every other one moved by half an edge. Low rows make flat triangles.
    ratio = (3.0 / 0.8660254) * height
    nv = max(4, 2 * round(0.5 * n / ratio**0.5))
    nu = max(4, round(n * n / nv))
    j, i = np.divmod(np.arange(nu * nv), nu)
    jitter = 0.15 * (2.0 * random.random((2, nu * nv)) - 1.0)
    u, v = 2 * np.pi * (i + 0.5 * (j % 2) + jitter[0]) / nu, 2 * np.pi * (j + jitter[1]) / nv
    p = np.stack(((3 + np.cos(v)) * np.cos(u), (3 + np.cos(v)) * np.sin(u), np.sin(v)), axis=1)
    right, up = j * nu + (i + 1) % nu, (j + 1) % nv
    odd = j % 2
    a, b = up * nu + (i + odd - 1) % nu, up * nu + (i + odd) % nu
    k = np.arange(nu * nv)
    t = np.vstack((np.stack((k, right, b), axis=1), np.stack((k, b, a), axis=1)))
    edges, weights, area = [], [], np.zeros(nu * nv)
    for c in range(3):
        x, y, z = t[:, c], t[:, (c + 1) % 3], t[:, (c + 2) % 3]
        d, e = p[y] - p[x], p[z] - p[x]
        twice = np.linalg.norm(np.cross(d, e), axis=1)
        edges.append(np.stack((y, z), axis=1))
        weights.append(0.5 * (d * e).sum(axis=1) / twice)
        np.add.at(area, x, twice / 6.0)
    edges = np.vstack(edges)
    if unit:
        # Each edge belongs to two triangles
        return laplacian(nu * nv, edges, np.full(len(edges), 0.5), np.zeros(nu * nv))
    square = ((p[edges[:, 0]] - p[edges[:, 1]])**2).sum(axis=1).mean()
    return laplacian(nu * nv, edges, np.concatenate(weights), 1e-4 * area / square)


def write(a, name):
    a.sort_indices()
    with open(name, "wb") as file:
        np.array([1211216, a.shape[0], a.shape[1], a.nnz], ">i4").tofile(file)
        np.diff(a.indptr).astype(">i4").tofile(file)
        a.indices.astype(">i4").tofile(file)
        a.data.astype(">f8").tofile(file)


def main():
    kinds = {"mesh1": lambda n, r: points(n, False, r), "meshd": lambda n, r: points(n, True, r), "cotan": lambda n, r: torus(n, 1.0, r), "cotanbad": lambda n, r: torus(n, 0.38, r), "closed": lambda n, r: torus(n, 1.0, r, True)}
    if len(sys.argv) != 4 or sys.argv[1] not in [kind + s for kind in kinds for s in ("", "s")]:
        sys.exit(__doc__)
    kind, n = sys.argv[1], int(sys.argv[2])
    random = np.random.RandomState(1)
    shuffled = kind.endswith("s")
    a = kinds[kind[:-1] if shuffled else kind](n, random)
    if shuffled:
        order = random.permutation(a.shape[0])
        a = a[order][:, order].tocsr()
    write(a, sys.argv[3])
    positive = (a.data > 0).sum() - a.shape[0]
    print(f"{kind}: {a.shape[0]} vertices, {a.nnz / a.shape[0]:.2f} entries in a row, {100.0 * positive / (a.nnz - a.shape[0]):.1f}% of those off the diagonal positive")


main()
