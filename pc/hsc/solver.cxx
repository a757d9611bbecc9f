/*
  HSC for a matrix in memory.
*/
#include "pc/hsc/solver.h"
#if defined(PETLAP_HAVE_CUDA)
  #include "pc/hsc/cycle_cuda.h"
#endif
#include <algorithm>
#include <cmath>
#include <map>
#include <type_traits>

namespace petlap {
namespace hsc {

namespace {

template <typename Real>
class SolverOf : public Solver {
public:
  explicit SolverOf(int t) : together(t) {}
  ~SolverOf() override
  {
    (void)!PetscSFDestroy(&exchange.sf);
  }

  Outcome Build(const Rows &A, const Survey &survey, Lattice *lattice, const Options &options, Asymmetry &asymmetry, const Outside *o) override
  {
    current = lacking = bounded = false;
    outside                     = o;
    factors.clear();
    if (o) {
      /* The entries are the caller's and go; the way to the ghosts stays */
      Communicate(PetscObjectReference((PetscObject)o->sf));
      Communicate(PetscSFDestroy(&exchange.sf));
      exchange       = *o;
      exchange.ghost = nullptr;
      exchange.rows  = Rows();
    }
    /* What is solved directly needs none, unless it is close to indefinite */
    if (options.scaling && survey.lack > 1e-8 && !outside && A.n <= options.rules.direct) {
      const Outcome outcome = BuildOnce(A, survey, lattice, options, asymmetry);

      if (outcome != BUILT || !clamped) return outcome;
      lattice = nullptr;
    }
    if (!options.scaling || !(survey.lack > 1e-8) || !std::isfinite(survey.lack)) return BuildOnce(A, survey, lattice, options, asymmetry);
    /* A symmetric matrix is checked before it is scaled, as the message is to name the entries that were given */
    {
      Graph<double>   g;
      Between<double> b;

      if (!MakeGraph(A, outside, survey, g, coupling, b, asymmetry)) return ASYMMETRIC;
    }
    return BuildScaled(A, survey, lattice, options, asymmetry);
  }

  bool Shift(const double t[], double all) override
  {
    std::vector<double> scaled;

    if (t || !factors.empty()) {
      scaled.resize(h.n);
      for (int i = 0; i < h.n; i++) scaled[i] = (t ? t[i] : all) * std::abs(scale) * (factors.empty() ? 1.0 : factors[i] * factors[i]);
    }
    current = false;
    hsc::Shift(h, scaled.empty() ? nullptr : scaled.data(), all * std::abs(scale));
    return cycle.Factor(h);
  }

  void Apply(const Sweeps &sweeps, bool transpose, const PetscReal b[], PetscReal x[]) override
  {
    if (factors.empty()) {
      ApplyOnce(sweeps, transpose, b, x);
      return;
    }
    product.resize(h.n);
    for (int i = 0; i < h.n; i++) product[i] = factors[i] * b[i];
    ApplyOnce(sweeps, transpose, product.data(), x);
    for (int i = 0; i < h.n; i++) x[i] *= factors[i];
  }

  Report GetReport() const override
  {
    Report r;
    double n0 = 0.0, nnz = 0.0, n = 0.0, sums[3] = {(double)h.place.size() * sizeof(int) + cycle.Memory(), 0.0, (double)between.coupling.size()};

    for (const Coupling &c : coupling) sums[2] += c.row != c.col;

    Collect(h, r.level, sums[0], sums[1]);
    if (h.ranks) h.ranks->Sum(3, sums);
    for (const LevelReport &l : r.level) {
      nnz += l.nnz;
      n += l.n;
    }
    n0          = r.level[0].n;
    r.operators = nnz / std::max(1.0, (double)r.level[0].nnz);
    r.grids     = n / std::max(1.0, n0);
    r.memory    = sums[0];
    r.reordered = reordered;
    r.clamped   = clamped;
    r.scaled    = !factors.empty();
    r.lacking   = lacking;
    r.bounded   = bounded;
    r.nclamped  = (long long)sums[1];
    r.ncoupling = (long long)sums[2];
    return r;
  }

  double Flops(const Sweeps &s) const override
  {
    return Flops(h, s);
  }

