"""Keyed random streams: the same call gives the same numbers in any process, worker count or order.

Every stream is a ``numpy.random.Generator`` made from a ``SeedSequence`` whose spawn key is a hash of the words that
say what the stream is for. Searching and shrinking key by (run seed, claim, purpose, replicate), never by the instance,
so that neighbouring instances meet the same noise; confirmation adds the instance's digest and another purpose.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """Return the generator of the stream named by ``key`` under the run seed ``seed``.

    Words are separated unambiguously, so ("a", "bc") and ("ab", "c") are different streams, as are 1 and "1".
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed={seed!r} must be a non-negative integer")
    words = hashlib.sha256(repr(tuple(int(k) if isinstance(k, np.integer) else k for k in key)).encode()).digest()
    spawn_key = tuple(int.from_bytes(words[i : i + 4], "little") for i in range(0, 32, 4))
    return np.random.default_rng(np.random.SeedSequence(int(seed), spawn_key=spawn_key))
