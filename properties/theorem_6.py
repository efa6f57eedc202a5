r"""Theorem 6: early stopping is equivalent to ridge regression with lambda = 1/(eta t), and keeps the exponent alpha.

What the theorem adds to Theorems 1 to 3 is the estimator: a linearised transformer is trained by descent on the squared loss, and
stopped after t steps of size eta. (Its tail index, the smallest of heads and MLP, is Theorem 3.) Gradient flow and gradient
descent are the filters exp(-x/lambda) and (1 - eta x)^(1/(eta lambda)) of the eigenvalues x of the sample (Yao, Rosasco and
Caponnetto 2007; momentum mu makes eta/(1 - mu) of eta, Polyak 1964), ridge regression is lambda/(x + lambda). All three learn what
is above lambda and leave what is below, so that

* the variance sigma^2 N(lambda)/n is the same up to a constant between them;
* the bias is sum f_i^2 g(l_i)^2, of the order lambda^(2s) under critical targets as long as g(x) <= C (lambda/x)^s: s < 1 for ridge
  regression, whose bias is of the order lambda^2 beyond (saturation, with a logarithm at s = 1), and any s for descent, which has
  no qualification (Bauer, Pereverzev and Rosasco 2007).

So the two are equivalent, as orders, for s < 1: their ratio at the same lambda tends to a constant, which is not one. For s > 1
they are not: descent has the exponent 2s/(2s + 1/beta), ridge regression at the same lambda 2/(2s + 1/beta), and their ratio falls
as n^(-(2s - 2)/(2s + 1/beta)). There the theorem's exponent is right *because* early stopping is not equivalent to ridge
regression, and its proof, which goes through ridge regression, is not. Derivation of the risk: verifier/risk/filters.py.

Appendix A.13 speaks of early-stopped SGD. In a single pass with a constant step eta = 1/(lambda n) the bias is that of flow, of the
order lambda^(2s), as long as eta tr Sigma is bounded, lambda >= c/n; the noise is another matter (verifier/risk/single_pass.py):

* *last iterate*: every step brings in fresh noise, and its level is eta sigma^2 tr(Sigma)/2, of the order 1/(lambda n), larger than
  N(lambda)/n. At the schedule the exponent is min(alpha, 1 - p), p = 1/(2s + 1/beta), and the best constant step gives
  2s/(2s + 1), as for a kernel of which nothing but a trace is known.
* *mean of the iterates* (Polyak and Juditsky 1992): the noise is of the order N(lambda)/n and the bias has the qualification 1. The
  exponent is alpha for s <= 1 as long as the schedule is within reach, p <= 1; for 2s < 1 - 1/beta one pass is not enough, lambda
  stays at c/n, and the exponent is 2s (Dieuleveut and Bach 2016; several passes mend it: Pillaud-Vivien, Rudi and Bach 2018).

With T = n^a draws from the n samples, with replacement, and eta = 1/(lambda T) (verifier/risk/multi_pass.py), the mean over the
draws is full-batch descent, whose exponent is alpha once the schedule is within reach, a >= p. The draws add

* to the *last iterate* eta sigma^2 tr(Sigma)/2, of the order n^(p - a): alpha takes a >= p + alpha = (2s + 1)p draws, that is
  n^((1 - 1/beta)p) passes, and fewer leave the exponent a - p;
* to the *mean of the iterates* sigma^2 N(lambda)/T, no more than the variance as soon as a >= 1: alpha for s <= 1 as long as
  a >= p, that is n^(p - 1) passes where one is not enough, and 2 s a otherwise.

The best constant step (verifier/risk/steps.py) balances bias and noise: of the mean it is that of the schedule, within its bound;
of the last iterate 1/(eta T) = n^-min(p, a/(2s + 1)), and the exponent min(alpha, 2 s a/(2s + 1)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis.strategies import SearchStrategy

from properties.hypotheses import alpha, assumption_r, noisy_labels
from properties.strategies import decimals, hardest_targets, instances, noises, power_tails, smoothness
from properties.strategies.filters import (
    as_many_draws_as_samples,
    descents,
    few_or_many_passes,
    filtered,
    last_iterate,
    mean_iterate,
    several_passes,
)
from verifier.claims import AtLeast, Bound, Exponent, Reading, Theta
from verifier.instances import Instance, MultiPass, PowerLaw, SinglePass
from verifier.risk.descent import RiskBesideRidge, RiskOffRidge
from verifier.testing import check

SOURCE = "Theorem 6, section 3; proof in appendix A.13"
LATEX = r"\mathcal{E}(n) \sim n^{-\alpha}, \quad \alpha = \frac{2s}{2s + 1/\beta}"
SAME = 1.1
"""A generous reading of "acts as ridge", for the risk at the same lambda."""


def critical_targets(largest: float) -> SearchStrategy[Instance]:
    """Power tails, critical targets of an index up to ``largest``, with noise."""
    return instances(power_tails(), hardest_targets(smoothness(0.05, largest), ("S-tail",)), noises(silent=False))


rough = critical_targets(0.95)
up_to_2_5, below_1 = filtered(critical_targets(2.5), descents()), filtered(rough, descents())
one_pass, one_averaged_pass = filtered(rough, last_iterate()), filtered(rough, mean_iterate())
last_draws, mean_draws = filtered(rough, several_passes(averaged=False)), filtered(rough, several_passes(averaged=True))
one_averaged_pass_of_draws = filtered(rough, as_many_draws_as_samples(averaged=True))
steep = instances(
    decimals(3.0, 6.0, near=4.0, places=1).map(PowerLaw),
    hardest_targets(smoothness(0.35, 0.65), ("S-tail",)),
    noises(silent=False),
)
few_or_many_last_draws = filtered(steep, few_or_many_passes(averaged=False))


@dataclass(frozen=True)
class BestConstantStep:
    """The step n^(-2s/(2s + 1)), which balances bias and noise of the last iterate: 1/(eta n) = n^(-1/(2s + 1))."""

    def power(self, instance: Instance) -> float:
        """1/(2s + 1)."""
        return 1.0 / (2.0 * instance.s + 1.0)

    def __call__(self, instance: Instance, n: float) -> float:
        return float(n ** -self.power(instance))


def one_pass_is_more_or_less_than_enough(instance: Instance) -> bool:
    """|p - 1| >= .05: the schedule's lambda is above 1/n, or below it, by a power of n."""
    return abs(instance.schedule_power - 1.0) >= 0.05


