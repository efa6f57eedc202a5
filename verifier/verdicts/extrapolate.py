r"""From a deterministic curve, exact at any reachable x, to its exponent as x grows without limit, with an error bar.

The local exponents e(t) = -d ln y / d ln x at t = ln x approach the limit in one of three ways, told apart by the data:

* by a power of x, e = a + b exp(-w t): Aitken's process (Aitken 1926) on three equally spaced values;
* by a power of the logarithm, e = a + b/t (at saturation, s = 1, or for regularly varying spectra): Richardson's
  extrapolation in 1/t;
* not pointwise at all, when a log-periodic factor makes e oscillate for ever: then e is replaced by slopes over windows.
  Where there is one known period, windows of whole periods, in which a periodic part cancels; elsewhere (two periods, or
  unknown ones) windows with the taper of Blackman and Harris (Harris 1978), which suppress what oscillates four times or
  more in a window to less than a thousandth. What may leak through is computed from the taper, and added to the error bar.

The error bar is computed from the sequence alone, never from what a claim says of it: a floor, plus multiples of how
far the extrapolation moved from the last value and from the extrapolation one step earlier. How often an exponent that is a
theorem escapes it is measured (docs/calibration.md, tests/test_extrapolate.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FLOOR = 0.002
SPREAD = 1.5  # of what the extrapolation changed by, one step earlier
MOVED = 0.5  # of how far it lies from the last value
PACE = 0.95  # of the quotient of successive growth factors: below it the growth runs out
FEWEST_PERIODS = 6  # so that each window holds two
WINDOW = 2.0 / 3.0  # share of the grid in a tapered window
LATE = 0.7  # of the first centre to the last: beyond it a logarithm cannot be told from a slow power


@dataclass(frozen=True)
class Asymptote:
    """What a curve tends to: exponent +- half_width; the amplitude of a persistent oscillation of the local exponent;
    and the growth of ln(y x^exponent) from one doubling of ln x to the next, as a function of the exponent asked about.
    """

    exponent: float
    half_width: float
    oscillation: float
    earlier_oscillation: float

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the error bar."""
        return self.exponent - self.half_width, self.exponent + self.half_width


def local_exponents(log_x: Array, log_y: Array) -> tuple[Array, Array]:
    """Mid-points in ln x and local exponents -d ln y / d ln x between neighbouring points, both of shape (k - 1,)."""
    return 0.5 * (log_x[1:] + log_x[:-1]), -np.diff(log_y) / np.diff(log_x)


