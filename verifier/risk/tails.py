r"""The tail index of a kernel's spectrum, :math:`l_i \sim i^{-\beta}`, from its matrix on N samples, with an interval.

The estimate is minus the slope of :math:`\ln\hat l_i` on :math:`\ln i` over i from 4 to N/8, every :math:`d\ln i` of equal
weight; :math:`\hat l_i` are the eigenvalues of K/N. The window depends on the size of the matrix alone. Four things go into the
interval:

- *finite samples, bias*: :math:`\hat l_i = l_i (1 + c\,i/N + ...)` (for Gaussian features of a power law :math:`c =
  -(\pi/\beta)\cot(\pi/\beta)`, from :math:`\sum_{j\ne i} l_j/(l_i - l_j)`; Anderson 1963, equation 2.13). It is taken off by
  comparison with half-samples, :math:`2 b_N - b_{N/2}` (Quenouille 1956), which asks nothing of the law of the features; what is
  left of it is allowed for as a share of what was taken off;
- *finite samples, variance*: random disjoint halves A, B; :math:`\mathrm{se}^2 = \mathrm{mean}\,(b_A - b_B)^2/4` (Shao and Wu
  1989);
- *curvature*: the slopes of the lower and the upper half of the window, in ln i, both lie in the interval, and as much beyond as
  they differ by more than their standard error. A spectrum that decays exponentially, or a sum of tails that is still on its way
  from one to the other, has a wide one;
- *finite width*: m parameters bend the spectrum as N samples do, so that the bias found is allowed for once more, N/m times.

The interval is for the index of a spectrum that goes on as it does in the window; without the part for curvature it is one for
the slope of the population's own eigenvalues over the window. A heavier tail that takes over beyond N/8, or a logarithm, is not
seen by anybody. Coverage is measured by ``benchmarks/tails.py`` (``docs/transformers.md``).

Tail indices of kernels on the *same* samples are compared by their difference (:func:`compared`): what the samples do to both
cancels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from verifier.risk.streams import stream

Array = NDArray[np.float64]

FIRST = 4
"""First index of the window: before it a few eigenvalues are a constant, a mean and the like."""

SHARE = 8
"""The window ends at N / SHARE."""

SHORTEST = 5.0
"""Smallest ratio of last to first index on which a slope says something."""

SPLITS = 8
"""Random splits into halves."""

LEFT_OVER = 0.75
"""Share of the bias taken off that may be left."""

LEVEL = 0.95
"""Stated level of the interval."""

RESOLVED = 1e-13
"""Smallest eigenvalue, relative to the largest, that double precision resolves."""


@dataclass(frozen=True)
class TailIndex:
    """A tail index, or a difference of two, with its interval.

    value +- half_width contains it at the level asked for, LEVEL by default. ``sampling``, ``bias`` and ``curvature`` are the
    parts of the half-width. ``window`` holds the first and the last index looked at. Where nothing can be said ``half_width`` is
    infinite, and ``reason`` says why.
    """

    value: float
    half_width: float
    sampling: float
    bias: float
    curvature: float
    window: tuple[int, int]
    reason: str = ""

    @property
    def of_window(self) -> float:
        """Half-width of the interval for the population's own slope over the window: no curvature is allowed for."""
        return self.sampling + self.bias

    @property
    def interval(self) -> tuple[float, float]:
        """value +- half_width."""
        return self.value - self.half_width, self.value + self.half_width


@dataclass(frozen=True, eq=False)
class Slopes:
    """Minus the slopes of one kernel: a row for all samples and then one for each half, the halves of a split next to each other;
    columns: the whole window, its lower and its upper half. ``reason``: why there are none.
    """

    rows: Array
    window: tuple[int, int]
    samples: int
    width: float
    reason: str = ""


def window(samples: int) -> tuple[int, int]:
    """First and last index that are looked at on N samples."""
    return FIRST, samples // SHARE


