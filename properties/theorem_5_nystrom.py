r"""Theorem 5 for Nystrom features: ridge regression on the span of m landmarks keeps the exponent alpha once m = c n^q, q >= q*.

The proposition speaks of "random features or a Nystrom approximation" and names no degree. With landmarks of the law of the inputs,
independent of the sample, the equivalent of :mod:`verifier.risk.nystrom` has two regimes. At the ridge kappa,
:math:`N = \kappa^{-1/\beta}`:

* m of the order N or more: bias and variance are of the order of those of the kernel, :math:`\kappa^{2s}` and N/n. What the span
  misses is :math:`\sum_{i > m} f_i^2 \asymp m^{-2\beta s}`, no more than the bias.
* m < N: the variance is m/n, and the bias :math:`m^{-2\beta\min(s, 1)}`: for s <= 1 the energy beyond the first m eigenfunctions,
  for s > 1 what m random functions lose of the first ones (a logarithm at s = 1), the same number at which ridge saturates.

The best ridge without landmarks has :math:`N = n^{q^*}`, :math:`q^* = 1/(2\beta\min(s, 1) + 1)`. So q* is the critical degree, and
below it the exponent is :math:`2\beta\min(s, 1)\,q`: nothing lies between. Rudi, Camoriano and Rosasco (2015) prove that m of
the order of the effective dimension, up to logarithms, is enough for landmarks drawn by leverage scores, and 1/2 <= s <= 1;
Gaussian inputs have leverages of one order, so landmarks of their own law do as well. Gaussian random features need more for
s > 1/2 (properties/theorem_5.py): they smear the target's first coefficients over all directions, the span of landmarks loses less
of them.

Under the schedule, :math:`\kappa \sim n^{-p}`, p = 1/(2s + 1/beta), N is of the degree p/beta, which for s <= 1 is q*: the same
exponents.
"""

from __future__ import annotations

from functools import partial

from properties import theorem_5
from properties.hypotheses import alpha, assumption_r, degree, noisy_labels
from properties.strategies import power_tails, smoothness
from properties.strategies.features import critical_instances
from properties.strategies.nystrom import (
    NEAR_CRITICAL,
    at_the_degree_of_the_effective_dimension,
    critical_degree_of_landmarks,
    finitely_many_landmarks,
    with_landmarks,
)
from properties.theorem_5 import at_least, exactly
from verifier.claims import Exponent, Reading
from verifier.instances import Instance
from verifier.testing import check

reading = partial(theorem_5.reading, features="Nystrom features")


def above_the_critical_degree(instance: Instance) -> bool:
    """q >= q* + .05, q* = 1/(2 beta min(s, 1) + 1)."""
    return degree(instance) >= critical_degree_of_landmarks(instance) + NEAR_CRITICAL


def away_from_the_critical_degree(instance: Instance) -> bool:
    """|q - q*| >= .05, q* = 1/(2 beta min(s, 1) + 1): closer, two powers of n differ by too little for either to lead."""
    return abs(degree(instance) - critical_degree_of_landmarks(instance)) >= NEAR_CRITICAL


def at_every_degree(instance: Instance) -> Exponent:
    """alpha, or 2 beta s q where that is smaller (s <= 1)."""
    return Exponent(min(alpha(instance), 2.0 * instance.beta * instance.s * degree(instance)))


READINGS = (
    reading(
        "nystrom-above-the-critical-degree",
        "with the oracle's ridge m = c n^q landmarks keep the exponent alpha for q above 1/(2 beta s + 1)",
        hypotheses=(assumption_r, noisy_labels, above_the_critical_degree),
        domain=with_landmarks(critical_instances(spectra=power_tails())).filter(above_the_critical_degree),
        predict=exactly,
        expected="SURVIVED",
        note="The degree of the effective dimension, for every s <= 1: Gaussian features need more for s > 1/2. q >= q* + .05.",
    ),
    reading(
        "nystrom-every-degree",
        "with the oracle's ridge the risk is at most of the order n^-alpha for m = c n^q landmarks, whatever q > 0",
        domain=with_landmarks(critical_instances()),
        predict=at_least,
        expected="FALSIFIED",
        note="Fewer landmarks than N(lambda_n) miss more of the target than ridge does.",
    ),
    reading(
        "nystrom-exponent-at-every-degree",
        "with the oracle's ridge the exponent is min(alpha, 2 beta s q) for m = c n^q landmarks",
        hypotheses=(assumption_r, noisy_labels, away_from_the_critical_degree),
        domain=with_landmarks(critical_instances()).filter(away_from_the_critical_degree),
        predict=at_every_degree,
        prediction="exponent = min(2s/(2s + 1/beta), 2 beta s q)",
        latex=r"\mathcal{E}(n) \sim n^{-\min(\alpha,\, 2\beta s q)}",
        expected="SURVIVED",
        note="Below q* the energy beyond the first m eigenfunctions; |q - q*| >= .05.",
    ),
    reading(
        "nystrom-schedule-exponent-at-every-degree",
        "with the scheduled ridge the exponent is min(alpha, 2 beta s q) for m = c n^q landmarks",
        tuning="schedule",
        hypotheses=(assumption_r, noisy_labels, away_from_the_critical_degree),
        domain=with_landmarks(critical_instances()).filter(away_from_the_critical_degree),
        predict=at_every_degree,
        prediction="exponent = min(2s/(2s + 1/beta), 2 beta s q)",
        latex=r"\mathcal{E}(n) \sim n^{-\min(\alpha,\, 2\beta s q)}",
        expected="SURVIVED",
        note="As with the oracle's ridge; |q - q*| >= .05.",
    ),
    reading(
        "nystrom-effective-dimension",
        "with the scheduled ridge m = c N(lambda_n) landmarks keep the exponent alpha",
        tuning="schedule",
        domain=at_the_degree_of_the_effective_dimension(critical_instances(smoothness(0.05, 0.95))),
        predict=exactly,
        expected="SURVIVED",
        note="The critical degree itself, where constants change and nothing else (s < 1): Rudi, Camoriano and Rosasco (2015).",
    ),
    reading(
        "nystrom-fixed",
        "with the oracle's ridge a fixed number of landmarks leaves the risk at most of the order n^-alpha",
        domain=finitely_many_landmarks(critical_instances()),
        predict=at_least,
        expected="FALSIFIED",
        note="'Finite width changes constants, not the exponent': the span of m functions misses m^-(2 beta s) of the target, at "
        "every n.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
