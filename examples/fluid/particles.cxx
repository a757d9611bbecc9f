#include "particles.h"

/* How far from walls and solids particles are kept, in cells: one on the wall would belong to no cell */
#define PARTICLES_MARGIN 0.01

/* Between 0 and 1, and the same on any number of processes: the bits of k, well mixed */
static PetscReal Scatter(uint64_t k)
{
  for (int round = 0; round < 3; round++) {
    k ^= k >> 32;
    k *= 0xD6E8FEB86659FD93u;
  }
  return (PetscReal)((k ^ (k >> 32)) >> 12) / 4503599627370496.0;
}

/* Particle number s of a cell, somewhere in the s-th of the 2^dim parts of it; middle is the middle of that part */
static void Place(const Grid *grid, const PetscInt cell[3], PetscInt s, uint64_t seed, PetscReal x[3], PetscReal middle[3])
{
  const uint64_t number = (((uint64_t)cell[2] * grid->n[1] + cell[1]) * grid->n[0] + cell[0]) * 8 + s;

  for (PetscInt d = 0; d < 3; d++) {
    middle[d] = cell[d] + (d < grid->dim ? 0.25 + 0.5 * (s >> d & 1) : 0.5);
    x[d]      = d < grid->dim ? middle[d] + 0.4 * (Scatter(4 * number + d + 1 + (seed << 40)) - 0.5) : middle[d];
  }
}

static PetscReal Solid(const Grid *grid, const Scene *scene, const PetscReal x[3], PetscReal time)
{
  const PetscReal y[3] = {x[0] * grid->h, x[1] * grid->h, x[2] * grid->h};

  return SceneSolid(scene, y, time) / grid->h;
}

