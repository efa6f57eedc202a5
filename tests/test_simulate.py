"""The simulation engine against scikit-learn, plain linear algebra, and the deterministic equivalent.

Statistical assertions use fixed seeds; each family states its level, shared over its members (Bonferroni).
"""

import dataclasses
import hashlib
import statistics
import subprocess
import sys
import time
import tracemalloc

import mpmath
import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge

from verifier.instances import (
    BallTarget,
    CriticalTarget,
    Exponential,
    Finite,
    Instance,
    LacunaryTarget,
    Noise,
    PowerLaw,
    SingleEigenfunction,
    Truncated,
    eigenvalues,
)
from verifier.risk import simulate as engine
from verifier.risk.controls import control
from verifier.risk.equivalents import effective_ridge, equivalent_risk, optimal_ridge, ridge
from verifier.risk.simulate import (
    Replicates,
    default_directions,
    head_directions,
    head_problems,
    problem,
    simulated_risk,
    worst_index,
)
from verifier.risk.stacked import stacked_risks


def finite(p: int, beta: float, s: float, sigma: float) -> Instance:
    return Instance(spectrum=Truncated(PowerLaw(beta), p), target=CriticalTarget(s), noise=Noise(sigma))


def coefficients(instance: Instance, p: int) -> tuple[np.ndarray, np.ndarray]:
    ell = eigenvalues(instance.spectrum, p)
    log_index = np.log(np.arange(1.0, p + 1.0))
    energy = np.exp(instance.target.log_energy(log_index, np.log(ell)))
    return ell, np.sqrt(energy) * ell**instance.target.l2_index


def sklearn_risks(instance: Instance, p: int, n: int, lam: float, noise: str, count: int) -> np.ndarray:
    """Excess risks of scikit-learn fits: of one draw of labels, or averaged by linearity in the labels."""
    rng = np.random.default_rng(20240613)
    ell, f = coefficients(instance, p)
    theta = f / np.sqrt(ell)
    model = Ridge(alpha=n * lam, fit_intercept=False, solver="svd")
    risks = np.empty(count)
    for r in range(count):
        x = rng.standard_normal((n, p)) * np.sqrt(ell)
        if noise == "sampled":
            y = x @ theta + instance.sigma * rng.standard_normal(n)
            risks[r] = np.sum(ell * (model.fit(x, y).coef_ - theta) ** 2)
        else:
            fitted = model.fit(x, np.column_stack([x @ theta, instance.sigma * np.eye(n)])).coef_
            risks[r] = np.sum(ell * (fitted[0] - theta) ** 2) + np.sum(ell * fitted[1:] ** 2)
    return risks


AGAINST_SKLEARN = [
    pytest.param(finite(10, 1.5, 0.5, 0.5), 10, 40, 0.01, "sampled", id="n>p"),
    pytest.param(finite(10, 1.5, 0.5, 0.5), 10, 40, 0.01, "averaged", id="n>p, noise averaged"),
    pytest.param(finite(40, 1.5, 0.5, 0.5), 40, 15, 0.01, "sampled", id="n<p"),
    pytest.param(finite(40, 1.5, 0.5, 0.5), 40, 15, 0.01, "averaged", id="n<p, noise averaged"),
    pytest.param(finite(20, 1.2, 1.0, 0.3), 20, 20, 0.02, "sampled", id="n=p"),
    pytest.param(finite(20, 1.2, 1.0, 0.3), 20, 20, 0.02, "averaged", id="n=p, noise averaged"),
    pytest.param(finite(60, 2.0, 0.5, 0.0), 60, 30, 0.003, "sampled", id="sigma=0"),
    pytest.param(finite(40, 1.5, 0.3, 0.3), 40, 12, 0.0, "sampled", id="interpolation"),
    pytest.param(finite(8, 1.5, 0.5, 1.0), 8, 24, 0.0, "sampled", id="least squares"),
]
FAMILY = 1e-3 / (4 * len(AGAINST_SKLEARN))  # two tests of the mean, one of the variance, one of the distribution


