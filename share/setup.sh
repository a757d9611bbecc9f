#!/bin/bash
# Usage: share/setup.sh SET...   with the sets lib, demo, check, ci
# Installs what is missing for these sets with apt, and says so. Something counts as present when it can be used, however it got there, so
# this also passes on systems without apt. With PETSC_DIR set, PETSc, MPI and HDF5 are the caller's.
set -euo pipefail

own=${PETSC_DIR:+yes}
missing=()
need() { # need PACKAGE TEST...
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}
need_petsc() { [ -n "$own" ] || need "$@"; }
deb() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
# Another Python may come first in PATH; Debian's modules go to /usr/bin/python3
module() { test_module /usr/bin/python3 "$1" || test_module python3 "$1"; }
test_module() { "$1" -c "import importlib.util as u, sys; sys.exit(u.find_spec('$2') is None)"; }
recent_cmake() { printf '%s\n' "$(cmake --version | sed -n 's/^cmake version //p')" 3.25 | sort -VC -r; }
hdf5() { ls /usr/include/hdf5/openmpi/hdf5.h || [ -z "$(command -v dpkg)" ]; }
slepc() { [ -z "$(command -v dpkg)" ] || deb python3-slepc4py-real; }
petsc_examples() { ls "$(pkg-config --variable=prefix PETSc)/share/petsc/examples/config/gmakegentest.py"; }

need_lib() {
  need g++ command -v g++
  need cmake recent_cmake
  need make command -v make
  need pkg-config command -v pkg-config
  need binutils command -v readelf
  need_petsc libpetsc-real-dev pkg-config --exists 'PETSc >= 3.18'
  need_petsc libhdf5-openmpi-dev hdf5
  need_petsc openmpi-bin command -v mpiexec
}
need_demo() {
  need gnuplot-nox command -v gnuplot
  need libpng-dev pkg-config --exists libpng
}
need_check() {
  need python3 command -v python3
  need python3-numpy module numpy
  need python3-h5py module h5py
  need diffutils command -v diff
  need bc command -v bc
  need_petsc python3-petsc4py module petsc4py
  need_petsc python3-petsc4py-real module petsc4py
  need_petsc python3-slepc4py-real slepc
  need_petsc "libpetsc$(pkg-config --modversion PETSc | cut -d. -f1,2)-dev-examples" petsc_examples
}
need_ci() {
  need git command -v git
  need clang-format command -v clang-format
  need clang command -v clang++
  need libclang-rt-14-dev deb libclang-rt-14-dev
  need libpetsc-complex-dev deb libpetsc-complex-dev
  need libpetsc64-real-dev deb libpetsc64-real-dev
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
  if ! "$@" >"$log" 2>&1; then
    echo "setup: this failed: $*" >&2
    tail -n 20 "$log" >&2
    exit 1
  fi
}

updated=
for set in "$@"; do
  missing=()
  "need_$set"
  [ ${#missing[@]} -gt 0 ] || continue
  echo "setup: missing for '$set': ${missing[*]}"
  sudo=()
  if ! command -v apt-get >/dev/null; then
    echo "setup: there is no apt-get here: install what these Debian packages hold by other means, or set PETSC_DIR to your own PETSc, and call make again" >&2
    exit 1
  elif [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "setup: neither root nor sudo: ask for  apt-get install ${missing[*]}  and call make again" >&2
      exit 1
    fi
    sudo=(sudo)
  fi
  echo "setup: installing them with apt-get, this can take minutes"
  [ -n "$updated" ] || quietly "${sudo[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update
  updated=yes
  quietly "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qy -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"
  missing=()
  "need_$set"
  if [ ${#missing[@]} -gt 0 ]; then
    echo "setup: installed, but what these packages hold still cannot be used (too old?): ${missing[*]}" >&2
    exit 1
  fi
done
