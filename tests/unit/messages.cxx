#include "tests/unit/messages.h"
#include <ucontext.h>
#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <tuple>
#include <vector>
#if defined(__SANITIZE_ADDRESS__)
  #include <sanitizer/asan_interface.h>
  #include <sanitizer/common_interface_defs.h>
#endif

namespace messages {

std::function<const char *(int, int, int)> check;
Fault                                      fault;

namespace {

const size_t STACK = (size_t)1 << 20;

struct Fiber {
  ucontext_t        context;
  std::vector<char> stack;
  void             *fake  = nullptr;
  bool              ready = true, done = false;
  std::string       waits;
};

struct Request {
  bool              send, matched = false, live = true;
  int               comm, from, to, tag, count;
  size_t            bytes;
  MPI_Datatype      type;
  const void       *out = nullptr;
  void             *in  = nullptr;
  uint64_t          sum = 0;
  std::vector<char> data;
};

enum Kind { ALLREDUCE, ALLGATHERV, SPLIT, DUP, FREE };
const char *const NAMES[] = {"MPI_Allreduce", "MPI_Allgatherv", "MPI_Comm_split", "MPI_Comm_dup", "MPI_Comm_free"};

/* The n-th collective call on a communicator */
struct Collective {
  Kind                           kind;
  int                            count, come = 0, left = 0;
  MPI_Datatype                   type;
  std::vector<std::vector<char>> part;
  std::vector<int>               color, key;
  std::map<int, int>             made; /* communicators by color */
};

struct Comm {
  std::vector<int>          member; /* of all ranks */
  std::vector<int>          calls;
  std::map<int, Collective> pending;
  bool                      freed = false;
};

typedef std::tuple<int, int, int, int> Channel;

struct World {
  int                                 size, current = -1;
  bool                                inside = false;
  uint64_t                            random;
  ucontext_t                          scheduler;
  std::vector<std::unique_ptr<Fiber>> fiber;
  const std::function<void(int)>     *body = nullptr;
  std::deque<Request>                 request;
  std::deque<Comm>                    comm;
  std::map<Channel, std::deque<int>>  sends, receives; /* that wait for their other side */
  Result                              result;
#if defined(__SANITIZE_ADDRESS__)
  void       *fake   = nullptr;
  const void *bottom = nullptr;
  size_t      length = 0;
#endif
};

World *world;
/* Stacks are large and used again */
std::vector<std::vector<char>> stacks;

void Trouble(const std::string &text)
{
  if (world->result.text.empty()) world->result.text = text;
}

std::string Number(long n)
{
  return std::to_string(n);
}

uint64_t Random()
{
  world->random ^= world->random << 13;
  world->random ^= world->random >> 7;
  world->random ^= world->random << 17;
  return world->random;
}

uint64_t Sum(const void *p, size_t n)
{
  uint64_t    h = 1469598103934665603ull, word;
  const char *c = (const char *)p;

  for (; n >= 8; n -= 8, c += 8) {
    memcpy(&word, c, 8);
    h = (h ^ word) * 1099511628211ull;
  }
  for (; n; n--, c++) h = (h ^ (unsigned char)*c) * 1099511628211ull;
  return h;
}

/* From the running rank to the one that chooses the next */
void Leave(bool forever)
{
  Fiber &f = *world->fiber[world->current];

#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(forever ? nullptr : &f.fake, world->bottom, world->length);
#else
  (void)forever;
#endif
  swapcontext(&f.context, &world->scheduler);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(f.fake, &world->bottom, &world->length);
#endif
}

void Enter(int rank)
{
  Fiber &f = *world->fiber[rank];

  world->current = rank;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&world->fake, f.stack.data(), f.stack.size());
#endif
  swapcontext(&world->scheduler, &f.context);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(world->fake, nullptr, nullptr);
#endif
  world->current = -1;
}

void Start()
{
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &world->bottom, &world->length);
#endif
  (*world->body)(world->current);
  world->fiber[world->current]->done = true;
  Leave(true);
}

/* Every call of MPI: what it allocates is not the rank's */
struct Call {
  bool fails;

