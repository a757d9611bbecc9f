/*
  One case: a system, options and a sequence of solves, drawn from numbers, and the verdict on what comes out
*/
#pragma once

#include "tests/differential/families.h"
#include "tests/differential/solve.h"

namespace differential {

enum Verdict { RIGHT, ASPEER, LOOSE, HONEST, INACCURATE, WRONG };
extern const char *const VerdictNames[];

struct CaseNumbers {
  char                     type; /* s, h, p or n */
  uint64_t                 seed;
  PetscInt                 number, most;
  std::vector<std::string> families; /* that it is drawn from; all if there is none */
  std::vector<std::string> files;    /* further ones */
  bool                     verbose;
  std::string              options; /* put behind those that are drawn */
};

struct CaseResult {
  Verdict     verdict    = RIGHT;
  bool        peer       = false; /* an honest failure where others solve */
  PetscInt    iterations = 0;     /* of all solves */
  std::string family, text, line;
};

/* What the case is told to the outside before anything can crash: its family and its line, and where it is now */
typedef void (*CaseReport)(const char what[], const std::string &text);

PetscErrorCode RunCase(MPI_Comm, const CaseNumbers &, CaseReport, CaseResult *);

} // namespace differential
