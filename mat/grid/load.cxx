/*
  Loads a linear system from a file and gives its matrix the DMDA of the grid that the unknowns are numbered along.
*/
#include "petlap.h"
#include "mat/grid/load.h"
#include "mat/compat/petscversion.h"
#include <petscdmda.h>
#include <petscviewer.h>
#include <cstring>
#include <cerrno>
#include <cstdint>
#include <unistd.h>

static PetscLogEvent Petlap_Load;

typedef enum { FORMAT_UNKNOWN, FORMAT_HDF5, FORMAT_BINARY, FORMAT_MATRIX_MARKET } LoadFormat;

PETSC_INTERN PetscErrorCode PetlapLoadInitialize(void)
{
  PetscFunctionBegin;
  PetscCall(PetscLogEventRegister("PetlapLoad", MAT_CLASSID, &Petlap_Load));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Raises the same error on all processes if one of them met trouble */
static PetscErrorCode LoadAgree(MPI_Comm comm, LoadError *error)
{
  PetscMPIInt rank, size, mine, first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  mine = error->code ? rank : size;
  PetscCallMPI(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm));
  if (first == size) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Bcast(error, sizeof(*error), MPI_BYTE, first, comm));
  SETERRQ(comm, error->code, "%s", error->text);
}

bool LoadCheckStart(const char filename[], const unsigned char start[], size_t n, LoadError *error)
{
  const struct {
    size_t      length;
    const char *bytes, *text;
  } known[] = {
    {2, "\x1f\x8b", "is compressed with gzip: unpack it with gunzip first"},
    {3, "BZh", "is compressed with bzip2: unpack it with bunzip2 first"},
    {6,
     "\xfd"
     "7zXZ\0",
     "is compressed with xz: unpack it with unxz first"},
    {4, "\x28\xb5\x2f\xfd", "is compressed with zstd: unpack it with unzstd first"},
    {4, "PK\3\4", "is a zip archive (as .npz files are): unpack it, and store the system in one of the formats that petlap reads"},
    {6, "\x93NUMPY", "is a NumPy array: store the system in one of the formats that petlap reads, with h5py for example"},
    {3, "\xef\xbb\xbf", "starts with a byte order mark (BOM): save it as plain text without one"},
    {2, "\xff\xfe", "starts with a byte order mark (BOM) of UTF-16 text: save it as plain text (ASCII or UTF-8 without a mark)"},
    {2, "\xfe\xff", "starts with a byte order mark (BOM) of UTF-16 text: save it as plain text (ASCII or UTF-8 without a mark)"},
    {10, "MATLAB 7.3", "starts as a MATLAB v7.3 file does and no HDF5 data follow: the file is truncated"},
    {10, "MATLAB 5.0", "is a MATLAB file of a version before 7.3: save it with the option -v7.3"},
  };

  for (const auto &k : known) {
    if (n >= k.length && !memcmp(start, k.bytes, k.length)) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s %s", filename, k.text);
  }
  return true;
}

/* HDF5 starts at byte 0 or, after a block of the user's own, at 512, 1024, 2048 and so on */
static bool LoadIsHDF5(FILE *file, bool atzero)
{
  const unsigned char hdf5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  unsigned char       start[8];

  for (int64_t at = atzero ? 0 : 512; !fseeko(file, (off_t)at, SEEK_SET) && fread(start, 1, sizeof(start), file) == sizeof(start); at *= 2) {
    if (!memcmp(start, hdf5, sizeof(hdf5))) return true;
    if (atzero) return false;
  }
  return false;
}