  explicit Call(bool reduces = false, bool frees = false)
  {
    world->inside = true;
    fails         = false;
    if (world->current != fault.rank) return;
    fault.reductions += reduces;
    fails = fault.calls++ == fault.call;
    if (fails) fault.reduction = reduces ? fault.reductions : -(long)frees;
  }
  ~Call()
  {
    world->inside = false;
  }
  int Code() const
  {
    return fails ? MPI_ERR_OTHER : MPI_SUCCESS;
  }
};

void Block(const std::string &why)
{
  Fiber &f = *world->fiber[world->current];

  f.ready       = false;
  f.waits       = why;
  world->inside = false;
  Leave(false);
  world->inside = true;
}

void Yield()
{
  if (Random() % 4) return;
  world->inside = false;
  Leave(false);
  world->inside = true;
}

/* Handles are numbers here */
template <class Handle>
Handle ToHandle(int n, Handle null)
{
  Handle h = null;

  memset(&h, 0, sizeof(h));
  memcpy(&h, &n, sizeof(n));
  return h;
}
template <class Handle>
int FromHandle(Handle h)
{
  int n;

  memcpy(&n, &h, sizeof(n));
  return n;
}
MPI_Comm CommHandle(int n)
{
  return ToHandle(n, MPI_COMM_NULL);
}

size_t Size(MPI_Datatype type)
{
  if (type == MPI_DOUBLE) return sizeof(double);
  if (type == MPI_FLOAT) return sizeof(float);
  if (type == MPI_INT) return sizeof(int);
  Trouble("an unknown type of data");
  return 1;
}

/* The communicator, or null, and the rank that is running in it */
Comm *Find(MPI_Comm comm, int *rank)
{
  const int n = FromHandle(comm);

  if (comm == MPI_COMM_NULL || n < 1 || n > (int)world->comm.size() || world->comm[n - 1].freed) {
    Trouble("rank " + Number(world->current) + " uses no communicator");
    return nullptr;
  }
  Comm      &c     = world->comm[n - 1];
  const auto found = std::find(c.member.begin(), c.member.end(), world->current);
  if (found == c.member.end()) {
    Trouble("rank " + Number(world->current) + " uses a communicator of others");
    return nullptr;
  }
  *rank = (int)(found - c.member.begin());
  return &c;
}

std::string Name(const Request &r)
{
  return (r.send ? "a send to rank " + Number(r.to) : "a message of rank " + Number(r.from)) + ", tag " + Number(r.tag) + ", " + Number(r.count) + " numbers";
}

void Match(Request &send, Request &receive)
{
  if (Sum(send.out, send.bytes) != send.sum) Trouble("rank " + Number(send.from) + " wrote to what it sends, tag " + Number(send.tag));
  if (send.type != receive.type) Trouble("rank " + Number(receive.to) + " expects another type, tag " + Number(send.tag));
  if (send.bytes > receive.bytes) Trouble("rank " + Number(receive.to) + " has no room for " + Number(send.count) + " numbers of rank " + Number(send.from) + ", tag " + Number(send.tag));
  world->result.shorter += send.bytes < receive.bytes;
  receive.data.assign((const char *)send.out, (const char *)send.out + std::min(send.bytes, receive.bytes));
  send.matched = receive.matched = true;
  world->fiber[send.from]->ready = world->fiber[receive.to]->ready = true;
}

