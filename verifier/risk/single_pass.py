r"""The expected excess risk of single-pass stochastic gradient descent, exact for Gaussian inputs at any n.

From zero, one sample a step, :math:`\theta_{t+1} = \theta_t + \eta(y_t - x_t'\theta_t)x_t`, t < n. With :math:`m_i(t)` the mean
square of the i-th coefficient of the error, Isserlis' theorem gives

.. math:: m(t+1) = A\,m(t) + \eta^2\sigma^2 l, \qquad A = \mathrm{diag}(a) + \eta^2 l l', \quad
          a_i = 1 - 2\eta l_i(1 - \eta l_i), \qquad R_t = l'm(t),

(Dieuleveut and Bach 2016; Varre, Pillaud-Vivien and Flammarion 2021). With :math:`\hat F(z) = \sum_i f_i^2/(z - a_i)` and
:math:`\hat K(z) = \eta^2\sum_i l_i^2/(z - a_i)` the transform :math:`\hat R(z) = \sum_t R_t z^{-t-1}` is
:math:`(\hat F + \hat K\sigma^2/(z-1))/(1 - \hat K)`, and

.. math:: R_n = \sum_i f_i^2 a_i^n + \frac{1}{2\pi i}\oint z^n\,\frac{\hat K(\hat F + \sigma^2/(z-1))}{1 - \hat K}\,dz.

The mean :math:`\bar\theta` of :math:`\theta_0, \dots, \theta_{n-1}` (Polyak and Juditsky 1992) has, with
:math:`b_i = 1 - \eta l_i`, as errors go on by the factor b in the mean,

.. math:: \bar R_n = \frac{1}{n^2}\frac{1}{2\pi i}\oint z^n \sum_i
          \frac{f_i^2 + \eta^2 l_i^2(\hat R(z) + \sigma^2/(z-1))}{z - a_i}\,\frac{z + b_i}{(z-1)(z-b_i)}\,dz.

All singularities lie on the real axis up to one. With :math:`z = e^{\zeta/n}` and the contour of :mod:`verifier.risk.filters` the
integrals take ``POLES``/2 evaluations of sums, whatever n. Where :math:`\eta n l_i > 1` the term of the target in the mean is
summed by its residues, since what is lost there falls below any absolute error.

*The step.* A rule's lambda is :math:`1/(\eta n)`; the step is at most ``largest_step`` over the trace, beyond which the squares of
the inputs, however small the ridge that the rule asks for, would carry the iterate away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance, SinglePass
from verifier.risk.filters import contour
from verifier.risk.steps import StepEquivalent

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

POLES = 16
"""The error of either term is below 1e-7 of the risk."""

_CHUNK = 40_000


class SinglePassEquivalent(StepEquivalent):
    """The sums of one instance that is learnt in a single pass; kappa stands for 1/(eta n), the step's bound included."""

    _own = True
    """Whether what steps leave of the target is a part of its term; otherwise that is the noise alone that residuals make of it."""

    largest_step = 0.5
    fresh = True

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        assert isinstance(instance.filter, SinglePass)
        self.averaged = instance.filter.averaged

    def terms(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise at (n, 1/(eta n))."""
        nodes = len(self._modes.eigenvalues) + len(self._modes.target_eigenvalues)
        size = max(1, _CHUNK // (POLES * nodes))
        pieces = [
            self._terms(n[start : start + size, None], kappa[start : start + size, None])
            for start in range(0, len(n), size)
        ]
        bias, noise = (np.concatenate(part) for part in zip(*pieces, strict=True))
        return bias, self.variance * noise

    def _terms(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        """Both terms, per unit of noise, of columns of n and 1/(eta n). Rates are per pass, n times those per step: no square of n,
        which may be no double, is met.
        """
        modes = self._modes
        zeta, weight = contour(POLES)
        gone: Complex = np.asarray(n * np.expm1(zeta / n), dtype=np.complex128)  # n (z - 1)
        turned: Complex = np.asarray(weight * np.exp(zeta / n), dtype=np.complex128)  # n z^n dz
        u, v = (ell / kappa for ell in (modes.eigenvalues, modes.target_eigenvalues))  # eta l n
        under_u, under_v = 2.0 * u * (1.0 - u / n), 2.0 * v * (1.0 - v / n)  # n (1 - a)
        forcing = u * modes.multiplicity * u
        share = 1.0 / (gone[..., None] + under_u[:, None, :])
        kernel = np.einsum("kpi,ki->kp", share, forcing) / n
        signal = (1.0 / (gone[..., None] + under_v[:, None, :])) @ modes.target_energy
        if not self.averaged:
            passed = turned * kernel / (1.0 - kernel)
            left = np.exp(n * np.log1p(-under_v / n)) @ modes.target_energy if self._own else np.zeros(len(n))
        else:
            forced = turned * np.einsum("kpi,ki->kp", share * _along(gone, u, n), forcing) / n
            passed = forced / (1.0 - kernel)
            left = self._lost(n, v, under_v, gone, turned) if self._own else np.zeros(len(n))
        return left + _real(passed * signal), _real(passed / gone)

    def _lost(self, n: Array, v: Array, under: Array, gone: Complex, turned: Complex) -> Array:
        """What the mean iterate has lost of the target where only its own error went on."""
        energy, early = self._modes.target_energy, v <= 1.0
        slowly = np.einsum(
            "kp,kpi,ki->k", turned, _along(gone, v, n) / (gone[..., None] + under[:, None, :]), early * energy
        )
        # By residues, at z = 1, a and b = 1 - v/n, where the terms differ by more than their rounding errors.
        late = np.where(early, 1.0, v)
        rate = 2.0 * late * (1.0 - late / n)
        apart = late * (1.0 - 2.0 * late / n)  # n (b - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            moving = np.exp(n * np.log1p(-rate / n)) * (2.0 - (rate + late) / n) / (rate * apart)
            moving -= np.exp(n * np.log1p(-late / n)) * 2.0 * (1.0 - late / n) / (late * apart)
        fast = (2.0 - late / n) / (rate * late) + np.where(apart == 0.0, 0.0, moving)
        return np.asarray(2.0 * np.real(slowly) + np.where(early, 0.0, fast) @ energy)


def _along(gone: Complex, u: Array, n: Array) -> Complex:
    """(z + b)/((z - 1)(z - b)) over n, shape (k, poles, nodes)."""
    steps = n[..., None]
    return np.asarray(
        (2.0 + (gone[..., None] - u[:, None, :]) / steps) / (gone[..., None] + u[:, None, :]) / gone[..., None]
    )


def _real(values: Complex) -> Array:
    """The sum over poles and their conjugates, shape (k,)."""
    return np.asarray(2.0 * np.real(np.sum(values, axis=1)))
