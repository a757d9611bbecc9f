#include "tests/bench/scene.h"
#include "petlap.h"
#include <petscdmda.h>
#include <algorithm>
#include <cmath>
#include <map>

using namespace petlap;

const char *const BenchKinds[BENCH_NKINDS] = {"box", "pool", "smoke", "dam", "ball", "wavy", "splash", "bubbles"};

std::string BenchGrid::Name() const
{
  std::string name = std::to_string(n[0]);

  if (n[0] == n[2] && (dim == 2 || n[0] == n[1])) return name;
  if (dim == 3) name += "x" + std::to_string(n[1]);
  return name + "x" + std::to_string(n[2]);
}

BenchGrid BenchCube(int dim, PetscInt n)
{
  return {dim, {(int)n, dim == 3 ? (int)n : 1, (int)n}};
}

PetscInt BenchLevels(const BenchGrid &grid)
{
  PetscInt levels = 1;

  for (int n = std::max(grid.n[0], std::max(grid.n[1], grid.n[2])); n > 7; n = (n + 1) / 2) levels++;
  return levels;
}

/* Logarithm of the coefficient of a cell, between plus and minus a half */
static double Coefficient(const scenes::Scene &scene, BenchCoefficients kind, const int at[])
{
  double waves = 0.5;
  int    block = 0;

  if (kind == BENCH_CONSTANT) return 0.0;
  for (int a = 0; a < 3; a++) {
    if (scene.n[a] == 1) continue;
    waves *= scenes::Sine(6.0 * (at[a] + 0.5) / scene.n[a] + 0.7 * a);
    block += 4 * at[a] / scene.n[a];
  }
  return kind == BENCH_SMOOTH ? waves : block % 2 - 0.5;
}

