r"""Observables of finite width: what m random features add to the risk, against the sample size and against m itself.

The equivalent and its symbols are those of :mod:`verifier.risk.features`: at an effective ridge gamma with
:math:`z(\gamma) \le \min(n, m)` the ridge is :math:`\lambda = \gamma (1 - z/m)(1 - z/n)`. Where a supremum is taken, spectral sums
are cubic splines of their logarithms through a table of step 1 in ln gamma (relative error below 1e-3, nothing to a supremum
that is followed over hundreds of e-folds of lambda).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from verifier.instances import AllFeatures, Instance, NystromFeatures, log_index_at
from verifier.risk.equivalents import Tuning, ridge
from verifier.risk.features import FeatureSums
from verifier.risk.observables import ExcessRisk, Experiment
from verifier.risk.quadrature import source_norm_squared
from verifier.risk.windows import RelativeRisk

Array = NDArray[np.float64]

DEEPEST = 300.0  # ln of the inverse of the smallest gamma in use: gamma^2 stays a normal double
LARGEST = 690.0  # ln of the largest n or m that is written down
TABLE_STEP = 1.0
SIZES = 25  # equally spaced ln n among which a supremum is looked for
CLOSER = 2  # times, each over two steps of the one before
WIDE = 10.0  # "N(lambda) << m" is read as N(lambda) <= m / 10
SMALLEST = 1e-300


@lru_cache(maxsize=64)
def _sums(instance: Instance, log_gamma: float) -> FeatureSums:
    """The sums of an instance, whatever its width, good down to exp(``log_gamma``)."""
    if isinstance(instance.features, NystromFeatures):
        raise ValueError(
            f"features={instance.features!r}: what features add to a bound is known for Gaussian ones only"
        )
    reach = float(log_index_at(instance.spectrum, np.array([log_gamma]), steps=16)[0])
    return FeatureSums(dataclasses.replace(instance, features=AllFeatures()), 4.0 * math.ceil((reach + 0.5) / 4.0))


@lru_cache(maxsize=64)
def _splines(instance: Instance, log_gamma: float) -> CubicSpline:
    """ln of z, q, the bias of the kernel, D and the leak as functions of ln gamma, from ``log_gamma`` up."""
    sums = _sums(instance, log_gamma)
    grid = np.arange(log_gamma - 0.5, math.log(sums.trace) + 9.0, TABLE_STEP)
    size = max(1, sums.chunk // sums.nodes)
    pieces = [sums.rows(np.exp(grid[start : start + size])) for start in range(0, len(grid), size)]
    columns = [np.concatenate(column) for column in zip(*pieces, strict=True)]
    return CubicSpline(grid, np.log(np.maximum(np.stack(columns), SMALLEST)), axis=1)


@dataclass(frozen=True)
class _WidthRatio:
    r"""Supremum over n of the risk with m(n) features over a bound, at each lambda with N(lambda) <= min(n, m)/10.

    The bound is :math:`R^2\lambda^{2s} + \sigma^2 N(\lambda)/n + \Delta`, with a term for the features that is the subclass's,
    and R^2 the smallest admissible, :math:`\sum_i g_i^2` (the norm of the target where that is infinite). The sample
    sizes run from the smallest that is permitted to where both N/n and N/m are far below lambda^(2s), so that more samples change
    nothing.
    """

    variable: str = "1/lambda"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        """From the last irregular eigenvalue, at least e^2 below the first, to lambda = exp(-300); ValueError where the number
        of features does not grow, so that a small lambda has no permitted sample.
        """
        if not instance.features.grows:
            raise ValueError(
                f"features={instance.features!r} must be more the larger n, for N(lambda) <= m/10 as lambda tends to zero"
            )
        head = math.log(max(instance.spectrum.head, instance.target.head, 1))
        return 2.0 - float(instance.spectrum.log_eigenvalues(np.array([head]))[0]), DEEPEST

    def _log_term(self, instance: Instance, log_m: Array, log_lam: Array, log_dimension: Array) -> Array:
        """ln of the term for the features over R^2, at shape (lambdas, sizes); the arguments broadcast to it."""
        raise NotImplementedError

    def _worst(self, instance: Instance, log_x: Array) -> tuple[Array, Array]:
        """ln n and ln of the ratio where it is largest, at each lambda: the best of equally spaced sizes, looked at more closely
        twice. In ln n the ratio is nearly linear between the sizes at which one term overtakes another.
        """
        log_dimension = _splines(instance, -DEEPEST)(-log_x)[0]
        gain = 2.0 * instance.s * np.maximum(log_x, 0.0)
        first, step = self._sizes(instance, log_dimension + math.log(WIDE), gain)
        step = step / (SIZES - 1)
        log_n = first[:, None] + step[:, None] * np.arange(SIZES)
        rows = np.arange(len(log_x))
        for _ in range(CLOSER):
            best = log_n[rows, np.argmax(self._log_ratios(instance, log_x, log_n), axis=1)]
            step = step * 2.0 / (SIZES - 1)
            log_n = np.maximum(best[:, None] + step[:, None] * (np.arange(SIZES) - 0.5 * (SIZES - 1)), first[:, None])
        values = self._log_ratios(instance, log_x, log_n)
        best_column = np.argmax(values, axis=1)
        return log_n[rows, best_column], values[rows, best_column]

    def _log_ratios(self, instance: Instance, log_x: Array, log_n: Array) -> Array:
        """ln of the ratio at each lambda (rows) and sample size (columns)."""
        spline, log_lam = _splines(instance, -DEEPEST), -log_x[:, None]
        log_dimension = spline(-log_x)[0][:, None]
        log_m = np.asarray(instance.features.log_width(log_n))
        log_gamma = log_lam + np.zeros_like(log_n)
        for _ in range(2):  # Newton's method; z <= N(lambda) <= min(n, m)/10, so that gamma is lambda up to a quarter
            # d ln z / d ln gamma = -1/beta in the tail: near enough for steps of a quarter that shrink tenfold.
            log_z = log_dimension - (log_gamma - log_lam) / instance.beta
            per_sample, per_feature = np.exp(log_z - log_n), np.exp(log_z - log_m)
            excess = log_gamma + np.log1p(-per_sample) + np.log1p(-per_feature) - log_lam
            rises = per_sample / (1.0 - per_sample) + per_feature / (1.0 - per_feature)
            log_gamma = log_gamma - excess / (1.0 + rises / instance.beta)
        log_z, log_q, log_bias, log_spread, log_leak = spline(log_gamma)
        with np.errstate(under="ignore"):
            per_feature = np.exp(log_z - log_m)
            rho = np.exp(log_spread - log_m) / (1.0 - per_feature + np.exp(log_spread - log_m))
        share = np.exp(log_q - log_n) + rho * np.exp(log_spread - log_n)
        variance = instance.sigma**2
        risk = np.exp(log_bias) + rho * np.exp(log_leak) + variance * share
        square = source_norm_squared(instance)
        log_square = math.log(square if math.isfinite(square) else instance.target.norm**2)
        of_the_target = np.logaddexp(
            2.0 * instance.s * log_lam, self._log_term(instance, log_m, log_lam, log_dimension)
        )
        with np.errstate(divide="ignore"):
            log_bound = np.logaddexp(log_square + of_the_target, np.log(variance) + log_dimension - log_n)
        return np.asarray(np.log(risk) - np.log1p(-share) - log_bound)

    def _sizes(self, instance: Instance, log_least: Array, log_gain: Array) -> tuple[Array, Array]:
        """ln of the first sample size with min(n, m) at least exp(``log_least``), and how much farther to go in ln n until
        N/min(n, m) has fallen by exp(``log_gain``).
        """
        first = np.maximum(log_least, 0.0)
        # The width is a power of n from some n on: its degree and factor are read off far out.
        far = np.array([1e4, 2e4])
        widths = np.asarray(instance.features.log_width(far))
        if not np.all(np.isfinite(widths)):
            return first, log_gain + 5.0
        degree = float(widths[1] - widths[0]) / 1e4
        first = np.maximum(first, (log_least - (float(widths[0]) - 1e4 * degree)) / degree)
        return first, (log_gain + 5.0) / min(degree, 1.0)

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        return self._worst(instance, log_x)[1]

    def log_terms(self, instance: Instance, log_x: Array, tuning: Tuning) -> tuple[Array, ...]:
        return (self.log_values(instance, log_x, tuning),)

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        n = float(self._worst(instance, np.array([log_x]))[0][0])
        log_m = float(instance.features.log_width(n))
        return {"lam": math.exp(-log_x), "n": math.exp(min(n, LARGEST)), "m": math.exp(min(log_m, LARGEST))}

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> Experiment:
        """Simulation at the paper's ridge, where both sides of the ratio are in play."""
        return Experiment(instance, sizes, "schedule")


