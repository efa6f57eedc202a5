r"""Effective sample sizes: the factor n/n_eff that a learning curve of dependent samples shows, beside those that are claimed.

*What is measured.* The factor :math:`\varphi(n)` with :math:`E_{dep}(n) = E_{iid}(n/\varphi)`, both at the ridge that is best for
them: how many dependent samples are worth one independent sample. Curves collapse on :math:`n_{eff} = n/\Phi` when
:math:`\varphi(n) \to \Phi`.

*What it tends to.* By :mod:`verifier.risk.dependent`,
:math:`E_{dep} = (b + \sigma^2 J_\varepsilon(x)\, d_2/n)/(1 - J_x(x)\, d_2/n)` with :math:`x = d_1/n`. With label noise
:math:`x \to 0` at the oracle's ridge, where :math:`J_\varepsilon \to \sum_h \rho_x(h)\rho_\varepsilon(h)` for memory that is
short: the long-run variance of the score :math:`x_t\varepsilon_t`, as for estimators of moments (Newey and West 1987), since
ridge regression averages just this. Then :math:`E_{dep}(n)/E_{iid}(n/\varphi) \to 1` for that :math:`\varphi`, whatever spectrum
and target. It is 1 as soon as inputs or noise are white (Ziemann and Tu 2022), which no formula in one sequence alone can know.

*What is claimed.* Lemma 4 and Theorem 4 read as :math:`1 + 2\sum_k b(k)^{\delta/(2+\delta)}` with mixing coefficients b, for AR(1)
:math:`b(k) = |\rho|^k` of one coordinate; Figure 3 reads as :math:`(1+\rho)/(1-\rho)`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from verifier.instances import (
    Independent,
    Instance,
    PerCoordinate,
    Process,
    Repeated,
    Runs,
    SingleEigenfunction,
    Sticky,
    VectorAutoregression,
    White,
)
from verifier.instances.processes import reach
from verifier.risk.coordinates import is_profiled
from verifier.risk.equivalents import Tuning, effective_dimension, equivalent_for, ridge, risk_terms
from verifier.risk.memory import excess_memory
from verifier.risk.observables import ExcessRisk, Experiment, saturated_index
from verifier.risk.windows import FARTHEST, OfTheRisk, slopes

Array = NDArray[np.float64]

LAST = 12.0
"""How much of the end of the range of ln n a limit is read off."""

SETTLED = 12.0
"""By how many e-folds what is missing to a limit falls before it is read off, where the curve can be followed that far."""

BARELY_SETTLED = 9.0
"""By how many it must fall: the value is not a number otherwise."""

MARGIN = 12.0
"""How far before the end of what can be followed it ends, in ln n: a sample may be worth more independent ones than it has."""

BELOW, ABOVE, KNOTS = 3.0, 1.0, 0.65
"""The spline's range in ln n beyond that of the samples, on the side of fewer and of more, and its step."""

READ_OFF = 1e-5  # error in ln n of what the spline says, beyond which secants take over
LOOKS = 8  # at where it has settled
MIXING_LAGS, NO_MIXING = 2048, 1e-12  # lags over which coefficients are summed, and what counts as none at the last
STEPS = 60
CLOSE = 1e-10  # in ln n
FLATTEST = 1e-3


@runtime_checkable
class Factor(Protocol):
    """A formula for n/n_eff."""

    @property
    def text(self) -> str:
        """The formula, for people."""

    def value(self, instance: Instance) -> float:
        """Its value for the dependence of an instance, infinite where a sum diverges."""


def dependent_sequence(instance: Instance) -> Process | Runs:
    """The sequence whose correlation a formula in one rho speaks of: that of the inputs, of the noise where they are white."""
    dependence = instance.dependence
    if isinstance(dependence, Repeated):
        return dependence.runs
    inputs, noise = getattr(dependence, "inputs", White()), getattr(dependence, "noise", White())
    return noise if isinstance(inputs, White) else inputs


