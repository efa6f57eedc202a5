r"""Growing context: the deterministic equivalent of a kernel of H(n) heads, :math:`K_n = w_n(K_1 + \dots + K_H)`.

At each n the kernel is an ordinary one, so that the equivalent of :mod:`verifier.risk.equivalents` holds with its eigenvalues. With
:math:`\kappa = w k` and :math:`\lambda = w\,\ell` the weight drops out of it, :math:`n = d_1(k) + n\ell/k`: it changes what a given
ridge means, and nothing else. H is a real number here; simulation rounds it, and is compared with the equivalent of the
rounded one (:func:`at_whole_heads`).

*Disjoint heads.* A merged spectrum has the sums

.. math:: d_j = d_j^{(1)} + (H - 1)\,d_j^{(a)}, \qquad B = B^{(1)},

of the first head and of an added one, at the same k: none of them depends on n, and H enters linearly.

*Heads in one eigenbasis.* The eigenvalues are :math:`l_i + (H - 1) a_i`, others at every n, on the same indices: the sums are over
nodes of the index (:mod:`verifier.risk.quadrature`), and the best k is found by Newton's method from an estimate.

*Exponents* (:func:`verifier.risk.asymptotics.theorem_exponent`). With :math:`k = n^{-x}` disjoint heads have the bias
:math:`n^{-2s x}` and the variance :math:`(k^{-1/\beta} + n^g k^{-1/\beta_a})/n`, :math:`\beta_a` the tail index of the added heads:
the smallest exponent of :math:`2sx`, :math:`1 - x/\beta` and :math:`1 - g - x/\beta_a` is that of the risk. The oracle takes
the best x,

.. math:: \alpha(g) = \min\Big(\frac{2s}{2s + 1/\beta}, \frac{2s\,(1-g)}{2s + 1/\beta_a}\Big),

and a ridge :math:`n^{-p}` has :math:`x = p - a g`, a that of the weights :math:`H^{-a}`, as long as there are fewer degrees of
freedom than samples.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.instances import CodiagonalHeads, CriticalTarget, DisjointHeads, Instance, Mixture, log_index_at
from verifier.risk.engine import LOG_FARTHEST, LOG_KAPPA_MIN, DiagonalSums, Equivalent
from verifier.risk.quadrature import index_nodes, tail_integral
from verifier.risk.sums import CurvedSums, Sums

Array = NDArray[np.float64]

AROUND = (-8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0, 16.0)
"""Where the optimum is looked for first, in ln k from its estimate: among irregular eigenvalues the risk may have two minima."""

MOST_DEGREES = 1e290
"""Degrees of freedom beyond which they are not counted; no sample has as many."""

_NEWTON = 80
_CHUNK = 40_000  # entries worked on at a time
_SIZES = np.arange(1.0, LOG_FARTHEST, 2.0)


def multihead_equivalent(instance: Instance, log_reach: float) -> Equivalent:
    """The equivalent of an instance whose context has several heads."""
    kind = DisjointHeadsEquivalent if isinstance(instance.context, DisjointHeads) else CodiagonalHeadsEquivalent
    return kind(instance, log_reach)


def at_whole_heads(instance: Instance, n: float) -> Instance:
    """The instance with the whole number of heads that is simulated at n, the same at every n; with their weight."""
    context = instance.context
    assert isinstance(context, DisjointHeads | CodiagonalHeads)
    count = float(np.maximum(np.rint(context.heads(n)), 1.0))
    fixed = dataclasses.replace(context, factor=count, degree=0.0, logarithms=0.0)
    return dataclasses.replace(instance, context=fixed)


class MultiheadEquivalent(Equivalent):
    """What both geometries share; the kappa of all methods is k = kappa/w."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        assert isinstance(instance.context, DisjointHeads | CodiagonalHeads)
        self._context = instance.context

    def _others(self, n: Array) -> Array:
        """H - 1."""
        return self._context.heads(n) - 1.0

    def _weight(self, n: Array) -> Array:
        return np.exp(self._context.log_weight(n))

    def taken(self, n: Array, kappa: Array) -> Array:
        """Degrees of freedom of all heads at each (n, k)."""
        return self.seen(n, kappa).df1

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """k(n, lambda), shape (k,)."""
        return self._recalled("ridge", self._solved, n, lam / self._weight(n))

    def optimum(self, n: Array) -> Array:
        """The k of the ridge that minimises the risk."""
        return self._recalled("optimum", self._best, n)

    def _solved(self, n: Array, lam: Array) -> Array:
        raise NotImplementedError

    def _best(self, n: Array) -> Array:
        raise NotImplementedError

    def ridge(self, n: Array, kappa: Array) -> Array:
        """lambda = w k (1 - d1(k)/n), never below zero."""
        return np.maximum(self.ridge_at(n, kappa), 0.0)

    def ridge_of(self, n: Array, kappa: float) -> Array:
        """The ridges that belong to one k, shape of n; below zero where it has too many degrees of freedom."""
        return self.ridge_at(n, self._level(n, kappa))

    def _level(self, n: Array, kappa: float) -> Array:
        """The k at each n that resolves what one head resolves at ``kappa``."""
        return np.full_like(n, kappa)

    def ridge_at(self, n: Array, kappa: Array) -> Array:
        """w k (1 - d1(k)/n), shape of n."""
        return np.asarray(self._weight(n) * kappa * (1.0 - self.taken(n, kappa) / n))

    def room(self, n: Array, lam: Array, kappa: Array) -> Array:
        """lambda/kappa, shape of n."""
        return lam / (self._weight(n) * kappa)

    def heard_by_the_first(self, n: Array, kappa: Array) -> Array:
        """The part of d2 that is the first head's, shape of n."""
        return self.seen(n, kappa).df2

    def parts(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        r"""Four positive numbers below the risk E at each (n, k): the bias, the noise that the first head hears and that the others
        hear, and E d1/n.
        """
        seen, risk, own = self.seen(n, kappa), self.risk(n, kappa), self.heard_by_the_first(n, kappa)
        heard = self.variance / n
        return (
            seen.bias,
            heard * own,
            heard * np.maximum(seen.df2 - own, 0.0),
            risk * np.minimum(seen.df1 / n, 1.0),
        )

    def size_at_optimum(self, kappa: float) -> float:
        r"""The n, a power of e^2, from which on the best ridge has at most the k that resolves what one head resolves at ``kappa``;
        infinite where there is none up to e^600. As for one head, with sums that depend on n:
        :math:`n \ge d_2 - (\sigma^2 + B)\dot d_2/\dot B`.
        """
        n = np.exp(_SIZES)
        # At an n at which this k resolves more than n directions of so many heads, or nearly all of the target, both overflow.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            sums = self._curved_seen(n, self._level(n, kappa))
            least = sums.df2 - (self.variance + sums.bias) * sums.df2_slope / sums.bias_slope
        enough = np.flatnonzero((sums.bias_slope > 0.0) & (n >= np.maximum(sums.df1, least)))
        return float(n[enough[0]]) if enough.size else math.inf


@dataclass(frozen=True, eq=False)
class HeadSums(Sums):
    """The sums of the first head at each k, and d1 and d2 of one added head; the shape of k each."""

    added_df1: Array
    added_df2: Array


class DisjointHeadsEquivalent(MultiheadEquivalent):
    """The equivalent of an instance whose context adds disjoint heads."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        # The nodes of an added head serve the same k as those of the first one.
        level = instance.spectrum.log_eigenvalues(np.array([log_reach]))
        reach = float(log_index_at(self._context.added, level, steps=16)[0])
        alone = Instance(self._context.added, CriticalTarget(s=0.5))
        self._added = DiagonalSums(alone, 4.0 * math.ceil((reach + 0.5) / 4.0))
        # What is beyond all use is beyond the traces of one sample's share of the heads: there are fewer heads than c n.
        self.trace += self._added.trace * max(1.0, self._context.factor)

    def sums(self, kappa: Array) -> HeadSums:
        """The sums of the first head and of an added one at the given k, shape (k,), before their number enters."""
        first = self._in_chunks(kappa, self._sums.rows)
        return HeadSums(*first, *self._in_chunks(kappa, self._added.degrees))

    def seen(self, n: Array, kappa: Array) -> Sums:
        """The sums of all heads at each (n, k)."""
        return _joined(self.sums(kappa), self._others(n))

    def heard_by_the_first(self, n: Array, kappa: Array) -> Array:
        """d2 of the first head."""
        return self.sums(kappa).df2

    def _table_seen(self, n: Array, table: Sums) -> Sums:
        assert isinstance(table, HeadSums)
        return _joined(table, self._others(n)[:, None])

    def _curved_seen(self, n: Array, kappa: Array) -> CurvedSums:
        first, count = self.curved_sums(kappa), self._others(n)
        df1, df2, _, slope, curvature, _, _ = self._in_chunks(kappa, self._added.curved_rows)
        return dataclasses.replace(
            first,
            df1=first.df1 + count * df1,
            df2=first.df2 + count * df2,
            df2_slope=first.df2_slope + count * slope,
            df2_curvature=first.df2_curvature + count * curvature,
        )

    def _degrees(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        (first1, first2), (added1, added2) = self._sums.degrees(kappa), self._added.degrees(kappa)
        return first1 + self._others(n) * added1, first2 + self._others(n) * added2

    def _permitted(self, n: Array, table: Sums) -> NDArray[np.bool_]:
        return np.asarray(self._table_seen(n, table).df1 <= n[:, None])

    def _trace(self, n: Array) -> Array | float:
        return self._sums.trace + self._others(n) * self._added.trace

    def _solved(self, n: Array, lam: Array) -> Array:
        return Equivalent.effective_ridge(self, n, lam)

    def _best(self, n: Array) -> Array:
        return Equivalent.optimum(self, n)


def _joined(sums: HeadSums, count: Array) -> Sums:
    """The sums of the first head and of ``count`` others, which broadcasts against them."""
    bias = np.broadcast_to(sums.bias, np.broadcast_shapes(np.shape(sums.bias), np.shape(count)))
    # A table holds k at which so many heads have more degrees of freedom than any sample: how many is no matter there.
    with np.errstate(over="ignore"):
        df1, df2 = (
            np.minimum(first + count * added, MOST_DEGREES)
            for first, added in ((sums.df1, sums.added_df1), (sums.df2, sums.added_df2))
        )
    return Sums(df1, df2, bias)


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Nodes of the index: eigenvalues of the first and of an added head, and weights; the same at the nodes of the target, with its
    energies. Beyond the last index, sums of eigenvalues of either kind, and of the energies.
    """

    first: Array
    added: Array
    weight: Array
    target_first: Array
    target_added: Array
    energy: Array
    rest: tuple[float, float, float]


class CodiagonalHeadsEquivalent(MultiheadEquivalent):
    """The equivalent of an instance whose context adds heads in one eigenbasis."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        self._both = Mixture((0.5, 0.5), (instance.spectrum, self._context.added))  # its tails decide where nodes are
        self._laid: tuple[float, _Nodes] | None = None

    def _nodes(self, others: Array, kappa: Array) -> _Nodes:
        """Nodes that serve these numbers of other heads and k."""
        added, least = self._context.added, np.maximum(np.log(kappa), LOG_KAPPA_MIN - 5.0)
        level = float(least.min())
        reach = float(log_index_at(self.instance.spectrum, np.array([level]), steps=16)[0])
        resolved = np.log(np.maximum(others, 1.0)) + math.log(added.scale) - least
        reach = max(reach, float(resolved.max()) / added.beta, 1.0)
        if self._laid is None or self._laid[0] < reach:
            reach = 4.0 * math.ceil(reach / 4.0)
            self._laid = (reach, self._lay(reach))
        return self._laid[1]

    def _lay(self, reach: float) -> _Nodes:
        spectrum, target, added = self.instance.spectrum, self.instance.target, self._context.added
        x, weight, far = index_nodes(self._both, target, reach, 0)
        assert far is not None
        support = target.support(far)
        where = x if support is None else support
        log_l = spectrum.log_eigenvalues(where)
        energy = np.exp(target.log_energy(where, log_l) + 2.0 * target.l2_index * log_l)
        beyond = 0.0
        if support is None:
            energy = energy * weight

            def log_energy(y: Array) -> Array:
                log_l = spectrum.log_eigenvalues(y)
                return np.asarray(target.log_energy(y, log_l) + 2.0 * target.l2_index * log_l)

            beyond = tail_integral(spectrum, log_energy, far)
        rest = (
            tail_integral(spectrum, spectrum.log_eigenvalues, far),
            tail_integral(added, added.log_eigenvalues, far),
            beyond,
        )
        first, others = np.exp(spectrum.log_eigenvalues(x)), np.exp(added.log_eigenvalues(x))
        return _Nodes(first, others, weight, np.exp(log_l), np.exp(added.log_eigenvalues(where)), energy, rest)

    def _over_rows(self, n: Array, kappa: Array, moments: bool) -> tuple[Array, ...]:
        r"""d1, d2, sum r^3, sum r^4, B, and the sums of f^2 q^3 and f^2 q^4, r = 1 - q = L/(L + k); d1 and d2 alone unless
        ``moments``.
        """
        others = self._others(n)
        nodes = self._nodes(others, kappa)
        size, pieces = max(1, _CHUNK // len(nodes.weight)), []
        for start in range(0, len(n), size):
            count, level = others[start : start + size, None], kappa[start : start + size, None]
            r = nodes.first + count * nodes.added
            r /= r + level
            with np.errstate(over="ignore"):  # more degrees of freedom than any sample, where so small a k is tried
                columns = [r @ nodes.weight + ((nodes.rest[0] + count * nodes.rest[1]) / level)[:, 0]]
            columns += _powers(r, nodes.weight, 4 if moments else 2)
            if moments:
                total = nodes.target_first + count * nodes.target_added
                total += level
                # Where nothing is learnt, beyond the last index, q is one.
                columns += [each + nodes.rest[2] for each in _powers(level / total, nodes.energy, 4)[:3]]
            pieces.append(columns)
        return tuple(np.concatenate(column) for column in zip(*pieces, strict=True))

    def seen(self, n: Array, kappa: Array) -> Sums:
        """The sums of all heads at each (n, k); NaN where k is."""
        columns = np.full((3, len(n)), np.nan)
        known = np.isfinite(kappa)
        if known.any():
            d1, d2, _, _, bias, _, _ = self._over_rows(n[known], kappa[known], True)
            columns[:, known] = d1, d2, bias
        return Sums(*columns)

    def _level(self, n: Array, kappa: float) -> Array:
        """L at the index at which the first head's eigenvalue is kappa."""
        index = log_index_at(self.instance.spectrum, np.array([math.log(kappa)]), steps=60)
        return kappa + self._others(n) * float(np.exp(self._context.added.log_eigenvalues(index))[0])

    def _curved_seen(self, n: Array, kappa: Array) -> CurvedSums:
        # The derivatives in ln k at fixed n are those of one head, with L in the place of l.
        d1, d2, t3, t4, b, b3, b4 = self._over_rows(n, kappa, True)
        return CurvedSums(
            df1=d1,
            df2=d2,
            bias=b,
            df2_slope=-2.0 * (d2 - t3),
            df2_curvature=2.0 * (2.0 * d2 - 5.0 * t3 + 3.0 * t4),
            bias_slope=2.0 * (b - b3),
            bias_curvature=2.0 * (2.0 * b - 5.0 * b3 + 3.0 * b4),
        )

    def _solved(self, n: Array, lam: Array) -> Array:
        r"""The root of k (1 - d1(k)/n) = lambda: Newton's method in u = ln k, kept in a bracket, on :math:`1 - d_1/n - \lambda/k`
        while the ridge is most of k, on :math:`\ln n + \ln(1 - \lambda/k) - \ln d_1` where the sample is interpolated.
        """
        trace = self._sums.trace + self._others(n) * self._added_trace
        upper = np.log(lam + trace / n) + 1e-9
        log_2n = np.log(2.0 * n)
        with np.errstate(divide="ignore"):
            lower = np.maximum(np.log(lam), self.instance.spectrum.log_eigenvalues(log_2n))  # d1(l_2n) >= n
        lower = np.maximum(lower, LOG_KAPPA_MIN - 4.0)
        u, active = lower.copy(), np.arange(len(n))
        for _ in range(_NEWTON):
            at, size = u[active], n[active]
            d1, d2 = self._over_rows(size, np.exp(at), False)
            ridged = lam[active] * np.exp(-at)
            value = 1.0 - d1 / size - ridged
            slope = (d1 - d2) / size + ridged
            lower[active] = np.where(value < 0.0, at, lower[active])
            upper[active] = np.where(value > 0.0, at, upper[active])
            few = np.maximum(1.0 - ridged, 0.5)
            by_logarithm = np.log(size * few / d1) / ((d1 - d2) / d1 + ridged / few)
            newton = at - np.where(ridged < 0.5, by_logarithm, value / slope)
            inside = (newton >= lower[active]) & (newton <= upper[active])
            u[active] = np.where(inside, newton, 0.5 * (lower[active] + upper[active]))
            active = active[np.abs(u[active] - at) > 1e-13 * np.maximum(1.0, np.abs(at))]
            if active.size == 0:
                break
        return np.where(u < LOG_KAPPA_MIN - 3.0, np.nan, np.exp(u))

    def _permitted_risk(self, n: Array, kappa: Array) -> Array:
        """The risk at each (n, k), infinite where that takes a negative ridge."""
        seen = self.seen(n, kappa)
        room = 1.0 - seen.df2 / n
        risk = (seen.bias + self.variance * seen.df2 / n) / np.where(room > 0.0, room, 1.0)
        return np.where(seen.df1 <= n, risk, np.inf)

    @property
    def _added_trace(self) -> float:
        nodes = self._nodes(np.zeros(1), np.ones(1))
        return float(nodes.added @ nodes.weight) + nodes.rest[1]

    def _best(self, n: Array) -> Array:
        """The minimum of ln E in ln k by Newton's method, from the best of a few points around where as many indices are resolved
        as balance bias and variance; the ridge zero where that would take a negative one.
        """
        with np.errstate(divide="ignore"):
            log_others = np.log(self._others(n))
        tail = 2.0 * self.instance.beta * min(self.instance.target.l2_index, 1.0)
        log_m = np.maximum(np.log(n) - 2.0 * math.log(self.instance.sigma), 0.0) / (tail + 1.0)
        added = self._context.added.log_eigenvalues(log_m)
        u = np.logaddexp(self.instance.spectrum.log_eigenvalues(log_m), log_others + added)
        points = np.exp(u + np.array(AROUND)[:, None])
        values = np.stack([self._permitted_risk(n, at) for at in points])
        best, offsets = np.argmin(values, axis=0), np.array([AROUND[0] - 8.0, *AROUND, AROUND[-1] + 8.0])
        lower, upper, u = u + offsets[best], u + offsets[best + 2], u + offsets[best + 1]
        active = np.arange(len(n))
        for _ in range(_NEWTON):
            moved = self._refine(n[active], u[active], lower[active], upper[active])
            u[active], lower[active], upper[active], settled = moved
            active = active[~settled]
            if active.size == 0:
                break
        kappa = np.exp(u)
        late = self._over_rows(n, kappa, False)[0] > n
        if late.any():
            kappa[late] = self._solved(n[late], np.zeros(int(late.sum())))
        return np.asarray(kappa)


def _powers(r: Array, weight: Array, last: int) -> list[Array]:
    """The sums of r^2, ..., r^last over the nodes."""
    found, power = [], r
    for _ in range(last - 1):
        power = power * r
        found.append(power @ weight)
    return found
