#!/usr/bin/env python3
"""Tables of solvers for pressure equations of fluids, each measurement in a process of its own; tests/bench/run starts it. README.md here tells what is measured."""
import argparse
import collections
import glob
import os
import time

import measure
from measure import CLOCKS, Runner, Table, cell, environment, numbers, words

OURS = environment("BENCH_REFERENCE", "neural")
# Solvers of petlap: the neural ones are compared with the others, and those with peers from elsewhere only as well
NEURAL, OWN = ("neural", "analytic"), ("neural", "analytic", "hsc", "hscsym")
SOLVERS = "neural ssor icc gamg gamgagg hypre hypreagg ml hsc mg"
# In place of a solver
KERNELS = "kernels"

Case = collections.namedtuple("Case", "name dim n file", defaults=("",))


class Fluids(measure.Rounds):
    """A key is (case, solver)"""

    def foresee(self, key):
        """Time grows at least like the unknowns"""
        case, solver = key
        smaller = [k for k in self.results if (k[0].name, k[0].dim, k[1]) == (case.name, case.dim, solver) and k[0].n < case.n]
        if not smaller:
            return None
        last = max(smaller, key=lambda k: k[0].n)
        if self.missing(last):
            return "missing"
        failed = self.failed(last)
        if failed and failed.startswith(("more than", "left out")):
            return f"left out, as at {last[0].n}: {failed}"
        seconds = (self.value(last, "total_cpu") or 0.0) * (case.n / last[0].n)**case.dim
        return f"left out: at least {seconds:.0f} s expected, the limit is {self.runner.seconds:.0f} s" if seconds > self.runner.seconds else None

    def measure(self, key):
        case, solver = key
        start = time.monotonic()
        where = ["-f", case.file] if case.file else ["-bench_scene", case.name, "-bench_dim", str(case.dim), "-bench_n", str(case.n)]
        run = self.runner("bench_neural", where + (["-bench_kernels"] if solver == KERNELS else ["-bench_solver", solver]) + ["-bench_least", "0.5"], 1)
        return self.keep(run, start, case=case.name, dim=case.dim or None, n=case.n or None, solver=solver)

    def csv(self):
        columns = ["case", "dim", "n", "solver", "status", "cells", "rows", "nnz", "singular", "runs", "iterations", "reason", "residual", "peak_MB", "complexity", "cycle_MB"]
        self.write(self.options.out + ".csv", columns + [f"{phase}_{clock}" for phase in ("setup", "solve", "total", "first", "change", "mult", "apply") for clock in CLOCKS])


def label(case):
    return f"{case.name:40}" if case.file else f"{case.name:8} {case.n}^{case.dim}".ljust(40)


def title(part, case):
    """What all solvers of a case have in common"""
    runs = [run for key, runs in part.results.items() if key[0] == case and not isinstance(runs, str) for run in runs if "rows" in run]
    if not runs:
        return label(case)
    return f"{label(case).strip()}: {runs[0]['rows']:.0f} rows, {100 * runs[0]['rows'] / runs[0]['cells']:.0f}% of the cells" + (", singular" if runs[0]["singular"] else "")


def solves(part, cases, solvers, table):
    for case in cases:
        # Levels for geometric multigrid are made for whole boxes only
        keys = [(case, s) for s in solvers if s != "mg" or (not case.file and case.name == "box")]
        part.block(keys)
        table()
        table(title(part, case))
        table(f"{'solver':10} " + measure.head())
        for key in keys:
            if part.results[key] != "missing":
                table(part.solve(f"{key[1]:10}", key, (case, OURS), digits=4))
        part.csv()


def kernels(part, cases, table):
    # An apply is too short for user time, which is only exact to a tick
    clock = "wall" if part.clock == "wall" else "cpu"
    table()
    table(f"Milliseconds of {clock} time, the shortest of many runs in a process. change: a set-up after the image has changed, first: the first one, with all that it reads and allocates")
    table(f"{'':40} {'MatMult':>9} {'apply':>9} {'change':>9} {'first':>9} | apply/MatMult change/apply first/apply")
    for case in cases:
        key = (case, KERNELS)
        part.block([key])
        if part.status(key):
            table(f"{label(case)}      {part.status(key)}")
            continue
        v = {name: part.value(key, f"{name}_{clock}") for name in ("mult", "apply", "change", "first")}
        table(f"{label(case)} " + " ".join(cell(1e3 * seconds, ".2f", 9) for seconds in v.values()) + f" | {v['apply'] / v['mult']:13.2f} {v['change'] / v['apply']:12.1f} {v['first'] / v['apply']:11.1f}")
        part.csv()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["neural"])
    parser.add_argument("--build", required=True)
    parser.add_argument("--out", required=True, help="results without their suffix")
    parser.add_argument("--machine", default="")
    parser.add_argument("--systems", nargs="*", default=[], help="folders with systems fluid_*.h5")
    parser.add_argument("--clock", default="user", choices=CLOCKS)
    parser.add_argument("--rounds", type=int, default=int(environment("BENCH_ROUNDS", "2")))
    options = parser.parse_args()
    os.makedirs(os.path.dirname(options.out) or ".", exist_ok=True)
    table = Table(options.out + ".txt")
    part = Fluids(options, table, Runner(options.build, "120"))
    solvers = words("BENCH_SOLVERS", SOLVERS)
    files = [Case(os.path.basename(file)[:-3], 0, 0, file) for folder in options.systems if folder for file in sorted(glob.glob(os.path.join(folder, "fluid_*.h5")))]
    solid, flat = numbers(environment("BENCH_SIZES_3D", "64,128")), numbers(environment("BENCH_SIZES", "512"))
    scenes = [Case(name, 3, n) for n in solid for name in words("BENCH_SCENES", "box smoke dam wavy splash bubbles")]
    scenes += [Case(name, 2, n) for n in flat for name in words("BENCH_SCENES_2D", "box dam")]
    cases = files + scenes
    table(options.machine)
    part.preamble()
    table(f"All solvers have the same matrix, with a row for each fluid cell. Behind the bar solver/{OURS}, above 1 {OURS} is better.")
    kernels(part, [case for case in scenes if case.name in ("box", "dam")], table)
    solves(part, cases, solvers, table)
    for what, without in (("Best peer", NEURAL), ("Best peer that is not of petlap", OWN)):
        peers = [s for s in solvers if s not in without]
        part.best(OURS, [(label(case), (case, OURS), {s: (case, s) for s in peers}) for case in cases], what)


main()
