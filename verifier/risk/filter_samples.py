r"""Monte Carlo on the estimator that stops a descent early, at a cost free of n.

The p leading directions are simulated: the sample matters through :math:`W = Z'Z/n` alone (Bartlett's factors,
:mod:`verifier.risk.simulate`), and with :math:`\hat\Sigma = \Sigma^{1/2}W\Sigma^{1/2} = UxU'` the residual of the coefficients is
:math:`R = 1 - U x\phi(x) U'`. Where nothing lies beyond the p directions :math:`\phi(x) = (1 - g(x))/x` is that of the filter
itself, and the risk is exact.

Those beyond enter through their deterministic means, pair by pair of the complex ridges of :mod:`verifier.risk.filters`. To the
sample they add to each :math:`z_j` the ridge :math:`\tau_j = \frac1n\sum_{i>p} l_i/(1 + l_i/\kappa_j)`, so that
:math:`R_j = 1 - U x/(x + z_j + \tau_j) U'`, and what is lost of them, T, acts as noise on the samples:

.. math:: E_{jk} = \sum_i f_i^2 l_i^{-1}e_i'R_j\Sigma R_ke_i + v_{jk}(\sigma^2 + T_{jk}) + T_{jk}, \qquad
          T_{jk} = b_{jk} + q_{jk}(\sigma^2 + E_{jk})/n, \qquad E = \sum_{jk} w_j w_k E_{jk},

v the response to unit noise, b and q the sums over i > p of B and d there. For one real ridge that is the far tail of
:mod:`verifier.risk.simulate`. Label noise and the signs of the target's coefficients are averaged exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Descent, Instance, eigenvalues
from verifier.risk.equivalents import equivalent_for
from verifier.risk.filters import FilterEquivalent, largest_eigenvalue
from verifier.risk.quadrature import modes
from verifier.risk.simulate import Replicates, bartlett, replicate_normals, target_energies

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

DIRECTIONS = 128
"""Directions simulated, of the most that there are; 512 of them give the same risks (tests/test_filters.py)."""


@dataclass(frozen=True, eq=False)
class _Tail:
    """What lies beyond the head: the ridges z + tau (P,), the weights w (P,), b and q/n (P, P)."""

    ridges: Complex
    weights: Complex
    bias: Complex
    share: Complex


@dataclass(frozen=True, eq=False)
class _Setting:
    """One (n, lambda): the head, and what lies beyond (None where nothing does)."""

    instance: Instance
    n: int
    lam: float
    ell: Array
    f2: Array
    tail: _Tail | None


def simulate_filter(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks of an instance with an iterative filter at each (n, lambda), shape (draws.count, len(pairs)).

    ``directions`` p, by default 128. ``draws.noise`` and ``draws.signs`` must be "averaged"; ``draws.controls`` is without
    effect. Work 20 p^3 a pair and replicate.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: with a filter both are averaged")
    settings = [_setting(instance, n, lam, directions) for n, lam in pairs]
    largest = max(len(item.ell) for item in settings)
    mirrors = (1.0, -1.0) if draws.antithetic else (1.0,)
    result = np.zeros((draws.count, len(pairs)))
    for r in range(draws.count):
        normals = replicate_normals(largest, largest, draws.seed, (*draws.key, "replicate", draws.first + r))
        for mirror in mirrors:
            for j, item in enumerate(settings):
                result[r, j] += _risk(item, bartlett(mirror * normals, item.n, len(item.ell))) / len(mirrors)
    return result


def _setting(instance: Instance, n: int, lam: float, directions: int | None) -> _Setting:
    size = instance.spectrum.size
    p = int(min(DIRECTIONS if directions is None else directions, size))
    assert isinstance(instance.filter, Descent)
    lam = min(lam, instance.filter.earliest(largest_eigenvalue(instance)))
    ell = eigenvalues(instance.spectrum, p)
    tail = _tail(instance, n, lam, p) if p < size else None
    return _Setting(instance, n, lam, ell, target_energies(instance, ell, None), tail)


def _tail(instance: Instance, n: int, lam: float, p: int) -> _Tail:
    sizes, lams = np.array([float(n)]), np.array([float(lam)])
    engine = equivalent_for(instance, sizes, lams)
    assert isinstance(engine, FilterEquivalent)
    half = engine.solved(sizes, lams, engine.effective_ridge(sizes, lams))
    z, weights, kappa = (np.concatenate([part[0], part[0].conj()]) for part in half)
    rest = modes(instance, math.log(n), skip=p)
    kept = rest.eigenvalues / (rest.eigenvalues + kappa[:, None])
    lost = kappa[:, None] / (rest.target_eigenvalues + kappa[:, None])
    return _Tail(
        ridges=z + kappa * (kept @ rest.multiplicity) / n,
        weights=weights,
        bias=(lost * rest.target_energy) @ lost.T,
        share=(kept * rest.multiplicity) @ kept.T / n,
    )


def _risk(item: _Setting, factor: Array) -> float:
    """Excess risk of one replicate from a factor A of n W = A A'."""
    ell, n, variance = item.ell, item.n, item.instance.sigma**2
    vectors, singular, _ = np.linalg.svd(np.sqrt(ell)[:, None] * factor / math.sqrt(n), full_matrices=False)
    x = singular * singular
    # In the eigenbasis of the sample: Sigma, the target, and their products along it.
    seen = vectors.T @ (ell[:, None] * vectors)
    target = vectors.T @ ((item.f2 / ell)[:, None] * vectors)
    both = np.einsum("ia,ia,i->a", vectors, vectors, item.f2)
    if item.tail is None:
        assert isinstance(item.instance.filter, Descent)  # as in _setting
        learnt = item.instance.filter.learnt(x, item.lam, largest_eigenvalue(item.instance))
        lost = float(item.f2.sum() - 2.0 * (learnt @ both) + learnt @ (target * seen) @ learnt)
        with np.errstate(divide="ignore", invalid="ignore"):
            response = np.where(x > 0.0, learnt * learnt / x, 0.0)
        return lost + variance * float(np.diagonal(seen) @ response) / n
    tail = item.tail
    passed = 1.0 / (x + tail.ridges[:, None])
    learnt = x * passed
    along = learnt @ both
    head = item.f2.sum() - along[:, None] - along[None, :] + learnt @ (target * seen) @ learnt.T
    unit = (passed * (np.diagonal(seen) * x)) @ passed.T / n
    # E = head + v (sigma^2 + T) + T, T = b + q (sigma^2 + E).
    fixed = tail.bias + tail.share * variance
    risk = (head + unit * variance + (1.0 + unit) * fixed) / (1.0 - (1.0 + unit) * tail.share)
    return float(np.real(tail.weights @ risk @ tail.weights))
