"""Instances as the choices that their domain made of them, so that what is mutated stays inside the domain.

A domain is a strategy: a program that turns a sequence of choices (whole numbers, floats, booleans) into an instance. A sequence
that is changed and run through the same program gives an instance of the same domain, whatever was changed; one that the program
rejects gives none. So nothing outside a claim's domain is ever judged, which no change of an instance's own numbers could promise.
The idea is Hypothesis's (MacIver and Donaldson 2020, Test-case reduction via test-case generation); its engine offers no access to
it, so its choice sequences are used directly, and :func:`available` says whether the installed version has them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis.control import BuildContext
from hypothesis.errors import StopTest, UnsatisfiedAssumption
from hypothesis.internal.conjecture import data as _data
from hypothesis.internal.conjecture import providers as _providers
from hypothesis.strategies import SearchStrategy

from verifier.instances import Instance

Choice = int | float | bool | str
AT_THE_END = 0.4  # of the choices in a corner are exactly at an end; the others near it, at a log-uniform distance
NEAREST_END = 4.0  # decades of that distance, relative to the range
STEPS = (-3.5, -0.5)  # log10 of a step of a near-violation, relative to the range


def available() -> bool:
    """Whether this version of Hypothesis has choice sequences (6.127 and later)."""
    return hasattr(_data, "ChoiceNode") and hasattr(_data.ConjectureData, "for_choices")


@dataclass(frozen=True)
class Drawn:
    """An instance with the nodes of its choice sequence."""

    instance: Instance
    nodes: tuple[Any, ...]

    @property
    def choices(self) -> list[Choice]:
        """The choices, as JSON holds them."""
        return [node.value for node in self.nodes]


def draw(
    domain: SearchStrategy[Instance],
    rng: random.Random,
    *,
    prefix: Sequence[Choice] = (),
    way: str = "plain",
) -> Drawn | None:
    """Draw an instance that begins with the choices ``prefix``; None where the domain rejects them.

    ``way`` makes the choices that follow: "plain" as Hypothesis draws, "spread" uniformly over their ranges, "corner" at or near
    the ends of their ranges.
    """
    provider = {"plain": _providers.HypothesisProvider, "spread": _Spread, "corner": _Corner}[way]
    data = _data.ConjectureData(random=rng, prefix=tuple(prefix), provider=provider)
    try:
        with BuildContext(data, wrapped_test=None):  # type: ignore[arg-type]  # nothing asks it for the test
            instance = data.draw(domain)
    except (StopTest, UnsatisfiedAssumption):
        return None
    return Drawn(instance, tuple(data.nodes))


class _Spread(_providers.HypothesisProvider):
    """Bounded numbers uniformly: Hypothesis prefers ends and round numbers, and meets the inside of a range less often."""

    def _share(self) -> float:
        """A place in a range, from 0 to 1."""
        return float(self._random.random())  # type: ignore[union-attr]

    def draw_integer(self, min_value: int | None = None, max_value: int | None = None, **more: Any) -> int:
        if min_value is None or max_value is None or more.get("weights"):
            return super().draw_integer(min_value, max_value, **more)
        return min(min_value + math.floor(self._share() * (max_value - min_value + 1)), max_value)

    def draw_float(self, *, min_value: float = -math.inf, max_value: float = math.inf, **more: Any) -> float:
        if not (math.isfinite(min_value) and math.isfinite(max_value)):
            return super().draw_float(min_value=min_value, max_value=max_value, **more)
        value = min(max(min_value + self._share() * (max_value - min_value), min_value), max_value)
        if abs(value) < more.get("smallest_nonzero_magnitude", 0.0):
            return super().draw_float(min_value=min_value, max_value=max_value, **more)
        return value


class _Corner(_Spread):
    """One choice in two at an end of its range or close to it, and rare branches as often as common ones."""

    def _share(self) -> float:
        rng: Any = self._random
        if rng.random() < 0.5:
            return float(rng.random())
        near = 0.0 if rng.random() < AT_THE_END else 10.0 ** -rng.uniform(0.5, NEAREST_END)
        return near if rng.random() < 0.5 else 1.0 - near

    def draw_boolean(self, p: float = 0.5) -> bool:
        return super().draw_boolean(p if p in (0.0, 1.0) else min(max(p, 0.25), 0.75))


def stepped(drawn: Drawn, rng: random.Random) -> list[Choice]:
    """The choices with one or two of them moved by a small step."""
    choices = drawn.choices
    free = [k for k, node in enumerate(drawn.nodes) if _range(node) is not None]
    for k in rng.sample(free, min(len(free), 1 + (rng.random() < 0.3))):
        choices[k] = _moved(drawn.nodes[k], rng)
    return choices


def _moved(node: Any, rng: random.Random) -> Choice:
    if node.type == "boolean":
        return not node.value
    low, high = _range(node) or (node.value, node.value)
    step = (high - low) * 10.0 ** rng.uniform(*STEPS) * rng.choice((-1.0, 1.0))
    if node.type == "integer":
        whole = round(step) or (1 if step > 0.0 else -1)
        return int(min(max(node.value + whole, low), high))
    return float(min(max(node.value + step, low), high))


def _range(node: Any) -> tuple[Any, Any] | None:
    """Ends of the range of a free, bounded choice."""
    if node.was_forced:
        return None
    if node.type == "boolean":
        return None if node.constraints["p"] in (0.0, 1.0) else (False, True)
    if node.type not in ("integer", "float"):
        return None
    low, high = node.constraints["min_value"], node.constraints["max_value"]
    bounded = low is not None and high is not None and math.isfinite(low) and math.isfinite(high) and low < high
    return (low, high) if bounded else None


def simplified(
    domain: SearchStrategy[Instance], drawn: Drawn, keeps: Callable[[Instance], bool], rng: random.Random, tries: int
) -> Drawn:
    """The choices towards their defaults (0, or what a strategy shrinks to) one after another, while ``keeps`` holds.

    ``tries`` bounds how often ``keeps`` is asked.
    """
    best, left, k = drawn, tries, 0
    while k < len(best.nodes) and left > 0:
        node = best.nodes[k]
        for value in _simpler(node):
            choices = best.choices
            choices[k] = value
            found = draw(domain, rng, prefix=choices)
            if found is None or found.instance == best.instance or left <= 0:
                continue
            left -= 1
            if len(found.nodes) <= len(best.nodes) and keeps(found.instance):
                best = found
                break
        k += 1
    return best


def _simpler(node: Any) -> list[Choice]:
    if _range(node) is None or node.type == "boolean":
        return [False] if node.type == "boolean" and node.value and _range(node) else []
    low, high = _range(node) or (0, 0)
    default = min(max(node.constraints.get("shrink_towards", 0) or 0, low), high)
    if node.type == "integer":
        half = default + (node.value - default) // 2 if node.value > default else default - (default - node.value) // 2
        return list(dict.fromkeys(v for v in (int(default), int(half)) if v != node.value))
    rounded = float(min(max(round(node.value, 1), low), high))
    return list(dict.fromkeys(v for v in (float(default), rounded) if v != node.value))
