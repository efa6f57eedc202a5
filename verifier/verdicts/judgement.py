"""What is said of one instance: a judgement and the curve on which it rests."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verifier.claims import Prediction
from verifier.verdicts.certify import Certification
from verifier.verdicts.extrapolate import Asymptote

Array = NDArray[np.float64]

CONSISTENT, VIOLATED, INCONCLUSIVE, OUT_OF_SCOPE = "consistent", "violated", "inconclusive", "out-of-scope"


@dataclass(frozen=True, eq=False)
class Evidence:
    """The curve on which a verdict rests: ln x, ln y, and the extrapolation (None for explicit bounds).

    ``terms`` are the curves of the terms that sum to y, each with its own limit.
    """

    log_x: Array
    log_y: Array
    asymptote: Asymptote | None = None
    terms: tuple[tuple[Array, Asymptote], ...] = ()


@dataclass(frozen=True)
class Judgement:
    """Verdict on one instance. ``score`` is the distance to a violation in tolerances, positive where violated."""

    verdict: str
    predicted: Prediction | None
    exponent: float | None
    tolerance: float | None
    score: float
    reason: str
    route: str = "A"
    witness: dict[str, float] = field(default_factory=dict)
    evidence: Evidence | None = None
    certification: Certification | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Exponent +- tolerance."""
        if self.exponent is None or self.tolerance is None:
            return None
        return self.exponent - self.tolerance, self.exponent + self.tolerance


def undecided(
    predicted: Prediction | None,
    reason: str,
    exponent: float | None = None,
    tolerance: float | None = None,
    *,
    route: str = "A",
    evidence: Evidence | None = None,
) -> Judgement:
    """An inconclusive judgement and its reason."""
    return Judgement(INCONCLUSIVE, predicted, exponent, tolerance, 0.0, reason, route=route, evidence=evidence)
