#!/usr/bin/env bash
# schwarzschur chosen by options alone, in PETSc's own tutorials, and what they print about it.
# Usage: schwarzschur_users.sh FOLDER MPIEXEC [SOLVE DATA]
# FOLDER holds the tutorials; what is not there is skipped. SOLVE is the example that reads the systems in DATA.
. "$(dirname "$0")/../check.sh"
folder=$1 mpiexec=$2 solve=$3 data=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
presets=$(cd "$(dirname "$0")/../../share/petlap/presets" && pwd)
cd "$work" || exit 1
lu='-pc_type lu -pc_factor_mat_solver_type schwarzschur'
direct="-ksp_type preonly $lu"

have() { [ -x "$folder/$1" ] || { echo "skipped $1: this PETSc does not have it"; return 1; }; }

# counts SYMBOLIC NUMERIC COMMAND...: how often -log_view says that was factored; NUMERIC is the least
counts() {
  local symbolic=$1 numeric=$2 output s n
  shift 2
  output=$("$@" -log_view 2>&1) || { printf '%s\n' "$output"; return 1; }
  s=$(awk '$1 == "MatSSSymbolic" { print $2 }' <<<"$output")
  n=$(awk '$1 == "MatSSNumeric" { print $2 }' <<<"$output")
  echo "symbolic factorizations ${s:-none}, numeric ones ${n:-none}"
  [ "${s:-0}" -eq "$symbolic" ] && [ "${n:-0}" -ge "$numeric" ] && awk '$1 == "MatSSSolve" { found = 1 } END { exit !found }' <<<"$output"
}

if have ex2; then
  e="$folder/ex2 -m 40 -n 30"
  check "ex2 with lu" 0 'Norm of error [0-9.]+e-1[0-9] iterations 1$' $e $direct
  check "ex2 with cholesky" 0 'Norm of error [0-9.]+e-1[0-9] iterations 1$' $e -ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type schwarzschur
  check "-ksp_view names the solver" 0 'package used to perform factorization: schwarzschur' $e $direct -ksp_view
  check "-ksp_view shows the grid" 0 'grid from sparsity: 40 x 30 points, 1 unknown each, star stencil of width 1|grid from sparsity: 30 x 40 points, 1 unknown each, star stencil of width 1' $e $direct -ksp_view
  check "-ksp_view shows the factors" 0 'factors: [0-9]+ entries, [0-9.]+ MB' $e $direct -ksp_view
  check "-ksp_view ::ascii_info_detail shows them" 0 'symbolic factorizations 1, numeric ones 1' $e $direct -ksp_view ::ascii_info_detail
  check "-ksp_view ::ascii_info_detail shows the error" 0 'backward error of the last solve that was checked [0-9.e-]+ after [0-9]+ steps' $e $direct -ksp_view ::ascii_info_detail
  check "-help says what is asked for" 0 'mat_schwarzschur_precision.*Precision of the factors' $e $direct -help
  for option in grid dof periodic topology mode precision refine threads block leaf pivot_threshold memory_limit isa; do
    check "-help knows -mat_schwarzschur_$option" 0 "-mat_schwarzschur_$option" $e $direct -help
  done
  check "-citations" 0 'wang2025schwarz' $e $direct -citations
  check "-log_view" 0 'MatSSNumeric' $e $direct -log_view
  check "-options_left" 0 'There are no unused options' $e $direct -mat_schwarzschur_refine 1 -mat_schwarzschur_grid 30,40 -options_left
  check "an option is spelt wrongly" 0 'mat_schwarzschur_refinement' $e $direct -mat_schwarzschur_refinement 1 -options_left
  check "options with a prefix" 0 'single precision' $e -ksp_type gmres -pc_type ksp -ksp_ksp_type preonly -ksp_pc_type lu -ksp_pc_factor_mat_solver_type schwarzschur -ksp_mat_schwarzschur_precision single -ksp_view
  check "one right-hand side, one factorization" 0 'symbolic factorizations 1, numeric ones 1$' counts 1 1 $e $direct
  for preset in schwarzschur schwarzschur-symmetric schwarzschur-parallel; do
    check "preset $preset" 0 'There are no unused options' $e -options_file "$presets/$preset.petscrc" -options_left
  done
  for n in $(ranks 4); do
    check "preset schwarzschur-parallel on $n processes" 0 'iterations [0-9]$|iterations [0-5][0-9]$' launch $n $e -options_file "$presets/schwarzschur-parallel.petscrc"
  done
  if [ "$mpiexec" != none ]; then
    for n in 2 3; do
      check "lu on $n processes" 0 'Norm of error [0-9.]+e-1[0-9] iterations 1$' launch $n $e $direct
      check "cholesky on $n processes" 0 'Norm of error [0-9.]+e-1[0-9] iterations 1$' launch $n $e -ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type schwarzschur
    done
    check "blocks of two processes each" 0 'iterations [0-9]+$' launch 4 $e -ksp_type gmres -pc_type bjacobi -pc_bjacobi_blocks 2 -sub_pc_type lu -sub_pc_factor_mat_solver_type schwarzschur
    check "-ksp_view shows the ranks" 0 'ranks: 3, [0-9]+ subtrees of one rank each, [0-9]+ fronts shared by several' launch 3 $e $direct -ksp_view
  fi
