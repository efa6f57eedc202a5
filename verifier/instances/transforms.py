r"""Transforms of the representation: :math:`x' = T x` with T boundedly invertible,
:math:`a\|h\| \le \|T h\| \le b\|h\|`, while the regression function stays what it was.

Every transform is a product of factors, each a bounded diagonal multiplier or the identity plus a term of finite rank:

.. math:: T = D + \sum_{jk} A_{jk} \langle b_k, \cdot\rangle\, b_j .

The multiplier is a function of a real log-index, as spectra and targets are, and the directions :math:`b_j` are powers of
the index or have finitely many entries, so that a transform acts on infinitely many eigenvectors and a finite spectrum meets
the first coordinates of it. The inverse is bounded by construction: parameters whose frame bounds would be further apart than
a factor of 100 (``MAX_CONDITION``) are refused. Frame bounds are exact singular values of each factor, and their products for
a :class:`Composition`.

An object of another package with the methods of :class:`Factor` is a transform as well; directions bring the methods of
:class:`Direction`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import zeta

from verifier.instances.ingredient import Ingredient, positive, whole, within

Array = NDArray[np.float64]

MAX_CONDITION = 100.0
"""Largest ratio b/a of the frame bounds."""

MAX_BLOCK = 16
"""Largest block that a :class:`BlockRotation` turns, and largest number of entries of a :class:`SparseDirection`."""

FARTHEST_AXIS = 64
"""Largest index at which a direction may have an entry of its own."""


@runtime_checkable
class Direction(Protocol):
    """A unit vector of l2 in the eigenbasis: finitely many entries, or a power of the index."""

    @property
    def entries(self) -> tuple[tuple[int, float], ...] | None:
        """The pairs (index, entry) of a direction with finitely many entries, None for a smooth one."""

    @property
    def gamma(self) -> float:
        """Exponent of the decay |v_i| ~ i^-gamma, infinite for a direction with finitely many entries."""

    def log_values(self, log_index: Array) -> Array:
        """Logarithms of the entries at real log-indices; asked of smooth directions only, which are multiples of i^-gamma."""

    def describe(self) -> str:
        """One phrase for people."""


@runtime_checkable
class Factor(Protocol):
    """A transform that is no product: multiplier plus finite rank."""

    @property
    def unitary(self) -> bool:
        """Whether T*T = 1: then nothing changes, neither spectrum nor risk."""

    @property
    def commutes(self) -> bool:
        """Whether T commutes with every covariance of this eigenbasis: diagonal."""

    @property
    def period(self) -> float | None:
        """Period of the multiplier in the log-index, None where it does not oscillate."""

    @property
    def alternates(self) -> bool:
        """Whether the multiplier depends on the parity of the index."""

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions b_j of the term of finite rank."""

    def matrix(self, size: float = math.inf) -> Array:
        """The matrix A_jk of the term of finite rank on the first ``size`` coordinates, square, of as many rows as
        ``directions``.
        """

    def multiplier(self, log_index: Array, odd: NDArray[np.bool_]) -> Array:
        """Positive diagonal part D at real log-indices; ``odd`` says on which parity the indices lie."""

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        """Smallest and largest singular value (a, b) on the first ``size`` coordinates."""

    def describe(self) -> str:
        """One phrase for people."""


