"""Features that are moved while they are learnt: the risk against matrix exponentials, flows that are run, and derived indices."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.linalg import expm

import verifier as vf
from verifier.instances import (
    Axis,
    BlockRotation,
    Composition,
    CriticalTarget,
    DiagonalTransform,
    FullRotation,
    GradientFlow,
    Identity,
    Instance,
    PowerDirection,
    PowerLaw,
    RankOneTransform,
    Reflection,
    SteppedDrift,
    TransformedDrift,
)
from verifier.risk import transformed_drift
from verifier.risk.drift import DriftEquivalent
from verifier.risk.equivalents import equivalent_risk
from verifier.risk.transformed_drift import TransformedDriftEquivalent

STILL = Identity()
COUPLED = RankOneTransform(1.0, Axis(1), PowerDirection(0.7))
BOTH = RankOneTransform(5.0, PowerDirection(0.6), PowerDirection(0.9))
STRETCHED = DiagonalTransform(0.5, 2.0, "alternating")
ONCE = TransformedDrift((1.0, 10.0), (STILL, COUPLED, STILL))
AGAIN = TransformedDrift((1.0, 10.0), (BOTH, STILL, BlockRotation(4, 1.0, 5.0)), factor=50.0)
MIXED = TransformedDrift((0.1,), (Reflection(PowerDirection(0.8)), Composition((STRETCHED, BOTH))))
DRIFTS = [ONCE, AGAIN, MIXED]


def moved(drift: TransformedDrift | SteppedDrift, s: float = 0.5, beta: float = 2.0, scale: float = 1.0) -> Instance:
    return Instance(PowerLaw(beta, scale), CriticalTarget(s), filter=GradientFlow(), drift=drift)


def bias_index(drift: TransformedDrift, s: float, beta: float = 2.0) -> float:
    """Half the rate at which the squared bias falls in ln t, between 40 and 55."""
    bias, _ = TransformedDriftEquivalent(moved(drift, s, beta), 4.0).leading(np.array([40.0, 55.0]))
    return float(np.log(bias[0] / bias[1])) / 30.0


@pytest.mark.parametrize("drift", DRIFTS, ids=["once", "again", "mixed"])
def test_a_schedule_comes_back_from_its_json(drift):
    instance = moved(drift)
    assert Instance.from_json(instance.to_json()) == instance
    assert drift.describe() in instance.describe()


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: TransformedDrift((10.0, 1.0), (STILL, COUPLED, STILL)), "increase strictly"),
        (lambda: TransformedDrift((1.0,), (COUPLED,)), "must be 2 transforms"),
        (lambda: TransformedDrift((1.0,), (COUPLED, 3)), r"transforms\[1\]=3"),
        (lambda: TransformedDrift((1.0,), (STILL, FullRotation(1.0, 2.0))), "infinitely many coordinates"),
        (lambda: TransformedDrift((1.0, 100.0), (STILL, COUPLED, STILL), factor=50.0), "factor=50"),
        (lambda: TransformedDrift((), (COUPLED,), factor=50.0), "factor=50"),
        (
            lambda: TransformedDrift((1.0,), (STILL, DiagonalTransform(1, 2, "log-periodic", 5.0))),
            "a frequency of at most",
        ),
        (lambda: Instance(PowerLaw(2.0), drift=ONCE), "filter="),
    ],
)
def test_what_is_wrong_is_named(build, said):
    with pytest.raises(ValueError, match=said):
        build()


def test_schedules_say_when_each_transform_acts():
    assert ONCE.schedule(1e9) == ((0.0, 0), (1.0, 1), (10.0, 2))
    assert AGAIN.schedule(600.0) == ((0.0, 0), (1.0, 1), (10.0, 2), (50.0, 1), (500.0, 2))


@pytest.mark.parametrize("beta", [1.2, 2.0, 3.0])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_features_that_stay_are_no_drift(beta, scale):
    log_time = np.linspace(-5.0, 50.0, 56)
    still = DriftEquivalent(moved(SteppedDrift((), (1.0,)), 0.4, beta, scale), 4.0).leading(log_time)
    found = TransformedDriftEquivalent(moved(TransformedDrift((1.0,), (STILL, STILL)), 0.4, beta, scale), 4.0)
    assert np.allclose(found.leading(log_time), still, rtol=1e-6)


def dense(drift: TransformedDrift, s: float, beta: float, time: float, p: int) -> tuple[float, float]:
    """Squared bias and variance on p coordinates, by the exponentials of whole matrices."""
    index = np.arange(1.0, p + 1.0)
    root = index ** (-0.5 * beta)
    schedule = drift.schedule(time)
    kept = np.eye(p)
    for (start, k), end in zip(schedule, [*(at for at, _ in schedule[1:]), time], strict=True):
        matrix = np.eye(p)
        for factor in reversed(drift.transforms[k].factors):
            matrix = factor_matrix(factor, index) @ matrix
        kept = expm(-(root[:, None] * (matrix.T @ matrix) * root) * (end - start)) @ kept
    f = index ** -(beta * s + 0.5)
    beyond = (p + 0.5) ** (-2.0 * beta * s) / (2.0 * beta * s)
    return float(np.sum((kept @ f) ** 2)) + beyond, float(np.sum((np.eye(p) - kept) ** 2))


def factor_matrix(factor, index):
    if isinstance(factor, RankOneTransform):
        u, v = (direction_values(d, index) for d in (factor.left, factor.right))
        return np.eye(len(index)) + factor.c * np.outer(u, v)
    assert isinstance(factor, DiagonalTransform)
    return np.diag(np.where(index % 2 == 1, factor.low, factor.high))


def direction_values(direction, index):
    if direction.entries is None:
        return np.exp(direction.log_values(np.log(index)))
    values = np.zeros_like(index)
    for i, entry in direction.entries:
        values[i - 1] = entry
    return values


@pytest.mark.parametrize("s", [0.4, 1.5])
@pytest.mark.parametrize(
    "drift",
    [ONCE, TransformedDrift((1.0,), (RankOneTransform(2.0, PowerDirection(1.5), Axis(2)), STRETCHED), factor=10.0)],
    ids=["once", "again"],
)
def test_nodes_agree_with_matrix_exponentials(drift, s):
    """At beta = 3 what 400 coordinates leave out is 1e-7 of the noise, and the length of a direction that is left out 1e-3."""
    found = TransformedDriftEquivalent(moved(drift, s, 3.0), 4.0).leading(np.log(np.array([0.5, 5.0, 60.0, 700.0])))
    for place, time in enumerate((0.5, 5.0, 60.0, 700.0)):
        assert [part[place] for part in found] == pytest.approx(dense(drift, s, 3.0, time, 400), rel=2e-4)


def test_kernels_are_decomposed_to_all_their_digits():
    """Entries of the kernel span e^-78: each comes back from eigenvalues and eigenvectors to its own twelve digits."""
    spectrum, transforms = PowerLaw(2.0), (COUPLED,)
    lattice, end = transformed_drift._lattice(2.0, transforms)
    values, vectors = transformed_drift._kernel(spectrum, COUPLED, lattice, end)
    nodes = lattice.nodes(end)
    v = np.exp(COUPLED.right.log_values(nodes.log_index) + 0.5 * np.log(nodes.weight))
    e = np.where(np.arange(len(v)) == 0, 1.0, 0.0)
    root = np.exp(-nodes.log_index)
    kernel = root[:, None] * (np.eye(len(v)) + np.outer(e, v) + np.outer(v, e) + np.outer(v, v)) * root
    assert np.max(np.abs((vectors * values) @ vectors.T / kernel - 1.0)) < 1e-12
    assert values.min() < 1e-30


def test_shorter_panels_change_nothing(monkeypatch):
    log_time, instance = np.linspace(-5.0, 58.0, 64), moved(AGAIN, 0.8, 1.5)
    found = TransformedDriftEquivalent(instance, 4.0).leading(log_time)
    monkeypatch.setattr(transformed_drift, "PANEL", 0.4)
    transformed_drift._stages.cache_clear()
    finer = TransformedDriftEquivalent(instance, 4.0).leading(log_time)
    transformed_drift._stages.cache_clear()
    assert np.allclose(found, finer, rtol=1e-5)


@pytest.mark.parametrize("drift", DRIFTS, ids=["once", "again", "mixed"])
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_simulated_flows_have_this_risk(drift, scale):
    instance = moved(drift, 0.8, scale=scale)
    curve = vf.learning_curve(instance, n=(50, 400, 3200), replicates=16, seed=1)
    expected = equivalent_risk(instance, n=curve.n, lam=curve.lam)
    assert np.all(np.abs(curve.risk - expected) < 4.0 * curve.stderr + 1e-4 * expected)


@pytest.mark.parametrize("gamma", [0.6, 0.8])
@pytest.mark.parametrize(
    "drift",
    [
        lambda t: TransformedDrift((), (t,)),
        lambda t: TransformedDrift((10.0,), (t, STILL)),
        lambda t: TransformedDrift((1.0, 10.0), (STILL, t, STILL), factor=100.0),
    ],
    ids=["moved", "and back", "again"],
)
def test_the_index_is_that_of_the_column(drift, gamma):
    """min(s, 1/2 + (2 gamma - 1)/(2 beta)), by whichever of its two directions the transform reaches all others."""
    for transform in (
        RankOneTransform(2.0, Axis(1), PowerDirection(gamma)),
        RankOneTransform(2.0, PowerDirection(gamma), Axis(1)),
    ):
        for s in (0.3, 1.5):
            expected = min(s, 0.5 + (2.0 * gamma - 1.0) / 4.0)
            assert bias_index(drift(transform), s) == pytest.approx(expected, abs=0.002)


def test_a_source_condition_with_every_kernel_is_not_enough_above_one_half():
    """f_2 alone has any index with Sigma and 1 + .6 with the moved kernel (K^-1 f is e_1 and e_2); the flow leaves .6 of it."""
    drift = TransformedDrift((10.0,), (RankOneTransform(1.0, Axis(1), PowerDirection(0.7)), STILL))
    engine = TransformedDriftEquivalent(moved(drift, 3.0), 4.0)
    f = np.zeros(len(engine._further))
    f[1] = 1.0
    for stage in engine._stages:
        f = stage.turn @ (stage.faded * f)
    bias = [np.sum((np.exp(-np.minimum(stage.values * math.exp(at), 700.0)) * f) ** 2) for at in (40.0, 55.0)]
    assert math.log(bias[0] / bias[1]) / 30.0 == pytest.approx(0.6, abs=0.002)


def test_a_curve_out_of_reach_is_left_undecided():
    claim = vf.registered_claims()["T7/moved-and-back"]
    for scale in (1e-20, 1e20, 1e60):
        back = dataclasses.replace(ONCE, times=(1.0, 100.0))
        assert vf.judge(claim, moved(back, 1.2, scale=scale)).verdict == "inconclusive"
