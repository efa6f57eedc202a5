"""Processes, runs and dependences: every sampler against its theory, every closed form against a second route.

The level 1e-3 of the statistical assertions is shared over all of them (Bonferroni); seeds are fixed. What that can notice is
asserted as well: samplers that are wrong in the ways samplers are wrong are told from right ones.
"""

import json
import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import simpson
from scipy.linalg import solve_triangular, toeplitz

from properties.strategies import dependence as strategies
from properties.strategies import plain_instances, power_laws
from verifier.instances import (
    AR1,
    BallTarget,
    Blocks,
    CarriedCoefficients,
    Dependence,
    Dependent,
    FractionalNoise,
    Identity,
    Independent,
    Ingredient,
    Instance,
    Mixture,
    MixtureSamples,
    MovingAverage,
    PowerDirection,
    PowerLaw,
    Process,
    RademacherDesign,
    RankOneTransform,
    RegimeSwitching,
    Repeated,
    RotatedMixture,
    Runs,
    Sticky,
    White,
)
from verifier.instances.dependence import _parseval, correlation_sum

PROCESSES: list[Process] = [
    White(),
    AR1(0.8),
    AR1(-0.5),
    AR1(0.95),
    MovingAverage((1.0, 0.5, -0.3)),
    MovingAverage((1.0,) * 8),
    MovingAverage((0.0, 1.0, -1.0)),
    FractionalNoise(0.51),
    FractionalNoise(0.7),
    FractionalNoise(0.95),
]
RUNS: list[Runs] = [
    Sticky(0.0),
    Sticky(0.6),
    Sticky(0.95),
    Blocks(1),
    Blocks(5),
    Blocks(50),
    RegimeSwitching(3.0),
    RegimeSwitching(1.3),
    RegimeSwitching(1.5, longest=20),
    RegimeSwitching(2.5, longest=1),
]
FAMILY = 1e-3 / 100  # at most 100 tests make statistical assertions
WINDOW, REPLICATES = 24, 8000


def named(part: Any) -> str:
    return str(part.describe())


def worst_whitened(
    draw: Callable[[np.random.Generator, int, int], np.ndarray], rho: np.ndarray, seed: int = 0
) -> tuple[float, float]:
    """p-values: the largest deviation of the covariances of whitened sequences from those of white noise, and Kolmogorov and
    Smirnov of their entries, which are independent and standard normal if and only if the law is that of ``rho``.

    With 8,000 replicates an entry of the covariance that is off by .08 is noticed with probability .93: the threshold for
    300 entries at level 5e-6 is 5.7 standard errors of .0112 (.016 on the diagonal).
    """
    sequences = draw(np.random.default_rng(seed), WINDOW, REPLICATES)
    assert sequences.shape == (WINDOW, REPLICATES)
    white = solve_triangular(np.linalg.cholesky(toeplitz(rho)), sequences, lower=True)
    covariance = white @ white.T / REPLICATES
    upper = np.triu_indices(WINDOW, 1)
    off = covariance[upper] * math.sqrt(REPLICATES)
    diagonal = np.diag(covariance) * REPLICATES  # chi-squared, so exact
    tails = np.concatenate(
        [
            2.0 * stats.norm.sf(np.abs(off)),
            2.0 * np.minimum(stats.chi2.sf(diagonal, REPLICATES), stats.chi2.cdf(diagonal, REPLICATES)),
        ]
    )
    return float(min(1.0, tails.min() * tails.size)), float(stats.kstest(white.ravel(), "norm").pvalue)


@pytest.mark.parametrize("process", PROCESSES, ids=named)
def test_sequences_have_their_law(process: Process) -> None:
    covariances, law = worst_whitened(process.draw, process.autocorrelations(WINDOW - 1))
    assert covariances > FAMILY / 2.0
    assert law > FAMILY / 2.0


def started_at_zero(generator: np.random.Generator, n: int, columns: int) -> np.ndarray:
    sequence = generator.standard_normal((n, columns)) * math.sqrt(1.0 - 0.5**2)
    for t in range(1, n):
        sequence[t] += 0.5 * sequence[t - 1]
    return sequence


