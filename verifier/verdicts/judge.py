r"""The verdict on one instance: consistent, violated, inconclusive or out of scope.

Route A serves instances that have a deterministic equivalent. The equivalent, exact at any n, is extrapolated to its
exponent with an error bar (:mod:`verifier.verdicts.extrapolate`); simulation certifies the equivalent on sample sizes
that it can reach: the simulated points agree with it within z standard errors plus c/n, and so does the simulated slope.
The tolerance is the error bar of the extrapolation plus that of the certified slope, and neither looks at the claim.

Route B serves instances without an equivalent. The simulated slope is compared with the claim after the deviation of a
reference, for which the exponent is a theorem, on the same sample sizes is taken off; the tolerance is that of the two
simulations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from verifier.claims import AtLeast, AtMost, Bound, Claim, Exponent, Prediction, StraightLine, Theta
from verifier.instances import Instance
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.curves import learning_curve
from verifier.risk.equivalents import Tuning, equivalent_risk, ridge
from verifier.risk.observables import ExcessRisk, Experiment, Observable
from verifier.verdicts.extrapolate import Asymptote, asymptote, growth, local_exponents
from verifier.verdicts.slopes import fit_slope

Array = NDArray[np.float64]

CONSISTENT, VIOLATED, INCONCLUSIVE, OUT_OF_SCOPE = "consistent", "violated", "inconclusive", "out-of-scope"

WIDEST = 0.05
"""An extrapolation known no better than this, relative to exponents above one, decides nothing."""

CERTIFIED = {"noisy": 0.008, "noiseless": 0.045}
"""Part of the tolerance kept for the certification of the equivalent; a simulation that is less precise widens it.

Without noise the risk of one sample varies far more, and so do the exponents: 2 beta min(s, 1) runs up to 12.
"""

PLATEAU = 0.1
"""A tuned risk that still exceeds this multiple of sigma^2 has not met the noise: its slope is the noiseless one."""

DECISIVE_GROWTH = 0.15
"""ln of the factor by which a ratio must still grow over the last doubling of ln x to be called unbounded."""

SETTLED_GROWTH = 0.03
"""ln of the factor below which a ratio over the last doubling of ln x is called settled."""

WAVY = 0.01
"""Amplitude of a persistent oscillation of the local exponent above which a curve is not a straight line."""

SETTLED = 0.008  # half-width at which the first look is enough
LASTING = 0.8
"""Share of an earlier oscillation that a lasting one must keep: one that fades as 1 / ln n keeps 0.6 of it."""

FIRST_REACH = 64.0  # ln n of the first look; curves that have not settled by then are followed to the end
RATIO_ROUNDING = 1e-6  # ln of an excess that rounding could explain, with room to spare
FEWEST_POINTS = 16

PERIODS = 8.0  # of an oscillation, at least, on the first look: a shorter stretch looks like a limit
STEP = 1.2  # ln x between points
MOST_POINTS = 120

CERTIFICATION_SIZES = (100, 200, 1600)
CERTIFICATION_REPLICATES = 16
CERTIFICATION_Z = 3.5


@dataclass(frozen=True)
class Certification:
    """Simulation against the equivalent at each sample size, and slope against slope.

    ``z`` is what a difference exceeds c/n by, in standard errors: zero where the equivalent's own error explains it.

    ``precision`` bounds the error of a local exponent that the simulation could have missed: z standard errors of the
    simulated slope, plus what a relative error c/n of the equivalent does to the local exponent at the largest n.
    """

    agrees: bool
    n: tuple[int, ...]
    simulated: tuple[float, ...]
    stderr: tuple[float, ...]
    equivalent: tuple[float, ...]
    z: tuple[float, ...]
    slope: float
    slope_stderr: float
    equivalent_slope: float
    replicates: int
    precision: float
    text: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """The curve on which a verdict rests: ln x, ln y, and the extrapolation (None for explicit bounds).

    ``terms`` are the curves of the terms that sum to y, each with its own limit.
    """

    log_x: Array
    log_y: Array
    asymptote: Asymptote | None = None
    terms: tuple[tuple[Array, Asymptote], ...] = ()


@dataclass(frozen=True)
class Judgement:
    """Verdict on one instance. ``score`` is the distance to a violation in tolerances, positive where violated."""

    verdict: str
    predicted: Prediction | None
    exponent: float | None
    tolerance: float | None
    score: float
    reason: str
    route: str = "A"
    witness: dict[str, float] = field(default_factory=dict)
    evidence: Evidence | None = None
    certification: Certification | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Exponent +- tolerance."""
        if self.exponent is None or self.tolerance is None:
            return None
        return self.exponent - self.tolerance, self.exponent + self.tolerance


