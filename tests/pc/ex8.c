static char help[] = "Says whether there is a preconditioner of type hsc.\n\n";

#include <petscksp.h>

int main(int argc, char **argv)
{
  PC             pc;
  PetscErrorCode code;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, NULL, help));
  PetscCall(PCCreate(PETSC_COMM_SELF, &pc));
  PetscCall(PetscPushErrorHandler(PetscReturnErrorHandler, NULL));
  code = PCSetType(pc, "hsc");
  PetscCall(PetscPopErrorHandler());
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s\n", code == PETSC_ERR_ARG_UNKNOWN_TYPE ? "unknown" : code ? "another error" : "known"));
  PetscCall(PCDestroy(&pc));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  test:
    suffix: real
    requires: !complex

  test:
    suffix: complex
    requires: complex

TEST*/
