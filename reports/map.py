"""The map of a reading as a figure with its numbers: one HTML file and one CSV, made from the record of ``verifier map`` alone.

The page has no script and loads nothing. What holds, fails and is undecided differs by colour and by shape.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup, escape

from reports.figures import FONT, LOG_LABEL, log_ticks
from reports.words import plain_symbols, show_seconds, symbols
from verifier.records import write_text

STATUSES = ("holds", "fails", "undecided")
_COLOURS = ("#2166ac", "#c2570c", "#6b6b6b")  # told apart by the colour-blind, and in grey by the shapes
_SHAPES = ("circle", "cross", "diamond")
_INK, _BAND = "#1b1b1b", "#8a6d00"
_COLUMNS = (
    "x", "y", "status", "consistent", "inconclusive", "out_of_scope", "missing", "score", "gap", "tolerance", "confirmed",
    "describe", "reason",
)  # fmt: skip
CAPTION = "Line: the boundary. Band: its interval."
_MARGIN = 0.04  # of the range, on both sides of it

Row = dict[str, Any]


def write_map(path: Path, record: Mapping[str, Any]) -> Path:
    """Write the page of a map; ValueError unless ``path`` ends in .html."""
    if path.suffix.lower() != ".html":
        raise ValueError(f"{path}: the figure of a map is written as .html, not {path.suffix or 'without a suffix'!r}")
    return write_text(path, map_page(record, map_svg(record)))


def write_map_csv(path: Path, record: Mapping[str, Any]) -> Path:
    """Write the points and, after them, the boundaries (kind "boundary", with ``low`` and ``high``) as one CSV table."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(("kind", record["x"], record.get("y", "y"), *_COLUMNS[2:], "low", "high"))
    for point in record["points"]:
        table.writerow(("point", *(_cell(point[name]) for name in _COLUMNS), "", ""))
    for one in record["boundaries"]:
        cells = {"x": one["boundary"], "y": one["y"], "status": one["method"], "confirmed": one["confirmed"]}
        cells |= {"describe": one["describe"], "reason": one["text"]}
        table.writerow(("boundary", *(_cell(cells.get(name)) for name in _COLUMNS), *map(_cell, one["interval"])))
    return write_text(path, stream.getvalue())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value) if isinstance(value, float) else str(value)


# ----------------------------------------------------------------------------------------------------- figure


def map_svg(record: Mapping[str, Any]) -> str:
    """The figure as one SVG: over one parameter the largest gap at each point, over two the plane with the boundary."""
    chart = _plane(record) if "y" in record else _line(record)
    config = {
        "background": "white",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "gridDash": [1, 3]},
        "legend": {"labelFontSize": 12, "symbolSize": 70},
    }
    drawing: str = vl_convert.vegalite_to_svg({**chart.to_dict(), "config": config})
    return drawing


def _bounds(
    span: Sequence[float], logarithmic: bool, boundaries: Sequence[Mapping[str, Any]] = ()
) -> tuple[float, float]:
    """Ends of an axis: the range with a margin, and with room for intervals that reach beyond it, up to a fifth."""
    low, high = span
    ends = [end for one in boundaries for end in one["interval"]]
    if not logarithmic and ends:
        room = 0.2 * (high - low)
        low, high = max(min([low, *ends]), low - room), min(max([high, *ends]), high + room)
    if logarithmic:
        pad = (high / low) ** _MARGIN
        return low / pad, high * pad
    pad = _MARGIN * (high - low)
    return low - pad, high + pad


def _axis(kind: type[Any], name: str, title: str, ends: tuple[float, float], logarithmic: bool) -> Any:
    """An x or y channel over a range, in the logarithm where the map walked in it."""
    if logarithmic:
        scale = alt.Scale(type="log", domain=list(ends), nice=False)
        return kind(f"{name}:Q", scale=scale, axis=alt.Axis(title=title, values=log_ticks(*ends), labelExpr=LOG_LABEL))
    return kind(f"{name}:Q", scale=alt.Scale(domain=list(ends), nice=False, zero=False), axis=alt.Axis(title=title))


