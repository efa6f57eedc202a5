r"""Lemma 3: the variance of ridge regression is at most C sigma^2 N(lambda) / n.

The constant may depend on the spectrum (under Assumption R it grows with beta) but not on lambda or n. For each instance
the supremum over n of the ratio of the two sides is followed as lambda -> 0; only a family along which it grows without
limit refutes the lemma.
"""

from __future__ import annotations

import math

from properties.hypotheses import assumption_r, noisy_labels
from properties.strategies import assumption_r_spectra, plain_instances, trace_class_spectra
from verifier.claims import Bound, Reading
from verifier.instances import Instance
from verifier.risk.observables import VarianceRatio
from verifier.testing import check

SOURCE = "Lemma 3, appendix A.3"
LATEX = r"\mathrm{Var}(\hat f_\lambda) \le C \sigma^2 \frac{N(\lambda)}{n}"


def some_constant(instance: Instance) -> Bound:
    """For this spectrum there is a C for all n and lambda."""
    return Bound(math.inf)


READINGS = (
    Reading(
        id="L3/assumption-r",
        title="the variance is at most C sigma^2 N(lambda) / n under Assumption R, at every lambda",
        statement="Under Assumption R there is a C, independent of n and lambda, with variance <= C sigma^2 N(lambda) / n.",
        latex=LATEX,
        source=SOURCE,
        hypotheses=(assumption_r, noisy_labels),
        domain=plain_instances(assumption_r_spectra()),
        observable=VarianceRatio(small_samples=True),
        predict=some_constant,
        prediction="variance n / (sigma^2 N(lambda)) bounded",
        expected="SURVIVED",
        note="An infinite spectrum keeps N(lambda) above the interpolation threshold as lambda -> 0; C grows with beta.",
    ),
    Reading(
        id="L3/any-trace-class",
        title="the variance is at most C sigma^2 N(lambda) / n for any trace-class spectrum, at every lambda",
        statement="For every trace-class spectrum there is a C, independent of n and lambda, with "
        "variance <= C sigma^2 N(lambda) / n.",
        latex=LATEX,
        source=SOURCE,
        hypotheses=(noisy_labels,),
        domain=plain_instances(trace_class_spectra()),
        observable=VarianceRatio(small_samples=True),
        predict=some_constant,
        prediction="variance n / (sigma^2 N(lambda)) bounded",
        expected="FALSIFIED",
        note="With as many samples as directions the variance without ridge is infinite, while N(lambda) <= p.",
    ),
    Reading(
        id="L3/small-effective-dimension",
        title="the variance is at most C sigma^2 N(lambda) / n where N(lambda) << n",
        statement="For every trace-class spectrum there is a C with variance <= C sigma^2 N(lambda) / n for all n and lambda "
        "with N(lambda) <= n / 10.",
        latex=LATEX + r", \quad N(\lambda) \le n / 10",
        source=SOURCE,
        hypotheses=(noisy_labels,),
        domain=plain_instances(trace_class_spectra()),
        observable=VarianceRatio(small_samples=False),
        predict=some_constant,
        prediction="variance n / (sigma^2 N(lambda)) bounded where N(lambda) <= n / 10",
        expected="SURVIVED",
        note="'N(lambda) << n' is read as N(lambda) <= n / 10.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
