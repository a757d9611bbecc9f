/*
  The multilevel eigensolver: dense matrices, the block method, and the hierarchy as it sees it.
*/
#include "pc/hsc/eigen.h"
#include "mat/compat/isa.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace petlap {
namespace hsc {

#if defined(PETLAP_HAVE_X86)
extern const EigenKernels EigenKernels_avx2, EigenKernels_avx512;
#endif
extern const EigenKernels EigenKernels_portable;

const EigenKernels &FindEigenKernels()
{
#if defined(PETLAP_HAVE_X86)
  const PetlapISA isa = PetlapBestISA();

  if (isa == PETLAP_ISA_AVX512) return EigenKernels_avx512;
  if (isa == PETLAP_ISA_AVX2) return EigenKernels_avx2;
#endif
  return EigenKernels_portable;
}

void Block::resize(int rows, int npanels)
{
  const size_t length = ((size_t)rows + 3) / 4 * 4 * PANEL;
  double      *first;

  memory.clear();
  memory.resize(length * npanels + 8);
  /* Rows of eight numbers that begin with a cache line need no second one */
  first = memory.data() + (8 - (size_t)memory.data() / sizeof(double) % 8) % 8;
  std::fill(first, first + length * npanels, 0.0);
  n = rows;
  panel.resize(npanels);
  for (int p = 0; p < npanels; p++) panel[p] = first + length * p;
}

void RandomColumn(Block &X, int column, unsigned long long &seed)
{
  for (int i = 0; i < X.rows(); i++) {
    seed            = seed * 6364136223846793005ull + 1442695040888963407ull;
    X.at(i, column) = (double)(seed >> 11) / (double)(1ull << 52) - 1.0;
  }
}

/*
  Householder's reduction to a tridiagonal matrix and the QL method with implicit shifts, after the procedures tred2 and tql2 of the Handbook for
  Automatic Computation (Bowdler, Martin, Reinsch, Wilkinson 1971). v(k, j) is a[j n + k].
*/
static void Tridiagonalize(int n, double *a, double *d, double *e)
{
  auto v = [=](int k, int j) -> double & { return a[(size_t)j * n + k]; };

  for (int j = 0; j < n; j++) d[j] = v(n - 1, j);
  for (int i = n - 1; i > 0; i--) {
    double scale = 0.0, h = 0.0;

    for (int k = 0; k < i; k++) scale += std::abs(d[k]);
    if (scale == 0.0) {
      e[i] = d[i - 1];
      for (int j = 0; j < i; j++) {
        d[j]    = v(i - 1, j);
        v(i, j) = 0.0;
        v(j, i) = 0.0;
      }
    } else {
      for (int k = 0; k < i; k++) {
        d[k] /= scale;
        h += d[k] * d[k];
      }
      double f = d[i - 1], g = f > 0.0 ? -std::sqrt(h) : std::sqrt(h);
      e[i] = scale * g;
      h -= f * g;
      d[i - 1] = f - g;
      for (int j = 0; j < i; j++) e[j] = 0.0;
      for (int j = 0; j < i; j++) {
        const double *column = a + (size_t)j * n;

        f       = d[j];
        v(j, i) = f;
        g       = e[j] + column[j] * f;
        for (int k = j + 1; k < i; k++) {
          g += column[k] * d[k];
          e[k] += column[k] * f;
        }
        e[j] = g;
      }
      f = 0.0;
      for (int j = 0; j < i; j++) {
        e[j] /= h;
        f += e[j] * d[j];
      }
      const double hh = f / (h + h);
      for (int j = 0; j < i; j++) e[j] -= hh * d[j];
      for (int j = 0; j < i; j++) {
        double *column = a + (size_t)j * n;

        f = d[j];
        g = e[j];
        for (int k = j; k < i; k++) column[k] -= f * e[k] + g * d[k];
        d[j]    = v(i - 1, j);
        v(i, j) = 0.0;
      }
    }
    d[i] = h;
  }
  for (int i = 0; i < n - 1; i++) {
    double      *next = a + (size_t)(i + 1) * n;
    const double h    = d[i + 1];

    v(n - 1, i) = v(i, i);
    v(i, i)     = 1.0;
    if (h != 0.0) {
      for (int k = 0; k <= i; k++) d[k] = next[k] / h;
      for (int j = 0; j <= i; j++) {
        double *column = a + (size_t)j * n, g = 0.0;

        for (int k = 0; k <= i; k++) g += next[k] * column[k];
        for (int k = 0; k <= i; k++) column[k] -= g * d[k];
      }
    }
    for (int k = 0; k <= i; k++) next[k] = 0.0;
  }
  for (int j = 0; j < n; j++) {
    d[j]        = v(n - 1, j);
    v(n - 1, j) = 0.0;
  }
  v(n - 1, n - 1) = 1.0;
  e[0]            = 0.0;
}

static bool Diagonalize(int n, double *a, double *d, double *e)
{
  double f = 0.0, most = 0.0;

  for (int i = 1; i < n; i++) e[i - 1] = e[i];
  e[n - 1] = 0.0;
  for (int l = 0; l < n; l++) {
    int m = l;

    most = std::max(most, std::abs(d[l]) + std::abs(e[l]));
    while (m < n - 1 && !(std::abs(e[m]) <= 0x1p-53 * most)) m++;
    for (int sweep = 0; m > l; sweep++) {
      double g = d[l], p = (d[l + 1] - g) / (2.0 * e[l]), r = std::hypot(p, 1.0), h;

      if (sweep == 60) return false;
      if (p < 0) r = -r;
      d[l]             = e[l] / (p + r);
      d[l + 1]         = e[l] * (p + r);
      const double dl1 = d[l + 1], el1 = e[l + 1];
      h = g - d[l];
      for (int i = l + 2; i < n; i++) d[i] -= h;
      f += h;
      p        = d[m];
      double c = 1.0, c2 = 1.0, c3 = 1.0, s = 0.0, s2 = 0.0;
      for (int i = m - 1; i >= l; i--) {
        double *low = a + (size_t)i * n, *high = low + n;

        c3       = c2;
        c2       = c;
        s2       = s;
        g        = c * e[i];
        h        = c * p;
        r        = std::hypot(p, e[i]);
        e[i + 1] = s * r;
        s        = e[i] / r;
        c        = p / r;
        p        = c * d[i] - s * g;
        d[i + 1] = h + s * (c * g + s * d[i]);
        for (int k = 0; k < n; k++) {
          const double t = high[k];

          high[k] = s * low[k] + c * t;
          low[k]  = c * low[k] - s * t;
        }
      }
      p    = -s * s2 * c3 * el1 * e[l] / dl1;
      e[l] = s * p;
      d[l] = c * p;
      if (std::abs(e[l]) <= 0x1p-53 * most) break;
    }
    d[l] += f;
    e[l] = 0.0;
  }
  return true;
}

bool DenseEigen(int n, double *a, double *values)
{
  std::vector<double> d(n), e(n), sorted((size_t)n * n);
  std::vector<int>    order(n);

  if (n == 0) return true;
  for (size_t k = 0; k < sorted.size(); k++) {
    if (!std::isfinite(a[k])) return false;
  }
  Tridiagonalize(n, a, d.data(), e.data());
  if (!Diagonalize(n, a, d.data(), e.data())) return false;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return d[i] < d[j]; });
  for (int j = 0; j < n; j++) {
    values[j] = d[order[j]];
    std::copy_n(a + (size_t)order[j] * n, n, sorted.begin() + (size_t)j * n);
  }
  std::copy(sorted.begin(), sorted.end(), a);
  return true;
}

