"""Random Fourier features on the torus: the equivalent against draws, limits and fits by the definition; simulation; exponents."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import find, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import poisson

import verifier as vf
from properties import theorem_5_fourier
from properties.strategies.fourier import finitely_many_frequencies, with_frequencies
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.equivalents import equivalent_for, equivalent_risk, optimal_ridge, separate_terms, watched_parts
from verifier.risk.fourier import DrawnSums, FourierEquivalent, means_of_draws
from verifier.risk.fourier_samples import simulate_fourier
from verifier.risk.observables import ExcessRisk
from verifier.risk.simulate import Replicates
from verifier.verdicts.certify import relative_error
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import CONSISTENT, VIOLATED

T5 = {reading.reading: reading for reading in theorem_5_fourier.READINGS}


def instance(
    beta: float, s: float, factor: float, degree: float, sigma: float = 0.5, size: int | None = None
) -> vf.Instance:
    spectrum = vf.PowerLaw(beta) if size is None else vf.Truncated(vf.PowerLaw(beta), size)
    return vf.Instance(spectrum, vf.CriticalTarget(s=s), vf.Noise(sigma), features=vf.FourierFeatures(factor, degree))


def fitted_risks(of: vf.Instance, n: int, lam: float, count: int) -> np.ndarray:
    """By the definition: frequencies, inputs, cosines and sines, a target of random phases, labels, ridge regression, error."""
    generator, m = np.random.default_rng(5), round(float(of.features.width(n)))
    k = np.arange(1, int(of.spectrum.size) + 1)
    ell, energy = k**-of.beta, k ** (-2.0 * of.beta * of.s - 1.0)
    risks = []
    for _ in range(count):
        drawn = np.tile(generator.multinomial(m, ell / ell.sum()) * ell.sum() / m, 2)
        phase = generator.uniform(0.0, 2.0 * np.pi, len(k))
        target = np.sqrt(np.tile(energy, 2)) * np.concatenate([np.cos(phase), np.sin(phase)])
        angle = np.outer(generator.uniform(0.0, 2.0 * np.pi, n), k)
        basis = np.sqrt(2.0) * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
        labels = basis @ target + of.sigma * generator.standard_normal(n)
        fitted = drawn * (basis.T @ np.linalg.solve((basis * drawn) @ basis.T + n * lam * np.eye(n), labels))
        risks.append(np.sum((fitted - target) ** 2))
    return np.array(risks)


def test_means_are_sums_over_poisson_counts() -> None:
    counts = np.arange(12_000.0)
    for c in (1e-9, 1e-3, 0.3, 3.0, 40.0, 150.0, 199.0, 3e3):
        mu = np.concatenate([np.geomspace(1.1e-6, 9e3, 40), [199.0, 201.0]])
        chance = poisson.pmf(counts, mu[:, None])
        direct = (chance @ (counts / (counts + c)), chance @ (counts / (counts + c)) ** 2)
        direct += (chance[:, 1:] @ (c / (counts[1:] + c)) ** 2,)
        for found, expected in zip(means_of_draws(mu, np.array([c]), np.zeros(len(mu), int)), direct, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_sums_are_those_over_all_frequencies() -> None:
    chances = np.arange(1.0, 1001.0) ** -3.0
    chances /= chances.sum()
    energy = np.arange(1.0, 1001.0) ** -1.7
    for m, c in ((3.0, 0.01), (100.0, 1e-6), (100.0, 30.0), (1e4, 0.5), (1e4, 500.0)):
        direct = np.zeros(3)
        for p, f2 in zip(chances, energy, strict=True):
            counts = np.arange(math.ceil(m * p + 12.0 * math.sqrt(m * p) + 30.0))
            chance, shrink = poisson.pmf(counts, m * p), counts / (counts + c)
            direct += chance @ shrink, chance @ shrink**2, f2 * (chance[1:] @ (1.0 - shrink[1:]) ** 2)
        found = DrawnSums(chances, np.ones(1000), energy).at(np.array([m]), np.array([c]))[:, 0]
        np.testing.assert_allclose(found, direct, rtol=1e-6)


def test_with_many_frequencies_every_eigenvalue_counts_twice() -> None:
    of = instance(1.7, 0.4, 1e12, 1.0)
    plain = dataclasses.replace(of, features=vf.AllFeatures())
    for n in (100.0, 1e4):
        assert equivalent_risk(of, n=n, lam=0.01) == pytest.approx(
            equivalent_risk(plain, n=n / 2.0, lam=0.01), rel=1e-9
        )
        assert equivalent_risk(of, n=n) == pytest.approx(equivalent_risk(plain, n=n / 2.0), rel=1e-9)


def test_without_ridge_the_energy_of_frequencies_never_drawn_is_lost() -> None:
    of, n = instance(2.0, 0.4, 50.0, 0.0, size=300), np.array([1e8])
    k = np.arange(1.0, 301.0)
    chances = k**-2.0 / np.sum(k**-2.0)
    target, noise, lost = separate_terms(of, n=n, lam=1e-14)
    assert lost[0] == pytest.approx(k**-2.6 @ (1.0 - chances) ** 50, rel=1e-6)
    assert target[0] < 1e-9 * lost[0]
    assert noise[0] == pytest.approx(0.25 * 2.0 * np.sum(1.0 - np.exp(-50.0 * chances)) / 1e8, rel=1e-5)


@pytest.mark.parametrize(
    ("beta", "s", "sigma", "n", "m", "lam"),
    [
        (1.5, 0.3, 0.5, 100, 50, 0.006),
        (1.3, 0.6, 1.0, 60, 10, 0.02),  # fewer pairs than samples
        (2.0, 0.3, 0.5, 80, 400, 0.002),
    ],
)
def test_fits_simulation_and_equivalent_agree(beta: float, s: float, sigma: float, n: int, m: int, lam: float) -> None:
    of = instance(beta, s, float(m), 0.0, sigma, size=150)
    fits = fitted_risks(of, n, lam, 100)
    plain, controlled = (
        simulate_fourier(of, [(n, lam)], Replicates(60, 1, ("test",), controls=controls))[:, 0]
        for controls in (False, True)
    )
    error = fits.std() / 10.0
    assert abs(fits.mean() - plain.mean()) < 3.5 * math.hypot(error, plain.std() / 60**0.5)
    assert abs(fits.mean() - controlled.mean()) < 3.5 * math.hypot(error, controlled.std() / 60**0.5)
    expected = float(equivalent_risk(of, n=n, lam=lam))
    allowed = float(relative_error(of, np.array([float(n)]), np.array([lam]))[0])
    assert abs(controlled.mean() - expected) < 3.5 * controlled.std() / 60**0.5 + allowed * expected


def test_large_samples_are_simulated_as_small_ones_are() -> None:
    of = instance(1.6, 0.5, 60.0, 0.0)
    small, large = (
        simulate_fourier(of, [(n, 0.003)], Replicates(24, 1, ("test",), controls=True))[:, 0].mean() for n in (800, 801)
    )
    assert small == pytest.approx(large, rel=0.03)
    counted, in_law = (
        simulate_fourier(of, [(n, 1e-4)], Replicates(24, 1, ("test",), controls=True))[:, 0].mean()
        for n in (20_000, 20_001)
    )
    assert counted == pytest.approx(in_law, rel=0.01)


def test_controls_remove_the_weight_of_rare_draws() -> None:
    # The second frequency is drawn 2.5 times on average, and carries most of the risk where it is not drawn.
    spectrum = vf.Spiked(beta=2.99, spikes=10, height=5.0)
    of = vf.Instance(spectrum, vf.CriticalTarget(s=1.0), vf.Noise(0.05), features=vf.FourierFeatures(24.0, 0.0))
    lam = float(optimal_ridge(of, 64))
    plain, controlled = (
        simulate_fourier(of, [(64, lam)], Replicates(48, 1, ("test",), controls=controls))[:, 0]
        for controls in (False, True)
    )
    assert controlled.std() < 0.2 * plain.std()
    expected = float(equivalent_risk(of, n=64, lam=lam))
    allowed = float(relative_error(of, np.array([64.0]), np.array([lam]))[0])
    assert abs(controlled.mean() - expected) < 3.5 * controlled.std() / 48**0.5 + allowed * expected


def test_near_interpolation_the_torus_is_not_gaussian() -> None:
    # What (d1/n)^2 in the certification stands for: the excess does not fall with n while d1/n does not.
    of = instance(1.71, 0.3, 10.0, 1.3, 0.02)
    for n in (50, 200):
        lam = float(optimal_ridge(of, n))
        risks = simulate_fourier(of, [(n, lam)], Replicates(32, 1, ("test",), controls=True))[:, 0]
        excess = risks.mean() / float(equivalent_risk(of, n=n, lam=lam)) - 1.0
        assert 0.1 < excess < 0.4
        assert excess < float(relative_error(of, np.array([float(n)]), np.array([lam]))[0])


@pytest.mark.parametrize("degree", [0.2, 0.6, 0.75, 1.2])
@pytest.mark.parametrize("n", [200.0, 1e5, 1e12])
def test_the_optimum_is_the_least_risk_over_kappas(degree: float, n: float) -> None:
    of, sizes = instance(2.0, 0.5, 1.0, degree), np.array([n])
    engine = equivalent_for(of, sizes, np.zeros(1))
    assert isinstance(engine, FourierEquivalent)
    kappa = engine.optimum(sizes)
    found = minimize_scalar(
        lambda u: float(np.log(engine.risk(sizes, np.exp(np.array([u]))))[0]),
        bounds=(math.log(kappa[0]) - 4.0, math.log(kappa[0]) + 4.0),
        method="bounded",
        options={"xatol": 1e-4},
    )
    assert float(np.log(engine.risk(sizes, kappa))[0]) <= found.fun + 1e-6
    lam = engine.ridge(sizes, kappa)
    assert engine.effective_ridge(sizes, lam)[0] == pytest.approx(kappa[0], rel=1e-9)


@pytest.mark.parametrize(("beta", "s"), [(1.5, 0.3), (2.0, 0.75), (1.3, 0.9), (4.0, 0.4), (2.0, 1.5)])
@pytest.mark.parametrize("tuning", ["optimal", "schedule"])
def test_exponents_far_out_are_those_of_the_theorem(beta: float, s: float, tuning: str) -> None:
    star = 1.0 / (2.0 * s + 1.0 / beta)
    for degree in (0.6 * star, star - 0.1, star + 0.1, 1.4, 0.0):
        of = instance(beta, s, 3.0, degree)
        end = min(ExcessRisk().log_range(of, tuning)[1], 200.0)
        terms = ExcessRisk().log_terms(of, np.array([end - 10.0, end]), tuning)
        expected = theorem_exponent(of, tuning)
        assert expected is not None
        assert min((term[0] - term[1]) / 10.0 for term in terms) == pytest.approx(expected, abs=0.012)


def test_steep_spectra_with_tiny_noise_are_not_judged_wrongly() -> None:
    # Next to the critical degree, where slow terms are largest.
    spectrum = vf.PowerLaw(5.91, scale=0.5)
    of = vf.Instance(spectrum, vf.CriticalTarget(s=0.31), vf.Noise(0.01), features=vf.FourierFeatures(0.5, 1.29))
    claim = dataclasses.replace(T5["fourier-exponent-by-degree"], hypotheses=())
    for tuning in ("optimal", "schedule"):
        assert assess(dataclasses.replace(claim, tuning=tuning), of).verdict != VIOLATED


def test_planted_wrong_exponents_are_noticed() -> None:
    reading = T5["fourier-exponent-by-degree"]
    for offset in (-0.05, 0.05):
        wrong = dataclasses.replace(
            reading, predict=lambda i, d=offset: vf.Exponent(reading.predict(i).value + d), expected=None
        )
        for degree in (0.2, 0.5, 0.8, 1.2):
            assert assess(wrong, instance(2.0, 0.5, 1.0, degree)).verdict == VIOLATED
            assert assess(reading, instance(2.0, 0.5, 1.0, degree)).verdict == CONSISTENT


def test_what_is_enough_for_gaussian_features_is_not() -> None:
    of = instance(3.0, 0.3, 1.0, 0.4)  # 1/(2 beta s + 1) = .357, 1/(2s + 1/beta) = 1.071
    found = assess(T5["fourier-every-degree"], of)
    assert found.verdict == VIOLATED
    assert found.exponent == pytest.approx(2.0 * 0.3 * 0.4, abs=0.005)
    gaussian = dataclasses.replace(of, features=vf.GaussianFeatures(1.0, 0.4))
    assert assess(T5["fourier-every-degree"], gaussian).verdict == CONSISTENT


def test_parts_and_terms_of_the_risk_never_exceed_it() -> None:
    n = np.exp(np.linspace(5.0, 50.0, 12))
    for degree in (0.2, 0.66, 1.3):
        of = instance(2.0, 0.5, 2.0, degree)
        for tuning in ("optimal", "schedule"):
            risk = equivalent_risk(of, n=n, lam=tuning)
            parts, terms = watched_parts(of, n=n, lam=tuning), separate_terms(of, n=n, lam=tuning)
            assert all(np.all((part >= 0.0) & (part <= risk * (1.0 + 1e-9))) for part in parts)
            np.testing.assert_allclose(sum(terms), risk, rtol=1e-9)


def test_risks_are_followed_to_the_end_without_overflow() -> None:
    for beta in (1.05, 2.0, 6.0):
        for degree in (0.1, 1.0, 10.0):
            of = instance(beta, 0.5, 0.1, degree)
            for tuning in ("optimal", "schedule"):
                low, high = ExcessRisk().log_range(of, tuning)
                with np.errstate(over="raise", invalid="raise"):
                    values = ExcessRisk().log_values(of, np.linspace(low, high, 8), tuning)
                assert np.all(np.isfinite(values))
                assert np.all(np.diff(values) < 1e-6)


@pytest.mark.thorough
def test_the_simplest_draw_has_all_features() -> None:
    one = st.just(dataclasses.replace(instance(2.0, 0.5, 1.0, 1.0), features=vf.AllFeatures()))
    quick = settings(database=None, max_examples=20)
    for strategy in (with_frequencies(one), finitely_many_frequencies(one)):
        assert find(strategy, lambda _: True, settings=quick).features == vf.AllFeatures()
        few = find(strategy, lambda i: i.features.finite, settings=quick)
        assert isinstance(few.features, vf.FourierFeatures)


def test_an_instance_keeps_its_frequencies_and_says_so() -> None:
    of = instance(2.0, 0.5, 2.0, 0.5)
    assert vf.Instance.from_json(of.to_json()) == of
    assert "m = 2 n^0.5 Fourier features on the torus" in of.describe()
    with pytest.raises(ValueError, match="label noise"):
        dataclasses.replace(of, noise=vf.Noise(0.0))
    with pytest.raises(ValueError, match="factor=0.5"):
        vf.FourierFeatures(0.5, 0.0)
    with pytest.raises(ValueError, match="averaged"):
        simulate_fourier(of, [(10, 0.1)], Replicates(2, noise="sampled"))
