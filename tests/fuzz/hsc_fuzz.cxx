/* Fuzz target for -pc_type hsc: matrices and options from bytes, see tests/pc/stress.h */
#include "petlap.h"
#include "tests/pc/stress.h"
#include <sanitizer/lsan_interface.h>

/* MPI keeps memory until the process ends */
extern "C" const char *__lsan_default_suppressions(void)
{
  return "leak:libmpi\nleak:libopen-\nleak:libpmix\nleak:libhwloc\nleak:libevent\nleak:mca_\n";
}

static void Expect(bool good, const char *what)
{
  if (good) return;
  fprintf(stderr, "hsc_fuzz: %s\n", what);
  abort();
}

extern "C" int LLVMFuzzerInitialize(int *, char ***)
{
  char name[] = "hsc_fuzz", quiet[] = "-no_signal_handler", plain[] = "-skip_petscrc", *args[] = {name, quiet, plain, nullptr}, **a = args;
  int  n = 3;

  /* Some of MPI's plug-ins are closed again, and then nobody knows whose memory it was */
  __lsan_disable();
  Expect(!PetscInitialize(&n, &a, nullptr, nullptr), "PetscInitialize() failed");
  Expect(!PetscPushErrorHandler(PetscReturnErrorHandler, nullptr), "PETSc does not take an error handler");
  Expect(!PetlapInitialize(), "PetlapInitialize() failed");
  __lsan_enable();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
  StressResult result;

  Expect(!StressTry(data, n, &result), "the matrix cannot be made");
  Expect(result.outcome != StressResult::WRONG, result.text);
  return 0;
}
