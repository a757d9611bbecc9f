/*
  Reads a system from HDF5 in the layout of sparse matrices in MATLAB v7.3 files: group A with row numbers ir, column starts jc and values
  data, attribute MATLAB_sparse = number of rows; datasets b and x; grid sizes in dims or griddims, cells of a domain in flags.
*/
#include "mat/grid/load.h"

#if !defined(PETSC_HAVE_HDF5)

bool LoadReadHDF5(const char filename[], PetscMPIInt, PetscMPIInt, LoadedSystem *, LoadError *error)
{
  return error->Set(PETSC_ERR_SUP_SYS, "%s is an HDF5 file and this PETSc was built without HDF5: use a PETSc with HDF5, or convert the file to PETSc binary or Matrix Market", filename);
}

#else

  #include <hdf5.h>
  #include <climits>
  #include <cmath>
  #include <cstdint>
  #include <cstring>
  #include <string>

namespace {

struct Handle {
  hid_t id;
  herr_t (*close)(hid_t);

  Handle(hid_t id, herr_t (*close)(hid_t)) : id(id), close(close) {}
  Handle(const Handle &) = delete;
  ~Handle()
  {
    if (id >= 0) close(id);
  }
};

/* HDF5 prints its error stack by default; its innermost description goes into our own error instead */
struct Quiet {
  H5E_auto2_t print;
  void       *context;

  Quiet()
  {
    H5Eget_auto2(H5E_DEFAULT, &print, &context);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Quiet()
  {
    H5Eset_auto2(H5E_DEFAULT, print, context);
  }
};

extern "C" {
static herr_t KeepInnermost(unsigned n, const H5E_error2_t *e, void *text)
{
  if (n == 0 && e->desc) *(std::string *)text = e->desc;
  return 0;
}

static herr_t AppendName(hid_t, const char *name, const H5L_info_t *, void *names)
{
  std::string *s = (std::string *)names;

  if (s->size() < 200) *s += (s->empty() ? "" : ", ") + std::string(name);
  return 0;
}
}

std::string Why()
{
  std::string text;

  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, KeepInnermost, &text);
  return text.empty() ? "no reason given" : text;
}

static_assert(sizeof(double) == sizeof(int64_t), "numbers are turned into whole numbers in place");

/* What is wrong with a number as a whole number, or null. MATLAB's numbers are double unless somebody asks for another class. */
const char *NotWhole(double v)
{
  if (std::isnan(v)) return "NaN";
  if (std::abs(v) > 9007199254740992.0) return "a number beyond 2^53, where double precision skips whole numbers";
  return v == std::floor(v) ? nullptr : "a fraction";
}

/* The type in memory from which whole numbers of a class in the file are made, or -1. HDF5 turns no bits into numbers, and cuts off fractions. */
hid_t WholeType(H5T_class_t cls)
{
  switch (cls) {
  case H5T_INTEGER:
  case H5T_ENUM:
    return H5T_NATIVE_INT64;
  case H5T_BITFIELD:
    return H5T_NATIVE_B64;
  case H5T_FLOAT:
    return H5T_NATIVE_DOUBLE;
  default:
    return -1;
  }
}

class Reader {
public:
  Reader(const char *filename, hid_t file, LoadError *error) : filename(filename), file(file), error(error) {}

  /* Another one, whose failures are no failure of this one */
  Reader Apart(LoadError *other) const
  {
    return Reader(filename, file, other);
  }

  bool Exists(const char *name)
  {
    return H5Lexists(file, name, H5P_DEFAULT) > 0;
  }

