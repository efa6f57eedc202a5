r"""The empirical neural tangent kernel of a small transformer, whole and by parts: one kernel a head, one an MLP, and so on.

:math:`K(x, x') = \langle \nabla_\theta f(x), \nabla_\theta f(x') \rangle` at initialisation (Jacot, Gabriel and Hongler 2018). The
parameters are partitioned, and the gradients of disjoint parts add: :math:`K = \sum_p K_p` exactly. A head is its slices of W_q,
W_k, W_v and W_o. Weights are standard normal, divided by the root of their fan-in in the forward pass (NTK parametrisation), so
that kernels keep their size as the width grows.

Double precision throughout: the tail is many orders below the first eigenvalue. The network is a module of equinox, which jax can
differentiate and train; here its gradients are taken by :mod:`verifier.risk.gradients`, without a program to be compiled for each
shape. jax and equinox are imported on first use.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.instances.transformer import TransformerNTK
from verifier.risk import gradients as by_hand
from verifier.risk.gradients import EPSILON
from verifier.risk.streams import stream

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]

EXTRA = ("jax", "equinox")
BATCH = 64
"""Sequences whose gradients are taken at once."""

MOST_ENTRIES = 60_000_000
"""Entries of a Jacobian that is held at once (480 MB): all of it on 512 sequences, for three blocks of width 64."""

MLP_RATIO = 2
"""Hidden width of an MLP over the width."""

WHOLE, EMBEDDINGS, NORMS, READOUT = "whole", "embeddings", "layer norms", "readout"


def missing() -> str:
    """What keeps a transformer from being computed, one sentence; empty where nothing does."""
    absent = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if not absent:
        return ""
    return f"{' and '.join(absent)} cannot be imported: this needs the extra [transformers], pip install 'verifier[transformers]'"


def _jax() -> tuple[Any, Any, Any]:
    """jax, jax.numpy and equinox; ValueError with the remedy where they are absent."""
    reason = missing()
    if reason:
        raise ValueError(reason)
    import equinox
    import jax

    return jax, jax.numpy, equinox


@lru_cache(maxsize=1)
def _classes() -> tuple[type, type]:
    """The modules of the network. They are classes of equinox, so that they exist once it is imported."""
    jax, jnp, equinox = _jax()

    def normed(x: Any, scale: Any, shift: Any, on: Any) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        root = jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
        return jnp.where(on, scale * centred / root + shift, x)

    class Block(equinox.Module):  # type: ignore[misc,name-defined]
        """Attention and MLP. query, key, value: (heads, width/heads, width); output: (heads, width, width/heads)."""

        query: Any
        key: Any
        value: Any
        output: Any
        inner: Any
        outer: Any
        norms: Any

        def __call__(self, x: Any, layer_norm: Any, residual: Any) -> Any:
            width, size = x.shape[-1], self.query.shape[1]
            y = normed(x, self.norms[0], self.norms[1], layer_norm)
            q, k, v = (jnp.einsum("hed,ld->hle", w, y) / math.sqrt(width) for w in (self.query, self.key, self.value))
            weights = jax.nn.softmax(jnp.einsum("hle,hme->hlm", q, k) / math.sqrt(size), axis=-1)
            mixed = jnp.einsum("hde,hle->ld", self.output, weights @ v) / math.sqrt(width)
            x = jnp.where(residual, x, 0.0) + mixed
            y = normed(x, self.norms[2], self.norms[3], layer_norm)
            hidden = jax.nn.gelu(y @ self.inner.T / math.sqrt(width), approximate=False)
            return jnp.where(residual, x, 0.0) + hidden @ self.outer.T / math.sqrt(hidden.shape[-1])

    class Network(equinox.Module):  # type: ignore[misc,name-defined]
        """Embeddings, blocks, the mean over positions and a linear readout: a number for a sequence of tokens."""

        tokens: Any
        positions: Any
        blocks: Any
        norms: Any
        readout: Any

        def __call__(self, sequence: Any, layer_norm: Any, residual: Any) -> Any:
            x = (self.tokens[sequence] + self.positions) / math.sqrt(2.0)
            for block in self.blocks:
                x = block(x, layer_norm, residual)
            x = normed(x, self.norms[0], self.norms[1], layer_norm)
            return x.mean(axis=0) @ self.readout / math.sqrt(x.shape[-1])

    return Block, Network


def network(transformer: TransformerNTK) -> Any:
    """The network at initialisation, parameters as numpy arrays drawn from the seed: an ``equinox.Module``."""
    make_block, make_network = _classes()
    rng = stream(transformer.seed, "transformer", "parameters")
    d, h, hidden = transformer.width, transformer.heads, MLP_RATIO * transformer.width
    scale_and_shift = np.array([np.ones(d), np.zeros(d)])
    blocks = tuple(
        make_block(
            query=rng.standard_normal((h, d // h, d)),
            key=rng.standard_normal((h, d // h, d)),
            value=rng.standard_normal((h, d // h, d)),
            output=rng.standard_normal((h, d, d // h)),
            inner=rng.standard_normal((hidden, d)),
            outer=rng.standard_normal((d, hidden)),
            norms=np.concatenate([scale_and_shift, scale_and_shift]),
        )
        for _ in range(transformer.depth)
    )
    return make_network(
        tokens=rng.standard_normal((transformer.vocabulary, d)),
        positions=rng.standard_normal((transformer.context, d)),
        blocks=blocks,
        norms=scale_and_shift,
        readout=rng.standard_normal(d),
    )


def sequences(transformer: TransformerNTK, samples: int, *key: str | int) -> Tokens:
    """Independent sequences of tokens, shape (samples, context), of the stream ``key`` under the transformer's seed."""
    rng = stream(transformer.seed, "transformer", "sequences", *key)
    weights = np.arange(1.0, transformer.vocabulary + 1.0) ** -transformer.zipf
    shape = (samples, transformer.context)
    fresh = rng.choice(transformer.vocabulary, size=shape, p=weights / weights.sum())
    repeats = rng.random(shape) < transformer.sticky
    repeats[:, 0] = False
    last = np.maximum.accumulate(np.where(repeats, 0, np.arange(transformer.context)), axis=1)
    return np.asarray(np.take_along_axis(fresh, last, axis=1), dtype=np.int64)


