"""Whole searches on planted claims: every verdict is reached, the same everywhere, confirmed on randomness of its own."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase
from scipy import stats

import properties
from verifier.claims import AtLeast, Bound, Claim, Exponent, Prediction, Proof
from verifier.instances import CriticalTarget, Finite, Instance, Noise, PowerLaw, SingleEigenfunction
from verifier.risk.asymptotics import theorem_exponent
from verifier.risk.equivalents import equivalent_risk
from verifier.risk.observables import BiasRatio
from verifier.testing import check
from verifier.verdicts import certificates, certify
from verifier.verdicts import judge as judging
from verifier.verdicts import search as module
from verifier.verdicts.falsify import (
    ERROR,
    FALSIFIED,
    SURVIVED,
    UNDERPOWERED,
    VACUOUS,
    Counterexample,
    Finding,
    Undecided,
    falsify,
)
from verifier.verdicts.judgement import CONSISTENT, INCONCLUSIVE, VIOLATED, Judgement
from verifier.verdicts.search import Budget, confirmation_z

ROOT = Path(__file__).parents[1]
READINGS = {reading.id: reading for reading in properties.CLAIMS}

betas = st.sampled_from([2.0, 1.5, 3.0, 1.2, 4.0])
s_values = st.sampled_from([0.5, 0.3, 0.7, 0.2, 0.4, 0.6])
DOMAIN = st.builds(lambda beta, s: Instance(PowerLaw(beta), CriticalTarget(s), Noise(1.0)), beta=betas, s=s_values)


def truth(instance: Instance) -> float:
    value = theorem_exponent(instance, "optimal")
    assert value is not None
    return value


def claim(predict: Callable[[Instance], Prediction], id: str = "X1/planted", **more: Any) -> Claim:
    parts: dict[str, Any] = {"title": "planted", "statement": "a planted statement", "source": "here", "domain": DOMAIN}
    return Claim(id=id, predict=predict, **(parts | more))


TRUE = claim(lambda i: Exponent(truth(i)))
FALSE = claim(lambda i: Exponent(truth(i) + 0.1), expected=FALSIFIED)
FEW = Budget(examples=15)


@pytest.fixture(autouse=True)
def _files_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files go to a directory of the test."""
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------------------------------------ verdicts


def test_a_true_claim_survives() -> None:
    found = falsify(TRUE, budget=FEW)
    assert (found.verdict, found.exit_code) == (SURVIVED, 0)
    assert found.minimal is found.worst is None
    assert found.counts.violated == found.counts.inconclusive == 0
    assert found.counts.judged == found.counts.consistent == len(found.judged) >= 10
    assert found.typical is not None
    assert found.typical.judgement.verdict == CONSISTENT
    assert found.typical.judgement.certification is not None
    # The typical case is the one that came closest to a violation.
    scores = {instance: judged.score for instance, judged in found.judged}
    assert scores[found.typical.instance] == max(scores.values())
    assert found.power is not None
    assert found.power.kind == "exponent"
    assert found.power.at["0.1"] == 1.0
    assert found.power.at["0.02"] <= found.power.at["0.05"] <= found.power.at["0.1"]
    assert found.power.corner == pytest.approx(1.0 - 0.05 ** (1.0 / found.counts.judged))
    assert found.message == ""


def test_a_false_claim_is_falsified() -> None:
    found = falsify(FALSE, budget=FEW)
    assert (found.verdict, found.exit_code) == (FALSIFIED, 1)
    assert found.agrees is True
    assert found.minimal is not None
    assert found.worst is not None
    # It is false everywhere, so what is minimal is the simplest instance of the domain.
    assert found.minimal.instance == Instance(PowerLaw(2.0), CriticalTarget(0.5), Noise(1.0))
    for case in (found.minimal, found.worst):
        assert case.judgement.verdict == VIOLATED
        assert case.judgement.certification is not None
        assert case.judgement.certification.agrees
    assert found.confirmations == 2 - (found.worst.instance == found.minimal.instance)
    assert found.counts.violated > 0


def test_the_worst_is_at_least_as_bad_as_every_violation_that_was_seen() -> None:
    # The claimed exponent is off by a tenth of beta: the worst instance has the largest beta.
    growing = claim(lambda i: Exponent(truth(i) + 0.1 * i.beta))
    found = falsify(growing, budget=Budget(examples=30))
    assert found.minimal is not None
    assert found.worst is not None
    assert found.minimal.instance.beta == 2.0
    assert found.worst.instance.beta == 4.0


def quiet(s: float, beta: float) -> Instance:
    return Instance(PowerLaw(beta), CriticalTarget(s), Noise(1e-100))


