"""Conditions of a repair on dependence, means and estimators: what they hold for, and what they impose."""

from __future__ import annotations

import dataclasses

import pytest

import verifier as vf
from verifier.instances import Dependence
from verifier.verdicts.conditions import CONDITIONS, Condition, evaluate

KNOWN = {condition.name: condition for condition in CONDITIONS}
NAMES = ("independent", "white-products", "summable-products", "no-negative-correlation")
PLAIN = vf.Instance(vf.PowerLaw(2.0))


@pytest.mark.parametrize(
    ("dependence", "expected"),
    [
        (vf.Independent(), (1, 1, 1, 1)),
        (vf.Dependent(vf.AR1(0.5)), (0, 1, 1, 1)),
        (vf.Dependent(vf.White(), vf.AR1(-0.5)), (0, 1, 1, 0)),
        (vf.Dependent(vf.AR1(0.5), vf.AR1(-0.5)), (0, 0, 1, 0)),
        (vf.Dependent(vf.FractionalNoise(0.9), vf.FractionalNoise(0.9)), (0, 0, 0, 1)),
        (vf.Dependent(vf.FractionalNoise(0.6), vf.FractionalNoise(0.8)), (0, 0, 1, 1)),
        (vf.Repeated(vf.Sticky(0.5)), (0, 1, 1, 1)),
        (vf.Repeated(vf.Sticky(0.5), "repeated"), (0, 0, 1, 1)),
        (vf.PerCoordinate((0.5, -0.3), vf.AR1(0.2)), (0, 0, 1, 0)),
        (vf.PerCoordinate((0.5, 0.3)), (0, 1, 1, 1)),
        (vf.VectorAutoregression.rotation(0.5, 1.0, vf.AR1(0.3)), (0, 0, 1, 0)),
        (vf.VectorAutoregression.rotation(0.5, 1.0), (0, 1, 1, 0)),
    ],
    ids=lambda value: value.describe()[:48] if isinstance(value, Dependence) else None,
)
def test_what_they_hold_for_and_what_they_impose(dependence: Dependence, expected: tuple[int, ...]) -> None:
    instance = dataclasses.replace(PLAIN, dependence=dependence)
    assert tuple(evaluate(KNOWN[name], instance) for name in NAMES) == expected
    for name in ("independent", "white-products"):
        condition = KNOWN[name]
        assert isinstance(condition, Condition)
        assert condition.impose is not None
        assert evaluate(condition, condition.impose(instance)) == 1.0


def test_the_mean_and_the_estimator() -> None:
    uncentred = dataclasses.replace(PLAIN, design=vf.UncentredDesign())
    last = dataclasses.replace(PLAIN, filter=vf.SinglePass())
    flow = dataclasses.replace(PLAIN, filter=vf.GradientFlow())
    for name, broken in (("centred", uncentred), ("ridge", flow), ("ridge", last), ("not-the-last-iterate", last)):
        condition = KNOWN[name]
        assert isinstance(condition, Condition)
        assert condition.impose is not None
        assert evaluate(condition, PLAIN) == 1.0
        assert evaluate(condition, broken) == 0.0
        assert evaluate(condition, condition.impose(broken)) == 1.0
    assert evaluate(KNOWN["not-the-last-iterate"], flow) == 1.0
