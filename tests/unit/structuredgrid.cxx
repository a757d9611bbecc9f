static const char help[] = "Structured grids of matrices: stencils of all kinds against a plain measurement, misfits, error texts, and real systems.\n\
Argument: the folder of the systems.\n";

#include "mat/grid/structuredgrid.h"
#include "petlap.h"
#include <petscdm.h>
#include <petscdmda.h>
#include <algorithm>
#include <vector>

/* What a test matrix is made of */
struct Stencil {
  PetscInt dim, size[3], dof, width;
  bool     star, periodic[3];
  bool     dirichlet; /* rows of the boundary points are rows of the identity */
  PetscInt drop;      /* percentage of couplings that are left out at random */
};

static unsigned long long seed = 1;
static PetscInt           Random(PetscInt n)
{
  seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
  return (PetscInt)((seed >> 33) % (unsigned long long)n);
}

typedef std::vector<std::vector<PetscInt>> Rows;

static PetscErrorCode RowsToMat(const Rows &rows, PetscInt ncolumns, PetscInt bs, Mat *A)
{
  const PetscInt        n = (PetscInt)rows.size();
  std::vector<PetscInt> nnz(n);

  PetscFunctionBeginUser;
  for (PetscInt i = 0; i < n; i++) nnz[i] = (PetscInt)rows[i].size();
  PetscCall(MatCreate(PETSC_COMM_SELF, A));
  PetscCall(MatSetSizes(*A, n, ncolumns, n, ncolumns));
  PetscCall(MatSetType(*A, MATSEQAIJ));
  if (bs > 1) PetscCall(MatSetBlockSize(*A, bs));
  PetscCall(MatSeqAIJSetPreallocation(*A, 0, nnz.data()));
  for (PetscInt i = 0; i < n; i++) {
    std::vector<PetscScalar> v(rows[i].size(), 1.0);

    PetscCall(MatSetValues(*A, 1, &i, nnz[i], rows[i].data(), v.data(), INSERT_VALUES));
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

static Rows StencilRows(const Stencil &s)
{
  const PetscInt *size = s.size, npoints = size[0] * size[1] * size[2];
  Rows            rows(npoints * s.dof);

  for (PetscInt p = 0; p < npoints; p++) {
    const PetscInt at[3] = {p % size[0], p / size[0] % size[1], p / size[0] / size[1]};
    PetscInt       d[3], reach[3];
    bool           boundary = false;

    for (int a = 0; a < 3; a++) {
      reach[a] = a < s.dim ? s.width : 0;
      if (a < s.dim && (at[a] == 0 || at[a] == size[a] - 1)) boundary = true;
    }
    for (d[2] = -reach[2]; d[2] <= reach[2]; d[2]++) {
      for (d[1] = -reach[1]; d[1] <= reach[1]; d[1]++) {
        for (d[0] = -reach[0]; d[0] <= reach[0]; d[0]++) {
          const int moved = (d[0] != 0) + (d[1] != 0) + (d[2] != 0);
          PetscInt  to[3];
          bool      inside = true;

          if ((s.star && moved > 1) || (moved && ((s.dirichlet && boundary) || Random(100) < s.drop))) continue;
          for (int a = 0; a < 3; a++) {
            to[a] = at[a] + d[a];
            if (s.periodic[a]) to[a] = (to[a] + size[a]) % size[a];
            if (to[a] < 0 || to[a] >= size[a]) inside = false;
          }
          if (!inside) continue;
          for (PetscInt u = 0; u < s.dof; u++) {
            for (PetscInt v = 0; v < s.dof; v++) {
              if (!s.dirichlet || !boundary || u == v) rows[p * s.dof + u].push_back((to[0] + size[0] * (to[1] + size[1] * to[2])) * s.dof + v);
            }
          }
        }
      }
    }
  }
  for (auto &row : rows) {
    std::sort(row.begin(), row.end());
    row.erase(std::unique(row.begin(), row.end()), row.end());
  }
  return rows;
}

/* The measures by looking at every entry alone; false if one is further than limit apart */
static bool Measure(const Rows &rows, const PetscInt size[3], PetscInt dof, const bool periodic[3], PetscInt limit, StructuredGrid *grid)
{
  grid->width = 1;
  grid->star  = PETSC_TRUE;
  for (int a = 0; a < 3; a++) grid->periodic[a] = PETSC_FALSE;
  for (size_t i = 0; i < rows.size(); i++) {
    for (PetscInt j : rows[i]) {
      PetscInt p = (PetscInt)i / dof, q = j / dof, moved = 0;

      for (int a = 0; a < 3; a++) {
        PetscInt d = PetscAbsInt(p % size[a] - q % size[a]);

        if (periodic[a] && size[a] - d < d) {
          d                 = size[a] - d;
          grid->periodic[a] = PETSC_TRUE;
        }
        if (d) moved++;
        grid->width = PetscMax(grid->width, d);
        p /= size[a];
        q /= size[a];
      }
      if (moved > 1) grid->star = PETSC_FALSE;
    }
  }
  return grid->width <= limit;
}

/* Keeps the text of the error in its context instead of printing it */
static PetscErrorCode KeepError(MPI_Comm, int, const char *, const char *, PetscErrorCode n, PetscErrorType type, const char *text, void *context)
{
  if (type == PETSC_ERROR_INITIAL) (void)PetscStrncpy((char *)context, text, 2048);
  return n;
}

static const StructuredGridHints none = {0, {1, 1, 1}, 0, 0, 0, {PETSC_FALSE, PETSC_FALSE, PETSC_FALSE}, STRUCTURED_GRID_PLAIN, "-grid", "-dof", "-periodic", PETSC_FALSE};

/* Text is empty if there was no error */
static PetscErrorCode Determine(Mat A, DM dm, const StructuredGridHints *hints, StructuredGrid *grid, char text[2048])
{
  PetscErrorCode ierr;

  PetscFunctionBeginUser;
  text[0] = 0;
  PetscCall(PetscPushErrorHandler(KeepError, text));
  ierr = StructuredGridDetermine(A, dm, hints, grid);
  PetscCall(PetscPopErrorHandler());
  PetscCheck(!ierr == !text[0], PETSC_COMM_SELF, PETSC_ERR_PLIB, "The error code is %d, the text '%s'", (int)ierr, text);
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode CheckSame(const char *how, const Stencil &s, const StructuredGrid *expected, const StructuredGrid *grid, const char *text)
{
  PetscBool same = (PetscBool)(!text[0] && grid->dim == s.dim && grid->dof == s.dof && grid->width == expected->width && grid->star == expected->star);

  PetscFunctionBeginUser;
  for (int a = 0; a < 3; a++) {
    if (grid->size[a] != s.size[a] || grid->periodic[a] != expected->periodic[a]) same = PETSC_FALSE;
  }
  if (!same) {
    if (!text[0]) PetscCall(StructuredGridView(grid, PETSC_VIEWER_STDERR_SELF));
    SETERRQ(PETSC_COMM_SELF, PETSC_ERR_PLIB, "By %s: %dD %d x %d x %d, dof %d, width %d, star %d, periodic %d%d%d, dirichlet %d, drop %d; expected width %d star %d periodic %d%d%d: %s", how, (int)s.dim, (int)s.size[0], (int)s.size[1], (int)s.size[2],
            (int)s.dof, (int)s.width, s.star, s.periodic[0], s.periodic[1], s.periodic[2], s.dirichlet, (int)s.drop, (int)expected->width, expected->star, expected->periodic[0], expected->periodic[1], expected->periodic[2], text);
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

static StructuredGridHints HintsOf(const Stencil &s)
{
  StructuredGridHints hints = none;

  hints.dim       = s.dim;
  hints.dof       = s.dof;
  hints.nperiodic = s.periodic[0] || s.periodic[1] || s.periodic[2] ? s.dim : 0;
  for (int a = 0; a < 3; a++) {
    hints.size[a]     = s.size[a];
    hints.periodic[a] = s.periodic[a] ? PETSC_TRUE : PETSC_FALSE;
  }
  return hints;
}

static PetscErrorCode CreateDMDA(const Stencil &s, DM *da)
{
  DMBoundaryType boundary[3];

  PetscFunctionBeginUser;
  for (int a = 0; a < 3; a++) boundary[a] = s.periodic[a] ? DM_BOUNDARY_PERIODIC : Random(2) ? DM_BOUNDARY_GHOSTED : DM_BOUNDARY_NONE;
  PetscCall(DMDACreate(PETSC_COMM_SELF, da));
  PetscCall(DMSetDimension(*da, s.dim));
  PetscCall(DMDASetSizes(*da, s.size[0], s.size[1], s.size[2]));
  PetscCall(DMDASetBoundaryType(*da, boundary[0], boundary[1], boundary[2]));
  PetscCall(DMDASetDof(*da, s.dof));
  PetscCall(DMDASetStencilType(*da, s.star ? DMDA_STENCIL_STAR : DMDA_STENCIL_BOX));
  PetscCall(DMDASetStencilWidth(*da, s.width));
  PetscCall(DMSetUp(*da));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* One stencil by options, by DMDA, and by sparsity where the pattern has all there is to see */
static PetscErrorCode CheckStencil(const Stencil &s, bool bydmda, bool bysparsity)
{
  const Rows          rows  = StencilRows(s);
  StructuredGridHints hints = HintsOf(s);
  StructuredGrid      expected, grid;
  char                text[2048];
  Mat                 A;

  PetscFunctionBeginUser;
  PetscCheck(Measure(rows, s.size, s.dof, s.periodic, s.width, &expected), PETSC_COMM_SELF, PETSC_ERR_PLIB, "The stencil is wider than it should be");
  PetscCall(RowsToMat(rows, (PetscInt)rows.size(), s.dof, &A));
  PetscCall(Determine(A, nullptr, &hints, &grid, text));
  PetscCall(CheckSame("options", s, &expected, &grid, text));
  if (bydmda) {
    DM da;

    PetscCall(CreateDMDA(s, &da));
    PetscCall(Determine(A, da, &none, &grid, text));
    PetscCall(CheckSame("DMDA", s, &expected, &grid, text));
    PetscCall(DMDestroy(&da));
  }
  if (bysparsity) {
    PetscCall(Determine(A, nullptr, &none, &grid, text));
    PetscCall(CheckSame("sparsity", s, &expected, &grid, text));
    if (s.dof > 1 && s.dim > 1) {
      /* The number of unknowns must be found without a block size as well */
      Mat B;

      PetscCall(RowsToMat(rows, (PetscInt)rows.size(), 1, &B));
      PetscCall(Determine(B, nullptr, &none, &grid, text));
      PetscCall(CheckSame("sparsity without block size", s, &expected, &grid, text));
      PetscCall(MatDestroy(&B));
    }
  }
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode TestStencils(void)
{
  const PetscInt sizes[][4] = {{1, 1, 1, 1},   {1, 2, 1, 1},    {1, 3, 1, 1},    {1, 57, 1, 1},  {1, 200, 1, 1}, {2, 1, 9, 1}, {2, 9, 1, 1}, {2, 2, 2, 1}, {2, 3, 3, 1},   {2, 2, 17, 1}, {2, 17, 2, 1}, {2, 8, 8, 1},
                               {2, 11, 16, 1}, {2, 37, 200, 1}, {2, 123, 87, 1}, {2, 300, 9, 1}, {3, 2, 2, 2},   {3, 3, 3, 3}, {3, 1, 4, 5}, {3, 8, 8, 8}, {3, 9, 16, 11}, {3, 40, 9, 8}, {3, 8, 9, 21}};
  PetscInt       count      = 0;

  PetscFunctionBeginUser;
  for (const PetscInt *size : sizes) {
    for (PetscInt width = 1; width <= 3; width++) {
      for (PetscInt dof = 1; dof <= 3; dof++) {
        for (int kind = 0; kind < 4; kind++) {
          for (PetscInt wrap = 0; wrap < 1 << size[0]; wrap++) {
            Stencil s     = {size[0], {size[1], size[2], size[3]}, dof, width, kind % 2 == 1, {(wrap & 1) != 0, (wrap & 2) != 0, (wrap & 4) != 0}, kind / 2 == 1, 0};
            bool    large = true, dmda = true;
            /* Large ones of all kinds would take long and show nothing new */
            PetscInt entries = size[1] * size[2] * size[3] * dof * dof;

            for (PetscInt a = 0; a < s.dim; a++) {
              if (s.size[a] < (wrap ? 2 * width + 2 : 8)) large = false;
              if (s.size[a] < width) dmda = false;
              if (s.periodic[a] && s.size[a] < width) s.periodic[a] = false;
            }
            for (PetscInt a = 0; a < s.dim; a++) entries *= s.star ? 2 : 2 * width + 1;
            if (s.dim == 1) large = s.size[0] >= 57;
            if (entries > 70000 || (entries > 8000 && wrap % 3)) continue;
            PetscCall(CheckStencil(s, dmda, large));
            count++;
            if (Random(3)) continue;
            s.drop = 20;
            PetscCall(CheckStencil(s, dmda, large && size[1] * size[2] * size[3] >= 1000));
            count++;
          }
        }
      }
    }
  }
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%d stencils measured\n", (int)count));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The rows of a matrix in boxes: the permutation to natural order, and the grid measured in that order */
static PetscErrorCode CheckPermuted(Mat A, const Rows &rows, const StructuredGridHints *given)
{
  StructuredGridHints   hints = *given;
  StructuredGrid        grid, expected;
  Rows                  natural(rows.size());
  std::vector<PetscInt> number(rows.size(), -1);
  char                  text[2048];
  bool                  periodic[3];
  IS                    is;
  const PetscInt       *row;

  PetscFunctionBeginUser;
  hints.permuted = PETSC_TRUE;
  PetscCall(Determine(A, nullptr, &hints, &grid, text));
  PetscCheck(!text[0], PETSC_COMM_SELF, PETSC_ERR_PLIB, "Rows in boxes: '%s'", text);
  PetscCall(StructuredGridGetPermutation(A, nullptr, &hints, &is));
  PetscCheck(!is == !grid.permuted, PETSC_COMM_SELF, PETSC_ERR_PLIB, "There is a permutation where the grid has none, or the other way round");
  for (size_t k = 0; k < rows.size(); k++) number[k] = (PetscInt)k;
  if (is) {
    PetscCall(ISGetIndices(is, &row));
    std::fill(number.begin(), number.end(), -1);
    for (size_t k = 0; k < rows.size(); k++) number[(size_t)row[k]] = (PetscInt)k;
    PetscCall(ISRestoreIndices(is, &row));
    PetscCall(ISDestroy(&is));
  }
  for (size_t i = 0; i < rows.size(); i++) {
    PetscCheck(number[i] >= 0, PETSC_COMM_SELF, PETSC_ERR_PLIB, "Row %d has no natural number", (int)i);
    for (PetscInt j : rows[i]) natural[(size_t)number[i]].push_back(number[(size_t)j]);
  }
  for (int a = 0; a < 3; a++) periodic[a] = grid.periodic[a];
  PetscCheck(Measure(natural, grid.size, grid.dof, periodic, 3, &expected), PETSC_COMM_SELF, PETSC_ERR_PLIB, "The rows do not fit the grid that was found");
  PetscCheck(grid.width == expected.width && grid.star == expected.star, PETSC_COMM_SELF, PETSC_ERR_PLIB, "The grid that was found is measured wrongly");
  PetscFunctionReturn((PetscErrorCode)0);
}

/* One entry too many, anywhere, must be found and named */
static PetscErrorCode TestMisfits(void)
{
  PetscInt count = 0;

  PetscFunctionBeginUser;
  while (count < 2000) {
    const PetscInt dim = 1 + Random(3), most = dim == 1 ? 100 : dim == 2 ? 20 : 9;
    Stencil        s = {dim, {1, 1, 1}, 1 + Random(3), 1 + Random(3), Random(2) == 1, {false, false, false}, Random(4) == 0, Random(3) ? 0 : 10};
    StructuredGrid expected, grid;
    PetscInt       row, column;
    char           text[2048], start[128];
    PetscBool      begins;
    Mat            A;

    for (PetscInt a = 0; a < dim; a++) s.size[a] = 1 + Random(most);
    for (PetscInt a = 0; a < dim; a++) s.periodic[a] = s.size[a] >= s.width && Random(3) == 0;
    Rows rows = StencilRows(s);
    row       = Random((PetscInt)rows.size());
    column    = Random((PetscInt)rows.size());
    if (std::find(rows[row].begin(), rows[row].end(), column) == rows[row].end()) rows[row].push_back(column);
    if (Measure(rows, s.size, s.dof, s.periodic, 3, &expected)) continue;
    StructuredGridHints hints = HintsOf(s);

    /* An entry around the end of an axis is a misfit only if the axis is said to be open */
    hints.nperiodic = s.dim;
    PetscCall(RowsToMat(rows, (PetscInt)rows.size(), s.dof, &A));
    PetscCall(Determine(A, nullptr, &hints, &grid, text));
    PetscCall(PetscSNPrintf(start, sizeof(start), "Row %" PetscInt_FMT " couples column %" PetscInt_FMT ":", row, column));
    PetscCall(PetscStrbeginswith(text, start, &begins));
    if (!begins) {
      /* A small grid can fit in boxes, with the stray entry and all */
      PetscCall(CheckPermuted(A, rows, &hints));
      begins = PETSC_TRUE;
    }
    PetscCheck(begins, PETSC_COMM_SELF, PETSC_ERR_PLIB, "Expected '%s', but there was '%s'", start, text);
    PetscCall(MatDestroy(&A));
    count++;
  }
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%d misfits named\n", (int)count));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Small grids of all kinds fit some grid, if not the one that they were made on */
static PetscErrorCode TestSmall(void)
{
  PetscInt count = 0;

  PetscFunctionBeginUser;
  while (count < 3000) {
    const PetscInt dim = 1 + Random(3);
    Stencil        s   = {dim, {1, 1, 1}, 1 + Random(3), 1 + Random(2), Random(2) == 1, {false, false, false}, Random(5) == 0, Random(4) ? 0 : 30};
    Mat            A;

    for (PetscInt a = 0; a < dim; a++) s.size[a] = 1 + Random(5);
    for (PetscInt a = 0; a < dim; a++) s.periodic[a] = s.size[a] >= s.width && Random(2) == 0;
    const Rows rows = StencilRows(s);

    PetscCall(RowsToMat(rows, (PetscInt)rows.size(), Random(2) ? s.dof : 1, &A));
    PetscCall(CheckPermuted(A, rows, &none));
    PetscCall(MatDestroy(&A));
    count++;
  }
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%d small grids fit\n", (int)count));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The rows of a grid in boxes, as a DMDA numbers them */
static Rows BoxRows(const Stencil &s, const std::vector<PetscInt> &x, const std::vector<PetscInt> &y, const std::vector<PetscInt> &z = {1})
{
  const Rows            natural = StencilRows(s);
  std::vector<PetscInt> number(natural.size());
  Rows                  rows(natural.size());
  PetscInt              row = 0, lo[3] = {0, 0, 0};

  for (const PetscInt wz : z) {
    lo[1] = 0;
    for (const PetscInt wy : y) {
      lo[0] = 0;
      for (const PetscInt wx : x) {
        for (PetscInt k = lo[2]; k < lo[2] + wz; k++) {
          for (PetscInt j = lo[1]; j < lo[1] + wy; j++) {
            for (PetscInt i = lo[0] * s.dof; i < (lo[0] + wx) * s.dof; i++) number[(size_t)(i + s.dof * s.size[0] * (j + s.size[1] * k))] = row++;
          }
        }
        lo[0] += wx;
      }
      lo[1] += wy;
    }
    lo[2] += wz;
  }
  for (size_t i = 0; i < natural.size(); i++) {
    for (const PetscInt j : natural[i]) rows[(size_t)number[i]].push_back(number[(size_t)j]);
    std::sort(rows[(size_t)number[i]].begin(), rows[(size_t)number[i]].end());
  }
  return rows;
}

/* Rows in boxes of all sizes, with and without the sizes of the grid: where the boxes are larger than the stencil, the grid must be found */
static PetscErrorCode TestBoxes(void)
{
  PetscInt count = 0;

  PetscFunctionBeginUser;
  while (count < 300) {
    const PetscInt        dim = 2 + Random(2);
    Stencil               s   = {dim, {1, 1, 1}, 1 + Random(3), 1, Random(2) == 1, {false, false, false}, false, 0};
    std::vector<PetscInt> width[3];
    PetscInt              ncut  = 0;
    StructuredGridHints   hints = none;
    StructuredGrid        grid, expected;
    char                  text[2048];
    Mat                   A;

    for (PetscInt a = 0; a < 3; a++) {
      const PetscInt nbox = a < dim ? 1 + Random(3) : 1;

      for (PetscInt k = 0; k < nbox; k++) width[a].push_back(a < dim ? 3 + Random(dim == 2 ? 9 : 3) : 1);
      s.size[a] = 0;
      for (const PetscInt w : width[a]) s.size[a] += w;
      if (a < dim - 1 && nbox > 1) ncut++;
      /* Where a whole line is in a box, its end is coupled with the beginning of the next line if the stencil has corners */
      if (a < dim) s.periodic[a] = s.size[a] >= 8 && (s.star || nbox > 1) && Random(3) == 0;
    }
    if (!ncut) continue;
    const Rows rows = BoxRows(s, width[0], width[1], width[2]);

    PetscCheck(Measure(StencilRows(s), s.size, s.dof, s.periodic, 3, &expected), PETSC_COMM_SELF, PETSC_ERR_PLIB, "The stencil is wider than it should be");
    PetscCall(RowsToMat(rows, (PetscInt)rows.size(), Random(2) ? s.dof : 1, &A));
    if (Random(2)) {
      hints     = HintsOf(s);
      hints.dof = 0;
    }
    PetscCall(CheckPermuted(A, rows, &hints));
    hints.permuted = PETSC_TRUE;
    PetscCall(Determine(A, nullptr, &hints, &grid, text));
    /* Short axes may go with others, with several unknowns per point */
    if (s.size[0] > 6 && s.size[1] > 6 && (dim == 2 || s.size[2] > 6)) PetscCall(CheckSame("boxes", s, &expected, &grid, text));
    hints.permuted = PETSC_FALSE;
    PetscCall(Determine(A, nullptr, &hints, &grid, text));
    PetscCheck(text[0] || !grid.permuted, PETSC_COMM_SELF, PETSC_ERR_PLIB, "A permutation came unasked for");
    PetscCall(MatDestroy(&A));
    count++;
  }
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%d grids in boxes found\n", (int)count));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Show(const char *title, Mat A, DM dm, const StructuredGridHints *hints)
{
  StructuredGrid grid;
  char           text[2048];

  PetscFunctionBeginUser;
  PetscCall(Determine(A, dm, hints, &grid, text));
  PetscCall(PetscPrintf(PETSC_COMM_SELF, "%s\n  %s%s", title, text, text[0] ? "\n" : ""));
  if (!text[0]) PetscCall(StructuredGridView(&grid, PETSC_VIEWER_STDOUT_SELF));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode ShowRows(const char *title, const Rows &rows, PetscInt bs, const StructuredGridHints *hints)
{
  Mat A;

  PetscFunctionBeginUser;
  PetscCall(RowsToMat(rows, (PetscInt)rows.size(), bs, &A));
  PetscCall(Show(title, A, nullptr, hints));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode ShowStencil(const char *title, const Stencil &s, const StructuredGridHints *hints)
{
  PetscFunctionBeginUser;
  PetscCall(ShowRows(title, StencilRows(s), s.dof, hints));
  PetscFunctionReturn((PetscErrorCode)0);
}

static StructuredGridHints Hints(PetscInt dim, PetscInt nx, PetscInt ny, PetscInt nz, PetscInt dof)
{
  StructuredGridHints hints = none;

  hints.dim     = dim;
  hints.size[0] = nx;
  hints.size[1] = ny;
  hints.size[2] = nz;
  hints.dof     = dof;
  return hints;
}

static Rows MeshRows(PetscInt n, PetscInt degree)
{
  Rows rows(n);

  for (PetscInt i = 0; i < n; i++) {
    rows[i].push_back(i);
    for (PetscInt k = 0; k < degree; k++) {
      const PetscInt j = Random(n);

      rows[i].push_back(j);
      rows[j].push_back(i);
    }
  }
  for (auto &row : rows) {
    std::sort(row.begin(), row.end());
    row.erase(std::unique(row.begin(), row.end()), row.end());
  }
  return rows;
}

static PetscErrorCode TestTexts(void)
{
  const Stencil       five = {2, {37, 200, 1}, 1, 1, true, {false, false, false}, false, 0}, wide = {2, {30, 20, 1}, 1, 4, true, {false, false, false}, false, 0};
  const Stencil       ring = {2, {30, 20, 1}, 1, 1, true, {false, true, false}, false, 0}, two = {2, {30, 20, 1}, 2, 1, false, {false, false, false}, false, 0};
  const Stencil       narrow = {2, {2, 50, 1}, 1, 1, true, {false, false, false}, false, 0}, second = {2, {30, 20, 1}, 1, 2, true, {false, false, false}, false, 0};
  StructuredGridHints hints;
  Rows                rows;
  Mat                 A;
  DM                  da;

  PetscFunctionBeginUser;
  PetscCall(ShowStencil("5-point", five, &none));
  hints = Hints(2, 200, 37, 1, 0);
  PetscCall(ShowStencil("sizes swapped", five, &hints));
  hints = Hints(2, 100, 74, 1, 0);
  PetscCall(ShowStencil("wrong sizes", five, &hints));
  hints = Hints(2, 37, 201, 1, 0);
  PetscCall(ShowStencil("more points than rows", five, &hints));
  hints = Hints(2, 37, 199, 1, 0);
  PetscCall(ShowStencil("product does not divide the rows", five, &hints));
  hints = Hints(2, 37, 0, 1, 0);
  PetscCall(ShowStencil("no points", five, &hints));
  hints = Hints(4, 1, 1, 1, 0);
  PetscCall(ShowStencil("four dimensions", five, &hints));
  hints = Hints(2, 2000000000, 2000000000, 1, 0);
  PetscCall(ShowStencil("overflow", five, &hints));
  hints = Hints(2, 37, 200, 1, 2);
  PetscCall(ShowStencil("too many unknowns per point", five, &hints));
  hints = Hints(2, 30, 20, 1, 1);
  PetscCall(ShowStencil("too few unknowns per point", two, &hints));
  hints = Hints(0, 1, 1, 1, 3);
  PetscCall(ShowStencil("unknowns per point that do not divide the rows", five, &hints));
  hints = Hints(0, 1, 1, 1, 2);
  PetscCall(ShowStencil("unknowns per point alone", two, &hints));
  hints = Hints(0, 1, 1, 1, 4);
  PetscCall(ShowStencil("pairs of points as one", two, &hints));

  hints = Hints(2, 30, 20, 1, 0);
  PetscCall(ShowStencil("width 4 on a given grid", wide, &hints));
  PetscCall(ShowStencil("width 4 by sparsity", wide, &none));
  hints.width = 1;
  PetscCall(ShowStencil("wider than said, given grid", second, &hints));
  hints.dim = 0;
  PetscCall(ShowStencil("wider than said, by sparsity", second, &hints));

  hints = Hints(2, 30, 20, 1, 0);
  PetscCall(ShowStencil("periodic, not said", ring, &hints));
  PetscCall(ShowStencil("periodic, by sparsity", ring, &none));
  hints.nperiodic   = 2;
  hints.periodic[0] = PETSC_TRUE;
  PetscCall(ShowStencil("periodic, wrong axis said", ring, &hints));
  hints.periodic[1] = PETSC_TRUE;
  PetscCall(ShowStencil("periodic, one axis more said", ring, &hints));
  hints.nperiodic = 3;
  PetscCall(ShowStencil("periodic, an axis too many", ring, &hints));
  hints             = none;
  hints.nperiodic   = 1;
  hints.periodic[0] = PETSC_TRUE;
  PetscCall(ShowStencil("periodic, wrong axis said, sizes by sparsity", ring, &hints));

  /* Around the end of y the stencil reaches further than inside */
  rows = StencilRows({2, {50, 50, 1}, 1, 1, true, {false, false, false}, false, 0});
  for (PetscInt i = 0; i < 50; i++) {
    for (const PetscInt far : {2400, 2450}) {
      rows[(size_t)i].push_back(i + far);
      rows[(size_t)(i + far)].push_back(i);
    }
  }
  PetscCall(ShowRows("diagonals at 1, 50, 2400 and 2450", rows, 1, &none));
  rows = StencilRows({2, {50, 50, 1}, 1, 1, true, {true, true, false}, false, 0});
  PetscCall(ShowRows("periodic in both directions", rows, 1, &none));
  hints           = none;
  hints.nperiodic = 2;
  PetscCall(ShowRows("periodic, both axes said to be open", rows, 1, &hints));
  PetscCall(ShowStencil("periodic, 4 points along x", {2, {4, 30, 1}, 2, 1, false, {true, false, false}, false, 0}, &none));
  PetscCall(ShowStencil("periodic in space", {3, {7, 8, 9}, 1, 1, false, {true, true, true}, false, 0}, &none));
  rows = Rows(16);
  for (auto &row : rows) {
    for (PetscInt j = 0; j < 16; j++) row.push_back(j);
  }
  PetscCall(ShowRows("full", rows, 1, &none));
  /* With a block size that is not the number of unknowns per point */
  PetscCall(ShowRows("block size 3 of a grid with one unknown", StencilRows({2, {30, 20, 1}, 1, 1, true, {false, false, false}, false, 0}), 3, &none));

  PetscCall(ShowStencil("two points along x", narrow, &none));
  rows = Rows(60);
  for (PetscInt i = 0; i < 60; i++) rows[i].push_back(i);
  PetscCall(ShowRows("diagonal", rows, 1, &none));
  PetscCall(ShowRows("no entries", Rows(60), 1, &none));
  hints = Hints(2, 6, 10, 1, 0);
  PetscCall(ShowRows("diagonal on a given grid", rows, 1, &hints));
  PetscCall(ShowRows("one row", Rows(1, std::vector<PetscInt>(1, 0)), 1, &none));
  PetscCall(ShowRows("mesh of 900 nodes", MeshRows(900, 3), 1, &none));
  PetscCall(ShowRows("mesh of 64 nodes", MeshRows(64, 2), 1, &none));
  PetscCall(ShowRows("mesh of 997 nodes", MeshRows(997, 3), 1, &none));
  hints = Hints(2, 30, 30, 1, 0);
  PetscCall(ShowRows("large mesh", MeshRows(110880, 3), 1, &none));
  rows = MeshRows(5040, 3);
  for (PetscInt j = 0; j < 5040; j++) rows[77].push_back(j);
  std::sort(rows[77].begin(), rows[77].end());
  rows[77].erase(std::unique(rows[77].begin(), rows[77].end()), rows[77].end());
  PetscCall(ShowRows("mesh with a full row", rows, 1, &none));
  PetscCall(ShowRows("mesh on a given grid", MeshRows(900, 3), 1, &hints));
  rows = StencilRows(five);
  rows[4321].push_back(123);
  PetscCall(ShowRows("one stray entry by sparsity", rows, 1, &none));
  hints = Hints(2, 37, 200, 1, 0);
  PetscCall(ShowRows("one stray entry on a given grid", rows, 1, &hints));

  /* The frame of an octahedral grid, whose points are coupled far and wide */
  rows = StencilRows({2, {20, 20, 1}, 1, 1, false, {false, false, false}, false, 0});
  for (PetscInt k = 1; k < 10; k++) {
    rows[k].push_back(19 - k);
    rows[19 - k].push_back(k);
    rows[20 * k].push_back(20 * (19 - k));
  }
  rows[0].push_back(399);
  rows[399].push_back(0);
  PetscCall(ShowRows("octahedral, not said", rows, 1, &none));
  hints          = Hints(2, 20, 20, 1, 0);
  hints.topology = STRUCTURED_GRID_OCTAHEDRAL;
  PetscCall(ShowRows("octahedral", rows, 1, &hints));
  hints.dim = 0;
  PetscCall(ShowRows("octahedral by sparsity", rows, 1, &hints));
  rows[21].push_back(399);
  hints.dim = 2;
  PetscCall(ShowRows("octahedral, with an inner point coupled to the frame", rows, 1, &hints));
  hints             = Hints(2, 20, 20, 1, 0);
  hints.topology    = STRUCTURED_GRID_OCTAHEDRAL;
  hints.nperiodic   = 1;
  hints.periodic[0] = PETSC_TRUE;
  PetscCall(ShowRows("octahedral and periodic", rows, 1, &hints));
  hints          = Hints(3, 5, 8, 10, 0);
  hints.topology = STRUCTURED_GRID_OCTAHEDRAL;
  PetscCall(ShowRows("octahedral in three dimensions", rows, 1, &hints));

  hints = none;
  rows  = BoxRows(five, std::vector<PetscInt>{20, 17}, std::vector<PetscInt>{90, 80, 30});
  PetscCall(ShowRows("in boxes, which are not wanted", rows, 1, &hints));
  hints.permuted = PETSC_TRUE;
  PetscCall(ShowRows("in boxes", rows, 1, &hints));
  hints          = Hints(2, 37, 200, 1, 0);
  hints.permuted = PETSC_TRUE;
  PetscCall(ShowRows("in boxes, with the sizes given", rows, 1, &hints));
  rows[4321].push_back(123);
  PetscCall(ShowRows("in boxes, with a stray entry", rows, 1, &hints));

  PetscCall(RowsToMat(StencilRows(second), 600, 1, &A));
  PetscCall(CreateDMDA({2, {30, 20, 1}, 1, 1, true, {false, false, false}, false, 0}, &da));
  PetscCall(Show("wider than the DMDA's stencil", A, da, &none));
  hints = Hints(0, 1, 1, 1, 2);
  PetscCall(Show("unknowns per point against the DMDA", A, da, &hints));
  PetscCall(DMDestroy(&da));
  PetscCall(CreateDMDA({2, {20, 30, 1}, 1, 2, true, {false, false, false}, false, 0}, &da));
  PetscCall(Show("DMDA of another grid", A, da, &none));
  hints = Hints(2, 30, 20, 1, 0);
  PetscCall(Show("options before DMDA", A, da, &hints));
  PetscCall(DMDestroy(&da));
  PetscCall(CreateDMDA({2, {30, 21, 1}, 1, 2, true, {false, false, false}, false, 0}, &da));
  PetscCall(Show("DMDA of another size is ignored", A, da, &none));
  PetscCall(DMDestroy(&da));
  PetscCall(DMDACreate2d(PETSC_COMM_SELF, DM_BOUNDARY_MIRROR, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, 30, 20, 1, 1, 1, 2, nullptr, nullptr, &da));
  PetscCall(DMSetUp(da));
  PetscCall(Show("mirror boundary", A, da, &none));
  PetscCall(DMDestroy(&da));
  PetscCall(MatDestroy(&A));
  PetscCall(RowsToMat(StencilRows(ring), 600, 1, &A));
  PetscCall(CreateDMDA(ring, &da));
  hints = Hints(2, 30, 20, 1, 0);
  PetscCall(Show("sizes by options, periodic axis by DMDA", A, da, &hints));
  PetscCall(DMDestroy(&da));
  PetscCall(MatDestroy(&A));

  /* The matrix that a DMDA makes knows it */
  PetscCall(CreateDMDA(two, &da));
  PetscCall(DMCreateMatrix(da, &A));
  PetscCall(Show("matrix of a DMDA", A, nullptr, &none));
  PetscCall(MatDestroy(&A));
  PetscCall(DMDestroy(&da));

  PetscCall(RowsToMat(Rows(5), 7, 1, &A));
  PetscCall(Show("not square", A, nullptr, &none));
  PetscCall(MatDestroy(&A));
  PetscCall(RowsToMat(Rows(), 0, 1, &A));
  PetscCall(Show("no rows", A, nullptr, &none));
  PetscCall(MatDestroy(&A));
  PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, 4, 4, nullptr, &A));
  PetscCall(Show("dense", A, nullptr, &none));
  PetscCall(MatDestroy(&A));
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, 4, 4, 1, nullptr, &A));
  PetscCall(Show("not assembled", A, nullptr, &none));
  PetscCall(MatDestroy(&A));
  hints             = Hints(2, 30, 20, 1, 1);
  hints.size_option = hints.dof_option = hints.periodic_option = nullptr;
  PetscCall(ShowStencil("options without names", two, &hints));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Systems on a full grid must show it by themselves; those of the fluid cells alone must be refused */
static PetscErrorCode TestSystems(const char *folder)
{
  const char *full[]       = {"aniso_dir_brick_65x65",       "aniso_par_brick_65x65", "color_row_chelsea_65x65",        "color_sym_chelsea_65x65",     "darcy_coins_65x65_c10000",
                              "deconv_uniform_camera_65x65", "epd_coffee_97x65_lam1", "helmholtz_hom_65x65_k2_0.01562", "helmholtz_moon_81x49_k2_0.25"};
  const char *compressed[] = {"fluid_dampillars_64x64x64_f15", "fluid_dampillars_64x64x64_f45", "fluid_smoke_solid_32x48x32_f25", "fluid_smokeopen_solid_32x48x32_f25"};
  char        path[PETSC_MAX_PATH_LEN], text[2048];
  Mat         A;

  PetscFunctionBeginUser;
  for (const char *name : full) {
    StructuredGrid bydmda, grid;
    Stencil        s;

    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s.h5", folder, name));
    PetscCall(PetlapLoadSystem(PETSC_COMM_SELF, path, &A, nullptr, nullptr));
    PetscCall(Determine(A, nullptr, &none, &bydmda, text));
    PetscCheck(!text[0] && bydmda.origin[0] == 'D', PETSC_COMM_SELF, PETSC_ERR_PLIB, "%s by DMDA: %s", name, text);
    PetscCall(MatSetDM(A, nullptr));
    PetscCall(Determine(A, nullptr, &none, &grid, text));
    PetscCheck(text[0] || grid.origin[0] == 's', PETSC_COMM_SELF, PETSC_ERR_PLIB, "%s still has a DMDA", name);
    s.dim = bydmda.dim;
    s.dof = bydmda.dof;
    for (int a = 0; a < 3; a++) s.size[a] = bydmda.size[a];
    PetscCall(CheckSame(name, s, &bydmda, &grid, text));
    PetscCall(MatDestroy(&A));
  }
  for (const char *name : compressed) {
    StructuredGrid grid;
    const char    *found;

    PetscCall(PetscSNPrintf(path, sizeof(path), "%s/%s.h5", folder, name));
    PetscCall(PetlapLoadSystem(PETSC_COMM_SELF, path, &A, nullptr, nullptr));
    PetscCall(Determine(A, nullptr, &none, &grid, text));
    PetscCall(PetscStrstr(text, "not a stencil", (char **)&found));
    PetscCheck(found, PETSC_COMM_SELF, PETSC_ERR_PLIB, "%s: '%s'", name, text);
    PetscCall(MatDestroy(&A));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(TestTexts());
  PetscCall(TestStencils());
  PetscCall(TestMisfits());
  PetscCall(TestSmall());
  PetscCall(TestBoxes());
  if (argc > 1) PetscCall(TestSystems(argv[1]));
  PetscCall(PetscFinalize());
  return 0;
}