/* Only the first process looks */
static LoadFormat LoadRecognize(const char filename[], LoadError *error)
{
  unsigned char       start[14]  = {0};
  const uint32_t      classid    = MAT_FILE_CLASSID;
  const unsigned char binary[12] = {0, 0, 0, 0, (unsigned char)(classid >> 24), (unsigned char)(classid >> 16), (unsigned char)(classid >> 8), (unsigned char)classid};
  FILE               *file       = fopen(filename, "rb");
  LoadFormat          format     = FORMAT_UNKNOWN;

  if (!file) {
    error->Set(PETSC_ERR_FILE_OPEN, "%s cannot be opened: %s", filename, strerror(errno));
    return format;
  }
  size_t got = fread(start, 1, sizeof(start), file);
  if (ferror(file))
    error->Set(PETSC_ERR_FILE_OPEN, "%s cannot be read: %s", filename, strerror(errno));
  else if (LoadIsHDF5(file, true))
    format = FORMAT_HDF5;
  else if (got == sizeof(start) && !strncasecmp((const char *)start, "%%MatrixMarket", sizeof(start)))
    format = FORMAT_MATRIX_MARKET;
  else if (got >= 8 && !memcmp(start, binary + (sizeof(PetscInt) == 8 ? 0 : 4), sizeof(PetscInt)))
    format = FORMAT_BINARY;
  else if (LoadIsHDF5(file, false))
    /* Last of the formats, because the user's own block may hold anything but the start of another one */
    format = FORMAT_HDF5;
  else if (got >= 8 && (!memcmp(start, binary, 8) || !memcmp(start, binary + 4, 4)))
    error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s is in PETSc's binary format with %d-bit indices and this PETSc has %d-bit ones: convert the file, or use a PETSc with its index size", filename, sizeof(PetscInt) == 8 ? 32 : 64,
               8 * (int)sizeof(PetscInt));
  else if (LoadCheckStart(filename, start, got, error))
    error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s is %s: a system is read from HDF5 (sparse matrix of a MATLAB v7.3 file), PETSc's binary format, or Matrix Market", filename, got ? "in no format that petlap knows, or truncated" : "empty");
  fclose(file);
  return format;
}

/* The numbers of boxes along each axis that cut the fewest lines between points; zeros where some box would be thinner than the width */
static void LoadCutGrid(PetscMPIInt nproc, const PetscInt size[], PetscInt width, PetscInt best[])
{
  PetscReal cut = PETSC_MAX_REAL;

  for (PetscInt d = 0; d < 3; d++) best[d] = 0;
  for (PetscInt pz = 1; pz <= PetscMin(nproc, size[2]); pz++) {
    for (PetscInt py = 1; py <= PetscMin(nproc / pz, size[1]); py++) {
      const PetscInt px = nproc / pz / py, p[3] = {px, py, pz};
      PetscReal      c    = 0.0;
      PetscBool      fits = (PetscBool)(px * py * pz == nproc);

      for (PetscInt d = 0; d < 3; d++) {
        if (p[d] > 1 && size[d] / p[d] < width) fits = PETSC_FALSE;
        c += (PetscReal)(p[d] - 1) * size[0] * size[1] * size[2] / size[d];
      }
      if (fits && c < cut) {
        cut = c;
        for (PetscInt d = 0; d < 3; d++) best[d] = p[d];
      }
    }
  }
}

