"""Observables: each curve against its definition, evaluated as far as it says, with witnesses that can be checked."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest

from verifier.instances import (
    BallTarget,
    BrokenPowerLaw,
    CriticalTarget,
    Exponential,
    ExponentialTarget,
    Finite,
    Instance,
    LogPeriodic,
    Noise,
    PowerLaw,
    RandomTarget,
    SingleEigenfunction,
    Spectrum,
    Spiked,
    Truncated,
    eigenvalues,
)
from verifier.risk.equivalents import effective_dimension, effective_ridge, equivalent_risk, optimal_ridge, risk_terms
from verifier.risk.observables import (
    BiasRatio,
    ConvexityDeficit,
    CountingFunction,
    DimensionAtLastEigenvalue,
    EffectiveDimension,
    Eigenvalues,
    ExcessRisk,
    Observable,
    PowerRidge,
    RiskRatio,
    VarianceRatio,
)

PLAIN = Instance(PowerLaw(2.0))
ALL: list[Any] = [
    ExcessRisk(),
    EffectiveDimension(),
    CountingFunction(),
    Eigenvalues(),
    BiasRatio(),
    ConvexityDeficit(),
    VarianceRatio(small_samples=True),
    VarianceRatio(small_samples=False),
    RiskRatio(small_samples=True),
    RiskRatio(small_samples=False),
]


@pytest.mark.parametrize("observable", ALL, ids=repr)
@pytest.mark.parametrize(
    "instance",
    [
        Instance(PowerLaw(1.05), ExponentialTarget(0.3)),
        Instance(PowerLaw(6.0), ExponentialTarget(0.3)),
        Instance(LogPeriodic(2.0, 0.4, 5.0), ExponentialTarget(0.3)),
        Instance(Spiked(2.0, 100, 1000.0), ExponentialTarget(0.3)),
    ],
    ids=lambda instance: instance.spectrum.describe(),
)
@pytest.mark.thorough
def test_curves_are_finite_over_the_range_that_they_state(observable: Any, instance: Instance) -> None:
    assert isinstance(observable, Observable)
    low, high = observable.log_range(instance, "optimal")
    assert high - low > 8.0
    log_x = np.linspace(low, high, 40)
    values = observable.log_values(instance, log_x, "optimal")
    assert values.shape == (40,)
    usable = np.isfinite(values)
    # N(lambda) <= n/10 leaves no sample size at the ends of the grid, nothing else may be missing.
    assert usable.sum() >= (20 if getattr(observable, "small_samples", True) is False else 40)
    total = np.logaddexp.reduce(observable.log_terms(instance, log_x, "optimal"))
    np.testing.assert_allclose(total[usable], values[usable], rtol=1e-12, atol=1e-12)
    witness = observable.witness(instance, float(log_x[20]), "optimal")
    assert witness
    assert all(math.isfinite(value) for value in witness.values())


# ------------------------------------------------------------------------------------------------ the risk


def test_excess_risk_is_the_equivalent() -> None:
    log_n = np.array([5.0, 20.0, 60.0])
    for tuning in ("optimal", "schedule"):
        expected = np.log(np.asarray(equivalent_risk(PLAIN, n=np.exp(log_n), lam=tuning)))
        np.testing.assert_allclose(ExcessRisk().log_values(PLAIN, log_n, tuning), expected, rtol=1e-12)
    assert len(ExcessRisk().log_terms(PLAIN, log_n, "optimal")) == 1
    parts = ExcessRisk().log_terms(PLAIN, log_n, "schedule")
    np.testing.assert_allclose(parts, np.log(risk_terms(PLAIN, n=np.exp(log_n), lam="schedule")), rtol=1e-12)
    assert len(ExcessRisk().log_terms(Instance(PowerLaw(2.0), noise=Noise(0.0)), log_n, "schedule")) == 1


def test_excess_risk_tells_the_ridge_behind_a_point() -> None:
    witness = ExcessRisk().witness(PLAIN, math.log(1000.0), "optimal")
    assert witness["n"] == pytest.approx(1000.0)
    assert witness["lam"] == pytest.approx(float(optimal_ridge(PLAIN, 1000.0)), rel=1e-6)


def test_excess_risk_starts_where_the_irregular_head_is_resolved() -> None:
    low, high = ExcessRisk().log_range(PLAIN, "optimal")
    assert low == pytest.approx(math.log(100.0))
    assert high > math.log(1e12)
    for instance in (
        Instance(PowerLaw(2.0), RandomTarget(0.5)),
        Instance(Spiked(2.0, 100, 1000.0)),
        Instance(BrokenPowerLaw(1.5, 5.0, 300)),
    ):
        head = max(instance.spectrum.head, instance.target.head)
        level = float(instance.spectrum.log_eigenvalues(np.log([float(head)]))[0])
        start, _ = ExcessRisk().log_range(instance, "optimal")
        n = math.exp(start)
        kappa = float(effective_ridge(instance, n, float(optimal_ridge(instance, n))))
        assert start > math.log(100.0)
        assert math.log(kappa) < level - 1.0


def test_excess_risk_is_certified_by_the_same_instance() -> None:
    experiment = ExcessRisk().experiment(PLAIN, "schedule", (100, 200))
    assert (experiment.instance, experiment.n, experiment.tuning) == (PLAIN, (100, 200), "schedule")


# ------------------------------------------------------------------------------------------------ spectrum


def test_effective_dimension_curve() -> None:
    log_x = np.array([2.0, 30.0, 250.0])
    expected = np.log(effective_dimension(PLAIN, np.exp(-log_x)))
    np.testing.assert_array_equal(EffectiveDimension().log_values(PLAIN, log_x, "optimal"), expected)
    assert EffectiveDimension().experiment(PLAIN, "optimal", (100,)) is None
    assert EffectiveDimension().witness(PLAIN, 2.0, "optimal") == {"lam": pytest.approx(math.exp(-2.0))}


@pytest.mark.parametrize(
    "spectrum",
    [
        PowerLaw(2.0),
        PowerLaw(1.3, 10.0),
        BrokenPowerLaw(2.0, 0.5, 30),
        LogPeriodic(2.0, 0.4, 5.0),
        Spiked(2.0, 3, 10.0),
        Finite((3.0, 1.0, 1.0, 0.5)),
        Truncated(PowerLaw(2.0), 50),
        Truncated(PowerLaw(2.0), 9000),
    ],
    ids=lambda spectrum: spectrum.describe(),
)
def test_counting_function_counts(spectrum: Spectrum) -> None:
    levels = eigenvalues(spectrum, 20_000)
    # Between neighbouring eigenvalues, and below the last one that was listed there is nothing to compare.
    log_x = np.array([-2.0, 0.01, 0.3, 1.0, 2.7, 5.0, 7.9])
    counts = [max(int(np.sum(levels >= math.exp(-x))), 1) for x in log_x]
    found = np.exp(CountingFunction().log_values(Instance(spectrum), log_x, "optimal"))
    np.testing.assert_allclose(found, counts, rtol=1e-9)


def test_counting_function_counts_a_level_that_is_met_exactly() -> None:
    log_x = np.array([math.log(16.0), math.log(100.0), math.log(1e8)])
    found = np.exp(CountingFunction().log_values(PLAIN, log_x, "optimal"))
    np.testing.assert_allclose(found, [4.0, 10.0, 1e4], rtol=1e-12)


def test_eigenvalue_curve() -> None:
    log_i = np.array([5.0, 60.0])
    np.testing.assert_allclose(Eigenvalues().log_values(PLAIN, log_i, "optimal"), -2.0 * log_i)
    assert Eigenvalues().witness(PLAIN, math.log(100.0), "optimal") == {"i": pytest.approx(100.0)}
    assert Eigenvalues().log_range(Instance(Truncated(PowerLaw(2.0), 5000)), "optimal")[1] == math.log(5000)


def test_dimension_at_the_last_eigenvalue() -> None:
    instance = Instance(Truncated(PowerLaw(2.0), 10, inverse_index=True))
    p = np.array([64.0, 1000.0])
    direct = []
    for size in p:
        l = np.arange(1.0, size + 1.0) ** -0.5
        direct.append(math.log(np.sum(l / (l + l[-1])) * l[-1] ** 0.5))
    found = DimensionAtLastEigenvalue().log_values(instance, np.log(p), "optimal")
    np.testing.assert_allclose(found, direct, rtol=1e-9)
    assert DimensionAtLastEigenvalue().witness(instance, math.log(64.0), "optimal") == {"p": 64.0}
    with pytest.raises(ValueError, match=r"spectrum=.*PowerLaw.* must be a Truncated power law"):
        DimensionAtLastEigenvalue().log_values(PLAIN, np.log(p), "optimal")


# ------------------------------------------------------------------------------------------------ ratios


def test_bias_ratio_in_one_dimension() -> None:
    # One eigenvalue 1, f = 1: (lam/(1 + lam))^2 / lam^(2s).
    instance = Instance(Finite((1.0,)), SingleEigenfunction(1.5))
    lam = np.array([10.0, 0.1, 1e-6])
    found = np.exp(BiasRatio().log_values(instance, -np.log(lam), "optimal"))
    np.testing.assert_allclose(found, (lam / (1.0 + lam)) ** 2 / lam**3, rtol=1e-9)


def test_bias_ratio_uses_the_smallest_admissible_radius() -> None:
    spectrum, lam = Finite((3.0, 1.0, 0.2)), np.array([3.0, 0.1])
    l = np.array(spectrum.eigenvalues)
    for target in (ExponentialTarget(0.7, norm=5.0), RandomTarget(0.7, norm=5.0), SingleEigenfunction(0.7, 5.0)):
        instance = Instance(spectrum, target)
        log_l = np.log(l)
        g2 = np.exp(target.log_energy(np.log(np.arange(1.0, 4.0)), log_l))
        if isinstance(target, SingleEigenfunction):
            g2[1:] = 0.0
        direct = [np.sum(g2 * l**1.4 * (x / (l + x)) ** 2) / x**1.4 / g2.sum() for x in lam]
        found = np.exp(BiasRatio().log_values(instance, -np.log(lam), "optimal"))
        np.testing.assert_allclose(found, direct, rtol=1e-9)
        assert np.all(found <= 1.0)


@pytest.mark.parametrize(("s", "beta", "sigma"), [(0.2, 2.0, 1.0), (0.4, 1.1, 0.1), (0.05, 6.0, 10.0)])
def test_convexity_deficit_is_the_ratio_in_the_second_derivative(s: float, beta: float, sigma: float) -> None:
    instance = Instance(PowerLaw(beta), CriticalTarget(s, norm=2.0), Noise(sigma))
    for lam in (1e-3, 1.0, 50.0):
        ratio = math.exp(ConvexityDeficit().log_values(instance, np.array([-math.log(lam)]), "optimal")[0])
        first = float(mpmath.diff(lambda x: 4 * x ** (2 * s), lam, 2))
        second = float(mpmath.diff(lambda x: sigma**2 * x ** (-1 / beta), lam, 2))
        assert ratio == pytest.approx(-first / second, rel=1e-6)


def test_convexity_deficit_where_one_side_is_missing() -> None:
    log_x = np.zeros(2)
    convex = Instance(PowerLaw(2.0), CriticalTarget(0.5))
    assert np.all(ConvexityDeficit().log_values(convex, log_x, "optimal") == -np.inf)
    silent = Instance(PowerLaw(2.0), CriticalTarget(0.3), Noise(0.0))
    assert np.all(ConvexityDeficit().log_values(silent, log_x, "optimal") == np.inf)


@pytest.mark.parametrize("small_samples", [True, False])
@pytest.mark.parametrize("kind", [VarianceRatio, RiskRatio])
@pytest.mark.parametrize(
    "instance",
    [
        Instance(PowerLaw(2.0), CriticalTarget(0.3)),
        Instance(PowerLaw(1.2), ExponentialTarget(0.7), Noise(0.1)),
        Instance(Finite((3.0, 1.0)), CriticalTarget(0.5)),
    ],
    ids=lambda instance: instance.describe(),
)
def test_ratios_take_the_supremum_over_all_sample_sizes(kind: Any, instance: Instance, small_samples: bool) -> None:
    observable = kind(small_samples=small_samples)
    for lam in (0.05, 1e-4):
        dimension = float(effective_dimension(instance, lam))
        n = np.unique(np.concatenate([np.arange(1.0, 400.0), np.geomspace(400.0, 1e9, 600)]))
        n = n if small_samples else n[n >= 10.0 * dimension]
        target, noise = risk_terms(instance, n=n, lam=lam)
        if kind is VarianceRatio:
            ratio = noise * n / (instance.sigma**2 * dimension)
        else:
            bound = instance.target.norm**2 * lam ** (2.0 * instance.s) + instance.sigma**2 * dimension / n
            ratio = (target + noise) / bound
        brute = float(ratio.max())
        found = math.exp(observable.log_values(instance, np.array([-math.log(lam)]), "optimal")[0])
        # n runs over a grid of real numbers in the observable. Where the largest ratio lies inside, the grid misses
        # little of it; at the edge N(lambda) = n/10 the first grid point inside lies up to a step, 1/4 in ln n, away.
        assert brute * (0.98 if small_samples else math.exp(-0.25)) <= found <= brute * 1.1
        witness = observable.witness(instance, -math.log(lam), "optimal")
        assert witness["lam"] == pytest.approx(lam, rel=1e-9)
        assert witness["n"] == round(witness["n"]) >= 1.0
        assert small_samples or witness["n"] >= 9.9 * dimension


def test_worst_of_a_ball_has_a_risk_ratio() -> None:
    instance = Instance(PowerLaw(2.0), BallTarget(0.5))
    values = RiskRatio(small_samples=True).log_values(instance, np.array([5.0, 50.0]), "optimal")
    assert np.all(np.isfinite(values))


def test_variance_alone_is_what_is_simulated_for_its_ratio() -> None:
    experiment = VarianceRatio(small_samples=True).experiment(PLAIN, "optimal", (100, 1600))
    assert experiment.n == (100, 1600)
    assert experiment.tuning == PowerRidge(2.0)
    target, noise = risk_terms(experiment.instance, n=[100.0, 1600.0], lam=experiment.tuning)
    assert np.all(target < 1e-9 * noise)
    assert PowerRidge(1.5)(PLAIN, 100.0) == pytest.approx(1e-3)


def test_range_of_an_exponential_spectrum() -> None:
    instance = Instance(Exponential(1.0))
    assert EffectiveDimension().log_range(instance, "optimal") == (0.0, 300.0)  # the last eigenvalue is exp(-700)
    assert EffectiveDimension().log_range(Instance(Finite((1.0,))), "optimal") == (0.0, 60.0)
    assert ExcessRisk().log_range(instance, "optimal")[1] == 308.0  # where kappa, of the order 1/n, reaches exp(-300)
