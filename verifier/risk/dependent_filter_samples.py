r"""Monte Carlo on a descent that is stopped early, on samples that depend on one another.

In the eigenbasis of C, the correlations of the inputs over time, the rows of the sample are independent, of weights f, and the
noise is heard through its variances :math:`f_\varepsilon` along them, in the mean over the signs of the rows
(:mod:`verifier.risk.dependent_streams`, which gives both of them at n samples). The p leading directions are simulated:
:math:`\hat\Sigma = \Sigma^{1/2}Z'FZ\Sigma^{1/2}/n` with rows of Z of iid standard normal entries. Where nothing lies beyond them,
:math:`\hat\Sigma = UxU'` and the filter itself is applied to x: the risk is exact.

Those beyond enter pair by pair of the complex ridges :math:`z_j` of :mod:`verifier.risk.filters`, as in
:mod:`verifier.risk.filter_samples`, but correlated over time like the inputs, as in :mod:`verifier.risk.dependent_samples`: with
:math:`t_j = \frac1n\sum_{i>p}l_i\kappa_j/(l_i + \kappa_j)`, :math:`r_j = z_j + t_j`, :math:`A_j = r_j(z_j + t_jF)^{-1}`,
:math:`H_j = (Z'FA_jZ/n + r_jL^{-1})^{-1}` and :math:`v^M_{jk} = \frac1{n^2}\mathrm{tr}\,H_jZ'FA_jMA_kZH_k`,

.. math:: E_{jk} = r_jr_k\sum_i \frac{f_i^2}{l_i^2}[H_jH_k]_{ii} + \sigma^2v^{F_\varepsilon}_{jk} + (1 + v^F_{jk})T_{jk}, \quad
          T_{jk} = b_{jk} + q_{jk}(J^x_{jk}E_{jk} + \sigma^2J^\varepsilon_{jk}), \quad E = \sum_{jk}w_jw_kE_{jk},

b and q the sums over i > p of B and d/n, J those of :mod:`verifier.risk.dependent_filters`. The weights :math:`FA_j` and
:math:`FA_jMA_k` of the rows are smooth functions of F, of which a few span all to ``SPANNED``: as many matrices
:math:`\sum_tc_tz_tz_t'` are formed, and no more. Label noise and the signs of the target's coefficients are averaged exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular

from verifier.instances import Descent, Instance, eigenvalues
from verifier.risk.dependent_filters import DependentFilterEquivalent, law_at, pair_factors
from verifier.risk.dependent_streams import Modes, in_one_eigenbasis, time_modes
from verifier.risk.equivalents import equivalent_for
from verifier.risk.filters import largest_eigenvalue
from verifier.risk.quadrature import modes
from verifier.risk.simulate import Replicates, target_energies
from verifier.risk.streams import stream

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

DIRECTIONS = 128
"""Directions simulated, of the most that there are."""

SPANNED = 1e-5
"""Relative error of the weights of the rows in the span of a few of them."""

_LOOKED_AT = 128  # rows among which the few are looked for
_BAND = 2048  # rows held at a time


@dataclass(frozen=True, eq=False)
class _Far:
    """What lies beyond the head: ridges z (P,), t and weights w of half of the poles, the first P/2; b, q, J_x and J_eps of their
    pairs with all of them, shape (P/2, P).
    """

    ridges: Complex
    far: Complex
    weights: Complex
    bias: Complex
    share: Complex
    inputs: Complex
    noise: Complex


@dataclass(frozen=True, eq=False)
class _Setting:
    """One (n, lambda): the head, and what lies beyond (None where nothing does)."""

    instance: Instance
    n: int
    lam: float
    ell: Array
    f2: Array
    far: _Far | None


def simulate_dependent_filter(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks of an instance with an iterative filter on dependent samples at each (n, lambda), shape (draws.count,
    len(pairs)).

    ``directions`` p, by default 128. Pairs of one n see the same sample, others independent ones. ``draws.noise`` and
    ``draws.signs`` must be "averaged"; ``draws.controls`` and ``draws.antithetic`` are without effect. Noise of long memory beside
    correlated inputs of another process has no mean here: ValueError. Work some 20 n p^2 + 100 p^3 a pair and replicate.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: with a filter both are averaged")
    if not in_one_eigenbasis(instance.dependence):
        raise ValueError(
            f"dependence={instance.dependence!r}: noise of long memory beside correlated inputs of another process is "
            "not simulated with a filter; give it short memory, or the inputs' process"
        )
    settings = [_setting(instance, n, lam, directions) for n, lam in pairs]
    groups: dict[int, list[int]] = {}
    for j, (n, _) in enumerate(pairs):
        groups.setdefault(n, []).append(j)
    result = np.empty((draws.count, len(pairs)))
    for r in range(draws.count):
        for n, members in groups.items():
            key = (*draws.key, "replicate", draws.first + r, "dependent descent", n)
            source = cast(np.random.SeedSequence, stream(draws.seed, *key).bit_generator.seed_seq)
            for j in members:  # each from the start of the same stream
                generator = np.random.Generator(np.random.SFC64(source))
                rows = time_modes(instance.dependence, n, generator)
                result[r, j] = _risk(settings[j], rows, generator)
    return result


def _setting(instance: Instance, n: int, lam: float, directions: int | None) -> _Setting:
    size = instance.spectrum.size
    p = int(min(DIRECTIONS if directions is None else directions, size))
    assert isinstance(instance.filter, Descent)
    lam = min(lam, instance.filter.earliest(largest_eigenvalue(instance)))
    ell = eigenvalues(instance.spectrum, p)
    far = _far(instance, n, lam, p) if p < size else None
    return _Setting(instance, n, lam, ell, target_energies(instance, ell, None), far)


def _far(instance: Instance, n: int, lam: float, p: int) -> _Far:
    sizes, lams = np.array([float(n)]), np.array([float(lam)])
    engine = equivalent_for(instance, sizes, lams)
    assert isinstance(engine, DependentFilterEquivalent)
    half = engine.solved(sizes, lams, engine.effective_ridge(sizes, lams))
    z, weights, kappa = (np.concatenate([part[0], part[0].conj()]) for part in half)
    delta = engine.freedom(kappa[None, :]) * kappa / (n * z)
    inputs, noise = pair_factors(law_at(instance.dependence, sizes), delta)
    rest, few = modes(instance, math.log(n), skip=p), len(z) // 2
    kept = rest.eigenvalues / (rest.eigenvalues + kappa[:, None])
    lost = kappa[:, None] / (rest.target_eigenvalues + kappa[:, None])
    return _Far(
        ridges=z[:few],
        far=(kappa * (kept @ rest.multiplicity) / n)[:few],
        weights=weights,
        bias=(lost[:few] * rest.target_energy) @ lost.T,
        share=(kept[:few] * rest.multiplicity) @ kept.T / n,
        inputs=inputs[0, :few],
        noise=noise[0, :few],
    )


def _moments(weights: Array, p: int, n: int, generator: np.random.Generator) -> Array:
    """sum_t c_t z_t z_t' / n for each row c of ``weights`` (m, rows), shape (m, p, p); z of iid standard normal entries."""
    total = np.zeros((len(weights), p, p))
    for start in range(0, weights.shape[1], _BAND):
        part = weights[:, start : start + _BAND]
        z = generator.standard_normal((part.shape[1], p))
        for k, own in enumerate(part):
            total[k] += z.T @ (own[:, None] * z)
    return total / n


