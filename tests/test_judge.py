"""One instance judged: the three outcomes and out of scope, on both routes, with a tolerance that no claim can widen."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from verifier.claims import AtLeast, AtMost, Bound, Claim, Exponent, Prediction, StraightLine, Theta
from verifier.instances import (
    BallTarget,
    BrokenPowerLaw,
    CriticalTarget,
    Finite,
    Instance,
    LogPeriodic,
    Noise,
    PowerLaw,
    SingleEigenfunction,
    Spectrum,
    Spiked,
)
from verifier.risk import equivalents, observables
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.equivalents import Tuning, equivalent_risk
from verifier.risk.observables import BiasRatio, EffectiveDimension, RiskRatio, VarianceRatio
from verifier.verdicts import certify, reference
from verifier.verdicts.judge import assess, has_equivalent, judge, look
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, OUT_OF_SCOPE, VIOLATED
from verifier.verdicts.reference import treatment_free

PLAIN = Instance(PowerLaw(2.0), CriticalTarget(0.5), Noise(1.0))  # exponent 2/3
SMALL: dict[str, Any] = {"sizes": (100, 200), "replicates": 16}  # enough to certify, quick enough to repeat
Make = Callable[[float], Prediction]


def claim(prediction: Prediction, tuning: Tuning = "optimal", **more: Any) -> Claim:
    return Claim(
        id="X1",
        title="t",
        statement="s",
        source="n",
        domain=st.just(PLAIN),
        predict=lambda instance: prediction,
        tuning=tuning,
        **more,
    )


@pytest.fixture
def no_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise AssertionError("nothing may be simulated here")

    monkeypatch.setattr(certify, "learning_curve", refuse)
    monkeypatch.setattr(reference, "learning_curve", refuse)


# ------------------------------------------------------------------------------------------------ route A, the search's view


@pytest.mark.usefixtures("no_simulation")
@pytest.mark.parametrize("tuning", ["optimal", "schedule"])
@pytest.mark.parametrize(
    "instance",
    [
        PLAIN,
        Instance(PowerLaw(1.2), CriticalTarget(0.2), Noise(0.1)),
        Instance(PowerLaw(4.0), CriticalTarget(2.0), Noise(1.0)),
        Instance(PowerLaw(2.0), SingleEigenfunction(0.5), Noise(1.0)),
        Instance(PowerLaw(2.0), BallTarget(0.5), Noise(0.0)),
    ],
    ids=lambda instance: instance.describe(),
)
def test_true_exponents_are_consistent_and_false_ones_violated(instance: Instance, tuning: str) -> None:
    truth = theorem_exponent(instance, tuning)
    assert truth is not None
    off = 0.1 if instance.sigma > 0.0 else 0.2  # without noise exponents are larger, and so is the tolerance
    expected: list[tuple[Make, float, str]] = [
        (Exponent, 0.0, CONSISTENT),
        (Exponent, off, VIOLATED),
        (Exponent, -off, VIOLATED),
        (AtLeast, 0.0, CONSISTENT),
        (AtLeast, off, VIOLATED),
        (AtLeast, -off, CONSISTENT),
        (AtMost, 0.0, CONSISTENT),
        (AtMost, off, CONSISTENT),
        (AtMost, -off, VIOLATED),
        (Theta, 0.0, CONSISTENT),
        (Theta, off, VIOLATED),
        (Theta, -off, VIOLATED),
        (StraightLine, 0.0, CONSISTENT),
        (StraightLine, off, VIOLATED),
    ]
    for make, shift, verdict in expected:
        found = assess(claim(make(truth + shift), tuning), instance)
        assert found.verdict == verdict, (make, shift, found.reason)
        assert (found.score > 0.0) == (verdict == VIOLATED)
        assert found.certification is None
        assert found.exponent is not None
        assert found.interval is not None
        assert found.interval[0] <= truth <= found.interval[1]


@pytest.mark.usefixtures("no_simulation")
def test_the_score_is_the_distance_to_a_violation_in_tolerances() -> None:
    found = assess(claim(Exponent(0.9)), PLAIN)
    assert found.exponent is not None
    assert found.tolerance is not None
    assert found.score == pytest.approx((0.9 - found.exponent) / found.tolerance - 1.0)
    assert f"{found.exponent:.4f}" in found.reason
    assert "0.9000" in found.reason


@pytest.mark.usefixtures("no_simulation")
def test_a_logarithm_is_seen_by_theta_and_not_by_the_exponent() -> None:
    edge = Instance(PowerLaw(2.0), CriticalTarget(1.0), Noise(1.0))  # the bias carries a factor ln n at s = 1
    assert assess(claim(Exponent(0.8), "schedule"), edge).verdict == CONSISTENT
    found = assess(claim(Theta(0.8), "schedule"), edge)
    assert found.verdict == VIOLATED
    assert "without limit" in found.reason


@pytest.mark.usefixtures("no_simulation")
def test_an_oscillation_breaks_the_straight_line_and_not_the_order() -> None:
    wavy = Instance(LogPeriodic(1.5, 1.0, 1.0), CriticalTarget(0.5), Noise(1.0))
    assert assess(claim(StraightLine(0.6), "schedule"), wavy).verdict == VIOLATED
    assert assess(claim(Theta(0.6), "schedule"), wavy).verdict == CONSISTENT
    assert assess(claim(AtLeast(0.6), "schedule"), wavy).verdict == CONSISTENT


@pytest.mark.usefixtures("no_simulation")
def test_a_risk_that_never_meets_its_noise_is_inconclusive() -> None:
    # n^-2 without noise; noise of 1e-140 is met beyond n = 1e70, farther than kappa stays a double.
    quiet = Instance(PowerLaw(2.0), CriticalTarget(0.5), Noise(1e-70))
    for value in (2 / 3, 2.0, 0.1):
        found = assess(claim(Exponent(value)), quiet)
        assert found.verdict == INCONCLUSIVE
        assert found.score == 0.0
        assert "plateau" in found.reason


def wandering(instance: Instance, n: float) -> float:
    """A ridge whose exponent swings with ln ln n for ever: the risk has no exponent, and no grid shows it settled."""
    return float(n ** -(0.8 + 0.5 * math.sin(3.0 * math.log(math.log(n)))))


@pytest.mark.usefixtures("no_simulation")
def test_a_curve_that_does_not_settle_is_inconclusive() -> None:
    for value in (0.2, 0.5, 0.8):
        found = assess(claim(Exponent(value), tuning=wandering), PLAIN)
        assert found.verdict == INCONCLUSIVE
        assert found.score == 0.0
        assert "known to +-" in found.reason


@pytest.mark.usefixtures("no_simulation")
def test_instances_outside_the_hypotheses_are_out_of_scope() -> None:
    def heavy_tail(instance: Instance) -> bool:
        return instance.beta < 1.5

    for route in (None, "A", "B"):
        found = judge(claim(Exponent(9.0), hypotheses=(heavy_tail,)), PLAIN, route=route)
        assert found.verdict == OUT_OF_SCOPE
        assert found.score == -math.inf
        assert found.reason == "the hypothesis 'heavy tail' is not met"
        assert found.predicted is found.exponent is found.certification is None


@pytest.mark.usefixtures("no_simulation")
def test_finite_spectra_have_the_parametric_exponent() -> None:
    finite = Instance(Finite((3.0, 1.0)), CriticalTarget(0.5), Noise(1.0))
    assert assess(claim(Exponent(1.0)), finite).verdict == CONSISTENT
    assert assess(claim(Exponent(0.8)), finite).verdict == VIOLATED


# ------------------------------------------------------------------------------------------------ the claim stays outside


@pytest.mark.thorough
def test_exponent_and_tolerance_do_not_depend_on_the_claim() -> None:
    predictions: list[Prediction] = [Exponent(2 / 3), Exponent(0.1), AtLeast(0.9), AtMost(5.0), Theta(0.3)]
    found = [judge(claim(prediction), PLAIN, seed=3, **SMALL) for prediction in predictions]
    assert {judged.verdict for judged in found} == {CONSISTENT, VIOLATED}
    assert len({judged.exponent for judged in found}) == 1
    assert len({judged.tolerance for judged in found}) == 1
    assert len({judged.certification.simulated for judged in found if judged.certification is not None}) == 1


@pytest.mark.usefixtures("no_simulation")
@pytest.mark.parametrize("s", [0.3, 1.0, 2.0])
def test_the_searchs_tolerance_does_not_depend_on_the_claim_either(s: float) -> None:
    instance = Instance(PowerLaw(1.7), CriticalTarget(s), Noise(1.0))
    found = [assess(claim(make(value)), instance) for make in (Exponent, AtLeast, AtMost) for value in (0.1, 0.7, 3.0)]
    assert len({judged.exponent for judged in found}) == 1
    assert len({judged.tolerance for judged in found}) == 1


def test_the_tolerance_is_extrapolation_plus_certification() -> None:
    coarse = judge(claim(Exponent(2 / 3)), PLAIN, sizes=(100, 200), replicates=6)
    searched = assess(claim(Exponent(2 / 3)), PLAIN)
    assert coarse.certification is not None
    assert coarse.evidence is not None
    assert coarse.evidence.asymptote is not None
    assert coarse.certification.agrees
    assert coarse.exponent == searched.exponent
    assert coarse.tolerance is not None
    assert searched.tolerance is not None
    # Six replicates certify less than the search had assumed: the bar widens by what they leave open.
    assert coarse.certification.precision > certify.RESERVED
    assert coarse.tolerance == pytest.approx(
        coarse.evidence.asymptote.half_width + coarse.certification.precision, rel=1e-12
    )
    assert coarse.tolerance > searched.tolerance


# ------------------------------------------------------------------------------------------------ certification


def test_simulation_certifies_the_equivalent() -> None:
    found = judge(claim(Exponent(2 / 3)), PLAIN, seed=1, **SMALL)
    certification = found.certification
    assert found.verdict == CONSISTENT
    assert found.route == "A"
    assert certification is not None
    assert certification.agrees
    assert certification.n == (100, 200)
    assert certification.replicates == 16
    expected = np.asarray(equivalent_risk(PLAIN, n=[100.0, 200.0]))
    np.testing.assert_allclose(certification.equivalent, expected, rtol=1e-9)
    difference = np.abs(np.asarray(certification.simulated) - expected)
    assert np.all(difference < 5.0 * np.asarray(certification.stderr) + 0.1 * expected)
    assert np.all(np.asarray(certification.stderr) > 0.0)
    again = judge(claim(Exponent(2 / 3)), PLAIN, seed=1, **SMALL)
    assert again.certification == certification
    other = judge(claim(Exponent(2 / 3)), PLAIN, seed=2, **SMALL)
    assert other.certification is not None
    assert other.certification.simulated != certification.simulated


@pytest.mark.parametrize("factor", [1.2, 1 / 1.2])
@pytest.mark.parametrize("value", [2 / 3, 0.9, 0.1])
@pytest.mark.thorough
def test_an_equivalent_that_simulation_contradicts_decides_nothing(
    value: float, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*arguments: Any, **named: Any) -> Any:
        return np.asarray(equivalent_risk(*arguments, **named)) * factor

    monkeypatch.setattr(certify, "equivalent_risk", wrong)
    found = judge(claim(Exponent(value)), PLAIN, **SMALL)
    assert found.verdict == INCONCLUSIVE
    assert found.score == 0.0
    assert found.certification is not None
    assert not found.certification.agrees
    assert "disagree" in found.reason


def test_an_equivalent_with_a_wrong_slope_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def tilted(instance: Instance, *, n: Any, lam: Any) -> Any:
        return np.asarray(equivalent_risk(instance, n=n, lam=lam)) * (np.asarray(n) / 200.0) ** 0.2

    monkeypatch.setattr(certify, "equivalent_risk", tilted)
    assert judge(claim(Exponent(2 / 3 - 0.2)), PLAIN, **SMALL).verdict == INCONCLUSIVE


@pytest.mark.usefixtures("no_simulation")
def test_what_is_not_random_is_not_simulated() -> None:
    found = judge(claim(Exponent(-0.5), observable=EffectiveDimension()), PLAIN)
    assert found.verdict == CONSISTENT
    assert found.certification is None


# ------------------------------------------------------------------------------------------------ bounds


@pytest.mark.usefixtures("no_simulation")
def test_explicit_bounds() -> None:
    one = Instance(Finite((1.0,)), SingleEigenfunction(2.0))
    found = assess(claim(Bound(1.0), observable=BiasRatio()), one)
    assert found.verdict == VIOLATED
    assert found.witness == {"lam": 0.1}  # the violating power of ten closest to one
    assert found.exponent is found.tolerance is None
    smooth = Instance(Finite((1.0,)), SingleEigenfunction(1.0))
    assert assess(claim(Bound(1.0), observable=BiasRatio()), smooth).verdict == CONSISTENT
    # sup_t (t^s/(1 + t))^2 = 1/16 at s = 1/2: a constant below that is refuted, one above is not.
    half = Instance(Finite((1.0,)), SingleEigenfunction(0.5))
    assert assess(claim(Bound(0.26), observable=BiasRatio()), half).verdict == CONSISTENT
    assert assess(claim(Bound(0.2), observable=BiasRatio()), half).verdict == VIOLATED


@pytest.mark.usefixtures("no_simulation")
def test_bounds_with_some_constant_need_growth_without_limit() -> None:
    some = Bound(math.inf)
    infinite = claim(some, observable=VarianceRatio(small_samples=True))
    assert assess(infinite, PLAIN).verdict == CONSISTENT
    found = assess(infinite, Instance(Finite((1.0,))))
    assert found.verdict == VIOLATED
    assert set(found.witness) == {"lam", "n"}
    silent = dataclasses.replace(PLAIN, noise=Noise(0.0))
    risk = claim(some, observable=RiskRatio(small_samples=True))
    assert assess(risk, silent).verdict == VIOLATED
    assert assess(risk, Instance(PowerLaw(2.0), SingleEigenfunction(0.5))).verdict == CONSISTENT


# ------------------------------------------------------------------------------------------------ route B


@dataclass(frozen=True)
class Treated(PowerLaw):
    """A power law that has no deterministic equivalent, as far as the harness is told."""

    equivalent = False  # not fields
    sample_scales = (1.0,)

    @property
    def plain(self) -> PowerLaw:
        return PowerLaw(self.beta, self.scale)


TREATED = Instance(Treated(1.5), CriticalTarget(0.3), Noise(1.0))
TRUTH = theorem_exponent(treatment_free(TREATED))


def test_the_seam_between_the_routes() -> None:
    assert has_equivalent(PLAIN)
    assert not has_equivalent(TREATED)
    assert treatment_free(TREATED) == Instance(PowerLaw(1.5), CriticalTarget(0.3), Noise(1.0))
    assert treatment_free(PLAIN) == PLAIN
    assert pytest.approx(0.9 / 1.9) == TRUTH
    with pytest.raises(ValueError, match="route='C' must be 'A'"):
        judge(claim(Exponent(0.5)), PLAIN, route="C")


@pytest.mark.thorough
def test_without_an_equivalent_the_simulated_slope_is_compared_with_a_reference() -> None:
    assert TRUTH is not None
    found = judge(claim(Exponent(TRUTH)), TREATED, **SMALL)
    assert (found.route, found.verdict) == ("B", CONSISTENT)
    assert found.certification is None
    assert found.interval is not None
    assert found.interval[0] < TRUTH < found.interval[1]
    for shift in (0.3, -0.3):
        wrong = judge(claim(Exponent(TRUTH + shift)), TREATED, **SMALL)
        assert wrong.verdict == VIOLATED
        assert (wrong.exponent, wrong.tolerance) == (found.exponent, found.tolerance)
    assert judge(claim(AtLeast(TRUTH - 0.3)), TREATED, **SMALL).verdict == CONSISTENT
    assert judge(claim(AtMost(TRUTH - 0.3)), TREATED, **SMALL).verdict == VIOLATED


def test_route_b_never_asks_for_the_equivalent_of_what_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the reference it may: by how much its curve is bent is part of the tolerance."""
    whole = equivalents.risk_terms

    def refuse(instance: Instance, **named: Any) -> Any:
        assert has_equivalent(instance), "route B must not use the equivalent of the treated instance"
        return whole(instance, **named)

    monkeypatch.setattr(equivalents, "risk_terms", refuse)
    monkeypatch.setattr(observables, "risk_terms", refuse)
    monkeypatch.setattr(certify, "equivalent_risk", lambda *a, **k: pytest.fail("route B certifies nothing"))
    assert judge(claim(Exponent(0.9 / 1.9)), TREATED, **SMALL).route == "B"


