r"""Observables: the curves y(x) that claims are about, evaluated without randomness as ln y at ln x.

The excess risk against n is the usual one. Lemmas speak of others: the effective dimension against 1/lambda, the
counting function, or the ratio of the two sides of an inequality along the limit in which it could fail. Every
observable says how far its curve can be evaluated (``log_range``), what the worst case behind a point is (``witness``)
and, if a random experiment stands behind it, which learning curve would certify it (``experiment``).

An object of another package with the methods of :class:`Observable` serves as well.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from verifier.instances import (
    CarriedFunction,
    DiagonalDrift,
    ExponentialTarget,
    FourierFeatures,
    GaussianFeatures,
    Instance,
    MixtureSamples,
    MultiPass,
    NoDrift,
    Purified,
    RotatedMixture,
    SingleEigenfunction,
    StochasticDescent,
    TransformedDrift,
    Truncated,
    UncentredDesign,
    log_index_at,
)
from verifier.risk.coordinates import largest_factor
from verifier.risk.dependent_streams import can_be_streamed
from verifier.risk.drift import SequenceEquivalent
from verifier.risk.engine import LOG_FARTHEST, LOG_KAPPA_MIN
from verifier.risk.equivalents import (
    Tuning,
    effective_dimension,
    equivalent,
    fleeting_parts,
    ridge,
    risk_terms,
    separate_terms,
    watched_parts,
)
from verifier.risk.memory import balanced_power
from verifier.risk.mixtures import mixture_terms
from verifier.risk.quadrature import source_norm_squared
from verifier.risk.smoothness import index_after

Array = NDArray[np.float64]

DEEPEST = 300.0  # ln of the inverse of the smallest kappa in use: kappa^2 stays a normal double
SMALL_SAMPLE = 10.0  # "N(lambda) << n" is read as N(lambda) <= n / 10


@dataclass(frozen=True)
class Experiment:
    """A learning curve whose simulation certifies an observable: instance, sample sizes and ridge rule."""

    instance: Instance
    n: tuple[int, ...]
    tuning: Tuning


@runtime_checkable
class Observable(Protocol):
    """A curve y(x) of an instance."""

    @property
    def name(self) -> str:
        """What y is."""

    @property
    def variable(self) -> str:
        """What x is."""

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        """Interval of ln x on which the curve can be evaluated."""

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        """ln y at each ln x, shape (k,)."""

    def log_terms(self, instance: Instance, log_x: Array, tuning: Tuning) -> tuple[Array, ...]:
        """ln of positive terms that sum to y and whose exponents may be taken separately (the smallest one wins)."""

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        """The numbers (n, lam, ...) behind the point at ln x."""

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> Experiment | None:
        """The simulation that certifies this observable, None where nothing in it is random."""


MOST_INDEX = 50.0  # an index beyond which the bias is no matter
FEW_END = 30.0  # ln n up to which finitely many eigenvalues are followed that are resolved at n = 100
LARGEST_SAMPLE = 9e18  # a sample size that is an integer of 64 bits
AMPLE_SAMPLE = 1e12  # the last sample size of a simulation at a fixed width
AS_MATRICES = 1600  # the last sample size of a simulation whose correlations over time are handled as matrices
MOST_STEPS = 6000  # steps of the longest simulation that draws from its samples
LEAST_DRAWN = 50  # its first sample size
MOST_DRAWN = 400  # its last sample size


@dataclass(frozen=True)
class ExcessRisk:
    """Excess risk against the sample size n, at the claim's ridge."""

    name: str = "excess risk"
    variable: str = "n"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        """From n = 100, or where the irregular head of spectrum and target is resolved, to where kappa reaches exp(-300).

        The interpolating kappa is of the order of the n-th eigenvalue, n^-beta. A ridge on the schedule, or the oracle's
        against noise that already dominates at that depth, decays as n^-(1/(2s + 1/beta)) only, so that such curves can
        be followed farther, as can those whose few features keep gamma large.
        """
        spectrum, features = instance.spectrum, instance.features
        start = max(math.log(100.0), *(float(getattr(part, "log_onset", 0.0)) for part in (features, instance.context)))
        if math.isfinite(spectrum.size) or spectrum.tail_index is None:
            return self._range_of_few(instance, tuning, start)
        beta = spectrum.tail_index
        if instance.drift != NoDrift():
            return _drifting_range(instance, start, tuning)
        index = saturated_index(instance)
        floor = -2.0 * DEEPEST * index + 5.0
        noisy = instance.sigma > 0.0 and 2.0 * math.log(instance.sigma) > floor
        if tuning == "schedule":
            power = instance.schedule_power
        elif isinstance(instance.filter, StochasticDescent):
            power = min(instance.filter.degree, beta)  # 1/(eta T) is 1/T at least
        elif tuning == "optimal" and noisy:
            power = beta * balanced_power(instance.dependence, 2.0 * beta * index)
            if isinstance(features, GaussianFeatures) and index > 0.5:
                # Few features ask for a smaller gamma, m/n, as long as they hold its directions.
                power = max(power, min(beta * features.degree, 1.0 - features.degree))
        else:
            power = beta
        end = DEEPEST / power if power != beta else float(log_index_at(spectrum, np.array([-DEEPEST]))[0])
        if power == beta and features.finite:
            # No gamma lies below the eigenvalue at min(n, m).
            ahead = np.linspace(0.0, LOG_FARTHEST, 512)
            end = float(ahead[np.flatnonzero(np.minimum(ahead, features.log_width(ahead)) <= end)[-1]])
        if isinstance(features, FourierFeatures) and features.degree > 0.0:
            # Frequencies that are drawn once are followed, and what is lost, m^-2s, must be a double.
            end = min(end, (DEEPEST / max(instance.s, 1.0) - math.log(features.factor)) / features.degree)
        start = max(start, self.log_resolving_size(instance, tuning))
        if isinstance(instance.filter, StochasticDescent):
            end = min(end, LOG_FARTHEST / instance.filter.degree)  # the number of steps is a double
            start = max(start, log_free_size(instance, tuning, min(end, LOG_FARTHEST)))
        return start, min(end, LOG_FARTHEST)

    def _range_of_few(self, instance: Instance, tuning: Tuning, start: float) -> tuple[float, float]:
        """The range for finitely many eigenvalues: from where the last of them is resolved. Where that one is below the smallest
        kappa, as it is of an exponential spectrum, from the start to where kappa reaches exp(-300).
        """
        if instance.sigma == 0.0:
            return start, FEW_END
        last = float(instance.spectrum.log_eigenvalues(np.array([math.log(instance.spectrum.size)]))[0])
        farthest = LOG_FARTHEST
        if isinstance(instance.filter, StochasticDescent):
            farthest = DEEPEST / instance.filter.degree  # beyond which steps are not resolved
            start = max(start, log_free_size(instance, tuning, farthest))
        if last < -DEEPEST:
            return start, max(min(self._log_size_at(instance, tuning, -DEEPEST), farthest), start)
        start = max(start, self._log_size_at(instance, tuning, last))
        return start, min(start + FEW_END - math.log(100.0), LOG_FARTHEST)

    def log_resolving_size(self, instance: Instance, tuning: Tuning) -> float:
        """ln n at which kappa falls below the last irregular eigenvalue, so that what follows is the tail's own curve."""
        head = log_irregular(instance)
        if head == 0.0:
            return 0.0
        if math.isinf(head):
            return LOG_FARTHEST
        beyond = np.logaddexp(head, 0.0)  # the first index of the tail: spikes may end far above it
        return self._log_size_at(instance, tuning, float(instance.spectrum.log_eigenvalues(np.array([beyond]))[0]))

    def _log_size_at(self, instance: Instance, tuning: Tuning, level: float) -> float:
        """ln n at which kappa falls below exp(level - 1)."""
        if level - 1.0 < LOG_KAPPA_MIN:
            return LOG_FARTHEST
        engine, kappa = equivalent(instance, level - 1.0), math.exp(level - 1.0)
        if tuning == "optimal":
            size = engine.size_at_optimum(kappa) * largest_factor(instance)
            return (
                min(4.0 * math.ceil(math.log(max(size, 2.0)) / 4.0), LOG_FARTHEST)
                if math.isfinite(size)
                else LOG_FARTHEST
            )
        for log_n in np.split(np.arange(4.0, LOG_FARTHEST, 4.0), [30]):  # beyond n = e^120 only where a head needs it
            # kappa(n, lambda) grows with lambda: it has fallen to this one where the ridge has to the one that belongs to it.
            n = np.exp(log_n)
            below = np.flatnonzero(ridge(instance, n, tuning) <= engine.ridge_of(n, kappa))
            if below.size:
                return float(log_n[below[0]])
        return LOG_FARTHEST

    def log_periods(self, instance: Instance, tuning: Tuning) -> tuple[float, ...]:
        r"""Periods of the curve in ln n, from those of spectrum, target and transform in ln i; none where nothing
        oscillates, or where they depend on the exponents sought.

        Interpolation resolves index i at n of the order i. Under a ridge n^-q with q < beta, the schedule among
        them, kappa follows the ridge, so that n grows by a factor :math:`e^{\beta P/q}` while i grows by e^P.
        """
        parts = (
            getattr(part, "period", None) for part in (instance.spectrum, instance.target, *instance.transform.factors)
        )
        periods = tuple(dict.fromkeys(period for period in parts if period is not None))
        beta = instance.spectrum.tail_index
        if beta is None or (tuning == "optimal" and instance.sigma > 0.0) or tuning not in ("optimal", "schedule"):
            return ()
        if instance.features.finite:
            return ()  # whether the sample, the ridge or the width resolves an index depends on the exponents sought
        factor = 1.0 if tuning == "optimal" else beta / instance.schedule_power
        return tuple(factor * period for period in periods)

    def log_terms(self, instance: Instance, log_x: Array, tuning: Tuning) -> tuple[Array, ...]:
        """Under a ridge that does not react to the noise, target and noise terms are curves of their own; the oracle
        balances them against each other, so that only their sum has an exponent. What Fourier features lose of the target is a
        curve of its own under either.
        """
        if isinstance(instance.features, FourierFeatures):
            target, noise, lost = separate_terms(instance, n=np.exp(log_x), lam=tuning)
            ridged = (target + noise,) if tuning == "optimal" else (target, noise)
            return tuple(_log(term) for term in (*ridged, lost))
        terms = _risk_terms(instance, np.exp(log_x), tuning)
        if tuning == "optimal" or instance.sigma == 0.0:
            return (_log(terms[0] + terms[1]),)
        return tuple(_log(term) for term in terms)

    def log_parts(self, instance: Instance, log_x: Array, tuning: Tuning) -> tuple[Array, ...]:
        """ln of positive numbers that never exceed y: terms of it, and y times the shares of sample and width that are used up. One
        that is still small and decays more slowly than y shows that the curve is not on its way to its limit yet. None are
        watched of the plain case, where irregular heads of spectra and crossovers say so.
        """
        plain = instance.diagonal and not instance.features.finite and not instance.context.several
        if plain and instance.drift == NoDrift() and not isinstance(instance.filter, StochasticDescent):
            return ()
        return tuple(_log(part) for part in watched_parts(instance, n=np.exp(log_x), lam=tuning))

    def log_fleeting(self, instance: Instance, log_x: Array, tuning: Tuning) -> tuple[Array, ...]:
        """ln of parts of y that are nothing in the limit, being smaller than any power of x: what a drifting kernel learns late."""
        if instance.drift == NoDrift():
            return ()
        return tuple(_log(part) for part in fleeting_parts(instance, n=np.exp(log_x), lam=tuning))

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        return _log(sum(_risk_terms(instance, np.exp(log_x), tuning)))

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        n = math.exp(log_x)
        return {"n": n, "lam": float(ridge(instance, n, tuning))}

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> Experiment:
        """The curve at the given sizes. With finitely many features the last one is moved: the equivalent's error is of the order
        1/n + 1/m, so to where the features are as many, too; at a fixed width, which never are, to where the sample is no more
        than that width in effect. Where inputs and noise have no eigenbasis in common, or a constant is among the inputs,
        sequences are simulated as matrices: then the last one is moved to where that is cheap.
        """
        features = instance.features
        if isinstance(instance.filter, MultiPass):
            last = min(int(MOST_STEPS ** (1.0 / instance.filter.degree)), MOST_DRAWN)
            first = LEAST_DRAWN if last >= 1.5 * LEAST_DRAWN else last // 3
            sizes = (first, round(math.sqrt(first * last)), last)  # as far apart as steps that are made allow
        if not can_be_streamed(instance):
            sizes = (*(n for n in sizes[:-1] if n < AS_MATRICES), min(sizes[-1], AS_MATRICES))
        if features.finite and len(sizes) > 1:
            log_n = np.linspace(math.log(sizes[-1]), math.log(LARGEST_SAMPLE if features.grows else AMPLE_SAMPLE), 512)
            enough = np.flatnonzero(features.log_width(log_n) >= math.log(sizes[-1]))
            last = log_n[enough[0] if enough.size and features.grows else -1]
            sizes = (*sizes[:-1], max(sizes[-1], int(math.exp(last))))
        return Experiment(instance, sizes, tuning)


