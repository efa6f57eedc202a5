"""The near-violations of a reading: where to look first, in later bouts and in later nights.

An entry is the choices that draw an instance from the reading's domain (:mod:`verifier.verdicts.choices`), with its score. The
files are JSON and may come from anybody: their form is checked, their instances are checked as instances are, and what is
judged is never what a file says but what the domain draws from the choices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier import records
from verifier.instances import Instance
from verifier.records import RecordError
from verifier.verdicts.choices import Choice
from verifier.verdicts.workers import OnDamage

KEPT = 12
ALIKE = 3  # entries made of the same ingredients
FED = 4  # entries that a bout starts from
LARGEST = 1 << 20  # bytes of a file


@dataclass(frozen=True)
class Entry:
    """A near-violation: ``score`` is the distance to a violation in tolerances, from below."""

    score: float
    choices: tuple[Choice, ...]
    instance: dict[str, Any]

    @property
    def kinds(self) -> str:
        """Which ingredients the instance is made of."""
        parts = [part for part in self.instance.values() if isinstance(part, dict)]
        return " ".join(sorted(str(part.get("kind", part.get("type", sorted(part)))) for part in parts))


def best(entries: Iterable[Entry]) -> list[Entry]:
    """The nearest entries, at most ``ALIKE`` of the same ingredients and ``KEPT`` in all."""
    chosen: list[Entry] = []
    alike: dict[str, int] = {}
    seen: set[str] = set()
    for entry in sorted(entries, key=lambda e: (-e.score, len(e.choices), json.dumps(e.choices))):
        name = json.dumps(entry.instance, sort_keys=True)
        if name in seen or alike.get(entry.kinds, 0) >= ALIKE or len(chosen) == KEPT:
            continue
        seen.add(name)
        alike[entry.kinds] = alike.get(entry.kinds, 0) + 1
        chosen.append(entry)
    return chosen


def file_name(claim_id: str) -> str:
    """Name of the file of a reading."""
    return f"{records.slug(claim_id)}.json"


def save_entries(directory: Path, claim_id: str, entries: Sequence[Entry]) -> Path:
    """Write the near-violations of a reading."""
    made = [
        {
            "score": entry.score,
            "choices": list(entry.choices),
            "instance": entry.instance,
            "describe": Instance.from_json(entry.instance).describe(),
        }
        for entry in entries
    ]
    record = {"schema": records.SCHEMA, "kind": "near-violations", "id": claim_id, "entries": made}
    return records.save_part(directory / file_name(claim_id), record)


def load_entries(directory: Path, claim_id: str, tell: OnDamage) -> list[Entry]:
    """The near-violations that a directory holds of a reading; a damaged file, or entry, is named and left out."""
    path = directory / file_name(claim_id)
    if not path.exists():
        return []
    try:
        if path.stat().st_size > LARGEST:
            raise RecordError(f"{path}: is longer than {LARGEST} bytes, which no corpus of this verifier is")
        record = records.load_part(path, "near-violations")
        if record["id"] != claim_id:
            raise RecordError(f"{path}: belongs to the reading {record['id']!r}")
    except (RecordError, OSError) as error:
        tell(f"corpus of {claim_id}", f"{error}; the search starts without it")
        return []
    found = []
    for place, entry in enumerate(record["entries"]):
        try:
            Instance.from_json(entry["instance"])
        except (ValueError, TypeError, KeyError) as error:
            tell(f"corpus of {claim_id}", f"entry {place} is left out: {error}")
            continue
        found.append(Entry(float(entry["score"]), tuple(entry["choices"]), entry["instance"]))
    return best(found)
