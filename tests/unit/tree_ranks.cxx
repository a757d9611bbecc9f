/*
  Factorizations and solves over ranks, on grids of many sizes and any number of ranks, in one process (messages.h): that no rank ever waits for what does not come, that only ranks of a
  front talk in it, that the numbers are right and do not depend on who is faster; and the same where a rank has no memory, finds no pivot, or is told by MPI that a call failed.

    unit_tree_ranks [K]          what a test run has time for, or one in K of that
    unit_tree_ranks all [N]      all planes up to N x N, 200 if not given, on 2 to 8 ranks: by hand
    unit_tree_ranks count        how many planes of 33 to 200 points in steps of 7 cannot be solved, for some numbers of ranks
*/
#include "mat/schwarzschur/tree_ranks.h"
#include "tests/unit/messages.h"
#include "tests/unit/random.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

/* ---- memory that is refused ---- */

namespace {

const int MOST = 64;

/* The allocation at of a rank, counted from 0, finds no memory, and with forever none after it does; armed while it matters */
struct Refusal {
  int  rank = -1;
  long at   = 0;
  bool forever, armed[MOST], refused;
  long count[MOST]; /* allocations of each rank while armed */
};
Refusal refusal;

bool Refused()
{
  const int rank = messages::Running();

  if (rank < 0 || !refusal.armed[rank]) return false;
  const long n = refusal.count[rank]++;
  if (rank != refusal.rank || !(n == refusal.at || (refusal.forever && n > refusal.at))) return false;
  refusal.refused = true;
  return true;
}

} // namespace

/* The linker puts these in the place of what the library calls */
extern "C" {
void *__real_malloc(size_t);
void *__real_aligned_alloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t n)
{
  return Refused() ? nullptr : __real_malloc(n);
}
void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
  return Refused() ? nullptr : __real_aligned_alloc(alignment, n);
}
void *__wrap_realloc(void *p, size_t n)
{
  return Refused() ? nullptr : __real_realloc(p, n);
}
}

void *operator new(size_t n)
{
  void *p = Refused() ? nullptr : __real_malloc(n ? n : 1);

  if (!p) throw std::bad_alloc();
  return p;
}
void *operator new(size_t n, const std::nothrow_t &) noexcept
{
  return Refused() ? nullptr : __real_malloc(n ? n : 1);
}
void operator delete(void *p) noexcept
{
  free(p);
}
void operator delete(void *p, size_t) noexcept
{
  free(p);
}

namespace {

int errors = 0;

/* ---- systems ---- */

struct Case {
  PlanGrid   grid;
  FactorMode mode;
  bool       single;
  int        columns, size;
};

std::string Name(const Case &c)
{
  const PlanGrid &g = c.grid;
  std::string     s = std::to_string(g.size[0]);

  for (int d = 1; d < g.dim; d++) s += " x " + std::to_string(g.size[d]);
  s += std::string(g.star ? " star" : " box") + (g.dof > 1 ? " dof " + std::to_string(g.dof) : "");
  if (g.periodic[0] || g.periodic[1] || g.periodic[2]) s += std::string(" periodic ") + (g.periodic[0] ? "x" : "") + (g.periodic[1] ? "y" : "") + (g.periodic[2] ? "z" : "");
  if (g.topology == PLAN_OCTAHEDRAL) s += " octahedral";
  if (g.separators == PLAN_SEPARATORS_STRAIGHT) s += " straight";
  if (g.separators == PLAN_SEPARATORS_DIAGONAL) s += " diagonal";
  s += c.mode == FACTOR_LU ? ", LU" : c.mode == FACTOR_SPD ? ", Cholesky" : ", symmetric";
  if (c.single) s += " single";
  if (c.columns) s += ", blocks of " + std::to_string(c.columns);
  return s + ", " + std::to_string(c.size) + " ranks";
}

void Expect(bool good, const Case &c, const std::string &text)
{
  if (good) return;
  if (errors++ < 20) printf("not ok - %s: %s\n", Name(c).c_str(), text.c_str());
}

Case Make(int dim, PetscInt nx, PetscInt ny, PetscInt nz, int size)
{
  Case c;

  memset(&c, 0, sizeof(c));
  c.grid.dim     = dim;
  c.grid.size[0] = nx;
  c.grid.size[1] = ny;
  c.grid.size[2] = nz;
  c.grid.dof     = 1;
  c.grid.width   = 1;
  c.size         = size;
  c.mode         = FACTOR_LU;
  return c;
}

/* A matrix with large entries on the diagonal, its rows by the slots of the stencil */
struct System {
  Plan                    *plan;
  std::vector<PetscInt>    neighbor; /* of each point and slot, or -1 */
  std::vector<PetscScalar> value, glue, b;

