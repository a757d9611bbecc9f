/*
  Speed of the dense kernels on one core, in GF/s of processor time, beside the BLAS and LAPACK that is linked: bench_dense [s|d|c|z]... [kernel]...
  The symmetric indefinite factorization stands beside LU, and the fused Schur update beside the same in three steps.
  DENSE_ISA names the only instruction set to measure, DENSE_ROUNDS the number of runs.
  A sum or product of complex numbers counts as two or six operations. Every figure is the best of several runs with the data in cache as far as it fits.
*/
#include "tests/unit/dense.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

typedef DenseComplex<float>  C;
typedef DenseComplex<double> Z;

#if defined(BENCH_HAVE_BLAS)
  #define BLAS(T, x)                                                                                                                                                                     \
    extern "C" void x##gemm_(const char *, const char *, const int *, const int *, const int *, const T *, const T *, const int *, const T *, const int *, const T *, T *, const int *); \
    extern "C" void x##trsm_(const char *, const char *, const char *, const char *, const int *, const int *, const T *, const T *, const int *, T *, const int *);                     \
    extern "C" void x##potrf_(const char *, const int *, T *, const int *, int *);                                                                                                       \
    extern "C" void x##getrf_(const int *, const int *, T *, const int *, int *, int *);                                                                                                 \
    static void     gemm(const char *ta, const char *tb, int m, int n, int k, T alpha, const T *a, int lda, const T *b, int ldb, T beta, T *c, int ldc)                                  \
    {                                                                                                                                                                                    \
      x##gemm_(ta, tb, &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc);                                                                                                            \
    }                                                                                                                                                                                    \
    static void trsm(const char *side, const char *uplo, const char *t, const char *diag, int m, int n, T alpha, const T *a, int lda, T *b, int ldb)                                     \
    {                                                                                                                                                                                    \
      x##trsm_(side, uplo, t, diag, &m, &n, &alpha, a, &lda, b, &ldb);                                                                                                                   \
    }                                                                                                                                                                                    \
    static void potrf(int n, T *a, int lda)                                                                                                                                              \
    {                                                                                                                                                                                    \
      int info;                                                                                                                                                                          \
                                                                                                                                                                                         \
      x##potrf_("L", &n, a, &lda, &info);                                                                                                                                                \
    }                                                                                                                                                                                    \
    static void getrf(int m, int n, T *a, int lda, int *ipiv)                                                                                                                            \
    {                                                                                                                                                                                    \
      int info;                                                                                                                                                                          \
                                                                                                                                                                                         \
      x##getrf_(&m, &n, a, &lda, ipiv, &info);                                                                                                                                           \
    }
BLAS(float, s)
BLAS(double, d)
BLAS(C, c)
BLAS(Z, z)
static const bool have = true;
#else
template <class T>
static void gemm(const char *, const char *, int, int, int, T, const T *, int, const T *, int, T, T *, int)
{}
template <class T>
static void trsm(const char *, const char *, const char *, const char *, int, int, T, const T *, int, T *, int)
{}
template <class T>
static void potrf(int, T *, int)
{}
template <class T>
static void getrf(int, int, T *, int, int *)
{}
static const bool have = false;
#endif

static int rounds = 12;

