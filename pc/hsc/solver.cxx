/*
  HSC for a matrix in memory.
*/
#include "pc/hsc/solver.h"
#include <algorithm>

namespace petlap {
namespace hsc {

namespace {

template <typename Real>
class SolverOf : public Solver {
public:
  Outcome Build(const Rows &A, const Survey &survey, Lattice *lattice, const Options &options, Asymmetry &asymmetry) override
  {
    const Rules &rules = options.rules;

    scale   = survey.scale * survey.sign;
    clamped = rules.clamp;
    if (!Read(A, survey, options, lattice, asymmetry)) return ASYMMETRIC;
    if (Finish(rules, lattice)) return BUILT;
    if (h.nd > maxdense) return TOO_DENSE;
    /* An excess below zero may have made a diagonal of the coarsest level vanish: a hierarchy of the nearest diagonally dominant matrix has none */
    if (clamped) return INDEFINITE;
    Rules again = rules;

    again.clamp = clamped = true;
    if (!Read(A, survey, options, nullptr, asymmetry)) return ASYMMETRIC;
    return Finish(again, nullptr) ? BUILT : INDEFINITE;
  }

  bool Shift(const double t[], double all) override
  {
    std::vector<double> scaled;

    if (t) {
      scaled.assign(t, t + h.n);
      for (double &v : scaled) v *= scale;
    }
    hsc::Shift(h, t ? scaled.data() : nullptr, all * scale);
    return cycle.Factor(h);
  }

  void Apply(const Sweeps &sweeps, bool transpose, const PetscReal b[], PetscReal x[]) override
  {
    Sweeps s = sweeps;

    if (transpose) std::swap(s.pre, s.post);
    if (coupling.empty()) {
      cycle.Apply(h, s, scale, b, x);
      return;
    }
    /* A row with the diagonal alone is solved, and what it contributes to other rows goes to the right-hand side */
    work.assign(b, b + h.n);
    if (!transpose) {
      for (const Coupling &c : coupling) work[c.row] -= c.value * b[c.col] / diagonal[c.col];
      cycle.Apply(h, s, scale, work.data(), x);
    } else {
      cycle.Apply(h, s, scale, work.data(), x);
      for (const Coupling &c : coupling) x[c.col] -= c.value * x[c.row] / diagonal[c.col];
    }
  }

  Report GetReport() const override
  {
    Report r;
    double n0 = h.n, nnz = 0.0, n = 0.0;
    size_t m = h.place.size() * sizeof(int);

    for (const Level<Real> &L : h.level) {
      r.level.push_back({L.n, 2 * L.nedges + L.n, L.ncut, L.smooth});
      r.stored += L.fcol.size() + L.scol.size();
      m += (L.fcol.size() + L.srow.size() + L.scol.size()) * sizeof(int) + (L.fweight.size() + L.finv.size() + L.sweight.size() + L.sinv.size() + L.fbase.size() + L.sbase.size()) * sizeof(Real);
    }
    r.level.push_back({h.nd, 2 * (long long)h.coarse.adj.size() + h.nd, 0, false});
    for (const LevelReport &l : r.level) {
      nnz += l.nnz;
      n += l.n;
    }
    r.operators = nnz / std::max(1.0, (double)r.level[0].nnz);
    r.grids     = n / std::max(1.0, n0);
    r.memory    = m + cycle.Memory();
    r.reordered = reordered;
    r.clamped   = clamped;
    r.nclamped  = h.nclamped;
    r.ncoupling = (int)coupling.size();
    return r;
  }

  double Flops(const Sweeps &s) const override
  {
    double flops = 0.0, visits = 1.0;

    for (const Level<Real> &L : h.level) {
      double level = 4.0 * L.fcol.size();

      if (L.smooth) level += 2.0 * L.scol.size() * (s.pre + s.post + (s.pre > 0));
      flops += visits * level;
      visits *= s.gamma;
    }
    return flops + 2.0 * visits * h.nd * h.nd;
  }

  std::unique_ptr<EigenLevels> Levels() override
  {
    return coupling.empty() ? MakeEigenLevels(h, cycle, scale) : nullptr;
  }

private:
  bool Read(const Rows &A, const Survey &survey, const Options &options, Lattice *lattice, Asymmetry &asymmetry)
  {
    Graph<Real> g;

    if (!MakeGraph(A, survey, g, coupling, asymmetry)) return false;
    if (!coupling.empty()) {
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
    if (survey.npositive) {
      matrix = std::move(g);
      RemoveNegative(matrix, options.positive, graph);
    } else {
      matrix.n = 0;
      graph    = std::move(g);
    }
    return true;
  }

  bool Finish(const Rules &rules, Lattice *lattice)
  {
    hsc::Build(std::move(graph), matrix.n ? &matrix : nullptr, lattice, rules, h);
    graph  = Graph<Real>();
    matrix = Graph<Real>();
    if (reordered) {
      Array<int> place(h.n);

      for (int v = 0; v < h.n; v++) place[v] = h.place[number[v]];
      h.place = std::move(place);
      number.clear();
    }
    return h.nd <= maxdense && cycle.Factor(h);
  }

  Hierarchy<Real>        h;
  Cycle<Real>            cycle;
  Graph<Real>            graph, matrix; /* while they are made */
  Array<int>             number;
  std::vector<Coupling>  coupling;
  std::vector<PetscReal> diagonal, work;
  double                 scale     = 1.0;
  bool                   reordered = false, clamped = false;
};

} // namespace

std::unique_ptr<Solver> Solver::Create(bool single)
{
  if (single) return std::unique_ptr<Solver>(new SolverOf<float>);
  return std::unique_ptr<Solver>(new SolverOf<double>);
}

} // namespace hsc
} // namespace petlap
