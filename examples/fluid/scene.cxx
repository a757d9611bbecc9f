#include "fluid.h"

const char *const SceneTypes[]    = {"smoke", "dam", "ball", "inflow", "pool", "SceneType", "SCENE_", nullptr};
const char *const ObstacleTypes[] = {"none", "sphere", "blade", "pillars", "wall", "ObstacleType", "OBSTACLE_", nullptr};

/* A flat scene is a slice: places have no z */
static PetscReal Ball(PetscInt dim, const PetscReal x[3], PetscReal cx, PetscReal cy, PetscReal cz, PetscReal radius)
{
  const PetscReal z = dim == 3 ? x[2] - cz : 0.0;

  return PetscSqrtReal((x[0] - cx) * (x[0] - cx) + (x[1] - cy) * (x[1] - cy) + z * z) - radius;
}

static PetscReal Box(PetscInt dim, const PetscReal x[3], const PetscReal half[3])
{
  PetscReal outside = 0.0, inside = PETSC_MIN_REAL;

  for (PetscInt d = 0; d < dim; d++) {
    const PetscReal q = PetscAbsReal(x[d]) - half[d];

    outside += PetscMax(q, 0.0) * PetscMax(q, 0.0);
    inside = PetscMax(inside, q);
  }
  return PetscSqrtReal(outside) + PetscMin(inside, 0.0);
}

PetscBool SceneIsLiquid(const Scene *scene)
{
  return (PetscBool)(scene->type != SCENE_SMOKE);
}

/* A little beside the middle: a flow that is symmetric breaks its symmetry by rounding, and then no two solvers give the same picture */
static void BladeCentre(const Scene *scene, PetscReal centre[3])
{
  centre[0] = 0.55;
  centre[1] = 0.5 * scene->size[1];
  centre[2] = 0.5 * scene->size[2];
}

PetscReal SceneSolid(const Scene *scene, const PetscReal x[3], PetscReal time)
{
  PetscReal c[3], distance = PETSC_MAX_REAL;

  BladeCentre(scene, c);
  switch (scene->obstacle) {
  case OBSTACLE_NONE:
    break;
  case OBSTACLE_SPHERE:
    distance = Ball(scene->dim, x, c[0], c[1], c[2], 0.15);
    break;
  case OBSTACLE_BLADE: {
    const PetscReal half[3] = {0.25, 0.04, 0.25 * scene->size[2]}, angle = scene->spin * time + 0.3, cosine = PetscCosReal(angle), sine = PetscSinReal(angle);
    const PetscReal y[3] = {cosine * (x[0] - c[0]) + sine * (x[1] - c[1]), -sine * (x[0] - c[0]) + cosine * (x[1] - c[1]), x[2] - c[2]};

    distance = Box(scene->dim, y, half);
    break;
  }
  case OBSTACLE_PILLARS:
    for (PetscInt s = 0; s < 2; s++) {
      const PetscReal half[3] = {0.05, (scene->dim == 3 ? 0.5 : 0.15) * scene->size[1], 0.05};
      const PetscReal y[3]    = {x[0] - (scene->dim == 3 ? 0.6 : 0.55 + 0.2 * s), x[1], x[2] - (s ? 0.7 : 0.3) * scene->size[2]};

      distance = PetscMin(distance, Box(scene->dim, y, half));
    }
    break;
  case OBSTACLE_WALL:
    distance = PetscAbsReal(x[0] - 0.75) - 0.05;
    break;
  }
  return distance;
}

void SceneSolidVelocity(const Scene *scene, const PetscReal x[3], PetscReal u[3])
{
  PetscReal       c[3];
  const PetscReal spin = scene->obstacle == OBSTACLE_BLADE ? scene->spin : 0.0;

  BladeCentre(scene, c);
  u[0] = -spin * (x[1] - c[1]);
  u[1] = spin * (x[0] - c[0]);
  u[2] = 0.0;
}

PetscReal SceneLiquid(const Scene *scene, const PetscReal x[3])
{
  switch (scene->type) {
  case SCENE_DAM:
    return PetscMax(x[0] - 0.3, x[1] - 0.65 * scene->size[1]);
  case SCENE_BALL:
    return PetscMin(x[1] - 0.25 * scene->size[1], Ball(scene->dim, x, 0.45, 0.65 * scene->size[1], 0.5 * scene->size[2], 0.15));
  case SCENE_INFLOW:
    return x[1] - 0.1 * scene->size[1];
  case SCENE_POOL:
    return x[1] - 0.4 * scene->size[1];
  default:
    return PETSC_MAX_REAL;
  }
}

PetscReal SceneSource(const Scene *scene, const PetscReal x[3], PetscReal u[3])
{
  u[0] = u[1] = u[2] = 0.0;
  if (scene->type == SCENE_SMOKE) return Ball(scene->dim, x, 0.5, 0.15, 0.5 * scene->size[2], 0.1);
  if (scene->type != SCENE_INFLOW) return PETSC_MAX_REAL;
  u[0] = 1.5;
  return Ball(scene->dim, x, 0.08, 0.75 * scene->size[1], 0.5 * scene->size[2], 0.07);
}

PetscErrorCode SceneLabel(const Scene *scene, const Grid *grid, PetscReal time, CellLabel rest, Vec labels)
{
  Array label;

  PetscFunctionBeginUser;
  PetscCall(ArrayGet(grid->pressure, labels, &label));
  for (PetscInt k = label.lo[2]; k < label.lo[2] + label.n[2]; k++) {
    for (PetscInt j = label.lo[1]; j < label.lo[1] + label.n[1]; j++) {
      for (PetscInt i = label.lo[0]; i < label.lo[0] + label.n[0]; i++) {
        const PetscInt  p[3] = {i, j, k};
        const PetscReal x[3] = {(i + 0.5) * grid->h, (j + 0.5) * grid->h, (k + 0.5) * grid->h};
        CellLabel       here = rest;

        for (PetscInt d = 0; d < grid->dim; d++) {
          if ((p[d] == 0 && scene->open[2 * d]) || (p[d] == grid->n[d] - 1 && scene->open[2 * d + 1])) here = CELL_AIR;
        }
        if (SceneSolid(scene, x, time) < 0.0) here = CELL_SOLID;
        label(i, j, k) = here;
      }
    }
  }
  PetscCall(ArrayRestore(labels, &label));
  PetscFunctionReturn((PetscErrorCode)0);
}
