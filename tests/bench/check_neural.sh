#!/bin/bash
# check_neural.sh BUILD: tiny scenes and the systems of the library through the benchmark of neural, with PETSc's own solvers. Every solver must converge, the
# matrices must be those of their scenes, all tables must come out, and a solver that does not exist must be reported.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ -x "$1/bin/bench_neural" ] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed() {
  echo "not ok - $*"
  cat "$work/log"
  exit 1
}

# The address sanitizer needs more address space than any limit leaves
export BUILD=$1 RESULTS=$work BENCH_ROUNDS=1 BENCH_MEMORY=0 BENCH_SYSTEMS=$work BENCH_OPTIONS="-bench_least 0"
BENCH_SIZES=16 BENCH_SIZES_3D=8,12 BENCH_SCENES=box,smoke,bubbles BENCH_SOLVERS=neural,analytic,icc,mg,nosuchsolver "$here/run" neural > "$work/log" 2>&1 || failed "tests/bench/run neural failed"
python3 -B - "$work/neural.csv" <<'CHECK' || failed "wrong numbers"
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
scenes = [row for row in rows if row["dim"]]
# Three scenes in two sizes and two in the plane, of which three are boxes with multigrid; kernels of boxes and in the plane of a dam
for solver, count in {"neural": 8, "analytic": 8, "icc": 8, "mg": 3, "kernels": 4}.items():
    own = [row for row in scenes if row["solver"] == solver]
    assert len(own) == count, (solver, len(own))
    for row in own:
        assert row["status"] == "ok", row
        assert solver == "kernels" or float(row["residual"]) <= 1.01e-6, row
        assert solver != "kernels" or all(float(row[f"{name}_cpu"]) > 0.0 for name in ("mult", "apply", "change", "first")), row
for row in scenes:
    n, dim = int(row["n"]), int(row["dim"])
    if row["case"] == "box" and row["status"] == "ok":
        assert float(row["rows"]) == n**dim and float(row["nnz"]) == n**dim + 2 * dim * n**(dim - 1) * (n - 1) and float(row["singular"]) == 1.0, row
        # Whatever the size is
        assert row["solver"] not in ("neural", "mg") or float(row["iterations"]) < 15, row
files = {row["case"] for row in rows if not row["dim"] and row["solver"] == "neural" and row["status"] == "ok"}
assert not files or len(files) == 4, files
CHECK
[ "$(grep -c "nosuchsolver *error 62" "$work/neural.txt")" -gt 0 ] || failed "the unknown solver is not in the table"
for line in "MatMult" "^Best peer: .* neural" "^Best peer that is not of petlap"; do
  grep -q "$line" "$work/neural.txt" || failed "'$line' is missing"
done
echo "ok - solvers of pressure equations, $(grep -c , "$work/neural.csv") lines"
