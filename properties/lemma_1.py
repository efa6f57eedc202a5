r"""Lemma 1: counting function and effective dimension are of the order lambda^(-1/beta).

N(lambda) = sum_i l_i / (l_i + lambda). Readings: under Assumption R (infinitely many eigenvalues); for finitely many; and
R-alt, a second-hand summary's eigenvalues i^(-1/beta), which are summable for finite p only.
"""

from __future__ import annotations

from properties.hypotheses import assumption_r
from properties.strategies import assumption_r_spectra, inverse_power_laws, plain_instances, truncated_power_laws
from verifier.claims import Reading, Theta
from verifier.instances import Instance
from verifier.risk.observables import CountingFunction, DimensionAtLastEigenvalue, EffectiveDimension
from verifier.testing import check

SOURCE = "Lemma 1, appendix A.1"
LATEX = r"N(\lambda) = \sum_i \frac{l_i}{l_i + \lambda} \sim \lambda^{-1/\beta} \quad (\lambda \to 0)"


def inverse_power(instance: Instance) -> Theta:
    """Of the order (1/lambda)^(1/beta), against 1/lambda."""
    return Theta(-1.0 / instance.beta)


READINGS = (
    Reading(
        id="L1/assumption-r",
        title="the effective dimension is of the order lambda^(-1/beta)",
        statement="Under Assumption R, N(lambda) lambda^(1/beta) stays between two positive constants as lambda -> 0.",
        latex=LATEX,
        source=SOURCE,
        hypotheses=(assumption_r,),
        domain=plain_instances(assumption_r_spectra()),
        observable=EffectiveDimension(),
        predict=inverse_power,
        prediction="N(lambda) lambda^(1/beta) bounded above and below",
        expected="SURVIVED",
    ),
    Reading(
        id="L1/counting-function",
        title="the number of eigenvalues above lambda is of the order lambda^(-1/beta)",
        statement="Under Assumption R, #{i : l_i >= lambda} lambda^(1/beta) stays between two positive constants.",
        latex=r"\#\{i : l_i \ge \lambda\} \sim \lambda^{-1/\beta} \quad (\lambda \to 0)",
        source=SOURCE,
        hypotheses=(assumption_r,),
        domain=plain_instances(assumption_r_spectra()),
        observable=CountingFunction(),
        predict=inverse_power,
        prediction="count lambda^(1/beta) bounded above and below",
        expected="SURVIVED",
    ),
    Reading(
        id="L1/finite-p",
        title="the effective dimension is of the order lambda^(-1/beta) for finitely many eigenvalues i^-beta",
        statement="For l_i = i^-beta, i <= p, N(lambda) lambda^(1/beta) stays between two positive constants as lambda -> 0.",
        latex=LATEX,
        source=SOURCE,
        domain=plain_instances(truncated_power_laws()),
        observable=EffectiveDimension(),
        predict=inverse_power,
        prediction="N(lambda) lambda^(1/beta) bounded above and below",
        expected="FALSIFIED",
        note="Below the last eigenvalue N stays at p, while lambda^(-1/beta) grows without limit.",
    ),
    Reading(
        id="L1/r-alt",
        title="the effective dimension is of the order lambda^(-1/beta) for eigenvalues i^(-1/beta), i <= p",
        statement="For l_i = i^(-1/beta), i <= p, N(lambda) lambda^(1/beta) is bounded above and below by constants that do "
        "not depend on p.",
        latex=r"l_i = i^{-1/\beta}, \; i \le p: \quad N(\lambda) \sim \lambda^{-1/\beta}",
        source=SOURCE + "; the eigenvalues of a second-hand summary",
        domain=plain_instances(inverse_power_laws()),
        observable=DimensionAtLastEigenvalue(),
        predict=lambda instance: Theta(0.0),
        prediction="N(l_p) l_p^(1/beta) bounded above and below over p",
        expected="FALSIFIED",
        note="Judged at the last eigenvalue, over p: a constant that depends on where the spectrum is cut says nothing.",
    ),
)


def test_reading(reading: Reading) -> None:
    """The reading survives the search, or is falsified where mathematics says that it must be."""
    check(reading)
