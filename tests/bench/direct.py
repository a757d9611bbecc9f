#!/usr/bin/env python3
"""Tables of direct solvers, each measurement in a process of its own; tests/bench/run starts it. README.md here tells what is measured.

Parts: direct (one thread), threads (one and two threads), table3 (direct and iterative solvers on six problems)."""
import argparse
import csv
import os
import sys
import time

import measure
from measure import MISSING, Runner, Table, cell, environment, exponent, numbers

# What the others are compared with
OURS = os.environ.get("BENCH_REFERENCE") or "schwarzschur"
# family, whether it is factored as symmetric, solvers beside ours
CASES = [
    ("lap5", True, ["mumps", "cholmod", "petsc"]),
    ("var5", True, ["mumps", "cholmod", "petsc"]),
    ("aniso9", True, ["mumps", "cholmod", "petsc"]),
    ("hel0.01", True, ["mumps", "cholmod", "petsc"]),
    ("hel0.1", True, ["mumps", "petsc"]),
    ("hel1", True, ["mumps", "petsc"]),
    ("var5", False, ["mumps", "umfpack", "superlu_dist", "superlu", "petsc", "mkl_pardiso"]),
    ("aniso9", False, ["mumps", "umfpack", "superlu_dist", "superlu", "petsc", "mkl_pardiso"]),
    ("hel1", False, ["mumps", "umfpack", "superlu_dist"]),
    ("cd5", False, ["mumps", "umfpack", "superlu_dist", "superlu", "petsc", "mkl_pardiso"]),
    ("rdeconv", False, ["mumps", "umfpack", "superlu_dist", "superlu", "petsc", "mkl_pardiso"]),
    ("lap7", True, ["mumps", "cholmod"]),
    ("fem27", True, ["mumps", "cholmod"]),
]
SOLID = ("lap7", "fem27")
PHASES = ["first", "refactor", "solve", "matsolve", "transpose"]


def describe(runner, table, threads, machine):
    """The machine and its BLAS; returns the GF/s of its matrix product."""
    blas = runner("bench_direct", ["-bench_blas"], threads, 60.0)
    speed = threads * blas.get("gemm_GFs_cpu", 0.0)
    table(machine)
    table(f"BLAS: {blas.get('blas', 'not found in /proc/self/maps')}, {speed:.1f} GF/s of CPU time ({blas.get('gemm_GFs_wall', 0.0):.1f} by the clock) in a product of matrices of order 1024, threads: {threads}")
    return speed


class Direct(measure.Rounds):
    """A key is (family, symmetric, n, solver, threads)"""

    def foresee(self, key):
        """A run that would exceed the limits is not started, judged by the largest smaller size: time grows at most like the power 1.5 of the unknowns in 2D and 2 in 3D."""
        family, symmetric, n, solver, threads = key
        smaller = [k for k in self.results if k[:2] == key[:2] and k[3:] == key[3:] and k[2] < n]
        if not smaller:
            return None
        last = max(smaller, key=lambda k: k[2])
        if self.missing(last):
            return "missing"
        growth = n / last[2]
        runs = self.results[last]
        if isinstance(runs, str):
            return f"left out, as at {last[2]}"
        if any(run["status"].startswith("more than") for run in runs):
            return f"left out, at {last[2]} it took {runs[0]['status']}"
        if not self.value(last, "refactor_cpu"):
            return None
        seconds = (self.value(last, "first_cpu") + 2 * self.value(last, "refactor_cpu") + 20 * self.value(last, "solve_cpu")) * growth**(6 if family in SOLID else 3)
        gigabytes = self.value(last, "peak_MB") / 1024 * growth**(4 if family in SOLID else 2.1)
        # Many solvers grow less; a run that should not have begun only costs the time limit
        if seconds > 2 * self.runner.seconds * threads:
            return f"left out: about {seconds:.0f} s expected, the limit is {self.runner.seconds:.0f} s"
        if gigabytes > self.runner.gigabytes > 0:
            return f"left out: about {gigabytes:.0f} GB expected, the limit is {self.runner.gigabytes:.0f} GB"
        return None

    def measure(self, key):
        family, symmetric, n, solver, threads = key
        arguments = ["-bench_family", family, "-bench_n", str(n), "-bench_solver", solver, "-bench_cholesky", "1" if symmetric else "0"]
        if solver == OURS and threads > 1:
            arguments += ["-mat_schwarzschur_threads", str(threads)]
        start = time.monotonic()
        run = self.runner("bench_direct", arguments, threads)
        run["wall"] = time.monotonic() - start
        for clock in ("cpu", "user", "wall"):
            if isinstance(run.get("factor_" + clock), float):
                run["first_" + clock] = run["analysis_" + clock] + run["factor_" + clock]
        self.rows.append(dict(run, family=family, factor="cholesky" if symmetric else "lu", n=n, solver=solver, threads=threads))
        return run

    def memory(self, key):
        """What the solver tells of its factors, else what the process grew by"""
        return self.value(key, "memory_MB") or self.value(key, "peak_MB")

    def csv(self, name):
        columns = ["family", "factor", "n", "solver", "threads", "status", "rows", "nnz"]
        columns += [f"{phase}_{clock}" for phase in ["analysis", "factor"] + PHASES for clock in ("cpu", "user", "wall")]
        columns += ["memory_MB", "peak_MB", "rss_MB", "entries", "flops"]
        columns += [prefix + error for prefix in ("", "matsolve_", "transpose_") for error in ("residual", "backward_error")]
        self.write(name, columns)