def judge(
    claim: Claim,
    instance: Instance,
    seed: int = 0,
    *,
    route: str | None = None,
    sizes: tuple[int, ...] = CERTIFICATION_SIZES,
    replicates: int = CERTIFICATION_REPLICATES,
    z: float = CERTIFICATION_Z,
    key: tuple[str | int, ...] = (),
) -> Judgement:
    """Judge one instance, simulation included.

    ``route`` "A" uses the deterministic equivalent, "B" simulation and a reference alone; None takes A where there is an
    equivalent. ``sizes``, ``replicates`` and ``z`` set the simulation; ``key`` names its random stream.
    """
    if route not in (None, "A", "B"):
        raise ValueError(f"route={route!r} must be 'A' (equivalent), 'B' (simulation alone) or None")
    if route == "B" or (route is None and not has_equivalent(instance)):
        return _judge_by_reference(claim, instance, seed, sizes=sizes, replicates=replicates, z=z, key=key)
    found = assess(claim, instance)
    if found.verdict == OUT_OF_SCOPE:
        return found
    experiment = claim.observable.experiment(instance, claim.tuning, sizes)
    if experiment is None:
        return found
    certification = certify(experiment, seed, replicates=replicates, z=z, key=(claim.id, *key))
    if not certification.agrees:
        reason = (
            f"simulation disagrees with the deterministic equivalent, so nothing is concluded: {certification.text}"
        )
        return replace(found, verdict=INCONCLUSIVE, score=0.0, reason=reason, certification=certification)
    limit = found.evidence.asymptote if found.evidence is not None else None
    if limit is not None and found.verdict in (CONSISTENT, VIOLATED) and certification.precision > _reserve(instance):
        assert found.predicted is not None
        assert found.evidence is not None
        tolerance = limit.half_width + certification.precision
        found = _COMPARE[type(found.predicted)](found.predicted, limit, tolerance, found.evidence)
    return replace(found, certification=certification)


def _reserve(instance: Instance) -> float:
    return CERTIFIED["noisy" if instance.sigma > 0.0 else "noiseless"]


def has_equivalent(instance: Instance) -> bool:
    """Whether the deterministic equivalent covers the instance; an ingredient may decline with ``equivalent = False``."""
    return all(getattr(part, "equivalent", True) for part in (instance.spectrum, instance.target, instance.noise))


def assess(claim: Claim, instance: Instance) -> Judgement:
    """Judge one instance by the equivalent alone: the search's view, free of randomness."""
    unmet = claim.unmet(instance)
    if unmet is not None:
        return Judgement(OUT_OF_SCOPE, None, None, None, -math.inf, f"the hypothesis '{unmet}' is not met")
    predicted = claim.predicted(instance)
    if isinstance(predicted, Bound):
        return _assess_bound(claim, instance, predicted)
    evidence, plateau = _followed(claim, instance)
    limit = evidence.asymptote
    assert limit is not None
    if not math.isfinite(limit.exponent):
        return Judgement(INCONCLUSIVE, predicted, None, None, 0.0, "the curve has no finite values", evidence=evidence)
    tolerance = limit.half_width + (_reserve(instance) if _is_random(claim, instance) else 0.0)
    if plateau or limit.half_width > WIDEST * max(1.0, abs(limit.exponent)):
        why = (
            "the risk has not fallen to the noise level at any n that can be reached"
            if plateau
            else f"the extrapolated exponent is known to +-{limit.half_width:.3f} only"
        )
        return Judgement(INCONCLUSIVE, predicted, limit.exponent, tolerance, 0.0, why, evidence=evidence)
    return _COMPARE[type(predicted)](predicted, limit, tolerance, evidence)


