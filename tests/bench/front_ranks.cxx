/*
  Speed of a front that is spread over ranks: bench_front_ranks -m <unknowns of the separator> -r <of the ring> -block <columns> -nrhs <vectors> -rounds <n> -cholesky -single

  Prints lines of a name and a number: Gflop/s of one rank that does the same with the kernels alone (serial), of the factorization on all ranks, seconds of the solve up and
  down, messages and MB that the busiest rank sends in the factorization. Times are those of the slowest rank, and the best of all rounds.
*/
#include "mat/schwarzschur/front_ranks.h"
#include "tests/unit/random.h"
#include <petsctime.h>
#include <algorithm>
#include <complex>
#include <cstdlib>
#include <vector>

namespace {

PetscReal Slowest(PetscReal seconds)
{
  PetscReal all = seconds;

  MPI_Allreduce(&seconds, &all, 1, MPIU_REAL, MPIU_MAX, PETSC_COMM_WORLD);
  return all;
}

/* The whole front on one rank, in the steps of a serial factorization */
template <class T>
PetscReal Serial(const FactorKernels *kernels, int m, int r, bool cholesky, Random random)
{
  const int          f = m + r, strip = std::max(48, (int)((384 << 10) / (sizeof(T) * (r + 1))) / 48 * 48);
  const FactorDense &dense = kernels->dense;
  std::vector<T>     F((size_t)f * m), Z(cholesky ? 0 : (size_t)m * r), D((size_t)r * r), work(kernels->worksize);
  std::vector<int>   pivot(m);
  PetscLogDouble     start, end;

  for (T &a : F) a = (T)(random() - 0.5);
  for (T &a : Z) a = (T)(random() - 0.5);
  for (int i = 0; i < m; i++) F[i + (size_t)i * f] += (T)f;
  PetscTime(&start);
  if (cholesky) {
    dense.cholesky(m, f, F.data(), f, work.data());
    for (int j = 0; j < r; j += strip) dense.gemm(true, r - j, std::min(strip, r - j), m, FACTOR_PLAIN, &F[m + j], f, FACTOR_TRANSPOSED, &F[m + j], f, &D[j + (size_t)j * r], r, work.data());
  } else {
    dense.lu(m, m, f, F.data(), f, pivot.data(), 0.1, 1e-40, 1, work.data());
    dense.exchange(m, r, Z.data(), m, pivot.data(), true);
    dense.trsm(false, FACTOR_PLAIN, true, m, r, F.data(), f, Z.data(), m, work.data());
    for (int j = 0; j < r; j += strip) dense.gemm(false, r, std::min(strip, r - j), m, FACTOR_PLAIN, &F[m], f, FACTOR_PLAIN, &Z[(size_t)j * m], m, &D[(size_t)j * r], r, work.data());
  }
  PetscTime(&end);
  return (PetscReal)(end - start);
}

template <class T>
PetscErrorCode Measure(const FrontRanksOptions &o, int nrhs, int rounds)
{
  const int      m = o.m, f = o.m + o.r;
  const double   M = m, R = o.r, count = (o.cholesky ? 0.5 : 1) * (2 * M * M * M / 3 + 2 * M * M * R + 2 * M * R * R) * (PetscDefined(USE_COMPLEX) ? 4 : 1) / 1e9;
  PetscReal      serial = PETSC_MAX_REAL, factor = serial, forward = serial, backward = serial;
  PetscLogDouble start, end, messages = 0, bytes = 0;
  PetscMPIInt    rank, size;
  int            code;
  FrontRanks    *F = FrontRanksCreate(&o, &code);
  std::vector<T> v((size_t)f * nrhs);

  PetscFunctionBeginUser;
  PetscCheck(F, PETSC_COMM_SELF, PETSC_ERR_MEM, "No memory for the front");
  PetscCheck(!FrontRanksReserve(F, nrhs), PETSC_COMM_SELF, PETSC_ERR_MEM, "No memory for the solves");
  std::vector<char> room(FrontRanksRoom(F));
  PetscCallMPI(MPI_Comm_rank(o.comm, &rank));
  PetscCallMPI(MPI_Comm_size(o.comm, &size));
  for (int k = 0; k < rounds; k++) {
    double replaced, ratio;
    int    failed;

    if (size == 1) serial = std::min(serial, Serial<T>(o.kernels, m, o.r, o.cholesky, {1}));
    PetscCheck(!FrontRanksZero(F), PETSC_COMM_SELF, PETSC_ERR_MEM, "No memory for the front");
    for (int j = 0; j < f; j++) {
      T     *column = (T *)FrontRanksColumn(F, j);
      Random random = {(uint64_t)j};

      for (int i = o.cholesky ? j : 0; i < f && column; i++) column[i] = (T)(random() - 0.5);
      if (column) column[j] += (T)f;
    }
    const PetscLogDouble sent = petsc_isend_ct, length = petsc_isend_len;
    PetscCallMPI(MPI_Barrier(o.comm));
    PetscCall(PetscTime(&start));
    failed = FrontRanksFactor(F, room.data(), 0, &replaced, &ratio);
    PetscCall(PetscTime(&end));
    PetscCheck(!failed, PETSC_COMM_SELF, PETSC_ERR_LIB, "The factorization failed: %d", failed);
    messages = petsc_isend_ct - sent;
    bytes    = petsc_isend_len - length;
    factor   = std::min(factor, Slowest((PetscReal)(end - start)));
    FrontRanksRelease(F);
    for (int pass = 0; pass < 3; pass++) {
      Random random = {(uint64_t)rank};

      for (T &a : v) a = (T)random();
      PetscCallMPI(MPI_Barrier(o.comm));
      PetscCall(PetscTime(&start));
      PetscCheck(!FrontRanksForward(F, FACTOR_NOTRANS, nrhs, v.data(), f), PETSC_COMM_SELF, PETSC_ERR_LIB, "The solve failed");
      PetscCall(PetscTime(&end));
      forward = std::min(forward, Slowest((PetscReal)(end - start)));
      PetscCallMPI(MPI_Barrier(o.comm));
      PetscCall(PetscTime(&start));
      PetscCheck(!FrontRanksBackward(F, FACTOR_NOTRANS, nrhs, v.data(), f), PETSC_COMM_SELF, PETSC_ERR_LIB, "The solve failed");
      PetscCall(PetscTime(&end));
      backward = std::min(backward, Slowest((PetscReal)(end - start)));
    }
  }
  if (size == 1) PetscCall(PetscPrintf(o.comm, "serial_gflops %.1f\n", count / (double)serial));
  PetscCall(PetscPrintf(o.comm, "factor_gflops %.1f\nforward_ms %.3f\nbackward_ms %.3f\nmessages %.0f\nMB %.2f\n", count / (double)factor, 1e3 * (double)forward, 1e3 * (double)backward, (double)Slowest((PetscReal)messages),
                        (double)Slowest((PetscReal)bytes) / 1e6));
  FrontRanksDestroy(F);
  PetscFunctionReturn(0);
}

} // namespace

