/*
  Puts the fronts of a plan into an order, gives every one its memory, and drives the executors over them.
*/
#include "mat/schwarzschur/factor.h"
#include "mat/schwarzschur/allocator.h"
#include "mat/compat/isa.h"
#include <algorithm>
#include <cfloat>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <map>
#include <memory>
#include <vector>
#if defined(_OPENMP)
  #include <omp.h>
#endif

#if defined(PETLAP_HAVE_X86)
extern const FactorKernels FactorKernels_avx512[2];
extern const FactorKernels FactorKernels_avx2[2];
#endif
extern const FactorKernels FactorKernels_portable[2];

const FactorKernels *FactorFindKernels(bool single, const char *isa)
{
#if defined(PETLAP_HAVE_X86)
  const PetlapISA best = PetlapBestISA();

  if (best == PETLAP_ISA_AVX512 && (!isa || !strcmp(isa, "avx512"))) return &FactorKernels_avx512[single];
  if (best >= PETLAP_ISA_AVX2 && (!isa || !strcmp(isa, "avx2"))) return &FactorKernels_avx2[single];
#endif
  return !isa || !strcmp(isa, "portable") ? &FactorKernels_portable[single] : nullptr;
}

namespace {

/* Memory that is aligned for vectors and whose size no overflow can falsify */
void *Allocate(double bytes)
{
  if (bytes > 0.9 * (double)PTRDIFF_MAX) return nullptr;
  return aligned_alloc(64, ((size_t)bytes + 127) / 64 * 64);
}

struct TreeNode {
  int         cls, parent, nchild, child[2], blocks, depth;
  PetscInt    origin;
  FactorPlace place;
};

} // namespace

struct Factor {
  const Plan          *plan;
  FactorOptions        options;
  const FactorKernels *kernels;
  FactorData           data;

  std::vector<FactorClass>                cls;
  std::vector<std::vector<FactorSegment>> segment;
  std::vector<FactorProgram>              program;
  std::vector<std::vector<FactorNode>>    node;
  std::vector<FactorTask>                 task;
  std::vector<std::vector<FactorStep>>    step;
  std::vector<FactorStep>                 solve; /* where the fronts of a class share their factors, solves have steps of their own */
  std::vector<PetscInt>                   origin;
  std::vector<FactorPlace>                place;
  size_t                                  nfactor = 0, npivot = 0, npacked = 0;             /* entries */
  size_t                                  own_d = 0, own_v = 0, shared_d = 0, shared_v = 0; /* entries */
  size_t                                  lanes = 0, vlanes = 0, work = 0;                  /* entries */
  std::vector<FactorThread>               thread;
  int                                     nrhs    = 0; /* that the vectors have room for */
  void                                   *x       = nullptr;
  double                                  batches = 0, blocks = 0, replaced = 0, ratio = 1;

  ~Factor()
  {
    free(data.factor);
    free(data.pivot);
    free(data.packed);
    free(data.shared_d);
    free(data.shared_v);
    free(x);
    for (FactorThread &t : thread) {
      free(t.d);
      free(t.v);
      free(t.lanes);
      free(t.vlanes);
      free(t.work);
    }
  }
};

