#!/usr/bin/env bash
# PETSc's own tutorials, unmodified and compiled without petlap: psdo is chosen by options alone.
# Usage: tutorials.sh FOLDER MPIEXEC CONVERTER DATA
# FOLDER holds the programs; what is not there is skipped. CONVERTER writes one of the systems in DATA as a PETSc binary file.
. "$(dirname "$0")/../check.sh"
folder=$1 mpiexec=$2 converter=$3 data=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
reason='-ksp_converged_reason'

have() { [ -x "$folder/$1" ] || { echo "skipped $1: this PETSc does not have it"; return 1; }; }

if have ex2; then
  for n in $(ranks 1 2 4); do
    check "ex2 on $n processes" 0 'CONVERGED_RTOL' launch $n "$folder/ex2" -m 50 -n 50 -ksp_type psdo -pc_type bjacobi -sub_pc_type icc $reason
  done
  check "ex2 with icc" 0 'CONVERGED_RTOL' "$folder/ex2" -m 50 -n 50 -ksp_type psdo -pc_type icc $reason
  check "ex2 -ksp_view" 0 'mmax=3 previous' "$folder/ex2" -ksp_type psdo -ksp_psdo_mmax 3 -ksp_view
  check "ex2 -log_view" 0 'KSPPSDOOrtho' "$folder/ex2" -ksp_type psdo -pc_type jacobi -log_view
  check "ex2 refuses a negative mmax" fails 'cannot keep -2 directions' "$folder/ex2" -ksp_type psdo -ksp_psdo_mmax -2
  check "ex2 refuses right preconditioning" fails 'PC_RIGHT|right|RIGHT' "$folder/ex2" -ksp_type psdo -ksp_pc_side right
  for option in "-options_file petlap.petscrc" "-ksp_type psdo"; do
    printf -- '-ksp_type psdo\n-pc_type jacobi\n' >petlap.petscrc
    check "ex2 $option" 0 'type: psdo' "$folder/ex2" $option -ksp_view
  done
fi
if have ex10 && "$converter" -dir "$data" -f fluid_smokeopen_solid_32x48x32_f25.h5 -binary >/dev/null 2>&1; then
  for n in $(ranks 1 2); do
    check "ex10 reads a matrix on $n processes" 0 'CONVERGED_RTOL' launch $n "$folder/ex10" -f system.bin -ksp_type psdo -pc_type bjacobi -sub_pc_type icc $reason
  done
fi
if have ex45; then
  for n in $(ranks 1 4); do
    check "ex45 with multigrid on $n processes" 0 'CONVERGED_RTOL' launch $n "$folder/ex45" -da_grid_x 9 -da_grid_y 9 -da_grid_z 9 -ksp_type psdo -pc_type mg -pc_mg_levels 2 -mg_levels_ksp_type psdo -mg_levels_pc_type jacobi $reason
  done
fi
if have snes_ex5; then
  check "snes ex5 with psdo inside" 0 'CONVERGED_FNORM' launch 2 "$folder/snes_ex5" -da_grid_x 17 -da_grid_y 17 -par 5 -snes_converged_reason -ksp_type psdo -pc_type bjacobi
fi
if have snes_ex19; then
  # The driven cavity is nonsymmetric: psdo smooths inside a method that can solve it
  check "snes ex19 with psdo as smoother" 0 'CONVERGED' "$folder/snes_ex19" -da_refine 2 -pc_type mg -ksp_type fgmres -mg_levels_ksp_type psdo -mg_levels_ksp_max_it 2 -mg_levels_pc_type jacobi -snes_converged_reason
fi
finish
