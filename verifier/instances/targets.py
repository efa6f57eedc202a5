r"""Targets: the L2 coefficients :math:`f_i = l_i^{s'} g_i` of :math:`f^* = \sum_i f_i e_i`, with
:math:`s' = s` when the source condition is read in L2 and :math:`s' = s + 1/2` when it is read in the RKHS norm (``S-H``).

A target declares the index ``s`` and satisfies it: :math:`\sum_i g_i^2 < \infty` puts it in the ball S-L2; tails
:math:`\sum_{j \ge k} f_j^2 \lesssim k^{-2\beta s'}` put it in the larger class S-tail. ``norm`` is the constant R.

For the risk only :math:`g_i^2` matters. A target gives its logarithm as a function of the real log-index
(``log_energy``, smooth beyond ``head``), or lists the finitely or geometrically spaced indices where it lives
(``support``). An object of another package with these methods is a target as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, exponent, positive, whole, within
from verifier.instances.spectra import MAX_HEAD

Array = NDArray[np.float64]

RANDOM_COORDINATES = 256


@runtime_checkable
class Target(Protocol):
    """What the harness asks of a target."""

    @property
    def s(self) -> float:
        """The declared source index."""

    @property
    def norm(self) -> float:
        """The constant R of the source condition."""

    @property
    def l2_index(self) -> float:
        """The index s' in the L2 basis."""

    @property
    def source(self) -> str:
        """Smallest class that holds the target: "S-L2", "S-tail" or "S-H"."""

    @property
    def head(self) -> int:
        """Beyond this index ``log_energy`` is smooth."""

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        """ln g_i^2 at real log-indices, given the log-eigenvalues there."""

    def support(self, log_index_max: float) -> Array | None:
        """Log-indices where the target lives, or None when it lives everywhere."""

    def describe(self) -> str:
        """One phrase for people."""


@dataclass(frozen=True)
class DeclaredTarget:
    """The declared index, the radius and the norm in which the source condition is read."""

    s: float
    norm: float = 1.0
    source_norm: str = "L2"

    in_ball = True  # not a field: whether sum g_i^2 is finite
    supremum = False  # not a field: whether the bias is a supremum over a class instead of one target's

    def __post_init__(self) -> None:
        object.__setattr__(self, "s", exponent("s", self.s, 0.0, "the source index is a smoothness"))
        object.__setattr__(self, "norm", positive("norm", self.norm))
        if self.source_norm not in ("L2", "RKHS"):
            raise ValueError(f"source_norm={self.source_norm!r} must be 'L2' or 'RKHS'")

    @property
    def l2_index(self) -> float:
        return self.s + 0.5 if self.source_norm == "RKHS" else self.s

    @property
    def source(self) -> str:
        if self.source_norm == "RKHS":
            return "S-H"
        return "S-L2" if self.in_ball else "S-tail"

    @property
    def head(self) -> int:
        return 1

    def support(self, log_index_max: float) -> Array | None:
        return None

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        raise NotImplementedError

    def describe(self) -> str:
        norm = "" if self.norm == 1.0 else f", R = {self.norm:g}"
        rkhs = " in the RKHS norm" if self.source_norm == "RKHS" else ""
        return f"{self._phrase()}, s = {self.s:g}{rkhs}{norm}"

    def _phrase(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class CriticalTarget(DeclaredTarget, Ingredient):
    r""":math:`g_i^2 = R^2 / i`, so :math:`f_i^2 = R^2 i^{-(2\beta s' + 1)}` on a power law: index exactly s, at the edge
    of S-L2, inside S-tail.
    """

    in_ball = False

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        return 2.0 * math.log(self.norm) - log_index

    def _phrase(self) -> str:
        return "critical target"


@dataclass(frozen=True)
class SmootherTarget(DeclaredTarget, Ingredient):
    r""":math:`g_i^2 = R^2 l_i^{2\delta} / i`: declared index s, true index :math:`s' + \delta` (``excess``)."""

    excess: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "excess", exponent("excess", self.excess, 0.0, "use CriticalTarget for none"))

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        return 2.0 * math.log(self.norm) - log_index + 2.0 * self.excess * log_eigenvalue

    def _phrase(self) -> str:
        return f"target smoother than declared by {self.excess:g}"