def outputs(transformer: TransformerNTK, model: Any, tokens: Tokens) -> Array:
    """f at each sequence, shape (N,)."""
    model, layer_norm, residual = _doubles(model), transformer.layer_norm, transformer.residual
    found = [by_hand.outputs(model, batch, layer_norm=layer_norm, residual=residual) for batch in _batches(tokens)]
    return np.concatenate(found)


def _doubles(model: Any) -> Any:
    """The network with parameters that are arrays of numpy, of double precision; a trained one may hold others."""
    jax, _, _ = _jax()
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype=np.float64), model)


def _batches(tokens: Tokens) -> list[Tokens]:
    return [tokens[start : start + BATCH] for start in range(0, len(tokens), BATCH)]


def _leaves(gradient: Any) -> dict[str, list[Any]]:
    """Gradients by part, as arrays whose first axis is that of the batch."""
    parts = {EMBEDDINGS: [gradient.tokens, gradient.positions], READOUT: [gradient.readout]}
    parts[NORMS] = [gradient.norms, *(block.norms for block in gradient.blocks)]
    for b, block in enumerate(gradient.blocks, start=1):
        for h in range(block.query.shape[1]):
            parts[head_name(b, h + 1)] = [w[:, h] for w in (block.query, block.key, block.value, block.output)]
        parts[mlp_name(b)] = [block.inner, block.outer]
    return parts


def parameters(model: Any) -> dict[str, int]:
    """Number of parameters of each part."""
    jax, _, _ = _jax()
    parts = _leaves(jax.tree.map(lambda leaf: leaf[None], model))
    return {name: sum(leaf.size for leaf in leaves) for name, leaves in parts.items()}


def head_name(block: int, head: int) -> str:
    """Name of the part that is a head, both counted from one."""
    return f"block {block}, head {head}"


def mlp_name(block: int) -> str:
    """Name of the part that is an MLP."""
    return f"block {block}, MLP"


@dataclass(frozen=True, eq=False)
class Kernels:
    """Kernel matrices on the same N sequences: one of shape (N, N) for each part, and the number of parameters behind it."""

    parts: dict[str, Array]
    parameters: dict[str, int]

    @property
    def whole(self) -> Array:
        """The kernel of all parameters: the sum of the parts."""
        return np.asarray(sum(self.parts.values()))

    def of(self, names: tuple[str, ...]) -> tuple[Array, int]:
        """The kernel of several parts trained together, and how many parameters they have."""
        return np.asarray(sum(self.parts[name] for name in names)), sum(self.parameters[name] for name in names)

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads of all blocks."""
        return tuple(name for name in self.parts if "head" in name)

    @property
    def mlps(self) -> tuple[str, ...]:
        """Names of the MLPs of all blocks."""
        return tuple(name for name in self.parts if name.endswith("MLP"))


def kernels(
    transformer: TransformerNTK, tokens: Tokens | None = None, *, model: Any = None, entries: int = MOST_ENTRIES
) -> Kernels:
    """The NTK by parts on the transformer's own sequences, or on others, at initialisation or at ``model``.

    At most ``entries`` numbers of the Jacobian are held at once; where it has more, gradients are taken again for each pair of
    tiles. ValueError without the extra.
    """
    model = network(transformer) if model is None else model
    tokens = sequences(transformer, transformer.samples) if tokens is None else tokens
    counts = parameters(model)
    most = entries // sum(counts.values())
    tile = len(tokens) if len(tokens) <= most else max(BATCH, most // 2 // BATCH * BATCH)  # a tile or two are held
    starts = range(0, len(tokens), tile)
    found = {name: np.zeros((len(tokens), len(tokens))) for name in counts}
    for a in starts:
        rows = jacobian(transformer, model, tokens[a : a + tile], counts)
        for b in starts[: a // tile + 1]:
            columns = rows if a == b else jacobian(transformer, model, tokens[b : b + tile], counts)
            for name, left in rows.items():
                block = left @ columns[name].T
                found[name][a : a + tile, b : b + tile] = block
                found[name][b : b + tile, a : a + tile] = block.T
    return Kernels(found, counts)


def jacobian(
    transformer: TransformerNTK, model: Any, tokens: Tokens, counts: dict[str, int] | None = None
) -> dict[str, Array]:
    """Gradients of f at each sequence, by part, each of shape (N, parameters of the part)."""
    model = _doubles(model)
    counts = parameters(model) if counts is None else counts
    rows = {name: np.empty((len(tokens), count)) for name, count in counts.items()}
    start = 0
    for batch in _batches(tokens):
        gradient = by_hand.gradients(model, batch, layer_norm=transformer.layer_norm, residual=transformer.residual)
        for name, leaves in _leaves(gradient).items():
            column = 0
            for leaf in leaves:
                flat = leaf.reshape(len(leaf), -1)
                rows[name][start : start + len(leaf), column : column + flat.shape[1]] = flat
                column += flat.shape[1]
        start += len(gradient.readout)
    return rows
