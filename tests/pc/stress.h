#pragma once

#include <petscksp.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

/*
  A sparse symmetric matrix and options from bytes, solved with hsc. The solver must converge to what it says, or give a reason or an error; Laplacians
  with weights that are not too far apart, and right-hand sides that have a solution, it must solve.

  Bytes: size, graph, values, diagonal, eight for options, then edges of three bytes each: two vertices and a value
*/
struct StressResult {
  enum { SOLVED, REASON, ERROR, WRONG } outcome = WRONG;
  char text[256]                                = ""; /* what is wrong */
};

struct StressBytes {
  const uint8_t *p, *end;
  uint64_t       state;

  unsigned Byte()
  {
    return p < end ? *p++ : 0;
  }
  /* In [0, 1) */
  double Random()
  {
    state += 0x9e3779b97f4a7c15ull;
    uint64_t z = state;
    z          = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z          = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
  }
};

static inline double StressWeight(StressBytes &in, unsigned kind, unsigned value)
{
  static const double special[] = {0.0, -0.0, 5e-324, 1e-310, 2.3e-308, 1e-200, 1e-38, 1e-45, 1e38, 1e200, 1e308, 1.7e308, INFINITY, NAN, 1.0, 1e-16};
  const double        r         = value ? value / 256.0 : in.Random();

  switch (kind % 8) {
  case 0:
    return 1.0;
  case 1:
  case 2:
    return 0.1 + r;
  case 3: /* some are positive entries */
    return r < 0.1 ? -r : r;
  case 4:
    return 2.0 * r - 1.0;
  case 5:
    return std::pow(10.0, 60.0 * r - 30.0);
  case 6:
    return std::pow(10.0, 600.0 * r - 300.0);
  default:
    return special[(unsigned)(r * 255.99) % (sizeof(special) / sizeof(*special))] * (r > 0.9 ? -1.0 : 1.0);
  }
}

