/*
  Reads a matrix or a vector in the Matrix Market exchange format (coordinate and array files). CHOLMOD can read the format too, but would tie
  the plug-in to one SuiteSparse beside the one PETSc brings, and invents values for pattern files.
*/
#include "mat/grid/load.h"
#include <charconv>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <sys/stat.h>

namespace {

enum Symmetry { GENERAL, SYMMETRIC, SKEW, HERMITIAN };

class MarketFile {
public:
  MarketFile(const char *filename, LoadError *error) : filename(filename), error(error)
  {
    file = fopen(filename, "r");
  }
  MarketFile(const MarketFile &) = delete;
  ~MarketFile()
  {
    if (file) fclose(file);
  }

  bool Bad(const char *what)
  {
    return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s, line %.0f: %s", filename, (double)line, what);
  }

  /* Reads the banner and the sizes; columns and entries are those of the file, before symmetry adds some */
  bool Header()
  {
    char        word[5][32];
    struct stat st;

    if (!file || fstat(fileno(file), &st)) return error->Set(PETSC_ERR_FILE_OPEN, "%s cannot be opened", filename);
    if (!Next(true)) return false;
    if (sscanf(text, "%31s %31s %31s %31s %31s", word[0], word[1], word[2], word[3], word[4]) != 5) return Bad("the first line must read '%%MatrixMarket matrix coordinate|array real|integer|complex general|symmetric|skew-symmetric|hermitian'");
    for (int w = 0; w < 5; w++) {
      for (char *c = word[w]; *c; c++) *c = (char)tolower((unsigned char)*c);
    }
    if (strcmp(word[0], "%%matrixmarket") || strcmp(word[1], "matrix")) return Bad("only files that start with '%%MatrixMarket matrix' can be read");
    array = !strcmp(word[2], "array");
    if (!array && strcmp(word[2], "coordinate")) return Bad("the format must be coordinate or array");
    complex = !strcmp(word[3], "complex");
    if (!strcmp(word[3], "pattern")) return Bad("a pattern file has no values: a linear system needs a matrix with values");
    if (!complex && strcmp(word[3], "real") && strcmp(word[3], "integer")) return Bad("the field must be real, integer or complex");
    if (complex && !PetscDefined(USE_COMPLEX)) return error->Set(PETSC_ERR_SUP_SYS, "%s is complex and this PETSc has real scalars: use a PETSc that was configured with complex scalars", filename);
    if (!strcmp(word[4], "general"))
      symmetry = GENERAL;
    else if (!strcmp(word[4], "symmetric"))
      symmetry = SYMMETRIC;
    else if (!strcmp(word[4], "skew-symmetric"))
      symmetry = SKEW;
    else if (!strcmp(word[4], "hermitian"))
      symmetry = HERMITIAN;
    else
      return Bad("the symmetry must be general, symmetric, skew-symmetric or hermitian");
    do {
      if (!Next(false)) return false;
    } while (text[0] == '%' || Blank());
    p = text;
    if (!Integer(&rows) || !Integer(&columns) || (!array && !Integer(&entries)) || !Blank()) return Bad(array ? "expected the numbers of rows and columns" : "expected the numbers of rows, columns and entries");
    if (rows < 1 || columns < 1 || (!array && entries < 0)) return Bad("the sizes must be positive");
    if (rows > PETSC_MAX_INT || columns > PETSC_MAX_INT) return error->Set(PETSC_ERR_ARG_OUTOFRANGE, "%s has %.0f rows: use a PETSc with 64-bit indices", filename, (double)rows);
    /* The shortest entry takes two characters in an array and six in a coordinate file; no wild length may become a wild allocation */
    if (S_ISREG(st.st_mode) && (array ? 2.0 * (double)rows * (double)columns : 6.0 * (double)entries) > 2.0 * (double)st.st_size + 16.0) return Bad("the file is too short for the number of entries that this line announces");
    /* Rows take memory too, and no file has to grow for them */
    if (!array && (double)rows > 1000.0 * ((double)entries + 1.0)) return Bad("this line announces so few entries that nearly all rows must be empty: the sizes are damaged");
    return true;
  }

  bool Entry(int64_t *row, int64_t *column, PetscScalar *value)
  {
    double re, im = 0.0;

    do {
      if (!Next(false)) return false;
    } while (Blank());
    p = text;
    if (!array) {
      if (!Integer(row) || !Integer(column)) return Bad("expected a row, a column and a value");
      if (*row < 1 || *row > rows || *column < 1 || *column > columns) return Bad("row or column out of range (they count from 1)");
    }
    if (!Real(&re) || (complex && !Real(&im)) || !Blank()) return Bad(complex ? "expected a value with real and imaginary part" : array ? "expected one value" : "expected a row, a column and a value");
    if (PetscIsInfOrNanReal((PetscReal)re) || PetscIsInfOrNanReal((PetscReal)im)) return error->Set(PETSC_ERR_FP, "%s, line %.0f: the value is NaN or infinite: repair the data", filename, (double)line);
#if defined(PETSC_USE_COMPLEX)
    *value = PetscCMPLX(re, im);
#else
    *value = re;
#endif
    return true;
  }

