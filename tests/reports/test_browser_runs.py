"""The pages of many runs and of a night in headless Chromium: quiet, filtered, and no wider than the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_browser import Page
from test_night import EMPTY, night, reading

from reports import write_report
from reports.history import write_history

LONG = "T1/" + "a-reading-with-a-long-name-" * 3


def history() -> dict[str, Any]:
    """Thirty runs of three readings, one of which changed; a gap where a reading was not judged."""
    run = {
        "run": "20260305T021700Z-seed3", "kind": "night", "started": "2026-03-05T02:17:00+00:00", "seed": 3, "readings": 3,
        "survived": 2, "falsified": 1, "undecided": 0, "errors": 0, "agree": 2, "differ": 1, "examples": 12000, "distinct": 90,
        "seconds": 1800.0, "exit_code": 1,
    }  # fmt: skip

    def one(name: str, verdicts: list[str | None]) -> dict[str, Any]:
        points = [
            {
                "id": name, "place": place, "started": run["started"], "verdict": verdict, "expected": "SURVIVED",
                "agrees": verdict == "SURVIVED", "examples_total": 4000 * (place + 1), "instances_total": None, "distinct": 31,
                "nearest": 0.25, "power": 0.98, "seconds_total": 60.0,
            }
            for place, verdict in enumerate(verdicts)
            if verdict is not None
        ]  # fmt: skip
        change = {"started": run["started"], "from": "SURVIVED", "to": "FALSIFIED"}
        return {"id": name, "points": points, "last": points[-1], "changes": [change] * (len(set(verdicts)) - 1)}

    same: list[str | None] = ["SURVIVED"] * 30
    return {
        "version": "0.1.0",
        "runs": [run] * 30,
        "readings": [
            one("T1/b", same),
            one(LONG, [*same[:20], *["FALSIFIED"] * 10]),
            one("L1/x", [*same[:9], *same[10:]]),
        ],
        "skipped": [{"name": "torn", "why": "night.json: is not JSON"}],
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("runs")
    return {"history": write_history(place / "history.html", history())}


@pytest.fixture
def pages(written: dict[str, Path], chromium: Any, make_finding: Any, make_run: Any) -> dict[str, Page]:
    place = written["history"].parent / "night"
    readings = [reading(name) for name in ("T1/b", LONG, "L1/x")]
    findings = [make_finding(each["id"]) for each in readings]
    row = history()["runs"][0]
    record = night(*readings, damage=[{"where": "a/" * 80, "what": "torn"}])
    path = write_report(place, findings, make_run(), pd.DataFrame(EMPTY), night=record, earlier=[row] * 5)
    return {"history": Page(chromium, written["history"]), "night": Page(chromium, path)}


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("name", ["history", "night"])
def test_it_is_quiet_and_fits(pages: dict[str, Page], name: str, width: int) -> None:
    page = pages[name]
    page.media()
    page.size(width)
    page.open()
    assert page.driver.get_log("browser") == []
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_readings_are_filtered_by_whether_they_changed(pages: dict[str, Page]) -> None:
    page = pages["history"]
    page.size(1200)
    page.open()
    page.run(
        "const choice = document.getElementById('filter-verdict'); choice.value = 'changed=yes';"
        "choice.dispatchEvent(new Event('change'))"
    )
    shown = "return [...document.querySelectorAll('#scorecard-table tbody tr')].filter(row => row.offsetHeight).map(r => r.id)"
    assert len(page.run(shown)) == 1
    assert page.run("return document.querySelectorAll('.strip')[1].querySelectorAll('.is-falsified').length") == 10
    assert page.run("return document.querySelectorAll('.strip')[2].querySelectorAll('rect').length") == 29
    heights = (
        "return ['survived', 'falsified'].map(v => document.querySelectorAll('.strip')[1].querySelector('.is-' + v)"
    )
    assert page.run(heights + ".getAttribute('height'))") == ["8", "16"]  # told apart without colour
