r"""Corollary 2: a context of fixed length changes constants, and a growing one that adds heads with tails no heavier keeps alpha.

The model (verifier/risk/multihead.py): K_n = w_n (K_1 + ... + K_H), H = H(n) heads; the target belongs to the first head, whose
tail index is beta, and its coefficients in L2 are fixed; the other heads have the tail index beta_a. Theorem 3, which the proof
appeals to, is a statement on each kernel by itself, and with a fixed number of heads nothing else is needed. With a number that
grows, each K_n has the tail index min(beta, beta_a), and the constants c1, c2 of Assumption R change with n: that is what can
change the exponent.

With H ~ n^g, s <= 1, and k = kappa/w = n^-x for the effective ridge:

* *Heads in one eigenbasis.* The eigenvalues are l_i + (H - 1) a_i. Whatever they are, a ridge that resolves the first m indices
  has the bias m^(-2 beta s) and the variance m/n, and there is one for each m: the oracle's exponent is alpha (Proposition 1: it
  is a function of the coefficients).
* *Disjoint heads.* The H - 1 others have no part of the target, and noise is heard through all of them: the variance is
  (k^(-1/beta) + n^g k^(-1/beta_a))/n, the bias k^(2s). The oracle's exponent is

      min(2s/(2s + 1/beta), 2s (1 - g)/(2s + 1/beta_a)),

  which is alpha as long as g <= g* = (1/beta - 1/beta_a)/(2s + 1/beta). For equal tails g* = 0, and the exponent is (1 - g)
  alpha: each head has n/H samples. A number of heads that grows as ln n costs a power of ln n, and keeps the exponent.
* *At the schedule*, lambda_n = n^-p, p = 1/(2s + 1/beta), the weights H^-a move the ridge, x = p - a g: averaged heads are
  regularised too much (bias 2 s x), summed ones of equal tails too little. In one eigenbasis the index n^q is resolved,
  q = max(x/beta, (x + g)/beta_a), and the exponent is min(2 beta s q, 1 - q); for disjoint heads it is
  min(2 s x, 1 - x/beta, 1 - g - x/beta_a). Neither is alpha but for special g.

Heavier tails are what the corollary excludes. Disjoint heads with beta_a < beta, fixed in number, have alpha(beta_a): the
minimum rule.
"""

from __future__ import annotations

from typing import Any

from properties.hypotheses import (
    NEAR_CRITICAL,
    added_tail,
    alpha,
    assumption_r,
    growth,
    growth_away_from_the_critical_one,
    growth_below_the_critical_one,
    noisy_labels,
)
from properties.strategies import hardest_targets, instances, noises, power_tails, smoothness
from properties.strategies.context import (
    fixed,
    heavier,
    lighter,
    logarithmic,
    near_the_critical_growth,
    no_other,
    powers,
    several,
    with_heads,
)
from verifier.claims import Exponent, Reading
from verifier.instances import CodiagonalHeads, DisjointHeads, Instance
from verifier.testing import check

SOURCE = "Corollary 2, section 3.3; proof in appendix A.15"
LATEX = r"K_n = w_n \sum_{h \le H(n)} K_h \;\Rightarrow\; \mathcal{E}(n) \sim n^{-\alpha}, \quad \alpha = \frac{2s}{2s + 1/\beta}"

plain = instances(power_tails(), hardest_targets(smoothness(0.05, 0.95), ("S-tail",)), noises(silent=False))
growing = logarithmic() | powers()
disjoint = with_heads(plain, powers(), geometries=(DisjointHeads,))
of_any_tail = (
    disjoint | near_the_critical_growth(disjoint) | with_heads(plain, powers(), heavier(), geometries=(DisjointHeads,))
)
of_lighter_tails = with_heads(plain, powers(), lighter(), geometries=(DisjointHeads,))


def exactly(instance: Instance) -> Exponent:
    """The exponent of the risk is alpha, that of the first head."""
    return Exponent(alpha(instance))


def of_the_heavier_tail(instance: Instance) -> Exponent:
    """2s/(2s + 1/beta_a)."""
    return Exponent(2.0 * instance.s / (2.0 * instance.s + 1.0 / added_tail(instance)))


