"""The part of a night's report that an audit has not: what was searched, what of it is new, and the trend over earlier nights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.words import number

_UNDECIDED = ("UNDERPOWERED", "VACUOUS")
_MOST_CORNERS = 400  # listed on the page; night.json holds all
TREND = 14
"""Earlier nights that the page shows, the last ones."""


def night_view(
    night: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], slugs: Mapping[str, str]
) -> dict[str, Any]:
    """What the template shows of a night: ``night`` as in night.json, ``earlier`` as of
    :func:`verifier.history.earlier_nights`, ``slugs`` the place on the page of each reading.
    """
    readings = [_reading(reading, slugs) for reading in night.get("readings") or []]
    corners = [(reading, corner) for reading in readings for corner in reading["corners"]]
    missed = [(reading["id"], corner.get("name")) for reading, corner in corners if not number(corner.get("examples"))]
    return {
        **night,
        "readings": readings,
        "examples_drawn": sum(reading["drawn"] for reading in readings),
        "distinct": sum(int(number(reading.get("distinct")) or 0) for reading in readings),
        "corners_known": len(corners),
        "corners_reached": len(corners) - len(missed),
        "missed": missed[:_MOST_CORNERS],
        "news": [reading for reading in readings if _is_news(reading)],
        "damage": night.get("damage") or [],
        "trend": [*list(earlier)[-TREND:], _row(night, readings)],
        "earlier": len(earlier),
    }


def _reading(reading: Mapping[str, Any], slugs: Mapping[str, str]) -> dict[str, Any]:
    corners = reading.get("corners") or []
    return {
        **reading,
        "id": str(reading.get("id") or "reading"),
        "slug": slugs.get(str(reading.get("id"))),
        "corners": corners,
        "reached": sum(bool(number(corner.get("examples"))) for corner in corners),
        "drawn": int(number(reading.get("examples")) or 0),
        "chance": (reading.get("power") or {}).get("0.05"),
    }


def _is_news(reading: Mapping[str, Any]) -> bool:
    """Whether the ledger did not foresee the verdict: it differs from the expected one, or a question was open."""
    return reading.get("agrees") is False or (
        reading.get("expected") is None and reading.get("verdict") not in _UNDECIDED
    )


def _row(night: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The night itself as one more row of the trend."""
    verdicts = [reading.get("verdict") for reading in readings]
    return {
        "run": "this night",
        "started": night.get("started"),
        "seed": night.get("seed"),
        "readings": len(readings),
        "agree": sum(reading.get("agrees") is True for reading in readings),
        "differ": sum(reading.get("agrees") is False for reading in readings),
        "undecided": sum(verdicts.count(name) for name in _UNDECIDED),
        "examples": sum(reading["drawn"] for reading in readings),
        "distinct": sum(int(number(reading.get("distinct")) or 0) for reading in readings),
        "seconds": night.get("seconds"),
        "exit_code": night.get("exit_code"),
    }