static double Seconds()
{
  struct timespec t;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* One of several that are compared. They take turns, so that what else the machine does meets all of them, and the best run counts. */
struct Timed {
  std::function<void()> f;
  int                   n;
  double                best;
  std::vector<double>   all;
};
static void Time(std::vector<Timed> &list)
{
  for (auto &t : list) {
    double s = 0;

    t.best = 1e30;
    t.f();
    for (t.n = 1; t.n < 1 << 24; t.n *= 4) {
      s = Seconds();
      for (int i = 0; i < t.n; i++) t.f();
      s = Seconds() - s;
      if (s > 2e-4) break;
    }
    t.n = (int)(t.n * 2e-3 / s) + 1;
  }
  for (int round = 0; round < rounds; round++)
    for (auto &t : list) {
      double s = Seconds();

      for (int i = 0; i < t.n; i++) t.f();
      s = (Seconds() - s) / t.n;
      t.all.push_back(s);
      if (s < t.best) t.best = s;
    }
}

static double Value(int i)
{
  return ((i * 7919LL) % 1009) / 1009. - 0.5;
}
static void Fill(double *a, int i)
{
  *a = Value(i);
}
static void Fill(float *a, int i)
{
  *a = (float)Value(i);
}
template <class R>
static void Fill(DenseComplex<R> *a, int i)
{
  *a = {(R)Value(i), (R)Value(i + 77)};
}
static double Number(double, double v)
{
  return v;
}
static float Number(float, double v)
{
  return (float)v;
}
template <class R>
static DenseComplex<R> Number(DenseComplex<R>, double v)
{
  return {(R)v, 0};
}

struct Isa {
  const DenseKernels *k;
  bool                ok;
};
static std::vector<Isa>         isas;
static const DenseTable<float> &Table(const DenseKernels *k, float)
{
  return k->s;
}
static const DenseTable<double> &Table(const DenseKernels *k, double)
{
  return k->d;
}
static const DenseTable<C> &Table(const DenseKernels *k, C)
{
  return k->c;
}
static const DenseTable<Z> &Table(const DenseKernels *k, Z)
{
  return k->z;
}

template <class T>
struct Bench {
  const char *type;
  double      flop; /* operations in an addition and a multiplication, over 2 */
  T           one, minus;

  /* prepare is timed with every kernel, and taken off again */
  template <class Ours, class Theirs>
  void line(const char *kernel, int m, int r, double flops, Ours ours, Theirs theirs, std::function<void()> prepare = nullptr)
  {
    std::vector<Timed> list;

    for (auto &i : isas) {
      const DenseTable<T> *k = &Table(i.k, T{});

      if (i.ok)
        list.push_back({[=] {
                          if (prepare) prepare();
                          ours(*k);
                        },
                        0,
                        0,
                        {}});
    }
    if (have)
      list.push_back({[=] {
                        if (prepare) prepare();
                        theirs();
                      },
                      0,
                      0,
                      {}});
    if (prepare) list.push_back({prepare, 0, 0, {}});
    Time(list);
    printf("%s %-10s %5d %5d", type, kernel, m, r);
    for (auto &t : list)
      if (!prepare || &t != &list.back()) printf(" %9.1f", 1e-9 * flops * flop / (t.best - (prepare ? list.back().best : 0)));
    /* How many times faster the last of ours is: the median of the rounds, which means more than the quotient of the best runs where the machine is busy */
    if (have) {
      const size_t        theirs = list.size() - (prepare ? 2 : 1);
      std::vector<double> q;

      for (int i = 0; i < rounds; i++) {
        const double p = prepare ? list.back().best : 0;

        q.push_back((list[theirs].all[i] - p) / (list[theirs - 1].all[i] - p));
      }
      std::sort(q.begin(), q.end());
      printf(" %9.2f", q[rounds / 2]);
    }
    printf("\n");
    fflush(stdout);
  }

  void run(const std::string &kernel)
  {
    const int        shapes[][2] = {{9, 16}, {15, 64}, {15, 96}, {31, 128}, {31, 192}, {63, 256}, {63, 384}, {127, 512}, {255, 1024}, {511, 1024}};
    const int        max         = 1600;
    std::vector<T>   A((size_t)max * max), B((size_t)max * max), C((size_t)max * max), W((1 << 20) + (size_t)1024 * 1024);
    std::vector<int> I(max);
    T               *a = A.data(), *b = B.data(), *c = C.data(), *w = W.data(), one = this->one, minus = this->minus;
    int             *ipiv = I.data();

    for (size_t i = 0; i < A.size(); i++) Fill(&a[i], (int)(i % 1000003));
    for (size_t i = 0; i < B.size(); i++) Fill(&b[i], (int)(i % 1000003) + 5);
    auto fill = [&](int m, int f, bool definite) {
      for (int j = 0; j < m; j++) {
        for (int i = 0; i < f; i++) Fill(&a[i + (size_t)j * f], i + j * 31);
        a[j + (size_t)j * f] = Number(T{}, definite ? 4. * m + 4 : 3);
      }
    };
    if (kernel == "peak")
      line(
        "tile", 24, 256, 2. * 24 * 8 * 256, [=](auto &k) { k.gemm(DENSE_ALL, 24, 8, 256, DENSE_N, a, 24, DENSE_T, b, 8, c, 24, w); }, [=] { gemm("N", "T", 24, 8, 256, minus, a, 24, b, 8, one, c, 24); });
    if (kernel == "gemm") {
      for (int n : {16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024})
        line(
          "gemm", n, n, 2. * n * n * n, [=](auto &k) { k.gemm(DENSE_ALL, n, n, n, DENSE_N, a, n, DENSE_N, b, n, c, n, w); }, [=] { gemm("N", "N", n, n, n, minus, a, n, b, n, one, c, n); });
    }
    for (auto &s : shapes) {
      const int m = s[0], r = s[1], f = m + r;

      if (kernel == "update")
        line(
          "update", m, r, 2. * m * r * r, [=](auto &k) { k.gemm(DENSE_ALL, r, r, m, DENSE_N, a, f, DENSE_N, b, m, c, r, w); }, [=] { gemm("N", "N", r, r, m, minus, a, f, b, m, one, c, r); });
      /* Columns in strips of 64, as one does with a BLAS that has no such product */
      if (kernel == "updatelow")
        line(
          "updatelow", m, r, 1. * m * r * (r + 1), [=](auto &k) { k.gemm(DENSE_LOWER, r, r, m, DENSE_N, a, f, DENSE_C, a, f, c, r, w); },
          [=] {
            for (int j = 0; j < r; j += 64) gemm("N", "C", r - j, r - j < 64 ? r - j : 64, m, minus, a + j, f, a + j, f, one, c + j + (size_t)j * r, r);
          });
      if (kernel == "cholesky") {
        fill(m, f, true);
        line(
          "cholesky", m, r, 1. / 3 * m * m * m + 1. * r * m * m, [=](auto &k) { k.cholesky(m, f, c, f, w); },
          [=] {
            potrf(m, c, f);
            trsm("R", "L", "C", "N", r, m, one, c, f, c + m, f);
          },
          [=] { memcpy(c, a, sizeof(T) * f * m); });
      }
      if (kernel == "lu") {
        fill(m, f, false);
        line(
          "lu", m, r, 2. / 3 * m * m * m + 1. * r * m * m, [=](auto &k) { k.lu(m, f, c, f, ipiv, 0.1, 0, 0, w); },
          [=] {
            getrf(m, m, c, f, ipiv);
            trsm("R", "U", "N", "N", r, m, one, c, f, c + m, f);
          },
          [=] { memcpy(c, a, sizeof(T) * f * m); });
      }
      if (r == 96 || r == 192 || r == 384) continue;
      if (kernel == "square") {
        fill(m, m, false);
        line(
          "lusquare", m, 0, 2. / 3 * m * m * m, [=](auto &k) { k.lu(m, m, c, m, ipiv, 0.1, 0, 0, w); }, [=] { getrf(m, m, c, m, ipiv); }, [=] { memcpy(c, a, sizeof(T) * m * m); });
        fill(m, m, true);
        line(
          "cholsquare", m, 0, 1. / 3 * m * m * m, [=](auto &k) { k.cholesky(m, m, c, m, w); }, [=] { potrf(m, c, m); }, [=] { memcpy(c, a, sizeof(T) * m * m); });
      }
      if (kernel == "trsm" || kernel == "trsv") {
        fill(m, f, true);
        for (int n : kernel == "trsm" ? std::vector<int>{r} : std::vector<int>{1, 4, 16}) {
          for (int q = 0; q < (kernel == "trsm" ? 1 : 2); q++)
            line(
              q ? "trsm^H" : "trsm", m, n, 1. * m * m * n, [=](auto &k) { k.trsm(false, q ? DENSE_C : DENSE_N, false, m, n, a, f, c, m, w); }, [=] { trsm("L", "L", q ? "C" : "N", "N", m, n, one, a, f, c, m); },
              [=] { memcpy(c, b, sizeof(T) * m * n); });
        }
      }
      /* Products with the rows of a front below the separator, in a solve with n right-hand sides */
      if (kernel == "gemv") {
        for (int n : {1, 4, 16}) {
          line(
            "Y x", m, n, 2. * m * r * n, [=](auto &k) { k.gemm(DENSE_ALL, r, n, m, DENSE_N, a, f, DENSE_N, b, m, c, r, w); }, [=] { gemm("N", "N", r, n, m, minus, a, f, b, m, one, c, r); });
          line(
            "Y^H x", m, n, 2. * m * r * n, [=](auto &k) { k.gemm(DENSE_ALL, m, n, r, DENSE_C, a, f, DENSE_N, b, r, c, m, w); }, [=] { gemm("C", "N", m, n, r, minus, a, f, b, r, one, c, m); });
        }
      }
    }
  }
};

int main(int argc, char **argv)
{
  std::string              types;
  std::vector<std::string> kernels;

  for (int i = 1; i < argc; i++) {
    if (strlen(argv[i]) == 1)
      types += argv[i];
    else
      kernels.push_back(argv[i]);
  }
  if (types.empty()) types = "d";
  if (kernels.empty()) kernels = {"peak", "gemm", "update", "updatelow", "cholesky", "lu", "square", "trsm", "trsv", "gemv"};
  isas.push_back({&DenseKernels_portable, true});
#if defined(PETLAP_HAVE_X86)
  isas.push_back({&DenseKernels_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")});
  isas.push_back({&DenseKernels_avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")});
#endif
  if (getenv("DENSE_ROUNDS")) rounds = atoi(getenv("DENSE_ROUNDS"));
  if (getenv("DENSE_ISA"))
    for (auto &i : isas) i.ok = i.ok && !strcmp(i.k->isa, getenv("DENSE_ISA"));
  printf("T %-10s %5s %5s", "kernel", "m", "r|n");
  for (auto &i : isas)
    if (i.ok) printf(" %9s", i.k->isa);
  if (have) printf(" %9s %9s", "BLAS", "times");
  printf("\n");
  for (auto &k : kernels)
    for (char t : types) {
      if (t == 's') Bench<float>{"s", 1, 1, -1}.run(k);
      if (t == 'd') Bench<double>{"d", 1, 1, -1}.run(k);
      if (t == 'c') Bench<C>{"c", 4, {1, 0}, {-1, 0}}.run(k);
      if (t == 'z') Bench<Z>{"z", 4, {1, 0}, {-1, 0}}.run(k);
    }
  return 0;
}
