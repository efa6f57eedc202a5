r"""Monte Carlo excess risk on sequences whose coordinates have autocorrelations of their own (:mod:`verifier.risk.profiles`).

Columns are drawn by their processes; label noise and the signs of the target's coefficients are averaged exactly. Directions
beyond the p that are drawn enter by their mean: :math:`\frac1n\sum_{i > p} l_i C_i` beside the ridge, and their part of the target
as label noise of the same correlations; what they predict themselves, to first order in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, cho_factor, cho_solve

from verifier.instances import Instance, PerCoordinate, eigenvalues
from verifier.risk.profiles import energies, per_coordinate, profile_for
from verifier.risk.simulate import EXHAUSTIVE_N, Replicates, default_directions
from verifier.risk.streams import stream

Array = NDArray[np.float64]

TILE_COLUMNS = 32  # of one class, drawn from a stream of their own


def simulate_profile(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | str | None = None
) -> Array:
    """Excess risks at each (n, lambda) on shared samples, shape (draws.count, len(pairs)).

    A replicate is one sequence, of which (n, lambda) sees the first n samples. ``draws.noise`` and ``draws.signs`` must be
    "averaged"; ``draws.controls`` and ``draws.antithetic`` are without effect. ``directions`` p: see
    :func:`verifier.risk.simulate.default_directions`. Work n^2 (n + p) a pair up to n = 800, n p^2 + p^3 beyond.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: on samples in sequence both are averaged")
    if isinstance(directions, str):
        raise ValueError(
            f"directions={directions!r}: samples in sequence know no fast estimator; give a whole number or None"
        )
    settings = {n: _Setting.at(instance, n, directions) for n in sorted({n for n, _ in pairs})}
    risks = {n: (_short if n <= EXHAUSTIVE_N else _long)(setting, n) for n, setting in settings.items()}
    longest, widest = max(settings), max(setting.p for setting in settings.values())
    dependence = per_coordinate(instance)
    result = np.empty((draws.count, len(pairs)))
    for r in range(draws.count):
        inputs = _inputs(dependence, draws, draws.first + r, longest, widest)
        for j, (n, lam) in enumerate(pairs):
            result[r, j] = risks[n](inputs[:n, : settings[n].p], float(lam))
    return result


def _inputs(dependence: PerCoordinate, draws: Replicates, replicate: int, n: int, p: int) -> Array:
    """Standardised inputs (n, p) of a replicate: the same numbers in the same places for every n and p."""
    classes = dependence.classes
    result = np.empty((n, p))
    for k, process in enumerate(classes):
        for start in range(k, p, len(classes) * TILE_COLUMNS):
            columns = slice(start, start + len(classes) * TILE_COLUMNS, len(classes))
            generator = stream(draws.seed, *draws.key, "replicate", replicate, "profile", start)
            drawn = process.draw(generator, n, TILE_COLUMNS)
            result[:, columns] = drawn[:, : result[:, columns].shape[1]]
    return result


@dataclass(frozen=True, eq=False)
class _Setting:
    r"""What all replicates at one n share: the p drawn directions, and ``beyond`` (4, K), what lies beyond them in each class:
    sums of :math:`l_i, l_i^2, f_i^2` and :math:`f_i^2 l_i`.
    """

    dependence: PerCoordinate
    sigma2: float
    p: int
    ell: Array
    f2: Array
    beyond: Array

    @classmethod
    def at(cls, instance: Instance, n: int, directions: int | None) -> _Setting:
        p = int(min(directions or default_directions(instance, n), instance.spectrum.size))
        table = profile_for(instance).table
        ell, f2 = eigenvalues(instance.spectrum, p), energies(instance, p)
        own = np.arange(p) % table.classes == np.arange(table.classes)[:, None]
        total = table.moments()
        rest = total - np.stack([own @ head for head in (ell, ell**2, f2, f2 * ell)])
        rest = np.where(rest > 1e-9 * total, rest, 0.0)  # what rounding leaves of a spectrum that was drawn as a whole
        return cls(per_coordinate(instance), instance.sigma**2, p, ell, f2, rest)


