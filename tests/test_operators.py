"""Transformed covariances: low-rank sums against dense algebra, against 40 digits in infinite dimension, against an eigenbasis
that shares no formula with them, and against samples that are drawn, transformed and fitted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from test_transforms import TRANSFORMS, dense

import verifier as vf
from verifier.instances.transforms import Array
from verifier.risk.asymptotics import effective_index, theorem_exponent
from verifier.risk.eigenbasis import eigenbasis
from verifier.risk.equivalents import effective_dimension, effective_ridge, equivalent, optimal_ridge
from verifier.risk.observables import CountingFunction, ExcessRisk
from verifier.risk.operators import TransformedSums
from verifier.risk.simulate import simulated_risk
from verifier.risk.smoothness import source_indices
from verifier.verdicts.certify import certify
from verifier.verdicts.judge import assess

Power, Axis, RankOne = vf.PowerDirection, vf.Axis, vf.RankOneTransform
BENT = [transform for transform in TRANSFORMS if not transform.unitary]


def coefficients(instance: vf.Instance, p: int) -> tuple[Array, Array]:
    """Eigenvalues and coefficients in L2 of the first p coordinates."""
    x = np.log(np.arange(1.0, p + 1.0))
    log_l = instance.spectrum.log_eigenvalues(x)
    support = instance.target.support(float(x[-1]))
    f = np.exp(0.5 * instance.target.log_energy(x, log_l) + instance.target.l2_index * log_l)
    if support is not None:
        kept = np.zeros(p)
        kept[np.rint(np.exp(support)).astype(int) - 1] = 1.0
        f = f * kept
    return np.exp(log_l), f


def cut(p: int, transform: vf.Transform, target: vf.Target, beta: float = 2.0, sigma: float = 1.0) -> vf.Instance:
    return vf.Instance(vf.Truncated(vf.PowerLaw(beta), p), target, vf.Noise(sigma), transform=transform)


@pytest.mark.parametrize("target", [vf.CriticalTarget(s=0.8), vf.LacunaryTarget(s=0.3)], ids=["critical", "lacunary"])
@pytest.mark.parametrize("transform", BENT, ids=lambda t: t.describe()[:40])
@pytest.mark.parametrize("p", [64, 512])
@pytest.mark.thorough
def test_sums_are_those_of_dense_eigenvalues(p: int, transform: vf.Transform, target: vf.Target) -> None:
    instance = cut(p, transform, target)
    ell, f = coefficients(instance, p)
    matrix = dense(transform, p)
    w, vectors = np.linalg.eigh(np.sqrt(ell)[:, None] * (matrix.T @ matrix) * np.sqrt(ell))
    kappa = np.exp(np.array([-12.0, -6.0, -1.0, 2.0]))
    r, q = w / (w + kappa[:, None]), kappa[:, None] / (w + kappa[:, None])
    energy = (vectors.T @ f) ** 2
    expected = (
        r.sum(axis=1),
        (r * r).sum(axis=1),
        (q * q) @ energy,
        -2.0 * (r * r * q).sum(axis=1),
        2.0 * (r * r * q * (3.0 * q - 1.0)).sum(axis=1),
        2.0 * (q * q * r) @ energy,
        2.0 * (q * q * r * (2.0 - 3.0 * q)) @ energy,
    )
    sums = TransformedSums(instance, math.log(p))
    for found, direct in zip(sums.curved_rows(kappa), expected, strict=True):
        np.testing.assert_allclose(found, direct, rtol=1e-11)
    for found, direct in zip(sums.rows(kappa), expected[:3], strict=True):
        np.testing.assert_allclose(found, direct, rtol=1e-11)
    assert sums.trace == pytest.approx(w.sum(), rel=1e-13)
    assert sums.trace_of_square == pytest.approx((w * w).sum(), rel=1e-13)


def test_the_transformed_equivalent_is_that_of_the_transformed_covariance() -> None:
    # By the definition: covariance T Sigma T*, coefficients T^-* theta; no L2 coordinates.
    p, n, lam = 96, 40, 0.02
    transform = TRANSFORMS[3]
    instance = cut(p, transform, vf.CriticalTarget(s=0.7))
    ell, f = coefficients(instance, p)
    matrix = dense(transform, p)
    covariance = matrix @ np.diag(ell) @ matrix.T
    theta = np.linalg.solve(matrix.T, f / np.sqrt(ell))
    kappa = float(effective_ridge(instance, n, lam))
    inverse = np.linalg.inv(covariance + kappa * np.eye(p))
    share = covariance @ inverse
    assert n == pytest.approx(np.trace(share) + n * lam / kappa, rel=1e-11)
    error = kappa * inverse @ theta
    df2 = np.trace(share @ share)
    risk = (error @ covariance @ error + df2 / n) / (1.0 - df2 / n)
    assert vf.equivalent_risk(instance, n=n, lam=lam) == pytest.approx(risk, rel=1e-11)


# ------------------------------------------------------------------------------------------------ infinite dimension


def total(h: Callable[[Any], Any], reach: float, first: int = 40) -> Any:
    """Sum of h(i) over all i >= 1 by Euler-Maclaurin in the working precision, the integral to ln i = ``reach``."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    start, panels = mp.log(first), int(2.0 * reach)
    half = (mp.mpf(reach) - start) / (2 * panels)
    integral = mp.mpf(0)
    for k in range(panels):
        for x, w in zip(nodes, weights, strict=True):
            at = mp.e ** (start + half * (2 * k + 1 + mp.mpf(float(x))))
            integral += half * mp.mpf(float(w)) * h(at) * at
    slope = mp.taylor(h, mp.mpf(first), 5)
    ends = h(mp.mpf(first)) / 2 - slope[1] / 12 + 6 * slope[3] / 720 - 120 * slope[5] / 30240
    return mp.fsum(h(mp.mpf(i)) for i in range(1, first)) + integral + ends


