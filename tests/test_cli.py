import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from verifier import cli, records
from verifier.instances import Instance, PowerLaw
from verifier.verdicts import calibration

PACK = """
from hypothesis import strategies as st

import verifier as vf


def claim(name, **more):
    return vf.Claim(
        id=name,
        title="A title [red]with brackets[/red] \\x1b[31m",
        statement="E(n) ~ n^-a",
        source="nowhere",
        domain=st.just(vf.Instance(spectrum=vf.PowerLaw(beta=2.0))),
        predict=lambda inst: vf.Exponent(0.5),
        **more,
    )


ONE = claim("{letter}1/first")
CLAIMS = [ONE, claim("{letter}1/second", expected="FALSIFIED"), claim("{letter}2", note="as it stands")]
TWICE = [ONE, ONE]
NOTHING = []
"""
INSTANCE = Instance(spectrum=PowerLaw(beta=2.0)).to_json()
CASE: dict[str, Any] = {
    "instance": INSTANCE,
    "describe": "a power law",
    "digest": "ab",
    "verdict": "violated",
    "predicted": {"kind": "Exponent", "value": 0.75},
    "exponent": 0.5,
    "tolerance": 0.002,
    "interval": [0.498, 0.502],
    "reason": "the exponent differs from the claimed one",
    "witness": {"lam": 0.001},
    "replay": "verifier replay counterexamples/A1-first.minimal.json",
    "certification": None,
}
COUNTEREXAMPLE: dict[str, Any] = {
    "schema": 1,
    "kind": "counterexample",
    "claim": "A1/first",
    "pack": None,
    "instance": INSTANCE,
    "seed": 0,
    "role": "minimal",
    "predicted": {"kind": "Exponent", "value": 0.75},
    "verdict": "violated",
    "exponent": 0.5,
    "tolerance": 0.002,
    "witness": {},
    "numbers": {"exponent": 0.5},
    "numpy": "2",
    "version": "0",
    "certificate": None,
}
CODES = {"SURVIVED": 0, "FALSIFIED": 1, "UNDERPOWERED": 2, "VACUOUS": 2, "ERROR": 3}


def finding(name: str, verdict: str, expected: str | None = None) -> dict[str, Any]:
    statement, _, reading = name.partition("/")
    texts = ("title", "statement", "latex", "source", "note", "prediction", "tuning", "message")
    return {
        "schema": 1,
        "claim": statement,
        "reading": reading,
        "id": name,
        **dict.fromkeys(texts, ""),
        "hypotheses": [],
        "cells": [],
        "observable": {"name": "risk", "variable": "n", "ylabel": "E"},
        "verdict": verdict,
        "expected": expected,
        "agrees": None if expected is None else verdict == expected,
        "evidence": ["equivalent"],
        "instances": {"judged": 7, "consistent": 6, "violated": 1, "inconclusive": 0, "out_of_scope": 0},
        "size": {"level": 1e-3, "confirmations": 1, "cap": 8, "text": "one of 8 confirmations"},
        "power": {"kind": "exponent", "at": {"0.05": 0.98}, "tightest": 0.02, "corner": 0.1, "text": "sharp"},
        "calibration": None,
        "minimal": CASE if verdict == "FALSIFIED" else None,
        "worst": None,
        "typical": None,
        "certificate": None,
        "proof": None,
        "seconds": 1.25,
    }


