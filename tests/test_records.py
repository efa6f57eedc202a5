import copy
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier import records
from verifier.records import RecordError, RunDirectory

CASE: dict[str, Any] = {
    "instance": {"spectrum": {"kind": "Finite", "eigenvalues": [1.0]}},
    "describe": "one eigenvalue equal to 1",
    "digest": "ab",
    "verdict": "violated",
    "predicted": {"kind": "AtLeast", "value": 0.75},
    "exponent": 0.5,
    "tolerance": 0.002,
    "interval": [0.49, 0.51],
    "reason": "The exponent stays below the claim.",
    "witness": {"lam": 1e-3},
    "replay": "verifier replay counterexamples/T1-s-above-1.minimal.json",
    "certification": {
        "agrees": True,
        "points": [{"n": 100, "simulated": 0.1, "stderr": 0.01, "equivalent": 0.1, "z": 0.3}],
        "replicates": 32,
        "slope": None,
        "slope_stderr": None,
        "text": "agrees",
    },
}
FINDING: dict[str, Any] = {
    "schema": 1,
    "claim": "T1",
    "reading": "s-above-1",
    "id": "T1/s-above-1",
    "title": "Theorem 1",
    "statement": "E(n) ~ n^-alpha",
    "latex": r"E(n) \asymp n^{-\alpha}",
    "source": "Theorem 1",
    "hypotheses": ["Assumption R"],
    "note": "",
    "cells": ["schedule · upper bound · σ>0"],
    "prediction": "exponent >= 2s/(2s+1/beta)",
    "tuning": "schedule",
    "observable": {"name": "excess risk", "variable": "n", "ylabel": "E(n)"},
    "verdict": "FALSIFIED",
    "expected": None,
    "agrees": None,
    "evidence": ["equivalent", "simulation"],
    "instances": {"judged": 9, "consistent": 5, "violated": 3, "inconclusive": 1, "out_of_scope": 0},
    "size": {"level": 1e-3, "confirmations": 1, "cap": 64, "text": "one confirmation"},
    "power": {
        "kind": "exponent",
        "at": {"0.02": 0.9, "0.05": None},
        "tightest": None,
        "corner": 1,
        "text": "",
    },
    "calibration": None,
    "minimal": CASE,
    "worst": None,
    "typical": None,
    "certificate": {"kind": "interval", "text": "1/4 > 1/16", "data": {"left": "1/4"}},
    "proof": {"text": "by algebra", "steps": ["differentiate"]},
    "message": "",
    "seconds": 1.5,
}
RUN: dict[str, Any] = {
    "schema": 1,
    "version": "0.1.0",
    "commit": None,
    "dirty": False,
    "seed": 0,
    "profile": "quick",
    "jobs": 2,
    "started": "2026-01-01T00:00:00+00:00",
    "seconds": 9.5,
    "versions": {"python": "3.11", "blas": "openblas"},
    "platform": "Linux x86_64",
    "command": "verifier audit",
    "controls": [{"id": "c1", "truth": "false", "verdict": "FALSIFIED", "right": True, "text": ""}],
    "exit_code": 0,
    "confirmations": {"spent": 3, "cap": 64, "level": 1e-3},
    "stale": None,
}
COUNTEREXAMPLE: dict[str, Any] = {
    "schema": 1,
    "kind": "counterexample",
    "claim": "T1/s-above-1",
    "pack": None,
    "instance": {"spectrum": {}},
    "seed": 0,
    "role": "minimal",
    "predicted": {"kind": "Bound", "value": None},
    "verdict": "violated",
    "exponent": None,
    "tolerance": None,
    "witness": {"lam": 0.1},
    "numbers": {"risk": [0.1, 0.30000000000000004], "exponent": 0.5},
    "numpy": "2.4.6",
    "version": "0.1.0",
    "certificate": None,
}
EVIDENCE = pd.DataFrame(
    {
        "id": ["T1/s-above-1"] * 2,
        "role": ["minimal"] * 2,
        "series": ["equivalent"] * 2,
        "x": [10, 100],
        "y": [0.5, 0.1 + 0.2],
        "lo": [None, None],
        "hi": [0.6, None],
    }
)
JUDGEMENTS = pd.DataFrame(
    {
        "id": ["L2/all-s"],
        "digest": ["ab"],
        "instance": ["{}"],
        "verdict": ["violated"],
        "predicted_kind": ["Bound"],
        "predicted": [None],
        "exponent": [None],
        "tolerance": [None],
        "score": [0.25],
    }
)


