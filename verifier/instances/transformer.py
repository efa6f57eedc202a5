r"""A small transformer at initialisation, as a source of eigenvalues: those of its empirical neural tangent kernel (NTK) on
sequences of Zipf tokens.

Data only: shapes, switches and seeds. What is computed from them is in :mod:`verifier.risk.transformer`, which needs jax and
equinox (the extra ``transformers``); constructing, recording and describing one does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from verifier.instances.ingredient import Ingredient, whole, within
from verifier.instances.spectra import SpectrumDefaults

Array = NDArray[np.float64]

MOST_SAMPLES = 4096


@dataclass(frozen=True)
class TransformerNTK(SpectrumDefaults, Ingredient):
    r"""The eigenvalues of K/N, K the NTK of a transformer at initialisation on N = ``samples`` sequences, in decreasing order.

    The network: embeddings of ``vocabulary`` tokens and of ``context`` positions in R^``width``; ``depth`` blocks of attention with
    ``heads`` heads and of a GELU MLP of hidden width 2 ``width``, each after a LayerNorm and around a residual connection
    (``layer_norm``, ``residual``: whether they are there); the mean over positions, and a linear readout. A sequence: tokens with
    :math:`p_v \propto v^{-\mathrm{zipf}}`, each repeating its predecessor with probability ``sticky``, so that a token's
    autocorrelation is sticky^h. ``seed`` draws the parameters and the sequences. A finite spectrum: it has no tail index, and
    :func:`verifier.risk.tails.tail_index` says what decay it shows. ValueError for numbers outside their ranges, and on asking for
    eigenvalues without the extra.
    """

    width: int = 32
    heads: int = 2
    depth: int = 1
    context: int = 8
    vocabulary: int = 256
    zipf: float = 1.0
    sticky: float = 0.0
    layer_norm: bool = True
    residual: bool = True
    seed: int = 0
    samples: int = 256

    equivalent = False  # not a field: sequences are not Gaussian in the eigenbasis

    def __post_init__(self) -> None:
        for name, low, high in (
            ("width", 2, 512),
            ("heads", 1, 64),
            ("depth", 1, 12),
            ("context", 1, 256),
            ("vocabulary", 2, 65536),
            ("seed", 0, 2**31 - 1),
            ("samples", 2, MOST_SAMPLES),
        ):
            object.__setattr__(self, name, whole(name, getattr(self, name), low, high))
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} must divide width={self.width}")
        object.__setattr__(self, "zipf", within("zipf", self.zipf, 0.0, 4.0))
        object.__setattr__(self, "sticky", within("sticky", self.sticky, 0.0, 0.99))
        for name in ("layer_norm", "residual"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name}={getattr(self, name)!r} must be True or False")

    @property
    def size(self) -> float:  # type: ignore[override]
        return float(self.samples)

    @property
    def head(self) -> int:  # type: ignore[override]
        return self.samples

    @cached_property
    def _logarithms(self) -> Array:
        from verifier.risk.transformer import kernels

        values = np.linalg.eigvalsh(kernels(self).whole)[::-1] / self.samples
        # Rounding leaves eigenvalues of zero, where sequences coincide, a little above or below it.
        return np.asarray(np.log(np.maximum(values, values[0] * np.finfo(np.float64).eps)))

    def log_eigenvalues(self, log_index: Array) -> Array:
        index = np.rint(np.exp(log_index)).astype(np.int64) - 1
        return np.asarray(self._logarithms[index], dtype=np.float64)

    def describe(self) -> str:
        blocks = f"{self.depth} block{'s' if self.depth > 1 else ''}"
        without = [
            name for name, on in (("LayerNorm", self.layer_norm), ("residual connections", self.residual)) if not on
        ]
        left_out = f", without {' and '.join(without)}" if without else ""
        sticky = f", repeated with probability {self.sticky:g}" if self.sticky else ""
        return (
            f"NTK of a transformer (width {self.width}, {self.heads} head{'s' if self.heads > 1 else ''}, {blocks}{left_out}) on "
            f"{self.samples} sequences of {self.context} tokens of {self.vocabulary}, Zipf {self.zipf:g}{sticky} (seed {self.seed})"
        )