namespace {

void BuildClass(Factor *F, int i)
{
  const PlanClass            &p   = F->plan->cls[i];
  const int                   dof = F->plan->grid.dof;
  FactorClass                &c   = F->cls[i];
  std::vector<FactorSegment> &seg = F->segment[i];
  std::vector<int>            cut = {0, p.m, p.m + p.r};

  for (int k = 0; k < p.nchild; k++) {
    for (int q = 0; q < p.nrun[k]; q++) {
      cut.push_back(p.run[k][q].parent);
      cut.push_back(p.run[k][q].parent + p.run[k][q].n);
    }
  }
  std::sort(cut.begin(), cut.end());
  cut.erase(std::unique(cut.begin(), cut.end()), cut.end());
  for (size_t q = 0; q + 1 < cut.size(); q++) seg.push_back({cut[q], cut[q + 1] - cut[q], {-1, -1}});
  for (int k = 0; k < p.nchild; k++) {
    for (int q = 0; q < p.nrun[k]; q++) {
      const PlanRun &run = p.run[k][q];

      for (size_t s = std::lower_bound(cut.begin(), cut.end(), run.parent) - cut.begin(); s < seg.size() && seg[s].at < run.parent + run.n; s++) seg[s].src[k] = run.child + seg[s].at - run.parent;
    }
  }
  c.plan       = &p;
  c.m          = p.m * dof;
  c.r          = p.r * dof;
  c.f          = c.m + c.r;
  c.nsegment_s = 0;
  for (FactorSegment &s : seg) {
    if (s.at < p.m) c.nsegment_s++;
    s.at *= dof;
    s.n *= dof;
    for (int k = 0; k < 2; k++) s.src[k] = s.src[k] < 0 ? -1 : s.src[k] * dof;
  }
  c.nsegment = (int)seg.size();
  c.segment  = seg.data();
  switch (F->options.mode) {
  case FACTOR_LU:
    c.size = (size_t)c.m * c.f + (size_t)c.m * c.r;
    break;
  case FACTOR_SPD:
    c.size = (size_t)c.m * c.f;
    break;
  case FACTOR_SYMMETRIC:
    c.size = (size_t)c.m * c.m + (size_t)c.m * c.r;
    break;
  }
}

/* Returns the index of the node in the program, children first */
int BuildProgram(Factor *F, int cls, PetscInt shift, FactorProgram *program, std::vector<FactorNode> &node, FactorAllocator &d, FactorAllocator &v)
{
  const PlanClass   &p = F->plan->cls[cls];
  const FactorClass &c = F->cls[cls];
  FactorNode         n;
  int                child[2] = {-1, -1};

  memset(&n, 0, sizeof(n));
  for (int k = 0; k < p.nchild; k++) child[k] = BuildProgram(F, p.child[k], shift + p.shift[k], program, node, d, v);
  n.cls    = cls;
  n.nchild = p.nchild;
  n.shift  = shift;
  n.factor = program->factor;
  n.pivot  = program->pivot;
  n.x      = program->x;
  program->factor += c.size;
  program->x += c.m;
  program->pivot += 1 + c.m * F->kernels->lanes;
  /* The panel of the symmetric mode is a passing thing and stands behind the front's own block */
  const size_t panel = F->options.mode == FACTOR_SYMMETRIC ? (size_t)c.m * c.f : 0, size = (size_t)c.r * c.r;
  n.d = d.Take(size + panel);
  n.v = v.Take(c.r);
  for (int k = 0; k < p.nchild; k++) {
    const size_t rk = F->cls[p.child[k]].r, pk = F->options.mode == FACTOR_SYMMETRIC ? (size_t)F->cls[p.child[k]].m * F->cls[p.child[k]].f : 0;

    n.cd[k] = node[child[k]].d;
    n.cv[k] = node[child[k]].v;
    d.Give(n.cd[k], rk * rk + pk);
    v.Give(n.cv[k], rk);
  }
  node.push_back(n);
  return (int)node.size() - 1;
}

/* The block's fronts as they appear one by one; returns the index in tree */
int BuildTree(Factor *F, std::vector<TreeNode> &tree, int cls, PetscInt origin, int depth, bool inside)
{
  const PlanClass &p = F->plan->cls[cls];
  TreeNode         n;

  memset(&n, 0, sizeof(n));
  n.cls    = cls;
  n.origin = origin;
  n.parent = -1;
  n.depth  = depth;
  if (!p.block || inside) {
    n.nchild = p.nchild;
    for (int k = 0; k < p.nchild; k++) {
      n.child[k] = BuildTree(F, tree, p.child[k], origin + p.shift[k], depth + 1, inside);
      n.blocks += tree[n.child[k]].blocks;
    }
  }
  if (p.block) n.blocks = 1;
  tree.push_back(n);
  for (int k = 0; k < n.nchild; k++) tree[n.child[k]].parent = (int)tree.size() - 1;
  return (int)tree.size() - 1;
}

class Scheduler {
  Factor               *F;
  std::vector<TreeNode> tree;
  std::map<int, int>    programs;
  std::vector<bool>     fits; /* whether the block classes may run in lanes */
  int                   V;
  FactorAllocator       shared_d, shared_v;

  int Program(int cls)
  {
    auto found = programs.find(cls);
    if (found != programs.end()) return found->second;
    FactorProgram   p;
    FactorAllocator d, v;

    memset(&p, 0, sizeof(p));
    F->node.emplace_back();
    BuildProgram(F, cls, 0, &p, F->node.back(), d, v);
    p.nnode = (int)F->node.back().size();
    p.d     = d.Size();
    p.v     = v.Size();
    F->program.push_back(p);
    F->lanes = std::max(F->lanes, p.d);
    int f    = 0;
    for (const FactorNode &n : F->node.back()) f = std::max(f, F->cls[n.cls].f);
    F->vlanes            = std::max(F->vlanes, p.v + f);
    return programs[cls] = (int)F->program.size() - 1;
  }

