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

/* Hands out the bytes of the input and zeros after its end */
struct Bytes {
  const uint8_t *p, *end;

  bool More() const
  {
    return p < end;
  }
  unsigned Byte()
  {
    return p < end ? *p++ : 0;
  }
  unsigned Below(unsigned n)
  {
    return Byte() % n;
  }
  int64_t Number()
  {
    uint64_t value = 0;

    for (int k = 0; k < 8; k++) value = value << 8 | Byte();
    return (int64_t)value;
  }
};

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
enum Kind { DATASET, ABSENT, GROUP, DANGLING, CYCLE, SOFT, HARD, EXTERNAL, NAMED_TYPE, KINDS };
enum Layout { CONTIGUOUS, COMPACT, CHUNKED, UNSTORED, DEFLATED, EARLY, LAYOUTS };
enum Which { JC, IR, DATA, B, X, DIMS, GRIDDIMS, WHICH };

const char *const Name[WHICH] = {"A/jc", "A/ir", "A/data", "b", "x", "dims", "griddims"};
/* More numbers than this are announced but never written */
const hsize_t Most = 4096;

struct Dataset {
  Kind                 kind   = DATASET;
  Layout               layout = CONTIGUOUS;
  unsigned             type = 0, other = 0, space = 1; /* space: 0 scalar, 1 simple, 2 null */
  std::vector<hsize_t> shape;
  hsize_t              chunk = 0;
  std::vector<double>  values;
};

struct Content {
  Dataset  set[WHICH];
  unsigned group = 0, attribute = 0;
  int64_t  rows = 0;
};

void Fill(Dataset *set, std::vector<double> values)
{
  set->kind   = DATASET;
  set->shape  = {values.size()};
  set->values = values;
}

/* Finite differences on a grid of nx x ny x nz points; present has a bit for each of b, x, dims and griddims */
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
  for (int w : {JC, IR, DIMS, GRIDDIMS}) c.set[w].type = 3;
  return c;
}

double Value(Bytes *in)
{
  const double special[] = {0.0, 1.0, -1.0, 2.0, 3.0, 4.0, NAN, INFINITY, -INFINITY, 1e308, 1e-320, 2147483647.0, 4294967296.0, 9.2e18, 1e19, 0.5};
  unsigned     b         = in->Byte();

  return b < 16 ? special[b] : (double)b - 128.0;
}

hsize_t Extent(Bytes *in)
{
  unsigned b = in->Byte();

  return b < 192 ? b : b < 250 ? ((hsize_t)1 << (b - 192)) + in->Byte() % 4 : ((hsize_t)1 << (58 + b % 6)) + in->Byte() % 4;
}

