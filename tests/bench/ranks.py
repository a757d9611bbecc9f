#!/usr/bin/env python3
"""hsc and schwarzschur on several processes: speed beside peers, messages beside their formulas, and a projection of weak scaling.

Called by run, which builds and names the files. A part starts bench_ranks under mpiexec for every solver, number of processes and round, in alternating order.
"""
import argparse
import csv
import math
import os
import re
import subprocess
import time

import measure
from measure import Runner, Table, cell, environment, median, words

ITERATIVE = words("BENCH_SOLVERS", "hsc hyprestrong gamg")
DIRECT = words("BENCH_SOLVERS", "schwarzschur mumps schwarzschurlu mumpslu superludist")


class Ranks:
    """Runs of bench_ranks; results[key] is a list of them, with key = (family, n, solver, processes)."""

    def __init__(self, options, table, runner):
        self.options, self.table, self.runner = options, table, runner
        self.results, self.rows = {}, []

    def run(self, key, *more):
        family, n, solver, processes = key
        program = ["mpiexec", "-n", str(processes), os.path.join(self.options.build, "bin", "bench_ranks"), "-dll_append", os.path.join(self.options.build, "lib", "libpetlap.so")]
        arguments = ["-bench_family", family, "-bench_n", str(n), "-bench_solver", solver, *more]
        result = self.runner(program, arguments + environment("BENCH_OPTIONS", "").split(), 1)
        self.rows.append(dict(result, family=family, n=n, solver=solver, asked=processes))
        return result

    def block(self, keys, *more):
        """Solvers and numbers of processes take turns; what fails or takes very long is not repeated"""
        for key in keys:
            self.results[key] = []
        for r in range(self.options.rounds):
            for key in keys if r % 2 == 0 else reversed(keys):
                runs, start = self.results[key], time.monotonic()
                if runs and (runs[-1].get("status") != "ok" or runs[-1]["took"] > float(environment("BENCH_PATIENCE", "60"))):
                    continue
                runs.append(self.run(key, *more))
                runs[-1]["took"] = time.monotonic() - start

    def value(self, key, name):
        return median([run for run in self.results.get(key, []) if run.get("status") == "ok"], name)

    def keep(self, name):
        names = sorted({k for row in self.rows for k in row if " " not in k and not k.startswith("-")})
        with open(name, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self.rows)


def speed(part, family, n, solvers, processes, what):
    """One process against several: the phases in what, and how much faster several are"""
    table = part.table
    part.block([(family, n, solver, p) for solver in solvers for p in processes], "-bench_runs", "1")
    table(f"{family}, {n} points along a side")
    table(f"{'solver':>16s} {'processes':>9s} {'its':>4s} " + " ".join(f"{name:>9s}" for name in what) + "   speed-up of " + ", ".join(what) + f" | of {solvers[0]}")
    for solver in solvers:
        for p in processes:
            key, one, ours = (family, n, solver, p), (family, n, solver, processes[0]), (family, n, solvers[0], p)
            runs = part.results[key]
            if not runs or runs[-1].get("status") != "ok":
                table(f"{solver:>16s} {p:9d}      {runs[-1].get('status', 'nothing') if runs else 'nothing'}")
                continue
            text = f"{solver:>16s} {p:9d} {cell(part.value(key, 'iterations'), '.0f', 4)} " + " ".join(cell(part.value(key, f"{name}_wall"), ".3f", 9) for name in what) + "  "
            for name in what:
                a, b = part.value(one, f"{name}_wall"), part.value(key, f"{name}_wall")
                text += cell(a / b if a and b and p > processes[0] else None, ".2f", 6)
            if solver != solvers[0]:
                text += " |"
                for name in what:
                    a, b = part.value(ours, f"{name}_wall"), part.value(key, f"{name}_wall")
                    text += cell(b / a if a and b else None, ".2f", 6)
            table(text)
    table()


def part_speed(part):
    sizes = [int(s) for s in words("BENCH_SIZES", "2048,2049")]
    processes = [int(p) for p in words("BENCH_PROCESSES", "1,2")]
    part.table(f"Seconds by the clock, the slowest process, medians of {part.options.rounds} rounds; relative residual 1e-6. Behind the bar: times over those of the first solver on as many processes.")
    part.table("setup: the first one; update: after values have changed; solve: one right-hand side.")
    part.table()
    for family in words("BENCH_FAMILIES", "lap5,jump5"):
        speed(part, family, sizes[0], ITERATIVE, processes, ["setup", "solve"])
    speed(part, "jump9", sizes[-1], [s for s in DIRECT if not s.endswith("lu") and s != "superludist"], processes, ["setup", "update", "solve"])
    speed(part, "cd5", sizes[-1], [s for s in DIRECT if s.endswith("lu") or s == "superludist"], processes, ["setup", "update", "solve"])


