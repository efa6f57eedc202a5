"""Runs read back as data: whole or refused with a sentence, from their own files, whatever those hold."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_records import FINDING, RUN

from verifier import records
from verifier.records import RecordError
from verifier.runs import AUDIT, NIGHT, find_runs, load_run, load_whole, weightiest

NIGHTLY: dict[str, Any] = {
    "id": "T1/s-above-1",
    "pack": None,
    "verdict": "FALSIFIED",
    "expected": None,
    "agrees": None,
    "examples": 4000,
    "distinct": 31,
    "corners": [{"name": "s = 3", "examples": 12}],
    "seconds": 20.5,
    "rounds": 6,
    "nearest": None,
    "undecided": 3,
    "power": {"0.05": 0.98},
    "corner": 0.0007,
}
NIGHT_RECORD: dict[str, Any] = {
    **{name: RUN[name] for name in ("schema", "version", "commit", "dirty", "versions", "platform")},
    "kind": "night",
    "command": "verifier nightly --hours 0.5 --seed 3",
    "seed": 3,
    "started": "2026-03-05T02:17:00+00:00",
    "seconds": 1800.25,
    "hours": 0.5,
    "examples": None,
    "jobs": 2,
    "engine": "loky",
    "rounds": 9,
    "resumed": 0,
    "readings": [NIGHTLY],
    "damage": [],
    "exit_code": 0,
}


def audit(path: Path, findings: list[dict[str, Any]] | None = None, **changes: Any) -> Path:
    """Write a finished audit and return its directory."""
    records.save_findings(path, [FINDING] if findings is None else findings)
    records.save_run(path, RUN | changes)
    return path


def night(path: Path, *readings: dict[str, Any], **changes: Any) -> Path:
    """Write a finished night and return its directory."""
    records.save_night(path, NIGHT_RECORD | {"readings": list(readings) or [NIGHTLY]} | changes)
    return path


def judgements(path: Path, *rows: dict[str, Any]) -> None:
    """Write judgements.parquet."""
    plain = {
        "id": "T1/s-above-1", "digest": "ab", "instance": "{}", "verdict": "consistent", "predicted_kind": "Exponent",
        "predicted": 0.5, "exponent": 0.5, "tolerance": 0.01, "score": -0.5,
    }  # fmt: skip
    records.save_judgements(path, pd.DataFrame([plain | row for row in rows]))


def test_an_audit_and_a_night_are_told_apart(tmp_path: Path) -> None:
    one, other = load_run(audit(tmp_path / "a")), load_run(night(tmp_path / "n"))
    assert (one.kind, other.kind) == (AUDIT, NIGHT)
    assert one.outcomes["T1/s-above-1"].power == {"0.02": 0.9}
    assert other.outcomes["T1/s-above-1"].power == {"0.05": 0.98}
    assert (one.outcomes["T1/s-above-1"].judged, other.outcomes["T1/s-above-1"].judged) == (9, 4000)
    assert one.name == "a"


def test_runs_are_found_below_a_directory_and_the_rest_is_named(tmp_path: Path) -> None:
    audit(tmp_path / "b" / "shard-1", started="2026-03-04T00:00:00+00:00")
    audit(tmp_path / "a", started="2026-03-06T00:00:00+00:00")
    night(tmp_path / "c")
    newer = night(tmp_path / "d")
    newer.joinpath("night.json").write_text(json.dumps(NIGHT_RECORD | {"schema": 2}))
    records.save_findings(tmp_path / "e", [FINDING])
    (tmp_path / "f" / "nothing").mkdir(parents=True)
    found, skipped = find_runs(tmp_path)
    assert [run.name for run in found] == ["shard-1", "c", "a"]  # a shard alone is a run as any other
    assert [(each.name, each.why) for each in skipped] == [
        ("d", "night.json: was written with schema 2, this verifier reads up to 1: install a newer one"),
        ("e", "holds neither run.json nor night.json: the run did not finish; give one that did"),
    ]


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("run.json", "{", "is not JSON"),
        ("run.json", DEEP, "nested too deeply"),
        ("run.json", json.dumps(RUN | {"schema": 9}), "was written with schema 9, this verifier reads up to 1"),
        ("run.json", json.dumps(RUN | {"schema": True}), "schema is True"),
        ("run.json", json.dumps(RUN | {"seconds": 10**400}), "expected a finite number"),
        ("run.json", '{"schema": 1' + "0" * 5000 + "}", "digits"),
        ("run.json", json.dumps(RUN).replace('"seed"', '"seed": 1, "seed"'), "twice"),
        ("run.json", "\xff", "lacks|is not"),
        ("findings.json", "{}", "is not a list of findings"),
        ("findings.json", json.dumps([FINDING, FINDING]), "holds the reading 'T1/s-above-1' twice"),
        ("findings.json", json.dumps([FINDING | {"verdict": "PROVED"}]), "expected one of SURVIVED"),
        ("run.json", json.dumps(RUN | {"started": "yesterday"}), "started is 'yesterday', expected a time"),
        ("run.json", json.dumps(RUN | {"started": "2026-03-04T09:15:00"}), "expected a time such as"),
        (
            "findings.json",
            json.dumps([FINDING | {"id": "=cmd|' /C calc'!A0"}]),
            "a reading is called .*, expected an id",
        ),
        ("findings.json", json.dumps([FINDING | {"id": "T1/../../etc"}]), "a reading is called .*, expected an id"),
        ("judgements.parquet", "PAR1", "is not parquet"),
    ],
)
def test_what_is_damaged_hostile_or_too_new_is_one_sentence(tmp_path: Path, name: str, text: str, says: str) -> None:
    run = audit(tmp_path / "run")
    (run / name).write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=says) as caught:
        load_run(run)
    assert str(run) in str(caught.value)
    assert len(str(caught.value)) < 600
    assert [each.name for each in find_runs(tmp_path)[1]] == ["run"]


@pytest.mark.parametrize("name", ["run.json", "night.json", "findings.json", "judgements.parquet"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "directory"])
def test_only_files_of_the_run_are_read(tmp_path: Path, name: str, kind: str) -> None:
    elsewhere = audit(tmp_path / "elsewhere")
    night(elsewhere)
    judgements(elsewhere, {})
    run = audit(tmp_path / "run")
    (run / name).unlink(missing_ok=True)
    match kind:
        case "link":
            (run / name).symlink_to(elsewhere / name)
        case "dangling link":
            (run / name).symlink_to(tmp_path / "absent")
        case "pipe":
            os.mkfifo(run / name)  # reading it would never end
        case _:
            (run / name).mkdir()
    with pytest.raises(
        RecordError, match=rf"{name}: is (a link|no regular file): a run is read from its own files only"
    ):
        load_run(run)


def test_links_to_directories_are_not_followed(tmp_path: Path) -> None:
    audit(tmp_path / "elsewhere" / "run")
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "away").symlink_to(tmp_path / "elsewhere")
    (runs / "round").symlink_to(runs)
    assert find_runs(runs) == ([], [])


def test_a_file_too_large_for_a_record_is_not_read(tmp_path: Path) -> None:
    run = audit(tmp_path / "run")
    with open(run / "findings.json", "r+b") as stream:
        stream.truncate(1 << 40)  # sparse: it takes no room
    with pytest.raises(RecordError, match="more than the 1073741824 of a record"):
        load_run(run)


def test_the_readings_of_a_night_come_once(tmp_path: Path) -> None:
    run = night(tmp_path, NIGHTLY, copy.deepcopy(NIGHTLY))
    with pytest.raises(RecordError, match=r"night\.json: holds the reading 'T1/s-above-1' twice"):
        load_run(run)


def test_the_shards_of_a_night_are_one_run(tmp_path: Path) -> None:
    place = tmp_path / "nights" / "000123"
    other = NIGHTLY | {"id": "L1", "verdict": "SURVIVED"}
    night(place / "shard-1", started="2026-03-05T02:20:00+00:00", seconds=50.0, exit_code=2)
    night(place / "shard-2", other, started="2026-03-05T02:17:00+00:00", seconds=70.0, exit_code=1)
    judgements(place / "shard-2", {"id": "L1"})
    (joined,), skipped = find_runs(tmp_path / "nights")
    assert skipped == []
    for run in (joined, load_whole(place)):
        assert (run.name, run.kind, run.started) == ("000123", NIGHT, "2026-03-05T02:17:00+00:00")
        assert sorted(run.outcomes) == ["L1", "T1/s-above-1"]
        assert (run.origin["seconds"], run.origin["exit_code"], len(run.judgements)) == (70.0, 1, 1)
    assert load_whole(place / "shard-1").name == "shard-1"


def test_runs_that_share_a_reading_are_several(tmp_path: Path) -> None:
    for name in ("one", "two"):
        night(tmp_path / "nights" / "same" / name)
        audit(tmp_path / "audits" / "same" / name)
    assert len(find_runs(tmp_path / "nights")[0]) == len(find_runs(tmp_path / "audits")[0]) == 2
    with pytest.raises(RecordError, match=r"holds neither run\.json nor night\.json"):
        load_whole(tmp_path / "nights" / "same")


def test_nights_of_different_readings_in_one_directory_are_several(tmp_path: Path) -> None:
    night(tmp_path / "monday")
    night(tmp_path / "tuesday", NIGHTLY | {"id": "L1"})
    assert [run.name for run in find_runs(tmp_path)[0]] == ["monday", "tuesday"]


@pytest.mark.parametrize(
    ("codes", "code"), [([], 0), ([0, 2], 2), ([2, 1, 0], 1), ([1, 3], 3), ([64, 0], 64), ([130, 1], 1)]
)
def test_the_weightiest_exit_code(codes: list[int], code: int) -> None:
    assert weightiest(codes) == code