# JSON


def test_numpy_and_tuples_become_plain() -> None:
    value = {"a": np.float64(0.1), "b": (np.int64(2), np.bool_(True)), "c": np.arange(2.0), "d": None}
    plain = records.plain(value)
    assert plain == {"a": 0.1, "b": [2, True], "c": [0.0, 1.0], "d": None}
    assert [type(item) for item in (plain["a"], *plain["b"], plain["c"][0])] == [float, int, bool, float]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": {"b": [1.0, float("nan")]}}, r"\$\.a\.b\[1\] is nan"),
        ({"a": np.float64("inf")}, r"\$\.a is inf"),
        ({"a": np.array([-np.inf])}, r"\$\.a\[0\] is -inf"),
        ({"a": {1, 2}}, r"\$\.a is of type set"),
        ({1: 2}, r"the key 1: keys are strings"),
        ({"a": "\ud800"}, r"\$\.a holds text that UTF-8 cannot write"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_name(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        records.write_json(tmp_path / "record.json", value)
    assert not list(tmp_path.iterdir())


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_survive_exactly(value: float) -> None:
    text = json.dumps(records.plain([value]), allow_nan=False)
    (again,) = json.loads(text, parse_float=records._finite)
    assert (again, np.signbit(again)) == (value, np.signbit(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "holds NaN"),
        ("[-Infinity]", "holds -Infinity"),
        ("[1e999]", "1e999, which is too large"),
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        ("{", "is not JSON"),
        ("", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "Exceeds the limit"),
    ],
)
def test_what_is_not_strict_json_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=message) as caught:
        records.read_json(path)
    assert str(path) in str(caught.value)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    for name in ("absent.json", "binary.json", "."):
        with pytest.raises(RecordError, match=r"cannot be read|is not UTF-8"):
            records.read_json(tmp_path / name)


# Atomic writing


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = records.write_json(tmp_path / "record.json", {"old": True})

    def crash(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        records.write_json(path, {"new": True})
    assert records.read_json(path) == {"old": True}
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]


def test_a_record_is_as_readable_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    path = records.write_json(tmp_path / "deep" / "record.json", [])
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


# The records