def _drifting_range(instance: Instance, start: float, tuning: Tuning) -> tuple[float, float]:
    r"""Interval of ln n on which the curve of a drifting kernel is followed, up to e^600 samples.

    From where the drift is what it will be: what was learnt early is forgotten at the square or so of the time at which a drift
    stops. To ln t = 300, the best time being at most of the order :math:`n^{\rho_+/(2s + 1/\beta)}`; with eigenvectors that move,
    to the last time at which their propagator is known.
    """
    drift = instance.drift
    balance = 2.0 * instance.target.l2_index + 1.0 / instance.beta  # ln n over ln t where nothing drifts
    unit = max(0.0, float(instance.spectrum.log_eigenvalues(np.zeros(1))[0]))  # at l_1 = 1 it is learnt at t = 1
    if isinstance(drift, DiagonalDrift):
        onset = float(getattr(drift, "onset", 0.0)) / min(1.0, *drift.ratios)
        return max(start, 2.0 * onset * balance), min(DEEPEST * balance / max(1.0, *drift.ratios), LOG_FARTHEST)
    if isinstance(drift, TransformedDrift):
        start = max(start, 2.0 * (drift.onset + unit) * balance)
    engine = equivalent(instance, -1.0)
    assert isinstance(engine, SequenceEquivalent)
    if tuning == "optimal":
        return start, min(engine.log_last_size(), LOG_FARTHEST)
    log_n = np.arange(start, LOG_FARTHEST, 1.0)
    early = np.flatnonzero(ridge(instance, np.exp(log_n), tuning) >= math.exp(-engine.latest))
    return start, float(log_n[early[-1]]) if early.size else start


