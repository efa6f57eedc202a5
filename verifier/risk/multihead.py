r"""Growing context: the deterministic equivalent of a kernel of H(n) heads, :math:`K_n = w_n(K_1 + \dots + K_H)`.

At each n the kernel is an ordinary one, so that the equivalent of :mod:`verifier.risk.equivalents` holds with its eigenvalues. With
:math:`\kappa = w k` and :math:`\lambda = w\,\ell` the weight drops out of it, :math:`n = d_1(k) + n\ell/k`: the weight changes what a
given ridge means, and nothing else. With disjoint heads a merged spectrum has the sums

.. math:: d_j = d_j^{(1)} + (H - 1)\,d_j^{(a)}, \qquad B = B^{(1)},

of the first head and of an added one, at the same k: none of them depends on n, and H enters linearly. H is a real number here;
simulation rounds it, and is compared with the equivalent of the rounded one (:func:`at_whole_heads`).

*Exponents* (:func:`heads_exponent`). With :math:`k = n^{-x}` the bias is :math:`n^{-2s x}`, the variance
:math:`(k^{-1/\beta} + n^g k^{-1/\beta_a})/n`, where b is the tail index of the heads that are added: the smallest exponent of
:math:`2sx`, :math:`1 - x/\beta` and :math:`1 - g - x/\beta_a` is that of the risk. The oracle takes the best x,

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

from verifier.instances import CriticalTarget, DisjointHeads, Instance, log_index_at
from verifier.risk.equivalents import DiagonalSums, Equivalent
from verifier.risk.sums import CurvedSums, Sums

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeadSums(Sums):
    """The sums of the first head at each k, and d1 and d2 of one added head; the shape of k each."""

    added_df1: Array
    added_df2: Array


class DisjointHeadsEquivalent(Equivalent):
    """The equivalent of an instance whose context adds disjoint heads; the kappa of its methods is k = kappa/w."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        assert isinstance(instance.context, DisjointHeads)
        self._context = instance.context
        # The nodes of an added head serve the same k as those of the first one.
        level = instance.spectrum.log_eigenvalues(np.array([log_reach]))
        reach = float(log_index_at(self._context.added, level, steps=16)[0])
        alone = Instance(self._context.added, CriticalTarget(s=0.5))
        self._added = DiagonalSums(alone, 4.0 * math.ceil((reach + 0.5) / 4.0))
        # A ridge beyond all use is beyond that of one sample of the two spectra: there are fewer heads than samples.
        self.trace += self._added.trace * max(1.0, self._context.factor)

    def _others(self, n: Array) -> Array:
        """H - 1."""
        return self._context.heads(n) - 1.0

    def _weight(self, n: Array) -> Array:
        return np.exp(self._context.log_weight(n))

    def sums(self, kappa: Array) -> HeadSums:
        """The sums of the first head and of an added one at the given k, shape (k,), before their number enters."""
        first = self._in_chunks(kappa, self._sums.rows)
        return HeadSums(*first, *self._in_chunks(kappa, self._added.degrees))

    def seen(self, n: Array, kappa: Array) -> Sums:
        """The sums of all heads at each (n, k)."""
        return _joined(self.sums(kappa), self._others(n))

    def taken(self, n: Array, kappa: Array) -> Array:
        """Degrees of freedom of all heads at each (n, k)."""
        return self.seen(n, kappa).df1

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

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """k(n, lambda), shape (k,)."""
        return self._recalled("ridge", super().effective_ridge, n, lam / self._weight(n))

    def optimum(self, n: Array) -> Array:
        """The k of the ridge that minimises the risk."""
        return self._recalled("optimum", super().optimum, n)

    def ridge(self, n: Array, kappa: Array) -> Array:
        """lambda = w k (1 - d1(k)/n), never below zero."""
        return np.maximum(self._weight(n) * kappa * (1.0 - self.seen(n, kappa).df1 / n), 0.0)

    def ridge_of(self, n: Array, kappa: float) -> Array:
        """The ridges that belong to one k, shape of n; below zero where it has too many degrees of freedom."""
        seen = self._table_seen(n, self.sums(np.array([kappa])))
        return np.asarray(self._weight(n) * kappa * (1.0 - seen.df1[:, 0] / n))

    def room(self, n: Array, lam: Array, kappa: Array) -> Array:
        """lambda/kappa, shape of n."""
        return lam / (self._weight(n) * kappa)

    def parts(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        r"""Four positive numbers below the risk E at each (n, k): the bias, the noise that the first head hears and that the others
        hear, each divided by n, and E d1/n.
        """
        sums, risk = self.sums(kappa), self.risk(n, kappa)
        heard = self.variance / n
        seen = self.seen(n, kappa)
        added = heard * self._others(n) * sums.added_df2
        return sums.bias, heard * sums.df2, added, risk * np.minimum(seen.df1 / n, 1.0)

    def size_at_optimum(self, kappa: float) -> float:
        """The first n = e^4, e^8, ... at which the best ridge has at most this k."""
        return self._first_size_below(kappa)


def _joined(sums: HeadSums, count: Array) -> Sums:
    """The sums of the first head and of ``count`` others, which broadcasts against them."""
    bias = np.broadcast_to(sums.bias, np.broadcast_shapes(np.shape(sums.bias), np.shape(count)))
    return Sums(sums.df1 + count * sums.added_df1, sums.df2 + count * sums.added_df2, bias)


def at_whole_heads(instance: Instance, n: float) -> Instance:
    """The instance with the whole number of heads that is simulated at n, the same at every n; with their weight."""
    context = instance.context
    assert isinstance(context, DisjointHeads)
    count = float(np.maximum(np.rint(context.heads(n)), 1.0))
    return dataclasses.replace(
        instance, context=dataclasses.replace(context, factor=count, degree=0.0, logarithms=0.0)
    )