/*
  Measures the stencil of the matrix on its grid and makes the DMDA. There is none when the grid is too small to be cut into a box for each
  process; the matrix is then distributed by rows like any other.
*/
static PetscErrorCode LoadCreateGrid(MPI_Comm comm, LoadedSystem *system, DM *dm)
{
  const PetscInt *size     = system->size;
  PetscInt        reach[2] = {1, 0}, all[2], width, best[3];
  PetscMPIInt     nproc;

  PetscFunctionBegin;
  *dm = nullptr;
  if (!system->dim) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_size(comm, &nproc));
  for (PetscCount k = 0; k < system->nz; k++) {
    PetscInt i = system->i[k], j = system->j[k], moved = 0;

    for (PetscInt d = 0; d < system->dim; d++) {
      PetscInt delta = PetscAbsInt(i % size[d] - j % size[d]);

      reach[0] = PetscMax(reach[0], delta);
      if (delta) moved++;
      i /= size[d];
      j /= size[d];
    }
    if (moved > 1) reach[1] = 1;
  }
  CompatCallAllreduce(reach, all, 2, MPIU_INT, MPI_MAX, comm);
  width = all[0];
  if (width > 8) {
    PetscCall(PetscInfo(nullptr, "The matrix couples grid points %" PetscInt_FMT " apart, which is no stencil: the DMDA is made with stencil width 1\n", width));
    width = 1;
  }
  LoadCutGrid(nproc, size, width, best);
  if (!best[0]) {
    PetscCall(PetscInfo(nullptr, "The grid cannot be cut into %d boxes, the matrix is distributed by rows without a DMDA\n", (int)nproc));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(DMDACreate(comm, dm));
  PetscCall(DMSetDimension(*dm, system->dim));
  PetscCall(DMDASetSizes(*dm, size[0], size[1], size[2]));
  PetscCall(DMDASetNumProcs(*dm, best[0], system->dim > 1 ? best[1] : PETSC_DECIDE, system->dim > 2 ? best[2] : PETSC_DECIDE));
  PetscCall(DMDASetBoundaryType(*dm, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE));
  PetscCall(DMDASetDof(*dm, 1));
  PetscCall(DMDASetStencilType(*dm, all[1] ? DMDA_STENCIL_BOX : DMDA_STENCIL_STAR));
  PetscCall(DMDASetStencilWidth(*dm, width));
  PetscCall(DMSetUp(*dm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode LoadAssembleVector(Mat A, AO ao, LoadVector *share, const char name[], Vec *v)
{
  PetscInt *rows;

  PetscFunctionBegin;
  PetscCall(MatCreateVecs(A, nullptr, v));
  PetscCall(PetscObjectSetName((PetscObject)*v, name));
  PetscCall(PetscMalloc1(share->n, &rows));
  for (PetscInt k = 0; k < share->n; k++) rows[k] = share->first + k;
  if (ao) PetscCall(AOApplicationToPetsc(ao, share->n, rows));
  PetscCall(VecSetValues(*v, share->n, rows, share->v, INSERT_VALUES));
  PetscCall(PetscFree(rows));
  PetscCall(VecAssemblyBegin(*v));
  PetscCall(VecAssemblyEnd(*v));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A vector of labels on a grid of its own goes along with the matrix, where PCNEURAL finds it */
static PetscErrorCode LoadComposeImage(MPI_Comm comm, const LoadedSystem *system, Mat A)
{
  DM           dm;
  AO           ao;
  Vec          labels;
  PetscInt    *rows, counts[2] = {0, 0}, all[2], best[3] = {0, 0, 0};
  PetscScalar *values;
  PetscMPIInt  nproc;

  PetscFunctionBegin;
  /* One process that cannot use its labels is enough */
  if (!system->celldim) counts[1]++;
  for (PetscInt k = 0; k < system->ncells; k++) {
    counts[0] += system->label[k] == 1;
    counts[1] += system->label[k] > 2;
  }
  CompatCallAllreduce(counts, all, 2, MPIU_INT, MPI_SUM, comm);
  if (system->image.code) PetscCall(PetscInfo(A, "The labels of the cells are left alone: %s\n", system->image.text));
  if (!system->celldim) PetscFunctionReturn(PETSC_SUCCESS);
  if (all[1] || (all[0] != system->n && system->n != system->cells[0] * system->cells[1] * system->cells[2])) {
    PetscCall(PetscInfo(A, "'flags' do not hold 0 (boundary), 1 (solid), 2 (fluid), 3 (air) with a 2 for each unknown: they are not read as the image of a domain\n"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCallMPI(MPI_Comm_size(comm, &nproc));
  /* PETSc's own cut of a small grid may have boxes without cells, which is an error */
  if (PetscMin(system->cells[0], PetscMin(system->cells[1], system->celldim > 2 ? system->cells[2] : nproc)) < nproc) {
    LoadCutGrid(nproc, system->cells, 1, best);
    if (!best[0]) {
      PetscCall(PetscInfo(A, "The cells cannot be cut into %d boxes, 'flags' are not read as the image of a domain\n", (int)nproc));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
  }
  PetscCall(DMDACreate(comm, &dm));
  PetscCall(DMSetDimension(dm, system->celldim));
  PetscCall(DMDASetSizes(dm, system->cells[0], system->cells[1], system->cells[2]));
  if (best[0]) PetscCall(DMDASetNumProcs(dm, best[0], best[1], system->celldim > 2 ? best[2] : PETSC_DECIDE));
  PetscCall(DMDASetDof(dm, 1));
  PetscCall(DMDASetStencilType(dm, DMDA_STENCIL_STAR));
  PetscCall(DMDASetStencilWidth(dm, 1));
  PetscCall(DMSetUp(dm));
  PetscCall(DMCreateGlobalVector(dm, &labels));
  PetscCall(PetscMalloc2(system->ncells, &rows, system->ncells, &values));
  for (PetscInt k = 0; k < system->ncells; k++) {
    rows[k]   = system->firstcell + k;
    values[k] = (PetscScalar)system->label[k];
  }
  PetscCall(DMDAGetAO(dm, &ao));
  PetscCall(AOApplicationToPetsc(ao, system->ncells, rows));
  PetscCall(VecSetValues(labels, system->ncells, rows, values, INSERT_VALUES));
  PetscCall(VecAssemblyBegin(labels));
  PetscCall(VecAssemblyEnd(labels));
  PetscCall(PetscFree2(rows, values));
  PetscCall(PetscObjectCompose((PetscObject)A, "PetlapImage", (PetscObject)labels));
  PetscCall(VecDestroy(&labels));
  PetscCall(DMDestroy(&dm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode LoadAssemble(MPI_Comm comm, LoadedSystem *system, Mat *A, Vec *b, Vec *x)
{
  DM          dm;
  AO          ao     = nullptr;
  PetscInt    n      = PETSC_DECIDE;
  PetscInt    has[2] = {system->b.present, system->x.present}, any[2];
  PetscMPIInt nproc;

  PetscFunctionBegin;
  PetscCall(LoadCreateGrid(comm, system, &dm));
  if (dm) {
    Vec v;

    PetscCall(DMGetGlobalVector(dm, &v));
    PetscCall(VecGetLocalSize(v, &n));
    PetscCall(DMRestoreGlobalVector(dm, &v));
    /* A DMDA numbers box by box, the file line by line; on one process there is one box and both agree */
    PetscCallMPI(MPI_Comm_size(comm, &nproc));
    if (nproc > 1) {
      PetscCall(DMDAGetAO(dm, &ao));
      PetscCall(AOApplicationToPetsc(ao, (PetscInt)system->nz, system->i));
      PetscCall(AOApplicationToPetsc(ao, (PetscInt)system->nz, system->j));
    }
  }
  PetscCall(MatCreate(comm, A));
  PetscCall(PetscObjectSetName((PetscObject)*A, "A"));
  PetscCall(MatSetSizes(*A, n, n, system->n, system->n));
  PetscCall(MatSetType(*A, MATAIJ));
  PetscCall(MatSetFromOptions(*A));
  PetscCall(MatSetPreallocationCOO(*A, system->nz, system->i, system->j));
  PetscCall(MatSetValuesCOO(*A, system->v, INSERT_VALUES));
  if (dm) PetscCall(MatSetDM(*A, dm));
  PetscCall(LoadComposeImage(comm, system, *A));
  CompatCallAllreduce(has, any, 2, MPIU_INT, MPI_MAX, comm);
  if (b && any[0]) PetscCall(LoadAssembleVector(*A, ao, &system->b, "b", b));
  if (x && any[1]) PetscCall(LoadAssembleVector(*A, ao, &system->x, "x", x));
  PetscCall(DMDestroy(&dm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode LoadBinary(MPI_Comm comm, const char filename[], PetscMPIInt rank, Mat *A, Vec *b, Vec *x)
{
  PetscViewer viewer;
  LoadError   error;
  PetscInt    nvectors = 0;
  Vec         v[2]     = {nullptr, nullptr};

  PetscFunctionBegin;
  if (rank == 0) LoadCheckBinary(filename, &nvectors, &error);
  PetscCall(LoadAgree(comm, &error));
  PetscCallMPI(MPI_Bcast(&nvectors, 1, MPIU_INT, 0, comm));
  PetscCall(PetscViewerCreate(comm, &viewer));
  PetscCall(PetscViewerSetType(viewer, PETSCVIEWERBINARY));
  /* A file NAME.info beside the matrix could set options of the program */
  PetscCall(PetscViewerBinarySetSkipInfo(viewer, PETSC_TRUE));
  PetscCall(PetscViewerFileSetMode(viewer, FILE_MODE_READ));
  PetscCall(PetscViewerFileSetName(viewer, filename));
  PetscCall(MatCreate(comm, A));
  PetscCall(MatSetType(*A, MATAIJ));
  PetscCall(MatSetFromOptions(*A));
  PetscCall(MatLoad(*A, viewer));
  PetscCall(PetscObjectSetName((PetscObject)*A, "A"));
  for (PetscInt k = 0; k < nvectors; k++) {
    PetscCall(MatCreateVecs(*A, nullptr, &v[k]));
    PetscCall(VecLoad(v[k], viewer));
    PetscCall(PetscObjectSetName((PetscObject)v[k], k ? "x" : "b"));
  }
  PetscCall(PetscViewerDestroy(&viewer));
  if (b)
    *b = v[0];
  else
    PetscCall(VecDestroy(&v[0]));
  if (x)
    *x = v[1];
  else
    PetscCall(VecDestroy(&v[1]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* NAME.mtx comes with NAME_b.mtx and NAME_x.mtx where there are such files */
static void LoadMatrixMarket(const char filename[], LoadedSystem *system, LoadError *error)
{
  if (!LoadReadMatrixMarket(filename, system, error)) return;
  for (const char *suffix : {"_b", "_x"}) {
    const char *dot = strrchr(filename, '.'), *slash = strrchr(filename, '/');
    int         stem = dot && (!slash || dot > slash) ? (int)(dot - filename) : (int)strlen(filename);
    char        name[PETSC_MAX_PATH_LEN];

    if (snprintf(name, sizeof(name), "%.*s%s%s", stem, filename, suffix, filename + stem) >= (int)sizeof(name)) continue;
    /* A file that exists and cannot be opened is an error of the reader, not a system without this vector */
    if (access(name, F_OK) && errno == ENOENT) continue;
    if (!LoadReadMatrixMarketVector(name, system->n, suffix[1] == 'b' ? &system->b : &system->x, error)) return;
  }
}

/*@C
  PetlapLoadSystem - Loads a square linear system from a file, and makes the DMDA of its grid if the file describes one

  Collective

  Input Parameters:
+ comm     - the communicator of the matrix and the vectors
- filename - a file in HDF5, PETSc's binary or the Matrix Market format; which one it is, is found out

  Output Parameters:
+ A - the n x n matrix; type `MATAIJ` or what `-mat_type` says
. b - the right-hand side, of length n, `NULL` if the file has none; pass `NULL` if you do not need it
- x - a known solution, of length n, `NULL` if the file has none; pass `NULL` if you do not need it

  Options Database Keys:
+ -mat_type <aij> - type of the matrix, for example aijcusparse
- -vec_type       - follows from the type of the matrix

  Level: beginner

  Notes:
  HDF5 files hold the matrix as MATLAB v7.3 files hold a sparse matrix: a group A with the attribute MATLAB_sparse (number of rows) and
  the datasets jc (where each column starts), ir (row numbers, from 0) and data. The datasets b and x may have any shape with n entries. MATLAB's
  own files, which start with a block of text, are read as they are. Whole numbers may be stored in any class (integer, floating point,
  boolean) as long as they have no fraction, and values too; complex ones have the members r and i, or real and imag. If a
  dataset dims = [ny, nx] or [nz, ny, nx] exists, every point of that grid is an unknown and x runs fastest; the matrix then carries a DMDA
  (`MatGetDM()`) with one unknown per point and the matrix's stencil. The same holds for griddims when its product is n; otherwise the
  unknowns are only some of the points and there is no DMDA. Where several processes share a DMDA its numbering differs from the file's;
  `DMDAGlobalToNaturalBegin()` goes back. A dataset flags of the same grid says which cells are boundary (0), solid (1), fluid (2) and air (3); if it
  cannot be read or says something else, the system is loaded without it, and `-info` tells why.

  PETSc's binary files hold the matrix, then optionally b and x, and nothing else. With a Matrix Market file NAME.mtx, NAME_b.mtx and NAME_x.mtx
  are read too if they exist; blank lines and comments may stand anywhere, but nothing else after the last entry. Values too small for double precision are 0.

  Errors, each with the file and the place in it:
  `PETSC_ERR_FILE_OPEN` the file is missing, unreadable or truncated; `PETSC_ERR_FILE_UNEXPECTED` unknown format, missing dataset, wrong
  length, damaged index, a fraction where a whole number is needed, a matrix without entries, data that are left over, a compressed file; `PETSC_ERR_ARG_SIZ` the matrix is not square; `PETSC_ERR_FP` NaN or infinite value; `PETSC_ERR_MEM` out of memory;
  `PETSC_ERR_ARG_OUTOFRANGE` more entries than PETSc's indices can count; `PETSC_ERR_SUP_SYS` complex data in a real PETSc, or no HDF5.

.seealso: `PetlapInitialize()`, `MatLoad()`, `MatGetDM()`
@*/
PetscErrorCode PetlapLoadSystem(MPI_Comm comm, const char filename[], Mat *A, Vec *b, Vec *x)
{
  LoadedSystem system;
  LoadError    error;
  PetscMPIInt  rank, size;
  PetscInt     common[5];
  int          format = FORMAT_UNKNOWN;

  PetscFunctionBegin;
  PetscCall(PetlapInitialize());
  PetscCall(PetscLogEventBegin(Petlap_Load, 0, 0, 0, 0));
  *A = nullptr;
  if (b) *b = nullptr;
  if (x) *x = nullptr;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  if (rank == 0) format = LoadRecognize(filename, &error);
  PetscCall(LoadAgree(comm, &error));
  PetscCallMPI(MPI_Bcast(&format, 1, MPI_INT, 0, comm));
  if (format == FORMAT_BINARY) {
    PetscCall(LoadBinary(comm, filename, rank, A, b, x));
  } else {
    if (format == FORMAT_HDF5)
      LoadReadHDF5(filename, rank, size, &system, &error);
    else if (rank == 0)
      LoadMatrixMarket(filename, &system, &error);
    PetscCall(LoadAgree(comm, &error));
    common[0] = system.n;
    common[1] = system.dim;
    for (PetscInt d = 0; d < 3; d++) common[2 + d] = system.size[d];
    PetscCallMPI(MPI_Bcast(common, 5, MPIU_INT, 0, comm));
    system.n   = common[0];
    system.dim = common[1];
    for (PetscInt d = 0; d < 3; d++) system.size[d] = common[2 + d];
    PetscCall(LoadAssemble(comm, &system, A, b, x));
  }
  PetscCall(PetscLogEventEnd(Petlap_Load, 0, 0, 0, 0));
  PetscFunctionReturn(PETSC_SUCCESS);
}
