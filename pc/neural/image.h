/*
  The image of a domain, read off the matrix of a Poisson equation on its grid.

  A row tells which faces of its cell lead to fluid, by its off-diagonal entries, and how many of the others lead to air, by what the diagonal has in
  excess of them. Which ones these are follows from all rows together.
*/
#pragma once

#include "pc/neural/partition.h"
#include <string>
#include <vector>

namespace petlap {
namespace neural {

/* Of one cell: faces are numbered 2 axis + side. A cell whose row has no off-diagonal entries is no fluid. */
struct Row {
  unsigned char fluid  = 0;
  unsigned char links  = 0;   /* faces to cells that the row has entries for */
  float         excess = 0.0; /* of the diagonal over these entries, in units of an entry */
};

struct InferredImage {
  enum Outcome { CLEAR, CONTRADICTION, FRACTION };

  Outcome                    outcome      = CLEAR;
  int                        cell[3]      = {0, 0, 0}; /* that it came from */
  double                     excess       = 0.0;
  int                        margin[3][2] = {}; /* cells of air that the grid must get at its sides */
  std::vector<unsigned char> label;             /* of the cells of the process with its margins, axis 0 fastest */
  long long                  guessed = 0;       /* cells that no row tells of, up to symmetry: they got the label of the nearest ones */
};

/* rows are those of the cells of this process, axis 0 fastest. Collective. */
InferredImage InferImage(const Partition &part, const std::vector<Row> &rows, double tolerance);

} // namespace neural
} // namespace petlap
