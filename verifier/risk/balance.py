r"""The time at which a risk is smallest: :math:`\sum_j w_j(n) e^{c_j(u)}` over u, for smooth curves :math:`c_j`, one falling and
the others rising, and weights that depend on n.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Array = NDArray[np.float64]

FINER = 4
"""Points looked at for every one of the grid."""

_HALVINGS = 24  # of two steps of the fine grid, 1e-8 in u: the risk, which is level there, shows its square


def balanced(grid: Array, curves: Sequence[CubicSpline], log_weights: Sequence[Array]) -> Array:
    """The u within ``grid`` (its ends left out) at which the sum is smallest, shape (k,): that of the smallest value on a grid
    ``FINER`` times as fine, by bisection of the derivative. ``log_weights``: ln w_j, shape (k,) each.
    """
    steps = np.arange(len(grid))
    fine = np.interp(np.arange(FINER * (len(grid) - 1) + 1) / FINER, steps, grid)
    first, *others = (curve(fine) + weight[:, None] for curve, weight in zip(curves, log_weights, strict=True))
    values = first
    for other in others:
        values = np.logaddexp(values, other)
    best = np.clip(np.argmin(values, axis=1), 1, len(fine) - 2)
    u, low, high = fine[best], fine[best - 1], fine[best + 1]
    slopes = [curve.derivative() for curve in curves]
    for _ in range(_HALVINGS):  # the smallest value has a change of sign of the derivative beside it
        slope = sum(
            np.exp(curve(u) + weight) * rises(u)
            for curve, weight, rises in zip(curves, log_weights, slopes, strict=True)
        )
        low, high = np.where(slope < 0.0, u, low), np.where(slope < 0.0, high, u)
        u = 0.5 * (low + high)
    return np.asarray(u)
