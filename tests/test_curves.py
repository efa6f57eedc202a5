"""Simulated learning curves: the contract of `learning_curve`, correlations, the equivalent."""

import numpy as np
import pytest

from verifier.instances import BallTarget, CriticalTarget, Instance, Noise, PowerLaw, Truncated
from verifier.risk.curves import Curve, learning_curve, learning_curves
from verifier.risk.equivalents import equivalent_risk, optimal_ridge
from verifier.risk.simulate import simulated_risk

INSTANCE = Instance(spectrum=PowerLaw(beta=2.0), target=CriticalTarget(s=0.5), noise=Noise(sigma=1.0))


@pytest.fixture(scope="module")
def curve():
    return learning_curve(INSTANCE, n=(50, 100, 200), replicates=24, seed=0, tuning="schedule")


def test_shapes_and_provenance(curve):
    assert curve.n.tolist() == [50, 100, 200]
    assert curve.samples.shape == (24, 3)
    assert curve.risk.shape == curve.stderr.shape == curve.lam.shape == (3,)
    assert curve.covariance.shape == (3, 3)
    assert np.diagonal(curve.covariance) == pytest.approx(curve.stderr**2)
    assert (curve.tuning, curve.replicates, curve.seed, curve.key) == ("schedule", 24, 0, ())
    assert curve.instance is INSTANCE
    assert curve.lam == pytest.approx(np.array([50.0, 100.0, 200.0]) ** (-1 / 1.5))
    assert not curve.samples.flags.writeable


def test_agrees_with_the_equivalent(curve):
    expected = equivalent_risk(INSTANCE, n=curve.n, lam=curve.lam)
    assert np.all(np.abs(curve.risk - expected) < 3.5 * curve.stderr + expected / curve.n)


def test_points_share_their_normals(curve):
    """Neighbouring points are correlated above .9, which takes most of the variance off a slope."""
    correlation = np.corrcoef(curve.samples, rowvar=False)
    assert correlation[0, 1] > 0.9
    steps = np.diff(np.log(curve.samples), axis=1).var(axis=0)
    independent = np.log(curve.samples).var(axis=0)
    assert np.all(steps < 0.3 * (independent[1:] + independent[:-1]))


def test_a_point_does_not_depend_on_its_company(curve):
    alone = learning_curve(INSTANCE, n=(100,), replicates=3, seed=0, tuning="schedule")
    assert np.array_equal(alone.samples[:, 0], curve.samples[:3, 1])
    plain = simulated_risk(INSTANCE, n=100, lam=float(curve.lam[1]), replicates=3)
    assert np.array_equal(alone.samples[:, 0], plain)


def test_seed_and_key_name_the_randomness():
    runs = [
        learning_curve(INSTANCE, n=[20], replicates=2, seed=seed, key=key).samples
        for seed, key in ((0, ()), (0, ()), (1, ()), (0, ("confirm",)))
    ]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    assert not np.array_equal(runs[0], runs[3])


def test_tuning_rules():
    optimal = learning_curve(INSTANCE, n=(20, 40), replicates=2)
    assert optimal.tuning == "optimal"
    assert optimal.lam == pytest.approx(optimal_ridge(INSTANCE, (20, 40)))

    def tenth(instance: Instance, n: int) -> float:
        return 0.1 * instance.s / n

    chosen = learning_curve(INSTANCE, n=(20, 40), replicates=2, tuning=tenth)
    assert chosen.tuning == "tenth"
    assert chosen.lam == pytest.approx([0.0025, 0.00125])


def test_oracle_ridge_is_within_second_order_of_the_best_simulated_one():
    n = 64
    lam = float(optimal_ridge(INSTANCE, n))
    risks = simulated_risk(INSTANCE, n=n, lam=lam * np.geomspace(0.5, 2.0, 9), replicates=64, directions=256)
    mean = risks.mean(axis=0)
    assert mean[4] / mean.min() - 1.0 < 0.01


FAST = {"controls": True, "antithetic": True, "directions": "head"}


def test_curves_of_a_batch_are_those_of_each_instance_alone():
    """To rounding: instances of a batch share matrices, not numbers."""
    members = [
        Instance(spectrum=PowerLaw(beta), target=CriticalTarget(s), noise=Noise(sigma))
        for beta, s, sigma in ((1.5, 0.5, 1.0), (1.5, 0.5, 0.1), (3.0, 1.0, 0.0), (1.1, 0.1, 1.0))
    ]
    n = (20, 100, 5000)
    for options in (FAST, {"controls": True}):
        together = learning_curves(members, n=n, replicates=3, key=("batch",), **options)
        for inst, curve in zip(members, together, strict=True):
            alone = learning_curve(inst, n=n, replicates=3, key=("batch",), **options)
            assert curve.instance is inst
            assert curve.lam == pytest.approx(alone.lam, rel=1e-14)
            assert curve.samples == pytest.approx(alone.samples, rel=1e-10)
    again = learning_curves(members, n=n, replicates=3, key=("batch",), controls=True)
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(together, again, strict=True))
    assert learning_curves([], n=n) == []


