"""Hypothesis strategies of random Fourier features, their number a power of the sample size; infinitely many come first.

Degrees q of m = c n^q are short decimals: of a wide interval, or near the degree at which the number of frequencies starts to
matter, where a claim about degrees is decided. No strategy knows which claim it serves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.strategies import decimals
from properties.strategies.features import DEGREES, FACTORS, NEAR, ONE_IN, WIDTHS
from verifier.instances import AllFeatures, FourierFeatures, Instance

NEAR_CRITICAL = 0.1
"""Distance from the critical degree below which nothing is claimed."""


def critical_degree_of_frequencies(instance: Instance) -> float:
    """Degree from which on m = c n^q Fourier features keep the exponent of the best ridge, 1/(2s + 1/beta), for s <= 1 (derived in
    properties/theorem_5_fourier.py).
    """
    return instance.schedule_power


def _absolute(degree: float) -> Callable[[Instance], float]:
    return lambda instance: degree


def _relative(offset: float) -> Callable[[Instance], float]:
    return lambda instance: min(
        max(round(critical_degree_of_frequencies(instance) + offset, 2), DEGREES[0]), DEGREES[1]
    )


def with_frequencies(base: SearchStrategy[Instance]) -> SearchStrategy[Instance]:
    """Instances with all features, or c n^q frequencies: half of the degrees anywhere in ``DEGREES``, half within ``NEAR`` of the
    critical one, on either side.
    """
    wide = decimals(*DEGREES, near=1.0).map(_absolute)
    close = decimals(-NEAR, NEAR, near=0.1).map(_relative)

    def built(parts: tuple[Instance, int, float, Callable[[Instance], float]]) -> Instance:
        instance, kind, factor, degree = parts
        features = AllFeatures() if kind == 0 else FourierFeatures(factor=factor, degree=degree(instance))
        return dataclasses.replace(instance, features=features)

    # The instance first: what is drawn first is what shrinks first.
    return st.tuples(base, st.sampled_from(range(ONE_IN)), st.sampled_from(FACTORS), wide | close).map(built)


def at_the_frequency_degree(
    base: SearchStrategy[Instance], degree: Callable[[Instance], float]
) -> SearchStrategy[Instance]:
    """Instances with c n^q frequencies, q the function ``degree`` of the instance."""

    def built(parts: tuple[float, Instance]) -> Instance:
        factor, instance = parts
        return dataclasses.replace(instance, features=FourierFeatures(factor=factor, degree=degree(instance)))

    return st.tuples(st.sampled_from(FACTORS), base).map(built)


def finitely_many_frequencies(base: SearchStrategy[Instance]) -> SearchStrategy[Instance]:
    """Instances with all features, or a number of frequencies that does not depend on n."""
    fixed = st.sampled_from(WIDTHS).map(lambda width: FourierFeatures(factor=width, degree=0.0))
    features = st.one_of(st.just(AllFeatures()), fixed, fixed, fixed)
    return st.builds(lambda chosen, instance: dataclasses.replace(instance, features=chosen), features, base)
