static char help[] = "Smoke around an obstacle, and liquids with a free surface, in two or three dimensions: a fluid without viscosity on a staggered grid, one pressure to\n\
solve for in each step. Lan, Gueidon, Kaneda, Panetta, Teran 2024, section 3: what moves with the fluid is carried along (smoke: semi-Lagrangian with\n\
MacCormack's correction; liquids: particles, PIC/FLIP), forces act, and the pressure takes away the divergence. Its matrix changes from step to step with\n\
the cells that are fluid, and has Dirichlet conditions at air and Neumann conditions at solids. Writes pictures, and prints the iterations and times of\n\
each solve, so that solvers can be compared by options:\n\
  smoke -scene dam -dim 3 -ksp_type psdo -pc_type icc\n\n\
  -scene <smoke>           smoke, dam (a column of water that falls over), ball (of water, over a pool), inflow (a jet), pool (which is still)\n\
  -dim <2>                 or 3\n\
  -nx <64> -ny -nz         cells, which are cubes; ny and nz follow from nx where they are not given. The box is 1 m wide\n\
  -steps <100>             how many\n\
  -cfl <2>                 cells that the fluid may move in a step\n\
  -dt <0.1>                the longest step in seconds\n\
  -obstacle                none, sphere, blade (a box that turns), pillars, wall (between two chambers); sphere for smoke and inflow, pillars for dam\n\
  -spin <3>                of the blade, in radians per second\n\
  -open <none>             sides that let air in and out, as in top,left: their layer of cells is air. Without any, smoke has a singular matrix\n\
  -maccormack <true>       of smoke; false is more stable and washes details out\n\
  -buoyancy <4>            m/s^2 for the thickest smoke\n\
  -gravity <9.81>          m/s^2, of liquids\n\
  -flip <0.99>             how much of their own velocity particles keep; 0 is viscous\n\
  -unknowns <all>          all cells, those that are not fluid with a row of the identity; or fluid, which most solvers are faster with\n\
  -scale <false>           the matrix of the pressure itself, times dt / h^2, instead of entries that are -1\n\
  -rebuild <false>         the solver is set up in every step, also where the fluid is still in the same cells\n\
  -prefix                  how the names of the files begin; the name of the scene\n\
  -every <0>               pictures after every so many steps, PREFIX_0010.png; 0: PREFIX.png at the end\n\
  -pixels <512>            along the longer side of a picture\n\
  -vtk                     writes PREFIX.vtr beside each picture: labels, pressure, density of smoke or share of liquid\n\
  -save <0>                writes the pressure's system of every so many steps, PREFIX_0010.h5, as solve -f reads it, with the labels as flags\n\n\
The solver is PETSc's to choose: -pc_type (hsc, gamg, hypre, icc ...), -ksp_type, -ksp_rtol, -ksp_monitor, -ksp_view; -ksp_initial_guess_nonzero begins\n\
with the pressure of the last step. -log_view shows the stages.\n\n";

#include "particles.h"
#include <petlap.h>

typedef enum { UNKNOWNS_ALL, UNKNOWNS_FLUID } Unknowns;
static const char *const UnknownsTypes[] = {"all", "fluid", "Unknowns", "UNKNOWNS_", nullptr};

struct Simulation {
  Grid          grid;
  Scene         scene;
  Pressure      pressure;
  Particles     particles;
  Vec           velocity = nullptr, before = nullptr, amount = nullptr;
  PetscReal     time = 0.0, cfl = 2.0, longest = 0.1, buoyancy = 4.0, gravity = 9.81, flip = 0.99;
  PetscInt      steps = 100, every = 0, pixels = 512, save = 0;
  PetscBool     maccormack = PETSC_TRUE, vtk = PETSC_FALSE;
  char          prefix[PETSC_MAX_PATH_LEN] = "";
  PetscLogStage carrying = 0, projecting = 0, writing = 0;
};

