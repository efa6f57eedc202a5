"""Observables that are measured with an interval of their own, and not extrapolated from a curve.

Such an observable has a method ``measure(instance, *, key, z, farther)``, which returns a number with its half-width and, where
there is none, the reason; the number takes the place of the exponent of a prediction. It was fixed before the prediction was
seen. A search measures on what the instance names, a confirmation (``farther``) on fresh randomness, and on more of it, at the
level of z standard errors.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from verifier.claims import AtLeast, AtMost, Claim, Exponent
from verifier.instances import Instance
from verifier.verdicts.compare import compare
from verifier.verdicts.extrapolate import Asymptote
from verifier.verdicts.judgement import Evidence, Judgement, undecided


@runtime_checkable
class Measurable(Protocol):
    """An observable that is measured."""

    def measure(self, instance: Instance, *, key: tuple[str | int, ...], z: float, farther: bool) -> Any:
        """An object with ``value``, ``half_width`` and ``reason``."""

    def missing(self) -> str:
        """What has to be installed for it, one sentence; empty where nothing has to."""


def missing(claim: Claim) -> str:
    """What keeps a claim from being judged here: an optional package that its observable needs; empty where nothing does."""
    return claim.observable.missing() if claim.proof is None and isinstance(claim.observable, Measurable) else ""


def judge_by_measurement(
    claim: Claim, instance: Instance, *, key: tuple[str | int, ...], z: float, farther: bool
) -> Judgement:
    """Judge an instance that meets the claim's hypotheses by what its observable measures; ValueError where a package is
    missing.
    """
    predicted = claim.predicted(instance)
    if not isinstance(predicted, (Exponent, AtLeast, AtMost)):
        return undecided(predicted, f"a number with an interval cannot decide {predicted.describe()}", route="B")
    observable: Any = claim.observable
    absent = missing(claim)
    if absent:
        raise ValueError(absent)
    found = observable.measure(instance, key=key, z=z, farther=farther)
    if not math.isfinite(found.half_width) or not found.half_width > 0.0:
        return undecided(predicted, found.reason or "nothing could be measured", route="B")
    limit = Asymptote(found.value, found.half_width, 0.0, 0.0)
    judged = compare(predicted, limit, found.half_width, Evidence(np.zeros(0), np.zeros(0), limit))
    return replace(judged, route="B", evidence=None)
