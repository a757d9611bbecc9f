/*
  From rows of a matrix to cells of air, fluid and solid.
*/
#include "pc/neural/image.h"
#include <algorithm>
#include <cmath>

namespace petlap {
namespace neural {

namespace {

/* What is known of a cell that is no fluid. Claims come from the fluid cells around it. */
enum Claim : unsigned char { NOTHING = 0, IS_AIR = 1, IS_SOLID = 2, IS_FLUID = 4 };

class Inference {
public:
  Inference(const Partition &part, const std::vector<Row> &rows, double tolerance) : part(part), rows(rows), tolerance(tolerance)
  {
    int lo[3], hi[3];

    for (int a = 0; a < 3; a++) {
      lo[a] = part.lo(a);
      hi[a] = part.hi(a);
    }
    layout.make(lo, hi, part.dim, 1);
    claim.assign(layout.room, NOTHING);
    for (int s = 0; s < 6; s++) outside[s].resize(Faces(s));
  }

  InferredImage Run()
  {
    MarkFluid();
    SideUnits();
    while (Sweep()) {}
    SettleSides();
    while (Sweep()) {}
    if (Failed()) return result;
    Fill();
    Margins();
    return result;
  }

private:
  const Partition           &part;
  const std::vector<Row>    &rows;
  double                     tolerance;
  Layout                     layout;
  std::vector<unsigned char> claim;
  std::vector<unsigned char> outside[6]; /* beyond the sides of the grid */
  double                     unit[6] = {1, 1, 1, 1, 1, 1};
  std::vector<char>          send, receive;
  InferredImage              result;

  int Size(int a) const
  {
    return part.hi(a) - part.lo(a);
  }
  size_t Faces(int side) const
  {
    size_t n = 1;

    for (int a = 0; a < 3; a++) n *= a == side / 2 ? 1 : Size(a);
    return n;
  }
  /* Place of a cell of the process among those along a side */
  size_t FaceOf(int side, const int c[3]) const
  {
    const int a = side / 2, b = a == 0 ? 1 : 0, d = a == 2 ? 1 : 2;

    return (size_t)(c[d] - part.lo(d)) * Size(b) + (c[b] - part.lo(b));
  }
  const Row &RowAt(const int c[3]) const
  {
    return rows[((size_t)(c[2] - part.lo(2)) * Size(1) + (c[1] - part.lo(1))) * Size(0) + (c[0] - part.lo(0))];
  }
  template <typename Body>
  void Cells(Body body)
  {
    int c[3];

    for (c[2] = part.lo(2); c[2] < part.hi(2); c[2]++) {
      for (c[1] = part.lo(1); c[1] < part.hi(1); c[1]++) {
        for (c[0] = part.lo(0); c[0] < part.hi(0); c[0]++) body(c);
      }
    }
  }
  bool Beyond(const int c[3], int face) const
  {
    const int a = face / 2;

    return face % 2 ? c[a] == part.n[a] - 1 : c[a] == 0;
  }
  ptrdiff_t Neighbour(const int c[3], int face) const
  {
    int at[3] = {c[0], c[1], c[2]};

    at[face / 2] += face % 2 ? 1 : -1;
    return layout.at(at[0], at[1], at[2]);
  }
  bool HasFace(int face) const
  {
    return Halved(part.dim, face / 2);
  }
  long long Sum(long long v) const
  {
    if (part.size() > 1) CommunicateMPI(MPI_Allreduce(MPI_IN_PLACE, &v, 1, MPI_LONG_LONG, MPI_SUM, part.comm));
    return v;
  }
  void Exchange(std::vector<unsigned char> &field)
  {
    if (part.size() > 1) ExchangeLayers(part, layout, field.data(), send, receive);
  }

