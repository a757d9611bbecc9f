/*
  Factorization of a front whose columns are spread over ranks, and solves with it.

  The factorization goes from panel to panel, a panel being a block of columns of S. The owner of the next panel brings that one up to date first, factors it, and sends it on its
  way while everyone is still busy with the panel before.

  A solve goes along the diagonal blocks of S. Where the entries that multiply what has just been solved for lie in the owner's column, the others get sums of their products
  (FanIn()); where they lie in its row, the solved block goes to everyone (FanOut()).
*/
#include "mat/schwarzschur/front_ranks.h"
#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

namespace {

enum { TAG_PANEL = 1, TAG_SUM, TAG_BLOCK };

/* Measured: wide enough for the kernels, narrow enough for every rank to have several */
const int BLOCK_MOST = 128, BLOCK_LEAST = 32, BLOCKS_PER_RANK = 4;
/* Panels in use, on their way here, and still on their way to others */
const int SLOTS = 3;
/* What is updated between two looks at the messages */
const int CHUNK_ROWS = 504, CHUNK_COLS = 1024;
/* Vectors that are solved for together: their messages and buffers stay small */
const int MOST_VECTORS = 256;
/* With more vectors than these, messages need both sides to look after them */
const int FEW_VECTORS   = 4;
const int MOST_CHILDREN = 31;

int Block(int m, int r, int block, int size)
{
  const int share = (int)(((int64_t)m + r) / ((int64_t)BLOCKS_PER_RANK * size)) / 16 * 16;

  return block > 0 ? block : std::min(std::max(share, BLOCK_LEAST), BLOCK_MOST);
}

int Owner(int m, int block, int size, int col)
{
  return (col < m ? col / block : (m + block - 1) / block + (col - m) / block) % size;
}

/* Columns of one block; entry (i, j) of the front is at p + (i + (j - first) ld) entries */
struct View {
  char     *p;
  ptrdiff_t ld;
};

/* A panel on its way: a head of integers, then rows from the diagonal down */
struct Slot {
  char       *data;
  MPI_Request receive, send[MOST_CHILDREN];
  int         nsend;
  bool        here;
};

} // namespace

struct FrontRanks {
  FrontRanksOptions        o;
  const FactorDense       *dense;
  int                      rank, size, f, block;
  int                      nblock, nring;             /* blocks of S and of the ring, on all ranks */
  int                      own, own_ring;             /* columns of this rank */
  int                      first_ring;                /* this rank's first block of the ring */
  size_t                   scalar;                    /* bytes */
  int                      parts;                     /* real numbers of an entry */
  int                      head;                      /* entries that the integers before a panel take */
  MPI_Datatype             type;                      /* of these */
  char                    *S = nullptr, *Z = nullptr; /* columns of S and of the ring */
  bool                     released = false;          /* Z holds rows of S only */
  size_t                   size_S, size_Z;            /* entries */
  std::vector<size_t>      at_S, at_Z;                /* Cholesky: where the blocks of this rank start */
  std::vector<int>         pivot;                     /* relative to the panel */
  std::vector<MPI_Request> request;
  std::vector<int>         count, offset; /* of what the ranks gather */
  char                    *work = nullptr, *in = nullptr, *out = nullptr, *gather = nullptr, *ring = nullptr;
  int                      nrhs   = 0; /* of the last four */
  int                      failed = 0; /* an error of MPI */

  int Start(int k) const
  {
    return k * block;
  }
  int Width(int k) const
  {
    return std::min(block, o.m - k * block);
  }
  bool Own(int k) const
  {
    return k % size == rank;
  }
  /* Columns of S that are this rank's and in blocks before k */
  int Before(int k) const
  {
    const int full = k / size + (k % size > rank);

    return std::min(full * block, own);
  }
  View BlockOfS(int k) const
  {
    const ptrdiff_t start = Start(k);

    if (!o.cholesky) return {S + (size_t)Before(k) * f * scalar, f};
    return {S + (at_S[k / size] - start) * scalar, f - start};
  }
  View BlockOfRing(int k) const
  {
    const int       n     = (k - first_ring) / size;
    const ptrdiff_t start = o.m + (ptrdiff_t)k * block, ld = released ? o.m : f;

    if (!o.cholesky) return {Z + (size_t)n * block * ld * scalar, ld};
    return {Z + (at_Z[n] - start) * scalar, f - start};
  }
  char *At(View v, ptrdiff_t i, ptrdiff_t j) const
  {
    return v.p + (i + j * v.ld) * (ptrdiff_t)scalar;
  }
  size_t SlotBytes() const
  {
    return ((head + (size_t)f * std::min(block, o.m)) * scalar + 63) / 64 * 64;
  }
  void Message(int error)
  {
    if (error) failed = FRONT_RANKS_MESSAGE;
  }
};