namespace {

/* A small matrix, row by row */
struct Small {
  int                 m = 0, n = 0;
  std::vector<double> a;

  Small() = default;
  Small(int m, int n) : m(m), n(n), a((size_t)m * n, 0.0) {}
  double &operator()(int i, int j)
  {
    return a[(size_t)i * n + j];
  }
  double operator()(int i, int j) const
  {
    return a[(size_t)i * n + j];
  }
};

enum { CHUNK = 64 }; /* rows that all vectors hold in the first cache */

/* Panels of several blocks one behind the other, and which of their columns are in use */
struct Columns {
  std::vector<double *> panel;
  std::vector<int>      at;

  void add(Block &B, int count)
  {
    for (int j = 0; j < count; j++) at.push_back((int)panel.size() * PANEL + j);
    for (int p = 0; p < (count + PANEL - 1) / PANEL; p++) panel.push_back(B[p]);
  }
  int size() const
  {
    return (int)at.size();
  }
  int padded() const
  {
    return (int)panel.size() * PANEL;
  }
};

/* From a padded matrix to the columns in use */
Small Pick(const std::vector<double> &g, const Columns &A, const Columns &B)
{
  Small out(A.size(), B.size());

  for (int i = 0; i < out.m; i++) {
    for (int j = 0; j < out.n; j++) out(i, j) = g[(size_t)A.at[i] * B.padded() + B.at[j]];
  }
  return out;
}

/* And back; the new columns are numbered from the given panel on */
void Put(const Small &c, const Columns &A, int firstpanel, int npanels, std::vector<double> &padded)
{
  for (int i = 0; i < c.m; i++) {
    for (int j = 0; j < c.n; j++) padded[((size_t)A.at[i] * npanels + firstpanel) * PANEL + j] = c(i, j);
  }
}

int Panels(int columns)
{
  return (columns + PANEL - 1) / PANEL;
}

/* a = L L', in the lower triangle */
bool Factor(Small &a)
{
  for (int j = 0; j < a.n; j++) {
    for (int i = j; i < a.n; i++) {
      double s = a(i, j);

      for (int k = 0; k < j; k++) s -= a(i, k) * a(j, k);
      if (i == j) {
        if (!(s > 0.0)) return false;
        a(j, j) = std::sqrt(s);
      } else
        a(i, j) = s / a(j, j);
    }
  }
  return true;
}

class Iteration {
public:
  Iteration(EigenProblem &problem, const EigenSettings &settings, Block &X) : problem(problem), s(settings), X(X), n(X.rows()), m(settings.block), np(Panels(m)), kernels(FindEigenKernels()), seed(settings.seed) {}

  EigenResult Run()
  {
    bool verified = true;

    AX.resize(n, np);
    theta.assign(m, 0.0);
    norm.assign(m, 0.0);
    Begin();
    for (result.iterations = 0;; result.iterations++) {
      Judge();
      if (s.monitor && !s.monitor(result.iterations, result.converged, theta.data(), norm.data())) break;
      if (result.converged == s.wanted) {
        if (verified) break;
        /* Products with the matrix were combined like the vectors, and rounding errors with them. So the end is confirmed by products. */
        Begin();
        verified = true;
        Judge();
        if (result.converged == s.wanted) break;
      }
      if (result.iterations >= s.maxit) break;
      if (!Step()) {
        if (verified) break;
        Begin();
        verified = true;
        continue;
      }
      verified = false;
    }
    if (!verified) {
      Begin();
      Judge();
    }
    result.value    = theta;
    result.residual = norm;
    return std::move(result);
  }

private:
  bool Good(int j) const
  {
    return norm[j] <= s.tol * std::abs(theta[j]) + s.floor;
  }

