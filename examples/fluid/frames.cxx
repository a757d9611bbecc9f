#include "fluid.h"
#include "picture.h"
#include <vector>

/* A field of the first process that is smooth between the cells and 0 outside the grid, unless it is solid there */
struct Field {
  const PetscReal *values;
  const PetscInt  *n;
  PetscInt         dim;

  PetscReal At(PetscInt i, PetscInt j, PetscInt k) const
  {
    if (i < 0 || j < 0 || k < 0 || i >= n[0] || j >= n[1] || k >= n[2]) return 0.0;
    return values[((size_t)k * n[1] + j) * n[0] + i];
  }

  /* x is in cells. Flat fields go on unchanged beyond the border, so that pictures have no frame. */
  PetscReal operator()(const PetscReal x[3]) const
  {
    PetscInt  base[3] = {0, 0, 0};
    PetscReal f[3] = {0.0, 0.0, 0.0}, sum = 0.0;

    for (PetscInt d = 0; d < dim; d++) {
      const PetscReal y = dim == 2 ? PetscMin(PetscMax(x[d] - 0.5, 0.0), n[d] - 1.0) : x[d] - 0.5;

      base[d] = (PetscInt)PetscFloorReal(y);
      f[d]    = y - base[d];
    }
    for (PetscInt k = 0; k < (dim == 3 ? 2 : 1); k++) {
      for (PetscInt j = 0; j < 2; j++) {
        for (PetscInt i = 0; i < 2; i++) {
          const PetscReal w = (i ? f[0] : 1.0 - f[0]) * (j ? f[1] : 1.0 - f[1]) * (k ? f[2] : 1.0 - f[2]);

          if (w > 0.0) sum += w * At(base[0] + i, base[1] + j, base[2] + k);
        }
      }
    }
    return sum;
  }

  void Normal(const PetscReal x[3], PetscReal normal[3]) const
  {
    PetscReal length = 0.0;

    for (PetscInt d = 0; d < 3; d++) {
      PetscReal up[3] = {x[0], x[1], x[2]}, down[3] = {x[0], x[1], x[2]};

      up[d] += 0.7;
      down[d] -= 0.7;
      normal[d] = (*this)(down) - (*this)(up);
      length += normal[d] * normal[d];
    }
    for (PetscInt d = 0; d < 3; d++) normal[d] /= PetscSqrtReal(length) + 1e-30;
  }
};

static void Mix(PetscReal colour[3], PetscReal share, const PetscReal with[3])
{
  for (PetscInt c = 0; c < 3; c++) colour[c] += share * (with[c] - colour[c]);
}

/* From 0 to 1 around the level 1/2, over about a cell or a pixel */
static PetscReal Edge(PetscReal value, PetscReal sharpness)
{
  return PetscMin(PetscMax(sharpness * (value - 0.5) + 0.5, 0.0), 1.0);
}

static const PetscReal Paper[3] = {1.0, 1.0, 1.0}, Sky[3] = {0.93, 0.95, 0.97}, Stone[3] = {0.62, 0.52, 0.42}, Water[3] = {0.10, 0.38, 0.72}, Soot[3] = {0.13, 0.13, 0.17};

static void FlatPixel(const Field &amount, const Field &solid, PetscBool liquid, PetscReal zoom, const PetscReal x[3], PetscReal colour[3])
{
  const PetscReal value = amount(x);

  for (PetscInt c = 0; c < 3; c++) colour[c] = Paper[c];
  if (liquid)
    Mix(colour, Edge(value, PetscMax(2.0, 0.7 * zoom)), Water);
  else
    Mix(colour, PetscMin(PetscMax(value, 0.0), 1.0), Soot);
  Mix(colour, Edge(solid(x), PetscMax(2.0, 0.7 * zoom)), Stone);
}

/* One ray from the eye through the volume */
static void Ray(const Field &amount, const Field &solid, const Field &light, PetscBool liquid, PetscReal length, const PetscReal from[3], const PetscReal along[3], PetscReal colour[3])
{
  const PetscReal step = 0.5, sun[3] = {-0.35, 0.85, 0.4};
  PetscReal       through = 1.0, sum[3] = {0.0, 0.0, 0.0};

  for (PetscReal t = 0.0; t < length && through > 0.01; t += step) {
    const PetscReal x[3] = {from[0] + t * along[0], from[1] + t * along[1], from[2] + t * along[2]};
    PetscReal       normal[3], shade, value;
    PetscBool       inside = PETSC_TRUE;

    for (PetscInt d = 0; d < 3; d++) inside = (PetscBool)(inside && x[d] > -1.0 && x[d] < amount.n[d] + 1.0);
    if (!inside) continue;
    if (solid(x) > 0.5) {
      solid.Normal(x, normal);
      shade = 0.45 + 0.55 * PetscMax(normal[0] * sun[0] + normal[1] * sun[1] + normal[2] * sun[2], 0.0);
      for (PetscInt c = 0; c < 3; c++) sum[c] += through * shade * Stone[c];
      through = 0.0;
      break;
    }
    value = amount(x);
    if (liquid && value > 0.5) {
      /* The surface reflects the sun, and what is below it is seen through ever more water */
      amount.Normal(x, normal);
      shade = PetscMax(normal[0] * sun[0] + normal[1] * sun[1] + normal[2] * sun[2], 0.0);
      for (PetscInt c = 0; c < 3; c++) sum[c] += through * 0.6 * ((0.5 + 0.5 * shade) * Water[c] + 0.5 * PetscPowReal(shade, 12.0));
      through *= 0.4;
      for (; t < length; t += step) {
        const PetscReal y[3] = {from[0] + t * along[0], from[1] + t * along[1], from[2] + t * along[2]};

        if (amount(y) <= 0.5 || solid(y) > 0.5) break;
        for (PetscInt c = 0; c < 3; c++) sum[c] += through * 0.06 * 0.6 * Water[c];
        through *= 0.94;
      }
    } else if (!liquid && value > 0.0) {
      const PetscReal opacity = 1.0 - PetscExpReal(-0.25 * step * value * 32.0 / amount.n[0] * 4.0), grey = 0.15 + 0.75 * light(x);

      for (PetscInt c = 0; c < 3; c++) sum[c] += through * opacity * grey;
      through *= 1.0 - opacity;
    }
  }
  for (PetscInt c = 0; c < 3; c++) colour[c] = sum[c] + through * Sky[c];
}