namespace {

void *Allocate(double entries, size_t scalar)
{
  const double bytes = entries * (double)scalar;

  if (bytes > 0.9 * (double)PTRDIFF_MAX) return nullptr;
  return aligned_alloc(64, ((size_t)bytes + 127) / 64 * 64);
}

/* Messages move on while MPI is called only */
void Progress(FrontRanks *F)
{
  int flag;

  if (F->size > 1) F->Message(MPI_Iprobe(MPI_ANY_SOURCE, TAG_PANEL, F->o.comm, &flag, MPI_STATUS_IGNORE));
}

/* ---- factorization ---- */

struct Panels {
  FrontRanks *F;
  Slot        slot[SLOTS];
  int         own[2]; /* the first of the integers, where nothing is sent */
  int         failed; /* why this rank computes nothing */
  double      least = INFINITY, most = 0, replaced = 0;

  Slot &SlotOf(int k)
  {
    return slot[k % SLOTS];
  }
  int Failed() const
  {
    return std::max(failed, F->failed);
  }
  int Size(int k) const
  {
    return (F->head + (F->f - F->Start(k)) * F->Width(k)) * F->parts;
  }

  /* Along a tree in which the owner of the next panel is served first and every rank is reached by one message. Of a panel that has failed only the head is sent. */
  void Forward(int k)
  {
    Slot     &s = SlotOf(k);
    int       code;
    const int root = k % F->size, me = (F->rank - root + F->size) % F->size;

    s.here = true;
    memcpy(&code, s.data, sizeof(code));
    for (int step = 1; me + step < F->size; step *= 2) {
      if (step <= me) continue;
      F->Message(MPI_Isend(s.data, code ? F->head * F->parts : Size(k), F->type, (me + step + root) % F->size, TAG_PANEL, F->o.comm, &s.send[s.nsend++]));
    }
  }
  void Post(int k)
  {
    Slot     &s    = SlotOf(k);
    const int root = k % F->size, me = (F->rank - root + F->size) % F->size;
    int       step = 1;

    s.here = false;
    memset(s.data, 0, 2 * sizeof(int)); /* where the message is lost */
    while (step * 2 <= me) step *= 2;
    F->Message(MPI_Irecv(s.data, Size(k), F->type, (me - step + root) % F->size, TAG_PANEL, F->o.comm, &s.receive));
  }
  void Wait(int k)
  {
    Slot &s = SlotOf(k);

    if (s.here) return;
    F->Message(MPI_Wait(&s.receive, MPI_STATUS_IGNORE));
    Forward(k);
  }
  /* While something else is done: large messages need both sides to look after them */
  void Poll(int k)
  {
    int flag = 0;

    if (F->size == 1) return;
    if (k >= F->nblock || F->Own(k) || SlotOf(k).here) {
      Progress(F);
      return;
    }
    F->Message(MPI_Test(&SlotOf(k).receive, &flag, MPI_STATUS_IGNORE));
    if (flag) Forward(k);
  }
  void Finish(Slot &s)
  {
    if (s.nsend) F->Message(MPI_Waitall(s.nsend, s.send, MPI_STATUSES_IGNORE));
    s.nsend = 0;
  }

  /* On the owner of panel k, to which all updates have been made. If it has failed, the others get to know instead of getting the panel. */
  void Compute(int k)
  {
    const FrontRanksOptions &o = F->o;
    const int                c = F->Start(k), w = F->Width(k), rows = F->f - c;
    const bool               good     = !Failed();
    View                     view     = {};
    int                      replaced = 0, *p = F->pivot.data() + c;

    own[0] = Failed();
    if (good) {
      view = F->BlockOfS(k);
      if (o.cholesky) {
        own[0] = F->dense->cholesky(w, rows, F->At(view, c, 0), view.ld, F->work);
      } else {
        replaced = F->dense->lu(o.m - c, w, rows, F->At(view, c, 0), view.ld, p, o.threshold, o.tiny, o.replacement, F->work);
        own[0]   = replaced < 0 ? FRONT_RANKS_NOT_FINITE : 0;
      }
    }
    own[1] = replaced;
    if (F->size == 1) return;
    Slot &s = SlotOf(k);
    Finish(s);
    memcpy(s.data, own, 2 * sizeof(int));
    if (!o.cholesky) memcpy(s.data + 2 * sizeof(int), p, w * sizeof(int));
    for (int j = 0; j < w && good; j++) memcpy(s.data + (F->head + (size_t)j * rows) * F->scalar, F->At(view, c, j), rows * F->scalar);
    Forward(k);
  }