  bool Fits(int cls)
  {
    const PlanClass &p = F->plan->cls[cls];

    if (F->cls[cls].m > 256) return false;
    for (int k = 0; k < p.nchild; k++) {
      if (!Fits(p.child[k])) return false;
    }
    return true;
  }

  size_t Align(size_t n) const
  {
    return (n + 15) / 16 * 16;
  }

  FactorPlace Take(int cls, FactorAllocator &d, FactorAllocator &v, bool shared)
  {
    const size_t r = F->cls[cls].r;
    FactorPlace  p;

    p.shared = shared;
    p.d      = (shared ? shared_d : d).Take(r * r);
    p.v      = (shared ? shared_v : v).Take(r);
    return p;
  }

  /* One front of each class, children first; a contribution block lives until the last class that takes it up */
  void Classes(int cls, PetscInt origin, std::vector<int> &uses, std::vector<FactorStep> &done, FactorAllocator &d, FactorAllocator &v)
  {
    const PlanClass   &p = F->plan->cls[cls];
    const FactorClass &c = F->cls[cls];
    FactorStep         s;

    if (done[cls].n) return;
    for (int k = 0; k < p.nchild; k++) Classes(p.child[k], origin + p.shift[k], uses, done, d, v);
    memset(&s, 0, sizeof(s));
    s.program = -1;
    s.cls     = cls;
    s.n       = 1;
    s.nchild  = p.nchild;
    s.origin  = (PetscInt *)F->origin.size();
    s.place   = (FactorPlace *)F->place.size();
    F->origin.push_back(origin);
    F->place.push_back(Take(cls, d, v, false));
    for (int k = 0; k < p.nchild; k++) s.child[k] = F->place[(size_t)done[p.child[k]].place];
    for (int k = 0; k < p.nchild; k++) {
      const size_t rk = F->cls[p.child[k]].r;

      if (--uses[p.child[k]]) continue;
      d.Give(s.child[k].d, rk * rk);
    }
    s.factor = F->nfactor;
    s.pivot  = F->npivot;
    F->nfactor += Align(c.size);
    F->npivot += c.m;
    F->work   = std::max(F->work, std::max((size_t)c.m * c.f * (F->options.mode == FACTOR_SYMMETRIC), (size_t)c.m));
    done[cls] = s;
    F->step[0].push_back(s);
  }

  FactorPlace Shared(int cls, PetscInt origin, const std::vector<FactorStep> &of, FactorAllocator &v)
  {
    const PlanClass &p = F->plan->cls[cls];
    FactorStep       s = of[cls];
    FactorPlace      place;

    for (int k = 0; k < p.nchild; k++) s.child[k] = Shared(p.child[k], origin + p.shift[k], of, v);
    memset(&place, 0, sizeof(place));
    place.v  = v.Take(F->cls[cls].r);
    s.origin = (PetscInt *)F->origin.size();
    s.place  = (FactorPlace *)F->place.size();
    F->origin.push_back(origin);
    F->place.push_back(place);
    for (int k = 0; k < p.nchild; k++) v.Give(s.child[k].v, F->cls[p.child[k]].r);
    F->solve.push_back(s);
    return place;
  }

  void Front(int t, FactorAllocator &d, FactorAllocator &v, bool shared, bool reuse, std::vector<FactorStep> &step)
  {
    TreeNode          &n = tree[t];
    const FactorClass &c = F->cls[n.cls];
    FactorStep         s;

    memset(&s, 0, sizeof(s));
    s.program = -1;
    s.cls     = n.cls;
    s.n       = 1;
    s.nchild  = n.nchild;
    s.origin  = (PetscInt *)F->origin.size();
    s.place   = (FactorPlace *)F->place.size();
    n.place   = Take(n.cls, d, v, shared);
    F->origin.push_back(n.origin);
    F->place.push_back(n.place);
    for (int k = 0; k < n.nchild; k++) {
      const size_t rk = F->cls[tree[n.child[k]].cls].r;

      s.child[k] = tree[n.child[k]].place;
      if (s.child[k].shared && !reuse) continue;
      (s.child[k].shared ? shared_d : d).Give(s.child[k].d, rk * rk);
      (s.child[k].shared ? shared_v : v).Give(s.child[k].v, rk);
    }
    s.factor = F->nfactor;
    s.pivot  = F->npivot;
    F->nfactor += Align(c.size);
    F->npivot += c.m;
    F->work = std::max(F->work, std::max((size_t)c.m * c.f * (F->options.mode == FACTOR_SYMMETRIC), (size_t)c.m));
    step.push_back(s);
  }