@pytest.fixture(autouse=True)
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a directory with two packs, of which ``pack_a`` counts as installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for letter in "ab":
        (tmp_path / f"pack_{letter}.py").write_text(PACK.replace("{letter}", letter.upper()))
        monkeypatch.delitem(sys.modules, f"pack_{letter}", raising=False)
    (tmp_path / "pack_broken.py").write_text("import no_such_module_anywhere\n")
    (tmp_path / "pack_quits.py").write_text("raise SystemExit(0)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = SimpleNamespace(name="a", value="pack_a:CLAIMS")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [entry])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments, prog_name="verifier")


def out(result: Result) -> str:
    """Return what was printed, with the lines joined: a terminal may break them anywhere."""
    return " ".join((result.stdout + result.stderr).split())


# Bad usage


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nosuch"], "No such command"),
        (["--nosuch"], "No such option"),
        (["audit", "--profile", "huge"], "--profile"),
        (["audit", "--seed", "-1"], "--seed"),
        (["audit", "--seed", "x"], "--seed"),
        (["audit", "--jobs", "0"], "--jobs"),
        (["audit", "--only", "Z9"], "no claim is called 'Z9'"),
        (["audit", "--only", "a1"], "did you mean A1"),
        (["audit", "--only", " , "], "--only names no claim"),
        (["audit", "--out", "pack_a.py"], "is a file"),
        (["audit", "--out", "."], "not of a run"),
        (["audit", "--junit", "."], "--junit is ., which is a directory"),
        (["audit", "--junit", "pack_a.py/x.xml"], "takes no files"),
        (["falsify"], "falsify needs a CLAIM or --pack"),
        (["falsify", "A1/frist"], "did you mean A1/first"),
        (["falsify", "A1", "--seconds", "1", "--examples", "2"], "give one of them"),
        (["falsify", "A1", "--seconds", "nan"], "give a positive number"),
        (["falsify", "A1", "--seconds", "0"], "give a positive number"),
        (["falsify", "A1", "--examples", "0"], "--examples"),
        (["falsify", "--pack", "pack_broken:CLAIMS"], "no_such_module_anywhere"),
        (["falsify", "--pack", "pack_quits:CLAIMS"], "SystemExit"),
        (["falsify", "--pack", "pack_b"], "must have the form module:attribute"),
        (["falsify", "--pack", "pack_b:NOTHING"], "the pack holds no claim"),
        (["falsify", "--pack", "pack_b:TWICE"], "twice"),
        (["claims", "--pack", "pack_a:ONE"], "registers the id 'A1/first', which another pack has"),
        (["claims", "Z9"], "no claim is called"),
        (["replay"], "Missing argument"),
        (["replay", "absent.json"], "absent.json: cannot be read: No such file"),
        (["replay", "pack_a.py"], "is not JSON"),
    ],
)
def test_bad_usage_is_one_sentence_and_64(arguments: list[str], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == cli.USAGE
    assert says in out(result)
    assert "Traceback" not in out(result)


def test_help_and_version() -> None:
    for arguments in ([], ["--help"]):
        result = run(*arguments)
        assert result.exit_code == 0
        assert all(verb in result.stdout for verb in ("audit", "falsify", "replay", "claims"))
    assert run("audit", "--help").exit_code == 0
    version = run("--version")
    assert version.exit_code == 0
    assert version.stdout.startswith("verifier ")


def test_nothing_registered_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [])
    assert (result := run("claims")).exit_code == cli.USAGE
    assert "no claim is registered" in out(result)


# audit