  /* Panel k from its diagonal down */
  View Panel(int k)
  {
    const int  c    = F->Start(k);
    const View view = F->Own(k) ? F->BlockOfS(k) : View{};

    if (F->size == 1) return {F->At(view, c, 0), view.ld};
    return {SlotOf(k).data + F->head * F->scalar, F->f - c};
  }
  /* n columns of LU at p, which points to their row 0 */
  void UpdateLU(int k, char *p, int n)
  {
    const int  c = F->Start(k), w = F->Width(k), f = F->f;
    const View view = {p, f}, panel = Panel(k);

    for (int j = 0; j < n; j += CHUNK_COLS) {
      const int cols = std::min(n - j, (int)CHUNK_COLS);

      F->dense->exchange(w, cols, F->At(view, c, j), f, F->pivot.data() + c, true);
      F->dense->trsm(false, FACTOR_PLAIN, true, w, cols, panel.p, panel.ld, F->At(view, c, j), f, F->work);
      for (int i = c + w; i < f; i += CHUNK_ROWS) {
        F->dense->gemm(false, std::min(f - i, (int)CHUNK_ROWS), cols, w, FACTOR_PLAIN, F->At(panel, i - c, 0), panel.ld, FACTOR_PLAIN, F->At(view, c, j), f, F->At(view, i, j), f, F->work);
        Poll(k + 1);
      }
    }
  }
  /* n columns of Cholesky, which start at the diagonal entry of column start */
  void UpdateCholesky(int k, View view, int start, int n)
  {
    const int  c = F->Start(k), w = F->Width(k);
    const View panel = Panel(k);

    for (int i = start; i < F->f; i += CHUNK_ROWS) {
      F->dense->gemm(i == start, std::min(F->f - i, (int)CHUNK_ROWS), n, w, FACTOR_PLAIN, F->At(panel, i - c, 0), panel.ld, F->o.hermitian ? FACTOR_ADJOINT : FACTOR_TRANSPOSED, F->At(panel, start - c, 0), panel.ld, F->At(view, i, 0), view.ld,
                     F->work);
      Poll(k + 1);
    }
  }
  void UpdateBlock(int k, int block)
  {
    const View view = F->BlockOfS(block);

    if (F->o.cholesky)
      UpdateCholesky(k, view, F->Start(block), F->Width(block));
    else
      UpdateLU(k, view.p, F->Width(block));
  }
  /* Blocks of S from the given one on, and the ring */
  void UpdateFrom(int k, int block)
  {
    if (F->o.cholesky) {
      for (int b = block; b < F->nblock; b++) {
        if (F->Own(b)) UpdateBlock(k, b);
      }
      for (int b = F->first_ring; b < F->nring; b += F->size) UpdateCholesky(k, F->BlockOfRing(b), F->o.m + b * F->block, std::min(F->block, F->o.r - b * F->block));
    } else {
      const int before = block < F->nblock ? F->Before(block) : F->own;

      if (before < F->own) UpdateLU(k, F->S + (size_t)before * F->f * F->scalar, F->own - before);
      if (F->own_ring) UpdateLU(k, F->Z, F->own_ring);
    }
  }

  int Run()
  {
    const int size = F->size, nblock = F->nblock;

    for (int k = 0; k < SLOTS - 1 && k < nblock && size > 1; k++) {
      if (!F->Own(k)) Post(k);
    }
    if (F->Own(0)) Compute(0);
    for (int k = 0; k < nblock; k++) {
      const int c = F->Start(k), w = F->Width(k);
      int       found[2] = {own[0], own[1]};

      if (size > 1) {
        Wait(k);
        memcpy(found, SlotOf(k).data, sizeof(found));
        if (!F->o.cholesky && !F->Own(k) && !found[0]) memcpy(F->pivot.data() + c, SlotOf(k).data + 2 * sizeof(int), w * sizeof(int));
      }
      /* The heads of all later panels are still sent: a receive that was cancelled instead could meet with a panel of the next front */
      failed = std::max(failed, found[0]);
      if (!Failed()) {
        replaced += found[1];
        F->dense->moduli(w, Panel(k).p, Panel(k).ld, &least, &most);
      }
      const bool next = k + 1 < nblock && F->Own(k + 1);
      if (next) {
        if (!Failed()) UpdateBlock(k, k + 1);
        Compute(k + 1);
      }
      if (!Failed()) UpdateFrom(k, k + 1 + next);
      /* The place of the panel before this one is free for the one that comes after the next */
      if (size > 1) {
        Finish(slot[(k + SLOTS - 1) % SLOTS]);
        if (k + SLOTS - 1 < nblock && !F->Own(k + SLOTS - 1)) Post(k + SLOTS - 1);
      }
    }
    for (Slot &s : slot) Finish(s);
    return Failed();
  }
};

/* ---- solves ---- */

/* A right-hand side on its way; rows of v */
struct Vectors {
  FrontRanks *F;
  int         n;
  View        v;

