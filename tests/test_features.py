"""Finite width: the equivalent in (n, m) against formulas written out otherwise, against simulation, and at its limits; the
simulation against explicit regressions; exponents against those measured; judgements of instances with extreme constants.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import brentq

import verifier as vf
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.equivalents import equivalent_for, risk_terms, watched_parts
from verifier.risk.feature_samples import simulate_features
from verifier.risk.finite_width import FeatureEquivalent
from verifier.risk.observables import BiasRatio, ExcessRisk
from verifier.risk.simulate import Replicates, problem
from verifier.verdicts.certify import agreement_constant, certify
from verifier.verdicts.judge import assess

Array = NDArray[np.float64]


def an_instance(
    beta: float, s: float, sigma: float, factor: float, degree: float = 0.0, size: int | None = None
) -> vf.Instance:
    spectrum = vf.PowerLaw(beta=beta) if size is None else vf.Truncated(vf.PowerLaw(beta=beta), size)
    return vf.Instance(spectrum, vf.CriticalTarget(s=s), vf.Noise(sigma), features=vf.GaussianFeatures(factor, degree))


SETTINGS = [  # beta, s, sigma, n, m, lambda
    (2.0, 0.5, 1.0, 100, 50, 1e-2),
    (2.0, 0.5, 1.0, 50, 150, 1e-3),
    (1.5, 0.3, 0.0, 60, 60, 1e-3),
    (3.0, 0.8, 0.1, 100, 30, 1e-5),
    (2.0, 0.5, 1.0, 50, 400, 1e-2),
    (1.2, 0.7, 0.5, 80, 40, 1e-2),
    (1.5, 0.8, 0.0, 100, 40, 1e-4),
    (2.5, 0.4, 0.3, 40, 100, 1e-4),
]


def written_out(setting: tuple[float, float, float, int, int, float], p: int) -> tuple[float, float]:
    """Risk and effective ridge by the formulas of Defilippis, Loureiro and Misiakiewicz (2024), their two equations solved anew."""
    beta, s, sigma, n, m, lam = setting
    i = np.arange(1.0, p + 1.0)
    ell, f2 = i**-beta, i ** -(2.0 * beta * s + 1.0)

    def excess(u: float) -> float:
        z = float(np.sum(ell / (ell + math.exp(u))))
        return -1.0 if z >= min(n, m) else math.exp(u) * (1.0 - z / n) * (1.0 - z / m) - lam

    nu2 = math.exp(brentq(excess, -60.0, 10.0, xtol=1e-14))
    share = ell / (ell + nu2)
    ratio, df2 = 1.0 - float(share.sum()) / m, float(share @ share)
    y = m / n * ((1.0 - ratio) ** 2 + ratio**2 * df2 / (m - df2))
    x = float(np.sum(ell / (ell + nu2) ** 2)) / (m - df2)
    bias = float(np.sum(f2 / (ell + nu2) ** 2)) + x * float(np.sum(f2 * ell / (ell + nu2) ** 2))
    return (nu2**2 * bias + sigma**2 * y) / (1.0 - y), nu2


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_equivalent_is_that_of_the_two_equations(setting: tuple[float, float, float, int, int, float]) -> None:
    beta, s, sigma, n, m, lam = setting
    instance = an_instance(beta, s, sigma, m, size=2000)
    risk, ridge = written_out(setting, 2000)
    assert vf.equivalent_risk(instance, n=n, lam=lam) == pytest.approx(risk, rel=1e-11)
    assert float(vf.effective_ridge(instance, n, lam)) == pytest.approx(ridge, rel=1e-11)


def explicit_regression(
    setting: tuple[float, float, float, int, int, float], p: int, count: int, seed: int
) -> tuple[float, float]:
    """Mean risk, and its standard error, of ridge regression on m explicit features of n explicit inputs."""
    beta, s, sigma, n, m, lam = setting
    generator = np.random.default_rng(seed)
    i = np.arange(1.0, p + 1.0)
    root, f = i ** (-0.5 * beta), i ** -(beta * s + 0.5)
    risks = []
    for _ in range(count):
        z, g = generator.standard_normal((n, p)), generator.standard_normal((m, p))
        signed = f * generator.choice([-1.0, 1.0], p)
        onto = (g * root).T / math.sqrt(m)
        features = z @ onto
        fit = onto @ np.linalg.solve(features.T @ features / n + lam * np.eye(m), features.T / n)
        error = signed - fit @ (z @ signed)
        risks.append(error @ error + sigma**2 * np.sum(fit**2))
    return float(np.mean(risks)), float(np.std(risks, ddof=1) / math.sqrt(count))


@pytest.mark.parametrize("setting", SETTINGS)
def test_equivalent_and_simulation_agree_with_explicit_regressions(
    setting: tuple[float, float, float, int, int, float],
) -> None:
    beta, s, sigma, n, m, lam = setting
    instance = an_instance(beta, s, sigma, m, size=400)
    mean, stderr = explicit_regression(setting, 400, 40, 0)
    expected = float(vf.equivalent_risk(instance, n=n, lam=lam))
    assert abs(mean - expected) <= 3.5 * stderr + agreement_constant(instance) * (1.0 / n + 1.0 / m) * expected
    for directions in (24, 96):
        samples = simulate_features(instance, [(n, lam)], Replicates(60, 1), directions)[:, 0]
        spread = math.hypot(stderr, float(samples.std(ddof=1)) / math.sqrt(60))
        assert abs(mean - samples.mean()) <= 3.5 * spread + 2.0 * (1.0 / n + 1.0 / m) * expected * (directions == 24)


def test_few_simulated_directions_have_the_mean_of_many() -> None:
    """The tail's first-order treatment, on the same normals: the replicates differ, their means hardly."""
    for setting in (SETTINGS[0], SETTINGS[3], SETTINGS[7]):
        beta, s, sigma, n, m, lam = setting
        instance = an_instance(beta, s, sigma, m)
        few, many = (simulate_features(instance, [(n, lam)], Replicates(40, 3), p)[:, 0] for p in (64, 160))
        difference = few - many
        assert (
            abs(difference.mean()) <= 3.5 * difference.std(ddof=1) / math.sqrt(40) + 0.3 * (1 / n + 1 / m) * many.mean()
        )


