"""A flow on real samples under drifting eigenvalues against the sequence model.

    OPENBLAS_NUM_THREADS=1 python benchmarks/kernel_drift.py [--replicates 24]

120 directions, l_i = i^-2 until t = i^2 and i^-4 from then on, a critical target of index 1/2, unit noise, stopped at t = 30: the
coefficients of c' = -L_t X'(Xc - y)/n, solved exactly from piece to piece, over the exact risk of the sequence model.
"""

from __future__ import annotations

import argparse

import numpy as np

DIRECTIONS, LATEST = 120, 30.0


def main(arguments: list[str] | None = None) -> list[tuple[int, float, float]]:
    """Print, and return, n, the mean ratio of the risks and its standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=24)
    count = parser.parse_args(arguments).replicates
    index = np.arange(1.0, DIRECTIONS + 1.0)
    target = index**-1.5
    ends = [*(index[index**2 < LATEST] ** 2), LATEST]
    starts = [0.0, *ends[:-1]]
    pieces = [(b - a, np.where(0.5 * (a + b) < index**2, index**-2, index**-4)) for a, b in zip(starts, ends, strict=True)]
    exposure = np.sum([length * rate for length, rate in pieces], axis=0)
    rows = []
    for n in (200, 800, 3200):
        exact = np.sum(target**2 * np.exp(-2.0 * exposure)) + np.sum(np.expm1(-exposure) ** 2) / n
        risks = []
        for seed in range(count):
            generator = np.random.default_rng(seed)
            inputs = generator.standard_normal((n, DIRECTIONS))
            labels = inputs @ target + generator.standard_normal(n)
            covariance, moment, found = inputs.T @ inputs / n, inputs.T @ labels / n, np.zeros(DIRECTIONS)
            for length, rate in pieces:
                root = np.sqrt(rate)
                values, vectors = np.linalg.eigh(root[:, None] * covariance * root)
                values = np.maximum(values, 1e-14)
                pull = vectors.T @ (root * (moment - covariance @ found))
                found = found + root * (vectors @ (-np.expm1(-values * length) / values * pull))
            risks.append(float(np.sum((found - target) ** 2)) / exact)
        rows.append((n, float(np.mean(risks)), float(np.std(risks, ddof=1)) / count**0.5))
        print("n = {}: ratio {:.3f} +- {:.3f}".format(*rows[-1]))
    return rows


if __name__ == "__main__":
    main()