  void MarkFluid()
  {
    Cells([&](const int c[3]) { claim[layout.at(c[0], c[1], c[2])] = RowAt(c).fluid ? IS_FLUID : NOTHING; });
    Exchange(claim);
    /* Entries to cells that are no fluid belong to values that are given there, as those of air are */
    Cells([&](const int c[3]) {
      const Row &row = RowAt(c);

      for (int f = 0; f < 6 && row.fluid; f++) {
        if (!HasFace(f) || Beyond(c, f) || !(row.links >> f & 1)) continue;
        unsigned char &other = claim[Neighbour(c, f)];
        if (!(other & IS_FLUID)) other |= IS_AIR;
      }
    });
    Merge();
  }

  /* Claims on cells of other processes become those of the process that has them */
  void Merge()
  {
    if (part.size() == 1) return;
    /* What is in the layers goes back: each process sends its layers to the neighbour on that side, which adds them to its own cells */
    int rank, stride = 1;

    CommunicateMPI(MPI_Comm_rank(part.comm, &rank));
    for (int a = 0; a < 3; stride *= part.processes[a], a++) {
      if (part.processes[a] == 1) continue;
      for (int side = 0; side < 2; side++) {
        const bool has  = side ? part.place[a] < part.processes[a] - 1 : part.place[a] > 0;
        const bool gets = side ? part.place[a] > 0 : part.place[a] < part.processes[a] - 1;
        int        from[3], to[3];
        size_t     bytes = 1;

        for (int b = 0; b < 3; b++) {
          from[b] = part.lo(b);
          to[b]   = part.hi(b);
          if (b != a) bytes *= Size(b);
        }
        send.resize(std::max(send.size(), bytes));
        receive.resize(std::max(receive.size(), bytes));
        if (has) {
          from[a] = side ? part.hi(a) : part.lo(a) - 1;
          to[a]   = from[a] + 1;
          Pack(layout, claim.data(), from, to, (unsigned char *)send.data());
        }
        const int to_rank = has ? rank + (side ? stride : -stride) : MPI_PROC_NULL, from_rank = gets ? rank + (side ? -stride : stride) : MPI_PROC_NULL;
        CommunicateMPI(MPI_Sendrecv(send.data(), (int)bytes, MPI_BYTE, to_rank, 0, receive.data(), (int)bytes, MPI_BYTE, from_rank, 0, part.comm, MPI_STATUS_IGNORE));
        if (gets) {
          size_t i = 0;

          from[a] = side ? part.lo(a) : part.hi(a) - 1;
          to[a]   = from[a] + 1;
          for (int z = from[2]; z < to[2]; z++) {
            for (int y = from[1]; y < to[1]; y++) {
              for (int x = from[0]; x < to[0]; x++) claim[layout.at(x, y, z)] |= (unsigned char)receive[i++];
            }
          }
        }
      }
    }
    Exchange(claim);
  }

  /* A value that is given half a cell behind a side counts twice in the diagonal */
  void SideUnits()
  {
    long long twice[6] = {}, once[6] = {};

    Cells([&](const int c[3]) {
      const Row &row  = RowAt(c);
      int        open = 0, face = -1;

      for (int f = 0; f < 6; f++) {
        if (!HasFace(f) || (row.links >> f & 1)) continue;
        open++;
        face = f;
      }
      if (!row.fluid || open != 1 || !Beyond(c, face)) return;
      if (std::abs(row.excess - 2.0) <= 2.0 * tolerance) twice[face]++;
      if (std::abs(row.excess - 1.0) <= tolerance) once[face]++;
    });
    for (int f = 0; f < 6; f++) {
      if (Sum(twice[f]) > Sum(once[f])) unit[f] = 2.0;
    }
  }

  unsigned char &At(const int c[3], int face)
  {
    return Beyond(c, face) ? outside[face][FaceOf(face, c)] : claim[Neighbour(c, face)];
  }

