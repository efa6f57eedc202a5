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
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, within
from verifier.instances.spectra import PowerLaw, Spectrum, SpectrumDefaults, power_tail, tail_index
from verifier.instances.transforms import PowerDirection

Array = NDArray[np.float64]

MOST_COMPONENTS = 5
LEAST_WEIGHT = 1e-6
DOMINANT = 2.0
"""ln of the ratio to all others at which the heaviest component is said to have taken over."""

FARTHEST_CROSSOVER = 1e5  # in ln i: later than any curve is followed


@dataclass(frozen=True)
class Mixture(SpectrumDefaults, Ingredient):
    r"""Co-diagonal components: all have the same eigenvectors, and :math:`l_i = \sum_k \pi_k l_{ki}`.

    ``weights`` two to five positive numbers that sum to one; ``components`` the spectra :math:`l_k`, over all indices each.
    """

    weights: tuple[float, ...] = (0.5, 0.5)
    components: tuple[Spectrum, ...] = (PowerLaw(2.0), PowerLaw(3.0))

    def __post_init__(self) -> None:
        weights, parts = _checked(self.weights, self.components)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "components", parts)

    @property
    def head(self) -> int:  # type: ignore[override]
        return max(part.head for part in self.components)

    @cached_property
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

    @cached_property
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
        return f"mixture {parts}{_crossover_phrase(self.log_crossover)}"


@dataclass(frozen=True)
class RotatedMixture(Mixture):
    r"""Two components of which the second is turned by Householder's reflection:
    :math:`\Sigma = \pi_1\Lambda_1 + \pi_2 R\Lambda_2 R`, :math:`R = 1 - 2vv^*`, v the ``direction``, a power of the index.

    The eigenvalues of a :class:`Mixture` are here those of the diagonal :math:`\pi_1\Lambda_1 + \pi_2\Lambda_2`, from which
    :math:`\Sigma` differs by an operator of rank two: its i-th eigenvalue lies between the (i + 2)-th and the (i - 2)-th of them
    (Weyl 1912), so that tail index and crossover are the same. The risk is that of the operator (:mod:`verifier.risk.rotated`).
    Targets are given in the eigenbasis of the first component: a function by theta, coefficients by the vector
    :math:`f = \Sigma^{1/2}\theta` that stands for the function in L2.
    """

    direction: PowerDirection = field(default_factory=lambda: PowerDirection(1.0))

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.weights) != 2:
            raise ValueError(f"components={self.components!r} must be two; the second one is turned")
        if not isinstance(self.direction, PowerDirection):
            raise ValueError(
                f"direction={self.direction!r} must be a PowerDirection: turning finitely many axes changes no tail"
            )

    def describe(self) -> str:
        return f"{super().describe()}, the second reflected along {self.direction.describe()}"