  void Judge()
  {
    result.converged = 0;
    while (result.converged < s.wanted && Good(result.converged)) result.converged++;
  }

  void Gram(const Columns &A, const Columns &B, std::vector<double> &g)
  {
    g.assign((size_t)A.padded() * B.padded(), 0.0);
    for (int first = 0; first < n; first += CHUNK) kernels.gram(first, std::min(n, first + CHUNK), (int)A.panel.size(), A.panel.data(), (int)B.panel.size(), B.panel.data(), g.data());
    problem.Sum((int)g.size(), g.data());
  }

  /* The vectors of out become combinations of those of in, among which they may be. touched(first, last) sees rows that have just been made. */
  template <typename Touched>
  void Combine(const Columns &in, const std::vector<double> &c, const std::vector<double *> &out, Touched &&touched)
  {
    Combine(in, c, out, nullptr, {}, touched);
  }

  /* The same, and at once for those of in2, if any */
  template <typename Touched>
  void Combine(const Columns &in, const std::vector<double> &c, const std::vector<double *> &out, const Columns *in2, const std::vector<double *> &out2, Touched &&touched)
  {
    const int             count = (int)out.size();
    std::vector<double>   room((size_t)count * CHUNK * PANEL);
    std::vector<double *> to(count);

    for (int p = 0; p < count; p++) to[p] = room.data() + (size_t)p * CHUNK * PANEL;
    for (int first = 0; first < n; first += CHUNK) {
      const int last = std::min((n + 3) / 4 * 4, first + CHUNK);

      kernels.combine(first, last, (int)in.panel.size(), in.panel.data(), count, c.data(), to.data());
      for (int p = 0; p < count; p++) memcpy(out[p] + (size_t)first * PANEL, to[p], (size_t)(last - first) * PANEL * sizeof(double));
      if (in2) {
        kernels.combine(first, last, (int)in2->panel.size(), in2->panel.data(), count, c.data(), to.data());
        for (int p = 0; p < count; p++) memcpy(out2[p] + (size_t)first * PANEL, to[p], (size_t)(last - first) * PANEL * sizeof(double));
      }
      touched(first, std::min(n, last));
    }
  }

  /* Adds to sums[] the squares of A x - theta x */
  void Residuals(int first, int last, double sums[])
  {
    for (int p = 0; p < np; p++) {
      const double *x = X[p], *ax = AX[p], *t = theta.data() + p * PANEL;
      const int     columns      = std::min((int)PANEL, m - p * PANEL);
      double        value[PANEL] = {}, sum[PANEL] = {};

      std::copy_n(t, columns, value);
      for (size_t i = (size_t)first * PANEL; i < (size_t)last * PANEL; i += PANEL) {
        for (int j = 0; j < PANEL; j++) {
          const double r = ax[i + j] - value[j] * x[i + j];

          sum[j] += r * r;
        }
      }
      for (int j = 0; j < columns; j++) sums[p * PANEL + j] += sum[j];
    }
  }

