/*
  What the benchmarks of the neural preconditioner share: made-up scenes of fluid simulations as linear systems on one process, one solve by a set of options,
  tables with a column for each class of scenes.
*/
#pragma once

#include "tests/bench/bench.h"
#include "nn_weights/train/scenes.h"
#include <functional>
#include <string>

/* Splashes with isolated cells of air stand beside the classes that means are made of */
enum { BENCH_BUBBLES = petlap::scenes::NMEASURED, BENCH_NKINDS };

extern const char *const BenchKinds[BENCH_NKINDS];

/* Coefficients on the faces, between one and the contrast: all the same, smooth waves, or blocks that they jump between */
enum BenchCoefficients { BENCH_CONSTANT, BENCH_SMOOTH, BENCH_JUMP };

/* The matrix has rows for the fluid cells, in the order of the cells */
struct BenchScene {
  petlap::scenes::Scene scene;
  PetscInt              kind, seed;
  DM                    dm;
  Vec                   labels, b;
  Mat                   A;
};

struct BenchGrid {
  int dim, n[3]; /* in two dimensions n[1] is 1 */

  std::string Name() const;
};

/* The grid of n cells along all axes, and how many levels the preconditioner takes for it */
BenchGrid BenchCube(int dim, PetscInt n);
PetscInt  BenchLevels(const BenchGrid &);

struct BenchRun {
  PetscInt           its;
  KSPConvergedReason reason;
  PetscReal          residual; /* |b-Ax|/|b| */
};

/* Rows of the fluid cells, with minus a weight between two of them, and on the diagonal the sum over the faces that are no wall */
typedef std::function<PetscReal(const int here[3], const int there[3])> BenchWeight;
PetscErrorCode                                                          BenchSceneMatrix(const petlap::scenes::Scene &, const BenchWeight &, Mat *);
/* Constants on each connected part of the fluid without air; null where there is no such part */
PetscErrorCode BenchNullSpace(Mat, MatNullSpace *);
/* The cells for PCNeuralSetImage(). Axes of a scene in two dimensions are x and z. */
PetscErrorCode BenchSceneLabels(const petlap::scenes::Scene &, DM *, Vec *labels);

/* Levels of a full box for PCMG, down to about four cells: the Laplacian of every grid, with the transposed interpolation as restriction. type: of all matrices */
PetscErrorCode BenchSceneLevels(PC, const petlap::scenes::Scene &, MatType type);

/* The scenes with the numbers 0, 1, ... are those that the training program measures its weights on */
PetscErrorCode BenchCreateScene(const BenchGrid &, PetscInt kind, PetscInt seed, BenchCoefficients, PetscReal contrast, BenchScene *);
PetscErrorCode BenchDestroyScene(BenchScene *);
/* A KSP with the preconditioner that knows the image of the scene; the options of the command line come on top of those given */
PetscErrorCode BenchCreateSceneKSP(const BenchScene &, const char options[], PetscReal rtol, PetscInt most, KSP *);
/* Misspelt options are an error here, when all have had their chance to be read */
PetscErrorCode BenchDestroySceneKSP(KSP *, const char options[]);
PetscErrorCode BenchSolveScene(const BenchScene &, const char options[], PetscReal rtol, PetscInt most, BenchRun *);

/* A line of a table: what it stands for, and the runs of each kind */
struct BenchLine {
  std::string           name;
  PetscReal             rtol;
  PetscInt              most;
  std::vector<BenchRun> runs[BENCH_NKINDS];

  /* What did not get there within the limit, by its reason or its residual, counts as the limit */
  bool      Failed(const BenchRun &) const;
  PetscReal Mean(PetscInt kind) const;
  PetscInt  Most(PetscInt kind) const;
  PetscReal Mean() const; /* of the classes without bubbles */
  /* The largest count of a scene over the mean of its class, and that class */
  PetscReal Spread(PetscInt *kind) const;
};
PetscErrorCode BenchPrintLineHeader(const char name[]);
PetscErrorCode BenchPrintLine(const BenchLine &);
