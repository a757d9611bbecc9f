#!/bin/bash
# train.sh TRAIN WEIGHTS DATA LAUNCHER: derivatives of all losses, trainings that learn something, that go on where they stopped, and that do not depend on the number of
# processes, and wrong options.
set -uo pipefail
train=$1 weights=$2 data=$3 launcher=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed() {
  echo "not ok - $*"
  cat log
  exit 1
}

for dim in 2 3; do
  for loss in residual rel anorm sip "sip -train_metric a" sipn "sipn -train_metric a" "sip -train_sip ksp" "sipn -train_sip ksp -train_metric a -train_sip_solver_pc_type jacobi -train_sip_solver_ksp_max_it 3"; do
    # shellcheck disable=SC2086
    "$train" -train_dim $dim -train_check -train_sizes 8,12 -train_loss $loss > log 2>&1 || failed "derivative of $loss in $dim dimensions"
  done
  "$train" -train_dim $dim -train_check -train_sizes 8,12 -train_affine -train_stages 1 -train_pinned 0 -train_symmetry 0 > log 2>&1 || failed "derivative with all blocks in $dim dimensions"
done

# The last line of the monitor tells all that matters with four digits
common="-train_dim 2 -train_steps 60 -train_pool 8 -train_visits 5 -train_sizes 16,24 -train_heldout_sizes 24 -train_every 1 -train_test 0"
for rhs in onpolicy divergence ritz mixed; do
  # shellcheck disable=SC2086
  "$train" $common -train_rhs $rhs > log 2>&1 || failed "right-hand sides $rhs"
  its=$(sed -n 's/.*iterations *\([0-9]*\)\..*/\1/p' log | tail -1)
  # The method without training needs about forty
  [ "$its" -lt 25 ] || failed "$its iterations after training with right-hand sides $rhs"
done
summary() { grep '^step' "$1" | tail -1 | sed 's/step length.*//'; }
# shellcheck disable=SC2086
"$train" $common -train_checkpoint state -train_out one.h5 -train_table one.csv -train_picture one.svg > log 2>&1 || failed "training"
summary log > whole
[ -s one.h5 ] && [ -s one.svg ] && [ "$(wc -l < one.csv)" -gt 3 ] || failed "files of a training"
# shellcheck disable=SC2086
"$train" $common -train_resume state > log 2>&1 || failed "resumed training"
summary log | diff whole - || failed "a resumed training is another one"
if [ "$launcher" != none ]; then
  # shellcheck disable=SC2086
  $launcher -n 2 "$train" $common > log 2>&1 || failed "training on two processes"
  summary log | diff whole - || failed "a training on two processes is another one"
fi
# shellcheck disable=SC2086
"$train" $common -train_seed 2 -train_resume state > log 2>&1 && failed "a checkpoint of another training was taken"
grep -q "train_seed" log || failed "no word about the seed"

"$train" -train_dim 3 -train_steps 2 -train_pool 2 -train_init "$weights/poisson3d.h5" -train_rate 1e-5 -train_files "$data/fluid_smoke_solid_32x48x32_f25.h5" -train_heldout_sizes 16 -train_test_sizes 16 -train_test_seeds 1 > log 2>&1 || failed "training on a file"
its=$(sed -n 's/.*f25.h5: //p' log)
[ "$its" -le 12 ] || failed "$its iterations for a system from a file"
for wrong in "-train_dim 4" "-train_pool 5" "-train_stages 0" "-train_sizes 2" "-train_init nothing.h5" "-train_files nothing.h5 -train_steps 1" "-train_loss nothing"; do
  # shellcheck disable=SC2086
  "$train" $wrong > log 2>&1 && failed "$wrong was taken"
done
echo "ok"
