/* Systems from files as families: parts of them, with other coefficients or as they are */
#include "tests/differential/families.h"
#include <petlap.h>
#include <petscdmda.h>
#include <algorithm>
#include <filesystem>
#include <map>

namespace differential {

PetscErrorCode FileFamilies(const std::string &folder, std::vector<std::string> *names)
{
  std::error_code failed;

  PetscFunctionBeginUser;
  for (const auto &file : std::filesystem::directory_iterator(folder, failed)) {
    const std::string end = file.path().extension(), stem = file.path().stem();

    if (end == ".mtx" && stem.size() > 2 && (stem.substr(stem.size() - 2) == "_b" || stem.substr(stem.size() - 2) == "_x")) continue;
    if (end == ".h5" || end == ".mat" || end == ".mtx" || end == ".bin" || end == ".dat" || end == ".petsc") names->push_back(file.path());
  }
  PetscCheck(!failed, PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "Cannot read the folder %s", folder.c_str());
  std::sort(names->begin(), names->end());
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode Read(const std::string &name, System *s)
{
  Mat                A;
  Vec                b, x;
  DM                 dm;
  const PetscScalar *a;

  PetscFunctionBeginUser;
  PetscCall(PetlapLoadSystem(PETSC_COMM_SELF, name.c_str(), &A, &b, &x));
  PetscCall(MatGetSize(A, &s->n, nullptr));
  for (PetscInt i = 0; i < s->n; i++) {
    PetscInt           count;
    const PetscInt    *column;
    const PetscScalar *value;

    PetscCall(MatGetRow(A, i, &count, &column, &value));
    for (PetscInt k = 0; k < count; k++) s->Add(i, column[k], PetscRealPart(value[k]));
    PetscCall(MatRestoreRow(A, i, &count, &column, &value));
  }
  if (b) {
    PetscCall(VecGetArrayRead(b, &a));
    for (PetscInt i = 0; i < s->n; i++) s->b.push_back(PetscRealPart(a[i]));
    PetscCall(VecRestoreArrayRead(b, &a));
  }
  PetscCall(MatGetDM(A, &dm));
  if (dm) {
    PetscCall(DMDAGetInfo(dm, &s->dim, &s->size[0], &s->size[1], &s->size[2], nullptr, nullptr, nullptr, &s->dof, nullptr, nullptr, nullptr, nullptr, nullptr));
    for (int d = (int)s->dim; d < 3; d++) s->size[d] = 1;
    if (s->Points() * s->dof != s->n) s->dim = 0;
  }
  s->Assemble();
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whether entries have mirror images that are the same, or nearly so */
static bool IsSymmetric(const System &s)
{
  for (const Entry &e : s.entry) {
    bool found = false;

    for (size_t k = s.start[e.j]; k < s.start[e.j + 1] && !found; k++) found = s.entry[k].j == e.i && std::abs(s.entry[k].v - e.v) <= 1e-12 * std::abs(e.v);
    if (!found && e.v != 0) return false;
  }
  return true;
}

static bool SumsToZero(const System &s)
{
  for (PetscInt i = 0; i < s.n; i++) {
    double sum = 0, all = 0;

    for (size_t k = s.start[i]; k < s.start[i + 1]; k++) {
      sum += s.entry[k].v;
      all += std::abs(s.entry[k].v);
    }
    if (!(std::abs(sum) <= 1e-13 * all)) return false;
  }
  return true;
}

/* The rows and columns that are kept, in their order */
static void Keep(System *s, const std::vector<bool> &kept)
{
  std::vector<PetscInt> to(s->n, -1);
  std::vector<Entry>    entry;
  std::vector<double>   b;
  PetscInt              n = 0;

  for (PetscInt i = 0; i < s->n; i++) {
    if (!kept[i]) continue;
    to[i] = n++;
    if (!s->b.empty()) b.push_back(s->b[i]);
  }
  for (const Entry &e : s->entry) {
    if (to[e.i] >= 0 && to[e.j] >= 0) entry.push_back({to[e.i], to[e.j], e.v});
  }
  s->n = n;
  s->entry.swap(entry);
  s->b.swap(b);
}

PetscErrorCode FileSystem(const std::string &name, Random &r, PetscInt most, System *s)
{
  static std::map<std::string, System> read;

  PetscFunctionBeginUser;
  if (!read.count(name)) {
    System of;

    PetscCall(Read(name, &of));
    of.symmetric = IsSymmetric(of);
    read[name]   = of;
  }
  *s                     = read[name];
  const bool        part = s->n > most || r.Chance(0.7);
  std::vector<bool> kept(s->n, true);
  if (part && s->dim) {
    PetscInt low[3], high[3], size[3];

    /* A box of its grid */
    for (int d = 0; d < 3; d++) {
      const PetscInt least = std::min(s->size[d], (PetscInt)3), side = std::max(least, std::min(s->size[d], (PetscInt)(std::pow((double)most / (double)s->dof, r.Uniform(0.3, 1.0) / (double)s->dim))));

      low[d]  = r.Integer(0, s->size[d] - side);
      high[d] = low[d] + side;
      size[d] = side;
    }
    for (PetscInt i = 0; i < s->n; i++) {
      const PetscInt p = i / s->dof, at[3] = {p % s->size[0], p / s->size[0] % s->size[1], p / s->size[0] / s->size[1]};

      for (int d = 0; d < 3; d++) kept[i] = kept[i] && at[d] >= low[d] && at[d] < high[d];
    }
    Keep(s, kept);
    std::copy(size, size + 3, s->size);
  } else if (part && !s->dim) {
    /* Rows that follow each other */
    const PetscInt rows = std::min(s->n, std::max((PetscInt)1, (PetscInt)std::pow((double)most, r.Uniform(0.3, 1.0)))), from = r.Integer(0, s->n - rows);

    for (PetscInt i = 0; i < s->n; i++) kept[i] = i >= from && i < from + rows;
    Keep(s, kept);
  }
  s->Assemble();
  if (r.Chance(0.2)) {
    const double k = r.Uniform(0, 1);

    /* The same factor for an entry and its mirror image */
    for (Entry &e : s->entry) {
      Random own = {(uint64_t)std::min(e.i, e.j) * 1000003u + (uint64_t)std::max(e.i, e.j)};

      e.v *= 1 + k * own();
    }
    s->note += ",jittered";
  }
  if (s->symmetric && SumsToZero(*s)) s->Singular();
  PetscFunctionReturn(PETSC_SUCCESS);
}

} // namespace differential
