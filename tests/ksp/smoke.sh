#!/usr/bin/env bash
# What the example smoke refuses, and the systems that it writes.
# Usage: smoke.sh PROGRAM SOLVE MPIEXEC PYTHON, where SOLVE is the example solve, or none without HDF5
. "$(dirname "$0")/../check.sh"
smoke=$1 solve=$2 mpiexec=$3 python=$4
agree=$(cd "$(dirname "$0")" && pwd)/pictures_agree.py
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
small=(-nx 16 -steps 2 -pixels 16 -pc_type jacobi)

check "unknown scene" fails 'candle' "$smoke" "${small[@]}" -scene candle
check "unknown side" fails '-open ceiling: the sides are left, right' "$smoke" "${small[@]}" -open top,ceiling
check "dimension" fails '-dim 4: must be 2 or 3' "$smoke" "${small[@]}" -dim 4
check "too few cells" fails '-ny 3: must be between 4 and' "$smoke" "${small[@]}" -ny 3
check "no number" fails '-dt nan.?: must be a positive number|set value nan.? less than allowed' "$smoke" "${small[@]}" -dt nan
check "negative time" fails '-dt -1.?: must be a positive number' "$smoke" "${small[@]}" -dt -1
check "no motion" fails '-cfl 0.?: must be positive and at most 10' "$smoke" "${small[@]}" -cfl 0
check "infinite gravity" fails '-gravity inf.?, .+: must be between|set value inf.? greater than allowed' "$smoke" "${small[@]}" -scene dam -gravity inf
check "flip" fails '-flip 2.?: must be between 0 and 1' "$smoke" "${small[@]}" -scene dam -flip 2
check "refined grid" fails 'not to be refined' "$smoke" "${small[@]}" -da_refine 1
check "divergence is an error" fails 'DIVERGED|converge' "$smoke" "${small[@]}" -ksp_max_it 1
check "unwritable picture" fails 'cannot be written' "$smoke" "${small[@]}" -prefix no/such/folder
if [ "$mpiexec" != none ]; then check "too many processes" fails 'use fewer processes, a larger grid or a smaller -cfl' launch 4 "$smoke" "${small[@]}" -nx 6 -ny 6; fi

# Any solver and any number of processes: one picture
for scene in "smoke -dim 3 -nx 12" "dam -nx 24"; do
  name=${scene%% *}
  run=("$smoke" -scene $scene -steps 6 -pixels 64 -ksp_rtol 1e-10)
  for pc in hsc gamg icc; do check "$name, $pc" 0 'mean of 6 steps' "${run[@]}" -pc_type $pc -prefix $name-$pc; done
  check "$name, fluid cells alone" 0 'mean of 6 steps' "${run[@]}" -pc_type icc -unknowns fluid -prefix $name-fluid
  for n in $(ranks 1 4); do check "$name, $n processes" 0 'mean of 6 steps' launch "$n" "${run[@]}" -pc_type jacobi -prefix $name-$n; done
  check "$name, pictures" 0 'the pictures agree' "$python" -B "$agree" $name-*.png
done

if [ "$solve" != none ]; then
  check "unwritable system" fails 'cannot be written' "$smoke" "${small[@]}" -prefix no/such/folder -every 9 -save 1
  for n in $(ranks 1 2); do
    check "system, $n processes" 0 'mean of 2 steps' launch "$n" "$smoke" "${small[@]}" -save 2 -prefix closed
    check "it can be solved, $n processes" 0 'reason=CONVERGED' launch "$n" "$solve" -f closed_0002.h5 -pc_type jacobi -report
    check "system of a dam, $n processes" 0 'mean of 2 steps' launch "$n" "$smoke" "${small[@]}" -scene dam -dim 3 -save 2 -scale -prefix dam
    check "it can be solved, too, $n processes" 0 'reason=CONVERGED' launch "$n" "$solve" -f dam_0002.h5 -pc_type jacobi -report
  done
fi
finish
