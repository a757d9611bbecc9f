/*
  Fronts that are spread over ranks against plain elimination: factors, contribution blocks, solves with shares, pivots that are replaced or not there, the same bits in
  every run. Every rank makes all numbers, and takes what is its own. One line for each type of front; to be run on several numbers of ranks.
*/
#include "mat/schwarzschur/front_ranks.h"
#include "tests/unit/random.h"
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace {

#if defined(PETSC_USE_COMPLEX)
typedef std::complex<double> Exact;
typedef std::complex<double> Double;
typedef std::complex<float>  Single;
Exact                        Number(Random &random)
{
  const double re = 2 * random() - 1, im = 2 * random() - 1;

  return {re, im};
}
Exact Conj(Exact a)
{
  return std::conj(a);
}
#else
typedef double Exact;
typedef double Double;
typedef float  Single;
Exact          Number(Random &random)
{
  return 2 * random() - 1;
}
Exact Conj(Exact a)
{
  return a;
}
#endif

int         rank_, size_, failures, cases;
double      worst;
std::string trouble;

typedef std::vector<Exact> Array; /* column-major */

void Fail(const std::string &what)
{
  if (trouble.empty()) trouble = what;
}

void Report(const char *what, const char *type, const char *isa)
{
  int  bad = !trouble.empty(), any = bad;
  char text[256] = "";

  if (size_ > 1) MPI_Allreduce(&bad, &any, 1, MPI_INT, MPI_MAX, PETSC_COMM_WORLD);
  snprintf(text, sizeof(text), "%s", trouble.c_str());
  if (!any && !rank_) printf("ok - %s, %s, %s\n", what, type, isa);
  if (bad) printf("not ok - %s, %s, %s on rank %d of %d: %s\n", what, type, isa, rank_, size_, text);
  if (!rank_ && getenv("UNIT_VERBOSE")) printf("#  %d cases, largest error %g of what is allowed\n", cases, worst);
  fflush(stdout);
  failures += any;
  trouble = "";
  worst   = 0;
  cases   = 0;
}

struct Shape {
  int  m, r, block;
  bool cholesky, hermitian;
};

/* Well-conditioned. With exchanges the large entries are not on the diagonal, so that rows of LU must change their places. */
Array Matrix(const Shape &s, bool exchanges, Random &random)
{
  const int f = s.m + s.r;
  Array     A((size_t)f * f);

  for (Exact &a : A) a = Number(random);
  for (int i = 0; i < f; i++) A[i + (size_t)i * f] += 3 * std::sqrt((double)f) + 1;
  if (s.cholesky) {
    for (int j = 0; j < f; j++) {
      for (int i = 0; i <= j; i++) {
        Exact a = A[i + (size_t)j * f];

        if (!s.hermitian) a = std::real(a);
        if (i == j) a = std::real(a);
        A[i + (size_t)j * f] = a;
        A[j + (size_t)i * f] = Conj(a);
      }
    }
    return A;
  }
  for (int i = s.m - 1; i > 0 && exchanges; i--) {
    const int k = (int)(random() * (i + 1));

    for (int j = 0; j < f; j++) std::swap(A[i + (size_t)j * f], A[k + (size_t)j * f]);
  }
  return A;
}

/* X := B^-1 X, B of order n, X n x c */
void Eliminate(int n, Array B, int c, Array &X)
{
  for (int k = 0; k < n; k++) {
    int p = k;

    for (int i = k; i < n; i++) {
      if (std::abs(B[i + (size_t)k * n]) > std::abs(B[p + (size_t)k * n])) p = i;
    }
    for (int j = 0; j < n; j++) std::swap(B[k + (size_t)j * n], B[p + (size_t)j * n]);
    for (int j = 0; j < c; j++) std::swap(X[k + (size_t)j * n], X[p + (size_t)j * n]);
    for (int i = k + 1; i < n; i++) B[i + (size_t)k * n] /= B[k + (size_t)k * n];
    for (int j = k + 1; j < n; j++) {
      for (int i = k + 1; i < n; i++) B[i + (size_t)j * n] -= B[i + (size_t)k * n] * B[k + (size_t)j * n];
    }
    for (int j = 0; j < c; j++) {
      for (int i = k + 1; i < n; i++) X[i + (size_t)j * n] -= B[i + (size_t)k * n] * X[k + (size_t)j * n];
    }
  }
  for (int j = 0; j < c; j++) {
    for (int k = n - 1; k >= 0; k--) {
      X[k + (size_t)j * n] /= B[k + (size_t)k * n];
      for (int i = 0; i < k; i++) X[i + (size_t)j * n] -= B[i + (size_t)k * n] * X[k + (size_t)j * n];
    }
  }
}

void Near(Exact got, Exact want, double bound, const std::string &what)
{
  const double e = std::abs(got - want) / bound;

  if (!(e <= worst)) worst = e;
  if (!(e <= 1)) Fail(what);
}

template <class T>
void Fill(FrontRanks *F, const Shape &s, const Array &A)
{
  const int f = s.m + s.r;

  for (int j = 0; j < f; j++) {
    T *column = (T *)FrontRanksColumn(F, j);

    if ((FrontRanksOwner(F, j) == rank_) != (column != nullptr)) Fail("owner of column " + std::to_string(j));
    if (FrontRanksOwner(F, j) != FrontRanksOwner(s.m, s.r, s.block, size_, j)) Fail("owner without a front of column " + std::to_string(j));
    if (!column) continue;
    for (int i = s.cholesky ? j : 0; i < f; i++) {
      if (column[i] != T(0)) Fail("entries that are not zero");
      column[i] = (T)A[i + (size_t)j * f];
    }
  }
}

/* The columns of this rank, one after the other */
template <class T>
std::vector<T> Columns(FrontRanks *F, const Shape &s)
{
  std::vector<T> all;

  for (int j = 0; j < s.m + s.r; j++) {
    const T *column = (const T *)FrontRanksColumn(F, j);

    if (column) all.insert(all.end(), column + (s.cholesky ? j : 0), column + s.m + s.r);
  }
  return all;
}

template <class T>
bool Same(const std::vector<T> &a, const std::vector<T> &b)
{
  return a.size() == b.size() && (a.empty() || !memcmp(a.data(), b.data(), a.size() * sizeof(T)));
}

/* Rows below m of v are the same on all ranks, and nothing was written below row f */
template <class T>
void Equal(const Shape &s, int nrhs, ptrdiff_t ld, const std::vector<T> &v, const std::string &what)
{
  for (int q = 0; q < nrhs; q++) {
    std::vector<T> first(v.begin() + q * ld, v.begin() + q * ld + s.m), mine = first;

    if (size_ > 1 && MPI_Bcast(first.data(), (int)(s.m * sizeof(T)), MPI_BYTE, 0, PETSC_COMM_WORLD)) Fail("message");
    if (!Same(first, mine)) Fail("not the same on all ranks, " + what);
    for (ptrdiff_t i = s.m + s.r; i < ld; i++) {
      if (v[i + q * ld] != T(7)) Fail("overwritten, " + what);
    }
  }
}

template <class T>
void Solves(FrontRanks *F, const Shape &s, const Array &A, FactorTranspose trans, int nrhs, Random &random, const std::string &name)
{
  const int       m = s.m, r = s.r, f = m + r;
  const ptrdiff_t ld     = f + 3;
  const bool      turned = trans == FACTOR_TRANS && !s.cholesky;
  const double    eps = std::numeric_limits<decltype(std::real(T()))>::epsilon(), bound = 100 * eps * f;
  auto            entry = [&](int i, int j) { return turned ? A[j + (size_t)i * f] : A[i + (size_t)j * f]; };
  Array           sum((size_t)f * nrhs), W((size_t)m * m), x((size_t)m * nrhs), ring((size_t)r * nrhs);
  std::vector<T>  v(ld * nrhs, T(7)), share;
  std::string     what = name + ", nrhs " + std::to_string(nrhs) + (turned ? ", transposed" : "");

  cases++;
  for (int q = 0; q < size_; q++) {
    for (int k = 0; k < nrhs; k++) {
      for (int i = 0; i < f; i++) {
        const T a = (T)(Number(random) / Exact(size_));

        sum[i + (size_t)k * f] += (Exact)a;
        if (q == rank_) v[i + k * ld] = a;
      }
    }
  }
  share = v;
  for (int j = 0; j < m; j++) {
    for (int i = 0; i < m; i++) W[i + (size_t)j * m] = entry(i, j);
  }
  for (int k = 0; k < nrhs; k++) {
    for (int i = 0; i < m; i++) x[i + (size_t)k * m] = sum[i + (size_t)k * f];
  }
  Eliminate(m, W, nrhs, x);
  for (int k = 0; k < nrhs; k++) {
    for (int i = 0; i < r; i++) {
      Exact a = sum[m + i + (size_t)k * f];

      for (int j = 0; j < m; j++) a -= entry(m + i, j) * x[j + (size_t)k * m];
      ring[i + (size_t)k * r] = a;
    }
  }
  if (FrontRanksForward(F, trans, nrhs, v.data(), ld)) Fail("forward, " + what);
  Equal(s, nrhs, ld, v, "forward, " + what);
  const std::vector<T> once = v;
  v                         = share;
  if (FrontRanksForward(F, trans, nrhs, v.data(), ld)) Fail("forward again, " + what);
  if (!Same(v, once)) Fail("other bits, forward, " + what);
  Array got((size_t)r * nrhs), part((size_t)r * nrhs);
  for (int k = 0; k < nrhs; k++) {
    for (int i = 0; i < r; i++) part[i + (size_t)k * r] = (Exact)v[m + i + k * ld];
  }
  got = part;
  if (size_ > 1 && r && MPI_Allreduce(part.data(), got.data(), (int)(part.size() * sizeof(Exact) / sizeof(double)), MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD)) Fail("message");
  for (size_t i = 0; i < got.size(); i++) Near(got[i], ring[i], bound, "ring, " + what);

  for (int k = 0; k < nrhs; k++) {
    for (int i = 0; i < r; i++) {
      ring[i + (size_t)k * r] = Number(random);
      v[m + i + k * ld]       = (T)ring[i + (size_t)k * r];
    }
    for (int i = 0; i < m; i++) {
      Exact a = sum[i + (size_t)k * f];

      for (int j = 0; j < r; j++) a -= entry(i, m + j) * ring[j + (size_t)k * r];
      x[i + (size_t)k * m] = a;
    }
  }
  Eliminate(m, W, nrhs, x);
  share = v;
  if (FrontRanksBackward(F, trans, nrhs, v.data(), ld)) Fail("backward, " + what);
  Equal(s, nrhs, ld, v, "backward, " + what);
  for (int k = 0; k < nrhs; k++) {
    for (int i = 0; i < m; i++) Near((Exact)v[i + k * ld], x[i + (size_t)k * m], bound, "solution, " + what);
    for (int i = 0; i < r; i++) {
      if (v[m + i + k * ld] != share[m + i + k * ld]) Fail("the ring was overwritten, " + what);
    }
  }
  std::swap(v, share);
  if (FrontRanksBackward(F, trans, nrhs, v.data(), ld)) Fail("backward again, " + what);
  if (!Same(v, share)) Fail("other bits, backward, " + what);
}

FrontRanksOptions Options(const Shape &s, const FactorKernels *kernels)
{
  FrontRanksOptions o = {};

  o.comm        = PETSC_COMM_WORLD;
  o.m           = s.m;
  o.r           = s.r;
  o.block       = s.block;
  o.cholesky    = s.cholesky;
  o.hermitian   = s.hermitian;
  o.threshold   = 0.1;
  o.tiny        = 1e-20;
  o.replacement = 0.5;
  o.kernels     = kernels;
  return o;
}

std::string Name(const Shape &s)
{
  return "m " + std::to_string(s.m) + " r " + std::to_string(s.r) + " block " + std::to_string(s.block);
}

template <class T>
void Check(const Shape &s, const FactorKernels *kernels, Random &random, const std::vector<int> &nrhs)
{
  const FrontRanksOptions o = Options(s, kernels);
  const int               m = s.m, r = s.r, f = m + r;
  const double            eps      = std::numeric_limits<decltype(std::real(T()))>::epsilon();
  const std::string       name     = Name(s);
  const Array             A        = Matrix(s, true, random);
  double                  replaced = -1, ratio = -1;
  int                     code = -1;
  FrontRanks             *F    = FrontRanksCreate(&o, &code);

  cases++;
  if (!F || code || FrontRanksZero(F) || FrontRanksReserve(F, *std::max_element(nrhs.begin(), nrhs.end())) || FrontRanksReserve(F, 2)) {
    Fail("no memory, " + name);
    return;
  }
  std::vector<char> room(FrontRanksRoom(F));
  Fill<T>(F, s, A);
  if (FrontRanksFactor(F, room.data(), 0, &replaced, &ratio)) Fail("factor, " + name);
  if (replaced != 0 || !(ratio > 1e-6 && ratio <= 1)) Fail("pivots, " + name);

  /* The contribution block is A22 - A21 A11^-1 A12 */
  Array W((size_t)m * m), X((size_t)m * r);
  for (int j = 0; j < m; j++) {
    for (int i = 0; i < m; i++) W[i + (size_t)j * m] = A[i + (size_t)j * f];
  }
  for (int j = 0; j < r; j++) {
    for (int i = 0; i < m; i++) X[i + (size_t)j * m] = A[i + (size_t)(m + j) * f];
  }
  Eliminate(m, W, r, X);
  for (int j = 0; j < r; j++) {
    const T *column = (const T *)FrontRanksColumn(F, m + j);

    for (int i = s.cholesky ? j : 0; i < r && column; i++) {
      Exact a = A[m + i + (size_t)(m + j) * f];

      for (int k = 0; k < m; k++) a -= A[m + i + (size_t)k * f] * X[k + (size_t)j * m];
      Near((Exact)column[m + i], a, 100 * eps * f, "contribution, " + name);
    }
  }
  const std::vector<T> before = Columns<T>(F, s);
  const size_t         bytes  = FrontRanksBytes(F);
  for (FactorTranspose trans : {FACTOR_NOTRANS, FACTOR_TRANS}) Solves<T>(F, s, A, trans, 2, random, name);
  FrontRanksRelease(F);
  FrontRanksRelease(F);
  if (m && r && FrontRanksOwner(F, m) == rank_ && (FrontRanksColumn(F, m) || FrontRanksBytes(F) >= bytes + (size_t)(2 * m * size_ + r) * 3 * sizeof(T))) Fail("release, " + name);
  for (int n : nrhs) {
    for (FactorTranspose trans : {FACTOR_NOTRANS, FACTOR_TRANS}) Solves<T>(F, s, A, trans, n, random, name);
  }
  /* The same numbers again */
  if (FrontRanksZero(F)) Fail("no memory, " + name);
  Fill<T>(F, s, A);
  if (FrontRanksFactor(F, room.data(), 0, &replaced, &ratio)) Fail("factor again, " + name);
  if (!Same(Columns<T>(F, s), before)) Fail("other bits, factor, " + name);
  FrontRanksDestroy(F);
}

/* Pivots that are zero, not there, negative; and a front that is used again after a failure */
template <class T>
void CheckPivots(const Shape &s, const FactorKernels *kernels, Random &random)
{
  const FrontRanksOptions o = Options(s, kernels);
  const int               f = s.m + s.r;
  const Array             A = Matrix(s, false, random);
  int                     code;
  FrontRanks             *F = FrontRanksCreate(&o, &code);
  double                  replaced, ratio;

  if (!F || FrontRanksReserve(F, 1)) {
    Fail("no memory");
    return;
  }
  std::vector<char> room(FrontRanksRoom(F));
  for (int at : {0, s.m / 2, s.m - 1}) {
    const std::string name = Name(s) + " at " + std::to_string(at);
    Array             B    = A;
    int               failed;

    cases++;
    B[at + (size_t)at * f] = std::numeric_limits<double>::quiet_NaN();
    if (!s.cholesky) {
      for (int i = 0; i < s.m; i++) B[i + (size_t)at * f] = B[at + (size_t)at * f];
    }
    if (FrontRanksZero(F)) Fail("no memory");
    Fill<T>(F, s, B);
    failed = FrontRanksFactor(F, room.data(), 0, &replaced, &ratio);
    if (failed != FRONT_RANKS_NOT_FINITE) Fail("NaN: " + std::to_string(failed) + ", " + name);

    B = A;
    if (s.cholesky) {
      B[at + (size_t)at * f] = -1;
    } else {
      for (int i = 0; i < f; i++) B[i + (size_t)at * f] = B[at + (size_t)i * f] = 0;
    }
    if (FrontRanksZero(F)) Fail("no memory");
    Fill<T>(F, s, B);
    failed = FrontRanksFactor(F, room.data(), 0, &replaced, &ratio);
    if (s.cholesky) {
      if (failed != FRONT_RANKS_NOT_POSITIVE) Fail("negative: " + std::to_string(failed) + ", " + name);
    } else {
      if (failed || replaced != 1) Fail("replaced: " + std::to_string(failed) + " " + std::to_string(replaced) + ", " + name);
      if (s.m > 1 && !(ratio < 0.9)) Fail("ratio: " + std::to_string(ratio) + ", " + name);
      /* A row and a column of zeros stay so, but for the pivot in their place */
      B[at + (size_t)at * f] = o.replacement;
      Solves<T>(F, s, B, FACTOR_NOTRANS, 1, random, name + ", replaced");
    }
    if (FrontRanksZero(F)) Fail("no memory");
    Fill<T>(F, s, A);
    if (FrontRanksFactor(F, room.data(), 0, &replaced, &ratio) || replaced != 0) Fail("after a failure, " + name);
    Solves<T>(F, s, A, FACTOR_NOTRANS, 1, random, name);
  }
  FrontRanksDestroy(F);
}

template <class T>
void All(bool single, const char *isa, const char *type)
{
  static const int     shapes[][3] = {{0, 3, 2}, {1, 0, 0}, {1, 1, 1}, {5, 3, 2}, {7, 0, 3}, {16, 16, 16}, {17, 40, 8}, {40, 5, 64}, {33, 70, 7}, {64, 130, 16}, {100, 90, 10}, {150, 61, 0}};
  const FactorKernels *kernels     = FactorFindKernels(single, isa);
  Random               random      = {(uint64_t)1};
  const bool           complex     = PetscDefined(USE_COMPLEX);

  if (!kernels) return;
  for (int cholesky = 0; cholesky < 2; cholesky++) {
    for (int hermitian = 0; hermitian < (cholesky && complex ? 2 : 1); hermitian++) {
      std::string what = cholesky ? (hermitian ? "Hermitian Cholesky" : "Cholesky") : "LU";

      for (const int *shape : shapes) Check<T>({shape[0], shape[1], shape[2], cholesky != 0, hermitian != 0}, kernels, random, {1, 3, 17});
      for (int k = 0; k < 10; k++) {
        const int m = 1 + (int)(random() * 60), r = (int)(random() * 80), block = 1 + (int)(random() * 24);

        Check<T>({m, r, block, cholesky != 0, hermitian != 0}, kernels, random, {1, 5});
      }
      /* More rows and columns than are updated at once, more vectors than are solved for at once */
      Check<T>({70, 1100, 16, cholesky != 0, hermitian != 0}, kernels, random, {6});
      Check<T>({9, 5, 2, cholesky != 0, hermitian != 0}, kernels, random, {300});
      Report(what.c_str(), type, kernels->isa);
      for (const int *shape : shapes) {
        if (shape[0] > 1) CheckPivots<T>({shape[0], shape[1], shape[2], cholesky != 0, hermitian != 0}, kernels, random);
      }
      Report((what + ", pivots").c_str(), type, kernels->isa);
    }
  }
}

} // namespace

int main(int argc, char **argv)
{
  if (PetscInitialize(&argc, &argv, nullptr, nullptr)) return 1;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank_);
  MPI_Comm_size(PETSC_COMM_WORLD, &size_);
  All<Double>(false, nullptr, "double");
  All<Single>(true, nullptr, "single");
  if (strcmp(FactorFindKernels(false, nullptr)->isa, "portable")) All<Double>(false, "portable", "double");
  if (PetscFinalize()) return 1;
  return failures > 0;
}