def head(clock, ratios):
    text = f"{'n':>5} {'family':8} {'factor':8} {'solver':12} {'runs':>4} {'analysis':>8} {'factor':>8} {'refactor':>8} {'(wall)':>8} {'solve':>8} {'16 rhs':>8} {'transp.':>8}"
    text += f" {'MB':>7} {'peak MB':>7} {'residual':>8} {'backward':>8} {'transp.':>8} {'GF/s':>6} {'peak':>4}"
    return text + (" | first refact  solve 16 rhs transp     MB" if ratios else "")


def line(direct, key, ours, peak):
    family, symmetric, n, solver, threads = key
    start = f"{n:5d} {family:8} {'cholesky' if symmetric else 'lu':8} {solver:12}"
    runs, failed = direct.results[key], direct.failed(key)
    if failed:
        return f"{start}      {failed}" + (", whatever n is" if direct.missing(key) else "")
    clock, v = direct.clock, lambda name: direct.value(key, name)
    text = f"{start} {len(runs):4d}"
    for phase in ("analysis", "factor", "refactor"):
        text += " " + cell(v(f"{phase}_{clock}"), ".3f", 8)
    text += " " + cell(v("refactor_wall"), ".3f", 8)
    for phase in ("solve", "matsolve", "transpose"):
        text += " " + cell(v(f"{phase}_{clock}"), ".4f", 8)
    text += " " + cell(v("memory_MB") or None, ".0f", 7) + " " + cell(v("peak_MB"), ".0f", 7)
    for error in ("residual", "backward_error", "transpose_backward_error"):
        text += " " + cell(v(error), ".1e", 8)
    # PETSc does not count those of its own Cholesky factorization
    work = v("flops") if not (solver == "petsc" and symmetric) else None
    rate = work / v(f"refactor_{clock}") * 1e-9 if work and v(f"refactor_{clock}") else None
    text += " " + cell(rate, ".1f", 6) + " " + (f"{100 * rate / peak:3.0f}%" if rate and peak else "   -")
    if ours is not None and key != ours:
        text += " |" + "".join(" " + cell(direct.ratio(key, ours, f"{phase}_{clock}"), ".2f", 6 if phase != "first" else 5) for phase in PHASES)
        mine, other = direct.memory(ours), direct.memory(key)
        text += " " + cell(other / mine if mine and other else None, ".2f", 6)
    return text


def cases(options):
    wanted = environment("BENCH_FAMILIES", options.families).replace(",", " ").split()
    kinds = environment("BENCH_FACTORS", "cholesky,lu").replace(",", " ").split()
    solvers = environment("BENCH_SOLVERS", "").replace(",", " ").split()
    chosen = []
    for name in wanted:
        found = [case for case in CASES if case[0] == name]
        if not found:
            sys.exit(f"BENCH_FAMILIES: {name} is none of {' '.join(dict.fromkeys(case[0] for case in CASES))}")
        for family, symmetric, peers in found:
            if ("cholesky" if symmetric else "lu") in kinds:
                chosen.append((family, symmetric, solvers or [OURS] + peers))
    return chosen


def sizes(options, family):
    usual = environment("BENCH_SIZES_3D", "17,33,49") if family in SOLID else environment("BENCH_SIZES", options.sizes)
    return numbers(environment("BENCH_SIZES_" + family, usual))


def unknowns(family, n):
    return n**3 if family in SOLID else n**2


