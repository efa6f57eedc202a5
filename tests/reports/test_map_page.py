"""The page of a map in headless Chromium, and which boundaries its figure joins: made from a made-up record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reports.map import _runs, write_map


def boundary(y: float, at: float, *, holds_left: bool = True) -> dict[str, Any]:
    low, high = at - 0.01, at + 0.01
    return {
        "y": y,
        "boundary": at,
        "interval": [low, high],
        "holds": low if holds_left else high,
        "fails": high if holds_left else low,
        "confirmed": True,
        "method": "gap",
        "text": "continued to zero, +-0.007",
        "instance": None,
        "describe": "l_i = i^-2",
    }


def record() -> dict[str, Any]:
    curve = [
        {"y": 1.0, "boundaries": [boundary(1.0, 0.8)]},
        {"y": 2.0, "boundaries": [boundary(2.0, 0.2), boundary(2.0, 0.4, holds_left=False), boundary(2.0, 0.78)]},
        {"y": 3.0, "boundaries": [boundary(3.0, 0.25), boundary(3.0, 0.35, holds_left=False), boundary(3.0, 0.7)]},
    ]
    points = [
        {
            "x": x,
            "y": y,
            "status": status,
            "consistent": 20,
            "inconclusive": 0,
            "out_of_scope": 0,
            "missing": 0,
            "score": 0.5,
            "gap": 0.01,
            "tolerance": 0.007,
            "confirmed": None,
            "reason": "the exponent differs",
            "instance": None,
            "describe": "l_i = i^-2",
        }
        for y in (1.0, 2.0, 3.0)
        for x, status in ((0.1, "holds"), (0.5, "undecided"), (0.9, "fails"))
    ]
    return {
        "version": "0",
        "id": "M1/planted",
        "title": "the risk falls as n^-alpha",
        "seed": 0,
        "x": "s",
        "y": "beta",
        "range": [0.1, 1.0],
        "y_range": [1.0, 3.0],
        "logarithmic": False,
        "y_logarithmic": False,
        "fixed": {"sigma": 1.0},
        "boundaries": [one for line in curve for one in line["boundaries"]],
        "curve": curve,
        "points": points,
        "notes": [],
        "draws": 20,
        "missed": 0.14,
        "level": 2.5e-6,
        "judgements": 300,
        "confirmations": 7,
        "interrupted": False,
        "seconds": 5.0,
    }


def test_boundaries_are_joined_with_those_of_their_kind() -> None:
    joined = [[(one["y"], one["boundary"]) for one in run] for run in _runs(record()["curve"], 0.9)]
    assert sorted(joined) == [
        [(1.0, 0.8), (2.0, 0.78), (3.0, 0.7)],
        [(2.0, 0.2), (3.0, 0.25)],
        [(2.0, 0.4), (3.0, 0.35)],
    ]


def test_the_page_is_drawn_quietly(chromium: Any, tmp_path: Path) -> None:
    path = write_map(tmp_path / "map.html", record())
    for log in ("browser", "performance"):
        chromium.get_log(log)
    chromium.get(path.as_uri())
    assert chromium.execute_script("return document.title") == "M1/planted over s and β, σ = 1"
    box = chromium.execute_script("return document.querySelector('figure svg').getBoundingClientRect().toJSON()")
    assert box["width"] > 500
    assert box["height"] > 300
    assert chromium.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert "±0.007" in chromium.execute_script("return document.body.innerText")
    assert not chromium.get_log("browser")
