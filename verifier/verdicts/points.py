r"""Exponents of curves whose points are independent of each other, as measured curves often are.

:func:`verifier.verdicts.slopes.fit_slope` is for replicates that were each measured at every n; here every point has data of
its own, and the covariance is diagonal. Three cases, by what is known of the scatter of ln E at a point:

* *replicates* at each n, :math:`R_k` of them: variance :math:`v_k = s_k^2 / (R_k m_k^2)` with :math:`R_k - 1` degrees of
  freedom. Weights must not follow the accidents of small samples (Fuller and Rao 1978), so they come from a smooth
  model, :math:`\ln (R v)` linear in :math:`\ln n`; the standard error of the weighted slope,
  :math:`\sum_k w_k^2 v_k`, is estimated from the :math:`v_k` themselves, without the model, with Satterthwaite's (1946)
  degrees of freedom.
* *standard errors* as given: taken as known, hence normal quantiles.
* *nothing*: one number a point. Ordinary least squares with the scatter about the line. The interval is then right only if
  the points are independent, scatter alike, and lie on a straight line: curvature widens it, correlation makes it too short.

The estimand is the slope of the expected log-log curve under the weights of the fit, as in ``fit_slope``. The logarithm of a
mean is corrected to second order where its variance is known. Lack of fit: the weighted sum of squared residuals, as chi
square where the variances are known; by Johansen's (1980) approximation to Welch and James where each is estimated from at
least eight replicates; as F with the variances of the smooth model where there are fewer; and where nothing is known of the
scatter, as the test of a quadratic term.
Measured coverage is in tests/test_fit.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from verifier.verdicts.slopes import CorrectedFit, LocalExponents, profile_fit

Array = NDArray[np.float64]

FEWEST_FOR_CORRECTION = {"known": 5, "residuals": 7}
FEWEST_FOR_RESIDUALS, FEWEST_FOR_CURVATURE = 4, 6
ENOUGH_OF_ONE_POINT = 7.0  # degrees of freedom from which the variance of a point can stand for itself in a test


@dataclass(frozen=True, eq=False)
class PointFit:
    """A fitted exponent of independent points.

    ``exponent`` is minus the weighted slope of ``log_risk`` (K,) on ln ``n`` (K,) with ``weights`` (K,); ``stderr`` its
    standard error with ``dof`` degrees of freedom (infinite where variances are known), None where nothing is known of the
    scatter. ``variance`` (K,) is that of each log risk, ``point_dof`` (K,) its degrees of freedom and ``smooth`` (K,) what
    the weights took for it.
    """

    exponent: float
    stderr: float | None
    dof: float
    weights: Array
    n: Array
    log_risk: Array = field(repr=False)
    variance: Array = field(repr=False)
    point_dof: Array = field(repr=False)
    smooth: Array = field(repr=False)
    residual_scatter: bool = False

    def interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """Confidence interval of the exponent, None where nothing is known of the scatter."""
        if self.stderr is None:
            return None
        half = float(special.stdtrit(self.dof, 0.5 + 0.5 * level)) * self.stderr
        return self.exponent - half, self.exponent + half

    @cached_property
    def local(self) -> LocalExponents:
        """Exponents between neighbouring sample sizes; their standard errors are nan where nothing is known of the scatter."""
        x = np.log(self.n)
        steps = np.diff(x)
        pair = self.variance[1:] + self.variance[:-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = self.variance[1:] ** 2 / self.point_dof[1:] + self.variance[:-1] ** 2 / self.point_dof[:-1]
            dof = np.where(spread > 0.0, pair**2 / spread, np.inf)
        if self.residual_scatter:
            dof = np.full_like(pair, self.dof)
        return LocalExponents(
            n=np.exp(0.5 * (x[1:] + x[:-1])),
            exponent=-np.diff(self.log_risk) / steps,
            stderr=np.sqrt(pair) / steps,
            dof=dof,
        )

    @cached_property
    def lack_of_fit(self) -> float:
        """p-value of the test that the expected log risks lie on a straight line; nan where nothing can be said."""
        points = len(self.n)
        if self.residual_scatter:
            return self._curvature()
        if points < 3:
            return math.nan
        own = bool(np.all(self.point_dof >= ENOUGH_OF_ONE_POINT))
        weight = 1.0 / np.maximum(self.variance if own else self.smooth, 1e-300)
        x = np.log(self.n)
        design = np.column_stack([np.ones_like(x), x])
        inverse = np.linalg.inv(design.T @ (weight[:, None] * design))
        residual = self.log_risk - design @ (inverse @ (design.T @ (weight * self.log_risk)))
        statistic, contrasts = float(weight @ residual**2), points - 2
        if np.all(np.isinf(self.point_dof)):
            return float(special.chdtrc(contrasts, statistic))
        if not own:
            return float(special.fdtrc(contrasts, max(float(self.point_dof.sum()) - 2.0, 1.0), statistic / contrasts))
        share = 1.0 - weight * np.einsum("ki,ij,kj->k", design, inverse, design)
        excess = float(np.sum(share**2 / self.point_dof))
        scale = contrasts + 2.0 * excess - 6.0 * excess / (contrasts + 2.0)
        return float(special.fdtrc(contrasts, contrasts * (contrasts + 2.0) / (3.0 * excess), statistic / scale))

    def _curvature(self) -> float:
        """p-value of the quadratic term in ln n: without errors of their own, scatter and bends of the points look alike."""
        points, x = len(self.n), np.log(self.n)
        if points < FEWEST_FOR_CURVATURE:
            return math.nan
        basis = np.linalg.qr(np.vander(x - x.mean(), 3, increasing=True))[0]
        loading = basis.T @ self.log_risk
        scatter = float(np.sum((self.log_risk - basis @ loading) ** 2)) / (points - 3)
        if scatter <= 0.0:
            return math.nan
        return float(2.0 * special.stdtr(points - 3, -abs(loading[2]) / math.sqrt(scatter)))

    @cached_property
    def corrected(self) -> CorrectedFit:
        """Fit with a correction to scaling; ValueError with too few points."""
        points = len(self.n)
        fewest = FEWEST_FOR_CORRECTION["residuals" if self.residual_scatter else "known"]
        if points < fewest:
            raise ValueError(f"the curve has {points} sample sizes; a correction to scaling needs at least {fewest}")
        x = np.log(self.n)
        if not self.residual_scatter:
            total = float(np.sum(self.point_dof))
            return profile_fit(self.log_risk, np.diag(self.smooth), x, dof=total)
        # The scale of the scatter is what this very fit leaves, and costs its degrees of freedom.
        left = min(misfit for *_, misfit in profile_fit(self.log_risk, np.eye(points), x, dof=points - 4).profile)
        scale = max(left / (points - 4), 1e-24)
        return profile_fit(self.log_risk, scale * np.eye(points), x, dof=points - 4)


def fit_points(n: Array, risk: Array, *, stderr: Array | None = None, replicates: Array | None = None) -> PointFit:
    """Exponent of independent points: mean risks (K,) at sample sizes n (K,), strictly increasing.

    ``stderr`` (K,) are the standard errors of the risks, each estimated from ``replicates`` (K,) values, or known where
    ``replicates`` is None; without ``stderr`` the scatter about the line is all there is.
    """
    n, risk = np.asarray(n, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    if len(n) < 2 or n.shape != risk.shape or np.any(np.diff(n) <= 0.0):
        raise ValueError(f"n={n!r} must be at least two increasing sample sizes, one for each risk")
    if not np.all(risk > 0.0):
        where = int(np.argmax(~(risk > 0.0)))
        raise ValueError(f"risk={risk[where]!r} at n={n[where]:g} is not positive; it has no logarithm")
    if stderr is None:
        return _by_residuals(n, risk)
    error = np.asarray(stderr, dtype=np.float64)
    if error.shape != n.shape or not np.all(np.isfinite(error) & (error >= 0.0)) or not np.any(error > 0.0):
        raise ValueError(f"stderr={stderr!r} must be a finite number >= 0 for each n, and not zero everywhere")
    variance = (error / risk) ** 2
    if replicates is None:
        if not np.all(error > 0.0):
            raise ValueError(f"stderr=0 at n={n[int(np.argmin(error))]:g}: a point without error would decide alone")
        point_dof, smooth = np.full_like(n, np.inf), variance
    else:
        counts = np.asarray(replicates, dtype=np.float64)
        if not np.all(counts >= 2.0):
            raise ValueError(f"replicates={replicates!r} must be at least 2 at each n; one value has no scatter")
        point_dof, smooth = counts - 1.0, _smooth(n, variance, counts)
    log_risk = np.log(risk) + 0.5 * variance
    weights = _weights(n, smooth)
    square = weights**2 * variance
    total = float(square.sum())
    with np.errstate(divide="ignore"):
        spread = float(np.sum(square**2 / point_dof))
    return PointFit(
        exponent=-float(weights @ log_risk),
        stderr=math.sqrt(total),
        dof=total**2 / spread if spread > 0.0 else math.inf,
        weights=weights,
        n=n,
        log_risk=log_risk,
        variance=variance,
        point_dof=point_dof,
        smooth=smooth,
    )


def _by_residuals(n: Array, risk: Array) -> PointFit:
    """Ordinary least squares: every point has the same unknown variance, that of the scatter about the line."""
    x, y, points = np.log(n), np.log(risk), len(n)
    weights = _weights(n, np.ones_like(n))
    slope = float(weights @ y)
    residual = y - y.mean() - slope * (x - x.mean())
    known = points >= FEWEST_FOR_RESIDUALS
    scatter = float(residual @ residual) / (points - 2) if known else math.nan
    return PointFit(
        exponent=-slope,
        stderr=math.sqrt(scatter * float(weights @ weights)) if known else None,
        dof=float(max(points - 2, 0)),
        weights=weights,
        n=n,
        log_risk=y,
        variance=np.full_like(n, scatter),
        point_dof=np.full_like(n, float(points - 2)),
        smooth=np.ones_like(n),
        residual_scatter=True,
    )


def _weights(n: Array, variance: Array) -> Array:
    """Weights of the slope of ln E on ln n for points of the given variances."""
    x, precision = np.log(n), 1.0 / variance
    centred = precision * (x - np.average(x, weights=precision))
    return np.asarray(centred / float(centred @ x))


def _smooth(n: Array, variance: Array, counts: Array) -> Array:
    """Variances by a model in which the relative variance of one replicate is a power of n; a constant below five points."""
    each, dof = variance * counts, counts - 1.0
    pooled = float(np.average(each, weights=dof))
    if len(n) < 5:
        return pooled / counts
    # E ln(chi^2_f / f) = digamma(f/2) - ln(f/2): the logarithm of an estimated variance is too small by that.
    y = np.log(np.maximum(each, 1e-6 * pooled)) - special.digamma(0.5 * dof) + np.log(0.5 * dof)
    x = np.log(n) - np.average(np.log(n), weights=dof)
    slope = float(np.sum(dof * x * y) / np.sum(dof * x * x))
    return np.asarray(np.exp(np.average(y, weights=dof) + slope * x) / counts)
