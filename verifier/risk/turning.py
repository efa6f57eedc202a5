r"""The excess risk of a gradient flow whose eigenvectors are moved at the front of learning, exact in the sequence model.

Under a :class:`verifier.instances.TurningDrift` the directions fall into chains m, q m, q^2 m, ... for m that q does not divide.
Neighbours of a chain are coupled, one pair at a time, and in the time :math:`\tau = t\,l_m` all chains are alike. With the
propagator P of one chain, :math:`v_j = q^{-j(2\beta s + 1)/2}`,

.. math:: G(\tau) = \|P_\tau v\|^2, \quad H(\tau) = \|1 - P_\tau\|_{HS}^2, \qquad
          E(t) = \sum_m f_m^2 G(t\,l_m) + \frac{\sigma^2}{n}\sum_m H(t\,l_m).

The eigenvalues of a chain are :math:`q^{-\beta j}`; P is a product of exponentials of 2 x 2 matrices over the stages of the pairs,
so that G and H and their derivatives are known exactly at the ends of short steps in :math:`\ln\tau`, and in between by the cubic
through both ends, an error of 3e-4 in ln G at most, of 2e-5 in the sums. The sums over m are those over all
indices less those over the multiples of q, by the quadrature of :mod:`verifier.risk.drift`, whose panels end where a stage does.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from verifier.instances import CriticalTarget, Instance, PowerLaw, TurningDrift
from verifier.risk.drift import FAINT, SequenceEquivalent
from verifier.risk.quadrature import HEAD, gregory_weights

Array = NDArray[np.float64]

LATEST = (48.0, 96.0)
"""ln(t l_1) up to which chains are followed: 30 beta, within these bounds."""

STEP = 0.15
"""Longest step in ln tau between stages; in a stage of the condition number c it is shorter, .3 c^-.35."""

LAYER = 0.05
"""First steps of a stage, in units of the time in which its fastest direction falls by a factor of e. Without them the
cubics missed
where a slower mode takes over from it, soon after the beginning of a stage: up to 1.4e-2 of the bias at a condition number of 100.
"""

PANEL = 4.0
"""Length of a panel in ln l."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
_CHUNK = 60_000


