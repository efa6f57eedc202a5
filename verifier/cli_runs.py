"""The commands that read runs and judge nothing: diff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from verifier import records
from verifier.diff import diff_record, diff_rows, heading
from verifier.records import RecordError
from verifier.runs import load_run
from verifier.terminal import clean, console, refuse


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("diff")(_diff)


def _diff(
    before: Annotated[Path, typer.Argument(metavar="RUN", help="The directory of an audit or a night.")],
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
        record = diff_record(load_run(before), load_run(after))
        if record_file is not None:
            records.save_diff(record_file, record)
    except RecordError as error:
        refuse(str(error))
    _print_diff(record)
    _print_written([record_file])
    raise typer.Exit(record["exit_code"])


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