def _is_random(claim: Claim, instance: Instance) -> bool:
    return claim.observable.experiment(instance, claim.tuning, CERTIFICATION_SIZES) is not None


@lru_cache(maxsize=4096)
def _followed_cached(observable: Any, instance: Instance, tuning: Tuning) -> tuple[Evidence, bool]:
    low, end = observable.log_range(instance, tuning)
    reaches = [min(max(FIRST_REACH, low + 40.0, low + PERIODS * _longest_period(instance)), end), end]
    evidence, plateau = Evidence(np.zeros(0), np.zeros(0)), False
    for reach in dict.fromkeys(reaches):
        log_x = np.linspace(low, reach, min(max(24, math.ceil((reach - low) / STEP)), MOST_POINTS))
        if reach - low < 8.0:
            # Too short a stretch beyond the irregular head to tell a limit from a transient.
            return Evidence(log_x, np.full_like(log_x, np.nan), Asymptote(math.nan, math.inf, 0.0, 0.0)), False
        terms = observable.log_terms(instance, log_x, tuning)
        log_y = np.asarray(np.logaddexp.reduce(terms), dtype=np.float64)
        limits = [asymptote(log_x, term) for term in terms]
        whole = asymptote(log_x, log_y)
        # Exponents are taken term by term; whether the curve is straight is a question to the sum.
        limit = replace(_slowest(limits), oscillation=whole.oscillation, earlier_oscillation=whole.earlier_oscillation)
        plateau = _on_noiseless_plateau(observable, instance, tuning, float(log_y[-1]))
        evidence = Evidence(log_x, log_y, limit, tuple(zip(terms, limits, strict=True)))
        if limit.half_width < SETTLED and not plateau:
            break
    return evidence, plateau


def _longest_period(instance: Instance) -> float:
    """Longest period of an oscillation in ln x; the index that n resolves grows no slower than n^(1/(2 beta s + 1))."""
    periods = [getattr(part, "period", None) or 0.0 for part in (instance.spectrum, instance.target)]
    beta = instance.spectrum.tail_index or 1.0
    return max(periods) * (2.0 * beta * min(instance.target.l2_index, 1.0) + 1.0)


def _followed(claim: Claim, instance: Instance) -> tuple[Evidence, bool]:
    """The curve and its limit, followed farther where the first look has not settled; and whether it is on a plateau."""
    try:
        observable: Any = claim.observable
        return _followed_cached(observable, instance, claim.tuning)
    except TypeError:  # an unhashable ingredient of another package: judge it without the cache
        return _followed_cached.__wrapped__(claim.observable, instance, claim.tuning)


def _slowest(limits: list[Asymptote]) -> Asymptote:
    """Limit of a sum of positive terms: the smallest exponent; its error bar covers every term that could be smallest."""
    low = min(limit.interval[0] for limit in limits)
    high = min(limit.interval[1] for limit in limits)
    slowest = min(limits, key=lambda limit: limit.exponent)
    half_width = max(slowest.exponent - low, high - slowest.exponent)
    return replace(slowest, half_width=half_width if math.isfinite(slowest.exponent) else math.inf)


def _on_noiseless_plateau(observable: Observable, instance: Instance, tuning: Tuning, log_risk: float) -> bool:
    if not isinstance(observable, ExcessRisk) or tuning != "optimal" or instance.sigma == 0.0:
        return False
    return log_risk > math.log(PLATEAU) + 2.0 * math.log(instance.sigma)


