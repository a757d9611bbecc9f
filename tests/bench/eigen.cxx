static char help[] = "Times hsc's eigensolver on one Laplacian of a family and prints one line for each number: set-up, solve, iterations, true residuals, eigenvalues.\n\n";

#include <petlap.h>
#include "tests/bench/bench.h"
#include "tests/bench/families.h"
#include <algorithm>

static PetscErrorCode Run(BenchFamily &family, PetscInt k, PetscReal tol, PetscReal least, PetscInt most)
{
  Mat                       A;
  Vec                      *x, r;
  PC                        pc;
  PetscInt                  n, converged, its, skip = family.singular ? 1 : 0;
  MatInfo                   info;
  BenchSeconds              begin, start;
  std::vector<BenchSeconds> setup, solve;
  std::vector<PetscReal>    values(k + skip), residuals(k + skip);
  PetscReal                 worst = 0.0, defect = 0.0;
  double                    before;

  PetscFunctionBegin;
  PetscCall(BenchFamilyCreateMat(family, 0, PETSC_FALSE, PETSC_TRUE, &A));
  PetscCall(MatGetSize(A, &n, nullptr));
  PetscCall(MatGetInfo(A, MAT_LOCAL, &info));
  PetscCall(BenchPrintNumber("rows", (double)n));
  PetscCall(BenchPrintNumber("nnz", info.nz_used));
  PetscCall(MatCreateVecs(A, &r, nullptr));
  PetscCall(VecDuplicateVecs(r, k + skip, &x));
  begin = BenchNow();
  do {
    if (setup.empty()) BenchForgetPeak();
    before = BenchMemory("VmRSS");
    start  = BenchNow();
    PetscCall(PCCreate(PETSC_COMM_SELF, &pc));
    PetscCall(PCSetType(pc, PCHSC));
    PetscCall(PCSetOperators(pc, A, A));
    PetscCall(PCHSCSetEigenTolerances(pc, tol, PETSC_DEFAULT));
    PetscCall(PCSetFromOptions(pc));
    PetscCall(PCSetUp(pc));
    setup.push_back(BenchSince(start));
    start = BenchNow();
    PetscCall(PCHSCComputeEigenvectors(pc, k + skip, values.data(), x, residuals.data(), &converged));
    solve.push_back(BenchSince(start));
    PetscCall(PCHSCGetEigenIterationNumber(pc, &its));
    if (setup.size() == 1) PetscCall(BenchPrintNumber("peak_MB", BenchMemory("VmHWM") - before));
    PetscCall(PCDestroy(&pc));
  } while ((PetscInt)setup.size() < most && BenchSince(begin).s[BENCH_CPU] < least);
  PetscCall(BenchPrintNumber("runs", (double)setup.size()));
  PetscCall(BenchPrintSeconds("setup", BenchMedian(setup)));
  PetscCall(BenchPrintSeconds("solve", BenchMedian(solve)));
  PetscCall(BenchPrintNumber("iterations", (double)its));
  PetscCall(BenchPrintNumber("converged", (double)(converged - skip)));
  for (PetscInt j = 0; j < k + skip; j++) {
    PetscReal norm;

    PetscCall(MatMult(A, x[j], r));
    PetscCall(VecAXPY(r, -values[j], x[j]));
    PetscCall(VecNorm(r, NORM_2, &norm));
    if (j >= skip) worst = PetscMax(worst, norm / values[j]);
    for (PetscInt i = 0; i <= j; i++) {
      PetscScalar dot;

      PetscCall(VecDot(x[i], x[j], &dot));
      defect = PetscMax(defect, PetscAbsScalar(dot - (i == j ? 1.0 : 0.0)));
    }
    if (j >= skip) PetscCall(PetscPrintf(PETSC_COMM_SELF, "value%" PetscInt_FMT " %.17g\n", j - skip, (double)values[j]));
  }
  PetscCall(BenchPrintNumber("residual", worst));
  PetscCall(BenchPrintNumber("orthogonality", defect));
  PetscCall(VecDestroyVecs(k + skip, &x));
  PetscCall(VecDestroy(&r));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  BenchFamily family;
  PetscReal   tol = 1e-4, least = 1.0;
  PetscInt    k = 3, most = 20;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Eigenvectors of Laplacians", nullptr);
  PetscCall(PetscOptionsInt("-bench_wanted", "Eigenvectors, without the constant one of a singular matrix", "", k, &k, nullptr));
  PetscCall(PetscOptionsReal("-bench_tol", "Residual relative to the eigenvalue", "", tol, &tol, nullptr));
  PetscCall(PetscOptionsReal("-bench_least", "CPU seconds that everything is repeated for", "", least, &least, nullptr));
  PetscCall(PetscOptionsInt("-bench_most", "Repetitions at most", "", most, &most, nullptr));
  PetscOptionsEnd();
  PetscCall(BenchFamilyFromOptions("neumann", &family));
  PetscCall(BenchKeepErrors());
  PetscCall(BenchPrintStatus(Run(family, k, tol, least, most)));
  PetscCall(PetscFinalize());
  return 0;
}
