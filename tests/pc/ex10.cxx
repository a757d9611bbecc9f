static char help[] = "Solves Laplacians that are spread over processes with hsc and compares with one process. Options for the matrix are those of laplacians.h.\n\
  -split even|uneven|first|last|empty|boxes|random|one   what rows a process has\n\
  -methods            list of Krylov methods\n\
  -more <3>           iterations that may be needed beyond those of one process\n\
  -tolerance <1e-5>   for the error, relative to the solution\n\
  -type T             converts the matrix\n\
  -nullspace          attaches the constants\n\
  -coordinates        calls PCSetCoordinates() with the points of a grid\n\
  -groups k           as many groups of processes, each with the whole problem\n\
  -transpose          the transposed preconditioner is that\n\
  -grow               the diagonal changes between solves\n\
  -bad                shows what is said about matrices that are wrong on one process\n\
  -show               prints the numbers\n\n";

#include "laplacians.h"
#include <petscksp.h>

/* The process that row i of the laplacian belongs to */
static PetscInt Owner(const char split[], PetscInt i, PetscInt n, const PetscInt size[], PetscInt nranks)
{
  const PetscInt nx = size[0], ny = size[1], nz = size[2], half = PetscMax(1, nranks / 2);

  if (!strcmp(split, "uneven")) { /* each has about as much as all before it together */
    PetscInt r = nranks - 1;

    for (PetscInt end = n / 2; r > 0 && i < end; end /= 2) r--;
    return r;
  }
  if (!strcmp(split, "first")) return 0;
  if (!strcmp(split, "last")) return nranks - 1;
  if (!strcmp(split, "empty")) { /* nothing for every second one */
    const PetscInt r = 2 * (PetscInt)((PetscInt64)i * half / n) + 1;

    return PetscMin(r, nranks - 1);
  }
  if (!strcmp(split, "boxes") && i < nx * ny * nz) {
    const PetscInt x = i % nx, y = i / nx % ny;
    PetscInt       px = 1;

    for (PetscInt p = 1; p * p <= nranks; p++) {
      if (nranks % p == 0) px = p;
    }
    return x * px / nx + px * (y * (nranks / px) / ny);
  }
  if (!strcmp(split, "random")) return (PetscInt)(((uint64_t)i * 0x9e3779b97f4a7c15ull >> 33) % (uint64_t)nranks);
  if (!strcmp(split, "one")) return i % nranks;
  return (PetscInt)((PetscInt64)i * nranks / n);
}

