"""Trends over runs: what was searched, how near it came and what was concluded, reading by reading and run by run.

Two tables, made with pandas from what the runs kept. In the table of readings, one row is one reading in one run:

examples            instances that were drawn in this run, and ``examples_total`` up to and with it
instances           different ones among those whose judgements were kept (judgements.parquet), ``instances_new`` that no earlier
                    run had judged, ``instances_total`` all so far
distinct            distinct behaviours that a night reached (night.json)
nearest             smallest distance to a violation of the instances that were consistent, in tolerances; 0 is a violation
undecided           instances that were inconclusive
power               chance that one judgement notices an exponent wrong by 0.05
seconds             time spent, and ``seconds_total``

What a run did not keep is missing, never 0.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from verifier.provenance import version
from verifier.records import PathLike, write_text
from verifier.runs import NIGHT, Outcome, Run, Skipped, find_runs

ERROR_SHOWN = "0.05"
COLUMNS = (
    "run", "kind", "started", "seed", "id", "verdict", "expected", "agrees", "examples", "examples_total", "instances",
    "instances_new", "instances_total", "distinct", "nearest", "undecided", "power", "seconds", "seconds_total",
)  # fmt: skip

Record = dict[str, Any]


def readings_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row for each reading of each run, the runs in the order in which they are given."""
    rows: list[Record] = []
    known: dict[str, set[str]] = {}
    for run in runs:
        searched = _searched(run.judgements, known)
        for outcome in run.outcomes.values():
            rows.append(
                {
                    "run": run.name,
                    "kind": run.kind,
                    "started": run.started,
                    "seed": run.origin["seed"],
                    "id": outcome.id,
                    "verdict": outcome.verdict,
                    "expected": outcome.expected,
                    "agrees": outcome.agrees,
                    **_counted(outcome),
                    **searched.get(outcome.id, {}),
                    **_nearest(outcome, searched.get(outcome.id, {})),
                    "power": outcome.power.get(ERROR_SHOWN),
                    "seconds": outcome.seconds,
                }
            )
    whole = ["examples", "instances", "instances_new", "distinct", "undecided"]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if not name.endswith("_total")])
    table[whole] = table[whole].astype("Int64")
    table[["nearest", "power", "seconds"]] = table[["nearest", "power", "seconds"]].astype("float64")
    for name, source in (("examples", "examples"), ("instances", "instances_new"), ("seconds", "seconds")):
        table[f"{name}_total"] = table.groupby("id", sort=False)[source].cumsum()
    return table[list(COLUMNS)]


def _counted(outcome: Outcome) -> Record:
    """How much was looked at, as the run itself counted it."""
    if outcome.night:
        return {name: outcome.night[name] for name in ("examples", "distinct", "undecided")}
    counts = outcome.finding["instances"]
    return {"examples": counts["judged"] + counts["out_of_scope"], "undecided": counts["inconclusive"]}


def _nearest(outcome: Outcome, searched: Mapping[str, Any]) -> Record:
    """The nearest that the night kept, else that of its judgements."""
    kept = outcome.night.get("nearest")
    return {"nearest": searched.get("nearest") if kept is None else kept}


def _searched(judgements: pd.DataFrame, known: dict[str, set[str]]) -> dict[str, Record]:
    """What the judgements of one run say of each reading; ``known`` holds the instances of earlier runs, and gets those of this."""
    found: dict[str, Record] = {}
    for name, group in judgements.groupby("id", sort=False):
        digests = set(group["digest"])
        before = known.setdefault(str(name), set())
        margins = -group.loc[group["verdict"] == "consistent", "score"].dropna()
        found[str(name)] = {
            "instances": len(digests),
            "instances_new": len(digests - before),
            "nearest": None if margins.empty else max(float(margins.min()), 0.0),
        }
        before |= digests
    return found


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row a run: how many readings it judged with which verdicts, and what it searched."""
    rows = []
    for run in runs:
        outcomes = list(run.outcomes.values())
        verdicts = [outcome.verdict for outcome in outcomes]
        counts = [_counted(outcome) for outcome in outcomes]
        distinct = [count["distinct"] for count in counts if "distinct" in count]
        rows.append(
            {
                "run": run.name,
                "kind": run.kind,
                "started": run.started,
                "seed": run.origin["seed"],
                "readings": len(outcomes),
                "survived": verdicts.count("SURVIVED"),
                "falsified": verdicts.count("FALSIFIED"),
                "undecided": verdicts.count("UNDERPOWERED") + verdicts.count("VACUOUS"),
                "errors": verdicts.count("ERROR"),
                "agree": sum(outcome.agrees is True for outcome in outcomes),
                "differ": sum(outcome.agrees is False for outcome in outcomes),
                "examples": sum(count["examples"] for count in counts),
                "distinct": sum(distinct) if distinct else None,
                "seconds": run.origin["seconds"],
                "exit_code": run.origin["exit_code"],
            }
        )
    return pd.DataFrame(rows)


def history_record(runs: Sequence[Run], skipped: Sequence[Skipped]) -> Record:
    """Both tables as plain records, for the page: ``runs``, ``readings`` with a point for each run that judged them, and what was
    skipped.
    """
    table = readings_table(runs)
    places = {id(run): place for place, run in enumerate(runs)}
    at = [places[id(run)] for run in runs for _ in run.outcomes]
    readings = []
    for name, group in table.assign(place=at).groupby("id", sort=False):
        points = [_plain(row) for row in group.to_dict("records")]
        readings.append(
            {
                "id": str(name),
                "points": points,
                "last": points[-1],
                "changes": [
                    {"started": new["started"], "from": old["verdict"], "to": new["verdict"]}
                    for old, new in itertools.pairwise(points)
                    if old["verdict"] != new["verdict"]
                ],
            }
        )
    return {
        "version": version(),
        "runs": [_plain(row) for row in runs_table(runs).to_dict("records")],
        "readings": readings,
        "skipped": [{"name": each.name, "why": each.why} for each in skipped],
    }


def _plain(row: Mapping[Any, Any]) -> Record:
    """A row with None for what is missing."""
    return {str(name): None if _missing(value) else value for name, value in row.items()}


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def earlier_nights(run: PathLike, started: str) -> list[Record]:
    """The nights beside the run directory ``run`` that began before ``started``, as rows of :func:`runs_table`: the trend that a
    night's report shows. Damaged ones are left out, which ``verifier history`` names.
    """
    path = Path(run).resolve()
    nights = [other for other in find_runs(path.parent)[0] if other.kind == NIGHT and other.started < started]
    return [_plain(row) for row in runs_table(nights).to_dict("records")]


def save_history_csv(path: PathLike, table: pd.DataFrame) -> None:
    """Write the table of readings as CSV; floats as the shortest decimal that reads back as the same."""
    stream = io.StringIO()
    table.to_csv(stream, index=False, lineterminator="\n")
    write_text(path, stream.getvalue())