@pytest.mark.parametrize(("instance", "p", "n", "lam", "noise"), AGAINST_SKLEARN)
@pytest.mark.thorough
def test_replicates_are_distributed_as_scikit_learn_fits(instance, p, n, lam, noise):
    count = 500
    ours = simulated_risk(instance, n=n, lam=lam, replicates=count, seed=3, noise=noise, signs="fixed")
    theirs = sklearn_risks(instance, p, n, lam, noise, count)
    # The variance of a risk has heavy tails; on the logarithm both moments are well-behaved.
    a, b = np.log(ours), np.log(theirs)
    threshold = stats.norm.isf(FAMILY / 2)
    assert abs(a.mean() - b.mean()) < threshold * np.sqrt((a.var() + b.var()) / count)
    assert abs(ours.mean() - theirs.mean()) < threshold * np.sqrt((ours.var() + theirs.var()) / count)
    spread = [np.var((x - x.mean()) ** 2) / count for x in (a, b)]
    assert abs(a.var() - b.var()) < threshold * np.sqrt(sum(spread))
    assert stats.ks_2samp(ours, theirs).pvalue > FAMILY


def naive_risk(instance, p, n, lam, signs, noise, replicate):
    """The definition of the risk on the engine's own sample, by plain linear algebra."""
    draws = Replicates(seed=0, signs=signs, noise=noise)
    key = ("replicate", replicate)
    factor = engine.bartlett(engine.replicate_normals(p, min(n, p), 0, key), n, p)
    ell, f = coefficients(instance, p)
    x = factor.T * np.sqrt(ell)
    back = np.linalg.solve(x.T @ x / n + lam * np.eye(p), x.T / n) if lam > 0.0 else np.linalg.pinv(x)
    bias = np.sqrt(ell)[:, None] * (back @ x - np.eye(p)) / np.sqrt(ell)
    spread = np.sqrt(ell)[:, None] * back
    extras = engine._Extras(draws, key)
    labels = instance.sigma * extras.noise(min(n, p))
    averaged = instance.sigma**2 * np.sum(spread**2)
    if signs == "averaged":
        return np.sum(bias**2, axis=0) @ f**2 + (averaged if noise == "averaged" else np.sum((spread @ labels) ** 2))
    error = bias @ (f * extras.signs(p))
    return error @ error + averaged if noise == "averaged" else np.sum((error + spread @ labels) ** 2)


@pytest.mark.parametrize("signs", engine.SIGN_MODES)
@pytest.mark.parametrize("noise", engine.NOISE_MODES)
@pytest.mark.parametrize(
    ("n", "p", "lam", "sigma"),
    [
        (60, 12, 0.01, 0.5),
        (60, 12, 0.0, 1.0),
        (20, 20, 0.01, 1.0),
        (20, 40, 0.01, 0.5),
        (20, 40, 0.0, 0.5),
        (20, 21, 0.003, 0.0),
        (20, 26, 0.0, 0.1),
        (1, 30, 0.1, 0.3),
        (1, 1, 0.1, 0.3),
        (300, 150, 1e-3, 0.1),
    ],
)
def test_each_replicate_is_the_definition_on_the_same_sample(n, p, lam, sigma, signs, noise):
    instance = finite(p, 1.5, 0.5, sigma)
    ours = simulated_risk(instance, n=n, lam=lam, replicates=2, signs=signs, noise=noise)
    assert ours == pytest.approx([naive_risk(instance, p, n, lam, signs, noise, r) for r in range(2)], rel=1e-8)


@pytest.mark.parametrize("signs", ["averaged", "fixed"])
def test_steep_noiseless_interpolation_keeps_its_digits(signs):
    """A risk of 1e-13 at a target of size one: the textbook formula in doubles has no correct digit left."""
    n, p, beta = 8, 24, 6.0
    instance = Instance(spectrum=Truncated(PowerLaw(beta), p), target=SingleEigenfunction(1.0), noise=Noise(0.0))
    risk = float(simulated_risk(instance, n=n, lam=0.0, replicates=1, signs=signs)[0])
    factor = engine.bartlett(engine.replicate_normals(p, n, 0, ("replicate", 0)), n, p)
    with mpmath.workdps(60):
        root = [mpmath.mpf(float(value)) ** mpmath.mpf("0.5") for value in eigenvalues(instance.spectrum, p)]
        x = mpmath.matrix(n, p)
        for i in range(n):
            for j in range(p):
                x[i, j] = mpmath.mpf(float(factor[j, i])) * root[j]
        theta_hat = x.T * mpmath.lu_solve(x * x.T, x[:, 0])
        exact = sum((root[j] * (theta_hat[j] - (1 if j == 0 else 0))) ** 2 for j in range(p))
    assert float(exact) < 1e-6
    assert risk == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize("n", [500, 100])