def test_findings_run_and_counterexamples_round_trip(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run")
    records.save_findings(run, [FINDING])
    records.save_run(run, RUN)
    path = records.save_counterexample(run.counterexample("T1/s-above-1", "minimal"), COUNTEREXAMPLE)
    assert path == tmp_path / "run" / "counterexamples" / "T1-s-above-1.minimal.json"
    assert records.load_findings(run) == [FINDING]
    assert records.load_run(run) == RUN
    assert records.load_counterexample(path) == COUNTEREXAMPLE
    assert "σ" in run.findings.read_text(encoding="utf-8")


def broken(record: dict[str, Any], keys: str, value: object) -> dict[str, Any]:
    """Return a copy of ``record`` with the value at ``keys`` replaced, or removed for an Ellipsis."""
    copied = copy.deepcopy(record)
    *path, last = keys.split(".")
    inner = copied
    for key in path:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return copied


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("verdict", "MAYBE", r"\$\[0\]\.verdict is 'MAYBE', expected one of SURVIVED"),
        ("verdict", 3, r"\$\[0\]\.verdict is 3"),
        ("seconds", True, r"\$\[0\]\.seconds is True, expected a finite number"),
        ("seconds", "1", r"\$\[0\]\.seconds is '1'"),
        ("seconds", float("inf"), r"\$\[0\]\.seconds is inf"),
        ("claim", ..., r"\$\[0\] lacks the key claim"),
        ("instances.judged", 1.5, r"\$\[0\]\.instances\.judged is 1\.5, expected a whole number"),
        ("minimal.interval", [1.0], r"\$\[0\]\.minimal\.interval is \[1\.0\], expected a list of 2"),
        ("minimal.verdict", "wrong", r"\$\[0\]\.minimal\.verdict"),
        ("minimal.witness", [], r"\$\[0\]\.minimal\.witness is \[\], expected an object"),
        ("minimal.certification.agrees", 1, r"\$\[0\]\.minimal\.certification\.agrees is 1, expected true"),
        ("hypotheses", ["a", 1], r"\$\[0\]\.hypotheses\[1\] is 1, expected a string"),
        ("schema", 2, r"was written with schema 2, this verifier reads up to 1: install a newer one"),
        ("schema", "1", r"\$\[0\]\.schema is '1'"),
    ],
)
def test_a_wrong_finding_is_refused_on_both_sides(tmp_path: Path, keys: str, value: object, message: str) -> None:
    wrong = broken(FINDING, keys, value)
    with pytest.raises(RecordError, match=message) as caught:
        records.save_findings(tmp_path, [wrong])
    assert "findings.json" in str(caught.value)
    assert not (tmp_path / "findings.json").exists()
    if value != float("inf"):
        (tmp_path / "findings.json").write_text(json.dumps([wrong]))
        with pytest.raises(RecordError, match=message):
            records.load_findings(tmp_path)


def test_findings_are_a_list(tmp_path: Path) -> None:
    (tmp_path / "findings.json").write_text("{}")
    with pytest.raises(RecordError, match="not a list of findings"):
        records.load_findings(tmp_path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("kind", "recipe", "kind is 'recipe', expected one of counterexample"),
        ("role", "best", "role is 'best'"),
        ("instance", "os.system", "instance is 'os.system', expected an object"),
        ("numbers.risk", ["0.1"], r"numbers\.risk\[0\] is '0.1', expected a finite number"),
        ("numbers.exponent", None, r"numbers\.exponent is None"),
        ("schema", 99, "schema 99"),
        ("seed", ..., "lacks the key seed"),
    ],
)
def test_a_wrong_counterexample_is_refused(tmp_path: Path, keys: str, value: object, message: str) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(broken(COUNTEREXAMPLE, keys, value)))
    with pytest.raises(RecordError, match=message):
        records.load_counterexample(path)


def test_a_later_key_is_allowed(tmp_path: Path) -> None:
    path = records.save_counterexample(tmp_path / "case.json", COUNTEREXAMPLE | {"remark": "new"})
    assert records.load_counterexample(path)["remark"] == "new"


# Parquet


def test_evidence_and_judgements_round_trip(tmp_path: Path) -> None:
    records.save_evidence(tmp_path, EVIDENCE)
    records.save_judgements(tmp_path, JUDGEMENTS)
    evidence = records.load_evidence(tmp_path)
    assert list(evidence.columns) == records.EVIDENCE.names
    assert evidence["y"].tolist() == EVIDENCE["y"].tolist()
    assert evidence["lo"].isna().all()
    assert evidence["hi"].tolist()[0] == 0.6
    assert records.load_judgements(tmp_path)["score"].tolist() == [0.25]


