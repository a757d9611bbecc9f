#include "curves.h"
#include <cstring>

/* Letters of 5 x 7 points, a number for each row; the highest of 5 bits is on the left */
static const struct {
  char          letter;
  unsigned char rows[7];
} Letters[] = {
  {'0', {14, 17, 19, 21, 25, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},      {'2', {14, 17, 1, 6, 8, 16, 31}},    {'3', {14, 17, 1, 6, 1, 17, 14}},  {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},
  {'6', {6, 8, 16, 30, 17, 17, 14}},   {'7', {31, 1, 2, 4, 8, 8, 8}},       {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 2, 12}}, {'a', {0, 0, 14, 1, 15, 17, 15}},    {'b', {16, 16, 30, 17, 17, 17, 30}},
  {'c', {0, 0, 15, 16, 16, 16, 15}},   {'d', {1, 1, 15, 17, 17, 17, 15}},   {'e', {0, 0, 14, 17, 31, 16, 14}},   {'f', {3, 4, 15, 4, 4, 4, 4}},     {'g', {0, 15, 17, 17, 15, 1, 14}},   {'h', {16, 16, 30, 17, 17, 17, 17}},
  {'i', {4, 0, 12, 4, 4, 4, 14}},      {'j', {2, 0, 6, 2, 2, 18, 12}},      {'k', {16, 16, 18, 20, 24, 20, 18}}, {'l', {12, 4, 4, 4, 4, 4, 14}},    {'m', {0, 0, 26, 21, 21, 21, 21}},   {'n', {0, 0, 30, 17, 17, 17, 17}},
  {'o', {0, 0, 14, 17, 17, 17, 14}},   {'p', {0, 0, 30, 17, 30, 16, 16}},   {'q', {0, 0, 15, 17, 15, 1, 1}},     {'r', {0, 0, 22, 25, 16, 16, 16}}, {'s', {0, 0, 15, 16, 14, 1, 30}},    {'t', {8, 8, 30, 8, 8, 8, 6}},
  {'u', {0, 0, 17, 17, 17, 17, 15}},   {'v', {0, 0, 17, 17, 17, 10, 4}},    {'w', {0, 0, 17, 21, 21, 21, 10}},   {'x', {0, 0, 17, 10, 4, 10, 17}},  {'y', {0, 0, 17, 17, 15, 1, 14}},    {'z', {0, 0, 31, 2, 4, 8, 31}},
  {'A', {14, 17, 17, 31, 17, 17, 17}}, {'D', {30, 17, 17, 17, 17, 17, 30}}, {'G', {14, 17, 16, 23, 17, 17, 15}}, {'I', {14, 4, 4, 4, 4, 4, 14}},    {'P', {30, 17, 17, 30, 16, 16, 16}}, {'S', {15, 16, 16, 14, 1, 1, 30}},
  {'.', {0, 0, 0, 0, 0, 12, 12}},      {',', {0, 0, 0, 0, 12, 4, 8}},       {'-', {0, 0, 0, 14, 0, 0, 0}},       {'=', {0, 0, 31, 0, 31, 0, 0}},    {'*', {0, 4, 21, 14, 21, 4, 0}},     {'|', {4, 4, 4, 4, 4, 4, 4}},
  {'(', {2, 4, 8, 8, 8, 4, 2}},        {')', {8, 4, 2, 2, 2, 4, 8}},
};

static const unsigned char Black[3] = {0, 0, 0}, Grey[3] = {215, 215, 215};

static void Fill(Picture *picture, PetscInt left, PetscInt top, PetscInt width, PetscInt height, const unsigned char colour[3])
{
  for (PetscInt y = PetscMax(top, 0); y < PetscMin(top + height, picture->height); y++) {
    for (PetscInt x = PetscMax(left, 0); x < PetscMin(left + width, picture->width); x++) std::memcpy(picture->pixels + ((size_t)y * picture->width + x) * 3, colour, 3);
  }
}

/* A letter is 12 pixels wide and 14 high, with 2 between */
static const PetscInt LetterStep = 12, LetterHeight = 14;

