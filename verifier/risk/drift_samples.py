r"""Monte Carlo on gradient flow under a drifting kernel: the noise of the sequence model is drawn, and every step of the flow is
made.

The leading indices are followed one by one, those beyond in groups of neighbours, each a multiple of the one before. The flow
:math:`\dot r_i = -l_i(t)r_i` goes in short steps of ln t, at the eigenvalue that the drift has in their middle, which does not know
where a piece of the drift begins or what its integral is: that is what is checked. A replicate is the mean risk of ``SAMPLES``
samples of the noise by their law: the mean square of that many normals is a chi-square variable, their mean a normal one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import zeta

from verifier.instances import DiagonalDrift, Instance, TurningDrift
from verifier.risk.simulate import Replicates
from verifier.risk.streams import stream

Array = NDArray[np.float64]

SAMPLES = 65_536
"""Samples of the noise whose risks a replicate averages."""

DIRECTIONS = 128
"""Leading indices that are followed one by one."""

GROWTH = 1.005
"""Ratio of the sizes of neighbouring groups beyond them."""

STEP = 0.002
"""Steps in ln t. With .01, and GROWTH 1.02, a drift of four pieces was off by 1e-3 of the risk at n = 3200."""

CHAIN_GROWTH, CHAIN_STEP = 1.02, 0.01
"""The same for eigenvectors that turn."""

START = -16.0
"""ln of l_1 times the time at which steps begin; before, nothing is learnt, to 1e-7."""

START_OF_CHAINS = -9.0
"""ln of l t of the slowest direction of a chain."""


def check_averaged(pairs: Sequence[tuple[int, float]], draws: Replicates) -> None:
    """Raise ValueError where noise and signs are not averaged, or a flow would not stop."""
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: under a drifting kernel both are averaged")
    if any(not lam > 0.0 for _, lam in pairs):
        raise ValueError(f"lam={min(lam for _, lam in pairs)!r} must be positive: a flow stops at the time 1/lambda")


def simulate_drift(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks of a flow under a drifting kernel at each (n, lambda), shape (draws.count, len(pairs)).

    ``directions`` p, by default 128. ``draws.noise`` and ``draws.signs`` must be "averaged"; ``draws.controls`` is without effect.
    All pairs meet the same noise. Work p ln(t)/STEP whatever the number of replicates.
    """
    check_averaged(pairs, draws)
    if isinstance(instance.drift, TurningDrift):
        return _simulate_turning(instance, pairs, draws)
    p = DIRECTIONS if directions is None else directions
    latest = max(-math.log(lam) for _, lam in pairs)
    index, count = _groups(instance, p, latest)
    log_l = instance.spectrum.log_eigenvalues(np.log(index))
    energy = count * np.exp(instance.target.log_energy(np.log(index), log_l) + 2.0 * instance.target.l2_index * log_l)
    # What lies beyond the last group is not learnt.
    outside = index[-1] + 0.5 * count[-1]
    log_l_outside = instance.spectrum.log_eigenvalues(np.log(np.array([outside])))
    log_outside = instance.target.log_energy(np.log(np.array([outside])), log_l_outside)
    log_outside += 2.0 * instance.target.l2_index * log_l_outside
    rest = outside * float(np.exp(log_outside)[0]) / (2.0 * instance.beta * instance.target.l2_index)
    kept = _kept(instance, np.log(index), log_l, np.array([-math.log(lam) for _, lam in pairs]))
    result = np.empty((draws.count, len(pairs)))
    for r in range(draws.count):
        generator = stream(draws.seed, *draws.key, "replicate", draws.first + r, "drift")
        square = generator.standard_gamma(0.5 * SAMPLES * count) / (0.5 * SAMPLES * count)
        mean = generator.standard_normal(len(index)) / math.sqrt(SAMPLES)
        for j, (n, _) in enumerate(pairs):
            deviation = instance.sigma / math.sqrt(n)
            learnt = 1.0 - kept[j]
            # (P f - (1 - P) sigma eps / sqrt n)^2, summed over a group and averaged over the samples.
            both = 2.0 * deviation * kept[j] * learnt * np.sqrt(energy) * mean
            result[r, j] = (
                float(np.sum(kept[j] ** 2 * energy - both + count * square * (deviation * learnt) ** 2)) + rest
            )
    return result


