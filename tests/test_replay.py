"""Replay: the stored verdict comes out again from the file alone, and a file that was tampered with is found out."""

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import properties
from properties.strategies import instances, power_laws
from verifier import records
from verifier.claims import Claim, Exponent
from verifier.instances import Finite, Instance, PowerLaw
from verifier.risk.asymptotics import theorem_exponent
from verifier.verdicts import search as module
from verifier.verdicts.falsify import FALSIFIED, Finding, falsify
from verifier.verdicts.findings import counterexample_record, explain, finding_record, numbers
from verifier.verdicts.replay import SAME, largest_difference, replay
from verifier.verdicts.search import Budget

BOUND = next(claim for claim in properties.CLAIMS if claim.id == "L2/all-s")


def too_large(instance: Instance) -> Exponent:
    value = theorem_exponent(instance, "optimal")
    assert value is not None
    return Exponent(value + 0.2)


PLANTED = Claim(
    id="X1/planted",
    title="planted",
    statement="a planted statement",
    source="here",
    domain=instances(power_laws()),
    predict=too_large,
)


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    """One finding that rests on a certificate, one that rests on simulation."""
    return {
        "bound": falsify(BOUND, budget=Budget(examples=40), seed=2),
        "exponent": falsify(PLANTED, budget=Budget(examples=10), seed=2),
    }


@pytest.fixture(params=["bound", "exponent"])
def case(request: pytest.FixtureRequest, findings: dict[str, Finding], tmp_path: Path) -> tuple[dict[str, Any], Claim]:
    """A counterexample as it is read back from its file, and its claim."""
    found = findings[request.param]
    assert found.verdict == FALSIFIED
    record = counterexample_record(found, "minimal")
    assert record is not None
    records.save_counterexample(tmp_path / "case.json", record)
    return records.load_counterexample(tmp_path / "case.json"), found.claim


def test_the_stored_verdict_comes_out_again(case: tuple[dict[str, Any], Claim]) -> None:
    record, claim = case
    result = replay(record, claim)
    assert result.same
    assert result.exit_code == 0
    instance = Instance.from_json(record["instance"])
    for part in (claim.id, claim.statement, instance.describe(), "stored     violated", "replayed   violated"):
        assert part in result.text
    assert "came out again" in result.text
    assert "NOT" not in result.text


def test_the_numbers_are_the_same(case: tuple[dict[str, Any], Claim], findings: dict[str, Finding]) -> None:
    record, claim = case
    again = module.confirm(claim, Instance.from_json(record["instance"]), record["seed"])
    difference = largest_difference(record["numbers"], numbers(again.judgement))
    assert difference is not None
    assert difference <= SAME


def test_simulated_numbers_are_part_of_the_record(findings: dict[str, Finding]) -> None:
    record = counterexample_record(findings["exponent"], "minimal")
    assert record is not None
    assert len(record["numbers"]["simulated"]) == len(module.CONFIRMATION_SIZES)
    assert "simulation simulated and equivalent risk agree" in replay(record, PLANTED).text
    assert "predicted  exponent = " in replay(record, PLANTED).text
    assert "measured   " in replay(record, PLANTED).text


@pytest.mark.parametrize("verdict", ["consistent", "inconclusive", "out-of-scope"])
def test_a_tampered_verdict_is_found_out(case: tuple[dict[str, Any], Claim], verdict: str) -> None:
    record, claim = case
    result = replay(record | {"verdict": verdict}, claim)
    assert not result.same
    assert result.exit_code == 1
    assert "THE STORED VERDICT DID NOT COME OUT AGAIN" in result.text


def test_a_tampered_instance_is_found_out(case: tuple[dict[str, Any], Claim]) -> None:
    record, claim = case
    changed = copy.deepcopy(record)
    changed["instance"]["target"]["s"] = 0.5
    if claim is BOUND:
        assert not replay(changed, claim).same  # true for s <= 1, and the certificate is of another instance
    else:
        assert "e-" not in replay(changed, claim).text.split("stored ones ")[1].split("\n")[0]


def test_a_tampered_certificate_is_found_out(findings: dict[str, Finding]) -> None:
    record = counterexample_record(findings["bound"], "minimal")
    assert record is not None
    assert record["certificate"] is not None
    good = replay(record, BOUND)
    assert "the certificate holds" in good.text
    text = json.dumps(record["certificate"]["data"])
    digit = next(d for d in "123456789" if f'"{d}' in text or f".{d}" in text)
    changed = copy.deepcopy(record)
    changed["certificate"]["data"] = json.loads(text.replace(digit, str((int(digit) % 9) + 1)))
    result = replay(changed, BOUND)
    assert not result.same
    assert "THE CERTIFICATE DOES NOT HOLD" in result.text


