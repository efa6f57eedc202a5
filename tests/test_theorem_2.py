"""Theorem 2: its strategies, where its exponent breaks, and the counterexample in its simplest form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis.strategies import SearchStrategy

import verifier as vf
from properties.strategies.transforms import (
    commuting_transforms,
    diagonal_transforms,
    directions,
    rank_one_transforms,
    transforms,
)
from properties.theorem_2 import READINGS
from verifier.risk.smoothness import source_indices
from verifier.verdicts.falsify import falsify
from verifier.verdicts.findings import explain, finding_record, why
from verifier.verdicts.judge import assess, judge
from verifier.verdicts.judgement import CONSISTENT, OUT_OF_SCOPE, VIOLATED
from verifier.verdicts.search import Budget, Case

CLAIMS = {reading.reading: reading for reading in READINGS}


def simplest(strategy: SearchStrategy[Any], condition: Callable[[Any], bool] = lambda value: True) -> Any:
    quiet = settings(max_examples=400, derandomize=True, database=None, phases=(Phase.generate, Phase.shrink))
    return find(strategy, condition, settings=quiet)


@settings(max_examples=150, derandomize=True, database=None, deadline=None)
@given(transforms())
def test_everything_drawn_is_boundedly_invertible(transform: vf.Transform) -> None:
    low, high = transform.frame_bounds()
    assert 0.0 < low <= high <= 100.0 * low * (1.0 + 1e-9)
    instance = vf.Instance(vf.PowerLaw(2.0), transform=transform)
    assert vf.Instance.from_json(instance.to_json()) == instance


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(commuting_transforms())
def test_commuting_transforms_commute(transform: vf.Transform) -> None:
    assert transform.commutes


def test_plain_transforms_come_first() -> None:
    assert simplest(transforms()) == vf.Identity()
    assert simplest(directions()) == vf.Axis(1)
    assert simplest(diagonal_transforms()) == vf.DiagonalTransform(low=1.0, high=2.0)
    assert simplest(rank_one_transforms(), lambda t: t.right.entries is None) == vf.RankOneTransform(c=1.0)


def test_large_condition_numbers_are_in_the_domain() -> None:
    def condition(transform: vf.Transform) -> float:
        low, high = transform.frame_bounds()
        return high / low

    assert condition(simplest(transforms(), lambda transform: condition(transform) > 60.0)) > 60.0


def broken(s: float, gamma: float = 1.0, beta: float = 2.0) -> vf.Instance:
    """T = 1 + e_1 v*, v_i ~ i^-gamma."""
    transform = vf.RankOneTransform(c=1.0, left=vf.Axis(1), right=vf.PowerDirection(gamma))
    return vf.Instance(vf.PowerLaw(beta), vf.CriticalTarget(s=s), transform=transform)


@pytest.mark.parametrize("name", ["exponent-any-transform", "schedule-any-transform"])
def test_the_known_counterexample_is_confirmed(name: str) -> None:
    found = judge(CLAIMS[name], broken(1.0))
    assert found.verdict == VIOLATED
    assert found.exponent == pytest.approx(0.75 if name.startswith("exponent") else 0.6, abs=2e-3)
    assert source_indices(broken(1.0)).after == pytest.approx(0.75, abs=1e-3)


@pytest.mark.parametrize("name", ["exponent-any-transform", "schedule-any-transform"])
@pytest.mark.parametrize(("gamma", "beta"), [(1.0, 2.0), (0.7, 1.5), (1.3, 3.0)])
def test_the_exponent_breaks_where_the_source_condition_does(name: str, gamma: float, beta: float) -> None:
    edge = 0.5 + (2.0 * gamma - 1.0) / (2.0 * beta)
    assert assess(CLAIMS[name], broken(edge - 0.05, gamma, beta)).verdict == CONSISTENT
    assert assess(CLAIMS[name], broken(edge + 0.1, gamma, beta)).verdict == VIOLATED


@pytest.mark.parametrize("s", [0.52, 0.6, 0.9])
def test_every_index_above_a_half_is_broken_by_some_transform(s: float) -> None:
    transform = vf.RankOneTransform(c=2.0, left=vf.Axis(1), right=vf.PowerDirection(0.51))
    instance = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=s), transform=transform)
    after = source_indices(instance).after
    assert after == pytest.approx(0.505, abs=4e-3)  # two powers of kappa, .015 apart at s = .52
    found = assess(CLAIMS["smoothness-of-the-new-operator"], instance)
    assert found.verdict == CONSISTENT, found.reason


def test_scopes_are_those_of_the_readings() -> None:
    assert assess(CLAIMS["exponent-s-up-to-half"], broken(0.6)).verdict == OUT_OF_SCOPE
    assert assess(CLAIMS["commuting"], broken(0.6)).verdict == OUT_OF_SCOPE
    assert assess(CLAIMS["exponent-s-up-to-half"], broken(0.5)).verdict == CONSISTENT


@pytest.mark.thorough
def test_a_counterexample_says_what_happened_to_the_source_condition() -> None:
    found = falsify(CLAIMS["schedule-any-transform"], budget=Budget(examples=40), seed=0)
    assert found.minimal is not None
    said = finding_record(found)["minimal"]["why"]
    before, after = source_indices(found.minimal.instance)
    assert after < before - 0.1
    assert said.startswith("T breaks the source condition")
    assert f"{before:.3f} relative to Sigma, {after:.3f} relative to T Sigma T*" in said
    assert said in explain(found)


def test_nothing_is_said_of_a_source_condition_that_no_transform_touches() -> None:
    judged = assess(CLAIMS["commuting"], broken(0.4))
    for transform, words in (
        (vf.Identity(), ""),
        (vf.Reflection(vf.PowerDirection(0.7)), ""),
        (vf.DiagonalTransform(low=1.0, high=2.0), "T leaves the source condition as it is"),
    ):
        case = Case(vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.7), transform=transform), judged)
        assert why(CLAIMS["commuting"], case).startswith(words)
        assert bool(why(CLAIMS["commuting"], case)) == bool(words)
