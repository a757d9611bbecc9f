static char help[] = "What the neural preconditioner and psdo owe to their parts: directions that are kept, other methods with the same preconditioner, how far from\n\
symmetric it is, the accuracy that single precision leaves, masks, levels, and coefficients that vary. Means of the scenes of each class, the largest count in\n\
brackets; what fails counts as the largest number of iterations, and stands behind the line.\n\n";

#include "tests/bench/scene.h"
#include "petlap.h"
#include <algorithm>
#include <cmath>
#include <list>

#define PSDO "-ksp_type psdo "
#define FCG  "-ksp_type fcg -ksp_fcg_truncation_type standard -ksp_fcg_mmax "

struct Bench {
  PetscInt              most = 300, seeds = 3, pairs = 100, its = 100;
  FILE                 *file = nullptr;
  std::list<BenchScene> scenes; /* of one grid */
  BenchGrid             grid;
};

static PetscReal Quantile(std::vector<PetscReal> v, double share)
{
  std::sort(v.begin(), v.end());
  return v[(size_t)std::floor(share * (double)(v.size() - 1) + 0.5)];
}

/* A line of the file: what does not belong to a section stays empty */
static PetscErrorCode Write(const Bench &bench, const char section[], const std::string &setting, const BenchScene &scene, const std::string &numbers)
{
  PetscFunctionBeginUser;
  if (bench.file)
    PetscCall(PetscFPrintf(PETSC_COMM_WORLD, bench.file, "%s,%d,%s,%s,%s,%" PetscInt_FMT ",%s\n", section, bench.grid.dim, bench.grid.Name().c_str(), setting.c_str(), scene.kind < 0 ? "" : BenchKinds[scene.kind], scene.seed, numbers.c_str()));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static std::string Number(double v)
{
  char text[32];

  std::snprintf(text, sizeof(text), "%.3e", v);
  return text;
}

/* One line of a table of iterations: all scenes with the same options */
static PetscErrorCode Line(const Bench &bench, const std::list<BenchScene> &scenes, const char section[], const std::string &name, const std::string &options)
{
  BenchLine line;

  PetscFunctionBeginUser;
  line.name = name;
  line.rtol = 1e-6;
  line.most = bench.most;
  for (const BenchScene &scene : scenes) {
    BenchRun run;

    PetscCall(BenchSolveScene(scene, options.c_str(), line.rtol, line.most, &run));
    line.runs[scene.kind].push_back(run);
    PetscCall(Write(bench, section, name, scene, std::to_string(run.its) + "," + KSPConvergedReasons[run.reason] + "," + Number(run.residual) + ",,,"));
  }
  PetscCall(BenchPrintLine(line));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Head(const Bench &bench, const char text[])
{
  PetscFunctionBeginUser;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n%d-D, %s cells a side: %s\n", bench.grid.dim, bench.grid.Name().c_str(), text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Directions(Bench &bench)
{
  PetscFunctionBeginUser;
  PetscCall(Head(bench, "directions that psdo keeps"));
  PetscCall(BenchPrintLineHeader("mmax"));
  for (const char *mmax : {"0", "1", "2", "4", "8", "16", "30"}) PetscCall(Line(bench, bench.scenes, "directions", mmax, std::string(PSDO "-ksp_psdo_mmax ") + mmax + " "));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Methods(Bench &bench)
{
  static const char *const methods[][2] = {
    {"psdo 2", PSDO "-ksp_psdo_mmax 2 "},
    {"cg", "-ksp_type cg "},
    {"fcg 1", FCG "1 "},
    {"fcg 2", FCG "2 "},
    {"fcg 30", FCG "30 "},
    {"psdo 1", PSDO "-ksp_psdo_mmax 1 "},
    {"psdo 30", PSDO "-ksp_psdo_mmax 30 "},
    {"gcr 30", "-ksp_type gcr -ksp_gcr_restart 30 "},
    {"fgmres 30", "-ksp_type fgmres -ksp_gmres_restart 30 "},
    {"gmres 30", "-ksp_type gmres -ksp_gmres_restart 30 -ksp_pc_side right -pc_neural_precision single "},
    {"fbcgs", "-ksp_type fbcgs "},
    {"bcgs", "-ksp_type bcgs -ksp_pc_side right -pc_neural_precision single "},
    {"richardson", "-ksp_type richardson "},
    {"cg analytic", "-ksp_type cg -pc_neural_weights analytic "},
    {"psdo 2 analytic", PSDO "-ksp_psdo_mmax 2 -pc_neural_weights analytic "},
    {"psdo 30 analytic", PSDO "-ksp_psdo_mmax 30 -pc_neural_weights analytic "},
    {"cg icc", "-ksp_type cg -pc_type icc "},
    {"cg none", "-ksp_type cg -pc_type none "},
  };

  PetscFunctionBeginUser;
  PetscCall(Head(bench, "methods"));
  PetscCall(BenchPrintLineHeader("method"));
  for (const auto &m : methods) PetscCall(Line(bench, bench.scenes, "methods", m[0], m[1]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Masks(Bench &bench)
{
  PetscFunctionBeginUser;
  PetscCall(Head(bench, "cells in which the network has values; shipped weights were trained with dilated"));
  PetscCall(BenchPrintLineHeader("mask"));
  for (const char *mask : {"dilated", "fluid", "none"}) PetscCall(Line(bench, bench.scenes, "masks", mask, std::string("-pc_neural_mask ") + mask + " "));
  for (const char *mask : {"dilated", "fluid", "none"}) PetscCall(Line(bench, bench.scenes, "masks", std::string(mask) + " analytic", std::string("-pc_neural_weights analytic -pc_neural_mask ") + mask + " "));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Levels(Bench &bench)
{
  const PetscInt chosen = BenchLevels(bench.grid);

  PetscFunctionBeginUser;
  PetscCall(Head(bench, "levels"));
  PetscCall(BenchPrintLineHeader("levels"));
  PetscCall(Line(bench, bench.scenes, "levels", "by the grid", ""));
  for (PetscInt levels = PetscMax(1, chosen - 2); levels <= chosen + 1; levels++) PetscCall(Line(bench, bench.scenes, "levels", std::to_string(levels), "-pc_neural_levels " + std::to_string(levels) + " "));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* |x.Py - y.Px| / sqrt(|x.Px| |y.Py|) for pairs of vectors */
static PetscErrorCode Symmetry(Bench &bench)
{
  static const char *const vectors[] = {"divergence", "normal"};

  PetscFunctionBeginUser;
  PetscCall(Head(bench, "asymmetry |x.Py - y.Px|/sqrt(|x.Px| |y.Py|) of pairs of right-hand sides, and how often x.Px > 0"));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-10s %-12s  %10s  %10s  %10s  %9s\n", "weights", "vectors", "median", "90 %", "largest", "positive"));
  std::vector<PetscReal> all[2][2];
  PetscInt               positive[2][2] = {{0, 0}, {0, 0}};
  for (const BenchScene &scene : bench.scenes) {
    KSP                 ksp[2];
    PC                  pc[2];
    Vec                 x[2], Px[2];
    PetscInt            n;
    std::vector<double> b;

    if (scene.seed > 0) continue;
    for (int w = 0; w < 2; w++) {
      PetscCall(BenchCreateSceneKSP(scene, w ? "-pc_neural_weights analytic " : "", 1e-6, 1, &ksp[w]));
      PetscCall(KSPGetPC(ksp[w], &pc[w]));
      PetscCall(PCSetUp(pc[w]));
      PetscCall(VecDuplicate(scene.b, &x[w]));
      PetscCall(VecDuplicate(scene.b, &Px[w]));
    }
    PetscCall(VecGetSize(scene.b, &n));
    b.resize(2 * (size_t)n);
    for (int v = 0; v < 2; v++) {
      std::vector<PetscReal> own[2];

      for (PetscInt pair = 0; pair < bench.pairs; pair++) {
        const uint64_t         number = petlap::scenes::TestSeed + 1000 + (uint64_t)pair;
        petlap::scenes::Random random(number, 7);
        PetscScalar           *array;

        if (v == 0)
          petlap::scenes::Divergence(scene.scene, number, 2, b.data());
        else
          for (double &value : b) value = random.normal();
        for (int k = 0; k < 2; k++) {
          PetscCall(VecGetArrayWrite(x[k], &array));
          for (PetscInt i = 0; i < n; i++) array[i] = b[2 * (size_t)i + k];
          PetscCall(VecRestoreArrayWrite(x[k], &array));
        }
        for (int w = 0; w < 2; w++) {
          PetscScalar xPy, yPx, xPx, yPy;

          for (int k = 0; k < 2; k++) PetscCall(PCApply(pc[w], x[k], Px[k]));
          PetscCall(VecDot(x[0], Px[1], &xPy));
          PetscCall(VecDot(x[1], Px[0], &yPx));
          PetscCall(VecDot(x[0], Px[0], &xPx));
          PetscCall(VecDot(x[1], Px[1], &yPy));
          own[w].push_back(PetscAbsScalar(xPy - yPx) / PetscSqrtReal(PetscAbsScalar(xPx) * PetscAbsScalar(yPy)));
          positive[w][v] += (xPx > 0.0) + (yPy > 0.0);
        }
      }
      for (int w = 0; w < 2; w++) {
        all[w][v].insert(all[w][v].end(), own[w].begin(), own[w].end());
        PetscCall(Write(bench, "symmetry", std::string(w ? "analytic " : "shipped ") + vectors[v], scene, ",,,," + Number(Quantile(own[w], 0.5)) + "," + Number(Quantile(own[w], 1.0))));
      }
    }
    for (int w = 0; w < 2; w++) {
      PetscCall(BenchDestroySceneKSP(&ksp[w], ""));
      PetscCall(VecDestroy(&x[w]));
      PetscCall(VecDestroy(&Px[w]));
    }
  }
  for (int w = 0; w < 2; w++) {
    for (int v = 0; v < 2; v++)
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-10s %-12s  %10.2e  %10.2e  %10.2e  %7.1f %%\n", w ? "analytic" : "shipped", vectors[v], (double)Quantile(all[w][v], 0.5), (double)Quantile(all[w][v], 0.9), (double)Quantile(all[w][v], 1.0),
                            50.0 * (double)positive[w][v] / (double)all[w][v].size()));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

struct Smallest {
  PetscReal bnorm, relative;
};

static PetscErrorCode WatchResidual(KSP ksp, PetscInt, PetscReal, void *ctx)
{
  Smallest *smallest = (Smallest *)ctx;
  Vec       r;
  PetscReal norm;

  PetscFunctionBeginUser;
  PetscCall(KSPBuildResidual(ksp, nullptr, nullptr, &r));
  PetscCall(VecNorm(r, NORM_2, &norm));
  PetscCall(VecDestroy(&r));
  smallest->relative = PetscMin(smallest->relative, norm / smallest->bnorm);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Accuracy(Bench &bench)
{
  PetscFunctionBeginUser;
  PetscCall(Head(bench, "|b-Ax|/|b| after a number of iterations without a convergence test, and the smallest one on the way"));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-12s %-10s %10s  %10s  %10s  %15s  %16s\n", "replacement", "null space", "iterations", "median", "largest", "smallest median", "smallest largest"));
  for (int known = 0; known < 2; known++) {
    /* Past the smallest residual only rounding errors are left, and what they put into the null space grows unless psdo takes it out */
    for (const BenchScene &scene : bench.scenes) {
      MatNullSpace kernel = nullptr;

      if (known) PetscCall(BenchNullSpace(scene.A, &kernel));
      if (kernel) PetscCall(MatSetNullSpace(scene.A, kernel));
      PetscCall(MatNullSpaceDestroy(&kernel));
    }
    for (const char *replacement : {"0", "1", "10", "50"}) {
      const std::string      options = std::string("-ksp_psdo_residual_replacement ") + replacement + " ";
      std::vector<PetscReal> last, least;

      for (const BenchScene &scene : bench.scenes) {
        KSP                ksp;
        Vec                x;
        PetscInt           its;
        KSPConvergedReason reason;
        PetscReal          residual;
        Smallest           smallest = {0.0, PETSC_MAX_REAL};

        PetscCall(VecDuplicate(scene.b, &x));
        PetscCall(VecNorm(scene.b, NORM_2, &smallest.bnorm));
        PetscCall(BenchCreateSceneKSP(scene, options.c_str(), 1e-6, bench.its, &ksp));
        PetscCall(KSPSetConvergenceTest(ksp, KSPConvergedSkip, nullptr, nullptr));
        PetscCall(KSPMonitorSet(ksp, WatchResidual, &smallest, nullptr));
        PetscCall(KSPSolve(ksp, scene.b, x));
        PetscCall(KSPGetIterationNumber(ksp, &its));
        PetscCall(KSPGetConvergedReason(ksp, &reason));
        PetscCall(BenchTrueResidual(scene.A, scene.b, x, &residual));
        PetscCall(BenchDestroySceneKSP(&ksp, options.c_str()));
        PetscCall(VecDestroy(&x));
        last.push_back(residual);
        least.push_back(smallest.relative);
        PetscCall(Write(bench, "accuracy", std::string(replacement) + (known ? " known" : ""), scene, std::to_string(its) + "," + KSPConvergedReasons[reason] + "," + Number(residual) + "," + Number(smallest.relative) + ",,"));
      }
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-12s %-10s %10" PetscInt_FMT "  %10.2e  %10.2e  %15.2e  %16.2e\n", replacement, known ? "known" : "unknown", bench.its, (double)Quantile(last, 0.5), (double)Quantile(last, 1.0),
                            (double)Quantile(least, 0.5), (double)Quantile(least, 1.0)));
    }
    for (const BenchScene &scene : bench.scenes) PetscCall(MatSetNullSpace(scene.A, nullptr));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode CreateScenes(const Bench &bench, PetscInt nkinds, PetscInt seeds, BenchCoefficients coefficients, PetscReal contrast, std::list<BenchScene> *scenes)
{
  PetscFunctionBeginUser;
  for (PetscInt kind = 0; kind < nkinds; kind++) {
    for (PetscInt seed = 0; seed < seeds; seed++) {
      scenes->emplace_back();
      PetscCall(BenchCreateScene(bench.grid, kind, seed, coefficients, contrast, &scenes->back()));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode DestroyScenes(std::list<BenchScene> *scenes)
{
  PetscFunctionBeginUser;
  for (BenchScene &scene : *scenes) PetscCall(BenchDestroyScene(&scene));
  scenes->clear();
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Coefficients(Bench &bench)
{
  PetscFunctionBeginUser;
  PetscCall(Head(bench, "coefficients between 1 and a contrast, which the image does not show; one scene of each class"));
  PetscCall(BenchPrintLineHeader("scaling"));
  for (int jump = 0; jump < 2; jump++) {
    for (const char *contrast : {"2", "5", "20", "100"}) {
      std::list<BenchScene> scenes;

      /* Far from what the preconditioner is for */
      if (jump && std::atoi(contrast) > 20) continue;
      PetscCall(CreateScenes(bench, BENCH_BUBBLES, 1, jump ? BENCH_JUMP : BENCH_SMOOTH, std::atof(contrast), &scenes));
      for (const char *scaling : {"none", "scalar", "diagonal"}) {
        /* psdo does not see the size of a direction, so the first two must agree; one case shows it */
        if (*scaling == 'n' && (jump || *contrast != '5')) continue;
        PetscCall(Line(bench, scenes, "coefficients", std::string(jump ? "jump " : "smooth ") + contrast + (*scaling == 'd' ? " diag" : *scaling == 'n' ? " none" : ""), std::string("-pc_neural_scaling ") + scaling + " "));
      }
      PetscCall(DestroyScenes(&scenes));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Residuals of every iteration, for a picture */
static PetscErrorCode History(Bench &bench)
{
  static const char *const methods[][2] = {
    {"psdo 0", PSDO "-ksp_psdo_mmax 0 "}, {"psdo 2", PSDO "-ksp_psdo_mmax 2 "}, {"psdo 30", PSDO "-ksp_psdo_mmax 30 "}, {"fcg 1", FCG "1 "}, {"cg", "-ksp_type cg "}, {"cg icc", "-ksp_type cg -pc_type icc "},
  };

  PetscFunctionBeginUser;
  PetscCall(Head(bench, "iterations to residuals of the first scene wavy"));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-16s  %8s  %8s  %8s\n", "method", "1e-3", "1e-6", "1e-10"));
  for (const BenchScene &scene : bench.scenes) {
    if (scene.kind != petlap::scenes::WAVY || scene.seed > 0) continue;
    for (const auto &m : methods) {
      KSP              ksp;
      Vec              x;
      const PetscReal *history;
      PetscInt         n;
      PetscReal        bnorm;

      PetscCall(VecDuplicate(scene.b, &x));
      PetscCall(VecNorm(scene.b, NORM_2, &bnorm));
      PetscCall(BenchCreateSceneKSP(scene, m[1], 1e-10, bench.most, &ksp));
      PetscCall(KSPSetResidualHistory(ksp, nullptr, bench.most + 1, PETSC_TRUE));
      PetscCall(KSPSolve(ksp, scene.b, x));
      PetscCall(KSPGetResidualHistory(ksp, &history, &n));
      for (PetscInt k = 0; k < n; k++) PetscCall(Write(bench, "history", m[0], scene, std::to_string(k) + ",," + Number(history[k] / bnorm) + ",,,"));
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-16s", m[0]));
      for (double to : {1e-3, 1e-6, 1e-10}) {
        PetscInt k = 0;

        while (k < n && history[k] > to * bnorm) k++;
        PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  %8s", k < n ? std::to_string(k).c_str() : "-"));
      }
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
      PetscCall(BenchDestroySceneKSP(&ksp, m[1]));
      PetscCall(VecDestroy(&x));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static const struct {
  const char *name;
  PetscErrorCode (*body)(Bench &);
} sections[] = {
  {"directions", Directions}, {"methods", Methods}, {"symmetry", Symmetry}, {"accuracy", Accuracy}, {"masks", Masks}, {"levels", Levels}, {"coefficients", Coefficients}, {"history", History},
};

int main(int argc, char **argv)
{
  Bench       bench;
  PetscInt    nchosen, n3 = 64, n2 = 128;
  char       *chosen[BENCH_MAX_LIST], csv[PETSC_MAX_PATH_LEN] = "";
  PetscBool   tocsv;
  PetscMPIInt size;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCheck(size == 1, PETSC_COMM_WORLD, PETSC_ERR_WRONG_MPI_SIZE, "Iterations do not depend on the number of processes: use one");
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Parts of the neural preconditioner", nullptr);
  PetscCall(PetscOptionsInt("-bench_n_3d", "Cells along the axes of cubes, 0 for none", "", n3, &n3, nullptr));
  PetscCall(PetscOptionsInt("-bench_n_2d", "Cells along the axes of squares, 0 for none", "", n2, &n2, nullptr));
  PetscCall(PetscOptionsBoundedInt("-bench_most", "Most iterations", "", bench.most, &bench.most, nullptr, 1));
  PetscCall(PetscOptionsBoundedInt("-bench_seeds", "Scenes of each class", "", bench.seeds, &bench.seeds, nullptr, 1));
  PetscCall(PetscOptionsBoundedInt("-bench_pairs", "Pairs of vectors for the symmetry of a scene", "", bench.pairs, &bench.pairs, nullptr, 1));
  PetscCall(PetscOptionsBoundedInt("-bench_its", "Iterations that show the accuracy", "", bench.its, &bench.its, nullptr, 1));
  PetscCall(PetscOptionsString("-bench_csv", "File for the results", "", csv, csv, sizeof(csv), &tocsv));
  PetscOptionsEnd();
  PetscCall(BenchStringList("-bench_sections", "Tables", "directions,methods,symmetry,accuracy,masks,levels,coefficients,history", &nchosen, chosen));

  PetscCall(BenchPrintPETSc(PETSC_COMM_WORLD));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "Iterations to a relative residual of 1e-6, %" PetscInt_FMT " scenes of each class: means (largest)\n", bench.seeds));
  if (tocsv) {
    PetscCall(PetscFOpen(PETSC_COMM_WORLD, csv, "w", &bench.file));
    PetscCall(PetscFPrintf(PETSC_COMM_WORLD, bench.file, "section,dim,n,setting,class,seed,its,reason,residual,smallest,asymmetry_median,asymmetry_largest\n"));
  }
  for (int dim = 3; dim >= 2; dim--) {
    const PetscInt n = dim == 3 ? n3 : n2;

    if (n <= 0) continue;
    bench.grid = BenchCube(dim, n);
    PetscCall(CreateScenes(bench, BENCH_NKINDS, bench.seeds, BENCH_CONSTANT, 1.0, &bench.scenes));
    for (PetscInt k = 0; k < nchosen; k++) {
      bool found = false;

      for (const auto &s : sections) {
        PetscBool is;

        PetscCall(PetscStrcmp(s.name, chosen[k], &is));
        if (!is) continue;
        PetscCall(s.body(bench));
        found = true;
      }
      PetscCheck(found, PETSC_COMM_WORLD, PETSC_ERR_ARG_WRONG, "There is no section %s: -help names them", chosen[k]);
    }
    PetscCall(DestroyScenes(&bench.scenes));
  }
  if (tocsv) PetscCall(PetscFClose(PETSC_COMM_WORLD, bench.file));
  PetscCall(BenchFreeList(nchosen, chosen));
  PetscCall(PetscFinalize());
  return 0;
}
