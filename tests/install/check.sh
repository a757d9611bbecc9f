#!/bin/bash
# Usage: check.sh BUILD_DIR
# Installs petlap, builds the sample against the installed tree through CMake and through pkg-config, moves the tree and does it again.
set -euo pipefail
build=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$(id -u)" = 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

step() { # step NAME COMMAND...: one line, and the command's output when it fails
  local name=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    echo "ok - $name"
  else
    echo "not ok - $name"
    cat "$work/log"
    exit 1
  fi
}
solves() {
  "$@" >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
  cat "$work/out"
  grep -q '^psdo: .* error < 1e-5$' "$work/out"
}
preset() { solves "$@" -options_left && grep -q 'no unused options' "$work/out"; }
absent() { ! grep -rIlF "$1" "$2"; }

libdir=$(sed -n 's/^CMAKE_INSTALL_LIBDIR:[A-Z]*=//p' "$build/CMakeCache.txt")
try() { # try PREFIX NAME
  local prefix=$1 name=$2 dir=$work/$2
  cp -r "$prefix/share/petlap/consumer" "$dir"
  step "$name: sample configures with find_package(petlap)" cmake -S "$dir" -B "$dir/build" -DCMAKE_PREFIX_PATH="$prefix"
  step "$name: sample builds with CMake" cmake --build "$dir/build"
  step "$name: it solves" solves "$dir/build/main"
  step "$name: sample builds with pkg-config" env PKG_CONFIG_PATH="$prefix/$libdir/pkgconfig:$petsc/lib/pkgconfig" make -C "$dir"
  step "$name: it solves" solves "$dir/main"
  step "$name: a program without petlap loads it" solves "$dir/plain" -dll_append "$prefix/$libdir/libpetlap.so" -ksp_type psdo
  for preset in "$prefix"/share/petlap/presets/psdo*.petscrc; do
    step "$name: preset $(basename "$preset" .petscrc)" preset "$dir/plain" -dll_append "$prefix/$libdir/libpetlap.so" -options_file "$preset"
  done
}

step "installs" cmake --install "$build" --prefix "$work/first"
petsc=$(sed -n 's,^petsc_prefix=,,p' "$work/first/$libdir/pkgconfig/petlap.pc")
for f in "$libdir/libpetlap.so" include/petlap.h share/petlap/presets/psdo.petscrc share/petlap/data/README.md; do
  step "$f is there" test -f "$work/first/$f"
done
step "no file names the build folder" absent "$build" "$work/first"
try "$work/first" installed
mv "$work/first" "$work/second"
step "no file names the prefix" absent "$work/first" "$work/second"
step "moved: the program that was linked before finds the library through LD_LIBRARY_PATH" solves env LD_LIBRARY_PATH="$work/second/$libdir" "$work/installed/main"
try "$work/second" moved