  bool     array = false, complex = false;
  Symmetry symmetry = GENERAL;
  int64_t  rows = 0, columns = 0, entries = 0;

private:
  const char *filename;
  LoadError  *error;
  FILE       *file = nullptr;
  int64_t     line = 0;
  char        text[2048];
  const char *p = text;

  bool Next(bool first)
  {
    line++;
    if (!fgets(text, sizeof(text), file)) return Bad(first ? "the file is empty" : "the file ends before its last entry: it is truncated");
    if (!strchr(text, '\n') && !feof(file)) return Bad("the line is longer than 2047 characters");
    p = text;
    return true;
  }

  bool Blank()
  {
    while (isspace((unsigned char)*p)) p++;
    return !*p;
  }

  /* Not strtod(), which reads the numbers of another locale */
  template <typename T>
  bool Number(T *value)
  {
    Blank();
    if (*p == '+' && p[1] != '-') p++;
    std::from_chars_result result = std::from_chars(p, p + strlen(p), *value);

    if (result.ec != std::errc() || (*result.ptr && !isspace((unsigned char)*result.ptr))) return false;
    p = result.ptr;
    return true;
  }
  bool Integer(int64_t *value)
  {
    return Number(value);
  }
  bool Real(double *value)
  {
    return Number(value);
  }
};

} // namespace

bool LoadReadMatrixMarket(const char filename[], LoadedSystem *system, LoadError *error)
{
  MarketFile  market(filename, error);
  bool        lower = false, upper = false;
  PetscCount  nz = 0;
  PetscScalar value;
  int64_t     row, column;

  if (!market.Header()) return false;
  if (market.array) return market.Bad("an array file holds a dense matrix: store the matrix in coordinate format");
  if (market.rows != market.columns) return error->Set(PETSC_ERR_ARG_SIZ, "%s: the matrix has %.0f rows and %.0f columns: a linear system needs a square matrix", filename, (double)market.rows, (double)market.columns);
  system->n        = (PetscInt)market.rows;
  size_t allocated = (market.symmetry == GENERAL ? 1 : 2) * (size_t)market.entries;
  if (allocated > (size_t)PETSC_MAX_INT) return error->Set(PETSC_ERR_ARG_OUTOFRANGE, "%s has %.0f entries: use a PETSc with 64-bit indices", filename, (double)allocated);
  if (!LoadAllocate(allocated, &system->i, error) || !LoadAllocate(allocated, &system->j, error) || !LoadAllocate(allocated, &system->v, error)) return false;
  for (int64_t k = 0; k < market.entries; k++) {
    if (!market.Entry(&row, &column, &value)) return false;
    system->i[nz]   = (PetscInt)(row - 1);
    system->j[nz]   = (PetscInt)(column - 1);
    system->v[nz++] = value;
    if (market.symmetry == GENERAL) continue;
    if (row == column) {
      if (market.symmetry == SKEW) return market.Bad("a skew-symmetric matrix has no entries on its diagonal");
      if (market.symmetry == HERMITIAN && PetscImaginaryPart(value) != 0.0) return market.Bad("the diagonal of a hermitian matrix is real");
      continue;
    }
    (row > column ? lower : upper) = true;
    if (lower && upper) return market.Bad("a symmetric, skew-symmetric or hermitian file stores one triangle of the matrix; this one stores entries of both");
    system->i[nz]   = (PetscInt)(column - 1);
    system->j[nz]   = (PetscInt)(row - 1);
    system->v[nz++] = market.symmetry == SKEW ? -value : market.symmetry == HERMITIAN ? PetscConj(value) : value;
  }
  system->nz = nz;
  return true;
}

bool LoadReadMatrixMarketVector(const char filename[], PetscInt n, LoadVector *vector, LoadError *error)
{
  MarketFile  market(filename, error);
  PetscScalar value;
  int64_t     row = 1, column = 1;

  if (!market.Header()) return false;
  if (market.rows != n || market.columns != 1)
    return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s has %.0f rows and %.0f columns and the matrix %.0f rows: the vector must be one column as long as the matrix", filename, (double)market.rows, (double)market.columns, (double)n);
  if (market.symmetry != GENERAL) return market.Bad("a vector cannot be symmetric");
  if (!LoadAllocate(n, &vector->v, error)) return false;
  for (int64_t k = 0; k < (market.array ? (int64_t)n : market.entries); k++) {
    if (!market.Entry(&row, &column, &value)) return false;
    vector->v[market.array ? k : row - 1] = value;
  }
  vector->present = true;
  vector->first   = 0;
  vector->n       = n;
  return true;
}
