r"""Mixtures of components, :math:`\Sigma = \sum_k \pi_k \Sigma_k`, and targets that are critical for one of them.

An input comes from component k with probability :math:`\pi_k` and is then :math:`N(0, \Sigma_k)`; the second moment of all
inputs is :math:`\Sigma`. Each component obeys Assumption R, so that beyond all heads its eigenvalues are exact powers,
:math:`l_{ki} = c_k i^{-\beta_k}`; the tail index of the mixture is :math:`\min_k \beta_k` (Weyl 1912), whatever the weights.

*Crossovers.* A small weight hides a heavy tail at first: with two components :math:`\pi_1 c_1 i^{-\beta_1}` overtakes
:math:`\pi_2 c_2 i^{-\beta_2}`, :math:`\beta_1 < \beta_2`, at :math:`i^* = (\pi_2 c_2 / \pi_1 c_1)^{1/(\beta_2 - \beta_1)}`, and
until then every curve follows the lighter tail. ``log_crossover`` is where that ends.

*Carried targets.* A source condition is relative to an operator. A target that is critical, of index s, for one operator (its
``origin``, of tail index :math:`\beta_0`) is carried over to another one, of tail index :math:`\beta` in the same basis, in one
of two ways: by its coefficients :math:`f_i` in L2, or as the same function :math:`\langle\theta, x\rangle`. Its index there is

.. math:: s' = s\,\beta_0/\beta \quad\text{(coefficients)}, \qquad
          s' = \tfrac12 + (s - \tfrac12)\,\beta_0/\beta \quad\text{(function)},

since :math:`f_i^2 \sim i^{-2\beta_0 s - 1}` in the first case, and
:math:`\theta_i^2 \sim i^{-\beta_0(2s - 1) - 1}, f_i^2 = l_i\theta_i^2` in the second. For
:math:`\beta \le \beta_0`, as in a mixture, coefficients never lose smoothness; a function does exactly for s < 1/2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import within
from verifier.instances.spectra import PowerLaw, Spectrum, _Spectrum
from verifier.instances.targets import _Target

Array = NDArray[np.float64]

MOST_COMPONENTS = 5
LEAST_WEIGHT = 1e-6
DOMINANT = 2.0
"""ln of the ratio to all others at which the heaviest component is said to have taken over."""

FARTHEST_CROSSOVER = 1e5  # in ln i: later than any curve is followed


def _power_tail(name: str, spectrum: object) -> Spectrum:
    """The argument, if it is an infinite spectrum whose tail is an exact power."""
    if isinstance(spectrum, type) or not isinstance(spectrum, Spectrum):
        raise ValueError(f"{name}={spectrum!r} is not a spectrum, for example PowerLaw(beta=2.0)")
    if (
        spectrum.assumption_r is None
        or spectrum.period is not None
        or math.isfinite(spectrum.size)
        or isinstance(spectrum, Mixture)
    ):
        raise ValueError(
            f"{name}={spectrum!r} must have an exact power as its tail, such as PowerLaw, BrokenPowerLaw or Spiked"
        )
    return spectrum


@dataclass(frozen=True)
class Mixture(_Spectrum):
    r"""Co-diagonal components: all have the same eigenvectors, and :math:`l_i = \sum_k \pi_k l_{ki}`.

    ``weights`` two to five positive numbers that sum to one; ``components`` the spectra :math:`l_k`, over all indices each.
    """

    weights: tuple[float, ...] = (0.5, 0.5)
    components: tuple[Spectrum, ...] = (PowerLaw(2.0), PowerLaw(3.0))

    def __post_init__(self) -> None:
        for name, value in (("weights", self.weights), ("components", self.components)):
            if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
                raise ValueError(f"{name}={value!r} must be a sequence")
        parts = tuple(_power_tail(f"components[{k}]", part) for k, part in enumerate(self.components))
        weights = tuple(within(f"weights[{k}]", w, LEAST_WEIGHT, 1.0) for k, w in enumerate(self.weights))
        if len(weights) != len(parts) or not 2 <= len(parts) <= MOST_COMPONENTS:
            raise ValueError(
                f"weights has {len(weights)} entries and components {len(parts)}; a mixture has two to {MOST_COMPONENTS} of each"
            )
        if abs(math.fsum(weights) - 1.0) > 1e-9:
            raise ValueError(
                f"weights={weights!r} sum to {math.fsum(weights):.12g}; they are probabilities and sum to 1"
            )
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "components", parts)

    @property
    def head(self) -> int:  # type: ignore[override]
        return max(part.head for part in self.components)

    @property
    def tail_index(self) -> float:  # type: ignore[override]
        return min(_beta(part) for part in self.components)

    @property
    def steepest(self) -> float:
        """Largest tail index of a component: how fast the eigenvalues may fall before the heaviest tail takes over."""
        return max(_beta(part) for part in self.components)

    @property
    def assumption_r(self) -> tuple[float, float]:  # type: ignore[override]
        # l_i i^beta: a lighter component adds at most c2 to the upper constant, and nothing to the lower one.
        low = high = 0.0
        for weight, part in zip(self.weights, self.components, strict=True):
            assert part.assumption_r is not None
            low += weight * part.assumption_r[0] if _beta(part) == self.tail_index else 0.0
            high += weight * part.assumption_r[1]
        return low, high

    @property
    def log_crossover(self) -> float:
        """Log-index from which on the heaviest tail is e^2 times all others together; 0 if it is from the start, and
        infinite where that happens later than any curve is followed.
        """
        start = math.log(self.head + 1.0)
        if self._dominance(0.0) > DOMINANT and self._dominance(start) > DOMINANT:
            return 0.0
        low, high = start, FARTHEST_CROSSOVER
        if self._dominance(high) <= DOMINANT:
            return math.inf
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if self._dominance(middle) > DOMINANT else (middle, high)
        return high

    def _dominance(self, log_index: float) -> float:
        """ln of the heaviest component over the sum of the others."""
        parts = self.log_parts(np.array([log_index]))[:, 0]
        heavy = np.array([_beta(part) == self.tail_index for part in self.components])
        if heavy.all():
            return math.inf
        return float(np.logaddexp.reduce(parts[heavy]) - np.logaddexp.reduce(parts[~heavy]))

    def log_parts(self, log_index: Array) -> Array:
        r"""ln of :math:`\pi_k l_{ki}`, a row for each component, shape (K, \*log_index.shape)."""
        return np.stack(
            [
                math.log(weight) + part.log_eigenvalues(log_index)
                for weight, part in zip(self.weights, self.components, strict=True)
            ]
        )

    def log_eigenvalues(self, log_index: Array) -> Array:
        return np.asarray(np.logaddexp.reduce(self.log_parts(np.asarray(log_index, dtype=np.float64))))

    def describe(self) -> str:
        parts = " + ".join(f"{w:g} [{p.describe()}]" for w, p in zip(self.weights, self.components, strict=True))
        end = self.log_crossover
        if end == 0.0:
            return f"mixture {parts}"
        where = f"about i = 10^{end / math.log(10.0):.0f}" if math.isfinite(end) else "no index in reach"
        return f"mixture {parts}, whose heaviest tail leads from {where}"


def _beta(spectrum: Spectrum) -> float:
    assert spectrum.tail_index is not None
    return spectrum.tail_index


@dataclass(frozen=True)
class _Carried(_Target):
    """Critical, of index s, relative to the covariance with the spectrum ``origin`` in the same eigenbasis."""

    origin: Spectrum = field(default_factory=lambda: PowerLaw(2.0))

    in_ball = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "origin", _power_tail("origin", self.origin))

    @property
    def head(self) -> int:
        return self.origin.head


@dataclass(frozen=True)
class CarriedCoefficients(_Carried):
    r"""The L2 coefficients of a target that is critical for ``origin``: :math:`f_i^2 = R^2 l_{0i}^{2s} / i`."""

    def index_under(self, beta: float) -> float:
        """Index relative to a covariance of tail index beta in the same eigenbasis."""
        return self.l2_index * _beta(self.origin) / beta

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        moved = self.origin.log_eigenvalues(log_index) - log_eigenvalue
        return 2.0 * math.log(self.norm) - log_index + 2.0 * self.l2_index * moved

    def _phrase(self) -> str:
        return f"the L2 coefficients of a critical target under {self.origin.describe()}"


@dataclass(frozen=True)
class CarriedFunction(_Carried):
    r"""A function :math:`\langle\theta, x\rangle` that is critical for ``origin``: :math:`\theta_i^2 = R^2 l_{0i}^{2s-1} / i`."""

    def index_under(self, beta: float) -> float:
        """Index relative to a covariance of tail index beta in the same eigenbasis; not positive outside L2."""
        return 0.5 + (self.l2_index - 0.5) * _beta(self.origin) / beta

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        moved = self.origin.log_eigenvalues(log_index) - log_eigenvalue
        return 2.0 * math.log(self.norm) - log_index + (2.0 * self.l2_index - 1.0) * moved

    def _phrase(self) -> str:
        return f"the function that is critical under {self.origin.describe()}"
