static char help[] = "Loads a system with PetlapLoadSystem() and prints what was loaded, or the error without places and folders.\n\
  -f <file>\n\n";

#include <petlap.h>
#include <petscdmda.h>
#include <cstring>
#include <string>

/* Only the first report of an error carries its text; the functions it passes on its way add nothing that a user's file has to do with */
static PetscErrorCode Handler(MPI_Comm, int, const char *, const char *, PetscErrorCode code, PetscErrorType type, const char *message, void *text)
{
  if (type == PETSC_ERROR_INITIAL && message) *(std::string *)text = message;
  return code;
}

int main(int argc, char **argv)
{
  Mat            A = nullptr;
  Vec            b = nullptr, x = nullptr;
  char           file[PETSC_MAX_PATH_LEN];
  PetscBool      set;
  std::string    text;
  PetscErrorCode code;

  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-f", file, sizeof(file), &set));
  PetscCheck(set, PETSC_COMM_WORLD, PETSC_ERR_USER_INPUT, "Give a file with -f");
  PetscCall(PetscPushErrorHandler(Handler, &text));
  code = PetlapLoadSystem(PETSC_COMM_WORLD, file, &A, &b, &x);
  PetscCall(PetscPopErrorHandler());
  if (code) {
    const char *slash = strrchr(file, '/');

    if (slash) {
      const std::string folder(file, slash + 1 - file);

      for (size_t at; (at = text.find(folder)) != std::string::npos;) text.erase(at, folder.size());
    }
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "error %d: %s\n", (int)code, text.c_str()));
  } else {
    DM        dm;
    PetscInt  n;
    PetscReal norm, bnorm = 0.0;
    Vec       labels;
    MatInfo   info;

    PetscCall(MatGetSize(A, &n, nullptr));
    PetscCall(MatGetInfo(A, MAT_GLOBAL_SUM, &info));
    PetscCall(MatNorm(A, NORM_FROBENIUS, &norm));
    PetscCall(MatGetDM(A, &dm));
    if (b) PetscCall(VecNorm(b, NORM_2, &bnorm));
    PetscCall(PetscObjectQuery((PetscObject)A, "PetlapImage", (PetscObject *)&labels));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "loaded: %d rows, %.0f entries, norm %.2f", (int)n, info.nz_used, (double)norm));
    if (b) PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", b %.2f", (double)bnorm));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s%s%s\n", x ? ", x" : "", dm ? ", grid" : "", labels ? ", labels" : ""));
  }
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(PetscFinalize());
  return 0;
}
