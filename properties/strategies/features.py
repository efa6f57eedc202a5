"""Hypothesis strategies of finitely many random features, their number a power of the sample size; infinitely many come first.

A width is m(n) = c n^q. Degrees q are short decimals: of a wide interval, or near the degree at which the width starts to matter
(:func:`properties.hypotheses.critical_degree`), where a claim about degrees is decided. No strategy knows which claim it serves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.hypotheses import critical_degree
from properties.strategies import decimals, hardest_targets, instances, noises, power_laws, smoothness
from verifier.instances import AllFeatures, GaussianFeatures, Instance, Noise, Spectrum

DEGREES = (0.1, 1.5)
"""Least and largest degree that is drawn; at n = e^600 a width of degree .1 is e^60."""

FACTORS = (1.0, 1.0, 1.0, 2.0, 0.5, 10.0, 0.1)
WIDTHS = (10.0, 1.0, 2.0, 3.0, 5.0, 20.0, 30.0, 50.0, 100.0, 200.0, 300.0, 500.0, 1000.0)
ONE_IN = 8
"""Every so many draws have infinitely many features."""


NEAR = 0.3


def _absolute(degree: float) -> Callable[[Instance], float]:
    return lambda instance: degree


def _relative(offset: float) -> Callable[[Instance], float]:
    return lambda instance: min(max(round(critical_degree(instance) + offset, 2), DEGREES[0]), DEGREES[1])


def featured(base: SearchStrategy[Instance]) -> SearchStrategy[Instance]:
    """Instances with infinitely many features, or c n^q of them: half of the degrees anywhere in ``DEGREES``, half within ``NEAR``
    of the critical one, on either side.
    """
    wide = decimals(*DEGREES, near=1.0).map(_absolute)
    close = decimals(-NEAR, NEAR, near=0.1).map(_relative)

    def built(parts: tuple[int, float, Callable[[Instance], float], Instance]) -> Instance:
        kind, factor, degree, instance = parts
        features = AllFeatures() if kind == 0 else GaussianFeatures(factor=factor, degree=degree(instance))
        return dataclasses.replace(instance, features=features)

    return st.tuples(st.sampled_from(range(ONE_IN)), st.sampled_from(FACTORS), wide | close, base).map(built)


def finitely_featured(base: SearchStrategy[Instance]) -> SearchStrategy[Instance]:
    """Those of :func:`featured` whose features are finitely many, and more the larger n."""
    return featured(base).filter(lambda instance: instance.features.finite)


def at_the_degree(
    base: SearchStrategy[Instance], degree: Callable[[Instance], float], factors: tuple[float, ...] = FACTORS
) -> SearchStrategy[Instance]:
    """Instances with c n^q features, q the function ``degree`` of the instance."""

    def built(parts: tuple[float, Instance]) -> Instance:
        factor, instance = parts
        return dataclasses.replace(instance, features=GaussianFeatures(factor=factor, degree=degree(instance)))

    return st.tuples(st.sampled_from(factors), base).map(built)


def of_fixed_width(base: SearchStrategy[Instance], widths: tuple[float, ...] = WIDTHS) -> SearchStrategy[Instance]:
    """Instances with a number of features that does not depend on n."""
    return at_the_degree(base, lambda instance: 0.0, widths)


def of_some_width(base: SearchStrategy[Instance], widths: tuple[float, ...] = WIDTHS) -> SearchStrategy[Instance]:
    """Instances with infinitely many features, or with a number of them that does not depend on n."""
    return base | of_fixed_width(base, widths)


def critical_instances(
    s: SearchStrategy[float] | None = None,
    noise: SearchStrategy[Noise] | None = None,
    spectra: SearchStrategy[Spectrum] | None = None,
) -> SearchStrategy[Instance]:
    """Critical targets (default: s <= 1) on power laws (default) with label noise (default), all features."""
    return instances(
        power_laws() if spectra is None else spectra,
        hardest_targets(smoothness(0.05, 1.0) if s is None else s, ("S-tail",)),
        noises(silent=False) if noise is None else noise,
    )
