"""Nystrom features: their equivalent against fits by the definition, against the kernel's, and against simulation; exponents."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import find, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import verifier as vf
from properties import theorem_5_nystrom
from properties.strategies.nystrom import critical_degree_of_landmarks, finitely_many_landmarks, with_landmarks
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.equivalents import effective_dimension, equivalent_risk, optimal_ridge, ridge, watched_parts
from verifier.risk.nystrom import Landmarks, landmarks
from verifier.risk.nystrom_samples import simulate_nystrom
from verifier.risk.observables import ExcessRisk
from verifier.risk.simulate import Replicates
from verifier.risk.widths import RiskRatioWithoutWidth
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import CONSISTENT, VIOLATED

T5 = {reading.reading: reading for reading in theorem_5_nystrom.READINGS}
PLACES = ((1.5, 0.3), (2.0, 0.25), (2.0, 0.75), (1.3, 0.9), (4.0, 0.7))
"""(beta, s) on either side of s = 1/2."""


def instance(
    beta: float, s: float, factor: float, degree: float, sigma: float = 0.5, size: int | None = None
) -> vf.Instance:
    spectrum = vf.PowerLaw(beta) if size is None else vf.Truncated(vf.PowerLaw(beta), size)
    return vf.Instance(spectrum, vf.CriticalTarget(s=s), vf.Noise(sigma), features=vf.NystromFeatures(factor, degree))


def kernel(of: vf.Instance) -> vf.Instance:
    return dataclasses.replace(of, features=vf.AllFeatures())


def fitted_risks(of: vf.Instance, n: int, lam: float, count: int) -> np.ndarray:
    """By the definition: rows, landmarks, labels, ridge regression on an orthonormal basis of the landmarks' span, error."""
    generator, m = np.random.default_rng(5), round(float(of.features.width(n)))
    index = np.arange(1.0, of.spectrum.size + 1.0)
    ell = index**-of.beta
    theta = index ** (-of.beta * of.s - 0.5) / np.sqrt(ell)
    risks = []
    for _ in range(count):
        rows = np.sqrt(ell) * generator.standard_normal((n, len(ell)))
        chosen = np.sqrt(ell) * generator.standard_normal((m, len(ell)))
        signed = theta * generator.choice([-1.0, 1.0], len(ell))
        labels = rows @ signed + of.sigma * generator.standard_normal(n)
        basis = np.linalg.qr(chosen.T)[0]
        seen = rows @ basis
        coefficients = np.linalg.solve(seen.T @ seen + n * lam * np.eye(basis.shape[1]), seen.T @ labels)
        risks.append(ell @ (basis @ coefficients - signed) ** 2)
    return np.array(risks)


@pytest.mark.parametrize(
    ("beta", "s", "sigma", "n", "m", "lam"),
    [
        (1.5, 0.5, 0.5, 100, 20, 1e-2),  # fewer landmarks than samples
        (1.5, 0.5, 0.5, 60, 120, 1e-3),  # more
        (2.0, 0.3, 0.2, 120, 10, 1e-3),
        (1.2, 0.7, 1.0, 120, 60, 1e-2),
        (3.0, 0.25, 0.1, 120, 8, 1e-4),
    ],
)
@pytest.mark.thorough
def test_fits_simulation_and_equivalent_agree(beta: float, s: float, sigma: float, n: int, m: int, lam: float) -> None:
    of = instance(beta, s, float(m), 0.0, sigma, size=200)
    fits = fitted_risks(of, n, lam, 150)
    simulated = simulate_nystrom(of, [(n, lam)], Replicates(60, 1, ("test",)))[:, 0]
    expected = float(equivalent_risk(of, n=n, lam=lam))
    assert abs(fits.mean() - simulated.mean()) < 3.5 * math.hypot(fits.std() / 150**0.5, simulated.std() / 60**0.5)
    error = 3.5 * simulated.std() / 60**0.5 + 2.0 * expected * (1.0 / n + 1.0 / m)
    assert abs(simulated.mean() - expected) < error