  void Alone(int t, FactorAllocator &d, FactorAllocator &v, std::vector<FactorStep> &step)
  {
    for (int k = 0; k < tree[t].nchild; k++) Alone(tree[t].child[k], d, v, step);
    Front(t, d, v, false, true, step);
  }

  void Collect(int t, std::map<int, std::vector<int>> &blocks, std::vector<int> &fronts)
  {
    if (F->plan->cls[tree[t].cls].block) {
      blocks[tree[t].cls].push_back(t);
      return;
    }
    for (int k = 0; k < tree[t].nchild; k++) Collect(tree[t].child[k], blocks, fronts);
    fronts.push_back(t);
  }

  /* All fronts of a subtree: its blocks in batches first, then what is above them */
  void Window(int top, bool shared, FactorAllocator &d, FactorAllocator &v, std::vector<FactorStep> &step)
  {
    std::map<int, std::vector<int>> blocks;
    std::vector<int>                fronts;

    Collect(top, blocks, fronts);
    for (auto &b : blocks) {
      size_t at = 0;

      while (at < b.second.size()) {
        const size_t n = std::min((size_t)V, b.second.size() - at);

        if (V > 1 && (n > 2 || n * 2 >= (size_t)V) && fits[b.first]) {
          FactorStep s;

          memset(&s, 0, sizeof(s));
          s.program = Program(b.first);
          s.cls     = b.first;
          s.n       = (int)n;
          s.origin  = (PetscInt *)F->origin.size();
          s.place   = (FactorPlace *)F->place.size();
          for (size_t k = 0; k < n; k++) {
            TreeNode &t = tree[b.second[at + k]];

            t.place = Take(b.first, d, v, shared && b.second[at + k] == top);
            F->origin.push_back(t.origin);
            F->place.push_back(t.place);
          }
          s.factor = F->nfactor;
          s.pivot  = F->npivot;
          s.x      = F->npacked;
          F->nfactor += Align(F->program[s.program].factor * V);
          F->npacked += F->program[s.program].x * V;
          F->npivot += F->program[s.program].pivot;
          F->batches++;
          F->blocks += (double)n;
          step.push_back(s);
        } else {
          for (size_t k = 0; k < n; k++) {
            const int      q      = b.second[at + k];
            const PetscInt origin = tree[q].origin;
            const int      parent = tree[q].parent;
            /* The inner fronts of this block join the tree for themselves */
            const int root = BuildTree(F, tree, b.first, origin, 0, true);

            for (int i = 0; i < tree[root].nchild; i++) Alone(tree[root].child[i], d, v, step);
            Front(root, d, v, shared && q == top, true, step);
            tree[q].place  = tree[root].place;
            tree[q].parent = parent;
          }
        }
        at += n;
      }
    }
    for (int t : fronts) Front(t, d, v, shared && t == top, true, step);
  }

  void Windows(int t, int most, std::vector<int> &windows, std::vector<int> &above)
  {
    if (tree[t].blocks <= most || !tree[t].nchild) {
      windows.push_back(t);
      return;
    }
    for (int k = 0; k < tree[t].nchild; k++) Windows(tree[t].child[k], most, windows, above);
    above.push_back(t);
  }

  /* Windows and what is above them, in the order of the tree */
  void Ordered(int t, int most, FactorAllocator &d, FactorAllocator &v, std::vector<FactorStep> &step)
  {
    if (tree[t].blocks <= most || !tree[t].nchild) {
      Window(t, false, d, v, step);
      return;
    }
    for (int k = 0; k < tree[t].nchild; k++) Ordered(tree[t].child[k], most, d, v, step);
    Front(t, d, v, false, true, step);
  }

