#!/usr/bin/env bash
# What schwarzschur says to wrong inputs, against output/schwarzschur_bad.out.
# Usage: schwarzschur_bad.sh PROGRAM [cuda|none|ranks MPIEXEC]; PROGRAM is the built ex5.cxx. With ranks the matrix is spread over three processes, which must all say what one
# would say, apart from output/schwarzschur_bad_ranks.out. With cuda everything is done on a device and by the host beside it, against
# output/schwarzschur_bad_cuda.out; with none the device that is asked for is not there.
# With PETLAP_UPDATE=1 in the environment the expected output is replaced: read the change before you keep it.
program=$1
expected=schwarzschur_bad
backend=()
launch=()
only=.
case ${2:-} in
cuda)
  expected=schwarzschur_bad_cuda
  backend=(-mat_schwarzschur_backend cuda -petlap_check)
  ;;
ranks)
  expected=schwarzschur_bad_ranks
  launch=("$3" -n 3)
  backend=(-spread)
  # Each takes a third of a second
  only='^(mesh|small mesh|grid with other rows|grid with too few points|wide stencil|NaN|zero row|row and column without entries, cholesky|singular|singular, single precision|singular, symmetric, error wanted|not symmetric, cholesky|not positive definite, spd|not positive definite, cholesky|memory, cholesky|batch|cuda|rectangle|no rows|one row|nothing wrong)$'
  ;;
none)
  export PETLAP_EMULATE_NO_DEVICE=1
  output=$("$program" -pc_factor_mat_solver_type schwarzschur -mat_schwarzschur_backend cuda 2>&1 | head -n 3)
  echo "cuda: $output"
  # Without CUDA, without a driver, without a device
  grep -qE 'error 56: -mat_schwarzschur_backend cuda: petlap was configured without CUDA; configure it with -DPETLAP_CUDA=ON|error 97: -mat_schwarzschur_backend cuda needs a CUDA device: .*(driver|no device|no CUDA-capable)' <<<"$output" || exit 1
  output=$("$program" -pc_factor_mat_solver_type schwarzschur -mat_schwarzschur_backend auto 2>&1 | head -n 3)
  echo "auto: $output"
  grep -q CONVERGED <<<"$output"
  exit
  ;;
esac
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# try NAME OPTIONS...: one line with the error or the reason, and one with what -info says of a failed factorization
try() {
  local name=$1 status
  shift
  [[ $name =~ $only ]] || return
  "${launch[@]}" "$program" "$@" "${backend[@]}" -pc_factor_mat_solver_type schwarzschur -info :mat -options_left no >"$work/stdout" 2>"$work/stderr"
  status=$?
  echo "$name: $(grep -v '^\[[0-9]*\] <' "$work/stdout" | head -n 3)"
  sed -n 's/^\[0\] <mat.*> \(MatSchwarzSchur\|MatFactorNumeric_SchwarzSchur\)[A-Za-z_]*(): /  /p' "$work/stdout"
  if [ $status -ne 0 ] || grep -E 'runtime error|Sanitizer|Caught signal' "$work/stderr"; then
    echo "  exit status $status"
    head -n 5 "$work/stderr"
  fi
}

