/*
  The dense kernels against plain loops, for every instruction set that this processor has. Prints one line for each kernel, type of entries and instruction set; fails if one
  result is wrong, or if an entry was written that should not have been. Arrays have exactly the size that the kernels may use, so that sanitizers see what lies beyond.
*/
#include "tests/unit/dense.h"
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

typedef std::complex<long double> Exact;

static const int sizes[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 129};
static const int nsizes  = sizeof(sizes) / sizeof(*sizes);

static int         failures, cases;
static double      worst;
static std::string trouble;

static uint64_t seed = 1;
static double   Random()
{
  seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
  return (double)(seed >> 11) / (double)(1ULL << 52) - 1;
}

/* Without the care for infinities that the operator takes, which is slow */
static Exact Mul(Exact a, Exact b)
{
  if (a.imag() == 0 && b.imag() == 0) return a.real() * b.real();
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

template <class R>
static Exact Value(R a)
{
  return a;
}
template <class R>
static Exact Value(DenseComplex<R> a)
{
  return {a.re, a.im};
}
template <class R>
static void Set(R *a, Exact v)
{
  *a = (R)v.real();
}
template <class R>
static void Set(DenseComplex<R> *a, Exact v)
{
  *a = {(R)v.real(), (R)v.imag()};
}
template <class T>
static bool IsComplex()
{
  return DenseOf<T>::comp == 2;
}
template <class T>
static double Epsilon()
{
  return (double)std::numeric_limits<typename DenseOf<T>::R>::epsilon();
}

/* A matrix with padding between its columns, which must stay as it is */
template <class T>
struct Array {
  int            m, n;
  ptrdiff_t      ld;
  std::vector<T> a, before;

  Array(int m, int n, int pad) : m(m), n(n), ld(m + pad)
  {
    a.resize(m && n ? ld * (n - 1) + m : 0);
    for (auto &v : a) Set(&v, NAN);
    for (int j = 0; j < n; j++)
      for (int i = 0; i < m; i++) Set(&at(i, j), Exact(Random(), IsComplex<T>() ? Random() : 0));
    before = a;
  }
  T &at(int i, int j)
  {
    return a[i + j * ld];
  }
  Exact old(int i, int j) const
  {
    return Value(before[i + j * ld]);
  }
  T *data()
  {
    return a.data();
  }
  void keep()
  {
    before = a;
  }
  bool same(int i, int j) const
  {
    return !memcmp(&a[i + j * ld], &before[i + j * ld], sizeof(T));
  }
  bool padding() const
  {
    for (int j = 0; j + 1 < n && m; j++)
      for (int i = m; i < ld; i++)
        if (!same(i, j)) return false;
    return true;
  }
};

static void Fail(const std::string &what)
{
  if (trouble.empty()) trouble = what;
}
static void Near(Exact got, Exact want, double bound, const std::string &what)
{
  double e = (double)std::max(std::abs(got.real() - want.real()), std::abs(got.imag() - want.imag())) / bound;

  if (std::isnan(got.real()) || std::isnan(got.imag())) e = INFINITY;
  if (!(e <= worst)) worst = e;
  if (!(e <= 1)) Fail(what);
}
static void Report(const char *isa, const char *kernel, const char *type)
{
  if (trouble.empty())
    printf("ok - %s %s %s\n", kernel, type, isa);
  else
    printf("not ok - %s %s %s: %s\n", kernel, type, isa, trouble.c_str());
  if (!trouble.empty()) failures++;
  if (getenv("DENSE_VERBOSE")) printf("#  %d cases, largest error %g of what is allowed\n", cases, worst);
  trouble = "";
  worst   = 0;
  cases   = 0;
}
static std::string Case(const char *format, int a, int b, int c, int d = 0, int e = 0, int f = 0)
{
  char s[128];

  snprintf(s, sizeof(s), format, a, b, c, d, e, f);
  return s;
}

template <class T>
static Exact Op(DenseTrans t, const Array<T> &A, int i, int j)
{
  return t == DENSE_N ? A.old(i, j) : (t == DENSE_T ? A.old(j, i) : std::conj(A.old(j, i)));
}

template <class T>
static void GemmCase(const DenseTable<T> &k, DensePart part, int M, int N, int K, DenseTrans ta, DenseTrans tb, int pad)
{
  Array<T>          A(ta ? K : M, ta ? M : K, pad), B(tb ? N : K, tb ? K : N, pad ? pad + 1 : 0), C(M, N, pad);
  std::vector<T>    work(k.worksize());
  const std::string name = Case("part %d, %d x %d x %d, op %d %d", part, M, N, K, ta, tb);

  cases++;
  k.gemm(part, M, N, K, ta, A.data(), A.ld, tb, B.data(), B.ld, C.data(), C.ld, work.data());
  if (!C.padding()) Fail(name + ": padding of C written");
  for (int j = 0; j < N; j++) {
    for (int i = 0; i < M; i++) {
      if (part == DENSE_LOWER && i < j) {
        if (i / DENSE_TILE != j / DENSE_TILE && !C.same(i, j)) Fail(name + ": entry above the diagonal written");
        continue;
      }
      Exact s = C.old(i, j);
      for (int l = 0; l < K; l++) s -= Mul(Op(ta, A, i, l), Op(tb, B, l, j));
      Near(Value(C.at(i, j)), s, 4 * Epsilon<T>() * (K + 1), name);
    }
  }
}

template <class T>
static void Gemm(const DenseTable<T> &k)
{
  const DenseTrans all[] = {DENSE_N, DENSE_T, DENSE_C};
  int              c     = 0;

  for (int i = 0; i < nsizes; i++)
    for (int j = 0; j < nsizes; j++)
      for (int q = 0; q < (sizes[i] * sizes[j] > 600 ? 1 : 2); q++, c++) {
        GemmCase(k, DENSE_ALL, sizes[i], sizes[j], sizes[(i * 7 + j * 3 + q * 5 + 1) % nsizes], all[c % 3], all[c / 3 % 3], c % 4 ? c % 3 : 0);
        if (q == 0 && sizes[i] >= sizes[j]) GemmCase(k, DENSE_LOWER, sizes[i], sizes[j], sizes[(i * 3 + j * 7 + 2) % nsizes], all[c / 3 % 3], all[c / 9 % 3], c % 5);
      }
  /* Several packed blocks in every direction */
  GemmCase(k, DENSE_ALL, 530, 37, 600, DENSE_N, DENSE_N, 1);
  GemmCase(k, DENSE_ALL, 301, 40, 300, DENSE_C, DENSE_T, 0);
  GemmCase(k, DENSE_LOWER, 301, 290, 270, DENSE_N, DENSE_C, 3);
  /* Few columns, many steps */
  for (int n = 1; n < 18; n++)
    for (int q = 0; q < 3; q++) GemmCase(k, DENSE_ALL, 45, n, 130, all[q], all[(n + q) % 3], 1);
}

template <class T>
static void TrsmCase(const DenseTable<T> &k, bool upper, DenseTrans t, bool unit, int m, int n, int pad)
{
  Array<T>          A(m, m, pad), B(m, n, pad);
  std::vector<T>    work(k.worksize());
  const std::string name = Case("%d x %d, upper %d, op %d, unit %d", m, n, upper, t, unit);

  cases++;
  /* What must not be read is not a number; the rest is well conditioned */
  for (int j = 0; j < m; j++)
    for (int i = 0; i < m; i++) {
      if ((i != j && (i < j) != upper) || (i == j && unit))
        Set(&A.at(i, j), NAN);
      else if (i == j)
        Set(&A.at(i, j), Value(A.at(i, j)) + Exact(i % 2 ? 2 : -2));
      else
        Set(&A.at(i, j), Value(A.at(i, j)) / (long double)(m + 1));
    }
  A.keep();
  k.trsm(upper, t, unit, m, n, A.data(), A.ld, B.data(), B.ld, work.data());
  if (!B.padding()) Fail(name + ": padding of B written");
  for (int j = 0; j < n; j++)
    for (int i = 0; i < m; i++) {
      Exact s = 0;
      for (int l = 0; l < m; l++) {
        if (i == l)
          s += Mul(unit ? Exact(1) : Op(t, A, i, l), Value(B.at(l, j)));
        else if ((t == DENSE_N ? i < l : l < i) == upper)
          s += Mul(Op(t, A, i, l), Value(B.at(l, j)));
      }
      Near(s, B.old(i, j), 16 * Epsilon<T>() * (m + 1), name);
    }
}

template <class T>
static void Trsm(const DenseTable<T> &k)
{
  const DenseTrans all[] = {DENSE_N, DENSE_T, DENSE_C};

  for (int i = 0; i < nsizes; i++)
    for (int j = 0; j < nsizes; j++)
      for (int q = 0; q < (sizes[i] * sizes[j] > 2000 ? 1 : 4); q++) TrsmCase(k, (q + i) & 1, all[(i + j + q) % 3], (q & 2) != 0, sizes[i], sizes[j], (i + 2 * j) % 4);
  for (int q = 0; q < 12; q++) {
    TrsmCase(k, q & 1, all[q % 3], (q & 2) != 0, 213, 47, 1);
    TrsmCase(k, q & 1, all[q % 3], (q & 2) != 0, 213, 1, 1);
  }
}

template <class T>
static void SwapRows(const DenseTable<T> &k)
{
  const int m = 17, n = 9, ipiv[] = {3, 1, 16, 3, 9, 7, 6, 16, 8, 12, 10, 15, 12, 13, 16, 15, 16};
  Array<T>  B(m + 2, n, 3);

  for (int d = 0; d < 2; d++) {
    Array<T> X = B;
    int      row[m + 2];

    cases++;
    for (int i = 0; i < m + 2; i++) row[i] = i;
    for (int i = 0; i < m; i++) {
      int l = d ? i : m - 1 - i, s = row[l];

      row[l]       = row[ipiv[l]];
      row[ipiv[l]] = s;
    }
    k.swaprows(m, n, X.data(), X.ld, ipiv, d);
    if (!X.padding()) Fail("padding written");
    for (int j = 0; j < n; j++)
      for (int i = 0; i < m + 2; i++) Near(Value(X.at(i, j)), B.old(row[i], j), 1e-300, "wrong row");
  }
}

/* A front whose first m columns are those of a positive definite matrix */
template <class T>
static Array<T> Definite(int m, int f, int pad)
{
  Array<T> F(f, m, pad);

  for (int j = 0; j < m; j++) {
    for (int i = 0; i < j; i++) Set(&F.at(i, j), NAN);
    Set(&F.at(j, j), Exact(2 * m + 1, IsComplex<T>() ? NAN : 0));
  }
  F.keep();
  return F;
}

template <class T>
static void Cholesky(const DenseTable<T> &k)
{
  std::vector<T> work(k.worksize());

  for (int i = 0; i < nsizes + 1; i++)
    for (int q = 0; q < (i < 11 ? 5 : 2); q++) {
      const int         m = i < nsizes ? sizes[i] : 260, f = m + (q ? sizes[(i * 5 + q * 4) % nsizes] : 0);
      const std::string name = Case("m %d, f %d", m, f, 0);
      Array<T>          F    = Definite<T>(m, f, q % 3);
      int               bad;

      cases++;
      bad = k.cholesky(m, f, F.data(), F.ld, work.data());
      if (bad != -1) Fail(name + ": refused");
      if (!F.padding()) Fail(name + ": padding written");
      for (int c = 0; c < m; c++)
        for (int r = 0; r < f; r++) {
          Exact s = 0;

          if (r < c) {
            if (r / DENSE_TILE != c / DENSE_TILE && !F.same(r, c)) Fail(name + ": entry above the diagonal written");
            continue;
          }
          for (int l = 0; l <= c; l++) s += Mul(Value(F.at(r, l)), std::conj(Value(F.at(c, l))));
          Near(s, r == c ? Exact(F.old(r, c).real()) : F.old(r, c), 4 * Epsilon<T>() * (m + 1) * (2 * m + 1), name);
        }
    }
  /* The first pivot that is zero, negative, infinite or not a number */
  for (int i = 2; i < nsizes; i++)
    for (int q = 0; q < 4; q++) {
      const int    m = sizes[i], at = (q * 37 + m / 2) % m;
      const double value[] = {0, -1, std::numeric_limits<double>::infinity(), NAN};
      Array<T>     F       = Definite<T>(m, m + 3, 0);

      cases++;
      for (int c = 0; c < m; c++)
        for (int r = c + 1; r < m; r++)
          if (r == at || c == at) Set(&F.at(r, c), 0);
      Set(&F.at(at, at), value[q]);
      if (k.cholesky(m, m + 3, F.data(), F.ld, work.data()) != at) Fail(Case("m %d: bad pivot %d not found, kind %d", m, at, q));
    }
}

/* Largest entry of P W - L U and of Y U - Y0, relative to the growth of the factors */
template <class T>
static void LUCheck(int m, int f, Array<T> &F, const int *ipiv, double bound, const std::string &name)
{
  std::vector<int> row(f);

  for (int i = 0; i < f; i++) row[i] = i;
  for (int i = 0; i < m; i++) {
    if (ipiv[i] < i || ipiv[i] >= m) {
      Fail(name + ": exchange out of range");
      return;
    }
    int s        = row[i];
    row[i]       = row[ipiv[i]];
    row[ipiv[i]] = s;
  }
  for (int c = 0; c < m; c++)
    for (int r = 0; r < f; r++) {
      Exact       s    = 0;
      long double size = 1;

      for (int l = 0; l <= c && l <= r; l++) {
        Exact p = Mul(l == r ? Exact(1) : Value(F.at(r, l)), Value(F.at(l, c)));

        s += p;
        size += std::abs(p.real()) + std::abs(p.imag());
      }
      Near(s, F.old(row[r], c), bound * (double)size, name);
    }
}

template <class T>
static void LU(const DenseTable<T> &k)
{
  std::vector<T> work(k.worksize());

  for (int i = 0; i < nsizes + 1; i++)
    for (int q = 0; q < (i < 11 ? 5 : 2); q++) {
      const int         m = i < nsizes ? sizes[i] : 260, f = m + (q ? sizes[(i * 5 + q * 4) % nsizes] : 0);
      const double      threshold = q % 2 ? 1 : 0.1;
      const std::string name      = Case("m %d, f %d, kind %d", m, f, q);
      Array<T>          F(f, m, q % 3);
      std::vector<int>  ipiv(m);

      cases++;
      if (k.lu(m, f, F.data(), F.ld, ipiv.data(), threshold, 1e-30, 1, work.data()) != 0) Fail(name + ": pivots replaced");
      if (!F.padding()) Fail(name + ": padding written");
      LUCheck(m, f, F, ipiv.data(), 8 * Epsilon<T>() * (m + 1), name);
      for (int c = 0; c < m; c++)
        for (int r = c + 1; r < m; r++) {
          /* |re| + |im| is what was compared */
          if (std::abs(Value(F.at(r, c))) > 1.5 / threshold) Fail(name + ": multiplier beyond the threshold");
        }
    }
  for (int i = 1; i < nsizes; i++) {
    const int        m = sizes[i], f = m + 5;
    std::vector<int> ipiv(m);

    /* Threshold 0 keeps the diagonal; one that is large enough for the threshold stays though it is not the largest */
    for (int q = 0; q < 2; q++) {
      Array<T> F(f, m, 1);

      cases++;
      for (int c = 0; c < m; c++)
        for (int r = 0; r < f; r++) Set(&F.at(r, c), r == c ? Exact(1) : (r == c + 1 ? Exact(5) : Exact(0)));
      F.keep();
      if (k.lu(m, f, F.data(), F.ld, ipiv.data(), q ? 0.19 : 0, 1e-30, 1, work.data()) != 0) Fail("pivots replaced with threshold");
      for (int c = 0; c < m; c++)
        if (ipiv[c] != c) Fail("row exchanged though the threshold keeps the diagonal");
      LUCheck(m, f, F, ipiv.data(), 8 * Epsilon<T>() * (m + 1), "threshold");
    }
    if (m > 1) {
      Array<T> F(f, m, 1);

      cases++;
      for (int c = 0; c < m; c++)
        for (int r = 0; r < f; r++) Set(&F.at(r, c), r == c ? Exact(1) : (r == c + 1 ? Exact(5) : Exact(0)));
      F.keep();
      k.lu(m, f, F.data(), F.ld, ipiv.data(), 0.21, 1e-30, 1, work.data());
      if (ipiv[0] != 1) Fail("row not exchanged though the diagonal is below the threshold");
      /* The last pivot is 5^(1 - m) */
      if (m < 40) LUCheck(m, f, F, ipiv.data(), 8 * Epsilon<T>() * (m + 1), "threshold");
    }
    /* Two columns of zeros, and a negative diagonal below the bound */
    {
      Array<T>  F(f, m, 0);
      const int a = m / 3, b = m / 2, zero = a == b ? 1 : 2;
      Exact     phase = IsComplex<T>() ? Exact(0, 1) : Exact(-1);

      cases++;
      for (int c = 0; c < m; c++)
        for (int r = 0; r < f; r++) Set(&F.at(r, c), r == c ? Exact(3) : Exact(0));
      Set(&F.at(a, a), 0);
      Set(&F.at(b, b), 1e-5L * phase);
      if (k.lu(m, f, F.data(), F.ld, ipiv.data(), 0.1, 1e-3, 0.25, work.data()) != zero) Fail(Case("m %d: not %d pivots replaced", m, zero, 0));
      if (zero == 2) Near(Value(F.at(a, a)), 0.25L, 1e-6, "zero pivot not replaced");
      Near(Value(F.at(b, b)), 0.25L * phase, 1e-6, "small pivot lost its sign or phase");
    }
    for (int q = 0; q < 4; q++) {
      Array<T> F(f, m, 0);

      cases++;
      Set(&F.at((q * 5 + m / 2) % m, (q * 11 + m / 3) % m), q % 2 ? NAN : std::numeric_limits<double>::infinity());
      if (k.lu(m, f, F.data(), F.ld, ipiv.data(), 0.1, 1e-30, 1, work.data()) != -1) Fail(Case("m %d: NaN or infinity not found, kind %d", m, q, 0));
    }
  }
}

template <class T>
static void Type(const char *isa, const char *type, const DenseTable<T> &k)
{
  Gemm(k);
  Report(isa, "gemm", type);
  Trsm(k);
  Report(isa, "trsm", type);
  SwapRows(k);
  Report(isa, "swaprows", type);
  Cholesky(k);
  Report(isa, "cholesky", type);
  LU(k);
  Report(isa, "lu", type);
}

static void Kernels(const DenseKernels &k)
{
  Type(k.isa, "float", k.s);
  Type(k.isa, "double", k.d);
  Type(k.isa, "complex float", k.c);
  Type(k.isa, "complex double", k.z);
}

/* dense [isa]...: all instruction sets unless some are named; 77, which means skipped, where none of them is there */
int main(int argc, char **argv)
{
  int  done  = 0;
  auto named = [&](const char *isa) {
    for (int i = 1; i < argc; i++)
      if (!strcmp(argv[i], isa)) return true;
    return argc < 2;
  };

  setvbuf(stdout, nullptr, _IOLBF, 0);
  if (named("portable")) {
    Kernels(DenseKernels_portable);
    done++;
  }
#if defined(PETLAP_HAVE_X86)
  if (named("avx2")) {
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      Kernels(DenseKernels_avx2);
      done++;
    } else
      printf("ok # SKIP avx2: this processor does not have it\n");
  }
  if (named("avx512")) {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) {
      Kernels(DenseKernels_avx512);
      done++;
    } else
      printf("ok # SKIP avx512: this processor does not have it\n");
  }
#endif
  if (failures) fprintf(stderr, "%d lines are not ok\n", failures);
  return failures ? 1 : (done ? 0 : 77);
}
