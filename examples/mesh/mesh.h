/*
  Surfaces of triangles for the examples: OFF and OBJ files, shapes whose true form is known, Laplacians, and VTK files to look at. One process.
*/
#pragma once

#include <petscksp.h>

typedef enum { MESH_UNIT, MESH_INVERSE, MESH_COTAN } MeshWeights;
extern const char *const MeshWeightsNames[];

struct Mesh {
  PetscInt   vertices = 0, triangles = 0;
  PetscReal *x       = nullptr; /* three coordinates of each vertex */
  PetscInt  *corners = nullptr; /* three vertices of each triangle, all different */
  PetscInt   dropped = 0;       /* faces of the file with fewer than three different corners */
};

/* The texts for -help, and the options -mesh, -refine and -jitter: a file, or sphere, torus or knot. name is
   what was asked for. */
#define MESH_HELP \
  "  -mesh <sphere>           sphere, torus, knot, or a file NAME.off or NAME.obj; faces with more than three corners are cut into triangles\n\
  -refine <4>              of sphere, torus and knot: each step makes four triangles of one\n\
  -jitter <0.3>            of sphere, torus and knot: the vertices are moved along the surface by up to this share of an edge\n"
PetscErrorCode MeshFromOptions(char name[], size_t length, Mesh *mesh, PetscBool *file);

PetscErrorCode MeshGenerate(const char shape[], PetscInt refine, PetscReal jitter, Mesh *mesh);
PetscErrorCode MeshRead(const char filename[], Mesh *mesh);
PetscErrorCode MeshDestroy(Mesh *mesh);

/* NAME.off, or NAME.vtk with a number for each vertex where values is given */
PetscErrorCode MeshWrite(const char filename[], const Mesh *mesh, const char valuename[], const PetscReal values[]);

/* Mean length of the edges; an error if the mesh has none */
PetscErrorCode MeshEdgeLength(const Mesh *mesh, PetscReal *h);

/* What a triangle adds to the weights of its edges; w[k] is for the edge that does not touch corner k. With MESH_UNIT an edge gets a half from
   each of its triangles, with MESH_INVERSE half of (h / length)^2, with MESH_COTAN half the cotangent of the angle that it faces, which is negative
   where the angle is obtuse. */
void MeshTriangleWeights(const Mesh *mesh, PetscInt triangle, MeshWeights weights, PetscReal h, PetscReal w[3]);

/* The Laplacian L of these weights and the share W of each vertex in the surface, with the mean 1; it is 1 for all vertices but with MESH_COTAN.
   scale L x / W is about minus the second derivative of x along the surface. */
PetscErrorCode MeshLaplacian(const Mesh *mesh, MeshWeights weights, Mat *L, Vec *W, PetscReal *scale);

/* Normally distributed numbers, the same on all machines */
PetscErrorCode MeshNoise(PetscInt n, PetscReal noise[]);
