r"""The excess risk of stochastic gradient descent that returns to its samples.

At each of T steps one of the n samples is drawn, uniformly and with replacement:
:math:`\theta_{t+1} = \theta_t + \eta(y_i - x_i'\theta_t)x_i`. Given the samples the mean over the draws is gradient descent on
all of them, and the risk is that of descent and the variance that the draws add:

.. math:: E = E_{\mathrm{descent}}(n, \lambda) + V, \qquad \lambda = 1/(\eta T).

The first part is that of gradient flow, or of the mean of the flow over [0, T], :math:`g(x) = (1 - e^{-u})/u` at
:math:`u = x/\lambda`, a sum of complex ridges as in :mod:`verifier.risk.filters` with weights divided once more by
:math:`\zeta_j`: the flow's share :math:`c_j/(\zeta_j + u)` is integrated over time. Steps of finite size change it by a share 1/T.

A draw adds noise of the covariance :math:`\eta^2\frac1n\sum_i r_i^2x_ix_i'`, to leading order
:math:`\eta^2(\sigma^2 + R_t)\Sigma` (Paquette, Lee, Pedregosa and Paquette 2021, where :math:`R_t` follows a Volterra equation):
that of T steps on fresh samples, so V is what residuals make in :mod:`verifier.risk.single_pass` with T in the place of n, but for
the mean square of residuals on the samples, which are smaller than those on fresh ones: by
:math:`\frac1n\sum_a g(x_a)^2 \approx 1 - D/n`, :math:`D = \sum_i (1 - e^{-2l_it})` at the time :math:`t = 1/\lambda`. V is
multiplied by :math:`e^{-D/n}`, or by its mean over the times of the steps that are averaged. What is left is a share of the order
N/n of V, N the effective dimension (:meth:`MultiPassEquivalent.missed`).

*The step.* It is at most ``largest_step`` over the trace, half of that of a single pass: a sample with one input so long that its
step goes astray, :math:`\eta|x|^2 > 2`, meets it again in every pass. The probability of that falls exponentially with the inverse
of the step, but is never zero with Gaussian inputs; the equivalent is the risk on typical samples.

In powers of n, with :math:`\lambda = n^{-g}`: bias 2 s g (2 min(s, 1) g of the mean), variance :math:`1 - g/\beta`, and V
:math:`a - g` of the last iterate, :math:`\eta\,\mathrm{tr}\Sigma\,\sigma^2/2`, :math:`a - g/\beta` of the mean,
:math:`\sigma^2N/T`, for :math:`T = n^a`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from verifier.instances import GradientFlow, Instance, MultiPass, SinglePass
from verifier.risk.filters import FilterEquivalent, contour
from verifier.risk.single_pass import SinglePassEquivalent
from verifier.risk.steps import StepEquivalent, mean_decay, mean_learnt

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

MEAN_TIMES = (0.125, 0.375, 0.625, 0.875)
"""Shares of T at which the residuals of the steps that are averaged are evaluated."""


class _MeanFlow(FilterEquivalent):
    """The mean of gradient flow over the time 1/lambda."""

    def _ridges(self, lam: Array) -> tuple[Complex, Complex]:
        zeta, weight = contour()
        return lam[:, None] * zeta, np.broadcast_to(weight / zeta**2, (len(lam), len(zeta)))

    def _left(self, ell: Array, lam: Array) -> Array:
        return mean_decay(ell / lam)

    def _learnt(self, ell: Array, time: Array) -> Array:
        return mean_learnt(ell * time)

    def _leading(self, u: Array) -> tuple[Array, Array]:
        modes, lam = self._modes, np.exp(u)[:, None]
        left = self._left(modes.target_eigenvalues, lam)
        return left**2 @ modes.target_energy, self._learnt(modes.eigenvalues, 1.0 / lam) ** 2 @ modes.multiplicity


class _Draws(SinglePassEquivalent):
    """The noise of the steps alone."""

    _own = False


class MultiPassEquivalent(StepEquivalent):
    """The sums of one instance learnt by draws from its samples; kappa stands for 1/(eta T), the step's bound included."""

    largest_step = 0.25
    fresh = False

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        assert isinstance(instance.filter, MultiPass)
        self.averaged, self.degree = instance.filter.averaged, instance.filter.degree
        self._times = MEAN_TIMES if self.averaged else (1.0,)
        self._flow = (_MeanFlow if self.averaged else FilterEquivalent)(
            dataclasses.replace(instance, filter=GradientFlow()), log_reach
        )
        self._draws = _Draws(dataclasses.replace(instance, filter=SinglePass(self.averaged)), log_reach)

    def terms(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise at (n, 1/(eta T))."""
        flow = self._flow.terms(n, self._flow.effective_ridge(n, kappa))
        added = self._draws.terms(n**self.degree, kappa)
        share = self._residuals(n, kappa)
        return flow[0] + share * added[0], flow[1] + share * added[1]

    def _residuals(self, n: Array, kappa: Array) -> Array:
        """Mean square of the residuals on the samples over that on fresh ones, exp(-D/n), shape of n."""
        ell, count = self._modes.eigenvalues, self._modes.multiplicity
        taken = [-np.expm1(-2.0 * part * ell / kappa[:, None]) @ count for part in self._times]
        return np.asarray(np.mean([np.exp(-learnt / n) for learnt in taken], axis=0))

    def missed(self, n: Array, kappa: Array) -> Array:
        """min(1, N/n) V/(2 E) at each (n, 1/(eta T)), shape (k,): what V is off by, relative to the risk."""
        share = np.minimum(self.sums(kappa).df1 / n, 1.0)
        return np.asarray(0.5 * share * self.from_draws(n, kappa) / sum(self.terms(n, kappa)))

    def from_draws(self, n: Array, kappa: Array) -> Array:
        """V at each (n, 1/(eta T)), shape (k,)."""
        return np.asarray(self._residuals(n, kappa) * sum(self._draws.terms(n**self.degree, kappa)))
