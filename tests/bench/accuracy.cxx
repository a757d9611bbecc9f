static char help[] = "Runs psdo for a fixed number of iterations without a convergence test and reports how small the true residual |b-Ax|/|b|\n\
becomes, and by how much it ever exceeds the reported one. With residual replacement on it should never be more than twice as large.\n\n";

#include "tests/bench/bench.h"
#include "petlap.h"

struct Watch {
  PetscReal bnorm;
  PetscReal smallest; /* true residual */
  PetscReal ratio;    /* largest of true/reported residual */
  PetscReal atratio;  /* the reported residual there */
  PetscInt  over;     /* iterations with a ratio above 2 */
};

static PetscErrorCode WatchResidual(KSP ksp, PetscInt, PetscReal reported, void *ctx)
{
  Watch    *w = (Watch *)ctx;
  Vec       r;
  PetscReal norm;

  PetscFunctionBeginUser;
  PetscCall(KSPBuildResidual(ksp, nullptr, nullptr, &r));
  PetscCall(VecNorm(r, NORM_2, &norm));
  PetscCall(VecDestroy(&r));
  w->smallest = PetscMin(w->smallest, norm / w->bnorm);
  if (norm > 2.0 * reported) w->over++;
  if (norm > w->ratio * reported) {
    w->ratio   = reported > 0.0 ? norm / reported : PETSC_MAX_REAL;
    w->atratio = reported / w->bnorm;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  PetscInt  nfiles, npc, nreplacement, replacement[BENCH_MAX_LIST], its = 100, mmax = 2, nrows = 0, nover = 0;
  char     *files[BENCH_MAX_LIST], *pcs[BENCH_MAX_LIST], csv[PETSC_MAX_PATH_LEN] = "", method[64] = KSPPSDO;
  FILE     *file = nullptr;
  PetscBool tocsv;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Accuracy that psdo reaches", nullptr);
  PetscCall(PetscOptionsBoundedInt("-bench_its", "Iterations of each run", "", its, &its, nullptr, 1));
  PetscCall(PetscOptionsBoundedInt("-bench_mmax", "Directions kept by psdo", "", mmax, &mmax, nullptr, 0));
  PetscCall(PetscOptionsString("-bench_ksp", "Method, to see what others reach without residual replacement", "", method, method, sizeof(method), nullptr));
  PetscCall(PetscOptionsString("-bench_csv", "File for the results", "", csv, csv, sizeof(csv), &tocsv));
  PetscOptionsEnd();
  PetscCall(BenchStringList("-f", "Files with linear systems, comma separated", "", &nfiles, files));
  PetscCall(BenchStringList("-bench_pc", "Preconditioners", "icc,gamg,jacobi", &npc, pcs));
  PetscCall(BenchIntList("-bench_replacement", "Intervals of the residual replacement, 0 is never", "0,10,50", &nreplacement, replacement));

  PetscCall(BenchPrintPETSc(PETSC_COMM_WORLD));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, mmax %" PetscInt_FMT ", at most %" PetscInt_FMT " iterations without a convergence test\n", method, mmax, its));
  if (tocsv) {
    PetscCall(PetscFOpen(PETSC_COMM_WORLD, csv, "w", &file));
    PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "file,pc,mmax,replacement,its,reason,final,smallest,ratio,reported_at_ratio,over\n"));
  }
  for (PetscInt f = 0; f < nfiles; f++) {
    BenchSystem system;
    Vec         x;

    PetscCall(BenchLoadSystem(PETSC_COMM_WORLD, files[f], &system));
    if (!system.symmetric) {
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n%s: not symmetric, skipped\n", system.name));
      PetscCall(BenchDestroySystem(&system));
      continue;
    }
    PetscCall(VecDuplicate(system.b, &x));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n%s%s\n%-8s %11s  %6s  %10s  %10s  %13s  %11s\n", system.name, system.singular ? " (singular, null space of constants)" : "", "pc", "replacement", "its", "|b-Ax|/|b|", "smallest", "true/reported",
                          "reported at"));
    for (PetscInt p = 0; p < npc; p++) {
      PC pc;

      PetscCall(BenchCreatePC(system.A, pcs[p], &pc));
      for (PetscInt k = 0; k < nreplacement; k++) {
        Watch              w = {0.0, PETSC_MAX_REAL, 0.0, 0.0, 0};
        KSP                ksp;
        PetscInt           done;
        KSPConvergedReason reason;
        PetscReal          final;

        PetscCall(VecNorm(system.b, NORM_2, &w.bnorm));
        PetscCall(BenchCreateKSP(pc, method, mmax, &ksp));
        PetscCall(KSPPSDOSetResidualReplacement(ksp, replacement[k]));
        PetscCall(KSPSetTolerances(ksp, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT, its));
        PetscCall(KSPSetConvergenceTest(ksp, KSPConvergedSkip, nullptr, nullptr));
        PetscCall(KSPMonitorSet(ksp, WatchResidual, &w, nullptr));
        PetscCall(KSPSolve(ksp, system.b, x));
        PetscCall(KSPGetIterationNumber(ksp, &done));
        PetscCall(KSPGetConvergedReason(ksp, &reason));
        PetscCall(BenchTrueResidual(system.A, system.b, x, &final));
        PetscCall(KSPDestroy(&ksp));
        PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-8s %11" PetscInt_FMT "  %6" PetscInt_FMT "  %10.2e  %10.2e  %13.3g  %11.2e", pcs[p], replacement[k], done, (double) final, (double)w.smallest, (double)w.ratio, (double)w.atratio));
        if (reason < 0) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  %s", KSPConvergedReasons[reason]));
        if (replacement[k]) {
          nrows++;
          if (w.over) {
            nover++;
            PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  above 2 in %" PetscInt_FMT " iterations", w.over));
          }
        }
        PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
        if (tocsv) {
          PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "%s,%s,%" PetscInt_FMT ",%" PetscInt_FMT ",%" PetscInt_FMT ",%s,%.3e,%.3e,%.4g,%.3e,%" PetscInt_FMT "\n", system.name, pcs[p], mmax, replacement[k], done, KSPConvergedReasons[reason],
                                 (double) final, (double)w.smallest, (double)w.ratio, (double)w.atratio, w.over));
        }
      }
      PetscCall(PCDestroy(&pc));
    }
    PetscCall(VecDestroy(&x));
    PetscCall(BenchDestroySystem(&system));
  }
  if (tocsv) PetscCall(PetscFClose(PETSC_COMM_WORLD, file));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\nruns with residual replacement: %" PetscInt_FMT ", of which some true residual was more than twice the reported one: %" PetscInt_FMT "\n", nrows, nover));
  PetscCall(BenchFreeList(npc, pcs));
  PetscCall(BenchFreeList(nfiles, files));
  PetscCall(PetscFinalize());
  return 0;
}
