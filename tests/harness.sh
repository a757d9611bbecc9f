#!/usr/bin/env bash
# Runs one script of PETSc's test harness, whose exit status says nothing: 1 if a line begins with "not ok", 77 if all was skipped.
# PETSc's petscdiff hides differences of floating-point numbers unless it is told to compare plainly (-j).
# With PETLAP_UPDATE=1 in the environment the expected outputs are replaced by what the programs print: read the change before you keep it.
output=$("$1" ${PETLAP_UPDATE:+-m} -j 2>&1 </dev/null)
status=$?
printf '%s\n' "$output"
[ $status -eq 0 ] || exit 1
grep -q '^[[:space:]]*not ok' <<<"$output" && exit 1
grep -q '^[[:space:]]*ok' <<<"$output" || { echo "harness: no test was executed"; exit 1; }
if grep '^[[:space:]]*ok' <<<"$output" | grep -qv '# SKIP'; then exit 0; fi
exit 77
