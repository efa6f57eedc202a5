r"""Gradients of a small transformer's output at each of many sequences, for all parameters: back-propagation, written out.

jax compiles a program for every shape it meets: a second of CPU time, where one network of a search costs a tenth. Thirteen
networks of thirteen shapes took 28 s; in numpy there is nothing to compile, and shapes are drawn freely. What is differentiated is
the network of :mod:`verifier.risk.transformer`; the tests hold outputs and gradients to jax's own.

Notation: B sequences, L positions, d the width, h heads of size e, m the hidden width of an MLP; arrays named ``to_x`` hold the
derivatives of the outputs with respect to x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

EPSILON = 1e-5
"""Added to the variance by LayerNorm."""


@dataclass(frozen=True, eq=False)
class BlockGradient:
    """Of the parameters of a block, each with a first axis of length B."""

    query: Array
    key: Array
    value: Array
    output: Array
    inner: Array
    outer: Array
    norms: Array


@dataclass(frozen=True, eq=False)
class Gradient:
    """Of all parameters, in the order of the network's own, each with a first axis of length B."""

    tokens: Array
    positions: Array
    blocks: tuple[BlockGradient, ...]
    norms: Array
    readout: Array


class _Norm:
    """LayerNorm of x, shape (B, L, d); nothing where it is switched off. ``norms``: scale and shift, shape (2, d)."""

    def __init__(self, x: Array, norms: Array, on: bool) -> None:
        self.on, self.scale = on, norms[0]
        self.y = x
        if on:
            centred = x - x.mean(axis=-1, keepdims=True)
            self.root = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
            self.z = centred / self.root
            self.y = norms[0] * self.z + norms[1]

    def back(self, to_y: Array) -> tuple[Array, Array]:
        """From what comes out to what goes in, and to scale and shift."""
        if not self.on:
            return to_y, np.zeros((len(to_y), 2, to_y.shape[-1]))
        to_norms = np.stack([(to_y * self.z).sum(axis=1), to_y.sum(axis=1)], axis=1)
        to_z = to_y * self.scale
        to_x = to_z - to_z.mean(axis=-1, keepdims=True) - self.z * (to_z * self.z).mean(axis=-1, keepdims=True)
        return to_x / self.root, to_norms


class _Block:
    """A block applied to x, shape (B, L, d), with what the way back needs."""

    def __init__(self, block: Any, x: Array, layer_norm: bool, residual: bool) -> None:
        self.block, self.residual = block, residual
        d, self.size = x.shape[-1], block.query.shape[1]
        self.first = _Norm(x, block.norms[:2], layer_norm)
        y = self.first.y[:, None]
        self.q, self.k, self.v = (y @ w.swapaxes(1, 2) / math.sqrt(d) for w in (block.query, block.key, block.value))
        logits = self.q @ self.k.swapaxes(2, 3) / math.sqrt(self.size)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        self.weights = weights / weights.sum(axis=-1, keepdims=True)
        self.mixed = self.weights @ self.v  # (B, h, L, e)
        x = residual * x + _beside(self.mixed) @ _columns(block.output) / math.sqrt(d)
        self.second = _Norm(x, block.norms[2:], layer_norm)
        self.u = self.second.y @ block.inner.T / math.sqrt(d)
        self.hidden = self.u * ndtr(self.u)
        self.x = residual * x + self.hidden @ block.outer.T / math.sqrt(self.hidden.shape[-1])

    def back(self, to_x: Array) -> tuple[Array, BlockGradient]:
        """From what comes out to what goes in, and to the parameters."""
        block, size = self.block, math.sqrt(self.size)
        d, m = to_x.shape[-1], self.hidden.shape[-1]
        outer = to_x.swapaxes(1, 2) @ self.hidden / math.sqrt(m)
        density = np.exp(-0.5 * self.u**2) / math.sqrt(2.0 * math.pi)
        to_u = (to_x @ block.outer) * (ndtr(self.u) + self.u * density) / math.sqrt(m * d)
        inner = to_u.swapaxes(1, 2) @ self.second.y
        through, second = self.second.back(to_u @ block.inner)
        to_x = through + self.residual * to_x

        over = to_x[:, None] / math.sqrt(d)
        output = over.swapaxes(2, 3) @ self.mixed
        to_mixed = over @ block.output
        to_weights = to_mixed @ self.v.swapaxes(2, 3)
        to_logits = self.weights * (to_weights - (to_weights * self.weights).sum(axis=-1, keepdims=True)) / size
        to_q, to_k = to_logits @ self.k, to_logits.swapaxes(2, 3) @ self.q
        to_v = self.weights.swapaxes(2, 3) @ to_mixed
        y = self.first.y[:, None] / math.sqrt(d)
        query, key, value = (to.swapaxes(2, 3) @ y for to in (to_q, to_k, to_v))
        pairs = ((to_q, block.query), (to_k, block.key), (to_v, block.value))
        to_y = sum(_beside(to) @ w.reshape(-1, d) for to, w in pairs) / math.sqrt(d)
        through, first = self.first.back(to_y)
        norms = np.concatenate([first, second], axis=1)
        return through + self.residual * to_x, BlockGradient(query, key, value, output, inner, outer, norms)


def _beside(heads: Array) -> Array:
    """(B, h, L, e) with the heads next to each other, (B, L, h e)."""
    count, h, length, e = heads.shape
    return heads.swapaxes(1, 2).reshape(count, length, h * e)


def _columns(output: Array) -> Array:
    """(h, d, e) as the matrix of shape (h e, d) that heads next to each other are multiplied by."""
    return output.swapaxes(1, 2).reshape(-1, output.shape[1])


def outputs(model: Any, tokens: NDArray[np.int64], *, layer_norm: bool, residual: bool) -> Array:
    """Outputs of the network at each sequence of ``tokens``, shape (B, L): an array of shape (B,)."""
    _, last = _forward(model, tokens, layer_norm, residual)
    return np.asarray(last.y.mean(axis=1) @ model.readout / math.sqrt(len(model.readout)))


def _forward(model: Any, tokens: NDArray[np.int64], layer_norm: bool, residual: bool) -> tuple[list[_Block], _Norm]:
    """The blocks, and the LayerNorm behind them, with what they have seen."""
    x = (model.tokens[tokens] + model.positions) / math.sqrt(2.0)
    blocks: list[_Block] = []
    for each in model.blocks:
        blocks.append(_Block(each, x, layer_norm, residual))
        x = blocks[-1].x
    return blocks, _Norm(x, model.norms, layer_norm)


def gradients(model: Any, tokens: NDArray[np.int64], *, layer_norm: bool, residual: bool) -> Gradient:
    """Gradients of the network's output at each sequence of ``tokens``, shape (B, L)."""
    passed, last = _forward(model, tokens, layer_norm, residual)
    batch, length = tokens.shape
    root = math.sqrt(len(model.readout))
    to_x, norms = last.back(np.broadcast_to(model.readout / (root * length), last.y.shape))
    blocks: list[BlockGradient] = []
    for block in reversed(passed):
        to_x, gradient = block.back(to_x)
        blocks.append(gradient)
    positions = to_x / math.sqrt(2.0)
    to_tokens = np.zeros((batch, *model.tokens.shape))
    for place in range(length):  # a token may stand at several places
        to_tokens[np.arange(batch), tokens[:, place]] += positions[:, place]
    return Gradient(to_tokens, positions, tuple(reversed(blocks)), norms, last.y.mean(axis=1) / root)