def asymptote(log_x: Array, log_y: Array, period: int | None = None, periods: tuple[float, ...] = ()) -> Asymptote:
    """Extrapolate a curve on an equally spaced grid of at least 16 points in ln x.

    ``period`` is the number of grid steps in one period of its oscillation, where there is a single one and it is known;
    ``periods`` are those of its oscillations in ln x; where none is known the turns are counted.
    """
    if len(log_x) < 16:
        raise ValueError(f"log_x has {len(log_x)} points; an extrapolation needs at least 16")
    if not np.all(np.isfinite(log_y)):
        return Asymptote(math.nan, math.inf, 0.0, 0.0)
    middle, local = local_exponents(log_x, log_y)
    late, earlier = _oscillation(middle, local, 2 / 3, 1.0), _oscillation(middle, local, 1 / 3, 2 / 3)
    turns = _turns(local[len(local) // 3 :])
    if turns >= 3 and late > 2e-4:
        if period is not None and len(log_x) > FEWEST_PERIODS * period:
            exponent, half_width = _extrapolate(*_whole_periods(log_x, log_y, period))
            return Asymptote(exponent, half_width, late, earlier)
        exponent, half_width = _extrapolate(*_tapered(log_x, log_y))
        window = WINDOW * float(log_x[-1] - log_x[0])
        return Asymptote(exponent, half_width + late * _leak(window, periods or (2.0 * window / turns,)), late, earlier)
    step = (len(middle) - 1) // 5
    picks = [len(middle) - 1 - k * step for k in (3, 2, 1, 0)]
    exponent, half_width = _extrapolate(middle[picks], local[picks])
    return Asymptote(exponent, half_width, late if turns >= 3 else 0.0, earlier)


def _leak(window: float, periods: tuple[float, ...]) -> float:
    r"""Share of the oscillation of the local exponent that a slope over a window may keep.

    Two periods beat: a staircase that samples a wave shows it at :math:`|1/P - k/Q|` as well, for any k. An oscillation of ln y
    that is slower by some factor moves the local exponent less by that factor.
    """
    frequencies = {1.0 / period for period in periods}
    fastest = max(frequencies)
    beats = {abs(f - g * round(f / g)) for f in frequencies for g in frequencies} | {
        abs(f - g) for f in frequencies for g in frequencies
    }
    return max(f / fastest * leakage(f * window) for f in frequencies | beats)


def _turns(local: Array) -> int:
    """Number of times the local exponent turns round, ignoring rounding noise."""
    moves = np.diff(local)
    moves = moves[np.abs(moves) > 1e-7]
    return int(np.sum(np.diff(np.sign(moves)) != 0))


def _oscillation(middle: Array, local: Array, start: float, stop: float) -> float:
    """Half the range of the local exponent about its straight trend in a part of the grid."""
    part = slice(int(start * len(local)), max(int(stop * len(local)), int(start * len(local)) + 3))
    t, e = middle[part], local[part]
    residual = e - np.polyval(np.polyfit(t, e, 1), t)
    return float(0.5 * np.ptp(residual))


def _whole_periods(log_x: Array, log_y: Array, period: int) -> tuple[Array, Array]:
    """Centres and exponents of four equally spaced windows, each a third of the grid in whole periods."""
    width = period * ((len(log_x) - 1) // (3 * period))
    last = len(log_x) - 1 - width
    starts = last - (last - len(log_x) // 8) // 3 * np.arange(3, -1, -1)
    ends = starts + width
    return 0.5 * (log_x[starts] + log_x[ends]), -(log_y[ends] - log_y[starts]) / (log_x[ends] - log_x[starts])


def _tapered(log_x: Array, log_y: Array) -> tuple[Array, Array]:
    """Centres and exponents of four overlapping windows, each two thirds of the grid, weighted by the taper."""
    size = round(WINDOW * len(log_x))
    starts = np.linspace(0, len(log_x) - size, 4).astype(int)
    weights = taper(size)
    centres = np.array([float(weights @ log_x[k : k + size]) for k in starts])
    slopes = [float(_slope_weights(weights, log_x[k : k + size]) @ log_y[k : k + size]) for k in starts]
    return centres, -np.array(slopes)


def taper(size: int) -> Array:
    """Four-term Blackman-Harris taper (Harris 1978, table 1, -92 dB) at the middles of ``size`` equal cells, of sum one."""
    phase = 2.0 * np.pi * (np.arange(size) + 0.5) / size
    weights = 0.35875 - 0.48829 * np.cos(phase) + 0.14128 * np.cos(2.0 * phase) - 0.01168 * np.cos(3.0 * phase)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _slope_weights(weights: Array, t: Array) -> Array:
    """Weights w' with which the weighted least-squares slope of y on t is w' y."""
    spread = weights * (t - weights @ t)
    return np.asarray(spread / (spread @ t), dtype=np.float64)


@lru_cache(maxsize=1)
def _leakages() -> tuple[Array, Array]:
    """Cycles in a window, and the largest slope that an oscillation of so many cycles, or more, leaves behind when its own
    slope has amplitude one.
    """
    cells = 4096
    t = (np.arange(cells) + 0.5) / cells
    weights = _slope_weights(taper(cells), t)
    cycles = np.arange(0.25, 64.0, 0.05)
    # The weights are odd about the middle: the worst phase is that of the sine.
    waves = np.sin(2.0 * np.pi * cycles[:, None] * (t - 0.5)) / (2.0 * np.pi * cycles[:, None])
    response = np.abs(waves @ weights)
    return cycles, np.maximum.accumulate(response[::-1])[::-1]


def leakage(cycles: float) -> float:
    """Share of an oscillation of the local exponent, with ``cycles`` or more periods in a window, that a tapered slope keeps."""
    known, response = _leakages()
    return float(np.interp(cycles, known, response))


def _extrapolate(centres: Array, values: Array) -> tuple[float, float]:
    """Limit of four values at equally spaced centres, and its half-width.

    Where the first three values lead to a limit as well, the two limits say how well the law of the approach is met, and little
    is added for the distance that was extrapolated; where they do not, that distance counts like a change.
    """
    before, now = _limit(centres[:3], values[:3]), _limit(centres[1:], values[1:])
    last = float(values[-1])
    change = np.abs(np.diff(values))
    if now is None:
        # No sign of convergence yet: the limit may be several of these steps away.
        return last, FLOOR + SPREAD * float(change.max()) * 4.0
    if before is None:
        return now, FLOOR + SPREAD * (float(change[-2:].sum()) + abs(last - now))
    half_width = FLOOR + SPREAD * abs(now - before) + MOVED * abs(last - now)
    # On a stretch that is short beside its distance from the origin a slow power passes for a logarithm, whose limit is farther
    # away: the error bar reaches from the last value to that limit.
    return (0.5 * (last + now) if centres[1] > LATE * centres[3] else now), half_width


def _limit(centres: Array, values: Array) -> float | None:
    """Limit of three values: constant, geometric (Aitken) or logarithmic (Richardson); None if they do not converge."""
    first, second = float(values[1] - values[0]), float(values[2] - values[1])
    last = float(values[2])
    if max(abs(first), abs(second)) < 1e-5:
        return last
    if first == 0.0:
        return None
    ratio = second / first
    logarithmic = float(centres[0] / centres[2])  # the ratio of successive differences of 1/t
    if ratio < 0.0:
        return last if abs(second) < 0.5 * abs(first) or abs(second) < 1e-3 else None
    if ratio < 0.8 * logarithmic:
        return last + second * ratio / (1.0 - ratio)
    if ratio < 1.25 * logarithmic:
        # e = a + b/t through the last two values.
        return last + second * float(centres[1] / (centres[2] - centres[1]))
    return None


def growth(log_x: Array, log_ratio: Array, upper: bool = True) -> tuple[float, float]:
    """Change of the supremum (or infimum) of ln(ratio) from [T/4, T/2] to [T/2, T] in t = ln x, and the same one doubling
    of t earlier. A bounded ratio that settles has both near zero; a factor (ln x)^c changes by c ln 2 each time.
    """
    return _growth(log_x, log_ratio, np.max if upper else np.min)


def mean_growth(log_x: Array, log_ratio: Array) -> tuple[float, float]:
    """The same of the mean of ln(ratio)."""
    return _growth(log_x, log_ratio, np.mean)


def _growth(log_x: Array, log_ratio: Array, level: Callable[[Array], Any]) -> tuple[float, float]:
    levels = _levels(log_x, log_ratio, level, 3)
    if len(levels) < 3:
        raise ValueError("log_x has no point in one of the last three halvings of its range; use a finer grid")
    return levels[0] - levels[1], levels[1] - levels[2]


def fades(log_x: Array, log_ratio: Array, upper: bool = True) -> bool:
    r"""Whether a growing ratio is running out of growth.

    Its increments D over successive doublings of t = ln x are those of :math:`A + B t^c` with :math:`D_1/D_2 = D_2/D_3 = 2^c`
    whatever A is, where it is unbounded; of :math:`A - B e^{-wt}`, which is bounded, with a first ratio that is smaller than the
    second, since it is its square but for the factor of the next term. Measured (tests/test_judge.py): the quotient is .96 and
    more at s = 1, where there is a logarithm, .93 and less at s = .999, where there is none; unseen by it are oscillations.
    """
    levels = _levels(log_x, log_ratio, np.max if upper else np.min, 4)
    if len(levels) < 4:
        return False
    sign = 1.0 if upper else -1.0
    last, middle, first = -np.diff(np.exp(sign * (np.array(levels) - levels[0])))
    return bool(min(last, middle, first) > 0.0 and last * first < PACE * middle**2)


def _levels(log_x: Array, log_ratio: Array, level: Callable[[Array], Any], count: int) -> list[float]:
    """Supremum, infimum or mean of ln(ratio) on [T/2, T], [T/4, T/2], ..., as many of ``count`` as hold points."""
    t = log_x - log_x[0] + 1.0
    end = float(t[-1])
    levels: list[float] = []
    for k in range(count):
        inside = (t > end / 2 ** (k + 1)) & (t <= end / 2**k)
        if not inside.any():
            break
        levels.append(float(level(log_ratio[inside])))
    return levels
