"""What changed between two runs: verdicts first, then what they rest on.

A number has moved when it changed by more than its own uncertainty. An exponent of one instance carries a tolerance in each
run: it moved when each value lies outside the other's interval, |a - b| > max(tolerance). Power is a mean of N chances in
[0, 1], whose variance is at most p (1 - p) / N (Bhatia and Davis, 2000): it moved when the two means differ by more than 3.29
standard errors of their difference, with p pooled over both runs, which two equal ones do once in a thousand if the instances
were drawn independently.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from verifier.provenance import version
from verifier.records import SCHEMA
from verifier.runs import NIGHT, Outcome, Run

Z = 3.2905267314918945
"""Two-sided normal quantile of one in a thousand."""
_CLAIMED = ("statement", "prediction", "tuning", "hypotheses")
_ORIGIN = ("version", "commit", "dirty", "code", "platform", "seed", "profile", "hours", "examples", "command", "stale")
_ROLES = ("minimal", "worst", "typical")

Record = dict[str, Any]


def diff_record(before: Run, after: Run) -> Record:
    """The record of ``verifier diff``: everything that differs between two runs. ``exit_code`` is 1 when the verdict of a
    reading that both judged changed, else 0.
    """
    common = [(before.outcomes[name], after.outcomes[name]) for name in before.outcomes if name in after.outcomes]
    verdicts = _changes(common, lambda one: one.verdict)
    return {
        "schema": SCHEMA,
        "kind": "diff",
        "version": version(),
        "runs": [_described(before), _described(after)],
        "common": len(common),
        "verdicts": verdicts,
        "expected": _changes(common, lambda one: one.expected),
        "agreement": _changes(common, lambda one: one.agrees),
        "appeared": [_named(one) for name, one in after.outcomes.items() if name not in before.outcomes],
        "gone": [_named(one) for name, one in before.outcomes.items() if name not in after.outcomes],
        "claims": [row for pair in common for row in _claimed(*pair)],
        "counterexamples": {"new": _new_cases(common, 1), "gone": _new_cases(common, 0)},
        "exponents": [row for pair in common for row in _exponents(*pair)],
        "instances": _instances(before, after),
        "power": [row for pair in common for row in _power(*pair)],
        "calibration": [row for pair in common for row in _calibration(*pair)],
        "provenance": _provenance(before.origin, after.origin),
        "controls": _controls(before.origin, after.origin),
        "exit_code": 1 if verdicts else 0,
    }


def _described(run: Run) -> Record:
    return {
        "name": run.name,
        "kind": run.kind,
        "started": run.started,
        "seed": run.origin["seed"],
        "readings": len(run.outcomes),
        "exit_code": run.origin["exit_code"],
    }


def _named(outcome: Outcome) -> Record:
    return {"id": outcome.id, "verdict": outcome.verdict}


def _changes(common: list[tuple[Outcome, Outcome]], value: Any) -> list[Record]:
    rows = [{"id": one.id, "from": value(one), "to": value(other)} for one, other in common]
    return [row for row in rows if row["from"] != row["to"]]


def _claimed(one: Outcome, other: Outcome) -> Iterator[Record]:
    """What the reading itself says otherwise."""
    for name in _CLAIMED if one.finding and other.finding else ():
        old, new = (_text(outcome.finding[name]) for outcome in (one, other))
        if old != new:
            yield {"id": one.id, "name": name, "from": old, "to": new}


def _text(value: object) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cases(outcome: Outcome, *roles: str) -> dict[str, Record]:
    """The cases of a finding by the digest of their instance; one that is minimal and worst counts once."""
    cases: dict[str, Record] = {}
    for role in roles:
        case = outcome.finding.get(role)
        if case is not None:
            cases.setdefault(case["digest"], {**case, "role": role})
    return cases


def _new_cases(common: list[tuple[Outcome, Outcome]], side: int) -> list[Record]:
    """Counterexamples that one of two runs has, by the digest of the instance."""
    rows = []
    for pair in common:
        here, there = (_cases(outcome, "minimal", "worst") for outcome in (pair[side], pair[1 - side]))
        for digest, case in here.items():
            if digest not in there:
                rows.append({"id": pair[0].id, "role": case["role"], "digest": digest, "describe": case["describe"]})
    return rows


def _exponents(one: Outcome, other: Outcome) -> Iterator[Record]:
    """Confirmed instances that both runs have and whose exponents are not the same within either's tolerance."""
    old, new = (_cases(outcome, *_ROLES) for outcome in (one, other))
    for digest in old:
        if digest not in new:
            continue
        pair = old[digest], new[digest]
        exponents, tolerances = ([case[name] for case in pair] for name in ("exponent", "tolerance"))
        if None in exponents or None in tolerances:
            continue
        tolerance = max(tolerances)
        if abs(exponents[0] - exponents[1]) > tolerance:
            yield {
                "id": one.id, "digest": digest, "describe": pair[1]["describe"], "from": exponents[0], "to": exponents[1],
                "tolerance": tolerance,
            }  # fmt: skip