def _risk(item: _Setting, rows: Modes, generator: np.random.Generator) -> float:
    """Excess risk of one replicate."""
    return _exact(item, rows, generator) if item.far is None else _beside(item, item.far, rows, generator)


def _exact(item: _Setting, rows: Modes, generator: np.random.Generator) -> float:
    ell, instance = item.ell, item.instance
    assert isinstance(instance.filter, Descent)  # as in _setting
    seen, heard = _moments(np.stack([rows.inputs, rows.inputs * rows.noise]), len(ell), item.n, generator)
    root = np.sqrt(ell)
    x, vectors = np.linalg.eigh(root[:, None] * seen * root)
    x = np.maximum(x, 0.0)
    risk = vectors.T @ (ell[:, None] * vectors)
    target = vectors.T @ ((item.f2 / ell)[:, None] * vectors)
    both = np.einsum("ia,ia,i->a", vectors, vectors, item.f2)
    learnt = instance.filter.learnt(x, item.lam, largest_eigenvalue(instance))
    lost = float(item.f2.sum() - 2.0 * (learnt @ both) + learnt @ (target * risk) @ learnt)
    passed = np.where(x > 1e-14 * x[-1], learnt / np.maximum(x, 1e-300), 0.0)
    noise = vectors.T @ (root[:, None] * heard * root) @ vectors
    return lost + instance.sigma**2 * float(passed @ (noise * risk) @ passed) / item.n