int Post(bool send, const void *out, void *in, int count, MPI_Datatype type, int peer, int tag, MPI_Comm comm, MPI_Request *handle)
{
  Call  call;
  int   rank;
  Comm *c = Find(comm, &rank);

  if (!c) return MPI_ERR_COMM;
  if (peer < 0 || peer >= (int)c->member.size()) {
    Trouble("rank " + Number(world->current) + " names no rank: " + Number(peer) + ", tag " + Number(tag));
    return MPI_ERR_RANK;
  }
  world->request.emplace_back();
  const int other = c->member[peer], n = (int)world->request.size();
  Request  &r = world->request.back();
  r.send      = send;
  r.comm      = FromHandle(comm);
  r.from      = send ? world->current : other;
  r.to        = send ? other : world->current;
  r.tag       = tag;
  r.count     = count;
  r.type      = type;
  r.bytes     = (size_t)count * Size(type);
  r.out       = out;
  r.in        = in;
  if (send) {
    r.sum = Sum(out, r.bytes);
    world->result.sends++;
  }
  if (check) {
    const char *why = check(r.from, r.to, tag);

    if (why) Trouble("rank " + Number(world->current) + ", " + Name(r) + ": " + why);
  }
  const Channel    channel(r.comm, r.from, r.to, tag);
  std::deque<int> &others = (send ? world->receives : world->sends)[channel];
  if (others.empty()) {
    (send ? world->sends : world->receives)[channel].push_back(n);
  } else {
    Request &o = world->request[others.front() - 1];

    others.pop_front();
    Match(send ? r : o, send ? o : r);
  }
  *handle = ToHandle(n, MPI_REQUEST_NULL);
  return call.Code();
}

void End(MPI_Request *handle)
{
  Request &r = world->request[FromHandle(*handle) - 1];

  if (!r.send && !r.data.empty()) memcpy(r.in, r.data.data(), r.data.size());
  std::vector<char>().swap(r.data);
  r.live  = false;
  *handle = MPI_REQUEST_NULL;
}

void WaitFor(MPI_Request *handle)
{
  if (*handle == MPI_REQUEST_NULL) return;
  const int n = FromHandle(*handle);
  while (!world->request[n - 1].matched) Block(Name(world->request[n - 1]));
  End(handle);
}

/* Comes to a collective call, leaves part there and waits for all; null where that is impossible */
Collective *Meet(MPI_Comm comm, Kind kind, int count, MPI_Datatype type, const void *part, size_t bytes, int color, int key, int *rank, int *number)
{
  Comm *c = Find(comm, rank);

  if (!c) return nullptr;
  const int   n = c->calls[*rank]++, size = (int)c->member.size();
  Collective &m = c->pending[n];
  if (!m.come) {
    m.kind  = kind;
    m.count = count;
    m.type  = type;
    m.part.resize(size);
    m.color.resize(size);
    m.key.resize(size);
    world->result.collectives++;
  } else if (m.kind != kind || m.count != count || m.type != type) {
    Trouble("rank " + Number(world->current) + " calls " + NAMES[kind] + " with " + Number(count) + " numbers where others call " + NAMES[m.kind] + " with " + Number(m.count));
    return nullptr;
  }
  if (part) m.part[*rank].assign((const char *)part, (const char *)part + bytes);
  m.color[*rank] = color;
  m.key[*rank]   = key;
  *number        = n;
  if (++m.come < size) {
    while (m.come < size) Block(std::string(NAMES[kind]) + " on " + Number(size) + " ranks from " + Number(c->member[0]) + " on");
  } else {
    for (int q : c->member) world->fiber[q]->ready = true;
  }
  return &m;
}

void Part(MPI_Comm comm, Collective *m, int number)
{
  Comm &c = world->comm[FromHandle(comm) - 1];

  if (++m->left == (int)c.member.size()) c.pending.erase(number);
}

int MakeComm(std::vector<int> member)
{
  world->comm.emplace_back();
  world->comm.back().calls.assign(member.size(), 0);
  world->comm.back().member = std::move(member);
  return (int)world->comm.size();
}

template <class T>
void Reduce(const Collective &m, MPI_Op op, T *to)
{
  for (size_t q = 0; q < m.part.size(); q++) {
    const T *v = (const T *)m.part[q].data();

    for (int i = 0; i < m.count; i++) to[i] = !q ? v[i] : op == MPI_SUM ? to[i] + v[i] : op == MPI_MIN ? std::min(to[i], v[i]) : std::max(to[i], v[i]);
  }
}

void Finish()
{
  for (const Request &r : world->request) {
    if (r.live) Trouble("rank " + Number(r.send ? r.from : r.to) + " forgets " + Name(r));
  }
  for (size_t k = 1; k < world->comm.size(); k++) {
    if (!world->comm[k].freed) Trouble("a communicator of " + Number((long)world->comm[k].member.size()) + " ranks is not freed");
  }
}

} // namespace