@pytest.mark.parametrize("log_kappa", [-8.0, -300.0])
@pytest.mark.thorough
def test_infinite_sums_against_forty_digits(log_kappa: float) -> None:
    # T = 1 + c e_1 v*, beta = 2, gamma = 1, s = 9/10: by quadratic forms, whose terms cancel, in 40 digits.
    with mp.workdps(40):
        beta, s, c, kappa = mp.mpf(2), mp.mpf(9) / 10, mp.mpf(1), mp.e ** mp.mpf(log_kappa)
        reach = -log_kappa / 2.0 + 30.0

        def v(i: Any) -> Any:
            return 1 / (i * mp.sqrt(mp.zeta(2)))

        def level(i: Any) -> Any:
            return i**-beta

        def theta(i: Any) -> Any:
            return i ** (-beta * s - mp.mpf(1) / 2 + beta / 2)

        one = mp.mpf(1)
        core = mp.matrix([[0, c], [c, c * c]])

        def gram(weight: Callable[[Any], Any]) -> Any:
            corner = weight(one) * v(one)
            return mp.matrix([[weight(one), corner], [corner, total(lambda i: weight(i) * v(i) ** 2, reach)]])

        g = gram(lambda i: level(i) / (level(i) + kappa))
        first = gram(lambda i: level(i) * kappa / (level(i) + kappa) ** 2)
        second = gram(lambda i: level(i) ** 2 * kappa / (level(i) + kappa) ** 3)
        solved = (mp.eye(2) + core * g) ** -1 * core
        seen = mp.matrix(
            [theta(one) / (1 + kappa), total(lambda i: v(i) * theta(i) * level(i) / (level(i) + kappa), reach)]
        )
        load = solved * seen
        bias = total(
            lambda i: level(i) * (kappa / (level(i) + kappa)) ** 2 * (theta(i) - load[1] * v(i)) ** 2, 3.0 * reach
        )
        q = (kappa / (1 + kappa)) ** 2
        bias += q * ((theta(one) - load[1] * v(one) - load[0]) ** 2 - (theta(one) - load[1] * v(one)) ** 2)
        added1 = (solved * first)[0, 0] + (solved * first)[1, 1]
        passed = solved * first
        squared = passed * passed
        mixed = solved * second
        added2 = 2 * (mixed[0, 0] + mixed[1, 1]) + squared[0, 0] + squared[1, 1]
    instance = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.9), transform=RankOne(c=1.0, right=Power(1.0)))
    plain = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.9))
    at = np.array([math.exp(log_kappa)])
    found, before = (equivalent(inst, log_kappa).sums(at) for inst in (instance, plain))
    assert found.bias[0] == pytest.approx(float(bias), rel=1e-9)
    if log_kappa > -100.0:  # farther out the degrees of freedom are 1e64 times what the transform adds to them
        assert found.df1[0] - before.df1[0] == pytest.approx(float(added1), abs=1e-10)
        assert found.df2[0] - before.df2[0] == pytest.approx(float(added2), abs=1e-10)
    sums = TransformedSums(instance, -log_kappa / 2.0)
    np.testing.assert_allclose(sums.loads(at)[0], [float(load[0]), float(load[1])], rtol=1e-12)


