r"""Monte Carlo on samples of n inputs and m Gaussian features, at a cost that grows with neither.

With :math:`L = \Sigma^{1/2}`, the sample matters through :math:`P = Z'Z/n` and the features through :math:`Q = G'G/m` alone, two
independent Wishart matrices (Bartlett's factors, :mod:`verifier.risk.simulate`; the sample's are the normals of the same replicate
with infinitely many features). The p leading directions are simulated; those beyond enter through their deterministic means, on
both sides: with gamma, z and m of :mod:`verifier.risk.features`, a sum over the head written with the index h, one over the tail
with t, and :math:`g = \gamma (1 - z_h/n)(1 - z_h/m)` in place of :math:`\lambda` (to which it is equal when nothing is left out),

.. math:: K = (QLP + gL^{-1})^{-1}, \qquad E_0 = g^2\sum_j f_j^2 l_j^{-1}\|Ke_j\|^2, \qquad
          M_0 = \gamma(1 - z_h/m)^2\sum_j f_j^2 l_j^{-1}\|LPKe_j\|^2,

E the excess risk and M the energy that the sample's residuals send into a feature, in units of :math:`\gamma/(1-z/m)^2`. Residuals
in the tail act as noise of variance T on the samples, and what the tail sends into the features as noise U on them, so that

.. math:: E = E_0 + v(\sigma^2 + T) + wU + T, \qquad T = b_t + q_t(\sigma^2 + E)/n + D_t M/m, \\
          M = M_0 + x(\sigma^2 + T) + yU + U, \qquad U = k_t + D_t(\sigma^2 + E)/n + q_t M/m,

four linear equations; v, w, x, y are the responses of E and M to unit noise on either side (traces of K, P and Q), and
:math:`b_t = \sum_{i>p} f_i^2(1-r_i)^2`, :math:`k_t = \sum_{i>p} f_i^2 r_i(1-r_i)`. With no head they are the equivalent itself.
They follow from taking one direction, one row or one feature out at a time, as in a cavity computation; what is left out is
measured against more directions, and against regressions on explicit features (tests/test_features.py). Label noise and the signs
of the target's coefficients are averaged exactly. Nothing is subtracted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from verifier.instances import GaussianFeatures, Instance, eigenvalues
from verifier.risk.equivalents import equivalent_for
from verifier.risk.quadrature import modes
from verifier.risk.simulate import Replicates, bartlett, replicate_normals, target_energies

Array = NDArray[np.float64]

FEWEST_DIRECTIONS, MOST_DIRECTIONS = 64, 128
"""Directions simulated: 4 min(n, m) within these bounds."""

COUNTED = 1e12
"""A width beyond is taken as infinite: Q is the identity to rounding error in any mean."""

_SMALLEST_RIDGE = 1e-14
"""Ridge, relative to the last eigenvalue, that stands for zero where a finite number of directions is outnumbered by both the
sample and the features: they are then fitted exactly, and the risk is continuous in the ridge.
"""


@dataclass(frozen=True, eq=False)
class _Setting:
    """One (n, lambda): the head, and the sums of what lies beyond. ``side_n`` and ``side_m`` are 1 - z_h/n and 1 - z_h/m."""

    n: int
    m: float
    ell: Array
    f2: Array
    variance: float
    gamma: float
    side_n: float
    side_m: float
    bias: float
    leak: float
    df2: float
    spread: float


def simulate_features(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks of an instance with Gaussian features at each (n, lambda), shape (draws.count, len(pairs)).

    The width is m(n), rounded. ``directions`` p, by default 4 min(n, m) from 64 to 128. ``draws.noise`` and ``draws.signs`` must be
    "averaged"; ``draws.controls`` is without effect. Work 12 p^3 a pair and replicate.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: with random features both are averaged")
    if not isinstance(instance.features, GaussianFeatures):
        raise ValueError(
            f"features={instance.features!r} must be GaussianFeatures; others are simulated by their package"
        )
    settings = [_setting(instance, n, lam, directions) for n, lam in pairs]
    largest = max(len(item.ell) for item in settings)
    mirrors = (1.0, -1.0) if draws.antithetic else (1.0,)
    result = np.zeros((draws.count, len(pairs)))
    for r in range(draws.count):
        key = (*draws.key, "replicate", draws.first + r)
        inputs = replicate_normals(largest, largest, draws.seed, key)
        weights = replicate_normals(largest, largest, draws.seed, (*key, "features"))
        for mirror in mirrors:
            for j, item in enumerate(settings):
                sample = _wishart(mirror * inputs, item.n, len(item.ell))
                result[r, j] += _risk(item, sample, _wishart(mirror * weights, item.m, len(item.ell))) / len(mirrors)
    return result


def at_width(instance: Instance, n: int) -> Instance:
    """The instance with the whole number of features that it has at n."""
    width = float(instance.features.width(float(n)))
    return replace(instance, features=GaussianFeatures(float(round(width)) if width < COUNTED else COUNTED**4, 0.0))


def _setting(instance: Instance, n: int, lam: float, directions: int | None) -> _Setting:
    counted = at_width(instance, n)
    m = float(counted.features.width(float(n)))
    size = instance.spectrum.size
    few = min(max(int(4.0 * min(n, m)), FEWEST_DIRECTIONS), MOST_DIRECTIONS) if directions is None else directions
    p = int(min(few, size))
    ell = eigenvalues(instance.spectrum, p)
    sizes, ridges = np.array([float(n)]), np.array([float(lam)])
    gamma = float(equivalent_for(counted, sizes, ridges).effective_ridge(sizes, ridges)[0])
    gamma = max(gamma, _SMALLEST_RIDGE * float(ell[-1]))
    share = ell / (ell + gamma)
    head = float(share.sum())
    bias = leak = df2 = spread = 0.0
    if p < size:
        rest = modes(instance, math.log(min(n, m)), skip=p)
        kept = rest.eigenvalues / (rest.eigenvalues + gamma)
        df2, spread = float(rest.multiplicity @ kept**2), float(rest.multiplicity @ (kept * (1.0 - kept)))
        total = rest.target_eigenvalues + gamma
        bias = float(rest.target_energy @ (gamma / total) ** 2)
        leak = float(rest.target_energy @ (rest.target_eigenvalues * gamma / total**2))
    return _Setting(
        n=n,
        m=m,
        ell=ell,
        f2=target_energies(instance, ell, None),
        variance=instance.sigma**2,
        gamma=gamma,
        side_n=1.0 - head / n,
        side_m=1.0 - head / m,
        bias=bias,
        leak=leak,
        df2=df2,
        spread=spread,
    )


def _wishart(normals: Array, count: float, p: int) -> Array:
    """Z'Z/count of ``count`` standard normal rows of length p; the identity where they are beyond counting."""
    if count > COUNTED:
        return np.eye(p)
    factor = bartlett(normals, int(count), p)
    return np.asarray(factor @ factor.T / count)