def _risk_terms(instance: Instance, n: Array, tuning: Tuning) -> tuple[Array, Array]:
    """Terms of the risk from target and noise. On samples of a mixture by their own equivalent, at the ridge that the rule gives
    for Gaussian inputs of the mixed covariance: the oracle's own ridge is the same up to a factor that tends to one.
    """
    if not isinstance(instance.design, MixtureSamples):
        return risk_terms(instance, n=n, lam=tuning)
    lam = ridge(instance, n, tuning)
    # Next to noise that is tiny against the target the oracle's ridge may lie below the smallest kappa: NaN there, as above.
    known = np.isfinite(lam)
    target, noise = np.full_like(lam, np.nan), np.full_like(lam, np.nan)
    if known.any():
        target[known], noise[known] = mixture_terms(instance, n=n[known], lam=lam[known])
    return target, noise


LEADING = 2.0  # ln of the factor by which the tail's part of the bias has to exceed that of what comes before it


def log_irregular(instance: Instance) -> float:
    r"""ln of the last index at which spectrum or target have not yet reached their tail; infinite where that is beyond reach.

    It is that of their heads, or the crossover at which the heaviest component of a mixture takes over. With a mixture, a
    covariance raised to a power (its head with it), or a target carried over from another covariance, what lies before it may
    hold so much of the bias, :math:`\kappa^2 \sum f_i^2/l_i^2`, that the curve looks saturated for a while, although
    :math:`s' < 1`: then it goes on to where the tail holds more.
    """
    spectrum, target = instance.spectrum, instance.target
    start = max(math.log(max(spectrum.head, target.head)), float(getattr(spectrum, "log_crossover", 0.0)))
    carried = hasattr(target, "index_under")
    mean = log_share_of_the_mean(instance)
    hidden = carried or isinstance(spectrum, Purified) or hasattr(spectrum, "log_crossover") or mean > -math.inf
    if math.isinf(start) or not hidden:
        return start
    index = target.index_under(spectrum.tail_index) if carried else target.l2_index  # type: ignore[attr-defined]
    single = isinstance(target, SingleEigenfunction | ExponentialTarget)
    if single or getattr(target, "supremum", False) or index >= 1.0 - 1e-9:
        return start
    count = 1.0 if target.support(math.log(2.0)) is None else 0.0  # lacunary terms are not summed over indices

    def log_share(x: Array) -> Array:
        log_l = spectrum.log_eigenvalues(x)
        return count * x + target.log_energy(x, log_l) + 2.0 * (target.l2_index - 1.0) * log_l

    level = max(float(np.max(log_share(np.linspace(0.0, start, 400)))), mean) + LEADING
    ahead = start + np.arange(0.0, 4.0 * LOG_FARTHEST, 0.25)
    if log_share(ahead[-2:-1])[0] <= log_share(ahead[:1])[0]:
        return start  # smoother than declared: the bias is saturated in the limit
    reached = np.flatnonzero(log_share(ahead) >= level)
    return float(ahead[reached[0]]) if reached.size else math.inf