def test_many_ridges_on_one_sample_equal_one_at_a_time(n):
    instance = finite(200, 1.5, 0.5, 0.3)
    ridges = np.geomspace(1e-5, 1.0, 7)
    together = simulated_risk(instance, n=n, lam=ridges, replicates=2)
    assert together.shape == (2, 7)
    for j, lam in enumerate(ridges):
        assert together[:, j] == pytest.approx(simulated_risk(instance, n=n, lam=lam, replicates=2), rel=1e-10)


HOLDS = [
    # beta, s, sigma, n, replicates, c. Measured deviation times n: about 0.5 with noise, up to 8 without.
    (1.5, 0.5, 1.0, 100, 64, 1.0),
    (2.0, 0.5, 0.1, 200, 32, 1.0),
    (1.1, 0.1, 1.0, 200, 24, 1.0),
    (1.5, 0.5, 0.0, 100, 64, 12.0),
    (3.0, 1.0, 0.0, 100, 64, 12.0),
    (6.0, 1.0, 0.0, 100, 64, 12.0),
    (1.5, 0.5, 1.0, 1000, 16, 1.0),
    (1.5, 0.5, 1.0, 1_000_000, 8, 1.0),
    (1.1, 0.1, 0.0, 10_000, 8, 12.0),
]


@pytest.mark.parametrize(("beta", "s", "sigma", "n", "replicates", "c"), HOLDS)
def test_agrees_with_the_equivalent_from_n_100_on(beta, s, sigma, n, replicates, c):
    instance = Instance(spectrum=PowerLaw(beta), target=CriticalTarget(s), noise=Noise(sigma))
    lam = float(optimal_ridge(instance, n))
    expected = equivalent_risk(instance, n=n, lam=lam)
    samples = simulated_risk(instance, n=n, lam=lam, replicates=replicates, seed=11)
    stderr = samples.std(ddof=1) / np.sqrt(replicates)
    assert abs(samples.mean() - expected) < 3.5 * stderr + c / n * expected


@pytest.mark.parametrize(
    ("beta", "s", "sigma", "n", "low", "high"),
    [(2.0, 0.5, 1.0, 5, 0.03, 0.12), (1.5, 0.5, 0.0, 10, 0.05, 0.13), (3.0, 1.0, 0.0, 10, 0.25, 0.90)],
)
@pytest.mark.thorough
def test_below_n_30_the_equivalent_is_too_low_by_this_much(beta, s, sigma, n, low, high):
    """Measured relative deviations (1,500 replicates): +.072 +- .009, +.090 +- .008, +.55 +- .06."""
    instance = Instance(spectrum=PowerLaw(beta), target=CriticalTarget(s), noise=Noise(sigma))
    lam = float(optimal_ridge(instance, n))
    samples = simulated_risk(instance, n=n, lam=lam, replicates=1000, seed=12, directions=8 * n)
    deviation = samples / equivalent_risk(instance, n=n, lam=lam) - 1.0
    assert deviation.mean() > 3.5 * deviation.std(ddof=1) / np.sqrt(len(deviation))
    assert low < deviation.mean() < high


def test_interpolation_of_isotropic_data_has_its_closed_form():
    """E tr W^-1 / n = p / (n - p - 1) for a Wishart matrix (Muirhead 1982, Theorem 3.2.12)."""
    instance = Instance(spectrum=Finite((1.0,) * 6), target=CriticalTarget(0.5), noise=Noise(0.7))
    samples = simulated_risk(instance, n=30, lam=0.0, replicates=3000, seed=1)
    assert abs(samples.mean() - 0.49 * 6 / 23) < 4.0 * samples.std() / np.sqrt(len(samples))


