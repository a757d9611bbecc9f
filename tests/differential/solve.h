/*
  A system as PETSc's objects, on the ranks of a communicator, and what its solver makes of it
*/
#pragma once

#include "tests/differential/system.h"

namespace differential {

/* How a case is set up, beyond its numbers */
struct Setup {
  char        type = 's'; /* s schwarzschur, h hsc, p psdo, n neural */
  std::string krylov, pc; /* options, as on a command line */
  std::string mattype = "aij";
  bool        dm = false, nullspace = false, flags = false;
  bool        nonfinite = false; /* the matrix holds NaN for a while */
  int         layout    = 0;     /* of rows over ranks: 0 even, 1 uneven, 2 the last one has none */
  uint64_t    seed      = 0;     /* of what the layout draws */

  std::string Options() const
  {
    return krylov + " " + pc;
  }
  bool Has(const char option[]) const
  {
    return (Options() + " ").find(std::string(option) + " ") != std::string::npos;
  }
};

struct Answer {
  PetscErrorCode      code = (PetscErrorCode)0;
  std::string         text; /* of the error */
  KSPConvergedReason  reason = KSP_CONVERGED_ITERATING;
  KSPNormType         norm   = KSP_NORM_DEFAULT;
  PetscInt            its = 0, most = 0; /* iterations, and how many there may be */
  bool                delayed = false;   /* schwarzschur did with pivots outside the separators, which are for the last resort */
  PetscReal           rtol    = 0;
  bool                direct  = false; /* no iterations around it that would look at the residual */
  std::vector<double> x;

  bool Converged() const
  {
    /* Some methods of PETSc call it converged when they run out of iterations */
    return !code && reason > 0 && (direct || norm == KSP_NORM_NONE || reason != KSP_CONVERGED_ITS || its < most);
  }
};

/* The text of the last error that PETSc has told */
PetscErrorCode     RememberError(MPI_Comm, int, const char *, const char *, PetscErrorCode, PetscErrorType, const char *, void *);
const std::string &LastError();
void               ForgetError();

class Problem {
public:
  Problem(MPI_Comm comm_, const Setup &setup_) : comm(comm_), setup(setup_) {}
  ~Problem();
  Problem(const Problem &)            = delete;
  Problem &operator=(const Problem &) = delete;

  /* Errors are those of the matrix, not of the solver */
  PetscErrorCode Create(const System &);
  /* Values in the same pattern, or a new matrix of the same size */
  PetscErrorCode SetValues(const System &, bool newmatrix);
  Answer         Solve(const System &, const std::vector<double> &b, bool transpose);
  /* Many columns with the factor alone */
  std::vector<Answer> SolveColumns(const System &, const std::vector<std::vector<double>> &b, bool transpose);
  /* z = M r with the preconditioner of the last solve; false where that fails */
  bool Precondition(const std::vector<double> &r, std::vector<double> *z);
  /* Public functions, called when they come late or with what they must refuse; what went wrong about them, or nothing */
  std::string CallLate(Random &, const System &, std::string *called);

private:
  PetscErrorCode CreateLayout(const System &);
  PetscErrorCode CreateDM(const System &);
  PetscErrorCode CreateMat(const System &, Mat *);
  PetscErrorCode Fill(const System &, Mat);
  PetscErrorCode SetNullSpace(const System &, Mat);
  PetscErrorCode SetUp(const System &);
  PetscErrorCode SetImage(const System &);
  PetscErrorCode Load(const std::vector<double> &, Vec);
  PetscErrorCode Gather(Vec, std::vector<double> *);
  PetscErrorCode TrySolve(const System &, const std::vector<double> &, bool, Answer *);
  PetscErrorCode TryPrecondition(const std::vector<double> &, std::vector<double> *);
  PetscErrorCode TryColumns(const System &, const std::vector<std::vector<double>> &, bool, std::vector<Answer> *);
  PetscErrorCode LateSchwarzSchur(Random &, const System &, std::string *);
  PetscErrorCode LateHsc(Random &, std::string *);
  PetscErrorCode LateOther(Random &, std::string *);

  MPI_Comm              comm;
  Setup                 setup;
  PetscOptions          options = nullptr;
  bool                  pushed = false, ready = false, broken = false; /* an error has come out of the solver */
  DM                    dm  = nullptr;
  Mat                   A   = nullptr;
  KSP                   ksp = nullptr;
  Vec                   b = nullptr, x = nullptr, labels = nullptr, all = nullptr;
  VecScatter            scatter = nullptr;
  std::vector<PetscInt> place; /* of rows of the system in the matrix */
  PetscInt              low = 0, high = 0;
};

} // namespace differential
