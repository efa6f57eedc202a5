"""Hypothesis strategies of descents that are stopped early; ridge regression, the plain filter, comes first where it is one of
them.
"""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from verifier.instances import Filter, GradientDescent, GradientFlow, Instance

STEPS = (0.5, 0.2, 0.1, 0.01)
"""Steps of gradient descent, in units of 1/l_1."""


def descents() -> SearchStrategy[Filter]:
    """Gradient flow, and gradient descent of large and small steps."""
    return st.just(GradientFlow()) | st.sampled_from(STEPS).map(GradientDescent)


def filtered(base: SearchStrategy[Instance], filters: SearchStrategy[Filter]) -> SearchStrategy[Instance]:
    """Instances of ``base`` whose estimator is one of the filters."""
    return st.tuples(filters, base).map(lambda parts: dataclasses.replace(parts[1], filter=parts[0]))
