#!/usr/bin/env bash
# What hsc says where there is no device, or too small a one.
# Usage: hsc_backend.sh PROGRAM CONFIGURATION; PROGRAM is the built ex4.cxx, CONFIGURATION what petlap was configured with: OFF, ON or EMULATE.
program=$1
bad=0

# try NAME PATTERN OPTIONS...
try() {
  local name=$1 pattern=$2 output
  shift 2
  output=$("$program" -n 20,19 -pc_hsc_direct_size 10 "$@" 2>&1)
  if grep -qE "$pattern" <<<"$output"; then
    echo "ok - $name"
  else
    echo "not ok - $name: $output"
    bad=1
  fi
}

try "the host" '^CONVERGED_RTOL$' -pc_hsc_backend host
try "automatic" '^CONVERGED_RTOL$' -pc_hsc_backend auto
case $2 in
EMULATE)
  try "the device" '^CONVERGED_RTOL$' -pc_hsc_backend cuda -petlap_check
  try "the device is seen" 'backend: cuda \(cuda\), .* compared with the host' -pc_hsc_backend cuda -petlap_check -ksp_view
  try "its smoother is seen" 'of Jacobi damped by 0.8' -pc_hsc_backend cuda -ksp_view
  try "another one is seen" 'multicolor Gauss-Seidel with at most [0-9]+ colors' -pc_hsc_backend cuda -ksp_view -pc_hsc_smoother gs
  export PETLAP_EMULATE_NO_DEVICE=1
  try "no device" '^error 97: -pc_hsc_backend cuda needs a CUDA device: .*Use -pc_hsc_backend auto' -pc_hsc_backend cuda
  try "automatic without a device" '^CONVERGED_RTOL$' -pc_hsc_backend auto
  unset PETLAP_EMULATE_NO_DEVICE
  export PETLAP_EMULATE_MEMORY=20000
  try "a device without memory" '^error 55: .*does not fit .* -pc_hsc_backend host' -pc_hsc_backend cuda
  ;;
ON)
  if ! nvidia-smi -L >/dev/null 2>&1; then
    try "no device" '^error 97: -pc_hsc_backend cuda needs a CUDA device: .*Use -pc_hsc_backend auto' -pc_hsc_backend cuda
  fi
  ;;
*)
  try "no CUDA" '^error 56: -pc_hsc_backend cuda: petlap was configured without CUDA' -pc_hsc_backend cuda
  ;;
esac
exit $bad
