"""How fast the simulation engine is: against scikit-learn at equal standard error, and against the machine.

    python benchmarks/speed.py [--quick] [--only curves,bias,kernel,growth,memory] [--out benchmarks/results/speed.json]

One process, one BLAS thread. The curve has beta = 1.5, s = .5, sigma = 1, n = 100 ... 102,400 in octaves; its slope is that
of least squares of log risk on log n; "schedule" is the ridge n^(-1/(2s + 1/beta)), "tuned" the best of 30 ridges.

curves  The cost of a slope is variance x time: the time that a standard error of .001 takes is that product over 1e-6, for
        independent replicates of any method. scikit-learn: X (n x p) and y = X theta + noise are drawn, Ridge or KernelRidge
        (linear kernel, n up to 6,400) is fitted once a regularisation with its default solver, the excess risk of the fit
        is exact. Its slope's variance is the sum over n of the squared weights times the variance of the log risk.
        Where --every-fit-to says so, only some of the 30 fits are made and timed, and count for all: their cost does not
        depend on the ridge. The engine: learning_curves with directions="head", controls and mirrored samples; "cold" is
        one instance with every cache emptied, from the instance to the fitted slope; "batch" is a batch of different
        instances, also with empty caches, its time divided by their number.
bias    The same slope from many more directions than the head keeps, with the same random numbers; and what the choice
        of the ridge by the smallest mean adds.
kernel  One replicate at p directions: p^3/3 operations for the Gram matrix of a triangular factor, p^3/3 for a Cholesky
        factorisation, 2p^3/3 for the inverse, 4p^3/3 in all (sums of order p^2 are not counted) over the seconds, over
        those of DGEMM (2m^3 operations, m = 2048) in alternation with it.
growth  Cost at n = 1e6 over that at n = 1e4, in alternation.
memory  Peak resident memory of a child process that simulates a curve to n = 1e6.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import blas
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

import verifier as vf
from verifier.instances import eigenvalues
from verifier.risk.curves import Tuning
from verifier.risk.equivalents import scheduled_ridge
from verifier.risk.simulate import Replicates, head_problems, problem, simulate, simulated_risk
from verifier.risk.stacked import stacked_risks
from verifier.risk.streams import stream

Array = np.ndarray
GRID = np.geomspace(1e-5, 1.0, 30)
TARGET = 1e-3  # standard error of the slope
FAST = {"controls": True, "antithetic": True, "directions": "head"}
SECTIONS = ("curves", "bias", "kernel", "growth", "memory")


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    ridge_n: tuple[int, ...]
    kernel_n: tuple[int, ...]
    features: int
    replicates: int  # of the engine's curve
    batch: int
    spread: int  # replicates from which the engine's variance is estimated
    fits: Callable[[int], int]  # scikit-learn replicates at n
    directions: int  # of the reference of the bias
    kernel_p: tuple[int, ...]
    repeats: int


FULL = Size(
    ridge_n=tuple(100 * 2**k for k in range(11)),
    kernel_n=tuple(100 * 2**k for k in range(7)),
    features=1000,
    replicates=8,
    batch=32,
    spread=400,
    fits=lambda n: 40 if n <= 1600 else 12 if n <= 3200 else 5,
    directions=1600,
    kernel_p=(512, 1024, 2048),
    repeats=9,
)
QUICK = Size(
    ridge_n=(100, 200, 400),
    kernel_n=(100, 200),
    features=60,
    replicates=4,
    batch=3,
    spread=20,
    fits=lambda n: 3,
    directions=200,
    kernel_p=(128,),
    repeats=3,
)


def instance(beta: float = 1.5) -> vf.Instance:
    return vf.Instance(spectrum=vf.PowerLaw(beta), target=vf.CriticalTarget(0.5), noise=vf.Noise(1.0))


def slope_weights(n: Sequence[int]) -> Array:
    """Least-squares weights of the slope of log risk on log n."""
    x = np.log(np.asarray(n, dtype=float))
    return (x - x.mean()) / float(np.sum((x - x.mean()) ** 2))


def empty_caches() -> None:
    """Empty every cache of the package."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "verifier":
            for value in vars(module).values():
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def say(text: str) -> None:
    print(f"  ... {text}", file=sys.stderr, flush=True)


def tuning_of(case: str) -> Tuning:
    return GRID if case == "tuned" else "schedule"


# --- scikit-learn ------------------------------------------------------------------------------------------------------


def best_of_grid(inst: vf.Instance, n: int) -> int:
    """Index of the ridge that many replicates would choose."""
    return int(np.argmin(vf.equivalent_risk(inst, n=float(n), lam=GRID)))