@dataclass(frozen=True)
class RiskRatioWithoutWidth(_WidthRatio):
    r""":math:`\sup_n E / (R^2\lambda^{2s} + \sigma^2 N(\lambda)/n)`, nothing being granted to the features."""

    name: str = "risk / (R^2 lambda^(2s) + sigma^2 N(lambda) / n)"

    def _log_term(self, instance: Instance, log_m: Array, log_lam: Array, log_dimension: Array) -> Array:
        return np.full_like(log_lam, -np.inf)


@dataclass(frozen=True)
class RiskRatioWithDimension(_WidthRatio):
    r""":math:`\sup_n E / (R^2\lambda^{2s} + \sigma^2 N(\lambda)/n + \Delta)`, :math:`\Delta = R^2 (N(\lambda)/m)\lambda^{2s}` for
    s <= 1/2 and :math:`R^2 (N(\lambda)/m)\, l_1^{2s - 1}\lambda` for s > 1/2, l_1 the first eigenvalue.
    """

    name: str = "risk / (R^2 lambda^(2s) + sigma^2 N(lambda) / n + R^2 lambda^min(2s, 1) N(lambda) / m)"

    def _log_term(self, instance: Instance, log_m: Array, log_lam: Array, log_dimension: Array) -> Array:
        power = min(2.0 * instance.s, 1.0)
        return log_dimension - log_m + power * log_lam + (2.0 * instance.s - power) * _log_first(instance)


