"""Coordinates coupled in pairs: the sampler against its autocovariances, the equivalent against three other routes, verdicts."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

import verifier as vf
from properties import theorem_4
from verifier.risk import profile_samples
from verifier.risk.blocks import block_densities
from verifier.risk.collapse import SlowestFactor, measured_factor
from verifier.risk.coordinates import profile_for, profile_ridge
from verifier.verdicts.judge import look
from verifier.verdicts.shown import LAGS, dependence_record

Array = NDArray[np.float64]
Vector = vf.VectorAutoregression

ROTATION = Vector.rotation(0.8, math.pi / 3.0, vf.AR1(0.6))
TURNED = Vector.symmetric(0.9, -0.6, math.pi / 4.0, vf.AR1(0.7))
SHEAR = Vector(((0.3, 0.6), (0.0, 0.3)), vf.AR1(0.6))
SETTINGS = [
    ROTATION,
    TURNED,
    SHEAR,
    Vector.symmetric(0.85, 0.0, math.pi / 6.0),
    Vector(((0.2, 0.0), (0.6, 0.1)), vf.MovingAverage((1.0, -0.5))),
]


def sequence(
    dependence: vf.Dependence, *, beta: float = 2.0, s: float = 0.5, sigma: float = 1.0, size: int | None = None
) -> vf.Instance:
    spectrum = vf.PowerLaw(beta=beta)
    return vf.Instance(
        spectrum=spectrum if size is None else vf.Truncated(spectrum=spectrum, size=size),
        target=vf.CriticalTarget(s=s),
        noise=vf.Noise(sigma=sigma),
        dependence=dependence,
    )


# ------------------------------------------------------------------------------------------------ the law


def worst_z(dependence: Vector, drawn: Array) -> float:
    """The largest standardised deviation of products of two coordinates of a pair, at two times, from their expectation."""
    gamma, worst = dependence.autocovariances(5), 0.0
    for lag in range(6):
        for t in (0, drawn.shape[0] - 6):  # at the start as later on: the sequence is stationary
            products = drawn[t + lag, :, :, None] * drawn[t, :, None, :]
            stderr = products.std(axis=0) / math.sqrt(products.shape[0])
            worst = max(worst, float(np.max(np.abs(products.mean(axis=0) - gamma[lag]) / stderr)))
    return worst


@pytest.mark.parametrize("dependence", SETTINGS, ids=lambda each: each.describe())
def test_the_sampler_has_the_autocovariances_and_is_stationary(dependence: Vector) -> None:
    """48 products: five standard errors are exceeded once in 4e4 times; a deviation of .03 would show."""
    drawn = dependence.draw_pairs(np.random.default_rng(1), 30, 40_000)
    assert worst_z(dependence, drawn) < 5.0


def test_a_wrong_sampler_is_caught() -> None:
    """The transposed matrix, innovations of I - M^2 in the place of I - MM', and a start from zero."""
    rng = np.random.default_rng(2)
    transposed = Vector(tuple(zip(*SHEAR.matrix, strict=True)))  # type: ignore[arg-type]
    assert worst_z(SHEAR, transposed.draw_pairs(rng, 30, 40_000)) > 10.0
    m = np.array(SHEAR.matrix)
    drawn = rng.standard_normal((30, 40_000, 2))
    for t in range(1, 30):
        drawn[t] = drawn[t - 1] @ m.T + drawn[t] * np.sqrt(np.diag(np.eye(2) - m @ m))
    assert worst_z(SHEAR, drawn) > 10.0
    late = SHEAR.draw_pairs(rng, 30, 40_000)
    late[0] = 0.0
    assert not np.allclose(late[0].std(axis=0), 1.0, atol=0.05)


