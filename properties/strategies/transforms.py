"""Hypothesis strategies of transforms, plain ones first: what a counterexample shrinks to is the first that breaks the claim.

All are boundedly invertible by construction, with condition numbers from 1 to 100; combinations that are not are rejected. No
strategy knows which claim it serves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.strategies import decimals
from verifier.instances import (
    Axis,
    BlockRotation,
    Composition,
    DiagonalTransform,
    Direction,
    Identity,
    Instance,
    PowerDirection,
    RankOneTransform,
    Reflection,
    SparseDirection,
    Transform,
)

STRENGTHS = (1.0, 2.0, 0.5, 5.0, -0.5, 10.0, -1.0, 20.0)
BOUNDS = (1.0, 2.0, 0.5, 5.0, 0.2, 10.0, 0.1, 20.0)


@st.composite
def _built(draw: st.DrawFn, /, build: Callable[..., Transform], **parts: SearchStrategy[Any]) -> Transform:
    """What ``build`` makes of the parts, rejected where it refuses them."""
    drawn = {name: draw(part) for name, part in parts.items()}
    try:
        return build(**drawn)
    except ValueError:
        reject()


def axes() -> SearchStrategy[Direction]:
    """Single eigenvectors."""
    return st.sampled_from([1, 2, 3, 5, 10]).map(Axis)


def power_directions() -> SearchStrategy[Direction]:
    """Directions that decay as i^-gamma, gamma from .55 to 3."""
    return decimals(0.55, 3.0, near=1.0).map(PowerDirection)


def sparse_directions() -> SearchStrategy[Direction]:
    """Directions with two or three entries."""
    entries = st.dictionaries(
        st.sampled_from([1, 2, 3, 5, 8, 13]), st.sampled_from([1.0, -1.0, 2.0, 0.5]), min_size=2, max_size=3
    )
    return entries.map(lambda found: SparseDirection(tuple(found), tuple(found.values())))


def directions() -> SearchStrategy[Direction]:
    """Directions of every kind."""
    return st.one_of(axes(), power_directions(), sparse_directions())


def diagonal_transforms() -> SearchStrategy[Transform]:
    """Bounded multipliers, which commute with the covariance."""
    bounds = st.lists(st.sampled_from(BOUNDS), min_size=2, max_size=2, unique=True).map(sorted)

    def build(bounds: Sequence[float], pattern: str, frequency: float) -> Transform:
        return DiagonalTransform(bounds[0], bounds[1], pattern, frequency)

    alternating = _built(build, bounds=bounds, pattern=st.just("alternating"), frequency=st.just(1.0))
    periodic = _built(
        build, bounds=bounds, pattern=st.just("log-periodic"), frequency=st.sampled_from([2.0, 1.0, 3.0, 5.0])
    )
    return alternating | periodic


def rank_one_transforms() -> SearchStrategy[Transform]:
    """1 + c u v*, u and v of every kind."""
    return _built(RankOneTransform, c=st.sampled_from(STRENGTHS), left=directions(), right=directions())


def block_rotations() -> SearchStrategy[Transform]:
    """Haar rotation times diagonal on the first coordinates."""
    bounds = st.lists(st.sampled_from(BOUNDS), min_size=2, max_size=2).map(sorted)

    def build(size: int, bounds: Sequence[float], seed: int) -> Transform:
        return BlockRotation(size, bounds[0], bounds[1], seed)

    return _built(build, size=st.sampled_from([2, 3, 4, 8, 16]), bounds=bounds, seed=st.sampled_from(range(20)))


def commuting_transforms() -> SearchStrategy[Transform]:
    """The identity, bounded multipliers and products of two of them."""
    pair = st.tuples(diagonal_transforms(), diagonal_transforms())
    return st.one_of(st.just(Identity()), diagonal_transforms(), _built(_composed, parts=pair))


def transforms() -> SearchStrategy[Transform]:
    """Transforms of every kind, products of two or three included."""
    single = st.one_of(diagonal_transforms(), rank_one_transforms(), block_rotations(), directions().map(Reflection))
    several = st.lists(single, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.just(Identity()), single, _built(_composed, parts=several))


def _composed(parts: tuple[Transform, ...]) -> Transform:
    return Composition(parts)


def transformed(
    instances: SearchStrategy[Instance], by: SearchStrategy[Transform] | None = None
) -> SearchStrategy[Instance]:
    """The instances under transforms (default: of every kind)."""

    def apply(parts: tuple[Instance, Transform]) -> Instance:
        return dataclasses.replace(parts[0], transform=parts[1])

    return st.tuples(instances, transforms() if by is None else by).map(apply)
