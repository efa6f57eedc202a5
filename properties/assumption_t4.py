r"""Assumption T4: sequences that form a mixing process slow the variance by n_eff, and the exponent stays that of the
heaviest head.

The kernel is that of Theorem 6, sum_k pi_k Sigma_k over heads and MLP, whose tail index is the smallest, beta_NTK = min_k beta_k
(Theorem 3); the samples, one gradient a sequence, depend on one another as those of Theorem 4, "satisfying
[summability] or allowing long-range dependence". The assumption joins the two theorems, and so do these readings: mixtures in one
eigenbasis and disjoint ones, targets that are critical relative to the mixture, and every process known here.

In the equivalent of dependent samples (verifier/risk/dependent.py) the spectrum enters through d1 and d2 at the effective ridge
and the dependence through functions of d1/n. So nothing is new where both are present:

* short memory: alpha(beta_NTK), in n as in n_eff. n_eff itself is n / sum_h rho_x(h) rho_eps(h), whatever heads there are, and not
  what mixing coefficients of one sequence give (Theorem 4);
* long memory of inputs and noise, H_x + H_eps > 3/2: the exponent in n is not alpha. "Allowing long-range dependence" is false of
  it, as Remark 3 is, with the minimum rule in the place of beta (the formula of Remark 3 in its two regimes);
* long memory of one of the two alone: alpha (R3/inputs-alone; not read again here, a costly search).

The estimator is ridge regression, and descent that is stopped early (Theorem 6), whose risk on dependent samples is that of ridge
regressions with complex ridges, pair by pair (verifier/risk/dependent_filters.py). There too the spectrum enters through sums at
effective ridges and the dependence through factors J of the shares d1/n, which tend to those of ridge regression as d1/n does to
zero: at leading order the noise is sigma^2 sum_h rho_x(h) rho_eps(h) sum_i (1 - g(l_i))^2 / n. So, with short memory,

* the exponent is alpha(beta_NTK) for every s, as descent does not saturate;
* that of a ridge regression that saturates, 2 min(s, 1)/(2 min(s, 1) + 1/beta_NTK), is too small for s > 1.

Long memory under a descent has an equivalent too, and no readings: a search takes a minute.
"""

from __future__ import annotations

from typing import Any

from properties.hypotheses import alpha, assumption_r, noisy_labels
from properties.remark_3 import (
    diverges,
    in_two_regimes,
    long_joint_memory,
    off_all_borders,
    off_the_border,
)
from properties.strategies import hardest_targets, instances, noises, smoothness
from properties.strategies.dependence import (
    autoregressive,
    dependent_instances,
    fractional,
    separable,
    short_dependences,
)
from properties.strategies.filters import filtered, small_steps
from properties.strategies.mixtures import disjoint_instances, mixtures
from properties.theorem_4 import COLLAPSE, the_factor
from verifier.claims import Exponent, Reading
from verifier.instances import Instance
from verifier.risk.collapse import LagOneFactor, OffTheFactor, ScoreFactor
from verifier.testing import check

SOURCE = "Assumption T4, section 3.3"
LATEX = (
    r"K = \sum_k \pi_k K_k \;\Rightarrow\; \mathcal{E}(n) \sim n_{\mathrm{eff}}^{-\alpha}, \quad "
    r"\alpha = \frac{2s}{2s + 1/\min_k \beta_k}"
)

HURSTS = (0.7, 0.9)
"""Hurst exponents on either side of a sum of 3/2; Remark 3 has more of them."""

up_to_1 = smoothness(0.05, 1.0)
noise = noises(silent=False)
codiagonal = instances(mixtures(), hardest_targets(up_to_1, ("S-tail",)), noise)
heads = codiagonal | disjoint_instances(up_to_1, noise)


def soon_led(instance: Instance) -> bool:
    """The heaviest head leads from the index e^5 on, within the range on which a curve of long memory is followed."""
    return float(getattr(instance.spectrum, "log_crossover", 0.0)) <= 5.0


led = heads.filter(soon_led)
up_to_2 = smoothness(0.05, 2.0)
smooth_heads = instances(mixtures(), hardest_targets(up_to_2, ("S-tail",)), noise) | disjoint_instances(up_to_2, noise)
stopped = filtered(dependent_instances(smooth_heads, short_dependences()), small_steps())
both_long = dependent_instances(led, separable(fractional(HURSTS), fractional(HURSTS)))


def exactly(instance: Instance) -> Exponent:
    """The exponent in n is alpha, with the heaviest tail."""
    return Exponent(alpha(instance))


