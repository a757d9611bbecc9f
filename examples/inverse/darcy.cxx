static char help[] = "Finds the permeability of a rock from pressures: the field q for which the solutions u of -div(exp(q) grad u) = f, with u = 0 on the boundary, are\n\
those that were observed, for several wells f. The true field is a picture. The gradient costs one more solve per well with the factorization of the matrix that\n\
is there anyway (MatSchwarzSchurSolveAdjoint()) and one pass over the assembly loop.\n\
Writes the true and the recovered field and says how far they are apart.\n\n\
  -image <coins.png>     an 8-bit PNG file: white is permeable\n\
  -shrink <4>            pixels of the picture for a point of the grid, along both axes\n\
  -contrast <3>          q of white minus q of black\n\
  -wells <6>             right-hand sides, each a source at another place\n\
  -every <1>             only every so many points are observed\n\
  -noise <0.001>         standard deviation of the noise, relative to the observations of the well\n\
  -mean <harmonic>       of the permeabilities on both sides of a face, or arithmetic\n\
  -reg <tv>              regularization by total variation, or tikhonov: the square of the differences\n\
  -alpha <1e-5>          its weight\n\
  -epsilon <0.01>        below this difference of neighbours, total variation is rounded off\n\
  -true <true.png>, -recovered <recovered.png>   what is written\n\n\
Options for TAO (-tao_monitor, -tao_type, -tao_max_it, -tao_test_gradient) and for the solver (-pc_type, -pc_factor_mat_solver_type) hold as always.\n\n";

#include "picture.h"
#include <petlap.h>
#include <petsctao.h>
#include <cmath>

typedef enum { MEAN_HARMONIC, MEAN_ARITHMETIC } Mean;
static const char *const Means[] = {"harmonic", "arithmetic", "Mean", "", nullptr};
typedef enum { REG_TV, REG_TIKHONOV } Regularization;
static const char *const Regularizations[] = {"tv", "tikhonov", "Regularization", "", nullptr};

struct Problem {
  DM             dm;
  Mat            A, dEdA, sum; /* sum of the gradients dEdA of all wells */
  KSP            ksp;
  PetscInt       wells;
  Vec           *f, *observed, seen; /* seen is 1 where there is an observation and 0 elsewhere */
  Vec            u, dEdu;
  Mean           mean;
  Regularization reg;
  PetscReal      alpha, epsilon;
};

/* The permeability of a face between points with q = a and q = b, and its derivatives */
static void Face(Mean mean, PetscReal a, PetscReal b, PetscReal *c, PetscReal *dca, PetscReal *dcb)
{
  const PetscReal ka = PetscExpReal(a), kb = PetscExpReal(b);

  if (mean == MEAN_ARITHMETIC) {
    *c   = 0.5 * (ka + kb);
    *dca = 0.5 * ka;
    *dcb = 0.5 * kb;
  } else {
    *c   = 2.0 * ka * kb / (ka + kb);
    *dca = *c * kb / (ka + kb);
    *dcb = *c * ka / (ka + kb);
  }
}

static const PetscInt Neighbours[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};

