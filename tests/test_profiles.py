"""Coordinates with autocorrelations of their own: the equivalent against two other routes, and against simulation."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

import verifier as vf
from verifier.risk import profile_samples
from verifier.risk.collapse import SlowestFactor, measured_factor
from verifier.risk.coordinates import profile_for, profile_ridge, profile_terms
from verifier.risk.equivalents import effective_dimension
from verifier.risk.profiles import POINTS, densities, end_weights
from verifier.risk.simulate import Replicates
from verifier.verdicts.certify import certify
from verifier.verdicts.judge import look

Array = NDArray[np.float64]


def sequence(
    rhos: tuple[float, ...],
    noise: vf.Process | None = None,
    *,
    beta: float = 2.0,
    s: float = 0.5,
    sigma: float = 1.0,
    size: int | None = None,
) -> vf.Instance:
    spectrum = vf.PowerLaw(beta=beta)
    return vf.Instance(
        spectrum=spectrum if size is None else vf.Truncated(spectrum=spectrum, size=size),
        target=vf.CriticalTarget(s=s),
        noise=vf.Noise(sigma=sigma),
        dependence=vf.PerCoordinate(rhos=rhos, noise=noise or vf.White()),
    )


SETTINGS = [
    sequence((0.5, -0.3)),
    sequence((0.8, 0.0), vf.AR1(0.8), beta=1.5),
    sequence((0.9, -0.9), vf.AR1(0.5), s=0.3, sigma=0.5),
    sequence((0.6, 0.3, -0.5, 0.8), vf.AR1(0.7), beta=1.3),
    sequence((-0.7, 0.7), vf.AR1(-0.6), beta=3.0, sigma=2.0),
    sequence((0.8,), vf.AR1(0.8), s=0.9),
    sequence((0.5, 0.2, -0.2), vf.MovingAverage((1.0, 1.0, 1.0)), beta=2.5, s=0.4),
    sequence((0.0, 0.9), vf.AR1(0.9), sigma=0.3),
]


def test_white_coordinates_are_independent_samples() -> None:
    n = np.geomspace(30.0, 1e18, 30)
    for rhos in ((0.0,), (0.0, 0.0, 0.0)):
        instance = sequence(rhos)
        plain = dataclasses.replace(instance, dependence=vf.Independent())
        ridge = vf.optimal_ridge(plain, n)
        assert np.max(np.abs(np.log(profile_ridge(instance, n) / ridge))) < 1e-6
        for lam in (ridge, 0.0, 1e-3, 10.0):
            ours = sum(profile_terms(instance, n[:20], lam if np.ndim(lam) == 0 else ridge[:20]))
            theirs = vf.equivalent_risk(plain, n=n[:20], lam=lam if np.ndim(lam) == 0 else ridge[:20])
            assert np.max(np.abs(ours / theirs - 1.0)) < 1e-9


@pytest.mark.parametrize("noise", [vf.White(), vf.AR1(0.6), vf.MovingAverage((1.0, -0.5))])
@pytest.mark.parametrize("rho", [0.8, -0.6])
def test_one_class_is_separable_dependence(rho: float, noise: vf.Process) -> None:
    n = np.geomspace(50.0, 1e15, 30)
    shared = dataclasses.replace(sequence((rho,)), dependence=vf.Dependent(inputs=vf.AR1(rho), noise=noise))
    ridge = vf.optimal_ridge(shared, n)
    risk = vf.equivalent_risk(shared, n=n, lam=ridge)
    for rhos in ((rho,), (rho, rho, rho)):
        instance = sequence(rhos, noise)
        assert np.max(np.abs(np.log(vf.optimal_ridge(instance, n) / ridge))) < 1e-6
        assert np.max(np.abs(vf.equivalent_risk(instance, n=n, lam=ridge) / risk - 1.0)) < 1e-9


def by_resolvents(instance: vf.Instance, n: float, lam: float, frequencies: int = 2000) -> tuple[float, float]:
    """Target and noise term in the notation of Hachem, Loubaton and Najim, term by term over a finite spectrum, by iteration."""
    dependence = instance.dependence
    assert isinstance(dependence, vf.PerCoordinate)
    size = int(instance.spectrum.size)
    w = (np.arange(frequencies) + 0.5) * math.pi / frequencies
    ell = _eigenvalues(instance, size)
    squares = np.exp(instance.target.log_energy(np.log(np.arange(1.0, size + 1.0)), np.log(ell))) * ell ** (
        2.0 * instance.target.l2_index - 1.0
    )
    f = np.stack([vf.AR1(own_rho(dependence, i)).spectral_density(w) for i in range(size)])
    delta = np.zeros(frequencies)
    for _ in range(3000):
        q = 1.0 / (lam + ell * np.mean(f / (1.0 + delta), axis=1))
        following = (ell * q) @ f / n
        if np.max(np.abs(following - delta)) < 1e-13 * np.max(following):
            break
        delta = 0.5 * (delta + following)
    q = 1.0 / (lam + ell * np.mean(f / (1.0 + delta), axis=1))
    gamma = np.zeros(frequencies)
    for _ in range(3000):
        g = q**2 * ell * (1.0 + np.mean(f * gamma / (1.0 + delta) ** 2, axis=1))
        following = (ell * g) @ f / n
        if np.max(np.abs(following - gamma)) < 1e-13 * np.max(following):
            break
        gamma = following
    noise = np.mean(dependence.noise.spectral_density(w) * gamma / (1.0 + delta) ** 2)
    return float(lam**2 * (squares @ g)), float(instance.sigma**2 * noise)


def own_rho(dependence: vf.PerCoordinate, index: int) -> float:
    """The correlation of the coordinate of an index from 0."""
    if isinstance(dependence.rhos, tuple):
        return dependence.rhos[index % len(dependence.rhos)]
    return float(dependence.rhos.at(np.log(index + 1.0)))


def _eigenvalues(instance: vf.Instance, size: int) -> Array:
    return np.exp(instance.spectrum.log_eigenvalues(np.log(np.arange(1.0, size + 1.0))))


@pytest.mark.parametrize(
    ("rhos", "noise", "n", "lam"),
    [
        ((0.5, -0.3), vf.White(), 40.0, 0.02),
        ((0.8, 0.0, -0.8), vf.AR1(0.7), 60.0, 0.01),
        ((0.9, -0.9), vf.MovingAverage((1.0, 2.0)), 200.0, 1e-3),
        ((0.3, 0.6, -0.2, 0.9), vf.AR1(-0.5), 25.0, 0.3),
    ],
)
def test_the_equations_in_the_notation_of_resolvents(
    rhos: tuple[float, ...], noise: vf.Process, n: float, lam: float
) -> None:
    instance = sequence(rhos, noise, beta=1.6, size=90)
    target, heard = profile_terms(instance, n, lam)
    assert (float(target), float(heard)) == pytest.approx(by_resolvents(instance, n, lam), rel=1e-8)


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("beta", [1.7, 5.0])
def test_sums_over_every_class(beta: float, classes: int) -> None:
    instance = sequence((0.5,) * classes, beta=beta, s=0.4)
    table = profile_for(instance, 1e30).table
    log_kappa = np.array([-0.3, -2.1, -5.7])
    found, _ = table.exact(log_kappa)
    index = np.arange(1.0, 1_000_001.0)
    ell = index**-beta
    f2 = ell**0.8 / index
    for j, kappa in enumerate(np.exp(log_kappa)):
        for k in range(classes):
            own = slice(k, None, classes)
            r, q = ell[own] / (ell[own] + kappa), kappa / (ell[own] + kappa)
            middle = index[own][-1] + 0.5 * classes  # where the midpoint rule takes over
            beyond = middle ** (1.0 - beta) / (beta - 1.0) / classes / kappa
            unheard = middle ** (-0.8 * beta) / (0.8 * beta) / classes
            expected = (r.sum() + beyond, r @ r, f2[own] @ q**2 + unheard)
            assert found[j, :, k] == pytest.approx(expected, rel=2e-9)


def test_end_weights_integrate_and_sum_polynomials_times_exponentials() -> None:
    """With one class they are Gregory's; otherwise the sum over a lattice less the integral, of a slow exponential."""
    for classes in (1, 2, 3, 4):
        for offset in range(1, classes + 1):
            s = 0.02
            wanted = math.exp(-s * offset) / -math.expm1(-s * classes) - 1.0 / (s * classes)
            assert end_weights(classes, offset) @ np.exp(s * np.arange(8.0)) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize(
    ("spectrum", "target"),
    [
        (vf.PowerLaw(beta=1.1), vf.LacunaryTarget(s=0.5)),
        (vf.PowerLaw(beta=4.0), vf.CriticalTarget(s=0.2)),
        (vf.LogPeriodic(beta=2.0, amplitude=0.3, frequency=2.0), vf.RandomTarget(s=0.5)),
    ],
)
def test_the_table_is_accurate_and_the_classes_add_up(spectrum: vf.Spectrum, target: vf.Target) -> None:
    instance = dataclasses.replace(sequence((0.5, 0.2, -0.1)), spectrum=spectrum, target=target)
    table = profile_for(instance, 1e30).table
    table.cover(-60.0, 3.0)
    log_kappa = np.random.default_rng(0).uniform(-58.0, 3.0, 200)
    found = table.sums(np.repeat(log_kappa[:, None], 3, axis=1), bias=True)
    exact, _ = table.exact(log_kappa)
    assert np.max(np.abs(found - exact) / np.where(exact > 0.0, exact, 1.0)) < 1e-9
    plain = vf.Instance(spectrum=spectrum, target=target)
    assert exact[:, 0].sum(axis=1) == pytest.approx(effective_dimension(plain, np.exp(log_kappa)), rel=1e-8)


