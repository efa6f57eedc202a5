r"""Finite width: the spectral sums of the deterministic equivalent with m random features in place of the kernel.

The regression is run on :math:`\varphi(x) = Gx/\sqrt m`, G an m x p matrix of independent standard normals, with the ridge
:math:`\lambda`; the risk is an expectation over inputs, noise and G. With :math:`\gamma` the effective ridge,
:math:`r_i = l_i/(l_i + \gamma)`,

.. math:: z = \sum_i r_i, \quad q = \sum_i r_i^2, \quad D = z - q = \sum_i r_i(1 - r_i), \quad \rho = \frac{D}{m - q},

.. math:: \lambda = \gamma\Big(1 - \frac zm\Big)\Big(1 - \frac zn\Big), \qquad
          B = \sum_i f_i^2(1 - r_i)^2 + \rho\sum_i f_i^2 r_i(1 - r_i), \qquad V = q + \rho D,

.. math:: E = \frac{B + \sigma^2 V/n}{1 - V/n}

(Simon, Karkada, Ghosh and Belkin 2023, the eigenframework of random features; Defilippis, Loureiro and Misiakiewicz 2024, whose
:math:`\nu_2` is :math:`\gamma` and whose :math:`\nu_1` is :math:`\gamma(1 - z/m)`). A ridge that is not negative needs
:math:`z \le \min(n, m)`, which makes :math:`m - q \ge D`: every term is positive, nothing cancels, and :math:`\lambda` is explicit
in :math:`\gamma`, as in :mod:`verifier.risk.equivalents`. As m grows :math:`\rho \to 0`, and :math:`\gamma` is the kappa of the
kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance
from verifier.risk.quadrature import modes
from verifier.risk.sums import CurvedSums, Sums

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WidthSums(Sums):
    """z, q and sum f^2 (1-r)^2 at each gamma (shape of gamma), D and sum f^2 r (1-r)."""

    spread: Array
    leak: Array


class FeatureSums:
    """The sums of a covariance that is diagonal in the basis of the target, each at all gammas of an array of shape (k,)."""

    chunk = 10_000  # matrix entries worked on at a time: they stay in the cache; does not change the result

    def __init__(self, instance: Instance, log_reach: float) -> None:
        self.modes = modes(instance, log_reach)
        self.trace = float(self.modes.multiplicity @ self.modes.eigenvalues)
        self.trace_of_square = float(self.modes.multiplicity @ self.modes.eigenvalues**2)
        self.nodes = len(self.modes.eigenvalues) + len(self.modes.target_eigenvalues)

    def degrees(self, gamma: Array) -> tuple[Array, Array]:
        """z and D."""
        r = self.modes.eigenvalues / (self.modes.eigenvalues + gamma[:, None])
        z = r @ self.modes.multiplicity
        r *= gamma[:, None] / (self.modes.eigenvalues + gamma[:, None])
        return z, r @ self.modes.multiplicity

    def rows(self, gamma: Array) -> tuple[Array, ...]:
        """The fields of :class:`WidthSums`."""
        modes, column = self.modes, gamma[:, None]
        weight, energy = modes.multiplicity, modes.target_energy
        total = modes.eigenvalues + column
        r = modes.eigenvalues / total
        z, q = r @ weight, (r * r) @ weight
        r *= np.divide(column, total, out=total)
        total = modes.target_eigenvalues + column
        lost = column / total
        leak = (lost * np.divide(modes.target_eigenvalues, total, out=total)) @ energy
        lost *= lost
        return z, q, lost @ energy, r @ weight, leak

    def curved_rows(self, gamma: Array) -> tuple[Array, ...]:
        r"""The fields of :class:`WidthSums`, then the first and the second derivatives in :math:`\ln\gamma` of q, the bias, D
        and the leak.

        With s = 1 - r: r' = -rs and s' = rs. So with :math:`a_k = \sum r^k s`, q' = -2 a_2, q'' = 4 a_2 - 6 a_3,
        D' = 2 a_2 - a_1 and D'' = a_1 - 6 a_2 + 6 a_3; on the side of the target, in :math:`k_j = \sum f^2 r s^j`, with the signs
        of odd derivatives reversed.
        """
        modes, column = self.modes, gamma[:, None]
        weight, energy = modes.multiplicity, modes.target_energy
        total = modes.eigenvalues + column
        r = modes.eigenvalues / total
        z, q = r @ weight, (r * r) @ weight
        power = r * np.divide(column, total, out=total)
        a1 = power @ weight
        power *= r
        a2 = power @ weight
        power *= r
        a3 = power @ weight
        total = modes.target_eigenvalues + column
        s = column / total
        bias = (s * s) @ energy
        power = s * np.divide(modes.target_eigenvalues, total, out=total)
        k1 = power @ energy
        power *= s
        k2 = power @ energy
        power *= s
        k3 = power @ energy
        slopes = (-2.0 * a2, 2.0 * k2, 2.0 * a2 - a1, k1 - 2.0 * k2)
        curvatures = (4.0 * a2 - 6.0 * a3, 4.0 * k2 - 6.0 * k3, a1 - 6.0 * (a2 - a3), k1 - 6.0 * (k2 - k3))
        return z, q, bias, a1, k1, *slopes, *curvatures


def moments(sums: WidthSums, width: Array) -> Sums:
    """V and B where z <= m, and the limits at z = m beyond; ``width`` broadcasts against the sums."""
    rho = width_ratio(sums, width)
    return Sums(sums.df1, sums.df2 + rho * sums.spread, sums.bias + rho * sums.leak)


def width_ratio(sums: WidthSums, width: Array) -> Array:
    """rho at each gamma and width."""
    return _ratio(sums.df1, sums.spread, width)


def curved_moments(rows: tuple[Array, ...], width: Array) -> CurvedSums:
    """The moments and their derivatives from :meth:`FeatureSums.curved_rows`."""
    z, q, b, d, leak, q1, b1, d1, leak1, q2, b2, d2, leak2 = rows
    rho = _ratio(z, d, width)
    with np.errstate(divide="ignore", invalid="ignore"):
        # (m - q) rho = D, differentiated once and twice.
        room = np.maximum(width - z, 0.0) + d
        rho1 = np.where(d > 0.0, (d1 + rho * q1) / room, 0.0)
        rho2 = np.where(d > 0.0, (d2 + 2.0 * rho1 * q1 + rho * q2) / room, 0.0)
    return CurvedSums(
        df1=z,
        df2=q + rho * d,
        bias=b + rho * leak,
        df2_slope=q1 + rho1 * d + rho * d1,
        df2_curvature=q2 + rho2 * d + 2.0 * rho1 * d1 + rho * d2,
        bias_slope=b1 + rho1 * leak + rho * leak1,
        bias_curvature=b2 + rho2 * leak + 2.0 * rho1 * leak1 + rho * leak2,
    )


def _ratio(z: Array, spread: Array, width: Array) -> Array:
    """rho = D/(m - q) with m - q = (m - z) + D: no difference of nearly equal numbers where q is close to z."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0.0, spread / (np.maximum(width - z, 0.0) + spread), 0.0)
