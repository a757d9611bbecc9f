#!/usr/bin/env python3
"""Tables of solvers for Laplacians, each measurement in a process of its own; tests/bench/run starts it. README.md here tells what is measured.

Parts: hsc (times), kappa (condition numbers), growth (times over sizes, and a picture), shift (sequences of diagonals), eigen (lowest eigenvectors)."""
import argparse
import os
import re
import subprocess
import sys
import time

import measure
from measure import CLOCKS, MISSING, Runner, Table, cell, environment, exponent, numbers, words

# What the others are compared with
OURS = os.environ.get("BENCH_REFERENCE") or "hsc"
FAMILIES = "lap5 neumann epd1.2:1 epd1.8:0.1 epd1.8:40 color matting1e-2 darcy1e4 mesh1 mesh1s meshd meshds cotan cotanbad lap7 lap7n"
SOLVERS = "hsc hscsym hypre hyprestrong gamg gamgtuned ml cholmod"
DIRECT = ("cholmod", "mumps")
SOLID = ("lap7", "lap7n", "fem27")
MESH = re.compile(r"(mesh1|meshd|cotan|cotanbad|closed)s?$")
# Sweeps over all matrices of the hierarchy in one cycle, in products with a matrix: transfers count 0.7, a sweep of Gauss-Seidel 1; a symmetric cycle has one more sweep and a residual
# Options of the preconditioner that are switched for condition numbers
VARIANTS = [("", []), ("no comp.", ["-pc_hsc_compensate", "0"]), ("geometry", ["-pc_hsc_geometry", "1", "-bench_dm", "1"]), ("geo., no comp.", ["-pc_hsc_geometry", "1", "-bench_dm", "1", "-pc_hsc_compensate", "0"])]
SHIFTS = environment("BENCH_SHIFTS", "0.1,1,10,100,1000")


def unknowns(family, n):
    return n**3 if family in SOLID else n**2


