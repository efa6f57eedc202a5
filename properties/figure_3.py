r"""Figure 3: AR(1) data of three correlations rho: (a) similar slopes, (b) collapse on n_eff = n(1 - rho)/(1 + rho).

The text does not say whether inputs, noise or both are AR(1), nor rho, beta, s and n. (a) is true at large n for each of them; at
the figure's own sizes correlated inputs hold a good part of the samples that the degrees of freedom take up, and slopes differ. (b) is
what the eye sees when the axis is stretched by a factor that is about right and hides as much as a logarithmic axis hides; the
factor that is measured is sum_h rho_x(h) rho_eps(h) (properties/theorem_4.py): 1 for inputs or noise alone, (1 + rho^2)/(1 - rho^2) for
both. "Under the theoretical regularization schedule" the ridge is chosen for n, not for n_eff: then bias and variance are inflated
differently, and no factor at all makes the curves collapse.
"""

from __future__ import annotations

from properties.hypotheses import alpha, noisy_labels
from properties.lemma_4 import positive
from properties.strategies import hardest_targets, instances, noises, power_laws, smoothness
from properties.strategies.dependence import autoregressive, dependent_instances
from verifier.claims import Bound, Exponent, Reading
from verifier.exhibits import Exhibit, Panel, Series
from verifier.instances import AR1, CriticalTarget, Dependent, Independent, Instance, Noise, PowerLaw, White
from verifier.risk.collapse import LagOneFactor, OffTheFactor, ScoreFactor, SlopeBesideIndependent
from verifier.testing import check

SOURCE = "Figure 3, section 4"
COLLAPSE = r"\mathcal{E}_\rho(n) \simeq \mathcal{E}_0\left(n \tfrac{1-\rho}{1+\rho}\right)"
STRONGEST = 0.9

plain = instances(power_laws(), hardest_targets(smoothness(0.05, 0.95), ("S-tail",)), noises(silent=False))
both = dependent_instances(plain, autoregressive(inputs=True, noise=True, low=0.0, high=STRONGEST))
inputs_alone = dependent_instances(plain, autoregressive(inputs=True, noise=False, low=0.0, high=STRONGEST))

SIZES_OF_THE_FIGURE = (100, 200, 400, 800, 1600, 3200)
CLAIMED = 2.0 * 0.5 / (2.0 * 0.5 + 1.0 / 2.0)
"""alpha at beta = 2 and s = 1/2, those of the exhibit."""


def _curve(rho: float, *, inputs: bool, noise: bool) -> Instance:
    """One curve of the figure."""
    dependence = (
        Independent()
        if rho == 0.0
        else Dependent(inputs=AR1(rho) if inputs else White(), noise=AR1(rho) if noise else White())
    )
    return Instance(PowerLaw(beta=2.0), CriticalTarget(s=0.5), Noise(1.0), dependence=dependence)


def _three(*, inputs: bool, noise: bool) -> tuple[Series, ...]:
    return tuple(Series(f"rho = {rho:g}", _curve(rho, inputs=inputs, noise=noise), CLAIMED) for rho in (0.0, 0.5, 0.8))


EXHIBIT = Exhibit(
    text="Figure 3 of the paper: learning curves of AR(1) data for three rho. Its text gives neither rho, beta, s and n nor what is "
    "correlated; here rho = 0, .5 and .8, beta = 2, s = 1/2, sigma = 1. If n_eff = n(1 - rho)/(1 + rho) were right, the curve of "
    "rho = .8 would be that of rho = 0 at a ninth of the samples, at every n and whatever is correlated.",
    apart=1.05,
    panels=(
        Panel(
            title="As in the paper: AR(1) inputs and noise",
            series=_three(inputs=True, noise=True),
            n=(100.0, 3200.0),
            simulated=SIZES_OF_THE_FIGURE,
            text="n from 100 to 3200; what the factor (1 + rho^2)/(1 - rho^2) = 4.56 at rho = .8 makes of it.",
        ),
        Panel(
            title="The same with white noise",
            series=_three(inputs=True, noise=False),
            n=(100.0, 1e10),
            windows=((100.0, 3200.0), (1e6, 1e10)),
            simulated=SIZES_OF_THE_FIGURE,
            text="AR(1) inputs, independent noise: the curves run together, no sample is lost.",
        ),
        Panel(
            title="AR(1) inputs and noise at larger n",
            series=_three(inputs=True, noise=True),
            n=(100.0, 1e10),
            windows=((100.0, 3200.0), (1e6, 1e10)),
            text="The slopes agree at large n; the curves stay apart by the factor in n.",
        ),
    ),
)