def _beside(item: _Setting, far: _Far, rows: Modes, generator: np.random.Generator) -> float:
    ell, n, variance = item.ell, item.n, item.instance.sigma**2
    f, ridge, p = rows.inputs, far.ridges + far.far, len(item.ell)
    gain = (ridge[:, None]) / (far.ridges[:, None] + far.far[:, None] * f)
    few = len(ridge)
    every = np.concatenate([gain, gain.conj()])
    single, of_single = _span(gain, f)
    double, of_double = _span((gain[:, None, :] * every[None, :, :]).reshape(-1, len(f)), f)
    same = rows.noise is f or np.array_equal(rows.noise, f)
    weights = [single * f, double * f * f] + ([] if same else [double * f * rows.noise])
    found = _moments(np.concatenate(weights), p, n, generator)
    plain, through = found[: len(single)], found[len(single) : len(single) + len(double)]
    own = through if same else found[len(single) + len(double) :]
    # H, in units in which the diagonal is of order one.
    over = ridge[:, None] / ell
    unit = 1.0 / np.sqrt(1.0 + np.abs(over))
    system = np.tensordot(of_single, plain, axes=1)
    system[:, np.arange(p), np.arange(p)] += over
    h = unit[:, :, None] * np.linalg.inv(unit[:, :, None] * system * unit[:, None, :]) * unit[:, None, :]
    parts = np.concatenate([h.real, h.imag])
    flat = np.concatenate([h, h.conj()]).reshape(2 * few, -1)
    both = ridge[:, None] * np.concatenate([ridge, ridge.conj()])
    bias = both * ((h * (item.f2 / ell**2)[:, None]).reshape(few, -1) @ flat.T)

    def variances(matrices: Array) -> Complex:
        """v of every pair, shape (few, 2 few)."""
        total = np.zeros((few, 2 * few), dtype=np.complex128)
        for matrix, shares in zip(matrices, of_double.T, strict=True):
            turned = parts @ matrix
            total += shares.reshape(few, -1) * ((turned[:few] + 1j * turned[few:]).reshape(few, -1) @ flat.T)
        return total / n

    passed = variances(through)
    heard = passed if same else variances(own)
    # E = bias + sigma^2 v + (1 + v_F) T, T = b + q (J_x E + sigma^2 J_eps).
    fixed = far.bias + far.share * far.noise * variance
    risk = (bias + variance * heard + (1.0 + passed) * fixed) / (1.0 - (1.0 + passed) * far.share * far.inputs)
    return 2.0 * float(np.real(far.weights[:few] @ risk @ far.weights))


def _span(functions: Complex, f: Array) -> tuple[Array, Complex]:
    """A few real functions of f (m, rows), and the coefficients (k, m) with which they give the ``functions`` (k, rows)."""
    order = np.argsort(f)
    looked = order[np.unique(np.linspace(0, len(f) - 1, _LOOKED_AT).astype(np.intp))]
    real = np.concatenate([functions.real, functions.imag])
    _, r, pivots = qr(real[:, looked].T, mode="economic", pivoting=True)
    size = np.abs(np.diagonal(r))
    m = max(1, int(np.count_nonzero(size > SPANNED * size[0])))
    shares = np.empty((m, len(real)))
    shares[:, pivots] = np.concatenate([np.eye(m), solve_triangular(r[:m, :m], r[:m, m:])], axis=1)
    half = len(functions)
    return real[pivots[:m]], np.asarray(shares[:, :half].T + 1j * shares[:, half:].T)
