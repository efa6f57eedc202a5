"""Planning: what it takes to notice an exponent wrong by a given margin, before the time is spent.

On route A nothing is simulated to decide, so that the answer is the tolerance: the error bar of the extrapolation plus what
certification keeps. On route B the answer is a grid of sample sizes and a number of replicates: the first size at which the
finite-size allowance takes a third of the margin, and the replicates after which z standard errors of the slope (by
Student's quantile, as a judgement has it) take another third, from a pilot. The last third is what a measurement may lie
off by: 1.645 standard errors fit into it whenever z is at least 1.645, so that the margin is noticed with probability .95.

An observable that is measured with an interval of its own (:mod:`verifier.verdicts.measurement`) has no grid to choose: the answer
is the wider of its half-widths in a search and in a confirmation. A claim that an argument decides needs no plan.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from verifier.claims import AtLeast, AtMost, Bound, Claim, Exponent
from verifier.instances import Independent, Instance
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.curves import learning_curve
from verifier.risk.observables import ExcessRisk
from verifier.risk.simulators import has_equivalent
from verifier.verdicts.certify import CERTIFICATION_Z
from verifier.verdicts.drawing import draw
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import INCONCLUSIVE
from verifier.verdicts.measurement import Measurable, judge_by_measurement, missing
from verifier.verdicts.reference import (
    PILOT,
    REFERENCE_SIZES,
    WIDEST,
    WITHOUT_REFERENCE,
    finite_size_allowance,
    finite_size_constant,
    needed_replicates,
    needed_size,
    treatment_free,
)
from verifier.verdicts.search import confirmation_z
from verifier.verdicts.slopes import fit_slope

LARGEST = 1_000_000
"""Largest sample size that a plan proposes: real samples beyond it take minutes each."""


@dataclass(frozen=True)
class Plan:
    """What one instance needs. ``n`` and ``replicates`` are of route B; ``tolerance`` is what the default run reaches."""

    instance: str
    route: str
    decides: bool
    tolerance: float | None
    n: tuple[int, int] | None
    replicates: int | None
    seconds: float | None
    text: str

    def to_json(self) -> dict[str, Any]:
        """Plain record."""
        return {**self.__dict__, "n": None if self.n is None else list(self.n)}


def plan(claim: Claim, *, margin: float, instances: int = 8, seed: int = 0, route: str | None = None) -> list[Plan]:
    """Plans for instances of a claim's domain, in the order in which they are drawn.

    ``margin``: the error of the exponent to be noticed. ``route`` "B" plans for simulation alone also where there is an
    equivalent.
    """
    if not 0.0 < margin < 10.0:
        raise ValueError(f"margin={margin!r} must be the error of an exponent to notice, for example 0.05")
    if route not in (None, "A", "B"):
        raise ValueError(f"route={route!r} must be 'A' (equivalent), 'B' (simulation alone) or None")
    if claim.proof is not None:
        raise ValueError(f"claim {claim.id} is decided by an argument, not on instances: there is nothing to plan for")
    if absent := missing(claim):
        raise ValueError(f"claim {claim.id} cannot be planned for: {absent}")
    measured = isinstance(claim.observable, Measurable)
    plans = []
    for instance in draw(claim.domain, 4 * instances, seed, claim.id, "plan"):
        if claim.unmet(instance) is not None:
            continue
        if isinstance(claim.predicted(instance), Bound):
            raise ValueError(
                f"claim {claim.id} is about a bound, which a ratio decides: there is no exponent to plan for"
            )
        if measured:
            plans.append(_by_measurement(claim, instance, margin))
            if len(plans) == instances:
                break
            continue
        simulated = route == "B" or (route is None and not has_equivalent(instance, claim.simulator))
        plans.append(
            _by_simulation(claim, instance, margin, seed) if simulated else _by_equivalent(claim, instance, margin)
        )
        if len(plans) == instances:
            break
    if not plans:
        raise ValueError(f"no instance that was drawn meets the hypotheses of claim {claim.id}; nothing can be planned")
    return plans


def _by_equivalent(claim: Claim, instance: Instance, margin: float) -> Plan:
    started = time.perf_counter()
    found = assess(claim, instance)
    seconds = time.perf_counter() - started
    if found.verdict == INCONCLUSIVE or found.tolerance is None:
        return Plan(instance.describe(), "A", False, found.tolerance, None, None, seconds, f"undecided: {found.reason}")
    decides = found.tolerance < margin
    text = f"the exponent is known to +-{found.tolerance:.4f}" + ("" if decides else ", which is not enough")
    return Plan(instance.describe(), "A", decides, found.tolerance, None, None, seconds, text)


def _by_measurement(claim: Claim, instance: Instance, margin: float) -> Plan:
    """Measure as a search does, then as a confirmation does; the seconds are those of both."""
    started = time.perf_counter()
    looks = [
        judge_by_measurement(claim, instance, key=("plan", instance.digest), z=z, farther=farther)
        for z, farther in ((CERTIFICATION_Z, False), (confirmation_z(), True))
    ]
    seconds = time.perf_counter() - started
    widths = [found.tolerance for found in looks if found.tolerance is not None]
    if len(widths) < len(looks):
        why = next(found.reason for found in looks if found.tolerance is None)
        return Plan(instance.describe(), "B", False, None, None, None, seconds, f"undecided: {why}")
    decides = max(widths) < margin
    text = f"it is measured to +-{widths[0]:.4f} in a search and to +-{widths[1]:.4f} in a confirmation"
    text += "" if decides else ", which is not enough"
    return Plan(instance.describe(), "B", decides, max(widths), None, None, seconds, text)


def _by_simulation(claim: Claim, instance: Instance, margin: float, seed: int) -> Plan:
    obstacle = _obstacle(claim, instance)
    if obstacle is not None:
        return Plan(instance.describe(), "B", False, None, None, None, None, f"undecided: {obstacle}")
    asked, margin = margin, min(margin, 1.5 * WIDEST)  # two thirds of it are the tolerance, which may not exceed WIDEST
    constant = finite_size_constant(instance, claim.simulator)
    started = time.perf_counter()
    fit = fit_slope(
        learning_curve(
            instance,
            n=REFERENCE_SIZES,
            replicates=PILOT,
            seed=seed,
            tuning=claim.tuning,
            key=("plan", claim.id, instance.digest),
            simulator=claim.simulator,
        )
    )
    each = (time.perf_counter() - started) / PILOT
    ratio = REFERENCE_SIZES[1] / REFERENCE_SIZES[0]
    first = max(REFERENCE_SIZES[0], needed_size(constant, ratio, margin / 3.0))
    last = round(ratio * first)
    deviation = fit.stderr * math.sqrt(PILOT)  # at larger n a sample's risk varies less: this errs on the safe side
    replicates = needed_replicates(deviation, CERTIFICATION_Z, margin / 3.0)
    growth = max(1.0, first / REFERENCE_SIZES[0])
    seconds = each * replicates * growth
    default = finite_size_allowance(constant, REFERENCE_SIZES)
    if last > LARGEST:
        text = f"cannot be decided below n = {first}: finite samples alone move the slope by more than a third of {asked:g}"
        return Plan(instance.describe(), "B", False, default, (first, last), replicates, seconds, text)
    text = (
        f"n = {first} to {last}, {replicates} replicates, about {seconds:.0f} s; at n = {REFERENCE_SIZES[0]} to "
        f"{REFERENCE_SIZES[1]} finite samples alone leave +-{default:.3f}; reference: {treatment_free(instance).describe()}"
    )
    return Plan(instance.describe(), "B", True, default, (first, last), replicates, seconds, text)


def _obstacle(claim: Claim, instance: Instance) -> str | None:
    """Why simulation alone decides nothing here, however much of it there is; None where it can."""
    predicted, reference = claim.predicted(instance), treatment_free(instance)
    if not isinstance(predicted, (Exponent, AtLeast, AtMost)) or not isinstance(claim.observable, ExcessRisk):
        return f"simulation alone cannot decide {predicted.describe()}"
    if instance.dependence != Independent():
        return WITHOUT_REFERENCE
    if not has_equivalent(reference):
        return "an ingredient without an equivalent needs an attribute 'plain', the ingredient without its treatment"
    if theorem_exponent(reference, claim.tuning) is None:
        return "no theorem gives the exponent of the reference"
    return None