int main(int argc, char **argv)
{
  PetscInt          m = 2048, r = 4096, block = 0, nrhs = 1, rounds = 3;
  PetscBool         cholesky = PETSC_FALSE, single = PETSC_FALSE;
  FrontRanksOptions o = {};

  PetscCall(PetscInitialize(&argc, &argv, nullptr, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-m", &m, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-r", &r, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-block", &block, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-nrhs", &nrhs, nullptr));
  PetscCall(PetscOptionsGetInt(nullptr, nullptr, "-rounds", &rounds, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-cholesky", &cholesky, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-single", &single, nullptr));
  o.comm        = PETSC_COMM_WORLD;
  o.m           = (int)m;
  o.r           = (int)r;
  o.block       = (int)block;
  o.cholesky    = cholesky;
  o.threshold   = 0.1;
  o.tiny        = 1e-40;
  o.replacement = 1;
  o.kernels     = FactorFindKernels(single, getenv("PETLAP_ISA"));
#if defined(PETSC_USE_COMPLEX)
  if (single)
    PetscCall(Measure<std::complex<float>>(o, (int)nrhs, (int)rounds));
  else
    PetscCall(Measure<std::complex<double>>(o, (int)nrhs, (int)rounds));
#else
  if (single)
    PetscCall(Measure<float>(o, (int)nrhs, (int)rounds));
  else
    PetscCall(Measure<double>(o, (int)nrhs, (int)rounds));
#endif
  PetscCall(PetscFinalize());
  return 0;
}
