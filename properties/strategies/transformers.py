"""Hypothesis strategies of small transformers: widths, heads, depths, contexts, tokens and seeds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from verifier.instances import Instance, TransformerNTK

SHAPES: tuple[dict[str, int], ...] = (
    {"width": 32, "heads": 2, "depth": 1, "context": 8},
    {"width": 32, "heads": 4, "depth": 1, "context": 8},
    {"width": 16, "heads": 2, "depth": 1, "context": 8},
    {"width": 64, "heads": 4, "depth": 1, "context": 4},
    {"width": 32, "heads": 1, "depth": 1, "context": 16},
    {"width": 32, "heads": 2, "depth": 2, "context": 8},
    {"width": 16, "heads": 8, "depth": 2, "context": 16},
    {"width": 24, "heads": 3, "depth": 3, "context": 4},
)
"""A program is compiled for each, which takes a second, many times what running it does: eight, the simplest first."""


def transformers(**fixed: Any) -> SearchStrategy[TransformerNTK]:
    """Transformers of several widths, heads, depths and contexts on Zipf tokens that repeat or not, with LayerNorm and residual
    connections or without; some fields ``fixed``.
    """

    def built(shape: dict[str, int], fields: dict[str, Any]) -> TransformerNTK:
        return TransformerNTK(**({"vocabulary": 128} | shape | fields | fixed))

    fields = st.fixed_dictionaries(
        {
            "zipf": st.sampled_from([1.0, 0.5, 0.8, 1.2, 1.5]),
            "sticky": st.sampled_from([0.0, 0.3, 0.6]),
            "layer_norm": st.sampled_from([True, False]),
            "residual": st.sampled_from([True, False]),
            "seed": st.integers(0, 9999),
        }
    )
    return st.builds(built, st.sampled_from(SHAPES), fields)


def transformer_instances(**fixed: Any) -> SearchStrategy[Instance]:
    """Instances whose spectrum is that of a transformer's NTK."""
    return transformers(**fixed).map(Instance)
