r"""Monte Carlo excess risk of ridge regression on random Fourier features of uniform inputs on the torus.

The model is that of :mod:`verifier.risk.fourier`; one replicate is a draw of m frequencies and, independent of it, n inputs. Label
noise and the phases of the target's pairs are averaged exactly.

*Small samples.* Inputs are uniform on a grid of ``GRID`` points of the torus, on which the pairs below half of it are orthonormal.
With A = (K + n lambda)^-1 on the sample, and every matrix a function of differences of inputs, read off one Fourier transform,

.. math:: E = \sum_k f_k^2 - 2\operatorname{tr}AQ + \operatorname{tr}AMAC, \quad
          Q = \sum L_kf_k^2\cos k(x - x'), \quad M = \sum 2L_k^2\cos k(x - x'), \quad C = \sum f_k^2\cos k(x - x') + \sigma^2 1,

or the same in the coordinates of the drawn pairs, where they are fewer than the sample. Frequencies beyond the grid are drawn too;
on the sample they look like one at random below.

*Large samples.* The Gram matrix of the leading pairs is made of the means of :math:`e^{ijx}` over the sample: those of a sample
up to ``COUNTED``, independent complex Gaussian numbers of variance 1/n beyond. The pairs that are not simulated are the
deterministic ridge, the noise and the loss that they tend to, as in :mod:`verifier.risk.filter_samples`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.linalg import cho_factor, cho_solve

from verifier.instances import Instance, eigenvalues
from verifier.risk.equivalents import equivalent_for
from verifier.risk.fourier import FourierEquivalent, drawn_sums, means_of_draws
from verifier.risk.nystrom_samples import counted
from verifier.risk.quadrature import modes
from verifier.risk.simulate import EXHAUSTIVE_N, Replicates, target_energies
from verifier.risk.streams import stream

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

GRID = 2**16
"""Points of the torus on which small samples lie."""

DIRECTIONS = 128
"""Pairs that are simulated in large samples."""

COUNTED = 20_000
"""Largest sample whose inputs are drawn one by one."""

MOST_DRAWS = 1e15
"""Numbers of frequencies from which on they are as many as expected."""

SELDOM, ROOM = 0.01, 0.1
"""Mean number of draws from which on a pair counts among the controls, and the least 1 - d2/n in their weights."""

ONE_BY_ONE = 30_000  # frequencies drawn one by one; more of them by counts


@dataclass(frozen=True, eq=False)
class _Setting:
    """One (n, lambda) with m frequencies: chances p (P,) and energies (P,) of the simulated pairs, S, the energy beyond them, and
    what the pairs beyond do in a large sample: ``ridge`` lambda and theirs, ``missed``, ``heard``. ``control`` (P,): what a pair
    adds to the risk that is not drawn.
    """

    n: int
    m: float
    lam: float
    chances: Array
    energies: Array
    whole: float
    variance: float
    energy_beyond: float
    ridge: float
    missed: float
    heard: float
    control: Array


def simulate_fourier(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks of an instance with Fourier features at each (n, lambda), shape (draws.count, len(pairs)).

    ``directions``: leading pairs simulated where n is above 800, by default 128. ``draws.noise`` and ``draws.signs`` must be
    "averaged"; ``draws.antithetic`` is without effect. Work n^3 or 8 p^3 a pair and replicate.

    ``draws.controls``: an important pair that is rarely not drawn makes the risks heavy-tailed. What pairs that are not drawn
    add to the risk, by the equivalent, less its mean, in which k is not drawn with probability (1 - p_k)^m, is subtracted.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: with Fourier features both are averaged")
    settings = [_setting(instance, n, lam, DIRECTIONS if directions is None else directions) for n, lam in pairs]
    result = np.empty((draws.count, len(pairs)))
    for r in range(draws.count):
        for j, item in enumerate(settings):
            key = (*draws.key, "replicate", draws.first + r)
            frequencies, inputs = stream(draws.seed, *key, "frequencies"), stream(draws.seed, *key, "inputs")
            counts, others = _drawn(item, frequencies)
            if item.n <= EXHAUSTIVE_N:
                result[r, j] = _small(item, counts, others, frequencies, inputs)
            else:
                result[r, j] = _large(item, counts, inputs)
            if draws.controls:
                result[r, j] -= float(item.control @ ((counts == 0.0) - np.exp(item.m * np.log1p(-item.chances))))
    return result


def _setting(instance: Instance, n: int, lam: float, directions: int) -> _Setting:
    sizes, ridges = np.array([float(n)]), np.array([float(lam)])
    fixed = counted(instance, n)
    engine = equivalent_for(fixed, sizes, ridges)
    assert isinstance(engine, FourierEquivalent)
    m, whole = engine.instance.features.width(sizes), 0.5 * engine.trace
    p = int(min(GRID // 2 - 1 if n <= EXHAUSTIVE_N else directions, instance.spectrum.size))
    ell = eigenvalues(instance.spectrum, p)
    energies = target_energies(instance, ell, None)
    kappa = engine.effective_ridge(sizes, ridges)
    c, chances = kappa * (m / whole), ell / whole
    control = np.zeros(p)
    kept = m * chances > SELDOM  # a pair that is drawn this seldom is not drawn, as a rule
    mu = m * chances[kept]
    left = means_of_draws(mu, c, np.zeros(len(mu), dtype=np.intp))[2] / -np.expm1(-mu)
    room = max(1.0 - float(engine.seen(sizes, kappa).df2[0]) / n, ROOM)
    control[kept] = energies[kept] * (1.0 - left) / room
    ridge, missed, heard, beyond = lam, 0.0, 0.0, 0.0
    if p < instance.spectrum.size:
        rest = modes(instance, engine.target_reach, skip=p)
        beyond = float(rest.target_energy.sum())
        if n > EXHAUSTIVE_N:
            first, second, missed = drawn_sums(rest, whole).at(m, c)[:, 0]
            ridge += float(kappa[0]) * 2.0 * first / n
            missed += float(np.exp(m * np.log1p(-rest.target_eigenvalues / whole)) @ rest.target_energy)
            heard = 2.0 * second / n
    return _Setting(
        n, float(m[0]), lam, chances, energies, whole, instance.sigma**2, beyond, ridge, missed, heard, control
    )


def _drawn(item: _Setting, generator: np.random.Generator) -> tuple[Array, float]:
    """How often each simulated frequency was drawn, and how many of the others."""
    if item.m > MOST_DRAWS:
        return item.m * item.chances, item.m * max(1.0 - float(item.chances.sum()), 0.0)
    m = round(item.m)
    if m <= ONE_BY_ONE:
        which = np.searchsorted(np.cumsum(item.chances), generator.uniform(size=m), side="right")
        counts = np.bincount(which, minlength=len(item.chances) + 1)
    else:
        chances = np.append(item.chances, max(1.0 - float(item.chances.sum()), 0.0))
        counts = generator.multinomial(m, chances / chances.sum())
    return counts[:-1].astype(np.float64), float(counts[-1])


def _small(
    item: _Setting, counts: Array, others: float, frequencies: np.random.Generator, inputs: np.random.Generator
) -> float:
    n, p = item.n, len(counts)
    unit = item.whole / item.m
    sampled = unit * counts
    places = inputs.integers(0, GRID, n)
    label = np.concatenate([item.energies, np.full(GRID // 2 - 1 - p, 0.0)])
    if item.energy_beyond:
        label += item.energy_beyond / len(label)  # on the grid the others are white
    total = float(item.energies.sum()) + item.energy_beyond
    folded = frequencies.integers(1, GRID // 2, int(min(others, ONE_BY_ONE)))  # more of them are as many everywhere
    several = np.bincount(folded, minlength=GRID // 2)[1:] * (others / max(len(folded), 1))
    padded = np.zeros(GRID // 2 - 1)
    padded[:p] = sampled
    apart = np.abs(places[:, None] - places)
    drawn = np.flatnonzero(counts)
    if 2 * (len(drawn) + int(others)) < n:
        k = np.concatenate([drawn + 1, folded])
        ell = np.tile(np.concatenate([sampled[drawn], np.full(len(folded), unit)]), 2)
        energy = np.tile(np.concatenate([item.energies[drawn], np.zeros(len(folded))]), 2)
        angle = (2.0 * np.pi / GRID) * ((places[:, None] * k) % GRID)
        basis = np.sqrt(2.0 * ell) * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
        factor = cho_factor(basis.T @ basis + n * item.lam * np.eye(len(ell)), lower=True)
        fit = np.sqrt(ell)[:, None] * cho_solve(factor, basis.T)  # coefficients from labels
        along = np.einsum("ki,ik->k", fit, basis / np.sqrt(ell))
        labels = _cosines(label)[apart]
        labels[np.diag_indices(n)] += item.variance
        return total - float(energy @ along) + float(np.sum((fit @ labels) * fit))
    amplitudes = (2.0 * (padded + unit * several), padded * label, 2.0 * (padded**2 + unit**2 * several), label)
    kernel, cross, square_of_it, labels = (_cosines(each)[apart] for each in amplitudes)
    diagonal = np.diag_indices(n)
    kernel[diagonal] += n * item.lam
    labels[diagonal] += item.variance
    inverse = cho_solve(cho_factor(kernel, lower=True), np.eye(n))
    seen = inverse @ square_of_it
    return total - 2.0 * float(np.sum(inverse * cross)) + float(np.sum(seen * (inverse @ labels).T))


def _cosines(amplitudes: Array) -> Array:
    """The sum of a_k cos(2 pi k d/GRID), k = 1, 2, ..., at d = 0, 1, ..., GRID - 1."""
    return np.asarray(irfft(np.concatenate([[0.0], amplitudes, [0.0]]) * (0.5 * GRID), n=GRID))


def _large(item: _Setting, counts: Array, inputs: np.random.Generator) -> float:
    n, p = item.n, len(counts)
    if n <= COUNTED:
        means = rfft(np.bincount(inputs.integers(0, GRID, n), minlength=GRID))[: 2 * p + 1] / n
        means = means.conj()
    else:
        normals = inputs.standard_normal((2, 2 * p + 1)) * np.sqrt(0.5 / n)
        means = normals[0] + 1j * normals[1]
        means[0] = 1.0
    index = np.arange(1, p + 1)
    differences, sums = means[np.abs(index[:, None] - index)], means[index[:, None] + index]
    signs = np.sign(index - index[:, None])  # of k - j
    gram = np.empty((2 * p, 2 * p))
    gram[:p, :p] = differences.real + sums.real
    gram[p:, p:] = differences.real - sums.real
    gram[:p, p:] = sums.imag + signs * differences.imag
    gram[p:, :p] = gram[:p, p:].T
    root = np.sqrt(np.tile(item.whole / item.m * counts, 2))
    alive = np.flatnonzero(root)
    root = root[alive]
    own = gram[np.ix_(alive, alive)]
    energy = 0.5 * np.tile(item.energies, 2)
    factor = cho_factor(root[:, None] * own * root + item.ridge * np.eye(len(root)), lower=True)
    fit = root[:, None] * cho_solve(factor, root[:, None] * gram[alive])  # coefficients from those of the target
    response = fit[:, alive]
    # Of what is kept of a drawn direction, what is missing is the small one: ridge times the inverse.
    lost = float(np.sum(fit**2 @ energy)) - 2.0 * float(np.diagonal(response) @ energy[alive]) + float(energy.sum())
    taken = root[:, None] * cho_solve(factor, np.diag(root))
    unit = float(np.sum(taken * (own @ taken).T)) / n
    # E = head + v (sigma^2 + T) + T, T = b + q (sigma^2 + E).
    fixed = item.missed + item.heard * item.variance
    return (lost + unit * item.variance + (1.0 + unit) * fixed) / (1.0 - (1.0 + unit) * item.heard)