def test_extending_the_table_changes_nothing() -> None:
    one, other = (profile_for(sequence((0.5, 0.3), beta=b), 1e30).table for b in (2.31, 2.31))
    assert one is other
    one.cover(-5.0, 0.0)
    at = np.array([[-2.2, -1.3]])
    before = one.sums(at, bias=True)
    one.cover(-40.0, 6.0)
    assert one.sums(at, bias=True) == pytest.approx(before, rel=1e-12)
    assert len(one.log_kappa) >= 92 + POINTS


def test_frequencies_suffice() -> None:
    for rhos, noise in (((0.9, -0.9), vf.AR1(0.9)), ((0.5, 0.2), vf.MovingAverage(tuple([1.0] * 30)))):
        dependence = vf.PerCoordinate(rhos=rhos, noise=noise)
        assert densities(dependence).heard.sum(axis=0) == pytest.approx(dependence.product_sums(), rel=1e-9)
        assert densities(dependence).means.sum(axis=0) == pytest.approx(np.ones(len(rhos)), rel=1e-10)


@pytest.mark.parametrize("instance", SETTINGS[:5], ids=lambda each: each.dependence.describe())
def test_the_oracles_ridge_is_the_minimum(instance: vf.Instance) -> None:
    for n in (30.0, 1e3, 1e7):
        engine = profile_for(instance, n)

        def log_risk(log_lam: float, n: float = n, engine: object = engine) -> float:
            return float(np.log(engine.risk(np.array([n]), np.array([math.exp(log_lam)]))[0]))  # type: ignore[attr-defined]

        found = math.log(float(profile_ridge(instance, n)))
        best = minimize_scalar(log_risk, bounds=(found - 6.0, found + 4.0), method="bounded", options={"xatol": 1e-10})
        assert log_risk(found) <= best.fun + 1e-12
        slope = (log_risk(found + 1e-3) - log_risk(found - 1e-3)) / 2e-3
        assert abs(slope) < 1e-6