def levels(part, key):
    """(unknowns, processes, whether it is smoothed) of every level, by the view"""
    family, n, solver, processes = key
    command = ["mpiexec", "-n", str(processes), os.path.join(part.options.build, "bin", "bench_ranks"), "-dll_append", os.path.join(part.options.build, "lib", "libpetlap.so")]
    command += ["-bench_family", family, "-bench_n", str(n), "-bench_solver", solver, "-bench_runs", "1", "-ksp_view"]
    output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    found, seen = [], set()
    for line in output.splitlines():
        match = re.match(r"\s*level (\d+): (\d+) unknowns, .* in a row, (.*), on (\d+) process", line)
        if match and match.group(1) not in seen:
            seen.add(match.group(1))
            found.append((int(match.group(2)), int(match.group(4)), match.group(3) == "smoothed"))
    return found


def grid(processes):
    """Processes along x and y, as DMDA chooses them for a square"""
    x = int(math.sqrt(processes))
    while processes % x:
        x -= 1
    return x, processes // x


def part_messages(part):
    """The formulas of a cycle: a smoothed level is one exchange of the border with every neighbour; where levels move, what is left of them goes to one process and back"""
    table = part.table
    table("hsc on a square with 5 points. Of one cycle: messages that the busiest process sends or receives for its neighbours, bytes of all processes, and what the formulas say:")
    table("messages = 2 x smoothed levels on all processes x neighbours; bytes = 2 x 4 x (smoothed levels x all vertices of the borders) + 2 x 4 x vertices that move (PETSc counts collectives once).")
    table(f"{'n':>5s} {'processes':>9s} {'its':>4s} {'levels':>6s} {'on all':>6s} | {'messages':>8s} {'formula':>8s} | {'MB':>8s} {'formula':>8s} {'ratio':>6s} | {'set-up: messages':>16s} {'MB':>8s}")
    for n in [int(s) for s in words("BENCH_SIZES", "512,1024")]:
        for p in [int(s) for s in words("BENCH_PROCESSES", "1,2,4,8,16,64")]:
            key = ("lap5", n, "hsc", p)
            run = part.run(key, "-bench_runs", "1")
            if run.get("status") != "ok":
                table(f"{n:5d} {p:9d}      {run.get('status', 'nothing')}")
                continue
            if p == 1:
                table(f"{n:5d} {p:9d} {run['iterations']:4.0f}")
                continue
            all_levels = levels(part, key)
            mine = [level for level in all_levels if level[1] == p]
            smoothed = sum(1 for level in mine if level[2])
            x, y = grid(p)
            neighbours = min(2, x - 1) + min(2, y - 1)
            border = 2 * n * (x - 1 + y - 1)
            moved = next((level[0] for level in all_levels if level[1] < p), 0)
            messages, size = 2 * smoothed * neighbours, 2 * 4 * smoothed * border + 2 * 4 * moved
            table(
                f"{n:5d} {p:9d} {run['iterations']:4.0f} {len(all_levels):6d} {len(mine):6d} | {run['apply_messages']:8.0f} {messages:8d} | {run['apply_bytes_all'] * 1e-6:8.3f} {size * 1e-6:8.3f} {run['apply_bytes_all'] / size:6.2f}"
                f" | {run['setup_messages']:16.0f} {run['setup_bytes_all'] * 1e-6:8.3f}"
            )
    table()


def part_iterations(part):
    """The problems of the part hsc on more and more processes, by blocks of rows"""
    table, processes = part.table, [int(p) for p in words("BENCH_PROCESSES", "1,2,4,8,16")]
    table("Iterations of hsc with fcg to a relative residual of 1e-8, rows dealt to processes in blocks; limit: those of one process and three.")
    table(f"{'problem':>12s} {'n':>5s} {'unknowns':>9s} | " + " ".join(f"{p:5d}" for p in processes) + " | most over one")
    folder = os.path.join(part.options.build, "bench_ranks")
    os.makedirs(folder, exist_ok=True)
    cases = [("lap5", 512), ("neumann", 512), ("darcy4", 512), ("epd1.8:40", 512), ("color", 512), ("lap7n", 64), ("fem27", 40), ("mesh1", 512), ("meshd", 512), ("cotan", 512)]
    for family, n in cases:
        file = os.path.join(folder, re.sub(r"\W", "_", family) + f"_{n}.petsc")
        if not os.path.exists(file):
            mesh = os.path.join(part.options.build, f"bench_{family}_{n}.petsc")
            made = part.runner("bench_hsc", ["-bench_family", family, "-bench_n", str(n), "-bench_solver", "hsc", "-bench_picture", part.options.picture, "-bench_mesh", mesh, "-ksp_view_mat", f"binary:{file}"], 1)
            if made.get("status") != "ok":
                table(f"{family:>12s} {n:5d}           | {made.get('status', 'nothing')}")
                continue
        its = []
        for p in processes:
            run = part.run((family, n, "hsc", p), "-bench_file", file, "-bench_runs", "1", "-ksp_rtol", "1e-8")
            its.append(run.get("iterations") if run.get("status") == "ok" else None)
        rows = next((row["rows"] for row in reversed(part.rows) if isinstance(row.get("rows"), float)), 0)
        most = max((i for i in its if i), default=0) - (its[0] or 0)
        table(f"{family:>12s} {n:5d} {rows:9.0f} | " + " ".join(cell(i, ".0f", 5) for i in its) + f" | {most:+.0f}")
    table()


