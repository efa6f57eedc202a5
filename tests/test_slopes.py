"""Slopes: exactness on power laws, coverage of every interval, corrections to scaling, and their limits."""

import numpy as np
import pytest
from scipy import stats

from verifier.instances import CriticalTarget, Finite, Instance, Noise, PowerLaw
from verifier.risk.curves import Curve, learning_curve
from verifier.risk.equivalents import equivalent_risk
from verifier.verdicts.slopes import adjusting_contrasts, critical_value, fit_slope

INSTANCE = Instance(spectrum=PowerLaw(2.0))


def synthetic(truth, n, samples):
    return Curve(INSTANCE, n, np.zeros(len(n)), samples * truth, "none", len(samples), 0)


def replicates(rng, curves, count, n, sd, correlation=0.95, lognormal=True):
    """Rows of mean one, shape (curves, count, K): correlated in log n, their spread falling like n^-.3."""
    lag = np.abs(np.subtract.outer(np.arange(len(n)), np.arange(len(n))))
    spread = sd * (n / n[0]) ** -0.3
    z = rng.standard_normal((curves, count, len(n))) @ np.linalg.cholesky(correlation**lag).T * spread
    return np.exp(z - spread**2 / 2) if lognormal else 1.0 + z


def octaves(points, first=100):
    return first * 2 ** np.arange(points)


@pytest.mark.parametrize(
    ("count", "points", "sd", "bend", "lognormal", "curves", "margin"),
    [
        # The promise: 95% +- .6% on 10,000 curves.
        (32, 8, 0.1, 0.0, True, 10_000, 0.006),
        (32, 8, 0.05, 0.03, False, 10_000, 0.006),
        # Fewer curves, wider margins (3.5 standard errors): other shapes, few replicates, skew.
        (64, 10, 0.2, 0.03, True, 2000, 0.018),
        (16, 6, 0.1, 0.03, True, 2000, 0.018),
        (8, 8, 0.1, 0.03, True, 2000, 0.018),
        (12, 3, 0.1, 0.0, True, 2000, 0.018),
        (32, 2, 0.1, 0.0, True, 2000, 0.018),
        (32, 8, 0.3, 0.03, True, 2000, 0.022),
    ],
)
@pytest.mark.thorough
def test_coverage_of_the_interval_of_the_slope(count, points, sd, bend, lognormal, curves, margin):
    """The estimand is the projection of the true log risk (bent where bend > 0) with the fit's weights."""
    n = octaves(points)
    x = np.log(n)
    truth = np.exp(-0.6 * x + bend * (x - x.mean()) ** 2)
    covered, scores = 0, []
    for rows in replicates(np.random.default_rng(5), curves, count, n, sd, lognormal=lognormal):
        fit = fit_slope(synthetic(truth, n, rows))
        low, high = fit.interval()
        target = fit.project(truth)
        covered += low <= target <= high
        scores.append((fit.exponent - target) / fit.stderr)
    assert abs(covered / curves - 0.95) <= margin
    # Unbiased: the mean standardised error is zero within its error, with .03 for higher orders.
    assert abs(np.mean(scores)) < 0.03 + 3.5 * np.std(scores) / np.sqrt(curves)


def test_a_power_law_has_its_exponent_as_estimand_whatever_the_weights():
    n = octaves(8)
    for rows in replicates(np.random.default_rng(1), 20, 32, n, 0.1):
        fit = fit_slope(synthetic(n**-0.6, n, rows))
        assert fit.project(3.0 * n**-0.6) == pytest.approx(0.6, abs=1e-12)
        assert fit.weights.sum() == pytest.approx(0.0, abs=1e-12)
        assert fit.weights @ np.log(n) == pytest.approx(1.0)


@pytest.mark.thorough
def test_coverage_on_curves_of_the_engine():
    """Least squares on isotropic data: the expected risk is p / (n - p - 1), exactly."""
    instance = Instance(spectrum=Finite((1.0,) * 4), target=CriticalTarget(0.5), noise=Noise(1.0))
    n = np.array([24, 48, 96, 192])
    truth = 4.0 / (n - 5.0)
    covered = 0
    curves = 200
    for k in range(curves):
        curve = learning_curve(instance, n=n, replicates=24, seed=3, key=(k,), tuning=lambda inst, m: 0.0)
        fit = fit_slope(curve)
        low, high = fit.interval()
        covered += low <= fit.project(truth) <= high
    # Central interval of Binomial(200, .95) at level 1e-3.
    assert stats.binom.ppf(5e-4, curves, 0.95) <= covered <= stats.binom.ppf(1 - 5e-4, curves, 0.95)


