"""Streams of dependent samples against matrices, paths, drawn sequences and the equivalent."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.linalg import eigvalsh, toeplitz

from verifier.instances import (
    AR1,
    Dependent,
    FractionalNoise,
    Instance,
    MovingAverage,
    PowerLaw,
    Process,
    Repeated,
    Sticky,
    White,
)
from verifier.risk.curves import _dependent
from verifier.risk.dependent import DependentEquivalent
from verifier.risk.dependent_samples import simulate_dependent
from verifier.risk.dependent_streams import (
    BAND,
    kac_murdock_szego,
    path_moments,
    simulate_dependent_stream,
    stream_moments,
    time_modes,
    toeplitz_eigenvalues,
    weighted_moments,
)
from verifier.risk.simulate import Replicates
from verifier.risk.streams import normals


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("rho", [-0.7, 0.3, 0.8, 0.99])
@pytest.mark.parametrize("n", [1, 2, 7, 600])
def test_eigenvalues_of_ar1_are_exact(rho: float, n: int) -> None:
    theta = kac_murdock_szego(rho, n)
    mu = (1 - rho**2) / (1 - 2 * rho * np.cos(theta) + rho**2)
    assert np.all(np.diff(theta) > 0)
    np.testing.assert_allclose(np.sort(mu), eigvalsh(toeplitz(rho ** np.arange(n))), rtol=1e-9)


@pytest.mark.parametrize(
    ("process", "most"),
    [(FractionalNoise(0.7), 2e-3), (FractionalNoise(0.95), 2.5e-3), (MovingAverage((0.6, 0.3)), 1e-12)],
)
def test_eigenvalues_beyond_the_matrix(process: Process, most: float) -> None:
    n = 1536
    exact = eigvalsh(toeplitz(process.autocorrelations(n - 1)))
    mu = np.sort(time_modes(Dependent(process, White()), n, generator()).inputs)
    assert mu.sum() == pytest.approx(n, rel=1e-12)
    assert np.abs(mu / exact - 1.0).max() < most


@pytest.mark.parametrize("dependence", [Dependent(AR1(0.6), AR1(0.6)), Dependent(FractionalNoise(0.8), White())])
def test_means_and_covariances_of_entries(dependence: Dependent) -> None:
    n, count = 120, 2500
    mu = eigvalsh(dependence.input_correlation(n))
    e = eigvalsh(dependence.noise_correlation(n)) if dependence.noise == dependence.inputs else np.ones(n)
    found = [next(stream_moments(dependence, [n], 2, g)) for g in map(generator, range(count))]
    for moments, weights in (([f[1] for f in found], mu), ([f[2] for f in found], mu * e)):
        m = np.array(moments)
        mean, variance = weights.sum() / n, (weights**2).sum() / n**2
        error = 5 * np.sqrt(variance / count)
        assert np.all(np.abs(m.mean(axis=0) - mean * np.eye(2)) < error * np.sqrt(2))
        # The variance of an entry is (1 + [i = j]) sum w^2 / n^2; five of its own standard errors, heavier tails included.
        assert m[:, 0, 1].var() == pytest.approx(variance, rel=0.2)
        assert m[:, 0, 0].var() == pytest.approx(2 * variance, rel=0.2)


@pytest.mark.parametrize("noise", [White(), AR1(0.8), AR1(0.4), AR1(-0.5)])
def test_a_path_is_the_matrix_product(noise: Process) -> None:
    """The recursions against the correlation matrix and the same random numbers, over bands and prefixes."""
    dependence, p, sizes = Dependent(AR1(0.8), noise), 3, [5, 700, 2500]
    g = generator()
    x = np.empty((sizes[-1], p))
    state, done = g.standard_normal(p), 0
    for n in sizes:
        while done < n:
            rows = min(BAND, n - done)
            for shock in normals(g, np.empty((rows, p)), np.full(rows, 0.6)):
                state = x[done] = 0.8 * state + shock
                done += 1
    for n, moments, own in path_moments(dependence, sizes, p, generator()):
        np.testing.assert_allclose(moments, x[:n].T @ x[:n] / n, rtol=1e-11)
        np.testing.assert_allclose(own, x[:n].T @ dependence.noise_correlation(n) @ x[:n] / n, rtol=1e-10, atol=1e-12)


def test_the_law_is_that_of_the_path_for_different_processes() -> None:
    """Two AR(1) of different coefficients do not commute: the error of the means and variances is of order 1/n."""
    dependence, n, count = Dependent(AR1(0.8), AR1(0.4)), 1100, 300
    law = np.array([next(stream_moments(dependence, [n], 2, generator(k)))[2] for k in range(count)])
    path = np.array([next(path_moments(dependence, [n], 2, generator(k + count)))[2] for k in range(count)])
    c, ce = dependence.input_correlation(n), dependence.noise_correlation(n)
    mean, product = float(np.sum(c * ce)) / n, c @ ce
    deviation = np.sqrt(2 * float(np.sum(product * product.T))) / n
    for sample in (law, path):
        assert abs(sample[:, 0, 0].mean() - mean) < 5 * deviation / np.sqrt(count) + 3.0 / n
        assert sample[:, 0, 0].std() == pytest.approx(deviation, rel=0.2)


DEPENDENCES = [
    Dependent(AR1(0.8), AR1(0.8)),
    Dependent(AR1(0.6), White()),
    Dependent(White(), AR1(0.8)),
    Dependent(AR1(0.8), AR1(0.4)),
    Repeated(Sticky(0.6), "repeated"),
    Dependent(FractionalNoise(0.8), FractionalNoise(0.8)),
    Dependent(FractionalNoise(0.9), AR1(0.5)),
]


@pytest.mark.parametrize("dependence", DEPENDENCES)
def test_risks_are_those_of_drawn_samples(dependence: Dependent | Repeated) -> None:
    instance = Instance(PowerLaw(1.5), dependence=dependence)
    pairs = [(300, 0.01)]
    drawn = simulate_dependent(instance, pairs, Replicates(60, 0, ("drawn",)), 32)[:, 0]
    streamed = simulate_dependent_stream(instance, pairs, Replicates(60, 1, ("streamed",)), 32)[:, 0]
    error = np.hypot(drawn.std(), streamed.std()) / np.sqrt(60)
    assert abs(drawn.mean() - streamed.mean()) < 4.5 * error


@pytest.mark.parametrize("dependence", DEPENDENCES)
@pytest.mark.thorough
def test_risks_are_those_of_the_equivalent(dependence: Dependent | Repeated) -> None:
    instance = Instance(PowerLaw(1.5), dependence=dependence)
    n, lam = 50_000, 0.002
    risks = simulate_dependent_stream(instance, [(n, lam)], Replicates(2), 64)[:, 0]
    sizes, ridges = np.array([float(n)]), np.array([lam])
    equivalent = DependentEquivalent(instance, np.log(n))
    kappa = equivalent.effective_ridge(sizes, ridges)
    bias, variance = equivalent.terms(sizes, kappa)
    expected = float(bias[0] + variance[0])
    assert risks.mean() == pytest.approx(expected, rel=0.03)


def test_memory_does_not_grow_with_the_columns_of_a_sample() -> None:
    p, n = 64, 200_000
    tracemalloc.start()
    mu = np.ones(n)
    weighted_moments(generator(), [mu], p)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * (3 * n + 4 * p * p + 3 * 1024 * p)  # against 8 n p


def test_a_curve_passes_from_sequences_to_streams() -> None:
    instance, draws = Instance(PowerLaw(1.5), dependence=Dependent(AR1(0.5), AR1(0.5))), Replicates(2)
    found = _dependent(instance, [(3000, 0.01), (200, 0.02)], draws, 16)
    np.testing.assert_array_equal(found[:, 0], simulate_dependent_stream(instance, [(3000, 0.01)], draws, 16)[:, 0])
    np.testing.assert_array_equal(found[:, 1], simulate_dependent(instance, [(200, 0.02)], draws, 16)[:, 0])


def test_what_a_stream_would_lose_is_refused() -> None:
    instance = Instance(PowerLaw(1.5), dependence=Dependent(AR1(0.5), FractionalNoise(0.9)))
    assert _dependent(instance, [(2100, 0.01)], Replicates(2), 4).shape == (
        2,
        1,
    )  # a sequence, not a stream
    with pytest.raises(ValueError, match="n=5000.*up to n=4096"):
        _dependent(instance, [(200, 0.02), (5000, 0.01)], Replicates(2), 4)


@pytest.mark.parametrize("size", [2, 10, 64])
def test_a_toeplitz_matrix_has_the_eigenvalues_of_its_even_and_its_odd_half(size: int) -> None:
    correlations = FractionalNoise(0.8).autocorrelations(size - 1)
    directly = np.linalg.eigvalsh(toeplitz(correlations))
    assert toeplitz_eigenvalues(correlations) == pytest.approx(directly, rel=1e-12)