def slopes(kernel: Array, *, width: float = math.inf, seed: int = 0, splits: int = SPLITS) -> Slopes:
    """Slopes of a kernel matrix K of shape (N, N), positive semidefinite, on all samples and on random halves.

    ``width`` is the number of parameters behind it; ``seed`` chooses the halves, ``splits`` times two of them: kernels to be
    compared take the same ones. ValueError for a matrix that is not square, or not finite.
    """
    kernel = np.asarray(kernel, dtype=np.float64)
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"kernel of shape {kernel.shape} must be a square matrix; give the Gram matrix of the samples")
    if not np.all(np.isfinite(kernel)):
        raise ValueError("kernel holds numbers that are not finite; look at the features that it was made of")
    if not width > 0.0:
        raise ValueError(f"width={width!r} must be a positive number of parameters, or infinite")
    samples = len(kernel)
    first, last = window(samples)
    none = Slopes(np.full((1 + 2 * splits, 3), np.nan), (first, last), samples, width)
    if last < SHORTEST * first:
        least = math.ceil(SHORTEST * FIRST * SHARE)
        return _without(none, f"{samples} samples are too few: at least {least} are needed")
    if width < 2.0 * last:
        return _without(none, f"{width:g} parameters are too few for {last} eigenvalues")
    rng = stream(seed, "tails", "halves", samples)
    order = [rng.permutation(samples) for _ in range(splits)]
    half = samples // 2
    parts = [part for each in order for part in (each[:half], each[half : 2 * half])]
    whole = np.linalg.eigvalsh(kernel)[::-1][:last] / samples
    halves = np.linalg.eigvalsh(np.stack([kernel[np.ix_(part, part)] for part in parts]))[:, ::-1][:, :last] / half
    values = np.vstack([whole, halves])
    if not np.all(values[:, -1] > RESOLVED * values[:, 0]):
        found = int(np.sum(whole > RESOLVED * whole[0]))
        return _without(none, f"the spectrum ends within the window: {found} eigenvalues of {last} are not zero")
    return Slopes(np.log(values) @ slope_weights(first, last).T, (first, last), samples, width)


def _without(slopes: Slopes, reason: str) -> Slopes:
    return Slopes(slopes.rows, slopes.window, slopes.samples, slopes.width, reason)


def slope_weights(first: int, last: int) -> Array:
    """Weights of ln l_1, ..., ln l_last in minus the slopes over the window and its two halves, shape (3, last)."""
    index = np.arange(1.0, last + 1.0)
    middle = math.sqrt(first * last)
    rows = []
    for low, high in ((first, last), (first, middle), (middle, last)):
        inside = np.where((index >= math.floor(low)) & (index <= math.ceil(high)), 1.0 / index, 0.0)
        x = np.log(index)
        x = x - np.sum(inside * x) / np.sum(inside)
        rows.append(-inside * x / np.sum(inside * x * x))
    return np.array(rows)


def tail_index(kernel: Array, *, width: float = math.inf, seed: int = 0) -> TailIndex:
    """The tail index of a kernel matrix, shape (N, N), with its interval; see :func:`slopes` for the arguments."""
    return estimated(slopes(kernel, width=width, seed=seed))


def estimated(found: Slopes, other: Slopes | None = None, *, comparisons: int = 1, level: float = LEVEL) -> TailIndex:
    """The tail index, or how much larger it is than that of ``other``, a kernel on the same samples and halves.

    ``comparisons`` is the number of intervals that are to hold together (Bonferroni) at ``level``. ValueError for kernels of
    different samples.
    """
    reason = found.reason or (other.reason if other is not None else "")
    if reason:
        return TailIndex(math.nan, math.inf, math.inf, math.inf, math.inf, found.window, reason)
    rows, width = found.rows, found.width
    if other is not None:
        if other.samples != found.samples:
            raise ValueError(
                f"other has {other.samples} samples, and {found.samples} are compared: use the same samples"
            )
        rows, width = found.rows - other.rows, min(found.width, other.width)
    corrected = 2.0 * rows[0] - rows[1:].mean(axis=0)
    halves = (rows[1::2] - rows[2::2]) / 2.0
    quantile = -float(stdtrit(len(rows) // 2 - 1, (1.0 - level) / 2.0 / comparisons))
    value, lower, upper = (float(v) for v in corrected)
    taken_off = float(np.max(np.abs(corrected - rows[0])))
    sampling = quantile * math.sqrt(float(np.mean(halves[:, 0] ** 2)))
    bias = taken_off * (LEFT_OVER + found.samples / width)
    trend = (upper - lower) ** 2 - float(np.mean((halves[:, 2] - halves[:, 1]) ** 2))
    curvature = max(abs(lower - value), abs(upper - value), math.sqrt(max(trend, 0.0)))
    return TailIndex(value, sampling + bias + curvature, sampling, bias, curvature, found.window)


def compared(whole: Slopes, parts: Sequence[Slopes], *, level: float = LEVEL) -> TailIndex:
    r"""How much larger the tail index of ``whole`` is than the smallest of ``parts``: the largest of the differences.

    The interval runs from the largest lower to the largest upper end of intervals that hold together, so that which part has the
    heaviest tail need not be known. Parts without a tail that can be measured are left out; where none has one the reason is given.
    ValueError where there are no parts.
    """
    if not parts:
        raise ValueError("parts must hold at least one kernel")
    differences = [estimated(whole, part, comparisons=len(parts), level=level) for part in parts]
    usable = [each for each in differences if math.isfinite(each.half_width)]
    if not usable:
        return differences[0]
    low, high = max(each.interval[0] for each in usable), max(each.interval[1] for each in usable)
    widest = max(usable, key=lambda each: each.interval[1])
    return TailIndex(
        (low + high) / 2.0, (high - low) / 2.0, widest.sampling, widest.bias, widest.curvature, whole.window
    )
