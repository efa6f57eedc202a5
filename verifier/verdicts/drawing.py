"""Repeatable drawing: the same seed draws the same instances in any process.

Hypothesis mixes constants into its draws that it reads from the source of the local modules which the process happens to
have imported: a worker that has loaded one module more would draw other instances. Hypothesis has no setting for this, so
while a search runs the function that collects them is replaced. Hypothesis's own constants (0, powers of ten, the largest
float, ...) stay. Versions before 6.131 collect none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.internal.conjecture import providers
from hypothesis.strategies import SearchStrategy

from verifier.instances import Instance

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


class _Enough(BaseException):
    """Ends a drawing early; not an Exception, so that Hypothesis does not take it for a failure."""


def draw(domain: SearchStrategy[Instance], count: int, seed: int, *key: str | int) -> list[Instance]:
    """Up to ``count`` different instances of a domain, as a search draws them before it is guided; none of an empty one."""
    return _draw(domain, count, seed, key, lambda instance: False)


def draw_until(
    enough: Callable[[Instance], bool], domain: SearchStrategy[Instance], count: int, seed: int, *key: str | int
) -> list[Instance]:
    """The first of the instances of :func:`draw`, up to one that is ``enough``."""
    return _draw(domain, count, seed, key, enough)


def _draw(
    domain: SearchStrategy[Instance],
    count: int,
    seed: int,
    key: tuple[str | int, ...],
    enough: Callable[[Instance], bool],
) -> list[Instance]:
    found: dict[str, Instance] = {}
    words = hashlib.sha256(repr((seed, *key)).encode()).digest()

    @settings(
        max_examples=count,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        derandomize=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.seed(int.from_bytes(words[:8], "little"))
    @given(domain)
    def collect(instance: Instance) -> None:
        found.setdefault(instance.digest, instance)
        if enough(instance):
            raise _Enough

    with repeatable_draws(), suppress(Unsatisfiable, _Enough):
        collect()
    return list(found.values())