/* One edit: its number, mostly the dataset it concerns, then its arguments */
void Edit(Bytes *in, Content *c)
{
  unsigned what = in->Below(10);
  Dataset *set  = &c->set[what < 7 ? in->Below(WHICH) : 0];

  switch (what) {
  case 0:
    set->type = in->Byte();
    break;
  case 1:
    set->space = 1;
    set->shape.resize(in->Below(5));
    for (hsize_t &extent : set->shape) extent = Extent(in);
    break;
  case 2: {
    unsigned at = in->Byte();

    if (at < set->values.size()) set->values[at] = Value(in);
  } break;
  case 3:
    set->kind  = (Kind)in->Below(KINDS);
    set->other = in->Below(WHICH);
    break;
  case 4:
    set->layout = (Layout)in->Below(LAYOUTS);
    set->chunk  = Extent(in);
    break;
  case 5:
    set->space = in->Below(3);
    break;
  case 6:
    set->values.resize(in->Below(64));
    set->shape = {set->values.size()};
    break;
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

/* The type in the file; what must be closed is closed by the caller. Values are converted by HDF5 where it can. */
hid_t FileType(unsigned type)
{
  const hid_t plain[] = {H5T_IEEE_F64LE, H5T_STD_I8LE, H5T_STD_I32LE, H5T_STD_U64LE, H5T_STD_U8BE, H5T_STD_I64BE, H5T_STD_U16LE, H5T_STD_I64LE, H5T_IEEE_F32BE, H5T_NATIVE_LDOUBLE, H5T_STD_B32LE, H5T_STD_REF_OBJ, H5T_UNIX_D32LE};
  const int   nplain  = sizeof(plain) / sizeof(*plain);
  hid_t       made    = -1, inner;

  type %= nplain + 13;
  if (type < (unsigned)nplain) return H5Tcopy(plain[type]);
  switch (type - nplain) {
  case 0: /* how h5py and MATLAB write complex numbers */
  case 1:
    made = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(made, type - nplain ? "real" : "r", 0, H5T_IEEE_F64LE);
    H5Tinsert(made, type - nplain ? "imag" : "i", 8, H5T_IEEE_F64LE);
    return made;
  case 2:
    made = H5Tcreate(H5T_COMPOUND, 24);
    H5Tinsert(made, "a", 0, H5T_IEEE_F64LE);
    H5Tinsert(made, "b", 8, H5T_STD_I32LE);
    H5Tinsert(made, "c", 16, H5T_STD_I8LE);
    return made;
  case 3:
    made  = H5Tcreate(H5T_COMPOUND, 24);
    inner = H5Tcopy(H5T_C_S1);
    H5Tset_size(inner, 8);
    H5Tinsert(made, "text", 0, inner);
    H5Tinsert(made, "number", 8, H5T_STD_I64LE);
    H5Tclose(inner);
    return made;
  case 4:
    made = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(made, "one", 0, H5T_IEEE_F64LE);
    return made;
  case 5:
    made = H5Tcopy(H5T_C_S1);
    H5Tset_size(made, 8);
    return made;
  case 6:
    made = H5Tcopy(H5T_C_S1);
    H5Tset_size(made, H5T_VARIABLE);
    return made;
  case 7:
    return H5Tvlen_create(H5T_STD_I64LE);
  case 8: {
    const hsize_t two = 2;

    return H5Tarray_create2(H5T_IEEE_F64LE, 1, &two);
  }
  case 9: {
    signed char value = 1;

    made = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(made, "TRUE", &value);
    return made;
  }
  case 10:
    return H5Tcreate(H5T_OPAQUE, 8);
  case 11: /* 12 bits in the middle of 24 */
    made = H5Tcopy(H5T_STD_I32LE);
    H5Tset_precision(made, 12);
    H5Tset_offset(made, 5);
    H5Tset_size(made, 3);
    return made;
  default: /* wider than any integer of the machine */
    made = H5Tcopy(H5T_STD_I64LE);
    H5Tset_size(made, 16);
    H5Tset_precision(made, 128);
    return made;
  }
}

void WriteDataset(hid_t file, const char *name, const Dataset &set)
{
  const int            rank = (int)set.shape.size();
  hid_t                type = FileType(set.type), space, create = H5Pcreate(H5P_DATASET_CREATE), dataset;
  double               points = 1.0;
  std::vector<hsize_t> chunk, most = set.shape;

  for (hsize_t extent : set.shape) points *= (double)extent;
  if (set.space == 1 && rank) {
    if (set.layout == COMPACT) H5Pset_layout(create, H5D_COMPACT);
    if (set.layout == CHUNKED || set.layout == DEFLATED || set.layout == UNSTORED) {
      for (hsize_t &extent : most) {
        chunk.push_back(set.chunk ? set.chunk : extent ? extent : 1);
        extent = H5S_UNLIMITED;
      }
      H5Pset_chunk(create, rank, chunk.data());
      if (set.layout == DEFLATED) H5Pset_deflate(create, 1);
    }
    if (set.layout == EARLY) {
      H5Pset_alloc_time(create, H5D_ALLOC_TIME_EARLY);
      H5Pset_fill_time(create, H5D_FILL_TIME_NEVER);
    }
  }
  space = set.space == 0 || (set.space == 1 && !rank) ? H5Screate(H5S_SCALAR) : set.space == 2 ? H5Screate(H5S_NULL) : H5Screate_simple(rank, set.shape.data(), most.data());
  if (set.space != 1 || !rank) points = set.space == 2 ? 0.0 : 1.0;
  /* libhdf5 takes memory for whole chunks when it writes, and space on disk that is taken early counts as written for the loader */
  bool   small = points <= (double)Most;
  double part  = 1.0;
  for (hsize_t c : chunk) part *= (double)c;
  if ((small && part <= 1e6 && (set.layout != EARLY || small)) || set.layout == UNSTORED) {
    dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (dataset >= 0 && set.layout != UNSTORED && points > 0.0) {
      H5T_class_t         cls = H5Tget_class(type);
      std::vector<double> values((size_t)points, 0.0);

      for (size_t k = 0; k < values.size() && k < set.values.size(); k++) values[k] = set.values[k];
      if (cls == H5T_COMPOUND && H5Tget_size(type) == 16) {
        hid_t half = H5Tcreate(H5T_COMPOUND, 8);

        /* Only the member of this name is written, the other one stays zero */
        H5Tinsert(half, H5Tget_member_index(type, "r") >= 0 ? "r" : "real", 0, H5T_NATIVE_DOUBLE);
        H5Dwrite(dataset, half, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
        H5Tclose(half);
      } else if (cls == H5T_INTEGER || cls == H5T_FLOAT) {
        H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
      }
    }
    if (dataset >= 0) H5Dclose(dataset);
  }
  H5Sclose(space);
  H5Pclose(create);
  H5Tclose(type);
}

void WriteHDF5(const char *path, const Content &content)
{
  hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), group = -1;

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
    const unsigned kind[] = {7, 7, 7, 3, 1, 0, 18, 16};
    hid_t          type = FileType(kind[content.attribute]), space = content.attribute == 2 ? H5Screate_simple(1, &two, nullptr) : H5Screate(H5S_SCALAR), attribute;
    int64_t        value[2] = {content.rows, content.rows};

    attribute = H5Acreate2(group, "MATLAB_sparse", type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (H5Tget_class(type) == H5T_INTEGER || H5Tget_class(type) == H5T_FLOAT) H5Awrite(attribute, H5T_NATIVE_INT64, value);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  }
  for (int w = 0; w < WHICH; w++) {
    const Dataset &set  = content.set[w];
    const char    *name = Name[w], *other = Name[set.other];

    switch (set.kind) {
    case DATASET:
      WriteDataset(file, name, set);
      break;
    case GROUP: {
      hid_t made = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

      if (made >= 0) H5Gclose(made);
    } break;
    case DANGLING:
      H5Lcreate_soft("/nowhere/at/all", file, name, H5P_DEFAULT, H5P_DEFAULT);
      break;
    case CYCLE:
      H5Lcreate_soft((std::string("/") + name).c_str(), file, name, H5P_DEFAULT, H5P_DEFAULT);
      break;
    case SOFT:
      H5Lcreate_soft((std::string("/") + other).c_str(), file, name, H5P_DEFAULT, H5P_DEFAULT);
      break;
    case HARD:
      H5Lcreate_hard(file, other, file, name, H5P_DEFAULT, H5P_DEFAULT);
      break;
    case EXTERNAL:
      H5Lcreate_external("nowhere.h5", "/b", file, name, H5P_DEFAULT, H5P_DEFAULT);
      break;
    case NAMED_TYPE: {
      hid_t type = FileType(set.type);

      H5Tcommit2(file, name, type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      H5Tclose(type);
    } break;
    default:
      break;
    }
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