PetscErrorCode FrameWrite(const Grid *grid, const Scene *scene, Vec labels, Vec amount, PetscInt pixels, const char filename[])
{
  const PetscInt *n = grid->n;
  PetscReal      *label, *values;
  Picture         picture;

  PetscFunctionBeginUser;
  PetscCall(GridGather(grid->pressure, labels, &label));
  PetscCall(GridGather(grid->pressure, amount, &values));
  if (label) {
    const size_t           cells = (size_t)n[0] * n[1] * n[2];
    const PetscReal        yaw = 0.5, pitch = 0.35;
    const PetscReal        along[3] = {-PetscSinReal(yaw) * PetscCosReal(pitch), -PetscSinReal(pitch), -PetscCosReal(yaw) * PetscCosReal(pitch)};
    const PetscReal        right[3] = {PetscCosReal(yaw), 0.0, -PetscSinReal(yaw)};
    const PetscReal        up[3]    = {right[1] * along[2] - right[2] * along[1], right[2] * along[0] - right[0] * along[2], right[0] * along[1] - right[1] * along[0]};
    std::vector<PetscReal> shadow(cells, 1.0);
    PetscReal              wide = n[0], high = n[1], length = 0.0, zoom;
    const PetscBool        liquid = SceneIsLiquid(scene);

    for (size_t i = 0; i < cells; i++) label[i] = (PetscInt)label[i] == CELL_SOLID ? 1.0 : 0.0;
    const Field fluid{values, n, grid->dim}, solid{label, n, grid->dim}, light{shadow.data(), n, grid->dim};
    if (grid->dim == 3) {
      wide = high = 0.0;
      for (PetscInt d = 0; d < 3; d++) {
        wide += n[d] * PetscAbsReal(right[d]);
        high += n[d] * PetscAbsReal(up[d]);
        length += n[d] * PetscAbsReal(along[d]);
      }
      /* The sun is high: what is above a cell takes its light away */
      for (PetscInt k = 0; k < n[2]; k++) {
        for (PetscInt j = n[1] - 2; j >= 0; j--) {
          for (PetscInt i = 0; i < n[0]; i++) shadow[((size_t)k * n[1] + j) * n[0] + i] = light.At(i, j + 1, k) * PetscExpReal(-8.0 / n[0] * PetscMax(fluid.At(i, j + 1, k), 0.0)) * (1.0 - 0.5 * solid.At(i, j + 1, k));
        }
      }
    }
    zoom = pixels / PetscMax(wide, high);
    PetscCall(PictureCreate(PetscMax((PetscInt)(wide * zoom + 0.5), 1), PetscMax((PetscInt)(high * zoom + 0.5), 1), 3, &picture));
    for (PetscInt row = 0; row < picture.height; row++) {
      for (PetscInt column = 0; column < picture.width; column++) {
        const PetscReal a = (column + 0.5) / zoom, b = high - (row + 0.5) / zoom;
        PetscReal       x[3] = {a, b, 0.5}, colour[3];

        if (grid->dim == 2) {
          FlatPixel(fluid, solid, liquid, zoom, x, colour);
        } else {
          for (PetscInt d = 0; d < 3; d++) x[d] = 0.5 * n[d] + (a - 0.5 * wide) * right[d] + (b - 0.5 * high) * up[d] - 0.5 * length * along[d];
          Ray(fluid, solid, light, liquid, length, x, along, colour);
        }
        for (PetscInt c = 0; c < 3; c++) picture.pixels[((size_t)row * picture.width + column) * 3 + c] = (unsigned char)(255.0 * PetscMin(PetscMax(colour[c], 0.0), 1.0) + 0.5);
      }
    }
  }
  PetscCall(PictureWrite(PETSC_COMM_WORLD, filename, &picture));
  PetscCall(PictureDestroy(&picture));
  PetscCall(PetscFree(label));
  PetscCall(PetscFree(values));
  PetscFunctionReturn((PetscErrorCode)0);
}