  /* Makes X a basis of Ritz vectors; directions that it lacks are taken at random */
  void Begin()
  {
    std::vector<double> g, c;
    Columns             all, images;

    nP = 0;
    all.add(X, m);
    images.add(AX, m);
    problem.Project(np, X.data());
    for (int pass = 0; pass < 8; pass++) {
      Gram(all, all, g);
      Small               G = Pick(g, all, all);
      std::vector<double> scale(m), w(m);
      double              defect = 0.0;

      for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) defect = std::max(defect, std::abs(G(i, j) - (i == j)));
      }
      if (defect < 1e-14) break;
      bool poor = false;
      for (int j = 0; j < m; j++) {
        poor = poor || !(G(j, j) > 0.0) || std::isinf(G(j, j));
        if (!(G(j, j) > 0.0) || std::isinf(G(j, j))) RandomColumn(X, j, seed);
      }
      if (poor) {
        problem.Project(np, X.data());
        continue;
      }
      for (int j = 0; j < m; j++) scale[j] = 1.0 / std::sqrt(G(j, j));
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) G(i, j) *= scale[i] * scale[j];
      }
      if (!DenseEigen(m, G.a.data(), w.data())) break;
      /* Column j of T is D v / sqrt(w); G holds v column by column, so row by row it is the transpose */
      Small T(m, m);
      int   lost = 0;
      for (int j = 0; j < m; j++) {
        const bool keep = w[j] > 1e-13 * w[m - 1];

        lost += !keep;
        for (int i = 0; i < m; i++) T(i, j) = keep ? scale[i] * G(j, i) / std::sqrt(w[j]) : 0.0;
      }
      c.assign((size_t)all.padded() * all.padded(), 0.0);
      Put(T, all, 0, np, c);
      Combine(all, c, all.panel, [](int, int) {});
      if (lost) {
        for (int j = 0; j < m; j++) {
          if (!(w[j] > 1e-13 * w[m - 1])) RandomColumn(X, j, seed);
        }
        problem.Project(np, X.data());
      } else if (w[0] > 0.1 && pass > 0)
        break;
    }
    problem.Product(np, X.data(), AX.data());
    Gram(all, images, g);
    Small H = Pick(g, all, images), C(m, m);
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < i; j++) H(i, j) = H(j, i) = 0.5 * (H(i, j) + H(j, i));
    }
    if (!DenseEigen(m, H.a.data(), theta.data())) {
      /* Not a number: residuals tell */
      std::fill(theta.begin(), theta.end(), std::nan(""));
      std::fill(norm.begin(), norm.end(), std::nan(""));
      broken = true;
      return;
    }
    for (int j = 0; j < m; j++) {
      for (int i = 0; i < m; i++) C(i, j) = H(j, i);
    }
    c.assign((size_t)all.padded() * all.padded(), 0.0);
    Put(C, all, 0, np, c);
    std::vector<double> sums(np * PANEL, 0.0);
    Combine(all, c, all.panel, &images, images.panel, [&](int first, int last) { Residuals(first, last, sums.data()); });
    problem.Sum((int)sums.size(), sums.data());
    for (int j = 0; j < m; j++) norm[j] = std::sqrt(sums[j]);
  }

  /* One iteration of LOBPCG; false where it has no direction to go */
  bool Step()
  {
    std::vector<int>    active;
    std::vector<double> g, c;

    if (broken) return false;
    for (int j = 0; j < m; j++) {
      if (j < s.wanted ? !Good(j) : norm[j] > std::max(s.loose, s.tol) * std::abs(theta[j]) + s.floor) active.push_back(j);
    }
    if (active.empty()) return false;
    if (W.rows() != n || W.panels() < np) {
      W.resize(n, np);
      AW.resize(n, np);
    }
    int nW = (int)active.size();

    /* Residuals of what has not converged, in as few panels as they need */
    for (int first = 0; first < n; first += CHUNK) {
      const int last = std::min(n, first + CHUNK);

      for (int k = 0; k < Panels(nW) * PANEL; k++) {
        double *w = W[k / PANEL] + k % PANEL;

        if (k >= nW) {
          for (size_t i = (size_t)first * PANEL; i < (size_t)last * PANEL; i += PANEL) w[i] = 0.0;
        } else {
          const int     j = active[k];
          const double *x = X[j / PANEL] + j % PANEL, *ax = AX[j / PANEL] + j % PANEL, t = theta[j];

          for (size_t i = (size_t)first * PANEL; i < (size_t)last * PANEL; i += PANEL) w[i] = ax[i] - t * x[i];
        }
      }
    }
    problem.Precondition(Panels(nW), W.data(), W.data());
    problem.Project(Panels(nW), W.data());

    Columns basis, old, fresh;
    old.add(X, m);
    old.add(P, nP);
    Small               E, G;
    std::vector<double> unit;
    for (int pass = 0;; pass++) {
      basis = old;
      fresh = Columns();
      basis.add(W, nW);
      fresh.add(W, nW);
      if (pass == 0) Gram(basis, fresh, g);
      Small all = Pick(g, basis, fresh);
      E         = Small(old.size(), nW);
      G         = Small(nW, nW);
      for (int j = 0; j < nW; j++) {
        for (int i = 0; i < old.size(); i++) E(i, j) = all(i, j);
        for (int i = 0; i < nW; i++) G(i, j) = 0.5 * (all(old.size() + i, j) + all(old.size() + j, i));
      }
      for (double v : all.a) {
        if (!std::isfinite(v)) return false;
      }
      /* The products of the vectors are accounted for below, so it is enough when they are far from dependent on each other. Mostly that is so at once. */
      unit.resize(nW);
      for (int j = 0; j < nW; j++) unit[j] = G(j, j) > 0.0 ? 1.0 / std::sqrt(G(j, j)) : 0.0;
      Small joint(basis.size(), basis.size());
      for (int i = 0; i < old.size(); i++) joint(i, i) = 1.0;
      for (int j = 0; j < nW; j++) {
        for (int i = 0; i < old.size(); i++) joint(old.size() + j, i) = E(i, j) * unit[j];
        for (int i = 0; i < nW; i++) joint(old.size() + j, old.size() + i) = G(i, j) * unit[i] * unit[j];
      }
      bool independent = Factor(joint);
      for (int j = 0; j < basis.size(); j++) independent = independent && joint(j, j) > 0.2;
      if (independent) break;
      if (pass == 3) return false;
      std::vector<double> scale(nW), w(nW);
      Small               M(nW, nW);
      for (int i = 0; i < nW; i++) {
        for (int j = 0; j < nW; j++) {
          double t = G(i, j);

          for (int k = 0; k < old.size(); k++) t -= E(k, i) * E(k, j);
          M(i, j) = t;
        }
      }
      for (int j = 0; j < nW; j++) scale[j] = M(j, j) > 1e-15 * G(j, j) ? 1.0 / std::sqrt(M(j, j)) : 0.0;
      for (int i = 0; i < nW; i++) {
        for (int j = 0; j < nW; j++) M(i, j) *= scale[i] * scale[j];
      }
      if (!DenseEigen(nW, M.a.data(), w.data())) return false;
      int skip = 0;
      while (skip < nW && !(w[skip] > 1e-12 * w[nW - 1])) skip++;
      const int left = nW - skip;
      if (left == 0 || !(w[nW - 1] > 0.0)) return false;
      Small T(basis.size(), left);
      for (int j = 0; j < left; j++) {
        const double root = 1.0 / std::sqrt(w[skip + j]);

        for (int i = 0; i < nW; i++) T(old.size() + i, j) = scale[i] * M(skip + j, i) * root;
        for (int k = 0; k < old.size(); k++) {
          double t = 0.0;

          for (int i = 0; i < nW; i++) t += E(k, i) * T(old.size() + i, j);
          T(k, j) = -t;
        }
      }
      c.assign((size_t)basis.padded() * Panels(left) * PANEL, 0.0);
      Put(T, basis, 0, Panels(left), c);
      std::vector<double *> out(fresh.panel.begin(), fresh.panel.begin() + Panels(left));
      Columns               after = old, mine;
      after.add(W, left);
      mine.add(W, left);
      g.assign((size_t)after.padded() * mine.padded(), 0.0);
      Combine(basis, c, out, [&](int first, int last) { kernels.gram(first, last, (int)after.panel.size(), after.panel.data(), (int)mine.panel.size(), mine.panel.data(), g.data()); });
      problem.Sum((int)g.size(), g.data());
      nW = left;
    }

    problem.Product(Panels(nW), W.data(), AW.data());
    Columns imageW, images;
    imageW.add(AW, nW);
    Gram(basis, imageW, g);
    Small     HW = Pick(g, basis, imageW);
    const int ns = basis.size(), q = old.size();
    /* From here on the new vectors have the norm 1 */
    auto norms = [&](Small &a, bool rows, int first) {
      for (int i = 0; i < a.m; i++) {
        for (int j = 0; j < a.n; j++) a(i, j) *= rows ? (i < first ? 1.0 : unit[i - first]) : unit[j];
      }
    };
    norms(E, false, 0);
    norms(G, false, 0);
    norms(G, true, 0);
    norms(HW, false, 0);
    norms(HW, true, q);
    Small H(ns, ns), L(ns, ns);
    for (int j = 0; j < m; j++) H(j, j) = theta[j];
    for (int i = 0; i < nP; i++) {
      for (int j = 0; j < nP; j++) H(m + i, m + j) = HP(i, j);
    }
    for (int i = 0; i < q; i++) L(i, i) = 1.0;
    for (int j = 0; j < nW; j++) {
      for (int i = 0; i < q; i++) {
        H(i, q + j) = H(q + j, i) = HW(i, j);
        L(i, q + j) = L(q + j, i) = E(i, j);
      }
      for (int i = 0; i < nW; i++) {
        H(q + i, q + j) = 0.5 * (HW(q + i, j) + HW(q + j, i));
        L(q + i, q + j) = G(i, j);
      }
    }
    if (!Factor(L)) return false;
    /* H becomes L^-1 H L^-T */
    for (int pass = 0; pass < 2; pass++) {
      for (int j = 0; j < ns; j++) {
        for (int i = 0; i < ns; i++) {
          double t = H(i, j);

          for (int k = 0; k < i; k++) t -= L(i, k) * H(k, j);
          H(i, j) = t / L(i, i);
        }
      }
      for (int i = 0; i < ns; i++) {
        for (int j = 0; j < i; j++) std::swap(H(i, j), H(j, i));
      }
    }
    for (int i = 0; i < ns; i++) {
      for (int j = 0; j < i; j++) H(i, j) = H(j, i) = 0.5 * (H(i, j) + H(j, i));
    }
    Small               V = H; /* row j is the j-th eigenvector */
    std::vector<double> values(ns);
    if (!DenseEigen(ns, V.a.data(), values.data())) return false;

    /* The new P: what the active vectors owe to W and the old P, orthogonal to the new X */
    std::vector<std::vector<double>> Q;
    if (result.iterations + 1 >= s.maxit) active.clear();
    for (int j : active) {
      std::vector<double> v(ns, 0.0), t(V.a.begin() + (size_t)j * ns, V.a.begin() + (size_t)(j + 1) * ns);
      double              before = 0.0, after = 0.0;

      for (int i = ns - 1; i >= 0; i--) {
        for (int k = i + 1; k < ns; k++) t[i] -= L(k, i) * t[k];
        t[i] /= L(i, i);
      }
      std::fill(t.begin(), t.begin() + m, 0.0);
      for (int i = 0; i < ns; i++) {
        for (int k = i; k < ns; k++) v[i] += L(k, i) * t[k];
        before += v[i] * v[i];
      }
      for (int pass = 0; pass < 2; pass++) {
        auto against = [&](const double *u) {
          double dot = 0.0;

          for (int i = 0; i < ns; i++) dot += u[i] * v[i];
          for (int i = 0; i < ns; i++) v[i] -= dot * u[i];
        };

        for (int k = 0; k < m; k++) against(V.a.data() + (size_t)k * ns);
        for (const auto &u : Q) against(u.data());
      }
      for (double x : v) after += x * x;
      if (!(after > 1e-12 * before) || !(after > 1e-30)) continue;
      for (double &x : v) x /= std::sqrt(after);
      Q.push_back(v);
    }
    const int newP = (int)Q.size();
    if (newP > 0 && P.panels() < np) {
      P.resize(n, np);
      AP.resize(n, np);
    }
    HP = Small(newP, newP);
    Small C(ns, m), CP(ns, newP);
    for (int a = 0; a < newP; a++) {
      std::vector<double> t(ns, 0.0);

      for (int i = 0; i < ns; i++) {
        for (int k = 0; k < ns; k++) t[i] += H(i, k) * Q[a][k];
      }
      for (int b = 0; b < newP; b++) HP(a, b) = std::inner_product(t.begin(), t.end(), Q[b].begin(), 0.0);
    }
    auto back = [&](const double *v, Small &out, int j) {
      for (int i = ns - 1; i >= 0; i--) {
        double t = v[i];

        for (int k = i + 1; k < ns; k++) t -= L(k, i) * out(k, j);
        out(i, j) = t / L(i, i);
      }
    };
    for (int j = 0; j < m; j++) back(V.a.data() + (size_t)j * ns, C, j);
    for (int j = 0; j < newP; j++) back(Q[j].data(), CP, j);
    norms(C, true, q);
    norms(CP, true, q);

    const int npanels = np + Panels(newP);
    c.assign((size_t)basis.padded() * npanels * PANEL, 0.0);
    Put(C, basis, 0, npanels, c);
    Put(CP, basis, np, npanels, c);
    images.add(AX, m);
    images.add(AP, nP);
    images.add(AW, nW);
    auto targets = [&](Block &first, Block &second) {
      std::vector<double *> out;

      for (int p = 0; p < np; p++) out.push_back(first[p]);
      for (int p = 0; p < Panels(newP); p++) out.push_back(second[p]);
      return out;
    };
    std::copy_n(values.begin(), m, theta.begin());
    std::vector<double> sums(np * PANEL, 0.0);
    Combine(basis, c, targets(X, P), &images, targets(AX, AP), [&](int first, int last) { Residuals(first, last, sums.data()); });
    problem.Sum((int)sums.size(), sums.data());
    for (int j = 0; j < m; j++) norm[j] = std::sqrt(sums[j]);
    nP = newP;
    return true;
  }

  EigenProblem        &problem;
  const EigenSettings &s;
  Block               &X;
  const int            n, m, np;
  const EigenKernels  &kernels;
  Block                AX, P, AP, W, AW;
  int                  nP = 0;
  Small                HP;
  std::vector<double>  theta, norm;
  bool                 broken = false;
  unsigned long long   seed;
  EigenResult          result;
};