/* The matrix, times the square of the mesh size. A face on the boundary has the permeability of its only point. */
static PetscErrorCode Assemble(Problem *problem, Vec q)
{
  PetscInt      nx, ny, xs, ys, xm, ym;
  PetscScalar **values;
  Vec           local;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetInfo(problem->dm, nullptr, &nx, &ny, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCall(DMDAGetCorners(problem->dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
  PetscCall(DMGetLocalVector(problem->dm, &local));
  PetscCall(DMGlobalToLocal(problem->dm, q, INSERT_VALUES, local));
  PetscCall(DMDAVecGetArrayRead(problem->dm, local, &values));
  for (PetscInt j = ys; j < ys + ym; j++) {
    for (PetscInt i = xs; i < xs + xm; i++) {
      MatStencil  row, columns[5];
      PetscScalar entries[5];
      PetscInt    n = 1;

      row.i      = i;
      row.j      = j;
      row.k      = 0;
      row.c      = 0;
      columns[0] = row;
      entries[0] = 0.0;
      for (PetscInt d = 0; d < 4; d++) {
        const PetscInt ii = i + Neighbours[d][0], jj = j + Neighbours[d][1];
        PetscReal      c, dca, dcb;

        if (ii < 0 || ii >= nx || jj < 0 || jj >= ny) {
          entries[0] += PetscExpReal(PetscRealPart(values[j][i]));
          continue;
        }
        Face(problem->mean, PetscRealPart(values[j][i]), PetscRealPart(values[jj][ii]), &c, &dca, &dcb);
        columns[n]   = row;
        columns[n].i = ii;
        columns[n].j = jj;
        entries[0] += c;
        entries[n++] = -c;
      }
      PetscCall(MatSetValuesStencil(problem->A, 1, &row, n, columns, entries, INSERT_VALUES));
    }
  }
  PetscCall(DMDAVecRestoreArrayRead(problem->dm, local, &values));
  PetscCall(DMRestoreLocalVector(problem->dm, &local));
  PetscCall(MatAssemblyBegin(problem->A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(problem->A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The entry of row i in one column, which must be there */
static PetscScalar Entry(PetscInt n, const PetscInt *columns, const PetscScalar *values, PetscInt column)
{
  PetscInt k = 0;

  while (k < n - 1 && columns[k] != column) k++;
  return values[k];
}

/* Adds the gradient with respect to q, from that with respect to the nonzeros of A: the assembly loop once more, with derivatives */
static PetscErrorCode AssembleAdjoint(Problem *problem, Vec q, Mat dEdA, Vec dEdq)
{
  PetscInt               nx, ny, xs, ys, xm, ym, gxs, gys, gxm;
  PetscScalar          **values, **gradient;
  Vec                    local, dlocal;
  ISLocalToGlobalMapping map;
  const PetscInt        *global;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetInfo(problem->dm, nullptr, &nx, &ny, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCall(DMDAGetCorners(problem->dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
  PetscCall(DMDAGetGhostCorners(problem->dm, &gxs, &gys, nullptr, &gxm, nullptr, nullptr));
  PetscCall(DMGetLocalToGlobalMapping(problem->dm, &map));
  PetscCall(ISLocalToGlobalMappingGetIndices(map, &global));
  PetscCall(DMGetLocalVector(problem->dm, &local));
  PetscCall(DMGetLocalVector(problem->dm, &dlocal));
  PetscCall(VecZeroEntries(dlocal));
  PetscCall(DMGlobalToLocal(problem->dm, q, INSERT_VALUES, local));
  PetscCall(DMDAVecGetArrayRead(problem->dm, local, &values));
  PetscCall(DMDAVecGetArray(problem->dm, dlocal, &gradient));
  for (PetscInt j = ys; j < ys + ym; j++) {
    for (PetscInt i = xs; i < xs + xm; i++) {
      const PetscInt     row = global[(j - gys) * gxm + i - gxs];
      const PetscInt    *columns;
      const PetscScalar *entries;
      PetscInt           n;
      PetscScalar        diagonal;

      PetscCall(MatGetRow(dEdA, row, &n, &columns, &entries));
      diagonal = Entry(n, columns, entries, row);
      for (PetscInt d = 0; d < 4; d++) {
        const PetscInt ii = i + Neighbours[d][0], jj = j + Neighbours[d][1];
        PetscReal      c, dca, dcb;
        PetscScalar    dEdc;

        if (ii < 0 || ii >= nx || jj < 0 || jj >= ny) {
          gradient[j][i] += diagonal * PetscExpReal(PetscRealPart(values[j][i]));
          continue;
        }
        Face(problem->mean, PetscRealPart(values[j][i]), PetscRealPart(values[jj][ii]), &c, &dca, &dcb);
        dEdc = diagonal - Entry(n, columns, entries, global[(jj - gys) * gxm + ii - gxs]);
        gradient[j][i] += dEdc * dca;
        gradient[jj][ii] += dEdc * dcb;
      }
      PetscCall(MatRestoreRow(dEdA, row, &n, &columns, &entries));
    }
  }
  PetscCall(DMDAVecRestoreArray(problem->dm, dlocal, &gradient));
  PetscCall(DMDAVecRestoreArrayRead(problem->dm, local, &values));
  PetscCall(DMLocalToGlobal(problem->dm, dlocal, ADD_VALUES, dEdq));
  PetscCall(DMRestoreLocalVector(problem->dm, &dlocal));
  PetscCall(DMRestoreLocalVector(problem->dm, &local));
  PetscCall(ISLocalToGlobalMappingRestoreIndices(map, &global));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The mean over the grid of the rounded-off length, or of half the square, of the differences to the next points; adds to E and dEdq */
static PetscErrorCode Regularize(Problem *problem, Vec q, PetscReal *E, Vec dEdq)
{
  PetscInt      nx, ny, xs, ys, xm, ym;
  PetscScalar **values, **gradient;
  PetscReal     mine = 0.0, all, weight;
  Vec           local, dlocal;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetInfo(problem->dm, nullptr, &nx, &ny, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCall(DMDAGetCorners(problem->dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
  weight = problem->alpha / ((PetscReal)nx * ny);
  PetscCall(DMGetLocalVector(problem->dm, &local));
  PetscCall(DMGetLocalVector(problem->dm, &dlocal));
  PetscCall(VecZeroEntries(dlocal));
  PetscCall(DMGlobalToLocal(problem->dm, q, INSERT_VALUES, local));
  PetscCall(DMDAVecGetArrayRead(problem->dm, local, &values));
  PetscCall(DMDAVecGetArray(problem->dm, dlocal, &gradient));
  for (PetscInt j = ys; j < ys + ym; j++) {
    for (PetscInt i = xs; i < xs + xm; i++) {
      const PetscReal dx = i + 1 < nx ? PetscRealPart(values[j][i + 1] - values[j][i]) : 0.0, dy = j + 1 < ny ? PetscRealPart(values[j + 1][i] - values[j][i]) : 0.0;
      const PetscReal length = PetscSqrtReal(dx * dx + dy * dy + problem->epsilon * problem->epsilon), slope = problem->reg == REG_TV ? weight / length : weight;

      mine += weight * (problem->reg == REG_TV ? length : 0.5 * (dx * dx + dy * dy));
      gradient[j][i] -= slope * (dx + dy);
      if (i + 1 < nx) gradient[j][i + 1] += slope * dx;
      if (j + 1 < ny) gradient[j + 1][i] += slope * dy;
    }
  }
  PetscCall(DMDAVecRestoreArray(problem->dm, dlocal, &gradient));
  PetscCall(DMDAVecRestoreArrayRead(problem->dm, local, &values));
  PetscCall(DMLocalToGlobal(problem->dm, dlocal, ADD_VALUES, dEdq));
  PetscCall(DMRestoreLocalVector(problem->dm, &dlocal));
  PetscCall(DMRestoreLocalVector(problem->dm, &local));
  PetscCallMPI(MPI_Allreduce(&mine, &all, 1, MPIU_REAL, MPIU_SUM, PetscObjectComm((PetscObject)problem->dm)));
  *E += all;
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Half the mean square misfit, relative to the observations, and the regularization; the gradient with respect to q */
static PetscErrorCode Misfit(Tao, Vec q, PetscReal *E, Vec dEdq, void *context)
{
  Problem *problem = (Problem *)context;
  PC       pc;
  Mat      F;

  PetscFunctionBeginUser;
  *E = 0.0;
  PetscCall(VecZeroEntries(dEdq));
  PetscCall(Assemble(problem, q));
  PetscCall(KSPSetOperators(problem->ksp, problem->A, problem->A));
  PetscCall(KSPGetPC(problem->ksp, &pc));
  PetscCall(MatZeroEntries(problem->sum));
  for (PetscInt s = 0; s < problem->wells; s++) {
    PetscReal norm, size;

    PetscCall(KSPSolve(problem->ksp, problem->f[s], problem->u));
    PetscCall(VecWAXPY(problem->dEdu, -1.0, problem->observed[s], problem->u));
    PetscCall(VecPointwiseMult(problem->dEdu, problem->dEdu, problem->seen));
    PetscCall(VecNorm(problem->dEdu, NORM_2, &norm));
    PetscCall(VecNorm(problem->observed[s], NORM_2, &size));
    *E += 0.5 * norm * norm / (size * size * problem->wells);
    PetscCall(VecScale(problem->dEdu, 1.0 / (size * size * problem->wells)));
    PetscCall(PCFactorGetMatrix(pc, &F));
    PetscCall(MatSchwarzSchurSolveAdjoint(F, problem->A, problem->u, problem->dEdu, nullptr, problem->dEdA));
    PetscCall(MatAXPY(problem->sum, 1.0, problem->dEdA, SAME_NONZERO_PATTERN));
  }
  PetscCall(AssembleAdjoint(problem, q, problem->sum, dEdq));
  PetscCall(Regularize(problem, q, E, dEdq));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Sources, which points are observed, and what is observed there for the true q */
static PetscErrorCode Observe(Problem *problem, Vec q, PetscInt every, PetscReal noise)
{
  PetscInt  nx, ny, xs, ys, xm, ym;
  PetscReal h;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetInfo(problem->dm, nullptr, &nx, &ny, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCall(DMDAGetCorners(problem->dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
  h = 1.0 / PetscMax(nx, ny);
  PetscCall(Assemble(problem, q));
  PetscCall(KSPSetOperators(problem->ksp, problem->A, problem->A));
  {
    PetscScalar **seen;

    PetscCall(DMDAVecGetArrayWrite(problem->dm, problem->seen, &seen));
    for (PetscInt j = ys; j < ys + ym; j++) {
      for (PetscInt i = xs; i < xs + xm; i++) seen[j][i] = (j * nx + i) % every ? 0.0 : 1.0;
    }
    PetscCall(DMDAVecRestoreArrayWrite(problem->dm, problem->seen, &seen));
  }
  for (PetscInt s = 0; s < problem->wells; s++) {
    /* Multiples of two irrational numbers spread any number of wells evenly */
    const PetscReal x = std::fmod(0.5 + s * 0.75487766624669276, 1.0) * nx, y = std::fmod(0.5 + s * 0.56984029099805327, 1.0) * ny, reach = 0.1 * PetscMax(nx, ny);
    PetscReal       size, points;
    PetscScalar   **f, **u;

    PetscCall(DMDAVecGetArrayWrite(problem->dm, problem->f[s], &f));
    for (PetscInt j = ys; j < ys + ym; j++) {
      for (PetscInt i = xs; i < xs + xm; i++) f[j][i] = h * h * PetscExpReal(-0.5 * ((i - x) * (i - x) + (j - y) * (j - y)) / (reach * reach));
    }
    PetscCall(DMDAVecRestoreArrayWrite(problem->dm, problem->f[s], &f));
    PetscCall(KSPSolve(problem->ksp, problem->f[s], problem->observed[s]));
    PetscCall(VecPointwiseMult(problem->observed[s], problem->observed[s], problem->seen));
    PetscCall(VecNorm(problem->observed[s], NORM_2, &size));
    PetscCall(VecNorm(problem->seen, NORM_1, &points));
    size /= PetscSqrtReal(points);
    PetscCall(DMDAVecGetArray(problem->dm, problem->observed[s], &u));
    for (PetscInt j = ys; j < ys + ym; j++) {
      for (PetscInt i = xs; i < xs + xm; i++) {
        if ((j * nx + i) % every == 0) u[j][i] += noise * size * PictureNoise(((uint64_t)s * ny + j) * nx + i);
      }
    }
    PetscCall(DMDAVecRestoreArray(problem->dm, problem->observed[s], &u));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Direct, with the solver for grids where there is one for these matrices; options may ask for another one */
static PetscErrorCode CreateSolver(Mat A, KSP *ksp)
{
  PC        pc;
  MatType   type;
  PetscBool known;

  PetscFunctionBeginUser;
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)A), ksp));
  PetscCall(KSPSetType(*ksp, KSPPREONLY));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(PCSetType(pc, PCCHOLESKY));
  PetscCall(MatGetType(A, &type));
  PetscCall(MatSolverTypeGet("schwarzschur", type, MAT_FACTOR_CHOLESKY, nullptr, &known, nullptr));
  if (known) PetscCall(PCFactorSetMatSolverType(pc, "schwarzschur"));
  PetscCall(KSPSetErrorIfNotConverged(*ksp, PETSC_TRUE));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Problem            problem;
  Picture            picture;
  Vec                truth, q, error;
  Tao                tao;
  TaoConvergedReason reason;
  PetscInt           shrink = 4, every = 1, its;
  PetscReal          contrast = 3.0, noise = 1e-3, E, gnorm, before, after;
  char               image[PETSC_MAX_PATH_LEN] = PETLAP_DATA "/images/coins.png", truename[PETSC_MAX_PATH_LEN] = "true.png", recoveredname[PETSC_MAX_PATH_LEN] = "recovered.png";

  problem.wells   = 6;
  problem.mean    = MEAN_HARMONIC;
  problem.reg     = REG_TV;
  problem.alpha   = 1e-5;
  problem.epsilon = 0.01;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Permeability from pressures", nullptr);
  PetscCall(PetscOptionsString("-image", "PNG file", nullptr, image, image, sizeof(image), nullptr));
  PetscCall(PetscOptionsInt("-shrink", "Pixels for a point of the grid", nullptr, shrink, &shrink, nullptr));
  PetscCall(PetscOptionsReal("-contrast", "q of white minus q of black", nullptr, contrast, &contrast, nullptr));
  PetscCall(PetscOptionsInt("-wells", "Right-hand sides", nullptr, problem.wells, &problem.wells, nullptr));
  PetscCall(PetscOptionsInt("-every", "Only every so many points are observed", nullptr, every, &every, nullptr));
  PetscCall(PetscOptionsReal("-noise", "Relative standard deviation of the noise", nullptr, noise, &noise, nullptr));
  PetscCall(PetscOptionsEnum("-mean", "Permeability of a face", nullptr, Means, (PetscEnum)problem.mean, (PetscEnum *)&problem.mean, nullptr));
  PetscCall(PetscOptionsEnum("-reg", "Regularization", nullptr, Regularizations, (PetscEnum)problem.reg, (PetscEnum *)&problem.reg, nullptr));
  PetscCall(PetscOptionsReal("-alpha", "Weight of the regularization", nullptr, problem.alpha, &problem.alpha, nullptr));
  PetscCall(PetscOptionsReal("-epsilon", "Where total variation is rounded off", nullptr, problem.epsilon, &problem.epsilon, nullptr));
  PetscCall(PetscOptionsString("-true", "File for the true field", nullptr, truename, truename, sizeof(truename), nullptr));
  PetscCall(PetscOptionsString("-recovered", "File for the recovered field", nullptr, recoveredname, recoveredname, sizeof(recoveredname), nullptr));
  PetscOptionsEnd();
  PetscCall(PictureRead(image, 1, &picture));
  PetscCheck(shrink >= 1 && shrink <= PetscMin(picture.width, picture.height) / 3, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE,
             "-shrink %" PetscInt_FMT ": must be at least 1, and leave 3 points along both axes of the %" PetscInt_FMT " x %" PetscInt_FMT " pixels", shrink, picture.width, picture.height);
  PetscCheck(problem.wells >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-wells %" PetscInt_FMT ": must be at least 1", problem.wells);
  PetscCheck(every >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-every %" PetscInt_FMT ": must be at least 1", every);
  PetscCheck(noise >= 0.0 && problem.alpha >= 0.0 && contrast >= 0.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-noise, -alpha and -contrast must not be negative");
  PetscCheck(problem.epsilon > 0.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-epsilon %g: must be positive, or total variation has no gradient", (double)problem.epsilon);
  PetscCall(PictureShrink(shrink, &picture));

  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, picture.width, picture.height, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &problem.dm));
  PetscCall(DMSetUp(problem.dm));
  PetscCall(DMCreateMatrix(problem.dm, &problem.A));
  PetscCall(MatSetOption(problem.A, MAT_SPD, PETSC_TRUE));
  PetscCall(MatDuplicate(problem.A, MAT_DO_NOT_COPY_VALUES, &problem.dEdA));
  PetscCall(MatDuplicate(problem.A, MAT_DO_NOT_COPY_VALUES, &problem.sum));
  PetscCall(DMCreateGlobalVector(problem.dm, &q));
  PetscCall(VecDuplicate(q, &truth));
  PetscCall(VecDuplicate(q, &error));
  PetscCall(VecDuplicate(q, &problem.u));
  PetscCall(VecDuplicate(q, &problem.dEdu));
  PetscCall(VecDuplicate(q, &problem.seen));
  PetscCall(VecDuplicateVecs(q, problem.wells, &problem.f));
  PetscCall(VecDuplicateVecs(q, problem.wells, &problem.observed));
  PetscCall(CreateSolver(problem.A, &problem.ksp));

  PetscCall(PictureGetVec(&picture, 0, problem.dm, truth));
  PetscCall(VecShift(truth, -0.5));
  PetscCall(VecScale(truth, contrast));
  PetscCall(PictureSetVec(&picture, 0, problem.dm, truth, -0.5 * contrast, 0.5 * contrast));
  PetscCall(PictureWrite(PETSC_COMM_WORLD, truename, &picture));
  PetscCall(Observe(&problem, truth, every, noise));

  PetscCall(VecZeroEntries(q));
  PetscCall(TaoCreate(PETSC_COMM_WORLD, &tao));
  PetscCall(TaoSetType(tao, TAOBQNLS));
  PetscCall(TaoSetSolution(tao, q));
  PetscCall(TaoSetObjectiveAndGradient(tao, nullptr, Misfit, &problem));
  PetscCall(TaoSetTolerances(tao, 0.0, 0.0, 2e-4));
  PetscCall(TaoSetMaximumIterations(tao, 300));
  PetscCall(TaoSetFromOptions(tao));
  PetscCall(VecWAXPY(error, -1.0, truth, q));
  PetscCall(VecNorm(error, NORM_2, &before));
  PetscCall(TaoSolve(tao));
  PetscCall(TaoGetSolutionStatus(tao, &its, &E, &gnorm, nullptr, nullptr, &reason));
  PetscCall(VecWAXPY(error, -1.0, truth, q));
  PetscCall(VecNorm(error, NORM_2, &after));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " x %" PetscInt_FMT " points, %" PetscInt_FMT " wells\n", picture.width, picture.height, problem.wells));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s after %" PetscInt_FMT " iterations: misfit and regularization %.3e, gradient %.1e\n", TaoConvergedReasons[reason], its, (double)E, (double)gnorm));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "error of the field: %.1f %% of that of the initial guess\n", (double)(before > 0.0 ? 100.0 * after / before : 0.0)));
  PetscCall(PictureSetVec(&picture, 0, problem.dm, q, -0.5 * contrast, 0.5 * contrast));
  PetscCall(PictureWrite(PETSC_COMM_WORLD, recoveredname, &picture));

  PetscCall(TaoDestroy(&tao));
  PetscCall(PictureDestroy(&picture));
  PetscCall(KSPDestroy(&problem.ksp));
  PetscCall(MatDestroy(&problem.A));
  PetscCall(MatDestroy(&problem.dEdA));
  PetscCall(MatDestroy(&problem.sum));
  PetscCall(VecDestroyVecs(problem.wells, &problem.f));
  PetscCall(VecDestroyVecs(problem.wells, &problem.observed));
  PetscCall(VecDestroy(&problem.seen));
  PetscCall(VecDestroy(&problem.u));
  PetscCall(VecDestroy(&problem.dEdu));
  PetscCall(VecDestroy(&q));
  PetscCall(VecDestroy(&truth));
  PetscCall(VecDestroy(&error));
  PetscCall(DMDestroy(&problem.dm));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    filter: sed -n -E -e "s/-norm .+G.+ = [0-9.]+e-(0[5-9]|1[0-9]),.+/-norm of the error of the gradient: small/p" -e "/-norm .+ [0-9.]+(e-0[0-4])?,/p"
    output_file: output/darcy_gradient.out
    test:
      suffix: gradient
      args: -shrink 32 -wells 2 -tao_test_gradient -tao_max_it 1 -mean {{harmonic arithmetic}} -reg {{tv tikhonov}} -pc_factor_mat_solver_type petsc
    test:
      suffix: gradient_lu
      args: -shrink 32 -wells 2 -tao_test_gradient -tao_max_it 1 -pc_type lu -pc_factor_mat_solver_type petsc
    test:
      suffix: gradient_mumps
      requires: mumps
      nsize: 2
      args: -shrink 60 -wells 1 -tao_test_gradient -tao_max_it 1 -pc_factor_mat_solver_type mumps

  testset:
    args: -shrink 8
    filter: sed -E -e "s/ after [0-9]+ iterations.+//" -e "s/: [12]?[0-9][.][0-9] %/: less than 30 %/"
    output_file: output/darcy_recover.out
    test:
      suffix: recover
      args: -pc_factor_mat_solver_type petsc
    test:
      suffix: every
      args: -every 3 -tao_type blmvm -pc_factor_mat_solver_type petsc

TEST*/
