r"""Filters: how the estimator is computed from the sample, as a function of the eigenvalues of its covariance.

A spectral filter estimates :math:`\hat\theta = \phi_\lambda(\hat\Sigma)X'y/n`, where x are the eigenvalues of the empirical
covariance :math:`\hat\Sigma = X'X/n`, and leaves the residual :math:`g_\lambda(x) = 1 - x\phi_\lambda(x)` of a coefficient that
is met without noise (Bauer, Pereverzev and Rosasco 2007). Ridge regression has :math:`g = \lambda/(x + \lambda)`. Descent from
zero for a time t, early stopping, has :math:`g_\lambda(x) = e^{-\psi(x)/\lambda}` with :math:`\lambda = 1/t` and
:math:`\psi(x) \approx x` for small x. The *qualification* is the largest index s for which :math:`x^s g_\lambda(x) \le C\lambda^s`:
1 for ridge regression, which saturates there, none for descent.

Everywhere the claim's tuning rule gives lambda; a filter stops at the time 1/lambda.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, within

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

MOST_STEP = 0.5
"""Largest step, in units of 1/l_1: the largest eigenvalue of a sample exceeds l_1, and descent diverges from 2/l on."""

FEWEST_STEPS = 3.0
"""Steps that a descent makes at least: a power of less than three has no equivalent as a sum of ridges, since the contour on which
its logarithm is integrated (:mod:`verifier.risk.filters`) would cross the branch cut."""


@runtime_checkable
class Filter(Protocol):
    """What the harness asks of the way in which an estimator is computed."""

    @property
    def qualification(self) -> float:
        """Largest index of a target that the bias still profits from."""

    def describe(self) -> str:
        """One phrase for people."""


@runtime_checkable
class Descent(Filter, Protocol):
    """What it asks of a descent on the whole sample."""

    def log_decay(self, x: Array, largest: float) -> Array:
        """psi(x) at real eigenvalues, shape of x; ``largest`` is l_1."""

    def at_decay(self, y: Complex, largest: float) -> tuple[Complex, Complex]:
        """The x with psi(x) = y, and dx/dy there, shape of y: entire functions of y."""

    def earliest(self, largest: float) -> float:
        """The lambda of the earliest stop, infinite where there is none; a larger lambda stops there too."""


@dataclass(frozen=True)
class Ridge(Ingredient):
    """Ridge regression: the plain case."""

    qualification = 1.0  # not a field

    def describe(self) -> str:
        return "ridge regression"


@dataclass(frozen=True)
class SinglePass(Ingredient):
    r"""Stochastic gradient descent from zero, each sample used once, with the constant step :math:`\eta = 1/(\lambda n)`, at most
    half of the inverse trace (:mod:`verifier.risk.single_pass`). ``averaged``: the mean of the iterates, whose bias falls as
    1/(eta n)^2 at best, instead of the last one.
    """

    averaged: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.averaged, bool):
            raise ValueError(f"averaged={self.averaged!r} must be True or False")

    @property
    def qualification(self) -> float:
        return 1.0 if self.averaged else math.inf

    def describe(self) -> str:
        return f"single-pass SGD, {'mean of the iterates' if self.averaged else 'last iterate'}"


@dataclass(frozen=True)
class GradientFlow(Ingredient):
    r"""Gradient flow of the squared loss from zero until the time :math:`t = 1/\lambda`: :math:`g_\lambda(x) = e^{-x/\lambda}`."""

    qualification = math.inf  # not a field

    def log_decay(self, x: Array, largest: float) -> Array:
        return x

    def at_decay(self, y: Complex, largest: float) -> tuple[Complex, Complex]:
        return y, np.ones_like(y)

    def earliest(self, largest: float) -> float:
        return math.inf

    def describe(self) -> str:
        return "gradient flow"


@dataclass(frozen=True)
class GradientDescent(Ingredient):
    r"""Full-batch gradient descent from zero with steps :math:`\eta` = ``step``/l_1, stopped after
    :math:`1/(\eta\lambda)` steps, and after three at the earliest: :math:`g_\lambda(x) = (1 - \eta x)^{1/(\eta\lambda)}`. Between
    whole numbers of steps the power interpolates. ``step`` in [1e-3, 1/2]; ValueError otherwise.
    """

    step: float = 0.5

    qualification = math.inf  # not a field

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", within("step", self.step, 1e-3, MOST_STEP))

    def steps(self, lam: float, largest: float) -> float:
        """Number of steps at lambda."""
        return max(largest / (self.step * lam), FEWEST_STEPS)

    def earliest(self, largest: float) -> float:
        return largest / (self.step * FEWEST_STEPS)

    def log_decay(self, x: Array, largest: float) -> Array:
        eta = self.step / largest
        return np.asarray(-np.log1p(-eta * x) / eta)

    def at_decay(self, y: Complex, largest: float) -> tuple[Complex, Complex]:
        eta = self.step / largest
        return np.asarray(-np.expm1(-eta * y) / eta), np.asarray(np.exp(-eta * y))

    def describe(self) -> str:
        return f"gradient descent of step {self.step:g}/l_1"
