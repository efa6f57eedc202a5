"""Coverage of the interval for a tail index (verifier/risk/tails.py) on kernels of known tails.

    python benchmarks/tails.py [--draws 160] [--out benchmarks/results/tails.csv]

A row per family and N: 160 draws at N = 256 and a quarter as many at N = 512 (three minutes). Each draw has its own beta in 1.1
to 4, its own width (infinite, N, 2N, 8N features) and its own law of the features (Gaussian, Rademacher, Student t with 6
degrees). ``covers_tail`` is the share of intervals that hold beta, ``covers_window`` that of the intervals without the part for
curvature that hold the slope of the population's eigenvalues over the window; ``half_width`` and ``half_width_window`` are the
medians, and ``silent`` is the share without an interval. The stated level is .95.
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path

import numpy as np

from verifier.risk.streams import stream
from verifier.risk.tails import slope_weights, tail_index

FAMILIES = (
    "power law",
    "raised head",
    "log-periodic",
    "two tails, crossover up to 3",
    "two tails, crossover up to 20",
    "logarithm",
)
COLUMNS = 2000


def spectrum(family: str, beta: float, rng: np.random.Generator) -> np.ndarray:
    """Eigenvalues whose tail index is beta, in decreasing order."""
    i = np.arange(1.0, COLUMNS + 1.0)
    values = i**-beta
    if family == "raised head":
        values = values * np.where(i <= 3.0, rng.uniform(2.0, 50.0), 1.0)
    if family == "log-periodic":
        values = values * np.exp(rng.uniform(0.05, 0.4) * np.sin(2.0 * math.pi * np.log(i) / rng.uniform(0.7, 3.0)))
    if family.startswith("two tails"):
        steeper, at = beta + rng.uniform(0.5, 3.0), rng.uniform(1.0, float(family.split()[-1]))
        values = values + i**-steeper * at ** (steeper - beta)
    if family == "logarithm":
        values = values * (1.0 + np.log(i))
    return np.sort(values)[::-1]


def draw(family: str, samples: int, number: int) -> tuple[bool, bool, float, float] | None:
    rng = stream(0, "benchmark", "tails", family, samples, number)
    beta = float(rng.uniform(1.1, 4.0))
    values = spectrum(family, beta, rng)
    shape = (samples, COLUMNS)
    law = ("normal", "normal", "sign", "student")[number % 4]
    if law == "normal":
        z = rng.standard_normal(shape)
    elif law == "sign":
        z = rng.choice([-1.0, 1.0], shape)
    else:
        z = rng.standard_t(6.0, shape) / math.sqrt(1.5)
    width = (math.inf, math.inf, samples, 2 * samples, 8 * samples)[number % 5]
    features = z * np.sqrt(values)
    if math.isfinite(width):
        features = features @ (rng.standard_normal((COLUMNS, int(width))) / math.sqrt(width))
    kernel = features @ features.T
    if math.isinf(width):  # what lies beyond the columns acts as a ridge
        kernel = kernel + np.eye(samples) * values[-1] * COLUMNS / (beta - 1.0)
    found = tail_index(kernel, width=width, seed=number)
    if found.reason:
        return None
    own = float(slope_weights(*found.window)[0] @ np.log(values[: found.window[1]]))
    return (
        abs(found.value - beta) <= found.half_width,
        abs(found.value - own) <= found.of_window,
        found.half_width,
        found.of_window,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=160)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/tails.csv"))
    options = parser.parse_args()
    rows = []
    for samples, draws in ((256, options.draws), (512, max(1, options.draws // 4))):
        for family in FAMILIES:
            drawn = [draw(family, samples, number) for number in range(draws)]
            table = np.array([each for each in drawn if each is not None], dtype=np.float64)
            covers_tail, covers_window = table[:, :2].mean(axis=0)
            half_width, of_window = np.median(table[:, 2:], axis=0)
            rows.append(
                {
                    "family": family,
                    "N": samples,
                    "draws": draws,
                    "covers_tail": f"{covers_tail:.3f}",
                    "covers_window": f"{covers_window:.3f}",
                    "half_width": f"{half_width:.3f}",
                    "half_width_window": f"{of_window:.3f}",
                    "silent": f"{1.0 - len(table) / draws:.3f}",
                }
            )
            print(rows[-1], flush=True)
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
