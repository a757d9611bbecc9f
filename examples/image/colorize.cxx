static char help[] = "Gives a grey picture colours from a few strokes of them (colorization using optimization: Levin, Lischinski, Weiss 2004). Neighbours that are alike in luminance\n\
shall be alike in colour: the two colour differences U and V, which make a colour with the luminance, minimise a sum of w (difference of neighbours)^2 over all pixels\n\
and their 8 neighbours, and of data (u - stroke)^2 over the strokes. w is exp(-(difference of luminance)^2 / variance around the pixel), taken from both sides,\n\
so that the matrix is symmetric.\n\
Writes the picture with and without colours and, where the picture had colours, says how far they are from those found.\n\n\
  -image <coffee.png>              an 8-bit PNG file; of a colour picture only the luminance is used\n\
  -scribbles <coffee_scribbles.png>  a PNG file of the same size that holds the strokes. Where it has opacity, all opaque pixels belong to strokes;\n\
                                   where it has not, those that differ from the grey picture do\n\
  -shrink <1>                      the pictures are made smaller by this factor\n\
  -data <100>                      weight of the strokes; a pixel has weights between 0.01 and 8 in all to its neighbours\n\
  -make_scribbles <none>           writes this file of scribbles with the true colours of the picture first, and uses it\n\
  -strokes <150>                   so many of them\n\
  -grey <grey.png>, -coloured <coloured.png>   what is written\n\n\
The solver is PETSc's to choose: -pc_type (hsc, gamg, hypre, icc, cholesky ...), -ksp_type, -ksp_rtol, -ksp_monitor, -ksp_view.\n\n";

#include "picture.h"
#include "shifted.h"
#include <petlap.h>
#include <cmath>

/* Shares of red, green and blue in the luminance, and the scales of U and V in the television standard that Levin's paper uses */
static const PetscReal Red = 0.299, Green = 0.587, Blue = 0.114, ScaleU = 0.492, ScaleV = 0.877;
/* Weights below this one would tear the picture apart in floating-point numbers */
static const PetscReal LeastWeight = 1e-8;

static PetscReal Luminance(const unsigned char rgb[])
{
  return (Red * rgb[0] + Green * rgb[1] + Blue * rgb[2]) / 255.0;
}