def power_of_the_effective_ridge(instance: Instance) -> float:
    """x = p - a g: kappa/w = n^-x at the schedule."""
    weighting = float(getattr(instance.context, "weighting", 0.0))
    return instance.schedule_power - weighting * growth(instance)


def _scheduled(instance: Instance) -> tuple[float, tuple[float, float]]:
    """Exponent of the bias at the schedule, and exponents of the variance of which the smaller counts: of the first head and of the
    others, or of the indices that either resolves.
    """
    x, g, beta, added = power_of_the_effective_ridge(instance), growth(instance), instance.beta, added_tail(instance)
    if isinstance(instance.context, CodiagonalHeads):
        resolved = x / beta, (x + g) / added
        return 2.0 * beta * instance.s * max(resolved), (1.0 - resolved[0], 1.0 - resolved[1])
    return 2.0 * instance.s * x, (1.0 - x / beta, 1.0 - g - x / added)


def schedule_is_clear(instance: Instance) -> bool:
    """Bias and variance fall at least as n^-.05 at the schedule, and the variances of the first head and of the others, or the
    indices that they resolve, are a power of n apart, .05 at least.
    """
    bias, variances = _scheduled(instance)
    apart = abs(variances[0] - variances[1])
    return min(bias, *variances) >= NEAR_CRITICAL and apart >= NEAR_CRITICAL


def at_the_schedule(instance: Instance) -> Exponent:
    """The exponent at every growth, under the scheduled ridge."""
    bias, variances = _scheduled(instance)
    return Exponent(min(bias, *variances))


def with_the_oracle(instance: Instance) -> Exponent:
    """The exponent of disjoint heads at every growth, under the best ridge."""
    double = 2.0 * instance.s
    return Exponent(min(alpha(instance), double * (1.0 - growth(instance)) / (double + 1.0 / added_tail(instance))))


def of_the_samples_per_head(instance: Instance) -> Exponent:
    """(1 - g) alpha."""
    return Exponent((1.0 - growth(instance)) * alpha(instance))