def _risk(item: _Setting, sample: Array, weights: Array) -> float:
    """Excess risk of one replicate from P and Q."""
    ell, n, m, gamma = item.ell, item.n, item.m, item.gamma
    root = np.sqrt(ell)
    ridge = gamma * item.side_n * item.side_m
    scaled_sample = root[:, None] * sample  # L P
    system = weights @ scaled_sample  # Q L P
    system.flat[:: len(ell) + 1] += ridge / root
    inverse = np.linalg.inv(system)  # K; (QLPL + g)^-1 = L^-1 K
    lost = np.asarray(np.einsum("ij,ij->j", inverse, inverse))
    sent = scaled_sample @ inverse  # L P K = L H L with H = (PA + g)^-1 P, A = LQL
    target = item.f2 / ell
    # E0 = g^2 sum f^2/l |K e|^2; M0 likewise with L P K.
    risk = ridge**2 * float(target @ lost)
    energy = gamma * item.side_m**2 * float(target @ np.einsum("ij,ij->j", sent, sent))
    # Responses to noise on the samples: L H2 L = K'L^-1 (LPL) L^-1 K = K'PK, and A H2 A.
    half = sample @ inverse
    on_samples = inverse.T @ half
    passed = weights @ on_samples
    risk_by_sample = float(np.einsum("ij,ij,i->", passed, weights, ell)) / n
    energy_by_sample = gamma * item.side_m**2 * float(np.trace(on_samples)) / n
    # Responses to noise on the features: J2 = K Q K', and L H A H L.
    risk_by_feature = gamma * item.side_n**2 * float(np.einsum("ij,ij->", inverse @ weights, inverse)) / m
    energy_by_feature = float(np.einsum("ij,ij->", sent @ weights, sent)) / m
    variance, df2, spread = item.variance, item.df2, item.spread
    left = np.array(
        [
            [1.0, 0.0, -1.0 - risk_by_sample, -risk_by_feature],
            [0.0, 1.0, -energy_by_sample, -1.0 - energy_by_feature],
            [-df2 / n, -spread / m, 1.0, 0.0],
            [-spread / n, -df2 / m, 0.0, 1.0],
        ]
    )
    right = np.array(
        [
            risk + risk_by_sample * variance,
            energy + energy_by_sample * variance,
            item.bias + df2 / n * variance,
            item.leak + spread / n * variance,
        ]
    )
    return float(np.linalg.solve(left, right)[0])
