static char help[] = "Solves with PCNEURAL after something has been made wrong, and prints the error or how the solver ended.\n\
  -wrong NAME: what is wrong\n\
  -cases FILE: lines of names and options, each tried in turn\n\n";

#include <petlap.h>
#include <petscdmda.h>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>

/* Only the first report of an error carries its text */
static PetscErrorCode Handler(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType type, const char *message, void *text)
{
  if (type == PETSC_ERROR_INITIAL && message) *(std::string *)text = message;
  return code;
}

static PetscErrorCode Nothing(Mat, Vec x, Vec y)
{
  return VecCopy(x, y);
}

static PetscErrorCode Add(Mat A, PetscInt i, PetscInt j, PetscReal v)
{
  PetscFunctionBeginUser;
  PetscCall(MatSetValue(A, i, j, v, ADD_VALUES));
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A pool of 10 by 9 cells, the upper three rows of which are air; with fluid only, rows are those of the fluid */
static PetscErrorCode Run(const std::string &wrong, KSPConvergedReason *reason)
{
  const PetscInt n[2] = {10, 9}, depth = 6;
  DM             dm, other             = nullptr;
  Mat            A, B;
  Vec            b, x, labels;
  KSP            ksp;
  PC             pc;
  PetscInt       rows = n[0] * (wrong.compare(0, 5, "fluid") == 0 ? depth : n[1]);
  const bool     line = wrong == "line", periodic = wrong == "periodic", two = wrong == "dof", image = wrong.compare(0, 5, "image") == 0 || (wrong.compare(0, 5, "fluid") == 0 && wrong != "fluid_only") || wrong == "shell_image";

  PetscFunctionBeginUser;
  if (line)
    PetscCall(DMDACreate1d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, n[0] * n[1], 1, 1, nullptr, &dm));
  else
    PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, periodic ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE, DMDA_STENCIL_BOX, n[0], two ? 5 : n[1], PETSC_DECIDE, PETSC_DECIDE, two ? 2 : 1, 1, nullptr, nullptr, &dm));
  PetscCall(DMSetUp(dm));
  if (two) rows = 100;
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, rows, wrong == "rectangle" ? rows + 1 : rows, 12, nullptr, &A));
  PetscCall(MatSetOption(A, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
  for (PetscInt i = 0; i < rows; i++) {
    const PetscInt at[2] = {i % n[0], i / n[0]}, next[4] = {at[0] > 0 ? i - 1 : -1, at[0] < n[0] - 1 ? i + 1 : -1, at[1] > 0 ? i - n[0] : -1, i + n[0]};
    PetscReal      diagonal = 0.0;

    if (wrong == "diagonal" || (at[1] >= depth && wrong != "box"))
      diagonal = 1.0;
    else {
      for (PetscInt j : next) {
        if (j < 0 || (wrong == "box" && j >= rows)) continue;
        diagonal += 1.0;
        if (j < rows && (j < depth * n[0] || wrong == "box")) PetscCall(MatSetValue(A, i, j, -1.0, ADD_VALUES));
      }
    }
    PetscCall(MatSetValue(A, i, i, diagonal, ADD_VALUES));
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  if (wrong == "nan") PetscCall(Add(A, 41, 41, NAN));
  if (wrong == "nan_off") PetscCall(Add(A, 41, 42, NAN));
  if (wrong == "inf") PetscCall(Add(A, 41, 42, -INFINITY));
  if (wrong == "far") PetscCall(Add(A, 41, 23, -1.0));
  if (wrong == "corner") PetscCall(Add(A, 41, 32, -0.5));
  if (wrong == "positive") PetscCall(Add(A, 41, 42, 3.0));
  if (wrong == "zero_diagonal") PetscCall(Add(A, 41, 41, -4.0));
  if (wrong == "fraction") PetscCall(Add(A, 41, 41, 0.4));
  if (wrong == "contradiction") {
    /* Two cells say different things of what is between them */
    PetscCall(MatZeroEntries(A));
    for (PetscInt i = 0; i < rows; i++) PetscCall(Add(A, i, i, 1.0));
    PetscCall(Add(A, 0, 1, -1.0));
    PetscCall(Add(A, 1, 0, -1.0));
    PetscCall(Add(A, 3, 4, -1.0));
    PetscCall(Add(A, 4, 3, -1.0));
    PetscCall(Add(A, 1, 1, 3.0));
  }
  if (wrong == "unassembled") PetscCall(MatSetValue(A, 3, 3, 1.0, ADD_VALUES));
  if (wrong == "negative") PetscCall(MatScale(A, -1.0));
  if (wrong == "shell" || wrong == "shell_image") {
    PetscCall(MatCreateShell(PETSC_COMM_SELF, rows, rows, rows, rows, nullptr, &B));
    PetscCall(MatShellSetOperation(B, MATOP_MULT, (void (*)(void))Nothing));
    PetscCall(MatDestroy(&A));
    A = B;
  }
  if (wrong != "no_grid" && (wrong.compare(0, 5, "fluid") || wrong == "fluid_only")) PetscCall(MatSetDM(A, dm));
  PetscCall(DMCreateGlobalVector(dm, &labels));
  if (!two && !line) {
    for (PetscInt i = 0; i < n[0] * n[1]; i++) PetscCall(VecSetValue(labels, i, wrong == "image_dry" ? 0.0 : i < depth * n[0] ? 1.0 : 0.0, INSERT_VALUES));
    /* Walls in place of air, everywhere or in one cell; and as much fluid at another place */
    for (PetscInt i = depth * n[0]; i < n[0] * n[1]; i++) {
      if (wrong == "image_walls" || wrong == "fluid_walls" || ((wrong == "image_wall" || wrong == "fluid_wall") && i == depth * n[0] + 5)) PetscCall(VecSetValue(labels, i, 2.0, INSERT_VALUES));
    }
    if (wrong == "fluid_moved") {
      PetscCall(VecSetValue(labels, 41, 0.0, INSERT_VALUES));
      PetscCall(VecSetValue(labels, 65, 1.0, INSERT_VALUES));
    }
    for (PetscInt i = 0; i < n[0] && wrong == "fluid_risen"; i++) {
      PetscCall(VecSetValue(labels, i, 0.0, INSERT_VALUES));
      PetscCall(VecSetValue(labels, depth * n[0] + i, 1.0, INSERT_VALUES));
    }
    if (wrong == "image_number") PetscCall(VecSetValue(labels, 41, 3.0, INSERT_VALUES));
    if (wrong == "image_nan") PetscCall(VecSetValue(labels, 41, NAN, INSERT_VALUES));
    if (wrong == "image_other") PetscCall(VecSetValue(labels, 41, 2.0, INSERT_VALUES));
    if (wrong == "fluid_missing") PetscCall(VecSetValue(labels, 41, 2.0, INSERT_VALUES));
    PetscCall(VecAssemblyBegin(labels));
    PetscCall(VecAssemblyEnd(labels));
  }
  if (wrong == "image_size") {
    PetscCall(VecDestroy(&labels));
    PetscCall(VecCreateSeq(PETSC_COMM_SELF, 17, &labels));
    PetscCall(VecSet(labels, 1.0));
  }
  if (wrong == "image_grid") {
    PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, 7, 8, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &other));
    PetscCall(DMSetUp(other));
    PetscCall(VecDestroy(&labels));
    PetscCall(DMCreateGlobalVector(other, &labels));
    PetscCall(VecSet(labels, 1.0));
  }
  PetscCall(KSPCreate(PETSC_COMM_WORLD, &ksp));
  PetscCall(KSPSetType(ksp, KSPPSDO));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, PCNEURAL));
  if (image) PetscCall(PCNeuralSetImage(pc, other ? other : dm, labels));
  if (wrong == "half_image") PetscCall(PCNeuralSetImage(pc, dm, nullptr));
  if (wrong == "mask_number") PetscCall(PCNeuralSetMask(pc, (PCNeuralMask)9));
  if (wrong == "scaling_number") PetscCall(PCNeuralSetScaling(pc, (PCNeuralScaling)7));
  if (wrong == "precision_number") PetscCall(PCNeuralSetPrecision(pc, (PCNeuralPrecision)4));
  if (wrong == "backend_number") PetscCall(PCNeuralSetBackend(pc, (PetlapBackend)5));
  if (wrong == "early") {
    PetscInt count;

    PetscCall(PCNeuralGetParameters(pc, &count, nullptr));
  }
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecSet(b, 1.0));
  if (wrong == "rhs_nan") PetscCall(VecSetValue(b, 41, NAN, INSERT_VALUES));
  if (wrong == "box") {
    PetscCall(VecSetValue(b, 0, 1.0 - rows, INSERT_VALUES));
  }
  PetscCall(VecAssemblyBegin(b));
  PetscCall(VecAssemblyEnd(b));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, reason));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&labels));
  PetscCall(MatDestroy(&A));
  PetscCall(DMDestroy(&dm));
  PetscCall(DMDestroy(&other));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Try(const char name[])
{
  std::string        text;
  char               wrong[64] = "";
  KSPConvergedReason reason    = KSP_CONVERGED_ITERATING;
  PetscErrorCode     code;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-wrong", wrong, sizeof(wrong), nullptr));
  PetscCall(PetscPushErrorHandler(Handler, &text));
  code = Run(wrong, &reason);
  PetscCall(PetscPopErrorHandler());
  if (code)
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%serror %d: %s\n", name, (int)code, text.c_str()));
  else
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s%s\n", name, KSPConvergedReasons[reason]));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  char      file[PETSC_MAX_PATH_LEN], line[2048];
  PetscBool set;

  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-cases", file, sizeof(file), &set));
  if (set) {
    FILE *cases = fopen(file, "r");

    PetscCheck(cases, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "%s cannot be read", file);
    while (fgets(line, sizeof(line), cases)) {
      char *options = strchr(line, ':');

      line[strcspn(line, "\n")] = 0;
      PetscCheck(options, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s", line);
      PetscCall(PetscOptionsClear(nullptr));
      PetscCall(PetscOptionsInsertString(nullptr, options + 1));
      strcpy(options, ": ");
      PetscCall(Try(line));
    }
    fclose(cases);
    PetscCall(PetscOptionsClear(nullptr));
  } else {
    PetscCall(Try(""));
  }
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex petlap

  testset:
    test:
      suffix: view
      args: -wrong image -pc_neural_weights analytic -ksp_view
      filter: sed -n -E "/PC Object/,/linear system/p" | sed -E -e "/(memory|linear system)/d"
    test:
      suffix: view_options
      args: -pc_neural_weights analytic -pc_neural_mask fluid -pc_neural_levels 3 -pc_neural_scaling diagonal -ksp_view
      filter: sed -n -E "/PC Object/,/linear system/p" | sed -E -e "/(memory|linear system)/d"
    test:
      suffix: help
      args: -help
      filter: grep -E "^ *-pc_neural|Neural precond" | sed -E -e "s,: +,: ," -e "s,: <, <," -e "s,<now ,<," -e "s, : formerly , : ," -e "s,OptionsGetViewer,OptionsCreateViewer,"
    test:
      suffix: citations
      args: -pc_neural_weights analytic -citations
      filter: grep -A 5 lan2024

TEST*/