def _instances(before: Run, after: Run) -> list[Record]:
    """Instances that both searches judged: how many are judged otherwise, and how many exponents moved."""
    keys = ["id", "digest"]
    tables = [run.judgements.drop_duplicates(keys) for run in (before, after)]
    joined = tables[0].merge(tables[1], on=keys, suffixes=("_from", "_to"), sort=False)
    if joined.empty:
        return []
    joined["move"] = (joined["exponent_from"] - joined["exponent_to"]).abs()
    joined["tolerance"] = np.fmax(joined["tolerance_from"], joined["tolerance_to"])
    joined["moved"] = joined["move"] > joined["tolerance"]
    joined["turned"] = joined["verdict_from"] != joined["verdict_to"]
    rows = []
    for name, group in joined.groupby("id", sort=False):
        moved, turned = group[group["moved"]], group[group["turned"]]
        if len(moved) or len(turned):
            rows.append(
                {
                    "id": str(name), "common": len(group), "moved": len(moved), "turned": len(turned),
                    "largest": None if moved.empty else _moved(moved.sort_values("move").iloc[-1]),
                    "first": None if turned.empty else _turned(turned.iloc[0]),
                }
            )  # fmt: skip
    return rows


def _moved(row: pd.Series[Any]) -> Record:
    numbers = {"from": row["exponent_from"], "to": row["exponent_to"], "tolerance": row["tolerance"]}
    return {"digest": str(row["digest"]), **{name: float(value) for name, value in numbers.items()}}


def _turned(row: pd.Series[Any]) -> Record:
    return {"digest": str(row["digest"]), "from": str(row["verdict_from"]), "to": str(row["verdict_to"])}


def _power(one: Outcome, other: Outcome) -> Iterator[Record]:
    """Chances to notice a wrong exponent that differ by more than sampling of the instances explains."""
    for error in one.power:
        if error not in other.power:
            continue
        old, new = one.power[error], other.power[error]
        tolerance = power_tolerance(old, one.judged, new, other.judged)
        if abs(old - new) > tolerance:
            yield {"id": one.id, "error": error, "from": old, "to": new, "tolerance": tolerance}


def power_tolerance(first: float, drawn_first: int, second: float, drawn_second: int) -> float:
    """3.29 standard errors of the difference of two powers over ``drawn_first`` and ``drawn_second`` instances; 1, which no
    difference exceeds, where a run drew none.
    """
    if drawn_first < 1 or drawn_second < 1:
        return 1.0
    pooled = (drawn_first * first + drawn_second * second) / (drawn_first + drawn_second)
    return Z * math.sqrt(max(pooled * (1.0 - pooled), 0.0) * (1.0 / drawn_first + 1.0 / drawn_second))


def _calibration(one: Outcome, other: Outcome) -> Iterator[Record]:
    old, new = (outcome.finding.get("calibration") or {} for outcome in (one, other))
    for name in dict.fromkeys([*old, *new]) if one.finding and other.finding else ():
        if old.get(name) != new.get(name):
            yield {"id": one.id, "name": name, "from": old.get(name), "to": new.get(name)}


def _provenance(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Record]:
    """What computed the numbers, where that differs; what a record does not say is None."""
    old, new = (_libraries(origin) | {name: origin.get(name) for name in _ORIGIN} for origin in (before, after))
    return [
        {"name": name, "from": old.get(name), "to": new.get(name)}
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]