class Auditor:
    """Stands in for the machinery: records what it was asked, and answers as told."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.verdicts = {"A1/first": ("SURVIVED", None), "A1/second": ("FALSIFIED", "FALSIFIED")}
        self.controls = [{"id": "true-1", "truth": "true", "verdict": "SURVIVED", "right": True, "text": ""}]
        self.exit_code = 0
        self.stop: BaseException | None = None
        self.stale: bool | None = None

    def __call__(self, claims: Any, **asked: Any) -> Any:
        self.asked = asked | {"claims": [claim.id for claim in claims]}
        progress: Callable[[Any], None] = asked["progress"]
        total = len(claims)

        def event(stage: str, done: int, name: str = "", verdict: str = "") -> None:
            progress(SimpleNamespace(id=name, verdict=verdict, seconds=1.0, done=done, total=total, stage=stage))

        event("start", 0)
        findings = []
        for index, claim in enumerate(claims):
            verdict, expected = self.verdicts.get(claim.id, ("SURVIVED", "SURVIVED"))
            findings.append(finding(claim.id, verdict, expected))
            event("reading", index + 1, claim.id, verdict)
            if self.stop is not None:
                raise self.stop
        event("controls", total)
        event("report", total)
        return SimpleNamespace(
            findings=findings,
            run={"controls": self.controls, "stale": self.stale},
            exit_code=self.exit_code,
            report=asked["out"] / "report.html",
            directory=asked["out"],
        )


@pytest.fixture
def auditor(monkeypatch: pytest.MonkeyPatch) -> Auditor:
    auditor = Auditor()
    monkeypatch.setattr(cli, "run_audit", auditor)
    return auditor


def test_audit_prints_verdicts_and_ends_with_the_page(auditor: Auditor) -> None:
    result = run("audit", "--out", "kept")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[-1] == str(Path("kept") / "report.html")
    assert lines[-2] == "Controls: 1 of 1 right"
    assert "2 of 2 verdicts are the expected ones; 1 more were open" in result.stdout
    for words in (["A1", "first", "SURVIVED", "open", "7", "0.980 at 0.05"], ["second", "FALSIFIED", "yes"]):
        assert any(all(word in line for word in words) for line in lines)
    assert "[1/3] A1/first SURVIVED 1.0 s" in result.stderr.splitlines()


def test_audit_passes_on_what_was_asked(auditor: Auditor) -> None:
    options = ["--profile", "full", "--seed", "7", "--jobs", "3", "--out", "kept", "--pack", "pack_b:CLAIMS"]
    assert run("audit", "--only", "A1,B2", "--only", "B1/first", *options).exit_code == 0
    assert auditor.asked["claims"] == ["A1/first", "A1/second", "B1/first", "B2"]
    assert auditor.asked["packs"] == {"B1/first": "pack_b:CLAIMS", "B2": "pack_b:CLAIMS"}
    assert (auditor.asked["profile"], auditor.asked["seed"], auditor.asked["jobs"]) == ("full", 7, 3)
    assert auditor.asked["out"] == Path("kept")
    assert auditor.asked["command"] == (
        "verifier audit --only A1,B2,B1/first --profile full --seed 7 --pack pack_b:CLAIMS"
    )


def test_audit_defaults(auditor: Auditor) -> None:
    assert run("audit").exit_code == 0
    assert auditor.asked["jobs"] >= 1
    assert auditor.asked["profile"] == "quick"
    assert auditor.asked["out"].parent == Path("runs")
    assert auditor.asked["out"].name.endswith("Z-seed0")


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_code_of_the_audit_is_the_exit_code(auditor: Auditor, code: int) -> None:
    auditor.exit_code = code
    assert run("audit").exit_code == code


def test_a_wrong_control_comes_first(auditor: Auditor) -> None:
    auditor.exit_code = 3
    auditor.controls[0] |= {"verdict": "FALSIFIED", "right": False}
    result = run("audit")
    assert result.stdout.startswith("A CONTROL IS WRONG")
    assert "true-1 came out FALSIFIED" in result.stdout
    assert "Controls: 0 of 1 right" in result.stdout


def test_a_verdict_that_differs_stands_out(auditor: Auditor) -> None:
    auditor.verdicts["A2"] = ("UNDERPOWERED", "SURVIVED")
    result = run("audit")
    assert any(all(word in line for word in ("A2", "UNDERPOWERED", "NO")) for line in result.stdout.splitlines())


def test_a_broken_pack_is_named_and_the_others_run(auditor: Auditor) -> None:
    result = run("audit", "--pack", "pack_broken:CLAIMS", "--pack", "pack_b:CLAIMS")
    assert "pack_broken:CLAIMS" in result.stderr
    assert {"A2", "B2"} < set(auditor.asked["claims"])
    assert result.exit_code == cli.USAGE


def test_a_broken_installed_pack_is_an_error_of_a_whole_audit(
    auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [SimpleNamespace(name=name, value=f"pack_{name}:CLAIMS") for name in ("broken", "a")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries)
    for arguments, code in ((["audit"], cli.ERROR), (["audit", "--only", "A1"], 0)):
        result = run(*arguments)
        assert result.exit_code == code
        assert "pack_broken:CLAIMS" in result.stderr
        assert "A1/first" in auditor.asked["claims"]


def test_an_interrupted_audit_keeps_what_it_has(auditor: Auditor) -> None:
    auditor.stop = KeyboardInterrupt()
    result = run("audit", "--out", "kept")
    assert result.exit_code == cli.INTERRUPTED
    assert "interrupted after 1 readings; what they gave is in kept" in result.stderr
    kept = records.read_json("kept/interrupted.json")
    assert kept["done"] == [{"id": "A1/first", "verdict": "SURVIVED", "seconds": 1.0}]
    auditor.stop = None
    assert run("audit", "--out", "kept").exit_code == 0
    assert not Path("kept/interrupted.json").exists()


def test_a_crash_is_3_and_says_where(auditor: Auditor) -> None:
    auditor.stop = ZeroDivisionError("somewhere")
    result = run("audit")
    assert result.exit_code == cli.ERROR
    assert "failed: ZeroDivisionError: somewhere" in result.stderr
    assert "Traceback" in result.stderr


def test_junit_is_written_beside_the_verdict(auditor: Auditor, tmp_path: Path) -> None:
    auditor.verdicts["A1/second"], auditor.exit_code = ("SURVIVED", "FALSIFIED"), 1
    assert run("audit", "--junit", "deep/junit.xml").exit_code == 1
    text = (tmp_path / "deep" / "junit.xml").read_text(encoding="utf-8")
    assert "SURVIVED, expected FALSIFIED" in text
    assert text.count("<testcase ") == 4  # three readings and a control


def test_a_terminal_gets_a_bar(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()

    def console(*, stderr: bool = False) -> Console:
        return Console(file=screen, force_terminal=True, width=100) if stderr else Console(width=100)

    monkeypatch.setattr(cli, "_console", console)
    assert run("audit").exit_code == 0
    assert "━" in screen.getvalue()
    assert "writing the report" in screen.getvalue()


# claims


def test_claims_lists_what_is_registered() -> None:
    result = run("claims", "--pack", "pack_b:CLAIMS")
    assert result.exit_code == 0
    for words in (["A1/first", "nowhere", "open"], ["B1/second", "FALSIFIED"]):
        assert any(all(word in line for word in words) for line in result.stdout.splitlines())
    assert "6 readings of 4 statements" in result.stdout
    assert "[red]with brackets[/red]" in result.stdout
    assert "\x1b" not in result.stdout


def test_claims_shows_one_in_full() -> None:
    result = run("claims", "A2")
    assert result.exit_code == 0
    assert "as it stands" in result.stdout
    assert "A1" not in result.stdout
    assert [line for line in run("claims", "A1").stdout.splitlines() if not line.startswith(" ")] == [
        "A1/first",
        "A1/second",
    ]


# falsify and replay


@pytest.fixture
def attacks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record each attack; A1/first is falsified, A2 undecided, the others survive."""
    asked: list[Any] = []
    verdicts = {"A1/first": "FALSIFIED", "A2": "UNDERPOWERED"}

    def falsify(claim: Any, *, budget: Any, seed: int) -> Any:
        asked.append((claim.id, budget, seed))
        verdict = verdicts.get(claim.id, "SURVIVED")
        if claim.id == "B2":
            raise KeyboardInterrupt
        record = finding(claim.id, verdict)
        return SimpleNamespace(claim=claim, verdict=verdict, exit_code=CODES[verdict], record=record)

    def counterexample_record(finding: Any, role: str, pack: str | None) -> dict[str, Any] | None:
        found = finding.verdict == "FALSIFIED" and role == "minimal"
        return COUNTEREXAMPLE | {"pack": pack} if found else None

    monkeypatch.setattr(cli, "falsify", falsify)
    monkeypatch.setattr(cli, "counterexample_record", counterexample_record)
    monkeypatch.setattr(cli, "finding_record", lambda finding: finding.record)
    return asked


