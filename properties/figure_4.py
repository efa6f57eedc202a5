r"""Figure 4: the learning curve of a mixture of two components follows the heavier tail.

Two power laws in one eigenbasis, critical targets relative to the mixture, the scheduled ridge. In the limit the slope is that of
the heavier tail. At sample sizes like the figure's it is so only if the heavier tail has a weight that shows: below the
crossover, i* = (pi_2/pi_1)^(1/(beta_2 - beta_1)), the slope is that of the lighter one.
"""

from __future__ import annotations

from hypothesis import strategies as st

from properties.hypotheses import alpha, noisy_labels
from properties.strategies import noises, power_laws, smoothness
from properties.strategies.mixtures import weights
from verifier.claims import Bound, Exponent, Reading
from verifier.exhibits import Exhibit, Panel, Series
from verifier.instances import CriticalTarget, Instance, Mixture, Noise, PowerLaw, Spectrum
from verifier.risk.windows import SlopeBesideHeaviest
from verifier.testing import check

SOURCE = "Figure 4, section 4"
LATEX = r"\mathcal{E}(n) \sim n^{-\alpha}, \quad \alpha = \frac{2s}{2s + 1/\beta_{\min}}"

pairs = st.builds(Mixture, weights=weights(2), components=st.tuples(power_laws(), power_laws()))
domain = st.tuples(noises(silent=False), st.builds(CriticalTarget, s=smoothness(0.05, 1.0)), pairs).map(
    lambda parts: Instance(noise=parts[0], target=parts[1], spectrum=parts[2])
)

HEAVY, LIGHT = PowerLaw(beta=1.5), PowerLaw(beta=3.0)


def _drawn(label: str, spectrum: Spectrum, *, claimed: bool = True) -> Series:
    """One curve of the figure: s = 1/4, relative to its own spectrum, and sigma = 1."""
    instance = Instance(spectrum, CriticalTarget(s=0.25), Noise(1.0))
    return Series(label, instance, alpha(instance) if claimed else None)


def _mixed(label: str, weight: float) -> Series:
    """A mixture in which the heavier tail has the given weight."""
    return _drawn(label, Mixture((weight, 1.0 - weight), (HEAVY, LIGHT)))


SIZES_OF_THE_FIGURE = (100, 200, 400, 800, 1600, 3200)

EXHIBIT = Exhibit(
    text="Figure 4 of the paper: the learning curve of a mixture of two power laws. Its text gives neither the tail indices, the "
    "weights nor s; here beta = 1.5 and 3, s = 1/4, sigma = 1.",
    panels=(
        Panel(
            title="As in the paper",
            series=(
                _mixed("mixture, weights 1/2 and 1/2", 0.5),
                _drawn("heavier tail alone", HEAVY, claimed=False),
                _drawn("lighter tail alone", LIGHT, claimed=False),
            ),
            n=(100.0, 3200.0),
            simulated=SIZES_OF_THE_FIGURE,
            text="Both components show at once: equal weights, n from 100 to 3200.",
        ),
        Panel(
            title="The same with a smaller weight, at larger n",
            series=(
                _mixed("mixture, weights 1/2 and 1/2", 0.5),
                _mixed("heavier tail with weight .01", 0.01),
                _mixed("heavier tail with weight .0001", 0.0001),
            ),
            n=(100.0, 1e16),
            windows=((100.0, 3200.0), (1e8, 1e10), (1e14, 1e16)),
            simulated=SIZES_OF_THE_FIGURE,
            text="A small weight hides the heavier tail up to the index i* = (pi_2/pi_1)^(1/(beta_2 - beta_1)) and its multiples. "
            "Until n resolves those the lighter tail has a part in the slope.",
        ),
    ),
)

READINGS = (
    Reading(
        id="F4/heaviest-tail",
        title="the slope of a mixture of two is alpha with the heavier tail, for s <= 1",
        statement="For two power laws in one eigenbasis and critical targets at the scheduled ridge the exponent is that of the "
        "heavier tail.",
        latex=LATEX,
        source=SOURCE,
        tuning="schedule",
        hypotheses=(noisy_labels,),
        domain=domain,
        predict=lambda instance: Exponent(alpha(instance)),
        prediction="exponent = 2s/(2s + 1/beta_min)",
        expected="SURVIVED",
        exhibit=EXHIBIT,
    ),
    Reading(
        id="F4/at-sample-sizes-like-the-figures",
        title="the slope over every factor of 32 in n, from n = 100 on, is within .05 of that of the heavier component alone",
        statement="For the same mixtures, whatever the weights, the slope between n and 32 n differs by at most .05 from that of "
        "the heavier component alone, for all n from 100 to 1e6.",
        latex=LATEX,
        source=SOURCE,
        tuning="schedule",
        hypotheses=(noisy_labels,),
        domain=domain,
        observable=SlopeBesideHeaviest(),
        predict=lambda instance: Bound(1.0),
        prediction="|slope - slope of the heavier component alone| <= .05",
        expected="FALSIFIED",
        note="What is seen at a few thousand samples need not be the limit: until the crossover the lighter tail sets the slope. "
        "What finite samples do to a power law alone is taken off.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