def growth(direct, table, chosen, name):
    """Exponents of the unknowns, and a picture of the first case"""
    table()
    table("Growth: time ~ N^p and memory ~ N^p over the N = n^2 (n^3) unknowns, fitted to the sizes from 257 (17 in 3D) on. A direct solver by nested dissection has 1.5 and 1 (with a logarithm) in 2D, 2 and 1.33 in 3D.")
    table(f"{'family':8} {'factor':8} {'solver':12} {'refactor':>8} {'solve':>8} {'MB':>8}  sizes")
    for family, symmetric, solvers in chosen:
        for solver in solvers:
            keys = [key for key in direct.results if key[:2] == (family, symmetric) and key[3] == solver and direct.value(key, f"refactor_{direct.clock}")]
            fitted = [key for key in keys if key[2] >= (17 if family in SOLID else 257)]
            if len(fitted) < 2:
                continue
            slopes = [exponent([(unknowns(family, key[2]), get(key)) for key in fitted])
                      for get in (lambda key: direct.value(key, f"refactor_{direct.clock}"), lambda key: direct.value(key, f"solve_{direct.clock}"), direct.memory)]
            table(f"{family:8} {'cholesky' if symmetric else 'lu':8} {solver:12} " + " ".join(cell(s, ".2f", 8) for s in slopes) + "  " + " ".join(str(key[2]) for key in fitted))
    plot(direct, next((case for case in chosen if case[0] == "aniso9"), chosen[0]), name)


def plot(direct, case, name):
    family, symmetric, solvers = case
    colours = {OURS: "#0060ad", "mumps": "#d95319", "cholmod": "#2a9d4a", "petsc": "#7f7f7f", "umfpack": "#2a9d4a", "superlu_dist": "#8e44ad", "superlu": "#b8860b"}
    blocks, panels = [], [[], []]
    for solver in solvers:
        keys = sorted((key for key in direct.results if key[:2] == (family, symmetric) and key[3] == solver and direct.value(key, f"refactor_{direct.clock}")), key=lambda key: key[2])
        if not keys:
            continue
        block = f"$data{len(blocks)}"
        lines = [f"{unknowns(family, key[2])} {direct.value(key, f'refactor_{direct.clock}')} {direct.memory(key) or 'NaN'}" for key in keys]
        blocks.append(block + " << EOD\n" + "\n".join(lines) + "\nEOD\n")
        style = f"with linespoints lw {3 if solver == OURS else 1.5} pt 7 ps 0.8 lc rgb '{colours.get(solver, '#000000')}' title '{solver.replace('_', ' ')}'"
        for p in (0, 1):
            panels[p].append(f"{block} using 1:{2 + p} {style}")
    if not blocks:
        return
    first = unknowns(family, min(key[2] for key in direct.results if key[:2] == (family, symmetric)))
    titles = ["numeric factorization", "memory of the factors"]
    labels = [f"seconds ({'wall' if direct.clock == 'wall' else 'CPU'})", "MB"]
    script = "".join(blocks)
    script += f"set multiplot layout 1,2 title '{family}, {'Cholesky' if symmetric else 'LU'}'\n"
    for p in (0, 1):
        power = 1.5 if p == 0 else 1.0
        low = min(v for v in (direct.value(key, f"refactor_{direct.clock}") if p == 0 else direct.memory(key) for key in direct.results if key[:2] == (family, symmetric)) if v)
        guide = f"{0.6 * low}*(x/{first})**{power} with lines dt 2 lw 1 lc rgb '#999999' title '{'N^{1.5}' if p == 0 else 'N'}'"
        script += f"set title '{titles[p]}'\nset ylabel '{labels[p]}'\nplot {', '.join(panels[p] + [guide])}\n"
    script += "unset multiplot\n"
    measure.gnuplot(script, name)


def summary(direct, table, chosen):
    """The best peer of every case and phase"""
    rows = []
    for family, symmetric, solvers in chosen:
        for n in sizes(direct.options, family):
            ours = (family, symmetric, n, OURS, 1)
            best = []
            for phase in PHASES:
                others = [(direct.value((family, symmetric, n, s, 1), f"{phase}_{direct.clock}"), s) for s in solvers if s != OURS]
                others = [other for other in others if other[0]]
                mine = direct.value(ours, f"{phase}_{direct.clock}")
                best.append(f"{min(others)[0] / mine:6.2f} {min(others)[1]:12}" if others and mine else f"{'-':>6} {'':12}")
            if any(text.strip() != "-" for text in best):
                rows.append(f"{n:5d} {family:8} {'cholesky' if symmetric else 'lu':8} " + " ".join(best))
    if rows:
        table()
        table(f"Best peer of each phase: its time over that of {OURS}, and its name")
        table(f"{'n':>5} {'family':8} {'factor':8} " + " ".join(f"{phase:19}" for phase in ("first", "refactor", "solve", "16 rhs", "transpose")))
        for row in rows:
            table(row)


