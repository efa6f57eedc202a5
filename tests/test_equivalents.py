"""The deterministic equivalent against direct sums, zeta values, Mellin asymptotics, brute force, and the clock.

The reference for infinite spectra shares nothing with the code: 200,000 terms one by one, the rest by the midpoint rule's
Euler-Maclaurin form with a Gauss-Legendre integral, in logarithms.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import zeta

import verifier as vf
from properties.strategies import (
    assumption_r_spectra,
    hardest_targets,
    log_corrected,
    noises,
    single_targets,
    smoothness,
)
from verifier.instances import (
    BallTarget,
    BrokenPowerLaw,
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
    eigenvalues,
)
from verifier.risk.equivalents import (
    effective_dimension,
    effective_ridge,
    equivalent,
    equivalent_for,
    equivalent_risk,
    optimal_ridge,
    ridge,
    risk_terms,
    scheduled_ridge,
)

BETAS = (1.05, 1.2, 1.5, 2.0, 3.0, 4.0, 6.0)
ACCURACY = 1e-9  # what the module promises; 1e-6 is asked for


def machine_sums(instance: Instance, log_kappa: float) -> tuple[float, float, float]:
    """df1, df2 and bias of the module."""
    sums = equivalent(instance, log_kappa).sums(np.array([math.exp(log_kappa)]))
    return float(sums.df1[0]), float(sums.df2[0]), float(sums.bias[0])


def log_summands(instance: Instance, log_kappa: float, log_i: np.ndarray) -> np.ndarray:
    """ln of the terms of df1, df2 and bias at real log-indices, shape (3, k)."""
    log_l = instance.spectrum.log_eigenvalues(log_i)
    log_f2 = instance.target.log_energy(log_i, log_l) + 2.0 * instance.target.l2_index * log_l
    log_r = -np.logaddexp(0.0, log_kappa - log_l)
    log_q = -np.logaddexp(0.0, log_l - log_kappa)
    return np.stack([log_r, 2.0 * log_r, log_f2 + 2.0 * log_q])


def direct_sums(instance: Instance, log_kappa: float, count: int) -> tuple[float, float, float]:
    """df1, df2 and bias of the first ``count`` eigenvalues, term by term; a listed support in its own way."""
    df1, df2, bias = np.exp(log_summands(instance, log_kappa, np.log(np.arange(1.0, count + 1.0))))
    support = instance.target.support(math.log(count))
    if support is not None:
        support = support[support < math.log(count + 0.5)]
        bias = np.exp(log_summands(instance, log_kappa, support))[2]
    # numpy sums in pairs: relative error 1e-15 for positive terms.
    return float(df1.sum()), float(df2.sum()), float(bias.sum())


NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
COUNT = 200_000


def reference_sums(instance: Instance, log_kappa: float) -> tuple[float, ...]:
    """df1, df2 and bias of an infinite spectrum: sum_{i > P} h = int_{P+1/2} h + h'(P + 1/2)/24 + O(h''')."""
    edge = math.log(COUNT + 0.5)
    starts = np.arange(edge, edge + 7500.0, 2.0)  # beta = 1.05 decays by exp(-.05) an e-fold only
    x = (starts[:, None] + 1.0 + NODES).ravel()
    pieces = np.exp(log_summands(instance, log_kappa, x) + x).reshape(3, len(starts), -1)
    beside = np.exp(log_summands(instance, log_kappa, np.log(COUNT + 0.5 + np.array([-50.0, 50.0]))))
    tail = (pieces * WEIGHTS).sum(axis=(1, 2)) + (beside[:, 1] - beside[:, 0]) / 100.0 / 24.0
    return tuple(np.array(direct_sums(instance, log_kappa, COUNT)) + tail)


# ------------------------------------------------------------------------------------------------ sums


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.thorough
def test_sums_agree_with_a_million_terms(beta: float) -> None:
    for s in (0.05, 3.0):
        instance = Instance(Truncated(PowerLaw(beta), 10**6), CriticalTarget(s))
        for log_kappa in (-200.0, -25.0, -8.0, 1.0):
            np.testing.assert_allclose(
                machine_sums(instance, log_kappa), direct_sums(instance, log_kappa, 10**6), rtol=ACCURACY
            )


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("kappa", [2.0, 10.0, 1e4])
def test_sums_over_all_eigenvalues_are_zeta_series_above_the_first(beta: float, kappa: float) -> None:
    # l/(l + k) = sum_m (-1)^m (l/k)^(m+1) for l < k, and its derivatives; f_i^2 = i^-(2 beta s + 1).
    s, m = 0.3, np.arange(200.0)
    alternating = (-1.0) ** m
    with np.errstate(over="ignore"):
        powers = kappa**-m
    df1 = math.fsum(alternating * powers / kappa * zeta(beta * (m + 1)))
    df2 = math.fsum(alternating * (m + 1) * powers / kappa**2 * zeta(beta * (m + 2)))
    bias = math.fsum(alternating * (m + 1) * powers * zeta(2 * beta * s + 1 + beta * m))
    found = machine_sums(Instance(PowerLaw(beta), CriticalTarget(s)), math.log(kappa))
    np.testing.assert_allclose(found, (df1, df2, bias), rtol=ACCURACY)


def mellin(beta: float, s: float, lam: float) -> tuple[float, float, float]:
    """Asymptotic series of df1, df2 and bias of i^-beta with a critical target as lam -> 0 (Mellin transform of each
    summand, residues at the poles; s < 1): leading powers of lam, then zeta values at negative arguments.
    """
    cosecant = math.pi / beta / math.sin(math.pi / beta)
    leading = cosecant * lam ** (-1.0 / beta)
    df1, df2 = leading, (1.0 - 1.0 / beta) * leading
    bias = math.gamma(2.0 - 2.0 * s) * math.gamma(2.0 * s) / beta * lam ** (2.0 * s)
    for m in range(4):
        sign = (-1.0) ** m * lam**m
        df1 += sign * float(mpmath.zeta(-beta * m))
        df2 += sign * (m + 1) * float(mpmath.zeta(-beta * m))
        bias += sign * lam**2 * (m + 1) * float(mpmath.zeta(2.0 * beta * s + 1.0 - beta * (m + 2)))
    return df1, df2, bias


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("s", [0.05, 0.3, 0.8])
def test_sums_follow_their_mellin_asymptotics(beta: float, s: float) -> None:
    instance = Instance(PowerLaw(beta), CriticalTarget(s))
    # lam^4 zeta(-4 beta) ~ (lam (4 beta / 2 pi)^beta)^4 is the first term left out: below 1e-9 from here on.
    for log_lam in (-18.0, -40.0, -150.0):
        if math.log(4.0 * beta / (2.0 * math.pi)) * beta + log_lam > -6.0:
            continue
        np.testing.assert_allclose(machine_sums(instance, log_lam), mellin(beta, s, math.exp(log_lam)), rtol=ACCURACY)


@pytest.mark.parametrize("lam", [1e-2, 1e-6, 1e-24])
def test_effective_dimension_of_the_square_law_is_a_hyperbolic_cotangent(lam: float) -> None:
    # sum_i 1/(1 + lam i^2) = (pi/sqrt(lam) coth(pi/sqrt(lam)) - 1)/2 (Euler).
    root = math.pi / math.sqrt(lam)
    exact = 0.5 * (root / math.tanh(root) - 1.0)
    assert float(effective_dimension(Instance(PowerLaw(2.0)), lam)) == pytest.approx(exact, rel=ACCURACY)


@pytest.mark.parametrize("beta", BETAS)
def test_effective_dimension_times_its_rate_tends_to_the_constant(beta: float) -> None:
    constant = (math.pi / beta) / math.sin(math.pi / beta)
    lam = np.exp([-20.0, -80.0, -290.0])
    scaled = effective_dimension(Instance(PowerLaw(beta)), lam) * lam ** (1.0 / beta)
    # The next term of the expansion is zeta(0) = -1/2.
    np.testing.assert_allclose(scaled + 0.5 * lam ** (1.0 / beta), constant, rtol=1e-6)
    assert scaled[-1] == pytest.approx(constant, rel=1e-6)


INFINITE: list[Spectrum] = [
    PowerLaw(1.05),
    PowerLaw(6.0, scale=10.0),
    BrokenPowerLaw(1.5, 5.0, 300),
    BrokenPowerLaw(6.0, 0.3, 300),
    LogCorrected(1.05, -2.0),
    LogCorrected(1.05, 2.0),
    LogCorrected(1.3, 2.0),
    LogCorrected(6.0, -2.0),
    LogPeriodic(1.05, 1.0, 1.0),
    LogPeriodic(1.05, 0.21, 5.0),
    LogPeriodic(2.0, 0.4, 5.0),
    LogPeriodic(6.0, 1.0, 5.0),
    LogPeriodic(6.0, 0.6, 10.0),
    Spiked(1.05, 100, 1000.0),
    Spiked(6.0, 100, 1000.0),
]
EVERYWHERE: list[Target] = [
    CriticalTarget(0.05),
    CriticalTarget(3.0),
    SmootherTarget(0.5, excess=1.0, source_norm="RKHS"),
    RandomTarget(0.3, seed=3, norm=2.0),
]


@pytest.mark.parametrize("spectrum", INFINITE, ids=lambda spectrum: spectrum.describe())
@pytest.mark.thorough
def test_sums_over_infinite_spectra_agree_with_brute_force(spectrum: Spectrum) -> None:
    for target in EVERYWHERE:
        instance = Instance(spectrum, target)
        for log_kappa in (-60.0, -8.0, 1.0):
            np.testing.assert_allclose(
                machine_sums(instance, log_kappa), reference_sums(instance, log_kappa), rtol=ACCURACY
            )


@pytest.mark.parametrize("frequency", [5.0, 10.0, 20.0])
def test_fast_oscillations_are_summed_as_well_as_is_asked(frequency: float) -> None:
    instance = Instance(LogPeriodic(2.0, 2.0 / frequency, frequency), CriticalTarget(0.5))
    for log_kappa in (-12.0, -8.0, -2.0):
        # The million terms leave out 1e-15 of df2 and bias; of df1, whose terms decay as i^-2, they leave out more.
        np.testing.assert_allclose(
            machine_sums(instance, log_kappa)[1:], direct_sums(instance, log_kappa, 10**6)[1:], rtol=1e-6
        )


@pytest.mark.parametrize(
    "target",
    [
        SingleEigenfunction(0.5, index=7),
        ExponentialTarget(0.5, rate=0.2),
        LacunaryTarget(0.05, ratio=2.0),
        LacunaryTarget(0.5, ratio=10.0),
    ],
    ids=lambda target: target.describe(),
)
@pytest.mark.parametrize("beta", [1.05, 2.0, 6.0])
def test_targets_with_a_support_are_summed_over_it(target: Target, beta: float) -> None:
    instance = Instance(PowerLaw(beta), target)
    for log_kappa in (-100.0, -8.0, 1.0):
        # (l^(s) q)^2 on r^m: below exp(-50) of the first term beyond the reach used here
        reach = max(60.0, -log_kappa) + 40.0 / (2.0 * beta * target.s)
        support = target.support(reach)
        assert support is not None
        bias = math.fsum(np.exp(log_summands(instance, log_kappa, support)[2]))
        assert machine_sums(instance, log_kappa)[2] == pytest.approx(bias, rel=ACCURACY)


@pytest.mark.parametrize("rate", [0.2, 1.0, 50.0])
def test_exponential_spectra_are_summed_term_by_term(rate: float) -> None:
    instance = Instance(Exponential(rate), CriticalTarget(0.5))
    for log_kappa in (-300.0, -8.0, 1.0):
        found = machine_sums(instance, log_kappa)
        np.testing.assert_allclose(found, direct_sums(instance, log_kappa, int(instance.spectrum.size)), rtol=1e-12)


@settings(max_examples=25)
@given(
    st.one_of(assumption_r_spectra(), log_corrected()),
    single_targets(smoothness()) | hardest_targets(smoothness(), ("S-L2", "S-tail", "S-H")),
    noises(),
)
def test_every_drawn_instance_has_a_finite_positive_risk(spectrum: Spectrum, target: Target, noise: Noise) -> None:
    instance = Instance(spectrum, target, noise)
    for tuning in ("optimal", "schedule"):
        risks = np.asarray(equivalent_risk(instance, n=[1.0, 10.0, 1e4, 1e12], lam=tuning))
        assert np.all(np.isfinite(risks))
        assert np.all(risks > 0.0)
        if tuning == "optimal":
            assert np.all(np.diff(risks) < 0.0)


# ------------------------------------------------------------------------------------------------ kappa


@pytest.mark.parametrize("n", [1.0, 7.0, 100.0, 1e6, 1e12])
@pytest.mark.parametrize("lam", [0.0, 1e-12, 1e-3, 10.0])
def test_effective_ridge_solves_its_equation(n: float, lam: float) -> None:
    for spectrum in (PowerLaw(1.05), PowerLaw(2.0), LogPeriodic(1.5, 0.2, 5.0), Spiked(6.0, 100, 1000.0)):
        instance = Instance(spectrum)
        kappa = float(effective_ridge(instance, n, lam))
        df1 = machine_sums(instance, math.log(kappa))[0]
        assert df1 / n + lam / kappa == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("n", "lam"), [(5, 0.0), (99, 0.0), (99.9, 0.0), (100, 1e-9), (150, 1e-9), (1e9, 0.1)])
def test_effective_ridge_solves_its_equation_against_direct_sums(n: float, lam: float) -> None:
    instance = Instance(Truncated(PowerLaw(1.5), 100))
    kappa = float(effective_ridge(instance, n, lam))
    l = eigenvalues(instance.spectrum, 100)
    # Near the threshold 1 - df1/n cancels, so the equation is checked to the accuracy of kappa itself: 1e-12.
    residual = [n - math.fsum(l / (l + k)) - n * lam / k for k in (kappa * (1 - 1e-12), kappa * (1 + 1e-12))]
    rounding = 4.0 * np.finfo(float).eps * n
    assert residual[0] < rounding
    assert residual[1] > -rounding


def test_enough_samples_need_no_ridge() -> None:
    instance = Instance(Truncated(PowerLaw(1.5), 100))
    np.testing.assert_array_equal(effective_ridge(instance, [100, 101, 1e9], 0.0), 0.0)


@pytest.mark.parametrize("beta", BETAS)
def test_interpolating_kappa_at_large_n(beta: float) -> None:
    # d1(kappa) = n with d1 = C kappa^(-1/beta) - 1/2 + O(kappa).
    constant = (math.pi / beta) / math.sin(math.pi / beta)
    n = np.array([1e6, 1e12, 1e18])
    kappa = effective_ridge(Instance(PowerLaw(beta)), n, 0.0)
    np.testing.assert_allclose(kappa, (constant / (n + 0.5)) ** beta, rtol=1e-8)


@pytest.mark.parametrize("beta", BETAS)
def test_risk_without_ridge_tends_to_its_limit(beta: float) -> None:
    # df2/n -> 1 - 1/beta at lam = 0: variance (beta - 1) sigma^2, and a bias term beta times the Mellin constant.
    s, sigma = 0.3, 2.0
    instance = Instance(PowerLaw(beta), CriticalTarget(s), Noise(sigma))
    n = 1e16
    target, noise = risk_terms(instance, n=n, lam=0.0)
    kappa = float(effective_ridge(instance, n, 0.0))
    assert float(noise) == pytest.approx((beta - 1.0) * sigma**2, rel=1e-8)
    bias = math.gamma(2.0 - 2.0 * s) * math.gamma(2.0 * s) * kappa ** (2.0 * s)
    assert float(target) == pytest.approx(bias, rel=1e-6)


# ------------------------------------------------------------------------------------------------ the optimum


def brute_force(instance: Instance, n: float, count: int) -> float:
    """Smallest risk over a dense grid of kappa with lambda >= 0, and at lambda = 0 itself, from direct sums."""
    log_i = np.log(np.arange(1.0, count + 1.0))
    l = np.exp(instance.spectrum.log_eigenvalues(log_i))
    f2 = np.zeros(count)
    support = instance.target.support(math.log(count))
    where = log_i if support is None else support[support < math.log(count + 0.5)]
    place = np.rint(np.exp(where)).astype(int) - 1
    log_l = instance.spectrum.log_eigenvalues(where)
    f2[place] = np.exp(instance.target.log_energy(where, log_l) + 2.0 * instance.target.l2_index * log_l)

    def risk(kappa: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r, q = l / (l + kappa[:, None]), kappa[:, None] / (l + kappa[:, None])
        df1, df2, bias = r.sum(axis=1), (r * r).sum(axis=1), (q * q) @ f2
        with np.errstate(divide="ignore", invalid="ignore"):
            value = (bias + instance.sigma**2 * df2 / n) / (1.0 - df2 / n)
        return np.where((df1 <= n) & (df2 < n), value, np.inf), df1

    grid = np.exp(np.arange(math.log(l[-1] / n) - 14.0, math.log(l.sum()) + 25.0, 0.01))
    best = min(float(risk(part)[0].min()) for part in np.array_split(grid, 50))
    if n >= count:
        # lambda = 0 is kappa = 0: least squares.
        rest = n - count
        at_zero = 0.0 if instance.sigma == 0.0 else (instance.sigma**2 * count / rest if rest > 0 else math.inf)
        return min(best, at_zero)
    low, high = 1e-300, float(l.sum())  # bisection for d1(kappa) = n, the high end feasible
    while high / low > 1.0 + 1e-14:
        middle = math.sqrt(low) * math.sqrt(high)
        if not low < middle < high:
            break
        low, high = (middle, high) if float((l / (l + middle)).sum()) > n else (low, middle)
    return min(best, float(risk(np.array([high]))[0][0]))


@pytest.mark.parametrize("sigma", [0.0, 0.01, 1.0, 10.0])
@pytest.mark.parametrize("n", [1, 20, 149, 150, 151, 400])
@pytest.mark.parametrize(
    "target",
    [CriticalTarget(0.3), CriticalTarget(3.0), LacunaryTarget(0.4, ratio=30.0), SingleEigenfunction(1.0, index=3)],
    ids=lambda target: target.describe(),
)
@pytest.mark.thorough
def test_tuned_risk_is_the_smallest_over_a_dense_grid(target: Target, n: int, sigma: float) -> None:
    for spectrum in (Truncated(PowerLaw(1.5), 150), Truncated(PowerLaw(4.0), 150)):
        instance = Instance(spectrum, target, Noise(sigma))
        exact, found = brute_force(instance, n, 150), float(equivalent_risk(instance, n=n))
        # The grid misses its minimum by half the curvature times (0.005)^2, 1e-4 at most.
        assert found <= exact * (1.0 + 1e-9) + 1e-300
        assert found >= exact * (1.0 - 1e-4)


@settings(max_examples=25)
@given(assumption_r_spectra(), single_targets(smoothness()), noises(), st.sampled_from([3.0, 200.0, 1e6, 1e12]))
def test_no_ridge_beats_the_tuned_one(spectrum: Spectrum, target: Target, noise: Noise, n: float) -> None:
    instance = Instance(spectrum, target, noise)
    best = float(equivalent_risk(instance, n=n))
    grid = np.concatenate([[0.0], np.geomspace(1e-16, 1e3, 300) * min(1.0, 1e4 / n)])
    with np.errstate(all="ignore"):
        risks = np.asarray(equivalent_risk(instance, n=n, lam=grid))
    assert best <= float(np.nanmin(risks)) * (1.0 + 1e-9)
    at = float(equivalent_risk(instance, n=n, lam=float(optimal_ridge(instance, n))))
    assert at == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("sigma", [0.0, 0.1, 3.0])
@pytest.mark.parametrize("n", [40.0, 1e4, 1e9])
def test_the_sample_size_whose_optimum_is_a_kappa_is_the_one_that_has_it(n: float, sigma: float) -> None:
    instance = Instance(PowerLaw(2.0), CriticalTarget(s=0.7), Noise(sigma))
    engine = equivalent_for(instance, np.array([n]), np.zeros(1))
    kappa = float(engine.optimum(np.array([n]))[0])
    assert engine.size_at_optimum(kappa) == pytest.approx(n, rel=1e-4)


@pytest.mark.parametrize("sigma", [1e-6, 0.01, 1.0, 30.0])
@pytest.mark.parametrize("beta", [1.05, 2.0, 6.0])
def test_what_the_noise_rules_out_need_not_be_looked_at(beta: float, sigma: float) -> None:
    # The same optimum as where the ridge zero, and every kappa down to the interpolating one, competes.
    instance = Instance(PowerLaw(beta), CriticalTarget(s=0.7), Noise(sigma))
    n = np.exp(np.linspace(1.0, 200.0, 60))
    engine = equivalent_for(instance, n, np.zeros_like(n))
    found = engine.optimum(n)
    whole = engine._optimum_or_interpolation(n, math.log(engine.trace) + 40.0)
    assert np.array_equal(np.isnan(found), np.isnan(whole))
    kept = ~np.isnan(found)
    np.testing.assert_allclose(found[kept], whole[kept], rtol=1e-5)


def test_noise_only_adds_to_the_tuned_risk() -> None:
    risks = [float(equivalent_risk(Instance(PowerLaw(2.0), noise=Noise(s)), n=1e6)) for s in (0, 0.01, 0.1, 1, 10)]
    assert risks == sorted(risks)
    assert risks[0] < risks[-1] / 100


# ------------------------------------------------------------------------------------------------ edges


def test_finite_spectra_at_the_interpolation_threshold() -> None:
    spectrum = Finite((3.0, 1.0, 0.5))
    noisy, silent = (Instance(spectrum, CriticalTarget(0.5), Noise(sigma)) for sigma in (1.0, 0.0))
    assert equivalent_risk(noisy, n=3, lam=0.0) == math.inf
    assert equivalent_risk(silent, n=3, lam=0.0) == 0.0
    # Beyond the threshold ordinary least squares: sigma^2 p/(n - p).
    assert equivalent_risk(noisy, n=10, lam=0.0) == pytest.approx(3.0 / 7.0, rel=1e-12)
    assert equivalent_risk(silent, n=10, lam=0.0) == 0.0
    assert 0.0 < equivalent_risk(noisy, n=3) < 3.0
    assert np.all(np.asarray(equivalent_risk(silent, n=[1, 2], lam=0.0)) > 0.0)
    assert np.all(np.asarray(equivalent_risk(silent, n=[3, 4, 1e12])) < 1e-30)
    assert np.all(optimal_ridge(silent, [3, 4, 1e12]) < 1e-15)


def test_ridge_that_crushes_everything_leaves_the_signal() -> None:
    instance = Instance(Finite((3.0, 1.0, 0.5)), CriticalTarget(0.5))
    energy = 3.0 / 1 + 1.0 / 2 + 0.5 / 3
    assert equivalent_risk(instance, n=100, lam=1e12) == pytest.approx(energy, rel=1e-9)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_huge_sample_sizes_are_finite_and_on_the_line(beta: float, sigma: float) -> None:
    instance = Instance(PowerLaw(beta), CriticalTarget(0.3), Noise(sigma))
    top = 0.95 * 330.0 / beta / math.log(10.0)
    log10_n = np.linspace(10.0, max(top, 12.0), 9)
    risks = np.asarray(equivalent_risk(instance, n=10.0**log10_n))
    assert np.all(np.isfinite(risks))
    tail = 2.0 * beta * 0.3
    slope = -np.diff(np.log10(risks)) / np.diff(log10_n)
    np.testing.assert_allclose(slope, tail / (tail + 1.0) if sigma else tail, rtol=0.02)


@pytest.mark.parametrize("n", [1e30, 1e40, 1e45])
def test_sample_sizes_that_are_accepted_are_answered_rightly(n: float) -> None:
    """Where kappa^2 is no longer a double, the answer is an error or the right number, never another number."""
    instance = Instance(PowerLaw(6.0), CriticalTarget(0.3))
    try:
        noise = float(risk_terms(instance, n=n, lam=0.0)[1])
    except ValueError:
        return
    if math.isnan(noise):  # said to be out of reach; equivalent_risk refuses it
        with pytest.raises(ValueError, match="too large"):
            equivalent_risk(instance, n=n, lam=0.0)
        return
    assert noise == pytest.approx(5.0, rel=1e-6)  # (beta - 1) sigma^2


def test_scalars_give_scalars_and_arrays_their_broadcast_shape() -> None:
    instance = Instance(PowerLaw(2.0))
    assert type(equivalent_risk(instance, n=100)) is float
    assert type(equivalent_risk(instance, n=100, lam=0.1)) is float
    assert type(equivalent_risk(instance, n=np.float64(100.0), lam="schedule")) is float
    shaped = np.asarray(equivalent_risk(instance, n=[[10.0], [20.0]], lam=[0.1, 0.2, 0.3]))
    assert shaped.shape == (2, 3)
    for i, n in enumerate((10.0, 20.0)):
        for j, lam in enumerate((0.1, 0.2, 0.3)):
            assert shaped[i, j] == pytest.approx(equivalent_risk(instance, n=n, lam=lam), rel=1e-12)
    assert np.shape(equivalent_risk(instance, n=[10.0, 20.0])) == (2,)
    assert np.shape(optimal_ridge(instance, [[10.0, 20.0]])) == (1, 2)
    assert np.shape(effective_ridge(instance, 10.0, [0.1, 0.2])) == (2,)
    assert np.shape(effective_dimension(instance, [0.1, 0.2])) == (2,)


def test_the_answer_does_not_depend_on_what_was_asked_before() -> None:
    fresh = Instance(PowerLaw(1.77), CriticalTarget(0.41))
    alone = equivalent_risk(fresh, n=500.0)
    equivalent_risk(fresh, n=[1e3, 1e30])
    again = equivalent_risk(fresh, n=500.0)
    together = np.asarray(equivalent_risk(fresh, n=[500.0, 1e20]))[0]
    assert again == pytest.approx(alone, rel=1e-13)
    assert together == pytest.approx(alone, rel=1e-11)


def test_the_tuned_risk_does_not_depend_on_the_ridges_asked_about_before() -> None:
    # Noise that drowns a faint signal: the best ridge exceeds every eigenvalue by far.
    instance = Instance(PowerLaw(2.0), SingleEigenfunction(0.5, index=30), Noise(9.75))
    before = float(equivalent_risk(instance, n=3.0))
    equivalent_risk(instance, n=3.0, lam=1e9)
    assert float(equivalent_risk(instance, n=3.0)) == pytest.approx(before, rel=1e-12)
    assert before <= float(equivalent_risk(instance, n=3.0, lam=1e9)) * (1.0 + 1e-9)


def test_tuning_rules() -> None:
    instance = Instance(PowerLaw(2.0), CriticalTarget(0.5))
    n = np.array([10.0, 1e4])
    np.testing.assert_allclose(scheduled_ridge(instance, n), n ** (-1.0 / 1.5), rtol=1e-15)
    np.testing.assert_array_equal(ridge(instance, n, "schedule"), scheduled_ridge(instance, n))
    np.testing.assert_array_equal(ridge(instance, n, lambda i, m: m**-i.s), n**-0.5)
    np.testing.assert_array_equal(
        np.asarray(equivalent_risk(instance, n=n, lam="schedule")),
        np.asarray(equivalent_risk(instance, n=n, lam=scheduled_ridge(instance, n))),
    )
    terms = risk_terms(instance, n=n, lam=0.1)
    np.testing.assert_array_equal(terms[0] + terms[1], equivalent_risk(instance, n=n, lam=0.1))
    assert vf.equivalent_risk is equivalent_risk


INPUTS: list[tuple[dict[str, Any], str]] = [
    ({"n": []}, r"n=\[\] must be"),
    ({"n": 0.5}, r"n=0.5 must be"),
    ({"n": [10, -1]}, r"n=\[10, -1\] must be"),
    ({"n": math.nan}, "n=nan must be"),
    ({"n": math.inf}, "n=inf must be"),
    ({"n": "many"}, r"\bn='many'"),
    ({"n": 10, "lam": -1.0}, r"lam=.*-1.0.* at n=10 must be a finite ridge >= 0"),
    ({"n": 10, "lam": math.nan}, r"lam=.*nan.* must be a finite ridge"),
    ({"n": 10, "lam": math.inf}, r"lam=.*inf.* must be a finite ridge"),
    ({"n": 10, "lam": "best"}, r"'best' must be 'optimal', 'schedule' or a function"),
    ({"n": 10, "lam": None}, r"lam=None"),
    (
        {"n": 10, "lam": lambda instance, n: -2.0},
        r"tuning function <lambda> returned -2.0 at n=10 for .* a finite number >= 0",
    ),
    ({"n": [10, 20], "lam": [0.1, 0.2, 0.3]}, r"\blam\b"),
]


@pytest.mark.parametrize(("arguments", "message"), INPUTS, ids=[m for _, m in INPUTS])
def test_bad_inputs_are_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        equivalent_risk(Instance(PowerLaw(2.0)), **arguments)


@pytest.mark.parametrize("lam", [0.0, -1.0, math.nan, [0.1, 0.0]])
def test_effective_dimension_needs_a_positive_ridge(lam: Any) -> None:
    with pytest.raises(ValueError, match=r"lam=.* must be positive"):
        effective_dimension(Instance(PowerLaw(2.0)), lam)


def test_the_schedule_needs_a_tail_index() -> None:
    with pytest.raises(ValueError, match="no polynomial tail"):
        equivalent_risk(Instance(Exponential(1.0)), n=10, lam="schedule")


# ------------------------------------------------------------------------------------------------ the worst of a ball


def largest_bias(instance: Instance, log_kappa: float, indices: np.ndarray) -> tuple[float, int]:
    """Brute-force maximum over i of R^2 l_i^(2s') (kappa/(l_i + kappa))^2, and where."""
    log_l = instance.spectrum.log_eigenvalues(np.log(indices))
    terms = 2.0 * instance.target.l2_index * log_l - 2.0 * np.logaddexp(0.0, log_l - log_kappa)
    best = int(np.argmax(terms))
    return instance.target.norm**2 * math.exp(terms[best]), int(indices[best])


@pytest.mark.parametrize("s", [0.05, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("spectrum", [PowerLaw(1.05), PowerLaw(2.0, 3.0), PowerLaw(6.0), LogPeriodic(2.0, 0.4, 3.0)])
def test_worst_bias_of_the_ball_is_the_largest_over_all_indices(spectrum: Spectrum, s: float) -> None:
    instance = Instance(spectrum, BallTarget(s, norm=2.0))
    indices = np.arange(1.0, 3e5)
    for log_kappa in (0.0, -4.0, -8.0, -12.0):
        exact, index = largest_bias(instance, log_kappa, indices)
        if index > 1e5:
            continue
        found = machine_sums(instance, log_kappa)[2]
        # The continuum is an upper bound; a whole index misses its peak by 1/2 at most, where the logarithm has
        # curvature -2 decay^2 s (1 - s): the gap is below (decay/i)^2 / 16 to that order.
        decay = float(spectrum.tail_index or 0.0) + (1.2 if isinstance(spectrum, LogPeriodic) else 0.0)
        assert found >= exact * (1.0 - 1e-12)
        assert found <= exact * (1.0 + (decay / index) ** 2 / 8.0 + 1e-12) or index < 2.0 * decay


@pytest.mark.parametrize("s", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("spectrum", [PowerLaw(2.0), Spiked(1.5, 3, 10.0), LogPeriodic(2.0, 0.4, 3.0)])
def test_worst_bias_of_a_saturated_ball_sits_on_the_first_eigenfunction(spectrum: Spectrum, s: float) -> None:
    instance = Instance(spectrum, BallTarget(s))
    for log_kappa in (0.0, -8.0, -60.0):
        exact, index = largest_bias(instance, log_kappa, np.arange(1.0, 1e4))
        assert index == 1
        assert machine_sums(instance, log_kappa)[2] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("s", [0.3, 0.8, 2.0])
def test_worst_bias_on_a_finite_spectrum_is_exact(s: float) -> None:
    for spectrum in (Finite((3.0, 1.0, 0.9, 1e-3)), Truncated(PowerLaw(2.0), 60)):
        instance = Instance(spectrum, BallTarget(s))
        for log_kappa in (1.0, -3.0, -9.0):
            exact, _ = largest_bias(instance, log_kappa, np.arange(1.0, spectrum.size + 1.0))
            assert machine_sums(instance, log_kappa)[2] == pytest.approx(exact, rel=1e-12)


def test_no_target_of_the_ball_is_harder_than_its_supremum() -> None:
    worst = Instance(PowerLaw(2.0), BallTarget(0.4), Noise(0.0))
    for member in (
        SingleEigenfunction(0.4, index=1),
        SingleEigenfunction(0.4, index=300),
        ExponentialTarget(0.4, rate=0.2),
    ):
        for lam in (0.0, 1e-6, 1e-2):
            single = Instance(PowerLaw(2.0), member, Noise(0.0))
            assert equivalent_risk(single, n=300, lam=lam) <= equivalent_risk(worst, n=300, lam=lam)


# ------------------------------------------------------------------------------------------------ derivatives, speed


@pytest.mark.parametrize(
    "instance",
    [
        Instance(PowerLaw(2.0), CriticalTarget(0.5)),
        Instance(PowerLaw(1.2), BallTarget(0.5)),
        Instance(Finite((3.0, 1.0)), BallTarget(1.5)),
        Instance(LogPeriodic(2.0, 0.4, 3.0), LacunaryTarget(0.3)),
    ],
    ids=lambda instance: instance.describe(),
)
def test_derivatives_are_those_of_the_sums(instance: Instance) -> None:
    engine, h = equivalent(instance, -14.0), 1e-4
    u = np.array([-10.3, -6.1, -1.7])
    below, at, above = (engine.curved_sums(np.exp(u + k * h)) for k in (-1, 0, 1))
    for name in ("df2", "bias"):
        low, mid, high = (getattr(sums, name) for sums in (below, at, above))
        np.testing.assert_allclose(getattr(at, f"{name}_slope"), (high - low) / (2 * h), rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(
            getattr(at, f"{name}_curvature"), (high - 2 * mid + low) / h**2, rtol=1e-4, atol=1e-6 * mid.max()
        )


def fastest(call: Callable[[], object], rounds: int = 60) -> float:
    """Shortest of many durations: what the code takes when nothing else runs."""
    durations = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start)
    return min(durations)


@pytest.mark.parametrize("n", [1e3, 1e12])
@pytest.mark.parametrize(
    "instance",
    [
        Instance(PowerLaw(1.05)),
        Instance(PowerLaw(2.0)),
        Instance(PowerLaw(6.0)),
        Instance(LogPeriodic(2.0, 0.3, 5.0)),
        Instance(PowerLaw(2.0), BallTarget(0.5)),
        Instance(PowerLaw(2.0), RandomTarget(0.5)),
        Instance(PowerLaw(2.0), LacunaryTarget(0.5), Noise(0.0)),
        Instance(Truncated(PowerLaw(2.0), 10**6)),
    ],
    ids=lambda instance: instance.describe(),
)
def test_a_risk_takes_a_millisecond_and_a_tuned_one_ten(instance: Instance, n: float) -> None:
    assert fastest(lambda: equivalent_risk(instance, n=n, lam=1e-3)) < 1e-3
    assert fastest(lambda: equivalent_risk(instance, n=n)) < 10e-3


def test_a_risk_that_was_never_asked_before_takes_milliseconds() -> None:
    # Fresh instances, so that nothing is cached: nodes, tables and the optimum from scratch.
    betas = iter(np.linspace(1.5, 2.5, 12))
    assert fastest(lambda: equivalent_risk(Instance(PowerLaw(float(next(betas)))), n=1e6, lam=1e-3), 6) < 10e-3
    assert fastest(lambda: equivalent_risk(Instance(PowerLaw(float(next(betas)))), n=1e6), 6) < 20e-3
