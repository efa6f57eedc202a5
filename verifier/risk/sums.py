"""Spectral sums of the deterministic equivalent, as they are handed around: plain carriers, without formulas of their own
(:mod:`verifier.risk.equivalents` says what they are).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sums:
    """Spectral sums at each kappa (shape of kappa)."""

    df1: Array
    df2: Array
    bias: Array


@dataclass(frozen=True, eq=False)
class CurvedSums(Sums):
    """The sums with their first and second derivatives in ln kappa."""

    df2_slope: Array
    df2_curvature: Array
    bias_slope: Array
    bias_curvature: Array