MPI_Comm Everyone()
{
  return CommHandle(1);
}

int Running()
{
  return world && !world->inside ? world->current : -1;
}

/* getcontext() returns twice, as the compiler sees it, so that nothing of the caller must live across it */
static void Prepare(Fiber &f)
{
  if (!stacks.empty()) {
    f.stack.swap(stacks.back());
    stacks.pop_back();
  } else {
    f.stack.resize(STACK);
  }
#if defined(__SANITIZE_ADDRESS__)
  /* Of the rank that used it before */
  __asan_unpoison_memory_region(f.stack.data(), f.stack.size());
#endif
  getcontext(&f.context);
  f.context.uc_stack.ss_sp   = f.stack.data();
  f.context.uc_stack.ss_size = f.stack.size();
  f.context.uc_link          = nullptr;
  makecontext(&f.context, Start, 0);
}

Result Run(int size, uint64_t seed, const std::function<void(int)> &body)
{
  World            here;
  std::vector<int> all, ready, speed;

  world       = &here;
  here.size   = size;
  here.random = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
  here.body   = &body;
  fault.calls = fault.reductions = fault.reduction = 0;
  for (int q = 0; q < size; q++) all.push_back(q);
  speed = all;
  for (int q = size - 1; q > 0 && seed > 1; q--) std::swap(speed[q], speed[Random() % (q + 1)]);
  MakeComm(all);
  for (int q = 0; q < size; q++) {
    here.fiber.emplace_back(new Fiber());
    Prepare(*here.fiber.back());
  }
  for (;;) {
    bool all_done = true;

    ready.clear();
    for (int q = 0; q < size; q++) {
      if (here.fiber[q]->done) continue;
      all_done = false;
      if (here.fiber[q]->ready) ready.push_back(q);
    }
    if (all_done) break;
    if (ready.empty()) {
      std::string text = "nobody can go on";

      for (int q = 0; q < size; q++) text += (q ? ", rank " : ": rank ") + Number(q) + (here.fiber[q]->done ? " has ended" : " waits for " + here.fiber[q]->waits);
      here.result.hang = true;
      Trouble(text);
      break;
    }
    /* Anyone, or, with odd seeds, the fastest: who is that changes now and then, so that some are far ahead of others */
    size_t next = Random() % ready.size();
    if (seed % 2) {
      if (Random() % 64 == 0) std::swap(speed[Random() % size], speed[Random() % size]);
      for (size_t k = 0; k < ready.size(); k++) {
        if (speed[ready[k]] > speed[ready[next]]) next = k;
      }
    }
    Enter(ready[next]);
  }
  if (!here.result.hang) Finish();
  for (auto &f : here.fiber) {
    stacks.emplace_back();
    stacks.back().swap(f->stack);
  }
  world = nullptr;
  return here.result;
}

} // namespace messages

using namespace messages;

extern "C" {

int MPI_Comm_rank(MPI_Comm comm, int *rank)
{
  Call call;

  return Find(comm, rank) ? call.Code() : MPI_ERR_COMM;
}

/* PETSc asks as well, in what it puts around MPI's functions, and does not read the codes: these two never fail */
int MPI_Comm_size(MPI_Comm comm, int *size)
{
  int   rank;
  Comm *c = Find(comm, &rank);

  if (!c) return MPI_ERR_COMM;
  *size = (int)c->member.size();
  return MPI_SUCCESS;
}

int MPI_Type_size(MPI_Datatype type, int *size)
{
  *size = (int)Size(type);
  return MPI_SUCCESS;
}

int MPI_Isend(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request)
{
  return Post(true, buffer, nullptr, count, type, to, tag, comm, request);
}

int MPI_Irecv(void *buffer, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *request)
{
  return Post(false, nullptr, buffer, count, type, from, tag, comm, request);
}

int MPI_Wait(MPI_Request *request, MPI_Status *)
{
  Call call;

  WaitFor(request);
  return call.Code();
}

int MPI_Waitall(int n, MPI_Request requests[], MPI_Status *)
{
  Call call;

  for (int k = 0; k < n; k++) WaitFor(&requests[k]);
  return call.Code();
}

int MPI_Test(MPI_Request *request, int *flag, MPI_Status *)
{
  Call call;

  Yield();
  *flag = *request == MPI_REQUEST_NULL || world->request[FromHandle(*request) - 1].matched;
  if (*flag && *request != MPI_REQUEST_NULL) End(request);
  return call.Code();
}

int MPI_Iprobe(int, int, MPI_Comm comm, int *flag, MPI_Status *)
{
  Call call;
  int  rank;

  Yield();
  *flag = 0;
  return Find(comm, &rank) ? call.Code() : MPI_ERR_COMM;
}

int MPI_Allreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
  Call        call(true);
  int         rank, number;
  const void *part = in == MPI_IN_PLACE ? out : in;
  Collective *m    = Meet(comm, ALLREDUCE, count, type, part, (size_t)count * Size(type), 0, 0, &rank, &number);

  if (!m) return MPI_ERR_OTHER;
  if (type == MPI_INT)
    Reduce(*m, op, (int *)out);
  else
    Reduce(*m, op, (double *)out);
  Part(comm, m, number);
  return call.Code();
}

