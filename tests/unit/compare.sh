#!/usr/bin/env bash
# Runs a unit test and compares what it prints with the expected output, which PETLAP_UPDATE=1 in the environment replaces.
# Usage: compare.sh EXPECTED PROGRAM [ARGUMENTS]
expected=$1
shift
work=$(mktemp)
trap 'rm -f "$work"' EXIT
"$@" >"$work" || { cat "$work"; exit 1; }
if [ -n "${PETLAP_UPDATE:-}" ]; then cp "$work" "$expected"; fi
diff "$expected" "$work" && echo "ok $(wc -l <"$work") lines"
