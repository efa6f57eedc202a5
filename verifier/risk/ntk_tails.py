r"""Observables of the tail of a transformer's NTK, measured with an interval of their own (:mod:`verifier.risk.tails`).

Such an observable has a method ``measure`` beside those of :class:`verifier.risk.observables.Observable`: it returns a number
with its interval, which takes the place of an exponent that is extrapolated from a curve (:mod:`verifier.verdicts.measurement`).
It has a method ``missing``, which says what has to be installed.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from verifier.instances import Instance
from verifier.instances.transformer import TransformerNTK
from verifier.risk import transformer as ntk
from verifier.risk.equivalents import Tuning
from verifier.risk.observables import Experiment
from verifier.risk.tails import LEVEL, SPLITS, Slopes, TailIndex, compared, estimated, slopes, window

Array = NDArray[np.float64]

GROUPS = ("everything", "heads", "MLPs", "heads and MLPs")
SWITCHES = ("layer_norm", "residual")

FARTHER = 2
"""How many times as many sequences, none of them seen before, a confirmation takes."""

CONFIRMING_SPLITS = 16
"""Random splits into halves of a confirmation: the tails of Student's law are met far out there."""


def transformer_of(instance: Instance) -> TransformerNTK:
    """The transformer of an instance; ValueError where it has none."""
    if not isinstance(instance.spectrum, TransformerNTK):
        raise ValueError(f"spectrum={instance.spectrum!r} must be a TransformerNTK, for a claim about the NTK of one")
    return instance.spectrum


@lru_cache(maxsize=4)
def _kernels(transformer: TransformerNTK, key: tuple[str | int, ...]) -> ntk.Kernels:
    return ntk.kernels(transformer, ntk.sequences(transformer, transformer.samples, *key))


@lru_cache(maxsize=1024)
def _slopes(transformer: TransformerNTK, key: tuple[str | int, ...], names: tuple[str, ...]) -> Slopes:
    """Slopes of the kernel of some parts, no names for all of them, on the sequences of the stream ``key`` (none: its own)."""
    found = _kernels(transformer, key)
    kernel, parameters = found.of(names or tuple(found.parts))
    splits = CONFIRMING_SPLITS if key else SPLITS
    return slopes(kernel, width=parameters, seed=transformer.seed, splits=splits)


class _Measured:
    """Shared by the observables here."""

    variable: str = "i"

    def missing(self) -> str:
        """What has to be installed, one sentence; empty where nothing has to."""
        return ntk.missing()

    def measure(self, instance: Instance, *, key: tuple[str | int, ...], z: float, farther: bool) -> TailIndex:
        """The number with its interval, on the instance's own sequences; ``farther``: on more of them, of the stream ``key``, and
        at the level of ``z`` normal standard errors.
        """
        transformer = transformer_of(instance)
        if not farther:
            return self._measured(transformer, (), LEVEL)
        transformer = dataclasses.replace(transformer, samples=FARTHER * transformer.samples)
        return self._measured(transformer, key, 1.0 - 2.0 * float(ndtr(-z)))

    def _measured(self, transformer: TransformerNTK, key: tuple[str | int, ...], level: float) -> TailIndex:
        raise NotImplementedError

    def log_range(self, instance: Instance, tuning: Tuning) -> tuple[float, float]:
        first, last = window(transformer_of(instance).samples)
        return math.log(first), math.log(max(first, last))

    def log_values(self, instance: Instance, log_x: Array, tuning: Tuning) -> Array:
        return instance.spectrum.log_eigenvalues(log_x)

    def log_terms(self, instance: Instance, log_x: Array, tuning: Tuning) -> tuple[Array, ...]:
        return (self.log_values(instance, log_x, tuning),)

    def witness(self, instance: Instance, log_x: float, tuning: Tuning) -> dict[str, float]:
        return {"i": math.exp(log_x)}

    def experiment(self, instance: Instance, tuning: Tuning, sizes: tuple[int, ...]) -> Experiment | None:
        return None


@dataclass(frozen=True)
class TailAboveHeaviest(_Measured):
    """How much larger the tail index of the kernel of all parameters in ``whole`` is than the smallest of those of the heads and
    MLPs in ``parts``; both are one of GROUPS. Everything holds embeddings, LayerNorms and readout too.
    """

    whole: str = "everything"
    parts: str = "heads and MLPs"
    name: str = "tail index of the NTK - the smallest of its parts"

    def __post_init__(self) -> None:
        for field in ("whole", "parts"):
            if getattr(self, field) not in GROUPS:
                raise ValueError(f"{field}={getattr(self, field)!r} must be one of {', '.join(GROUPS)}")

    def _measured(self, transformer: TransformerNTK, key: tuple[str | int, ...], level: float) -> TailIndex:
        parts = [_slopes(transformer, key, (name,)) for name in _names(transformer, self.parts)]
        return compared(_slopes(transformer, key, _names(transformer, self.whole)), parts, level=level)


def _names(transformer: TransformerNTK, group: str) -> tuple[str, ...]:
    """The parts of a group; none for everything."""
    blocks = range(1, transformer.depth + 1)
    heads = tuple(ntk.head_name(b, h) for b in blocks for h in range(1, transformer.heads + 1))
    mlps = tuple(ntk.mlp_name(b) for b in blocks)
    return {"everything": (), "heads": heads, "MLPs": mlps, "heads and MLPs": heads + mlps}[group]


@dataclass(frozen=True)
class TailBesideWithout(_Measured):
    """How much larger the tail index of the NTK is than without LayerNorm, or without residual connections (``switch``): the same
    parameters, the same sequences.
    """

    switch: str = "layer_norm"
    name: str = "tail index of the NTK - that without the switch"

    def __post_init__(self) -> None:
        if self.switch not in SWITCHES:
            raise ValueError(f"switch={self.switch!r} must be one of {', '.join(SWITCHES)}")

    def _measured(self, transformer: TransformerNTK, key: tuple[str | int, ...], level: float) -> TailIndex:
        other = dataclasses.replace(transformer, **{self.switch: not getattr(transformer, self.switch)})
        return estimated(_slopes(transformer, key, ()), _slopes(other, key, ()), level=level)
