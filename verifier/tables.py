"""Tables of numbers from CSV files, read strictly: an error names file, line, column, value and remedy.

Fields are separated by commas, semicolons, tabs or spaces, whichever the first line uses. Lines that are empty or start
with # are skipped. The first line may name the columns; it does if one of its cells is not a number.
"""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import dataclass

PathLike = str | os.PathLike[str]


class TableError(ValueError):
    """A table that cannot be read; the message names the file, the place and the remedy."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The lines of a file; ``columns`` are the names in its first line, or column 1, column 2, ... where it has none."""

    path: str
    columns: tuple[str, ...]
    named: bool
    rows: tuple[Row, ...]

    def find(self, name: str) -> int:
        """Place of the column with that name (letter case does not matter), or of that number, counted from 1."""
        known = [column.casefold() for column in self.columns]
        if name.casefold() in known:
            return known.index(name.casefold())
        if name.isdecimal() and 1 <= int(name) <= len(self.columns):
            return int(name) - 1
        raise TableError(f"{self.path}: has no column {name!r}; its columns are {', '.join(map(repr, self.columns))}")

    def number(self, row: Row, column: int) -> float:
        """The finite number in a cell."""
        text = row.cells[column]
        try:
            if "_" in text:
                raise ValueError
            value = float(text)
        except ValueError:
            remedy = "write decimals with a point" if text.replace(",", ".").count(".") == 1 and "," in text else ""
            remedy = remedy or ("fill the cell or remove the line" if not text else "give a number")
            raise TableError(f"{self.where(row, column)}: {text!r} is not a number: {remedy}") from None
        if not math.isfinite(value):
            raise TableError(f"{self.where(row, column)}: {text!r} is not finite: remove the line")
        return value

    def where(self, row: Row, column: int) -> str:
        """File, line and column, to begin a message with."""
        return f"{self.path}: line {row.line}, column {self.columns[column]!r}"


def read_table(path: PathLike) -> Table:
    """Read a table of at least one line of values; TableError where the file is no such table."""
    name = os.fspath(path)
    try:
        with open(path, "rb") as stream:
            text = stream.read().decode("utf-8-sig")
    except OSError as error:
        raise TableError(f"{name}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise TableError(f"{name}: is not UTF-8 text ({error.reason} at byte {error.start}): save it as CSV") from None
    lines = text.splitlines()
    kept = [(i, line) for i, line in enumerate(lines, start=1) if line.strip() and not line.lstrip().startswith("#")]
    if not kept:
        raise TableError(f"{name}: holds no values: give a line for each of them")
    delimiter = _delimiter(kept[0][1])
    rows = [Row(i, _cells(line, delimiter, f"{name}: line {i}")) for i, line in kept]
    first = rows[0]
    named = not all(_is_number(cell) for cell in first.cells)
    columns = first.cells if named else tuple(f"column {k}" for k in range(1, len(first.cells) + 1))
    body = rows[1:] if named else rows
    if not body:
        raise TableError(f"{name}: holds the names of columns and no values: give a line for each of them")
    if len({column.casefold() for column in columns}) < len(columns):
        twice = next(c for c in columns if [d.casefold() for d in columns].count(c.casefold()) > 1)
        raise TableError(f"{name}: line {first.line} names the column {twice!r} twice: rename one")
    for row in body:
        if len(row.cells) != len(columns):
            raise TableError(
                f"{name}: line {row.line} has {len(row.cells)} cells where the first line has {len(columns)}: "
                "give every line the same columns"
            )
    return Table(name, columns, named, tuple(body))


def _delimiter(line: str) -> str | None:
    """The separator that the line uses most, None for white space."""
    counted = {mark: line.count(mark) for mark in (";", "\t", ",")}
    best = max(counted, key=lambda mark: counted[mark])
    if counted[";"]:
        return ";"  # commas beside it are decimal commas, about which the numbers complain
    return best if counted[best] else None


def _cells(line: str, delimiter: str | None, where: str) -> tuple[str, ...]:
    if delimiter is None:
        return tuple(line.split())
    try:
        row = next(csv.reader(io.StringIO(line), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        raise TableError(f"{where}: is not CSV: {error or 'nothing in it'}") from None
    return tuple(cell.strip() for cell in row)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