@pytest.mark.parametrize("tuning", ["optimal", "schedule"])
@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_many_features_are_the_kernel(tuning: str, sigma: float) -> None:
    wide = an_instance(1.7, 0.6, sigma, 1e60)
    plain = dataclasses.replace(wide, features=vf.AllFeatures())
    n = np.geomspace(10.0, 1e15, 12)
    assert np.allclose(
        vf.equivalent_risk(wide, n=n, lam=tuning), vf.equivalent_risk(plain, n=n, lam=tuning), rtol=1e-9, atol=0.0
    )


@pytest.mark.parametrize("degree", [0.0, 0.3, 0.7, 1.0, 1.4])
@pytest.mark.parametrize("sigma", [1.0, 0.01, 0.0])
def test_no_ridge_beats_the_oracle(degree: float, sigma: float) -> None:
    instance = an_instance(2.0, 0.6, sigma, 20.0 if degree == 0.0 else 1.0, degree)
    ridges = np.concatenate([[0.0], np.geomspace(1e-30, 1e2, 300)])
    for n in (10.0, 1e3, 1e8):
        best = float(vf.equivalent_risk(instance, n=n))
        assert np.min(vf.equivalent_risk(instance, n=np.full(301, n), lam=ridges)) >= best * (1.0 - 1e-9)
        assert vf.equivalent_risk(instance, n=n, lam=float(vf.optimal_ridge(instance, n))) == pytest.approx(
            best, rel=1e-9
        )


def test_derivatives_of_the_moments() -> None:
    instance = an_instance(1.8, 0.4, 1.0, 30.0)
    n = np.full(3, 200.0)
    engine = equivalent_for(instance, n, np.zeros(3))
    assert isinstance(engine, FeatureEquivalent)
    u, h = np.log(np.array([8e-3, 3e-2, 1.0])), 1e-4
    curved = engine._curved_seen(n, np.exp(u))
    low, middle, high = (engine.seen(n, np.exp(u + step)) for step in (-h, 0.0, h))
    for name in ("df2", "bias"):
        a, b, c = (getattr(each, name) for each in (low, middle, high))
        assert np.allclose(getattr(curved, f"{name}_slope"), (c - a) / (2.0 * h), rtol=1e-6)
        assert np.allclose(getattr(curved, f"{name}_curvature"), (c - 2.0 * b + a) / h**2, rtol=1e-4)


