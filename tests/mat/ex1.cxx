static char help[] = "Loads a system with PetlapLoadSystem(), in every format, and looks at what came.\n\n\
  -dir <folder>   where it lies\n\
  -f <file>       an HDF5 file\n\
  -binary         writes it as PETSc binary\n\
  -convert        writes it as PETSc binary and Matrix Market too, loads these and compares\n\n";

#include "petlap.h"
#include <petscdmda.h>
#include <petscviewer.h>

static PetscErrorCode Look(Mat A, Vec b, Vec x)
{
  DM              dm;
  MatInfo         info;
  PetscInt        n, dim, size[3], width;
  DMDAStencilType stencil;
  PetscReal       norm, anorm;

  PetscFunctionBeginUser;
  PetscCall(MatGetSize(A, &n, nullptr));
  PetscCall(MatGetInfo(A, MAT_GLOBAL_SUM, &info));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "n %" PetscInt_FMT " nnz %.0f b %s x %s", n, info.nz_used, b ? "yes" : "no", x ? "yes" : "no"));
  PetscCall(MatGetDM(A, &dm));
  if (dm) {
    PetscCall(DMDAGetInfo(dm, &dim, &size[0], &size[1], &size[2], nullptr, nullptr, nullptr, nullptr, &width, nullptr, nullptr, nullptr, &stencil));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, " grid %" PetscInt_FMT " x %" PetscInt_FMT " x %" PetscInt_FMT " %s width %" PetscInt_FMT, size[0], size[1], size[2], stencil == DMDA_STENCIL_BOX ? "box" : "star", width));
  }
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
  if (b && x) {
    Vec r;

    PetscCall(VecDuplicate(b, &r));
    PetscCall(MatMult(A, x, r));
    PetscCall(VecAXPY(r, -1.0, b));
    PetscCall(VecNorm(r, NORM_INFINITY, &norm));
    PetscCall(VecNorm(x, NORM_INFINITY, &anorm));
    norm /= anorm;
    PetscCall(MatNorm(A, NORM_INFINITY, &anorm));
    norm /= anorm;
    /* The reference solutions have 32 bits of mantissa */
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "x solves the system: %s\n", norm < 1e-9 ? "yes" : "NO"));
    PetscCall(VecDestroy(&r));
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Both act alike on a vector */
static PetscErrorCode Compare(const char what[], Mat A, Mat B)
{
  Vec       x, y, z;
  PetscReal norm, anorm;

  PetscFunctionBeginUser;
  PetscCall(MatCreateVecs(A, &x, &y));
  PetscCall(VecDuplicate(y, &z));
  PetscCall(VecSetRandom(x, nullptr));
  PetscCall(MatMult(A, x, y));
  PetscCall(MatMult(B, x, z));
  PetscCall(VecNorm(y, NORM_2, &anorm));
  PetscCall(VecAXPY(z, -1.0, y));
  PetscCall(VecNorm(z, NORM_2, &norm));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s: %s\n", what, norm <= 1e-13 * anorm ? "the same matrix" : "ANOTHER MATRIX"));
  PetscCall(VecDestroy(&x));
  PetscCall(VecDestroy(&y));
  PetscCall(VecDestroy(&z));
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode WriteMarket(const char filename[], Mat A, Vec v)
{
  FILE    *file;
  PetscInt n;

  PetscFunctionBeginUser;
  PetscCall(PetscFOpen(PETSC_COMM_WORLD, filename, "w", &file));
  if (v) {
    const PetscScalar *values;

    PetscCall(VecGetSize(v, &n));
    PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "%%%%MatrixMarket matrix array real general\n%% a vector\n%" PetscInt_FMT " 1\n", n));
    PetscCall(VecGetArrayRead(v, &values));
    for (PetscInt i = 0; i < n; i++) PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "%.17g\n", (double)PetscRealPart(values[i])));
    PetscCall(VecRestoreArrayRead(v, &values));
  } else {
    MatInfo info;

    PetscCall(MatGetSize(A, &n, nullptr));
    PetscCall(MatGetInfo(A, MAT_GLOBAL_SUM, &info));
    PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "%%%%MatrixMarket matrix coordinate real general\n\n%" PetscInt_FMT " %" PetscInt_FMT " %.0f\n", n, n, info.nz_used));
    for (PetscInt i = 0; i < n; i++) {
      const PetscInt    *columns;
      const PetscScalar *values;
      PetscInt           entries;

      PetscCall(MatGetRow(A, i, &entries, &columns, &values));
      for (PetscInt k = 0; k < entries; k++) PetscCall(PetscFPrintf(PETSC_COMM_WORLD, file, "%" PetscInt_FMT " %" PetscInt_FMT "  %.17g\n", i + 1, columns[k] + 1, (double)PetscRealPart(values[k])));
      PetscCall(MatRestoreRow(A, i, &entries, &columns, &values));
    }
  }
  PetscCall(PetscFClose(PETSC_COMM_WORLD, file));
  PetscFunctionReturn((PetscErrorCode)0);
}

