#!/usr/bin/env bash
# Compares what load_bad.sh prints with the expected output; where that does not apply (other scalars or indices), every file must give an
# error or be loaded, without a crash. Three processes must find what one finds.
# Usage: load_bad_compare.sh PROGRAM PYTHON yes|no MPIEXEC|none
here=$(dirname "$0")
if ! "$2" -c 'import h5py' 2>/dev/null; then
  echo "skipped: h5py is missing (Debian: apt-get install python3-h5py)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHON=$2 "$here/load_bad.sh" "$1" "$work/files" >"$work/output" || exit 1
if [ "$3" = yes ]; then
  diff "$here/output/load_bad.out" "$work/output" || exit 1
else
  ! grep -vE '^[^ ]+: (error [0-9]+: .|loaded: )' "$work/output" && [ "$(wc -l <"$work/output")" -eq "$(wc -l <"$here/output/load_bad.out")" ] || exit 1
fi
if [ "$4" != none ]; then
  ONLY="block_512.h5 whole_double.h5 whole_bits.h5 vectors_bool.h5 jc_nan.h5 ir_fraction.h5 dims_fraction.h5 flags_nan.h5 flags_text.h5 flags_length.h5 flags_small.h5 empty.h5 b_sparse.h5 after_x.bin
    after_entry.mtx skew_zero.mtx b_sparse.mtx b_gz.mtx"
  export ONLY
  "$here/load_bad.sh" "$1" "$work/files" "$4" -n 3 >"$work/three" || exit 1
  for name in $ONLY; do grep "^$name: " "$work/output"; done >"$work/one"
  # Three processes cannot share its eight cells
  sed -i '/^flags_small/s/, grid, labels$//' "$work/one"
  diff "$work/one" "$work/three" || exit 1
fi
echo "ok $(wc -l <"$work/output") files"
