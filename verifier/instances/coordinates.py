r"""Samples whose coordinates remember for different times: one autocorrelation per coordinate.

Coordinate i of the inputs, in the eigenbasis of the covariance, is an autoregression of its own: with K correlations
:math:`r_1, \dots, r_K`, the coordinates i = k, k + K, k + 2K, ... have :math:`\rho_i(h) = r_k^{|h|}`. This is the vector
autoregression :math:`x_t = A x_{t-1} + e_t` whose matrix A commutes with the covariance: a diagonal A, and innovations of
covariance :math:`\Sigma - A\Sigma A`. A matrix that couples coordinates cannot keep a covariance of distinct eigenvalues
stationary in its own eigenbasis unless its innovations undo what it mixes (a rotation of two coordinates by an angle needs equal
variances), so power laws have no further example of this kind.

The equivalent of such samples is that of a variance profile (Hachem, Loubaton and Najim 2007): :mod:`verifier.risk.profiles`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import toeplitz

from verifier.instances.dependence import correlation_sum
from verifier.instances.ingredient import Ingredient, within
from verifier.instances.processes import AR1, SHORT_MEMORY, Process, White

Array = NDArray[np.float64]

MOST_CLASSES = 4
"""Most correlations that coordinates may take in turn."""

STRONGEST_OF_CLASS = 0.9
"""Largest absolute correlation at lag one of a coordinate."""


@dataclass(frozen=True)
class PerCoordinate(Ingredient):
    r"""Coordinate i an AR(1) of correlation ``rhos[(i - 1) mod K]``, K <= 4, each in [-.9, .9]; noise of one process of short
    memory, white by default, independent of the inputs.
    """

    rhos: tuple[float, ...] = (0.0,)
    noise: Process = field(default_factory=White)

    def __post_init__(self) -> None:
        if not isinstance(self.rhos, (tuple, list)) or not 1 <= len(self.rhos) <= MOST_CLASSES:
            raise ValueError(f"rhos={self.rhos!r} must be a tuple of 1 to {MOST_CLASSES} correlations")
        limit = STRONGEST_OF_CLASS
        checked = tuple(
            within(
                f"rhos[{k}]", rho, -limit, limit, "each coordinate must forget within the samples that can be simulated"
            )
            for k, rho in enumerate(self.rhos)
        )
        object.__setattr__(self, "rhos", checked)
        if isinstance(self.noise, type) or not isinstance(self.noise, Process):
            raise ValueError(f"noise={self.noise!r} must be a process, for example White() or AR1(rho=0.5)")
        if self.noise.hurst > SHORT_MEMORY:
            raise ValueError(f"noise={self.noise!r} has long memory; beside coordinates of their own it must be short")

    @property
    def classes(self) -> tuple[AR1, ...]:
        """The processes that the coordinates take in turn."""
        return tuple(AR1(rho) for rho in self.rhos)

    def product_sums(self) -> tuple[float, ...]:
        r""":math:`\sum_h \rho_k(h) \rho_\varepsilon(h)` of each class."""
        return tuple(correlation_sum(process, self.noise) for process in self.classes)

    def product_sum(self) -> float:
        """The mean over the classes: each has the same share of a spectrum that falls slowly enough to be smooth."""
        return math.fsum(self.product_sums()) / len(self.rhos)

    def square_sum(self) -> float:
        """The mean over pairs of coordinates."""
        pairs = [correlation_sum(one, other) for one in self.classes for other in self.classes]
        return math.fsum(pairs) / len(pairs)

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> tuple[Array, Array]:
        """Standardised inputs (n, columns), the first column of class 1, and noise of unit variance (n,)."""
        inputs = np.empty((n, columns))
        for k, process in enumerate(self.classes):
            inputs[:, k :: len(self.rhos)] = process.draw(generator, n, len(range(k, columns, len(self.rhos))))
        return inputs, self.noise.draw(generator, n, 1)[:, 0]

    def input_correlations(self, n: int) -> Array:
        """Correlations of a coordinate of each class at n times, shape (K, n, n)."""
        return np.stack([toeplitz(process.autocorrelations(n - 1)) for process in self.classes])

    def input_correlation(self, n: int) -> Array:
        """Their mean over the classes, the correlations of a coordinate drawn at random, shape (n, n)."""
        return np.asarray(self.input_correlations(n).mean(axis=0))

    def noise_correlation(self, n: int) -> Array:
        return np.asarray(toeplitz(self.noise.autocorrelations(n - 1)))

    def describe(self) -> str:
        rhos = ", ".join(f"{rho:g}" for rho in self.rhos)
        return f"samples in sequence: coordinates AR(1) in turn with rho = {rhos}, noise {self.noise.describe()}"