/* Takes null vectors, which are weight[] on their part, out of four vectors, and makes vectors zero where an unknown stands alone */
void ProjectPanel(int n, const Parts &parts, const int part[], const double weight[], double *x)
{
  std::vector<double> sum((size_t)parts.nnull * PANEL, 0.0), square(parts.nnull, 0.0);

  if (!part) return;
  for (int i = 0; i < n; i++) {
    const int p = part[i];

    if (p >= 0) {
      const double w = weight ? weight[i] : 1.0;

      square[p] += w * w;
      for (int j = 0; j < PANEL; j++) sum[(size_t)p * PANEL + j] += w * x[(size_t)i * PANEL + j];
    } else if (p == Parts::ALONE) {
      for (int j = 0; j < PANEL; j++) x[(size_t)i * PANEL + j] = 0.0;
    }
  }
  for (int p = 0; p < parts.nnull; p++) {
    for (int j = 0; j < PANEL; j++) sum[(size_t)p * PANEL + j] *= square[p] > 0.0 ? 1.0 / square[p] : 0.0;
  }
  for (int i = 0; i < n; i++) {
    const int p = part[i];

    if (p < 0) continue;
    const double w = weight ? weight[i] : 1.0;
    for (int j = 0; j < PANEL; j++) x[(size_t)i * PANEL + j] -= w * sum[(size_t)p * PANEL + j];
  }
}