def scikit_learn(method: str, sizes: Sequence[int], size: Size, every_fit_to: int) -> dict[str, dict[str, Any]]:
    """Seconds and slope variance of one replicate of the curve, for both cases."""
    inst, p = instance(), size.features
    ell = eigenvalues(inst.spectrum, p)
    log_index = np.log(np.arange(1.0, p + 1.0))
    energy = np.exp(inst.target.log_energy(log_index, np.log(ell)) + 2.0 * inst.target.l2_index * np.log(ell))
    theta, root = np.sqrt(energy / ell), np.sqrt(ell)
    points: dict[str, list[tuple[float, float]]] = {"schedule": [], "tuned": []}
    counts = []
    for n in sizes:
        scheduled, chosen = float(scheduled_ridge(inst, n)), best_of_grid(inst, n)
        fitted = list(range(len(GRID))) if n <= every_fit_to else [chosen]
        times: dict[str, list[float]] = {"draw": [], "schedule": [], "tuned": []}
        risks: dict[str, list[float]] = {"schedule": [], "tuned": []}
        for r in range(size.fits(n)):
            generator = stream(0, "benchmark", "speed", method, n, r)
            started = time.perf_counter()
            x = generator.standard_normal((n, p)) * root
            y = x @ theta + inst.sigma * generator.standard_normal(n)
            times["draw"].append(time.perf_counter() - started)

            def fit(lam: float, x: Array = x, y: Array = y, n: int = n) -> float:
                if method == "Ridge":
                    coef = Ridge(alpha=n * lam, fit_intercept=False).fit(x, y).coef_
                else:
                    coef = x.T @ KernelRidge(alpha=n * lam, kernel="linear").fit(x, y).dual_coef_
                return float(np.sum(ell * (coef - theta) ** 2))

            started = time.perf_counter()
            risks["schedule"].append(fit(scheduled))
            times["schedule"].append(time.perf_counter() - started)
            started = time.perf_counter()
            grid = {j: fit(float(GRID[j])) for j in fitted}
            times["tuned"].append((time.perf_counter() - started) / len(fitted) * len(GRID))
            risks["tuned"].append(grid[chosen])
            del x, y
        counts.append(size.fits(n))
        for case in points:
            spent = statistics.median(times["draw"]) + statistics.median(times[case])
            points[case].append((spent, float(np.var(np.log(risks[case]), ddof=1))))
        say(f"{method} n = {n}: {points['schedule'][-1][0]:.3g} s scheduled, {points['tuned'][-1][0]:.3g} s tuned")
    weights = slope_weights(sizes)
    return {
        case: {
            "seconds": sum(spent for spent, _ in found),
            "variance": float(weights**2 @ np.array([variance for _, variance in found])),
            "replicates_measured": counts,
        }
        for case, found in points.items()
    }


# --- the engine --------------------------------------------------------------------------------------------------------


