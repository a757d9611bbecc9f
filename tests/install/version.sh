#!/bin/bash
# Usage: version.sh BUILD_DIR
# A libpetlap.so that was compiled for another PETSc must refuse to load and say why. The other PETSc is played by functions that are
# loaded before the real ones, and by a PETSc with complex scalars where one is installed.
set -euo pipefail
build=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$(id -u)" = 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
petsc=$(sed -n 's/^petsc_prefix=//p' "$build/petlap.pc")

cat >"$work/program.c" <<'C'
#include <petscsys.h>
int main(int argc, char **argv)
{
  PetscErrorCode ierr = PetscInitialize(&argc, &argv, NULL, NULL);
  return ierr ? 1 : PetscFinalize() != 0;
}
C
cat >"$work/version.c" <<'C'
#include <petscsys.h>
PetscErrorCode PetscGetVersionNumber(PetscInt *major, PetscInt *minor, PetscInt *subminor, PetscInt *release)
{
  *major = 3;
  *minor = 99;
  if (subminor) *subminor = 0;
  if (release) *release = 1;
  return 0;
}
C
cat >"$work/scalar.c" <<'C'
#include <petscsys.h>
PetscErrorCode PetscDataTypeFromString(const char *name, PetscDataType *type, PetscBool *found)
{
  *type  = PETSC_SCALAR == PETSC_COMPLEX ? PETSC_DOUBLE : PETSC_COMPLEX;
  *found = PETSC_TRUE;
  return 0;
}
C
cat >"$work/index.c" <<'C'
#include <petscsys.h>
PetscErrorCode PetscDataTypeGetSize(PetscDataType type, size_t *size)
{
  *size = 12 - sizeof(PetscInt);
  return 0;
}
C
compile() { # compile PETSC_PREFIX ARGUMENTS...
  local -x PKG_CONFIG_PATH=$1/lib/pkgconfig
  shift
  $(pkg-config --variable=ccompiler PETSc) $(pkg-config --cflags PETSc) "$@" $(pkg-config --libs PETSc) -Wl,-rpath,"$(pkg-config --variable=libdir PETSc)"
}
refuses() { # refuses NAME TEXT COMMAND...
  local name=$1 text=$2 status=0
  shift 2
  "$@" -dll_append "$build/lib/libpetlap.so" >"$work/log" 2>&1 || status=$?
  if [ "$status" != 0 ] && [ "$status" -lt 128 ] && grep -qi "$text" "$work/log"; then
    echo "ok - $name"
  else
    echo "not ok - $name (exit status $status)"
    cat "$work/log"
    exit 1
  fi
}

compile "$petsc" "$work/program.c" -o "$work/program"
for shim in version scalar index; do
  compile "$petsc" -shared -fPIC "$work/$shim.c" -o "$work/$shim.so"
done
"$work/program" -dll_append "$build/lib/libpetlap.so"
echo "ok - loads in the PETSc it was compiled for"
refuses "refuses another version" 'compiled for PETSc 3\.[0-9]* and is loaded by PETSc 3\.99: configure petlap with PETSC_DIR' env LD_PRELOAD="$work/version.so" "$work/program"
refuses "refuses other scalars" 'compiled for [a-z]* scalars and .* is loaded by a PETSc with [a-z]* scalars' env LD_PRELOAD="$work/scalar.so" "$work/program"
refuses "refuses other indices" 'compiled for .*[36][24]-bit indices and .* with .*[36][24]-bit indices' env LD_PRELOAD="$work/index.so" "$work/program"
other=/usr/lib/petscdir/petsc-complex
if [ -d "$other/lib/pkgconfig" ] && [ "$(realpath "$other")" != "$petsc" ]; then
  compile "$other" "$work/program.c" -o "$work/other"
  refuses "refuses the PETSc in $other" 'compiled for .* and is loaded by .*PETSc' "$work/other"
else
  echo "ok - refuses another installed PETSc # SKIP there is none"
fi
