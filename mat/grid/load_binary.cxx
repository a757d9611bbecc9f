/*
  Looks through a file in PETSc's binary format before PETSc reads it: MatLoad() and VecLoad() trust what they find.
*/
#include "mat/grid/load.h"
#include <petscvec.h>
#include <cstdint>
#include <new>
#include <sys/stat.h>

namespace {

const PetscInt Block = 8192;

class BinaryFile {
public:
  BinaryFile(const char *filename, LoadError *error) : filename(filename), error(error)
  {
    if (PetscBinaryOpen(filename, FILE_MODE_READ, &fd)) fd = -1;
  }
  BinaryFile(const BinaryFile &) = delete;
  ~BinaryFile()
  {
    if (fd >= 0) (void)!PetscBinaryClose(fd);
    free(lengths);
  }

  bool Open()
  {
    struct stat st;

    if (fd < 0 || fstat(fd, &st)) return error->Set(PETSC_ERR_FILE_OPEN, "%s cannot be opened", filename);
    left = (double)st.st_size;
    return true;
  }

  bool AtEnd() const
  {
    return left <= 0.0;
  }

  /* Announces n numbers, which the file must be long enough to hold */
  bool Expect(double n, size_t bytes, const char *what)
  {
    if (n * (double)bytes > left) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s ends inside %s: the file is truncated, damaged, or was written with another index size or scalar type", filename, what);
    return true;
  }

  template <typename T>
  bool Read(T *values, PetscInt n, PetscDataType type, const char *what)
  {
    PetscInt got = 0;

    if (!Expect((double)n, sizeof(T), what)) return false;
    if (PetscBinaryRead(fd, values, n, &got, type) || got != n) return error->Set(PETSC_ERR_FILE_READ, "%s cannot be read in %s", filename, what);
    left -= (double)n * sizeof(T);
    return true;
  }

  bool Values(PetscInt n, const char *what)
  {
    for (PetscInt k = 0; k < n; k += Block) {
      PetscInt m = PetscMin(Block, n - k);

      if (!Read(values, m, PETSC_SCALAR, what)) return false;
      size_t bad = LoadFirstNotFinite(m, values);

      if (bad < (size_t)m) return error->Set(PETSC_ERR_FP, "%s holds a NaN or an infinite value in %s at position %.0f (counted from 0): repair the data", filename, what, (double)k + (double)bad);
    }
    return true;
  }

  bool Matrix(PetscInt *n)
  {
    PetscInt header[4], row = 0, in = 0, last = 0;
    int64_t  sum = 0;

    if (!Read(header, 4, PETSC_INT, "the matrix header")) return false;
    if (header[0] != MAT_FILE_CLASSID) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s does not start with a matrix in PETSc's binary format of this index size", filename);
    *n = header[1];
    if (header[1] < 1 || header[1] != header[2]) return error->Set(PETSC_ERR_ARG_SIZ, "%s: the matrix has %.0f rows and %.0f columns: a linear system needs a square matrix", filename, (double)header[1], (double)header[2]);
    if (header[3] < 0) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s holds a dense matrix or a damaged header: store the matrix as a sparse one (type aij)", filename);
    if (!Expect((double)header[1] + (double)header[3], sizeof(PetscInt), "the matrix") || !Expect((double)header[3], sizeof(PetscScalar), "the matrix")) return false;
    if (!header[3]) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: the matrix is empty, it has %.0f rows and no entries: store a matrix with values", filename, (double)header[1]);
    if (!LoadAllocate(header[1], &lengths, error)) return false;
    for (PetscInt k = 0; k < header[1]; k += Block) {
      if (!Read(lengths + k, PetscMin(Block, header[1] - k), PETSC_INT, "the row lengths")) return false;
    }
    for (PetscInt k = 0; k < header[1]; k++) {
      if (lengths[k] < 0 || lengths[k] > header[2]) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: row %.0f has the length %.0f: the file is damaged", filename, (double)k, (double)lengths[k]);
      sum += lengths[k];
    }
    if (sum != header[3]) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: the row lengths add up to %.0f and the header announces %.0f entries: the file is damaged", filename, (double)sum, (double)header[3]);
    for (PetscInt k = 0; k < header[3]; k += Block) {
      PetscInt m = PetscMin(Block, header[3] - k);

      if (!Read(numbers, m, PETSC_INT, "the column numbers")) return false;
      for (PetscInt l = 0; l < m; l++) {
        if (numbers[l] < 0 || numbers[l] >= header[2])
          return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: entry %.0f names column %.0f of a matrix with %.0f columns: the file is damaged", filename, (double)k + (double)l, (double)numbers[l], (double)header[2]);
        /* MatLoad() keeps the order of the file on one process, and factorizations rely on rising columns */
        while (in == lengths[row]) {
          row++;
          in = 0;
        }
        if (in++ && numbers[l] <= last)
          return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: row %.0f lists column %.0f after column %.0f: sort the columns of each row and add up repeated entries before writing the file", filename, (double)row, (double)numbers[l], (double)last);
        last = numbers[l];
      }
    }
    return Values(header[3], "the matrix");
  }

  bool Vector(PetscInt n, const char *what, const char *before)
  {
    PetscInt header[2];

    if (!Read(header, 2, PETSC_INT, what)) return false;
    if (header[0] != VEC_FILE_CLASSID) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: what follows %s is not a vector in PETSc's binary format: write the matrix, b and x only", filename, before);
    if (header[1] != n) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: %s has %.0f entries and the matrix has %.0f rows: the vector must be as long as the matrix", filename, what, (double)header[1], (double)n);
    return Values(n, what);
  }

  /* An object that is left over may be the one that was meant */
  bool End()
  {
    if (!AtEnd()) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: %.0f bytes follow the vector x: write the matrix, b and x only, in this order", filename, left);
    return true;
  }

private:
  const char *filename;
  LoadError  *error;
  int         fd      = -1;
  double      left    = 0.0;
  PetscInt   *lengths = nullptr;
  PetscInt    numbers[Block];
  PetscScalar values[Block];
};

} // namespace

bool LoadCheckBinary(const char filename[], PetscInt *nvectors, LoadError *error)
{
  BinaryFile *file = new (std::nothrow) BinaryFile(filename, error);
  PetscInt    n    = 0;

  *nvectors = 0;
  if (!file) return error->Set(PETSC_ERR_MEM, "Out of memory");
  bool ok = file->Open() && file->Matrix(&n);
  while (ok && *nvectors < 2 && !file->AtEnd()) {
    ok = *nvectors ? file->Vector(n, "the vector x", "the vector b") : file->Vector(n, "the vector b", "the matrix");
    (*nvectors)++;
  }
  ok = ok && file->End();
  delete file;
  return ok;
}