def test_another_claim_gives_another_verdict(findings: dict[str, Finding]) -> None:
    record = counterexample_record(findings["exponent"], "minimal")
    assert record is not None
    right = dataclasses.replace(PLANTED, predict=lambda i: Exponent(float(theorem_exponent(i, "optimal") or 0.0)))
    result = replay(record, right)
    assert not result.same
    assert "replayed   consistent" in result.text


def test_an_invalid_instance_is_refused(case: tuple[dict[str, Any], Claim]) -> None:
    record, claim = case
    broken = copy.deepcopy(record)
    broken["instance"]["spectrum"] = {"kind": "PowerLaw", "beta": 0.5}
    with pytest.raises(ValueError, match="beta=0.5 must be greater than 1"):
        replay(broken, claim)


def test_with_another_numpy_the_verdict_counts_and_not_the_digits(case: tuple[dict[str, Any], Claim]) -> None:
    record, claim = case
    moved = copy.deepcopy(record)
    moved["numbers"]["log_y"] = [value + 1e-6 for value in moved["numbers"]["log_y"]]
    assert replay(moved | {"numpy": "0.0.1"}, claim).same
    shorter = copy.deepcopy(record)
    shorter["numbers"]["log_y"] = shorter["numbers"]["log_y"][:-1]
    assert replay(shorter | {"numpy": "0.0.1"}, claim).same
    assert not replay(shorter, claim).same


def test_with_the_same_numpy_other_digits_are_told(case: tuple[dict[str, Any], Claim]) -> None:
    record, claim = case
    moved = copy.deepcopy(record)
    moved["numbers"]["log_y"] = [value * (1.0 + 1e-6) for value in moved["numbers"]["log_y"]]
    assert "more than 1e-09, with the numpy that was recorded" in replay(moved, claim).text


def test_largest_difference() -> None:
    assert largest_difference({"a": [1.0, 2.0]}, {"a": [1.0, 2.0]}) == 0.0
    assert largest_difference({"a": [1.0, 2.0]}, {"a": [1.0, 2.2]}) == pytest.approx(0.1)
    assert largest_difference({"a": 2.0}, {"a": 2.2}) == pytest.approx(0.1)
    assert largest_difference({"a": []}, {"a": []}) == 0.0
    assert largest_difference({"a": 1.0}, {"b": 1.0}) is None
    assert largest_difference({"a": [1.0]}, {"a": [1.0, 1.0]}) is None


# ------------------------------------------------------------------------------------------------ records of a finding


def test_records_are_plain_json(findings: dict[str, Finding]) -> None:
    for found in findings.values():
        record = finding_record(found)
        assert json.loads(json.dumps(record, allow_nan=False)) == record
        assert record["verdict"] == "FALSIFIED"
        assert record["size"]["level"] == pytest.approx(1e-3 / 500)
        for role in ("minimal", "worst"):
            assert Instance.from_json(record[role]["instance"]).digest == record[role]["digest"]
    assert finding_record(findings["exponent"])["minimal"]["predicted"]["kind"] == "Exponent"
    assert finding_record(findings["exponent"])["evidence"] == ["equivalent", "simulation"]
    assert finding_record(findings["bound"])["evidence"] == ["equivalent", "certificate"]


def test_roles_that_a_finding_does_not_have_have_no_file(findings: dict[str, Finding]) -> None:
    assert counterexample_record(findings["bound"], "typical") is None


def test_a_finding_explains_itself(findings: dict[str, Finding]) -> None:
    text = explain(findings["bound"])
    for part in (
        "L2/all-s: FALSIFIED",
        "one eigenvalue 1; single eigenfunction i = 1, s = 2",
        "lam = 0.1",
        "certified",
    ):
        assert part in text
    assert "verifier falsify L2/all-s --seed 2" in text


def test_the_minimal_instances_are_what_they_should_be(findings: dict[str, Finding]) -> None:
    bound, exponent = findings["bound"].minimal, findings["exponent"].minimal
    assert bound is not None
    assert exponent is not None
    assert bound.instance.spectrum == Finite((1.0,))
    assert exponent.instance == Instance(PowerLaw(2.0), exponent.instance.target, exponent.instance.noise)