def test_a_claim_that_cannot_be_decided_is_underpowered() -> None:
    hidden = st.builds(quiet, s=s_values, beta=st.sampled_from([3.0, 4.0, 5.0]))
    found = falsify(claim(lambda i: Exponent(truth(i)), domain=hidden), budget=FEW)
    assert (found.verdict, found.exit_code) == (UNDERPOWERED, 2)
    assert found.counts.inconclusive == found.counts.judged >= 10
    assert f"{found.counts.inconclusive} of {found.counts.judged} instances could not be decided" in found.message
    assert found.power is not None
    assert found.power.at == {"0.02": 0.0, "0.05": 0.0, "0.1": 0.0}


@pytest.mark.parametrize("hypothesis", [lambda i: False, lambda i: i.s == 0.5 and i.beta == 3.0])
def test_a_claim_that_is_about_almost_nothing_is_vacuous(hypothesis: Callable[[Instance], bool]) -> None:
    found = falsify(claim(lambda i: Exponent(9.0 if i.s != 0.5 else 0.75), hypotheses=(hypothesis,)), budget=FEW)
    assert (found.verdict, found.exit_code) == (VACUOUS, 2)
    assert found.counts.judged <= 1
    assert "met the claim's hypotheses" in found.message
    assert "at least 10" in found.message


def raising(*arguments: Any) -> Any:
    raise KeyError("nothing here")


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ({"predict": raising}, "predict of claim X1/planted raised KeyError"),
        ({"predict": lambda i: 0.5}, "predict of claim X1/planted returned 0.5"),
        ({"hypotheses": (raising,)}, "KeyError"),
        ({"tuning": raising}, "KeyError"),
        ({"tuning": lambda i, n: -1.0}, "tuning function"),
        ({"domain": st.builds(raising, DOMAIN)}, "KeyError"),
        ({"domain": st.integers()}, "which is not an"),
    ],
    ids=[
        "predict raises",
        "predict returns a float",
        "hypothesis raises",
        "tuning raises",
        "ridge < 0",
        "domain",
        "ints",
    ],
)
def test_a_claim_that_cannot_be_run_is_an_error_that_says_where(parts: dict[str, Any], word: str) -> None:
    predict = parts.pop("predict", lambda i: Exponent(0.5))
    found = falsify(claim(predict, **parts), budget=FEW)
    assert (found.verdict, found.exit_code) == (ERROR, 3)
    assert word in found.message


def test_a_survivor_whose_equivalent_simulation_contradicts_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certify, "equivalent_risk", lambda *a, **k: 1.5 * np.asarray(equivalent_risk(*a, **k)))
    found = falsify(TRUE, budget=FEW)
    assert (found.verdict, found.exit_code) == (ERROR, 3)
    assert "disagree" in found.message
    assert found.typical is not None


def test_a_violation_that_is_not_confirmed_falsifies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certify, "equivalent_risk", lambda *a, **k: 1.5 * np.asarray(equivalent_risk(*a, **k)))
    found = falsify(FALSE, budget=FEW)
    assert found.verdict == UNDERPOWERED
    assert found.minimal is found.worst is None
    assert "not confirmed" in found.message


@pytest.mark.parametrize(("holds", "verdict"), [(True, SURVIVED), (False, FALSIFIED)])
def test_a_proof_decides_without_a_search(holds: bool, verdict: str) -> None:
    proved = claim(raising, proof=lambda: Proof(holds, "by algebra", ("one step",)))
    found = falsify(proved, budget=FEW)
    assert found.verdict == verdict
    assert found.counts.judged == found.confirmations == 0
    assert found.power is not None
    assert found.power.kind == "proof"
    assert found.proof is not None
    assert found.proof.text == "by algebra"


def test_one_sided_claims_are_searched_on_their_own_side() -> None:
    assert falsify(claim(lambda i: AtLeast(truth(i) - 0.3)), budget=FEW).verdict == SURVIVED
    assert falsify(claim(lambda i: AtLeast(truth(i) + 0.1)), budget=FEW).verdict == FALSIFIED


# ------------------------------------------------------------------------------------------------ determinism


def summary(found: Finding) -> tuple[Any, ...]:
    """Everything of a finding but its duration."""
    cases = [
        None
        if case is None
        else (case.instance.digest, case.judgement.verdict, case.judgement.exponent, case.judgement.tolerance)
        for case in (found.minimal, found.worst, found.typical)
    ]
    seen = [(instance.digest, judged.verdict, judged.score) for instance, judged in found.judged]
    return found.verdict, found.counts, found.confirmations, found.message, cases, seen


@pytest.mark.parametrize("planted", [TRUE, FALSE], ids=["true", "false"])
@pytest.mark.thorough
def test_the_same_seed_gives_the_same_finding(planted: Claim) -> None:
    first = falsify(planted, budget=FEW, seed=5)
    np.random.seed(7)  # noqa: NPY002  (no global generator may matter)
    assert summary(falsify(planted, budget=FEW, seed=5)) == summary(first)
    assert summary(falsify(planted, budget=FEW, seed=6)) != summary(first)