def draws(instance: Instance) -> float:
    """The a of n^a draws; 1 in a single pass."""
    assert isinstance(instance.filter, SinglePass | MultiPass)
    return instance.filter.degree


def enough_draws(instance: Instance) -> bool:
    """a >= p + .05: the schedule's time is reached by a step that is within its bound."""
    return draws(instance) >= instance.schedule_power + 0.05


def far_from_enough_for_the_last_iterate(instance: Instance) -> bool:
    """a and (2s + 1)p at least .3 apart: a simulation can see which of them is larger."""
    return abs(draws(instance) - (2.0 * instance.s + 1.0) * instance.schedule_power) >= 0.3


def more_or_less_than_enough_draws(instance: Instance) -> bool:
    """|p - a| >= .05: the schedule's lambda is above 1/T, or below it, by a power of n."""
    return abs(instance.schedule_power - draws(instance)) >= 0.05


def bias_meets_one_noise(instance: Instance) -> bool:
    """alpha and 2s a/(2s + 1) at least .03 apart: of what the last iterate's bias is balanced with one term leads."""
    return abs(alpha(instance) - draws(instance) * of_the_last_iterate(instance).value) >= 0.03


def of_the_last_draw(instance: Instance) -> Exponent:
    """alpha, or a - p where what the draws add is larger."""
    return Exponent(min(alpha(instance), draws(instance) - instance.schedule_power))


def of_the_last_iterate(instance: Instance) -> Exponent:
    """2s/(2s + 1), whatever beta."""
    return Exponent(2.0 * instance.s / (2.0 * instance.s + 1.0))


def of_one_averaged_pass(instance: Instance) -> Exponent:
    """alpha, or 2s where the schedule is out of reach."""
    return Exponent(min(alpha(instance), 2.0 * instance.s))


def exactly(instance: Instance) -> Exponent:
    """The exponent of the risk is alpha."""
    return Exponent(alpha(instance))


def of_the_last_draw_tuned(instance: Instance) -> Exponent:
    """alpha, or 2s a/(2s + 1), at which the floor of the steps is of the order of the bias."""
    return Exponent(min(alpha(instance), draws(instance) * of_the_last_iterate(instance).value))


def of_the_mean_tuned(instance: Instance) -> Exponent:
    """alpha, or 2s a where the best time is out of reach."""
    return Exponent(min(alpha(instance), 2.0 * instance.s * draws(instance)))


