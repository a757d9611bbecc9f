/*
  What the fluid example is made of: a staggered (marker and cell) grid on DMDAs in two or three dimensions, the pressure that makes a velocity free of divergence,
  scenes, pictures. Cells are cubes of side h and the box is 1 wide; up is the second axis, y. Component c of the velocity lives at the lower face of the cell across axis c.
  Places are in cells: cell (i, j, k) reaches from (i, j, k) to (i + 1, j + 1, k + 1).
*/
#pragma once

#include <petscdmda.h>
#include <petscksp.h>

/* The labels of cells. What is outside the grid is solid. */
typedef enum { CELL_AIR, CELL_FLUID, CELL_SOLID } CellLabel;

struct Grid {
  PetscInt  dim = 2, n[3] = {1, 1, 1}, width = 0; /* cells along the axes; width of the ghosts */
  PetscReal h        = 0.0;
  DM        pressure = nullptr; /* one number for a cell, 5- or 7-point stencil */
  DM        cells    = nullptr; /* one number for a cell, wide ghosts */
  DM        faces    = nullptr; /* one point more along each axis, the components of the velocity, wide ghosts */
};

/* The values of a DMDA's vector on this process: the points that it owns or, from a local vector, the ghosts as well */
struct Array {
  PetscScalar *v = nullptr;
  PetscInt     lo[3], n[3], dof;

  PetscScalar &operator()(PetscInt i, PetscInt j, PetscInt k, PetscInt c = 0) const
  {
    return v[(((size_t)(k - lo[2]) * n[1] + (j - lo[1])) * n[0] + (i - lo[0])) * dof + c];
  }
  PetscScalar &operator()(const PetscInt p[3], PetscInt c = 0) const
  {
    return (*this)(p[0], p[1], p[2], c);
  }
};

/* Grid: dim, n and h are given; ghosts are wide enough for a way of courant cells. */
PetscErrorCode GridSetUp(PetscReal courant, Grid *grid);
PetscErrorCode GridDestroy(Grid *grid);
PetscErrorCode ArrayGet(DM dm, Vec v, Array *array);
PetscErrorCode ArrayRestore(Vec v, Array *array);
/* With the ghosts, in a local vector that goes back to the DM */
PetscErrorCode ArrayGetGhosted(DM dm, Vec v, Vec *local, Array *array);
PetscErrorCode ArrayRestoreGhosted(DM dm, Vec *local, Array *array);

/* The corner and the shares of the cube of points around a place: face = -1 where points are the middles of cells, else the faces across this axis */
void ArrayCorner(const Grid *grid, const Array *array, PetscInt face, const PetscReal x[3], PetscInt base[3], PetscReal f[3]);
/* Component face at a place; low and high, if asked for, are the least and the largest of the values that were mixed */
PetscReal ArrayInterpolate(const Grid *grid, const Array *array, PetscInt face, const PetscReal x[3], PetscReal *low, PetscReal *high);
void      ArrayVelocity(const Grid *grid, const Array *velocity, const PetscReal x[3], PetscReal u[3]);
/* Where a point gets in the time dt: second-order Runge-Kutta, t = dt / h, negative to go back */
void ArrayTrace(const Grid *grid, const Array *velocity, PetscReal t, const PetscReal x[3], PetscReal y[3]);

/* v is carried along by the velocity for a time dt: a number in cells, or with faces the components of a velocity. Semi-Lagrangian, or MacCormack,
   which is of second order and limited to the values around. */
PetscErrorCode GridAdvect(const Grid *grid, Vec velocity, PetscReal dt, PetscBool maccormack, PetscBool faces, Vec v);
/* Faces without a valid value get the mean of their neighbours that have one, layer by layer. valid is 1 or 0 and grows. */
PetscErrorCode GridExtrapolate(const Grid *grid, Vec velocity, Vec valid);
/* The largest component. An error if there is a NaN. */
PetscErrorCode GridSpeed(Vec velocity, PetscReal *speed);
/* All values on the first process, x fastest; null on the others. PetscFree() frees. */
PetscErrorCode GridGather(DM dm, Vec v, PetscReal **values);