/* The same matrix on the processes of a communicator; row i becomes row number[i] */
static PetscErrorCode Spread(MPI_Comm comm, Mat S, const char split[], const PetscInt size[], std::vector<PetscInt> &number, Mat *A)
{
  PetscMPIInt           rank, nranks;
  PetscInt              n;
  std::vector<PetscInt> owner, begin;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &nranks));
  PetscCall(MatGetSize(S, &n, NULL));
  begin.assign(nranks + 1, 0);
  for (PetscInt i = 0; i < n; i++) {
    owner.push_back(Owner(split, i, n, size, nranks));
    begin[owner[i] + 1]++;
  }
  const PetscInt m = begin[rank + 1];
  for (PetscInt r = 0; r < nranks; r++) begin[r + 1] += begin[r];
  number.resize(n);
  std::vector<PetscInt> next(begin);
  for (PetscInt i = 0; i < n; i++) number[i] = next[owner[i]]++;
  PetscCall(MatCreateAIJ(comm, m, m, n, n, 30, NULL, 30, NULL, A));
  PetscCall(MatSetOption(*A, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
  for (PetscInt i = 0; i < n; i++) {
    PetscInt           k;
    const PetscInt    *col;
    const PetscScalar *v;

    if (owner[i] != rank) continue;
    PetscCall(MatGetRow(S, i, &k, &col, &v));
    for (PetscInt j = 0; j < k; j++) PetscCall(MatSetValue(*A, number[i], number[col[j]], v[j], INSERT_VALUES));
    PetscCall(MatRestoreRow(S, i, &k, &col, &v));
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode MakeKSP(Mat A, const char method[], const PetscInt size[], const std::vector<PetscInt> &number, KSP *ksp)
{
  PC        pc;
  PetscBool coordinates = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-coordinates", &coordinates, NULL));
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)A), ksp));
  PetscCall(KSPSetType(*ksp, method));
  if (!strcmp(method, KSPFCG)) PetscCall(KSPFCGSetMmax(*ksp, 1));
  if (!strcmp(method, KSPGMRES)) PetscCall(KSPSetPCSide(*ksp, PC_RIGHT));
  PetscCall(KSPSetNormType(*ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetTolerances(*ksp, 1e-9, 1e-300, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(PCSetType(pc, "hsc"));
  PetscCall(KSPSetOperators(*ksp, A, A));
  PetscCall(KSPSetFromOptions(*ksp));
  if (coordinates) {
    PetscInt               start, end;
    std::vector<PetscReal> at;

    PetscCall(MatGetOwnershipRange(A, &start, &end));
    at.resize(2 * (end - start));
    for (PetscInt i = 0; i < (PetscInt)number.size(); i++) {
      if (number[i] < start || number[i] >= end) continue;
      at[2 * (number[i] - start)]     = 0.25 * (PetscReal)(i % size[0]) - 3.0;
      at[2 * (number[i] - start) + 1] = 0.5 * (PetscReal)(i / size[0]);
    }
    PetscCall(PCSetCoordinates(pc, 2, end - start, at.data()));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* (x, M y) = (M' x, y), and M' = M where the cycle is symmetric */
static PetscErrorCode CheckTranspose(KSP ksp, Mat A)
{
  PC          pc;
  Vec         x, y, Mx, My;
  PetscScalar a, b;
  PetscReal   nx, ny;
  PetscRandom random;

  PetscFunctionBeginUser;
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(MatCreateVecs(A, &x, &y));
  PetscCall(VecDuplicate(x, &Mx));
  PetscCall(VecDuplicate(x, &My));
  PetscCall(PetscRandomCreate(PetscObjectComm((PetscObject)A), &random));
  PetscCall(VecSetRandom(x, random));
  PetscCall(VecSetRandom(y, random));
  PetscCall(PetscRandomDestroy(&random));
  PetscCall(PCApply(pc, y, My));
  PetscCall(PCApplyTranspose(pc, x, Mx));
  PetscCall(VecDot(x, My, &a));
  PetscCall(VecDot(Mx, y, &b));
  PetscCall(VecNorm(x, NORM_2, &nx));
  PetscCall(VecNorm(My, NORM_2, &ny));
  if (!(PetscAbsScalar(a - b) <= 1e-5 * nx * ny)) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "transpose: %g and %g\n", (double)PetscRealPart(a), (double)PetscRealPart(b)));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&y));
  PetscCall(VecDestroy(&Mx));
  PetscCall(VecDestroy(&My));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Adds a positive diagonal, and after that the matrix is another one for the preconditioner to adapt to */
static PetscErrorCode Grow(Mat A, const std::vector<PetscInt> &number)
{
  PetscInt start, end;
  Vec      d;

  PetscFunctionBeginUser;
  PetscCall(MatCreateVecs(A, NULL, &d));
  PetscCall(VecGetOwnershipRange(d, &start, &end));
  for (PetscInt i = 0; i < (PetscInt)number.size(); i++) {
    if (number[i] >= start && number[i] < end) PetscCall(VecSetValue(d, number[i], i % 3 ? 0.01 : 0.0, INSERT_VALUES));
  }
  PetscCall(VecAssemblyBegin(d));
  PetscCall(VecAssemblyEnd(d));
  PetscCall(MatDiagonalSet(A, d, ADD_VALUES));
  PetscCall(VecDestroy(&d));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Iterations, and the solution in the numbers of the laplacian on every process */
static PetscErrorCode Solve(const Laplacian &laplacian, KSP ksp, Mat A, const std::vector<PetscInt> &number, const char name[], PetscInt *its, std::vector<PetscScalar> &solution)
{
  Vec                x, u, b, all;
  VecScatter         scatter;
  KSPConvergedReason reason;
  PetscReal          error = 0.0, norm = 0.0, tolerance = 1e-5;
  PetscInt           start, end;
  const PetscScalar *v;
  const PetscInt     n = (PetscInt)number.size();
  Vec                difference;
  PetscScalar       *d;
  auto               exact = [](PetscInt i) { return PetscSinReal(0.01 * (PetscReal)i) + PetscCosReal((PetscReal)(i % 1013 * (i % 1013) % 1013)); };

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetReal(NULL, NULL, "-tolerance", &tolerance, NULL));
  PetscCall(MatCreateVecs(A, &u, &b));
  PetscCall(VecDuplicate(u, &x));
  PetscCall(VecGetOwnershipRange(u, &start, &end));
  for (PetscInt i = 0; i < n; i++) {
    if (number[i] >= start && number[i] < end) PetscCall(VecSetValue(u, number[i], exact(i), INSERT_VALUES));
  }
  PetscCall(VecAssemblyBegin(u));
  PetscCall(VecAssemblyEnd(u));
  PetscCall(MatMult(A, u, b));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(KSPGetIterationNumber(ksp, its));
  PetscCall(VecScatterCreateToAll(x, &scatter, &all));
  PetscCall(VecScatterBegin(scatter, x, all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterEnd(scatter, x, all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecGetArrayRead(all, &v));
  solution.resize(n);
  for (PetscInt i = 0; i < n; i++) solution[i] = v[number[i]];
  PetscCall(VecRestoreArrayRead(all, &v));
  PetscCall(VecCreateSeq(PETSC_COMM_SELF, n, &difference));
  PetscCall(VecGetArray(difference, &d));
  for (PetscInt i = 0; i < n; i++) {
    d[i] = solution[i] - exact(i);
    norm += exact(i) * exact(i);
  }
  PetscCall(VecRestoreArray(difference, &d));
  PetscCall(laplacian.RemoveConstants(difference));
  PetscCall(VecNorm(difference, NORM_2, &error));
  if (reason <= 0 || !(error <= tolerance * PetscSqrtReal(norm))) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %s iterations %" PetscInt_FMT " error %.1e\n", name, KSPConvergedReasons[reason], *its, (double)(error / PetscSqrtReal(norm))));
  PetscCall(VecDestroy(&difference));
  PetscCall(VecScatterDestroy(&scatter));
  PetscCall(VecDestroy(&all));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&u));
  PetscCall(VecDestroy(&b));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Run(MPI_Comm comm, const char split[], const char method[], const PetscInt size[])
{
  Laplacian                laplacian, grown;
  Mat                      S, A;
  KSP                      one, ksp, again;
  std::vector<PetscInt>    natural, number;
  std::vector<PetscScalar> x, y, z;
  PetscInt                 n, itsone = 0, its = 0, itsagain = 0, more = 3;
  PetscBool                show = PETSC_FALSE, transpose = PETSC_FALSE, grow = PETSC_FALSE, constants = PETSC_FALSE, has;
  char                     type[64];

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-show", &show, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-transpose", &transpose, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-grow", &grow, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-nullspace", &constants, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-more", &more, NULL));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-type", type, sizeof(type), &has));
  PetscCall(laplacian.Make(NULL));
  PetscCall(laplacian.Assemble(&S));
  PetscCall(MatGetSize(S, &n, NULL));
  natural.resize(n);
  std::iota(natural.begin(), natural.end(), 0);
  PetscCall(Spread(comm, S, split, size, number, &A));
  if (has) PetscCall(MatConvert(A, type, MAT_INPLACE_MATRIX, &A));
  if (constants) {
    for (Mat B : {S, A}) {
      MatNullSpace nullspace;

      PetscCall(MatNullSpaceCreate(PetscObjectComm((PetscObject)B), PETSC_TRUE, 0, NULL, &nullspace));
      PetscCall(MatSetNullSpace(B, nullspace));
      PetscCall(MatNullSpaceDestroy(&nullspace));
    }
  }
  PetscCall(MakeKSP(S, method, size, natural, &one));
  PetscCall(MakeKSP(A, method, size, number, &ksp));
  PetscCall(Solve(laplacian, one, S, natural, "one process", &itsone, z));
  PetscCall(Solve(laplacian, ksp, A, number, split, &its, x));
  if (show) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %s: %" PetscInt_FMT " iterations on one process, %" PetscInt_FMT " on several\n", split, method, itsone, its));
  if (its > itsone + more) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %s: %" PetscInt_FMT " iterations on one process, %" PetscInt_FMT " on several\n", split, method, itsone, its));
  if (transpose) PetscCall(CheckTranspose(ksp, A));
  /* To the last bit, with a hierarchy of its own */
  PetscCall(MakeKSP(A, method, size, number, &again));
  PetscCall(Solve(laplacian, again, A, number, split, &itsagain, y));
  if (itsagain != its || (n > 0 && memcmp(x.data(), y.data(), x.size() * sizeof(PetscScalar)))) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %s: not the same when it is repeated\n", split, method));
  PetscCall(KSPDestroy(&again));
  if (grow) {
    grown = laplacian;
    for (PetscReal &e : grown.excess) e += 1.0; /* only for that it is not zero */
    for (PetscInt step = 0; step < 2; step++) {
      PetscCall(Grow(S, natural));
      PetscCall(Grow(A, number));
      PetscCall(KSPSetOperators(one, S, S));
      PetscCall(KSPSetOperators(ksp, A, A));
      PetscCall(Solve(grown, one, S, natural, "one process, grown", &itsone, z));
      PetscCall(Solve(grown, ksp, A, number, split, &its, x));
      if (show) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %s, grown: %" PetscInt_FMT " iterations on one process, %" PetscInt_FMT " on several\n", split, method, itsone, its));
      if (its > itsone + more) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %s, grown: %" PetscInt_FMT " iterations on one process, %" PetscInt_FMT " on several\n", split, method, itsone, its));
    }
  }
  PetscCall(KSPDestroy(&one));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&S));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

