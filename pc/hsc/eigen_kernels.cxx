/*
  Loops of the eigensolver, for the instruction set that this file is compiled for; PETLAP_ISA names it.

  The linker merges inline functions and templates of the same name, whatever instructions they were compiled to. So nothing here comes from a
  header of the C++ library, and everything but the table at the end is local to the file.
*/
#include "pc/hsc/eigen_kernels.h"

namespace petlap {
namespace hsc {
namespace {

/* Four or eight numbers, which may stand anywhere */
template <typename Real, int WIDTH>
struct Wide;
#define WIDE(Real, W)                                                                                   \
  template <>                                                                                           \
  struct Wide<Real, W> {                                                                                \
    typedef Real type __attribute__((vector_size(W * sizeof(Real)), aligned(sizeof(Real)), may_alias)); \
  }
WIDE(float, 4);
WIDE(float, 8);
WIDE(double, 4);
WIDE(double, 8);
#undef WIDE
typedef Wide<double, PANEL>::type Four;

/* The width and not the type is the parameter, as the alignment of a type is lost on the way through a template's parameter */
template <int WIDTH, typename Real>
static inline typename Wide<Real, WIDTH>::type &At(Real *p, size_t i)
{
  return *(typename Wide<Real, WIDTH>::type *)(p + i * WIDTH);
}
template <int WIDTH, typename Real>
static inline const typename Wide<Real, WIDTH>::type &At(const Real *p, size_t i)
{
  return *(const typename Wide<Real, WIDTH>::type *)(p + i * WIDTH);
}

template <int NB>
static void GramPanels(int first, int last, const double *a, const double *const b[], double *g, int ldg)
{
  Four sum[PANEL][NB] = {};

  for (int r = first; r < last; r++) {
    Four x[NB];

    for (int j = 0; j < NB; j++) x[j] = At<PANEL>(b[j], r);
    for (int i = 0; i < PANEL; i++) {
      const double t = a[(size_t)r * PANEL + i];

      for (int j = 0; j < NB; j++) sum[i][j] += t * x[j];
    }
  }
  for (int i = 0; i < PANEL; i++) {
    for (int j = 0; j < NB; j++) At<PANEL>(g + (size_t)i * ldg, j) += sum[i][j];
  }
}

static void Gram(int first, int last, int na, const double *const a[], int nb, const double *const b[], double g[])
{
  for (int i = 0; i < na; i++) {
    double *row = g + (size_t)i * PANEL * PANEL * nb;
    int     j   = 0;

    for (; j + 1 < nb; j += 2) GramPanels<2>(first, last, a[i], b + j, row + j * PANEL, PANEL * nb);
    if (j < nb) GramPanels<1>(first, last, a[i], b + j, row + j * PANEL, PANEL * nb);
  }
}

template <int NO>
static void CombinePanels(int first, int last, int nin, const double *const in[], const double *c, int ldc, double *const out[])
{
  for (int r = first; r < last; r += 4) {
    Four sum[4][NO] = {};

    for (int p = 0; p < nin; p++) {
      const double *x = in[p] + (size_t)r * PANEL;

      for (int i = 0; i < PANEL; i++) {
        const double *row = c + (size_t)(p * PANEL + i) * ldc;
        Four          y[NO];

        for (int j = 0; j < NO; j++) y[j] = At<PANEL>(row, j);
        for (int q = 0; q < 4; q++) {
          for (int j = 0; j < NO; j++) sum[q][j] += x[q * PANEL + i] * y[j];
        }
      }
    }
    for (int q = 0; q < 4; q++) {
      for (int j = 0; j < NO; j++) At<PANEL>(out[j], r - first + q) = sum[q][j];
    }
  }
}

static void Combine(int first, int last, int nin, const double *const in[], int nout, const double c[], double *const out[])
{
  int j = 0;

  for (; j + 1 < nout; j += 2) CombinePanels<2>(first, last, nin, in, c + j * PANEL, nout * PANEL, out + j);
  if (j < nout) CombinePanels<1>(first, last, nin, in, c + j * PANEL, nout * PANEL, out + j);
}

template <int NP>
static void MultiplyPanels(PetscInt first, PetscInt last, const PetscInt ia[], const PetscInt ja[], const PetscReal a[], const double *const x[], double *const y[])
{
  for (PetscInt i = first; i < last; i++) {
    Four sum[NP] = {};

    for (PetscInt k = ia[i]; k < ia[i + 1]; k++) {
      for (int p = 0; p < NP; p++) sum[p] += (double)a[k] * At<PANEL>(x[p], ja[k]);
    }
    for (int p = 0; p < NP; p++) At<PANEL>(y[p], i) = sum[p];
  }
}

static void Multiply(PetscInt first, PetscInt last, const PetscInt ia[], const PetscInt ja[], const PetscReal a[], int np, const double *const x[], double *const y[])
{
  int p = 0;

  for (; p + 1 < np; p += 2) MultiplyPanels<2>(first, last, ia, ja, a, x + p, y + p);
  if (p < np) MultiplyPanels<1>(first, last, ia, ja, a, x + p, y + p);
}

/* The numbers are read in double precision whatever the weights are: eigenvalues are far below the weights, of which a float leaves seven digits */
template <typename Real>
static void Product(int nruns, const int runs[], int first, const int place[], const int col[], const Real w[], const Real inv[], const double x[], double y[])
{
  for (int r = 0, i = first; r < nruns; r++) {
    for (const int end = i + runs[2 * r]; i < end; i++) {
      const int    p   = place ? place[i] : i;
      const double d   = inv[i] > 0 ? 1.0 / inv[i] : 0.0;
      Four         sum = d * At<PANEL>(x, p);

      for (int k = 0; k < runs[2 * r + 1]; k++) sum -= (double)*w++ * At<PANEL>(x, *col++);
      At<PANEL>(y, p) = inv[i] > 0 ? sum : Four{};
    }
  }
}

template <typename Real, int WIDTH>
struct Loops {
  typedef typename Wide<Real, WIDTH>::type Vector;

