#include "mesh.h"
#include <petlap.h>
#include <vector>

static char help[] = "Spectral embedding of a surface of triangles: the lowest eigenvectors of its Laplacian, without the constant ones, become the coordinates of its\n\
vertices (Krishnan, Fattal, Szeliski 2013, sec. 4.5 and 5.2; Liu and Zhang 2007 segment surfaces by the shape that two of them make). Parts that\n\
stick out of the surface become spikes. One process.\n\n" MESH_HELP "\
  -dimensions <2>          eigenvectors, 1 to 3; each is divided by the root of its eigenvalue\n\
  -weights <unit>          or inverse, for the inverse squares of the lengths of edges; or cotan, which can be negative and then has hsc struggle\n\
  -embedding <embedding.vtk>   the surface in its new place, with the first eigenvector as color\n\
  -vectors <vector>        vector1.vtk and so on: the surface where it was, with an eigenvector as color\n\n\
The eigensolver has options of its own: -pc_hsc_eigen_tol, -pc_hsc_eigen_monitor and others, see -help.\n\n";

int main(int argc, char **argv)
{
  Mesh                   mesh;
  Mat                    L;
  Vec                    W, *x;
  PC                     pc;
  PetscInt               dimensions = 2, count, nconv, zeros, its;
  PetscReal              scale;
  PetscBool              file;
  MeshWeights            weights = MESH_UNIT;
  std::vector<PetscReal> values, color, place;
  char                   name[PETSC_MAX_PATH_LEN], embedding[PETSC_MAX_PATH_LEN] = "embedding.vtk", vectors[PETSC_MAX_PATH_LEN] = "vector", filename[PETSC_MAX_PATH_LEN + 32];

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(MeshFromOptions(name, sizeof(name), &mesh, &file));
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Spectral embedding", nullptr);
  PetscCall(PetscOptionsInt("-dimensions", "Eigenvectors", nullptr, dimensions, &dimensions, nullptr));
  PetscCall(PetscOptionsEnum("-weights", "Weights of the edges", nullptr, MeshWeightsNames, (PetscEnum)weights, (PetscEnum *)&weights, nullptr));
  PetscCall(PetscOptionsString("-embedding", "File for the surface in its new place", nullptr, embedding, embedding, sizeof(embedding), nullptr));
  PetscCall(PetscOptionsString("-vectors", "How the files for eigenvectors begin", nullptr, vectors, vectors, sizeof(vectors), nullptr));
  PetscOptionsEnd();
  PetscCheck(dimensions >= 1 && dimensions <= 3, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-dimensions %" PetscInt_FMT ": must be 1, 2 or 3", dimensions);
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " vertices, %" PetscInt_FMT " triangles", mesh.vertices, mesh.triangles));
  if (mesh.dropped) PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", %" PetscInt_FMT " without surface left out", mesh.dropped));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));

  PetscCall(MeshLaplacian(&mesh, weights, &L, &W, &scale));
  PetscCall(PCCreate(PETSC_COMM_WORLD, &pc));
  PetscCall(PCSetType(pc, PCHSC));
  PetscCall(PCSetOperators(pc, L, L));
  PetscCall(PCHSCSetEigenTolerances(pc, 1e-6, PETSC_DEFAULT));
  PetscCall(PCSetFromOptions(pc));

  /* Each piece of the surface has a constant eigenvector of its own, and nobody knows how many pieces there are. They cost little more than to be counted. */
  for (count = dimensions + 1;; count = zeros == count ? 2 * count : zeros + dimensions) {
    PetscCheck(count <= mesh.vertices, PETSC_COMM_WORLD, PETSC_ERR_ARG_WRONG, "The surface has too few vertices, or too many pieces, for %" PetscInt_FMT " dimensions", dimensions);
    values.resize(count);
    PetscCall(VecDuplicateVecs(W, count, &x));
    PetscCall(PCHSCComputeEigenvectors(pc, count, values.data(), x, nullptr, &nconv));
    for (zeros = 0; zeros < count && values[zeros] == 0.0;) zeros++;
    if (count - zeros >= dimensions) break;
    PetscCall(VecDestroyVecs(count, &x));
  }
  PetscCheck(nconv >= zeros + dimensions, PETSC_COMM_WORLD, PETSC_ERR_NOT_CONVERGED, "Only %" PetscInt_FMT " of %" PetscInt_FMT " eigenvectors converged: try -pc_hsc_eigen_max_it, -pc_hsc_eigen_guard or a larger -pc_hsc_eigen_tol", nconv,
             zeros + dimensions);
  PetscCall(PCHSCGetEigenIterationNumber(pc, &its));
  if (zeros != 1) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " pieces\n", zeros));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " iterations, eigenvalues beside the first:", its));
  for (PetscInt d = 0; d < dimensions; d++) PetscCall(PetscPrintf(PETSC_COMM_WORLD, " %.4f", (double)(values[zeros + d] / values[zeros])));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));

  color.resize(mesh.vertices);
  place.assign(3 * (size_t)mesh.vertices, 0.0);
  for (PetscInt d = dimensions - 1; d >= 0; d--) {
    const PetscScalar *array;
    PetscInt           far = 0;

    /* Eigenvectors have no sign. The vertex furthest out is on the positive side. */
    PetscCall(VecGetArrayRead(x[zeros + d], &array));
    for (PetscInt i = 0; i < mesh.vertices; i++) {
      if (PetscAbsScalar(array[i]) > PetscAbsScalar(array[far])) far = i;
    }
    for (PetscInt i = 0; i < mesh.vertices; i++) {
      color[i]                 = PetscRealPart(array[far]) < 0.0 ? -PetscRealPart(array[i]) : PetscRealPart(array[i]);
      place[3 * (size_t)i + d] = color[i] / PetscSqrtReal(PetscAbsReal(values[zeros + d]));
    }
    PetscCall(VecRestoreArrayRead(x[zeros + d], &array));
    PetscCall(PetscSNPrintf(filename, sizeof(filename), "%s%" PetscInt_FMT ".vtk", vectors, d + 1));
    PetscCall(MeshWrite(filename, &mesh, "eigenvector", color.data()));
  }
  PetscCall(PetscArraycpy(mesh.x, place.data(), place.size()));
  PetscCall(MeshWrite(embedding, &mesh, "eigenvector", color.data()));

  PetscCall(VecDestroyVecs(count, &x));
  PetscCall(PCDestroy(&pc));
  PetscCall(MatDestroy(&L));
  PetscCall(VecDestroy(&W));
  PetscCall(MeshDestroy(&mesh));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    args: -malloc_dump
    filter: sed -E -e "s/^[0-9]?[0-9] iterations/under 100 iterations/"
    test:
      suffix: sphere
      args: -dimensions 3 -weights {{unit inverse}separate output} -jitter 0
    test:
      suffix: knot
      args: -mesh knot -refine 3 -dimensions 2
    test:
      suffix: torus
      args: -mesh torus -refine 3 -dimensions 1 -weights cotan -embedding shape.off

TEST*/
