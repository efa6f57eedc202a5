"""Hypothesis strategies of covariances raised to a power, with what is held fixed: s, the coefficients, or the function."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.strategies import power_tails
from verifier.instances import (
    CarriedCoefficients,
    CarriedFunction,
    CriticalTarget,
    Instance,
    Noise,
    Purified,
    Spectrum,
    Target,
)

POWERS = (2.0, 1.5, 3.0, 1.2, 1.1, 5.0)


def purified(spectra: SearchStrategy[Spectrum] | None = None) -> SearchStrategy[Purified]:
    """Spectra (default: with power tails) with less redundancy than before: raised to a power above one."""
    return st.builds(Purified, spectrum=power_tails() if spectra is None else spectra, power=st.sampled_from(POWERS))


def with_s_held_fixed(s: SearchStrategy[float], noise: SearchStrategy[Noise]) -> SearchStrategy[Instance]:
    """Another target after than before, with the same index relative to the covariance of the moment."""
    return _held(s, noise, lambda s, before: CriticalTarget(s=s))


def with_coefficients_held_fixed(s: SearchStrategy[float], noise: SearchStrategy[Noise]) -> SearchStrategy[Instance]:
    """The labels of the data stay what they were: the operation on the data."""
    return _held(s, noise, lambda s, before: CarriedCoefficients(s=s, origin=before))


def with_function_held_fixed(s: SearchStrategy[float], noise: SearchStrategy[Noise]) -> SearchStrategy[Instance]:
    """The function <theta, .> stays what it was; its labels on the new inputs are others."""
    return _held(s, noise, lambda s, before: CarriedFunction(s=s, origin=before))


def _held(
    s: SearchStrategy[float], noise: SearchStrategy[Noise], target: Callable[[float, Spectrum], Target]
) -> SearchStrategy[Instance]:
    drawn = st.tuples(noise, s, purified())
    return drawn.map(
        lambda parts: Instance(noise=parts[0], target=target(parts[1], parts[2].spectrum), spectrum=parts[2])
    )
