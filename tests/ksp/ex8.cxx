static char help[] = "Every iterate of psdo against Algorithm 1 written out on dense arrays, with a nonsymmetric preconditioner.\n\n";

#include <petscksp.h>
#include <vector>

static const PetscInt N = 30;

/* Entry of the preconditioner: the inverse diagonal, plus a nonsymmetric part */
static PetscScalar Preconditioner(PetscInt i, PetscInt j)
{
  return (i == j ? 0.4 : 0.0) + 0.05 / (1.0 + (PetscReal)((3 * i + 5 * j) % 11));
}

static PetscScalar Matrix(PetscInt i, PetscInt j)
{
  return i == j ? 2.5 + 0.1 * (PetscReal)(i % 5) : PetscAbsInt(i - j) == 1 ? -1.0 : PetscAbsInt(i - j) == 7 ? -0.2 : 0.0;
}

typedef std::vector<PetscScalar> Array;

static PetscScalar Dot(const Array &x, const Array &y)
{
  PetscScalar sum = 0.0;

  for (PetscInt i = 0; i < N; i++) sum += PetscConj(x[i]) * y[i];
  return sum;
}

static Array Multiply(PetscScalar (*entry)(PetscInt, PetscInt), const Array &x)
{
  Array y(N, 0.0);

  for (PetscInt i = 0; i < N; i++) {
    for (PetscInt j = 0; j < N; j++) y[i] += entry(i, j) * x[j];
  }
  return y;
}

/* The paper's algorithm with modified Gram-Schmidt and the true residual in every iteration */
static std::vector<Array> Reference(const Array &b, PetscInt mmax, PetscInt its)
{
  std::vector<Array> iterates, d;
  Array              x(N, 0.0), r = b;

  for (PetscInt k = 0; k < its; k++) {
    Array z = Multiply(Preconditioner, r);

    for (PetscInt i = PetscMax(0, k - mmax); i < k; i++) {
      Array       q = Multiply(Matrix, d[i]);
      PetscScalar h = Dot(q, z) / Dot(d[i], q);

      for (PetscInt l = 0; l < N; l++) z[l] -= h * d[i][l];
    }
    d.push_back(z);
    Array       q     = Multiply(Matrix, z);
    PetscScalar alpha = Dot(z, r) / Dot(z, q);
    for (PetscInt l = 0; l < N; l++) x[l] += alpha * z[l];
    q = Multiply(Matrix, x);
    for (PetscInt l = 0; l < N; l++) r[l] = b[l] - q[l];
    iterates.push_back(x);
  }
  return iterates;
}

typedef struct {
  std::vector<Array> *iterates;
  PetscReal           worst;
} Compare;

static PetscErrorCode Monitor(KSP ksp, PetscInt it, PetscReal, void *ctx)
{
  Compare           *compare = (Compare *)ctx;
  Vec                x;
  const PetscScalar *v;

  PetscFunctionBeginUser;
  if (it == 0) PetscFunctionReturn((PetscErrorCode)0);
  PetscCall(KSPBuildSolution(ksp, nullptr, &x));
  PetscCall(VecGetArrayRead(x, &v));
  for (PetscInt i = 0; i < N; i++) compare->worst = PetscMax(compare->worst, PetscAbsScalar(v[i] - (*compare->iterates)[it - 1][i]));
  PetscCall(VecRestoreArrayRead(x, &v));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Mat            A, M;
  Vec            x, b;
  KSP            ksp;
  PC             pc;
  Array          rhs(N);
  const PetscInt its = 12;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, N, N, nullptr, &A));
  PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, N, N, nullptr, &M));
  for (PetscInt i = 0; i < N; i++) {
    for (PetscInt j = 0; j < N; j++) {
      PetscCall(MatSetValue(A, i, j, Matrix(i, j), INSERT_VALUES));
      PetscCall(MatSetValue(M, i, j, Preconditioner(i, j), INSERT_VALUES));
    }
  }
  for (Mat matrix : {A, M}) {
    PetscCall(MatAssemblyBegin(matrix, MAT_FINAL_ASSEMBLY));
    PetscCall(MatAssemblyEnd(matrix, MAT_FINAL_ASSEMBLY));
  }
  PetscCall(MatCreateVecs(A, &x, &b));
  for (PetscInt i = 0; i < N; i++) {
    rhs[i] = PetscSinReal(1.0 + (PetscReal)(i * i));
    PetscCall(VecSetValue(b, i, rhs[i], INSERT_VALUES));
  }
  PetscCall(VecAssemblyBegin(b));
  PetscCall(VecAssemblyEnd(b));
  for (int mmax : {0, 1, 2, 5, 20}) {
    std::vector<Array> iterates = Reference(rhs, mmax, its);
    Compare            compare  = {&iterates, 0.0};
    char               number[16];

    PetscCall(PetscSNPrintf(number, sizeof(number), "%d", mmax));
    PetscCall(PetscOptionsSetValue(nullptr, "-ksp_psdo_mmax", number));
    PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(KSPSetType(ksp, "psdo"));
    PetscCall(KSPSetTolerances(ksp, 1e-30, PETSC_DEFAULT, PETSC_DEFAULT, its));
    PetscCall(KSPGetPC(ksp, &pc));
    /* PCMAT multiplies with its matrix */
    PetscCall(PCSetType(pc, PCMAT));
    PetscCall(PCSetOperators(pc, A, M));
    PetscCall(KSPMonitorSet(ksp, Monitor, &compare, nullptr));
    PetscCall(KSPSetFromOptions(ksp));
    PetscCall(KSPSolve(ksp, b, x));
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "mmax %d: all %d iterates agree to 1e-11: %s\n", mmax, (int)its, compare.worst < 1e-11 ? "yes" : "NO"));
    PetscCall(KSPDestroy(&ksp));
  }
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&M));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  test:
    requires: double

TEST*/
