r"""Remark 4: width need only grow polynomially with n; finite width changes constants, not the exponent.

With a width that does not grow the risk has a floor. As n grows and the ridge falls the features stop at the gamma at which
z(gamma) = m, and what they cannot represent is

.. math:: B_m = \sum_i f_i^2 \frac{\gamma}{l_i + \gamma} \asymp m^{-\beta \min(2s, 1)}

(the limit rho = 1 in the notation of properties/theorem_5.py; at s = 1/2 times ln m): the exponent in n is zero, whatever m. For
s > 1/2 the floor does not fall as fast as the m-th eigenvalue would allow, m^(-2 beta s): random directions do not find the best
m-dimensional space. A width that grows as n^q does keep the exponent from q* on (Theorem 5), and q* < 1 for all s <= 1 and
beta > 1: m = c n features always suffice.
"""

from __future__ import annotations

from properties.hypotheses import assumption_r, noisy_labels, s_away_from_half
from properties.strategies import power_tails
from properties.strategies.features import at_the_degree, critical_instances, of_fixed_width, of_some_width
from properties.theorem_5 import at_least, exactly
from verifier.claims import Exponent, Reading
from verifier.instances import Instance
from verifier.risk.widths import FloorOfWidth
from verifier.testing import check

SOURCE = "Remark 4, section 2.2"
LATEX = r"\mathcal{E}(n) \sim n^{-\alpha}"


def floor(instance: Instance) -> Exponent:
    """The risk does not fall below the floor of its width."""
    return Exponent(0.0)


def exponent_in_the_width(instance: Instance) -> Exponent:
    """beta min(2s, 1), the exponent in m of the floor."""
    return Exponent(instance.beta * min(2.0 * instance.s, 1.0))


READINGS = (
    Reading(
        id="R4/fixed-width",
        title="with the oracle's ridge a fixed number of features changes constants, and not the exponent: the risk is at most of "
        "the order n^-alpha",
        statement="For critical targets, s <= 1, with label noise and m Gaussian random features, m fixed, E <= C n^-alpha.",
        latex=LATEX.replace(r"\sim", r"\lesssim"),
        source=SOURCE,
        hypotheses=(assumption_r, noisy_labels),
        domain=of_some_width(critical_instances()),
        predict=at_least,
        prediction="exponent >= 2s/(2s + 1/beta)",
        expected="FALSIFIED",
        note="'Finite width changes constants' taken at its word.",
    ),
    Reading(
        id="R4/fixed-width-floor",
        title="with the oracle's ridge the exponent of a fixed number of features is zero",
        statement="For critical targets, s <= 1, with label noise and m Gaussian random features, m fixed, E tends to a positive "
        "number.",
        latex=r"\lim_{n \to \infty} \mathcal{E}(n) = B_m > 0",
        source=SOURCE + "; the exponent that is true",
        hypotheses=(assumption_r, noisy_labels),
        domain=of_fixed_width(critical_instances()),
        predict=floor,
        prediction="exponent = 0",
        expected="SURVIVED",
        note="m features span m functions, and a critical target is in no such span.",
    ),
    Reading(
        id="R4/floor-against-width",
        title="the floor of m features falls as m^(-beta min(2s, 1))",
        statement="For critical targets, s <= 1, |s - 1/2| >= .05, the limit B_m of the risk has the exponent "
        "beta min(2s, 1) in m.",
        latex=r"B_m \sim m^{-\beta \min(2s, 1)}",
        source=SOURCE + "; the exponent that is true",
        hypotheses=(assumption_r, s_away_from_half),
        domain=critical_instances(spectra=power_tails()),
        observable=FloorOfWidth(),
        predict=exponent_in_the_width,
        prediction="exponent in m = beta min(2s, 1)",
        expected="SURVIVED",
        note="Saturated at s = 1/2: smoother targets do not help random features. At s = 1/2 there is a logarithm.",
    ),
    Reading(
        id="R4/as-many-features-as-samples",
        title="with the oracle's ridge m = c n features keep the exponent alpha, for s <= 1",
        statement="For critical targets, s <= 1, with label noise and m = c n Gaussian random features, E ~ n^-alpha.",
        latex=r"m = c\,n \;\Rightarrow\; " + LATEX,
        source=SOURCE,
        hypotheses=(assumption_r, noisy_labels),
        domain=at_the_degree(critical_instances(spectra=power_tails()), lambda instance: 1.0),
        predict=exactly,
        prediction="exponent = 2s/(2s + 1/beta)",
        expected="SURVIVED",
        note="'Polynomially with n' with a degree that serves every beta and s: q* < 1.",
    ),
    Reading(
        id="R4/as-many-features-as-samples-schedule",
        title="with the scheduled ridge m = c n features keep the exponent alpha, for s <= 1",
        statement="For critical targets, s <= 1, with label noise and m = c n Gaussian random features at the schedule, "
        "E ~ n^-alpha.",
        latex=r"m = c\,n \;\Rightarrow\; " + LATEX,
        source=SOURCE,
        tuning="schedule",
        hypotheses=(assumption_r, noisy_labels),
        domain=at_the_degree(critical_instances(spectra=power_tails()), lambda instance: 1.0),
        predict=exactly,
        prediction="exponent = 2s/(2s + 1/beta)",
        expected="SURVIVED",
        note="As with the oracle's ridge: the schedule keeps N(lambda) below n, and below c n.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
