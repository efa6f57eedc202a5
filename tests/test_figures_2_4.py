"""Figures 2 and 4: collapse up to constants, and the slope of a mixture before and after its crossover."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import verifier as vf
from properties import figure_2, figure_4
from verifier.risk.observables import Observable
from verifier.risk.windows import (
    RelativeRisk,
    RelativeRiskAtTwoSizes,
    SlopeBesideHeaviest,
    SlopeBesidePlain,
    heaviest,
)
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, VIOLATED

CLAIMS = {reading.id: reading for reading in (*figure_2.READINGS, *figure_4.READINGS)}
ROTATED = vf.Instance(
    vf.PowerLaw(1.5), vf.CriticalTarget(s=0.5), transform=vf.BlockRotation(size=8, low=0.5, high=4.0, seed=1)
)


SMOOTHER = dataclasses.replace(ROTATED, target=vf.CriticalTarget(s=0.9), spectrum=vf.PowerLaw(3.0))


def mixed(weight: float, s: float = 0.5) -> vf.Instance:
    return vf.Instance(vf.Mixture((1.0 - weight, weight), (vf.PowerLaw(3.0), vf.PowerLaw(1.5))), vf.CriticalTarget(s=s))


def test_the_relative_risk_is_one_curve_over_the_other() -> None:
    n = np.array([100.0, 1e4])
    plain = vf.Instance(ROTATED.spectrum, ROTATED.target)
    found = RelativeRisk().log_values(ROTATED, np.log(n), "schedule")
    above, below = (np.asarray(vf.equivalent_risk(i, n=n, lam="schedule")) for i in (ROTATED, plain))
    np.testing.assert_allclose(np.exp(found), above / below, rtol=1e-12)
    assert RelativeRisk().log_values(plain, np.log(n), "optimal") == pytest.approx(0.0, abs=1e-12)
    for observable in (RelativeRisk(), SlopeBesideHeaviest(), SlopeBesidePlain()):
        assert isinstance(observable, Observable)


@pytest.mark.parametrize("instance", [ROTATED, SMOOTHER], ids=["s = .5", "s = .9"])
def test_rotation_times_rescaling_changes_constants_only(instance: vf.Instance) -> None:
    for name in ("F2/slope", "F2/collapse-up-to-a-constant"):
        found = assess(CLAIMS[name], instance)
        assert found.verdict == CONSISTENT, found.reason
    # At s = 1/2 the curves do lie on one another; the smoother the target, the more the leading coordinates count.
    almost = assess(CLAIMS["F2/almost-identical"], instance)
    assert almost.verdict == (CONSISTENT if instance is ROTATED else VIOLATED), almost.reason


@pytest.mark.parametrize(("weight", "verdict"), [(0.5, CONSISTENT), (1e-4, VIOLATED)])
def test_a_small_weight_hides_the_heavy_tail_at_the_figures_sizes(weight: float, verdict: str) -> None:
    assert assess(CLAIMS["F4/heaviest-tail"], mixed(weight)).verdict == CONSISTENT
    found = assess(CLAIMS["F4/at-sample-sizes-like-the-figures"], mixed(weight))
    assert found.verdict == verdict, found.reason


def test_the_slope_beside_the_heaviest_component_ends_at_its_own() -> None:
    instance = mixed(1e-3)
    assert heaviest(instance.spectrum) == vf.PowerLaw(1.5, scale=1e-3)
    far = SlopeBesideHeaviest().log_values(instance, np.array([math.log(100.0), 100.0]), "schedule")
    assert far[0] > 0.0 > far[1]
    with pytest.raises(ValueError, match="must be a Mixture"):
        heaviest(vf.PowerLaw(2.0))
    with pytest.raises(ValueError, match="must be power laws"):
        heaviest(vf.Mixture((0.5, 0.5), (vf.Spiked(2.0, 1, 2.0), vf.PowerLaw(2.0))))


@pytest.mark.parametrize("p", [128, 512])
def test_a_full_rotation_collapses_at_the_figures_sizes_and_parts_later(p: int) -> None:
    turned = vf.Instance(
        vf.Truncated(vf.PowerLaw(2.0), p),
        vf.CriticalTarget(s=1.0),
        vf.Noise(0.1),
        transform=vf.FullRotation(low=0.5, high=2.0),
    )
    n = np.array([100.0, 1000.0, 1e7])
    ratio = np.exp(RelativeRisk().log_values(turned, np.log(n), "schedule"))
    assert np.all((ratio[:2] > 0.5) & (ratio[:2] < 1.5))
    assert ratio[2] > (8.0 if p == 128 else 2.5)  # the later, the larger p
    if p == 128:
        assert assess(CLAIMS["F2/full-rotation"], turned).verdict == VIOLATED
        with pytest.raises(ValueError, match="can be doubled"):
            RelativeRiskAtTwoSizes().at_another_size(ROTATED)


BALANCED = vf.Instance(
    vf.Truncated(vf.PowerLaw(2.0), 128), vf.CriticalTarget(s=1.0), transform=vf.FullRotation(low=0.8, high=1.25)
)


def bounded_by(bound: float, observable: Observable) -> vf.Claim:
    return vf.Claim(
        id="X1",
        title="",
        statement="",
        source="",
        domain=figure_2.balanced,
        predict=lambda instance: vf.Bound(bound),
        observable=observable,
        tuning="schedule",
    )


def largest(instance: vf.Instance, observable: Observable) -> float:
    low, high = observable.log_range(instance, "schedule")
    return float(np.exp(np.max(observable.log_values(instance, np.linspace(low, high, 32), "schedule"))))


@pytest.mark.parametrize(
    "observable", [SlopeBesidePlain(farthest=1000.0), RelativeRiskAtTwoSizes()], ids=["larger at p", "larger at 2p"]
)
def test_what_p_and_2p_judge_differently_is_inconclusive(observable: SlopeBesidePlain | RelativeRiskAtTwoSizes) -> None:
    sizes = [largest(each, observable) for each in (BALANCED, observable.at_another_size(BALANCED))]
    assert (sizes[0] > sizes[1]) == isinstance(observable, SlopeBesidePlain)
    for bound, verdict in (
        (1.1 * max(sizes), CONSISTENT),
        (math.sqrt(sizes[0] * sizes[1]), INCONCLUSIVE),
        (0.9 * min(sizes), VIOLATED),
    ):
        for farther in (False, True):
            found = assess(bounded_by(bound, observable), BALANCED, farther=farther)
            assert found.verdict == verdict, found.reason
            assert "at p = 128 the ratio" in found.reason
            assert "at p = 256 the ratio" in found.reason
            assert np.sign(found.score) == {CONSISTENT: -1.0, INCONCLUSIVE: 0.0, VIOLATED: 1.0}[verdict]


def test_the_largest_size_is_compared_with_half_of_it() -> None:
    for size, other in ((128, 256), (2048, 4096), (4096, 2048)):
        cut = dataclasses.replace(BALANCED, spectrum=vf.Truncated(vf.PowerLaw(2.0), size))
        assert SlopeBesidePlain().at_another_size(cut).spectrum == vf.Truncated(vf.PowerLaw(2.0), other)


@pytest.mark.parametrize(("bound", "verdict"), [(10.0, "SURVIVED"), (2.0, "FALSIFIED")])
@pytest.mark.thorough
def test_planted_claims_about_the_slope_under_a_full_rotation(bound: float, verdict: str) -> None:
    # .05 * 10 is more than any slope within reach changes by; .1 is passed by smooth targets before n = 1e6.
    found = vf.falsify(bounded_by(bound, SlopeBesidePlain()), budget=vf.Budget(examples=20), seed=3)
    assert found.verdict == verdict
    if found.minimal is not None:
        assert found.minimal.instance.target.s > 0.5


def test_the_slope_beside_the_plain_one_is_that_of_two_curves() -> None:
    n = np.array([100.0, 3200.0])
    plain = dataclasses.replace(BALANCED, transform=vf.Identity())
    turned, without = (
        -np.diff(np.log(vf.equivalent_risk(i, n=n, lam="schedule")))[0] / np.log(32.0) for i in (BALANCED, plain)
    )
    found = SlopeBesidePlain().log_values(BALANCED, np.log(n[:1]), "schedule")
    assert np.exp(found) == pytest.approx(abs(turned - without) / 0.05, rel=1e-6)
