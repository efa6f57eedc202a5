r"""Control variates of exactly known mean for the excess risk of a Gaussian design.

The risk is expanded to second order in :math:`D = W - I` about the mean-field point :math:`W = cI`,
:math:`c = 1 - d_1/n`, where :math:`H = (W + \lambda L^{-1})^{-1}` is diagonal, :math:`h_i = (c +
\lambda/l_i)^{-1}`. With the risk :math:`\sum_i \omega_i [H^2]_{ii} + \tau\, \mathrm{tr} H` the expansion is

.. math:: \sum_i a_i D_{ii} + \sum_{ij} b_{ij} (D_{ij}^2 - E D_{ij}^2), \quad E D_{ij}^2 = (1 + \delta_{ij})/n,
          \quad a_i = -2 \omega_i h_i^3 - \tau h_i^2,
          \quad b_{ij} = \omega_i (2 h_i^3 h_j + h_i^2 h_j^2) + \tau h_i^2 h_j.

Its mean is zero whatever the coefficients, because the entries of a Wishart matrix have these moments (Muirhead
1982, sec. 3.2); so a wrong expansion costs variance, never bias. The coefficients depend on (n, lambda) alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from verifier.risk.simulate import Problem

Array = NDArray[np.float64]

CONTROLLED = 0.5  # below this 1 - d_1/n the expansion adds variance; controls are left off, whatever X


@dataclass(frozen=True, eq=False)
class Control:
    r"""Coefficients, in the order of the directions: ``first`` and ``own`` (p,) of :math:`D_{ii}` and
    :math:`D_{ii}^2 - 2/n`; off the diagonal :math:`b_{ij} = \sum_k left_{ki} right_{kj}`, both (2, p).
    """

    first: Array
    own: Array
    left: Array
    right: Array

    def linear(self, centred: Array) -> float:
        """The part linear in D, from its diagonal (p,)."""
        return float(self.first @ centred)

    def reversed_values(self, centred: Array, squares: Array, n: int) -> Array:
        """Control of each matrix of a stack, shape (r,), directions in reversed order.

        ``centred`` (r, p) is the diagonal of D; ``squares`` (r, p, p) holds :math:`D_{ij}^2 - 1/n` on both
        sides of a zero diagonal.
        """
        value = np.einsum("rp,p->r", centred, self.first[::-1])
        value += np.einsum("rp,p->r", centred**2 - 2.0 / n, self.own[::-1])
        products = squares @ np.ascontiguousarray(self.right[:, ::-1].T)
        return np.asarray(value + np.einsum("rpk,kp->r", products, self.left[:, ::-1]))


def control(item: Problem) -> Control | None:
    """The control variate of a problem; None where its expansion fails (c below 1/2)."""
    n, ell, lam = item.n, item.ell, item.ridge
    kappa = item.kappa
    if kappa == 0.0 and lam > 0.0:
        kappa = _head_kappa(n, ell, lam)
    share = ell / (ell + kappa)
    c = 1.0 - float(share.sum()) / n
    if c < CONTROLLED:
        return None
    h = share / c if kappa > 0.0 else np.full(len(ell), 1.0 / c)
    room = max(1.0 - float(share @ share) / n, 1e-3)
    whole = max(room - item.tail_df2, 1e-3)
    bias = float(item.f2 @ (1.0 - share) ** 2) + item.tail_bias
    total = (bias + item.sigma2) / whole
    noise = item.sigma2 + item.tail_bias + total * item.tail_df2
    gain = room / whole
    omega = gain * (item.f2 * (lam / ell) ** 2 - noise * lam / (n * ell))
    trace = gain * noise / n
    return Control(
        first=-2.0 * omega * h**3 - trace * h**2,
        own=3.0 * omega * h**4 + trace * h**3,
        left=np.stack([2.0 * omega * h**3 + trace * h**2, omega * h**2]),
        right=np.stack([h, h**2]),
    )


def _head_kappa(n: int, ell: Array, lam: float) -> float:
    """Effective ridge of the simulated directions alone: bisection on the increasing kappa (1 - d1(kappa)/n)
    = lambda.
    """
    low, high = math.log(lam), math.log(lam + float(ell.sum()) / n)
    for _ in range(60):
        middle = 0.5 * (low + high)
        kappa = math.exp(middle)
        if kappa * (1.0 - float(np.sum(ell / (ell + kappa))) / n) < lam:
            low = middle
        else:
            high = middle
    return math.exp(high)
