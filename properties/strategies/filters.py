"""Hypothesis strategies of descents: on the whole sample, stopped early, and in a single pass over it."""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from verifier.instances import Filter, GradientDescent, GradientFlow, HeavyBall, Instance, MultiPass, SinglePass

STEPS = (0.5, 0.2, 0.1, 0.01)
"""Steps of gradient descent, in units of 1/l_1."""


def descents() -> SearchStrategy[Filter]:
    """Gradient flow, and gradient descent of large and small steps, without and with momentum."""
    return (
        st.just(GradientFlow())
        | st.sampled_from(STEPS).map(GradientDescent)
        | st.sampled_from(((0.01, 0.5), (0.01, 0.7), (0.1, 0.3))).map(lambda parts: HeavyBall(*parts))
    )


def small_steps() -> SearchStrategy[Filter]:
    """Gradient flow, and gradient descent of small steps, without and with momentum: those that dependent samples keep stable."""
    return (
        st.just(GradientFlow())
        | st.sampled_from([step for step in STEPS if step <= 0.1]).map(GradientDescent)
        | st.sampled_from(((0.01, 0.5), (0.01, 0.7))).map(lambda parts: HeavyBall(*parts))
    )


def last_iterate() -> SearchStrategy[Filter]:
    """A single pass, of which the last iterate is taken."""
    return st.just(SinglePass(averaged=False))


def mean_iterate() -> SearchStrategy[Filter]:
    """A single pass, of which the iterates are averaged."""
    return st.just(SinglePass(averaged=True))


def several_passes(averaged: bool) -> SearchStrategy[Filter]:
    """Draws from the samples, n^a of them, of which the last iterate is taken or the mean."""
    return st.sampled_from((1.5, 1.4, 1.25, 1.1)).map(lambda degree: MultiPass(degree, averaged))


def few_or_many_passes(averaged: bool) -> SearchStrategy[Filter]:
    """n^1.1 draws, and n^2."""
    return st.sampled_from((1.1, 2.0)).map(lambda degree: MultiPass(degree, averaged))


def as_many_draws_as_samples(averaged: bool) -> SearchStrategy[Filter]:
    """n draws from n samples."""
    return st.just(MultiPass(1.0, averaged))


def filtered(base: SearchStrategy[Instance], filters: SearchStrategy[Filter]) -> SearchStrategy[Instance]:
    """Instances of ``base`` whose estimator is one of the filters."""
    return st.tuples(filters, base).map(lambda parts: dataclasses.replace(parts[1], filter=parts[0]))