def reading(name: str, title: str, **parts: Any) -> Reading:
    """A reading of Corollary 2: critical targets of the first head, s < 1, with noise and the oracle's ridge."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "hypotheses": (assumption_r, noisy_labels),
        "latex": LATEX,
        "statement": f"Under Assumption R, for critical targets of the first head, s <= .95, with label noise, {title}.",
        "predict": exactly,
        "prediction": "exponent = 2s/(2s + 1/beta)",
    }
    return Reading(id=f"C2/{name}", title=title, **(defaults | parts))


READINGS = (
    reading(
        "fixed-context",
        "with the oracle's ridge a fixed number of heads with tails no heavier keeps the exponent alpha",
        domain=with_heads(plain, fixed()),
        expected="SURVIVED",
        note="Theorem 3, in one eigenbasis and disjoint: constants change.",
    ),
    reading(
        "fixed-context-schedule",
        "with the scheduled ridge a fixed number of heads with tails no heavier keeps the exponent alpha",
        tuning="schedule",
        domain=with_heads(plain, fixed()),
        expected="SURVIVED",
        note="The weight of the first head moves the ridge by a constant.",
    ),
    reading(
        "growing-context",
        "with the oracle's ridge a growing number of heads with tails no heavier keeps the exponent alpha",
        domain=with_heads(plain, growing),
        expected="FALSIFIED",
        note="As stated. Disjoint heads share the samples between them.",
    ),
    reading(
        "growing-disjoint",
        "with the oracle's ridge H = c n^g disjoint heads with tails no heavier keep the exponent alpha",
        domain=disjoint | near_the_critical_growth(disjoint),
        expected="FALSIFIED",
        note="For g > g*, the growth below which lighter tails are not felt; g* = 0 for equal tails.",
    ),
    reading(
        "growing-codiagonal",
        "with the oracle's ridge a growing number of heads in one eigenbasis, with tails no heavier, keeps the exponent alpha",
        domain=with_heads(plain, growing, geometries=(CodiagonalHeads,)),
        expected="SURVIVED",
        note="The exponent is a function of the coefficients in L2, as in Proposition 1.",
    ),
    reading(
        "growing-logarithmic",
        "with the oracle's ridge c ln n heads with tails no heavier keep the exponent alpha",
        domain=with_heads(plain, logarithmic()),
        expected="SURVIVED",
        note="The risk is larger by a power of ln n.",
    ),
    reading(
        "below-the-critical-growth",
        "with the oracle's ridge H = c n^g disjoint heads of lighter tails keep the exponent alpha for g below g*",
        hypotheses=(assumption_r, noisy_labels, growth_below_the_critical_one),
        domain=near_the_critical_growth(of_lighter_tails, -0.3, -0.05).filter(growth_below_the_critical_one),
        expected="SURVIVED",
        note="g* = (1/beta - 1/beta_a)/(2s + 1/beta); g <= g* - .05.",
    ),
    reading(
        "exponent-at-every-growth",
        "with the oracle's ridge the exponent of disjoint heads is min(alpha, 2s(1 - g)/(2s + 1/beta_a)), whatever their tails",
        hypotheses=(assumption_r, noisy_labels, growth_away_from_the_critical_one),
        domain=of_any_tail.filter(growth_away_from_the_critical_one),
        predict=with_the_oracle,
        prediction="exponent = min(2s/(2s + 1/beta), 2s(1 - g)/(2s + 1/beta_a))",
        latex=r"\mathcal{E}(n) \sim n^{-\min(2s/(2s + 1/\beta),\, 2s(1 - g)/(2s + 1/\beta_a))}",
        expected="SURVIVED",
        note="|g - g*| >= .05.",
    ),
    reading(
        "samples-per-head",
        "with the oracle's ridge H = c n^g disjoint heads of one tail index have the exponent (1 - g) alpha",
        domain=with_heads(plain, powers(), no_other(), geometries=(DisjointHeads,)),
        predict=of_the_samples_per_head,
        prediction="exponent = (1 - g) 2s/(2s + 1/beta)",
        latex=r"\mathcal{E}(n) \sim (n/H)^{-\alpha}",
        expected="SURVIVED",
        note="As if each head had n/H samples of its own.",
    ),
    reading(
        "growing-schedule",
        "with the scheduled ridge a growing number of heads with tails no heavier keeps the exponent alpha",
        tuning="schedule",
        domain=with_heads(plain, powers()),
        expected="FALSIFIED",
        note="The weights move the ridge by a power of n: in one eigenbasis too, where the oracle would not notice.",
    ),
    reading(
        "schedule-exponent-at-every-growth",
        "with the scheduled ridge the exponent is min(2sx, 1 - x/beta, 1 - g - x/beta_a) for disjoint heads, and "
        "min(2 beta s q, 1 - q), q = max(x/beta, (x + g)/beta_a), in one eigenbasis; x = 1/(2s + 1/beta) - a g",
        tuning="schedule",
        hypotheses=(assumption_r, noisy_labels, schedule_is_clear),
        domain=with_heads(plain, powers()).filter(schedule_is_clear),
        predict=at_the_schedule,
        prediction="min(2sx, 1 - x/beta, 1 - g - x/beta_a), or min(2 beta s q, 1 - q) in one eigenbasis",
        latex=r"\mathcal{E}(n) \sim n^{-a(g)}",
        expected="SURVIVED",
        note="Weights H^-a. As long as the sample outnumbers the degrees of freedom, by n^.05 at least.",
    ),
    reading(
        "heavier-tails",
        "with the oracle's ridge a fixed number of heads with heavier tails keeps the exponent alpha",
        domain=with_heads(plain, fixed(), heavier()),
        expected="FALSIFIED",
        note="What the corollary excludes, and has to: disjoint heads are heard with the heavier tail.",
    ),
    reading(
        "heavier-tails-minimum-rule",
        "with the oracle's ridge a fixed number of disjoint heads with heavier tails has the exponent 2s/(2s + 1/beta_a)",
        domain=with_heads(plain, several(), heavier(), geometries=(DisjointHeads,)),
        predict=of_the_heavier_tail,
        prediction="exponent = 2s/(2s + 1/beta_a)",
        latex=LATEX.replace(r"1/\beta}", r"1/\beta_a}"),
        expected="SURVIVED",
        note="The minimum rule of Theorem 3.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