class TurningEquivalent(SequenceEquivalent):
    """The sums of one instance whose kernel is turned; kappa is 1/t."""

    table_step = 1.5

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        assert isinstance(instance.drift, TurningDrift)
        assert isinstance(instance.spectrum, PowerLaw)
        assert isinstance(instance.target, CriticalTarget)
        self._drift, self._beta = instance.drift, instance.spectrum.beta
        self._decay = 2.0 * self._beta * instance.target.l2_index + 1.0
        self._period = self._beta * math.log(self._drift.ratio)
        self._log_scale = math.log(instance.spectrum.scale)
        self._log_energy = 2.0 * math.log(instance.target.norm) + 2.0 * instance.target.l2_index * self._log_scale
        self._end = min(max(30.0 * self._beta, LATEST[0]), LATEST[1])
        self.latest = self._end - self._log_scale
        self._follow()

    def _boundaries(self) -> tuple[Array, list[tuple[int, int]]]:
        """Ends of stages in ln tau, and the pair and stage (-1: none) of the interval that begins at each."""
        ends, what = [-FAINT], [(0, -1)]
        pair = 0
        while self._drift.start + pair * self._period < self._end and not (
            self._drift.moves and pair >= self._drift.moves
        ):
            at = self._drift.start + pair * self._period
            for stage, (share, _, _) in enumerate(self._drift.stages):
                ends.append(at)
                what.append((pair, stage))
                at += share * self._period
            ends.append(at)
            what.append((pair, -1))
            pair += 1
        return np.array(ends), what

    def _follow(self) -> None:
        """One chain, from before anything is learnt to the latest time: ln G and ln H with their slopes at both ends of each
        step.
        """
        ends, what = self._boundaries()
        self.kinks = ends[1:]
        last = max(self._end, float(ends[-1])) + 0.1
        size = math.ceil((last + FAINT) / self._period) + 2
        ell = np.exp(-self._period * np.arange(size))
        grid, kinds = [], []
        for start, end, kind in zip(ends, [*ends[1:], last], what, strict=True):
            if end - start < 1e-12:
                continue
            pair, stage = kind
            condition = self._drift.stages[stage][1] if stage >= 0 else 1.0
            pace = math.exp(start) * ell[pair] * math.sqrt(condition)
            inner = _steps(start, end, pace, min(STEP, 2.0 * STEP * condition**-0.35))
            grid += inner
            kinds += [kind] * len(inner)
        u = np.array([*grid, last])
        tau = np.exp(u)
        lengths = np.diff(tau)
        decays = np.exp(-np.minimum(lengths[:, None] * ell, 700.0))
        state = np.empty((size, size + 1))
        state[:, 0] = np.exp(-0.5 * self._decay / self._beta * self._period * np.arange(size)) * np.exp(-tau[0] * ell)
        state[:, 1:] = np.diag(np.exp(-tau[0] * ell))
        rest = np.expm1(-tau[0] * ell)  # the diagonal of P - 1, kept by itself: P is close to 1 at the start
        values = np.empty((2, len(u)))
        slopes = np.empty((2, 2, len(lengths)))
        diagonal = np.arange(size)
        matrices: dict[tuple[int, int], Array] = {}

        def measured(kernel: Array | None, pair: int, time: float) -> tuple[tuple[float, float], tuple[float, float]]:
            pulled = ell[:, None] * state
            if kernel is not None:
                pulled[pair : pair + 2] = kernel @ state[pair : pair + 2]
            away = state[:, 1:].copy()
            away[diagonal, diagonal] = rest
            first, learnt = state[:, 0], away.ravel()
            slope = -2.0 * time
            found = float(first @ first), float(learnt @ learnt)
            return found, (slope * float(first @ pulled[:, 0]), slope * float(learnt @ pulled[:, 1:].ravel()))

        before: tuple[int, int] | None = None
        for k, kind in enumerate(kinds):
            pair, stage = kind
            kernel = None
            if stage >= 0:
                if kind not in matrices:
                    root = np.sqrt(ell[pair : pair + 2])
                    matrices[kind] = root[:, None] * self._drift.matrix(stage, pair) * root
                kernel = matrices[kind]
            if kind == before:
                slopes[:, 0, k] = slopes[:, 1, k - 1]
            else:
                values[:, k], slopes[:, 0, k] = measured(kernel, pair, tau[k])
            moved = None if kernel is None else _exponential(kernel * lengths[k]) @ state[pair : pair + 2]
            state *= decays[k][:, None]
            rest = rest * decays[k] + (decays[k] - 1.0)
            if moved is not None:
                state[pair : pair + 2] = moved
                rest[pair : pair + 2] = moved[[0, 1], [pair + 1, pair + 2]] - 1.0
            values[:, k + 1], slopes[:, 1, k] = measured(kernel, pair, tau[k + 1])
            before = kind
        tiny = np.finfo(np.float64).tiny
        values = np.maximum(values, tiny)
        self._u, self._values = u, np.log(values)
        self._slopes = slopes / np.stack([values[:, :-1], values[:, 1:]], axis=1)

    def _chain(self, log_tau: Array) -> tuple[Array, Array]:
        """ln G and ln H at each ln tau: by the cubics, constant and quadratic before the first step."""
        u = np.minimum(log_tau, self._u[-1])
        k = np.clip(np.searchsorted(self._u, u, side="right") - 1, 0, len(self._u) - 2)
        length = self._u[k + 1] - self._u[k]
        x = np.maximum((u - self._u[k]) / length, 0.0)
        before = np.minimum(u - self._u[0], 0.0)
        x2, x3 = x * x, x * x * x
        weights = 2.0 * x3 - 3.0 * x2 + 1.0, (x3 - 2.0 * x2 + x) * length, 3.0 * x2 - 2.0 * x3, (x3 - x2) * length
        found = []
        for which in (0, 1):
            values, slopes = self._values[which], self._slopes[which]
            cubic = (
                weights[0] * values[k]
                + weights[1] * slopes[0][k]
                + weights[2] * values[k + 1]
                + weights[3] * slopes[1][k]
            )
            found.append(cubic + (0.0, 2.0)[which] * before)
        return found[0], found[1]

    def leading(self, log_time: Array) -> tuple[Array, Array]:
        """Squared bias, and variance over sigma^2/n, at each ln t, shape (k,)."""
        y = log_time + self._log_scale
        both = np.concatenate([y, y - self._period])
        edges = self._edges(both)
        size = max(1, _CHUNK // (edges.shape[1] * len(NODES)))
        pieces = [self._over_indices(both[k : k + size], edges[k : k + size]) for k in range(0, len(both), size)]
        target, noise = (np.concatenate(part) for part in zip(*pieces, strict=True))
        count = len(y)
        share = math.exp(-self._decay * math.log(self._drift.ratio))
        return math.exp(self._log_energy) * (target[:count] - share * target[count:]), noise[:count] - noise[count:]

    def _over_indices(self, y: Array, edges: Array) -> tuple[Array, Array]:
        """Sums over all indices i of i^-a G(e^y i^-beta) and of H, at each y."""
        half = 0.5 * np.diff(edges)[:, :, None]
        x = ((0.5 * (edges[:, 1:] + edges[:, :-1]))[:, :, None] + half * NODES).reshape(len(y), -1)
        weight = (half * WEIGHTS).reshape(len(y), -1) * np.exp(x)
        head = np.log(np.arange(1.0, HEAD + 1.0))
        first = np.ones(HEAD)
        first[-len(gregory_weights()) :] -= gregory_weights()
        x = np.concatenate([np.broadcast_to(head, (len(y), HEAD)), x], axis=1)
        weight = np.concatenate([np.broadcast_to(first, (len(y), HEAD)), weight], axis=1)
        log_g, log_h = self._chain(y[:, None] - self._beta * x)
        target = np.sum(weight * np.exp(log_g - self._decay * x), axis=1)
        noise = np.sum(weight * np.exp(log_h), axis=1)
        end = edges[:, -1]
        log_g, log_h = self._chain(y - self._beta * end)
        target += np.exp(log_g + (1.0 - self._decay) * end) / (self._decay - 1.0)
        noise += np.exp(log_h + end) / (2.0 * self._beta - 1.0)
        return target, noise

    def _edges(self, y: Array) -> Array:
        start = math.log(HEAD)
        end = np.maximum((y + FAINT) / self._beta, start + 1.0)
        count = max(2, math.ceil(float(end.max() - start) * self._beta / PANEL) + 1)
        even = start + (end - start)[:, None] * np.linspace(0.0, 1.0, count)
        at = (y[:, None] - self.kinks) / self._beta
        return np.sort(np.concatenate([even, np.clip(at, start, end[:, None])], axis=1), axis=1)


def _steps(start: float, end: float, pace: float, longest: float) -> list[float]:
    """Beginnings of the steps from ``start`` to ``end`` in ln tau, short at first where ``pace``, the fall of the fastest direction
    in a unit of ln tau, is large.
    """
    since = [0.0]
    while since[-1] < end - start:
        since.append(since[-1] + min(longest, LAYER * (1.0 / max(pace, LAYER) + since[-1])))
    scale = (end - start) / since[-1]
    return [start + scale * at for at in since[:-1]]


def _exponential(kernel: Array) -> Array:
    """exp(-K) of a symmetric 2 x 2 matrix."""
    values, vectors = np.linalg.eigh(kernel)
    return np.asarray((vectors * np.exp(-np.maximum(values, 0.0))) @ vectors.T)