@dataclass(frozen=True)
class SingleEigenfunction(DeclaredTarget, Ingredient):
    r""":math:`g_j = R` at one index j, zero elsewhere: in every source class, of any smoothness."""

    index: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "index", whole("index", self.index, 1, MAX_HEAD))

    @property
    def head(self) -> int:
        return self.index

    def support(self, log_index_max: float) -> Array:
        return np.array([math.log(self.index)])

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        return np.full_like(log_index, 2.0 * math.log(self.norm))

    def _phrase(self) -> str:
        return f"single eigenfunction i = {self.index}"


@dataclass(frozen=True)
class ExponentialTarget(DeclaredTarget, Ingredient):
    r""":math:`g_i^2 = R^2 (1 - e^{-r}) e^{-r(i-1)}`: norm exactly R, smoother than any power."""

    rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "rate", within("rate", self.rate, 0.2, 50.0))

    def support(self, log_index_max: float) -> Array:
        # Beyond exp(-700) the energy is below the smallest normal double.
        return np.asarray(np.log(np.arange(1.0, min(MAX_HEAD, int(700.0 / self.rate) + 1) + 1.0)), dtype=np.float64)

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        start = 2.0 * math.log(self.norm) + math.log(-math.expm1(-self.rate))
        return start - self.rate * np.expm1(log_index)

    def _phrase(self) -> str:
        return f"exponential target, rate {self.rate:g}"


@dataclass(frozen=True)
class RandomTarget(DeclaredTarget, Ingredient):
    r""":math:`g_i^2 = R^2 z_i^2 l_i^{2\delta} / i` with standard normal :math:`z_i` for the first 256 coordinates and
    their mean square 1 beyond, a random element of S-L2 (``excess`` :math:`\delta > 0`).

    The normals come from the generator keyed by ``seed``. Beyond the 256th coordinate :math:`z_i^2` averages out in
    every sum that the risk takes; the target is *defined* with its mean there, so no approximation is made.
    """

    seed: int = 0
    excess: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "seed", whole("seed", self.seed, 0, 2**32 - 1))
        object.__setattr__(self, "excess", exponent("excess", self.excess, 0.0, "the target must lie in the ball"))

    @property
    def head(self) -> int:
        return RANDOM_COORDINATES

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        generator = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(RANDOM_COORDINATES,)))
        log_square = np.log(generator.standard_normal(RANDOM_COORDINATES) ** 2)
        index = np.rint(np.exp(np.minimum(log_index, 20.0))).astype(np.int64)
        inside = index <= RANDOM_COORDINATES
        jitter = np.where(inside, log_square[np.minimum(index, RANDOM_COORDINATES) - 1], 0.0)
        return 2.0 * math.log(self.norm) - log_index + 2.0 * self.excess * log_eigenvalue + jitter

    def _phrase(self) -> str:
        return f"random target (seed {self.seed}) in the l2 ball, decay {self.excess:g}"


@dataclass(frozen=True)
class LacunaryTarget(DeclaredTarget, Ingredient):
    r""":math:`g_i^2 = R^2` at :math:`i = 1, r, r^2, \dots` (rounded; ``ratio`` r >= 2), zero elsewhere: in S-tail, with a
    learning curve that has steps for ever.
    """

    ratio: float = 2.0

    in_ball = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "ratio", within("ratio", self.ratio, 2.0, 100.0))

    @property
    def period(self) -> float:
        """Period of the steps in the log-index."""
        return math.log(self.ratio)

    def support(self, log_index_max: float) -> Array:
        powers = math.log(self.ratio) * np.arange(int(log_index_max / math.log(self.ratio)) + 1)
        small = powers < 30.0
        return np.where(small, np.log(np.rint(np.exp(np.where(small, powers, 0.0)))), powers)

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        return np.full_like(log_index, 2.0 * math.log(self.norm))

    def _phrase(self) -> str:
        return f"lacunary target, indices in ratio {self.ratio:g}"


@dataclass(frozen=True)
class BallTarget(DeclaredTarget, Ingredient):
    r"""Not one target but the worst of the ball :math:`\{f_i = l_i^{s'} g_i, \sum g_i^2 \le R^2\}` at every ridge.

    The bias of ridge is linear in :math:`g_i^2`, so its supremum over the ball sits on one eigenfunction:
    :math:`\sup_i R^2 l_i^{2s'} (\kappa/(l_i + \kappa))^2`, at :math:`l_i \approx \kappa s'/(1 - s')` for
    :math:`s' < 1` and at the first eigenfunction for :math:`s' \ge 1`.
    """

    supremum = True

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        return np.full_like(log_index, 2.0 * math.log(self.norm))

    def _phrase(self) -> str:
        return "worst target of the l2 ball"
