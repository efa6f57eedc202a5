"""Exponents that theorems give: against hand-written values, and against the local exponents of the equivalent."""

import math
from itertools import product

import numpy as np
import pytest

from verifier.instances import (
    BallTarget,
    CriticalTarget,
    Exponential,
    ExponentialTarget,
    Finite,
    Instance,
    LacunaryTarget,
    LogCorrected,
    Noise,
    PowerLaw,
    RandomTarget,
    SingleEigenfunction,
    SmootherTarget,
    Spiked,
    Target,
    Truncated,
)
from verifier.risk.asymptotics import effective_index, theorem_exponent
from verifier.risk.equivalents import Tuning, equivalent_risk

SILENT = Noise(0.0)


@pytest.mark.parametrize(
    ("instance", "tuning", "value"),
    [
        (Instance(PowerLaw(2.0), CriticalTarget(0.5)), "optimal", 2 / 3),
        (Instance(PowerLaw(2.0), CriticalTarget(0.5)), "schedule", 2 / 3),
        (Instance(PowerLaw(2.0), CriticalTarget(0.5), SILENT), "optimal", 2.0),
        (Instance(PowerLaw(2.0), CriticalTarget(0.5), SILENT), "schedule", 2 / 3),
        (Instance(PowerLaw(2.0), CriticalTarget(2.0)), "optimal", 4 / 5),  # saturation: 2/(2 + 1/beta)
        (Instance(PowerLaw(2.0), CriticalTarget(2.0)), "schedule", 4 / 9),  # 2/(2s + 1/beta)
        (Instance(PowerLaw(2.0), CriticalTarget(2.0), SILENT), "optimal", 4.0),  # 2 beta
        (Instance(PowerLaw(2.0), SingleEigenfunction(0.5)), "optimal", 4 / 5),  # 2 beta/(2 beta + 1)
        (Instance(PowerLaw(2.0), SingleEigenfunction(0.5)), "schedule", 2 / 3),  # the variance's alone
        (Instance(PowerLaw(2.0), SingleEigenfunction(0.5), SILENT), "schedule", 4 / 3),  # lambda^2
        (Instance(PowerLaw(2.0), CriticalTarget(0.25, source_norm="RKHS")), "optimal", 3 / 4),
        (Instance(PowerLaw(3.0), SmootherTarget(0.25, excess=0.25)), "optimal", 3 / 4),
        (Instance(PowerLaw(2.0), LacunaryTarget(0.5)), "optimal", 2 / 3),
        (Instance(PowerLaw(2.0), BallTarget(0.5)), "optimal", 2 / 3),
        (Instance(Spiked(2.0, 3, 10.0), CriticalTarget(0.5)), "optimal", 2 / 3),
        (Instance(LogCorrected(2.0, 1.0), CriticalTarget(0.5)), "optimal", 2 / 3),
    ],
    ids=lambda value: value.describe() if isinstance(value, Instance) else str(value)[:6],
)
def test_exponents_written_out_by_hand(instance: Instance, tuning: Tuning, value: float) -> None:
    assert theorem_exponent(instance, tuning) == pytest.approx(value, rel=1e-12)


def test_what_no_theorem_covers_is_none() -> None:
    for instance in (
        Instance(Finite((1.0,))),
        Instance(Truncated(PowerLaw(2.0), 100)),
        Instance(Exponential(1.0)),
    ):
        assert theorem_exponent(instance) is None
    assert theorem_exponent(Instance(PowerLaw(2.0)), lambda instance, n: 1.0 / n) is None

    class Foreign:
        s, norm, l2_index, source, head = 0.5, 1.0, 0.5, "S-tail", 1

        def log_energy(self, log_index: np.ndarray, log_eigenvalue: np.ndarray) -> np.ndarray:
            return -log_index

        def support(self, log_index_max: float) -> None:
            return None

        def describe(self) -> str:
            return "foreign"

    assert theorem_exponent(Instance(PowerLaw(2.0), Foreign())) is None


def test_smoother_than_any_power_is_infinite() -> None:
    for target in (SingleEigenfunction(0.5), ExponentialTarget(0.5)):
        assert effective_index(Instance(PowerLaw(2.0), target)) == math.inf


# Easy regimes: away from saturation and from exponents that meet, corrections are powers of n, gone at 1e40.
EASY: list[Target] = [
    CriticalTarget(0.3),
    CriticalTarget(0.6),
    CriticalTarget(2.0),
    BallTarget(0.5),
    SmootherTarget(0.2, excess=0.3),
    RandomTarget(0.3, seed=1, excess=0.2),
    SingleEigenfunction(0.4),
    ExponentialTarget(2.0),
]


@pytest.mark.parametrize(("target", "sigma"), list(product(EASY, (1.0, 0.0))), ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("tuning", ["optimal", "schedule"])
@pytest.mark.parametrize("beta", [1.2, 2.0, 3.0])
def test_local_exponents_of_the_equivalent_are_those_of_the_theorems(
    beta: float, tuning: str, target: Target, sigma: float
) -> None:
    instance = Instance(PowerLaw(beta), target, Noise(sigma))
    top = 35.0 if sigma == 0.0 and tuning == "optimal" else 50.0
    log_n = np.log(10.0) * np.array([top - 5.0, top])
    risks = np.log(np.asarray(equivalent_risk(instance, n=np.exp(log_n), lam=tuning)))
    local = -float(np.diff(risks)[0] / np.diff(log_n)[0])
    expected = theorem_exponent(instance, tuning)
    assert expected is not None
    # Measured deviations are below 1e-4 except where two terms are close (n^-0.1 apart at n = 1e45 is e^-10).
    assert local == pytest.approx(expected, abs=2e-3)