def test_a_damped_rotation_oscillates() -> None:
    gamma = Vector.rotation(0.7, 0.4).autocovariances(6)
    h = np.arange(7.0)
    assert gamma[:, 0, 0] == pytest.approx(0.7**h * np.cos(0.4 * h))
    assert gamma[:, 1, 0] == pytest.approx(0.7**h * np.sin(0.4 * h))
    assert gamma[:, 0, 1] == pytest.approx(-(0.7**h) * np.sin(0.4 * h))


@pytest.mark.parametrize("dependence", SETTINGS, ids=lambda each: each.describe())
def test_densities_are_the_sums_of_autocovariances(dependence: Vector) -> None:
    w = np.linspace(0.0, math.pi, 7)
    terms = dependence.components(400)[:, :, None] * np.cos(np.arange(401.0)[:, None] * w)
    assert dependence.component_densities(w) == pytest.approx(2.0 * terms.sum(axis=1) - terms[:, 0], abs=1e-10)
    found = block_densities(dependence)
    assert found.means.sum(axis=0) == pytest.approx([1.0, 0.0, 1.0], abs=1e-10)
    low, high = dependence.product_sums()
    heard = found.heard.sum(axis=0)
    assert 0.5 * (heard[0] + heard[2]) == pytest.approx(dependence.product_sum(), rel=1e-9)
    assert low + high == pytest.approx(2.0 * dependence.product_sum())
    assert low * high == pytest.approx(heard[0] * heard[2] - heard[1] ** 2, abs=1e-9)


def test_sums_of_diagonal_matrices_are_those_of_coordinates() -> None:
    coupled, plain = Vector(((0.8, 0.0), (0.0, -0.3)), vf.AR1(0.5)), vf.PerCoordinate((0.8, -0.3), vf.AR1(0.5))
    assert coupled.product_sum() == pytest.approx(plain.product_sum())
    assert coupled.square_sum() == pytest.approx(plain.square_sum())
    assert sorted(plain.product_sums()) == pytest.approx(coupled.product_sums())
    assert coupled.input_correlation(9) == pytest.approx(plain.input_correlation(9))


# ------------------------------------------------------------------------------------------------ the equivalent


@pytest.mark.parametrize("noise", [vf.White(), vf.AR1(0.6)])
@pytest.mark.parametrize("rhos", [(0.0, 0.0), (0.8, -0.3), (0.9, 0.0)])
def test_diagonal_matrices_are_a_profile(rhos: tuple[float, float], noise: vf.Process) -> None:
    n = np.geomspace(30.0, 1e15, 12)
    coupled = sequence(Vector(((rhos[0], 0.0), (0.0, rhos[1])), noise))
    plain = dataclasses.replace(coupled, dependence=vf.PerCoordinate(rhos, noise))
    ridge = vf.optimal_ridge(plain, n)
    assert np.max(np.abs(np.log(vf.optimal_ridge(coupled, n) / ridge))) < 1e-6
    for lam in (ridge, 0.0, 1e-3, 10.0):
        ours, theirs = (
            vf.equivalent_risk(each, n=n[:9], lam=lam if np.ndim(lam) == 0 else ridge[:9]) for each in (coupled, plain)
        )
        assert np.max(np.abs(ours / theirs - 1.0)) < 1e-9


@pytest.mark.parametrize("target", [vf.LacunaryTarget(s=0.5), vf.RandomTarget(s=0.5)])
def test_other_targets_are_laid_on_pairs(target: vf.Target) -> None:
    n = np.geomspace(30.0, 1e12, 9)
    coupled = dataclasses.replace(sequence(Vector(((0.8, 0.0), (0.0, -0.3)))), target=target)
    plain = dataclasses.replace(coupled, dependence=vf.PerCoordinate((0.8, -0.3)))
    ridge = vf.optimal_ridge(plain, n)
    assert vf.equivalent_risk(coupled, n=n, lam=ridge) == pytest.approx(
        vf.equivalent_risk(plain, n=n, lam=ridge), rel=1e-8
    )


