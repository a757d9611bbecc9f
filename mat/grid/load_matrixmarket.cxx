/*
  Reads a matrix or a vector in the Matrix Market exchange format (coordinate and array files). CHOLMOD can read the format too, but would tie
  the plug-in to one SuiteSparse beside the one PETSc brings, and invents values for pattern files.
*/
#include "mat/grid/load.h"
#include <charconv>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <sys/stat.h>

namespace {

enum Symmetry { GENERAL, SYMMETRIC, SKEW, HERMITIAN };

/* std::from_chars() tells only that double precision has no such number: the power of ten of the first digit tells whether it is too small or too large */
double OutOfRange(const char *s)
{
  int64_t power = 0, exponent = 0;
  bool    point = false, found = false, negative;

  if (*s == '-') s++;
  for (; isdigit((unsigned char)*s) || *s == '.'; s++) {
    if (*s == '.') {
      point = true;
    } else if (found) {
      power += !point;
    } else {
      power -= point;
      found = *s != '0';
    }
  }
  if (*s == 'e' || *s == 'E') s++;
  negative = *s == '-';
  if (*s == '-' || *s == '+') s++;
  for (; isdigit((unsigned char)*s); s++) {
    if (exponent < 1000000000) exponent = 10 * exponent + (*s - '0');
  }
  return power + (negative ? -exponent : exponent) >= 0 ? (double)INFINITY : 0.0;
}

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
  bool Header(bool vector)
  {
    char        word[5][32];
    int         after = 0;
    bool        end;
    struct stat st;

    if (!file || fstat(fileno(file), &st)) return error->Set(PETSC_ERR_FILE_OPEN, "%s cannot be opened: %s", filename, strerror(errno));
    if (!Line(&end)) return false;
    if (end) return Bad("the file is empty");
    if (sscanf(text, "%31s %31s %31s %31s %31s%n", word[0], word[1], word[2], word[3], word[4], &after) == 5) p = text + after;
    if (!after || !BlankOrComment()) return Bad("the first line must read '%%MatrixMarket matrix coordinate|array real|integer|complex general|symmetric|skew-symmetric|hermitian'");
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
    if (!Next()) return false;
    if (!Integer(&rows) || !Integer(&columns) || (!array && !Integer(&entries)) || !BlankOrComment()) return Bad(array ? "expected the numbers of rows and columns" : "expected the numbers of rows, columns and entries");
    if (rows < 1 || columns < 1 || (!array && entries < 0)) return Bad("the sizes must be positive");
    if (!vector && !array && !entries) return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s: the matrix is empty, it has %.0f rows and no entries: store a matrix with values", filename, (double)rows);
    if (rows > PETSC_MAX_INT || columns > PETSC_MAX_INT) return error->Set(PETSC_ERR_ARG_OUTOFRANGE, "%s has %.0f rows: use a PETSc with 64-bit indices", filename, (double)rows);
    /* The shortest entry takes two characters in an array and six in a coordinate file; no wild length may become a wild allocation */
    if (S_ISREG(st.st_mode) && (array ? 2.0 * (double)rows * (double)columns : 6.0 * (double)entries) > 2.0 * (double)st.st_size + 16.0) return Bad("the file is too short for the number of entries that this line announces");
    /* Rows take memory too, and no file has to grow for them */
    if (!vector && !array && (double)rows > 1000.0 * ((double)entries + 1.0)) return Bad("this line announces so few entries that nearly all rows must be empty: the sizes are damaged");
    return true;
  }

  bool Entry(int64_t *row, int64_t *column, PetscScalar *value)
  {
    double re, im = 0.0;

    if (!Next()) return false;
    if (!array) {
      if (!Integer(row) || !Integer(column)) return Bad("expected a row, a column and a value");
      if (*row < 1 || *row > rows || *column < 1 || *column > columns) return Bad("row or column out of range (they count from 1)");
    }
    if (!Real(&re) || (complex && !Real(&im)) || !BlankOrComment()) return Bad(complex ? "expected a value with real and imaginary part" : array ? "expected one value" : "expected a row, a column and a value");
    if (PetscIsInfOrNanReal((PetscReal)re) || PetscIsInfOrNanReal((PetscReal)im))
      return error->Set(PETSC_ERR_FP, "%s, line %.0f: the value is NaN or infinite (this PETSc's numbers end at %.1e): repair the data", filename, (double)line, (double)PETSC_MAX_REAL);
#if defined(PETSC_USE_COMPLEX)
    *value = PetscCMPLX(re, im);
#else
    *value = re;
#endif
    return true;
  }