def reading(name: str, title: str, **parts: Any) -> Reading:
    """A reading of Theorem 6: gradient flow and gradient descent, critical targets, with noise."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "tuning": "schedule",
        "hypotheses": (assumption_r, noisy_labels),
        "latex": LATEX,
        "statement": f"For critical targets with label noise, s <= 2.5, and descent stopped at eta t = 1/lambda, {title}.",
        "domain": up_to_2_5,
        "prediction": "exponent = 2s/(2s + 1/beta)",
        "expected": "SURVIVED",
    }
    return Reading(id=f"T6/{name}", title=title, **(defaults | parts))


READINGS = (
    reading(
        "early-stopping",
        "stopped at eta t = n^(1/(2s + 1/beta)), descent has the exponent alpha, for s up to 2.5",
        predict=exactly,
        note="Also where ridge regression saturates: descent has no qualification.",
    ),
    reading(
        "best-stopping",
        "stopped at the best time, descent has the exponent alpha, for s up to 2.5",
        tuning="optimal",
        predict=exactly,
        note="The schedule is of the best order.",
    ),
    reading(
        "equivalent-to-ridge",
        "the risk of descent and that of ridge regression at lambda = 1/(eta t) are of one order, for s up to 2.5",
        observable=RiskBesideRidge(),
        predict=lambda instance: Theta(0.0),
        prediction="risk / risk of ridge regression bounded above and below",
        latex=r"\mathcal{E}_t(n) \asymp \mathcal{E}_{\lambda = 1/(\eta t)}(n)",
        expected="FALSIFIED",
        note="For s > 1 ridge regression saturates and descent does not.",
    ),
    reading(
        "equivalent-to-ridge-s-below-1",
        "the risk of descent and that of ridge regression at lambda = 1/(eta t) are of one order, for s <= .95",
        domain=below_1,
        observable=RiskBesideRidge(),
        predict=lambda instance: Theta(0.0),
        prediction="risk / risk of ridge regression bounded above and below",
        latex=r"\mathcal{E}_t(n) \asymp \mathcal{E}_{\lambda = 1/(\eta t)}(n)",
        note="At s = 1 ridge regression has a logarithm that descent has not.",
    ),
    reading(
        "no-worse-than-ridge",
        "the risk of descent is at most of the order of that of ridge regression at lambda = 1/(eta t), for s up to 2.5",
        observable=RiskBesideRidge(),
        predict=lambda instance: AtLeast(0.0),
        prediction="exponent of risk / risk of ridge regression >= 0",
        latex=r"\mathcal{E}_t(n) \lesssim \mathcal{E}_{\lambda = 1/(\eta t)}(n)",
        note="The half of the equivalence that holds without a condition.",
    ),
    reading(
        "same-as-ridge",
        "the risk of descent is within a tenth of that of ridge regression at lambda = 1/(eta t), for s <= .95",
        domain=below_1,
        observable=RiskOffRidge(),
        predict=lambda instance: Bound(SAME),
        prediction="risk / risk of ridge regression between 1/1.1 and 1.1",
        latex=r"\mathcal{E}_t(n) \simeq \mathcal{E}_{\lambda = 1/(\eta t)}(n)",
        expected="FALSIFIED",
        note="Constants differ: the variance of flow against that of ridge regression alone by up to a factor of two.",
    ),
    reading(
        "single-pass",
        "a single pass, its last iterate or the mean of them, with eta n = n^(1/(2s + 1/beta)), has the exponent alpha, s <= .95",
        domain=one_pass | one_averaged_pass,
        predict=exactly,
        expected="FALSIFIED",
        note="The noise of the last steps is averaged by nobody but the mean: it is of the order of the step.",
    ),
    reading(
        "single-pass-best-step",
        "the last iterate of a single pass with the best constant step has the exponent 2s/(2s + 1), for s <= .95",
        tuning=BestConstantStep(),
        domain=one_pass,
        predict=of_the_last_iterate,
        prediction="exponent = 2s/(2s + 1)",
        latex=r"\mathcal{E}(n) \sim n^{-2s/(2s + 1)}",
        note="No constant step gives more: the tail index no longer matters.",
    ),
    reading(
        "single-pass-tuned",
        "the last iterate of a single pass with the oracle's constant step has the exponent 2s/(2s + 1), for s <= .95",
        tuning="optimal",
        domain=one_pass,
        predict=of_the_last_iterate,
        prediction="exponent = 2s/(2s + 1)",
        latex=r"\mathcal{E}(n) \sim n^{-2s/(2s + 1)}",
        note="No tuning of a constant step gives more.",
    ),
    reading(
        "averaged-pass",
        "the mean of the iterates of a single pass, with eta n = n^(1/(2s + 1/beta)), has the exponent alpha, for s <= .95",
        domain=one_averaged_pass,
        hypotheses=(assumption_r, noisy_labels, one_pass_is_more_or_less_than_enough),
        predict=exactly,
        expected="FALSIFIED",
        note="For 2s + 1/beta < 1 one pass is over before the schedule's time.",
    ),
    reading(
        "averaged-pass-exponent",
        "the mean of the iterates of a single pass, with eta n = n^(1/(2s + 1/beta)) or n, has the exponent min(alpha, 2s)",
        domain=one_averaged_pass,
        hypotheses=(assumption_r, noisy_labels, one_pass_is_more_or_less_than_enough),
        predict=of_one_averaged_pass,
        prediction="exponent = min(2s/(2s + 1/beta), 2s)",
        latex=r"\mathcal{E}(n) \sim n^{-\min(\alpha, 2s)}",
        note="Single-pass SGD is optimal for 2s + 1/beta > 1 only.",
    ),
    reading(
        "averaged-pass-tuned",
        "the mean of the iterates of a single pass with the oracle's constant step has the exponent min(alpha, 2s), for s <= .95",
        tuning="optimal",
        domain=one_averaged_pass,
        hypotheses=(assumption_r, noisy_labels, one_pass_is_more_or_less_than_enough),
        predict=of_the_mean_tuned,
        prediction="exponent = min(2s/(2s + 1/beta), 2s)",
        latex=r"\mathcal{E}(n) \sim n^{-\min(\alpha, 2s)}",
        note="The schedule is of the best order, and one pass too short for 2s + 1/beta < 1 with any step.",
    ),
    reading(
        "passes-averaged",
        "the mean of the iterates of n^a draws from the samples, eta n^a = n^(1/(2s + 1/beta)), a >= 1, has the exponent alpha "
        "once a exceeds 1/(2s + 1/beta)",
        domain=mean_draws,
        hypotheses=(assumption_r, noisy_labels, enough_draws),
        predict=exactly,
        note="Several passes mend what one cannot do: n^(p - 1) of them where p = 1/(2s + 1/beta) exceeds one.",
    ),
    reading(
        "passes-last-iterate",
        "the last iterate of n^a draws from the samples, eta n^a = n^(1/(2s + 1/beta)), has the exponent alpha once a exceeds "
        "1/(2s + 1/beta), a and (2s + 1)/(2s + 1/beta) at least .3 apart",
        domain=few_or_many_last_draws,
        hypotheses=(assumption_r, noisy_labels, enough_draws, far_from_enough_for_the_last_iterate),
        predict=exactly,
        expected="FALSIFIED",
        note="The step leaves a floor of the order eta, however many passes brought the mean there.",
    ),
    reading(
        "passes-last-iterate-exponent",
        "the last iterate of n^a draws from the samples, eta n^a = n^p, p = 1/(2s + 1/beta) < a, has the exponent "
        "min(alpha, a - p)",
        domain=last_draws,
        hypotheses=(assumption_r, noisy_labels, enough_draws),
        predict=of_the_last_draw,
        prediction="exponent = min(2s/(2s + 1/beta), a - 1/(2s + 1/beta))",
        latex=r"\mathcal{E}(n) \sim n^{-\min(\alpha, a - p)}",
        note="Early-stopped SGD keeps alpha with n^((1 - 1/beta)p) passes, more than one at any smoothness.",
    ),
    reading(
        "passes-averaged-tuned",
        "the mean of the iterates of n^a draws from the samples, with the oracle's constant step, has the exponent "
        "min(alpha, 2 s a)",
        tuning="optimal",
        domain=mean_draws | one_averaged_pass_of_draws,
        hypotheses=(assumption_r, noisy_labels, more_or_less_than_enough_draws),
        predict=of_the_mean_tuned,
        prediction="exponent = min(2s/(2s + 1/beta), 2 s a)",
        latex=r"\mathcal{E}(n) \sim n^{-\min(\alpha, 2sa)}",
        note="Passes make up for what the step is bounded by, and are all that does.",
    ),
    reading(
        "passes-last-iterate-tuned",
        "the last iterate of n^a draws from the samples, with the oracle's constant step, has the exponent "
        "min(alpha, 2 s a/(2s + 1))",
        tuning="optimal",
        domain=last_draws,
        hypotheses=(assumption_r, noisy_labels, bias_meets_one_noise),
        predict=of_the_last_draw_tuned,
        prediction="exponent = min(2s/(2s + 1/beta), 2 s a/(2s + 1))",
        latex=r"\mathcal{E}(n) \sim n^{-\min(\alpha,\, 2sa/(2s + 1))}",
        note="As many passes as with the schedule keep alpha; with fewer a smaller step than the schedule's is the best.",
    ),
    reading(
        "passes-one",
        "the mean of the iterates of n draws from n samples, eta n = n^(1/(2s + 1/beta)), has the exponent alpha",
        domain=one_averaged_pass_of_draws,
        hypotheses=(assumption_r, noisy_labels, more_or_less_than_enough_draws),
        predict=exactly,
        expected="FALSIFIED",
        note="A number of passes that does not grow is not enough for 2s + 1/beta < 1.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
