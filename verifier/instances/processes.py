r"""Processes: how the samples of a sequence depend on one another, as stationary laws of unit variance.

A process is a centred stationary Gaussian sequence with autocorrelations :math:`\rho(h)`, :math:`\rho(0) = 1`, and spectral
density :math:`f(w) = \sum_h \rho(h) e^{ihw}`, whose mean over :math:`[0, \pi]` is one. Runs are a stationary renewal process
instead: time is cut into runs of random length L, and what is observed is repeated within a run; two times that are h apart
have the correlation P(same run) = :math:`\sum_{k>h} P(L \ge k) / E L`. Every sampler here is exact in law, at any length: the
autoregression starts in its stationary law, fractional Gaussian noise comes from a circulant embedding (Davies and Harte
1987; Wood and Chan 1994), runs start in the midst of one, with the residual life that renewal theory gives (Cox 1962).

``mixing`` says what is known of the coefficients of absolute regularity (beta-mixing), b(k) the mean total variation between
the law of the future from time k on and what it is once the past up to time 0 is known (Bradley 2005). They are those of
**one** coordinate. For Gaussian sequences Feldman and Hajek's dichotomy decides: joint law and product law of past and future
are equivalent or singular, and b(k) = 1 where singular. So infinitely many independent coordinates of one common
autocorrelation have b(k) = 1 at every lag k beyond which they are not independent altogether (Kakutani 1948), however fast
b(k) falls in one coordinate: for an AR(1) at every lag.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len
from scipy.special import binom, zeta

from verifier.instances.ingredient import Ingredient, above, whole, within

Array = NDArray[np.float64]

SHORT_MEMORY = 0.5
"""Hurst exponent of a process whose autocorrelations are summable."""

STRONGEST = 0.95
"""Largest autocorrelation at lag one, and largest Hurst exponent: beyond, sequences that can be simulated hold hardly more
than one sample.
"""

LONGEST_AVERAGE = 256
"""Most weights of a moving average."""

LONGEST_RUN = 1_000_000
"""Longest run that may be asked for."""

LEAST_TAIL = 1.05
"""Least exponent of the tail of run lengths, whose mean is infinite at one."""

_EACH = 4096
"""Lengths up to here are taken one by one in means over a power tail."""

MOST_AT_ONCE = 1 << 21
"""Doubles that one circulant embedding draws at a time: a bound on memory."""

_WIDE = 16
"""Columns from which an autoregression is stepped through time as a whole."""

_SERIES_FROM, _TERMS = 16, 8
"""Lag from which the autocorrelation of fractional noise is summed as a series in 1/h^2, and its terms: 16^-16 < 1e-19."""


@runtime_checkable
class Process(Protocol):
    """What the harness asks of a process: a stationary Gaussian sequence of mean zero and variance one."""

    @property
    def hurst(self) -> float:
        r"""Exponent H of the memory: 1/2 where autocorrelations are summable, otherwise :math:`\rho(h) \sim c h^{2H-2}`."""

    def autocorrelations(self, lags: int) -> Array:
        """rho(0), ..., rho(lags), shape (lags + 1,)."""

    def spectral_density(self, frequencies: Array) -> Array:
        r"""f(w) at frequencies of :math:`[0, \pi]`, of mean one there; infinite where it diverges."""

    def mixing(self, lags: int) -> Array:
        """Upper bounds of the beta-mixing coefficients b(0), ..., b(lags) of one coordinate."""

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> Array:
        """Independent copies of the sequence in the columns of an (n, columns) array, from ``generator`` alone."""

    def describe(self) -> str:
        """One phrase for people."""


@dataclass(frozen=True)
class White(Ingredient):
    """Independent standard normal samples: the plain case."""

    hurst = SHORT_MEMORY  # not a field

    def autocorrelations(self, lags: int) -> Array:
        return _at_lag_zero(lags)

    def spectral_density(self, frequencies: Array) -> Array:
        return np.ones_like(np.asarray(frequencies, dtype=np.float64))

    def mixing(self, lags: int) -> Array:
        """Zero at every lag but the first."""
        return _at_lag_zero(lags)

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> Array:
        return generator.standard_normal((n, columns))

    def describe(self) -> str:
        return "white"


@dataclass(frozen=True)
class AR1(Ingredient):
    r"""The stationary autoregression :math:`x_t = \rho x_{t-1} + \sqrt{1-\rho^2}\, e_t` with :math:`|\rho| \le .95`:
    :math:`\rho(h) = \rho^{|h|}`, :math:`f(w) = (1-\rho^2) / |1 - \rho e^{iw}|^2`.
    """

    rho: float = 0.0

    hurst = SHORT_MEMORY  # not a field

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "rho", within("rho", self.rho, -STRONGEST, STRONGEST, "the sequence must be stationary")
        )

    def autocorrelations(self, lags: int) -> Array:
        return np.asarray(self.rho ** _lags(lags), dtype=np.float64)

    def spectral_density(self, frequencies: Array) -> Array:
        half = np.sin(0.5 * np.asarray(frequencies, dtype=np.float64))
        return np.asarray((1.0 - self.rho**2) / ((1.0 - self.rho) ** 2 + 4.0 * self.rho * half**2))

    def mixing(self, lags: int) -> Array:
        r""":math:`|\rho|^k`, the maximal correlation of past and future, an upper bound of b(k) in one coordinate.

        The sequence is Markov, so b(k) is the total variation between the joint law of :math:`(x_0, x_k)` and the product
        law, at most :math:`\tfrac12 \sqrt{-\ln(1 - \rho^{2k})}` by Pinsker's inequality (their mutual information is
        :math:`-\tfrac12 \ln(1-\rho^{2k})`), and that is at most :math:`|\rho|^k` wherever :math:`\rho^{2k} \le .98`. In
        infinitely many coordinates of one common rho, b(k) = 1 at every lag unless rho = 0.
        """
        return np.asarray(abs(self.rho) ** _lags(lags), dtype=np.float64)

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> Array:
        sequence = generator.standard_normal((n, columns))
        sequence[1:] *= math.sqrt(1.0 - self.rho**2)  # the first sample has the stationary law already
        if columns < _WIDE:
            from scipy.signal import lfilter  # which loads all of scipy.stats: half a second of every start

            return np.asarray(lfilter([1.0], [1.0, -self.rho], sequence, axis=0))
        # A step through all columns at once reads memory in order, which the filter of scipy does not.
        for now, last in zip(sequence[1:], sequence[:-1], strict=True):
            now += self.rho * last
        return sequence

    def describe(self) -> str:
        return f"AR(1), rho = {self.rho:g}"


@dataclass(frozen=True)
class MovingAverage(Ingredient):
    r"""The moving average :math:`x_t = \sum_{j=0}^q a_j e_{t-j} / (\sum_j a_j^2)^{1/2}` of ``weights`` :math:`a_0, \dots, a_q`.

    :math:`\rho(h) = \sum_j a_j a_{j+h} / \sum_j a_j^2`, zero beyond q, and :math:`f(w) = |\sum_j a_j e^{ijw}|^2 / \sum_j
    a_j^2`. Samples more than q apart are independent, in any number of coordinates. Equal weights give the means of blocks
    that overlap, with the triangular autocorrelations :math:`(1 - h/(q+1))_+`.
    """

    weights: tuple[float, ...] = (1.0, 1.0)

    hurst = SHORT_MEMORY  # not a field

    def __post_init__(self) -> None:
        if not isinstance(self.weights, (tuple, list)) or not 1 <= len(self.weights) <= LONGEST_AVERAGE:
            raise ValueError(f"weights={self.weights!r} must be a tuple of 1 to {LONGEST_AVERAGE} real numbers")
        weights = tuple(within(f"weights[{j}]", a, -1e6, 1e6) for j, a in enumerate(self.weights))
        if not math.fsum(a * a for a in weights) > 1e-12:
            raise ValueError(f"weights={self.weights!r} must not all be zero (or below 1e-6)")
        object.__setattr__(self, "weights", weights)

    @property
    def order(self) -> int:
        """q, the largest lag at which samples may be correlated."""
        return len(self.weights) - 1

    @property
    def _unit(self) -> Array:
        """The weights of unit variance."""
        weights = np.asarray(self.weights)
        return np.asarray(weights / np.linalg.norm(weights))

    def autocorrelations(self, lags: int) -> Array:
        found = np.zeros(_count("lags", lags, 0) + 1)
        unit = self._unit
        for h in range(min(lags, self.order) + 1):
            found[h] = unit[: unit.size - h] @ unit[h:]
        found[0] = 1.0
        return found

    def spectral_density(self, frequencies: Array) -> Array:
        w = np.asarray(frequencies, dtype=np.float64)
        return np.asarray(np.abs(np.polynomial.polynomial.polyval(np.exp(1j * w), self._unit)) ** 2)

    def mixing(self, lags: int) -> Array:
        """One up to lag q, which is all that is claimed there, and exactly zero beyond, in any number of coordinates."""
        return np.where(_lags(lags) <= self.order, 1.0, 0.0)

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> Array:
        innovations = generator.standard_normal((n + self.order, columns))
        unit = self._unit
        sequence = unit[0] * innovations[self.order :]
        for j in range(1, unit.size):
            if unit[j] != 0.0:
                sequence += unit[j] * innovations[self.order - j : self.order - j + n]
        return np.asarray(sequence)

    def describe(self) -> str:
        shown = ", ".join(f"{a:g}" for a in self.weights[:6])
        return f"MA({self.order}), weights {shown}{', ...' if len(self.weights) > 6 else ''}"


@dataclass(frozen=True)
class FractionalNoise(Ingredient):
    r"""Fractional Gaussian noise of Hurst exponent H (``hurst``), :math:`1/2 < H \le .95`: long memory.

    :math:`\rho(h) = (|h+1|^{2H} - 2|h|^{2H} + |h-1|^{2H})/2 \sim H(2H-1) h^{2H-2}`, so that the mean of n samples has the
    variance :math:`n^{2H-2}` exactly (Mandelbrot and Van Ness 1968), and :math:`f(w) = 4 \sin(\pi H)\, \Gamma(2H+1)
    \sin^2(w/2) \sum_{j \in Z} |w + 2\pi j|^{-2H-1} \sim w^{1-2H}` (Sinai 1976; Beran 1994, equation 2.17).
    """

    hurst: float = 0.7

    def __post_init__(self) -> None:
        hurst = above("hurst", self.hurst, SHORT_MEMORY, "1/2 is white noise, use White()")
        object.__setattr__(self, "hurst", within("hurst", hurst, SHORT_MEMORY, STRONGEST))

    def autocorrelations(self, lags: int) -> Array:
        h = _lags(lags)
        found = np.empty_like(h)
        near, far = h[:_SERIES_FROM], h[_SERIES_FROM:]
        power = 2.0 * self.hurst
        found[: near.size] = 0.5 * ((near + 1.0) ** power - 2.0 * near**power + np.abs(near - 1.0) ** power)
        # Second differences cancel far out: there the binomial series of (1 + 1/h)^2H + (1 - 1/h)^2H - 2.
        found[near.size :] = far ** (power - 2.0) * np.polynomial.polynomial.polyval(far**-2.0, self.series)
        return found

    @property
    def series(self) -> Array:
        r"""Coefficients :math:`c_k = \binom{2H}{2k}`, k = 1, 2, ..., of :math:`\rho(h) = \sum_k c_k h^{2H-2k}`, h > 1."""
        return np.asarray(binom(2.0 * self.hurst, 2.0 * np.arange(1, _TERMS + 1)))

    def spectral_density(self, frequencies: Array) -> Array:
        w = np.asarray(frequencies, dtype=np.float64)
        power, turn = 2.0 * self.hurst + 1.0, w / (2.0 * math.pi)
        scale = 4.0 * math.sin(math.pi * self.hurst) * math.gamma(power)
        aliases = (2.0 * math.pi) ** -power * (zeta(power, 1.0 + turn) + zeta(power, 1.0 - turn))
        # The term j = 0 apart, with w^2 taken out of sin^2(w/2): it is all there is near zero, where it diverges.
        with np.errstate(divide="ignore"):
            lowest = 0.25 * np.sinc(turn) ** 2 * w ** (2.0 - power)
        return np.asarray(scale * (lowest + np.sin(0.5 * w) ** 2 * aliases))

    def mixing(self, lags: int) -> Array:
        """One at every lag, exactly: the Fourier coefficients of ln f fall like 1/j, so that the sum of j times their squares
        diverges and past and future are not absolutely regular (Ibragimov and Rozanov 1978, chapter IV), hence singular.
        """
        return np.ones(_count("lags", lags, 0) + 1)

    def draw(self, generator: np.random.Generator, n: int, columns: int) -> Array:
        half = next_fast_len(max(n - 1, 1), real=True)
        size, amplitude = 2 * half, _amplitudes(self, half)[:, None]
        sequence = np.empty((n, columns))
        step = max(1, MOST_AT_ONCE // size)
        for start in range(0, columns, step):
            stop = min(start + step, columns)
            parts = generator.standard_normal((2, half + 1, stop - start))
            waves = np.empty(parts.shape[1:], dtype=np.complex128)
            waves.real, waves.imag = parts
            waves *= amplitude
            waves[[0, -1]] = waves[[0, -1]].real * math.sqrt(2.0)  # the two frequencies that have no conjugate
            sequence[:, start:stop] = irfft(waves, size, axis=0)[:n]
        return sequence

    def describe(self) -> str:
        return f"fractional noise, H = {self.hurst:g}"


@functools.lru_cache(maxsize=32)
def _amplitudes(process: FractionalNoise, half: int) -> Array:
    """Standard deviation of the real part of each wave of the circulant embedding of size 2 half.

    The eigenvalues of the embedding are positive, because the autocorrelations are positive, decreasing and convex (Dietrich
    and Newsam 1997); the least one is about f(pi), far above rounding. The variance of a wave is the eigenvalue times the
    size, in two parts.
    """
    rho = process.autocorrelations(half)
    amplitudes = np.sqrt(np.fft.rfft(np.concatenate([rho, rho[-2:0:-1]])).real * half)
    amplitudes.setflags(write=False)
    return np.asarray(amplitudes)


def reach(process: object) -> float | None:
    """The largest lag at which samples of one coordinate are correlated, as the process says or from its kind; None where it is not
    known, for a process of a pack.
    """
    known = getattr(process, "reach", None)
    if known is not None:
        return float(known)
    if isinstance(process, White):
        return 0.0
    if isinstance(process, AR1):
        return 0.0 if process.rho == 0.0 else math.inf
    if isinstance(process, MovingAverage):
        weighted = np.flatnonzero(process.weights)
        return float(weighted[-1] - weighted[0])  # its correlation is the product of the first and the last weight
    return math.inf if isinstance(process, FractionalNoise) else None


@runtime_checkable
class Runs(Protocol):
    """What the harness asks of runs: a stationary renewal process, of lengths L at least one."""

    @property
    def hurst(self) -> float:
        """As of a process, for the autocorrelations P(same run)."""

    @property
    def mean_length(self) -> float:
        """E L."""

    @property
    def mean_square_length(self) -> float:
        """E L^2, infinite where it diverges."""

    def autocorrelations(self, lags: int) -> Array:
        """P(times h apart are in the same run) for h = 0, ..., lags."""

    def mixing(self, lags: int) -> Array:
        """What is known of the beta-mixing coefficients b(0), ..., b(lags)."""

    def run_law(self) -> tuple[Array, Array]:
        """Lengths and probabilities with E g(L) = sum of p g(l) for the functions g that the equivalent takes means of."""

    def run_lengths(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Lengths of the runs in a window of n times, of sum n: the first and the last one are cut by its ends."""

    def describe(self) -> str:
        """One phrase for people."""