@pytest.mark.thorough
def test_another_process_gives_the_same_finding() -> None:
    code = (
        "import json, properties; from verifier.verdicts.falsify import Budget, falsify\n"
        "claim = next(c for c in properties.CLAIMS if c.id == 'L2/all-s')\n"
        "f = falsify(claim, budget=Budget(examples=30), seed=4)\n"
        "print(json.dumps([f.verdict, f.minimal.instance.digest, f.worst.instance.digest, len(f.judged)]))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "123", "CI": "true"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    here = falsify(READINGS["L2/all-s"], budget=Budget(examples=30), seed=4)
    assert here.minimal is not None
    assert here.worst is not None
    expected = [here.verdict, here.minimal.instance.digest, here.worst.instance.digest, len(here.judged)]
    assert json.loads(out.stdout) == expected


def test_a_database_keeps_the_examples_of_each_claim_apart() -> None:
    kept = InMemoryExampleDatabase()
    bound = READINGS["L2/all-s"]
    first = falsify(bound, budget=Budget(examples=40), database=kept)
    assert first.verdict == FALSIFIED
    assert kept.data
    # One example is enough now: the kept one is tried first.
    again = falsify(bound, budget=Budget(examples=1), seed=99, database=kept)
    assert again.verdict == FALSIFIED
    assert first.minimal is not None
    assert again.minimal is not None
    assert again.minimal.instance == first.minimal.instance


# ------------------------------------------------------------------------------------------------ budget


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one"),
        ({"seconds": 1.0, "examples": 1}, "exactly one"),
        ({"seconds": 0.0}, r"seconds=0.0 must be a positive"),
        ({"seconds": -1.0}, r"seconds=-1.0 must be a positive"),
        ({"seconds": math.inf}, r"seconds=inf must be a positive"),
        ({"seconds": math.nan}, r"seconds=nan must be a positive"),
        ({"seconds": "5"}, r"seconds='5' must be a positive"),
        ({"examples": 0}, r"examples=0 must be a whole number"),
        ({"examples": True}, r"examples=True must be a whole number"),
        ({"examples": 2.5}, r"examples=2.5 must be a whole number"),
        ({"examples": "5"}, r"examples='5' must be a whole number"),
    ],
    ids=str,
)
def test_budgets_are_validated(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Budget(**arguments)


@pytest.mark.thorough
def test_a_budget_of_seconds_stops_in_time() -> None:
    # A wide domain, so that the search is not over by itself; a bound, so that nothing is simulated afterwards.
    started = time.perf_counter()
    found = falsify(READINGS["L2/s-at-most-1"], budget=Budget(seconds=1.5))
    elapsed = time.perf_counter() - started
    assert found.verdict == SURVIVED
    assert 1.0 < elapsed < 4.0
    assert found.seconds == pytest.approx(elapsed, abs=0.5)
    assert found.counts.judged > 50


def test_a_budget_of_seconds_that_ends_during_shrinking_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # The search's clock runs out with the first violation, so that shrinking is what it cuts short, however busy the machine.
    verdicts: list[str] = []
    looked_at = module.look

    def looking(*arguments: Any) -> Any:
        found = looked_at(*arguments)
        verdicts.append(found.verdict)
        return found

    def monotonic() -> float:
        return math.inf if VIOLATED in verdicts else 0.0

    monkeypatch.setattr(module, "look", looking)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=monotonic, perf_counter=time.perf_counter))
    started = time.perf_counter()
    found = falsify(READINGS["L2/all-s"], budget=Budget(seconds=0.3))
    assert time.perf_counter() - started < 3.0
    assert found.verdict == FALSIFIED
    assert verdicts.count(VIOLATED) == 1


def test_more_examples_look_at_more_instances() -> None:
    counts = [falsify(READINGS["L2/s-at-most-1"], budget=Budget(examples=n)).counts.judged for n in (12, 60)]
    assert 12 >= counts[0] >= 10
    assert 60 >= counts[1] >= 45


# ------------------------------------------------------------------------------------------------ confirmation


def test_the_search_does_not_simulate_and_confirmations_use_randomness_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys: list[tuple[Any, ...]] = []
    simulate = certify.learning_curve

    def recording(*arguments: Any, **named: Any) -> Any:
        keys.append((named["seed"], *named["key"]))
        return simulate(*arguments, **named)

    monkeypatch.setattr(certify, "learning_curve", recording)
    monkeypatch.setattr(module, "CONFIRMATION_SIZES", (100, 200))  # one curve each: larger sizes are simulated apart
    for planted in (TRUE, FALSE):
        keys.clear()
        found = falsify(planted, budget=FEW, seed=11)
        assert len(keys) == found.confirmations <= 2  # dozens of instances were looked at
        confirmed = [case.instance.digest for case in (found.minimal, found.worst, found.typical) if case is not None]
        for key in keys:
            assert key[0] == 11
            assert "confirm" in key
        for digest in confirmed:
            assert any(digest in key for key in keys)
        assert len(set(keys)) == len(keys)


