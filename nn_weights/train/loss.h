/*
  What training makes small: functions of the network's output d for the residual r = A e.
*/
#pragma once

#include "sample.h"

namespace petlap {
namespace training {

/*
  residual   |r - A d|
  rel        1 - (r d)^2 / ((d A d) (r e)): the part of the squared A-norm of e that is left after a step of the best length along d
  anorm      |e - d|_A^2 / |e|_A^2
  sip        |d - x|^2 / 2, where x = d + U(d) is held constant, and U(d) is what a solver makes of the residual r - A d (scale-invariant physics, Holl et al. 2022)
  sipn       the same divided by |x|^2
*/
enum LossKind { LOSS_RESIDUAL, LOSS_REL, LOSS_ANORM, LOSS_SIP, LOSS_SIPN };
enum Metric { METRIC_L2, METRIC_A };
/* U from e - d, which is the exact solution, or from a KSP */
enum SipSolver { SIP_EXACT, SIP_KSP };
extern const char *const LossNames[], *const MetricNames[], *const SipSolverNames[];

struct Loss {
  LossKind  kind   = LOSS_REL;
  Metric    metric = METRIC_L2;
  SipSolver solver = SIP_EXACT;
  double    unit   = 0.05; /* rel leaves the size of d free: so much of the square of what the best length differs from one is added */

  bool sip() const
  {
    return kind == LOSS_SIP || kind == LOSS_SIPN;
  }
  /* x, for the losses that need it */
  PetscErrorCode Target(Sample &sample, const Block &r, const Block &d, const Block &Ad, Block &x) const;
  /* The loss of each column, and the derivatives by d */
  void Evaluate(const Sample &sample, const Block &r, const Dots &re, const Block &d, const Block &Ad, const Block &x, Dots *value, Block &g) const;
};

} // namespace training
} // namespace petlap
