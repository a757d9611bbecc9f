static char help[] = "Counts the iterations of psdo with the neural preconditioner to a relative residual, on scenes that the weights were not trained on.\n\
Means of the scenes of each class, the largest count in brackets; the mean is that of the seven classes before the bubbles. Behind them the largest count of\n\
a scene over the mean of its class, which says how far one may rely on means.\n\n";

#include "tests/bench/scene.h"
#include "petlap.h"

struct Count {
  PetscReal rtol = 1e-6;
  PetscInt  most = 500, seeds = 3;
  FILE     *file  = nullptr;
  PetscBool tocsv = PETSC_FALSE;
};

/* All scenes of one grid with one set of weights */
static PetscErrorCode CountGrid(const Count &count, const BenchGrid &grid, PetscInt seeds, const char weights[], const char options[], PetscReal goal)
{
  BenchLine line;

  PetscFunctionBeginUser;
  line.name = grid.Name();
  line.rtol = count.rtol;
  line.most = count.most;
  for (PetscInt kind = 0; kind < BENCH_NKINDS; kind++) {
    for (PetscInt seed = 0; seed < seeds; seed++) {
      BenchScene scene;
      BenchRun   run;
      PetscInt   rows;

      PetscCall(BenchCreateScene(grid, kind, seed, BENCH_CONSTANT, 1.0, &scene));
      PetscCall(BenchSolveScene(scene, options, count.rtol, count.most, &run));
      PetscCall(MatGetSize(scene.A, &rows, nullptr));
      PetscCall(BenchDestroyScene(&scene));
      line.runs[kind].push_back(run);
      if (!count.tocsv) continue;
      PetscCall(PetscFPrintf(PETSC_COMM_WORLD, count.file, "%d,%d,%d,%d,%s,%s,%" PetscInt_FMT ",%" PetscInt_FMT ",%" PetscInt_FMT ",%s,%.4e\n", grid.dim, grid.n[0], grid.n[1], grid.n[2], weights, BenchKinds[kind], seed, rows, run.its,
                             KSPConvergedReasons[run.reason], (double)run.residual));
    }
  }
  if (goal > 0.0) line.name += " (goal " + std::to_string((int)goal) + ")";
  PetscCall(BenchPrintLine(line));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the preconditioner was designed for; 0 where nothing was asked */
static PetscReal Goal(int dim, PetscInt n)
{
  switch (n) {
  case 32:
    return dim == 3 ? 9.0 : 0.0;
  case 64:
    return dim == 3 ? 10.0 : 12.0;
  case 128:
    return 12.0;
  case 256:
    return dim == 3 ? 0.0 : 13.0;
  default:
    return 0.0;
  }
}

int main(int argc, char **argv)
{
  Count       count;
  PetscInt    n3, sizes3[BENCH_MAX_LIST], n2, sizes2[BENCH_MAX_LIST], nboxes, boxes[BENCH_MAX_LIST], nlarge, large[BENCH_MAX_LIST], nanalytic3, analytic3[BENCH_MAX_LIST], nanalytic2, analytic2[BENCH_MAX_LIST];
  char        csv[PETSC_MAX_PATH_LEN] = "";
  PetscMPIInt size;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCheck(size == 1, PETSC_COMM_WORLD, PETSC_ERR_WRONG_MPI_SIZE, "Iterations do not depend on the number of processes: use one");
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Iterations of psdo with the neural preconditioner", nullptr);
  PetscCall(PetscOptionsReal("-bench_rtol", "Relative residual", "", count.rtol, &count.rtol, nullptr));
  PetscCall(PetscOptionsBoundedInt("-bench_most", "Most iterations", "", count.most, &count.most, nullptr, 1));
  PetscCall(PetscOptionsBoundedInt("-bench_seeds", "Scenes of each class", "", count.seeds, &count.seeds, nullptr, 1));
  PetscCall(PetscOptionsString("-bench_csv", "File for the results", "", csv, csv, sizeof(csv), &count.tocsv));
  PetscOptionsEnd();
  PetscCall(BenchIntList("-bench_sizes_3d", "Cells along the axes of cubes", "32,64,128", &n3, sizes3));
  PetscCall(BenchIntList("-bench_sizes_2d", "Cells along the axes of squares", "64,128,256", &n2, sizes2));
  PetscCall(BenchIntList("-bench_boxes", "Cells along x, y and z of boxes", "50,70,90", &nboxes, boxes));
  PetscCall(BenchIntList("-bench_large", "The same for boxes with one scene of each class", "256,128,128,192,192,192", &nlarge, large));
  PetscCall(BenchIntList("-bench_analytic_3d", "Cubes for the weights that need no file", "32,64,128", &nanalytic3, analytic3));
  PetscCall(BenchIntList("-bench_analytic_2d", "Squares for them", "64,128,256", &nanalytic2, analytic2));
  PetscCheck(nboxes % 3 == 0 && nlarge % 3 == 0, PETSC_COMM_WORLD, PETSC_ERR_ARG_SIZ, "Boxes have three sizes each");

  PetscCall(BenchPrintPETSc(PETSC_COMM_WORLD));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "psdo to a relative residual of %g, %" PetscInt_FMT " scenes of each class: means (largest)\n", (double)count.rtol, count.seeds));
  if (count.tocsv) {
    PetscCall(PetscFOpen(PETSC_COMM_WORLD, csv, "w", &count.file));
    PetscCall(PetscFPrintf(PETSC_COMM_WORLD, count.file, "dim,nx,ny,nz,weights,class,seed,unknowns,its,reason,residual\n"));
  }
  for (int dim = 3; dim >= 2; dim--) {
    const PetscInt  n = dim == 3 ? n3 : n2, nanalytic = dim == 3 ? nanalytic3 : nanalytic2;
    const PetscInt *sizes = dim == 3 ? sizes3 : sizes2, *analytic = dim == 3 ? analytic3 : analytic2;

    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n%d-D, weights that come with petlap\n", dim));
    PetscCall(BenchPrintLineHeader("cells"));
    for (PetscInt k = 0; k < n; k++) PetscCall(CountGrid(count, BenchCube(dim, sizes[k]), count.seeds, "shipped", "", Goal(dim, sizes[k])));
    for (PetscInt k = 0; k < nboxes && dim == 3; k += 3) PetscCall(CountGrid(count, {3, {(int)boxes[k], (int)boxes[k + 1], (int)boxes[k + 2]}}, count.seeds, "shipped", "", 0.0));
    for (PetscInt k = 0; k < nlarge && dim == 3; k += 3) PetscCall(CountGrid(count, {3, {(int)large[k], (int)large[k + 1], (int)large[k + 2]}}, 1, "shipped", "", 0.0));
    if (nanalytic == 0) continue;
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n%d-D, analytic weights\n", dim));
    PetscCall(BenchPrintLineHeader("cells"));
    for (PetscInt k = 0; k < nanalytic; k++) PetscCall(CountGrid(count, BenchCube(dim, analytic[k]), count.seeds, "analytic", "-pc_neural_weights analytic ", 0.0));
  }
  if (count.tocsv) PetscCall(PetscFClose(PETSC_COMM_WORLD, count.file));
  PetscCall(PetscFinalize());
  return 0;
}
