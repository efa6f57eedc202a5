"""Hypothesis strategies of samples whose coordinates have autocorrelations of their own, or one another's; plain ones first."""

from __future__ import annotations

import math

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.strategies.dependence import correlations, short_memory
from verifier.instances import (
    Dependence,
    FadingRhos,
    Independent,
    PerCoordinate,
    Process,
    SpreadRhos,
    VectorAutoregression,
    White,
)
from verifier.instances.coordinates import MOST_CLASSES


def per_coordinate(noise: SearchStrategy[Process] | None = None) -> SearchStrategy[Dependence]:
    """One to four correlations that the coordinates take in turn, of either sign, and noise of short memory (or ``noise``)."""
    rhos = st.lists(correlations(), min_size=1, max_size=MOST_CLASSES).map(tuple)

    def joined(both: tuple[tuple[float, ...], Process]) -> Dependence:
        white = not any(both[0]) and both[1] == White()
        return Independent() if white else PerCoordinate(rhos=both[0], noise=both[1])

    return st.tuples(rhos, short_memory() if noise is None else noise).map(joined)


def vector_autoregressions(noise: SearchStrategy[Process] | None = None) -> SearchStrategy[Dependence]:
    """Pairs of coordinates that are coupled: damped rotations, two correlations along turned axes, and shears, of norm up to .9;
    noise of short memory (or ``noise``).
    """
    angles = st.sampled_from([k * math.pi / 12.0 for k in (3, 6, 2, 4, 1, 5, 8, 10, 12)])
    heard = short_memory() if noise is None else noise
    rotations = st.builds(VectorAutoregression.rotation, correlations(low=0.1), angles, heard)
    turned = st.builds(VectorAutoregression.symmetric, correlations(), correlations(), angles, heard)
    # The norm of ((r, t), (0, r)) is (|t| + (t^2 + 4 r^2)^(1/2))/2, at most |r| + |t|.
    sheared = st.tuples(st.sampled_from([0.1, 0.3, 0.0, -0.3, 0.2]), st.sampled_from([0.6, 0.3, -0.6, 0.5]), heard).map(
        lambda part: VectorAutoregression(((part[0], part[1]), (0.0, part[0])), part[2])
    )
    return st.one_of(rotations, turned, sheared)


def laws_of_correlations(noise: SearchStrategy[Process] | None = None) -> SearchStrategy[Dependence]:
    """A correlation for every coordinate: spread over an interval, or tending to a limit; noise of short memory (or ``noise``)."""
    ends = st.sampled_from([0.5, 0.0, -0.5, 0.8, -0.8, 0.3, -0.2, 0.6])
    distinct = st.tuples(ends, ends).filter(lambda both: both[0] != both[1])
    spread = distinct.map(lambda both: SpreadRhos(min(both), max(both)))
    fading = st.tuples(distinct, st.sampled_from([1.0, 2.0, 1.5])).map(lambda part: FadingRhos(*part[0], part[1]))
    return st.builds(PerCoordinate, spread | fading, short_memory() if noise is None else noise)
