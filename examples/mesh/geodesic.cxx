#include "mesh.h"
#include "shifted.h"
#include <petlap.h>
#include <cmath>
#include <cstring>

static char help[] = "Distances along a surface of triangles from one or several vertices (heat method: Crane, Weischedel, Wardetzky 2013). Heat that flows from the sources for\n\
a short time falls in the direction of the distance: (W + t L) u = source, X = -grad u / |grad u|, L distance = div X. The matrices of the two solves are\n\
L with and without a diagonal, so that hsc is set up once. Vertices that no path leads to get the distance -1.\n\
One process; writes the surface with the distances, and on a sphere compares them with the exact ones.\n\n" MESH_HELP "\
  -source <0>              vertices, counted from 0\n\
  -weights <inverse>       inverse squares of the lengths of the edges; or unit; or cotan, the best ones, which can be negative and then have hsc and\n\
                           other multilevel solvers struggle\n\
  -time <0>                of the heat, in squares of the mean edge length. 0 chooses one so that heat gets to the far end in amounts that an iterative\n\
                           solver sees, and at least 1; direct solvers need no more than 1, and give sharper distances then\n\
  -tolerance <0.01>        on a sphere: the mean error, as a share of the largest distance, that is good enough\n\
  -distance <distance.vtk> what is written\n\n\
The solver is PETSc's to choose: -pc_type (hsc, gamg, hypre, icc, cholesky ...), -ksp_type, -ksp_rtol, -ksp_monitor, -ksp_view. The second matrix is\n\
singular: direct solvers need -pc_factor_shift_type nonzero.\n\n";

#define GEODESIC_MAX_SOURCES 1024
/* Heat falls like exp(-distance / sqrt(time)); this much of the exponent is left to the solver from one end of the surface to the other */
#define GEODESIC_EXPONENT 18.0

/* Joins vertices that triangles connect, and names each group after one of its vertices */
static PetscInt Root(PetscInt *group, PetscInt i)
{
  while (group[i] != i) i = group[i] = group[group[i]];
  return i;
}

/* The part of the mesh that has sources; number[] is of its vertices, -1 for the others. Each group of vertices that hang together makes a matrix without
   diagonal singular once more, and the others would make it singular for nothing. */
