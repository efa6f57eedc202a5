r"""Theorem 4: for a mixing sequence the excess risk falls as n_eff^-alpha, n_eff = n/(1 + 2 sum_k b(k)^(delta/(2+delta))).

As a statement on the exponent it is true for short memory: n_eff is a fixed share of n. As a statement on the curve, "the three
curves collapse onto a single scaling law", it names the factor n/n_eff, and the factor can be measured
(verifier/risk/collapse.py): the n/phi at which independent samples have the risk that n dependent ones have. With label noise,
as n grows, phi tends to

    sum_h rho_x(h) rho_eps(h),

the long-run variance of the products x_t eps_t, whatever spectrum and target (derivation: verifier/risk/dependent.py). It is 1 as
soon as inputs or noise are independent over time (Ziemann and Tu 2022), (1 + rho^2)/(1 - rho^2) for AR(1) inputs and noise of one
rho, E L^2 / E L = (1 + rho)/(1 - rho) for samples that are repeated together with their noise. No formula in the correlations of
one sequence is right: the paper's holds as an upper bound, and as an equality for repeated samples only.
"""

from __future__ import annotations

from typing import Any

from properties.hypotheses import alpha, assumption_r, noisy_labels
from properties.lemma_4 import autoregressions, plain, positive
from properties.strategies.coordinates import laws_of_correlations, per_coordinate, vector_autoregressions
from properties.strategies.dependence import autoregressive, dependent_instances, short_dependences, sticky, uncentred
from verifier.claims import AtLeast, Bound, Exponent, Reading
from verifier.instances import Instance
from verifier.risk.collapse import AboveTheFactor, LagOneFactor, MixingFactor, OffTheFactor, ScoreFactor, SlowestFactor
from verifier.testing import check

SOURCE = "Theorem 4, section 2.1; proof in appendix A.9"
LATEX = r"\mathcal{E}(n) \sim n_{\mathrm{eff}}^{-\alpha}"
COLLAPSE = r"\mathcal{E}_{\mathrm{dep}}(n) \simeq \mathcal{E}_{\mathrm{iid}}(n_{\mathrm{eff}})"
UPPER = r"\mathcal{E}_{\mathrm{dep}}(n) \lesssim \mathcal{E}_{\mathrm{iid}}(n_{\mathrm{eff}})"
SAME = 1.02
"""What the measured n/n_eff may be off by at the far end of the range, where it has settled to much less."""

both = autoregressive(inputs=True, noise=True)
inputs_alone = autoregressive(inputs=True, noise=False)
noise_alone = autoregressive(inputs=False, noise=True)


def at_least(instance: Instance) -> AtLeast:
    """The risk is at most of the order n^-alpha."""
    return AtLeast(alpha(instance))


def exactly(instance: Instance) -> Exponent:
    """The exponent of the risk is alpha."""
    return Exponent(alpha(instance))


def the_factor(instance: Instance) -> Bound:
    """The measured n/n_eff tends to the factor, or to no more than it."""
    return Bound(SAME)


