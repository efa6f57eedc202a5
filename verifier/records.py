"""What is kept of a run, and where: JSON and parquet, written whole or not at all, and checked when read.

A run directory holds ``findings.json`` (one object a reading), ``run.json`` (what ran, on what, with which
controls), ``evidence.parquet`` (the points of every figure), ``judgements.parquet`` (every judged
instance), ``exhibits.json`` (figures of the paper drawn again), ``report.html`` and ``statements/`` (the pages),
``exhibits.csv`` and ``counterexamples/`` (one replayable file each). The form of each is written
down here once, as a table of checks, and used on both sides: what this module writes, it can read.

Every file carries the number of its schema. A reader refuses a number larger than its own, since it cannot
know what it would misread. Additional keys are allowed. Floats survive exactly (Python writes the shortest
decimal that returns the same double); ``nan`` and ``inf`` have no JSON and are refused by name, never
turned into null: a null that stands for infinity would come back as another instance.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = 1

Role = Literal["minimal", "worst", "typical"]
ROLES: tuple[Role, ...] = ("minimal", "worst", "typical")
PathLike = str | os.PathLike[str]
Check = Callable[[object, str], None]

_VERDICTS = ("SURVIVED", "FALSIFIED", "UNDERPOWERED", "VACUOUS", "ERROR")
_JUDGEMENTS = ("consistent", "violated", "inconclusive", "out-of-scope")
_PARQUET_SCHEMA_KEY = b"verifier.schema"
_UNFINISHED = ".tmp"
_MOST_ROWS = 20_000_000  # of parquet: a few bytes may stand for any number of equal ones
_DEEPEST = 64  # levels of nesting; the records of this verifier have fewer than twenty


class RecordError(ValueError):
    """A file of a run that cannot be read, written or trusted; the message names the file and the key."""


# ----------------------------------------------------------------------------------------------------
# Plain JSON


def plain(value: object, key: str = "$") -> Any:
    """Return ``value`` as plain JSON types: numpy scalars and arrays, tuples and mappings are unpacked.

    Raises RecordError, naming the key, for a number that is not finite, a key that is not a string, text
    that UTF-8 cannot hold, and every type that JSON has no form for.
    """
    match value:
        case None | bool():
            return value
        case np.bool_():
            return bool(value)
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            if not math.isfinite(value):
                raise RecordError(f"{key} is {float(value)}, which JSON cannot hold: record a finite number")
            return float(value)
        case str():
            return _encodable(value, key)
        case Mapping():
            return {_name(name, key): plain(item, f"{key}.{name}") for name, item in value.items()}
        case list() | tuple():
            return [plain(item, f"{key}[{index}]") for index, item in enumerate(value)]
        case np.ndarray():
            return plain(value.tolist(), key)
        case _:
            raise RecordError(f"{key} is of type {type(value).__name__}, which JSON has no form for")


def finite_or_none(value: float | None) -> float | None:
    """A finite float, or None: JSON has no infinity."""
    return None if value is None or not math.isfinite(value) else float(value)


def _name(name: object, key: str) -> str:
    if not isinstance(name, str):
        raise RecordError(f"{key} has the key {name!r}: keys are strings")
    return _encodable(str(name), key)


def _encodable(text: str, key: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RecordError(f"{key} holds text that UTF-8 cannot write: {error}") from None
    return str(text)


def write_json(path: PathLike, value: object) -> Path:
    """Write ``value`` as indented UTF-8 JSON, atomically; see :func:`plain` for what is refused."""
    path = Path(path)
    try:
        text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    except RecordError as error:
        raise RecordError(f"{path.name}: {error}") from None
    with _replacing(path) as stream:
        stream.write(text.encode("utf-8") + b"\n")
    return path


def write_new(path: PathLike, text: str) -> Path:
    """Write a UTF-8 text file that must not exist yet, atomically."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_UNFINISHED}")
        try:
            with open(beside, "xb") as stream:
                stream.write(text.encode("utf-8"))
                stream.flush()
                os.fsync(stream.fileno())
            _give_name(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise RecordError(f"{path}: cannot be written: {error.strerror or error}") from None
    _sync_directory(path.parent)
    return path


def _give_name(beside: Path, path: Path) -> None:
    """Give a finished file its name, unless that is taken: os.replace would not ask."""
    try:
        os.link(beside, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.replace(beside, path)


def write_text(path: PathLike, text: str) -> Path:
    """Write a UTF-8 text file, atomically, over an earlier one; RecordError names the file where that fails."""
    path = Path(path)
    try:
        with _replacing(path) as stream:
            stream.write(text.encode("utf-8"))
    except OSError as error:
        raise RecordError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def read_json(path: PathLike) -> Any:
    """Read strict JSON: no NaN, no Infinity, no number that overflows, no key twice. Raises RecordError."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}") from None
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_unique_keys)
        if _depth(value) > _DEEPEST:
            raise RecursionError
        return value
    except json.JSONDecodeError as error:
        raise RecordError(f"{path}: is not JSON: {error.msg} at line {error.lineno}") from None
    except RecursionError:
        raise RecordError(f"{path}: is nested too deeply to be a record of this verifier") from None
    except ValueError as error:
        raise RecordError(f"{path}: {error}") from None


def _depth(value: object) -> int:
    """How deep containers lie in one another, up to one level more than is read; counted without recursion, which is what a
    record that is nested too deeply would exhaust, here or farther on.
    """
    level: list[Any] = [value]
    depth = 0
    while depth <= _DEEPEST:
        level = [each for each in level if isinstance(each, (dict, list))]
        if not level:
            break
        depth += 1
        level = [item for each in level for item in (each.values() if isinstance(each, dict) else each)]
    return depth


def _refuse_constant(name: str) -> float:
    raise ValueError(f"holds {name}, which is not a finite number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"holds {digits}, which is too large for a double")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"holds the key {twice!r} twice in one object")
    return record


# ----------------------------------------------------------------------------------------------------
# Atomic files


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a stream beside ``path`` that becomes ``path`` when the block ends well, and vanishes when it
    does not.

    The bytes reach the disk before the name does, so a crash leaves the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_UNFINISHED}")
    try:
        with open(beside, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Make the new name itself durable where the system can open a directory (not on Windows)."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems refuse; the file itself is safe
    finally:
        os.close(handle)


# ----------------------------------------------------------------------------------------------------
# The form of a record: small checks that compose, each called with a value and the key it stands at


def _text(value: object, key: str) -> None:
    _expect(isinstance(value, str), value, key, "a string")


def _flag(value: object, key: str) -> None:
    _expect(isinstance(value, bool), value, key, "true or false")


def _whole(value: object, key: str) -> None:
    _expect(isinstance(value, int) and not isinstance(value, bool), value, key, "a whole number")


def _number(value: object, key: str) -> None:
    _expect(_is_double(value), value, key, "a finite number")


def _is_double(value: object) -> bool:
    """Whether a number fits a finite double: a whole number of any size is JSON, and no double beyond 1e308."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _anything(value: object, key: str) -> None:
    """Accept every JSON value: the form belongs to somebody else (an instance checks itself)."""


def _json_object(value: object, key: str) -> None:
    _object(value, key)


def _maybe(check: Check) -> Check:
    def maybe(value: object, key: str) -> None:
        if value is not None:
            check(value, key)

    return maybe


def _one_of(*words: str) -> Check:
    def one_of(value: object, key: str) -> None:
        _expect(isinstance(value, str) and value in words, value, key, "one of " + ", ".join(words))

    return one_of


def _list(check: Check, length: int | None = None) -> Check:
    wanted = "a list" if length is None else f"a list of {length}"

    def every(value: object, key: str) -> None:
        good = isinstance(value, list) and (length is None or len(value) == length)
        _expect(good, value, key, wanted)
        for index, item in enumerate(cast("list[object]", value)):
            check(item, f"{key}[{index}]")

    return every


def _table(check: Check) -> Check:
    def every(value: object, key: str) -> None:
        for name, item in _object(value, key).items():
            check(item, f"{key}.{name}")

    return every


def _either(first: Check, second: Check) -> Check:
    def either(value: object, key: str) -> None:
        (first if not isinstance(value, list) else second)(value, key)

    return either


def _form(checks: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Check an object that must have all the keys of ``checks``; those of ``optional`` are checked where they are, and further
    keys are allowed.
    """

    def form(value: object, key: str) -> None:
        record = _object(value, key)
        missing = [name for name in checks if name not in record]
        if missing:
            raise RecordError(f"{key} lacks the key{'s' * (len(missing) > 1)} {', '.join(missing)}")
        for name, check in (*checks.items(), *(optional or {}).items()):
            if name in record:
                check(record[name], f"{key}.{name}")

    return form


def _object(value: object, key: str) -> dict[str, object]:
    _expect(isinstance(value, dict), value, key, "an object")
    return cast("dict[str, object]", value)


def _expect(good: bool, value: object, key: str, wanted: str) -> None:
    if not good:
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        raise RecordError(f"{key} is {shown}, expected {wanted}")


_PREDICTED = _form({"kind": _text, "value": _maybe(_number)})

_CERTIFICATE = _form({"kind": _text, "text": _text, "data": _anything})

_CERTIFICATION = _form(
    {
        "agrees": _flag,
        "points": _list(
            _form(
                {
                    "n": _number,
                    "simulated": _number,
                    "stderr": _number,
                    "equivalent": _number,
                    "z": _maybe(_number),
                }
            )
        ),
        "replicates": _whole,
        "slope": _maybe(_number),
        "slope_stderr": _maybe(_number),
        "text": _text,
    }
)

# Where the heaviest tail of a mixture takes over; both are None where that is beyond reach.
_CROSSOVER = _form({"log10_index": _maybe(_number), "log10_n": _maybe(_number), "text": _text})

# Samples that depend on one another: a value at each lag, of correlations and of what is known of mixing coefficients; a sum that
# diverges is None.
_DEPENDENCE = _form(
    {
        "lags": _list(_whole),
        "rows": _list(_form({"name": _text, "values": _list(_maybe(_number)), "known": _text})),
        "sums": _list(_form({"of": _text, "value": _maybe(_number)})),
    }
)

# How many features there are at some n.
_WIDTH = _form({"n": _list(_number), "m": _list(_maybe(_number))})

_CASE = _form(
    {
        "instance": _json_object,
        "describe": _text,
        "digest": _text,
        "verdict": _one_of(*_JUDGEMENTS),
        "predicted": _maybe(_PREDICTED),
        "exponent": _maybe(_number),
        "tolerance": _maybe(_number),
        "interval": _maybe(_list(_number, length=2)),
        "reason": _text,
        "witness": _table(_number),
        "replay": _text,
        "certification": _maybe(_CERTIFICATION),
    },
    optional={
        "why": _text,
        "crossover": _maybe(_CROSSOVER),
        "dependence": _maybe(_DEPENDENCE),
        "width": _maybe(_WIDTH),
    },
)

_POWER = _form(
    {
        "kind": _text,
        "at": _table(_maybe(_number)),
        "tightest": _maybe(_number),
        "corner": _maybe(_number),
        "text": _text,
    }
)

_FINDING = _form(
    {
        "schema": _whole,
        "claim": _text,
        "reading": _text,
        "id": _text,
        "title": _text,
        "statement": _text,
        "latex": _text,
        "source": _text,
        "hypotheses": _list(_text),
        "note": _text,
        "cells": _list(_text),
        "prediction": _text,
        "tuning": _text,
        "observable": _form({"name": _text, "variable": _text, "ylabel": _text}),
        "verdict": _one_of(*_VERDICTS),
        "expected": _maybe(_one_of(*_VERDICTS)),
        "agrees": _maybe(_flag),
        "evidence": _list(_text),
        "instances": _form(dict.fromkeys(("judged", "consistent", "violated", "inconclusive", "out_of_scope"), _whole)),
        "size": _form({"level": _number, "confirmations": _whole, "cap": _whole, "text": _text}),
        "power": _maybe(_POWER),
        "calibration": _maybe(_json_object),
        "minimal": _maybe(_CASE),
        "worst": _maybe(_CASE),
        "typical": _maybe(_CASE),
        "certificate": _maybe(_CERTIFICATE),
        "proof": _maybe(_form({"text": _text, "steps": _list(_text)})),
        "message": _text,
        "seconds": _number,
    },
    optional={"explanation": _text},
)

_SERIES = _form(
    {
        "label": _text,
        "describe": _text,
        "instance": _json_object,
        "claimed": _maybe(_number),
        "equivalent": _maybe(_form({"n": _list(_number), "risk": _list(_number)})),
        "local_slope": _maybe(_form({"n": _list(_number), "slope": _list(_number)})),
        "simulated": _maybe(_form(dict.fromkeys(("n", "lam", "risk", "stderr"), _list(_number)))),
        "slopes": _list(
            _form(
                {
                    "n": _list(_number, length=2),
                    **dict.fromkeys(("equivalent", "simulated", "same_weights"), _maybe(_number)),
                    "interval": _maybe(_list(_number, length=2)),
                }
            )
        ),
        "crossover": _maybe(_CROSSOVER),
        "apart": _maybe(_number),
    }
)

_EXHIBITS = _form(
    {
        "schema": _whole,
        "kind": _one_of("exhibits"),
        "exhibits": _list(
            _form(
                {
                    "id": _text,
                    "claim": _text,
                    "text": _text,
                    "seed": _whole,
                    "replicates": _whole,
                    "tuning": _text,
                    "panels": _list(
                        _form(
                            {
                                "title": _text,
                                "text": _text,
                                "n": _list(_number, length=2),
                                "apart": _maybe(_number),
                                "series": _list(_SERIES),
                                "findings": _list(_text),
                            },
                            optional={"variable": _text},
                        )
                    ),
                    "message": _text,
                    "seconds": _number,
                }
            )
        ),
    }
)


def _exhibits(value: object, key: str) -> None:
    """Check the exhibits; the columns of a curve have one length, and the curves of a panel one set of windows."""
    _EXHIBITS(value, key)
    for place, exhibit in enumerate(cast("dict[str, Any]", value)["exhibits"]):
        for number, panel in enumerate(exhibit["panels"]):
            where = f"{key}.exhibits[{place}].panels[{number}]"
            windows = [[slope["n"] for slope in series["slopes"]] for series in panel["series"]]
            _expect(
                all(each == windows[0] for each in windows),
                windows,
                f"{where}.series",
                "the same windows in every series",
            )
            for own, series in enumerate(panel["series"]):
                for name in ("equivalent", "local_slope", "simulated"):
                    lengths = {column: len(values) for column, values in (series[name] or {}).items()}
                    _expect(
                        len(set(lengths.values())) <= 1,
                        lengths,
                        f"{where}.series[{own}].{name}",
                        "columns of one length",
                    )


_RUN = _form(
    {
        "schema": _whole,
        "version": _text,
        "commit": _maybe(_text),
        "dirty": _flag,
        "seed": _whole,
        "profile": _text,
        "jobs": _whole,
        "started": _text,
        "seconds": _number,
        "versions": _table(_text),
        "platform": _text,
        "command": _text,
        "controls": _list(
            _form(
                {
                    "id": _text,
                    "truth": _one_of("true", "false"),
                    "verdict": _one_of(*_VERDICTS),
                    "right": _flag,
                    "text": _text,
                }
            )
        ),
        "exit_code": _whole,
        "confirmations": _form({"spent": _whole, "cap": _whole, "level": _number}),
        "stale": _maybe(_flag),
    },
    optional={"code": _text},
)

_COUNTEREXAMPLE = _form(
    {
        "schema": _whole,
        "kind": _one_of("counterexample"),
        "claim": _text,
        "pack": _maybe(_text),
        "instance": _json_object,
        "seed": _whole,
        "role": _one_of(*ROLES),
        "predicted": _maybe(_PREDICTED),
        "verdict": _one_of(*_JUDGEMENTS),
        "exponent": _maybe(_number),
        "tolerance": _maybe(_number),
        "witness": _table(_number),
        "numbers": _table(_either(_number, _list(_number))),
        "numpy": _text,
        "version": _text,
        "certificate": _maybe(_CERTIFICATE),
    }
)


_EDGE = _form({"safe": _number, "broken": _maybe(_number), "vanishes": _flag, "only": _maybe(_number)})

_CONJUNCTION = _form(
    {
        "text": _text,
        "imposed": _list(_text),
        "conditions": _list(
            _form(
                {
                    "name": _text,
                    "text": _text,
                    "value": _maybe(_number),
                    "strict": _flag,
                    "edge": _maybe(_EDGE),
                    "needed": _maybe(_form({"instance": _json_object, "describe": _text, "reason": _text})),
                }
            )
        ),
        "same": _list(_text),
        "kept": _form({"kept": _whole, "drawn": _whole, "share": _number, "interval": _list(_number, length=2)}),
        "judged": _whole,
        "confirmation": _json_object,
    }
)

_FORMULA_REPAIR = _form(
    {
        "statement": _text,
        "claim": _text,
        "readings": _list(_text),
        "property": _text,
        "status": _text,
        "text": _text,
        "seed": _whole,
        "pool": _whole,
        "trials": _list(
            _form(
                {
                    "text": _text,
                    "meaning": _text,
                    "outcome": _text,
                    "claimed": _flag,
                    "judged": _whole,
                    "refuted": _whole,
                    "undecided": _whole,
                    "attacked": _whole,
                    "size": _number,
                    "counterexample": _maybe(_form({"instance": _json_object, "describe": _text, "reason": _text})),
                }
            )
        ),
        "message": _text,
        "interrupted": _flag,
        "seconds": _number,
    }
)

_REPAIRS = _form(
    {
        "schema": _whole,
        "kind": _one_of("repairs"),
        "version": _text,
        "command": _text,
        "repairs": _list(
            _form(
                {
                    "claim": _text,
                    "pack": _maybe(_text),
                    "statement": _text,
                    "status": _text,
                    "text": _text,
                    "seed": _whole,
                    "vocabulary": _list(_text),
                    "falsified": _json_object,
                    "repair": _maybe(_CONJUNCTION),
                    "alternatives": _list(_CONJUNCTION),
                    "beside": _list(_CONJUNCTION),
                    "rounds": _whole,
                    "refused": _list(_text),
                    "message": _text,
                    "interrupted": _flag,
                    "seconds": _number,
                }
            )
        ),
    },
    {"formulas": _list(_FORMULA_REPAIR)},
)


_FIT = _form(
    {
        "schema": _whole,
        "kind": _one_of("fit"),
        "version": _text,
        "file": _text,
        "basis": _one_of("paired", "independent", "known", "residuals"),
        "points": _list(_form({"n": _number, "risk": _number, "stderr": _maybe(_number), "replicates": _whole})),
        "exponent": _number,
        "stderr": _maybe(_number),
        "dof": _maybe(_number),
        "level": _number,
        "interval": _maybe(_list(_number, length=2)),
        "amplitude": _maybe(_number),
        "lack_of_fit": _maybe(_number),
        "local": _list(
            _form(
                {
                    "n": _number,
                    "exponent": _number,
                    "stderr": _maybe(_number),
                    "interval": _maybe(_list(_number, length=2)),
                }
            )
        ),
        "correction": _maybe(
            _form(
                {
                    "exponent": _number,
                    "interval": _list(_number, length=2),
                    "w": _number,
                    "B": _number,
                    "amplitude": _maybe(_number),
                }
            )
        ),
        "notes": _list(_text),
    }
)

_BOUNDARY = _form(
    {
        "y": _maybe(_number),
        "boundary": _number,
        "interval": _list(_number, length=2),
        "holds": _number,
        "fails": _number,
        "confirmed": _flag,
        "method": _one_of("gap", "bracket", "unresolved"),
        "text": _text,
        "instance": _maybe(_json_object),
        "describe": _maybe(_text),
    }
)

_MAP = _form(
    {
        "schema": _whole,
        "kind": _one_of("map"),
        "version": _text,
        "claim": _text,
        "reading": _text,
        "id": _text,
        "title": _text,
        "pack": _maybe(_text),
        "seed": _whole,
        "x": _text,
        "range": _list(_number, length=2),
        "logarithmic": _flag,
        "fixed": _table(_number),
        "boundary": _maybe(_number),
        "interval": _maybe(_list(_number, length=2)),
        "boundaries": _list(_BOUNDARY),
        "points": _list(
            _form(
                {
                    "x": _number,
                    "y": _maybe(_number),
                    "status": _one_of("holds", "fails", "undecided"),
                    **dict.fromkeys(("consistent", "inconclusive", "out_of_scope", "missing"), _whole),
                    **dict.fromkeys(("score", "gap", "tolerance"), _maybe(_number)),
                    "confirmed": _maybe(_flag),
                    "reason": _text,
                    "instance": _maybe(_json_object),
                    "describe": _maybe(_text),
                }
            )
        ),
        "notes": _list(_text),
        "draws": _whole,
        "missed": _number,
        "level": _number,
        "judgements": _whole,
        "confirmations": _whole,
        "interrupted": _flag,
        "seconds": _number,
    }
)

_MAP_OF_TWO = _form(
    {
        "y": _text,
        "y_range": _list(_number, length=2),
        "y_logarithmic": _flag,
        "curve": _list(_form({"y": _number, "boundaries": _list(_BOUNDARY)})),
    }
)


_NIGHT = _form(
    {
        "schema": _whole,
        "kind": _one_of("night"),
        "command": _text,
        "seed": _whole,
        "started": _text,
        "seconds": _number,
        "hours": _maybe(_number),
        "examples": _maybe(_whole),
        "jobs": _whole,
        "engine": _one_of("loky", "dask"),
        "rounds": _whole,
        "resumed": _whole,
        "readings": _list(
            _form(
                {
                    "id": _text,
                    "pack": _maybe(_text),
                    "verdict": _one_of(*_VERDICTS),
                    "expected": _maybe(_one_of(*_VERDICTS)),
                    "agrees": _maybe(_flag),
                    "examples": _whole,
                    "distinct": _whole,
                    "corners": _list(_form({"name": _text, "examples": _whole})),
                    "seconds": _number,
                    "rounds": _whole,
                    "nearest": _maybe(_number),
                    "undecided": _whole,
                    "power": _maybe(_table(_number)),
                    "corner": _maybe(_number),
                }
            )
        ),
        "damage": _list(_form({"where": _text, "what": _text})),
        "exit_code": _whole,
        "version": _text,
        "commit": _maybe(_text),
        "dirty": _flag,
        "versions": _table(_text),
        "platform": _text,
    },
    optional={"code": _text, "shards": _whole},
)


def _row(value: object, key: str) -> None:
    """A judgement in short (:func:`verifier.verdicts.bouts.judgement_of`)."""
    _list(_anything, length=9)(value, key)
    checks = (
        _text,
        _one_of("c", "v", "i", "o"),
        _maybe(_text),
        *(_maybe(_number),) * 3,
        _number,
        _maybe(_number),
        _text,
    )
    for index, (check, item) in enumerate(zip(checks, cast("list[object]", value), strict=True)):
        check(item, f"{key}[{index}]")


def _choice(value: object, key: str) -> None:
    _expect(isinstance(value, (bool, int, float, str)), value, key, "a number, a text, true or false")


_BOUT = _form(
    {
        "schema": _whole,
        "kind": _one_of("bout"),
        "id": _text,
        "pack": _maybe(_text),
        "round": _whole,
        "number": _whole,
        "purpose": _text,
        "order": _text,
        "error": _text,
        "rows": _list(_row),
        "kept": _table(_form({"instance": _json_object, "choices": _maybe(_list(_choice))})),
        "minimal": _maybe(_text),
        "behaviours": _table(_whole),
        "corners": _table(_whole),
        "thresholds": _table(_list(_number, length=2)),
        "examples": _whole,
        "damage": _list(_form({"where": _text, "what": _text})),
        "seconds": _number,
    }
)

# Near-violations of one reading: the choices that draw them from its domain, and for people the instances.
_NEAR_VIOLATIONS = _form(
    {
        "schema": _whole,
        "kind": _one_of("near-violations"),
        "id": _text,
        "entries": _list(
            _form({"score": _number, "choices": _list(_choice), "instance": _json_object, "describe": _text})
        ),
    }
)

# What a night was asked for: all that its bouts depend on.
_ORDERS = _form(
    {
        "schema": _whole,
        "kind": _one_of("night-orders"),
        "command": _text,
        "seed": _whole,
        "started": _text,
        "hours": _maybe(_number),
        "examples": _maybe(_whole),
        "code": _text,
        "readings": _list(_form({"id": _text, "pack": _maybe(_text), "corpus": _list(_list(_choice))})),
        "corpus": _maybe(_text),
        "directory": _maybe(_text),
        "database": _maybe(_text),
    },
    optional={"shards": _whole},
)

_SESSION = _form(
    {
        "schema": _whole,
        "kind": _one_of("night-session"),
        "seconds": _number,
        "resumed": _whole,
        "damage": _list(_form({"where": _text, "what": _text})),
    }
)

# A confirmed violation: what concluded it is not done again when the night is resumed.
_CONCLUDED = _form(
    {
        "schema": _whole,
        "kind": _one_of("night-conclusion"),
        "record": _FINDING,
        "evidence": _list(_json_object),
        "judgements": _list(_json_object),
        "counterexamples": _table(_COUNTEREXAMPLE),
    }
)

_PLACE = {"id": _text, "digest": _text}
_FROM_TO = {"from": _number, "to": _number, "tolerance": _number}
_CONTROL = _form({"verdict": _one_of(*_VERDICTS), "right": _flag})
_SOME_CASES = _list(_form({**_PLACE, "role": _one_of(*ROLES), "describe": _text}))
_DIFF = _form(
    {
        "schema": _whole,
        "kind": _one_of("diff"),
        "version": _text,
        "runs": _list(
            _form(
                {
                    "name": _text,
                    "kind": _one_of("audit", "night"),
                    "started": _text,
                    "seed": _whole,
                    "readings": _whole,
                    "exit_code": _whole,
                }
            ),
            length=2,
        ),
        "common": _whole,
        "verdicts": _list(_form({"id": _text, **dict.fromkeys(("from", "to"), _one_of(*_VERDICTS))})),
        "expected": _list(_form({"id": _text, **dict.fromkeys(("from", "to"), _maybe(_one_of(*_VERDICTS)))})),
        "agreement": _list(_form({"id": _text, **dict.fromkeys(("from", "to"), _maybe(_flag))})),
        **dict.fromkeys(("appeared", "gone"), _list(_form({"id": _text, "verdict": _one_of(*_VERDICTS)}))),
        "claims": _list(_form(dict.fromkeys(("id", "name", "from", "to"), _text))),
        "counterexamples": _form({"new": _SOME_CASES, "gone": _SOME_CASES}),
        "exponents": _list(_form({**_PLACE, "describe": _text, **_FROM_TO})),
        "instances": _list(
            _form(
                {
                    "id": _text,
                    **dict.fromkeys(("common", "moved", "turned"), _whole),
                    "largest": _maybe(_form({"digest": _text, **_FROM_TO})),
                    "first": _maybe(_form({"digest": _text, **dict.fromkeys(("from", "to"), _one_of(*_JUDGEMENTS))})),
                }
            )
        ),
        "power": _list(_form({"id": _text, "error": _text, **_FROM_TO})),
        "calibration": _list(_form({"id": _text, "name": _text, "from": _anything, "to": _anything})),
        "provenance": _list(_form({"name": _text, "from": _anything, "to": _anything})),
        "controls": _list(_form({"id": _text, **dict.fromkeys(("from", "to"), _maybe(_CONTROL))})),
        "exit_code": _whole,
    }
)


def _map(value: object, key: str) -> None:
    """Check a map; one of two parameters has further keys."""
    _MAP(value, key)
    if "y" in _object(value, key):
        _MAP_OF_TWO(value, key)


def _checked(record: object, check: Check, path: Path, key: str = "$") -> Any:
    """Return ``record`` if its schema is known and ``check`` accepts it; the error names file and key."""
    try:
        schema = _object(record, key).get("schema")
        _whole(schema, f"{key}.schema")
        _refuse_newer(cast(int, schema))
        check(record, key)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from None
    return record


def _refuse_newer(schema: int) -> None:
    if schema > SCHEMA:
        raise RecordError(f"was written with schema {schema}, this verifier reads up to {SCHEMA}: install a newer one")


# ----------------------------------------------------------------------------------------------------
# The run directory


@dataclass(frozen=True)
class RunDirectory:
    """Where one run is kept. Works wherever a path does: ``load_findings(directory)``."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    @classmethod
    def create(cls, out: PathLike | None = None, *, seed: int = 0, now: datetime | None = None) -> RunDirectory:
        """Make the directory ``out``, by default ``runs/<UTC stamp>-seed<seed>``, and return it empty of
        records.

        The records of an earlier run are removed, so that none of its counterexamples survives among the
        new ones. A directory that holds anything else is refused: RecordError names it and the remedy.
        """
        path = _fresh(seed, now) if out is None else Path(out)
        if path.exists() and not path.is_dir():
            raise RecordError(f"{path} is a file: name a directory that is new, empty or of an earlier run")
        try:
            path.mkdir(parents=True, exist_ok=True)
            _clear(path)
        except OSError as error:
            raise RecordError(
                f"{path}: cannot be written: {error.strerror or error}; name a directory that can"
            ) from None
        return cls(path)

    @property
    def findings(self) -> Path:
        """One object a reading."""
        return self.path / "findings.json"

    @property
    def run(self) -> Path:
        """What ran, on what, with which controls."""
        return self.path / "run.json"

    @property
    def night(self) -> Path:
        """What a night searched, reached and found."""
        return self.path / "night.json"

    @property
    def orders(self) -> Path:
        """What a night was asked for: --resume goes by it."""
        return self.path / "orders.json"

    @property
    def session(self) -> Path:
        """How long a night has searched, how often it was resumed, and what was damaged on the way."""
        return self.path / "session.json"

    @property
    def bouts(self) -> Path:
        """The directory of a night's bouts."""
        return self.path / "bouts"

    @property
    def corpus(self) -> Path:
        """The directory of a night's near-violations."""
        return self.path / "corpus"

    @property
    def concluded(self) -> Path:
        """The directory of a night's confirmed violations."""
        return self.path / "concluded"

    @property
    def evidence(self) -> Path:
        """The points of every figure."""
        return self.path / "evidence.parquet"

    @property
    def judgements(self) -> Path:
        """Every judged instance."""
        return self.path / "judgements.parquet"

    @property
    def exhibits(self) -> Path:
        """The figures of the paper, drawn again."""
        return self.path / "exhibits.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def statements(self) -> Path:
        """The directory of pages, one a statement."""
        return self.path / "statements"

    @property
    def exhibit_table(self) -> Path:
        """The points of the exhibits as CSV."""
        return self.path / "exhibits.csv"

    @property
    def interrupted(self) -> Path:
        """The verdicts that were reached before a run was stopped."""
        return self.path / "interrupted.json"

    @property
    def counterexamples(self) -> Path:
        """The directory of replayable files."""
        return self.path / "counterexamples"

    def counterexample(self, claim_id: str, role: Role) -> Path:
        """Return where the counterexample of that claim and role is kept; see :func:`counterexample_name`."""
        return self.counterexamples / counterexample_name(claim_id, role)


def counterexample_name(claim_id: str, role: Role) -> str:
    """Return ``T1-s-above-1.minimal.json`` for ``T1/s-above-1``."""
    return f"{slug(claim_id)}.{role}.json"


def slug(text: str) -> str:
    """Return ``text`` with everything replaced by a hyphen that a shell or a path could take for its own."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "claim"


def _fresh(seed: int, now: datetime | None) -> Path:
    """Return a new name below runs/; a second run within the same second gets a number."""
    stamp = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"{stamp}-seed{seed}{suffix}" for suffix in ("", *(f"-{count}" for count in range(2, 1000))))
    return next(path for path in (Path("runs") / name for name in names) if not path.exists())


def _clear(path: Path) -> None:
    """Remove the records of an earlier run from ``path``; RecordError when it holds something else."""
    run = RunDirectory(path)
    for place in (run.counterexamples, run.statements, run.bouts, run.corpus, run.concluded):
        if place.is_symlink():  # what lies behind it is not of this run, and would be removed
            raise RecordError(f"{place} is a link: remove it, or name a new or empty directory")
    ours = {run.findings, run.run, run.evidence, run.judgements, run.report, run.interrupted}
    ours |= {run.exhibits, run.exhibit_table, run.night, run.orders, run.session}
    parts = (run.counterexamples, run.bouts, run.corpus, run.concluded)
    replays = [file for place in parts if place.is_dir() for file in place.glob("*.json")]
    pages = list(run.statements.glob("*.html")) if run.statements.is_dir() else []
    unfinished = [entry for entry in path.rglob(f".*{_UNFINISHED}") if entry.is_file()]
    known_places = {*ours, *parts, run.statements, *unfinished}
    strangers = [entry.name for entry in path.iterdir() if entry not in known_places]
    known = not any(path.iterdir()) or any(
        mark.exists() for mark in (run.findings, run.run, run.interrupted, run.orders)
    )
    if strangers or not known:
        example = f", such as {sorted(strangers)[0]}," if strangers else ""
        raise RecordError(f"{path} holds files{example} that are not of a run: name a new or empty directory")
    for entry in (*ours, *replays, *pages, *unfinished):
        entry.unlink(missing_ok=True)


# ----------------------------------------------------------------------------------------------------
# Writers and readers, one pair a file


def save_findings(run_dir: PathLike, findings: Sequence[Mapping[str, Any]]) -> Path:
    """Write findings.json; every finding is checked first."""
    path = RunDirectory(Path(run_dir)).findings
    records = _plain(list(findings), path)
    for index, record in enumerate(records):
        _checked(record, _FINDING, path, f"$[{index}]")
    return write_json(path, records)


def load_findings(run_dir: PathLike) -> list[dict[str, Any]]:
    """Read findings.json."""
    path = RunDirectory(Path(run_dir)).findings
    records = read_json(path)
    if not isinstance(records, list):
        raise RecordError(f"{path}: $ is not a list of findings")
    return [_checked(record, _FINDING, path, f"$[{index}]") for index, record in enumerate(records)]


def save_run(run_dir: PathLike, run: Mapping[str, Any]) -> Path:
    """Write run.json."""
    path = RunDirectory(Path(run_dir)).run
    return write_json(path, _checked(_plain(run, path), _RUN, path))


def load_run(run_dir: PathLike) -> dict[str, Any]:
    """Read run.json."""
    path = RunDirectory(Path(run_dir)).run
    return dict(_checked(read_json(path), _RUN, path))


def save_night(run_dir: PathLike, night: Mapping[str, Any]) -> Path:
    """Write night.json."""
    return _save(RunDirectory(Path(run_dir)).night, night, _NIGHT)


def load_night(run_dir: PathLike) -> dict[str, Any]:
    """Read night.json."""
    return _load(RunDirectory(Path(run_dir)).night, _NIGHT)


_PARTS = {
    "bout": _BOUT,
    "near-violations": _NEAR_VIOLATIONS,
    "night-orders": _ORDERS,
    "night-session": _SESSION,
    "night-conclusion": _CONCLUDED,
}
"""The records that a night keeps while it runs, by kind."""


def save_part(path: PathLike, record: Mapping[str, Any]) -> Path:
    """Write one record of a running night; its ``kind`` says which form it has."""
    return _save(path, record, _PARTS[record["kind"]])


def load_part(path: PathLike, kind: str) -> dict[str, Any]:
    """Read one record of a running night."""
    return _load(path, _PARTS[kind])


def save_exhibits(run_dir: PathLike, exhibits: Sequence[Mapping[str, Any]]) -> Path:
    """Write exhibits.json: the figures of the paper drawn again (:mod:`verifier.verdicts.reproduction`)."""
    record = {"schema": SCHEMA, "kind": "exhibits", "exhibits": list(exhibits)}
    return _save(RunDirectory(Path(run_dir)).exhibits, record, _exhibits)


def load_exhibits(run_dir: PathLike) -> list[dict[str, Any]]:
    """Read exhibits.json; an empty list where the run has none."""
    path = RunDirectory(Path(run_dir)).exhibits
    return list(_load(path, _exhibits)["exhibits"]) if path.exists() else []


def save_counterexample(path: PathLike, record: Mapping[str, Any]) -> Path:
    """Write one replayable counterexample."""
    path = Path(path)
    return write_json(path, _checked(_plain(record, path), _COUNTEREXAMPLE, path))


def load_counterexample(path: PathLike) -> dict[str, Any]:
    """Read one counterexample. Nothing in the file is executed or imported, whatever it says."""
    return _load(path, _COUNTEREXAMPLE)


def save_fit(path: PathLike, record: Mapping[str, Any]) -> Path:
    """Write the fit of a measured curve; RecordError names the file where that fails."""
    return _save(path, record, _FIT)


def save_repairs(path: PathLike, record: Mapping[str, Any]) -> Path:
    """Write the outcome of ``verifier repair``; RecordError names the file where that fails."""
    return _save(path, record, _REPAIRS)


def load_repairs(path: PathLike) -> dict[str, Any]:
    """Read the outcome of ``verifier repair``."""
    return _load(path, _REPAIRS)


def load_fit(path: PathLike) -> dict[str, Any]:
    """Read the fit of a measured curve."""
    return _load(path, _FIT)


def save_map(path: PathLike, record: Mapping[str, Any]) -> Path:
    """Write the map of a reading; RecordError names the file where that fails."""
    return _save(path, record, _map)


def load_map(path: PathLike) -> dict[str, Any]:
    """Read the map of a reading."""
    return _load(path, _map)


def save_diff(path: PathLike, record: Mapping[str, Any]) -> Path:
    """Write what changed between two runs (:mod:`verifier.diff`)."""
    return _save(path, record, _DIFF)


def load_diff(path: PathLike) -> dict[str, Any]:
    """Read what changed between two runs."""
    return _load(path, _DIFF)


def _save(path: PathLike, record: Mapping[str, Any], form: Check) -> Path:
    path = Path(path)
    checked = _checked(_plain(record, path), form, path)
    try:
        return write_json(path, checked)
    except OSError as error:
        raise RecordError(f"{path}: cannot be written: {error.strerror or error}") from None


def _load(path: PathLike, form: Check) -> dict[str, Any]:
    path = Path(path)
    return dict(_checked(read_json(path), form, path))


def _plain(value: object, path: Path) -> Any:
    try:
        return plain(value)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from None


# ----------------------------------------------------------------------------------------------------
# Parquet


def _column(name: str, kind: pa.DataType, null: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=null)


EVIDENCE = pa.schema(
    [
        _column("id", pa.string()),
        _column("role", pa.string()),
        _column("series", pa.string()),
        _column("x", pa.float64()),
        _column("y", pa.float64()),
        _column("lo", pa.float64(), null=True),
        _column("hi", pa.float64(), null=True),
    ]
)
JUDGEMENTS = pa.schema(
    [
        _column("id", pa.string()),
        _column("digest", pa.string()),
        _column("instance", pa.string()),
        _column("verdict", pa.string()),
        _column("predicted_kind", pa.string(), null=True),
        _column("predicted", pa.float64(), null=True),
        _column("exponent", pa.float64(), null=True),
        _column("tolerance", pa.float64(), null=True),
        _column("score", pa.float64(), null=True),
    ]
)


def save_evidence(run_dir: PathLike, evidence: pd.DataFrame) -> Path:
    """Write evidence.parquet: the columns of :data:`EVIDENCE`; lo and hi are null without a band."""
    return write_parquet(RunDirectory(Path(run_dir)).evidence, evidence, EVIDENCE)


def load_evidence(run_dir: PathLike) -> pd.DataFrame:
    """Read evidence.parquet."""
    return read_parquet(RunDirectory(Path(run_dir)).evidence, EVIDENCE)


def save_judgements(run_dir: PathLike, judgements: pd.DataFrame) -> Path:
    """Write judgements.parquet: the columns of :data:`JUDGEMENTS`; a bound has no exponent, so null."""
    return write_parquet(RunDirectory(Path(run_dir)).judgements, judgements, JUDGEMENTS)


def load_judgements(run_dir: PathLike, only: Sequence[str] | None = None) -> pd.DataFrame:
    """Read judgements.parquet, or some of its columns: the instances are most of a large file."""
    columns = JUDGEMENTS if only is None else pa.schema([JUDGEMENTS.field(name) for name in only])
    return read_parquet(RunDirectory(Path(run_dir)).judgements, columns)


def write_parquet(path: PathLike, frame: pd.DataFrame, columns: pa.Schema) -> Path:
    """Write ``frame`` atomically as parquet with exactly ``columns`` and the schema in its metadata."""
    path = Path(path)
    missing = [name for name in columns.names if name not in frame.columns]
    if missing:
        raise RecordError(f"{path}: lacks the columns {', '.join(missing)}")
    # Nulls are let through here and refused below, with the row.
    lenient = pa.schema([field.with_nullable(True) for field in columns])
    try:
        table = pa.Table.from_pandas(frame[columns.names], schema=lenient, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise RecordError(f"{path}: {error}") from None
    _check_table(table, columns, path)
    with _replacing(path) as stream:
        pq.write_table(table.cast(columns.with_metadata({_PARQUET_SCHEMA_KEY: str(SCHEMA)})), stream)
    return path


def read_parquet(path: PathLike, columns: pa.Schema) -> pd.DataFrame:
    """Read the ``columns`` of a parquet file that :func:`write_parquet` wrote with them, and perhaps with others."""
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            file = pq.ParquetFile(stream)
            _check_parquet(file, columns)
            table = file.read(columns=columns.names)
            table.validate(full=True)  # text is UTF-8, and what is said to lie in the file lies there
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from None
    except pa.ArrowInvalid as error:
        raise RecordError(f"{path}: is not parquet: {error}") from None
    except (pa.ArrowException, UnicodeDecodeError) as error:  # the latter where the name of a column is torn
        raise RecordError(f"{path}: is damaged: {error}") from None
    except OSError as error:  # which Arrow raises of a damaged page as well
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from None
    _check_table(table, columns, path)
    frame: pd.DataFrame = table.select(columns.names).to_pandas()
    return frame


def _check_parquet(file: pq.ParquetFile, columns: pa.Schema) -> None:
    """Refuse a file that :func:`write_parquet` did not write, is too new or too long, or lacks a column, before it is read."""
    schema = file.schema_arrow
    number = (schema.metadata or {}).get(_PARQUET_SCHEMA_KEY, b"")
    if not (number.isdigit() and len(number) < 10):
        raise RecordError("carries no schema number, so this verifier did not write it")
    _refuse_newer(int(number))
    if file.metadata.num_rows > _MOST_ROWS:
        raise RecordError(f"says that it has {file.metadata.num_rows} rows, more than the {_MOST_ROWS} that are read")
    wrong = [
        field.name for field in columns if field.name not in schema.names or schema.field(field.name).type != field.type
    ]
    if wrong:
        raise RecordError(f"the columns {', '.join(wrong)} are absent or of another type")


def _check_table(table: pa.Table, columns: pa.Schema, path: Path) -> None:
    """Refuse nulls where ``columns`` forbids them, and infinities everywhere, naming column and row."""
    for field in columns:
        column = table.column(field.name)
        nulls = np.asarray(column.is_null().to_numpy())
        if not field.nullable and nulls.any():
            raise RecordError(f"{path}: the column {field.name} has no value in row {int(np.argmax(nulls))}")
        if pa.types.is_floating(field.type):
            infinite = ~(nulls | np.isfinite(column.to_numpy()))
            if infinite.any():
                raise RecordError(f"{path}: the column {field.name} is not finite in row {int(np.argmax(infinite))}")
