"""Runs read back: one audit or night as plain records, and all of them below a directory.

A run may come from a stranger. It is read from regular files of its own directory only (a link, a pipe or a device may lead
anywhere, or never end), every record is checked by :mod:`verifier.records`, and nothing in it is executed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from verifier import records
from verifier.claims import CLAIM_ID
from verifier.records import RecordError, RunDirectory

AUDIT, NIGHT = "audit", "night"
LARGEST = 1 << 30
"""Bytes of one file of a run; a larger one is refused before it is read."""
JUDGED = ("id", "digest", "verdict", "exponent", "tolerance", "score")
"""The columns of judgements.parquet that are compared and counted."""
DEEPEST = 3
"""How far below a directory runs are looked for: artifacts of several jobs lie in directories of their own."""


@dataclass(frozen=True)
class Outcome:
    """What one run says of one reading; ``judged`` counts the instances that its power is a mean over."""

    id: str
    verdict: str
    expected: str | None
    agrees: bool | None
    judged: int
    seconds: float
    power: Mapping[str, float]
    finding: Mapping[str, Any] = field(default_factory=dict)
    night: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A finished run: where it came from, the outcome of each reading, and its judgements where they were kept."""

    path: Path
    kind: str
    origin: Mapping[str, Any]
    outcomes: Mapping[str, Outcome]
    judgements: pd.DataFrame

    @property
    def name(self) -> str:
        """The name of its directory; where that lies is nobody's business."""
        return self.path.resolve().name

    @property
    def started(self) -> str:
        """When it began, in UTC: these texts sort as the times do."""
        return datetime.fromisoformat(self.origin["started"]).astimezone(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Skipped:
    """A run that could not be read, and why in a sentence."""

    name: str
    why: str


def load_run(path: records.PathLike) -> Run:
    """Read a finished audit or night; RecordError with a sentence for what is none, is damaged, or is too new."""
    path = Path(path)
    if not path.is_dir():
        raise RecordError(f"{path}: is no directory of a run: name one that holds run.json or night.json")
    places = RunDirectory(path)
    held = {place: own_file(place) for place in (places.run, places.night, places.findings, places.judgements)}
    if not held[places.run] and not held[places.night]:
        stopped = held[places.findings] or places.interrupted.exists()
        raise RecordError(
            f"{path}: holds neither run.json nor night.json: "
            + ("the run did not finish; give one that did" if stopped else "name the directory of a finished run")
        )
    night = records.load_night(path) if held[places.night] else None
    origin = records.load_run(path) if held[places.run] else night
    assert origin is not None
    findings = records.load_findings(path) if held[places.findings] else []
    if night is None and not held[places.findings]:
        raise RecordError(f"{path}: lacks findings.json: the run is not whole")
    judgements = (
        records.load_judgements(path, JUDGED) if held[places.judgements] else pd.DataFrame(columns=list(JUDGED))
    )
    outcomes = _outcomes(path, findings, night)
    whole = dict(origin) if night is None else {**origin, **night}
    _check_time(path, whole)
    return Run(path, AUDIT if night is None else NIGHT, whole, outcomes, judgements)


def find_runs(directory: records.PathLike) -> tuple[list[Run], list[Skipped]]:
    """All runs below a directory, the earliest first, and what looks like one and cannot be read.

    Nights that lie side by side in a directory of their own below ``directory``, and share no reading, are the shards of one night
    and come as one run.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise RecordError(f"{directory}: is no directory: name one that holds runs")
    found: list[Run] = []
    skipped: list[Skipped] = []
    for path in _candidates(directory, DEEPEST):
        try:
            found.append(load_run(path))
        except RecordError as error:
            name = path.relative_to(directory).as_posix()
            skipped.append(Skipped(name, str(error).replace(f"{path}{os.sep}", "").removeprefix(f"{path}: ")))
    shards: dict[Path, list[Run]] = {}
    for run in found:
        shards.setdefault(run.path.parent, []).append(run)
    whole = [
        run
        for parent, runs in shards.items()
        for run in ([_joined(parent, runs)] if parent != directory and _are_shards(runs) else runs)
    ]
    return sorted(whole, key=lambda run: (run.started, run.name)), skipped


def load_whole(path: records.PathLike) -> Run:
    """Read a run as :func:`load_run` does, or a night from the directory that holds its shards."""
    path = Path(path)
    if not path.is_dir() or _looks_like_a_run(path):
        return load_run(path)
    runs = [load_run(shard) for shard in _candidates(path, 1)]
    return _joined(path, runs) if _are_shards(runs) else load_run(path)


def _are_shards(runs: Sequence[Run]) -> bool:
    """Whether runs are parts of one night: several nights of which no two judged the same reading."""
    names = [name for run in runs for name in run.outcomes]
    return len(runs) > 1 and all(run.kind == NIGHT for run in runs) and len(set(names)) == len(names)


def _joined(path: Path, shards: Sequence[Run]) -> Run:
    """Shards as one run: it began with the first, took as long as the longest, and has the weightiest exit code."""
    first = min(shards, key=lambda shard: shard.started)
    origin = {
        **first.origin,
        "seconds": max(shard.origin["seconds"] for shard in shards),
        "exit_code": weightiest(shard.origin["exit_code"] for shard in shards),
    }
    outcomes = {name: outcome for shard in shards for name, outcome in shard.outcomes.items()}
    kept = [shard.judgements for shard in shards if len(shard.judgements)]
    return Run(path, NIGHT, origin, outcomes, pd.concat(kept, ignore_index=True) if kept else first.judgements)


def weightiest(codes: Iterable[int]) -> int:
    """The exit code of several runs together: 3, an error, before 1, a verdict that differs, before any other, the highest."""
    found = list(codes)
    return next((code for code in (3, 1) if code in found), max(found, default=0))


def _candidates(directory: Path, levels: int) -> Iterator[Path]:
    """Directories that hold a record of a run; links to directories are not followed."""
    if _looks_like_a_run(directory):
        yield directory
        return
    try:
        below = sorted(directory.iterdir())
    except OSError:
        return  # a directory that may not be listed holds nothing that could be read
    for path in below if levels else []:
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield from _candidates(path, levels - 1)


def _looks_like_a_run(path: Path) -> bool:
    places = RunDirectory(path)
    return any(os.path.lexists(place) for place in (places.run, places.night, places.findings))


def own_file(path: Path) -> bool:
    """Whether the file is there; RecordError where it is not a regular file of reasonable size."""
    try:
        state = os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not stat.S_ISREG(state.st_mode):
        kind = "a link" if stat.S_ISLNK(state.st_mode) else "no regular file"
        raise RecordError(f"{path}: is {kind}: a run is read from its own files only")
    if state.st_size > LARGEST:
        raise RecordError(f"{path}: has {state.st_size} bytes, more than the {LARGEST} of a record that is read")
    return True


def _check_time(path: Path, origin: Mapping[str, Any]) -> None:
    """Runs are ordered by their time, so that it has to be one."""
    try:
        known = datetime.fromisoformat(origin["started"]).tzinfo is not None
    except ValueError:
        known = False
    if not known:
        raise RecordError(
            f"{path}: $.started is {origin['started'][:60]!r}, expected a time such as 2026-03-04T09:15:00+00:00"
        )


def _outcomes(path: Path, findings: list[dict[str, Any]], night: Mapping[str, Any] | None) -> dict[str, Outcome]:
    """One outcome a reading: what the night counted, beside what its findings say."""
    by_id = {str(finding["id"]): finding for finding in findings}
    nightly = {str(reading["id"]): reading for reading in (night["readings"] if night is not None else [])}
    for file, held, listed in (
        ("findings.json", by_id, findings),
        ("night.json", nightly, (night or {}).get("readings", [])),
    ):
        if len(held) != len(listed):
            names = [str(item["id"]) for item in listed]
            twice = next(name for name in names if names.count(name) > 1)
            raise RecordError(f"{path / file}: holds the reading {twice!r} twice")
    for name in (*by_id, *nightly):
        if not CLAIM_ID.fullmatch(name):
            raise RecordError(f"{path}: a reading is called {name[:60]!r}, expected an id such as T1 or T1/s-above-1")
    outcomes = {}
    for name in [*nightly, *(name for name in by_id if name not in nightly)]:
        counted, finding = nightly.get(name, {}), by_id.get(name, {})
        said = counted or finding
        power = counted.get("power") if counted else (finding["power"] or {}).get("at")
        outcomes[name] = Outcome(
            id=name,
            verdict=str(said["verdict"]),
            expected=said["expected"],
            agrees=said["agrees"],
            judged=int(finding["instances"]["judged"] if finding else counted["examples"]),
            seconds=float(said["seconds"]),
            power={error: float(chance) for error, chance in (power or {}).items() if chance is not None},
            finding=finding,
            night=counted,
        )
    return outcomes