  /* Blocks that are batched together: enough to fill the lanes, not so many that what they leave falls out of the cache */
  int WindowBlocks() const
  {
    size_t r = 1;

    for (int i = 0; i < F->plan->nclass; i++) {
      if (F->plan->cls[i].block) r = std::max(r, (size_t)F->cls[i].r);
    }
    return (int)std::max((size_t)(4 * V), ((size_t)8 << 20) / (r * r * F->kernels->scalar));
  }

public:
  Scheduler(Factor *factor) : F(factor), V(factor->kernels->lanes) {}

  void Run()
  {
    int root;

    if (F->options.constant) {
      std::vector<int>        uses(F->plan->nclass, 0);
      std::vector<FactorStep> done(F->plan->nclass);
      FactorAllocator         d, v, sv;

      memset(done.data(), 0, done.size() * sizeof(FactorStep));
      for (int i = 0; i < F->plan->nclass; i++) {
        for (int k = 0; k < F->plan->cls[i].nchild; k++) uses[F->plan->cls[i].child[k]]++;
      }
      F->step.emplace_back();
      F->task.push_back({0, -1, 0, nullptr});
      Classes(F->plan->root, F->plan->rootorigin, uses, done, d, v);
      Shared(F->plan->root, F->plan->rootorigin, done, sv);
      F->own_d = d.Size();
      F->own_v = std::max(v.Size(), sv.Size());
      return;
    }
    fits.resize(F->plan->nclass);
    for (int i = 0; i < F->plan->nclass; i++) fits[i] = F->plan->cls[i].block && Fits(i);
    root              = BuildTree(F, tree, F->plan->root, F->plan->rootorigin, 0, false);
    const int most    = WindowBlocks();
    const int threads = F->options.threads;
    if (threads <= 1 || tree[root].blocks < 2 * threads) {
      FactorAllocator d, v;

      F->step.emplace_back();
      F->task.push_back({0, -1, 0, nullptr});
      Ordered(root, most, d, v, F->step.back());
      F->own_d = d.Size();
      F->own_v = v.Size();
    } else {
      std::vector<int>   windows, above;
      std::map<int, int> taskof;

      Windows(root, std::max(1, tree[root].blocks / (4 * threads)), windows, above);
      for (int t : windows) {
        FactorAllocator d, v;

        F->step.emplace_back();
        taskof[t] = (int)F->task.size();
        F->task.push_back({0, -1, 0, nullptr});
        if (tree[t].blocks <= most)
          Window(t, true, d, v, F->step.back());
        else {
          for (int k = 0; k < tree[t].nchild; k++) Ordered(tree[t].child[k], most, d, v, F->step.back());
          Front(t, d, v, true, true, F->step.back());
        }
        F->own_d = std::max(F->own_d, d.Size());
        F->own_v = std::max(F->own_v, v.Size());
      }
      for (int t : above) {
        FactorAllocator d, v;

        F->step.emplace_back();
        taskof[t] = (int)F->task.size();
        F->task.push_back({0, -1, tree[t].nchild, nullptr});
        for (int k = 0; k < tree[t].nchild; k++) F->task[taskof[tree[t].child[k]]].parent = taskof[t];
        Front(t, d, v, true, false, F->step.back());
      }
    }
    F->shared_d = shared_d.Size();
    F->shared_v = shared_v.Size();
  }
};

} // namespace

Factor *FactorCreate(const Plan *plan, const FactorOptions *options)
{
  std::unique_ptr<Factor> F;

  try {
    F.reset(new Factor());
    memset(&F->data, 0, sizeof(F->data));
    F->plan    = plan;
    F->options = *options;
    F->kernels = FactorFindKernels(options->single, options->isa);
    if (!F->kernels) return nullptr;
    F->cls.resize(plan->nclass);
    F->segment.resize(plan->nclass);
    for (int i = 0; i < plan->nclass; i++) BuildClass(F.get(), i);
    Scheduler(F.get()).Run();
  } catch (const std::exception &) {
    return nullptr;
  }
  for (size_t i = 0; i < F->program.size(); i++) F->program[i].node = F->node[i].data();
  for (size_t i = 0; i < F->task.size(); i++) {
    F->task[i].nstep = (int)F->step[i].size();
    F->task[i].step  = F->step[i].data();
    for (FactorStep &s : F->step[i]) {
      s.origin = F->origin.data() + (size_t)s.origin;
      s.place  = F->place.data() + (size_t)s.place;
    }
  }
  for (FactorStep &s : F->solve) {
    s.origin = F->origin.data() + (size_t)s.origin;
    s.place  = F->place.data() + (size_t)s.place;
  }
  FactorData &d = F->data;
  d.plan        = plan;
  d.mode        = options->mode;
  d.hermitian   = options->hermitian;
  d.threshold   = options->threshold;
  d.nclass      = plan->nclass;
  d.nprogram    = (int)F->program.size();
  d.ntask       = (int)F->task.size();
  d.cls         = F->cls.data();
  d.program     = F->program.data();
  d.task        = F->task.data();
  return F.release();
}