  /* Opens a dataset and finds its length, which must be one that the file can hold */
  bool Length(const char *name, hsize_t *n)
  {
    Handle set(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose);

    if (set.id < 0) return Missing(name);
    Handle  space(H5Dget_space(set.id), H5Sclose), type(H5Dget_type(set.id), H5Tclose);
    hsize_t shape[H5S_MAX_RANK], stored = H5Dget_storage_size(set.id);
    int     rank   = H5Sget_simple_extent_dims(space.id, shape, nullptr);
    size_t  bytes  = H5Tget_size(type.id);
    double  points = H5Sget_simple_extent_type(space.id) == H5S_NULL ? 0.0 : 1.0;

    if (rank < 0 || !bytes) return error->Set(PETSC_ERR_FILE_READ, "%s: dataset '%s' has no readable shape: %s", filename, name, Why().c_str());
    /* In floating point, because HDF5's own product of a damaged shape may overflow to a small number */
    for (int d = 0; d < rank; d++) points *= (double)shape[d];
    /* No filter in use packs numbers more tightly than this, and a wild length must not become a wild allocation */
    if (points * (double)bytes > 2000.0 * (double)stored + 4096.0)
      return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: dataset '%s' claims %.0f numbers, but the file stores only %.0f bytes for it: the file is damaged", filename, name, points, (double)stored);
    *n = (hsize_t)points;
    /* MATLAB stores the sizes of an empty array in its place */
    if (H5Aexists(set.id, "MATLAB_empty") > 0) {
      int64_t   empty = 0;
      LoadError unread;

      if (Apart(&unread).Attribute(set.id, "MATLAB_empty", &empty) && empty) *n = 0;
    }
    return true;
  }

  bool Integers(const char *name, hsize_t first, hsize_t n, int64_t *values)
  {
    H5T_class_t cls = H5T_NO_CLASS;

    if (!Class(name, &cls)) return false;
    if (WholeType(cls) < 0) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: dataset '%s' does not hold whole numbers: store it in a class of numbers, int32 for example", filename, name);
    if (!Range(name, first, n, WholeType(cls), values)) return false;
    for (hsize_t k = 0; cls == H5T_FLOAT && k < n; k++) {
      double v;

      memcpy(&v, values + k, sizeof(v));
      if (const char *what = NotWhole(v)) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: dataset '%s' holds %s at position %.0f (counted from 0): it must hold whole numbers", filename, name, what, (double)(first + k));
      values[k] = (int64_t)v;
    }
    return true;
  }

  bool Scalars(const char *name, hsize_t first, hsize_t n, PetscScalar *values)
  {
    H5T_class_t cls = H5T_NO_CLASS;

    if (!Class(name, &cls)) return false;
    if (cls == H5T_COMPOUND) return Complex(name, first, n, values) && Finite(name, first, n, values);
    if (cls == H5T_ENUM || cls == H5T_BITFIELD) {
      int64_t *whole = nullptr;
      bool     ok    = LoadAllocate(n, &whole, error) && Integers(name, first, n, whole);

      for (hsize_t k = 0; ok && k < n; k++) values[k] = (PetscReal)whole[k];
      free(whole);
      return ok;
    }
    if (cls != H5T_INTEGER && cls != H5T_FLOAT) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: dataset '%s' does not hold real numbers: store it in a class of numbers, double for example", filename, name);
    if (!Range(name, first, n, RealType(), values)) return false;
  #if defined(PETSC_USE_COMPLEX)
    /* The reals were read into the front half; spread them from the back */
    const PetscReal *re = (const PetscReal *)values;
    for (hsize_t k = n; k-- > 0;) values[k] = PetscCMPLX(re[k], 0.0);
  #endif
    return Finite(name, first, n, values);
  }

  bool Finite(const char *name, hsize_t first, hsize_t n, const PetscScalar *values)
  {
    size_t bad = LoadFirstNotFinite(n, values);

    if (bad < n) return error->Set(PETSC_ERR_FP, "%s: dataset '%s' holds a NaN or an infinite value at position %.0f (counted from 0): repair the data", filename, name, (double)(first + bad));
    return true;
  }