@dataclass(frozen=True)
class LagOneFactor:
    r""":math:`(1+\rho)/(1-\rho)`, rho the correlation of neighbours in the sequence that is dependent (Figure 3)."""

    text: str = "(1 + rho)/(1 - rho)"

    def value(self, instance: Instance) -> float:
        rho = float(dependent_sequence(instance).autocorrelations(1)[1])
        return (1.0 + rho) / (1.0 - rho)


@dataclass(frozen=True)
class MixingFactor:
    r""":math:`1 + 2\sum_{k \ge 1} |\rho|^{k p}`, :math:`p = \delta/(2 + \delta)` for moments of order :math:`2 + \delta`, with the
    mixing coefficient of one coordinate at lag one, rho (Theorem 4): infinitely many moments give p = 1.
    """

    power: float = 1.0

    @property
    def text(self) -> str:
        return f"1 + 2 sum_k |rho|^({self.power:g} k)"

    def value(self, instance: Instance) -> float:
        base = float(abs(dependent_sequence(instance).autocorrelations(1)[1]) ** self.power)
        return (1.0 + base) / (1.0 - base)


@dataclass(frozen=True)
class TrueMixingFactor:
    r""":math:`1 + 2\sum_k b(k)` with the true coefficients of absolute regularity of infinitely many coordinates and their noise.

    b(k) = 1 at every lag up to the farthest at which the inputs are correlated (Kakutani 1948, Feldman 1958): :math:`1 + 2q` for
    moving averages of order q, infinite for an autoregression, whatever the power of b(k). Noise that is correlated farther adds
    the bounds of its own coefficients. Runs that are repeated with probability rho have :math:`b(k) = \rho^k` exactly in any number
    of coordinates; those of one length do not mix, and of other runs no sum is known: infinite here.
    """

    text: str = "1 + 2 sum_k b(k)"

    def value(self, instance: Instance) -> float:
        dependence = instance.dependence
        if isinstance(dependence, Repeated):
            runs = dependence.runs
            return runs.mean_square_length / runs.mean_length if isinstance(runs, Sticky) else math.inf
        inputs, noise = getattr(dependence, "inputs", White()), getattr(dependence, "noise", White())
        singular = reach(inputs)
        if singular is None or math.isinf(singular):
            return math.inf
        beyond = noise.mixing(MIXING_LAGS)[int(singular) + 1 :]
        return 1.0 + 2.0 * (singular + float(beyond.sum())) if beyond[-1] < NO_MIXING else math.inf


@dataclass(frozen=True)
class ScoreFactor:
    r""":math:`\sum_h \rho_x(h)\rho_\varepsilon(h)`, the long-run variance of the products of inputs and noise."""

    text: str = "sum_h rho_x(h) rho_eps(h)"

    def value(self, instance: Instance) -> float:
        return instance.dependence.product_sum()


@dataclass(frozen=True)
class SlowestFactor:
    r"""The largest of :math:`\sum_h \rho_k(h)\rho_\varepsilon(h)` over the coordinates, of pairs that are coupled over all
    directions in them: mixing coefficients of a vector are no smaller than those of its slowest coordinate.
    """

    text: str = "max_k sum_h rho_k(h) rho_eps(h)"

    def value(self, instance: Instance) -> float:
        dependence = instance.dependence
        if isinstance(dependence, PerCoordinate | VectorAutoregression):
            return max(dependence.product_sums())
        return dependence.product_sum()


@dataclass(frozen=True)
class NoFactor:
    """n itself: dependence costs nothing."""

    text: str = "1"

    def value(self, instance: Instance) -> float:
        return 1.0


def independent(instance: Instance) -> Instance:
    """The instance with independent samples."""
    return dataclasses.replace(instance, dependence=Independent())


