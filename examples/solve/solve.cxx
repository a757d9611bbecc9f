static char help[] = "Solves a linear system from a file with any solver that PETSc has or loads.\n\n\
  -f <file>         the system: HDF5 (MATLAB v7.3 sparse matrix A, vectors b and x), PETSc binary, or Matrix Market\n\
  -x_out <file.h5>  writes the solution to the dataset x of an HDF5 file\n\
  -report           prints one line of key=value pairs\n\
  -plot <file.png>  draws the residual history and, for a system on a 2-D grid, the solution (needs gnuplot)\n\
  -nullspace <auto> none, constant, or auto: the constants are attached as null space if the matrix annihilates them\n\n";

#include <petlap.h>
#include <petscdmda.h>
#include <petscviewer.h>
#include <cstdio>
#include <sys/stat.h>

typedef enum { NULLSPACE_NONE, NULLSPACE_CONSTANT, NULLSPACE_AUTO } NullSpaceChoice;
static const char *const NullSpaceChoices[] = {"none", "constant", "auto", "NullSpaceChoice", "", nullptr};

/* A matrix that maps the constants to rounding error has them as its null space. Each row has a size of its own, that of its diagonal, and rounding is to be seen beside that. */
static PetscErrorCode AnnihilatesConstants(Mat A, PetscReal anorm, PetscBool *yes)
{
  Vec                one, y, d;
  const PetscScalar *yy, *dd;
  PetscInt           n, bad[2] = {0, 0};

  PetscFunctionBeginUser;
  PetscCall(MatCreateVecs(A, &one, &y));
  PetscCall(VecDuplicate(y, &d));
  PetscCall(VecSet(one, 1.0));
  PetscCall(MatMult(A, one, y));
  PetscCall(MatGetDiagonal(A, d));
  PetscCall(VecGetLocalSize(y, &n));
  PetscCall(VecGetArrayRead(y, &yy));
  PetscCall(VecGetArrayRead(d, &dd));
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal size = PetscAbsScalar(dd[i]);

    bad[0] += !(PetscAbsScalar(yy[i]) <= 100 * PETSC_MACHINE_EPSILON * (size > 0.0 ? size : anorm));
  }
  PetscCall(VecRestoreArrayRead(d, &dd));
  PetscCall(VecRestoreArrayRead(y, &yy));
  PetscCallMPI(MPI_Allreduce(&bad[0], &bad[1], 1, MPIU_INT, MPI_SUM, PetscObjectComm((PetscObject)A)));
  PetscCall(VecDestroy(&one));
  PetscCall(VecDestroy(&d));
  PetscCall(VecDestroy(&y));
  *yes = (PetscBool)(bad[1] == 0);
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode AttachNullSpace(Mat A, PetscReal anorm, NullSpaceChoice choice, MatNullSpace *nullspace)
{
  PetscBool attach = (PetscBool)(choice == NULLSPACE_CONSTANT);

  PetscFunctionBeginUser;
  *nullspace = nullptr;
  if (choice == NULLSPACE_AUTO) PetscCall(AnnihilatesConstants(A, anorm, &attach));
  if (!attach) PetscFunctionReturn((PetscErrorCode)0);
  PetscCall(MatNullSpaceCreate(PetscObjectComm((PetscObject)A), PETSC_TRUE, 0, nullptr, nullspace));
  PetscCall(MatSetNullSpace(A, *nullspace));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A right-hand side for a file without one: the product of A and a smooth vector that is the same on any number of processes */
static PetscErrorCode MakeSystem(Mat A, Vec *b, Vec *x)
{
  PetscInt start, end;

  PetscFunctionBeginUser;
  if (!*x) {
    PetscCall(MatCreateVecs(A, x, nullptr));
    PetscCall(VecGetOwnershipRange(*x, &start, &end));
    for (PetscInt i = start; i < end; i++) PetscCall(VecSetValue(*x, i, 1.0 + PetscSinReal(0.1 * (PetscReal)i), INSERT_VALUES));
    PetscCall(VecAssemblyBegin(*x));
    PetscCall(VecAssemblyEnd(*x));
  }
  PetscCall(MatCreateVecs(A, nullptr, b));
  PetscCall(MatMult(A, *x, *b));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The solution in the numbering of the file; a DMDA on several processes has another one */
static PetscErrorCode NaturalSolution(DM dm, Vec x, Vec *natural)
{
  PetscFunctionBeginUser;
  if (dm) {
    PetscCall(DMDACreateNaturalVector(dm, natural));
    PetscCall(DMDAGlobalToNaturalBegin(dm, x, INSERT_VALUES, *natural));
    PetscCall(DMDAGlobalToNaturalEnd(dm, x, INSERT_VALUES, *natural));
  } else {
    PetscCall(PetscObjectReference((PetscObject)x));
    *natural = x;
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode WriteSolution(const char filename[], DM dm, Vec x)
{
  PetscFunctionBeginUser;
#if defined(PETSC_HAVE_HDF5)
  PetscViewer        viewer;
  Vec                natural, plain;
  PetscInt           n, N;
  const PetscScalar *values;

  PetscCall(NaturalSolution(dm, x, &natural));
  /* A vector that knows its DMDA would be written as a grid, not as the vector that the file's b is */
  PetscCall(VecCreate(PetscObjectComm((PetscObject)x), &plain));
  PetscCall(VecGetLocalSize(natural, &n));
  PetscCall(VecGetSize(natural, &N));
  PetscCall(VecSetSizes(plain, n, N));
  PetscCall(VecSetType(plain, VECSTANDARD));
  PetscCall(VecGetArrayRead(natural, &values));
  PetscCall(VecPlaceArray(plain, values));
  PetscCall(PetscObjectSetName((PetscObject)plain, "x"));
  PetscCall(PetscViewerCreate(PetscObjectComm((PetscObject)x), &viewer));
  PetscCall(PetscViewerSetType(viewer, PETSCVIEWERHDF5));
  PetscCall(PetscViewerFileSetMode(viewer, FILE_MODE_WRITE));
  PetscCall(PetscViewerFileSetName(viewer, filename));
  PetscCall(VecView(plain, viewer));
  PetscCall(PetscViewerDestroy(&viewer));
  PetscCall(VecResetArray(plain));
  PetscCall(VecRestoreArrayRead(natural, &values));
  PetscCall(VecDestroy(&plain));
  PetscCall(VecDestroy(&natural));
#else
  (void)dm;
  SETERRQ(PetscObjectComm((PetscObject)x), PETSC_ERR_SUP_SYS, "%s cannot be written: this PETSc was built without HDF5", filename);
#endif
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode CheckGnuplot(MPI_Comm comm)
{
  PetscMPIInt rank;
  int         found = 1;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) found = system("command -v gnuplot >/dev/null 2>&1") == 0;
  PetscCallMPI(MPI_Bcast(&found, 1, MPI_INT, 0, comm));
  PetscCheck(found, comm, PETSC_ERR_SUP_SYS, "-plot needs the program gnuplot, which is not on the PATH: install it (Debian: apt-get install gnuplot-nox)");
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Residual history on the left and, if there is a 2-D grid, the solution as a picture on the right */
static PetscErrorCode Plot(const char filename[], KSP ksp, DM dm, Vec x)
{
  const PetscInt   most = 1024; /* pixels along an axis */
  const PetscReal *history;
  PetscInt         n, dim = 0, nx = 0, ny = 0;
  PetscMPIInt      rank;
  Vec              natural, all = nullptr;
  VecScatter       scatter;
  KSPType          ksptype;
  PCType           pctype;
  PC               pc;
  int              failed = 0, drawn = 0;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(PetscObjectComm((PetscObject)ksp), &rank));
  PetscCall(KSPGetResidualHistory(ksp, &history, &n));
  PetscCall(KSPGetType(ksp, &ksptype));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCGetType(pc, &pctype));
  if (dm) PetscCall(DMDAGetInfo(dm, &dim, &nx, &ny, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  if (dim == 2) {
    PetscCall(NaturalSolution(dm, x, &natural));
    PetscCall(VecScatterCreateToZero(natural, &scatter, &all));
    PetscCall(VecScatterBegin(scatter, natural, all, INSERT_VALUES, SCATTER_FORWARD));
    PetscCall(VecScatterEnd(scatter, natural, all, INSERT_VALUES, SCATTER_FORWARD));
    PetscCall(VecScatterDestroy(&scatter));
    PetscCall(VecDestroy(&natural));
  }
  if (rank == 0) {
    struct stat before = {}, after = {};
    FILE       *gnuplot;

    stat(filename, &before);
    gnuplot = popen("gnuplot", "w");
    PetscCheck(gnuplot, PETSC_COMM_SELF, PETSC_ERR_SYS, "gnuplot cannot be started");
    fprintf(gnuplot, "set terminal pngcairo size %d,480\nset output '", all ? 1200 : 640);
    /* gnuplot doubles a quote inside a quoted name */
    for (const char *c = filename; *c; c++) fprintf(gnuplot, *c == '\'' ? "''" : "%c", *c);
    fprintf(gnuplot, "'\nset multiplot layout 1,%d\nset logscale y\nset format y '%%.0e'\nset grid\nset xlabel 'iteration'\nset ylabel 'residual norm'\nset title '%s, %s'\n", all ? 2 : 1, ksptype, pctype);
    fprintf(gnuplot, "set xrange [0:%d]\nplot '-' using 1:2 with linespoints pt 7 ps 0.4 notitle\n", (int)PetscMax(n - 1, 1));
    for (PetscInt k = 0; k < n; k++) {
      if (history[k] > 0.0) {
        fprintf(gnuplot, "%d %.8e\n", (int)k, (double)history[k]);
        drawn++;
      }
    }
    /* A direct solver has no history; gnuplot wants two values for an axis */
    for (; drawn < 2; drawn++) fprintf(gnuplot, "0 %d\n", drawn ? 10 : 1);
    fprintf(gnuplot, "e\n");
    if (all) {
      const PetscInt     step = PetscMax(1, PetscMax((nx + most - 1) / most, (ny + most - 1) / most)), mx = (nx + step - 1) / step, my = (ny + step - 1) / step;
      const PetscScalar *v;

      fprintf(gnuplot, "unset logscale\nset format '%%g'\nunset grid\nset title 'solution, %d x %d'\nset xlabel 'x'\nset ylabel 'y'\nset size ratio -1\nset palette gray\nset yrange [%d:-0.5]\nset xrange [-0.5:%d]\n", (int)nx, (int)ny, (int)my,
              (int)mx);
      fprintf(gnuplot, "plot '-' binary array=(%d,%d) format='%%float' with image notitle\n", (int)mx, (int)my);
      PetscCall(VecGetArrayRead(all, &v));
      for (PetscInt j = 0; j < ny; j += step) {
        for (PetscInt i = 0; i < nx; i += step) {
          float pixel = (float)PetscRealPart(v[j * nx + i]);

          fwrite(&pixel, sizeof(pixel), 1, gnuplot);
        }
      }
      PetscCall(VecRestoreArrayRead(all, &v));
    }
    fprintf(gnuplot, "\nunset multiplot\n");
    failed = pclose(gnuplot) != 0 || stat(filename, &after) || !after.st_size || (after.st_mtim.tv_sec == before.st_mtim.tv_sec && after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
  }
  PetscCallMPI(MPI_Bcast(&failed, 1, MPI_INT, 0, PetscObjectComm((PetscObject)ksp)));
  PetscCheck(!failed, PetscObjectComm((PetscObject)ksp), PETSC_ERR_FILE_WRITE, "gnuplot did not write %s: see its message above, and whether the folder exists and is writable", filename);
  PetscCall(VecDestroy(&all));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Mat                A;
  Vec                b, x, reference, r;
  KSP                ksp;
  PC                 pc;
  DM                 dm;
  MatNullSpace       nullspace;
  MatInfo            info;
  NullSpaceChoice    choice = NULLSPACE_AUTO;
  KSPConvergedReason reason;
  KSPType            ksptype;
  PCType             pctype;
  PetscInt           n, its, maxits;
  PetscReal          anorm, bnorm, binf, xinf, rnorm, rinf, error = 0.0, size, rtol, atol, *history = nullptr;
  PetscLogDouble     t0, t1, t2;
  PetscBool          given, report = PETSC_FALSE, plot, xout;
  char               filename[PETSC_MAX_PATH_LEN], plotname[PETSC_MAX_PATH_LEN], xname[PETSC_MAX_PATH_LEN];

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Solve a linear system from a file", nullptr);
  PetscCall(PetscOptionsString("-f", "File with the system", nullptr, "", filename, sizeof(filename), &given));
  PetscCall(PetscOptionsString("-x_out", "HDF5 file for the solution", nullptr, "", xname, sizeof(xname), &xout));
  PetscCall(PetscOptionsString("-plot", "PNG file for residual history and solution", nullptr, "", plotname, sizeof(plotname), &plot));
  PetscCall(PetscOptionsBool("-report", "Print one line of key=value pairs", nullptr, report, &report, nullptr));
  PetscCall(PetscOptionsEnum("-nullspace", "Null space to attach", "MatSetNullSpace", NullSpaceChoices, (PetscEnum)choice, (PetscEnum *)&choice, nullptr));
  PetscOptionsEnd();
  PetscCheck(given, PETSC_COMM_WORLD, PETSC_ERR_USER_INPUT, "Name the file with the system: -f FILE (HDF5, PETSc binary or Matrix Market); -help lists all options");
  if (plot) PetscCall(CheckGnuplot(PETSC_COMM_WORLD));

  PetscCall(PetlapLoadSystem(PETSC_COMM_WORLD, filename, &A, &b, &reference));
  PetscCall(MatGetDM(A, &dm));
  PetscCall(MatNorm(A, NORM_INFINITY, &anorm));
  PetscCall(AttachNullSpace(A, anorm, choice, &nullspace));
  if (!b) PetscCall(MakeSystem(A, &b, &reference));
  PetscCall(VecDuplicate(b, &x));
  PetscCall(VecDuplicate(b, &r));

  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPGetPC(ksp, &pc));
  /* Geometric multigrid and other grid methods look for the grid here */
  if (dm) PetscCall(PCSetDM(pc, dm));
  PetscCall(KSPSetFromOptions(ksp));
  if (plot) {
    PetscCall(KSPGetTolerances(ksp, nullptr, nullptr, nullptr, &maxits));
    maxits = PetscMin(maxits, 1000000) + 1;
    PetscCall(PetscMalloc1(maxits, &history));
    PetscCall(KSPSetResidualHistory(ksp, history, maxits, PETSC_TRUE));
  }
  PetscCall(PetscTime(&t0));
  PetscCall(KSPSetUp(ksp));
  PetscCall(KSPSetUpOnBlocks(ksp));
  PetscCall(PetscTime(&t1));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(PetscTime(&t2));

  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(KSPGetIterationNumber(ksp, &its));
  PetscCall(KSPGetTolerances(ksp, &rtol, &atol, nullptr, nullptr));
  PetscCall(KSPGetType(ksp, &ksptype));
  PetscCall(PCGetType(pc, &pctype));
  PetscCall(MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1.0, b));
  PetscCall(VecNorm(r, NORM_2, &rnorm));
  PetscCall(VecNorm(r, NORM_INFINITY, &rinf));
  PetscCall(VecNorm(b, NORM_2, &bnorm));
  PetscCall(VecNorm(b, NORM_INFINITY, &binf));
  PetscCall(VecNorm(x, NORM_INFINITY, &xinf));
  size = anorm * xinf + binf;
  if (reference) {
    PetscReal norm;

    /* Two solutions of a singular system may differ by a constant */
    PetscCall(VecCopy(x, r));
    PetscCall(VecAXPY(r, -1.0, reference));
    if (nullspace) {
      PetscCall(MatNullSpaceRemove(nullspace, r));
      PetscCall(MatNullSpaceRemove(nullspace, reference));
    }
    PetscCall(VecNorm(r, NORM_2, &error));
    PetscCall(VecNorm(reference, NORM_2, &norm));
    if (norm > 0.0) error /= norm;
  }
  if (report) {
    PetscCall(MatGetSize(A, &n, nullptr));
    PetscCall(MatGetInfo(A, MAT_GLOBAL_SUM, &info));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "n=%" PetscInt_FMT " nnz=%.0f ksp=%s pc=%s iterations=%" PetscInt_FMT " reason=%s true_relative_residual=%.3e backward_error=%.3e", n, info.nz_used, ksptype, pctype, its, KSPConvergedReasons[reason],
                          (double)(bnorm > 0.0 ? rnorm / bnorm : rnorm), (double)(size > 0.0 ? rinf / size : rinf)));
    if (reference) PetscCall(PetscPrintf(PETSC_COMM_WORLD, " error=%.3e", (double)error));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, " setup_seconds=%.4f solve_seconds=%.4f\n", t1 - t0, t2 - t1));
  }
  /* Many methods watch another norm than the user cares for */
  if (reason > 0 && rnorm > 100 * PetscMax(rtol * bnorm, atol)) {
    KSPNormType type;

    PetscCall(KSPGetNormType(ksp, &type));
    PetscCall(PetscFPrintf(PETSC_COMM_WORLD, stderr, "solve: note: %s with %s stopped as converged, but the true relative residual is %.1e (rtol %.1e): %s\n", ksptype, pctype, (double)(bnorm > 0.0 ? rnorm / bnorm : rnorm), (double)rtol,
                           type == KSP_NORM_UNPRECONDITIONED ? "it is rounding of a solution that is large beside the right-hand side, or the recurrence of the method is at its end" : "try -ksp_norm_type unpreconditioned or a smaller -ksp_rtol"));
  }
  if (reason < 0) PetscCall(PetscFPrintf(PETSC_COMM_WORLD, stderr, "solve: %s with %s did not converge after %" PetscInt_FMT " iterations: %s\n", ksptype, pctype, its, KSPConvergedReasons[reason]));
  if (xout) PetscCall(WriteSolution(xname, dm, x));
  if (plot) PetscCall(Plot(plotname, ksp, dm, x));

  PetscCall(PetscFree(history));
  PetscCall(MatNullSpaceDestroy(&nullspace));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&r));
  PetscCall(VecDestroy(&reference));
  PetscCall(MatDestroy(&A));
  PetscCall(PetscFinalize());
  return reason < 0 ? 1 : 0;
}

