#include "pc/neural/weights.h"
namespace petlap {
namespace neural {
bool ReadWeights(const char file[], Model *, std::string *error)
{
  *error = std::string(file) + " cannot be read";
  return false;
}
} // namespace neural
} // namespace petlap
