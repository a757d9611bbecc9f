# For the shell tests, which source it: runs commands and looks at their exit status and output.
# PETSC_OPTIONS, mpiexec's settings and the paths come from CTest.
failed=0
count=0

# check NAME STATUS PATTERN COMMAND...: STATUS is 0 or fails, PATTERN a grep -E expression that the output must match
check() {
  local name=$1 want=$2 pattern=$3 output status
  shift 3
  output=$("$@" 2>&1 </dev/null)
  status=$?
  count=$((count + 1))
  if { [ "$want" = 0 ] && [ $status -ne 0 ]; } || { [ "$want" = fails ] && [ $status -eq 0 ]; }; then
    printf 'not ok %s: exit status %d\n%s\n' "$name" $status "$output"
    failed=1
  elif grep -qE 'Caught signal|Segmentation|Sanitizer|runtime error' <<<"$output" || { [ $status -ge 128 ] && ! grep -q 'PETSC ERROR' <<<"$output"; }; then
    printf 'not ok %s: crashed, exit status %d\n%s\n' "$name" $status "$output"
    failed=1
  elif ! grep -qE -- "$pattern" <<<"$output"; then
    printf 'not ok %s: the output does not match %s\n%s\n' "$name" "$pattern" "$output"
    failed=1
  else
    printf 'ok %s\n' "$name"
  fi
}

# launch N COMMAND...: on N processes; $mpiexec is none where PETSc was built without MPI
launch() {
  local n=$1
  shift
  if [ "$mpiexec" != none ]; then "$mpiexec" -n "$n" "$@"; else "$@"; fi
}

# ranks N...: those numbers of processes that can be had
ranks() { if [ "$mpiexec" != none ]; then echo "$@"; else echo 1; fi; }

finish() {
  [ $count -gt 0 ] || { echo "no check was executed"; exit 1; }
  exit $failed
}
