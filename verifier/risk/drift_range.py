"""How far the curve of a drifting kernel can be followed."""

from __future__ import annotations

import math

import numpy as np

from verifier.instances import DiagonalDrift, Instance
from verifier.risk.drift import FARTHEST, SequenceEquivalent
from verifier.risk.equivalents import Tuning, equivalent, ridge

DEEPEST = 300.0
"""Largest ln t on a curve."""


def drifting_range(instance: Instance, start: float, tuning: Tuning) -> tuple[float, float]:
    r"""Interval of ln n on which the curve of a drifting kernel is followed, up to e^600 samples.

    From where the drift is what it will be: what was learnt early is forgotten at the square or so of the time at which a drift
    stops. To ln t = 300, the best time being at most of the order :math:`n^{\rho_+/(2s + 1/\beta)}`; with eigenvectors that turn,
    to the last time at which their chains are known.
    """
    drift = instance.drift
    balance = 2.0 * instance.target.l2_index + 1.0 / instance.beta  # ln n over ln t where nothing drifts
    if isinstance(drift, DiagonalDrift):
        onset = float(getattr(drift, "onset", 0.0)) / min(1.0, *drift.ratios)
        return max(start, 2.0 * onset * balance), min(DEEPEST * balance / max(1.0, *drift.ratios), FARTHEST)
    engine = equivalent(instance, -1.0)
    assert isinstance(engine, SequenceEquivalent)
    if tuning == "optimal":
        return start, min(engine.log_last_size(), FARTHEST)
    log_n = np.arange(start, FARTHEST, 1.0)
    early = np.flatnonzero(ridge(instance, np.exp(log_n), tuning) >= math.exp(-engine.latest))
    return start, float(log_n[early[-1]]) if early.size else start
