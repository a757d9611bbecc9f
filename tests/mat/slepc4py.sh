#!/usr/bin/env bash
# SLEPc's shift-and-invert with schwarzschur, from a script that knows nothing of petlap.
# Usage: slepc4py.sh LIBRARY PYTHON VERSION SCALAR [LIBRARY TO PRELOAD]
# VERSION (3.18) and SCALAR (real or complex) are those of the PETSc that the library was built for; the sanitizers want to be loaded first.
. "$(dirname "$0")/../check.sh"
library=$1 python=$2 version=$3 scalar=$4
script=$(dirname "$0")/slepc4py_laplacian.py
unset PETSC_OPTIONS
# Debian's modules stand beside SLEPc, and are found there only where its headers are installed too
for folder in /usr/lib/slepcdir/slepc"$version"/*-"$scalar"/lib/python3/dist-packages; do
  [ ! -d "$folder" ] || export PYTHONPATH=$folder${PYTHONPATH:+:$PYTHONPATH}
done
if ! has=$("$python" -c 'import slepc4py.SLEPc; from petsc4py import PETSc; import numpy; print("%d.%d" % PETSc.Sys.getVersion()[:2], "complex" if numpy.issubdtype(PETSc.ScalarType, numpy.complexfloating) else "real")' 2>/dev/null); then
  echo "skipped: slepc4py is missing (Debian: apt-get install python3-slepc4py-real)"
  exit 77
fi
if [ "$has" != "$version $scalar" ]; then
  echo "skipped: the slepc4py here is for PETSc $has"
  exit 77
fi
[ -z "$5" ] || export LD_PRELOAD=$5
run=("$python" "$script" -dll_append "$library" -st_pc_factor_mat_solver_type schwarzschur)
check "shift-and-invert with lu" 0 '^package schwarzschur eigenvalues right: True' "${run[@]}" -st_pc_type lu
check "shift-and-invert with cholesky" 0 '^package schwarzschur eigenvalues right: True' "${run[@]}" -st_pc_type cholesky
check "the grid is read off the shifted matrix" 0 'grid from sparsity: 31 x 23 points' "${run[@]}" -st_pc_type cholesky -eps_view
finish