template <typename Real>
const LevelKernels<Real> &KernelsFor(int np)
{
  if constexpr (sizeof(Real) == sizeof(float))
    return FindEigenKernels().single[np - 1];
  else
    return FindEigenKernels().dbl[np - 1];
}

const int *Pairs(const std::vector<Run> &runs)
{
  static_assert(sizeof(Run) == 2 * sizeof(int), "runs are read as pairs of numbers");
  return reinterpret_cast<const int *>(runs.data());
}

size_t Entries(const std::vector<Run> &runs)
{
  size_t sum = 0;

  for (const Run &run : runs) sum += (size_t)run.nrows * run.length;
  return sum;
}

template <typename Real>
class EigenLevelsOf : public EigenLevels {
public:
  EigenLevelsOf(const Hierarchy<Real> &h, hsc::Cycle<Real> &cycle, double scale) : h(h), cycle(cycle), scale(scale) {}

  void Cycle(int post, int np, double *const in[], double *const out[]) override
  {
    for (int p = 0; p < np; p += 2) CycleFrom(0, post, std::min(2, np - p), h.place.data(), in + p, out + p);
  }

  bool Start(const Parts &parts, int block, int steps, bool mass, int post, Block &X) override
  {
    const int nlevels = (int)h.level.size(), np = Panels(block), enough = 5 * block;
    int       at = nlevels;

    if (nlevels > 0 && h.nd < enough) {
      for (at = nlevels - 1; at > 0; at--) {
        if (h.level[at].smooth && h.level[at].n >= enough) break;
      }
    }
    if (at == 0) return false;

    /* Null vectors in the order of the hierarchy, and how many unknowns of the finest level one of a coarse level stands for */
    std::vector<int> part;
    if (!parts.part.empty()) {
      part.resize(h.n);
      for (int v = 0; v < h.n; v++) part[h.place[v]] = parts.part[v];
    }
    std::vector<std::vector<double>> weight(nlevels + 1);
    std::vector<double>              m(h.n, 1.0);
    for (int l = 0; l < at; l++) {
      const Level<Real> &L   = h.level[l];
      const Real        *w   = L.fweight.data();
      const int         *col = L.fcol.data();
      int                f   = 0;

      for (const Run &run : L.frun) {
        for (int i = 0; i < run.nrows; i++, f++) {
          const double t = m[L.nc + f] * L.finv[f];

          for (int k = 0; k < run.length; k++) m[*col++] += *w++ * t;
        }
      }
      if (mass && (l + 1 == at || (h.level[l + 1].smooth && steps > 0))) {
        weight[l + 1].assign(m.begin(), m.begin() + L.nc);
        for (double &v : weight[l + 1]) v = std::sqrt(v);
      }
    }

    /* The coarsest level is small, and its preconditioner is its inverse: random vectors are good enough to begin with */
    Block              coarse;
    EigenSettings      settings;
    unsigned long long seed = 20130704;
    settings.wanted = settings.block = block;
    settings.tol                     = 1e-2;
    settings.maxit                   = 20;
    coarse.resize(SizeOf(at), np);
    for (int j = 0; j < block; j++) RandomColumn(coarse, j, seed);
    {
      LevelProblem problem(*this, at, parts, part.empty() ? nullptr : part.data(), weight[at].empty() ? nullptr : weight[at].data(), post);

      LowestEigenvectors(problem, settings, coarse);
      problem.Unscale(np, coarse.data());
    }
    settings.tol   = 0.0;
    settings.maxit = steps;
    std::vector<Array<Real>> x((np + 1) / 2);
    const double             one[2 * PANEL] = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0};
    for (int p = 0; p < np; p += 2) {
      const int width = std::min(2, np - p);

      x[p / 2].resize((size_t)h.n * width * PANEL);
      KernelsFor<Real>(width).enter(SizeOf(at), nullptr, coarse.data() + p, one, x[p / 2].data());
    }
    for (int l = at - 1; l >= 0; l--) {
      const Level<Real> &L = h.level[l];

      for (int p = 0; p < np; p += 2) {
        const int width = std::min(2, np - p);
        Real     *y     = x[p / 2].data();

        KernelsFor<Real>(width).up((int)L.frun.size(), Pairs(L.frun), L.fcol.data(), L.fweight.data(), L.finv.data(), nullptr, y, y + (size_t)L.nc * width * PANEL);
      }
      if (l == 0 || !L.smooth || steps == 0) continue;
      coarse.resize(L.n, np);
      for (int p = 0; p < np; p += 2) KernelsFor<Real>(std::min(2, np - p)).leave(L.n, nullptr, x[p / 2].data(), one, coarse.data() + p);
      LevelProblem problem(*this, l, parts, part.empty() ? nullptr : part.data(), weight[l].empty() ? nullptr : weight[l].data(), post);
      problem.Scale(np, coarse.data());
      LowestEigenvectors(problem, settings, coarse);
      problem.Unscale(np, coarse.data());
      for (int p = 0; p < np; p += 2) KernelsFor<Real>(std::min(2, np - p)).enter(L.n, nullptr, coarse.data() + p, one, x[p / 2].data());
    }
    for (int p = 0; p < np; p += 2) KernelsFor<Real>(std::min(2, np - p)).leave(h.n, h.place.data(), x[p / 2].data(), one, X.data() + p);
    return true;
  }