def _groups(instance: Instance, p: int, log_time: float) -> tuple[Array, Array]:
    """Middle indices and sizes of the groups, up to where less than 1e-4 has been learnt by any piece of the drift."""
    assert isinstance(instance.drift, DiagonalDrift)
    least = min(instance.drift.ratios) * instance.beta
    farthest = max(0.0, (log_time + math.log(max(instance.drift.gains)) + math.log(1e4)) / least) + math.log(4.0 * p)
    ends = [p + 0.5]
    while ends[-1] < math.exp(farthest):
        ends.append(ends[-1] * GROWTH)
    edges = np.array(ends)
    # The geometric mean: the energy of a group is that of a power of the index to second order in its size.
    middle, size = np.sqrt(edges[1:] * edges[:-1]), np.diff(edges)
    return np.concatenate([np.arange(1.0, p + 1.0), middle]), np.concatenate([np.ones(p), size])


def _kept(instance: Instance, log_index: Array, log_l: Array, log_times: Array) -> Array:
    """P_i at each time, shape (times, indices), by steps of the flow."""
    drift = instance.drift
    assert isinstance(drift, DiagonalDrift)
    ratios, gains = np.array(drift.ratios), np.array(drift.gains)
    breaks = np.array(drift.log_breaks(log_index, instance.beta)).reshape(len(ratios) - 1, len(log_index))
    now = START - float(log_l[0]) * float(ratios.max())
    gone = np.zeros_like(log_index)
    kept = np.empty((len(log_times), len(log_index)))
    for place in np.argsort(log_times):
        goal = float(log_times[place])
        steps = max(1, math.ceil((goal - now) / STEP))
        grid = np.linspace(min(now, goal), goal, steps + 1)
        # A piece that begins for all indices at one time begins between two steps.
        at_once = breaks[np.ptp(breaks, axis=1) == 0.0, 0]
        grid = np.union1d(grid, at_once[(at_once > grid[0]) & (at_once < goal)])
        for start, end in pairwise(grid):
            piece = np.sum(breaks <= 0.5 * (start + end), axis=0)
            rate = gains[piece] * np.exp(ratios[piece] * log_l)
            gone += rate * (math.exp(end) - math.exp(start))
        kept[place] = np.exp(-gone)
        now = goal
    return kept


FIRST_CHAINS = 256
"""Chains that are followed one by one: with 64, the sum over the groups beyond was off by 2.6e-4 of the risk at q = 8."""


def _simulate_turning(instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates) -> Array:
    """The same for eigenvectors that are turned: one chain by short steps with the matrix of their middle, all others on its
    scale.
    """
    drift = instance.drift
    assert isinstance(drift, TurningDrift)
    scale, beta, power = instance.spectrum, instance.beta, 2.0 * instance.beta * instance.target.l2_index + 1.0
    first = float(scale.log_eigenvalues(np.zeros(1))[0])
    log_tau = np.array([first - math.log(lam) for _, lam in pairs])
    grid, propagators = _propagators(drift, beta, float(log_tau.max()))
    size = propagators.shape[1]
    middle, count = _chains(drift.ratio, (float(log_tau.max()) - _slowest(drift)) / beta)
    unit = float(
        np.exp(instance.target.log_energy(np.zeros(1), np.array([first])) + 2.0 * instance.target.l2_index * first)[0]
    )
    shape = drift.ratio ** (-0.5 * power * np.arange(size))
    energy = unit * count * middle**-power
    rest = unit * float(zeta(power)) - float(energy.sum()) * float(
        shape @ shape
    )  # of what is beyond all chains, and their ends
    settings = []
    for u in log_tau:
        place = np.clip(u - beta * np.log(middle), grid[0], grid[-1])
        low = np.clip(np.searchsorted(grid, place, side="right") - 1, 0, len(grid) - 2)
        part = ((place - grid[low]) / (grid[low + 1] - grid[low]))[:, None, None]
        kept = (1.0 - part) * propagators[low] + part * propagators[low + 1]
        learnt = np.eye(size) - kept
        left = kept @ shape
        cross = (left[:, None, :] @ learnt)[:, 0, :]
        settings.append((float(energy @ np.sum(left * left, axis=1)), cross, np.swapaxes(learnt, 1, 2) @ learnt))
    result = np.empty((draws.count, len(pairs)))
    for r in range(draws.count):
        generator = stream(draws.seed, *draws.key, "replicate", draws.first + r, "drift")
        mean = generator.standard_normal((len(middle), size)) / math.sqrt(SAMPLES)
        # Second moments of SAMPLES normal vectors, to the order 1/SAMPLES: one, and a symmetric normal matrix.
        wobble = generator.standard_normal((len(middle), size, size)) * math.sqrt(2.0 / SAMPLES)
        for j, (n, _) in enumerate(pairs):
            lost, cross, square = settings[j]
            deviation = instance.sigma / math.sqrt(n)
            heard = count @ np.trace(square, axis1=1, axis2=2) + np.sqrt(count) @ np.einsum(
                "mij,mij->m", square, wobble
            )
            both = np.sqrt(energy) @ np.einsum("mj,mj->m", cross, mean)
            result[r, j] = lost + rest - 2.0 * deviation * float(both) + deviation**2 * float(heard)
    return result


