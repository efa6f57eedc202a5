"""Cost of streamed second moments of dependent samples: share of this machine's dsyrk rate, seconds to n = 1e6, peak memory.

    OPENBLAS_NUM_THREADS=1 python benchmarks/dependent_streams.py [--n 100000] [--longest 1000000] [--runs 5] [--out FILE.csv]

512 directions, one second moment X'X of n p^2 operations, drawing included, paired with dsyrk alone before and after each run
in the same process; the median share of the runs. Then one run in law at the longest n, with the peak memory of the
process. AR(1) in law and as a path, and fractional noise; the eigenvalues are computed anew in every run.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from real_samples import dsyrk_rate

from verifier.instances import AR1, Dependent, FractionalNoise, White
from verifier.risk import dependent_streams
from verifier.risk.dependent_streams import path_moments, stream_moments

DIRECTIONS = 512
AUTOREGRESSIVE = Dependent(AR1(rho=0.8), White())
FRACTIONAL = Dependent(FractionalNoise(hurst=0.8), White())


def _generator() -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(0))


STREAMS: dict[str, Callable[[int], object]] = {
    "AR(1), in law": lambda n: list(stream_moments(AUTOREGRESSIVE, [n], DIRECTIONS, _generator())),
    "AR(1), path": lambda n: list(path_moments(AUTOREGRESSIVE, [n], DIRECTIONS, _generator())),
    "fractional noise, in law": lambda n: list(stream_moments(FRACTIONAL, [n], DIRECTIONS, _generator())),
}


def measured(make: Callable[[int], object], n: int) -> tuple[float, float, float]:
    """Share of the rate of dsyrk, seconds, and that rate in operations a second."""
    before = dsyrk_rate(DIRECTIONS)
    dependent_streams._stationary.cache_clear()
    start = time.perf_counter()
    make(n)
    seconds = time.perf_counter() - start
    rate = 0.5 * (before + dsyrk_rate(DIRECTIONS))
    return n * DIRECTIONS**2 / seconds / rate, seconds, rate


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--longest", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/dependent_streams.csv"))
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for n, count in ((arguments.n, arguments.runs), (arguments.longest, 1)):
        for name, make in STREAMS.items():
            if n == arguments.longest and name == "AR(1), path":
                continue  # its cost grows as that at the smaller n
            share, seconds, rate = sorted(measured(make, n) for _ in range(count))[count // 2]
            rows.append(
                {
                    "stream": name,
                    "directions": DIRECTIONS,
                    "n": n,
                    "runs": count,
                    "seconds": round(seconds, 2),
                    "gflops": round(share * rate / 1e9, 1),
                    "dsyrk_gflops": round(rate / 1e9, 1),
                    "share": round(share, 2),
                    "peak_process_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
                }
            )
            print(rows[-1], flush=True)
            pd.DataFrame(rows).to_csv(arguments.out, index=False)


if __name__ == "__main__":
    main()
