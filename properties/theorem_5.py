r"""Theorem 5: with m random features in the place of the kernel the exponent stays alpha once m grows as a power of n.

The proposition names no degree, or one that its assumption |K_m - K| <= C m^-g asks for. Here the degree is derived. The model
are Gaussian features, phi = G x / sqrt(m), G with independent standard normal entries; risk in expectation over the sample, the
features and the noise. Its equivalent (Simon, Karkada, Ghosh and Belkin 2023; Defilippis, Loureiro and Misiakiewicz 2024;
:mod:`verifier.risk.features`) has at an effective ridge gamma, with z = sum l_i/(l_i + gamma) <= min(n, m), the terms

* :math:`\sum_i f_i^2 \gamma^2/(l_i + \gamma)^2 \asymp \gamma^{2s}`, the bias of the kernel (s < 1; a logarithm at s = 1);
* :math:`\rho\gamma \sum_i f_i^2 l_i/(l_i + \gamma)^2 \asymp (N(\gamma)/m)\, \gamma^{\min(2s, 1)}`, what the features add to it:
  the sum is dominated by l_i ~ gamma for s < 1/2, by the first eigenvalues for s > 1/2, with a logarithm between;
* :math:`\sigma^2 N(\gamma)/n`, the variance, up to constants that of the kernel,

where N(gamma) = gamma^(-1/beta). Write p = 1/(2s + 1/beta), so that gamma = n^-p is the best ridge without the second term,
which is the schedule, and alpha = 2 s p.

* *s <= 1/2.* The second term never exceeds the first. What is needed is that the features hold N(n^-p) = n^(p/beta) directions:
  q* = p/beta = 1/(2 beta s + 1). Below, gamma stays at m^-beta: the risk is m^(-2 beta s), the exponent 2 beta s q.
* *1/2 < s <= 1.* The second term is no larger than the third at gamma = n^-p if m >= n gamma: q* = 1 - p >= p/beta. Below, the
  last two terms balance at gamma = m/n, with the exponent 1 - (1 - q)/beta; where the features do not hold N(m/n) directions,
  q < 1/(1 + beta), gamma stays at m^-beta and the exponent is beta q.
* *At the schedule*, which does not know m, gamma is n^-p as long as m exceeds N(n^-p), and the exponent of the second term,
  q + p (1 - 1/beta), is that of the risk for p/beta <= q <= 1 - p, s > 1/2. Below q = p/beta nothing differs.

In one formula q* = max(p/beta, 1 - p). Rudi and Rosasco (2017, Theorem 3) ask for the degree (1 + (2s - 1)/beta) p for any bounded
features and s >= 1/2, which exceeds q* by 2 (1 - s)(1 - 1/beta) p; features drawn by their leverage scores, as Gaussian ones are in
effect, need (1/beta + 2s - 1) p = q* (same, Theorem 5). The operator norm, |K_m - K| ~ m^(-1/2) <= n^-p, asks for 2p, more than q*
whenever s <= 1: the perturbation may be larger than the ridge, as long as it is small beside it in the directions that count. A
width of the effective dimension, m = c N(n^-p), is q* for s <= 1/2; for s > 1/2 it is not enough, and gives the exponent p.
"""

from __future__ import annotations

from typing import Any

from properties.hypotheses import (
    alpha,
    assumption_r,
    critical_degree,
    degree,
    noisy_labels,
    s_away_from_half,
    width_above_the_critical_degree,
    width_away_from_the_critical_degree,
)
from properties.strategies import power_tails, smoothness
from properties.strategies.features import at_the_degree, critical_instances, featured
from verifier.claims import AtLeast, Exponent, Reading
from verifier.instances import Instance
from verifier.testing import check

SOURCE = "Theorem 5, section 2.2; proof in appendix A.12"
LATEX = r"m \ge n^q \;\Rightarrow\; \mathcal{E}(n) \sim n^{-\alpha}, \quad \alpha = \frac{2s}{2s + 1/\beta}"
UPPER_LATEX = LATEX.replace(r"\sim", r"\lesssim")


def exactly(instance: Instance) -> Exponent:
    """The exponent of the risk is alpha, that of the kernel."""
    return Exponent(alpha(instance))


def at_least(instance: Instance) -> AtLeast:
    """The risk is at most of the order n^-alpha."""
    return AtLeast(alpha(instance))


