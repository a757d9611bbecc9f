static char help[] = "Puts a piece of one picture into another so that no seam is left (gradient-domain blending: Perez, Gangnet, Blake 2003). Inside the mask the differences\n\
of neighbours are those of the source, and at its rim the shades are those of the target: one Poisson equation for each channel, in the pixels of the\n\
mask alone. Writes the blended picture and one where the piece is only pasted.\n\n\
  -target <coffee.png>      the picture that is changed, an 8-bit PNG file, grey or colour\n\
  -source <coins.png>       what the piece is taken from; it gets as many channels as the target\n\
  -shrink <1>               both pictures are made smaller by this factor\n\
  -centre <0.86,0.72>       of the elliptic mask in the target, in widths and heights of it\n\
  -radii <0.105,0.18>       of the ellipse, likewise\n\
  -mask <none>              a PNG file of the size of the target, white inside, instead of the ellipse\n\
  -from <0.471,0.523>       the point of the source, in its widths and heights, that comes to -centre\n\
  -mixed                    of the differences of source and target the larger ones: what the target shows stays visible\n\
  -neumann                  all pixels of the target are unknown and its differences hold outside the mask; nothing but the mean is kept.\n\
                            This matrix is singular: direct solvers need -pc_factor_shift_type nonzero\n\
  -blended <blended.png>, -pasted <pasted.png>   what is written\n\n\
The solver is PETSc's to choose: -pc_type (hsc, gamg, hypre, icc, cholesky ...), -ksp_type, -ksp_rtol, -ksp_monitor, -ksp_view.\n\n";

#include "picture.h"
#include "shifted.h"
#include <petlap.h>

struct Scene {
  Picture    target, source;
  PetscInt   dx, dy;         /* pixel (i, j) of the target lies on (i + dx, j + dy) of the source */
  PetscBool  mixed, neumann; /* see help */
  PetscInt  *number;         /* of the unknown at a pixel of the target, or -1 */
  PetscBool *inside;         /* the mask */
  PetscInt   n;              /* unknowns */
};

static PetscReal Shade(const Picture *picture, PetscInt i, PetscInt j, PetscInt channel)
{
  return picture->pixels[((size_t)j * picture->width + i) * picture->channels + channel] / 255.0;
}

/* The difference between two neighbours that is asked for */
static PetscReal Difference(const Scene *scene, PetscInt i, PetscInt j, PetscInt ii, PetscInt jj, PetscInt channel)
{
  const PetscReal target = Shade(&scene->target, i, j, channel) - Shade(&scene->target, ii, jj, channel);
  const PetscInt  x = i + scene->dx, y = j + scene->dy, xx = ii + scene->dx, yy = jj + scene->dy;
  PetscReal       source = 0.0;

  if (!scene->inside[(size_t)j * scene->target.width + i] && !scene->inside[(size_t)jj * scene->target.width + ii]) return target;
  if (PetscMin(x, xx) >= 0 && PetscMin(y, yy) >= 0 && PetscMax(x, xx) < scene->source.width && PetscMax(y, yy) < scene->source.height) source = Shade(&scene->source, x, y, channel) - Shade(&scene->source, xx, yy, channel);
  return scene->mixed && PetscAbsReal(target) > PetscAbsReal(source) ? target : source;
}

