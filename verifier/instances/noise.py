"""Label noise."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.instances.ingredient import Ingredient, within


@dataclass(frozen=True)
class Noise(Ingredient):
    """Centred label noise, independent of the inputs, with standard deviation ``sigma`` >= 0."""

    sigma: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", within("sigma", self.sigma, 0.0, 1e6))

    def describe(self) -> str:
        return "no noise" if self.sigma == 0.0 else f"noise sigma = {self.sigma:g}"
