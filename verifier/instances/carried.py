r"""Targets that are critical for one covariance, carried over to another one.

A source condition is relative to an operator. A target that is critical, of index s, for one operator (its
``origin``, of tail index :math:`\beta_0`) is carried over to another one, of tail index :math:`\beta` in the same basis, in one
of two ways: by its coefficients :math:`f_i` in L2, or as the same function :math:`\langle\theta, x\rangle`. Its index there is

.. math:: s' = s\,\beta_0/\beta \quad\text{(coefficients)}, \qquad
          s' = \tfrac12 + (s - \tfrac12)\,\beta_0/\beta \quad\text{(function)},

since :math:`f_i^2 \sim i^{-2\beta_0 s - 1}` in the first case, and
:math:`\theta_i^2 \sim i^{-\beta_0(2s - 1) - 1}, f_i^2 = l_i\theta_i^2` in the second. For
:math:`\beta \le \beta_0`, as in a mixture, coefficients never lose smoothness; a function does exactly for s < 1/2. For
:math:`\beta > \beta_0`, as after a reduction of redundancy, coefficients do, and a function exactly for s > 1/2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, whole
from verifier.instances.mixtures import DisjointMixture
from verifier.instances.spectra import PowerLaw, Spectrum, power_tail, tail_index
from verifier.instances.targets import DeclaredTarget

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Carried(DeclaredTarget):
    """Critical, of index s, relative to the covariance with the spectrum ``origin`` in the same eigenbasis."""

    origin: Spectrum = field(default_factory=lambda: PowerLaw(2.0))

    in_ball = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "origin", power_tail("origin", self.origin))

    @property
    def head(self) -> int:
        return self.origin.head


@dataclass(frozen=True)
class CarriedCoefficients(_Carried, Ingredient):
    r"""The L2 coefficients of a target that is critical for ``origin``: :math:`f_i^2 = R^2 l_{0i}^{2s} / i`."""

    def index_under(self, beta: float) -> float:
        """Index relative to a covariance of tail index beta in the same eigenbasis."""
        return self.l2_index * tail_index(self.origin) / beta

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        moved = self.origin.log_eigenvalues(log_index) - log_eigenvalue
        return 2.0 * math.log(self.norm) - log_index + 2.0 * self.l2_index * moved

    def _phrase(self) -> str:
        return f"the L2 coefficients of a critical target under {self.origin.describe()}"


@dataclass(frozen=True)
class CarriedFunction(_Carried, Ingredient):
    r"""A function :math:`\langle\theta, x\rangle` that is critical for ``origin``: :math:`\theta_i^2 = R^2 l_{0i}^{2s-1} / i`."""

    def index_under(self, beta: float) -> float:
        """Index relative to a covariance of tail index beta in the same eigenbasis; not positive outside L2."""
        return 0.5 + (self.l2_index - 0.5) * tail_index(self.origin) / beta

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        moved = self.origin.log_eigenvalues(log_index) - log_eigenvalue
        return 2.0 * math.log(self.norm) - log_index + (2.0 * self.l2_index - 1.0) * moved

    def _phrase(self) -> str:
        return f"the function that is critical under {self.origin.describe()}"


@dataclass(frozen=True)
class ComponentTarget(DeclaredTarget, Ingredient):
    r"""A target on the eigenvectors of one component of a :class:`DisjointMixture`, critical for that component:
    :math:`f_j^2 = R^2 l_{kj}^{2s} / (1 + j)` at the j-th of them, nothing on the others.

    Operators on disjoint eigenvectors act separately, so that s relative to the component is s relative to the mixture. On the
    smooth merge, index i stands for the dj/di eigenvectors of the component that there are to one of the mixture.
    ``mixture`` is that of the instance, ``component`` counts from 1.
    """

    mixture: DisjointMixture = field(default_factory=DisjointMixture)
    component: int = 1

    in_ball = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.mixture, DisjointMixture):
            raise ValueError(f"mixture={self.mixture!r} must be a DisjointMixture")
        object.__setattr__(self, "component", whole("component", self.component, 1, len(self.mixture.weights)))

    def index_under(self, beta: float) -> float:
        """Index relative to the mixture, whatever its tail index."""
        return self.l2_index

    def log_energy(self, log_index: Array, log_eigenvalue: Array) -> Array:
        counts = self.mixture.log_counts(log_eigenvalue)
        weight, own = self.mixture.weights[self.component - 1], counts[self.component - 1]
        spread = np.array([math.log(part.beta) for part in self.mixture.components])
        rate = np.logaddexp.reduce(counts - spread.reshape(-1, *[1] * (counts.ndim - 1)))  # ln sum_m N_m / beta_m
        per_index = own - math.log(self.mixture.components[self.component - 1].beta) - rate  # ln dj/di
        shrunk = per_index - np.logaddexp(0.0, own)
        return np.asarray(2.0 * math.log(self.norm) - 2.0 * self.l2_index * math.log(weight) + shrunk)

    def _phrase(self) -> str:
        return f"critical target of component {self.component}"
