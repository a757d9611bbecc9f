#!/usr/bin/env bash
# Compares what load_bad.sh prints with the expected output; where that does not apply (other scalars or indices), every file must give an
# error or be loaded, without a crash.
# Usage: load_bad_compare.sh PROGRAM PYTHON yes|no
here=$(dirname "$0")
if ! "$2" -c 'import h5py' 2>/dev/null; then
  echo "skipped: h5py is missing (Debian: apt-get install python3-h5py)"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHON=$2 "$here/load_bad.sh" "$1" "$work/files" >"$work/output" || exit 1
if [ "$3" = yes ]; then
  diff "$here/output/load_bad.out" "$work/output" && echo "ok $(wc -l <"$work/output") files"
else
  ! grep -vE '^[^ ]+: (error [0-9]+: .|loaded: )' "$work/output" && [ "$(wc -l <"$work/output")" -eq "$(wc -l <"$here/output/load_bad.out")" ]
fi
