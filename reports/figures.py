"""The charts of a page: a few drawings, made once, and the points of each figure.

A figure of one instance is one of two drawings: a learning curve on log-log axes, and its local slope; a panel of several
curves is one of two more of the same kinds. All are written with Altair and compiled to Vega when the page is made, so that the
page carries four drawings and one script however many figures it shows; a figure is only its points, its bounds and its labels.
Colours are CSS variables of the page: one drawing serves the light, the dark and the printed page.
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import altair as alt
import pandas as pd
import vl_convert
from markupsafe import Markup

from reports.words import number, plain_symbols, show_number

POINTS_PER_PAGE = 60_000  # of about 40 bytes each: keeps the page well below 5 MB
POINTS_PER_SERIES = 240
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_LETTERS = {"equivalent": "e", "simulation": "s", "local_slope": "l"}
_RELATIONS = {
    "exponent": "=", "atleast": "≥", "atmost": "≤", "theta": "=", "straightline": "=",
}  # fmt: skip

_DIGITS = "['⁰','¹','²','³','⁴','⁵','⁶','⁷','⁸','⁹']"
_POWER = "abs(round(log(datum.value) / LN10))"
# A power of ten is written as one, any other tick as the number that it is.
LOG_LABEL = (
    f"abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) > 1e-6 || {_POWER} < 3 || {_POWER} > 99 "
    "? format(datum.value, '~g') : '10' + (datum.value < 1 ? '⁻' : '') + "
    f"({_POWER} > 9 ? {_DIGITS}[floor({_POWER} / 10)] : '') + {_DIGITS}[{_POWER} % 10]"
)


def json_block(value: Any) -> Markup:
    """``value`` as JSON that cannot end the script element that holds it, nor break an old parser of
    JavaScript.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


_STYLE = {
    "background": "transparent",
    "padding": 4,
    "view": {"stroke": None},
    "mark": {"aria": False},  # the figure is described as a whole, not point by point
    "axis": {
        "domainColor": "var(--rule-strong)", "tickColor": "var(--rule-strong)", "gridColor": "var(--rule)",
        "labelColor": "var(--ink-soft)", "titleColor": "var(--ink-soft)", "titleFontWeight": "normal",
        "labelFont": FONT, "titleFont": FONT, "labelFontSize": 11, "titleFontSize": 12, "labelOverlap": True,
        "titlePadding": 8, "gridDash": [1, 3],
    },
}  # fmt: skip


@functools.cache
def script() -> str:
    """Vega, Vega-Lite and vega-embed as one classic script that defines ``window.vegaEmbed`` (0.9 MB)."""
    module = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    bundle = f'(() => {{ "use strict"; {module} }})();'
    # Inside a string or a regular expression the escaped form means the same, and it cannot end the element.
    return bundle.replace("</script", "<\\/script").replace("<!--", "\\x3c!--")


@functools.cache
def engine() -> str:
    """:func:`script` as a page carries it: gzip, in base64 (0.4 MB). A browser unpacks it at the first chart."""
    return base64.b64encode(gzip.compress(script().encode(), 9, mtime=0)).decode()


@functools.cache
def drawings() -> Mapping[str, Any]:
    """The drawings as Vega specifications, without points."""
    return {
        "curve": _compiled(_curve()),
        "slope": _compiled(_slope()),
        "panel": _compiled(_panel()),
        "panel-slope": _compiled(_panel_slope()),
    }


def _compiled(chart: alt.LayerChart) -> dict[str, Any]:
    specification: dict[str, Any] = vl_convert.vegalite_to_vega({**chart.to_dict(), "config": _STYLE})
    specification["signals"] += [{"name": "x_title", "value": ""}, {"name": "y_title", "value": ""}]
    for axis in specification["axes"]:
        if "title" in axis:  # Vega-Lite has only constant titles; Vega takes them from a signal
            axis["title"] = {"signal": "x_title" if axis["orient"] == "bottom" else "y_title"}
    return specification


def _series(letter: str) -> str:
    return f"datum.s === '{letter}'"


def _bounded(letter: str) -> str:
    return f"datum.s === '{letter}' && isValid(datum.lo) && isValid(datum.hi)"


def _finish(layers: Sequence[alt.Chart], *parameters: alt.Parameter) -> alt.LayerChart:
    chart = alt.layer(*layers).properties(width="container", height=230)
    return cast(alt.LayerChart, chart.add_params(*parameters))