@runtime_checkable
class Transform(Protocol):
    """What the harness asks of a transform: the product of its factors, the last of which acts first."""

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The factors, none for the identity."""

    @property
    def unitary(self) -> bool:
        """Whether T*T = 1."""

    @property
    def commutes(self) -> bool:
        """Whether T is diagonal in the eigenbasis."""

    @property
    def period(self) -> float | None:
        """Period in the log-index, None where nothing oscillates."""

    @property
    def head(self) -> int:
        """Largest index that the transform treats on its own; beyond it is smooth."""

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        """Constants (a, b) with a|h| <= |Th| <= b|h| on the first ``size`` coordinates."""

    def describe(self) -> str:
        """One phrase for people."""


# ------------------------------------------------------------------------------------------------ directions


@dataclass(frozen=True)
class Axis(Ingredient):
    """The eigenvector of one index."""

    index: int = 1

    gamma = math.inf  # not a field

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", whole("index", self.index, 1, FARTHEST_AXIS))

    @property
    def entries(self) -> tuple[tuple[int, float], ...]:
        return ((self.index, 1.0),)

    def log_values(self, log_index: Array) -> Array:
        raise ValueError("an Axis has one entry; it is no function of a real index")

    def describe(self) -> str:
        return f"e_{self.index}"


@dataclass(frozen=True)
class SparseDirection(Ingredient):
    """Finitely many entries ``weights`` at ``indices``, scaled to unit length."""

    indices: tuple[int, ...] = (1, 2)
    weights: tuple[float, ...] = (1.0, 1.0)

    gamma = math.inf  # not a field

    def __post_init__(self) -> None:
        indices, weights = _sequence("indices", self.indices), _sequence("weights", self.weights)
        if not 1 <= len(indices) <= MAX_BLOCK or len(indices) != len(weights):
            raise ValueError(
                f"indices={self.indices!r} and weights={self.weights!r} must be of one length, from 1 to {MAX_BLOCK}"
            )
        checked = tuple(whole(f"indices[{k}]", index, 1, FARTHEST_AXIS) for k, index in enumerate(indices))
        if len(set(checked)) != len(checked):
            raise ValueError(f"indices={checked!r} must be distinct; add up the weights of an index that occurs twice")
        values = tuple(within(f"weights[{k}]", weight, -1e6, 1e6) for k, weight in enumerate(weights))
        if any(abs(value) < 1e-6 for value in values):
            raise ValueError(
                f"weights={values!r} must be at least 1e-6 in absolute value; leave out an index with none"
            )
        object.__setattr__(self, "indices", checked)
        object.__setattr__(self, "weights", values)

    @property
    def entries(self) -> tuple[tuple[int, float], ...]:
        length = math.sqrt(math.fsum(weight**2 for weight in self.weights))
        return tuple((index, weight / length) for index, weight in zip(self.indices, self.weights, strict=True))

    def log_values(self, log_index: Array) -> Array:
        raise ValueError("a SparseDirection has finitely many entries; it is no function of a real index")

    def describe(self) -> str:
        terms = " + ".join(f"{weight:g} e_{index}" for index, weight in zip(self.indices, self.weights, strict=True))
        return f"({terms}, normalised)"


@dataclass(frozen=True)
class PowerDirection(Ingredient):
    r""":math:`v_i = i^{-\gamma} / \sqrt{\zeta(2\gamma)}`: of unit length, :math:`\gamma > 1/2`."""

    gamma: float = 1.0

    entries = None  # not a field

    def __post_init__(self) -> None:
        why = "a power of the index is in l2 above 1/2; within .01 of it sums converge too slowly to be taken"
        object.__setattr__(self, "gamma", within("gamma", self.gamma, 0.51, 50.0, why))

    @cached_property
    def _log_scale(self) -> float:
        return -0.5 * math.log(float(zeta(2.0 * self.gamma)))

    def log_values(self, log_index: Array) -> Array:
        return np.asarray(self._log_scale - self.gamma * log_index, dtype=np.float64)

    def describe(self) -> str:
        return f"(i^-{self.gamma:g}, normalised)"


def inner_product(one: Direction, other: Direction, size: float = math.inf) -> float:
    """Inner product of two of the directions here over the first ``size`` coordinates.

    Between powers of the index it is a value of Hurwitz's zeta function.
    """
    if one.entries is None and other.entries is not None:
        one, other = other, one
    if one.entries is not None:
        kept = [(index, entry) for index, entry in one.entries if index <= size]
        if other.entries is not None:
            table = dict(other.entries)
            return math.fsum(entry * table.get(index, 0.0) for index, entry in kept)
        values = np.exp(other.log_values(np.log(np.array([float(index) for index, _ in kept]))))
        return math.fsum(entry * float(value) for (_, entry), value in zip(kept, values, strict=True))
    exponent = one.gamma + other.gamma
    scale = math.exp(sum(float(d.log_values(np.zeros(1))[0]) for d in (one, other)))
    total = float(zeta(exponent))
    rest = float(zeta(exponent, size + 1.0)) if math.isfinite(size) else 0.0
    return scale * (total - rest)


# ------------------------------------------------------------------------------------------------ factors


class _Factor:
    """Defaults of a transform that is one factor, and not diagonal."""

    unitary = False
    commutes = False
    period: float | None = None
    alternates = False

    @property
    def factors(self) -> tuple[Factor, ...]:
        return (self,)  # type: ignore[return-value]

    @property
    def directions(self) -> tuple[Direction, ...]:
        return ()

    def matrix(self, size: float = math.inf) -> Array:
        return np.zeros((0, 0))

    @property
    def head(self) -> int:
        return max((index for d in self.directions for index, _ in d.entries or ()), default=1)

    def multiplier(self, log_index: Array, odd: NDArray[np.bool_]) -> Array:
        return np.ones_like(log_index)


@dataclass(frozen=True)
class Identity(Ingredient):
    """No transform: the plain case."""

    factors: ClassVar[tuple[Factor, ...]] = ()
    unitary: ClassVar[bool] = True
    commutes: ClassVar[bool] = True
    period: ClassVar[float | None] = None
    head: ClassVar[int] = 1

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        return 1.0, 1.0

    def describe(self) -> str:
        return "no transform"


PATTERNS = ("log-periodic", "alternating")


@dataclass(frozen=True)
class DiagonalTransform(_Factor, Ingredient):
    r"""A multiplier between ``low`` and ``high``: :math:`d_i = \sqrt{ab}\,(b/a)^{\cos(\omega \ln i)/2}` with
    ``frequency`` :math:`\omega` ("log-periodic"), or a at odd and b at even indices ("alternating").
    """

    low: float = 1.0
    high: float = 2.0
    pattern: str = "alternating"
    frequency: float = 1.0

    commutes = True

    def __post_init__(self) -> None:
        low, high = positive("low", self.low, 1e-3), positive("high", self.high, 1e-3)
        if not low <= high or high > 1e3:
            raise ValueError(f"low={low:g} and high={high:g} must be frame bounds: low <= high, both in [.001, 1000]")
        _conditioned("DiagonalTransform", (low, high), "bring low and high closer together")
        if self.pattern not in PATTERNS:
            raise ValueError(f"pattern={self.pattern!r} must be one of {', '.join(PATTERNS)}")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "frequency", within("frequency", self.frequency, 0.1, 20.0))

    @property
    def alternates(self) -> bool:  # type: ignore[override]
        return self.pattern == "alternating" and self.high > self.low

    @property
    def period(self) -> float | None:  # type: ignore[override]
        return 2.0 * math.pi / self.frequency if self.pattern == "log-periodic" and self.high > self.low else None

    def multiplier(self, log_index: Array, odd: NDArray[np.bool_]) -> Array:
        if self.pattern == "alternating":
            return np.where(odd, self.low, self.high)
        middle, amplitude = 0.5 * math.log(self.low * self.high), 0.5 * math.log(self.high / self.low)
        return np.asarray(np.exp(middle + amplitude * np.cos(self.frequency * log_index)))

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        return self.low, self.high

    def describe(self) -> str:
        if self.pattern == "alternating":
            return f"diagonal, {self.low:g} at odd and {self.high:g} at even indices"
        return f"diagonal, between {self.low:g} and {self.high:g}, cos({self.frequency:g} ln i)"


@dataclass(frozen=True)
class RankOneTransform(_Factor, Ingredient):
    r""":math:`T = 1 + c\, u v^*` with unit directions u (``left``) and v (``right``); :math:`1 + c \langle u, v\rangle > 0`.

    On the span of u and v the squares of the singular values have product :math:`(1 + c\tau)^2` and sum
    :math:`2 + 2c\tau + c^2`, :math:`\tau = \langle u, v\rangle`; elsewhere T is the identity.
    """

    c: float = 1.0
    left: Direction = Axis(1)
    right: Direction = PowerDirection(1.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "c", within("c", self.c, -1e3, 1e3))
        for name, value in (("left", self.left), ("right", self.right)):
            if isinstance(value, type) or not isinstance(value, Direction):
                raise ValueError(f"{name}={value!r} is not a direction, for example Axis(1) or PowerDirection(1.0)")
        if self.c == 0.0:
            raise ValueError("c=0.0 is no transform; use Identity()")
        overlap = inner_product(self.left, self.right)
        if 1.0 + self.c * overlap <= 0.0:
            raise ValueError(
                f"c={self.c:g} makes 1 + c <u, v> = {1.0 + self.c * overlap:g}, so that T on some number of coordinates is "
                f"singular; c must exceed {-1.0 / overlap:g}"
            )
        _conditioned("RankOneTransform", self.frame_bounds(), f"bring c={self.c:g} closer to zero")

    @property
    def commutes(self) -> bool:  # type: ignore[override]
        return self.left.entries is not None and len(self.left.entries) == 1 and self.left == self.right

    @property
    def directions(self) -> tuple[Direction, ...]:
        return (self.left, self.right)

    def matrix(self, size: float = math.inf) -> Array:
        return np.array([[0.0, self.c], [0.0, 0.0]])

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        overlap = inner_product(self.left, self.right, size)
        lengths = inner_product(self.left, self.left, size) * inner_product(self.right, self.right, size)
        spread = abs(self.c) * math.sqrt(lengths)  # difference of the two singular values
        total = math.sqrt(4.0 * (1.0 + self.c * overlap) + spread**2)  # and their sum
        low, high = 2.0 * (1.0 + self.c * overlap) / (total + spread), 0.5 * (total + spread)
        if lengths - overlap**2 <= 1e-15 * lengths:  # u parallel to v: the span is a line
            return min(1.0, 1.0 + self.c * overlap), max(1.0, 1.0 + self.c * overlap)
        return min(low, 1.0), max(high, 1.0)

    def describe(self) -> str:
        return f"1 + {self.c:g} u v*, u = {self.left.describe()}, v = {self.right.describe()}"


@dataclass(frozen=True)
class Reflection(_Factor, Ingredient):
    r"""Householder's reflection :math:`1 - 2 v v^*`: unitary, so that nothing changes."""

    direction: Direction = PowerDirection(1.0)

    unitary = True

    def __post_init__(self) -> None:
        if isinstance(self.direction, type) or not isinstance(self.direction, Direction):
            raise ValueError(f"direction={self.direction!r} is not a direction, for example PowerDirection(1.0)")

    @property
    def directions(self) -> tuple[Direction, ...]:
        return (self.direction,)

    def matrix(self, size: float = math.inf) -> Array:
        # On finitely many coordinates v is shorter than one; it is scaled to length one there.
        return np.array([[-2.0 / inner_product(self.direction, self.direction, size)]])

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        return 1.0, 1.0

    def describe(self) -> str:
        return f"reflection 1 - 2 v v*, v = {self.direction.describe()}"


