#!/usr/bin/env bash
# What hsc says to wrong inputs, against output/hsc_bad.out.
# Usage: hsc_bad.sh PROGRAM OPTIONS...; PROGRAM is the built ex4.cxx, the options come in front of those of each input and change nothing of what is said.
# With PETLAP_UPDATE=1 in the environment the expected output is replaced: read the change before you keep it.
program=$1
shift
options=$*
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# try NAME OPTIONS...
try() {
  local name=$1
  shift
  echo "$name: -n 10,9 -pc_hsc_direct_size 10 $options $*"
}

# One process, as a start of MPI takes longer than all of these
{
  try "nothing wrong"
  try "NaN" -wrong nan
  try "NaN off the diagonal" -wrong nan_off
  try "NaN, error wanted" -wrong nan -ksp_error_if_not_converged
  try "NaN off the diagonal, error wanted" -wrong nan_off -ksp_error_if_not_converged
  try "Inf" -wrong inf
  try "Inf off the diagonal" -wrong inf_off
  try "NaN in the right-hand side" -wrong rhs_nan
  try "pattern not symmetric" -wrong pattern
  try "pattern not symmetric, lower part" -wrong pattern_lower
  try "values not symmetric" -wrong values
  try "values not symmetric, symmetrized" -wrong values -pc_hsc_symmetrize -ksp_type gmres
  try "pattern not symmetric, symmetrized" -wrong pattern -pc_hsc_symmetrize -ksp_type gmres
  try "empty row whose column is not" -wrong empty_row
  try "rectangle" -wrong rectangle
  try "shell" -wrong shell
  try "columns not in order" -wrong unsorted
  try "not assembled" -wrong unassembled
  try "zero on the diagonal" -wrong zero_diagonal
  try "negative on the diagonal" -wrong negative_diagonal
  try "positive on the diagonal of a negative matrix" -wrong mixed_diagonal
  try "rows scaled" -wrong rows_scaled
  try "indefinite" -wrong indefinite
  try "indefinite, cg" -wrong indefinite -ksp_type cg
  try "all entries zero" -wrong zero
  try "two huge entries" -wrong huge
  try "singular, right-hand side without a solution" -boundary neumann -ksp_max_it 50
  try "blocks with positive entries" -wrong blocks
  try "positive entries refused" -wrong positive -pc_hsc_positive error
  try "positive entries" -wrong positive
  try "no such smoother" -pc_hsc_smoother sor
  try "smoother by a wrong number" -wrong smoother_number
  try "no such backend" -pc_hsc_backend gpu
  try "no such cycle" -pc_hsc_cycle f
  try "no such coloring" -pc_hsc_coloring random
  try "no such precision" -pc_hsc_precision half
  try "no such order" -pc_hsc_reorder rcm
  try "no such rule for positive entries" -pc_hsc_positive keep
  try "no such reuse" -pc_hsc_reuse some
  try "no such symmetry" -pc_hsc_symmetric maybe
  try "no damping" -pc_hsc_omega 0
  try "damping too strong" -pc_hsc_omega 3
  try "negative sweeps" -pc_hsc_pre -1
  try "many sweeps" -pc_hsc_post 100000
  try "negative theta" -pc_hsc_theta -0.5
  try "negative theta of the finest level" -pc_hsc_theta_finest -0.5
  try "negative degree" -pc_hsc_dmin -1
  try "negative direct size" -pc_hsc_direct_size -1
  try "no direct size" -pc_hsc_direct_size 0
  try "huge direct size" -pc_hsc_direct_size 100000000
  try "negative levels" -pc_hsc_max_levels -1
  try "no levels" -pc_hsc_max_levels 0
  try "levels too few" -n 200,200 -pc_hsc_max_levels 0
  try "negative shift" -pc_hsc_shift -1
  try "shift that is not a number" -wrong shift_scalar_nan
  try "vector of shifts" -wrong shift
  try "negative vector of shifts" -wrong shift_negative
  try "vector of shifts with NaN" -wrong shift_nan
  try "vector of shifts with Inf" -wrong shift_inf
  try "vector of shifts of another size" -wrong shift_size
  try "vector of shifts of another size, before the matrix" -wrong shift_size_early
  try "geometry without coordinates" -pc_hsc_geometry
  try "geometry" -wrong coords -pc_hsc_geometry
  try "coordinates off the lattice" -wrong coords_off -pc_hsc_geometry
  try "coordinates that are not numbers" -wrong coords_nan -pc_hsc_geometry
  try "coordinates in space" -wrong coords_space -pc_hsc_geometry
  try "too few coordinates" -wrong coords_few -pc_hsc_geometry
  try "DMDA with two unknowns at a point" -wrong dmda -pc_hsc_geometry
} >"$work/cases"
timeout 300 "$program" -cases "$work/cases" >"$work/output" 2>"$work/stderr"
status=$?
if [ $status -ne 0 ] || grep -E 'runtime error|Sanitizer|Caught signal' "$work/stderr"; then
  echo "exit status $status"
  tail -n 3 "$work/output"
  head -n 20 "$work/stderr"
  exit 1
fi
# Versions of PETSc write a wrong value with and without quotes, and a blank after the last right one or not
sed -Ei -e 's/Unknown option "([^"]*)"/Unknown option \1/' -e '/Available options/s/ +$//' "$work/output"
# PETSc's fcg of 3.18 does not see that a matrix is indefinite, newer ones do
# Which limit is met first depends on the smoother
sed -i 's/^two huge entries: DIVERGED_.*/two huge entries: DIVERGED/' "$work/output"
sed -i 's/^indefinite: DIVERGED_INDEFINITE_MAT$/indefinite: CONVERGED_RTOL/' "$work/output"
if [ -n "${PETLAP_UPDATE:-}" ]; then cp "$work/output" "$here/output/hsc_bad.out"; fi
diff "$here/output/hsc_bad.out" "$work/output" && echo "ok $(grep -c '^[^ ]' "$work/output") inputs"
