#include "fluid.h"
#include <map>
#include <vector>

/* More null vectors than this cost more than they help; their right-hand sides are consistent all the same */
#define PRESSURE_MOST_NULL_VECTORS 16

/* A set of fluid cells that hang together. It has no name but the number of its first cell. */
struct Component {
  PetscReal cells = 0.0, air = 0.0, sum = 0.0; /* air: how many faces it has in common with air */
};

/* The label of a cell beside an owned one */
static PetscInt Label(const Grid *grid, const Array *label, const PetscInt p[3], PetscInt axis, PetscInt side)
{
  PetscInt q[3] = {p[0], p[1], p[2]};

  q[axis] += side;
  if (q[axis] < 0 || q[axis] >= grid->n[axis]) return CELL_SOLID;
  return (PetscInt)PetscRealPart((*label)(q));
}

/* hsc, where petlap has it, else gamg, until options ask for something else */
static PetscErrorCode CreateSolver(KSP *ksp)
{
  PC          pc;
  PetscMPIInt size;
  PetscErrorCode (*hsc)(PC) = nullptr;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  if (size == 1) PetscCall(PetscFunctionListFind(PCList, "hsc", &hsc));
  PetscCall(KSPCreate(PETSC_COMM_WORLD, ksp));
  PetscCall(KSPSetType(*ksp, KSPFCG));
  PetscCall(KSPFCGSetMmax(*ksp, 1));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(PCSetType(pc, hsc ? "hsc" : PCGAMG));
  PetscCall(KSPSetTolerances(*ksp, 1e-6, PETSC_DEFAULT, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(KSPSetErrorIfNotConverged(*ksp, PETSC_TRUE));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode PressureCreate(const Grid *grid, const Scene *scene, Pressure *pressure)
{
  PetscFunctionBeginUser;
  pressure->grid  = grid;
  pressure->scene = scene;
  PetscCall(DMCreateGlobalVector(grid->pressure, &pressure->p));
  PetscCall(VecDuplicate(pressure->p, &pressure->labels));
  PetscCall(VecDuplicate(pressure->p, &pressure->assembled));
  PetscCall(VecDuplicate(pressure->p, &pressure->b));
  PetscCall(VecDuplicate(pressure->p, &pressure->excess));
  PetscCall(PetscObjectSetName((PetscObject)pressure->p, "pressure"));
  PetscCall(PetscObjectSetName((PetscObject)pressure->labels, "label"));
  PetscCall(CreateSolver(&pressure->ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode PressureDestroy(Pressure *pressure)
{
  PetscFunctionBeginUser;
  PetscCall(KSPDestroy(&pressure->ksp));
  PetscCall(MatDestroy(&pressure->A));
  PetscCall(MatDestroy(&pressure->fluidA));
  PetscCall(ISDestroy(&pressure->rows));
  PetscCall(VecDestroy(&pressure->p));
  PetscCall(VecDestroy(&pressure->labels));
  PetscCall(VecDestroy(&pressure->assembled));
  PetscCall(VecDestroy(&pressure->b));
  PetscCall(VecDestroy(&pressure->excess));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A fluid cell between solids alone would be a row of zeros: it becomes solid, too */
static PetscErrorCode CloseCells(Pressure *pressure)
{
  const Grid *grid = pressure->grid;
  Vec         local;
  Array       label, out;

  PetscFunctionBeginUser;
  PetscCall(ArrayGetGhosted(grid->pressure, pressure->labels, &local, &label));
  PetscCall(ArrayGet(grid->pressure, pressure->labels, &out));
  for (PetscInt k = out.lo[2]; k < out.lo[2] + out.n[2]; k++) {
    for (PetscInt j = out.lo[1]; j < out.lo[1] + out.n[1]; j++) {
      for (PetscInt i = out.lo[0]; i < out.lo[0] + out.n[0]; i++) {
        const PetscInt p[3] = {i, j, k};
        PetscInt       n    = 0;

        if ((PetscInt)PetscRealPart(label(p)) != CELL_FLUID) continue;
        for (PetscInt d = 0; d < grid->dim; d++) n += (Label(grid, &label, p, d, -1) != CELL_SOLID) + (Label(grid, &label, p, d, 1) != CELL_SOLID);
        if (!n) out(p) = CELL_SOLID;
      }
    }
  }
  PetscCall(ArrayRestore(pressure->labels, &out));
  PetscCall(ArrayRestoreGhosted(grid->pressure, &local, &label));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Does something with every face of the velocity on this process that exists: what(face, axis, label below, label above) */
template <typename What>
static PetscErrorCode ForFaces(Pressure *pressure, Array *u, What what)
{
  const Grid *grid = pressure->grid;
  Vec         local;
  Array       label;

  PetscFunctionBeginUser;
  PetscCall(ArrayGetGhosted(grid->pressure, pressure->labels, &local, &label));
  for (PetscInt c = 0; c < grid->dim; c++) {
    PetscInt end[3];

    for (PetscInt d = 0; d < 3; d++) end[d] = PetscMin(u->lo[d] + u->n[d], grid->n[d] + (d == c ? 1 : 0));
    for (PetscInt k = u->lo[2]; k < end[2]; k++) {
      for (PetscInt j = u->lo[1]; j < end[1]; j++) {
        for (PetscInt i = u->lo[0]; i < end[0]; i++) {
          const PetscInt p[3]  = {i, j, k};
          const PetscInt above = p[c] < grid->n[c] ? (PetscInt)PetscRealPart(label(p)) : (PetscInt)CELL_SOLID;

          what(p, c, Label(grid, &label, p, c, -1), above);
        }
      }
    }
  }
  PetscCall(ArrayRestoreGhosted(grid->pressure, &local, &label));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Nothing flows through the surface of a solid: there the fluid has the solid's velocity across the face. Only the outer side of a layer of air is open. */
static PetscErrorCode SolidFaces(Pressure *pressure, Vec velocity)
{
  const Grid  *grid  = pressure->grid;
  const Scene *scene = pressure->scene;
  Array        u;

  PetscFunctionBeginUser;
  PetscCall(ArrayGet(grid->faces, velocity, &u));
  PetscCall(ForFaces(pressure, &u, [&](const PetscInt p[3], PetscInt c, PetscInt below, PetscInt above) {
    const PetscBool border = (PetscBool)(p[c] == 0 || p[c] == grid->n[c]);
    PetscReal       x[3], v[3] = {0.0, 0.0, 0.0};

    if ((below == CELL_SOLID) == (above == CELL_SOLID) && !border) return;
    if (border && ((p[c] == 0 && above == CELL_AIR && scene->open[2 * c]) || (p[c] > 0 && below == CELL_AIR && scene->open[2 * c + 1]))) return;
    for (PetscInt d = 0; d < 3; d++) x[d] = (p[d] + (d == c ? 0.0 : 0.5)) * grid->h;
    if (!border) SceneSolidVelocity(scene, x, v);
    u(p, c) = v[c];
  }));
  PetscCall(ArrayRestore(velocity, &u));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* What flows out of each fluid cell, as a velocity */
static PetscErrorCode Outflow(Pressure *pressure, Vec velocity, Vec outflow)
{
  const Grid *grid = pressure->grid;
  Vec         local;
  Array       u, label, out;

  PetscFunctionBeginUser;
  PetscCall(ArrayGetGhosted(grid->faces, velocity, &local, &u));
  PetscCall(ArrayGet(grid->pressure, pressure->labels, &label));
  PetscCall(ArrayGet(grid->pressure, outflow, &out));
  for (PetscInt k = out.lo[2]; k < out.lo[2] + out.n[2]; k++) {
    for (PetscInt j = out.lo[1]; j < out.lo[1] + out.n[1]; j++) {
      for (PetscInt i = out.lo[0]; i < out.lo[0] + out.n[0]; i++) {
        out(i, j, k) = 0.0;
        if ((PetscInt)PetscRealPart(label(i, j, k)) != CELL_FLUID) continue;
        out(i, j, k) = u(i + 1, j, k, 0) - u(i, j, k, 0) + u(i, j + 1, k, 1) - u(i, j, k, 1);
        if (grid->dim == 3) out(i, j, k) += u(i, j, k + 1, 2) - u(i, j, k, 2);
      }
    }
  }
  PetscCall(ArrayRestore(outflow, &out));
  PetscCall(ArrayRestore(pressure->labels, &label));
  PetscCall(ArrayRestoreGhosted(grid->faces, &local, &u));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscInt Root(std::vector<PetscInt> &group, PetscInt i)
{
  while (group[i] != i) i = group[i] = group[group[i]];
  return i;
}

/* Finds the sets of fluid cells that hang together. Those without air make the matrix singular, with the constants on them as null vectors, and can have
   a solution only where as much flows in as out: the mean of b on them goes to excess. name has the number of each fluid cell's set. */
static PetscErrorCode Components(Pressure *pressure, Vec name, std::map<PetscInt64, Component> *components)
{
  const Grid            *grid = pressure->grid;
  Vec                    local, namelocal;
  Array                  label, out, b, excess, names;
  std::vector<PetscInt>  group;
  std::vector<PetscReal> least, mine, all;
  PetscBool              again = PETSC_TRUE;
  PetscMPIInt            size, count;
  PetscInt               fluid = 0;

  PetscFunctionBeginUser;
  PetscCall(ArrayGetGhosted(grid->pressure, pressure->labels, &local, &label));
  PetscCall(DMDAGetCorners(grid->pressure, &out.lo[0], &out.lo[1], &out.lo[2], &out.n[0], &out.n[1], &out.n[2]));
  const auto number = [&](PetscInt i, PetscInt j, PetscInt k) { return ((k - out.lo[2]) * out.n[1] + (j - out.lo[1])) * out.n[0] + (i - out.lo[0]); };
  const auto owned  = [&](PetscInt d, PetscInt p) { return p >= out.lo[d] && p < out.lo[d] + out.n[d]; };
  const auto cells  = [&](auto what) {
    for (PetscInt k = out.lo[2]; k < out.lo[2] + out.n[2]; k++) {
      for (PetscInt j = out.lo[1]; j < out.lo[1] + out.n[1]; j++) {
        for (PetscInt i = out.lo[0]; i < out.lo[0] + out.n[0]; i++) {
          const PetscInt p[3] = {i, j, k};

          if ((PetscInt)PetscRealPart(label(p)) == CELL_FLUID) what(p, number(i, j, k));
        }
      }
    }
  };

  group.resize((size_t)out.n[0] * out.n[1] * out.n[2]);
  least.resize(group.size());
  for (size_t i = 0; i < group.size(); i++) group[i] = (PetscInt)i;
  cells([&](const PetscInt p[3], PetscInt i) {
    least[i] = ((PetscReal)p[2] * grid->n[1] + p[1]) * grid->n[0] + p[0];
    for (PetscInt d = 0; d < grid->dim; d++) {
      PetscInt q[3] = {p[0], p[1], p[2]};

      q[d]--;
      if (!owned(d, q[d]) || (PetscInt)PetscRealPart(label(q)) != CELL_FLUID) continue;
      const PetscInt a = Root(group, i), c = Root(group, number(q[0], q[1], q[2]));

      /* The first cell is the root */
      group[PetscMax(a, c)] = PetscMin(a, c);
    }
  });
  /* Across the borders of processes the smallest name wins, until nothing changes */
  while (again) {
    PetscInt changed = 0;

    PetscCall(ArrayGet(grid->pressure, name, &out));
    cells([&](const PetscInt p[3], PetscInt i) { out(p) = least[Root(group, i)]; });
    PetscCall(ArrayRestore(name, &out));
    PetscCall(ArrayGetGhosted(grid->pressure, name, &namelocal, &names));
    cells([&](const PetscInt p[3], PetscInt i) {
      for (PetscInt d = 0; d < grid->dim; d++) {
        for (PetscInt side = -1; side <= 1; side += 2) {
          PetscInt       q[3] = {p[0], p[1], p[2]};
          const PetscInt root = Root(group, i);

          q[d] += side;
          if (owned(d, q[d]) || Label(grid, &label, p, d, side) != CELL_FLUID || PetscRealPart(names(q)) >= least[root]) continue;
          least[root] = PetscRealPart(names(q));
          changed     = 1;
        }
      }
    });
    PetscCall(ArrayRestoreGhosted(grid->pressure, &namelocal, &names));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &changed, 1, MPIU_INT, MPI_MAX, PETSC_COMM_WORLD));
    again = (PetscBool)changed;
  }

  PetscCall(ArrayGet(grid->pressure, pressure->b, &b));
  /* Roots of this process that have met on another one share a name */
  std::map<PetscInt64, Component> part;
  std::vector<Component *>        whole(group.size(), nullptr);
  cells([&](const PetscInt *, PetscInt i) {
    const PetscInt root = Root(group, i);

    if (!whole[root]) whole[root] = &part[(PetscInt64)least[root]];
    whole[i] = whole[root];
  });
  cells([&](const PetscInt p[3], PetscInt i) {
    Component &component = *whole[i];

    component.cells += 1.0;
    component.sum += PetscRealPart(b(p));
    for (PetscInt d = 0; d < grid->dim; d++) component.air += (Label(grid, &label, p, d, -1) == CELL_AIR) + (Label(grid, &label, p, d, 1) == CELL_AIR);
    fluid++;
  });
  for (const auto &entry : part) mine.insert(mine.end(), {(PetscReal)entry.first, entry.second.cells, entry.second.air, entry.second.sum});
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  std::vector<PetscMPIInt> counts(size), starts(size + 1, 0);
  count = (PetscMPIInt)mine.size();
  PetscCallMPI(MPI_Allgather(&count, 1, MPI_INT, counts.data(), 1, MPI_INT, PETSC_COMM_WORLD));
  for (PetscMPIInt r = 0; r < size; r++) starts[r + 1] = starts[r] + counts[r];
  all.resize(starts[size] + 1);
  mine.push_back(0.0);
  PetscCallMPI(MPI_Allgatherv(mine.data(), count, MPIU_REAL, all.data(), counts.data(), starts.data(), MPIU_REAL, PETSC_COMM_WORLD));
  components->clear();
  for (PetscMPIInt k = 0; k < starts[size]; k += 4) {
    Component &component = (*components)[(PetscInt64)all[k]];

    component.cells += all[k + 1];
    component.air += all[k + 2];
    component.sum += all[k + 3];
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &fluid, 1, MPIU_INT, MPI_SUM, PETSC_COMM_WORLD));
  pressure->fluid      = fluid;
  pressure->components = (PetscInt)components->size();
  pressure->closed     = 0;
  for (const auto &entry : *components) pressure->closed += entry.second.air == 0.0;

  PetscCall(VecZeroEntries(pressure->excess));
  for (auto &entry : part) entry.second = (*components)[entry.first];
  PetscCall(ArrayGet(grid->pressure, pressure->excess, &excess));
  cells([&](const PetscInt p[3], PetscInt i) {
    const Component &component = *whole[i];

    if (component.air == 0.0) excess(p) = component.sum / component.cells;
  });
  PetscCall(ArrayRestore(pressure->excess, &excess));
  PetscCall(ArrayRestore(pressure->b, &b));
  PetscCall(ArrayRestoreGhosted(grid->pressure, &local, &label));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The matrix of the paper's section 3.2 in its full form: the diagonal is how many neighbours are fluid or air, -1 for those that are fluid; cells that are not
   fluid have a row with a 1 on the diagonal. It has no entries that are zero, for preconditioners that take each entry for a neighbour. */
static PetscErrorCode Assemble(Pressure *pressure, PetscReal scale)
{
  const Grid            *grid = pressure->grid;
  Vec                    local;
  Array                  label, owned;
  MatType                type;
  ISLocalToGlobalMapping mapping;
  PetscInt               n, row = 0;
  std::vector<PetscInt>  here, there;

  PetscFunctionBeginUser;
  PetscCall(MatDestroy(&pressure->A));
  PetscCall(ArrayGetGhosted(grid->pressure, pressure->labels, &local, &label));
  PetscCall(DMDAGetCorners(grid->pressure, &owned.lo[0], &owned.lo[1], &owned.lo[2], &owned.n[0], &owned.n[1], &owned.n[2]));
  /* what(row, columns, values) for each row, in local numbers; others is how many columns belong to other processes */
  const auto rows = [&](auto what) {
    for (PetscInt k = owned.lo[2]; k < owned.lo[2] + owned.n[2]; k++) {
      for (PetscInt j = owned.lo[1]; j < owned.lo[1] + owned.n[1]; j++) {
        for (PetscInt i = owned.lo[0]; i < owned.lo[0] + owned.n[0]; i++) {
          const PetscInt p[3] = {i, j, k}, centre = (PetscInt)(&label(p) - label.v);
          PetscInt       columns[7] = {centre}, count = 1, others = 0;
          PetscScalar    values[7] = {scale};

          if ((PetscInt)PetscRealPart(label(p)) == CELL_FLUID) {
            values[0] = 0.0;
            for (PetscInt d = 0; d < grid->dim; d++) {
              for (PetscInt side = -1; side <= 1; side += 2) {
                const PetscInt beside = Label(grid, &label, p, d, side);
                PetscInt       q[3]   = {i, j, k};

                if (beside != CELL_SOLID) values[0] += scale;
                if (beside != CELL_FLUID) continue;
                q[d] += side;
                others += q[d] < owned.lo[d] || q[d] >= owned.lo[d] + owned.n[d];
                columns[count]  = (PetscInt)(&label(q) - label.v);
                values[count++] = -scale;
              }
            }
          }
          PetscCall(what(centre, count, others, columns, values));
        }
      }
    }
    return (PetscErrorCode)0;
  };

  PetscCall(VecGetLocalSize(pressure->labels, &n));
  here.resize(n + 1);
  there.resize(n + 1);
  PetscCall(rows([&](PetscInt, PetscInt count, PetscInt others, const PetscInt *, const PetscScalar *) {
    here[row]    = count - others;
    there[row++] = others;
    return (PetscErrorCode)0;
  }));
  /* What DMCreateMatrix() does, but for the entries that are not needed */
  PetscCall(DMGetMatType(grid->pressure, &type));
  PetscCall(DMGetLocalToGlobalMapping(grid->pressure, &mapping));
  PetscCall(MatCreate(PETSC_COMM_WORLD, &pressure->A));
  PetscCall(MatSetSizes(pressure->A, n, n, PETSC_DETERMINE, PETSC_DETERMINE));
  PetscCall(MatSetType(pressure->A, type));
  PetscCall(MatSetLocalToGlobalMapping(pressure->A, mapping, mapping));
  PetscCall(MatSetDM(pressure->A, grid->pressure));
  PetscCall(MatXAIJSetPreallocation(pressure->A, 1, here.data(), there.data(), nullptr, nullptr));
  PetscCall(rows([&](PetscInt centre, PetscInt count, PetscInt, const PetscInt columns[], const PetscScalar values[]) {
    PetscCall(MatSetValuesLocal(pressure->A, 1, &centre, count, columns, values, INSERT_VALUES));
    return (PetscErrorCode)0;
  }));
  PetscCall(MatAssemblyBegin(pressure->A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(pressure->A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatSetOption(pressure->A, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(ArrayRestoreGhosted(grid->pressure, &local, &label));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The fluid cells' rows */
static PetscErrorCode FluidRows(Pressure *pressure, IS *rows)
{
  const PetscScalar    *label;
  PetscInt              start, end;
  std::vector<PetscInt> list;

  PetscFunctionBeginUser;
  PetscCall(VecGetOwnershipRange(pressure->labels, &start, &end));
  PetscCall(VecGetArrayRead(pressure->labels, &label));
  for (PetscInt i = start; i < end; i++) {
    if ((PetscInt)PetscRealPart(label[i - start]) == CELL_FLUID) list.push_back(i);
  }
  PetscCall(VecRestoreArrayRead(pressure->labels, &label));
  PetscCall(ISCreateGeneral(PETSC_COMM_WORLD, (PetscInt)list.size(), list.data(), PETSC_COPY_VALUES, rows));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The constants on each set of cells without air */
static PetscErrorCode AttachNullSpace(Pressure *pressure, Vec name, const std::map<PetscInt64, Component> *components, Mat A)
{
  std::vector<Vec> basis;
  MatNullSpace     space;
  PetscInt         n;

  PetscFunctionBeginUser;
  if (!pressure->closed || pressure->closed > PRESSURE_MOST_NULL_VECTORS) PetscFunctionReturn((PetscErrorCode)0);
  for (const auto &entry : *components) {
    Vec                vector, part;
    const PetscScalar *names;
    PetscScalar       *values;

    if (entry.second.air != 0.0) continue;
    PetscCall(VecDuplicate(pressure->p, &vector));
    PetscCall(VecZeroEntries(vector));
    PetscCall(VecGetLocalSize(vector, &n));
    PetscCall(VecGetArrayRead(name, &names));
    PetscCall(VecGetArray(vector, &values));
    for (PetscInt i = 0; i < n; i++) {
      if ((PetscInt64)PetscRealPart(names[i]) == entry.first) values[i] = 1.0 / PetscSqrtReal(entry.second.cells);
    }
    PetscCall(VecRestoreArray(vector, &values));
    PetscCall(VecRestoreArrayRead(name, &names));
    if (pressure->compressed) {
      PetscCall(MatCreateVecs(A, &part, nullptr));
      PetscCall(VecISCopy(vector, pressure->rows, SCATTER_REVERSE, part));
      PetscCall(VecDestroy(&vector));
      vector = part;
    }
    basis.push_back(vector);
  }
  PetscCall(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_FALSE, (PetscInt)basis.size(), basis.data(), &space));
  PetscCall(MatSetNullSpace(A, space));
  PetscCall(MatNullSpaceDestroy(&space));
  for (Vec &vector : basis) PetscCall(VecDestroy(&vector));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Preconditioners that want to know which cells are what, and have no other way to learn it from a matrix of the fluid cells alone */
static PetscErrorCode TellImage(Pressure *pressure)
{
  PC pc;
  PetscErrorCode (*set)(PC, DM, Vec) = nullptr;

  PetscFunctionBeginUser;
  PetscCall(KSPGetPC(pressure->ksp, &pc));
  PetscCall(PetscObjectQueryFunction((PetscObject)pc, "PCNeuralSetImage_C", &set));
  if (set) PetscCall((*set)(pc, pressure->grid->pressure, pressure->labels));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The guess from the last step is 0 where there is no fluid any more */
static PetscErrorCode ClearGuess(Pressure *pressure)
{
  const PetscScalar *label;
  PetscScalar       *p;
  PetscInt           n;

  PetscFunctionBeginUser;
  PetscCall(VecGetLocalSize(pressure->p, &n));
  PetscCall(VecGetArrayRead(pressure->labels, &label));
  PetscCall(VecGetArray(pressure->p, &p));
  for (PetscInt i = 0; i < n; i++) {
    if ((PetscInt)PetscRealPart(label[i]) != CELL_FLUID) p[i] = 0.0;
  }
  PetscCall(VecRestoreArray(pressure->p, &p));
  PetscCall(VecRestoreArrayRead(pressure->labels, &label));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The matrix, and the solver's new task, if the fluid is not where it was */
static PetscErrorCode Prepare(Pressure *pressure, PetscReal scale, Vec name, const std::map<PetscInt64, Component> *components)
{
  Mat       A;
  PetscBool same;

  PetscFunctionBeginUser;
  PetscCall(VecEqual(pressure->labels, pressure->assembled, &same));
  if (same && scale == pressure->scale && !pressure->rebuild) PetscFunctionReturn((PetscErrorCode)0);
  PetscCall(Assemble(pressure, scale));
  PetscCall(VecCopy(pressure->labels, pressure->assembled));
  pressure->scale = scale;
  if (!pressure->fluid) PetscFunctionReturn((PetscErrorCode)0);
  A = pressure->A;
  if (pressure->compressed) {
    PetscCall(MatDestroy(&pressure->fluidA));
    PetscCall(ISDestroy(&pressure->rows));
    PetscCall(FluidRows(pressure, &pressure->rows));
    PetscCall(MatCreateSubMatrix(pressure->A, pressure->rows, pressure->rows, MAT_INITIAL_MATRIX, &pressure->fluidA));
    A = pressure->fluidA;
    PetscCall(MatSetOption(A, MAT_SYMMETRIC, PETSC_TRUE));
    /* The number of unknowns is another one, and not every KSP stands KSPReset() */
    PetscCall(KSPDestroy(&pressure->ksp));
    PetscCall(CreateSolver(&pressure->ksp));
  }
  PetscCall(AttachNullSpace(pressure, name, components, A));
  PetscCall(KSPSetOperators(pressure->ksp, A, A));
  PetscCall(TellImage(pressure));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A p = b, with the set-up and the solve timed apart */
static PetscErrorCode Solve(Pressure *pressure)
{
  Vec            b = pressure->b, p = pressure->p;
  PetscLogDouble start, middle, end;
  PetscReal      seconds[2];

  PetscFunctionBeginUser;
  pressure->its   = 0;
  pressure->setup = pressure->solve = 0.0;
  PetscCall(ClearGuess(pressure));
  if (!pressure->fluid) PetscFunctionReturn((PetscErrorCode)0);
  if (pressure->compressed) {
    PetscCall(MatCreateVecs(pressure->fluidA, &p, &b));
    PetscCall(VecISCopy(pressure->p, pressure->rows, SCATTER_REVERSE, p));
    PetscCall(VecISCopy(pressure->b, pressure->rows, SCATTER_REVERSE, b));
  }
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscCall(PetscTime(&start));
  PetscCall(KSPSetUp(pressure->ksp));
  PetscCall(KSPSetUpOnBlocks(pressure->ksp));
  PetscCall(PetscTime(&middle));
  PetscCall(KSPSolve(pressure->ksp, b, p));
  PetscCall(PetscTime(&end));
  seconds[0] = middle - start;
  seconds[1] = end - middle;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, seconds, 2, MPIU_REAL, MPIU_MAX, PETSC_COMM_WORLD));
  pressure->setup = seconds[0];
  pressure->solve = seconds[1];
  PetscCall(KSPGetIterationNumber(pressure->ksp, &pressure->its));
  if (pressure->compressed) {
    PetscCall(VecISCopy(pressure->p, pressure->rows, SCATTER_FORWARD, p));
    PetscCall(VecDestroy(&p));
    PetscCall(VecDestroy(&b));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode PressureProject(Pressure *pressure, PetscReal dt, Vec velocity)
{
  const Grid                     *grid = pressure->grid;
  const PetscReal                 rho = 1.0, scale = pressure->scaled ? dt / (rho * grid->h * grid->h) : 1.0, push = pressure->scaled ? dt / (rho * grid->h) : 1.0;
  Vec                             name, valid, plocal;
  Array                           u, ok, p;
  std::map<PetscInt64, Component> components;

  PetscFunctionBeginUser;
  PetscCall(CloseCells(pressure));
  PetscCall(SolidFaces(pressure, velocity));

  /* With w for what flows out of a cell as a velocity, the pressure takes -A p away from w */
  PetscCall(DMGetGlobalVector(grid->pressure, &name));
  PetscCall(VecSet(name, -1.0));
  PetscCall(Outflow(pressure, velocity, pressure->b));
  PetscCall(VecScale(pressure->b, -scale / push));
  PetscCall(Components(pressure, name, &components));
  PetscCall(VecAXPY(pressure->b, -1.0, pressure->excess));
  PetscCall(Prepare(pressure, scale, name, &components));
  PetscCall(Solve(pressure));
  PetscCall(DMRestoreGlobalVector(grid->pressure, &name));

  PetscCall(DMGetGlobalVector(grid->faces, &valid));
  PetscCall(VecZeroEntries(valid));
  PetscCall(ArrayGetGhosted(grid->pressure, pressure->p, &plocal, &p));
  PetscCall(ArrayGet(grid->faces, velocity, &u));
  PetscCall(ArrayGet(grid->faces, valid, &ok));
  PetscCall(ForFaces(pressure, &u, [&](const PetscInt f[3], PetscInt c, PetscInt below, PetscInt above) {
    PetscInt q[3] = {f[0], f[1], f[2]};

    if (below != CELL_FLUID && above != CELL_FLUID) return;
    ok(f, c) = 1.0;
    if (below == CELL_SOLID || above == CELL_SOLID) return;
    q[c]--;
    u(f, c) -= push * ((above == CELL_FLUID ? PetscRealPart(p(f)) : 0.0) - (below == CELL_FLUID ? PetscRealPart(p(q)) : 0.0));
  }));
  PetscCall(ArrayRestore(valid, &ok));
  PetscCall(ArrayRestore(velocity, &u));
  PetscCall(ArrayRestoreGhosted(grid->pressure, &plocal, &p));

  /* What is left of the divergence, but for what no pressure can take away */
  PetscCall(DMGetGlobalVector(grid->pressure, &name));
  PetscCall(Outflow(pressure, velocity, name));
  PetscCall(VecAXPY(name, push / scale, pressure->excess));
  PetscCall(VecNorm(name, NORM_INFINITY, &pressure->divergence));
  pressure->divergence *= dt / grid->h;
  PetscCall(DMRestoreGlobalVector(grid->pressure, &name));

  PetscCall(GridExtrapolate(grid, velocity, valid));
  PetscCall(DMRestoreGlobalVector(grid->faces, &valid));
  PetscCall(SolidFaces(pressure, velocity));
  PetscFunctionReturn((PetscErrorCode)0);
}
