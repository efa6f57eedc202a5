"""Hypothesis strategies of mixtures, and of targets that are critical for one of their components; plain ones first.

Weights go down to 1e-4, on heavy and on light tails, so that crossovers of every length come up, those that end beyond reach
included. No strategy knows which claim it serves.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.strategies import betas, decimals, power_laws, power_tails, smooth_enough
from verifier.instances import (
    CarriedCoefficients,
    CarriedFunction,
    ComponentTarget,
    CriticalTarget,
    Design,
    DisjointMixture,
    GaussianDesign,
    Instance,
    Mixture,
    MixtureSamples,
    Noise,
    PowerDirection,
    PowerLaw,
    RotatedMixture,
    Spectrum,
    Target,
)

MINORITY = (0.1, 0.2, 0.01, 0.001, 0.0001)
"""Weights of all components but one, which has the rest."""

RAREST_SAMPLED = 0.01
"""Least weight of a component in mixtures from which samples are drawn; of a rarer one, few of 3,200 samples would be."""

MAJORITY = 0.5
"""The two components of the plainest mixture have equal weights."""


def weights(count: int) -> SearchStrategy[tuple[float, ...]]:
    """Probabilities of ``count`` components, the largest anywhere among them."""
    rare = st.lists(st.sampled_from(MINORITY), min_size=count - 1, max_size=count - 1)
    several = st.tuples(rare, st.integers(0, count - 1)).map(lambda parts: _with_the_rest(*parts))
    equal = st.just((MAJORITY, MAJORITY)) if count == 2 else st.nothing()
    return equal | several


def _with_the_rest(rare: list[float], place: int) -> tuple[float, ...]:
    rest = round(1.0 - math.fsum(rare), 6)
    return (*rare[:place], rest, *rare[place:])


def mixtures(components: SearchStrategy[Spectrum] | None = None) -> SearchStrategy[Mixture]:
    """Two to five co-diagonal components (default: power laws, some with another head), mostly two."""
    parts = power_tails() if components is None else components

    def mixed(count: int) -> SearchStrategy[Mixture]:
        several = st.lists(parts, min_size=count, max_size=count).map(tuple)
        return st.builds(Mixture, weights=weights(count), components=several)

    return st.sampled_from([2, 2, 2, 3, 4, 5]).flatmap(mixed)


def disjoint_mixtures() -> SearchStrategy[DisjointMixture]:
    """Two to five power laws on disjoint sets of eigenvectors, mostly two."""

    def mixed(count: int) -> SearchStrategy[DisjointMixture]:
        several = st.lists(power_laws(), min_size=count, max_size=count).map(tuple)
        return st.builds(DisjointMixture, weights=weights(count), components=several)

    return st.sampled_from([2, 2, 2, 3, 4, 5]).flatmap(mixed)


def with_target_on_one_component(s: SearchStrategy[float], noise: SearchStrategy[Noise]) -> SearchStrategy[Instance]:
    """Disjoint components, the target on the eigenvectors of one of them, for which it is critical."""
    drawn = st.tuples(noise, s, disjoint_mixtures(), st.integers(0, 4))

    def built(parts: tuple[Noise, float, DisjointMixture, int]) -> Instance:
        noise, s, mixture, which = parts
        target = ComponentTarget(s=s, mixture=mixture, component=1 + which % len(mixture.weights))
        return Instance(noise=noise, target=target, spectrum=mixture)

    return drawn.map(built)


def rotated_mixtures() -> SearchStrategy[RotatedMixture]:
    """Two power laws, the second one turned along a power of the index. Tail indices go to 4: a steeper spectrum leaves dense
    simulation in double precision nothing to turn.
    """
    law = betas(high=4.0).map(PowerLaw)
    return st.builds(
        RotatedMixture,
        weights=weights(2),
        components=st.tuples(law, law),
        direction=decimals(0.55, 1.5, 1.0).map(PowerDirection),
    )


def rotated_instances(s: SearchStrategy[float], noise: SearchStrategy[Noise]) -> SearchStrategy[Instance]:
    """Components that are turned against each other, the function critical for the first of them; s of at least 1/2."""
    drawn = st.tuples(noise, s, rotated_mixtures())

    def built(parts: tuple[Noise, float, RotatedMixture]) -> Instance:
        noise, s, mixture = parts
        return Instance(noise=noise, target=CarriedFunction(s=s, origin=mixture.components[0]), spectrum=mixture)

    return drawn.map(built)


def rotated_with_coefficients(s: SearchStrategy[float], noise: SearchStrategy[Noise]) -> SearchStrategy[Instance]:
    """Components that are turned against each other, the vector that stands for the target in L2 critical for the first."""
    drawn = st.tuples(noise, s, rotated_mixtures())

    def built(parts: tuple[Noise, float, RotatedMixture]) -> Instance:
        noise, s, mixture = parts
        return Instance(noise=noise, target=CarriedCoefficients(s=s, origin=mixture.components[0]), spectrum=mixture)

    return drawn.map(built)


def disjoint_instances(s: SearchStrategy[float], noise: SearchStrategy[Noise]) -> SearchStrategy[Instance]:
    """Critical targets relative to a mixture of disjoint components."""
    drawn = st.tuples(noise, st.builds(CriticalTarget, s=s), disjoint_mixtures())
    return drawn.map(lambda parts: Instance(noise=parts[0], target=parts[1], spectrum=parts[2]))


def mixed_instances(s: SearchStrategy[float], noise: SearchStrategy[Noise]) -> SearchStrategy[Instance]:
    """Critical targets relative to the mixture."""
    drawn = st.tuples(noise, st.builds(CriticalTarget, s=s), mixtures())
    return st.tuples(drawn, mixture_designs()).map(lambda both: _built(*both))


def mixture_designs() -> SearchStrategy[Design]:
    """Gaussian inputs of the mixed covariance, and inputs drawn from one component each."""
    return st.sampled_from([GaussianDesign(), MixtureSamples()])


def _built(parts: tuple[Noise, Target, Mixture], design: Design) -> Instance:
    noise, target, spectrum = parts
    # Without noise samples of a mixture need not have the exponent of its covariance: an instance refuses them. Components
    # rarer than 1 % are hardly met in samples that can be simulated.
    sampled = noise.sigma > 0.0 and min(spectrum.weights) >= RAREST_SAMPLED
    kept = design if sampled else GaussianDesign()
    return Instance(noise=noise, target=target, spectrum=spectrum, design=kept)


def with_coefficients_of_one_component(
    s: SearchStrategy[float], noise: SearchStrategy[Noise]
) -> SearchStrategy[Instance]:
    """The target has the L2 coefficients of a target that is critical for one component."""
    return _of_one_component(s, noise, lambda s, origin: CarriedCoefficients(s=s, origin=origin))


def with_function_of_one_component(s: SearchStrategy[float], noise: SearchStrategy[Noise]) -> SearchStrategy[Instance]:
    """The target is the function that is critical for one component; only those that lie in L2 under the mixture."""
    return _of_one_component(s, noise, lambda s, origin: CarriedFunction(s=s, origin=origin))


def _of_one_component(
    s: SearchStrategy[float], noise: SearchStrategy[Noise], target: Callable[[float, Spectrum], Target]
) -> SearchStrategy[Instance]:
    drawn = st.tuples(noise, s, mixtures(), st.integers(0, 4))

    def carried(parts: tuple[Noise, float, Mixture, int]) -> tuple[Noise, Target, Mixture]:
        origin = parts[2].components[parts[3] % len(parts[2].components)]
        return parts[0], target(parts[1], origin), parts[2]

    kept = drawn.map(carried).filter(lambda parts: smooth_enough(parts[1], parts[2]))
    return st.tuples(kept, mixture_designs()).map(lambda both: _built(*both))
