#include "mesh.h"
#include "shifted.h"
#include <petlap.h>

static char help[] = "Takes the noise off a surface of triangles: (W + t L) V = W (noisy V) for each of the three coordinates, with the inverse squares of the\n\
lengths of the noisy edges as weights (Krishnan, Fattal, Szeliski 2013, sec. 5.2), relative to the mean edge so that t has no unit.\n\
One process; writes the noisy and the smoothed surface and, where the true one is known, how far they are from it.\n\n" MESH_HELP "\
  -noise <0.3>             standard deviation of what is added to each coordinate, in mean edge lengths; 0 for files\n\
  -t <0.5>                 how much is smoothed\n\
  -weights <inverse>       or unit, which does better against noise about as large as the edges; or cotan, which can be negative and then has hsc and other multilevel solvers struggle\n\
  -noisy <noisy.vtk>, -denoised <denoised.vtk>   what is written, NAME.off or NAME.vtk; in the latter with how far each vertex has moved\n\n\
The solver is PETSc's to choose: -pc_type (hsc, gamg, hypre, icc, cholesky ...), -ksp_type, -ksp_rtol, -ksp_monitor, -ksp_view.\n\n";

/* Root of the mean square distance of vertices, in mean edge lengths */
static PetscReal Error(const Mesh *mesh, const PetscReal truth[], PetscReal h)
{
  PetscReal sum = 0.0;

  for (size_t i = 0; i < 3 * (size_t)mesh->vertices; i++) sum += (mesh->x[i] - truth[i]) * (mesh->x[i] - truth[i]);
  return PetscSqrtReal(sum / mesh->vertices) / h;
}

int main(int argc, char **argv)
{
  Mesh        mesh;
  Mat         A;
  Vec         W, weight, b, x;
  KSP         ksp;
  PetscReal  *truth, *random, *moved, h, scale, noise, t = 0.5;
  PetscBool   file;
  MeshWeights weights = MESH_INVERSE;
  char        name[PETSC_MAX_PATH_LEN], noisy[PETSC_MAX_PATH_LEN] = "noisy.vtk", denoised[PETSC_MAX_PATH_LEN] = "denoised.vtk";

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(MeshFromOptions(name, sizeof(name), &mesh, &file));
  noise = file ? 0.0 : 0.3;
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Denoising", nullptr);
  PetscCall(PetscOptionsReal("-noise", "Standard deviation, in mean edge lengths", nullptr, noise, &noise, nullptr));
  PetscCall(PetscOptionsReal("-t", "How much is smoothed", nullptr, t, &t, nullptr));
  PetscCall(PetscOptionsEnum("-weights", "Weights of the edges", nullptr, MeshWeightsNames, (PetscEnum)weights, (PetscEnum *)&weights, nullptr));
  PetscCall(PetscOptionsString("-noisy", "File for the noisy mesh", nullptr, noisy, noisy, sizeof(noisy), nullptr));
  PetscCall(PetscOptionsString("-denoised", "File for the smoothed mesh", nullptr, denoised, denoised, sizeof(denoised), nullptr));
  PetscOptionsEnd();
  PetscCheck(noise >= 0.0 && noise <= 100.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-noise %g: must be between 0 and 100", (double)noise);
  PetscCheck(t > 0.0 && t <= 1e6, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-t %g: must be positive, and at most 1e6", (double)t);

  PetscCall(MeshEdgeLength(&mesh, &h));
  PetscCall(PetscMalloc3(3 * (size_t)mesh.vertices, &truth, 3 * (size_t)mesh.vertices, &random, (size_t)mesh.vertices, &moved));
  PetscCall(PetscArraycpy(truth, mesh.x, 3 * (size_t)mesh.vertices));
  PetscCall(MeshNoise(3 * mesh.vertices, random));
  for (size_t i = 0; i < 3 * (size_t)mesh.vertices; i++) mesh.x[i] += noise * h * random[i];
  PetscCall(MeshWrite(noisy, &mesh, nullptr, nullptr));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " vertices, %" PetscInt_FMT " triangles", mesh.vertices, mesh.triangles));
  if (mesh.dropped) PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", %" PetscInt_FMT " without surface left out", mesh.dropped));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
  if (noise > 0.0) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "noisy mesh: RMS error %.3f mean edges\n", (double)Error(&mesh, truth, h)));

  /* W / t + L, which hsc could go on to use for other t */
  PetscCall(MeshLaplacian(&mesh, weights, &A, &W, &scale));
  PetscCall(VecDuplicate(W, &weight));
  PetscCall(VecDuplicate(W, &b));
  PetscCall(VecDuplicate(W, &x));
  PetscCall(VecCopy(W, weight));
  PetscCall(VecScale(weight, 1.0 / t));
  PetscCall(MatDiagonalSet(A, weight, ADD_VALUES));
  PetscCall(ShiftedSolverCreate(A, 1e-8, &ksp));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "iterations:"));
  for (PetscInt i = 0; i < mesh.vertices; i++) moved[i] = 0.0;
  for (PetscInt d = 0; d < 3; d++) {
    PetscScalar *array;
    PetscInt     its;

    PetscCall(VecGetArrayWrite(b, &array));
    for (PetscInt i = 0; i < mesh.vertices; i++) array[i] = mesh.x[3 * (size_t)i + d];
    PetscCall(VecRestoreArrayWrite(b, &array));
    PetscCall(VecPointwiseMult(b, b, weight));
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(KSPGetIterationNumber(ksp, &its));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, " %" PetscInt_FMT, its));
    PetscCall(VecGetArray(x, &array));
    for (PetscInt i = 0; i < mesh.vertices; i++) {
      const PetscReal old = mesh.x[3 * (size_t)i + d];

      mesh.x[3 * (size_t)i + d] = PetscRealPart(array[i]);
      moved[i] += (PetscRealPart(array[i]) - old) * (PetscRealPart(array[i]) - old);
    }
    PetscCall(VecRestoreArray(x, &array));
  }
  for (PetscInt i = 0; i < mesh.vertices; i++) moved[i] = PetscSqrtReal(moved[i]);
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
  if (noise > 0.0) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "denoised mesh: RMS error %.3f mean edges\n", (double)Error(&mesh, truth, h)));
  PetscCall(MeshWrite(denoised, &mesh, "moved", moved));

  PetscCall(PetscFree3(truth, random, moved));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&W));
  PetscCall(VecDestroy(&weight));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(MeshDestroy(&mesh));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    args: -malloc_dump
    filter: sed -E -e "s/iterations:( [0-9]?[0-9])+/iterations: under 100/"
    test:
      suffix: sphere
      args: -refine 3 -pc_type {{gamg icc cholesky}}
    test:
      suffix: knot
      args: -mesh knot -refine 3 -noise 0.3 -weights {{inverse unit}separate output} -t 0.2 -pc_type gamg -noisy noisy.off -denoised denoised.off
    test:
      suffix: cotan
      args: -mesh torus -refine 3 -noise 0.3 -weights cotan -t 0.2 -pc_type icc

TEST*/