@pytest.mark.parametrize(
    ("beta", "s", "sigma", "n", "p", "replicates", "bound"),
    [
        (1.1, 0.1, 1.0, 64, 256, 24, 2e-4),
        (1.05, 0.05, 0.0, 64, 256, 24, 2e-4),
        (1.5, 0.5, 1.0, 64, 256, 24, 1e-4),
        (1.5, 0.5, 0.0, 64, 256, 24, 2e-3),
        (3.0, 1.0, 0.0, 64, 256, 24, 2e-3),
        (1.5, 0.5, 1.0, 2000, 128, 4, 5e-5),
        (1.1, 0.1, 0.0, 2000, 128, 4, 5e-4),
    ],
)
@pytest.mark.thorough
def test_truncation_bias_is_small(beta, s, sigma, n, p, replicates, bound):
    """Paired change of the risk from p to 2p and 4p directions, on the same normals."""
    instance = Instance(spectrum=PowerLaw(beta), target=CriticalTarget(s), noise=Noise(sigma))
    lam = float(optimal_ridge(instance, n))
    runs = [simulated_risk(instance, n=n, lam=lam, replicates=replicates, directions=k * p) for k in (1, 2, 4)]
    for shorter in runs[:2]:
        change = shorter / runs[2] - 1.0
        assert abs(change.mean()) < bound + 3.5 * change.std(ddof=1) / np.sqrt(replicates)


def test_cutting_the_tail_off_instead_would_lose_much_of_the_risk():
    instance = Instance(spectrum=PowerLaw(1.1), target=CriticalTarget(0.1), noise=Noise(1.0))
    lam = float(optimal_ridge(instance, 64))
    with_tail = simulated_risk(instance, n=64, lam=lam, replicates=8, directions=256)
    cut = Instance(spectrum=Truncated(PowerLaw(1.1), 256), target=CriticalTarget(0.1), noise=Noise(1.0))
    without = simulated_risk(cut, n=64, lam=lam, replicates=8)
    assert abs(without.mean() / with_tail.mean() - 1.0) > 0.2


@pytest.mark.parametrize(("n", "gain"), [(200, 1.5), (4000, 10.0)])
def test_controls_keep_the_mean_and_cut_the_variance(n, gain):
    instance = Instance(spectrum=PowerLaw(1.5), target=CriticalTarget(0.5), noise=Noise(1.0))
    lam = float(optimal_ridge(instance, n))
    replicates = 48
    plain = simulated_risk(instance, n=n, lam=lam, replicates=replicates, directions=256, seed=5)
    controlled = simulated_risk(instance, n=n, lam=lam, replicates=replicates, directions=256, seed=5, controls=True)
    difference = plain - controlled
    assert abs(difference.mean()) < 4.0 * difference.std(ddof=1) / np.sqrt(replicates)
    assert plain.std() > gain * controlled.std()


def test_the_quadratic_control_is_the_double_sum_of_its_docstring():
    n, p = 400, 12
    item = problem(Instance(spectrum=PowerLaw(1.5)), n=n, lam=0.02, directions=p)
    known = control(item)
    assert known is not None
    factor = engine.bartlett(engine.replicate_normals(p, p, 0, ("x",)), n, p)
    d = factor @ factor.T / n - np.eye(p)
    b = known.left.T @ known.right
    b[np.diag_indices(p)] = known.own
    expected = known.first @ np.diagonal(d) + np.sum(b * (d**2 - (1.0 + np.eye(p)) / n))
    plain, controlled = (stacked_risks(factor[None], [item], [given])[0, 0] for given in (None, known))
    assert plain - controlled == pytest.approx(expected, rel=1e-9)


def test_controls_stay_off_where_their_expansion_fails():
    instance = Instance(spectrum=PowerLaw(3.0), target=CriticalTarget(1.0), noise=Noise(0.0))
    plain, controlled = (
        simulated_risk(instance, n=50, lam=0.0, replicates=3, controls=controls) for controls in (False, True)
    )
    assert np.array_equal(plain, controlled)


@pytest.mark.parametrize(
    ("sigma", "controls", "directions", "gain"),
    # Measured: variances 8, 35 and 3.8 times smaller, at twice the cost.
    [(1.0, True, 24, 5.0), (1.0, False, 256, 15.0), (0.0, False, 256, 2.0)],
)
@pytest.mark.thorough
def test_mirrored_samples_keep_the_mean_and_pay_for_themselves(sigma, controls, directions, gain):
    instance = Instance(spectrum=PowerLaw(1.5), target=CriticalTarget(0.5), noise=Noise(sigma))
    lam = float(optimal_ridge(instance, 200))
    common = {"n": 200, "lam": lam, "replicates": 96, "directions": directions, "seed": 6, "controls": controls}
    plain, mirrored = (simulated_risk(instance, **common, antithetic=flag) for flag in (False, True))
    difference = plain - mirrored
    assert abs(difference.mean()) < 4.0 * difference.std(ddof=1) / np.sqrt(96)
    assert plain.var() > gain * mirrored.var()


