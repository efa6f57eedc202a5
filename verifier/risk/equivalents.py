r"""The deterministic equivalent of the excess risk of kernel ridge regression: no randomness, any n.

With the degrees of freedom :math:`d_1(\kappa) = \sum_i l_i/(l_i + \kappa)` and
:math:`d_2(\kappa) = \sum_i (l_i/(l_i + \kappa))^2`, the effective ridge :math:`\kappa(n, \lambda)` solves
:math:`n = d_1(\kappa) + n\lambda/\kappa` and

.. math:: E(n, \lambda) = \frac{\sum_i f_i^2 (\kappa/(l_i+\kappa))^2 + \sigma^2 d_2(\kappa)/n}{1 - d_2(\kappa)/n}

(Simon, Dickens, Karkada and DeWeese 2023, eq. 5; Cheng and Montanari 2024, Theorem 2). Everything is parametrised by
kappa, since :math:`\lambda = \kappa (1 - d_1(\kappa)/n)` is explicit in it: a tuned risk is one minimisation over kappa
and needs no fixed point. All terms of all sums are positive, so nothing cancels, at any n.

The eigenvalues l are those of the covariance that the regression sees. Under a transform that is not unitary the sums are
those of :mod:`verifier.risk.operators`; the rest is the same. With finitely many random features the sums are those of
:mod:`verifier.risk.features`, kappa stands for the gamma there, and d2 and the bias depend on the width as well; with landmarks
they are those of :mod:`verifier.risk.nystrom`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verifier.instances import (
    AllFeatures,
    Descent,
    FullRotation,
    Independent,
    Instance,
    NoDrift,
    NystromFeatures,
    RotatedMixture,
    SinglePass,
    TurningDrift,
    UncentredDesign,
    eigenvalues,
    log_index_at,
)
from verifier.risk.coordinates import is_profiled, profile_ridge, profile_terms
from verifier.risk.eigenbasis import eigenbasis
from verifier.risk.features import FeatureSums, WidthSums, curved_moments, moments, width_ratio
from verifier.risk.nystrom import Landmarks, landmarks
from verifier.risk.operators import TransformedSums
from verifier.risk.quadrature import Modes, modes
from verifier.risk.rotated import RotatedSums
from verifier.risk.sums import CurvedSums, Sums

Array = NDArray[np.float64]
Tuning = str | Callable[[Instance, float], float]

FIRST_DEPTH = 40.0  # ln kappa that the grid covers at first, from its top
GRID_STEP = 0.5  # in ln kappa; with a coarser grid the minimum of a stepped risk can be missed
LOG_KAPPA_MIN = -330.0  # smaller kappas are left out: kappa^2 would no longer be a normal double
NEGLIGIBLE = 1e-10  # change of a risk that no digit of interest shows
LARGEST_LOG = 690.0  # ln of the largest width that is a double
LOG_FARTHEST = 600.0  # ln n up to which a sample size is looked for
LEADING = 512  # beyond this index neighbouring eigenvalues are close enough to be taken as a continuum


class DiagonalSums:
    """The sums of a covariance that is diagonal in the basis of the target, each at all kappas of an array of shape (k,)."""

    chunk = 10_000  # matrix entries worked on at a time: they stay in the cache; does not change the result

    def __init__(self, instance: Instance, log_reach: float) -> None:
        self._target = instance.target
        self.modes = modes(instance, log_reach)
        self.trace = float(self.modes.multiplicity @ self.modes.eigenvalues)
        self.trace_of_square = float(self.modes.multiplicity @ self.modes.eigenvalues**2)
        self.nodes = len(self.modes.eigenvalues) + len(self.modes.target_eigenvalues)
        self._leading = np.zeros(0)  # eigenvalues among which the worst of a ball is looked up one by one
        if self.modes.supremum and not math.isfinite(instance.spectrum.size) and instance.target.l2_index < 1.0:
            self._leading = eigenvalues(instance.spectrum, max(LEADING, instance.spectrum.head + 1))

    def degrees(self, kappa: Array) -> tuple[Array, Array]:
        """d1 and d2."""
        r = self.modes.eigenvalues / (self.modes.eigenvalues + kappa[:, None])
        return r @ self.modes.multiplicity, (r * r) @ self.modes.multiplicity

    def rows(self, kappa: Array) -> tuple[Array, ...]:
        """d1, d2 and bias."""
        ell, weight = self.modes.eigenvalues, self.modes.multiplicity
        r = ell / (ell + kappa[:, None])
        df1 = r @ weight
        r *= r
        return df1, r @ weight, self._bias(kappa)

    def _bias(self, kappa: Array) -> Array:
        lt, energy = self.modes.target_eigenvalues, self.modes.target_energy
        if self.modes.supremum:
            return self._worst_bias(kappa)[0]
        q = kappa[:, None] / (lt + kappa[:, None])
        q *= q
        return np.asarray(q @ energy)

    def curved_rows(self, kappa: Array) -> tuple[Array, ...]:
        """d1, d2, bias, and the first and second derivatives of d2 and of the bias in ln kappa."""
        # r = l/(l+kappa), q = 1 - r = kappa/(l+kappa); d r / d ln kappa = -r q.
        ell, weight = self.modes.eigenvalues, self.modes.multiplicity
        r = ell / (ell + kappa[:, None])
        r2 = r * r
        r3 = r2 * r
        df1, df2, t3 = r @ weight, r2 @ weight, r3 @ weight
        t4 = (r3 * r) @ weight
        df2_slope = -2.0 * (df2 - t3)
        df2_curvature = 2.0 * (2.0 * df2 - 5.0 * t3 + 3.0 * t4)
        bias, bias_slope, bias_curvature = self._curved_bias(kappa)
        return df1, df2, bias, df2_slope, df2_curvature, bias_slope, bias_curvature

    def _curved_bias(self, kappa: Array) -> tuple[Array, Array, Array]:
        lt, energy = self.modes.target_eigenvalues, self.modes.target_energy
        if self.modes.supremum:
            return self._worst_bias(kappa)
        q = kappa[:, None] / (lt + kappa[:, None])
        q2 = q * q
        q3 = q2 * q
        b, b3, b4 = q2 @ energy, q3 @ energy, (q3 * q) @ energy
        return b, 2.0 * (b - b3), 2.0 * (2.0 * b - 5.0 * b3 + 3.0 * b4)

    def _worst_bias(self, kappa: Array) -> tuple[Array, Array, Array]:
        """Supremum over i of R^2 l_i^(2s') (kappa/(l_i+kappa))^2.

        It is a maximum over the eigenvalues; where it lies beyond the leading ones of an infinite spectrum, they are taken
        as a continuum, an upper bound whose relative gap is O((beta/i)^2) at the maximising index i.
        """
        target = self._target
        index = target.l2_index
        if not len(self._leading):
            return _worst_of(self.modes.target_eigenvalues, self.modes.target_energy, kappa)
        peak = np.minimum(kappa * index / (1.0 - index), self._leading[0])
        value = target.norm**2 * peak ** (2.0 * index) * (kappa / (peak + kappa)) ** 2
        slope, curvature = 2.0 * index * value, 4.0 * index**2 * value
        early = peak > self._leading[-1]  # all of those where the peak was cut
        if early.any():
            energy = target.norm**2 * self._leading ** (2.0 * index)
            value[early], slope[early], curvature[early] = _worst_of(self._leading, energy, kappa[early])
        return value, slope, curvature


class DenseSums(DiagonalSums):
    """The sums of a covariance that is decomposed as a whole, in its eigenbasis."""

    def __init__(self, instance: Instance) -> None:
        basis = eigenbasis(instance, int(instance.spectrum.size))
        values = np.maximum(basis.eigenvalues, 0.0)
        self._target = instance.target
        self.modes = Modes(values, np.ones_like(values), values, basis.energies, False, 0.0)
        self.trace, self.trace_of_square = float(values.sum()), float(values @ values)
        self.nodes = 2 * len(values)
        self._leading = np.zeros(0)


class Equivalent:
    """Spectral sums of one instance, and the effective and optimal ridge that follow from them."""

    starts_at_bound = False
    """Whether the search for an optimum next to the smallest kappa starts there."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        self.instance = instance
        self.size = instance.spectrum.size
        self.variance = instance.sigma**2
        self._sums: DiagonalSums | TransformedSums | RotatedSums | FeatureSums
        if instance.features.finite and not isinstance(instance.features, NystromFeatures):
            self._sums = FeatureSums(instance, log_reach)
        elif instance.diagonal:
            self._sums = DiagonalSums(instance, log_reach)
        elif isinstance(instance.transform, FullRotation):
            self._sums = DenseSums(instance)
        elif isinstance(instance.spectrum, RotatedMixture):
            self._sums = RotatedSums(instance, log_reach)
        else:
            self._sums = TransformedSums(instance, log_reach)
        self.trace = self._sums.trace

    @property
    def transformed(self) -> TransformedSums | None:
        """The sums of a transform that is not unitary, None without one."""
        return self._sums if isinstance(self._sums, TransformedSums) else None

    def capacity(self, n: Array) -> Array:
        """Degrees of freedom at a ridge of zero, where there are as many directions: n, shape of n."""
        return n

    def target_energies(self) -> tuple[Array, Array]:
        """Eigenvalues and energies of the target on its nodes, for a covariance that is diagonal in its basis."""
        assert isinstance(self._sums, DiagonalSums)
        return self._sums.modes.target_eigenvalues, self._sums.modes.target_energy

    def sums(self, kappa: Array) -> Sums:
        """All sums at the given kappas, shape (k,); kappa = 0 is allowed for finite spectra."""
        return Sums(*self._in_chunks(kappa, self._sums.rows))

    def curved_sums(self, kappa: Array) -> CurvedSums:
        """All sums with their derivatives."""
        return CurvedSums(*self._in_chunks(kappa, self._sums.curved_rows))

    def seen(self, n: Array, kappa: Array) -> Sums:
        """The sums at each (n, kappa), both of shape (k,), in which the risk is their quotient: those at kappa, whatever n."""
        return self.sums(kappa)

    def _curved_seen(self, n: Array, kappa: Array) -> CurvedSums:
        return self.curved_sums(kappa)

    def _table_seen(self, n: Array, table: Sums) -> Sums:
        """The sums at each n (rows) and kappa of a table (columns); one row where n does not enter."""
        return table

    def _in_chunks(self, kappa: Array, rows: Callable[[Array], tuple[Array, ...]]) -> list[Array]:
        size = max(1, self._sums.chunk // self._sums.nodes)
        pieces = [rows(kappa[start : start + size]) for start in range(0, len(kappa), size)]
        return [np.concatenate(columns) for columns in zip(*pieces, strict=True)]

    def _grid(self, low: float, high: float) -> tuple[Array, Sums]:
        """Sums on a grid of step 1/2 in ln kappa that covers [low, high]; kept, since all n share it."""
        first, last = math.floor(low / GRID_STEP) - 1, math.ceil(high / GRID_STEP) + 1
        kept: tuple[int, int, Array, Sums] | None = getattr(self, "_table", None)
        if kept is None:
            grid = GRID_STEP * np.arange(first, last + 1.0)
            kept = (first, last, grid, self.sums(np.exp(grid)))
        elif first < kept[0] or last > kept[1]:
            first, last = min(first, kept[0]), max(last, kept[1])
            grid = GRID_STEP * np.arange(first, last + 1.0)
            new = np.concatenate([grid[: kept[0] - first], grid[kept[1] - first + 1 :]])
            sums, old, below = self.sums(np.exp(new)), kept[3], kept[0] - first

            def joined(added: Array, known: Array) -> Array:
                return np.concatenate([added[:below], known, added[below:]])

            names = [field.name for field in fields(sums)]
            both = type(sums)(*(joined(getattr(sums, name), getattr(old, name)) for name in names))
            kept = (first, last, grid, both)
        self._table = kept
        return kept[2], kept[3]

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """kappa(n, lambda), shape (k,): Newton's method from the right on a convex function, so it converges from
        any grid point above the root; relative error 1e-13.
        """
        kappa = np.zeros_like(n)
        solve = ~(
            (lam == 0.0) & (self.capacity(n) >= self.size)
        )  # a sample that outnumbers the directions needs no ridge
        if not solve.any():
            return kappa
        m, ridge = n[solve], lam[solve]
        ceiling = np.log(ridge + self.trace / m)
        grid, table = self._grid(float(log_kappa_floor(self.instance, m, ridge).min()), float(ceiling.max()))
        excess = np.exp(grid) * (1.0 - table.df1 / m[:, None]) - ridge[:, None]
        start = grid[np.argmax(excess > 0.0, axis=1)]
        root = np.exp(np.minimum(start, ceiling))
        for _ in range(60):
            df1, df2 = self._sums.degrees(root)
            step = (root * (1.0 - df1 / m) - ridge) / (1.0 - df2 / m)
            # kappa = lambda + (positive): a rounding error may not carry the root to zero.
            root = np.maximum(root - step, np.maximum(ridge, 0.1 * root))
            if np.all(np.abs(step) <= 1e-13 * root):
                break
        kappa[solve] = np.where(root < math.exp(LOG_KAPPA_MIN - 3.0), np.nan, root)
        return kappa

    def ridge(self, n: Array, kappa: Array) -> Array:
        """lambda = kappa (1 - d1(kappa)/n), never below zero."""
        return np.maximum(kappa * (1.0 - self.sums(kappa).df1 / n), 0.0)

    def ridge_of(self, n: Array, kappa: float) -> Array:
        """The ridges that belong to one kappa, shape of n; below zero where it has too many degrees of freedom."""
        return np.asarray(kappa * (1.0 - float(self.sums(np.array([kappa])).df1[0]) / n))

    def terms(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise at (n, kappa), infinite at the interpolation threshold."""
        sums = self.seen(n, kappa)
        room = 1.0 - sums.df2 / n
        open_room = ~(room <= 1e-15)
        with np.errstate(divide="ignore", invalid="ignore"):
            bias = np.where(open_room | (sums.bias == 0.0), sums.bias / np.where(open_room, room, 1.0), np.inf)
            noise = self.variance * sums.df2 / n
            return bias, np.where(open_room | (noise == 0.0), noise / np.where(open_room, room, 1.0), np.inf)

    def risk(self, n: Array, kappa: Array) -> Array:
        """Excess risk at (n, kappa): the sum of its two terms."""
        return np.asarray(np.add(*self.terms(n, kappa)))

    def optimum(self, n: Array) -> Array:
        """kappa of the ridge lambda >= 0 that minimises the expected risk at each n, shape (k,).

        kappas below exp(-330) are not looked at (at such n only a noiseless optimum would lie there). The best grid point is
        refined by Newton's method on d ln E / d ln kappa inside its bracket; the ridge zero (kappa at its smallest)
        competes with it, unless the noise term alone rules out every kappa that small.
        """
        # Beyond this ridge both the missing bias and the noise term are below 1e-5 of the target's energy.
        energy = self.sums(np.array([math.exp(600.0)])).bias[0]
        noise_share = self.variance * self._sums.trace_of_square / (energy * self.trace**2)
        top = math.log(self.trace) + 12.0 + 0.5 * math.log1p(float(noise_share))
        kappa = np.zeros_like(n)
        inner = self._optimum_against_noise(n, top, kappa)
        if not inner.all():
            kappa[~inner] = self._optimum_or_interpolation(n[~inner], top)
        return kappa

    def _optimum_against_noise(self, n: Array, top: float, kappa: Array) -> NDArray[np.bool_]:
        """Fill in the kappas of optima that are known from the grid's upper part, and say which these are.

        The noise term, sigma^2 d2/n or more, grows as kappa falls: where it exceeds the best risk found so far at the lower
        end of the grid, no smaller kappa can be better. The ridge of a kappa is not negative where d1 <= n.
        """
        if self.variance == 0.0 or math.isfinite(self.size):
            return np.zeros(n.shape, dtype=np.bool_)
        floor = max(float(log_kappa_floor(self.instance, n, np.zeros_like(n)).min()), LOG_KAPPA_MIN)
        depth = FIRST_DEPTH
        while True:
            grid, table = self._grid(max(top - depth, floor), top)
            permitted = table.df1 <= self.capacity(n)[:, None]
            values = self._risks(n, table, permitted)
            decided = np.asarray(self._least_noise(n) * table.df2[0] / n > values.min(axis=1))
            if decided.all() or top - depth <= floor:
                break
            depth *= 2.0
        best = np.argmin(values, axis=1)
        decided &= (best > 0) & permitted[np.arange(len(n)), best - 1]
        if decided.any():
            low = np.full(int(decided.sum()), -np.inf)
            kappa[decided] = self._refined(n[decided], grid, values[decided], low)
        return decided

    def _optimum_or_interpolation(self, n: Array, top: float) -> Array:
        """The optimum where the ridge zero competes."""
        boundary = np.full_like(n, math.exp(LOG_KAPPA_MIN))
        reached = log_kappa_floor(self.instance, n, np.zeros_like(n)) > LOG_KAPPA_MIN
        if math.isfinite(self.size):
            reached |= self.capacity(n) >= self.size
        if reached.any():
            boundary[reached] = self.effective_ridge(n[reached], np.zeros(int(reached.sum())))
        with np.errstate(divide="ignore"):
            low = np.log(boundary)
        finite = np.isfinite(low)
        grid, table = self._grid(float(low[finite].min()) if finite.all() else self._log_signal_floor(n), top)
        kappa = self._refined(n, grid, self._risks(n, table, grid > low[:, None]), low)
        inner, outer = self.risk(n, kappa), self.risk(n, boundary)
        best_kappa = np.where(outer <= inner, boundary, kappa)
        # At the cut the true optimum lies where kappa cannot be followed.
        return np.where(~reached & (best_kappa <= 2.0 * boundary), np.nan, best_kappa)

    def _least_noise(self, n: Array) -> Array | float:
        """Lower bound of the noise term over d2/n, whatever kappa."""
        return self.variance

    def _risks(self, n: Array, table: Sums, permitted: NDArray[np.bool_]) -> Array:
        """Risk at each n (rows) and kappa of the grid (columns), infinite where no ridge gives it."""
        seen = self._table_seen(n, table)
        room = 1.0 - seen.df2 / n[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            risk = (seen.bias + self.variance * seen.df2 / n[:, None]) / room
        return np.where(permitted & (room > 0.0), risk, np.inf)

    def _refined(self, n: Array, grid: Array, values: Array, low: Array) -> Array:
        """kappa of the minimum next to the best grid point at each n, not below exp(``low``)."""
        best = np.argmin(values, axis=1)
        lower, upper = np.maximum(grid[best] - GRID_STEP, low), grid[best] + GRID_STEP
        u = np.clip(grid[best] + _parabola(values, best), lower, upper)
        if self.starts_at_bound:
            u = np.where(lower == low, low, u)
        active = np.arange(len(n))
        for _ in range(12):
            u[active], lower[active], upper[active], settled = self._refine(
                n[active], u[active], lower[active], upper[active]
            )
            active = active[~settled]
            if active.size == 0:
                break
        return np.asarray(np.exp(u))

    def size_at_optimum(self, kappa: float) -> float:
        r"""The n at which the ridge that minimises the risk has this kappa; infinite where the bias no longer falls.

        The risk is stationary in ln kappa where :math:`B'(1 - d_2/n) + (\sigma^2 + B)d_2'/n = 0`, so at
        :math:`n = d_2 - (\sigma^2 + B)d_2'/B'`, dots for derivatives in ln kappa; an n below d1 would need a negative ridge.
        """
        sums = self.curved_sums(np.array([kappa]))
        df1, df2, bias, falls, rises = (
            float(value[0]) for value in (sums.df1, sums.df2, sums.bias, sums.df2_slope, sums.bias_slope)
        )
        return max(df1, df2 - (self.variance + bias) * falls / rises) if rises > 0.0 else math.inf

    def _refine(self, n: Array, u: Array, lower: Array, upper: Array) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
        """One Newton step of ln kappa towards the minimum of ln E, kept inside a bracket that shrinks with it."""
        sums = self._curved_seen(n, np.exp(u))
        top = sums.bias + self.variance * sums.df2 / n
        top1 = sums.bias_slope + self.variance * sums.df2_slope / n
        top2 = sums.bias_curvature + self.variance * sums.df2_curvature / n
        room = 1.0 - sums.df2 / n
        closing = sums.df2_slope / n / room
        with np.errstate(divide="ignore", invalid="ignore"):  # a bias that has underflowed leaves the bracket's middle
            slope = top1 / top + closing
            curvature = top2 / top - (top1 / top) ** 2 + sums.df2_curvature / n / room + closing**2
        lower, upper = np.where(slope < 0.0, u, lower), np.where(slope > 0.0, u, upper)
        middle = np.where(np.isfinite(lower), 0.5 * (lower + upper), upper - 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = u - slope / curvature
        inside = (curvature > 0.0) & (newton > lower) & (newton < upper)
        following = np.where(inside, newton, middle)
        return following, lower, upper, np.abs(following - u) < 1e-6

    def _log_signal_floor(self, n: Array) -> float:
        """ln kappa below which a finite spectrum with n >= p is fitted without bias to rounding error."""
        last = float(self.instance.spectrum.log_eigenvalues(np.array([math.log(self.size)]))[0])
        return last + _log_least_gain(self.instance) - 12.0 - math.log(float(n.max()))


class FeatureEquivalent(Equivalent):
    """The equivalent of an instance with finitely many features; kappa stands for the gamma of :mod:`verifier.risk.features`."""

    _sums: FeatureSums
    # Once the sample outnumbers the features by far, the best gamma lies within 1/n of where z = m, next to a stationary point.
    starts_at_bound = True

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        self._last: dict[str, tuple[tuple[Array, ...], Array]] = {}

    def sums(self, kappa: Array) -> WidthSums:
        """The sums at the given gammas, shape (k,), before the width enters."""
        return WidthSums(*self._in_chunks(kappa, self._sums.rows))

    def capacity(self, n: Array) -> Array:
        """min(n, m)."""
        return np.minimum(n, self._width(n))

    def seen(self, n: Array, kappa: Array) -> Sums:
        """z, V and B at each (n, gamma)."""
        return moments(self.sums(kappa), self._width(n))

    def parts(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        r"""Six positive numbers below the risk E at each (n, gamma). Four sum to it: :math:`\sum f_i^2 (1-r_i)^2` and what the
        width adds to it, :math:`(\sigma^2 + E) q/n` and what the width adds to that. The others are E z/n and E z/m.
        """
        sums, width = self.sums(kappa), self._width(n)
        risk, rho = self._quotient(n, moments(sums, width)), width_ratio(sums, width)
        felt = (self.variance + risk) / n
        shares = (np.minimum(sums.df1 / limit, 1.0) * risk for limit in (n, width))
        return sums.bias, rho * sums.leak, felt * sums.df2, felt * rho * sums.spread, *shares

    def _quotient(self, n: Array, seen: Sums) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray((seen.bias + self.variance * seen.df2 / n) / np.maximum(1.0 - seen.df2 / n, 0.0))

    def ridge(self, n: Array, kappa: Array) -> Array:
        """lambda = gamma (1 - z/m)(1 - z/n), never below zero."""
        z = self.sums(kappa).df1
        return kappa * np.maximum(1.0 - z / n, 0.0) * np.maximum(1.0 - z / self._width(n), 0.0)

    def _solved(self, n: Array, lam: Array) -> Array:
        r"""gamma(n, lambda): Newton's method in :math:`u = \ln\gamma`, kept in a bracket, on the increasing
        :math:`(1 - z/n)(1 - z/m) - \lambda/\gamma`; on :math:`1 - z/\min(n, m)` for the ridge zero. Relative error 1e-12.
        """
        gamma = np.zeros_like(n)
        solve = ~((lam == 0.0) & (self.capacity(n) >= self.size))
        if not solve.any():
            return gamma
        size, ridge, width = n[solve], lam[solve], self._width(n)[solve]
        few, many = np.minimum(size, width), np.where(ridge > 0.0, np.maximum(size, width), np.inf)
        # z <= tr/gamma: beyond gamma = 2 tr/min(n, m) neither factor is below 1/2, so that lambda is gamma/4 at least.
        ceiling = np.log(4.0 * ridge + 2.0 * self.trace / few)
        low_end = float(log_kappa_floor(self.instance, size, ridge).min())
        grid, table = self._grid(low_end if math.isfinite(low_end) else LOG_KAPPA_MIN, float(ceiling.max()))
        excess = _features_excess(grid, table.df1, few[:, None], many[:, None], ridge[:, None])
        first = np.argmax(excess > 0.0, axis=1)
        upper, lower = grid[first], grid[np.maximum(first - 1, 0)]
        u, active = upper.copy(), np.arange(len(size))
        for _ in range(80):
            z, spread = self._sums.degrees(np.exp(u[active]))
            at_few, at_many = few[active], many[active]
            share = ridge[active] * np.exp(-u[active])
            value = _features_excess(u[active], z, at_few, at_many, ridge[active])
            slope = (
                spread / at_few * np.maximum(1.0 - z / at_many, 0.0)
                + np.maximum(1.0 - z / at_few, 0.0) * spread / at_many
            )
            lower[active] = np.where(value < 0.0, u[active], lower[active])
            upper[active] = np.where(value > 0.0, u[active], upper[active])
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = u[active] - value / (slope + share)
            inside = (newton >= lower[active]) & (newton <= upper[active])
            following = np.where(inside, newton, 0.5 * (lower[active] + upper[active]))
            moved = np.abs(following - u[active])
            u[active] = following
            active = active[moved > 1e-13 * np.maximum(1.0, np.abs(following))]
            if active.size == 0:
                break
        gamma[solve] = np.where(u < LOG_KAPPA_MIN - 3.0, np.nan, np.exp(u))
        return gamma

    def size_at_optimum(self, kappa: float) -> float:
        """The first n = e^4, e^8, ... at which the ridge that minimises the risk has a gamma of at most ``kappa``; infinite where
        there is none up to e^600.
        """
        for log_n in np.split(np.arange(4.0, LOG_FARTHEST, 4.0), [30]):
            n = np.exp(log_n)
            below = np.flatnonzero(self.optimum(n) <= kappa)
            if below.size:
                return float(n[below[0]])
        return math.inf

    def optimum(self, n: Array) -> Array:
        """The gamma of the ridge that minimises the risk."""
        return self._recalled("optimum", super().optimum, n)

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """gamma(n, lambda), shape (k,), relative error 1e-12."""
        return self._recalled("ridge", self._solved, n, lam)

    def _recalled(self, name: str, function: Callable[..., Array], *arguments: Array) -> Array:
        """What a function gave for the same arrays the last time: a judgement looks at one curve as a whole and in its parts."""
        kept: tuple[tuple[Array, ...], Array] | None = self._last.get(name)
        if kept is None or not all(map(np.array_equal, kept[0], arguments)):
            kept = self._last[name] = (tuple(value.copy() for value in arguments), function(*arguments))
        return kept[1].copy()

    def _width(self, n: Array) -> Array:
        return self.instance.features.width(n)

    def _curved_seen(self, n: Array, kappa: Array) -> CurvedSums:
        return curved_moments(tuple(self._in_chunks(kappa, self._sums.curved_rows)), self._width(n))

    def _table_seen(self, n: Array, table: Sums) -> Sums:
        assert isinstance(table, WidthSums)
        return moments(table, self._width(n)[:, None])


class LandmarkEquivalent(Equivalent):
    """The equivalent of an instance with landmarks; kappa is that of :mod:`verifier.risk.nystrom`, at most the kernel's.

    ``sums`` are those of the kernel at kappa, d1 of which is no less than with landmarks.
    """

    _kept: tuple[Array, Array | None, Array, Array] | None = None
    """The last sizes, their ridges (None for the best ones), kappa and mu: terms and parts are asked for one after the other."""

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """kappa(n, lambda), shape (k,), from the kernel's; where it would be zero, a value so small that it changes no digit."""
        kept = self._kept
        if kept is not None and kept[1] is not None and np.array_equal(kept[0], n) and np.array_equal(kept[1], lam):
            return kept[2]
        start = super().effective_ridge(n, lam)
        known = np.isfinite(start)
        kappa, mu = np.full_like(start, np.nan), np.zeros_like(start)
        if known.any():
            width = self._width(n[known])
            solver = self._solver(width, float(np.log(np.maximum(start[known], math.exp(LOG_KAPPA_MIN))).min()))
            kappa[known], mu[known] = solver.effective_ridge(n[known], width, lam[known], start[known])
        self._kept = (n.copy(), lam.copy(), kappa, mu)
        return kappa

    def ridge(self, n: Array, kappa: Array) -> Array:
        """lambda = kappa (1 - d1/n), never below zero."""
        return np.maximum(kappa * (1.0 - self.seen(n, kappa).df1 / n), 0.0)

    def seen(self, n: Array, kappa: Array) -> Sums:
        """d1, d2 and B at each (n, kappa); NaN where kappa is."""
        known = np.isfinite(kappa)
        columns = np.full((3, len(kappa)), np.nan)
        if known.any():
            solver, mu = self._placed(n, kappa, known)
            sums = solver.sums(kappa[known], mu)
            columns[:, known] = sums.df1, sums.df2, sums.bias
        return Sums(*columns)

    def _placed(self, n: Array, kappa: Array, known: NDArray[np.bool_]) -> tuple[Landmarks, Array]:
        """The solver and mu at each known (n, kappa); an optimum comes with its mu."""
        width, at = self._width(n[known]), kappa[known]
        least = float(np.log(at).min())
        if self._kept is not None and self._kept[2] is kappa:
            mu = self._kept[3][known]
            return self._solver(np.where(mu > 0.0, width, 1.0), least), mu
        solver = self._solver(width, least)
        return solver, solver.landmark_ridge(at, width)

    def parts(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        r"""Six positive numbers below the risk E at each (n, kappa): of the target :math:`\sum f_i^2 g_i^2` by ridge and
        :math:`\sum f_i^2 e_i^2` by the span, :math:`(\sigma^2 + E)\sum a_i^2/n` and what the landmarks add to that, E d1/n and
        E d1/m.
        """
        columns = np.full((6, len(kappa)), np.nan)
        known = np.isfinite(kappa)
        if known.any():
            size, width = n[known], self._width(n[known])
            solver, mu = self._placed(n, kappa, known)
            sums, (ridged, outside, heard) = solver.parts(kappa[known], mu)
            risk = np.add(*solver.terms(size, sums))
            felt = (self.variance + risk) / size
            added = felt * np.maximum(sums.df2 - heard, 0.0)
            columns[:, known] = ridged, outside, felt * heard, added, risk * sums.df1 / size, risk * sums.df1 / width
        return tuple(columns)

    def optimum(self, n: Array) -> Array:
        """kappa of the ridge lambda >= 0 that minimises the expected risk at each n, shape (k,); NaN below exp(-330).

        Where the landmarks are so many that the kernel's risk is left in all digits, it is the kernel's.
        """
        if self._kept is not None and self._kept[1] is None and np.array_equal(self._kept[0], n):
            return self._kept[2]
        plain = replace(self.instance, features=AllFeatures())
        engine = equivalent_for(plain, n, np.zeros_like(n))
        kappa, mu = engine.optimum(n).copy(), np.zeros_like(n)
        felt = np.flatnonzero(np.isfinite(kappa))
        felt = felt[self._matters(engine, n[felt], kappa[felt])]
        if felt.size:
            kappa[felt], mu[felt] = self._found(n[felt])
        self._kept = (n.copy(), None, kappa, mu)
        return kappa

    def _matters(self, engine: Equivalent, n: Array, kappa: Array) -> NDArray[np.bool_]:
        r"""Whether landmarks may change more than :data:`NEGLIGIBLE` of the kernel's risk at its optimum: d2 changes by
        :math:`(l_m/\kappa)^{2 - 1/\beta}` at most, the bias by :math:`l_m/\kappa` and by the energy beyond the eigenvalues of the
        order :math:`l_m`.
        """
        log_m = np.minimum(self.instance.features.log_width(np.log(n)), min(math.log(self.size), LARGEST_LOG))
        level = np.exp(self.instance.spectrum.log_eigenvalues(log_m))
        ell, energy = engine.target_energies()
        order = np.argsort(ell)
        total = np.concatenate([[0.0], np.cumsum(energy[order])])
        beyond = total[np.searchsorted(ell[order], level / NEGLIGIBLE**0.5)]
        felt = (level > NEGLIGIBLE * kappa) | (beyond > NEGLIGIBLE * engine.risk(n, kappa))
        return np.asarray(felt & (self._width(n) < self.size))

    def _found(self, n: Array) -> tuple[Array, Array]:
        """kappa and mu of the optimum; the grid is taken deeper until the noise, or the landmarks, rule smaller kappas out."""
        width, top, depth = self._width(n), math.log(self.trace), FIRST_DEPTH
        while True:
            bottom = max(top - depth, LOG_KAPPA_MIN)
            kappa, mu, decided = self._solver(width, bottom).optimum(n, width, bottom)
            if decided.all() or bottom == LOG_KAPPA_MIN:
                return np.where(decided, kappa, np.nan), mu
            depth *= 2.0

    def size_at_optimum(self, kappa: float) -> float:
        """The n at which the kernel's best ridge has this kappa and, where the landmarks grow, an eigenvalue as small as kappa is
        within their number; infinite where there is none up to e^600.
        """
        size, features = super().size_at_optimum(kappa), self.instance.features
        if not features.grows or not math.isfinite(size):
            return size
        log_n = np.arange(0.0, LOG_FARTHEST, 1.0)
        levels = self.instance.spectrum.log_eigenvalues(np.minimum(features.log_width(log_n), math.log(self.size)))
        enough = np.flatnonzero(levels <= math.log(kappa))
        return max(size, float(np.exp(log_n[enough[0]]))) if enough.size else math.inf

    def _width(self, n: Array) -> Array:
        return self.instance.features.width(n)

    def _solver(self, width: Array, log_kappa: float) -> Landmarks:
        return landmarks(self.instance, log_kappa, width)


def _features_excess(u: Array, z: Array, few: Array, many: Array, ridge: Array) -> Array:
    """(1 - z/few)(1 - z/many) - ridge/gamma, of the sign of gamma - gamma(ridge): negative where z exceeds either number."""
    least = 1.0 - z / few
    return np.where(least > 0.0, least * (1.0 - z / many), least) - ridge * np.exp(-u)


def _parabola(values: Array, best: NDArray[np.int64]) -> Array:
    """Where, relative to the best grid point, the parabola through ln of it and its two neighbours is smallest."""
    rows = np.arange(len(values))
    around = [values[rows, np.clip(best + k, 0, values.shape[1] - 1)] for k in (-1, 0, 1)]
    with np.errstate(divide="ignore", invalid="ignore"):
        left, middle, right = (np.log(column) for column in around)
        shift = 0.5 * (left - right) / (left - 2.0 * middle + right)
    return GRID_STEP * np.clip(np.where(np.isfinite(shift), shift, 0.0), -0.5, 0.5)


def _worst_of(ell: Array, energy: Array, kappa: Array) -> tuple[Array, Array, Array]:
    """Largest term of the bias at each kappa, with its first and second derivative in ln kappa."""
    terms = energy * (kappa[:, None] / (ell + kappa[:, None])) ** 2
    best = np.argmax(terms, axis=1)
    value = terms[np.arange(len(kappa)), best]
    ratio = ell[best] / (ell[best] + kappa)
    return value, 2.0 * ratio * value, 2.0 * ratio * (3.0 * ratio - 1.0) * value


def log_kappa_floor(instance: Instance, n: Array, lam: Array) -> Array:
    """Lower bound of ln kappa(n, lambda): kappa >= lambda; d1(l_2n) >= n; on a finite spectrum kappa >= l_p (p - n)/p.

    Under a transform of lower frame bound a no eigenvalue is below a^2 l_i (Courant and Fischer), which replaces l_i. With m
    features gamma takes the place of kappa, and min(n, m) that of n.
    """
    if instance.features.finite and not isinstance(instance.features, NystromFeatures):
        n = np.minimum(n, instance.features.width(n))
    spectrum, gain = instance.spectrum, _log_least_gain(instance)
    with np.errstate(divide="ignore"):
        floor = np.log(lam)
    reach = np.log(np.ceil(2.0 * n))
    inside = reach <= math.log(spectrum.size)
    if inside.any():
        floor[inside] = np.maximum(floor[inside], spectrum.log_eigenvalues(reach[inside]) + gain)
    short = ~inside & (n < spectrum.size)
    if short.any():
        last = float(spectrum.log_eigenvalues(np.array([math.log(spectrum.size)]))[0])
        floor[short] = np.maximum(floor[short], last + gain + np.log1p(-n[short] / spectrum.size))
    return floor


def _log_least_gain(instance: Instance) -> float:
    """ln a^2, a the lower frame bound of the transform."""
    return 2.0 * math.log(instance.transform.frame_bounds(instance.spectrum.size)[0])


# Of coordinates with autocorrelations of their own only the spectral sums come from here (verifier.risk.profiles).
@lru_cache(maxsize=128)
def _equivalent(instance: Instance, log_reach: float) -> Equivalent:
    if isinstance(instance.features, NystromFeatures):
        return LandmarkEquivalent(instance, log_reach)
    if instance.features.finite:
        return FeatureEquivalent(instance, log_reach)
    if isinstance(instance.design, UncentredDesign):
        from verifier.risk.means import UncentredEquivalent  # which builds on this module

        return UncentredEquivalent(instance, log_reach)
    if instance.drift != NoDrift():
        from verifier.risk.drift import DriftEquivalent  # which build on this module
        from verifier.risk.turning import TurningEquivalent

        engine = TurningEquivalent if isinstance(instance.drift, TurningDrift) else DriftEquivalent
        return engine(instance, log_reach)
    if isinstance(instance.filter, Descent):
        from verifier.risk.filters import FilterEquivalent  # which builds on this module

        return FilterEquivalent(instance, log_reach)
    if isinstance(instance.filter, SinglePass):
        from verifier.risk.single_pass import SinglePassEquivalent  # which builds on this module

        return SinglePassEquivalent(instance, log_reach)
    if instance.dependence != Independent() and not is_profiled(instance):
        from verifier.risk.dependent import DependentEquivalent  # which builds on this module

        return DependentEquivalent(instance, log_reach)
    return Equivalent(instance, log_reach)


def equivalent(instance: Instance, log_kappa: float) -> Equivalent:
    """The :class:`Equivalent` of an instance with nodes down to kappa = exp(``log_kappa``), cached."""
    size = instance.spectrum.size
    level = np.array([max(log_kappa, LOG_KAPPA_MIN)])
    reach = math.log(size) if math.isfinite(size) else float(log_index_at(instance.spectrum, level, steps=16)[0])
    return _equivalent(instance, 4.0 * math.ceil((reach + 0.5) / 4.0))


def equivalent_for(instance: Instance, n: Array, lam: Array) -> Equivalent:
    """The cached equivalent that serves the given sample sizes and ridges, arrays of shape (k,)."""
    floor = float(log_kappa_floor(instance, n, lam).min())
    return equivalent(instance, floor if math.isfinite(floor) else LOG_KAPPA_MIN)


def scheduled_ridge(instance: Instance, n: ArrayLike) -> Array:
    r"""The paper's schedule :math:`\lambda_n = n^{-1/(2s + 1/\beta)}` with the declared s, shape of n."""
    return np.asarray(np.asarray(n, dtype=np.float64) ** (-1.0 / (2.0 * instance.s + 1.0 / instance.beta)))


def ridge(instance: Instance, n: ArrayLike, tuning: Tuning = "optimal") -> Array:
    """The ridge that a tuning rule uses at each n: "optimal" (the oracle), "schedule", or a function (instance, n)."""
    sizes = _sample_sizes(n)
    flat = sizes.ravel()
    if tuning == "optimal" and is_profiled(instance):
        return profile_ridge(instance, sizes)
    if tuning == "optimal":
        engine = equivalent_for(instance, flat, np.zeros_like(flat))
        return engine.ridge(flat, engine.optimum(flat)).reshape(sizes.shape)
    if tuning == "schedule":
        return scheduled_ridge(instance, sizes)
    if callable(tuning):
        return np.array([ruled_ridge(tuning, instance, float(m)) for m in flat]).reshape(sizes.shape)
    raise ValueError(f"tuning={tuning!r} must be 'optimal', 'schedule' or a function (instance, n) -> lambda")


def ruled(rule: Callable[[Instance, Any], Any], instance: Instance, n: float) -> Any:
    """What a tuning function (instance, n) returns; ValueError naming function, n and instance where it raises."""
    try:
        return rule(instance, n)
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}, at n={n:.12g} for {instance.describe()}"
        raise ValueError(f"the tuning function {_name(rule)} raised {said}") from error


def ruled_ridge(rule: Callable[[Instance, Any], Any], instance: Instance, n: float) -> float:
    """The ridge that a tuning function gives; ValueError naming the function, n and the instance where it gives none."""
    return checked_ridge(ruled(rule, instance, n), rule, instance, n)


def checked_ridge(given: Any, rule: Callable[[Instance, Any], Any], instance: Instance, n: float) -> float:
    """``given`` as a ridge, or a ValueError that names the function which returned it."""
    try:
        value = math.nan if isinstance(given, (str, bytes)) else float(given)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not 0.0 <= value < math.inf:
        what = f"{given!r} at n={n:.12g} for {instance.describe()}"
        raise ValueError(f"the tuning function {_name(rule)} returned {what}; a ridge is a finite number >= 0")
    return value


def _name(rule: object) -> str:
    return getattr(rule, "__name__", type(rule).__name__)


def optimal_ridge(instance: Instance, n: ArrayLike) -> Array:
    """The oracle's ridge: argmin over lambda >= 0 of the deterministic equivalent, shape of n."""
    return ridge(instance, n, "optimal")


def effective_ridge(instance: Instance, n: ArrayLike, lam: ArrayLike) -> Array:
    """kappa(n, lambda) of the deterministic equivalent, broadcast over n and lambda."""
    sizes, ridges = np.broadcast_arrays(_sample_sizes(n), np.asarray(lam, dtype=np.float64))
    flat = sizes.ravel().astype(np.float64)
    checked = _ridges(ridges.ravel(), flat)
    return equivalent_for(instance, flat, checked).effective_ridge(flat, checked).reshape(sizes.shape)


def equivalent_risk(instance: Instance, *, n: ArrayLike, lam: ArrayLike | Tuning = "optimal") -> Array | float:
    """Excess risk of ridge regression by the deterministic equivalent, broadcast over n and lambda.

    ``n`` is one or more sample sizes from 1 to 1e60 (kappa must stay a normal double: about 1e300^(1/beta)); ``lam`` is
    a ridge >= 0, an array of them, "optimal" (default), "schedule", or a function (instance, n) -> lambda. Returns a
    float for scalar input. The relative error of the sums is below 1e-9; how far the equivalent itself is from the
    expected risk at finite n is what simulation certifies.
    """
    result = sum(risk_terms(instance, n=n, lam=lam))
    if np.any(np.isnan(result)):
        far = float(np.min(np.asarray(n, dtype=np.float64)[np.isnan(result)]))
        raise ValueError(f"n={far:g} is too large for {instance.spectrum.describe()}: kappa falls below exp(-330)")
    return float(result) if np.ndim(result) == 0 else np.asarray(result)


def risk_terms(instance: Instance, *, n: ArrayLike, lam: ArrayLike | Tuning = "optimal") -> tuple[Array, Array]:
    """The two terms of :func:`equivalent_risk`, from the target and from the noise, each of the shape of n.

    NaN where kappa lies below exp(-330), beyond what can be evaluated.
    """
    if is_profiled(instance):
        sizes, _, ridges = _with_ridges(instance, _sample_sizes(n), lam)
        return profile_terms(instance, sizes, ridges.reshape(sizes.shape))
    engine, sizes, kappa = _placed(instance, n, lam)
    target, noise = engine.terms(sizes.ravel(), kappa)
    return target.reshape(sizes.shape), noise.reshape(sizes.shape)


def width_parts(instance: Instance, *, n: ArrayLike, lam: ArrayLike | Tuning = "optimal") -> tuple[Array, ...]:
    """The numbers of :meth:`FeatureEquivalent.parts`, or of those with landmarks, each of the shape of n; ValueError for an
    instance of infinite width.
    """
    if not instance.features.finite:
        raise ValueError(f"features={instance.features!r} are infinitely many; the width adds nothing")
    engine, sizes, kappa = _placed(instance, n, lam)
    assert isinstance(engine, FeatureEquivalent | LandmarkEquivalent)
    return tuple(part.reshape(sizes.shape) for part in engine.parts(sizes.ravel(), kappa))


def _placed(instance: Instance, n: ArrayLike, lam: ArrayLike | Tuning) -> tuple[Equivalent, Array, Array]:
    """The engine, the sample sizes broadcast against the ridges, and kappa at each, flat."""
    sizes = _sample_sizes(n)
    if isinstance(lam, str) and lam == "optimal":
        flat = sizes.ravel()
        engine = equivalent_for(instance, flat, np.zeros_like(flat))
        return engine, sizes, engine.optimum(flat)
    sizes, flat, checked = _with_ridges(instance, sizes, lam)
    engine = equivalent_for(instance, flat, checked)
    return engine, sizes, engine.effective_ridge(flat, checked)


def _with_ridges(instance: Instance, sizes: Array, lam: ArrayLike | Tuning) -> tuple[Array, Array, Array]:
    """Sample sizes broadcast against the ridges of a rule, and both flat; a ridge out of reach is NaN."""
    ridges = ridge(instance, sizes, lam) if isinstance(lam, str) or callable(lam) else _numbers("lam", lam)
    try:
        sizes, ridges = np.broadcast_arrays(sizes, ridges)
    except ValueError:
        raise ValueError(f"lam of shape {ridges.shape} does not fit n of shape {sizes.shape}") from None
    flat, known = sizes.ravel().astype(np.float64), ridges.ravel()
    if isinstance(lam, str) and lam == "optimal":
        return sizes, flat, known
    return sizes, flat, _ridges(known, flat)


def effective_dimension(instance: Instance, lam: ArrayLike) -> Array:
    r"""Effective dimension :math:`N(\lambda) = \sum_i l_i/(l_i + \lambda)`, shape of lambda > 0."""
    ridges = np.asarray(lam, dtype=np.float64)
    if not np.all(ridges > 0.0):
        raise ValueError(f"lam={lam!r} must be positive; N(lambda) is infinite at zero")
    flat = ridges.ravel()
    return equivalent(instance, math.log(flat.min())).sums(flat).df1.reshape(ridges.shape)


def _sample_sizes(n: ArrayLike) -> Array:
    sizes = _numbers("n", n)
    if sizes.size == 0 or not np.all(np.isfinite(sizes)) or np.any(sizes < 1.0):
        raise ValueError(f"n={n!r} must be one or more finite sample sizes of at least 1")
    return sizes


def _numbers(name: str, value: object) -> Array:
    try:
        if value is None:
            raise TypeError
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}={value!r} must be a number or an array of numbers") from None


def _ridges(lam: ArrayLike, n: Array) -> Array:
    ridges = np.asarray(lam, dtype=np.float64)
    bad = ~np.isfinite(ridges) | (ridges < 0.0)
    if bad.any():
        where = int(np.argmax(bad))
        raise ValueError(f"lam={ridges[where]!r} at n={n[where]:g} must be a finite ridge >= 0")
    return np.asarray(ridges, dtype=np.float64)