  char *Row(int i) const
  {
    return F->At(v, i, 0);
  }
  /* Block k to and from a contiguous place */
  void Pack(int k, char *to) const
  {
    const size_t w = F->Width(k) * F->scalar;

    for (int q = 0; q < n; q++) memcpy(to + q * w, F->At(v, F->Start(k), q), w);
  }
  void Unpack(int k, const char *from) const
  {
    const size_t w = F->Width(k) * F->scalar;

    for (int q = 0; q < n; q++) memcpy(F->At(v, F->Start(k), q), from + q * w, w);
  }
  int Count(int k) const
  {
    return F->Width(k) * n * F->parts;
  }
  /* Where the blocks of a rank start in an array in which they come rank after rank */
  size_t Offset(int rank) const
  {
    size_t rows = 0;

    for (int q = 0; q < rank; q++) rows += Rows(q);
    return rows * n * F->scalar;
  }
  int Rows(int rank) const
  {
    int rows = 0;

    for (int k = rank; k < F->nblock; k += F->size) rows += F->Width(k);
    return rows;
  }

  /* Rows [a, b) of v -= those of block k's columns times x, the solved block */
  void Below(int k, View L, int a, int b) const
  {
    const int step = F->size > 1 && n > FEW_VECTORS ? (int)CHUNK_ROWS : b - a;

    for (int i = a; i < b; i += step) {
      F->dense->gemm(false, std::min(b - i, step), n, F->Width(k), FACTOR_PLAIN, F->At(L, i, 0), L.ld, FACTOR_PLAIN, Row(F->Start(k)), v.ld, Row(i), v.ld, F->work);
      if (b - i > step) Progress(F);
    }
  }
  /* Block k of v -= rows [a, b) of its columns, turned, times those of v */
  void Across(int k, View L, FactorOp op, int a, int b) const
  {
    const int step = F->size > 1 && n > FEW_VECTORS ? (int)CHUNK_ROWS : b - a;

    for (int i = a; i < b; i += step) {
      F->dense->gemm(false, F->Width(k), n, std::min(b - i, step), op, F->At(L, i, 0), L.ld, FACTOR_PLAIN, Row(i), v.ld, Row(F->Start(k)), v.ld, F->work);
      if (b - i > step) Progress(F);
    }
  }