  /* Splits n entries evenly and reads this process's part */
  bool Vector(const char *name, PetscInt n, PetscMPIInt rank, PetscMPIInt size, LoadVector *vector)
  {
    hsize_t length = 0;
    bool    pairs;

    if (!Exists(name)) return true;
    if (!Length(name, &length)) return false;
    /* PETSc writes complex vectors as pairs of reals, and says so */
    pairs = PetscDefined(USE_COMPLEX) && length == 2 * (hsize_t)n && H5Aexists_by_name(file, name, "complex", H5P_DEFAULT) > 0;
    if (length != (hsize_t)n && !pairs) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: dataset '%s' has %.0f entries and the matrix has %.0f rows: the vector must be as long as the matrix", filename, name, (double)length, (double)n);
    vector->first = (PetscInt)((int64_t)n * rank / size);
    vector->n     = (PetscInt)((int64_t)n * (rank + 1) / size) - vector->first;
    if (!LoadAllocate(vector->n, &vector->v, error)) return false;
    vector->present = true;
    if (!pairs) return Scalars(name, vector->first, vector->n, vector->v);
    H5T_class_t cls = H5T_NO_CLASS;

    if (!Class(name, &cls)) return false;
    if (cls != H5T_INTEGER && cls != H5T_FLOAT) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: dataset '%s' does not hold pairs of real numbers", filename, name);
    return Range(name, 2 * (hsize_t)vector->first, 2 * (hsize_t)vector->n, RealType(), vector->v) && Finite(name, vector->first, vector->n, vector->v);
  }

  /* Reads an attribute that is one whole number; the caller says so if there is another error */
  bool Attribute(hid_t object, const char *name, int64_t *value)
  {
    Handle      attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose), space(H5Aget_space(attribute.id), H5Sclose), type(H5Aget_type(attribute.id), H5Tclose);
    H5T_class_t cls = H5Tget_class(type.id);
    double      v;

    if (WholeType(cls) < 0 || H5Sget_simple_extent_npoints(space.id) != 1 || H5Aread(attribute.id, WholeType(cls), value) < 0) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "is not one whole number");
    if (cls != H5T_FLOAT) return true;
    memcpy(&v, value, sizeof(v));
    if (const char *what = NotWhole(v)) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "is %s", what);
    *value = (int64_t)v;
    return true;
  }

  /* The number of rows of a sparse matrix of MATLAB's */
  bool Rows(const char *group, int64_t *rows)
  {
    Handle    set(H5Gopen2(file, group, H5P_DEFAULT), H5Gclose);
    LoadError wrong;

    if (set.id < 0 || H5Aexists(set.id, "MATLAB_sparse") <= 0) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: '%s' is not a group with the attribute MATLAB_sparse: save the matrix as a sparse matrix of a MATLAB v7.3 file", filename, group);
    if (!Apart(&wrong).Attribute(set.id, "MATLAB_sparse", rows)) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: attribute MATLAB_sparse of '%s' %s: it must hold the number of rows", filename, group, wrong.text);
    return true;
  }

  bool Missing(const char *name)
  {
    std::string names;
    Handle      group(H5Gopen2(file, name, H5P_DEFAULT), H5Gclose);

    if (group.id >= 0 && H5Aexists(group.id, "MATLAB_sparse") > 0) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: '%s' is a sparse array: store it with all its numbers, %s = full(%s) in MATLAB", filename, name, name, name);
    H5Literate(file, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, AppendName, &names);
    return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: no readable dataset '%s'; the file holds: %s", filename, name, names.empty() ? "nothing" : names.c_str());
  }