@dataclass(frozen=True)
class RiskRatioWithOperatorNorm(_WidthRatio):
    r""":math:`\sup_n E / (R^2\lambda^{2s} + \sigma^2 N(\lambda)/n + R^2 (\delta/\lambda)^2 \lambda^{2s})`,
    :math:`\delta^2 = l_1 \operatorname{tr}\Sigma/m`: what the operator norm of K_m - K is of the order of (Koltchinskii and Lounici
    2017, Theorem 4, for tr Sigma <= m l_1).
    """

    name: str = "risk / (R^2 lambda^(2s) + sigma^2 N(lambda) / n + R^2 lambda^(2s - 2) / m)"

    def _log_term(self, instance: Instance, log_m: Array, log_lam: Array, log_dimension: Array) -> Array:
        norm = _log_first(instance) + math.log(_sums(instance, -DEEPEST).trace)
        return norm - log_m + (2.0 * instance.s - 2.0) * log_lam


def _log_first(instance: Instance) -> float:
    """ln of the first eigenvalue."""
    return float(instance.spectrum.log_eigenvalues(np.zeros(1))[0])


@dataclass(frozen=True)
class FloorOfWidth:
    r"""The risk that m features leave with infinitely many samples and no ridge, :math:`\sum_i f_i^2 \gamma/(l_i + \gamma)` at
    :math:`z(\gamma) = m`, against m: the limit of the equivalent as n grows and lambda falls, where rho = 1.
    """

    name: str = "risk with m features and infinitely many samples"
    variable: str = "m"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        """From m = 100, or beyond the head, to where gamma reaches exp(-300)."""
        head = math.log(max(instance.spectrum.head, instance.target.head, 1)) + 3.0
        return max(math.log(100.0), head), DEEPEST / instance.beta - 3.0

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        sums = _sums(instance, -DEEPEST)
        spline = _splines(instance, -DEEPEST)
        log_z = spline(spline.x)[0]
        log_gamma = np.interp(log_x, log_z[::-1], spline.x[::-1])
        for _ in range(4):  # Newton's method for ln z = ln m, whose slope is -D/z
            z, spread = sums.degrees(np.exp(log_gamma))
            log_gamma = log_gamma + (np.log(z) - log_x) * z / spread
        rows = sums.rows(np.exp(log_gamma))
        return np.asarray(np.log(rows[2] + rows[4]))

    def log_terms(self, instance: Instance, log_x: Array, tuning: Tuning) -> tuple[Array, ...]:
        return (self.log_values(instance, log_x, tuning),)

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        return {"m": math.exp(log_x)}

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> None:
        return None


@dataclass(frozen=True)
class RiskBesideTheKernel(RelativeRisk):
    """Excess risk with the features over that with infinitely many, at the same n and the claim's ridge for either."""

    name: str = "risk / risk of the kernel"

    def without(self, instance: Instance) -> Instance:
        """The instance with infinitely many features."""
        return dataclasses.replace(instance, features=AllFeatures())


@dataclass(frozen=True)
class RiseOfTheRisk:
    r"""Factor by which the risk changes when the sample grows by ``step``, :math:`E(1.1\,n)/E(n)`, against n from 20 to 1e6:
    above one on the way up a hump.
    """

    step: float = 1.1
    name: str = "risk at 1.1 n / risk at n"
    variable: str = "n"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return math.log(20.0), math.log(1e6)

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        both = np.concatenate([log_x, log_x + math.log(self.step)])
        values = ExcessRisk().log_values(instance, both, tuning)
        return np.asarray(values[len(log_x) :] - values[: len(log_x)])

    def log_terms(self, instance: Instance, log_x: Array, tuning: Tuning) -> tuple[Array, ...]:
        return (self.log_values(instance, log_x, tuning),)

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        n = math.exp(log_x)
        log_m = float(np.minimum(instance.features.log_width(log_x), 690.0))
        return {"n": n, "lam": float(ridge(instance, n, tuning))} | ({"m": math.exp(log_m)} if log_m < 690.0 else {})

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> Experiment:
        return Experiment(instance, sizes, tuning)
