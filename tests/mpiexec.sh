#!/usr/bin/env bash
# Usage: mpiexec.sh -n N PROGRAM OPTION...; a single process starts without the launcher, in a fraction of the time
if [ "$1" = -n ] && [ "$2" = 1 ]; then
  shift 2
  exec "$@"
fi
exec "${PETLAP_MPIEXEC:-mpiexec}" "$@"
