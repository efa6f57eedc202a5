r"""Measured spectra: the eigenvalues of a kernel matrix or of a sample covariance, as they come from a file.

A finite spectrum has no tail index. Whatever is claimed of n -> infinity is, on a finite spectrum, about the last eigenvalue,
and not about the decay that was measured: the exponents of a power law do not apply to it, ``instance.beta`` is refused,
and hypotheses such as Assumption R fail. What it is good for: risks and learning curves at the sample sizes that matter,
and bounds at given ridges. :meth:`EmpiricalSpectrum.fitted_tail` says what decay a range of indices shows, no more.

The eigenvalues of a sample covariance are not those of the population: from about a tenth of the sample size on they are
biased downwards (Marchenko and Pastur 1967), so that a tail fitted there is too steep.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, above, real, whole
from verifier.instances.spectra import SpectrumDefaults
from verifier.tables import TableError, read_table

Array = NDArray[np.float64]

MOST = 20_000
"""Largest number of eigenvalues: sums are taken term by term, and every recorded instance holds all of them."""

FEWEST_TO_FIT = 8


@dataclass(frozen=True)
class FittedTail:
    """The decay l_i ~ i^-index over the indices ``low`` to ``high``.

    ``index`` is minus the slope of ln l_i on ln i in which every e-fold of i weighs the same. ``spread`` is half the range
    of the slopes over the three thirds of the range (in ln i): eigenvalues are ordered and depend on each other, so that
    a standard error from residuals would be fiction, and curvature is what errs. It is no confidence interval, and nothing
    is said of indices outside the range.
    """

    index: float
    spread: float
    low: int
    high: int

    def describe(self) -> str:
        """One phrase for people."""
        return f"i^-{self.index:.3g} over {self.low} <= i <= {self.high} (thirds of it differ by +-{self.spread:.2g})"


@dataclass(frozen=True)
class EmpiricalSpectrum(SpectrumDefaults, Ingredient):
    """Measured eigenvalues, positive and in decreasing order (equal ones are allowed); ``origin`` says where they come from."""

    eigenvalues: tuple[float, ...]
    origin: str = "measured"

    def __post_init__(self) -> None:
        try:
            values = tuple(self.eigenvalues)
        except TypeError:
            raise ValueError(f"eigenvalues={self.eigenvalues!r} must be a sequence of positive numbers") from None
        if not values:
            raise ValueError("eigenvalues=() is empty; give at least one positive number")
        if len(values) > MOST:
            raise ValueError(
                f"eigenvalues has {len(values)} entries; at most {MOST} are allowed: keep the leading ones"
            )
        checked = tuple(above(f"eigenvalues[{i}]", value, 0.0) for i, value in enumerate(values))
        for i in range(1, len(checked)):
            if checked[i] > checked[i - 1]:
                raise ValueError(
                    f"eigenvalues[{i}]={checked[i]!r} exceeds eigenvalues[{i - 1}]={checked[i - 1]!r}; sort them in "
                    "decreasing order"
                )
        if not isinstance(self.origin, str) or not self.origin.isprintable():
            raise ValueError(f"origin={self.origin!r} must be one line of text")
        object.__setattr__(self, "eigenvalues", checked)

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        column: str | None = None,
        *,
        first: int | None = None,
        drop_below: float = 0.0,
    ) -> EmpiricalSpectrum:
        """Read the eigenvalues from a column of a CSV file (its name or number; the last column if None).

        They are sorted in decreasing order. Values of at most ``drop_below`` > 0 are left out (eigenvalues that are zero up
        to rounding); without it they are refused. ``first`` keeps the leading ones. ``origin`` notes each of these. Raises
        TableError, a ValueError, naming file, line, column, value and remedy.
        """
        bound = real("drop_below", drop_below)
        if bound < 0.0:
            raise ValueError(f"drop_below={drop_below!r} must be at least 0")
        count = None if first is None else whole("first", first, 1)
        table = read_table(path)
        place = len(table.columns) - 1 if column is None else table.find(column)
        values: list[float] = []
        for row in table.rows:
            value = table.number(row, place)
            if value > bound:
                values.append(value)
            elif bound == 0.0:
                raise TableError(
                    f"{table.where(row, place)}: {row.cells[place]!r} is not positive: leave out what is zero up to rounding "
                    "with drop_below=1e-12, say"
                )
        if not values:
            raise TableError(f"{table.path}: no value exceeds drop_below={bound:g}: choose a smaller one")
        ordered = sorted(values, reverse=True)
        notes = [] if ordered == values else ["sorted on reading"]
        if len(values) < len(table.rows):
            notes.append(f"{len(table.rows) - len(values)} of at most {bound:g} left out")
        if count is not None and count < len(ordered):
            notes.append(f"the first {count} of {len(ordered)}")
            ordered = ordered[:count]
        if len(ordered) > MOST:
            raise TableError(
                f"{table.path}: holds {len(ordered)} eigenvalues, at most {MOST} are allowed: give first={MOST}"
            )
        name = "".join(char if char.isprintable() else "?" for char in os.path.basename(table.path))
        return cls(tuple(ordered), "; ".join([name, *notes]))

    @property
    def size(self) -> float:  # type: ignore[override]
        return float(len(self.eigenvalues))

    @property
    def head(self) -> int:  # type: ignore[override]
        return len(self.eigenvalues)

    @cached_property
    def _logarithms(self) -> Array:
        return np.asarray(np.log(np.asarray(self.eigenvalues)), dtype=np.float64)

    def log_eigenvalues(self, log_index: Array) -> Array:
        index = np.rint(np.exp(log_index)).astype(np.int64) - 1
        return np.asarray(self._logarithms[index], dtype=np.float64)

    def fitted_tail(self, low: int = 1, high: int | None = None) -> FittedTail:
        """The decay over a range of indices, by default all; see :class:`FittedTail` for what it does not say."""
        low = whole("low", low, 1, len(self.eigenvalues))
        high = len(self.eigenvalues) if high is None else whole("high", high, 1, len(self.eigenvalues))
        if high - low + 1 < FEWEST_TO_FIT or high < 3 * low:
            raise ValueError(
                f"low={low}, high={high}: a decay needs at least {FEWEST_TO_FIT} eigenvalues and high >= 3 low to show"
            )
        index = np.arange(low, high + 1.0)
        x, y = np.log(index), self._logarithms[low - 1 : high]

        def decay(part: NDArray[np.bool_]) -> float:
            weight = 1.0 / index[part]
            centred = x[part] - np.average(x[part], weights=weight)
            return -float(np.sum(weight * centred * y[part]) / np.sum(weight * centred * centred))

        edges = np.linspace(math.log(low) - 1e-9, math.log(high) + 1e-9, 4)
        thirds = [(x >= a) & (x <= b) for a, b in pairwise(edges)]
        slopes = [decay(part) for part in thirds if np.count_nonzero(part) > 1]
        spread = 0.5 * (max(slopes) - min(slopes)) if slopes else math.inf
        return FittedTail(decay(np.ones(len(x), bool)), spread, low, high)

    def describe(self) -> str:
        return f"{len(self.eigenvalues)} measured eigenvalues ({self.origin})"