def test_confirmations_share_the_false_alarms_of_a_run() -> None:
    found = falsify(TRUE, budget=FEW)
    assert found.size == pytest.approx(1e-3 / 500)
    assert 2.0 * float(stats.norm.sf(confirmation_z())) == pytest.approx(1e-3 / 500, rel=1e-9)


# ------------------------------------------------------------------------------------------------ counterexamples


def test_a_counterexample_says_all_that_a_reader_needs() -> None:
    with pytest.raises(Counterexample) as caught:
        check(FALSE)
    text, found = str(caught.value), caught.value.finding
    assert isinstance(caught.value, AssertionError)
    assert found.minimal is not None
    judged = found.minimal.judgement
    assert judged.interval is not None
    for part in (
        "X1/planted: FALSIFIED",
        "a planted statement",
        "l_i = i^-2; critical target, s = 0.5; noise sigma = 1",
        "exponent = 0.766667",
        f"{judged.exponent:.5f}",
        f"[{judged.interval[0]:.5f}, {judged.interval[1]:.5f}]",
        "verifier falsify X1/planted --seed 0",
        "verifier replay ",
    ):
        assert part in text


def test_the_replay_command_of_a_failing_property_names_a_file_that_exists(tmp_path: Path) -> None:
    with pytest.raises(Counterexample) as caught:
        check(FALSE)
    line = next(line for line in str(caught.value).splitlines() if "verifier replay" in line)
    file, option, pack = line.split("verifier replay ")[1].split()
    stored = json.loads((tmp_path / file).read_text())
    assert (stored["claim"], stored["pack"]) == ("X1/planted", pack)
    assert (option, pack) == ("--pack", f"{__name__}:FALSE")


def test_a_search_that_was_too_weak_is_no_success() -> None:
    with pytest.raises(Undecided, match="VACUOUS"):
        check(claim(lambda i: Exponent(0.5), hypotheses=(lambda i: False,)))


def test_a_survivor_is_returned() -> None:
    assert check(TRUE).verdict == SURVIVED


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_saturation_shrinks_to_one_eigenvalue_equal_to_one(seed: int) -> None:
    found = falsify(READINGS["L2/all-s"], budget=Budget(examples=40), seed=seed)
    assert found.verdict == FALSIFIED
    assert found.minimal is not None
    minimal = found.minimal.instance
    assert minimal.spectrum == Finite((1.0,))
    assert isinstance(minimal.target, SingleEigenfunction)
    assert (minimal.target.index, minimal.target.norm, minimal.s) == (1, 1.0, 2.0)
    assert minimal.noise == Noise(1.0)
    assert found.minimal.judgement.witness == {"lam": 0.1}
    certificate = found.minimal.certificate
    assert certificate is not None
    assert certificates.check(certificate, READINGS["L2/all-s"], minimal)


def test_a_bound_states_its_power_as_the_largest_ratio() -> None:
    found = falsify(READINGS["L2/s-at-most-1"], budget=Budget(examples=40))
    assert found.power is not None
    assert found.power.kind == "bound"
    assert found.power.tightest is not None
    assert 0.9 < found.power.tightest <= 1.0 + 1e-6
    smaller = claim(
        lambda i: Bound(0.5 * float(found.power.tightest)),  # type: ignore[union-attr, arg-type]
        domain=READINGS["L2/s-at-most-1"].domain,
        observable=BiasRatio(),
        id="X1/tighter",
    )
    assert falsify(smaller, budget=Budget(examples=40)).verdict == FALSIFIED


def test_a_violation_that_the_longer_curve_takes_back_does_not_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look calls every second instance violated; the second one never does."""
    whole = judging.assess

    def hasty(claim: Claim, instance: Instance, *, farther: bool = False) -> Judgement:
        found = whole(claim, instance, farther=farther)
        odd = int(instance.digest[:8], 16) % 2 == 1
        return found if farther or not odd else replace(found, verdict=VIOLATED, score=1.0)

    monkeypatch.setattr(judging, "assess", hasty)
    found = falsify(TRUE, budget=FEW)
    assert found.counts.violated == 0
    assert found.counts.consistent > 0
    assert found.counts.inconclusive > 0
    assert found.counts.judged > 10
    assert found.minimal is None
    reasons = {judgement.reason for _, judgement in found.judged if judgement.verdict == INCONCLUSIVE}
    assert all("two looks at the curve differ" in reason for reason in reasons)