def test_parts_sum_to_the_risk() -> None:
    for instance in (an_instance(2.0, 0.7, 0.5, 2.0, 0.5), an_instance(1.3, 0.2, 0.0, 1.0, 1.2)):
        n = np.geomspace(10.0, 1e20, 9)
        parts = watched_parts(instance, n=n, lam="optimal")
        assert np.allclose(sum(parts[:4]), sum(risk_terms(instance, n=n)), rtol=1e-12)
        assert np.all(np.array(parts[4:]) <= np.array(vf.equivalent_risk(instance, n=n)) * (1.0 + 1e-12))
    assert watched_parts(vf.Instance(vf.PowerLaw(beta=2.0)), n=10.0) == ()


def by_hand(beta: float, s: float, q: float) -> float:
    """The oracle's exponent against noise, case by case: 0 < s <= 1 (s = 1 beyond)."""
    s = min(s, 1.0)
    alpha = 2.0 * s / (2.0 * s + 1.0 / beta)
    if s <= 0.5:
        return min(alpha, 2.0 * beta * s * q)
    return min(alpha, beta * q if q <= 1.0 / (1.0 + beta) else _middle(beta, q))


def _middle(beta: float, q: float) -> float:
    """What the width adds, gamma^(1 - 1/beta)/m, against the noise, gamma^(-1/beta)/n: gamma = n^(q - 1)."""
    return 1.0 - (1.0 - q) / beta


@pytest.mark.parametrize(("beta", "s"), [(2.0, 0.3), (3.0, 0.45), (2.0, 0.75), (1.5, 0.9), (2.5, 1.4)])
def test_exponents_are_those_measured(beta: float, s: float) -> None:
    for q in (0.1, 0.3, 0.45, 0.6, 0.9, 1.2):
        instance = an_instance(beta, s, 1.0, 1.0, q)
        log_n = np.array([260.0, 280.0])
        measured = -np.diff(ExcessRisk().log_values(instance, log_n, "optimal"))[0] / 20.0
        theorem = theorem_exponent(instance)
        assert theorem == pytest.approx(by_hand(beta, s, q), abs=1e-12)
        assert measured == pytest.approx(theorem, abs=2e-3)
        for tuning, sigma in (("schedule", 1.0), ("schedule", 0.0)):
            quiet = dataclasses.replace(instance, noise=vf.Noise(sigma))
            values = ExcessRisk().log_values(quiet, log_n, tuning)
            assert -np.diff(values)[0] / 20.0 == pytest.approx(theorem_exponent(quiet, tuning), abs=4e-3)
    fixed = an_instance(beta, s, 1.0, 7.0)
    assert theorem_exponent(fixed) == theorem_exponent(fixed, "schedule") == 0.0


def a_claim(instance: vf.Instance, exponent: float, tuning: str = "optimal") -> vf.Claim:
    return vf.Claim(
        id="X1",
        title="x",
        statement="x",
        source="x",
        domain=st.just(instance),
        predict=lambda _: vf.Exponent(exponent),
        tuning=tuning,
    )


@pytest.mark.parametrize(
    ("instance", "tuning"),
    [  # each is on another regime's slope for the first sixty units of ln n, and some for ever
        (an_instance(1.13, 1.31, 100.0, 1e9, 0.59), "optimal"),
        (an_instance(3.65, 0.7, 1.0, 1e8), "schedule"),
        (an_instance(1.38, 0.69, 100.0, 1e12, 0.32), "schedule"),
        (an_instance(1.94, 1.29, 100.0, 1e-8, 0.19), "schedule"),
        (an_instance(1.18, 1.03, 1e-3, 1e-12, 0.79), "optimal"),
        (an_instance(2.95, 0.85, 0.0, 1e-11, 1.23), "optimal"),
        (an_instance(3.0, 0.5, 1.0, 1e12), "optimal"),
    ],
)
def test_a_curve_in_transit_is_never_judged_by_where_it_passes(instance: vf.Instance, tuning: str) -> None:
    exponent = theorem_exponent(instance, tuning)
    assert exponent is not None
    assert assess(a_claim(instance, exponent, tuning), instance).verdict != "violated"


