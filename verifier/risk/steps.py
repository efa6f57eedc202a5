r"""What descents by single samples have in common: T steps of a constant size :math:`\eta`, its bound, and the best one.

kappa stands for :math:`1/(\eta T)`, and is at least :math:`\mathrm{tr}\Sigma/(c\,T)`, c the largest step times the trace.

*The best step* is that of the leading terms of the risk, with :math:`u_i = l_i/\kappa` and :math:`\bar g = (1 - e^{-u})/u`,

.. math:: \sum_i f_i^2 e^{-2u_i} + \frac{\sigma^2}{n}\sum_i(1 - e^{-u_i})^2 + \frac{\sigma^2}{T}\sum_i\tfrac12 u_i(1 - e^{-2u_i})

of the last iterate, and

.. math:: \sum_i f_i^2\bar g(u_i)^2 + \frac{\sigma^2}{n}\sum_i(1 - \bar g(u_i))^2
          + \frac{\sigma^2}{T}\sum_i\bigl(1 - 2\bar g(u_i) + \bar g(2u_i)\bigr)

of the mean of the iterates; fresh samples have no term with 1/n. The noise that residuals make is not
among them: beside label noise it falls with n, and at n = 1e3 the risk is within a twentieth of the best (tests/test_filters.py).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from verifier.instances import Instance
from verifier.risk.balance import balanced
from verifier.risk.engine import LOG_KAPPA_MIN, DiagonalSums, Equivalent

Array = NDArray[np.float64]

GRID_STEP = 0.5
"""Step in ln kappa of the table from which the best step is found."""

_CHUNK = 100_000
_ROWS = 32
_SMALL = 0.02


class StepEquivalent(Equivalent):
    """The sums of one instance learnt by T = n^``degree`` steps on single samples."""

    largest_step: float
    """Largest step times the trace of the covariance."""

    averaged: bool
    """Whether the mean of the iterates is taken."""

    degree: float = 1.0

    fresh: bool
    """Whether every sample is met once, so that there are no samples whose noise is learnt."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        assert isinstance(self._sums, DiagonalSums)
        self._modes = self._sums.modes
        self._leads: tuple[Array, Array] | None = None

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """1/(eta T) with the step that is taken."""
        return np.maximum(lam, self._bound(n))

    def ridge(self, n: Array, kappa: Array) -> Array:
        """That of the step."""
        return kappa

    def ridge_of(self, n: Array, kappa: float) -> Array:
        """The same at each n; below zero where the step is too large."""
        return np.where(kappa >= self._bound(n), kappa, -1.0)

    def _bound(self, n: Array) -> Array:
        """The smallest 1/(eta T)."""
        return np.asarray(self.trace / self.largest_step * n**-self.degree)

    def optimum(self, n: Array) -> Array:
        """1/(eta T) of the best constant step, shape (k,)."""
        return self._recalled("optimum", self._best, n)

    def _best(self, n: Array) -> Array:
        log_n = np.log(n)
        grid, terms = self._table_down_to(float(log_n.max()))
        heard = math.log(self.variance)
        weights = [np.zeros_like(n), heard - log_n, heard - self.degree * log_n]
        chosen = [j for j in range(3) if not (self.fresh and j == 1)]
        tiny = np.finfo(np.float64).tiny
        curves = [CubicSpline(grid, np.log(np.maximum(terms[j], tiny))) for j in chosen]
        return np.maximum(self._bound(n), np.exp(balanced(grid, curves, [weights[j] for j in chosen])))

    def parts(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        """The leading terms: beside the noise that large residuals make, which falls as 1/n, they may lead far out only."""
        size = max(1, _CHUNK // self._sums.nodes)
        pieces = [self._leading(kappa[i : i + size]) for i in range(0, len(kappa), size)]
        bias, learnt, drawn = np.concatenate(pieces, axis=1)
        noise = () if self.fresh else (self.variance * learnt / n,)
        return (bias, *noise, self.variance * drawn / n**self.degree)

    def size_at_optimum(self, kappa: float) -> float:
        """The first n at which 1/(eta T) of the best step is ``kappa`` or less; infinite where there is none."""
        return self.first_size_at_optimum(kappa)

    def _table_down_to(self, log_n: float) -> tuple[Array, Array]:
        """ln kappa, increasing, and the three sums of the leading terms, shape (3, k), down to where the noise at e^``log_n``
        alone exceeds the best risk there, to the bound, or to the smallest kappa; kept.
        """
        floor = max(math.log(self.trace / self.largest_step) - self.degree * log_n, LOG_KAPPA_MIN)
        heard = self.variance * np.exp([-math.inf if self.fresh else -log_n, -self.degree * log_n])
        if self._leads is None:
            self._leads = self._rows_below(math.log(self.trace) + 12.0 + GRID_STEP)
        while True:
            grid, terms = self._leads
            noise = heard @ terms[1:]
            if grid[0] < floor or noise[0] > np.min(terms[0] + noise):
                return self._leads
            more, added = self._rows_below(grid[0])
            self._leads = np.concatenate([more, grid]), np.concatenate([added, terms], axis=1)

    def _rows_below(self, top: float) -> tuple[Array, Array]:
        u = top - GRID_STEP * np.arange(_ROWS, 0.0, -1.0)
        size = max(1, _CHUNK // self._sums.nodes)
        return u, np.concatenate([self._leading(np.exp(u[i : i + size])) for i in range(0, _ROWS, size)], axis=1)

    def _leading(self, kappa: Array) -> Array:
        """The three sums at each kappa, the last two over sigma^2/n and sigma^2/T, shape (3, k)."""
        modes = self._modes
        u, v = (ell / kappa[:, None] for ell in (modes.eigenvalues, modes.target_eigenvalues))
        if self.averaged:
            left, learnt = mean_decay(v), mean_learnt(u)
            small = np.minimum(u, _SMALL)  # where 1 - 2 g(u) + g(2u) would cancel
            series = small**2 / 3.0 * (1.0 - small * (0.75 - 0.35 * small))
            drawn = np.where(u < _SMALL, series, 1.0 - 2.0 * mean_decay(u) + mean_decay(2.0 * u))
        else:
            left, learnt = np.exp(-v), -np.expm1(-u)
            drawn = -0.5 * u * np.expm1(-2.0 * u)
        return np.stack([left**2 @ modes.target_energy, learnt**2 @ modes.multiplicity, drawn @ modes.multiplicity])


def mean_decay(u: Array) -> Array:
    """(1 - exp(-u))/u, the mean of exp(-u t) over 0 < t < 1, at u >= 0."""
    safe = np.maximum(u, np.finfo(np.float64).tiny)
    return np.asarray(-np.expm1(-safe) / safe)


def mean_learnt(u: Array) -> Array:
    """1 - (1 - exp(-u))/u, the mean of 1 - exp(-u t) over 0 < t < 1, at u >= 0: by its series where it would cancel."""
    small = np.minimum(u, 0.01)
    series = small / 2.0 * (1.0 - small / 3.0 * (1.0 - small / 4.0 * (1.0 - small / 5.0)))
    return np.asarray(np.where(u < 0.01, series, 1.0 + np.expm1(-u) / np.maximum(u, 0.01)))