private:
  const char *filename;
  hid_t       file;
  LoadError  *error;

  static hid_t RealType()
  {
    return sizeof(PetscReal) == sizeof(double) ? H5T_NATIVE_DOUBLE : sizeof(PetscReal) == sizeof(float) ? H5T_NATIVE_FLOAT : H5T_NATIVE_LDOUBLE;
  }

  bool Class(const char *name, H5T_class_t *cls)
  {
    Handle set(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose);

    if (set.id < 0) return Missing(name);
    Handle type(H5Dget_type(set.id), H5Tclose);

    *cls = H5Tget_class(type.id);
    return true;
  }

  /* Pairs with members r and i, as h5py names them, or real and imag, as MATLAB does */
  bool Complex(const char *name, hsize_t first, hsize_t n, PetscScalar *values)
  {
    Handle set(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose);

    if (set.id < 0) return Missing(name);
    Handle type(H5Dget_type(set.id), H5Tclose), pair(H5Tcreate(H5T_COMPOUND, 2 * sizeof(PetscReal)), H5Tclose);
    bool   ok = H5Tget_nmembers(type.id) == 2, has[2] = {false, false};

    for (unsigned m = 0; ok && m < 2; m++) {
      char      *member = H5Tget_member_name(type.id, m);
      const bool im     = member && (*member == 'i' || *member == 'I');

      ok = member && (im || *member == 'r' || *member == 'R') && !has[im] && H5Tinsert(pair.id, member, im * sizeof(PetscReal), RealType()) >= 0;

      has[im] = true;
      if (member) H5free_memory(member);
    }
    if (!ok) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: dataset '%s' is not made of numbers: complex numbers have the members r and i, or real and imag", filename, name);
    if (!PetscDefined(USE_COMPLEX)) return error->Set(PETSC_ERR_SUP_SYS, "%s: dataset '%s' is complex and this PETSc has real scalars: use a PETSc that was configured with complex scalars", filename, name);
    return Range(name, first, n, pair.id, values);
  }

  /* Numbers [first, first + n) of a dataset of any shape, counted in the order they lie in the file */
  bool Range(const char *name, hsize_t first, hsize_t n, hid_t memory, void *values)
  {
    Handle set(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose);

    if (set.id < 0) return Missing(name);
    Handle  space(H5Dget_space(set.id), H5Sclose);
    hsize_t shape[H5S_MAX_RANK], start[H5S_MAX_RANK] = {0}, count[H5S_MAX_RANK], stride = 1;
    int     rank = H5Sget_simple_extent_dims(space.id, shape, nullptr), axis = 0;
    size_t  bytes = H5Tget_size(memory);

    if (!n) return true;
    if (rank == 0) return Read(name, set.id, H5S_ALL, H5S_ALL, memory, values);
    /* Whole slices along the first axis that has more than one point are read, then cut to the range */
    while (axis < rank - 1 && shape[axis] == 1) axis++;
    for (int d = axis + 1; d < rank; d++) stride *= shape[d];
    for (int d = 0; d < rank; d++) count[d] = shape[d];
    start[axis] = first / stride;
    count[axis] = (first + n - 1) / stride + 1 - start[axis];
    hsize_t got = count[axis] * stride, skip = first - start[axis] * stride;
    Handle  slab(H5Screate_simple(1, &got, nullptr), H5Sclose);
    char   *wide = nullptr;

    if (H5Sselect_hyperslab(space.id, H5S_SELECT_SET, start, nullptr, count, nullptr) < 0) return error->Set(PETSC_ERR_FILE_READ, "%s: dataset '%s': %s", filename, name, Why().c_str());
    if (got == n) return Read(name, set.id, slab.id, space.id, memory, values);
    bool ok = LoadAllocate(got * bytes, &wide, error) && Read(name, set.id, slab.id, space.id, memory, wide);

    if (ok) memcpy(values, wide + skip * bytes, n * bytes);
    free(wide);
    return ok;
  }

  bool Read(const char *name, hid_t set, hid_t mspace, hid_t fspace, hid_t memory, void *values)
  {
    if (H5Dread(set, memory, mspace, fspace, H5P_DEFAULT, values) < 0) return error->Set(PETSC_ERR_FILE_READ, "%s: dataset '%s' cannot be read: %s", filename, name, Why().c_str());
    return true;
  }
};

