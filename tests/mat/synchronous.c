/*
  Linked into a program, makes MPI as slow to let go as it may be: a send does not end before its receive has begun, and no rank leaves a collective call before all have come to it. What only works because MPI
  keeps a message for later then hangs. Calls of PETSc and of petlap come here too.
*/
#define OMPI_SKIP_MPICXX  1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

/* How many calls came here */
long synchronous_calls = 0;

int MPI_Send(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
  synchronous_calls++;
  return PMPI_Ssend(buffer, count, type, to, tag, comm);
}

int MPI_Isend(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request)
{
  synchronous_calls++;
  return PMPI_Issend(buffer, count, type, to, tag, comm, request);
}

int MPI_Send_init(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request)
{
  synchronous_calls++;
  return PMPI_Ssend_init(buffer, count, type, to, tag, comm, request);
}

int MPI_Sendrecv(const void *out, int outcount, MPI_Datatype outtype, int to, int outtag, void *in, int incount, MPI_Datatype intype, int from, int intag, MPI_Comm comm, MPI_Status *status)
{
  MPI_Request request;
  int         received, sent;

  synchronous_calls++;
  sent = PMPI_Issend(out, outcount, outtype, to, outtag, comm, &request);
  if (sent) return sent;
  received = PMPI_Recv(in, incount, intype, from, intag, comm, status);
  sent     = PMPI_Wait(&request, MPI_STATUS_IGNORE);
  return received ? received : sent;
}

static int Meet(MPI_Comm comm)
{
  synchronous_calls++;
  return PMPI_Barrier(comm);
}

int MPI_Bcast(void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
  const int failed = Meet(comm);
  return failed ? failed : PMPI_Bcast(buffer, count, type, root, comm);
}

int MPI_Reduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm)
{
  const int failed = Meet(comm);
  return failed ? failed : PMPI_Reduce(in, out, count, type, op, root, comm);
}

int MPI_Allreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
  const int failed = Meet(comm);
  return failed ? failed : PMPI_Allreduce(in, out, count, type, op, comm);
}

int MPI_Scan(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
  const int failed = Meet(comm);
  return failed ? failed : PMPI_Scan(in, out, count, type, op, comm);
}

int MPI_Gather(const void *in, int incount, MPI_Datatype intype, void *out, int outcount, MPI_Datatype outtype, int root, MPI_Comm comm)
{
  const int failed = Meet(comm);
  return failed ? failed : PMPI_Gather(in, incount, intype, out, outcount, outtype, root, comm);
}

int MPI_Gatherv(const void *in, int incount, MPI_Datatype intype, void *out, const int counts[], const int offsets[], MPI_Datatype outtype, int root, MPI_Comm comm)
{
  const int failed = Meet(comm);
  return failed ? failed : PMPI_Gatherv(in, incount, intype, out, counts, offsets, outtype, root, comm);
}

int MPI_Scatter(const void *in, int incount, MPI_Datatype intype, void *out, int outcount, MPI_Datatype outtype, int root, MPI_Comm comm)
{
  const int failed = Meet(comm);
  return failed ? failed : PMPI_Scatter(in, incount, intype, out, outcount, outtype, root, comm);
}

int MPI_Scatterv(const void *in, const int counts[], const int offsets[], MPI_Datatype intype, void *out, int outcount, MPI_Datatype outtype, int root, MPI_Comm comm)
{
  const int failed = Meet(comm);
  return failed ? failed : PMPI_Scatterv(in, counts, offsets, intype, out, outcount, outtype, root, comm);
}

int MPI_Allgather(const void *in, int incount, MPI_Datatype intype, void *out, int outcount, MPI_Datatype outtype, MPI_Comm comm)
{
  const int failed = Meet(comm);
  return failed ? failed : PMPI_Allgather(in, incount, intype, out, outcount, outtype, comm);
}

int MPI_Allgatherv(const void *in, int incount, MPI_Datatype intype, void *out, const int counts[], const int offsets[], MPI_Datatype outtype, MPI_Comm comm)
{
  const int failed = Meet(comm);
  return failed ? failed : PMPI_Allgatherv(in, incount, intype, out, counts, offsets, outtype, comm);
}
