r"""Simulators that a pack brings: where the data, or the learner, are not those of :mod:`verifier.risk.simulate`.

A simulator is an object with a method ``simulate``, or a plain function, with the signature

    simulate(instance, n, lam, generators) -> excess risks of shape (len(generators), len(n))

``n`` are the sample sizes and ``lam`` the ridges, both of shape (K,); ``generators`` are ``numpy.random.Generator`` objects,
one a replicate, and all the randomness there is: row r may use ``generators[r]`` only. So rows are independent, which
standard errors need; the first rows do not depend on how many follow; and the same seed gives the same numbers. Entries of a
row may share samples, which makes slopes sharper.

A claim names its simulator (``Claim(simulator=...)``), or an ingredient carries one as its attribute ``simulator``. An
instance that is simulated in a way of its own has no deterministic equivalent, unless the simulator says ``equivalent =
True``: then the equivalent gives the verdict, and the simulator has to agree with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from verifier.instances import Instance
from verifier.risk.memory import averages_out
from verifier.risk.streams import stream

Array = NDArray[np.float64]
Simulate = Callable[[Instance, NDArray[np.int64], Array, Sequence[np.random.Generator]], Any]


class HasSimulate(Protocol):
    """An object with the method ``simulate``."""

    @property
    def simulate(self) -> Simulate:
        """Excess risks of shape (replicates, K)."""


Simulator = HasSimulate | Simulate


def is_simulator(value: object) -> bool:
    """Whether ``value`` has a method ``simulate`` or is a function itself."""
    return callable(getattr(value, "simulate", value))


def simulator_of(instance: Instance) -> Simulator | None:
    """The simulator that an ingredient carries, None where none does; ValueError where two do."""
    parts = [getattr(instance, field.name) for field in dataclasses.fields(instance)]
    found = [part for part in parts if getattr(part, "simulator", None) is not None]
    if len(found) > 1:
        raise ValueError(f"{found[0]!r} and {found[1]!r} each bring a simulator; an instance has at most one")
    if not found:
        return None
    simulator: Simulator = found[0].simulator
    if not is_simulator(simulator):
        raise ValueError(f"simulator={simulator!r} of {found[0]!r} must be a function or have a method simulate")
    return simulator


def has_equivalent(instance: Instance, simulator: Simulator | None = None) -> bool:
    """Whether the deterministic equivalent covers the instance, simulated in the given way or its own.

    An ingredient declines with ``equivalent = False``; a simulator accepts with ``equivalent = True``. Samples whose rare long
    runs decide the mean risk (:func:`verifier.risk.memory.averages_out`) have none.
    """
    chosen = simulator_of(instance) if simulator is None else simulator
    if chosen is not None and not getattr(chosen, "equivalent", False):
        return False
    accepted = all(getattr(getattr(instance, f.name), "equivalent", True) for f in dataclasses.fields(instance))
    return accepted and averages_out(instance)


def simulated_by(
    simulator: Simulator,
    instance: Instance,
    n: NDArray[np.int64],
    lam: Array,
    *,
    replicates: int,
    seed: int,
    key: tuple[str | int, ...],
) -> Array:
    """Excess risks of shape (replicates, K) from a pack's simulator; ValueError naming it where they are not such."""
    function: Any = getattr(simulator, "simulate", simulator)
    named = simulator if hasattr(simulator, "__name__") else type(simulator)
    name = f"the simulator {getattr(named, '__name__', repr(simulator))}"
    generators = [stream(seed, *key, "replicate", r) for r in range(replicates)]
    try:
        returned = function(instance, n.copy(), lam.copy(), generators)
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{name} raised {type(error).__name__}: {said}, for {instance.describe()}") from error
    try:
        samples = np.array(returned, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} returned {type(returned).__name__}, which is no array of numbers") from None
    if samples.shape != (replicates, len(n)):
        raise ValueError(
            f"{name} returned an array of shape {samples.shape}; expected ({replicates}, {len(n)}), a row for each "
            "generator and a column for each n"
        )
    bad = ~(np.isfinite(samples) & (samples >= 0.0))
    if bad.any():
        r, k = (int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} returned {float(samples[r, k])!r} at n={n[k]} in replicate {r}, for {instance.describe()}; an excess "
            "risk is a finite number >= 0"
        )
    return samples
