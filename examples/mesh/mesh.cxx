#include "mesh.h"
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <strings.h>
#include <utility>

const char *const MeshWeightsNames[] = {"unit", "inverse", "cotan", "MeshWeights", "", nullptr};

/* Fourth powers of coordinates appear below and must neither overflow nor vanish */
static const PetscReal LargestCoordinate = 1e30;
/* Edges shorter than this share of the mean are taken to be so long. Flatter triangles than this share of a square are taken to be so flat for cotangents,
   which leaves the Laplacian semidefinite, since it then is that of the edges times a smaller number. */
static const PetscReal ShortestEdge = 1e-4, FlattestTriangle = 1e-6;

static PetscErrorCode MeshCreate(PetscInt vertices, PetscInt triangles, Mesh *mesh)
{
  PetscFunctionBeginUser;
  *mesh           = Mesh();
  mesh->vertices  = vertices;
  mesh->triangles = triangles;
  PetscCall(PetscMalloc1(3 * (size_t)vertices, &mesh->x));
  PetscCall(PetscMalloc1(3 * (size_t)triangles, &mesh->corners));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode MeshDestroy(Mesh *mesh)
{
  PetscFunctionBeginUser;
  PetscCall(PetscFree(mesh->x));
  PetscCall(PetscFree(mesh->corners));
  *mesh = Mesh();
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscBool HasExtension(const char filename[], const char extension[])
{
  const size_t n = std::strlen(filename), m = std::strlen(extension);

  return n > m && !strcasecmp(filename + n - m, extension) ? PETSC_TRUE : PETSC_FALSE;
}

/* A text file in memory, of which one line is looked at */
struct Text {
  const char *filename;
  char       *buffer;
  char       *next; /* first character after the line */
  char       *at;   /* within the line, which ends with 0 */
  PetscInt64  line;
};

static PetscErrorCode TextOpen(const char filename[], Text *text)
{
  PetscBool regular;
  FILE     *file;
  long      size;
  size_t    got;

  PetscFunctionBeginUser;
  PetscCall(PetscTestFile(filename, 'r', &regular));
  PetscCheck(regular, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "%s is no file that can be read", filename);
  file = std::fopen(filename, "rb");
  PetscCheck(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "%s cannot be opened", filename);
  if (std::fseek(file, 0, SEEK_END) || (size = std::ftell(file)) < 0 || std::fseek(file, 0, SEEK_SET)) {
    std::fclose(file);
    SETERRQ(PETSC_COMM_SELF, PETSC_ERR_FILE_READ, "%s cannot be read", filename);
  }
  PetscCall(PetscMalloc1((size_t)size + 1, &text->buffer));
  got = std::fread(text->buffer, 1, (size_t)size, file);
  std::fclose(file);
  if (got != (size_t)size || std::memchr(text->buffer, 0, got)) {
    PetscCall(PetscFree(text->buffer));
    PetscCheck(got == (size_t)size, PETSC_COMM_SELF, PETSC_ERR_FILE_READ, "%s cannot be read", filename);
    SETERRQ(PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s is no text: only the text forms of OFF and OBJ are read", filename);
  }
  text->buffer[got] = 0;
  text->filename    = filename;
  text->at = text->next = text->buffer;
  text->line            = 0;
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The next line with something on it besides a comment, or PETSC_FALSE at the end of the file */
static PetscBool TextLine(Text *text)
{
  while (*text->next) {
    char  *end     = text->next + std::strcspn(text->next, "\r\n");
    char  *comment = nullptr;
    size_t newline = 0;

    if (*end) newline = end[0] == '\r' && end[1] == '\n' ? 2 : 1;
    text->at   = text->next;
    text->next = end + newline;
    text->line++;
    *end = 0;
    if ((comment = std::strchr(text->at, '#'))) *comment = 0;
    text->at += std::strspn(text->at, " \t\v\f");
    if (*text->at) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

static PetscBool TextWord(Text *text, const char word[])
{
  const size_t n = std::strlen(word);

  if (std::strncmp(text->at, word, n) || (text->at[n] && !std::strchr(" \t\v\f", text->at[n]))) return PETSC_FALSE;
  text->at += n + std::strspn(text->at + n, " \t\v\f");
  return PETSC_TRUE;
}

/* Numbers return whether there was one, and leave what follows it to be looked at */
static PetscBool TextReal(Text *text, PetscReal *value)
{
  char  *end;
  double number;

  text->at += std::strspn(text->at, " \t\v\f");
  number = std::strtod(text->at, &end);
  if (end == text->at || (*end && !std::strchr(" \t\v\f", *end))) return PETSC_FALSE;
  text->at = end;
  *value   = (PetscReal)number;
  return PETSC_TRUE;
}

static PetscBool TextInt(Text *text, PetscInt64 *value)
{
  char     *end;
  long long number;

  text->at += std::strspn(text->at, " \t\v\f");
  errno  = 0;
  number = std::strtoll(text->at, &end, 10);
  if (end == text->at || errno) return PETSC_FALSE;
  text->at = end;
  *value   = (PetscInt64)number;
  return PETSC_TRUE;
}

static PetscErrorCode ReadVertex(Text *text, PetscReal x[])
{
  PetscFunctionBeginUser;
  for (PetscInt d = 0; d < 3; d++) {
    PetscCheck(TextReal(text, &x[d]), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s, line %" PetscInt64_FMT ": a vertex needs three numbers", text->filename, text->line);
    PetscCheck(PetscAbsReal(x[d]) <= LargestCoordinate, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s, line %" PetscInt64_FMT ": the coordinate %g is not a number of usual size, at most %g", text->filename, text->line, (double)x[d],
               (double)LargestCoordinate);
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Adds the triangle from the first corner of a face to its last edge. Two equal corners span nothing. */
static PetscErrorCode AddTriangle(PetscInt a, PetscInt b, PetscInt c, size_t *room, Mesh *mesh)
{
  PetscFunctionBeginUser;
  if (a == b || b == c || c == a) {
    mesh->dropped++;
    PetscFunctionReturn((PetscErrorCode)0);
  }
  PetscCheck(mesh->triangles < PETSC_MAX_INT / 16, PETSC_COMM_SELF, PETSC_ERR_SUP, "A mesh with more than %" PetscInt_FMT " triangles needs a PETSc with 64-bit indices", PETSC_MAX_INT / 16);
  if ((size_t)mesh->triangles == *room) {
    *room = 2 * *room + 64;
    PetscCall(PetscRealloc(*room * 3 * sizeof(PetscInt), &mesh->corners));
  }
  mesh->corners[3 * (size_t)mesh->triangles]     = a;
  mesh->corners[3 * (size_t)mesh->triangles + 1] = b;
  mesh->corners[3 * (size_t)mesh->triangles + 2] = c;
  mesh->triangles++;
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Any of OFF, COFF, NOFF, STOFF: what stands behind the three coordinates is left out, as are colours of faces */
static PetscErrorCode ReadOFF(Text *text, Mesh *mesh)
{
  const char *filename = text->filename;
  PetscBool   more;
  PetscInt64  vertices, faces, edges;
  size_t      room = 0, bytes = std::strlen(text->buffer);

  PetscFunctionBeginUser;
  more = TextLine(text);
  PetscCheck(more, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s is empty", filename);
  if (*text->at < '0' || *text->at > '9' || std::strstr(text->at, "OFF")) {
    PetscBool known = PETSC_FALSE;

    for (const char *word : {"OFF", "COFF", "NOFF", "CNOFF", "STOFF", "STCOFF", "STNOFF", "STCNOFF"}) known = known || TextWord(text, word) ? PETSC_TRUE : PETSC_FALSE;
    PetscCheck(known && std::strncmp(text->at, "BINARY", 6), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s, line %" PetscInt64_FMT ": does not begin with OFF, the word for triangles in space, as text", filename, text->line);
    if (!*text->at) more = TextLine(text);
  }
  PetscCheck(more && TextInt(text, &vertices) && TextInt(text, &faces), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s, line %" PetscInt64_FMT ": the numbers of vertices and faces are missing", filename, text->line);
  if (!TextInt(text, &edges)) edges = 0;
  /* Files that lie about their lengths must not cost memory: each vertex takes at least the bytes of "0 0 0" */
  PetscCheck(vertices >= 1 && faces >= 0 && (uint64_t)vertices <= bytes / 5 && (uint64_t)faces <= bytes / 2 && vertices < PETSC_MAX_INT / 16, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED,
             "%s, line %" PetscInt64_FMT ": %" PetscInt64_FMT " vertices and %" PetscInt64_FMT " faces do not fit in a file of %zu bytes", filename, text->line, vertices, faces, bytes);
  PetscCall(MeshCreate((PetscInt)vertices, 0, mesh));
  for (PetscInt i = 0; i < mesh->vertices; i++) {
    PetscCheck(TextLine(text), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s ends after %" PetscInt_FMT " of %" PetscInt_FMT " vertices", filename, i, mesh->vertices);
    PetscCall(ReadVertex(text, mesh->x + 3 * (size_t)i));
  }
  for (PetscInt64 f = 0; f < faces; f++) {
    PetscInt64 n, index;
    PetscInt   first = 0, last = 0;

    PetscCheck(TextLine(text), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s ends after %" PetscInt64_FMT " of %" PetscInt64_FMT " faces", filename, f, faces);
    PetscCheck(TextInt(text, &n) && n >= 0, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s, line %" PetscInt64_FMT ": a face begins with the number of its corners", filename, text->line);
    for (PetscInt64 k = 0; k < n; k++) {
      PetscCheck(TextInt(text, &index), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s, line %" PetscInt64_FMT ": a face with %" PetscInt64_FMT " corners names %" PetscInt64_FMT, filename, text->line, n, k);
      PetscCheck(index >= 0 && index < vertices, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s, line %" PetscInt64_FMT ": corner %" PetscInt64_FMT " is none of the %" PetscInt64_FMT " vertices, which are counted from 0", filename, text->line,
                 index, vertices);
      if (!k) first = (PetscInt)index;
      if (k >= 2) PetscCall(AddTriangle(first, last, (PetscInt)index, &room, mesh));
      last = (PetscInt)index;
    }
    if (n < 3) mesh->dropped++;
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Lines v and f; all others are left out */
static PetscErrorCode ReadOBJ(Text *text, Mesh *mesh)
{
  const char *filename = text->filename;
  size_t      room = 0, vertices = 0;
  PetscInt    n = 0;

  PetscFunctionBeginUser;
  for (char *p = text->buffer; *p; p++) {
    if (p[0] == 'v' && (p[1] == ' ' || p[1] == '\t')) vertices++;
    /* A line goes on behind a backslash */
    if (p[0] == '\\' && p[1] == '\n') p[0] = p[1] = ' ';
    if (p[0] == '\\' && p[1] == '\r' && p[2] == '\n') p[0] = p[1] = p[2] = ' ';
  }
  PetscCheck(vertices >= 1, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s has no vertices", filename);
  PetscCheck(vertices < (size_t)(PETSC_MAX_INT / 16), PETSC_COMM_SELF, PETSC_ERR_SUP, "%s has %zu vertices, for which PETSc needs 64-bit indices", filename, vertices);
  PetscCall(MeshCreate((PetscInt)vertices, 0, mesh));
  while (TextLine(text)) {
    if (TextWord(text, "v")) {
      PetscCheck(n < mesh->vertices, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s, line %" PetscInt64_FMT ": a vertex that begins in an odd way", filename, text->line);
      PetscCall(ReadVertex(text, mesh->x + 3 * (size_t)n));
      n++;
    } else if (TextWord(text, "f")) {
      PetscInt64 index;
      PetscInt   first = 0, last = 0, k = 0;

      for (; *text->at; k++) {
        PetscCheck(TextInt(text, &index), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s, line %" PetscInt64_FMT ": corner %" PetscInt_FMT " of a face is no number", filename, text->line, k + 1);
        PetscCheck((index >= 1 && index <= mesh->vertices) || (index < 0 && index >= -(PetscInt64)n), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED,
                   "%s, line %" PetscInt64_FMT ": corner %" PetscInt64_FMT " is none of the %" PetscInt_FMT " vertices, which are counted from 1, or from -1 backwards", filename, text->line, index, mesh->vertices);
        index = index > 0 ? index - 1 : n + index;
        /* Textures and normals hang behind a slash */
        text->at += std::strcspn(text->at, " \t\v\f");
        text->at += std::strspn(text->at, " \t\v\f");
        if (!k) first = (PetscInt)index;
        if (k >= 2) PetscCall(AddTriangle(first, last, (PetscInt)index, &room, mesh));
        last = (PetscInt)index;
      }
      if (k < 3) mesh->dropped++;
    }
  }
  PetscCheck(n == mesh->vertices, PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s seems to have %" PetscInt_FMT " vertices, but only %" PetscInt_FMT " stand at the beginning of a line", filename, mesh->vertices, n);
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode MeshRead(const char filename[], Mesh *mesh)
{
  const PetscBool obj = HasExtension(filename, ".obj");
  Text            text;

  PetscFunctionBeginUser;
  PetscCheck(obj || HasExtension(filename, ".off"), PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "-mesh %s: neither sphere, torus or knot nor a file NAME.off or NAME.obj", filename);
  PetscCall(TextOpen(filename, &text));
  if (obj)
    PetscCall(ReadOBJ(&text, mesh));
  else
    PetscCall(ReadOFF(&text, mesh));
  PetscCall(PetscFree(text.buffer));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscReal Length(const PetscReal a[])
{
  return PetscSqrtReal(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]);
}

/* An icosahedron whose triangles are cut in four and whose vertices go to the unit sphere */
static PetscErrorCode GenerateSphere(PetscInt refine, PetscReal jitter, Mesh *mesh)
{
  const PetscReal golden        = 0.5 * (1.0 + PetscSqrtReal(5.0));
  const PetscReal xs[12][3]     = {{-1, golden, 0}, {1, golden, 0}, {-1, -golden, 0}, {1, -golden, 0}, {0, -1, golden}, {0, 1, golden}, {0, -1, -golden}, {0, 1, -golden}, {golden, 0, -1}, {golden, 0, 1}, {-golden, 0, -1}, {-golden, 0, 1}};
  const PetscInt  fs[20][3]     = {{0, 11, 5}, {0, 5, 1}, {0, 1, 7}, {0, 7, 10}, {0, 10, 11}, {1, 5, 9}, {5, 11, 4}, {11, 10, 2}, {10, 7, 6}, {7, 1, 8},
                                   {3, 9, 4},  {3, 4, 2}, {3, 2, 6}, {3, 6, 8},  {3, 8, 9},   {4, 9, 5}, {2, 4, 11}, {6, 2, 10},  {8, 6, 7},  {9, 8, 1}};
  const PetscInt  quarter[4][3] = {{0, 5, 4}, {5, 1, 3}, {4, 3, 2}, {3, 4, 5}};
  PetscInt        vertices = 12, triangles = 20;
  PetscRandom     random;

  PetscFunctionBeginUser;
  for (PetscInt r = 0; r < refine; r++) triangles *= 4;
  PetscCall(MeshCreate(triangles / 2 + 2, triangles, mesh));
  std::memcpy(mesh->x, xs, sizeof(xs));
  std::memcpy(mesh->corners, fs, sizeof(fs));
  triangles = 20;
  for (PetscInt r = 0; r < refine; r++) {
    std::map<std::pair<PetscInt, PetscInt>, PetscInt> middle;

    /* The last ones first, since four take the place of one */
    for (PetscInt t = triangles - 1; t >= 0; t--) {
      PetscInt corners[6];

      for (PetscInt k = 0; k < 3; k++) corners[k] = mesh->corners[3 * (size_t)t + k];
      for (PetscInt k = 0; k < 3; k++) {
        const PetscInt a = corners[(k + 1) % 3], b = corners[(k + 2) % 3];
        const auto     found = middle.emplace(std::make_pair(PetscMin(a, b), PetscMax(a, b)), vertices);

        if (found.second) {
          for (PetscInt d = 0; d < 3; d++) mesh->x[3 * (size_t)vertices + d] = 0.5 * (mesh->x[3 * (size_t)a + d] + mesh->x[3 * (size_t)b + d]);
          vertices++;
        }
        corners[3 + k] = found.first->second;
      }
      for (PetscInt q = 0; q < 4; q++) {
        for (PetscInt k = 0; k < 3; k++) mesh->corners[3 * (4 * (size_t)t + q) + k] = corners[quarter[q][k]];
      }
    }
    triangles *= 4;
    for (PetscInt i = 0; i < vertices; i++) {
      const PetscReal length = Length(mesh->x + 3 * (size_t)i);

      for (PetscInt d = 0; d < 3; d++) mesh->x[3 * (size_t)i + d] /= length;
    }
  }
  PetscCall(PetscRandomCreate(PETSC_COMM_SELF, &random));
  PetscCall(PetscRandomSetType(random, PETSCRANDER48));
  PetscCall(PetscRandomSetInterval(random, -0.5, 0.5));
  for (PetscInt i = 0; i < vertices; i++) {
    PetscReal *x = mesh->x + 3 * (size_t)i, length = Length(x);

    for (PetscInt d = 0; d < 3; d++) {
      PetscReal shift;

      PetscCall(PetscRandomGetValueReal(random, &shift));
      x[d] = x[d] / length + jitter * shift * PetscSqrtReal(4.0 * PETSC_PI / vertices);
    }
    length = Length(x);
    for (PetscInt d = 0; d < 3; d++) x[d] /= length;
  }
  PetscCall(PetscRandomDestroy(&random));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The point of a closed tube at the angles u along it and v around it */
static void Tube(PetscBool knot, PetscReal u, PetscReal v, PetscReal x[])
{
  PetscReal c[3], t[3], n[3], b[3], length, along;

  if (!knot) {
    const PetscReal r = 1.0 + 0.4 * PetscCosReal(v);

    x[0] = r * PetscCosReal(u);
    x[1] = r * PetscSinReal(u);
    x[2] = 0.4 * PetscSinReal(v);
    return;
  }
  /* A trefoil with the frame of its first two derivatives, which closes since the curve is nowhere straight */
  c[0]   = PetscSinReal(u) + 2.0 * PetscSinReal(2.0 * u);
  c[1]   = PetscCosReal(u) - 2.0 * PetscCosReal(2.0 * u);
  c[2]   = -PetscSinReal(3.0 * u);
  t[0]   = PetscCosReal(u) + 4.0 * PetscCosReal(2.0 * u);
  t[1]   = -PetscSinReal(u) + 4.0 * PetscSinReal(2.0 * u);
  t[2]   = -3.0 * PetscCosReal(3.0 * u);
  n[0]   = -PetscSinReal(u) - 8.0 * PetscSinReal(2.0 * u);
  n[1]   = -PetscCosReal(u) + 8.0 * PetscCosReal(2.0 * u);
  n[2]   = 9.0 * PetscSinReal(3.0 * u);
  length = Length(t);
  for (int d = 0; d < 3; d++) t[d] /= length;
  along = t[0] * n[0] + t[1] * n[1] + t[2] * n[2];
  for (int d = 0; d < 3; d++) n[d] -= along * t[d];
  length = Length(n);
  for (int d = 0; d < 3; d++) n[d] /= length;
  for (int d = 0; d < 3; d++) b[d] = t[(d + 1) % 3] * n[(d + 2) % 3] - t[(d + 2) % 3] * n[(d + 1) % 3];
  for (int d = 0; d < 3; d++) x[d] = c[d] + 0.5 * (PetscCosReal(v) * n[d] + PetscSinReal(v) * b[d]);
}

static PetscErrorCode GenerateTube(PetscBool knot, PetscInt refine, PetscReal jitter, Mesh *mesh)
{
  PetscInt    nu = knot ? 24 : 6, nv = 3, t = 0;
  PetscRandom random;

  PetscFunctionBeginUser;
  for (PetscInt r = 0; r < refine; r++) nu *= 2;
  for (PetscInt r = 0; r < refine; r++) nv *= 2;
  PetscCall(MeshCreate(nu * nv, 2 * nu * nv, mesh));
  PetscCall(PetscRandomCreate(PETSC_COMM_SELF, &random));
  PetscCall(PetscRandomSetType(random, PETSCRANDER48));
  PetscCall(PetscRandomSetInterval(random, -0.5, 0.5));
  for (PetscInt i = 0; i < nu; i++) {
    for (PetscInt j = 0; j < nv; j++) {
      const PetscInt a = i * nv + j, b = (i + 1) % nu * nv + j, c = (i + 1) % nu * nv + (j + 1) % nv, d = i * nv + (j + 1) % nv;
      PetscReal      du, dv;

      PetscCall(PetscRandomGetValueReal(random, &du));
      PetscCall(PetscRandomGetValueReal(random, &dv));
      Tube(knot, 2.0 * PETSC_PI * (i + jitter * du) / nu, 2.0 * PETSC_PI * (j + jitter * dv) / nv, mesh->x + 3 * (size_t)a);
      /* Diagonals in turn, so that no direction is favoured */
      for (PetscInt corner : {a, b, (i + j) % 2 ? d : c, (i + j) % 2 ? b : a, c, d}) mesh->corners[t++] = corner;
    }
  }
  PetscCall(PetscRandomDestroy(&random));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode MeshGenerate(const char shape[], PetscInt refine, PetscReal jitter, Mesh *mesh)
{
  const PetscBool sphere = std::strcmp(shape, "sphere") ? PETSC_FALSE : PETSC_TRUE, knot = std::strcmp(shape, "knot") ? PETSC_FALSE : PETSC_TRUE;

  PetscFunctionBeginUser;
  PetscCheck(refine >= 0 && refine <= 10, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-refine %" PetscInt_FMT ": must be between 0 and 10", refine);
  PetscCheck(jitter >= 0.0 && jitter <= 0.9, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "-jitter %g: must be between 0 and 0.9, or triangles would fold over each other", (double)jitter);
  if (sphere)
    PetscCall(GenerateSphere(refine, jitter, mesh));
  else
    PetscCall(GenerateTube(knot, refine, jitter, mesh));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode MeshFromOptions(char name[], size_t length, Mesh *mesh, PetscBool *file)
{
  PetscMPIInt size;
  PetscInt    refine = 4;
  PetscReal   jitter = 0.3;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCheck(size == 1, PETSC_COMM_WORLD, PETSC_ERR_WRONG_MPI_SIZE, "Meshes are not distributed: run with one process");
  PetscCall(PetscStrncpy(name, "sphere", length));
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Mesh", nullptr);
  PetscCall(PetscOptionsString("-mesh", "sphere, torus, knot or a file", nullptr, name, name, length, nullptr));
  PetscCall(PetscOptionsInt("-refine", "How often triangles are cut in four", nullptr, refine, &refine, nullptr));
  PetscCall(PetscOptionsReal("-jitter", "Share of an edge by which vertices are moved", nullptr, jitter, &jitter, nullptr));
  PetscOptionsEnd();
  *file = std::strcmp(name, "sphere") && std::strcmp(name, "torus") && std::strcmp(name, "knot") ? PETSC_TRUE : PETSC_FALSE;
  if (*file)
    PetscCall(MeshRead(name, mesh));
  else
    PetscCall(MeshGenerate(name, refine, jitter, mesh));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode MeshWrite(const char filename[], const Mesh *mesh, const char valuename[], const PetscReal values[])
{
  const PetscBool off = HasExtension(filename, ".off");
  FILE           *file;
  int             failed;

  PetscFunctionBeginUser;
  PetscCheck(off || HasExtension(filename, ".vtk"), PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "%s: meshes are written to NAME.off or NAME.vtk", filename);
  file = std::fopen(filename, "w");
  PetscCheck(file, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "%s cannot be written: %s", filename, std::strerror(errno));
  if (off)
    std::fprintf(file, "OFF\n%" PetscInt_FMT " %" PetscInt_FMT " 0\n", mesh->vertices, mesh->triangles);
  else
    std::fprintf(file, "# vtk DataFile Version 3.0\npetlap\nASCII\nDATASET POLYDATA\nPOINTS %" PetscInt_FMT " double\n", mesh->vertices);
  for (size_t i = 0; i < (size_t)mesh->vertices; i++) std::fprintf(file, "%.10g %.10g %.10g\n", (double)mesh->x[3 * i], (double)mesh->x[3 * i + 1], (double)mesh->x[3 * i + 2]);
  if (!off) std::fprintf(file, "POLYGONS %" PetscInt_FMT " %" PetscInt64_FMT "\n", mesh->triangles, 4 * (PetscInt64)mesh->triangles);
  for (size_t t = 0; t < (size_t)mesh->triangles; t++) std::fprintf(file, "3 %" PetscInt_FMT " %" PetscInt_FMT " %" PetscInt_FMT "\n", mesh->corners[3 * t], mesh->corners[3 * t + 1], mesh->corners[3 * t + 2]);
  if (!off && values) {
    std::fprintf(file, "POINT_DATA %" PetscInt_FMT "\nSCALARS %s double 1\nLOOKUP_TABLE default\n", mesh->vertices, valuename);
    for (PetscInt i = 0; i < mesh->vertices; i++) std::fprintf(file, "%.10g\n", (double)values[i]);
  }
  failed = std::ferror(file);
  failed |= std::fclose(file);
  PetscCheck(!failed, PETSC_COMM_SELF, PETSC_ERR_FILE_WRITE, "%s cannot be written to its end: %s", filename, std::strerror(errno));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Edge k of a triangle, from corner k + 1 to corner k + 2 */
static void Edge(const Mesh *mesh, PetscInt triangle, PetscInt k, PetscReal edge[])
{
  const PetscInt *corners = mesh->corners + 3 * (size_t)triangle;

  for (PetscInt d = 0; d < 3; d++) edge[d] = mesh->x[3 * (size_t)corners[(k + 2) % 3] + d] - mesh->x[3 * (size_t)corners[(k + 1) % 3] + d];
}

PetscErrorCode MeshEdgeLength(const Mesh *mesh, PetscReal *h)
{
  PetscReal sum = 0.0;

  PetscFunctionBeginUser;
  for (PetscInt t = 0; t < mesh->triangles; t++) {
    for (PetscInt k = 0; k < 3; k++) {
      PetscReal edge[3];

      Edge(mesh, t, k, edge);
      sum += Length(edge);
    }
  }
  PetscCheck(mesh->triangles > 0, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "The mesh has no triangles");
  *h = sum / (3.0 * mesh->triangles);
  PetscCheck(*h > 1.0 / LargestCoordinate, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "The edges of the mesh have no length");
  PetscFunctionReturn((PetscErrorCode)0);
}

void MeshTriangleWeights(const Mesh *mesh, PetscInt triangle, MeshWeights weights, PetscReal h, PetscReal w[3])
{
  PetscReal e[3][3], length[3], normal[3], area, longest = 0.0;

  for (PetscInt k = 0; k < 3; k++) {
    Edge(mesh, triangle, k, e[k]);
    length[k] = Length(e[k]);
    longest   = PetscMax(longest, length[k]);
  }
  for (PetscInt d = 0; d < 3; d++) normal[d] = e[0][(d + 1) % 3] * e[1][(d + 2) % 3] - e[0][(d + 2) % 3] * e[1][(d + 1) % 3];
  area = PetscMax(Length(normal), FlattestTriangle * longest * longest);
  for (PetscInt k = 0; k < 3; k++) {
    const PetscReal *a = e[(k + 1) % 3], *b = e[(k + 2) % 3], ratio = PetscMax(length[k] / h, ShortestEdge);

    if (weights == MESH_UNIT)
      w[k] = 0.5;
    else if (weights == MESH_INVERSE)
      w[k] = 0.5 / (ratio * ratio);
    else
      w[k] = longest > 0.0 ? -0.5 * (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / area : 0.5;
  }
}

PetscErrorCode MeshLaplacian(const Mesh *mesh, MeshWeights weights, Mat *L, Vec *W, PetscReal *scale)
{
  const PetscCount n = mesh->vertices + 12 * (PetscCount)mesh->triangles;
  PetscInt        *rows, *columns;
  PetscScalar     *entries, *share;
  PetscCount       k = 0;
  PetscReal        h, surface = 0.0, degrees = 0.0;

  PetscFunctionBeginUser;
  PetscCall(MeshEdgeLength(mesh, &h));
  PetscCall(PetscMalloc3(n, &rows, n, &columns, n, &entries));
  PetscCall(VecCreateSeq(PETSC_COMM_SELF, mesh->vertices, W));
  PetscCall(VecZeroEntries(*W));
  PetscCall(VecGetArray(*W, &share));
  /* A vertex without triangles has a diagonal, too */
  for (PetscInt i = 0; i < mesh->vertices; i++) {
    rows[k] = columns[k] = i;
    entries[k++]         = 0.0;
  }
  for (PetscInt t = 0; t < mesh->triangles; t++) {
    const PetscInt *corners = mesh->corners + 3 * (size_t)t;
    PetscReal       w[3], a[3], b[3], normal[3];

    MeshTriangleWeights(mesh, t, weights, h, w);
    Edge(mesh, t, 0, a);
    Edge(mesh, t, 1, b);
    for (PetscInt d = 0; d < 3; d++) normal[d] = a[(d + 1) % 3] * b[(d + 2) % 3] - a[(d + 2) % 3] * b[(d + 1) % 3];
    for (PetscInt e = 0; e < 3; e++) {
      const PetscInt i = corners[(e + 1) % 3], j = corners[(e + 2) % 3];
      const PetscInt is[4] = {i, j, i, j}, js[4] = {i, j, j, i};

      for (PetscInt q = 0; q < 4; q++) {
        rows[k]      = is[q];
        columns[k]   = js[q];
        entries[k++] = q < 2 ? w[e] : -w[e];
      }
      share[corners[e]] += Length(normal) / 6.0;
      surface += Length(normal) / 6.0;
      degrees += 1.0;
    }
  }
  /* One share has the mean surface of a vertex. Lone vertices have none, and must not make the matrix W + L singular. */
  for (PetscInt i = 0; i < mesh->vertices; i++) {
    if (weights != MESH_COTAN)
      share[i] = 1.0;
    else
      share[i] = surface > 0.0 ? PetscMax(share[i] * (mesh->vertices / surface), FlattestTriangle) : 1.0;
  }
  PetscCall(VecRestoreArray(*W, &share));
  PetscCall(MatCreate(PETSC_COMM_SELF, L));
  PetscCall(MatSetSizes(*L, mesh->vertices, mesh->vertices, mesh->vertices, mesh->vertices));
  PetscCall(MatSetFromOptions(*L));
  PetscCall(MatSetPreallocationCOO(*L, n, rows, columns));
  PetscCall(MatSetValuesCOO(*L, entries, INSERT_VALUES));
  PetscCall(MatSetOption(*L, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(MatSetOption(*L, MAT_SYMMETRY_ETERNAL, PETSC_TRUE));
  PetscCall(PetscFree3(rows, columns, entries));
  /* In a plane that is filled evenly, n neighbours at the distance h with the weight 1 make -n h^2 / 4 times the second derivative */
  if (weights == MESH_COTAN)
    *scale = surface > 0.0 ? mesh->vertices / surface : 1.0;
  else
    *scale = 4.0 / (degrees / mesh->vertices * h * h);
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode MeshNoise(PetscInt n, PetscReal noise[])
{
  PetscRandom random;

  PetscFunctionBeginUser;
  PetscCall(PetscRandomCreate(PETSC_COMM_SELF, &random));
  PetscCall(PetscRandomSetType(random, PETSCRANDER48));
  for (PetscInt i = 0; i < n; i++) {
    PetscReal radius, angle;

    PetscCall(PetscRandomGetValueReal(random, &radius));
    PetscCall(PetscRandomGetValueReal(random, &angle));
    noise[i] = PetscSqrtReal(-2.0 * PetscLogReal(1.0 - radius)) * PetscCosReal(2.0 * PETSC_PI * angle);
  }
  PetscCall(PetscRandomDestroy(&random));
  PetscFunctionReturn((PetscErrorCode)0);
}
