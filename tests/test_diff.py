"""What changed between two runs: a row for every change that is one, and none for noise."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_records import CASE, FINDING, RUN
from test_runs import NIGHTLY, audit, judgements, night
from typer.testing import CliRunner

from verifier import cli, records
from verifier.diff import Z, diff_record, diff_rows, power_tolerance
from verifier.runs import load_run

EMPTY = {
    *(
        "verdicts",
        "expected",
        "agreement",
        "appeared",
        "gone",
        "claims",
        "exponents",
        "instances",
        "power",
        "calibration",
    ),
    *("provenance", "controls"),
}


def finding(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(FINDING) | changes


def compare(
    tmp_path: Path, before: list[dict[str, Any]], after: list[dict[str, Any]], **changes: Any
) -> dict[str, Any]:
    """The diff of two audits, written and read again."""
    pair = audit(tmp_path / "before", before), audit(tmp_path / "after", after, **changes)
    record = diff_record(*map(load_run, pair))
    return records.load_diff(records.save_diff(tmp_path / "diff.json", record))


def changed(record: dict[str, Any]) -> set[str]:
    """The kinds of change that a diff names."""
    found = {name for name in EMPTY if record[name]}
    return found | {f"counterexamples {side}" for side, cases in record["counterexamples"].items() if cases}


def test_equal_runs_differ_in_nothing(tmp_path: Path) -> None:
    record = compare(tmp_path, [FINDING], [FINDING])
    assert (changed(record), diff_rows(record), record["exit_code"], record["common"]) == (set(), [], 0, 1)


def test_a_verdict_that_changed_is_first_and_sets_the_exit_code(tmp_path: Path) -> None:
    old = finding(expected="FALSIFIED", agrees=True)
    record = compare(tmp_path, [old], [finding(verdict="SURVIVED", expected="FALSIFIED", agrees=False, minimal=None)])
    assert record["verdicts"] == [{"id": "T1/s-above-1", "from": "FALSIFIED", "to": "SURVIVED"}]
    assert record["agreement"] == [{"id": "T1/s-above-1", "from": True, "to": False}]
    assert [case["digest"] for case in record["counterexamples"]["gone"]] == ["ab"]
    assert record["exit_code"] == 1
    assert diff_rows(record)[0] == ("verdict", "T1/s-above-1", "FALSIFIED", "SURVIVED")


def test_readings_come_and_go_without_a_changed_verdict(tmp_path: Path) -> None:
    record = compare(tmp_path, [FINDING, finding(id="T1/old")], [finding(id="T1/new"), FINDING])
    assert changed(record) == {"appeared", "gone"}
    assert record["appeared"] == [{"id": "T1/new", "verdict": "FALSIFIED"}]
    assert record["gone"] == [{"id": "T1/old", "verdict": "FALSIFIED"}]
    assert record["exit_code"] == 0


def test_counterexamples_are_told_apart_by_their_digest(tmp_path: Path) -> None:
    worse = CASE | {"digest": "cd", "describe": "two eigenvalues"}
    record = compare(tmp_path, [finding(worst=CASE)], [finding(worst=worse)])
    assert changed(record) == {"counterexamples new"}
    assert record["counterexamples"]["new"] == [
        {"id": "T1/s-above-1", "role": "worst", "digest": "cd", "describe": "two eigenvalues"}
    ]


@pytest.mark.parametrize(
    ("exponent", "tolerance", "moved"), [(0.5019, 0.001, False), (0.5021, 0.001, True), (0.51, 0.02, False)]
)
def test_an_exponent_moves_by_more_than_either_tolerance(
    tmp_path: Path, exponent: float, tolerance: float, moved: bool
) -> None:
    record = compare(tmp_path, [FINDING], [finding(minimal=CASE | {"exponent": exponent, "tolerance": tolerance})])
    assert changed(record) == ({"exponents"} if moved else set())
    for row in record["exponents"]:
        assert (row["from"], row["to"], row["tolerance"]) == (0.5, exponent, max(tolerance, 0.002))


def test_the_exponents_of_different_instances_are_not_compared(tmp_path: Path) -> None:
    record = compare(tmp_path, [FINDING], [finding(minimal=CASE | {"exponent": 0.9, "digest": "ef"})])
    assert changed(record) == {"counterexamples new", "counterexamples gone"}


def test_instances_of_both_searches_are_compared(tmp_path: Path) -> None:
    before, after = audit(tmp_path / "a"), audit(tmp_path / "b")
    judgements(before, {}, {"digest": "b"}, {"digest": "c"}, {"digest": "only here"})
    judgements(
        after,
        {"exponent": 0.505},
        {"digest": "b", "exponent": 0.52},
        {"digest": "c", "verdict": "violated", "exponent": 0.6},
    )
    (row,) = diff_record(load_run(before), load_run(after))["instances"]
    assert (row["common"], row["moved"], row["turned"]) == (3, 2, 1)
    assert row["largest"] == {"digest": "c", "from": 0.5, "to": 0.6, "tolerance": 0.01}
    assert row["first"] == {"digest": "c", "from": "consistent", "to": "violated"}


def test_power_moves_by_more_than_sampling_explains(tmp_path: Path) -> None:
    counts = FINDING["instances"] | {"judged": 400}

    def with_power(chance: float) -> dict[str, Any]:
        return finding(instances=counts, power=FINDING["power"] | {"at": {"0.05": chance}})

    assert changed(compare(tmp_path, [with_power(0.90)], [with_power(0.85)])) == set()
    record = compare(tmp_path, [with_power(0.90)], [with_power(0.80)])
    assert changed(record) == {"power"}
    assert record["power"][0]["tolerance"] == pytest.approx(Z * math.sqrt(0.85 * 0.15 / 200))


def test_the_tolerance_of_power_is_exceeded_once_in_a_thousand() -> None:
    rng = np.random.default_rng(5)
    drawn, trials = 300, 40_000
    first, second = rng.binomial(drawn, 0.7, (2, trials)) / drawn
    tolerances = [power_tolerance(a, drawn, b, drawn) for a, b in zip(first, second, strict=True)]
    share = float(np.mean(np.abs(first - second) > tolerances))
    assert 0.0004 < share < 0.0018  # 40 of 40,000 expected, with a standard deviation of 6
    assert power_tolerance(0.2, 0, 0.9, 10) == 1.0


def test_what_computed_the_numbers_is_compared(tmp_path: Path) -> None:
    control = {"id": "control/true-1", "truth": "true", "verdict": "FALSIFIED", "right": False, "text": ""}
    old = finding(calibration={"stale": False, "size": "1 of 9"})
    new = finding(calibration={"stale": True, "size": "2 of 9"}, prediction="exponent = 1")
    versions = RUN["versions"] | {"numpy": "9.9"}
    record = compare(tmp_path, [old], [new], code="cafe", versions=versions, controls=[*RUN["controls"], control])
    assert changed(record) == {"calibration", "claims", "provenance", "controls"}
    assert {row["name"]: (row["from"], row["to"]) for row in record["provenance"]} == {
        "code": (None, "cafe"),
        "numpy": (RUN["versions"].get("numpy"), "9.9"),
    }
    assert record["controls"] == [
        {"id": "control/true-1", "from": None, "to": {"verdict": "FALSIFIED", "right": False}}
    ]
    assert record["claims"][0]["name"] == "prediction"
    assert record["exit_code"] == 0


def test_an_audit_and_a_night_can_be_compared(tmp_path: Path) -> None:
    record = diff_record(
        load_run(audit(tmp_path / "a")), load_run(night(tmp_path / "n", NIGHTLY | {"verdict": "VACUOUS"}))
    )
    assert [run["kind"] for run in record["runs"]] == ["audit", "night"]
    assert record["verdicts"] == [{"id": "T1/s-above-1", "from": "FALSIFIED", "to": "VACUOUS"}]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    audit(Path("a"))
    audit(Path("b"), [finding(verdict="SURVIVED", prediction="\x1b[2J[bold]x")])

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, ["diff", *arguments], prog_name="verifier")

    same = run("a", "a")
    assert (same.exit_code, "no verdict changed of 1" in same.stdout) == (0, True)
    other = run("a", "b", "--json", "deep/d.json")
    assert other.exit_code == 1
    assert "1 of 1 verdicts changed" in other.stdout
    assert "\x1b" not in other.stdout
    assert "[bold]x" in other.stdout
    assert records.load_diff("deep/d.json")["verdicts"]
    for bad, says in (
        (["a", "c"], "c: is no directory of a run"),
        (["a"], "Missing argument"),
        (["a", "."], "holds neither"),
    ):
        refused = run(*bad)
        assert refused.exit_code == cli.USAGE
        assert says in " ".join(refused.stderr.split())
