/*
  The families of systems. To add one: write a function as those in families_*.cxx, and a line in the list at the end of its file.
*/
#pragma once

#include "tests/differential/system.h"

namespace differential {

struct Family {
  const char *name;
  /* Types that it is drawn for: s schwarzschur, h hsc, p psdo, n neural; a letter that is repeated is drawn so much more often */
  const char *types;
  void (*make)(Random &, PetscInt most, System *);
};

std::vector<Family> GraphFamilies();
std::vector<Family> GridFamilies();
std::vector<Family> CoupledFamilies();
std::vector<Family> VoxelFamilies();

/* Systems from files, which are read once: names of all that a folder holds */
PetscErrorCode FileFamilies(const std::string &folder, std::vector<std::string> *names);
/* A part of one of them, with other coefficients or without */
PetscErrorCode FileSystem(const std::string &name, Random &, PetscInt most, System *);

/* Rows are replaced by those of the unit matrix, times d */
void Dirichlet(System *, const std::vector<bool> &fixed, double d, bool keepcolumns);

} // namespace differential
