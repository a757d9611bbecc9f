/*
  What the benchmarks share.
*/
#include "tests/bench/bench.h"
#include <petsctime.h>
#include <sys/resource.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

BenchSeconds BenchNow()
{
  struct rusage   usage;
  struct timespec cpu;
  PetscLogDouble  wall = 0.0;
  BenchSeconds    t;

  getrusage(RUSAGE_SELF, &usage);
  /* Where user time is sampled at the ticks of a timer, only the sum with system time is exact */
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  (void)PetscTime(&wall);
  t.s[BENCH_CPU]  = cpu.tv_sec + 1e-9 * cpu.tv_nsec;
  t.s[BENCH_USER] = usage.ru_utime.tv_sec + 1e-6 * usage.ru_utime.tv_usec;
  t.s[BENCH_WALL] = wall;
  return t;
}

BenchSeconds BenchSince(const BenchSeconds &start, PetscInt runs)
{
  BenchSeconds t = BenchNow();

  for (int c = 0; c < BENCH_NCLOCKS; c++) t.s[c] = (t.s[c] - start.s[c]) / runs;
  return t;
}

BenchSeconds BenchMedian(std::vector<BenchSeconds> &v)
{
  BenchSeconds t;

  for (int c = 0; c < BENCH_NCLOCKS; c++) {
    std::sort(v.begin(), v.end(), [c](const BenchSeconds &a, const BenchSeconds &b) { return a.s[c] < b.s[c]; });
    t.s[c] = 0.5 * (v[(v.size() - 1) / 2].s[c] + v[v.size() / 2].s[c]);
  }
  return t;
}

double BenchMemory(const char key[])
{
  FILE  *file = std::fopen("/proc/self/status", "r");
  char   line[256];
  double kB = 0.0;

  if (!file) return 0.0;
  while (std::fgets(line, sizeof(line), file)) {
    if (!std::strncmp(line, key, std::strlen(key))) kB = std::atof(line + std::strlen(key) + 1);
  }
  std::fclose(file);
  return kB / 1024.0;
}

void BenchForgetPeak()
{
  FILE *file = std::fopen("/proc/self/clear_refs", "w");

  if (!file) return;
  std::fputs("5", file);
  std::fclose(file);
}