@pytest.mark.parametrize(
    ("n", "m", "lam"), [(100, 200, 1e-3), (50, 3, 1e-2), (10**6, 1600, 1e-5), (10**16, 1600, 1e-7)]
)
def test_directions_that_are_not_simulated_are_replaced_by_what_they_are(n: int, m: int, lam: float) -> None:
    of = instance(1.7, 0.7, float(m), 0.0)
    few, many = (simulate_nystrom(of, [(n, lam)], Replicates(8, 0, ("test",)), p)[:, 0] for p in (128, 300))
    assert few.mean() == pytest.approx(many.mean(), rel=1e-3)


def test_simulating_no_more_than_one_direction_is_nearly_the_equivalent() -> None:
    of = instance(2.0, 0.3, 300.0, 0.0)
    found = simulate_nystrom(of, [(10**7, 1e-5)], Replicates(8, 0, ("test",)), 1)
    assert found.mean() == pytest.approx(float(equivalent_risk(of, n=1e7, lam=1e-5)), rel=2e-3)


@pytest.mark.parametrize("tuning", ["optimal", "schedule"])
@pytest.mark.parametrize("target", [vf.CriticalTarget(s=0.6), vf.SingleEigenfunction(s=0.5, index=3)])
def test_with_landmarks_beyond_number_nothing_is_left_of_them(tuning: str, target: vf.Target) -> None:
    plain = vf.Instance(vf.PowerLaw(2.0), target, vf.Noise(0.3))
    n = np.exp(np.linspace(4.0, 60.0, 20))
    with_many = dataclasses.replace(plain, features=vf.NystromFeatures(1.0, 50.0))
    np.testing.assert_allclose(
        equivalent_risk(with_many, n=n, lam=tuning), equivalent_risk(plain, n=n, lam=tuning), rtol=1e-8
    )


def test_as_many_landmarks_as_directions_are_the_kernel() -> None:
    of = instance(1.5, 0.5, 50.0, 0.0, size=50)
    for n, lam in ((20, 1e-2), (1000, 1e-4)):
        assert equivalent_risk(of, n=n, lam=lam) == pytest.approx(equivalent_risk(kernel(of), n=n, lam=lam), rel=1e-9)