@dataclass(frozen=True)
class BlockRotation(_Factor, Ingredient):
    """On the first ``size`` coordinates a Haar rotation followed by a diagonal from ``low`` to ``high`` (equal ratios), the
    identity beyond: rotation times rescaling on a block. The rotation comes from the generator keyed by ``seed``.
    """

    size: int = 2
    low: float = 1.0
    high: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole("size", self.size, 2, MAX_BLOCK))
        object.__setattr__(self, "seed", whole("seed", self.seed, 0, 2**32 - 1))
        low, high = positive("low", self.low, 1e-3), positive("high", self.high, 1e-3)
        if not low <= high or high > 1e3:
            raise ValueError(f"low={low:g} and high={high:g} must be frame bounds: low <= high, both in [.001, 1000]")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        _conditioned("BlockRotation", self.frame_bounds(), "bring low, high and 1 closer together")

    @property
    def unitary(self) -> bool:  # type: ignore[override]
        return self.low == self.high == 1.0

    @property
    def directions(self) -> tuple[Direction, ...]:
        return tuple(Axis(index) for index in range(1, self.size + 1))

    def matrix(self, size: float = math.inf) -> Array:
        rotation = _haar(self.size, self.seed)
        return np.asarray(np.geomspace(self.low, self.high, self.size)[:, None] * rotation - np.eye(self.size))

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        return (self.low, self.high) if size <= self.size else (min(self.low, 1.0), max(self.high, 1.0))

    def describe(self) -> str:
        return (
            f"Haar rotation (seed {self.seed}) of the first {self.size} coordinates, then diagonal {self.low:g} to "
            f"{self.high:g}"
        )


