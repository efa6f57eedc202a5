r"""Equation (3): the excess risk is at most C (lambda^(2s) + sigma^2 N(lambda) / n).

The constant may depend on spectrum, target and noise, not on n or lambda. For each instance the supremum over n of the
ratio of the two sides is followed as lambda -> 0. Saturation (s > 1) is Lemma 2's matter: here s <= 1.
"""

from __future__ import annotations

import math

from properties.hypotheses import assumption_r, noisy_labels
from properties.strategies import (
    assumption_r_spectra,
    hardest_targets,
    instances,
    noises,
    single_targets,
    smoothness,
)
from verifier.claims import Bound, Reading
from verifier.instances import Instance
from verifier.risk.observables import RiskRatio
from verifier.testing import check

SOURCE = "equation (3), section 2"
LATEX = r"\mathcal{E}(n) \le C \left( \lambda^{2s} + \sigma^2 \frac{N(\lambda)}{n} \right)"

spectra = assumption_r_spectra()
targets = single_targets(smoothness(0.05, 1.0), ("S-L2",)) | hardest_targets(smoothness(0.05, 1.0), ("S-L2",))


def some_constant(instance: Instance) -> Bound:
    """For this instance there is a C for all n and lambda."""
    return Bound(math.inf)


READINGS = (
    Reading(
        id="E3/all-lambda",
        title="the risk is at most C (lambda^(2s) + sigma^2 N(lambda) / n) at every lambda, with or without noise",
        statement="Under Assumptions R and S-L2 with s <= 1 there is a C with E <= C (lambda^(2s) + sigma^2 N(lambda) / n) for all "
        "n and lambda > 0.",
        latex=LATEX,
        source=SOURCE,
        hypotheses=(assumption_r,),
        domain=instances(spectra, targets, noises()),
        observable=RiskRatio(small_samples=True),
        predict=some_constant,
        prediction="E / (lambda^(2s) + sigma^2 N(lambda) / n) bounded",
        expected="FALSIFIED",
        note="As printed, sigma = 0 is not excluded.",
    ),
    Reading(
        id="E3/noisy",
        title="the risk is at most C (lambda^(2s) + sigma^2 N(lambda) / n) at every lambda, with noise",
        statement="Under Assumptions R and S-L2 with s <= 1 and sigma > 0 there is a C with "
        "E <= C (lambda^(2s) + sigma^2 N(lambda) / n) for all n and lambda > 0.",
        latex=LATEX + r", \quad \sigma > 0",
        source=SOURCE,
        hypotheses=(assumption_r, noisy_labels),
        domain=instances(spectra, targets, noises(silent=False)),
        observable=RiskRatio(small_samples=True),
        predict=some_constant,
        prediction="E / (lambda^(2s) + sigma^2 N(lambda) / n) bounded",
        expected="SURVIVED",
        note="C may depend on sigma: it grows as R^2 / sigma^2 when the noise is small.",
    ),
    Reading(
        id="E3/noiseless",
        title="the risk is at most C lambda^(2s) without noise, at every lambda",
        statement="Under Assumptions R and S-L2 with s <= 1 and sigma = 0 there is a C with E <= C lambda^(2s) for all n and "
        "lambda > 0.",
        latex=r"\sigma = 0: \quad \mathcal{E}(n) \le C \lambda^{2s}",
        source=SOURCE,
        hypotheses=(assumption_r,),
        domain=instances(spectra, targets, noises(noisy=False)),
        observable=RiskRatio(small_samples=True),
        predict=some_constant,
        prediction="E / lambda^(2s) bounded",
        expected="FALSIFIED",
        note="For fixed n the left side stays positive as lambda -> 0: n samples cannot interpolate infinitely many directions.",
    ),
    Reading(
        id="E3/small-effective-dimension",
        title="the risk is at most C (lambda^(2s) + sigma^2 N(lambda) / n) where N(lambda) << n",
        statement="Under Assumptions R and S-L2 with s <= 1 there is a C with E <= C (lambda^(2s) + sigma^2 N(lambda) / n) for all "
        "n and lambda with N(lambda) <= n / 10, with or without noise.",
        latex=LATEX + r", \quad N(\lambda) \le n / 10",
        source=SOURCE,
        hypotheses=(assumption_r,),
        domain=instances(spectra, targets, noises()),
        observable=RiskRatio(small_samples=False),
        predict=some_constant,
        prediction="E / (lambda^(2s) + sigma^2 N(lambda) / n) bounded where N(lambda) <= n / 10",
        expected="SURVIVED",
        note="'N(lambda) << n' is read as N(lambda) <= n / 10.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
