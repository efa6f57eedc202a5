"""The section of a night on its report: what was searched and found, what was damaged, and the trend, escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reports
from reports.night import TREND
from reports.page import SCHEMA, pages
from verifier import records

HOSTILE = "<script>alert(1)</script>"
EMPTY = pd.DataFrame(columns=["id", "role", "series", "x", "y", "lo", "hi"])
Make = Callable[..., dict[str, Any]]


def reading(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "pack": None,
        "verdict": "SURVIVED",
        "expected": "SURVIVED",
        "agrees": True,
        "examples": 1200,
        "distinct": 31,
        "corners": [{"name": "s near 1", "examples": 12}, {"name": "beta near 1", "examples": 0}],
        "seconds": 20.5,
        "rounds": 6,
        "nearest": 0.03,
        "undecided": 3,
        "power": {"0.05": 0.98},
        "corner": 0.0007,
        **changes,
    }


def night(*readings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "night",
        "version": "0.1.0",
        "commit": None,
        "dirty": False,
        "versions": {},
        "platform": "Linux",
        "command": "verifier nightly --hours 0.5 --seed 3",
        "seed": 3,
        "started": "2026-03-05T02:17:00+00:00",
        "seconds": 1800.0,
        "hours": 0.5,
        "examples": None,
        "jobs": 2,
        "engine": "loky",
        "rounds": 9,
        "resumed": 0,
        "readings": list(readings),
        "damage": [],
        "exit_code": 0,
        **changes,
    }


class Text(HTMLParser):
    """What a reader sees, and the elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.text = re.sub(" (?=[.,:;])", "", " ".join(" ".join(self.words).split()))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def shown(record: dict[str, Any], make: Make, run: dict[str, Any], earlier: list[dict[str, Any]] | None = None) -> Text:
    """The report of a night, read."""
    findings = [make(each["id"]) for each in record["readings"]]
    return Text(pages(findings, run, EMPTY, night=record, earlier=earlier or [])["report.html"])


def test_a_night_says_what_it_searched_and_reached(make_finding: Make, make_run: Make) -> None:
    page = shown(night(reading("T1/a"), reading("T1/b", examples=800, distinct=9)), make_finding, make_run())
    assert "2 000 examples were drawn in 30 min 0 s, in 9 rounds, by 2 workers (loky)" in page.text
    assert "in 40 distinct ways and reached 2 of 4 rarely drawn corners" in page.text
    assert "Every verdict is the one that was expected." in page.text
    assert "2 corners were not reached T1/a: beta near 1 T1/b: beta near 1" in page.text
    assert "Report of a night" in page.text
    assert "Beside earlier nights" not in page.text


def test_an_audit_has_no_such_section(make_finding: Make, make_run: Make) -> None:
    page = Text(pages([make_finding("T1/a")], make_run(), EMPTY)["report.html"])
    assert "The night" not in page.text
    assert "Audit report" in page.text


def test_what_was_not_foreseen_and_what_was_lost_is_said_first(make_finding: Make, make_run: Make) -> None:
    record = night(
        reading("T1/a", verdict="FALSIFIED", agrees=False),
        reading("T1/b", verdict="FALSIFIED", expected=None, agrees=None),
        reading("T1/c", verdict="UNDERPOWERED", expected=None, agrees=None),
        damage=[{"where": "rounds/3.json", "what": "its checksum does not agree"}],
        resumed=2,
    )
    text = shown(record, make_finding, make_run()).text
    assert "Not foreseen: T1/a falsified, expected survived; T1/b falsified, an open question." in text
    assert "1 thing was damaged or lost on the way" in text
    assert "rounds/3.json: its checksum does not agree" in text
    assert "resumed 2 times" in text


def test_the_trend_ends_with_this_night(make_finding: Make, make_run: Make) -> None:
    row = {
        "run": "n", "kind": "night", "started": "2026-03-04T02:17:00+00:00", "seed": 77, "readings": 1, "agree": 1, "differ": 0,
        "undecided": 0, "examples": 444, "distinct": None, "seconds": 9.0, "exit_code": 0,
    }  # fmt: skip
    page = shown(night(reading("T1/a")), make_finding, make_run(), [row] * 30)
    text = page.text[page.text.index("Beside earlier nights") :]
    assert text.count("444") == TREND
    assert text.index("444") < text.index("this night")


def test_what_is_hostile_or_absurd_is_text(make_finding: Make, make_run: Make) -> None:
    record = night(
        reading(
            HOSTILE, corners=[{"name": HOSTILE, "examples": 0}], examples=10**400, nearest=10**400, verdict=HOSTILE
        ),
        reading("T1/a", power={HOSTILE: 1.0}, expected=HOSTILE, agrees=False, distinct=10**300, corner=10**309),
        damage=[{"where": HOSTILE, "what": HOSTILE}],
        engine=HOSTILE,
        seconds=10**400,
        rounds=10**400,
    )
    text = pages([make_finding("T1/a")], make_run(), EMPTY, night=record)["report.html"]
    assert HOSTILE not in text
    page = Text(text)
    assert page.text.count(HOSTILE) >= 6
    assert page.tags.count("script") == 1


def test_pages_are_drawn_again_from_the_records_of_a_night(tmp_path: Path, make_finding: Make) -> None:
    records.write_json(tmp_path / "findings.json", [make_finding("T1/a")])
    records.save_night(tmp_path, night(reading("T1/a")))
    text = reports.render(tmp_path).read_text(encoding="utf-8")
    assert 'id="night"' in text
    assert "verifier nightly --hours 0.5 --seed 3" in text


@pytest.mark.parametrize("name", ["findings.json", "run.json", "night.json"])
def test_a_schema_that_is_too_new_is_refused_with_a_sentence(
    tmp_path: Path, make_finding: Make, make_run: Make, name: str
) -> None:
    held: dict[str, Any] = {
        "findings.json": [make_finding("T1/a")],
        "run.json": make_run(),
        "night.json": night(reading("T1/a")),
    }
    for file, record in held.items():
        newer = {"schema": SCHEMA + 1}
        changed = [{**record[0], **newer}] if isinstance(record, list) else {**record, **newer}
        (tmp_path / file).write_text(json.dumps(changed if file == name else record))
    with pytest.raises(
        ValueError, match=rf"{name} was written with schema 2, this page reads up to 1: install a newer"
    ):
        reports.render(tmp_path)


def test_the_schema_is_that_of_the_records() -> None:
    assert records.SCHEMA == SCHEMA


def test_deep_nesting_is_refused_with_a_sentence(tmp_path: Path, make_run: Make) -> None:
    (tmp_path / "findings.json").write_text("[" * 100_000 + "]" * 100_000)
    records.write_json(tmp_path / "run.json", make_run())
    with pytest.raises(ValueError, match=r"holds no readable findings\.json"):
        reports.render(tmp_path)