@dataclass(frozen=True)
class Permutation(_Factor, Ingredient):
    """The first eigenvectors in another order, eigenvector k going to ``order[k - 1]``: unitary, so that nothing changes."""

    order: tuple[int, ...] = (2, 1)

    unitary = True

    def __post_init__(self) -> None:
        values = _sequence("order", self.order)
        order = tuple(whole(f"order[{k}]", value, 1, MAX_BLOCK) for k, value in enumerate(values))
        if not 2 <= len(order) <= MAX_BLOCK or sorted(order) != list(range(1, len(order) + 1)):
            raise ValueError(
                f"order={order!r} must hold each of 1 to {len(order)} once, and two to {MAX_BLOCK} of them"
            )
        object.__setattr__(self, "order", order)

    @property
    def directions(self) -> tuple[Direction, ...]:
        return tuple(Axis(index) for index in range(1, len(self.order) + 1))

    def matrix(self, size: float = math.inf) -> Array:
        moved = np.zeros((len(self.order), len(self.order)))
        moved[np.array(self.order) - 1, np.arange(len(self.order))] = 1.0
        return np.asarray(moved - np.eye(len(self.order)))

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        return 1.0, 1.0

    def describe(self) -> str:
        return f"permutation of the first {len(self.order)} coordinates to {', '.join(map(str, self.order))}"


