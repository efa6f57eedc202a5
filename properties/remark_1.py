r"""Remark 1: the log-log learning curve is a straight line of slope -alpha.

Assumption R leaves room for a bounded factor between c1 and c2. A factor that is periodic in ln i makes the local slope
oscillate for ever, while the risk stays of the order n^-alpha.
"""

from __future__ import annotations

from properties.hypotheses import alpha, assumption_r
from properties.strategies import (
    assumption_r_spectra,
    hardest_targets,
    instances,
    noises,
    power_tails,
    smoothness,
)
from verifier.claims import Reading, StraightLine
from verifier.instances import Instance
from verifier.testing import check

SOURCE = "Remark 1, section 2"
LATEX = r"-\frac{d \ln \mathcal{E}(n)}{d \ln n} \to \alpha"

targets = hardest_targets(smoothness(0.05, 1.0), ("S-tail",))


def straight(instance: Instance) -> StraightLine:
    """The local slope converges to -alpha."""
    return StraightLine(alpha(instance))


READINGS = (
    Reading(
        id="R1/assumption-r",
        title="under Assumption R as stated the learning curve tends to a straight line of slope -alpha",
        statement="Under Assumption R with c1 <= c2 the local slope of the log-log learning curve of a critical target with s <= 1 "
        "at the scheduled ridge converges to -alpha.",
        latex=LATEX,
        source=SOURCE,
        tuning="schedule",
        hypotheses=(assumption_r,),
        domain=instances(assumption_r_spectra(), targets, noises(silent=False)),
        predict=straight,
        prediction="local exponent -> 2s/(2s + 1/beta)",
        expected="FALSIFIED",
        note="The order n^-alpha itself is Theorem 1's matter and is not touched by the oscillation.",
    ),
    Reading(
        id="R1/power-tail",
        title="for spectra whose tail is a pure power the learning curve tends to a straight line of slope -alpha",
        statement="If l_i i^beta is constant beyond some index, the local slope of the log-log learning curve of a critical target "
        "with s <= 1 at the scheduled ridge converges to -alpha.",
        latex=LATEX,
        source=SOURCE,
        tuning="schedule",
        hypotheses=(assumption_r,),
        domain=instances(power_tails(), targets, noises(silent=False)),
        predict=straight,
        prediction="local exponent -> 2s/(2s + 1/beta)",
        expected="SURVIVED",
        note="The remark's intended case. At s = 1 the slope converges as slowly as 1 / ln n.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