def _slowest(drift: TurningDrift) -> float:
    """ln of l t of the slowest direction of a chain, whatever the matrices that it meets."""
    return START_OF_CHAINS - 0.5 * math.log(max(condition for _, condition, _ in drift.stages))


def _chains(ratio: int, log_last: float) -> tuple[Array, Array]:
    """First indices of chains, and how many chains each stands for: one by one, then groups of neighbours."""
    # The chains between two multiples of q lie evenly about their middle: groups begin at a multiple.
    last = max(1, FIRST_CHAINS // ratio) * ratio
    index = np.arange(1.0, last + 1.0)
    index = index[index % ratio != 0.0]
    ends = [float(last)]
    while ends[-1] < math.exp(log_last):
        ends.append(ends[-1] * CHAIN_GROWTH)
    edges = np.array(ends)
    middle, size = np.sqrt(edges[1:] * edges[:-1]), np.diff(edges) * (1.0 - 1.0 / ratio)
    return np.concatenate([index, middle]), np.concatenate([np.ones(len(index)), size])


def _propagators(drift: TurningDrift, beta: float, latest: float) -> tuple[Array, Array]:
    """ln tau on a grid of steps of at most CHAIN_STEP, and the propagator of one chain at each, shape (times, J, J)."""
    period = beta * math.log(drift.ratio)
    size = math.ceil((latest - _slowest(drift)) / period) + 2
    steps = math.ceil((latest - START) / CHAIN_STEP) + 1
    grid: Array = np.asarray(START + CHAIN_STEP * np.arange(steps + 1), dtype=np.float64)
    # A step that begins in one stage and ends in another would move the end of the stage by up to half a step: an error of
    # CHAIN_STEP/2 times the largest eigenvalue of M, 5% at a condition number of 100.
    since = np.cumsum([0.0, *(share * period for share, _, _ in drift.stages)])
    ends = (drift.start + period * np.arange(size - 1)[:, None] + since).ravel()
    grid = np.unique(np.concatenate([grid, ends[(ends > grid[0]) & (ends < grid[-1])]]).round(12))
    steps = len(grid) - 1
    ell = np.exp(-period * np.arange(size))
    root = np.sqrt(ell)
    state = np.diag(np.exp(-math.exp(START) * ell))
    found = np.empty((steps + 1, size, size))
    found[0] = state
    for k in range(steps):
        length = math.exp(grid[k + 1]) - math.exp(grid[k])
        metric = np.eye(size)
        for pair in range(size - 1):
            stage = _stage(drift, 0.5 * (grid[k] + grid[k + 1]) - drift.start - pair * period, period)
            if stage >= 0 and not (drift.moves and pair >= drift.moves):
                metric[pair : pair + 2, pair : pair + 2] = drift.matrix(stage, pair)
        values, vectors = np.linalg.eigh(root[:, None] * metric * root)
        state = (vectors * np.exp(-np.maximum(values, 0.0) * length)) @ vectors.T @ state
        found[k + 1] = state
    return grid, found


def _stage(drift: TurningDrift, since: float, period: float) -> int:
    """The stage of a pair whose first one began ``since`` ago in ln t; -1 for none."""
    for stage, (share, _, _) in enumerate(drift.stages):
        if 0.0 <= since < share * period:
            return stage
        since -= share * period
    return -1
