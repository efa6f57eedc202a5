r"""Figure 7: synthetic verification. (a) the fitted slope is alpha; (b) a larger s steepens the curve; (c) so does a larger
beta; each "exactly as predicted by the formula" 2s / (2s + 1/beta). Power laws, critical targets, the paper's schedule.
"""

from __future__ import annotations

from hypothesis.strategies import SearchStrategy

from properties.hypotheses import alpha
from properties.strategies import betas, hardest_targets, instances, noises, power_laws, smoothness
from verifier.claims import Exponent, Reading
from verifier.instances import Instance, PowerLaw
from verifier.testing import check

SOURCE = "Figure 7, section 4"
LATEX = r"\mathcal{E}(n) \sim n^{-\alpha}, \quad \alpha = \frac{2s}{2s + 1/\beta}"

representative = betas(1.5, 1.5).map(lambda beta: PowerLaw(beta=beta))


def exactly(instance: Instance) -> Exponent:
    """The exponent of the risk is alpha."""
    return Exponent(alpha(instance))


def _panel(name: str, title: str, domain: SearchStrategy[Instance], expected: str, note: str = "") -> Reading:
    return Reading(
        id=f"F7/{name}",
        title=title,
        statement=f"On power laws with critical targets at the scheduled ridge, {title}.",
        latex=LATEX,
        source=SOURCE,
        tuning="schedule",
        domain=domain,
        predict=exactly,
        prediction="exponent = 2s/(2s + 1/beta)",
        expected=expected,
        note=note,
    )


noisy = noises(silent=False)
critical, critical_up_to_1 = (hardest_targets(smoothness(*ends), ("S-tail",)) for ends in ((0.05, 3.0), (0.05, 1.0)))
half = hardest_targets(smoothness(0.5, 0.5), ("S-tail",))

READINGS = (
    _panel(
        "a-slope-is-alpha",
        "(a) the slope is alpha for every beta and every s <= 1",
        instances(power_laws(), critical_up_to_1, noisy),
        "SURVIVED",
    ),
    _panel(
        "b-smoother-is-steeper",
        "(b) at beta = 1.5 the slope follows the formula as s grows, for every s > 0",
        instances(representative, critical, noisy),
        "FALSIFIED",
        "Beyond s = 1 the curve at the paper's schedule becomes flatter as s grows: its slope is 2/(2s + 1/beta).",
    ),
    _panel(
        "b-smoother-is-steeper-up-to-1",
        "(b) at beta = 1.5 the slope follows the formula as s grows, for s <= 1",
        instances(representative, critical_up_to_1, noisy),
        "SURVIVED",
    ),
    _panel(
        "c-lighter-tail-is-steeper",
        "(c) at s = 0.5 the slope follows the formula as beta grows",
        instances(power_laws(), half, noisy),
        "SURVIVED",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