@dataclass(frozen=True)
class BandedShear(_Factor, Ingredient):
    r"""On the first ``size`` coordinates the banded shear :math:`1 + c \sum_i e_i e_{i+1}^*`, the identity beyond: of determinant
    one, so that no c makes it singular.
    """

    size: int = 2
    c: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole("size", self.size, 2, MAX_BLOCK))
        object.__setattr__(self, "c", within("c", self.c, -1e3, 1e3))
        if self.c == 0.0:
            raise ValueError("c=0.0 is no transform; use Identity()")
        _conditioned("BandedShear", self.frame_bounds(), f"bring c={self.c:g} closer to zero, or take a smaller block")

    @property
    def directions(self) -> tuple[Direction, ...]:
        return tuple(Axis(index) for index in range(1, self.size + 1))

    def matrix(self, size: float = math.inf) -> Array:
        return np.asarray(self.c * np.eye(self.size, k=1))

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        values = np.linalg.svd(np.eye(self.size) + self.matrix(), compute_uv=False)
        return min(float(values[-1]), 1.0), max(float(values[0]), 1.0)

    def describe(self) -> str:
        return f"1 + {self.c:g} (e_1 e_2* + ...) on the first {self.size} coordinates"


@dataclass(frozen=True)
class FullRotation(_Factor, Ingredient):
    """A Haar rotation of all coordinates of a finite spectrum, followed by a diagonal from ``low`` to ``high`` (equal ratios).

    It is no operator on infinitely many coordinates: a rotation of p of them has no limit as p grows. The rotation comes from
    the generator keyed by ``seed``; the covariance is decomposed once for a spectrum (:mod:`verifier.risk.eigenbasis`).
    """

    low: float = 1.0
    high: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", whole("seed", self.seed, 0, 2**32 - 1))
        low, high = positive("low", self.low, 1e-3), positive("high", self.high, 1e-3)
        if not low < high or high > 1e3:
            raise ValueError(f"low={low:g} and high={high:g} must be frame bounds: low < high, both in [.001, 1000]")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        _conditioned("FullRotation", self.frame_bounds(), "bring low and high closer together")

    def dense(self, size: int) -> Array:
        """The matrix of T on all coordinates, shape (size, size)."""
        return np.asarray(np.geomspace(self.low, self.high, size)[:, None] * _drawn_haar(size, self.seed))

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        return self.low, self.high

    def describe(self) -> str:
        return f"Haar rotation (seed {self.seed}) of all coordinates, then diagonal {self.low:g} to {self.high:g}"


