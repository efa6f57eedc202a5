"""Flows on real samples under a drifting kernel against the sequence model.

    OPENBLAS_NUM_THREADS=1 python benchmarks/kernel_drift.py [--replicates 24]

120 directions, l_i = i^-2, unit noise, stopped at t = 30. *Eigenvalues*: i^-2 until t = i^2 and i^-4 from then on, a critical
target of index 1/2. *Features*: moved by T = 1 + e_1 v*, v_i ~ 1/i, from the start to t = 1, a critical target of index 1. The
coefficients of c' = -K_t X'(Xc - y)/n, solved exactly from piece to piece, over the exact risk of the sequence model.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

Array = NDArray[np.float64]
Piece = tuple[float, Array]
"""How long a kernel stays, and B, of which it is B'B."""

DIRECTIONS, LATEST = 120, 30.0
INDEX = np.arange(1.0, DIRECTIONS + 1.0)


def eigenvalues() -> tuple[Array, list[Piece]]:
    """The target's coefficients, and the pieces of a drift of eigenvalues."""
    ends = [*(INDEX[INDEX**2 < LATEST] ** 2), LATEST]
    starts = [0.0, *ends[:-1]]
    roots = [np.where(0.5 * (a + b) < INDEX**2, INDEX**-1, INDEX**-2) for a, b in zip(starts, ends, strict=True)]
    return INDEX**-1.5, [(b - a, np.diag(root)) for a, b, root in zip(starts, ends, roots, strict=True)]


def features() -> tuple[Array, list[Piece]]:
    """The same of features that are moved, and back."""
    first, v = (INDEX == 1.0).astype(float), INDEX**-1 / np.linalg.norm(INDEX**-1)
    moved = (np.eye(DIRECTIONS) + np.outer(first, v)) / INDEX
    return INDEX**-2.5, [(1.0, moved), (LATEST - 1.0, np.diag(1.0 / INDEX))]


def sequence_risk(target: Array, pieces: list[Piece], n: int) -> float:
    """|P f|^2 + |1 - P|^2/n with the propagator P of the flow."""
    kept = np.eye(DIRECTIONS)
    for length, root in pieces:
        kept = expm(-length * root.T @ root) @ kept
    return float(np.sum((kept @ target) ** 2) + np.sum((np.eye(DIRECTIONS) - kept) ** 2) / n)


def sampled_risk(target: Array, pieces: list[Piece], n: int, seed: int) -> float:
    """The risk of the same flow on n drawn samples."""
    generator = np.random.default_rng(seed)
    inputs = generator.standard_normal((n, DIRECTIONS))
    labels = inputs @ target + generator.standard_normal(n)
    covariance, moment, found = inputs.T @ inputs / n, inputs.T @ labels / n, np.zeros(DIRECTIONS)
    for length, root in pieces:
        values, vectors = np.linalg.eigh(root @ covariance @ root.T)
        values = np.maximum(values, 1e-14)
        pull = vectors.T @ (root @ (moment - covariance @ found))
        found = found + root.T @ (vectors @ (-np.expm1(-values * length) / values * pull))
    return float(np.sum((found - target) ** 2))


def main(arguments: list[str] | None = None) -> list[tuple[str, int, float, float]]:
    """Print, and return, the drift, n, the mean ratio of the risks and its standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=24)
    count = parser.parse_args(arguments).replicates
    rows = []
    for drift in (eigenvalues, features):
        target, pieces = drift()
        for n in (200, 800, 3200):
            exact = sequence_risk(target, pieces, n)
            risks = [sampled_risk(target, pieces, n, seed) / exact for seed in range(count)]
            rows.append((drift.__name__, n, float(np.mean(risks)), float(np.std(risks, ddof=1)) / count**0.5))
            print("{}, n = {}: ratio {:.3f} +- {:.3f}".format(*rows[-1]))
    return rows


if __name__ == "__main__":
    main()
