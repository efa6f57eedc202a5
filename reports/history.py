"""The page of many runs: what each reading came to, night after night, and how much was searched for it.

Made from the plain record of :func:`verifier.history.history_record`; the figure is drawn when the page is made, so that the page
asks for nothing. Verdicts differ by colour and by shape, as on the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

from reports.figures import FONT, LOG_LABEL, log_bounds, log_ticks
from reports.page import (
    agreement,
    counts_of,
    rendered,
    sentence_of,
    slugs_of,
    verdict_of,
)
from reports.words import show_date
from verifier.records import write_text

_KINDS = (("SURVIVED", "#17603a"), ("FALSIFIED", "#9b1c1c"), ("UNDECIDED", "#b98a1b"), ("ERROR", "#65298a"))
_LINES = (("examples so far", "#1c5a96"), ("behaviours in this run", "#b3541e"))
COLUMNS = (
    "Reading",
    "Run by run",
    "Verdict",
    "Agrees",
    "Examples",
    "Instances",
    "Behaviours",
    "Nearest",
    "Power",
    "Time",
)
_CHANGES = 3  # of the verdict of one reading that are told in words, the last ones
NUMBERS = ("Verdict", "Examples", "Instances", "Behaviours", "Nearest", "Power", "Time")


def write_history(path: Path, record: Mapping[str, Any]) -> Path:
    """Write the page, whole or not at all, and return its path; RecordError where that fails."""
    return write_text(path, history_page(record))


def history_page(record: Mapping[str, Any]) -> str:
    """The page as one string of HTML."""
    readings = [_reading(reading, len(record["runs"])) for reading in record["readings"]]
    for reading, slug in zip(readings, slugs_of([reading["id"] for reading in readings]), strict=True):
        reading["slug"] = slug
    return rendered(
        "history.html",
        (),
        runs=record["runs"],
        readings=readings,
        skipped=record["skipped"],
        version=record["version"],
        summary={
            "counts": counts_of(readings),
            "sentence": sentence_of(readings),
            "differ": [reading for reading in readings if reading["agreement"] == "differs"],
            "changed": [reading for reading in readings if reading["changes"]],
        },
        columns=COLUMNS,
        numbers=NUMBERS,
        figures=history_figures(record["runs"]) if len(record["runs"]) > 1 else [],
        home="",
    )


def _reading(reading: Mapping[str, Any], runs: int) -> dict[str, Any]:
    """One reading as the template needs it: a cell for every run, also those that did not judge it."""
    cells: list[dict[str, Any] | None] = [None] * runs
    for point in reading["points"]:
        verdict = verdict_of(point["verdict"])
        cells[point["place"]] = {"verdict": verdict, "text": f"{show_date(point['started'])}: {verdict.name}"}
    last = reading["last"]
    behaviours = [point["distinct"] for point in reading["points"] if point["distinct"] is not None]
    nearest = [point["nearest"] for point in reading["points"] if point["nearest"] is not None]
    counted = counts_of([{"verdict": verdict_of(point["verdict"])} for point in reading["points"]])
    return {
        **last,
        "id": reading["id"],
        "verdict": verdict_of(last["verdict"]),
        "agreement": agreement(last),
        "cells": cells,
        "behaviours": max(behaviours, default=None),
        "nearest_of_all": min(nearest, default=None),
        "changes": [
            f"{show_date(change['started']).split(',')[0]}: {change['from'].lower()} became {change['to'].lower()}"
            for change in reading["changes"][-_CHANGES:]
        ],
        "more_changes": len(reading["changes"][:-_CHANGES]),
        "label": f"of {runs} runs: " + ", ".join(f"{count} {verdict.word}" for verdict, count in counted),
    }


def history_figures(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Two figures over the runs in their order, as SVG with a title: the readings by verdict, and what was searched."""
    return [
        {"title": "Readings by verdict", "drawing": _svg(_verdicts(runs))},
        {"title": "Examples drawn, and distinct behaviours reached", "drawing": _svg(_searched(runs))},
    ]


def _svg(chart: Any) -> Markup:
    config = {
        "background": "white",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "gridDash": [1, 3]},
        "legend": {"labelFontSize": 12},
    }
    return Markup(vl_convert.vegalite_to_svg({**chart.to_dict(), "config": config}))


def _across(runs: Sequence[Mapping[str, Any]]) -> Any:
    step = max(1, -(-len(runs) // 8))
    return alt.X(
        "run:O",
        axis=alt.Axis(title="run, the earliest first", labelAngle=0, values=list(range(1, len(runs) + 1, step))),
    )


def _verdicts(runs: Sequence[Mapping[str, Any]]) -> Any:
    rows = [
        {"run": place, "verdict": name, "readings": run["errors" if name == "ERROR" else name.lower()], "order": order}
        for place, run in enumerate(runs, start=1)
        for order, (name, _) in enumerate(_KINDS)
    ]
    names, colours = (list(column) for column in zip(*_KINDS, strict=True))
    base = alt.Chart(alt.InlineData(values=rows))
    return base.mark_bar().encode(
        x=_across(runs),
        y=alt.Y("readings:Q", axis=alt.Axis(title="readings by verdict", tickMinStep=1)),
        color=alt.Color("verdict:N", scale=alt.Scale(domain=names, range=colours), legend=_legend()),
        order="order:Q",
    ).properties(width=390, height=190)  # fmt: skip


def _searched(runs: Sequence[Mapping[str, Any]]) -> Any:
    rows: list[dict[str, Any]] = []
    total = 0
    for place, run in enumerate(runs, start=1):
        total += run["examples"]
        rows.append({"run": place, "what": _LINES[0][0], "count": total})
        if run["distinct"] is not None:
            rows.append({"run": place, "what": _LINES[1][0], "count": run["distinct"]})
    shown = [row for row in rows if row["count"] > 0]  # the axis is logarithmic: nothing searched is not drawn
    names, colours = (list(column) for column in zip(*_LINES, strict=True))
    low, high = log_bounds([row["count"] for row in shown] or [1.0], 0.06)
    x, scale = _across(runs), alt.Scale(type="log", domain=[low, high], nice=False)
    axis = alt.Axis(title="number", values=log_ticks(low, high), labelExpr=LOG_LABEL)
    base = alt.Chart(alt.InlineData(values=shown)).encode(
        x=x,
        y=alt.Y("count:Q", scale=scale, axis=axis),
        color=alt.Color("what:N", scale=alt.Scale(domain=names, range=colours), legend=_legend()),
        shape=alt.Shape("what:N", scale=alt.Scale(domain=names, range=["circle", "diamond"]), legend=_legend()),
    )
    return alt.layer(base.mark_line(strokeWidth=1.75), base.mark_point(filled=True, size=34, opacity=1)).properties(
        width=390, height=190
    )


def _legend() -> Any:
    return alt.Legend(title=None, orient="top", columnPadding=16)