def degree_of_the_effective_dimension(instance: Instance) -> float:
    """Degree of N(lambda_n), p/beta."""
    return instance.schedule_power / instance.beta


def degree_of_the_operator_norm(instance: Instance) -> float:
    """Degree from which on m^(-1/2) <= lambda_n, 2p."""
    return 2.0 * instance.schedule_power


def degree_of_rudi_and_rosasco(instance: Instance) -> float:
    """Degree in Theorem 3 of Rudi and Rosasco (2017) for s >= 1/2, with their r = s and gamma = 1/beta."""
    return (1.0 + (2.0 * instance.s - 1.0) / instance.beta) * instance.schedule_power


def width_of_the_operator_norm(instance: Instance) -> bool:
    """q >= 2p."""
    return degree(instance) >= degree_of_the_operator_norm(instance)


def with_the_oracle(instance: Instance) -> Exponent:
    """The exponent at every degree, under the best ridge."""
    q, beta, double = degree(instance), instance.beta, 2.0 * instance.s
    if q >= critical_degree(instance):
        return exactly(instance)
    floor = q <= 1.0 / (1.0 + beta) or double <= 1.0
    return Exponent(beta * q * min(double, 1.0) if floor else 1.0 - (1.0 - q) / beta)


def at_the_schedule(instance: Instance) -> Exponent:
    """The exponent at every degree, under the scheduled ridge."""
    q, power, beta = degree(instance), instance.schedule_power, instance.beta
    if q >= critical_degree(instance):
        return exactly(instance)
    floor = q <= power / beta
    return Exponent(beta * q * min(2.0 * instance.s, 1.0) if floor else q + power * (1.0 - 1.0 / beta))


def at_the_effective_dimension(instance: Instance) -> Exponent:
    """p, the exponent for m = c N(lambda_n) and s >= 1/2."""
    return Exponent(instance.schedule_power)


def reading(name: str, title: str, features: str = "Gaussian random features", **parts: Any) -> Reading:
    """A reading of Theorem 5: m = c n^q features, critical targets, s <= 1, with noise."""
    upper = parts["predict"] is at_least
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "hypotheses": (assumption_r, noisy_labels),
        "latex": UPPER_LATEX if upper else LATEX,
        "statement": f"For critical targets, s <= 1, with label noise and {features}, {title}.",
        "prediction": "exponent >= 2s/(2s + 1/beta)" if upper else "exponent = 2s/(2s + 1/beta)",
    }
    return Reading(id=f"T5/{name}", title=title, **(defaults | parts))