static inline PetscErrorCode StressSolve(KSP ksp, Mat A, Vec b, Vec x, KSPConvergedReason *reason)
{
  PetscFunctionBeginUser;
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(KSPSolve(ksp, b, x));
  PetscCall(KSPGetConvergedReason(ksp, reason));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Options of hsc and the method */
static inline PetscErrorCode StressOptions(StressBytes &in, char text[], size_t length)
{
  static const char *const positive[] = {"compensate", "drop", "lump", "error"}, *const reorder[] = {"auto", "none", "bfs"}, *const symmetric[] = {"auto", "no", "yes", "auto"};
  unsigned o[8];

  PetscFunctionBeginUser;
  for (unsigned &v : o) v = in.Byte();
  PetscCall(PetscSNPrintf(text, length,
                          "-ksp_type %s -pc_hsc_smoother %s -pc_hsc_cycle %s -pc_hsc_coloring %s -pc_hsc_precision %s -pc_hsc_direct_size %u -pc_hsc_max_levels %u -pc_hsc_positive %s -pc_hsc_reorder %s "
                          "-pc_hsc_symmetric %s -pc_hsc_pre %u -pc_hsc_post %u -pc_hsc_compensate %u -pc_hsc_dmin %u -pc_hsc_theta %g -pc_hsc_theta_finest %g -pc_hsc_symmetrize %u -pc_hsc_shift %g",
                          o[0] & 1 ? "cg" : "fcg", o[0] & 2 ? "jacobi" : "gs", o[0] & 4 ? "w" : "v", o[0] & 8 ? "paper" : "greedy", o[0] & 16 ? "double" : "single", o[1] ? 1 + o[1] / (o[0] & 32 ? 1 : 16) : 256, o[2] ? o[2] % 80 : 64,
                          positive[o[3] % 4], reorder[o[4] % 3], symmetric[o[4] / 4 % 4], o[5] % 3, (o[5] / 4 % 3 + 1) % 3, o[5] < 200, o[6] % 8 == 7 ? o[6] / 8 : 0, o[7] % 4 ? 0.99 : o[7] / 128.0, o[7] % 4 ? 1.0 : o[7] / 200.0, o[6] % 4 == 1,
                          o[6] % 16 == 9 ? 0.01 * o[6] : 0.0));
  PetscFunctionReturn((PetscErrorCode)0);
}

static inline PetscErrorCode StressTry(const uint8_t *data, size_t length, StressResult *result)
{
  StressBytes                                     in    = {data, data + length, 1};
  const PetscInt                                  n     = 1 + (PetscInt)in.Byte() % 200;
  const unsigned                                  graph = in.Byte(), values = in.Byte(), diagonal = in.Byte();
  std::map<std::pair<PetscInt, PetscInt>, double> entry;
  std::vector<double>                             d(n, 0.0);
  char                                            options[1024];
  Mat                                             A;
  Vec                                             x, b, u, r;
  KSP                                             ksp;
  PC                                              pc;
  PetscErrorCode                                  code;
  KSPConvergedReason                              reason = KSP_CONVERGED_ITERATING;
  PetscReal                                       norm, residual, size;
  std::vector<PetscInt>                           nnz(n, 1);

  PetscFunctionBeginUser;
  for (size_t k = 0; k < length; k++) in.state = in.state * 1099511628211ull + data[k];
  PetscCall(StressOptions(in, options, sizeof(options)));
  auto link = [&](PetscInt i, PetscInt j, unsigned value) {
    if (i != j && i >= 0 && j >= 0 && i < n && j < n) entry[std::make_pair(std::min(i, j), std::max(i, j))] = -StressWeight(in, values, value);
  };
  switch (graph % 8) {
  case 0: /* the edges that follow, and nothing else */
    break;
  case 1:
    for (PetscInt i = 1; i < n; i++) link(i, i - 1, 0);
    break;
  case 2: {
    const PetscInt m = 1 + graph / 8;

    for (PetscInt i = 0; i < n; i++) {
      if (i % m) link(i, i - 1, 0);
      link(i, i - m, 0);
      if (diagonal & 64) link(i, i - m - 1, 0);
    }
  } break;
  case 3:
    for (PetscInt i = 1; i < n; i++) link(i, graph & 8 ? 0 : (PetscInt)(in.Random() * (double)i), 0);
    break;
  case 4:
    for (PetscInt i = 0; i < n && i < 60; i++) {
      for (PetscInt j = 0; j < i; j++) link(i, j, 0);
    }
    break;
  default:
    for (PetscInt k = 0; k < n * (1 + (PetscInt)graph / 64); k++) link((PetscInt)(in.Random() * (double)n), (PetscInt)(in.Random() * (double)n), 0);
    break;
  }
  while (in.p < in.end) {
    const PetscInt i = (PetscInt)in.Byte() % n, j = (PetscInt)in.Byte() % n;

    link(i, j, in.Byte());
  }
  /* Sums of rows: none, some, all, or anything */
  for (const auto &e : entry) {
    d[e.first.first] -= e.second;
    d[e.first.second] -= e.second;
    nnz[e.first.first]++;
    nnz[e.first.second]++;
  }
  for (PetscInt i = 0; i < n; i++) {
    switch (diagonal % 8) {
    case 0:
      break;
    case 1:
      if (i % 7 == 0) d[i] += 0.5;
      break;
    case 2:
      d[i] += 0.1 + in.Random();
      break;
    case 3:
      d[i] += 1e-9 * in.Random();
      break;
    case 4: /* no longer diagonally dominant */
      d[i] *= 0.97;
      break;
    case 5:
      d[i] = StressWeight(in, values, 0);
      break;
    case 6:
      if (i % 9 == 3) d[i] = 0.0;
      break;
    default:
      d[i] = std::abs(d[i]) * (in.Random() < 0.02 ? -1.0 : 1.0);
    }
  }
  const double sign = diagonal & 16 ? -1.0 : 1.0;
  /* A cycle that was told not to be symmetric is for methods that do not need it */
  const bool lopsided = strstr(options, "-ksp_type cg") && strstr(options, "-pc_hsc_symmetric no");
  bool       finite = true, easy = values % 8 < 3 && diagonal % 8 < 4 && !lopsided && strstr(options, "-pc_hsc_cycle v") && strstr(options, "-pc_hsc_compensate 1") && !strstr(options, "-pc_hsc_pre 0 -pc_hsc_post 0");

  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, n, n, 0, nnz.data(), &A));
  for (PetscInt i = 0; i < n; i++) {
    if (diagonal & 32 && d[i] == 0.0) continue; /* empty rows */
    finite = finite && std::isfinite(d[i]);
    PetscCall(MatSetValue(A, i, i, sign * d[i], INSERT_VALUES));
  }
  for (const auto &e : entry) {
    finite = finite && std::isfinite(e.second);
    PetscCall(MatSetValue(A, e.first.first, e.first.second, sign * e.second, INSERT_VALUES));
    PetscCall(MatSetValue(A, e.first.second, e.first.first, sign * e.second, INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatCreateVecs(A, &x, &b));
  PetscCall(VecDuplicate(x, &u));
  PetscCall(VecDuplicate(x, &r));
  for (PetscInt i = 0; i < n; i++) PetscCall(VecSetValue(u, i, in.Random() - 0.5, INSERT_VALUES));
  PetscCall(VecAssemblyBegin(u));
  PetscCall(VecAssemblyEnd(u));
  if (diagonal & 128) {
    PetscCall(VecCopy(u, b));
    easy = easy && (diagonal % 8 == 2);
  } else
    PetscCall(MatMult(A, u, b));
  PetscCall(KSPCreate(PETSC_COMM_SELF, &ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCSetType(pc, "hsc"));
  PetscCall(KSPSetNormType(ksp, KSP_NORM_UNPRECONDITIONED));
  /* A W cycle over many levels that hardly shrink takes long, above all under sanitizers */
  PetscCall(KSPSetTolerances(ksp, 1e-8, 1e-300, 1e10, strstr(options, "-pc_hsc_cycle w") ? 40 : 300));
  PetscCall(PetscOptionsInsertString(NULL, options));
  code = KSPSetFromOptions(ksp);
  if (!code) code = StressSolve(ksp, A, b, x, &reason);
  if (code) {
    const bool known = code == PETSC_ERR_ARG_WRONG || code == PETSC_ERR_FP || code == PETSC_ERR_SUP;

    result->outcome = known && !(easy && !strstr(options, "-pc_hsc_positive error")) ? StressResult::ERROR : StressResult::WRONG;
    if (!finite) result->outcome = StressResult::WRONG;
    if (result->outcome == StressResult::WRONG) PetscCall(PetscSNPrintf(result->text, sizeof(result->text), "error %d", (int)code));
  } else if (!finite && reason == KSP_DIVERGED_PC_FAILED) {
    result->outcome = StressResult::REASON;
  } else if (!finite) {
    PetscCall(PetscSNPrintf(result->text, sizeof(result->text), "a matrix with NaN or Inf is taken: %s", KSPConvergedReasons[reason]));
  } else if (reason > 0) {
    PetscCall(MatMult(A, x, r));
    PetscCall(VecAXPY(r, -1.0, b));
    PetscCall(VecNorm(r, NORM_INFINITY, &residual));
    PetscCall(VecNorm(b, NORM_INFINITY, &norm));
    PetscCall(VecNorm(x, NORM_INFINITY, &size));
    /* The recursion for the residual may leave the true one where the matrix is far from definite; NaN is never a solution */
    if (!std::isfinite(size))
      PetscCall(PetscSNPrintf(result->text, sizeof(result->text), "converged, and the solution is %g", (double)size));
    else if (easy && !(residual <= 1e-6 * norm + 1e-290))
      PetscCall(PetscSNPrintf(result->text, sizeof(result->text), "converged, and the residual is %g of %g", (double)residual, (double)norm));
    else
      result->outcome = StressResult::SOLVED;
  } else if (reason == 0 || easy) {
    PetscInt its;

    PetscCall(KSPGetIterationNumber(ksp, &its));
    PetscCall(PetscSNPrintf(result->text, sizeof(result->text), "%s after %" PetscInt_FMT " iterations", KSPConvergedReasons[reason], its));
  } else
    result->outcome = StressResult::REASON;
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&u));
  PetscCall(VecDestroy(&r));
  PetscFunctionReturn((PetscErrorCode)0);
}
