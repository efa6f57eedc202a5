r"""Monte Carlo on a gradient flow whose features are moved: the transforms as matrices, the noise drawn.

The first 256 coordinates are kept one by one, those beyond in cells (:func:`verifier.risk.eigenbasis.moved`): a cell of weight w is
one coordinate that the transforms couple, and w - 1 that decay by the diagonal part alone. Each T is made of its factors and
decomposed by its singular vectors; neither the low-rank form of T*T nor the nodes of
:mod:`verifier.risk.transformed_drift` are used, which is what is checked. A replicate is the mean risk of ``SAMPLES`` samples of
the noise by their law, as in :mod:`verifier.risk.drift_samples`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance, TransformedDrift
from verifier.risk.drift_samples import SAMPLES, check_averaged
from verifier.risk.eigenbasis import Moved, moved
from verifier.risk.simulate import Replicates
from verifier.risk.streams import stream

Array = NDArray[np.float64]

COORDINATES = 256
"""Coordinates that are kept one by one."""


def simulate_transformed_drift(instance: Instance, pairs: Sequence[tuple[int, float]], draws: Replicates) -> Array:
    """Excess risks of a flow whose features are moved at each (n, lambda), shape (draws.count, len(pairs)).

    All pairs meet the same noise, whose mean over samples is drawn ("averaged").
    """
    check_averaged(pairs, draws)
    drift = instance.drift
    assert isinstance(drift, TransformedDrift)
    basis = moved(instance.spectrum, instance.target, drift.transforms, COORDINATES)
    found = [_propagated(drift, basis, 1.0 / lam) for _, lam in pairs]
    settings = []
    for kept, alone in found:
        missing = np.eye(len(kept)) - kept
        lost = kept @ basis.f
        further = np.maximum(basis.weight - 1.0, 0.0)
        settings.append((float(lost @ lost) + basis.beyond, lost @ missing, missing.T @ missing, further, alone))
    q = len(basis.f)
    result = np.empty((draws.count, len(pairs)))
    for r in range(draws.count):
        generator = stream(draws.seed, *draws.key, "replicate", draws.first + r, "drift")
        mean = generator.standard_normal(q) / math.sqrt(SAMPLES)
        wobble = generator.standard_normal((q, q)) * math.sqrt(2.0 / SAMPLES)
        others = generator.standard_gamma(0.5 * SAMPLES * np.maximum(basis.weight - 1.0, 1e-300)) / (0.5 * SAMPLES)
        for j, (n, _) in enumerate(pairs):
            bias, crossed, square, further, alone = settings[j]
            deviation = instance.sigma / math.sqrt(n)
            heard = (
                np.trace(square) + np.sum(square * wobble) + (1.0 - alone) ** 2 @ np.where(further > 0.0, others, 0.0)
            )
            result[r, j] = bias - 2.0 * deviation * float(crossed @ mean) + deviation**2 * float(heard)
    return result


def _propagated(drift: TransformedDrift, basis: Moved, time: float) -> tuple[Array, Array]:
    """The propagator up to a time, shape (q, q), and what the diagonal parts alone leave of each coordinate."""
    schedule = drift.schedule(time)
    ends = [*(start for start, _ in schedule[1:]), time]
    kept, exposed = np.eye(len(basis.f)), np.zeros(len(basis.f))
    for (start, k), end in zip(schedule, ends, strict=True):
        kernel = basis.kernels[k]
        kept = (kernel.vectors.T * np.exp(-kernel.eigenvalues * (end - start))) @ (kernel.vectors @ kept)
        exposed += basis.rates[k] * (end - start)
    return kept, np.exp(-exposed)