def test_a_bent_reference_widens_the_tolerance_unless_samples_are_worth_what_they_are() -> None:
    @dataclass(frozen=True)
    class Unknown(Treated):
        sample_scales = (0.25, 4.0)

    bent = Instance(Unknown(1.5), CriticalTarget(0.3), Noise(0.05))
    plain = Instance(Treated(1.5), CriticalTarget(0.3), Noise(0.05))
    wide, narrow = (judge(claim(Exponent(0.9 / 1.9)), instance, **SMALL) for instance in (bent, plain))
    assert wide.tolerance is not None
    assert narrow.tolerance is not None
    assert wide.tolerance > narrow.tolerance + 0.02


def test_few_replicates_never_call_a_wrong_claim_consistent() -> None:
    assert TRUTH is not None
    for seed in range(4):
        for shift in (0.3, -0.3):
            found = judge(claim(Exponent(TRUTH + shift)), TREATED, seed, sizes=(100, 200), replicates=4)
            assert found.verdict in (VIOLATED, INCONCLUSIVE)
    assert found.verdict == INCONCLUSIVE
    assert "4 replicates" in found.reason


@pytest.mark.usefixtures("no_simulation")
def test_route_b_leaves_undecided_what_simulation_cannot_decide() -> None:
    for prediction in (Theta(0.5), StraightLine(0.5)):
        found = judge(claim(prediction), TREATED)
        assert (found.route, found.verdict) == ("B", INCONCLUSIVE)
        assert "simulation alone cannot decide" in found.reason
    bound = judge(claim(Bound(1.0), observable=BiasRatio()), TREATED)
    assert (bound.route, bound.verdict) == ("B", INCONCLUSIVE)
    odd = judge(claim(Exponent(0.5), tuning=lambda instance, n: 1.0 / n), TREATED)
    assert odd.verdict == INCONCLUSIVE
    assert "no theorem" in odd.reason


