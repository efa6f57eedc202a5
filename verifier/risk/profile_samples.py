r"""Monte Carlo excess risk on sequences whose coordinates have autocorrelations of their own (:mod:`verifier.risk.profiles`).

The leading p whitened coordinates Z (n x p) are drawn by their processes; label noise and the signs of the target's coefficients
are averaged exactly. With the effective ridges :math:`\kappa_k` of the equivalent, the other coordinates are a ridge that is
correlated over time like they are: with :math:`t_k = \sum_{i>p,\, i \in k} l_i\kappa_k/(l_i+\kappa_k)`,

.. math:: B = \Big(\lambda + \frac1n\sum_k t_k C_k\Big)^{-1}, \qquad H = (Z'BZ/n + L^{-1})^{-1},

so that (Woodbury 1950) the drawn coordinates i of class j have the risk :math:`b_j = \sum_{i \in j}\sum_m H_{im}^2 f_m^2/l_m^2`
from the target, and :math:`v_{jM} = n^{-2}\sum_{i\in j} (HZ'BMBZH)_{ii}` for each unit of noise of correlations M: the label noise,
and what the far coordinates of each class leave over, :math:`T_k C_k`. In turn these hear the risks of all classes as the
equivalent says, with V and means over frequencies as there and :math:`a_k = \frac1n\sum_{i>p,\,i\in k} (l_i/(l_i+\kappa_k))^2`,

.. math:: T_k = B_k + a_k\kappa_k^2 \Big\langle \frac{f_k}{V^2}\Big(\sum_j f_j E_j + \sigma^2 f_\varepsilon\Big)\Big\rangle, \qquad
          E_j = b_j + \sigma^2 v_{j\varepsilon} + \sum_k v_{jk} T_k + T_j,

2K linear equations, and the risk is :math:`\sum_j E_j`. Of coordinates that are coupled in pairs
(:mod:`verifier.risk.blocks`) the three entries of a symmetric matrix take the place of classes: :math:`C_k` are the correlations
whose trace with it is its product with these, sums over i are over pairs, and the risk is the trace. Without dependence this is
:meth:`verifier.risk.simulate.Problem.complete`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, cho_factor, cho_solve

from verifier.instances import Instance, PerCoordinate, VectorAutoregression, eigenvalues
from verifier.risk.coordinates import profile_for
from verifier.risk.profiles import energies
from verifier.risk.simulate import EXHAUSTIVE_N, Replicates, default_directions
from verifier.risk.streams import stream

Array = NDArray[np.float64]
Coordinates = PerCoordinate | VectorAutoregression

LEAST = 128
"""Directions that are drawn, unless there are fewer: twice the samples, and at least so many."""

LEAST_RIDGE = 1e-8  # of the last eigenvalue, where all directions are drawn
TILE_COLUMNS = 32  # of one class, drawn from a stream of their own


def simulate_profile(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks at each (n, lambda) on shared samples, shape (draws.count, len(pairs)).

    A replicate is one sequence, of which (n, lambda) sees the first n samples. ``draws.noise`` and ``draws.signs`` must be
    "averaged"; ``draws.controls`` and ``draws.antithetic`` are without effect. ``directions`` p: by default twice the samples, up
    to those of :func:`verifier.risk.simulate.default_directions`. Work K n^2 p + p^3 a pair up to n = 800, K n p^2 + p^3
    beyond.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: on samples in sequence both are averaged")
    settings = [_Setting.at(instance, n, float(lam), directions) for n, lam in pairs]
    risks = [(_short if setting.n <= EXHAUSTIVE_N else _long)(setting) for setting in settings]
    longest, widest = max(setting.n for setting in settings), max(setting.p for setting in settings)
    dependence = settings[0].dependence
    result = np.empty((draws.count, len(pairs)))
    for r in range(draws.count):
        inputs = _inputs(dependence, draws, draws.first + r, longest, widest)
        for j, setting in enumerate(settings):
            result[r, j] = risks[j](inputs[: setting.n, : setting.p])
    return result


def _inputs(dependence: Coordinates, draws: Replicates, replicate: int, n: int, p: int) -> Array:
    """Standardised inputs (n, p) of a replicate: the same numbers in the same places for every n and p."""
    stride = dependence.stride
    result = np.empty((n, p))
    for k in range(stride):
        for start in range(k, p, stride * TILE_COLUMNS):
            columns = slice(start, start + stride * TILE_COLUMNS, stride)
            generator = stream(draws.seed, *draws.key, "replicate", replicate, "profile", start)
            drawn = dependence.draw_tile(generator, n, start, TILE_COLUMNS)
            result[:, columns] = drawn[:, : result[:, columns].shape[1]]
    return result


@dataclass(frozen=True, eq=False)
class _Setting:
    r"""One (n, lambda) with p drawn directions. The far ones: ``far`` (K,) their ridge t, ``bias`` (K,) B and ``passed`` (K, K + 1)
    what they hear of the risks of the classes and of the noise.
    """

    dependence: Coordinates
    n: int
    lam: float
    sigma2: float
    ell: Array
    f2: Array
    far: Array
    bias: Array
    passed: Array

    @classmethod
    def at(cls, instance: Instance, n: int, lam: float, directions: int | None) -> _Setting:
        dependence = instance.dependence
        assert isinstance(dependence, PerCoordinate | VectorAutoregression)
        p = int(min(directions or min(max(2 * n, LEAST), default_directions(instance, n)), instance.spectrum.size))
        if isinstance(dependence, VectorAutoregression):
            p += p % 2  # pairs are drawn as a whole
        ell, f2 = eigenvalues(instance.spectrum, p), energies(instance, p)
        far, bias, passed = profile_for(instance, float(n), lam).remainder(float(n), lam, ell, f2)
        # No ridge at all is the limit of a small one.
        lam = max(lam, LEAST_RIDGE * float(ell[-1])) if float(far.sum()) < LEAST_RIDGE * float(ell[-1]) * n else lam
        return cls(dependence, n, lam, instance.sigma**2, ell, f2, far, bias, passed)

    @property
    def p(self) -> int:
        return len(self.ell)

    def complete(self, inverse: Array, heard: Array) -> float:
        """Excess risk from H = (Z'BZ/n + 1/L)^-1, shape (p, p), and the sums of HZ'BMBZH over classes, shape (K, K + 1), for
        correlations M of each class and of the noise.
        """
        classes = len(self.far)
        unlearned = inverse * (np.sqrt(self.f2) / self.ell)[:, None]
        bias, variance = self.collected(unlearned, unlearned), heard / self.n**2
        # T = B + F E + sigma^2 F_eps,  E = b + sigma^2 v_eps + v T + T.
        f, f_noise = self.passed[:, :-1], self.sigma2 * self.passed[:, -1]
        known = bias + self.sigma2 * variance[:, -1]
        spread = variance[:, :-1] + np.eye(classes)
        beyond = np.linalg.solve(np.eye(classes) - f @ spread, self.bias + f_noise + f @ known)
        risks = known + spread @ beyond
        # Of pairs the middle component is what two coordinates have in common, which is no risk.
        return float(risks.sum() if isinstance(self.dependence, PerCoordinate) else risks[0] + risks[2])

    def collected(self, left: Array, right: Array) -> Array:
        """Sums of left'right, for arrays of p columns, over the diagonal of each class, or of pairs over their entries (1, 1),
        (1, 2) and (2, 2): shape (K,).
        """
        if isinstance(self.dependence, PerCoordinate):
            diagonal = np.sum(left * right, axis=0)
            return np.asarray(self.dependence.shares(self.p) @ diagonal)
        sides = (0, 0), (0, 1), (1, 1)
        return np.array([float(np.sum(left[:, one::2] * right[:, other::2])) for one, other in sides])


def _short(setting: _Setting) -> Callable[[Array], float]:
    """Risk of a sequence given its drawn inputs (n, p), the mean over noise and signs."""
    n, dependence = setting.n, setting.dependence
    correlations = np.concatenate([dependence.input_correlations(n), dependence.noise_correlation(n)[None]])
    beside = np.tensordot(setting.far, correlations[:-1], 1) / n
    beside.flat[:: n + 1] += setting.lam
    factor = cho_factor(beside, lower=True)

    def risk(z: Array) -> float:
        passed = cho_solve(factor, z)
        inverse = _inverse(z.T @ passed / n, setting.ell)
        heard = passed @ inverse
        collected = [setting.collected(heard, each @ heard) for each in correlations]
        return setting.complete(inverse, np.stack(collected, axis=1))

    return risk


def _long(setting: _Setting) -> Callable[[Array], float]:
    """The same, with the Toeplitz matrices of long sequences replaced by circulants: both ends are taken for neighbours, where
    inputs that are not correlated meet. What is n x n is then diagonal in the frequencies.
    """
    n, dependence = setting.n, setting.dependence
    w = 2.0 * math.pi * np.arange(n // 2 + 1) / n
    twice = np.full(len(w), 2.0)  # a frequency stands for its mirror image too
    twice[0] = 1.0
    if n % 2 == 0:
        twice[-1] = 1.0
    f = np.concatenate([dependence.component_densities(w), [dependence.noise.spectral_density(w)]])
    b = 1.0 / (setting.lam + setting.far @ f[:-1] / n)

    def risk(z: Array) -> float:
        turned = np.fft.rfft(z, axis=0, norm="ortho")
        parts = np.concatenate([turned.real, turned.imag])

        def gram(weight: Array) -> Array:
            if weight.min() < 0.0:  # what two coordinates of a pair have in common has either sign
                return gram(np.maximum(weight, 0.0)) - gram(np.maximum(-weight, 0.0))
            half = np.sqrt(weight * twice)
            upper = blas.dsyrk(1.0, (parts * np.concatenate([half, half])[:, None]).T)
            return np.asarray(np.triu(upper) + np.triu(upper, 1).T)

        inverse = _inverse(gram(b) / n, setting.ell)
        collected = [setting.collected(inverse, gram(b * b * each) @ inverse) for each in f]
        return setting.complete(inverse, np.stack(collected, axis=1))

    return risk


def _inverse(moments: Array, ell: Array) -> Array:
    """Inverse of a positive semi-definite matrix plus that of the diagonal of eigenvalues."""
    system = moments.copy()
    system.flat[:: len(ell) + 1] += 1.0 / ell
    return np.asarray(cho_solve(cho_factor(system, lower=True), np.eye(len(ell))))
