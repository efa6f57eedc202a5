r"""Nystrom features: the deterministic equivalent of ridge regression on the span of m landmarks.

The estimator is the ridge estimator with ridge :math:`\lambda` among the functions :math:`\sum_j a_j K(z_j, \cdot)`, for m
landmarks :math:`z_j` that are drawn from the law of the inputs, independent of the sample (Williams and Seeger 2001; in the form of
Rudi, Camoriano and Rosasco 2015): regression on the features :math:`K_{mm}^{-1/2} k_m(x)`. The risk is an expectation over inputs,
noise and landmarks.

**Derivation.** With P the projector on the landmarks' span, the regression sees inputs of covariance :math:`P\Sigma P`; what the
span does not hold of the target is noise that is independent of them. So, given P, the equivalent of
:mod:`verifier.risk.equivalents` holds with :math:`d_1 = \mathrm{tr}\,\Sigma Q`, :math:`Q = P(P\Sigma P + \kappa)^{-1}P`,
:math:`d_2 = d_1 + \kappa\, \partial_\kappa d_1`, and the bias
:math:`\|\Sigma^{1/2}(1 - Q\Sigma)\theta\|^2`, in which :math:`Q\Sigma Q = Q + \kappa\,\partial_\kappa Q`. For landmarks
:math:`Z = G\Sigma^{1/2}`, G an m x p matrix of standard normals, and :math:`C = \Sigma(\Sigma + \kappa)`,

.. math:: Q = Z'(Z\Sigma Z' + \kappa ZZ')^{-1}Z
            = \Sigma^{1/2}C^{-1/2}\,\big[C^{1/2}G'(GCG')^{-1}GC^{1/2}\big]\,C^{-1/2}\Sigma^{1/2}
            \simeq \Sigma(C + \nu)^{-1}, \qquad m = \sum_i \frac{c_i}{c_i + \nu}, \quad c_i = l_i(l_i + \kappa),

the bracket being the projector on a random subspace. With the shares

.. math:: a_i = \frac{l_i^2}{c_i + \nu}, \quad g_i = \frac{\kappa l_i}{c_i + \nu}, \quad e_i = \frac{\nu}{c_i + \nu}, \qquad
          a_i + g_i + e_i = 1,

everything above is a sum of positive terms:

.. math:: d_1 = \sum_i a_i, \qquad \rho = \frac{\sum_i a_i e_i}{\sum_i (a_i + g_i) e_i}, \qquad
          d_2 = \sum_i a_i^2 + \rho \sum_i a_i e_i, \qquad B = \sum_i f_i^2 \big[(1 - a_i)^2 + \rho\, a_i e_i\big],

.. math:: \lambda = \kappa (1 - d_1/n), \qquad E = \frac{B + \sigma^2 d_2/n}{1 - d_2/n}

(:math:`\kappa\nu'/\nu = \sum g_i e_i / \sum (a_i + g_i)e_i = 1 - \rho`, from the derivative of m in :math:`\kappa`). As m grows
:math:`e_i \to 0` for all i that matter, and the usual equivalent is left. The relative error of the sums is below 1e-9
(tests/test_nystrom.py).

**Exponents.** Let :math:`N = \kappa^{-1/\beta}`. For m of the order N or larger :math:`\nu \sim \kappa\, l_m`; every sum is of the
order of that of the kernel. For m < N :math:`\nu \sim l_m^2`: :math:`d_2 \sim m` and :math:`B \sim m^{-t'}`, with
:math:`\sum_{j>k} f_j^2 \sim k^{-t}`, :math:`t' = \min(t, 2\beta)`: the error of the best approximation in the span, which
saturates where ridge does. So with noise and :math:`m = c\,n^q` the tuned risk has the exponent
:math:`\min\big(t'/(t'+1),\; t' q\big)`: for a critical target the kernel's :math:`\alpha` from the critical degree
:math:`q^* = 1/(2\beta\min(s, 1) + 1)` on, at which m is of the order of :math:`N(\lambda_n)` (that so many suffice, up to
logarithms and for 1/2 <= s <= 1: Rudi, Camoriano and Rosasco 2015), and :math:`2\beta\min(s, 1)\,q` below it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from verifier.instances import AllFeatures, Instance, log_index_at
from verifier.risk.quadrature import modes

Array = NDArray[np.float64]

LOG_LEAST = -640.0
"""ln of the smallest eigenvalue at the index m for which landmarks are told from the whole kernel."""

LOG_KAPPA_LEAST = -330.0  # smaller kappas are not looked at
FINER = 1.5  # panels: the poles of 1/(c + nu) lie at l = +-i sqrt(nu) or farther, half as far in ln i as those of 1/(l + kappa)
STEP = 1.0  # in ln kappa, of the grid on which the optimum is looked for
WORTH = 2.5  # times its best: up to there a rough risk makes a grid point worth looking at
SKETCH = 2  # Newton steps for mu on the grid
CLOSE = 1e-4  # in ln kappa, where the risk is level: its square is the relative error
MOST_STEPS = 24
BOTTOMLESS = 1e4
NOTHING = 1e-14  # of l_m: a smaller kappa is as good as zero
BELOW = 8.0  # ln of l_m over kappa from which on a smaller ridge changes nothing but the last digits
ROOM = 1e-9  # of 1 - d1/n: closer to interpolation no ridge is looked for


@dataclass(frozen=True, eq=False)
class LandmarkSums:
    """d1, d2, B and rho at each (kappa, m), shape (k,)."""

    df1: Array
    df2: Array
    bias: Array
    rho: Array


@dataclass(frozen=True, eq=False)
class SlopedSums(LandmarkSums):
    """The sums with the derivatives of d2 and B in ln kappa, at fixed m."""

    df2_slope: Array
    bias_slope: Array


class Landmarks:
    """Sums of one instance over its spectrum, and the effective and optimal ridge with m landmarks that follow from them.

    ``log_reach``: the nodes serve effective ridges, and landmarks, down to the eigenvalue at this log-index.
    """

    chunk = 10_000  # matrix entries worked on at a time: they stay in the cache; does not change the result

    def __init__(self, instance: Instance, log_reach: float) -> None:
        self.instance = instance
        self.size = instance.spectrum.size
        self.variance = instance.sigma**2
        self.modes = modes(instance, log_reach, finer=FINER)
        self.trace = float(self.modes.multiplicity @ self.modes.eigenvalues)
        # Spectrum and target share their nodes, but for what stands for their tails: one list, with two columns of weights.
        ell, where = self.modes.eigenvalues, self.modes.target_eigenvalues
        common = min(len(ell), len(where))
        shared = int(np.argmin(np.append(ell[:common] == where[:common], False)))
        self._ell = np.concatenate([ell, where[shared:]])
        self._weights = np.zeros((len(self._ell), 2))
        self._weights[: len(ell), 0] = self.modes.multiplicity
        self._weights[:shared, 1] = self.modes.target_energy[:shared]
        self._weights[len(ell) :, 1] = self.modes.target_energy[shared:]

    def level(self, m: Array) -> Array:
        """The eigenvalue at the real index m, zero where landmarks are as good as the whole kernel."""
        log_m = np.log(np.minimum(m, np.minimum(self.size, 1e300)))
        log_level = self.instance.spectrum.log_eigenvalues(log_m)
        return np.where((m >= self.size) | ~np.isfinite(m) | (log_level < LOG_LEAST), 0.0, np.exp(log_level))

    def landmark_ridge(self, kappa: Array, m: Array, start: Array | None = None, steps: int = 60) -> Array:
        r""":math:`\mu = \nu/\kappa` at each kappa > 0 and m, shape (k,), zero for the whole kernel: Newton's method on
        :math:`\ln m` as a function of :math:`\ln\mu`, nearly a straight line; relative error 1e-13 when left to settle.
        """
        level = self.level(m)
        mu = np.where(level > 0.0, level * (level / kappa + 1.0) if start is None else start, 0.0)
        finite = np.flatnonzero(level > 0.0)
        for rows in self._pieces(finite):
            mu[rows] = self._solved(kappa[rows], m[rows], mu[rows], steps)
        return mu

    def _pieces(self, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        size = max(1, self.chunk // len(self._ell))
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def _solved(self, kappa: Array, m: Array, mu: Array, steps: int) -> Array:
        ell, weight = self.modes.eigenvalues, self.modes.multiplicity
        joint = ell / kappa[:, None]
        joint += 1.0
        joint *= ell  # c / kappa
        log_mu, log_m = np.log(mu), np.log(m)
        for _ in range(steps):
            here = np.exp(log_mu)[:, None]
            share = joint + here
            np.divide(joint, share, out=share)
            count = share @ weight
            share *= 1.0 - share
            step = (np.log(count) - log_m) * count / (share @ weight)
            log_mu += np.clip(step, -20.0, 20.0)
            if np.all(np.abs(step) <= 1e-9):  # the next step would be of the order of its square
                break
        return np.asarray(np.exp(log_mu))

    def sums(self, kappa: Array, mu: Array) -> LandmarkSums:
        """The sums at kappa > 0 (k,), with the landmarks' ridge ``mu`` of :meth:`landmark_ridge`."""
        pieces = [self._rows(kappa[k], mu[k]) for k in self._pieces(np.arange(len(kappa)))]
        return LandmarkSums(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))

    def sloped_sums(self, kappa: Array, mu: Array) -> SlopedSums:
        """The sums with their derivatives."""
        pieces = [self._sloped_rows(kappa[k], mu[k]) for k in self._pieces(np.arange(len(kappa)))]
        return SlopedSums(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))

    def parts(self, kappa: Array, mu: Array) -> tuple[LandmarkSums, tuple[Array, Array, Array]]:
        r"""The sums, with :math:`\sum f_i^2 g_i^2`, :math:`\sum f_i^2 e_i^2` and :math:`\sum a_i^2`."""
        pieces = []
        for k in self._pieces(np.arange(len(kappa))):
            a, g, e = _shares(self._ell, kappa[k], mu[k])
            pieces.append(((g * g) @ self._weights[:, 1], (e * e) @ self._weights[:, 1], (a * a) @ self._weights[:, 0]))
        ridged, outside, heard = (np.concatenate(column) for column in zip(*pieces, strict=True))
        return self.sums(kappa, mu), (ridged, outside, heard)

    def _rows(self, kappa: Array, mu: Array) -> tuple[Array, ...]:
        a, g, e = _shares(self._ell, kappa, mu)
        count, energy = self._weights.T
        missed = g + e
        g *= e
        t = g @ count
        e *= a
        s, leak = (e @ self._weights).T
        df1 = a @ count
        a *= a
        missed *= missed
        rho = _ratio(s, s + t)
        return df1, a @ count + rho * s, missed @ energy + rho * leak, rho

    def _sloped_rows(self, kappa: Array, mu: Array) -> tuple[Array, ...]:
        # In ln kappa: (c + nu)' = tau (c + nu), tau = g + e v, v = 1 - rho; so a' = -a tau, e' = e (v - tau) and
        # (a + g)' = g - (a + g) tau.
        a, g, e = _shares(self._ell, kappa, mu)
        weights = self._weights
        count, energy = weights.T
        ae, ge, missed = a * e, g * e, g + e
        (s, leak), t = (ae @ weights).T, ge @ count
        total = s + t
        rho = _ratio(s, total)
        v = 1.0 - rho
        tau = g
        tau += e * v[:, None]
        df1, at = a @ count, a * tau
        square, missing = a * a, (missed * missed) @ energy
        df2, bias = square @ count + rho * s, missing + rho * leak
        s_tau, leak_tau = ((ae * tau) @ weights).T
        t_tau = (ge * tau) @ count
        s_slope, leak_slope = v * s - 2.0 * s_tau, v * leak - 2.0 * leak_tau
        rho_slope = _ratio(s_slope - rho * (t + v * total - 2.0 * (s_tau + t_tau)), total)
        df2_slope = -2.0 * ((a * at) @ count) + rho_slope * s + rho * s_slope
        bias_slope = 2.0 * ((missed * at) @ energy) + rho_slope * leak + rho * leak_slope
        return df1, df2, bias, rho, df2_slope, bias_slope

    def effective_ridge(self, n: Array, m: Array, lam: Array, start: Array) -> tuple[Array, Array]:
        r""":math:`\kappa(n, m, \lambda)` and :math:`\mu`, each of shape (k,), by Newton's method on a convex function from
        ``start``, which must not be smaller, such as the kernel's kappa (:math:`d_1` is smaller with landmarks); relative error
        1e-12.

        Where more samples than landmarks are fitted without a ridge kappa is zero; then, and wherever kappa is smaller still, it is
        put at a value that changes no digit of the risk.
        """
        least = np.maximum(np.where(m <= n, NOTHING * self.level(m), 0.0), math.exp(LOG_KAPPA_LEAST))
        kappa = np.maximum(start, least)
        mu = self.landmark_ridge(kappa, m)
        for _ in range(60):
            sums = self.sums(kappa, mu)
            step = (kappa * (1.0 - sums.df1 / n) - lam) / np.maximum(1.0 - sums.df2 / n, 1e-3)
            following = np.maximum(kappa - step, np.maximum(least, np.maximum(lam, 0.1 * kappa)))
            settled = np.abs(following - kappa) <= 1e-12 * kappa
            mu = self.landmark_ridge(following, m, mu * (kappa / following) ** sums.rho)
            kappa = following
            if np.all(settled):
                break
        return kappa, mu

    def terms(self, n: Array, sums: LandmarkSums) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise, infinite at the interpolation threshold."""
        room = 1.0 - sums.df2 / n
        open_room = room > 1e-15
        noise = self.variance * sums.df2 / n
        divisor = np.where(open_room, room, 1.0)
        return (
            np.where(open_room | (sums.bias == 0.0), sums.bias / divisor, np.inf),
            np.where(open_room | (noise == 0.0), noise / divisor, np.inf),
        )

    def optimum(self, n: Array, m: Array, bottom: float) -> tuple[Array, Array, NDArray[np.bool_]]:
        r"""kappa and mu of the ridge :math:`\lambda \ge 0` that minimises the risk at each (n, m), among kappas from
        exp(``bottom``) on, and whether smaller ones need not be looked at.

        A rough risk, that of the kernel at :math:`\kappa + l_m`, says which points of a grid in :math:`\ln\kappa` are worth the
        equation in m; where the best of them is at an end, the grid is continued. Between the neighbours of the best the derivative
        of the risk is solved for, by the secant, or by halving where that leaves the bracket. The ridge zero competes.
        """
        grid = STEP * np.arange(math.floor(bottom / STEP), math.ceil((math.log(self.trace) + 3.0) / STEP) + 1.0)
        with np.errstate(divide="ignore"):
            flat = np.log(self.level(m)) - BELOW  # below, a smaller ridge changes nothing
        table = self.sums(np.exp(grid), np.zeros_like(grid))
        rough, permitted = self._rough(n, m, grid, table)
        permitted &= (grid >= flat[:, None] - STEP) & (grid >= grid[0])
        least = rough.min(axis=1, where=permitted, initial=np.inf)
        decided = (self.variance * table.df2[0] / n > WORTH * least) | (flat > grid[0] + STEP)
        wanted = permitted & (rough <= WORTH * least[:, None])
        values, mus = self._on_grid(n, m, grid, wanted, permitted)
        best, rows = np.argmin(values, axis=1), np.arange(len(n))
        found = np.isfinite(values[rows, best])
        below = np.maximum(best - 1, 0)
        # No smaller ridge on the grid, and that not because it would change nothing: the ridge zero is near.
        ends = found & np.isinf(values[rows, below]) & (grid[below] >= flat - STEP) & (best > 0)
        low = np.maximum(np.maximum(flat, grid[0]), -BOTTOMLESS)
        none = np.flatnonzero(ends)
        zero, zero_mu = np.zeros(len(n)), np.zeros(len(n))
        if none.size:
            zero[none], zero_mu[none] = self.effective_ridge(
                n[none], m[none], np.zeros(none.size), np.exp(grid[best[none]])
            )
            low[none] = np.maximum(low[none], np.log(zero[none]))
        kappa, mu = self._refined(n, m, grid[best], _around(values, best), mus[rows, best], low)
        if none.size:
            inner = np.add(*self.terms(n[none], self.sums(kappa[none], mu[none])))
            outer = np.add(*self.terms(n[none], self.sums(zero[none], zero_mu[none])))
            better = none[outer <= inner]
            kappa[better], mu[better] = zero[better], zero_mu[better]
        return np.where(found, kappa, np.nan), mu, np.asarray(decided & found)

    def _on_grid(
        self, n: Array, m: Array, grid: Array, wanted: NDArray[np.bool_], permitted: NDArray[np.bool_]
    ) -> tuple[Array, Array]:
        """Risk and mu at the wanted points of the grid, and on from there while the best one has a neighbour that is not known;
        infinite where not looked at, or not permitted.
        """
        values, mus, seen = np.full(wanted.shape, np.inf), np.zeros(wanted.shape), ~permitted
        rows = np.arange(len(n))
        while wanted.any():
            row, column = np.nonzero(wanted)
            kappa = np.exp(grid[column])
            mus[row, column] = self.landmark_ridge(kappa, m[row], steps=SKETCH)
            sums = self.sums(kappa, mus[row, column])
            risk = np.add(*self.terms(n[row], sums))
            values[row, column] = np.where((sums.df1 < n[row]) & (sums.df2 < n[row]), risk, np.inf)
            seen |= wanted
            best = np.argmin(values, axis=1)
            wanted = np.zeros_like(wanted)
            for side in (-1, 1):
                wanted[rows, np.clip(best + side, 0, len(grid) - 1)] = True
            wanted &= ~seen
        return values, mus

    def _refined(
        self, n: Array, m: Array, centre: Array, around: Array, start: Array, low: Array
    ) -> tuple[Array, Array]:
        """kappa and mu of the minimum within a step of ``centre`` (ln kappa), but not below ``low``; ``around`` (k, 3) holds ln of
        the risk a step before, at and a step after it.
        """
        lower, upper = np.maximum(centre - STEP, low), np.maximum(centre, low) + STEP
        with np.errstate(invalid="ignore"):
            curvature = (around[:, 0] - 2.0 * around[:, 1] + around[:, 2]) / STEP**2
            slope = (around[:, 2] - around[:, 0]) / (2.0 * STEP)
            shift = np.where(np.isfinite(curvature) & (curvature > 0.0), -slope / curvature, 0.0)
        curvature = np.where(np.isfinite(curvature) & (curvature > 0.0), curvature, 1.0)
        u = np.clip(np.maximum(centre, low) + np.clip(shift, -STEP, STEP), lower, upper)
        mu = self.landmark_ridge(np.exp(u), m, start * np.exp(-0.5 * (u - centre)))
        before, slope_before = u.copy(), np.full_like(u, np.nan)
        active = np.arange(len(n))
        for _ in range(MOST_STEPS):
            a = active
            sums = self.sloped_sums(np.exp(u[a]), mu[a])
            room = 1.0 - sums.df2 / n[a]
            top = sums.bias + self.variance * sums.df2 / n[a]
            change = sums.bias_slope + self.variance * sums.df2_slope / n[a]
            with np.errstate(divide="ignore", invalid="ignore"):
                slope = change / top + sums.df2_slope / (n[a] * room)
                secant = (slope - slope_before[a]) / (u[a] - before[a])
            curvature[a] = np.where(np.isfinite(secant) & (secant > 0.0), secant, curvature[a])
            lower[a], upper[a] = np.where(slope < 0.0, u[a], lower[a]), np.where(slope > 0.0, u[a], upper[a])
            following = u[a] - slope / curvature[a]
            inside = (following >= lower[a]) & (following <= upper[a])
            following = np.where(inside, following, 0.5 * (lower[a] + upper[a]))
            moved = following - u[a]
            before[a], slope_before[a] = u[a], slope
            # To first order, ln mu falls by rho per unit of ln kappa.
            mu[a] = self.landmark_ridge(np.exp(following), m[a], mu[a] * np.exp(-sums.rho * moved))
            u[a] = following
            active = a[np.abs(moved) > CLOSE]
            if active.size == 0:
                break
        return np.exp(u), mu

    def _rough(self, n: Array, m: Array, grid: Array, table: LandmarkSums) -> tuple[Array, NDArray[np.bool_]]:
        """The kernel's risk at kappa + l_m, and whether a ridge that is not negative gives kappa, at each n and grid point."""
        with np.errstate(divide="ignore"):
            where = np.logaddexp(grid, np.log(self.level(m))[:, None])
            columns = np.log(np.maximum(np.stack([table.df1, table.df2, table.bias]), 1e-300))
        df1, df2, bias = (np.exp(np.interp(where, grid, column)) for column in columns)
        room = np.maximum(1.0 - df2 / n[:, None], ROOM)
        return (bias + self.variance * df2 / n[:, None]) / room, df1 < (1.0 - ROOM) * n[:, None]


