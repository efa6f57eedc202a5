"""A measured learning curve as a figure: one SVG, or one HTML file that holds it with its numbers.

Made from the record of ``verifier fit`` alone. The HTML file has no script and loads nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup, escape

from reports.figures import FONT, LOG_LABEL, log_bounds, log_ticks
from verifier.records import write_text

SUFFIXES = (".html", ".svg")
_MEASURED, _LINE, _CURVE = "#1b1b1b", "#b5521b", "#2b6cb0"
_STEPS = 60


def write_fit_figure(path: Path, record: Mapping[str, Any]) -> Path:
    """Write the figure of a fit as SVG or HTML, as the suffix of ``path`` says; ValueError for any other suffix."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{path}: a figure is written as {' or '.join(SUFFIXES)}, not {suffix or 'without a suffix'!r}"
        )
    drawing = fit_svg(record)
    return write_text(path, drawing if suffix == ".svg" else fit_page(record, drawing))


def fit_svg(record: Mapping[str, Any]) -> str:
    """The curve with its fits, and beside it the local exponents, as one SVG."""
    chart = alt.hconcat(_curve(record), _local(record)).resolve_scale(color="independent")
    config = {
        "background": "white",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "gridDash": [1, 3]},
    }
    drawing: str = vl_convert.vegalite_to_svg({**chart.to_dict(), "config": config})
    return drawing


def _log_axis(title: str, low: float, high: float) -> dict[str, Any]:
    return {
        "scale": alt.Scale(type="log", domain=[low, high], nice=False),
        "axis": alt.Axis(title=title, values=log_ticks(low, high), labelExpr=LOG_LABEL),
    }


def _curve(record: Mapping[str, Any]) -> Any:
    points = record["points"]
    half = 1.959963984540054
    measured = [
        {
            "n": p["n"],
            "risk": p["risk"],
            "low": p["risk"] - half * p["stderr"] if p["stderr"] else p["risk"],
            "high": p["risk"] + half * p["stderr"] if p["stderr"] else p["risk"],
        }
        for p in points
    ]
    x_low, x_high = log_bounds([p["n"] for p in points], 0.06)
    fits = _fits(record, x_low, x_high)
    heights = [row[name] for row in measured for name in ("risk", "low", "high")] + [row["risk"] for row in fits]
    smallest = min(p["risk"] for p in points)
    y_low, y_high = log_bounds([h for h in heights if smallest / 100.0 < h], 0.06)
    for row in measured:
        row["low"] = max(row["low"], y_low)  # an error bar that reaches below zero ends at the edge of the drawing
    x, y = alt.X("n:Q", **_log_axis("n", x_low, x_high)), alt.Y("risk:Q", **_log_axis("risk", y_low, y_high))
    base = alt.Chart(alt.InlineData(values=measured)).encode(x=x, y=y)
    lines = (
        alt.Chart(alt.InlineData(values=fits))
        .mark_line(strokeWidth=1.75, clip=True)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "fit:N",
                scale=alt.Scale(domain=["n^-a", "n^-a (1 + B n^-w)"], range=[_LINE, _CURVE]),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
        )
    )
    bars = base.mark_rule(stroke=_MEASURED, clip=True).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q"))
    dots = base.mark_point(filled=True, fill=_MEASURED, size=36, opacity=1, clip=True)
    title = f"exponent {record['exponent']:.4g}" + _in_brackets(record["interval"])
    return alt.layer(lines, bars, dots).properties(width=380, height=280, title=title)


def _fits(record: Mapping[str, Any], low: float, high: float) -> list[dict[str, Any]]:
    """Points of the fitted curves between two sample sizes, drawn in one order."""
    grid = [low * (high / low) ** (step / _STEPS) for step in range(_STEPS + 1)]
    rows: list[dict[str, Any]] = []

    def add(name: str, amplitude: float | None, exponent: float, size: float = 0.0, power: float = 0.0) -> None:
        for n in grid if amplitude is not None and amplitude > 0.0 else []:
            factor = 1.0 + size * n**-power
            exponents = math.log10(amplitude or 1.0) - exponent * math.log10(n)
            if factor > 0.0 and abs(exponents) < 290.0:
                rows.append({"fit": name, "n": n, "risk": 10.0**exponents * factor})

    add("n^-a", record["amplitude"], record["exponent"])
    if (correction := record["correction"]) is not None:
        add(
            "n^-a (1 + B n^-w)",
            correction["amplitude"],
            correction["exponent"],
            correction["B"],
            correction["w"],
        )
    return [row for row in rows if math.isfinite(row["risk"]) and row["risk"] > 0.0]


