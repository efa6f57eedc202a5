r"""Drift: how the kernel of a gradient flow changes while it learns.

The residual of a flow under the kernel :math:`K_t` obeys :math:`\dot r = -K_t r`. A drift says what :math:`K_t` is, relative to the
covariance :math:`\Sigma` of the instance, in whose eigenbasis the target is given. It is studied in the Gaussian sequence model
(:mod:`verifier.risk.drift`). A *diagonal* drift changes eigenvalues only, :math:`l_i(t) = g\,l_i^{\rho}` with the gain g and the
ratio :math:`\rho` piecewise constant in t, so that the tail index is :math:`\rho\beta` for a while; the band of the paper is
:math:`b_\pm = \rho_\pm\beta`. Two more move eigenvectors, :math:`K_t = \Sigma^{1/2}M_t\Sigma^{1/2}` with :math:`M_t` boundedly
invertible: pair by pair at the front of learning (:class:`TurningDrift`), or all at once (:class:`TransformedDrift`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, whole, within
from verifier.instances.transforms import FullRotation, Transform

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
    if any(sign * (b - a) <= 0.0 for a, b in pairwise(result)):
        raise ValueError(f"{name}={result!r} must {'in' if sign > 0 else 'de'}crease strictly")
    return result


@dataclass(frozen=True)
class FrontDrift(Ingredient):
    r"""Eigenvalues that react to the front of learning: :math:`l_i(t) = g_k l_i^{\rho_k}` while the position
    :math:`x = \beta\ln i/\ln t` of the index lies between :math:`x_{k+1}` and :math:`x_k`.

    ``positions`` :math:`x_1 > x_2 > \dots` in [.1, 10]: at x = 1 the index is what the kernel Sigma learns at the time t; every
    index
    starts at :math:`x = \infty` and goes to 0. ``ratios``, one more, in [.2, 5], ``gains`` in [.1, 10] (omitted: all one).
    An adversary that knows what has been learnt and what has not. ValueError for anything else.
    """

    positions: tuple[float, ...]
    ratios: tuple[float, ...]
    gains: tuple[float, ...] = ()

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


@dataclass(frozen=True)
class TurningDrift(Ingredient):
    r"""Eigenvectors that are moved at the front of learning: :math:`K_t = \Sigma^{1/2}M_t\Sigma^{1/2}` with boundedly invertible
    :math:`M_t = T_t'T_t` that couple the direction i with the direction q i.

    Each pair (i, q i) goes through ``stages``, the first of which begins at :math:`\ln(t\,l_i)` = ``start`` in [-4, 4]. A stage is
    (share, condition, angle): it lasts for the share of :math:`\beta\ln q` in ln t, and has
    :math:`M = R\,\mathrm{diag}(\sqrt c, 1/\sqrt c)\,R'` with the condition number c in [1, 100] and R the rotation by the angle, in
    degrees, within [-90, 90]. The shares sum to at most one, so that the stages of a pair are over when the next pair begins,
    (q i, q^2 i); before and after M is one. ``ratio`` q, a whole number in [2, 64]. ``moves``: the number of pairs in each chain
    m, q m, q^2 m, ... that are moved, from its first one on; 0 means all, for ever. ``fading`` f in [0, 3]: the condition number of
    the k-th pair of a chain is :math:`c^{k^{-f}}`. Such a drift reacts to scale. ValueError for anything else.
    """

    ratio: int
    start: float
    stages: tuple[tuple[float, float, float], ...]
    moves: int = 0
    fading: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", whole("ratio", self.ratio, 2, 64))
        object.__setattr__(self, "start", within("start", self.start, -4.0, 4.0))
        object.__setattr__(self, "moves", whole("moves", self.moves, 0, 1000))
        object.__setattr__(self, "fading", within("fading", self.fading, 0.0, 3.0))
        if not isinstance(self.stages, (tuple, list)) or not 1 <= len(self.stages) <= MOST_PIECES:
            raise ValueError(f"stages={self.stages!r} must be 1 to {MOST_PIECES} triples (share, condition, angle)")
        checked = []
        for k, stage in enumerate(self.stages):
            if not isinstance(stage, (tuple, list)) or len(stage) != 3:
                raise ValueError(f"stages[{k}]={stage!r} must be a triple (share, condition, angle)")
            share, condition, angle = stage
            checked.append(
                (
                    within(f"share of stages[{k}]", share, 0.001, 1.0),
                    within(f"condition of stages[{k}]", condition, 1.0, 100.0),
                    within(f"angle of stages[{k}]", angle, -90.0, 90.0),
                )
            )
        if sum(stage[0] for stage in checked) > 1.0 + 1e-9:
            raise ValueError(
                f"stages={self.stages!r} have shares that sum to more than one; the next pair would begin before they end"
            )
        object.__setattr__(self, "stages", tuple(checked))

    def matrix(self, stage: int, pair: int) -> Array:
        """M of a stage for the k-th pair of a chain, ``pair`` = 0, 1, ...; shape (2, 2), the slower direction second."""
        _, condition, angle = self.stages[stage]
        root = condition ** (0.5 * (pair + 1.0) ** -self.fading)
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        turn = np.array([[c, -s], [s, c]])
        return np.asarray((turn * np.array([root, 1.0 / root])) @ turn.T)

    def growth(self) -> float:
        r"""ln of the factor by which :math:`r'K_t^{-1}r` can grow while a pair goes through its stages, for ever in the long run:
        it falls while M stays, and a jump from M to M' multiplies it by at most the largest eigenvalue of :math:`MM'^{-1}`. Zero
        where
        the drift stops or fades: then all factors up to t together grow more slowly than any power of t.
        """
        if self.moves or self.fading > 0.0:
            return 0.0
        matrices = [np.eye(2), *(self.matrix(stage, 0) for stage in range(len(self.stages))), np.eye(2)]
        steps = pairwise(matrices)
        return sum(
            math.log(float(np.linalg.eigvals(np.linalg.solve(after, before)).real.max())) for before, after in steps
        )

    def describe(self) -> str:
        stages = ", then ".join(
            f"({share:g}, {condition:g}, {angle:g} degrees)" for share, condition, angle in self.stages
        )
        which = f", the first {self.moves} pairs" if self.moves else ""
        fading = f", fading as k^-{self.fading:g}" if self.fading else ""
        return f"pairs (i, {self.ratio} i) turned from ln(t l_i) = {self.start:g} by {stages}{which}{fading}"


FACTORS = (10.0, 1e4)
"""Range of the factor in time after which a schedule of transforms begins again."""

SHORTEST_PERIOD = 3.0
"""Shortest period in ln i of a multiplier in a schedule of transforms: faster ones would need thousands of nodes."""


@dataclass(frozen=True)
class TransformedDrift(Ingredient):
    r"""A kernel of moved features: :math:`K_t = \Sigma^{1/2}T_k^*T_k\Sigma^{1/2}` between the times :math:`t_k` and
    :math:`t_{k+1}`, with boundedly invertible :math:`T_k` that may couple one direction with all others.

    ``times`` :math:`t_1 < t_2 < \dots` in [1e-2, 1e4]; ``transforms`` :math:`T_0, T_1, \dots`, one more, of infinitely many
    coordinates. ``factor`` F: 0 for a drift that stops, the last transform staying; otherwise in [10, 1e4] and above the ratio of
    the last time to the first one, and :math:`T_1, T_2, \dots` are gone through again and again, from the times :math:`F^mt_k` on.
    ValueError for anything else.
    """

    times: tuple[float, ...]
    transforms: tuple[Transform, ...]
    factor: float = 0.0

    def __post_init__(self) -> None:
        times = _ordered("times", self.times, (0.01, LATEST), 1.0)
        if not isinstance(self.transforms, (tuple, list)) or len(self.transforms) != len(times) + 1:
            raise ValueError(f"transforms={self.transforms!r} must be {len(times) + 1} transforms, one more than times")
        for k, transform in enumerate(self.transforms):
            if not isinstance(transform, Transform) or isinstance(transform, FullRotation):
                raise ValueError(
                    f"transforms[{k}]={transform!r} must be a transform of infinitely many coordinates, such as RankOneTransform"
                )
            if transform.period is not None and transform.period < SHORTEST_PERIOD:
                raise ValueError(
                    f"transforms[{k}]={transform!r} oscillates with the period {transform.period:g} in ln i; in a drift it must be "
                    f"at least {SHORTEST_PERIOD:g}, a frequency of at most {2.0 * math.pi / SHORTEST_PERIOD:.3g}"
                )
        factor = within("factor", self.factor, 0.0, FACTORS[1])
        if factor and (not times or factor < FACTORS[0] or factor <= times[-1] / times[0]):
            raise ValueError(
                f"factor={factor:g} must be 0, or in [{FACTORS[0]:g}, {FACTORS[1]:g}] and above the ratio of the last of the "
                f"times {times!r} to the first one"
            )
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "transforms", tuple(self.transforms))
        object.__setattr__(self, "factor", factor)

    @property
    def onset(self) -> float:
        """ln t from which on the drift is over, or goes through its transforms again and again."""
        return math.log(self.times[-1]) if self.times else 0.0

    def schedule(self, latest: float) -> tuple[tuple[float, int], ...]:
        """The time from which each transform acts, and which one it is, for all that begin before the time ``latest``."""
        found = [(0.0, 0)]
        turn = 1.0
        while turn * self.times[0] < latest if self.times else False:
            found += [(turn * time, k) for k, time in enumerate(self.times, 1) if turn * time < latest]
            if not self.factor:
                break
            turn *= self.factor
        return tuple(found)

    def describe(self) -> str:
        parts = [self.transforms[0].describe()]
        parts += [f"{t.describe()} from t = {at:g} on" for at, t in zip(self.times, self.transforms[1:], strict=True)]
        again = f", and so on at {self.factor:g} times as late" if self.factor else ""
        return f"features moved by T: {', then '.join(parts)}{again}"