/* Columns [c0, c1) of the matrix, as triplets */
bool ReadMatrix(const char filename[], Reader &reader, PetscMPIInt rank, PetscMPIInt size, LoadedSystem *system, LoadError *error)
{
  int64_t  n, *work = nullptr;
  hsize_t  njc = 0, nir = 0, ndata = 0;
  PetscInt c0, c1;

  if (!reader.Exists("A")) return reader.Missing("A");
  if (!reader.Rows("A", &n) || !reader.Length("A/jc", &njc)) return false;
  if (n < 1) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: attribute MATLAB_sparse of 'A' announces %.0f rows: it must hold the number of rows", filename, (double)n);
  if (njc != (hsize_t)n + 1) return error->Set(PETSC_ERR_ARG_SIZ, "%s: matrix 'A' has %.0f rows and %.0f columns: a linear system needs a square matrix", filename, (double)n, (double)njc - 1.0);
  if (n > PETSC_MAX_INT) return error->Set(PETSC_ERR_ARG_OUTOFRANGE, "%s: matrix 'A' has %.0f rows: use a PETSc with 64-bit indices", filename, (double)n);
  /* A matrix without entries has no datasets for them in MATLAB's files */
  if ((reader.Exists("A/ir") || reader.Exists("A/data")) && (!reader.Length("A/ir", &nir) || !reader.Length("A/data", &ndata))) return false;
  if (nir != ndata) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: matrix 'A' has %.0f row numbers and %.0f values: the file is damaged", filename, (double)nir, (double)ndata);
  if (nir > (hsize_t)PETSC_MAX_INT) return error->Set(PETSC_ERR_ARG_OUTOFRANGE, "%s: matrix 'A' has %.0f entries: use a PETSc with 64-bit indices", filename, (double)nir);

  if (!nir) {
    int64_t many;

    if (!reader.Integers("A/jc", n, 1, &many)) return false;
    if (!many) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: matrix 'A' is empty, it has %.0f rows and no entries: store a matrix with values", filename, (double)n);
    if (!reader.Exists("A/ir")) return reader.Missing("A/ir");
  }
  system->n = (PetscInt)n;
  c0        = (PetscInt)(n * rank / size);
  c1        = (PetscInt)(n * (rank + 1) / size);
  bool ok   = LoadAllocate((size_t)(c1 - c0) + 1, &work, error) && reader.Integers("A/jc", c0, (hsize_t)(c1 - c0) + 1, work);

  if (ok && ((c0 == 0 && work[0] != 0) || work[0] < 0 || (c1 == n && work[c1 - c0] != (int64_t)nir)))
    ok = error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: the column starts 'A/jc' do not run from 0 to the number of entries, %.0f: the file is damaged", filename, (double)nir);
  for (PetscInt c = 0; ok && c < c1 - c0; c++) {
    if (work[c + 1] < work[c] || work[c + 1] > (int64_t)nir) ok = error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: the column starts 'A/jc' decrease or run past the entries at column %.0f: the file is damaged", filename, (double)(c0 + c));
  }
  if (ok) {
    hsize_t first = work[0], count = work[c1 - c0] - work[0];

    system->nz = (PetscCount)count;
    ok         = LoadAllocate(count, &system->i, error) && LoadAllocate(count, &system->j, error) && LoadAllocate(count, &system->v, error);
    for (PetscInt c = 0; ok && c < c1 - c0; c++) {
      for (int64_t k = work[c] - work[0]; k < work[c + 1] - work[0]; k++) system->j[k] = c0 + c;
    }
    ok = ok && LoadAllocate(count, &work, error) && reader.Integers("A/ir", first, count, work);
    for (hsize_t k = 0; ok && k < count; k++) {
      if (work[k] < 0 || work[k] >= n)
        ok = error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: 'A/ir' names row %.0f of a matrix with %.0f rows (rows count from 0): the file is damaged", filename, (double)work[k], (double)n);
      else
        system->i[k] = (PetscInt)work[k];
    }
    ok = ok && reader.Scalars("A/data", first, count, system->v);
  }
  free(work);
  return ok;
}

