#include "problem.h"
#include <algorithm>
#include <cmath>

namespace petlap {
namespace training {

Problem::Problem(scenes::Scene s) : scene(std::move(s))
{
  const int       *size    = scene.n;
  const ptrdiff_t  step[3] = {1, size[0], (ptrdiff_t)size[0] * size[1]};
  std::vector<int> number(scene.size(), -1);

  for (size_t i = 0; i < scene.size(); i++) {
    if (scene.cell[i] == scenes::FLUID) number[i] = (int)n++;
  }
  diagonal.assign(n, 0.0);
  ptr.assign(1, 0);
  size_t i = 0;
  for (int z = 0; z < size[2]; z++) {
    for (int y = 0; y < size[1]; y++) {
      for (int x = 0; x < size[0]; x++, i++) {
        const int at[3] = {x, y, z};

        if (number[i] < 0) continue;
        for (int a = 0; a < 3; a++) {
          for (int side = -1; side <= 1; side += 2) {
            if (at[a] + side < 0 || at[a] + side >= size[a]) continue;
            const size_t j = i + side * step[a];

            if (scene.cell[j] == scenes::SOLID) continue;
            diagonal[number[i]] += 1.0;
            if (number[j] >= 0) neighbour.push_back(number[j]);
          }
        }
        ptr.push_back((int)neighbour.size());
      }
    }
  }
  weight.assign(neighbour.size(), 1.0);
  FindFloating();
}

void Problem::SetMatrix(std::vector<int> p, std::vector<int> j, std::vector<double> w, std::vector<double> d)
{
  ptr       = std::move(p);
  neighbour = std::move(j);
  weight    = std::move(w);
  diagonal  = std::move(d);
  FindFloating();
}

void Problem::FindFloating()
{
  std::vector<int> part(n, -1), queue;

  nfloating = 0;
  floating.assign(n, -1);
  for (size_t first = 0; first < n; first++) {
    bool held = false;

    if (part[first] >= 0) continue;
    queue.assign(1, (int)first);
    part[first] = (int)first;
    for (size_t k = 0; k < queue.size(); k++) {
      const int i   = queue[k];
      double    sum = diagonal[i];

      for (int e = ptr[i]; e < ptr[i + 1]; e++) {
        sum -= weight[e];
        if (part[neighbour[e]] >= 0) continue;
        part[neighbour[e]] = (int)first;
        queue.push_back(neighbour[e]);
      }
      if (std::abs(sum) > 1e-8 * diagonal[i]) held = true;
    }
    if (held) continue;
    for (int i : queue) floating[i] = nfloating;
    nfloating++;
  }
}

void Problem::Multiply(const double x[], double y[]) const
{
  for (size_t i = 0; i < n; i++) {
    double        sum[BATCH];
    const double *own = x + i * BATCH, d = diagonal[i];

    for (int b = 0; b < BATCH; b++) sum[b] = d * own[b];
    for (int e = ptr[i]; e < ptr[i + 1]; e++) {
      const double *other = x + (size_t)neighbour[e] * BATCH, w = weight[e];

      for (int b = 0; b < BATCH; b++) sum[b] -= w * other[b];
    }
    for (int b = 0; b < BATCH; b++) y[i * BATCH + b] = sum[b];
  }
}

void Problem::MultiplyOne(const double x[], double y[]) const
{
  for (size_t i = 0; i < n; i++) {
    double sum = diagonal[i] * x[i];

    for (int e = ptr[i]; e < ptr[i + 1]; e++) sum -= weight[e] * x[neighbour[e]];
    y[i] = sum;
  }
}

void Problem::Project(double x[]) const
{
  if (!nfloating) return;
  std::vector<double> sum((size_t)nfloating * (BATCH + 1), 0.0);

  for (size_t i = 0; i < n; i++) {
    if (floating[i] < 0) continue;
    double *s = sum.data() + (size_t)floating[i] * (BATCH + 1);

    s[BATCH] += 1.0;
    for (int b = 0; b < BATCH; b++) s[b] += x[i * BATCH + b];
  }
  for (size_t i = 0; i < n; i++) {
    if (floating[i] < 0) continue;
    const double *s = sum.data() + (size_t)floating[i] * (BATCH + 1);

    for (int b = 0; b < BATCH; b++) x[i * BATCH + b] -= s[b] / s[BATCH];
  }
}

Dots Dot(size_t n, const double x[], const double y[])
{
  Dots sum = {};

  for (size_t i = 0; i < n * BATCH; i += BATCH) {
    for (int b = 0; b < BATCH; b++) sum.v[b] += x[i + b] * y[i + b];
  }
  return sum;
}

void Axpy(size_t n, const Dots &a, const double x[], double y[])
{
  for (size_t i = 0; i < n * BATCH; i += BATCH) {
    for (int b = 0; b < BATCH; b++) y[i + b] += a.v[b] * x[i + b];
  }
}

void Scale(size_t n, const Dots &a, double y[])
{
  for (size_t i = 0; i < n * BATCH; i += BATCH) {
    for (int b = 0; b < BATCH; b++) y[i + b] *= a.v[b];
  }
}

void Directions::Orthogonalise(size_t n, double d[], double Ad[]) const
{
  /* Newest first, as modified Gram-Schmidt does it in ksp/psdo */
  for (size_t k = kept.size(); k-- > 0;) {
    const Direction &D = kept[k];
    Dots             c = Dot(n, d, D.Ad.data());

    for (int b = 0; b < BATCH; b++) c.v[b] = D.q.v[b] > 0.0 ? -c.v[b] / D.q.v[b] : 0.0;
    Axpy(n, c, D.d.data(), d);
    Axpy(n, c, D.Ad.data(), Ad);
  }
}

void Directions::Keep(const Block &d, const Block &Ad)
{
  if (most == 0) return;
  if ((int)kept.size() == most) {
    std::rotate(kept.begin(), kept.begin() + 1, kept.end());
    kept.pop_back();
  }
  kept.push_back({d, Ad, Dot(d.size() / BATCH, d.data(), Ad.data())});
}

void Directions::Forget(int b)
{
  for (Direction &D : kept) D.q.v[b] = 0.0;
}

int Solve(const Problem &problem, Preconditioner &P, int north, double tolerance, int most, Block &b, Block &e)
{
  const size_t n    = problem.n;
  const Dots   norm = Dot(n, b.data(), b.data());
  Directions   directions(north);
  Block        d(n * BATCH), Ad(n * BATCH);

  e.assign(n * BATCH, 0.0);
  for (int step = 0; step < most; step++) {
    const Dots rr   = Dot(n, b.data(), b.data());
    bool       done = true;

    for (int c = 0; c < BATCH; c++) done = done && rr.v[c] <= tolerance * tolerance * norm.v[c];
    if (done) return step;
    P.ApplyBatch(b.data(), d.data());
    problem.Multiply(d.data(), Ad.data());
    directions.Orthogonalise(n, d.data(), Ad.data());
    const Dots q = Dot(n, d.data(), Ad.data());
    Dots       a = Dot(n, b.data(), d.data());
    for (int c = 0; c < BATCH; c++) a.v[c] = q.v[c] > 0.0 ? a.v[c] / q.v[c] : 0.0;
    Axpy(n, a, d.data(), e.data());
    for (int c = 0; c < BATCH; c++) a.v[c] = -a.v[c];
    Axpy(n, a, Ad.data(), b.data());
    directions.Keep(d, Ad);
  }
  return most;
}

int Iterations(const Problem &problem, Preconditioner &P, int north, double tolerance, int most, const std::vector<double> &b)
{
  struct Old {
    std::vector<double> d, Ad;
    double              q;
  };
  const size_t        n = problem.n;
  std::vector<double> r(b), d(n), Ad(n);
  std::vector<Old>    old;
  const auto          dot = [&](const std::vector<double> &x, const std::vector<double> &y) {
    double sum = 0.0;

    for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
  };
  const double norm = std::sqrt(dot(b, b));

  for (int step = 0; step < most; step++) {
    if (std::sqrt(dot(r, r)) <= tolerance * norm) return step;
    P.Apply(r.data(), d.data());
    for (size_t k = old.size(); k-- > 0;) {
      const double c = dot(d, old[k].Ad) / old[k].q;

      for (size_t i = 0; i < n; i++) d[i] -= c * old[k].d[i];
    }
    problem.MultiplyOne(d.data(), Ad.data());
    const double q = dot(d, Ad), a = dot(r, d) / q;
    if (!std::isfinite(a)) return most;
    for (size_t i = 0; i < n; i++) r[i] -= a * Ad[i];
    if (north == 0) continue;
    if ((int)old.size() == north) {
      std::rotate(old.begin(), old.begin() + 1, old.end());
      old.pop_back();
    }
    old.push_back({d, Ad, q});
  }
  return most;
}

} // namespace training
} // namespace petlap
