r"""Sums over indices under summands that are functions of the log-index: of two functions where the parity of the index counts.

The nodes are those of :mod:`verifier.risk.quadrature` (a head term by term, Gauss-Legendre panels in ln i, Gregory's end
correction), for any decay and any periods. Where the summand is one function at odd and another at even indices, each is
summed over its own half of the indices: weights are halved, and the end correction takes differences of step two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.risk.quadrature import (
    FAR_OUT,
    GREGORY,
    HEAD,
    LAGUERRE_NODES,
    LAGUERRE_WEIGHTS,
    NODES,
    POINTS,
    WEIGHTS,
    gregory_weights,
)

Array = NDArray[np.float64]
Odd = NDArray[np.bool_]

EXACT_PARITY = 30.0  # ln of an index whose parity is still known


@dataclass(frozen=True, eq=False)
class IndexNodes:
    """Log-indices, weights and parities that stand for all indices up to exp(``far``), or for all there are; the first
    ``pure`` are the indices 1, 2, ... with weight one.
    """

    log_index: Array
    weight: Array
    odd: Odd
    pure: int
    far: float | None


@dataclass(frozen=True)
class Lattice:
    """The indices 1 to ``size`` under summands that are smooth beyond ``head``, decay as i^-``decay``, oscillate with
    ``periods`` in the log-index and, where ``alternates``, are two functions, one at odd and one at even indices.
    """

    size: float
    head: int
    decay: float
    periods: tuple[float, ...] = ()
    alternates: bool = False

    @property
    def width(self) -> float:
        """Length of a panel: short compared with poles and periods."""
        return min(3.0, 5.0 / self.decay, *(period / 4.0 for period in self.periods))

    def nodes(self, end: float) -> IndexNodes:
        """Nodes up to the log-index ``end``."""
        stride = 2 if self.alternates else 1
        last = max(HEAD * stride, self.head + len(GREGORY) * stride + 1)
        last += last % 2
        if math.isfinite(self.size):
            index = np.arange(1.0, self.size + 1.0)
            return IndexNodes(np.log(index), np.ones_like(index), index % 2 == 1, len(index), None)
        index = np.arange(1.0, last + 1.0)
        weight = np.ones_like(index)
        weight[-len(GREGORY) * stride :] -= np.repeat(gregory_weights(), stride)
        start, end = math.log(last), max(end, math.log(last) + 1.0)
        x, w = panels(start, end, self.width)
        pieces = [(np.log(index), weight, index % 2 == 1)]
        if self.alternates:
            # The last odd index is one below the last even one: its integral starts there.
            before, before_w = panels(math.log(last - 1), start, self.width)
            pieces.append((before, 0.5 * before_w * np.exp(before), np.ones(before.shape, bool)))
            pieces += [(x, 0.5 * w * np.exp(x), np.full(x.shape, parity)) for parity in (True, False)]
        else:
            pieces.append((x, w * np.exp(x), np.zeros(x.shape, bool)))
        log_index, weights, odd = (np.concatenate(column) for column in zip(*pieces, strict=True))
        return IndexNodes(log_index, weights, odd, last - len(GREGORY) * stride, end)

    def tail(self, log_summand: Callable[[Array, Odd], Array], start: float) -> float:
        r"""Integral :math:`\int_X^\infty h(x) e^x dx` of a positive summand, the mean of both parities where they differ.

        The integrand is :math:`e^{-r(x - X)}` times a factor that varies slowly (Gauss-Laguerre), has one period (that period,
        and a geometric series), or two (panels until nothing is left).
        """

        def log_integrand(x: Array) -> Array:
            even = log_summand(x, np.zeros(x.shape, bool))
            if not self.alternates:
                return even + x
            return np.logaddexp(even, log_summand(x, np.ones(x.shape, bool))) - math.log(2.0) + x

        span = self.periods[0] if len(self.periods) == 1 else 1.0
        probe = log_integrand(np.array([FAR_OUT, FAR_OUT + span]))
        rate = float(probe[0] - probe[1]) / span
        if len(self.periods) > 1:
            probe = log_integrand(start + np.array([0.0, 400.0 * max(self.periods)]))
            rate = float(probe[0] - probe[1]) / (400.0 * max(self.periods))
        if rate <= 0.0:
            raise ValueError(f"a sum over infinitely many indices diverges: its terms grow at the rate {-rate:g}")
        if not self.periods:
            x = start + LAGUERRE_NODES / rate
            return float(np.sum(LAGUERRE_WEIGHTS * np.exp(log_integrand(x) + LAGUERRE_NODES))) / rate
        length = self.periods[0] if len(self.periods) == 1 else 36.0 / rate
        x, w = panels(start, start + length, self.width)
        part = float(w @ np.exp(log_integrand(x)))
        return part / -math.expm1(-rate * length) if len(self.periods) == 1 else part


def panels(start: float, end: float, width: float, points: int = POINTS) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights, ``points`` to a panel, on panels no longer than ``width``."""
    nodes, weights = (NODES, WEIGHTS) if points == POINTS else np.polynomial.legendre.leggauss(points)
    edges = np.linspace(start, end, max(2, math.ceil((end - start) / width) + 1))
    half = 0.5 * np.diff(edges)[:, None]
    middle = 0.5 * (edges[1:] + edges[:-1])[:, None]
    return (middle + half * nodes).ravel(), (half * weights).ravel()


def parity_of(log_index: Array) -> Odd:
    """Parity of isolated indices; those too large for it to be known count as even."""
    known = log_index < EXACT_PARITY
    return np.asarray(known & (np.rint(np.exp(np.where(known, log_index, 0.0))) % 2 == 1))