int MPI_Allgatherv(const void *, int, MPI_Datatype, void *out, const int counts[], const int offsets[], MPI_Datatype type, MPI_Comm comm)
{
  Call         call;
  int          rank, number, total = 0;
  const size_t size = Size(type);
  Comm        *c    = Find(comm, &rank);

  if (!c) return MPI_ERR_COMM;
  for (size_t q = 0; q < c->member.size(); q++) total += counts[q];
  Collective *m = Meet(comm, ALLGATHERV, total, type, (char *)out + offsets[rank] * size, counts[rank] * size, 0, 0, &rank, &number);
  if (!m) return MPI_ERR_OTHER;
  for (size_t q = 0; q < m->part.size(); q++) {
    if (m->part[q].size() != counts[q] * size)
      Trouble("rank " + Number(world->current) + " gathers another count than is there");
    else if (counts[q])
      memcpy((char *)out + offsets[q] * size, m->part[q].data(), m->part[q].size());
  }
  Part(comm, m, number);
  return call.Code();
}

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *made)
{
  Call        call;
  int         rank, number;
  Collective *m = Meet(comm, SPLIT, 0, MPI_INT, nullptr, 0, color, key, &rank, &number);

  *made = MPI_COMM_NULL;
  if (!m) return MPI_ERR_OTHER;
  if (color != MPI_UNDEFINED) {
    if (!m->made.count(color)) {
      std::vector<std::pair<int, int>> order;
      std::vector<int>                 member;

      for (size_t q = 0; q < m->part.size(); q++) {
        if (m->color[q] == color) order.push_back({m->key[q], (int)q});
      }
      std::sort(order.begin(), order.end());
      for (const auto &o : order) member.push_back(world->comm[FromHandle(comm) - 1].member[o.second]);
      m->made[color] = MakeComm(member);
    }
    *made = CommHandle(m->made[color]);
  }
  Part(comm, m, number);
  return call.Code();
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *made)
{
  Call        call;
  int         rank, number;
  Collective *m = Meet(comm, DUP, 0, MPI_INT, nullptr, 0, 0, 0, &rank, &number);

  *made = MPI_COMM_NULL;
  if (!m) return MPI_ERR_OTHER;
  if (m->made.empty()) m->made[0] = MakeComm(world->comm[FromHandle(comm) - 1].member);
  *made = CommHandle(m->made[0]);
  Part(comm, m, number);
  return call.Code();
}

/* As if it were to wait for all, which it may */
int MPI_Comm_free(MPI_Comm *comm)
{
  Call        call(false, true);
  int         rank, number;
  Collective *m = Meet(*comm, FREE, 0, MPI_INT, nullptr, 0, 0, 0, &rank, &number);

  if (!m) return MPI_ERR_OTHER;
  Comm &c = world->comm[FromHandle(*comm) - 1];
  if (++m->left == (int)c.member.size()) c.freed = true;
  *comm = MPI_COMM_NULL;
  return call.Code();
}
}
