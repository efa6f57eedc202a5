"""Certification: what the largest sample size leans on, and what a wrong equivalent would look like."""

from __future__ import annotations

import math

import numpy as np
import pytest

from verifier.instances import CriticalTarget, GaussianFeatures, Instance, LacunaryTarget, LogPeriodic, Noise, PowerLaw
from verifier.risk.curves import learning_curve
from verifier.risk.equivalents import equivalent_risk
from verifier.risk.observables import ExcessRisk, Experiment
from verifier.verdicts import certify as module
from verifier.verdicts.certify import LEADING_DIRECTIONS, agreement_constant, certify

HARD = [
    Instance(PowerLaw(1.05), CriticalTarget(0.1), Noise(1.0)),
    Instance(PowerLaw(1.5), CriticalTarget(0.5), Noise(0.01)),
    Instance(PowerLaw(3.0), CriticalTarget(1.0), Noise(0.0)),
    Instance(PowerLaw(6.0), CriticalTarget(1.0), Noise(0.0)),
    Instance(LogPeriodic(2.0, 0.5, 2.0), LacunaryTarget(0.4, ratio=10.0), Noise(0.0)),
]


@pytest.mark.parametrize("instance", HARD, ids=Instance.describe)
def test_leading_directions_stand_for_all_where_they_are_used(instance: Instance) -> None:
    n = (3200,)
    few, many = (
        learning_curve(instance, n=n, replicates=8, controls=True, directions=p) for p in (LEADING_DIRECTIONS, 512)
    )
    noise = math.hypot(float(few.stderr[0]), float(many.stderr[0]))
    allowed = 0.1 * agreement_constant(instance) / n[0] * float(few.risk[0])
    assert abs(few.risk[0] - many.risk[0]) < allowed + 4.0 * noise


@pytest.mark.parametrize("instance", HARD, ids=Instance.describe)
def test_every_instance_is_certified_and_precise(instance: Instance) -> None:
    found = certify(Experiment(instance, (64, 128, 3200), "optimal"), seed=1, replicates=16, z=4.7)
    assert found.agrees, found.text
    assert found.precision < module.RESERVED
    assert found.n == (64, 128, 3200)


FEW = Instance(PowerLaw(1.2, 10.0), CriticalTarget(0.45), Noise(0.5), features=GaussianFeatures(0.5, 0.48))


@pytest.mark.parametrize("seed", range(6))
def test_a_slope_is_allowed_what_its_points_are(seed: int) -> None:
    # Four and five features at n = 64 and 128, correlated almost perfectly: the slope's weights sit on these two points.
    found = certify(ExcessRisk().experiment(FEW, "schedule", (64, 128, 3200)), seed=seed, replicates=16, z=4.7)
    assert abs(found.slope - found.equivalent_slope) > 10.0 * found.slope_stderr  # which c/n at two points explains
    assert found.agrees, found.text


@pytest.mark.parametrize("delta", [0.05, -0.05])
def test_an_equivalent_with_a_wrong_exponent_is_not_certified(delta: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(instance: Instance, **arguments: object) -> np.ndarray:
        n = np.asarray(arguments["n"], dtype=np.float64)
        return np.asarray(equivalent_risk(instance, **arguments)) * (n / 50.0) ** delta  # type: ignore[arg-type]

    monkeypatch.setattr(module, "equivalent_risk", wrong)
    few = ExcessRisk().experiment(FEW, "schedule", (64, 128, 3200))
    for experiment in (Experiment(HARD[1], (50, 100, 1600), "optimal"), few):
        found = certify(experiment, seed=1, replicates=16, z=3.5)
        assert not found.agrees
        assert abs(delta) > found.precision
