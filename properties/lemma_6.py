r"""Lemma 6: bias, variance and approximation with m random features, E <= C (lambda^(2s) + sigma^2 N(lambda)/n + Delta).

The approximation term is what the lemma leaves to its assumption on |K_m - K|. Two ways to fill it in:

* *Operator norm.* With f_lambda the population solution of ridge, lambda ((K_m + lambda)^-1 - (K + lambda)^-1) f =
  (K_m + lambda)^-1 (K - K_m) lambda (K + lambda)^-1 f, of norm at most (|K_m - K|/lambda) lambda^s: "the approximation error,
  bounded by |K_m - K| times resolvent stability". With |K_m - K| ~ m^(-1/2), Delta = lambda^(2s - 2)/m.
* *What the equivalent has*, Delta = (N(lambda)/m) lambda^min(2s, 1): derived in properties/theorem_5.py. It is never larger than
  the other for s <= 1: 2s - 2 <= min(2s, 1) - 1/beta.

With either, C = 2 will do where N(lambda) <= min(n, m)/10, for every target of the ball with s <= 1 and every noise. In the symbols
of properties/theorem_5.py z <= N, so that gamma <= lambda/.81, and the bias of the kernel is at most R^2 gamma^(2s), 1.53 times the
first term of the bound; rho <= N/(.9 m), and gamma sum f_i^2 l_i/(l_i + gamma)^2 is at most R^2 gamma^(2s) for s <= 1/2, R^2 gamma
l_1^(2s - 1) for s > 1/2, 1.37 Delta together; V <= z <= N, and 1 - V/n >= .9. For the operator norm N <= tr(Sigma)/lambda besides.

With fewer features than effective directions, N(lambda) > m, the risk stays at the floor m^(-beta min(2s, 1)) of the features
(properties/remark_4.py) as lambda -> 0. Critical targets are not in the ball: that there is no C without Delta is looked for among
them too.
"""

from __future__ import annotations

import math
from typing import Any

from properties.hypotheses import assumption_r, noisy_labels, source_condition_in_the_ball
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
domain = finitely_featured(in_the_ball)
ENOUGH = 2.0


def some_constant(instance: Instance) -> Bound:
    """For this instance there is a C for all n and lambda."""
    return Bound(math.inf)


def enough(instance: Instance) -> Bound:
    """C = 2 for all n and lambda."""
    return Bound(ENOUGH)


def reading(name: str, title: str, **parts: Any) -> Reading:
    """A reading of Lemma 6 along m = c n^q, with noise."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "hypotheses": (assumption_r, noisy_labels, source_condition_in_the_ball),
        "domain": domain,
        "predict": enough,
        "statement": f"For targets of the ball, s <= 1, with label noise and m = c n^q Gaussian random features, {title}.",
        "prediction": f"E over its bound is at most {ENOUGH:g}",
    }
    return Reading(id=f"L6/{name}", title=title, **(defaults | parts))


READINGS = (
    reading(
        "without-approximation-term",
        "the risk is at most C (lambda^(2s) + sigma^2 N(lambda) / n) where N(lambda) <= min(n, m) / 10",
        latex=LATEX + "0" + FEW,
        hypotheses=(assumption_r, noisy_labels),
        domain=finitely_featured(critical_instances(smoothness(0.05, 0.9)) | in_the_ball),
        predict=some_constant,
        statement="For targets of the ball, s <= 1, or critical ones, s <= .9, with label noise and m = c n^q Gaussian random "
        "features, there is a C with E <= C (lambda^(2s) + sigma^2 N(lambda) / n) for all n and lambda with "
        "N(lambda) <= min(n, m) / 10.",
        prediction="E over its bound is bounded",
        observable=RiskRatioWithoutWidth(),
        expected="FALSIFIED",
        note="The features' part of the bias is lambda N(lambda)/m for s > 1/2: with few of them it is the largest term.",
    ),
    reading(
        "dimension-over-width",
        "the risk is at most 2 (R^2 lambda^(2s) + sigma^2 N(lambda) / n + R^2 lambda^min(2s, 1) N(lambda) / m) where "
        "N(lambda) <= min(n, m) / 10",
        latex=LATEX + r"\frac{N(\lambda)}{m} \lambda^{\min(2s, 1)}" + FEW,
        observable=RiskRatioWithDimension(),
        expected="SURVIVED",
        note="The approximation term that the equivalent has. For a target of the ball there is no logarithm at "
        "s = 1/2; for s > 1/2 lambda stands for |K|^(2s - 1) lambda.",
    ),
    reading(
        "operator-norm",
        "the risk is at most 2 (R^2 lambda^(2s) + sigma^2 N(lambda) / n + R^2 lambda^(2s - 2) |K| tr K / m) where "
        "N(lambda) <= min(n, m) / 10",
        latex=LATEX + r"\frac{1}{m} \lambda^{2s - 2}" + FEW,
        observable=RiskRatioWithOperatorNorm(),
        expected="SURVIVED",
        note="(|K_m - K| / lambda)^2 lambda^(2s) with |K_m - K| ~ m^(-1/2): true, and much larger than what is added in fact.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