  /*
    By columns of L going down, or of U going up: v holds shares. A rank that has solved a block first updates the blocks up to its own next one, and sends their shares to those
    who will solve them.
  */
  void FanIn(bool up) const
  {
    const FrontRanksOptions &o    = F->o;
    const int                size = F->size, rank = F->rank, nblock = F->nblock;
    int                      nreceive = 0, nsend = 0, t = up ? ((nblock - 1 - rank) % size + size) % size : rank;
    MPI_Request             *receive = F->request.data(), *send = receive + (size_t)nblock * (size - 1);
    auto                     block = [=](int t) { return up ? nblock - 1 - t : t; };
    auto                     give  = [&](int first, int end) {
      for (int t = first; t < end && t < nblock; t++) {
        const int k  = block(t);
        char     *to = F->out + (size_t)F->Start(k) * n * F->scalar;

        Pack(k, to);
        F->Message(MPI_Isend(to, Count(k), F->type, k % size, TAG_SUM, o.comm, &send[nsend++]));
      }
    };

    if (nblock < 1) return;
    if (size > 1) {
      char *to = F->in;

      for (int s = t; s < nblock; s += size) {
        for (int q = 0; q < size; q++) {
          if (q == rank) continue;
          F->Message(MPI_Irecv(to, Count(block(s)), F->type, q, TAG_SUM, o.comm, &receive[nreceive++]));
          to += (size_t)F->Width(block(s)) * n * F->scalar;
        }
      }
      give(0, t);
    }
    char *from = F->in;
    for (nreceive = 0; t < nblock; t += size) {
      const int  k = block(t), c = F->Start(k), w = F->Width(k);
      const View L = F->BlockOfS(k);

      if (size > 1) {
        F->Message(MPI_Waitall(size - 1, receive + nreceive, MPI_STATUSES_IGNORE));
        nreceive += size - 1;
        for (int q = 0; q < size - 1; q++) {
          F->dense->add(w, n, from, w, Row(c), v.ld);
          from += (size_t)w * n * F->scalar;
        }
      }
      F->dense->trsm(up, FACTOR_PLAIN, !up && !o.cholesky, w, n, F->At(L, c, 0), L.ld, Row(c), v.ld, F->work);
      /* The next block is waited for by all */
      int end = up ? c : c + w;
      for (int s = t + 1; s < t + size && s < nblock; s++) {
        const int next = F->Start(block(s));

        end = up ? next : next + F->Width(block(s));
        Below(k, L, next, next + F->Width(block(s)));
        give(s, s + 1);
      }
      if (up)
        Below(k, L, 0, end);
      else
        Below(k, L, end, F->f);
    }
    if (size == 1) return;
    F->Message(MPI_Waitall(nsend, send, MPI_STATUSES_IGNORE));
    /* What has been solved for, to all */
    std::vector<int> &count = F->count, &offset = F->offset;
    for (int q = 0; q < size; q++) {
      count[q]  = Rows(q) * n * F->parts;
      offset[q] = q ? offset[q - 1] + count[q - 1] : 0;
    }
    char *to = F->gather + Offset(rank);
    for (int k = rank; k < nblock; k += size) {
      Pack(k, to);
      to += (size_t)F->Width(k) * n * F->scalar;
    }
    F->Message(MPI_Allgatherv(MPI_IN_PLACE, 0, F->type, F->gather, count.data(), offset.data(), F->type, o.comm));
    char *got = F->gather;
    for (int q = 0; q < size; q++) {
      for (int k = q; k < nblock; k += size) {
        if (q != rank) Unpack(k, got);
        got += (size_t)F->Width(k) * n * F->scalar;
      }
    }
  }

  /* The sums of the shares, to those who solve the blocks */
  void Sum() const
  {
    const int    size = F->size, rank = F->rank, nblock = F->nblock;
    MPI_Request *request  = F->request.data();
    int          nrequest = 0;
    const size_t mine     = (size_t)F->own * n * F->scalar;
    char        *from = F->in, *to = F->out;

    for (int q = 0; q < size; q++) {
      if (q == rank || !F->own) continue;
      F->Message(MPI_Irecv(from, F->own * n * F->parts, F->type, q, TAG_SUM, F->o.comm, &request[nrequest++]));
      from += mine;
    }
    for (int q = 0; q < size; q++) {
      char *start = to;

      if (q == rank) continue;
      for (int k = q; k < nblock; k += size) {
        Pack(k, to);
        to += (size_t)F->Width(k) * n * F->scalar;
      }
      if (to > start) F->Message(MPI_Isend(start, Rows(q) * n * F->parts, F->type, q, TAG_SUM, F->o.comm, &request[nrequest++]));
    }
    F->Message(MPI_Waitall(nrequest, request, MPI_STATUSES_IGNORE));
    from = F->in;
    for (int q = 0; q < size; q++) {
      if (q == rank) continue;
      for (int k = rank; k < nblock; k += size) {
        F->dense->add(F->Width(k), n, from, F->Width(k), Row(F->Start(k)), v.ld);
        from += (size_t)F->Width(k) * n * F->scalar;
      }
    }
  }

