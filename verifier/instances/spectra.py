r"""Covariance spectra :math:`l_1 \ge l_2 \ge \dots > 0`, given as functions of a real log-index.

Every spectrum answers ``log_eigenvalues(log_index)``, the natural logarithm of :math:`l_i` at :math:`\ln i`, for real
indices too, because sums over infinitely many eigenvalues are evaluated as integrals in :math:`\ln i`
(:mod:`verifier.risk.quadrature`). The other attributes say where that function is not smooth (``head``), how it decays
(``tail_index``), whether it oscillates (``period``), how many eigenvalues there are (``size``) and whether Assumption R
of the audited paper holds, :math:`c_1 i^{-\beta} \le l_i \le c_2 i^{-\beta}` for all :math:`i` (``assumption_r``).

An object of another package with these methods and attributes is a spectrum as well; no subclassing is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, exponent, positive, real, whole, within

Array = NDArray[np.float64]

MAX_HEAD = 4096
"""Largest index at which a spectrum or target may still be irregular: up to there sums are taken term by term."""


@runtime_checkable
class Spectrum(Protocol):
    """What the harness asks of a spectrum."""

    @property
    def size(self) -> float:
        """Number of eigenvalues, ``math.inf`` for an infinite spectrum."""

    @property
    def head(self) -> int:
        """Beyond this index ``log_eigenvalues`` is a smooth function of the log-index."""

    @property
    def tail_index(self) -> float | None:
        """Tail index beta, or None where the decay is not polynomial."""

    @property
    def period(self) -> float | None:
        """Period in the log-index of the bounded factor, None where there is no oscillation."""

    @property
    def assumption_r(self) -> tuple[float, float] | None:
        """Constants (c1, c2) of Assumption R, None where it does not hold."""

    def log_eigenvalues(self, log_index: Array) -> Array:
        """Natural logarithm of the eigenvalue at each real log-index (any shape)."""

    def describe(self) -> str:
        """One phrase for people."""


class SpectrumDefaults:
    """Defaults of an infinite spectrum that is smooth from the first eigenvalue on."""

    size: float = math.inf
    head: int = 1
    tail_index: float | None = None
    period: float | None = None
    gap: float = 0.0
    """ln of the ratio of one eigenvalue to the next, where it does not tend to zero."""
    assumption_r: tuple[float, float] | None = None

    def log_eigenvalues(self, log_index: Array) -> Array:
        raise NotImplementedError


def _tail_index(beta: object) -> float:
    return exponent("beta", beta, 1.0, "the spectrum must be summable (trace class)")


@dataclass(frozen=True)
class PowerLaw(SpectrumDefaults, Ingredient):
    r""":math:`l_i = c\, i^{-\beta}`: Assumption R with :math:`c_1 = c_2 = c` (``scale``)."""

    beta: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", _tail_index(self.beta))
        object.__setattr__(self, "scale", positive("scale", self.scale))

    @property
    def tail_index(self) -> float:  # type: ignore[override]
        return self.beta

    @property
    def assumption_r(self) -> tuple[float, float]:  # type: ignore[override]
        return self.scale, self.scale

    def log_eigenvalues(self, log_index: Array) -> Array:
        return math.log(self.scale) - self.beta * log_index

    def describe(self) -> str:
        factor = "" if self.scale == 1.0 else f"{self.scale:g} "
        return f"l_i = {factor}i^-{self.beta:g}"


@dataclass(frozen=True)
class BrokenPowerLaw(SpectrumDefaults, Ingredient):
    r""":math:`l_i = i^{-b}` up to the knee :math:`k`, then :math:`l_i = k^{\beta - b} i^{-\beta}`.

    The head index :math:`b` (``head_beta``) may be any positive number up to 50; the tail index is beta.
    """

    beta: float
    head_beta: float
    knee: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", _tail_index(self.beta))
        object.__setattr__(self, "head_beta", exponent("head_beta", self.head_beta, 0.0))
        object.__setattr__(self, "knee", whole("knee", self.knee, 1, MAX_HEAD))

    @property
    def head(self) -> int:  # type: ignore[override]
        return self.knee

    @property
    def tail_index(self) -> float:  # type: ignore[override]
        return self.beta

    @property
    def assumption_r(self) -> tuple[float, float]:  # type: ignore[override]
        # i^(beta - b) is monotone between its values at 1 and at the knee, and constant from there on.
        edge = self.knee ** (self.beta - self.head_beta)
        return min(1.0, edge), max(1.0, edge)

    def log_eigenvalues(self, log_index: Array) -> Array:
        knee = math.log(self.knee)
        return -self.head_beta * np.minimum(log_index, knee) - self.beta * np.maximum(log_index - knee, 0.0)

    def describe(self) -> str:
        return f"l_i ~ i^-{self.head_beta:g} up to i = {self.knee}, then i^-{self.beta:g}"


@dataclass(frozen=True)
class LogCorrected(SpectrumDefaults, Ingredient):
    r""":math:`l_i = i^{-\beta} (1 + \ln i / 4)^{p}`: regularly varying with index :math:`-\beta`, outside Assumption R
    unless :math:`p = 0`. The power is limited to :math:`p \le 4\beta` so that the sequence decreases.
    """

    beta: float
    power: float

    def __post_init__(self) -> None:
        beta = _tail_index(self.beta)
        object.__setattr__(self, "beta", beta)
        object.__setattr__(
            self,
            "power",
            within("power", self.power, -4.0 * beta, 4.0 * beta, "the eigenvalues must decrease"),
        )

    @property
    def tail_index(self) -> float:  # type: ignore[override]
        return self.beta

    @property
    def assumption_r(self) -> tuple[float, float] | None:  # type: ignore[override]
        return (1.0, 1.0) if self.power == 0.0 else None

    def log_eigenvalues(self, log_index: Array) -> Array:
        return self.power * np.log1p(0.25 * log_index) - self.beta * log_index

    def describe(self) -> str:
        return f"l_i = i^-{self.beta:g} (1 + ln(i)/4)^{self.power:g}"


@dataclass(frozen=True)
class LogPeriodic(SpectrumDefaults, Ingredient):
    r""":math:`l_i = i^{-\beta} e^{a \cos(\omega \ln i)}`: inside Assumption R with
    :math:`c_1 = e^{-a}, c_2 = e^{a}`, but never straight on log-log axes.

    ``amplitude`` is :math:`a \ge 0`, ``frequency`` is :math:`\omega > 0`, and :math:`a\,\omega \le \beta` keeps the
    sequence decreasing.
    """

    beta: float
    amplitude: float
    frequency: float

    def __post_init__(self) -> None:
        beta = _tail_index(self.beta)
        omega = within("frequency", self.frequency, 1e-3, 20.0)
        object.__setattr__(self, "beta", beta)
        object.__setattr__(self, "frequency", omega)
        limit = beta / omega * (1.0 + 1e-12)  # a short decimal at the limit may round to just above it
        amplitude = within("amplitude", self.amplitude, 0.0, limit, "amplitude * frequency may not exceed beta")
        object.__setattr__(self, "amplitude", amplitude)

    @property
    def tail_index(self) -> float:  # type: ignore[override]
        return self.beta

    @property
    def period(self) -> float | None:  # type: ignore[override]
        return 2.0 * math.pi / self.frequency if self.amplitude > 0.0 else None

    @property
    def assumption_r(self) -> tuple[float, float]:  # type: ignore[override]
        return math.exp(-self.amplitude), math.exp(self.amplitude)

    def log_eigenvalues(self, log_index: Array) -> Array:
        return self.amplitude * np.cos(self.frequency * log_index) - self.beta * log_index

    def describe(self) -> str:
        return f"l_i = i^-{self.beta:g} exp({self.amplitude:g} cos({self.frequency:g} ln i))"


@dataclass(frozen=True)
class Exponential(SpectrumDefaults, Ingredient):
    r""":math:`l_i = e^{-r(i-1)}`: trace class, no polynomial tail."""

    rate: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", within("rate", self.rate, 0.2, 50.0))

    @property
    def gap(self) -> float:  # type: ignore[override]
        return self.rate

    @property
    def head(self) -> int:  # type: ignore[override]
        # Every eigenvalue that a double can hold is summed term by term.
        return min(MAX_HEAD, int(700.0 / self.rate) + 1)

    @property
    def size(self) -> float:  # type: ignore[override]
        # Beyond exp(-700) an eigenvalue is below the smallest normal double: it contributes nothing to any sum.
        return float(self.head)

    def log_eigenvalues(self, log_index: Array) -> Array:
        return -self.rate * np.expm1(log_index)

    def describe(self) -> str:
        return f"l_i = exp(-{self.rate:g} (i - 1))"


@dataclass(frozen=True)
class Spiked(SpectrumDefaults, Ingredient):
    r""":math:`l_i = h\, i^{-\beta}` for the first ``spikes`` eigenvalues, :math:`i^{-\beta}` after them
    (``height`` :math:`h \ge 1`): Assumption R with :math:`c_1 = 1, c_2 = h`.
    """

    beta: float
    spikes: int
    height: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", _tail_index(self.beta))
        object.__setattr__(self, "spikes", whole("spikes", self.spikes, 1, MAX_HEAD))
        object.__setattr__(self, "height", within("height", self.height, 1.0, 1e6))

    @property
    def head(self) -> int:  # type: ignore[override]
        return self.spikes

    @property
    def tail_index(self) -> float:  # type: ignore[override]
        return self.beta

    @property
    def assumption_r(self) -> tuple[float, float]:  # type: ignore[override]
        return 1.0, self.height

    def log_eigenvalues(self, log_index: Array) -> Array:
        lifted = log_index <= math.log(self.spikes + 0.5)
        return np.where(lifted, math.log(self.height), 0.0) - self.beta * log_index

    def describe(self) -> str:
        return f"l_i = i^-{self.beta:g}, the first {self.spikes} times {self.height:g}"


@dataclass(frozen=True)
class Finite(SpectrumDefaults, Ingredient):
    """Finitely many eigenvalues, written out in decreasing order."""

    eigenvalues: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        try:
            values = tuple(self.eigenvalues)
        except TypeError:
            raise ValueError(f"eigenvalues={self.eigenvalues!r} must be a sequence of positive numbers") from None
        if not values:
            raise ValueError("eigenvalues=() is empty; give at least one positive number")
        if len(values) > MAX_HEAD:
            raise ValueError(
                f"eigenvalues has {len(values)} entries; above {MAX_HEAD} use Truncated(PowerLaw(...), size)"
            )
        checked = tuple(positive(f"eigenvalues[{i}]", value, 1e-300) for i, value in enumerate(values))
        for i in range(1, len(checked)):
            if checked[i] > checked[i - 1]:
                raise ValueError(
                    f"eigenvalues[{i}]={checked[i]!r} exceeds eigenvalues[{i - 1}]={checked[i - 1]!r}; sort them in "
                    "decreasing order"
                )
        object.__setattr__(self, "eigenvalues", checked)

    @property
    def size(self) -> float:  # type: ignore[override]
        return float(len(self.eigenvalues))

    @property
    def head(self) -> int:  # type: ignore[override]
        return len(self.eigenvalues)

    def log_eigenvalues(self, log_index: Array) -> Array:
        index = np.rint(np.exp(log_index)).astype(np.int64) - 1
        return np.asarray(np.log(np.asarray(self.eigenvalues))[index], dtype=np.float64)

    def describe(self) -> str:
        shown = ", ".join(f"{value:g}" for value in self.eigenvalues[:6])
        rest = f", ... {len(self.eigenvalues)} in all" if len(self.eigenvalues) > 6 else ""
        noun = "one eigenvalue" if len(self.eigenvalues) == 1 else "eigenvalues"
        return f"{noun} {shown}{rest}"


@dataclass(frozen=True)
class Truncated(SpectrumDefaults, Ingredient):
    """The first ``size`` eigenvalues of another spectrum.

    ``inverse_index=True`` gives the reading R-alt of claims about power laws, eigenvalues i^(-1/beta), which is not
    summable and therefore exists for finite ``size`` only.
    """

    spectrum: PowerLaw
    size: int
    inverse_index: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.spectrum, PowerLaw):
            raise ValueError(f"spectrum={self.spectrum!r} must be a PowerLaw; other spectra have no finite form")
        object.__setattr__(self, "size", whole("size", self.size, 1, 10**9))
        if not isinstance(self.inverse_index, bool):
            raise ValueError(f"inverse_index={self.inverse_index!r} must be true or false")

    @property
    def decay(self) -> float:
        """Exponent d of l_i = c i^-d: beta, or 1/beta under R-alt."""
        return 1.0 / self.spectrum.beta if self.inverse_index else self.spectrum.beta

    def log_eigenvalues(self, log_index: Array) -> Array:
        return math.log(self.spectrum.scale) - self.decay * log_index

    def describe(self) -> str:
        if self.inverse_index:
            return f"l_i = i^(-1/{self.spectrum.beta:g}), i <= {self.size}"
        return f"{self.spectrum.describe()}, i <= {self.size}"


def eigenvalues(spectrum: Spectrum, count: int) -> Array:
    """The first ``count`` eigenvalues as an array of shape (count,), fewer where the spectrum has fewer."""
    count = int(min(whole("count", count, 1), spectrum.size))
    return np.asarray(np.exp(spectrum.log_eigenvalues(np.log(np.arange(1.0, count + 1.0)))), dtype=np.float64)


def log_index_at(spectrum: Spectrum, log_level: Array, steps: int = 60) -> Array:
    """Largest real log-index at which the eigenvalue is still at least exp(log_level), by bisection; 0 where none is.

    Assumes that ``log_eigenvalues`` decreases, as it must. Resolution: 690 / 2^steps.
    """
    levels = np.asarray(log_level, dtype=np.float64)
    low, high = np.zeros_like(levels), np.full_like(levels, min(690.0, math.log(spectrum.size)))
    for _ in range(steps):
        middle = 0.5 * (low + high)
        above = spectrum.log_eigenvalues(middle) >= levels
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return low


def tail_index(spectrum: Spectrum) -> float:
    """Tail index beta of a spectrum that has one; under a truncation, that of the law which was cut."""
    beta = spectrum.spectrum.beta if isinstance(spectrum, Truncated) else spectrum.tail_index
    if beta is None:
        raise ValueError(f"{spectrum.describe()} has no polynomial tail; the exponent is not defined for it")
    return real("tail_index", beta)


def power_tail(name: str, spectrum: object) -> Spectrum:
    """The argument, if it is an infinite spectrum that is one power of the index beyond its head, without oscillation."""
    if isinstance(spectrum, type) or not isinstance(spectrum, Spectrum):
        raise ValueError(f"{name}={spectrum!r} is not a spectrum, for example PowerLaw(beta=2.0)")
    if hasattr(spectrum, "log_crossover"):
        # What is built on it knows of heads, not of crossovers: its curves would be followed to the wrong tail.
        raise ValueError(f"{name}={spectrum!r} is a mixture; give one of its components")
    if spectrum.assumption_r is None or spectrum.period is not None or math.isfinite(spectrum.size):
        raise ValueError(
            f"{name}={spectrum!r} must have a power of the index as its tail, such as PowerLaw, BrokenPowerLaw or Spiked"
        )
    return spectrum
