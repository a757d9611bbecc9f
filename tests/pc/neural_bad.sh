#!/usr/bin/env bash
# What PCNEURAL says to wrong inputs, against output/neural_bad.out.
# Usage: neural_bad.sh PROGRAM WEIGHTS; PROGRAM is the built neural2.cxx, WEIGHTS the folder of the weight files.
# With PETLAP_UPDATE=1 in the environment the expected output is replaced: read the change before you keep it.
program=$1
weights=$2
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

head -c 5000 "$weights/poisson2d.h5" >"$work/short.h5"
head -c 3000 "$here/neural_bad.sh" >"$work/text.h5"

# try NAME OPTIONS...
try() {
  local name=$1
  shift
  echo "$name: -pc_neural_weights $weights/poisson2d.h5 $*"
}

# One process, as a start of MPI takes longer than all of these
{
  try "nothing wrong"
  try "analytic weights" -pc_neural_weights analytic
  try "singular box" -wrong box
  try "negative matrix" -wrong negative
  try "rows of fluid with their image" -wrong fluid_image
  try "image" -wrong image
  try "image and a matrix that cannot be read" -wrong shell_image
  try "rows of fluid without an image" -wrong fluid_only
  try "rows of fluid with another image" -wrong fluid_missing
  try "no grid" -wrong no_grid
  try "grid of a line" -wrong line
  try "two unknowns in a cell" -wrong dof
  try "periodic grid" -wrong periodic
  try "NaN" -wrong nan
  try "NaN off the diagonal" -wrong nan_off
  try "NaN, error wanted" -wrong nan -ksp_error_if_not_converged
  try "Inf" -wrong inf
  try "NaN in the right-hand side" -wrong rhs_nan
  try "entry far away" -wrong far
  try "entry at a corner" -wrong corner
  try "positive entry" -wrong positive
  try "zero on the diagonal" -wrong zero_diagonal
  try "diagonal between whole numbers" -wrong fraction
  try "rows that contradict each other" -wrong contradiction
  try "diagonal matrix" -wrong diagonal
  try "rectangle" -wrong rectangle
  try "not assembled" -wrong unassembled
  try "shell" -wrong shell
  try "label that is none" -wrong image_number
  try "label that is no number" -wrong image_nan
  try "image without fluid" -wrong image_dry
  try "image of another domain" -wrong image_other
  try "walls in place of air" -wrong image_walls
  try "one wall in place of air" -wrong image_wall
  try "rows of fluid, walls in place of air" -wrong fluid_walls
  try "rows of fluid, one wall in place of air" -wrong fluid_wall
  try "rows of fluid, another cell of it" -wrong fluid_moved
  try "rows of fluid, the image higher" -wrong fluid_risen
  try "labels of another size" -wrong image_size
  try "image of another grid" -wrong image_grid
  try "DMDA without labels" -wrong half_image
  try "parameters before set-up" -wrong early
  try "negative levels" -pc_neural_levels -1
  try "many levels" -pc_neural_levels 25
  try "more levels than cells" -pc_neural_levels 24
  try "two levels" -pc_neural_levels 2
  try "no such mask" -pc_neural_mask solid
  try "mask by a wrong number" -wrong mask_number
  try "no such scaling" -pc_neural_scaling row
  try "scaling by a wrong number" -wrong scaling_number
  try "no such backend" -pc_neural_backend gpu
  try "backend by a wrong number" -wrong backend_number
  try "no such precision" -pc_neural_precision half
  try "precision by a wrong number" -wrong precision_number
  try "double precision" -pc_neural_precision double
  try "a method that needs a linear map" -ksp_type gmres -ksp_rtol 1e-12
  try "on the host" -pc_neural_backend host
  try "no such file" -pc_neural_weights "$work/none.h5"
  try "folder in place of a file" -pc_neural_weights "$work"
  try "truncated weights" -pc_neural_weights "$work/short.h5"
  try "text in place of weights" -pc_neural_weights "$work/text.h5"
  try "weights for three dimensions" -pc_neural_weights "$weights/poisson3d.h5"
  try "another file in HDF5" -pc_neural_weights "$weights/../share/petlap/data/darcy_coins_65x65_c10000.h5"
} >"$work/cases"
timeout 300 "$program" -cases "$work/cases" >"$work/output" 2>"$work/stderr"
status=$?
if [ $status -ne 0 ] || grep -E 'runtime error|Sanitizer|Caught signal' "$work/stderr"; then
  echo "exit status $status"
  tail -n 3 "$work/output"
  head -n 20 "$work/stderr"
  exit 1
fi
sed -i -e "s,$work,FOLDER,g" -e "s,$weights,WEIGHTS,g" "$work/output"
# Versions of PETSc write a wrong value with and without quotes, and a blank after the last right one or not
sed -Ei -e 's/Unknown option "([^"]*)"/Unknown option \1/' -e '/Available options/s/ +$//' "$work/output"
if [ -n "${PETLAP_UPDATE:-}" ]; then cp "$work/output" "$here/output/neural_bad.out"; fi
diff "$here/output/neural_bad.out" "$work/output" && echo "ok $(grep -c '^[^ ]' "$work/output") inputs"
