#include "tests/differential/cases.h"
#include "tests/differential/options.h"
#include "tests/differential/reference.h"
#include <algorithm>
#include <limits>

namespace differential {

const char *const VerdictNames[] = {"right", "aspeer", "loose", "honest", "inaccurate", "wrong"};

/* Backward errors of direct solves */
static const long double wrong = 1e-10L, inaccurate = 1e-12L;
/* Norms of smaller right-hand sides underflow */
static const double tiny = 1e-150;

struct Run {
  MPI_Comm    comm;
  CaseReport  report;
  Setup       setup;
  System      system;
  bool        verbose;
  CaseResult *result;
};

static void Raise(Run &run, Verdict verdict, const std::string &text)
{
  if (run.verbose) run.report("verdict", std::string(VerdictNames[verdict]) + ": " + text);
  if (verdict <= run.result->verdict) return;
  run.result->verdict = verdict;
  run.result->text    = text;
}

static std::string Format(const char format[], double a, double b = 0)
{
  char text[200];

  snprintf(text, sizeof(text), format, a, b);
  return text;
}

static bool AllFinite(const std::vector<double> &v)
{
  return std::all_of(v.begin(), v.end(), [](double a) { return std::isfinite(a); });
}

static void Honest(Run &run, const Answer &answer, const std::vector<double> &b, bool transpose)
{
  const std::string why = answer.code ? "error " + answer.text : std::string(KSPConvergedReasons[answer.reason]);

  run.report("peer", "direct");
  const Direct peer = SolveDirect(run.system, b, transpose);
  if (peer.solved && run.result->verdict <= HONEST) run.result->peer = true;
  Raise(run, HONEST, why + (peer.solved ? " (peer solves: " : " (peer fails: ") + Format("backward error %.1e, condition %.1e)", peer.backward, peer.condition));
}

/* Of a solve without iterations around it */
static void JudgeDirect(Run &run, const Answer &answer, const Residual &m, const std::vector<double> &b, bool transpose)
{
  const bool  unrefined = run.setup.Has("-mat_schwarzschur_refine 0"), single = run.setup.Has("-mat_schwarzschur_precision single");
  long double most = unrefined && single ? 1e-3L : wrong;

  (void)answer;
  if (!m.finite) return Raise(run, WRONG, "converged with values that are not finite");
  /* Answers that were asked not to be checked */
  if (unrefined && !run.system.tame) return;
  if (m.backward > most) {
    run.report("peer", "direct");
    const Direct peer = SolveDirect(run.system, b, transpose);
    return Raise(run, WRONG, Format("backward error %.2e", (double)m.backward) + Format(", peer %.2e, condition %.1e", peer.backward, peer.condition));
  }
  if (m.backward > inaccurate && !unrefined) {
    run.report("peer", "direct");
    const Direct peer = SolveDirect(run.system, b, transpose);
    if (peer.backward >= 0 && peer.backward < (double)inaccurate) Raise(run, INACCURATE, Format("backward error %.2e", (double)m.backward) + Format(", peer %.2e", peer.backward));
  }
}

/* The value of an option, or nothing */
static std::string Value(const std::string &options, const std::string &name)
{
  const size_t at = options.find(name + " ");

  if (at == std::string::npos) return "";
  const size_t from = at + name.size() + 1;
  return options.substr(from, options.find(' ', from) - from);
}

/* Others in the same method, the closest first; own: also those of petlap in another precision */
static std::vector<std::pair<std::string, std::string>> Peers(const Run &run, bool own)
{
  std::vector<std::pair<std::string, std::string>> peers;
  const std::string                                krylov = run.setup.krylov;

  if (run.setup.type == 'p') {
    const std::string rest = " -ksp_rtol " + Value(krylov, "-ksp_rtol") + " -ksp_max_it 5000";
    const std::string norm = Value(krylov, "-ksp_norm_type"), type = norm.empty() ? "unpreconditioned" : norm;

    peers.push_back({"-ksp_type cg -ksp_norm_type " + type + rest, run.setup.pc});
    peers.push_back({"-ksp_type fcg -ksp_norm_type " + type + rest, run.setup.pc});
    return peers;
  }
  if (own && run.setup.type == 'h' && !run.setup.Has("-pc_hsc_precision double")) peers.push_back({krylov, run.setup.pc + " -pc_hsc_precision double"});
  if (own && (run.setup.type == 'h' || run.setup.type == 'n')) peers.push_back({krylov, "-pc_type hsc -pc_hsc_precision double"});
  if (run.setup.type == 's') {
    /* Of a system that is close to singular each ordering of the same elimination comes to another residual */
    peers.push_back({krylov, "-pc_type lu -pc_factor_mat_solver_type mumps"});
    for (const char *ordering : {"0", "2", "5", "6"}) peers.push_back({krylov, std::string("-pc_type lu -pc_factor_mat_solver_type mumps -mat_mumps_icntl_7 ") + ordering});
    return peers;
  }
#if defined(PETSC_HAVE_HYPRE)
  /* It does not survive rows without a diagonal, nor a single one */
  PetscInt diagonals = 0;
  for (const Entry &e : run.system.entry) diagonals += e.i == e.j && e.v != 0;
  if (run.system.n > 1 && diagonals == run.system.n) peers.push_back({krylov, "-pc_type hypre"});
#endif
  peers.push_back({krylov, "-pc_type jacobi"});
  /* Some methods do not bear what solves exactly */
  if (!own) peers.push_back({krylov, "-pc_type lu -pc_factor_mat_solver_type mumps"});
  return peers;
}

/* How far x is from y where that is small, in the norm of the matrix or in that of the vectors; without the part that the null space leaves open */
static double Distance(const System &s, bool energy, const std::vector<double> &x, const std::vector<double> &y)
{
  std::vector<double>      e(x.size());
  std::vector<long double> Ae, Ay;
  long double              shift = 0, kk = 0, above = 0, below = 0;

  for (size_t i = 0; i < s.kernel.size(); i++) {
    shift += (long double)s.kernel[i] * (x[i] - y[i]);
    kk += (long double)s.kernel[i] * s.kernel[i];
  }
  for (size_t i = 0; i < e.size(); i++) e[i] = x[i] - y[i] - (kk > 0 ? (double)(shift / kk) * s.kernel[i] : 0);
  if (energy) {
    s.Multiply(false, e, Ae);
    s.Multiply(false, y, Ay);
  } else {
    Ae.assign(e.begin(), e.end());
    Ay.assign(y.begin(), y.end());
  }
  for (size_t i = 0; i < e.size(); i++) {
    above += e[i] * Ae[i];
    below += y[i] * Ay[i];
  }
  return (double)std::sqrt(std::abs(above) / std::abs(below));
}

/* Whether x is as close to the solution as a method may promise that sees the residual through a good preconditioner */
static bool CloseToSolution(Run &run, const Answer &answer, const std::vector<double> &best, const std::vector<double> &b, bool transpose, std::string *text)
{
  double              uncertain = answer.rtol;
  std::vector<double> y         = best;

  if (run.system.kernel.empty()) {
    const Direct peer = SolveDirect(run.system, b, transpose);

    if (!peer.solved) return false;
    y = peer.x;
    if (peer.condition > 0) uncertain = std::max(uncertain, peer.condition * std::numeric_limits<double>::epsilon());
  }
  if (y.empty()) return false;
  const double error = Distance(run.system, answer.norm == KSP_NORM_NATURAL, answer.x, y);
  *text += Format(", error %.2e", error);
  return error <= 30 * uncertain;
}

/* Whether what a method says of its own norm is so, as far as rounding in a product with the matrix lets it be: others with the same preconditioner have another residual where they stop */
static bool SmallInItsNorm(Run &run, Problem &problem, const Answer &answer, const std::vector<double> &b, std::string *text)
{
  std::vector<double>      r(b.size()), e(b.size()), Mr, Mb, Me;
  std::vector<long double> Ax;
  long double              above = 0, below = 0, rounding = 0;
  const bool               natural = answer.norm == KSP_NORM_NATURAL;

  run.system.Multiply(false, answer.x, Ax);
  for (size_t i = 0; i < b.size(); i++) {
    r[i] = (double)(b[i] - Ax[i]);
    e[i] = std::abs(b[i]);
  }
  for (const Entry &entry : run.system.entry) e[(size_t)entry.i] += std::abs(entry.v * answer.x[(size_t)entry.j]);
  for (size_t i = 0; i < e.size(); i++) e[i] *= (i * 2654435761u >> 7) % 2 ? std::numeric_limits<double>::epsilon() : -std::numeric_limits<double>::epsilon();
  if (!problem.Precondition(r, &Mr) || !problem.Precondition(b, &Mb) || !problem.Precondition(e, &Me)) return false;
  for (size_t i = 0; i < b.size(); i++) {
    above += (natural ? r[i] : (long double)Mr[i]) * Mr[i];
    below += (natural ? b[i] : (long double)Mb[i]) * Mb[i];
    rounding += (natural ? e[i] : (long double)Me[i]) * Me[i];
  }
  const double part = (double)std::sqrt(std::abs(above) / std::abs(below)), allowed = (double)std::sqrt(std::abs(rounding) / std::abs(below));
  *text += Format(", %.2e in its norm", part) + Format(" where rounding makes %.2e", allowed);
  return part <= 10 * std::max((double)answer.rtol, 10 * allowed);
}

/* Whether factors solve for what is left and for the right-hand side: then a residual that is small behind them is all that a method has to promise */
static bool SolvesBoth(Run &run, Problem &problem, const Answer &answer, const std::vector<double> &b)
{
  std::vector<double>      r(b.size()), z;
  std::vector<long double> Ax;

  run.system.Multiply(false, answer.x, Ax);
  for (size_t i = 0; i < b.size(); i++) r[i] = (double)(b[i] - Ax[i]);
  for (const std::vector<double> *of : {&b, (const std::vector<double> *)&r}) {
    if (!problem.Precondition(*of, &z) || !(Measure(run.system, false, run.setup.nullspace, *of, z).backward <= 1e-13)) return false;
  }
  return true;
}

/* Whether the right-hand side of a singular system has a part that no solution makes */
static bool Unreached(const System &s, const std::vector<double> &b, bool transpose)
{
  const std::vector<double> &left  = transpose ? s.kernel : s.left;
  long double                shift = 0, kk = 0, bb = 0;

  for (size_t i = 0; i < left.size(); i++) {
    shift += (long double)left[i] * b[i];
    kk += (long double)left[i] * left[i];
    bb += (long double)b[i] * b[i];
  }
  return std::abs(shift) > 1e-8L * std::sqrt(kk * bb);
}

/* Of a method that says that the residual is small */
static void JudgeKrylov(Run &run, Problem &problem, const Answer &answer, const Residual &m, const std::vector<double> &b, bool transpose)
{
  const long double   limit = 10 * std::max((long double)answer.rtol * m.b2, 100 * m.rounding);
  std::string         what  = Format("%.2e of the right-hand side is left", (double)(m.two / m.b2)) + Format(" at rtol %g after %g iterations", answer.rtol, (double)answer.its);
  const bool          exact = answer.norm == KSP_NORM_UNPRECONDITIONED;
  long double         least = -1, first = -1;
  std::vector<double> best;

  if (!m.finite) return Raise(run, WRONG, "converged with values that are not finite");
  if (m.two <= limit || answer.norm == KSP_NORM_NONE || m.b2 < tiny) return;
  run.report("peer", "krylov");
  for (const auto &peer : Peers(run, !exact)) {
    const Answer other = SolveOther(run.comm, run.system, run.setup, peer.first, peer.second, b, transpose);

    if (!other.Converged()) continue;
    const Residual of = Measure(run.system, transpose, run.setup.nullspace, b, other.x);
    if (!of.finite) continue;
    what += ", " + peer.second + Format(" %.2e", (double)(of.two / of.b2));
    /* Where the norm depends on the preconditioner the closest one decides, or those that are the same but for rounding; else, and where there is a null
       space, any that does no better shows what the method can do */
    if (first < 0 || ((exact || run.setup.type == 's' || !run.system.kernel.empty()) && of.two > first)) first = of.two;
    if (least < 0 || of.two < least) {
      least = of.two;
      best  = other.x;
    }
  }
  if (first >= 0 && m.two <= 10 * first) return Raise(run, ASPEER, what);
  /* Residuals that no solution makes small, which a method takes for small after all, with whatever preconditioner */
  if (exact && first > limit && Unreached(run.system, b, transpose)) return Raise(run, ASPEER, what + ", no solution");
  /* What PETSc's recurrences come to on a singular system that has no solution, and that nobody solves */
  if (exact && first < 0 && !run.setup.Has("-ksp_type psdo") && !SolveDirect(run.system, b, transpose).solved) return Raise(run, ASPEER, what + ", no peer");
  if (exact) return Raise(run, WRONG, what);
  if (run.setup.type == 'p' && SmallInItsNorm(run, problem, answer, b, &what)) return Raise(run, LOOSE, what);
  if (run.setup.type == 's' && !transpose && SolvesBoth(run, problem, answer, b) && SmallInItsNorm(run, problem, answer, b, &what)) return Raise(run, LOOSE, what);
  if (CloseToSolution(run, answer, best, b, transpose, &what)) return Raise(run, LOOSE, what);
  /* Without a peer nothing can be said of a norm that is not that of the residual */
  Raise(run, first < 0 ? ASPEER : WRONG, what);
}

static void Judge(Run &run, Problem &problem, const Answer &answer, const std::vector<double> &b, bool transpose)
{
  const bool finite = run.system.Finite() && AllFinite(b);

  run.result->iterations += answer.its + (answer.delayed ? 10 : 0);

  if (run.verbose) {
    run.report("solve", answer.code ? answer.text : std::string(KSPConvergedReasons[answer.reason]) + ", " + std::to_string(answer.its) + " iterations, norm " + KSPNormTypes[answer.norm]);
    if (!answer.code)
      run.report("measure", Format("backward error %.2e, residual %.2e", (double)Measure(run.system, transpose, run.setup.nullspace, b, answer.x).backward, (double)Measure(run.system, transpose, run.setup.nullspace, b, answer.x).two));
  }
  if (!answer.code && answer.reason == KSP_CONVERGED_ITERATING) return Raise(run, WRONG, "no reason is given");
  if (!answer.Converged()) return Honest(run, answer, b, transpose);
  if (!finite) {
    /* Direct solves hand on what is not finite in a right-hand side */
    if (run.system.Finite() && answer.direct) return;
    if (run.system.Finite() || std::any_of(b.begin(), b.end(), [](double v) { return std::abs(v) > tiny; })) Raise(run, WRONG, "converged with data that are not finite");
    return;
  }
  const Residual m = Measure(run.system, transpose, run.setup.nullspace, b, answer.x);

  if (answer.direct)
    JudgeDirect(run, answer, m, b, transpose);
  else
    JudgeKrylov(run, problem, answer, m, b, transpose);
}

/* New values in the same pattern */
static System Changed(Random &r, const System &s, bool diagonal)
{
  System       t   = s;
  const double all = r.Chance(0.3) ? r.Power(-8, 8) : 1, add = r.Power(-3, 1);
  double       most = 0;

  for (Entry &e : t.entry) most = std::max(most, std::abs(e.v));
  for (Entry &e : t.entry) {
    if (diagonal && e.i == e.j) e.v += add * (e.v < 0 ? -1 : 1) * std::min(most, std::max(1e-300, std::abs(e.v)));
    if (!diagonal) e.v *= all;
  }
  if (!diagonal && r.Chance(0.5)) {
    /* The same factor for an entry and its mirror image */
    const double k = r.Uniform(0, 1);

    for (Entry &e : t.entry) {
      if (e.i == e.j) e.v *= 1 + k;
    }
    t.kernel.clear();
  }
  if (diagonal) t.kernel.clear();
  if (t.kernel.empty()) t.left.clear();
  return t;
}

static const char *const scenarios[] = {"once", "once", "once", "once", "zero-first", "nan-first", "several", "values", "nan-values", "shift", "transpose", "columns", "late", "new-matrix"};

static std::vector<double> ZeroOrNaN(const std::vector<double> &b, double v)
{
  std::vector<double> c = b;

  if (v == 0)
    std::fill(c.begin(), c.end(), 0.0);
  else
    c[c.size() / 2] = v;
  return c;
}

/* All columns at once, now and then with one that is zero; each is judged */
static void Columns(Run &run, Random &r, Problem &problem, bool transpose)
{
  std::vector<std::vector<double>> b((size_t)(r.Chance(0.2) ? r.Integer(30, 40) : r.Integer(1, 5)));

  for (auto &c : b) {
    c = DrawRHS(r, run.system);
    if (r.Chance(0.2)) std::fill(c.begin(), c.end(), 0.0);
  }
  const std::vector<Answer> answers = problem.SolveColumns(run.system, b, transpose);
  for (size_t q = 0; q < b.size(); q++) {
    Judge(run, problem, answers[q], b[q], transpose);
    if (!answers[q].Converged()) return;
  }
}

static void Solve(Run &run, Problem &problem, const std::vector<double> &b, bool transpose = false)
{
  run.report("solve", "");
  Judge(run, problem, problem.Solve(run.system, b, transpose), b, transpose);
}

static PetscErrorCode Play(Run &run, Random &r, Problem &problem, const std::string &scenario)
{
  const System              original = run.system;
  const std::vector<double> b        = DrawRHS(r, run.system);
  std::string               called;

  PetscFunctionBeginUser;
  if (scenario == "zero-first") Solve(run, problem, ZeroOrNaN(b, 0));
  if (scenario == "nan-first") Solve(run, problem, ZeroOrNaN(b, r.Chance(0.5) ? NAN : INFINITY));
  if (scenario == "columns" && run.setup.type == 's') {
    Columns(run, r, problem, r.Chance(0.3));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (scenario == "nan-values") {
    if (run.system.entry.empty()) PetscFunctionReturn(PETSC_SUCCESS);
    for (int k = r.Chance(0.5) ? 1 : 2; k > 0; k--) {
      const Entry  one = run.system.entry[(size_t)r.Integer(0, (PetscInt)run.system.entry.size() - 1)];
      const double bad = r.Chance(0.5) ? NAN : INFINITY;

      /* Some types of matrices hold one half */
      for (Entry &e : run.system.entry) {
        if ((e.i == one.i && e.j == one.j) || (e.i == one.j && e.j == one.i)) e.v = bad;
      }
      if (problem.SetValues(run.system, false)) PetscFunctionReturn(PETSC_SUCCESS);
      Solve(run, problem, b);
    }
    run.system = original;
    if (problem.SetValues(run.system, false)) PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (scenario == "late" && r.Chance(0.7)) Solve(run, problem, b);
  if (scenario == "late") {
    const std::string bad = problem.CallLate(r, run.system, &called);

    if (!bad.empty()) Raise(run, WRONG, bad);
    if (run.verbose) run.report("called", called);
    if (r.Chance(0.5)) {
      run.system = Changed(r, original, false);
      if (problem.SetValues(run.system, r.Chance(0.3))) PetscFunctionReturn(PETSC_SUCCESS);
    }
  }
  if (scenario == "transpose" && (run.setup.type == 's' || run.setup.type == 'h') && r.Chance(0.7)) {
    Solve(run, problem, b, true);
    if (r.Chance(0.5)) PetscFunctionReturn(PETSC_SUCCESS);
  }
  Solve(run, problem, b);
  if (scenario == "several") {
    for (PetscInt k = r.Integer(1, 3); k > 0; k--) Solve(run, problem, DrawRHS(r, run.system));
  }
  if (scenario == "values" || scenario == "shift" || scenario == "new-matrix") {
    for (PetscInt k = r.Integer(1, 3); k > 0; k--) {
      run.system = Changed(r, original, scenario == "shift");
      if (problem.SetValues(run.system, scenario == "new-matrix")) PetscFunctionReturn(PETSC_SUCCESS);
      Solve(run, problem, DrawRHS(r, run.system));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One of those of the type, or a system from a file */
static PetscErrorCode DrawSystem(const CaseNumbers &numbers, int ranks, Random &r, System *s, std::string *name)
{
  static std::vector<Family>  all;
  std::vector<const Family *> weighted;
  std::vector<std::string>    files;

  PetscFunctionBeginUser;
  if (all.empty()) {
    for (const auto &list : {GraphFamilies(), GridFamilies(), CoupledFamilies(), VoxelFamilies()}) all.insert(all.end(), list.begin(), list.end());
  }
  auto asked = [&](const std::string &family) { return numbers.families.empty() || std::find(numbers.families.begin(), numbers.families.end(), family) != numbers.families.end(); };
  for (const Family &f : all) {
    for (const char *t = f.types; *t; t++) {
      if (*t == numbers.type && asked(f.name)) weighted.push_back(&f);
    }
  }
  for (const std::string &file : numbers.files) {
    if (asked("files") || asked(file.substr(file.find_last_of('/') + 1))) files.push_back(file);
  }
  PetscCheck(!weighted.empty() || !files.empty(), PETSC_COMM_SELF, PETSC_ERR_USER, "No family of these names is for this type");
  if (!files.empty() && (weighted.empty() || r.Chance(0.5))) {
    const std::string file = files[(size_t)r.Integer(0, (PetscInt)files.size() - 1)];

    *name = file.substr(file.find_last_of('/') + 1);
    if (FileSystem(file, r, numbers.most, s)) {
      *s = System();
      PetscFunctionReturn(PETSC_SUCCESS);
    }
  } else {
    const Family *f = weighted[(size_t)r.Integer(0, (PetscInt)weighted.size() - 1)];

    *name = f->name;
    /* Small ones are quick and find most; some are large enough for several levels, or for work on all ranks */
    const double   large = r();
    const PetscInt most  = ranks == 1 ? (large < 0.06 ? numbers.most : large < 0.25 ? 900 : 150) : (large < 0.2 ? 4 * numbers.most : large < 0.5 ? numbers.most : 300);
    f->make(r, std::min(most, ranks == 1 ? numbers.most : 4 * numbers.most), s);
  }
  s->Assemble();
  PetscFunctionReturn(PETSC_SUCCESS);
}

static std::string Line(const CaseNumbers &numbers, const Run &run, int ranks, const std::string &family, const std::string &scenario)
{
  static const char *const types[] = {"schwarzschur", "hsc", "psdo", "neural"};
  const System            &s       = run.system;
  std::string              line    = "-seed " + std::to_string(numbers.seed) + " -case " + std::to_string(numbers.number) + " -type " + types[std::string("shpn").find(numbers.type)] + " -ranks " + std::to_string(ranks);

  line += " | family=" + family + s.note + " n=" + std::to_string(s.n);
  if (s.dim) line += " grid=" + std::to_string(s.size[0]) + "x" + std::to_string(s.size[1]) + "x" + std::to_string(s.size[2]) + " dof=" + std::to_string(s.dof);
  if (s.periodic[0] || s.periodic[1] || s.periodic[2]) line += " periodic=" + std::to_string(s.periodic[0]) + std::to_string(s.periodic[1]) + std::to_string(s.periodic[2]);
  if (s.reduced) line += " fluid-rows";
  line += " scenario=" + scenario + " mat=" + run.setup.mattype + (run.setup.dm ? " dm" : "") + (run.setup.nullspace ? " nullspace" : "") + (run.setup.flags ? " flags" : "");
  if (ranks > 1) line += " layout=" + std::to_string(run.setup.layout);
  return line + " " + run.setup.Options();
}

PetscErrorCode RunCase(MPI_Comm comm, const CaseNumbers &numbers, CaseReport report, CaseResult *result)
{
  Run               run;
  Random            r        = {numbers.seed * 0x9e3779b97f4a7c15ull + (uint64_t)numbers.number * 0xd1342543de82ef95ull + (uint64_t)numbers.type};
  const std::string scenario = (r.Next(), r.Pick(scenarios));
  int               ranks;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  run.comm            = comm;
  run.report          = report;
  run.verbose         = numbers.verbose;
  run.result          = result;
  run.setup.type      = numbers.type;
  run.setup.nonfinite = scenario == "nan-values";
  PetscCall(DrawSystem(numbers, ranks, r, &run.system, &result->family));
  if (run.system.n == 0) {
    /* A file that the loader refuses, which is not what this tests */
    result->verdict = HONEST;
    result->text    = "error of the loader: " + LastError();
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  Twist(r, numbers.type, &run.system);
  DrawOptions(r, run.system, ranks, &run.setup);
  if (!numbers.options.empty()) run.setup.pc += " " + numbers.options;
  result->line = Line(numbers, run, ranks, result->family, scenario);
  report("begin", result->family + " " + result->line);
  Problem              problem(comm, run.setup);
  const PetscErrorCode code = problem.Create(run.system);
  if (code) {
    Answer answer;

    answer.code = code;
    answer.text = "matrix: " + LastError();
    Honest(run, answer, std::vector<double>(run.system.n, 1.0), false);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(Play(run, r, problem, scenario));
  PetscFunctionReturn(PETSC_SUCCESS);
}

} // namespace differential
