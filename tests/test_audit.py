"""The audit: what it writes, that workers change nothing, its exit code, and that sabotaged machinery is noticed."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor

import properties
from verifier import records
from verifier.claims import Claim, Exponent, load_pack
from verifier.instances import Instance
from verifier.risk.asymptotics import theorem_exponent
from verifier.verdicts import audit as module
from verifier.verdicts import controls as controls_module
from verifier.verdicts import judge as judge_module
from verifier.verdicts.audit import AuditEvent, AuditResult, exit_code, find_claim, run_audit
from verifier.verdicts.compare import compare
from verifier.verdicts.controls import FALSE, controls, run_control
from verifier.verdicts.falsify import FALSIFIED, SURVIVED
from verifier.verdicts.replay import replay
from verifier.verdicts.workers import Lost, Task

IDS = ("L2/all-s", "F5/spectra")  # one falsified, one that survives, neither of them random
CLAIMS = [next(claim for claim in properties.CLAIMS if claim.id == id) for id in IDS]
PACKS = {claim.id: "properties:CLAIMS" for claim in properties.CLAIMS}

KEYS = {
    *("schema", "claim", "reading", "id", "title", "statement", "latex", "source", "hypotheses", "note", "cells"),
    *("prediction", "tuning", "observable", "verdict", "expected", "agrees", "evidence", "instances", "size"),
    *("power", "calibration", "minimal", "worst", "typical", "certificate", "proof", "message", "seconds"),
}
CASE_KEYS = {
    *("instance", "describe", "digest", "verdict", "predicted", "exponent", "tolerance", "interval", "reason"),
    *("witness", "replay", "certification"),
}


EVENTS: list[AuditEvent] = []


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> AuditResult:
    """An audit of two claims, with its controls, in this process."""
    EVENTS.clear()
    return run_audit(
        CLAIMS,
        out=tmp_path_factory.mktemp("audit") / "run",
        packs=PACKS,
        seed=3,
        progress=EVENTS.append,
        command="verifier audit --only L2,F5",
    )


# ------------------------------------------------------------------------------------------------ what is written


def test_the_audit_reaches_the_expected_verdicts(audited: AuditResult) -> None:
    assert [(f["id"], f["verdict"], f["agrees"]) for f in audited.findings] == [
        ("L2/all-s", "FALSIFIED", True),
        ("F5/spectra", "SURVIVED", True),
    ]
    assert audited.exit_code == audited.run["exit_code"] == 0


def test_findings_are_a_list_with_every_key(audited: AuditResult) -> None:
    stored = json.loads((audited.directory / "findings.json").read_text())
    assert isinstance(stored, list)
    assert [finding["id"] for finding in stored] == list(IDS)  # in the order asked for, not in that of the workers
    for finding in stored:
        assert set(finding) >= KEYS
        assert finding["schema"] == 1
        assert finding["instances"]["judged"] == sum(
            finding["instances"][k] for k in ("consistent", "violated", "inconclusive")
        )
        assert finding["seconds"] > 0.0
    falsified, survived = stored
    assert set(falsified["minimal"]) >= CASE_KEYS
    assert falsified["minimal"]["describe"] == ("one eigenvalue 1; single eigenfunction i = 1, s = 2; noise sigma = 1")
    assert falsified["minimal"]["witness"] == {"lam": 0.1}
    assert falsified["certificate"] is not None
    assert "certificate" in falsified["evidence"]
    assert falsified["power"]["kind"] == "bound"
    assert survived["minimal"] is survived["worst"] is survived["certificate"] is None
    assert survived["typical"] is not None
    assert survived["power"]["at"]["0.1"] == 1.0
    assert records.load_findings(audited.directory) == stored


def test_the_run_is_described(audited: AuditResult) -> None:
    run = json.loads((audited.directory / "run.json").read_text())
    assert (run["schema"], run["seed"], run["profile"], run["jobs"]) == (1, 3, "quick", 1)
    assert run["command"] == "verifier audit --only L2,F5"
    assert run["seconds"] > 0.0
    assert {"python", "numpy", "scipy", "hypothesis"} <= set(run["versions"])
    spent = run["confirmations"]["spent"]
    own = sum(finding["size"]["confirmations"] for finding in audited.findings)
    assert own < spent < run["confirmations"]["cap"]
    assert run["confirmations"]["level"] * run["confirmations"]["cap"] == pytest.approx(1e-3)


def test_controls_come_out_right(audited: AuditResult) -> None:
    assert [(c["id"], c["truth"], c["verdict"], c["right"]) for c in audited.run["controls"]] == [
        ("control/theorem", "true", "SURVIVED", True),
        *((f"control/{name}", "false", "FALSIFIED", True) for name in FALSE),
    ]


def test_tables_can_be_read(audited: AuditResult) -> None:
    evidence = pd.read_parquet(audited.directory / "evidence.parquet")
    assert list(evidence.columns) == ["id", "role", "series", "x", "y", "lo", "hi"]
    assert set(evidence["id"]) == set(IDS)
    assert {"minimal", "worst"} <= set(evidence[evidence["id"] == "L2/all-s"]["role"])
    assert evidence[["x", "y"]].notna().all().all()
    judged = pd.read_parquet(audited.directory / "judgements.parquet")
    for finding in audited.findings:
        own = judged[judged["id"] == finding["id"]]
        counts = own["verdict"].value_counts()
        assert counts.get("violated", 0) == finding["instances"]["violated"]
        assert counts.get("consistent", 0) == finding["instances"]["consistent"]
    for row in judged.itertuples():
        assert Instance.from_json(json.loads(str(row.instance))).digest == row.digest


def test_the_page_exists(audited: AuditResult) -> None:
    assert audited.report == audited.directory / "report.html"
    text = audited.report.read_text()
    assert "L2" in text
    assert text.lstrip().lower().startswith("<!doctype html>")


def test_progress_is_told_step_by_step(audited: AuditResult) -> None:
    assert EVENTS[0] == AuditEvent("start", total=6)
    assert [event.done for event in EVENTS[1:-1]] == [1, 2, 3, 4, 5, 6]
    assert EVENTS[-1].stage == "report"
    assert {event.id for event in EVENTS if event.stage == "reading"} == set(IDS)
    assert sum(event.stage == "controls" for event in EVENTS) == 4


def test_counterexample_files_replay_to_the_same_verdict(audited: AuditResult) -> None:
    files = sorted((audited.directory / "counterexamples").iterdir())
    names = {file.name for file in files}
    assert names >= {"L2-all-s.minimal.json", "L2-all-s.worst.json"}
    for finding in audited.findings:
        for role in ("minimal", "worst", "typical"):
            if finding[role] is not None:
                assert finding[role]["replay"].removeprefix("verifier replay counterexamples/") in names
    for file in files:
        record = records.load_counterexample(file)
        claim = next(claim for claim in CLAIMS if claim.id == record["claim"])
        result = replay(record, claim)
        assert result.same, result.text
        assert result.exit_code == 0


# ------------------------------------------------------------------------------------------------ workers


@pytest.fixture(scope="module")
def parallel(tmp_path_factory: pytest.TempPathFactory) -> AuditResult:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(module, "controls", lambda seed: ())
        out = tmp_path_factory.mktemp("parallel") / "run"
        return run_audit(CLAIMS, out=out, packs=PACKS, seed=3, jobs=2)


def essence(result: AuditResult) -> list[tuple[Any, ...]]:
    """Of each finding what may not depend on how it was computed: everything but durations."""
    return [
        tuple(json.dumps(value, sort_keys=True) for key, value in sorted(finding.items()) if key != "seconds")
        for finding in result.findings
    ]


def test_two_workers_find_the_same_as_none(audited: AuditResult, parallel: AuditResult) -> None:
    assert [f["verdict"] for f in parallel.findings] == [f["verdict"] for f in audited.findings]
    minimal = [[f["minimal"] and f["minimal"]["digest"] for f in r.findings] for r in (parallel, audited)]
    assert minimal[0] == minimal[1]


def test_two_workers_record_the_same_as_none(audited: AuditResult, parallel: AuditResult) -> None:
    assert essence(parallel) == essence(audited)


# ------------------------------------------------------------------------------------------------ exit codes

RIGHT, WRONG = {"right": True}, {"right": False}


def finding(verdict: str, expected: str | None) -> dict[str, Any]:
    return {"verdict": verdict, "agrees": None if expected is None else verdict == expected}


@pytest.mark.parametrize(
    ("findings", "control", "code"),
    [
        ([], RIGHT, 0),
        ([finding(SURVIVED, SURVIVED), finding(FALSIFIED, FALSIFIED)], RIGHT, 0),
        ([finding(FALSIFIED, None), finding("UNDERPOWERED", None), finding("VACUOUS", None)], RIGHT, 0),
        ([finding(FALSIFIED, SURVIVED)], RIGHT, 1),
        ([finding(SURVIVED, FALSIFIED)], RIGHT, 1),
        ([finding("UNDERPOWERED", SURVIVED)], RIGHT, 2),
        ([finding("VACUOUS", FALSIFIED)], RIGHT, 2),
        ([finding("UNDERPOWERED", "UNDERPOWERED")], RIGHT, 0),
        ([finding("UNDERPOWERED", SURVIVED), finding(FALSIFIED, SURVIVED)], RIGHT, 1),
        ([finding("ERROR", SURVIVED)], RIGHT, 3),
        ([finding("ERROR", None)], RIGHT, 3),
        ([finding("ERROR", SURVIVED), finding(FALSIFIED, SURVIVED)], RIGHT, 3),
        ([finding(SURVIVED, SURVIVED)], WRONG, 3),
        ([finding(FALSIFIED, SURVIVED)], WRONG, 3),
    ],
)
def test_exit_codes(findings: list[dict[str, Any]], control: dict[str, Any], code: int) -> None:
    assert exit_code(findings, [RIGHT, control]) == code


# ------------------------------------------------------------------------------------------------ controls


def test_controls_are_drawn_afresh_and_contain_both_truths() -> None:
    pairs = controls(0)
    assert [truth for _, truth in pairs] == [True, False, False, False]
    for claim, truth in pairs:
        assert claim.expected == (SURVIVED if truth else FALSIFIED)


def test_controls_come_out_right_under_another_seed() -> None:
    for name in ("control/theorem", "control/alpha-plus-a-tenth"):
        assert run_control(name, 1)["right"]


def test_a_wrong_theorem_makes_the_audit_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(instance: Instance, tuning: str) -> float:
        value = theorem_exponent(instance, tuning)
        assert value is not None
        return value + 0.1

    monkeypatch.setattr(controls_module, "theorem_exponent", wrong)
    result = run_audit(CLAIMS[1:], out=tmp_path / "run", packs=PACKS)
    assert result.exit_code == result.run["exit_code"] == 3
    assert {c["id"]: c["right"] for c in result.run["controls"]}["control/theorem"] is False
    assert result.findings[0]["agrees"] is True  # the reading itself came out as expected: the controls are what failed


@pytest.mark.thorough
def test_machinery_that_notices_nothing_makes_the_audit_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(predicted: Any, limit: Any, tolerance: float, evidence: Any) -> Any:
        return compare(Exponent(limit.exponent), limit, tolerance, evidence)

    monkeypatch.setattr(judge_module, "compare", blind)
    result = run_audit(CLAIMS[1:], out=tmp_path / "run", packs=PACKS)
    assert result.exit_code == 3
    assert [c["right"] for c in result.run["controls"]] == [True, False, False, False]


# ------------------------------------------------------------------------------------------------ errors


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="profile='slow' must be one of quick, full"):
        run_audit(CLAIMS, profile="slow", out=tmp_path)


def test_claims_are_found_by_name() -> None:
    assert find_claim("L2/all-s", "properties:CLAIMS") is CLAIMS[0]
    with pytest.raises(ValueError, match="no claim is called 'L9' in properties:CLAIMS"):
        find_claim("L9", "properties:CLAIMS")


def test_a_claim_that_cannot_be_run_is_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(instance: Instance) -> Exponent:
        raise ZeroDivisionError("in the claim")

    bad = Claim(
        id="Z1", title="t", statement="s", source="n", domain=CLAIMS[0].domain, predict=broken, expected=SURVIVED
    )
    monkeypatch.setattr(module, "controls", lambda seed: ())
    monkeypatch.setattr(module, "find_claim", lambda name, pack: {"Z1": bad, "L2/all-s": CLAIMS[0]}[name])
    result = run_audit([bad, CLAIMS[0]], out=tmp_path / "run")
    assert [f["verdict"] for f in result.findings] == ["ERROR", "FALSIFIED"]
    assert "in the claim" in result.findings[0]["message"]
    assert result.exit_code == 3


def test_machinery_that_breaks_is_an_error_of_the_reading_it_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.falsify

    def breaking(claim: Claim, **arguments: Any) -> Any:
        if claim.id == "F5/spectra":
            raise FloatingPointError("deep inside")
        return real(claim, **arguments)

    monkeypatch.setattr(module, "controls", lambda seed: ())
    monkeypatch.setattr(module, "falsify", breaking)
    result = run_audit(CLAIMS, out=tmp_path / "run", packs=PACKS)
    assert [f["verdict"] for f in result.findings] == ["FALSIFIED", "ERROR"]
    assert "deep inside" in result.findings[1]["message"]
    assert result.exit_code == 3


DEADLY = """
import os
import signal
from pathlib import Path

