static char help[] = "Random sparse symmetric matrices and options, see stress.h; what hsc makes of them is counted.\n\
  -matrices <400>, -seed <1>\n\
  -only k: this one alone, with what is wrong\n\n";

#include "stress.h"

int main(int argc, char **argv)
{
  PetscInt  nmatrix = 400, seed = 1, only = -1, count[4] = {0, 0, 0, 0};
  PetscBool show = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-matrices", &nmatrix, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-seed", &seed, NULL));
  PetscCall(PetscOptionsGetInt(NULL, NULL, "-only", &only, NULL));
  PetscCall(PetscOptionsGetBool(NULL, NULL, "-show", &show, NULL));
  for (PetscInt k = 0; k < nmatrix; k++) {
    StressBytes          random = {NULL, NULL, (uint64_t)(seed * 100003 + k)};
    std::vector<uint8_t> bytes(12 + (size_t)(random.Random() * 60));
    StressResult         result;

    if (only >= 0 && k != only) continue;
    for (uint8_t &b : bytes) b = (uint8_t)(256 * random.Random());
    PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
    PetscErrorCode code = StressTry(bytes.data(), bytes.size(), &result);
    PetscCall(PetscPopErrorHandler());
    PetscCheck(!code, PETSC_COMM_SELF, PETSC_ERR_PLIB, "Matrix %" PetscInt_FMT " cannot be made", k);
    count[result.outcome]++;
    if (result.outcome == StressResult::WRONG) PetscCall(PetscPrintf(PETSC_COMM_SELF, "matrix %" PetscInt_FMT ": %s\n", k, result.text));
  }
  if (show) PetscCall(PetscPrintf(PETSC_COMM_SELF, "%" PetscInt_FMT " solved, %" PetscInt_FMT " with a reason, %" PetscInt_FMT " with an error\n", count[0], count[1], count[2]));
  if (only < 0 && (count[0] < nmatrix / 5 || count[2] > nmatrix / 2)) PetscCall(PetscPrintf(PETSC_COMM_SELF, "few matrices are solved\n"));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "done\n"));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: double !complex

  test:
    output_file: output/ex1_1.out
    args: -matrices 1000 -seed {{1 2 3}}

TEST*/
