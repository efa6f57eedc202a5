"""Curves of which a small part decides the limit, or seems to: none of them may be called consistent with what is false, or
violated by what is true.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

import verifier as vf
from verifier.risk.collapse import OffTheFactor, ScoreFactor
from verifier.risk.equivalents import optimal_ridge, risk_terms
from verifier.risk.observables import BiasRatio
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, VIOLATED

FLOW = vf.GradientFlow()


def claim(predicted: float | vf.Prediction, **more: Any) -> vf.Claim:
    prediction = predicted if isinstance(predicted, vf.Prediction) else vf.Exponent(predicted)
    return vf.Claim(
        id="X1/hidden",
        title="t",
        statement="s",
        source="n",
        domain=st.nothing(),
        predict=lambda instance: prediction,
        **more,
    )


def alpha(s: float, beta: float) -> float:
    return 2.0 * s / (2.0 * s + 1.0 / beta)


DRIFTS = [
    # Half learnt under a steep piece, with a gain of ten before it: e^-20 of the bias, which decays with .9 of the index.
    (1.3, 0.3, vf.FrontDrift((1.0, 0.9), (1.0, 2.0, 1.0), (10.0, 1.0, 1.0)), alpha(0.3 * 0.9, 1.3)),
    # Learnt as e^(-2 i^.01) before the piece begins: nothing in the limit, most of the bias at any n that there is.
    (1.3, 0.2, vf.FrontDrift((0.99,), (1.0, 2.0)), alpha(0.2, 1.3)),
]


@pytest.mark.parametrize(("beta", "s", "drift", "truth"), DRIFTS)
def test_a_drift_whose_limit_lies_beyond_every_n_is_undecided(
    beta: float, s: float, drift: vf.FrontDrift, truth: float
) -> None:
    instance = vf.Instance(vf.PowerLaw(beta), vf.CriticalTarget(s), vf.Noise(1.0), filter=FLOW, drift=drift)
    for value in (truth, alpha(s, beta), alpha(s / 2.0, beta)):
        assert assess(claim(value), instance).verdict == INCONCLUSIVE


def test_a_drift_whose_pieces_are_far_apart_is_decided() -> None:
    instance = vf.Instance(
        vf.PowerLaw(1.5), vf.CriticalTarget(0.8), vf.Noise(1.0), filter=FLOW, drift=vf.FrontDrift((1.0,), (1.0, 2.0))
    )
    truth = alpha(0.4, 1.5)  # flat until half learnt, steep from then on: relative to the steep kernel, 2s/(2s + 1/b-)
    assert assess(claim(truth), instance).verdict == CONSISTENT
    assert assess(claim(truth + 0.05), instance).verdict == VIOLATED


def test_what_a_piece_has_learnt_faintly_of_many_indices_is_heard() -> None:
    """The noise of the time t by direct integration over ln i, at times at which no single index of the steep piece is learnt."""
    beta, s, x = 1.368, 0.2, 1.2
    drift = vf.FrontDrift((x,), (1.0, 2.0))
    instance = vf.Instance(vf.PowerLaw(beta), vf.CriticalTarget(s), vf.Noise(1.0), filter=FLOW, drift=drift)
    for log_t in (60.0, 120.0, 200.0):
        u = np.linspace(0.0, 2.5 * log_t, 2_000_001)
        turn = beta * u / x  # ln t at which the index e^u turns steep
        flat = np.exp(np.minimum(turn, log_t) - beta * u)
        steep = np.where(turn < log_t, np.exp(log_t - 2.0 * beta * u) - np.exp(turn - 2.0 * beta * u), 0.0)
        expected = np.log(np.trapezoid(np.exp(u) * np.expm1(-flat - steep) ** 2, u))
        found = risk_terms(instance, n=1e10, lam=float(np.exp(-log_t)))[1] * 1e10
        assert float(np.log(found)) == pytest.approx(expected, abs=0.02)
    truth = s / (s + x / beta - 2.0 * (x - 1.0))
    assert assess(claim(truth), instance).verdict == CONSISTENT
    assert assess(claim(truth + 0.04), instance).verdict == VIOLATED


def test_the_simulated_flow_does_not_step_over_a_stop() -> None:
    drift = vf.SteppedDrift(times=(1e4,), ratios=(5.0, 1.0))
    instance = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(0.5), vf.Noise(1.0), filter=FLOW, drift=drift)
    found = vf.judge(claim(2.0 / 3.0), instance)
    assert found.certification is not None
    assert found.certification.agrees, found.certification.text
    assert found.verdict == CONSISTENT


def test_the_best_stopping_time_of_one_eigenfunction_is_found() -> None:
    """Its bias is exp(-2/kappa), with which Newton's steps are short: no other time has a risk that is much smaller."""
    instance = vf.Instance(vf.PowerLaw(2.0), vf.SingleEigenfunction(1), vf.Noise(1.0), filter=FLOW)
    for log_n in (30.0, 90.0, 170.0, 230.0):
        n = float(np.exp(log_n))
        best = float(optimal_ridge(instance, n))
        others = vf.equivalent_risk(instance, n=np.full(41, n), lam=best * np.exp(np.linspace(-1.0, 1.0, 41)))
        assert float(vf.equivalent_risk(instance, n=n)) <= 1.01 * np.min(others)


