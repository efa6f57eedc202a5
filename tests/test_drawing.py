"""Repeatable drawing: what a process happens to have imported does not reach the instances that a seed draws."""

import importlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

from verifier.instances import Instance, PowerLaw
from verifier.verdicts.calibration import draw
from verifier.verdicts.drawing import repeatable_draws

internals: Any = providers
COLLECTS = "_get_local_constants"
DOMAIN = st.floats(1.0, 9.0, exclude_min=True).map(lambda beta: Instance(PowerLaw(beta)))
pytestmark = pytest.mark.skipif(
    not hasattr(providers, COLLECTS), reason="this Hypothesis mixes no constants of local modules into its draws"
)


@pytest.fixture
def constants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The constants of a local module, to be imported as ``of_somebody``; what Hypothesis learns of it is forgotten again."""
    values = [round(random.Random(k).uniform(1.1, 8.9), 7) for k in range(400)]
    (tmp_path / "of_somebody.py").write_text(f"VALUES = {values}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "of_somebody", raising=False)
    before = set(internals._seen_modules), internals._local_constants, internals._sys_modules_len
    yield values
    sys.modules.pop("of_somebody", None)
    internals._seen_modules.clear()
    internals._seen_modules.update(before[0])
    internals._local_constants, internals._sys_modules_len = before[1:]
    internals.CONSTANTS_CACHE.cache.clear()


def plainly(count: int) -> list[float]:
    """What Hypothesis draws on its own."""
    found: list[float] = []

    @settings(
        max_examples=count,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.seed(0)
    @given(DOMAIN)
    def collect(instance: Instance) -> None:
        found.append(instance.beta)

    collect()
    return found


@pytest.mark.thorough
def test_an_imported_module_does_not_change_what_is_drawn(constants: list[float]) -> None:
    before = [instance.digest for instance in draw(DOMAIN, 300, 0, "a")]
    importlib.import_module("of_somebody")
    assert [instance.digest for instance in draw(DOMAIN, 300, 0, "a")] == before
    assert not set(constants) & {instance.beta for instance in draw(DOMAIN, 300, 0, "a")}


def test_without_it_an_imported_module_does_change_what_is_drawn(constants: list[float]) -> None:
    """The same assertions, of Hypothesis alone: they can fail."""
    importlib.import_module("of_somebody")
    assert set(constants) & set(plainly(300))


@pytest.mark.thorough
def test_what_was_permitted_before_and_within_is_not_remembered(constants: list[float]) -> None:
    """The cache of permitted constants would carry them in, and their absence out."""
    importlib.import_module("of_somebody")
    plainly(300)
    assert not set(constants) & {instance.beta for instance in draw(DOMAIN, 300, 0, "a")}
    assert set(constants) & set(plainly(300))


def test_hypothesis_is_as_it_was_afterwards() -> None:
    own = getattr(internals, COLLECTS)
    with repeatable_draws():
        inner = getattr(internals, COLLECTS)
        assert inner is not own
        assert not list(inner().set_for_type("float"))
        with repeatable_draws():
            pass
        assert getattr(internals, COLLECTS) is inner
    assert getattr(internals, COLLECTS) is own
    with pytest.raises(KeyError), repeatable_draws():
        raise KeyError
    assert getattr(internals, COLLECTS) is own


def test_a_hypothesis_that_collects_none_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(internals, COLLECTS)
    with repeatable_draws():
        assert not hasattr(internals, COLLECTS)
    assert not hasattr(internals, COLLECTS)


def test_the_seed_and_the_key_say_what_is_drawn() -> None:
    def digests(count: int, seed: int, *key: str | int) -> list[str]:
        return [instance.digest for instance in draw(DOMAIN, count, seed, *key)]

    first = digests(50, 0, "a", 1)
    assert len(first) == len(set(first)) > 40
    assert digests(50, 0, "a", 1) == first
    for other in (digests(50, 1, "a", 1), digests(50, 0, "b", 1), digests(50, 0, "a", 2), digests(50, 0, "a1")):
        assert len(set(first) & set(other)) < 25
    assert len(draw(st.just(Instance(PowerLaw(2.0))), 50, 0)) == 1
