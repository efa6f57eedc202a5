"""Cost of a learning curve on real samples: seconds a replicate, share of this machine's dsyrk rate, peak memory.

    OPENBLAS_NUM_THREADS=1 python benchmarks/real_samples.py [--n 200000] [--runs 5] [--out benchmarks/results/real_samples.csv]

One replicate of a curve from 10,000 samples to n in decades, for each design and 512 and 1,024 directions, and its
n p^2 operations against those that dsyrk alone does in the same process: dsyrk runs for half a second before and after
each replicate, and the median share of the runs is reported, since a machine that does other work slows both down. The
rest of the time draws the coordinates (at p = 512 dsyrk takes 11 ns a coordinate) and factorises once a point. Memory
does not grow with n.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.linalg import blas

from verifier.instances import (
    Design,
    GaussianDesign,
    Instance,
    PowerLaw,
    RademacherDesign,
    StudentDesign,
    UniformDesign,
)
from verifier.risk.sampled import simulate_samples
from verifier.risk.simulate import Replicates, problem

DESIGNS: tuple[Design, ...] = (RademacherDesign(), UniformDesign(), StudentDesign(), GaussianDesign())
DIRECTIONS = (512, 1024)


def dsyrk_rate(p: int, rows: int = 2048, seconds: float = 0.5) -> float:
    """Operations a second of n p^2 when dsyrk adds bands of rows to a p x p matrix, the mean over about ``seconds``."""
    band = np.random.default_rng(0).standard_normal((rows, p))
    total = np.zeros((p, p), order="F")
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        blas.dsyrk(1.0, band.T, beta=1.0, c=total, overwrite_c=1)
        count += 1
    return count * rows * p * p / (time.perf_counter() - start)


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/real_samples.csv"))
    arguments = parser.parse_args()
    sizes = [n for n in (10**k for k in range(4, 10)) if n < arguments.n] + [arguments.n]
    rows = []
    for p in DIRECTIONS:
        for design in DESIGNS:
            instance = Instance(PowerLaw(1.5), design=design)
            problems = [problem(instance, n=n, lam=n**-0.6, directions=p) for n in sizes]
            runs = []
            for _ in range(arguments.runs):
                before = dsyrk_rate(p)
                start = time.perf_counter()
                simulate_samples(design, problems, Replicates(1))
                seconds = time.perf_counter() - start
                rate = 0.5 * (before + dsyrk_rate(p))
                achieved = sizes[-1] * p * p / seconds
                runs.append((achieved / rate, seconds, achieved, rate))
            share, seconds, achieved, rate = sorted(runs)[len(runs) // 2]
            rows.append(
                {
                    "design": design.describe(),
                    "directions": p,
                    "n": sizes[-1],
                    "seconds": round(seconds, 2),
                    "gflops": round(achieved / 1e9, 1),
                    "dsyrk_gflops": round(rate / 1e9, 1),
                    "share": round(share, 2),
                    "peak_process_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
                }
            )
            print(rows[-1], flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(arguments.out, index=False)


if __name__ == "__main__":
    main()