def test_a_rotation_is_seen_by_its_even_part_alone() -> None:
    """The density common to both coordinates, that of rho^h cos(h angle): as a process of its own it gives the same curve."""
    n = np.geomspace(30.0, 1e12, 9)
    forward, backward = (sequence(Vector.rotation(0.7, angle, vf.AR1(0.5))) for angle in (0.9, -0.9))
    ridge = vf.optimal_ridge(forward, n)
    assert vf.equivalent_risk(backward, n=n, lam=ridge) == pytest.approx(vf.equivalent_risk(forward, n=n, lam=ridge))
    quarter = Vector.rotation(0.7, 0.5 * math.pi)  # cos is 0 at odd lags: (-.49)^k at lag 2k
    assert quarter.mean_autocorrelations(4) == pytest.approx([1.0, 0.0, -0.49, 0.0, 0.2401], abs=1e-12)


def by_iteration(instance: vf.Instance, n: float, lam: float, frequencies: int = 600) -> tuple[float, float]:
    """Target and noise term with full complex matrices on both halves of the circle, term by term, by iteration."""
    dependence = instance.dependence
    assert isinstance(dependence, Vector)
    m = np.array(dependence.matrix)
    w = (np.arange(frequencies) + 0.5) * 2.0 * math.pi / frequencies
    transfer = np.linalg.inv(np.eye(2) - np.exp(-1j * w)[:, None, None] * m)
    s = transfer @ (np.eye(2) - m @ m.T) @ transfer.conj().swapaxes(1, 2)
    size = int(instance.spectrum.size)
    log_index = np.log(np.arange(1.0, size + 1.0))
    ell = np.exp(instance.spectrum.log_eigenvalues(log_index))
    theta2 = np.exp(instance.target.log_energy(log_index, np.log(ell))) * ell ** (2.0 * instance.target.l2_index - 1.0)
    root = np.sqrt(ell.reshape(-1, 2))
    f = root[:, None, :, None] * s * root[:, None, None, :]  # (blocks, W, 2, 2)
    delta = np.zeros(frequencies)
    for _ in range(4000):
        q = np.linalg.inv(np.mean(f / (1.0 + delta)[:, None, None], axis=1) + lam * np.eye(2))
        following = np.einsum("bwij,bji->w", f, q).real / n
        if np.max(np.abs(following - delta)) < 1e-13 * np.max(following):
            break
        delta = 0.5 * (delta + following)
    sigma, gamma = root[:, :, None] ** 2 * np.eye(2), np.zeros(frequencies)
    for _ in range(4000):
        inner = q @ (sigma + np.mean(f * (gamma / (1.0 + delta) ** 2)[:, None, None], axis=1)) @ q
        following = np.einsum("bwij,bji->w", f, inner).real / n
        if np.max(np.abs(following - gamma)) < 1e-13 * np.max(following):
            break
        gamma = following
    diagonal = np.diagonal(inner.real, axis1=1, axis2=2).ravel()
    heard = np.mean(
        np.asarray(dependence.noise.spectral_density(np.minimum(w, 2.0 * math.pi - w))) * gamma / (1.0 + delta) ** 2
    )
    return float(lam**2 * (theta2 @ diagonal)), float(instance.sigma**2 * heard)


@pytest.mark.parametrize("dependence", SETTINGS, ids=lambda each: each.describe())
def test_the_equations_with_complex_matrices(dependence: Vector) -> None:
    instance = sequence(dependence, beta=1.6, size=40)
    for n, lam in ((40.0, 0.02), (25.0, 0.3)):
        found = profile_for(instance, n, lam).terms(np.array([n]), np.array([lam]))
        assert [float(part[0]) for part in found] == pytest.approx(by_iteration(instance, n, lam), rel=1e-8)


