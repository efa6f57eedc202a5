"""An instance: one immutable, JSON-serialisable point of a claim's domain."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from verifier.instances.carried import CarriedCoefficients, CarriedFunction
from verifier.instances.context import Context, OneHead
from verifier.instances.coordinates import PerCoordinate, VectorAutoregression
from verifier.instances.dependence import Dependence, Independent
from verifier.instances.designs import Design, GaussianDesign, MixtureSamples, UncentredDesign
from verifier.instances.drift import Drift, NoDrift
from verifier.instances.features import AllFeatures, Features, FourierFeatures, NystromFeatures
from verifier.instances.filters import Descent, Filter, GradientDescent, GradientFlow, Ridge
from verifier.instances.ingredient import Ingredient, recorded
from verifier.instances.mixtures import Mixture, RotatedMixture
from verifier.instances.noise import Noise
from verifier.instances.spectra import PowerLaw, Spectrum, power_tail, tail_index
from verifier.instances.targets import CriticalTarget, SingleEigenfunction, Target
from verifier.instances.transforms import FullRotation, Identity, Transform

MOST_DEPENDENT_STEP = 0.1
"""Largest step of gradient descent, in units of 1/l_1, on samples that depend on one another: up to ten times l_1 no eigenvalue of
a sample oscillates.
"""

MOST_TRANSFORMED = 4096
"""Largest finite number of directions that a transform may act on; infinitely many are no trouble."""


@dataclass(frozen=True)
class Instance:
    """Kernel ridge regression on inputs x of covariance Sigma with labels <theta, x> + noise.

    ``spectrum`` gives the eigenvalues of Sigma, ``target`` the coefficients of the regression function in its
    eigenbasis (nonnegative, where a transform makes their signs matter), ``noise`` the label noise, ``design`` the law of
    the inputs, x ~ N(0, Sigma) unless another is given. ``transform`` T, the identity unless another is given, is what the
    regression sees of the inputs: it is run on T x, for the same labels. ``dependence`` is how samples depend on one another;
    they are independent unless another is given. ``features``, infinitely many unless others are given, is the width of what the
    regression is run on. ``filter`` is how the estimator is computed, by ridge regression unless another is given. ``context`` adds
    heads to the kernel as n grows; ``spectrum`` is that of the first head, the only one unless a context is given. ``drift`` is how
    the kernel of a gradient flow changes while it learns, not at all unless another is given; one that does is learnt from in the
    Gaussian sequence model, the limit of regression in which a sample resolves all that is asked for. Two instances are equal
    exactly when their JSON forms are; the plain design, the identity, independence, infinite width, ridge regression, one head and
    a kernel that stays are left out of the JSON form, which is thereby that of instances written down before there were others.
    """

    spectrum: Spectrum
    target: Target = field(default_factory=lambda: CriticalTarget(s=0.5))
    noise: Noise = field(default_factory=Noise)
    design: Design = field(default_factory=GaussianDesign)
    transform: Transform = field(default_factory=Identity)
    dependence: Dependence = field(default_factory=Independent)
    features: Features = field(default_factory=AllFeatures)
    filter: Filter = field(default_factory=Ridge)
    context: Context = field(default_factory=OneHead)
    drift: Drift = field(default_factory=NoDrift)

    def __post_init__(self) -> None:
        protocols: tuple[tuple[str, object, type], ...] = (
            ("spectrum", self.spectrum, Spectrum),
            ("target", self.target, Target),
            ("design", self.design, Design),
            ("transform", self.transform, Transform),
            ("dependence", self.dependence, Dependence),
            ("features", self.features, Features),
            ("filter", self.filter, Filter),
            ("context", self.context, Context),
            ("drift", self.drift, Drift),
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
        self._check_in_l2()
        if isinstance(self.design, MixtureSamples):
            self._check_mixture_samples()
        if isinstance(self.design, UncentredDesign):
            self._check_uncentred()
        if isinstance(self.spectrum, RotatedMixture):
            self._check_rotated(self.spectrum)
        if self.transform.factors:
            self._check_transform()
        if self.dependence != Independent():
            self._check_dependence()
        if self.features.finite:
            self._check_features()
        if self.filter != Ridge():
            self._check_filter()
        if self.context.several:
            self._check_context()
        if self.drift != NoDrift():
            self._check_drift()

    def _check_context(self) -> None:
        if self.features.finite or self.dependence != Independent() or self.filter != Ridge():
            raise ValueError(
                f"context={self.context!r}: several heads are known here for ridge regression on independent samples at infinite "
                f"width; got {self.features!r}, {self.dependence!r} and {self.filter!r}"
            )
        if self.design != GaussianDesign() or not self.diagonal or self.transform.factors:
            raise ValueError(
                f"context={self.context!r}: several heads are known here for Gaussian inputs without a transform, in the basis of "
                f"the target; got {self.spectrum!r}, {self.design!r} and {self.transform!r}"
            )
        power_tail("spectrum", self.spectrum)
        if getattr(self.target, "supremum", False) or self.noise.sigma == 0.0:
            raise ValueError(
                f"context={self.context!r}: heads are added for a single target, such as CriticalTarget, and with label noise; got "
                f"{self.target!r} and {self.noise!r}"
            )

    def _check_drift(self) -> None:
        if self.filter != GradientFlow():
            raise ValueError(
                f"drift={self.drift!r} is that of the kernel of a gradient flow; got filter={self.filter!r}, use GradientFlow()"
            )
        if not isinstance(self.spectrum, PowerLaw) or not isinstance(self.target, CriticalTarget):
            raise ValueError(
                f"drift={self.drift!r} is known here of power laws and critical targets; got {self.spectrum!r} and "
                f"{self.target!r}, "
                "use PowerLaw and CriticalTarget"
            )
        least = min(getattr(self.drift, "ratios", (1.0,))) * self.spectrum.beta
        if least <= 1.0:
            raise ValueError(
                f"drift={self.drift!r}: with {self.spectrum.describe()} the tail index falls to {least:g}, where the kernel has no "
                "trace; give it larger ratios, or the spectrum a larger beta"
            )

    def _check_filter(self) -> None:
        if self.features.finite or isinstance(self.dependence, PerCoordinate | VectorAutoregression):
            raise ValueError(
                f"filter={self.filter!r}: no equivalent is known here of a descent on finitely many features, or on coordinates "
                f"whose correlations over time differ; got {self.features!r} and {self.dependence!r}"
            )
        if self.dependence != Independent() and not isinstance(self.filter, Descent):
            raise ValueError(
                f"filter={self.filter!r}: no equivalent is known here of stochastic descent on samples that depend on one another; "
                f"got {self.dependence!r}, use GradientFlow(), GradientDescent() or HeavyBall()"
            )
        step = self.filter.step if isinstance(self.filter, GradientDescent) else 0.0
        if self.dependence != Independent() and step > MOST_DEPENDENT_STEP:
            raise ValueError(
                f"filter={self.filter!r}: on samples that depend on one another, {self.dependence!r}, the largest eigenvalue of a "
                f"sample exceeds l_1 by far; use a step of at most {MOST_DEPENDENT_STEP:g}"
            )
        if self.design != GaussianDesign() or not self.diagonal:
            raise ValueError(
                f"filter={self.filter!r}: its equivalent knows Gaussian inputs, and a covariance that is diagonal in the basis of "
                f"the target; got {self.spectrum!r}, {self.design!r} and {self.transform!r}"
            )
        if getattr(self.target, "supremum", False) or self.noise.sigma == 0.0:
            raise ValueError(
                f"filter={self.filter!r}: a descent is stopped for the sake of label noise, and for a single target, such as "
                f"CriticalTarget; got {self.target!r} and {self.noise!r}"
            )

    def _check_dependence(self) -> None:
        if self.features.finite:
            raise ValueError(
                f"features={self.features!r}: no equivalent is known here of finitely many features and samples that depend on one "
                f"another, {self.dependence!r}; use AllFeatures() or Independent()"
            )
        if not isinstance(self.design, GaussianDesign | UncentredDesign):
            raise ValueError(
                f"design={self.design!r}: samples that depend on one another, {self.dependence!r}, have Gaussian inputs; use "
                "GaussianDesign() or UncentredDesign()"
            )
        if self.transform.factors:
            raise ValueError(
                f"transform={self.transform!r}: samples that depend on one another, {self.dependence!r}, are regressed on as "
                "they are; use Identity()"
            )
        if isinstance(self.spectrum, RotatedMixture):
            raise ValueError(
                f"spectrum={self.spectrum!r}: samples that depend on one another, {self.dependence!r}, need one eigenbasis; use "
                "a Mixture or any other spectrum"
            )
        if isinstance(self.dependence, PerCoordinate | VectorAutoregression):
            self._check_per_coordinate()

    def _check_uncentred(self) -> None:
        if self.transform.factors or isinstance(self.spectrum, RotatedMixture):
            raise ValueError(
                f"design={self.design!r}: the mean of uncentred inputs is orthogonal to the eigenvectors of the covariance that "
                f"the regression sees; got {self.spectrum!r} and {self.transform!r}, use one eigenbasis and Identity()"
            )
        if isinstance(self.dependence, PerCoordinate):
            raise ValueError(
                f"dependence={self.dependence!r}: no equivalent is known here of uncentred inputs whose coordinates have "
                "autocorrelations of their own; use GaussianDesign() or Dependent()"
            )
        if self.noise.sigma == 0.0:
            raise ValueError(
                f"design={self.design!r} needs label noise: without it the sample is interpolated, and the mean hears nothing "
                "but what the other coordinates leave over; use Noise(sigma=1.0)"
            )

    def _check_per_coordinate(self) -> None:
        if getattr(self.target, "supremum", False):
            raise ValueError(
                f"target={self.target!r} is the worst target of a ball where all coordinates are alike; with "
                f"{self.dependence!r} use a single target, such as CriticalTarget"
            )
        if (
            isinstance(self.dependence, VectorAutoregression)
            and math.isfinite(self.spectrum.size)
            and self.spectrum.size % 2
        ):
            raise ValueError(
                f"spectrum={self.spectrum!r} has {self.spectrum.size:g} eigenvalues; {self.dependence!r} couples them in pairs: "
                "give it an even number, or infinitely many"
            )
        if MOST_TRANSFORMED < self.spectrum.size < math.inf:
            raise ValueError(
                f"spectrum={self.spectrum!r} has {self.spectrum.size:g} eigenvalues; with {self.dependence!r} give it at most "
                f"{MOST_TRANSFORMED}, or infinitely many"
            )
        if self.noise.sigma == 0.0:
            raise ValueError(
                f"noise={self.noise!r}: coordinates of their own autocorrelation, {self.dependence!r}, need label noise (without "
                "it the sample is interpolated, and nothing used here gives the exponent); use Noise(sigma=1.0)"
            )

    def _check_features(self) -> None:
        if self.design != GaussianDesign() or not self.diagonal:
            raise ValueError(
                f"features={self.features!r}: their equivalent knows Gaussian inputs, and a covariance that is diagonal in the "
                f"basis of the target; got {self.spectrum!r}, {self.design!r} and {self.transform!r}"
            )
        if getattr(self.target, "supremum", False):
            raise ValueError(
                f"target={self.target!r} is the worst target of a ball; with features={self.features!r} use a single target, "
                "such as CriticalTarget"
            )
        if isinstance(self.features, NystromFeatures | FourierFeatures) and self.noise.sigma == 0.0:
            raise ValueError(
                f"features={self.features!r} need label noise: a sample that is interpolated on so few functions is not "
                "simulated, so that nothing would certify their equivalent; use Noise(sigma=1.0)"
            )

    def _check_rotated(self, mixture: RotatedMixture) -> None:
        target = self.target
        known = isinstance(target, CarriedCoefficients) or (
            isinstance(target, CarriedFunction) and target.l2_index >= 0.5
        )
        if not known or getattr(target, "origin", None) != mixture.components[0]:
            raise ValueError(
                f"target={target!r}: components that are turned have no eigenbasis in common; use CarriedCoefficients with the "
                "first component as its origin, or CarriedFunction with an index of at least 1/2 (in the RKHS)"
            )
        if self.transform.factors or self.design != GaussianDesign():
            raise ValueError(
                f"a RotatedMixture knows Gaussian inputs and no transform; got {self.design!r}, {self.transform!r}"
            )

    def _check_mixture_samples(self) -> None:
        if not isinstance(self.spectrum, Mixture):
            raise ValueError(
                f"design={self.design!r} draws each input from one component; spectrum={self.spectrum!r} has none, use a Mixture"
            )
        if self.noise.sigma == 0.0:
            raise ValueError(
                f"design={self.design!r} needs label noise: without it the sample is interpolated, and the risk on samples of a "
                "mixture need not have the exponent of its covariance (verifier.risk.mixtures.mixture_risk evaluates it)"
            )
        if self.transform.factors or getattr(self.target, "supremum", False):
            raise ValueError(
                f"design={self.design!r} knows single targets and no transform; got {self.target!r} and {self.transform!r}"
            )

    def _check_in_l2(self) -> None:
        """A target that is carried over from another covariance may be no element of L2 under this one; one of a component
        belongs to its mixture.
        """
        mixture = getattr(self.target, "mixture", None)
        if mixture is not None and mixture != self.spectrum:
            raise ValueError(f"target={self.target!r} belongs to another mixture than spectrum={self.spectrum!r}")
        index_under = getattr(self.target, "index_under", None)
        if index_under is None or self.spectrum.tail_index is None or math.isfinite(self.spectrum.size):
            return
        index = index_under(self.spectrum.tail_index)
        if not index > 0.0:
            raise ValueError(
                f"target={self.target!r} has the index {index:.3g} under {self.spectrum.describe()}, so that it is not in L2 "
                "there; give it a larger s, or an origin of a smaller beta"
            )

    def _check_transform(self) -> None:
        size = self.spectrum.size
        if isinstance(self.transform, FullRotation) and not size <= MOST_TRANSFORMED:
            raise ValueError(
                f"transform={self.transform!r} turns all coordinates; spectrum={self.spectrum!r} has {size:g}, at most "
                f"{MOST_TRANSFORMED} can be turned"
            )
        if self.transform.head > size:
            raise ValueError(
                f"transform={self.transform!r} acts on coordinate {self.transform.head} by itself; the spectrum has "
                f"{size:g} eigenvalues"
            )
        if MOST_TRANSFORMED < size < float("inf"):
            raise ValueError(
                f"spectrum={self.spectrum!r} has {size:g} eigenvalues; under a transform give it at most "
                f"{MOST_TRANSFORMED}, or infinitely many"
            )
        if getattr(self.target, "supremum", False) and not self.transform.unitary:
            raise ValueError(
                f"target={self.target!r} is the worst target of a ball for a diagonal covariance only; under a transform use "
                "a single target, such as CriticalTarget"
            )
        if self.design != GaussianDesign() and not (self.transform.unitary or self.transform.commutes):
            raise ValueError(
                f"design={self.design!r}: only Gaussian inputs have independent coordinates in the eigenbasis of what the "
                "regression sees, where they are simulated; use GaussianDesign()"
            )

    @property
    def diagonal(self) -> bool:
        """Whether the covariance that the regression sees is diagonal in the basis of the target."""
        return self.transform.unitary and not isinstance(self.spectrum, RotatedMixture)

    @property
    def beta(self) -> float:
        """Tail index of the spectrum; ValueError where it has none."""
        return tail_index(self.spectrum)

    @property
    def s(self) -> float:
        """Declared source index of the target."""
        return self.target.s

    @property
    def schedule_power(self) -> float:
        r"""p = 1/(2s + 1/beta) of the paper's schedule :math:`\lambda_n = n^{-p}`, with the declared s."""
        return 1.0 / (2.0 * self.s + 1.0 / self.beta)

    @property
    def sigma(self) -> float:
        """Standard deviation of the label noise."""
        return self.noise.sigma

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; every float survives the round trip."""
        parts: dict[str, object] = {"spectrum": self.spectrum, "target": self.target, "noise": self.noise}
        if self.design != GaussianDesign():
            parts["design"] = self.design
        if self.transform != Identity():
            parts["transform"] = self.transform
        if self.dependence != Independent():
            parts["dependence"] = self.dependence
        if self.features != AllFeatures():
            parts["features"] = self.features
        if self.filter != Ridge():
            parts["filter"] = self.filter
        if self.context != OneHead():
            parts["context"] = self.context
        if self.drift != NoDrift():
            parts["drift"] = self.drift
        return {name: recorded(name, part) for name, part in parts.items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Instance:
        """Rebuild an instance from :meth:`to_json`, validating every part."""
        optional = {"design", "transform", "dependence", "features", "filter", "context", "drift"}
        if not isinstance(record, Mapping) or set(record) - optional != {"spectrum", "target", "noise"}:
            raise ValueError(
                f"an instance is a JSON object with spectrum, target and noise (and a design that is not Gaussian, a transform "
                f"that is not the identity, a dependence that is not independence, features that are finitely many, a filter that "
                f"is not ridge regression, a context of several heads, a kernel that drifts), got {record!r}"
            )
        return cls(
            spectrum=cast(Spectrum, Ingredient.from_json(record["spectrum"])),
            target=cast(Target, Ingredient.from_json(record["target"])),
            noise=Noise.from_json(record["noise"]),
            design=cast(Design, Ingredient.from_json(record["design"])) if "design" in record else GaussianDesign(),
            transform=cast(Transform, Ingredient.from_json(record["transform"]))
            if "transform" in record
            else Identity(),
            dependence=cast(Dependence, Ingredient.from_json(record["dependence"]))
            if "dependence" in record
            else Independent(),
            features=cast(Features, Ingredient.from_json(record["features"]))
            if "features" in record
            else AllFeatures(),
            filter=cast(Filter, Ingredient.from_json(record["filter"])) if "filter" in record else Ridge(),
            context=cast(Context, Ingredient.from_json(record["context"])) if "context" in record else OneHead(),
            drift=cast(Drift, Ingredient.from_json(record["drift"])) if "drift" in record else NoDrift(),
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
        if self.transform != Identity():
            parts.append(self.transform.describe())
        if self.dependence != Independent():
            parts.append(self.dependence.describe())
        if self.features != AllFeatures():
            parts.append(self.features.describe())
        if self.filter != Ridge():
            parts.append(self.filter.describe())
        if self.context != OneHead():
            parts.append(self.context.describe())
        if self.drift != NoDrift():
            parts.append(self.drift.describe())
        return "; ".join(parts)
