"""Mixtures: their sums against direct ones, the indices of carried targets, crossovers, and what the ingredients refuse."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import verifier as vf
from verifier.risk.asymptotics import effective_index, theorem_exponent
from verifier.risk.equivalents import effective_ridge, equivalent, optimal_ridge
from verifier.risk.observables import crossover
from verifier.risk.smoothness import source_indices

TWO = vf.Mixture((0.9, 0.1), (vf.PowerLaw(3.0), vf.PowerLaw(1.5)))
FIVE = vf.Mixture(
    (0.2, 0.7988, 0.001, 0.0001, 0.0001),
    (
        vf.PowerLaw(2.0),
        vf.PowerLaw(4.0, scale=2.0),
        vf.Spiked(1.6, spikes=3, height=5.0),
        vf.BrokenPowerLaw(1.8, head_beta=1.0, knee=30),
        vf.PowerLaw(1.6),
    ),
)


@pytest.mark.parametrize("mixture", [TWO, FIVE], ids=["two", "five"])
@pytest.mark.parametrize(
    "target",
    [
        vf.CriticalTarget(s=0.7),
        vf.CarriedCoefficients(s=0.4, origin=vf.PowerLaw(3.0)),
        vf.CarriedFunction(s=0.8, origin=vf.PowerLaw(4.0)),
    ],
    ids=["critical", "coefficients", "function"],
)
def test_sums_are_direct_sums(mixture: vf.Mixture, target: vf.Target) -> None:
    instance = vf.Instance(mixture, target)
    x = np.log(np.arange(1.0, 300_001.0))
    parts = [w * np.exp(part.log_eigenvalues(x)) for w, part in zip(mixture.weights, mixture.components, strict=True)]
    ell = np.sum(parts, axis=0)
    np.testing.assert_allclose(np.exp(mixture.log_eigenvalues(x)), ell, rtol=1e-12)
    energy = np.exp(target.log_energy(x, np.log(ell)) + 2.0 * target.l2_index * np.log(ell))
    for kappa in (1e-1, 1e-3):
        sums = equivalent(instance, math.log(kappa)).sums(np.array([kappa]))
        assert sums.df2[0] == pytest.approx(np.sum((ell / (ell + kappa)) ** 2), rel=1e-5)
        assert sums.bias[0] == pytest.approx(np.sum(energy * (kappa / (ell + kappa)) ** 2), rel=1e-4)


def test_the_trace_is_exact_before_and_after_the_crossover() -> None:
    zeta = [math.fsum(i**-b for i in range(1, 2000)) + 2000 ** (1 - b) / (b - 1) for b in (1.5, 1.4)]
    for weight in (0.5, 1e-4):
        instance = vf.Instance(vf.Mixture((1.0 - weight, weight), (vf.PowerLaw(1.5), vf.PowerLaw(1.4))))
        expected = (1.0 - weight) * zeta[0] + weight * zeta[1]
        assert equivalent(instance, -5.0).trace == pytest.approx(expected, rel=1e-5)


def test_carried_targets_are_what_they_say() -> None:
    x = np.log(np.array([1.0, 7.0, 1e6]))
    origin, spectrum = vf.PowerLaw(3.0), vf.PowerLaw(1.5)
    log_o, log_l = origin.log_eigenvalues(x), spectrum.log_eigenvalues(x)
    before = vf.CriticalTarget(s=0.6).log_energy(x, log_o) + 1.2 * log_o  # ln f_i^2
    coefficients = vf.CarriedCoefficients(s=0.6, origin=origin).log_energy(x, log_l) + 1.2 * log_l
    function = vf.CarriedFunction(s=0.6, origin=origin).log_energy(x, log_l) + 1.2 * log_l
    np.testing.assert_allclose(coefficients, before)
    np.testing.assert_allclose(function - log_l, before - log_o)  # theta_i^2


@pytest.mark.parametrize("s", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("kind", [vf.CarriedCoefficients, vf.CarriedFunction])
def test_the_index_of_a_carried_target_is_measured(kind: Any, s: float) -> None:
    instance = vf.Instance(
        vf.Mixture((0.5, 0.5), (vf.PowerLaw(2.0), vf.PowerLaw(1.5))), kind(s=s, origin=vf.PowerLaw(2.0))
    )
    expected = s * 4.0 / 3.0 if kind is vf.CarriedCoefficients else 0.5 + (s - 0.5) * 4.0 / 3.0
    assert effective_index(instance) == pytest.approx(expected)
    assert source_indices(instance).before == pytest.approx(expected, abs=2e-3)
    double = 2.0 * min(expected, 1.0)
    assert theorem_exponent(instance) == pytest.approx(double / (double + 1.0 / 1.5))


def test_crossovers_are_where_the_tails_meet() -> None:
    mixture = vf.Mixture((0.9999, 0.0001), (vf.PowerLaw(3.0), vf.PowerLaw(2.5)))
    meet = math.log(9999.0) / 0.5  # ln i*
    assert mixture.log_crossover == pytest.approx(meet + 4.0, abs=1e-6)
    found = crossover(vf.Instance(mixture))
    assert found is not None
    kappa_there = float(mixture.log_eigenvalues(np.array([found.log_index]))[0])
    n = np.exp(np.array([found.log_n - 20.0, found.log_n]))
    instance = vf.Instance(mixture)
    kappa = np.log(effective_ridge(instance, n, optimal_ridge(instance, n)))
    assert kappa[1] < kappa_there < kappa[0]
    assert "10^" in found.describe()
    assert crossover(vf.Instance(vf.PowerLaw(2.0))) is None


def test_a_crossover_beyond_reach_is_said_to_be_so() -> None:
    mixture = vf.Mixture((0.9999, 0.0001), (vf.PowerLaw(2.0), vf.PowerLaw(1.9999)))
    found = crossover(vf.Instance(mixture))
    assert found is not None
    assert "beyond reach" in found.describe()
    same = vf.Mixture((0.5, 0.5), (vf.PowerLaw(2.0), vf.PowerLaw(2.0, scale=3.0)))
    assert same.log_crossover == 0.0


def test_assumption_r_of_a_mixture() -> None:
    low, high = FIVE.assumption_r
    index = np.arange(1.0, 1e5)
    scaled = np.exp(FIVE.log_eigenvalues(np.log(index))) * index**FIVE.tail_index
    assert low <= scaled.min() * (1.0 + 1e-12)
    assert scaled.max() <= high * (1.0 + 1e-12)
    assert FIVE.steepest == 4.0
    assert FIVE.head == 30


@pytest.mark.parametrize("target", [vf.CriticalTarget(s=0.7), vf.CarriedFunction(s=0.8, origin=vf.PowerLaw(4.0))])
def test_json_round_trip(target: vf.Target) -> None:
    instance = vf.Instance(FIVE, target)
    again = vf.Instance.from_json(json.loads(json.dumps(instance.to_json())))
    assert again == instance
    assert again.digest == instance.digest
    assert hash(again) == hash(instance)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: vf.Mixture((0.5, 0.6), (vf.PowerLaw(2.0), vf.PowerLaw(3.0))), "sum to 1"),
        (lambda: vf.Mixture((1.0,), (vf.PowerLaw(2.0),)), "two to 5"),
        (lambda: vf.Mixture((0.5, 0.5), (vf.PowerLaw(2.0), vf.Exponential(1.0))), r"components\[1\]"),
        (lambda: vf.Mixture((0.5, 0.5), (TWO, vf.PowerLaw(3.0))), "hold a mixture"),
        (lambda: vf.DisjointMixture((0.5, 0.5), (vf.PowerLaw(3.0), vf.DisjointMixture())), "hold a mixture"),  # type: ignore[arg-type]
        (lambda: vf.Mixture(0.5, (TWO, TWO)), "weights=0.5"),  # type: ignore[arg-type]
        # A set has no order in which its entries could belong to the components.
        (lambda: vf.Mixture({0.4, 0.6}), "must be a sequence"),  # type: ignore[arg-type]
        (lambda: vf.Mixture((0.4, 0.6), {vf.PowerLaw(2.0), vf.PowerLaw(3.0)}), "must be a sequence"),  # type: ignore[arg-type]
        (lambda: vf.CarriedFunction(s=0.5, origin=vf.Mixture()), "is a mixture"),
        (lambda: vf.CarriedCoefficients(s=0.5, origin=vf.RotatedMixture()), "is a mixture"),
        (lambda: vf.Mixture((0.5, 0.5), (vf.PowerLaw, vf.PowerLaw)), "not a spectrum"),  # type: ignore[arg-type]
        (lambda: vf.CarriedFunction(s=0.5, origin=vf.Finite((1.0,))), "origin"),
        (lambda: vf.Instance(vf.PowerLaw(1.2), vf.CarriedFunction(s=0.2, origin=vf.PowerLaw(3.0))), "not in L2"),
    ],
)
def test_what_is_refused(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


# ------------------------------------------------------------------------------------------------ disjoint components

APART = vf.DisjointMixture((0.7, 0.3), (vf.PowerLaw(3.0), vf.PowerLaw(1.5, scale=2.0)))


def test_the_smooth_merge_is_within_k_places_of_the_merged_sequence() -> None:
    for mixture in (APART, vf.DisjointMixture((0.9989, 0.001, 0.0001), tuple(map(vf.PowerLaw, (4.0, 2.0, 1.2))))):
        j = np.arange(1.0, 2001.0)
        pairs = zip(mixture.weights, mixture.components, strict=True)
        exact = np.sort(np.concatenate([w * part.scale * j**-part.beta for w, part in pairs]))[::-1][:500]
        count = len(mixture.weights)
        smooth = np.exp(mixture.log_eigenvalues(np.log(np.arange(1.0, 500.0 + count))))
        assert np.all(exact[count:] <= smooth[: 500 - count] * (1.0 + 1e-9))
        assert np.all(exact[:-count] >= smooth[count:500] * (1.0 - 1e-9))


@pytest.mark.parametrize(("component", "kappa"), [(1, 1e-9), (2, 1e-6)])
def test_disjoint_sums_are_those_of_the_components(component: int, kappa: float) -> None:
    # Far from the head the sum over the smooth merge is the sum over the block.
    target = vf.ComponentTarget(s=0.4, mixture=APART, component=component)
    bias = equivalent(vf.Instance(APART, target), math.log(kappa)).sums(np.array([kappa])).bias[0]
    weight, part = APART.weights[component - 1], APART.components[component - 1]
    j = np.arange(1.0, 2e6)
    own = part.scale * j**-part.beta
    direct = np.sum(own**0.8 / (1.0 + j) * (kappa / (weight * own + kappa)) ** 2) + own[-1] ** 0.8 / (0.8 * part.beta)
    assert bias == pytest.approx(direct, rel=0.02)


def test_disjoint_mixtures_are_recorded_and_checked() -> None:
    instance = vf.Instance(APART, vf.ComponentTarget(s=0.5, mixture=APART, component=2))
    assert vf.Instance.from_json(json.loads(json.dumps(instance.to_json()))) == instance
    assert effective_index(instance) == 0.5
    low, high = APART.assumption_r
    index = np.arange(1.0, 1e4)
    scaled = np.exp(APART.log_eigenvalues(np.log(index))) * index**APART.tail_index
    assert low <= scaled.min()
    assert scaled.max() <= high
    with pytest.raises(ValueError, match="another mixture"):
        vf.Instance(vf.PowerLaw(2.0), instance.target)
    with pytest.raises(ValueError, match="PowerLaw"):
        vf.DisjointMixture((0.5, 0.5), (vf.Spiked(2.0, 1, 2.0), vf.PowerLaw(2.0)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="component"):
        vf.ComponentTarget(s=0.5, mixture=APART, component=3)
    hidden = vf.DisjointMixture((0.9999, 0.0001), (vf.PowerLaw(3.0), vf.PowerLaw(2.5)))
    counts = hidden.log_counts(hidden.log_eigenvalues(np.array(hidden.log_crossover)))
    assert counts[1] - counts[0] == pytest.approx(2.0, abs=1e-6)