@pytest.mark.parametrize(("claim", "code"), [("A1/first", 1), ("A1/second", 0), ("A1", 1), ("A2", 2)])
def test_falsify_exits_with_the_highest_code(attacks: list[Any], claim: str, code: int) -> None:
    assert run("falsify", claim, "--examples", "5", "--seed", "3").exit_code == code
    assert {seed for _, _, seed in attacks} == {3}


def test_falsify_shows_the_counterexample_and_keeps_it(attacks: list[Any]) -> None:
    result = run("falsify", "A1/first")
    path = Path("runs/falsify-A1-first-0/counterexamples/A1-first.minimal.json")
    assert records.load_counterexample(path) == COUNTEREXAMPLE
    assert result.stdout.splitlines()[0] == "A1/first  FALSIFIED"
    for words in (
        "a power law",
        "Exponent 0.75",
        "exponent 0.5, tolerance 0.002",
        "[0.498, 0.502]",
        "lam = 0.001",
        "the exponent differs from the claimed one",
        f"verifier replay {path}",
        "sharp",
        "one of 8 confirmations",
    ):
        assert words in result.stdout
    assert "attacking A1/first" in result.stderr


def test_falsify_attacks_a_whole_pack(attacks: list[Any]) -> None:
    result = run("falsify", "--pack", "pack_b:ONE", "--examples", "5")
    assert result.exit_code == 0
    assert [name for name, _, _ in attacks] == ["B1/first"]
    assert records.load_findings("runs/falsify-pack_b-ONE-0")[0]["id"] == "B1/first"


