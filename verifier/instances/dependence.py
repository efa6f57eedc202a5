r"""Dependence: the joint law of a sample's inputs and noise over time, where it is not that of independent samples.

Two kinds. ``Dependent`` is separable: :math:`X = C^{1/2} Z \Sigma^{1/2}` with Z of iid standard normal entries and C the
correlation matrix of one process that all coordinates share, and noise :math:`\sigma C_\varepsilon^{1/2} w` of another
process, independent of the inputs. ``Repeated`` cuts time into runs: the input is the same within a run, and so is the noise
or it is not. The risk is that on a fresh input of the stationary law in every case.

What decides the learning curve at leading order is :math:`\sum_h \rho_x(h) \rho_\varepsilon(h)`, the long-run variance of the
products of inputs and noise (their covariance at lag h is the product, Sigma apart; within repeated runs it is P(same run)):
``product_sum``. It is one as soon as either is white, and infinite where the memory of both together is long,
:math:`H_x + H_\varepsilon \ge 3/2`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import toeplitz
from scipy.special import zeta

from verifier.instances.ingredient import Ingredient
from verifier.instances.processes import (
    AR1,
    SHORT_MEMORY,
    FractionalNoise,
    MovingAverage,
    Process,
    Runs,
    White,
)

Array = NDArray[np.float64]


@runtime_checkable
class Dependence(Protocol):
    """What the harness asks of a dependence."""

    def product_sum(self) -> float:
        """Long-run variance of the products of inputs and noise, one for independent samples; infinite where it diverges."""

    def square_sum(self) -> float:
        """The same of the products of two coordinates of the inputs."""

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> tuple[Array, Array]:
        """Standardised inputs (n, columns) and noise of unit variance (n,), from ``generator`` alone."""

    def input_correlation(self, n: int) -> Array:
        """Correlations of one coordinate of the inputs at n times, shape (n, n)."""

    def noise_correlation(self, n: int) -> Array:
        """Correlations of the noise at n times, shape (n, n)."""

    def describe(self) -> str:
        """One phrase for people."""


@dataclass(frozen=True)
class Dependent(Ingredient):
    """Inputs of one process in every coordinate, noise of another, independent of them; each is white by default."""

    inputs: Process = field(default_factory=White)
    noise: Process = field(default_factory=White)

    def __post_init__(self) -> None:
        for name, value in (("inputs", self.inputs), ("noise", self.noise)):
            if isinstance(value, type) or not isinstance(value, Process):
                raise ValueError(f"{name}={value!r} must be a process, for example White() or AR1(rho=0.5)")

    def product_sum(self) -> float:
        return correlation_sum(self.inputs, self.noise)

    def square_sum(self) -> float:
        return correlation_sum(self.inputs, self.inputs)

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> tuple[Array, Array]:
        inputs = self.inputs.draw(generator, n, columns)
        return inputs, self.noise.draw(generator, n, 1)[:, 0]

    def input_correlation(self, n: int) -> Array:
        return np.asarray(toeplitz(self.inputs.autocorrelations(n - 1)))

    def noise_correlation(self, n: int) -> Array:
        return np.asarray(toeplitz(self.noise.autocorrelations(n - 1)))

    def describe(self) -> str:
        return f"samples in sequence: inputs {self.inputs.describe()}, noise {self.noise.describe()}"


@dataclass(frozen=True)
class Independent(Ingredient):
    """Independent samples: what is omitted."""

    inputs = White()  # not fields
    noise = White()

    def product_sum(self) -> float:
        return 1.0

    def square_sum(self) -> float:
        return 1.0

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> tuple[Array, Array]:
        return generator.standard_normal((n, columns)), generator.standard_normal(n)

    def input_correlation(self, n: int) -> Array:
        return np.eye(n)

    def noise_correlation(self, n: int) -> Array:
        return np.eye(n)

    def describe(self) -> str:
        return "independent samples"


FRESH, REPEATED = "fresh", "repeated"


@dataclass(frozen=True)
class Repeated(Ingredient):
    """The same input throughout a run; the noise ``"fresh"`` at every time, or ``"repeated"`` with the input."""

    runs: Runs
    noise: str = FRESH

    def __post_init__(self) -> None:
        if isinstance(self.runs, type) or not isinstance(self.runs, Runs):
            raise ValueError(f"runs={self.runs!r} must be runs, for example Sticky(rho=0.5) or Blocks(length=2)")
        if self.noise not in (FRESH, REPEATED):
            raise ValueError(f"noise={self.noise!r} must be {FRESH!r} or {REPEATED!r}")

    def product_sum(self) -> float:
        """E L^2 / E L where the noise is repeated: inputs and noise then agree at the same times, so that it is the sum of
        P(same run), not of its square.
        """
        return self.square_sum() if self.noise == REPEATED else 1.0

    def square_sum(self) -> float:
        return self.runs.mean_square_length / self.runs.mean_length

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> tuple[Array, Array]:
        # Samples that are never seen are drawn as well: other runs see the same random numbers at the same times.
        inputs, noise = generator.standard_normal((n, columns)), generator.standard_normal(n)
        lengths = self.runs.run_lengths(generator, n)
        first = np.repeat(np.cumsum(lengths) - lengths, lengths)
        return inputs[first], noise[first] if self.noise == REPEATED else noise

    def input_correlation(self, n: int) -> Array:
        """P(same run); given the runs, it is a matrix of blocks of ones."""
        return np.asarray(toeplitz(self.runs.autocorrelations(n - 1)))

    def noise_correlation(self, n: int) -> Array:
        return self.input_correlation(n) if self.noise == REPEATED else np.eye(n)

    def describe(self) -> str:
        return f"inputs in {self.runs.describe()}, noise {self.noise}"


def correlation_sum(first: Process, second: Process) -> float:
    r""":math:`\sum_{h \in Z} \rho_1(h) \rho_2(h)`, in closed form or as a finite sum wherever there is one.

    By Parseval it is :math:`\frac1\pi \int_0^\pi f_1 f_2`, which is how a pack's own processes are summed. Infinite where
    :math:`H_1 + H_2 \ge 3/2` for processes of long memory.
    """
    if isinstance(first, White) or isinstance(second, White):
        return 1.0
    if isinstance(first, AR1) and isinstance(second, AR1):
        return (1.0 + first.rho * second.rho) / (1.0 - first.rho * second.rho)
    for process in (first, second):
        lags = process.order if isinstance(process, MovingAverage) else None
        if isinstance(process, AR1):
            lags = 0 if process.rho == 0.0 else math.ceil(math.log(1e-18) / math.log(abs(process.rho)))
        if lags is not None:
            products = first.autocorrelations(lags) * second.autocorrelations(lags)
            return float(2.0 * math.fsum(products) - products[0])
    if first.hurst > SHORT_MEMORY and second.hurst > SHORT_MEMORY and first.hurst + second.hurst >= 1.5:
        return math.inf
    if isinstance(first, FractionalNoise) and isinstance(second, FractionalNoise):
        return _fractional_sum(first, second)
    return _parseval(first, second)


def _fractional_sum(first: FractionalNoise, second: FractionalNoise) -> float:
    """Lags up to 64 one by one, the others from the product of the two series in 1/h: each power sums to a zeta function."""
    lags = 64
    products = first.autocorrelations(lags) * second.autocorrelations(lags)
    coefficients = np.convolve(first.series, second.series)
    exponents = 2.0 * np.arange(2, 2 + coefficients.size) - 2.0 * (first.hurst + second.hurst)
    tail = math.fsum(coefficients * zeta(exponents, lags + 1.0))
    return float(2.0 * (math.fsum(products) + tail) - products[0])


def _parseval(first: Process, second: Process) -> float:
    """The mean of f1 f2 over [0, pi]: Gauss and Legendre on panels that halve towards zero, and below 2^-60 pi the power of w
    that the memory of the two gives.
    """
    nodes, weights = np.polynomial.legendre.leggauss(32)
    edges = math.pi * np.concatenate([2.0 ** np.arange(-60.0, -3.0), np.linspace(0.125, 1.0, 8)])
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
    w = (middle + half * nodes).ravel()
    products = first.spectral_density(w) * second.spectral_density(w) * (half * weights).ravel()
    least = edges[:1]
    power = 2.0 * (first.hurst + second.hurst) - 2.0
    below = float((least * first.spectral_density(least) * second.spectral_density(least))[0]) / (1.0 - power)
    return (math.fsum(products) + below) / math.pi