  double Bytes(const Sweeps &s) const override
  {
    return h.n * (3.0 * sizeof(PetscReal) + 2.0 * sizeof(int) + 2.0 * (s.wide ? sizeof(double) : sizeof(Real))) + Bytes(h, s);
  }

  std::unique_ptr<EigenLevels> Levels() override
  {
    return coupling.empty() && factors.empty() && !h.ranks ? MakeEigenLevels(h, cycle, scale) : nullptr;
  }

#if defined(PETLAP_HAVE_CUDA)
  int Upload(const Sweeps &sweeps) override
  {
    Frame frame;
    bool  sorted = true;
    int   error;

    for (const Level<Real> &L : h.level) sorted = sorted && (!L.smooth || !L.colour.empty());
    if (!sweeps.jacobi && !sorted) {
      SortByColour(h);
      current = false;
    }
    if (current) return 0;
    frame.scale   = scale;
    frame.factors = factors.empty() ? nullptr : factors.data();
    for (const Coupling &c : coupling) {
      frame.row.push_back((int)c.row);
      frame.col.push_back((int)c.col);
      frame.value.push_back(c.value / diagonal[c.col]);
    }
    static_assert(outofmemory == DeviceCycle<Real>::outofmemory, "one number");
    if (!device) device = DeviceCycle<Real>::Create(together);
    error   = device->Build(h, cycle, frame);
    current = error == 0;
    return error;
  }

  int ApplyOnDevice(const Sweeps &sweeps, bool transpose, bool bdevice, bool xdevice, const PetscReal b[], PetscReal x[], void *stream) override
  {
    Sweeps s = sweeps;

    if (transpose) std::swap(s.pre, s.post);
    return device->Apply(s, transpose, bdevice, xdevice, b, x, stream);
  }

  DeviceReport GetDeviceReport() const override
  {
    DeviceReport r;

    if (device) {
      r.launches = device->Launches();
      r.memory   = device->Memory();
    }
    for (const Level<Real> &L : h.level) r.colors = std::max(r.colors, (int)L.colour.size() - 1);
    return r;
  }
#else
  int Upload(const Sweeps &) override
  {
    return 1;
  }
  int ApplyOnDevice(const Sweeps &, bool, bool, bool, const PetscReal[], PetscReal[], void *) override
  {
    return 1;
  }
  DeviceReport GetDeviceReport() const override
  {
    return DeviceReport();
  }
#endif

private:
  /* Levels with the numbers of all ranks, on all of them; memory and rows whose excess was left out are those of this rank */
  static void Collect(const Hierarchy<Real> &h, std::vector<LevelReport> &level, double &memory, double &nclamped)
  {
    const int    nranks = h.ranks ? h.ranks->size() : 1;
    const double outer  = h.ranks ? h.ranks->Entries() : 0.0;

    if (h.ranks) memory += (double)h.ranks->Memory();
    nclamped += h.nclamped;
    for (const Level<Real> &L : h.level) {
      double sum[3] = {(double)L.n, 2.0 * (double)L.nedges + L.n + outer, (double)L.ncut};

      memory += (double)((L.fcol.size() + L.srow.size() + L.scol.size()) * sizeof(int) + (L.fweight.size() + L.finv.size() + L.sweight.size() + L.sinv.size() + L.fbase.size() + L.sbase.size()) * sizeof(Real));
      if (h.ranks) h.ranks->Sum(3, sum);
      level.push_back({(long long)sum[0], (long long)sum[1], (long long)sum[2], L.smooth, nranks});
    }
    if (!h.merge) {
      level.push_back({h.nd, 2 * (long long)h.coarse.adj.size() + h.nd, 0, false, 1});
      return;
    }
    /* The first of all ranks is the first of its group, whose levels are known there */
    std::vector<LevelReport> below;
    int                      count = 0;

    if (h.merge->first) Collect(*h.merge->h, below, memory, nclamped);
    count = (int)below.size();
    CommunicateMPI(MPI_Bcast(&count, 1, MPI_INT, 0, h.ranks->comm()));
    below.resize(count);
    CommunicateMPI(MPI_Bcast(below.data(), (int)(count * sizeof(LevelReport)), MPI_BYTE, 0, h.ranks->comm()));
    level.insert(level.end(), below.begin(), below.end());
  }