def test_falsify_interrupted_keeps_what_it_has(attacks: list[Any]) -> None:
    result = run("falsify", "--pack", "pack_b:CLAIMS", "--out", "kept")
    assert result.exit_code == cli.INTERRUPTED
    assert "2 of 3 claims are in kept" in result.stderr
    assert len(records.load_findings("kept")) == 2


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []

    def replay(record: Any, claim: Any) -> Any:
        asked.append((record, claim.id))
        same = record["verdict"] == "violated"
        return SimpleNamespace(same=same, text="stored\nfound", exit_code=0 if same else 1)

    monkeypatch.setattr(cli, "replay", replay)
    return asked


def stored(**changes: Any) -> str:
    Path("case.json").write_text(json.dumps(COUNTEREXAMPLE | changes))
    return "case.json"


def test_replay_exits_with_what_came_out(replays: list[Any]) -> None:
    result = run("replay", stored())
    assert result.exit_code == 0
    assert result.stdout == "stored\nfound\n"
    assert replays == [(COUNTEREXAMPLE, "A1/first")]
    assert run("replay", stored(verdict="consistent")).exit_code == 1


def test_replay_of_a_pack_asks_for_it_and_imports_nothing(replays: list[Any]) -> None:
    file = stored(claim="B1/first", pack="pack_b:CLAIMS")
    result = run("replay", file)
    assert result.exit_code == cli.USAGE
    assert "add --pack pack_b:CLAIMS" in out(result)
    assert "pack_b" not in sys.modules
    assert run("replay", file, "--pack", "pack_b:CLAIMS").exit_code == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"claim": "A1/frist"}, "did you mean A1/first"),
        ({"instance": {"spectrum": 1}}, "$.instance"),
        ({"schema": 2}, "install a newer one"),
        ({"seed": "0"}, "$.seed is '0', expected a whole number"),
    ],
)
def test_replay_of_a_wrong_file_is_bad_usage(replays: list[Any], changes: dict[str, Any], says: str) -> None:
    result = run("replay", stored(**changes))
    assert result.exit_code == cli.USAGE
    assert says in out(result)
    assert not replays


# calibrate and plan


