#!/bin/bash
# check_neuralits.sh BUILD: small scenes through the benchmarks of the neural preconditioner. Iterations must stay as few as the weights are known for, and
# every scene must be in the files.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed() {
  echo "not ok - $*"
  cat "$work"/*.txt "$work/log"
  exit 1
}

export BUILD=$1 RESULTS=$work
BENCH_OPTIONS="-bench_seeds 2 -bench_sizes_3d 16,24 -bench_sizes_2d 32,64 -bench_boxes 13,18,22 -bench_large -bench_analytic_3d 16 -bench_analytic_2d 32" "$here/run" neuralits > "$work/log" 2>&1 || failed "tests/bench/run neuralits failed"
BENCH_OPTIONS="-bench_seeds 1 -bench_n_3d 16 -bench_n_2d 32 -bench_pairs 5 -bench_most 200" "$here/run" neuralablation > "$work/log" 2>&1 || failed "tests/bench/run neuralablation failed"
python3 -B - "$work" <<'CHECK' || failed "wrong numbers"
import csv, sys
from collections import defaultdict
def table(name):
    return list(csv.DictReader(open(f"{sys.argv[1]}/{name}.csv")))
def mean(values):
    values = list(values)
    return sum(values) / len(values)
def median(values):
    return sorted(values)[len(values) // 2]

cases = defaultdict(list)
for row in table("neuralits"):
    assert row["reason"] == "CONVERGED_RTOL" and float(row["residual"]) <= 1.01e-6, row
    cases[row["weights"], row["nx"], row["ny"]].append(row)
assert len(cases) == 7 and all(len(rows) == 16 for rows in cases.values()), {key: len(rows) for key, rows in cases.items()}
its = {key: mean(int(row["its"]) for row in rows if row["class"] != "bubbles") for key, rows in cases.items()}
for key, most in {("shipped", "16", "16"): 9.5, ("shipped", "24", "24"): 10.5, ("shipped", "13", "18"): 11, ("shipped", "32", "1"): 9.5, ("shipped", "64", "1"): 11}.items():
    assert its[key] <= most, (key, its[key], most)
for n, m in (("16", "16"), ("32", "1")):
    assert its["analytic", n, m] > 1.5 * its["shipped", n, m], its

rows = defaultdict(list)
for row in table("neuralablation"):
    rows[row["section"], row["dim"], row["setting"]].append(row)
for dim in ("3", "2"):
    def count(section, setting):
        own = rows[section, dim, setting]
        assert len(own) == (7 if section == "coefficients" else 8), (section, dim, setting, len(own))
        return mean(int(row["its"]) for row in own)
    # Directions help, and psdo and fcg are the same method
    assert count("directions", "30") <= count("directions", "2") <= count("directions", "0"), dim
    assert abs(count("methods", "fcg 2") - count("methods", "psdo 2")) < 0.3, dim
    assert count("methods", "psdo 2") < count("methods", "cg"), dim
    assert count("levels", "by the grid") < count("levels", "1" if dim == "3" else "2"), dim
    assert abs(count("coefficients", "smooth 5") - count("coefficients", "smooth 5 none")) < 0.3, dim
    assert count("coefficients", "smooth 100 diag") < count("coefficients", "smooth 100"), dim
    assert count("masks", "dilated") < count("masks", "fluid"), dim
    for vectors in ("divergence", "normal"):
        own = rows["symmetry", dim, f"shipped {vectors}"]
        assert len(own) == 8 and all(0.0 < float(row["asymmetry_median"]) < 0.05 for row in own), (dim, vectors)
    for replacement in ("0", "1", "10", "50"):
        assert median([float(row["residual"]) for row in rows["accuracy", dim, replacement]]) < 1e-13, (dim, replacement)
        own = rows["accuracy", dim, f"{replacement} known"]
        assert len(own) == 8 and all(int(row["its"]) == 100 and float(row["residual"]) < 1e-12 for row in own), (dim, replacement)
    history = [float(row["residual"]) for row in rows["history", dim, "psdo 2"]]
    assert history[0] == 1.0 and history[-1] <= 1e-10, (dim, history)
CHECK
echo "ok - scenes of fluids, $(cat "$work"/*.csv | grep -c ,) lines"
