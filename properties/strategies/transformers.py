"""Hypothesis strategies of small transformers: widths, heads, depths, contexts, tokens and seeds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from verifier.instances import Instance, TransformerNTK

WIDTHS = (16, 64)
MOST_HEADS = 8
MOST_BLOCKS = 3
CONTEXTS = (4, 16)


@st.composite
def transformers(draw: st.DrawFn, /, **fixed: Any) -> TransformerNTK:
    """Transformers of all widths, heads, depths and contexts within bounds, on Zipf tokens that repeat or not, with LayerNorm and
    residual connections or without; some fields ``fixed``. The simplest: one block of width 16 with one head, on 4 tokens.
    """
    fields: dict[str, Any] = {"vocabulary": 128} | fixed
    of_heads = [h for h in range(1, MOST_HEADS + 1) if fields.get("width", 0) % h == 0]
    heads = fields.setdefault("heads", draw(st.sampled_from(of_heads)))
    narrowest, widest = WIDTHS
    fields.setdefault("width", heads * draw(st.integers(-(-narrowest // heads), widest // heads)))
    drawn = st.fixed_dictionaries(
        {
            "depth": st.integers(1, MOST_BLOCKS),
            "context": st.integers(*CONTEXTS),
            "zipf": st.sampled_from([1.0, 0.5, 0.8, 1.2, 1.5]),
            "sticky": st.sampled_from([0.0, 0.3, 0.6]),
            "layer_norm": st.sampled_from([True, False]),
            "residual": st.sampled_from([True, False]),
            "seed": st.integers(0, 9999),
        }
    )
    return TransformerNTK(**(draw(drawn) | fields))


def transformer_instances(**fixed: Any) -> SearchStrategy[Instance]:
    """Instances whose spectrum is that of a transformer's NTK."""
    return transformers(**fixed).map(Instance)
