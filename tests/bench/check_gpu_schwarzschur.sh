#!/bin/bash
# check_gpu_schwarzschur.sh BUILD: a small grid through the benchmark of schwarzschur on the device, whose answers must be right.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1/bin/bench_gpu_schwarzschur" -bench_n 17 -bench_rounds 2 -bench_gemm 0 -bench_profile 17 -bench_seconds 600 -bench_peer no -bench_csv "$work" > "$work/log" 2>&1
status=$?
if [ $status = 77 ]; then
  cat "$work/log"
  exit 77
fi
python3 -B - "$work" "$status" <<'CHECK'
import csv, sys
log = open(f"{sys.argv[1]}/log").read()
try:
    assert sys.argv[2] == "0", f"exit status {sys.argv[2]}"
    lines = open(f"{sys.argv[1]}/gpu_schwarzschur.csv").read().splitlines()
    assert lines[0].startswith("# "), lines[0]
    rows = list(csv.DictReader(lines[1:]))
    # Of the symmetric families both factorizations, and all in both precisions
    assert len(rows) == 2 * (2 + 2 + 1 + 2), len(rows)
    assert {row["factors"] for row in rows} == {"lu", "spd", "sym"}, rows
    for row in rows:
        assert row["solver"] == "petlap" and row["status"] == "ok" and row["rounds"] == "2", row
        # Random weights let errors grow
        limit = (1e-3 if row["family"] == "udeconv" else 1e-5) if row["precision"] == "single" else 1e-12
        assert float(row["error"]) < limit, row
        for name in ("analysis_ms", "first_ms", "factor_ms", "solve_ms", "total_ms"):
            assert float(row[name]) > 0, (name, row)
        assert float(row["refined_error"]) < 1e-14 and float(row["flops"]) > 1e5 and float(row["memory_MB"]) > 0, row
    for text in ("device: ", "aniso9, 17, lu, double", "backend: cuda", "hel1: symmetric, indefinite, 9 points"):
        assert text in log, text
except (AssertionError, OSError) as error:
    print(log)
    print("not ok - schwarzschur on the device:", error)
    sys.exit(1)
print(f"ok - schwarzschur on the device, {len(rows)} lines")
CHECK
