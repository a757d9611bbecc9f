#include "curves.h"
#include <algorithm>
#include <cmath>

namespace petlap {
namespace training {

PetscErrorCode WriteTable(const std::vector<Progress> &rows, const char file[])
{
  FILE *f;

  PetscFunctionBegin;
  PetscCall(PetscFOpen(PETSC_COMM_SELF, file, "w", &f));
  PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "step,seconds,loss,rate,iterations\n"));
  for (const Progress &row : rows) {
    PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "%" PetscInt_FMT ",%.2f,%.6g,%.4g,", row.step, row.seconds, row.loss, row.rate));
    if (row.iterations > 0.0) PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "%.3f", row.iterations));
    PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "\n"));
  }
  PetscCall(PetscFClose(PETSC_COMM_SELF, f));
  PetscFunctionReturn((PetscErrorCode)0);
}

namespace {

/* Powers of two within what a logarithmic axis shows */
struct Axis {
  double lo = 1e300, hi = 0.0;

  void Hold(double v)
  {
    lo = std::min(lo, v);
    hi = std::max(hi, v);
  }
  void Round()
  {
    if (hi <= 0.0) lo = hi = 1.0;
    lo = std::exp2(std::floor(std::log2(lo)));
    hi = std::exp2(std::ceil(std::log2(hi)));
    if (hi <= lo) hi = 2.0 * lo;
  }
  double Height(double v) const
  {
    return 340.0 - 300.0 * std::log(v / lo) / std::log(hi / lo);
  }
};

} // namespace

PetscErrorCode WritePicture(const std::vector<Progress> &rows, const std::string &title, const char file[])
{
  FILE                    *f;
  Axis                     axis[2];
  double                   last      = 1.0;
  static const char *const colour[2] = {"#2060b0", "#c04020"}, *const what[2] = {"loss", "iterations"};

  PetscFunctionBegin;
  for (const Progress &row : rows) {
    last = std::max(last, (double)row.step);
    if (row.loss > 0.0) axis[0].Hold(row.loss);
    if (row.iterations > 0.0) axis[1].Hold(row.iterations);
  }
  PetscCall(PetscFOpen(PETSC_COMM_SELF, file, "w", &f));
  PetscCall(
    PetscFPrintf(PETSC_COMM_SELF, f,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"400\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"640\" height=\"400\" fill=\"white\"/>\n<text x=\"320\" y=\"22\" text-anchor=\"middle\">%s</text>\n",
                 title.c_str()));
  PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "<rect x=\"60\" y=\"40\" width=\"520\" height=\"300\" fill=\"none\" stroke=\"#808080\"/>\n<text x=\"320\" y=\"385\" text-anchor=\"middle\">steps</text>\n"));
  for (int k = 0; k <= 4; k++) PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "<text x=\"%d\" y=\"358\" text-anchor=\"middle\">%.0f</text>\n", 60 + 130 * k, last * k / 4.0));
  for (int k = 0; k < 2; k++) {
    axis[k].Round();
    for (double v = axis[k].lo; v <= axis[k].hi * 1.01; v *= 2.0) {
      const double y = axis[k].Height(v);

      PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%.4g</text>\n", k ? 586 : 54, y + 4.0, k ? "start" : "end", colour[k], v));
      if (!k) PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "<line x1=\"60\" x2=\"580\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#e0e0e0\"/>\n", y, y));
    }
    PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "<text x=\"%d\" y=\"34\" text-anchor=\"middle\" fill=\"%s\">%s</text>\n<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", k ? 580 : 60, colour[k], what[k], colour[k]));
    for (const Progress &row : rows) {
      const double v = k ? row.iterations : row.loss;

      if (v > 0.0) PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "%.1f,%.1f ", 60.0 + 520.0 * (double)row.step / last, axis[k].Height(v)));
    }
    PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "\"/>\n"));
  }
  PetscCall(PetscFPrintf(PETSC_COMM_SELF, f, "</svg>\n"));
  PetscCall(PetscFClose(PETSC_COMM_SELF, f));
  PetscFunctionReturn((PetscErrorCode)0);
}

} // namespace training
} // namespace petlap