def part_direct(options, table, runner):
    direct = Direct(options, table, runner)
    peak = describe(runner, table, 1, options.machine)
    table(f"Seconds of {direct.clock} time, medians of up to {options.rounds} rounds; behind the bar peer/{OURS}, above 1 {OURS} is better; limits {runner.seconds:.0f} s and " + (f"{runner.gigabytes:.0f} GB." if runner.gigabytes > 0 else "any memory."))
    chosen = cases(options)
    table()
    table(head(direct.clock, True))
    for family, symmetric, solvers in chosen:
        for n in sizes(options, family):
            keys = [(family, symmetric, n, solver, 1) for solver in solvers]
            direct.block(keys)
            for key in keys:
                if direct.results[key] != "missing":
                    table(line(direct, key, (family, symmetric, n, OURS, 1), peak))
            direct.csv(options.out + ".csv")
    summary(direct, table, chosen)
    growth(direct, table, chosen, options.out + "_growth.png")


def part_threads(options, table, runner):
    options.clock = "wall"
    direct = Direct(options, table, runner)
    describe(runner, table, 1, options.machine)
    describe(runner, table, 2, "with two threads:")
    table(f"Seconds of {direct.clock} time, medians of up to {options.rounds} rounds: 1 thread, 2 threads, and the quotient; behind the bar peer/{OURS} with two threads each.")
    chosen = cases(options)
    table()
    phases = ["refactor", "solve", "matsolve"]
    table(f"{'n':>5} {'family':8} {'factor':8} {'solver':12}" + "".join(f" | {phase + ' 1':>10} {'2':>8} {'1/2':>5}" for phase in phases) + " | refact  solve 16 rhs")
    for family, symmetric, solvers in chosen:
        for n in sizes(options, family):
            direct.block([(family, symmetric, n, solver, threads) for solver in solvers for threads in (1, 2)])
            for solver in solvers:
                one, two, ours = ((family, symmetric, n, s, t) for s, t in ((solver, 1), (solver, 2), (OURS, 2)))
                text = f"{n:5d} {family:8} {'cholesky' if symmetric else 'lu':8} {solver:12}"
                failed = direct.failed(one) or direct.failed(two)
                if failed:
                    table(f"{text}   {failed}")
                    continue
                for phase in phases:
                    a, b = (direct.value(key, f"{phase}_{direct.clock}") for key in (one, two))
                    text += f" | {cell(a, '.4f', 10)} {cell(b, '.4f', 8)} {cell(a / b if a and b else None, '.2f', 5)}"
                text += " |" + "".join(" " + cell(direct.ratio(two, ours, f"{phase}_{direct.clock}"), ".2f", 6) for phase in phases)
                table(text)
            direct.csv(options.out + ".csv")


# name, options, whether the method needs a symmetric matrix
ITERATIVE = [
    (OURS, "direct", False),
    ("mumps", "direct", False),
    ("superlu", "direct", False),
    ("cg", "-ksp_type cg -pc_type none -ksp_norm_type unpreconditioned", True),
    ("cg + icc", "-ksp_type cg -pc_type icc -ksp_norm_type unpreconditioned", True),
    ("cg + gamg", "-ksp_type cg -pc_type gamg -ksp_norm_type unpreconditioned", True),
    ("cg + boomeramg", "-ksp_type cg -pc_type hypre -ksp_norm_type unpreconditioned", True),
    ("psdo + gamg", "-ksp_type psdo -pc_type gamg", True),
    ("minres", "-ksp_type minres -pc_type none", True),
    ("bcgs", "-ksp_type bcgs -pc_type none", False),
    ("bcgs + ilu", "-ksp_type bcgs -pc_type ilu -ksp_pc_side right", False),
    ("cgs", "-ksp_type cgs -pc_type none", False),
    ("tfqmr", "-ksp_type tfqmr -pc_type none", False),
    ("qmrcgs", "-ksp_type qmrcgs -pc_type none", False),
    ("bicg", "-ksp_type bicg -pc_type none", False),
    ("lsqr", "-ksp_type lsqr -pc_type none", False),
    ("gmres", "-ksp_type gmres -pc_type none", False),
    ("gmres + ilu", "-ksp_type gmres -pc_type ilu -ksp_pc_side right", False),
    ("gmres + gamg", "-ksp_type gmres -pc_type gamg -ksp_pc_side right", False),
    ("gmres + boomeramg", "-ksp_type gmres -pc_type hypre -ksp_pc_side right", False),
    ("fgmres + gamg", "-ksp_type fgmres -pc_type gamg", False),
]
PROBLEMS = [("Lap 1e-2", "matting1e-2"), ("Lap 1e-4", "matting1e-4"), ("Hel 0.01", "hel0.01"), ("Hel 0.1", "hel0.1"), ("Hel 1", "hel1"), ("R-Deconv", "udeconv")]
REASONS = {"DIVERGED_ITS": "iterations", "DIVERGED_DTOL": "diverged", "DIVERGED_BREAKDOWN": "breakdown", "DIVERGED_BREAKDOWN_BICG": "breakdown", "DIVERGED_NANORINF": "NaN",
           "DIVERGED_INDEFINITE_MAT": "indefinite A", "DIVERGED_INDEFINITE_PC": "indefinite PC", "DIVERGED_PC_FAILED": "PC failed", "DIVERGED_NONSYMMETRIC": "nonsymmetric"}


