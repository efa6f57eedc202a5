r"""Uncentred inputs: the deterministic equivalent where a constant coordinate stands beside the centred ones.

The model: :math:`\phi = (\sqrt{l_0}\,\mathbf 1, X)` with X the centred sample of :mod:`verifier.risk.dependent`, labels
:math:`y = f_0 \mathbf 1 + X\theta + \varepsilon`, one ridge for all coordinates. Let :math:`R = (XX'/n + \lambda)^{-1}` and
:math:`g = \frac1n \mathbf 1'R\mathbf 1`. By Sherman and Morrison (1950) the fitted mean is

.. math:: \hat f_0 - f_0 = \frac{-f_0 + \frac{l_0}{n}\,\mathbf 1'R(X\theta + \varepsilon)}{1 + l_0 g},

and the other coordinates are the centred regression on the labels less :math:`\hat f_0`. In the equivalent R is
:math:`D/\lambda`, :math:`D = (1 + \delta C)^{-1}` (notation of :mod:`verifier.risk.responses`), and noise of correlations M is
heard through it as :math:`D(\sigma^2 M + eC)D`, e the risk that the other coordinates have: the constant is a coordinate like any
other, but for its own correlations, :math:`\mathbf 1\mathbf 1'` in the place of C. With :math:`w = \frac1n \mathbf 1'D\mathbf 1`,

.. math:: \kappa_0 = \lambda/w, \quad s = \frac{l_0}{l_0 + \kappa_0}, \quad
          J_{0\varepsilon} = \frac{\mathbf 1'DC_\varepsilon D\mathbf 1}{n w^2}, \quad J_{0x} = \frac{\mathbf 1'DCD\mathbf 1}{n w^2},
          \quad J_1 = \frac{\mathbf 1'DCD\mathbf 1}{n\tau^2}, \quad
          A = \frac{\mathbf 1'DCDC_\varepsilon D\mathbf 1}{n^2 w \tau^2},

the mean's part of the risk and that of the other coordinates are

.. math:: E_0 &= (1-s)^2 f_0^2 + \tfrac{s^2}{n}\,(\sigma^2 J_{0\varepsilon} + J_{0x} E_c), \\
          E_r &= \frac{b + \frac{d_2}{n}\left[\sigma^2 (J_\varepsilon - 2sA + s^2 J_1 J_{0\varepsilon}/n)
                 + (1-s)^2 f_0^2 J_1\right]}{1 - J_x d_2/n},

where :math:`E_c` is the risk of centred inputs. The mean hears the noise at frequency zero, with the weights of generalised least
squares, and what the others misfit; of what it fits, the others are spared the noise.

The constant takes up :math:`n\epsilon = s J_1 \kappa_0/\kappa` samples, one of independent ones: the trace that makes
:math:`\tau` is that of :math:`C` with D less its part along the constant. With :math:`n' = n(1 - \epsilon)` the other coordinates
have :math:`\kappa = \lambda n/(n'\tau(x')), x' = d_1(\kappa)/n'`, and what is divided by :math:`\tau^2` above is divided by
:math:`\tau^2 (1-\epsilon)^2`; :math:`J_x` in the denominator is less :math:`(2s - s^2) J_1 J_{0x}/n`. (Relative 1/n, but times the
correlation time.)

:math:`\mathbf 1` as an eigenvector of C, its eigenvalue :math:`S_x = n \operatorname{Var}` of the mean of n samples of the
inputs, gives :math:`\kappa_0/\kappa = \tau + x S_x`, :math:`J_{0\varepsilon} = S_\varepsilon`, :math:`J_{0x} = S_x`,
:math:`J_1 = S_x/(\tau + xS_x)^2` and :math:`A = J_1 S_\varepsilon/n`. It is exact for white inputs; for short memory it misses a
relative 1/n (of the correlation time). For fractional noise as inputs it misses a function of :math:`\theta = \delta S_x`, the same
for every n, since the matrix is a Galerkin discretisation of one operator: that is taken from the matrix of one reference size.
Within repeated runs the constant has the law of any other coordinate.

:math:`S_\varepsilon \to f_\varepsilon(0)` for short memory: the mean costs :math:`\sigma^2 f_\varepsilon(0)/n`. For fractional
noise :math:`S_\varepsilon = n^{2H-1}`: it costs :math:`\sigma^2 n^{2H-2}`, with independent inputs as with any others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.linalg import eigh, matmul_toeplitz, toeplitz

from verifier.instances import FractionalNoise, Instance, Repeated, UncentredDesign, White
from verifier.instances.dependence import Dependence
from verifier.instances.processes import SHORT_MEMORY
from verifier.risk.dependent import DependentEquivalent
from verifier.risk.responses import REFERENCE
from verifier.risk.sums import Sums

Array = NDArray[np.float64]

LAGS = 2048  # over which the correlations of a process of short memory are summed
LOG_THETA = np.arange(-12.0, 16.1, 0.5)  # of the table for inputs of long memory; constant beyond
DIFFERENCE = 1e-3  # in ln kappa, of the slope of the risk


@dataclass(frozen=True, eq=False)
class MeanResponse:
    r""":math:`\kappa_0/\kappa`, :math:`J_{0\varepsilon}`, :math:`J_{0x}`, :math:`J_1` and A, arrays of one shape."""

    ridge: Array
    noise: Array
    inputs: Array
    passed: Array
    removed: Array


def mean_inflation(process: Any, n: Array) -> Array:
    r"""n times the variance of the mean of n samples, :math:`\sum_{|h|<n} (1 - |h|/n)\rho(h)`; shape of n >= 1.

    :math:`n^{2H-1}` for fractional noise; f(0) less :math:`\frac2n\sum_h h\rho(h)` beyond the lags at which short memory has ended.
    """
    if isinstance(process, FractionalNoise):
        return np.asarray(n ** (2.0 * process.hurst - 1.0))
    first, second = _partial_sums(process)
    count = np.minimum(n, LAGS + 1.0)
    place = count.astype(np.int64) - 1
    # Long memory of another package goes on as the power that it declares.
    end = count if process.hurst > SHORT_MEMORY else n
    return np.asarray((first[place] - second[place] / end) * (n / end) ** (2.0 * process.hurst - 1.0))


@lru_cache(maxsize=64)
def _partial_sums(process: Any) -> tuple[Array, Array]:
    rho, lags = process.autocorrelations(LAGS), np.arange(LAGS + 1.0)
    return 2.0 * np.cumsum(rho) - rho[0], 2.0 * np.cumsum(lags * rho)


MOST_TAKEN = 0.5
"""Largest share of the samples that a constant is taken to take up: that of few samples of strong memory is no small one."""
STEPS, CLOSE = 60, 1e-14  # of a root in ln kappa
FIRST_STEP = 0.01  # by which its bracket is widened
LEAST_RATIO = 1e-12  # of ridges, where the constant leaves too few samples for a kappa


def mean_response(dependence: Dependence, x: Array, n: Array, tau: Array, inputs: Array, noise: Array) -> MeanResponse:
    r"""What the mean hears of n samples with the share x of degrees of freedom, next to the responses :math:`\tau, J_x,
    J_\varepsilon` there; arrays of shapes that broadcast.
    """
    if isinstance(
        dependence, Repeated
    ):  # the eigenvectors of a run hold as much of a constant as of any other coordinate
        ridge, own, through = np.ones_like(tau), noise, inputs
        return MeanResponse(ridge, own, through, through, through * own / n)
    processes: tuple[Any, Any] = (dependence.inputs, dependence.noise)  # type: ignore[attr-defined]
    through, own = (mean_inflation(process, n) for process in processes)
    ridge = tau + x * through
    fraction = 1.0
    if isinstance(processes[0], FractionalNoise):
        with np.errstate(divide="ignore", invalid="ignore"):
            log_theta = np.log(x * through / tau)
        factors = np.exp(_table(*processes)(np.clip(log_theta, LOG_THETA[0], LOG_THETA[-1])))
        weight, heard, misfit, fraction = np.moveaxis(factors, -1, 0)
        ridge, own, through = ridge / weight, own * heard, through * misfit
    passed = through / ridge**2
    return MeanResponse(ridge, own, through, passed, passed * own / n * fraction)


@lru_cache(maxsize=256)
def _table(inputs: FractionalNoise, noise: Any) -> CubicSpline:
    r"""ln of :math:`w(1 + \theta)`, :math:`J_{0\varepsilon}/S_\varepsilon`, :math:`J_{0x}/S_x` and
    :math:`nA/(J_1 J_{0\varepsilon})` against :math:`\ln\theta`, from the matrix of the reference size. Noise of short memory is
    white at the frequencies that a mean hears.
    """
    if noise.hurst <= SHORT_MEMORY:
        noise = White()
    levels, vectors = _modes(inputs)
    m, ones = REFERENCE, vectors.sum(axis=0)
    largest = float(mean_inflation(inputs, np.array([float(m)]))[0])
    own = float(mean_inflation(noise, np.array([float(m)]))[0])
    theta = np.exp(LOG_THETA)
    rest = 1.0 / (1.0 + theta / largest * levels[:, None])  # (m, k)
    weight = np.sum(ones[:, None] ** 2 * rest, axis=0) / m
    weights = vectors @ (rest * ones[:, None])
    turned = matmul_toeplitz(noise.autocorrelations(m - 1), weights)
    heard = np.sum(weights * turned, axis=0) / m
    misfit = np.sum(levels[:, None] * (rest * ones[:, None]) ** 2, axis=0) / m
    crossed = np.sum((vectors @ (levels[:, None] * rest**2 * ones[:, None])) * turned, axis=0) / m
    factors = (
        weight * (1.0 + theta),
        heard / weight**2 / own,
        misfit / weight**2 / largest,
        crossed * weight / (misfit * heard),
    )
    return CubicSpline(LOG_THETA, np.log(np.stack(factors, axis=1)))


@lru_cache(maxsize=16)
def _modes(process: Any) -> tuple[Array, Array]:
    levels, vectors = eigh(toeplitz(process.autocorrelations(REFERENCE - 1)))
    return levels, vectors


@dataclass(frozen=True, eq=False)
class _Parts:
    """Terms of the risk from target and noise: of the other coordinates, and of a mean that is not shrunk; ``missed`` is 1 - s."""

    others: tuple[Array, Array]
    missed: Array
    heard: Array
    misfit: tuple[Array, Array]

    @property
    def kept(self) -> Array:
        return 1.0 - self.missed


class UncentredEquivalent(DependentEquivalent):
    """The equivalent of uncentred inputs, of independent samples as of dependent ones."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        assert isinstance(instance.design, UncentredDesign)
        self._level, self._energy = instance.design.mean**2, instance.design.intercept**2
        self.trace += self._level

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """kappa(n, lambda), shape (k,): the root of an increasing function of ln kappa above that of centred inputs (method of
        Illinois, Dowell and Jarratt 1971); where the ridge is zero, that of as many samples as the constant leaves.
        """
        kappa, none = super().effective_ridge(n, lam), lam == 0.0
        for chosen, solve in ((none, self._without_ridge), (~none, self._with_ridge)):
            chosen = chosen & np.isfinite(kappa)
            if chosen.any():
                kappa[chosen] = solve(n[chosen], lam[chosen], kappa[chosen])
        return kappa

    def _without_ridge(self, n: Array, lam: Array, kappa: Array) -> Array:
        for _ in range(STEPS):
            before = kappa
            kappa = super().effective_ridge(self._left(n, kappa, self.sums(kappa).df1), lam)
            if np.all(np.abs(kappa - before) <= CLOSE * kappa):
                break
        return kappa

    def _with_ridge(self, n: Array, lam: Array, kappa: Array) -> Array:
        def excess(u: Array) -> Array:
            return np.asarray(np.log(np.maximum(self.ridge(n, np.exp(u)) / lam, LEAST_RATIO)))

        x0, x1, widening = np.log(kappa), np.log(kappa), FIRST_STEP
        y0 = y1 = excess(x0)
        while np.any(y1 < 0.0):
            x1, widening = np.where(y1 < 0.0, x1 + widening, x1), 2.0 * widening
            y1 = excess(x1)
        for step in range(STEPS):
            with np.errstate(invalid="ignore"):
                point = (x0 * y1 - x1 * y0) / (y1 - y0) if step % 8 != 7 else 0.5 * (x0 + x1)
            point = np.where(np.isfinite(point), point, x1)  # both ends are the root
            value = excess(point)
            settled = np.abs(point - x1) <= CLOSE * np.maximum(1.0, np.abs(point))
            # x1 is the newest point; the other end of the bracket, kept twice, counts half.
            crossed = np.sign(value) != np.sign(y1)
            x0, y0 = np.where(crossed, x1, x0), np.where(crossed, y1, 0.5 * y0)
            x1, y1 = point, value
            if np.all(settled | (value == 0.0)):
                break
        return np.asarray(np.exp(x1))

    def ridge(self, n: Array, kappa: Array) -> Array:
        """lambda = kappa tau(x') n'/n."""
        df1 = self.sums(kappa).df1
        left = self._left(n, kappa, df1)
        found = self._responses.at(np.minimum(df1 / left, self._responses.capacity), n)
        return np.asarray(kappa * found.tau * left / n)

    def _left(self, n: Array, kappa: Array, df1: Array) -> Array:
        """n', what the constant leaves of n samples; what it takes is that at x = d1/n, off by a relative 1/n."""
        share = np.minimum(df1 / n, self._responses.capacity)
        found = self._responses.at(share, n)
        mean = mean_response(self.instance.dependence, share, n, found.tau, found.inputs, found.noise)
        return n * (1.0 - _taken(self._missed(kappa, mean), mean, n))

    def terms(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise at (n, kappa)."""
        parts = self._parts(n, kappa)
        target, noise = (
            others + parts.kept**2 * misfit for others, misfit in zip(parts.others, parts.misfit, strict=True)
        )
        return target + parts.missed**2 * self._energy, noise + parts.kept**2 * parts.heard

    def spared(self, n: Array, kappa: Array) -> Array:
        r"""What the mean changes of the noise that a coordinate hears,
        :math:`(1-s)^2 f_0^2 J_1 - \sigma^2(2sA - s^2 J_1 J_{0\varepsilon}/n)`, shape of n.
        """
        df1 = self.sums(kappa).df1
        share = np.minimum(df1 / self._left(n, kappa, df1), self._responses.capacity)
        found = self._responses.at(share, n)
        mean = mean_response(self.instance.dependence, share, n, found.tau, found.inputs, found.noise)
        missed = self._missed(kappa, mean)
        return missed**2 * self._energy * mean.passed - self.variance * _removed(missed, mean, n)

    def _missed(self, kappa: Array, mean: MeanResponse) -> Array:
        level = kappa * mean.ridge
        return np.asarray(level / (self._level + level))

    def _parts(self, n: Array, kappa: Array) -> _Parts:
        sums = self.sums(kappa)
        share = np.minimum(sums.df1 / self._left(n, kappa, sums.df1), self._responses.capacity)
        found = self._responses.at(share, n)
        return self._split(n, kappa, sums, share, found.tau, found.inputs, found.noise)

    def _split(
        self, n: Array, kappa: Array, sums: Sums, share: Array, tau: Array, inputs: Array, noise: Array
    ) -> _Parts:
        mean = mean_response(self.instance.dependence, share, n, tau, inputs, noise)
        missed = self._missed(kappa, mean)
        taken = sums.df2 / n / (1.0 - _taken(missed, mean, n)) ** 2
        room = 1.0 - (inputs - (1.0 - missed**2) * mean.passed * mean.inputs / n) * taken

        def widened(value: Array) -> Array:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(room > 1e-15, value / room, np.where(value == 0.0, 0.0, np.inf))

        # Rounding and the one mode that stands for the constant may not leave less than no noise.
        own = np.maximum(noise - _removed(missed, mean, n), 0.0)
        others = (
            widened(sums.bias + taken * mean.passed * missed**2 * self._energy),
            widened(self.variance * taken * own),
        )
        misfit = (
            mean.inputs * widened(sums.bias) / n,
            mean.inputs * widened(self.variance * taken * noise) / n,
        )
        return _Parts(others, missed, self.variance * mean.noise / n, misfit)

    def _least_noise(self, n: Array) -> Array:
        return super()._least_noise(n) * (1.0 - self._shared(n))

    def _shared(self, n: Array) -> Array:
        """Variance of the mean of the noise, of unit variance itself: what the others may be spared."""
        noise = getattr(self.instance.dependence, "noise", None)
        return mean_inflation(noise, n) / n if hasattr(noise, "autocorrelations") else np.full_like(n, 0.5)

    def _risks(self, n: Array, table: Sums, permitted: NDArray[np.bool_]) -> Array:
        """The risk less what the noise costs an unshrunk mean at the smallest kappa: next to that, which no ridge changes, double
        precision would not see where the rest is smallest.
        """
        sizes = n[:, None]
        share = np.minimum(table.df1 / sizes, self._responses.capacity)
        parts = self._split(sizes, np.exp(self._table[2]), table, share, *self._responses.rough(share, sizes))
        heard = np.broadcast_to(parts.heard, parts.missed.shape)
        risk = sum(parts.others) + parts.missed**2 * self._energy + parts.kept**2 * sum(parts.misfit)
        risk = risk + (heard - heard[:, :1]) - parts.missed * (1.0 + parts.kept) * heard
        return np.where(permitted & np.isfinite(risk), risk, np.inf)

    def _slope(self, n: Array, u: Array) -> Array:
        """d ln E / d ln kappa by a central difference, of each term by itself: that of the mean may be next to constant."""
        low, high = self._parts(n, np.exp(u - DIFFERENCE)), self._parts(n, np.exp(u + DIFFERENCE))
        with np.errstate(invalid="ignore"):
            heard = [part.heard + sum(part.misfit) for part in (low, high)]
            grown = high.missed - low.missed
            change = sum(high.others) - sum(low.others)
            change = change + self._energy * grown * (high.missed + low.missed)
            kept = 0.5 * (low.kept**2 + high.kept**2)
            change = change + kept * (high.heard - low.heard + sum(high.misfit) - sum(low.misfit))
            change = change - 0.5 * (heard[0] + heard[1]) * grown * (low.kept + high.kept)
            risk = sum(high.others) + self._energy * high.missed**2 + high.kept**2 * heard[1]
            slope = change / (2.0 * DIFFERENCE * risk)
        return np.where(np.isfinite(slope), slope, -1.0)  # below what a ridge gives the risk is infinite


def _taken(missed: Array, mean: MeanResponse, n: Array) -> Array:
    """The share of the samples that the constant takes up."""
    return np.minimum((1.0 - missed) * mean.passed * mean.ridge / n, MOST_TAKEN)


def _removed(missed: Array, mean: MeanResponse, n: Array) -> Array:
    r""":math:`2sA - s^2 J_1 J_{0\varepsilon}/n`."""
    kept = 1.0 - missed
    return np.asarray(kept * (2.0 * mean.removed - kept * mean.passed * mean.noise / n))