@dataclass(frozen=True)
class DisjointMixture(SpectrumDefaults, Ingredient):
    r"""Components on disjoint sets of eigenvectors: the eigenvalues are all the :math:`\pi_k l_{kj}`, merged in decreasing order.

    Components are power laws, :math:`\pi_k l_{kj} = a_k j^{-\beta_k}`, of which :math:`N(l) = \sum_k (a_k/l)^{1/\beta_k}` count the
    values above l up to rounding. The merged sequence is given as the smooth solution of :math:`N(l_i) = i + K - 1`, which is
    within K places of the one with the indices rounded.
    """

    weights: tuple[float, ...] = (0.5, 0.5)
    components: tuple[PowerLaw, ...] = (PowerLaw(2.0), PowerLaw(3.0))

    def __post_init__(self) -> None:
        weights, parts = _checked(self.weights, self.components)
        for k, part in enumerate(parts):
            if not isinstance(part, PowerLaw):
                raise ValueError(
                    f"components[{k}]={part!r} must be a PowerLaw; other spectra are mixed in one eigenbasis only"
                )
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "components", parts)

    @cached_property
    def tail_index(self) -> float:  # type: ignore[override]
        return min(part.beta for part in self.components)

    @property
    def steepest(self) -> float:
        """Largest tail index of a component."""
        return max(part.beta for part in self.components)

    @property
    def _log_scales(self) -> Array:
        pairs = zip(self.weights, self.components, strict=True)
        return np.array([math.log(weight * part.scale) for weight, part in pairs])

    @property
    def assumption_r(self) -> tuple[float, float]:  # type: ignore[override]
        # N(l) is at least the count of the heaviest component, and at most K (a/l)^(1/beta), a the largest a_k >= l.
        beta, count = self.tail_index, float(len(self.weights))
        heavy = max(a for a, part in zip(self._log_scales, self.components, strict=True) if part.beta == beta)
        return math.exp(heavy) * count**-beta, math.exp(float(self._log_scales.max())) * count**beta

    def log_counts(self, log_eigenvalue: Array) -> Array:
        r"""ln of :math:`(a_k/l)^{1/\beta_k}`, the index j of component k at the eigenvalue l, shape (K, \*shape of l)."""
        level = np.asarray(log_eigenvalue, dtype=np.float64)
        return np.stack([(a - level) / part.beta for a, part in zip(self._log_scales, self.components, strict=True)])

    @cached_property
    def log_crossover(self) -> float:
        """Log-index from which on the heaviest tail counts e^2 times as many as all others together; see :class:`Mixture`."""
        heavy = np.array([part.beta == self.tail_index for part in self.components])
        if heavy.all():
            return 0.0

        def leads(level: float) -> bool:
            counts = self.log_counts(np.array(level))
            return bool(np.logaddexp.reduce(counts[heavy]) - np.logaddexp.reduce(counts[~heavy]) > DOMINANT)

        first = float(self.log_eigenvalues(np.zeros(1))[0])
        if leads(first):
            return 0.0
        low, high = first - FARTHEST_CROSSOVER * self.tail_index, first
        if not leads(low):
            return math.inf
        for _ in range(80):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if leads(middle) else (low, middle)
        return float(np.logaddexp.reduce(self.log_counts(np.array(low))))

    def log_eigenvalues(self, log_index: Array) -> Array:
        # Newton's method from the left on ln N - ln(i + K - 1), convex and decreasing in ln l: it converges from below.
        x = np.asarray(log_index, dtype=np.float64)
        wanted = np.logaddexp(x, math.log(len(self.weights) - 1.0))
        inverse = np.array([1.0 / part.beta for part in self.components])
        level = np.max(self._log_scales[:, None] - wanted.ravel() / inverse[:, None], axis=0).reshape(x.shape)
        for _ in range(60):
            counts = self.log_counts(level)
            total = np.logaddexp.reduce(counts)
            slope = np.tensordot(inverse, np.exp(counts - total), axes=1)
            step = (total - wanted) / slope
            level = level + step
            if np.all(np.abs(step) <= 1e-14 * (1.0 + np.abs(level))):
                break
        return np.asarray(level)

    def describe(self) -> str:
        parts = " and ".join(f"{w:g} [{p.describe()}]" for w, p in zip(self.weights, self.components, strict=True))
        return f"disjoint mixture of {parts}{_crossover_phrase(self.log_crossover)}"


def _checked(weights: object, components: object) -> tuple[tuple[float, ...], tuple[Spectrum, ...]]:
    """Weights and components of a mixture, or a ValueError that says what is wrong with them."""
    for name, value in (("weights", weights), ("components", components)):
        # Weights belong to components by their place, so that both need an order.
        if isinstance(value, (str, bytes, Set, Mapping)) or not isinstance(value, Iterable):
            raise ValueError(f"{name}={value!r} must be a sequence, such as a tuple")
    assert isinstance(weights, Iterable)
    assert isinstance(components, Iterable)
    given = tuple(components)
    if any(isinstance(part, (Mixture, DisjointMixture)) for part in given):
        raise ValueError(f"components={given!r} hold a mixture; write its components out")
    parts = tuple(power_tail(f"components[{k}]", part) for k, part in enumerate(given))
    checked = tuple(within(f"weights[{k}]", w, LEAST_WEIGHT, 1.0) for k, w in enumerate(weights))
    if len(checked) != len(parts) or not 2 <= len(parts) <= MOST_COMPONENTS:
        raise ValueError(
            f"weights has {len(checked)} entries and components {len(parts)}; a mixture has two to {MOST_COMPONENTS} of each"
        )
    if abs(math.fsum(checked) - 1.0) > 1e-9:
        raise ValueError(f"weights={checked!r} sum to {math.fsum(checked):.12g}; they are probabilities and sum to 1")
    return checked, parts


def _crossover_phrase(log_crossover: float) -> str:
    if log_crossover == 0.0:
        return ""
    where = (
        f"about i = 10^{log_crossover / math.log(10.0):.0f}" if math.isfinite(log_crossover) else "no index in reach"
    )
    return f", whose heaviest tail leads from {where}"