  /*
    By rows of U^T going down, or of L^T or L^H going up: the blocks of this rank hold sums, and the others arrive when they have been solved. What is known already is
    subtracted before waiting for the rest.
  */
  void FanOut(bool up, FactorOp op) const
  {
    const FrontRanksOptions &o    = F->o;
    const int                size = F->size, rank = F->rank, nblock = F->nblock, mine = up ? ((nblock - 1 - rank) % size + size) % size : rank;
    MPI_Request             *receive = F->request.data(), *send = receive + nblock;
    int                      nsend = 0, done = 0, known = up ? o.m : 0;
    auto                     block = [=](int t) { return up ? nblock - 1 - t : t; };
    auto                     place = [&](int k) { return F->gather + (size_t)F->Start(k) * n * F->scalar; };
    auto                     take  = [&](int k) {
      F->Message(MPI_Wait(&receive[k], MPI_STATUS_IGNORE));
      Unpack(k, place(k));
    };

    for (int t = 0; t < nblock && size > 1; t++) {
      const int k = block(t);

      if (!F->Own(k)) F->Message(MPI_Irecv(place(k), Count(k), F->type, k % size, TAG_BLOCK, o.comm, &receive[k]));
    }
    for (int t = mine; t < nblock; t += size) {
      const int  k = block(t), c = F->Start(k), w = F->Width(k);
      const View L = F->BlockOfS(k);

      if (up)
        Across(k, L, op, known, F->f);
      else
        Across(k, L, op, 0, known);
      for (; done < t; done++) {
        const int b = block(done);

        take(b);
        Across(k, L, op, F->Start(b), F->Start(b) + F->Width(b));
      }
      F->dense->trsm(!up, op, up && !o.cholesky, w, n, F->At(L, c, 0), L.ld, Row(c), v.ld, F->work);
      known = up ? c : c + w;
      done  = t + 1;
      if (size == 1) continue;
      Pack(k, place(k));
      for (int q = 1; q < size; q++) F->Message(MPI_Isend(place(k), Count(k), F->type, (up ? rank - q + size : rank + q) % size, TAG_BLOCK, o.comm, &send[nsend++]));
    }
    for (; done < nblock; done++) take(block(done));
    if (nsend) F->Message(MPI_Waitall(nsend, send, MPI_STATUSES_IGNORE));
  }

  /* LU: rows of this rank's columns of the ring, to and from an array of their own */
  void Ring(bool out) const
  {
    int at = 0;

    for (int b = F->first_ring; b < F->nring; b += F->size) {
      const int w = std::min(F->block, F->o.r - b * F->block);

      for (int q = 0; q < n; q++) {
        char *mine = F->ring + (at + (size_t)q * F->own_ring) * F->scalar, *theirs = F->At(v, F->o.m + b * F->block, q);

        if (out)
          memcpy(theirs, mine, w * F->scalar);
        else
          memcpy(mine, theirs, w * F->scalar);
      }
      at += w;
    }
  }

  void Exchange(bool forward) const
  {
    for (int t = 0; t < F->nblock; t++) {
      const int k = forward ? t : F->nblock - 1 - t, c = F->Start(k);

      F->dense->exchange(F->Width(k), n, Row(c), v.ld, F->pivot.data() + c, forward);
    }
  }

  void Forward(FactorTranspose trans) const
  {
    const int m = F->o.m;

    if (F->o.cholesky || trans == FACTOR_NOTRANS) {
      if (!F->o.cholesky) Exchange(true);
      FanIn(false);
    } else {
      if (F->size > 1) Sum();
      FanOut(false, FACTOR_TRANSPOSED);
      if (!F->own_ring) return;
      Ring(false);
      F->dense->gemm(false, F->own_ring, n, m, FACTOR_TRANSPOSED, F->Z, F->released ? m : F->f, FACTOR_PLAIN, Row(0), v.ld, F->ring, F->own_ring, F->work);
      Ring(true);
    }
  }
  void Backward(FactorTranspose trans) const
  {
    const int m = F->o.m;

    if (F->o.cholesky) {
      FanOut(true, F->o.hermitian ? FACTOR_ADJOINT : FACTOR_TRANSPOSED);
    } else if (trans == FACTOR_NOTRANS) {
      for (int k = 0; k < F->nblock; k++) {
        if (F->Own(k)) continue;
        for (int q = 0; q < n; q++) memset(F->At(v, F->Start(k), q), 0, F->Width(k) * F->scalar);
      }
      if (F->own_ring) {
        Ring(false);
        F->dense->gemm(false, m, n, F->own_ring, FACTOR_PLAIN, F->Z, F->released ? m : F->f, FACTOR_PLAIN, F->ring, F->own_ring, Row(0), v.ld, F->work);
      }
      FanIn(true);
    } else {
      FanOut(true, FACTOR_TRANSPOSED);
      Exchange(false);
    }
  }
};

int Solve(FrontRanks *F, bool backward, FactorTranspose trans, int nrhs, void *v, ptrdiff_t ld)
{
  F->failed = 0;
  for (int q = 0; q < nrhs; q += MOST_VECTORS) {
    const Vectors x = {F, std::min(nrhs - q, MOST_VECTORS), {(char *)v + q * ld * (ptrdiff_t)F->scalar, ld}};

    if (backward)
      x.Backward(trans);
    else
      x.Forward(trans);
  }
  return F->failed;
}

} // namespace

