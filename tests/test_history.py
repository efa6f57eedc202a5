"""Trends over runs: sums that come out, runs that are left out by name, and a page that escapes and asks for nothing."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_records import FINDING
from test_runs import NIGHT_RECORD, NIGHTLY, audit, judgements, night
from typer.testing import CliRunner

from reports.history import history_page
from verifier import cli
from verifier.history import COLUMNS, earlier_nights, history_record, readings_table, runs_table
from verifier.runs import find_runs

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three nights, an audit with judgements before them, and two directories that cannot be read."""
    place = tmp_path / "runs"
    judgements(audit(place / "audit", started="2026-03-01T00:00:00+00:00"), {}, {"digest": "b", "score": -0.25})
    judgements(
        night(place / "n1", started="2026-03-02T00:00:00+00:00"),
        {"digest": "b", "score": -0.5},
        {"digest": "c", "verdict": "violated", "score": 3.0},
        {"digest": "d", "score": -0.125},
    )
    night(place / "n2", NIGHTLY | {"verdict": "SURVIVED", "nearest": 0.03}, started="2026-03-03T02:00:00+02:00")
    night(
        place / "n3",
        NIGHTLY | {"verdict": "SURVIVED", "expected": "FALSIFIED", "agrees": False, "distinct": 40},
        NIGHTLY | {"id": "L1", "verdict": "SURVIVED", "power": None},
        started="2026-03-03T01:00:00+00:00",
        exit_code=1,
    )
    (place / "torn").mkdir()
    (place / "torn" / "night.json").write_text('{"schema": 1,')
    (place / "newer").mkdir()
    (place / "newer" / "night.json").write_text(json.dumps(NIGHT_RECORD | {"schema": 7}))
    return place


def test_the_table_of_readings_adds_up(runs: Path) -> None:
    table = readings_table(find_runs(runs)[0])
    assert tuple(table.columns) == COLUMNS
    one = table[table["id"] == "T1/s-above-1"]
    assert list(one["run"]) == ["audit", "n1", "n2", "n3"]  # in the order of their times, whatever the zone
    assert list(one["verdict"]) == ["FALSIFIED", "FALSIFIED", "SURVIVED", "SURVIVED"]
    assert list(one["examples"]) == [9, 4000, 4000, 4000]
    assert list(one["examples_total"]) == [9, 4009, 8009, 12009]
    assert list(one["instances"].dropna()) == [2, 3]
    assert list(one["instances_new"].dropna()) == [2, 2]  # b was known
    assert list(one["instances_total"].dropna()) == [2, 4]
    assert list(one["distinct"].dropna()) == [31, 31, 40]
    assert list(one["nearest"].dropna()) == [0.25, 0.125, 0.03]
    assert list(one["power"].fillna(-1)) == [-1, 0.98, 0.98, 0.98]
    assert one["seconds_total"].iloc[-1] == pytest.approx(1.5 + 3 * 20.5)


def test_the_table_of_runs_counts_verdicts(runs: Path) -> None:
    table = runs_table(find_runs(runs)[0]).set_index("run")
    assert dict(table.loc["n3", ["readings", "survived", "falsified", "differ", "agree", "examples", "distinct"]]) == {
        "readings": 2, "survived": 2, "falsified": 0, "differ": 1, "agree": 0, "examples": 8000, "distinct": 71,
    }  # fmt: skip
    assert pd.isna(table.loc["audit", "distinct"])
    assert list(table["exit_code"]) == [0, 0, 0, 1]


def test_a_changed_verdict_is_told_with_its_date(runs: Path) -> None:
    record = history_record(*find_runs(runs))
    changes = {reading["id"]: reading["changes"] for reading in record["readings"]}
    assert changes == {
        "T1/s-above-1": [{"started": "2026-03-03T00:00:00+00:00", "from": "FALSIFIED", "to": "SURVIVED"}],
        "L1": [],
    }
    assert "3 March 2026: falsified became survived" in history_page(record)


def test_the_trend_of_a_night_is_that_of_the_earlier_ones(runs: Path) -> None:
    rows = earlier_nights(runs / "n3", "2026-03-03T01:00:00+00:00")
    assert [row["run"] for row in rows] == ["n1", "n2"]
    assert rows[0]["distinct"] == 31
    json.dumps(rows, allow_nan=False)  # plain records, as the page reads them


def command(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, ["history", *arguments], prog_name="verifier")


def test_the_command_writes_page_and_table_and_names_what_it_left_out(runs: Path, tmp_path: Path) -> None:
    page, table = tmp_path / "deep" / "history.html", tmp_path / "history.csv"
    done = command(str(runs), "--html", str(page), "--csv", str(table))
    assert done.exit_code == 0
    assert "left out newer: night.json: was written with schema 7, this verifier reads up to 1" in done.stderr
    assert "left out torn: night.json: is not JSON" in done.stderr
    assert "changed from one run to the next: T1/s-above-1" in done.stdout
    assert "xx++" in done.stdout
    assert len(pd.read_csv(table)) == 5
    text = page.read_text(encoding="utf-8")
    assert "newer</code>: night.json: was written with schema 7" in text


def test_a_directory_without_runs_is_refused(tmp_path: Path) -> None:
    for path, says in ((tmp_path, "holds no run that could be read"), (tmp_path / "absent", "is no directory")):
        done = command(str(path))
        assert done.exit_code == cli.USAGE
        assert says in " ".join(done.stderr.split())


class Tags(HTMLParser):
    """The elements and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_escapes_and_asks_for_nothing(tmp_path: Path) -> None:
    place = tmp_path / "runs"
    for number in (1, 2):
        audit(place / f"a{number}{HOSTILE.replace('/', '_')}", [FINDING | {"title": HOSTILE, "message": HOSTILE}])
    (place / HOSTILE.replace("/", "_")).mkdir()
    (place / HOSTILE.replace("/", "_") / "run.json").write_text(
        json.dumps({"schema": 1, "version": HOSTILE, "commit": 1})
    )
    found, skipped = find_runs(place)
    assert (len(found), len(skipped)) == (2, 1)
    record = history_record(found, skipped)
    record["skipped"][0]["why"] += HOSTILE
    text = history_page(record)
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text
    tags = Tags(text).found
    assert [attributes.get("type") for tag, attributes in tags if tag == "script"] == ["module"]
    assert not [tag for tag, _ in tags if tag in ("img", "iframe", "object", "link", "base", "foreignobject")]
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert all(str(attributes.get("href", "#")).startswith("#") for _, attributes in tags)
    assert not [attributes for _, attributes in tags if "src" in attributes]


@pytest.mark.thorough
def test_one_run_needs_no_figure_and_a_hundred_stay_small(tmp_path: Path) -> None:
    one = history_record(*find_runs(audit(tmp_path / "a")))
    assert "<figure" not in history_page(one)
    point, run = one["readings"][0]["points"][0], one["runs"][0]
    many = one | {
        "runs": [run | {"started": f"2026-01-{1 + n % 28:02}T00:00:00+00:00"} for n in range(100)],
        "readings": [
            {
                "id": f"T{k}/x",
                "points": (points := [point | {"place": n} for n in range(100)]),
                "last": points[-1],
                "changes": [],
            }
            for k in range(60)
        ],
    }
    text = history_page(many)
    assert text.count("<figure") == 2
    assert text.count("<rect class") == 6000
    assert len(text) < 2_000_000