def same_slope(instance: Instance) -> Exponent:
    """The exponent of the risk is alpha."""
    return Exponent(alpha(instance))


READINGS = (
    Reading(
        id="F3/slope",
        title="for AR(1) inputs, noise or both the slope is alpha, at the scheduled ridge, for s <= .95",
        statement="On power laws with critical targets at the scheduled ridge, for AR(1) inputs, noise or both, the exponent is alpha.",
        latex=r"\mathcal{E}_\rho(n) \sim n^{-\alpha}",
        source=SOURCE + " (a)",
        tuning="schedule",
        hypotheses=(noisy_labels,),
        domain=dependent_instances(plain, positive),
        predict=same_slope,
        prediction="exponent = 2s/(2s + 1/beta)",
        expected="SURVIVED",
        note="As n grows; short memory changes constants.",
        exhibit=EXHIBIT,
    ),
    Reading(
        id="F3/similar-slopes-at-the-figures-sizes",
        title="for AR(1) inputs and noise the slope from n = 100 to 3200 stays what it is on independent samples",
        statement="For AR(1) inputs and noise of one rho up to .9 the slope over a factor of 32 in n from n = 100 or 200 on is within "
        ".05 of that of independent samples.",
        latex=r"|\hat a_\rho(n) - \hat a_0(n)| \le .05,\ 100 \le n \le 200",
        source=SOURCE + " (a)",
        tuning="schedule",
        hypotheses=(noisy_labels,),
        domain=both,
        observable=SlopeBesideIndependent(),
        predict=lambda instance: Bound(1.0),
        prediction="|slope - slope of independent samples| <= .05",
        expected="FALSIFIED",
        note="At n = 100 a strongly correlated sample holds too few independent ones for the schedule's ridge.",
    ),
    Reading(
        id="F3/collapse-schedule",
        title="at the scheduled ridge curves of AR(1) inputs and noise collapse on n(1 - rho)/(1 + rho)",
        statement="For AR(1) inputs and noise of one rho, each curve at the ridge of its own n, E_rho(n) = E_0(n(1 - rho)/(1 + rho)) "
        "as n grows.",
        latex=COLLAPSE,
        source=SOURCE + " (b)",
        tuning="schedule",
        hypotheses=(noisy_labels,),
        domain=both,
        observable=OffTheFactor(LagOneFactor()),
        predict=lambda instance: Bound(1.02),
        prediction="n/n_eff -> (1 + rho)/(1 - rho)",
        expected="FALSIFIED",
        note="The figure as it seems to be meant.",
    ),
    Reading(
        id="F3/collapse-inputs-schedule",
        title="at the scheduled ridge curves of AR(1) inputs and white noise collapse on n(1 - rho)/(1 + rho)",
        statement="For AR(1) inputs and white noise, each curve at the ridge of its own n, E_rho(n) = E_0(n(1 - rho)/(1 + rho)) as n "
        "grows.",
        latex=COLLAPSE,
        source=SOURCE + " (b)",
        tuning="schedule",
        hypotheses=(noisy_labels,),
        domain=inputs_alone,
        observable=OffTheFactor(LagOneFactor()),
        predict=lambda instance: Bound(1.02),
        prediction="n/n_eff -> (1 + rho)/(1 - rho)",
        expected="FALSIFIED",
        note="The other way to read 'data are generated from an AR(1) process'. The factor is 1.",
    ),
    Reading(
        id="F3/collapse-score-schedule",
        title="at the scheduled ridge curves of AR(1) inputs and noise collapse on n(1 - rho^2)/(1 + rho^2)",
        statement="For AR(1) inputs and noise of one rho, each curve at the ridge of its own n, E_rho(n) = E_0(n/phi), "
        "phi = sum_h rho_x(h) rho_eps(h), as n grows.",
        latex=r"\mathcal{E}_\rho(n) \simeq \mathcal{E}_0\left(n / \varphi\right)",
        source=SOURCE + " (b), with the factor that is right at the oracle's ridge",
        tuning="schedule",
        hypotheses=(noisy_labels,),
        domain=both,
        observable=OffTheFactor(ScoreFactor()),
        predict=lambda instance: Bound(1.02),
        prediction="n/n_eff -> sum_h rho_x(h) rho_eps(h)",
        expected="FALSIFIED",
        note="The schedule chooses the ridge for n: the variance is inflated by phi, the bias is not.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
