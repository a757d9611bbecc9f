/*
  The progress of a training, as a table and as a picture.
*/
#pragma once

#include <petscsys.h>
#include <string>
#include <vector>

namespace petlap {
namespace training {

struct Progress {
  PetscInt step;
  double   seconds, loss, rate, iterations; /* iterations is 0 where they were not counted */
};

PetscErrorCode WriteTable(const std::vector<Progress> &rows, const char file[]);
/* SVG: the loss by a logarithmic axis on the left, iterations by one on the right */
PetscErrorCode WritePicture(const std::vector<Progress> &rows, const std::string &title, const char file[]);

} // namespace training
} // namespace petlap
