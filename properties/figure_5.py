r"""Figure 5: eigenvalue spectra for several tail indices, and the redundancy index 1/beta that they imply."""

from __future__ import annotations

from properties.strategies import plain_instances, power_laws
from verifier.claims import Exponent, Reading
from verifier.risk.observables import EffectiveDimension, Eigenvalues
from verifier.testing import check

SOURCE = "Figure 5, section 4"

READINGS = (
    Reading(
        id="F5/spectra",
        title="eigenvalues of tail index beta fall with slope -beta on log-log axes",
        statement="For l_i = c i^-beta the eigenvalue falls with exponent beta in its index.",
        latex=r"l_i \sim i^{-\beta}",
        source=SOURCE,
        domain=plain_instances(power_laws()),
        observable=Eigenvalues(),
        predict=lambda instance: Exponent(instance.beta),
        prediction="exponent = beta",
        expected="SURVIVED",
    ),
    Reading(
        id="F5/redundancy-index",
        title="the redundancy index of such a spectrum is 1/beta",
        statement="For l_i = c i^-beta the effective dimension grows as (1/lambda)^(1/beta).",
        latex=r"N(\lambda) \sim \lambda^{-1/\beta}",
        source=SOURCE,
        domain=plain_instances(power_laws()),
        observable=EffectiveDimension(),
        predict=lambda instance: Exponent(-1.0 / instance.beta),
        prediction="exponent = -1/beta in 1/lambda",
        expected="SURVIVED",
        note="The redundancy index is read as the growth exponent of the effective dimension (Lemma 1).",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