@dataclass(frozen=True)
class Sticky(Ingredient):
    r"""The last sample again with probability rho, a fresh one otherwise: geometric runs, :math:`P(L \ge k) = \rho^{k-1}`,
    :math:`E L = 1/(1-\rho)`, :math:`E L^2 = (1+\rho)/(1-\rho)^2`; :math:`0 \le \rho \le .95`.
    """

    rho: float = 0.0

    hurst = SHORT_MEMORY  # not a field

    def __post_init__(self) -> None:
        object.__setattr__(self, "rho", within("rho", self.rho, 0.0, STRONGEST, "it is a probability"))

    @property
    def mean_length(self) -> float:
        return 1.0 / (1.0 - self.rho)

    @property
    def mean_square_length(self) -> float:
        return (1.0 + self.rho) / (1.0 - self.rho) ** 2

    def autocorrelations(self, lags: int) -> Array:
        return np.asarray(self.rho ** _lags(lags), dtype=np.float64)

    def mixing(self, lags: int) -> Array:
        r""":math:`b(k) = \rho^k` exactly, in any number of coordinates: the transition kernel over k steps is
        :math:`\rho^k \delta_x + (1 - \rho^k) \pi`, and the stationary law has no atoms.
        """
        return self.autocorrelations(lags)

    def run_law(self) -> tuple[Array, Array]:
        """All lengths up to the one that is exceeded with a probability below 1e-18."""
        count = 1 if self.rho == 0.0 else 1 + math.ceil(math.log(1e-18) / math.log(self.rho))
        lengths = np.arange(1.0, count + 1.0)
        probabilities = (1.0 - self.rho) * self.rho ** (lengths - 1.0)
        return lengths, probabilities / probabilities.sum()

    def run_lengths(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        fresh = generator.random(n) >= self.rho
        fresh[:1] = True  # geometric lengths have no memory: the residual life is one of them
        return _between(np.flatnonzero(fresh), n)

    def describe(self) -> str:
        return f"runs, repeated with probability {self.rho:g}"


@dataclass(frozen=True)
class Blocks(Ingredient):
    r"""Every sample ``length`` times: :math:`L = \ell` always, :math:`P(\text{same run}) = (1 - h/\ell)_+`.

    The window starts at a uniform time of a block, which makes the process stationary. The past gives the phase away for
    ever.
    """

    length: int = 2

    hurst = SHORT_MEMORY  # not a field

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", whole("length", self.length, 1, LONGEST_RUN))

    @property
    def mean_length(self) -> float:
        return float(self.length)

    @property
    def mean_square_length(self) -> float:
        return float(self.length) ** 2

    def autocorrelations(self, lags: int) -> Array:
        return np.maximum(1.0 - _lags(lags) / self.length, 0.0)

    def mixing(self, lags: int) -> Array:
        r""":math:`b(k) = 1 - k/\ell^2` up to :math:`k = \ell` and :math:`1 - 1/\ell` ever after, exactly, in any number of
        coordinates: within the run that is known, nothing else is possible; beyond, one phase of :math:`\ell` is, and laws of
        different phases are singular, since the future shows its phase too. Given the phase, samples :math:`\ell` apart are
        independent.
        """
        return np.maximum(1.0 - _lags(lags) / self.length**2, 1.0 - 1.0 / self.length)

    def run_law(self) -> tuple[Array, Array]:
        """One length."""
        return np.array([float(self.length)]), np.ones(1)

    def run_lengths(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        phase = int(generator.integers(self.length))
        starts = np.arange(-phase, n, self.length)
        starts[:1] = 0
        return _between(starts[:n], n)

    def describe(self) -> str:
        return f"runs of {self.length}"


@dataclass(frozen=True)
class RegimeSwitching(Ingredient):
    r"""Runs with a power tail, :math:`P(L \ge k) = k^{-a}` (``tail`` a > 1), cut at ``longest`` where that is given.

    :math:`E L = \zeta(a)`, :math:`E L^2 = 2\zeta(a-1) - \zeta(a)`, infinite for :math:`a \le 2`; :math:`P(\text{same run}) =
    \zeta(a, h+1)/\zeta(a) \sim h^{1-a}/((a-1)\zeta(a))`, so that for a < 2 the memory is long, :math:`H = (3-a)/2`. Sums
    stop at the longest run where there is one, and the memory is short. The first run has the residual life of the
    stationary renewal process, :math:`P(R \ge r) = \sum_{k \ge r} P(L \ge k)/E L`.
    """

    tail: float = 2.5
    longest: int | None = None

    def __post_init__(self) -> None:
        tail = within("tail", self.tail, LEAST_TAIL, 20.0, "the mean length must be finite")
        object.__setattr__(self, "tail", tail)
        if self.longest is not None:
            object.__setattr__(self, "longest", whole("longest", self.longest, 1, LONGEST_RUN))

    @property
    def hurst(self) -> float:
        return SHORT_MEMORY if self.longest is not None or self.tail >= 2.0 else (3.0 - self.tail) / 2.0

    @property
    def mean_length(self) -> float:
        return float(self._beyond(np.ones(1))[0])

    @property
    def mean_square_length(self) -> float:
        # E L^2 is the sum of (2k - 1) P(L >= k).
        a, longest = self.tail, self.longest
        if longest is None:
            return float(2.0 * zeta(a - 1.0) - zeta(a)) if a > 2.0 else math.inf
        k = np.arange(1.0, longest + 1.0)
        return math.fsum((2.0 * k - 1.0) * k**-a)

    def _beyond(self, least: Array) -> Array:
        """The sum of P(L >= k) over k of at least ``least``."""
        found = np.asarray(zeta(self.tail, least))
        if self.longest is not None:
            found = np.where(least > self.longest, 0.0, found - zeta(self.tail, self.longest + 1.0))
        return found

    def autocorrelations(self, lags: int) -> Array:
        return self._beyond(_lags(lags) + 1.0) / self.mean_length

    def mixing(self, lags: int) -> Array:
        r"""P(same run), a **lower** bound of b(k), in any number of coordinates, and its rate: :math:`b(k) = O(k^{1-a})`
        without a longest run (Davydov 1973, for the chain of the times that are left), so that the lower bound has the
        exponent, and whether a power of b(k) is summable can be read off it, though no sum of b(k). With a longest run the
        chain is finite and aperiodic, and b(k) falls exponentially beyond it.
        """
        return self.autocorrelations(lags)

    def run_law(self) -> tuple[Array, Array]:
        r"""Lengths up to 4,096 one by one; beyond, the sum over lengths as an integral over ln L, by Gauss and Legendre on
        panels of length one, up to the longest run or to 1e40. What remains is at most the last term of Euler and
        Maclaurin's formula, a(a+1)/24 of the square of 1/4,096 of the mass beyond 4,096.
        """
        return _run_law(self)

    def run_lengths(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        uniforms = 1.0 - generator.random(n)  # of (0, 1]
        # No run is longer than the window as far as it can be seen; this also keeps powers within the integers.
        most = float(n if self.longest is None else min(n, self.longest))
        with np.errstate(over="ignore"):
            lengths = np.minimum(np.floor(uniforms ** (-1.0 / self.tail)), most).astype(np.int64)
        if n == 0:
            return lengths
        lengths[0] = self._residual(float(uniforms[0]), int(most))
        ends = np.cumsum(lengths)
        return _between(np.concatenate([[0], ends[ends < n]]), n)

    def _residual(self, uniform: float, most: int) -> int:
        """The largest r with P(R >= r) >= uniform, at most ``most``, by bisection."""
        mean, low, high = self.mean_length, 1, most + 1
        while high - low > 1:
            middle = (low + high) // 2
            if float(self._beyond(np.array([float(middle)]))[0]) >= uniform * mean:
                low = middle
            else:
                high = middle
        return low

    def describe(self) -> str:
        cut = "" if self.longest is None else f", at most {self.longest}"
        return f"runs with P(L >= k) = k^-{self.tail:g}{cut}"


@functools.lru_cache(maxsize=64)
def _run_law(runs: RegimeSwitching) -> tuple[Array, Array]:
    a, longest = runs.tail, runs.longest
    each = np.arange(1.0, (_EACH if longest is None else min(longest - 1, _EACH)) + 1.0)
    lengths, masses = [each], [_mass(each, a)]
    top = math.inf if longest is None else float(longest)
    if top > _EACH + 1:
        # Length k stands for the interval (k - 1/2, k + 1/2).
        low, high = math.log(_EACH + 0.5), math.log(min(top - 0.5, 1e40))
        panels = np.linspace(low, high, 1 + math.ceil(high - low))
        nodes, weights = np.polynomial.legendre.leggauss(10)
        half, middle = 0.5 * np.diff(panels)[:, None], 0.5 * (panels[1:] + panels[:-1])[:, None]
        far = np.exp((middle + half * nodes).ravel())
        mass = _mass(far, a) * far * (half * weights).ravel()
        # The total is known in closed form: it takes the leading part of the error away.
        known = (_EACH + 1.0) ** -a - (0.0 if longest is None else top**-a)
        lengths.append(far)
        masses.append(mass * (known / mass.sum()))
    if longest is not None:
        lengths.append(np.array([top]))
        masses.append(np.array([top**-a]))
    found = np.concatenate(lengths), np.concatenate(masses)
    for part in found:
        part.setflags(write=False)
    return found


def _mass(lengths: Array, tail: float) -> Array:
    """P(L = k) = k^-a - (k+1)^-a, without cancellation."""
    return np.asarray(-(lengths**-tail) * np.expm1(-tail * np.log1p(1.0 / lengths)))


def _between(starts: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    return np.diff(starts, append=n).astype(np.int64)


def _count(name: str, value: int, least: int) -> int:
    return whole(name, value, least)


def _lags(lags: int) -> Array:
    return np.arange(_count("lags", lags, 0) + 1, dtype=np.float64)


def _at_lag_zero(lags: int) -> Array:
    found = np.zeros(_count("lags", lags, 0) + 1)
    found[0] = 1.0
    return found