static PetscErrorCode OpenSides(PetscBool open[6])
{
  const char *const sides[6] = {"left", "right", "bottom", "top", "back", "front"};
  char             *names[7];
  PetscInt          n = 7;

  PetscFunctionBeginUser;
  for (PetscInt s = 0; s < 6; s++) open[s] = PETSC_FALSE;
  PetscCall(PetscOptionsGetStringArray(nullptr, nullptr, "-open", names, &n, nullptr));
  for (PetscInt k = 0; k < n; k++) {
    PetscInt  s = 0;
    PetscBool same, none;

    for (;; s++) {
      if (s < 6) PetscCall(PetscStrcasecmp(names[k], sides[s], &same));
      if (s == 6 || same) break;
    }
    PetscCall(PetscStrcasecmp(names[k], "none", &none));
    PetscCheck(s < 6 || none, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-open %s: the sides are left, right, bottom, top, back and front, with commas between them", names[k]);
    if (s < 6) open[s] = PETSC_TRUE;
    PetscCall(PetscFree(names[k]));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Options(Simulation *s)
{
  Grid     *grid     = &s->grid;
  Scene    *scene    = &s->scene;
  Unknowns  unknowns = UNKNOWNS_ALL;
  PetscInt  given[3] = {64, 0, 0};
  PetscBool obstacle;
  /* Of each scene, over its width */
  const PetscReal    high[] = {1.5, 0.75, 1.0, 1.0, 0.75}, deep[] = {1.0, 0.5, 1.0, 0.5, 0.5};
  const ObstacleType obstacles[] = {OBSTACLE_SPHERE, OBSTACLE_PILLARS, OBSTACLE_NONE, OBSTACLE_SPHERE, OBSTACLE_NONE};

  PetscFunctionBeginUser;
  scene->spin = 3.0;
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Fluid", nullptr);
  PetscCall(PetscOptionsEnum("-scene", "What moves", nullptr, SceneTypes, (PetscEnum)scene->type, (PetscEnum *)&scene->type, nullptr));
  PetscCall(PetscOptionsInt("-dim", "Dimensions", nullptr, grid->dim, &grid->dim, nullptr));
  PetscCall(PetscOptionsInt("-nx", "Cells from left to right", nullptr, given[0], &given[0], nullptr));
  PetscCall(PetscOptionsInt("-ny", "Cells from bottom to top", nullptr, given[1], &given[1], nullptr));
  PetscCall(PetscOptionsInt("-nz", "Cells from back to front", nullptr, given[2], &given[2], nullptr));
  PetscCall(PetscOptionsInt("-steps", "How many", nullptr, s->steps, &s->steps, nullptr));
  PetscCall(PetscOptionsReal("-cfl", "Cells that the fluid may move in a step", nullptr, s->cfl, &s->cfl, nullptr));
  PetscCall(PetscOptionsReal("-dt", "The longest step in seconds", nullptr, s->longest, &s->longest, nullptr));
  PetscCall(PetscOptionsEnum("-obstacle", "What is in the way", nullptr, ObstacleTypes, (PetscEnum)scene->obstacle, (PetscEnum *)&scene->obstacle, &obstacle));
  if (!obstacle) scene->obstacle = obstacles[scene->type];
  PetscCall(PetscOptionsReal("-spin", "Of the blade, in radians per second", nullptr, scene->spin, &scene->spin, nullptr));
  PetscCall(PetscOptionsBool("-maccormack", "Second order", nullptr, s->maccormack, &s->maccormack, nullptr));
  PetscCall(PetscOptionsReal("-buoyancy", "Of the thickest smoke", nullptr, s->buoyancy, &s->buoyancy, nullptr));
  PetscCall(PetscOptionsReal("-gravity", "Of liquids", nullptr, s->gravity, &s->gravity, nullptr));
  PetscCall(PetscOptionsReal("-flip", "How much of their own velocity particles keep", nullptr, s->flip, &s->flip, nullptr));
  PetscCall(PetscOptionsEnum("-unknowns", "Cells in the matrix", nullptr, UnknownsTypes, (PetscEnum)unknowns, (PetscEnum *)&unknowns, nullptr));
  PetscCall(PetscOptionsBool("-scale", "Matrix times dt / h^2", nullptr, s->pressure.scaled, &s->pressure.scaled, nullptr));
  PetscCall(PetscOptionsBool("-rebuild", "Set-up in every step", nullptr, s->pressure.rebuild, &s->pressure.rebuild, nullptr));
  PetscCall(PetscStrncpy(s->prefix, SceneTypes[scene->type], sizeof(s->prefix)));
  PetscCall(PetscOptionsString("-prefix", "How the names of the files begin", nullptr, s->prefix, s->prefix, sizeof(s->prefix), nullptr));
  PetscCall(PetscOptionsInt("-every", "Pictures after every so many steps", nullptr, s->every, &s->every, nullptr));
  PetscCall(PetscOptionsInt("-pixels", "Along the longer side of a picture", nullptr, s->pixels, &s->pixels, nullptr));
  PetscCall(PetscOptionsBool("-vtk", "VTK files beside the pictures", nullptr, s->vtk, &s->vtk, nullptr));
  PetscCall(PetscOptionsInt("-save", "Systems of every so many steps", nullptr, s->save, &s->save, nullptr));
  PetscOptionsEnd();
  PetscCall(OpenSides(scene->open));
  s->pressure.compressed = (PetscBool)(unknowns == UNKNOWNS_FLUID);

  PetscCheck(grid->dim == 2 || grid->dim == 3, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-dim %" PetscInt_FMT ": must be 2 or 3", grid->dim);
  if (!given[1]) given[1] = (PetscInt)(high[scene->type] * given[0] + 0.5);
  if (!given[2]) given[2] = (PetscInt)(deep[scene->type] * given[0] + 0.5);
  for (PetscInt d = 0; d < grid->dim; d++) {
    PetscCheck(given[d] >= 4 && given[d] <= 16384, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-n%c %" PetscInt_FMT ": must be between 4 and 16384", (char)('x' + d), given[d]);
    grid->n[d] = given[d];
  }
  PetscCheck(s->steps >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-steps %" PetscInt_FMT ": must be at least 1", s->steps);
  PetscCheck(s->cfl > 0.0 && s->cfl <= 10.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-cfl %g: must be positive and at most 10", (double)s->cfl);
  PetscCheck(s->longest > 0.0 && !PetscIsInfOrNanReal(s->longest), PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-dt %g: must be a positive number", (double)s->longest);
  PetscCheck(PetscAbsReal(s->buoyancy) < 1e6 && PetscAbsReal(s->gravity) < 1e6 && PetscAbsReal(scene->spin) < 1e6, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-buoyancy %g, -gravity %g, -spin %g: must be between -1e6 and 1e6", (double)s->buoyancy,
             (double)s->gravity, (double)scene->spin);
  PetscCheck(s->flip >= 0.0 && s->flip <= 1.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-flip %g: must be between 0 and 1", (double)s->flip);
  PetscCheck(s->pixels >= 16 && s->pixels <= 8192, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-pixels %" PetscInt_FMT ": must be between 16 and 8192", s->pixels);
  PetscCheck(s->every >= 0 && s->save >= 0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-every and -save must not be negative");
  grid->h    = 1.0 / grid->n[0];
  scene->dim = grid->dim;
  for (PetscInt d = 0; d < 3; d++) scene->size[d] = grid->n[d] * grid->h;
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The longest step in which nothing moves further than -cfl allows, also after what a force adds */
static PetscErrorCode TimeStep(Simulation *s, PetscReal force, PetscReal *dt)
{
  const PetscReal blade = s->scene.obstacle == OBSTACLE_BLADE ? 0.25 * PetscAbsReal(s->scene.spin) : 0.0;
  PetscReal       speed;

  PetscFunctionBeginUser;
  PetscCall(GridSpeed(s->velocity, &speed));
  *dt   = s->longest;
  speed = PetscMax(speed, blade) + PetscSqrtReal(5.0 * PetscAbsReal(force) * s->grid.h);
  if (speed > 0.0) *dt = PetscMin(*dt, s->cfl * s->grid.h / speed);
  PetscFunctionReturn((PetscErrorCode)0);
}

/* New smoke at the source; none in the air outside and in solids */
static PetscErrorCode SmokeSource(Simulation *s)
{
  const Grid *grid = &s->grid;
  Array       label, amount;

  PetscFunctionBeginUser;
  PetscCall(ArrayGet(grid->pressure, s->pressure.labels, &label));
  PetscCall(ArrayGet(grid->cells, s->amount, &amount));
  for (PetscInt k = amount.lo[2]; k < amount.lo[2] + amount.n[2]; k++) {
    for (PetscInt j = amount.lo[1]; j < amount.lo[1] + amount.n[1]; j++) {
      for (PetscInt i = amount.lo[0]; i < amount.lo[0] + amount.n[0]; i++) {
        const PetscReal x[3] = {(i + 0.5) * grid->h, (j + 0.5) * grid->h, (k + 0.5) * grid->h};
        PetscReal       u[3];
        const PetscReal share = PetscMin(PetscMax(0.5 - SceneSource(&s->scene, x, u) / grid->h, 0.0), 1.0);

        amount(i, j, k) = (PetscInt)PetscRealPart(label(i, j, k)) == CELL_FLUID ? PetscMax(PetscRealPart(amount(i, j, k)), share) : 0.0;
      }
    }
  }
  PetscCall(ArrayRestore(s->amount, &amount));
  PetscCall(ArrayRestore(s->pressure.labels, &label));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Smoke rises: the faces get the mean of the two cells */
static PetscErrorCode Rise(Simulation *s, PetscReal dt)
{
  const Grid *grid = &s->grid;
  Vec         local;
  Array       amount, u;

  PetscFunctionBeginUser;
  PetscCall(ArrayGetGhosted(grid->cells, s->amount, &local, &amount));
  PetscCall(ArrayGet(grid->faces, s->velocity, &u));
  for (PetscInt k = u.lo[2]; k < PetscMin(u.lo[2] + u.n[2], grid->n[2]); k++) {
    for (PetscInt j = PetscMax(u.lo[1], 1); j < PetscMin(u.lo[1] + u.n[1], grid->n[1]); j++) {
      for (PetscInt i = u.lo[0]; i < PetscMin(u.lo[0] + u.n[0], grid->n[0]); i++) u(i, j, k, 1) += 0.5 * dt * s->buoyancy * (amount(i, j - 1, k) + amount(i, j, k));
    }
  }
  PetscCall(ArrayRestore(s->velocity, &u));
  PetscCall(ArrayRestoreGhosted(grid->cells, &local, &amount));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode SmokeStep(Simulation *s, PetscReal *dt)
{
  PetscFunctionBeginUser;
  PetscCall(PetscLogStagePush(s->carrying));
  PetscCall(TimeStep(s, s->buoyancy, dt));
  PetscCall(GridAdvect(&s->grid, s->velocity, *dt, s->maccormack, PETSC_FALSE, s->amount));
  PetscCall(GridAdvect(&s->grid, s->velocity, *dt, s->maccormack, PETSC_TRUE, s->velocity));
  PetscCall(SceneLabel(&s->scene, &s->grid, s->time + *dt, CELL_FLUID, s->pressure.labels));
  PetscCall(SmokeSource(s));
  PetscCall(Rise(s, *dt));
  PetscCall(PetscLogStagePop());
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The faces get the velocities of the particles, and those the change that gravity and pressure make of it. What a particle does between the faces is not lost. */
static PetscErrorCode LiquidStep(Simulation *s, PetscInt step, PetscReal *dt)
{
  Array u;

  PetscFunctionBeginUser;
  PetscCall(PetscLogStagePush(s->carrying));
  PetscCall(TimeStep(s, s->gravity, dt));
  PetscCall(ParticlesMove(&s->grid, &s->scene, s->velocity, s->time, *dt, &s->particles));
  PetscCall(ParticlesPour(&s->grid, &s->scene, step, &s->particles));
  PetscCall(SceneLabel(&s->scene, &s->grid, s->time + *dt, CELL_AIR, s->pressure.labels));
  PetscCall(ParticlesLabel(&s->grid, &s->particles, s->pressure.labels));
  PetscCall(ParticlesToFaces(&s->grid, &s->particles, s->velocity));
  PetscCall(VecCopy(s->velocity, s->before));
  PetscCall(ArrayGet(s->grid.faces, s->velocity, &u));
  for (size_t i = 0; i < (size_t)u.n[0] * u.n[1] * u.n[2]; i++) u.v[i * u.dof + 1] -= *dt * s->gravity;
  PetscCall(ArrayRestore(s->velocity, &u));
  PetscCall(PetscLogStagePop());
  PetscFunctionReturn((PetscErrorCode)0);
}

/* A still pool has a pressure that grows linearly from the air above, and no velocity */
static PetscErrorCode CheckPool(Simulation *s, PetscReal dt)
{
  const PetscInt *n = s->grid.n;
  PetscReal      *label, *p, speed, error = 0.0, largest = 0.0;
  PetscInt        top = 0;

  PetscFunctionBeginUser;
  PetscCall(GridSpeed(s->velocity, &speed));
  PetscCall(GridGather(s->grid.pressure, s->pressure.labels, &label));
  PetscCall(GridGather(s->grid.pressure, s->pressure.p, &p));
  if (label) {
    const size_t cells = (size_t)n[0] * n[1] * n[2];
    const auto   layer = [&](size_t i) { return (PetscInt)(i / (size_t)n[0] % (size_t)n[1]); };

    for (size_t i = 0; i < cells; i++) {
      if ((PetscInt)label[i] == CELL_FLUID) top = PetscMax(top, layer(i) + 1);
    }
    for (size_t i = 0; i < cells; i++) {
      const PetscReal exact = s->gravity * (top - layer(i)) * (s->pressure.scaled ? s->grid.h : dt);

      if ((PetscInt)label[i] != CELL_FLUID) continue;
      error   = PetscMax(error, PetscAbsReal(p[i] - exact));
      largest = PetscMax(largest, PetscAbsReal(exact));
    }
  }
  PetscCall(PetscFree(label));
  PetscCall(PetscFree(p));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "pool: speed %s 1e-4 m/s, pressure %s 1e-4 of the largest away from the hydrostatic one\n", speed < 1e-4 ? "under" : "over", error < 1e-4 * largest ? "less than" : "more than"));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Of what moves: how much there is, how high its centre is, and its kinetic energy */
static PetscErrorCode Measure(Simulation *s, PetscReal measure[3])
{
  const Grid *grid = &s->grid;
  Vec         local;
  Array       u, label, amount;

  PetscFunctionBeginUser;
  for (PetscInt m = 0; m < 3; m++) measure[m] = 0.0;
  if (SceneIsLiquid(&s->scene)) PetscCall(ParticlesAmount(grid, &s->particles, s->amount));
  PetscCall(ArrayGetGhosted(grid->faces, s->velocity, &local, &u));
  PetscCall(ArrayGet(grid->pressure, s->pressure.labels, &label));
  PetscCall(ArrayGet(grid->cells, s->amount, &amount));
  for (PetscInt k = label.lo[2]; k < label.lo[2] + label.n[2]; k++) {
    for (PetscInt j = label.lo[1]; j < label.lo[1] + label.n[1]; j++) {
      for (PetscInt i = label.lo[0]; i < label.lo[0] + label.n[0]; i++) {
        const PetscReal here = PetscRealPart(amount(i, j, k));

        measure[0] += here;
        measure[1] += here * (j + 0.5) * grid->h;
        if ((PetscInt)PetscRealPart(label(i, j, k)) != CELL_FLUID) continue;
        for (PetscInt c = 0; c < grid->dim; c++) measure[2] += 0.25 * PetscRealPart(PetscSqr(u(i, j, k, c)) + PetscSqr(u(i + (c == 0), j + (c == 1), k + (c == 2), c)));
      }
    }
  }
  PetscCall(ArrayRestore(s->amount, &amount));
  PetscCall(ArrayRestore(s->pressure.labels, &label));
  PetscCall(ArrayRestoreGhosted(grid->faces, &local, &u));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, measure, 3, MPIU_REAL, MPIU_SUM, PETSC_COMM_WORLD));
  measure[1] = measure[0] > 0.0 ? measure[1] / measure[0] : 0.0;
  measure[0] *= PetscPowRealInt(grid->h, (int)grid->dim);
  measure[2] *= PetscPowRealInt(grid->h, (int)grid->dim);
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The name of a file: PREFIX_0010.png, or PREFIX.png for step -1 */
static PetscErrorCode Name(const Simulation *s, PetscInt step, const char extension[], size_t length, char name[])
{
  PetscFunctionBeginUser;
  if (step < 0)
    PetscCall(PetscSNPrintf(name, length, "%s.%s", s->prefix, extension));
  else
    PetscCall(PetscSNPrintf(name, length, "%s_%04d.%s", s->prefix, (int)step, extension));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Write(Simulation *s, PetscInt step)
{
  char        name[PETSC_MAX_PATH_LEN + 32];
  PetscViewer viewer;
  Vec         amount;

  PetscFunctionBeginUser;
  if (SceneIsLiquid(&s->scene)) PetscCall(ParticlesAmount(&s->grid, &s->particles, s->amount));
  PetscCall(Name(s, step, "png", sizeof(name), name));
  PetscCall(FrameWrite(&s->grid, &s->scene, s->pressure.labels, s->amount, s->pixels, name));
  if (!s->vtk) PetscFunctionReturn((PetscErrorCode)0);
  PetscCall(Name(s, step, "vtr", sizeof(name), name));
  PetscCall(PetscViewerVTKOpen(PETSC_COMM_WORLD, name, FILE_MODE_WRITE, &viewer));
  /* One file has vectors of one DMDA */
  PetscCall(VecDuplicate(s->pressure.p, &amount));
  PetscCall(VecCopy(s->amount, amount));
  PetscCall(PetscObjectSetName((PetscObject)amount, SceneIsLiquid(&s->scene) ? "liquid" : "density"));
  PetscCall(VecView(s->pressure.labels, viewer));
  PetscCall(VecView(s->pressure.p, viewer));
  PetscCall(VecView(amount, viewer));
  PetscCall(VecDestroy(&amount));
  PetscCall(PetscViewerDestroy(&viewer));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Simulation s;
  PetscBool  liquid;
  PetscReal  its = 0.0, setup = 0.0, solve = 0.0, divergence = 0.0, dt = 0.0, measure[3];
  PetscInt64 begun[3], counts[3];
  char       name[PETSC_MAX_PATH_LEN + 32];

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(Options(&s));
  PetscCall(PetscLogStageRegister("Carry along", &s.carrying));
  PetscCall(PetscLogStageRegister("Pressure", &s.projecting));
  PetscCall(PetscLogStageRegister("Write files", &s.writing));
  PetscCall(GridSetUp(s.cfl, &s.grid));
  PetscCall(PressureCreate(&s.grid, &s.scene, &s.pressure));
  PetscCall(DMCreateGlobalVector(s.grid.faces, &s.velocity));
  PetscCall(VecDuplicate(s.velocity, &s.before));
  PetscCall(DMCreateGlobalVector(s.grid.cells, &s.amount));
  liquid = SceneIsLiquid(&s.scene);
  if (liquid) PetscCall(ParticlesSeed(&s.grid, &s.scene, &s.particles));
  PetscCall(ParticlesCount(&s.particles, begun));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %" PetscInt_FMT " x %" PetscInt_FMT, SceneTypes[s.scene.type], s.grid.n[0], s.grid.n[1]));
  if (s.grid.dim == 3) PetscCall(PetscPrintf(PETSC_COMM_WORLD, " x %" PetscInt_FMT, s.grid.n[2]));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, " cells\n"));

  for (PetscInt step = 1; step <= s.steps; step++) {
    if (liquid)
      PetscCall(LiquidStep(&s, step, &dt));
    else
      PetscCall(SmokeStep(&s, &dt));
    PetscCall(PetscLogStagePush(s.projecting));
    PetscCall(PressureProject(&s.pressure, dt, s.velocity));
    PetscCall(PetscLogStagePop());
    PetscCall(PetscLogStagePush(s.carrying));
    if (liquid) PetscCall(ParticlesFromFaces(&s.grid, s.before, s.velocity, s.flip, &s.particles));
    PetscCall(PetscLogStagePop());
    s.time += dt;
    its += s.pressure.its;
    setup += s.pressure.setup;
    solve += s.pressure.solve;
    divergence = PetscMax(divergence, s.pressure.divergence);
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "step %3" PetscInt_FMT "  time %.4f  fluid %" PetscInt_FMT "  components %" PetscInt_FMT " (%" PetscInt_FMT " closed)  iterations %" PetscInt_FMT "  set-up %.4f s  solve %.4f s  divergence %.1e\n", step,
                          (double)s.time, s.pressure.fluid, s.pressure.components, s.pressure.closed, s.pressure.its, (double)s.pressure.setup, (double)s.pressure.solve, (double)s.pressure.divergence));
    PetscCall(PetscLogStagePush(s.writing));
    if (s.every && step % s.every == 0) PetscCall(Write(&s, step));
    if (s.save && step % s.save == 0) {
      PetscCall(Name(&s, step, "h5", sizeof(name), name));
      PetscCall(PressureSave(&s.pressure, name));
    }
    PetscCall(PetscLogStagePop());
  }
  PetscCall(PetscLogStagePush(s.writing));
  if (!s.every) PetscCall(Write(&s, -1));
  PetscCall(PetscLogStagePop());
  PetscCall(Measure(&s, measure));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "mean of %" PetscInt_FMT " steps: iterations %.1f  set-up %.4f s  solve %.4f s\n", s.steps, (double)(its / s.steps), (double)(setup / s.steps), (double)(solve / s.steps)));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "amount %.4f, centre at height %.3f, kinetic energy %.4f, divergence %s 1e-4 of a cell in any step\n", (double)measure[0], (double)measure[1], (double)measure[2], divergence < 1e-4 ? "under" : "over"));
  if (liquid) {
    PetscCall(ParticlesCount(&s.particles, counts));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "particles %" PetscInt64_FMT ": begun with %" PetscInt64_FMT ", %" PetscInt64_FMT " poured in, %" PetscInt64_FMT " left through open sides\n", counts[0], begun[0], counts[1], counts[2]));
  }
  if (s.scene.type == SCENE_POOL) PetscCall(CheckPool(&s, dt));

  PetscCall(VecDestroy(&s.velocity));
  PetscCall(VecDestroy(&s.before));
  PetscCall(VecDestroy(&s.amount));
  PetscCall(PressureDestroy(&s.pressure));
  PetscCall(GridDestroy(&s.grid));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    args: -malloc_dump -pixels 64 -ksp_rtol 1e-8
    filter: sed -E -e "s/  iterations.+//" -e "/^mean/d"
    test:
      suffix: closed
      args: -nx 24 -steps 12 -pc_type {{hsc gamg icc}} -unknowns {{all fluid}}
    test:
      suffix: chambers
      args: -nx 24 -steps 6 -obstacle wall -pc_type {{hsc gamg icc}} -unknowns {{all fluid}}
    test:
      suffix: blade
      nsize: {{1 2}}
      args: -nx 24 -steps 12 -obstacle blade -open top,left -maccormack 0 -pc_type jacobi -ksp_type cg -scale {{0 1}} -every 6
    test:
      suffix: volume
      nsize: {{1 2 4}}
      args: -dim 3 -nx 16 -steps 5 -obstacle pillars -pc_type jacobi -ksp_initial_guess_nonzero {{0 1}} -vtk
    test:
      suffix: dam
      args: -scene dam -nx 32 -steps 15 -pc_type {{hsc gamg icc}} -unknowns {{all fluid}}
    test:
      suffix: ball
      nsize: {{1 2 4}}
      args: -scene ball -dim 3 -nx 16 -steps 8 -pc_type jacobi -ksp_type cg
    test:
      suffix: inflow
      nsize: {{1 2}}
      args: -scene inflow -nx 32 -steps 20 -open right,bottom -pc_type jacobi
    test:
      suffix: stirred
      nsize: {{1 2}}
      args: -scene pool -obstacle blade -nx 32 -steps 10 -flip 0.5 -pc_type jacobi
    test:
      suffix: pool
      args: -scene pool -dim {{2 3}separate output} -nx 20 -steps 10 -scale {{0 1}} -pc_type icc
    test:
      suffix: sunk
      nsize: {{1 2}}
      args: -scene pool -obstacle sphere -nx 32 -steps 10 -pc_type jacobi

TEST*/