@pytest.mark.parametrize("dependence", SETTINGS[:3], ids=lambda each: each.describe())
def test_the_oracles_ridge_is_the_minimum(dependence: Vector) -> None:
    instance = sequence(dependence)
    n = np.array([30.0, 1e3, 1e7])
    ridge, engine = profile_ridge(instance, n), profile_for(instance, 1e7)
    below, at, above = (engine.risk(n, ridge * math.exp(x)) for x in (-0.02, 0.0, 0.02))
    assert np.all(at < below)
    assert np.all(at < above)
    low, high = (np.log(engine.risk(n, ridge * math.exp(x))) for x in (-1e-3, 1e-3))
    assert np.max(np.abs(high - low)) / 2e-3 < 1e-6


@pytest.mark.parametrize("dependence", SETTINGS[:3], ids=lambda each: each.describe())
def test_the_measured_factor_is_the_mean_over_directions(dependence: Vector) -> None:
    instance = sequence(dependence)
    missing = [abs(measured_factor(instance, n) / dependence.product_sum() - 1.0) for n in (1e6, 1e12)]
    assert missing[1] < 1e-4
    assert missing[1] < 0.1 * missing[0]
    assert SlowestFactor().value(instance) == dependence.product_sums()[1] >= dependence.product_sum()


# ------------------------------------------------------------------------------------------------ simulation


def naive_risk(instance: vf.Instance, z: Array, lam: float) -> float:
    """Risk given the inputs by the definition of the estimator, all directions drawn, the mean over noise and signs."""
    n, p = z.shape
    log_index = np.log(np.arange(1.0, p + 1.0))
    ell = np.exp(instance.spectrum.log_eigenvalues(log_index))
    theta2 = np.exp(instance.target.log_energy(log_index, np.log(ell))) * ell ** (2.0 * instance.target.l2_index - 1.0)
    x = z * np.sqrt(ell)
    inverse = np.linalg.inv(x.T @ x / n + lam * np.eye(p))
    bias = np.sum(ell[:, None] * (lam * inverse) ** 2, axis=0) @ theta2
    spread = inverse @ x.T / n
    heard = np.trace((spread.T * ell) @ spread @ instance.dependence.noise_correlation(n))
    return float(bias + instance.sigma**2 * heard)


@pytest.mark.parametrize("route", ["_short", "_long"])
def test_the_simulation_does_what_the_estimator_does(route: str) -> None:
    dependence = dataclasses.replace(SHEAR, noise=vf.AR1(0.5) if route == "_short" else vf.White())
    instance = sequence(dependence, beta=1.5, size=60)
    for n, lam in ((40, 0.05), (150, 0.01)):
        z, _ = dependence.draw(np.random.default_rng(n), n, 60)
        setting = profile_samples._Setting.at(instance, n, lam, 60)
        assert getattr(profile_samples, route)(setting)(z) == pytest.approx(naive_risk(instance, z, lam), rel=1e-9)


def test_directions_that_are_not_drawn() -> None:
    """Half of the directions, the others by the equivalent: on the same numbers, within c/n, where the others are fitted too."""
    instance = sequence(TURNED, beta=1.4, size=240, sigma=0.02)
    lam = float(vf.optimal_ridge(instance, 60))
    draws = profile_samples.Replicates(40, 3)
    few, every = (profile_samples.simulate_profile(instance, [(60, lam)], draws, p)[:, 0] for p in (60, 240))
    assert abs(few.mean() / every.mean() - 1.0) < 3.0 / 60.0 + 4.0 * (few / every).std() / math.sqrt(40.0)


def test_long_sequences_may_be_closed_to_a_circle() -> None:
    instance, n = sequence(TURNED, beta=1.4), 800
    setting = profile_samples._Setting.at(instance, n, float(vf.optimal_ridge(instance, n)), 128)
    z, _ = TURNED.draw(np.random.default_rng(1), n, 128)
    short, long = (route(setting)(z) for route in (profile_samples._short, profile_samples._long))
    assert long == pytest.approx(short, rel=1.0 / n)


