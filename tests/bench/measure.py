"""What the tables of the benchmarks share: programs within limits of time and memory, rounds in which solvers take turns, medians."""
import csv
import math
import os
import resource
import signal
import statistics
import subprocess
import sys
import time

CLOCKS = ("cpu", "user", "wall")
# How the status begins where PETSc lacks a factorization or a type
MISSING = ("error 92", "error 86")


def environment(name, default):
    return os.environ.get(name) or default


def words(name, default):
    return environment(name, default).replace(",", " ").split()


def numbers(text):
    return [int(word) for word in text.replace(",", " ").split()]


class Runner:
    """Runs one program once, within limits of time and memory, and returns what it prints as a dictionary."""

    def __init__(self, build, seconds):
        self.build = build
        self.seconds = float(environment("BENCH_TIMEOUT", seconds))
        self.gigabytes = float(environment("BENCH_MEMORY", "20"))

    def __call__(self, program, arguments, threads, least=0.0):
        """At least so many seconds are given, whatever the limit is. A program is one of the build folder, or a list of words that stands for itself."""
        env = dict(os.environ)
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
            env[name] = str(threads)
        if isinstance(program, list):
            command = program + arguments
        else:
            command = [os.path.join(self.build, "bin", program), "-dll_append", os.path.join(self.build, "lib", "libpetlap.so")]
            command += arguments + environment("BENCH_OPTIONS", "").split()
        seconds = max(self.seconds, least)
        limits = {resource.RLIMIT_CPU: math.ceil(threads * seconds)}
        if self.gigabytes > 0:
            limits[resource.RLIMIT_AS] = int(self.gigabytes * 2**30)
        result = {}
        late = f"more than {seconds:.0f} s"

        def restrict():
            for kind, limit in limits.items():
                # At the hard limit of time the signal would be that of a lack of memory
                resource.setrlimit(kind, (limit, limit + 10 if kind == resource.RLIMIT_CPU else limit))

        # On a busy machine CPU time ends a run; the clock is for one that only waits
        try:
            done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10 * seconds, text=True, errors="replace", preexec_fn=restrict)
            output = done.stdout
            # Without a status of its own
            killed = -done.returncode == signal.SIGXCPU
            result["status"] = late if killed else f"crashed, exit status {done.returncode}"
        except subprocess.TimeoutExpired as expired:
            output = expired.stdout or ""
            if isinstance(output, bytes):
                output = output.decode(errors="replace")
            result["status"] = late
        for line in output.splitlines():
            key, _, value = line.partition(" ")
            try:
                result[key] = float(value)
            except ValueError:
                result[key] = value
        return result


class Table:
    """Lines go to the screen and to a file."""

    def __init__(self, name):
        self.file = open(name, "w", encoding="utf-8")

    def __call__(self, text=""):
        text = text.rstrip()
        print(text, flush=True)
        print(text, file=self.file, flush=True)


def median(runs, key):
    values = [run[key] for run in runs if isinstance(run.get(key), float)]
    return statistics.median(values) if values else None


