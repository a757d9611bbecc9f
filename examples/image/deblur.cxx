static char help[] = "Takes the blur of a rolling camera out of a picture: the kernel differs from pixel to pixel, so that no Fourier transform helps.\n\
Writes the blurred and the restored picture and says how far they are from the original.\n\n\
  -image <coffee.png>      an 8-bit PNG file, grey or colour\n\
  -shrink <1>              the picture is made smaller by this factor\n\
  -width <1>               reach of the kernel in pixels: 1 is 3x3, 2 is 5x5\n\
  -amount <0.45>           how much of a pixel goes to its neighbours at the rim of the picture, less than a half; in the middle it is nothing\n\
  -times <12>              the kernel is applied so often, and undone so often with the same factorization\n\
  -noise <0>               standard deviation of noise that is added to the blurred picture; white is 1. Each time multiplies it by up to\n\
                           1 / (1 - 2 amount), so that noisy pictures need few times\n\
  -quantize                the blurred picture is rounded to 8 bits, as in a file\n\
  -lambda <0>              for noisy pictures: least squares, with lambda times the square of the change of the picture as penalty;\n\
                           the matrix then reaches twice as far\n\
  -grey                    a colour picture is treated as a grey one\n\
  -blurred <blurred.png>, -restored <restored.png>   what is written\n\n\
The solver is PETSc's to choose: -ksp_type, -pc_type, -pc_factor_mat_solver_type.\n\n";

#include "picture.h"
#include <petlap.h>