def embedded_without_room(generator: np.random.Generator, n: int, columns: int) -> np.ndarray:
    """A circulant of the size of the window itself, in which the last sample is a neighbour of the first."""
    lags = np.minimum(np.arange(n), n - np.arange(n))
    amplitudes = np.sqrt(np.fft.fft(FractionalNoise(0.7).autocorrelations(n)[lags]).real)[:, None]
    return np.asarray(
        np.fft.ifft(amplitudes * np.fft.fft(generator.standard_normal((n, columns)), axis=0), axis=0).real
    )


WRONG = [
    pytest.param(started_at_zero, AR1(0.5), id="AR(1) started at zero"),
    pytest.param(AR1(0.58).draw, AR1(0.5), id="another rho"),
    pytest.param(AR1(-0.5).draw, AR1(0.5), id="the other sign"),
    pytest.param(MovingAverage((1.0, 0.45)).draw, MovingAverage((1.0, 0.5)), id="another weight"),
    pytest.param(FractionalNoise(0.73).draw, FractionalNoise(0.7), id="another H"),
    pytest.param(embedded_without_room, FractionalNoise(0.7), id="a circulant without room"),
]


@pytest.mark.parametrize(("wrong", "process"), WRONG)
def test_wrong_samplers_are_caught(
    wrong: Callable[[np.random.Generator, int, int], np.ndarray], process: Process
) -> None:
    assert worst_whitened(wrong, process.autocorrelations(WINDOW - 1))[0] < FAMILY / 2.0


@pytest.mark.parametrize("process", PROCESSES, ids=named)
def test_sequences_are_stationary_over_long_windows(process: Process) -> None:
    """Variance, and covariance with the next sample, at the start, in the middle and at the end of 400 samples."""
    count = 4000
    sequences = process.draw(np.random.default_rng(1), 400, count)
    rho = float(process.autocorrelations(1)[1])
    for t in (0, 1, 199, 398):
        now, after = sequences[t], sequences[t + 1]
        left = np.sum(now**2)
        assert 2.0 * min(stats.chi2.sf(left, count), stats.chi2.cdf(left, count)) > FAMILY / 8.0
        # Sum and difference are independent, of variances 2 (1 +- rho).
        for combined, variance in ((now + after, 2.0 + 2.0 * rho), (now - after, 2.0 - 2.0 * rho)):
            scaled = np.sum(combined**2) / variance
            assert 2.0 * min(stats.chi2.sf(scaled, count), stats.chi2.cdf(scaled, count)) > FAMILY / 16.0


@pytest.mark.parametrize("hurst", [0.55, 0.7, 0.8, 0.95])
def test_means_of_fractional_noise_have_their_hurst_exponent(hurst: float) -> None:
    """The mean of m samples has the variance m^(2H-2) exactly; the regression on ln m, of a standard error below .006, finds
    H to .03.
    """
    count, sizes = 2000, np.array([1, 4, 16, 64, 256, 1024])
    sequences = FractionalNoise(hurst).draw(np.random.default_rng(2), 1024, count)
    found = []
    for m in sizes:
        scaled = float(np.sum(sequences[-m:].mean(axis=0) ** 2)) / float(m) ** (2.0 * hurst - 2.0)
        assert 2.0 * min(stats.chi2.sf(scaled, count), stats.chi2.cdf(scaled, count)) > FAMILY / 6.0
        found.append(scaled * float(m) ** (2.0 * hurst - 2.0) / count)
    slope = np.polyfit(np.log(sizes), np.log(found), 1)[0]
    assert abs(1.0 + 0.5 * slope - hurst) < 0.03
    # The covariances sum to the same variance: closed form against closed form.
    for m in (10, 1000, 100_000):
        rho = FractionalNoise(hurst).autocorrelations(m - 1)
        total = m * rho[0] + 2.0 * math.fsum((m - np.arange(1, m)) * rho[1:])
        assert total / m**2 == pytest.approx(m ** (2.0 * hurst - 2.0), rel=1e-11)