def _statuses(base: Any) -> Any:
    """Points by status: colour, shape and legend."""
    legend = alt.Legend(title=None, orient="top")
    domain = list(STATUSES)
    return base.mark_point(size=52, strokeWidth=1.75, filled=False, opacity=0.95, clip=True).encode(
        color=alt.Color("status:N", scale=alt.Scale(domain=domain, range=list(_COLOURS)), legend=legend),
        shape=alt.Shape("status:N", scale=alt.Scale(domain=domain, range=list(_SHAPES)), legend=legend),
    )


def _clipped(one: Mapping[str, Any], ends: tuple[float, float]) -> Row:
    low, high = (min(max(end, ends[0]), ends[1]) for end in one["interval"])
    return {
        "low": low,
        "high": high,
        "at": one["boundary"],
        "y": one["y"],
        "inside": ends[0] <= one["boundary"] <= ends[1],
    }


def _data(rows: Sequence[Row]) -> Any:
    return alt.Chart(alt.InlineData(values=list(rows)))


def _height(point: Mapping[str, Any], by_exponent: bool) -> float | None:
    """Distance between measured and claimed exponent, counted towards a violation; the score where no exponent decides."""
    if point["score"] is None:
        return None
    if not by_exponent or point["tolerance"] is None:
        return float(point["score"])
    return float((point["score"] + 1.0) * point["tolerance"])


