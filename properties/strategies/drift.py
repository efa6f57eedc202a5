"""Hypothesis strategies of drifting kernels: schedules are drawn piece by piece, so that the search composes its adversary."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.strategies import decimals
from properties.strategies.transforms import coupling_transforms, rank_one_transforms
from verifier.instances import (
    FrontDrift,
    GradientFlow,
    Identity,
    Instance,
    Noise,
    SteppedDrift,
    Transform,
    TransformedDrift,
    TurningDrift,
)

STEEPEST = 2.0
"""Largest ratio of the tail index of a drifting kernel to that of Sigma."""

LEAST_TAIL = 1.05
TIMES = (1.0, 10.0, 100.0, 1000.0)


def least_ratio(beta: float) -> float:
    """Smallest ratio drawn, a decimal: .4, or what leaves the kernel a tail index of 1.05."""
    return max(0.4, math.ceil(100.0 * LEAST_TAIL / beta) / 100.0)


def ratios(beta: float) -> SearchStrategy[float]:
    """Ratios of the tail index to that of Sigma."""
    return decimals(least_ratio(beta), STEEPEST, near=1.0)


LEAST_POWER = 2.0
"""Least power of the index that a piece which learns anything brings to the integrated eigenvalue."""


def learns_at_once(drift: FrontDrift, beta: float) -> bool:
    r"""Whether each piece learns what it learns soon, or not at all. At its end the piece of ratio rho has brought :math:`i^p` to
    the integrated eigenvalue of the index i, :math:`p = \beta(1/x - \rho)`: what is left of the index is :math:`e^{-i^p}`, which
    for small positive p is no power of anything until n is astronomical.
    """
    powers = (beta * (1.0 / x - ratio) for x, ratio in zip(drift.positions, drift.ratios, strict=False))
    return not any(0.0 < power < LEAST_POWER for power in powers)


def front_drifts(beta: float) -> SearchStrategy[FrontDrift]:
    """Drifts that react to the front of learning, with one to three changes."""
    return _front_drifts(beta).filter(lambda drift: learns_at_once(drift, beta))


@st.composite
def _front_drifts(draw: st.DrawFn, beta: float) -> FrontDrift:
    positions = draw(st.lists(decimals(0.3, 3.0, near=1.0, places=1), min_size=1, max_size=3, unique=True))
    drawn = [draw(ratios(beta)) for _ in range(len(positions) + 1)]
    return FrontDrift(positions=tuple(sorted(positions, reverse=True)), ratios=tuple(drawn))


@st.composite
def half_learning_drifts(draw: st.DrawFn, beta: float) -> FrontDrift:
    """Drifts that take back what is needed once an index is half learnt: a flat tail up to then, a steep one from then on."""
    flat = draw(decimals(least_ratio(beta), 1.0, near=1.0))
    return FrontDrift(positions=(1.0 / flat,), ratios=(flat, draw(decimals(1.0, STEEPEST, near=1.0))))


@st.composite
def gain_drifts(draw: st.DrawFn, beta: float) -> FrontDrift:
    """Drifts of the constants alone, for ever, between a tenth and ten times."""
    positions = draw(st.lists(decimals(0.3, 3.0, near=1.0, places=1), min_size=1, max_size=3, unique=True))
    pieces = len(positions) + 1
    gains = tuple(draw(st.sampled_from([1.0, 2.0, 0.5, 5.0, 0.2, 10.0, 0.1])) for _ in range(pieces))
    return FrontDrift(positions=tuple(sorted(positions, reverse=True)), ratios=(1.0,) * pieces, gains=gains)


@st.composite
def stopping_drifts(draw: st.DrawFn, beta: float) -> SteppedDrift:
    """Drifts that stop by the time 1000, with one to three changes."""
    times = tuple(sorted(draw(st.lists(st.sampled_from(TIMES), min_size=1, max_size=3, unique=True))))
    return SteppedDrift(times=times, ratios=tuple(draw(ratios(beta)) for _ in range(len(times) + 1)))


def drifting(
    base: SearchStrategy[Instance], drifts: Callable[[float], SearchStrategy[Any]]
) -> SearchStrategy[Instance]:
    """Instances of ``base`` that are learnt by a flow whose kernel drifts; ``drifts`` makes a strategy from the tail index."""

    def moved(instance: Instance) -> SearchStrategy[Instance]:
        return drifts(instance.beta).map(
            lambda drift: dataclasses.replace(instance, filter=GradientFlow(), drift=drift)
        )

    return base.flatmap(moved)


CONDITIONS = (100.0, 4.0, 50.0, 16.0, 2.0, 9.0)
"""Condition numbers of the transforms that turn a pair."""


def moderate_noises() -> SearchStrategy[Noise]:
    """Label noise that is heard at the sample sizes of a simulation."""
    return st.sampled_from([1.0, 2.0, 0.5, 5.0]).map(lambda sigma: Noise(sigma=sigma))


@st.composite
def turns(draw: st.DrawFn, beta: float, conditions: tuple[float, ...] = CONDITIONS) -> TurningDrift:
    """Transforms of eigenvectors at drawn times, of drawn durations, conditions and angles, at the front of learning, for ever."""
    count = draw(st.sampled_from([1, 1, 2]))
    shares = (1.0, 0.5, 0.3) if count == 1 else (0.5, 0.3)
    stage = st.tuples(
        st.sampled_from(shares),
        st.sampled_from(conditions),
        st.sampled_from([75.0, -75.0, 60.0, -60.0, 45.0, -45.0, 80.0, -80.0, 30.0, -30.0]),
    )
    ratio = draw(st.sampled_from([4, 8, 16, 2] if beta >= 1.5 else [4, 8, 16]))
    start = draw(st.sampled_from([-2.0, -1.0, 0.0, 1.0]))
    return TurningDrift(ratio=ratio, start=start, stages=tuple(draw(stage) for _ in range(count)))


@st.composite
def turns_that_stop(draw: st.DrawFn, beta: float) -> TurningDrift:
    """The same for the first one to three pairs of each chain: as many moves of any direction."""
    return dataclasses.replace(draw(turns(beta)), moves=draw(st.integers(1, 3)))


@st.composite
def turns_that_fade(draw: st.DrawFn, beta: float) -> TurningDrift:
    """The same with logarithms of the condition numbers that have a finite sum."""
    return dataclasses.replace(draw(turns(beta, (4.0, 2.0, 9.0, 16.0))), fading=draw(st.sampled_from([2.0, 3.0])))


STARTS = (1.0, 0.1, 10.0, 100.0)
"""Times at which features are moved: before, and well after, the first of them are learnt."""


@st.composite
def schedules(draw: st.DrawFn, beta: float, factors: tuple[float, ...] = (0.0,)) -> TransformedDrift:
    """Transforms at one to three drawn times, each staying until the next; with a factor, again and again."""
    times = tuple(sorted(draw(st.lists(st.sampled_from(STARTS), min_size=1, max_size=3, unique=True))))
    moved: SearchStrategy[Transform] = coupling_transforms() | st.just(Identity())
    transforms = tuple(draw(moved) for _ in range(len(times) + 1))
    factor = draw(st.sampled_from([found for found in factors if found == 0.0 or found > times[-1] / times[0]]))
    return TransformedDrift(times=times, transforms=transforms, factor=factor)


def lasting_schedules(beta: float) -> SearchStrategy[TransformedDrift]:
    """The same, some of them for ever."""
    return schedules(beta, factors=(0.0, 30.0, 2000.0))


def _reaches_all(transform: Transform) -> bool:
    return any(math.isfinite(d.gamma) for factor in transform.factors for d in factor.directions)


@st.composite
def moved_and_back(draw: st.DrawFn, beta: float) -> TransformedDrift:
    """A transform of rank one with a power of the index among its directions up to a drawn time, then none; once, or for ever."""
    moved, back = draw(rank_one_transforms().filter(_reaches_all)), Identity()
    time = draw(st.sampled_from(STARTS))
    if draw(st.booleans()):
        return TransformedDrift(times=(time, 10.0 * time), transforms=(moved, back, moved), factor=100.0)
    return TransformedDrift(times=(time,), transforms=(moved, back))
