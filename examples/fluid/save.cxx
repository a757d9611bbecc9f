#include "fluid.h"
#if defined(FLUID_HAVE_HDF5)
  #include <cstdint>
  #include <hdf5.h>
  #include <vector>
#endif

#if defined(FLUID_HAVE_HDF5)
static bool WriteData(hid_t where, const char name[], hid_t type, std::vector<hsize_t> shape, const void *data)
{
  const hid_t space = H5Screate_simple((int)shape.size(), shape.data(), nullptr), set = H5Dcreate2(where, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  bool        ok = set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;

  if (set >= 0) H5Dclose(set);
  if (space >= 0) H5Sclose(space);
  return ok;
}

static bool WriteNumber(hid_t where, const char name[], int64_t number)
{
  const hid_t space = H5Screate(H5S_SCALAR), set = H5Acreate2(where, name, H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT);
  bool        ok = set >= 0 && H5Awrite(set, H5T_NATIVE_INT64, &number) >= 0;

  if (set >= 0) H5Aclose(set);
  if (space >= 0) H5Sclose(space);
  return ok;
}

/* A matrix that is symmetric has the same rows and columns, and the labels are all that there is to know about this one */
static bool WriteSystem(const char filename[], const Pressure *pressure, const PetscReal labels[], const PetscReal b[])
{
  const Grid                *grid      = pressure->grid;
  const PetscReal            scale     = pressure->scale;
  const int64_t              stride[3] = {1, grid->n[0], (int64_t)grid->n[0] * grid->n[1]}, cells = stride[2] * grid->n[2];
  const unsigned char        flag[3] = {3, 2, 1};
  std::vector<int64_t>       number(cells, -1), ir, jc(1, 0), dims;
  std::vector<double>        data, rhs;
  std::vector<unsigned char> flags(cells);
  std::vector<hsize_t>       shape;
  int64_t                    n = 0;

  for (int64_t i = 0; i < cells; i++) {
    flags[i] = flag[(int)labels[i]];
    if ((int)labels[i] == CELL_FLUID) number[i] = n++;
  }
  for (int64_t i = 0; i < cells; i++) {
    const int64_t p[3]     = {i % grid->n[0], i / stride[1] % grid->n[1], i / stride[2]};
    size_t        where    = 0;
    double        diagonal = 0.0;

    if (number[i] < 0) continue;
    /* In the order of the numbers: axes backwards below the diagonal, forwards above it */
    for (int step = 0; step < 2 * grid->dim; step++) {
      const int     axis = step < grid->dim ? grid->dim - 1 - step : step - (int)grid->dim, side = step < grid->dim ? -1 : 1;
      const int64_t q = p[axis] + side;

      if (step == grid->dim) {
        where = data.size();
        ir.push_back(number[i]);
        data.push_back(0.0);
      }
      if (q < 0 || q >= grid->n[axis] || (int)labels[i + side * stride[axis]] == CELL_SOLID) continue;
      diagonal += scale;
      if (number[i + side * stride[axis]] < 0) continue;
      ir.push_back(number[i + side * stride[axis]]);
      data.push_back(-scale);
    }
    data[where] = diagonal;
    jc.push_back((int64_t)data.size());
    rhs.push_back(b[i]);
  }
  for (int d = (int)grid->dim - 1; d >= 0; d--) {
    dims.push_back(grid->n[d]);
    shape.push_back((hsize_t)grid->n[d]);
  }

  const hid_t file  = H5Fcreate(filename, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t group = file >= 0 ? H5Gcreate2(file, "A", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT) : -1;
  bool        ok    = group >= 0 && WriteNumber(group, "MATLAB_sparse", n) && WriteData(group, "data", H5T_NATIVE_DOUBLE, {data.size()}, data.data());

  ok = ok && WriteData(group, "ir", H5T_NATIVE_INT64, {ir.size()}, ir.data()) && WriteData(group, "jc", H5T_NATIVE_INT64, {jc.size()}, jc.data());
  ok = ok && WriteData(file, "b", H5T_NATIVE_DOUBLE, {rhs.size()}, rhs.data()) && WriteData(file, "griddims", H5T_NATIVE_INT64, {dims.size()}, dims.data());
  ok = ok && WriteData(file, "flags", H5T_NATIVE_UCHAR, shape, flags.data());
  ok = ok && WriteNumber(file, "symmetric", 1) && WriteNumber(file, "m_matrix", 1) && WriteNumber(file, "singular", pressure->closed > 0);
  if (group >= 0) ok = H5Gclose(group) >= 0 && ok;
  if (file >= 0) ok = H5Fclose(file) >= 0 && ok;
  return ok;
}
#endif

PetscErrorCode PressureSave(Pressure *pressure, const char filename[])
{
  PetscFunctionBeginUser;
#if defined(FLUID_HAVE_HDF5)
  PetscReal *labels, *b;
  int        ok = 1;

  PetscCheck(pressure->fluid > 0, PETSC_COMM_WORLD, PETSC_ERR_ARG_WRONGSTATE, "%s: there is no fluid, hence no system to save", filename);
  PetscCall(GridGather(pressure->grid->pressure, pressure->labels, &labels));
  PetscCall(GridGather(pressure->grid->pressure, pressure->b, &b));
  if (labels) ok = WriteSystem(filename, pressure, labels, b);
  PetscCallMPI(MPI_Bcast(&ok, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  PetscCheck(ok, PETSC_COMM_WORLD, PETSC_ERR_FILE_WRITE, "%s cannot be written: is there such a folder, and room?", filename);
  PetscCall(PetscFree(labels));
  PetscCall(PetscFree(b));
#else
  (void)pressure;
  SETERRQ(PETSC_COMM_WORLD, PETSC_ERR_SUP_SYS, "%s cannot be written: this PETSc was built without HDF5", filename);
#endif
  PetscFunctionReturn((PetscErrorCode)0);
}