@pytest.mark.parametrize("c", [1e-8, 1e-6])
def test_a_faint_part_of_a_transform_is_waited_for(c: float) -> None:
    """In the limit the part c decides, c^2 of the target; at n that can be reached what it is beside does."""
    transform = vf.RankOneTransform(c=c, left=vf.Axis(1), right=vf.PowerDirection(0.7))
    instance = vf.Instance(vf.PowerLaw(1.335), vf.CriticalTarget(0.71), vf.Noise(0.5), transform=transform)
    index = 0.5 + (2.0 * 0.7 - 1.0) / (2.0 * 1.335)
    for s in (index, 0.71):
        assert assess(claim(alpha(s, 1.335)), instance).verdict == INCONCLUSIVE
    strong = dataclasses.replace(instance, transform=dataclasses.replace(transform, c=1.0))
    assert assess(claim(alpha(index, 1.335)), strong).verdict == CONSISTENT
    assert assess(claim(alpha(0.71, 1.335)), strong).verdict != CONSISTENT


@pytest.mark.parametrize(("s", "verdict"), [(1.1, VIOLATED), (1.0, CONSISTENT), (0.8, CONSISTENT)])
def test_a_ratio_that_grows_slowly_after_it_grew_fast_is_not_at_rest(s: float, verdict: str) -> None:
    """bias / (R^2 lambda^2s) of a target smoother than declared: lambda^(2 - 2s) for s > 1, without end."""
    instance = vf.Instance(vf.PowerLaw(2.0), vf.SmootherTarget(s=s, excess=0.3), vf.Noise(1.0))
    assert assess(claim(vf.Bound(), observable=BiasRatio()), instance).verdict == verdict


def test_what_a_descent_leaves_of_finitely_many_eigenfunctions_is_not_the_slowest_term() -> None:
    """Its bias falls below the smallest double; the variance alone has an exponent."""
    instance = vf.Instance(vf.PowerLaw(2.0), vf.SingleEigenfunction(1), vf.Noise(1.0), filter=FLOW)
    assert assess(claim(0.75, tuning=power_rule(0.5)), instance).verdict == CONSISTENT
    assert assess(claim(0.65, tuning=power_rule(0.5)), instance).verdict == VIOLATED


def power_rule(power: float) -> Callable[[vf.Instance, float], float]:
    return lambda instance, n: float(n**-power)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("power", [1.0, 3.0])
def test_a_flow_far_beyond_interpolation_is_nan_without_a_warning(power: float) -> None:
    instance = vf.Instance(vf.PowerLaw(1.5), vf.CriticalTarget(2.0), vf.Noise(1.0), filter=FLOW)
    assert assess(claim(1.0 / 3.0, tuning=power_rule(power)), instance).verdict in (CONSISTENT, INCONCLUSIVE)


@pytest.mark.parametrize("degree", [2.0, 2.2, 3.0])
def test_a_simulation_that_leaves_much_open_calls_nothing_consistent(degree: float) -> None:
    """Of n^a draws with a large a few sample sizes can be simulated; their slope is known too badly to agree with .4 more."""
    instance = vf.Instance(
        vf.PowerLaw(2.0), vf.CriticalTarget(0.5), vf.Noise(1.0), filter=vf.MultiPass(degree, averaged=True)
    )
    found = vf.judge(claim(2.0 / 3.0 + 0.4, tuning="schedule"), instance)
    assert found.verdict != CONSISTENT