def test_route_b_can_be_asked_for() -> None:
    found = judge(claim(Exponent(2 / 3)), PLAIN, route="B", **SMALL)
    assert (found.route, found.verdict) == ("B", CONSISTENT)


@pytest.mark.parametrize(
    "spectrum", [PowerLaw(1.05), PowerLaw(6.0), BrokenPowerLaw(6.0, 0.3, 300), Spiked(2.0, 100, 1000.0)]
)
def test_an_order_next_to_saturation_is_undecided_and_at_saturation_refuted(spectrum: Spectrum) -> None:
    """Only at s = 1 does the bias of a critical target carry a logarithm; at .996 its ratio grows for long, and stops."""
    claim = order_claim()
    verdicts = {s: look(claim, Instance(spectrum, CriticalTarget(s), Noise(1.0)), 0).verdict for s in (0.9, 0.996, 1.0)}
    assert verdicts == {0.9: CONSISTENT, 0.996: INCONCLUSIVE, 1.0: VIOLATED}


def order_claim() -> Claim:
    """Under the schedule the risk is of the exact order of alpha."""
    return Claim(
        id="O1",
        title="order",
        statement="order",
        source="a test",
        domain=st.nothing(),
        predict=lambda instance: Theta(2.0 * instance.s / (2.0 * instance.s + 1.0 / instance.beta)),
        tuning="schedule",
    )