def _libraries(origin: Mapping[str, Any]) -> Record:
    return dict(origin.get("versions") or {})


def _controls(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Record]:
    """Controls that came out otherwise, or that only one run has."""
    old, new = ({control["id"]: control for control in origin.get("controls") or []} for origin in (before, after))
    rows = []
    for name in dict.fromkeys([*old, *new]):
        pair = [
            None if name not in held else {key: held[name][key] for key in ("verdict", "right")} for held in (old, new)
        ]
        if pair[0] != pair[1]:
            rows.append({"id": name, "from": pair[0], "to": pair[1]})
    return rows


# ----------------------------------------------------------------------------------------------------
# For people


def diff_rows(record: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """The changes as rows of a table: what, which reading, before, after; the weightiest first."""
    rows: list[tuple[str, str, str, str]] = []

    def add(what: str, name: str, old: object, new: object) -> None:
        rows.append((what, name, _shown(old), _shown(new)))

    for row in record["verdicts"]:
        add("verdict", row["id"], row["from"], row["to"])
    for row in record["controls"]:
        add("control", row["id"], _control(row["from"]), _control(row["to"]))
    for row in record["expected"]:
        add("expected", row["id"], row["from"] or "open", row["to"] or "open")
    for row in record["agreement"]:
        add("agrees", row["id"], _agreement(row["from"]), _agreement(row["to"]))
    for row in record["appeared"]:
        add("reading", row["id"], "-", row["verdict"])
    for row in record["gone"]:
        add("reading", row["id"], row["verdict"], "-")
    for row in record["claims"]:
        add(row["name"], row["id"], row["from"], row["to"])
    for (name, role), cases in _paired(record["counterexamples"]).items():
        old, new = (f"{case['describe']} ({case['digest'][:12]})" if case else "-" for case in cases)
        add(f"counterexample, {role}", name, old, new)
    for row in record["exponents"]:
        add(
            "exponent",
            row["id"],
            row["from"],
            f"{row['to']:.6g}, tolerance {row['tolerance']:.2g}, at {row['describe']}",
        )
    for row in record["instances"]:
        if row["first"] is not None:
            first = row["first"]
            add(
                "instance",
                row["id"],
                first["from"],
                f"{first['to']}: {row['turned']} of {row['common']} that both judged",
            )
        if row["largest"] is not None:
            most = row["largest"]
            where = f"{most['to']:.6g}, tolerance {most['tolerance']:.2g}: {row['moved']} of {row['common']} moved"
            add("exponent, in the search", row["id"], most["from"], where)
    for row in record["power"]:
        add(f"power at {row['error']}", row["id"], row["from"], f"{row['to']:.6g}, tolerance {row['tolerance']:.2g}")
    figures = [row for row in record["calibration"] if row["name"] not in ("stale", "text")]
    for row in record["calibration"]:
        if row["name"] == "stale":
            add("calibration is stale", row["id"], row["from"], row["to"])
    if figures:
        add(
            "calibration",
            "",
            None,
            f"{len(figures)} figures of {len({row['id'] for row in figures})} readings differ (--json)",
        )
    for row in record["provenance"]:
        add(row["name"], "", row["from"], row["to"])
    return rows


def _paired(cases: Mapping[str, list[Record]]) -> dict[tuple[str, str], list[Record | None]]:
    """The counterexamples of a reading and role that are gone and new, side by side."""
    pairs: dict[tuple[str, str], list[Record | None]] = {}
    for place, side in enumerate(("gone", "new")):
        for case in cases[side]:
            pairs.setdefault((case["id"], case["role"]), [None, None])[place] = case
    return pairs


def heading(record: Mapping[str, Any]) -> str:
    """Which two runs were compared, in one line."""
    names = [
        f"{run['name']} ({'night' if run['kind'] == NIGHT else 'audit'} of {run['started']}, seed {run['seed']})"
        for run in record["runs"]
    ]
    return " -> ".join(names)


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case _:
            return str(value)


def _agreement(agrees: bool | None) -> str:
    return "open" if agrees is None else "yes" if agrees else "NO"


def _control(control: Mapping[str, Any] | None) -> str:
    return "-" if control is None else f"{control['verdict']}, {'right' if control['right'] else 'WRONG'}"