def log_share_of_the_mean(instance: Instance) -> float:
    r"""ln of what the mean of uncentred inputs has of :math:`\sum f_i^2/l_i^2`, :math:`f_0^2/l_0^2`."""
    design = instance.design
    if not isinstance(design, UncentredDesign) or design.intercept == 0.0:
        return -math.inf
    return 2.0 * math.log(design.intercept) - 4.0 * math.log(design.mean)


class Crossover(NamedTuple):
    """Where the heaviest component of a mixture has taken over: ln of the index, and of the sample size that resolves it
    (at least ``LOG_FARTHEST`` where that is beyond what can be followed).
    """

    log_index: float
    log_n: float

    def describe(self) -> str:
        """One sentence for people."""
        if self.log_n >= LOG_FARTHEST:
            return "the heaviest tail of the mixture takes over at a sample size beyond reach"
        index, n = (round(value / math.log(10.0)) for value in self)
        return f"the heaviest tail of the mixture takes over at about i = 10^{index}, n = 10^{n}"


def crossover(instance: Instance, tuning: Tuning = "optimal") -> Crossover | None:
    """The crossover of a mixture whose heaviest tail does not lead from the start; None for any other instance."""
    log_index = float(getattr(instance.spectrum, "log_crossover", 0.0))
    if log_index == 0.0:
        return None
    return Crossover(log_index, ExcessRisk().log_resolving_size(instance, tuning))