int main(int argc, char **argv)
{
  Mat       A;
  Vec       b, x;
  PetscBool binary = PETSC_FALSE, convert = PETSC_FALSE;
  char      folder[PETSC_MAX_PATH_LEN] = "", name[PETSC_MAX_PATH_LEN] = "", filename[2 * PETSC_MAX_PATH_LEN];

  PetscFunctionBeginUser;
  PetscCall(PetscInitialize(&argc, &argv, nullptr, help));
  PetscCall(PetlapInitialize());
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-f", name, sizeof(name), nullptr));
  PetscCall(PetscOptionsGetString(nullptr, nullptr, "-dir", folder, sizeof(folder), nullptr));
  PetscCall(PetscSNPrintf(filename, sizeof(filename), "%s/%s", folder, name));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-binary", &binary, nullptr));
  PetscCall(PetscOptionsGetBool(nullptr, nullptr, "-convert", &convert, nullptr));
  PetscCall(PetlapLoadSystem(PETSC_COMM_WORLD, filename, &A, &b, &x));
  PetscCall(Look(A, b, x));
  if (binary || convert) {
    PetscViewer viewer;

    PetscCall(PetscViewerBinaryOpen(PETSC_COMM_WORLD, "system.bin", FILE_MODE_WRITE, &viewer));
    PetscCall(MatView(A, viewer));
    if (b) PetscCall(VecView(b, viewer));
    if (x) PetscCall(VecView(x, viewer));
    PetscCall(PetscViewerDestroy(&viewer));
  }
  if (convert) {
    Mat B;
    Vec c, y;

    PetscCall(PetlapLoadSystem(PETSC_COMM_WORLD, "system.bin", &B, &c, &y));
    PetscCall(Look(B, c, y));
    PetscCall(Compare("PETSc binary", A, B));
    PetscCall(MatDestroy(&B));
    PetscCall(VecDestroy(&c));
    PetscCall(VecDestroy(&y));
    PetscCall(WriteMarket("system.mtx", A, nullptr));
    PetscCall(WriteMarket("system_b.mtx", A, b));
    PetscCall(PetlapLoadSystem(PETSC_COMM_WORLD, "system.mtx", &B, &c, nullptr));
    PetscCall(Look(B, c, x));
    PetscCall(Compare("Matrix Market", A, B));
    PetscCall(MatDestroy(&B));
    PetscCall(VecDestroy(&c));
    /* The matrix alone */
    PetscCall(PetlapLoadSystem(PETSC_COMM_WORLD, "system.bin", &B, nullptr, nullptr));
    PetscCall(MatDestroy(&B));
  }
  PetscCall(VecDestroy(&b));
  PetscCall(VecDestroy(&x));
  PetscCall(MatDestroy(&A));
  PetscCall(PetscFinalize());
  return 0;
}

/*TEST

  build:
    requires: hdf5

  test:
    suffix: ship
    nsize: {{1 2 4}}
    args: -dir ${PETLAP_DATA} -f {{aniso_dir_brick_65x65.h5 color_row_chelsea_65x65.h5 darcy_coins_65x65_c10000.h5 epd_coffee_97x65_lam1.h5 helmholtz_moon_81x49_k2_0.25.h5 fluid_smoke_solid_32x48x32_f25.h5}separate output}

  test:
    suffix: convert
    args: -dir ${PETLAP_DATA} -f epd_coffee_97x65_lam1.h5 -convert

  test:
    suffix: sbaij
    nsize: {{1 2}}
    args: -dir ${PETLAP_DATA} -f epd_coffee_97x65_lam1.h5 -mat_type sbaij -mat_ignore_lower_triangular

  test:
    suffix: test_data
    requires: test_data
    nsize: {{1 4}}
    args: -dir ${PETLAP_TEST_DATA} -f {{blend_lemur_beach_113x73.h5 hdr_neumann_Garden_81x65.h5 mesh_cot_spot.h5 fluid_dam_spot_32x32x32_f40.h5 ss_494_bus.h5 pyamg_recirc_flow.h5}separate output}

TEST*/
