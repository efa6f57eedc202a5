"""Theorem 7: what its adversaries do, and that a wrong exponent is noticed."""

import dataclasses

import pytest

import verifier as vf
from properties.theorem_7 import READINGS
from verifier.instances import CriticalTarget, FrontDrift, GradientFlow, Instance, PowerLaw

BY_ID = {reading.id.partition("/")[2]: reading for reading in READINGS}
HALF_LEARNT = Instance(PowerLaw(2.0), CriticalTarget(1.0), filter=GradientFlow(), drift=FrontDrift((1.0,), (1.0, 2.0)))


@pytest.mark.parametrize(
    ("name", "instance", "verdict"),
    [
        ("lower-end", HALF_LEARNT, "consistent"),
        ("lower-end-attained", HALF_LEARNT, "consistent"),
        ("lower-end-source-at-the-start", HALF_LEARNT, "violated"),
        ("schedule-of-the-flattest", HALF_LEARNT, "consistent"),
        ("schedule-of-the-steepest", HALF_LEARNT, "violated"),
    ],
)
def test_one_adversary_tells_the_readings_apart(name, instance, verdict):
    assert vf.judge(BY_ID[name], instance, seed=0).verdict == verdict


def test_half_learning_has_the_exponent_of_the_lower_end():
    # s = 1/2 with every kernel, b- = 2: 1/(1 + 1/2).
    judged = vf.judge(BY_ID["lower-end-attained"], HALF_LEARNT, seed=0)
    assert judged.exponent == pytest.approx(2.0 / 3.0, abs=0.01)


@pytest.mark.parametrize("name", ["lower-end-attained", "constants-drift", "drift-that-stops", "turning-that-stops"])
@pytest.mark.thorough
def test_an_exponent_that_is_off_by_a_twentieth_is_noticed(name):
    true = BY_ID[name]
    false = dataclasses.replace(
        true,
        id="X/planted",
        predict=lambda instance: vf.Exponent(true.predict(instance).value + 0.05),
        expected="FALSIFIED",
    )
    assert vf.falsify(false, budget=vf.Budget(examples=15), seed=0).verdict == "FALSIFIED"