  explicit System(const Case &c)
  {
    const PlanGrid &g = c.grid;
    char            error[256];

    plan = PlanCreate(&g, 0, 0, error, sizeof(error));
    if (!plan) return;
    const int    dof = g.dof, K = plan->nstencil * dof;
    const bool   small = (g.periodic[0] && g.size[0] < 3) || (g.periodic[1] && g.size[1] < 3) || (g.periodic[2] && g.size[2] < 3);
    const double large = K + (g.topology == PLAN_OCTAHEDRAL ? 9 : 1);

    neighbor.resize((size_t)plan->npoints * plan->nstencil);
    value.assign((size_t)plan->npoints * dof * K, 0.0);
    b.resize((size_t)plan->npoints * dof);
    for (PetscInt p = 0; p < plan->npoints; p++) {
      const PetscInt at[3] = {p % g.size[0], p / g.size[0] % g.size[1], p / g.size[0] / g.size[1]};

      for (int s = 0; s < plan->nstencil; s++) {
        PetscInt t[3], q = 0;

        for (int d = 2; d >= 0; d--) {
          t[d] = at[d] + plan->stencil[s][d];
          if (g.periodic[d]) t[d] = (t[d] + g.size[d]) % g.size[d];
          if (t[d] < 0 || t[d] >= g.size[d]) q = -1;
          if (q >= 0) q = q * g.size[d] + t[d];
        }
        if (q >= 0 && small && PlanSlot(plan, p, q) != s) q = -1;
        neighbor[(size_t)p * plan->nstencil + s] = q;
        if (q < 0) continue;
        for (int a = 0; a < dof; a++) {
          for (int k = 0; k < dof; k++) {
            uint64_t     i = (uint64_t)p * dof + a, j = (uint64_t)q * dof + k;
            PetscScalar &v = value[((size_t)p * dof + a) * K + (size_t)s * dof + k];

            if (c.mode != FACTOR_LU && i > j) std::swap(i, j);
            Random random = {i * 1000003 + j};
            v             = i != j ? -random() : c.mode == FACTOR_SPD || random() < 0.5 ? large : -large;
          }
        }
      }
      for (int a = 0; a < dof; a++) b[(size_t)p * dof + a] = Random{(uint64_t)p * 5 + (uint64_t)a}() - 0.5;
    }
    if (g.topology != PLAN_OCTAHEDRAL) return;
    /* Couplings of points of the frame with the opposite ones */
    const int n    = plan->cls[plan->root].m * dof;
    PlanGlue *list = PlanSetGlue(plan, n / 2 * 2);
    for (int k = 0; k < n / 2; k++) {
      list[2 * k]     = {k, n - 1 - k, 2 * k};
      list[2 * k + 1] = {n - 1 - k, k, 2 * k + 1};
      glue.push_back(-0.25);
      glue.push_back(c.mode == FACTOR_LU ? -0.5 : -0.25);
    }
  }
  System(const System &)            = delete;
  System &operator=(const System &) = delete;
  ~System()
  {
    PlanDestroy(plan);
  }