INFINITE = [
    RankOne(c=2.0, left=Power(0.7), right=Power(0.55)),
    vf.DiagonalTransform(low=0.5, high=4.0),
    vf.DiagonalTransform(low=0.5, high=4.0, pattern="log-periodic", frequency=3.0),
    vf.BlockRotation(size=8, low=0.2, high=5.0),
    vf.Composition((RankOne(c=1.0), vf.DiagonalTransform(high=4.0, pattern="log-periodic"))),
    vf.Composition((vf.BlockRotation(size=4), RankOne(c=-0.5, right=Power(0.55)), vf.DiagonalTransform())),
]


@pytest.mark.parametrize("transform", INFINITE, ids=lambda t: t.describe()[:40])
@pytest.mark.parametrize(
    ("spectrum", "target"),
    [
        (vf.PowerLaw(1.2), vf.CriticalTarget(s=0.9)),
        (vf.LogPeriodic(2.0, amplitude=0.3, frequency=2.0), vf.LacunaryTarget(s=0.4)),
        (vf.Spiked(4.0, spikes=3, height=5.0), vf.ExponentialTarget(s=0.5)),
    ],
    ids=["critical", "lacunary", "exponential"],
)
@pytest.mark.thorough
def test_infinite_sums_against_a_dense_eigenbasis(
    transform: vf.Transform, spectrum: vf.Spectrum, target: vf.Target
) -> None:
    instance = vf.Instance(spectrum, target, transform=transform)
    basis = eigenbasis(instance, 512)
    for kappa in (1e-1, 1e-4):
        sums = equivalent(instance, math.log(kappa)).sums(np.array([kappa]))
        found = (sums.df1[0], sums.df2[0], sums.bias[0])
        np.testing.assert_allclose(found, basis.rest(0, kappa), rtol=1e-3)


@pytest.mark.parametrize("transform", [vf.Reflection(), vf.Composition((vf.Reflection(), vf.Reflection(Axis(2))))])
def test_unitary_transforms_change_nothing(transform: vf.Transform) -> None:
    plain = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.8))
    turned = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.8), transform=transform)
    n = np.array([1e2, 1e5, 1e12])
    np.testing.assert_array_equal(vf.equivalent_risk(turned, n=n), vf.equivalent_risk(plain, n=n))


def test_inverse_transforms_cancel() -> None:
    one = RankOne(c=1.0, left=Axis(1), right=Axis(2))
    back = vf.Composition((RankOne(c=-1.0, left=Axis(1), right=Axis(2)), one))
    plain = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.8))
    moved = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.8), transform=back)
    n = np.array([1e2, 1e8])
    np.testing.assert_allclose(vf.equivalent_risk(moved, n=n), vf.equivalent_risk(plain, n=n), rtol=1e-9)


def test_the_oracle_minimises_the_transformed_risk() -> None:
    instance = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.9), transform=INFINITE[4])
    n = np.array([100.0, 1e6])
    best = vf.equivalent_risk(instance, n=n)
    lam = optimal_ridge(instance, n)
    for factor in (0.98, 1.02):
        assert np.all(vf.equivalent_risk(instance, n=n, lam=factor * lam) > best)
    np.testing.assert_allclose(vf.equivalent_risk(instance, n=n, lam=lam), best, rtol=1e-9)


def test_a_judgement_takes_tens_of_milliseconds() -> None:
    slowest = []
    for transform in INFINITE:
        instance = vf.Instance(vf.PowerLaw(2.5), vf.CriticalTarget(s=0.77), transform=transform)
        claim = _claim(0.5)
        start = time.perf_counter()
        assess(claim, instance)
        slowest.append(time.perf_counter() - start)
    assert np.median(slowest) < 0.2, slowest  # about .03 on a machine of its own


# ------------------------------------------------------------------------------------------------ samples


def _fitted_risk(instance: vf.Instance, p: int, n: int, lam: float, generator: np.random.Generator) -> float:
    """The excess risk of one fit: draw, transform, label, solve, compare with the function."""
    ell, f = coefficients(instance, p)
    matrix = dense(instance.transform, p)
    inputs = generator.standard_normal((n, p)) * np.sqrt(ell)
    labels = inputs @ (f / np.sqrt(ell)) + instance.sigma * generator.standard_normal(n)
    seen = inputs @ matrix.T
    weights = seen.T @ np.linalg.solve(seen @ seen.T + n * lam * np.eye(n), labels)
    error = (matrix.T @ weights - f / np.sqrt(ell)) * np.sqrt(ell)
    return float(error @ error)


