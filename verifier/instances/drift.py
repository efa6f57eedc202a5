r"""Drift: how the kernel of a gradient flow changes while it learns.

The residual of a flow under the kernel :math:`K_t` obeys :math:`\dot r = -K_t r`. A drift says what :math:`K_t` is, relative to
the covariance :math:`\Sigma` of the instance, in whose eigenbasis the target is given. It is studied in the Gaussian sequence model
(:mod:`verifier.risk.drift`). A *diagonal* drift changes eigenvalues only, :math:`l_i(t) = g\,l_i^{\rho}` with the gain g and the
ratio :math:`\rho` piecewise constant in t, so that the tail index is :math:`\rho\beta` for a while; the band of the paper is
:math:`b_\pm = \rho_\pm\beta`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, within

Array = NDArray[np.float64]

MOST_PIECES = 8
RATIOS = (0.2, 5.0)
GAINS = (0.1, 10.0)
POSITIONS = (0.1, 10.0)
LATEST = 1e4
"""Latest time at which a drift that stops may stop: later ones would only start the same curve later."""


@runtime_checkable
class Drift(Protocol):
    """What the harness asks of the way in which a kernel changes."""

    @property
    def moves(self) -> bool:
        """Whether the kernel changes at all."""

    def describe(self) -> str:
        """One phrase for people."""


@runtime_checkable
class DiagonalDrift(Drift, Protocol):
    """What it asks of a drift of the eigenvalues."""

    @property
    def ratios(self) -> tuple[float, ...]:
        """rho of each piece, the earliest first."""

    @property
    def gains(self) -> tuple[float, ...]:
        """g of each piece."""

    def log_breaks(self, log_index: Array, beta: float) -> list[Array]:
        """ln t at which the eigenvalue of each index goes over to the next piece, increasing; each of the shape of the indices."""

    def kinks(self, log_time: Array, beta: float) -> Array:
        """ln i at which the integrated eigenvalues are not smooth in i at each time, shape (k, number of kinks)."""


@dataclass(frozen=True)
class NoDrift(Ingredient):
    """A kernel that stays what it is: the plain case."""

    moves = False  # not a field

    def describe(self) -> str:
        return "no drift"


def _ratios(ratios: object, pieces: int) -> tuple[float, ...]:
    return _several("ratios", ratios, pieces, RATIOS)


def _several(name: str, values: object, count: int, bounds: tuple[float, float]) -> tuple[float, ...]:
    if not isinstance(values, (tuple, list)) or len(values) != count or not 1 <= count <= MOST_PIECES:
        raise ValueError(
            f"{name}={values!r} must be {count} numbers, one a piece, of which there are 1 to {MOST_PIECES}"
        )
    return tuple(within(f"{name}[{k}]", value, *bounds) for k, value in enumerate(values))


def _ordered(name: str, values: object, bounds: tuple[float, float], sign: float) -> tuple[float, ...]:
    if not isinstance(values, (tuple, list)) or len(values) >= MOST_PIECES:
        raise ValueError(f"{name}={values!r} must be a tuple of fewer than {MOST_PIECES} numbers")
    result = tuple(within(f"{name}[{k}]", value, *bounds) for k, value in enumerate(values))
    if any(sign * (b - a) <= 0.0 for a, b in zip(result, result[1:], strict=False)):
        raise ValueError(f"{name}={result!r} must {'in' if sign > 0 else 'de'}crease strictly")
    return result


@dataclass(frozen=True)
class FrontDrift(Ingredient):
    r"""Eigenvalues that react to the front of learning: :math:`l_i(t) = g_k l_i^{\rho_k}` while the position
    :math:`x = \beta\ln i/\ln t` of the index lies between :math:`x_{k+1}` and :math:`x_k`.

    ``positions`` :math:`x_1 > x_2 > \dots` in [.1, 10]: at x = 1 the index is what the kernel Sigma learns at the time t; every index
    starts at :math:`x = \infty` and goes to 0. ``ratios``, one more, in [.2, 5], ``gains`` in [.1, 10] (omitted: all one).
    An adversary that knows what has been learnt and what has not. ValueError for anything else.
    """

    positions: tuple[float, ...]
    ratios: tuple[float, ...]
    gains: tuple[float, ...] = ()

    moves = True  # not a field

    def __post_init__(self) -> None:
        positions = _ordered("positions", self.positions, POSITIONS, -1.0)
        pieces = len(positions) + 1
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "ratios", _ratios(self.ratios, pieces))
        object.__setattr__(self, "gains", _several("gains", self.gains or (1.0,) * pieces, pieces, GAINS))

    def log_breaks(self, log_index: Array, beta: float) -> list[Array]:
        return [beta * log_index / x for x in self.positions]

    def kinks(self, log_time: Array, beta: float) -> Array:
        return np.asarray(np.maximum(log_time, 0.0)[:, None] * np.array(self.positions) / beta)

    @property
    def onset(self) -> float:
        """ln t from which on the drift is what it will be."""
        return 0.0

    def describe(self) -> str:
        parts = [f"rho = {_piece(self.ratios[0], self.gains[0])}"]
        parts += [
            f"{_piece(ratio, gain)} once beta ln i < {x:g} ln t"
            for x, ratio, gain in zip(self.positions, self.ratios[1:], self.gains[1:], strict=True)
        ]
        return f"l_i(t) = l_i^rho, {', then '.join(parts)}"


@dataclass(frozen=True)
class SteppedDrift(Ingredient):
    r"""A drift that stops: :math:`l_i(t) = g_k l_i^{\rho_k}` between the times :math:`t_k` and :math:`t_{k+1}`, for all i.

    ``times`` increasing in [1e-2, 1e4]; ``ratios``, one more, the last of which stays, and ``gains`` (omitted: all one).
    ValueError for anything else.
    """

    times: tuple[float, ...]
    ratios: tuple[float, ...]
    gains: tuple[float, ...] = ()

    moves = True  # not a field

    def __post_init__(self) -> None:
        times = _ordered("times", self.times, (0.01, LATEST), 1.0)
        pieces = len(times) + 1
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "ratios", _ratios(self.ratios, pieces))
        object.__setattr__(self, "gains", _several("gains", self.gains or (1.0,) * pieces, pieces, GAINS))

    def log_breaks(self, log_index: Array, beta: float) -> list[Array]:
        return [np.full_like(log_index, math.log(time)) for time in self.times]

    def kinks(self, log_time: Array, beta: float) -> Array:
        return np.zeros((len(log_time), 0))

    @property
    def onset(self) -> float:
        """ln t from which on the drift is over."""
        return math.log(self.times[-1]) if self.times else 0.0

    def describe(self) -> str:
        parts = [f"rho = {_piece(self.ratios[0], self.gains[0])}"]
        parts += [
            f"{_piece(ratio, gain)} from t = {time:g} on"
            for time, ratio, gain in zip(self.times, self.ratios[1:], self.gains[1:], strict=True)
        ]
        return f"l_i(t) = l_i^rho, {', then '.join(parts)}"


def _piece(ratio: float, gain: float) -> str:
    return f"{ratio:g}" if gain == 1.0 else f"{ratio:g} (times {gain:g})"
