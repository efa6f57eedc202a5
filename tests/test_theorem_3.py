"""Theorem 3: its strategies, where its exponent breaks, and crossovers that are never violations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis.strategies import SearchStrategy

import verifier as vf
from properties.strategies import noises, smoothness
from properties.strategies.mixtures import mixtures, weights, with_function_of_one_component
from properties.theorem_3 import READINGS
from verifier.verdicts.findings import why
from verifier.verdicts.judge import assess, judge
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, VIOLATED
from verifier.verdicts.search import Case

CLAIMS = {reading.reading: reading for reading in READINGS}


def simplest(strategy: SearchStrategy[Any], condition: Callable[[Any], bool] = lambda value: True) -> Any:
    quiet = settings(max_examples=400, derandomize=True, database=None, phases=(Phase.generate, Phase.shrink))
    return find(strategy, condition, settings=quiet)


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(mixtures())
def test_mixtures_can_be_recorded(mixture: vf.Mixture) -> None:
    assert math.fsum(mixture.weights) == pytest.approx(1.0, abs=1e-9)
    instance = vf.Instance(mixture)
    assert vf.Instance.from_json(instance.to_json()) == instance


def test_the_plainest_mixture_comes_first_and_small_weights_come_up() -> None:
    assert simplest(mixtures()) == vf.Mixture((0.5, 0.5), (vf.PowerLaw(2.0), vf.PowerLaw(2.0)))
    assert min(simplest(weights(2), lambda found: min(found) < 0.001)) == 0.0001
    assert len(simplest(mixtures(), lambda mixture: len(mixture.weights) == 5).components) == 5
    drawn = simplest(with_function_of_one_component(smoothness(0.05, 1.0), noises(silent=False)), lambda i: i.s < 0.4)
    assert drawn.target.index_under(drawn.beta) > 0.0


def mixed(target: vf.Target, weight: float = 0.5, heavy: float = 2.0, light: float = 3.0) -> vf.Instance:
    return vf.Instance(vf.Mixture((1.0 - weight, weight), (vf.PowerLaw(light), vf.PowerLaw(heavy))), target)


LIGHT = vf.PowerLaw(3.0)


@pytest.mark.parametrize(
    ("name", "target", "verdict"),
    [
        ("relative-to-the-mixture", vf.CriticalTarget(s=0.7), CONSISTENT),
        ("coefficients-of-one-component", vf.CarriedCoefficients(s=0.7, origin=LIGHT), VIOLATED),
        ("coefficients-of-one-component", vf.CarriedCoefficients(s=0.7, origin=vf.PowerLaw(2.0)), CONSISTENT),
        ("coefficients-of-one-component-upper-bound", vf.CarriedCoefficients(s=0.7, origin=LIGHT), CONSISTENT),
        ("function-of-one-component", vf.CarriedFunction(s=0.4, origin=LIGHT), VIOLATED),
        ("function-of-one-component", vf.CarriedFunction(s=0.5, origin=LIGHT), CONSISTENT),
        ("function-of-one-component-s-from-half", vf.CarriedFunction(s=0.7, origin=LIGHT), CONSISTENT),
        ("function-of-one-component-exact-s-from-half", vf.CarriedFunction(s=0.8, origin=LIGHT), VIOLATED),
        ("index-in-the-mixture", vf.CarriedFunction(s=0.4, origin=LIGHT), CONSISTENT),
        ("index-in-the-mixture", vf.CarriedCoefficients(s=0.9, origin=LIGHT), CONSISTENT),
    ],
)
def test_where_the_exponent_breaks(name: str, target: vf.Target, verdict: str) -> None:
    found = assess(CLAIMS[name], mixed(target))
    assert found.verdict == verdict, found.reason


@pytest.mark.parametrize("heavy", [2.99, 2.999, 2.9999])
@pytest.mark.parametrize("name", ["relative-to-the-mixture", "spectrum"])
def test_a_crossover_out_of_reach_decides_nothing(name: str, heavy: float) -> None:
    found = assess(CLAIMS[name], mixed(vf.CriticalTarget(s=0.5), weight=1e-4, heavy=heavy))
    assert found.verdict == INCONCLUSIVE
    assert "takes over" in found.reason


@pytest.mark.parametrize("gap", [0.1, 0.2, 0.5, 1.5])
@pytest.mark.parametrize("s", [0.3, 0.9])
def test_a_crossover_within_reach_is_no_violation(gap: float, s: float) -> None:
    # Before the crossover the exponent is that of the lighter tail, further off than any tolerance.
    instance = mixed(vf.CriticalTarget(s=s), weight=1e-4, heavy=3.0 - gap)
    for name in ("relative-to-the-mixture", "spectrum"):
        found = assess(CLAIMS[name], instance)
        assert found.verdict in (CONSISTENT, INCONCLUSIVE), found.reason


def test_a_violation_is_confirmed_by_simulation() -> None:
    found = judge(CLAIMS["function-of-one-component"], mixed(vf.CarriedFunction(s=0.3, origin=LIGHT)))
    assert found.verdict == VIOLATED
    assert found.certification is not None
    assert found.certification.agrees
    hidden = Case(mixed(vf.CarriedFunction(s=0.3, origin=LIGHT), weight=0.001), found)
    assert "rougher" in why(CLAIMS["function-of-one-component"], hidden)
    assert "takes over at about i = 10^" in why(CLAIMS["function-of-one-component"], hidden)
    assert found.exponent == pytest.approx(0.4 / (0.4 + 0.5), abs=2e-3)  # s' = 1/2 - .2 * 3/2 = .2


@pytest.mark.parametrize("power", [0.1, 0.25, 0.5])
def test_the_range_of_a_component_lies_in_that_of_the_mixture_up_to_the_power_a_half(power: float) -> None:
    # |Sigma^-r Sigma_k^r| <= pi_k^-r for 0 <= r <= 1/2, whatever the eigenvectors (Loewner, Heinz, Douglas).
    generator = np.random.default_rng(0)
    index = np.arange(1.0, 41.0)
    for weight in (0.5, 0.01):
        turn = np.linalg.qr(generator.standard_normal((40, 40)))[0]
        light, heavy = np.diag(index**-3.0), turn @ np.diag(index**-1.5) @ turn.T
        for own, other in ((light, heavy), (heavy, light)):
            mixture = weight * own + (1.0 - weight) * other
            norm = np.linalg.norm(raised(mixture, -power) @ raised(own, power), 2)
            assert norm <= weight**-power * (1.0 + 1e-9)


def test_beyond_the_power_a_half_nothing_bounds_it() -> None:
    index = np.arange(1.0, 201.0)
    direction = index**-0.8 / np.linalg.norm(index**-0.8)
    turn = np.eye(200) - 2.0 * np.outer(direction, direction)
    own, other = np.diag(index**-2.0), turn @ np.diag(index**-2.0) @ turn
    norms = []
    for p in (50, 200):
        mixture = 0.5 * (own + other)[:p, :p]
        norms.append(np.linalg.norm(raised(mixture, -1.0) @ own[:p, :p], 2))
    assert norms[0] > 2.0  # what the bound would say
    assert norms[1] > 1.3 * norms[0]  # and it grows


def raised(matrix: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 1e-300) ** power) @ vectors.T)
