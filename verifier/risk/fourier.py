r"""Random Fourier features on the torus: the deterministic equivalent with m drawn frequencies in place of the kernel.

Inputs are uniform on the circle. The eigenvalue :math:`l_k` of the spectrum belongs to both :math:`\sqrt2\cos kx` and
:math:`\sqrt2\sin kx`, and the energy :math:`f_k^2` of the target is that of the pair. m frequencies drawn from
:math:`p_k = l_k/S`, :math:`S = \sum_k l_k`, give :math:`(S/m)\sum_j 2\cos w_j(x - x')` (Rahimi and Recht 2007). The features have
the eigenfunctions of the kernel, with eigenvalues :math:`L_k = SM_k/m`, :math:`M_k` how often k was drawn: multinomial, up to
1/m independent Poisson variables of means :math:`\mu_k = mp_k`. So with the features given the regression is one on a kernel, and
sums over many frequencies are near their means. With :math:`c = \kappa m/S`, :math:`L_k/(L_k + \kappa) = M_k/(M_k + c)`:

.. math:: d_j = 2\sum_k E\Big(\frac{M_k}{M_k + c}\Big)^j, \qquad
          b = \sum_k f_k^2 E\Big[\frac{c^2}{(M_k + c)^2};\, M_k > 0\Big], \qquad e = \sum_k f_k^2 (1 - p_k)^m,

.. math:: \lambda = \kappa(1 - d_1/n), \qquad E = \frac{b + e + \sigma^2 d_2/n}{1 - d_2/n}

(the equivalent of :mod:`verifier.risk.equivalents`). e is the energy of the frequencies that were never drawn, lost whatever the
ridge; few of them may be all of the risk, so it is the mean of multinomial draws. As m grows without limit
:math:`M_k/(M_k + c) \to l_k/(l_k + \kappa)`, and as every eigenvalue counts twice, E(n) becomes the risk of the same instance
with all features at n/2 samples, with the same ridge.

It is exact to leading order where d1/n is small. Near interpolation the coordinates of a low-dimensional torus are not Gaussian in
effect, and the risk is larger, by up to a share (d1/n)^2 (:func:`verifier.verdicts.certify.relative_error`).

*The means* are functions of :math:`(\mu, c)` alone. With M Poisson, :math:`E[Mg(M)] = \mu E[g(M + 1)]`; so, with
:math:`s = 1 + \mu + c` and :math:`\mu' = \mu/(1 - e^{-\mu})`, the mean of M given M > 0,

.. math:: E\frac M{M+c} = \frac\mu s\,r_1, \quad E\frac{M^2}{(M+c)^2} = \frac{\mu(1+\mu)}{s^2}\,r_2, \quad
          E\Big[\frac{c^2}{(M+c)^2};\, M > 0\Big] = (1 - e^{-\mu})\frac{c^2}{(\mu'+c)^2}\,r_3

with ratios r near one, for few frequencies interpolated in a table over :math:`\ln(1 + \mu), \ln(1 + c)`, in which they are
smooth; for s > 200 the moments of M give them to 1e-7. The relative error of the means is below 1e-6 (tests/test_fourier.py).
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance
from verifier.risk.engine import LOG_KAPPA_MIN, DiagonalSums, Equivalent
from verifier.risk.quadrature import Modes
from verifier.risk.sums import Sums

Array = NDArray[np.float64]

MANY = 200.0
"""1 + mu + c from which on the moments of the counts give the means."""

STEP = 0.06  # of the table, in ln(1 + mu) and ln(1 + c)
STENCIL, BEFORE = 6, 2  # points of the table that an interpolation takes, and how many before the interval
RARE = 1e-6  # mu below which a frequency is drawn once or never
OFTEN = 1e7  # mu/(1 + c) beyond which what ridge and chance keep from being learnt is nothing

CERTAIN = 40.0  # mu beyond which a frequency is drawn, up to rounding

KERNEL = 1e7
"""c beyond which features are the kernel up to 1e-7 of the sums."""

STRIDE, CLOSER = 0.6, (0.15, 0.05)
"""Steps in ln kappa of the search for the best ridge: to bracket it, and of the parabolas after."""

MOST_STRIDES = 400
SMALL = 1e-4
"""A c at which b is of the order c^2 and the degrees of freedom left over of the order c."""

_CHUNK = 500  # kappas worked on at a time


@lru_cache(maxsize=1)
def _table() -> Array:
    """r_1, r_2 and r_3 at ln(1 + mu), ln(1 + c) = -2 STEP, -STEP, 0, ..., shape (3, points of c, points of mu). The means are
    analytic at zero: the sums that they are go on below it.
    """
    axis = STEP * np.arange(-BEFORE, math.ceil(math.log(MANY + 1.0) / STEP) + STENCIL - BEFORE)
    mu = c = np.expm1(axis)
    mu = np.where(axis == 0.0, 1e-12, mu)[:, None]  # the limit at zero
    counts = np.arange(math.ceil(mu[-1, 0] + 12.0 * math.sqrt(mu[-1, 0]) + 30.0))
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(counts[1:]))])
    chance = np.sign(mu) ** counts * np.exp(counts * np.log(np.abs(mu)) - mu - log_factorial)
    inverse = 1.0 / (1.0 + counts[:, None] + c)
    mean, some = 1.0 + mu + c, -np.expm1(-mu)
    r1 = mean * (chance @ inverse)
    r2 = mean**2 * (chance @ ((1.0 + counts[:, None]) * inverse**2)) / (1.0 + mu)
    r3 = (mu / some + c) ** 2 * (chance[:, 1:] / some @ inverse[:-1] ** 2)
    return np.ascontiguousarray(np.stack([r1, r2, r3]).transpose(0, 2, 1))


@lru_cache(maxsize=1)
def _coefficients() -> Array:
    """Coefficients (STENCIL, STENCIL) of the polynomial in t through values at t = -BEFORE, ..., STENCIL - BEFORE - 1: row j times
    the values is that of t^j.
    """
    return np.linalg.inv(np.vander(np.arange(STENCIL) - float(BEFORE), STENCIL, increasing=True))


def _tabled(mu: Array, c: Array, rows: NDArray[np.intp]) -> Array:
    """r_1, r_2 and r_3 at the entries mu (e,) that belong to c (k,)[rows], shape (3, e)."""
    table, polynomial, span = _table(), _coefficients(), np.arange(STENCIL)
    where, t = np.divmod(np.log1p(c) / STEP, 1.0)
    weights = np.vander(t, STENCIL, increasing=True) @ polynomial  # (k, stencil)
    at_c = np.einsum("fksm,ks->fkm", table[:, where.astype(np.intp)[:, None] + span], weights)
    windows = np.lib.stride_tricks.sliding_window_view(at_c, STENCIL, axis=2)
    pieces = windows @ polynomial.T  # (3, k, intervals, powers)
    where, t = np.divmod(np.log1p(mu) / STEP, 1.0)
    chosen = pieces[:, rows, where.astype(np.intp)]
    result = chosen[..., -1].copy()
    for power in range(STENCIL - 2, -1, -1):
        result *= t
        result += chosen[..., power]
    return result


def means_of_draws(mu: Array, c: Array, rows: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """E[M/(M + c)], E[(M/(M + c))^2] and E[c^2/(M + c)^2; M > 0] at the entries mu (e,) that belong to c (k,)[rows]."""
    at = c[rows]
    first, second, missed = np.empty_like(mu), np.empty_like(mu), np.empty_like(mu)
    few = mu + at <= MANY
    if few.any():
        r, x, y = _tabled(mu[few], np.minimum(c, MANY), rows[few]), mu[few], at[few]
        s, some = 1.0 + x + y, -np.expm1(-x)
        first[few] = x / s * r[0]
        second[few] = x / s * ((1.0 + x) / s) * r[1]
        missed[few] = some * (y / (x / some + y)) ** 2 * r[2]
    many = ~few
    if many.any():
        x, y = mu[many], at[many]
        i = 1.0 / (x + y)
        share, kept = x * i, y * i
        g = share * i
        # E[s/(s + X)] - 1 and E[s^2/(s + X)^2] - 1, s = mu + c, X = M - mu, by the central moments of M.
        a = g * (1.0 - i + i * i + g * (3.0 - 10.0 * i + 15.0 * g))
        b = g * (3.0 - i * (4.0 - 5.0 * i) + g * (15.0 - 60.0 * i + 105.0 * g))
        square = kept * kept
        first[many] = share - kept * a
        second[many] = share * share - 2.0 * kept * a + square * b
        # Less e^-mu; one is taken from both where that is not nothing.
        low = np.maximum(-np.expm1(-np.minimum(x, CERTAIN)) - share * (1.0 + kept) + square * b, 0.0)
        missed[many] = np.where(x > CERTAIN, square * (1.0 + b), low)
    return first, second, missed


class DrawnSums:
    """The sums of :func:`means_of_draws` over nodes of chances p with multiplicities and energies, all of shape (i,)."""

    def __init__(self, chances: Array, multiplicity: Array, energy: Array) -> None:
        order = np.argsort(-chances, kind="stable")
        self._chances = chances[order]
        self._weights = np.stack([multiplicity[order], multiplicity[order], energy[order]])
        with np.errstate(divide="ignore", invalid="ignore"):
            early = np.stack([multiplicity, multiplicity, energy / chances**2])[:, order]
        self._before = _running(np.where(np.isfinite(early), early, 0.0))
        self._after = _running((self._weights * self._chances)[:, ::-1])[:, ::-1]

    def at(self, m: Array, c: Array) -> Array:
        r"""The three sums at m and c (k,), shape (3, k). Where mu is small they are linear in it, :math:`\mu/(1+c)` and so on, and
        where it is far above 1 + c they are 1, 1 and :math:`(c/\mu)^2`.
        """
        first = np.searchsorted(-self._chances, -OFTEN * (1.0 + c) / m)
        last = np.maximum(np.searchsorted(-self._chances, -RARE / m), first)
        length = last - first
        rows = np.repeat(np.arange(len(m)), length)
        columns = np.arange(len(rows)) - np.repeat(np.cumsum(length) - length, length) + first[rows]
        between = means_of_draws(m[rows] * self._chances[columns], c, rows)
        scale = np.stack([np.ones_like(c), np.ones_like(c), (c / m) ** 2])
        once = m / (1.0 + c) * np.stack([np.ones_like(c), 1.0 / (1.0 + c), c * (c / (1.0 + c))])
        result = scale * self._before[:, first] + once * self._after[:, last]
        for j, values in enumerate(between):
            result[j] += np.bincount(rows, values * self._weights[j, columns], minlength=len(m))
        return result


def drawn_sums(nodes: Modes, whole: float) -> DrawnSums:
    """Those of nodes with chances l/S, S = ``whole``; spectrum and target share all nodes but the last, as a rule."""
    ell, target, count, energy = nodes.eigenvalues, nodes.target_eigenvalues, nodes.multiplicity, nodes.target_energy
    shared = len(ell) - 1 if len(ell) == len(target) and np.array_equal(ell[:-1], target[:-1]) else 0
    rest = np.zeros(len(target) - shared)
    return DrawnSums(
        np.append(ell, target[shared:]) / whole,
        np.append(count, rest),
        np.concatenate([energy[:shared], np.zeros(len(ell) - shared), energy[shared:]]),
    )


def _running(values: Array) -> Array:
    """Sums of the first 0, 1, ..., i columns."""
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


class PairedSums(DiagonalSums):
    """The sums of the kernel, every eigenvalue counted twice."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        self.modes = replace(self.modes, multiplicity=2.0 * self.modes.multiplicity)
        self.trace *= 2.0
        self.trace_of_square *= 2.0