@pytest.mark.parametrize("farther", [False, True])
def test_crests_that_are_met_at_other_phases_are_no_growth(farther: bool) -> None:
    """A ratio of a period that the points do not share; its extremes over one period and the next are the same to 1e-3."""
    instance = vf.Instance(vf.PowerLaw(3.617), vf.LacunaryTarget(s=0.14, ratio=70.0), vf.Noise(5.0))
    found = assess(claim(vf.Theta(alpha(0.14, 3.617))), instance, farther=farther)
    assert found.verdict != VIOLATED, found.reason


def test_finitely_many_eigenvalues_are_judged_where_the_last_is_resolved() -> None:
    """In the limit sigma^2 p/n, for every p; until the p-th eigenvalue is resolved, n^-alpha."""
    for size in (1000, 10**6, 10**9):
        instance = vf.Instance(vf.Truncated(vf.PowerLaw(2.5), size), vf.CriticalTarget(0.8), vf.Noise(1.0))
        assert assess(claim(1.0), instance).verdict == CONSISTENT
        assert assess(claim(alpha(0.8, 2.5)), instance).verdict == VIOLATED


EXPONENTIALS = [(2.1, 1.532, FLOW), (4.0, 0.83, FLOW), (12.0, 0.29, vf.Ridge()), (0.3, 0.419, FLOW)]


@pytest.mark.parametrize(("rate", "s", "descent"), EXPONENTIALS)
def test_steps_of_an_exponential_spectrum_are_no_exponent(rate: float, s: float, descent: vf.Filter) -> None:
    """ln n/n in steps, one for each eigenvalue."""
    instance = vf.Instance(vf.Exponential(rate), vf.CriticalTarget(s), vf.Noise(1.0), filter=descent)
    for farther in (False, True):
        assert assess(claim(1.0), instance, farther=farther).verdict != VIOLATED
        assert assess(claim(0.95), instance, farther=farther).verdict != CONSISTENT


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "more", [{"dependence": vf.Repeated(vf.Blocks(4), "repeated")}, {"features": vf.GaussianFeatures(1.0, 1.0)}]
)
def test_an_exponential_spectrum_with_other_ingredients_is_judged(more: dict[str, Any]) -> None:
    instance = vf.Instance(vf.Exponential(1.0), vf.CriticalTarget(0.7), vf.Noise(1.0), **more)
    assert assess(claim(1.0), instance, farther=True).verdict in (CONSISTENT, INCONCLUSIVE)


@pytest.mark.parametrize("target", [vf.CriticalTarget(0.85), vf.LacunaryTarget(0.85, ratio=10.0)])
def test_a_mean_does_not_hide_the_tail(target: vf.Target) -> None:
    """(f_0 kappa/l_0)^2 exceeds kappa^2s until kappa is (l_0/f_0)^(1/(1 - s)); the curve looks saturated."""
    instance = vf.Instance(vf.PowerLaw(2.0), target, vf.Noise(1.0), design=vf.UncentredDesign(0.003, 300.0))
    assert assess(claim(alpha(0.85, 2.0)), instance).verdict == CONSISTENT
    assert assess(claim(alpha(1.0, 2.0)), instance).verdict == VIOLATED


def test_noise_that_large_residuals_make_does_not_hide_the_tail() -> None:
    """It falls as 1/n, which no step changes, beyond n = e^300; behind it is 2S/(2S + 1) = .857, S = s + 1/2 the index in L2."""
    instance = vf.Instance(
        vf.Spiked(4.768, 100, 1e6), vf.CriticalTarget(2.49, source_norm="RKHS"), vf.Noise(1.0), filter=vf.SinglePass()
    )
    assert assess(claim(5.98 / 6.98), instance).verdict != VIOLATED
    assert assess(claim(1.0), instance).verdict != CONSISTENT


@pytest.mark.parametrize("descent", [vf.Ridge(), FLOW])
def test_no_factor_is_read_off_beyond_what_can_be_followed(descent: vf.Filter) -> None:
    """The heavier tail leads from the index e^500 on; a descent is followed up to n = e^325, where 1.65 was read off."""
    mixture = vf.Mixture((0.5, 0.5), (vf.PowerLaw(3.529), vf.PowerLaw(3.525, scale=0.1)))
    instance = vf.Instance(mixture, vf.CriticalTarget(0.4), vf.Noise(10.0), filter=descent)
    observable = OffTheFactor(ScoreFactor())
    low, high = observable.log_range(instance, "optimal")
    values = observable.log_values(instance, np.linspace(low, high, 4), "optimal")
    assert np.all(np.isnan(values) | (np.abs(values) < 1e-3))
