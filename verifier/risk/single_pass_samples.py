r"""Monte Carlo on single-pass stochastic gradient descent: every step is made, on inputs that are drawn.

Given the inputs, label noise and the signs of the target's coefficients are averaged exactly: with the second moments
:math:`M_t = E[\delta_t\delta_t']` of the error in the p leading directions,

.. math:: M_{t+1} = (1 - \eta x x')M_t(1 - \eta x x') + \eta^2(\sigma^2 + v_t)xx',

and for the mean of the iterates those of the sum of errors, and of both, beside them. Directions beyond p add
:math:`v_t = \sum_{i>p} l_i m_i(t)` to the noise, the mean of their squared errors, which follows the recursion of
:mod:`verifier.risk.single_pass` with the residuals that the head makes. Fresh inputs make that exact in the mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance, SinglePass, eigenvalues
from verifier.risk.equivalents import equivalent_for
from verifier.risk.quadrature import modes
from verifier.risk.simulate import Replicates, target_energies
from verifier.risk.streams import stream

Array = NDArray[np.float64]

DIRECTIONS = 16
"""Leading directions whose errors are followed as matrices; the others are alike in the mean."""


def simulate_single_pass(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks after a single pass over n samples at each (n, lambda), shape (draws.count, len(pairs)).

    ``directions`` p, by default 16. ``draws.noise`` and ``draws.signs`` must be "averaged"; ``draws.controls`` is without effect.
    The samples of a smaller n are the first of a larger one. Work n p^2 a pair and replicate.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: in a single pass both are averaged")
    assert isinstance(instance.filter, SinglePass)
    longest = max(n for n, _ in pairs)
    p = int(min(DIRECTIONS if directions is None else directions, instance.spectrum.size))
    normals = np.stack(
        [
            stream(draws.seed, *draws.key, "replicate", draws.first + r, "pass").standard_normal((longest, p))
            for r in range(draws.count)
        ],
        axis=1,
    )
    return np.stack([_risks(instance, n, lam, normals[:n]) for n, lam in pairs], axis=1)


def _risks(instance: Instance, n: int, lam: float, normals: Array) -> Array:
    """Risk of each replicate, shape (count,); ``normals`` has the shape (n, count, p)."""
    count, p = normals.shape[1:]
    sizes, lams = np.array([float(n)]), np.array([float(lam)])
    eta = 1.0 / (n * float(equivalent_for(instance, sizes, lams).effective_ridge(sizes, lams)[0]))
    averaged = getattr(instance.filter, "averaged", False)
    ell = eigenvalues(instance.spectrum, p)
    root = np.sqrt(ell)
    moments = np.zeros((count, p, p))
    moments[:] = np.diag(target_energies(instance, ell, None) / ell)
    both, sums = np.zeros_like(moments), np.zeros_like(moments)
    tail = _Tail(instance, n, eta, p, count)
    variance = instance.sigma**2
    for t in range(n):
        x = normals[t] * root
        if averaged:
            sums += both + np.swapaxes(both, 1, 2) + moments
            both += moments  # E of (sum of errors so far, this one included) times this error
        seen = np.einsum("rij,rj->ri", moments, x)
        squared = np.einsum("ri,ri->r", seen, x)
        residual = squared + variance + tail.risk
        moments -= eta * (x[:, :, None] * seen[:, None, :] + seen[:, :, None] * x[:, None, :])
        moments += (eta * eta * residual)[:, None, None] * (x[:, :, None] * x[:, None, :])
        if averaged:
            both -= eta * np.einsum("rij,rj->ri", both, x)[:, :, None] * x[:, None, :]
        tail.step(squared + variance)
    found = sums / n**2 if averaged else moments
    return np.asarray(np.einsum("rii,i->r", found, ell) + (tail.mean() if averaged else tail.risk))


class _Tail:
    """Mean squared errors in the directions beyond the head, on quadrature nodes; rows are replicates."""

    def __init__(self, instance: Instance, n: int, eta: float, p: int, count: int) -> None:
        self._n, self._eta, self._none = n, eta, p >= instance.spectrum.size
        self.risk = np.zeros(count)
        if self._none:
            return
        rest = modes(instance, math.log(n), skip=p)
        # Errors that the target leaves and errors that noise makes are on nodes of their own.
        self._u, self._v = eta * rest.eigenvalues, eta * rest.target_eigenvalues
        self._count = rest.multiplicity
        self._energy = np.tile(rest.target_energy, (count, 1))  # l m of the first kind, summed over a node
        self._noise = np.zeros((count, len(self._u)))  # l m of the second kind, of one direction
        self._sum = np.zeros(count)
        self._later = [np.zeros_like(self._energy), np.zeros_like(self._noise)]
        self._total = [np.zeros_like(self._energy), np.zeros_like(self._noise)]
        # (total - later)/u, without cancellation
        self._apart = [np.zeros_like(self._energy), np.zeros_like(self._noise)]
        self._measure()

    def _measure(self) -> None:
        self.risk = self._energy.sum(axis=1) + self._noise @ self._count

    def step(self, squared: Array) -> None:
        """One step after residuals of the mean square ``squared`` of head and noise."""
        if self._none:
            return
        for place, (values, u) in enumerate(((self._energy, self._v), (self._noise, self._u))):
            self._total[place] += values
            self._apart[place] += self._later[place] + values
            self._later[place] = (1.0 - u) * (self._later[place] + values)
        residual = squared + self.risk
        self._energy = self._energy * (1.0 - 2.0 * self._v * (1.0 - self._v))
        self._noise = self._noise * (1.0 - 2.0 * self._u * (1.0 - self._u)) + self._u**2 * residual[:, None]
        self._measure()

    def mean(self) -> Array:
        """Excess risk of the mean of the iterates in these directions."""
        if self._none:
            return np.zeros_like(self.risk)
        found = np.zeros_like(self.risk)
        for total, apart, weight in zip(self._total, self._apart, (np.ones_like(self._v), self._count), strict=True):
            found += (2.0 * apart - total) @ weight
        return np.asarray(found / self._n**2)