def stages(side, processes):
    """What the code does with a square of side x side vertices on every process: (processes, vertices of a process, of its border, whether it moves) of every level"""
    total, ranks, found = float(side) ** 2 * processes, processes, []
    n = total
    while n > 256:
        border = 0.0 if ranks == 1 else min(n / ranks, 4.0 * side * math.sqrt(processes / ranks))
        capacity = max(16384.0, 0.25 * n / ranks)
        while n > 256 and border <= 0.5 * n / ranks:
            found.append((ranks, n / ranks, border, False))
            n = ranks * (border + 0.53 * (n / ranks - border))
        if ranks > 1:
            found.append((ranks, n / ranks, border, True))
            ranks = max(1, int(min(n / capacity, 0.5 * ranks)))
    return found


def part_projection(part):
    """Weak scaling, from the time of one process and a network"""
    table, alpha, beta = part.table, 2e-6, 1.0 / 12e9
    side = int(environment("BENCH_SIDE", "1024"))
    key = ("lap5", side, "hsc", 1)
    part.block([key], "-bench_runs", "3")
    its, setup, solve = part.value(key, "iterations"), part.value(key, "setup_wall"), part.value(key, "solve_wall")
    if not its:
        table("no projection: there is no time of one process")
        return
    base = sum(n for _, n, _, _ in stages(side, 1))
    cycle = solve / its
    table(f"Weak scaling of hsc, projected: {side} x {side} unknowns on every process, 5 points; latency {alpha * 1e6:.0f} us, bandwidth {1e-9 / beta:.0f} GB/s for every process, messages of one process one after the other.")
    table(f"Measured on one process: set-up {setup:.2f} s, iteration {cycle * 1e3:.0f} ms, {its:.0f} iterations. A level takes time in proportion to its vertices on the fullest process; moves are gathered by one process; three reductions in an iteration.")
    table(f"{'processes':>9s} {'unknowns':>9s} {'stages':>7s} {'levels':>6s} {'most moved':>10s} | {'set-up s':>8s} {'cycle ms':>8s} {'of it messages':>14s} {'moves':>6s} | {'efficiency of set-up':>20s} {'iteration':>9s}")
    for p in [1, 4, 16, 64, 256, 1024, 4096, 10240]:
        found = stages(side, p)
        work = sum(n for _, n, _, move in found if not move)
        exchange = sum((4 * (alpha + n_border / 4 * 4 * beta) if ranks > 1 and not move else 0.0) for ranks, _, n_border, move in found)
        moves, setup_moves, most, after = 0.0, 0.0, 0.0, 0
        for k, (ranks, n, _, move) in enumerate(found):
            if not move:
                continue
            after = found[k + 1][0] if k + 1 < len(found) else 1
            factor = ranks / after
            most = max(most, n * factor)
            moves += 2 * (math.log2(max(2, factor)) * alpha + n * factor * 4 * beta)
            setup_moves += math.log2(max(2, factor)) * alpha + n * factor * 60 * beta
        reductions = 3 * math.log2(max(1, p)) * alpha
        time_cycle = cycle * work / base + exchange + moves + reductions
        time_setup = setup * work / base + setup_moves + len(found) * math.log2(max(1, p)) * alpha
        table(
            f"{p:9d} {p * side * side:9.1e} {len({r for r, _, _, _ in found}):7d} {sum(1 for f in found if not f[3]):6d} {most:10.0f} | {time_setup:8.2f} {time_cycle * 1e3:8.1f} {exchange * 1e3:14.3f} {moves * 1e3:6.2f} | {setup / time_setup:20.0%} {cycle / time_cycle:9.0%}"
        )
    table()
    table("What costs is not the network but the border: its vertices stay until ranks are joined, and the last process has those of the last border, which grow with the square root of the number of processes.")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["speed", "iterations", "messages", "projection"])
    parser.add_argument("--build", required=True)
    parser.add_argument("--out", required=True, help="results without their suffix")
    parser.add_argument("--machine", default="")
    parser.add_argument("--picture", default="")
    parser.add_argument("--rounds", type=int, default=int(environment("BENCH_ROUNDS", "3")))
    options = parser.parse_args()
    os.makedirs(os.path.dirname(options.out) or ".", exist_ok=True)
    part = Ranks(options, Table(options.out + ".txt"), Runner(options.build, "600"))
    if options.machine:
        part.table(options.machine)
    {"speed": part_speed, "iterations": part_iterations, "messages": part_messages, "projection": part_projection}[options.part](part)
    part.keep(options.out + ".csv")


main()