  /* Faces of which every way to explain the diagonal says the same become known. Returns whether any did. */
  bool Sweep()
  {
    long long changes = 0;

    Cells([&](const int c[3]) {
      const Row &row = RowAt(c);
      int        open[6], n = 0;
      double     left = row.excess, total = 0.0;

      if (!row.fluid) return;
      for (int f = 0; f < 6; f++) {
        if (!HasFace(f)) continue;
        const unsigned char known = At(c, f);

        if (row.links >> f & 1) {
          /* An entry to a cell that is no fluid is no part of the excess, but its face is one of air */
          continue;
        }
        if (known & IS_AIR)
          left -= unit[f];
        else if (!(known & (IS_SOLID | IS_FLUID))) {
          open[n++] = f;
          total += unit[f];
        }
      }
      if (n == 0) {
        if (std::abs(left) > tolerance * std::max(1.0, (double)row.excess)) Note(InferredImage::FRACTION, c, row.excess);
        return;
      }
      unsigned int air = ~0u, solid = ~0u;
      bool         any = false;
      for (unsigned int way = 0; way < 1u << n; way++) {
        double sum = 0.0;

        for (int k = 0; k < n; k++) sum += way >> k & 1 ? unit[open[k]] : 0.0;
        if (std::abs(sum - left) > tolerance * std::max(1.0, total)) continue;
        any = true;
        air &= way;
        solid &= ~way;
      }
      if (!any) {
        Note(InferredImage::FRACTION, c, row.excess);
        return;
      }
      for (int k = 0; k < n; k++) {
        if (!(air >> k & 1) && !(solid >> k & 1)) continue;
        unsigned char      &to = At(c, open[k]);
        const unsigned char is = air >> k & 1 ? IS_AIR : IS_SOLID;

        if (!(to & is)) changes++;
        to |= is;
      }
    });
    Merge();
    return Sum(changes) > 0;
  }

  void Note(InferredImage::Outcome outcome, const int c[3], double excess)
  {
    if (result.outcome != InferredImage::CLEAR) return;
    result.outcome = outcome;
    result.excess  = excess;
    for (int a = 0; a < 3; a++) result.cell[a] = c[a];
  }

  /* What lies behind a side is mostly the same all along it */
  void SettleSides()
  {
    for (int f = 0; f < 6; f++) {
      long long air = 0, solid = 0;

      for (unsigned char o : outside[f]) {
        air += o == IS_AIR;
        solid += o == IS_SOLID;
      }
      air   = Sum(air);
      solid = Sum(solid);
      if (air + solid == 0 || (air > 0 && solid > 0)) continue;
      Cells([&](const int c[3]) {
        if (HasFace(f) && Beyond(c, f) && RowAt(c).fluid && !(RowAt(c).links >> f & 1)) outside[f][FaceOf(f, c)] |= air ? IS_AIR : IS_SOLID;
      });
    }
  }

  /* All processes agree on the first trouble */
  bool Failed()
  {
    Cells([&](const int c[3]) {
      if ((claim[layout.at(c[0], c[1], c[2])] & (IS_AIR | IS_SOLID)) == (IS_AIR | IS_SOLID)) Note(InferredImage::CONTRADICTION, c, 0.0);
    });
    int rank = 0, first;

    if (part.size() == 1) return result.outcome != InferredImage::CLEAR;
    CommunicateMPI(MPI_Comm_rank(part.comm, &rank));
    first = result.outcome != InferredImage::CLEAR ? rank : part.size();
    CommunicateMPI(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, part.comm));
    if (first == part.size()) return false;
    double data[5] = {(double)result.outcome, result.excess, (double)result.cell[0], (double)result.cell[1], (double)result.cell[2]};
    CommunicateMPI(MPI_Bcast(data, 5, MPI_DOUBLE, first, part.comm));
    result.outcome = (InferredImage::Outcome)(int)data[0];
    result.excess  = data[1];
    for (int a = 0; a < 3; a++) result.cell[a] = (int)data[2 + a];
    return true;
  }

