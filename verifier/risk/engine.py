r"""Spectral sums of one instance as functions of an effective ridge kappa, and the effective and the best ridge at any n.

What every deterministic equivalent (:mod:`verifier.risk.equivalents`) is built on; samples and estimators that are not those of
ridge regression on independent samples of infinite width have engines of their own, which extend :class:`Equivalent`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from verifier.instances import FourierFeatures, FullRotation, Instance, NystromFeatures, RotatedMixture, eigenvalues
from verifier.risk.eigenbasis import eigenbasis
from verifier.risk.features import FeatureSums
from verifier.risk.operators import TransformedSums
from verifier.risk.quadrature import Modes, modes
from verifier.risk.rotated import RotatedSums
from verifier.risk.sums import CurvedSums, Sums

Array = NDArray[np.float64]

FIRST_DEPTH = 40.0  # ln kappa that the grid covers at first, from its top
GRID_STEP = 0.5  # in ln kappa; with a coarser grid the minimum of a stepped risk can be missed
LOG_KAPPA_MIN = -330.0  # smaller kappas are left out: kappa^2 would no longer be a normal double
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
        if instance.features.finite and not isinstance(instance.features, NystromFeatures | FourierFeatures):
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
        self._last: dict[str, tuple[tuple[Array, ...], Array]] = {}

    @property
    def transformed(self) -> TransformedSums | None:
        """The sums of a transform that is not unitary, None without one."""
        return self._sums if isinstance(self._sums, TransformedSums) else None

    def capacity(self, n: Array) -> Array:
        """Degrees of freedom at a ridge of zero, where there are as many directions: n, shape of n."""
        return n

    def parts(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        """Positive numbers below the risk at each (n, kappa) that are watched, since one of them may lead far out only: what a
        transform of finite rank beside a multiplier leaves of the target. None of any other instance here.
        """
        if self.transformed is None:
            return ()
        return (np.concatenate([self.transformed.moved(some) for some in np.array_split(kappa, -(-len(kappa) // 8))]),)

    def separate_terms(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        """Terms of the risk at each (n, kappa): of the target, of the noise, and what no ridge balances against either, if any."""
        return self.terms(n, kappa)

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

    def taken(self, n: Array, kappa: Array) -> Array:
        """Degrees of freedom at each (n, kappa), whatever features hold of them."""
        return self.sums(kappa).df1

    def _curved_seen(self, n: Array, kappa: Array) -> CurvedSums:
        return self.curved_sums(kappa)

    def _table_seen(self, n: Array, table: Sums) -> Sums:
        """The sums at each n (rows) and kappa of a table (columns); one row where n does not enter."""
        return table

    def _degrees(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        """d1 and d2 at each (n, kappa)."""
        return self._sums.degrees(kappa)

    def _trace(self, n: Array) -> Array | float:
        """The trace of the covariance at each n."""
        return self.trace

    def _recalled(self, name: str, function: Callable[..., Array], *arguments: Array) -> Array:
        """What a function gave for the same arrays the last time: a judgement looks at one curve as a whole and in its parts."""
        kept: tuple[tuple[Array, ...], Array] | None = self._last.get(name)
        if kept is None or not all(map(np.array_equal, kept[0], arguments)):
            kept = self._last[name] = (tuple(value.copy() for value in arguments), function(*arguments))
        return kept[1].copy()

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
        ceiling = np.log(ridge + self._trace(m) / m)
        # What lies below is no kappa, whatever it is.
        low_end = max(float(log_kappa_floor(self.instance, m, ridge).min()), LOG_KAPPA_MIN - 4.0)
        grid, table = self._grid(low_end, float(ceiling.max()))
        excess = np.exp(grid) * (1.0 - self._table_seen(m, table).df1 / m[:, None]) - ridge[:, None]
        start = grid[np.argmax(excess > 0.0, axis=1)]
        root = np.exp(np.minimum(start, ceiling))
        for _ in range(60):
            df1, df2 = self._degrees(m, root)
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

    def room(self, n: Array, lam: Array, kappa: Array) -> Array:
        """lambda/kappa, shape of n."""
        return lam / kappa

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
            permitted = self._permitted(n, table)
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

    def _permitted(self, n: Array, table: Sums) -> NDArray[np.bool_]:
        """Where a ridge that is not negative gives kappa, at each n (rows) and kappa of the grid (columns)."""
        return np.asarray(table.df1 <= self.capacity(n)[:, None])

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

    def first_size_at_optimum(self, kappa: float) -> float:
        """The first n = e^4, e^8, ... whose best kappa, by :meth:`optimum`, is at most ``kappa``; infinite where there is none."""
        for log_n in np.split(np.arange(4.0, LOG_FARTHEST, 4.0), [30]):  # beyond n = e^120 only where it is needed
            n = np.exp(log_n)
            below = np.flatnonzero(self.optimum(n) <= kappa)
            if below.size:
                return float(n[below[0]])
        return math.inf

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
    if instance.features.finite and not isinstance(instance.features, NystromFeatures | FourierFeatures):
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
    if isinstance(instance.features, FourierFeatures):  # the frequencies that are drawn once are among the nodes
        first = float(spectrum.log_eigenvalues(np.zeros(1))[0])
        floor = np.minimum(floor, first - instance.features.log_width(np.log(n)))
    return floor


def _log_least_gain(instance: Instance) -> float:
    """ln a^2, a the lower frame bound of the transform."""
    return 2.0 * math.log(instance.transform.frame_bounds(instance.spectrum.size)[0])