def test_the_fast_estimator_agrees_with_the_default_one():
    n = (100, 200)
    default = learning_curve(INSTANCE, n=n, replicates=32, tuning="schedule", antithetic=True)
    fast = learning_curve(INSTANCE, n=n, replicates=32, tuning="schedule", **FAST)
    stderr = np.hypot(default.stderr, fast.stderr)
    assert np.all(np.abs(fast.risk - default.risk) < 3.5 * stderr + 2e-4 * fast.risk)
    assert np.all(stderr < 3e-3 * fast.risk)


def test_the_best_of_many_ridges_is_the_one_with_the_smallest_mean():
    grid = np.geomspace(1e-3, 1.0, 12)
    curve = learning_curve(INSTANCE, n=(50, 200), replicates=5, tuning=grid, controls=True)
    assert curve.tuning == "grid"
    for k, n in enumerate((50, 200)):
        every = simulated_risk(INSTANCE, n=n, lam=grid, replicates=5, controls=True)
        best = int(np.argmin(every.mean(axis=0)))
        assert 0 < best < 11
        assert curve.lam[k] == grid[best]
        assert curve.samples[:, k] == pytest.approx(every[:, best], rel=1e-12)

    def around(inst: Instance, m: int) -> np.ndarray:
        return float(optimal_ridge(inst, m)) * np.array([0.1, 1.0, 10.0])

    chosen = learning_curve(INSTANCE, n=(50, 200), replicates=4, tuning=around, **FAST)
    assert chosen.tuning == "around"
    assert chosen.lam == pytest.approx(optimal_ridge(INSTANCE, (50, 200)))


def test_from_ten_to_a_million_samples():
    curve = learning_curve(INSTANCE, n=(10, 1000, 1_000_000), replicates=4, directions=128, controls=True)
    expected = equivalent_risk(INSTANCE, n=curve.n, lam=curve.lam)
    assert np.all(np.abs(curve.risk / expected - 1.0) < [0.3, 2e-3, 1e-5])


def test_one_direction_and_the_worst_of_a_ball():
    single = Instance(spectrum=Truncated(PowerLaw(1.5), 1), noise=Noise(0.3))
    assert np.all(learning_curve(single, n=(3, 9), replicates=2).risk > 0.0)
    ball = Instance(spectrum=PowerLaw(1.5), target=BallTarget(0.5), noise=Noise(0.3))
    curve = learning_curve(ball, n=(100, 300), replicates=6, directions=300)
    assert curve.risk == pytest.approx(equivalent_risk(ball, n=curve.n, lam=curve.lam), rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": ()}, "n=\\(\\) is empty"),
        ({"n": 100}, "n=100 must be a sequence"),
        ({"n": (0, 10)}, "n contains 0"),
        ({"n": (10.5, 20)}, "n contains 10.5"),
        ({"n": (True, 2)}, "n contains True"),
        ({"n": (20, 10)}, "increase strictly"),
        ({"n": (10, 10)}, "increase strictly"),
        ({"replicates": 1}, "replicates=1"),
        ({"replicates": 2.5}, "replicates=2.5"),
        ({"tuning": "best"}, "tuning='best'"),
        ({"tuning": lambda inst, n: -1.0}, "-1.0 at n=10"),
        ({"tuning": lambda inst, n: float("nan")}, "nan at n=10"),
        ({"tuning": [0.1, -1.0]}, "-1.0 at n=10"),
        ({"tuning": []}, "shape \\(0,\\) at n=10"),
        ({"directions": -3}, "directions=-3"),
        ({"directions": "tail"}, "directions='tail'"),
        ({"seed": "zero"}, "seed='zero'"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        learning_curve(INSTANCE, **{"n": (10, 20), "replicates": 2} | arguments)


def test_a_curve_checks_its_shapes():
    with pytest.raises(ValueError, match="shapes"):
        Curve(INSTANCE, np.array([1, 2]), np.ones(2), np.ones((3, 1)), "optimal", 3, 0)
    with pytest.raises(ValueError, match="finite"):
        Curve(INSTANCE, np.array([1, 2]), np.ones(2), np.full((3, 2), np.nan), "optimal", 3, 0)
