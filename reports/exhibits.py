"""Figures of the paper drawn again: two panels side by side, a table of slopes, and the sentences of the record.

Everything that is said is in the record (``exhibits.json``); here it becomes points, bounds and labels of two drawings.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reports.figures import COLOURS, json_block, log_bounds, log_ticks, rounded
from reports.words import number, show_index, show_number

EXHIBIT_TABLE = "exhibits.csv"
_LOCAL = "local_slope"


def exhibit_view(exhibit: Mapping[str, Any], slug: str) -> dict[str, Any]:
    """One exhibit with what the template needs: panels with two figures each, legends, rows of slopes."""
    panels = [_panel(panel, f"{slug}-{place}") for place, panel in enumerate(exhibit.get("panels") or ())]
    return {
        "slug": slug,
        "id": str(exhibit.get("id") or ""),
        "text": str(exhibit.get("text") or ""),
        "message": str(exhibit.get("message") or ""),
        "replicates": exhibit.get("replicates"),
        "simulated": any(entry["simulated"] for panel in panels for entry in panel["legend"]),
        "panels": panels,
    }


def exhibits_csv(exhibits: Sequence[Mapping[str, Any]]) -> str:
    """Every point of the exhibits as CSV: the equivalent, and simulated risks with their standard errors."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["id", "panel", "series", "kind", "n", "risk", "stderr"])
    for exhibit in exhibits:
        for panel in exhibit.get("panels") or ():
            for series in panel.get("series") or ():
                for kind in ("equivalent", "simulated"):
                    points = series.get(kind) or {}
                    errors = points.get("stderr") or [""] * len(points.get("n") or ())
                    for n, risk, stderr in zip(points.get("n") or (), points.get("risk") or (), errors, strict=False):
                        table.writerow(
                            [exhibit.get("id"), panel.get("title"), series.get("label"), kind, n, risk, stderr]
                        )
    return stream.getvalue()


def _panel(panel: Mapping[str, Any], slug: str) -> dict[str, Any]:
    series = [each for each in panel.get("series") or () if isinstance(each, Mapping)]
    claimed = next((value for each in series if (value := number(each.get("claimed"))) is not None), None)
    variable = str(panel.get("variable") or "n")
    figures = [_risk_figure(series, claimed, variable), _slope_figure(series, claimed, variable)]
    return {
        "title": str(panel.get("title") or ""),
        "text": str(panel.get("text") or ""),
        "findings": [str(finding) for finding in panel.get("findings") or ()],
        "figures": [
            {
                **figure,
                "slug": f"{slug}-{figure['kind']}",
                "block": json_block({k: figure[k] for k in ("kind", "rows", "signals")}),
            }
            for figure in figures
            if figure
        ],
        "legend": [
            {
                "colour": place % COLOURS,
                "label": str(each.get("label") or ""),
                "describe": str(each.get("describe") or ""),
                "simulated": bool(each.get("simulated")),
            }
            for place, each in enumerate(series)
        ],
        "crossovers": any(_crossovers(series)),
        "claimed": claimed,
        "slopes": [
            {
                "colour": place % COLOURS,
                "label": str(each.get("label") or ""),
                "claimed": each.get("claimed"),
                "rows": rows,
            }
            for place, each in enumerate(series)
            if (rows := [row for row in each.get("slopes") or () if _measured(row)])
        ],
    }


def _measured(row: Mapping[str, Any]) -> bool:
    return row.get("equivalent") is not None or row.get("simulated") is not None


Point = tuple[float, float]


def _points(columns: Mapping[str, Any] | None, value: str) -> list[Point]:
    """Points (n, value) that a logarithmic axis of n can show."""
    pairs = zip((columns or {}).get("n") or (), (columns or {}).get(value) or (), strict=False)
    found = [(number(n), number(y)) for n, y in pairs]
    return [(n, y) for n, y in found if n is not None and y is not None and n > 0.0]


def _row(kind: str, place: int, points: Sequence[Point], **more: Any) -> dict[str, Any]:
    return {
        "s": kind,
        "k": str(place % COLOURS),
        "x": [rounded(n) for n, _ in points],
        "y": [rounded(y) for _, y in points],
        **more,
    }


def _crossovers(series: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, float, Any]]:
    """The place of each curve with a crossover, the sample size at which it ends, and log10 of the index."""
    for place, each in enumerate(series):
        crossover = each.get("crossover") or {}
        log10_n = number(crossover.get("log10_n"))
        if log10_n is not None and abs(log10_n) < 300.0:
            yield place, 10.0**log10_n, crossover.get("log10_index")


