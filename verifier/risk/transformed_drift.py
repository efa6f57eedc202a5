r"""The excess risk of a gradient flow whose features are moved by boundedly invertible transforms, in the sequence model.

Under a :class:`verifier.instances.TransformedDrift` the kernel is :math:`\Sigma^{1/2}M_k\Sigma^{1/2}` for a while each,
:math:`M_k = T_k^*T_k = D_k + \Phi_kK_k\Phi_k^*` (:func:`verifier.risk.operators.metric`). On the nodes of a quadrature over the
indices (:mod:`verifier.risk.lattice`), of weights w and up to where nothing is learnt, it becomes the matrix

.. math:: W_k = \Lambda^{1/2}(D_k + w^{1/2}\Phi_kK_k\Phi_k^*w^{1/2})\Lambda^{1/2},

for what the flow does to an index is what the diagonal part does to it, exactly, and sums of smooth functions of the log-index.

*Accuracy.* The eigenvalues span e^78, far more than a double has digits. With the Cholesky factor of the middle matrix, which is
well conditioned, :math:`W_k = A^*A`, :math:`A = L^*\Lambda^{1/2}`, and one-sided Jacobi rotations find the singular values and
vectors of such an A entry by entry to its condition number times the rounding error (Demmel and Veselic 1992; LAPACK's gejsv). What
slow directions hold of the fast ones, which decides the bias where s > 1/2, is known to all its digits.

*Risk.* With the eigenvectors Q and eigenvalues v of the stage in which the flow stops, :math:`E = e^{-v(t - t_k)}`, S the
propagator up to its beginning, :math:`G = Q^*S` and :math:`H = Q^* - G`,

.. math:: \|P_tf\|^2 = \sum_j E_j^2(Gf)_j^2, \qquad
          \|1 - P_t\|_{HS}^2 = \sum_j\big((1-E_j)^2|G_j|^2 + 2(1-E_j)G_j\cdot H_j + |H_j|^2\big) + \sum_i(w_i - 1)(1 - d_i)^2,

:math:`d_i` what the diagonal parts alone leave of the index i: a node of weight w is one direction that the columns meet, and
w - 1 that they do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, lapack

from verifier.instances import CriticalTarget, Instance, PowerLaw, TransformedDrift
from verifier.instances.transforms import Transform
from verifier.risk.drift import FAINT, SequenceEquivalent
from verifier.risk.lattice import Lattice
from verifier.risk.operators import log_multiplier, metric
from verifier.risk.quadrature import HEAD

Array = NDArray[np.float64]

LATEST = 60.0
"""ln(t l_1) up to which flows are followed."""

NOTHING = 1e-100
"""Less than any power of t that the squared bias can have by then."""

PANEL = 0.8
"""Lengths of the panels of the lattice, relative to those that sums over resolvents need: exp(-t l) is steeper than they are. At
1.05 <= beta <= 3 sums are within 4e-7 of those of shorter panels, with multipliers that oscillate within 4e-5.
"""


@dataclass(frozen=True, eq=False)
class Stage:
    r"""What is known of a stage when it begins, of N nodes.

    ``values`` (N,) the eigenvalues of its kernel; ``turn`` (N, N) into its eigenvectors from those of the stage before, or from the
    nodes, and ``faded`` (N,) what that stage has left of its own; ``norms`` (3, N) of :math:`|G_j|^2`, :math:`G_j\cdot H_j` and
    :math:`|H_j|^2`; ``rates`` (N,) the diagonal part of the kernel and ``decayed`` (N,) its integral so far.
    """

    start: float
    values: Array
    turn: Array
    faded: Array
    norms: Array
    rates: Array
    decayed: Array


class TransformedDriftEquivalent(SequenceEquivalent):
    """The sums of one instance whose features are moved; kappa is 1/t."""

    table_step = 1.5

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        spectrum, target, drift = instance.spectrum, instance.target, instance.drift
        assert isinstance(drift, TransformedDrift)
        assert isinstance(spectrum, PowerLaw)
        assert isinstance(target, CriticalTarget)
        self.latest = _latest(spectrum)
        self._stages = _stages(spectrum, drift)
        self._starts = np.array([stage.start for stage in self._stages])
        lattice, end = _lattice(spectrum.beta, drift.transforms)
        nodes = lattice.nodes(end)
        self._further = nodes.weight - 1.0

        def log_energy(log_index: Array) -> Array:
            log_l = spectrum.log_eigenvalues(log_index)
            return np.asarray(target.log_energy(log_index, log_l) + 2.0 * target.l2_index * log_l)

        self._beyond = float(np.exp(end + log_energy(np.array([end])))[0]) / (2.0 * spectrum.beta * target.l2_index)
        f = np.exp(0.5 * (log_energy(nodes.log_index) + np.log(nodes.weight)))
        # What comes of the first directions decays more slowly than the rest, however small it is, where s > 1/2.
        both = np.stack([f, np.where(np.arange(len(f)) < HEAD, f, 0.0)], axis=1)
        self._energies = []
        for stage in self._stages:
            both = stage.turn @ (stage.faded[:, None] * both)
            self._energies.append(both**2)

    def leading(self, log_time: Array) -> tuple[Array, Array]:
        """Squared bias, and variance over sigma^2/n, at each ln t, shape (k,)."""
        bias, noise, _ = self._at(log_time)
        return bias, noise

    def parts(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        """Squared bias that comes of the first 64 directions, when the flow stops at 1/kappa; none where they are learnt to the
        end, faster than by any power of t.
        """
        bias, _, first = self._at(-np.log(kappa))
        return (np.minimum(first, bias),) if first[-1] > NOTHING else ()

    def _at(self, log_time: Array) -> tuple[Array, Array, Array]:
        time = np.exp(log_time)
        stage = np.searchsorted(self._starts, time, side="right") - 1
        bias, noise, first = np.empty_like(time), np.empty_like(time), np.empty_like(time)
        for k in np.unique(stage):
            here = stage == k
            at, (own, crossed, missing) = self._stages[k], self._stages[k].norms
            since = (time[here] - at.start)[:, None]
            exposure = np.minimum(at.values * since, 350.0)
            kept, learnt = np.exp(-2.0 * exposure), -np.expm1(-exposure)
            bias[here], first[here] = (kept @ self._energies[k]).T
            alone = -np.expm1(-np.minimum(at.decayed + at.rates * since, 700.0))
            noise[here] = learnt**2 @ own + 2.0 * learnt @ crossed + missing.sum() + alone**2 @ self._further
        return bias + self._beyond, noise, first


def _lattice(beta: float, transforms: tuple[Transform, ...]) -> tuple[Lattice, float]:
    """The indices, and the log-index up to which anything is learnt by the latest time: the same for all transforms, and for most
    schedules.
    """
    periods = sorted({float(t.period) for t in transforms if t.period is not None})
    alternates = any(factor.alternates for t in transforms for factor in t.factors)
    lattice = Lattice(math.inf, max(t.head for t in transforms), beta / PANEL, tuple(periods), alternates)
    fastest = max(0.0, *(2.0 * math.log(t.frame_bounds()[1]) for t in transforms))
    return lattice, (LATEST + 5.0 * math.ceil(fastest / 5.0) + FAINT) / beta


def _latest(spectrum: PowerLaw) -> float:
    return LATEST - math.log(spectrum.scale)


@lru_cache(maxsize=4)
def _stages(spectrum: PowerLaw, drift: TransformedDrift) -> tuple[Stage, ...]:
    """The stages of a schedule, whatever the target."""
    transforms: tuple[Any, ...] = drift.transforms
    lattice, end = _lattice(spectrum.beta, transforms)
    nodes = lattice.nodes(end)
    log_l = spectrum.log_eigenvalues(nodes.log_index)
    kernels = [_kernel(spectrum, t, lattice, end) for t in transforms]
    rates = [np.exp(log_l + 2.0 * log_multiplier(t.factors, nodes.log_index, nodes.odd)) for t in transforms]
    turns: dict[tuple[int, int], Array] = {}
    schedule = drift.schedule(math.exp(_latest(spectrum)))
    found: list[Stage] = []
    state = np.eye(len(log_l))
    for place, (start, k) in enumerate(schedule):
        values, vectors = kernels[k]
        if not found:
            turn, faded, decayed = vectors.T, np.ones_like(log_l), np.zeros_like(log_l)
        else:
            last, before = schedule[place - 1][1], found[-1]
            if (last, k) not in turns:
                turns[last, k] = vectors.T @ kernels[last][1]
            turn = turns[last, k]
            since = start - before.start
            exposure = before.values * since
            # Zero below e^-200: products of such numbers are not normal doubles, and slow.
            faded = np.where(exposure < 200.0, np.exp(-np.minimum(exposure, 200.0)), 0.0)
            decayed = before.decayed + before.rates * since
        state = turn @ (faded[:, None] * state)
        missing = vectors.T - state
        norms = np.stack([np.sum(state**2, axis=1), np.sum(state * missing, axis=1), np.sum(missing**2, axis=1)])
        found.append(Stage(start, values, turn, faded, norms, rates[k], decayed))
    return tuple(found)


@lru_cache(maxsize=48)
def _kernel(spectrum: PowerLaw, transform: Any, lattice: Lattice, end: float) -> tuple[Array, Array]:
    """Eigenvalues of a kernel on the nodes, and its eigenvectors as columns."""
    low, nodes = metric(transform), lattice.nodes(end)
    x, odd = nodes.log_index, nodes.odd
    columns = np.zeros((len(x), len(low.columns)))
    for j, column in enumerate(low.columns):
        if column.axis is not None:
            columns[column.axis - 1, j] = 1.0
        else:
            columns[:, j] = np.exp(column.log_values(x, odd) + 0.5 * np.log(nodes.weight))
    middle = columns @ low.matrix @ columns.T
    middle[np.diag_indices(len(x))] += np.exp(log_multiplier(low.multipliers, x, odd))
    root = cholesky(middle) * np.exp(0.5 * spectrum.log_eigenvalues(x))
    # Columns scaled, well conditioned otherwise (joba=0); no left vectors (jobu=3), right ones (jobv=0), full range (jobr=0).
    singular, _, vectors, scales, _, info = lapack.dgejsv(root, joba=0, jobu=3, jobv=0, jobr=0, jobt=0, jobp=0)
    if info != 0:
        raise RuntimeError(f"gejsv: info={info} for {transform.describe()}")
    return np.asarray((singular * (scales[0] / scales[1])) ** 2), np.asarray(vectors)