void FactorDestroy(Factor *factor)
{
  delete factor;
}

namespace {

int Threads(const Factor *F)
{
#if defined(_OPENMP)
  return F->task.size() > 1 ? std::max(1, F->options.threads) : 1;
#else
  (void)F;
  return 1;
#endif
}

bool AllocateThreads(Factor *F)
{
  const double scalar = (double)F->kernels->scalar, V = F->kernels->lanes;

  /* Each by itself: an earlier call may have found memory for some */
  if (!F->data.factor) F->data.factor = Allocate((double)F->nfactor * scalar);
  if (!F->data.pivot) F->data.pivot = (int *)Allocate((double)F->npivot * sizeof(int));
  if (!F->data.shared_d) F->data.shared_d = Allocate((double)F->shared_d * scalar);
  if (!F->data.factor || !F->data.pivot || !F->data.shared_d) return false;
  if (F->thread.empty()) {
    F->thread.resize(Threads(F));
    memset(F->thread.data(), 0, F->thread.size() * sizeof(FactorThread));
  }
  for (FactorThread &t : F->thread) {
    if (!t.d) t.d = Allocate((double)F->own_d * scalar);
    if (!t.lanes) t.lanes = Allocate((double)F->lanes * scalar * V);
    if (!t.work) t.work = Allocate(((double)F->work + F->kernels->worksize) * scalar);
    if (!t.d || !t.lanes || !t.work) return false;
  }
  return true;
}

bool AllocateVectors(Factor *F, int nrhs)
{
  const double scalar = (double)F->kernels->scalar;
  size_t       m      = F->work;

  if (nrhs <= F->nrhs) return true;
  F->nrhs = 0; /* unless all of it is found */
  for (const FactorClass &c : F->cls) m = std::max(m, (size_t)c.m * nrhs);
  free(F->data.shared_v);
  F->data.shared_v = Allocate((double)F->shared_v * scalar * nrhs);
  free(F->data.packed);
  F->data.packed = Allocate((double)F->npacked * scalar * nrhs);
  if (!F->data.shared_v || !F->data.packed) return false;
  for (FactorThread &t : F->thread) {
    free(t.v);
    free(t.work);
    free(t.vlanes);
    t.v      = Allocate((double)F->own_v * scalar * nrhs);
    t.vlanes = Allocate((double)F->vlanes * scalar * F->kernels->lanes * nrhs);
    t.work   = Allocate(((double)m + F->kernels->worksize) * scalar);
    if (!t.v || !t.vlanes || !t.work) return false;
  }
  F->nrhs = nrhs;
  return true;
}

typedef void (*StepFunction)(const FactorData *, const FactorStep *, FactorThread *);

/* Tasks up the tree, or down it in the opposite order of everything */
void Drive(Factor *F, StepFunction function, bool down, bool solve)
{
  FactorTask  shared = {(int)F->solve.size(), -1, 0, F->solve.data()};
  const int   ntask  = F->data.ntask;
  FactorTask *task   = solve && F->options.constant ? &shared : F->data.task;
  auto        work   = [&](int t, FactorThread *thread) {
    for (int i = 0; i < task[t].nstep && !thread->failed; i++) function(&F->data, &task[t].step[down ? task[t].nstep - 1 - i : i], thread);
  };

  if (F->thread.size() == 1) {
    for (int t = 0; t < ntask; t++) work(down ? ntask - 1 - t : t, &F->thread[0]);
    return;
  }
#if defined(_OPENMP)
  std::vector<std::vector<int>> child(ntask);
  std::vector<char>             token(ntask + 1);
  char                         *k       = token.data();
  FactorThread                 *threads = F->thread.data();

  (void)k;
  for (int t = 0; t < ntask; t++) {
    if (task[t].parent >= 0) child[task[t].parent].push_back(t);
  }
  #pragma omp parallel num_threads((int)F->thread.size())
  #pragma omp          single
  {
    if (!down) {
      for (int t = 0; t < ntask; t++) {
        const int a = child[t].size() > 0 ? child[t][0] : ntask, b = child[t].size() > 1 ? child[t][1] : a;

        (void)a;
        (void)b;
  #pragma omp task firstprivate(t) depend(in : k[a], k[b]) depend(out : k[t])
        work(t, &threads[omp_get_thread_num()]);
      }
    } else {
      for (int t = ntask - 1; t >= 0; t--) {
        const int p = task[t].parent >= 0 ? task[t].parent : ntask;

        (void)p;
  #pragma omp task firstprivate(t) depend(in : k[p]) depend(out : k[t])
        work(t, &threads[omp_get_thread_num()]);
      }
    }
  }
#endif
}

} // namespace