def test_a_mirrored_sample_has_the_distribution_of_a_sample():
    """The mirror image of a chi is its other quantile: both halves are scikit-learn's risks, to any test."""
    instance = finite(10, 1.5, 0.5, 0.5)
    common = {"n": 15, "lam": 0.01, "replicates": 800, "seed": 8}
    plain, mirrored = (simulated_risk(instance, **common, antithetic=flag) for flag in (False, True))
    assert stats.ks_2samp(2.0 * mirrored - plain, plain).pvalue > 1e-4


HEADS = [
    # beta, s, sigma, tuning, n, reference directions, replicates, bound on the relative bias
    (1.5, 0.5, 1.0, "schedule", 100, 800, 200, 2e-4),
    (1.5, 0.5, 1.0, "optimal", 400, 800, 16, 2e-4),
    (1.1, 0.1, 1.0, "optimal", 100, 800, 100, 2e-4),
    (3.0, 0.5, 1.0, "optimal", 100, 400, 200, 2e-4),
    (1.5, 0.5, 0.0, "optimal", 100, 800, 100, 1e-3),
    (3.0, 1.0, 0.0, "optimal", 100, 400, 100, 1e-2),
]


@pytest.mark.parametrize(("beta", "s", "sigma", "tuning", "n", "reference", "replicates", "bound"), HEADS)
def test_the_head_has_the_bias_it_states(beta, s, sigma, tuning, n, reference, replicates, bound):
    """Paired change of the risk from the head's directions to many, on the same normals."""
    instance = Instance(spectrum=PowerLaw(beta), target=CriticalTarget(s), noise=Noise(sigma))
    lam = float(ridge(instance, n, tuning))
    items = [*head_problems(instance, [n], [lam]), problem(instance, n=n, lam=lam, directions=reference)]
    assert len(items[0].ell) <= n // 2 < len(items[1].ell)
    head, full = engine.simulate(items, Replicates(replicates, antithetic=True)).T
    change = (head - full) / full.mean()
    assert abs(change.mean()) < bound + 3.5 * change.std(ddof=1) / np.sqrt(replicates)


def test_leaving_the_tail_of_the_head_out_would_be_seen():
    """The bound of the test above against the error that it is there to catch."""
    instance = Instance(spectrum=PowerLaw(1.5), target=CriticalTarget(0.5), noise=Noise(1.0))
    lam = float(ridge(instance, 100, "schedule"))
    (item,) = head_problems(instance, [100], [lam])
    bare = [dataclasses.replace(item, ridge=lam), dataclasses.replace(item, tail_bias=0.0)]
    risks = engine.simulate([item, *bare], Replicates(50, antithetic=True)).mean(axis=0)
    assert np.all(np.abs(risks[1:] / risks[0] - 1.0) > 1e-2)


@pytest.mark.parametrize(
    "instance",
    [
        Instance(spectrum=PowerLaw(1.5), noise=Noise(1.0)),
        Instance(spectrum=PowerLaw(4.0), target=CriticalTarget(1.0), noise=Noise(0.0)),
        Instance(spectrum=Exponential(0.5), noise=Noise(0.1)),
        Instance(spectrum=PowerLaw(1.5), target=LacunaryTarget(0.5, ratio=3.0), noise=Noise(0.1)),
        Instance(spectrum=PowerLaw(1.5), target=BallTarget(0.5), noise=Noise(0.5)),
        Instance(spectrum=Finite((1.0, 0.5, 0.1)), noise=Noise(0.5)),
        finite(1000, 1.2, 0.5, 0.3),
    ],
    ids=lambda instance: instance.describe(),
)
def test_the_heads_problems_are_those_of_any_number_of_directions(instance):
    sizes, ridges = [1, 2, 3, 40, 40, 10**6], [0.1, 0.1, 1e-3, 1e-3, 0.1, 1e-4]
    for item, n, lam in zip(head_problems(instance, sizes, ridges), sizes, ridges, strict=True):
        other = problem(instance, n=n, lam=lam, directions=len(item.ell))
        # The tail is a difference here and a sum there, and both enter beside these scales.
        assert item.ell == pytest.approx(other.ell, rel=1e-14)
        assert item.f2 == pytest.approx(other.f2, rel=1e-14)
        assert item.ridge == pytest.approx(other.ridge, rel=1e-8)
        assert item.tail_df2 == pytest.approx(other.tail_df2, abs=1e-8)
        risks = engine.simulate([item, other], Replicates(2))
        assert risks[:, 0] == pytest.approx(risks[:, 1], rel=1e-7)
    # One n, one number of directions: its ridges share their samples' factorisation.
    same = head_problems(instance, [40, 40], [1e-3, 0.1])
    assert len(same[0].ell) == len(same[1].ell)


