r"""Mixtures of components, :math:`\Sigma = \sum_k \pi_k \Sigma_k`.

An input comes from component k with probability :math:`\pi_k` and is then :math:`N(0, \Sigma_k)`; the second moment of all
inputs is :math:`\Sigma`. Each component obeys Assumption R, so that beyond all heads its eigenvalues are exact powers,
:math:`l_{ki} = c_k i^{-\beta_k}`; the tail index of the mixture is :math:`\min_k \beta_k` (Weyl 1912), whatever the weights.

*Crossovers.* A small weight hides a heavy tail at first: with two components :math:`\pi_1 c_1 i^{-\beta_1}` overtakes
:math:`\pi_2 c_2 i^{-\beta_2}`, :math:`\beta_1 < \beta_2`, at :math:`i^* = (\pi_2 c_2 / \pi_1 c_1)^{1/(\beta_2 - \beta_1)}`, and
until then every curve follows the lighter tail. ``log_crossover`` is where that ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import within
from verifier.instances.spectra import PowerLaw, Spectrum, _Spectrum, power_tail, tail_index

Array = NDArray[np.float64]

MOST_COMPONENTS = 5
LEAST_WEIGHT = 1e-6
DOMINANT = 2.0
"""ln of the ratio to all others at which the heaviest component is said to have taken over."""

FARTHEST_CROSSOVER = 1e5  # in ln i: later than any curve is followed


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
        parts = tuple(power_tail(f"components[{k}]", part) for k, part in enumerate(self.components))
        if any(isinstance(part, Mixture) for part in parts):
            raise ValueError(f"components={self.components!r} hold a mixture; write its components out")
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
        return min(tail_index(part) for part in self.components)

    @property
    def steepest(self) -> float:
        """Largest tail index of a component: how fast the eigenvalues may fall before the heaviest tail takes over."""
        return max(tail_index(part) for part in self.components)

    @property
    def assumption_r(self) -> tuple[float, float]:  # type: ignore[override]
        # l_i i^beta: a lighter component adds at most c2 to the upper constant, and nothing to the lower one.
        low = high = 0.0
        for weight, part in zip(self.weights, self.components, strict=True):
            assert part.assumption_r is not None
            low += weight * part.assumption_r[0] if tail_index(part) == self.tail_index else 0.0
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
        heavy = np.array([tail_index(part) == self.tail_index for part in self.components])
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