def test_extreme_constants() -> None:
    generator = np.random.default_rng(11)
    verdicts = []
    for _ in range(40):
        degree = float(round(generator.uniform(0.05, 1.5), 2)) if generator.random() < 0.8 else 0.0
        factor = 10.0 ** float(generator.integers(-12, 13))
        instance = vf.Instance(
            vf.PowerLaw(beta=round(generator.uniform(1.1, 4.0), 2), scale=10.0 ** float(generator.integers(-3, 4))),
            vf.CriticalTarget(s=round(generator.uniform(0.1, 1.4), 2)),
            vf.Noise(float(generator.choice([0.0, 1e-3, 1.0, 100.0]))),
            features=vf.GaussianFeatures(max(factor, 1.0) if degree == 0.0 else factor, degree),
        )
        tuning = str(generator.choice(["optimal", "schedule"]))
        exponent = theorem_exponent(instance, tuning)
        assert exponent is not None
        verdicts.append(assess(a_claim(instance, exponent, tuning), instance).verdict)
    assert "violated" not in verdicts
    assert verdicts.count("consistent") >= 30


@pytest.mark.parametrize(("degree", "factor"), [(0.8, 1.0), (0.3, 1.0), (0.0, 30.0)])
def test_simulation_certifies_the_equivalent(degree: float, factor: float) -> None:
    instance = an_instance(2.0, 0.6, 1.0, factor, degree)
    experiment = ExcessRisk().experiment(instance, "optimal", (50, 100, 1600))
    assert experiment.n[:2] == (50, 100)
    assert experiment.n[2] >= 1600
    found = certify(experiment, 0, replicates=16, z=3.5)
    assert found.agrees, found.text
    assert found.precision < 0.02


def test_a_wrong_exponent_is_noticed() -> None:
    for q in (0.2, 0.3, 0.8):
        instance = an_instance(2.0, 0.75, 1.0, 1.0, q)
        exponent = theorem_exponent(instance)
        assert exponent is not None
        assert assess(a_claim(instance, exponent), instance).verdict == "consistent"
        assert assess(a_claim(instance, exponent + 0.03), instance).verdict == "violated"
    fixed = an_instance(2.0, 0.75, 1.0, 20.0)
    assert vf.judge(a_claim(fixed, 0.0), fixed).verdict == "consistent"
    assert vf.judge(a_claim(fixed, 0.75), fixed).verdict == "violated"


def test_the_form_on_paper() -> None:
    instance = an_instance(2.0, 0.5, 1.0, 3.0, 0.25)
    assert vf.Instance.from_json(instance.to_json()) == instance
    assert instance.to_json()["features"] == {"kind": "GaussianFeatures", "factor": 3.0, "degree": 0.25}
    assert "features" not in dataclasses.replace(instance, features=vf.AllFeatures()).to_json()
    assert instance.describe().endswith("m = 3 n^0.25 Gaussian features")
    assert vf.GaussianFeatures(1.0, 2.0).width(1e200) == pytest.approx(math.inf)
    assert vf.GaussianFeatures(1.0, 2.0).log_width(1000.0) == pytest.approx(2000.0)
    assert vf.GaussianFeatures(1e-3, 0.5).width(100.0) == 1.0


@pytest.mark.parametrize(
    "changed",
    [
        {"design": vf.RademacherDesign()},
        {"transform": vf.DiagonalTransform()},
        {"target": vf.BallTarget(s=0.5)},
        {"features": vf.GaussianFeatures},
    ],
)
def test_what_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="features"):
        dataclasses.replace(an_instance(2.0, 0.5, 1.0, 10.0), **changed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="factor"):
        vf.GaussianFeatures(0.5, 0.0)
    with pytest.raises(ValueError, match="degree"):
        vf.GaussianFeatures(1.0, -0.1)
    with pytest.raises(ValueError, match="infinite width only"):
        BiasRatio().log_range(an_instance(2.0, 0.5, 1.0, 10.0), "optimal")
    with pytest.raises(ValueError, match="features"):
        problem(an_instance(2.0, 0.5, 1.0, 10.0), n=20, lam=0.1)
