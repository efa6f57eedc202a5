r"""Spectral purification: the covariance raised to a power, as an operation on the data.

Inputs of covariance :math:`\Sigma` are replaced by :math:`x' = \Sigma^{(q-1)/2} x`, of covariance :math:`\Sigma^q`: the tail index
is multiplied by q, so that q > 1 takes redundancy away and q < 1 adds to it. The map is not boundedly invertible for any
:math:`q \ne 1`, which sets it apart from the transforms of :mod:`verifier.instances.transforms`. The labels, and with them the
coefficients of the regression function in L2, stay what they were: :class:`~verifier.instances.CarriedCoefficients` with the
spectrum before as its origin is the target after.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, positive
from verifier.instances.spectra import PowerLaw, Spectrum, SpectrumDefaults, power_tail, tail_index

Array = NDArray[np.float64]

MOST_POWER = 50.0


@dataclass(frozen=True)
class Purified(SpectrumDefaults, Ingredient):
    r"""The eigenvalues :math:`l_i^q` of :math:`\Sigma^q`, l those of ``spectrum``, an infinite one that is a power of the index
    beyond its head; q = ``power`` > 0.
    """

    spectrum: Spectrum = field(default_factory=lambda: PowerLaw(2.0))
    power: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "spectrum", power_tail("spectrum", self.spectrum))
        object.__setattr__(self, "power", positive("power", self.power, 1e-3))
        beta = tail_index(self.spectrum) * self.power
        if not 1.0 < beta <= MOST_POWER:
            raise ValueError(
                f"power={self.power:g} makes the tail index {beta:g}; it must exceed 1 (trace class) and be at most {MOST_POWER:g}"
            )

    @property
    def head(self) -> int:  # type: ignore[override]
        return self.spectrum.head

    @property
    def tail_index(self) -> float:  # type: ignore[override]
        return tail_index(self.spectrum) * self.power

    @property
    def assumption_r(self) -> tuple[float, float]:  # type: ignore[override]
        before = self.spectrum.assumption_r
        assert before is not None
        return before[0] ** self.power, before[1] ** self.power

    def log_eigenvalues(self, log_index: Array) -> Array:
        return self.power * self.spectrum.log_eigenvalues(log_index)

    def describe(self) -> str:
        return f"[{self.spectrum.describe()}] to the power {self.power:g}"