void FactorPivots(bool single, double norm, double *tiny, double *replacement)
{
  *tiny        = (single ? 1e-30 : 1e-40) * norm;
  *replacement = __builtin_sqrt(single ? FLT_EPSILON : DBL_EPSILON) * norm;
  if (*tiny == 0) *tiny = single ? FLT_MIN : DBL_MIN;
}

double FactorBackwardError(double norm, double residual, double x, double b)
{
  /* Of sums of as many products as a row has, and of a solution that is rounded to such numbers */
  const double lost = 64 * std::numeric_limits<double>::denorm_min(), down = DBL_EPSILON;
  double       size = norm * x + b;

  if (residual <= lost * std::max(norm, 1.)) return 0;
  if (size <= DBL_MAX) return residual / size;
  size = norm * (down * x) + down * b;
  return size <= DBL_MAX ? down * residual / size : DBL_MAX;
}

int FactorNumeric(Factor *F, const FactorValues *values, double norm)
{
  int failed = 0;

  if (!AllocateThreads(F)) return 3;
  F->data.values = *values;
  F->data.norm   = norm;
  FactorPivots(F->options.single, norm, &F->data.tiny, &F->data.replacement);
  for (FactorThread &t : F->thread) {
    t.failed   = 0;
    t.replaced = 0;
    t.ratio    = 1;
  }
  Drive(F, F->kernels->step, false, false);
  F->replaced = 0;
  F->ratio    = 1;
  for (FactorThread &t : F->thread) {
    failed = std::max(failed, t.failed);
    F->replaced += t.replaced;
    F->ratio = std::min(F->ratio, t.ratio);
    t.failed = 0;
  }
  return failed;
}

/* Where the root of the tree leaves what its ring gets; it comes last, in the first thread's memory if it is the only one */
static const FactorPlace *RootPlace(const Factor *F)
{
  return F->step.back().back().place;
}

const void *FactorContribution(const Factor *F)
{
  const FactorPlace *p    = RootPlace(F);
  const char        *base = (const char *)(p->shared ? F->data.shared_d : F->thread[0].d);

  return base + p->d * F->kernels->scalar;
}

void FactorRelease(Factor *F)
{
  for (FactorThread &t : F->thread) {
    free(t.d);
    free(t.lanes);
    t.d = t.lanes = nullptr;
  }
}

int FactorForward(Factor *F, FactorTranspose trans, int nrhs, const PetscScalar *b, ptrdiff_t ldb, void *x, ptrdiff_t ldx, void **ring)
{
  if (!AllocateVectors(F, nrhs)) return 3;
  F->data.trans = trans;
  F->data.nrhs  = nrhs;
  F->data.b     = b;
  F->data.ldb   = ldb;
  F->data.x     = x;
  F->data.ldx   = ldx;
  Drive(F, F->kernels->forward, false, true);
  if (ring) {
    const FactorPlace *p = RootPlace(F);

    *ring = (char *)(p->shared ? F->data.shared_v : F->thread[0].v) + p->v * nrhs * F->kernels->scalar;
  }
  return 0;
}

void FactorBackward(Factor *F)
{
  Drive(F, F->kernels->backward, true, true);
}