def test_head_directions_follow_their_rule():
    infinite = Instance(spectrum=PowerLaw(1.5))
    assert head_directions(infinite, [100, 100, 1000, 10**6, 3], np.array([13.4, 90.0, 41.0, 900.0, 1.5])) == [
        16,
        50,
        32,
        128,
        1,
    ]
    assert head_directions(finite(5, 1.5, 0.5, 1.0), [100], np.array([5.0])) == [5]


def test_averaging_signs_is_the_mean_over_sampled_signs():
    instance = finite(12, 1.5, 0.5, 0.0)
    averaged = simulated_risk(instance, n=8, lam=0.01, replicates=1500, seed=2)
    sampled = simulated_risk(instance, n=8, lam=0.01, replicates=1500, seed=2, signs="sampled")
    difference = sampled - averaged
    assert abs(difference.mean()) < 4.0 * difference.std() / np.sqrt(1500)
    assert averaged.std() < sampled.std()


def test_cost_does_not_grow_with_n():
    instance = Instance(spectrum=PowerLaw(1.5))
    ratios = []
    for _ in range(7):
        seconds = []
        for n in (10_000, 1_000_000):
            start = time.perf_counter()
            simulated_risk(instance, n=n, lam=1e-3, replicates=8, directions=256)
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[1] / seconds[0])
    assert statistics.median(ratios) < 1.5