fi
if have ex45; then
  for n in $(ranks 1 2); do
    check "coarse level of multigrid in space on $n processes" 0 'Residual norm [0-9.]+e-|Residual norm 0' launch $n "$folder/ex45" -da_refine 1 -ksp_rtol 1e-9 -pc_type mg -pc_mg_levels 2 -mg_coarse_pc_type redundant \
      -mg_coarse_redundant_pc_type lu -mg_coarse_redundant_pc_factor_mat_solver_type schwarzschur
    check "DMDA in space on $n processes" 0 'Residual norm [0-9.]+e-1[0-9]' launch $n "$folder/ex45" -da_refine 1 $direct
  done
fi
# Newton's method factors anew in each step, along the tree of the first
if have snes_ex5; then
  check "Newton, snes ex5" 0 'symbolic factorizations 1, numeric ones [3-9]$' counts 1 3 "$folder/snes_ex5" -da_grid_x 17 -da_grid_y 17 -par 5 $direct
fi
if have snes_ex19; then
  check "Newton with 4 unknowns per point, snes ex19" 0 'symbolic factorizations 1, numeric ones [2-9]$' counts 1 2 "$folder/snes_ex19" -da_refine 1 $direct
  for n in $(ranks 2 4); do
    check "Newton with 4 unknowns per point on $n processes" 0 'symbolic factorizations 1, numeric ones [2-9]$' counts 1 2 launch $n "$folder/snes_ex19" -da_refine 1 $direct
  done
  check "the grid of snes ex19" 0 'grid from DMDA: 7 x 7 points, 4 unknowns each' "$folder/snes_ex19" -da_refine 1 $direct -ksp_view
  check "Newton with Jacobians kept for two steps" 0 'symbolic factorizations 1, ' counts 1 1 "$folder/snes_ex19" -da_refine 1 $direct -snes_lag_jacobian 2
  check "Newton with multigrid" 0 'CONVERGED' "$folder/snes_ex19" -da_refine 2 -pc_type mg -mg_coarse_pc_type lu -mg_coarse_pc_factor_mat_solver_type schwarzschur -snes_converged_reason
fi
if have ts_ex13; then
  check "implicit time steps, ts ex13" 0 'symbolic factorizations 1, ' counts 1 1 "$folder/ts_ex13" -da_grid_x 12 -da_grid_y 11 -ts_type beuler -ts_max_steps 5 $direct
fi
if [ -n "$solve" ]; then
  check "unknowns that are a part of a grid are refused" fails 'The matrix is not a stencil|fits a grid' "$solve" -f "$data/fluid_smokeopen_solid_32x48x32_f25.h5" $direct
  check "a real system" 0 'reason=CONVERGED_ITS' "$solve" -f "$data/epd_coffee_97x65_lam1.h5" $direct -report
fi
finish
