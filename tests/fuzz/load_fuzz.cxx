/*
  Fuzz target for PetlapLoadSystem(). The first byte of the input chooses what the rest means:

    m  Matrix Market: the text of NAME.mtx, then after a zero byte that of NAME_b.mtx, then after another that of NAME_x.mtx
    b  PETSc's binary format: what follows the magic number
    h  HDF5: a list of edits that are made to a small correct system before it is written, see Edit()
    t  HDF5: a small correct file cut off at a position
    r  HDF5: a small correct file with bytes changed and cut off; only with PETLAP_FUZZ_RAW=1, because libhdf5 itself breaks on such files

  Whatever the file holds, the loader must return an error or a system whose parts fit together.
*/
#include "petlap.h"
#include "mat/compat/petscversion.h"
#include "mat/grid/load.h"
#include "hostile.h"
#include <petscdmda.h>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#include <unistd.h>
#include <sanitizer/lsan_interface.h>
#if defined(PETSC_HAVE_HDF5)
  #include <hdf5.h>
#endif

/* MPI keeps memory until the process ends */
extern "C" const char *__lsan_default_suppressions(void)
{
  return "leak:libmpi\nleak:libopen-\nleak:libpmix\nleak:libhwloc\nleak:libevent\nleak:mca_\n";
}

using namespace hostile;

