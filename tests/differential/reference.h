/* What others make of a system: LAPACK or MUMPS directly, other preconditioners in the same method */
#pragma once

#include "tests/differential/solve.h"

namespace differential {

struct Direct {
  bool                solved    = false; /* with a small backward error, by a matrix that is not singular */
  double              backward  = -1;    /* after one step of refinement */
  double              condition = -1;    /* of the scaled matrix in the 1-norm, where it is known */
  std::vector<double> x;
};

/* On each process for itself */
Direct SolveDirect(const System &, const std::vector<double> &b, bool transpose);
/* The same solve with other options */
Answer SolveOther(MPI_Comm, const System &, Setup, const std::string &krylov, const std::string &pc, const std::vector<double> &b, bool transpose);

} // namespace differential
