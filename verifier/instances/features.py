r"""Features: the width of what the regression is run on.

With m Gaussian random features the regression sees :math:`\varphi(x) = Gx/\sqrt m` instead of x, where G has m rows of
independent standard normals, drawn once and independent of the sample (Rahimi and Recht 2007; as a model of a network of finite
width: Simon, Karkada, Ghosh and Belkin 2023). The width may grow with the sample, :math:`m = c\,n^q`. With m landmarks
(Nystrom features) it sees inputs projected on the span of m other inputs. With infinitely many
features the kernel is that of the covariance itself: the plain case.

An object of another package with the methods of :class:`Features` can be recorded, but the equivalent of finite width
(:class:`verifier.risk.equivalents.FeatureEquivalent`) and its simulation are those of Gaussian features: a kind of features of
which that is not known to be true says ``equivalent = False`` and is simulated by its package.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verifier.instances.ingredient import Ingredient, positive, within

Array = NDArray[np.float64]

LOG_WIDEST = 690.0
"""ln of the largest width: beyond, m is no double, and infinite for all purposes."""

MOST_DEGREE = 50.0


@runtime_checkable
class Features(Protocol):
    """What the harness asks of features."""

    @property
    def finite(self) -> bool:
        """Whether there are finitely many of them at any n."""

    @property
    def grows(self) -> bool:
        """Whether their number grows without limit with n; true where they are infinitely many."""

    def log_width(self, log_n: ArrayLike) -> Array:
        """ln m at each ln n; infinite where there are infinitely many features."""

    def width(self, n: ArrayLike) -> Array:
        """m at each n, a real number; infinite where it is no double."""

    def describe(self) -> str:
        """One phrase for people."""


class _Widths:
    """Shared by the features here."""

    def log_width(self, log_n: ArrayLike) -> Array:
        raise NotImplementedError

    def width(self, n: ArrayLike) -> Array:
        """Number m of features at each sample size, shape of n, as a real number; simulation rounds it."""
        log_m = self.log_width(np.log(np.asarray(n, dtype=np.float64)))
        return np.where(log_m > LOG_WIDEST, np.inf, np.exp(np.minimum(log_m, LOG_WIDEST)))


@dataclass(frozen=True)
class AllFeatures(_Widths, Ingredient):
    """Infinitely many features, at every n: the kernel itself."""

    finite = False  # not a field
    grows = True

    def log_width(self, log_n: ArrayLike) -> Array:
        return np.full(np.shape(log_n), np.inf)

    def describe(self) -> str:
        return "infinite width"


class _PowerOfN(_Widths):
    """Shared by features of which there are m(n) = max(1, c n^q), c = ``factor`` > 0 and q = ``degree`` >= 0."""

    factor: float
    degree: float

    finite = True  # not a field

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", positive("factor", self.factor))
        object.__setattr__(self, "degree", within("degree", self.degree, 0.0, MOST_DEGREE))
        if self.degree == 0.0 and self.factor < 1.0:
            raise ValueError(f"factor={self.factor!r} is the width where degree=0; it must be at least 1")

    @property
    def grows(self) -> bool:
        return self.degree > 0.0

    @property
    def log_onset(self) -> float:
        """ln n from which on m is c n^q, not 1."""
        return max(0.0, -math.log(self.factor) / self.degree) if self.degree > 0.0 else 0.0

    def log_width(self, log_n: ArrayLike) -> Array:
        return np.maximum(math.log(self.factor) + self.degree * np.asarray(log_n, dtype=np.float64), 0.0)

    def _count(self) -> str:
        """The number of features, for people."""
        if self.degree == 0.0:
            return f"{self.factor:g}"
        scale = "" if self.factor == 1.0 else f"{self.factor:g} "
        return f"m = {scale}n^{self.degree:g}"


@dataclass(frozen=True)
class GaussianFeatures(_PowerOfN, Ingredient):
    r""":math:`m(n) = \max(1, c\,n^q)` Gaussian features, c = ``factor`` > 0 and q = ``degree`` >= 0.

    ``degree`` 0 is a fixed width m = ``factor``, at least 1. ValueError for numbers outside these ranges.
    """

    factor: float = 1.0
    degree: float = 1.0

    def describe(self) -> str:
        return f"{self._count()} Gaussian features"


@dataclass(frozen=True)
class NystromFeatures(_PowerOfN, Ingredient):
    r"""The functions :math:`K(z_j, \cdot)` of :math:`m(n) = \max(1, c\,n^q)` landmarks, c = ``factor`` > 0 and q = ``degree`` >= 0:
    inputs of the same law, drawn once and independent of the sample. The regression is on the features
    :math:`K_{mm}^{-1/2}k_m(x)`, so it is ridge regression restricted to the span of those functions (:mod:`verifier.risk.nystrom`).

    ``degree`` 0 is a fixed number of landmarks m = ``factor``, at least 1. ValueError for numbers outside these ranges.
    """

    factor: float = 1.0
    degree: float = 1.0

    def describe(self) -> str:
        return f"{self._count()} landmarks"


@dataclass(frozen=True)
class FourierFeatures(_PowerOfN, Ingredient):
    r"""Cosine and sine of :math:`m(n) = \max(1, c\,n^q)` frequencies, c = ``factor`` > 0 and q = ``degree`` >= 0, drawn with
    probabilities proportional to the eigenvalues of a stationary kernel on the torus (Rahimi and Recht 2007).

    With these features the inputs are uniform on the torus. An eigenvalue :math:`l_k` of the spectrum is that of both
    :math:`\sqrt2\cos kx` and :math:`\sqrt2\sin kx`, and the energy :math:`f_k^2` of the target is that of the pair: every
    eigenvalue counts twice. At infinitely many features the risk at n samples is that of the same instance with
    :class:`AllFeatures` at n/2 samples and the same ridge; the exponent is the same.

    ``degree`` 0 is a fixed number of frequencies m = ``factor``, at least 1. ValueError for numbers outside these ranges.
    """

    factor: float = 1.0
    degree: float = 1.0

    def describe(self) -> str:
        return f"{self._count()} Fourier features on the torus"