  /* The largest entry of b - op(A) x */
  double Residual(const std::vector<PetscScalar> &x, bool transposed) const
  {
    const int                dof = plan->grid.dof, K = plan->nstencil * dof;
    const PlanClass         &root = plan->cls[plan->root];
    std::vector<PetscScalar> r    = b;
    double                   most = 0;
    const auto               add  = [&](size_t i, size_t j, PetscScalar v) { r[transposed ? j : i] -= v * x[transposed ? i : j]; };
    const auto               of   = [&](int at) { return (size_t)(plan->rootorigin + root.offset[at / dof]) * dof + at % dof; };

    for (PetscInt p = 0; p < plan->npoints; p++) {
      for (int s = 0; s < plan->nstencil; s++) {
        const PetscInt q = neighbor[(size_t)p * plan->nstencil + s];

        for (int a = 0; a < dof && q >= 0; a++) {
          for (int k = 0; k < dof; k++) add((size_t)p * dof + a, (size_t)q * dof + k, value[((size_t)p * dof + a) * K + (size_t)s * dof + k]);
        }
      }
    }
    for (PetscInt k = 0; k < plan->nglue; k++) add(of(plan->glue[k].row), of(plan->glue[k].col), glue[plan->glue[k].k]);
    for (PetscScalar v : r) {
      if (!(PetscAbsScalar(v) <= most)) most = PetscAbsScalar(v);
    }
    return most;
  }
};

/* ---- runs ---- */

enum Phase { CREATE, NUMERIC, SOLVE, NPHASE };

struct Script {
  uint64_t                        seed  = 1;
  const std::vector<PetscScalar> *bad   = nullptr; /* values that are put in first */
  int                             phase = -1;      /* of the refusal */
};

struct Outcome {
  messages::Result         result;
  int                      code[NPHASE], bad; /* the same on all ranks */
  bool                     same, again;       /* codes are, and what failed once succeeds the second time */
  std::vector<PetscScalar> x, xt;             /* of A and of its transpose */
};

/* What ranks leave for each other's sake outside of MPI */
struct Shelf {
  int  code[MOST][NPHASE], bad[MOST];
  bool again[MOST];
};

void RunRank(const System &system, const Case &c, const Script &script, int rank, Shelf &shelf, Outcome &outcome)
{
  const Plan              *plan = system.plan;
  const int                dof = c.grid.dof, K = plan->nstencil * dof;
  const PetscInt          *point;
  std::vector<PetscScalar> rows, b, x;
  TreeRanksOptions         options;
  const auto               put = [&](TreeRanks *tree, const std::vector<PetscScalar> &value) {
    const PetscInt n = TreeRanksNeeds(tree, &point);

    rows.clear();
    for (PetscInt i = 0; i < n; i++) rows.insert(rows.end(), value.begin() + (ptrdiff_t)point[i] * dof * K, value.begin() + (ptrdiff_t)(point[i] + 1) * dof * K);
  };
  const auto arm = [&](int phase) { refusal.armed[rank] = phase >= 0 && phase == script.phase; };

  memset(&options, 0, sizeof(options));
  options.comm      = messages::Everyone();
  options.mode      = c.mode;
  options.single    = c.single;
  options.threads   = 1;
  options.columns   = c.columns;
  options.threshold = 0.1;
  arm(CREATE);
  TreeRanks *tree = TreeRanksCreate(plan, &options, &shelf.code[rank][CREATE]);
  arm(-1);
  if ((tree != nullptr) != (shelf.code[rank][CREATE] == 0)) shelf.again[rank] = false;
  if (!tree) return;
  if (script.bad) {
    put(tree, *script.bad);
    shelf.bad[rank] = TreeRanksNumeric(tree, rows.data(), system.glue.data(), 1);
  }
  put(tree, system.value);
  arm(NUMERIC);
  int code = shelf.code[rank][NUMERIC] = TreeRanksNumeric(tree, rows.data(), system.glue.data(), 1);
  arm(-1);
  if (code) code = TreeRanksNumeric(tree, rows.data(), system.glue.data(), 1);
  if (code) shelf.again[rank] = false;
  const PetscInt n = TreeRanksOwns(tree, &point);
  for (int trans = 0; trans < 2 && !code; trans++) {
    b.resize((size_t)n * dof);
    x.resize((size_t)n * dof);
    for (PetscInt i = 0; i < n * dof; i++) b[(size_t)i] = system.b[(size_t)point[i / dof] * dof + (size_t)(i % dof)];
    if (!trans) arm(SOLVE);
    int solved = TreeRanksSolve(tree, trans ? FACTOR_TRANS : FACTOR_NOTRANS, 1, b.data(), n * dof, x.data(), n * dof);
    arm(-1);
    shelf.code[rank][SOLVE] = std::max(shelf.code[rank][SOLVE], solved);
    if (solved) solved = TreeRanksSolve(tree, trans ? FACTOR_TRANS : FACTOR_NOTRANS, 1, b.data(), n * dof, x.data(), n * dof);
    if (solved) shelf.again[rank] = false;
    for (PetscInt i = 0; i < n * dof; i++) (trans ? outcome.xt : outcome.x)[(size_t)point[i / dof] * dof + (size_t)(i % dof)] = x[(size_t)i];
  }
  TreeRanksDestroy(tree);
}

Outcome RunCase(const System &system, const Case &c, const Script &script = Script())
{
  TreeMap *map = TreeMapCreate(system.plan, c.size);
  Outcome  o;
  Shelf    shelf;

  memset(&shelf, 0, sizeof(shelf));
  memset(refusal.armed, 0, sizeof(refusal.armed));
  memset(refusal.count, 0, sizeof(refusal.count));
  refusal.refused = false;
  for (bool &again : shelf.again) again = true;
  o.x.assign(system.b.size(), std::numeric_limits<double>::quiet_NaN());
  o.xt = o.x;
  /* Tags tell the child whose block is sent; those of a front's own messages are below */
  messages::check = [&](int from, int to, int tag) -> const char * {
    if (tag < 4) return nullptr;
    const int child = tag - 4;

    if (child >= map->nnode || map->node[child].parent < 0) return "there is no such front";
    const TreeMapNode &n = map->node[child], &p = map->node[n.parent];
    return from < n.first || from >= n.last ? "the sender is not in the front" : to < p.first || to >= p.last ? "the receiver is not in the front's parent" : nullptr;
  };
  o.result        = messages::Run(c.size, script.seed, [&](int rank) { RunRank(system, c, script, rank, shelf, o); });
  messages::check = nullptr;
  o.same = o.again = true;
  for (int q = 0; q < c.size; q++) {
    o.again = o.again && shelf.again[q];
    o.same  = o.same && !memcmp(shelf.code[q], shelf.code[0], sizeof(shelf.code[0])) && shelf.bad[q] == shelf.bad[0];
  }
  memcpy(o.code, shelf.code[0], sizeof(o.code));
  o.bad = shelf.bad[0];
  TreeMapDestroy(map);
  return o;
}

bool Same(const std::vector<PetscScalar> &a, const std::vector<PetscScalar> &b)
{
  return !memcmp(a.data(), b.data(), a.size() * sizeof(PetscScalar));
}

/* ---- good runs ---- */

long cases = 0, sends = 0, collectives = 0, hangs = 0;

void Check(const Case &c, bool bits)
{
  const System system(c);

  if (!system.plan) {
    Expect(false, c, "no plan");
    return;
  }
  const Outcome o     = RunCase(system, c);
  const double  bound = c.single ? 2e-4 : 1e-11;

  cases++;
  sends += o.result.sends;
  collectives += o.result.collectives;
  hangs += o.result.hang;
  Expect(o.result.text.empty(), c, o.result.text);
  if (o.result.hang) return;
  Expect(o.same && o.again && !o.code[CREATE] && !o.code[NUMERIC] && !o.code[SOLVE], c, "codes " + std::to_string(o.code[CREATE]) + " " + std::to_string(o.code[NUMERIC]) + " " + std::to_string(o.code[SOLVE]));
  Expect(!o.result.shorter, c, "a message is shorter than its receiver expects");
  Expect(system.Residual(o.x, false) < bound, c, "residual " + std::to_string(system.Residual(o.x, false)));
  Expect(system.Residual(o.xt, true) < bound, c, "residual of the transposed solve " + std::to_string(system.Residual(o.xt, true)));
  for (uint64_t seed = 2; seed < 4 && bits; seed++) {
    Script script;

    script.seed         = seed;
    const Outcome other = RunCase(system, c, script);
    Expect(other.result.text.empty(), c, other.result.text);
    Expect(Same(o.x, other.x) && Same(o.xt, other.xt), c, "other bits where other ranks are faster");
  }
}

/* Options that each case gets some of */
void Vary(Case &c, Random &random)
{
  const double kind = random();

  c.grid.star    = random() < 0.6;
  c.grid.dof     = random() < 0.2 ? 2 : 1;
  c.mode         = kind < 0.45 ? FACTOR_LU : kind < 0.85 ? FACTOR_SPD : FACTOR_SYMMETRIC;
  c.single       = random() < 0.2;
  c.columns      = random() < 0.5 ? 1 + (int)(random() * 12) : 0;
  const double s = random();
  if (s < 0.15) c.grid.separators = PLAN_SEPARATORS_STRAIGHT;
  if (s > 0.85 && PlanDiagonal(&c.grid)) c.grid.separators = PLAN_SEPARATORS_DIAGONAL;
  for (int d = 0; d < c.grid.dim; d++) c.grid.periodic[d] = random() < 0.1;
}

/* Mostly few ranks */
int Ranks(Random &random)
{
  const double r = random();

  return 2 + (int)(r * r * r * 31);
}

/* One in so many */
void CheckGrids(long step)
{
  Random random = {7};

  for (PetscInt nx = 1; nx <= 64; nx++) {
    for (PetscInt ny = 1; ny <= 64; ny++) {
      Case c = Make(2, nx, ny, 1, Ranks(random));

      Vary(c, random);
      if ((nx + 3 * ny) % step) continue;
      /* Larger grids with more than one unknown for each point would take most of the time */
      if (nx * ny > 1000) c.grid.dof = 1;
      Check(c, (nx + 7 * ny) % 40 == 0);
    }
  }
  /* Plain ones, on the numbers of processes that people use */
  for (PetscInt n = 65; n <= 200; n += 9 * (PetscInt)step) {
    for (int size : {4, 6, 8}) {
      Case c = Make(2, n, 65 + (PetscInt)(random() * 136), 1, size);

      c.grid.star = true;
      c.mode      = random() < 0.5 ? FACTOR_LU : FACTOR_SPD;
      Check(c, false);
    }
  }
  const int known[][3] = {{97, 65, 4}, {129, 65, 4}, {101, 67, 4}, {113, 73, 4}, {89, 61, 4}, {129, 65, 6}, {129, 65, 8}};
  for (const int *k : known) {
    for (FactorMode mode : {FACTOR_LU, FACTOR_SPD}) {
      Case c = Make(2, k[0], k[1], 1, k[2]);

      c.grid.star = true;
      c.mode      = mode;
      Check(c, true);
    }
  }
  for (int k = 0; k < 60; k += (int)step) {
    Case c = Make(2, 65 + (PetscInt)(random() * 100), 5 + (PetscInt)(random() * 100), 1, Ranks(random));

    Vary(c, random);
    c.grid.dof = 1;
    Check(c, k % 10 == 0);
  }
  for (int k = 0; k < 150; k += (int)step) {
    Case c = Make(3, 1 + (PetscInt)(random() * 13), 1 + (PetscInt)(random() * 13), 1 + (PetscInt)(random() * 13), Ranks(random));

    Vary(c, random);
    if (c.grid.size[0] * c.grid.size[1] * c.grid.size[2] > 500) c.grid.dof = 1;
    Check(c, k % 5 == 0);
  }
  for (int k = 0; k < 30; k += (int)step) {
    const PetscInt n = 4 + (PetscInt)(random() * 30);
    Case           c = Make(2, n, n, 1, Ranks(random));

    Vary(c, random);
    c.grid.topology    = PLAN_OCTAHEDRAL;
    c.grid.periodic[0] = c.grid.periodic[1] = false;
    if (c.grid.separators == PLAN_SEPARATORS_DIAGONAL) c.grid.separators = PLAN_SEPARATORS_AUTO;
    Check(c, k % 5 == 0);
  }
  Check(Make(1, 300, 1, 1, 5), true);
  Check(Make(2, 3, 4, 1, 32), true);
  printf("%s - %ld grids\n", errors ? "not ok" : "ok", cases);
  if (getenv("UNIT_VERBOSE")) printf("#  %ld messages, %ld collective calls\n", sends, collectives);
}

/* ---- runs in which a rank fails ---- */

std::vector<Case> FailingCases()
{
  std::vector<Case> list = {Make(2, 23, 17, 1, 4), Make(2, 31, 20, 1, 5), Make(3, 7, 6, 8, 6), Make(2, 40, 9, 1, 3), Make(2, 25, 25, 1, 11)};

  list[0].grid.star = list[3].grid.star = true;
  list[1].mode = list[4].mode = FACTOR_SPD;
  list[3].mode                = FACTOR_SYMMETRIC;
  list[2].single              = true;
  list[0].columns             = 3;
  list[1].columns             = 4;
  list[4].columns             = 2;
  list[2].columns             = 5;
  return list;
}

/* Pivots that are not there, in a subtree or in any front */
void CheckPivots(long step)
{
  const int before = errors;
  int       failed = 0;

  for (const Case &c : FailingCases()) {
    const System  system(c);
    const int     K         = system.plan->nstencil * c.grid.dof;
    const Outcome reference = RunCase(system, c);

    for (PetscInt p = 0; p < system.plan->npoints; p += 1 + (PetscInt)step * system.plan->npoints / 60) {
      std::vector<PetscScalar> bad  = system.value;
      const int                diag = PlanSlot(system.plan, p, p);
      const bool               nan  = c.mode != FACTOR_SPD || p % 2;
      Script                   script;

      bad[(size_t)p * K + diag] = nan ? std::numeric_limits<double>::quiet_NaN() : -100.0;
      script.bad                = &bad;
      failed++;
      for (script.seed = 10; script.seed < 14; script.seed++) {
        const Outcome o = RunCase(system, c, script);

        Expect(o.result.text.empty(), c, "pivot of point " + std::to_string(p) + ": " + o.result.text);
        if (o.result.hang) continue;
        Expect(o.same && o.bad == (nan ? FRONT_RANKS_NOT_FINITE : FRONT_RANKS_NOT_POSITIVE), c, "pivot of point " + std::to_string(p) + ": code " + std::to_string(o.bad));
        Expect(o.again && Same(o.x, reference.x) && Same(o.xt, reference.xt), c, "after the pivot of point " + std::to_string(p));
      }
    }
  }
  printf("%s - %d pivots that are not there\n", errors > before ? "not ok" : "ok", failed);
}

/* Every allocation of every rank finds no memory once, or from there on */
void CheckMemory(long step)
{
  const int before = errors;
  long      cuts = 0, survived = 0;

  for (const Case &c : FailingCases()) {
    const System  system(c);
    const Outcome reference = RunCase(system, c);

    for (int phase = 0; phase < NPHASE; phase++) {
      Script script;

      script.phase = phase;
      refusal.rank = -1;
      RunCase(system, c, script);
      std::vector<long> count(refusal.count, refusal.count + c.size);
      for (int rank = 0; rank < c.size; rank++) {
        for (long at = rank % step; at < count[rank]; at += step) {
          refusal.rank           = rank;
          refusal.at             = at;
          refusal.forever        = (at / step) % 2;
          script.seed            = 5 + (uint64_t)at;
          const Outcome     o    = RunCase(system, c, script);
          const std::string what = "rank " + std::to_string(rank) + " has no memory at " + std::to_string(at) + " of phase " + std::to_string(phase) + ": ";

          cuts++;
          Expect(o.result.text.empty(), c, what + o.result.text);
          if (o.result.hang) continue;
          Expect(refusal.refused, c, what + "it did not ask");
          survived += !o.code[phase];
          Expect(o.same && (!o.code[phase] || o.code[phase] == FRONT_RANKS_MEMORY), c, what + "code " + std::to_string(o.code[phase]) + (o.same ? "" : ", not on all ranks"));
          Expect(o.again, c, what + "it cannot be used afterwards");
          if (!o.code[CREATE]) Expect(Same(o.x, reference.x) && Same(o.xt, reference.xt), c, what + "other bits afterwards");
        }
      }
    }
  }
  refusal.rank = -1;
  /* Only what gives memory back can do without */
  if (survived > cuts / 4) errors++;
  printf("%s - %ld allocations that find no memory\n", errors > before ? "not ok" : "ok", cuts);
  if (getenv("UNIT_VERBOSE")) printf("#  %ld of them do not matter\n", survived);
}

/* MPI returns an error from a call that has done its work */
void CheckCodes(long step)
{
  const int before = errors;
  long      calls  = 0;

  for (const Case &c : FailingCases()) {
    const System system(c);

    messages::fault.rank    = -1;
    const Outcome reference = RunCase(system, c);

    for (int rank = 0; rank < c.size; rank++) {
      long last = -1;

      messages::fault.rank = rank;
      messages::fault.call = -1;
      RunCase(system, c);
      last = messages::fault.calls;
      for (long at = rank % step; at < last; at += step) {
        messages::fault.rank   = rank;
        messages::fault.call   = at;
        const Outcome     o    = RunCase(system, c);
        const std::string what = "an error in call " + std::to_string(at) + " of rank " + std::to_string(rank) + ": ";

        /* The second agreement of a call to the library is its last: there is nobody left to tell */
        if (messages::fault.reduction > 0 && messages::fault.reduction % 2 == 0) continue;
        calls++;
        Expect(!o.result.hang && o.result.text.empty(), c, what + o.result.text);
        if (o.result.hang) continue;
        for (int code : o.code) Expect(!code || code == FRONT_RANKS_MESSAGE, c, what + "code " + std::to_string(code));
        const bool reported = o.code[CREATE] || o.code[NUMERIC] || o.code[SOLVE];
        Expect(o.same && o.again && reported == (messages::fault.reduction >= 0), c,
               what + "codes " + std::to_string(o.code[CREATE]) + " " + std::to_string(o.code[NUMERIC]) + " " + std::to_string(o.code[SOLVE]) + (o.same ? "" : ", not on all ranks"));
        if (!o.code[CREATE]) Expect(Same(o.x, reference.x), c, what + "other bits afterwards");
      }
    }
  }
  messages::fault.rank = -1;
  printf("%s - %ld calls of MPI that fail\n", errors > before ? "not ok" : "ok", calls);
}

/* ---- by hand ---- */

void Count()
{
  for (int size : {4, 6, 8, 12, 16, 32}) {
    hangs = cases = 0;
    for (PetscInt nx = 33; nx <= 200; nx += 7) {
      for (PetscInt ny = 33; ny <= 200; ny += 7) {
        Case c = Make(2, nx, ny, 1, size);

        c.grid.star = true;
        Check(c, false);
      }
    }
    printf("%d ranks: %ld of %ld planes hang\n", size, hangs, cases);
    fflush(stdout);
  }
}

void All(PetscInt most)
{
  Random random = {11};

  for (PetscInt nx = 1; nx <= most; nx++) {
    for (PetscInt ny = 1; ny <= most; ny++) {
      for (int size = 2; size <= 8; size++) {
        Case c = Make(2, nx, ny, 1, size);

        c.grid.star = true;
        c.mode      = random() < 0.5 ? FACTOR_LU : FACTOR_SPD;
        Check(c, false);
      }
    }
    printf("# %d x 1 to %d, %ld cases, %ld hang, %d errors\n", (int)nx, (int)most, cases, hangs, errors);
    fflush(stdout);
  }
}

} // namespace

int main(int argc, char **argv)
{
  setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc > 1 && !strcmp(argv[1], "count")) {
    Count();
  } else if (argc > 1 && !strcmp(argv[1], "all")) {
    All(argc > 2 ? atoi(argv[2]) : 200);
  } else {
    /* The sanitizers' builds look at one in so many */
    const long step = argc > 1 ? std::max(1, atoi(argv[1])) : 1;

    CheckGrids(step);
    CheckPivots(step);
    CheckMemory(step);
    CheckCodes(10 * step);
  }
  return errors > 0;
}