def _tooltip(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{field}:Q", title=title, format=".4~g") for field, title in fields]


def _parameters(*names: str) -> dict[str, alt.Parameter]:
    return {name: alt.param(name=name, value=1.0) for name in names}


def _log_axis(name: str, p: Mapping[str, alt.Parameter]) -> dict[str, Any]:
    return {
        "scale": alt.Scale(type="log", domain=[p[f"{name}_min"], p[f"{name}_max"]], nice=False),
        "axis": alt.Axis(title=f"{name}_title", values=alt.ExprRef(f"{name}_ticks"), labelExpr=LOG_LABEL),
    }


def _curve() -> alt.LayerChart:
    p = _parameters("x_min", "x_max", "y_min", "y_max", "x_ticks", "y_ticks")
    base = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X("x:Q", **_log_axis("x", p)), y=alt.Y("y:Q", **_log_axis("y", p))
    )
    band = base.transform_filter(_bounded("e")).mark_area(clip=True, fill="var(--curve)", fillOpacity=0.16)
    bars = base.transform_filter(_bounded("s")).mark_rule(clip=True, stroke="var(--simulated)", strokeWidth=2)
    cloud = base.transform_filter(_bounded("s")).mark_area(clip=True, fill="var(--simulated)", fillOpacity=0.14)
    line = base.transform_filter(_series("e")).mark_line(
        clip=True, stroke="var(--curve)", strokeWidth=2, strokeJoin="round"
    )
    hover = base.transform_filter(_series("e")).mark_point(
        clip=True, fill="var(--curve)", stroke=None, size=60, opacity=0
    )
    guide = base.transform_filter(_series("g")).mark_line(
        clip=True, stroke="var(--claimed)", strokeWidth=1.75, strokeDash=[7, 4]
    )
    points = base.transform_filter(_series("s")).mark_point(
        clip=True, fill="var(--paper)", stroke="var(--simulated)", strokeWidth=1.75, size=42, opacity=1
    )
    limits = {"y": alt.Y("lo:Q"), "y2": alt.Y2("hi:Q")}
    return _finish(
        [
            band.encode(**limits),
            cloud.encode(**limits),
            guide,
            line,
            hover.encode(tooltip=_tooltip(("x", "at"), ("y", "equivalent"))),
            bars.encode(**limits),
            points.encode(tooltip=_tooltip(("x", "at"), ("y", "simulated"), ("lo", "low"), ("hi", "high"))),
        ],
        *p.values(),
    )


def _slope_axes(p: Mapping[str, alt.Parameter]) -> dict[str, Any]:
    return {
        "x": alt.X("x:Q", **_log_axis("x", p)),
        "y": alt.Y(
            "y:Q",
            scale=alt.Scale(domain=[p["y_min"], p["y_max"]], nice=False, zero=False),
            axis=alt.Axis(title="y_title", tickCount=5),
        ),
    }


COLOURS = 6
"""Curves of a panel that look different; further ones begin again."""
_PLACES = [str(place) for place in range(COLOURS)]
_DASHES = [[1, 0], [9, 4], [2, 3], [9, 3, 2, 3], [5, 2], [1, 2]]
_SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross"]


def _told_apart() -> dict[str, Any]:
    """Channels that tell curves apart by colour and by dashes; the style sheet has the colours, the legend repeats both."""
    colours = [f"var(--line-{place})" for place in _PLACES]
    return {
        "stroke": alt.Stroke("k:N", scale=alt.Scale(domain=_PLACES, range=colours), legend=None),
        "strokeDash": alt.StrokeDash("k:N", scale=alt.Scale(domain=_PLACES, range=_DASHES), legend=None),
    }


def _marked(base: alt.Chart) -> list[alt.Chart]:
    """Vertical rules with a label at the top, left of the rule or right of it: where the crossover of a curve ends."""
    at = {"x": alt.X("x:Q")}
    rules = base.transform_filter("datum.s === 'm' || datum.s === 'n'").mark_rule(clip=True, strokeWidth=1.25)
    sides: tuple[tuple[str, Literal["left", "right"], int], ...] = (("m", "right", -4), ("n", "left", 4))
    labels = [
        base.transform_filter(_series(letter))
        .mark_text(clip=True, align=align, baseline="top", dx=dx, dy=4, fontSize=11, font=FONT, fill="var(--ink-soft)")
        .encode(**at, y=alt.value(0), text=alt.Text("t:N"))
        for letter, align, dx in sides
    ]
    return [rules.encode(**at, **_told_apart()), *labels]


