r"""Corollary 2: a context of fixed length changes constants, and a growing one that adds heads with tails no heavier keeps alpha.

The model (verifier/risk/multihead.py): K_n = w_n (K_1 + ... + K_H), H = H(n) heads; the target belongs to the first head, whose tail
index is beta, and its coefficients in L2 are fixed; the other heads have the tail index beta_a. Theorem 3, which the proof appeals to,
is a statement on each kernel by itself, and with a fixed number of heads nothing else is needed. With a number that grows, each K_n
has the tail index min(beta, beta_a), and the constants c1, c2 of Assumption R change with n: that is what can change the exponent.

With H ~ n^g, s <= 1, and k = kappa/w = n^-x for the effective ridge:

* *Heads in one eigenbasis.* The eigenvalues are l_i + (H - 1) a_i. Whatever they are, a ridge that resolves the first m indices has the
  bias m^(-2 beta s) and the variance m/n, and there is one for each m: the oracle's exponent is alpha (Proposition 1: it is a function
  of the coefficients).
* *Disjoint heads.* The H - 1 others have no part of the target, and noise is heard through all of them: the variance is
  (k^(-1/beta) + n^g k^(-1/beta_a))/n, the bias k^(2s). The oracle's exponent is

      min(2s/(2s + 1/beta), 2s (1 - g)/(2s + 1/beta_a)),

  which is alpha as long as g <= g* = (1/beta - 1/beta_a)/(2s + 1/beta). For equal tails g* = 0, and the exponent is (1 - g) alpha: each
  head has n/H samples. A number of heads that grows as ln n costs a power of ln n, and keeps the exponent.
* *At the schedule*, lambda_n = n^-p, p = 1/(2s + 1/beta), the weights H^-a move the ridge, x = p - a g: averaged heads are regularised
  too much (bias 2 s x), summed ones of equal tails too little. In one eigenbasis the index n^q is resolved,
  q = max(x/beta, (x + g)/beta_a), and the exponent is min(2 beta s q, 1 - q); for disjoint heads it is
  min(2 s x, 1 - x/beta, 1 - g - x/beta_a). Neither is alpha but for special g.

Heavier tails are what the corollary excludes. Disjoint heads with beta_a < beta, fixed in number, have alpha(beta_a): the minimum rule.
"""

from __future__ import annotations

from typing import Any

from properties.hypotheses import alpha, assumption_r, noisy_labels
from properties.strategies import hardest_targets, instances, noises, power_tails, smoothness
from properties.strategies.context import fixed, heavier, logarithmic, powers, with_heads
from verifier.claims import Exponent, Reading
from verifier.instances import CodiagonalHeads, DisjointHeads, Instance
from verifier.testing import check

SOURCE = "Corollary 2, section 3.3; proof in appendix A.15"
LATEX = r"K_n = w_n \sum_{h \le H(n)} K_h \;\Rightarrow\; \mathcal{E}(n) \sim n^{-\alpha}, \quad \alpha = \frac{2s}{2s + 1/\beta}"
APART = 0.05
"""Distance from the critical growth below which nothing is claimed."""

plain = instances(power_tails(), hardest_targets(smoothness(0.05, 0.95), ("S-tail",)), noises(silent=False))
growing = logarithmic() | powers()


def growth(instance: Instance) -> float:
    """g of H = c n^g; zero for a number that is fixed or grows as ln n."""
    return float(getattr(instance.context, "degree", 0.0))


def added_tail(instance: Instance) -> float:
    """Tail index of the heads that are added; that of the first one where there are none."""
    added = getattr(instance.context, "added", None)
    return instance.beta if added is None else float(added.beta)


def critical_growth(instance: Instance) -> float:
    """g*, up to which disjoint heads leave the oracle's exponent as it is."""
    return (1.0 / instance.beta - 1.0 / added_tail(instance)) / (2.0 * instance.s + 1.0 / instance.beta)


def below_the_critical_growth(instance: Instance) -> bool:
    """g <= g* - .05."""
    return growth(instance) <= critical_growth(instance) - APART


def away_from_the_critical_growth(instance: Instance) -> bool:
    """|g - g*| >= .05: closer, two powers of n differ by too little for either to lead."""
    return abs(growth(instance) - critical_growth(instance)) >= APART


def exactly(instance: Instance) -> Exponent:
    """The exponent of the risk is alpha, that of the first head."""
    return Exponent(alpha(instance))


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
        hypotheses=(assumption_r, noisy_labels, below_the_critical_growth),
        domain=with_heads(plain, powers(), geometries=(DisjointHeads,)).filter(below_the_critical_growth),
        expected="SURVIVED",
        note="g* = (1/beta - 1/beta_a)/(2s + 1/beta); g <= g* - .05.",
    ),
    reading(
        "exponent-at-every-growth",
        "with the oracle's ridge the exponent of disjoint heads is min(alpha, 2s(1 - g)/(2s + 1/beta_a)), whatever their tails",
        hypotheses=(assumption_r, noisy_labels, away_from_the_critical_growth),
        domain=with_heads(plain, powers(), geometries=(DisjointHeads,)).filter(away_from_the_critical_growth)
        | with_heads(plain, powers(), heavier(), geometries=(DisjointHeads,)).filter(away_from_the_critical_growth),
        predict=with_the_oracle,
        prediction="exponent = min(2s/(2s + 1/beta), 2s(1 - g)/(2s + 1/beta_a))",
        latex=r"\mathcal{E}(n) \sim n^{-\min(2s/(2s + 1/\beta),\, 2s(1 - g)/(2s + 1/\beta_a))}",
        expected="SURVIVED",
        note="|g - g*| >= .05.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