def test_one_factor_at_large_n() -> None:
    """E(n) of E_iid(n/phi), phi the mean over the classes of sum_h rho_k(h) rho_eps(h), as d1/n tends to zero."""
    for rhos, noise in (((0.8, -0.5), vf.AR1(0.6)), ((0.9, 0.0, 0.3), vf.AR1(0.8)), ((0.8, -0.8), vf.AR1(0.8))):
        instance = sequence(rhos, noise)
        plain = dataclasses.replace(instance, dependence=vf.Independent())
        dependence = instance.dependence
        ratios = [
            float(vf.equivalent_risk(instance, n=n)) / float(vf.equivalent_risk(plain, n=n / dependence.product_sum()))
            for n in (1e6, 1e9, 1e12)
        ]
        assert abs(ratios[0] - 1.0) < 0.01
        assert abs(ratios[2] - 1.0) < 1e-4
        assert abs(ratios[1] - 1.0) < 0.2 * abs(ratios[0] - 1.0)
    # Opposite signs, averaged: neither the factor of one class nor one.
    mean = vf.PerCoordinate(rhos=(0.8, -0.8), noise=vf.AR1(0.8)).product_sum()
    assert mean == pytest.approx(0.5 * (1.64 / 0.36 + 0.36 / 1.64))


def test_the_measured_factor_is_the_mean_and_not_the_largest() -> None:
    instance = sequence((0.8, -0.5), vf.AR1(0.6))
    assert measured_factor(instance, 1e12) == pytest.approx(instance.dependence.product_sum(), rel=1e-4)
    largest = SlowestFactor().value(instance)
    assert largest == max(vf.PerCoordinate((0.8, -0.5), vf.AR1(0.6)).product_sums())
    assert measured_factor(instance, 1e12) < 0.8 * largest
    shared = dataclasses.replace(instance, dependence=vf.Dependent(vf.AR1(0.8), vf.AR1(0.6)))
    assert SlowestFactor().value(shared) == pytest.approx(largest)


