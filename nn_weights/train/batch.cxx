#include "batch.h"
#include "pc/neural/gradient.h"
#include "pc/neural/weights.h"

namespace petlap {
namespace training {

static_assert((int)BATCH == (int)neural::BATCH, "the numbers of a cell stand side by side");

static neural::Model ModelOf(const Shape &shape)
{
  neural::Model  model = neural::AnalyticModel(shape.dim);
  const size_t   K     = shape.window();
  neural::Stage &stage = model.stage[0];

  for (neural::Convolution *c : {&stage.pre, &stage.post, &model.coarsest}) c->pinned.assign(shape.pinned ? K * K : 0, 0.0);
  for (neural::Affine *a : {&stage.c1, &stage.c2}) {
    a->air.assign(shape.affine ? K : 0, 0.0);
    a->solid.assign(shape.affine ? K : 0, 0.0);
  }
  model.stage.resize(shape.stages, stage);
  return model;
}

std::vector<double> InitialNumbers(const Shape &shape)
{
  return neural::Numbers(ModelOf(shape));
}

bool Save(const Shape &shape, const std::vector<double> &numbers, const char file[], const std::vector<std::pair<std::string, std::string>> &provenance, std::string *error)
{
  neural::Model model = ModelOf(shape);

  neural::SetNumbers(model, numbers.data());
  model.origin = "trained";
  return neural::WriteWeights(file, model, provenance, error);
}

bool Load(const char file[], Shape *shape, std::vector<double> *numbers, std::string *error)
{
  neural::Model model;

  if (!neural::ReadWeights(file, &model, error)) return false;
  shape->dim    = model.dim;
  shape->stages = (int)model.stage.size();
  shape->pinned = !model.coarsest.pinned.empty();
  shape->affine = !model.stage[0].c1.air.empty();
  *numbers      = neural::Numbers(model);
  if (numbers->size() == InitialNumbers(*shape).size()) return true;
  *error = std::string(file) + ": its blocks differ in their channels of image: train from another file";
  return false;
}

Preconditioner::Preconditioner(Use use, int dim, const int n[3], const unsigned char cells[])
{
  const neural::Partition whole = neural::Partition::Whole(dim, n);
  ptrdiff_t               count = 0;

  network.reset(new neural::Network(whole, neural::DefaultLevels(dim, n), neural::MASK_DILATED));
  network->SetImage(cells);
  for (const neural::Segment &s : network->segments()) {
    offset.push_back(count);
    count += s.x1 - s.x0;
  }
  if (use == MANY) gradient.reset(new neural::Gradient<float>(*network));
  if (use == MANY_DOUBLE) exact.reset(new neural::Gradient<double>(*network));
}

Preconditioner::~Preconditioner() = default;

void Preconditioner::SetNumbers(const Shape &shape, const std::vector<double> &numbers)
{
  neural::Model model = ModelOf(shape);

  neural::SetNumbers(model, numbers.data());
  if (gradient) gradient->SetModel(model);
  if (exact) exact->SetModel(model);
  if (!gradient && !exact) network->SetKernels(model);
}

void Preconditioner::Apply(const double r[], double d[])
{
  network->Apply(r, offset.data(), 1.0, d);
}

void Preconditioner::ApplyBatch(const double r[], double d[])
{
  if (gradient)
    gradient->Apply(r, d);
  else
    exact->Apply(r, d);
}

void Preconditioner::AddGradient(const double g[], double derivative[])
{
  if (gradient)
    gradient->Add(g, derivative);
  else
    exact->Add(g, derivative);
}

} // namespace training
} // namespace petlap
