#!/usr/bin/env bash
# What the example solve does with wrong input, and what it leaves in its files.
# Usage: solve.sh PROGRAM DATA MPIEXEC PYTHON
. "$(dirname "$0")/../check.sh"
solve=$1 data=$2 mpiexec=$3 python=$4
good=$data/epd_coffee_97x65_lam1.h5
psdo="-ksp_type psdo -pc_type jacobi -malloc_dump -error_output_stdout"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check "no file named" fails 'Name the file with the system: -f FILE' "$solve" $psdo
check "missing file" fails 'missing.h5 cannot be opened: No such file' "$solve" -f "$work/missing.h5" $psdo
check "a folder" fails 'Is a directory|in no format|empty' "$solve" -f "$work" $psdo
head -c 20000 "$good" >"$work/truncated.h5"
check "truncated file" fails 'cannot be opened as HDF5: truncated file' "$solve" -f "$work/truncated.h5" $psdo
check "truncated file on 4 processes" fails 'cannot be opened as HDF5: truncated file' launch 4 "$solve" -f "$work/truncated.h5" $psdo
check "unwritable x_out" fails 'nowhere' "$solve" -f "$good" $psdo -x_out "$work/nowhere/x.h5"
check "unknown null space" fails 'nullspace' "$solve" -f "$good" $psdo -nullspace sideways
check "divergence is an exit status" fails 'solve: psdo with jacobi did not converge after 3 iterations: DIVERGED_ITS' "$solve" -f "$good" $psdo -ksp_max_it 3
check "divergence, reported" fails 'reason=DIVERGED_ITS' "$solve" -f "$good" $psdo -ksp_max_it 3 -report
check "indefinite matrix" fails 'DIVERGED' "$solve" -f "$data/helmholtz_hom_65x65_k2_0.01562.h5" $psdo -report
check "a result without a solution is told" 0 'note: .* but the true relative residual is' "$solve" -f "$good" -ksp_type preonly -pc_type jacobi
check "no gnuplot" fails 'gnuplot, which is not on the PATH' env PATH="$work" OMPI_MCA_plm_rsh_agent=/bin/false "$solve" -f "$good" $psdo -plot "$work/p.png"
if command -v gnuplot >/dev/null; then
  check "unwritable plot" fails 'gnuplot did not write' "$solve" -f "$good" $psdo -plot "$work/nowhere/p.png"
  check "plot" 0 '' "$solve" -f "$good" $psdo -plot "$work/it's a plot.png"
  check "the plot is a picture" 0 'PNG' head -c 4 "$work/it's a plot.png"
  check "plot of a direct solve" 0 '' "$solve" -f "$good" -ksp_type preonly -pc_type lu -plot "$work/direct.png"
fi
# x_out holds the solution in the file's numbering, whatever the number of processes
if "$python" -c 'import h5py' 2>/dev/null; then
  for n in $(ranks 1 3 4); do
    check "x_out on $n processes" 0 '' launch $n "$solve" -f "$good" $psdo -ksp_rtol 1e-12 -x_out "$work/x$n.h5"
    check "x_out on $n processes is right" 0 'difference small' "$python" -c "
import h5py, numpy, sys
x = h5py.File(sys.argv[1])['x'][()].ravel()
y = h5py.File(sys.argv[2])['x'][()].ravel()
# PETSc writes complex vectors as pairs
x = x[::2] if x.size == 2 * y.size else x
print(x.size, 'difference', 'small' if x.size == y.size and abs(x - y).max() < 1e-6 * abs(y).max() else 'LARGE')
" "$work/x$n.h5" "$good"
  done
  check "a solution is put back into its system" 0 '' "$python" -c "
import h5py, shutil, sys
shutil.copy(sys.argv[2], sys.argv[3])
with h5py.File(sys.argv[1]) as x, h5py.File(sys.argv[3], 'r+') as system:
    del system['x']
    x.copy('x', system)
" "$work/x$n.h5" "$good" "$work/again.h5"
  check "and read from there" 0 'error=[0-9.]+e-(0[7-9]|1)' "$solve" -f "$work/again.h5" $psdo -ksp_rtol 1e-12 -report
else
  echo "skipped x_out: h5py is missing"
fi
finish