def _panel() -> alt.LayerChart:
    p = _parameters("x_min", "x_max", "y_min", "y_max", "x_ticks", "y_ticks")
    rows = alt.Chart(alt.NamedData("rows"))
    base = rows.encode(x=alt.X("x:Q", **_log_axis("x", p)), y=alt.Y("y:Q", **_log_axis("y", p)))
    apart = _told_apart()
    points = base.transform_filter(_series("s"))
    return _finish(
        [
            base.transform_filter(_series("g")).mark_line(
                clip=True, stroke="var(--claimed)", strokeWidth=1.75, strokeDash=[7, 4]
            ),
            base.transform_filter(_series("e")).mark_line(clip=True, strokeWidth=2, strokeJoin="round").encode(**apart),
            points.mark_rule(clip=True, strokeWidth=2).encode(
                y=alt.Y("lo:Q"), y2=alt.Y2("hi:Q"), stroke=apart["stroke"]
            ),
            points.mark_point(clip=True, fill="var(--paper)", strokeWidth=1.75, size=42, opacity=1).encode(
                stroke=apart["stroke"],
                shape=alt.Shape("k:N", scale=alt.Scale(domain=_PLACES, range=_SHAPES), legend=None),
                tooltip=_tooltip(("x", "at"), ("y", "simulated"), ("lo", "low"), ("hi", "high")),
            ),
            *_marked(rows),
        ],
        *p.values(),
    )


def _panel_slope() -> alt.LayerChart:
    p = _parameters("x_min", "x_max", "y_min", "y_max", "x_ticks")
    rows = alt.Chart(alt.NamedData("rows"))
    base = rows.encode(**_slope_axes(p))
    return _finish(
        [
            base.transform_filter(_series("p")).mark_line(
                clip=True, stroke="var(--claimed)", strokeWidth=1.75, strokeDash=[7, 4]
            ),
            base.transform_filter(_series("l")).mark_line(clip=True, strokeWidth=2).encode(**_told_apart()),
            base.transform_filter(_series("l"))
            .mark_point(clip=True, stroke=None, size=60, opacity=0)
            .encode(tooltip=_tooltip(("x", "at"), ("y", "local slope"))),
            *_marked(rows),
        ],
        *p.values(),
    )


def _slope() -> alt.LayerChart:
    p = _parameters("x_min", "x_max", "y_min", "y_max", "x_ticks")
    base = alt.Chart(alt.NamedData("rows")).encode(**_slope_axes(p))
    band = base.transform_filter(_bounded("l")).mark_area(clip=True, fill="var(--curve)", fillOpacity=0.16)
    line = base.transform_filter(_series("l")).mark_line(clip=True, stroke="var(--curve)", strokeWidth=2)
    points = base.transform_filter(_series("l")).mark_point(
        clip=True, fill="var(--curve)", stroke=None, size=16, opacity=1
    )
    rule = base.transform_filter(_series("p")).mark_line(
        clip=True, stroke="var(--claimed)", strokeWidth=1.75, strokeDash=[7, 4]
    )
    return _finish(
        [
            band.encode(y=alt.Y("lo:Q"), y2=alt.Y2("hi:Q")),
            rule,
            line,
            points.encode(tooltip=_tooltip(("x", "at"), ("y", "local slope"), ("lo", "low"), ("hi", "high"))),
        ],
        *p.values(),
    )


# ----------------------------------------------------------------------------------------- points of a figure


def relation(case: Mapping[str, Any]) -> str | None:
    """How a predicted exponent is meant (=, ≥ or ≤); None when the prediction is not about an exponent."""
    kind = str((case.get("predicted") or {}).get("kind", ""))
    return _RELATIONS.get("".join(character for character in kind.lower() if character.isalpha()))


