/*
  PCNEURAL: the neural preconditioner for Poisson equations on voxel domains with Dirichlet and Neumann boundaries.
*/
#include "petlap.h"
#include <petsc/private/pcimpl.h>
#include <petscao.h>
#include <petscdmda.h>
#include "mat/compat/backend.h"
#include "mat/compat/petscversion.h"
#include "pc/neural/gradient.h"
#include "pc/neural/image.h"
#include "pc/neural/network_cuda.h"
#include "pc/neural/precise.h"
#include "pc/neural/weights.h"
#include "pc/setup.h"
#include <algorithm>
#include <cmath>
#include <dlfcn.h>
#include <sys/stat.h>

#if !defined(PETSC_USE_COMPLEX)
using namespace petlap::neural;

static const char *const PCNeuralMasks[]      = {"weights", "none", "fluid", "dilated", "PCNeuralMask", "PCNEURAL_MASK_", nullptr};
static const char *const PCNeuralPrecisions[] = {"auto", "single", "double", "PCNeuralPrecision", "PCNEURAL_PRECISION_", nullptr};
static const char *const PCNeuralScalings[]   = {"none", "scalar", "diagonal", "PCNeuralScaling", "PCNEURAL_SCALING_", nullptr};

  /* Face weights along the axes that differ more than this are worth a word */
  #define PCNEURAL_ISOTROPIC 1.2
  /* Rows that are compared with an image that was given, at least */
  #define PCNEURAL_SAMPLE 20000
  /* Entries that differ by this factor are worth one, too, and so is this share of cells beside air whose diagonal is no whole number of faces, by more than that */
  #define PCNEURAL_CONTRAST 3.0
  #define PCNEURAL_GHOSTS   0.1
  #define PCNEURAL_FRACTION 0.1
  /* How far a diagonal may be from a whole number of faces, to be read as one */
  #define PCNEURAL_WHOLE 1e-6
  /* What two executors may differ by, in parts of the largest number: both compute in single precision and add up in their own order */
  #define PCNEURAL_CHECK 1e-4

typedef struct {
  /* Of the user */
  char             *weights;
  PetscInt          levels;
  PCNeuralMask      mask;
  PCNeuralScaling   scaling;
  PetlapBackend     backend;
  PCNeuralPrecision precision;
  DM                dm;
  Vec               labels;

  /* The network and what it was made for */
  Model           *model;
  char            *modelname;
  PetscInt         modeldim;
  Network         *network;
  Gradient<float> *gradient;
  PreciseNetwork  *precise; /* made where it is needed first */
  MPI_Comm         comm;
  PetscInt         gridsize[3], margin[3][2];
  unsigned char   *image; /* labels that the lists are for */
  size_t           nimage;
  PetscBool        newmodel, newkernels;

  /* From vectors of the matrix to fluid cells and back */
  std::vector<ptrdiff_t> *offset, *running; /* of the segments: in vectors, and when cells are counted one by one */
  VecScatter              scatter;
  Vec                     fluidr, fluidz, scaled;
  PetscInt                nother; /* rows of cells that are no fluid */
  PetscInt               *other;
  PetscReal              *otherinv;
  PetscReal              *diagonal; /* square roots of faces over diagonal, by fluid cell in the order of the segments */

  PetscReal   kappa, axis[3];   /* mean entry, and those along the axes */
  PetscReal   contrast, ghosts; /* of the entries, the largest over the smallest; the share of cells beside air whose diagonal is no whole number of faces */
  const char *origin;
  PetscBool   full;
  PetscBool   dry;           /* no cell of fluid has another one for a neighbour: the matrix is diagonal, and so is the preconditioner */
  PetscBool   linear;        /* who applies it wants a linear map, to double precision */
  PetscBool   applied, used; /* it was applied since the set-up, and the last time in double precision */

  /* The device, where it does the work; what it has been told of the network and of the vectors */
  NetworkDevice *device;
  PetscBool      devicelists, devicekernels, devicevectors, check;
  PetscReal      difference; /* the largest that checks have found */

  PetscInt nfluid, guessed;
} PC_Neural;

static PetscLogEvent        PC_NeuralImage, PC_NeuralLevels, PC_NeuralLists, PC_NeuralKernels, PC_NeuralApply;
PETSC_INTERN PetscErrorCode PetlapCiteLan(void);

/* The cores report that they have no memory, or that a message failed, by an exception, PETSc by an error code */
template <typename Body>
static PetscErrorCode PCNeuralTry(PC pc, const char doing[], Body body)
{
  PetscFunctionBegin;
  try {
    body();
  } catch (const std::bad_alloc &) {
    SETERRQ(PetscObjectComm((PetscObject)pc), PETSC_ERR_MEM, "Out of memory while %s: use more processes", doing);
  } catch (const petlap::CommunicationError &error) {
    SETERRQ(PETSC_COMM_SELF, error.code, "Communication failed while %s", doing);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralResetNetwork(PC_Neural *neural)
{
  PetscFunctionBegin;
  delete neural->gradient;
  delete neural->precise;
  delete neural->network;
  neural->gradient    = nullptr;
  neural->precise     = nullptr;
  neural->network     = nullptr;
  neural->nimage      = 0;
  neural->devicelists = PETSC_FALSE;
  PetscCall(PetscFree(neural->image));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralResetDevice(PC_Neural *neural)
{
  PetscFunctionBegin;
  #if defined(PETLAP_HAVE_CUDA)
  delete neural->device;
  #endif
  neural->device = nullptr;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralResetVectors(PC_Neural *neural)
{
  PetscFunctionBegin;
  delete neural->offset;
  delete neural->running;
  neural->offset = neural->running = nullptr;
  neural->nother                   = 0;
  neural->devicevectors            = PETSC_FALSE;
  PetscCall(VecScatterDestroy(&neural->scatter));
  PetscCall(VecDestroy(&neural->fluidr));
  PetscCall(VecDestroy(&neural->fluidz));
  PetscCall(VecDestroy(&neural->scaled));
  PetscCall(PetscFree(neural->other));
  PetscCall(PetscFree(neural->otherinv));
  PetscCall(PetscFree(neural->diagonal));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The grid as the core counts its axes: in two dimensions y is axis 2 */
typedef struct {
  PetscInt  dim, n[3], m[3];    /* cells and processes along x, y, z */
  PetscInt  start[3], width[3]; /* own cells */
  int       axis[3];            /* of x, y, z */
  Partition part;
} PCNeuralGrid;

static PetscErrorCode PCNeuralReadGrid(PC pc, DM dm, PCNeuralGrid *grid)
{
  MPI_Comm        comm = PetscObjectComm((PetscObject)pc);
  PetscBool       da;
  PetscInt        dof;
  DMBoundaryType  boundary[3];
  const PetscInt *ranges[3];
  PetscMPIInt     size, rank;

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)dm, DMDA, &da));
  PetscCheck(da, comm, PETSC_ERR_SUP, "PCNEURAL needs cells on a structured grid and this DM is no DMDA: give one with PCNeuralSetImage()");
  PetscCall(DMDAGetInfo(dm, &grid->dim, &grid->n[0], &grid->n[1], &grid->n[2], &grid->m[0], &grid->m[1], &grid->m[2], &dof, nullptr, &boundary[0], &boundary[1], &boundary[2], nullptr));
  PetscCheck(grid->dim == 2 || grid->dim == 3, comm, PETSC_ERR_SUP, "PCNEURAL works in two and three dimensions and this DMDA has %" PetscInt_FMT ": use -pc_type lu for a line", grid->dim);
  PetscCheck(dof == 1, comm, PETSC_ERR_SUP, "PCNEURAL is for one unknown in each cell and this DMDA has %" PetscInt_FMT ": use -pc_type fieldsplit -fieldsplit_pc_type neural", dof);
  for (PetscInt a = 0; a < grid->dim; a++) {
    PetscCheck(boundary[a] != DM_BOUNDARY_PERIODIC && boundary[a] != DM_BOUNDARY_MIRROR && boundary[a] != DM_BOUNDARY_TWIST, comm, PETSC_ERR_SUP, "PCNEURAL has no %s boundaries: use -pc_type hsc or gamg for this grid", DMBoundaryTypes[boundary[a]]);
    PetscCheck(grid->n[a] < PETSC_MPI_INT_MAX / 4, comm, PETSC_ERR_SUP, "A grid with %" PetscInt_FMT " cells along an axis is too long for PCNEURAL: use -pc_type gamg", grid->n[a]);
  }
  PetscCall(DMDAGetCorners(dm, &grid->start[0], &grid->start[1], &grid->start[2], &grid->width[0], &grid->width[1], &grid->width[2]));
  PetscCall(DMDAGetOwnershipRanges(dm, &ranges[0], &ranges[1], &ranges[2]));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCheck(size == grid->m[0] * grid->m[1] * grid->m[2], comm, PETSC_ERR_ARG_NOTSAMECOMM, "The DMDA lives on %" PetscInt_FMT " processes and the preconditioner on %d: create both with the same communicator", grid->m[0] * grid->m[1] * grid->m[2],
             (int)size);
  grid->part     = Partition();
  grid->part.dim = (int)grid->dim;
  for (PetscInt a = 0, r = rank; a < 3; r /= (PetscInt)grid->m[a], a++) {
    const int to  = grid->dim == 3 || a == 0 ? (int)a : a == 1 ? 2 : 1;
    int       sum = 0;

    grid->axis[a]            = to;
    grid->part.n[to]         = (int)grid->n[a];
    grid->part.processes[to] = (int)grid->m[a];
    grid->part.place[to]     = (int)(r % grid->m[a]);
    grid->part.cut[to].assign(1, 0);
    for (PetscInt p = 0; p < grid->m[a]; p++) {
      sum += a < grid->dim ? (int)ranges[a][p] : 1;
      grid->part.cut[to].push_back(sum);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rows of a matrix that is stored by rows on each process */
typedef struct {
  Mat              diag, off;
  const PetscInt  *colmap;
  PetscInt         n, ncols[2], rstart;
  const PetscInt  *ia[2], *ja[2];
  const PetscReal *a[2];
} PCNeuralRows;

static PetscErrorCode PCNeuralRowsGet(Mat P, PCNeuralRows *rows, PetscBool *can)
{
  PetscBool seq, mpi, done;

  PetscFunctionBegin;
  *can         = PETSC_FALSE;
  rows->off    = nullptr;
  rows->colmap = nullptr;
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)P, MATSEQAIJ, &seq));
  PetscCall(PetscObjectBaseTypeCompare((PetscObject)P, MATMPIAIJ, &mpi));
  if (!seq && !mpi) PetscFunctionReturn(PETSC_SUCCESS);
  rows->diag = P;
  if (mpi) PetscCall(MatMPIAIJGetSeqAIJ(P, &rows->diag, &rows->off, &rows->colmap));
  PetscCall(MatGetOwnershipRange(P, &rows->rstart, nullptr));
  for (int k = 0; k < (rows->off ? 2 : 1); k++) {
    Mat A = k ? rows->off : rows->diag;

    PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &rows->n, &rows->ia[k], &rows->ja[k], &done));
    PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "The rows of a matrix of type %s cannot be read: use -mat_type aij", ((PetscObject)A)->type_name);
    PetscCall(MatSeqAIJGetArrayRead(A, &rows->a[k]));
  }
  *can = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralRowsRestore(PCNeuralRows *rows)
{
  PetscBool done;

  PetscFunctionBegin;
  for (int k = 0; k < (rows->off ? 2 : 1); k++) {
    Mat A = k ? rows->off : rows->diag;

    PetscCall(MatSeqAIJRestoreArrayRead(A, &rows->a[k]));
    PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &rows->n, &rows->ia[k], &rows->ja[k], &done));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* body(column, value) for the entries of a local row; columns are those of the whole matrix */
template <typename Body>
static inline void PCNeuralRow(const PCNeuralRows *rows, PetscInt i, Body body)
{
  for (PetscInt k = rows->ia[0][i]; k < rows->ia[0][i + 1]; k++) body(rows->rstart + rows->ja[0][k], rows->a[0][k]);
  if (rows->off) {
    for (PetscInt k = rows->ia[1][i]; k < rows->ia[1][i + 1]; k++) body(rows->colmap[rows->ja[1][k]], rows->a[1][k]);
  }
}

/* Faces of a cell beside others that are no fluid: those to air that the row has no entry for, those at the end of the grid; and what the diagonal exceeds the entries by */
typedef struct {
  PetscInt  row;
  int       air, end;
  PetscReal excess;
} PCNeuralEdge;

/* What the rows of a matrix on all cells of a grid say */
typedef struct {
  std::vector<Row> row;              /* of the own cells that were read, as the core counts axes */
  PetscReal        sum[3], count[3]; /* of entries along x, y, z, with the sign of minus the diagonal */
  PetscReal        least, most;      /* absolute values of entries */
  PetscInt         wrong;            /* own row with an entry where none can be, or -1 */
  const char      *what;
  /* Against an image: cells beside others, and what the diagonals of all others exceed their entries by */
  std::vector<PCNeuralEdge> edge;
  PetscReal                 bulk[2]; /* sum, count */
} PCNeuralScan;

static void PCNeuralScanClear(PCNeuralScan *scan)
{
  scan->row.clear();
  scan->edge.clear();
  for (int a = 0; a < 3; a++) scan->sum[a] = scan->count[a] = 0.0;
  scan->least   = PETSC_MAX_REAL;
  scan->most    = 0.0;
  scan->wrong   = -1;
  scan->what    = "";
  scan->bulk[0] = scan->bulk[1] = 0.0;
}