def log_free_size(instance: Instance, tuning: Tuning, end: float) -> float:
    """ln n from e^2 beyond which on the step of a single pass is the rule's, not the largest that there is; 0 where that is not
    left up to ln n = ``end``, beyond which steps are not resolved.
    """
    log_n = np.arange(1.0, end)
    n = np.exp(log_n)
    lam = np.asarray(ridge(instance, n, tuning))
    engine = equivalent(instance, -20.0)  # its trace is all that is asked for
    bound = np.flatnonzero(lam <= engine.effective_ridge(n, np.zeros_like(n)))
    return 0.0 if bound.size == 0 or bound[-1] == len(n) - 1 else float(log_n[bound[-1]]) + 2.0


def saturated_index(instance: Instance) -> float:
    r"""min(s', q) with s' the index at which the target's own energy decays, :math:`\sum_{j>k} f_j^2 \sim k^{-2\beta s'}`, and q
    the qualification of the filter, 1 for ridge regression: what decides how fast kappa falls, where the declared index is only
    a bound. Read off between ln i = 100 and 200; q for a target of finitely many eigenfunctions. Under a transform, the index
    after it.
    """
    spectrum, target = instance.spectrum, instance.target
    most = min(instance.filter.qualification, MOST_INDEX)
    if getattr(target, "supremum", False) or spectrum.tail_index is None:
        return min(target.l2_index, most)
    index_under = getattr(target, "index_under", None)
    if isinstance(spectrum, RotatedMixture):
        # At least: a function keeps its index, coefficients keep it up to 1/2 (Loewner, Heinz).
        return min(target.l2_index, 1.0 if isinstance(target, CarriedFunction) else 0.5)
    if index_under is not None:  # what it declares is relative to another covariance
        return index_after(instance, min(float(index_under(spectrum.tail_index)), most))
    support = target.support(200.0)
    settled = min(float(getattr(spectrum, "log_crossover", 0.0)), LOG_FARTHEST)
    far = (
        np.array([100.0, 200.0]) + settled
        if support is None
        else support[support >= 100.0][[0, -1]]
        if support[-1] > 101.0
        else None
    )
    if far is None:
        return index_after(instance, most)
    log_l = spectrum.log_eigenvalues(far)
    log_energy = target.log_energy(far, log_l) + 2.0 * target.l2_index * log_l
    decay = -float(log_energy[1] - log_energy[0]) / float(far[1] - far[0])
    tail = decay if support is not None else decay - 1.0  # geometrically spaced terms are of the order of their tail
    return index_after(instance, float(np.clip(tail / (2.0 * spectrum.tail_index), min(target.l2_index, most), most)))


