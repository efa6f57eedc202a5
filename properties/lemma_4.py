r"""Lemma 4: under mixing the variance of ridge regression is at most C sigma^2 N(lambda)/n_eff.

With n_eff = n/(1 + 2 sum_k b(k)^(delta/(2+delta))). "For a constant depending only on the mixing profile and moments": C may hide
any factor for one law of dependence, so that as an order the lemma says that the variance is what it is for independent samples;
as a factor it says more, and is read with C = 1 beside the variance of independent samples at the same ridge.

The variance is that of (1/n) sum_t x_t eps_t passed through the ridge. Its long-run covariance is Sigma sigma^2 sum_h rho_x(h)
rho_eps(h), so that at N(lambda) << n the variance is sum_h rho_x(h) rho_eps(h) times that of independent samples (derivation:
verifier/risk/dependent.py). As |rho_x(h) rho_eps(h)| <= |rho(h)| where either sequence has the correlations rho, 1 + 2 sum |rho(h)|
bounds it; a factor that rewards negative correlation is another matter. Both memories long, the sum diverges with n: H_x + H_eps >=
3/2 for fractional noise. True b(k): for inputs with infinitely many coordinates of one rho b(k) = 1 at every lag
(Feldman and Hajek), the sum diverges and the lemma is void; b(k) is read as that of one coordinate.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from properties.hypotheses import assumption_r, noisy_labels
from properties.strategies import assumption_r_spectra, hardest_targets, instances, noises, power_laws, smoothness
from properties.strategies.dependence import (
    autoregressive,
    dependent_instances,
    fractional,
    separable,
    short_dependences,
)
from verifier.claims import Bound, Reading
from verifier.instances import Instance
from verifier.risk.collapse import LagOneFactor, MixingFactor, ScoreFactor, VarianceAboveTheFactor, VarianceOverBound
from verifier.risk.memory import excess_memory
from verifier.testing import check

SOURCE = "Lemma 4, appendix A.8"
LATEX = r"\mathrm{Var} \le C \sigma^2 \frac{N(\lambda)}{n_{\mathrm{eff}}}"
SHARP = 1.02
"""What a factor may be off by at the far end of the range, where the equivalent has settled to much less."""

FREQUENCIES = np.linspace(0.0, math.pi, 2521)
"""A grid that holds all zeros of the densities of means of up to ten innovations."""

plain = instances(assumption_r_spectra(), hardest_targets(smoothness(0.05, 1.0), ("S-tail",)), noises(silent=False))
regular = instances(power_laws(), hardest_targets(smoothness(0.05, 1.0), ("S-tail",)), noises(silent=False))
autoregressions = (
    autoregressive(inputs=True, noise=True)
    | autoregressive(inputs=True, noise=False)
    | autoregressive(inputs=False, noise=True)
)
positive = (
    autoregressive(inputs=True, noise=True, low=0.0)
    | autoregressive(inputs=True, noise=False, low=0.0)
    | autoregressive(inputs=False, noise=True, low=0.0)
)


def no_silent_frequency(instance: Instance) -> bool:
    """The spectral density of the inputs is at least a hundredth: a small ridge lets noise pass where it is zero."""
    inputs = getattr(instance.dependence, "inputs", None)
    return inputs is None or float(np.min(inputs.spectral_density(FREQUENCIES))) >= 0.01


def reading(name: str, title: str, **parts: Any) -> Reading:
    """A reading of Lemma 4 at the scheduled ridge."""
    defaults: dict[str, Any] = {
        "source": SOURCE,
        "tuning": "schedule",
        "hypotheses": (assumption_r, noisy_labels),
        "latex": LATEX,
        "statement": f"Under Assumption R, at lambda_n = n^(-1/(2s + 1/beta)), {title}.",
    }
    return Reading(id=f"L4/{name}", title=title, **(defaults | parts))


def off_the_border(instance: Instance) -> bool:
    """H_x + H_eps is not within .05 of 3/2, where the sum of products diverges too slowly to be seen."""
    return abs(excess_memory(instance.dependence)) >= 0.1 - 1e-9


def at_most_the_factor(instance: Instance) -> Bound:
    """At N(lambda) << n the variance is at most n/n_eff times that of independent samples."""
    return Bound(SHARP)


READINGS = (
    reading(
        "short-memory",
        "for each law of short memory there is a C with variance <= C sigma^2 N(lambda)/n",
        hypotheses=(assumption_r, noisy_labels, no_silent_frequency),
        domain=dependent_instances(plain, short_dependences()),
        observable=VarianceOverBound(),
        predict=lambda instance: Bound(math.inf),
        prediction="variance n / (sigma^2 N(lambda)) bounded",
        expected="SURVIVED",
        note="C may depend on the mixing profile, which makes n_eff and n the same up to it.",
    ),
    reading(
        "long-memory",
        "for each law of long memory there is a C with variance <= C sigma^2 N(lambda)/n",
        domain=dependent_instances(regular, separable(fractional(), fractional())),
        hypotheses=(assumption_r, noisy_labels, off_the_border),
        observable=VarianceOverBound(),
        predict=lambda instance: Bound(math.inf),
        prediction="variance n / (sigma^2 N(lambda)) bounded",
        expected="FALSIFIED",
        note="For H_x + H_eps > 3/2 the sum in n_eff diverges: no fixed share of the samples is left. Below it there is a C.",
    ),
    reading(
        "mixing-factor",
        "inputs, noise or both AR(1), the variance is at most 1 + 2 sum_k |rho|^k times that of independent samples",
        domain=dependent_instances(plain, autoregressions),
        observable=VarianceAboveTheFactor(MixingFactor()),
        predict=at_most_the_factor,
        prediction="variance / (variance of independent samples (1 + 2 sum_k |rho|^k)) <= 1",
        expected="SURVIVED",
        note="b(k) := |rho|^k and delta -> infinity: the sum of |rho_x(h) rho_eps(h)| is below that of |rho(h)|. A smaller power "
        "delta/(2 + delta) only makes the bound larger.",
    ),
    reading(
        "figure-factor-positive",
        "inputs, noise or both AR(1) with rho >= 0, the variance is at most (1 + rho)/(1 - rho) times that of independent samples",
        domain=dependent_instances(plain, positive),
        observable=VarianceAboveTheFactor(LagOneFactor()),
        predict=at_most_the_factor,
        prediction="variance / (variance of independent samples (1 + rho)/(1 - rho)) <= 1",
        expected="SURVIVED",
        note="The figure's n_eff = n(1 - rho)/(1 + rho); for rho >= 0 it is the mixing factor.",
    ),
    reading(
        "figure-factor",
        "inputs, noise or both AR(1) of either sign, the variance is at most (1 + rho)/(1 - rho) times that of independent samples",
        domain=dependent_instances(plain, autoregressions),
        observable=VarianceAboveTheFactor(LagOneFactor()),
        predict=at_most_the_factor,
        prediction="variance / (variance of independent samples (1 + rho)/(1 - rho)) <= 1",
        expected="FALSIFIED",
        note="For rho < 0 it promises more samples than there are: with white noise none are gained, and with both sequences "
        "negatively correlated the products are positively correlated.",
    ),
    reading(
        "score-factor",
        "the variance is at most sum_h rho_x(h) rho_eps(h) times that of independent samples, for every law of short memory",
        hypotheses=(assumption_r, noisy_labels, no_silent_frequency),
        domain=dependent_instances(plain, short_dependences()),
        observable=VarianceAboveTheFactor(ScoreFactor()),
        predict=at_most_the_factor,
        prediction="variance / (variance of independent samples sum_h rho_x(h) rho_eps(h)) <= 1",
        expected="SURVIVED",
        note="The long-run variance of x_t eps_t; with runs of repeated inputs and noise it is E L^2 / E L.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
