"""Hypothesis strategies of contexts: heads that are added to the kernel, of a number that is fixed or grows with the sample size.

Tails of added heads are the first head's, lighter by a short decimal, or heavier; numbers of heads are fixed, a multiple of ln n,
or a power of n. A single head comes first. No strategy knows which claim it serves.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.hypotheses import critical_growth
from properties.strategies import BETAS, decimals
from verifier.instances import CodiagonalHeads, DisjointHeads, Instance, OneHead, PowerLaw

DEGREES = (0.05, 0.9)
"""Least and largest degree g of H = c n^g that is drawn."""

STEEPER = 2.0
"""By how much the tail index of an added head exceeds that of the first one at most."""

FIXED = (2.0, 3.0, 1.0, 5.0, 10.0, 30.0, 100.0)
FACTORS = (1.0, 1.0, 1.0, 2.0, 0.5, 5.0)
SCALES = (1.0, 1.0, 1.0, 2.0, 0.5, 10.0, 0.1)
WEIGHTINGS = (1.0, 0.0, 0.5)
"""Means first, then sums, then what lies between."""

GEOMETRIES = (CodiagonalHeads, DisjointHeads)
Growth = dict[str, float]

NEAR = 0.3
"""How far from the critical growth degrees are drawn that are meant to lie near it."""


def fixed() -> SearchStrategy[Growth]:
    """The same number of heads at every n."""
    return st.sampled_from(FIXED).map(lambda count: {"factor": count})


def several() -> SearchStrategy[Growth]:
    """The same number of heads at every n, two or more."""
    return fixed().filter(lambda law: law["factor"] > 1.0)


def logarithmic() -> SearchStrategy[Growth]:
    """H = c ln n."""
    return st.sampled_from(FACTORS).map(lambda factor: {"factor": factor, "logarithms": 1.0})


def powers() -> SearchStrategy[Growth]:
    """H = c n^g."""
    drawn = st.tuples(st.sampled_from(FACTORS), decimals(*DEGREES, near=0.5))
    return drawn.map(lambda parts: {"factor": parts[0], "degree": parts[1]})


def no_heavier() -> SearchStrategy[float]:
    """What is added to the tail index of the first head: nothing, or up to :data:`STEEPER`."""
    return decimals(0.0, STEEPER, near=0.0)


def no_other() -> SearchStrategy[float]:
    """Nothing."""
    return st.just(0.0)


def lighter() -> SearchStrategy[float]:
    """What is added to it, at least a half: enough for a growth that is not felt."""
    return decimals(0.5, 2.0 * STEEPER, near=STEEPER)


def heavier() -> SearchStrategy[float]:
    """What is taken from it."""
    return decimals(-STEEPER, -0.1, near=-0.5)


def with_heads(
    base: SearchStrategy[Instance],
    growth: SearchStrategy[Growth],
    steeper: SearchStrategy[float] | None = None,
    geometries: tuple[Any, ...] = GEOMETRIES,
    weightings: tuple[float, ...] = WEIGHTINGS,
) -> SearchStrategy[Instance]:
    """Instances of ``base`` with a context (default: with tails no heavier than that of the first head)."""
    offsets = no_heavier() if steeper is None else steeper
    drawn = st.tuples(
        st.sampled_from(geometries), st.sampled_from(weightings), st.sampled_from(SCALES), growth, offsets, base
    )

    def built(parts: tuple[Any, float, float, Growth, float, Instance]) -> Instance:
        geometry, weighting, scale, law, offset, instance = parts
        beta = min(max(round(instance.beta + offset, 3), BETAS[0]), BETAS[1] + 2.0 * STEEPER)
        heads = geometry(added=PowerLaw(beta=beta, scale=scale), weighting=weighting, **law)
        return dataclasses.replace(instance, context=OneHead() if law == {"factor": 1.0} else heads)

    return drawn.map(built)


def near_the_critical_growth(
    base: SearchStrategy[Instance], low: float = -NEAR, high: float = NEAR
) -> SearchStrategy[Instance]:
    """The contexts of ``base`` with H = c n^g, g a short decimal that is between ``low`` and ``high`` off the critical growth."""

    def moved(parts: tuple[float, Instance]) -> Instance:
        offset, instance = parts
        degree = min(max(round(critical_growth(instance) + offset, 2), DEGREES[0]), DEGREES[1])
        context: Any = instance.context
        return dataclasses.replace(instance, context=dataclasses.replace(context, degree=degree, logarithms=0.0))

    return st.tuples(decimals(low, high, near=min(max(0.0, low), high)), base).map(moved)
