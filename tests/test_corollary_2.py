"""Corollary 2 and Assumption T4: what each reading says of chosen instances, and that an exponent off by .05 is noticed."""

from __future__ import annotations

import dataclasses

import pytest

import verifier as vf
from properties import assumption_t4, corollary_2
from properties.hypotheses import critical_growth
from verifier.verdicts.judge import assess
from verifier.verdicts.judgement import CONSISTENT, VIOLATED

CLAIMS = {reading.reading: reading for reading in corollary_2.READINGS}


def with_heads(context: vf.Context, s: float = 0.5) -> vf.Instance:
    return vf.Instance(vf.PowerLaw(2.0), vf.CriticalTarget(s), vf.Noise(1.0), context=context)


EQUAL, LIGHTER, HEAVIER = vf.PowerLaw(2.0), vf.PowerLaw(4.0), vf.PowerLaw(1.5)
CASES = [
    ("fixed-context", vf.DisjointHeads(EQUAL, factor=10.0), CONSISTENT),
    ("growing-context", vf.DisjointHeads(EQUAL, degree=0.3), VIOLATED),
    ("growing-context", vf.CodiagonalHeads(EQUAL, degree=0.3), CONSISTENT),
    ("growing-logarithmic", vf.DisjointHeads(EQUAL, logarithms=1.0), CONSISTENT),
    ("samples-per-head", vf.DisjointHeads(EQUAL, degree=0.3), CONSISTENT),
    ("growing-context", vf.DisjointHeads(LIGHTER, degree=0.1), CONSISTENT),
    ("growing-context", vf.DisjointHeads(LIGHTER, degree=0.3), VIOLATED),
    ("growing-schedule", vf.CodiagonalHeads(EQUAL, degree=0.3, weighting=1.0), CONSISTENT),
    ("growing-schedule", vf.CodiagonalHeads(EQUAL, degree=0.3, weighting=0.0), VIOLATED),
    ("growing-schedule", vf.CodiagonalHeads(LIGHTER, degree=0.3, weighting=1.0), VIOLATED),
    ("heavier-tails", vf.DisjointHeads(HEAVIER, factor=2.0), VIOLATED),
    ("heavier-tails-minimum-rule", vf.DisjointHeads(HEAVIER, factor=2.0), CONSISTENT),
]


@pytest.mark.parametrize(("name", "context", "verdict"), CASES)
def test_readings_of_chosen_contexts(name: str, context: vf.Context, verdict: str) -> None:
    assert assess(CLAIMS[name], with_heads(context)).verdict == verdict


def test_the_critical_growth_is_where_alpha_is_lost() -> None:
    assert critical_growth(with_heads(vf.DisjointHeads(LIGHTER))) == pytest.approx(1.0 / 6.0)
    assert critical_growth(with_heads(vf.DisjointHeads(EQUAL))) == 0.0
    assert critical_growth(with_heads(vf.DisjointHeads(HEAVIER))) < 0.0


@pytest.mark.parametrize("off", [-0.05, 0.05])
@pytest.mark.thorough
def test_an_exponent_off_by_a_twentieth_is_noticed(off: float) -> None:
    claim = CLAIMS["exponent-at-every-growth"]

    def planted(instance: vf.Instance) -> vf.Exponent:
        return vf.Exponent(corollary_2.with_the_oracle(instance).value + off)

    found = vf.falsify(dataclasses.replace(claim, predict=planted), budget=vf.Budget(examples=20), seed=0)
    assert found.verdict == "FALSIFIED"


def test_assumption_t4_follows_the_heaviest_head_for_short_memory() -> None:
    claims = {reading.reading: reading for reading in assumption_t4.READINGS}
    mixture = vf.Mixture((0.5, 0.5), (vf.PowerLaw(2.0), vf.PowerLaw(3.0)))
    instance = vf.Instance(
        mixture, vf.CriticalTarget(0.5), vf.Noise(1.0), dependence=vf.Dependent(vf.AR1(0.5), vf.AR1(0.5))
    )
    assert assess(claims["short-memory"], instance).verdict == CONSISTENT
    assert assess(claims["effective-sample-size"], instance).verdict == VIOLATED
    assert assess(claims["effective-sample-size-of-products"], instance).verdict == CONSISTENT
