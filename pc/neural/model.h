/*
  The numbers of the network: what a weight file holds.

  A window has 3^dim cells, which are numbered with axis 0 running fastest; so are the entries of a kernel. Entry p of the kernel of a cell is
  base[p] + sum over q of air[p,q] a(q) + solid[p,q] s(q) + pinned[p,q] c(q), where a and s are the shares of air and solid in cell q of the window around it, and c tells whether there is air in it.
*/
#pragma once

#include <string>
#include <vector>

namespace petlap {
namespace neural {

/* Where the network has values: in all cells of the grid, in cells with some fluid, in these and their neighbours (on the finest level in fluid cells) */
enum Mask { MASK_NONE, MASK_FLUID, MASK_DILATED };

enum Interpolation { INTERPOLATION_LINEAR, INTERPOLATION_NEAREST };

struct Convolution {
  std::vector<double> base, air, solid, pinned; /* [p], [p * window + q] */
};

/* bias + sum over q of air[q] A(q) + solid[q] S(q), where A(q) is the mean over all cells of the share of air in cell q of their windows */
struct Affine {
  double              bias = 0.0;
  std::vector<double> air, solid; /* [q], or both empty for zeros */
};

struct Stage {
  Convolution pre, post;
  Affine      c1, c2;
};

struct Model {
  int                dim = 0;
  std::vector<Stage> stage; /* of the finest levels; the last one serves all further levels but the coarsest */
  Convolution        coarsest;
  Mask               mask          = MASK_DILATED;
  Interpolation      interpolation = INTERPOLATION_LINEAR;
  int                nlevels       = 0;   /* that the model was made for; 0: any number */
  double             scale         = 1.0; /* of the output, for the Laplacian whose entries are integers */
  std::string        origin;              /* for people */

  int window() const
  {
    return dim == 3 ? 27 : 9;
  }
  const Stage &at(int level) const
  {
    return stage[level < (int)stage.size() ? level : (int)stage.size() - 1];
  }
};

/* The three numbers of a multilevel method with diagonal scaling, without training; dim is 2 or 3 */
Model AnalyticModel(int dim);

} // namespace neural
} // namespace petlap
