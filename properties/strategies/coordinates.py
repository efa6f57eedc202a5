"""Hypothesis strategies of samples whose coordinates have autocorrelations of their own; plain ones first."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.strategies.dependence import correlations, short_memory
from verifier.instances import Dependence, Independent, PerCoordinate, Process, White
from verifier.instances.coordinates import MOST_CLASSES


def per_coordinate(noise: SearchStrategy[Process] | None = None) -> SearchStrategy[Dependence]:
    """One to four correlations that the coordinates take in turn, of either sign, and noise of short memory (or ``noise``)."""
    rhos = st.lists(correlations(), min_size=1, max_size=MOST_CLASSES).map(tuple)

    def joined(both: tuple[tuple[float, ...], Process]) -> Dependence:
        white = not any(both[0]) and both[1] == White()
        return Independent() if white else PerCoordinate(rhos=both[0], noise=both[1])

    return st.tuples(rhos, short_memory() if noise is None else noise).map(joined)