def saturated(instance: Instance) -> Exponent:
    """alpha at min(s, 1): what ridge regression, with its qualification 1, has with the oracle's ridge."""
    index = min(instance.s, 1.0)
    return Exponent(2.0 * index / (2.0 * index + 1.0 / instance.beta))


def reading(name: str, title: str, **parts: Any) -> Reading:
    """A reading of Assumption T4: heads and MLP as a mixture, critical targets, s <= 1, with noise and the oracle's ridge."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "hypotheses": (assumption_r, noisy_labels),
        "latex": LATEX,
        "statement": f"For a kernel of several heads, critical targets, s <= 1, with label noise, {title}.",
        "predict": exactly,
        "prediction": "exponent = 2s/(2s + 1/beta_min)",
    }
    return Reading(id=f"T4s/{name}", title=title, **(defaults | parts))


def descent(name: str, title: str, **parts: Any) -> Reading:
    """A reading of a descent that is stopped early."""
    statement = f"For a kernel of several heads and critical targets, with label noise, {title}."
    return reading(name, title, **({"statement": statement} | parts))


READINGS = (
    reading(
        "short-memory",
        "with the oracle's ridge and samples of short memory the exponent is that of the heaviest head",
        domain=dependent_instances(heads, short_dependences()),
        expected="SURVIVED",
        note="AR(1), moving averages, repeated samples, in inputs, noise or both.",
    ),
    reading(
        "short-memory-schedule",
        "with the scheduled ridge and samples of short memory the exponent is that of the heaviest head",
        tuning="schedule",
        domain=dependent_instances(heads, short_dependences()),
        expected="SURVIVED",
        note="At the paper's ridge, for beta_NTK and n, not n_eff.",
    ),
    reading(
        "long-memory",
        "with inputs and noise of long memory the exponent in n is that of the heaviest head",
        domain=both_long,
        hypotheses=(assumption_r, noisy_labels, off_all_borders),
        expected="FALSIFIED",
        note="'Or allowing long-range dependence': false for H_x + H_eps > 3/2, as Remark 3.",
    ),
    reading(
        "long-memory-two-regimes",
        "for H_x + H_eps >= 1.55 the exponent is that of Remark 3 in its two regimes, with the tail of the heaviest head",
        domain=both_long.filter(lambda instance: diverges(instance.dependence)),
        hypotheses=(assumption_r, noisy_labels, long_joint_memory, off_the_border),
        predict=in_two_regimes,
        prediction="exponent = (1 - a) alpha, or that of the saturated spectrum",
        latex=r"\mathcal{E}(n) \sim n^{-\theta}",
        expected="SURVIVED",
        note="What mathematics gives: a = 2 H_x + 2 H_eps - 3, beta = min_k beta_k.",
    ),
    reading(
        "effective-sample-size",
        "curves of AR(1) inputs and noise of one rho collapse on n(1 - rho)/(1 + rho)",
        observable=OffTheFactor(LagOneFactor()),
        domain=dependent_instances(codiagonal, autoregressive(inputs=True, noise=True)),
        predict=the_factor,
        prediction=f"n/n_eff -> {LagOneFactor().text}",
        latex=COLLAPSE,
        expected="FALSIFIED",
        note="The factor of Figure 3, several heads or one.",
    ),
    reading(
        "effective-sample-size-of-products",
        "for every law of short memory curves collapse on n / sum_h rho_x(h) rho_eps(h)",
        observable=OffTheFactor(ScoreFactor()),
        domain=dependent_instances(codiagonal, short_dependences()),
        predict=the_factor,
        prediction=f"n/n_eff -> {ScoreFactor().text}",
        latex=COLLAPSE,
        expected="SURVIVED",
        note="The repaired n_eff of Theorem 4 knows nothing of the spectrum.",
    ),
    descent(
        "descent",
        "a descent on samples of short memory that is stopped at the best time has the exponent of the heaviest head, s <= 2",
        domain=stopped,
        expected="SURVIVED",
        note="Gradient flow, small steps and momentum; AR(1), moving averages, repeated samples. No saturation.",
    ),
    descent(
        "descent-schedule",
        "a descent on samples of short memory that is stopped at 1/lambda_n has the exponent of the heaviest head, s <= 2",
        tuning="schedule",
        domain=stopped,
        expected="SURVIVED",
        note="At the paper's lambda, for beta_NTK and n, not n_eff.",
    ),
    descent(
        "descent-saturates",
        "a descent on samples of short memory that is stopped at the best time has the exponent of ridge regression, s <= 2",
        domain=stopped,
        predict=saturated,
        prediction="exponent = 2 min(s, 1)/(2 min(s, 1) + 1/beta_min)",
        expected="FALSIFIED",
        note="Dependence does not make a descent saturate: for s > 1 it is faster than any ridge.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
