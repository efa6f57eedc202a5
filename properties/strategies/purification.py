"""Hypothesis strategies of covariances raised to a power, with what is held fixed: s, the coefficients, or the function."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.strategies import power_tails, smooth_enough
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
STEEPEST = 12.0
"""Tail index after the operation; double precision does not follow the curve of a steeper spectrum to its limit."""


def purified(spectra: SearchStrategy[Spectrum] | None = None) -> SearchStrategy[Purified]:
    """Spectra (default: with power tails) with less redundancy than before: raised to a power above one."""

    def raised(spectrum: Spectrum) -> SearchStrategy[Purified]:
        assert spectrum.tail_index is not None
        permitted = [power for power in POWERS if power * spectrum.tail_index <= STEEPEST]
        return st.builds(Purified, spectrum=st.just(spectrum), power=st.sampled_from(permitted))

    return (power_tails() if spectra is None else spectra).flatmap(raised)


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
    built = drawn.map(
        lambda parts: Instance(noise=parts[0], target=target(parts[1], parts[2].spectrum), spectrum=parts[2])
    )
    return built.filter(lambda instance: smooth_enough(instance.target, instance.spectrum))