def reading(name: str, title: str, **parts: Any) -> Reading:
    """A reading of Theorem 4 with noise and the oracle's ridge."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "hypotheses": (assumption_r, noisy_labels),
        "latex": LATEX,
        "statement": f"Under Assumption R, for critical targets, s <= 1, {title}.",
        "prediction": "exponent = 2s/(2s + 1/beta)",
        "expected": "SURVIVED",
    }
    return Reading(id=f"T4/{name}", title=title, **(defaults | parts))


def collapse(name: str, title: str, factor: Any, **parts: Any) -> Reading:
    """A reading that curves collapse on n/factor, from both sides."""
    return reading(
        name,
        title,
        observable=OffTheFactor(factor),
        predict=the_factor,
        prediction=f"n/n_eff -> {factor.text}",
        latex=COLLAPSE,
        **parts,
    )


READINGS = (
    reading(
        "upper-bound",
        "with the oracle's ridge the risk is at most of the order n^-alpha for every law of short memory",
        domain=dependent_instances(plain, short_dependences()),
        predict=at_least,
        prediction="exponent >= 2s/(2s + 1/beta)",
        note="n_eff is a fixed share of n.",
    ),
    reading(
        "exponent",
        "with the oracle's ridge the risk has the exponent alpha for every law of short memory",
        domain=dependent_instances(plain, short_dependences()),
        predict=exactly,
        note="Inputs and noise are dependent, or one of them: AR(1), moving averages, repeated samples.",
    ),
    reading(
        "uncentred",
        "with the oracle's ridge and uncentred inputs the risk has the exponent alpha for every law of short memory",
        domain=uncentred(dependent_instances(plain, short_dependences())),
        predict=exactly,
        note="Noise of short memory costs the mean sigma^2 f_eps(0)/n, f_eps(0) the sum of its correlations: of smaller order.",
    ),
    reading(
        "schedule-exponent",
        "with the scheduled ridge the risk has the exponent alpha for every law of short memory",
        tuning="schedule",
        domain=dependent_instances(plain, short_dependences()),
        predict=exactly,
        note="At the paper's ridge, chosen for n and not for n_eff.",
    ),
    collapse(
        "collapse-inputs",
        "curves of AR(1) inputs and white noise collapse on n(1 - rho)/(1 + rho)",
        LagOneFactor(),
        domain=dependent_instances(plain, inputs_alone),
        expected="FALSIFIED",
        note="The factor is 1: no sample is lost, whatever rho (Ziemann and Tu 2022).",
    ),
    collapse(
        "collapse-noise",
        "curves of independent inputs and AR(1) noise collapse on n(1 - rho)/(1 + rho)",
        LagOneFactor(),
        domain=dependent_instances(plain, noise_alone),
        expected="FALSIFIED",
        note="The factor is 1: independent inputs average the noise as if it were white.",
    ),
    collapse(
        "collapse-both",
        "curves of AR(1) inputs and AR(1) noise of one rho collapse on n(1 - rho)/(1 + rho)",
        LagOneFactor(),
        domain=dependent_instances(plain, both),
        expected="FALSIFIED",
        note="The factor is (1 + rho^2)/(1 - rho^2): 4.56 at rho = .8, where 9 is claimed.",
    ),
    collapse(
        "collapse-repeated",
        "curves of samples that are repeated with their noise with probability rho collapse on n(1 - rho)/(1 + rho)",
        LagOneFactor(),
        domain=dependent_instances(plain, sticky("repeated")),
        note="E L^2 / E L for geometric runs: the one process for which the figure's factor is right.",
    ),
    collapse(
        "collapse-repeated-inputs",
        "curves of inputs that are repeated with probability rho, with fresh noise, collapse on n(1 - rho)/(1 + rho)",
        LagOneFactor(),
        domain=dependent_instances(plain, sticky("fresh")),
        expected="FALSIFIED",
        note="A repeated input with another noise is worth as much as a new one, once N(lambda) << n.",
    ),
    collapse(
        "collapse-mixing",
        "curves of AR(1) inputs, noise or both collapse on n/(1 + 2 sum_k b(k)^(1/2)), b(k) := |rho|^k, delta = 2",
        MixingFactor(0.5),
        domain=dependent_instances(plain, autoregressions),
        expected="FALSIFIED",
        note="Fourth moments: delta/(2 + delta) = 1/2. The power makes the factor larger, never right.",
    ),
    collapse(
        "collapse-score",
        "for every law of short memory curves collapse on n / sum_h rho_x(h) rho_eps(h)",
        ScoreFactor(),
        domain=dependent_instances(plain, short_dependences()),
        note="The repaired statement: inputs and noise dependent, or one of them, in any of the ways known here.",
    ),
    reading(
        "upper-bound-figure-factor",
        "for AR(1) of rho >= 0, inputs, noise or both, E_dep(n) <= E_iid(n(1 - rho)/(1 + rho))",
        observable=AboveTheFactor(LagOneFactor()),
        domain=dependent_instances(plain, positive),
        predict=the_factor,
        prediction="n/n_eff <= (1 + rho)/(1 - rho)",
        latex=UPPER,
        note="As an upper bound the figure's n_eff is safe for rho >= 0, and wasteful.",
    ),
    reading(
        "upper-bound-figure-factor-negative",
        "for AR(1) of either sign, inputs, noise or both, E_dep(n) <= E_iid(n(1 - rho)/(1 + rho))",
        observable=AboveTheFactor(LagOneFactor()),
        domain=dependent_instances(plain, autoregressions),
        predict=the_factor,
        prediction="n/n_eff <= (1 + rho)/(1 - rho)",
        latex=UPPER,
        expected="FALSIFIED",
        note="Negative correlation of the inputs, or of the noise, wins nothing; of both, it loses.",
    ),
    reading(
        "exponent-coordinates",
        "with the oracle's ridge the risk has the exponent alpha where coordinates are AR(1) of up to four rho in turn",
        domain=dependent_instances(plain, per_coordinate()),
        predict=exactly,
        note="A vector autoregression whose matrix commutes with Sigma; noise of any short memory.",
    ),
    collapse(
        "collapse-score-coordinates",
        "curves of coordinates that are AR(1) of up to four rho in turn collapse on n over the mean of sum_h rho_i(h) rho_eps(h)",
        ScoreFactor(),
        domain=dependent_instances(plain, per_coordinate()),
        note="One factor, the mean over coordinates: the noise adds up over directions, each with a factor of its own.",
    ),
    collapse(
        "collapse-slowest-coordinate",
        "curves of coordinates that are AR(1) of up to four rho in turn collapse on n over the largest sum_h rho_i(h) rho_eps(h)",
        SlowestFactor(),
        domain=dependent_instances(plain, per_coordinate()),
        expected="FALSIFIED",
        note="Mixing coefficients are those of the slowest coordinate; the others are worth more samples.",
    ),
    reading(
        "upper-bound-slowest-coordinate",
        "for coordinates that are AR(1) of up to four rho in turn, E_dep(n) <= E_iid(n / max_i sum_h rho_i(h) rho_eps(h))",
        observable=AboveTheFactor(SlowestFactor()),
        domain=dependent_instances(plain, per_coordinate()),
        predict=the_factor,
        prediction="n/n_eff <= max_i sum_h rho_i(h) rho_eps(h)",
        latex=UPPER,
        note="What mixing coefficients know suffices for a bound.",
    ),
    collapse(
        "collapse-score-law",
        "curves of coordinates that are AR(1) of a law of rho collapse on n over the mean of sum_h rho_i(h) rho_eps(h)",
        ScoreFactor(),
        domain=dependent_instances(plain, laws_of_correlations()),
        note="A rho for every coordinate: spread over an interval, or tending to a limit, which is then all that counts.",
    ),
    reading(
        "exponent-vector",
        "with the oracle's ridge the risk has the exponent alpha where coordinates are coupled by a vector autoregression",
        domain=dependent_instances(plain, vector_autoregressions()),
        predict=exactly,
        note="Pairs coupled by rotations, along turned axes, by shears: matrices that do not commute with Sigma.",
    ),
    collapse(
        "collapse-score-vector",
        "curves of coupled coordinates collapse on n over the trace of sum_h Gamma(h) rho_eps(h), over its dimension",
        ScoreFactor(),
        domain=dependent_instances(plain, vector_autoregressions()),
        note="Gamma(h) = M^h, the autocovariance of whitened inputs: correlations across coordinates do not enter.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