READINGS = (
    reading(
        "above-the-critical-degree",
        "with the oracle's ridge m = c n^q features keep the exponent alpha for q above q*",
        hypotheses=(assumption_r, noisy_labels, width_above_the_critical_degree),
        domain=featured(critical_instances(spectra=power_tails())).filter(width_above_the_critical_degree),
        predict=exactly,
        expected="SURVIVED",
        note="q* = max(1/(2 beta s + 1), 1 - 1/(2s + 1/beta)); q >= q* + .05.",
    ),
    reading(
        "schedule-above-the-critical-degree",
        "with the scheduled ridge m = c n^q features keep the exponent alpha for q above q*",
        tuning="schedule",
        hypotheses=(assumption_r, noisy_labels, width_above_the_critical_degree),
        domain=featured(critical_instances(spectra=power_tails())).filter(width_above_the_critical_degree),
        predict=exactly,
        expected="SURVIVED",
        note="The critical degree is that of the oracle's ridge: at q* the schedule is of the best order.",
    ),
    reading(
        "every-degree",
        "with the oracle's ridge the risk is at most of the order n^-alpha for m = c n^q features, whatever q > 0",
        domain=featured(critical_instances()),
        predict=at_least,
        expected="FALSIFIED",
        note="'m grows polynomially' without a degree. The upper bound is the weakest form: the two-sided one falls with it.",
    ),
    reading(
        "exponent-at-every-degree",
        "with the oracle's ridge the exponent is alpha above q*, and below it 2 beta s q for s <= 1/2, "
        "max(1 - (1 - q)/beta, beta q at q <= 1/(1 + beta)) for s > 1/2",
        hypotheses=(assumption_r, noisy_labels, width_away_from_the_critical_degree),
        domain=featured(critical_instances()).filter(width_away_from_the_critical_degree),
        predict=with_the_oracle,
        prediction="alpha for q >= q*; else beta q min(2s, 1), or 1 - (1 - q)/beta for s > 1/2 and q > 1/(1 + beta)",
        latex=r"\mathcal{E}(n) \sim n^{-a(q)}",
        expected="SURVIVED",
        note="The best ridge makes room for what the features add to the bias; |q - q*| >= .05.",
    ),
    reading(
        "schedule-exponent-at-every-degree",
        "with the scheduled ridge the exponent is alpha above q*, beta q min(2s, 1) below the degree of N(lambda_n), and "
        "q + (1 - 1/beta)/(2s + 1/beta) between the two",
        tuning="schedule",
        hypotheses=(assumption_r, noisy_labels, width_away_from_the_critical_degree),
        domain=featured(critical_instances()).filter(width_away_from_the_critical_degree),
        predict=at_the_schedule,
        prediction="alpha for q >= q*; else beta q min(2s, 1), or q + p (1 - 1/beta) for q > p/beta, p = 1/(2s + 1/beta)",
        latex=r"\mathcal{E}(n) \sim n^{-a(q)}",
        expected="SURVIVED",
        note="For s <= 1/2 as with the best ridge: there is nothing between. |q - q*| >= .05.",
    ),
    reading(
        "operator-norm-degree",
        "with the scheduled ridge the exponent is alpha where |K_m - K| ~ m^(-1/2) is at most lambda_n, q >= 2/(2s + 1/beta)",
        tuning="schedule",
        hypotheses=(assumption_r, noisy_labels, width_of_the_operator_norm, width_above_the_critical_degree),
        domain=at_the_degree(critical_instances(spectra=power_tails()), degree_of_the_operator_norm).filter(
            width_above_the_critical_degree
        ),
        predict=exactly,
        expected="SURVIVED",
        note="What the assumption |K_m - K| <= C m^-g with g = 1/2 gives. More than is needed: 2p > q* for all s <= 1; "
        "as s and beta tend to 1 the two meet, and q >= q* + .05 is asked for too.",
    ),
    reading(
        "rudi-rosasco-degree",
        "with the scheduled ridge the risk is at most of the order n^-alpha for the degree of Rudi and Rosasco, 1/2 <= s <= 1",
        tuning="schedule",
        domain=at_the_degree(critical_instances(smoothness(0.5, 1.0)), degree_of_rudi_and_rosasco),
        predict=at_least,
        expected="SURVIVED",
        note="q = (1 + (2s - 1)/beta)/(2s + 1/beta), sufficient for any bounded features; equal to q* at s = 1.",
    ),
    reading(
        "effective-dimension-s-below-half",
        "with the scheduled ridge m = c N(lambda_n) features keep the exponent alpha for s < 1/2",
        tuning="schedule",
        domain=at_the_degree(critical_instances(smoothness(0.05, 0.45)), degree_of_the_effective_dimension),
        predict=exactly,
        expected="SURVIVED",
        note="The critical degree itself: constants change, and no logarithm appears for s < 1/2.",
    ),
    reading(
        "effective-dimension",
        "with the oracle's ridge the risk is at most of the order n^-alpha for m = c N(lambda_n) features, s <= 1",
        domain=at_the_degree(critical_instances(), degree_of_the_effective_dimension),
        predict=at_least,
        expected="FALSIFIED",
        note="For s > 1/2 the features must also represent the target: the exponent is 1/(2s + 1/beta), not 2s/(2s + 1/beta).",
    ),
    reading(
        "effective-dimension-exponent",
        "with the oracle's ridge the exponent is 1/(2s + 1/beta) for m = c N(lambda_n) features, s > 1/2",
        hypotheses=(assumption_r, noisy_labels, s_away_from_half),
        domain=at_the_degree(critical_instances(smoothness(0.55, 1.0)), degree_of_the_effective_dimension),
        predict=at_the_effective_dimension,
        prediction="exponent = 1/(2s + 1/beta)",
        latex=r"m = c N(\lambda_n) \;\Rightarrow\; \mathcal{E}(n) \sim n^{-1/(2s + 1/\beta)}",
        expected="SURVIVED",
        note="m^-beta, the floor of the features.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