  /* Only blanks and comments may follow the last entry: anything else would silently be left out of the system */
  bool End()
  {
    bool end;

    do {
      if (!Line(&end)) return false;
      if (end) return true;
    } while (BlankOrComment());
    return array ? Bad("text follows the last value that the sizes announce: correct the sizes, or remove what follows") : Bad("text follows the last entry: correct the number of entries in the line with the sizes, or remove what follows");
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
  char       *p = text;

  /* Reads a line, which may end as in the text files of any system */
  bool Line(bool *end)
  {
    size_t length = 0;
    bool   zero = false, whole = true;
    int    c;

    line++;
    while ((c = getc_unlocked(file)) != EOF && c != '\n' && c != '\r') {
      zero = zero || !c;
      if (length + 1 < sizeof(text))
        text[length++] = (char)c;
      else
        whole = false;
    }
    text[length] = 0;
    p            = text;
    *end         = c == EOF && !length;
    if (ferror(file)) return error->Set(PETSC_ERR_FILE_READ, "%s cannot be read: %s", filename, strerror(errno));
    if (c == '\r' && (c = getc_unlocked(file)) != '\n' && c != EOF) ungetc(c, file);
    if (line == 1 && !LoadCheckStart(filename, (const unsigned char *)text, length, error)) return false;
    /* Comments may be longer, and hold anything */
    if (line > 1 && BlankOrComment() && *p) return true;
    p = text;
    if (zero) return Bad("the line holds a zero byte: the file is damaged, or is no plain text");
    if (!whole) return Bad("the line is longer than 2047 characters");
    return true;
  }

  /* Moves on to the next line that says something */
  bool Next()
  {
    bool end;

    do {
      if (!Line(&end)) return false;
      if (end) return Bad("the file ends before its last entry: it is truncated");
    } while (BlankOrComment());
    p = text;
    return true;
  }

  bool BlankOrComment()
  {
    while (isspace((unsigned char)*p)) p++;
    return !*p || *p == '%';
  }

  /* Not strtod(), which reads the numbers of another locale */
  template <typename T>
  bool Number(T *value)
  {
    while (isspace((unsigned char)*p)) p++;
    if (*p == '+' && p[1] != '-') p++;
    /* Fortran writes exponents with a D */
    for (char *c = p; *c && !isspace((unsigned char)*c); c++) {
      if (*c == 'd' || *c == 'D') *c = 'e';
    }
    std::from_chars_result result = std::from_chars(p, p + strlen(p), *value);

    if (result.ptr == p || (*result.ptr && *result.ptr != '%' && !isspace((unsigned char)*result.ptr))) return false;
    if (result.ec != std::errc()) {
      if (std::is_integral<T>::value) return false;
      *value = (T)OutOfRange(p);
    }
    p += result.ptr - p;
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

  if (!market.Header(false)) return false;
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
      if (market.symmetry == SKEW && value != (PetscScalar)0.0) return market.Bad("the diagonal of a skew-symmetric matrix is zero");
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
  return market.End();
}

bool LoadReadMatrixMarketVector(const char filename[], PetscInt n, LoadVector *vector, LoadError *error)
{
  MarketFile  market(filename, error);
  PetscScalar value;
  int64_t     row = 1, column = 1;

  if (!market.Header(true)) return false;
  if (market.rows != n || market.columns != 1)
    return error->Set(PETSC_ERR_FILE_UNEXPECTED, "%s has %.0f rows and %.0f columns and the matrix %.0f rows: the vector must be one column as long as the matrix", filename, (double)market.rows, (double)market.columns, (double)n);
  if (market.symmetry != GENERAL) return market.Bad("a vector cannot be symmetric");
  if (!LoadAllocate(n, &vector->v, error)) return false;
  for (int64_t k = 0; k < (market.array ? (int64_t)n : market.entries); k++) {
    if (!market.Entry(&row, &column, &value)) return false;
    /* Entries of the same place add up, as they do in the matrix */
    vector->v[market.array ? k : row - 1] += value;
  }
  if (!market.End()) return false;
  vector->present = true;
  vector->first   = 0;
  vector->n       = n;
  return true;
}
