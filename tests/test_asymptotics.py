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
    LogPeriodic,
    Noise,
    PowerLaw,
    RandomTarget,
    SingleEigenfunction,
    SmootherTarget,
    Spectrum,
    Spiked,
    Target,
    Truncated,
)
from verifier.risk.asymptotics import Formula, effective_index, has_exact_order, is_straight, theorem_exponent
from verifier.risk.equivalents import Tuning, equivalent_risk
from verifier.risk.observables import (
    CountingFunction,
    DimensionAtLastEigenvalue,
    EffectiveDimension,
    Eigenvalues,
    Observable,
)

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


# ---------------------------------------------------------------------------------------------------- wrong formulas


@pytest.mark.parametrize(
    ("formula", "tuning", "sigma", "s", "value"),
    [
        (Formula(), "optimal", 1.0, 0.5, 2 / 3),
        (Formula(tail=1.0), "optimal", 1.0, 0.5, 1 / 2),
        (Formula(tail=1.0), "optimal", 0.0, 0.5, 1.0),
        (Formula(tail=1.0), "schedule", 1.0, 0.5, 1 / 3),
        (Formula(saturation=math.inf), "optimal", 1.0, 2.0, 8 / 9),
        (Formula(saturation=math.inf), "optimal", 0.0, 2.0, 8.0),
        (Formula(saturation=math.inf), "optimal", 1.0, math.inf, 1.0),  # smoother than any power: as without a bias
        (Formula(saturation=math.inf), "optimal", 0.0, math.inf, None),
        (Formula(saturation=math.inf), "schedule", 0.0, math.inf, None),
        (Formula(saturation=0.5), "optimal", 1.0, 2.0, 2 / 3),
        (Formula(saturation=0.5), "optimal", 1.0, 0.3, 1.2 / 2.2),
    ],
)
def test_a_wrong_formula_is_wrong_where_it_says(
    formula: Formula, tuning: Tuning, sigma: float, s: float, value: float | None
) -> None:
    target = SingleEigenfunction(0.5) if math.isinf(s) else CriticalTarget(s)
    found = theorem_exponent(Instance(PowerLaw(2.0), target, Noise(sigma)), tuning, None, formula)
    assert found is None if value is None else found == pytest.approx(value, rel=1e-12)


def test_a_formula_is_of_the_risk_alone() -> None:
    wrong = Formula(saturation=0.1, tail=9.0)
    for observable in (EffectiveDimension(), CountingFunction(), Eigenvalues()):
        plain = Instance(PowerLaw(2.0))
        assert theorem_exponent(plain, "optimal", observable, wrong) == theorem_exponent(plain, "optimal", observable)


# ---------------------------------------------------------------------------------------------------- exact orders


def drift(instance: Instance, tuning: str) -> float:
    """Power of ln n in E n^a: the change of its logarithm over the last doubling of ln n, over ln 2."""
    exponent = theorem_exponent(instance, tuning)
    assert exponent is not None
    top = 35.0 if instance.sigma == 0.0 and tuning == "optimal" else 70.0
    log_n = np.log(10.0) * np.array([top / 2.0, top])
    ratio = np.log(np.asarray(equivalent_risk(instance, n=np.exp(log_n), lam=tuning))) + exponent * log_n
    return float((ratio[1] - ratio[0]) / np.log(2.0))


AT_ONE = CriticalTarget(1.0)
# Declares s = 1/2 and has index 1: under the schedule of s = 1/2 its bias, logarithm included, is below the variance.
HIDDEN = SmootherTarget(0.5, excess=0.5)


@pytest.mark.parametrize(
    ("target", "tuning", "sigma", "exact"),
    [
        (AT_ONE, "optimal", 1.0, False),
        (AT_ONE, "optimal", 0.0, False),
        (AT_ONE, "schedule", 1.0, False),
        (AT_ONE, "schedule", 0.0, False),
        (HIDDEN, "optimal", 1.0, False),
        (HIDDEN, "optimal", 0.0, False),
        (HIDDEN, "schedule", 1.0, True),
        (HIDDEN, "schedule", 0.0, False),
        (CriticalTarget(0.5), "optimal", 1.0, True),
        (CriticalTarget(0.5), "schedule", 0.0, True),
        (CriticalTarget(2.0), "optimal", 1.0, True),
        (CriticalTarget(2.0), "schedule", 1.0, True),
        (SingleEigenfunction(0.5), "optimal", 0.0, True),
        (BallTarget(1.0), "optimal", 1.0, True),  # the worst of a ball has one term: nothing adds up
        (BallTarget(1.0), "schedule", 0.0, True),
    ],
    ids=str,
)
def test_the_order_is_exact_where_no_logarithm_multiplies_it(
    target: Target, tuning: Tuning, sigma: float, exact: bool
) -> None:
    """Against the equivalent: E n^a settles, or grows as a power of ln n over its last doubling."""
    instance = Instance(PowerLaw(2.0), target, Noise(sigma))
    assert has_exact_order(instance, tuning) is exact
    assert isinstance(tuning, str)
    measured = drift(instance, tuning)
    # The power is 1 in the bias; with noise and the best ridge 1/5 of it is left at beta = 2.
    assert abs(measured) < 0.01 if exact else measured > 0.15


