#!/usr/bin/env bash
# Solves the real systems of share/petlap/data with several combinations of types, prints a table and draws a picture.
# BUILD names the build folder (default build); the picture goes to $BUILD/demo.png.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$root/$build ;; esac
solve=$build/bin/solve
data=$root/share/petlap/data
common="-report -ksp_rtol 1e-8 -ksp_max_it 3000 -ksp_norm_type unpreconditioned"
# Small systems gain nothing from several BLAS threads
export OPENBLAS_NUM_THREADS=1
failed=0

value() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" <<<"$line"; }

# row SYSTEM OPTIONS...: one solve, one line
row() {
  local file=$1
  shift
  line=$("$solve" -f "$data/$file.h5" $common "$@" 2>"$build/demo.err" | grep '^n=')
  if [ -z "$line" ]; then
    printf '%-34s %s\n' "$file" "failed:"
    cat "$build/demo.err"
    failed=1
    return
  fi
  case $(value reason) in CONVERGED*) ;; *) failed=1 ;; esac
  printf '%-34s %7s  %-7s %-8s %5s  %-17s %9s %9s %8s\n' "$file" "$(value n)" "$(value ksp)" "$(value pc)" "$(value iterations)" "$(value reason)" "$(value true_relative_residual)" "$(value setup_seconds)" "$(value solve_seconds)"
}

printf '%-34s %7s  %-7s %-8s %5s  %-17s %9s %9s %8s\n' system n ksp pc its reason residual 'set-up s' 'solve s'
for system in epd_coffee_97x65_lam1 color_sym_chelsea_65x65 darcy_coins_65x65_c10000 aniso_dir_brick_65x65 aniso_par_brick_65x65 fluid_dampillars_64x64x64_f45 fluid_smokeopen_solid_32x48x32_f25; do
  row $system -ksp_type fcg -ksp_fcg_mmax 1 -pc_type hsc
  row $system -ksp_type psdo -pc_type icc
  row $system -ksp_type psdo -pc_type gamg
  row $system -ksp_type cg -pc_type icc
  row $system -ksp_type cg -pc_type gamg
done
# Singular: solve finds the constants and attaches them as null space
row fluid_smoke_solid_32x48x32_f25 -ksp_type fcg -ksp_fcg_mmax 1 -pc_type hsc
row fluid_smoke_solid_32x48x32_f25 -ksp_type psdo -pc_type icc -ksp_psdo_mmax 4
# psdo is for Hermitian definite matrices; the others have their own methods
row color_row_chelsea_65x65 -ksp_type gmres -pc_type ilu -ksp_pc_side right
row deconv_uniform_camera_65x65 -ksp_type preonly -pc_type lu -ksp_norm_type none
row helmholtz_moon_81x49_k2_0.25 -ksp_type preonly -pc_type lu -ksp_norm_type none
# Direct along the grid: Cholesky for symmetric matrices, definite or not, and LU for the others
echo 'with -pc_factor_mat_solver_type schwarzschur:'
for system in epd_coffee_97x65_lam1 color_sym_chelsea_65x65 darcy_coins_65x65_c10000 aniso_dir_brick_65x65 aniso_par_brick_65x65 helmholtz_moon_81x49_k2_0.25; do
  row $system -ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type schwarzschur -ksp_norm_type none
done
for system in color_row_chelsea_65x65 deconv_uniform_camera_65x65; do
  row $system -ksp_type preonly -pc_type lu -pc_factor_mat_solver_type schwarzschur -ksp_norm_type none
done

if "$solve" -f "$data/epd_coffee_97x65_lam1.h5" -ksp_type psdo -pc_type hsc -ksp_rtol 1e-8 -plot "$build/demo.png"; then
  echo "Residual history and solution of epd_coffee_97x65_lam1: $build/demo.png"
else
  failed=1
fi
exit $failed