def log_measured_factor(instance: Instance, log_n: Array, log_risk: Array, tuning: Tuning = "optimal") -> Array:
    r"""ln of :math:`\varphi` with :math:`E_{iid}(n/\varphi)` the risk given by its logarithm at each n, shape of ``log_n``.

    The curve of independent samples falls strictly, so the root is unique. It is read off a spline of ln n against ln E, which is
    smooth, and polished by secants in ln E against ln n, to 1e-9 where the curve is known as well as that.
    """
    plain, risk = independent(instance), ExcessRisk()

    def curve(at: Array) -> Array:
        return risk.log_values(plain, at, tuning)

    low, high = max(float(log_n.min()) - BELOW, 0.0), float(log_n.max()) + ABOVE
    grid = np.linspace(low, high, max(8, math.ceil((high - low) / KNOTS)))
    falling = curve(grid)
    if not np.all(np.diff(falling) < 0.0):  # a plateau, or a point that cannot be followed
        return _by_secants(curve, log_n, log_risk, log_n, np.maximum(log_n - 0.5, 0.0))
    inverse = CubicSpline(-falling, grid)
    inside = np.clip(-log_risk, -falling[0], -falling[-1])
    first = np.asarray(inverse(inside) + (-log_risk - inside) * inverse(inside, 1))
    slope = -1.0 / np.asarray(inverse(inside, 1))
    first = np.clip(first, np.maximum(log_n - MARGIN, 0.0), log_n + 0.9 * MARGIN)
    off = curve(first) - log_risk
    if np.all(np.abs(off / slope) < READ_OFF):  # the slope is known to a thousandth, or better: one step more is enough
        return np.asarray(log_n - first + off / slope)
    return _by_secants(curve, log_n, log_risk, first, first + 1e-3)


def _by_secants(curve: Callable[[Array], Array], log_n: Array, log_risk: Array, u: Array, v: Array) -> Array:
    """ln phi by secants from two starts."""
    at_u, at_v = curve(u) - log_risk, curve(v) - log_risk
    for _ in range(STEPS):
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (at_u - at_v) / (u - v)
        # No learning curve is flatter or steeper for long: what says so is rounding between two points that coincide.
        slope = np.where(np.isfinite(slope) & (slope < -FLATTEST), slope, -0.5)
        following = np.clip(v - np.clip(at_v / slope, -MARGIN / 3.0, MARGIN / 3.0), 0.0, log_n + 0.9 * MARGIN)
        u, at_u, settled = v, at_v, np.abs(following - v) < CLOSE
        v = following
        if np.all(settled):
            break
        at_v = curve(v) - log_risk
    return np.asarray(log_n - v)


def measured_factor(instance: Instance, n: float, tuning: Tuning = "optimal") -> float:
    """n/n_eff at one sample size, by the equivalents of dependent and of independent samples."""
    log_n = np.array([math.log(n)])
    return float(
        np.exp(log_measured_factor(instance, log_n, ExcessRisk().log_values(instance, log_n, tuning), tuning))[0]
    )


def measured_factors(
    instance: Instance,
    n: Sequence[float] | Array,
    risk: Array,
    stderr: Array,
    z: float = 2.0,
    tuning: Tuning = "optimal",
) -> tuple[Array, Array, Array]:
    """n/n_eff that a simulated curve shows, with its interval: value, lower and upper end at each n, from risks and their
    standard errors; ``z`` of them either way. A risk is turned into a sample size by the equivalent of independent samples.
    """
    log_n = np.log(np.asarray(n, dtype=np.float64))
    middle, low, high = (
        np.exp(log_measured_factor(instance, log_n, np.log(np.maximum(level, 1e-300)), tuning))
        for level in (risk, risk - z * stderr, risk + z * stderr)
    )
    return middle, low, high


def log_share(instance: Instance, log_n: Array, tuning: Tuning) -> Array:
    """ln d1(kappa)/n, degrees of freedom over samples, of independent samples at the ridge of a tuning rule, shape of ``log_n``."""
    n, plain = np.exp(log_n), independent(instance)
    if tuning == "optimal":
        engine = equivalent_for(plain, n, np.zeros_like(n))
        kappa = engine.optimum(n)
    else:
        lam = ridge(plain, n, tuning)
        engine = equivalent_for(plain, n, lam)
        kappa = engine.effective_ridge(n, lam)
    share = np.full_like(n, np.nan)
    known = np.isfinite(kappa)
    if known.any():
        share[known] = np.log(engine.sums(kappa[known]).df1) - log_n[known]
    return share