def _compare_exponent(p: Prediction, limit: Asymptote, tolerance: float, evidence: Evidence) -> Judgement:
    distance = abs(limit.exponent - p.value)
    return _by_distance(p, limit, tolerance, evidence, distance, "differs from")


def _compare_at_least(p: Prediction, limit: Asymptote, tolerance: float, evidence: Evidence) -> Judgement:
    return _by_distance(p, limit, tolerance, evidence, p.value - limit.exponent, "falls short of")


def _compare_at_most(p: Prediction, limit: Asymptote, tolerance: float, evidence: Evidence) -> Judgement:
    return _by_distance(p, limit, tolerance, evidence, limit.exponent - p.value, "exceeds")


def _by_distance(
    p: Prediction, limit: Asymptote, tolerance: float, evidence: Evidence, distance: float, verb: str
) -> Judgement:
    score = distance / tolerance - 1.0
    measured = f"the exponent {limit.exponent:.4f} +- {tolerance:.4f}"
    if score > 0.0:
        reason = f"{measured} {verb} the claimed {p.value:.4f}"
        return Judgement(VIOLATED, p, limit.exponent, tolerance, score, reason, evidence=evidence)
    reason = f"{measured} agrees with the claim ({p.describe()})"
    return Judgement(CONSISTENT, p, limit.exponent, tolerance, score, reason, evidence=evidence)


def _compare_theta(p: Prediction, limit: Asymptote, tolerance: float, evidence: Evidence) -> Judgement:
    by_exponent = _compare_exponent(p, limit, tolerance, evidence)
    if by_exponent.verdict == VIOLATED:
        return by_exponent
    # A term that decays faster than claimed is harmless, however slowly it gives way: the others are judged.
    ratios = [
        term + p.value * evidence.log_x
        for term, own in evidence.terms
        if own.exponent - p.value <= tolerance + own.half_width
    ]
    above = [_growth_verdict(evidence.log_x, ratio, upper=True) for ratio in ratios]
    below = [_growth_verdict(evidence.log_x, ratio, upper=False) for ratio in ratios]
    # The sum is bounded above when every term is, and below when one term is.
    return _worse(by_exponent, max(above), min(below))


def _growth_verdict(log_x: Array, log_ratio: Array, upper: bool) -> tuple[float, int]:
    """Growth over the last doubling of ln x (of the supremum, or minus that of the infimum), and 2 where it is unbounded,
    1 where it has not settled, 0 where it has. A factor (ln x)^c grows by the same c ln 2 over each doubling, for ever.
    """
    sign = 1.0 if upper else -1.0
    last, earlier = (sign * g for g in growth(log_x, log_ratio, upper))
    lasting = last > 0.5 * earlier
    return last, 2 if last > DECISIVE_GROWTH and lasting else 1 if last > SETTLED_GROWTH and lasting else 0


def _worse(base: Judgement, *found: tuple[float, int]) -> Judgement:
    """The judgement that follows from the growth of ratios to a claimed rate."""
    last, level = max(found, key=lambda pair: (pair[1], pair[0]))
    score = last / DECISIVE_GROWTH - 1.0
    if level == 2:
        factor = math.exp(min(last, 700.0))
        reason = (
            f"the ratio to the claimed rate changes without limit, {factor:.3g}-fold over the last doubling of ln x"
        )
        return replace(base, verdict=VIOLATED, score=max(score, 1e-3), reason=reason)
    if level == 1:
        reason = "the ratio to the claimed rate still drifts at the farthest point, too slowly to call"
        return replace(base, verdict=INCONCLUSIVE, score=min(score, 0.0), reason=reason)
    return replace(
        base,
        score=max(min(score, 0.0), base.score),
        reason=base.reason + "; the ratio to the claimed rate settles",
    )


