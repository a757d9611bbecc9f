/*
  Particles that carry a liquid with a free surface: PIC/FLIP (Zhu and Bridson 2005). Each process has those in its cells.
*/
#pragma once

#include "fluid.h"
#include <cstdint>
#include <vector>

struct Particle {
  PetscReal x[3], v[3]; /* the place in cells, the velocity in m/s */
};

struct Particles {
  std::vector<Particle> list;
  PetscInt64            added = 0, left = 0; /* poured in, and gone through open sides, of this process */
};

/* 2^dim in each cell of the scene's liquid */
PetscErrorCode ParticlesSeed(const Grid *grid, const Scene *scene, Particles *particles);
/* Fills up the cells of the scene's source */
PetscErrorCode ParticlesPour(const Grid *grid, const Scene *scene, PetscInt step, Particles *particles);
/* With the velocity of the grid, not with their own */
PetscErrorCode ParticlesMove(const Grid *grid, const Scene *scene, Vec velocity, PetscReal time, PetscReal dt, Particles *particles);
/* Cells of air become fluid where there is a particle */
PetscErrorCode ParticlesLabel(const Grid *grid, const Particles *particles, Vec labels);
/* The share of each cell that is full; the sum over all cells is what the particles are */
PetscErrorCode ParticlesAmount(const Grid *grid, const Particles *particles, Vec amount);
PetscErrorCode ParticlesToFaces(const Grid *grid, const Particles *particles, Vec velocity);
/* The new velocity is that of the grid, plus flip times how a particle differed from the grid before */
PetscErrorCode ParticlesFromFaces(const Grid *grid, Vec before, Vec after, PetscReal flip, Particles *particles);
/* On all processes: how many there are, were added, have left */
PetscErrorCode ParticlesCount(const Particles *particles, PetscInt64 counts[3]);
