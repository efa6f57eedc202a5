r"""Samples whose coordinates remember for different times: one autocorrelation per coordinate.

``PerCoordinate``: coordinate i of the inputs, in the eigenbasis of the covariance, is an autoregression of its own: with K
correlations :math:`r_1, \dots, r_K`, the coordinates i = k, k + K, k + 2K, ... have :math:`\rho_i(h) = r_k^{|h|}`. This is the
vector autoregression :math:`x_t = A x_{t-1} + e_t` whose matrix A commutes with the covariance: a diagonal A, and innovations of
covariance :math:`\Sigma - A\Sigma A`.

``VectorAutoregression`` couples the coordinates 2i - 1 and 2i. Whitened they are :math:`z_t = M z_{t-1} + e_t` with one matrix M of
2 x 2 for all pairs, a contraction, and innovations of covariance :math:`I - MM'`: any contraction keeps the covariance I, so that
:math:`A = \Sigma^{1/2} M \Sigma^{-1/2}` (pair by pair) keeps :math:`\Sigma` with its distinct eigenvalues (Lutkepohl 2005, section
2.1). With :math:`\Gamma(h) = E z_{t+h} z_t' = M^h` the spectral density is :math:`S(w) = \sum_h \Gamma(h) e^{-ihw}`. M a multiple
of a rotation is a damped oscillation, a symmetric M has two times of forgetting along axes that are not those of the covariance,
a shear is not normal.

The equivalent of the former is that of a variance profile (Hachem, Loubaton and Najim 2007): :mod:`verifier.risk.profiles`; that of
the latter has a matrix of 2 x 2 in the place of a scalar: :mod:`verifier.risk.blocks`.
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


GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)
"""Turns of a spread law from one coordinate to the next: its multiples are as far from whole numbers as can be."""

CHEBYSHEV = 10
"""Correlations that stand for a law of them, the zeros of Chebyshev's polynomial of this degree on its interval."""

STRONGEST_OF_LAW = 0.8
"""Largest absolute correlation of a law: with ten nodes the risk is then right to 3e-4, and to 5e-6 on intervals of length 1.3."""


class _RhoLaw(Ingredient):
    """Shared by laws that give every coordinate a correlation of its own, between two bounds."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval of the correlations."""
        raise NotImplementedError

    def at(self, log_index: Array) -> Array:
        """The correlation of the coordinate of each log-index, of the shape of these."""
        raise NotImplementedError

    @property
    def nodes(self) -> tuple[float, ...]:
        """Zeros of Chebyshev's polynomial on the interval."""
        low, high = self.bounds
        turns = np.cos((np.arange(CHEBYSHEV) + 0.5) * math.pi / CHEBYSHEV)
        return tuple(float(x) for x in 0.5 * (low + high) + 0.5 * (high - low) * turns)

    def shares(self, log_index: Array) -> Array:
        """Lagrange's polynomials of the nodes at the correlation of each coordinate, shape (nodes, N): a function that is analytic
        in the correlation is the sum of its values at the nodes with these weights.
        """
        low, high = self.bounds
        x = np.clip((self.at(log_index) - 0.5 * (low + high)) / max(0.5 * (high - low), 1e-300), -1.0, 1.0)
        degrees = np.arange(CHEBYSHEV)
        waves = np.cos(degrees[:, None] * (degrees + 0.5) * math.pi / CHEBYSHEV)
        waves[0] *= 0.5
        return np.asarray(2.0 / CHEBYSHEV * waves.T @ np.cos(degrees[:, None] * np.arccos(x)))


