r"""The verdict on one instance: consistent, violated, inconclusive or out of scope.

Route A serves instances that have a deterministic equivalent. The equivalent, exact at any n, is extrapolated to its
exponent with an error bar (:mod:`verifier.verdicts.extrapolate`); simulation certifies the equivalent on sample sizes
that it can reach: the simulated points agree with it within z standard errors plus c/n, and so does the simulated slope.
The tolerance is the error bar of the extrapolation plus that of the certified slope, and neither looks at the claim.

Route B (:mod:`verifier.verdicts.reference`) serves instances without an equivalent. An observable that is measured with an interval
of its own (:mod:`verifier.verdicts.measurement`) asks for neither.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.claims import Bound, Claim, Prediction, StraightLine, Theta
from verifier.instances import Instance, NoDrift
from verifier.risk.equivalents import Tuning, equivalent_for, ridge
from verifier.risk.memory import balanced_power
from verifier.risk.observables import ExcessRisk, Observable, crossover, saturated_index
from verifier.risk.simulators import has_equivalent
from verifier.verdicts.certify import (
    CERTIFICATION_REPLICATES,
    CERTIFICATION_SIZES,
    CERTIFICATION_Z,
    RESERVED,
    certify,
)
from verifier.verdicts.compare import by_growth, compare, growth_verdict, saturating_exp
from verifier.verdicts.extrapolate import Asymptote, asymptote
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, OUT_OF_SCOPE, VIOLATED, Evidence, Judgement, undecided
from verifier.verdicts.measurement import Measurable, judge_by_measurement
from verifier.verdicts.reference import REFERENCE_SIZES, judge_by_reference

Array = NDArray[np.float64]

WIDEST = 0.05
"""An extrapolation known no better than this, relative to exponents above one, decides nothing."""

WIDEST_CERTIFIED = 0.1
"""A tolerance above this, what certification leaves open included, calls nothing consistent, as by simulation alone."""

PLATEAU = 0.1
"""A tuned risk above this multiple of sigma^2 has not met the noise, and degrees of freedom above this share of n still
interpolate: the slope there is not yet that of the limit.
"""

LOOK_BACK, GAINING = 2.0 / 3.0, 1e-3
"""While the sample is interpolated, the ridge gains on kappa if ln(lam / kappa) grows faster than this times ln n over the
last third of the curve.
"""

FLED = 5.0
"""ln of the factor by which what vanishes in the limit has to lie below the curve at its end."""

SLOWER = 0.01
"""By how much a part in the minority may decay more slowly than the whole over the last third of a curve."""

SETTLED = 0.004  # half-width at which the first look is enough: twice the floor, so that little is extrapolated
FIRST_REACH = 64.0  # ln n of the first look; curves that have not settled by then are followed to the end
RATIO_ROUNDING = 1e-6  # ln of an excess that rounding could explain, with room to spare
FEWEST_POINTS = 16

FEWEST_PERIODS = 3.0  # of an oscillation, on any look
PERIODS = 8.0  # of an oscillation, at least, on the first look: a shorter stretch looks like a limit
STEP = 1.2  # ln x between points
MOST_POINTS = 120
FEWEST_IN_A_PERIOD = 4
ANOTHER_START, ANOTHER_GRID = 0.4, 13  # what a second look adds to the start and to the number of points


def judge(
    claim: Claim,
    instance: Instance,
    seed: int = 0,
    *,
    route: str | None = None,
    sizes: tuple[int, ...] | None = None,
    replicates: int | None = None,
    z: float = CERTIFICATION_Z,
    key: tuple[str | int, ...] = (),
    farther: bool = False,
) -> Judgement:
    """Judge one instance, simulation included.

    ``route`` "A" uses the deterministic equivalent, "B" simulation and a reference alone; None takes A where there is an
    equivalent. ``sizes``, ``replicates`` (None: those of the route) and ``z`` set the simulation; ``key`` names its random
    stream.
    ``farther`` follows the curve to the end of what can be reached, on another grid than the first look, and is
    inconclusive where the two looks differ.
    """
    if route not in (None, "A", "B"):
        raise ValueError(f"route={route!r} must be 'A' (equivalent), 'B' (simulation alone) or None")
    unmet = claim.unmet(instance)
    if unmet is not None:
        return _out_of_scope(unmet)
    if isinstance(claim.observable, Measurable):
        return judge_by_measurement(claim, instance, key=key, z=z, farther=farther)
    if route == "B" or (route is None and not has_equivalent(instance, claim.simulator)):
        return judge_by_reference(
            claim,
            instance,
            seed,
            sizes=sizes or REFERENCE_SIZES,
            replicates=replicates,
            z=z,
            key=key,
        )
    found = assess(claim, instance)
    if farther:
        found = _second_look(claim, instance, found)
    experiment = claim.observable.experiment(instance, claim.tuning, sizes or CERTIFICATION_SIZES)
    if experiment is None:
        return found
    certification = certify(
        experiment,
        seed,
        replicates=replicates or CERTIFICATION_REPLICATES,
        z=z,
        key=(claim.id, *key),
        simulator=claim.simulator,
    )
    if not certification.agrees:
        reason = (
            f"simulation disagrees with the deterministic equivalent, so nothing is concluded: {certification.text}"
        )
        return replace(found, verdict=INCONCLUSIVE, score=0.0, reason=reason, certification=certification)
    limit = found.evidence.asymptote if found.evidence is not None else None
    if limit is not None and found.verdict in (CONSISTENT, VIOLATED) and certification.precision > RESERVED:
        assert found.predicted is not None
        assert found.evidence is not None
        tolerance = limit.half_width + certification.precision
        found = compare(found.predicted, limit, tolerance, found.evidence)
        if found.verdict == CONSISTENT and tolerance > WIDEST_CERTIFIED * max(1.0, abs(limit.exponent)):
            reason = f"simulation leaves an error of the exponent of {certification.precision:.2f} open"
            found = undecided(found.predicted, reason, limit.exponent, tolerance, evidence=found.evidence)
    return replace(found, certification=certification)


def look(claim: Claim, instance: Instance, seed: int) -> Judgement:
    """The search's view of one instance: by the equivalent alone where there is one, else by simulation on common random
    numbers, keyed by the claim and not by the instance.

    A violation is looked at twice, as a confirmation does: one that the longer curve takes back must not end a search.
    """
    measured = isinstance(claim.observable, Measurable)
    if claim.unmet(instance) is None and (measured or not has_equivalent(instance, claim.simulator)):
        return judge(claim, instance, seed, key=("search",))
    found = assess(claim, instance)
    return _second_look(claim, instance, found) if found.verdict == VIOLATED else found


def _second_look(claim: Claim, instance: Instance, first: Judgement) -> Judgement:
    """The judgement by the whole curve, on another grid; inconclusive where it contradicts the first look."""
    found = assess(claim, instance, farther=True)
    if found.verdict == first.verdict or INCONCLUSIVE in (first.verdict, found.verdict):
        return found
    reason = f"two looks at the curve differ: first {first.reason}; then {found.reason}"
    return replace(found, verdict=INCONCLUSIVE, score=0.0, reason=reason)


def assess(claim: Claim, instance: Instance, *, farther: bool = False) -> Judgement:
    """Judge one instance by the equivalent alone: the search's view, free of randomness.

    ``farther`` takes the whole range and another grid, as a confirmation does. Where finitely many coordinates stand for
    something that has no limit (``at_another_size`` of the observable), the instance is judged at two sizes, and is
    inconclusive where they differ.
    """
    found = _assess_as_given(claim, instance, farther)
    at_another_size = getattr(claim.observable, "at_another_size", None)
    if at_another_size is None or found.verdict not in (CONSISTENT, VIOLATED):
        return found
    other = at_another_size(instance)
    sizes = (instance.spectrum.size, other.spectrum.size)
    return _agreed(found, _assess_as_given(claim, other, farther), sizes)


def _agreed(found: Judgement, again: Judgement, sizes: tuple[float, float]) -> Judgement:
    """The judgement that two sizes share; the smaller score, since a violation is one at either."""
    reason = f"at p = {sizes[0]:g} {found.reason}; at p = {sizes[1]:g} {again.reason}"
    if again.verdict == found.verdict:
        return replace(found, score=min(found.score, again.score), reason=reason)
    reason = f"two numbers of coordinates differ ({found.verdict}, then {again.verdict}): {reason}"
    return replace(found, verdict=INCONCLUSIVE, score=0.0, reason=reason)


def _assess_as_given(claim: Claim, instance: Instance, farther: bool) -> Judgement:
    """The judgement at the size that the instance has."""
    unmet = claim.unmet(instance)
    if unmet is not None:
        return _out_of_scope(unmet)
    if isinstance(claim.observable, Measurable):
        return judge_by_measurement(claim, instance, key=("assess",), z=CERTIFICATION_Z, farther=farther)
    predicted = claim.predicted(instance)
    if isinstance(predicted, Bound):
        return _assess_bound(claim, instance, predicted, farther)
    found = _assess_limit(claim, instance, predicted, farther)
    if farther or found.verdict == CONSISTENT or not isinstance(predicted, (Theta, StraightLine)):
        return found
    interval = found.interval
    if interval is not None and not interval[0] <= predicted.value <= interval[1]:
        return found
    # The exponent is not in doubt; whether a ratio is bounded, or an oscillation lasts, is seen over the whole range only.
    return _assess_limit(claim, instance, predicted, True)


def _assess_limit(claim: Claim, instance: Instance, predicted: Prediction, farther: bool) -> Judgement:
    evidence, plateau = _followed(claim, instance, farther)
    limit = evidence.asymptote
    assert limit is not None
    if not math.isfinite(limit.exponent):
        reason = "the curve cannot be followed: its range is too short, or its values are no numbers"
        hidden = crossover(instance, claim.tuning)
        if hidden is not None:
            reason = f"the curve cannot be followed far enough: {hidden.describe()}"
        return undecided(predicted, reason, evidence=evidence)
    tolerance = limit.half_width + (RESERVED if _is_random(claim, instance) else 0.0)
    if plateau or limit.half_width > WIDEST * max(1.0, abs(limit.exponent)):
        why = (
            f"the curve is still on its {_plateau_of(instance)} at every n that can be reached"
            if plateau
            else f"the extrapolated exponent is known to +-{limit.half_width:.3f} only"
        )
        return undecided(predicted, why, limit.exponent, tolerance, evidence=evidence)
    return compare(predicted, limit, tolerance, evidence)


def _plateau_of(instance: Instance) -> str:
    if instance.features.finite:
        return "way from one regime to another (noise not met, sample or width used up)"
    if instance.drift != NoDrift() or not instance.diagonal:
        return "way from one regime to another (noise not met, or a part that is still small decays more slowly)"
    return "plateau (noise not met, or sample interpolated)"


def _out_of_scope(unmet: str) -> Judgement:
    return Judgement(OUT_OF_SCOPE, None, None, None, -math.inf, f"the hypothesis '{unmet}' is not met")


def _is_random(claim: Claim, instance: Instance) -> bool:
    return claim.observable.experiment(instance, claim.tuning, CERTIFICATION_SIZES) is not None


@lru_cache(maxsize=4096)
def _followed_cached(observable: Any, instance: Instance, tuning: Tuning, farther: bool) -> tuple[Evidence, bool]:
    low, end = observable.log_range(instance, tuning)
    if farther:
        low += ANOTHER_START
    periods, longest = _periods(observable, instance, tuning), _longest_period(observable, instance, tuning)
    reaches = [min(max(FIRST_REACH, low + 40.0, low + PERIODS * longest), end), end]
    evidence, plateau = Evidence(np.zeros(0), np.zeros(0)), False
    for reach in dict.fromkeys(reaches[-1:] if farther else reaches):
        if reach - low < max(8.0, FEWEST_PERIODS * longest):
            # Too short a stretch beyond the irregular head to tell a limit from a transient or an oscillation.
            log_x = np.linspace(low, max(low, reach), FEWEST_POINTS)
            return Evidence(log_x, np.full_like(log_x, np.nan), Asymptote(math.nan, math.inf, 0.0, 0.0)), False
        log_x, steps = _grid(low, reach, ANOTHER_GRID if farther else 0, periods)
        terms = observable.log_terms(instance, log_x, tuning)
        # A term that is below the smallest double at the end of the curve is not the slowest one: what a descent leaves of finitely
        # many eigenfunctions, say.
        terms = tuple(term for term in terms if term[-1] > -np.inf) or terms
        with np.errstate(invalid="ignore"):  # where kappa cannot be followed a term is NaN, and so is the sum
            log_y = np.asarray(np.logaddexp.reduce(terms), dtype=np.float64)
        limits = [asymptote(log_x, term, steps, periods) for term in terms]
        whole = asymptote(log_x, log_y, steps, periods)
        # Exponents are taken term by term; whether the curve is straight is a question to the sum.
        limit = replace(_slowest(limits), oscillation=whole.oscillation, earlier_oscillation=whole.earlier_oscillation)
        plateau = _on_plateau(observable, instance, tuning, float(log_x[-1]), float(log_y[-1]))
        plateau = plateau or _in_transit(observable, instance, tuning, log_x, log_y, (steps, periods), whole)
        evidence = Evidence(log_x, log_y, limit, tuple(zip(terms, limits, strict=True)))
        if limit.half_width < SETTLED and not plateau:
            break
    return evidence, plateau


def _grid(low: float, reach: float, more: int, periods: tuple[float, ...]) -> tuple[Array, int | None]:
    """Equally spaced ln x, and how many steps are a whole number of periods, where there is one period and it is known.

    A single period shorter than the spacing is met at the same four phases again and again, one step being an odd number of
    quarters of it. Of two, the shorter one is resolved, on the far end of the range if need be.
    """
    points = min(max(24, math.ceil((reach - low) / STEP)), MOST_POINTS) + more
    if not periods:
        return np.linspace(low, reach, points), None
    steps: int | None = None
    if len(periods) == 1:
        steps, quarters = round(periods[0] * points / (reach - low)), 1
        if steps < FEWEST_IN_A_PERIOD:
            steps, quarters = FEWEST_IN_A_PERIOD, 2 * math.floor(2.0 * (reach - low) / points / periods[0]) + 1
        spacing = quarters * periods[0] / steps
    else:
        points = 2 * MOST_POINTS + more
        shortest = min(periods) / FEWEST_IN_A_PERIOD
        spacing = max(min(shortest, STEP, (reach - low) / FEWEST_POINTS), PERIODS * max(periods) / points)
    count = min(math.floor((reach - low) / spacing + 1e-9), 2 * MOST_POINTS + more)
    return reach - spacing * np.arange(count, -1.0, -1.0), steps


def _periods(observable: Any, instance: Instance, tuning: Tuning) -> tuple[float, ...]:
    """Periods of the oscillation in ln x, where the observable knows them."""
    known = getattr(observable, "log_periods", None)
    return () if known is None else known(instance, tuning)


def _longest_period(observable: Any, instance: Instance, tuning: Tuning) -> float:
    """Longest period of an oscillation in ln x, 0 where nothing oscillates.

    Where the observable does not know it: interpolation resolves index i at n of the order i; a ridge that balances bias and
    variance resolves it at n of the order i^(2 beta s + 1), with the index at which the target decays (and more where samples have
    a long memory).
    """
    known = _periods(observable, instance, tuning)
    if known:
        return max(known)
    periods = [
        getattr(part, "period", None) or 0.0 for part in (instance.spectrum, instance.target, instance.transform)
    ]
    gap = float(getattr(instance.spectrum, "gap", 0.0))
    if gap > 0.0 and isinstance(observable, ExcessRisk):
        return gap * _size_in_kappa(instance, tuning)  # a step of the curve for every eigenvalue
    if max(periods) == 0.0 or not isinstance(observable, ExcessRisk):
        return 0.0
    index = instance.s if tuning == "schedule" else saturated_index(instance)
    return max(periods) / balanced_power(instance.dependence, 2.0 * (instance.spectrum.tail_index or 1.0) * index)


def _size_in_kappa(instance: Instance, tuning: Tuning) -> float:
    """How fast ln n grows in ln 1/kappa where the degrees of freedom stay logarithmic: no faster than this."""
    if tuning == "optimal":
        return 2.0 * saturated_index(instance) + 1.0
    lam = ridge(instance, np.exp(np.array([FIRST_REACH / 2.0, FIRST_REACH])), tuning)
    falls = -2.0 * float(np.diff(np.log(lam))[0]) / FIRST_REACH
    return 1.0 / max(falls, SLOWER)


def _followed(claim: Claim, instance: Instance, farther: bool) -> tuple[Evidence, bool]:
    """The curve and its limit, followed farther where the first look has not settled; and whether it is on a plateau."""
    try:
        observable: Any = claim.observable
        return _followed_cached(observable, instance, claim.tuning, farther)
    except TypeError:  # an unhashable ingredient of another package: judge it without the cache
        return _followed_cached.__wrapped__(claim.observable, instance, claim.tuning, farther)


def _slowest(limits: list[Asymptote]) -> Asymptote:
    """Limit of a sum of positive terms: the smallest exponent; its error bar covers every term that could be smallest."""
    for limit in limits:
        if not math.isfinite(limit.exponent):
            return limit  # a term that cannot be followed could be the slowest one
    low = min(limit.interval[0] for limit in limits)
    high = min(limit.interval[1] for limit in limits)
    slowest = min(limits, key=lambda limit: limit.exponent)
    half_width = max(slowest.exponent - low, high - slowest.exponent)
    return replace(slowest, half_width=half_width if math.isfinite(slowest.exponent) else math.inf)


def _on_plateau(observable: Observable, instance: Instance, tuning: Tuning, log_n: float, log_risk: float) -> bool:
    """Whether a curve is still on a plateau at its last point, where its slope says nothing about the limit.

    The oracle's risk against noise is on the noiseless branch until it falls below sigma^2. Under another rule the sample
    is interpolated, whatever the ridge, while the degrees of freedom are of the order of n, or of the width: a transient where the
    ridge gains on kappa.
    """
    if not isinstance(observable, ExcessRisk):
        return False
    if tuning == "optimal":
        if not instance.features.grows:
            return False  # the floor of a fixed width is a limit, however large; the way there is seen by its parts
        return instance.sigma > 0.0 and log_risk > math.log(PLATEAU) + 2.0 * math.log(instance.sigma)
    onset = max(float(getattr(part, "log_onset", 0.0)) for part in (instance.features, instance.context))
    n = np.exp(np.array([max(LOOK_BACK * log_n, min(onset, log_n - 1.0)), log_n]))
    lam = ridge(instance, n, tuning)
    engine = equivalent_for(instance, n, lam)
    kappa = engine.effective_ridge(n, lam)
    if engine.taken(n, kappa)[-1] <= PLATEAU * engine.capacity(n)[-1]:
        return False
    # A rule that falls as fast as kappa, or faster, interpolates for ever: then the slope there is that of the limit.
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.diff(np.log(engine.room(n, lam, kappa))) / np.diff(np.log(n))
    return bool(gain[0] > GAINING)


def _in_transit(
    observable: Any,
    instance: Instance,
    tuning: Tuning,
    log_x: Array,
    log_y: Array,
    oscillation: tuple[int | None, tuple[float, ...]],
    whole: Asymptote,
) -> bool:
    """Whether a part of y that is still the smaller one decays more slowly, at the end of the curve or in the limit: it takes over
    farther out, at an n that a constant (of the width, of the noise) may put anywhere, and the exponent becomes another one there.
    """
    fleeting = getattr(observable, "log_fleeting", None)
    if fleeting is not None and any(part[-1] > log_y[-1] - FLED for part in fleeting(instance, log_x[-1:], tuning)):
        return True  # the limit is that of what is still the smaller part
    watched = getattr(observable, "log_parts", None)
    for part in () if watched is None else watched(instance, log_x, tuning):
        if not np.all(np.isfinite(part)) or part[-1] > log_y[-1] - math.log(2.0):
            continue
        last = -(len(log_x) // 3)
        slower = (part[-1] - part[last] - log_y[-1] + log_y[last]) / (log_x[-1] - log_x[last])
        if slower <= 0.0:
            continue
        if slower > SLOWER + whole.oscillation or asymptote(log_x, part, *oscillation).interval[1] < whole.interval[0]:
            return True
    return False


def _assess_bound(claim: Claim, instance: Instance, predicted: Bound, farther: bool) -> Judgement:
    low, end = claim.observable.log_range(instance, claim.tuning)
    points = min(max(32, math.ceil((end - low) / STEP)), MOST_POINTS) + (ANOTHER_GRID if farther else 0)
    log_x = np.linspace(low, end, points)
    log_y = claim.observable.log_values(instance, log_x, claim.tuning)
    evidence = Evidence(log_x, log_y)
    if np.any(np.isnan(log_y)) or (math.isinf(predicted.value) and np.any(log_y == np.inf)):
        reason = "the ratio cannot be evaluated at every point of its range"
        return undecided(predicted, reason, evidence=evidence)
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
        reason = f"the ratio stays at most {saturating_exp(log_largest):.6g}"
        return Judgement(CONSISTENT, predicted, None, None, score, reason, witness=witness, evidence=evidence)
    log_x, log_y = _simplest_violation(claim, instance, log_bound, evidence)
    witness = {k: float(f"{v:.12g}") for k, v in claim.observable.witness(instance, log_x, claim.tuning).items()}
    shown = ", ".join(f"{name} = {value:g}" for name, value in witness.items())
    reason = (
        f"the ratio is {saturating_exp(log_y):.6g} at {shown}, where at most {predicted.value:g} is claimed; "
        f"on the range looked at it reaches {saturating_exp(log_largest):.3g}"
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
    begins = getattr(claim.observable, "log_begins", None)
    if begins is not None:  # what comes before it does not belong to the limit in which the ratio could grow
        usable &= evidence.log_x >= begins(instance)
    if usable.sum() < FEWEST_POINTS:
        reason = "too few points satisfy the condition on n"
        return undecided(predicted, reason, evidence=evidence)
    log_x, log_y = evidence.log_x[usable], evidence.log_y[usable]
    worst = int(np.argmax(log_y))
    witness = claim.observable.witness(instance, float(log_x[worst]), claim.tuning)
    reason = f"the ratio reaches {saturating_exp(float(log_y[worst])):.4g}"
    base = Judgement(CONSISTENT, predicted, None, None, -1.0, reason, witness=witness, evidence=evidence)
    last, level = growth_verdict(log_x, log_y, upper=True)
    transient = getattr(claim.observable, "log_transient", None)
    if level == 2 and transient is not None and transient(instance) - log_x[0] > 0.25 * (log_x[-1] - log_x[0]):
        reason = "the ratio grows, but the term that bounds it takes over too far out to be seen"
        return replace(base, verdict=INCONCLUSIVE, score=0.0, reason=reason)
    judged = by_growth(base, (last, level))
    return replace(judged, score=float(np.clip(judged.score, -50.0, 50.0)))
