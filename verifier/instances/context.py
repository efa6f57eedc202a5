r"""Context: the kernels that are added to the first one as the context of a transformer grows with the sample.

A context that grows with n adds attention heads (or bands) to the kernel. With H(n) heads

.. math:: K_n = w_n\,(K_1 + K_2 + \dots + K_{H(n)}), \qquad H(n) = \max(1, c\,n^g (\ln n)^r), \quad w_n = H(n)^{-a},

where the first head has the ``spectrum`` of the instance, every other one the spectrum ``added``, and the target is what it is
relative to the first head: its coefficients in L2 do not change with n. a = 0 is the sum of the heads, a = 1 their mean. Two
geometries are the extremes of what heads may look at:

* *co-diagonal*: all heads have the same eigenfunctions, so that eigenvalues add up, :math:`l_i + (H - 1)\,a_i`;
* *disjoint*: no head shares an eigenfunction with another, so that spectra are merged: the eigenvalues of the first head, and
  H - 1 copies of those of an added one, about which the target says nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verifier.instances.ingredient import Ingredient, positive, within
from verifier.instances.spectra import PowerLaw

Array = NDArray[np.float64]

MOST_DEGREE = 0.95
"""Largest degree of the number of heads: with as many heads as samples there is less than one sample for each."""

MOST_LOGARITHMS = 4.0
ONSETS = np.arange(0.0, 600.0, 0.25)  # ln n at which the onset of growth is looked for


@runtime_checkable
class Context(Protocol):
    """What the harness asks of a context."""

    @property
    def several(self) -> bool:
        """Whether there is more than one head at some n."""

    def heads(self, n: ArrayLike) -> Array:
        """H at each n, a real number of at least one, shape of n."""

    def log_weight(self, n: ArrayLike) -> Array:
        """ln of the weight w of each head at each n, shape of n."""

    def describe(self) -> str:
        """One phrase for people."""


@dataclass(frozen=True)
class OneHead(Ingredient):
    """The first head alone, at every n: the plain case."""

    several = False  # not a field

    def heads(self, n: ArrayLike) -> Array:
        return np.ones(np.shape(n))

    def log_weight(self, n: ArrayLike) -> Array:
        return np.zeros(np.shape(n))

    def describe(self) -> str:
        return "one head"


@dataclass(frozen=True)
class _Heads:
    """Shared by contexts of several heads: the law of their number, and the spectrum and the weight of each."""

    added: PowerLaw = field(default_factory=lambda: PowerLaw(2.0))
    factor: float = 1.0
    degree: float = 0.0
    logarithms: float = 0.0
    weighting: float = 1.0

    several = True  # not a field

    def __post_init__(self) -> None:
        if not isinstance(self.added, PowerLaw):
            raise ValueError(f"added={self.added!r} must be a PowerLaw, the spectrum of every head but the first")
        object.__setattr__(self, "factor", positive("factor", self.factor))
        object.__setattr__(self, "degree", within("degree", self.degree, 0.0, MOST_DEGREE))
        object.__setattr__(self, "logarithms", within("logarithms", self.logarithms, 0.0, MOST_LOGARITHMS))
        object.__setattr__(self, "weighting", within("weighting", self.weighting, 0.0, 1.0))
        if not self.grows and self.factor < 1.0:
            raise ValueError(
                f"factor={self.factor!r} is the number of heads where nothing grows; it must be at least 1"
            )

    @property
    def grows(self) -> bool:
        """Whether the number of heads has no limit."""
        return self.degree > 0.0 or self.logarithms > 0.0

    @property
    def log_onset(self) -> float:
        """ln n, to 1/4, from which on H is what its law says, not 1."""
        behind = np.flatnonzero(self._log_law(ONSETS) <= 0.0)
        return float(ONSETS[behind[-1]]) if behind.size and self.grows else 0.0

    def _log_law(self, log_n: Array) -> Array:
        """ln of c n^g (ln n)^r; minus infinity at n = 1 where r > 0."""
        with np.errstate(divide="ignore"):
            logarithms = self.logarithms * np.log(log_n) if self.logarithms else 0.0
        return np.asarray(math.log(self.factor) + self.degree * log_n + logarithms)

    def heads(self, n: ArrayLike) -> Array:
        """H(n), shape of n, as a real number; simulation rounds it."""
        return np.exp(np.maximum(self._log_law(np.log(np.asarray(n, dtype=np.float64))), 0.0))

    def log_weight(self, n: ArrayLike) -> Array:
        """ln w, shape of n."""
        return -self.weighting * np.log(self.heads(n))

    def _law(self) -> str:
        """The number of heads and their weight, for people."""
        parts = [f"n^{self.degree:g}"] if self.degree else []
        parts += [f"(ln n)^{self.logarithms:g}" if self.logarithms != 1.0 else "ln n"] if self.logarithms else []
        scale = [] if self.factor == 1.0 and parts else [f"{self.factor:g}"]
        weights = {0.0: "summed", 1.0: "averaged"}.get(self.weighting, f"of the weight H^-{self.weighting:g} each")
        return f"H = {' '.join(scale + parts)} heads, {weights}"


@dataclass(frozen=True)
class DisjointHeads(_Heads, Ingredient):
    r"""H(n) heads that share no eigenfunction: the eigenvalues :math:`w l_i`, and :math:`w a_i` H - 1 times each.

    ``added`` is the spectrum a of every head but the first; ``factor`` c > 0, ``degree`` g in [0, .95] and ``logarithms`` r in
    [0, 4] make :math:`H(n) = \max(1, c n^g (\ln n)^r)`, a number c >= 1 of heads where g = r = 0; ``weighting`` a in [0, 1] makes
    :math:`w = H^{-a}`. ValueError for numbers outside these ranges.
    """

    def describe(self) -> str:
        return f"{self._law()}, on eigenfunctions of their own: all but the first {self.added.describe()}"


@dataclass(frozen=True)
class CodiagonalHeads(_Heads, Ingredient):
    r"""H(n) heads with the same eigenfunctions: the eigenvalues :math:`w (l_i + (H - 1) a_i)`; fields as in
    :class:`DisjointHeads`.
    """

    def describe(self) -> str:
        return f"{self._law()}, in one eigenbasis: all but the first {self.added.describe()}"
