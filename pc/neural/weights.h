/*
  Weight files of the network, in HDF5. Attributes of the root: format = "petlap neural", version, dim, stages, levels, mask, interpolation, scale. Datasets:
  for stage s and block B of pre and post, stageS.B.base [window], stageS.B.air, .solid and perhaps .pinned [window, window]; for B of c1 and c2, stageS.B.bias
  [1] and perhaps .air and .solid [window]; coarsest.base and so on. Where the numbers come from stands in attributes of the group "provenance".

  Files with the datasets pre.I.weight, pre.I.bias, post.I.*, l.*, c0.I.*, c1.I.* are read, too: they hold the tensors of the program that belongs to the
  paper, whose image has the channels air, fluid and not solid.
*/
#pragma once

#include "pc/neural/model.h"
#include <utility>

namespace petlap {
namespace neural {

typedef std::vector<std::pair<std::string, std::string>> Provenance;

/* Both return false after setting the error, and then leave the model and an old file as they were */
bool WriteWeights(const char file[], const Model &model, const Provenance &provenance, std::string *error);
bool ReadWeights(const char file[], Model *model, std::string *error);

} // namespace neural
} // namespace petlap
