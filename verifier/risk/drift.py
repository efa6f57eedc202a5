r"""The excess risk of a gradient flow under a kernel that drifts, in the Gaussian sequence model: exact at every n.

The model: :math:`y_i = f_i + \frac{\sigma}{\sqrt n}\varepsilon_i` with standard normal :math:`\varepsilon_i`, the limit of
regression with n samples in which they resolve all directions that are learnt, N/n -> 0 (Brown and Low 1996; Johnstone, Gaussian
estimation: sequence and wavelet models, ch. 3). The residual of the flow starts at y and obeys :math:`\dot r = -K_t r`; with its
propagator :math:`P_t` the estimate :math:`y - r_t` has the risk

.. math:: E = \|P_tf\|^2 + \frac{\sigma^2}{n}\|1 - P_t\|_{HS}^2, \qquad
          E = \sum_i f_i^2 e^{-2L_i(t)} + \frac{\sigma^2}{n}\sum_i(1 - e^{-L_i(t)})^2, \quad L_i(t) = \int_0^t l_i(u)\,du

where the drift is diagonal. The flow stops at :math:`t = 1/\lambda`; kappa stands for :math:`\lambda`.

*The sums.* The first 64 indices are summed one by one, those beyond by Gauss-Legendre panels in ln i with Gregory's correction at
the start (:mod:`verifier.risk.quadrature`), whose edges include the indices at which a piece of the drift begins: between them the
summand is analytic. Beyond the index at which :math:`L_i` is 1e-8 it is linear in the bias and a pure power, and integrated
exactly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from verifier.instances import CriticalTarget, DiagonalDrift, Instance, PowerLaw
from verifier.risk.balance import balanced
from verifier.risk.engine import LOG_FARTHEST, Equivalent
from verifier.risk.quadrature import HEAD, NODES, WEIGHTS, gregory_weights

Array = NDArray[np.float64]

FAINT = 18.0
"""-ln of the integrated eigenvalue from which on it is linear: 1e-8."""

PANEL = 4.0
"""Length of a panel in ln l of the steepest eigenvalues."""

EARLIEST = -12.0
"""ln of l_1 times the earliest time looked at."""

MISSED = 0.003
"""ln of the factor by which the curves of bias and variance may be missed between two times of a table."""

_HALVINGS = 7
_LEAST = 1e-250
_LARGEST_LOG = 700.0
_LINEAR = -40.0  # ln of an exposure below which 1 - exp(-L) is L
_CHUNK = 40_000


def log_exposure(drift: DiagonalDrift, log_index: Array, log_eigenvalue: Array, beta: float, log_time: Array) -> Array:
    """ln of the eigenvalues integrated up to each time, at log-indices of the shape of ``log_time`` after broadcasting."""
    breaks = drift.log_breaks(log_index, beta)
    time = np.exp(np.minimum(log_time, _LARGEST_LOG))
    ends = [np.minimum(np.exp(np.minimum(at, _LARGEST_LOG)), time) for at in breaks]
    ends.append(np.broadcast_to(time, np.broadcast_shapes(time.shape, log_index.shape)))
    total: Array = np.zeros(ends[-1].shape)
    start: Array | float = 0.0
    for end, ratio, gain in zip(ends, drift.ratios, drift.gains, strict=True):
        total = total + gain * np.exp(ratio * log_eigenvalue) * (end - start)
        start = end
    with np.errstate(divide="ignore"):
        return np.log(total)


class SequenceEquivalent(Equivalent):
    """The risk of a flow in the sequence model from its squared bias and variance as functions of time; kappa is 1/t."""

    latest = _LARGEST_LOG - 60.0
    """ln t up to which ``leading`` can be asked for."""

    table_step = 2.0
    """Largest step in ln t of the table from which the best time is found."""

    def effective_ridge(self, n: Array, lam: Array) -> Array:
        """lambda itself: eigenvalues and eigenvectors are known."""
        return np.maximum(lam, math.exp(-self.latest))

    def ridge(self, n: Array, kappa: Array) -> Array:
        """kappa itself."""
        return kappa

    def ridge_of(self, n: Array, kappa: float) -> Array:
        """kappa itself at each n."""
        return np.full_like(n, kappa)

    def leading(self, log_time: Array) -> tuple[Array, Array]:
        """Squared bias, and variance over sigma^2/n, at each ln t, shape (k,)."""
        raise NotImplementedError

    def terms(self, n: Array, kappa: Array) -> tuple[Array, Array]:
        """Terms of the excess risk from target and noise when the flow stops at 1/kappa."""
        bias, noise = self.leading(-np.log(kappa))
        return bias, self.variance * noise / n

    _table_to = -math.inf

    def optimum(self, n: Array) -> Array:
        """kappa of the time at which the risk is smallest at each n, shape (k,)."""
        return self._recalled("optimum", self._best, n)

    def _best(self, n: Array) -> Array:
        log_n = np.log(n)
        grid, bias, noise = self._curves(float(log_n.max()))
        heard = math.log(self.variance) - log_n
        return np.exp(-balanced(grid, (bias, noise), (np.zeros_like(n), heard)))

    def _curves(self, log_n: float) -> tuple[Array, CubicSpline, CubicSpline]:
        """ln of squared bias and of variance over sigma^2/n as functions of ln t, up to where the noise of e^``log_n`` samples
        alone exceeds the best risk; kept.
        """
        if log_n > self._table_to:
            start = EARLIEST - float(self.instance.spectrum.log_eigenvalues(np.zeros(1))[0])
            grid = start + self.table_step * np.arange(48.0)
            bias, noise = self.leading(grid)
            while True:
                heard = self.variance * np.exp(-log_n) * noise
                if heard[-1] > 2.0 * np.min(bias + heard) or grid[-1] >= self.latest:
                    break
                more = grid[-1] + self.table_step * np.arange(1.0, 33.0)
                more = more[more <= self.latest + self.table_step]
                added = self.leading(more)
                grid, bias, noise = (
                    np.concatenate(pair) for pair in ((grid, more), (bias, added[0]), (noise, added[1]))
                )
            self._splines = self._with_middles(grid, bias, noise)
            self._table_to = log_n
        return self._splines

    def _with_middles(self, grid: Array, bias: Array, noise: Array) -> tuple[Array, CubicSpline, CubicSpline]:
        """The curves through a table and through the middles of its steps, of steps that were missed there by ``MISSED`` again, and
        so on: the curves bend where a drift stops, and where the last direction that a piece learns is gone.
        """
        wanted = np.arange(len(grid) - 1)
        for _ in range(_HALVINGS):
            curves = [CubicSpline(grid, np.log(np.maximum(values, _LEAST))) for values in (bias, noise)]
            middle = 0.5 * (grid[wanted] + grid[wanted + 1])
            found = self.leading(middle)
            off = [np.abs(c(middle) - np.log(np.maximum(f, _LEAST))) for c, f in zip(curves, found, strict=True)]
            missed = (np.maximum(*off) > MISSED) & (found[0] > _LEAST)
            grid, bias, noise = (
                np.insert(known, wanted + 1, added)
                for known, added in ((grid, middle), (bias, found[0]), (noise, found[1]))
            )
            if not missed.any():
                break
            place = (wanted + np.arange(len(wanted)))[missed]
            wanted = np.sort(np.concatenate([place, place + 1]))
        curves = [CubicSpline(grid, np.log(np.maximum(values, _LEAST))) for values in (bias, noise)]
        return grid, curves[0], curves[1]

    def log_last_size(self) -> float:
        """ln n, in whole numbers, up to which the best time is known; 0 where it is at none."""
        log_n = np.arange(1.0, LOG_FARTHEST)
        known = np.flatnonzero(self.optimum(np.exp(log_n)) > math.exp(-self.latest))
        return float(log_n[known[-1]]) if known.size else 0.0

    def size_at_optimum(self, kappa: float) -> float:
        """The first n at which the best time is 1/kappa or later; infinite where there is none."""
        return self.first_size_at_optimum(kappa)


class DriftEquivalent(SequenceEquivalent):
    """The sums of one instance whose kernel drifts by its eigenvalues."""

    def __init__(self, instance: Instance, log_reach: float) -> None:
        super().__init__(instance, log_reach)
        assert isinstance(instance.drift, DiagonalDrift)
        assert isinstance(instance.spectrum, PowerLaw)
        assert isinstance(instance.target, CriticalTarget)
        self._drift, self._spectrum, self._target = instance.drift, instance.spectrum, instance.target

    def leading(self, log_time: Array) -> tuple[Array, Array]:
        """Squared bias, and variance over sigma^2/n, at each ln t, shape (k,)."""
        pieces = [self._leading(some) for some in self._chunks(log_time)]
        bias, noise = (np.concatenate(part) for part in zip(*pieces, strict=True))
        return bias, noise

    def _chunks(self, log_time: Array) -> list[Array]:
        nodes = self._edges(log_time[:1]).shape[1] * len(NODES) + HEAD
        size = max(1, _CHUNK // nodes)
        return [log_time[start : start + size] for start in range(0, len(log_time), size)]

    def parts(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        """Squared bias of the indices that are in each piece of the drift when the flow stops at 1/kappa: what a piece has nearly,
        but not quite, learnt of them leads far out only. Of pieces that leave nothing at the last n, or that begin at one time for
        all indices, there is none; where a piece leaves nothing at an earlier n, the least that it leaves elsewhere.
        """
        if self._fixed:
            return ()
        found = self._recalled("pieces", self._by_pieces, kappa)
        return tuple(np.maximum(part, np.min(part[part > 0.0])) for part in found if part[-1] > 0.0)

    def fleeting(self, n: Array, kappa: Array) -> tuple[Array, ...]:
        r"""Squared bias of the indices of which a piece has left :math:`e^{-2i^p}`, p > 0, when the flow stops at 1/kappa: nothing
        in the limit, but for small p no less than a power of i at any n that can be reached.
        """
        positions = getattr(self._drift, "positions", ())
        learnt = [
            k
            for k, (x, ratio) in enumerate(zip(positions, self._drift.ratios, strict=False))
            if self._spectrum.beta * (1.0 / x - ratio) > 1e-9
        ]
        if not learnt:
            return ()
        found = self._recalled("pieces", self._by_pieces, kappa)
        return (np.sum(found[learnt[0] + 1 :], axis=0),)

    def _by_pieces(self, kappa: Array) -> Array:
        """Squared bias of the indices in each piece, shape (pieces, k)."""
        return np.concatenate([self._by_piece(some) for some in self._chunks(-np.log(kappa))], axis=1)

    def _by_piece(self, log_time: Array) -> Array:
        log_index, bias, _ = self._summands(log_time, self._edges(log_time))
        piece = sum((at <= log_time[:, None] for at in self._drift.log_breaks(log_index, self._spectrum.beta)), 0)
        return np.array([np.sum(np.where(piece == k, bias, 0.0), axis=1) for k in range(len(self._drift.ratios))])

    def _leading(self, log_time: Array) -> tuple[Array, Array]:
        beta, edges = self._spectrum.beta, self._edges(log_time)
        _, left, heard = self._summands(log_time, edges)
        bias, noise = np.sum(left, axis=1), np.sum(heard, axis=1)
        end, log_l = edges[:, -1], self._spectrum.log_eigenvalues(edges[:, -1])
        ratio = min(self._drift.ratios) if self._fixed else self._drift.ratios[0]
        faint = log_exposure(self._drift, end[:, None], log_l[:, None], beta, log_time[:, None])[:, 0]
        bias += np.exp(end + self._log_energy(end, log_l)) / (2.0 * beta * self._target.l2_index)
        noise += np.exp(end + 2.0 * faint) / (2.0 * ratio * beta - 1.0)
        return bias, noise

    def _summands(self, log_time: Array, edges: Array) -> tuple[Array, Array, Array]:
        """ln i of the nodes at each ln t, and their parts of bias and noise, each of shape (k, nodes)."""
        beta = self._spectrum.beta
        half = 0.5 * np.diff(edges)[:, :, None]
        x = (0.5 * (edges[:, 1:] + edges[:, :-1]))[:, :, None] + half * NODES
        with np.errstate(divide="ignore"):  # panels between kinks that are cut at one place are empty
            weight = (np.log(half * WEIGHTS) + x).reshape(len(log_time), -1)  # there may be more indices than doubles
        index = np.arange(1.0, HEAD + 1.0)
        first = np.ones(HEAD)
        first[-len(gregory_weights()) :] -= gregory_weights()
        log_index = np.concatenate(
            [np.broadcast_to(np.log(index), (len(log_time), HEAD)), x.reshape(len(log_time), -1)], axis=1
        )
        weight = np.concatenate([np.broadcast_to(np.log(first), (len(log_time), HEAD)), weight], axis=1)
        log_l = self._spectrum.log_eigenvalues(log_index)
        log_exposed = np.minimum(log_exposure(self._drift, log_index, log_l, beta, log_time[:, None]), _LARGEST_LOG)
        exposure = np.exp(log_exposed)
        with np.errstate(divide="ignore"):
            log_learnt = np.where(log_exposed < _LINEAR, log_exposed, np.log(-np.expm1(-exposure)))
        energy = weight + self._log_energy(log_index, log_l)
        return log_index, np.exp(energy - 2.0 * exposure), np.exp(weight + 2.0 * log_learnt)

    @property
    def _fixed(self) -> bool:
        """Whether the pieces begin at the same times for all indices."""
        return bool(self._drift.kinks(np.zeros(1), self._spectrum.beta).shape[1] == 0)

    def _log_energy(self, log_index: Array, log_l: Array) -> Array:
        return np.asarray(self._target.log_energy(log_index, log_l) + 2.0 * self._target.l2_index * log_l)

    def _edges(self, log_time: Array) -> Array:
        """Edges of the panels in ln i at each ln t, from ln 64 to beyond where anything has been learnt, shape (k, m)."""
        beta, start = self._spectrum.beta, math.log(HEAD)
        kinks = self._drift.kinks(log_time, beta)
        slowest = min(self._drift.ratios) if self._fixed else self._drift.ratios[0]
        most = max(0.0, *np.log(self._drift.gains)) + max(
            0.0, *(r * math.log(self._spectrum.scale) for r in self._drift.ratios)
        )
        end = (log_time + most + FAINT) / (beta * slowest)
        if kinks.shape[1]:
            # Faint as it is, what a piece has learnt of many indices is heard: all pieces are met. The end lies beyond the last
            # kink: on it, the rounding error of t, times an eigenvalue of the wrong piece, would count as learnt.
            end = np.maximum(end, kinks.max(axis=1) + 0.1)
        end = np.maximum(end, start + 1.0)
        width = min(3.0, PANEL / (beta * max(self._drift.ratios)))
        count = max(2, math.ceil(float(end.max() - start) / width) + 1)
        even = start + (end - start)[:, None] * np.linspace(0.0, 1.0, count)
        return np.sort(np.concatenate([even, np.clip(kinks, start, end[:, None])], axis=1), axis=1)