class FourierEquivalent(Equivalent):
    """The equivalent of an instance with Fourier features. ``sums`` are those of the kernel, d1 of which is no less than with
    drawn frequencies (Jensen), so that its kappa is no less either.
    """

    _kept: tuple[Array, Array | None, Array] | None = None
    """The last sizes, their ridges (None for the best ones) and kappa."""

    _columns: tuple[Array, Array, Array] | None = None

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        self._sums = self._paired = PairedSums(instance, log_reach)
        self.size = 2.0 * instance.spectrum.size
        self.trace = self._sums.trace
        modes = self._paired.modes
        self._whole = 0.5 * self.trace  # S
        # A spectrum of one eigenvalue has the chance one.
        self._log_misses = -np.log1p(-np.minimum(modes.target_eigenvalues / self._whole, 1.0 - 1e-12))
        self._drawn = drawn_sums(modes, self._whole)

    @property
    def target_reach(self) -> float:
        """ln of the index that the nodes were laid for."""
        return self._paired.modes.log_reach

    def _width(self, n: Array) -> Array:
        return self.instance.features.width(n)

    def drawn(self, m: Array, kappa: Array) -> tuple[Array, Array, Array]:
        """d1, d2 and b with m features at kappa, all of shape (k,)."""
        columns = np.empty((3, len(kappa)))
        c = kappa * (m / self._whole)
        kernel = c > KERNEL
        if kernel.any():
            plain = Equivalent.sums(self, kappa[kernel])
            columns[:, kernel] = plain.df1, plain.df2, plain.bias
        rest = np.flatnonzero(~kernel)
        for start in range(0, len(rest), _CHUNK):
            part = rest[start : start + _CHUNK]
            columns[:, part] = self._drawn.at(m[part], c[part])
        return columns[0], columns[1], columns[2]

    def lost(self, m: Array) -> Array:
        """e, the energy of the frequencies that are not among m drawn ones, for multinomial draws."""
        return np.exp(-m[:, None] * self._log_misses) @ self._paired.modes.target_energy

    def seen(self, n: Array, kappa: Array) -> Sums:
        """d1, d2 and the whole bias, b + e, at each (n, kappa); NaN where kappa is."""
        df1, df2, bias, lost = self._known(n, kappa)
        return Sums(df1, df2, bias + lost)

    def _known(self, n: Array, kappa: Array) -> Array:
        """d1, d2, b and e, shape (4, k); terms and parts are asked for one after the other."""
        kept = self._columns
        if kept is not None and np.array_equal(kept[0], n) and np.array_equal(kept[1], kappa):
            return kept[2]
        columns = np.full((4, len(kappa)), np.nan)
        known = np.isfinite(kappa)
        if known.any():
            m = self._width(n[known])
            columns[:3, known] = self.drawn(m, kappa[known])
            columns[3, known] = self.lost(m)
        self._columns = (n.copy(), kappa.copy(), columns)
        return columns

    def separate_terms(self, n: Array, kappa: Array) -> tuple[Array, Array, Array]:
        """Terms of the excess risk: b of the target, noise, and the lost energy e."""
        _, df2, bias, lost = self._known(n, kappa)
        room = np.maximum(1.0 - df2 / n, 1e-15)
        return bias / room, self.variance * df2 / n / room, lost / room

    def parts(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        """Four positive numbers below the risk E at each (n, kappa): b, sigma^2 d2/n, E d2/n, and E/(1 + c), the share of the width
        that is used up. The lost energy is not among them: it is a term of its own.
        """
        _, df2, bias, lost = self._known(n, kappa)
        noise = self.variance * df2 / n
        risk = (bias + lost + noise) / np.maximum(1.0 - df2 / n, 1e-15)
        c = kappa * (self._width(n) / self._whole)
        return bias, noise, risk * df2 / n, risk / (1.0 + c)

    def ridge(self, n: Array, kappa: Array) -> Array:
        """lambda = kappa (1 - d1/n), never below zero."""
        return np.maximum(kappa * (1.0 - self.seen(n, kappa).df1 / n), 0.0)

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """kappa(n, lambda), shape (k,), by Newton's method on a convex function from the kernel's kappa, which is no less; relative
        error 1e-12. Where it would be zero, exp(-330), which changes no digit of the risk.
        """
        kept = self._kept
        if kept is not None and kept[1] is not None and np.array_equal(kept[0], n) and np.array_equal(kept[1], lam):
            return kept[2]
        kappa = super().effective_ridge(n, lam)
        least = math.exp(LOG_KAPPA_MIN)
        active = np.flatnonzero(np.isfinite(kappa) & (kappa > least))
        kappa[kappa <= least] = least
        m = self._width(n)
        for _ in range(400):
            at = kappa[active]
            df1, df2, _ = self.drawn(m[active], at)
            step = (at * (1.0 - df1 / n[active]) - lam[active]) / np.maximum(1.0 - df2 / n[active], 1e-3)
            following = np.maximum(at - step, np.maximum(np.maximum(lam[active], 0.1 * at), least))
            kappa[active] = following
            active = active[np.abs(following - at) > 1e-12 * at]
            if active.size == 0:
                break
        self._kept = (n.copy(), lam.copy(), kappa)
        return kappa

    def optimum(self, n: Array) -> Array:
        """kappa of the ridge lambda >= 0 that minimises the expected risk at each n, shape (k,); NaN below exp(-330).

        From the kernel's, or where c is small from what b = b_2 c^2 and d2 = D - 2 D_1 c give, the minimum is bracketed in steps
        of ln kappa, and found by parabolas; where the features are the kernel in all digits of interest, it is the kernel's.
        """
        if self._kept is not None and self._kept[1] is None and np.array_equal(self._kept[0], n):
            return self._kept[2]
        kappa = super().optimum(n).copy()
        m = self._width(n)
        felt = np.flatnonzero(np.isfinite(kappa) & (kappa * (m / self._whole) <= KERNEL))
        if felt.size:
            kappa[felt] = np.exp(self._searched(n[felt], m[felt], np.log(kappa[felt])))
        self._kept = (n.copy(), None, kappa)
        return kappa

    def _searched(self, n: Array, m: Array, u: Array) -> Array:
        """ln kappa of the minimum next to where the search starts."""
        lost, unit = self.lost(m), np.log(self._whole / m)
        df1, df2, bias = self.drawn(m, np.exp(unit + math.log(SMALL)))
        with np.errstate(divide="ignore", invalid="ignore"):
            start = np.log((self.variance + lost) * (df1 - df2) / (n * bias) * SMALL)
        u = np.where((start < 0.0) & (df1 < n), start + unit, u)
        u = np.maximum(u, LOG_KAPPA_MIN)
        below, middle, above = (self._log_risk(n, m, u + k * STRIDE, lost) for k in (-1, 0, 1))
        active = np.arange(len(n))
        for _ in range(MOST_STRIDES):
            up, down = (
                above[active] < middle[active],
                (below[active] < middle[active]) & (u[active] > LOG_KAPPA_MIN + 1.0),
            )
            up |= ~np.isfinite(middle[active])
            down &= ~up
            active, up = active[up | down], up[up | down]
            if active.size == 0:
                break
            u[active] += np.where(up, STRIDE, -STRIDE)
            fresh = self._log_risk(n[active], m[active], u[active] + np.where(up, STRIDE, -STRIDE), lost[active])
            low, mid, high = below[active], middle[active], above[active]
            below[active] = np.where(up, mid, fresh)
            middle[active] = np.where(up, high, low)
            above[active] = np.where(up, fresh, mid)
        found = u + _vertex(below, middle, above, STRIDE)
        for step in CLOSER:
            near, at, far = (self._log_risk(n, m, found + k * step, lost) for k in (-1, 0, 1))
            found = np.asarray(found + _vertex(near, at, far, step))
        bounded = ~np.isfinite(below)
        if bounded.any():
            found[bounded] = self._beside_the_bound(n[bounded], m[bounded], u[bounded], lost[bounded])
        return found

    def _beside_the_bound(self, n: Array, m: Array, u: Array, lost: Array) -> Array:
        """The minimum between the ridge zero, less than a stride below u, and a stride above u, by golden sections."""
        low, high = u - STRIDE, u.copy()
        for _ in range(40):  # ln kappa of the ridge zero
            middle = 0.5 * (low + high)
            permitted = np.isfinite(self._log_risk(n, m, middle, lost))
            low, high = np.where(permitted, low, middle), np.where(permitted, middle, high)
        low, high = high, u + STRIDE
        golden = 0.5 * (math.sqrt(5.0) - 1.0)
        for _ in range(30):
            left, right = high - golden * (high - low), low + golden * (high - low)
            falls = self._log_risk(n, m, left, lost) > self._log_risk(n, m, right, lost)
            low, high = np.where(falls, left, low), np.where(falls, high, right)
        return np.asarray(0.5 * (low + high))

    def _log_risk(self, n: Array, m: Array, u: Array, lost: Array) -> Array:
        """ln of the risk at ln kappa; infinite where no ridge gives it."""
        df1, df2, bias = self.drawn(m, np.exp(u))
        permitted = (df1 < n) & (df2 < n)
        room = np.where(permitted, 1.0 - df2 / n, 1.0)
        return np.where(permitted, np.log((bias + lost + self.variance * df2 / n) / room), np.inf)


def _vertex(below: Array, middle: Array, above: Array, step: float) -> Array:
    """Where, relative to the middle, the parabola through three values is smallest; within a step of it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = 0.5 * step * (below - above) / (below - 2.0 * middle + above)
    return np.clip(np.where(np.isfinite(shift), shift, 0.0), -step, step)