/*
  A pixel is smeared along the circle around the middle of the picture, to both sides, over `width` pixels. Half a step is split between the two
  nearest pixels; what would come from outside comes from the pixel itself. Rows sum to 1, and since less than a half leaves the
  diagonal, the matrix is diagonally dominant and the blur can be undone.
*/
static PetscErrorCode CreateBlur(DM dm, PetscInt width, PetscReal amount, Mat *A)
{
  PetscInt  nx, ny, xs, ys, xm, ym;
  PetscReal radius;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetInfo(dm, nullptr, &nx, &ny, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCall(DMDAGetCorners(dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
  PetscCall(DMCreateMatrix(dm, A));
  radius = 0.5 * PetscSqrtReal((PetscReal)(nx * nx + ny * ny));
  for (PetscInt j = ys; j < ys + ym; j++) {
    for (PetscInt i = xs; i < xs + xm; i++) {
      const PetscReal x = i - 0.5 * (nx - 1), y = j - 0.5 * (ny - 1), distance = PetscSqrtReal(x * x + y * y), longest = PetscMax(PetscAbsReal(x), PetscAbsReal(y));
      const PetscReal leaving = amount * PetscMin(2.0 * distance / radius, 1.0);
      MatStencil      row, column;
      PetscScalar     centre = 1.0;

      row.i = i;
      row.j = j;
      row.k = row.c = 0;
      for (PetscInt step = -width; step <= width && longest > 0.0; step++) {
        /* A point of the tangent that lies on a ring of pixels, between two of them */
        const PetscReal dx = -y / longest * step, dy = x / longest * step;
        const PetscReal fx = PetscFloorReal(dx), fy = PetscFloorReal(dy);

        if (!step) continue;
        for (PetscInt corner = 0; corner < 4; corner++) {
          const PetscReal wx = corner & 1 ? dx - fx : 1.0 - (dx - fx), wy = corner & 2 ? dy - fy : 1.0 - (dy - fy);
          PetscScalar     weight = leaving / (2 * width) * wx * wy;

          column   = row;
          column.i = i + (PetscInt)fx + (corner & 1);
          column.j = j + (PetscInt)fy + (corner & 2) / 2;
          if (wx * wy == 0.0 || column.i < 0 || column.i >= nx || column.j < 0 || column.j >= ny) continue;
          centre -= weight;
          PetscCall(MatSetValuesStencil(*A, 1, &row, 1, &column, &weight, ADD_VALUES));
        }
      }
      PetscCall(MatSetValuesStencil(*A, 1, &row, 1, &row, &centre, ADD_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* lambda I + A' A, which lives on the same grid with twice the reach */
static PetscErrorCode CreateLeastSquares(DM dm, PetscInt width, Mat A, PetscReal lambda, Mat *B)
{
  PetscInt        nx, ny, px, py;
  const PetscInt *lx, *ly;
  DM              wide;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetInfo(dm, nullptr, &nx, &ny, nullptr, &px, &py, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCall(DMDAGetOwnershipRanges(dm, &lx, &ly, nullptr));
  PetscCall(DMDACreate2d(PetscObjectComm((PetscObject)dm), DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_BOX, nx, ny, px, py, 1, 2 * width, lx, ly, &wide));
  PetscCall(DMSetUp(wide));
  PetscCall(MatTransposeMatMult(A, A, MAT_INITIAL_MATRIX, PETSC_DEFAULT, B));
  PetscCall(MatShift(*B, lambda));
  PetscCall(MatSetDM(*B, wide));
  PetscCall(DMDestroy(&wide));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* The columns of a dense matrix as the channels of a picture */
static PetscErrorCode ToPicture(DM dm, Mat X, Picture *picture)
{
  Vec v;

  PetscFunctionBeginUser;
  for (PetscInt c = 0; c < picture->channels; c++) {
    Vec column;

    PetscCall(DMGetGlobalVector(dm, &v));
    PetscCall(MatDenseGetColumnVecRead(X, c, &column));
    PetscCall(VecCopy(column, v));
    PetscCall(MatDenseRestoreColumnVecRead(X, c, &column));
    PetscCall(PictureSetVec(picture, c, dm, v, 0.0, 1.0));
    PetscCall(DMRestoreGlobalVector(dm, &v));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode FromPicture(DM dm, const Picture *picture, Mat X)
{
  Vec v, column;

  PetscFunctionBeginUser;
  PetscCall(DMGetGlobalVector(dm, &v));
  for (PetscInt c = 0; c < picture->channels; c++) {
    PetscCall(PictureGetVec(picture, c, dm, v));
    PetscCall(MatDenseGetColumnVecWrite(X, c, &column));
    PetscCall(VecCopy(v, column));
    PetscCall(MatDenseRestoreColumnVecWrite(X, c, &column));
  }
  PetscCall(DMRestoreGlobalVector(dm, &v));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* What a camera adds: noise, and rounding to the 256 shades of a file */
static PetscErrorCode Degrade(DM dm, Mat X, PetscReal noise, PetscBool quantize)
{
  PetscInt     xs, ys, xm, ym, nx, nc;
  PetscScalar *array;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetInfo(dm, nullptr, &nx, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCall(DMDAGetCorners(dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
  PetscCall(MatGetSize(X, nullptr, &nc));
  for (PetscInt c = 0; c < nc; c++) {
    PetscCall(MatDenseGetColumn(X, c, &array));
    for (PetscInt k = 0; k < xm * ym; k++) {
      if (noise > 0.0) array[k] += noise * PictureNoise(((uint64_t)(ys + k / xm) * nx + xs + k % xm) * nc + c);
      if (quantize) array[k] = PetscFloorReal(255.0 * PetscMin(PetscMax(PetscRealPart(array[k]), 0.0), 1.0) + 0.5) / 255.0;
    }
    PetscCall(MatDenseRestoreColumn(X, &array));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode Report(const char what[], Mat X, Mat original)
{
  Mat       D;
  PetscInt  m, n;
  PetscReal norm, largest = 0.0;

  PetscFunctionBeginUser;
  PetscCall(MatDuplicate(X, MAT_COPY_VALUES, &D));
  PetscCall(MatAXPY(D, -1.0, original, SAME_NONZERO_PATTERN));
  PetscCall(MatGetSize(D, &m, &n));
  PetscCall(MatNorm(D, NORM_FROBENIUS, &norm));
  for (PetscInt c = 0; c < n; c++) {
    PetscReal error;
    Vec       column;

    PetscCall(MatDenseGetColumnVecRead(D, c, &column));
    PetscCall(VecNorm(column, NORM_INFINITY, &error));
    PetscCall(MatDenseRestoreColumnVecRead(D, c, &column));
    largest = PetscMax(largest, error);
  }
  PetscCall(MatDestroy(&D));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s picture: PSNR %.1f dB, largest error %.1e\n", what, (double)(norm > 0.0 ? -20.0 * PetscLog10Real(norm / PetscSqrtReal((PetscReal)m * n)) : 999.0), (double)largest));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Direct, with the solver for grids where there is one for these matrices; options may ask for anything else */
static PetscErrorCode CreateSolver(Mat A, KSP *ksp)
{
  PC        pc;
  MatType   type;
  PetscBool known;

  PetscFunctionBeginUser;
  PetscCall(KSPCreate(PetscObjectComm((PetscObject)A), ksp));
  PetscCall(KSPSetOperators(*ksp, A, A));
  PetscCall(KSPSetType(*ksp, KSPPREONLY));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(PCSetType(pc, PCLU));
  PetscCall(MatGetType(A, &type));
  PetscCall(MatSolverTypeGet("schwarzschur", type, MAT_FACTOR_LU, nullptr, &known, nullptr));
  if (known) PetscCall(PCFactorSetMatSolverType(pc, "schwarzschur"));
  PetscCall(KSPSetErrorIfNotConverged(*ksp, PETSC_TRUE));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  DM            dm;
  Mat           A, B = nullptr, original, blurred, work, rhs = nullptr;
  KSP           ksp;
  PC            pc;
  PCType        pctype;
  MatSolverType solver = nullptr;
  Picture       picture;
  PetscInt      shrink = 1, width = 1, times = 12, n;
  PetscReal     amount = 0.4, noise = 0.0, lambda = 0.0;
  PetscBool     quantize = PETSC_FALSE, grey = PETSC_FALSE;
  char          image[PETSC_MAX_PATH_LEN] = PETLAP_DATA "/images/coffee.png", blurredname[PETSC_MAX_PATH_LEN] = "blurred.png", restoredname[PETSC_MAX_PATH_LEN] = "restored.png";

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscOptionsBegin(PETSC_COMM_WORLD, nullptr, "Deblurring", nullptr);
  PetscCall(PetscOptionsString("-image", "PNG file", nullptr, image, image, sizeof(image), nullptr));
  PetscCall(PetscOptionsInt("-shrink", "Factor by which the picture is made smaller", nullptr, shrink, &shrink, nullptr));
  PetscCall(PetscOptionsInt("-width", "Reach of the kernel in pixels", nullptr, width, &width, nullptr));
  PetscCall(PetscOptionsReal("-amount", "What leaves a pixel far from the middle", nullptr, amount, &amount, nullptr));
  PetscCall(PetscOptionsInt("-times", "How often the kernel is applied", nullptr, times, &times, nullptr));
  PetscCall(PetscOptionsReal("-noise", "Standard deviation of the noise", nullptr, noise, &noise, nullptr));
  PetscCall(PetscOptionsReal("-lambda", "Weight of the square of the change", nullptr, lambda, &lambda, nullptr));
  PetscCall(PetscOptionsBool("-quantize", "Round the blurred picture to 8 bits", nullptr, quantize, &quantize, nullptr));
  PetscCall(PetscOptionsBool("-grey", "Treat the picture as a grey one", nullptr, grey, &grey, nullptr));
  PetscCall(PetscOptionsString("-blurred", "File for the blurred picture", nullptr, blurredname, blurredname, sizeof(blurredname), nullptr));
  PetscCall(PetscOptionsString("-restored", "File for the restored picture", nullptr, restoredname, restoredname, sizeof(restoredname), nullptr));
  PetscOptionsEnd();
  PetscCheck(width >= 1 && width <= 8, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-width %" PetscInt_FMT ": must be between 1 and 8", width);
  PetscCheck(amount >= 0.0 && amount < 0.5, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-amount %g: must be at least 0 and less than 0.5, or the blur may not be invertible; for more blur use -times", (double)amount);
  PetscCheck(times >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-times %" PetscInt_FMT ": must be at least 1", times);
  PetscCheck(noise >= 0.0 && lambda >= 0.0, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "-noise and -lambda must not be negative");

  PetscCall(PictureRead(image, 0, &picture));
  /* Opacity is not a brightness that a camera would smear */
  if (grey || picture.channels % 2 == 0) {
    const PetscInt channels = grey || picture.channels == 2 ? 1 : 3;

    PetscCall(PictureDestroy(&picture));
    PetscCall(PictureRead(image, channels, &picture));
  }
  PetscCall(PictureShrink(shrink, &picture));
  PetscCall(DMDACreate2d(PETSC_COMM_WORLD, DM_BOUNDARY_NONE, DM_BOUNDARY_NONE, DMDA_STENCIL_BOX, picture.width, picture.height, PETSC_DECIDE, PETSC_DECIDE, 1, width, nullptr, nullptr, &dm));
  PetscCall(DMSetUp(dm));
  PetscCall(CreateBlur(dm, width, amount, &A));
  PetscCall(MatGetLocalSize(A, &n, nullptr));
  PetscCall(MatCreateDense(PETSC_COMM_WORLD, n, PETSC_DECIDE, picture.width * picture.height, picture.channels, nullptr, &original));
  PetscCall(FromPicture(dm, &picture, original));

  PetscCall(MatDuplicate(original, MAT_COPY_VALUES, &blurred));
  for (PetscInt k = 0; k < times; k++) {
    PetscCall(MatMatMult(A, blurred, k ? MAT_REUSE_MATRIX : MAT_INITIAL_MATRIX, PETSC_DEFAULT, &work));
    PetscCall(MatCopy(work, blurred, SAME_NONZERO_PATTERN));
  }
  PetscCall(Degrade(dm, blurred, noise, quantize));
  PetscCall(ToPicture(dm, blurred, &picture));
  PetscCall(PictureWrite(PETSC_COMM_WORLD, blurredname, &picture));

  if (lambda > 0.0) PetscCall(CreateLeastSquares(dm, width, A, lambda, &B));
  PetscCall(CreateSolver(B ? B : A, &ksp));
  PetscCall(KSPSetUp(ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PCGetType(pc, &pctype));
  PetscCall(PCFactorGetMatSolverType(pc, &solver));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%" PetscInt_FMT " x %" PetscInt_FMT " pixels, %" PetscInt_FMT " right-hand side%s, %" PetscInt_FMT " time%s, by %s%s%s\n", picture.width, picture.height, picture.channels, picture.channels > 1 ? "s" : "",
                        times, times > 1 ? "s" : "", pctype, solver ? " from " : "", solver ? solver : ""));
  PetscCall(Report("blurred", blurred, original));
  for (PetscInt k = 0; k < times; k++) {
    if (B) PetscCall(MatTransposeMatMult(A, blurred, k ? MAT_REUSE_MATRIX : MAT_INITIAL_MATRIX, PETSC_DEFAULT, &rhs));
    if (B) PetscCall(MatAXPY(rhs, lambda, blurred, SAME_NONZERO_PATTERN));
    PetscCall(KSPMatSolve(ksp, B ? rhs : blurred, work));
    PetscCall(MatCopy(work, blurred, SAME_NONZERO_PATTERN));
  }
  PetscCall(Report("restored", blurred, original));
  PetscCall(ToPicture(dm, blurred, &picture));
  PetscCall(PictureWrite(PETSC_COMM_WORLD, restoredname, &picture));

  PetscCall(PictureDestroy(&picture));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&B));
  PetscCall(MatDestroy(&original));
  PetscCall(MatDestroy(&blurred));
  PetscCall(MatDestroy(&work));
  PetscCall(MatDestroy(&rhs));
  PetscCall(DMDestroy(&dm));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  testset:
    filter: sed -E -e "s/PSNR [1-9][0-9][0-9][.][0-9] dB/PSNR over 100 dB/" -e "s/error [0-9.]+e-(0[8-9]|1[0-9])/error small/"
    test:
      suffix: colour
      args: -times 1 -shrink 2 -pc_factor_mat_solver_type petsc
    test:
      suffix: width
      args: -image ${PETLAP_DATA}/images/coins.png -shrink 3 -width 2 -amount 0.45 -times 3 -pc_factor_mat_solver_type petsc
    test:
      suffix: noise
      requires: mumps
      nsize: {{1 3}}
      args: -image ${PETLAP_DATA}/images/coins.png -shrink 3 -times 2 -noise 0.003 -quantize -lambda {{0 0.03}separate output} -pc_factor_mat_solver_type mumps

TEST*/
