r"""From a learning curve to its exponent: generalised least squares of log risk on log n, with honest
intervals.

*Estimand.* With weights :math:`w` (:math:`\sum_k w_k = 0, \sum_k w_k \ln n_k = 1`) the slope of a curve on a
grid is :math:`\sum_k w_k \ln E(n_k)`. For a power law it is the slope whatever the weights; for any other
curve it is the slope of its GLS projection onto straight lines. ``Fit.exponent`` estimates minus that number
for the *true expected* risk on the same grid and with the weights ``Fit.weights`` of the fit; ``Fit.project``
applies the same weights to another curve (the deterministic equivalent, a reference instance), so that two
slopes are compared like with like. What the slope says about n -> infinity is another question: see
``Fit.corrected``.

*Weights.* Aitken (1935): the best weights are :math:`V^{-1}`-orthogonal, V the covariance of the log mean
risks. V is unknown and estimated from R replicates, and plugging an estimate in makes naive GLS intervals too
short. Rao (1965, 1967) and Grizzle and Allen (1969) give the exact form: GLS equals ordinary least squares
followed by a regression of its slope, over replicates, on contrasts that vanish on straight lines. All K - 2
contrasts reproduce GLS with the full estimated V; a few of the lowest degree (curvature, ...) reproduce it
with a regularised V, which is what few replicates can support: :func:`adjusting_contrasts` says how many.

*Interval.* Let d contrasts be used and :math:`\nu = R - 1 - d`. For Gaussian rows, and conditionally on the
weights (the sample mean and covariance being independent), (estimate - estimand) over the residual standard
error is distributed as :math:`t_\nu / \sqrt{B}`, with :math:`1/B - 1 = T^2/(R-1)` the loss from estimated
weights, T^2 Hotelling's with d and R - 1 degrees of freedom, so :math:`B \sim \mathrm{Beta}((R-d)/2, d/2)`
independent of t. Its quantiles are computed, not approximated. The standard error itself is the jackknife's,
from residuals of weights fitted without the replicate in question (MacKinnon and White 1985, HC3): the same
on Gaussian rows to 1%, and still right where replicates are skewed and the plain one is too small. Measured
coverage is in tests/test_slopes.py.

*The logarithm of a mean* is biased by :math:`-\mathrm{var}(\bar E)/(2 \bar E^2)`: that is added back (delta
method, second order).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, fdtrc, stdtr, stdtrit

Array = NDArray[np.float64]

REPLICATES_PER_CONTRAST = 8

SCATTERED = 0.1
"""Relative standard error of a mean risk above which no contrast is used."""

CORRECTION_EXPONENTS = tuple(np.geomspace(0.1, 2.0, 121).tolist())


@dataclass(frozen=True, eq=False)
class LocalExponents:
    """Exponents between neighbouring points, minus the log-ratio of risks over that of n; arrays of shape (K
    - 1,).

    ``n`` is the geometric mean of the two sample sizes; ``dof`` the degrees of freedom of Student's t for
    ``stderr``.
    """

    n: Array
    exponent: Array
    stderr: Array
    dof: float | Array

    def interval(self, level: float = 0.95) -> tuple[Array, Array]:
        """Lower and upper ends, each interval at ``level`` on its own."""
        half = stdtrit(self.dof, 0.5 + 0.5 * _level(level)) * self.stderr
        return self.exponent - half, self.exponent + half


@dataclass(frozen=True, eq=False)
class CorrectedFit:
    r"""Fit of :math:`A n^{-a} (1 + B n^{-w})`, w profiled over a grid.

    ``exponent`` a, ``correction_exponent`` w and ``correction`` B at the best w; ``profile`` lists (w, a,
    stderr, misfit) for each w tried. The interval of a collects every (w, a) whose misfit is close enough to
    the best, so it carries the uncertainty about w; it is approximate, and conservative where B is near zero
    and w cannot be identified.
    """

    exponent: float
    correction_exponent: float
    correction: float
    profile: tuple[tuple[float, float, float, float], ...]
    dof: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Profile interval of the exponent over all correction exponents of the grid.

        Half the way to the exponents at the neighbours of every w that is kept is inside too: the true w is no point of
        the grid, and no farther from one than half a step.
        """
        room = float(stdtrit(self.dof, 0.5 + 0.5 * _level(level))) ** 2
        best = min(misfit for *_, misfit in self.profile)
        ends: list[float] = []
        for k, (_, a, stderr, misfit) in enumerate(self.profile):
            if misfit - best <= room:
                half = stderr * math.sqrt(room - (misfit - best))
                ends += [a - half, a + half, *(0.5 * (a + near[1]) for near in self.profile[max(k - 1, 0) : k + 2])]
        return min(ends), max(ends)


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted exponent.

    ``exponent`` is minus the GLS slope of log risk on log n (the estimand is stated in this module's
    docstring); ``stderr`` its standard error with the loss from estimated weights; ``dof`` the degrees of
    freedom nu; ``contrasts`` the number d of adjusting contrasts; ``weights`` (K,) the weights of the log
    risks; ``n`` (K,) the sample sizes; ``rows`` (R, K) the relative deviations of the replicates and
    ``log_risk`` (K,) the estimated log expected risks: what the fit is made of. The properties below are
    computed when asked for.
    """

    exponent: float
    stderr: float
    dof: int
    contrasts: int
    weights: Array
    n: Array
    rows: Array = field(repr=False)
    log_risk: Array = field(repr=False)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval of the exponent."""
        half = critical_value(_level(level), self.dof, self.contrasts) * self.stderr
        return self.exponent - half, self.exponent + half

    def project(self, risk: Sequence[float] | Array) -> float:
        """Exponent that this fit's weights give to another curve ``risk`` (K,) on the same grid, without
        error.
        """
        values = np.asarray(risk, dtype=np.float64)
        if values.shape != self.weights.shape or not np.all(values > 0.0):
            raise ValueError(
                f"risk must be {len(self.weights)} positive numbers, one for each n of the fit, got {risk!r}"
            )
        return -float(self.weights @ np.log(values))

    @cached_property
    def local(self) -> LocalExponents:
        """Exponents between neighbouring sample sizes."""
        x = np.log(self.n)
        steps = np.diff(x)
        pairs = np.diff(self.rows, axis=1) / steps
        return LocalExponents(
            n=np.exp(0.5 * (x[1:] + x[:-1])),
            exponent=-np.diff(self.log_risk) / steps,
            stderr=np.asarray(pairs.std(axis=0, ddof=1) / math.sqrt(len(self.rows))),
            dof=len(self.rows) - 1,
        )

    @cached_property
    def lack_of_fit(self) -> float:
        """p-value of Hotelling's test that the expected log risks lie on a straight line; nan where K = 2."""
        return _lack_of_fit(self.rows, self.log_risk, _design(tuple(self.n.tolist()))[1])

    @cached_property
    def corrected(self) -> CorrectedFit:
        """Fit with a correction to scaling; ValueError with fewer than five sample sizes."""
        if len(self.n) < 5:
            raise ValueError(f"the curve has {len(self.n)} sample sizes; a correction to scaling needs at least 5")
        return _corrected(self.rows, self.log_risk, np.log(self.n))


