"""The commands that read runs and judge nothing: diff and history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from verifier import records
from verifier.diff import diff_record, diff_rows, heading
from verifier.history import history_record, readings_table, save_history_csv
from verifier.records import RecordError
from verifier.runs import find_runs, load_whole
from verifier.terminal import agreement, clean, complain, console, refuse, verdict


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("diff")(_diff)
    app.command("history")(_history)


def _diff(
    before: Annotated[
        Path, typer.Argument(metavar="RUN", help="The directory of an audit, of a night, or of its shards.")
    ],
    after: Annotated[Path, typer.Argument(metavar="RUN", help="The one to compare with it.")],
    record_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the changes as JSON.")
    ] = None,
) -> None:
    """Say what changed between two runs: verdicts, counterexamples, exponents, power, calibration, provenance, controls.

    An exponent moved when each of its two values lies outside the other's interval; power moved when sampling does not explain
    it. Exits 0 when no verdict changed of a reading that both runs judged, 1 when one did.
    """
    try:
        record = diff_record(load_whole(before), load_whole(after))
        if record_file is not None:
            records.save_diff(record_file, record)
    except RecordError as error:
        refuse(str(error))
    _print_diff(record)
    _print_written([record_file])
    raise typer.Exit(record["exit_code"])


def _history(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Holds the directories of audits and nights.")],
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with the figures and both tables.")
    ] = None,
    table_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a line for each reading of each run.")
    ] = None,
) -> None:
    """Show the trend over many runs: verdicts, examples searched, behaviours reached, nearest margin, power, time.

    Runs are looked for below DIR, links are not followed. What is damaged, unfinished or too new is named and left out. Exits 0,
    or 64 when no run could be read.
    """
    try:
        runs, skipped = find_runs(directory)
        for each in skipped:
            complain(f"left out {each.name}: {each.why}")
        if not runs:
            refuse(f"{directory}: holds no run that could be read: name a directory that holds directories of runs")
        record = history_record(runs, skipped)
        if page is not None:
            from reports.history import write_history  # altair takes a second to load

            write_history(page, record)
        if table_file is not None:
            save_history_csv(table_file, readings_table(runs))
    except RecordError as error:
        refuse(str(error))
    _print_history(record)
    _print_written([page, table_file])


_MARKS = {"SURVIVED": "+", "FALSIFIED": "x", "UNDERPOWERED": "?", "VACUOUS": "?", "ERROR": "!"}
_SHOWN = 20  # runs, of the trend of a reading


def _print_history(record: Mapping[str, Any]) -> None:
    screen = console()
    count = len(record["runs"])
    table = Table(header_style="bold")
    for name in ("reading", "verdict", "expected", "agrees", f"last {min(count, _SHOWN)} of {count} runs"):
        table.add_column(name, overflow="fold")
    for name in ("examples", "instances", "behaviours", "nearest", "power", "seconds"):
        table.add_column(name, justify="right")
    for reading in record["readings"]:
        last, points = reading["last"], {point["place"]: point["verdict"] for point in reading["points"]}
        marks = [_MARKS[points[place]] if place in points else "." for place in range(count)]
        behaviours = [point["distinct"] for point in reading["points"] if point["distinct"] is not None]
        nearest = [point["nearest"] for point in reading["points"] if point["nearest"] is not None]
        table.add_row(
            Text(clean(reading["id"])),
            verdict(last["verdict"]),
            verdict(last["expected"]),
            agreement(last["agrees"]),
            "".join(marks[-_SHOWN:]),
            str(last["examples_total"]),
            _number(last["instances_total"]),
            _number(max(behaviours, default=None)),
            _number(min(nearest, default=None)),
            _number(last["power"]),
            f"{last['seconds_total']:.1f}",
        )
    screen.print(table)
    changed = [reading["id"] for reading in record["readings"] if reading["changes"]]
    screen.print(f"+ survived, x falsified, ? undecided, ! error; {count} runs, {len(record['skipped'])} left out")
    if changed:
        screen.print(Text(clean(f"changed from one run to the next: {', '.join(changed)}")), soft_wrap=True)


def _number(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.3g}"


def _print_diff(record: Mapping[str, Any]) -> None:
    screen = console()
    screen.print(Text(clean(heading(record)), "bold"), soft_wrap=True)
    rows = diff_rows(record)
    if rows:
        table = Table(header_style="bold")
        for name in ("changed", "reading", "before", "after"):
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(clean(cell), "bold red" if row[0] == "verdict" else "") for cell in row))
        screen.print(table)
    changed, common = len(record["verdicts"]), record["common"]
    screen.print(f"{changed} of {common} verdicts changed" if changed else f"no verdict changed of {common}")


def _print_written(files: Iterable[Path | None]) -> None:
    for file in files:
        if file is not None:
            console().print(Text(clean(f"wrote {file}")), soft_wrap=True)