@lru_cache(maxsize=256)
def _haar(size: int, seed: int) -> Array:
    """The rotation of a block, kept."""
    return _drawn_haar(size, seed)


def _drawn_haar(size: int, seed: int) -> Array:
    """An orthogonal matrix from Haar's measure: Q of a Gaussian matrix, R with a positive diagonal (Mezzadri 2007)."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(size, MAX_BLOCK)))
    q, r = np.linalg.qr(generator.standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diagonal(r)))


@dataclass(frozen=True)
class Composition(Ingredient):
    """The product of two to four transforms, written as matrices are: the last one acts first."""

    parts: tuple[Transform, ...]

    def __post_init__(self) -> None:
        parts = _sequence("parts", self.parts)
        for k, part in enumerate(parts):
            if isinstance(part, type) or not isinstance(part, (Transform, Factor)):
                raise ValueError(f"parts[{k}]={part!r} is not a transform")
            if isinstance(part, FullRotation):
                raise ValueError(
                    f"parts[{k}]={part!r} stands for itself; compose what acts on infinitely many coordinates"
                )
            if isinstance(part, (Identity, Composition)):
                raise ValueError(f"parts[{k}]={part!r} is no factor; leave an Identity out and write out a Composition")
        if not 2 <= len(parts) <= 4:
            raise ValueError(f"parts has {len(parts)} transforms; a composition has two to four")
        object.__setattr__(self, "parts", tuple(parts))
        _conditioned("Composition", self.frame_bounds(), "leave a factor out, or bring its frame bounds together")

    @property
    def factors(self) -> tuple[Factor, ...]:
        return tuple(factor for part in self.parts for factor in part.factors)

    @property
    def unitary(self) -> bool:
        return all(factor.unitary for factor in self.factors)

    @property
    def commutes(self) -> bool:
        return all(factor.commutes for factor in self.factors)

    @property
    def period(self) -> float | None:
        """Period of the one multiplier that oscillates; of several with periods of their own, the longest."""
        return max((p for factor in self.factors if (p := factor.period) is not None), default=None)

    @property
    def head(self) -> int:
        return max(part.head for part in self.parts)

    def frame_bounds(self, size: float = math.inf) -> tuple[float, float]:
        bounds = [factor.frame_bounds(size) for factor in self.factors]
        return math.prod(low for low, _ in bounds), math.prod(high for _, high in bounds)

    def describe(self) -> str:
        return " times ".join(f"[{part.describe()}]" for part in self.parts)


def _conditioned(kind: str, bounds: tuple[float, float], remedy: str) -> None:
    low, high = bounds
    if not low > 0.0 or high > MAX_CONDITION * low * (1.0 + 1e-12):
        raise ValueError(
            f"{kind} has the frame bounds ({low:.4g}, {high:.4g}), a condition number above {MAX_CONDITION:g}; {remedy}"
        )


def _sequence(name: str, value: object) -> tuple[object, ...]:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise ValueError(f"{name}={value!r} must be a sequence")
    return tuple(value)