/*TEST

  build:
    requires: hdf5

  testset:
    nsize: {{1 2 4}}
    args: -ksp_rtol 1e-10 -report
    filter: sed -E -e "s/ setup_seconds=.+$//" -e "s/iterations=[0-9]+/iterations=N/" -e "s/=[0-9.]+e-(0[7-9]|[1-9][0-9])/=small/g"
    test:
      suffix: epd
      args: -f ${PETLAP_DATA}/epd_coffee_97x65_lam1.h5 -ksp_type psdo -pc_type bjacobi -sub_pc_type icc
    test:
      suffix: fluid
      args: -f ${PETLAP_DATA}/fluid_dampillars_64x64x64_f45.h5 -ksp_type psdo -pc_type bjacobi
    test:
      suffix: singular
      args: -f ${PETLAP_DATA}/fluid_smoke_solid_32x48x32_f25.h5 -ksp_type psdo -ksp_psdo_mmax 4 -pc_type bjacobi
    test:
      suffix: nonsymmetric
      args: -f ${PETLAP_DATA}/color_row_chelsea_65x65.h5 -ksp_type gmres -pc_type bjacobi -sub_pc_type lu

  testset:
    filter: sed -E -e "s/ setup_seconds=.+$//" -e "s/=[0-9.]+e-(0[7-9]|[1-9][0-9])/=small/g"
    test:
      suffix: direct
      args: -f ${PETLAP_DATA}/deconv_uniform_camera_65x65.h5 -ksp_type preonly -pc_type lu -report
    test:
      suffix: schwarzschur_lu
      nsize: {{1 4 7}}
      requires: petlap
      args: -f ${PETLAP_DATA}/epd_coffee_97x65_lam1.h5 -ksp_type preonly -pc_type lu -pc_factor_mat_solver_type schwarzschur -report
    test:
      suffix: schwarzschur_cholesky
      nsize: {{1 4 7}}
      requires: petlap
      args: -f ${PETLAP_DATA}/epd_coffee_97x65_lam1.h5 -ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type schwarzschur -report
    test:
      suffix: multigrid
      args: -f ${PETLAP_DATA}/color_sym_chelsea_65x65.h5 -ksp_type psdo -pc_type mg -pc_mg_levels 3 -pc_mg_galerkin both -ksp_rtol 1e-10 -report
      requires: !complex
    test:
      suffix: x_out
      nsize: {{1 4}}
      args: -f ${PETLAP_DATA}/aniso_par_brick_65x65.h5 -ksp_type psdo -pc_type jacobi -ksp_rtol 1e-12 -x_out x.h5
    test:
      suffix: plot
      requires: gnuplot
      nsize: {{1 2}}
      args: -f ${PETLAP_DATA}/aniso_par_brick_65x65.h5 -ksp_type psdo -pc_type jacobi -plot plot.png

TEST*/