int FrontRanksOwner(int m, int r, int block, int size, int col)
{
  return Owner(m, Block(m, r, block, size), size, col);
}

int FrontRanksOwner(const FrontRanks *F, int col)
{
  return Owner(F->o.m, F->block, F->size, col);
}

FrontRanks *FrontRanksCreate(const FrontRanksOptions *options, int *failed)
{
  FrontRanks *F = new (std::nothrow) FrontRanks;

  *failed = FRONT_RANKS_MEMORY;
  if (!F) return nullptr;
  const int m = options->m, r = options->r;
  F->o     = *options;
  F->dense = &options->kernels->dense;
  F->Message(MPI_Comm_rank(options->comm, &F->rank));
  F->Message(MPI_Comm_size(options->comm, &F->size));
  if (F->failed) {
    *failed = F->failed;
    delete F;
    return nullptr;
  }
  F->f          = m + r;
  F->block      = Block(m, r, options->block, F->size);
  F->nblock     = (m + F->block - 1) / F->block;
  F->nring      = (r + F->block - 1) / F->block;
  F->first_ring = ((F->rank - F->nblock) % F->size + F->size) % F->size;
  F->scalar     = options->kernels->scalar;
  F->parts      = PetscDefined(USE_COMPLEX) ? 2 : 1;
  F->type       = F->scalar / F->parts == sizeof(double) ? MPI_DOUBLE : MPI_FLOAT;
  F->head       = (int)(((2 + (options->cholesky ? 0 : F->block)) * sizeof(int) + F->scalar - 1) / F->scalar);
  F->own = F->own_ring = 0;
  try {
    /* Row 0 of the first block lies in front of its storage, which is there but unused */
    F->size_S = F->size_Z = 0;
    for (int k = F->rank; k < F->nblock; k += F->size) {
      if (options->cholesky) {
        if (k == F->rank) F->size_S = F->Start(k);
        F->at_S.push_back(F->size_S);
        F->size_S += (size_t)F->Width(k) * (F->f - F->Start(k));
      }
      F->own += F->Width(k);
    }
    for (int k = F->first_ring; k < F->nring; k += F->size) {
      const int start = m + k * F->block, w = std::min(F->block, F->f - start);

      if (options->cholesky) {
        if (k == F->first_ring) F->size_Z = start;
        F->at_Z.push_back(F->size_Z);
        F->size_Z += (size_t)w * (F->f - start);
      }
      F->own_ring += w;
    }
    if (!options->cholesky) {
      F->size_S = (size_t)F->own * F->f;
      F->size_Z = (size_t)F->own_ring * F->f;
    }
    F->pivot.resize(options->cholesky ? 0 : m);
    F->count.resize(F->size);
    F->offset.resize(F->size);
    F->request.resize((size_t)(F->nblock + 2) * F->size + F->nblock);
  } catch (const std::bad_alloc &) {
    delete F;
    return nullptr;
  }
  F->work = (char *)Allocate((double)options->kernels->worksize, F->scalar);
  if (!F->work) {
    delete F;
    return nullptr;
  }
  *failed = FRONT_RANKS_GOOD;
  return F;
}

void FrontRanksDestroy(FrontRanks *F)
{
  if (!F) return;
  free(F->S);
  free(F->Z);
  free(F->work);
  free(F->in);
  free(F->out);
  free(F->gather);
  free(F->ring);
  delete F;
}

void FrontRanksSetPivots(FrontRanks *F, double tiny, double replacement, double norm)
{
  F->o.tiny        = tiny;
  F->o.replacement = replacement;
  F->o.norm        = norm;
}

int FrontRanksZero(FrontRanks *F)
{
  if (F->released) {
    free(F->Z);
    F->Z = nullptr;
  }
  F->released = false;
  if (!F->S) F->S = (char *)Allocate((double)F->size_S, F->scalar);
  if (!F->Z) F->Z = (char *)Allocate((double)F->size_Z, F->scalar);
  if (!F->S || !F->Z) return FRONT_RANKS_MEMORY;
  memset(F->S, 0, F->size_S * F->scalar);
  memset(F->Z, 0, F->size_Z * F->scalar);
  return FRONT_RANKS_GOOD;
}

void *FrontRanksColumn(FrontRanks *F, int col)
{
  const int m = F->o.m, k = col < m ? col / F->block : (col - m) / F->block;

  if (FrontRanksOwner(F, col) != F->rank || !F->S || !F->Z || (col >= m && F->released)) return nullptr;
  if (col < m) return F->At(F->BlockOfS(k), 0, col - F->Start(k));
  return F->At(F->BlockOfRing(k), 0, col - m - k * F->block);
}