def _local(record: Mapping[str, Any]) -> Any:
    rows = [
        {
            "n": one["n"],
            "exponent": one["exponent"],
            "low": one["interval"][0] if one["interval"] else one["exponent"],
            "high": one["interval"][1] if one["interval"] else one["exponent"],
        }
        for one in record["local"]
    ]
    x_low, x_high = log_bounds([p["n"] for p in record["points"]], 0.06)
    ends = record["interval"] or [record["exponent"], record["exponent"]]
    values = [row["exponent"] for row in rows] + list(ends)
    room = max(max(values) - min(values), 0.05)
    low = max(min([*values, *(row["low"] for row in rows)]), min(values) - room)
    high = min(max([*values, *(row["high"] for row in rows)]), max(values) + room)
    pad = 0.06 * (high - low)
    x = alt.X("n:Q", **_log_axis("n", x_low, x_high))
    scale = alt.Scale(domain=[low - pad, high + pad], nice=False, zero=False)
    fitted = alt.Chart(
        alt.InlineData(
            values=[{"n": n, "exponent": record["exponent"], "low": ends[0], "high": ends[1]} for n in (x_low, x_high)]
        )
    ).encode(x=x)
    y = alt.Y("exponent:Q", scale=scale, axis=alt.Axis(title="local exponent"))
    band = fitted.mark_area(fill=_LINE, fillOpacity=0.15, clip=True).encode(
        y=alt.Y("low:Q", scale=scale), y2=alt.Y2("high:Q")
    )
    rule = fitted.mark_line(stroke=_LINE, strokeWidth=1.75, clip=True).encode(y=y)
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    bars = base.mark_rule(stroke=_MEASURED, clip=True).encode(y=alt.Y("low:Q", scale=scale), y2=alt.Y2("high:Q"))
    dots = base.mark_point(filled=True, fill=_MEASURED, size=36, opacity=1, clip=True).encode(y=y)
    return alt.layer(band, rule, bars, dots).properties(width=280, height=280, title="between neighbouring n")


def _in_brackets(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f" [{ends[0]:.4g}, {ends[1]:.4g}]"


def fit_page(record: Mapping[str, Any], drawing: str) -> str:
    """The figure with its numbers as one HTML file."""
    points = "".join(
        _row(f"{p['n']:.12g}", f"{p['risk']:.6g}", "" if p["stderr"] is None else f"{p['stderr']:.2g}", p["replicates"])
        for p in record["points"]
    )
    local = "".join(
        _row(f"{one['n']:.4g}", f"{one['exponent']:.4g}", _in_brackets(one["interval"]).strip())
        for one in record["local"]
    )
    correction = record["correction"]
    facts = [
        ("exponent", f"{record['exponent']:.5g}"),
        ("standard error", "none" if record["stderr"] is None else f"{record['stderr']:.2g}"),
        (f"{100 * record['level']:g}% interval", _in_brackets(record["interval"]).strip() or "none"),
        ("rests on", record["basis"]),
        ("lack of fit", "not tested" if record["lack_of_fit"] is None else f"p = {record['lack_of_fit']:.3g}"),
    ]
    if correction is not None:
        facts.append(
            (
                "with a correction, A n^-a (1 + B n^-w)",
                f"a = {correction['exponent']:.4g}{_in_brackets(correction['interval'])}, w = {correction['w']:.3g}, "
                f"B = {correction['B']:.3g}",
            )
        )
    notes = "".join(f"<li>{escape(note)}</li>" for note in record["notes"])
    return str(
        Markup(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>'
            "body{{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}"
            "table{{border-collapse:collapse;margin:1rem 0}}td,th{{padding:.15rem .8rem;text-align:left;"
            "border-bottom:1px solid #ddd}}svg{{max-width:100%;height:auto}}</style></head><body>"
            "<h1>{title}</h1>\n<figure>{drawing}</figure>\n<table>{facts}</table>\n<ul>{notes}</ul>\n"
            "<table><tr><th>n</th><th>risk</th><th>standard error</th><th>replicates</th></tr>{points}</table>\n"
            "<table><tr><th>n</th><th>local exponent</th><th>interval</th></tr>{local}</table>\n"
            "<p>verifier {version}</p></body></html>\n"
        ).format(
            title=f"Learning curve {record['file']}",
            drawing=Markup(drawing),
            facts=Markup("".join(_row(name, value) for name, value in facts)),
            notes=Markup(notes),
            points=Markup(points),
            local=Markup(local),
            version=record["version"],
        )
    )


def _row(*cells: object) -> str:
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"
