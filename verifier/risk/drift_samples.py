r"""Monte Carlo on gradient flow under a drifting kernel: the noise of the sequence model is drawn, and every step of the flow is made.

The leading indices are followed one by one, those beyond in groups of neighbours, each a multiple of the one before. The flow
:math:`\dot r_i = -l_i(t)r_i` goes in short steps of ln t, at the eigenvalue that the drift has in their middle, which does not know
where a piece of the drift begins or what its integral is: that is what is checked. A replicate is the mean risk of ``SAMPLES`` samples
of the noise by their law: the mean square of that many normals is a chi-square variable, their mean a normal one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from verifier.instances import DiagonalDrift, Instance
from verifier.risk.simulate import Replicates
from verifier.risk.streams import stream

Array = NDArray[np.float64]

SAMPLES = 65_536
"""Samples of the noise whose risks a replicate averages."""

DIRECTIONS = 128
"""Leading indices that are followed one by one."""

GROWTH = 1.02
"""Ratio of the sizes of neighbouring groups beyond them."""

STEP = 0.01
"""Steps in ln t."""

START = -16.0
"""ln of l_1 times the time at which steps begin; before, nothing is learnt, to 1e-7."""


def simulate_drift(
    instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates, directions: int | None = None
) -> Array:
    """Excess risks of a flow under a drifting kernel at each (n, lambda), shape (draws.count, len(pairs)).

    ``directions`` p, by default 128. ``draws.noise`` and ``draws.signs`` must be "averaged"; ``draws.controls`` is without effect.
    All pairs meet the same noise. Work p ln(t)/STEP whatever the number of replicates.
    """
    if not draws.averaged:
        raise ValueError(f"noise={draws.noise!r}, signs={draws.signs!r}: under a drifting kernel both are averaged")
    if any(not lam > 0.0 for _, lam in pairs):
        raise ValueError(f"lam={min(lam for _, lam in pairs)!r} must be positive: a flow stops at the time 1/lambda")
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
        for start, end in zip(grid[:-1], grid[1:], strict=True):
            piece = np.sum(breaks <= 0.5 * (start + end), axis=0)
            rate = gains[piece] * np.exp(ratios[piece] * log_l)
            gone += rate * (math.exp(end) - math.exp(start))
        kept[place] = np.exp(-gone)
        now = goal
    return kept