class Rounds:
    """All runs of one part: results[key] is the list of runs of one case, or a text that says why there is none. A part says what a key is and how it is measured."""

    def __init__(self, options, table, runner):
        self.options, self.table, self.runner = options, table, runner
        self.results = {}
        self.clock = environment("BENCH_CLOCK", options.clock)
        self.patience = float(environment("BENCH_PATIENCE", "60"))
        self.rows = []

    def foresee(self, key):
        """Why a case is not worth a start, if so"""
        raise NotImplementedError

    def measure(self, key):
        """One run; it goes to self.rows too"""
        raise NotImplementedError

    def missing(self, key):
        """Whether PETSc lacks the solver, which one line tells for all sizes"""
        runs = self.results[key]
        return runs == "missing" or (not isinstance(runs, str) and any(run["status"].startswith(MISSING) for run in runs))

    def failed(self, key):
        """Why there are no numbers, if so"""
        runs = self.results[key]
        if isinstance(runs, str):
            return runs
        return next((run["status"] for run in runs if run["status"] != "ok"), None)

    def block(self, keys):
        """Solvers of one case take turns, every round in the other order; what takes long runs once."""
        for key in keys:
            reason = self.foresee(key)
            self.results[key] = reason if reason else []
        for r in range(self.options.rounds):
            for key in keys if r % 2 == 0 else reversed(keys):
                runs = self.results[key]
                if isinstance(runs, str) or (runs and (runs[-1]["status"] != "ok" or runs[-1]["wall"] > self.patience)):
                    continue
                runs.append(self.measure(key))

    def ratio(self, key, ours, name):
        mine, other = self.value(ours, name), self.value(key, name)
        return other / mine if mine and other and key != ours else None

    def value(self, key, name):
        runs = self.results.get(key)
        if not runs or isinstance(runs, str):
            return None
        return median([run for run in runs if run["status"] == "ok"], name)

    def keep(self, run, start, **names):
        """Completes a run that began at start by its total times, and keeps it under these names"""
        run["wall"] = time.monotonic() - start
        for clock in CLOCKS:
            if isinstance(run.get("solve_" + clock), float):
                run["total_" + clock] = run["setup_" + clock] + run["solve_" + clock]
        # A solver that stopped early has no time to be compared; that of a condition number may stop at its limit
        if run["status"] == "ok" and run.get("reason", "CONVERGED").startswith("DIVERGED") and "kappa" not in run:
            run["status"] = f"{run['reason']} after {run['iterations']:.0f} iterations"
        self.rows.append(dict(run, **names))
        return run

    def status(self, key):
        """What stands in place of numbers, if anything"""
        failed = self.failed(key)
        return f"failed: {failed}" if failed and failed.startswith(MISSING) else failed

    def solve(self, start, key, ours, bandwidth=None, digits=3):
        """One line of the table that head() is the head of: set-up and solve of a case, compared with another one; the floor needs the bandwidth of the memory"""
        if self.status(key):
            return f"{start}      {self.status(key)}"
        clock, v = self.clock, lambda name: self.value(key, name)
        its, solve, least = v("iterations"), v(f"solve_{clock}"), self.floor(key, bandwidth)
        text = f"{start} {len(self.results[key]):4d} {cell(its, '.0f', 5)}"
        for name in (f"setup_{clock}", f"solve_{clock}", f"total_{clock}", "total_wall"):
            text += " " + cell(v(name), f".{digits}f", 8)
        text += " " + cell(1e3 * solve / its if its else None, ".2f", 8)
        if bandwidth:
            text += " " + (f"{100 * least * its / solve:4.0f}%" if least and its and solve else "    -")
        text += " " + cell(v("complexity"), ".2f", 5) + " " + cell(v("residual"), ".1e", 8) + " " + cell(v("peak_MB"), ".0f", 7)
        if key != ours:
            text += " |" + "".join(" " + cell(self.ratio(key, ours, name), ".2f", 6) for name in (f"setup_{clock}", f"solve_{clock}", f"total_{clock}", "peak_MB"))
        return text

    def floor(self, key, bandwidth):
        """Seconds of an iteration that only waits for memory: product with the matrix, vectors of the Krylov method, and what the preconditioner says of its cycle"""
        cycle, nnz, rows = (self.value(key, name) for name in ("cycle_MB", "nnz", "rows"))
        if not cycle or not bandwidth:
            return None
        return (12.0 * nnz + 20.0 * rows + 8.0 * 14 * rows + 1e6 * cycle) / bandwidth

    def preamble(self):
        self.table(f"Seconds of {self.clock} time, medians of up to {self.options.rounds} rounds; relative residual 1e-6 in the 2-norm; limits {self.runner.seconds:.0f} s and " + (f"{self.runner.gigabytes:.0f} GB." if self.runner.gigabytes > 0 else "any memory."))

    def best(self, ours, cases, what="Best peer"):
        """The fastest peer of each case, given as its name, the key of ours and the keys of peers"""
        rows, product = [], []
        for name, mine, keys in cases:
            totals = [(self.value(key, f"total_{self.clock}"), solver) for solver, key in keys.items()]
            totals = [t for t in totals if t[0]]
            own = self.value(mine, f"total_{self.clock}")
            if totals and own:
                product.append(min(totals)[0] / own)
                rows.append(f"{name} {product[-1]:6.2f} {min(totals)[1]}")
        if rows:
            self.table()
            self.table(f"{what}: its total time over that of {ours}, and its name")
            for row in rows:
                self.table(row)
            mean = math.exp(statistics.fmean(math.log(ratio) for ratio in product))
            self.table(f"{'':{len(cases[0][0])}} {mean:6.2f} geometric mean; {ours} is faster in {sum(ratio > 1 for ratio in product)} of {len(product)}")

    def write(self, name, columns):
        with open(name, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)


def head(bandwidth=None):
    return f"{'runs':>4} {'its':>5} {'setup':>8} {'solve':>8} {'total':>8} {'(wall)':>8} {'ms/it':>8} " + ("floor " if bandwidth else "") + f"{'op.c.':>5} {'residual':>8} {'peak MB':>7} |  setup  solve  total     MB"


def cell(value, form, width):
    return format("-" if value is None else format(value, form), f">{width}")


def exponent(points):
    """Slope of the logarithms by least squares"""
    logs = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y and y > 0]
    if len(logs) < 2:
        return None
    mx, my = (sum(p[i] for p in logs) / len(logs) for i in (0, 1))
    return sum((x - mx) * (y - my) for x, y in logs) / sum((x - mx)**2 for x, _ in logs)


def gnuplot(script, name):
    """Two panels side by side with logarithmic axes over the unknowns"""
    head = f"set terminal pngcairo size 1200,520 font 'sans,11'\nset output '{name}'\nset logscale xy\nset format x '10^{{%L}}'\nset grid\nset key top left\nset xlabel 'unknowns'\n"
    try:
        subprocess.run(["gnuplot"], input=head + script, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no plot {name}: {error}; install gnuplot", file=sys.stderr)