private:
  /* Eigenvectors of B^-1/2 A B^-1/2 for the matrix A of a level and the diagonal matrix B, whose roots are weight[] */
  class LevelProblem : public EigenProblem {
  public:
    LevelProblem(EigenLevelsOf &levels, int level, const Parts &parts, const int part[], const double weight[], int post) : levels(levels), level(level), n(levels.SizeOf(level)), post(post), parts(parts), part(part), weight(weight) {}
    void Product(int np, double *const x[], double *const y[]) override
    {
      Block t(n, 1);

      for (int p = 0; p < np; p++) {
        memcpy(t[0], x[p], (size_t)n * PANEL * sizeof(double));
        Unscale(1, t.data());
        levels.ProductOn(level, t[0], y[p]);
        Unscale(1, y + p);
      }
    }
    void Precondition(int np, double *const x[], double *const y[]) override
    {
      for (int p = 0; p < np; p++) {
        if (x[p] != y[p]) memcpy(y[p], x[p], (size_t)n * PANEL * sizeof(double));
      }
      Scale(np, y);
      for (int p = 0; p < np; p += 2) levels.CycleFrom(level, post, std::min(2, np - p), nullptr, y + p, y + p);
      Scale(np, y);
    }
    void Project(int np, double *const x[]) override
    {
      for (int p = 0; p < np; p++) ProjectPanel(n, parts, part, weight, x[p]);
    }
    void Scale(int np, double *const x[]) const
    {
      for (int p = 0; weight && p < np; p++) {
        for (int i = 0; i < n; i++) {
          for (int j = 0; j < PANEL; j++) x[p][(size_t)i * PANEL + j] *= weight[i];
        }
      }
    }
    void Unscale(int np, double *const x[]) const
    {
      for (int p = 0; weight && p < np; p++) {
        for (int i = 0; i < n; i++) {
          for (int j = 0; j < PANEL; j++) x[p][(size_t)i * PANEL + j] /= weight[i];
        }
      }
    }

  private:
    EigenLevelsOf &levels;
    const int      level, n, post;
    const Parts   &parts;
    const int     *part;
    const double  *weight;
  };

  int SizeOf(int level) const
  {
    return level < (int)h.level.size() ? h.level[level].n : h.nd;
  }

  /* y = A x on a level that is smoothed or the coarsest one, without the scale of the hierarchy */
  void ProductOn(int level, const double *x, double *y) const
  {
    if (level < (int)h.level.size()) {
      const Level<Real> &L      = h.level[level];
      const size_t       behind = Entries(L.crun);
      auto               run    = FindEigenKernels().product_d;

      if constexpr (sizeof(Real) == sizeof(float)) {
        auto single = FindEigenKernels().product_s;
        single((int)L.crun.size(), Pairs(L.crun), 0, L.srow.data(), L.scol.data(), L.sweight.data(), L.sinv.data(), x, y);
        single((int)L.srun.size(), Pairs(L.srun), L.nc, nullptr, L.scol.data() + behind, L.sweight.data() + behind, L.sinv.data(), x, y);
      } else {
        run((int)L.crun.size(), Pairs(L.crun), 0, L.srow.data(), L.scol.data(), L.sweight.data(), L.sinv.data(), x, y);
        run((int)L.srun.size(), Pairs(L.srun), L.nc, nullptr, L.scol.data() + behind, L.sweight.data() + behind, L.sinv.data(), x, y);
      }
      return;
    }
    for (int v = 0; v < h.nd; v++) {
      for (int j = 0; j < PANEL; j++) y[(size_t)v * PANEL + j] = (h.coarse.excess[v] + h.shift[v]) * x[(size_t)v * PANEL + j];
    }
    for (int v = 0; v < h.nd; v++) {
      for (int k = h.coarse.uptr[v]; k < h.coarse.uptr[v + 1]; k++) {
        const size_t a = (size_t)v * PANEL, b = (size_t)h.coarse.adj[k] * PANEL;

        for (int j = 0; j < PANEL; j++) {
          const double d = h.coarse.weight[k] * (x[a + j] - x[b + j]);

          y[a + j] += d;
          y[b + j] -= d;
        }
      }
    }
  }

  /* One cycle that begins on a level */
  void CycleFrom(int level, int post, int np, const int place[], double *const in[], double *const out[])
  {
    const int                 nlevels = (int)h.level.size(), width = np * PANEL, n = SizeOf(level);
    const LevelKernels<Real> &kernels         = KernelsFor<Real>(np);
    double                    down[2 * PANEL] = {}, up[2 * PANEL] = {};
    std::vector<Real *>       r(nlevels + 1);

    /* Single precision has a narrow range */
    for (int j = 0; j < width; j++) {
      const double *v    = in[j / PANEL] + j % PANEL;
      double        most = 0.0;

      for (size_t i = 0; i < (size_t)n * PANEL; i += PANEL) most = std::max(most, std::abs(v[i]));
      down[j] = most > 1e-300 && std::isfinite(most) ? 1.0 / most : 0.0;
      up[j]   = down[j] > 0.0 ? most * scale : most;
    }
    right.resize(nlevels + 1);
    right[level].resize((size_t)n * width);
    x.resize((size_t)n * width);
    r[level] = right[level].data();
    kernels.enter(n, place, in, down, r[level]);
    for (int l = level; l < nlevels; l++) {
      const Level<Real> &L = h.level[l];

      r[l + 1] = r[l];
      if (L.smooth) {
        right[l + 1].resize((size_t)L.nc * width);
        r[l + 1] = right[l + 1].data();
        Copy(r[l + 1], r[l], (size_t)L.nc * width);
      }
      kernels.down((int)L.frun.size(), Pairs(L.frun), L.fcol.data(), L.fweight.data(), L.finv.data(), r[l] + (size_t)L.nc * width, r[l + 1]);
    }
    column.resize(h.nd);
    for (int j = 0; j < width; j++) {
      for (int i = 0; i < h.nd; i++) column[i] = r[nlevels][(size_t)i * width + j];
      cycle.Solve(h, column.data(), column.data());
      for (int i = 0; i < h.nd; i++) x[(size_t)i * width + j] = column[i];
    }
    for (int l = nlevels - 1; l >= level; l--) {
      const Level<Real> &L      = h.level[l];
      const size_t       behind = Entries(L.crun);

      kernels.up((int)L.frun.size(), Pairs(L.frun), L.fcol.data(), L.fweight.data(), L.finv.data(), r[l] + (size_t)L.nc * width, x.data(), x.data() + (size_t)L.nc * width);
      for (int k = 0; L.smooth && k < post; k++) {
        kernels.smooth((int)L.crun.size(), Pairs(L.crun), 0, L.srow.data(), L.scol.data(), L.sweight.data(), L.sinv.data(), r[l], x.data());
        kernels.smooth((int)L.srun.size(), Pairs(L.srun), L.nc, nullptr, L.scol.data() + behind, L.sweight.data() + behind, L.sinv.data(), r[l], x.data());
      }
    }
    kernels.leave(n, place, x.data(), up, out);
  }

  const Hierarchy<Real>   &h;
  hsc::Cycle<Real>        &cycle;
  const double             scale;
  std::vector<Array<Real>> right;
  Array<Real>              x, column;
};

} // namespace

EigenResult LowestEigenvectors(EigenProblem &problem, const EigenSettings &settings, Block &X)
{
  return Iteration(problem, settings, X).Run();
}

template <typename Real>
std::unique_ptr<EigenLevels> MakeEigenLevels(const Hierarchy<Real> &h, Cycle<Real> &cycle, double scale)
{
  return std::unique_ptr<EigenLevels>(new EigenLevelsOf<Real>(h, cycle, scale));
}

template std::unique_ptr<EigenLevels> MakeEigenLevels(const Hierarchy<float> &, Cycle<float> &, double);
template std::unique_ptr<EigenLevels> MakeEigenLevels(const Hierarchy<double> &, Cycle<double> &, double);

} // namespace hsc
} // namespace petlap
