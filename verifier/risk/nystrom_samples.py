r"""Monte Carlo excess risk of ridge regression on the span of m landmarks, at a cost that grows with neither n nor m.

The model is that of :mod:`verifier.risk.nystrom`; one replicate is a sample and, independent of it, landmarks. The risk depends on
either through :math:`\Sigma^{-1/2} S \Sigma^{-1/2} = AA'/n` and :math:`\Sigma^{-1/2}Z'Z\Sigma^{-1/2} = BB'` alone, A and B the
Bartlett factors (:mod:`verifier.risk.simulate`) with n and m degrees of freedom. p directions are simulated, the others enter
through their means.

*Simulated directions.* In whitened coordinates :math:`w = \Sigma^{1/2}\hat\theta` lies in the span of :math:`\Lambda B`. With k =
min(m, p), :math:`B_1` the first k rows of B and :math:`B_2` the others,

.. math:: w = Kc, \quad K = \binom{1}{M}, \quad M = \Lambda_2 B_2 B_1^{-1}\Lambda_1^{-1}, \quad a = Jc, \quad
          J = B_1^{-1}\Lambda_1^{-1},

c being the first k coordinates of w, and a those in the basis of landmarks. The directions beyond p act on the sample as a ridge
:math:`\lambda' = \lambda + \frac{\kappa}{n}\sum_{i>p} a_i`: of the residual they leave the share :math:`\lambda/\lambda'` to the
others, and :math:`\lambda/\kappa` to themselves. So, with :math:`\chi = \lambda'/\kappa`, they are a ridge
:math:`\varrho = \chi\nu\sum_{i>p} (a_i + g_i)` to the landmarks (the last rows of G in G C G', one at a time), and

.. math:: c = N^{-1}\big(K'\,\tfrac1n A(\cdot) + J'\eta\big), \quad N = K'WK + R, \quad W = \tfrac1n AA', \quad
          R = \lambda'(\Lambda_1^{-1} + M'\Lambda_2^{-1}M) + \varrho J'J.

For labels of the target :math:`f = (f_1, f_2)` the error is :math:`w - f = -(KN^{-1}R + YM)f_1 + Yf_2`,
:math:`Y = KN^{-1}(K'W)_2 - \binom{0}{1}`: every piece is small where the error is, and nothing of order one is subtracted from one.
Label noise and the signs of the target's coefficients are averaged exactly.

*Directions beyond p.* They give the fitted function a part of variance :math:`\tau\alpha`, :math:`\tau = \sum_{i>p} l_i^2 e_i^2`,
:math:`\alpha` the mean of :math:`\|a\|^2`, miss :math:`F = \sum_{i>p} f_i^2(1 - a_i)^2` of the target, and hear
:math:`D = \frac1n\sum_{i>p} a_i^2` of the noise; T is all this together. Into the equations of the landmarks they put a
noise :math:`\eta`, of variance :math:`\chi^2 h` for each landmark: from the target, the sample, and the landmarks that are not
orthogonal. With :math:`E_p, \alpha_p` what the target leaves of error and :math:`\|a\|^2` on the simulated directions,
:math:`(v, v_a)` the two per unit of label noise, :math:`(r, r_a)` per unit of h,

.. math:: E = E_p + (\sigma^2 + T)v + h r + T, \qquad T = F + \tau\alpha + D(\sigma^2 + E), \\
          \alpha = \alpha_p + (\sigma^2 + T)v_a + h r_a, \qquad
          h = \sum_{i>p} f_i^2 l_i^2 e_i^2 + (\sigma^2 + E)\tau/n + \alpha\sum_{i>p} c_i^2 e_i^2,

four linear equations, from taking one direction out at a time. With no simulated direction at all they are the equivalent
(:math:`r_a = 1/(\nu^2 m)` and :math:`m - \sum_i (a_i + g_i)^2 = \sum_i (a_i + g_i)e_i`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from verifier.instances import FourierFeatures, Instance, NystromFeatures, eigenvalues
from verifier.risk.equivalents import equivalent_for
from verifier.risk.nystrom import landmarks, shares_beyond
from verifier.risk.simulate import Replicates, bartlett, replicate_normals, target_energies

Array = NDArray[np.float64]

FEWEST_DIRECTIONS, MOST_DIRECTIONS = 64, 128
"""Directions that are simulated unless a number is asked for: 4 min(n, m) within these bounds. Mean risks with 400 of them
differ from those with 128 by less than a thousandth (tests/test_nystrom.py).
"""

COUNTED = 1e12
"""As many rows are as good as infinitely many: Bartlett's factor over their root is the identity to rounding error in any mean."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What a replicate needs at one (n, m, lambda): eigenvalues ``ell`` and squared coefficients ``f2`` of the simulated
    directions (p,), the ridges ``sample_ridge`` and ``landmark_ridge`` of the others, their ``spread`` tau, ``missed`` F and
    ``heard`` D, and what eta hears: ``share`` chi^2, ``passed`` sum f^2 l^2 e^2, ``crossed`` sum c^2 e^2.
    """

    n: int
    m: int
    ell: Array
    f2: Array
    variance: float
    sample_ridge: float
    landmark_ridge: float
    spread: float
    missed: float
    heard: float
    share: float
    passed: float
    crossed: float


def counted(instance: Instance, n: float) -> Instance:
    """The instance with the whole number of landmarks, or of drawn frequencies, that it has at n."""
    width, features = float(instance.features.width(n)), instance.features
    assert isinstance(features, NystromFeatures | FourierFeatures)
    whole = float(round(width)) if width < COUNTED else COUNTED
    return replace(instance, features=replace(features, factor=whole, degree=0.0))


def setting(instance: Instance, *, n: int, lam: float, directions: int | None = None) -> Setting:
    """The directions that are simulated at (n, lambda) with m(n) landmarks, rounded, and what the others amount to."""
    fixed = counted(instance, n)
    assert isinstance(fixed.features, NystromFeatures)
    m = int(fixed.features.factor)
    few = min(max(4 * min(n, m), FEWEST_DIRECTIONS), MOST_DIRECTIONS)
    p = int(min(few if directions is None else directions, instance.spectrum.size))
    ell = eigenvalues(instance.spectrum, p)
    energies = target_energies(instance, ell, None)
    if p == instance.spectrum.size:
        return Setting(n, m, ell, energies, instance.sigma**2, lam, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    sizes, ridges, width = np.array([float(n)]), np.array([lam]), np.array([float(m)])
    kappa = float(equivalent_for(fixed, sizes, ridges).effective_ridge(sizes, ridges)[0])
    solver = landmarks(instance, math.log(kappa), width)
    mu = float(solver.landmark_ridge(np.array([kappa]), width)[0])
    rest = shares_beyond(solver, kappa, mu, p)
    weight = rest.multiplicity
    sample_ridge = lam + kappa * float(weight @ rest.a) / n
    share = sample_ridge / kappa
    return Setting(
        n=n,
        m=m,
        ell=ell,
        f2=energies,
        variance=instance.sigma**2,
        sample_ridge=sample_ridge,
        landmark_ridge=sample_ridge * mu * float(weight @ (rest.a + rest.g)),
        spread=float(weight @ (rest.eigenvalues * rest.e) ** 2),
        missed=float(rest.energy @ rest.missed**2),
        heard=float(weight @ rest.a**2) / n,
        share=share**2,
        passed=float(rest.energy @ rest.free**2),
        crossed=float(weight @ (rest.eigenvalues * (rest.eigenvalues + kappa) * rest.e) ** 2),
    )


def simulate_nystrom(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks of an instance with landmarks at each (n, lambda), shape (draws.count, len(pairs)), on shared replicates.

    ``draws.noise`` and ``draws.signs`` must be "averaged"; ``draws.controls`` and ``draws.antithetic`` are without effect. Work
    p^3 a pair and replicate, p = ``directions``.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: with landmarks both are averaged")
    settings = [setting(instance, n=n, lam=lam, directions=directions) for n, lam in pairs]
    p = max(len(item.ell) for item in settings)
    columns = [max(min(p, size) for size in sizes) for sizes in ([s.n for s in settings], [s.m for s in settings])]
    result = np.empty((draws.count, len(pairs)))
    for r in range(draws.count):
        key = (*draws.key, "replicate", draws.first + r)
        rows = replicate_normals(p, columns[0], draws.seed, key)
        landmarks = replicate_normals(p, columns[1], draws.seed, (*key, "landmarks"))
        for j, item in enumerate(settings):
            sample, chosen = bartlett(rows, item.n, len(item.ell)), bartlett(landmarks, item.m, len(item.ell))
            result[r, j] = _risk(item, sample, chosen)
    return result


def _risk(item: Setting, sample: Array, landmarks: Array) -> float:
    """Excess risk of one replicate, from its two Bartlett factors."""
    k, ell = landmarks.shape[1], item.ell
    first, others = ell[:k], ell[k:]
    inverse = solve_triangular(landmarks[:k], np.eye(k), lower=True, check_finite=False)
    to_landmarks = inverse / first
    mixed = others[:, None] * (landmarks[k:] @ to_landmarks)  # M
    projected = (sample[:k].T + sample[k:].T @ mixed).T  # K'A
    heard = projected @ projected.T / item.n  # K'WK
    beyond = projected @ sample[k:].T / item.n  # (K'W)_2
    ridge = item.sample_ridge * (mixed.T @ (mixed / others[:, None]))
    ridge[np.arange(k), np.arange(k)] += item.sample_ridge / first
    if item.landmark_ridge > 0.0:
        ridge += item.landmark_ridge * (to_landmarks.T @ to_landmarks)
    stacked = np.hstack([ridge, beyond, projected / item.n])
    try:
        factor = cho_factor(heard + ridge, check_finite=False)
    except np.linalg.LinAlgError:
        raise ValueError(
            f"lam={item.sample_ridge:g} at n={item.n} with {item.m} landmarks: the system is singular in double precision; use a "
            "larger ridge"
        ) from None
    solved = cho_solve(factor, stacked, check_finite=False)
    shrunk, passed, root = solved[:, :k], solved[:, k : len(ell)], solved[:, len(ell) :]
    # Rows k and beyond of Y are M passed - 1.
    lower = mixed @ passed
    lower[np.arange(len(others)), np.arange(len(others))] -= 1.0
    error_first, error_others = shrunk + passed @ mixed, mixed @ shrunk + lower @ mixed
    f1, f2 = item.f2[:k], item.f2[k:]
    missed = np.sum(error_first**2, axis=0) + np.sum(error_others**2, axis=0)
    risk = float(missed @ f1 + (np.sum(passed**2, axis=0) + np.sum(lower**2, axis=0)) @ f2)
    # The noise enters as N^-1 K'A / n, which has the covariance N^-1 K'WK N^-1 / n.
    variance = float(np.sum(root**2) + np.sum((mixed @ root) ** 2))
    if item.landmark_ridge == 0.0:
        return risk + item.variance * variance
    own = to_landmarks @ (np.eye(k) - error_first)
    weights = float(np.sum(own**2, axis=0) @ f1 + np.sum((to_landmarks @ passed) ** 2, axis=0) @ f2)
    noisy = float(np.sum((to_landmarks @ root) ** 2))
    moved = cho_solve(factor, to_landmarks.T, check_finite=False)  # N^-1 J'
    carried = item.share * float(np.sum(moved**2) + np.sum((mixed @ moved) ** 2))
    echoed = item.share * (float(np.sum((to_landmarks @ moved) ** 2)) + (item.m - k) / item.landmark_ridge**2)
    # Unknown are E, alpha, T and h.
    left = np.array(
        [
            [1.0, 0.0, -1.0 - variance, -carried],
            [0.0, 1.0, -noisy, -echoed],
            [-item.heard, -item.spread, 1.0, 0.0],
            [-item.spread / item.n, -item.crossed, 0.0, 1.0],
        ]
    )
    right = np.array(
        [
            risk + item.variance * variance,
            weights + item.variance * noisy,
            item.missed + item.heard * item.variance,
            item.passed + item.variance * item.spread / item.n,
        ]
    )
    return float(_balanced(left, right)[0])


def _balanced(left: Array, right: Array) -> Array:
    """Solution of equations whose unknowns are of very different orders, in units in which they are not."""
    units = np.maximum(np.abs(right), 1e-300)
    return np.asarray(np.linalg.solve(left * units / units[:, None], np.ones_like(right)) * units)