def _compare_line(p: Prediction, limit: Asymptote, tolerance: float, evidence: Evidence) -> Judgement:
    by_exponent = _compare_exponent(p, limit, tolerance, evidence)
    if by_exponent.verdict == VIOLATED:
        return by_exponent
    amplitude = limit.oscillation
    score = amplitude / WAVY - 1.0
    if score > 0.0 and amplitude > LASTING * limit.earlier_oscillation:
        reason = (
            f"the local exponent keeps oscillating by +-{amplitude:.3f} about {limit.exponent:.4f}: no straight line"
        )
        return replace(by_exponent, verdict=VIOLATED, score=score, reason=reason)
    if score > 0.0:
        reason = "the local exponent oscillates, with an amplitude that may still fade"
        return replace(by_exponent, verdict=INCONCLUSIVE, score=0.0, reason=reason)
    return replace(by_exponent, score=max(score, by_exponent.score))


_COMPARE: dict[type[Prediction], Callable[[Prediction, Asymptote, float, Evidence], Judgement]] = {
    Exponent: _compare_exponent,
    AtLeast: _compare_at_least,
    AtMost: _compare_at_most,
    Theta: _compare_theta,
    StraightLine: _compare_line,
}


def _assess_bound(claim: Claim, instance: Instance, predicted: Bound) -> Judgement:
    low, end = claim.observable.log_range(instance, claim.tuning)
    log_x = np.linspace(low, end, min(max(32, math.ceil((end - low) / STEP)), MOST_POINTS))
    log_y = claim.observable.log_values(instance, log_x, claim.tuning)
    evidence = Evidence(log_x, log_y)
    if math.isfinite(predicted.value):
        return _assess_given_constant(claim, instance, predicted, evidence)
    return _assess_some_constant(claim, instance, predicted, evidence)


def _assess_given_constant(claim: Claim, instance: Instance, predicted: Bound, evidence: Evidence) -> Judgement:
    """One point above the constant refutes the bound."""
    log_bound = math.log(predicted.value)
    worst = int(np.argmax(evidence.log_y))
    log_largest = float(evidence.log_y[worst])
    # Rounding in the sums is below 1e-9 (verifier.risk.quadrature): an excess smaller than this is not one.
    score = float(np.clip(log_largest - log_bound - RATIO_ROUNDING, -50.0, 50.0))
    if score <= 0.0:
        witness = claim.observable.witness(instance, float(evidence.log_x[worst]), claim.tuning)
        reason = f"the ratio stays at most {_exp(log_largest):.6g}"
        return Judgement(CONSISTENT, predicted, None, None, score, reason, witness=witness, evidence=evidence)
    log_x, log_y = _simplest_violation(claim, instance, log_bound, evidence)
    witness = {k: float(f"{v:.12g}") for k, v in claim.observable.witness(instance, log_x, claim.tuning).items()}
    shown = ", ".join(f"{name} = {value:g}" for name, value in witness.items())
    reason = (
        f"the ratio is {_exp(log_y):.6g} at {shown}, where at most {predicted.value:g} is claimed; "
        f"on the range looked at it reaches {_exp(log_largest):.3g}"
    )
    return Judgement(VIOLATED, predicted, None, None, score, reason, witness=witness, evidence=evidence)


def _simplest_violation(claim: Claim, instance: Instance, log_bound: float, evidence: Evidence) -> tuple[float, float]:
    """ln x and ln y at the violating power of ten closest to one, or at the worst grid point where none violates."""
    low, high = (float(evidence.log_x[end]) / math.log(10.0) for end in (0, -1))
    decades = np.arange(math.ceil(low), math.floor(high) + 1.0)
    candidates = np.asarray(decades[np.argsort(np.abs(decades))] * math.log(10.0), dtype=np.float64)
    if candidates.size:
        values = claim.observable.log_values(instance, candidates, claim.tuning)
        hit = np.flatnonzero(values > log_bound + RATIO_ROUNDING)
        if hit.size:
            return float(candidates[hit[0]]), float(values[hit[0]])
    worst = int(np.argmax(evidence.log_y))
    return float(evidence.log_x[worst]), float(evidence.log_y[worst])


