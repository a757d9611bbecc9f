#include "cuda_runtime.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>
#include <sys/mman.h>
#include <ucontext.h>

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace {

[[noreturn]] void Fail(const char *what)
{
  fprintf(stderr, "emulated device: %s (block %u %u %u, thread %u %u %u)\n", what, blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
  abort();
}

/* ---- Memory: one region, locked while no device code runs ---- */

const size_t                  page = 4096, region = (size_t)1 << 40;
char                         *base = nullptr;
size_t                        top  = 0;
int                           unlocked;
std::map<char *, size_t>      blocks;
std::multimap<size_t, char *> unused;
size_t                        inuse = 0;

/* What is freed stays locked, and so does a page behind each block */
void Protect(int access)
{
  for (const auto &b : blocks) {
    if (mprotect(b.first, b.second, access)) Fail("cannot change the protection of device memory");
  }
}

/* Device memory can be touched during the life of one of these */
struct Unlocked {
  Unlocked()
  {
    if (!unlocked++) Protect(PROT_READ | PROT_WRITE);
  }
  ~Unlocked()
  {
    if (!--unlocked) Protect(PROT_NONE);
  }
};

bool InDevice(const void *p)
{
  return base && (const char *)p >= base && (const char *)p < base + top;
}

/* ---- Threads of a block as fibers ---- */

/* The calls that save signal masks take longer than most of what fibers do between two barriers */
#if defined(__x86_64__)
typedef void *Context;

extern "C" void EmulateSwitch(Context *from, Context to);
asm(R"(
  .text
  .globl EmulateSwitch
  .hidden EmulateSwitch
  .type EmulateSwitch, @function
EmulateSwitch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size EmulateSwitch, .-EmulateSwitch
)");

void Switch(Context *from, Context *to)
{
  EmulateSwitch(from, *to);
}

void Prepare(Context *c, char *stack, size_t size, void (*run)(void))
{
  /* Six registers, then where the first switch returns to, with the alignment of a function that has been called */
  void **top = (void **)(stack + size) - 3;

  *--top = (void *)run;
  for (int k = 0; k < 6; k++) *--top = nullptr;
  *c = top;
}
#else
typedef ucontext_t Context;

void Switch(Context *from, Context *to)
{
  swapcontext(from, to);
}

void Prepare(Context *c, char *stack, size_t size, void (*run)(void))
{
  if (getcontext(c)) Fail("no context");
  c->uc_stack.ss_sp   = stack;
  c->uc_stack.ss_size = size;
  c->uc_link          = nullptr;
  makecontext(c, run, 0);
}
#endif

struct Fiber {
  Context context;
  char   *stack;
  int     thread, waits; /* for the barrier of a warp, of the block (-1), or for nothing (-2) */
};

const size_t                        stacksize = 256 * 1024;
std::vector<std::unique_ptr<Fiber>> fibers;
std::vector<Fiber *>                idle, runnable, waiting;
Context                             scheduler;
Fiber                              *current;
const std::function<void(void)>    *body;
std::vector<int>                    order, live, arrived; /* threads alive and at the barrier, for each warp and, last, for the block */
int                                 nthreads, started, nwarps;
char                               *shared     = nullptr;
size_t                              sharedsize = 0;
std::vector<char>                   exchange;

void SetThread(int thread)
{
  const int x = (int)blockDim.x, y = (int)blockDim.y;

  threadIdx = dim3((unsigned int)(thread % x), (unsigned int)(thread / x % y), (unsigned int)(thread / (x * y)));
}

void Release(int which)
{
  size_t kept = 0;

  if (!arrived[(size_t)which] || arrived[(size_t)which] < live[(size_t)which]) return;
  arrived[(size_t)which] = 0;
  for (Fiber *f : waiting) {
    if ((f->waits < 0 ? nwarps : f->waits) == which)
      runnable.push_back(f);
    else
      waiting[kept++] = f;
  }
  waiting.resize(kept);
}

void Run(void)
{
  for (;;) {
    while (started < nthreads) {
      const int thread = order[(size_t)started++];

      current->thread = thread;
      SetThread(thread);
      (*body)();
      live[(size_t)(thread / warpSize)]--;
      live[(size_t)nwarps]--;
      Release(thread / warpSize);
      Release(nwarps);
      /* Threads that wait have begun earlier: they go first, so that few fibers are needed */
      if (!runnable.empty()) break;
    }
    Fiber *me = current;

    idle.push_back(me);
    Switch(&me->context, &scheduler);
  }
}

void Resume(Fiber *f)
{
  current = f;
  if (f->waits != -3) SetThread(f->thread);
  f->waits = -2;
  Switch(&scheduler, &f->context);
}

void RunBlock(void)
{
  nthreads = (int)(blockDim.x * blockDim.y * blockDim.z);
  nwarps   = (nthreads + warpSize - 1) / warpSize;
  started  = 0;
  live.assign((size_t)nwarps + 1, warpSize);
  live[(size_t)nwarps - 1] = nthreads - (nwarps - 1) * warpSize;
  live[(size_t)nwarps]     = nthreads;
  arrived.assign((size_t)nwarps + 1, 0);
  exchange.resize((size_t)nthreads * 32);
  while (live[(size_t)nwarps] > 0) {
    if (!runnable.empty()) {
      Fiber *f = runnable.front();

      runnable.erase(runnable.begin());
      Resume(f);
    } else if (started < nthreads) {
      if (idle.empty()) {
        auto f = std::make_unique<Fiber>();

        f->stack = (char *)mmap(nullptr, stacksize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (f->stack == MAP_FAILED) Fail("no memory for a fiber");
        Prepare(&f->context, f->stack, stacksize, Run);
        f->waits = -3;
        idle.push_back(f.get());
        fibers.push_back(std::move(f));
      }
      Fiber *f = idle.back();

      idle.pop_back();
      f->waits = -3;
      Resume(f);
    } else
      Fail("threads wait at different barriers");
  }
}

/* ---- Streams: queues of work, done when someone waits ---- */

} // namespace

/* Work of a captured stream, and which work it follows */
struct EmulateNode {
  std::function<void(void)> work;
  std::vector<size_t>       after;
};
struct EmulateGraph {
  size_t                   id = 0; /* while it is captured; 0 afterwards */
  std::vector<EmulateNode> node;
};
struct EmulateEvent {
  EmulateStream      *stream = nullptr;
  size_t              ticket = 0; /* of the record in its stream */
  size_t              graph  = 0; /* in which it was recorded, and what it follows there */
  std::vector<size_t> after;
};
struct EmulateStream {
  std::deque<std::function<void(void)>> work;
  size_t                                begun = 0, done = 0; /* tickets */
  EmulateGraph                         *capture = nullptr;
  std::vector<size_t>                   tail; /* what the next work of a captured stream follows */
};

namespace {

std::vector<EmulateStream *> streams;
EmulateStream                legacy;
std::set<EmulateGraph *>     captured; /* graphs that are made */
cudaError_t                  last = cudaSuccess;
std::map<const void *, int>  allowed; /* bytes of shared memory, of kernels that have asked for more */
std::set<const void *>       loaded;  /* kernels */

EmulateStream *Get(cudaStream_t s)
{
  return s ? s : &legacy;
}

void Drain(EmulateStream *s, size_t ticket)
{
  while (s->done < ticket) {
    auto f = std::move(s->work.front());

    s->work.pop_front();
    s->done++;
    f();
  }
}

void DrainAll(void)
{
  Unlocked u;

  Drain(&legacy, legacy.begun);
  for (EmulateStream *s : streams) Drain(s, s->begun);
}

cudaError_t Error(cudaError_t e)
{
  last = e;
  return e;
}

enum Order { FORWARD, REVERSE, SHUFFLE };

void MakeOrder(std::vector<int> &v, size_t n, Order how, unsigned int seed)
{
  v.resize(n);
  std::iota(v.begin(), v.end(), 0);
  if (how == REVERSE) {
    for (size_t i = 0; i < n; i++) v[i] = (int)(n - 1 - i);
  } else if (how == SHUFFLE) {
    for (size_t i = n; i > 1; i--) {
      seed = seed * 1664525u + 1013904223u;
      std::swap(v[i - 1], v[(seed >> 8) % i]);
    }
  }
}

} // namespace

void EmulateBarrier(int warp)
{
  const int which = warp < 0 ? nwarps : warp;
  Fiber    *me    = current;

  me->waits = warp;
  arrived[(size_t)which]++;
  waiting.push_back(me);
  Release(which);
  Switch(&me->context, &scheduler);
}

void *EmulateSharedMemory(void)
{
  return shared;
}

void *EmulateWarpExchange(const void *value, size_t size, int lane)
{
  const int me = EmulateThread();

  if (size > 32) Fail("a shuffled value is too large");
  memcpy(&exchange[(size_t)me * 32], value, size);
  EmulateBarrier(me / warpSize);
  return &exchange[(size_t)(me / warpSize * warpSize + lane) * 32];
}

cudaError_t EmulateEnqueue(cudaStream_t stream, std::function<void(void)> f)
{
  EmulateStream *s = Get(stream);

  if (s->capture) {
    s->capture->node.push_back({std::move(f), s->tail});
    s->tail.assign(1, s->capture->node.size() - 1);
  } else {
    /* Work of the legacy stream and of the others wait for each other only through synchronisation here */
    s->work.push_back(std::move(f));
    s->begun++;
  }
  return cudaSuccess;
}

/* The size that needs no cudaFuncSetAttribute() */
static int SharedMemory(void)
{
  const char *text = getenv("PETLAP_EMULATE_SHARED");

  return text ? atoi(text) : 48 * 1024;
}

cudaError_t EmulateLaunch(const void *kernel, cudaStream_t stream, dim3 grid, dim3 block, size_t sharedbytes, std::function<void(void)> f)
{
  const size_t      n       = (size_t)block.x * block.y * block.z;
  const auto        most    = allowed.find(kernel);
  const cudaError_t earlier = cudaGetLastError();

  /* An error that someone left behind would be found by the next one who asks: here at the latest */
  if (earlier != cudaSuccess) return Error(earlier);
  if (!n || n > 1024 || !grid.x || !grid.y || !grid.z || grid.y > 65535 || grid.z > 65535) return Error(cudaErrorInvalidValue);
  if (sharedbytes > (size_t)(most == allowed.end() ? SharedMemory() : most->second)) return Error(cudaErrorInvalidValue);
  /* A kernel that is not there yet is loaded by its first launch, which a capture may not stand */
  if (Get(stream)->capture && !loaded.count(kernel)) return Error(cudaErrorStreamCaptureUnsupported);
  loaded.insert(kernel);
  return EmulateEnqueue(stream, [=] {
    const char      *text = getenv("PETLAP_EMULATE_ORDER");
    const Order      how  = !text || !strcmp(text, "forward") ? FORWARD : !strcmp(text, "reverse") ? REVERSE : SHUFFLE;
    static unsigned  seed = 1;
    std::vector<int> blockorder;

    if (sharedbytes > sharedsize) {
      free(shared);
      sharedsize = (sharedbytes + 1023) / 1024 * 1024;
      shared     = (char *)aligned_alloc(1024, sharedsize);
      if (!shared) Fail("no memory");
    }
    gridDim  = grid;
    blockDim = block;
    body     = &f;
    MakeOrder(order, n, how, seed++);
    MakeOrder(blockorder, (size_t)grid.x * grid.y * grid.z, how, seed++);
    for (int b : blockorder) {
      blockIdx = dim3((unsigned int)b % grid.x, (unsigned int)b / grid.x % grid.y, (unsigned int)b / (grid.x * grid.y));
      if (sharedbytes) memset(shared, 0xff, sharedbytes);
      RunBlock();
    }
  });
}

cudaError_t EmulateAllowShared(const void *kernel, int bytes)
{
  if (bytes < 0 || bytes > 227 * 1024) return Error(cudaErrorInvalidValue);
  allowed[kernel] = bytes;
  return cudaSuccess;
}

cudaError_t EmulateLoad(const void *kernel)
{
  loaded.insert(kernel);
  return cudaSuccess;
}

bool EmulateCapturing(cudaStream_t stream)
{
  return Get(stream)->capture != nullptr;
}

const char *cudaGetErrorString(cudaError_t e)
{
  return e == cudaSuccess                         ? "no error"
         : e == cudaErrorMemoryAllocation         ? "out of memory"
         : e == cudaErrorStreamCaptureUnsupported ? "operation not permitted when stream is capturing"
         : e == cudaErrorStreamCaptureUnjoined    ? "capturing stream has unjoined work"
                                                  : "invalid argument";
}
const char *cudaGetErrorName(cudaError_t e)
{
  return e == cudaSuccess                         ? "cudaSuccess"
         : e == cudaErrorMemoryAllocation         ? "cudaErrorMemoryAllocation"
         : e == cudaErrorStreamCaptureUnsupported ? "cudaErrorStreamCaptureUnsupported"
         : e == cudaErrorStreamCaptureUnjoined    ? "cudaErrorStreamCaptureUnjoined"
                                                  : "cudaErrorInvalidValue";
}
cudaError_t cudaGetLastError(void)
{
  const cudaError_t e = last;

  last = cudaSuccess;
  return e;
}
cudaError_t cudaGetDeviceCount(int *n)
{
  *n = getenv("PETLAP_EMULATE_NO_DEVICE") ? 0 : 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int)
{
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int *d)
{
  *d = 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int)
{
  snprintf(p->name, sizeof(p->name), "emulated device");
  p->major                  = 9;
  p->minor                  = 0;
  p->multiProcessorCount    = 4;
  p->totalGlobalMem         = (size_t)8 << 30;
  p->sharedMemPerBlockOptin = 227 * 1024;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *v, cudaDeviceAttr a, int)
{
  switch (a) {
  case cudaDevAttrMultiProcessorCount:
    *v = 4;
    break;
  case cudaDevAttrMaxSharedMemoryPerBlock:
    *v = SharedMemory();
    break;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin:
    *v = 227 * 1024;
    break;
  case cudaDevAttrMaxThreadsPerBlock:
    *v = 1024;
    break;
  case cudaDevAttrComputeCapabilityMajor:
    *v = 9;
    break;
  default:
    *v = 0;
  }
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize(void)
{
  if (!captured.empty()) return Error(cudaErrorStreamCaptureUnsupported);
  DrainAll();
  return cudaSuccess;
}
static size_t Total(void)
{
  const char *text = getenv("PETLAP_EMULATE_MEMORY");

  return text ? (size_t)strtoull(text, nullptr, 10) : (size_t)8 << 30;
}
cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
  *total     = Total();
  *available = *total > inuse ? *total - inuse : 0;
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *a, const void *p)
{
  a->type = InDevice(p) ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered;
  return cudaSuccess;
}
cudaError_t EmulateMalloc(void **p, size_t bytes)
{
  const size_t size = (bytes + page - 1) / page * page;
  char        *q;

  *p = nullptr;
  if (!captured.empty()) return Error(cudaErrorStreamCaptureUnsupported);
  if (!bytes) return cudaSuccess;
  if (inuse + size > Total()) return Error(cudaErrorMemoryAllocation);
  if (!base) {
    base = (char *)mmap(nullptr, region, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) Fail("cannot reserve addresses");
  }
  auto found = unused.find(size);

  if (found != unused.end()) {
    q = found->second;
    unused.erase(found);
  } else {
    q = base + top;
    top += size + page;
  }
  blocks[q] = size;
  inuse += size;
  mprotect(q, size, PROT_READ | PROT_WRITE);
  memset(q, 0xff, size);
  if (!unlocked) mprotect(q, size, PROT_NONE);
  *p = q;
  return cudaSuccess;
}
cudaError_t EmulateMallocHost(void **p, size_t bytes)
{
  *p = malloc(bytes ? bytes : 1);
  return *p ? cudaSuccess : Error(cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void *p)
{
  if (!p) return cudaSuccess;
  if (!captured.empty()) return Error(cudaErrorStreamCaptureUnsupported);
  auto found = blocks.find((char *)p);

  if (found == blocks.end()) return Error(cudaErrorInvalidValue);
  DrainAll();
  mprotect(found->first, found->second, PROT_NONE);
  inuse -= found->second;
  unused.insert({found->second, found->first});
  blocks.erase(found);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void *p)
{
  DrainAll();
  free(p);
  return cudaSuccess;
}
static bool Kinds(const void *to, const void *from, cudaMemcpyKind kind)
{
  const bool d = InDevice(to), s = InDevice(from);

  return kind == cudaMemcpyDefault || (d == (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) && s == (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice));
}
cudaError_t cudaMemcpy2DAsync(void *to, size_t topitch, const void *from, size_t frompitch, size_t width, size_t height, cudaMemcpyKind kind, cudaStream_t stream)
{
  if (!width || !height) return cudaSuccess;
  if (!Kinds(to, from, kind)) return Error(cudaErrorInvalidValue);
  return EmulateEnqueue(stream, [=] {
    for (size_t i = 0; i < height; i++) memcpy((char *)to + i * topitch, (const char *)from + i * frompitch, width);
  });
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, cudaMemcpyKind kind, cudaStream_t stream)
{
  return cudaMemcpy2DAsync(to, n, from, n, n, n ? 1 : 0, kind, stream);
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t n, cudaMemcpyKind kind)
{
  if (!captured.empty()) return Error(cudaErrorStreamCaptureUnsupported);
  DrainAll();
  const cudaError_t e = cudaMemcpyAsync(to, from, n, kind, nullptr);

  DrainAll();
  return e;
}
cudaError_t cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t stream)
{
  if (!n) return cudaSuccess;
  if (!InDevice(p)) return Error(cudaErrorInvalidValue);
  return EmulateEnqueue(stream, [=] { memset(p, value, n); });
}
cudaError_t cudaMemset(void *p, int value, size_t n)
{
  return cudaMemsetAsync(p, value, n, nullptr);
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned int)
{
  *s = new EmulateStream;
  streams.push_back(*s);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t s)
{
  if (!s) return Error(cudaErrorInvalidValue);
  DrainAll();
  for (size_t i = 0; i < streams.size(); i++) {
    if (streams[i] == s) streams.erase(streams.begin() + (std::ptrdiff_t)i--);
  }
  delete s;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
  EmulateStream *s = Get(stream);

  if (s->capture) return Error(cudaErrorStreamCaptureUnsupported);
  Unlocked u;

  Drain(s, s->begun);
  return cudaSuccess;
}
static EmulateGraph *FindCaptured(size_t id)
{
  for (EmulateGraph *g : captured) {
    if (g->id == id) return g;
  }
  return nullptr;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int)
{
  EmulateStream *to     = Get(stream), *from;
  const size_t   ticket = event->ticket;

  if (event->graph) {
    EmulateGraph *graph = FindCaptured(event->graph);

    /* A stream that waits for captured work is captured with it */
    if (!graph || (to->capture && to->capture != graph)) return Error(cudaErrorCapturedEvent);
    if (!to->capture) {
      to->capture = graph;
      to->tail.clear();
    }
    to->tail.insert(to->tail.end(), event->after.begin(), event->after.end());
    return cudaSuccess;
  }
  from = event->stream;
  if (!from) return cudaSuccess;
  if (to->capture) return Error(cudaErrorStreamCaptureIsolation);
  return EmulateEnqueue(stream, [=] { Drain(from, ticket); });
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
  static size_t id = 0;

  if (!stream || stream->capture) return Error(cudaErrorStreamCaptureUnsupported);
  stream->capture     = new EmulateGraph;
  stream->capture->id = ++id;
  stream->tail.clear();
  captured.insert(stream->capture);
  return cudaSuccess;
}
/* Marks the work that comes before others in a graph */
static void MarkBefore(const EmulateGraph *graph, const std::vector<size_t> &after, std::vector<char> &before)
{
  std::vector<size_t> open(after);

  while (!open.empty()) {
    const size_t k = open.back();

    open.pop_back();
    if (before[k]) continue;
    before[k] = 1;
    open.insert(open.end(), graph->node[k].after.begin(), graph->node[k].after.end());
  }
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
  *graph = nullptr;
  if (!stream || !stream->capture) return Error(cudaErrorStreamCaptureUnsupported);
  EmulateGraph     *g = stream->capture;
  std::vector<char> before(g->node.size(), 0);

  MarkBefore(g, stream->tail, before);
  for (EmulateStream *s : streams) {
    if (s->capture == g) s->capture = nullptr;
  }
  captured.erase(g);
  g->id = 0;
  /* The streams that joined the capture must have been waited for */
  for (char b : before) {
    if (b) continue;
    delete g;
    return Error(cudaErrorStreamCaptureUnjoined);
  }
  *graph = g;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
  if (!graph) return Error(cudaErrorInvalidValue);
  *exec = new EmulateGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
  if (!exec) return Error(cudaErrorInvalidValue);
  /* In any order that the dependencies allow, another one each time */
  static unsigned int              seed = 12345;
  const size_t                     n    = exec->node.size();
  std::vector<size_t>              open(n), ready;
  std::vector<std::vector<size_t>> next(n);

  for (size_t k = 0; k < n; k++) {
    open[k] = exec->node[k].after.size();
    for (size_t a : exec->node[k].after) next[a].push_back(k);
    if (!open[k]) ready.push_back(k);
  }
  while (!ready.empty()) {
    seed = seed * 1664525u + 1013904223u;
    std::swap(ready[(seed >> 8) % ready.size()], ready.back());
    const size_t k = ready.back();

    ready.pop_back();
    EmulateEnqueue(stream, exec->node[k].work);
    for (size_t q : next[k]) {
      if (!--open[q]) ready.push_back(q);
    }
  }
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
  if (!graph) return Error(cudaErrorInvalidValue);
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
  if (!exec) return Error(cudaErrorInvalidValue);
  delete exec;
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned int)
{
  *e = new EmulateEvent;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t *e)
{
  return cudaEventCreateWithFlags(e, 0);
}
cudaError_t cudaEventDestroy(cudaEvent_t e)
{
  if (!e) return Error(cudaErrorInvalidValue);
  delete e;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t stream)
{
  e->stream = Get(stream);
  e->ticket = e->stream->begun;
  e->graph  = e->stream->capture ? e->stream->capture->id : 0;
  e->after  = e->stream->tail;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
  if (e->graph) return Error(cudaErrorCapturedEvent);
  Unlocked u;

  if (e->stream) Drain(e->stream, e->ticket);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t, cudaEvent_t)
{
  *ms = 1e-3f;
  return cudaSuccess;
}