  static double Flops(const Hierarchy<Real> &h, const Sweeps &s)
  {
    const std::vector<int> gamma = Visits(h, s);
    double                 flops = 0.0, visits = 1.0;

    for (size_t l = 0; l < h.level.size(); l++) {
      const Level<Real> &L     = h.level[l];
      double             level = 4.0 * L.fcol.size();

      if (L.smooth) level += 2.0 * (L.scol.size() + (h.ranks ? h.ranks->Entries() : 0.0)) * (s.pre + s.post + (s.pre > 0));
      flops += visits * level;
      visits *= gamma[l];
    }
    if (h.merge) return flops + (h.merge->first ? visits * Flops(*h.merge->h, s) : 0.0);
    return flops + 2.0 * visits * h.nd * h.nd;
  }

  static double Bytes(const Hierarchy<Real> &h, const Sweeps &s)
  {
    const double number = s.wide ? sizeof(double) : sizeof(Real), entry = sizeof(Real) + sizeof(int);
    double       bytes = 0.0, visits = 1.0;

    for (const Level<Real> &L : h.level) {
      /* restriction and interpolation read the rows of fine vertices, and both sides of the transfer */
      double level = 2.0 * entry * L.fcol.size() + number * (4.0 * (L.n - L.nc) + 3.0 * L.nc);

      if (L.smooth) level += (s.pre + s.post + (s.pre > 0)) * (entry * L.scol.size() + number * 4.0 * L.n + sizeof(int) * (double)L.nc) + 2.0 * number * L.nc;
      bytes += visits * level;
      visits *= s.gamma;
    }
    if (h.merge) return bytes + (h.merge->first ? visits * Bytes(*h.merge->h, s) : 0.0);
    return bytes + visits * h.nd * h.nd * sizeof(double);
  }

  /* Unknowns that are solved for directly, wherever they are */
  static double DirectSize(const Hierarchy<Real> &h)
  {
    double n = h.nd;

    if (!h.merge) return n;
    n = h.merge->first ? DirectSize(*h.merge->h) : 0.0;
    CommunicateMPI(MPI_Bcast(&n, 1, MPI_DOUBLE, 0, h.ranks->comm()));
    return n;
  }

  /*
    Whether the cycle is no inverse. Methods that are given one end after a step or two, and what some of them take for the end of all things is no more than the
    rounding of single precision.
  */
  static bool AnySmooth(const Hierarchy<Real> &h)
  {
    int any = 0, all;

    for (const Level<Real> &L : h.level) any = any || L.smooth;
    if (!h.merge) return any;
    all = h.merge->first && AnySmooth(*h.merge->h);
    CommunicateMPI(MPI_Bcast(&all, 1, MPI_INT, 0, h.ranks->comm()));
    return any || all;
  }

  Outcome BuildOnce(const Rows &A, const Survey &survey, Lattice *lattice, const Options &options, Asymmetry &asymmetry)
  {
    const Rules &rules  = options.rules;
    const bool   strict = options.strict && std::is_same<Real, float>::value;

    /* Entries further apart than this are too far for single precision */
    if (strict && survey.smallest < 1e-30) return TOO_COARSE;
    scale   = survey.scale * survey.sign;
    clamped = rules.clamp;
    if (!Read(A, survey, options, lattice, asymmetry)) return ASYMMETRIC;
    if (strict && TooCoarse(survey, rules.direct)) return TOO_COARSE;
    if (Finish(rules, lattice)) return strict && !AnySmooth(h) ? TOO_COARSE : BUILT;
    if (DirectSize(h) > maxdense) return TOO_DENSE;
    if (strict) return TOO_COARSE;
    /* An excess below zero may have made a diagonal of the coarsest level vanish: a hierarchy of the nearest diagonally dominant matrix has none */
    if (clamped) return INDEFINITE;
    Rules again = rules;

    again.clamp = clamped = true;
    if (!Read(A, survey, options, nullptr, asymmetry)) return ASYMMETRIC;
    return Finish(again, nullptr) ? BUILT : INDEFINITE;
  }