def engine(case: str, sizes: Sequence[int], size: Size) -> dict[str, dict[str, Any]]:
    """Seconds and slope variance of one run of the engine, cold and in a batch."""
    tuning, weights = tuning_of(case), slope_weights(sizes)
    long = vf.learning_curve(instance(), n=sizes, replicates=size.spread, tuning=tuning, key=("variance",), **FAST)
    variance = float(np.var(long.samples / long.risk @ weights, ddof=1))

    def cold(replicates: int) -> None:
        empty_caches()
        vf.fit_slope(vf.learning_curve(instance(), n=sizes, replicates=replicates, tuning=tuning, **FAST))

    def batch() -> None:
        empty_caches()
        members = [instance(1.5 + 1e-3 * k) for k in range(size.batch)]
        for curve in vf.learning_curves(members, n=sizes, replicates=size.replicates, tuning=tuning, **FAST):
            vf.fit_slope(curve)

    cold(2)
    one = statistics.median(seconds(lambda: cold(size.replicates)) for _ in range(size.repeats))
    least = statistics.median(seconds(lambda: cold(2)) for _ in range(size.repeats))
    many = statistics.median(seconds(batch) for _ in range(max(1, size.repeats // 3))) / size.batch
    common = {"variance": variance / size.replicates, "replicates_measured": size.spread}
    return {
        "cold": {"seconds": one, **common},
        "cold, two replicates": {"seconds": least, "variance": variance / 2, "replicates_measured": size.spread},
        f"batch of {size.batch}": {"seconds": many, **common},
    }


def curves(size: Size, every_fit_to: int) -> list[dict[str, Any]]:
    rows = []
    theirs = {
        "Ridge": (size.ridge_n, scikit_learn("Ridge", size.ridge_n, size, every_fit_to)),
        "KernelRidge": (size.kernel_n, scikit_learn("KernelRidge", size.kernel_n, size, every_fit_to)),
    }
    for method, (sizes, cases) in theirs.items():
        for case, reference in cases.items():
            cost = reference["seconds"] * reference["variance"]
            say(f"engine, {case}, n to {sizes[-1]}")
            entries = {method: reference} | engine(case, sizes, size)
            for name, found in entries.items():
                product = found["seconds"] * found["variance"]
                rows.append(
                    {
                        "n": f"{sizes[0]} to {sizes[-1]}",
                        "case": case,
                        "method": f"{name}, p = {size.features}" if name == method else f"engine, {name}",
                        "seconds": found["seconds"],
                        "stderr": math.sqrt(found["variance"]),
                        "seconds_to_.001": product / TARGET**2,
                        "times_better": cost / product,
                        # A run whose standard error is below .001 already, timed as it is: nothing is extrapolated.
                        "times_faster_as_run": cost / TARGET**2 / found["seconds"]
                        if found["variance"] <= TARGET**2
                        else None,
                        "replicates_measured": found["replicates_measured"],
                    }
                )
    return rows


# --- bias --------------------------------------------------------------------------------------------------------------


def bias(size: Size) -> list[dict[str, Any]]:
    """Error of the slope from keeping few directions, and from choosing the ridge by the smallest mean."""
    sizes, inst, rows = size.ridge_n, instance(), []
    weights = slope_weights(sizes)
    chosen = {
        "schedule": np.asarray(scheduled_ridge(inst, sizes)),
        "tuned": np.array([GRID[best_of_grid(inst, n)] for n in sizes]),
    }
    for case, ridges in chosen.items():
        total, error = 0.0, 0.0
        for weight, n, lam in zip(weights, sizes, ridges, strict=True):
            count = max(6, min(512, 25_600 // n)) if size is FULL else 4
            draws = {"replicates": count, "tuning": lambda *_, lam=lam: float(lam), "key": ("bias",), "n": (n,)}
            # Without controls: those of the head and of the reference would not cancel in the difference.
            head, full = (
                vf.learning_curve(inst, directions=kept, antithetic=True, **draws).samples[:, 0]
                for kept in ("head", min(8 * n, size.directions))
            )
            change = head / full.mean() - full / full.mean()
            total += -weight * float(change.mean())
            error += weight**2 * float(change.var(ddof=1)) / count
            say(
                f"bias, {case}, n = {n}: {change.mean():+.1e} +- {math.sqrt(change.var(ddof=1) / count):.1e} of the risk"
            )
        rows.append(
            {
                "what": f"head, {case}, against up to {size.directions} directions",
                "slope_bias": total,
                "stderr": math.sqrt(error),
                "below_a_tenth_of_.001": bool(abs(total) + 3.0 * math.sqrt(error) < TARGET / 10),
            }
        )

    runs = size.spread // size.replicates
    fixed = [int(np.argmin(np.abs(GRID - lam))) for lam in chosen["tuned"]]
    gaps = np.empty((runs, len(sizes)))
    for k, n in enumerate(sizes):
        samples = simulate(
            head_problems(inst, [n] * len(GRID), GRID),
            Replicates(runs * size.replicates, key=("choice",), controls=True, antithetic=True),
        )
        means = samples.reshape(runs, size.replicates, -1).mean(axis=1)
        best = int(np.argmin(samples.mean(axis=0)))
        if best != fixed[k]:
            say(f"choice at n = {n}: ridge {GRID[best]:.2e} by simulation, {GRID[fixed[k]]:.2e} by the equivalent")
        gaps[:, k] = np.log(means.min(axis=1) / means[:, best])
    slopes = -gaps @ weights
    rows.append(
        {
            "what": f"choice of the ridge by {size.replicates} replicates, {runs} runs",
            "slope_bias": float(slopes.mean()),
            "stderr": float(slopes.std(ddof=1) / math.sqrt(runs)),
            "below_a_tenth_of_.001": bool(
                abs(slopes.mean()) + 3.0 * slopes.std(ddof=1) / math.sqrt(runs) < TARGET / 10
            ),
        }
    )
    return rows


# --- the machine -------------------------------------------------------------------------------------------------------


def kernel(size: Size) -> list[dict[str, Any]]:
    rows = []
    m = 2048 if size is FULL else 256
    square = np.asfortranarray(stream(0, "benchmark", "dgemm").standard_normal((m, m)))
    for p in size.kernel_p:
        item = problem(instance(), n=100_000, lam=1e-4, directions=p)
        factors = np.tril(stream(0, "benchmark", "factor").standard_normal((1, p, p)), -1)
        factors[:, np.arange(p), np.arange(p)] = math.sqrt(item.n)
        calls: dict[str, Callable[[], object]] = {
            "linear algebra": lambda factors=factors, item=item: stacked_risks(factors, [item], [None]),
            "with sampling": lambda item=item: simulate([item], Replicates(1)),
        }
        for name, call in calls.items():
            call()
            gemm, own = [], []
            for _ in range(size.repeats):
                gemm.append(2.0 * m**3 / seconds(lambda: blas.dgemm(1.0, square, square)))
                own.append(4.0 * p**3 / 3.0 / seconds(call))
            share = statistics.median(a / b for a, b in zip(own, gemm, strict=True))
            rows.append(
                {
                    "p": p,
                    "what": name,
                    "gflops": statistics.median(own) / 1e9,
                    "dgemm_gflops": statistics.median(gemm) / 1e9,
                    "share": share,
                }
            )
    return rows


def growth(size: Size) -> list[dict[str, Any]]:
    rows = []
    cases: dict[str, dict[str, Any]] = {"512 directions": {"directions": 512}, "128 directions": {"directions": 128}}
    for name, options in cases.items():
        ratios = []
        for _ in range(2 * size.repeats + 1):
            spent = [
                seconds(lambda n=n, options=options: simulated_risk(instance(), n=n, lam=1e-3, replicates=8, **options))
                for n in (10_000, 1_000_000)
            ]
            ratios.append(spent[1] / spent[0])
        rows.append({"what": name, "cost_1e6_over_1e4": statistics.median(ratios)})
    return rows


CHILD = """
import pathlib, re, resource, sys
import verifier as vf
inst = vf.Instance(spectrum=vf.PowerLaw(1.5), target=vf.CriticalTarget(0.5), noise=vf.Noise(1.0))
n = [100 * 2**k for k in range(14)] + [1_000_000]
vf.fit_slope(vf.learning_curve(inst, n=n, replicates=4, controls=True, directions=DIRECTIONS))
status = pathlib.Path("/proc/self/status")
if status.exists():  # elsewhere ru_maxrss must do; on Linux it starts from what the parent held when it forked
    print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]))
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def memory(size: Size) -> list[dict[str, Any]]:
    rows = []
    for directions in ("head", None) if size is FULL else ("head",):
        done = subprocess.run(
            [sys.executable, "-c", CHILD.replace("DIRECTIONS", repr(directions))],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )
        rows.append({"directions": directions or "default", "peak_megabytes": int(done.stdout) / 1e6})
    return rows


# --- the table ---------------------------------------------------------------------------------------------------------


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    print(f"\n{title}")
    cells = [list(rows[0])] + [
        [f"{v:.3g}" if isinstance(v, float) else "-" if v is None else str(v) for v in row.values()] for row in rows
    ]
    widths = [max(len(row[j]) for row in cells) for j in range(len(cells[0]))]
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print the tables, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, to see that everything runs; figures mean nothing"
    )
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of {','.join(SECTIONS)} (default: all)")
    parser.add_argument(
        "--every-fit-to",
        type=int,
        default=800,
        help="largest n at which all 30 scikit-learn fits are made (default 800)",
    )
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/speed.json"))
    options = parser.parse_args(arguments)
    wanted = options.only.split(",")
    if unknown := sorted(set(wanted) - set(SECTIONS)):
        parser.error(f"--only {','.join(unknown)}: choose from {', '.join(SECTIONS)}")
    size = QUICK if options.quick else FULL
    measures: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "curves": lambda: curves(size, options.every_fit_to),
        "bias": lambda: bias(size),
        "kernel": lambda: kernel(size),
        "growth": lambda: growth(size),
        "memory": lambda: memory(size),
    }
    results: dict[str, Any] = {
        "machine": {
            "processor": platform.machine(),
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("numpy", "scipy", "scikit-learn")},
        },
        "quick": options.quick,
    }
    if options.out.exists() and len(wanted) < len(SECTIONS):
        results = json.loads(options.out.read_text()) | results  # sections that are not measured now are kept
    with threadpool_limits(1):
        for name in wanted:
            results[name] = measures[name]()
            show(name, results[name])
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n")
    return results


if __name__ == "__main__":
    main()
