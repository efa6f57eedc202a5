"""Hypothesis strategies of small transformers: few shapes, since a program is compiled for each; many tokens and seeds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from verifier.instances import Instance, TransformerNTK

SHAPES: tuple[dict[str, int], ...] = ({"vocabulary": 128}, {"vocabulary": 128, "heads": 4})
"""What a program is compiled for: one block of width 32 on 8 tokens of 128, with two heads and with four."""


def transformers(**fixed: Any) -> SearchStrategy[TransformerNTK]:
    """Transformers on Zipf tokens that repeat or not, with LayerNorm and residual connections or without; some fields ``fixed``."""

    def built(shape: dict[str, int], fields: dict[str, Any]) -> TransformerNTK:
        return TransformerNTK(**(shape | fields | fixed))

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