def _line(record: Mapping[str, Any]) -> Any:
    ends = _bounds(record["range"], record["logarithmic"], record["boundaries"])
    name = plain_symbols(record["x"])
    # One scale for all points: where a violation rests on something else, the distance to it is what they share.
    by_exponent = all(point["gap"] is not None for point in record["points"] if point["score"] is not None)
    tolerances = sorted(p["tolerance"] for p in record["points"] if p["tolerance"] is not None)
    usual = tolerances[len(tolerances) // 2] if tolerances and by_exponent else 0.0
    heights = [_height(point, by_exponent) for point in record["points"]]
    least = -3.0 * usual if by_exponent else -1.0  # far below a violation is all the same
    rows = [
        {"x": point["x"], "height": max(least, height or 0.0), "status": point["status"]}
        for point, height in zip(record["points"], heights, strict=True)
    ]
    top = max([row["height"] for row in rows] + [2.0 * (usual or 0.5)])
    low, high = min([row["height"] for row in rows] + [0.0]), top
    pad = 0.06 * (high - low)
    title = (
        "largest distance between measured and claimed exponent" if by_exponent else "closest to a violation (above 0)"
    )
    x = _axis(alt.X, "x", name, ends, record["logarithmic"])
    y = alt.Y("height:Q", scale=alt.Scale(domain=[low - pad, high + pad], nice=False), axis=alt.Axis(title=title))
    found = [_clipped(one, ends) for one in record["boundaries"]]
    layers = [
        _data(found).mark_rect(fill=_BAND, fillOpacity=0.16, clip=True).encode(
            x=_axis(alt.X, "low", name, ends, record["logarithmic"]), x2="high:Q"
        ),
        _data([one for one in found if one["inside"]]).mark_rule(stroke=_BAND, strokeWidth=1.75, clip=True).encode(
            x=_axis(alt.X, "at", name, ends, record["logarithmic"])
        ),
        _statuses(_data(rows).encode(x=x, y=y)),
    ]  # fmt: skip
    words = "tolerance: beyond it a violation is visible" if by_exponent else "a violation from here on"
    left = _fewer_left(rows, ends)
    text = [{"height": usual, "text": words, "x": ends[0] if left else ends[1]}]
    layers.insert(2, _data(text).mark_rule(stroke=_INK, strokeDash=[6, 4], strokeWidth=1).encode(y=y))
    label = _data(text).mark_text(
        baseline="bottom", dy=-3, fontSize=11, fill=_INK, align="left" if left else "right", dx=6 if left else -6
    )
    layers.append(label.encode(x=x, y=y, text="text:N"))
    return alt.layer(*layers).properties(width=860, height=340)


def _fewer_left(rows: Sequence[Row], ends: tuple[float, float]) -> bool:
    """Whether the left half of the drawing has fewer failing points, which stand where a label would."""
    middle = 0.5 * (ends[0] + ends[1])
    failing = [float(row["x"]) for row in rows if row["status"] == "fails"]
    return 2 * sum(x < middle for x in failing) <= len(failing)


def _plane(record: Mapping[str, Any]) -> Any:
    ends = _bounds(record["range"], record["logarithmic"], record["boundaries"])
    sides = _bounds(record["y_range"], record["y_logarithmic"])
    x_name, y_name = plain_symbols(record["x"]), plain_symbols(record["y"])

    def across(name: str) -> Any:
        return _axis(alt.X, name, x_name, ends, record["logarithmic"])

    y = _axis(alt.Y, "y", y_name, sides, record["y_logarithmic"])
    rows = [{name: point[name] for name in ("x", "y", "status")} for point in record["points"]]
    layers: list[Any] = []
    for run in _runs(record["curve"], ends[1] - ends[0]):
        found = [_clipped(one, ends) for one in run]
        base = _data(found).encode(y=y)
        if len(found) > 1:
            layers += [
                base.mark_area(fill=_BAND, fillOpacity=0.16, orient="horizontal", clip=True).encode(
                    x=across("low"), x2="high:Q"
                ),
                base.mark_line(stroke=_BAND, strokeWidth=1.75, orient="horizontal", clip=True).encode(
                    x=across("at"), order="y:Q"
                ),
            ]
        layers.append(base.mark_rule(stroke=_BAND, strokeWidth=1.75, clip=True).encode(x=across("low"), x2="high:Q"))
        layers.append(
            base.mark_tick(color=_BAND, thickness=2.5, size=11, orient="vertical", clip=True).encode(x=across("at"))
        )
    layers.append(_statuses(_data(rows).encode(x=across("x"), y=y)))
    return alt.layer(*layers).properties(width=860, height=420)


def _runs(curve: Sequence[Mapping[str, Any]], width: float) -> list[list[Mapping[str, Any]]]:
    """Boundaries to be joined by a curve, from one y to the next: those that hold on the same side, by rank where there are as
    many of them, else the nearest within a sixth of ``width``.
    """
    runs: list[list[Mapping[str, Any]]] = []
    before: list[list[Mapping[str, Any]]] = []
    for line in curve:
        here: list[list[Mapping[str, Any]]] = []
        for side in (True, False):
            ours = [one for one in line["boundaries"] if _holds_left(one) is side]
            theirs = [run for run in before if _holds_left(run[-1]) is side]
            by_rank = len(ours) == len(theirs)
            for one in ours:
                near = (
                    theirs[:1]
                    if by_rank
                    else sorted(theirs, key=lambda run: abs(run[-1]["boundary"] - one["boundary"]))
                )
                if near and (by_rank or abs(near[0][-1]["boundary"] - one["boundary"]) < width / 6.0):
                    theirs.remove(near[0])
                    near[0].append(one)
                    here.append(near[0])
                else:
                    here.append([one])
                    runs.append(here[-1])
        before = here
    return runs


def _holds_left(boundary: Mapping[str, Any]) -> bool:
    return float(boundary["holds"]) < float(boundary["fails"])


# ------------------------------------------------------------------------------------------------------- page


def summary(record: Mapping[str, Any]) -> str:
    """One sentence on what the map found, for the page and its figure."""
    counts = {status: sum(p["status"] == status for p in record["points"]) for status in STATUSES}
    words = ", ".join(f"{counts[s]} {w}" for s, w in zip(STATUSES, ("hold", "fail", "are undecided"), strict=True))
    kinds = f"{len(record['boundaries'])} boundar{'y' if len(record['boundaries']) == 1 else 'ies'}"
    return f"{len(record['points'])} points: {words}; {kinds}; {record['judgements']} judgements"


def map_page(record: Mapping[str, Any], drawing: str) -> str:
    """The figure with its numbers as one HTML file."""
    two = "y" in record
    x, y = plain_symbols(record["x"]), plain_symbols(record.get("y"))
    fixed = ", ".join(f"{plain_symbols(name)} = {value:g}" for name, value in record["fixed"].items())
    over = f"over {x} and {y}" if two else f"along {x}"
    title = f"{record['id']} {over}" + (f", {fixed}" if fixed else "")
    head = ([y] if two else []) + [
        "boundary",
        "interval",
        "holds at",
        "fails at",
        "confirmed",
        "how, and by which violation",
    ]
    boundaries = _row(*head, cell="th") + "".join(
        _row(
            *([f"{one['y']:.4g}"] if two else []),
            f"{one['boundary']:.4g}",
            f"{one['interval'][0]:.4g} to {one['interval'][1]:.4g}",
            f"{one['holds']:.5g}",
            f"{one['fails']:.5g}",
            "yes" if one["confirmed"] else "no",
            _words(f"{one['text']}. Violated by: {one['describe']}"),
        )
        for one in record["boundaries"]
    )
    if not record["boundaries"]:
        boundaries = _row("no boundary was found in the range")
    points = _row(*([y] if two else []), x, "status", "draws that agreed", "closest or violated", "why", cell="th")
    points += "".join(
        _row(
            *([f"{p['y']:.5g}"] if two else []),
            f"{p['x']:.5g}",
            p["status"] + (", confirmed" if p["confirmed"] else ""),
            p["consistent"],
            _words(p["describe"]),
            _words(p["reason"]),
        )
        for p in record["points"]
    )
    notes = [
        f"A point holds when {record['draws']} draws or more were judged there and none was violated: with probability .95 "
        f"fewer than {100 * record['missed']:.2g} % of the draws would be.",
        "A point fails when an instance is violated; next to a boundary that was confirmed on fresh randomness, at level "
        f"{record['level']:.2g} each ({record['confirmations']} in all).",
        "An exponent that is wrong by less than the tolerance is not noticed. Where the gap shrinks towards a boundary it was "
        "continued to zero: so the boundary lies on the side that seems to hold, and the interval takes in where the gap "
        "cannot be told from none.",
        *record["notes"],
    ]
    if record["interrupted"]:
        notes.insert(0, "The map was interrupted: this is what had been found.")
    label = f"Map of {title}. {summary(record)}"
    return str(
        Markup(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            "<title>{title}</title><style>"
            "body{{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;"
            "background:#fff}}"
            "figure{{margin:1rem 0}}svg{{max-width:100%;height:auto}}.wide{{overflow-x:auto}}"
            "table{{border-collapse:collapse;margin:1rem 0;font-size:.9rem}}"
            "td,th{{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid #ddd}}"
            "summary{{cursor:pointer}}footer{{color:#595959;font-size:.85rem}}</style></head><body>"
            "<h1>{title}</h1>\n<p>{what}</p>\n<p>{summary}</p>\n"
            '<figure role="img" aria-label="{label}">{drawing}</figure>\n<p>{caption}</p>\n'
            '<h2>Boundary</h2>\n<div class="wide"><table>{boundaries}</table></div>\n<ul>{notes}</ul>\n'
            '<details><summary>All points</summary><div class="wide"><table>{points}</table></div></details>\n'
            "<footer>seed {seed}, {seconds}, verifier {version}</footer></body></html>\n"
        ).format(
            title=title,
            what=_words(record["title"]),
            caption=CAPTION,
            summary=summary(record),
            label=label,
            drawing=Markup(drawing),
            boundaries=Markup(boundaries),
            notes=Markup("").join(Markup("<li>{}</li>").format(_words(note)) for note in notes),
            points=Markup(points),
            seed=record["seed"],
            seconds=show_seconds(record["seconds"]),
            version=record["version"],
        )
    )


def _words(text: Any) -> Markup:
    """Text with its symbols set as mathematics."""
    return symbols(str(text or "").replace("+-", "±"))


def _row(*cells: object, cell: str = "td") -> str:
    return "<tr>" + "".join(f"<{cell}>{escape(each)}</{cell}>" for each in cells) + "</tr>"
