#!/bin/bash
# check.sh BUILD: small direct solves with PETSc's own factorizations through the whole benchmark. Every matrix must be what its family says, so that
# errors are small, and a solver that does not exist must be reported.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed() {
  echo "not ok - $*"
  cat "$work"/*.txt "$work/log"
  exit 1
}

# The address sanitizer needs more address space than any limit leaves
export BUILD=$1 RESULTS=$work BENCH_SIZES=9,17 BENCH_SIZES_3D=3,5 BENCH_ROUNDS=1 BENCH_MEMORY=0 BENCH_REFERENCE=petsc BENCH_SOLVERS=petsc,nosuchsolver BENCH_FAMILIES=lap5,var5,aniso9,hel1,cd5,lap7,fem27
export BENCH_OPTIONS="-bench_least 0 -bench_refactors 2 -bench_dm"
"$here/run" schwarzschur > "$work/log" 2>&1 || failed "tests/bench/run schwarzschur failed"
# lap5, lap7 and fem27 as symmetric, cd5 as not, the other three as both; two sizes each
python3 - "$work/schwarzschur.csv" <<'CHECK' || failed "wrong numbers"
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
petsc = [row for row in rows if row["solver"] == "petsc"]
for row in petsc:
    assert row["status"] == "ok", row
    for name in ("backward_error", "matsolve_backward_error", "transpose_backward_error"):
        assert float(row[name]) < 1e-12, (name, row)
assert len(petsc) == 20, len(petsc)
points = {"lap5": 5, "var5": 5, "cd5": 5, "aniso9": 9, "hel1": 9, "lap7": 7, "fem27": 27}
for row in petsc:
    n, p = int(row["n"]), points[row["family"]]
    box = {5: n * n + 4 * n * (n - 1), 9: (3 * n - 2)**2, 7: n**3 + 6 * n * n * (n - 1), 27: (3 * n - 2)**3}
    assert float(row["nnz"]) == box[p], row
CHECK
[ "$(grep -c "nosuchsolver *error 92" "$work/schwarzschur.txt")" -eq 10 ] || failed "the missing solver is not in the table once for every case"
echo "ok - direct solvers, $(grep -c , "$work/schwarzschur.csv") lines"