def test_memory_at_a_million_samples():
    instance = Instance(spectrum=PowerLaw(1.5))
    tracemalloc.start()
    simulated_risk(instance, n=1_000_000, lam=1e-3, replicates=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6


def test_instances_of_the_same_shape_keep_their_own_spectrum():
    """Eight problems with equal (n, p): as many as an eigendecomposition would take together were they one instance."""
    items = [problem(finite(30, beta, 0.5, 0.3), n=90, lam=0.01) for beta in np.linspace(1.2, 2.5, 8)]
    together = engine.simulate(items, Replicates(count=3))
    for j, item in enumerate(items):
        assert np.array_equal(together[:, j], engine.simulate([item], Replicates(count=3))[:, 0])


def test_same_numbers_in_another_order_slice_or_company():
    instance = finite(300, 1.5, 0.5, 0.3)
    items = [problem(instance, n=n, lam=0.01) for n in (50, 1000, 200)]
    whole = engine.simulate(items, Replicates(count=4, seed=9, key=("a", 1)))
    alone = [engine.simulate([item], Replicates(count=4, seed=9, key=("a", 1)))[:, 0] for item in items]
    assert np.array_equal(whole, np.stack(alone, axis=1))
    assert np.array_equal(whole[:, ::-1], engine.simulate(items[::-1], Replicates(count=4, seed=9, key=("a", 1))))
    assert np.array_equal(whole[2:], engine.simulate(items, Replicates(count=2, seed=9, key=("a", 1), first=2)))
    assert not np.array_equal(whole, engine.simulate(items, Replicates(count=4, seed=9, key=("a", 2))))


PROGRAM = """
import hashlib
from verifier.instances import Instance, PowerLaw
from verifier.risk.simulate import simulated_risk
instance = Instance(spectrum=PowerLaw(1.5))
risks = [simulated_risk(instance, n=n, lam=0.01, replicates=3, seed=4).tobytes() for n in (30, 5000)]
print(hashlib.sha256(b"".join(risks)).hexdigest())
"""


def test_same_numbers_in_another_process():
    instance = Instance(spectrum=PowerLaw(1.5))
    risks = [simulated_risk(instance, n=n, lam=0.01, replicates=3, seed=4).tobytes() for n in (5000, 30)]
    here = hashlib.sha256(b"".join(risks[::-1])).hexdigest()
    there = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_common_random_numbers_follow_the_replicate_not_the_instance():
    ours, neighbour = (
        simulated_risk(Instance(spectrum=PowerLaw(beta)), n=60, lam=0.02, replicates=24) for beta in (1.5, 1.51)
    )
    assert np.corrcoef(ours, neighbour)[0, 1] > 0.99


def test_worst_target_of_the_ball_is_the_worst_single_eigenfunction():
    spectrum, noise = PowerLaw(1.5), Noise(0.5)
    ball = Instance(spectrum=spectrum, target=BallTarget(0.5), noise=noise)
    kappa = float(effective_ridge(ball, 100, 0.01))
    worst = worst_index(ball, kappa)
    assert 1 < worst < 100
    risk = simulated_risk(ball, n=100, lam=0.01, replicates=2)
    for index in range(1, 60, 7):
        single = Instance(spectrum=spectrum, target=SingleEigenfunction(0.5, index=index), noise=noise)
        assert equivalent_risk(single, n=100, lam=0.01) <= equivalent_risk(ball, n=100, lam=0.01) * (1 + 1e-12)
    single = Instance(spectrum=spectrum, target=SingleEigenfunction(0.5, index=worst), noise=noise)
    assert risk == pytest.approx(simulated_risk(single, n=100, lam=0.01, replicates=2), rel=1e-12)


def test_worst_target_beyond_the_simulated_directions_enters_with_the_tail():
    ball = Instance(spectrum=PowerLaw(1.5), target=BallTarget(0.5), noise=Noise(0.5))
    item = problem(ball, n=100, lam=0.01, directions=5)
    assert not item.f2.any()
    assert item.tail_bias > 0.0


def test_targets_on_a_few_eigenfunctions():
    instance = Instance(spectrum=PowerLaw(1.5), target=LacunaryTarget(0.5, ratio=3.0), noise=Noise(0.1))
    item = problem(instance, n=50, lam=0.01)
    assert np.flatnonzero(item.f2).tolist() == [3**k - 1 for k in range(6)]
    assert item.f2[8] == pytest.approx(item.ell[8])
    assert simulated_risk(instance, n=50, lam=0.01, replicates=2).shape == (2,)


def test_directions_far_below_the_ridge_are_left_to_first_order():
    instance = Instance(spectrum=Exponential(2.0), noise=Noise(0.1))
    risk = simulated_risk(instance, n=50, lam=0.01, replicates=16)
    expected = equivalent_risk(instance, n=50, lam=0.01)
    assert len(problem(instance, n=50, lam=0.01).ell) < 50
    assert abs(risk.mean() / expected - 1.0) < 3.5 * risk.std() / expected / 4.0 + 1 / 50


def test_default_directions():
    infinite = Instance(spectrum=PowerLaw(1.5))
    assert [default_directions(infinite, n) for n in (10, 200, 400, 800, 801, 10**6)] == [
        512,
        800,
        1600,
        1600,
        512,
        512,
    ]
    assert default_directions(finite(1000, 1.5, 0.5, 1.0), 20) == 1000
    assert default_directions(finite(1000, 1.5, 0.5, 1.0), 5000) == 512
    assert default_directions(finite(3, 1.5, 0.5, 1.0), 5000) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 0}, "n=0"),
        ({"n": 2.5}, "n=2.5"),
        ({"lam": -1.0}, "lam=-1.0"),
        ({"lam": float("nan")}, "lam=nan"),
        ({"lam": []}, "lam=\\[\\]"),
        ({"replicates": 0}, "replicates=0"),
        ({"noise": "none"}, "noise='none'"),
        ({"signs": "plus"}, "signs='plus'"),
        ({"directions": 0}, "directions=0"),
        ({"controls": True, "signs": "fixed"}, "controls=True"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        simulated_risk(Instance(spectrum=PowerLaw(2.0)), **{"n": 10, "lam": 0.1, "replicates": 1} | arguments)


def test_a_system_that_doubles_cannot_resolve_is_refused():
    instance = Instance(spectrum=Exponential(5.0), noise=Noise(0.0))
    with pytest.raises(ValueError, match="singular in double precision"):
        simulated_risk(instance, n=60, lam=0.0, replicates=1)
