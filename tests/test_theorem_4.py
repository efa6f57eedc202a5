"""Lemma 4, Theorem 4, Remark 3 and Figure 3: effective sample sizes measured, beside those that are claimed."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import verifier as vf
from properties import figure_3, lemma_4, remark_3, theorem_4
from verifier.claims import Bound
from verifier.risk.collapse import (
    AboveTheFactor,
    BelowIndependent,
    Factor,
    LagOneFactor,
    MixingFactor,
    NoFactor,
    OffTheFactor,
    RiskOffTheFactor,
    ScoreFactor,
    SlopeBesideIndependent,
    TrueMixingFactor,
    VarianceAboveTheFactor,
    VarianceOverBound,
    VarianceOverEffective,
    independent,
    log_share,
    measured_factor,
    measured_factors,
)
from verifier.risk.observables import Observable
from verifier.verdicts.certify import correlation_time
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, OUT_OF_SCOPE, VIOLATED

CLAIMS = {reading.id: reading for module in (lemma_4, theorem_4, remark_3, figure_3) for reading in module.READINGS}
PLAIN = vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s=0.75), vf.Noise(1.0))


def dependent(dependence: vf.Dependence, **parts: object) -> vf.Instance:
    return dataclasses.replace(PLAIN, dependence=dependence, **parts)


BOTH = dependent(vf.Dependent(vf.AR1(0.8), vf.AR1(0.8)))
INPUTS = dependent(vf.Dependent(inputs=vf.AR1(0.8)))
NOISE = dependent(vf.Dependent(noise=vf.AR1(0.8)))
OPPOSED = dependent(vf.Dependent(vf.AR1(-0.8), vf.AR1(-0.8)))
MEANS = dependent(vf.Dependent(vf.MovingAverage((1.0, 1.0)), vf.MovingAverage((1.0, 1.0, 1.0))))
STICKY = dependent(vf.Repeated(vf.Sticky(0.6), "repeated"))
FRESH = dependent(vf.Repeated(vf.Sticky(0.6), "fresh"))
FACTORS = {
    "both": (BOTH, 1.64 / 0.36),
    "inputs": (INPUTS, 1.0),
    "noise": (NOISE, 1.0),
    "opposed": (OPPOSED, 1.64 / 0.36),
    "means": (MEANS, 1.0 + 2.0 * 0.5 * 2.0 / 3.0),
    "repeated with noise": (STICKY, 4.0),
    "repeated": (FRESH, 1.0),
}


@pytest.mark.parametrize("name", FACTORS)
def test_the_measured_factor_is_the_sum_of_products(name: str) -> None:
    instance, factor = FACTORS[name]
    assert instance.dependence.product_sum() == pytest.approx(factor, rel=1e-12)
    assert measured_factor(instance, 1e12) == pytest.approx(factor, rel=1e-4)
    # What is missing is of the order of d1/n.
    missing = [abs(measured_factor(instance, n) / factor - 1.0) for n in (1e6, 1e9)]
    assert missing[1] <= 1.05 * missing[0] * 1e3**-0.7 + 1e-10


@pytest.mark.parametrize("s", [0.2, 1.0])
@pytest.mark.parametrize("tuning", ["optimal", "schedule"])
def test_the_measured_factor_puts_one_curve_on_the_other(s: float, tuning: vf.Tuning) -> None:
    instance = dataclasses.replace(BOTH, target=vf.CriticalTarget(s=s), spectrum=vf.LogPeriodic(2.0, 0.2, 3.0))
    for n in (300.0, 1e5, 1e14):
        factor = measured_factor(instance, n, tuning)
        risk = vf.equivalent_risk(instance, n=n, lam=tuning)
        assert vf.equivalent_risk(independent(instance), n=n / factor, lam=tuning) == pytest.approx(risk, rel=1e-8)


@pytest.mark.thorough
def test_factors_of_a_simulated_curve_hold_the_truth() -> None:
    n = (200, 400)
    curve = vf.learning_curve(BOTH, n=n, replicates=32, seed=3, tuning="optimal")
    factor, low, high = measured_factors(BOTH, n, curve.risk, curve.stderr)
    expected = [measured_factor(BOTH, float(m)) for m in n]
    assert np.all(low < factor)
    assert np.all(factor < high)
    # Within three standard errors, and the equivalent's own c/n.
    assert np.all(np.abs(factor - expected) <= 1.5 * (high - low) / 2.0 + 4.0 / np.array(n) * factor / 0.75)
    # One way to see that it is not the figure's: 9 is not within five of them.
    assert np.all(high + 1.5 * (high - low) < 9.0)


def test_claimed_factors() -> None:
    assert LagOneFactor().value(BOTH) == pytest.approx(9.0)
    assert LagOneFactor().value(NOISE) == pytest.approx(9.0)
    assert LagOneFactor().value(STICKY) == pytest.approx(4.0)
    assert LagOneFactor().value(PLAIN) == MixingFactor(0.5).value(PLAIN) == NoFactor().value(BOTH) == 1.0
    lags = np.arange(1, 4000)
    for power in (0.5, 1.0):
        summed = 1.0 + 2.0 * float(np.sum(0.8 ** (power * lags)))
        assert MixingFactor(power).value(BOTH) == pytest.approx(summed, rel=1e-12)
        assert MixingFactor(power).value(OPPOSED) == pytest.approx(summed, rel=1e-12)
    assert ScoreFactor().value(dependent(vf.Dependent(vf.FractionalNoise(0.9), vf.FractionalNoise(0.8)))) == math.inf
    for factor in (LagOneFactor(), MixingFactor(), ScoreFactor(), NoFactor()):
        assert isinstance(factor, Factor)
        for kind in (OffTheFactor, AboveTheFactor, VarianceAboveTheFactor, RiskOffTheFactor):
            assert isinstance(kind(factor), Observable)
            assert factor.text in kind(factor).name


def test_collapse_is_the_quotient_of_two_factors() -> None:
    observable, n = OffTheFactor(LagOneFactor()), 1e13
    assert observable.log_range(BOTH, "optimal")[0] < math.log(n) < observable.log_range(BOTH, "optimal")[1]
    at = np.array([math.log(n)])
    off = observable.log_values(BOTH, at, "optimal")
    assert off == pytest.approx(abs(math.log(measured_factor(BOTH, n) / 9.0)), rel=1e-8)
    assert AboveTheFactor(LagOneFactor()).log_values(BOTH, at, "optimal") == pytest.approx(-off)
    # The risks themselves, by direct evaluation.
    laid = RiskOffTheFactor(LagOneFactor()).log_values(BOTH, np.array([math.log(1e5)]), "optimal")
    direct = vf.equivalent_risk(BOTH, n=1e5) / vf.equivalent_risk(PLAIN, n=1e5 / 9.0)
    assert laid == pytest.approx(abs(math.log(direct)), rel=1e-10)


def test_the_variance_beside_that_of_independent_samples() -> None:
    n = 1e15
    lam = float(n ** (-1.0 / (1.5 + 0.5)))
    silent = {"target": vf.SingleEigenfunction(s=0.75, norm=1e-9, index=1)}
    noise = [vf.equivalent_risk(dataclasses.replace(instance, **silent), n=n, lam=lam) for instance in (BOTH, PLAIN)]
    found = VarianceAboveTheFactor(ScoreFactor()).log_values(BOTH, np.array([math.log(n)]), "schedule")
    assert found == pytest.approx(math.log(noise[0] / noise[1] / (1.64 / 0.36)), abs=1e-8)
    over = VarianceOverBound().log_values(BOTH, np.array([math.log(n)]), "schedule")
    assert math.exp(over[0]) == pytest.approx(noise[0] * n / vf.effective_dimension(PLAIN, lam), rel=1e-8)


def test_a_limit_is_read_off_where_it_has_settled() -> None:
    # Little noise: the sample is interpolated up to n = 1e8 and more, whatever the exponents say.
    quiet = dataclasses.replace(BOTH, noise=vf.Noise(0.01), target=vf.CriticalTarget(s=1.0), spectrum=vf.PowerLaw(5.0))
    for instance in (BOTH, quiet, dependent(vf.Repeated(vf.RegimeSwitching(2.5), "repeated"))):
        observable = OffTheFactor(ScoreFactor())
        start, _ = observable.log_range(instance, "optimal")
        assert log_share(instance, np.array([start]), "optimal")[0] < -11.0
        assert observable.log_values(instance, np.array([start]), "optimal")[0] < math.log(1.02)
    # Correlations that are summable by a hair settle too slowly to say anything.
    barely = dependent(vf.Repeated(vf.RegimeSwitching(2.01), "repeated"))
    assert np.all(np.isnan(OffTheFactor(ScoreFactor()).log_values(barely, np.array([30.0]), "optimal")))
    assert assess(CLAIMS["T4/collapse-score"], barely).verdict == INCONCLUSIVE


VERDICTS = {
    "T4/collapse-inputs": (INPUTS, VIOLATED),
    "T4/collapse-noise": (NOISE, VIOLATED),
    "T4/collapse-both": (BOTH, VIOLATED),
    "T4/collapse-repeated": (STICKY, CONSISTENT),
    "T4/collapse-repeated-inputs": (FRESH, VIOLATED),
    "T4/collapse-mixing": (BOTH, VIOLATED),
    "T4/collapse-score": (BOTH, CONSISTENT),
    "T4/upper-bound-figure-factor": (BOTH, CONSISTENT),
    "T4/upper-bound-figure-factor-negative": (OPPOSED, VIOLATED),
    "T4/exponent": (BOTH, CONSISTENT),
    "L4/mixing-factor": (OPPOSED, CONSISTENT),
    "L4/figure-factor": (OPPOSED, VIOLATED),
    "L4/short-memory": (BOTH, CONSISTENT),
    "L4/uniform-in-rho": (BOTH, CONSISTENT),
    "L4/true-mixing-coefficients": (STICKY, CONSISTENT),
    "L4/true-mixing-of-autoregressions": (BOTH, OUT_OF_SCOPE),
    "F3/larger-errors": (INPUTS, CONSISTENT),
    "F3/collapse-inputs": (INPUTS, VIOLATED),
    "F3/collapse-both": (BOTH, VIOLATED),
    "F3/collapse-score": (INPUTS, CONSISTENT),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts_on_one_instance(name: str) -> None:
    instance, verdict = VERDICTS[name]
    found = assess(CLAIMS[name], instance)
    assert found.verdict == verdict, found.reason
    if "collapse" in name:  # rho = 0: nothing to disagree about
        assert assess(CLAIMS[name], PLAIN).verdict == CONSISTENT


@pytest.mark.parametrize(
    ("dependence", "factor"),
    [
        (vf.Dependent(vf.MovingAverage((1.0, 0.0, 0.5)), vf.White()), 5.0),
        (vf.Dependent(vf.MovingAverage((1.0, 1.0)), vf.MovingAverage((1.0, 1.0))), 3.0),
        (vf.Dependent(vf.MovingAverage((1.0, 1.0)), vf.AR1(0.5)), 1.0 + 2.0 * (1.0 + 0.5)),
        (vf.Dependent(vf.White(), vf.AR1(0.5)), 3.0),
        (vf.Dependent(vf.AR1(0.1), vf.White()), math.inf),
        (vf.Dependent(vf.White(), vf.FractionalNoise(0.7)), math.inf),
        (vf.Repeated(vf.Sticky(0.6)), 4.0),
        (vf.Repeated(vf.Blocks(2)), math.inf),
        (vf.Independent(), 1.0),
    ],
    ids=str,
)
def test_true_mixing_coefficients_of_infinitely_many_coordinates(dependence: vf.Dependence, factor: float) -> None:
    assert TrueMixingFactor().value(dependent(dependence)) == pytest.approx(factor, abs=1e-9)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.95, -0.95])
def test_one_constant_serves_all_correlations_with_the_lemmas_factor_and_none_with_the_figures(rho: float) -> None:
    log_n = np.log(np.array([100.0, 1e4, 1e12]))
    process = vf.AR1(rho) if rho else vf.White()
    instance = dependent(vf.Dependent(process, process))
    with_lemma, with_figure = (
        np.exp(VarianceOverEffective(factor=factor).log_values(instance, log_n, "schedule"))
        for factor in (MixingFactor(), LagOneFactor())
    )
    # The limit of independent samples, d2/d1 of the power law, times (1 + rho^2)/(1 + |rho|)^2.
    expected = (1.0 - 1.0 / instance.beta) * (1.0 + rho**2) / (1.0 + abs(rho)) ** 2
    assert with_lemma[-1] == pytest.approx(expected, rel=0.01)
    assert np.all(with_lemma < 1.0)
    assert rho > -0.9 or with_figure[-1] > 300.0


@dataclasses.dataclass(frozen=True)
class Planted:
    """A factor that is off by a twentieth."""

    off: float = 1.05
    text: str = "planted"

    def value(self, instance: vf.Instance) -> float:
        return self.off * instance.dependence.product_sum()


@pytest.mark.parametrize("off", [0.95, 1.05])
@pytest.mark.parametrize("name", ["both", "inputs", "repeated with noise"])
def test_a_planted_factor_is_caught(name: str, off: float) -> None:
    instance, _ = FACTORS[name]
    claim = dataclasses.replace(CLAIMS["T4/collapse-score"], observable=OffTheFactor(Planted(off)))
    found = assess(claim, instance)
    assert found.verdict == VIOLATED, found.reason
    bound = dataclasses.replace(claim, observable=AboveTheFactor(Planted(off)), predict=lambda _: Bound(1.02))
    assert assess(bound, instance).verdict == (VIOLATED if off < 1.0 else CONSISTENT)


def test_dependent_inputs_cost_nothing_in_the_limit_and_noise_alone_nothing_at_all() -> None:
    n = np.log(np.array([100.0, 1e4, 1e6]))
    assert BelowIndependent().log_values(NOISE, n, "optimal") == pytest.approx(0.0, abs=1e-10)
    gap = -BelowIndependent().log_values(INPUTS, n, "optimal")
    assert np.all(gap > 0.0)
    assert np.all(np.diff(gap) < 0.0)
    assert SlopeBesideIndependent().log_values(NOISE, n[:1], "optimal")[0] < -10.0


def regimes(hurst: float, noise: float) -> vf.Instance:
    return dependent(vf.Dependent(vf.FractionalNoise(hurst), vf.FractionalNoise(noise)))


@pytest.mark.thorough
def test_exponents_under_long_memory() -> None:
    """Inputs and noise of H = .8 and .9: a = .4; the effective dimension stays below n^(2 - 2 H_x) = n^.4."""
    left = regimes(0.8, 0.9)
    used_up = dataclasses.replace(regimes(0.95, 0.8), target=vf.CriticalTarget(s=0.1))
    predicted = CLAIMS["R3/in-n-eff"].predict(left).value
    assert predicted == pytest.approx(0.6 * 0.75)
    fit = vf.judge(CLAIMS["R3/two-regimes"], left, seed=0)
    assert fit.verdict == CONSISTENT, fit.reason
    assert assess(CLAIMS["R3/in-n"], left).verdict == VIOLATED
    # gamma = .5/.9: the low frequencies are used up, and the clock is wrong.
    assert CLAIMS["R3/two-regimes"].predict(used_up).value == pytest.approx(0.4 * (4.0 / 9.0) / (0.4 + 4.0 / 9.0))
    assert assess(CLAIMS["R3/two-regimes"], used_up).verdict == CONSISTENT
    assert assess(CLAIMS["R3/in-n-eff"], used_up).verdict == VIOLATED
    for alone in (vf.Dependent(inputs=vf.FractionalNoise(0.9)), vf.Dependent(noise=vf.FractionalNoise(0.9))):
        assert assess(CLAIMS["R3/in-n"], dependent(alone)).verdict == CONSISTENT


def test_correlation_times() -> None:
    assert correlation_time(vf.Independent()) == 1.0
    assert correlation_time(BOTH.dependence) == pytest.approx(9.0)
    assert correlation_time(OPPOSED.dependence) == pytest.approx(9.0)
    assert correlation_time(STICKY.dependence) == pytest.approx(4.0)
    assert correlation_time(vf.Dependent(vf.MovingAverage((1.0,) * 20))) == pytest.approx(20.0)
    assert correlation_time(NOISE.dependence) == correlation_time(regimes(0.9, 0.9).dependence) == 1.0


def test_the_exhibit_shows_what_it_says() -> None:
    exhibit = figure_3.EXHIBIT
    assert exhibit is CLAIMS["F3/slope"].exhibit
    drawn = [[series.instance for series in panel.series] for panel in exhibit.panels]
    assert [[instance.dependence.product_sum() for instance in panel] for panel in drawn] == [
        pytest.approx(factors)
        for factors in 2 * ([1.0, 5.0 / 3.0, 1.64 / 0.36], [1.0] * 3, [1.0, 5.0 / 3.0, 1.64 / 0.36])
    ]
    assert [[series.worth for series in panel.series] for panel in exhibit.panels[3:]] == [
        pytest.approx(worth) for worth in ([1.0, 1 / 3, 1 / 9], [1.0, 1 / 3, 1 / 9], [1.0, 0.6, 0.36 / 1.64])
    ]
    at_end = [
        [float(np.asarray(vf.equivalent_risk(each, n=n))) for each in instances]
        for n, instances in zip((3200.0, 1e6, 1e12), drawn[:3], strict=True)
    ]
    assert at_end[1][1:] == pytest.approx([at_end[1][0]] * 2, rel=2e-3)  # the curves meet
    distances = [risk / at_end[2][0] for risk in at_end[2][1:]]
    assert distances == pytest.approx([(5.0 / 3.0) ** 0.75, (1.64 / 0.36) ** 0.75], rel=1e-3)
    assert [f"{distance:.1f}" for distance in distances] == ["1.5", "3.1"]
    assert [f"{rho**0.75:.1f}" for rho in (3.0, 9.0)] == ["2.3", "5.2"]
    assert "1.5 and 3.1" in exhibit.panels[2].text
    assert "2.3 and 5.2" in exhibit.panels[2].text