static PetscErrorCode Reach(const Mesh *mesh, PetscInt sources, const PetscInt source[], PetscInt *number, PetscInt *group, Mesh *part)
{
  PetscFunctionBeginUser;
  *part = Mesh();
  for (PetscInt i = 0; i < mesh->vertices; i++) group[i] = i;
  for (size_t t = 0; t < (size_t)mesh->triangles; t++) {
    for (PetscInt k = 1; k < 3; k++) group[Root(group, mesh->corners[3 * t + k])] = Root(group, mesh->corners[3 * t]);
  }
  for (PetscInt i = 0; i < mesh->vertices; i++) number[i] = -1;
  for (PetscInt s = 0; s < sources; s++) number[Root(group, source[s])] = 0;
  for (PetscInt i = 0; i < mesh->vertices; i++) {
    if (i != group[i]) number[i] = number[Root(group, i)];
  }
  PetscCall(PetscMalloc1(3 * (size_t)mesh->vertices, &part->x));
  PetscCall(PetscMalloc1(3 * (size_t)mesh->triangles, &part->corners));
  for (size_t i = 0; i < (size_t)mesh->vertices; i++) {
    if (number[i] < 0) continue;
    for (PetscInt d = 0; d < 3; d++) part->x[3 * (size_t)part->vertices + d] = mesh->x[3 * i + d];
    number[i] = part->vertices++;
  }
  for (size_t t = 0; t < (size_t)mesh->triangles; t++) {
    if (number[mesh->corners[3 * t]] < 0) continue;
    for (PetscInt k = 0; k < 3; k++) part->corners[3 * (size_t)part->triangles + k] = number[mesh->corners[3 * t + k]];
    part->triangles++;
  }
  PetscCheck(part->triangles > 0, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "No triangle has one of the vertices -source");
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The constants on each group of vertices that hang together */
static PetscErrorCode CreateNullSpace(const Mesh *mesh, const PetscInt number[], PetscInt *group, PetscInt sources, const PetscInt source[], Vec like, MatNullSpace *constants)
{
  Vec      *basis;
  PetscInt *roots, n = 0;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc1(sources, &roots));
  for (PetscInt s = 0; s < sources; s++) {
    PetscInt k = 0;

    while (k < n && roots[k] != Root(group, source[s])) k++;
    if (k == n) roots[n++] = Root(group, source[s]);
  }
  PetscCall(VecDuplicateVecs(like, n, &basis));
  for (PetscInt k = 0; k < n; k++) {
    PetscScalar *array;
    PetscReal    norm;

    PetscCall(VecZeroEntries(basis[k]));
    PetscCall(VecGetArray(basis[k], &array));
    for (PetscInt i = 0; i < mesh->vertices; i++) {
      if (number[i] >= 0 && Root(group, i) == roots[k]) array[number[i]] = 1.0;
    }
    PetscCall(VecRestoreArray(basis[k], &array));
    PetscCall(VecNormalize(basis[k], &norm));
  }
  PetscCall(MatNullSpaceCreate(PETSC_COMM_SELF, n == 1 ? PETSC_TRUE : PETSC_FALSE, n == 1 ? 0 : n, n == 1 ? nullptr : basis, constants));
  PetscCall(VecDestroyVecs(n, &basis));
  PetscCall(PetscFree(roots));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* b is the divergence of the directions in which u falls. Distances whose differences along all edges are those of X minimise the sum over triangles and edges of
   w (difference - X edge)^2: where the weights are cotangents that is the finite element divergence, and it goes with the other weights as well. */
static PetscErrorCode Divergence(const Mesh *mesh, MeshWeights weights, Vec u, Vec b)
{
  const PetscScalar *heat;
  PetscScalar       *div;
  PetscReal          h;

  PetscFunctionBeginUser;
  PetscCall(MeshEdgeLength(mesh, &h));
  PetscCall(VecZeroEntries(b));
  PetscCall(VecGetArrayRead(u, &heat));
  PetscCall(VecGetArray(b, &div));
  for (PetscInt t = 0; t < mesh->triangles; t++) {
    const PetscInt *corners = mesh->corners + 3 * (size_t)t;
    PetscReal       e[3][3], w[3], normal[3], X[3] = {0.0, 0.0, 0.0}, largest = 0.0, area2, size;

    MeshTriangleWeights(mesh, t, weights, h, w);
    for (PetscInt k = 0; k < 3; k++) {
      for (PetscInt d = 0; d < 3; d++) e[k][d] = (mesh->x[3 * (size_t)corners[(k + 2) % 3] + d] - mesh->x[3 * (size_t)corners[(k + 1) % 3] + d]) / h;
      largest = PetscMax(largest, PetscAbsScalar(heat[corners[k]]));
    }
    for (PetscInt d = 0; d < 3; d++) normal[d] = e[0][(d + 1) % 3] * e[1][(d + 2) % 3] - e[0][(d + 2) % 3] * e[1][(d + 1) % 3];
    area2 = normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2];
    /* Far away heat is a tiny number, whose square would be 0 */
    if (largest == 0.0 || area2 < 1e-24) continue;
    for (PetscInt k = 0; k < 3; k++) {
      const PetscReal value = PetscRealPart(heat[corners[k]]) / largest;

      for (PetscInt d = 0; d < 3; d++) X[d] -= value * (normal[(d + 1) % 3] * e[k][(d + 2) % 3] - normal[(d + 2) % 3] * e[k][(d + 1) % 3]);
    }
    size = PetscSqrtReal(X[0] * X[0] + X[1] * X[1] + X[2] * X[2]);
    if (!(size > 0.0)) continue;
    for (PetscInt k = 0; k < 3; k++) {
      const PetscReal flow = w[k] * h * (X[0] * e[k][0] + X[1] * e[k][1] + X[2] * e[k][2]) / size;

      div[corners[(k + 1) % 3]] -= flow;
      div[corners[(k + 2) % 3]] += flow;
    }
  }
  PetscCall(VecRestoreArray(b, &div));
  PetscCall(VecRestoreArrayRead(u, &heat));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* An upper bound of about the right size for the way across the surface: the path of fewest edges, twice the mean edge for each two of them */
static PetscErrorCode Eccentricity(Mat L, PetscInt sources, const PetscInt source[], const PetscInt number[], PetscInt *steps)
{
  PetscInt        n, head = 0, tail = 0, *queue, *level;
  const PetscInt *ia, *ja;
  PetscBool       done;

  PetscFunctionBeginUser;
  PetscCall(MatGetRowIJ(L, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "This type of matrix does not give its rows away: use -mat_type aij");
  PetscCall(PetscMalloc2(n, &queue, n, &level));
  for (PetscInt i = 0; i < n; i++) level[i] = -1;
  for (PetscInt s = 0; s < sources; s++) {
    const PetscInt i = number[source[s]];

    if (level[i] < 0) queue[tail++] = i;
    level[i] = 0;
  }
  while (head < tail) {
    const PetscInt i = queue[head++];

    *steps = level[i];
    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) {
      if (level[ja[k]] >= 0) continue;
      level[ja[k]]  = level[i] + 1;
      queue[tail++] = ja[k];
    }
  }
  PetscCall(PetscFree2(queue, level));
  PetscCall(MatRestoreRowIJ(L, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The exact distance on the unit sphere to the nearest source. The angle from its sine and cosine is right for near and opposite points, too. */
static PetscReal GreatCircle(const Mesh *mesh, PetscInt sources, const PetscInt source[], PetscInt i)
{
  const PetscReal *x       = mesh->x + 3 * (size_t)i;
  PetscReal        nearest = PETSC_MAX_REAL;

  for (PetscInt s = 0; s < sources; s++) {
    const PetscReal *y   = mesh->x + 3 * (size_t)source[s];
    PetscReal        dot = 0.0, cross = 0.0;

    for (PetscInt d = 0; d < 3; d++) {
      const PetscReal c = x[(d + 1) % 3] * y[(d + 2) % 3] - x[(d + 2) % 3] * y[(d + 1) % 3];

      dot += x[d] * y[d];
      cross += c * c;
    }
    nearest = PetscMin(nearest, std::atan2(PetscSqrtReal(cross), dot));
  }
  return nearest;
}

int main(int argc, char **argv)
{
  Mesh         mesh, part;
  Mat          A;
  Vec          W, diagonal, b, u;
  MatNullSpace constants;
  KSP          ksp;
  PetscInt    *number, *group, source[GEODESIC_MAX_SOURCES], sources = GEODESIC_MAX_SOURCES, heatits, its, steps = 0;
  PetscReal   *distance, *least, h, scale, time = 0.0, tolerance = 0.01, farthest = 0.0;
  PetscBool    file, set;
  PetscScalar *array;
  MeshWeights  weights = MESH_INVERSE;
  char         name[PETSC_MAX_PATH_LEN], distancename[PETSC_MAX_PATH_LEN] = "distance.vtk";

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(MeshFromOptions(name, sizeof(name), &mesh, &file));
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Distances along a surface", nullptr);
  PetscCall(PetscOptionsIntArray("-source", "Vertices, counted from 0", nullptr, source, &sources, &set));
  if (!set) source[0] = 0;
  if (!set) sources = 1;
  PetscCall(PetscOptionsEnum("-weights", "Weights of the edges", nullptr, MeshWeightsNames, (PetscEnum)weights, (PetscEnum *)&weights, nullptr));
  PetscCall(PetscOptionsReal("-time", "Of the heat, in squares of the mean edge length", nullptr, time, &time, nullptr));
  PetscCall(PetscOptionsReal("-tolerance", "Mean error on a sphere that is good enough", nullptr, tolerance, &tolerance, nullptr));
  PetscCall(PetscOptionsString("-distance", "File for the distances", nullptr, distancename, distancename, sizeof(distancename), nullptr));
  PetscOptionsEnd();
  PetscCheck(sources >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_SIZ, "-source needs a vertex");
  for (PetscInt s = 0; s < sources; s++)
    PetscCheck(source[s] >= 0 && source[s] < mesh.vertices, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-source %" PetscInt_FMT ": the mesh has %" PetscInt_FMT " vertices, counted from 0", source[s], mesh.vertices);
  PetscCheck(time >= 0.0 && time <= 1e12, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-time %g: must be positive and at most 1e12, or 0 to choose one", (double)time);

  PetscCall(PetscMalloc4(mesh.vertices, &number, mesh.vertices, &group, mesh.vertices, &distance, mesh.vertices, &least));
  PetscCall(Reach(&mesh, sources, source, number, group, &part));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " vertices, %" PetscInt_FMT " triangles", mesh.vertices, mesh.triangles));
  if (mesh.dropped) PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", %" PetscInt_FMT " without surface left out", mesh.dropped));
  if (part.vertices < mesh.vertices) PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", %" PetscInt_FMT " vertices out of reach", mesh.vertices - part.vertices));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));

  PetscCall(MeshEdgeLength(&part, &h));
  PetscCall(MeshLaplacian(&part, weights, &A, &W, &scale));
  PetscCall(VecDuplicate(W, &diagonal));
  PetscCall(VecDuplicate(W, &b));
  PetscCall(VecDuplicate(W, &u));
  PetscCall(MatGetDiagonal(A, diagonal));
  PetscCall(CreateNullSpace(&mesh, number, group, sources, source, W, &constants));
  if (time == 0.0) {
    PetscCall(Eccentricity(A, sources, source, number, &steps));
    time = PetscMax(1.0, steps / GEODESIC_EXPONENT * (steps / GEODESIC_EXPONENT));
  }
  PetscCall(ShiftedSolverCreate(A, 1e-10, &ksp));
  PetscCall(ShiftedSolverSetUp(ksp));

  /* W + time h^2 scale L, divided so that L is what it is in the second matrix */
  PetscCall(ShiftedSolverSetShift(ksp, diagonal, 1.0 / (time * h * h * scale), W));
  PetscCall(VecZeroEntries(b));
  for (PetscInt s = 0; s < sources; s++) PetscCall(VecSetValue(b, number[source[s]], 1.0, INSERT_VALUES));
  PetscCall(VecAssemblyBegin(b));
  PetscCall(VecAssemblyEnd(b));
  PetscCall(KSPSolve(ksp, b, u));
  PetscCall(KSPGetIterationNumber(ksp, &heatits));

  PetscCall(Divergence(&part, weights, u, b));
  PetscCall(ShiftedSolverSetShift(ksp, diagonal, 0.0, W));
  PetscCall(MatSetNullSpace(A, constants));
  PetscCall(KSPSolve(ksp, b, u));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "time of the heat %.3g squares of the mean edge, heat %" PetscInt_FMT " iterations, distance %" PetscInt_FMT " iterations\n", (double)time, heatits, its));

  /* The solution is known up to a constant on each group, which makes the distance of its nearest source 0 */
  PetscCall(VecGetArray(u, &array));
  for (PetscInt i = 0; i < mesh.vertices; i++) least[i] = PETSC_MAX_REAL;
  for (PetscInt s = 0; s < sources; s++) least[Root(group, source[s])] = PetscMin(least[Root(group, source[s])], PetscRealPart(array[number[source[s]]]));
  for (PetscInt i = 0; i < mesh.vertices; i++) {
    distance[i] = number[i] < 0 ? -1.0 : PetscMax(PetscRealPart(array[number[i]]) - least[Root(group, i)], 0.0);
    farthest    = PetscMax(farthest, distance[i]);
  }
  PetscCall(VecRestoreArray(u, &array));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "largest distance %.3f\n", (double)farthest));
  PetscCall(MeshWrite(distancename, &mesh, "distance", distance));
  if (!std::strcmp(name, "sphere")) {
    PetscReal sum = 0.0, worst = 0.0, exact = 0.0;

    for (PetscInt i = 0; i < mesh.vertices; i++) {
      const PetscReal arc = GreatCircle(&mesh, sources, source, i), error = PetscAbsReal(distance[i] - arc);

      sum += error;
      worst = PetscMax(worst, error);
      exact = PetscMax(exact, arc);
    }
    sum /= mesh.vertices * exact;
    if (sum < tolerance)
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "exact largest distance %.3f, mean error < %g of it\n", (double)exact, (double)tolerance));
    else
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "exact largest distance %.3f, mean error %.4f of it, not < %g\n", (double)exact, (double)sum, (double)tolerance));
    PetscCall(PetscInfo(ksp, "Mean error %g, largest error %g\n", (double)(sum * exact), (double)worst));
  }

  PetscCall(MatNullSpaceDestroy(&constants));
  PetscCall(PetscFree4(number, group, distance, least));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&W));
  PetscCall(VecDestroy(&diagonal));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&u));
  PetscCall(MeshDestroy(&part));
  PetscCall(MeshDestroy(&mesh));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    args: -malloc_dump
    filter: sed -E -e "s/ [0-9]?[0-9] iterations/ under 100 iterations/g" -e "/^largest/d"
    test:
      suffix: sphere
      args: -pc_type gamg -weights {{inverse unit cotan}}
    test:
      suffix: knot
      args: -mesh knot -refine 2 -source 0,100 -pc_type gamg

TEST*/
