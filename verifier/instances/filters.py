r"""Filters: how the estimator is computed from the sample, as a function of the eigenvalues of its covariance.

A spectral filter estimates :math:`\hat\theta = \phi_\lambda(\hat\Sigma)X'y/n`, where x are the eigenvalues of the empirical
covariance :math:`\hat\Sigma = X'X/n`, and leaves the residual :math:`g_\lambda(x) = 1 - x\phi_\lambda(x)` of a coefficient that
is met without noise (Bauer, Pereverzev and Rosasco 2007). Ridge regression has :math:`g = \lambda/(x + \lambda)`. Descent from
zero for a time t, early stopping, has :math:`g_\lambda(x) = A(x)\,e^{-\psi(x)/\lambda}` with :math:`\lambda = 1/t` and, for small
x, :math:`\psi(x) \approx x` and :math:`A(x) \approx 1` (A = 1 without momentum). The *qualification* is the largest index s for
which :math:`x^s g_\lambda(x) \le C\lambda^s`: 1 for ridge regression, which saturates there, none for descent.

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

FORGOTTEN = 1e-4
"""What is left, at the earliest stop, of the faster of the two modes that momentum gives a direction."""


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

    def excess(self, y: Array | Complex, largest: float) -> Array | Complex:
        """A - 1 at psi = y, real or complex, shape of y, where the residual is A exp(-psi/lambda); zero at zero."""

    def earliest(self, largest: float) -> float:
        """The lambda of the earliest stop, infinite where there is none; a larger lambda stops there too."""

    def learnt(self, x: Array, lam: float, largest: float) -> Array:
        """1 - g_lambda(x) at the eigenvalues of a sample, shape of x."""


@dataclass(frozen=True)
class Ridge(Ingredient):
    """Ridge regression: the plain case."""

    qualification = 1.0  # not a field

    def describe(self) -> str:
        return "ridge regression"


class StochasticDescent:
    """Shared by stochastic gradient descent of T = n^``degree`` steps: the last iterate, or the mean of them where ``averaged``."""

    degree: float
    averaged: bool

    def __post_init__(self) -> None:
        if not isinstance(self.averaged, bool):
            raise ValueError(f"averaged={self.averaged!r} must be True or False")

    @property
    def qualification(self) -> float:
        return 1.0 if self.averaged else math.inf

    def _iterate(self) -> str:
        """Which iterate is taken, for people."""
        return "mean of the iterates" if self.averaged else "last iterate"


@dataclass(frozen=True)
class SinglePass(StochasticDescent, Ingredient):
    r"""Stochastic gradient descent from zero, each sample used once, with the constant step :math:`\eta = 1/(\lambda n)`, at most
    half of the inverse trace (:mod:`verifier.risk.single_pass`). ``averaged``: the mean of the iterates, whose bias falls as
    1/(eta n)^2 at best, instead of the last one.
    """

    averaged: bool = False

    degree = 1.0  # not a field

    def describe(self) -> str:
        return f"single-pass SGD, {self._iterate()}"


@dataclass(frozen=True)
class MultiPass(StochasticDescent, Ingredient):
    r"""Stochastic gradient descent from zero that draws one of the n samples at each of :math:`T = n^a` steps, with replacement and
    uniformly, ``degree`` a in [1, 3]; of the constant step :math:`\eta = 1/(\lambda T)`, at most a quarter of the inverse trace
    (:mod:`verifier.risk.multi_pass`). ``averaged``: the mean of the iterates, of the qualification 1, instead of the last one.
    ValueError otherwise.

    ``degree=1`` sees every sample once on average. Pillaud-Vivien, Rudi and Bach 2018.
    """

    degree: float = 1.5
    averaged: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "degree", within("degree", self.degree, 1.0, 3.0))
        super().__post_init__()

    def describe(self) -> str:
        return f"SGD of n^{self.degree:g} steps, {self._iterate()}"


@dataclass(frozen=True)
class GradientFlow(Ingredient):
    r"""Gradient flow of the squared loss from zero until the time :math:`t = 1/\lambda`: :math:`g_\lambda(x) = e^{-x/\lambda}`."""

    qualification = math.inf  # not a field

    def log_decay(self, x: Array, largest: float) -> Array:
        return x

    def at_decay(self, y: Complex, largest: float) -> tuple[Complex, Complex]:
        return y, np.ones_like(y)

    def excess(self, y: Array | Complex, largest: float) -> Array | Complex:
        return np.zeros_like(y)

    def earliest(self, largest: float) -> float:
        return math.inf

    def learnt(self, x: Array, lam: float, largest: float) -> Array:
        return np.asarray(-np.expm1(-x / lam))

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

    def excess(self, y: Array | Complex, largest: float) -> Array | Complex:
        return np.zeros_like(y)

    def earliest(self, largest: float) -> float:
        return largest / (self.step * FEWEST_STEPS)

    def learnt(self, x: Array, lam: float, largest: float) -> Array:
        return np.asarray(-np.expm1(-self.log_decay(x, largest) / lam))

    def log_decay(self, x: Array, largest: float) -> Array:
        eta = self.step / largest
        return np.asarray(-np.log1p(-eta * x) / eta)

    def at_decay(self, y: Complex, largest: float) -> tuple[Complex, Complex]:
        eta = self.step / largest
        return np.asarray(-np.expm1(-eta * y) / eta), np.asarray(np.exp(-eta * y))

    def describe(self) -> str:
        return f"gradient descent of step {self.step:g}/l_1"


@dataclass(frozen=True)
class HeavyBall(Ingredient):
    r"""Gradient descent with momentum (Polyak 1964): :math:`\theta_{k+1} = \theta_k - \eta\nabla_k + \mu(\theta_k - \theta_{k-1})`
    from zero, the first step without momentum, stopped after :math:`k = (1 - \mu)/(\eta\lambda)` steps of :math:`\eta` =
    ``step``/l_1.

    The residual is :math:`A z_+^k + B z_-^k` with the roots of :math:`z^2 - (1 + \mu - \eta x)z + \mu`; the smaller one is at
    most mu, and has died out to ``FORGOTTEN`` at the earliest stop. ``momentum`` mu in [0, :math:`(1 - \sqrt{2h})^2`], h the
    ``step`` in [1e-3, 1/2], where no direction oscillates, those of a sample of up to 2 l_1 included; ValueError otherwise.
    """

    step: float = 0.01
    momentum: float = 0.5

    qualification = math.inf  # not a field

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", within("step", self.step, 1e-3, MOST_STEP))
        most = (1.0 - math.sqrt(2.0 * self.step)) ** 2
        object.__setattr__(self, "momentum", within("momentum", self.momentum, 0.0, most))

    def steps(self, lam: float, largest: float) -> float:
        """Number of steps at lambda."""
        return (1.0 - self.momentum) * largest / (self.step * min(lam, self.earliest(largest)))

    def log_decay(self, x: Array, largest: float) -> Array:
        eta, slow = self.step / largest, 1.0 - self.momentum
        moved = eta * x
        # 1 - z_+, without cancellation at small x.
        left = 2.0 * moved / (slow + moved + np.sqrt(np.maximum((slow + moved) ** 2 - 4.0 * moved, 0.0)))
        return np.asarray(-np.log1p(-left) * slow / eta)

    def at_decay(self, y: Complex, largest: float) -> tuple[Complex, Complex]:
        eta, mu = self.step / largest, self.momentum
        v = eta * y / (1.0 - mu)
        return np.asarray((-np.expm1(-v) - mu * np.expm1(v)) / eta), np.asarray(
            (np.exp(-v) - mu * np.exp(v)) / (1.0 - mu)
        )

    def excess(self, y: Array | Complex, largest: float) -> Array | Complex:
        mu = self.momentum
        v = self.step / largest * y / (1.0 - mu)
        return np.asarray(mu * np.expm1(v) / (np.exp(-v) - mu * np.exp(v)))

    def earliest(self, largest: float) -> float:
        forgotten = math.log(FORGOTTEN) / math.log(self.momentum) if self.momentum > 0.0 else 0.0
        return (1.0 - self.momentum) * largest / (self.step * max(FEWEST_STEPS, forgotten))

    def learnt(self, x: Array, lam: float, largest: float) -> Array:
        moved, mu, k = self.step / largest * x, self.momentum, self.steps(lam, largest)
        root = np.sqrt(
            (1.0 + mu - moved).astype(np.complex128) ** 2 - 4.0 * mu
        )  # imaginary where a direction oscillates
        upper, lower = 0.5 * (1.0 + mu - moved + root), 0.5 * (1.0 + mu - moved - root)
        root = np.where(root == 0.0, 1e-8, root)
        both = 1.0 - np.real(((1.0 - moved - lower) * upper**k + (upper - 1.0 + moved) * lower**k) / root)
        # Where little is learnt the two would cancel.
        decay = self.log_decay(x, largest)
        excess = np.real(self.excess(decay, largest))
        slow = -excess - (1.0 + excess) * np.expm1(-decay / min(lam, self.earliest(largest)))
        return np.asarray(np.where(moved < 1e-3 * (1.0 - mu) ** 2, slow, both))

    def describe(self) -> str:
        return f"gradient descent of step {self.step:g}/l_1 with momentum {self.momentum:g}"
