r"""Appendix A.4, a step of Theorem 1's proof: the bound B(lambda) = R^2 lambda^(2s) + sigma^2 lambda^(-1/beta) / n is strictly
convex in lambda.

B'' has the term 2s (2s - 1) R^2 lambda^(2s - 2), negative for s < 1/2 and dominant at large lambda: B is then unimodal only,
which is all that the proof needs.
"""

from __future__ import annotations

from properties.hypotheses import noisy_labels
from properties.strategies import assumption_r_spectra, instances, noises, single_targets, smoothness
from verifier.claims import Bound, Reading
from verifier.instances import Instance
from verifier.risk.observables import ConvexityDeficit
from verifier.testing import check
from verifier.verdicts.proofs import convexity_for_s_at_least_half

SOURCE = "proof of Theorem 1, appendix A.4"
LATEX = r"\frac{d^2}{d\lambda^2} \left( R^2 \lambda^{2s} + \frac{\sigma^2}{n} \lambda^{-1/\beta} \right) > 0"


def at_most_one(instance: Instance) -> Bound:
    """The negative part of the second derivative never exceeds the positive part."""
    return Bound(1.0)


READINGS = (
    Reading(
        id="A4/all-s",
        title="the bound is strictly convex in lambda for every s > 0",
        statement="For all s > 0, beta > 1, sigma > 0 the bound R^2 lambda^(2s) + sigma^2 lambda^(-1/beta) / n is strictly convex "
        "on lambda > 0.",
        latex=LATEX,
        source=SOURCE,
        hypotheses=(noisy_labels,),
        domain=instances(assumption_r_spectra(), single_targets(smoothness(), ("S-L2",)), noises(silent=False)),
        observable=ConvexityDeficit(),
        predict=at_most_one,
        prediction="negative / positive part of the second derivative <= 1",
        expected="FALSIFIED",
    ),
    Reading(
        id="A4/s-at-least-half",
        title="the bound is strictly convex in lambda for s >= 1/2",
        statement="For all s >= 1/2, beta > 1, sigma > 0 the bound R^2 lambda^(2s) + sigma^2 lambda^(-1/beta) / n is strictly "
        "convex on lambda > 0.",
        latex=LATEX + r", \quad s \ge \tfrac{1}{2}",
        source=SOURCE,
        hypotheses=(noisy_labels,),
        domain=instances(assumption_r_spectra(), single_targets(smoothness(0.5), ("S-L2",)), noises(silent=False)),
        observable=ConvexityDeficit(),
        predict=at_most_one,
        prediction="negative / positive part of the second derivative <= 1",
        proof=convexity_for_s_at_least_half,
        expected="SURVIVED",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
