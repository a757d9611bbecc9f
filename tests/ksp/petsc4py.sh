#!/usr/bin/env bash
# A petsc4py script that knows nothing of petlap.
# Usage: petsc4py.sh LIBRARY PYTHON VERSION SCALAR [LIBRARY TO PRELOAD]
# VERSION (3.18) and SCALAR (real or complex) are those of the PETSc that the library was built for; the sanitizers want to be loaded first.
. "$(dirname "$0")/../check.sh"
library=$1 python=$2 version=$3 scalar=$4
script=$(dirname "$0")/petsc4py_poisson.py
if ! "$python" -c 'import petsc4py' 2>/dev/null; then
  echo "skipped: petsc4py is missing (Debian: apt-get install python3-petsc4py-real)"
  exit 77
fi
unset PETSC_OPTIONS
has=$("$python" -c 'from petsc4py import PETSc; import numpy; print("%d.%d" % PETSc.Sys.getVersion()[:2], "complex" if numpy.issubdtype(PETSc.ScalarType, numpy.complexfloating) else "real")')
[ -z "$5" ] || export LD_PRELOAD=$5
if [ "$has" != "$version $scalar" ]; then
  check "a petsc4py of PETSc $has refuses a library for $version $scalar" fails 'was (built|compiled) for' "$python" "$script" -dll_append "$library" -ksp_type psdo
  finish
fi
check "-dll_append on the command line" 0 '^psdo converged: True' "$python" "$script" -dll_append "$library" -ksp_type psdo -pc_type icc
check "PETSC_OPTIONS" 0 '^psdo converged: True' env PETSC_OPTIONS="-dll_append $library" "$python" "$script" -ksp_type psdo -ksp_psdo_mmax 5
check "schwarzschur" 0 '^preonly converged: True' "$python" "$script" -dll_append "$library" -ksp_type preonly -pc_type lu -pc_factor_mat_solver_type schwarzschur
check "without the plug-in" fails 'psdo' "$python" "$script" -ksp_type psdo
finish