@dataclass(frozen=True)
class SpreadRhos(_RhoLaw):
    r"""Correlations spread over [low, high], one for each coordinate: :math:`\rho_i = \frac{low + high}2 + \frac{high - low}2
    \cos(2\pi g i)`, g the golden section. The turns are equidistributed (Weyl 1916), so that the share of coordinates with a
    correlation below a number is that of the law of the arcsine.
    """

    low: float = -0.5
    high: float = 0.5

    def __post_init__(self) -> None:
        _check_bounds(self, "low", "high")
        if self.low >= self.high:
            raise ValueError(f"low={self.low!r} must be less than high={self.high!r}")

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    def at(self, log_index: Array) -> Array:
        turns = np.cos(2.0 * math.pi * GOLDEN * np.exp(log_index))
        return np.asarray(0.5 * (self.low + self.high) + 0.5 * (self.high - self.low) * turns)

    @property
    def means(self) -> tuple[float, ...]:
        """Correlations over which a mean is that over all coordinates, up to the power 64 of less than one."""
        turns = np.cos((np.arange(64) + 0.5) * math.pi / 64.0)
        return tuple(float(x) for x in 0.5 * (self.low + self.high) + 0.5 * (self.high - self.low) * turns)

    def describe(self) -> str:
        return f"spread over [{self.low:g}, {self.high:g}]"


@dataclass(frozen=True)
class FadingRhos(_RhoLaw):
    r"""Correlations that tend to a limit: :math:`\rho_i = limit + (first - limit)\, i^{-power}`, 1 <= power <= 4."""

    first: float = 0.5
    limit: float = 0.0
    power: float = 1.0

    def __post_init__(self) -> None:
        _check_bounds(self, "first", "limit")
        object.__setattr__(
            self,
            "power",
            within(
                "power", self.power, 1.0, 4.0, "what is missing to the limit must fall like 1/N, as for classes in turn"
            ),
        )

    @property
    def bounds(self) -> tuple[float, float]:
        return min(self.first, self.limit), max(self.first, self.limit)

    def at(self, log_index: Array) -> Array:
        return np.asarray(self.limit + (self.first - self.limit) * np.exp(-self.power * np.asarray(log_index)))

    @property
    def means(self) -> tuple[float, ...]:
        """The correlation of almost all coordinates."""
        return (self.limit,)

    def describe(self) -> str:
        return f"{self.limit:g} + {self.first - self.limit:g} i^-{self.power:g}"


def _check_bounds(law: _RhoLaw, *names: str) -> None:
    for name in names:
        why = f"{CHEBYSHEV} correlations stand for all in between, which functions with poles nearby do not allow"
        checked = within(name, getattr(law, name), -STRONGEST_OF_LAW, STRONGEST_OF_LAW, why)
        object.__setattr__(law, name, checked)