from hypothesis import strategies as st

import verifier as vf
from verifier.claims import Proof

PLAIN = st.just(vf.Instance(spectrum=vf.PowerLaw(beta=2.0), target=vf.CriticalTarget(s=0.5), noise=vf.Noise(sigma=1.0)))


def holds():
    return Proof(True, "t", ())


def once():
    try:
        (Path(__file__).parent / "killed").touch(exist_ok=False)
    except FileExistsError:
        return holds()
    os.kill(os.getpid(), signal.SIGKILL)


CLAIMS = [
    vf.Claim(
        id=f"K/{proof.__name__}", title="t", statement="s", source="n", domain=PLAIN, predict=vf.Exponent, proof=proof,
        expected="SURVIVED",
    )
    for proof in (once, holds)
]
"""


@pytest.mark.thorough
def test_a_worker_that_is_killed_costs_no_other_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deadly_pack.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "deadly_pack", raising=False)
    get_reusable_executor().shutdown(kill_workers=True)  # the next workers are told of the path
    monkeypatch.setattr(module, "controls", lambda seed: ())
    events: list[AuditEvent] = []
    pack = "deadly_pack:CLAIMS"
    claims = load_pack(pack)
    packs = {claim.id: pack for claim in claims}
    result = run_audit(claims, out=tmp_path / "run", packs=packs, jobs=2, progress=events.append)
    assert [(f["id"], f["verdict"]) for f in result.findings] == [("K/once", "SURVIVED"), ("K/holds", "SURVIVED")]
    assert result.exit_code == 0
    assert [event.id for event in events if event.stage == "damage" and "SIGKILL" in event.text] == ["worker"]


def test_a_claim_that_was_given_up_is_an_error_of_its_own() -> None:
    claims = {claim.id: claim for claim in CLAIMS}
    lost = Lost(Task(module._judge_claim, (IDS[0], PACKS[IDS[0]], "quick", 7)), "given up after 3 tries")
    record = module._given_up(lost, claims, 7, PACKS).record
    assert (record["id"], record["verdict"]) == (IDS[0], "ERROR")
    assert f"claim {IDS[0]} was given up after 3 tries" in record["message"]
    drawn = module._given_up(Lost(Task(module._draw_exhibit, (IDS[1], None, 7)), "given up"), claims, 7, {}).record
    assert (drawn["id"], drawn["message"]) == (IDS[1], f"the exhibit of claim {IDS[1]} was given up")


def test_a_control_that_was_given_up_is_not_right() -> None:
    name = next(claim.id for claim, truth in controls(0) if not truth)
    record = module._given_up(Lost(Task(run_control, (name, 0)), "given up"), {}, 0, {})
    assert set(record) == set(run_control(name, 0))
    assert (record["verdict"], record["right"], record["text"]) == ("ERROR", False, f"control {name} was given up")
