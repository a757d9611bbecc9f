#!/usr/bin/env bash
# Where PCNEURAL says that it is applied, with a device, without one, and on two processes.
# Usage: neural_gpu.sh NEURAL2 NEURAL1 CUDA LAUNCHER; built programs of this folder, what PETLAP_CUDA was (OFF, ON or EMULATE), mpiexec or none
neural2=$1
neural1=$2
cuda=$3
launcher=$4
bad=0

# expect NAME PATTERN COMMAND...: one line of the output matches
expect() {
  local name=$1 pattern=$2 output
  shift 2
  output=$(timeout 120 "$@" 2>&1)
  if grep -Eq -e "$pattern" <<<"$output" && ! grep -Eq 'runtime error|Sanitizer|Caught signal' <<<"$output"; then
    echo "ok - $name"
  else
    echo "not ok - $name: no line has '$pattern'"
    head -n 20 <<<"$output"
    bad=1
  fi
}
options=(-pc_neural_weights analytic -wrong image -ksp_view)
# What a process sees that has no device
none=(env PETLAP_EMULATE_NO_DEVICE=1 CUDA_VISIBLE_DEVICES=-1)

expect "auto follows vectors of the host" 'backend: host \(auto\)' "$neural2" "${options[@]}"
expect "host" 'backend: host \(host\)' "$neural2" "${options[@]}" -pc_neural_backend host
if [ "$cuda" = OFF ]; then
  expect "cuda without CUDA" 'error [0-9]+: -pc_neural_backend cuda: petlap was configured without CUDA; configure it with -DPETLAP_CUDA=ON, or use -pc_neural_backend auto' "$neural2" "${options[@]}" -pc_neural_backend cuda
else
  expect "cuda without a device" 'error [0-9]+: -pc_neural_backend cuda needs a CUDA device: .*Use -pc_neural_backend auto, which falls back to the host' "${none[@]}" "$neural2" "${options[@]}" -pc_neural_backend cuda
fi
expect "auto without a device" 'backend: host \(auto\)' "${none[@]}" "$neural2" "${options[@]}" -pc_neural_backend auto
if [ "$cuda" = EMULATE ]; then
  expect "cuda" 'backend: cuda \(cuda\)' "$neural2" "${options[@]}" -pc_neural_backend cuda
  expect "no memory on the device" 'error 97: The CUDA device reports: .*out of memory' env PETLAP_EMULATE_MEMORY=20000 "$neural2" "${options[@]}" -pc_neural_backend cuda
fi
if [ -n "$launcher" ] && [ "$launcher" != none ]; then
  expect "cuda on two processes" '-pc_neural_backend cuda works on one process and there are 2: start one process, or use -pc_neural_backend auto' "$launcher" -n 2 "$neural1" -pc_neural_weights analytic -pc_neural_backend cuda
  expect "auto on two processes" 'solved' "$launcher" -n 2 "$neural1" -pc_neural_weights analytic -pc_neural_backend auto
fi
exit $bad
