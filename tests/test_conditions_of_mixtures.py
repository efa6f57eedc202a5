"""Conditions of repairs, imposed on ingredients that hang together: a mixture and its samples, its targets, a full rotation."""

from __future__ import annotations

import pytest

import verifier as vf
from verifier.verdicts.conditions import CONDITIONS, Condition

MIXTURE = vf.Mixture((0.5, 0.5), (vf.PowerLaw(3.0), vf.PowerLaw(2.0)))
APART = vf.DisjointMixture((0.5, 0.5), (vf.PowerLaw(3.0), vf.PowerLaw(2.0)))

INSTANCES = [
    vf.Instance(MIXTURE, design=vf.MixtureSamples()),
    vf.Instance(MIXTURE, vf.CarriedFunction(s=0.7, origin=vf.PowerLaw(3.0)), design=vf.MixtureSamples()),
    vf.Instance(APART, vf.ComponentTarget(s=0.5, mixture=APART)),
    vf.Instance(vf.Truncated(vf.PowerLaw(2.0), 32), transform=vf.FullRotation()),
    vf.Instance(vf.Purified(vf.PowerLaw(2.0), 2.0), vf.CarriedCoefficients(s=0.5, origin=vf.PowerLaw(2.0))),
    vf.Instance(
        vf.RotatedMixture((0.5, 0.5), (vf.PowerLaw(3.0), vf.PowerLaw(2.0))),
        vf.CarriedFunction(s=0.7, origin=vf.PowerLaw(3.0)),
    ),
]


@pytest.mark.parametrize("instance", INSTANCES, ids=lambda instance: type(instance.spectrum).__name__)
@pytest.mark.parametrize(
    "condition", [c for c in CONDITIONS if isinstance(c, Condition) and c.impose is not None], ids=lambda c: c.name
)
def test_a_condition_that_cannot_be_imposed_leaves_the_instance_alone(
    instance: vf.Instance, condition: Condition
) -> None:
    assert condition.impose is not None
    imposed = condition.impose(instance)
    assert condition.holds(imposed) or imposed == instance