def part_table3(options, table, runner):
    n = numbers(environment("BENCH_SIZES", "513"))[0]
    limit = environment("BENCH_ITERATIONS", "10000")
    wanted = environment("BENCH_SOLVERS", "").split(",")
    rtol = 1e-6
    describe(runner, table, 1, options.machine)
    table(f"{n} x {n} unknowns; seconds of CPU time for set-up and one solve to a relative residual of {rtol:g} (iterations), or why there is no solution: at most {limit} iterations and {runner.seconds:.0f} s.")
    table("A star marks a true residual above twice the tolerance, which the norm of the method did not see; (s) needs a symmetric matrix. 'again' is a second solve with the same matrix, as Newton's method, adjoints and time steps have it.")
    table()
    width = 19
    table(f"{'':24}" + "".join(f"{title:>{width}}" for title, _ in PROBLEMS))
    rows = []
    for name, arguments, symmetric in ITERATIVE:
        if wanted != [""] and name not in wanted:
            continue
        first, again = [], []
        for _, family in PROBLEMS:
            is_symmetric = family != "udeconv"
            if symmetric and not is_symmetric:
                first.append("-")
                continue
            words = arguments.split()
            if arguments == "direct":
                words = ["-ksp_type", "preonly", "-pc_type", "cholesky" if is_symmetric and name != "superlu" else "lu", "-pc_factor_mat_solver_type", name]
            run = runner("bench_iterative", ["-bench_family", family, "-bench_n", str(n), "-bench_picture", options.picture, "-ksp_rtol", str(rtol), "-ksp_max_it", limit] + words, 1)
            rows.append(dict(run, solver=name, family=family, n=n))
            reason = run.get("reason", "")
            if run["status"] != "ok":
                missing = run["status"].startswith(MISSING)
                first.append("missing" if missing else "time" if run["status"].startswith("more than") else run["status"][:width - 2])
            elif not reason.startswith("CONVERGED"):
                first.append(REASONS.get(reason, reason.replace("DIVERGED_", "").lower()))
            else:
                star = "*" if not run["residual"] <= 2 * rtol else ""
                count = "" if arguments == "direct" else f" ({run['iterations']:.0f})"
                first.append(f"{run['setup_cpu'] + run['solve_cpu']:.3f}{star}{count}")
                again.append(f"{run['again_cpu']:.3f}")
        table(f"{('(s) ' if symmetric else '') + name:24}" + "".join(f"{text:>{width}}" for text in first))
        if arguments == "direct" and len(again) == len(PROBLEMS):
            table(f"{'  again':24}" + "".join(f"{text:>{width}}" for text in again))
    columns = ["solver", "family", "n", "status", "setup_cpu", "setup_wall", "solve_cpu", "solve_wall", "again_cpu", "again_wall", "iterations", "reason", "residual"]
    with open(options.out + ".csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["direct", "threads", "table3"])
    parser.add_argument("--build", required=True)
    parser.add_argument("--out", required=True, help="results without their suffix")
    parser.add_argument("--machine", default="")
    parser.add_argument("--picture", default="")
    parser.add_argument("--sizes", default="129,257,513,1025,2049")
    parser.add_argument("--families", default="lap5,var5,aniso9,hel0.01,hel0.1,hel1,cd5,rdeconv,lap7,fem27")
    parser.add_argument("--clock", default="cpu", choices=["cpu", "user", "wall"])
    parser.add_argument("--rounds", type=int, default=int(environment("BENCH_ROUNDS", "3")))
    options = parser.parse_args()
    os.makedirs(os.path.dirname(options.out) or ".", exist_ok=True)
    {"direct": part_direct, "threads": part_threads, "table3": part_table3}[options.part](options, Table(options.out + ".txt"), Runner(options.build, "60" if options.part == "table3" else "300"))


main()
