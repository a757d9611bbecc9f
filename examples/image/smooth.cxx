static char help[] = "Takes a picture apart into layers, from fine detail to what is left when everything between the edges is flat, and puts it together again\n\
with the details made stronger (edge-preserving decomposition: Farbman, Fattal, Lischinski, Szeliski 2008). A layer of scale lambda minimises\n\
the sum of (x - picture)^2 and of lambda times (difference of neighbours)^2 / (|difference of log luminance|^alpha + epsilon). That is (t + L) x = t picture\n\
with t = 1 / lambda: one matrix, of which only the diagonal changes from scale to scale, which is an update for hsc and a new set-up for others.\n\
Writes PREFIX_1.png, ... (smoothed), PREFIX_detail_1.png, ... (what went, grey is nothing) and PREFIX_enhanced.png.\n\n\
  -image <coffee.png>         an 8-bit PNG file, grey or colour\n\
  -shrink <1>                 the picture is made smaller by this factor\n\
  -lambda <0.1,0.8,6.4>       the scales, fine to coarse: larger is smoother\n\
  -boost <2,1.5,1.2>          what the details of each scale are multiplied by; scales without a number keep the last one\n\
  -alpha <1.2>                how much an edge stops the smoothing\n\
  -epsilon <1e-4>             differences of less than about epsilon^(1 / alpha) count as flat\n\
  -prefix <smooth>            how the names of the files begin\n\n\
The solver is PETSc's to choose: -pc_type (hsc, gamg, hypre, icc, cholesky ...), -ksp_type, -ksp_rtol, -ksp_monitor, -ksp_view.\n\n";

#include "picture.h"
#include "shifted.h"
#include <petlap.h>

#define SMOOTH_MAX_SCALES 16

static PetscReal LogLuminance(const Picture *picture, PetscInt i, PetscInt j)
{
  const unsigned char *p = picture->pixels + ((size_t)j * picture->width + i) * picture->channels;
  const PetscReal      y = picture->channels == 1 ? p[0] : 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];

  /* Black is as far from the darkest grey as that is from one that is twice as bright */
  return PetscLogReal((y + 1.0) / 256.0);
}