int FactorSolve(Factor *F, FactorTranspose trans, int nrhs, const PetscScalar *b, ptrdiff_t ldb, PetscScalar *x, ptrdiff_t ldx)
{
  const ptrdiff_t n    = (ptrdiff_t)F->plan->npoints * F->plan->grid.dof;
  const bool      same = F->kernels->scalar == sizeof(PetscScalar), conj = F->data.hermitian && trans == FACTOR_TRANS;
  const int       old = F->nrhs;

  if (!AllocateVectors(F, nrhs)) return 3;
  if (!same && (!F->x || old < nrhs)) {
    free(F->x);
    F->x = Allocate((double)n * F->nrhs * (double)F->kernels->scalar);
    if (!F->x) return 3;
  }
  if (FactorForward(F, trans, nrhs, b, ldb, same ? (void *)x : F->x, same ? ldx : n, nullptr)) return 3;
  FactorBackward(F);
  for (int q = 0; q < nrhs && (!same || conj); q++) {
    for (ptrdiff_t i = 0; i < n; i++) {
#if defined(PETSC_USE_COMPLEX)
      PetscScalar v;

      if (same)
        v = x[i + q * ldx];
      else {
        const float *s = (const float *)F->x + 2 * (i + q * n);
        v              = PetscCMPLX(s[0], s[1]);
      }
      x[i + q * ldx] = conj ? PetscConj(v) : v;
#else
      x[i + q * ldx] = ((const float *)F->x)[i + q * n];
#endif
    }
  }
  return 0;
}

bool FactorIsConstant(const Plan *plan, const FactorValues *values, PetscInt *row)
{
  const PlanGrid       &g   = plan->grid;
  const int             cap = g.width, side = 2 * cap + 1;
  const PetscInt        slots = (PetscInt)plan->nstencil * g.dof;
  std::vector<PetscInt> model; /* of every kind of surroundings, the first point */

  if (g.topology != PLAN_PLAIN || g.periodic[0] || g.periodic[1] || g.periodic[2]) return false;
  model.assign((size_t)side * side * side, -1);
  for (PetscInt z = 0, p = 0; z < g.size[2]; z++) {
    for (PetscInt y = 0; y < g.size[1]; y++) {
      for (PetscInt x = 0; x < g.size[0]; x++, p++) {
        const PetscInt c[3] = {x, y, z};
        PetscInt       kind = 0;

        for (int d = 0; d < g.dim; d++) {
          const PetscInt lo = c[d], hi = g.size[d] - 1 - c[d];
          /* Both sides are near only on grids that are too small to gain anything */
          if (lo < cap && hi < cap) return false;
          kind = kind * side + (lo < cap ? lo : hi < cap ? side - 1 - hi : cap);
        }
        if (model[kind] < 0) {
          model[kind] = p;
          continue;
        }
        for (int a = 0; a < g.dof; a++) {
          const PetscInt i = p * g.dof + a, j = model[kind] * g.dof + a, n = values->slots ? slots : values->ai[i + 1] - values->ai[i];

          if (memcmp(values->aa + values->ai[i], values->aa + values->ai[j], (size_t)n * sizeof(PetscScalar))) {
            if (row) *row = i;
            return false;
          }
        }
      }
    }
  }
  return true;
}

FactorInfo FactorGetInfo(const Factor *F)
{
  FactorInfo   info;
  const double scalar = (double)F->kernels->scalar, threads = Threads(F);

  memset(&info, 0, sizeof(info));
  for (int i = 0; i < F->plan->nclass; i++) {
    const double m = F->cls[i].m, r = F->cls[i].r, count = F->options.constant ? 1 : F->plan->cls[i].count;

    info.entries += count * (F->options.mode == FACTOR_LU ? m * m + 2 * m * r : m * (m + 1) / 2 + m * r);
    info.flops += count * (F->options.mode == FACTOR_LU ? 2 * m * m * m / 3 + 2 * m * m * r + 2 * m * r * r : F->options.mode == FACTOR_SPD ? m * m * m / 3 + m * m * r + m * r * r : 2 * m * m * m / 3 + 2 * m * m * r + m * r * r);
  }
  info.isa         = F->kernels->isa;
  info.lanes       = F->kernels->lanes;
  info.bytes       = (double)F->nfactor * scalar + (double)F->npivot * sizeof(int);
  info.stack_bytes = ((double)F->shared_d + (double)F->npacked) * scalar + threads * scalar * ((double)F->own_d + (double)(F->lanes + F->vlanes) * F->kernels->lanes + (double)F->work + (double)F->kernels->worksize);
  info.batches     = F->batches;
  info.blocks      = F->blocks;
  info.replaced    = F->replaced;
  info.ratio       = F->ratio;
  info.threads     = Threads(F);
  info.tasks       = (int)F->task.size();
  return info;
}
