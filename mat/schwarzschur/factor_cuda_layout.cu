/*
  What the CUDA executor must know of a plan before it sees a number: built on the host and sent to the device.
*/
#include "mat/schwarzschur/factor_cuda_impl.h"
#include "mat/schwarzschur/allocator.h"

#include <exception>

int CudaKind(const CudaLimits &limits, int m, int r, bool glue)
{
  if (glue || m > std::min(limits.small, 64) || SmallBytes(limits.scalar, m, r) > (size_t)limits.smem || SolveBytes(limits.scalar, m, r, SOLVE_THREADS) > (size_t)limits.shared) return 2;
  return m <= 16 && r <= 64 ? 0 : 1;
}

int CudaBatch(const CudaLimits &limits, int n, int m, int r)
{
  const double nb = limits.nb, most = 3e8 / (double)limits.scalar, one = 2.0 * m * r + 3.0 * nb * m + nb * nb;

  return (int)std::max(1.0, std::min((double)std::min(n, 32768), most / one));
}

CudaPassing CudaPassingOf(const CudaLimits &limits, bool lu, int n, int m, int r)
{
  const size_t b = (size_t)CudaBatch(limits, n, m, r), nb = (size_t)limits.nb;
  CudaPassing  passing;

  passing.z     = b * (size_t)m * (size_t)r;
  passing.y     = lu ? 0 : passing.z;
  passing.p     = m > limits.nb ? b * nb * nb : 0;
  passing.rows  = m > limits.nb ? b * nb * (size_t)m : 0;
  passing.range = b;
  return passing;
}