PetscErrorCode BenchSceneMatrix(const scenes::Scene &scene, const BenchWeight &weight, Mat *A)
{
  const int               *n       = scene.n;
  const ptrdiff_t          step[3] = {1, n[0], (ptrdiff_t)n[0] * n[1]};
  std::vector<PetscInt>    row(scene.size(), -1), ptr(1, 0), column;
  std::vector<PetscScalar> value;
  PetscInt                 rows = 0;

  PetscFunctionBeginUser;
  for (size_t i = 0; i < scene.size(); i++) {
    if (scene.cell[i] == scenes::FLUID) row[i] = rows++;
  }
  ptr.reserve(rows + 1);
  column.reserve((size_t)rows * (2 * scene.dim + 1));
  value.reserve((size_t)rows * (2 * scene.dim + 1));
  size_t i = 0;
  for (int z = 0; z < n[2]; z++) {
    for (int y = 0; y < n[1]; y++) {
      for (int x = 0; x < n[0]; x++, i++) {
        const int here[3] = {x, y, z};
        PetscReal sum     = 0.0;
        size_t    own     = 0;

        if (row[i] < 0) continue;
        /* In the order of the columns */
        for (int f = -3; f <= 3; f++) {
          const int a = std::abs(f) - 1, side = f < 0 ? -1 : 1;
          int       there[3] = {x, y, z};

          if (f == 0) {
            own = value.size();
            column.push_back(row[i]);
            value.push_back(0.0);
            continue;
          }
          there[a] += side;
          const ptrdiff_t j = (ptrdiff_t)i + side * step[a];
          if (there[a] < 0 || there[a] >= n[a] || scene.cell[j] == scenes::SOLID) continue;
          const PetscReal w = weight(here, there);
          sum += w;
          if (row[j] < 0) continue;
          column.push_back(row[j]);
          value.push_back(-w);
        }
        value[own] = sum;
        ptr.push_back((PetscInt)column.size());
      }
    }
  }
  PetscCall(MatCreate(PETSC_COMM_SELF, A));
  PetscCall(MatSetSizes(*A, rows, rows, rows, rows));
  PetscCall(MatSetType(*A, MATSEQAIJ));
  PetscCall(MatSeqAIJSetPreallocationCSR(*A, ptr.data(), column.data(), value.data()));
  PetscCall(MatSetOption(*A, MAT_SYMMETRIC, PETSC_TRUE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchNullSpace(Mat A, MatNullSpace *space)
{
  const PetscInt       *ia, *ja;
  const PetscScalar    *a;
  PetscInt              n;
  PetscBool             done;
  std::vector<char>     seen;
  std::vector<Vec>      basis;
  std::vector<PetscInt> queue;

  PetscFunctionBeginUser;
  PetscCall(MatGetRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  PetscCheck(done, PETSC_COMM_SELF, PETSC_ERR_SUP, "The rows of the matrix cannot be read");
  PetscCall(MatSeqAIJGetArrayRead(A, &a));
  seen.assign(n, 0);
  for (PetscInt first = 0; first < n; first++) {
    bool held = false;

    if (seen[first]) continue;
    queue.assign(1, first);
    seen[first] = 1;
    for (size_t k = 0; k < queue.size(); k++) {
      const PetscInt i   = queue[k];
      PetscReal      sum = 0.0, size = 0.0;

      for (PetscInt e = ia[i]; e < ia[i + 1]; e++) {
        sum += PetscRealPart(a[e]);
        size += PetscAbsScalar(a[e]);
        if (seen[ja[e]] || a[e] == 0.0) continue;
        seen[ja[e]] = 1;
        queue.push_back(ja[e]);
      }
      held = held || PetscAbsReal(sum) > 1e-10 * size;
    }
    if (held) continue;
    Vec          v;
    PetscScalar *constant;

    PetscCall(MatCreateVecs(A, nullptr, &v));
    PetscCall(VecGetArray(v, &constant));
    for (PetscInt i : queue) constant[i] = 1.0 / PetscSqrtReal((PetscReal)queue.size());
    PetscCall(VecRestoreArray(v, &constant));
    basis.push_back(v);
  }
  const bool all = basis.size() == 1 && (PetscInt)queue.size() == n;
  PetscCall(MatSeqAIJRestoreArrayRead(A, &a));
  PetscCall(MatRestoreRowIJ(A, 0, PETSC_FALSE, PETSC_FALSE, &n, &ia, &ja, &done));
  *space = nullptr;
  if (!basis.empty()) PetscCall(MatNullSpaceCreate(PETSC_COMM_SELF, all ? PETSC_TRUE : PETSC_FALSE, all ? 0 : (PetscInt)basis.size(), all ? nullptr : basis.data(), space));
  for (Vec &v : basis) PetscCall(VecDestroy(&v));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchSceneLabels(const scenes::Scene &scene, DM *dm, Vec *labels)
{
  PetscScalar *label;

  PetscFunctionBeginUser;
  if (scene.dim == 3)
    PetscCall(DMDACreate3d(PETSC_COMM_SELF, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, scene.n[0], scene.n[1], scene.n[2], 1, 1, 1, 1, 1, nullptr, nullptr, nullptr, dm));
  else
    PetscCall(DMDACreate2d(PETSC_COMM_SELF, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, scene.n[0], scene.n[2], 1, 1, 1, 1, nullptr, nullptr, dm));
  PetscCall(DMSetUp(*dm));
  PetscCall(DMCreateGlobalVector(*dm, labels));
  PetscCall(VecGetArrayWrite(*labels, &label));
  static_assert(scenes::AIR == 0 && scenes::FLUID == 1 && scenes::SOLID == 2, "PCNeuralSetImage() has these numbers");
  for (size_t i = 0; i < scene.size(); i++) label[i] = scene.cell[i];
  PetscCall(VecRestoreArrayWrite(*labels, &label));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Values between the centres of coarse cells, along each axis 3/4 and 1/4; in cells at a wall the nearest value is all there is */
static PetscErrorCode CreateInterpolation(const int nf[3], const int nc[3], Mat *P)
{
  const size_t             fine = (size_t)nf[0] * nf[1] * nf[2], coarse = (size_t)nc[0] * nc[1] * nc[2];
  std::vector<PetscInt>    ptr(1, 0), column;
  std::vector<PetscScalar> value;

  PetscFunctionBegin;
  column.reserve(8 * fine);
  value.reserve(8 * fine);
  for (int z = 0; z < nf[2]; z++) {
    for (int y = 0; y < nf[1]; y++) {
      for (int x = 0; x < nf[0]; x++) {
        const int at[3] = {x, y, z};
        int       from[3][2], count[3];
        PetscReal share[3][2];

        for (int a = 0; a < 3; a++) {
          const int near = nf[a] == nc[a] ? at[a] : at[a] / 2, far = at[a] % 2 ? near + 1 : near - 1;

          count[a]    = nf[a] == nc[a] || far < 0 || far >= nc[a] ? 1 : 2;
          from[a][0]  = count[a] == 1 ? near : std::min(near, far);
          from[a][1]  = std::max(near, far);
          share[a][0] = count[a] == 1 ? 1.0 : near < far ? 0.75 : 0.25;
          share[a][1] = 1.0 - share[a][0];
        }
        for (int k = 0; k < count[2]; k++) {
          for (int j = 0; j < count[1]; j++) {
            for (int i = 0; i < count[0]; i++) {
              column.push_back(from[0][i] + nc[0] * (from[1][j] + (PetscInt)nc[1] * from[2][k]));
              value.push_back(share[0][i] * share[1][j] * share[2][k]);
            }
          }
        }
        ptr.push_back((PetscInt)column.size());
      }
    }
  }
  PetscCall(MatCreate(PETSC_COMM_SELF, P));
  PetscCall(MatSetSizes(*P, (PetscInt)fine, (PetscInt)coarse, (PetscInt)fine, (PetscInt)coarse));
  PetscCall(MatSetType(*P, MATSEQAIJ));
  PetscCall(MatSeqAIJSetPreallocationCSR(*P, ptr.data(), column.data(), value.data()));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchSceneLevels(PC pc, const scenes::Scene &scene, MatType type)
{
  scenes::Scene coarse, fine = scene;
  PetscInt      levels = 1;

  PetscFunctionBegin;
  PetscCheck(scene.dim && std::count(scene.cell.begin(), scene.cell.end(), (unsigned char)scenes::FLUID) == (ptrdiff_t)scene.size(), PETSC_COMM_SELF, PETSC_ERR_SUP, "Geometric multigrid is for the scene box only");
  for (int n = scene.n[0]; n % 2 == 0 && n > 4; n /= 2) levels++;
  PetscCall(PCMGSetLevels(pc, levels, nullptr));
  for (PetscInt level = levels - 1; level > 0; level--) {
    KSP smoother;
    Mat P, A;

    coarse = fine;
    for (int &n : coarse.n) n = PetscMax(1, n / 2);
    coarse.cell.assign(coarse.size(), scenes::FLUID);
    PetscCall(CreateInterpolation(fine.n, coarse.n, &P));
    PetscCall(MatConvert(P, type, MAT_INPLACE_MATRIX, &P));
    PetscCall(PCMGSetInterpolation(pc, level, P));
    PetscCall(MatDestroy(&P));
    /* The restriction sums over 2^dim cells, and faces are twice as far apart */
    const PetscReal weight = std::pow(2.0, (scene.dim - 2) * (double)(levels - level));
    PetscCall(BenchSceneMatrix(
      coarse, [&](const int *, const int *) { return weight; }, &A));
    PetscCall(MatConvert(A, type, MAT_INPLACE_MATRIX, &A));
    PetscCall(PCMGGetSmoother(pc, level - 1, &smoother));
    PetscCall(KSPSetOperators(smoother, A, A));
    PetscCall(MatDestroy(&A));
    fine = coarse;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchCreateScene(const BenchGrid &grid, PetscInt kind, PetscInt seed, BenchCoefficients coefficients, PetscReal contrast, BenchScene *s)
{
  const uint64_t  number = scenes::TestSeed + (uint64_t)seed;
  scenes::Options options;
  PetscScalar    *b;

  PetscFunctionBeginUser;
  if (kind == BENCH_BUBBLES) options.bubbles = 0.01;
  s->kind  = kind;
  s->seed  = seed;
  s->scene = scenes::MakeScene(grid.dim, grid.n, kind == BENCH_BUBBLES ? scenes::SPLASH : (scenes::Class)kind, number, options);

  const scenes::Scene &scene  = s->scene;
  const auto           varied = [&](const int here[3], const int there[3]) { return 2.0 / (std::pow(contrast, -Coefficient(scene, coefficients, here)) + std::pow(contrast, -Coefficient(scene, coefficients, there))); };
  if (coefficients == BENCH_CONSTANT)
    PetscCall(BenchSceneMatrix(
      scene, [](const int *, const int *) { return 1.0; }, &s->A));
  else
    PetscCall(BenchSceneMatrix(scene, varied, &s->A));
  PetscCall(MatCreateVecs(s->A, nullptr, &s->b));
  PetscCall(VecGetArrayWrite(s->b, &b));
  scenes::Divergence(scene, number, 1, b);
  PetscCall(VecRestoreArrayWrite(s->b, &b));
  PetscCall(BenchSceneLabels(scene, &s->dm, &s->labels));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchDestroyScene(BenchScene *s)
{
  PetscFunctionBeginUser;
  PetscCall(MatDestroy(&s->A));
  PetscCall(VecDestroy(&s->b));
  PetscCall(VecDestroy(&s->labels));
  PetscCall(DMDestroy(&s->dm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchCreateSceneKSP(const BenchScene &s, const char options[], PetscReal rtol, PetscInt most, KSP *ksp)
{
  PetscOptions database;
  char        *given;
  PC           pc;
  PetscBool    neural;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsCreate(&database));
  PetscCall(PetscOptionsInsertString(database, options));
  PetscCall(PetscOptionsGetAll(nullptr, &given));
  PetscCall(PetscOptionsInsertString(database, given));
  PetscCall(PetscFree(given));
  PetscCall(KSPCreate(PETSC_COMM_SELF, ksp));
  PetscCall(PetscObjectSetOptions((PetscObject)*ksp, database));
  PetscCall(KSPSetOperators(*ksp, s.A, s.A));
  PetscCall(KSPSetType(*ksp, KSPPSDO));
  PetscCall(KSPSetNormType(*ksp, KSP_NORM_UNPRECONDITIONED));
  PetscCall(KSPSetTolerances(*ksp, rtol, 1e-300, 1e30, most));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(PCSetType(pc, PCNEURAL));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscCall(PetscObjectTypeCompare((PetscObject)pc, PCNEURAL, &neural));
  if (neural) PetscCall(PCNeuralSetImage(pc, s.dm, s.labels));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchDestroySceneKSP(KSP *ksp, const char options[])
{
  PetscOptions database;
  PetscInt     count;
  char       **names, **values;
  std::string  unknown;

  PetscFunctionBeginUser;
  PetscCall(PetscObjectGetOptions((PetscObject)*ksp, &database));
  PetscCall(PetscOptionsLeftGet(database, &count, &names, &values));
  for (PetscInt i = 0; i < count; i++) {
    if (std::string(options).find(std::string("-") + names[i] + " ") != std::string::npos) unknown += std::string(" -") + names[i];
  }
  PetscCall(PetscOptionsLeftRestore(database, &count, &names, &values));
  PetscCheck(unknown.empty(), PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "Nothing knows%s", unknown.c_str());
  PetscCall(KSPDestroy(ksp));
  PetscCall(PetscOptionsDestroy(&database));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchSolveScene(const BenchScene &s, const char options[], PetscReal rtol, PetscInt most, BenchRun *run)
{
  KSP ksp;
  Vec x;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(s.b, &x));
  PetscCall(BenchCreateSceneKSP(s, options, rtol, most, &ksp));
  PetscCall(KSPSolve(ksp, s.b, x));
  PetscCall(KSPGetIterationNumber(ksp, &run->its));
  PetscCall(KSPGetConvergedReason(ksp, &run->reason));
  PetscCall(BenchTrueResidual(s.A, s.b, x, &run->residual));
  PetscCall(BenchDestroySceneKSP(&ksp, options));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

bool BenchLine::Failed(const BenchRun &run) const
{
  return run.reason <= 0 || !(run.residual <= 1.01 * rtol);
}

PetscReal BenchLine::Mean(PetscInt kind) const
{
  PetscReal sum = 0.0;

  for (const BenchRun &run : runs[kind]) sum += Failed(run) ? most : run.its;
  return sum / (PetscReal)runs[kind].size();
}

PetscInt BenchLine::Most(PetscInt kind) const
{
  PetscInt largest = 0;

  for (const BenchRun &run : runs[kind]) largest = std::max(largest, Failed(run) ? most : run.its);
  return largest;
}

PetscReal BenchLine::Mean() const
{
  PetscReal sum = 0.0;

  for (PetscInt kind = 0; kind < BENCH_BUBBLES; kind++) sum += Mean(kind) / BENCH_BUBBLES;
  return sum;
}

PetscReal BenchLine::Spread(PetscInt *kind) const
{
  PetscReal largest = 0.0;

  for (PetscInt k = 0; k < BENCH_NKINDS; k++) {
    if (runs[k].empty() || Most(k) <= largest * Mean(k)) continue;
    largest = Most(k) / Mean(k);
    *kind   = k;
  }
  return largest;
}

PetscErrorCode BenchPrintLineHeader(const char name[])
{
  PetscFunctionBeginUser;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-16s %7s ", name, "mean"));
  for (const char *kind : BenchKinds) PetscCall(PetscPrintf(PETSC_COMM_WORLD, " %13s", kind));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  largest/mean\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode BenchPrintLine(const BenchLine &line)
{
  std::map<std::string, int> why;
  PetscInt                   kind = 0, nruns = 0;
  const PetscReal            spread = line.Spread(&kind);

  PetscFunctionBeginUser;
  for (const auto &runs : line.runs) {
    for (const BenchRun &run : runs) {
      nruns++;
      if (line.Failed(run)) why[run.reason <= 0 ? KSPConvergedReasons[run.reason] : "residual too large"]++;
    }
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-16s %s%6.2f ", line.name.c_str(), why.empty() ? " " : ">", (double)line.Mean()));
  for (PetscInt k = 0; k < BENCH_NKINDS; k++) {
    if (line.runs[k].empty())
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, " %13s", "-"));
    else
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  %6.1f (%3" PetscInt_FMT ")", (double)line.Mean(k), line.Most(k)));
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "  %.2f %s", (double)spread, BenchKinds[kind]));
  for (const auto &w : why) PetscCall(PetscPrintf(PETSC_COMM_WORLD, "; %d of %" PetscInt_FMT " %s", w.second, nruns, w.first.c_str()));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}