def _marks(series: Sequence[Mapping[str, Any]], low: float, high: float) -> list[dict[str, Any]]:
    """A vertical rule where the crossover of a curve ends, if the panel reaches so far, with the index beside it: on the side with
    more room.
    """
    middle = math.sqrt(low) * math.sqrt(high)
    return [
        _row("m" if n > middle else "n", place, [(n, 0.0)], t=f"i* ≈ {show_index(index)}")
        for place, n, index in _crossovers(series)
        if low <= n <= high
    ]


def _risk_figure(series: Sequence[Mapping[str, Any]], claimed: float | None, variable: str) -> dict[str, Any] | None:
    curves = [[p for p in _points(each.get("equivalent"), "risk") if p[1] > 0.0] for each in series]
    clouds = [[p for p in _points(each.get("simulated"), "risk") if p[1] > 0.0] for each in series]
    drawn = [point for points in (*curves, *clouds) for point in points]
    if not drawn:
        return None
    x_min, x_max = log_bounds([n for n, _ in drawn], 0.02)
    y_min, y_max = log_bounds([y for _, y in drawn], 0.06)
    rows = [_row("e", place, points) for place, points in enumerate(curves) if points]
    for place, (each, points) in enumerate(zip(series, clouds, strict=True)):
        if points:
            errors = {n: error for n, error in _points(each.get("simulated"), "stderr")}
            half = [1.96 * errors.get(n, 0.0) for n, _ in points]
            low = [rounded(max(y - h, y_min)) for (_, y), h in zip(points, half, strict=True)]
            high = [rounded(y + h) for (_, y), h in zip(points, half, strict=True)]
            rows.append(_row("s", place, points, lo=low, hi=high))
    guided = next(
        (points for each, points in zip(series, curves, strict=True) if points and each.get("claimed") is not None), []
    )
    if guided and claimed is not None:
        rows.append(_row("g", 0, _line(guided, claimed)))
    return {
        "kind": "panel",
        "rows": rows + _marks(series, x_min, x_max),
        "signals": {
            "x_min": x_min, "x_max": x_max, "x_ticks": log_ticks(x_min, x_max), "y_min": y_min, "y_max": y_max,
            "y_ticks": log_ticks(y_min, y_max), "x_title": variable, "y_title": "excess risk",
        },
        "label": f"excess risk against {variable}, both on log scales, {_of(series)}",
    }  # fmt: skip


def _line(points: Sequence[Point], exponent: float, steps: int = 24) -> list[Point]:
    """The power law of that exponent through the last point, over the range of the points."""
    (start, _), (end, last) = points[0], points[-1]
    found = []
    for step in range(steps + 1):
        n = start * (end / start) ** (step / steps)
        value = math.log10(last) - exponent * math.log10(n / end)
        if abs(value) < 300:
            found.append((n, 10.0**value))
    return found


def _slope_figure(series: Sequence[Mapping[str, Any]], claimed: float | None, variable: str) -> dict[str, Any] | None:
    curves = [_points(each.get(_LOCAL), "slope") for each in series]
    drawn = [point for points in curves for point in points]
    if not drawn:
        return None
    x_min, x_max = log_bounds([n for n, _ in drawn], 0.02)
    values = [y for _, y in drawn] + ([claimed] if claimed is not None else [])
    low, high = min(values), max(values)
    pad = max(0.08 * (high - low), 0.025 - (high - low) / 2)
    rows = [_row("l", place, points) for place, points in enumerate(curves) if points]
    if claimed is not None:
        rows.append(_row("p", 0, [(x_min, claimed), (x_max, claimed)]))
    return {
        "kind": "panel-slope",
        "rows": rows + _marks(series, x_min, x_max),
        "signals": {
            "x_min": x_min, "x_max": x_max, "x_ticks": log_ticks(x_min, x_max),
            "y_min": low - pad, "y_max": high + pad, "x_title": variable, "y_title": "local slope",
        },
        "label": f"local slope against {variable}, {_of(series)}",
    }  # fmt: skip


def _of(series: Sequence[Mapping[str, Any]]) -> str:
    count = len(series)
    return f"{show_number(count)} curve{'' if count == 1 else 's'}: " + ", ".join(
        str(each.get("label")) for each in series
    )
