/*
  Weight files.
*/
#pragma once

#include "pc/neural/model.h"

namespace petlap {
namespace neural {

bool ReadWeights(const char file[], Model *model, std::string *error);

} // namespace neural
} // namespace petlap
