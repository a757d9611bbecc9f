#!/bin/bash
# Loads one file of each kind of bad input: load_bad.sh PROGRAM FOLDER [COMMAND ...]. PROGRAM is the built load_bad.cxx, the files are written to
# FOLDER, COMMAND starts PROGRAM if given (mpiexec -n 2, for example). Prints one line per file. PYTHON names a python3 with h5py;
# ONLY, if set, the files to load of those that were written before.
set -u
program=$1
folder=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)

names=${ONLY:-$("${PYTHON:-python3}" "$here/badinput.py" "$folder")} || exit 1
# MPI never frees some of its memory; -malloc_dump below finds what PETSc and petlap do not free
export ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
asan=
ldd "$program" | grep -q 'lib[a-z_.]*asan' && asan=yes
for name in $names; do
  limit=unlimited
  # Not every machine lacks the memory that these files ask for. The address sanitizer takes terabytes of addresses and has a limit of its own.
  case $name in
  memory.h5 | too_many.h5)
    [ $asan ] || limit=6000000
    ASAN_OPTIONS=$ASAN_OPTIONS:allocator_may_return_null=1:max_allocation_size_mb=4000
    ;;
  esac
  # Libraries below may warn on stderr about the machine; it matters only after a failure, and when a sanitizer speaks
  line=$(ulimit -S -v $limit && "$@" "$program" -f "$folder/$name" -malloc_dump -options_left no 2>"$folder/stderr")
  code=$?
  if [ $code -ne 0 ] || grep -E 'runtime error|ERROR: .*Sanitizer' "$folder/stderr"; then line="exit $code: $line $(cat "$folder/stderr")"; fi
  echo "$name: $line"
done
