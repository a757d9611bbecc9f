#include "tests/differential/system.h"
#include <algorithm>
#include <limits>
#include <numeric>

namespace differential {

/* Sorts the entries, adds those of the same place, and finds the rows */
void System::Assemble()
{
  std::vector<Entry>  sorted(entry.size());
  std::vector<size_t> count(n + 1, 0);
  size_t              used = 0;

  for (const Entry &e : entry) count[e.i + 1]++;
  std::partial_sum(count.begin(), count.end(), count.begin());
  start = count;
  for (const Entry &e : entry) sorted[count[e.i]++] = e;
  entry.clear();
  for (PetscInt i = 0; i < n; i++) {
    const size_t from = start[i], to = start[i + 1];

    std::stable_sort(sorted.begin() + from, sorted.begin() + to, [](const Entry &a, const Entry &b) { return a.j < b.j; });
    start[i] = used;
    for (size_t k = from; k < to; k++) {
      if (used > start[i] && entry.back().j == sorted[k].j) {
        entry.back().v += sorted[k].v;
      } else {
        entry.push_back(sorted[k]);
        used++;
      }
    }
  }
  start[n] = used;
}

bool System::Finite() const
{
  return std::all_of(entry.begin(), entry.end(), [](const Entry &e) { return std::isfinite(e.v); });
}

void System::Multiply(bool transpose, const std::vector<double> &x, std::vector<long double> &y) const
{
  y.assign(n, 0.0L);
  for (const Entry &e : entry) {
    if (transpose)
      y[e.j] += (long double)e.v * x[e.i];
    else
      y[e.i] += (long double)e.v * x[e.j];
  }
}

static void Project(const std::vector<double> &k, std::vector<long double> &r)
{
  long double kk = 0, kr = 0;

  for (size_t i = 0; i < r.size(); i++) {
    kk += (long double)k[i] * k[i];
    kr += k[i] * r[i];
  }
  for (size_t i = 0; i < r.size() && kk > 0; i++) r[i] -= kr / kk * k[i];
}

static long double Norm2(const std::vector<long double> &v)
{
  long double sum = 0;

  for (long double a : v) sum += a * a;
  return std::sqrt(sum);
}

static long double NormInfinity(const std::vector<long double> &v)
{
  long double most = 0;

  for (long double a : v) most = std::max(most, std::abs(a));
  return most;
}

Residual Measure(const System &s, bool transpose, bool project, const std::vector<double> &b, const std::vector<double> &x)
{
  std::vector<long double> r, vb(b.begin(), b.end()), vx(x.begin(), x.end()), row(s.n, 0.0L), column(s.n, 0.0L);
  Residual                 m;

  m.finite = std::all_of(x.begin(), x.end(), [](double v) { return std::isfinite(v); });
  s.Multiply(transpose, x, r);
  for (PetscInt i = 0; i < s.n; i++) r[i] = vb[i] - r[i];
  if (project && !s.kernel.empty()) Project(transpose ? s.kernel : s.left, r);
  for (const Entry &e : s.entry) {
    row[e.i] += std::abs((long double)e.v);
    column[e.j] += std::abs((long double)e.v);
  }
  const long double rows = NormInfinity(row), columns = NormInfinity(column);

  m.two      = Norm2(r);
  m.infinity = NormInfinity(r);
  m.b2       = Norm2(vb);
  m.backward = (transpose ? columns : rows) * NormInfinity(vx) + NormInfinity(vb);
  m.backward = m.infinity > 0 ? m.infinity / m.backward : 0;
  m.rounding = std::numeric_limits<double>::epsilon() * (std::sqrt(rows * columns) * Norm2(vx) + m.b2);
  return m;
}

void DrawGrid(Random &r, PetscInt most, PetscInt dim, PetscInt dof, System *s)
{
  double left = std::max(1.0, std::pow((double)most / (double)dof, r.Uniform(0.3, 1.0)));

  s->dim = dim;
  s->dof = dof;
  for (PetscInt d = 0; d < dim; d++) {
    const double part = d + 1 == dim ? left : std::pow(left, r.Uniform(0.6, 1.4) / (double)(dim - d));

    s->size[d] = std::max((PetscInt)1, (PetscInt)part);
    left       = std::max(1.0, left / (double)s->size[d]);
  }
  std::swap(s->size[0], s->size[r.Integer(0, dim - 1)]);
  s->n = s->Points() * dof;
}

/* Rows and columns times factors; null vectors go along */
static void Scale(System *s, const std::vector<double> &row, const std::vector<double> &column)
{
  for (Entry &e : s->entry) e.v *= row[e.i] * column[e.j];
  for (PetscInt i = 0; i < s->n && !s->kernel.empty(); i++) {
    s->kernel[i] /= column[i];
    s->left[i] /= row[i];
  }
  for (PetscInt i = 0; i < s->n && !s->b.empty(); i++) s->b[i] *= row[i];
}

static void Permute(Random &r, System *s)
{
  std::vector<PetscInt> to(s->n);

  std::iota(to.begin(), to.end(), 0);
  for (PetscInt i = s->n - 1; i > 0; i--) std::swap(to[i], to[r.Integer(0, i)]);
  for (Entry &e : s->entry) e = {to[e.i], to[e.j], e.v};
  for (std::vector<double> *v : {&s->kernel, &s->left, &s->b}) {
    std::vector<double> old = *v;

    for (size_t i = 0; i < old.size(); i++) (*v)[to[i]] = old[i];
  }
  s->dim = 0;
  s->note += ",permuted";
}

void Twist(Random &r, char type, System *s)
{
  const bool          symmetric = s->symmetric;
  std::vector<double> row(s->n, 1.0), one(s->n, 1.0);

  if (s->label.empty() && r.Chance(0.08)) {
    const double k = r.Uniform(0.5, r.Chance(0.3) ? 8.0 : 4.0);

    for (double &v : row) v = r.Power(-k, k);
    Scale(s, row, row);
    s->tame = false;
    s->note += ",both-sided";
  } else if (type != 'h' && type != 'p' && s->label.empty() && r.Chance(0.05)) {
    const double k = r.Uniform(0.5, 6.0);

    for (double &v : row) v = r.Power(-k, k);
    Scale(s, row, one);
    s->symmetric = s->definite = s->tame = false;
    s->note += ",row-scaled";
    if (type == 's' && r.Chance(0.5)) {
      const double l = r.Uniform(0.5, 12.0);

      for (double &v : row) v = r.Power(-l, l);
      Scale(s, one, row);
      s->note += ",column-scaled";
    }
  }
  if (r.Chance(0.06)) {
    const double all = r.Power(-1, 1) * std::pow(10.0, r.Chance(0.2) ? (double)r.Integer(-120, 120) : (double)r.Integer(-30, 30));

    std::fill(row.begin(), row.end(), all);
    Scale(s, row, one);
    s->note += ",scaled";
  }
  if (r.Chance(0.06)) {
    for (Entry &e : s->entry) e.v = -e.v;
    s->definite = false;
    s->note += ",negated";
  }
  if (r.Chance(0.04)) {
    /* Differences of rounding between the halves of a symmetric matrix */
    for (Entry &e : s->entry) e.v *= 1.0 + 1.1e-16 * (double)r.Integer(-1, 1);
    s->kernel.clear();
    s->symmetric = symmetric;
    s->note += ",rounding";
  }
  if (r.Chance(0.03)) {
    /* Zeros that are stored */
    for (Entry &e : s->entry) {
      if (e.i != e.j && r.Chance(0.05)) e.v = 0;
    }
    s->symmetric = s->definite = s->tame = false;
    s->kernel.clear();
    s->note += ",zeros";
  }
  if ((type == 'h' || type == 'p') && s->label.empty() && r.Chance(0.1)) Permute(r, s);
  s->Assemble();
}

std::vector<double> DrawRHS(Random &r, const System &s)
{
  std::vector<double>      b(s.n, 0.0);
  std::vector<long double> y;
  const bool               consistent = !s.kernel.empty() && r.Chance(0.7);

  if (!s.b.empty() && r.Chance(0.5)) return s.b;
  switch (consistent ? 6 : r.Integer(0, 8)) {
  case 0:
    b[r.Integer(0, s.n - 1)] = 1;
    break;
  case 1:
    std::fill(b.begin(), b.end(), r.Sign());
    break;
  case 2:
    for (double &v : b) v = r.Normal() * r.Power(-6, 6);
    break;
  case 3:
  case 6:
    for (double &v : b) v = r.Normal();
    s.Multiply(false, b, y);
    std::copy(y.begin(), y.end(), b.begin());
    break;
  case 4: {
    const double all = r.Power(-30, 30);

    for (double &v : b) v = r.Normal() * all;
  } break;
  case 5:
    for (double &v : b) v = r.Chance(0.1) ? r.Normal() : 0.0;
    break;
  default:
    for (double &v : b) v = r.Normal();
  }
  return b;
}

} // namespace differential
