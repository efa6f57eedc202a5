"""Conditions of a repair on drift, heads and stochastic gradients: what they hold for, and what they impose."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import verifier as vf
from verifier.verdicts.conditions import CONDITIONS, Condition, Threshold, evaluate

KNOWN = {condition.name: condition for condition in CONDITIONS}
PLAIN = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(0.4))
TURN = vf.TurningDrift(ratio=4, start=0.0, stages=((1.0, 16.0, 75.0),))


def imposed(name: str, instance: vf.Instance) -> vf.Instance:
    condition = KNOWN[name]
    assert isinstance(condition, Condition)
    assert condition.impose is not None
    changed = condition.impose(instance)
    assert evaluate(condition, changed) == 1.0
    return changed


@pytest.mark.parametrize(
    ("drift", "expected"),
    [
        (vf.NoDrift(), (1, 1, 1)),
        (TURN, (0, 1, 1)),
        (dataclasses.replace(TURN, moves=2), (1, 1, 1)),
        (dataclasses.replace(TURN, fading=2.0), (1, 1, 1)),
        (vf.SteppedDrift(times=(10.0,), ratios=(1.0, 2.0)), (1, 0, 0)),
        (vf.SteppedDrift(times=(10.0,), ratios=(2.0, 1.0)), (1, 1, 0)),
        (vf.FrontDrift(positions=(1.0,), ratios=(0.8, 0.6)), (0, 1, 0)),
        (vf.FrontDrift(positions=(1.0,), ratios=(0.6, 0.8)), (0, 0, 0)),
        (vf.FrontDrift(positions=(1.0,), ratios=(1.0, 1.0), gains=(2.0, 1.0)), (0, 1, 1)),
        (vf.FrontDrift(positions=(1.0,), ratios=(1.0, 1.0)), (1, 1, 1)),
    ],
    ids=lambda value: value.describe()[:60] if hasattr(value, "describe") else None,
)
def test_drift(drift: Any, expected: tuple[int, ...]) -> None:
    instance = dataclasses.replace(PLAIN, filter=vf.GradientFlow(), drift=drift)
    found = tuple(evaluate(KNOWN[name], instance) for name in ("drift-at-rest", "never-steeper", "tail-stays"))
    assert found == expected


def test_a_turn_that_is_stopped_is_the_same_turn() -> None:
    turning = dataclasses.replace(PLAIN, filter=vf.GradientFlow(), drift=TURN)
    assert imposed("drift-at-rest", turning).drift == dataclasses.replace(TURN, moves=3)


def test_heads() -> None:
    heads = vf.DisjointHeads(added=vf.PowerLaw(1.5), degree=0.5, factor=2.0, weighting=0.5)
    instance = dataclasses.replace(PLAIN, context=heads)
    assert imposed("one-eigenbasis", instance).context == vf.CodiagonalHeads(
        added=vf.PowerLaw(1.5), degree=0.5, factor=2.0, weighting=0.5
    )
    lighter = imposed("no-heavier-head", instance)
    assert lighter.context == dataclasses.replace(heads, added=vf.PowerLaw(2.0))
    assert imposed("no-heavier-head", lighter) == lighter
    growth = KNOWN["heads-degree-at-most"]
    assert isinstance(growth, Threshold)
    assert growth.move is not None
    assert evaluate(growth, instance) == 0.5
    assert evaluate(growth, growth.move(instance, 0.1)) == 0.1
    assert evaluate(growth, growth.move(instance, 0.0)) == 0.0
    assert growth.move(instance, 2.0) == instance
    few = dataclasses.replace(instance, context=dataclasses.replace(heads, factor=0.5))
    assert growth.move(few, 0.0) == few, "half a head"
    for name in ("one-eigenbasis", "no-heavier-head", "heads-degree-at-most"):
        assert evaluate(KNOWN[name], PLAIN) == (0.0 if name == "heads-degree-at-most" else 1.0)


def test_stochastic_gradients() -> None:
    last = dataclasses.replace(PLAIN, filter=vf.MultiPass(degree=1.5))
    assert evaluate(KNOWN["not-the-last-iterate"], last) == 0.0
    assert imposed("not-the-last-iterate", last).filter == vf.MultiPass(degree=1.5, averaged=True)
    steps = KNOWN["steps-degree-at-least"]
    assert isinstance(steps, Threshold)
    assert steps.move is not None
    assert (evaluate(steps, last), evaluate(steps, PLAIN)) == (1.5, 3.0)
    assert steps.move(last, 2.0).filter == vf.MultiPass(degree=2.0)
    assert steps.move(last, 5.0) == last
    assert steps.move(PLAIN, 2.0) == PLAIN
