"""Theorem 5 and what goes with it: the critical degree against the equivalent and against direct sums; planted wrong degrees."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import find, settings
from hypothesis import strategies as st

import verifier as vf
from properties import figure_6, lemma_6, remark_4, theorem_5
from properties.hypotheses import alpha, critical_degree
from properties.strategies.features import critical_instances, featured, finitely_featured, of_fixed_width
from verifier.risk.equivalents import effective_dimension, equivalent_risk
from verifier.risk.widths import (
    FloorOfWidth,
    RiseOfTheRisk,
    RiskBesideTheKernel,
    RiskRatioWithDimension,
    RiskRatioWithOperatorNorm,
    RiskRatioWithoutWidth,
)
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import CONSISTENT, VIOLATED
from verifier.verdicts.parameters import paths_of

T5 = {reading.reading: reading for reading in theorem_5.READINGS}
R4 = {reading.reading: reading for reading in remark_4.READINGS}
L6 = {reading.reading: reading for reading in lemma_6.READINGS}
F6 = {reading.reading: reading for reading in figure_6.READINGS}

PLACES = ((1.5, 0.3), (2.0, 0.25), (2.0, 0.75), (1.3, 0.9), (4.0, 0.7))
"""(beta, s) on either side of s = 1/2."""


def instance(beta: float, s: float, degree: float | None, factor: float = 1.0) -> vf.Instance:
    features = vf.AllFeatures() if degree is None else vf.GaussianFeatures(factor=factor, degree=degree)
    return vf.Instance(vf.PowerLaw(beta), vf.CriticalTarget(s=s), features=features)


def direct_risk(beta: float, s: float, log_n: float, log_m: float) -> float:
    """ln of the least risk over gamma, by sums in logarithms over 60 indices and a fine grid of ln i beyond: a second route."""
    index, step = np.arange(1.0, 61.0), 0.1
    beyond = np.arange(math.log(60.5), 150.0, step) + 0.5 * step
    log_i = np.concatenate([np.log(index), beyond])
    log_w = np.concatenate([np.zeros(60), beyond + math.log(2.0 * math.sinh(0.5 * step))])
    log_l, log_f = -beta * log_i, -(2.0 * beta * s + 1.0) * log_i
    # A critical target has the norm 1 in "S-tail": sum over j > k of f_j^2 is k^(-2 beta s); constants do not matter here.
    gamma = np.arange(-75.0, 3.0, 0.15)[:, None]
    total = np.logaddexp(log_l, gamma)
    r, rest = log_l - total, gamma - total
    z, q, spread = (np.exp(log_w + part).sum(axis=1) for part in (r, 2 * r, r + rest))
    bias, leak = (np.exp(log_w + log_f + part).sum(axis=1) for part in (2 * rest, r + rest))
    n, m = math.exp(log_n), math.exp(log_m)
    rho = spread / (m - q)
    noise = (q + rho * spread) / n
    risk = (bias + rho * leak + noise) / (1.0 - noise)
    return float(np.log(risk[(z < n) & (z < m)].min()))


@pytest.mark.parametrize(("beta", "s"), PLACES)
def test_the_exponent_turns_at_the_critical_degree(beta: float, s: float) -> None:
    plain = instance(beta, s, None)
    star, log_n = critical_degree(plain), np.array([60.0, 66.0])
    for offset in (-0.2, -0.1, 0.1, 0.3):
        q = star + offset
        predicted = theorem_5.with_the_oracle(instance(beta, s, q)).value
        assert (predicted < alpha(plain) - 1e-9) == (offset < 0.0)
        values = [direct_risk(beta, s, x, q * x) for x in log_n]
        assert (values[0] - values[1]) / 6.0 == pytest.approx(predicted, abs=6e-3)


@pytest.mark.parametrize(("beta", "s"), PLACES)
@pytest.mark.parametrize("rule", ["exponent-at-every-degree", "schedule-exponent-at-every-degree"])
def test_exponents_below_and_above_on_the_equivalent(beta: float, s: float, rule: str) -> None:
    star = critical_degree(instance(beta, s, None))
    for q in (star - 0.25, star - 0.1, star + 0.1, 1.2):
        found = assess(T5[rule], instance(beta, s, round(q, 2)))
        assert found.verdict == CONSISTENT, found.reason


@pytest.mark.parametrize(("beta", "s"), PLACES)
def test_a_wrong_critical_degree_is_caught(beta: float, s: float) -> None:
    planted = critical_degree(instance(beta, s, None)) - 0.1
    found = assess(T5["every-degree"], instance(beta, s, planted))
    assert found.verdict == VIOLATED, found.reason
    assert found.exponent == pytest.approx(theorem_5.with_the_oracle(instance(beta, s, planted)).value, abs=5e-3)


@pytest.mark.thorough
def test_a_planted_critical_degree_is_falsified() -> None:
    def enough(each: vf.Instance) -> bool:
        return each.features.finite and each.features.degree >= critical_degree(each) - 0.1

    planted = dataclasses.replace(
        T5["above-the-critical-degree"], hypotheses=(enough,), domain=featured(critical_instances()).filter(enough)
    )
    found = vf.falsify(planted, budget=vf.Budget(examples=60), seed=0)
    assert found.verdict == "FALSIFIED"
    assert found.minimal is not None
    caught = found.minimal.instance
    assert caught.features.degree < critical_degree(caught)


def test_degrees_from_the_literature_lie_above_the_critical_one() -> None:
    for beta in (1.05, 1.5, 2.0, 6.0):
        for s in (0.05, 0.3, 0.5, 0.75, 1.0):
            plain = instance(beta, s, None)
            star, p = critical_degree(plain), plain.schedule_power
            assert theorem_5.degree_of_the_operator_norm(plain) >= star
            assert star < 1.0
            if s >= 0.5:
                gap = theorem_5.degree_of_rudi_and_rosasco(plain) - star
                assert gap == pytest.approx(2.0 * (1.0 - s) * (1.0 - 1.0 / beta) * p, abs=1e-12)
            else:
                assert theorem_5.degree_of_the_effective_dimension(plain) == pytest.approx(star)


@pytest.mark.parametrize(("beta", "s"), [(2.0, 0.3), (2.0, 0.8), (1.3, 0.75), (4.0, 1.0)])
def test_the_floor_is_the_limit_of_many_samples_and_falls_at_its_exponent(beta: float, s: float) -> None:
    for m in (100.0, 1000.0):
        floor = float(np.exp(FloorOfWidth().log_values(instance(beta, s, None), np.log([m]), "optimal")[0]))
        many = float(equivalent_risk(instance(beta, s, 0.0, factor=m), n=1e18))
        assert floor <= many * (1.0 + 1e-9)
        assert many == pytest.approx(floor, rel=1e-3)
    found = assess(R4["floor-against-width"], instance(beta, s, None))
    assert found.verdict == CONSISTENT, found.reason
    assert found.exponent == pytest.approx(beta * min(2.0 * s, 1.0), abs=5e-3)


def test_the_ratio_of_lemma_6_is_that_of_the_equivalent() -> None:
    each = vf.Instance(
        vf.PowerLaw(1.2), vf.CriticalTarget(s=0.68), vf.Noise(0.7), features=vf.GaussianFeatures(factor=0.1, degree=0.7)
    )
    kinds = {
        RiskRatioWithoutWidth(): lambda lam, dimension, m: 0.0,
        RiskRatioWithDimension(): lambda lam, dimension, m: dimension / m * lam,
        RiskRatioWithOperatorNorm(): lambda lam, dimension, m: lam ** (2 * 0.68 - 2.0) / m,
    }
    for observable, term in kinds.items():
        for log_x in (4.0, 9.0):
            found = float(observable.log_values(each, np.array([log_x]), "optimal")[0])
            lam, dimension = math.exp(-log_x), float(effective_dimension(each, math.exp(-log_x)))
            sizes = np.exp(np.arange(math.log(100.0 * dimension) / 0.7, 80.0, 0.05))  # N = m/10 at the first
            widths = 0.1 * sizes**0.7
            bounds = lam ** (2 * 0.68) + 0.7**2 * dimension / sizes + term(lam, dimension, widths)
            expected = np.log(np.asarray(equivalent_risk(each, n=sizes, lam=lam)) / bounds)
            assert found == pytest.approx(expected.max(), abs=2e-3)
            witness = observable.witness(each, log_x, "optimal")
            at_it = lam ** (2 * 0.68) + 0.7**2 * dimension / witness["n"] + term(lam, dimension, witness["m"])
            ratio = float(equivalent_risk(each, n=witness["n"], lam=lam)) / at_it
            assert math.log(ratio) == pytest.approx(found, abs=2e-3)
            assert dimension <= min(witness["n"], witness["m"]) / 10.0 * (1.0 + 1e-3)


@pytest.mark.parametrize(
    ("s", "degree", "verdict"),
    [(0.8, 0.3, VIOLATED), (0.8, 0.9, CONSISTENT), (0.3, 0.3, CONSISTENT), (0.3, 1.2, CONSISTENT)],
)
def test_where_an_approximation_term_is_needed(s: float, degree: float, verdict: str) -> None:
    # Where the largest permitted lambda^(2s) falls below (N/m) lambda, which needs s > 1/2 and few features beside the samples.
    assert assess(L6["without-approximation-term"], instance(2.0, s, degree)).verdict == verdict
    in_the_ball = dataclasses.replace(instance(2.0, s, degree), target=vf.SmootherTarget(s=s, excess=0.1))
    for name in ("dimension-over-width", "operator-norm"):
        assert assess(L6[name], in_the_ball).verdict == CONSISTENT


def test_a_ratio_needs_a_width_that_grows() -> None:
    with pytest.raises(ValueError, match="must be more the larger n"):
        RiskRatioWithDimension().log_range(instance(2.0, 0.5, 0.0, factor=10.0), "optimal")


def test_a_hump_is_one_of_finite_width() -> None:
    log_n = np.linspace(math.log(20.0), math.log(1e6), 60)
    bumpy = vf.Instance(
        vf.PowerLaw(1.1), vf.CriticalTarget(s=0.05), features=vf.GaussianFeatures(factor=100.0, degree=0.0)
    )
    rise = RiseOfTheRisk().log_values(bumpy, log_n, "schedule")
    assert rise.max() > 0.01
    assert 30.0 < math.exp(log_n[np.argmax(rise)]) < 100.0  # on the way up to n = m
    smooth = dataclasses.replace(bumpy, features=vf.AllFeatures())
    assert RiseOfTheRisk().log_values(smooth, log_n, "schedule").max() < 0.0
    found = assess(F6["no-rise"], bumpy)
    assert found.verdict == VIOLATED
    assert found.witness["m"] == pytest.approx(100.0)


def test_the_curve_beside_the_kernel_s_tends_to_a_constant_above_the_critical_degree() -> None:
    log_n = np.array([20.0, 40.0, 60.0])
    ratio = RiskBesideTheKernel().log_values(instance(2.0, 0.75, 0.7), log_n, "schedule")
    assert np.all(np.diff(np.abs(ratio)) < 0.0)
    assert abs(ratio[-1]) < 1e-3


@pytest.mark.thorough
def test_strategies_start_from_infinite_width_and_reach_both_sides() -> None:
    quiet = settings(max_examples=50, derandomize=True, database=None)
    base = st.just(instance(2.0, 1.0, None))
    assert find(featured(base), lambda each: True, settings=quiet) == instance(2.0, 1.0, None)
    assert find(finitely_featured(base), lambda each: True, settings=quiet).features == vf.GaussianFeatures(1.0, 1.0)
    below = find(featured(base), lambda each: each.features.finite and each.features.degree < 0.3, settings=quiet)
    assert below.features.degree == round(below.features.degree, 2)
    assert find(of_fixed_width(base), lambda each: True, settings=quiet).features == vf.GaussianFeatures(10.0, 0.0)


def test_q_names_the_degree_in_a_map() -> None:
    record = instance(2.0, 0.75, 0.5).to_json()
    assert paths_of("q", record) == paths_of("degree", record) == [("features", "degree")]
