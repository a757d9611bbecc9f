#include "tests/differential/options.h"

namespace differential {

static std::string Number(double v)
{
  char text[32];

  snprintf(text, sizeof(text), "%g", v);
  return text;
}

/* Sets an option to one of some values, with a probability */
struct Table {
  Random      &r;
  std::string *text;

  void Set(const std::string &name, const std::string &value)
  {
    *text += (text->empty() ? "" : " ") + name + " " + value;
  }
  template <size_t N>
  void Maybe(double p, const char name[], const char *const (&values)[N])
  {
    if (r.Chance(p)) Set(name, r.Pick(values));
  }
};

static const char *const tolerances[] = {"1e-5", "1e-8", "1e-8", "1e-10", "1e-12"};

static void Schwarzschur(Random &r, const System &s, int ranks, Setup *setup)
{
  static const char *const blocks[] = {"1", "2", "3", "5", "8", "16"}, *const leaves[] = {"1", "2", "3", "4", "6", "12"}, *const thresholds[] = {"0", "0.01", "0.5", "1"};
  static const char *const separators[] = {"straight", "auto"}, *const constants[] = {"auto", "no"}, *const isas[] = {"portable", "avx2"}, *const refine[] = {"1", "2", "3", "10"}, *const threads[] = {"2", "3"}, *const limits[] = {"1", "1000"};
  static const char *const methods[] = {"gmres", "fgmres", "bcgs", "richardson", "gcr", "lgmres", "tfqmr", "psdo"};
  Table                    krylov = {r, &setup->krylov}, pc = {r, &setup->pc};
  const bool               cholesky = s.symmetric ? r.Chance(0.5) : r.Chance(0.02);

  if (r.Chance(0.8)) {
    krylov.Set("-ksp_type", "preonly");
  } else {
    krylov.Set("-ksp_type", s.definite && r.Chance(0.5) ? "cg" : r.Pick(methods));
    krylov.Set("-ksp_rtol", r.Pick(tolerances));
    krylov.Set("-ksp_max_it", "50");
    if (setup->Has("gmres") && r.Chance(0.3)) krylov.Set("-ksp_pc_side", "right");
  }
  pc.Set("-pc_type", cholesky ? "cholesky" : "lu");
  pc.Set("-pc_factor_mat_solver_type", "schwarzschur");
  if (r.Chance(0.15)) {
    if (s.definite && r.Chance(0.3))
      pc.Set("-mat_schwarzschur_mode", "spd");
    else
      pc.Set("-mat_schwarzschur_mode", s.symmetric && r.Chance(0.6) ? "symmetric" : "lu");
  }
  if (r.Chance(0.2)) pc.Set("-mat_schwarzschur_precision", "single");
  if (s.tame && r.Chance(0.1))
    pc.Set("-mat_schwarzschur_refine", "0");
  else
    pc.Maybe(0.1, "-mat_schwarzschur_refine", refine);
  pc.Maybe(0.15, "-mat_schwarzschur_pivot_threshold", thresholds);
  pc.Maybe(0.2, "-mat_schwarzschur_block", blocks);
  pc.Maybe(0.2, "-mat_schwarzschur_leaf", leaves);
  /* What does not go together is refused, and only drawn now and then */
  if (r.Chance(s.star && s.dim == 2 && s.dof == 1 && !s.periodic[0] && !s.periodic[1] ? 0.2 : 0.01))
    pc.Set("-mat_schwarzschur_separators", "diagonal");
  else
    pc.Maybe(0.1, "-mat_schwarzschur_separators", separators);
  pc.Maybe(0.02, "-mat_schwarzschur_threads", threads);
  pc.Maybe(0.02, "-mat_schwarzschur_memory_limit", limits);
  if (ranks == 1) {
    if (r.Chance(s.uniform ? 0.3 : 0.01))
      pc.Set("-mat_schwarzschur_constant", "yes");
    else
      pc.Maybe(0.1, "-mat_schwarzschur_constant", constants);
    pc.Maybe(0.1, "-mat_schwarzschur_isa", isas);
    if (s.batch > 1) pc.Set("-mat_schwarzschur_batch", std::to_string(s.batch));
  }
  if (!setup->dm && s.dim && (s.batch == 1 || ranks == 1) && r.Chance(0.8)) {
    std::string grid, closed;

    for (int d = 0; d < s.dim; d++) {
      grid += (d ? "," : "") + std::to_string(s.size[d]);
      closed += std::string(d ? "," : "") + (s.periodic[d] ? "1" : "0");
    }
    pc.Set("-mat_schwarzschur_grid", grid);
    if (s.dof > 1) pc.Set("-mat_schwarzschur_dof", std::to_string(s.dof));
    if (closed.find('1') != std::string::npos) pc.Set("-mat_schwarzschur_periodic", closed);
  }
}

static void Hsc(Random &r, const System &s, int ranks, Setup *setup)
{
  /* Not qmrcgs, which in PETSc 3.18 is right the first time only */
  static const char *const methods[] = {"cg",  "cg",    "fcg",    "fcg",    "psdo", "gmres", "gmres",  "fgmres",  "lgmres", "bcgs",   "bcgsl",      "fbcgs",
                                        "cgs", "tfqmr", "minres", "symmlq", "cr",   "gcr",   "pipecg", "groppcg", "pgmres", "pipecr", "richardson", "ibcgs"};
  static const char *const yesno[] = {"0", "1"}, *const smoothers[] = {"gs", "jacobi"}, *const cycles[] = {"v", "w"}, *const sides[] = {"no", "yes"}, *const sweeps[] = {"1", "2"}, *const reuses[] = {"none", "shift"},
                           *const thetas[] = {"0", "0.3", "0.9", "1"};
  static const char *const minima[] = {"1", "4", "20"}, *const colorings[] = {"greedy", "paper"}, *const positives[] = {"drop", "lump", "error"}, *const reorders[] = {"none", "bfs"}, *const direct[] = {"1", "2", "10", "50"},
                           *const levels[] = {"1", "2", "5"};
  static const char *const        omegas[] = {"0.5", "0.67", "1"};
  Table                           krylov = {r, &setup->krylov}, pc = {r, &setup->pc};
  std::string                     method = r.Pick(methods);

  /* Methods that count on symmetry and have no use for what is left of it where columns remain */
  if (!s.symmetric && (method == "minres" || method == "symmlq" || method == "cr" || method == "pipecr")) method = "gmres";

  krylov.Set("-ksp_type", method);
  krylov.Set("-ksp_rtol", r.Pick(tolerances));
  krylov.Set("-ksp_max_it", "300");
  if (method == "fcg" && r.Chance(0.7)) krylov.Set("-ksp_fcg_mmax", "1");
  if ((method == "cg" || method == "fcg" || method == "psdo") && r.Chance(0.5)) krylov.Set("-ksp_norm_type", method != "psdo" && r.Chance(0.3) ? "natural" : "unpreconditioned");
  if ((method == "gmres" || method == "lgmres" || method == "bcgs" || method == "cgs") && r.Chance(0.4)) krylov.Set("-ksp_pc_side", "right");
  pc.Set("-pc_type", "hsc");
  if (r.Chance(0.4)) return;
  pc.Maybe(0.15, "-pc_hsc_symmetric", sides);
  pc.Maybe(0.25, "-pc_hsc_smoother", smoothers);
  pc.Maybe(0.1, "-pc_hsc_omega", omegas);
  pc.Maybe(0.1, "-pc_hsc_pre", sweeps);
  pc.Maybe(0.1, "-pc_hsc_post", sweeps);
  pc.Maybe(0.15, "-pc_hsc_cycle", cycles);
  pc.Maybe(0.15, "-pc_hsc_reuse", reuses);
  pc.Maybe(0.1, "-pc_hsc_theta_finest", thetas);
  pc.Maybe(0.1, "-pc_hsc_theta", thetas);
  pc.Maybe(0.1, "-pc_hsc_dmin", minima);
  pc.Maybe(0.1, "-pc_hsc_coloring", colorings);
  pc.Maybe(0.07, "-pc_hsc_compensate", yesno);
  if (setup->dm) pc.Maybe(0.3, "-pc_hsc_geometry", yesno);
  pc.Maybe(0.15, "-pc_hsc_positive", positives);
  pc.Maybe(0.05, "-pc_hsc_scaling", yesno);
  pc.Maybe(0.1, "-pc_hsc_symmetrize", yesno);
  pc.Maybe(0.1, "-pc_hsc_reorder", reorders);
  pc.Maybe(0.4, "-pc_hsc_direct_size", direct);
  pc.Maybe(0.1, "-pc_hsc_max_levels", levels);
  if (ranks > 1) pc.Maybe(0.2, "-pc_hsc_agglomerate", sweeps);
  if (r.Chance(0.2)) pc.Set("-pc_hsc_precision", "double");
  if (r.Chance(0.03)) pc.Set("-pc_hsc_shift", Number(r.Power(-6, 0)));
}

static void Neural(Random &r, const System &s, int, Setup *setup)
{
  static const char *const methods[] = {"psdo", "psdo", "fcg", "fgmres", "gcr", "fbcgs", "gmres", "bcgs", "cg"}, *const masks[] = {"none", "fluid", "dilated"}, *const scalings[] = {"none", "scalar", "diagonal"}, *const levels[] = {"1", "2", "3"};
  Table             krylov = {r, &setup->krylov}, pc = {r, &setup->pc};
  const std::string method = r.Pick(methods);

  krylov.Set("-ksp_type", method);
  krylov.Set("-ksp_rtol", r.Pick(tolerances));
  krylov.Set("-ksp_max_it", "200");
  if (method == "gmres" && r.Chance(0.5)) krylov.Set("-ksp_pc_side", "right");
  pc.Set("-pc_type", "neural");
  if (r.Chance(0.3)) pc.Set("-pc_neural_weights", "analytic");
  pc.Maybe(0.15, "-pc_neural_mask", masks);
  pc.Maybe(0.2, "-pc_neural_scaling", scalings);
  pc.Maybe(0.1, "-pc_neural_levels", levels);
  (void)s;
}

static void Psdo(Random &r, const System &s, int ranks, Setup *setup)
{
  static const char *const pcs[] = {"jacobi", "none", "sor", "bjacobi", "icc", "ilu", "gamg", "hsc", "pbjacobi", "asm"}, *const mmax[] = {"0", "1", "3", "8", "50"}, *const replace[] = {"1", "2", "10", "50"};
  static const char *const norms[] = {"unpreconditioned", "preconditioned", "natural", "none"};
  Table                    krylov = {r, &setup->krylov}, pc = {r, &setup->pc};
  std::string              name = r.Pick(pcs);

  krylov.Set("-ksp_type", "psdo");
  krylov.Set("-ksp_rtol", r.Pick(tolerances));
  krylov.Set("-ksp_max_it", r.Chance(0.3) ? "5000" : "300");
  krylov.Maybe(0.5, "-ksp_psdo_mmax", mmax);
  krylov.Maybe(0.4, "-ksp_psdo_residual_replacement", replace);
  krylov.Maybe(0.3, "-ksp_norm_type", norms);
  if (ranks > 1 && (name == "icc" || name == "ilu" || name == "eisenstat")) name = "bjacobi";
  /* PETSc's icc may not return for what is not symmetric, or not finite */
  if (name == "icc" && (!s.symmetric || setup->nonfinite)) name = "jacobi";
  pc.Set("-pc_type", name);
  if (name == "sor" && r.Chance(0.5)) pc.Set("-pc_sor_symmetric", "1");
}

void DrawOptions(Random &r, const System &s, int ranks, Setup *setup)
{
  setup->seed      = r.Next();
  setup->layout    = (int)r.Integer(0, 2);
  setup->dm        = s.dim > 0 && s.batch == 1 && r.Chance(0.4);
  setup->nullspace = !s.kernel.empty() && r.Chance(0.6);
  setup->flags     = r.Chance(0.3);
  if (setup->type == 's') {
    Schwarzschur(r, s, ranks, setup);
  } else if (setup->type == 'h') {
    static const char *const types[] = {"baij", "sbaij", "dense"};

    Hsc(r, s, ranks, setup);
    if (r.Chance(0.05)) setup->mattype = r.Pick(types);
    if (setup->mattype == "sbaij" && !s.symmetric) setup->mattype = "baij";
  } else if (setup->type == 'n') {
    Neural(r, s, ranks, setup);
  } else {
    Psdo(r, s, ranks, setup);
  }
  /* By default small systems converge without a step */
  setup->krylov += " -ksp_atol 1e-300";
}

} // namespace differential