def test_empty_evidence_keeps_its_columns(tmp_path: Path) -> None:
    records.save_evidence(tmp_path, pd.DataFrame(columns=records.EVIDENCE.names))
    evidence = records.load_evidence(tmp_path)
    assert len(evidence) == 0
    assert evidence["y"].dtype == np.float64


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("y", [1.0, np.nan], "column y has no value in row 1"),
        ("y", [1.0, np.inf], "column y is not finite in row 1"),
        ("hi", [-np.inf, None], "column hi is not finite in row 0"),
        ("id", [None, "T1"], "column id has no value in row 0"),
        ("x", ["a", "b"], "x"),
    ],
)
def test_wrong_evidence_is_refused(tmp_path: Path, column: str, values: list[object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        records.save_evidence(tmp_path, EVIDENCE.assign(**{column: values}))
    assert not list(tmp_path.iterdir())


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="lacks the columns x, hi"):
        records.save_evidence(tmp_path, EVIDENCE.drop(columns=["x", "hi"]))


def test_parquet_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evidence.parquet"
    with pytest.raises(RecordError, match="cannot be read"):
        records.load_evidence(tmp_path)
    path.write_bytes(b"not parquet at all")
    with pytest.raises(RecordError, match="is not parquet"):
        records.load_evidence(tmp_path)
    table = pa.table({"x": [1.0]})
    pq.write_table(table, path)
    with pytest.raises(RecordError, match="no schema number"):
        records.load_evidence(tmp_path)
    pq.write_table(table.replace_schema_metadata({b"verifier.schema": b"7"}), path)
    with pytest.raises(RecordError, match="schema 7"):
        records.load_evidence(tmp_path)
    pq.write_table(table.replace_schema_metadata({b"verifier.schema": b"1"}), path)
    with pytest.raises(RecordError, match="columns id, role, series, y, lo, hi are absent"):
        records.load_evidence(tmp_path)


# The directory


def test_the_default_directory_is_named_by_time_and_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    first = RunDirectory.create(seed=7, now=now)
    second = RunDirectory.create(seed=7, now=now)
    assert first.path == Path("runs/20260102T030405Z-seed7")
    assert second.path == Path("runs/20260102T030405Z-seed7-2")
    assert first.path.is_dir()


def exhibits() -> list[dict[str, Any]]:
    """One figure with one curve."""
    series = {
        "label": "a curve",
        "describe": "l_i = i^-2",
        "instance": {"spectrum": {"kind": "PowerLaw", "beta": 2.0}},
        "claimed": 0.5,
        "equivalent": {"n": [1.0, 2.0], "risk": [0.5, 0.25]},
        "local_slope": {"n": [1.4], "slope": [1.0]},
        "simulated": None,
        "slopes": [{"n": [1.0, 2.0], "equivalent": 1.0, "simulated": None, "interval": None, "same_weights": None}],
        "crossover": {"log10_index": None, "log10_n": None, "text": "beyond reach"},
        "apart": None,
    }
    panel = {
        "title": "As in the paper",
        "text": "",
        "n": [1.0, 2.0],
        "apart": None,
        "series": [series],
        "findings": ["so"],
    }
    head = {"id": "F1/x", "claim": "F1", "text": "", "seed": 0, "replicates": 16, "tuning": "schedule"}
    return [{**head, "panels": [panel], "message": "", "seconds": 0.5}]


def test_exhibits_round_trip_and_may_be_absent(tmp_path: Path) -> None:
    assert records.load_exhibits(tmp_path) == []
    assert records.save_exhibits(tmp_path, exhibits()) == RunDirectory(tmp_path).exhibits
    assert records.load_exhibits(tmp_path) == exhibits()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda e: e[0].pop("panels"), r"exhibits\[0\] lacks the key panels"),
        (
            lambda e: e[0]["panels"][0]["series"][0].update(claimed="x"),
            r"series\[0\].claimed is 'x', expected a finite",
        ),
        (
            lambda e: e[0]["panels"][0]["series"][0]["equivalent"]["n"].append(3.0),
            "equivalent is .* expected columns of one",
        ),
        (
            lambda e: e[0]["panels"][0]["series"].append({**e[0]["panels"][0]["series"][0], "slopes": []}),
            "expected the same windows in every series",
        ),
    ],
)
def test_a_wrong_exhibit_is_refused_on_both_sides(tmp_path: Path, break_it: Any, message: str) -> None:
    wrong = exhibits()
    break_it(wrong)
    with pytest.raises(RecordError, match=message):
        records.save_exhibits(tmp_path, wrong)
    path = RunDirectory(tmp_path).exhibits
    path.write_text(json.dumps({"schema": 1, "kind": "exhibits", "exhibits": wrong}))
    with pytest.raises(RecordError, match=message):
        records.load_exhibits(tmp_path)


