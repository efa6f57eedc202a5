r"""The deterministic equivalent of the excess risk on samples that depend on one another.

The model: :math:`X = C^{1/2} Z \Sigma^{1/2}` with Z of iid standard normal entries, C (n x n) the correlations of the inputs
over time, labels :math:`y = X\theta + \sigma C_\varepsilon^{1/2} w` (:mod:`verifier.instances.dependence`), ridge regression of a
given lambda, and the risk on a fresh input. With the degrees of freedom :math:`d_1, d_2` and the bias b at the effective ridge
kappa of :mod:`verifier.risk.equivalents`, and the functions of :math:`x = d_1(\kappa)/n` of :mod:`verifier.risk.responses`,

.. math:: \lambda = \kappa\,\tau(x), \qquad
          E(n, \lambda) = \frac{b(\kappa) + \sigma^2 J_\varepsilon(x)\, d_2(\kappa)/n}{1 - J_x(x)\, d_2(\kappa)/n}.

*Derivation.* Given the eigenvalues f of C, row t of :math:`Z\Sigma^{1/2}`, turned into C's eigenbasis, is a sample of weight
:math:`f_t`: the resolvent :math:`(X'X/n + \lambda)^{-1}` has the equivalent :math:`(\tau\Sigma + \lambda)^{-1}` with
:math:`\tau = \frac1n\sum_t f_t/(1+\delta f_t)`, :math:`\delta = \frac1n \mathrm{tr}\,\Sigma(\tau\Sigma+\lambda)^{-1}`
(Couillet, Debbah and Silverstein 2011, theorem 1), so that :math:`\kappa = \lambda/\tau` and :math:`\delta\tau = d_1/n`.
One more derivative gives the second moments: samples of weight f pass on the risk E and the noise :math:`\sigma^2 f_\varepsilon`
as :math:`\frac{d_2}{n}` times the means of :math:`(\delta f/(1+\delta f))^2/x^2` and of that over f. With independent samples
:math:`\tau = 1 - x, J = 1`. Where the inputs are white the noise may be correlated in any way: C is the
identity, any basis will do, and E is that of independent samples.

Everything stays parametrised by kappa. :math:`d\ln\tau/d\ln x = -xJ_x/(1-xJ_x)` makes the equation for a given ridge one of
Newton's; the optimum is the root of :math:`d\ln E/d\ln\kappa` in the bracket around the best point of a grid.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance
from verifier.risk.engine import GRID_STEP, LOG_FARTHEST, LOG_KAPPA_MIN, Equivalent
from verifier.risk.responses import responses
from verifier.risk.sums import Sums

Array = NDArray[np.float64]

STEPS = 80  # of a bracketed root, at most
SETTLED = 1e-6  # in ln kappa, at the optimum, where the risk is stationary


class DependentEquivalent(Equivalent):
    """The sums of one instance with the responses of its dependence."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        self._responses = responses(instance.dependence)

    def capacity(self, n: Array) -> Array:
        """n times the share of samples that repeat no other one."""
        return n * self._responses.capacity

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """kappa(n, lambda), shape (k,): the root of an increasing function of ln kappa; relative error 1e-13."""
        kappa = np.zeros_like(n)
        none = lam == 0.0
        if none.any():  # then d1(kappa) is the capacity, as for so many independent samples
            kappa[none] = super().effective_ridge(self.capacity(n[none]), lam[none])
        if not none.all():
            kappa[~none] = self._effective_ridge(n[~none], lam[~none])
        return kappa

    def _effective_ridge(self, n: Array, lam: Array) -> Array:
        # tau <= E f = 1 and tau >= 1 / (1 + delta max f), delta tau = d1 / n <= trace / (n kappa).
        low, log_lam = np.log(lam), np.log(lam)
        high = np.log(lam + self._responses.largest(n) * self.trace / n)
        u = low.copy()
        for _ in range(STEPS):
            kappa = np.exp(u)
            df1, df2 = self._sums.degrees(kappa)
            share = df1 / n
            full = share >= self._responses.capacity
            response = self._responses.at(np.where(full, 0.5 * self._responses.capacity, share), n)
            passed = share * response.inputs
            slope = 1.0 + passed / np.maximum(1.0 - passed, 1e-16) * (1.0 - df2 / df1)
            value = np.where(full, -np.inf, u + np.log(response.tau) - log_lam)
            low, high = np.where(value <= 0.0, u, low), np.where(value >= 0.0, u, high)
            following = u - value / slope
            following = np.where((following >= low) & (following <= high), following, 0.5 * (low + high))
            step, u = np.abs(following - u), following
            if np.all(step <= 1e-14 * np.maximum(1.0, np.abs(u))):
                break
        return np.where(u < LOG_KAPPA_MIN - 3.0, np.nan, np.exp(u))

    def ridge(self, n: Array, kappa: Array) -> Array:
        """lambda = kappa tau(d1(kappa)/n); zero where the degrees of freedom exceed the capacity."""
        share = self.sums(kappa).df1 / n
        return np.asarray(kappa * self._responses.at(np.minimum(share, self._responses.capacity), n).tau)

    def ridge_of(self, n: Array, kappa: float) -> Array:
        """The ridges that belong to one kappa, shape of n; below zero where it has too many degrees of freedom."""
        share, capacity = float(self.sums(np.array([kappa])).df1[0]) / n, self._responses.capacity
        return np.where(share < capacity, kappa * self._responses.at(np.minimum(share, capacity), n).tau, -1.0)

    def terms(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise at (n, kappa)."""
        sums = self.sums(kappa)
        response = self._responses.at(np.minimum(sums.df1 / n, self._responses.capacity), n)
        room = 1.0 - response.inputs * sums.df2 / n
        with np.errstate(divide="ignore", invalid="ignore"):
            closed = room <= 1e-15
            bias = np.where(closed, np.where(sums.bias == 0.0, 0.0, np.inf), sums.bias / room)
            noise = self.variance * response.noise * sums.df2 / n
            return bias, np.where(closed, np.where(noise == 0.0, 0.0, np.inf), noise / room)

    def _least_noise(self, n: Array) -> Array:
        return self.variance * self._responses.least_noise(n)

    def _risks(self, n: Array, table: Sums, permitted: NDArray[np.bool_]) -> Array:
        sizes = n[:, None]
        _, inputs, noise = self._responses.rough(np.minimum(table.df1 / sizes, self._responses.capacity), sizes)
        room = 1.0 - inputs * table.df2 / sizes
        with np.errstate(divide="ignore", invalid="ignore"):
            risk = (table.bias + self.variance * noise * table.df2 / sizes) / room
        return np.where(permitted & (room > 0.0), risk, np.inf)

    def _slope(self, n: Array, u: Array) -> Array:
        """d ln E / d ln kappa."""
        sums = self.curved_sums(np.exp(u))
        share = sums.df1 / n
        response = self._responses.at(np.minimum(share, self._responses.capacity), n)
        falls = sums.df2 / sums.df1 - 1.0  # d ln x / d ln kappa
        steep = np.where(sums.df2 > 0.0, sums.df2_slope / sums.df2, 0.0)
        noise = self.variance * response.noise * sums.df2 / n
        taken = response.inputs * sums.df2 / n
        noise_slope = noise * (steep + response.noise_slope * falls)
        taken_slope = taken * (steep + response.inputs_slope * falls)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((sums.bias_slope + noise_slope) / (sums.bias + noise) + taken_slope / (1.0 - taken))

    def _refined(self, n: Array, grid: Array, values: Array, low: Array) -> Array:
        """kappa of the minimum next to the best grid point at each n, not below exp(``low``): the root of the slope by the method
        of Illinois (Dowell and Jarratt 1971), in a bracket that is widened where the rough values missed it.
        """
        best = grid[np.argmin(values, axis=1)]
        a, b = np.maximum(best - GRID_STEP, low), best + GRID_STEP
        a = np.where(np.isfinite(a), a, best - GRID_STEP)
        at_a, at_b = self._slope(n, a), self._slope(n, b)
        for _ in range(8):
            left, right = (at_a > 0.0) & (a > low), at_b < 0.0
            if not (left | right).any():
                break
            further = np.maximum(a - GRID_STEP, low)
            a, b = np.where(left, further, np.where(right, b, a)), np.where(left, a, np.where(right, b + GRID_STEP, b))
            at_a, at_b = self._slope(n, a), self._slope(n, b)
        u = np.where(at_a >= 0.0, a, np.where(at_b <= 0.0, b, 0.5 * (a + b)))
        active = np.flatnonzero((at_a < 0.0) & (at_b > 0.0))
        x0, x1, y0, y1 = a[active], b[active], at_a[active], at_b[active]
        for step in range(STEPS):
            if active.size == 0:
                break
            point = (x0 * y1 - x1 * y0) / (y1 - y0) if step % 8 != 7 else 0.5 * (x0 + x1)
            value = self._slope(n[active], point)
            settled = np.abs(point - u[active]) < SETTLED
            u[active] = point
            # x1 is the newest point; the other end of the bracket, kept twice, counts half.
            crossed = np.sign(value) != np.sign(y1)
            x0, y0 = np.where(crossed, x1, x0), np.where(crossed, y1, 0.5 * y0)
            x1, y1 = point, value
            going = ~(settled | (value == 0.0))
            active, x0, x1, y0, y1 = active[going], x0[going], x1[going], y0[going], y1[going]
        return np.asarray(np.exp(u))

    def size_at_optimum(self, kappa: float) -> float:
        """The n, a power of e^(1/2), from which on the ridge that minimises the risk has at most this kappa; infinite where
        there is none.
        """
        n = np.exp(np.arange(0.5, LOG_FARTHEST, 0.5))
        n = n[float(self.sums(np.array([kappa])).df1[0]) < self.capacity(n)]

        def first(sizes: Array) -> int:
            """Place of the first n at which the risk rises with kappa, their number where there is none."""
            rises = self._slope(sizes, np.full_like(sizes, math.log(kappa))) >= 0.0
            return int(np.argmax(rises)) if rises.any() else len(sizes)

        # A sample that is large enough is so with more: among a few first, then among those before the first of them.
        stride = math.isqrt(len(n)) + 1
        end = (first(n[stride - 1 :: stride]) + 1) * stride
        between = n[max(end - stride, 0) : end]
        place = first(between) if between.size else 0
        return float(between[place]) if place < len(between) else math.inf