def _assess_some_constant(claim: Claim, instance: Instance, predicted: Bound, evidence: Evidence) -> Judgement:
    """Only a family of points along which the ratio grows without limit refutes the bound."""
    usable = np.isfinite(evidence.log_y)
    if usable.sum() < FEWEST_POINTS:
        reason = "too few points satisfy the condition on n"
        return Judgement(INCONCLUSIVE, predicted, None, None, 0.0, reason, evidence=evidence)
    log_x, log_y = evidence.log_x[usable], evidence.log_y[usable]
    worst = int(np.argmax(log_y))
    witness = claim.observable.witness(instance, float(log_x[worst]), claim.tuning)
    reason = f"the ratio reaches {_exp(float(log_y[worst])):.4g}"
    base = Judgement(CONSISTENT, predicted, None, None, -1.0, reason, witness=witness, evidence=evidence)
    judged = _worse(base, _growth_verdict(log_x, log_y, upper=True))
    return replace(judged, score=float(np.clip(judged.score, -50.0, 50.0)))


def _exp(value: float) -> float:
    """exp that saturates instead of overflowing, for sentences."""
    return math.exp(min(value, 700.0))


def agreement_constant(instance: Instance) -> float:
    """c in the relative error c/n of the deterministic equivalent for n >= 100, rounded up from what was measured: up to 3
    with noise (scheduled ridge, smooth targets), up to 8 without (steep spectra); benchmarks/equivalent_error.py.
    """
    return 4.0 if instance.sigma > 0.0 else 12.0


def certify(
    experiment: Experiment, seed: int, *, replicates: int, z: float, key: tuple[str | int, ...] = ()
) -> Certification:
    """Simulate an experiment and compare it with the deterministic equivalent, point by point and slope by slope."""
    instance, n = experiment.instance, experiment.n
    curve = learning_curve(
        instance,
        n=n,
        replicates=replicates,
        seed=seed,
        tuning=experiment.tuning,
        key=("certify", *key),
        controls=True,
    )
    lam = np.asarray(curve.lam, dtype=np.float64)
    expected = np.asarray(equivalent_risk(instance, n=np.asarray(n, dtype=np.float64), lam=lam))
    sizes = np.asarray(n, dtype=np.float64)
    systematic = agreement_constant(instance) / sizes * expected
    # Student's quantile at the same tail probability: the standard errors come from finitely many replicates.
    quantile = float(stats.t.isf(stats.norm.sf(z), replicates - 1))
    difference = curve.risk - expected
    beyond = np.maximum(np.abs(difference) - systematic - 1e-9 * expected, 0.0)
    scores = np.sign(difference) * beyond / (curve.stderr + 1e-300)
    off = beyond > quantile * curve.stderr
    fit = fit_slope(curve)
    equivalent_slope = fit.project(expected)
    allowed = quantile * fit.stderr + _slope_systematic(sizes, agreement_constant(instance))
    slope_off = abs(fit.exponent - equivalent_slope) > allowed
    agrees = not bool(off.any()) and not slope_off
    where = f"at n = {n[int(np.argmax(off))]}" if off.any() else "in the slope"
    within = f"{quantile:.1f} standard errors + c/n, c = {agreement_constant(instance):g}"
    text = (
        f"simulated and equivalent risk agree at n = {', '.join(map(str, n))} within {within}"
        if agrees
        else f"simulated and equivalent risk disagree {where} by more than {within}"
    )
    return Certification(
        agrees=agrees,
        n=tuple(int(m) for m in n),
        simulated=tuple(map(float, curve.risk)),
        stderr=tuple(map(float, curve.stderr)),
        equivalent=tuple(map(float, expected)),
        z=tuple(map(float, scores)),
        slope=fit.exponent,
        slope_stderr=fit.stderr,
        equivalent_slope=equivalent_slope,
        replicates=replicates,
        precision=quantile * fit.stderr + agreement_constant(instance) / (sizes[-1] * math.log(2.0)),
        text=text,
    )