/* The Laplacian L, without the shift. All processes have the whole picture, so that none needs the weights of another. */
static PetscErrorCode CreateLaplacian(DM dm, const Picture *picture, PetscReal alpha, PetscReal epsilon, Mat *L)
{
  const PetscInt neighbours[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
  PetscInt       nx, ny, xs, ys, xm, ym;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetInfo(dm, nullptr, &nx, &ny, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCall(DMDAGetCorners(dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
  PetscCall(DMCreateMatrix(dm, L));
  for (PetscInt j = ys; j < ys + ym; j++) {
    for (PetscInt i = xs; i < xs + xm; i++) {
      MatStencil      row, columns[5];
      PetscScalar     entries[5];
      PetscInt        n    = 1;
      const PetscReal here = LogLuminance(picture, i, j);

      row.i      = i;
      row.j      = j;
      row.k      = 0;
      row.c      = 0;
      columns[0] = row;
      entries[0] = 0.0;
      for (PetscInt d = 0; d < 4; d++) {
        const PetscInt ii = i + neighbours[d][0], jj = j + neighbours[d][1];
        PetscReal      w;

        if (ii < 0 || ii >= nx || jj < 0 || jj >= ny) continue;
        w            = 1.0 / (PetscPowReal(PetscAbsReal(here - LogLuminance(picture, ii, jj)), alpha) + epsilon);
        columns[n]   = row;
        columns[n].i = ii;
        columns[n].j = jj;
        entries[0] += w;
        entries[n++] = -w;
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

/* Black and white are the values low and high of the vectors, one for each channel */
static PetscErrorCode Write(Picture *picture, DM dm, const Vec *channels, PetscReal low, PetscReal high, const char prefix[], const char name[], PetscInt scale)
{
  char filename[PETSC_MAX_PATH_LEN];

  PetscFunctionBeginUser;
  for (PetscInt c = 0; c < picture->channels; c++) PetscCall(PictureSetVec(picture, c, dm, channels[c], low, high));
  if (scale)
    PetscCall(PetscSNPrintf(filename, sizeof(filename), "%s_%s%" PetscInt_FMT ".png", prefix, name, scale));
  else
    PetscCall(PetscSNPrintf(filename, sizeof(filename), "%s_%s.png", prefix, name));
  PetscCall(PictureWrite(PETSC_COMM_WORLD, filename, picture));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  DM        dm;
  Mat       L;
  Vec       diagonal, b, *y, *x, *before, *enhanced;
  KSP       ksp;
  Picture   picture;
  PetscInt  shrink = 1, scales = SMOOTH_MAX_SCALES, boosts = SMOOTH_MAX_SCALES;
  PetscReal alpha = 1.2, epsilon = 1e-4, lambda[SMOOTH_MAX_SCALES], boost[SMOOTH_MAX_SCALES];
  PetscBool set;
  char      image[PETSC_MAX_PATH_LEN] = PETLAP_DATA "/images/coffee.png", prefix[PETSC_MAX_PATH_LEN] = "smooth";

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Edge-preserving decomposition", nullptr);
  PetscCall(PetscOptionsString("-image", "PNG file", nullptr, image, image, sizeof(image), nullptr));
  PetscCall(PetscOptionsInt("-shrink", "Factor by which the picture is made smaller", nullptr, shrink, &shrink, nullptr));
  PetscCall(PetscOptionsRealArray("-lambda", "The scales, fine to coarse", nullptr, lambda, &scales, &set));
  if (!set) {
    scales    = 3;
    lambda[0] = 0.1;
    lambda[1] = 0.8;
    lambda[2] = 6.4;
  }
  PetscCall(PetscOptionsRealArray("-boost", "What the details of each scale are multiplied by", nullptr, boost, &boosts, &set));
  if (!set) {
    boosts   = 3;
    boost[0] = 2.0;
    boost[1] = 1.5;
    boost[2] = 1.2;
  }
  PetscCall(PetscOptionsReal("-alpha", "How much an edge stops the smoothing", nullptr, alpha, &alpha, nullptr));
  PetscCall(PetscOptionsReal("-epsilon", "What counts as flat", nullptr, epsilon, &epsilon, nullptr));
  PetscCall(PetscOptionsString("-prefix", "How the names of the files begin", nullptr, prefix, prefix, sizeof(prefix), nullptr));
  PetscOptionsEnd();
  PetscCheck(scales >= 1 && boosts >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-lambda and -boost need at least one number each");
  for (PetscInt k = 0; k < scales; k++) PetscCheck(lambda[k] > 0.0 && lambda[k] < 1e12, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-lambda %g: must be positive, and less than 1e12", (double)lambda[k]);
  PetscCheck(alpha >= 0.0 && alpha <= 8.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-alpha %g: must be between 0 and 8", (double)alpha);
  PetscCheck(epsilon >= 1e-12, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-epsilon %g: must be at least 1e-12, or pixels of the same shade would be tied together too firmly for the arithmetic", (double)epsilon);
  for (PetscInt k = boosts; k < scales; k++) boost[k] = boost[k - 1];

  PetscCall(PictureRead(image, 0, &picture));
  if (picture.channels % 2 == 0) {
    const PetscInt channels = picture.channels - 1;

    PetscCall(PictureDestroy(&picture));
    PetscCall(PictureRead(image, channels, &picture));
  }
  PetscCall(PictureShrink(shrink, &picture));
  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_STAR, picture.width, picture.height, PETSC_DECIDE, PETSC_DECIDE, 1, 1, nullptr, nullptr, &dm));
  PetscCall(DMSetUp(dm));
  PetscCall(CreateLaplacian(dm, &picture, alpha, epsilon, &L));
  PetscCall(DMCreateGlobalVector(dm, &b));
  PetscCall(VecDuplicate(b, &diagonal));
  PetscCall(MatGetDiagonal(L, diagonal));
  PetscCall(VecDuplicateVecs(b, picture.channels, &y));
  PetscCall(VecDuplicateVecs(b, picture.channels, &x));
  PetscCall(VecDuplicateVecs(b, picture.channels, &before));
  PetscCall(VecDuplicateVecs(b, picture.channels, &enhanced));
  for (PetscInt c = 0; c < picture.channels; c++) {
    PetscCall(PictureGetVec(&picture, c, dm, y[c]));
    PetscCall(VecCopy(y[c], before[c]));
    PetscCall(VecZeroEntries(enhanced[c]));
  }

  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " x %" PetscInt_FMT " pixels, %" PetscInt_FMT " channel%s\n", picture.width, picture.height, picture.channels, picture.channels > 1 ? "s" : ""));
  PetscCall(ShiftedSolverCreate(L, 1e-6, &ksp));
  PetscCall(ShiftedSolverSetUp(ksp));
  for (PetscInt k = 0; k < scales; k++) {
    const PetscReal t    = 1.0 / lambda[k];
    PetscReal       size = 0.0;

    PetscCall(ShiftedSolverSetShift(ksp, diagonal, t, nullptr));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "lambda %g, shift %g: iterations", (double)lambda[k], (double)t));
    for (PetscInt c = 0; c < picture.channels; c++) {
      PetscInt  its;
      PetscReal norm;

      PetscCall(VecAXPBY(b, t, 0.0, y[c]));
      PetscCall(KSPSolve(ksp, b, x[c]));
      PetscCall(KSPGetIterationNumber(ksp, &its));
      PetscCall(PetscPrintf(PETSC_COMM_WORLD, " %" PetscInt_FMT, its));
      PetscCall(VecAXPY(before[c], -1.0, x[c]));
      PetscCall(VecAXPY(enhanced[c], boost[k], before[c]));
      PetscCall(VecNorm(before[c], NORM_2, &norm));
      size += norm * norm;
    }
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, ", detail %.4f\n", (double)PetscSqrtReal(size / ((PetscReal)picture.width * picture.height * picture.channels))));
    PetscCall(Write(&picture, dm, x, 0.0, 1.0, prefix, "", k + 1));
    PetscCall(Write(&picture, dm, before, -0.25, 0.25, prefix, "detail_", k + 1));
    for (PetscInt c = 0; c < picture.channels; c++) PetscCall(VecCopy(x[c], before[c]));
  }
  for (PetscInt c = 0; c < picture.channels; c++) PetscCall(VecAXPY(enhanced[c], 1.0, x[c]));
  PetscCall(Write(&picture, dm, enhanced, 0.0, 1.0, prefix, "enhanced", 0));

  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&L));
  PetscCall(VecDestroyVecs(picture.channels, &y));
  PetscCall(VecDestroyVecs(picture.channels, &x));
  PetscCall(VecDestroyVecs(picture.channels, &before));
  PetscCall(VecDestroyVecs(picture.channels, &enhanced));
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&diagonal));
  PetscCall(DMDestroy(&dm));
  PetscCall(PictureDestroy(&picture));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    args: -malloc_dump
    filter: sed -E -e "s/iterations( [0-9]?[0-9])+,/iterations under 100,/"
    test:
      suffix: colour
      nsize: {{1 2}}
      args: -shrink 4 -pc_type gamg
    test:
      suffix: grey
      args: -image ${PETLAP_DATA}/images/coins.png -shrink 3 -lambda 40,0.1 -boost 1 -alpha 1.8 -pc_type {{gamg cholesky}}

TEST*/