def _around(values: Array, best: NDArray[np.intp]) -> Array:
    """ln of the risk before, at and after the best grid point."""
    rows, last = np.arange(len(values)), values.shape[1] - 1
    with np.errstate(divide="ignore"):
        return np.stack([np.log(values[rows, np.clip(best + side, 0, last)]) for side in (-1, 0, 1)], axis=1)


def _ratio(part: Array, whole: Array) -> Array:
    """part / whole, zero where both are."""
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0.0))


def _shares(ell: Array, kappa: Array, mu: Array) -> tuple[Array, Array, Array]:
    """a, g and e at each kappa (rows) and eigenvalue (columns), everything over kappa: nothing overflows."""
    relative = ell / kappa[:, None]
    squares = relative * ell
    whole = squares + ell
    whole += mu[:, None]
    np.maximum(whole, 1e-300, out=whole)  # the node beyond all others may be zero
    np.divide(1.0, whole, out=whole)
    squares *= whole
    return squares, ell * whole, mu[:, None] * whole


@lru_cache(maxsize=64)
def _landmarks(instance: Instance, log_reach: float) -> Landmarks:
    return Landmarks(instance, log_reach)


def landmarks(instance: Instance, log_kappa: float, m: Array) -> Landmarks:
    """The cached :class:`Landmarks` with nodes down to kappa = exp(``log_kappa``) and up to the largest number of landmarks ``m``.

    Only spectrum, target and noise of the instance matter.
    """
    spectrum, plain = instance.spectrum, replace(instance, features=AllFeatures())
    if math.isfinite(spectrum.size):
        return _landmarks(plain, 4.0 * math.ceil((math.log(spectrum.size) + 0.5) / 4.0))
    levels = np.array([max(log_kappa, LOG_LEAST), LOG_LEAST])
    reach, farthest = log_index_at(spectrum, levels, steps=20)
    widest = min(math.log(min(float(m.max()), 1e300)), float(farthest))
    return _landmarks(plain, 4.0 * math.ceil((max(float(reach), widest) + 0.5) / 4.0))


@dataclass(frozen=True, eq=False)
class Shares:
    """The shares a, g and e of the eigenvalues on nodes, ``multiplicity`` how many there are; ``energy`` of the target, its share
    ``missed``, 1 - a, and ``free``, l e, on nodes of its own.
    """

    eigenvalues: Array
    multiplicity: Array
    a: Array
    g: Array
    e: Array
    energy: Array
    missed: Array
    free: Array


def shares_beyond(solver: Landmarks, kappa: float, mu: float, skip: int) -> Shares:
    """The shares of all eigenvalues after the first ``skip`` at one kappa and mu."""
    rest = modes(solver.instance, solver.modes.log_reach, skip, FINER)
    at_kappa, at_mu = np.array([kappa]), np.array([mu])
    a, g, e = (share[0] for share in _shares(rest.eigenvalues, at_kappa, at_mu))
    _, gt, et = (share[0] for share in _shares(rest.target_eigenvalues, at_kappa, at_mu))
    missed, free = gt + et, rest.target_eigenvalues * et
    return Shares(rest.eigenvalues, rest.multiplicity, a, g, e, rest.target_energy, missed, free)