  void ApplyOnce(const Sweeps &sweeps, bool transpose, const PetscReal b[], PetscReal x[])
  {
    Sweeps s = sweeps;

    if (transpose) std::swap(s.pre, s.post);
    if (!coupled) {
      cycle.Apply(h, s, scale, b, x);
      return;
    }
    /* A row with the diagonal alone is solved, and what it contributes to other rows goes to the right-hand side */
    work.assign(b, b + h.n);
    if (!transpose) {
      for (const Coupling &c : coupling) work[c.row] -= c.value * b[c.col] / diagonal[c.col];
      if (outercoupled) {
        fixed.resize(h.n);
        ghosts.resize(exchange.nghost);
        for (int i = 0; i < h.n; i++) fixed[i] = diagonal[i] != 0.0 ? b[i] / diagonal[i] : 0.0;
        exchange.Fetch(fixed.data(), ghosts.data());
        for (const Coupling &c : between.coupling) work[c.row] -= c.value * ghosts[c.col];
      }
      cycle.Apply(h, s, scale, work.data(), x);
    } else {
      cycle.Apply(h, s, scale, work.data(), x);
      /* Changes of sign first: unknowns with one are in no other unknown's row */
      for (const Coupling &c : coupling) {
        if (c.row == c.col) x[c.col] -= c.value * x[c.row] / diagonal[c.col];
      }
      for (const Coupling &c : coupling) {
        if (c.row != c.col) x[c.col] -= c.value * x[c.row] / diagonal[c.col];
      }
      if (outercoupled) {
        fixed.assign(h.n, 0.0);
        ghosts.assign(exchange.nghost, 0.0);
        for (const Coupling &c : between.coupling) ghosts[c.col] += c.value * x[c.row];
        exchange.Return(ghosts.data(), fixed.data());
        for (int i = 0; i < h.n; i++) {
          if (fixed[i] != 0.0) x[i] -= fixed[i] / diagonal[i];
        }
      }
    }
  }

  /*
    An M-matrix need not be diagonally dominant, but D A D is for some diagonal matrix D, any vector v with A v >= 0 being its diagonal; a Laplacian that
    was scaled from both sides has the inverse of that scaling. Gauss-Seidel for A v = 0 finds it up to what is smooth. An indefinite matrix has no such vector, and one
    with entries of the wrong sign need not, so a scaling is taken only as far as rows lack less with it than without.
  */
  Outcome BuildScaled(const Rows &A, const Survey &survey, Lattice *lattice, const Options &options, Asymmetry &asymmetry)
  {
    const double           enough = 1e-8, better = 0.5;
    const int              rounds = 3;
    const Outside         *o      = outside;
    std::vector<PetscReal> values(A.a, A.a + A.ia[A.n]), diag(A.n), outer, v(A.n, 1.0), last;
    Rows                   B = A;
    Outside                outsideB;
    Outcome                outcome = BUILT;
    double                 lack    = survey.lack;

    /* Diagonals of one size to begin with: scales may be apart by any factor */
    for (PetscInt i = 0; i < A.n; i++) {
      if (survey.diagonal[i] != 0.0) v[i] = 1.0 / std::sqrt(std::abs(survey.diagonal[i]) * survey.scale);
    }
    B.a = values.data();
    if (o) {
      outer.assign(o->rows.a, o->rows.a + o->rows.ia[A.n]);
      outsideB        = *o;
      outsideB.rows.a = outer.data();
    }
    for (int round = 0; round < rounds; round++) {
      if (round == 0)
        Relax(A, survey.sign, 20, v);
      else {
        outside = o ? &outsideB : nullptr;
        Improve(B, v);
      }
      outside = o;
      ScaleRows(A, v, values, outer);
      outside       = o ? &outsideB : nullptr;
      Survey scaled = Inspect(B, diag.data(), outside);

      outside = o;
      /* entries too large or too small to be multiplied, or nothing is gained */
      if (scaled.problem != Survey::NONE || scaled.sign != survey.sign || !(scaled.lack <= better * lack)) {
        if (round == 0) {
          lacking = true;
          return BuildOnce(A, survey, lattice, options, asymmetry);
        }
        break;
      }
      lack = scaled.lack;
      last = v;
      /* Sums of the size of what is lacking are none: their signs are chance, and a matrix that is singular would become one that is nearly so */
      scaled.nosum = std::min(1e-6, std::max(NEGLIGIBLE, 30.0 * lack));
      outside      = o ? &outsideB : nullptr;
      outcome      = BuildOnce(B, scaled, lattice, options, asymmetry);
      outside      = o;
      lattice      = nullptr;
      if (outcome != BUILT || lack <= enough) break;
    }
    factors = std::move(last);
    return outcome;
  }

