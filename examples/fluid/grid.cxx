#include "fluid.h"

PetscErrorCode GridSetUp(PetscReal courant, Grid *grid)
{
  PetscInt        processes[3] = {1, 1, 1}, m[3];
  const PetscInt *owned[3];
  PetscInt       *more[3] = {nullptr, nullptr, nullptr};

  PetscFunctionBeginUser;
  /* One cell for the way back, one for the half step's rounding, one for the other corner of the interpolation */
  grid->width = (PetscInt)PetscCeilReal(courant) + 2;
  for (PetscInt s = 0; s < 3; s++) {
    DM            *dm    = s == 0 ? &grid->pressure : s == 1 ? &grid->cells : &grid->faces;
    const PetscInt width = s == 0 ? 1 : grid->width, dof = s == 2 ? grid->dim : 1;

    PetscCall(DMCreate(PETSC_COMM_WORLD, dm));
    PetscCall(DMSetType(*dm, DMDA));
    PetscCall(DMSetDimension(*dm, grid->dim));
    for (PetscInt d = 0; d < 3; d++) m[d] = grid->n[d] + (s == 2 && d < grid->dim ? 1 : 0);
    PetscCall(DMDASetSizes(*dm, m[0], m[1], m[2]));
    PetscCall(DMDASetDof(*dm, dof));
    PetscCall(DMDASetStencilType(*dm, s == 0 ? DMDA_STENCIL_STAR : DMDA_STENCIL_BOX));
    PetscCall(DMDASetStencilWidth(*dm, width));
    if (s == 0) {
      /* The type of vectors and matrices is the user's to choose */
      PetscCall(DMSetFromOptions(*dm));
    } else {
      PetscCall(DMDASetNumProcs(*dm, processes[0], processes[1], processes[2]));
      PetscCall(DMDASetOwnershipRanges(*dm, s == 2 ? more[0] : owned[0], s == 2 ? more[1] : owned[1], s == 2 ? more[2] : owned[2]));
    }
    PetscCall(DMSetUp(*dm));
    if (s > 0) continue;
    PetscCall(DMDAGetInfo(*dm, nullptr, &m[0], &m[1], &m[2], &processes[0], &processes[1], &processes[2], nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
    for (PetscInt d = 0; d < grid->dim; d++) PetscCheck(m[d] == grid->n[d], PETSC_COMM_WORLD, PETSC_ERR_ARG_INCOMP, "The grid is not to be refined by -da_refine: use -nx, -ny and -nz");
    PetscCall(DMDAGetOwnershipRanges(*dm, &owned[0], &owned[1], &owned[2]));
    for (PetscInt d = 0; d < grid->dim; d++) {
      PetscCall(PetscMalloc1(processes[d], &more[d]));
      for (PetscInt q = 0; q < processes[d]; q++) {
        PetscCheck(owned[d][q] >= grid->width, PETSC_COMM_WORLD, PETSC_ERR_ARG_SIZ, "A process has %" PetscInt_FMT " cells along an axis, fewer than the %" PetscInt_FMT " ghosts: use fewer processes, a larger grid or a smaller -cfl", owned[d][q],
                   grid->width);
        more[d][q] = owned[d][q] + (q == processes[d] - 1 ? 1 : 0);
      }
    }
  }
  for (PetscInt d = 0; d < 3; d++) PetscCall(PetscFree(more[d]));
  PetscCall(DMDASetUniformCoordinates(grid->pressure, 0.5 * grid->h, (grid->n[0] - 0.5) * grid->h, 0.5 * grid->h, (grid->n[1] - 0.5) * grid->h, 0.5 * grid->h, (grid->n[2] - 0.5) * grid->h));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode GridDestroy(Grid *grid)
{
  PetscFunctionBeginUser;
  PetscCall(DMDestroy(&grid->pressure));
  PetscCall(DMDestroy(&grid->cells));
  PetscCall(DMDestroy(&grid->faces));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ArrayGet(DM dm, Vec v, Array *array)
{
  PetscFunctionBeginUser;
  PetscCall(DMDAGetCorners(dm, &array->lo[0], &array->lo[1], &array->lo[2], &array->n[0], &array->n[1], &array->n[2]));
  PetscCall(DMDAGetDof(dm, &array->dof));
  PetscCall(VecGetArray(v, &array->v));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ArrayRestore(Vec v, Array *array)
{
  PetscFunctionBeginUser;
  PetscCall(VecRestoreArray(v, &array->v));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ArrayGetGhosted(DM dm, Vec v, Vec *local, Array *array)
{
  PetscFunctionBeginUser;
  PetscCall(DMGetLocalVector(dm, local));
  PetscCall(DMGlobalToLocalBegin(dm, v, INSERT_VALUES, *local));
  PetscCall(DMGlobalToLocalEnd(dm, v, INSERT_VALUES, *local));
  PetscCall(DMDAGetGhostCorners(dm, &array->lo[0], &array->lo[1], &array->lo[2], &array->n[0], &array->n[1], &array->n[2]));
  PetscCall(DMDAGetDof(dm, &array->dof));
  PetscCall(VecGetArray(*local, &array->v));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ArrayRestoreGhosted(DM dm, Vec *local, Array *array)
{
  PetscFunctionBeginUser;
  PetscCall(VecRestoreArray(*local, &array->v));
  PetscCall(DMRestoreLocalVector(dm, local));
  PetscFunctionReturn((PetscErrorCode)0);
}

void ArrayCorner(const Grid *grid, const Array *array, PetscInt face, const PetscReal x[3], PetscInt base[3], PetscReal f[3])
{
  base[2] = 0;
  f[2]    = 0.0;
  for (PetscInt d = 0; d < grid->dim; d++) {
    /* The last point of the grid of faces is there for the faces across this axis only; nothing is known beyond the ghosts */
    const PetscInt  first = array->lo[d], last = PetscMin(array->lo[d] + array->n[d], grid->n[d] + (d == face ? 1 : 0)) - 1;
    const PetscReal y = PetscMin(PetscMax(x[d] - (d == face ? 0.0 : 0.5), (PetscReal)first), (PetscReal)last);

    base[d] = PetscMin((PetscInt)y, last - 1);
    f[d]    = y - base[d];
  }
}

PetscReal ArrayInterpolate(const Grid *grid, const Array *array, PetscInt face, const PetscReal x[3], PetscReal *low, PetscReal *high)
{
  PetscInt           base[3];
  PetscReal          f[3], sum = 0.0;
  const PetscScalar *corner;
  size_t             stride[3];

  ArrayCorner(grid, array, face, x, base, f);
  corner    = &(*array)(base, PetscMax(face, 0));
  stride[0] = array->dof;
  stride[1] = stride[0] * array->n[0];
  stride[2] = stride[1] * array->n[1];
  if (low) *low = PETSC_MAX_REAL;
  if (high) *high = PETSC_MIN_REAL;
  for (PetscInt k = 0; k < (grid->dim == 3 ? 2 : 1); k++) {
    for (PetscInt j = 0; j < 2; j++) {
      for (PetscInt i = 0; i < 2; i++) {
        const PetscReal value = PetscRealPart(corner[i * stride[0] + j * stride[1] + k * stride[2]]);

        sum += (i ? f[0] : 1.0 - f[0]) * (j ? f[1] : 1.0 - f[1]) * (k ? f[2] : 1.0 - f[2]) * value;
        if (low) *low = PetscMin(*low, value);
        if (high) *high = PetscMax(*high, value);
      }
    }
  }
  return sum;
}

void ArrayVelocity(const Grid *grid, const Array *velocity, const PetscReal x[3], PetscReal u[3])
{
  u[0] = u[1] = u[2] = 0.0;
  for (PetscInt c = 0; c < grid->dim; c++) u[c] = ArrayInterpolate(grid, velocity, c, x, nullptr, nullptr);
}

void ArrayTrace(const Grid *grid, const Array *velocity, PetscReal t, const PetscReal x[3], PetscReal y[3])
{
  PetscReal u[3], middle[3];

  ArrayVelocity(grid, velocity, x, u);
  for (PetscInt d = 0; d < 3; d++) middle[d] = x[d] + 0.5 * t * u[d];
  ArrayVelocity(grid, velocity, middle, u);
  for (PetscInt d = 0; d < 3; d++) y[d] = x[d] + t * u[d];
}

/* to(x) = from(where x came from) for the points that this process owns; with old it is MacCormack's second half: from has been carried forward, and what
   carrying it back misses of old is put right by half */
static PetscErrorCode Carry(const Grid *grid, const Array *velocity, PetscReal t, PetscBool faces, const Array *from, const Array *old, const Array *to)
{
  PetscFunctionBeginUser;
  for (PetscInt c = 0; c < to->dof; c++) {
    const PetscInt face = faces ? c : -1;
    PetscInt       end[3];

    for (PetscInt d = 0; d < 3; d++) end[d] = PetscMin(to->lo[d] + to->n[d], grid->n[d] + (d == face ? 1 : 0));
    for (PetscInt k = to->lo[2]; k < end[2]; k++) {
      for (PetscInt j = to->lo[1]; j < end[1]; j++) {
        for (PetscInt i = to->lo[0]; i < end[0]; i++) {
          const PetscReal x[3] = {i + (face == 0 ? 0.0 : 0.5), j + (face == 1 ? 0.0 : 0.5), k + (face == 2 ? 0.0 : 0.5)};
          PetscReal       y[3], low, high;

          ArrayTrace(grid, velocity, -t, x, y);
          if (!old) {
            (*to)(i, j, k, c) = ArrayInterpolate(grid, from, face, y, nullptr, nullptr);
          } else {
            PetscReal z[3], value;

            ArrayTrace(grid, velocity, t, x, z);
            value = PetscRealPart((*from)(i, j, k, c)) + 0.5 * (PetscRealPart((*old)(i, j, k, c)) - ArrayInterpolate(grid, from, face, z, nullptr, nullptr));
            (void)ArrayInterpolate(grid, old, face, y, &low, &high);
            (*to)(i, j, k, c) = PetscMin(PetscMax(value, low), high);
          }
        }
      }
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode GridAdvect(const Grid *grid, Vec velocity, PetscReal dt, PetscBool maccormack, PetscBool faces, Vec v)
{
  const DM dm = faces ? grid->faces : grid->cells;
  Vec      ulocal, oldlocal, vlocal;
  Array    u, old, from, to;

  PetscFunctionBeginUser;
  PetscCall(ArrayGetGhosted(grid->faces, velocity, &ulocal, &u));
  PetscCall(ArrayGetGhosted(dm, v, &oldlocal, &old));
  PetscCall(ArrayGet(dm, v, &to));
  PetscCall(Carry(grid, &u, dt / grid->h, faces, &old, nullptr, &to));
  PetscCall(ArrayRestore(v, &to));
  if (maccormack) {
    PetscCall(ArrayGetGhosted(dm, v, &vlocal, &from));
    PetscCall(ArrayGet(dm, v, &to));
    PetscCall(Carry(grid, &u, dt / grid->h, faces, &from, &old, &to));
    PetscCall(ArrayRestore(v, &to));
    PetscCall(ArrayRestoreGhosted(dm, &vlocal, &from));
  }
  PetscCall(ArrayRestoreGhosted(dm, &oldlocal, &old));
  PetscCall(ArrayRestoreGhosted(grid->faces, &ulocal, &u));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode GridExtrapolate(const Grid *grid, Vec velocity, Vec valid)
{
  PetscFunctionBeginUser;
  for (PetscInt layer = 0, filled = 1; layer < grid->width && filled; layer++) {
    Vec   ulocal, oklocal;
    Array u, ok, uout, okout;

    filled = 0;
    PetscCall(ArrayGetGhosted(grid->faces, velocity, &ulocal, &u));
    PetscCall(ArrayGetGhosted(grid->faces, valid, &oklocal, &ok));
    PetscCall(ArrayGet(grid->faces, velocity, &uout));
    PetscCall(ArrayGet(grid->faces, valid, &okout));
    for (PetscInt c = 0; c < grid->dim; c++) {
      PetscInt end[3];

      for (PetscInt d = 0; d < 3; d++) end[d] = PetscMin(uout.lo[d] + uout.n[d], grid->n[d] + (d == c ? 1 : 0));
      for (PetscInt k = uout.lo[2]; k < end[2]; k++) {
        for (PetscInt j = uout.lo[1]; j < end[1]; j++) {
          for (PetscInt i = uout.lo[0]; i < end[0]; i++) {
            PetscReal sum = 0.0;
            PetscInt  n   = 0;

            if (PetscRealPart(ok(i, j, k, c)) > 0.0) continue;
            for (PetscInt d = 0; d < grid->dim; d++) {
              for (PetscInt side = -1; side <= 1; side += 2) {
                PetscInt p[3] = {i, j, k};

                p[d] += side;
                if (p[d] < 0 || p[d] >= grid->n[d] + (d == c ? 1 : 0) || PetscRealPart(ok(p, c)) == 0.0) continue;
                sum += PetscRealPart(u(p, c));
                n++;
              }
            }
            if (!n) continue;
            uout(i, j, k, c)  = sum / n;
            okout(i, j, k, c) = 1.0;
            filled            = 1;
          }
        }
      }
    }
    PetscCall(ArrayRestore(valid, &okout));
    PetscCall(ArrayRestore(velocity, &uout));
    PetscCall(ArrayRestoreGhosted(grid->faces, &oklocal, &ok));
    PetscCall(ArrayRestoreGhosted(grid->faces, &ulocal, &u));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &filled, 1, MPIU_INT, MPI_MAX, PETSC_COMM_WORLD));
  }
  /* Nothing comes from further away in a step */
  PetscCall(VecPointwiseMult(velocity, velocity, valid));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode GridSpeed(Vec velocity, PetscReal *speed)
{
  PetscFunctionBeginUser;
  /* The largest of some numbers may be found without a look at a NaN between them, a sum may not */
  PetscCall(VecNorm(velocity, NORM_1, speed));
  PetscCheck(!PetscIsInfOrNanReal(*speed), PETSC_COMM_WORLD, PETSC_ERR_FP, "The velocity is not a number any more: try a smaller -cfl or -dt, or a solver that converges");
  PetscCall(VecNorm(velocity, NORM_INFINITY, speed));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode GridGather(DM dm, Vec v, PetscReal **values)
{
  const PetscScalar *array;
  PetscInt           n;
  PetscMPIInt        rank;
  Vec                natural, first;
  VecScatter         scatter;

  PetscFunctionBeginUser;
  *values = nullptr;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(DMDACreateNaturalVector(dm, &natural));
  PetscCall(DMDAGlobalToNaturalBegin(dm, v, INSERT_VALUES, natural));
  PetscCall(DMDAGlobalToNaturalEnd(dm, v, INSERT_VALUES, natural));
  PetscCall(VecScatterCreateToZero(natural, &scatter, &first));
  PetscCall(VecScatterBegin(scatter, natural, first, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterEnd(scatter, natural, first, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecGetLocalSize(first, &n));
  PetscCall(VecGetArrayRead(first, &array));
  if (rank == 0) PetscCall(PetscMalloc1(n, values));
  for (PetscInt i = 0; i < n && rank == 0; i++) (*values)[i] = PetscRealPart(array[i]);
  PetscCall(VecRestoreArrayRead(first, &array));
  PetscCall(VecScatterDestroy(&scatter));
  PetscCall(VecDestroy(&first));
  PetscCall(VecDestroy(&natural));
  PetscFunctionReturn((PetscErrorCode)0);
}
