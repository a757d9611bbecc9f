/*
  Systems to learn from: each with BATCH errors e that wait to be reduced. What the network sees is the residual A e, so its exact answer is known without a
  solver.
*/
#pragma once

#include "problem.h"
#include <petscksp.h>
#include <string>

namespace petlap {
namespace training {

/* What the right-hand sides of a visit are: residuals on the way of the solver that the network is for, divergences, mixtures of Ritz vectors, or half of the
   first and half of the second */
enum Rhs { RHS_ONPOLICY, RHS_DIVERGENCE, RHS_RITZ, RHS_MIXED };
extern const char *const RhsNames[];

struct Source {
  PetscInt                 dim = 3, seed = 1;
  std::vector<PetscInt>    sizes;          /* cells along the axes of cubes */
  PetscReal                oblong  = 0.2;  /* share of the scenes that have an axis of another length */
  PetscReal                bubbles = 0.3;  /* share of the scenes with isolated cells of air */
  PetscReal                margins = 0.25; /* share of the scenes with layers of solid or air around them */
  Rhs                      rhs     = RHS_MIXED;
  PetscInt                 life    = 12;  /* visits until an error gives way to a new one */
  PetscInt                 mmax    = 2;   /* directions that the solver makes the next one A-orthogonal to */
  PetscInt                 ritz    = 400; /* Ritz vectors of a system */
  std::vector<std::string> files;         /* systems of the user, which take turns with scenes where there are any sizes */
  bool                     exact = false; /* double precision, to check derivatives */
};

class Sample {
public:
  Problem                         problem;
  std::unique_ptr<Preconditioner> P;
  std::string                     name;
  Block                           e;

  explicit Sample(const Source &source) : source(source), directions((int)source.mmax), random(0) {}
  Sample(const Sample &) = delete;
  ~Sample();

  /* The k-th system of an epoch; first systems are solved roughly with the network as it is */
  PetscErrorCode Make(uint64_t epoch, PetscInt k, const Shape &shape, const std::vector<double> &numbers);
  /* Residuals of norm one and the inner products r e, with e scaled along */
  void Residual(Block &r, Dots *re);
  /* The solver moves on by one step along d, which gets A-orthogonal to those before; some columns begin anew */
  void Advance(const Block &r, const Dots &re, Block &d, Block &Ad);
  /* Applies a KSP with the prefix train_sip_solver_ to each column of b */
  PetscErrorCode Correct(const Block &b, Block &x);

private:
  const Source      &source;
  std::vector<float> origin; /* solutions that new errors are mixtures of */
  Directions         directions;
  int                age[BATCH], life[BATCH];
  double             left[BATCH]; /* of the square of the A-norm of e */
  scenes::Random     random;
  Mat                A   = nullptr;
  KSP                ksp = nullptr;
  Vec                in = nullptr, out = nullptr;

  void           Begin(int column);
  PetscErrorCode Ritz(uint64_t seed);
};

/* The matrix, the flags and the right-hand side of a file */
PetscErrorCode LoadProblem(const char file[], Problem *problem, std::vector<double> *b);

} // namespace training
} // namespace petlap
