#!/bin/bash
# Usage: symbols.sh BUILD_DIR
# libpetlap.so may export only what petlap.h declares and the entry point that PETSc looks for. Everything else could clash with the
# program or with another plug-in. What a sanitizer puts there is not counted.
set -euo pipefail
lib=$1/lib/libpetlap.so
header=$(dirname "$0")/../../petlap.h

{
  echo PetscDLLibraryRegister_petlap
  sed -n 's/^PETLAP_EXTERN .*[ *]\([A-Za-z0-9_]*\)(.*/\1/p' "$header"
} | sort >"$1/symbols.expected"
nm -D --defined-only "$lib" | awk '{print $NF}' | grep -vE '^(_edata|_end|__bss_start|_init|_fini|__(a|ub)san_.*|__odr_asan.*)$' | sort >"$1/symbols.found" || true
if diff -u "$1/symbols.expected" "$1/symbols.found"; then
  echo "ok - libpetlap.so exports $(wc -l <"$1/symbols.found") functions, all of them public"
else
  echo "not ok - exported symbols differ from petlap.h (- is missing, + is too much)"
  exit 1
fi