class HasSamples(Protocol):
    """What a fit asks of a curve: sample sizes of shape (K,) and replicates of shape (R, K), rows independent."""

    @property
    def n(self) -> NDArray[Any]:
        """Increasing sample sizes."""

    @property
    def samples(self) -> Array:
        """Risk of each replicate at each n."""


def fit_slope(curve: HasSamples) -> Fit:
    """Exponent of a learning curve by GLS over its replicates; needs at least two sample sizes and two
    replicates.

    Raises ValueError where a mean risk is not positive (a risk of zero has no logarithm).
    """
    n = np.asarray(curve.n, dtype=np.float64)
    samples = np.asarray(curve.samples, dtype=np.float64)
    replicates, points = samples.shape
    if points < 2:
        raise ValueError(f"the curve has {points} sample size; a slope needs at least 2")
    if replicates < 2:
        raise ValueError(f"the curve has {replicates} replicate; a standard error needs at least 2")
    mean = samples.mean(axis=0)
    if not np.all(mean > 0.0):
        where = int(np.argmax(~(mean > 0.0)))
        raise ValueError(
            f"mean risk {float(mean[where])!r} at n={curve.n[where]} is not positive; drop that sample size"
        )

    rows = samples / mean - 1.0
    log_risk = np.log(mean) + 0.5 * np.einsum("rk,rk->k", rows, rows) / (replicates * (replicates - 1))
    base, contrasts = _design(tuple(n.tolist()))
    # The weights of contrasts may be large, and multiply what the logarithm of so noisy a mean is off its linear part.
    scattered = float(np.sqrt(np.einsum("rk,rk->k", rows, rows).max() / (replicates * (replicates - 1)))) > SCATTERED
    used = 0 if scattered else adjusting_contrasts(replicates, points)
    weights, stderr, bias = _adjust(rows, base, contrasts[:, :used])
    return Fit(
        exponent=bias - float(weights @ log_risk),
        stderr=stderr,
        dof=replicates - 1 - used,
        contrasts=used,
        weights=weights,
        n=n,
        rows=rows,
        log_risk=log_risk,
    )