/* Short straight strokes, spread evenly, in the colours that the picture has there */
static PetscErrorCode MakeScribbles(const Picture *picture, PetscInt strokes, const char filename[])
{
  const PetscInt length = PetscMax(2, (picture->width + picture->height) / 50);
  Picture        scribbles;

  PetscFunctionBeginUser;
  PetscCall(PictureCreate(picture->width, picture->height, 4, &scribbles));
  for (PetscInt s = 0; s < strokes; s++) {
    /* Multiples of two irrational numbers never meet */
    const PetscReal x = std::fmod(0.5 + s * 0.75487766624669276, 1.0) * picture->width, y = std::fmod(0.5 + s * 0.56984029099805327, 1.0) * picture->height, angle = std::fmod(s * 1.9416110387254666, 1.0) * PETSC_PI;

    for (PetscInt step = 0; step < length; step++) {
      const PetscInt i = (PetscInt)(x + (step - 0.5 * length) * PetscCosReal(angle)), j = (PetscInt)(y + (step - 0.5 * length) * PetscSinReal(angle));
      size_t         k;

      if (i < 0 || i >= picture->width || j < 0 || j >= picture->height) continue;
      k = (size_t)j * picture->width + i;
      for (PetscInt c = 0; c < 3; c++) scribbles.pixels[4 * k + c] = picture->pixels[3 * k + c];
      scribbles.pixels[4 * k + 3] = 255;
    }
  }
  PetscCall(PictureWrite(PETSC_COMM_WORLD, filename, &scribbles));
  PetscCall(PictureDestroy(&scribbles));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The colour of the strokes in a square of shrink x shrink pixels, or that there are none */
static PetscBool Stroke(const Picture *picture, const Picture *scribbles, PetscBool opacity, PetscInt shrink, PetscInt i, PetscInt j, PetscReal *u, PetscReal *v)
{
  PetscInt n = 0;

  *u = *v = 0.0;
  for (PetscInt y = j * shrink; y < (j + 1) * shrink; y++) {
    for (PetscInt x = i * shrink; x < (i + 1) * shrink; x++) {
      const size_t         k    = (size_t)y * picture->width + x;
      const unsigned char *rgba = scribbles->pixels + 4 * k;
      const PetscReal      grey = 255.0 * Luminance(picture->pixels + 3 * k), bright = Luminance(rgba);

      if (opacity && rgba[3] < 128) continue;
      /* Rounding and mild compression are no strokes */
      if (!opacity && PetscAbsReal(rgba[0] - grey) <= 3.0 && PetscAbsReal(rgba[1] - grey) <= 3.0 && PetscAbsReal(rgba[2] - grey) <= 3.0) continue;
      *u += ScaleU * (rgba[2] / 255.0 - bright);
      *v += ScaleV * (rgba[0] / 255.0 - bright);
      n++;
    }
  }
  if (n) *u /= n;
  if (n) *v /= n;
  return n ? PETSC_TRUE : PETSC_FALSE;
}

/* The square of a difference of luminance at which the weight is 1/e, around one pixel */
static PetscReal Spread(const Picture *picture, PetscInt i, PetscInt j)
{
  const PetscReal here = Luminance(picture->pixels + ((size_t)j * picture->width + i) * 3);
  PetscReal       sum = 0.0, squares = 0.0, nearest = PETSC_MAX_REAL;
  PetscInt        n = 0;

  for (PetscInt jj = PetscMax(j - 1, 0); jj <= PetscMin(j + 1, picture->height - 1); jj++) {
    for (PetscInt ii = PetscMax(i - 1, 0); ii <= PetscMin(i + 1, picture->width - 1); ii++) {
      const PetscReal d = Luminance(picture->pixels + ((size_t)jj * picture->width + ii) * 3) - here;

      sum += d;
      squares += d * d;
      n++;
      if (ii != i || jj != j) nearest = PetscMin(nearest, d * d);
    }
  }
  /* The last but one makes sure that the most similar neighbour has at least the weight 0.01 */
  return PetscMax(PetscMax(0.6 * (squares / n - sum / n * sum / n), nearest / 4.6), 2e-6);
}

static PetscErrorCode CreateLaplacian(DM dm, const Picture *picture, Mat *L)
{
  PetscInt nx, ny, xs, ys, xm, ym;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetInfo(dm, nullptr, &nx, &ny, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCall(DMDAGetCorners(dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
  PetscCall(DMCreateMatrix(dm, L));
  for (PetscInt j = ys; j < ys + ym; j++) {
    for (PetscInt i = xs; i < xs + xm; i++) {
      const PetscReal here = Luminance(picture->pixels + ((size_t)j * nx + i) * 3), spread = Spread(picture, i, j);
      MatStencil      row, columns[9];
      PetscScalar     entries[9];
      PetscInt        n = 1;

      row.i      = i;
      row.j      = j;
      row.k      = 0;
      row.c      = 0;
      columns[0] = row;
      entries[0] = 0.0;
      for (PetscInt jj = PetscMax(j - 1, 0); jj <= PetscMin(j + 1, ny - 1); jj++) {
        for (PetscInt ii = PetscMax(i - 1, 0); ii <= PetscMin(i + 1, nx - 1); ii++) {
          const PetscReal d = Luminance(picture->pixels + ((size_t)jj * nx + ii) * 3) - here, w = PetscMax(0.5 * (PetscExpReal(-d * d / spread) + PetscExpReal(-d * d / Spread(picture, ii, jj))), LeastWeight);

          if (ii == i && jj == j) continue;
          columns[n]   = row;
          columns[n].i = ii;
          columns[n].j = jj;
          entries[0] += w;
          entries[n++] = -w;
        }
      }
      PetscCall(MatSetValuesStencil(*L, 1, &row, n, columns, entries, INSERT_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(*L, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*L, MAT_FINAL_ASSEMBLY));
  PetscCall(MatSetOption(*L, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(MatSetOption(*L, MAT_SYMMETRY_ETERNAL, PETSC_TRUE));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  DM          dm;
  Mat         A;
  Vec         mask, diagonal, rgb[3], y, u[2], b[2];
  KSP         ksp;
  Picture     full, picture, scribbles;
  PetscInt    shrink = 1, strokes = 150, xs, ys, xm, ym, channels;
  PetscReal   data = 100.0;
  PetscScalar painted;
  PetscBool   opacity, make;
  char        image[PETSC_MAX_PATH_LEN] = PETLAP_DATA "/images/coffee.png", scribblesname[PETSC_MAX_PATH_LEN] = PETLAP_DATA "/images/coffee_scribbles.png", made[PETSC_MAX_PATH_LEN] = "";
  char        greyname[PETSC_MAX_PATH_LEN] = "grey.png", colouredname[PETSC_MAX_PATH_LEN] = "coloured.png";

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Colorization", nullptr);
  PetscCall(PetscOptionsString("-image", "PNG file", nullptr, image, image, sizeof(image), nullptr));
  PetscCall(PetscOptionsString("-scribbles", "PNG file with strokes", nullptr, scribblesname, scribblesname, sizeof(scribblesname), nullptr));
  PetscCall(PetscOptionsInt("-shrink", "Factor by which the pictures are made smaller", nullptr, shrink, &shrink, nullptr));
  PetscCall(PetscOptionsReal("-data", "Weight of the strokes", nullptr, data, &data, nullptr));
  PetscCall(PetscOptionsString("-make_scribbles", "File for strokes with the true colours", nullptr, made, made, sizeof(made), &make));
  PetscCall(PetscOptionsInt("-strokes", "So many of them", nullptr, strokes, &strokes, nullptr));
  PetscCall(PetscOptionsString("-grey", "File for the grey picture", nullptr, greyname, greyname, sizeof(greyname), nullptr));
  PetscCall(PetscOptionsString("-coloured", "File for the coloured picture", nullptr, colouredname, colouredname, sizeof(colouredname), nullptr));
  PetscOptionsEnd();
  PetscCheck(data > 0.0 && data <= 1e12, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-data %g: must be positive, and at most 1e12", (double)data);
  PetscCheck(strokes >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-strokes %" PetscInt_FMT ": must be at least 1", strokes);

  PetscCall(PictureRead(image, 0, &full));
  channels = full.channels;
  PetscCall(PictureDestroy(&full));
  PetscCall(PictureRead(image, 3, &full));
  if (make) {
    PetscCheck(channels >= 3, PETSC_COMM_WORLD, PETSC_ERR_ARG_WRONG, "-make_scribbles takes the colours from the picture, and %s is grey", image);
    PetscCall(MakeScribbles(&full, strokes, made));
    PetscCall(PetscStrncpy(scribblesname, made, sizeof(scribblesname)));
  }
  PetscCall(PictureRead(scribblesname, 0, &scribbles));
  opacity = scribbles.channels % 2 == 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PictureDestroy(&scribbles));
  PetscCall(PictureRead(scribblesname, 4, &scribbles));
  PetscCheck(scribbles.width == full.width && scribbles.height == full.height, PETSC_COMM_WORLD, PETSC_ERR_ARG_SIZ, "%s has %" PetscInt_FMT " x %" PetscInt_FMT " pixels and %s %" PetscInt_FMT " x %" PetscInt_FMT, scribblesname, scribbles.width,
             scribbles.height, image, full.width, full.height);
  PetscCall(PictureRead(image, 3, &picture));
  PetscCall(PictureShrink(shrink, &picture));
  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_BOX, picture.width, picture.height, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &dm));
  PetscCall(DMSetUp(dm));
  PetscCall(DMDAGetCorners(dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
  PetscCall(DMCreateGlobalVector(dm, &y));
  PetscCall(VecDuplicate(y, &mask));
  PetscCall(VecDuplicate(y, &diagonal));
  for (PetscInt c = 0; c < 3; c++) PetscCall(VecDuplicate(y, &rgb[c]));
  for (PetscInt c = 0; c < 2; c++) {
    PetscCall(VecDuplicate(y, &u[c]));
    PetscCall(VecDuplicate(y, &b[c]));
  }

  PetscCall(CreateLaplacian(dm, &picture, &A));
  {
    PetscScalar **mm, **bu, **bv;

    PetscCall(DMDAVecGetArrayWrite(dm, mask, &mm));
    PetscCall(DMDAVecGetArrayWrite(dm, b[0], &bu));
    PetscCall(DMDAVecGetArrayWrite(dm, b[1], &bv));
    for (PetscInt j = ys; j < ys + ym; j++) {
      for (PetscInt i = xs; i < xs + xm; i++) {
        PetscReal uu, vv;

        mm[j][i] = Stroke(&full, &scribbles, opacity, shrink, i, j, &uu, &vv) ? 1.0 : 0.0;
        bu[j][i] = data * uu;
        bv[j][i] = data * vv;
      }
    }
    PetscCall(DMDAVecRestoreArrayWrite(dm, mask, &mm));
    PetscCall(DMDAVecRestoreArrayWrite(dm, b[0], &bu));
    PetscCall(DMDAVecRestoreArrayWrite(dm, b[1], &bv));
  }
  PetscCall(VecSum(mask, &painted));
  PetscCheck(PetscRealPart(painted) > 0.5, PETSC_COMM_WORLD, PETSC_ERR_ARG_WRONG, "%s has no strokes: no pixel %s", scribblesname, opacity ? "is opaque" : "differs from the grey picture");
  PetscCall(MatGetDiagonal(A, diagonal));
  PetscCall(VecAXPY(diagonal, data, mask));
  PetscCall(MatDiagonalSet(A, diagonal, INSERT_VALUES));

  PetscCall(ShiftedSolverCreate(A, 1e-6, &ksp));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " x %" PetscInt_FMT " pixels, %" PetscInt_FMT " of them in strokes\n", picture.width, picture.height, (PetscInt)(PetscRealPart(painted) + 0.5)));
  for (PetscInt c = 0; c < 2; c++) {
    PetscInt its;

    PetscCall(KSPSolve(ksp, b[c], u[c]));
    PetscCall(KSPGetIterationNumber(ksp, &its));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%c: iterations %" PetscInt_FMT "\n", "UV"[c], its));
  }

  /* Luminance of the shrunk picture, then from U and V to blue, red and, last, green */
  for (PetscInt c = 0; c < 3; c++) PetscCall(PictureGetVec(&picture, c, dm, rgb[c]));
  PetscCall(VecCopy(rgb[0], y));
  PetscCall(VecScale(y, Red));
  PetscCall(VecAXPY(y, Green, rgb[1]));
  PetscCall(VecAXPY(y, Blue, rgb[2]));
  if (channels >= 3) {
    PetscReal before = 0.0, after = 0.0, norm;

    for (PetscInt c = 0; c < 2; c++) {
      Vec             truth = b[c];
      const PetscReal scale = c ? ScaleV : ScaleU;

      PetscCall(VecWAXPY(truth, -1.0, y, rgb[c ? 0 : 2]));
      PetscCall(VecScale(truth, scale));
      PetscCall(VecNorm(truth, NORM_2, &norm));
      before += norm * norm;
      PetscCall(VecAXPY(truth, -1.0, u[c]));
      PetscCall(VecNorm(truth, NORM_2, &norm));
      after += norm * norm;
    }
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "error of the colours: %.1f %% of that of the grey picture\n", (double)(before > 0.0 ? 100.0 * PetscSqrtReal(after / before) : 0.0)));
  }
  PetscCall(VecWAXPY(rgb[2], 1.0 / ScaleU, u[0], y));
  PetscCall(VecWAXPY(rgb[0], 1.0 / ScaleV, u[1], y));
  PetscCall(VecCopy(y, rgb[1]));
  PetscCall(VecAXPY(rgb[1], -Red, rgb[0]));
  PetscCall(VecAXPY(rgb[1], -Blue, rgb[2]));
  PetscCall(VecScale(rgb[1], 1.0 / Green));
  for (PetscInt c = 0; c < 3; c++) PetscCall(PictureSetVec(&picture, c, dm, rgb[c], 0.0, 1.0));
  PetscCall(PictureWrite(PETSC_COMM_WORLD, colouredname, &picture));
  for (PetscInt c = 0; c < 3; c++) PetscCall(PictureSetVec(&picture, c, dm, y, 0.0, 1.0));
  PetscCall(PictureWrite(PETSC_COMM_WORLD, greyname, &picture));

  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&y));
  PetscCall(VecDestroy(&mask));
  PetscCall(VecDestroy(&diagonal));
  for (PetscInt c = 0; c < 3; c++) PetscCall(VecDestroy(&rgb[c]));
  for (PetscInt c = 0; c < 2; c++) {
    PetscCall(VecDestroy(&u[c]));
    PetscCall(VecDestroy(&b[c]));
  }
  PetscCall(DMDestroy(&dm));
  PetscCall(PictureDestroy(&full));
  PetscCall(PictureDestroy(&picture));
  PetscCall(PictureDestroy(&scribbles));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    args: -shrink 4 -malloc_dump
    filter: sed -E -e "s/iterations [0-9]?[0-9]$/iterations under 100/"
    test:
      suffix: coffee
      nsize: {{1 2}}
      args: -pc_type gamg
    test:
      suffix: made
      args: -make_scribbles scribbles.png -strokes 400 -pc_type {{icc cholesky}}

TEST*/
