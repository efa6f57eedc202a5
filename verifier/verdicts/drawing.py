"""Repeatable drawing: the same seed draws the same instances in any process.

Hypothesis mixes constants into its draws that it reads from the source of the local modules which the process happens to
have imported: a worker that has loaded one module more would draw other instances. Hypothesis has no setting for this, so
while a search runs the function that collects them is replaced. Hypothesis's own constants (0, powers of ten, the largest
float, ...) stay. Versions before 6.131 collect none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis.internal.conjecture import providers

_COLLECTS = "_get_local_constants"


@contextmanager
def repeatable_draws() -> Iterator[None]:
    """Draw without the constants of local modules while the block runs."""
    internals: Any = providers
    collects = getattr(internals, _COLLECTS, None)
    if collects is None:
        yield
        return
    nothing = internals.Constants()
    setattr(internals, _COLLECTS, lambda: nothing)
    internals.CONSTANTS_CACHE.cache.clear()  # what it holds was permitted before
    try:
        yield
    finally:
        setattr(internals, _COLLECTS, collects)
        internals.CONSTANTS_CACHE.cache.clear()
