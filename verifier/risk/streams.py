"""Keyed random streams: the same call gives the same numbers in any process, worker count or order.

Every stream is a ``numpy.random.Generator`` made from a ``SeedSequence`` whose spawn key is a hash of the words that
say what the stream is for. Searching and shrinking key by (run seed, claim, purpose, replicate), never by the instance,
so that neighbouring instances meet the same noise; confirmation adds the instance's digest and another purpose.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PAIRS = 1 << 14  # that are drawn at a time and stay in the cache
_TO_ANGLE = np.float32(np.pi / 2.0**31)


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """Return the generator of the stream named by ``key`` under the run seed ``seed``.

    Words are separated unambiguously, so ("a", "bc") and ("ab", "c") are different streams, as are 1 and "1".
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed={seed!r} must be a non-negative integer")
    words = hashlib.sha256(repr(tuple(int(k) if isinstance(k, np.integer) else k for k in key)).encode()).digest()
    spawn_key = tuple(int.from_bytes(words[i : i + 4], "little") for i in range(0, 32, 4))
    return np.random.default_rng(np.random.SeedSequence(int(seed), spawn_key=spawn_key))


def normals(generator: np.random.Generator, out: Array, scale: Array | None = None) -> Array:
    r"""Fill ``out``, shape (rows, p), with independent N(0, ``scale``^2), ``scale`` of shape (rows,); about twice as fast as
    ``generator.standard_normal``, whose numbers these are not.

    The left half of a row is :math:`r\cos\theta`, the right one :math:`r\sin\theta`, with :math:`r^2 = -2\ln U` in double precision
    and :math:`\theta` uniform on :math:`2^{32}` angles in single precision, whose cosines are vectorised (Box and Muller 1958).
    What
    is rounded there is 1e-7 of a number.
    """
    rows, p = out.shape
    half = (p + 1) // 2
    block = max(1, _PAIRS // half)
    radius, angle = np.empty((block, half)), np.empty((block, half), dtype=np.float32)
    wave = np.empty_like(angle)
    factor = np.full(rows, -2.0) if scale is None else -2.0 * np.square(scale)
    for top in range(0, rows, block):
        part = out[top : top + block]
        r, a, w = (each[: len(part)] for each in (radius, angle, wave))
        generator.random(out=r)
        np.subtract(1.0, r, out=r)  # in (0, 1]: the logarithm is finite
        np.log(r, out=r)
        r *= factor[top : top + len(part), None]
        np.sqrt(r, out=r)
        bits = generator.bit_generator.random_raw((a.size + 1) // 2).view(np.int32)[: a.size]
        np.multiply(bits.reshape(a.shape), _TO_ANGLE, out=a, dtype=np.float32, casting="unsafe")
        np.multiply(r, np.cos(a, out=w), out=part[:, :half])
        np.multiply(r[:, : p - half], np.sin(a, out=w)[:, : p - half], out=part[:, half:])
    return out
