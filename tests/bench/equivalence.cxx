static char help[] = "Compares the iteration counts of psdo with those of fcg (as many directions, standard truncation), and without a\n\
preconditioner with those of cg, where exact arithmetic makes them equal. Where they differ, the other method is run again with right-hand\n\
sides that differ by rounding errors: a count within the range of those runs is no difference between the methods.\n\n";

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

/* The range of iteration counts over right-hand sides with relative errors of four units in the last place */
static PetscErrorCode PerturbedRange(BenchSystem *system, PC pc, const char type[], PetscInt mmax, PetscInt runs, PetscInt range[])
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
    PetscCall(RunSolve(system, pc, type, mmax, b, &solve));
    range[0] = PetscMin(range[0], solve.its);
    range[1] = PetscMax(range[1], solve.its);
  }
  PetscCall(VecDestroy(&b));
  PetscCall(PetscRandomDestroy(&random));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  PetscInt  nfiles, npc, nmmax, mmax[BENCH_MAX_LIST], perturbations = 8, nequal = 0, nrounding = 0, ndifferent = 0;
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
  PetscCall(BenchStringList("-bench_pc", "Preconditioners; none compares with cg", "icc,gamg,jacobi,none", &npc, pcs));
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
      PC          pc;
      PetscBool   none;
      const char *other;

      PetscCall(PetscStrcmp(pcs[p], PCNONE, &none));
      other = none ? KSPCG : KSPFCG;
      PetscCall(BenchCreatePC(system.A, pcs[p], &pc));
      for (PetscInt m = 0; m < nmmax; m++) {
        Solve a, b;

        PetscCall(RunSolve(&system, pc, KSPPSDO, mmax[m], system.b, &a));
        PetscCall(RunSolve(&system, pc, other, mmax[m], system.b, &b));
        PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-8s %4" PetscInt_FMT "  %6" PetscInt_FMT "  %-5s %6" PetscInt_FMT "  %10.2e  %10.2e  ", pcs[p], mmax[m], a.its, other, b.its, (double)a.residual, (double)b.residual));
        if (a.its == b.its) {
          nequal++;
          PetscCall(PetscPrintf(PETSC_COMM_WORLD, "equal"));
        } else {
          PetscInt range[2] = {b.its, b.its};

          PetscCall(PerturbedRange(&system, pc, other, mmax[m], perturbations, range));
          PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%+" PetscInt_FMT ", %s with perturbed b: %" PetscInt_FMT " to %" PetscInt_FMT, a.its - b.its, other, range[0], range[1]));
          if (a.its >= range[0] && a.its <= range[1])
            nrounding++;
          else
            ndifferent++;
        }
        if (a.reason < 0) PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", psdo %s", KSPConvergedReasons[a.reason]));
        if (b.reason < 0) PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", %s %s", other, KSPConvergedReasons[b.reason]));
        PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
        if (tocsv) {
          PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "%s,%s,%" PetscInt_FMT ",%s,%" PetscInt_FMT ",%" PetscInt_FMT ",%s,%s,%.3e,%.3e\n", system.name, pcs[p], mmax[m], other, a.its, b.its, KSPConvergedReasons[a.reason],
                                 KSPConvergedReasons[b.reason], (double)a.residual, (double)b.residual));
        }
      }
      PetscCall(PCDestroy(&pc));
    }
    PetscCall(BenchDestroySystem(&system));
  }
  if (tocsv) PetscCall(PetscFClose(PETSC_COMM_WORLD, file));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\nequal %" PetscInt_FMT ", different %" PetscInt_FMT " (of which within the range of perturbed right-hand sides %" PetscInt_FMT ")\n", nequal, nrounding + ndifferent, nrounding));
  PetscCall(BenchFreeList(npc, pcs));
  PetscCall(BenchFreeList(nfiles, files));
  PetscCall(PetscFinalize());
  return 0;
}