# ------------------------------------------------------------------------------------------------ simulation


def naive_risk(instance: vf.Instance, z: Array, lam: float) -> float:
    """Risk given the inputs by the definition of the estimator, all directions drawn, the mean over noise and signs."""
    n, p = z.shape
    ell = _eigenvalues(instance, p)
    log_index = np.log(np.arange(1.0, p + 1.0))
    theta2 = np.exp(instance.target.log_energy(log_index, np.log(ell))) * ell ** (2.0 * instance.target.l2_index - 1.0)
    x = z * np.sqrt(ell)
    inverse = np.linalg.inv(x.T @ x / n + lam * np.eye(p))
    bias = np.sum(ell[:, None] * (lam * inverse) ** 2, axis=0) @ theta2
    spread = inverse @ x.T / n
    heard = np.trace((spread.T * ell) @ spread @ instance.dependence.noise_correlation(n))
    return float(bias + instance.sigma**2 * heard)


@pytest.mark.parametrize("route", ["_short", "_long"])
def test_the_simulation_does_what_the_estimator_does(route: str) -> None:
    instance = sequence((0.6, -0.4, 0.2), vf.AR1(0.5) if route == "_short" else vf.White(), beta=1.5, size=60)
    for n, lam in ((40, 0.05), (150, 0.01)):
        z, _ = instance.dependence.draw(np.random.default_rng(n), n, 60)
        setting = profile_samples._Setting.at(instance, n, lam, 60)
        risk = getattr(profile_samples, route)(setting)(z)
        assert risk == pytest.approx(naive_risk(instance, z, lam), rel=1e-9)


@pytest.mark.parametrize("sigma", [1.0, 0.02])
def test_directions_that_are_not_drawn(sigma: float) -> None:
    """Few noisy labels need few directions; next to no noise the others are fitted too, and enter by the equivalent."""
    instance = sequence((0.6, -0.4), vf.AR1(0.5), beta=1.4, size=240, sigma=sigma)
    lam = float(vf.optimal_ridge(instance, 60))
    draws = Replicates(40, 3)
    few, all_of_them = (
        profile_samples.simulate_profile(instance, [(60, lam)], draws, directions)[:, 0] for directions in (60, 240)
    )
    ratio = few / all_of_them  # the drawn directions are the same numbers
    assert abs(few.mean() / all_of_them.mean() - 1.0) < 3.0 / 60.0 + 4.0 * ratio.std() / math.sqrt(40.0)


def test_long_sequences_may_be_closed_to_a_circle() -> None:
    instance = sequence((0.8, -0.5), vf.AR1(0.7), beta=1.4)
    n = 800
    lam = float(vf.optimal_ridge(instance, n))
    setting = profile_samples._Setting.at(instance, n, lam, 128)
    z, _ = instance.dependence.draw(np.random.default_rng(1), n, 128)
    short, long = (route(setting)(z) for route in (profile_samples._short, profile_samples._long))
    assert long == pytest.approx(short, rel=1.0 / n)