def adjusting_contrasts(replicates: int, points: int) -> int:
    """Number of contrasts used by the weights: all K - 2 when each has eight replicates, else the lowest R //
    8.

    Each costs a factor of about (1 + 1/R) in variance when it does not help, and removes its share when it
    does.
    """
    return max(0, min(points - 2, replicates // REPLICATES_PER_CONTRAST))


@lru_cache(maxsize=512)
def critical_value(level: float, dof: int, contrasts: int) -> float:
    r"""Two-sided quantile of :math:`t_\nu/\sqrt{B}` over :math:`\sqrt{E[1/B]}`, the multiplier of
    ``Fit.stderr``, which carries that loss.

    B is Beta((nu + 1)/2, d/2); with d = 0 this is Student's t.
    """
    if contrasts == 0:
        return float(stdtrit(dof, 0.5 + 0.5 * level))
    nodes, quadrature = np.polynomial.legendre.leggauss(64)
    share = np.sqrt(betaincinv(0.5 * (dof + 1), 0.5 * contrasts, 0.5 * (nodes + 1.0)))
    low, high = 0.0, 10.0 * float(stdtrit(dof, 0.5 + 0.5 * level))
    for _ in range(80):
        middle = 0.5 * (low + high)
        inside = 0.5 * float(quadrature @ (2.0 * stdtr(dof, middle * share) - 1.0))
        low, high = (middle, high) if inside < level else (low, middle)
    return high / math.sqrt(1.0 + contrasts / (dof - 1))


@lru_cache(maxsize=256)
def _design(n: tuple[float, ...]) -> tuple[Array, Array]:
    """OLS weights of the slope, shape (K,), and contrasts of growing degree as columns, shape (K, K - 2).

    The contrasts are orthonormal polynomials in log n, orthogonal to straight lines.
    """
    x = np.log(np.array(n))
    centred = x - x.mean()
    scaled = 2.0 * (x - x[0]) / (x[-1] - x[0]) - 1.0
    basis = np.linalg.qr(np.polynomial.legendre.legvander(scaled, len(x) - 1))[0]
    return centred / float(centred @ centred), basis[:, 2:]


def _adjust(rows: Array, base: Array, contrasts: Array) -> tuple[Array, float, float]:
    """GLS weights, jackknife standard error, bias of the weighted log risks.

    The weights are the base weights less their regression, over replicates, on the contrasts. Skewed
    replicates correlate these weights with the means they are applied to, which biases the slope by minus the
    mean of residual times leverage, to first order.
    """
    replicates, used = len(rows), contrasts.shape[1]
    weights, bias = base, 0.0
    leverage = np.zeros(replicates)
    if used:
        left, size, right = np.linalg.svd(rows @ contrasts, full_matrices=False)
        kept = size > 1e-13 * size[0]  # replicates that do not vary along a contrast cannot adjust for it
        left, size, right = left[:, kept], size[kept], right[kept]
        weights = base - contrasts @ (right.T @ (left.T @ (rows @ base) / size))
        leverage = np.einsum("rd,rd->r", left, left)
        bias = -float((rows @ weights) @ leverage) / replicates
    own = 1.0 - 1.0 / replicates  # the mean is fitted too
    without = (rows @ weights) * own / np.maximum(own - leverage, 1e-6)
    return weights, math.sqrt(float(without @ without) / (replicates * (replicates - 1))), bias


def _lack_of_fit(rows: Array, log_risk: Array, contrasts: Array) -> float:
    """p-value of Hotelling's T^2 for all contrasts being zero, on the lowest (R - 1) // 2 of them."""
    replicates = len(rows)
    used = min(contrasts.shape[1], (replicates - 1) // 2)
    if used == 0:
        return math.nan
    covariates = rows @ contrasts[:, :used]
    values = contrasts[:, :used].T @ log_risk
    scale = covariates.std(axis=0)
    if not np.all(scale > 0.0):
        return 1.0 if np.allclose(values, 0.0, atol=1e-12) else 0.0
    covariance = np.atleast_2d(np.cov(covariates / scale, rowvar=False)) / replicates
    distance = values / scale
    hotelling = float(distance @ np.linalg.lstsq(covariance, distance, rcond=1e-12)[0])
    statistic = hotelling * (replicates - used) / ((replicates - 1) * used)
    return float(fdtrc(used, replicates - used, max(statistic, 0.0)))


def _corrected(rows: Array, log_risk: Array, x: Array) -> CorrectedFit:
    """Profile fit with the covariance of the replicates, shrunken so that few of them suffice."""
    replicates, points = rows.shape
    covariance = _shrunken(np.cov(rows, rowvar=False), replicates) / replicates
    covariance[np.diag_indices(points)] *= 1.0 + 1e-9
    covariance[np.diag_indices(points)] += 1e-24
    # Weights from R rows cost as in the straight fit: fewer degrees of freedom, larger errors.
    spent = max(0, min(points - 4, (replicates - 3) // 2))
    dof = max(1, replicates - 1 - spent)
    inflation = (replicates - 1) / dof * (1.0 + spent / max(1, replicates - spent - 2))
    return profile_fit(log_risk, covariance, x, dof=dof, inflation=inflation)


def profile_fit(log_risk: Array, covariance: Array, x: Array, *, dof: float, inflation: float = 1.0) -> CorrectedFit:
    """Profile fit of log A - a log n + log(1 + B n^-w) at x = log n, all w at once.

    For each w, log A and a are projected out and the amplitude b = B n_1^-w is found by damped Gauss-Newton
    steps. ``covariance`` (K, K) is that of ``log_risk``, estimated with ``dof`` degrees of freedom; ``inflation`` is the
    factor by which its inverse is too large.
    """
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    lines = whiten @ np.column_stack([np.ones_like(x), -x])
    q, triangle = np.linalg.qr(lines)
    reduce = whiten.T - whiten.T @ q @ q.T  # rows times this are whitened and free of straight lines
    w = np.asarray(CORRECTION_EXPONENTS)
    decay = np.exp(-w[:, None] * (x - x[0]))
    target = log_risk @ reduce

    def misfits(b: Array) -> tuple[Array, Array]:
        residual = target - np.log1p(b[:, None] * decay) @ reduce
        return residual, np.einsum("ij,ij->i", residual, residual)

    b = np.zeros_like(w)
    residual, misfit = misfits(b)
    for _ in range(60):
        slope = (decay / (1.0 + b[:, None] * decay)) @ reduce
        step = np.einsum("ij,ij->i", slope, residual) / np.maximum(np.einsum("ij,ij->i", slope, slope), 1e-300)
        step = np.maximum(step, -0.9 * (b + 1.0))  # 1 + b decay stays positive on the grid
        trial_residual, trial = misfits(b + step)
        for _ in range(12):
            worse = trial > misfit
            if not worse.any():
                break
            step = np.where(worse, 0.25 * step, step)
            trial_residual, trial = misfits(b + step)
        better = trial <= misfit
        gained = np.where(better, misfit - trial, 0.0)
        b, misfit = np.where(better, b + step, b), np.where(better, trial, misfit)
        residual = np.where(better[:, None], trial_residual, residual)
        if np.all(gained <= 1e-6):  # in units of chi square, where one is a standard error
            break

    # a and its stderr with b free: the whitened design is (lines, slope); q and triangle factor the lines.
    bent = (log_risk - np.log1p(b[:, None] * decay)) @ whiten.T
    exponent = np.linalg.solve(triangle, (bent @ q).T)[1]
    tangent = (decay / (1.0 + b[:, None] * decay)) @ whiten.T
    free = tangent - tangent @ q @ q.T
    leak = np.linalg.solve(triangle, (tangent @ q).T)[1]
    spread = np.linalg.inv(triangle)
    variance = float(spread[1] @ spread[1]) + leak**2 / np.maximum(np.einsum("ij,ij->i", free, free), 1e-300)

    best = int(np.argmin(misfit))
    return CorrectedFit(
        exponent=float(exponent[best]),
        correction_exponent=float(w[best]),
        correction=float(b[best] * math.exp(w[best] * x[0])),
        profile=tuple(
            zip(
                w.tolist(),
                exponent.tolist(),
                np.sqrt(variance * inflation).tolist(),
                (misfit / inflation).tolist(),
                strict=True,
            )
        ),
        dof=dof,
    )


def _shrunken(covariance: Array, replicates: int) -> Array:
    """Covariance whose correlations are pulled towards a smooth target by K/(R + K), so that few replicates
    suffice.

    The target is the autoregressive correlation of the mean correlation between neighbours, positive definite
    and of the kind that shared normals produce (Ledoit and Wolf 2004 for shrinkage in general).
    """
    points = len(covariance)
    scale = np.sqrt(np.diagonal(covariance))
    scale = np.where(scale > 0.0, scale, 1.0)
    correlation = covariance / np.outer(scale, scale)
    neighbour = float(np.clip(np.mean(np.diagonal(correlation, 1)), -0.9, 0.9999))
    lag = np.abs(np.arange(points)[:, None] - np.arange(points))
    smooth = np.power(neighbour, lag)
    share = points / (replicates + points)
    mixed = (1.0 - share) * correlation + share * smooth
    return np.asarray(mixed * np.outer(scale, scale))


def _level(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level!r} must lie strictly between 0 and 1, for example 0.95")
    return float(level)