static char message[1024];

static PetscErrorCode KeepMessage(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType type, const char *text, void *)
{
  if (type == PETSC_ERROR_INITIAL) (void)!PetscStrncpy(message, text, sizeof(message));
  return code;
}

/* All processes must learn of what one of them has */
static PetscErrorCode Bad(MPI_Comm comm, const PetscInt size[])
{
  const char *const kinds[] = {"none", "value", "pattern", "row", "nan", "zero", "sign", "positive", "device", "dense"};
  PetscMPIInt       nranks;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(comm, &nranks));
  for (const char *kind : kinds) {
    Laplacian             laplacian;
    Mat                   S, A;
    KSP                   ksp;
    std::vector<PetscInt> number;
    PetscInt              n, end;
    PetscErrorCode        code;
    int                   codes[2];

    PetscCall(laplacian.Make(NULL));
    PetscCall(laplacian.Assemble(&S));
    PetscCall(MatGetSize(S, &n, NULL));
    end = (nranks - 1) * n / nranks; /* first row of the last process, which is coupled to one of the process before */
    while (end * nranks / n != nranks - 1) end++;
    const PetscInt up  = end - size[0];
    auto           set = [&](PetscInt i, PetscInt j, PetscScalar v) -> PetscErrorCode {
      PetscFunctionBeginUser;
      PetscCall(MatSetValue(S, i, j, v, INSERT_VALUES));
      PetscCall(MatAssemblyBegin(S, MAT_FINAL_ASSEMBLY));
      PetscCall(MatAssemblyEnd(S, MAT_FINAL_ASSEMBLY));
      PetscFunctionReturn((PetscErrorCode)0);
    };
    PetscCall(MatSetOption(S, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
    if (!strcmp(kind, "value")) PetscCall(set(end, up, -1.5));
    if (!strcmp(kind, "pattern")) PetscCall(set(end, up, 0.0));
    if (!strcmp(kind, "row")) PetscCall(set(end, 0, -1.0));
    if (!strcmp(kind, "nan")) PetscCall(set(end, up, std::nan("")));
    if (!strcmp(kind, "zero")) PetscCall(set(end, end, 0.0));
    if (!strcmp(kind, "sign")) PetscCall(set(end, end, -4.0));
    if (!strcmp(kind, "positive")) {
      PetscCall(set(end, up, 0.5));
      PetscCall(set(up, end, 0.5));
      PetscCall(PetscOptionsSetValue(NULL, "-pc_hsc_positive", "error"));
    }
    if (!strcmp(kind, "device")) PetscCall(PetscOptionsSetValue(NULL, "-pc_hsc_backend", "cuda"));
    if (!strcmp(kind, "dense")) PetscCall(PetscOptionsSetValue(NULL, "-pc_hsc_max_levels", "0"));
    PetscCall(Spread(comm, S, "even", size, number, &A));
    message[0] = 0;
    PetscCall(PetscPushErrorHandler(KeepMessage, NULL));
    code = MakeKSP(A, KSPFCG, size, number, &ksp);
    /* What is not finite is a reason otherwise */
    if (code == 0) code = KSPSetErrorIfNotConverged(ksp, PETSC_TRUE);
    if (code == 0) code = KSPSetUp(ksp);
    PetscCall(PetscPopErrorHandler());
    codes[0] = (int)code;
    codes[1] = -(int)code;
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, codes, 2, MPI_INT, MPI_MAX, comm));
    PetscCall(PetscPrintf(comm, "%s: %s%s\n", kind, code == 0 ? "no error" : message, codes[0] == -codes[1] ? "" : ", and not on all processes"));
    PetscCall(PetscOptionsClearValue(NULL, "-pc_hsc_positive"));
    PetscCall(PetscOptionsClearValue(NULL, "-pc_hsc_backend"));
    PetscCall(PetscOptionsClearValue(NULL, "-pc_hsc_max_levels"));
    PetscCall(KSPDestroy(&ksp));
    PetscCall(MatDestroy(&S));
    PetscCall(MatDestroy(&A));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  PetscInt    size[3] = {20, 20, 1}, nsize = 3, nmethod = 8, nsplit = 8, groups = 1;
  PetscBool   has, hassplit, bad;
  PetscMPIInt rank;
  char       *method[8], *split[8];
  MPI_Comm    comm;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetIntArray(NULL, NULL, "-n", size, &nsize, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-groups", &groups, NULL));
  PetscCall(PetscOptionsGetStringArray(NULL, NULL, "-methods", method, &nmethod, &has));
  PetscCall(PetscOptionsGetStringArray(NULL, NULL, "-split", split, &nsplit, &hassplit));
  if (!has) {
    nmethod = 1;
    PetscCall(PetscStrallocpy(KSPFCG, &method[0]));
  }
  if (!hassplit) {
    nsplit = 1;
    PetscCall(PetscStrallocpy("even", &split[0]));
  }
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_split(PETSC_COMM_WORLD, rank % (PetscMPIInt)groups, rank, &comm));
  PetscCall(PetscOptionsHasName(NULL, NULL, "-bad", &bad));
  if (bad) PetscCall(Bad(comm, size));
  for (PetscInt s = 0; s < nsplit && !bad; s++) {
    for (PetscInt m = 0; m < nmethod; m++) PetscCall(Run(comm, split[s], method[m], size));
  }
  for (PetscInt m = 0; m < nmethod; m++) PetscCall(PetscFree(method[m]));
  for (PetscInt s = 0; s < nsplit; s++) PetscCall(PetscFree(split[s]));
  PetscCallMPI(MPI_Comm_free(&comm));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "done\n"));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex

  testset:
    output_file: output/ex1_1.out
    args: -malloc_dump -pc_hsc_direct_size 30
    test:
      suffix: grid
      nsize: {{1 2 3 4 7 8}}
      args: -n 60,60 -methods fcg,cg -split even,boxes,empty
    test:
      suffix: agglomerate
      nsize: 8
      args: -n 70,60 -kind mesh -split boxes,random -pc_hsc_agglomerate {{0 2}} -methods fcg,psdo,gmres
    # rows on one process alone, on every second one, more processes than rows
    test:
      suffix: split
      nsize: 4
      args: -n 41,42 -kind {{grid mesh}} -boundary neumann -nullspace -split first,last,empty,uneven,one
    test:
      suffix: few
      nsize: 7
      args: -kind path -n {{0 1 2 5}} -methods fcg,cg
    test:
      suffix: graphs
      nsize: 3
      args: -kind {{nine star hub tree random}} -n 50,49 -split even,random
    test:
      suffix: space
      nsize: 4
      args: -kind space -n 13,14,15 -split even,boxes -methods fcg,cg
    test:
      suffix: components
      nsize: 3
      args: -components 7 -n 12,25 -isolated 5 -alone 5 -split even,random -methods fcg,cg
    test:
      suffix: identity
      nsize: 3
      args: -n 40,40 -identity {{rows columns}} -zeros -methods gmres,psdo -split boxes,empty
    test:
      suffix: weights
      nsize: 4
      args: -n 70,50 -kind {{grid mesh}} -weights {{jump span}} -methods fcg,cg -split boxes
    test:
      suffix: positive
      nsize: 3
      args: -kind q1 -n 50,50 -eps 0.1 -pc_hsc_positive {{compensate drop lump}} -methods cg -split even,boxes
    test:
      suffix: scaled
      nsize: 3
      args: -n 40,40 -scaled -split boxes,empty -more 6
    test:
      suffix: cycle
      nsize: 4
      args: -n 60,60 -negative -transpose -split boxes,empty -pc_hsc_cycle {{v w}} -pc_hsc_smoother {{gs jacobi}} -pc_hsc_pre {{0 1}} -pc_hsc_post 2 -methods fgmres
    test:
      suffix: options
      nsize: 3
      args: -n 50,51 -kind mesh -shuffle -split even -pc_hsc_precision {{single double}} -pc_hsc_coloring {{greedy paper}} -pc_hsc_reorder {{none bfs}}
    test:
      suffix: geometry
      nsize: 4
      args: -n 61,62 -coordinates -pc_hsc_geometry -split boxes,first -weights {{one span}}
    test:
      suffix: grow
      nsize: 3
      args: -n 60,60 -grow -split boxes,empty -pc_hsc_reuse {{none shift all}}
    test:
      suffix: groups
      nsize: 7
      args: -n 40,40 -groups 2 -split even,empty
    test:
      suffix: type
      nsize: 2
      args: -n 30,31 -type {{mpisbaij mpibaij mpiaijperm}}

  testset:
    args: -malloc_dump -n 160,150 -bad
    test:
      suffix: bad
      nsize: 3

TEST*/
