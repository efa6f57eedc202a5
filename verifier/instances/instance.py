"""An instance: one immutable, JSON-serialisable point of a claim's domain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from verifier.instances.designs import Design, GaussianDesign
from verifier.instances.ingredient import Ingredient, recorded
from verifier.instances.noise import Noise
from verifier.instances.spectra import Spectrum, tail_index
from verifier.instances.targets import CriticalTarget, SingleEigenfunction, Target


@dataclass(frozen=True)
class Instance:
    """Kernel ridge regression on iid inputs x of covariance Sigma with labels <theta, x> + noise.

    ``spectrum`` gives the eigenvalues of Sigma, ``target`` the coefficients of the regression function in its
    eigenbasis, ``noise`` the label noise, ``design`` the law of the inputs, x ~ N(0, Sigma) unless another is given. Two
    instances are equal exactly when their JSON forms are; the plain design is left out of the JSON form, which is
    thereby that of instances written down before there were others.
    """

    spectrum: Spectrum
    target: Target = field(default_factory=lambda: CriticalTarget(s=0.5))
    noise: Noise = field(default_factory=Noise)
    design: Design = field(default_factory=GaussianDesign)

    def __post_init__(self) -> None:
        protocols: tuple[tuple[str, object, type], ...] = (
            ("spectrum", self.spectrum, Spectrum),
            ("target", self.target, Target),
            ("design", self.design, Design),
        )
        for name, value, protocol in protocols:
            # A class has its instances' attributes too: RademacherDesign for RademacherDesign() is refused here.
            if isinstance(value, type) or not isinstance(value, protocol):
                raise ValueError(f"{name}={value!r} is not a {name}; see the methods listed at vf.{name.title()}")
        if not isinstance(self.noise, Noise):
            raise ValueError(f"noise={self.noise!r} must be a Noise, for example Noise(sigma=1.0)")
        if isinstance(self.target, SingleEigenfunction) and self.target.index > self.spectrum.size:
            raise ValueError(
                f"target index={self.target.index} exceeds the {self.spectrum.size:g} eigenvalues of the spectrum"
            )

    @property
    def beta(self) -> float:
        """Tail index of the spectrum; ValueError where it has none."""
        return tail_index(self.spectrum)

    @property
    def s(self) -> float:
        """Declared source index of the target."""
        return self.target.s

    @property
    def sigma(self) -> float:
        """Standard deviation of the label noise."""
        return self.noise.sigma

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; every float survives the round trip."""
        parts: dict[str, object] = {"spectrum": self.spectrum, "target": self.target, "noise": self.noise}
        if self.design != GaussianDesign():
            parts["design"] = self.design
        return {name: recorded(name, part) for name, part in parts.items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Instance:
        """Rebuild an instance from :meth:`to_json`, validating every part."""
        if not isinstance(record, Mapping) or set(record) - {"design"} != {"spectrum", "target", "noise"}:
            raise ValueError(
                f"an instance is a JSON object with spectrum, target and noise (and a design that is not Gaussian), "
                f"got {record!r}"
            )
        return cls(
            spectrum=cast(Spectrum, Ingredient.from_json(record["spectrum"])),
            target=cast(Target, Ingredient.from_json(record["target"])),
            noise=Noise.from_json(record["noise"]),
            design=cast(Design, Ingredient.from_json(record["design"])) if "design" in record else GaussianDesign(),
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON form, in hexadecimal."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def describe(self) -> str:
        """One line for people."""
        parts = [self.spectrum.describe(), self.target.describe(), self.noise.describe()]
        if self.design != GaussianDesign():
            parts.append(self.design.describe())
        return "; ".join(parts)
