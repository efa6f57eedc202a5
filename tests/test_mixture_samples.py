"""Samples of a mixture: their equivalent against simulation, against one population, and against the mixed covariance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

import verifier as vf
from verifier.risk.curves import learning_curve
from verifier.risk.equivalents import effective_dimension, effective_ridge, equivalent_risk, optimal_ridge, ridge
from verifier.risk.mixtures import effective_ridges, mixture_risk, simulate_mixture
from verifier.risk.observables import ExcessRisk, Experiment
from verifier.risk.simulate import Replicates
from verifier.verdicts.certify import agreement_constant, certify

STEEP = vf.Mixture((0.9, 0.1), (vf.PowerLaw(3.0), vf.PowerLaw(1.2)))
RARE = vf.Mixture((0.01, 0.99), (vf.PowerLaw(1.5, scale=10.0), vf.PowerLaw(4.0)))


def noisy(mixture: vf.Mixture, target: vf.Target | None = None, sigma: float = 0.3) -> vf.Instance:
    return vf.Instance(mixture, target or vf.CriticalTarget(s=0.5), vf.Noise(sigma), vf.MixtureSamples())


@pytest.mark.parametrize("target", [vf.CriticalTarget(s=0.7), vf.SingleEigenfunction(s=0.5, index=2)])
def test_equal_components_are_one_population(target: vf.Target) -> None:
    same = vf.Instance(vf.Mixture((0.3, 0.7), (vf.PowerLaw(1.7), vf.PowerLaw(1.7))), target, vf.Noise(0.2))
    plain = vf.Instance(vf.PowerLaw(1.7), target, vf.Noise(0.2))
    for n, lam in ((50, 0.1), (400, 1e-3), (100_000, 1e-4)):
        np.testing.assert_allclose(effective_ridges(same, n, lam), effective_ridge(plain, n, lam), rtol=1e-9)
        assert mixture_risk(same, n=n, lam=lam) == pytest.approx(equivalent_risk(plain, n=n, lam=lam), rel=1e-8)


@pytest.mark.parametrize(
    ("mixture", "target"),
    [(STEEP, vf.CriticalTarget(s=0.5)), (RARE, vf.CarriedCoefficients(s=0.3, origin=vf.PowerLaw(4.0)))],
    ids=["steep", "rare"],
)
@pytest.mark.parametrize("n", [50, 100])
def test_the_equivalent_agrees_with_samples_where_that_of_the_mixed_covariance_does_not(
    mixture: vf.Mixture, target: vf.Target, n: int
) -> None:
    instance = noisy(mixture, target, 0.1)
    lam = float(optimal_ridge(instance, n))
    risks = simulate_mixture(instance, [(n, lam)], Replicates(16, 0, ("test",)))[:, 0]
    stderr = risks.std(ddof=1) / 4.0
    own, gaussian = float(mixture_risk(instance, n=n, lam=lam)), float(equivalent_risk(instance, n=n, lam=lam))
    assert abs(risks.mean() - own) < 3.5 * stderr + 2.0 / n * own
    assert risks.mean() > 1.1 * gaussian
    assert risks.mean() - gaussian > 8.0 * stderr


@pytest.mark.thorough
def test_simulation_is_that_of_rows_that_are_drawn_and_fitted() -> None:
    # By the definition, without any algebra of this package: rows, labels, ridge regression, error.
    instance = noisy(vf.Mixture((0.4, 0.6), (vf.PowerLaw(4.0), vf.PowerLaw(3.0))), vf.CriticalTarget(s=0.8))
    n, lam, p, count = 60, 0.02, 120, 4000
    index = np.arange(1.0, p + 1.0)
    parts = np.stack([index**-4.0, index**-3.0])
    ell = np.array([0.4, 0.6]) @ parts
    theta = np.sqrt(ell**1.6 / index / ell)
    generator, risks = np.random.default_rng(5), []
    for _ in range(count):
        rows = np.sqrt(parts[(generator.random(n) < 0.6).astype(int)]) * generator.standard_normal((n, p))
        signed = theta * generator.choice([-1.0, 1.0], p)
        labels = rows @ signed + 0.3 * generator.standard_normal(n)
        fitted = rows.T @ np.linalg.solve(rows @ rows.T + n * lam * np.eye(n), labels)
        risks.append(ell @ (fitted - signed) ** 2)
    found = simulate_mixture(instance, [(n, lam)], Replicates(200, 1, ("test",)))[:, 0]
    spread = np.hypot(np.std(risks) / count**0.5, found.std() / 200**0.5)
    assert abs(np.mean(risks) - found.mean()) < 3.5 * spread


@pytest.mark.parametrize("mixture", [STEEP, RARE], ids=["steep", "rare"])
def test_the_ratio_to_the_mixed_covariance_tends_to_one_as_the_bound_says(mixture: vf.Mixture) -> None:
    instance = noisy(mixture)
    n = np.array([1e5, 1e8, 1e11])
    lam = optimal_ridge(instance, n)
    share = effective_dimension(instance, lam) / (n * min(mixture.weights))
    gap = np.abs(mixture_risk(instance, n=n, lam=lam) / equivalent_risk(instance, n=n, lam=lam) - 1.0)
    assert np.all(np.diff(gap) < 0.0)
    for m, at, x in zip(n, lam, share, strict=True):
        if x < 1.0:
            assert np.all(effective_ridges(instance, float(m), float(at)) / at - 1.0 <= x / (1.0 - x))
    assert np.all(gap[1:] < 4.0 * share[1:])


@pytest.mark.parametrize(
    ("heavy", "light", "s"), [(1.5, 3.0, 0.6), (2.0, 2.5, 0.8), (1.5, 3.0, 2.0), (2.0, 2.5, 2.0), (2.0, 4.0, 2.0)]
)
def test_without_noise_a_mixture_saturates_later_than_a_gaussian(heavy: float, light: float, s: float) -> None:
    mixture = vf.Mixture((0.5, 0.5), (vf.PowerLaw(heavy), vf.PowerLaw(light)))
    silent = vf.Instance(mixture, vf.CriticalTarget(s=s), vf.Noise(0.0))
    n = np.array([1e5, 1e6])
    own = mixture_risk(silent, n=n, lam=1e-6 * n**-light)
    gaussian = np.asarray(equivalent_risk(silent, n=n, lam=0.0))
    assert np.log10(gaussian[0] / gaussian[1]) == pytest.approx(2.0 * heavy * min(s, 1.0), abs=0.02)
    assert np.log10(own[0] / own[1]) == pytest.approx(min(2.0 * heavy * s, heavy + light), abs=0.02)


def test_the_equations_hold_for_components_that_share_no_eigenvectors() -> None:
    # The equations of the module with matrices in the place of sums, against rows that are drawn and fitted.
    n, p, lam, sigma = 60, 40, 0.02, 0.3
    weights, generator = np.array([0.3, 0.7]), np.random.default_rng(3)
    turn = np.linalg.qr(generator.standard_normal((p, p)))[0]
    index = np.arange(1.0, p + 1.0)
    parts = [np.diag(3.0 * index**-1.2), turn @ np.diag(index**-2.5) @ turn.T]
    theta = index**-0.8
    kappa = np.array([lam + np.trace(part) / n for part in parts])
    for _ in range(2000):
        total = sum(w * part / k for w, part, k in zip(weights, parts, kappa, strict=True))
        shrunk = np.linalg.inv(np.eye(p) + total)
        kappa = np.array([lam + np.trace(part @ shrunk) / n for part in parts])
    passed = np.array([[np.trace(a @ shrunk @ b @ shrunk) for b in parts] for a in parts]) * weights / (n * kappa**2)
    bias = np.array([theta @ shrunk @ part @ shrunk @ theta for part in parts])
    expected = weights @ np.linalg.solve(np.eye(2) - passed, bias + sigma**2 * passed.sum(axis=1))
    roots, covariance, risks = (
        [np.linalg.cholesky(part) for part in parts],
        weights @ np.array(parts).reshape(2, -1),
        [],
    )
    for _ in range(1500):
        labels = (generator.random(n) < weights[1]).astype(int)
        normals = generator.standard_normal((n, p))
        rows = np.where(labels[:, None] == 0, normals @ roots[0].T, normals @ roots[1].T)
        y = rows @ theta + sigma * generator.standard_normal(n)
        error = np.linalg.solve(rows.T @ rows / n + lam * np.eye(p), rows.T @ y / n) - theta
        risks.append(error @ covariance.reshape(p, p) @ error)
    stderr = np.std(risks) / len(risks) ** 0.5
    assert abs(np.mean(risks) - expected) < 3.5 * stderr + 4.0 / n * expected


def test_samples_do_not_depend_on_what_else_is_asked() -> None:
    instance = noisy(STEEP)
    draws = Replicates(2, 3, ("test",))
    alone = simulate_mixture(instance, [(40, 0.01)], draws)
    both = simulate_mixture(instance, [(20, 0.02), (40, 0.01)], draws)
    assert both[:, 1] != pytest.approx(both[:, 0])
    wide = simulate_mixture(instance, [(40, 0.01), (40, 0.03)], draws)
    np.testing.assert_allclose(wide[:, 0], alone[:, 0], rtol=1e-12)


def test_a_curve_takes_the_samples_and_certification_their_equivalent() -> None:
    instance = noisy(STEEP)
    curve = learning_curve(instance, n=(50, 100), replicates=4, seed=0)
    gaussian = vf.Instance(instance.spectrum, instance.target, instance.noise)
    assert np.all(curve.risk > 1.08 * np.asarray(equivalent_risk(gaussian, n=curve.n, lam=curve.lam)))
    found = certify(ExcessRisk().experiment(instance, "optimal", (50, 100, 400)), 0, replicates=8, z=3.5)
    assert found.agrees, found.text
    assert found.equivalent[0] == pytest.approx(float(mixture_risk(instance, n=50, lam=curve.lam[0])))


def test_the_design_is_recorded_and_refused_where_it_does_not_apply() -> None:
    instance = noisy(STEEP)
    assert vf.Instance.from_json(instance.to_json()) == instance
    assert "one component" in instance.describe()
    with pytest.raises(ValueError, match="use a Mixture"):
        vf.Instance(vf.PowerLaw(2.0), design=vf.MixtureSamples())
    with pytest.raises(ValueError, match="label noise"):
        noisy(STEEP, sigma=0.0)
    with pytest.raises(ValueError, match="single targets"):
        noisy(STEEP, vf.BallTarget(s=0.5))
    with pytest.raises(ValueError, match="must be a Mixture"):
        mixture_risk(vf.Instance(vf.PowerLaw(2.0)), n=10, lam=0.1)
    with pytest.raises(ValueError, match="ridges >= 0"):
        mixture_risk(instance, n=10, lam=-1.0)


@pytest.mark.parametrize("tuning", ["optimal", "schedule"])
def test_samples_are_judged_by_their_own_equivalent(tuning: str) -> None:
    instance = noisy(RARE)
    log_n = np.log(np.array([100.0, 1e4]))
    n, lam = np.exp(log_n), ridge(instance, np.exp(log_n), tuning)
    own = mixture_risk(instance, n=n, lam=lam)
    np.testing.assert_allclose(np.exp(ExcessRisk().log_values(instance, log_n, tuning)), own, rtol=1e-12)
    terms = ExcessRisk().log_terms(instance, log_n, tuning)
    np.testing.assert_allclose(np.sum(np.exp(terms), axis=0), own, rtol=1e-12)
    assert len(terms) == (1 if tuning == "optimal" else 2)
    for m, value, at in zip(n, own, lam, strict=True):  # the nodes laid for a range serve each n of it
        assert float(mixture_risk(instance, n=m, lam=at)) == pytest.approx(float(value), rel=1e-8)


def test_ridges_too_small_to_be_squared_give_numbers() -> None:
    # Without a ridge the light component's effective one falls as n^-beta: 1e-164 here.
    mixture = vf.Mixture((0.5, 0.5), (vf.PowerLaw(4.723), vf.BrokenPowerLaw(beta=1.05, head_beta=5.0, knee=100)))
    instance = noisy(mixture, vf.CriticalTarget(s=0.3), 0.01)
    n = float(np.exp(81.0))
    assert effective_ridges(instance, n, 0.0).min() < 1e-155
    assert np.isfinite(mixture_risk(instance, n=n, lam=0.0))


@pytest.mark.parametrize(
    ("n", "lam"), [(0, 0.1), (np.inf, 0.1), (10, np.inf), (10, -1.0), ("a", 0.1), ([], 0.1), (10, None)]
)
def test_sizes_and_ridges_are_checked(n: object, lam: object) -> None:
    for function in (lambda: mixture_risk(noisy(STEEP), n=n, lam=lam), lambda: effective_ridges(noisy(STEEP), n, lam)):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="must be finite sample sizes"):
            function()


def test_a_rotated_mixture_has_no_common_eigenbasis() -> None:
    turned = vf.Instance(vf.RotatedMixture(), vf.CarriedFunction(s=0.7, origin=vf.PowerLaw(2.0)))
    with pytest.raises(ValueError, match="in one eigenbasis"):
        mixture_risk(turned, n=10, lam=0.1)


@pytest.mark.thorough
def test_a_rare_component_does_not_loosen_the_certificate() -> None:
    # An allowance of 4/(n min pi), a hundred times as large here, would leave the exponent known to +-.07 only, and let the
    # equivalent of the mixed covariance pass at every n.
    mixture = vf.Mixture((0.01, 0.99), (vf.PowerLaw(1.5), vf.PowerLaw(3.0)))
    found = certify(Experiment(noisy(mixture, sigma=1.0), (50, 100, 1600), "optimal"), 0, replicates=16, z=3.5)
    assert found.agrees
    assert found.precision < 0.01
    rare = noisy(RARE, sigma=0.1)
    found = certify(Experiment(rare, (50, 100, 1600), "optimal"), 0, replicates=16, z=3.5)
    assert found.agrees
    mixed = np.array([float(equivalent_risk(rare, n=n, lam=float(optimal_ridge(rare, n)))) for n in found.n])
    beyond = np.abs(np.array(found.simulated) - mixed) - agreement_constant(rare) / np.array(found.n) * mixed
    assert np.any(beyond > 4.5 * np.array(found.stderr))


@pytest.mark.thorough
def test_ridges_that_cannot_be_followed_leave_the_curve_open_and_stop_nothing() -> None:
    # A target of 1e11 times the noise's size: at large n the oracle's kappa lies below the smallest that is looked at.
    steep = vf.PowerLaw(5.5)
    mixture = vf.Mixture((0.8, 0.2), (steep, vf.BrokenPowerLaw(beta=5.27, head_beta=0.3, knee=300)))
    instance = noisy(mixture, vf.CarriedFunction(s=0.07, origin=steep), 0.02)
    log_values = ExcessRisk().log_values(instance, np.array([10.0, 50.0, 85.0]), "optimal")
    assert np.all(np.isfinite(log_values[:2]))
    assert np.isnan(log_values[2])
    claim = vf.Claim(
        id="X", title="x", statement="x", source="x", domain=st.just(instance), predict=lambda _: vf.Exponent(0.5)
    )
    assert vf.judge(claim, instance, seed=0).verdict == "inconclusive"
