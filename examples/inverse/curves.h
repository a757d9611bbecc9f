/*
  Diagrams of curves for the examples, with a logarithmic vertical axis, drawn into a picture.
*/
#pragma once

#include "picture.h"
#include <vector>

struct Curve {
  const char            *name;
  unsigned char          colour[3];
  std::vector<PetscReal> x, y;
};

/* White, in colour. Diagrams are drawn into it, then CurvesFinish() halves it, which makes edges soft. */
PetscErrorCode CurvesCreate(PetscInt width, PetscInt height, Picture *picture);
PetscErrorCode CurvesFinish(Picture *picture);

/* A diagram in the part of the finished picture that begins at (left, top). The names of the curves stand at its upper right. What
   has no logarithm is left out. */
PetscErrorCode CurvesDraw(Picture *picture, PetscInt left, PetscInt top, PetscInt width, PetscInt height, const char title[], const char xlabel[], PetscBool xlog, const std::vector<Curve> &curves);

/* A field as squares of grey, of which low is black; each point is so many pixels wide */
PetscErrorCode CurvesDrawField(Picture *picture, PetscInt left, PetscInt top, PetscInt scale, PetscInt nx, PetscInt ny, const PetscScalar field[], PetscReal low, PetscReal high, const char title[]);

/* Means over the last so many entries, as the paper draws its curves */
std::vector<PetscReal> CurvesSmooth(const std::vector<PetscReal> &y, PetscInt last);
