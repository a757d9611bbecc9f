#include "loss.h"
#include <algorithm>
#include <cmath>

namespace petlap {
namespace training {

const char *const LossNames[]      = {"residual", "rel", "anorm", "sip", "sipn", "LossKind", "LOSS_", nullptr};
const char *const MetricNames[]    = {"l2", "a", "Metric", "METRIC_", nullptr};
const char *const SipSolverNames[] = {"exact", "ksp", "SipSolver", "SIP_", nullptr};

PetscErrorCode Loss::Target(Sample &sample, const Block &r, const Block &d, const Block &Ad, Block &x) const
{
  PetscFunctionBegin;
  if (!sip()) PetscFunctionReturn((PetscErrorCode)0);
  if (solver == SIP_EXACT) {
    /* U is orthogonal to the kernel of A, of which a right-hand side tells nothing */
    x.resize(d.size());
    for (size_t i = 0; i < d.size(); i++) x[i] = sample.e[i] - d[i];
    sample.problem.Project(x.data());
  } else {
    Block b(d.size());

    for (size_t i = 0; i < d.size(); i++) b[i] = r[i] - Ad[i];
    PetscCall(sample.Correct(b, x));
  }
  for (size_t i = 0; i < d.size(); i++) x[i] += d[i];
  PetscFunctionReturn((PetscErrorCode)0);
}

void Loss::Evaluate(const Sample &sample, const Block &r, const Dots &re, const Block &d, const Block &Ad, const Block &x, Dots *value, Block &g) const
{
  const Problem &problem = sample.problem;
  const size_t   n       = problem.n;
  Dots           a, c;

  g.assign(n * BATCH, 0.0);
  switch (kind) {
  case LOSS_RESIDUAL: {
    Block t(n * BATCH);

    for (size_t i = 0; i < n * BATCH; i++) t[i] = Ad[i] - r[i];
    const Dots square = Dot(n, t.data(), t.data());
    problem.Multiply(t.data(), g.data());
    for (int b = 0; b < BATCH; b++) {
      value->v[b] = std::sqrt(square.v[b]);
      a.v[b]      = value->v[b] > 0.0 ? 1.0 / value->v[b] : 0.0;
    }
    Scale(n, a, g.data());
    return;
  }
  case LOSS_REL:
  case LOSS_ANORM: {
    const Dots rd = Dot(n, r.data(), d.data()), q = Dot(n, d.data(), Ad.data());

    for (int b = 0; b < BATCH; b++) {
      const double m    = re.v[b];
      const bool   good = m > 0.0 && (kind == LOSS_ANORM || q.v[b] > 0.0);

      value->v[b] = a.v[b] = c.v[b] = 0.0;
      if (!good) continue;
      if (kind == LOSS_REL) {
        value->v[b]         = 1.0 - rd.v[b] * rd.v[b] / (q.v[b] * m);
        a.v[b]              = -2.0 * rd.v[b] / (q.v[b] * m);
        c.v[b]              = -a.v[b] * rd.v[b] / q.v[b];
        const double length = rd.v[b] / q.v[b], off = length - 1.0;
        value->v[b] += unit * off * off;
        a.v[b] += 2.0 * unit * off / q.v[b];
        c.v[b] -= 4.0 * unit * off * length / q.v[b];
      } else {
        value->v[b] = 1.0 + (q.v[b] - 2.0 * rd.v[b]) / m;
        c.v[b]      = 2.0 / m;
        a.v[b]      = -c.v[b];
      }
    }
    Axpy(n, a, r.data(), g.data());
    Axpy(n, c, Ad.data(), g.data());
    return;
  }
  default: {
    Block t(n * BATCH);
    Dots  size;

    for (size_t i = 0; i < n * BATCH; i++) t[i] = d[i] - x[i];
    if (metric == METRIC_A) {
      Block Ax(n * BATCH);

      problem.Multiply(x.data(), Ax.data());
      size = Dot(n, x.data(), Ax.data());
      problem.Multiply(t.data(), g.data());
    } else {
      size = Dot(n, x.data(), x.data());
      g    = t;
    }
    const Dots square = Dot(n, t.data(), g.data());
    for (int b = 0; b < BATCH; b++) {
      a.v[b]      = kind == LOSS_SIP ? 1.0 : size.v[b] > 0.0 ? 1.0 / size.v[b] : 0.0;
      value->v[b] = 0.5 * a.v[b] * square.v[b];
    }
    Scale(n, a, g.data());
  }
  }
}

} // namespace training
} // namespace petlap