static void Write(Picture *picture, PetscInt left, PetscInt top, const char text[], const unsigned char colour[3])
{
  for (; *text; text++, left += LetterStep) {
    for (const auto &letter : Letters) {
      if (letter.letter != *text) continue;
      for (PetscInt y = 0; y < 7; y++) {
        for (PetscInt x = 0; x < 5; x++) {
          if (letter.rows[y] >> (4 - x) & 1) Fill(picture, left + 2 * x, top + 2 * y, 2, 2, colour);
        }
      }
    }
  }
}

static void Line(Picture *picture, PetscReal x0, PetscReal y0, PetscReal x1, PetscReal y1, const unsigned char colour[3])
{
  const PetscInt n = (PetscInt)PetscMax(PetscAbsReal(x1 - x0), PetscAbsReal(y1 - y0)) + 1;

  for (PetscInt i = 0; i <= n; i++) Fill(picture, (PetscInt)(x0 + (x1 - x0) * i / n) - 1, (PetscInt)(y0 + (y1 - y0) * i / n) - 1, 3, 3, colour);
}

PetscErrorCode CurvesCreate(PetscInt width, PetscInt height, Picture *picture)
{
  PetscFunctionBeginUser;
  PetscCall(PictureCreate(2 * width, 2 * height, 3, picture));
  std::memset(picture->pixels, 255, (size_t)picture->width * picture->height * 3);
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode CurvesFinish(Picture *picture)
{
  PetscFunctionBeginUser;
  PetscCall(PictureShrink(2, picture));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* An axis from low to high: where a value lies, from 0 to 1 */
struct Axis {
  PetscBool logarithmic;
  PetscReal low, high;
};

static PetscReal Scaled(const Axis &axis, PetscReal value)
{
  return axis.logarithmic ? PetscLog10Real(value) : value;
}

static PetscReal Place(const Axis &axis, PetscReal value)
{
  return (Scaled(axis, value) - axis.low) / (axis.high - axis.low);
}

/* From the least to the largest value of all curves, and of a logarithmic axis at least a decade */
static Axis Span(PetscBool logarithmic, const std::vector<Curve> &curves, std::vector<PetscReal> Curve::*values)
{
  Axis axis = {logarithmic, PETSC_MAX_REAL, -PETSC_MAX_REAL};

  for (const Curve &curve : curves) {
    for (PetscReal value : curve.*values) {
      if (PetscIsInfOrNanReal(value) || (logarithmic && value <= 0.0)) continue;
      axis.low  = PetscMin(axis.low, Scaled(axis, value));
      axis.high = PetscMax(axis.high, Scaled(axis, value));
    }
  }
  if (axis.low > axis.high) axis.low = axis.high = 0.0;
  if (axis.high - axis.low < (logarithmic ? 1.0 : 1e-6)) {
    axis.low -= 0.5;
    axis.high += 0.5;
  }
  return axis;
}

/* Ticks of a logarithmic axis are 1, 2 and 5 times powers of ten, or these powers alone where there are many; of another, round numbers */
static std::vector<PetscReal> Ticks(const Axis &axis)
{
  std::vector<PetscReal> ticks;

  if (axis.logarithmic) {
    const PetscReal factors[] = {1.0, 2.0, 5.0};
    const PetscInt  n         = axis.high - axis.low > 2.5 ? 1 : 3;

    for (PetscInt decade = (PetscInt)PetscFloorReal(axis.low) - 1; decade <= axis.high; decade++) {
      for (PetscInt i = 0; i < n; i++) ticks.push_back(factors[i] * PetscPowReal(10.0, (PetscReal)decade));
    }
  } else {
    PetscReal step = PetscPowReal(10.0, PetscFloorReal(PetscLog10Real(axis.high - axis.low)));

    if ((axis.high - axis.low) / step < 2.5)
      step /= 4.0;
    else if ((axis.high - axis.low) / step < 5.0)
      step /= 2.0;
    for (PetscInt i = (PetscInt)PetscCeilReal(axis.low / step); i * step <= axis.high; i++) ticks.push_back(i * step);
  }
  return ticks;
}

PetscErrorCode CurvesDraw(Picture *picture, PetscInt left, PetscInt top, PetscInt width, PetscInt height, const char title[], const char xlabel[], PetscBool xlog, const std::vector<Curve> &curves)
{
  const Axis     xs = Span(xlog, curves, &Curve::x);
  Axis           ys = Span(PETSC_TRUE, curves, &Curve::y);
  const PetscInt x0 = 2 * left + 100, x1 = 2 * (left + width) - 30, y0 = 2 * (top + height) - 80, y1 = 2 * top + 50;
  PetscInt       name = x1;

  PetscFunctionBeginUser;
  ys.low -= 0.05 * (ys.high - ys.low);
  ys.high += 0.05 * (ys.high - ys.low);
  Write(picture, x0, y1 - LetterHeight - 14, title, Black);
  Write(picture, (x0 + x1 - LetterStep * (PetscInt)std::strlen(xlabel)) / 2, y0 + 48, xlabel, Black);
  for (PetscReal tick : Ticks(ys)) {
    const PetscInt y = y0 + (PetscInt)((y1 - y0) * Place(ys, tick));
    char           text[32];

    if (y > y0 || y < y1) continue;
    Fill(picture, x0, y - 1, x1 - x0, 2, Grey);
    PetscCall(PetscSNPrintf(text, sizeof(text), "%.4g", (double)tick));
    Write(picture, x0 - 12 - LetterStep * (PetscInt)std::strlen(text), y - LetterHeight / 2, text, Black);
  }
  for (PetscReal tick : Ticks(xs)) {
    const PetscInt x = x0 + (PetscInt)((x1 - x0) * Place(xs, tick));
    char           text[32];

    if (x < x0 || x > x1) continue;
    Fill(picture, x - 1, y0 - 6, 2, 12, Black);
    PetscCall(PetscSNPrintf(text, sizeof(text), "%.6g", (double)tick));
    Write(picture, x - LetterStep * (PetscInt)std::strlen(text) / 2, y0 + 16, text, Black);
  }
  for (const Curve &curve : curves) {
    for (size_t i = 1; i < curve.x.size(); i++) {
      if (!(curve.y[i - 1] > 0.0 && curve.y[i] > 0.0) || (xlog && !(curve.x[i - 1] > 0.0))) continue;
      if (PetscIsInfOrNanReal(curve.y[i - 1]) || PetscIsInfOrNanReal(curve.y[i])) continue;
      Line(picture, x0 + (x1 - x0) * Place(xs, curve.x[i - 1]), y0 + (y1 - y0) * Place(ys, curve.y[i - 1]), x0 + (x1 - x0) * Place(xs, curve.x[i]), y0 + (y1 - y0) * Place(ys, curve.y[i]), curve.colour);
    }
  }
  /* The names, the last of them at the right */
  for (size_t i = curves.size(); i-- > 0;) {
    name -= LetterStep * (PetscInt)std::strlen(curves[i].name);
    Write(picture, name, y1 - LetterHeight - 14, curves[i].name, curves[i].colour);
    name -= 2 * LetterStep;
  }
  Fill(picture, x0 - 1, y1, 2, y0 - y1, Black);
  Fill(picture, x0, y0 - 1, x1 - x0, 2, Black);
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode CurvesDrawField(Picture *picture, PetscInt left, PetscInt top, PetscInt scale, PetscInt nx, PetscInt ny, const PetscScalar field[], PetscReal low, PetscReal high, const char title[])
{
  PetscFunctionBeginUser;
  Write(picture, 2 * left, 2 * top, title, Black);
  for (PetscInt j = 0; j < ny; j++) {
    for (PetscInt i = 0; i < nx; i++) {
      const PetscReal     shade     = 255.0 * (PetscRealPart(field[j * nx + i]) - low) / (high - low);
      const unsigned char grey      = shade > 0.0 ? (unsigned char)(PetscMin(shade, 255.0) + 0.5) : 0;
      const unsigned char colour[3] = {grey, grey, grey};

      Fill(picture, 2 * (left + i * scale), 2 * (top + j * scale) + 28, 2 * scale, 2 * scale, colour);
    }
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

std::vector<PetscReal> CurvesSmooth(const std::vector<PetscReal> &y, PetscInt last)
{
  std::vector<PetscReal> means(y.size());
  PetscReal              sum = 0.0;

  for (size_t i = 0; i < y.size(); i++) {
    sum += y[i];
    if (i >= (size_t)last) sum -= y[i - last];
    means[i] = sum / (PetscReal)PetscMin(i + 1, (size_t)last);
  }
  return means;
}
