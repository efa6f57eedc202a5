"""Engines of finite widths: Gaussian features (:mod:`verifier.risk.features`) and landmarks (:mod:`verifier.risk.nystrom`)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from verifier.instances import AllFeatures, Instance
from verifier.risk.engine import FIRST_DEPTH, LOG_FARTHEST, LOG_KAPPA_MIN, Equivalent, log_kappa_floor
from verifier.risk.features import FeatureSums, WidthSums, curved_moments, moments, width_ratio
from verifier.risk.nystrom import Landmarks, landmarks
from verifier.risk.sums import CurvedSums, Sums

Array = NDArray[np.float64]

NEGLIGIBLE = 1e-10  # change of a risk that no digit of interest shows
LARGEST_LOG = 690.0  # ln of the largest width that is a double


class FeatureEquivalent(Equivalent):
    """The equivalent of an instance with finitely many features; kappa stands for the gamma of :mod:`verifier.risk.features`."""

    _sums: FeatureSums
    # Once the sample outnumbers the features by far, the best gamma lies within 1/n of where z = m, next to a stationary point.
    starts_at_bound = True

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
        grid, table = self._grid(max(low_end, LOG_KAPPA_MIN), float(ceiling.max()))
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
        """The first n at which the ridge that minimises the risk has a gamma of at most ``kappa``; infinite where there is none."""
        return self.first_size_at_optimum(kappa)

    def optimum(self, n: Array) -> Array:
        """The gamma of the ridge that minimises the risk."""
        return self._recalled("optimum", super().optimum, n)

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """gamma(n, lambda), shape (k,), relative error 1e-12."""
        return self._recalled("ridge", self._solved, n, lam)

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

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        self._kernel = Equivalent(replace(instance, features=AllFeatures()), log_reach)

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
        engine = self._kernel
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
    return np.where(least > 0.0, least * (1.0 - z / many), least) - ridge * np.exp(-np.maximum(u, -700.0))
