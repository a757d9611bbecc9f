static char help[] = "Times one direct solver on one matrix of a family and prints one line for each number.\n\
Solvers are chosen by name; one that is not PETSc's own or an external one comes from -dll_append. BenchSeconds: cpu is user and system time of all\n\
threads, user is user time alone, wall the clock. Every number stands for one process, so compare processes.\n\n";

#include "tests/bench/bench.h"
#include "tests/bench/families.h"
#include "tests/mat/backwarderror.h"
#include <petscdm.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

/* Long enough for the clocks; the first run touches memory and is not counted */
static PetscErrorCode Repeat(PetscReal least, BenchSeconds *t, const std::function<PetscErrorCode()> &body)
{
  PetscInt     runs = 0;
  BenchSeconds start;

  PetscFunctionBegin;
  PetscCall(body());
  start = BenchNow();
  do {
    PetscCall(body());
    runs++;
  } while (BenchSince(start).s[BENCH_CPU] < least);
  *t = BenchSince(start, runs);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* |b - A x|_2/|b|_2 and |b - A x|/(|A| |x| + |b|) in the infinity norm; with the transpose, of A' x = b */
static PetscErrorCode PrintErrors(const char prefix[], Mat A, PetscBool transpose, Vec b, Vec x)
{
  Vec       r;
  PetscReal b2, r2, error;
  char      name[64];

  PetscFunctionBegin;
  PetscCall(VecDuplicate(b, &r));
  if (transpose)
    PetscCall(MatMultTranspose(A, x, r));
  else
    PetscCall(MatMult(A, x, r));
  PetscCall(VecAYPX(r, -1.0, b));
  PetscCall(VecNorm(r, NORM_2, &r2));
  PetscCall(VecNorm(b, NORM_2, &b2));
  PetscCall(BackwardError(A, transpose, b, x, &error));
  PetscCall(PetscSNPrintf(name, sizeof(name), "%sresidual", prefix));
  PetscCall(BenchPrintNumber(name, r2 / b2));
  PetscCall(PetscSNPrintf(name, sizeof(name), "%sbackward_error", prefix));
  PetscCall(BenchPrintNumber(name, error));
  PetscCall(VecDestroy(&r));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Which BLAS this process has loaded, and its best speed in a product of square matrices: per second of CPU time and by the clock */
static PetscErrorCode PrintBLAS()
{
  const PetscInt  n     = 1024;
  const PetscReal flops = (PetscDefined(USE_COMPLEX) ? 8e-9 : 2e-9) * n * n * n;
  Mat             a, b, c;
  FILE           *file = std::fopen("/proc/self/maps", "r");
  char            line[1024], last[1024] = "";
  BenchSeconds    t, best;

  PetscFunctionBegin;
  while (file && std::fgets(line, sizeof(line), file)) {
    char *path = std::strchr(line, '/');

    if (!path) continue;
    path[std::strcspn(path, "\n")] = 0;
    const char *base               = std::strrchr(path, '/') + 1;
    if ((std::strstr(base, "blas") || std::strstr(base, "mkl") || std::strstr(base, "blis")) && std::strcmp(path, last)) {
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "blas %s\n", path));
      std::strcpy(last, path);
    }
  }
  if (file) std::fclose(file);
  PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, n, n, nullptr, &a));
  PetscCall(MatSetRandom(a, nullptr));
  PetscCall(MatDuplicate(a, MAT_COPY_VALUES, &b));
  PetscCall(MatMatMult(a, b, MAT_INITIAL_MATRIX, PETSC_DEFAULT, &c));
  for (int k = 0; k < 5; k++) {
    PetscCall(Repeat(0.3, &t, [&]() { return MatMatMult(a, b, MAT_REUSE_MATRIX, PETSC_DEFAULT, &c); }));
    for (int clock = 0; clock < BENCH_NCLOCKS; clock++) best.s[clock] = k ? PetscMin(best.s[clock], t.s[clock]) : t.s[clock];
  }
  PetscCall(BenchPrintNumber("gemm_GFs_cpu", flops / best.s[BENCH_CPU]));
  PetscCall(BenchPrintNumber("gemm_GFs_wall", flops / best.s[BENCH_WALL]));
  PetscCall(MatDestroy(&a));
  PetscCall(MatDestroy(&b));
  PetscCall(MatDestroy(&c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

struct Case {
  BenchFamily   family;
  char          solver[64];
  MatFactorType type;
  PetscInt      refactors, nrhs;
  PetscReal     least, most;
  PetscBool     dm, flags, transpose;
};

/* As PCSetUp() of lu and cholesky do it: the ordering is the one that the solver wants, and for PETSc's own nested dissection */
static PetscErrorCode Order(Mat A, Mat F, const char solver[], MatFactorType type, IS *row, IS *col)
{
  PetscBool       own, can;
  MatOrderingType ordering = MATORDERINGND;

  PetscFunctionBegin;
  *row = *col = nullptr;
  PetscCall(PetscStrcmp(solver, MATSOLVERPETSC, &own));
  PetscCall(MatFactorGetCanUseOrdering(F, &can));
  if (!can) PetscFunctionReturn(PETSC_SUCCESS);
  if (!own) PetscCall(MatFactorGetPreferredOrdering(F, type, &ordering));
  PetscCall(MatGetOrdering(A, ordering, row, col));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Symbolic(Mat A, Mat F, MatFactorType type, IS row, IS col, const MatFactorInfo *info)
{
  PetscFunctionBegin;
  if (type == MAT_FACTOR_LU)
    PetscCall(MatLUFactorSymbolic(F, A, row, col, info));
  else
    PetscCall(MatCholeskyFactorSymbolic(F, A, row, info));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Numeric(Mat A, Mat F, MatFactorType type, const MatFactorInfo *info)
{
  MatFactorError error;

  PetscFunctionBegin;
  if (type == MAT_FACTOR_LU)
    PetscCall(MatLUFactorNumeric(F, A, info));
  else
    PetscCall(MatCholeskyFactorNumeric(F, A, info));
  PetscCall(MatFactorGetError(F, &error));
  PetscCheck(error == MAT_FACTOR_NOERROR, PETSC_COMM_SELF, PETSC_ERR_MAT_LU_ZRPVT, "MatFactorError %s",
             error == MAT_FACTOR_STRUCT_ZEROPIVOT    ? "structural zero pivot"
             : error == MAT_FACTOR_NUMERIC_ZEROPIVOT ? "numeric zero pivot"
             : error == MAT_FACTOR_OUTMEMORY         ? "out of memory"
                                                     : "other");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Measure(const Case &c)
{
  Mat                       A, F = nullptr, B, X;
  Vec                       b, x;
  IS                        row, col;
  MatFactorInfo             info;
  MatInfo                   mat;
  PetscBool                 available, has;
  PetscLogDouble            flops[2];
  BenchSeconds              start, begin, t;
  PetscInt                  rows;
  std::vector<BenchSeconds> refactor;
  double                    before, entries, memory, counted;

  PetscFunctionBegin;
  PetscCall(BenchFamilyCreateMat(c.family, 0, c.dm, c.flags, &A));
  PetscCall(BenchFamilyCreateVec(c.family, A, 0, &b));
  PetscCall(VecDuplicate(b, &x));
  PetscCall(MatGetInfo(A, MAT_LOCAL, &mat));
  PetscCall(MatGetSize(A, &rows, nullptr));
  PetscCall(BenchPrintNumber("rows", (double)rows));
  PetscCall(BenchPrintNumber("nnz", mat.nz_used));

  PetscCall(MatGetFactorAvailable(A, c.solver, c.type, &available));
  PetscCheck(available, PETSC_COMM_SELF, PETSC_ERR_MISSING_FACTOR, "this PETSc has no %s factorization by %s", MatFactorTypes[c.type], c.solver);
  BenchForgetPeak();
  before = BenchMemory("VmRSS");
  PetscCall(MatFactorInfoInitialize(&info));
  info.fill = 5.0;
  start     = BenchNow();
  PetscCall(MatGetFactor(A, c.solver, c.type, &F));
  PetscCall(Order(A, F, c.solver, c.type, &row, &col));
  PetscCall(Symbolic(A, F, c.type, row, col, &info));
  t = BenchSince(start);
  PetscCall(BenchPrintSeconds("analysis", t));
  PetscCall(PetscGetFlops(&flops[0]));
  start = BenchNow();
  PetscCall(Numeric(A, F, c.type, &info));
  t = BenchSince(start);
  PetscCall(BenchPrintSeconds("factor", t));
  PetscCall(PetscGetFlops(&flops[1]));
  PetscCall(BenchPrintNumber("peak_MB", BenchMemory("VmHWM") - before));
  PetscCall(BenchPrintNumber("rss_MB", BenchMemory("VmRSS") - before));

  /* Two sets of values take turns, so that every factorization has new ones; the last to stay are those of version 0 */
  begin = BenchNow();
  for (PetscInt k = 0; k < c.refactors || k % 2; k++) {
    if (k % 2 == 0 && k > 0 && BenchSince(begin).s[BENCH_WALL] > c.most) break;
    PetscCall(BenchFamilySetValues(c.family, 1 - k % 2, A));
    start = BenchNow();
    PetscCall(Numeric(A, F, c.type, &info));
    refactor.push_back(BenchSince(start));
  }
  if (!refactor.empty()) PetscCall(BenchPrintSeconds("refactor", BenchMedian(refactor)));

  PetscCall(MatGetInfo(F, MAT_LOCAL, &mat));
  entries = mat.nz_used;
  memory  = mat.memory / 1048576.0;
  counted = flops[1] - flops[0];
#if PetscDefined(HAVE_MUMPS)
  if (!std::strcmp(c.solver, MATSOLVERMUMPS)) {
    PetscInt  infog[2];
    PetscReal rinfog;

    PetscCall(MatMumpsGetInfog(F, 22, &infog[0]));
    PetscCall(MatMumpsGetInfog(F, 9, &infog[1]));
    PetscCall(MatMumpsGetRinfog(F, 3, &rinfog));
    memory = infog[0];
    /* Large numbers are negative and count millions */
    entries = infog[1] < 0 ? -1e6 * infog[1] : infog[1];
    counted = rinfog;
  }
#endif
  /* What a solver does not tell is 0 */
  PetscCall(BenchPrintNumber("entries", entries));
  PetscCall(BenchPrintNumber("memory_MB", memory));
  PetscCall(BenchPrintNumber("flops", counted));

  PetscCall(Repeat(c.least, &t, [&]() { return MatSolve(F, b, x); }));
  PetscCall(BenchPrintSeconds("solve", t));
  PetscCall(PrintErrors("", A, PETSC_FALSE, b, x));

  if (c.nrhs > 0) {
    PetscInt n;

    PetscCall(VecGetLocalSize(b, &n));
    PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, n, c.nrhs, nullptr, &B));
    for (PetscInt k = 0; k < c.nrhs; k++) {
      Vec column, values;

      PetscCall(BenchFamilyCreateVec(c.family, A, k, &values));
      PetscCall(MatDenseGetColumnVecWrite(B, k, &column));
      PetscCall(VecCopy(values, column));
      PetscCall(MatDenseRestoreColumnVecWrite(B, k, &column));
      PetscCall(VecDestroy(&values));
    }
    PetscCall(MatDuplicate(B, MAT_DO_NOT_COPY_VALUES, &X));
    /* MatMatSolve() goes column by column where the solver has nothing better */
    PetscCall(Repeat(c.least, &t, [&]() { return MatMatSolve(F, B, X); }));
    PetscCall(BenchPrintSeconds("matsolve", t));
    PetscCall(MatDenseGetColumnVecRead(X, c.nrhs - 1, &x));
    PetscCall(VecDestroy(&b));
    PetscCall(BenchFamilyCreateVec(c.family, A, c.nrhs - 1, &b));
    PetscCall(PrintErrors("matsolve_", A, PETSC_FALSE, b, x));
    PetscCall(MatDenseRestoreColumnVecRead(X, c.nrhs - 1, &x));
    PetscCall(MatDestroy(&B));
    PetscCall(MatDestroy(&X));
    PetscCall(VecDuplicate(b, &x));
  }

  /* Last, since some solvers prepare the transpose by changing the factors */
  PetscCall(MatHasOperation(F, MATOP_SOLVE_TRANSPOSE, &has));
  if (c.transpose && has) {
    PetscCall(Repeat(c.least, &t, [&]() { return MatSolveTranspose(F, b, x); }));
    PetscCall(BenchPrintSeconds("transpose", t));
    PetscCall(PrintErrors("transpose_", A, PETSC_TRUE, b, x));
  }
  PetscCall(ISDestroy(&row));
  PetscCall(ISDestroy(&col));
  PetscCall(MatDestroy(&F));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  Case      c;
  PetscBool blas = PETSC_FALSE, cholesky, set;

  c.type      = MAT_FACTOR_LU;
  c.refactors = 5;
  c.nrhs      = 16;
  c.least     = 0.2;
  c.most      = 10.0;
  c.dm        = PETSC_FALSE;
  c.transpose = PETSC_TRUE;
  std::strcpy(c.solver, MATSOLVERPETSC);
  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Direct solvers", nullptr);
  PetscCall(PetscOptionsString("-bench_solver", "MatSolverType", "", c.solver, c.solver, sizeof(c.solver), nullptr));
  PetscCall(PetscOptionsBool("-bench_cholesky", "Cholesky (LDL' of indefinite matrices) instead of LU", "", PETSC_FALSE, &cholesky, &set));
  if (set && cholesky) c.type = MAT_FACTOR_CHOLESKY;
  c.flags = (PetscBool)(c.type == MAT_FACTOR_CHOLESKY);
  PetscCall(PetscOptionsBool("-bench_flags", "PETSc is told that a matrix is symmetric or definite; not by default with LU, for which the matrix then is a general one", "", c.flags, &c.flags, nullptr));
  PetscCall(PetscOptionsInt("-bench_refactors", "Factorizations after the first, rounded up to pairs", "", c.refactors, &c.refactors, nullptr));
  PetscCall(PetscOptionsReal("-bench_most", "Seconds after which no further pair of factorizations begins", "", c.most, &c.most, nullptr));
  PetscCall(PetscOptionsInt("-bench_nrhs", "Right-hand sides of MatMatSolve(), 0 leaves it out", "", c.nrhs, &c.nrhs, nullptr));
  PetscCall(PetscOptionsReal("-bench_least", "BenchSeconds that solves are repeated for", "", c.least, &c.least, nullptr));
  PetscCall(PetscOptionsBool("-bench_dm", "The matrix carries its DMDA", "", c.dm, &c.dm, nullptr));
  PetscCall(PetscOptionsBool("-bench_transpose", "Solves with the transpose too", "", c.transpose, &c.transpose, nullptr));
  PetscCall(PetscOptionsBool("-bench_blas", "Only tells which BLAS this is and its speed", "", blas, &blas, nullptr));
  PetscOptionsEnd();
  if (blas) {
    PetscCall(PrintBLAS());
  } else {
    PetscCall(BenchFamilyFromOptions("aniso9", &c.family));
    PetscCall(BenchKeepErrors());
    PetscCall(BenchPrintStatus(Measure(c)));
  }
  PetscCall(PetscFinalize());
  return 0;
}