def test_slope_of_the_engine_agrees_with_that_of_the_equivalent():
    instance = Instance(spectrum=PowerLaw(1.5), target=CriticalTarget(0.5), noise=Noise(1.0))
    curve = learning_curve(instance, n=(64, 128, 256), replicates=32, seed=2, directions=512)
    fit = fit_slope(curve)
    expected = fit.project(equivalent_risk(instance, n=curve.n, lam=curve.lam))
    assert abs(fit.exponent - expected) < 3.5 * fit.stderr + 1.0 / 64
    assert fit.stderr < 5e-3


def test_weights_use_the_correlation_between_points():
    """Curves whose points move together, the first most: least squares would be far less precise."""
    rng = np.random.default_rng(2)
    n = octaves(6)
    common, own = rng.standard_normal((64, 1)), rng.standard_normal((64, 6))
    rows = 1.0 + 0.1 * common * (n / n[0]) ** -0.5 + 0.002 * own
    fit = fit_slope(synthetic(n**-0.6, n, rows))
    x = np.log(n) - np.log(n).mean()
    ordinary = (rows @ (x / (x @ x))).std(ddof=1) / 8.0
    assert fit.stderr < 0.2 * ordinary
    assert abs(fit.exponent - 0.6) < 4.0 * fit.stderr


def test_logarithm_of_a_mean_is_not_biased():
    """Spread at the first point only: a plain log of means would give slopes off by the variance there."""
    n = octaves(3)
    errors, plain = [], []
    for rows in np.random.default_rng(3).standard_normal((3000, 8, 3)):
        samples = 1.0 + np.array([0.5, 0.01, 0.01]) * rows
        errors.append(fit_slope(synthetic(n**-0.6, n, samples)).local.exponent[0] - 0.6)
        plain.append(-np.log(samples[:, 1].mean() / samples[:, 0].mean()) / np.log(2.0))
    stderr = np.std(errors) / np.sqrt(3000)
    assert abs(np.mean(errors)) < 4.0 * stderr
    assert np.mean(plain) < -4.0 * stderr


def test_local_exponents_and_their_coverage():
    n = octaves(5)
    truth = n**-0.6 * (1.0 + 5.0 * n**-0.5)
    expected = -np.diff(np.log(truth)) / np.log(2.0)
    covered = []
    for rows in replicates(np.random.default_rng(4), 1500, 24, n, 0.1):
        local = fit_slope(synthetic(truth, n, rows)).local
        low, high = local.interval()
        covered.append((low <= expected) & (expected <= high))
    assert local.n == pytest.approx(np.sqrt(n[1:] * n[:-1]))
    assert np.all(np.abs(np.mean(covered, axis=0) - 0.95) < 0.02)


def test_lack_of_fit_has_its_level_and_sees_a_bend():
    n = octaves(6)
    x = np.log(n)
    rng = np.random.default_rng(6)
    straight = [fit_slope(synthetic(n**-0.6, n, r)).lack_of_fit for r in replicates(rng, 1500, 24, n, 0.1)]
    assert stats.kstest(straight, "uniform").pvalue > 1e-3
    bent = n**-0.6 * np.exp(0.05 * (x - x.mean()) ** 2)
    assert all(fit_slope(synthetic(bent, n, r)).lack_of_fit < 1e-3 for r in replicates(rng, 20, 24, n, 0.1))


