"""Predictions against what a curve tends to: the comparison that turns a limit with its error bar into a judgement.

``compare`` looks at a prediction, a limit, a tolerance and the curve; the tolerance was fixed before the prediction was
seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from verifier.claims import AtLeast, AtMost, Exponent, Prediction, StraightLine, Theta
from verifier.verdicts.extrapolate import Asymptote, fades, growth, mean_growth
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, VIOLATED, Evidence, Judgement

Array = NDArray[np.float64]

DECISIVE_GROWTH = 0.15
"""ln of the factor by which a ratio must still grow over the last doubling of ln x to be called unbounded."""

SETTLED_GROWTH = 0.03
"""ln of the factor below which a ratio over the last doubling of ln x is called settled."""

WAVY = 0.01
"""Amplitude of a persistent oscillation of the local exponent above which a curve is not a straight line."""

DRIFTING = 0.5 * DECISIVE_GROWTH
"""ln of the factor by which the mean must grow with the supremum: crests that are met at other phases are no growth."""

LASTING = 0.8
"""Share of an earlier oscillation that a lasting one must keep: one that fades as 1 / ln n keeps 0.6 of it."""


def compare(p: Prediction, limit: Asymptote, tolerance: float, evidence: Evidence) -> Judgement:
    """Judge a prediction against the limit of a curve, known to +- tolerance."""
    return _COMPARE[type(p)](p, limit, tolerance, evidence)


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
    above = [growth_verdict(evidence.log_x, ratio, upper=True) for ratio in ratios]
    below = [growth_verdict(evidence.log_x, ratio, upper=False) for ratio in ratios]
    # The sum is bounded above when every term is, and below when one term is.
    return by_growth(by_exponent, max(above), min(below))


def growth_verdict(log_x: Array, log_ratio: Array, upper: bool) -> tuple[float, int]:
    """Growth over the last doubling of ln x (of the supremum, or minus that of the infimum), and 2 where it is unbounded,
    1 where it has not settled, 0 where it has. A factor (ln x)^c grows by the same c ln 2 over each doubling, for ever, and so does
    its mean, which hardly notices between which points the crests of an oscillation fall. What grew much more before is no sign of
    rest where it still grows by more than ``DECISIVE_GROWTH``.
    """
    sign = 1.0 if upper else -1.0
    last, earlier = (sign * g for g in growth(log_x, log_ratio, upper))
    lasting = last > 0.5 * earlier
    drifts = sign * mean_growth(log_x, log_ratio)[0] > DRIFTING
    unbounded = last > DECISIVE_GROWTH and lasting and drifts and not fades(log_x, log_ratio, upper)
    settled = last <= (SETTLED_GROWTH if lasting else DECISIVE_GROWTH)
    return last, 2 if unbounded else 0 if settled else 1


def by_growth(base: Judgement, *found: tuple[float, int]) -> Judgement:
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
        reason=f"{base.reason}; the ratio changes by less than {math.expm1(SETTLED_GROWTH):.0%} over the last doubling of ln x",
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


def saturating_exp(value: float) -> float:
    """exp that saturates instead of overflowing, for sentences."""
    return math.exp(min(value, 700.0))
