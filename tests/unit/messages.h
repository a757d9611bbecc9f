/*
  MPI for one process: every rank is a thread of control of its own, of which one runs at a time, in an order that a seed chooses. A program that is linked with messages.cxx
  runs the code under test itself on any number of ranks, fast, and hears of

  - ranks that wait for each other, or for what never comes: no send ends before its receive has begun, and no collective call before all ranks have come to it;
  - messages and requests that nobody waits for, messages of another length or type than the receiver has room for, communicators that are not freed;
  - collective calls that differ among the ranks of a communicator;
  - a buffer that is written to while it is sent, or read before its message is there: data is taken when the receive begins, and handed over when it is waited for.

  Only what the fronts of MATSOLVERSCHWARZSCHUR call is there.
*/
#pragma once

/* Not MPI's own classes, and not PETSc's macros around its functions */
#if !defined(OMPI_SKIP_MPICXX)
  #define OMPI_SKIP_MPICXX 1
#endif
#if !defined(MPICH_SKIP_MPICXX)
  #define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>
#include <cstdint>
#include <functional>
#include <string>

namespace messages {

/* What a run was like; text tells of the first trouble, and is empty where there was none */
struct Result {
  bool        hang = false;
  std::string text;
  long        sends = 0, shorter = 0; /* messages, and those that did not fill their room */
  long        collectives = 0;
};

/* All ranks, in the code that Run() runs */
MPI_Comm Everyone();
/* body(rank) on size ranks. Ranks that hang are left where they are: what they own is lost. */
Result Run(int size, uint64_t seed, const std::function<void(int)> &body);
/* The rank that is running, or -1; also within calls of MPI, where it is -1 too, so that what these allocate is not the rank's */
int Running();
/* Called with the sender, the receiver (counted in all ranks) and the tag of every message; returns why they must not talk, or null */
extern std::function<const char *(int, int, int)> check;
/*
  This call of this rank, counted from 0 over a run, does its work but returns an error; rank -1 for none. Afterwards calls is how many the rank has made, and reduction tells whether the one that failed
  was its n-th MPI_Allreduce(), or is -1 for one that frees something, 0 for others.
*/
struct Fault {
  int  rank = -1;
  long call = 0, calls = 0, reductions = 0, reduction = 0;
};
extern Fault fault;

} // namespace messages