  static void Down(int nruns, const int runs[], const int col[], const Real w[], const Real inv[], const Real rf[], Real rc[])
  {
    for (int r = 0, f = 0; r < nruns; r++) {
      for (const int end = f + runs[2 * r]; f < end; f++) {
        const Vector t = At<WIDTH>(rf, f) * inv[f];

        for (int k = 0; k < runs[2 * r + 1]; k++) At<WIDTH>(rc, *col++) += *w++ * t;
      }
    }
  }

  static void Up(int nruns, const int runs[], const int col[], const Real w[], const Real inv[], const Real rf[], const Real x[], Real xf[])
  {
    for (int r = 0, f = 0; r < nruns; r++) {
      for (const int end = f + runs[2 * r]; f < end; f++) {
        Vector sum = rf ? At<WIDTH>(rf, f) : Vector{};

        for (int k = 0; k < runs[2 * r + 1]; k++) sum += *w++ * At<WIDTH>(x, *col++);
        At<WIDTH>(xf, f) = sum * inv[f];
      }
    }
  }

  static void Smooth(int nruns, const int runs[], int first, const int place[], const int col[], const Real w[], const Real inv[], const Real r[], Real x[])
  {
    for (int run = 0, i = first; run < nruns; run++) {
      for (const int end = i + runs[2 * run]; i < end; i++) {
        const int p   = place ? place[i] : i;
        Vector    sum = At<WIDTH>(r, p);

        for (int k = 0; k < runs[2 * run + 1]; k++) sum += *w++ * At<WIDTH>(x, *col++);
        At<WIDTH>(x, p) = sum * inv[i];
      }
    }
  }

  static void Enter(int n, const int place[], const double *const panel[], const double scale[], Real r[])
  {
    for (int v = 0; v < n; v++) {
      Real *to = r + (size_t)(place ? place[v] : v) * WIDTH;

      for (int p = 0; p < WIDTH / PANEL; p++) {
        for (int i = 0; i < PANEL; i++) to[p * PANEL + i] = (Real)(panel[p][(size_t)v * PANEL + i] * scale[p * PANEL + i]);
      }
    }
  }

  static void Leave(int n, const int place[], const Real x[], const double scale[], double *const panel[])
  {
    for (int v = 0; v < n; v++) {
      const Real *from = x + (size_t)(place ? place[v] : v) * WIDTH;

      for (int p = 0; p < WIDTH / PANEL; p++) {
        for (int i = 0; i < PANEL; i++) panel[p][(size_t)v * PANEL + i] = (double)from[p * PANEL + i] * scale[p * PANEL + i];
      }
    }
  }
};

} // namespace

#define KERNELS_NAME2(isa) EigenKernels_##isa
#define KERNELS_NAME(isa)  KERNELS_NAME2(isa)
#define LEVEL(Real, WIDTH)                                                                                                             \
  {                                                                                                                                    \
    Loops<Real, WIDTH>::Down, Loops<Real, WIDTH>::Up, Loops<Real, WIDTH>::Smooth, Loops<Real, WIDTH>::Enter, Loops<Real, WIDTH>::Leave \
  }

extern const EigenKernels KERNELS_NAME(PETLAP_ISA);
const EigenKernels        KERNELS_NAME(PETLAP_ISA) = {Gram, Combine, Multiply, Product<float>, Product<double>, {LEVEL(float, PANEL), LEVEL(float, 2 * PANEL)}, {LEVEL(double, PANEL), LEVEL(double, 2 * PANEL)}};

} // namespace hsc
} // namespace petlap
