/* Options of the types, drawn at random from their tables */
#pragma once

#include "tests/differential/solve.h"

namespace differential {

void DrawOptions(Random &, const System &, int ranks, Setup *);

} // namespace differential