cudaError_t CudaGetLimits(CudaLimits *limits, size_t scalar, const FactorCudaTuning *tuning)
{
  int device;

  limits->scalar = scalar;
  limits->small  = tuning && tuning->small ? tuning->small : 64;
  limits->nb     = tuning && tuning->block ? std::min(tuning->block, 64) : 64;
  DeviceCall(cudaGetDevice(&device));
  DeviceCall(cudaDeviceGetAttribute(&limits->smem, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  return cudaDeviceGetAttribute(&limits->shared, cudaDevAttrMaxSharedMemoryPerBlock, device);
}

namespace {

/* Fronts of one class, with their children's numbers in their classes */
struct Fronts {
  std::vector<PetscInt> origin;
  std::vector<int>      child[2];
};

int Enumerate(const Plan *plan, int cls, PetscInt origin, std::vector<Fronts> &fronts)
{
  const PlanClass &p        = plan->cls[cls];
  int              child[2] = {-1, -1};

  for (int k = 0; k < p.nchild; k++) child[k] = Enumerate(plan, p.child[k], origin + p.shift[k], fronts);
  fronts[cls].origin.push_back(origin);
  for (int k = 0; k < 2; k++) fronts[cls].child[k].push_back(child[k]);
  return (int)fronts[cls].origin.size() - 1;
}

/* Everything that the device must know before it sees a number, on the host */
struct Layout {
  std::vector<int>       map;
  std::vector<PetscInt>  offset;
  std::vector<CudaEntry> entry;
  std::vector<CudaFront> front[2];
  std::vector<CudaGlue>  glue;
};

void BuildClass(FactorCuda *F, int i, bool slots, Layout &lay)
{
  const PlanClass &p   = F->plan->cls[i];
  const int        dof = F->plan->grid.dof, nrow = F->options.mode == FACTOR_LU ? p.nrow : p.nsrow;
  CudaClass       &c = F->cls[i];

  c.m      = p.m * dof;
  c.r      = p.r * dof;
  c.nchild = p.nchild;
  c.map    = (int)lay.map.size();
  for (int k = 0; k < p.nchild; k++) {
    const size_t at = lay.map.size();

    c.rk[k] = F->plan->cls[p.child[k]].r * dof;
    lay.map.resize(at + (size_t)(c.m + c.r), -1);
    for (int q = 0; q < p.nrun[k]; q++) {
      const PlanRun &run = p.run[k][q];

      for (int e = 0; e < run.n * dof; e++) lay.map[at + (size_t)(run.parent * dof + e)] = run.child * dof + e;
    }
  }
  c.offset = (int)lay.offset.size();
  for (int k = 0; k < p.m + p.r; k++) {
    for (int a = 0; a < dof; a++) lay.offset.push_back(p.offset[k] * dof + a);
  }
  c.entry = (int)lay.entry.size();
  for (int k = 0; k < nrow; k++) {
    const PlanRow &row = p.row[k];

    for (int a = 0; a < dof; a++) {
      for (int e = row.first; e < row.first + row.n; e++) {
        for (int b = 0; b < dof; b++) {
          const int at = row.row * dof + a, j = p.entry[e].col * dof + b;

          if (F->options.mode == FACTOR_LU || j >= at) lay.entry.push_back({at, j, (slots ? p.entry[e].slot : p.entry[e].rank) * dof + b, row.offset * dof + a});
        }
      }
    }
  }
  c.nentry = (int)lay.entry.size() - c.entry;
  std::vector<long long> place;

  for (int e = 0; e < c.nentry; e++) place.push_back(lay.entry[(size_t)(c.entry + e)].row + (long long)lay.entry[(size_t)(c.entry + e)].col * (c.m + c.r));
  std::sort(place.begin(), place.end());
  c.alone = std::adjacent_find(place.begin(), place.end()) != place.end();
}

void BuildLayout(FactorCuda *F, const FactorCudaPattern *pattern, Layout &lay)
{
  const Plan                   *plan = F->plan;
  const int                     ncls = plan->nclass, height = plan->height;
  const bool                    lu = F->options.mode == FACTOR_LU;
  std::vector<Fronts>           fronts((size_t)ncls);
  std::vector<int>              last((size_t)ncls, -1), start((size_t)ncls);
  std::vector<long long>        vbase((size_t)ncls), wbase((size_t)ncls);
  std::vector<std::vector<int>> order((size_t)height + 1); /* classes of each height: small ones of few threads, other small ones, large ones */
  FactorAllocator               d;

  F->nglue = (int)plan->nglue;
  for (PetscInt k = 0; k < plan->nglue; k++) lay.glue.push_back({plan->glue[k].row, plan->glue[k].col, plan->glue[k].k});
  F->cls.resize((size_t)ncls);
  F->base.resize((size_t)ncls);
  F->dbase.resize((size_t)ncls);
  for (PetscInt k = 0; k < pattern->batch; k++) Enumerate(plan, plan->root, plan->rootorigin + k * plan->npoints, fronts);
  for (int i = 0; i < ncls; i++) BuildClass(F, i, pattern->slot != nullptr, lay);

  auto kind = [&](int i) { return CudaKind(F->limits, F->cls[(size_t)i].m, F->cls[(size_t)i].r, F->nglue && i == plan->root); };
  for (int i = 0; i < ncls; i++) {
    if (fronts[(size_t)i].origin.empty()) continue;
    order[(size_t)plan->cls[i].height].push_back(i);
    for (int k = 0; k < plan->cls[i].nchild; k++) last[(size_t)plan->cls[i].child[k]] = std::max(last[(size_t)plan->cls[i].child[k]], plan->cls[i].height);
  }
  for (auto &o : order) std::stable_sort(o.begin(), o.end(), [&](int a, int b) { return kind(a) < kind(b); });
  for (int w = 0; w < (F->options.constant ? 2 : 1); w++) {
    const bool one = F->options.constant && w == 0; /* front of each class */
    int        at  = 0;

    for (int h = 0; h <= height; h++) {
      for (int i : order[(size_t)h]) {
        const CudaClass &c = F->cls[(size_t)i];
        const int        n = one ? 1 : (int)fronts[(size_t)i].origin.size(), what = kind(i);

        start[(size_t)i] = at;
        at += n;
        auto &groups = F->group[w];

        if (what == 2 || groups.empty() || groups.back().height != h || groups.back().large || groups.back().side != (what == 0 ? 8 : 16)) groups.push_back({start[(size_t)i], 0, h, i, what == 2, 0, 0, 0, 0, 0, what == 0 ? 8 : 16});
        CudaGroup &g = groups.back();

        g.n += n;
        g.m       = std::max(g.m, c.m);
        g.r       = std::max(g.r, c.r);
        g.entries = std::max(g.entries, c.nentry);
        g.shared  = std::max(g.shared, what == 2 ? 0 : SmallBytes(F->limits.scalar, c.m, c.r));
        g.solve   = std::max(g.solve, SolveBytes(F->limits.scalar, c.m, c.r, 0));
        if (w == 0) {
          const size_t size = (size_t)c.m * (size_t)(c.m + c.r) + (lu ? (size_t)c.m * (size_t)c.r : 0), count = F->options.constant ? 1 : (size_t)n;

          F->base[(size_t)i] = (long long)F->nfactor;
          F->nfactor += size * count;
          F->dbase[(size_t)i] = (long long)d.Take((size_t)c.r * (size_t)c.r * count);
          (what == 2 ? F->nlarge : F->nsmall) += n;
        }
        if (!one) {
          vbase[(size_t)i] = (long long)F->nv;
          F->nv += (size_t)c.r * (size_t)n;
          wbase[(size_t)i] = (long long)F->ns;
          if (what == 2) F->ns += (size_t)(2 * c.m + c.r) * (size_t)n;
        }
      }
      if (w == 0) {
        for (int i = 0; i < ncls; i++) {
          if (last[(size_t)i] == h) d.Give((size_t)F->dbase[(size_t)i], (size_t)F->cls[(size_t)i].r * (size_t)F->cls[(size_t)i].r * (F->options.constant ? 1 : fronts[(size_t)i].origin.size()));
        }
      }
    }
    lay.front[w].resize((size_t)at);
    for (int i = 0; i < ncls; i++) {
      const CudaClass &c    = F->cls[(size_t)i];
      const long long  size = (long long)c.m * (c.m + c.r) + (lu ? (long long)c.m * c.r : 0);
      const size_t     n    = fronts[(size_t)i].origin.empty() ? 0 : one ? 1 : fronts[(size_t)i].origin.size();

      for (size_t q = 0; q < n; q++) {
        CudaFront &f = lay.front[w][(size_t)start[(size_t)i] + q];

        memset(&f, 0, sizeof(f));
        f.cls    = i;
        f.origin = fronts[(size_t)i].origin[q] * plan->grid.dof;
        f.factor = F->base[(size_t)i] + (F->options.constant ? 0 : (long long)q * size);
        f.d      = F->dbase[(size_t)i] + (F->options.constant ? 0 : (long long)q * c.r * c.r);
        f.v      = vbase[(size_t)i] + (long long)q * c.r;
        f.w      = wbase[(size_t)i] + (long long)q * (2 * c.m + c.r);
        for (int k = 0; k < c.nchild; k++) {
          const int       ck = plan->cls[i].child[k];
          const long long qk = fronts[(size_t)i].child[k][q];

          f.cd[k] = F->dbase[(size_t)ck] + (F->options.constant ? 0 : qk * c.rk[k] * c.rk[k]);
          f.cv[k] = vbase[(size_t)ck] + qk * c.rk[k];
        }
      }
    }
  }
  if (!F->options.constant) F->group[1] = F->group[0];
  F->nd = d.Size();
}

cudaError_t UploadLayout(FactorCuda *F, const FactorCudaPattern *pattern, const Layout &lay)
{
  const PetscInt n = pattern->n;

  for (int k = 0; k < NSTREAM; k++) {
    DeviceCall(cudaStreamCreateWithFlags(&F->aux[k], cudaStreamNonBlocking));
    DeviceCall(cudaEventCreateWithFlags(&F->join[k], cudaEventDisableTiming));
  }
  DeviceCall(cudaEventCreateWithFlags(&F->fork, cudaEventDisableTiming));
  DeviceCall(cudaEventCreateWithFlags(&F->edge, cudaEventDisableTiming));
  DeviceCall(cudaMallocHost(&F->parameters, sizeof(CudaParameters)));
  DeviceCall(cudaMallocHost(&F->norms, 3 * FACTOR_CUDA_COLUMNS * sizeof(unsigned long long)));
  DeviceCall(F->dparameters.Resize(1));
  DeviceCall(F->dnorms.Resize(3 * FACTOR_CUDA_COLUMNS));
  DeviceCall(F->dcls.Set(F->cls.data(), F->cls.size()));
  DeviceCall(F->dmap.Set(lay.map.data(), lay.map.size()));
  DeviceCall(F->doffset.Set(lay.offset.data(), lay.offset.size()));
  DeviceCall(F->dentry.Set(lay.entry.data(), lay.entry.size()));
  DeviceCall(F->dglue.Set(lay.glue.data(), lay.glue.size()));
  for (int w = 0; w < 2; w++) DeviceCall(F->dfront[w].Set(lay.front[w].data(), lay.front[w].size()));
  DeviceCall(F->dia.Set(pattern->ia, (size_t)n + 1));
  DeviceCall(F->dja.Set(pattern->ja, (size_t)F->nnz));
  DeviceCall(F->daa.Resize((size_t)F->nnz));
  if (pattern->slot) {
    F->nfull = pattern->start[n];
    DeviceCall(F->dslot.Set(pattern->slot, (size_t)F->nnz));
    DeviceCall(F->dstart.Set(pattern->start, (size_t)n + 1));
    DeviceCall(F->dfull.Resize((size_t)F->nfull));
  }
  return F->Reserve();
}

} // namespace

cudaError_t FactorCudaBuild(FactorCuda *F, const FactorCudaPattern *pattern)
{
  Layout lay;

  BuildLayout(F, pattern, lay);
  return UploadLayout(F, pattern, lay);
}

/* Factors, contribution blocks, passing arrays and workspaces, as BuildLayout() and Reserve() lay them out */
static double Foresee(const Plan *plan, const FactorOptions *options, PetscInt batch, const CudaLimits &limits)
{
  const int                     ncls = plan->nclass, dof = plan->grid.dof;
  const bool                    lu = options->mode == FACTOR_LU;
  std::vector<std::vector<int>> order((size_t)plan->height + 1);
  std::vector<int>              last((size_t)ncls, -1);
  std::vector<size_t>           at((size_t)ncls);
  CudaPassing                   most[NSTREAM] = {};
  FactorAllocator               d;
  double                        factors = 0, passing = 0;
  bool                          large = false;

  auto count = [&](int i) { return options->constant ? (size_t)1 : (size_t)batch * (size_t)plan->cls[i].count; };
  auto block = [&](int i) { return (size_t)(plan->cls[i].r * dof) * (size_t)(plan->cls[i].r * dof) * count(i); };
  auto kind  = [&](int i) { return CudaKind(limits, plan->cls[i].m * dof, plan->cls[i].r * dof, plan->nglue && i == plan->root); };
  for (int i = 0; i < ncls; i++) {
    if (plan->cls[i].count < 1) continue;
    order[(size_t)plan->cls[i].height].push_back(i);
    for (int k = 0; k < plan->cls[i].nchild; k++) last[(size_t)plan->cls[i].child[k]] = std::max(last[(size_t)plan->cls[i].child[k]], plan->cls[i].height);
  }
  for (int h = 0; h <= plan->height; h++) {
    int stream = 0;

    std::stable_sort(order[(size_t)h].begin(), order[(size_t)h].end(), [&](int a, int b) { return kind(a) < kind(b); });
    for (int i : order[(size_t)h]) {
      const int    m = plan->cls[i].m * dof, r = plan->cls[i].r * dof;
      CudaPassing &p = most[stream];

      factors += ((double)m * m + (lu ? 2.0 : 1.0) * m * r) * (double)count(i);
      at[(size_t)i] = d.Take(block(i));
      if (kind(i) < 2) continue;
      const CudaPassing need = CudaPassingOf(limits, lu, (int)count(i), m, r);

      p      = {std::max(p.z, need.z), std::max(p.y, need.y), std::max(p.p, need.p), std::max(p.rows, need.rows), std::max(p.range, need.range)};
      stream = (stream + 1) % NSTREAM;
      large  = true;
    }
    for (int i = 0; i < ncls; i++) {
      if (last[(size_t)i] == h) d.Give(at[(size_t)i], block(i));
    }
  }
  for (const CudaPassing &p : most) passing += (double)limits.scalar * ((double)p.z + (double)p.y + (double)p.p + 2.0 * (double)p.rows) + (double)p.range * sizeof(double2);
  if (large) passing += (double)NSTREAM * (double)((size_t)1 << WORKSPACE);
  return passing + (double)limits.scalar * (factors + (double)d.Size());
}

int FactorCudaForesee(const Plan *plan, const FactorOptions *options, PetscInt batch, const FactorCudaTuning *tuning, double *bytes)
{
  CudaLimits limits;
  const int  error = DeviceError(CudaGetLimits(&limits, options->single ? sizeof(Value) / 2 : sizeof(Value), tuning));

  *bytes = 0;
  if (error) return error;
  try {
    *bytes = Foresee(plan, options, batch, limits);
  } catch (const std::exception &) {
    return DeviceError(cudaErrorMemoryAllocation);
  }
  return 0;
}