@pytest.mark.parametrize("degree", [0.15, 1.0 / 3.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [200.0, 1e5, 1e9])
def test_the_optimum_is_the_least_risk_over_ridges(degree: float, n: float) -> None:
    of = instance(2.0, 0.5, 1.0, degree)

    def log_risk(log_lam: float) -> float:
        return float(np.log(equivalent_risk(of, n=n, lam=math.exp(log_lam))))

    start = math.log(float(optimal_ridge(of, n)))
    found = minimize_scalar(log_risk, bounds=(start - 6.0, start + 6.0), method="bounded", options={"xatol": 1e-3})
    assert float(np.log(equivalent_risk(of, n=n))) <= found.fun + 1e-6
    assert log_risk(start) == pytest.approx(float(np.log(equivalent_risk(of, n=n))), abs=1e-6)


def test_derivatives_are_those_of_differences() -> None:
    solver = landmarks(instance(1.8, 0.4, 30.0, 0.0), -10.0, np.array([30.0]))
    m = np.full(3, 30.0)
    u, h = np.array([-9.0, -5.0, -1.0]), 1e-4

    def at(log_kappa: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        kappa = np.exp(log_kappa)
        mu = solver.landmark_ridge(kappa, m)
        sums = solver.sloped_sums(kappa, mu)
        plain = solver.sums(kappa, mu)
        np.testing.assert_allclose([plain.df2, plain.bias], [sums.df2, sums.bias], rtol=1e-13)
        return (
            np.stack([sums.df1, sums.df2, sums.bias, np.log(mu)]),
            sums.df2_slope,
            np.stack([sums.bias_slope, sums.rho]),
        )

    (up, *_), (down, *_), (middle, df2_slope, (bias_slope, rho)) = at(u + h), at(u - h), at(u)
    numeric = (up - down) / (2.0 * h)
    np.testing.assert_allclose(middle[0] + numeric[0], middle[1], rtol=1e-6)  # d2 = d1 + kappa d1'
    np.testing.assert_allclose(numeric[1], df2_slope, rtol=1e-5)
    np.testing.assert_allclose(numeric[2], bias_slope, rtol=1e-5)
    np.testing.assert_allclose(numeric[3], -rho, rtol=1e-6)


@pytest.mark.parametrize(("beta", "s"), [(1.2, 0.3), (2.0, 0.5), (4.0, 0.3)])
def test_sums_are_those_over_all_indices(beta: float, s: float) -> None:
    # Half a million terms one by one; a finite spectrum, so that nothing lies beyond them.
    index = np.arange(1.0, 500_001.0)
    ell, energy = index**-beta, index ** (-2.0 * beta * s - 1.0)
    of = instance(beta, s, 1000.0, 0.0, size=500_000)
    for m in (5.0, 1000.0):
        solver, count = landmarks(of, -60.0, np.array([m])), np.array([m])
        for kappa in np.array([1e-6, 1e-3, 1.0, 1e3]) * m**-beta:
            mu = solver.landmark_ridge(np.array([kappa]), count)
            found = solver.sums(np.array([kappa]), mu)
            c, nu = ell * (ell + kappa), kappa * mu[0]
            a, g, e = ell**2 / (c + nu), kappa * ell / (c + nu), nu / (c + nu)
            rho = np.sum(a * e) / np.sum((a + g) * e)
            direct = [np.sum(a + g), np.sum(a**2) + rho * np.sum(a * e), energy @ ((g + e) ** 2 + rho * a * e)]
            np.testing.assert_allclose([m, found.df2[0], found.bias[0]], direct, rtol=1e-9)


@pytest.mark.parametrize(("beta", "s"), [(1.05, 0.6), (2.0, 0.25), (3.0, 1.0)])
def test_landmarks_that_are_left_out_change_no_digit(beta: float, s: float) -> None:
    of = instance(beta, s, 1.0, 1.4)
    n = np.exp(np.linspace(5.0, 40.0, 60))
    width = of.features.width(n)
    kappa, mu, _ = landmarks(of, -45.0, width).optimum(n, width, -45.0)
    solver = landmarks(of, -45.0, width)
    full = np.add(*solver.terms(n, solver.sums(kappa, mu)))
    np.testing.assert_allclose(equivalent_risk(of, n=n), full, rtol=1e-8)


def test_the_count_of_landmarks_is_solved_for() -> None:
    # Second route: direct sums over a finite spectrum.
    of = instance(2.0, 0.5, 20.0, 0.0, size=300)
    solver = landmarks(of, -8.0, np.array([20.0]))
    ell = np.arange(1.0, 301.0) ** -2.0
    for kappa in (1e-6, 1e-3, 0.1):
        nu = kappa * float(solver.landmark_ridge(np.array([kappa]), np.array([20.0]))[0])
        c = ell * (ell + kappa)
        assert np.sum(c / (c + nu)) == pytest.approx(20.0, rel=1e-10)
        slope = nu * np.sum(ell / (c + nu) ** 2) / np.sum(c / (c + nu) ** 2)
        bias = np.arange(1.0, 301.0) ** -3.0 @ (
            ((kappa * ell + nu) ** 2 + (nu - kappa * slope) * ell**2) / (c + nu) ** 2
        )
        found = solver.sums(np.array([kappa]), np.array([nu / kappa]))
        assert found.bias[0] == pytest.approx(bias, rel=1e-9)


@pytest.mark.parametrize(("beta", "s"), [*PLACES, (2.0, 1.5)])
@pytest.mark.parametrize("tuning", ["optimal", "schedule"])
def test_exponents_far_out_are_those_of_the_theorem(beta: float, s: float, tuning: str) -> None:
    star = 1.0 / (2.0 * beta * min(s, 1.0) + 1.0)
    for degree in (0.6 * star, star - 0.05, star + 0.1, 1.2, 0.0):
        of = instance(beta, s, 3.0, degree)
        end = min(ExcessRisk().log_range(of, tuning)[1], 300.0)
        x = np.array([end - 10.0, end])
        values = ExcessRisk().log_values(of, x, tuning)
        expected = theorem_exponent(of, tuning)
        assert expected is not None
        assert (values[0] - values[1]) / 10.0 == pytest.approx(expected, abs=4e-3)


@pytest.mark.parametrize(("beta", "s"), PLACES)
def test_the_effective_dimension_is_the_critical_degree(beta: float, s: float) -> None:
    plain = instance(beta, s, 1.0, 1.0)
    n = np.array([1e20, 1e24])
    dimension = effective_dimension(plain, ridge(plain, n, "schedule"))
    degree = float(np.diff(np.log(dimension))[0] / np.diff(np.log(n))[0])
    assert degree == pytest.approx(critical_degree_of_landmarks(plain), abs=2e-3)


def test_planted_wrong_exponents_are_noticed() -> None:
    reading = T5["nystrom-exponent-at-every-degree"]
    for offset in (-0.05, 0.05):
        wrong = dataclasses.replace(
            reading, predict=lambda i, d=offset: vf.Exponent(reading.predict(i).value + d), expected=None
        )
        for degree in (0.2, 0.9):
            assert assess(wrong, instance(2.0, 0.5, 1.0, degree)).verdict == VIOLATED
            assert assess(reading, instance(2.0, 0.5, 1.0, degree)).verdict == CONSISTENT


def test_landmarks_below_the_critical_degree_refute_the_bound() -> None:
    found = assess(T5["nystrom-every-degree"], instance(2.0, 0.75, 1.0, 0.15))
    assert found.verdict == VIOLATED
    assert found.exponent == pytest.approx(2.0 * 2.0 * 0.75 * 0.15, abs=0.01)
    # Where Gaussian features of this degree do not suffice, landmarks do.
    gaussian = dataclasses.replace(instance(2.0, 0.9, 1.0, 0.3), features=vf.GaussianFeatures(1.0, 0.3))
    assert assess(T5["nystrom-every-degree"], gaussian).verdict == VIOLATED
    assert assess(T5["nystrom-every-degree"], instance(2.0, 0.9, 1.0, 0.3)).verdict == CONSISTENT


@pytest.mark.thorough
def test_the_simplest_draw_has_no_landmarks() -> None:
    quick, one = settings(database=None, max_examples=20), st.just(kernel(instance(2.0, 0.5, 1.0, 1.0)))
    for strategy in (with_landmarks(one), finitely_many_landmarks(one)):
        assert find(strategy, lambda _: True, settings=quick).features == vf.AllFeatures()
        few = find(strategy, lambda i: i.features.finite, settings=quick)
        assert isinstance(few.features, vf.NystromFeatures)


def test_an_instance_keeps_its_landmarks_and_says_so() -> None:
    of = instance(2.0, 0.5, 2.0, 0.5)
    assert vf.Instance.from_json(of.to_json()) == of
    assert "m = 2 n^0.5 landmarks" in of.describe()
    assert Landmarks.level(landmarks(of, -5.0, np.array([10.0])), np.array([10.0]))[0] == pytest.approx(0.01)
    with pytest.raises(ValueError, match="label noise"):
        dataclasses.replace(of, noise=vf.Noise(0.0))
    with pytest.raises(ValueError, match="factor=0.5"):
        vf.NystromFeatures(0.5, 0.0)
    with pytest.raises(ValueError, match="averaged"):
        simulate_nystrom(of, [(10, 0.1)], Replicates(2, noise="sampled"))


def test_risks_are_followed_to_the_end_without_overflow() -> None:
    for beta in (1.05, 2.0, 6.0):
        for degree in (0.1, 1.0, 10.0):
            of = instance(beta, 0.5, 0.1, degree)
            for tuning in ("optimal", "schedule"):
                low, high = ExcessRisk().log_range(of, tuning)
                with np.errstate(over="raise", invalid="raise"):
                    values = ExcessRisk().log_values(of, np.linspace(low, high, 12), tuning)
                assert np.all(np.isfinite(values))
                assert np.all(np.diff(values) < 1e-9)


def test_parts_of_the_risk_never_exceed_it() -> None:
    n = np.exp(np.linspace(5.0, 50.0, 12))
    for degree in (0.2, 0.5, 1.3):
        of = instance(2.0, 0.5, 2.0, degree)
        for tuning in ("optimal", "schedule"):
            parts = watched_parts(of, n=n, lam=tuning)
            assert len(parts) == 6
            assert all(
                np.all((part >= 0.0) & (part <= equivalent_risk(of, n=n, lam=tuning) * (1.0 + 1e-9))) for part in parts
            )


def test_observables_of_gaussian_features_refuse_landmarks() -> None:
    with pytest.raises(ValueError, match="known for Gaussian ones only"):
        RiskRatioWithoutWidth().log_values(instance(2.0, 0.5, 1.0, 1.0), np.array([5.0]), "optimal")