PetscErrorCode BenchPrintNumber(const char name[], double value)
{
  PetscFunctionBegin;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s %.6g\n", name, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchPrintSeconds(const char phase[], const BenchSeconds &t)
{
  static const char *const clocks[] = {"cpu", "user", "wall"};

  PetscFunctionBegin;
  for (int c = 0; c < BENCH_NCLOCKS; c++) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s_%s %.6g\n", phase, clocks[c], (double)t.s[c]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static char message[512];

static PetscErrorCode KeepMessage(MPI_Comm, int, const char[], const char[], PetscErrorCode code, PetscErrorType type, const char text[], void *)
{
  if (type == PETSC_ERROR_INITIAL && !message[0]) std::snprintf(message, sizeof(message), "error %d: %s", (int)code, text ? text : "");
  return code;
}

PetscErrorCode BenchKeepErrors()
{
  PetscFunctionBegin;
  message[0] = 0;
  PetscCall(PetscPushErrorHandler(KeepMessage, nullptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchPrintStatus(PetscErrorCode code)
{
  PetscFunctionBegin;
  PetscCall(PetscPopErrorHandler());
  for (char *p = message; *p; p++) {
    if (*p == '\n') *p = ' ';
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "status %s\n", code ? (message[0] ? message : "error") : "ok"));
  if (code) {
    /* What the error left behind could make PetscFinalize() fail with another one */
    std::fflush(nullptr);
    std::_Exit(1);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Which PETSc ran; the machine is named by the script that runs the benchmarks */
PetscErrorCode BenchPrintPETSc(MPI_Comm comm)
{
  PetscInt    major, minor, subminor, release;
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscGetVersionNumber(&major, &minor, &subminor, &release));
  PetscCall(PetscPrintf(comm, "PETSc %" PetscInt_FMT ".%" PetscInt_FMT ".%" PetscInt_FMT ", %s %s scalars, %d-bit indices, %s, processes: %d\n", major, minor, subminor, PetscDefined(USE_COMPLEX) ? "complex" : "real",
                        sizeof(PetscReal) == 8 ? "double" : "other", (int)(8 * sizeof(PetscInt)), PetscDefined(USE_DEBUG) ? "with debugging" : "optimized", (int)size));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* n is BENCH_MAX_LIST on entry; values is the default, comma separated. Release the list with BenchFreeList(). */
PetscErrorCode BenchStringList(const char option[], const char help[], const char values[], PetscInt *n, char *list[])
{
  PetscBool set;

  PetscFunctionBegin;
  *n = BENCH_MAX_LIST;
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "", nullptr);
  PetscCall(PetscOptionsStringArray(option, help, "", list, n, &set));
  PetscOptionsEnd();
  if (!set) {
    char **word;
    int    count;

    PetscCall(PetscStrToArray(values, ',', &count, &word));
    *n = count;
    for (int i = 0; i < count; i++) PetscCall(PetscStrallocpy(word[i], &list[i]));
    PetscCall(PetscStrToArrayDestroy(count, word));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchFreeList(PetscInt n, char *list[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) PetscCall(PetscFree(list[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchIntList(const char option[], const char help[], const char values[], PetscInt *n, PetscInt list[])
{
  PetscBool set, given;
  char    **word;
  int       count;

  PetscFunctionBegin;
  PetscCall(PetscStrToArray(values, ',', &count, &word));
  for (int i = 0; i < count; i++) PetscCall(PetscOptionsStringToInt(word[i], &list[i]));
  PetscCall(PetscStrToArrayDestroy(count, word));
  *n = BENCH_MAX_LIST;
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "", nullptr);
  PetscCall(PetscOptionsIntArray(option, help, "", list, n, &set));
  PetscOptionsEnd();
  /* The option alone empties the list */
  PetscCall(PetscOptionsHasName(nullptr, nullptr, option, &given));
  if (!set) *n = given ? 0 : count;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sets the preconditioner up, so that no later solve pays for it. Incomplete factorizations work on the diagonal blocks of the processes. */
PetscErrorCode BenchCreatePC(Mat A, const char type[], PC *pc)
{
  MPI_Comm    comm;
  PetscMPIInt size;
  PetscBool   icc, ilu;

  PetscFunctionBegin;
  PetscCall(PetscObjectGetComm((PetscObject)A, &comm));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscStrcmp(type, PCICC, &icc));
  PetscCall(PetscStrcmp(type, PCILU, &ilu));
  PetscCall(PCCreate(comm, pc));
  PetscCall(PCSetOperators(*pc, A, A));
  if (size > 1 && (icc || ilu)) {
    PetscCall(PCSetType(*pc, PCBJACOBI));
    PetscCall(PetscOptionsSetValue(nullptr, "-sub_pc_type", type));
  } else {
    PetscCall(PCSetType(*pc, type));
  }
  PetscCall(PCSetFromOptions(*pc));
  PetscCall(PCSetUp(*pc));
  PetscCall(PCSetUpOnBlocks(*pc));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The method is chosen by options only, so that the plug-in need not be linked. The options of the command line come on top. */
PetscErrorCode BenchCreateKSP(PC pc, const char type[], PetscInt mmax, KSP *ksp)
{
  char value[16];

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(value, sizeof(value), "%" PetscInt_FMT, mmax));
  PetscCall(PetscOptionsSetValue(nullptr, "-ksp_psdo_mmax", value));
  PetscCall(PetscOptionsSetValue(nullptr, "-ksp_fcg_mmax", value));
  PetscCall(PetscOptionsSetValue(nullptr, "-ksp_fcg_truncation_type", "standard"));
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)pc), ksp));
  PetscCall(KSPSetType(*ksp, type));
  PetscCall(KSPSetPC(*ksp, pc));
  PetscCall(KSPSetSkipPCSetFromOptions(*ksp, PETSC_TRUE));
  PetscCall(KSPSetNormType(*ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetTolerances(*ksp, 1e-8, 1e-300, 1e30, 5000));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscCall(PetscOptionsClearValue(nullptr, "-ksp_psdo_mmax"));
  PetscCall(PetscOptionsClearValue(nullptr, "-ksp_fcg_mmax"));
  PetscCall(PetscOptionsClearValue(nullptr, "-ksp_fcg_truncation_type"));
  PetscCall(KSPSetUp(*ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* |b - A x|/|b| */
PetscErrorCode BenchTrueResidual(Mat A, Vec b, Vec x, PetscReal *relative)
{
  Vec       r;
  PetscReal bnorm;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(b, &r));
  PetscCall(MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1.0, b));
  PetscCall(VecNorm(r, NORM_2, relative));
  PetscCall(VecNorm(b, NORM_2, &bnorm));
  if (bnorm > 0.0) *relative /= bnorm;
  PetscCall(VecDestroy(&r));
  PetscFunctionReturn(PETSC_SUCCESS);
}
