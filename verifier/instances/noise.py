"""Label noise."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.instances.ingredient import Ingredient, within

SMALLEST = 1e-150  # sigma^2 is still a normal double


@dataclass(frozen=True)
class Noise(Ingredient):
    """Centred label noise, independent of the inputs, with standard deviation ``sigma`` >= 0."""

    sigma: float = 1.0

    def __post_init__(self) -> None:
        sigma = within("sigma", self.sigma, 0.0, 1e6)
        if 0.0 < sigma < SMALLEST:
            raise ValueError(f"sigma={sigma!r} must be 0, or at least {SMALLEST:g}: its square must be a normal double")
        object.__setattr__(self, "sigma", sigma)

    def describe(self) -> str:
        return "no noise" if self.sigma == 0.0 else f"noise sigma = {self.sigma:g}"