def test_what_a_finding_may_say_is_checked_where_it_is(tmp_path: Path) -> None:
    told = {
        **FINDING,
        "explanation": "Theorem 1: ...",
        "minimal": {**CASE, "crossover": {"log10_index": 4.0, "log10_n": 9.0, "text": ""}},
        "typical": {
            **CASE,
            "dependence": {
                "lags": [1, 2],
                "rows": [{"name": "inputs", "values": [0.5, None], "known": ""}],
                "sums": [{"of": "the products", "value": None}],
            },
            "width": {"n": [1e3, 1e6], "m": [30.0, None]},
        },
    }
    records.save_findings(tmp_path, [told])
    assert records.load_findings(tmp_path) == [told]
    with pytest.raises(RecordError, match="explanation is 3, expected a string"):
        records.save_findings(tmp_path, [{**FINDING, "explanation": 3}])
    with pytest.raises(RecordError, match=r"minimal.crossover.log10_n is '9', expected a finite number"):
        records.save_findings(
            tmp_path, [{**FINDING, "minimal": {**CASE, "crossover": {"log10_index": 4.0, "log10_n": "9", "text": ""}}}]
        )


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ({"dependence": {"lags": [1], "rows": []}}, "minimal.dependence lacks the key sums"),
        ({"dependence": {"lags": [0.5], "rows": [], "sums": []}}, r"dependence.lags\[0\] is 0.5, expected a whole"),
        ({"width": {"n": [1e3], "m": ["many"]}}, r"minimal.width.m\[0\] is 'many', expected a finite number"),
    ],
)
def test_what_is_said_of_dependence_and_width_has_a_form(tmp_path: Path, beside: Any, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        records.save_findings(tmp_path, [{**FINDING, "minimal": {**CASE, **beside}}])


def test_an_earlier_run_is_cleared(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run")
    records.save_findings(run, [FINDING])
    records.save_evidence(run, EVIDENCE)
    records.save_counterexample(run.counterexample("T1/s-above-1", "worst"), COUNTEREXAMPLE)
    (run.path / ".findings.json.ab.tmp").touch()
    run.report.write_text("<html>")
    again = RunDirectory.create(run)
    assert not [entry for entry in again.path.rglob("*") if entry.is_file()]


@pytest.mark.parametrize("name", ["thesis.tex", "report.html", "counterexamples/mine.json"])
def test_a_foreign_directory_is_refused(tmp_path: Path, name: str) -> None:
    precious = tmp_path / name
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("years of work")
    with pytest.raises(RecordError, match="not of a run: name a new or empty directory"):
        RunDirectory.create(tmp_path)
    assert precious.read_text() == "years of work"


def test_a_run_with_a_stranger_in_it_is_refused(tmp_path: Path) -> None:
    records.save_findings(tmp_path, [FINDING])
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RecordError, match=r"such as notes\.txt,"):
        RunDirectory.create(tmp_path)
    assert records.load_findings(tmp_path) == [FINDING]


def test_a_file_or_an_impossible_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="is a file"):
        RunDirectory.create(tmp_path / "file")
    with pytest.raises(RecordError, match="cannot be written"):
        RunDirectory.create(tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        ("T1/s-above-1", "T1-s-above-1.worst.json"),
        ("../../etc/passwd", "etc-passwd.worst.json"),
        ("<script>", "script.worst.json"),
        ("...", "claim.worst.json"),
    ],
)
def test_a_counterexample_stays_in_its_directory(claim: str, name: str) -> None:
    assert records.counterexample_name(claim, "worst") == name


@pytest.mark.parametrize("key", ["seconds", "exponent"])
def test_a_whole_number_that_is_no_double_is_refused_by_name(tmp_path: Path, key: str) -> None:
    huge = copy.deepcopy(FINDING)
    (huge if key == "seconds" else huge["minimal"])[key] = 10**400
    (tmp_path / "findings.json").write_text(json.dumps([huge]))
    with pytest.raises(RecordError, match=rf"{key} is 10+\.\.\., expected a finite number"):
        records.load_findings(tmp_path)