  void Relax(const Rows &A, int sign, int sweeps, std::vector<PetscReal> &v)
  {
    for (int s = 0; s < sweeps; s++) {
      PetscReal most = 0.0;

      FetchGhosts(v);
      for (PetscInt i = 0; i < A.n; i++) {
        PetscReal sum = 0.0, d = 0.0;

        for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
          const PetscReal a = sign * A.a[k];

          if (A.ja[k] == i)
            d = a;
          else if (a < 0.0)
            sum -= a * v[A.ja[k]];
        }
        ForOutside(outside, i, [&](PetscInt, PetscInt j, PetscReal a) { sum -= std::min(sign * a, (PetscReal)0.0) * ghosts[j]; });
        if (sum > 0.0 && d > 0.0) v[i] = sum / d;
        most = std::max(most, v[i]);
      }
      if (outside) most = outside->Most(most);
      for (PetscReal &x : v) x = std::max(x / most, (PetscReal)1e-100);
    }
  }

  /* Both factors first, so that what is symmetric stays so to the last digit */
  void ScaleRows(const Rows &A, const std::vector<PetscReal> &v, std::vector<PetscReal> &values, std::vector<PetscReal> &outer)
  {
    FetchGhosts(v);
    for (PetscInt i = 0; i < A.n; i++) {
      for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) values[k] = A.a[k] * (v[i] * v[A.ja[k]]);
      ForOutside(outside, i, [&](PetscInt k, PetscInt j, PetscReal a) { outer[k] = a * (v[i] * ghosts[j]); });
    }
  }

  void FetchGhosts(const std::vector<PetscReal> &v)
  {
    if (!outside) return;
    ghosts.resize(outside->nghost);
    outside->Fetch(v.data(), ghosts.data());
  }

  /* What is smooth, by the hierarchy of the scaled matrix as far as it is known: whatever that reduces slowly is what it has not seen yet. Goes on as long as rows lack less and less. */
  void Improve(const Rows &B, std::vector<PetscReal> &v)
  {
    const int              most = 30, patience = 4;
    const double           least = 1e-13;
    std::vector<PetscReal> w(B.n, 1.0), r(B.n), z(B.n), best;
    double                 lack[most], lowest = std::numeric_limits<double>::infinity();
    Sweeps                 s;

    s.pre = s.post = 1;
    for (int step = 0; step < most; step++) {
      double sum[2] = {0.0, 0.0}, largest = 0.0; /* of what lacks, and of rows */

      FetchGhosts(w);
      for (PetscInt i = 0; i < B.n; i++) {
        PetscReal d = 0.0;

        r[i] = 0.0;
        for (PetscInt k = B.ia[i]; k < B.ia[i + 1]; k++) {
          r[i] += B.a[k] * w[B.ja[k]];
          if (B.ja[k] == i) d = B.a[k];
        }
        ForOutside(outside, i, [&](PetscInt, PetscInt j, PetscReal a) { r[i] += a * ghosts[j]; });
        if (d * r[i] < 0.0) sum[0] += std::abs(r[i] / (d * w[i]));
        sum[1] += 1.0;
      }
      if (outside) outside->Sum(2, sum);
      lack[step] = sum[1] > 0.0 ? sum[0] / sum[1] : 0.0;
      if (lack[step] < lowest) {
        lowest = lack[step];
        best   = w;
      }
      if (!(lack[step] > least) || (step >= patience && !(lack[step] < 0.5 * lack[step - patience]))) break;
      ApplyOnce(s, false, r.data(), z.data());
      for (PetscInt i = 0; i < B.n; i++) {
        const PetscReal x = w[i] - z[i];

        if (x == x) w[i] = std::min(std::max(x, (PetscReal)0.2 * w[i]), (PetscReal)5.0 * w[i]);
        largest = std::max(largest, (double)w[i]);
      }
      if (outside) largest = outside->Most(largest);
      for (PetscReal &x : w) x /= largest;
    }
    for (PetscInt i = 0; i < B.n && !best.empty(); i++) v[i] *= best[i];
  }