@pytest.mark.parametrize("hurst", [0.51, 0.7, 0.95])
def test_autocorrelations_of_fractional_noise_are_exact_far_out(hurst: float) -> None:
    lags = [0, 1, 2, 14, 15, 16, 17, 100, 10_000, 1_000_000]
    found = FractionalNoise(hurst).autocorrelations(max(lags))
    with localcontext() as context:
        context.prec = 60
        power = 2 * Decimal(hurst)
        for h in lags:
            exact = (Decimal(h + 1) ** power - 2 * Decimal(h) ** power + abs(Decimal(h - 1)) ** power) / 2
            assert found[h] == pytest.approx(float(exact), rel=3e-13)


@pytest.mark.parametrize("hurst", [0.51, 0.6, 0.7, 0.8, 0.9, 0.95])
def test_the_circulant_embedding_of_fractional_noise_is_a_covariance(hurst: float) -> None:
    """Its least eigenvalue, at the frequency pi, is as far above zero as the spectral density there."""
    for half in (1, 2, 3, 100, 4096):
        rho = FractionalNoise(hurst).autocorrelations(half)
        eigenvalues = np.fft.rfft(np.concatenate([rho, rho[-2:0:-1]])).real
        assert eigenvalues.min() > 0.5 * float(FractionalNoise(hurst).spectral_density(np.array([math.pi]))[0]) > 0.01


@pytest.mark.parametrize("columns", [1, 15, 16, 100])
def test_any_shape_is_answered_from_the_generator_alone(columns: int) -> None:
    for process in PROCESSES:
        for n in (0, 1, 2, 3, 50):
            first = process.draw(np.random.default_rng(3), n, columns)
            assert first.shape == (n, columns)
            assert first.dtype == np.float64
            assert np.array_equal(first, process.draw(np.random.default_rng(3), n, columns))


def test_neighbouring_processes_see_the_same_random_numbers() -> None:
    """So that shrinking follows the claim: rho = 0 is white noise, and a small change of rho is a small change of a sample."""
    samples = [process.draw(np.random.default_rng(4), 50, 20) for process in (White(), AR1(0.0), AR1(0.01))]
    assert np.array_equal(samples[0], samples[1])
    assert np.abs(samples[2] - samples[1]).max() < 0.05
    plain = Independent().draw(np.random.default_rng(4), 50, 20)
    for other in (Dependent(), Repeated(Sticky(0.0)), Repeated(Blocks(1), noise="repeated")):
        inputs, noise = other.draw(np.random.default_rng(4), 50, 20)
        assert np.array_equal(inputs, plain[0])
        assert np.array_equal(noise, plain[1])