{
  try "mesh" -wrong mesh -n 30,31
  try "small mesh" -wrong mesh
  try "grid with other rows" -n 20,30 -mat_schwarzschur_grid 30,20
  try "grid with too few points" -mat_schwarzschur_grid 8,9
  try "grid with too many points" -mat_schwarzschur_grid 10,10
  try "grid with no points" -mat_schwarzschur_grid 0,9
  try "grid with a negative size" -mat_schwarzschur_grid -10,-9
  try "grid of dimension 4" -mat_schwarzschur_grid 10,9,1,1
  try "grid by function" -wrong functions
  try "dof that does not divide" -mat_schwarzschur_dof 4
  try "dof that does not fit" -dof 2 -mat_schwarzschur_grid 10,9 -mat_schwarzschur_dof 3
  try "dof against the DMDA" -dof 2 -attach -mat_schwarzschur_dof 1
  try "negative dof" -mat_schwarzschur_dof -1
  try "too many periodic directions" -mat_schwarzschur_periodic 1,1,1
  try "four periodic directions" -mat_schwarzschur_periodic 1,1,1,1
  try "octahedral in space" -n 5,6,7 -mat_schwarzschur_topology octahedral -mat_schwarzschur_grid 5,6,7
  try "octahedral and periodic" -mat_schwarzschur_topology octahedral -mat_schwarzschur_grid 10,9 -mat_schwarzschur_periodic 1,0
  try "no such topology" -mat_schwarzschur_topology toroidal
  try "wide stencil" -wrong wide -n 29,31
  try "NaN" -wrong nan
  try "Inf" -wrong inf
  try "NaN, cholesky" -wrong nan -pc_type cholesky
  try "Inf, single precision" -wrong inf -mat_schwarzschur_precision single
  try "zero row" -wrong norow
  try "zero column" -wrong nocolumn
  try "zero row, error wanted" -wrong norow -ksp_error_if_not_converged
  try "row and column without entries" -wrong hole
  try "row and column without entries, cholesky" -wrong hole -pc_type cholesky
  try "singular" -wrong neumann
  try "singular, cholesky" -wrong neumann -pc_type cholesky
  try "singular, single precision" -wrong neumann -mat_schwarzschur_precision single
  try "singular in space" -wrong neumann -n 9,8,7
  try "singular, error wanted" -wrong neumann -ksp_error_if_not_converged
  try "singular, symmetric, error wanted" -wrong neumann -mat_schwarzschur_mode symmetric -ksp_error_if_not_converged
  try "zero row, cholesky" -wrong hole0 -pc_type cholesky
  try "zero row, single precision" -wrong norow -mat_schwarzschur_precision single
  try "zero row in space" -wrong norow -n 5,6,7
  try "not symmetric, cholesky" -wrong unsymmetric -pc_type cholesky
  try "not symmetric, symmetric" -wrong unsymmetric -mat_schwarzschur_mode symmetric
  try "not symmetric, unrefined" -wrong unsymmetric -mat_schwarzschur_mode symmetric -mat_schwarzschur_refine 0
  try "not positive definite, spd" -wrong negative -mat_schwarzschur_mode spd
  try "not positive definite, error wanted" -wrong negative -mat_schwarzschur_mode spd -ksp_error_if_not_converged
  try "not positive definite, cholesky" -wrong negative -pc_type cholesky
  try "no such mode" -mat_schwarzschur_mode qr
  try "no such precision" -mat_schwarzschur_precision half
  try "memory" -n 300,300 -mat_schwarzschur_memory_limit 1
  try "memory, cholesky" -n 300,300 -pc_type cholesky -mat_schwarzschur_memory_limit 1 -mat_schwarzschur_precision single
  try "memory for a large grid" -n 1500,1500 -mat_schwarzschur_memory_limit 10
  try "negative memory" -mat_schwarzschur_memory_limit -1
  try "no such instruction set" -mat_schwarzschur_isa z80
  try "threshold too large" -mat_schwarzschur_pivot_threshold 1.5
  try "threshold negative" -mat_schwarzschur_pivot_threshold -0.1
  try "no threads" -mat_schwarzschur_threads 0
  try "large block" -mat_schwarzschur_block 5000
  try "negative leaf" -mat_schwarzschur_leaf -1
  try "rectangle" -wrong rectangle
  try "baij" -wrong baij
  try "not assembled" -wrong unassembled
  try "ilu" -pc_type ilu
  try "no rows" -n 0,9
  try "one row" -n 1,1
  try "one row, cholesky" -n 1,1 -pc_type cholesky
  try "one row that is zero" -n 1,1 -wrong neumann
  if [ "$expected" = schwarzschur_bad_ranks ]; then
    try "batch" -mat_schwarzschur_batch 2
    try "cuda" -mat_schwarzschur_backend cuda
  fi
  try "nothing wrong"
} >"$work/output"
# Whether Cholesky's first trial fails is a matter of rounding where the matrix is singular, and of the scalars: complex symmetric is not Hermitian
sed -i -e '/from now on it is factored as a symmetric/d' -e '/Boxes of the same shape/d' "$work/output"
# Versions of PETSc write a wrong value with and without quotes, and a blank after the last right one or not
sed -Ei -e 's/Unknown option "([^"]*)"/Unknown option \1/' -e '/Available options/s/ +$//' "$work/output"
# Numbers of bytes depend on the scalars and on the lanes
sed -Ei 's/need [0-9.]+ MB/need # MB/' "$work/output"
if [ -n "${PETLAP_UPDATE:-}" ]; then cp "$work/output" "$here/output/$expected.out"; fi
diff "$here/output/$expected.out" "$work/output" && echo "ok $(grep -c '^[^ ]' "$work/output") inputs"
