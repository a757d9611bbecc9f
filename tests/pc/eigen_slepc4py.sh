#!/usr/bin/env bash
# Eigenvectors of hsc beside LAPACK's, and SLEPc's eigensolvers that begin with hsc's initial space.
# Usage: eigen_slepc4py.sh LIBRARY PYTHON VERSION SCALAR [LIBRARY TO PRELOAD], as tests/mat/slepc4py.sh
. "$(dirname "$0")/../check.sh"
library=$1 python=$2 version=$3 scalar=$4
script=$(dirname "$0")/eigen_slepc4py.py
unset PETSC_OPTIONS
# Debian's modules stand beside SLEPc, and are found there only where its headers are installed too
for folder in /usr/lib/slepcdir/slepc"$version"/*-"$scalar"/lib/python3/dist-packages; do
  [ ! -d "$folder" ] || export PYTHONPATH=$folder${PYTHONPATH:+:$PYTHONPATH}
done
if ! has=$("$python" -c 'import slepc4py.SLEPc; from petsc4py import PETSc; import numpy; print("%d.%d" % PETSc.Sys.getVersion()[:2], "complex" if numpy.issubdtype(PETSc.ScalarType, numpy.complexfloating) else "real")' 2>/dev/null); then
  echo "skipped: slepc4py is missing (Debian: apt-get install python3-slepc4py-real)"
  exit 77
fi
if [ "$has" != "$version $scalar" ] || [ "$scalar" != real ]; then
  echo "skipped: the slepc4py here is for PETSc $has"
  exit 77
fi
[ -z "$5" ] || export LD_PRELOAD=$5
for kind in graph torus; do
  run=("$python" "$script" "$library" "$kind" -dll_append "$library")
  check "$kind: values of LAPACK" 0 "^LAPACK's eigenvalues: True" "${run[@]}"
  check "$kind: LOBPCG" 0 '^lobpcg: right True, hardly more iterations from the initial space: True' "${run[@]}"
  check "$kind: generalized Davidson" 0 '^gd: right True, hardly more iterations from the initial space: True' "${run[@]}"
done
finish