def test_regularly_varying_spectra_have_no_exact_order_of_anything() -> None:
    varying = Instance(LogCorrected(2.0, 1.0), CriticalTarget(0.5))
    for observable in (None, EffectiveDimension(), CountingFunction(), Eigenvalues()):
        assert not has_exact_order(varying, "optimal", observable)
        assert has_exact_order(Instance(LogCorrected(2.0, 0.0), CriticalTarget(0.5)), "optimal", observable)
    # The index of the target is no matter of the spectrum's.
    assert has_exact_order(Instance(PowerLaw(2.0), AT_ONE), "optimal", EffectiveDimension())


def test_nothing_is_said_of_the_order_for_targets_of_other_packages() -> None:
    class Foreign:
        s, norm, l2_index, source, head = 0.5, 1.0, 0.5, "S-tail", 1

        def log_energy(self, log_index: np.ndarray, log_eigenvalue: np.ndarray) -> np.ndarray:
            return -log_index

        def support(self, log_index_max: float) -> None:
            return None

        def describe(self) -> str:
            return "foreign"

    assert not has_exact_order(Instance(PowerLaw(2.0), Foreign()))
    assert has_exact_order(Instance(PowerLaw(2.0), Foreign()), "optimal", Eigenvalues())


def test_what_oscillates_for_ever_is_no_straight_line() -> None:
    """And the local exponents of the equivalent say the same: they differ by as much at any n, or by nothing."""
    wavy = Instance(LogPeriodic(2.0, 0.5, 2.0), CriticalTarget(0.5))
    lacunary = Instance(PowerLaw(2.0), LacunaryTarget(0.5))
    assert not is_straight(wavy)
    assert not is_straight(lacunary)
    assert is_straight(Instance(PowerLaw(2.0), CriticalTarget(0.5)))
    assert is_straight(Instance(LogCorrected(2.0, 1.0), SmootherTarget(0.5)))
    for instance, low, high in ((wavy, 0.01, 1.0), (Instance(PowerLaw(2.0), CriticalTarget(0.5)), 0.0, 1e-6)):
        log_n = np.linspace(100.0, 110.0, 41)
        local = np.diff(np.log(np.asarray(equivalent_risk(instance, n=np.exp(log_n), lam="schedule")))) / np.diff(log_n)
        assert low <= np.ptp(local) <= high


# ---------------------------------------------------------------------------------------------------- of the spectrum


@pytest.mark.parametrize(
    ("spectrum", "observable", "value"),
    [
        (PowerLaw(2.0), EffectiveDimension(), -1 / 2),
        (PowerLaw(3.0), CountingFunction(), -1 / 3),
        (PowerLaw(3.0), Eigenvalues(), 3.0),
        (Spiked(2.0, 3, 10.0), EffectiveDimension(), -1 / 2),
        (Spiked(2.0, 3, 10.0), Eigenvalues(), 2.0),
        (Truncated(PowerLaw(2.0), 50), EffectiveDimension(), 0.0),
        (Finite((1.0, 0.5)), CountingFunction(), 0.0),
        (Finite((1.0, 0.5)), Eigenvalues(), None),
        (Truncated(PowerLaw(2.0), 50, inverse_index=True), DimensionAtLastEigenvalue(), 1 / 4 - 1),
        (Truncated(PowerLaw(2.0), 50), DimensionAtLastEigenvalue(), None),
    ],
    ids=str,
)
def test_observables_of_the_spectrum_against_their_local_slopes(
    spectrum: Spectrum, observable: Observable, value: float | None
) -> None:
    """-d ln y / d ln x at the far end of what the observable itself can be asked for."""
    instance = Instance(spectrum)
    assert theorem_exponent(instance, "optimal", observable) == value
    if value is not None:
        log_x = np.array([18.0, 20.0]) if observable.variable == "p" else np.array([55.0, 60.0])
        log_y = observable.log_values(instance, log_x, "optimal")
        assert -float(np.diff(log_y)[0] / np.diff(log_x)[0]) == pytest.approx(value, abs=1e-3)


def test_the_dimension_of_an_exponential_spectrum_is_a_logarithm() -> None:
    """N(lambda) ~ ln(1/lambda)/rate: the exponent is 0, and the order is not that of a constant."""
    instance = Instance(Exponential(1.0))
    assert theorem_exponent(instance, "optimal", EffectiveDimension()) == 0.0
    log_y = EffectiveDimension().log_values(instance, np.array([50.0, 100.0]), "optimal")
    assert np.diff(log_y)[0] > 0.5
    assert not has_exact_order(instance, "optimal", EffectiveDimension())
