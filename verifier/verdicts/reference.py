r"""Route B: instances without a deterministic equivalent are judged by simulation against a reference.

In the reference the treatment (whatever declines the equivalent) is removed, so that its exponent is a theorem. The
deviation of its simulated slope from that theorem, on the same sample sizes and ridges, is what finite samples do; it is
taken off the simulated slope of the instance.

What is left over is the finite-size allowance: the treatment may change the risk at n samples by a relative c/n more than
it changes it for ever, which moves the slope over :math:`[n_1, n_K]` by at most :math:`c / (n_1 \ln(n_K/n_1))`. c is that
of the equivalent itself (:func:`verifier.verdicts.certify.agreement_constant`), or what an ingredient declares of its
treatment (``finite_size``), whichever is larger. A treatment that changes how much a sample is worth slides along a curve that
may still be bent: the reference's slope is taken over the range of such factors, and its largest change is allowed as well.
The tolerance is z standard errors of the two slopes plus these allowances; where it exceeds what is asked about, the instance
cannot be decided on this grid, and the sample size that would do is said.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from verifier.claims import AtLeast, AtMost, Claim, Exponent
from verifier.instances import Independent, Instance
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.curves import learning_curve
from verifier.risk.equivalents import equivalent_risk, ridge
from verifier.risk.observables import ExcessRisk
from verifier.risk.simulators import Simulator, has_equivalent
from verifier.verdicts.certify import agreement_constant, student_quantile
from verifier.verdicts.compare import compare
from verifier.verdicts.extrapolate import Asymptote
from verifier.verdicts.judgement import Evidence, Judgement, undecided
from verifier.verdicts.slopes import Fit, fit_slope

Array = NDArray[np.float64]

WIDEST = 0.1
"""A tolerance above this decides nothing."""

WITHOUT_REFERENCE = (
    "samples that depend on one another have no reference: what memory does to a slope is not of the order c/n"
)

REFERENCE_SIZES = (200, 1600)
REFERENCE_CONFIRMATION_SIZES = (200, 3200)

PILOT = 8
SAMPLING_TOLERANCE = 0.015
"""What sampling may contribute to a tolerance: replicates are added until it does not contribute more."""

FEWEST_REPLICATES, MOST_REPLICATES = 16, 128


def finite_size_constant(instance: Instance, simulator: Simulator | None = None) -> float:
    """c of the finite-size allowance c/n."""
    parts = [*(getattr(instance, field.name) for field in dataclasses.fields(instance)), simulator]
    return max(agreement_constant(instance), *(float(getattr(part, "finite_size", 0.0)) for part in parts))


def finite_size_allowance(constant: float, sizes: tuple[int, ...]) -> float:
    """What a relative change of the risk by c/n does to a slope over the sample sizes."""
    return constant / (sizes[0] * math.log(sizes[-1] / sizes[0]))


def needed_size(constant: float, ratio: float, allowance: float) -> int:
    """Smallest first sample size at which the allowance is met, on a grid that spans a given ratio; two digits."""
    exact = constant / (allowance * math.log(ratio))
    digit = 10.0 ** (math.floor(math.log10(max(exact, 10.0))) - 1)
    return int(math.ceil(exact / digit) * digit)


def judge_by_reference(
    claim: Claim,
    instance: Instance,
    seed: int,
    *,
    sizes: tuple[int, ...],
    replicates: int | None,
    z: float,
    key: tuple[str | int, ...],
) -> Judgement:
    """Route B: simulated slope, less the deviation of the reference's simulated slope from its theorem.

    Without ``replicates`` a pilot says how many are needed; it shares no randomness with them and is then forgotten.
    """
    predicted = claim.predicted(instance)
    kinds = (Exponent, AtLeast, AtMost)
    if not isinstance(predicted, kinds) or not isinstance(claim.observable, ExcessRisk):
        return undecided(predicted, f"simulation alone cannot decide {predicted.describe()}", route="B")
    if instance.dependence != Independent():
        return undecided(predicted, WITHOUT_REFERENCE, route="B")
    reference = treatment_free(instance)
    theorem = theorem_exponent(reference, claim.tuning)
    if not has_equivalent(reference):
        # Simulated like the instance, it would cancel whatever the treatment does, and agree with anything.
        reason = "an ingredient without an equivalent needs an attribute 'plain', the ingredient without its treatment"
        return undecided(predicted, reason, route="B")
    if theorem is None:
        return undecided(predicted, "no theorem gives the exponent of the reference", route="B")
    lam = ridge(reference, np.asarray(sizes, dtype=np.float64), claim.tuning)
    rule = _RidgeTable(tuple((int(n), float(value)) for n, value in zip(sizes, lam, strict=True)))

    def fitted(role: str, count: int) -> Fit:
        return fit_slope(
            learning_curve(
                reference if role == "reference" else instance,
                n=sizes,
                replicates=count,
                seed=seed,
                tuning=rule,
                key=("route B", role, claim.id, *key),
                controls=role == "reference",
                simulator=None if role == "reference" else claim.simulator,
            )
        )

    if replicates is None:
        deviation = fitted("pilot", PILOT).stderr * math.sqrt(PILOT)
        replicates = min(needed_replicates(deviation, z, SAMPLING_TOLERANCE), MOST_REPLICATES)
    treated, base = fitted("treated", replicates), fitted("reference", replicates)
    exponent = treated.exponent - (base.exponent - theorem)
    quantile = student_quantile(z, replicates)
    constant = finite_size_constant(instance, claim.simulator)
    allowance = finite_size_allowance(constant, sizes) + _bend(claim, instance, reference, lam, treated, sizes)
    tolerance = quantile * math.hypot(treated.stderr, base.stderr) + allowance
    if tolerance > WIDEST:
        why = f"{replicates} replicates at n = {sizes[0]} to {sizes[-1]} leave the exponent known to +-{tolerance:.3f} only"
        if finite_size_allowance(constant, sizes) > 0.5 * WIDEST:
            first = needed_size(constant, sizes[-1] / sizes[0], 0.5 * WIDEST)
            why += f", +-{allowance:.3f} of it from finite samples: it cannot be decided below n = {first}"
        return undecided(predicted, why, exponent, tolerance, route="B")
    limit = Asymptote(exponent, tolerance, 0.0, 0.0)
    evidence = Evidence(np.log(np.asarray(sizes, dtype=np.float64)), np.zeros(len(sizes)), limit)
    judged = compare(predicted, limit, tolerance, evidence)
    return replace(judged, route="B", evidence=None)


SAMPLE_SCALES = (0.25, 4.0)
"""Range of factors by which an unknown treatment may change the number of samples that count."""


def _bend(claim: Claim, instance: Instance, reference: Instance, lam: Array, fit: Fit, sizes: tuple[int, ...]) -> float:
    """How far the reference's slope moves on the grid when the samples count for more or less than they do there.

    A treatment that only changes how much a sample is worth leaves the exponent alone, but slides along a curve that is
    still bent. What declines the equivalent says in ``sample_scales`` by which factors it may do so.
    """
    parts = [getattr(instance, field.name) for field in dataclasses.fields(instance)]
    treatments = [part for part in parts if not getattr(part, "equivalent", True) or hasattr(part, "simulator")]
    treatments += [] if claim.simulator is None else [claim.simulator]
    scales = {float(scale) for part in treatments for scale in getattr(part, "sample_scales", SAMPLE_SCALES)}
    n = np.asarray(sizes, dtype=np.float64)
    at = {scale: fit.project(np.asarray(equivalent_risk(reference, n=n * scale, lam=lam))) for scale in scales | {1.0}}
    return max(abs(value - at[1.0]) for value in at.values())


def needed_replicates(deviation: float, z: float, tolerance: float) -> int:
    """Fewest replicates, at least 16, after which Student's quantile of standard errors of a slope stays below ``tolerance``,
    given its standard deviation over replicates.
    """
    replicates = max(FEWEST_REPLICATES, math.ceil((z * deviation / tolerance) ** 2))
    while student_quantile(z, replicates) * deviation > tolerance * math.sqrt(replicates):
        replicates += 1
    return replicates


@dataclass(frozen=True)
class _RidgeTable:
    """A ridge rule given by a table, so that instance and reference are regularised alike."""

    values: tuple[tuple[int, float], ...]

    def __call__(self, instance: Instance, n: float) -> float:
        return dict(self.values)[round(n)]


def treatment_free(instance: Instance) -> Instance:
    """The reference of an instance: every ingredient that declines the equivalent replaced by its plain counterpart."""
    parts = {
        name: getattr(getattr(instance, name), "plain", getattr(instance, name))
        for name in ("spectrum", "target", "noise", "design", "transform", "dependence", "features", "filter")
    }
    return Instance(**parts)
