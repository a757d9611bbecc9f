#include <cstdio>
#include <cstring>
#include "tests/differential/solve.h"
#include <petlap.h>
#include <petscdmda.h>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>

namespace differential {

static std::string lasterror;

PetscErrorCode RememberError(MPI_Comm, int, const char *function, const char *, PetscErrorCode code, PetscErrorType type, const char *message, void *)
{
  if (type == PETSC_ERROR_INITIAL) lasterror = std::string(function ? function : "") + ": " + (message ? message : "") + " [" + std::to_string((int)code) + "]";
  return code;
}

const std::string &LastError()
{
  return lasterror;
}

void ForgetError()
{
  lasterror.clear();
}

Problem::~Problem()
{
  /* After an error objects may refuse to be destroyed; what is lost then is little */
  if (broken && setup.Has("-ksp_type fcg")) ksp = nullptr; /* PETSc's fcg may not survive it */
  (void)KSPDestroy(&ksp);
  (void)MatDestroy(&A);
  (void)VecDestroy(&b);
  (void)VecDestroy(&x);
  (void)VecDestroy(&labels);
  (void)VecDestroy(&all);
  (void)VecScatterDestroy(&scatter);
  (void)DMDestroy(&dm);
  if (pushed) (void)PetscOptionsPop();
  (void)PetscOptionsDestroy(&options);
}

/* How many points apart in one direction the matrix couples */
static PetscInt Reach(const System &s)
{
  PetscInt reach = 0;

  for (const Entry &e : s.entry) {
    const PetscInt p = e.i / s.dof, q = e.j / s.dof, from[3] = {p % s.size[0], p / s.size[0] % s.size[1], p / s.size[0] / s.size[1]}, to[3] = {q % s.size[0], q / s.size[0] % s.size[1], q / s.size[0] / s.size[1]};

    for (int d = 0; d < 3; d++) {
      const PetscInt apart = std::abs(from[d] - to[d]);

      reach = std::max(reach, s.periodic[d] ? std::min(apart, s.size[d] - apart) : apart);
    }
  }
  return std::max(reach, (PetscInt)1);
}

PetscErrorCode Problem::CreateDM(const System &s)
{
  const PetscInt width = s.label.empty() ? Reach(s) : 1;
  DMBoundaryType boundary[3];
  int            ranks;

  PetscFunctionBeginUser;
  /* A rank with fewer points than the stencil is wide raises an error that others do not hear of */
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  for (int d = 0; d < s.dim; d++) {
    if (ranks > 1 && width > 1 && s.size[d] < ranks * width) PetscFunctionReturn(PETSC_ERR_ARG_OUTOFRANGE);
  }
  for (int d = 0; d < 3; d++) boundary[d] = s.periodic[d] ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE;
  if (s.dim == 1)
    PetscCall(DMDACreate1d(comm, boundary[0], s.size[0], s.dof, width, nullptr, &dm));
  else if (s.dim == 2)
    PetscCall(DMDACreate2d(comm, boundary[0], boundary[1], DMDA_STENCIL_BOX, s.size[0], s.size[1], PETSC_DECIDE, PETSC_DECIDE, s.dof, width, nullptr, nullptr, &dm));
  else
    PetscCall(DMDACreate3d(comm, boundary[0], boundary[1], boundary[2], DMDA_STENCIL_BOX, s.size[0], s.size[1], s.size[2], PETSC_DECIDE, PETSC_DECIDE, PETSC_DECIDE, s.dof, width, nullptr, nullptr, nullptr, &dm));
  PetscCall(DMSetUp(dm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Which rows are where: as the DM has them, or in blocks */
PetscErrorCode Problem::CreateLayout(const System &s)
{
  int rank, size;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  if ((setup.dm || !s.label.empty()) && s.dim && s.batch == 1) {
    if (CreateDM(s)) {
      /* Too many ranks for so few points */
      PetscCall(DMDestroy(&dm));
      ForgetError();
    }
  }
  place.resize(s.n);
  std::iota(place.begin(), place.end(), 0);
  if (dm) {
    AO                    ao;
    Vec                   v;
    std::vector<PetscInt> cell(s.Points() * s.dof);
    PetscInt              from, to;

    PetscCall(DMDAGetAO(dm, &ao));
    std::iota(cell.begin(), cell.end(), 0);
    PetscCall(AOApplicationToPetsc(ao, (PetscInt)cell.size(), cell.data()));
    PetscCall(DMGetGlobalVector(dm, &v));
    PetscCall(VecGetOwnershipRange(v, &from, &to));
    PetscCall(DMRestoreGlobalVector(dm, &v));
    if (s.reduced) {
      /* Fluid cells in the order of the DM's cells */
      std::vector<PetscInt> fluid;

      for (PetscInt p = 0; p < s.Points(); p++) {
        if (s.label[p] == 1) fluid.push_back(cell[p]);
      }
      std::vector<PetscInt> sorted = fluid;
      std::sort(sorted.begin(), sorted.end());
      auto index = [&](PetscInt c) { return (PetscInt)(std::lower_bound(sorted.begin(), sorted.end(), c) - sorted.begin()); };
      for (PetscInt i = 0; i < s.n; i++) place[i] = index(fluid[i]);
      low  = index(from);
      high = index(to);
    } else {
      place = cell;
      low   = from;
      high  = to;
    }
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  Random                r = {setup.seed};
  std::vector<PetscInt> bound(size + 1, s.n);
  const PetscInt        parts = setup.layout == 2 && size > 1 ? size - 1 : size;

  bound[0] = 0;
  for (PetscInt k = 1; k < parts; k++) bound[k] = setup.layout == 1 ? r.Integer(0, s.n) : s.n * k / parts;
  std::sort(bound.begin(), bound.end());
  low  = bound[rank];
  high = bound[rank + 1];
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::Fill(const System &s, Mat M)
{
  std::vector<PetscInt>    column;
  std::vector<PetscScalar> value;

  PetscFunctionBeginUser;
  for (PetscInt i = 0; i < s.n; i++) {
    const PetscInt row = place[i];

    if (row < low || row >= high) continue;
    column.clear();
    value.clear();
    for (size_t k = s.start[i]; k < s.start[i + 1]; k++) {
      column.push_back(place[s.entry[k].j]);
      value.push_back(s.entry[k].v);
    }
    PetscCall(MatSetValues(M, 1, &row, (PetscInt)column.size(), column.data(), value.data(), INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(M, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(M, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::CreateMat(const System &s, Mat *M)
{
  std::vector<PetscInt> own(high - low), other(high - low);

  PetscFunctionBeginUser;
  for (PetscInt i = 0; i < s.n; i++) {
    if (place[i] < low || place[i] >= high) continue;
    for (size_t k = s.start[i]; k < s.start[i + 1]; k++) {
      const PetscInt j = place[s.entry[k].j];

      (j >= low && j < high ? own : other)[place[i] - low]++;
    }
  }
  PetscCall(MatCreateAIJ(comm, high - low, high - low, s.n, s.n, 0, own.data(), 0, other.data(), M));
  PetscCall(Fill(s, *M));
  if (setup.mattype == "sbaij") PetscCall(MatSetOption(*M, MAT_SYMMETRIC, PETSC_TRUE));
  if (setup.mattype != "aij") PetscCall(MatConvert(*M, setup.mattype.c_str(), MAT_INPLACE_MATRIX, M));
  /* A DM tells the type of its grid only where each point has a row */
  if (dm && !s.reduced) PetscCall(MatSetDM(*M, dm));
  if (setup.flags && s.symmetric) PetscCall(MatSetOption(*M, MAT_SYMMETRIC, PETSC_TRUE));
  if (setup.flags && s.definite) PetscCall(MatSetOption(*M, MAT_SPD, PETSC_TRUE));
  PetscCall(SetNullSpace(s, *M));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::SetNullSpace(const System &s, Mat M)
{
  MatNullSpace null;
  Vec          k;

  PetscFunctionBeginUser;
  if (!setup.nullspace) PetscFunctionReturn(PETSC_SUCCESS);
  if (s.kernel.empty()) {
    PetscCall(MatSetNullSpace(M, nullptr));
    PetscCall(MatSetTransposeNullSpace(M, nullptr));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(MatCreateVecs(M, &k, nullptr));
  PetscCall(Load(s.kernel, k));
  PetscCall(VecNormalize(k, nullptr));
  PetscCall(MatNullSpaceCreate(comm, PETSC_FALSE, 1, &k, &null));
  PetscCall(MatSetNullSpace(M, null));
  PetscCall(MatNullSpaceDestroy(&null));
  PetscCall(VecDestroy(&k));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::Load(const std::vector<double> &from, Vec v)
{
  PetscScalar *a;

  PetscFunctionBeginUser;
  PetscCall(VecGetArrayWrite(v, &a));
  for (size_t i = 0; i < from.size(); i++) {
    if (place[i] >= low && place[i] < high) a[place[i] - low] = from[i];
  }
  PetscCall(VecRestoreArrayWrite(v, &a));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::Gather(Vec v, std::vector<double> *to)
{
  const PetscScalar *a;

  PetscFunctionBeginUser;
  if (!scatter) PetscCall(VecScatterCreateToAll(v, &scatter, &all));
  PetscCall(VecScatterBegin(scatter, v, all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterEnd(scatter, v, all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecGetArrayRead(all, &a));
  to->resize(place.size());
  for (size_t i = 0; i < place.size(); i++) (*to)[i] = PetscRealPart(a[place[i]]);
  PetscCall(VecRestoreArrayRead(all, &a));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::Create(const System &s)
{
  PetscFunctionBeginUser;
  PetscCall(PetscOptionsCreate(&options));
  PetscCall(PetscOptionsInsertString(options, setup.Options().c_str()));
  PetscCall(PetscOptionsPush(options));
  pushed = true;
  PetscCall(CreateLayout(s));
  PetscCall(CreateMat(s, &A));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::SetImage(const System &s)
{
  PC pc;

  PetscFunctionBeginUser;
  if (s.label.empty() || !dm || setup.type != 'n') PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(KSPGetPC(ksp, &pc));
  if (!labels) {
    AO                       ao;
    std::vector<PetscInt>    cell(s.Points());
    std::vector<PetscScalar> value(s.label.begin(), s.label.end());
    int                      rank;

    PetscCallMPI(MPI_Comm_rank(comm, &rank));
    PetscCall(DMCreateGlobalVector(dm, &labels));
    PetscCall(DMDAGetAO(dm, &ao));
    std::iota(cell.begin(), cell.end(), 0);
    PetscCall(AOApplicationToPetsc(ao, s.Points(), cell.data()));
    PetscCall(VecSetValues(labels, rank ? 0 : s.Points(), cell.data(), value.data(), INSERT_VALUES));
    PetscCall(VecAssemblyBegin(labels));
    PetscCall(VecAssemblyEnd(labels));
  }
  PetscCall(PCNeuralSetImage(pc, dm, labels));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::SetUp(const System &s)
{
  PetscFunctionBeginUser;
  if (!ksp) {
    PetscCall(KSPCreate(comm, &ksp));
    PetscCall(KSPSetOperators(ksp, A, A));
    PetscCall(KSPSetFromOptions(ksp));
    /* Without one the image is read off the matrix, where that can be */
    if (s.reduced || !setup.dm) PetscCall(SetImage(s));
  }
  ready = true;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::SetValues(const System &s, bool newmatrix)
{
  PetscFunctionBeginUser;
  if (newmatrix) {
    Mat M;

    PetscCall(CreateMat(s, &M));
    PetscCall(MatDestroy(&A));
    A = M;
  } else {
    PetscCall(Fill(s, A));
    PetscCall(SetNullSpace(s, A));
  }
  if (ksp) PetscCall(KSPSetOperators(ksp, A, A));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The view tells it */
static PetscErrorCode IsDelayed(KSP ksp, bool *delayed)
{
  const MPI_Comm comm = PetscObjectComm((PetscObject)ksp);
  PC             pc;
  Mat            F    = nullptr;
  PetscBool      ours = PETSC_FALSE, factors;
  PetscViewer    viewer;
  PetscMPIInt    rank;
  char          *text = nullptr;
  size_t         length;
  int            found = 0;

  PetscFunctionBeginUser;
  *delayed = false;
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PetscObjectTypeCompareAny((PetscObject)pc, &factors, PCLU, PCCHOLESKY, ""));
  if (factors) PetscCall(PCFactorGetMatrix(pc, &F));
  if (F) PetscCall(PetscObjectTypeCompare((PetscObject)F, MATSOLVERSCHWARZSCHUR, &ours));
  if (!ours) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  FILE *file = open_memstream(&text, &length);
  PetscCheck(file, PETSC_COMM_SELF, PETSC_ERR_SYS, "No memory for the text of a view");
  PetscCall(PetscViewerASCIIOpenWithFILE(comm, file, &viewer));
  PetscCall(PetscViewerPushFormat(viewer, PETSC_VIEWER_ASCII_INFO));
  PetscCall(MatView(F, viewer));
  PetscCall(PetscViewerPopFormat(viewer));
  PetscCall(PetscViewerDestroy(&viewer));
  fclose(file);
  found = rank == 0 && std::strstr(text, "pivots that may leave their separator");
  free(text);
  PetscCallMPI(MPI_Bcast(&found, 1, MPI_INT, 0, comm));
  *delayed = found;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::TrySolve(const System &s, const std::vector<double> &rhs, bool transpose, Answer *answer)
{
  PetscBool preonly;

  PetscFunctionBeginUser;
  PetscCall(Load(rhs, b));
  PetscCall(VecZeroEntries(x));
  PetscCall(SetUp(s));
  if (transpose)
    PetscCall(KSPSolveTranspose(ksp, b, x));
  else
    PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, &answer->reason));
  PetscCall(KSPGetNormType(ksp, &answer->norm));
  PetscCall(KSPGetIterationNumber(ksp, &answer->its));
  PetscCall(KSPGetTolerances(ksp, &answer->rtol, nullptr, nullptr, &answer->most));
  PetscCall(PetscObjectTypeCompare((PetscObject)ksp, KSPPREONLY, &preonly));
  answer->direct = preonly;
  PetscCall(IsDelayed(ksp, &answer->delayed));
  PetscCall(Gather(x, &answer->x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

Answer Problem::Solve(const System &s, const std::vector<double> &rhs, bool transpose)
{
  Answer answer;

  ForgetError();
  answer.code = TrySolve(s, rhs, transpose, &answer);
  if (answer.code) {
    answer.text = LastError();
    broken      = true;
  }
  return answer;
}

PetscErrorCode Problem::TryPrecondition(const std::vector<double> &r, std::vector<double> *z)
{
  PC pc;

  PetscFunctionBeginUser;
  PetscCall(Load(r, b));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCApply(pc, b, x));
  PetscCall(Gather(x, z));
  PetscFunctionReturn(PETSC_SUCCESS);
}

bool Problem::Precondition(const std::vector<double> &r, std::vector<double> *z)
{
  return !TryPrecondition(r, z);
}

PetscErrorCode Problem::TryColumns(const System &s, const std::vector<std::vector<double>> &rhs, bool transpose, std::vector<Answer> *answers)
{
  const PetscInt n = high - low;
  PC             pc;
  Mat            F, B, X;
  MatFactorError error;
  PetscScalar   *a;

  PetscFunctionBeginUser;
  PetscCall(SetUp(s));
  PetscCall(KSPSetUp(ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCFactorGetMatrix(pc, &F));
  PetscCall(MatFactorGetError(F, &error));
  if (error) {
    for (Answer &answer : *answers) answer.reason = KSP_DIVERGED_PC_FAILED;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(MatCreateDense(comm, n, PETSC_DECIDE, s.n, (PetscInt)rhs.size(), nullptr, &B));
  PetscCall(MatDenseGetArrayWrite(B, &a));
  for (size_t q = 0; q < rhs.size(); q++) {
    for (PetscInt i = 0; i < s.n; i++) {
      if (place[i] >= low && place[i] < high) a[place[i] - low + (size_t)q * n] = rhs[q][i];
    }
  }
  PetscCall(MatDenseRestoreArrayWrite(B, &a));
  PetscCall(MatAssemblyBegin(B, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(B, MAT_FINAL_ASSEMBLY));
  PetscCall(MatDuplicate(B, MAT_DO_NOT_COPY_VALUES, &X));
  if (transpose)
    PetscCall(MatMatSolveTranspose(F, B, X));
  else
    PetscCall(MatMatSolve(F, B, X));
  PetscCall(MatFactorGetError(F, &error));
  PetscCall(MatDenseGetArray(X, &a));
  for (size_t q = 0; q < rhs.size(); q++) {
    PetscScalar *v;

    PetscCall(VecGetArrayWrite(x, &v));
    std::copy(a + q * n, a + (q + 1) * n, v);
    PetscCall(VecRestoreArrayWrite(x, &v));
    PetscCall(Gather(x, &(*answers)[q].x));
    const std::vector<double> &values = (*answers)[q].x;

    /* Infinity in all places is what MatSolve() gives where it has no answer; there is no reason to ask for */
    (*answers)[q].reason = error || std::all_of(values.begin(), values.end(), [](double value) { return std::isinf(value); }) ? KSP_DIVERGED_PC_FAILED : KSP_CONVERGED_ITS;
    (*answers)[q].direct = true;
  }
  PetscCall(MatDenseRestoreArray(X, &a));
  PetscCall(MatDestroy(&B));
  PetscCall(MatDestroy(&X));
  PetscFunctionReturn(PETSC_SUCCESS);
}

std::vector<Answer> Problem::SolveColumns(const System &s, const std::vector<std::vector<double>> &rhs, bool transpose)
{
  std::vector<Answer> answers(rhs.size());

  ForgetError();
  const PetscErrorCode code = TryColumns(s, rhs, transpose, &answers);
  for (Answer &answer : answers) {
    if (!code) continue;
    answer.code = code;
    answer.text = LastError();
  }
  return answers;
}

/* Values of enumerations one past their ends must be refused */
#define Refuse(call)                                               \
  do {                                                             \
    (void)PetscPushErrorHandler(PetscReturnErrorHandler, nullptr); \
    const PetscErrorCode refused = call;                           \
    (void)PetscPopErrorHandler();                                  \
    if (!refused) *called += " ACCEPTED:" #call;                   \
  } while (0)

PetscErrorCode Problem::LateSchwarzSchur(Random &r, const System &s, std::string *called)
{
  const PetscInt size[3] = {s.size[0], s.size[1], s.size[2]}, wrong[3] = {s.size[0] + 1, s.size[1], s.size[2]};
  PC             pc;
  Mat            F;

  PetscFunctionBeginUser;
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCFactorGetMatrix(pc, &F));
  if (!F) PetscFunctionReturn(PETSC_SUCCESS);
  switch (r.Integer(0, 9)) {
  case 0:
    *called += " SetGrid";
    PetscCall(MatSchwarzSchurSetGrid(F, s.dim, size, s.dof));
    break;
  case 1:
    *called += " SetGrid(wrong)";
    PetscCall(MatSchwarzSchurSetGrid(F, s.dim, wrong, s.dof));
    break;
  case 2:
    *called += " SetBatch";
    PetscCall(MatSchwarzSchurSetBatch(F, r.Integer(1, 4)));
    break;
  case 3:
    *called += " SetMode";
    PetscCall(MatSchwarzSchurSetMode(F, (MatSchwarzSchurMode)r.Integer(0, s.symmetric ? 2 : 1)));
    break;
  case 4:
    *called += " SetPrecision";
    PetscCall(MatSchwarzSchurSetPrecision(F, (MatSchwarzSchurPrecision)r.Integer(0, 1)));
    break;
  case 5:
  case 6:
    *called += " SetRefine";
    PetscCall(MatSchwarzSchurSetRefine(F, r.Integer(1, 5)));
    break;
  case 7:
    *called += " SetBackend(host)";
    PetscCall(MatSchwarzSchurSetBackend(F, PETLAP_BACKEND_HOST));
    break;
  case 8:
    Refuse(MatSchwarzSchurSetMode(F, (MatSchwarzSchurMode)4));
    break;
  default:
    Refuse(MatSchwarzSchurSetPrecision(F, (MatSchwarzSchurPrecision)2));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::LateHsc(Random &r, std::string *called)
{
  PC pc;

  PetscFunctionBeginUser;
  PetscCall(KSPGetPC(ksp, &pc));
  switch (r.Integer(0, 13)) {
  case 0:
    *called += " SetSmoother";
    PetscCall(PCHSCSetSmoother(pc, (PCHSCSmoother)r.Integer(0, 2)));
    break;
  case 1:
    *called += " SetCycleType";
    PetscCall(PCHSCSetCycleType(pc, (PCHSCCycleType)r.Integer(0, 1)));
    break;
  case 2:
    *called += " SetSymmetric";
    PetscCall(PCHSCSetSymmetric(pc, PCHSC_SYMMETRIC_YES));
    break;
  case 3:
    *called += " SetPrecision";
    PetscCall(PCHSCSetPrecision(pc, (PCHSCPrecision)r.Integer(0, 1)));
    break;
  case 4:
    *called += " SetDirectSize";
    PetscCall(PCHSCSetDirectSize(pc, r.Integer(1, 300)));
    break;
  case 5:
    *called += " SetMaxLevels";
    PetscCall(PCHSCSetMaxLevels(pc, r.Integer(2, 9)));
    break;
  case 6:
    *called += " SetSweeps";
    PetscCall(PCHSCSetSweeps(pc, 1, r.Integer(1, 2)));
    break;
  case 7:
    *called += " SetTheta";
    PetscCall(PCHSCSetTheta(pc, r(), r()));
    break;
  case 8:
    *called += " SetReuse";
    PetscCall(PCHSCSetReuse(pc, (PCHSCReuse)r.Integer(0, 2)));
    break;
  case 9:
    *called += " SetReorder";
    PetscCall(PCHSCSetReorder(pc, (PCHSCReorder)r.Integer(0, 2)));
    break;
  case 10:
    *called += " SetPositive";
    PetscCall(PCHSCSetPositive(pc, (PCHSCPositive)r.Integer(0, 2)));
    break;
  case 11:
    Refuse(PCHSCSetSmoother(pc, (PCHSCSmoother)99));
    break;
  case 12:
    Refuse(PCHSCSetPrecision(pc, (PCHSCPrecision)2));
    break;
  default:
    Refuse(PCHSCSetReuse(pc, (PCHSCReuse)-1));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode Problem::LateOther(Random &r, std::string *called)
{
  PC pc;

  PetscFunctionBeginUser;
  PetscCall(KSPGetPC(ksp, &pc));
  if (setup.type == 'p') {
    *called += " SetMmax SetResidualReplacement";
    PetscCall(KSPPSDOSetMmax(ksp, r.Integer(0, 6)));
    PetscCall(KSPPSDOSetResidualReplacement(ksp, r.Integer(0, 5)));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  switch (r.Integer(0, 4)) {
  case 0:
    *called += " SetLevels";
    PetscCall(PCNeuralSetLevels(pc, r.Integer(0, 3)));
    break;
  case 1:
    *called += " SetMask";
    PetscCall(PCNeuralSetMask(pc, (PCNeuralMask)r.Integer(0, 3)));
    break;
  case 2:
    *called += " SetScaling";
    PetscCall(PCNeuralSetScaling(pc, (PCNeuralScaling)r.Integer(1, 2)));
    break;
  case 3:
    Refuse(PCNeuralSetMask(pc, (PCNeuralMask)99));
    break;
  default:
    Refuse(PCNeuralSetScaling(pc, (PCNeuralScaling)3));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

std::string Problem::CallLate(Random &r, const System &s, std::string *called)
{
  PetscErrorCode code = (PetscErrorCode)0;

  if (!ready) return "";
  if (setup.type == 's')
    code = LateSchwarzSchur(r, s, called);
  else if (setup.type == 'h')
    code = LateHsc(r, called);
  else
    code = LateOther(r, called);
  /* An error is an honest answer to a call that comes too late */
  if (code) *called += "(error)";
  return called->find("ACCEPTED") != std::string::npos ? *called : "";
}

} // namespace differential
