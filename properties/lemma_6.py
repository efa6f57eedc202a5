r"""Lemma 6: bias, variance and approximation with m random features, E <= C (lambda^(2s) + sigma^2 N(lambda)/n + Delta).

The approximation term is what the lemma leaves to its assumption on |K_m - K|. Two ways to fill it in:

* *Operator norm.* With f_lambda the population solution of ridge, lambda ((K_m + lambda)^-1 - (K + lambda)^-1) f =
  (K_m + lambda)^-1 (K - K_m) lambda (K + lambda)^-1 f, of norm at most (|K_m - K|/lambda) lambda^s: "the approximation error,
  bounded by |K_m - K| times resolvent stability". With |K_m - K| ~ m^(-1/2), Delta = lambda^(2s - 2)/m.
* *What the equivalent has*, Delta = (N(lambda)/m) lambda^min(2s, 1): derived in properties/theorem_5.py. It is never larger than
  the other for s <= 1: 2s - 2 <= min(2s, 1) - 1/beta.

Both are read where N(lambda) is small beside n, as in equation (3), and beside m: with fewer features than effective directions the
risk stays at the floor m^(-beta min(2s, 1)) of the features (properties/remark_4.py) as lambda -> 0. Targets are those of the ball
(S-L2, s <= 1) and critical ones with s <= .9: at s = 1 the bias of these is lambda^2 ln(1/lambda), which no bound of the lemma has.
"""

from __future__ import annotations

import math
from typing import Any

from properties.hypotheses import assumption_r, noisy_labels, s_away_from_half
from properties.strategies import instances, noises, power_laws, single_targets, smoothness
from properties.strategies.features import critical_instances, finitely_featured
from verifier.claims import Bound, Reading
from verifier.instances import Instance
from verifier.risk.widths import RiskRatioWithDimension, RiskRatioWithOperatorNorm, RiskRatioWithoutWidth
from verifier.testing import check

SOURCE = "Lemma 6, appendix A.11"
LATEX = r"\mathcal{E} \le C \left( \lambda^{2s} + \sigma^2 \frac{N(\lambda)}{n} + \Delta_m \right), \quad \Delta_m = "
FEW = r", \quad N(\lambda) \le \min(n, m) / 10"

in_the_ball = instances(power_laws(), single_targets(smoothness(0.05, 1.0), ("S-L2",)), noises(silent=False))
domain = finitely_featured(critical_instances(smoothness(0.05, 0.9)) | in_the_ball)


def some_constant(instance: Instance) -> Bound:
    """For this instance there is a C for all n and lambda."""
    return Bound(math.inf)


def reading(name: str, title: str, **parts: Any) -> Reading:
    """A reading of Lemma 6 along m = c n^q, with noise."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "hypotheses": (assumption_r, noisy_labels, s_away_from_half),
        "domain": domain,
        "predict": some_constant,
        "statement": f"For targets of the ball, s <= 1, or critical ones, s <= .9, with label noise and m = c n^q Gaussian random "
        f"features, {title}.",
        "prediction": "E over its bound is bounded",
    }
    return Reading(id=f"L6/{name}", title=title, **(defaults | parts))


READINGS = (
    reading(
        "without-approximation-term",
        "the risk is at most C (lambda^(2s) + sigma^2 N(lambda) / n) where N(lambda) <= min(n, m) / 10",
        latex=LATEX + "0" + FEW,
        hypotheses=(assumption_r, noisy_labels),
        observable=RiskRatioWithoutWidth(),
        expected="FALSIFIED",
        note="The features' part of the bias is lambda N(lambda)/m for s > 1/2: with few of them it is the largest term.",
    ),
    reading(
        "dimension-over-width",
        "the risk is at most C (lambda^(2s) + sigma^2 N(lambda) / n + lambda^min(2s, 1) N(lambda) / m) where "
        "N(lambda) <= min(n, m) / 10",
        latex=LATEX + r"\frac{N(\lambda)}{m} \lambda^{\min(2s, 1)}" + FEW,
        observable=RiskRatioWithDimension(),
        expected="SURVIVED",
        note="The approximation term that the equivalent has. |s - 1/2| >= .05: between its two cases lies a logarithm.",
    ),
    reading(
        "operator-norm",
        "the risk is at most C (lambda^(2s) + sigma^2 N(lambda) / n + lambda^(2s - 2) / m) where N(lambda) <= min(n, m) / 10",
        latex=LATEX + r"\frac{1}{m} \lambda^{2s - 2}" + FEW,
        observable=RiskRatioWithOperatorNorm(),
        expected="SURVIVED",
        note="(|K_m - K| / lambda)^2 lambda^(2s) with |K_m - K| ~ m^(-1/2): true, and much larger than what is added in fact.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