@pytest.mark.parametrize(
    ("transform", "n", "replicates"),
    [
        (RankOne(c=3.0, left=Axis(1), right=Power(0.7)), 50, 200),
        (vf.Composition((vf.BlockRotation(size=6, low=0.3, high=3.0), vf.DiagonalTransform(high=3.0))), 200, 60),
        (RankOne(c=-0.6, left=Power(0.8), right=Power(0.9)), 1600, 6),
    ],
    ids=["50", "200", "1600"],
)
@pytest.mark.thorough
def test_samples_that_are_transformed_and_fitted(transform: vf.Transform, n: int, replicates: int) -> None:
    p = 192
    instance = cut(p, transform, vf.CriticalTarget(s=0.8), beta=1.6)
    lam = float(optimal_ridge(instance, n))
    generator = np.random.default_rng(n)
    risks = np.array([_fitted_risk(instance, p, n, lam, generator) for _ in range(replicates)])
    stderr = risks.std(ddof=1) / math.sqrt(replicates)
    simulated = simulated_risk(instance, n=n, lam=lam, replicates=64, controls=True)
    expected = float(vf.equivalent_risk(instance, n=n, lam=lam))
    assert abs(risks.mean() - simulated.mean()) < 4.0 * math.hypot(stderr, simulated.std(ddof=1) / 8.0)
    assert abs(simulated.mean() - expected) < 4.0 * simulated.std(ddof=1) / 8.0 + 4.0 / n * expected


def test_one_fit_is_reproduced_by_the_simulated_formula() -> None:
    # The risk of one sample, noise averaged, from W's eigenbasis and from the transformed inputs themselves.
    p, n, lam = 24, 40, 0.03
    instance = cut(p, RankOne(c=2.0, left=Axis(2), right=Power(0.8)), vf.CriticalTarget(s=0.8))
    ell, f = coefficients(instance, p)
    matrix = dense(instance.transform, p)
    z = np.random.default_rng(5).standard_normal((n, p))
    seen = (z * np.sqrt(ell)) @ matrix.T
    hat = np.linalg.solve(seen.T @ seen / n + lam * np.eye(p), seen.T / n)
    back = np.sqrt(ell)[:, None] * matrix.T
    direct = np.sum((back @ hat @ (z @ f) - f) ** 2) + np.sum((back @ hat) ** 2)
    w, vectors = np.linalg.eigh(back @ back.T)
    turned, g = z @ vectors, vectors.T @ f
    inner = np.linalg.inv(turned.T @ turned / n + lam * np.diag(1.0 / w))
    risk = np.sum((lam * inner @ (g / w)) ** 2) + np.sum((inner @ turned.T / n) ** 2)
    assert risk == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize("beta", [1.3, 3.0])
@pytest.mark.parametrize("transform", INFINITE[:1] + INFINITE[3:], ids=lambda t: t.describe()[:40])
def test_simulation_certifies_the_equivalent(beta: float, transform: vf.Transform) -> None:
    instance = vf.Instance(vf.PowerLaw(beta), vf.CriticalTarget(s=0.9), transform=transform)
    experiment = ExcessRisk().experiment(instance, "optimal", (50, 100, 1600))
    assert certify(experiment, 1, replicates=16, z=3.5).agrees


def test_certification_notices_a_transform_that_was_forgotten() -> None:
    plain = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.9))
    moved = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.9), transform=RankOne(c=4.0, right=Power(0.6)))
    curve = vf.learning_curve(moved, n=(100, 1600), replicates=16, tuning="optimal")
    wrong = np.asarray(vf.equivalent_risk(plain, n=np.array([100.0, 1600.0]), lam=curve.lam))
    assert np.all(np.abs(curve.risk - wrong) > 6.0 * curve.stderr + 4.0 / curve.n * wrong)


def test_finite_size_effects_of_the_far_tail() -> None:
    instance = vf.Instance(vf.PowerLaw(1.2), vf.CriticalTarget(s=0.9), transform=INFINITE[0])
    risks = [simulated_risk(instance, n=60, lam=0.02, replicates=8, directions=p).mean() for p in (512, 1024)]
    assert risks[0] == pytest.approx(risks[1], rel=2e-3)


# ------------------------------------------------------------------------------------------------ smoothness