@lru_cache(maxsize=512)
def settled_range(instance: Instance, tuning: Tuning) -> tuple[float, float, float]:
    r"""The range of ln n over which the limit of a measured factor is read off, and by how many e-folds what is missing to it has
    fallen where that range starts.

    What is missing is proportional to :math:`x = d_1/n` at the ridge that is used, or to :math:`x^{-a}` where correlations are
    barely summable, a the memory of :func:`verifier.risk.memory.excess_memory`: what is saturated at x is the tail of a sum
    that goes to zero as slowly. x is computed: next to noise that is tiny against the target the sample is interpolated for long.
    Where coordinates have autocorrelations of their own, or one another's, the shares that classes have in d1 settle as 1/d1, and
    so does what unequal eigenvalues make of a pair.
    """
    low, high = ExcessRisk().log_range(independent(instance), tuning)
    memory = excess_memory(instance.dependence)
    if memory < 0.0:  # the curve of a share of independent samples: the same range of those
        low += max(math.log(instance.dependence.product_sum()), 0.0)
    else:
        own = ExcessRisk().log_range(instance, tuning)
        low, high = max(low, own[0]), min(high, own[1])
    if low > high:  # a mixture whose heaviest component leads beyond what can be followed
        return low, low, -math.inf
    last = max(low, high - MARGIN - LAST)
    slow = min(max(-memory, 0.0), 1.0)
    classes = is_profiled(instance)  # whose shares of N settle as 1/N
    tail = 2.0 * (instance.spectrum.tail_index or 1.0) * saturated_index(instance)
    rate = max(min(slow * tail, 1.0 if classes else math.inf) / (tail + 1.0), FLATTEST)
    start, fallen = low, 0.0
    for _ in range(LOOKS):
        start = min(start + max(SETTLED - fallen, 1.0) / rate, last)
        share = float(log_share(instance, np.array([start]), tuning)[0])
        fallen = min(-slow * share, share + start if classes else math.inf)
        if start == last or not fallen < SETTLED - 1.0:
            break
    return start, max(start, min(start + LAST, high - MARGIN)), fallen