/* Scenes */
typedef enum { SCENE_SMOKE, SCENE_DAM, SCENE_BALL, SCENE_INFLOW, SCENE_POOL } SceneType;
typedef enum { OBSTACLE_NONE, OBSTACLE_SPHERE, OBSTACLE_BLADE, OBSTACLE_PILLARS, OBSTACLE_WALL } ObstacleType;
extern const char *const SceneTypes[], *const ObstacleTypes[];

struct Scene {
  SceneType    type     = SCENE_SMOKE;
  ObstacleType obstacle = OBSTACLE_NONE;
  PetscReal    size[3]; /* of the box */
  PetscBool    open[6]; /* the layer of cells along this side is air: left, right, bottom, top, back, front */
  PetscReal    spin = 0.0;
  PetscInt     dim  = 2;
};

PetscBool SceneIsLiquid(const Scene *scene);
/* Distances are negative inside. x is a place in the box, not in cells. */
PetscReal SceneSolid(const Scene *scene, const PetscReal x[3], PetscReal time);
void      SceneSolidVelocity(const Scene *scene, const PetscReal x[3], PetscReal u[3]);
PetscReal SceneLiquid(const Scene *scene, const PetscReal x[3]);
/* Smoke, or liquid with the velocity u, comes in here; positive where nothing does */
PetscReal SceneSource(const Scene *scene, const PetscReal x[3], PetscReal u[3]);
/* Solid cells, the layers of air along the open sides, and everything else becomes what rest is */
PetscErrorCode SceneLabel(const Scene *scene, const Grid *grid, PetscReal time, CellLabel rest, Vec labels);

/* Pressure */
struct Pressure {
  const Grid  *grid  = nullptr;
  const Scene *scene = nullptr;
  KSP          ksp   = nullptr;
  Mat          A = nullptr, fluidA = nullptr; /* of all cells; and, where only these are unknowns, of the fluid cells */
  IS           rows   = nullptr;              /* of the fluid cells */
  Vec          labels = nullptr, p = nullptr, b = nullptr, excess = nullptr;
  Vec          assembled  = nullptr;     /* the labels that the matrix is of */
  PetscReal    scale      = 0.0;         /* of the matrix; 0: there is none yet */
  PetscBool    compressed = PETSC_FALSE; /* the unknowns are the fluid cells alone */
  PetscBool    scaled     = PETSC_FALSE; /* the matrix is times dt / (rho h^2), with rho = 1, and p the pressure; else p is times dt / h */
  PetscBool    rebuild    = PETSC_FALSE; /* also where the matrix is the last one */
  /* Of the last solve */
  PetscInt  fluid = 0, components = 0, closed = 0, its = 0;
  PetscReal setup = 0.0, solve = 0.0, divergence = 0.0;
};

PetscErrorCode PressureCreate(const Grid *grid, const Scene *scene, Pressure *pressure);
PetscErrorCode PressureDestroy(Pressure *pressure);
/* The labels have been set. The velocity gets the values that solids ask for, loses its divergence, and is continued to where there is no fluid. */
PetscErrorCode PressureProject(Pressure *pressure, PetscReal dt, Vec velocity);
/* The last system, in the layout that PetlapLoadSystem() reads: A and b of the fluid cells, griddims, flags */
PetscErrorCode PressureSave(Pressure *pressure, const char filename[]);

/* A PNG file with so many pixels along its longer side. amount is the density of smoke, or the share of a cell that liquid takes. Volumes are seen from the front,
   the right and above. */
PetscErrorCode FrameWrite(const Grid *grid, const Scene *scene, Vec labels, Vec amount, PetscInt pixels, const char filename[]);