@pytest.mark.parametrize("instance", SETTINGS, ids=lambda each: each.dependence.describe())
@pytest.mark.thorough
def test_simulation_agrees_with_the_equivalent(instance: vf.Instance) -> None:
    """Within 4 standard errors and c/n with c = 3: at n = 100 a deviation of an eighth is seen in every setting."""
    curve = vf.learning_curve(instance, n=(50, 100), replicates=32, seed=1)
    expected = vf.equivalent_risk(instance, n=curve.n, lam=curve.lam)
    assert np.all(np.abs(curve.risk - expected) < 4.0 * curve.stderr + 3.0 / curve.n * expected)
    assert 4.0 * curve.stderr[1] / expected[1] < 0.095


def test_simulation_tells_a_wrong_equivalent() -> None:
    """That of white noise, and that of one class, where the sample has another."""
    instance = sequence((0.8, 0.0), vf.AR1(0.8), beta=1.5)
    curve = vf.learning_curve(instance, n=(100, 200), replicates=24, seed=1)
    for wrong in (vf.PerCoordinate(rhos=(0.8, 0.0)), vf.PerCoordinate(rhos=(0.8,), noise=vf.AR1(0.8))):
        expected = vf.equivalent_risk(dataclasses.replace(instance, dependence=wrong), n=curve.n, lam=curve.lam)
        assert np.all(np.abs(curve.risk - expected) > 4.0 * curve.stderr + 4.0 / curve.n * expected)


def test_a_point_is_the_same_on_every_grid() -> None:
    instance = sequence((0.5, -0.5, 0.1))
    one = vf.learning_curve(instance, n=(50,), replicates=3, seed=2, tuning=(0.1,))
    two = vf.learning_curve(instance, n=(50, 300), replicates=3, seed=2, tuning=(0.1,))
    assert np.array_equal(one.samples[:, 0], two.samples[:, 0])


# ------------------------------------------------------------------------------------------------ verdicts


CLAIM = vf.Claim(
    id="X1",
    title="exponent",
    statement="E ~ n^-alpha",
    source="tests",
    domain=st.nothing(),
    predict=lambda instance: vf.Exponent(2.0 * instance.s / (2.0 * instance.s + 1.0 / instance.beta)),
)


def test_the_exponent_is_that_of_independent_samples() -> None:
    for instance in SETTINGS:
        found = look(CLAIM, instance, 0)
        assert found.verdict == "consistent", found
    wrong = dataclasses.replace(
        CLAIM, id="X2", predict=lambda instance: vf.Exponent(0.05 + CLAIM.predict(instance).value)
    )
    assert all(look(wrong, instance, 0).verdict == "violated" for instance in SETTINGS[:3])


def test_certification_runs_on_sequences() -> None:
    experiment = CLAIM.observable.experiment(SETTINGS[1], "optimal", (50, 100, 1600))
    assert experiment is not None
    found = certify(experiment, 0, replicates=12, z=3.5)
    assert found.agrees, found.text
    assert found.precision < 0.05


def test_json_and_description() -> None:
    instance = sequence((0.5, -0.25), vf.AR1(0.3))
    assert vf.Instance.from_json(instance.to_json()) == instance
    assert "0.5, -0.25" in instance.describe()


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: vf.PerCoordinate(rhos=()), "rhos"),
        (lambda: vf.PerCoordinate(rhos=(0.1,) * 5), "rhos"),
        (lambda: vf.PerCoordinate(rhos=(0.5, 0.95)), r"rhos\[1\]"),
        (lambda: vf.PerCoordinate(rhos=(0.5,), noise=vf.FractionalNoise(0.8)), "long memory"),
        (lambda: vf.PerCoordinate(rhos=(0.5,), noise=vf.AR1), "noise"),
        (lambda: sequence((0.5,), sigma=0.0), "label noise"),
        (lambda: sequence((0.5,), size=5000), "4096"),
        (lambda: dataclasses.replace(sequence((0.5,)), target=vf.BallTarget(s=0.5)), "worst target"),
        (lambda: dataclasses.replace(sequence((0.5,)), design=vf.RademacherDesign()), "Gaussian"),
        (lambda: profile_terms(vf.Instance(spectrum=vf.PowerLaw(beta=2.0)), 50.0, 0.1), "PerCoordinate"),
    ],
)
def test_what_is_refused(build: object, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        build()  # type: ignore[operator]