/* Does something with each cell that this process owns */
template <typename What>
static PetscErrorCode ForCells(const Grid *grid, What what)
{
  PetscInt lo[3], n[3];

  PetscFunctionBeginUser;
  PetscCall(DMDAGetCorners(grid->pressure, &lo[0], &lo[1], &lo[2], &n[0], &n[1], &n[2]));
  for (PetscInt k = lo[2]; k < lo[2] + n[2]; k++) {
    for (PetscInt j = lo[1]; j < lo[1] + n[1]; j++) {
      for (PetscInt i = lo[0]; i < lo[0] + n[0]; i++) {
        const PetscInt cell[3] = {i, j, k};

        what(cell);
      }
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ParticlesSeed(const Grid *grid, const Scene *scene, Particles *particles)
{
  PetscFunctionBeginUser;
  PetscCall(ForCells(grid, [&](const PetscInt cell[3]) {
    for (PetscInt s = 0; s < 1 << grid->dim; s++) {
      Particle  particle;
      PetscReal middle[3], y[3];

      for (PetscInt d = 0; d < 3; d++) particle.v[d] = 0.0;
      Place(grid, cell, s, 0, particle.x, middle);
      /* The middles decide, so that a level surface begins level */
      for (PetscInt d = 0; d < 3; d++) y[d] = middle[d] * grid->h;
      if (SceneLiquid(scene, y) < 0.0 && Solid(grid, scene, particle.x, 0.0) > PARTICLES_MARGIN) particles->list.push_back(particle);
    }
  }));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ParticlesPour(const Grid *grid, const Scene *scene, PetscInt step, Particles *particles)
{
  std::vector<PetscInt> inside;
  PetscInt              lo[3], n[3];

  PetscFunctionBeginUser;
  if (scene->type != SCENE_INFLOW) PetscFunctionReturn((PetscErrorCode)0);
  PetscCall(DMDAGetCorners(grid->pressure, &lo[0], &lo[1], &lo[2], &n[0], &n[1], &n[2]));
  const auto number = [&](const PetscInt cell[3]) { return ((size_t)(cell[2] - lo[2]) * n[1] + (cell[1] - lo[1])) * n[0] + (cell[0] - lo[0]); };

  inside.assign((size_t)n[0] * n[1] * n[2], 0);
  for (Particle &particle : particles->list) {
    const PetscInt  cell[3] = {(PetscInt)particle.x[0], (PetscInt)particle.x[1], (PetscInt)particle.x[2]};
    const PetscReal y[3]    = {particle.x[0] * grid->h, particle.x[1] * grid->h, particle.x[2] * grid->h};
    PetscReal       u[3];

    inside[number(cell)]++;
    if (SceneSource(scene, y, u) > 0.5 * grid->h) continue;
    for (PetscInt d = 0; d < 3; d++) particle.v[d] = u[d];
  }
  PetscCall(ForCells(grid, [&](const PetscInt cell[3]) {
    const PetscReal y[3] = {(cell[0] + 0.5) * grid->h, (cell[1] + 0.5) * grid->h, (cell[2] + 0.5) * grid->h};
    PetscReal       u[3], middle[3];

    if (SceneSource(scene, y, u) > 0.5 * grid->h) return;
    for (PetscInt s = inside[number(cell)]; s < 1 << grid->dim; s++) {
      Particle particle;

      for (PetscInt d = 0; d < 3; d++) particle.v[d] = u[d];
      Place(grid, cell, s, (uint64_t)step, particle.x, middle);
      if (Solid(grid, scene, particle.x, 0.0) <= PARTICLES_MARGIN) continue;
      particles->list.push_back(particle);
      particles->added++;
    }
  }));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Particles go to the process that owns their cell */
static PetscErrorCode Migrate(const Grid *grid, Particles *particles)
{
  const PetscInt          *owned[3];
  PetscInt                 processes[3];
  PetscMPIInt              rank, size;
  std::vector<PetscMPIInt> owner[3], sent, received, from, to;
  std::vector<PetscReal>   out, in;
  std::vector<Particle>    stay, go;
  std::vector<PetscMPIInt> where;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (size == 1) PetscFunctionReturn((PetscErrorCode)0);
  PetscCall(DMDAGetInfo(grid->pressure, nullptr, nullptr, nullptr, nullptr, &processes[0], &processes[1], &processes[2], nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCall(DMDAGetOwnershipRanges(grid->pressure, &owned[0], &owned[1], &owned[2]));
  for (PetscInt d = 0; d < 3; d++) {
    for (PetscInt q = 0; q < processes[d]; q++) owner[d].insert(owner[d].end(), d < grid->dim ? owned[d][q] : 1, (PetscMPIInt)q);
  }
  sent.assign(size, 0);
  received.assign(size, 0);
  from.assign(size + 1, 0);
  to.assign(size + 1, 0);
  for (const Particle &particle : particles->list) {
    const PetscMPIInt home = owner[0][(PetscInt)particle.x[0]] + (PetscMPIInt)processes[0] * (owner[1][(PetscInt)particle.x[1]] + (PetscMPIInt)processes[1] * owner[2][(PetscInt)particle.x[2]]);

    if (home == rank) {
      stay.push_back(particle);
    } else {
      go.push_back(particle);
      where.push_back(home);
      sent[home] += 6;
    }
  }
  PetscCallMPI(MPI_Alltoall(sent.data(), 1, MPI_INT, received.data(), 1, MPI_INT, PETSC_COMM_WORLD));
  for (PetscMPIInt r = 0; r < size; r++) {
    from[r + 1] = from[r] + sent[r];
    to[r + 1]   = to[r] + received[r];
  }
  out.resize((size_t)from[size] + 1);
  in.resize((size_t)to[size] + 1);
  std::vector<PetscMPIInt> next(from);
  for (size_t k = 0; k < go.size(); k++) {
    for (PetscInt d = 0; d < 3; d++) {
      out[next[where[k]] + d]     = go[k].x[d];
      out[next[where[k]] + 3 + d] = go[k].v[d];
    }
    next[where[k]] += 6;
  }
  PetscCallMPI(MPI_Alltoallv(out.data(), sent.data(), from.data(), MPIU_REAL, in.data(), received.data(), to.data(), MPIU_REAL, PETSC_COMM_WORLD));
  for (PetscMPIInt k = 0; k < to[size]; k += 6) stay.push_back({{in[k], in[k + 1], in[k + 2]}, {in[k + 3], in[k + 4], in[k + 5]}});
  particles->list.swap(stay);
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Out of a solid along the shortest way */
static void PushOut(const Grid *grid, const Scene *scene, PetscReal time, PetscReal x[3])
{
  for (PetscInt attempt = 0; attempt < 3; attempt++) {
    const PetscReal depth    = PARTICLES_MARGIN - Solid(grid, scene, x, time);
    PetscReal       slope[3] = {0.0, 0.0, 0.0}, length = 0.0;

    if (depth <= 0.0) return;
    for (PetscInt d = 0; d < grid->dim; d++) {
      PetscReal up[3] = {x[0], x[1], x[2]}, down[3] = {x[0], x[1], x[2]};

      up[d] += 0.05;
      down[d] -= 0.05;
      slope[d] = Solid(grid, scene, up, time) - Solid(grid, scene, down, time);
      length += slope[d] * slope[d];
    }
    if (length == 0.0) return;
    for (PetscInt d = 0; d < grid->dim; d++) x[d] += depth * slope[d] / PetscSqrtReal(length);
  }
}

PetscErrorCode ParticlesMove(const Grid *grid, const Scene *scene, Vec velocity, PetscReal time, PetscReal dt, Particles *particles)
{
  Vec    local;
  Array  u;
  size_t kept = 0;

  PetscFunctionBeginUser;
  PetscCall(ArrayGetGhosted(grid->faces, velocity, &local, &u));
  for (Particle particle : particles->list) {
    PetscReal y[3];
    PetscBool left = PETSC_FALSE;

    ArrayTrace(grid, &u, dt / grid->h, particle.x, y);
    PushOut(grid, scene, time + dt, y);
    for (PetscInt d = 0; d < grid->dim; d++) {
      y[d] = PetscMin(PetscMax(y[d], PARTICLES_MARGIN), grid->n[d] - PARTICLES_MARGIN);
      if ((y[d] < 1.0 && scene->open[2 * d]) || (y[d] >= grid->n[d] - 1.0 && scene->open[2 * d + 1])) left = PETSC_TRUE;
      particle.x[d] = y[d];
    }
    if (left)
      particles->left++;
    else
      particles->list[kept++] = particle;
  }
  particles->list.resize(kept);
  PetscCall(ArrayRestoreGhosted(grid->faces, &local, &u));
  PetscCall(Migrate(grid, particles));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ParticlesLabel(const Grid *grid, const Particles *particles, Vec labels)
{
  Array label;

  PetscFunctionBeginUser;
  PetscCall(ArrayGet(grid->pressure, labels, &label));
  for (const Particle &particle : particles->list) {
    PetscScalar &here = label((PetscInt)particle.x[0], (PetscInt)particle.x[1], (PetscInt)particle.x[2]);

    if ((PetscInt)PetscRealPart(here) == CELL_AIR) here = CELL_FLUID;
  }
  PetscCall(ArrayRestore(labels, &label));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Each particle gives a number to the points around it, by their weights in the interpolation: to total the number times the weight, to weights the weight */
template <typename Number>
static PetscErrorCode Spread(const Grid *grid, const Particles *particles, DM dm, PetscBool faces, Number number, Vec total, Vec weights)
{
  Vec   totallocal, weightlocal;
  Array sum, weight;

  PetscFunctionBeginUser;
  PetscCall(VecZeroEntries(total));
  PetscCall(VecZeroEntries(weights));
  PetscCall(ArrayGetGhosted(dm, total, &totallocal, &sum));
  PetscCall(ArrayGetGhosted(dm, weights, &weightlocal, &weight));
  for (const Particle &particle : particles->list) {
    for (PetscInt c = 0; c < sum.dof; c++) {
      PetscInt  base[3];
      PetscReal f[3];

      ArrayCorner(grid, &sum, faces ? c : -1, particle.x, base, f);
      for (PetscInt k = 0; k < (grid->dim == 3 ? 2 : 1); k++) {
        for (PetscInt j = 0; j < 2; j++) {
          for (PetscInt i = 0; i < 2; i++) {
            const PetscReal w = (i ? f[0] : 1.0 - f[0]) * (j ? f[1] : 1.0 - f[1]) * (k ? f[2] : 1.0 - f[2]);

            sum(base[0] + i, base[1] + j, base[2] + k, c) += w * number(particle, c);
            weight(base[0] + i, base[1] + j, base[2] + k, c) += w;
          }
        }
      }
    }
  }
  PetscCall(VecRestoreArray(totallocal, &sum.v));
  PetscCall(VecRestoreArray(weightlocal, &weight.v));
  PetscCall(DMLocalToGlobalBegin(dm, totallocal, ADD_VALUES, total));
  PetscCall(DMLocalToGlobalEnd(dm, totallocal, ADD_VALUES, total));
  PetscCall(DMLocalToGlobalBegin(dm, weightlocal, ADD_VALUES, weights));
  PetscCall(DMLocalToGlobalEnd(dm, weightlocal, ADD_VALUES, weights));
  PetscCall(DMRestoreLocalVector(dm, &totallocal));
  PetscCall(DMRestoreLocalVector(dm, &weightlocal));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ParticlesToFaces(const Grid *grid, const Particles *particles, Vec velocity)
{
  Vec          weights;
  PetscInt     n;
  PetscScalar *u, *w;

  PetscFunctionBeginUser;
  PetscCall(DMGetGlobalVector(grid->faces, &weights));
  PetscCall(Spread(
    grid, particles, grid->faces, PETSC_TRUE, [](const Particle &particle, PetscInt c) { return particle.v[c]; }, velocity, weights));
  PetscCall(VecGetLocalSize(velocity, &n));
  PetscCall(VecGetArray(velocity, &u));
  PetscCall(VecGetArray(weights, &w));
  for (PetscInt i = 0; i < n; i++) {
    const PetscBool valid = (PetscBool)(PetscRealPart(w[i]) > 0.0);

    u[i] = valid ? u[i] / w[i] : 0.0;
    w[i] = valid ? 1.0 : 0.0;
  }
  PetscCall(VecRestoreArray(weights, &w));
  PetscCall(VecRestoreArray(velocity, &u));
  PetscCall(GridExtrapolate(grid, velocity, weights));
  PetscCall(DMRestoreGlobalVector(grid->faces, &weights));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ParticlesAmount(const Grid *grid, const Particles *particles, Vec amount)
{
  Vec weights;

  PetscFunctionBeginUser;
  PetscCall(DMGetGlobalVector(grid->cells, &weights));
  PetscCall(Spread(
    grid, particles, grid->cells, PETSC_FALSE, [&](const Particle &, PetscInt) { return 1.0 / (1 << grid->dim); }, amount, weights));
  PetscCall(DMRestoreGlobalVector(grid->cells, &weights));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ParticlesFromFaces(const Grid *grid, Vec before, Vec after, PetscReal flip, Particles *particles)
{
  Vec   beforelocal, afterlocal;
  Array old, now;

  PetscFunctionBeginUser;
  PetscCall(ArrayGetGhosted(grid->faces, before, &beforelocal, &old));
  PetscCall(ArrayGetGhosted(grid->faces, after, &afterlocal, &now));
  for (Particle &particle : particles->list) {
    PetscReal was[3], is[3];

    ArrayVelocity(grid, &old, particle.x, was);
    ArrayVelocity(grid, &now, particle.x, is);
    for (PetscInt d = 0; d < grid->dim; d++) particle.v[d] = is[d] + flip * (particle.v[d] - was[d]);
  }
  PetscCall(ArrayRestoreGhosted(grid->faces, &afterlocal, &now));
  PetscCall(ArrayRestoreGhosted(grid->faces, &beforelocal, &old));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode ParticlesCount(const Particles *particles, PetscInt64 counts[3])
{
  PetscFunctionBeginUser;
  counts[0] = (PetscInt64)particles->list.size();
  counts[1] = particles->added;
  counts[2] = particles->left;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, counts, 3, MPIU_INT64, MPI_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn((PetscErrorCode)0);
}