  bool Read(const Rows &A, const Survey &survey, const Options &options, Lattice *lattice, Asymmetry &asymmetry)
  {
    Graph<Real> g;

    if (!MakeGraph(A, outside, survey, g, coupling, between, asymmetry)) return false;
    outercoupled = outside && outside->Most((double)between.coupling.size()) > 0.0;
    coupled      = outercoupled || !coupling.empty();
    if (coupled) {
      diagonal.assign(A.n, 0.0);
      for (PetscInt i = 0; i < A.n; i++) {
        for (PetscInt k = A.ia[i]; k < A.ia[i + 1]; k++) {
          if (A.ja[k] == i) diagonal[i] = A.a[k];
        }
      }
    }
    /* Numbers far apart for neighbours make every access to them a cache miss */
    reordered = options.reorder == REORDER_BFS || (options.reorder == REORDER_AUTO && !lattice && g.n > 4096 && survey.distance > g.n / 16.0);
    number.clear();
    if (reordered) {
      Graph<Real> out;

      BreadthFirst(g, number);
      Renumber(g, number, out);
      std::swap(g, out);
      if (lattice) {
        Lattice moved;

        moved.x.resize(g.n);
        moved.y.resize(g.n);
        for (int v = 0; v < g.n; v++) {
          moved.x[number[v]] = lattice->x[v];
          moved.y[number[v]] = lattice->y[v];
        }
        std::swap(*lattice, moved);
      }
    }
    if (outside) NumberEdges(g.n);
    unlike = survey.npositive > 0;
    if (unlike) {
      matrix  = std::move(g);
      bounded = options.positive == POSITIVE_COMPENSATE && TooManyTriangles();
      RemoveNegative(matrix, bounded ? POSITIVE_DROP : options.positive, graph, outside ? outside->comm : MPI_COMM_NULL, between.edge);
    } else
      graph = std::move(g);
    h.ranks.reset();
    if (outside) h.ranks.reset(new Ranks<Real>(outside->comm, false, graph, unlike ? &matrix : nullptr, between.edge));
    between.edge = std::vector<OuterEdge<Real>>();
    return true;
  }

