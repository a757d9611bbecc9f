static char help[] = "Compares the iteration counts of psdo with those of fcg (as many directions, standard truncation), and without a\n\
preconditioner also with those of cg. In exact arithmetic they are equal. Where they differ, both methods run again with right-hand sides that\n\
differ by rounding errors: counts whose ranges overlap then show no difference between the methods.\n\n";

#include "tests/bench/bench.h"
#include "petlap.h"

struct Solve {
  PetscInt           its;
  PetscReal          residual;
  KSPConvergedReason reason;
};

static PetscErrorCode RunSolve(BenchSystem *system, PC pc, const char type[], PetscInt mmax, Vec b, Solve *solve)
{
  KSP ksp;
  Vec x;

  PetscFunctionBeginUser;
  PetscCall(BenchCreateKSP(pc, type, mmax, &ksp));
  PetscCall(VecDuplicate(b, &x));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetIterationNumber(ksp, &solve->its));
  PetscCall(KSPGetConvergedReason(ksp, &solve->reason));
  PetscCall(BenchTrueResidual(system->A, b, x, &solve->residual));
  PetscCall(VecDestroy(&x));
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The ranges of both methods' iteration counts over right-hand sides with relative errors of up to four units in the last place */
static PetscErrorCode PerturbedRanges(BenchSystem *system, PC pc, const char *const type[], PetscInt mmax, PetscInt runs, PetscInt range[][2])
{
  PetscRandom random;
  Vec         b;
  Solve       solve;

  PetscFunctionBeginUser;
  PetscCall(PetscRandomCreate(PetscObjectComm((PetscObject)system->A), &random));
  PetscCall(PetscRandomSetInterval(random, 1.0 - 4.0 * PETSC_MACHINE_EPSILON, 1.0 + 4.0 * PETSC_MACHINE_EPSILON));
  PetscCall(VecDuplicate(system->b, &b));
  for (PetscInt k = 0; k < runs; k++) {
    PetscCall(VecSetRandom(b, random));
    PetscCall(VecPointwiseMult(b, b, system->b));
    for (int t = 0; t < 2; t++) {
      PetscCall(RunSolve(system, pc, type[t], mmax, b, &solve));
      range[t][0] = PetscMin(range[t][0], solve.its);
      range[t][1] = PetscMax(range[t][1], solve.its);
    }
  }
  PetscCall(VecDestroy(&b));
  PetscCall(PetscRandomDestroy(&random));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the rows add up to */
struct Totals {
  PetscInt equal, overlapping, different;
};

static PetscErrorCode CompareRow(BenchSystem *system, const char pcname[], PC pc, const char other[], PetscInt mmax, PetscInt perturbations, FILE *file, Totals *totals)
{
  const char *const type[2] = {KSPPSDO, other};
  Solve             s[2];

  PetscFunctionBeginUser;
  for (int t = 0; t < 2; t++) PetscCall(RunSolve(system, pc, type[t], mmax, system->b, &s[t]));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-8s %4" PetscInt_FMT "  %6" PetscInt_FMT "  %-5s %6" PetscInt_FMT "  %10.2e  %10.2e  ", pcname, mmax, s[0].its, other, s[1].its, (double)s[0].residual, (double)s[1].residual));
  if (s[0].its == s[1].its) {
    totals->equal++;
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "equal"));
  } else {
    PetscInt range[2][2] = {{s[0].its, s[0].its}, {s[1].its, s[1].its}};

    PetscCall(PerturbedRanges(system, pc, type, mmax, perturbations, range));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%+" PetscInt_FMT "; with perturbed b: psdo %" PetscInt_FMT " to %" PetscInt_FMT ", %s %" PetscInt_FMT " to %" PetscInt_FMT, s[0].its - s[1].its, range[0][0], range[0][1], other, range[1][0], range[1][1]));
    if (range[0][0] <= range[1][1] && range[1][0] <= range[0][1])
      totals->overlapping++;
    else
      totals->different++;
  }
  for (int t = 0; t < 2; t++)
    if (s[t].reason < 0) PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", %s %s", type[t], KSPConvergedReasons[s[t].reason]));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
  if (file) {
    PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "%s,%s,%" PetscInt_FMT ",%s,%" PetscInt_FMT ",%" PetscInt_FMT ",%s,%s,%.3e,%.3e\n", system->name, pcname, mmax, other, s[0].its, s[1].its, KSPConvergedReasons[s[0].reason],
                           KSPConvergedReasons[s[1].reason], (double)s[0].residual, (double)s[1].residual));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  PetscInt  nfiles, npc, nmmax, mmax[BENCH_MAX_LIST], perturbations = 8;
  Totals    totals = {};
  char     *files[BENCH_MAX_LIST], *pcs[BENCH_MAX_LIST], csv[PETSC_MAX_PATH_LEN] = "";
  FILE     *file = nullptr;
  PetscBool tocsv;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Iteration counts of psdo against those of fcg and cg", nullptr);
  PetscCall(PetscOptionsBoundedInt("-bench_perturbations", "Runs with perturbed right-hand sides where the counts differ", "", perturbations, &perturbations, nullptr, 0));
  PetscCall(PetscOptionsString("-bench_csv", "File for the counts", "", csv, csv, sizeof(csv), &tocsv));
  PetscOptionsEnd();
  PetscCall(BenchStringList("-f", "Files with linear systems, comma separated", "", &nfiles, files));
  PetscCall(BenchStringList("-bench_pc", "Preconditioners; with none cg takes part", "icc,gamg,jacobi,none", &npc, pcs));
  PetscCall(BenchIntList("-bench_mmax", "Directions kept by psdo and fcg", "1,2,8,30", &nmmax, mmax));

  PetscCall(BenchPrintPETSc(PETSC_COMM_WORLD));
  if (tocsv) {
    PetscCall(PetscFOpen(PETSC_COMM_WORLD, csv, "w", &file));
    PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "file,pc,mmax,other,psdo_its,other_its,psdo_reason,other_reason,psdo_residual,other_residual\n"));
  }
  for (PetscInt f = 0; f < nfiles; f++) {
    BenchSystem system;

    PetscCall(BenchLoadSystem(PETSC_COMM_WORLD, files[f], &system));
    if (!system.symmetric) {
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n%s: not symmetric, skipped\n", system.name));
      PetscCall(BenchDestroySystem(&system));
      continue;
    }
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n%s%s\n%-8s %4s  %6s  %-5s %6s  %10s  %10s  %s\n", system.name, system.singular ? " (singular, null space of constants)" : "", "pc", "mmax", "psdo", "with", "its", "|b-Ax|/|b|", "other's", "its"));
    for (PetscInt p = 0; p < npc; p++) {
      PC        pc;
      PetscBool none;

      PetscCall(PetscStrcmp(pcs[p], PCNONE, &none));
      PetscCall(BenchCreatePC(system.A, pcs[p], &pc));
      for (PetscInt m = 0; m < nmmax; m++) {
        PetscCall(CompareRow(&system, pcs[p], pc, KSPFCG, mmax[m], perturbations, file, &totals));
        if (none && mmax[m] > 0) PetscCall(CompareRow(&system, pcs[p], pc, KSPCG, mmax[m], perturbations, file, &totals));
      }
      PetscCall(PCDestroy(&pc));
    }
    PetscCall(BenchDestroySystem(&system));
  }
  if (tocsv) PetscCall(PetscFClose(PETSC_COMM_WORLD, file));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\nequal %" PetscInt_FMT ", different %" PetscInt_FMT ", of which with overlapping ranges for perturbed b %" PetscInt_FMT "\n", totals.equal, totals.overlapping + totals.different, totals.overlapping));
  PetscCall(BenchFreeList(npc, pcs));
  PetscCall(BenchFreeList(nfiles, files));
  PetscCall(PetscFinalize());
  return 0;
}
