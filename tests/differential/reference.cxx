#include "tests/differential/reference.h"
#include <petscblaslapack.h>
#include <algorithm>
#include <limits>

/* Not among what PETSc declares */
extern "C" void dgecon_(const char *, const PetscBLASInt *, const double *, const PetscBLASInt *, const double *, double *, double *, PetscBLASInt *, PetscBLASInt *);

namespace differential {

static const double accurate = 1e-10, singular = 1e14;

/* Powers of two that bring the mean logarithm of each row and column close to zero: in turn, until hardly anything moves */
static void Balance(const System &s, std::vector<double> *row, std::vector<double> *column)
{
  std::vector<double> r(s.n, 0.0), c(s.n, 0.0);

  for (int pass = 0; pass < 200; pass++) {
    std::vector<double> sum(s.n, 0.0), count(s.n, 0.0);
    const bool          rows  = pass % 2 == 0;
    double              moved = 0;

    for (const Entry &e : s.entry) {
      if (e.v == 0) continue;
      const PetscInt at = rows ? e.i : e.j;

      sum[at] -= std::log2(std::abs(e.v)) + (rows ? c[e.j] : r[e.i]);
      count[at] += 1;
    }
    for (PetscInt i = 0; i < s.n; i++) {
      double &old = rows ? r[i] : c[i];

      if (!(count[i] > 0)) continue;
      moved = std::max(moved, std::abs(sum[i] / count[i] - old));
      old   = sum[i] / count[i];
    }
    if (moved < 0.1) break;
  }
  for (PetscInt i = 0; i < s.n; i++) {
    (*row)[i]    = std::exp2(std::round(std::min(500.0, std::max(-500.0, r[i]))));
    (*column)[i] = std::exp2(std::round(std::min(500.0, std::max(-500.0, c[i]))));
  }
}

/* Powers of two that bring the largest entry of each row and column close to one */
static void Equilibrate(const System &s, bool balanced, std::vector<double> *row, std::vector<double> *column)
{
  row->assign(s.n, 1.0);
  column->assign(s.n, 1.0);
  if (balanced) Balance(s, row, column);
  for (int pass = 0; pass < 6; pass++) {
    std::vector<double> most(s.n, 0.0), width(s.n, 0.0);

    for (const Entry &e : s.entry) {
      const double v = std::abs(e.v) * (*row)[e.i] * (*column)[e.j];

      most[e.i]  = std::max(most[e.i], v);
      width[e.j] = std::max(width[e.j], v);
    }
    for (PetscInt i = 0; i < s.n; i++) {
      if (most[i] > 0 && std::isfinite(most[i])) (*row)[i] *= std::exp2(-std::round(0.5 * std::log2(most[i])));
      if (width[i] > 0 && std::isfinite(width[i])) (*column)[i] *= std::exp2(-std::round(0.5 * std::log2(width[i])));
    }
  }
}

/* Factors once, then solves and refines. There is more than one way to make the largest entries ones, and some are ill-conditioned. */
static Direct Lapack(const System &s, bool balanced, const std::vector<double> &b, bool transpose)
{
  const size_t              n = (size_t)s.n;
  std::vector<double>       a(n * n, 0.0), row, column, x(n, 0.0), r(n), best, work(4 * n);
  std::vector<PetscBLASInt> pivot(n), iwork(n);
  const PetscBLASInt        size = (PetscBLASInt)n, one = 1;
  PetscBLASInt              info = 0;
  double                    norm = 0, reciprocal = 0;
  Direct                    result;

  Equilibrate(s, balanced, &row, &column);
  for (const Entry &e : s.entry) a[e.i + n * e.j] += e.v * row[e.i] * column[e.j];
  for (size_t j = 0; j < n; j++) {
    double sum = 0;

    for (size_t i = 0; i < n; i++) sum += std::abs(a[i + n * j]);
    norm = std::max(norm, sum);
  }
  LAPACKgetrf_(&size, &size, a.data(), &size, pivot.data(), &info);
  if (info) return result;
  dgecon_("1", &size, a.data(), &size, &norm, &reciprocal, work.data(), iwork.data(), &info);
  result.condition = reciprocal > 0 ? 1 / reciprocal : std::numeric_limits<double>::infinity();
  for (int step = 0; step < 2; step++) {
    std::vector<long double> y;

    s.Multiply(transpose, x, y);
    for (size_t i = 0; i < n; i++) r[i] = (double)((long double)b[i] - y[i]) * (transpose ? column[i] : row[i]);
    LAPACKgetrs_(transpose ? "T" : "N", &size, &one, a.data(), &size, pivot.data(), r.data(), &size, &info);
    for (size_t i = 0; i < n; i++) x[i] += r[i] * (transpose ? row[i] : column[i]);
  }
  const Residual m = Measure(s, transpose, false, b, x);

  if (m.finite) result.backward = (double)m.backward;
  result.solved = m.finite && m.backward < accurate && result.condition < singular;
  result.x      = x;
  return result;
}

static Direct Mumps(const System &s, const std::vector<double> &b, bool transpose)
{
  Setup               setup;
  Direct              result;
  std::vector<double> r = b;

#if defined(PETSC_HAVE_MUMPS)
  setup.pc = "-pc_type lu -pc_factor_mat_solver_type mumps";
#else
  setup.pc = "-pc_type lu";
#endif
  setup.krylov = "-ksp_type preonly";
  Problem problem(PETSC_COMM_SELF, setup);
  if (problem.Create(s)) return result;
  Answer answer = problem.Solve(s, b, transpose);
  if (!answer.Converged()) return result;
  std::vector<double>      x = answer.x;
  std::vector<long double> y;
  s.Multiply(transpose, x, y);
  for (size_t i = 0; i < r.size(); i++) r[i] = (double)((long double)b[i] - y[i]);
  answer = problem.Solve(s, r, transpose);
  for (size_t i = 0; i < r.size() && answer.Converged(); i++) x[i] += answer.x[i];
  const Residual m = Measure(s, transpose, false, b, x);
  if (m.finite) result.backward = (double)m.backward;
  result.solved = m.finite && m.backward < accurate;
  result.x      = x;
  return result;
}

Direct SolveDirect(const System &s, const std::vector<double> &b, bool transpose)
{
  if (!s.Finite() || !std::all_of(b.begin(), b.end(), [](double v) { return std::isfinite(v); })) return Direct();
  if (s.n > 200) return Mumps(s, b, transpose);
  const Direct first = Lapack(s, false, b, transpose);

  if (first.solved) return first;
  const Direct second = Lapack(s, true, b, transpose);

  return second.solved ? second : first;
}

Answer SolveOther(MPI_Comm comm, const System &s, Setup setup, const std::string &krylov, const std::string &pc, const std::vector<double> &b, bool transpose)
{
  Answer failed;

  setup.type   = 'o';
  setup.krylov = krylov;
  setup.pc     = pc;
  if (setup.mattype != "aij") setup.mattype = "aij";
  Problem problem(comm, setup);
  failed.code = problem.Create(s);
  if (failed.code) return failed;
  return problem.Solve(s, b, transpose);
}

} // namespace differential