  /*
    In single precision a row's sum is wrong by 1e-7 of its diagonal. Whether that matters is not a question of single entries but of what holds groups of vertices:
    those that strong edges tie together, and the rest of the world by next to nothing. What holds them by nothing at all is no matter either.
  */
  bool TooCoarse(const Survey &survey, int directsize)
  {
    const double       weak = 1e-5, least = 1e-6;
    const Graph<Real> &g      = graph;
    double             sum[2] = {0.0, 0.0}; /* of weights, and of excess */

    /* What has so few vertices or edges will be solved exactly, see AnySmooth() */
    if (!outside && (g.n <= directsize || g.adj.size() < (size_t)g.n)) return true;
    for (int v = 0; v < g.n; v++) {
      sum[1] += std::max((double)g.excess[v], 0.0);
      for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) sum[0] += 2.0 * g.weight[k];
    }
    if (outside) outside->Sum(2, sum);
    if (sum[1] > 0.0 && sum[1] < least * sum[0]) return true;
    if (survey.weakest >= weak) return false;
    /* Groups may lie on several ranks */
    if (outside) return survey.weakest < least;
    std::vector<int>    group(g.n);
    std::vector<double> d(g.n, 0.0), hold(g.n, 0.0), size(g.n, 0.0);
    for (int v = 0; v < g.n; v++) group[v] = v;
    auto root = [&](int v) {
      while (group[v] != v) v = group[v] = group[group[v]];
      return v;
    };
    for (int v = 0; v < g.n; v++) {
      d[v] += g.excess[v];
      for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
        d[v] += g.weight[k];
        d[g.adj[k]] += g.weight[k];
      }
    }
    for (int v = 0; v < g.n; v++) {
      for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
        if (g.weight[k] >= weak * std::min(d[v], d[g.adj[k]])) group[root(g.adj[k])] = root(v);
      }
    }
    for (int v = 0; v < g.n; v++) {
      const int p = root(v);

      size[p] += d[v];
      hold[p] += std::abs((double)g.excess[v]);
      for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
        const int q = root(g.adj[k]);

        if (p == q) continue;
        hold[p] += g.weight[k];
        hold[q] += g.weight[k];
      }
    }
    for (int v = 0; v < g.n; v++) {
      if (group[v] == v && hold[v] > 0.0 && hold[v] < least * size[v]) return true;
    }
    return false;
  }

  /* Compensation looks at all triangles of the edges that go, which in a dense matrix with many of them is work in proportion to the third power of its size */
  bool TooManyTriangles() const
  {
    const double       most   = 64.0;
    const Graph<Real> &g      = matrix;
    double             sum[2] = {0.0, (double)g.n + 2.0 * (double)g.adj.size()};

    for (int v = 0; v < g.n; v++) {
      for (int k = g.uptr[v]; k < g.uptr[v + 1]; k++) {
        if (g.weight[k] < 0) sum[0] += Degree(g, g.adj[k]);
      }
    }
    if (outside) outside->Sum(2, sum);
    return sum[0] > most * sum[1];
  }

  /* Edges between ranks have rows at their ends, and now the vertices that these have become on both sides */
  void NumberEdges(int n)
  {
    std::vector<double>                mine(n), theirs(outside->nghost);
    std::map<std::pair<int, int>, int> called;
    const PetscSFNode                 *remote;
    PetscInt                           nghost;

    for (int i = 0; i < n; i++) mine[i] = reordered ? number[i] : i;
    outside->Fetch(mine.data(), theirs.data());
    Communicate(PetscSFGetGraph(outside->sf, nullptr, &nghost, nullptr, &remote));
    for (PetscInt k = 0; k < nghost; k++) called[{(int)remote[k].rank, (int)remote[k].index}] = (int)theirs[k];
    for (OuterEdge<Real> &e : between.edge) {
      e.vertex       = (int)mine[e.vertex];
      e.other.vertex = called[{e.other.rank, e.other.vertex}];
    }
    std::stable_sort(between.edge.begin(), between.edge.end(), [](const OuterEdge<Real> &a, const OuterEdge<Real> &b) { return a.vertex < b.vertex; });
  }

  bool Finish(const Rules &rules, Lattice *lattice)
  {
    hsc::Build(std::move(graph), unlike ? &matrix : nullptr, lattice, rules, h);
    graph  = Graph<Real>();
    matrix = Graph<Real>();
    if (reordered) {
      Array<int> place(h.n);

      for (int v = 0; v < h.n; v++) place[v] = h.place[number[v]];
      h.place = std::move(place);
      number.clear();
    }
    return DirectSize(h) <= maxdense && cycle.Factor(h);
  }

  Hierarchy<Real>        h;
  Cycle<Real>            cycle;
  Graph<Real>            graph, matrix; /* while they are made */
  Array<int>             number;
  std::vector<Coupling>  coupling;
  Between<Real>          between;
  const Outside         *outside  = nullptr; /* while the hierarchy is built */
  Outside                exchange = Outside();
  std::vector<PetscReal> diagonal, work, factors, product, fixed, ghosts;
  double                 scale   = 1.0;
  bool                   lacking = false, bounded = false;                   /* bounded: entries were dropped that should have been compensated */
  bool                   reordered = false, clamped = false, unlike = false; /* the matrix has entries that are no edges of the graph */
  bool                   coupled = false, outercoupled = false;
  const int              together;
  bool                   current = false; /* the device has the hierarchy as it is */
#if defined(PETLAP_HAVE_CUDA)
  std::unique_ptr<DeviceCycle<Real>> device;
#endif
};

} // namespace

std::unique_ptr<Solver> Solver::Create(bool single, int together)
{
  if (single) return std::unique_ptr<Solver>(new SolverOf<float>(together));
  return std::unique_ptr<Solver>(new SolverOf<double>(together));
}

} // namespace hsc
} // namespace petlap