size_t FrontRanksRoom(const FrontRanks *F)
{
  return F->size > 1 && F->o.m ? SLOTS * F->SlotBytes() + 64 : 0;
}

int FrontRanksFactor(FrontRanks *F, void *room, int failed, double *replaced, double *ratio)
{
  Panels P = {};

  *replaced = 0;
  *ratio    = 1;
  F->failed = 0;
  if (!F->o.m) return failed;
  P.F      = F;
  P.failed = failed;
  if (F->size > 1) {
    /* No message can be as long, which all ranks see */
    if (((double)F->f * F->block + F->head) * F->parts > INT_MAX) return std::max(failed, (int)FRONT_RANKS_MESSAGE);
    char *place = (char *)(((uintptr_t)room + 63) / 64 * 64);
    for (Slot &s : P.slot) {
      s.data = place;
      place += F->SlotBytes();
    }
  }
  failed = P.Run();
  if (failed) return failed;
  /* Pivots of later panels move rows of earlier ones as well */
  for (int k = F->rank; k < F->nblock && !F->o.cholesky; k += F->size) {
    const View view = F->BlockOfS(k);

    for (int next = k + 1; next < F->nblock; next++) F->dense->exchange(F->Width(next), F->Width(k), F->At(view, F->Start(next), 0), view.ld, F->pivot.data() + F->Start(next), true);
  }
  *replaced = P.replaced;
  if (F->o.cholesky) {
    P.least *= P.least;
    P.most *= P.most;
  }
  P.most = std::max(P.most, F->o.norm);
  if (P.least < P.most) *ratio = P.least / P.most;
  return FRONT_RANKS_GOOD;
}

void FrontRanksRelease(FrontRanks *F)
{
  const int m = F->o.m;

  if (F->released || !F->Z) return;
  F->released = true;
  if (F->o.cholesky) {
    free(F->Z);
    F->Z = (char *)Allocate(0, F->scalar);
    return;
  }
  for (int j = 1; j < F->own_ring; j++) memmove(F->Z + (size_t)j * m * F->scalar, F->Z + (size_t)j * F->f * F->scalar, m * F->scalar);
  char *Z = (char *)realloc(F->Z, std::max((size_t)64, (size_t)F->own_ring * m * F->scalar));
  if (Z) F->Z = Z;
}

int FrontRanksReserve(FrontRanks *F, int nrhs)
{
  bool good = true;

  nrhs = std::min(nrhs, MOST_VECTORS);
  if (nrhs <= F->nrhs) return FRONT_RANKS_GOOD;
  F->nrhs = 0; /* unless all of it is found */
  free(F->in);
  free(F->out);
  free(F->gather);
  free(F->ring);
  F->in = F->out = F->gather = nullptr;
  F->ring                    = (char *)Allocate((double)F->own_ring * nrhs, F->scalar);
  if (F->size > 1) {
    F->in     = (char *)Allocate((double)F->own * (F->size - 1) * nrhs, F->scalar);
    F->out    = (char *)Allocate((double)F->o.m * nrhs, F->scalar);
    F->gather = (char *)Allocate((double)F->o.m * nrhs, F->scalar);
    good      = F->in && F->out && F->gather;
  }
  if (!good || !F->ring) return FRONT_RANKS_MEMORY;
  F->nrhs = nrhs;
  return FRONT_RANKS_GOOD;
}

int FrontRanksForward(FrontRanks *F, FactorTranspose trans, int nrhs, void *v, ptrdiff_t ld)
{
  return Solve(F, false, trans, nrhs, v, ld);
}

int FrontRanksBackward(FrontRanks *F, FactorTranspose trans, int nrhs, void *v, ptrdiff_t ld)
{
  return Solve(F, true, trans, nrhs, v, ld);
}

size_t FrontRanksBytes(const FrontRanks *F)
{
  const size_t Z = F->released ? (F->o.cholesky ? 0 : (size_t)F->own_ring * F->o.m) : F->size_Z, messages = F->size > 1 ? (size_t)F->own * (F->size - 1) + 2 * (size_t)F->o.m : 0;

  return ((F->S ? F->size_S : 0) + (F->Z ? Z : 0) + F->o.kernels->worksize + (messages + F->own_ring) * F->nrhs) * F->scalar + F->pivot.size() * sizeof(int) + F->request.size() * sizeof(MPI_Request);
}
