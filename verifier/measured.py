"""Measured learning curves from CSV, and what can be said of their exponent: ``verifier fit``.

Layouts, told apart by the names in the first line:

* ``n, risk``: one line a measurement. A repeated n is several replicates of that point. Points are taken as independent of
  each other;
* ``n, risk, stderr``: one line a point, with its standard error, taken as known;
* ``n, risk, replicate``: lines with the same replicate belong together (the same samples or seed at every n). Rows of
  replicates are independent, points of one row need not be: generalised least squares over replicates;
* ``n`` and several other columns: each of these is such a replicate;
* sample sizes as the names of the columns: each line is such a replicate.

Which of them it was decides what an interval means, so the result says so in words. The risk has to be the *excess* risk:
what cannot be learned (label noise, an irreducible loss) is subtracted first, or the curve bends towards it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.provenance import version
from verifier.records import SCHEMA
from verifier.tables import PathLike, Row, Table, TableError, read_table
from verifier.verdicts.points import PointFit, fit_points
from verifier.verdicts.slopes import CORRECTION_EXPONENTS, CorrectedFit, Fit, fit_slope

Array = NDArray[np.float64]

LEVEL = 0.95
N_NAMES = ("n", "samples", "sample_size", "sample size", "n_samples", "n_train", "train_size", "size")
RISK_NAMES = ("risk", "excess_risk", "excess risk", "error", "test_error", "loss", "test_loss", "mse", "mean")
STDERR_NAMES = ("stderr", "se", "std_err", "standard_error", "standard error", "sem")
REPLICATE_NAMES = ("replicate", "rep", "seed", "run", "trial")
BENT = 0.01  # p-value below which the points are said not to lie on a line

BASES = {
    "paired": "replicates that were each measured at every n: generalised least squares over replicates",
    "independent": "replicates at each n, independent from one n to the next",
    "known": "the standard errors as given, taken as known and independent of each other",
    "residuals": "the scatter about the straight line, since there is one value a point and no standard error",
}


@dataclass(frozen=True, eq=False)
class MeasuredCurve:
    """A curve as read: mean ``risk`` (K,) at increasing ``n`` (K,), ``stderr`` (K,) where there is one, ``replicates`` (K,) the
    number of values behind each point, and for paired ones ``samples`` (R, K). ``basis`` is a key of :data:`BASES`.
    """

    path: str
    basis: str
    n: Array
    risk: Array
    stderr: Array | None
    replicates: NDArray[np.int64]
    samples: Array | None = None
    notes: tuple[str, ...] = ()


def read_curve(
    path: PathLike,
    *,
    n: str | None = None,
    risk: str | None = None,
    stderr: str | None = None,
    replicate: str | None = None,
) -> MeasuredCurve:
    """Read a learning curve; the arguments name its columns where the first line's names do not tell.

    Raises TableError naming file, line, column, value and remedy.
    """
    table = read_table(path)
    named = any(name is not None for name in (n, risk, stderr, replicate))
    if not named and (sizes := _sizes_as_columns(table)) is not None:
        return _rows_are_replicates(table, *sizes)
    if not table.named and len(table.columns) > 2 and risk is None:
        raise TableError(
            f"{table.path}: has {len(table.columns)} columns without names: name them in a first line, such as n,risk,stderr"
        )
    at = _column(table, n, N_NAMES, None if table.named else 0)
    if at is None:
        raise TableError(f"{table.path}: no column is called n: say which one holds the sample sizes with --n COLUMN")
    value = _column(table, risk, RISK_NAMES, None if table.named else 1)
    if not table.named and len(table.columns) < 2:
        raise TableError(f"{table.path}: has one column: give sample sizes and risks, n,risk")
    error, row = _column(table, stderr, STDERR_NAMES), _column(table, replicate, REPLICATE_NAMES)
    if value is None:
        others = [k for k in range(len(table.columns)) if k not in (at, error, row)]
        if not others:
            raise TableError(f"{table.path}: no column holds risks: say which one does with --risk COLUMN")
        if len(others) > 1 and (error is not None or row is not None):
            names = ", ".join(repr(table.columns[k]) for k in others)
            raise TableError(f"{table.path}: the risk may be any of {names}: say which one with --risk COLUMN")
        if len(others) > 1:
            return _columns_are_replicates(table, at, others)
        value = others[0]
    for one, what in ((value, "risk"), (error, "stderr"), (row, "replicate")):
        if one == at:
            raise TableError(
                f"{table.path}: the column {table.columns[at]!r} cannot be both n and {what}: name another"
            )
    if error is not None and row is not None:
        raise TableError(
            f"{table.path}: has both standard errors and replicates: leave out one of the columns "
            f"{table.columns[error]!r} and {table.columns[row]!r}"
        )
    used = {at, value, error, row}
    ignored = [repr(name) for k, name in enumerate(table.columns) if k not in used]
    notes = (
        (f"Not used: {'the columns' if len(ignored) > 1 else 'the column'} {', '.join(ignored)}.",) if ignored else ()
    )
    if row is not None:
        return _paired_lines(table, at, value, row, notes)
    if error is not None:
        return _with_errors(table, at, value, error, notes)
    return _lines(table, at, value, notes)


# ----------------------------------------------------------------------------------------------------
# Layouts


def _column(table: Table, asked: str | None, names: Sequence[str], otherwise: int | None = None) -> int | None:
    if asked is not None:
        return table.find(asked)
    known = [name.casefold() for name in table.columns]
    found = [known.index(name) for name in names if name in known] if table.named else []
    if len(found) > 1:
        both = " and ".join(repr(table.columns[k]) for k in found[:2])
        raise TableError(
            f"{table.path}: the columns {both} may both be meant: name the one to use, or rename the other"
        )
    return found[0] if found else otherwise


def _sizes_as_columns(table: Table) -> tuple[list[int], list[float], tuple[Row, ...]] | None:
    """Columns, sample sizes and lines of a table whose columns are sample sizes; None for any other table."""
    if table.named and table.columns[0].casefold() in N_NAMES:
        return None  # the others are replicates, though they be called 1, 2, 3
    if table.named:
        head, skip, body = table.columns, 1, table.rows  # the first column is named: it labels the replicates
    else:
        head, skip, body = table.rows[0].cells, 0, table.rows[1:]
    sizes = [_whole(cell) for cell in head[skip:]]
    if len(sizes) < 3 or None in sizes or not body:
        return None
    found = [size for size in sizes if size is not None]
    if any(b <= a for a, b in pairwise(found)):
        return None
    return list(range(skip, len(head))), found, body


def _whole(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 1.0 and value == int(value) else None


def _rows_are_replicates(table: Table, places: list[int], sizes: list[float], body: tuple[Row, ...]) -> MeasuredCurve:
    samples = np.array([[_risk(table, row, k) for k in places] for row in body])
    return _paired(table, np.array(sizes), samples)


def _columns_are_replicates(table: Table, at: int, others: list[int]) -> MeasuredCurve:
    sizes = _distinct(table, at, "in this layout each n has one line, and its replicates are the other columns")
    order = np.argsort(sizes)
    samples = np.array([[_risk(table, row, k) for row in table.rows] for k in others])
    names = ", ".join(repr(table.columns[k]) for k in others[:8]) + (", ..." if len(others) > 8 else "")
    return _paired(table, sizes[order], samples[:, order], (f"Taken as replicates: the columns {names}.",))


def _paired_lines(table: Table, at: int, value: int, label: int, notes: tuple[str, ...]) -> MeasuredCurve:
    cells: dict[tuple[str, float], tuple[float, Row]] = {}
    for row in table.rows:
        key = row.cells[label], _size(table, row, at)
        if not key[0]:
            raise TableError(f"{table.where(row, label)}: '' names no replicate: fill the cell or remove the line")
        if key in cells:
            raise TableError(
                f"{table.where(row, label)}: replicate {key[0]!r} has n = {key[1]:.12g} on line {cells[key][1].line} already: "
                "remove one of the lines"
            )
        cells[key] = _risk(table, row, value), row
    labels, sizes = list(dict.fromkeys(key[0] for key in cells)), sorted({key[1] for key in cells})
    for name in labels:
        for size in sizes:
            if (name, size) not in cells:
                raise TableError(
                    f"{table.path}: column {table.columns[label]!r}: replicate {name!r} has no line with n = {size:.12g}: "
                    "paired replicates need a value at every n; add it, leave this replicate out, or leave out the column "
                    "if the points are independent"
                )
    return _paired(
        table, np.array(sizes), np.array([[cells[name, size][0] for size in sizes] for name in labels]), notes
    )


def _paired(table: Table, sizes: Array, samples: Array, notes: tuple[str, ...] = ()) -> MeasuredCurve:
    count = len(samples)
    _enough(table, len(sizes))
    if count < 2:
        return MeasuredCurve(
            table.path, "residuals", sizes, samples[0], None, np.ones(len(sizes), np.int64), notes=notes
        )
    error = samples.std(axis=0, ddof=1) / math.sqrt(count)
    counts = np.full(len(sizes), count, dtype=np.int64)
    return MeasuredCurve(table.path, "paired", sizes, samples.mean(axis=0), error, counts, samples, notes)


def _with_errors(table: Table, at: int, value: int, error: int, notes: tuple[str, ...]) -> MeasuredCurve:
    sizes = _distinct(
        table, at, "with standard errors each n has one line: average the replicates, or leave the column out"
    )
    order = np.argsort(sizes)
    risks = np.array([_risk(table, row, value) for row in table.rows])
    errors = []
    for row in table.rows:
        number = table.number(row, error)
        if number <= 0.0:
            raise TableError(
                f"{table.where(row, error)}: {row.cells[error]!r} is not positive: a point without error would decide alone; "
                "remove the line, or leave the column out"
            )
        errors.append(number)
    _enough(table, len(sizes))
    counts = np.ones(len(sizes), dtype=np.int64)
    return MeasuredCurve(table.path, "known", sizes[order], risks[order], np.array(errors)[order], counts, notes=notes)


def _lines(table: Table, at: int, value: int, notes: tuple[str, ...]) -> MeasuredCurve:
    groups: dict[float, list[tuple[float, Row]]] = {}
    for row in table.rows:
        groups.setdefault(_size(table, row, at), []).append((_risk(table, row, value), row))
    sizes = sorted(groups)
    _enough(table, len(sizes))
    counts = np.array([len(groups[size]) for size in sizes], dtype=np.int64)
    means = np.array([float(np.mean([number for number, _ in groups[size]])) for size in sizes])
    if np.all(counts == 1):
        return MeasuredCurve(table.path, "residuals", np.array(sizes), means, None, counts, notes=notes)
    if np.any(counts == 1):
        row = groups[sizes[int(np.argmin(counts))]][0][1]
        raise TableError(
            f"{table.where(row, at)}: n = {row.cells[at]} has one line where others have several: give every n at least two "
            "replicates, or every n one line with its mean and a column stderr"
        )
    spread = np.array([float(np.std([number for number, _ in groups[size]], ddof=1)) for size in sizes])
    if not np.any(spread > 0.0):
        raise TableError(
            f"{table.path}: the replicates of every n are equal, so they show no scatter: give one line each"
        )
    return MeasuredCurve(
        table.path, "independent", np.array(sizes), means, spread / np.sqrt(counts), counts, notes=notes
    )


def _enough(table: Table, points: int) -> None:
    if points < 2:
        raise TableError(f"{table.path}: has one sample size: a slope needs at least 2")


def _size(table: Table, row: Row, column: int) -> float:
    value = table.number(row, column)
    if value < 1.0 or value != int(value):
        raise TableError(
            f"{table.where(row, column)}: {row.cells[column]!r} is no sample size: give a whole number, at least 1"
        )
    return value


def _distinct(table: Table, column: int, why: str) -> Array:
    seen: dict[float, int] = {}
    for row in table.rows:
        size = _size(table, row, column)
        if size in seen:
            raise TableError(f"{table.where(row, column)}: n = {size:.12g} is on line {seen[size]} already: {why}")
        seen[size] = row.line
    return np.array(list(seen))


def _risk(table: Table, row: Row, column: int) -> float:
    value = table.number(row, column)
    if value <= 0.0:
        raise TableError(
            f"{table.where(row, column)}: {row.cells[column]!r} is not positive, so it has no logarithm: remove the line, or "
            "give means over replicates; if a floor was subtracted, subtract less"
        )
    return value


# ----------------------------------------------------------------------------------------------------
# The fit


@dataclass(frozen=True, eq=False)
class _Samples:
    n: Array
    samples: Array


def fit_curve(curve: MeasuredCurve) -> dict[str, Any]:
    """The fit as the record that ``verifier fit --json`` writes (kind "fit")."""
    found: Fit | PointFit
    if curve.samples is not None:
        if not np.any(curve.samples.std(axis=0) > 0.0):
            raise TableError(f"{curve.path}: the replicates are all equal, so they show no scatter: give one of them")
        found = fit_slope(_Samples(curve.n, curve.samples))
    else:
        found = fit_points(
            curve.n,
            curve.risk,
            stderr=curve.stderr,
            replicates=curve.replicates.astype(np.float64) if curve.basis == "independent" else None,
        )
    interval, stderr = found.interval(LEVEL), found.stderr
    dof = float(found.dof)
    notes = [*curve.notes, *_notes(curve, found)]
    correction, why = _correction(curve, found)
    return {
        "schema": SCHEMA,
        "kind": "fit",
        "version": version(),
        "file": os.path.basename(curve.path),
        "basis": curve.basis,
        "points": [
            {
                "n": float(curve.n[k]),
                "risk": float(curve.risk[k]),
                "stderr": None if curve.stderr is None else float(curve.stderr[k]),
                "replicates": int(curve.replicates[k]),
            }
            for k in range(len(curve.n))
        ],
        "exponent": float(found.exponent),
        "stderr": stderr,
        "dof": dof if math.isfinite(dof) and stderr is not None else None,
        "level": LEVEL,
        "interval": None if interval is None else [float(end) for end in interval],
        "amplitude": _amplitude(found.log_risk + found.exponent * np.log(curve.n)),
        "lack_of_fit": _finite(found.lack_of_fit),
        "local": _local(found),
        "correction": correction,
        "notes": [*notes, *why],
    }


def _local(found: Fit | PointFit) -> list[dict[str, Any]]:
    local = found.local
    low, high = local.interval(LEVEL)
    return [
        {
            "n": float(local.n[k]),
            "exponent": float(local.exponent[k]),
            "stderr": _finite(local.stderr[k]),
            "interval": [float(low[k]), float(high[k])] if math.isfinite(low[k]) and math.isfinite(high[k]) else None,
        }
        for k in range(len(local.n))
    ]


def _correction(curve: MeasuredCurve, found: Fit | PointFit) -> tuple[dict[str, Any] | None, list[str]]:
    try:
        fit: CorrectedFit = found.corrected
    except (ValueError, np.linalg.LinAlgError) as error:
        return None, [f"No correction to scaling: {error}."]
    low, high = fit.interval(LEVEL)
    numbers = (fit.exponent, low, high, fit.correction)
    if not all(map(math.isfinite, numbers)):
        return None, ["No correction to scaling: the points do not determine it."]
    bend = np.log1p(fit.correction * curve.n**-fit.correction_exponent)
    notes = []
    if fit.correction_exponent in (CORRECTION_EXPONENTS[0], CORRECTION_EXPONENTS[-1]):
        notes.append(
            f"The correction's exponent w lies at the end of what is tried ({CORRECTION_EXPONENTS[0]:g} to "
            f"{CORRECTION_EXPONENTS[-1]:g}): the points do not determine it."
        )
    record = {
        "exponent": fit.exponent,
        "interval": [low, high],
        "w": fit.correction_exponent,
        "B": fit.correction,
        "amplitude": _amplitude(found.log_risk + fit.exponent * np.log(curve.n) - bend),
    }
    return record, notes


def _notes(curve: MeasuredCurve, found: Fit | PointFit) -> list[str]:
    notes = []
    if curve.basis == "residuals":
        notes.append(
            "The interval is that of ordinary least squares. It holds only if the points are independent, scatter alike (in "
            "relative terms) and lie on a straight line: curvature widens it, and points that share samples make it too short."
            if found.stderr is not None
            else "No interval: with so few points and no standard errors nothing is known of the scatter."
        )
    elif curve.basis == "independent":
        notes.append(
            "Points are taken as independent of each other. If the same samples or seeds serve several n, say which belong "
            "together in a column 'replicate': the interval changes."
        )
    elif curve.basis == "known":
        notes.append("If the same samples serve several n, the points are not independent, and the interval is wrong.")
    if not math.isnan(found.lack_of_fit) and found.lack_of_fit < BENT:
        notes.append(
            f"The points do not lie on a straight line (p = {found.lack_of_fit:.2g}): the exponent is an average over this "
            "range of n, and no limit. A floor that was not subtracted looks like this too."
        )
    return notes


def _amplitude(log_intercepts: Array) -> float | None:
    """exp of the mean; None where a double cannot hold it."""
    value = float(np.mean(log_intercepts))
    return math.exp(value) if abs(value) < 700.0 else None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def fit_rows(record: dict[str, Any]) -> list[tuple[str, str]]:
    """The record in words, as pairs of a name and a sentence."""
    points = record["points"]
    sizes = f"{len(points)} sample sizes from n = {points[0]['n']:.12g} to {points[-1]['n']:.12g}"
    counts = sorted({point["replicates"] for point in points})
    values = "" if counts == [1] else f", {counts[0]}{'' if len(counts) == 1 else f' to {counts[-1]}'} replicates each"
    rows = [
        ("points", sizes + values),
        ("exponent", f"{record['exponent']:.5g}" + _plus(record["stderr"])),
        ("interval", _interval(record["interval"], record["level"]) or "none"),
        ("rests on", BASES[record["basis"]]),
    ]
    if record["lack_of_fit"] is not None:
        rows.append(("straight?", f"p = {record['lack_of_fit']:.3g} that points of a straight line scatter so much"))
    rows += [
        ("local" if k == 0 else "", f"{one['exponent']:.4g} at n = {one['n']:.4g}" + _bracket(one["interval"]))
        for k, one in enumerate(record["local"])
    ]
    if (correction := record["correction"]) is not None:
        rows.append(
            (
                "correction",
                f"A n^-a (1 + B n^-w): a = {correction['exponent']:.4g}, {_interval(correction['interval'], record['level'])}, "
                f"w = {correction['w']:.3g}, B = {correction['B']:.3g}",
            )
        )
    return [*rows, *(("note", note) for note in record["notes"])]


def _plus(stderr: float | None) -> str:
    return "" if stderr is None else f" +- {stderr:.2g} (standard error)"


def _interval(ends: Sequence[float] | None, level: float) -> str:
    return "" if ends is None else f"{100 * level:g}% interval [{ends[0]:.5g}, {ends[1]:.5g}]"


def _bracket(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f", [{ends[0]:.4g}, {ends[1]:.4g}]"