/* All processes have both pictures and number the unknowns in the same way, row by row */
static PetscErrorCode NumberUnknowns(Scene *scene, const char mask[], const PetscReal centre[], const PetscReal radii[])
{
  const PetscInt width = scene->target.width, height = scene->target.height;
  PetscInt       within = 0;
  Picture        white;

  PetscFunctionBeginUser;
  if (mask[0]) {
    PetscCall(PictureRead(mask, 1, &white));
    PetscCheck(white.width == width && white.height == height, PETSC_COMM_WORLD, PETSC_ERR_ARG_SIZ, "%s has %" PetscInt_FMT " x %" PetscInt_FMT " pixels and the target (after -shrink) %" PetscInt_FMT " x %" PetscInt_FMT, mask, white.width,
               white.height, width, height);
  }
  PetscCall(PetscMalloc1((size_t)width * height, &scene->number));
  PetscCall(PetscMalloc1((size_t)width * height, &scene->inside));
  scene->n = 0;
  for (PetscInt j = 0; j < height; j++) {
    for (PetscInt i = 0; i < width; i++) {
      const size_t    k = (size_t)j * width + i;
      const PetscReal x = ((i + 0.5) / width - centre[0]) / radii[0], y = ((j + 0.5) / height - centre[1]) / radii[1];

      scene->inside[k] = (mask[0] ? white.pixels[k] >= 128 : x * x + y * y < 1.0) ? PETSC_TRUE : PETSC_FALSE;
      within += scene->inside[k];
      scene->number[k] = scene->neumann || scene->inside[k] ? scene->n++ : -1;
    }
  }
  if (mask[0]) PetscCall(PictureDestroy(&white));
  PetscCheck(within > 0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "The mask has no pixels");
  /* Without a rim there is nothing to be seamless with, and only the mean can be kept */
  if (scene->n == width * height) scene->neumann = PETSC_TRUE;
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The Poisson matrix of the unknowns; what is known has gone to the right-hand sides, one for each channel */
static PetscErrorCode Assemble(const Scene *scene, Mat *A, Vec **b)
{
  const PetscInt neighbours[4][2] = {{0, -1}, {-1, 0}, {1, 0}, {0, 1}}, width = scene->target.width, height = scene->target.height;
  PetscInt       first, last;
  Vec            v;

  PetscFunctionBeginUser;
  PetscCall(MatCreate(PETSC_COMM_WORLD, A));
  PetscCall(MatSetSizes(*A, PETSC_DECIDE, PETSC_DECIDE, scene->n, scene->n));
  PetscCall(MatSetFromOptions(*A));
  PetscCall(MatSeqAIJSetPreallocation(*A, 5, nullptr));
  PetscCall(MatMPIAIJSetPreallocation(*A, 5, nullptr, 4, nullptr));
  PetscCall(MatCreateVecs(*A, nullptr, &v));
  PetscCall(VecDuplicateVecs(v, scene->target.channels, b));
  PetscCall(VecDestroy(&v));
  for (PetscInt c = 0; c < scene->target.channels; c++) PetscCall(VecZeroEntries((*b)[c]));
  PetscCall(MatGetOwnershipRange(*A, &first, &last));
  for (PetscInt j = 0; j < height; j++) {
    for (PetscInt i = 0; i < width; i++) {
      const PetscInt row = scene->number[(size_t)j * width + i];
      PetscInt       columns[5], n = 1;
      PetscScalar    entries[5];

      if (row < first || row >= last) continue;
      columns[0] = row;
      entries[0] = 0.0;
      for (PetscInt d = 0; d < 4; d++) {
        const PetscInt ii = i + neighbours[d][0], jj = j + neighbours[d][1];
        PetscInt       column;

        if (ii < 0 || ii >= width || jj < 0 || jj >= height) continue;
        column = scene->number[(size_t)jj * width + ii];
        entries[0] += 1.0;
        if (column >= 0) {
          columns[n]   = column;
          entries[n++] = -1.0;
        }
        for (PetscInt c = 0; c < scene->target.channels; c++) PetscCall(VecSetValue((*b)[c], row, Difference(scene, i, j, ii, jj, c) + (column >= 0 ? 0.0 : Shade(&scene->target, ii, jj, c)), ADD_VALUES));
      }
      PetscCall(MatSetValues(*A, 1, &row, n, columns, entries, INSERT_VALUES));
    }
  }
  for (PetscInt c = 0; c < scene->target.channels; c++) {
    PetscCall(VecAssemblyBegin((*b)[c]));
    PetscCall(VecAssemblyEnd((*b)[c]));
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatSetOption(*A, MAT_SYMMETRIC, PETSC_TRUE));
  PetscCall(MatSetOption(*A, MAT_SYMMETRY_ETERNAL, PETSC_TRUE));
  if (scene->neumann) {
    MatNullSpace constant;

    PetscCall(MatNullSpaceCreate(PETSC_COMM_WORLD, PETSC_TRUE, 0, nullptr, &constant));
    PetscCall(MatSetNullSpace(*A, constant));
    PetscCall(MatNullSpaceDestroy(&constant));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* One channel of the picture on the first process; mean is over the unknowns */
static PetscErrorCode Insert(const Scene *scene, PetscInt channel, Vec x, Picture *picture)
{
  Vec                all;
  VecScatter         scatter;
  const PetscScalar *values;
  PetscInt           n;

  PetscFunctionBeginUser;
  PetscCall(VecScatterCreateToZero(x, &scatter, &all));
  PetscCall(VecScatterBegin(scatter, x, all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterEnd(scatter, x, all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecGetLocalSize(all, &n));
  PetscCall(VecGetArrayRead(all, &values));
  for (size_t k = 0; n && k < (size_t)picture->width * picture->height; k++) {
    if (scene->number[k] >= 0) picture->pixels[k * picture->channels + channel] = (unsigned char)(255.0 * PetscMin(PetscMax(PetscRealPart(values[scene->number[k]]), 0.0), 1.0) + 0.5);
  }
  PetscCall(VecRestoreArrayRead(all, &values));
  PetscCall(VecScatterDestroy(&scatter));
  PetscCall(VecDestroy(&all));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The mean of a channel of the target over the unknowns */
static PetscReal Mean(const Scene *scene, PetscInt channel)
{
  PetscReal sum = 0.0;

  for (PetscInt j = 0; j < scene->target.height; j++) {
    for (PetscInt i = 0; i < scene->target.width; i++) {
      if (scene->number[(size_t)j * scene->target.width + i] >= 0) sum += Shade(&scene->target, i, j, channel);
    }
  }
  return sum / scene->n;
}

/* Two numbers of an option, if it is there */
static PetscErrorCode Pair(const char option[], PetscReal values[])
{
  PetscInt  n = 2;
  PetscBool set;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsGetRealArray(nullptr, nullptr, option, values, &n, &set));
  PetscCheck(!set || n == 2, PETSC_COMM_WORLD, PETSC_ERR_ARG_SIZ, "%s needs two numbers, with a comma between them", option);
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Scene     scene;
  Picture   picture;
  Mat       A;
  Vec       x, *b;
  KSP       ksp;
  PetscInt  shrink    = 1, channels;
  PetscReal centre[2] = {0.86, 0.72}, radii[2] = {0.105, 0.18}, from[2] = {0.471, 0.523};
  char      target[PETSC_MAX_PATH_LEN] = PETLAP_DATA "/images/coffee.png", source[PETSC_MAX_PATH_LEN] = PETLAP_DATA "/images/coins.png", mask[PETSC_MAX_PATH_LEN] = "";
  char      blended[PETSC_MAX_PATH_LEN] = "blended.png", pasted[PETSC_MAX_PATH_LEN] = "pasted.png";

  scene.mixed = scene.neumann = PETSC_FALSE;

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Seamless blending", nullptr);
  PetscCall(PetscOptionsString("-target", "PNG file that is changed", nullptr, target, target, sizeof(target), nullptr));
  PetscCall(PetscOptionsString("-source", "PNG file that the piece is taken from", nullptr, source, source, sizeof(source), nullptr));
  PetscCall(PetscOptionsInt("-shrink", "Factor by which the pictures are made smaller", nullptr, shrink, &shrink, nullptr));
  PetscCall(PetscOptionsString("-mask", "PNG file, white inside", nullptr, mask, mask, sizeof(mask), nullptr));
  PetscCall(PetscOptionsBool("-mixed", "Take the larger differences of both pictures", nullptr, scene.mixed, &scene.mixed, nullptr));
  PetscCall(PetscOptionsBool("-neumann", "Keep nothing but the mean of the target", nullptr, scene.neumann, &scene.neumann, nullptr));
  PetscCall(PetscOptionsString("-blended", "File for the blended picture", nullptr, blended, blended, sizeof(blended), nullptr));
  PetscCall(PetscOptionsString("-pasted", "File for the pasted picture", nullptr, pasted, pasted, sizeof(pasted), nullptr));
  PetscOptionsEnd();
  PetscCall(Pair("-centre", centre));
  PetscCall(Pair("-radii", radii));
  PetscCall(Pair("-from", from));
  PetscCheck(radii[0] > 0.0 && radii[1] > 0.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-radii %g,%g: must be positive", (double)radii[0], (double)radii[1]);
  for (PetscInt d = 0; d < 2; d++)
    PetscCheck(PetscAbsReal(centre[d]) <= 10.0 && PetscAbsReal(from[d]) <= 10.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-centre and -from are in widths and heights of the pictures: between 0 and 1 is inside, and %g and %g are not near it",
               (double)centre[d], (double)from[d]);

  PetscCall(PictureRead(target, 0, &scene.target));
  channels = scene.target.channels;
  if (channels % 2 == 0) {
    PetscCall(PictureDestroy(&scene.target));
    PetscCall(PictureRead(target, --channels, &scene.target));
  }
  PetscCall(PictureRead(source, channels, &scene.source));
  PetscCall(PictureShrink(shrink, &scene.target));
  PetscCall(PictureShrink(shrink, &scene.source));
  scene.dx = (PetscInt)PetscFloorReal(from[0] * scene.source.width) - (PetscInt)PetscFloorReal(centre[0] * scene.target.width);
  scene.dy = (PetscInt)PetscFloorReal(from[1] * scene.source.height) - (PetscInt)PetscFloorReal(centre[1] * scene.target.height);
  PetscCall(NumberUnknowns(&scene, mask, centre, radii));

  PetscCall(PictureCreate(scene.target.width, scene.target.height, channels, &picture));
  for (PetscInt j = 0; j < picture.height; j++) {
    for (PetscInt i = 0; i < picture.width; i++) {
      const size_t    k = (size_t)j * picture.width + i;
      const PetscInt  x = i + scene.dx, y = j + scene.dy;
      const PetscBool take = scene.inside[k] && x >= 0 && x < scene.source.width && y >= 0 && y < scene.source.height ? PETSC_TRUE : PETSC_FALSE;

      for (PetscInt c = 0; c < channels; c++) picture.pixels[k * channels + c] = take ? scene.source.pixels[((size_t)y * scene.source.width + x) * channels + c] : scene.target.pixels[k * channels + c];
    }
  }
  PetscCall(PictureWrite(PETSC_COMM_WORLD, pasted, &picture));

  for (size_t k = 0; k < (size_t)picture.width * picture.height * channels; k++) picture.pixels[k] = scene.target.pixels[k];
  PetscCall(Assemble(&scene, &A, &b));
  PetscCall(VecDuplicate(b[0], &x));
  PetscCall(ShiftedSolverCreate(A, 1e-6, &ksp));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " x %" PetscInt_FMT " pixels, %" PetscInt_FMT " unknowns for each of %" PetscInt_FMT " channel%s%s\n", picture.width, picture.height, scene.n, channels, channels > 1 ? "s" : "",
                        scene.neumann ? ", singular" : ""));
  for (PetscInt c = 0; c < channels; c++) {
    PetscInt    its;
    PetscReal   low, high;
    PetscScalar sum;

    PetscCall(KSPSolve(ksp, b[c], x));
    PetscCall(KSPGetIterationNumber(ksp, &its));
    PetscCall(VecSum(x, &sum));
    if (scene.neumann) PetscCall(VecShift(x, Mean(&scene, c) - sum / scene.n));
    PetscCall(VecSum(x, &sum));
    PetscCall(VecMin(x, nullptr, &low));
    PetscCall(VecMax(x, nullptr, &high));
    PetscCall(Insert(&scene, c, x, &picture));
    PetscCall(
      PetscPrintf(PETSC_COMM_WORLD, "channel %" PetscInt_FMT ": iterations %" PetscInt_FMT ", mean %.3f where it was %.3f, from %.2f to %.2f\n", c, its, (double)PetscRealPart(sum / scene.n), (double)Mean(&scene, c), (double)low, (double)high));
  }
  PetscCall(PictureWrite(PETSC_COMM_WORLD, blended, &picture));

  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroyVecs(channels, &b));
  PetscCall(PetscFree(scene.number));
  PetscCall(PetscFree(scene.inside));
  PetscCall(PictureDestroy(&picture));
  PetscCall(PictureDestroy(&scene.target));
  PetscCall(PictureDestroy(&scene.source));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    args: -shrink 4 -malloc_dump
    filter: sed -E -e "s/iterations [0-9]?[0-9],/iterations under 100,/"
    test:
      suffix: colour
      nsize: {{1 2}}
      args: -pc_type gamg
    test:
      suffix: mixed
      args: -target ${PETLAP_DATA}/images/brick.png -mixed -centre 0.1,0.3 -radii 0.3,0.3 -pc_type {{gamg cholesky}}
    test:
      suffix: neumann
      nsize: {{1 2}}
      args: -target ${PETLAP_DATA}/images/brick.png -source ${PETLAP_DATA}/images/moon.png -neumann -centre 0.5,0.5 -radii 0.3,0.3 -from 0.5,0.5 -pc_type gamg

TEST*/