/* Every step-th row is read */
static PetscErrorCode PCNeuralScanRows(const PCNeuralGrid *grid, DM dm, const PCNeuralRows *rows, PetscInt step, PCNeuralScan *scan)
{
  const PetscInt *w = grid->width, *s = grid->start, *n = grid->n;
  const PetscInt  jump[3] = {1, w[0], w[0] * w[1]};
  PetscInt       *ghost = nullptr, nghost = 0;

  PetscFunctionBegin;
  PCNeuralScanClear(scan);
  scan->row.assign((rows->n + step - 1) / step, Row());
  if (rows->off) {
    AO ao;

    PetscCall(MatGetLocalSize(rows->off, nullptr, &nghost));
    PetscCall(PetscMalloc1(nghost, &ghost));
    for (PetscInt k = 0; k < nghost; k++) ghost[k] = rows->colmap[k];
    PetscCall(DMDAGetAO(dm, &ao));
    PetscCall(AOPetscToApplication(ao, nghost, ghost));
  }
  for (PetscInt i = 0; i < rows->n && scan->wrong < 0; i += step) {
    const PetscInt at[3]    = {i % w[0], i / w[0] % w[1], i / w[0] / w[1]};
    PetscReal      diagonal = 0.0, sum = 0.0, entries = 0.0, value[6];
    unsigned char  links  = 0;
    int            nlinks = 0;
    bool           bad    = false;
    const auto     entry  = [&](int face, PetscReal a) {
      /* An entry that is zero but for rounding is none */
      value[face] = a;
      links |= (unsigned char)(1 << face);
      nlinks++;
      sum += PetscAbsReal(a);
      entries += a;
    };

    for (PetscInt k = rows->ia[0][i]; k < rows->ia[0][i + 1]; k++) {
      const PetscInt  d = rows->ja[0][k] - i;
      const PetscReal a = rows->a[0][k];

      if (d == 0) {
        diagonal = a;
        continue;
      }
      if (a == 0.0) continue;
      /* In a box of width one, a step along one axis looks like that along another */
      int face = -1;
      for (int x = 0; x < 3 && face < 0; x++) {
        if (d == -jump[x] && at[x] > 0)
          face = 2 * x;
        else if (d == jump[x] && at[x] < w[x] - 1)
          face = 2 * x + 1;
      }
      if (face < 0)
        bad = true;
      else
        entry(face, a);
    }
    if (rows->off) {
      const PetscInt me[3] = {s[0] + at[0], s[1] + at[1], s[2] + at[2]};

      for (PetscInt k = rows->ia[1][i]; k < rows->ia[1][i + 1]; k++) {
        const PetscInt  j = ghost[rows->ja[1][k]], to[3] = {j % n[0], j / n[0] % n[1], j / n[0] / n[1]};
        const PetscReal a    = rows->a[1][k];
        int             face = -1, away = 0;

        if (a == 0.0) continue;
        for (int x = 0; x < 3; x++) {
          if (to[x] == me[x]) continue;
          away += (int)PetscAbsInt(to[x] - me[x]);
          face = 2 * x + (to[x] > me[x]);
        }
        if (away != 1)
          bad = true;
        else
          entry(face, a);
      }
    }
    if (bad || (nlinks && diagonal * entries >= 0.0) || PetscAbsReal(entries) < sum * (1.0 - 1e-12)) {
      scan->wrong = i;
      scan->what  = bad ? "couples cells that do not share a face: PCNEURAL is for the 5-point stencil in 2D and the 7-point one in 3D, use -pc_type hsc or gamg"
                        : "has off-diagonal entries with the sign of the diagonal, or no diagonal: PCNEURAL is for Poisson equations, use -pc_type gamg or lu";
      break;
    }
    for (int f = 0; f < 6; f++) {
      if (!(links >> f & 1)) continue;
      const PetscReal a = PetscAbsReal(value[f]);

      scan->sum[f / 2] += -value[f];
      scan->count[f / 2] += 1.0;
      scan->least = PetscMin(scan->least, a);
      scan->most  = PetscMax(scan->most, a);
    }
    if (nlinks) {
      const PetscReal mean = sum / nlinks;
      /* Own cells of the core have the same order, but the core calls y axis 2 in two dimensions */
      Row &row = scan->row[i / step];

      row.fluid = 1;
      for (int f = 0; f < 6; f++) {
        if (links >> f & 1) row.links |= (unsigned char)(1 << (2 * grid->axis[f / 2] + f % 2));
      }
      row.excess = (float)((PetscAbsReal(diagonal) - sum) / mean);
    }
  }
  PetscCall(PetscFree(ghost));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* All processes agree on what they have read, or on the first row that is wrong */
static PetscErrorCode PCNeuralScanAgree(PC pc, Mat P, PCNeuralScan *scan)
{
  PC_Neural  *neural = (PC_Neural *)pc->data;
  MPI_Comm    comm   = PetscObjectComm((PetscObject)pc);
  PetscMPIInt rank, size, mine, first;
  PetscReal   sums[6], least, most, ratio[2] = {PETSC_MAX_REAL, 0.0};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  mine = scan->wrong >= 0 ? rank : size;
  PetscCallMPI(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm));
  if (first < size) {
    char     text[256];
    PetscInt row = 0;

    if (rank == first) {
      PetscCall(MatGetOwnershipRange(P, &row, nullptr));
      row += scan->wrong;
      PetscCall(PetscStrncpy(text, scan->what, sizeof(text)));
    }
    PetscCallMPI(MPI_Bcast(&row, 1, MPIU_INT, first, comm));
    PetscCallMPI(MPI_Bcast(text, sizeof(text), MPI_CHAR, first, comm));
    SETERRQ(comm, PETSC_ERR_SUP, "Row %" PetscInt_FMT " of the matrix %s", row, text);
  }
  for (int a = 0; a < 3; a++) {
    sums[a]     = scan->sum[a];
    sums[3 + a] = scan->count[a];
  }
  CompatCallAllreduce(MPI_IN_PLACE, sums, 6, MPIU_REAL, MPIU_SUM, comm);
  CompatCallAllreduce(&scan->least, &least, 1, MPIU_REAL, MPIU_MIN, comm);
  CompatCallAllreduce(&scan->most, &most, 1, MPIU_REAL, MPIU_MAX, comm);
  scan->least      = least;
  scan->most       = most;
  neural->contrast = most > 0.0 ? most / least : 1.0;
  neural->kappa    = 0.0;
  for (int a = 0; a < 3; a++) {
    neural->axis[a] = sums[3 + a] > 0.0 ? sums[a] / sums[3 + a] : 0.0;
    neural->kappa += sums[a];
    if (sums[3 + a] == 0.0) continue;
    ratio[0] = PetscMin(ratio[0], PetscAbsReal(neural->axis[a]));
    ratio[1] = PetscMax(ratio[1], PetscAbsReal(neural->axis[a]));
  }
  neural->kappa = sums[3] + sums[4] + sums[5] > 0.0 ? neural->kappa / (sums[3] + sums[4] + sums[5]) : 0.0;
  if (ratio[1] > PCNEURAL_ISOTROPIC * ratio[0]) {
    PetscCall(PetscInfo(pc, "The entries along the axes are %g, %g, %g on average: the network was made for equal ones and will need more iterations; where the cells are no cubes, -pc_type hsc is the better choice\n", (double)neural->axis[0],
                        (double)neural->axis[1], (double)neural->axis[2]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Labels of the own cells of the DMDA from a vector */
static PetscErrorCode PCNeuralReadLabels(PC pc, const PCNeuralGrid *grid, Vec labels, std::vector<unsigned char> *label)
{
  MPI_Comm           comm = PetscObjectComm((PetscObject)pc);
  const PetscScalar *v;
  PetscInt           n, bad[2] = {PETSC_MAX_INT, 0}, first;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(labels, &n));
  PetscCheck(n == grid->width[0] * grid->width[1] * grid->width[2], PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ, "The labels are %" PetscInt_FMT " on this process and its cells %" PetscInt_FMT ": make their vector with DMCreateGlobalVector()", n,
             grid->width[0] * grid->width[1] * grid->width[2]);
  label->resize(n);
  PetscCall(VecGetArrayRead(labels, &v));
  unsigned char *out   = label->data();
  int            wrong = 0;
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal l = PetscRealPart(v[i]);

    out[i] = l == 1.0 ? FLUID : l == 0.0 ? AIR : SOLID;
    wrong |= (int)(l != 0.0) & (int)(l != 1.0) & (int)(l != 2.0);
  }
  for (PetscInt i = 0; wrong && i < n && bad[0] == PETSC_MAX_INT; i++) {
    const PetscReal l = PetscRealPart(v[i]);

    if (l != 0.0 && l != 1.0 && l != 2.0) bad[0] = i;
  }
  PetscCall(VecRestoreArrayRead(labels, &v));
  CompatCallAllreduce(bad, &first, 1, MPIU_INT, MPI_MIN, comm);
  PetscCheck(first == PETSC_MAX_INT, comm, PETSC_ERR_ARG_OUTOFRANGE, "The label of cell %" PetscInt_FMT " of some process is none of 0 (air), 1 (fluid), 2 (solid): map other numbers before calling PCNeuralSetImage()", first);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The labels of all cells, margins included, on every process */
static PetscErrorCode PCNeuralGatherLabels(PC pc, const Partition *part, const std::vector<unsigned char> &mine, std::vector<unsigned char> *all)
{
  MPI_Comm                 comm = PetscObjectComm((PetscObject)pc);
  PetscMPIInt              size, n = (PetscMPIInt)mine.size();
  std::vector<PetscMPIInt> count, start;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  count.resize(size);
  start.assign(size + 1, 0);
  PetscCallMPI(MPI_Allgather(&n, 1, MPI_INT, count.data(), 1, MPI_INT, comm));
  for (PetscMPIInt p = 0; p < size; p++) start[p + 1] = start[p] + count[p];
  std::vector<unsigned char> packed(start[size]);
  PetscCallMPI(MPI_Allgatherv(mine.data(), n, MPI_UNSIGNED_CHAR, packed.data(), count.data(), start.data(), MPI_UNSIGNED_CHAR, comm));
  all->resize((size_t)part->n[0] * part->n[1] * part->n[2]);
  for (PetscMPIInt p = 0; p < size; p++) {
    /* Ranks of a DMDA run along x, then y, then z, which is also the order of the core's axes, one of them having a single process in two dimensions */
    const int            place[3] = {p % part->processes[0], p / part->processes[0] % part->processes[1], p / (part->processes[0] * part->processes[1])};
    const unsigned char *from     = packed.data() + start[p];

    for (int z = part->cut[2][place[2]]; z < part->cut[2][place[2] + 1]; z++) {
      for (int y = part->cut[1][place[1]]; y < part->cut[1][place[1] + 1]; y++) {
        const int x0 = part->cut[0][place[0]], x1 = part->cut[0][place[0] + 1];

        PetscCall(PetscArraycpy(all->data() + ((size_t)z * part->n[1] + y) * part->n[0] + x0, from, x1 - x0));
        from += x1 - x0;
      }
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Faces of a cell that lead to fluid or air */
static int PCNeuralOpenFaces(const Partition *part, const unsigned char *label, ptrdiff_t i, const int c[3])
{
  const ptrdiff_t step[3] = {1, part->n[0], (ptrdiff_t)part->n[0] * part->n[1]};
  int             open    = 0;

  for (int a = 0; a < 3; a++) {
    if (!Halved(part->dim, a)) continue;
    open += c[a] > 0 && label[i - step[a]] != SOLID;
    open += c[a] < part->n[a] - 1 && label[i + step[a]] != SOLID;
  }
  return open;
}

/* A cell of fluid between walls has an equation without unknowns: it is a wall itself. Returns how many there were. */
static PetscInt PCNeuralCloseCells(const Partition *part, std::vector<unsigned char> &label)
{
  PetscInt       closed = 0;
  ptrdiff_t      i      = 0;
  int            c[3];
  unsigned char *l = label.data();

  for (c[2] = 0; c[2] < part->n[2]; c[2]++) {
    for (c[1] = 0; c[1] < part->n[1]; c[1]++) {
      for (c[0] = 0; c[0] < part->n[0]; c[0]++, i++) {
        if (l[i] != FLUID || (c[0] && l[i - 1] != SOLID) || PCNeuralOpenFaces(part, l, i, c)) continue;
        l[i] = SOLID;
        closed++;
      }
    }
  }
  return closed;
}

/* What is behind the faces of a cell: bits of those with fluid and with air, and how many end the grid */
static void PCNeuralAround(const Partition *part, const unsigned char *label, ptrdiff_t here, const int c[3], unsigned char *fluid, unsigned char *air, int *end)
{
  const ptrdiff_t jump[3] = {1, part->n[0], (ptrdiff_t)part->n[0] * part->n[1]};

  *fluid = *air = 0;
  *end          = 0;
  for (int f = 0; f < 6; f++) {
    const int a = f / 2;

    if (!Halved(part->dim, a)) continue;
    if (f % 2 ? c[a] == part->n[a] - 1 : c[a] == 0) {
      (*end)++;
      continue;
    }
    const unsigned char l = label[here + (f % 2 ? jump[a] : -jump[a])];
    if (l == FLUID) *fluid |= (unsigned char)(1 << f);
    if (l == AIR) *air |= (unsigned char)(1 << f);
  }
}

/* Remembers what the diagonal of a cell of fluid says of its other faces */
static void PCNeuralRemember(PCNeuralScan *scan, const Partition *part, PetscInt row, unsigned char fluid, unsigned char air, unsigned char links, int end, PetscReal excess)
{
  int faces = 2 * part->dim - end, nair = 0;

  for (int f = 0; f < 6; f++) {
    faces -= fluid >> f & 1;
    nair += (air & ~links) >> f & 1;
  }
  if (faces || end)
    scan->edge.push_back({row, nair, end, excess});
  else {
    scan->bulk[0] += excess;
    scan->bulk[1] += 1.0;
  }
}

/*
  The diagonals against an image. Where all of them are whole numbers of entries, one that does not fit its cell is enough; where faces have weights of their own, most
  must contradict it. What all cells have in excess, as in an implicit time step, is left out.
*/
static PetscErrorCode PCNeuralJudge(PC pc, Mat P, PCNeuralScan *scan)
{
  PC_Neural *neural = (PC_Neural *)pc->data;
  MPI_Comm   comm   = PetscObjectComm((PetscObject)pc);
  PetscReal  bulk[2], counts[4] = {0.0, 0.0, 0.0, 0.0}, sums[4], base; /* counts: checked, against, beside air, of these no whole number */
  PetscInt   first = -1;

  PetscFunctionBegin;
  CompatCallAllreduce(scan->bulk, bulk, 2, MPIU_REAL, MPIU_SUM, comm);
  base = bulk[1] > 0.0 ? bulk[0] / bulk[1] : 0.0;
  for (const PCNeuralEdge &e : scan->edge) {
    const PetscReal excess   = e.excess - base;
    const bool      against  = e.air ? excess < e.air - 0.5 : e.end == 0 && excess > 0.5;
    const bool      fraction = PetscAbsReal(excess - PetscFloorReal(excess + 0.5)) > PCNEURAL_FRACTION;

    counts[0] += 1.0;
    counts[1] += against;
    counts[2] += e.air > 0;
    counts[3] += fraction;
    if (against && first < 0) first = e.row;
  }
  CompatCallAllreduce(counts, sums, 4, MPIU_REAL, MPIU_SUM, comm);
  neural->ghosts = sums[2] > 0.0 ? PetscMin(1.0, sums[3] / sums[2]) : 0.0;
  if (sums[1] > (sums[3] == 0.0 && scan->most - scan->least <= PCNEURAL_WHOLE * scan->most ? 0.0 : 0.5 * sums[0])) {
    scan->wrong = first;
    scan->what  = "has a diagonal that tells of other faces than its cell in the image has, with walls in place of air or the other way round: give PCNeuralSetImage() the image that the matrix was made for";
    PetscCall(PCNeuralScanAgree(pc, P, scan));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A given image against the rows of the matrix that were read: the same neighbours, and a diagonal that fits */
static PetscErrorCode PCNeuralCompare(PC pc, Mat P, const PCNeuralGrid *grid, PetscInt step, PCNeuralScan *scan, const std::vector<unsigned char> &all)
{
  const Partition *part = &grid->part;

  PetscFunctionBegin;
  for (size_t k = 0; k < scan->row.size() && scan->wrong < 0; k++) {
    const PetscInt i = (PetscInt)k * step, at[3] = {i % grid->width[0], i / grid->width[0] % grid->width[1], i / grid->width[0] / grid->width[1]};
    int            c[3], end;
    const Row     &row = scan->row[k];
    unsigned char  fluid, air;

    for (int a = 0; a < 3; a++) c[grid->axis[a]] = (int)(grid->start[a] + at[a]);
    const ptrdiff_t here = c[0] + ((ptrdiff_t)c[2] * part->n[1] + c[1]) * part->n[0];
    PCNeuralAround(part, all.data(), here, c, &fluid, &air, &end);
    /* Values of air may have kept their columns */
    const bool fits = all[here] == FLUID ? (row.links & ~air) == fluid : row.links == 0;
    if (!fits) {
      scan->wrong = i;
      scan->what  = "has other neighbours than its cell in the image: give PCNeuralSetImage() the image that the matrix was made for";
    } else if (row.links) {
      PCNeuralRemember(scan, part, i, fluid, air, row.links, end, row.excess);
    }
  }
  PetscCall(PCNeuralScanAgree(pc, P, scan));
  PetscCall(PCNeuralJudge(pc, P, scan));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where the image comes from: the user, the file that the matrix was read from, or the matrix itself */
static PetscErrorCode PCNeuralFindImage(PC pc, Mat P, DM *dm, Vec *labels)
{
  PC_Neural *neural = (PC_Neural *)pc->data;
  Vec        v      = nullptr;

  PetscFunctionBegin;
  *labels = nullptr;
  *dm     = nullptr;
  if (neural->labels) {
    *dm            = neural->dm;
    *labels        = neural->labels;
    neural->origin = "PCNeuralSetImage()";
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscObjectQuery((PetscObject)P, "PetlapImage", (PetscObject *)&v));
  if (v) {
    PetscCall(VecGetDM(v, dm));
    if (*dm) {
      *labels        = v;
      neural->origin = "the file of the matrix";
      PetscFunctionReturn(PETSC_SUCCESS);
    }
  }
  PetscCall(MatGetDM(P, dm));
  if (!*dm && pc->dm) *dm = pc->dm;
  PetscCheck(
    *dm, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_WRONGSTATE,
    "PCNEURAL does not know the cells of this matrix: give a DMDA and the labels of its cells with PCNeuralSetImage(), or, when every cell has a row, a matrix from DMCreateMatrix() of a DMDA, or load the system with its flags by PetlapLoadSystem()");
  neural->origin = "the matrix";
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Beside an installed library, or in the source tree of one that was not installed; empty where there is none */
static std::string PCNeuralShippedWeights(int dim)
{
  Dl_info     info;
  std::string folder, name = dim == 3 ? "poisson3d.h5" : "poisson2d.h5";

  if (!dladdr((void *)&PCNeuralShippedWeights, &info) || !info.dli_fname) return "";
  folder             = info.dli_fname;
  const size_t slash = folder.rfind('/');
  folder             = slash == std::string::npos ? "." : folder.substr(0, slash);
  for (const char *place : {"/../share/petlap/nn_weights/", "/../../share/petlap/nn_weights/", "/../../nn_weights/"}) {
    const std::string file = folder + place + name;

    if (FILE *f = fopen(file.c_str(), "rb")) {
      fclose(f);
      return file;
    }
  }
  return "";
}

/* Reading takes longer than the rest of the set-up of a small system, so a process remembers the files that it has read, as long as they stay what they were */
static bool PCNeuralReadWeights(const char file[], Model *model, std::string *error)
{
  struct Known {
    std::string file;
    struct stat state;
    Model       model;
  };
  static std::vector<Known> known;
  struct stat               now;
  const size_t              most = 8;

  if (stat(file, &now)) return ReadWeights(file, model, error);
  for (const Known &k : known) {
    if (k.file == file && k.state.st_dev == now.st_dev && k.state.st_ino == now.st_ino && k.state.st_size == now.st_size && k.state.st_mtim.tv_sec == now.st_mtim.tv_sec && k.state.st_mtim.tv_nsec == now.st_mtim.tv_nsec) {
      *model = k.model;
      return true;
    }
  }
  if (!ReadWeights(file, model, error)) return false;
  if (known.size() == most) known.erase(known.begin());
  known.push_back({file, now, *model});
  return true;
}

static PetscErrorCode PCNeuralLoadModel(PC pc, PetscInt dim)
{
  PC_Neural  *neural                   = (PC_Neural *)pc->data;
  MPI_Comm    comm                     = PetscObjectComm((PetscObject)pc);
  char        file[PETSC_MAX_PATH_LEN] = "";
  PetscBool   analytic                 = PETSC_FALSE;
  PetscMPIInt rank;

  PetscFunctionBegin;
  if (neural->model && neural->modeldim == dim) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (neural->weights) {
    PetscCall(PetscStrcmp(neural->weights, "analytic", &analytic));
    if (!analytic) PetscCall(PetscStrncpy(file, neural->weights, sizeof(file)));
  } else {
    /* All processes look for the same file */
    if (rank == 0) {
      const std::string found = PCNeuralShippedWeights((int)dim);

      PetscCall(PetscStrncpy(file, found.c_str(), sizeof(file)));
    }
    PetscCallMPI(MPI_Bcast(file, sizeof(file), MPI_CHAR, 0, comm));
    if (!file[0]) {
      PetscCall(PetscInfo(pc, "No weights were found beside the library: the analytic ones are used, which take three to four times the iterations. Install petlap with its weights, or give a file with -pc_neural_weights\n"));
      analytic = PETSC_TRUE;
    }
  }
  Model      *model = new Model;
  std::string error;
  int         good = 1, all;
  if (analytic)
    *model = AnalyticModel((int)dim);
  else {
    PetscBool there;

    PetscCall(PetscTestFile(file, 'r', &there));
    good  = there;
    error = std::string(file) + " is no file that can be read: name a weight file with -pc_neural_weights, or analytic";
    if (there) good = PCNeuralReadWeights(file, model, &error);
  }
  PetscCallMPI(MPI_Allreduce(&good, &all, 1, MPI_INT, MPI_MIN, comm));
  if (!all || model->dim != dim) {
    const int has = model->dim;

    delete model;
    PetscCheck(all, comm, PETSC_ERR_FILE_UNEXPECTED, "%s", good ? "The weights cannot be read on another process: give all processes access to the file" : error.c_str());
    SETERRQ(comm, PETSC_ERR_ARG_WRONG, "The weights of %s are for %d dimensions and the grid has %" PetscInt_FMT ": give others with -pc_neural_weights", file, has, dim);
  }
  delete neural->model;
  neural->model    = model;
  neural->modeldim = dim;
  PetscCall(PetscFree(neural->modelname));
  PetscCall(PetscStrallocpy(analytic ? "analytic" : file, &neural->modelname));
  neural->newkernels = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static Mask PCNeuralMaskUsed(const PC_Neural *neural)
{
  return neural->mask == PCNEURAL_MASK_NONE ? MASK_NONE : neural->mask == PCNEURAL_MASK_FLUID ? MASK_FLUID : neural->mask == PCNEURAL_MASK_DILATED ? MASK_DILATED : neural->model->mask;
}

/* Which row of the matrix a cell of the grid with its margins has */
typedef struct {
  PetscBool             plain; /* the number of the cell among all, or among those of fluid */
  std::vector<PetscInt> of;    /* else by cell, or -1 */
} PCNeuralNumbers;

static PetscErrorCode PCNeuralNumberRows(PC pc, Mat P, const PCNeuralGrid *grid, DM dm, const Partition *whole, const std::vector<unsigned char> &all, const std::vector<unsigned char> &numbered, PetscInt nfluid, PCNeuralNumbers *numbers)
{
  PC_Neural  *neural = (PC_Neural *)pc->data;
  MPI_Comm    comm   = PetscObjectComm((PetscObject)pc);
  const int  *N = whole->n, *n = grid->part.n;
  int         margin[3];
  PetscMPIInt size;
  PetscInt    nlocal, i = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(MatGetLocalSize(P, &nlocal, nullptr));
  for (int a = 0; a < 3; a++) margin[a] = (int)neural->margin[a][0];
  numbers->plain = (PetscBool)(size == 1 && nlocal == (neural->full ? (PetscInt)all.size() : nfluid));
  if (numbers->plain) PetscFunctionReturn(PETSC_SUCCESS);
  std::vector<PetscInt> &rowof = numbers->of;
  rowof.assign(all.size(), -1);
  if (neural->full) {
    const PetscInt total = (PetscInt)n[0] * n[1] * n[2];
    PetscInt      *order;

    PetscCall(PetscMalloc1(total, &order));
    for (PetscInt k = 0; k < total; k++) order[k] = k;
    if (size > 1) {
      AO ao;

      PetscCall(DMDAGetAO(dm, &ao));
      PetscCall(AOApplicationToPetsc(ao, total, order));
    }
    for (int z = 0; z < n[2]; z++) {
      for (int y = 0; y < n[1]; y++) {
        for (int x = 0; x < n[0]; x++) rowof[((size_t)(z + margin[2]) * N[1] + y + margin[1]) * N[0] + x + margin[0]] = order[i++];
      }
    }
    PetscCall(PetscFree(order));
  } else {
    /* Cells are counted box by box where that gives each process as many as it has rows, else all along the grid */
    PetscInt    count = 0, boxes, same;
    const auto &part  = grid->part;
    const auto  box   = [&](const int place[3], auto body) {
      for (int z = part.cut[2][place[2]]; z < part.cut[2][place[2] + 1]; z++) {
        for (int y = part.cut[1][place[1]]; y < part.cut[1][place[1] + 1]; y++) {
          for (int x = part.cut[0][place[0]]; x < part.cut[0][place[0] + 1]; x++) body(((size_t)z * N[1] + y) * N[0] + x);
        }
      }
    };

    box(part.place, [&](size_t cell) { count += numbered[cell]; });
    boxes = count == nlocal;
    CompatCallAllreduce(&boxes, &same, 1, MPIU_INT, MPI_MIN, comm);
    count = 0;
    if (same) {
      for (PetscMPIInt p = 0; p < size; p++) {
        const int place[3] = {p % part.processes[0], p / part.processes[0] % part.processes[1], p / (part.processes[0] * part.processes[1])};

        box(place, [&](size_t cell) {
          if (numbered[cell]) rowof[cell] = count++;
        });
      }
    } else {
      for (size_t cell = 0; cell < all.size(); cell++) {
        if (numbered[cell]) rowof[cell] = count++;
      }
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The number of a cell of fluid among all of them */
static PetscInt PCNeuralRunningNumber(const Partition *part, const std::vector<unsigned char> &all, const std::vector<PetscInt> &before, ptrdiff_t cell)
{
  const ptrdiff_t line = cell / part->n[0];

  return before[line] + (PetscInt)std::count(all.begin() + line * part->n[0], all.begin() + cell, (unsigned char)FLUID);
}

/* The same for a matrix with rows for the cells of fluid, every step-th of which is read */
static PetscErrorCode PCNeuralCompareFluid(PC pc, Mat P, const PCNeuralGrid *grid, const PCNeuralRows *rows, const std::vector<unsigned char> &all, const PCNeuralNumbers *numbers)
{
  const Partition      *part    = &grid->part;
  const ptrdiff_t       jump[3] = {1, part->n[0], (ptrdiff_t)part->n[0] * part->n[1]};
  const PetscInt        step    = PetscMax(1, rows->n / PCNEURAL_SAMPLE);
  PetscInt              axis[3], running = 0;
  std::vector<PetscInt> before;
  PCNeuralScan          scan;

  PetscFunctionBegin;
  PCNeuralScanClear(&scan);
  for (int a = 0; a < 3; a++) axis[grid->axis[a]] = a;
  for (size_t line = 0; numbers->plain && line < all.size(); line += part->n[0]) {
    before.push_back(running);
    running += (PetscInt)std::count(all.begin() + line, all.begin() + line + part->n[0], (unsigned char)FLUID);
  }
  const auto row   = [&](ptrdiff_t cell) { return numbers->plain ? PCNeuralRunningNumber(part, all, before, cell) : numbers->of[cell]; };
  const auto check = [&](ptrdiff_t cell, PetscInt i) {
    const int     c[3] = {(int)(cell % part->n[0]), (int)(cell / part->n[0] % part->n[1]), (int)(cell / jump[2])};
    unsigned char fluid, air, links = 0;
    int           end, nlinks = 0;
    bool          other    = false;
    PetscReal     diagonal = 0.0, sum = 0.0, entries = 0.0;
    PetscInt      to[6];

    PCNeuralAround(part, all.data(), cell, c, &fluid, &air, &end);
    for (int f = 0; f < 6; f++) to[f] = fluid >> f & 1 ? row(cell + (f % 2 ? jump[f / 2] : -jump[f / 2])) : -1;
    PCNeuralRow(rows, i, [&](PetscInt j, PetscReal v) {
      if (j == rows->rstart + i) diagonal = v;
      if (j == rows->rstart + i || v == 0.0) return;
      const int f = (int)(std::find(to, to + 6, j) - to);
      if (f == 6) {
        other = true;
        return;
      }
      links |= (unsigned char)(1 << f);
      nlinks++;
      sum += PetscAbsReal(v);
      entries += v;
      scan.sum[axis[f / 2]] -= v;
      scan.count[axis[f / 2]] += 1.0;
      scan.least = PetscMin(scan.least, PetscAbsReal(v));
      scan.most  = PetscMax(scan.most, PetscAbsReal(v));
    });
    if (other || links != fluid) {
      scan.wrong = i;
      scan.what  = "has other neighbours than its cell in the image: give PCNeuralSetImage() the image that the matrix was made for";
    } else if (nlinks && (diagonal * entries >= 0.0 || PetscAbsReal(entries) < sum * (1.0 - 1e-12))) {
      scan.wrong = i;
      scan.what  = "has off-diagonal entries with the sign of the diagonal, or no diagonal: PCNEURAL is for Poisson equations, use -pc_type gamg or lu";
    } else if (nlinks) {
      PCNeuralRemember(&scan, part, i, fluid, air, links, end, (PetscAbsReal(diagonal) - sum) / (sum / nlinks));
    }
  };
  if (numbers->plain) {
    PetscInt i = 0;

    for (ptrdiff_t cell = 0; cell < (ptrdiff_t)all.size() && scan.wrong < 0; cell++) {
      if (all[cell] == FLUID && i++ % step == 0) check(cell, i - 1);
    }
  } else {
    for (ptrdiff_t cell = 0; cell < (ptrdiff_t)all.size() && scan.wrong < 0; cell++) {
      const PetscInt i = numbers->of[cell] - rows->rstart;

      if (numbers->of[cell] >= 0 && all[cell] == FLUID && i >= 0 && i < rows->n && i % step == 0) check(cell, i);
    }
  }
  PetscCall(PCNeuralScanAgree(pc, P, &scan));
  PetscCall(PCNeuralJudge(pc, P, &scan));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rows of the own fluid cells of the network, and of the own cells of the matrix that are no fluid */
static PetscErrorCode PCNeuralSetUpVectors(PC pc, Mat P, const Partition *whole, const std::vector<unsigned char> &all, const PCNeuralNumbers *numbers)
{
  PC_Neural                   *neural  = (PC_Neural *)pc->data;
  MPI_Comm                     comm    = PetscObjectComm((PetscObject)pc);
  const std::vector<Segment>  &segment = neural->network->segments();
  const int                   *N       = whole->n;
  const PetscBool              plain   = numbers->plain;
  const std::vector<PetscInt> &rowof   = numbers->of;
  PetscMPIInt                  size;
  PetscInt                     rstart, nlocal, i = 0, nother = 0;
  PetscBool                    has;
  PetscInt                     needs;
  Vec                          diagonal = nullptr;
  const PetscScalar           *d;

  PetscFunctionBegin;
  PetscCall(PCNeuralResetVectors(neural));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(MatGetOwnershipRange(P, &rstart, nullptr));
  PetscCall(MatGetLocalSize(P, &nlocal, nullptr));
  neural->nfluid = 0;
  for (const Segment &s : segment) neural->nfluid += s.x1 - s.x0;
  /* Fluid cells of the network */
  neural->offset  = new std::vector<ptrdiff_t>;
  neural->running = new std::vector<ptrdiff_t>;
  neural->offset->reserve(segment.size());
  neural->running->reserve(segment.size());
  i = 0;
  for (const Segment &s : segment) {
    const size_t cell = ((size_t)s.z * N[1] + s.y) * N[0] + s.x0;

    neural->running->push_back((ptrdiff_t)i);
    neural->offset->push_back(size > 1 || (plain && !neural->full) ? (ptrdiff_t)i : plain ? (ptrdiff_t)cell : (ptrdiff_t)rowof[cell]);
    i += s.x1 - s.x0;
  }
  const auto row = [&](size_t cell) { return plain ? (PetscInt)cell : rowof[cell] - rstart; };
  if (neural->full || !plain) {
    for (size_t cell = 0; cell < all.size(); cell++) nother += all[cell] != FLUID && row(cell) >= 0 && row(cell) < nlocal;
  }
  PetscCall(MatHasOperation(P, MATOP_GET_DIAGONAL, &has));
  needs = nother || neural->scaling == PCNEURAL_SCALING_DIAGONAL || neural->kappa == 0.0 || size > 1;
  CompatCallAllreduce(MPI_IN_PLACE, &needs, 1, MPIU_INT, MPI_MAX, comm);
  if (needs) {
    PetscCall(MatCreateVecs(P, &diagonal, nullptr));
    /* A matrix that cannot tell its diagonal is taken to be the Laplacian with entries -1 */
    if (has)
      PetscCall(MatGetDiagonal(P, diagonal));
    else
      PetscCall(VecSet(diagonal, 1.0));
  }
  if (size > 1) {
    PetscInt *index;
    IS        is;

    PetscCall(PetscMalloc1(neural->nfluid, &index));
    i = 0;
    for (const Segment &s : segment) {
      for (int x = s.x0; x < s.x1; x++) index[i++] = rowof[((size_t)s.z * N[1] + s.y) * N[0] + x];
    }
    PetscCall(VecCreateSeq(PETSC_COMM_SELF, neural->nfluid, &neural->fluidr));
    PetscCall(VecDuplicate(neural->fluidr, &neural->fluidz));
    PetscCall(ISCreateGeneral(PETSC_COMM_SELF, neural->nfluid, index, PETSC_OWN_POINTER, &is));
    PetscCall(VecScatterCreate(diagonal, is, neural->fluidr, nullptr, &neural->scatter));
    PetscCall(ISDestroy(&is));
  }
  /* Rows of other cells stand for themselves */
  PetscCall(PetscMalloc1(nother, &neural->other));
  PetscCall(PetscMalloc1(nother, &neural->otherinv));
  if (nother) {
    PetscCall(VecGetArrayRead(diagonal, &d));
    for (size_t cell = 0; cell < all.size(); cell++) {
      const PetscInt k = row(cell);

      if (all[cell] == FLUID || k < 0 || k >= nlocal) continue;
      neural->other[neural->nother]      = k;
      neural->otherinv[neural->nother++] = d[k] != 0.0 ? 1.0 / d[k] : 0.0;
    }
    PetscCall(VecRestoreArrayRead(diagonal, &d));
  }
  if (!has) neural->kappa = 1.0;
  if (has && (neural->scaling == PCNEURAL_SCALING_DIAGONAL || neural->kappa == 0.0)) {
    PetscReal sums[2] = {0.0, 0.0};

    if (neural->scatter) {
      PetscCall(VecScatterBegin(neural->scatter, diagonal, neural->fluidr, INSERT_VALUES, SCATTER_FORWARD));
      PetscCall(VecScatterEnd(neural->scatter, diagonal, neural->fluidr, INSERT_VALUES, SCATTER_FORWARD));
    }
    PetscCall(PetscMalloc1(neural->nfluid, &neural->diagonal));
    PetscCall(VecGetArrayRead(neural->scatter ? neural->fluidr : diagonal, &d));
    i = 0;
    for (size_t k = 0; k < segment.size(); k++) {
      for (int x = segment[k].x0; x < segment[k].x1; x++) {
        const int       c[3] = {x, segment[k].y, segment[k].z};
        const int       open = PCNeuralOpenFaces(whole, all.data(), ((ptrdiff_t)c[2] * N[1] + c[1]) * N[0] + c[0], c);
        const PetscReal v    = PetscRealPart(d[(*neural->offset)[k] + (x - segment[k].x0)]);

        sums[0] += v;
        sums[1] += open;
        neural->diagonal[i++] = v != 0.0 ? PetscSqrtReal(open / PetscAbsReal(v)) : 0.0;
      }
    }
    PetscCall(VecRestoreArrayRead(neural->scatter ? neural->fluidr : diagonal, &d));
    CompatCallAllreduce(MPI_IN_PLACE, sums, 2, MPIU_REAL, MPIU_SUM, comm);
    if (neural->kappa == 0.0 && sums[1] > 0.0) neural->kappa = sums[0] / sums[1];
    if (neural->scaling != PCNEURAL_SCALING_DIAGONAL)
      PetscCall(PetscFree(neural->diagonal));
    else
      PetscCall(VecCreateSeq(PETSC_COMM_SELF, neural->nfluid, &neural->scaled));
  }
  PetscCall(VecDestroy(&diagonal));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* x: a vector that the preconditioner is applied to, or null at set-up, where the matrix tells what vectors it has */
static PetscErrorCode PCNeuralChooseBackend(PC pc, Vec x)
{
  PC_Neural  *neural   = (PC_Neural *)pc->data;
  PetscBool   ondevice = PETSC_FALSE, use = PETSC_FALSE;
  PetscMPIInt size;
  const char *prefix;

  PetscFunctionBegin;
  PetscCall(BackendHolds(x ? nullptr : pc->pmat, x, &ondevice));
  if (!x && !ondevice) {
    VecType type;

    PetscCall(MatGetVecType(pc->pmat, &type));
    if (type) PetscCall(PetscStrendswith(type, VECCUDA, &ondevice));
  }
  PetscCallMPI(MPI_Comm_size(PetscObjectComm((PetscObject)pc), &size));
  PetscCall(PCGetOptionsPrefix(pc, &prefix));
  if (size == 1) {
    PetscCall(BackendChoose((PetscObject)pc, neural->backend, ondevice, "pc_neural_backend", &use));
  } else {
    PetscCheck(neural->backend != PETLAP_BACKEND_CUDA, PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP, "-%spc_neural_backend cuda works on one process and there are %d: start one process, or use -%spc_neural_backend auto", prefix ? prefix : "",
               (int)size, prefix ? prefix : "");
    if (neural->backend == PETLAP_BACKEND_AUTO && ondevice) PetscCall(PetscInfo(pc, "Works on the host: on a device PCNEURAL works on one process and there are %d\n", (int)size));
  }
  PetscCheck(!use || neural->backend != PETLAP_BACKEND_CUDA || neural->precision != PCNEURAL_PRECISION_DOUBLE, PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP,
             "On a device the network computes in single precision: use -%spc_neural_backend host, or -%spc_neural_precision auto", prefix ? prefix : "", prefix ? prefix : "");
  if (use && !neural->device) {
  #if defined(PETLAP_HAVE_CUDA)
    neural->device = new NetworkDevice;
  #endif
    neural->devicelists = neural->devicevectors = PETSC_FALSE;
  } else if (!use) {
    PetscCall(PCNeuralResetDevice(neural));
  }
  PetscCall(BackendCheck(&neural->check));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the device does not know yet */
static PetscErrorCode PCNeuralTellDevice(PC pc)
{
  #if defined(PETLAP_HAVE_CUDA)
  PC_Neural          *neural = (PC_Neural *)pc->data;
  PetscInt            n, i = 0;
  std::vector<size_t> other;
  std::vector<double> scaling;
  #endif

  PetscFunctionBegin;
  #if defined(PETLAP_HAVE_CUDA)
  if (!neural->device) PetscFunctionReturn(PETSC_SUCCESS);
  if (!neural->devicelists)
    BackendCall(pc, neural->device->SetNetwork(*neural->network));
  else if (!neural->devicekernels)
    BackendCall(pc, neural->device->SetKernels(*neural->network));
  neural->devicelists = neural->devicekernels = PETSC_TRUE;
  if (neural->devicevectors) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(MatGetLocalSize(pc->pmat, &n, nullptr));
  PetscCheck(n <= PETSC_MPI_INT_MAX, PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP, "%" PetscInt_FMT " rows are too many for a device: use -pc_neural_backend host", n);
  other.assign(neural->other, neural->other + neural->nother);
  if (neural->diagonal) {
    const std::vector<Segment> &segment = neural->network->segments();

    scaling.assign(n, 0.0);
    for (size_t k = 0; k < segment.size(); k++) {
      for (int c = 0; c < segment[k].x1 - segment[k].x0; c++) scaling[(*neural->offset)[k] + c] = neural->diagonal[i++];
    }
  }
  BackendCall(pc, neural->device->SetVectors(*neural->network, neural->offset->data(), (size_t)n, scaling.empty() ? nullptr : scaling.data(), other.size(), other.data(), neural->otherinv));
  neural->devicevectors = PETSC_TRUE;
  #else
  (void)pc;
  #endif
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The first entry that is not finite, or -1 for its row. A product with zero tells, which costs less than looking at each entry. */
static PetscErrorCode PCNeuralFindNotFinite(PC pc, const PCNeuralRows *rows, PetscInt *row, PetscInt *column)
{
  MPI_Comm    comm  = PetscObjectComm((PetscObject)pc);
  PetscInt    first = PETSC_MAX_INT, at = -1, found[2];
  PetscScalar zero = 0.0;

  PetscFunctionBegin;
  for (int k = 0; k < (rows->off ? 2 : 1); k++) {
    for (PetscInt e = 0; e < rows->ia[k][rows->n]; e++) zero += 0.0 * rows->a[k][e];
  }
  if (PetscIsInfOrNanScalar(zero)) {
    for (PetscInt i = 0; i < rows->n && at < 0; i++) {
      PCNeuralRow(rows, i, [&](PetscInt j, PetscReal v) {
        if (at >= 0 || !PetscIsInfOrNanReal(v)) return;
        first = rows->rstart + i;
        at    = j;
      });
    }
  }
  CompatCallAllreduce(&first, &found[0], 1, MPIU_INT, MPI_MIN, comm);
  if (first != found[0]) at = -1;
  CompatCallAllreduce(&at, &found[1], 1, MPIU_INT, MPI_MAX, comm);
  *row    = found[0] == PETSC_MAX_INT ? -1 : found[0];
  *column = found[1];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What a set-up has found out of the domain */
typedef struct {
  PCNeuralGrid               grid;
  Partition                  whole; /* the grid with its margins */
  DM                         dm;
  std::vector<unsigned char> all; /* labels of its cells; where there is none, the matrix is diagonal and told no image */
  PCNeuralNumbers            numbers;
  PetscInt                   closed;
} PCNeuralDomain;

/* Reads the image off the rows */
static PetscErrorCode PCNeuralInfer(PC pc, Mat P, const PCNeuralRows *rows, PCNeuralDomain *domain, std::vector<unsigned char> *mine)
{
  PC_Neural    *neural = (PC_Neural *)pc->data;
  MPI_Comm      comm   = PetscObjectComm((PetscObject)pc);
  PCNeuralGrid *grid   = &domain->grid;
  PCNeuralScan  scan;
  InferredImage image;
  PetscReal     tolerance, counts[2] = {0.0, 0.0}, sums[2];

  PetscFunctionBegin;
  PetscCall(PCNeuralScanRows(grid, domain->dm, rows, 1, &scan));
  PetscCall(PCNeuralScanAgree(pc, P, &scan));
  neural->dry = (PetscBool)(scan.most == 0.0);
  if (neural->dry) PetscFunctionReturn(PETSC_SUCCESS);
  /* Entries that vary say nothing exact of faces to air, but mostly enough */
  tolerance = scan.most - scan.least <= PCNEURAL_WHOLE * scan.most ? PCNEURAL_WHOLE : 0.3;
  PetscCall(PCNeuralTry(pc, "reading the image off the matrix", [&] { image = InferImage(grid->part, scan.row, tolerance); }));
  const int *c = image.cell;
  PetscCheck(image.outcome != InferredImage::FRACTION, comm, PETSC_ERR_ARG_WRONG,
             "Cell (%d, %d, %d) has a diagonal that is %g entries larger than the sum of its entries, and no number of faces to air explains that: PCNEURAL is for the Laplacian with air (value given) and walls (no flux) behind the faces of cells. "
             "Give the image with PCNeuralSetImage(), or use -pc_type hsc",
             c[grid->axis[0]], c[grid->axis[1]], grid->dim == 3 ? c[2] : 0, image.excess);
  PetscCheck(image.outcome != InferredImage::CONTRADICTION, comm, PETSC_ERR_ARG_WRONG, "Cell (%d, %d, %d) is air for one of its neighbours and a wall for another: give the image with PCNeuralSetImage()", c[grid->axis[0]], c[grid->axis[1]],
             grid->dim == 3 ? c[2] : 0);
  neural->guessed = (PetscInt)image.guessed;
  for (int a = 0; a < 3; a++) {
    for (int side = 0; side < 2; side++) neural->margin[a][side] = image.margin[a][side];
    domain->whole.n[a] += image.margin[a][0] + image.margin[a][1];
    for (size_t p = 0; p < domain->whole.cut[a].size(); p++) domain->whole.cut[a][p] += (p > 0 ? image.margin[a][0] : 0) + (p + 1 == domain->whole.cut[a].size() ? image.margin[a][1] : 0);
  }
  *mine = image.label;
  for (const Row &row : scan.row) {
    counts[0] += row.excess > 0.5 * PCNEURAL_FRACTION;
    counts[1] += std::abs(row.excess - std::floor(row.excess + 0.5f)) > PCNEURAL_FRACTION;
  }
  CompatCallAllreduce(counts, sums, 2, MPIU_REAL, MPIU_SUM, comm);
  neural->ghosts = sums[0] > 0.0 ? PetscMin(1.0, sums[1] / sums[0]) : 0.0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether some cell of fluid has another one beside it */
static bool PCNeuralHasNeighbours(const Partition *part, const std::vector<unsigned char> &label)
{
  const ptrdiff_t step[3] = {1, part->n[0], (ptrdiff_t)part->n[0] * part->n[1]};
  ptrdiff_t       i       = 0;
  int             c[3];

  for (c[2] = 0; c[2] < part->n[2]; c[2]++) {
    for (c[1] = 0; c[1] < part->n[1]; c[1]++) {
      for (c[0] = 0; c[0] < part->n[0]; c[0]++, i++) {
        if (label[i] != FLUID) continue;
        for (int a = 0; a < 3; a++) {
          if (c[a] + 1 < part->n[a] && label[i + step[a]] == FLUID) return true;
        }
      }
    }
  }
  return false;
}

/* The image, from wherever it comes, and which row each cell has; an image that was given is checked against the rows */
static PetscErrorCode PCNeuralFindDomain(PC pc, Mat P, const PCNeuralRows *rows, Vec labels, PCNeuralDomain *domain)
{
  PC_Neural                 *neural = (PC_Neural *)pc->data;
  MPI_Comm                   comm   = PetscObjectComm((PetscObject)pc);
  PCNeuralGrid              *grid   = &domain->grid;
  PetscInt                   N, nlocal, cells = grid->n[0] * grid->n[1] * grid->n[2], fluid, open;
  PetscMPIInt                size;
  std::vector<unsigned char> mine, numbered;

  PetscFunctionBegin;
  PetscCall(MatGetSize(P, nullptr, &N));
  PetscCall(MatGetLocalSize(P, &nlocal, nullptr));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  domain->whole  = grid->part;
  domain->closed = 0;
  for (int a = 0; a < 3; a++) neural->margin[a][0] = neural->margin[a][1] = 0;
  neural->kappa    = 0.0;
  neural->guessed  = 0;
  neural->dry      = PETSC_FALSE;
  neural->applied  = PETSC_FALSE;
  neural->contrast = 1.0;
  neural->ghosts   = 0.0;
  if (labels)
    PetscCall(PCNeuralReadLabels(pc, grid, labels, &mine));
  else
    PetscCall(PCNeuralInfer(pc, P, rows, domain, &mine));
  if (neural->dry) PetscFunctionReturn(PETSC_SUCCESS);
  if (size > 1)
    PetscCall(PCNeuralGatherLabels(pc, &domain->whole, mine, &domain->all));
  else
    domain->all.swap(mine);
  std::vector<unsigned char> &all = domain->all;
  numbered.resize(all.size());
  std::transform(all.begin(), all.end(), numbered.begin(), [](unsigned char l) { return (unsigned char)(l == FLUID); });
  fluid          = (PetscInt)std::count(all.begin(), all.end(), (unsigned char)FLUID);
  domain->closed = PCNeuralCloseCells(&domain->whole, all);
  open           = fluid - domain->closed;
  if (!neural->full) {
    PetscCheck(N == fluid || N == open, comm, PETSC_ERR_ARG_SIZ, "The matrix has %" PetscInt_FMT " rows, and its image %" PetscInt_FMT " cells of which %" PetscInt_FMT " are fluid: give PCNeuralSetImage() the image that the matrix was made for", N,
               cells, fluid);
    if (N != fluid) std::transform(all.begin(), all.end(), numbered.begin(), [](unsigned char l) { return (unsigned char)(l == FLUID); });
  }
  neural->dry = (PetscBool)!PCNeuralHasNeighbours(&domain->whole, all);
  PetscCall(PCNeuralNumberRows(pc, P, grid, domain->dm, &domain->whole, all, numbered, open, &domain->numbers));
  if (!labels || !rows) PetscFunctionReturn(PETSC_SUCCESS);
  if (neural->full) {
    const PetscInt step = PetscMax(1, nlocal / PCNEURAL_SAMPLE);
    PCNeuralScan   scan;

    PetscCall(PCNeuralScanRows(grid, domain->dm, rows, step, &scan));
    PetscCall(PCNeuralCompare(pc, P, grid, step, &scan, all));
  } else {
    PetscCall(PCNeuralCompareFluid(pc, P, grid, rows, all, &domain->numbers));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Levels are for a grid, lists for an image, kernels for the weights as well */
static PetscErrorCode PCNeuralSetUpNetwork(PC pc, Mat P, const PCNeuralDomain *domain)
{
  PC_Neural                        *neural  = (PC_Neural *)pc->data;
  MPI_Comm                          comm    = PetscObjectComm((PetscObject)pc);
  const Partition                  &whole   = domain->whole;
  const std::vector<unsigned char> &all     = domain->all;
  const Mask                        mask    = PCNeuralMaskUsed(neural);
  PetscInt                          nlevels = neural->levels ? neural->levels : neural->model->nlevels ? neural->model->nlevels : DefaultLevels((int)domain->grid.dim, whole.n);
  Partition                         part    = whole;
  PetscBool                         same, moved;
  PetscMPIInt                       size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  for (PetscInt most = 1; most < nlevels; most++) {
    /* Levels of a single cell end the halving */
    if ((1 << most) >= 2 * PetscMax(whole.n[0], PetscMax(whole.n[1], whole.n[2]))) {
      nlevels = most;
      break;
    }
  }
  if (size > 1 && mask != MASK_NONE) part.Align((int)nlevels);
  same = (PetscBool)(neural->network && neural->network->nlevels() == nlevels && neural->network->GetMask() == mask);
  for (int a = 0; a < 3 && same; a++) same = (PetscBool)(neural->network->GetPartition().cut[a] == part.cut[a] && neural->network->GetPartition().n[a] == part.n[a]);
  if (!same) {
    PetscCall(PetscLogEventBegin(PC_NeuralLevels, pc, P, nullptr, nullptr));
    PetscCall(PCNeuralResetNetwork(neural));
    if (neural->comm == MPI_COMM_NULL) PetscCallMPI(MPI_Comm_dup(comm, &neural->comm));
    part.comm = neural->comm;
    PetscCall(PCNeuralTry(pc, "making the levels", [&] { neural->network = new Network(part, (int)nlevels, mask); }));
    PetscCall(PetscLogEventEnd(PC_NeuralLevels, pc, P, nullptr, nullptr));
  }
  moved = (PetscBool)(!neural->image || neural->nimage != all.size());
  if (!moved) {
    PetscCall(PetscArraycmp(neural->image, all.data(), all.size(), &same));
    moved = (PetscBool)!same;
  }
  if (moved) {
    std::vector<unsigned char> box;

    PetscCall(PetscLogEventBegin(PC_NeuralLists, pc, P, nullptr, nullptr));
    for (int z = part.lo(2); z < part.hi(2); z++) {
      for (int y = part.lo(1); y < part.hi(1); y++) {
        const unsigned char *from = all.data() + ((size_t)z * part.n[1] + y) * part.n[0];

        box.insert(box.end(), from + part.lo(0), from + part.hi(0));
      }
    }
    PetscCall(PCNeuralTry(pc, "listing the cells", [&] { neural->network->SetImage(box.data()); }));
    PetscCall(PetscFree(neural->image));
    PetscCall(PetscMalloc1(all.size(), &neural->image));
    PetscCall(PetscArraycpy(neural->image, all.data(), all.size()));
    neural->nimage      = all.size();
    neural->newkernels  = PETSC_TRUE;
    neural->devicelists = PETSC_FALSE;
    PetscCall(PetscLogEventEnd(PC_NeuralLists, pc, P, nullptr, nullptr));
  }
  if (neural->newkernels) {
    PetscCall(PetscLogEventBegin(PC_NeuralKernels, pc, P, nullptr, nullptr));
    PetscCall(PCNeuralTry(pc, "making the kernels", [&] { neural->network->SetKernels(*neural->model); }));
    neural->newkernels    = PETSC_FALSE;
    neural->devicekernels = PETSC_FALSE;
    delete neural->gradient;
    delete neural->precise;
    neural->gradient = nullptr;
    neural->precise  = nullptr;
    PetscCall(PetscLogEventEnd(PC_NeuralKernels, pc, P, nullptr, nullptr));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where no cell of fluid has a neighbour of fluid, there is nothing for the network to do */
static PetscErrorCode PCNeuralSetUpDiagonal(PC pc, Mat P)
{
  PC_Neural         *neural = (PC_Neural *)pc->data;
  PetscBool          has;
  Vec                diagonal;
  const PetscScalar *d;
  PetscInt           n;

  PetscFunctionBegin;
  PetscCall(PCNeuralResetVectors(neural));
  neural->nfluid = 0;
  PetscCall(MatGetLocalSize(P, &n, nullptr));
  PetscCall(MatCreateVecs(P, &diagonal, nullptr));
  PetscCall(MatHasOperation(P, MATOP_GET_DIAGONAL, &has));
  if (has)
    PetscCall(MatGetDiagonal(P, diagonal));
  else
    PetscCall(VecSet(diagonal, 1.0));
  PetscCall(PetscMalloc1(n, &neural->other));
  PetscCall(PetscMalloc1(n, &neural->otherinv));
  PetscCall(VecGetArrayRead(diagonal, &d));
  for (PetscInt i = 0; i < n; i++) {
    neural->other[i]    = i;
    neural->otherinv[i] = d[i] != 0.0 ? 1.0 / d[i] : 0.0;
  }
  neural->nother = n;
  PetscCall(VecRestoreArrayRead(diagonal, &d));
  PetscCall(VecDestroy(&diagonal));
  PetscCall(PetscInfo(pc, "No cell of fluid has another one beside it: the diagonal is applied\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether the faces are so far from equal weights that another preconditioner is the better choice */
static PetscBool PCNeuralVaries(const PC_Neural *neural)
{
  return (PetscBool)(!neural->dry && (neural->contrast > PCNEURAL_CONTRAST || neural->ghosts > PCNEURAL_GHOSTS));
}

/* The diagonal scales faces at the surface, and does harm where entries jump */
static const char *PCNeuralAdvice(const PC_Neural *neural)
{
  return neural->contrast <= PCNEURAL_CONTRAST && neural->scaling != PCNEURAL_SCALING_DIAGONAL ? "-pc_neural_scaling diagonal helps, " : "";
}

static PetscErrorCode PCNeuralSetUp(PC pc)
{
  PC_Neural     *neural = (PC_Neural *)pc->data;
  MPI_Comm       comm   = PetscObjectComm((PetscObject)pc);
  Mat            P      = pc->pmat;
  PCNeuralDomain domain;
  PCNeuralRows   rows;
  Vec            labels;
  PetscBool      can, assembled;
  PetscInt       M, N, nlocal, row = -1, column = -1;

  PetscFunctionBegin;
  PetscCall(MatAssembled(P, &assembled));
  PetscCheck(assembled, comm, PETSC_ERR_ARG_WRONGSTATE, "The matrix is not assembled: call MatAssemblyBegin() and MatAssemblyEnd() first");
  PetscCall(MatGetSize(P, &M, &N));
  PetscCheck(M == N, comm, PETSC_ERR_ARG_SIZ, "PCNEURAL needs a square matrix and this one has %" PetscInt_FMT " rows and %" PetscInt_FMT " columns: give the preconditioner a square one as Pmat of KSPSetOperators()", M, N);
  PetscCall(MatGetLocalSize(P, &nlocal, nullptr));
  PetscCall(PCNeuralFindImage(pc, P, &domain.dm, &labels));
  PetscCall(PCNeuralReadGrid(pc, domain.dm, &domain.grid));
  domain.grid.part.comm = comm;
  PetscCall(PCNeuralLoadModel(pc, domain.grid.dim));
  PetscCall(PetscLogEventBegin(PC_NeuralImage, pc, P, nullptr, nullptr));
  PetscCall(PCNeuralRowsGet(P, &rows, &can));
  if (can) PetscCall(PCNeuralFindNotFinite(pc, &rows, &row, &column));
  /* A reason ends the solver, which can go on with another matrix */
  pc->failedreason = row < 0 ? PC_NOERROR : PC_FACTOR_OTHER;
  if (row >= 0) {
    PetscCall(PCNeuralRowsRestore(&rows));
    PetscCall(PetscLogEventEnd(PC_NeuralImage, pc, P, nullptr, nullptr));
    PetscCheck(!pc->erroriffailure, comm, PETSC_ERR_FP, "Entry (%" PetscInt_FMT ", %" PetscInt_FMT ") of the matrix is not finite: correct the assembly", row, column);
    PetscCall(PetscInfo(pc, "Entry (%" PetscInt_FMT ", %" PetscInt_FMT ") of the matrix is not finite: correct the assembly\n", row, column));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  const PetscInt cells = domain.grid.n[0] * domain.grid.n[1] * domain.grid.n[2], own = domain.grid.width[0] * domain.grid.width[1] * domain.grid.width[2];
  neural->full = (PetscBool)(N == cells);
  PetscCheck(neural->full || labels, comm, PETSC_ERR_ARG_SIZ, "The matrix has %" PetscInt_FMT " rows and its grid %" PetscInt_FMT " cells: where only the fluid has rows, give the labels of the cells with PCNeuralSetImage()", N, cells);
  PetscCheck(can || labels, comm, PETSC_ERR_SUP, "The image cannot be read off a matrix of type %s: use -mat_type aij, or give it with PCNeuralSetImage()", ((PetscObject)P)->type_name);
  PetscCheck(!neural->full || nlocal == own, PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ, "This process has %" PetscInt_FMT " rows of the matrix and %" PetscInt_FMT " cells of the grid: make the matrix with DMCreateMatrix()", nlocal, own);
  PetscCall(PCNeuralFindDomain(pc, P, can ? &rows : nullptr, labels, &domain));
  if (can) PetscCall(PCNeuralRowsRestore(&rows));
  PetscCheck(!PetscIsInfOrNanReal(neural->kappa), comm, PETSC_ERR_FP, "The matrix has entries that are not finite: correct the assembly");
  PetscCall(PetscLogEventEnd(PC_NeuralImage, pc, P, nullptr, nullptr));
  if (neural->dry) {
    PetscCall(PCNeuralSetUpDiagonal(pc, P));
  } else {
    PetscCall(PCNeuralSetUpNetwork(pc, P, &domain));
    PetscCall(PCNeuralSetUpVectors(pc, P, &domain.whole, domain.all, &domain.numbers));
    PetscCall(PCNeuralChooseBackend(pc, nullptr));
    PetscCall(PCNeuralTellDevice(pc));
  }
  if (domain.closed) PetscCall(PetscInfo(pc, "%" PetscInt_FMT " cells of fluid have nothing but walls around them and are left out\n", domain.closed));
  if (neural->guessed) PetscCall(PetscInfo(pc, "%" PetscInt_FMT " cells are not mentioned by any row: they are taken for what the nearest cells are\n", neural->guessed));
  if (PCNeuralVaries(neural))
    PetscCall(PetscInfo(pc, "The entries of the matrix vary by a factor of %g, and %g %% of the cells beside air have faces of other weights: the network was made for equal ones and takes more iterations; %s-pc_type hsc is the better choice\n",
                        (double)neural->contrast, 100.0 * (double)neural->ghosts, PCNeuralAdvice(neural)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCSetUp_Neural(PC pc)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  code = PCNeuralSetUp(pc);
  PetlapSetUpEnded(pc, code);
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  Methods that use each output of the preconditioner for the solution and its product with the matrix for the residual: for these it is another direction where it is
  off by rounding. CG is among them; what stops it is that the network is not symmetric. All others get a linear map, and so does whatever may be a part of another
  preconditioner: KSPPREONLY, smoothers, which have no norm, and PCApply() outside of a solve.
*/
static PetscErrorCode PCPreSolve_Neural(PC pc, KSP ksp, Vec, Vec)
{
  PC_Neural *neural = (PC_Neural *)pc->data;
  PetscBool  each, smoother;

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompareAny((PetscObject)ksp, &each, KSPPSDO, KSPCG, KSPFCG, KSPPIPEFCG, KSPFGMRES, KSPPIPEFGMRES, KSPGCR, KSPPIPEGCR, KSPFBCGS, KSPFBCGSR, KSPQMRCGS, ""));
  PetscCall(PetscObjectTypeCompareAny((PetscObject)ksp, &smoother, KSPRICHARDSON, KSPCHEBYSHEV, ""));
  neural->linear = (PetscBool) !(each || (smoother && ksp->normtype != KSP_NORM_NONE));
  if (neural->linear && neural->precision == PCNEURAL_PRECISION_AUTO && neural->backend == PETLAP_BACKEND_CUDA)
    PetscCall(PetscInfo(pc, "%s needs a linear map, and on a device the network computes in single precision: the residual may stay at 1e-6. Use -pc_neural_backend auto, or a flexible method\n", ((PetscObject)ksp)->type_name));
  PetscCall(PetlapPreSolve(pc, ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCPostSolve_Neural(PC pc, KSP, Vec, Vec)
{
  PetscFunctionBegin;
  ((PC_Neural *)pc->data)->linear = PETSC_TRUE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The device has single precision only: where it was asked for it goes before */
static PetscBool PCNeuralIsPrecise(const PC_Neural *neural)
{
  return (PetscBool)(neural->precision == PCNEURAL_PRECISION_DOUBLE || (neural->precision == PCNEURAL_PRECISION_AUTO && neural->linear && neural->backend != PETLAP_BACKEND_CUDA));
}

/* What the output is multiplied with */
static PetscReal PCNeuralFactor(const PC_Neural *neural)
{
  return neural->scaling == PCNEURAL_SCALING_SCALAR ? 1.0 / neural->kappa : neural->kappa < 0.0 && neural->scaling == PCNEURAL_SCALING_DIAGONAL ? -1.0 : 1.0;
}

static PetscErrorCode PCNeuralApplyNetwork(PC pc, PetscBool precise, PetscBool transpose, const PetscScalar r[], const ptrdiff_t offset[], PetscScalar z[])
{
  PC_Neural      *neural = (PC_Neural *)pc->data;
  const PetscReal factor = PCNeuralFactor(neural);

  PetscFunctionBegin;
  if (!precise) {
    PetscCall(PCNeuralTry(pc, "the network was applied", [&] { neural->network->Apply(r, offset, factor, z); }));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (!neural->precise) PetscCall(PCNeuralTry(pc, "making the network in double precision", [&] { neural->precise = new PreciseNetwork(*neural->network, *neural->model); }));
  PetscCall(PCNeuralTry(pc, "the network was applied", [&] {
    if (transpose)
      neural->precise->ApplyTranspose(r, offset, factor, z);
    else
      neural->precise->Apply(r, offset, factor, z);
  }));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The transpose is always that of the network in double precision */
static PetscErrorCode PCNeuralApplyHost(PC pc, Vec x, Vec y, PetscBool transpose)
{
  PC_Neural         *neural  = (PC_Neural *)pc->data;
  const PetscBool    precise = (PetscBool)(transpose || PCNeuralIsPrecise(neural));
  const PetscScalar *r, *in;
  PetscScalar       *z, *out;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(x, &r));
  PetscCall(VecGetArrayWrite(y, &z));
  for (PetscInt k = 0; k < neural->nother; k++) z[neural->other[k]] = r[neural->other[k]] * neural->otherinv[k];
  if (neural->dry) {
    PetscCall(VecRestoreArrayRead(x, &r));
    PetscCall(VecRestoreArrayWrite(y, &z));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (neural->scatter) {
    PetscCall(VecScatterBegin(neural->scatter, x, neural->fluidr, INSERT_VALUES, SCATTER_FORWARD));
    PetscCall(VecScatterEnd(neural->scatter, x, neural->fluidr, INSERT_VALUES, SCATTER_FORWARD));
    PetscCall(VecGetArrayRead(neural->fluidr, &in));
    PetscCall(VecGetArrayWrite(neural->fluidz, &out));
  } else {
    in  = r;
    out = z;
  }
  if (neural->diagonal) {
    const std::vector<Segment> &segment = neural->network->segments();
    PetscScalar                *scaled;
    PetscInt                    i = 0;

    PetscCall(VecGetArrayWrite(neural->scaled, &scaled));
    for (size_t k = 0; k < segment.size(); k++) {
      const PetscScalar *from = in + (*neural->offset)[k];

      for (int c = 0; c < segment[k].x1 - segment[k].x0; c++, i++) scaled[i] = from[c] * neural->diagonal[i];
    }
    PetscCall(PCNeuralApplyNetwork(pc, precise, transpose, scaled, neural->running->data(), scaled));
    i = 0;
    for (size_t k = 0; k < segment.size(); k++) {
      PetscScalar *to = out + (*neural->offset)[k];

      for (int c = 0; c < segment[k].x1 - segment[k].x0; c++, i++) to[c] = scaled[i] * neural->diagonal[i];
    }
    PetscCall(VecRestoreArrayWrite(neural->scaled, &scaled));
  } else {
    PetscCall(PCNeuralApplyNetwork(pc, precise, transpose, in, neural->offset->data(), out));
  }
  if (neural->scatter) {
    PetscCall(VecRestoreArrayRead(neural->fluidr, &in));
    PetscCall(VecRestoreArrayWrite(neural->fluidz, &out));
  }
  PetscCall(VecRestoreArrayRead(x, &r));
  PetscCall(VecRestoreArrayWrite(y, &z));
  if (neural->scatter) {
    PetscCall(VecScatterBegin(neural->scatter, neural->fluidz, y, INSERT_VALUES, SCATTER_REVERSE));
    PetscCall(VecScatterEnd(neural->scatter, neural->fluidz, y, INSERT_VALUES, SCATTER_REVERSE));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

  #if defined(PETLAP_HAVE_CUDA)
/* The output of the device, against that of the host for the same input */
static PetscErrorCode PCNeuralCheckDevice(PC pc, Vec x, Vec y)
{
  PC_Neural         *neural = (PC_Neural *)pc->data;
  Vec                expected;
  const PetscScalar *h, *d;
  PetscReal          most = 0.0, difference = 0.0;
  PetscInt           n;
  bool               finite = true, same = true;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(y, &expected));
  PetscCall(PCNeuralApplyHost(pc, x, expected, PETSC_FALSE));
  PetscCall(VecGetLocalSize(y, &n));
  PetscCall(VecGetArrayRead(expected, &h));
  PetscCall(VecGetArrayRead(y, &d));
  for (PetscInt i = 0; i < n; i++) {
    finite     = finite && !PetscIsInfOrNanReal(h[i]);
    same       = same && !PetscIsInfOrNanReal(d[i]);
    most       = PetscMax(most, PetscAbsReal(h[i]));
    difference = PetscMax(difference, PetscAbsReal(h[i] - d[i]));
  }
  PetscCall(VecRestoreArrayRead(expected, &h));
  PetscCall(VecRestoreArrayRead(y, &d));
  PetscCall(VecDestroy(&expected));
  if (finite && most > 0.0) neural->difference = PetscMax(neural->difference, difference / most);
  PetscCheck(!finite || (same && difference <= PCNEURAL_CHECK * most), PetscObjectComm((PetscObject)pc), PETSC_ERR_PLIB,
             "The CUDA device and the host differ by %g of the largest number of the output, and more than %g is an error in petlap: use -pc_neural_backend host and report it", (double)(most > 0.0 ? difference / most : difference), PCNEURAL_CHECK);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralApplyDevice(PC pc, Vec x, Vec y)
{
  PC_Neural         *neural = (PC_Neural *)pc->data;
  const PetscScalar *r;
  PetscScalar       *z;
  PetscMemType       from, to;
  PetscInt           n;
  void              *stream;

  PetscFunctionBegin;
  BackendCall(pc, DeviceCurrentStream(&stream));
  PetscCall(PCNeuralTellDevice(pc));
  PetscCall(VecGetLocalSize(x, &n));
  PetscCall(VecGetArrayReadAndMemType(x, &r, &from));
  PetscCall(VecGetArrayWriteAndMemType(y, &z, &to));
  PetscCall(PetscLogGpuTimeBegin());
  BackendCall(pc, neural->device->ApplyStaged(stream, (size_t)n, r, PetscMemTypeHost(from), PCNeuralFactor(neural), z, PetscMemTypeHost(to)));
  PetscCall(PetscLogGpuTimeEnd());
  if (PetscMemTypeHost(from)) PetscCall(PetscLogCpuToGpu((PetscLogDouble)(n * sizeof(PetscScalar))));
  if (PetscMemTypeHost(to)) PetscCall(PetscLogGpuToCpu((PetscLogDouble)(n * sizeof(PetscScalar))));
  PetscCall(VecRestoreArrayReadAndMemType(x, &r));
  PetscCall(VecRestoreArrayWriteAndMemType(y, &z));
  if (neural->check) PetscCall(PCNeuralCheckDevice(pc, x, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}
  #endif

static PetscErrorCode PCApply_Neural(PC pc, Vec x, Vec y)
{
  PC_Neural *neural = (PC_Neural *)pc->data;
  PetscBool  device;

  PetscFunctionBegin;
  PetscCall(PetlapCiteLan());
  if (pc->failedreason) {
    PetscCall(VecSet(y, INFINITY));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  /* The matrix may not have told what vectors there would be */
  if (!neural->device && !neural->dry && neural->backend == PETLAP_BACKEND_AUTO && !neural->scatter) {
    PetscBool ondevice;

    PetscCall(BackendHolds(nullptr, x, &ondevice));
    if (ondevice) PetscCall(PCNeuralChooseBackend(pc, x));
  }
  device          = (PetscBool)(neural->device && !neural->dry && !PCNeuralIsPrecise(neural));
  neural->applied = PETSC_TRUE;
  neural->used    = PCNeuralIsPrecise(neural);
  PetscCall(PetscLogEventBegin(PC_NeuralApply, pc, x, y, nullptr));
  #if defined(PETLAP_HAVE_CUDA)
  if (device)
    PetscCall(PCNeuralApplyDevice(pc, x, y));
  else
  #endif
    PetscCall(PCNeuralApplyHost(pc, x, y, PETSC_FALSE));
  if (PetscDefined(HAVE_DEVICE) && device)
    PetscCall(PetscLogGpuFlops(neural->network->Flops()));
  else if (!neural->dry)
    PetscCall(PetscLogFlops(neural->network->Flops()));
  PetscCall(PetscLogEventEnd(PC_NeuralApply, pc, x, y, nullptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCApplyTranspose_Neural(PC pc, Vec x, Vec y)
{
  PC_Neural *neural = (PC_Neural *)pc->data;

  PetscFunctionBegin;
  PetscCall(PetlapCiteLan());
  if (pc->failedreason) {
    PetscCall(VecSet(y, INFINITY));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscLogEventBegin(PC_NeuralApply, pc, x, y, nullptr));
  PetscCall(PCNeuralApplyHost(pc, x, y, PETSC_TRUE));
  if (!neural->dry) PetscCall(PetscLogFlops(neural->network->Flops()));
  PetscCall(PetscLogEventEnd(PC_NeuralApply, pc, x, y, nullptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralCheckEnum(PC pc, const char function[], const char *const list[], PetscInt value)
{
  PetscInt n = 0;

  PetscFunctionBegin;
  /* the list ends with the names of the type and of the prefix */
  while (list[n + 2]) n++;
  PetscCheck(value >= 0 && value < n, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "%s was given %" PetscInt_FMT ", which is none of the %" PetscInt_FMT " values of %s", function, value, n, list[n]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralSetLevels_Neural(PC pc, PetscInt value)
{
  PC_Neural *neural = (PC_Neural *)pc->data;

  PetscFunctionBegin;
  PetscCheck(value >= 0 && value <= 24, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_OUTOFRANGE, "-pc_neural_levels is %" PetscInt_FMT " and must be between 0 (by the grid) and 24", value);
  neural->levels = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralGetLevels_Neural(PC pc, PetscInt *value)
{
  PetscFunctionBegin;
  *value = ((PC_Neural *)pc->data)->levels;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralSetLevels - Sets the number of resolutions of `PCNEURAL`

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- value - number of levels; 0 (default) lets the grid decide

  Options Database Key:
. -pc_neural_levels <0>

  Level: intermediate

  Notes:
  By default the longest axis of the coarsest level has 4 to 7 cells, unless the weights were made for a fixed number of levels. Each level has half the cells of the
  finer one along each axis. Levels beyond a single cell are left out.

  Reference: section 4.2 of Lan et al. (2024)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` unless between 0 and 24

.seealso: `PCNEURAL`, `PCNeuralGetLevels()`
@*/
PetscErrorCode PCNeuralSetLevels(PC pc, PetscInt value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveInt(pc, value, 2);
  PetscTryMethod(pc, "PCNeuralSetLevels_C", (PC, PetscInt), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralGetLevels - Gets the number of resolutions that was set for `PCNEURAL`

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. value - number of levels; 0 (default) lets the grid decide

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCNEURAL`

.seealso: `PCNEURAL`, `PCNeuralSetLevels()`
@*/
PetscErrorCode PCNeuralGetLevels(PC pc, PetscInt *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCNeuralGetLevels_C", (PC, PetscInt *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralSetMask_Neural(PC pc, PCNeuralMask value)
{
  PC_Neural *neural = (PC_Neural *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCNeuralCheckEnum(pc, "PCNeuralSetMask()", PCNeuralMasks, (PetscInt)value));
  neural->mask = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralGetMask_Neural(PC pc, PCNeuralMask *value)
{
  PetscFunctionBegin;
  *value = ((PC_Neural *)pc->data)->mask;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralSetMask - Sets in which cells the network of `PCNEURAL` has values

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- value - `PCNEURAL_MASK_WEIGHTS` (default), `PCNEURAL_MASK_NONE`, `PCNEURAL_MASK_FLUID` or `PCNEURAL_MASK_DILATED`

  Options Database Key:
. -pc_neural_mask (weights|none|fluid|dilated)

  Level: intermediate

  Notes:
  With `fluid` these are the cells with some fluid, with `dilated` on the coarser levels their neighbours as well, and with `none` all cells of the box, as in the paper, which takes more time where
  there is little fluid. Weights are trained for one of them, which `weights` stands for.

  Reference: section 4.2 of Lan et al. (2024)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values

.seealso: `PCNEURAL`, `PCNeuralGetMask()`
@*/
PetscErrorCode PCNeuralSetMask(PC pc, PCNeuralMask value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, value, 2);
  PetscTryMethod(pc, "PCNeuralSetMask_C", (PC, PCNeuralMask), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralGetMask - Gets in which cells the network of `PCNEURAL` has values

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. value - `PCNEURAL_MASK_WEIGHTS` (default), `PCNEURAL_MASK_NONE`, `PCNEURAL_MASK_FLUID` or `PCNEURAL_MASK_DILATED`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCNEURAL`

.seealso: `PCNEURAL`, `PCNeuralSetMask()`
@*/
PetscErrorCode PCNeuralGetMask(PC pc, PCNeuralMask *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCNeuralGetMask_C", (PC, PCNeuralMask *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralSetScaling_Neural(PC pc, PCNeuralScaling value)
{
  PC_Neural *neural = (PC_Neural *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCNeuralCheckEnum(pc, "PCNeuralSetScaling()", PCNeuralScalings, (PetscInt)value));
  neural->scaling = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralGetScaling_Neural(PC pc, PCNeuralScaling *value)
{
  PetscFunctionBegin;
  *value = ((PC_Neural *)pc->data)->scaling;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralSetScaling - Sets how `PCNEURAL` is scaled to the matrix

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- value - `PCNEURAL_SCALING_NONE`, `PCNEURAL_SCALING_SCALAR` (default) or `PCNEURAL_SCALING_DIAGONAL`

  Options Database Key:
. -pc_neural_scaling (none|scalar|diagonal)

  Level: intermediate

  Notes:
  The network approximates the inverse of the Laplacian whose entries are -1. `scalar` divides by the mean entry of the matrix, with its sign, so that the output is of the right size for `KSPPREONLY`,
  `KSPRICHARDSON` and multigrid. `diagonal` multiplies input and output by the square root of what the diagonal of that Laplacian is over that of the matrix, which helps where coefficients vary smoothly, and
  harms where they jump.

  Reference: section 4.2 of Lan et al. (2024)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values

.seealso: `PCNEURAL`, `PCNeuralGetScaling()`
@*/
PetscErrorCode PCNeuralSetScaling(PC pc, PCNeuralScaling value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, value, 2);
  PetscTryMethod(pc, "PCNeuralSetScaling_C", (PC, PCNeuralScaling), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralGetScaling - Gets how `PCNEURAL` is scaled to the matrix

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. value - `PCNEURAL_SCALING_NONE`, `PCNEURAL_SCALING_SCALAR` (default) or `PCNEURAL_SCALING_DIAGONAL`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCNEURAL`

.seealso: `PCNEURAL`, `PCNeuralSetScaling()`
@*/
PetscErrorCode PCNeuralGetScaling(PC pc, PCNeuralScaling *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCNeuralGetScaling_C", (PC, PCNeuralScaling *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralSetBackend_Neural(PC pc, PetlapBackend value)
{
  PC_Neural *neural = (PC_Neural *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCNeuralCheckEnum(pc, "PCNeuralSetBackend()", PetlapBackends, (PetscInt)value));
  if (neural->backend != value && neural->network) {
    /* Of a preconditioner that has been set up, too */
    const PetlapBackend before = neural->backend;
    PetscErrorCode      error;

    neural->backend = value;
    error           = PCNeuralChooseBackend(pc, nullptr);
    if (error) neural->backend = before;
    PetscCall(error);
  }
  neural->backend = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralGetBackend_Neural(PC pc, PetlapBackend *value)
{
  PetscFunctionBegin;
  *value = ((PC_Neural *)pc->data)->backend;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralSetBackend - Sets where `PCNEURAL` is applied

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- value - `PETLAP_BACKEND_AUTO` (default), `PETLAP_BACKEND_HOST` or `PETLAP_BACKEND_CUDA`

  Options Database Key:
. -pc_neural_backend (auto|host|cuda)

  Level: intermediate

  Notes:
  `auto` works where the matrix or the vectors are: with `-mat_type aijcusparse -vec_type cuda` on the device, and on the host where there is no device, petlap was configured without CUDA, or there are several processes;
  `-info` tells why. With `cuda` vectors of the host are copied to the device and back in each application. Vectors on the device stay there, and an application waits for nothing.

  The set-up, `PCNeuralApplyBatch()` and `PCNeuralAddGradient()` always work on the host.

  With `-petlap_check` each application on the device is made on the host as well, and a difference of more than 1e-4 of the largest number of the output is an error: both compute in single precision, and add up in their own order.

  Reference: section 4.2 of Lan et al. (2024)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values; at set-up, with `cuda`, `PETSC_ERR_GPU` where there is no device, `PETSC_ERR_SUP` on several processes or where petlap was configured without CUDA; `PETSC_ERR_PLIB` from `-petlap_check`

.seealso: `PCNEURAL`, `PCNeuralGetBackend()`
@*/
PetscErrorCode PCNeuralSetBackend(PC pc, PetlapBackend value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, value, 2);
  PetscTryMethod(pc, "PCNeuralSetBackend_C", (PC, PetlapBackend), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralGetBackend - Gets where `PCNEURAL` was told to be applied

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. value - `PETLAP_BACKEND_AUTO` (default), `PETLAP_BACKEND_HOST` or `PETLAP_BACKEND_CUDA`

  Level: intermediate

  Note:
  `-ksp_view` prints where it really is applied.

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCNEURAL`

.seealso: `PCNEURAL`, `PCNeuralSetBackend()`
@*/
PetscErrorCode PCNeuralGetBackend(PC pc, PetlapBackend *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCNeuralGetBackend_C", (PC, PetlapBackend *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralSetPrecision_Neural(PC pc, PCNeuralPrecision value)
{
  PetscFunctionBegin;
  PetscCall(PCNeuralCheckEnum(pc, "PCNeuralSetPrecision()", PCNeuralPrecisions, (PetscInt)value));
  ((PC_Neural *)pc->data)->precision = value;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralGetPrecision_Neural(PC pc, PCNeuralPrecision *value)
{
  PetscFunctionBegin;
  *value = ((PC_Neural *)pc->data)->precision;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralSetPrecision - Sets the precision in which the network of `PCNEURAL` computes

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- value - `PCNEURAL_PRECISION_AUTO` (default), `PCNEURAL_PRECISION_SINGLE` or `PCNEURAL_PRECISION_DOUBLE`

  Options Database Key:
. -pc_neural_precision (auto|single|double)

  Level: intermediate

  Notes:
  In single precision an output is off by about 1e-7 of its largest number, another time for each input, so that the preconditioner is linear to no more digits. `KSPPSDO`, `KSPCG`, `KSPFCG`, `KSPPIPEFCG`, `KSPFGMRES`, `KSPPIPEFGMRES`,
  `KSPGCR`, `KSPPIPEGCR`, `KSPFBCGS`, `KSPFBCGSR`, `KSPQMRCGS`, `KSPRICHARDSON` and `KSPCHEBYSHEV` do not mind, as each output goes to the solution and its product with the matrix to the residual. Others, `KSPGMRES` and `KSPBCGS` among them, would say that
  they have converged at a residual of 1e-6, or stagnate. `auto` computes in single precision for the first ones and in double precision for the others, and where the preconditioner may be a part of another one: for `KSPPREONLY`, for smoothers (`KSPRICHARDSON` and
  `KSPCHEBYSHEV` without a norm), and where `PCApply()` is called outside of a solve.

  Double precision takes several times as long, and three times the memory. It is computed by the host, also where `auto` of `PCNeuralSetBackend()` has taken a device; with the backend `cuda`, `auto` stays in single precision. Transposed applications always are
  in double precision. `-ksp_view` shows what the last solve has used.

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` for other values; at set-up `PETSC_ERR_SUP` for `double` with the backend `cuda`

.seealso: `PCNEURAL`, `PCNeuralGetPrecision()`, `PCNeuralSetBackend()`
@*/
PetscErrorCode PCNeuralSetPrecision(PC pc, PCNeuralPrecision value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscValidLogicalCollectiveEnum(pc, value, 2);
  PetscTryMethod(pc, "PCNeuralSetPrecision_C", (PC, PCNeuralPrecision), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralGetPrecision - Gets the precision that was set for `PCNEURAL`

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. value - `PCNEURAL_PRECISION_AUTO` (default), `PCNEURAL_PRECISION_SINGLE` or `PCNEURAL_PRECISION_DOUBLE`

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCNEURAL`

.seealso: `PCNEURAL`, `PCNeuralSetPrecision()`
@*/
PetscErrorCode PCNeuralGetPrecision(PC pc, PCNeuralPrecision *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCNeuralGetPrecision_C", (PC, PCNeuralPrecision *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralSetWeights_Neural(PC pc, const char *value)
{
  PC_Neural *neural = (PC_Neural *)pc->data;

  PetscFunctionBegin;
  PetscBool same;

  PetscCall(PetscStrcmp(value, neural->weights, &same));
  if (same) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree(neural->weights));
  PetscCall(PetscStrallocpy(value, &neural->weights));
  delete neural->model;
  neural->model = nullptr;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralGetWeights_Neural(PC pc, const char **value)
{
  PetscFunctionBegin;
  *value = ((PC_Neural *)pc->data)->weights;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralSetWeights - Sets the file with the weights of `PCNEURAL`

  Logically Collective

  Input Parameters:
+ pc - the preconditioner
- value - name of an HDF5 file; `analytic` for weights that need no file; null (default) for those that come with petlap

  Options Database Key:
. -pc_neural_weights <file>

  Level: intermediate

  Notes:
  Besides files of petlap, those with the datasets `pre.i.weight`, `post.i.weight`, `l.weight`, `c0.i.weight`, `c1.i.weight` and their biases are read, which hold the numbers of a network as the authors of the paper
  train it. The file is read when the preconditioner is set up.

  Reference: section 4.2 of Lan et al. (2024)

  Errors:
  `PETSC_ERR_FILE_UNEXPECTED` at set-up for a file that does not hold such weights

.seealso: `PCNEURAL`, `PCNeuralGetWeights()`
@*/
PetscErrorCode PCNeuralSetWeights(PC pc, const char *value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscTryMethod(pc, "PCNeuralSetWeights_C", (PC, const char *), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralGetWeights - Gets the file with the weights of `PCNEURAL`

  Not Collective

  Input Parameter:
. pc - the preconditioner

  Output Parameter:
. value - name of an HDF5 file; `analytic` for weights that need no file; null (default) for those that come with petlap

  Level: intermediate

  Errors:
  `PETSC_ERR_SUP` if the preconditioner is not `PCNEURAL`

.seealso: `PCNEURAL`, `PCNeuralSetWeights()`
@*/
PetscErrorCode PCNeuralGetWeights(PC pc, const char **value)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscUseMethod(pc, "PCNeuralGetWeights_C", (PC, const char **), (pc, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCNeuralSetImage_Neural(PC pc, DM dm, Vec labels)
{
  PC_Neural *neural = (PC_Neural *)pc->data;

  PetscFunctionBegin;
  PetscCall(PetscObjectReference((PetscObject)dm));
  PetscCall(PetscObjectReference((PetscObject)labels));
  PetscCall(DMDestroy(&neural->dm));
  PetscCall(VecDestroy(&neural->labels));
  neural->dm     = dm;
  neural->labels = labels;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  PCNeuralSetImage - Tells `PCNEURAL` which cells of a grid are air, fluid and solid

  Collective

  Input Parameters:
+ pc - the preconditioner
. dm - a `DMDA` in two or three dimensions with one unknown per cell, without periodic boundaries; null takes the image back
- labels - a global vector of it: 0 for air (the value there is given), 1 for fluid, 2 for solid (no flux through its faces); null with dm

  Level: beginner

  Notes:
  Without this call the image is read off a matrix that has a row for every cell of its `DMDA`, or comes with a system from `PetlapLoadSystem()`, whose flags 0 (boundary) and 1 (solid) are solid, 2 is fluid and 3 is air.

  The matrix either has a row for every cell, where rows of air and solid are diagonal, or one for each fluid cell, in the order of the cells. What is outside the grid is solid.

  At set-up the labels are compared with a sample of the rows: their neighbours, and whether the diagonal exceeds the other entries where there is air and not where there are walls.

  The vector is not copied. After its values have changed, as in each step of a simulation, call `KSPSetOperators()` as usual: the next set-up only makes the lists of cells and their kernels anew.

  Reference: section 3.2 of Lan et al. (2024)

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` at set-up for other labels; `PETSC_ERR_ARG_SIZ` at set-up for a matrix that does not fit, `PETSC_ERR_SUP` for one that contradicts the labels

.seealso: `PCNEURAL`, `PetlapLoadSystem()`
@*/
PetscErrorCode PCNeuralSetImage(PC pc, DM dm, Vec labels)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  if (dm) PetscValidHeaderSpecific(dm, DM_CLASSID, 2);
  if (labels) PetscValidHeaderSpecific(labels, VEC_CLASSID, 3);
  PetscCheck(!dm == !labels, PetscObjectComm((PetscObject)pc), PETSC_ERR_ARG_WRONG, "PCNeuralSetImage() needs a DMDA and the labels of its cells, or neither");
  PetscTryMethod(pc, "PCNeuralSetImage_C", (PC, DM, Vec), (pc, dm, labels));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What training functions need: one process, and a set-up that has been done */
static PetscErrorCode PCNeuralCheckTraining(PC pc, PC_Neural **neural)
{
  PetscMPIInt size;
  PetscBool   is;

  PetscFunctionBegin;
  PetscValidHeaderSpecific(pc, PC_CLASSID, 1);
  PetscCall(PetscObjectTypeCompare((PetscObject)pc, PCNEURAL, &is));
  PetscCheck(is, PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP, "This is no PCNEURAL: call PCSetType(pc, PCNEURAL) first");
  *neural = (PC_Neural *)pc->data;
  PetscCheck(!(*neural)->dry, PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP, "The network is not applied to this image, as no cell of fluid has another one beside it: train on another one");
  PetscCheck((*neural)->network && (*neural)->model, PetscObjectComm((PetscObject)pc), PETSC_ERR_ORDER, "Call PCSetUp() first");
  PetscCallMPI(MPI_Comm_size(PetscObjectComm((PetscObject)pc), &size));
  PetscCheck(size == 1, PetscObjectComm((PetscObject)pc), PETSC_ERR_SUP, "Training works on one process for each preconditioner: give it PETSC_COMM_SELF, and add up the gradients of the processes");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@C
  PCNeuralGetParameters - Gets the numbers of the network of `PCNEURAL`

  Not Collective

  Input Parameter:
. pc - the preconditioner, after `PCSetUp()`

  Output Parameters:
+ n - how many
- numbers - an array of them, which the caller frees with `PetscFree()`; null is allowed

  Level: developer

  Notes:
  The order: for each stage the convolutions before and after the coarser levels, and the two affine blocks; then the convolution of the coarsest level. A convolution has 3^d entries, and for each entry 3^d numbers that are multiplied with
  the shares of air in the cells of the window, as many for solid, and as many or none for how far air fixes the cells. An affine block has a constant, and none or 2 3^d further numbers.

  Reference: section 4.2.1 of Lan et al. (2024)

  Errors:
  `PETSC_ERR_SUP` for other preconditioners and on more than one process; `PETSC_ERR_ORDER` before `PCSetUp()`

.seealso: `PCNEURAL`, `PCNeuralSetParameters()`, `PCNeuralAddGradient()`
@*/
PetscErrorCode PCNeuralGetParameters(PC pc, PetscInt *n, PetscReal *numbers[])
{
  PC_Neural *neural;

  PetscFunctionBegin;
  PetscCall(PCNeuralCheckTraining(pc, &neural));
  const std::vector<double> v = Numbers(*neural->model);
  *n                          = (PetscInt)v.size();
  if (numbers) {
    PetscCall(PetscMalloc1(*n, numbers));
    PetscCall(PetscArraycpy(*numbers, v.data(), *n));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@C
  PCNeuralSetParameters - Sets the numbers of the network of `PCNEURAL`

  Not Collective

  Input Parameters:
+ pc - the preconditioner, after `PCSetUp()`
. n - how many, which must be as many as `PCNeuralGetParameters()` gets
- numbers - the numbers, in the same order

  Level: developer

  Note:
  The kernels are made when they are needed next.

  Errors:
  `PETSC_ERR_ARG_SIZ` for another n; `PETSC_ERR_FP` for numbers that are not finite

.seealso: `PCNEURAL`, `PCNeuralGetParameters()`, `PCNeuralSaveWeights()`
@*/
PetscErrorCode PCNeuralSetParameters(PC pc, PetscInt n, const PetscReal numbers[])
{
  PC_Neural *neural;

  PetscFunctionBegin;
  PetscCall(PCNeuralCheckTraining(pc, &neural));
  PetscCheck(n == (PetscInt)CountNumbers(*neural->model), PETSC_COMM_SELF, PETSC_ERR_ARG_SIZ, "%" PetscInt_FMT " numbers were given and the network has %" PetscInt_FMT ": ask PCNeuralGetParameters()", n, (PetscInt)CountNumbers(*neural->model));
  for (PetscInt i = 0; i < n; i++) PetscCheck(!PetscIsInfOrNanReal(numbers[i]), PETSC_COMM_SELF, PETSC_ERR_FP, "Number %" PetscInt_FMT " is not finite", i);
  SetNumbers(*neural->model, numbers);
  PetscCall(PCNeuralTry(pc, "making the kernels", [&] { neural->network->SetKernels(*neural->model); }));
  neural->devicekernels = PETSC_FALSE;
  delete neural->precise;
  neural->precise = nullptr;
  if (neural->gradient) neural->gradient->SetModel(*neural->model);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@C
  PCNeuralApplyBatch - Applies the network of `PCNEURAL` to several right-hand sides

  Not Collective

  Input Parameters:
+ pc - the preconditioner, after `PCSetUp()`
- r - `PCNEURAL_BATCH` numbers for each fluid cell, which stand side by side; cells in their order along the grid

  Output Parameter:
. d - the output in the same order, for the Laplacian whose entries are -1, whatever the scaling

  Level: developer

  Note:
  Works on the host, whatever `PCNeuralSetBackend()` says.

  Errors:
  `PETSC_ERR_SUP` on more than one process and for the mask `none`

.seealso: `PCNEURAL`, `PCNeuralAddGradient()`
@*/
PetscErrorCode PCNeuralApplyBatch(PC pc, const PetscReal r[], PetscReal d[])
{
  PC_Neural *neural;

  PetscFunctionBegin;
  PetscCall(PCNeuralCheckTraining(pc, &neural));
  PetscCheck(neural->network->GetMask() != MASK_NONE, PETSC_COMM_SELF, PETSC_ERR_SUP, "Batches are for the masks fluid and dilated: use -pc_neural_mask dilated");
  PetscCall(PCNeuralTry(pc, "making room for a batch", [&] {
    if (!neural->gradient) {
      neural->gradient = new Gradient<float>(*neural->network);
      neural->gradient->SetModel(*neural->model);
    }
  }));
  neural->gradient->Apply(r, d);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@C
  PCNeuralAddGradient - Adds the gradient of a function of the output of `PCNeuralApplyBatch()` with respect to the numbers of the network

  Not Collective

  Input Parameters:
+ pc - the preconditioner
- g - derivative of the function by each number of the output, in the order of the output

  Output Parameter:
. derivative - to which the derivatives by the numbers of `PCNeuralGetParameters()` are added

  Level: developer

  Errors:
  `PETSC_ERR_ORDER` before `PCNeuralApplyBatch()`

.seealso: `PCNEURAL`, `PCNeuralApplyBatch()`, `PCNeuralSetParameters()`
@*/
PetscErrorCode PCNeuralAddGradient(PC pc, const PetscReal g[], PetscReal derivative[])
{
  PC_Neural *neural;

  PetscFunctionBegin;
  PetscCall(PCNeuralCheckTraining(pc, &neural));
  PetscCheck(neural->gradient, PETSC_COMM_SELF, PETSC_ERR_ORDER, "Call PCNeuralApplyBatch() first");
  neural->gradient->Add(g, derivative);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCView_Neural(PC pc, PetscViewer viewer)
{
  PC_Neural *neural = (PC_Neural *)pc->data;
  PetscBool  ascii;

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &ascii));
  if (!ascii) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscViewerASCIIPrintf(viewer, "  scaling: %s\n", PCNeuralScalings[neural->scaling]));
  if (neural->dry) {
    PetscCall(PetscViewerASCIIPrintf(viewer, "  no cell of fluid has another one beside it: the diagonal is applied\n"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (!neural->network || !neural->model) {
    PetscCall(PetscViewerASCIIPrintf(viewer, "  weights: %s; levels: %" PetscInt_FMT " (0: by the grid); mask: %s\n", neural->weights ? neural->weights : "shipped", neural->levels, PCNeuralMasks[neural->mask]));
    PetscCall(PetscViewerASCIIPrintf(viewer, "  backend: %s\n", PetlapBackends[neural->backend]));
    PetscCall(PetscViewerASCIIPrintf(viewer, "  precision: %s\n", PCNeuralPrecisions[neural->precision]));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscViewerASCIIPrintf(viewer, "  backend: %s (%s)\n", PetlapBackends[neural->device ? PETLAP_BACKEND_CUDA : PETLAP_BACKEND_HOST], PetlapBackends[neural->backend]));
  const PetscBool precise = neural->applied ? neural->used : PCNeuralIsPrecise(neural);
  PetscCall(PetscViewerASCIIPrintf(viewer, "  precision: %s (%s)%s\n", PCNeuralPrecisions[precise ? PCNEURAL_PRECISION_DOUBLE : PCNEURAL_PRECISION_SINGLE], PCNeuralPrecisions[neural->precision], neural->device && precise ? ", on the host" : ""));
  const Network &network = *neural->network;
  const Counts  &made    = network.GetCounts();
  const char    *slash   = strrchr(neural->modelname, '/');
  PetscReal      sums[2] = {(PetscReal)neural->nfluid, (PetscReal)(network.Memory() + (neural->precise ? neural->precise->Memory() : 0)) / 1e6};
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPIU_REAL, MPIU_SUM, PetscObjectComm((PetscObject)pc)));
  PetscCall(PetscViewerASCIIPrintf(viewer, "  weights: %s, %d stages, mask: %s%s%s\n", slash ? slash + 1 : neural->modelname, (int)neural->model->stage.size(), PCNeuralMasks[1 + network.GetMask()], neural->model->origin.empty() ? "" : ", ",
                                   neural->model->origin.c_str()));
  PetscCall(PetscViewerASCIIPrintf(viewer, "  image: from %s, %.0f cells of fluid, rows of the matrix: %s\n", neural->origin, (double)sums[0], neural->full ? "all cells" : "fluid"));
  if (neural->guessed) PetscCall(PetscViewerASCIIPrintf(viewer, "  cells that no row mentions: %" PetscInt_FMT "\n", neural->guessed));
  PetscCall(PetscViewerASCIIPrintf(viewer, "  mean entry: %g\n", -(double)neural->kappa));
  if (PCNeuralVaries(neural)) {
    PetscCall(
      PetscViewerASCIIPrintf(viewer, "  entries vary by a factor of %g; cells beside air with faces of other weights: %.0f %%; %s-pc_type hsc is the better choice\n", (double)neural->contrast, 100.0 * (double)neural->ghosts, PCNeuralAdvice(neural)));
  }
  PetscCall(PetscViewerASCIIPrintf(viewer, "  memory: %.1f MB\n", (double)sums[1]));
  #if defined(PETLAP_HAVE_CUDA)
  if (neural->device) {
    PetscCall(PetscViewerASCIIPrintf(viewer, "  memory on the device: %.1f MB; kernels of an application: %d\n", (double)neural->device->Memory() / 1e6, neural->device->Launches()));
    if (neural->check) PetscCall(PetscViewerASCIIPrintf(viewer, "  checked against the host, largest difference: %g\n", (double)neural->difference));
  }
  #endif
  PetscCall(PetscViewerASCIIPrintf(viewer, "  made so far: levels %d, lists %d, kernels %d\n", made.levels, made.lists, made.kernels));
  PetscCall(PetscViewerASCIIPrintf(viewer, "  levels: %d%s\n", network.nlevels(), network.GetPartition().size() > 1 && network.GetPartition().gathered < network.nlevels() ? ", the coarser ones on every process" : ""));
  for (int l = 0; l < network.nlevels(); l++) {
    const Level &L  = network.GetLevel(l);
    const char  *on = L.whole && network.GetPartition().size() > 1 ? " on every process" : "";
    char         size[64];
    double       n[2] = {(double)L.nactive, (double)L.nspecial};

    if (!L.whole) PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, n, 2, MPI_DOUBLE, MPI_SUM, PetscObjectComm((PetscObject)pc)));
    if (network.GetPartition().dim == 3)
      PetscCall(PetscSNPrintf(size, sizeof(size), "%d x %d x %d", L.n[0], L.n[1], L.n[2]));
    else
      PetscCall(PetscSNPrintf(size, sizeof(size), "%d x %d", L.n[0], L.n[2]));
    PetscCall(PetscViewerASCIIPrintf(viewer, "    %s, active %.0f, with own kernel %.0f%s\n", size, n[0], n[1], on));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCSetFromOptions_Neural(PC pc, CompatOptionItems PetscOptionsObject)
{
  PC_Neural        *neural = (PC_Neural *)pc->data;
  char              file[PETSC_MAX_PATH_LEN];
  PetscInt          levels    = neural->levels;
  PCNeuralMask      mask      = neural->mask;
  PCNeuralScaling   scaling   = neural->scaling;
  PetlapBackend     backend   = neural->backend;
  PCNeuralPrecision precision = neural->precision;
  PetscBool         set;

  PetscFunctionBegin;
  PetscOptionsHeadBegin(PetscOptionsObject, "Neural preconditioner for Poisson equations on voxels");
  PetscCall(PetscOptionsString("-pc_neural_weights", "HDF5 file with the weights, or analytic", "PCNeuralSetWeights", neural->weights ? neural->weights : "", file, sizeof(file), &set));
  if (set) PetscCall(PCNeuralSetWeights(pc, file));
  PetscCall(PetscOptionsInt("-pc_neural_levels", "Number of resolutions, 0 for as many as the grid wants", "PCNeuralSetLevels", levels, &levels, &set));
  if (set) PetscCall(PCNeuralSetLevels(pc, levels));
  PetscCall(PetscOptionsEnum("-pc_neural_mask", "Cells in which the network has values", "PCNeuralSetMask", PCNeuralMasks, (PetscEnum)mask, (PetscEnum *)&mask, &set));
  if (set) PetscCall(PCNeuralSetMask(pc, mask));
  PetscCall(PetscOptionsEnum("-pc_neural_scaling", "How the output is scaled to the matrix", "PCNeuralSetScaling", PCNeuralScalings, (PetscEnum)scaling, (PetscEnum *)&scaling, &set));
  if (set) PetscCall(PCNeuralSetScaling(pc, scaling));
  PetscCall(PetscOptionsEnum("-pc_neural_backend", "Where it is applied", "PCNeuralSetBackend", PetlapBackends, (PetscEnum)backend, (PetscEnum *)&backend, &set));
  if (set) PetscCall(PCNeuralSetBackend(pc, backend));
  PetscCall(PetscOptionsEnum("-pc_neural_precision", "Precision it computes in; auto: double where the method needs a linear map", "PCNeuralSetPrecision", PCNeuralPrecisions, (PetscEnum)precision, (PetscEnum *)&precision, &set));
  if (set) PetscCall(PCNeuralSetPrecision(pc, precision));
  PetscOptionsHeadEnd();
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCReset_Neural(PC pc)
{
  PC_Neural *neural = (PC_Neural *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCNeuralResetDevice(neural));
  PetscCall(PCNeuralResetNetwork(neural));
  PetscCall(PCNeuralResetVectors(neural));
  delete neural->model;
  neural->model = nullptr;
  PetscCall(PetscFree(neural->modelname));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode PCDestroy_Neural(PC pc)
{
  PC_Neural *neural = (PC_Neural *)pc->data;

  PetscFunctionBegin;
  PetscCall(PCReset_Neural(pc));
  PetscCall(DMDestroy(&neural->dm));
  PetscCall(VecDestroy(&neural->labels));
  PetscCall(PetscFree(neural->weights));
  if (neural->comm != MPI_COMM_NULL) PetscCallMPI(MPI_Comm_free(&neural->comm));
  for (const char *name : {"PCNeuralSetImage_C", "PCNeuralSetLevels_C", "PCNeuralGetLevels_C", "PCNeuralSetMask_C", "PCNeuralGetMask_C", "PCNeuralSetScaling_C", "PCNeuralGetScaling_C", "PCNeuralSetBackend_C", "PCNeuralGetBackend_C",
                           "PCNeuralSetPrecision_C", "PCNeuralGetPrecision_C", "PCNeuralSetWeights_C", "PCNeuralGetWeights_C"})
    PetscCall(PetscObjectComposeFunction((PetscObject)pc, name, nullptr));
  PetscCall(PetscFree(pc->data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*MC
  PCNEURAL - Neural preconditioner for Poisson equations on voxel domains with air (value given) and walls (no flux): a network of convolutions on several resolutions whose kernels depend on the cells around

  Options Database Keys:
+ -pc_neural_weights <file> - HDF5 file with the weights, `analytic` for some that need no file; default those that come with petlap
. -pc_neural_levels <0> - number of resolutions; 0 for as many as the grid wants
. -pc_neural_mask (weights|none|fluid|dilated) - cells in which the network has values
. -pc_neural_scaling (none|scalar|diagonal) - how the output is scaled to the matrix
. -pc_neural_backend (auto|host|cuda) - where it is applied
- -pc_neural_precision (auto|single|double) - that the network computes in

  Level: beginner

  Notes:
  For matrices of the 5-point stencil in two dimensions and the 7-point stencil in three, with the same entries everywhere, whose diagonal is the number of faces of a cell that lead to fluid or air. A `DMDA` tells the grid, and
  `PCNeuralSetImage()` which of its cells are air, fluid and solid; where the matrix has a row for every cell, it is read off the matrix.

  The preconditioner is nearly but not quite symmetric: use it with `KSPPSDO`, `KSPFCG` or `KSPFGMRES`. It is linear but for rounding, of which `PCNeuralSetPrecision()` tells more. `PCApplyTranspose()` works.

  Where no cell of fluid has another one beside it, the matrix is diagonal, and its diagonal is applied. Where its entries vary by more than a factor of three, or many cells beside air have diagonals that are no whole
  numbers of entries, `-info` and `-ksp_view` say that `PCHSC` is the better choice.

  Singular systems (fluid without air) work as they are when the right-hand side is consistent.

  A change of the image only makes the lists of cells and their kernels anew. Real numbers only.

  References:
  Lan, Gueidon, Kaneda, Panetta, Teran: A Neural-Preconditioned Poisson Solver for Mixed Dirichlet and Neumann Boundary Conditions, ICML 2024.

.seealso: `PCNeuralSetImage()`, `PCNeuralSetWeights()`, `PCNeuralSetScaling()`, `PCNeuralSetPrecision()`, `PCNeuralSetBackend()`, `KSPPSDO`, `PCHSC`
M*/
static PetscErrorCode PCCreate_Neural(PC pc)
{
  PC_Neural *neural;

  PetscFunctionBegin;
  PetscCall(PetscNew(&neural));
  pc->data          = neural;
  neural->mask      = PCNEURAL_MASK_WEIGHTS;
  neural->scaling   = PCNEURAL_SCALING_SCALAR;
  neural->backend   = PETLAP_BACKEND_AUTO;
  neural->precision = PCNEURAL_PRECISION_AUTO;
  neural->linear    = PETSC_TRUE;
  neural->comm      = MPI_COMM_NULL;

  pc->ops->apply          = PCApply_Neural;
  pc->ops->applytranspose = PCApplyTranspose_Neural;
  pc->ops->setup          = PCSetUp_Neural;
  pc->ops->presolve       = PCPreSolve_Neural;
  pc->ops->postsolve      = PCPostSolve_Neural;
  pc->ops->reset          = PCReset_Neural;
  pc->ops->destroy        = PCDestroy_Neural;
  pc->ops->setfromoptions = PCSetFromOptions_Neural;
  pc->ops->view           = PCView_Neural;
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetImage_C", PCNeuralSetImage_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetLevels_C", PCNeuralSetLevels_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralGetLevels_C", PCNeuralGetLevels_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetMask_C", PCNeuralSetMask_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralGetMask_C", PCNeuralGetMask_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetScaling_C", PCNeuralSetScaling_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralGetScaling_C", PCNeuralGetScaling_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetBackend_C", PCNeuralSetBackend_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralGetBackend_C", PCNeuralGetBackend_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetPrecision_C", PCNeuralSetPrecision_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralGetPrecision_C", PCNeuralGetPrecision_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralSetWeights_C", PCNeuralSetWeights_Neural));
  PetscCall(PetscObjectComposeFunction((PetscObject)pc, "PCNeuralGetWeights_C", PCNeuralGetWeights_Neural));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PETSC_INTERN PetscErrorCode PCInitialize_Neural(void)
{
  PetscFunctionBegin;
  PetscCall(PCRegister(PCNEURAL, PCCreate_Neural));
  PetscCall(PetscLogEventRegister("PCNeuralImage", PC_CLASSID, &PC_NeuralImage));
  PetscCall(PetscLogEventRegister("PCNeuralLevels", PC_CLASSID, &PC_NeuralLevels));
  PetscCall(PetscLogEventRegister("PCNeuralLists", PC_CLASSID, &PC_NeuralLists));
  PetscCall(PetscLogEventRegister("PCNeuralKernels", PC_CLASSID, &PC_NeuralKernels));
  PetscCall(PetscLogEventRegister("PCNeuralApply", PC_CLASSID, &PC_NeuralApply));
  PetscFunctionReturn(PETSC_SUCCESS);
}

#endif