@pytest.mark.parametrize(
    ("amplitude", "power"), [(0.0, 1.0), (3.0, 0.5), (-0.9, 0.3), (20.0, 1.0)], ids=lambda value: f"{value:g}"
)
@pytest.mark.thorough
def test_correction_to_scaling_finds_the_asymptotic_exponent(amplitude, power):
    """Coverage of the profile interval at 95%: measured .94 to 1; conservative with no correction."""
    n = octaves(8)
    truth = n**-0.6 * (1.0 + amplitude * n**-power)
    curves, covered, widths = 150, 0, []
    for rows in replicates(np.random.default_rng(7), curves, 32, n, 0.03):
        fit = fit_slope(synthetic(truth, n, rows))
        low, high = fit.corrected.interval()
        covered += low <= 0.6 <= high
        widths.append(high - low)
    assert covered >= stats.binom.ppf(5e-4, curves, 0.95)
    assert np.median(widths) < 0.05
    if amplitude:
        assert abs(fit.exponent - 0.6) > np.median(widths)  # the straight line is off by more than that


def test_correction_to_scaling_recovers_its_parameters_without_noise():
    n = octaves(10)
    rows = replicates(np.random.default_rng(8), 1, 32, n, 1e-7)[0]
    fit = fit_slope(synthetic(2.0 * n**-0.8 * (1.0 + 4.0 * n**-0.5), n, rows)).corrected
    assert fit.exponent == pytest.approx(0.8, abs=2e-3)
    assert fit.correction_exponent == pytest.approx(0.5, rel=0.03)
    assert fit.correction == pytest.approx(4.0, rel=0.05)


def test_multiplier_of_the_interval():
    """Student's t without contrasts; with them, the quantile of t / sqrt(B), simulated."""
    assert critical_value(0.95, 31, 0) == pytest.approx(stats.t.ppf(0.975, 31))
    rng = np.random.default_rng(9)
    dof, contrasts, size = 10, 4, 400_000
    loss = rng.chisquare(contrasts, size) / rng.chisquare(dof + 1, size)
    statistic = np.abs(rng.standard_t(dof, size)) * np.sqrt(1.0 + loss)
    simulated = np.quantile(statistic, 0.95) / np.sqrt(1.0 + contrasts / (dof - 1))
    assert critical_value(0.95, dof, contrasts) == pytest.approx(simulated, rel=0.01)


def test_number_of_contrasts():
    assert [adjusting_contrasts(r, 8) for r in (2, 7, 8, 16, 32, 48, 1000)] == [0, 0, 1, 2, 4, 6, 6]
    assert adjusting_contrasts(32, 2) == 0


def test_wider_levels_contain_narrower_ones():
    n = octaves(6)
    fit = fit_slope(synthetic(n**-0.6, n, replicates(np.random.default_rng(1), 1, 16, n, 0.1)[0]))
    (a, b), (c, d) = fit.interval(0.9), fit.interval(0.999)
    assert c < a < fit.exponent < b < d
    (a, b), (c, d) = fit.corrected.interval(0.9), fit.corrected.interval(0.999)
    assert c <= a <= fit.corrected.exponent <= b <= d
    for level in (0.0, 1.0, 95):
        with pytest.raises(ValueError, match="level="):
            fit.interval(level)


def test_two_points_two_replicates_and_no_spread():
    n = np.array([100, 200])
    fit = fit_slope(synthetic(n**-0.5, n, np.array([[1.0, 1.1], [1.1, 1.0]])))
    assert (fit.dof, fit.contrasts) == (1, 0)
    assert np.isnan(fit.lack_of_fit)
    with pytest.raises(ValueError, match="at least 5"):
        _ = fit.corrected
    n = octaves(6)
    exact = fit_slope(synthetic(n**-0.5, n, np.ones((16, 6))))
    assert exact.exponent == pytest.approx(0.5)
    assert exact.stderr == pytest.approx(0.0, abs=1e-12)
    assert exact.corrected.exponent == pytest.approx(0.5, abs=1e-6)


def test_curves_without_a_slope_are_refused():
    n = octaves(2)
    with pytest.raises(ValueError, match="at least 2"):
        fit_slope(synthetic(n[:1] ** -0.5, n[:1], np.ones((4, 1))))
    with pytest.raises(ValueError, match="n=200 is not positive"):
        fit_slope(synthetic(n**-0.5, n, np.ones((4, 2)) * [1.0, 0.0]))
    fit = fit_slope(synthetic(n**-0.5, n, np.ones((4, 2))))
    with pytest.raises(ValueError, match="2 positive numbers"):
        fit.project([1.0])