/*
  flags: 0 boundary, 1 solid, 2 fluid, 3 air. Other things of this name mean something else and are left alone, as is what cannot be read: the
  system does not need them. All processes must see the same grid, or none.
*/
bool ReadFlags(const char filename[], Reader &reader, hsize_t dim, const int64_t size[], double points, PetscMPIInt rank, PetscMPIInt nproc, LoadedSystem *system, LoadError *error)
{
  const unsigned char label[4] = {2, 2, 1, 0};
  hsize_t             length   = 0;
  int64_t            *work     = nullptr;
  LoadError          &image    = system->image;
  Reader              apart    = reader.Apart(&image);

  if (!apart.Length("flags", &length)) return true;
  if ((double)length != points) {
    image.Set(PETSC_ERR_FILE_UNEXPECTED, "%s: 'flags' has %.0f entries and the grid %.0f cells: there must be one for each", filename, (double)length, points);
    return true;
  }
  if (length > (hsize_t)PETSC_MAX_INT || dim < 2) {
    image.Set(PETSC_ERR_FILE_UNEXPECTED, "%s: 'flags' are for grids of two or three dimensions whose cells PETSc's indices can count", filename);
    return true;
  }
  const int64_t first = (int64_t)length * rank / nproc, n = (int64_t)length * (rank + 1) / nproc - first;
  if (!LoadAllocate((size_t)n, &work, error) || !LoadAllocate((size_t)n, &system->label, error)) {
    free(work);
    return false;
  }
  const bool read = apart.Integers("flags", (hsize_t)first, (hsize_t)n, work);
  for (int64_t k = 0; k < n; k++) system->label[k] = read && work[k] >= 0 && work[k] < 4 ? label[work[k]] : 255;
  free(work);
  system->celldim   = (PetscInt)dim;
  system->firstcell = (PetscInt)first;
  system->ncells    = (PetscInt)n;
  for (hsize_t d = 0; d < dim; d++) system->cells[dim - 1 - d] = (PetscInt)size[d];
  return true;
}

/* dims: every point of the grid is an unknown. griddims: only some are, unless their number says otherwise. Slowest axis first. */
bool ReadGrid(const char filename[], Reader &reader, PetscMPIInt rank, PetscMPIInt nproc, LoadedSystem *system, LoadError *error)
{
  const char *name = reader.Exists("dims") ? "dims" : reader.Exists("griddims") ? "griddims" : nullptr;
  int64_t     size[3];
  double      points = 1.0;
  hsize_t     dim    = 0;
  bool        all    = name && !strcmp(name, "dims");

  if (!name) return true;
  if (!reader.Length(name, &dim)) return false;
  if (dim < 1 || dim > 3) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: '%s' has %.0f numbers: a grid has one, two or three sizes", filename, name, (double)dim);
  if (!reader.Integers(name, 0, dim, size)) return false;
  for (hsize_t d = 0; d < dim; d++) {
    if (size[d] < 1) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: '%s' holds the size %.0f: sizes are positive", filename, name, (double)size[d]);
    points *= (double)size[d];
  }
  if (all ? points != (double)system->n : points < (double)system->n)
    return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: the grid in '%s' has %.0f points and the matrix %.0f rows: %s", filename, name, points, (double)system->n,
                      all ? "the product of dims must be the number of unknowns" : "a grid cannot have fewer points than unknowns");
  if (reader.Exists("flags") && !ReadFlags(filename, reader, dim, size, points, rank, nproc, system, error)) return false;
  if (points != (double)system->n) return true;
  system->dim = (PetscInt)dim;
  for (hsize_t d = 0; d < dim; d++) system->size[dim - 1 - d] = (PetscInt)size[d];
  return true;
}

} // namespace

bool LoadReadHDF5(const char filename[], PetscMPIInt rank, PetscMPIInt size, LoadedSystem *system, LoadError *error)
{
  Quiet  quiet;
  Handle file(H5Fopen(filename, H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);

  if (file.id < 0) return error->Set(PETSC_ERR_FILE_OPEN, "%s cannot be opened as HDF5: %s", filename, Why().c_str());
  Reader reader(filename, file.id, error);

  return ReadMatrix(filename, reader, rank, size, system, error) && ReadGrid(filename, reader, rank, size, system, error) && reader.Vector("b", system->n, rank, size, &system->b) && reader.Vector("x", system->n, rank, size, &system->x);
}

#endif