class Calibrator:
    """Stands in for the measurements: records what it was asked, and answers as told."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.alarms: list[Any] = []
        self.complete = True
        self.stop = False

    def __call__(self, claims: Any, **asked: Any) -> dict[str, Any]:
        self.asked = asked | {"claims": [claim.id for claim in claims]}
        asked["progress"](calibration.Progress(1, 4, "searches A1/first"))
        if self.stop:
            raise KeyboardInterrupt
        one = [a for a in self.alarms if a["measurement"] == "searches"]
        return {
            "schema": 1,
            "kind": "calibration",
            "digest": "0123456789abcdef",
            "seed": asked["seed"],
            "complete": self.complete,
            "versions": {},
            "seconds": 1.0,
            "readings": {},
            "all": {
                "judgements": {"size": calibration.rate(len(self.alarms), 200.0)},
                "searches": {"false alarms": calibration.rate(len(one), 11.0), "judged": 90.0},
            },
            "alarms": self.alarms,
        }


@pytest.fixture
def calibrator(monkeypatch: pytest.MonkeyPatch) -> Calibrator:
    calibrator = Calibrator()
    monkeypatch.setattr(cli, "calibrate", calibrator)
    return calibrator


def test_calibrate_prints_the_rates_and_keeps_the_table(calibrator: Calibrator) -> None:
    result = run("calibrate", "--out", "kept", "--seed", "3", "--jobs", "2")
    assert result.exit_code == 0
    assert "0/200 = 0.0000" in result.stdout
    assert "complete" in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == "wrote kept/calibration.json"
    assert records.read_json("kept/calibration.json")["seed"] == 3
    assert "[1/4] searches A1/first" in result.stderr
    assert calibrator.asked["effort"] == calibration.Effort()
    assert (calibrator.asked["jobs"], calibrator.asked["out"], calibrator.asked["seconds"]) == (
        2,
        Path("kept"),
        float("inf"),
    )


def test_calibrate_passes_on_how_much(calibrator: Calibrator) -> None:
    numbers = ["--judgements", "5", "--confirmations", "4", "--searches", "3", "--treated", "2", "--audits", "1"]
    run("calibrate", *numbers, "--seconds", "9")
    assert calibrator.asked["effort"] == calibration.Effort(5, 4, 3, 2, 1)
    assert calibrator.asked["seconds"] == 9.0
    # An audit is of all readings: with a choice there is none.
    run("calibrate", "--only", "A1/first", "--audits", "7")
    assert calibrator.asked["effort"].audits == 0
    assert calibrator.asked["claims"] == ["A1/first"]


@pytest.mark.parametrize(
    ("alarm", "complete", "code"),
    [(None, True, 0), (None, False, 2), ("judgements", True, 0), ("searches", True, 1), ("searches", False, 1)],
)
def test_calibrate_exits_with_what_came_out(
    alarm: str | None, complete: bool, code: int, calibrator: Calibrator
) -> None:
    calibrator.complete = complete
    calibrator.alarms = [] if alarm is None else [{"measurement": alarm, "reading": "A1/first"}]
    result = run("calibrate")
    assert result.exit_code == code
    assert ("false alarm: " in result.stdout) is (alarm is not None)
    assert ("the same command goes on from here" in result.stdout) is not complete


def test_calibrate_interrupted_says_how_to_go_on(calibrator: Calibrator) -> None:
    calibrator.stop = True
    result = run("calibrate", "--out", "kept")
    assert result.exit_code == cli.INTERRUPTED
    assert "what was measured is in kept: the same command goes on from there" in out(result)
    assert not Path("kept/calibration.json").exists()


def test_calibrate_publishes_all_readings_in_a_checkout_only(
    calibrator: Calibrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[Any] = []
    monkeypatch.setattr(cli, "publish_table", lambda table: published.append(table) or [Path("page.md")])
    monkeypatch.setattr(cli, "is_checkout", lambda: False)
    assert run("calibrate", "--publish").exit_code == cli.USAGE
    monkeypatch.setattr(cli, "is_checkout", lambda: True)
    refused = run("calibrate", "--publish", "--only", "A1")
    assert refused.exit_code == cli.USAGE
    assert "leave --only out" in out(refused)
    assert not calibrator.asked
    assert not published
    result = run("calibrate", "--publish")
    assert result.exit_code == 0
    assert "wrote page.md" in result.stdout
    assert len(published) == 1


def test_plan_says_what_it_takes() -> None:
    result = run("plan", "A1/first", "--margin", "0.05")
    assert result.exit_code == 0, result.output
    assert "the exponent is known to +-0.0" in out(result)
    assert "planning for A1/first" in result.stderr
    assert any(all(word in line for word in (" A ", " yes ")) for line in result.stdout.splitlines())
    narrow = run("plan", "A1/first", "--margin", "0.0001")
    assert narrow.exit_code == 2
    assert "which is not enough" in out(narrow)
    assert any(all(word in line for word in (" A ", " no ")) for line in narrow.stdout.splitlines())


def test_plan_by_simulation_says_sizes_and_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("plan", "B2", "--pack", "pack_b:CLAIMS", "--route", "B", "--margin", "0.1")
    assert result.exit_code == 0, result.output
    assert "n = 200 to 1600, 16 replicates" in out(result)
    assert any(" B " in line for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan"], "Missing argument"),
        (["plan", "Z9"], "no claim is called 'Z9'"),
        (["plan", "A1"], "A1 has 2 readings: name one, such as A1/first"),
        (["plan", "A1/first", "--margin", "0"], "margin=0.0 must be the error of an exponent to notice"),
        (["plan", "A1/first", "--margin", "nan"], "margin=nan must be"),
        (["plan", "A1/first", "--route", "C"], "route='C' must be 'A'"),
        (["plan", "A1/first", "--instances", "0"], "--instances"),
        (["calibrate", "--only", "Z9"], "no claim is called 'Z9'"),
        (["calibrate", "--jobs", "0"], "--jobs"),
        (["calibrate", "--seconds", "0"], "--seconds"),
        (["calibrate", "--seconds", "nan"], "--seconds"),
        (["calibrate", "--only", ","], "--only names no claim"),
        (["calibrate", "--judgements", "0"], "--judgements"),
        (["calibrate", "--searches", "-1"], "--searches"),
    ],
)
def test_bad_usage_of_planning_and_calibrating_is_one_sentence_and_64(
    arguments: list[str], says: str, calibrator: Calibrator
) -> None:
    result = run(*arguments)
    assert result.exit_code == cli.USAGE, result.output
    assert says in out(result)
    assert "Traceback" not in out(result)
    assert not calibrator.asked


def test_help_of_planning_and_calibrating() -> None:
    for command, words in (("calibrate", ("--judgements", "--publish", "Exits")), ("plan", ("--margin", "--route"))):
        result = run(command, "--help")
        assert result.exit_code == 0
        assert all(word in result.stdout for word in words)


# the calibration beside the verdicts


@pytest.mark.parametrize("stale", [True, False, None])
def test_audit_says_when_its_calibration_is_of_other_code(
    stale: bool | None, auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"A1/first": "2/2000, 0.987 at 0.02"} if stale is not None else {}
    prefix = "STALE " if stale else ""
    monkeypatch.setattr(cli, "in_brief", lambda name: prefix + known[name] if name in known else "")
    auditor.stale = stale
    result = run("audit")
    assert result.exit_code == 0
    assert ("STALE: the calibration was measured on other code" in result.stdout) is bool(stale)
    assert ("`verifier calibrate` measures it anew" in result.stdout) is bool(stale)
    line = next(line for line in result.stdout.splitlines() if "first" in line)
    assert ("2/2000, 0.987 at 0.02" in line) is (stale is not None)
    assert ("STALE" in line) is bool(stale)


# As a process


def spawn(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    command = [sys.executable, "-m", "verifier", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **more)


def test_the_process_exits_with_the_code() -> None:
    done = spawn("audit", "--only")
    assert done.returncode == cli.USAGE
    assert "--only" in done.stderr


@pytest.mark.thorough
def test_a_closed_pipe_does_not_change_the_verdict() -> None:
    code = (
        "import sys\nfrom verifier import cli\nconsole = cli._console()\n"
        "for _ in range(9999): console.print('x' * 99)\nsys.exit(1)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stderr:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1