def _short(setting: _Setting, n: int) -> Callable[[Array, float], float]:
    r"""Risk of a sequence given its drawn inputs z (n, p), the mean over noise and signs: with
    :math:`A = (XX'/n + \lambda)^{-1}`, X of all directions,
    :math:`\sum_j f_j^2 \sum_i (\delta_{ij} - l_i z_i'Az_j/n)^2` over drawn directions, and first order in the others.
    """
    correlations = setting.dependence.input_correlations(n)
    beside, squares, energy, cross = np.tensordot(setting.beyond, correlations, 1)
    labels = energy + setting.sigma2 * setting.dependence.noise_correlation(n)

    def risk(z: Array, lam: float) -> float:
        kernel = ((z * setting.ell) @ z.T + beside) / n
        kernel.flat[:: n + 1] += lam
        factor = cho_factor(kernel, lower=True)
        solved, inverse = cho_solve(factor, z), cho_solve(factor, np.eye(n))
        shrunk = np.eye(setting.p) - setting.ell[:, None] * (z.T @ solved) / n
        passed = solved * setting.ell
        # A (sum l_i^2 z_i z_i' + rest) A is what predictions make of the labels.
        heard = passed @ passed.T + inverse @ squares @ inverse
        return (
            float(np.sum(shrunk**2, axis=0) @ setting.f2)
            + float(np.sum(heard * labels)) / n**2
            + float(np.sum((squares @ solved) * solved, axis=0) @ setting.f2) / n**2
            + float(setting.beyond[2].sum())
            - 2.0 * float(np.sum(inverse * cross)) / n
        )

    return risk


def _long(setting: _Setting, n: int) -> Callable[[Array, float], float]:
    """The same, with the Toeplitz matrices of long sequences replaced by circulants: both ends are taken for neighbours, where
    inputs that are not correlated meet. What is n x n is then diagonal in the frequencies.
    """
    w = 2.0 * math.pi * np.arange(n // 2 + 1) / n
    twice = np.full(len(w), 2.0)  # a frequency stands for its mirror image too
    twice[0] = 1.0
    if n % 2 == 0:
        twice[-1] = 1.0
    f = np.stack([process.spectral_density(w) for process in setting.dependence.classes])
    beside, squares, energy, cross = setting.beyond @ f
    labels = energy + setting.sigma2 * setting.dependence.noise.spectral_density(w)
    one, ell = np.eye(setting.p), setting.ell

    def risk(z: Array, lam: float) -> float:
        turned = np.fft.rfft(z, axis=0, norm="ortho")
        parts = np.concatenate([turned.real, turned.imag])
        b = 1.0 / (lam + beside / n)

        def gram(weight: Array) -> Array:
            half = np.sqrt(weight * twice)
            upper = blas.dsyrk(1.0, (parts * np.concatenate([half, half])[:, None]).T)
            return np.asarray(np.triu(upper) + np.triu(upper, 1).T)

        shrunk = np.linalg.inv(one + ell[:, None] * gram(b) / n)
        inner = shrunk * ell
        noise, rest = gram(b * b * labels), gram(b * b * squares)
        heard = float(np.sum((noise @ shrunk) * shrunk, axis=0) @ ell**2)
        heard += float((twice * b * b * squares) @ labels) - 2.0 / n * float(
            np.sum(inner * gram(b**3 * squares * labels))
        )
        heard += float(np.sum((inner @ rest) * (noise @ inner).T)) / n**2
        missed = float((twice * b) @ cross) - float(np.sum(inner * gram(b * b * cross))) / n
        return (
            float(np.sum(shrunk**2, axis=0) @ setting.f2)
            + heard / n**2
            + float(np.sum((rest @ shrunk) * shrunk, axis=0) @ setting.f2) / n**2
            + float(setting.beyond[2].sum())
            - 2.0 * missed / n
        )

    return risk