@pytest.mark.parametrize("dependence", SETTINGS, ids=lambda each: each.describe())
@pytest.mark.thorough
def test_simulation_agrees_with_the_equivalent(dependence: Vector) -> None:
    """Within 4 standard errors and c/n with c = 3, and not with what it would be without the coupling."""
    curve = vf.learning_curve(sequence(dependence, beta=1.4, s=0.3), n=(50, 100), replicates=24, seed=1)
    expected = vf.equivalent_risk(curve.instance, n=curve.n, lam=curve.lam)
    assert np.all(np.abs(curve.risk - expected) < 4.0 * curve.stderr + 3.0 / curve.n * expected)
    assert 4.0 * curve.stderr[1] / expected[1] < 0.095


@pytest.mark.thorough
def test_simulation_tells_a_wrong_equivalent() -> None:
    """That of the diagonal of the matrix alone."""
    for dependence in (ROTATION, TURNED):
        instance = sequence(dependence, beta=1.4, s=0.3)
        curve = vf.learning_curve(instance, n=(400,), replicates=24, seed=1)
        (a, _), (_, d) = dependence.matrix
        alone = dataclasses.replace(instance, dependence=vf.PerCoordinate((a, d), dependence.noise))
        wrong = vf.equivalent_risk(alone, n=curve.n, lam=curve.lam)
        assert np.all(np.abs(curve.risk - wrong) > 4.0 * curve.stderr + 3.0 / curve.n * wrong)


# ------------------------------------------------------------------------------------------------ verdicts


@pytest.mark.parametrize("reading", ["exponent-vector", "collapse-score-vector"])
def test_the_readings_judge_as_they_should(reading: str) -> None:
    claim = next(each for each in theorem_4.READINGS if each.id == f"T4/{reading}")
    for dependence in (ROTATION, TURNED, SHEAR):
        assert look(claim, sequence(dependence), 0).verdict == "consistent"
    wrong = (
        dataclasses.replace(claim, id="T4/x", predict=lambda _: vf.Exponent(0.6))
        if reading == "exponent-vector"
        else dataclasses.replace(
            claim, id="T4/x", observable=dataclasses.replace(claim.observable, factor=SlowestFactor())
        )
    )
    assert look(wrong, sequence(TURNED), 0).verdict == "violated"


def test_what_is_shown() -> None:
    record = dependence_record(sequence(ROTATION))
    assert record is not None
    rows = {row["name"]: row for row in record["rows"]}
    odd = rows["correlation of the odd coordinate of a pair with the even one so much earlier"]
    assert odd["values"][0] == pytest.approx(-0.8 * math.sin(math.pi / 3.0))
    one = rows["b(k), one pair of coordinates"]
    assert one["known"] == "upper bound"
    assert one["values"] == pytest.approx([min(1.0, 2.0 * 0.8**lag) for lag in LAGS])
    assert [each["value"] for each in record["sums"]][2] == pytest.approx(ROTATION.product_sum())
    forgets = dependence_record(sequence(Vector(((0.0, 0.8), (0.0, 0.0)))))  # M^2 = 0
    assert forgets is not None
    together = next(row for row in forgets["rows"] if row["name"].startswith("b(k), all"))
    assert together["values"] == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_json() -> None:
    instance = sequence(SHEAR)
    assert vf.Instance.from_json(instance.to_json()) == instance
    assert "((0.3, 0.6), (0, 0.3))" in instance.describe()


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: Vector(((0.5,), (0.5,))), "two rows of two"),  # type: ignore[arg-type]
        (lambda: Vector(((0.5, 0.9), (0.0, 0.5))), "norm"),
        (lambda: Vector(((0.5, math.nan), (0.0, 0.5))), "matrix"),
        (lambda: Vector(noise=vf.FractionalNoise(0.8)), "long memory"),
        (lambda: sequence(SHEAR, size=41), "even number"),
        (lambda: sequence(SHEAR, sigma=0.0), "label noise"),
    ],
)
def test_bad_arguments_are_named(build: object, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        build()  # type: ignore[operator]