  /* Cells that no row tells of get the label of the nearest that has one, air before solid; layer by layer, so that it does not depend on the number of processes */
  void Fill()
  {
    const ptrdiff_t                                  step[3] = {1, layout.row, layout.plane};
    std::vector<ptrdiff_t>                           rim, next;
    std::vector<std::pair<ptrdiff_t, unsigned char>> found;
    /* Own cells, as those of other processes and what is beyond the grid are not to be filled here */
    std::vector<bool>      own(layout.room, false);
    std::vector<ptrdiff_t> seam;
    long long              left = 0;

    Cells([&](const int c[3]) {
      const ptrdiff_t i = layout.at(c[0], c[1], c[2]);

      own[i] = true;
      for (int a = 0; a < 3; a++) {
        if ((c[a] == part.lo(a) && part.place[a] > 0) || (c[a] == part.hi(a) - 1 && part.place[a] < part.processes[a] - 1)) {
          seam.push_back(i);
          break;
        }
      }
      if (claim[i] != NOTHING) return;
      left++;
      rim.push_back(i);
    });
    result.guessed = Sum(left);
    while (Sum((long long)rim.size()) > 0) {
      found.clear();
      for (ptrdiff_t i : rim) {
        unsigned char best = NOTHING;

        if (claim[i] != NOTHING) continue;
        for (int f = 0; f < 6; f++) {
          if (!HasFace(f)) continue;
          const unsigned char other = claim[i + (f % 2 ? step[f / 2] : -step[f / 2])];

          if (other & IS_AIR)
            best = IS_AIR;
          else if ((other & IS_SOLID) && best == NOTHING)
            best = IS_SOLID;
        }
        if (best != NOTHING) found.push_back({i, best});
      }
      next.clear();
      for (const auto &f : found) claim[f.first] = f.second;
      Exchange(claim);
      for (const auto &f : found) {
        for (int k = 0; k < 6; k++) {
          const ptrdiff_t j = f.first + (k % 2 ? step[k / 2] : -step[k / 2]);

          if (HasFace(k) && own[j] && claim[j] == NOTHING) next.push_back(j);
        }
      }
      for (ptrdiff_t i : seam) {
        if (claim[i] == NOTHING) next.push_back(i);
      }
      std::sort(next.begin(), next.end());
      next.erase(std::unique(next.begin(), next.end()), next.end());
      std::swap(rim, next);
      if (Sum((long long)found.size()) == 0) break;
    }
  }

  void Margins()
  {
    for (int f = 0; f < 6; f++) {
      long long air = 0;

      for (unsigned char o : outside[f]) air += (o & IS_AIR) != 0;
      result.margin[f / 2][f % 2] = Sum(air) > 0;
    }
    int lo[3], hi[3];
    for (int a = 0; a < 3; a++) {
      lo[a] = part.lo(a) - (part.place[a] == 0 ? result.margin[a][0] : 0);
      hi[a] = part.hi(a) + (part.place[a] == part.processes[a] - 1 ? result.margin[a][1] : 0);
    }
    for (int z = lo[2]; z < hi[2]; z++) {
      for (int y = lo[1]; y < hi[1]; y++) {
        for (int x = lo[0]; x < hi[0]; x++) {
          const int c[3]   = {std::min(std::max(x, part.lo(0)), part.hi(0) - 1), std::min(std::max(y, part.lo(1)), part.hi(1) - 1), std::min(std::max(z, part.lo(2)), part.hi(2) - 1)};
          const int off[3] = {x - c[0], y - c[1], z - c[2]}, away = (off[0] != 0) + (off[1] != 0) + (off[2] != 0);

          if (away == 0) {
            const unsigned char k = claim[layout.at(x, y, z)];

            result.label.push_back(k & IS_FLUID ? FLUID : k & IS_AIR ? AIR : SOLID);
            continue;
          }
          /* A margin is air where a row says so or the cell before it is no fluid and no wall; its edges are air */
          bool air = true;
          for (int a = 0; a < 3 && away == 1; a++) {
            if (off[a] == 0) continue;
            const unsigned char o = outside[2 * a + (off[a] > 0)][FaceOf(2 * a, c)], inner = claim[layout.at(c[0], c[1], c[2])];

            air = o & IS_AIR || (!(o & IS_SOLID) && (inner & IS_AIR));
          }
          result.label.push_back(air ? AIR : SOLID);
        }
      }
    }
  }
};

} // namespace

InferredImage InferImage(const Partition &part, const std::vector<Row> &rows, double tolerance)
{
  return Inference(part, rows, tolerance).Run();
}

} // namespace neural
} // namespace petlap