namespace {

char folder[512];

std::string Path(const char *name)
{
  return std::string(folder) + "/" + name;
}

void Expect(bool good, const char *what)
{
  if (good) return;
  fprintf(stderr, "load_fuzz: %s\n", what);
  abort();
}

void Write(const char *name, const void *data, size_t n)
{
  FILE *file = fopen(Path(name).c_str(), "wb");

  Expect(file && fwrite(data, 1, n, file) == n && !fclose(file), "cannot write the input file");
}

PetscErrorCode CheckVector(Vec v, PetscInt n)
{
  const PetscScalar *values;
  PetscInt           length;

  PetscFunctionBegin;
  PetscCall(VecGetSize(v, &length));
  Expect(length == n, "a vector is not as long as the matrix");
  PetscCall(VecGetArrayRead(v, &values));
  for (PetscInt k = 0; k < n; k++) Expect(!PetscIsInfOrNanScalar(values[k]), "a vector holds a value that is not finite");
  PetscCall(VecRestoreArrayRead(v, &values));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The loaded objects are PETSc's now, and no use of them may fail */
PetscErrorCode CheckSystem(Mat A, Vec b, Vec x)
{
  PetscInt           m, n, ncols, size[3] = {0, 0, 0};
  const PetscInt    *cols;
  const PetscScalar *values;
  Vec                in, out;
  DM                 dm;
  PetscBool          assembled;

  PetscFunctionBegin;
  PetscCall(MatGetSize(A, &m, &n));
  Expect(m == n && n > 0, "the matrix is not square");
  PetscCall(MatAssembled(A, &assembled));
  Expect(assembled, "the matrix is not assembled");
  for (PetscInt i = 0; i < n; i++) {
    PetscCall(MatGetRow(A, i, &ncols, &cols, &values));
    for (PetscInt k = 0; k < ncols; k++) {
      Expect(cols[k] >= 0 && cols[k] < n, "a column number is out of range");
      Expect(!k || cols[k] > cols[k - 1], "the column numbers of a row do not increase");
    }
    PetscCall(MatRestoreRow(A, i, &ncols, &cols, &values));
  }
  if (b) PetscCall(CheckVector(b, n));
  if (x) PetscCall(CheckVector(x, n));
  PetscCall(MatGetDM(A, &dm));
  if (dm) {
    PetscCall(DMDAGetInfo(dm, nullptr, &size[0], &size[1], &size[2], nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
    Expect(size[0] * size[1] * size[2] == n, "the grid is not as large as the matrix");
  }
  PetscCall(MatCreateVecs(A, &in, &out));
  PetscCall(VecSet(in, 1.0));
  PetscCall(MatMult(A, in, out));
  PetscCall(MatMultTranspose(A, in, out));
  PetscCall(VecDestroy(&in));
  PetscCall(VecDestroy(&out));
  PetscFunctionReturn(PETSC_SUCCESS);
}

bool Load(const char *name, bool vectors = true)
{
  Mat A = nullptr;
  Vec b = nullptr, x = nullptr;

  const bool good = !PetlapLoadSystem(PETSC_COMM_WORLD, Path(name).c_str(), &A, vectors ? &b : nullptr, vectors ? &x : nullptr);
  if (good) {
    Expect(!CheckSystem(A, b, x), "PETSc does not accept what was loaded");
  } else {
    Expect(!A && !b && !x, "a failed load returned an object");
  }
  Expect(!MatDestroy(&A) && !VecDestroy(&b) && !VecDestroy(&x), "PETSc cannot destroy what was loaded");
  return good;
}

void RunMarket(Bytes in)
{
  const char *name[] = {"s.mtx", "s_b.mtx", "s_x.mtx"};

  for (int k = 0; k < 3; k++) {
    const uint8_t *start = in.p;

    if (k && start >= in.end) {
      unlink(Path(name[k]).c_str());
      continue;
    }
    while (in.p < in.end && *in.p) in.p++;
    Write(name[k], start, in.p - start);
    if (in.p < in.end) in.p++;
  }
  Load("s.mtx");
}

void RunBinary(Bytes in)
{
  const uint32_t       id = MAT_FILE_CLASSID;
  std::vector<uint8_t> file(sizeof(PetscInt) - 4, 0);

  for (int k = 24; k >= 0; k -= 8) file.push_back((uint8_t)(id >> k));
  file.insert(file.end(), in.p, in.end);
  Write("s.bin", file.data(), file.size());
  Load("s.bin", in.end - in.p < 1 || in.end[-1] != 0xff);
}

#if defined(PETSC_HAVE_HDF5)
enum Which { JC, IR, DATA, B, X, DIMS, GRIDDIMS, FLAGS, WHICH };

const char *const Name[WHICH] = {"A/jc", "A/ir", "A/data", "b", "x", "dims", "griddims", "flags"};
struct Content {
  Dataset  set[WHICH];
  unsigned group = 0, attribute = 0, block = 0; /* block: a power of 2 from 512 on, or 0 */
  int64_t  rows = 0;
};

/* Finite differences on a grid of nx x ny x nz points; present has a bit for each of b, x, dims, griddims and, two bits later, flags and a block */
Content Laplacian(int nx, int ny, int nz, unsigned present)
{
  Content             c;
  std::vector<double> jc(1, 0.0), ir, data;

  for (int k = 0; k < nz; k++) {
    for (int j = 0; j < ny; j++) {
      for (int i = 0; i < nx; i++) {
        const int at[7][3] = {{i, j, k - 1}, {i, j - 1, k}, {i - 1, j, k}, {i, j, k}, {i + 1, j, k}, {i, j + 1, k}, {i, j, k + 1}};

        for (int s = 0; s < 7; s++) {
          if (at[s][0] < 0 || at[s][0] >= nx || at[s][1] < 0 || at[s][1] >= ny || at[s][2] < 0 || at[s][2] >= nz) continue;
          ir.push_back(at[s][0] + nx * (at[s][1] + ny * at[s][2]));
          data.push_back(s == 3 ? 6.0 : -1.0);
        }
        jc.push_back((double)ir.size());
      }
    }
  }
  c.rows = nx * ny * nz;
  Fill(&c.set[JC], jc);
  Fill(&c.set[IR], ir);
  Fill(&c.set[DATA], data);
  Fill(&c.set[B], std::vector<double>(c.rows, 1.0));
  Fill(&c.set[X], std::vector<double>(c.rows, 0.5));
  for (int w = DIMS; w <= GRIDDIMS; w++) Fill(&c.set[w], nz > 1 ? std::vector<double>{(double)nz, (double)ny, (double)nx} : std::vector<double>{(double)ny, (double)nx});
  for (int w = 0; w < 4; w++) {
    if (!(present >> w & 1)) c.set[B + w].kind = ABSENT;
  }
  Fill(&c.set[FLAGS], std::vector<double>(c.rows, 2.0));
  if (!(present & 32)) c.set[FLAGS].kind = ABSENT;
  if (present & 64) c.block = 512u << (unsigned)(c.rows % 4);
  for (int w : {JC, IR, DIMS, GRIDDIMS}) c.set[w].type = 3;
  return c;
}

/* One edit: its number, mostly the dataset it concerns, then its arguments */
void Edit(Bytes *in, Content *c)
{
  unsigned what = in->Below(10);
  Dataset *set  = &c->set[what < 7 ? in->Below(WHICH) : 0];

  if (what < 7) {
    EditDataset(in, what, WHICH, set);
    return;
  }
  switch (what) {
  case 7:
    c->attribute = in->Below(8);
    break;
  case 8:
    c->rows = in->Below(2) ? in->Number() : (int64_t)in->Byte() - 4;
    break;
  default:
    c->group = in->Below(6);
  }
}

void WriteHDF5(const char *path, const Content &content)
{
  hid_t create = H5Pcreate(H5P_FILE_CREATE), file, group = -1;

  H5Pset_userblock(create, content.block);
  file = H5Fcreate(path, H5F_ACC_TRUNC, create, H5P_DEFAULT);
  H5Pclose(create);
  Expect(file >= 0, "libhdf5 cannot create a file");
  switch (content.group) {
  case 1:
    break;
  case 2:
    H5Lcreate_soft("/nowhere", file, "A", H5P_DEFAULT, H5P_DEFAULT);
    break;
  case 3:
    H5Lcreate_soft("/A", file, "A", H5P_DEFAULT, H5P_DEFAULT);
    break;
  case 4:
    WriteDataset(file, "A", content.set[B]);
    break;
  case 5:
    group = H5Gcreate2(file, "hidden", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("hidden", file, "A", H5P_DEFAULT, H5P_DEFAULT);
    break;
  default:
    group = H5Gcreate2(file, "A", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  }
  if (group >= 0 && content.attribute != 1) {
    const hsize_t  two    = 2;
    const unsigned kind[] = {7, 7, 7, 3, 1, 0, 18, 22};
    hid_t          type = FileType(kind[content.attribute]), space = content.attribute == 2 ? H5Screate_simple(1, &two, nullptr) : H5Screate(H5S_SCALAR), attribute;
    int64_t        value[2] = {content.rows, content.rows};

    attribute = H5Acreate2(group, "MATLAB_sparse", type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (H5Tget_class(type) == H5T_INTEGER || H5Tget_class(type) == H5T_FLOAT || H5Tget_class(type) == H5T_ENUM) H5Awrite(attribute, H5Tget_class(type) == H5T_ENUM ? type : H5T_NATIVE_INT64, value);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  }
  for (int w = 0; w < WHICH; w++) {
    const Dataset &set = content.set[w];

    WriteEntry(file, Name[w], Name[set.other], set);
  }
  if (group >= 0) H5Gclose(group);
  H5Fclose(file);
}

/* What the reader does on each of three processes; together they must find what one process finds */
void LoadShares(const char *name, bool good)
{
  const PetscMPIInt size = 3;
  PetscInt          n = 0, nb = 0;
  bool              all = true;

  for (PetscMPIInt rank = 0; rank < size; rank++) {
    LoadedSystem system;
    LoadError    error;

    if (!LoadReadHDF5(Path(name).c_str(), rank, size, &system, &error)) {
      Expect(error.code && *error.text, "a reader fails without an error");
      all = false;
      continue;
    }
    n = system.n;
    Expect(!all || !system.b.present || system.b.first == nb, "the shares of b do not follow each other");
    nb += system.b.n;
    for (PetscCount k = 0; k < system.nz; k++) {
      Expect(system.i[k] >= 0 && system.i[k] < n && system.j[k] >= (PetscInt)((int64_t)n * rank / size) && system.j[k] < (PetscInt)((int64_t)n * (rank + 1) / size), "an entry lies outside the share");
      Expect(!PetscIsInfOrNanScalar(system.v[k]), "an entry is not finite");
    }
  }
  Expect(all == good, "the processes together do not find what one process finds");
  Expect(!all || !nb || nb == n, "the shares of b do not make up b");
}

void RunHDF5(Bytes in)
{
  const int      nx = 1 + (int)in.Below(5), ny = 1 + (int)in.Below(4), nz = 1 + (int)in.Below(3);
  const unsigned present = in.Byte();
  const bool     shares  = present & 16;
  Content        content = Laplacian(nx, ny, nz, present);

  while (in.More()) Edit(&in, &content);
  WriteHDF5(Path("s.h5").c_str(), content);
  const bool good = Load("s.h5");
  if (shares) LoadShares("s.h5", good);
}

/* The bytes of a correct file, one of three kinds */
const std::vector<uint8_t> &Correct(unsigned which)
{
  static std::vector<uint8_t> file[3];

  if (file[which].empty()) {
    Content content = Laplacian(3, 2, which ? 2 : 1, 7);
    uint8_t block[4096];

    for (int w = 0; which && w < WHICH; w++) content.set[w].layout = which == 1 ? CHUNKED : DEFLATED;
    WriteHDF5(Path("correct.h5").c_str(), content);
    FILE *f = fopen(Path("correct.h5").c_str(), "rb");
    Expect(f, "cannot read the correct file");
    for (size_t got; (got = fread(block, 1, sizeof(block), f));) file[which].insert(file[which].end(), block, block + got);
    fclose(f);
  }
  return file[which];
}

void RunChangedHDF5(Bytes in, bool change)
{
  std::vector<uint8_t> file = Correct(in.Below(3));
  size_t               cut  = in.Byte() << 8;

  cut += in.Byte();
  while (change && in.More()) {
    size_t at = in.Byte() << 8;

    at += in.Byte();
    file[at % file.size()] = (uint8_t)in.Byte();
  }
  if (!change || cut) file.resize(cut % (file.size() + 1));
  Write("s.h5", file.data(), file.size());
  Load("s.h5");
}
#endif

void Clean(void)
{
  for (const char *name : {"s.mtx", "s_b.mtx", "s_x.mtx", "s.bin", "s.h5", "correct.h5"}) unlink(Path(name).c_str());
  rmdir(folder);
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int *, char ***argv)
{
  const char *where  = getenv("TMPDIR");
  char        name[] = "load_fuzz", quiet[] = "-no_signal_handler", plain[] = "-skip_petscrc", *args[] = {name, quiet, plain, nullptr}, **a = args;
  int         n = 3;

  (void)argv;
  snprintf(folder, sizeof(folder), "%s/load_fuzz.XXXXXX", where ? where : access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
  Expect(mkdtemp(folder), "cannot create a folder for the input files; TMPDIR may name one");
  atexit(Clean);
  /* Some of MPI's plug-ins are closed again, and then nobody knows whose memory it was */
  __lsan_disable();
  Expect(!PetscInitialize(&n, &a, nullptr, nullptr), "PetscInitialize() failed");
  Expect(!PetscPushErrorHandler(PetscReturnErrorHandler, nullptr), "PETSc does not take an error handler");
  Expect(!PetlapInitialize(), "PetlapInitialize() failed");
  __lsan_enable();
#if defined(PETSC_HAVE_HDF5)
  /* Many edits describe files that libhdf5 refuses to write */
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  /* Without limits libhdf5 keeps its large tables, which are slow to get from the address sanitizer again and again */
  H5set_free_list_limits(-1, -1, -1, -1, -1, -1);
#endif
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
  static const bool  raw  = getenv("PETLAP_FUZZ_RAW") && atoi(getenv("PETLAP_FUZZ_RAW"));
  static const char *only = getenv("PETLAP_FUZZ_ONLY");
  Bytes              in   = {data, data + n};
  unsigned           what = in.Byte();

  if (only && what != (unsigned char)*only) return 0;
  switch (what) {
  case 'm':
    RunMarket(in);
    break;
  case 'b':
    RunBinary(in);
    break;
#if defined(PETSC_HAVE_HDF5)
  case 'h':
    RunHDF5(in);
    break;
  case 't':
    RunChangedHDF5(in, false);
    break;
  case 'r':
    if (raw) RunChangedHDF5(in, true);
    break;
#endif
  default:
    break;
  }
  (void)raw;
  return 0;
}