def _log(values: Array | int) -> Array:
    """Natural logarithm, minus infinity at zero, NaN where rounding errors have made a number negative."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log(values))


def _of_the_kernel(instance: Instance, name: str) -> None:
    if instance.features.finite:
        raise ValueError(f"features={instance.features!r}: {name} is known at infinite width only; leave features out")


class _OneTerm:
    """Shared by observables that are one term."""

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        raise NotImplementedError

    def log_terms(self, instance: Instance, log_x: Array, tuning: Tuning) -> tuple[Array, ...]:
        return (self.log_values(instance, log_x, tuning),)


class _Deterministic(_OneTerm):
    """Shared by observables in which nothing is random."""

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> None:
        return None

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        return {"lam": math.exp(-log_x)}


class _OverRidges(_Deterministic):
    """Shared by functions of the spectrum against 1/lambda."""

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return _ridge_range(instance)

    def log_periods(self, instance: Instance, tuning: Tuning) -> tuple[float, ...]:
        """Periods in ln 1/lambda: e^P indices are e^(beta P) in the eigenvalue."""
        beta = instance.spectrum.tail_index
        parts = (instance.spectrum.period, *(factor.period for factor in instance.transform.factors))
        periods = tuple(dict.fromkeys(period for period in parts if period is not None))
        return () if beta is None else tuple(period * beta for period in periods)


@dataclass(frozen=True)
class EffectiveDimension(_OverRidges):
    r""":math:`N(\lambda) = \sum_i l_i/(l_i + \lambda)` against :math:`1/\lambda`."""

    name: str = "effective dimension N(lambda)"
    variable: str = "1/lambda"

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        return np.log(effective_dimension(instance, np.exp(-log_x)))


@dataclass(frozen=True)
class CountingFunction(_OverRidges):
    r""":math:`\#\{i : l_i \ge \lambda\}` against :math:`1/\lambda`, for spectra that are decreasing functions of a real
    index: the index is found by bisection and rounded down to a whole number.
    """

    name: str = "counting function"
    variable: str = "1/lambda"

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        spectrum = _untransformed(instance).spectrum
        if spectrum.size <= 4096:
            levels = spectrum.log_eigenvalues(np.log(np.arange(1.0, spectrum.size + 1.0)))
            # A level that equals lambda counts; the slack is the rounding of exp and log.
            return _log(np.maximum(np.sum(levels >= -log_x[:, None] - 1e-12, axis=1), 1))
        low = log_index_at(spectrum, -log_x, steps=80)
        small = low < 30.0
        return np.where(small, np.log(np.floor(np.exp(np.where(small, low, 0.0)) * (1 + 1e-12))), low)


@dataclass(frozen=True)
class Eigenvalues(_Deterministic):
    """The eigenvalue l_i against its index i."""

    name: str = "eigenvalue"
    variable: str = "i"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return math.log(100.0), min(DEEPEST / (instance.spectrum.tail_index or 1.0), math.log(instance.spectrum.size))

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        return np.asarray(_untransformed(instance).spectrum.log_eigenvalues(log_x))

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        return {"i": math.exp(log_x)}


@dataclass(frozen=True)
class DimensionAtLastEigenvalue(_Deterministic):
    r"""Under R-alt, :math:`N(\lambda)\lambda^{1/\beta}` at the last eigenvalue :math:`\lambda = l_p`, against p.

    The instance fixes beta; the family of its truncations runs over p, because a constant in the claim may not depend
    on where the spectrum is cut.
    """

    name: str = "N(l_p) l_p^(1/beta)"
    variable: str = "p"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return math.log(64.0), math.log(1e8)

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        cut = instance.spectrum
        if not isinstance(cut, Truncated):
            raise ValueError(f"spectrum={cut!r} must be a Truncated power law; R-alt exists for finite p only")
        values = []
        for x in log_x:
            size = round(math.exp(x))
            member = dataclasses.replace(instance, spectrum=dataclasses.replace(cut, size=size))
            last = float(member.spectrum.log_eigenvalues(np.array([math.log(size)]))[0])
            dimension = float(effective_dimension(member, math.exp(last)))
            values.append(math.log(dimension) + last / cut.spectrum.beta)
        return np.array(values)

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        return {"p": float(round(math.exp(log_x)))}


def _untransformed(instance: Instance) -> Instance:
    """The instance, if its eigenvalues are those of its spectrum; ValueError under a transform that changes them."""
    if not instance.diagonal:
        raise ValueError(
            f"the transform or rotation in {instance.describe()} changes eigenvalues one by one, which are not computed; ask for "
            "the effective dimension, or for the excess risk"
        )
    return instance


def _ridge_range(instance: Instance) -> tuple[float, float]:
    """Interval of ln 1/lambda from the largest eigenvalue down."""
    first = float(instance.spectrum.log_eigenvalues(np.zeros(1))[0])
    if math.isfinite(instance.spectrum.size):
        last = float(instance.spectrum.log_eigenvalues(np.array([math.log(instance.spectrum.size)]))[0])
        return -first, -first + min(max(60.0, 4.0 * (first - last + 10.0)), DEEPEST)
    start = -first + 2.0
    crossover = float(getattr(instance.spectrum, "log_crossover", 0.0))
    if crossover > 0.0:  # what comes before is the curve of a lighter tail
        resolved = (
            -float(instance.spectrum.log_eigenvalues(np.array([crossover]))[0]) if crossover < LOG_FARTHEST else DEEPEST
        )
        start = max(start, resolved + 2.0)
    return start, DEEPEST


@dataclass(frozen=True)
class BiasRatio(_Deterministic):
    r"""Population bias over its claimed bound, :math:`\|f_\lambda - f^*\|^2 / (R^2 \lambda^{2s})`, against
    :math:`1/\lambda`, with :math:`\|f_\lambda - f^*\|^2 = \sum_i f_i^2 (\lambda/(l_i + \lambda))^2` and the smallest
    admissible :math:`R^2 = \sum_i g_i^2`.
    """

    name: str = "bias / (R^2 lambda^(2s))"
    variable: str = "1/lambda"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        _of_the_kernel(instance, type(self).__name__)
        first = float(instance.spectrum.log_eigenvalues(np.zeros(1))[0])
        return -first - 8.0 * math.log(10.0), -first + 8.0 * math.log(10.0)

    def log_begins(self, instance: Instance) -> float:
        """ln 1/l_1: at larger ridges nothing is learnt, and the ratio is lambda^(-2s) times a constant."""
        return -float(instance.spectrum.log_eigenvalues(np.zeros(1))[0])

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        lam = np.exp(-log_x)
        engine = equivalent(instance, math.log(lam.min()))
        bias = engine.sums(lam).bias
        return np.log(bias) + 2.0 * instance.s * log_x - math.log(source_norm_squared(instance))


@dataclass(frozen=True)
class ConvexityDeficit(_Deterministic):
    r"""Negative over positive part of the second derivative of the bound :math:`R^2\lambda^{2s} +
    \sigma^2 \lambda^{-1/\beta}/n` in lambda (n = 1; another n only rescales sigma), against :math:`1/\lambda`:

    .. math:: \frac{2s(1 - 2s) R^2 \lambda^{2s-2}}{\beta^{-1}(\beta^{-1} + 1) \sigma^2 \lambda^{-1/\beta - 2}}

    Strict convexity at lambda is ratio < 1; minus infinity where s >= 1/2, plus infinity where only sigma = 0 is left.
    """

    name: str = "negative / positive part of the second derivative"
    variable: str = "1/lambda"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return -8.0 * math.log(10.0), 8.0 * math.log(10.0)

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        s, inverse = instance.s, 1.0 / instance.beta
        negative = 2.0 * s * (1.0 - 2.0 * s) * instance.target.norm**2
        if negative <= 0.0:
            return np.full_like(log_x, -np.inf)
        positive = inverse * (inverse + 1.0) * instance.sigma**2
        if positive == 0.0:
            return np.full_like(log_x, np.inf)
        return math.log(negative / positive) - (2.0 * s + inverse) * log_x


@dataclass(frozen=True)
class _WorstOverSampleSizes(_OneTerm):
    r"""Supremum over n >= 1 of a ratio at each lambda.

    The sample size is explicit in kappa, :math:`n = d_1(\kappa) \kappa / (\kappa - \lambda)`, so the supremum runs over
    a grid of kappa > lambda, with n real; the interpolation threshold n = p is inside it. The spectral sums are cubic
    splines in ln kappa through a table of step 1/4 (relative error below 1e-5, nothing to a supremum that is followed
    over hundreds of e-folds of lambda).
    """

    small_samples: bool
    """False keeps only sample sizes with N(lambda) <= n / 10."""

    variable: str = "1/lambda"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        _of_the_kernel(instance, type(self).__name__)
        return _ridge_range(instance)

    def _log_ratio(self, instance: Instance, n: Array, lam: Array, dimension: Array, df2: Array, bias: Array) -> Array:
        """ln of the ratio; lam and dimension have shape (lambdas, 1), the others (lambdas, kappas)."""
        raise NotImplementedError

    def _table(self, instance: Instance, log_x: Array) -> tuple[Array, Array]:
        """Sample sizes and ln of the ratio at each lambda (rows) and kappa (columns)."""
        deepest = -float(log_x.max())
        engine = equivalent(instance, deepest)
        grid = np.arange(deepest - 0.5, math.log(engine.trace) + 7.0, 0.25)
        sums = engine.sums(np.exp(grid))
        columns = np.log(np.maximum(np.stack([sums.df1, sums.df2, sums.bias]), 1e-300))
        spline = CubicSpline(grid, columns, axis=1)
        lam = np.exp(-log_x)[:, None]
        dimension = np.exp(spline(-log_x)[0])[:, None]
        # kappa / lambda - 1 from 1e-4 (n far above N) to where kappa exceeds every eigenvalue.
        farthest = math.log(engine.trace) + 6.0 - deepest
        excess = np.exp(np.concatenate([np.arange(-9.0, 6.0, 0.25), np.arange(6.0, farthest, 0.5)]))
        log_kappa = np.minimum(np.log1p(excess) - log_x[:, None], grid[-1])
        df1, df2, bias = np.exp(spline(log_kappa))
        n = df1 * (1.0 + excess) / excess
        least = 1.0 if self.small_samples else np.maximum(1.0, SMALL_SAMPLE * dimension)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self._log_ratio(instance, n, lam, dimension, df2, bias)
        return n, np.where((n >= least) & (log_kappa < grid[-1]), values, -np.inf)

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        return np.asarray(self._table(instance, log_x)[1].max(axis=1))

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        n, values = self._table(instance, np.array([log_x]))
        return {"lam": math.exp(-log_x), "n": float(np.maximum(1.0, np.rint(n[0, np.argmax(values[0])])))}

    def _experiment(self, instance: Instance, sizes: tuple[int, ...]) -> Experiment:
        """Simulation at ridges on the scale of the n-th eigenvalue, where both sides of the ratio are in play."""
        decay = instance.spectrum.tail_index or 2.0
        return Experiment(instance, sizes, PowerRidge(decay))


@dataclass(frozen=True)
class PowerRidge:
    """The ridge rule lambda = n^(-power)."""

    power: float

    def __call__(self, instance: Instance, n: float) -> float:
        return float(n ** (-self.power))


@dataclass(frozen=True)
class VarianceRatio(_WorstOverSampleSizes):
    r"""Variance over its claimed bound, :math:`\sup_n V n / (\sigma^2 N(\lambda))`, with
    :math:`V = \sigma^2 d_2/(n - d_2)` at the effective ridge.
    """

    name: str = "variance / (sigma^2 N(lambda) / n)"

    def _log_ratio(self, instance: Instance, n: Array, lam: Array, dimension: Array, df2: Array, bias: Array) -> Array:
        return np.asarray(np.log(df2) - np.log(np.maximum(1.0 - df2 / n, 0.0)) - np.log(dimension))

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> Experiment:
        # A target of negligible norm leaves the variance alone in the risk.
        silent = SingleEigenfunction(s=instance.s, norm=1e-8, index=1)
        return self._experiment(dataclasses.replace(instance, target=silent), sizes)


@dataclass(frozen=True)
class RiskRatio(_WorstOverSampleSizes):
    r"""Excess risk over its claimed bound, :math:`\sup_n E(n, \lambda) / (R^2\lambda^{2s} + \sigma^2 N(\lambda)/n)`."""

    name: str = "risk / (R^2 lambda^(2s) + sigma^2 N(lambda) / n)"

    def _log_ratio(self, instance: Instance, n: Array, lam: Array, dimension: Array, df2: Array, bias: Array) -> Array:
        risk = (bias + instance.sigma**2 * df2 / n) / (1.0 - df2 / n)
        bound = instance.target.norm**2 * lam ** (2.0 * instance.s) + instance.sigma**2 * dimension / n
        return np.asarray(np.log(risk) - np.log(bound))

    def log_transient(self, instance: Instance) -> float:
        """ln 1/lambda at which R^2 lambda^(2s) falls below sigma^2: until then the ratio grows as without noise."""
        if instance.sigma == 0.0:
            return 0.0
        return (math.log(instance.target.norm) - math.log(instance.sigma)) / instance.s

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> Experiment:
        return self._experiment(instance, sizes)