INDEX_CASES = [
    (RankOne(c=1.0, left=Axis(1), right=Power(1.0)), 0.3, 0.3),
    (RankOne(c=1.0, left=Axis(1), right=Power(1.0)), 0.5, 0.5),
    (RankOne(c=1.0, left=Axis(1), right=Power(1.0)), 0.95, 0.75),  # 1/2 + (2 gamma - 1)/(2 beta), beta = 2
    (RankOne(c=-0.5, left=Axis(1), right=Power(0.6)), 0.8, 0.55),
    (RankOne(c=1.0, left=Power(0.7), right=Axis(1)), 0.8, 0.6),  # the left direction counts as well
    (RankOne(c=1.0, left=Axis(1), right=Power(2.0)), 0.8, 0.8),
    (RankOne(c=1.0, left=Axis(1), right=vf.SparseDirection()), 0.8, 0.8),
    (vf.DiagonalTransform(low=0.5, high=4.0), 0.8, 0.8),
    (vf.BlockRotation(size=8, low=0.2, high=5.0), 0.8, 0.8),
    (vf.Reflection(), 0.8, 0.8),
    (vf.Composition((RankOne(c=1.0), vf.DiagonalTransform(low=1.0, high=3.0))), 0.95, 0.75),
]


@pytest.mark.parametrize(("transform", "before", "after"), INDEX_CASES)
def test_source_indices_before_and_after(transform: vf.Transform, before: float, after: float) -> None:
    instance = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=before), transform=transform)
    measured = source_indices(instance)
    assert measured.before == pytest.approx(before, abs=2e-3)
    assert measured.after == pytest.approx(after, abs=2e-3)
    assert effective_index(instance) == pytest.approx(after, abs=1e-12)


def test_a_direction_that_the_target_does_not_see_changes_no_index() -> None:
    # <u, theta> = 0: M^-1 theta = theta - c' <v, theta> u, and u has one entry.
    target = vf.SingleEigenfunction(s=1.0, index=3)
    unseen = vf.Instance(vf.PowerLaw(2.0), target, transform=RankOne(c=1.0, left=Axis(1), right=Power(0.8)))
    seen = vf.Instance(vf.PowerLaw(2.0), target, transform=RankOne(c=1.0, left=Axis(3), right=Power(0.8)))
    assert effective_index(unseen) == math.inf
    assert effective_index(seen) == pytest.approx(0.65)
    assert source_indices(unseen).after == pytest.approx(1.0, abs=1e-3)
    assert source_indices(seen).after == pytest.approx(0.65, abs=1e-3)


def test_source_indices_need_an_infinite_tail() -> None:
    with pytest.raises(ValueError, match="no infinite polynomial tail"):
        source_indices(cut(64, BENT[0], vf.CriticalTarget(s=0.5)))


def _claim(exponent: float, tuning: str = "optimal") -> vf.Claim:
    from hypothesis import strategies as st

    return vf.Claim(
        id="X/exponent",
        title="x",
        statement="x",
        source="x",
        domain=st.just(vf.Instance(vf.PowerLaw(2.0))),
        predict=lambda instance: vf.Exponent(exponent),
        tuning=tuning,
    )


@pytest.mark.parametrize("tuning", ["optimal", "schedule"])
@pytest.mark.parametrize("sigma", [1.0, 0.0])
@pytest.mark.parametrize(
    "transform", [*(transform for transform, _, _ in INDEX_CASES[2:5]), INFINITE[1], INFINITE[3], INFINITE[4]]
)
@pytest.mark.thorough
def test_exponents_of_transformed_instances(transform: vf.Transform, sigma: float, tuning: str) -> None:
    for beta, s in ((2.0, 0.8), (1.5, 0.3)):
        instance = vf.Instance(vf.PowerLaw(beta), vf.CriticalTarget(s=s), vf.Noise(sigma), transform=transform)
        theorem = theorem_exponent(instance, tuning)
        assert theorem is not None
        found = assess(_claim(theorem, tuning), instance, farther=True)
        assert found.verdict in ("consistent", "inconclusive"), (found.reason, found.exponent)
        if transform.period is None:
            assert found.verdict == "consistent", found.reason
            assert found.exponent == pytest.approx(theorem, abs=0.01)


def test_the_effective_dimension_keeps_its_order() -> None:
    lam = np.exp(-np.arange(20.0, 280.0, 20.0))
    for transform in INFINITE:
        plain = vf.Instance(vf.PowerLaw(2.0))
        moved = vf.Instance(vf.PowerLaw(2.0), transform=transform)
        low, high = transform.frame_bounds()
        ratio = effective_dimension(moved, lam) / effective_dimension(plain, lam)
        assert np.all(ratio >= min(low, 1.0) * (1.0 - 1e-9))  # eigenvalues between a^2 l_i and b^2 l_i, beta = 2
        assert np.all(ratio <= max(high, 1.0) * (1.0 + 1e-9))


def test_counting_eigenvalues_of_a_transformed_covariance_is_refused() -> None:
    instance = vf.Instance(vf.PowerLaw(2.0), transform=RankOne(c=1.0))
    with pytest.raises(ValueError, match="ask for the effective dimension"):
        CountingFunction().log_values(instance, np.array([5.0]), "optimal")