@dataclass(frozen=True)
class PerCoordinate(Ingredient):
    r"""Coordinate i an AR(1) of correlation ``rhos[(i - 1) mod K]``, K <= 4, each in [-.9, .9], or of that which a law gives to
    i; noise of one process of short memory, white by default, independent of the inputs.
    """

    rhos: tuple[float, ...] | SpreadRhos | FadingRhos = (0.0,)
    noise: Process = field(default_factory=White)

    def __post_init__(self) -> None:
        _check_noise(self.noise)
        if isinstance(self.rhos, SpreadRhos | FadingRhos):
            return
        if not isinstance(self.rhos, (tuple, list)) or not 1 <= len(self.rhos) <= MOST_CLASSES:
            raise ValueError(
                f"rhos={self.rhos!r} must be a tuple of 1 to {MOST_CLASSES} correlations, or a law of them"
            )
        limit = STRONGEST_OF_CLASS
        checked = tuple(
            within(
                f"rhos[{k}]", rho, -limit, limit, "each coordinate must forget within the samples that can be simulated"
            )
            for k, rho in enumerate(self.rhos)
        )
        object.__setattr__(self, "rhos", checked)

    @property
    def classes(self) -> tuple[AR1, ...]:
        """The processes that the coordinates take in turn, or those that stand for a law."""
        return tuple(AR1(rho) for rho in (self.rhos if isinstance(self.rhos, tuple) else self.rhos.nodes))

    @property
    def extremes(self) -> tuple[AR1, ...]:
        """The processes that the coordinates take in turn, or those at the ends of a law."""
        return tuple(AR1(rho) for rho in (self.rhos if isinstance(self.rhos, tuple) else self.rhos.bounds))

    @property
    def means(self) -> tuple[AR1, ...]:
        """Processes over which a mean is that over all coordinates."""
        return tuple(AR1(rho) for rho in (self.rhos if isinstance(self.rhos, tuple) else self.rhos.means))

    def shares(self, size: int) -> Array:
        """The share of each class in the first coordinates, shape (K, size): one or zero where classes take turns."""
        if isinstance(self.rhos, tuple):
            count = len(self.rhos)
            return np.asarray(np.arange(size) % count == np.arange(count)[:, None], dtype=np.float64)
        return np.asarray(self.rhos.shares(np.log(np.arange(1.0, size + 1.0))))

    @property
    def stride(self) -> int:
        """Coordinates from one that is drawn in a tile to the next one: those of one class."""
        return len(self.rhos) if isinstance(self.rhos, tuple) else 1

    def draw_tile(self, generator: np.random.Generator, n: int, first: int, columns: int) -> Array:
        """Inputs (n, columns) of every :attr:`stride`-th coordinate from that of index ``first``, counted from 0, on."""
        if isinstance(self.rhos, tuple):
            return self.classes[first % len(self.rhos)].draw(generator, n, columns)
        rhos = self.rhos.at(np.log(np.arange(first + 1.0, first + columns + 1.0)))
        return np.concatenate([AR1(float(rho)).draw(generator, n, 1) for rho in rhos], axis=1)

    def product_sums(self) -> tuple[float, ...]:
        r""":math:`\sum_h \rho_k(h) \rho_\varepsilon(h)` of each class, or at both ends of a law."""
        return tuple(correlation_sum(process, self.noise) for process in self.extremes)

    def product_sum(self) -> float:
        """The mean over all coordinates: classes have the same share of a spectrum that falls slowly enough to be smooth."""
        return math.fsum(correlation_sum(process, self.noise) for process in self.means) / len(self.means)

    def square_sum(self) -> float:
        """The mean over pairs of coordinates."""
        pairs = [correlation_sum(one, other) for one in self.means for other in self.means]
        return math.fsum(pairs) / len(pairs)

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> tuple[Array, Array]:
        """Standardised inputs (n, columns), the first column of class 1, and noise of unit variance (n,)."""
        inputs = np.empty((n, columns))
        for k in range(self.stride):
            inputs[:, k :: self.stride] = self.draw_tile(generator, n, k, len(range(k, columns, self.stride)))
        return inputs, self.noise.draw(generator, n, 1)[:, 0]

    def component_densities(self, frequencies: Array) -> Array:
        """Spectral density of a coordinate of each class, shape (K, W)."""
        return np.stack([np.asarray(process.spectral_density(frequencies)) for process in self.classes])

    def input_correlations(self, n: int) -> Array:
        """Correlations of a coordinate of each class at n times, shape (K, n, n)."""
        return np.stack([toeplitz(process.autocorrelations(n - 1)) for process in self.classes])

    def input_correlation(self, n: int) -> Array:
        """Their mean over the classes, the correlations of a coordinate drawn at random, shape (n, n)."""
        return np.asarray(toeplitz(self.mean_autocorrelations(n - 1)))

    def mean_autocorrelations(self, lags: int) -> Array:
        """The same at lags 0, 1, ..., shape (lags + 1,)."""
        return np.asarray(np.mean([process.autocorrelations(lags) for process in self.means], axis=0))

    def noise_correlation(self, n: int) -> Array:
        return np.asarray(toeplitz(self.noise.autocorrelations(n - 1)))

    def describe(self) -> str:
        if isinstance(self.rhos, tuple):
            rhos = f"in turn with rho = {', '.join(f'{rho:g}' for rho in self.rhos)}"
        else:
            rhos = f"with rho_i = {self.rhos.describe()}"
        return f"samples in sequence: coordinates AR(1) {rhos}, noise {self.noise.describe()}"


def _check_noise(noise: object) -> None:
    if isinstance(noise, type) or not isinstance(noise, Process):
        raise ValueError(f"noise={noise!r} must be a process, for example White() or AR1(rho=0.5)")
    if noise.hurst > SHORT_MEMORY:
        raise ValueError(f"noise={noise!r} has long memory; beside coordinates of their own it must be short")


