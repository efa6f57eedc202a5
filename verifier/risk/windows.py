r"""Observables of what a figure shows: curves laid over one another, and slopes fitted over a window of sample sizes."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Identity, Instance, Mixture, PowerLaw, Spectrum, Truncated
from verifier.instances.instance import MOST_TRANSFORMED
from verifier.risk.equivalents import Tuning
from verifier.risk.observables import ExcessRisk, Experiment

Array = NDArray[np.float64]

WINDOW = 32.0
"""Ratio of the last to the first sample size of a figure: n = 100 to 3200."""

FARTHEST = 6.0 * math.log(10.0)
"""ln of the largest sample size at which a window starts."""


class OfTheRisk:
    """Shared by functions of the risk at each n."""

    variable: str = "n"

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        raise NotImplementedError

    def log_terms(self, instance: Instance, log_x: Array, tuning: Tuning) -> tuple[Array, ...]:
        return (self.log_values(instance, log_x, tuning),)

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        return ExcessRisk().witness(instance, log_x, tuning)

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> Experiment:
        return Experiment(instance, sizes, tuning)


@dataclass(frozen=True)
class RelativeRisk(OfTheRisk):
    """Excess risk under the transform over the excess risk without it, at the same n and the claim's ridge for either."""

    name: str = "risk / risk without the transform"

    def without(self, instance: Instance) -> Instance:
        """The instance without its transform."""
        return dataclasses.replace(instance, transform=Identity())

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        ranges = [ExcessRisk().log_range(each, tuning) for each in (instance, self.without(instance))]
        return max(low for low, _ in ranges), min(high for _, high in ranges)

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        plain = self.without(instance)
        return ExcessRisk().log_values(instance, log_x, tuning) - ExcessRisk().log_values(plain, log_x, tuning)


class _AtTwoSizes:
    """Shared by observables of a rotation of all coordinates, which is no operator on infinitely many: whatever is concluded at
    p has to be concluded at another size too (:func:`verifier.verdicts.judge.assess`).
    """

    def at_another_size(self, instance: Instance) -> Instance:
        """The instance with 2p eigenvalues of its power law, or p/2 where a transform cannot act on so many."""
        cut = instance.spectrum
        if not isinstance(cut, Truncated):
            raise ValueError(f"spectrum={cut!r} must be a Truncated power law, whose size can be doubled")
        size = 2 * cut.size if 2 * cut.size <= MOST_TRANSFORMED else cut.size // 2
        return dataclasses.replace(instance, spectrum=dataclasses.replace(cut, size=size))


@dataclass(frozen=True)
class RelativeRiskAtTwoSizes(_AtTwoSizes, RelativeRisk):
    """The relative risk at p, judged at another size as well."""

    name: str = "risk / risk without the transform, judged at p and 2p"


@dataclass(frozen=True)
class SlopeBesidePlain(_AtTwoSizes, OfTheRisk):
    r"""Distance of the slope under a transform from that without it, over the same window, in units of ``margin``, against the
    sample size at which the window starts: :math:`|a_T(n) - a(n)| / m`, :math:`a(n) = -\ln(E(32n)/E(n))/\ln 32`, n from 100 to
    ``farthest``. What finite samples do to either slope cancels, and so does a constant factor between the curves.
    """

    farthest: float = 1e6
    margin: float = 0.05
    name: str = "|slope over a factor of 32 in n - that without the transform| / .05, judged at p and 2p"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return math.log(100.0), math.log(self.farthest)

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        plain = dataclasses.replace(instance, transform=Identity())
        difference = slopes(instance, log_x, tuning) - slopes(plain, log_x, tuning)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.abs(difference) / self.margin))


@dataclass(frozen=True)
class SlopeBesideHeaviest(OfTheRisk):
    r"""Distance of the slope of a mixture of power laws from that of its heaviest component alone, over the same window, in units
    of ``margin``, against the sample size at which the window starts: :math:`|a(n) - a_1(n)| / m`,
    :math:`a(n) = -\ln(E(32n)/E(n))/\ln 32`, n from 100 to 1e6. What finite samples do to either slope cancels.
    """

    margin: float = 0.05
    name: str = "|slope over a factor of 32 in n - that of the heaviest tail alone| / .05"

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        return math.log(100.0), FARTHEST

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        alone = dataclasses.replace(instance, spectrum=heaviest(instance.spectrum))
        difference = slopes(instance, log_x, tuning) - slopes(alone, log_x, tuning)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.abs(difference) / self.margin))


def slopes(instance: Instance, log_n: Array, tuning: Tuning) -> Array:
    """Slopes between n and 32 n, both from one call: the equivalent is set up once."""
    log_window = math.log(WINDOW)
    values = ExcessRisk().log_values(instance, np.concatenate([log_n, log_n + log_window]), tuning)
    return np.asarray((values[: len(log_n)] - values[len(log_n) :]) / log_window)


def heaviest(spectrum: Spectrum) -> PowerLaw:
    """The components of a mixture with the smallest tail index, added up; ValueError where they are not power laws."""
    if not isinstance(spectrum, Mixture):
        raise ValueError(f"spectrum={spectrum!r} must be a Mixture; it has no heaviest component")
    scale = 0.0
    for weight, part in zip(spectrum.weights, spectrum.components, strict=True):
        if not isinstance(part, PowerLaw):
            raise ValueError(f"components of {spectrum!r} must be power laws, to be looked at alone")
        scale += weight * part.scale if part.beta == spectrum.tail_index else 0.0
    return PowerLaw(beta=spectrum.tail_index, scale=scale)
