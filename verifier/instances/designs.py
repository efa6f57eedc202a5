r"""Designs: the law of the inputs, :math:`x_i = \sqrt{l_i}\, z_i` with iid coordinates z of mean zero and variance one.

A design answers ``draw(generator, shape)``: an array of independent standardised coordinates. Everything deterministic
(the equivalent, the ridges tuned on it) depends on the spectrum alone and is the same for every design: that the risk
tends to it for other coordinates too is universality, a theorem under conditions and with errors that nothing here
checks. So only Gaussian designs say ``equivalent = True``; an instance with another one is judged by simulation on
real samples (:mod:`verifier.risk.sampled`), against its ``plain`` counterpart.

An object of another package with these methods and attributes is a design as well; no subclassing is needed. The
coordinates of the designs here are symmetric about zero, so that flipping the sign of a coordinate leaves the law of the
inputs as it is, and with it the mean of the risk. Under a design that is not symmetric the risk is that of a target whose
coefficients have independent random signs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, above, within

Array = NDArray[np.float64]

_SIGNS: Array = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float64) * 2.0 - 1.0
"""The eight signs in each byte, shape (256, 8)."""


@runtime_checkable
class Design(Protocol):
    """What the harness asks of a design."""

    @property
    def equivalent(self) -> bool:
        """Whether the deterministic equivalent is certified for these inputs; without it judgement takes route B."""

    @property
    def plain(self) -> Design:
        """The counterpart whose risk has the exponent that theorems give: the reference of route B."""

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> Array:
        """Independent coordinates of mean 0 and variance 1, an array of the given shape, from ``generator`` alone."""

    def describe(self) -> str:
        """One phrase for people."""


@dataclass(frozen=True)
class GaussianDesign(Ingredient):
    """Standard normal coordinates: the plain case."""

    equivalent = True  # not a field

    @property
    def plain(self) -> GaussianDesign:
        return self

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> Array:
        return generator.standard_normal(shape)

    def describe(self) -> str:
        return "Gaussian inputs"


@dataclass(frozen=True)
class UncentredDesign(Ingredient):
    r"""Gaussian inputs that are not centred, :math:`x \sim N(\mu, \Sigma)`, :math:`\mu` orthogonal to the eigenvectors of
    :math:`\Sigma`: beside the centred coordinates there is a constant one, which the same ridge penalises.

    ``mean`` is :math:`\|\mu\| > 0`, so that the second moment along :math:`\mu` is :math:`l_0 = \|\mu\|^2`; ``intercept`` is
    :math:`f_0 = \langle\theta, \mu\rangle \ge 0`, the target's mean, none by default. The equivalent is that of
    :mod:`verifier.risk.means`; ``draw`` gives the centred coordinates.
    """

    mean: float = 1.0
    intercept: float = 0.0

    equivalent = True  # not a field

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", within("mean", self.mean, 1e-3, 1e3, "without a mean use GaussianDesign()"))
        object.__setattr__(self, "intercept", within("intercept", self.intercept, 0.0, 1e3))

    @property
    def plain(self) -> GaussianDesign:
        return GaussianDesign()

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> Array:
        return generator.standard_normal(shape)

    def describe(self) -> str:
        beside = f", target of mean {self.intercept:g}" if self.intercept else ""
        return f"uncentred inputs of mean {self.mean:g}{beside}"


@dataclass(frozen=True)
class MixtureSamples(Ingredient):
    r"""Inputs drawn from a :class:`~verifier.instances.Mixture` itself: component k with probability :math:`\pi_k`, then
    :math:`N(0, \Sigma_k)`. ``draw`` gives the standardised coordinates within a component.

    Such samples have a deterministic equivalent of their own (:mod:`verifier.risk.mixtures`), which simulation certifies and by
    which they are judged. With label noise its ratio to the one of Gaussian inputs of the mixed covariance tends to one; without
    noise the oracle's ridge is another one for either, and an instance refuses this design.
    """

    equivalent = True  # not a field

    @property
    def plain(self) -> GaussianDesign:
        return GaussianDesign()

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> Array:
        return generator.standard_normal(shape)

    def describe(self) -> str:
        return "each input from one component"


class _NotGaussian:
    """Coordinates for which no theorem used here certifies the equivalent."""

    equivalent = False
    sample_scales = (1.0,)  # independent rows: a sample is worth what it is under Gaussian inputs

    @property
    def plain(self) -> GaussianDesign:
        return GaussianDesign()


@dataclass(frozen=True)
class RademacherDesign(_NotGaussian, Ingredient):
    """Coordinates +1 or -1 with probability 1/2 each: bounded, discrete, fourth moment 1 (the smallest there is)."""

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> Array:
        count = math.prod(shape)
        drawn = np.frombuffer(generator.bytes((count + 7) // 8), dtype=np.uint8)
        return _SIGNS[drawn].ravel()[:count].reshape(shape)

    def describe(self) -> str:
        return "Rademacher inputs"


@dataclass(frozen=True)
class UniformDesign(_NotGaussian, Ingredient):
    r"""Coordinates uniform on :math:`[-\sqrt 3, \sqrt 3]`: bounded, fourth moment 9/5."""

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> Array:
        coordinates = generator.random(shape)
        coordinates -= 0.5
        coordinates *= math.sqrt(12.0)
        return coordinates

    def describe(self) -> str:
        return "uniform inputs"


@dataclass(frozen=True)
class StudentDesign(_NotGaussian, Ingredient):
    r"""Heavy tails: Student's t with :math:`\nu` degrees of freedom (``dof``) over its standard deviation
    :math:`\sqrt{\nu/(\nu-2)}`.

    The fourth moment is :math:`3(\nu-2)/(\nu-4)`, so 9 at the default :math:`\nu = 5`; it is finite for :math:`\nu > 4`
    only, and moments of order :math:`\nu` and higher are infinite. Drawn as
    :math:`\sqrt{\nu(e^{2E/\nu}-1)}\cos(\pi V)` with E standard exponential and V uniform on (0, 1), which has exactly this
    law (Bailey 1994, with :math:`U = e^{-E}`) at a third of the cost of a normal over the root of a gamma. E has an exact tail,
    beyond the 37 at which the logarithm of a uniform double ends, so nothing is cut off the tails.
    """

    dof: float = 5.0

    def __post_init__(self) -> None:
        why = "the fourth moment of the inputs must be finite"
        object.__setattr__(self, "dof", above("dof", self.dof, 4.0, why))

    @property
    def finite_size(self) -> float:
        """c in the relative difference c/n from Gaussian inputs: half the excess kurtosis; .4 of it was measured
        (tests/test_sampled.py).
        """
        return 3.0 / (self.dof - 4.0)

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> Array:
        radius = generator.standard_exponential(shape)
        radius *= 2.0 / self.dof
        np.expm1(radius, out=radius)
        radius *= self.dof - 2.0  # nu (e^(2E/nu) - 1) over the variance nu / (nu - 2)
        np.sqrt(radius, out=radius)
        # The cosine from the tangent of half the angle, which numpy computes several times faster.
        half = generator.random(shape)
        half *= 0.5 * math.pi
        np.tan(half, out=half)
        np.square(half, out=half)
        radius *= 1.0 - half
        half += 1.0
        radius /= half
        return radius

    def describe(self) -> str:
        return f"Student t inputs, {self.dof:g} degrees of freedom"
