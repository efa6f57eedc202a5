"""Hypothesis strategies of transforms, plain ones first: what a counterexample shrinks to is the first that breaks the claim.

All are boundedly invertible, with condition numbers from 1 to 100: a strength that is too large is halved until it is not, and
a product keeps as many of its factors as fit. No strategy knows which claim it serves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.strategies import decimals
from verifier.instances import (
    Axis,
    BandedShear,
    BlockRotation,
    Composition,
    DiagonalTransform,
    Direction,
    FullRotation,
    Identity,
    Instance,
    PowerDirection,
    RankOneTransform,
    Reflection,
    SparseDirection,
    Transform,
)

STRENGTHS = (1.0, 2.0, 0.5, 5.0, -0.5, 9.0, -1.0, 90.0)
"""9 is a condition number of 83 between orthogonal directions, 90 one of 91 along a single one."""

BOUNDS = (1.0, 2.0, 0.5, 5.0, 0.2, 10.0, 20.0)


def axes() -> SearchStrategy[Direction]:
    """Single eigenvectors."""
    return st.sampled_from([1, 2, 3, 5, 10]).map(Axis)


def power_directions() -> SearchStrategy[Direction]:
    """Directions that decay as i^-gamma, gamma from .55 to 1.5; faster ones are hardly told from sparse ones."""
    return decimals(0.55, 1.5, near=1.0).map(PowerDirection)


def sparse_directions() -> SearchStrategy[Direction]:
    """Directions with two or three entries."""
    entries = st.dictionaries(
        st.sampled_from([1, 2, 3, 5, 8, 13]), st.sampled_from([1.0, -1.0, 2.0, 0.5]), min_size=2, max_size=3
    )
    return entries.map(lambda found: SparseDirection(tuple(found), tuple(found.values())))


def directions() -> SearchStrategy[Direction]:
    """Directions of every kind; powers of the index, the only ones with infinitely many entries, are three of five."""
    return _any_of([axes(), power_directions(), sparse_directions(), power_directions(), power_directions()])


def diagonal_transforms() -> SearchStrategy[Transform]:
    """Bounded multipliers, which commute with the covariance."""
    bounds = st.lists(st.sampled_from(BOUNDS), min_size=2, max_size=2, unique=True).map(sorted)
    alternating = bounds.map(lambda found: DiagonalTransform(found[0], found[1]))
    periodic = st.tuples(bounds, st.sampled_from([2.0, 1.0, 3.0, 5.0])).map(
        lambda parts: DiagonalTransform(parts[0][0], parts[0][1], "log-periodic", parts[1])
    )
    return _any_of([alternating, periodic])


def rank_one_transforms() -> SearchStrategy[Transform]:
    """1 + c u v*, u and v of every kind."""
    return st.tuples(st.sampled_from(STRENGTHS), directions(), directions()).map(lambda parts: _rank_one(*parts))


def _rank_one(c: float, left: Direction, right: Direction) -> Transform:
    """With the first of c, c/2, c/4, ... that keeps the condition number below its limit."""
    while True:
        try:
            return RankOneTransform(c, left, right)
        except ValueError:
            c *= 0.5


def block_rotations() -> SearchStrategy[Transform]:
    """Haar rotation times diagonal on the first coordinates."""
    bounds = st.lists(st.sampled_from(BOUNDS), min_size=2, max_size=2).map(sorted)
    return st.tuples(st.sampled_from([2, 3, 4, 8, 16]), bounds, st.sampled_from(range(20))).map(
        lambda parts: BlockRotation(parts[0], parts[1][0], parts[1][1], parts[2])
    )


def banded_shears() -> SearchStrategy[Transform]:
    """Banded shears of the first coordinates."""
    return st.tuples(st.sampled_from([2, 3, 4, 8]), st.sampled_from(STRENGTHS)).map(lambda parts: _shear(*parts))


def _shear(size: int, c: float) -> Transform:
    while True:
        try:
            return BandedShear(size, c)
        except ValueError:
            c *= 0.5


def full_rotations() -> SearchStrategy[Transform]:
    """Haar rotation of all coordinates times diagonal, for finite spectra."""
    bounds = st.lists(st.sampled_from(BOUNDS), min_size=2, max_size=2, unique=True).map(sorted)
    return st.tuples(bounds, st.sampled_from(range(5))).map(
        lambda parts: FullRotation(parts[0][0], parts[0][1], parts[1])
    )


def balanced_rotations() -> SearchStrategy[Transform]:
    """Haar rotation of all coordinates times diagonal from 1/b to b, condition numbers b^2 up to 2: rescaling without a scale of
    its own, which the schedule would not follow.
    """
    return st.tuples(st.sampled_from([0.8, 0.9, 0.75, 0.71]), st.sampled_from(range(5))).map(
        lambda parts: FullRotation(parts[0], 1.0 / parts[0], parts[1])
    )


def reflections() -> SearchStrategy[Transform]:
    """Householder reflections: unitary."""
    return directions().map(Reflection)


def compositions(factors: SearchStrategy[Transform]) -> SearchStrategy[Transform]:
    """Products of two or three factors, or of as many of the first of them as a condition number of 100 leaves room for."""
    return st.lists(factors, min_size=2, max_size=3).map(_composed)


def _composed(parts: Sequence[Transform]) -> Transform:
    for count in range(len(parts), 1, -1):
        try:
            return Composition(tuple(parts[:count]))
        except ValueError:
            continue
    return parts[0]


def commuting_transforms() -> SearchStrategy[Transform]:
    """The identity, bounded multipliers and products of them."""
    return _any_of([st.just(Identity()), diagonal_transforms(), compositions(diagonal_transforms())])


def transforms() -> SearchStrategy[Transform]:
    """Transforms of every kind. Rank-one transforms and products, which have more parameters, come up more often."""
    kinds = [diagonal_transforms(), rank_one_transforms(), _any_of([block_rotations(), banded_shears()]), reflections()]
    several = compositions(_any_of([*kinds, rank_one_transforms(), rank_one_transforms()]))
    return _any_of([st.just(Identity()), *kinds, several, *[rank_one_transforms()] * 3, *[several] * 2])


def coupling_transforms() -> SearchStrategy[Transform]:
    """Transforms that move eigenvectors, rank-one ones more often: they alone reach all of them."""
    turned = _any_of([block_rotations(), banded_shears(), reflections()])
    several = compositions(_any_of([rank_one_transforms(), rank_one_transforms(), turned]))
    return _any_of([rank_one_transforms(), rank_one_transforms(), turned, several])


def _any_of(kinds: Sequence[SearchStrategy[Any]]) -> SearchStrategy[Any]:
    """One of the kinds, each as likely as another: st.one_of would count the kinds inside a kind."""
    return st.sampled_from(range(len(kinds))).flatmap(lambda k: kinds[k])


def transformed(
    instances: SearchStrategy[Instance], by: SearchStrategy[Transform] | None = None
) -> SearchStrategy[Instance]:
    """The instances under transforms (default: of every kind)."""

    def apply(parts: tuple[Instance, Transform]) -> Instance:
        return dataclasses.replace(parts[0], transform=parts[1])

    return st.tuples(instances, transforms() if by is None else by).map(apply)