def over_frequencies() -> tuple[np.ndarray, np.ndarray]:
    """Gauss and Legendre on panels that halve towards zero, of means over [0, pi]: exact for powers of w too."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    edges = np.concatenate([math.pi * 2.0 ** np.arange(-340.0, -2.0), np.linspace(0.25, 1.0, 13) * math.pi])
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
    return (middle + half * nodes).ravel(), (half * weights).ravel() / math.pi


@pytest.mark.parametrize("process", PROCESSES, ids=named)
def test_spectral_densities_have_the_autocorrelations_as_fourier_coefficients(process: Process) -> None:
    w, weights = over_frequencies()
    density = process.spectral_density(w)
    assert (density >= 0.0).all()
    lags = np.array([0, 1, 2, 3, 7, 20])
    found = np.array([np.sum(weights * density * np.cos(h * w)) for h in lags])
    assert np.abs(found - process.autocorrelations(20)[lags]).max() < 1e-9


def test_the_density_of_fractional_noise_diverges_at_zero_alone() -> None:
    noise = FractionalNoise(0.8)
    assert noise.spectral_density(np.zeros(1))[0] == math.inf
    w = np.array([1e-100, 1e-8, 1e-4])
    limit = math.sin(0.8 * math.pi) * math.gamma(2.6)
    assert noise.spectral_density(w) * w**0.6 == pytest.approx(limit, rel=1e-6)


def test_correlation_sums_agree_with_the_integral_of_the_densities_and_with_plain_sums() -> None:
    for i, first in enumerate(PROCESSES):
        for second in PROCESSES[i:]:
            found = correlation_sum(first, second)
            assert found == correlation_sum(second, first)
            if first.hurst + second.hurst >= 1.5 and min(first.hurst, second.hurst) > 0.5:
                assert found == math.inf
                continue
            assert found == pytest.approx(_parseval(first, second), rel=1e-9, abs=1e-12)
            products = first.autocorrelations(20_000) * second.autocorrelations(20_000)
            exponent = 2.0 * (first.hurst + second.hurst) - 3.0 if min(first.hurst, second.hurst) > 0.5 else -1.0
            # What the plain sum leaves out falls like h^a; doubling its length tells how much that is.
            whole, part = (2.0 * math.fsum(products[: k + 1]) - 1.0 for k in (20_000, 10_000))
            beyond = (whole - part) / (2.0**-exponent - 1.0)
            assert found == pytest.approx(whole + beyond, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [(0.75, 0.75), (0.9, 0.7), (0.95, 0.95)])
def test_correlation_sums_diverge_with_the_exponent_of_the_memory(first: float, second: float) -> None:
    a, b = FractionalNoise(first), FractionalNoise(second)
    assert Dependent(a, b).product_sum() == math.inf
    products = np.cumsum(a.autocorrelations(1_000_000) * b.autocorrelations(1_000_000))
    growth = math.log2((products[1_000_000] - products[500_000]) / (products[500_000] - products[250_000]))
    assert growth == pytest.approx(2.0 * (first + second) - 3.0, abs=1e-4)


def test_factors_of_the_figure() -> None:
    """AR(.8) for both (1 + .64)/(1 - .64), not (1 + .8)/(1 - .8); one for either alone; runs have E L^2 / E L."""
    assert Dependent(AR1(0.8), AR1(0.8)).product_sum() == pytest.approx(1.64 / 0.36, rel=1e-14)
    assert Dependent(AR1(0.8), AR1(-0.8)).product_sum() == pytest.approx(0.36 / 1.64, rel=1e-14)
    assert Dependent(inputs=AR1(0.8)).product_sum() == 1.0
    assert Dependent(noise=FractionalNoise(0.9)).product_sum() == 1.0
    assert Dependent(inputs=AR1(0.8)).square_sum() == pytest.approx(1.64 / 0.36, rel=1e-14)
    assert Independent().product_sum() == Independent().square_sum() == 1.0
    assert Repeated(Sticky(0.6), noise="repeated").product_sum() == pytest.approx(4.0, rel=1e-14)
    assert Repeated(Sticky(0.6)).product_sum() == 1.0
    assert Repeated(Blocks(7), noise="repeated").product_sum() == 7.0
    assert Repeated(RegimeSwitching(1.8), noise="repeated").product_sum() == math.inf


DEPENDENCES: list[Dependence] = [
    Independent(),
    Dependent(AR1(0.8), AR1(0.6)),
    Dependent(FractionalNoise(0.9), FractionalNoise(0.8)),
    Dependent(MovingAverage((1.0, -0.5)), AR1(-0.7)),
    Repeated(Sticky(0.6), noise="repeated"),
    Repeated(Sticky(0.6), noise="fresh"),
    Repeated(RegimeSwitching(1.5), noise="repeated"),
    Repeated(Blocks(4), noise="repeated"),
]


@pytest.mark.parametrize("dependence", DEPENDENCES, ids=named)
@pytest.mark.thorough
def test_inputs_and_noise_have_their_joint_law(dependence: Dependence) -> None:
    """E (x . e)^2 / n over windows of 40, which product_sum is the limit of, against the sum over lags: 2,000 draws of 8
    coordinates. Within a repeated run, inputs and noise agree at the same times, so that their covariance is P(same run).
    """
    n, columns, draws = 40, 8, 2000
    generator = np.random.default_rng(5)
    found = np.empty(draws)
    for k in range(draws):
        inputs, noise = dependence.draw(generator, n, columns)
        assert inputs.shape == (n, columns)
        assert noise.shape == (n,)
        found[k] = float(np.mean((noise @ inputs) ** 2)) / n
    one = dependence.input_correlation(n) * dependence.noise_correlation(n)
    if isinstance(dependence, Repeated) and dependence.noise == "repeated":
        one = dependence.input_correlation(n)
    expected = float(one.sum()) / n
    assert expected <= dependence.product_sum() * (1.0 + 1e-12) or dependence.product_sum() < 1.0
    z = (found.mean() - expected) / (found.std() / math.sqrt(draws))
    assert 2.0 * stats.norm.sf(abs(z)) > FAMILY
    # A product that is off by a third is noticed.
    assert found.std() / math.sqrt(draws) < 0.08 * expected


@pytest.mark.parametrize("runs", RUNS, ids=named)
@pytest.mark.thorough
def test_runs_are_stationary_and_last_as_long_as_they_say(runs: Runs) -> None:
    """P(same run) at the start, in the middle and at the end of a window of 120; and the law of the second run, which no
    end of the window has cut.
    """
    n, draws = 120, 4000
    generator = np.random.default_rng(6)
    labels = np.empty((draws, n), dtype=np.int64)
    second = []
    for k in range(draws):
        lengths = runs.run_lengths(generator, n)
        assert lengths.dtype == np.int64
        assert (lengths > 0).all()
        assert lengths.sum() == n
        labels[k] = np.repeat(np.arange(lengths.size), lengths)
        if lengths[0] <= 60:
            second.append(min(int(lengths[1]), 60))
    same = runs.autocorrelations(n - 1)
    tests = []
    for h in (1, 2, 5, 20, 60):
        for t in (0, (n - h) // 2, n - h - 1):
            together = int(np.count_nonzero(labels[:, t] == labels[:, t + h]))
            tests.append(stats.binomtest(together, draws, min(float(same[h]), 1.0)).pvalue)
    # P(L >= k) from the differences of P(same run): P(same at h) - P(same at h + 1) = P(L >= h + 1) / E L.
    survival = -np.diff(same) * runs.mean_length
    for k in (1, 2, 3, 5, 20, 50):
        tests.append(
            stats.binomtest(sum(length >= k for length in second), len(second), min(survival[k - 1], 1.0)).pvalue
        )
    assert min(tests) > FAMILY / len(tests)
    assert runs.run_lengths(generator, 0).size == 0
    assert list(runs.run_lengths(generator, 1)) == [1]


def test_runs_that_start_with_a_fresh_sample_are_caught() -> None:
    """Without the length-biased residual life, P(same run) at the start of the window is another one."""
    runs, generator, draws = RegimeSwitching(1.3), np.random.default_rng(7), 4000
    fresh = np.floor((1.0 - generator.random(draws)) ** (-1.0 / 1.3))
    for lag in (1, 5, 20):
        together = int(np.count_nonzero(fresh > lag))
        assert stats.binomtest(together, draws, float(runs.autocorrelations(lag)[lag])).pvalue < FAMILY


@pytest.mark.parametrize("runs", RUNS, ids=named)
def test_the_law_of_run_lengths_has_its_moments(runs: Runs) -> None:
    lengths, probabilities = runs.run_law()
    assert lengths.shape == probabilities.shape
    assert (probabilities > 0.0).all()
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-14)
    assert probabilities @ lengths == pytest.approx(runs.mean_length, rel=1e-9)
    if math.isfinite(runs.mean_square_length):
        assert probabilities @ lengths**2 == pytest.approx(runs.mean_square_length, rel=1e-7)
        # The sum of P(same run) over all lags.
        same = runs.autocorrelations(500_000)
        tail = same[-1] * 500_000 / (getattr(runs, "tail", math.inf) - 2.0) if same[-1] > 0.0 else 0.0
        total = 2.0 * (math.fsum(same) + tail) - 1.0
        assert total == pytest.approx(runs.mean_square_length / runs.mean_length, rel=1e-5)


@pytest.mark.parametrize("tail", [1.05, 2.0, 3.0])
@pytest.mark.parametrize("longest", [None, 4097, 5000, 100_000])
@pytest.mark.parametrize("delta", [1.0, 1e-5])
def test_means_over_run_lengths_are_exact(tail: float, longest: int | None, delta: float) -> None:
    """E g(L) for g = dL/(1+dL) and its square, against the sum by parts of P(L >= k) (g(k) - g(k-1)) over 1e5 lengths and,
    beyond, the integral that the sum by parts becomes.
    """
    lengths, probabilities = RegimeSwitching(tail, longest).run_law()
    top = 100_000 if longest is None else longest
    k = np.arange(1.0, top + 1.0)
    for power in (1, 2):

        def g(length: np.ndarray, power: int = power) -> np.ndarray:
            return np.asarray((delta * length / (1.0 + delta * length)) ** power)

        exact = math.fsum(k**-tail * (g(k) - g(k - 1.0)))
        if longest is None:
            u = np.linspace(math.log(top), 100.0, 50_001)
            x = np.exp(u)
            slope = power * (delta * x) ** power / (1.0 + delta * x) ** (power + 1)
            exact += float(simpson((x + 0.5) ** -tail * slope, x=u))
        assert probabilities @ g(lengths) == pytest.approx(exact, rel=5e-9)


def test_mixing_coefficients_bound_the_total_variation() -> None:
    """AR(1): the coefficient is the total variation between a bivariate normal law and the product of its margins."""
    grid = np.linspace(-9.0, 9.0, 1201)
    x, y = np.meshgrid(grid, grid)
    product = stats.norm.pdf(x) * stats.norm.pdf(y)
    for rho in (0.95, -0.8, 0.3):
        for k, bound in enumerate(AR1(rho).mixing(4)[1:], start=1):
            r = rho**k
            joint = np.exp(-(x**2 - 2 * r * x * y + y**2) / (2 * (1 - r**2))) / (2 * math.pi * math.sqrt(1 - r**2))
            variation = 0.5 * float(np.abs(joint - product).sum()) * (grid[1] - grid[0]) ** 2
            assert 0.2 * bound < variation <= bound
            assert variation <= 0.5 * math.sqrt(-math.log1p(-(r**2))) + 1e-9
    assert list(White().mixing(2)) == [1.0, 0.0, 0.0]
    assert list(MovingAverage((1.0, 2.0)).mixing(3)) == [1.0, 1.0, 0.0, 0.0]
    assert list(FractionalNoise(0.7).mixing(2)) == [1.0, 1.0, 1.0]


def renewal_mixing(survival: np.ndarray, lags: int) -> np.ndarray:
    """b(k) of runs with P(L >= j) = survival[j - 1], exactly: the past tells the time since the run began; the future is told
    by the time that is left at k and by whether the value is still the old one.
    """
    longest, mean = survival.size, survival.sum()
    mass = survival - np.append(survival[1:], 0.0)  # P(L = j)
    stationary = survival / mean  # of the time that is left, counted from 1
    found = np.zeros(lags + 1)
    step = np.zeros((longest, longest))  # of the time that is left, from one sample to the next
    step[0] = mass
    step[np.arange(1, longest), np.arange(longest - 1)] = 1.0
    for age in range(1, longest + 1):
        left = (
            np.append(mass[age - 1 :], np.zeros(age - 1)) / survival[age - 1]
        )  # of the current run, this sample included
        old, new = left, np.zeros(longest)
        for k in range(lags + 1):
            found[k] += stationary[age - 1] * 0.5 * (old.sum() + np.abs(new - stationary).sum())
            new = new @ step + old[0] * mass
            old = np.append(old[1:], 0.0)
    return found


def test_mixing_coefficients_of_runs() -> None:
    lags = 12
    for length in (1, 2, 5):
        assert Blocks(length).mixing(lags) == pytest.approx(renewal_mixing(np.ones(length), lags), abs=1e-12)
    geometric = 0.6 ** np.arange(80.0)
    assert Sticky(0.6).mixing(lags) == pytest.approx(renewal_mixing(geometric, lags), abs=1e-12)
    # A power tail: a lower bound, with the exponent 1 - a. The longest run is far beyond the lags.
    runs = RegimeSwitching(2.5, longest=400)
    exact = renewal_mixing(np.arange(1.0, 401.0) ** -2.5, 40)
    assert (runs.mixing(40)[1:] <= exact[1:] + 1e-12).all()
    free = RegimeSwitching(2.5).mixing(1000)
    assert math.log(free[1000] / free[500]) / math.log(2.0) == pytest.approx(-1.5, abs=2e-3)
    assert (exact[1:] <= 3.0 * runs.mixing(40)[1:]).all()


def test_memory_of_runs() -> None:
    assert RegimeSwitching(3.0).hurst == RegimeSwitching(1.5, longest=100).hurst == Sticky(0.9).hurst == 0.5
    runs = RegimeSwitching(1.5)
    assert runs.hurst == 0.75
    same = runs.autocorrelations(400_000)
    assert math.log2(same[400_000] / same[200_000]) == pytest.approx(2.0 * runs.hurst - 2.0, abs=1e-5)


EVERY: list[Any] = [*PROCESSES, *RUNS, *DEPENDENCES]


@pytest.mark.parametrize("part", EVERY, ids=named)
def test_json_round_trip(part: Ingredient) -> None:
    again = Ingredient.from_json(json.loads(json.dumps(part.to_json(), allow_nan=False)))
    assert again == part
    assert hash(again) == hash(part)


def test_instances_with_a_dependence_are_recorded_and_others_are_recorded_as_before() -> None:
    plain = Instance(PowerLaw(2.0))
    assert (
        plain.digest == "dfaf6ba38a3713b9ddb98622d8f7922a2e7a2a7aec0af6c29dc74c0f0f890811"
    )  # before there was the field
    assert set(plain.to_json()) == {"spectrum", "target", "noise"}
    for dependence in DEPENDENCES[1:]:
        instance = Instance(PowerLaw(2.0), BallTarget(s=0.5), dependence=dependence)
        again = Instance.from_json(json.loads(json.dumps(instance.to_json())))
        assert again == instance
        assert again.digest == instance.digest != plain.digest
        assert dependence.describe() in instance.describe()


@pytest.mark.parametrize(
    ("built", "said"),
    [
        (lambda: AR1(0.96), r"rho=0\.96 must lie in \[-0\.95, 0\.95\]"),
        (lambda: AR1("0.5"), r"rho='0\.5' must be a real number"),
        (lambda: FractionalNoise(0.5), r"hurst=0\.5 must be greater than 0\.5; 1/2 is white noise, use White\(\)"),
        (lambda: FractionalNoise(0.96), r"hurst=0\.96 must lie in"),
        (lambda: MovingAverage(()), r"weights=\(\) must be a tuple of 1 to 256"),
        (lambda: MovingAverage((0.0, 0.0)), "must not all be zero"),
        (lambda: MovingAverage((1.0, math.nan)), r"weights\[1\]=nan must be finite"),
        (lambda: Sticky(-0.1), r"rho=-0\.1 must lie in \[0, 0\.95\]"),
        (lambda: Blocks(0), "length=0 must be a whole number, at least 1"),
        (lambda: Blocks(1.5), r"length=1\.5 must be a whole number"),
        (lambda: RegimeSwitching(1.0), r"tail=1\.0 must lie in \[1\.05, 20\]; the mean length must be finite"),
        (lambda: RegimeSwitching(2.0, longest=0), "longest=0 must be a whole number"),
        (lambda: White().autocorrelations(-1), "lags=-1 must be a whole number, at least 0"),
        (lambda: Dependent(inputs=Sticky(0.5)), r"inputs=Sticky\(rho=0\.5\) must be a process"),
        (lambda: Dependent(noise=AR1), "must be a process"),
        (lambda: Repeated(AR1(0.5)), r"runs=AR1\(rho=0\.5\) must be runs, for example"),
        (lambda: Repeated(Sticky(0.5), noise="white"), "noise='white' must be 'fresh' or 'repeated'"),
        (lambda: Instance(PowerLaw(2.0), dependence=AR1(0.5)), r"dependence=AR1\(rho=0\.5\) is not a dependence"),
        (lambda: Instance(PowerLaw(2.0), dependence=Independent), "is not a dependence"),
        (
            lambda: Instance(
                Mixture((0.5, 0.5), (PowerLaw(2.0), PowerLaw(3.0))),
                design=MixtureSamples(),
                dependence=Repeated(Sticky(0.5)),
            ),
            r"design=MixtureSamples\(\): samples that depend",
        ),
        (
            lambda: Instance(PowerLaw(2.0), design=RademacherDesign(), dependence=Dependent(AR1(0.5))),
            r"design=RademacherDesign\(\): samples that depend .* use GaussianDesign\(\)",
        ),
        (
            lambda: Instance(
                PowerLaw(2.0),
                transform=RankOneTransform(0.5, PowerDirection(1.0), PowerDirection(1.0)),
                dependence=Dependent(AR1(0.5)),
            ),
            r"transform=.* use Identity\(\)",
        ),
        (
            lambda: Instance(
                RotatedMixture((0.5, 0.5), (PowerLaw(2.0), PowerLaw(3.0)), PowerDirection(1.0)),
                CarriedCoefficients(s=0.5, origin=PowerLaw(2.0)),
                dependence=Dependent(AR1(0.5)),
            ),
            "need one eigenbasis; use a Mixture",
        ),
    ],
)
def test_bad_arguments_are_named(built: Callable[[], Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        built()


def test_the_plain_case_is_accepted_under_anything() -> None:
    kept = Instance(PowerLaw(2.0), design=RademacherDesign(), transform=Identity(), dependence=Independent())
    assert kept.dependence == Independent()


@pytest.mark.thorough
def test_what_dependences_shrink_to() -> None:
    assert find(strategies.short_memory(), lambda _: True) == White()
    assert find(strategies.processes(), lambda p: p.hurst > 0.5) == FractionalNoise(0.7)
    assert find(strategies.short_memory(), lambda p: p.autocorrelations(1)[1] < -0.2) == AR1(-0.3)
    assert find(strategies.separable(), lambda _: True) == Independent()
    both = find(strategies.separable(), lambda d: d.product_sum() > 1.5)
    for process in (both.inputs, both.noise):
        assert isinstance(process, AR1) or len(process.weights) <= 3
    assert 1.5 < both.product_sum() < 2.5
    assert find(strategies.separable(), lambda d: d.product_sum() < 1.0).square_sum() < 2.0
    assert find(strategies.repeated(), lambda _: True) == Independent()
    assert find(strategies.runs(), lambda r: math.isinf(r.mean_square_length)) == RegimeSwitching(1.5)
    instances = strategies.dependent_instances(plain_instances(power_laws()))
    assert find(instances, lambda _: True) == Instance(PowerLaw(2.0))


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(
    st.one_of(
        strategies.separable(strategies.processes(), strategies.processes()), strategies.repeated(strategies.runs())
    )
)
def test_dependences_that_are_drawn_can_be_used(dependence: Dependence) -> None:
    assert Ingredient.from_json(json.loads(json.dumps(dependence.to_json()))) == dependence  # type: ignore[attr-defined]
    inputs, noise = dependence.draw(np.random.default_rng(8), 30, 3)
    assert np.isfinite(inputs).all()
    assert np.isfinite(noise).all()
    assert dependence.product_sum() > -1e-12
    assert dependence.square_sum() >= 1.0 - 1e-12
    assert np.linalg.eigvalsh(dependence.input_correlation(30)).min() > -1e-12
    assert np.linalg.eigvalsh(dependence.noise_correlation(30)).min() > -1e-12