class Laplacians(measure.Rounds):
    """A key is (family, n, solver, name of a variant)"""

    def __init__(self, options, table, runner, variants=None):
        super().__init__(options, table, runner)
        # Options of a variant by its name
        self.variants = variants or {"": []}

    def sizes(self, family, flat, solid):
        usual = environment("BENCH_SIZES_3D", solid) if family in SOLID else environment("BENCH_SIZES", flat)
        return numbers(environment("BENCH_SIZES_" + re.sub(r"\W", "_", family), usual))

    def arguments(self, family, n):
        """How bench_hsc is told of a matrix; the file of a mesh is made where it is not there, or older than what makes it"""
        if not MESH.match(family):
            return ["-bench_family", family, "-bench_n", str(n), "-bench_picture", self.options.picture]
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mesh.py")
        file = os.path.join(self.options.build, f"bench_{family}_{n}.petsc")
        if not os.path.exists(file) or os.path.getmtime(file) < os.path.getmtime(script):
            # Another Python may come first in PATH than the one that has SciPy
            for python in (sys.executable, "/usr/bin/python3"):
                done = subprocess.run([python, script, family, str(n), file + ".tmp"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
                if done.returncode == 0:
                    os.replace(file + ".tmp", file)
                    break
            else:
                raise RuntimeError(done.stdout.strip().splitlines()[-1])
        return ["-bench_family", MESH.match(family).group(1), "-bench_mesh", file]

    def foresee(self, key):
        """Judged by the largest smaller size: time grows at most like the power 1.5 of the unknowns for direct solvers (2 in 3D), memory like 1.05 (1.33)"""
        family, n, solver, variant = key
        if family == "neumann" and solver in DIRECT:
            return "singular"
        smaller = [k for k in self.results if (k[0], k[2], k[3]) == (family, solver, variant) and k[1] < n]
        if not smaller:
            return None
        last = max(smaller, key=lambda k: k[1])
        if self.missing(last):
            return "missing"
        failed = self.failed(last)
        if failed and failed.startswith(("more than", "left out")):
            return f"left out, at {last[1]}: {failed}" if not failed.startswith("left out") else f"left out, as at {last[1]}"
        if failed or not self.value(last, "peak_MB"):
            return None
        growth = unknowns(family, n) / unknowns(family, last[1])
        solid, direct = family in SOLID, solver in DIRECT
        seconds = self.value(last, "total_cpu") * growth**((2 if solid else 1.5) if direct else 1)
        gigabytes = self.value(last, "peak_MB") / 1024 * growth**((1.33 if solid else 1.05) if direct else 1)
        if seconds > 2 * self.runner.seconds:
            return f"left out: about {seconds:.0f} s expected, the limit is {self.runner.seconds:.0f} s"
        if gigabytes > self.runner.gigabytes > 0:
            return f"left out: about {gigabytes:.0f} GB expected, the limit is {self.runner.gigabytes:.0f} GB"
        return None

    def measure(self, key):
        family, n, solver, variant = key
        start = time.monotonic()
        try:
            run = self.runner("bench_hsc", self.arguments(family, n) + ["-bench_solver", solver] + self.variants[variant], 1)
        except RuntimeError as error:
            run = {"status": f"no mesh: {error}"}
        return self.keep(run, start, family=family, n=n, solver=solver, variant=variant)

    def csv(self, name, more=()):
        columns = ["family", "n", "solver", "variant", "status", "rows", "nnz", "runs", "iterations", "reason", "residual", "peak_MB", "complexity", "cycle_MB", "kappa"]
        columns += [f"{phase}_{clock}" for phase in ("setup", "solve", "total") for clock in CLOCKS] + list(more)
        self.write(name, columns)


def describe(runner, table, machine, clock):
    """The machine and the bandwidth of its memory, in bytes a second"""
    triad = runner("bench_hsc", ["-bench_triad"], 1, 60.0)
    speed = triad.get(f"triad_GBs_{clock}", 0.0)
    table(machine)
    table(f"Memory: {speed:.1f} GB/s by one core in a loop x = y + a z over arrays of 128 MB")
    return 1e9 * speed


def head(bandwidth):
    return f"{'n':>5} {'family':11} {'solver':11} " + measure.head(bandwidth)


def line(part, key, bandwidth):
    family, n, solver, _ = key
    return part.solve(f"{n:5d} {family:11} {solver:11}", key, (family, n, OURS, ""), bandwidth)


def summary(part, cases, solvers):
    # Another cycle of the same preconditioner is no peer
    peers = [s for s in solvers if not s.startswith(OURS)]
    part.best(OURS, [(f"{n:5d} {family:11}", (family, n, OURS, ""), {s: (family, n, s, "") for s in peers}) for family, n in cases])


def part_hsc(options, table, runner):
    part = Laplacians(options, table, runner)
    bandwidth = describe(runner, table, options.machine, part.clock)
    part.preamble()
    table(f"floor: the time of an iteration that only waits for memory, as a share of the measured one. Behind the bar solver/{OURS}, above 1 {OURS} is better.")
    solvers, cases = words("BENCH_SOLVERS", SOLVERS), []
    table()
    table(head(bandwidth))
    for family in words("BENCH_FAMILIES", FAMILIES):
        for n in part.sizes(family, "257,1025", "33,65,101"):
            keys = [(family, n, solver, "") for solver in solvers]
            cases.append((family, n))
            part.block(keys)
            for key in keys:
                if part.results[key] != "missing":
                    table(line(part, key, bandwidth))
            part.csv(options.out + ".csv")
    summary(part, cases, solvers)


def kappa(part, key):
    """Condition number and iterations; at the limit of iterations it is a lower bound"""
    if part.failed(key):
        return "failed" if part.failed(key).startswith(MISSING) else part.failed(key)[:17]
    run = part.results[key][0]
    if "kappa" not in run:
        return "-"
    return f"{'>' if run['reason'].startswith('DIVERGED') else ''}{run['kappa']:.2f} ({run['iterations']:.0f})"


def part_kappa(options, table, runner):
    options.rounds = 1
    part = Laplacians(options, table, runner, {name: ["-bench_kappa", "1"] + more for name, more in VARIANTS})
    table(options.machine)
    table("Condition number of the preconditioned matrix (iterations to a relative residual of 1e-13, 60 at most: then > is a lower bound).")
    names = [name for name, _ in VARIANTS]
    width = 18
    solvers = [s for s in words("BENCH_SOLVERS", "hscsym hyprestrong gamg") if s not in DIRECT]
    ours = [s for s in solvers if s.startswith("hsc")]
    columns = [(s, name) for s in ours for name in names] + [(s, "") for s in solvers if s not in ours]
    chosen = words("BENCH_FAMILIES", FAMILIES)

    def lines(cases):
        for family, n in cases:
            # Without a grid in the plane there is no geometry to use
            keys = [None if name.startswith("geo") and (MESH.match(family) or family in SOLID) else (family, n, s, name) for s, name in columns]
            part.block([key for key in keys if key])
            table(f"{n:5d} {family:11}" + "".join(f"{kappa(part, key) if key else '-':>{width}}" for key in keys))
            part.csv(options.out + ".csv")

    table()
    table(f"{'':17}" + "".join(f"{s:>{width}}" for s, _ in columns))
    table(f"{'n':>5} {'family':11}" + "".join(f"{name:>{width}}" for _, name in columns))
    first = [family for family in ("lap5", "neumann") if family in chosen]
    lines([(family, n) for family in first for n in part.sizes(family, "32,64,128,256,512,1024", "")])
    table()
    lines([(family, part.sizes(family, "1024", "64")[-1]) for family in chosen if family not in first])


COLOURS = {"hsc": "#0060ad", "hscsym": "#6baed6", "hypre": "#d95319", "hyprestrong": "#b8860b", "gamg": "#2a9d4a", "gamgtuned": "#80b918", "ml": "#8e44ad", "cholmod": "#7f7f7f"}


def plot(part, solvers, families, name):
    script, clock = "", part.clock
    panels = {}
    for family in families[:2]:
        curves = []
        for solver in solvers:
            keys = sorted((k for k in part.results if k[0] == family and k[2] == solver and part.value(k, f"total_{clock}")), key=lambda k: k[1])
            if not keys:
                continue
            block = f"$data{len(panels)}_{len(curves)}"
            script += block + " << EOD\n" + "\n".join(f"{part.value(k, 'rows')} {part.value(k, f'total_{clock}')}" for k in keys) + "\nEOD\n"
            curves.append(f"{block} using 1:2 with linespoints lw {3 if solver == OURS else 1.5} pt 7 ps 0.8 lc rgb '{COLOURS.get(solver, '#000000')}' title '{solver}'")
        points = sorted((part.value(k, "rows"), part.value(k, f"total_{clock}")) for k in part.results if k[0] == family and part.value(k, f"total_{clock}"))
        if curves:
            panels[family] = curves + [f"{0.6 * points[0][1] / points[0][0]}*x with lines dt 2 lw 1 lc rgb '#999999' title 'N'"]
    if not panels:
        return
    script += f"set multiplot layout 1,{len(panels)} title 'set-up and one solve, seconds ({'wall' if clock == 'wall' else 'CPU'})'\nset ylabel 'seconds'\n"
    for family, curves in panels.items():
        script += f"set title '{family}'\nplot {', '.join(curves)}\n"
    measure.gnuplot(script + "unset multiplot\n", name)


def part_growth(options, table, runner):
    part = Laplacians(options, table, runner)
    bandwidth = describe(runner, table, options.machine, part.clock)
    part.preamble()
    solvers, families = words("BENCH_SOLVERS", "hsc hypre hyprestrong gamg cholmod"), words("BENCH_FAMILIES", "lap5 epd1.2:1 lap7")
    table()
    table(head(bandwidth))
    for family in families:
        for n in part.sizes(family, "316,562,1000,1778,3162,4000", "46,68,100,147"):
            keys = [(family, n, solver, "") for solver in solvers]
            part.block(keys)
            for key in keys:
                if part.results[key] != "missing":
                    table(line(part, key, bandwidth))
            part.csv(options.out + ".csv")
    table()
    table("Growth: time ~ N^p over the N unknowns and memory ~ N^p, fitted to all sizes; 1 is best")
    table(f"{'family':11} {'solver':11} {'setup':>8} {'solve':>8} {'total':>8} {'MB':>8}  sizes")
    for family in families:
        for solver in solvers:
            keys = [k for k in part.results if k[0] == family and k[2] == solver and part.value(k, "total_cpu")]
            slopes = [exponent([(part.value(k, "rows"), part.value(k, name)) for k in keys]) for name in [f"{p}_{part.clock}" for p in ("setup", "solve", "total")] + ["peak_MB"]]
            if len(keys) > 1:
                table(f"{family:11} {solver:11} " + " ".join(cell(s, ".2f", 8) for s in slopes) + "  " + " ".join(str(k[1]) for k in keys))
    plot(part, solvers, families, options.out + ".png")


def part_shift(options, table, runner):
    count = len(SHIFTS.split(","))
    common = ["-bench_shifts", SHIFTS]
    part = Laplacians(options, table, runner, {"update": common, "rebuild": common + ["-bench_rebuild", "1"], "keep": common + ["-ksp_reuse_preconditioner", "1"]})
    table(options.machine)
    part.preamble()
    table(f"{count} systems of the family epd with {SHIFTS} on the diagonal, one after the other. update: the preconditioner is told of the new diagonal; rebuild: a new one each time; keep: the first one serves all.")
    modes = [(s, mode) for s in words("BENCH_SOLVERS", "hsc hypre hyprestrong cholmod") for mode in (("update", "rebuild") if s in DIRECT else ("update", "rebuild", "keep"))]
    table()
    table(f"{'n':>5} {'family':11} {'solver':11} {'mode':8} {'runs':>4} {'setup':>8} {'solve':>8} {'total':>8} {'its':>5} | {'setup of each':{8 * count}} | its of each")
    for family in words("BENCH_FAMILIES", "epd1.2:1 epd1.8:40"):
        if not family.startswith("epd"):
            continue
        for n in part.sizes(family, "512,1024", ""):
            keys = [(family, n, solver, mode) for solver, mode in modes]
            part.block(keys)
            for key in keys:
                start = f"{n:5d} {family:11} {key[2]:11} {key[3]:8}"
                if part.status(key):
                    if part.results[key] != "missing":
                        table(f"{start}      {part.status(key)}")
                    continue
                text = f"{start} {len(part.results[key]):4d}"
                text += "".join(" " + cell(part.value(key, f"{phase}_{part.clock}"), ".3f", 8) for phase in ("setup", "solve", "total")) + " " + cell(part.value(key, "iterations"), ".0f", 5)
                text += " | " + " ".join(cell(part.value(key, f"setup{k}_{part.clock}"), ".3f", 7) for k in range(count)) + "  | " + " ".join(cell(part.value(key, f"iterations{k}"), ".0f", 4) for k in range(count))
                table(text)
            part.csv(options.out + ".csv", [f"{phase}{k}_{clock}" for k in range(count) for phase in ("setup", "solve") for clock in CLOCKS] + [f"{name}{k}" for k in range(count) for name in ("iterations", "residual")])


class Eigenvectors(Laplacians):
    """The variant of a key is the number of eigenvectors and the tolerance"""

    def measure(self, key):
        family, n, solver, variant = key
        wanted, tol = variant.split(":")
        start = time.monotonic()
        try:
            where = self.arguments(family, n)
            if solver == OURS:
                run = self.runner("bench_eigen", where + ["-bench_wanted", wanted, "-bench_tol", tol], 1)
            else:
                if not MESH.match(family):
                    raise RuntimeError("other eigensolvers read matrices from files: take families of meshes")
                script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "eigen_peer.py")
                for python in dict.fromkeys((environment("BENCH_PYTHON", sys.executable), sys.executable, "/usr/bin/python3")):
                    run = self.runner([python, script], [solver, where[-1], wanted, tol, str(int(MESH.match(family).group(1) == "closed"))], 1)
                    if not run["status"].startswith(MISSING):
                        break
        except RuntimeError as error:
            run = {"status": f"no mesh: {error}"}
        if run["status"] == "ok" and run["converged"] < float(wanted):
            run["status"] = f"{run['converged']:.0f} of {wanted} converged after {run['iterations']:.0f} iterations"
        return self.keep(run, start, family=family, n=n, solver=solver, variant=variant)

    def error(self, key, reference):
        """Largest relative difference of an eigenvalue from that of the reference"""
        values, exact = ([run.get(f"value{j}") for j in range(int(key[3].split(":")[0]))] for run in (self.results[key][0], self.results[reference][0]))
        return max(abs(v - e) / e for v, e in zip(values, exact)) if all(values) and all(exact) else None


def part_eigen(options, table, runner):
    part = Eigenvectors(options, table, runner)
    table(options.machine)
    table(f"Lowest eigenvectors of Laplacians of meshes. Seconds of {part.clock} time, medians of up to {options.rounds} rounds; limits {runner.seconds:.0f} s and " + (f"{runner.gigabytes:.0f} GB." if runner.gigabytes > 0 else "any memory."))
    table(f"residual: the largest |Ax - cx| / c of a vector, error: the largest difference of an eigenvalue from that of {OURS} with the smallest tolerance, relative. Behind the bar solver/{OURS}.")
    solvers = words("BENCH_SOLVERS", "hsc mumps gamg hypre pyamg")
    # One of ours comes first, as the others are compared with it
    solvers = [OURS] + [s for s in solvers if s != OURS]
    tolerances, wanted = words("BENCH_TOLERANCES", "1e-4 1e-8"), words("BENCH_WANTED", "3 10")
    table()
    table(f"{'n':>5} {'family':11} {'k':>3} {'tol':>6} {'solver':11} {'runs':>4} {'its':>5} {'setup':>8} {'solve':>8} {'total':>8} {'(wall)':>8} {'residual':>8} {'error':>8} {'peak MB':>7} |  total     MB")
    cases = [(family, n, f"{k}:{tol}") for family in words("BENCH_FAMILIES", "closed mesh1 meshd") for n in part.sizes(family, "224,447,894", "") for k in wanted for tol in tolerances]
    for family, n, variant in cases:
        keys = [(family, n, solver, variant) for solver in solvers]
        part.block(keys)
    for family, n, variant in cases:
        k, tol = variant.split(":")
        ours = (family, n, OURS, variant)
        finest = (family, n, OURS, f"{k}:{min(tolerances, key=float)}")
        for solver in solvers:
            key = (family, n, solver, variant)
            start = f"{n:5d} {family:11} {k:>3} {tol:>6} {solver:11}"
            if part.status(key):
                if not part.missing(key):
                    table(f"{start}      {part.status(key)}")
                continue
            v = lambda name: part.value(key, name)
            text = f"{start} {len(part.results[key]):4d} {cell(v('iterations'), '.0f', 5)}"
            for name in (f"setup_{part.clock}", f"solve_{part.clock}", f"total_{part.clock}", "total_wall"):
                text += " " + cell(v(name), ".3f", 8)
            text += " " + cell(v("residual"), ".1e", 8) + " " + cell(part.error(key, finest) if not part.status(finest) else None, ".1e", 8) + " " + cell(v("peak_MB"), ".0f", 7)
            if key != ours:
                text += " |" + "".join(" " + cell(part.ratio(key, ours, name), ".2f", 6) for name in (f"total_{part.clock}", "peak_MB"))
            table(text)
    part.csv(options.out + ".csv", ["converged", "orthogonality"] + [f"value{j}" for j in range(max(int(k) for k in wanted))])
    table()
    table("Total time, and in parentheses how many times faster than shift-and-invert (Table 5 of the paper)")
    table(f"{'family':11} {'vertices':>8} {'k':>3} {'tol':>6}" + "".join(f"{s:>18}" for s in solvers))
    for family, n, variant in cases:
        k, tol = variant.split(":")
        base = part.value((family, n, "mumps", variant), f"total_{part.clock}") if "mumps" in solvers else None
        text = f"{family:11} {n * n:8d} {k:>3} {tol:>6}"
        for solver in solvers:
            seconds = part.value((family, n, solver, variant), f"total_{part.clock}")
            text += f"{'-' if not seconds else f'{seconds:.2f}' + (f' ({base / seconds:.1f}x)' if base else ''):>18}"
        table(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["hsc", "kappa", "growth", "shift", "eigen"])
    parser.add_argument("--build", required=True)
    parser.add_argument("--out", required=True, help="results without their suffix")
    parser.add_argument("--machine", default="")
    parser.add_argument("--picture", default="")
    parser.add_argument("--clock", default="user", choices=CLOCKS)
    parser.add_argument("--rounds", type=int, default=int(environment("BENCH_ROUNDS", "3")))
    options = parser.parse_args()
    os.makedirs(os.path.dirname(options.out) or ".", exist_ok=True)
    {"hsc": part_hsc, "kappa": part_kappa, "growth": part_growth, "shift": part_shift, "eigen": part_eigen}[options.part](options, Table(options.out + ".txt"), Runner(options.build, "300"))


main()