def _slope_systematic(sizes: Array, constant: float) -> float:
    """Largest change of the slope when each point may be off by c/n: the first point moves most."""
    return float(constant / sizes[0] / math.log(sizes[-1] / sizes[0]))


def _judge_by_reference(
    claim: Claim,
    instance: Instance,
    seed: int,
    *,
    sizes: tuple[int, ...],
    replicates: int,
    z: float,
    key: tuple[str | int, ...],
) -> Judgement:
    """Route B: simulated slope, less the deviation of the reference's simulated slope from its theorem."""
    unmet = claim.unmet(instance)
    if unmet is not None:
        return Judgement(OUT_OF_SCOPE, None, None, None, -math.inf, f"the hypothesis '{unmet}' is not met", route="B")
    predicted = claim.predicted(instance)
    kinds = (Exponent, AtLeast, AtMost)
    if not isinstance(predicted, kinds) or not isinstance(claim.observable, ExcessRisk):
        return Judgement(
            INCONCLUSIVE,
            predicted,
            None,
            None,
            0.0,
            f"simulation alone cannot decide {predicted.describe()}",
            route="B",
        )
    reference = treatment_free(instance)
    theorem = theorem_exponent(reference, claim.tuning)
    if theorem is None:
        return Judgement(
            INCONCLUSIVE,
            predicted,
            None,
            None,
            0.0,
            "no theorem gives the exponent of the reference",
            route="B",
        )
    fits = []
    for role, subject in (("treated", instance), ("reference", reference)):
        lam = dict(zip(sizes, ridge(reference, np.asarray(sizes, dtype=np.float64), claim.tuning), strict=True))
        rule = _RidgeTable(tuple((int(n), float(value)) for n, value in lam.items()))
        curve = learning_curve(
            subject,
            n=sizes,
            replicates=replicates,
            seed=seed,
            tuning=rule,
            key=("route B", role, claim.id, *key),
        )
        fits.append(fit_slope(curve))
    treated, base = fits
    exponent = treated.exponent - (base.exponent - theorem)
    quantile = float(stats.t.isf(stats.norm.sf(z), replicates - 1))
    tolerance = quantile * math.hypot(treated.stderr, base.stderr) + FLOOR_B
    if tolerance > 2.0 * WIDEST:
        reason = f"{replicates} replicates at n <= {sizes[-1]} leave the exponent known to +-{tolerance:.3f} only"
        return Judgement(INCONCLUSIVE, predicted, exponent, tolerance, 0.0, reason, route="B")
    limit = Asymptote(exponent, tolerance, 0.0, 0.0)
    evidence = Evidence(np.log(np.asarray(sizes, dtype=np.float64)), np.zeros(len(sizes)), limit)
    judged = _COMPARE[type(predicted)](predicted, limit, tolerance, evidence)
    return replace(judged, route="B", evidence=None)


FLOOR_B = 0.005
"""Smallest tolerance of route B: the reference's own deviation is random as well and its ridge is not re-tuned."""


@dataclass(frozen=True)
class _RidgeTable:
    """A ridge rule given by a table, so that instance and reference are regularised alike."""

    values: tuple[tuple[int, float], ...]

    def __call__(self, instance: Instance, n: float) -> float:
        return dict(self.values)[round(n)]


def treatment_free(instance: Instance) -> Instance:
    """The reference of an instance: every ingredient that declines the equivalent replaced by its plain counterpart."""
    parts = {
        name: getattr(getattr(instance, name), "plain", getattr(instance, name))
        for name in ("spectrum", "target", "noise")
    }
    return Instance(**parts)


def with_local_exponents(evidence: Evidence) -> tuple[Array, Array]:
    """Mid-points and local exponents of the evidence, for figures."""
    return local_exponents(evidence.log_x, evidence.log_y)