class Evidence:
    """The points of every reading and role, thinned so that the page keeps its size.

    ``table`` is the long table of a run: id, role, series, x, y, lo, hi, one row a point.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._groups: dict[tuple[str, str], dict[str, list[tuple[float, float, float | None, float | None]]]] = {}
        if table.empty:
            return
        groups = table.groupby(["id", "role", "series"], sort=False, dropna=True)
        cap = max(12, min(POINTS_PER_SERIES, POINTS_PER_PAGE // max(1, groups.ngroups)))
        for key, rows in groups:
            reading, role, series = (str(part) for part in key)
            points = [
                (x, y, number(lo), number(hi))
                for x, y, lo, hi in (
                    (number(row[0]), number(row[1]), row[2], row[3])
                    for row in rows[["x", "y", "lo", "hi"]].itertuples(index=False, name=None)
                )
                if x is not None and y is not None and x > 0
            ]
            points.sort(key=lambda point: point[0])
            self._groups.setdefault((reading, role), {})[series] = _thinned(points, cap)

    def roles(self, reading: str) -> list[str]:
        """The roles of which ``reading`` has points."""
        return [role for (name, role) in self._groups if name == reading]

    def series(self, reading: str, role: str, series: str) -> list[tuple[float, float, float | None, float | None]]:
        """The points (x, y, lo, hi) of one series, sorted by x."""
        return self._groups.get((reading, role), {}).get(series, [])


def _thinned(points: list[Any], cap: int) -> list[Any]:
    if len(points) <= cap:
        return points
    step = (len(points) - 1) / (cap - 1)
    return [points[round(index * step)] for index in range(cap)]


def _columns(letter: str, points: Sequence[tuple[float, float, float | None, float | None]]) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "s": letter,
        "x": [_short(p[0]) for p in points],
        "y": [_short(p[1]) for p in points],
    }
    if any(p[2] is not None and p[3] is not None for p in points):
        columns["lo"] = [_short(p[2]) for p in points]
        columns["hi"] = [_short(p[3]) for p in points]
    return columns


def _short(value: float | None) -> float | None:
    return None if value is None else rounded(value)


def log_bounds(values: Sequence[float], margin: float) -> tuple[float, float]:
    """Bounds of a log axis around ``values``; one value alone gets a decade around it."""
    low, high = math.log10(min(values)), math.log10(max(values))
    pad = margin * (high - low) if high - low > 0.05 else 0.5
    # Beyond 1e300 a float has no room for the margin.
    return 10 ** max(-300.0, low - pad), 10 ** min(300.0, high + pad)


def log_ticks(low: float, high: float) -> list[float]:
    """At most eight ticks of a log axis: powers of ten, or on a short axis 1, 2, 5, or else steps of equal
    size.
    """
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first >= 2:
        stride = -(-(last - first) // 7)
        return [float(f"1e{power}") for power in range(-(-first // stride) * stride, last + 1, stride)]
    ticks = [
        m * 10.0**power for power in range(first - 1, last + 1) for m in (1, 2, 5) if low <= m * 10.0**power <= high
    ]
    if len(ticks) >= 3:
        return ticks
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (m * step) <= 6)
    return [rounded(k * step) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def rounded(value: float) -> float:
    """Six digits: what a drawing can show."""
    return float(f"{value:.6g}")


def curve_figure(
    evidence: Evidence, reading: str, role: str, case: Mapping[str, Any], observable: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The learning curve of one instance on log-log axes, or None when nothing of it can be drawn.

    The dashed guide is y_last (x / x_last)^g through the last point of the curve, where g is the predicted
    exponent in the direction in which the curve's own local slope is counted (-dlog y/dlog x for a risk).
    """
    lines = {
        name: [p for p in evidence.series(reading, role, name) if p[1] > 0] for name in ("equivalent", "simulation")
    }
    drawn = [point for points in lines.values() for point in points]
    if not drawn:
        return None
    inside = [value for p in drawn for value in (p[1], p[2], p[3]) if value is not None and value > 0]
    x_min, x_max = log_bounds([p[0] for p in drawn], 0.02)
    y_min, y_max = log_bounds(inside, 0.06)
    rows = []
    for name, points in lines.items():
        if points:
            # A band that reaches below zero ends at the edge of the drawing: the axis has no zero.
            floored = [(x, y, y_min if lo is not None and lo <= 0 else lo, hi) for x, y, lo, hi in points]
            rows.append(_columns(_LETTERS[name], floored))
    anchor = lines["equivalent"] or lines["simulation"]
    guide = _guide(anchor, case, evidence.series(reading, role, "local_slope"))
    if guide:
        rows.append(_columns("g", guide))
    first, last = anchor[0], anchor[-1]
    variable, ylabel = _titles(observable)
    return {
        "kind": "curve",
        "rows": rows,
        "signals": {
            "x_min": x_min, "x_max": x_max, "x_ticks": log_ticks(x_min, x_max), "y_min": y_min, "y_max": y_max,
            "y_ticks": log_ticks(y_min, y_max), "x_title": variable, "y_title": _lines(ylabel),
        },
        "label": f"{ylabel} against {variable}, both on log scales",
        "claim": _claim(case) if guide else "",
        "ends": ((first[0], first[1]), (last[0], last[1])),
        "has": [name for name in lines if lines[name]],
    }  # fmt: skip


