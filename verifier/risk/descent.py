"""Observables of early stopping beside ridge regression at the same lambda."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance, Ridge
from verifier.risk.equivalents import Tuning
from verifier.risk.windows import FARTHEST, RelativeRisk

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RiskBesideRidge(RelativeRisk):
    """Excess risk of a descent over that of ridge regression, at the same n, with the claim's tuning rule for either."""

    name: str = "risk / risk of ridge regression"

    def without(self, instance: Instance) -> Instance:
        """The instance with ridge regression."""
        return dataclasses.replace(instance, filter=Ridge())


@dataclass(frozen=True)
class RiskOffRidge(RiskBesideRidge):
    """That ratio or its inverse, whichever is larger, for n from 100 to 1e6."""

    name: str = "risk / risk of ridge regression, or its inverse"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return math.log(100.0), FARTHEST

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        return np.abs(super().log_values(instance, log_x, tuning))