@dataclass(frozen=True)
class _BesideFactor(OfTheRisk):
    """Shared by what holds a measured factor against a claimed one, at the far end of what can be followed."""

    factor: Factor

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return settled_range(instance, tuning)[:2]

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        if not settled_range(instance, tuning)[2] >= BARELY_SETTLED:
            return np.full_like(log_x, np.nan)  # what is missing to the limit could be what is seen
        return self._log_beside(instance, log_x, tuning)

    def _log_beside(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        """ln of the observable."""
        raise NotImplementedError

    def _log_quotient(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        measured = log_measured_factor(instance, log_x, ExcessRisk().log_values(instance, log_x, tuning), tuning)
        claimed = self.factor.value(instance)
        return measured - (math.log(claimed) if claimed > 0.0 else -math.inf)


@dataclass(frozen=True)
class OffTheFactor(_BesideFactor):
    r"""How far the measured n/n_eff is from a claimed one, :math:`\max(\varphi/\Phi, \Phi/\varphi)`, at the far end of
    what can be followed: one where the curves collapse on :math:`n/\Phi`.
    """

    @property
    def name(self) -> str:
        return f"measured n/n_eff over {self.factor.text}, or its inverse"

    def _log_beside(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        return np.abs(self._log_quotient(instance, log_x, tuning))


@dataclass(frozen=True)
class AboveTheFactor(_BesideFactor):
    r"""The measured n/n_eff over a claimed one, :math:`\varphi/\Phi`, at the far end of what can be followed: at most one where
    :math:`E_{dep}(n) \le E_{iid}(n/\Phi)`.
    """

    @property
    def name(self) -> str:
        return f"measured n/n_eff over {self.factor.text}"

    def _log_beside(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        return self._log_quotient(instance, log_x, tuning)


@dataclass(frozen=True)
class VarianceAboveTheFactor(_BesideFactor):
    r"""The noise term of the risk over that of independent samples at the same n and ridge, over a claimed n/n_eff, at the
    far end of what can be followed: at most one where dependence inflates the variance by :math:`\Phi` at most.
    """

    @property
    def name(self) -> str:
        return f"variance / (variance of independent samples times {self.factor.text})"

    def _log_beside(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        n, claimed = np.exp(log_x), self.factor.value(instance)
        lam = ridge(independent(instance), n, tuning)
        noise = [risk_terms(each, n=n, lam=lam)[1] for each in (instance, independent(instance))]
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(noise[0]) - np.log(noise[1]) - math.log(claimed))

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> Experiment:
        return Experiment(without_target(instance), sizes, tuning)


@dataclass(frozen=True)
class VarianceOverBound(OfTheRisk):
    r"""The noise term of the risk over :math:`\sigma^2 N(\lambda)/n` at the claim's ridge, against n."""

    name: str = "variance / (sigma^2 N(lambda) / n)"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return ExcessRisk().log_range(instance, tuning)

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        n = np.exp(log_x)
        lam = ridge(instance, n, tuning)
        noise = risk_terms(instance, n=n, lam=lam)[1]
        return np.asarray(np.log(noise) + log_x - np.log(instance.sigma**2 * effective_dimension(instance, lam)))

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> Experiment:
        return Experiment(without_target(instance), sizes, tuning)


@dataclass(frozen=True)
class VarianceOverEffective(VarianceOverBound):
    r"""The noise term of the risk over :math:`\sigma^2 N(\lambda)/n_{eff}` at every n, with :math:`n/n_{eff}` a claimed factor."""

    factor: Factor = field(default_factory=MixingFactor)
    name: str = "variance / (sigma^2 N(lambda) / n_eff)"

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        return super().log_values(instance, log_x, tuning) - math.log(self.factor.value(instance))


def without_target(instance: Instance) -> Instance:
    """The instance with a target of negligible norm, whose risk is the variance alone."""
    return dataclasses.replace(instance, target=SingleEigenfunction(s=instance.s, norm=1e-8, index=1))


@dataclass(frozen=True)
class RiskOffTheFactor(OfTheRisk):
    r"""How far the risk of n dependent samples is from that of :math:`n/\Phi` independent ones, curves laid over one another:
    the larger of :math:`E_{dep}(n)/E_{iid}(n/\Phi)` and its inverse, n from ``lowest`` times :math:`\Phi` to ``farthest``.
    """

    factor: Factor
    lowest: float = 100.0
    farthest: float = 1e6

    @property
    def name(self) -> str:
        return f"risk / risk of n/({self.factor.text}) independent samples, or its inverse"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        low = math.log(self.lowest) + max(math.log(self.factor.value(instance)), 0.0)
        return low, max(low, math.log(self.farthest))

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        fewer = log_x - math.log(self.factor.value(instance))
        plain = ExcessRisk().log_values(independent(instance), fewer, tuning)
        return np.abs(ExcessRisk().log_values(instance, log_x, tuning) - plain)


@dataclass(frozen=True)
class BelowIndependent(OfTheRisk):
    """Risk of independent samples over that of as many dependent ones, n from 100 to 1e6: at most one where dependence costs."""

    name: str = "risk of independent samples / risk"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return math.log(100.0), FARTHEST

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        plain = ExcessRisk().log_values(independent(instance), log_x, tuning)
        return plain - ExcessRisk().log_values(instance, log_x, tuning)


@dataclass(frozen=True)
class SlopeBesideIndependent(OfTheRisk):
    r"""Distance of the slope on dependent samples from that on independent ones over the same window, in units of ``margin``,
    against the sample size at which the window starts: :math:`|a_{dep}(n) - a_{iid}(n)|/m`,
    :math:`a(n) = -\ln(E(32n)/E(n))/\ln 32`, n from 100 to ``farthest``.
    """

    farthest: float = 200.0
    margin: float = 0.05
    name: str = "|slope over a factor of 32 in n - that of independent samples| / .05"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return math.log(100.0), math.log(self.farthest)

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        difference = slopes(instance, log_x, tuning) - slopes(independent(instance), log_x, tuning)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.abs(difference) / self.margin))