def _titles(observable: Mapping[str, Any]) -> tuple[str, str]:
    return plain_symbols(observable.get("variable") or "n"), plain_symbols(observable.get("ylabel") or "excess risk")


def _lines(title: str) -> str | list[str]:
    """The title of a vertical axis, on several lines where it is longer than the axis."""
    lines = textwrap.wrap(title, 36)
    return lines if len(lines) > 1 else title


def _claim(case: Mapping[str, Any]) -> str:
    """The claimed exponent in words, for the key of a figure."""
    sign, value = relation(case), number((case.get("predicted") or {}).get("value"))
    return f"claimed slope {sign} {show_number(value)}" if sign and value is not None else ""


def _guide(
    curve: Sequence[tuple[float, float, float | None, float | None]],
    case: Mapping[str, Any],
    slopes: Sequence[tuple[float, float, float | None, float | None]],
) -> list[tuple[float, float, None, None]]:
    claimed = number((case.get("predicted") or {}).get("value"))
    if claimed is None or relation(case) is None or len(curve) < 2 or curve[-1][0] <= curve[0][0]:
        return []
    (x_0, y_0), (x_1, y_1) = curve[-2][:2], curve[-1][:2]
    measured = slopes[-1][1] if slopes else number(case.get("exponent"))
    end = math.log(y_1 / y_0) / math.log(x_1 / x_0) if x_1 > x_0 else 0.0
    # An exponent is -dlog E/dlog n; an observable that grows may count it the other way: its slopes tell.
    sign = 1.0 if measured is not None and abs(end - measured) < abs(end + measured) else -1.0
    power = sign * claimed
    start = curve[0][0]
    steps = 24  # a straight line; more than its two ends, so that clipping at the frame leaves the rest
    points: list[tuple[float, float, None, None]] = []
    for step in range(steps + 1):
        x = start * (x_1 / start) ** (step / steps)
        exponent = math.log10(y_1) + power * math.log10(x / x_1)
        if abs(exponent) < 300:
            points.append((x, 10**exponent, None, None))
    return points


def slope_figure(
    evidence: Evidence, reading: str, role: str, case: Mapping[str, Any], observable: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The local slope against x with its tolerance band and the predicted exponent as a rule, or None without
    points.

    Where the points carry no band of their own, the judged exponent and its tolerance are the band.
    """
    points = evidence.series(reading, role, "local_slope")
    if not points:
        return None
    exponent, tolerance = number(case.get("exponent")), number(case.get("tolerance"))
    own = any(p[2] is not None and p[3] is not None for p in points)
    if not own and exponent is not None and tolerance is not None:
        points = [(x, y, exponent - tolerance, exponent + tolerance) for x, y, _, _ in points]
    claimed = number((case.get("predicted") or {}).get("value")) if relation(case) else None
    rows = [_columns("l", points)]
    x_min, x_max = log_bounds([p[0] for p in points], 0.02)
    if claimed is not None:
        rows.append(_columns("p", [(x_min, claimed, None, None), (x_max, claimed, None, None)]))
    values = [p[1] for p in points] + ([claimed] if claimed is not None else [])
    low, high = min(values), max(values)
    # A band may be far wider than the slopes (few points, much noise): it may triple the axis, not more.
    room = max(high - low, 0.05)
    bands = [value for p in points for value in (p[2], p[3]) if value is not None]
    low = max(min([low, *bands]), low - room)
    high = min(max([high, *bands]), high + room)
    pad = max(0.08 * (high - low), 0.025 - (high - low) / 2)
    variable, _ = _titles(observable)
    return {
        "kind": "slope",
        "rows": rows,
        "signals": {
            "x_min": x_min, "x_max": x_max, "x_ticks": log_ticks(x_min, x_max),
            "y_min": low - pad, "y_max": high + pad, "x_title": variable, "y_title": "local slope",
        },
        "label": f"local slope against {variable}",
        "claim": _claim(case),
        "ends": (points[0][:2], points[-1][:2]),
        "has": ["local_slope"]
        + (["band"] if any(p[2] is not None for p in points) else []),
    }  # fmt: skip