@dataclass(frozen=True)
class VectorAutoregression(Ingredient):
    r"""The whitened coordinates 2i - 1 and 2i a vector autoregression of the transition matrix M = ``matrix``, two rows of two,
    :math:`\|M\| \le .9`, the pairs independent of one another; noise of one process of short memory, white by default,
    independent of the inputs.
    """

    matrix: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (0.0, 0.0))
    noise: Process = field(default_factory=White)

    def __post_init__(self) -> None:
        try:
            found = np.array(self.matrix, dtype=np.float64)
        except (TypeError, ValueError):
            found = np.zeros(0)
        if found.shape != (2, 2) or not np.all(np.isfinite(found)):
            raise ValueError(
                f"matrix={self.matrix!r} must be two rows of two numbers, for example ((0.5, 0.2), (0.0, 0.5))"
            )
        norm = float(np.linalg.norm(found, 2))
        if norm > STRONGEST_OF_CLASS + 1e-12:
            raise ValueError(
                f"matrix={self.matrix!r} has the norm {norm:.6g}; it must be at most {STRONGEST_OF_CLASS}, so that the "
                "covariance of the innovations is positive and each pair forgets within the samples that can be simulated"
            )
        object.__setattr__(self, "matrix", tuple(tuple(float(x) for x in row) for row in found))
        _check_noise(self.noise)

    @classmethod
    def rotation(cls, rho: float, angle: float, noise: Process | None = None) -> VectorAutoregression:
        """rho times the rotation by ``angle``: autocorrelation rho^h cos(h angle) within, and rho^h sin(h angle) across."""
        c, s = rho * math.cos(angle), rho * math.sin(angle)
        return cls(((c, -s), (s, c)), White() if noise is None else noise)

    @classmethod
    def symmetric(cls, first: float, second: float, angle: float, noise: Process | None = None) -> VectorAutoregression:
        """Correlations ``first`` and ``second`` at lag one, along axes turned by ``angle`` against those of the covariance."""
        c, s = math.cos(angle), math.sin(angle)
        cross = (first - second) * c * s
        matrix = ((first * c * c + second * s * s, cross), (cross, first * s * s + second * c * c))
        return cls(matrix, White() if noise is None else noise)

    @property
    def norm(self) -> float:
        """Largest singular value of M: autocovariances at lag h are at most its power h."""
        return float(np.linalg.norm(np.array(self.matrix), 2))

    @property
    def stride(self) -> int:
        """Coordinates from one that is drawn in a tile to the next one: neighbours, in pairs."""
        return 1

    def draw_tile(self, generator: np.random.Generator, n: int, first: int, columns: int) -> Array:
        """Inputs (n, columns), ``columns`` even, of the coordinates from an odd one on."""
        return self.draw_pairs(generator, n, columns // 2).reshape(n, columns)

    def autocovariances(self, lags: int) -> Array:
        r""":math:`\Gamma(h) = M^h`, h = 0, ..., lags, shape (lags + 1, 2, 2): entry (a, b) is :math:`E z_{t+h,a} z_{t,b}`."""
        found, power, matrix = np.empty((lags + 1, 2, 2)), np.eye(2), np.array(self.matrix)
        for h in range(lags + 1):
            found[h] = power
            power = power @ matrix
        return found

    def components(self, lags: int) -> Array:
        r"""Entries (1, 1), the sum of (1, 2) and (2, 1), and (2, 2) of :math:`\Gamma(h)`, shape (3, lags + 1): the trace of a
        symmetric matrix times :math:`\Gamma(h)` is their product with its entries (1, 1), (1, 2), (2, 2).
        """
        gamma = self.autocovariances(lags)
        return np.stack([gamma[:, 0, 0], gamma[:, 0, 1] + gamma[:, 1, 0], gamma[:, 1, 1]])

    def component_densities(self, frequencies: Array) -> Array:
        """The same entries of the real part of S(w), shape (3, W)."""
        turn = np.exp(-1j * np.asarray(frequencies, dtype=np.float64))[:, None, None]
        matrix = np.array(self.matrix)
        transfer = np.linalg.inv(np.eye(2) - turn * matrix)
        s = transfer @ (np.eye(2) - matrix @ matrix.T) @ transfer.conj().swapaxes(1, 2)
        return np.stack([s[:, 0, 0].real, 2.0 * s[:, 0, 1].real, s[:, 1, 1].real])

    def mean_autocorrelations(self, lags: int) -> Array:
        """The mean over the two coordinates of a pair, shape (lags + 1,)."""
        one, _, other = self.components(lags)
        return np.asarray(0.5 * (one + other))

    def mixing(self, lags: int) -> Array:
        r"""An upper bound of b(k) of one pair, the sum of the two singular values of :math:`M^k`, and one where that is more: they
        are the canonical correlations of past and future, which fall into two independent pairs of one number each
        (Hotelling 1936), and b of such a pair is at most its correlation.
        """
        singular = np.linalg.svd(self.autocovariances(lags), compute_uv=False)
        return np.asarray(np.minimum(1.0, singular.sum(axis=1)))

    @property
    def reach(self) -> float:
        r"""The largest lag at which a pair is correlated: infinite unless :math:`M^2 = 0`."""
        matrix = np.array(self.matrix)
        if not matrix.any():
            return 0.0
        return math.inf if (matrix @ matrix).any() else 1.0

    def _product_matrix(self) -> Array:
        r"""The symmetric part of :math:`\sum_h \Gamma(h) \rho_\varepsilon(h)`; autocovariances below 1e-18 are left out."""
        lags = 0 if self.norm == 0.0 else math.ceil(math.log(1e-18) / math.log(self.norm))
        weights = 2.0 * self.noise.autocorrelations(lags)
        weights[0] = 1.0
        total = np.tensordot(weights, self.autocovariances(lags), 1)
        return np.asarray(0.5 * (total + total.T))

    def product_sums(self) -> tuple[float, ...]:
        r"""Eigenvalues of the symmetric part of :math:`\sum_h \Gamma(h) \rho_\varepsilon(h)`, the smaller one first."""
        return tuple(float(x) for x in np.linalg.eigvalsh(self._product_matrix()))

    def product_sum(self) -> float:
        """Half of its trace: the two coordinates of a pair have the same share of a spectrum that falls slowly enough."""
        return 0.5 * float(np.trace(self._product_matrix()))

    def square_sum(self) -> float:
        """The mean over the coordinates of two pairs."""
        lags = 0 if self.norm == 0.0 else math.ceil(math.log(1e-18) / math.log(self.norm))
        squares = np.trace(self.autocovariances(lags), axis1=1, axis2=2) ** 2 / 4.0
        return float(2.0 * math.fsum(squares) - squares[0])

    def draw_pairs(self, generator: np.random.Generator, n: int, pairs: int) -> Array:
        """Pairs from their stationary law on, shape (n, pairs, 2)."""
        matrix = np.array(self.matrix)
        shocks = np.linalg.cholesky(np.eye(2) - matrix @ matrix.T)
        found = generator.standard_normal((n, pairs, 2))
        found[1:] = found[1:] @ shocks.T
        for t in range(1, n):
            found[t] += found[t - 1] @ matrix.T
        return found

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> tuple[Array, Array]:
        """Standardised inputs (n, columns), neighbouring columns in pairs, of an odd number the last one half of a pair, and noise
        of unit variance (n,).
        """
        inputs = self.draw_pairs(generator, n, (columns + 1) // 2).reshape(n, -1)[:, :columns]
        return inputs, self.noise.draw(generator, n, 1)[:, 0]

    def input_correlations(self, n: int) -> Array:
        """The matrices (n, n) of :meth:`components` over time, shape (3, n, n)."""
        return np.stack([toeplitz(component) for component in self.components(n - 1)])

    def input_correlation(self, n: int) -> Array:
        """The mean over the two coordinates of a pair, shape (n, n)."""
        return np.asarray(toeplitz(self.mean_autocorrelations(n - 1)))

    def noise_correlation(self, n: int) -> Array:
        return np.asarray(toeplitz(self.noise.autocorrelations(n - 1)))

    def describe(self) -> str:
        (a, b), (c, d) = self.matrix
        return (
            f"samples in sequence: pairs of coordinates a vector autoregression of (({a:g}, {b:g}), ({c:g}, {d:g})), noise "
            f"{self.noise.describe()}"
        )
