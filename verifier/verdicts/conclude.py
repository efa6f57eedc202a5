"""The verdict on one reading after many bouts: their judgements merged, and confirmed as
:func:`verifier.verdicts.falsify.falsify` does.

Bouts only search. Here at most two instances of a reading are confirmed on fresh randomness, the minimal and the worst
violation or the nearest instance and one as it was drawn, so that the false-alarm budget of a run holds for the whole night.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from verifier import records
from verifier.claims import Claim
from verifier.instances import Instance
from verifier.verdicts.audit import Judged, error_finding, find_claim, recorded
from verifier.verdicts.bouts import LETTERS, judgement_of

# The conclusion of falsify, on a search that many bouts made: what survives and what does not stays written down once.
from verifier.verdicts.falsify import (
    ERROR,
    UNDERPOWERED,
    VACUOUS,
    Finding,
    by_proof,
    conclude_search,
    conclude_violation,
    failure,
    finding_of,
    shortfall_of,
)
from verifier.verdicts.measurement import missing
from verifier.verdicts.search import Budget, Counts, Search

MOST_ROWS = 200_000
"""Judgements that the power is averaged over, the first ones; all are counted."""

_NO_INSTANCE = cast(Instance, None)


def conclude(claim_id: str, pack: str | None, seed: int, bouts: list[dict[str, Any]], confirm: bool) -> Judged:
    """The record of a reading from its bouts, in order. Without ``confirm`` (the night was stopped) only violations are confirmed,
    and a reading without one is undecided.
    """
    claim = find_claim(claim_id, pack)
    return recorded(merged(claim, seed, bouts, confirm), pack)


def merged(claim: Claim, seed: int, bouts: Iterable[Mapping[str, Any]], confirm: bool = True) -> Finding:
    """The finding on a claim that its bouts amount to."""
    started = time.perf_counter()
    search = _Merged(claim, Budget(examples=1), seed, None)
    try:
        if claim.proof is not None:
            return by_proof(claim, seed, started)
        absent = missing(claim)
        if absent:
            return finding_of(search, VACUOUS, started, message=f"claim {claim.id} was not judged: {absent}")
        if claim.domain.is_empty:
            text = f"the domain of claim {claim.id} is empty: it draws no instance"
            return finding_of(search, VACUOUS, started, message=text)
        failed = search.take(bouts)
        if failed:
            finding = finding_of(search, ERROR, started, message=failed)
        elif search.minimal is not None:
            finding = conclude_violation(search, started)
        elif confirm:
            finding = conclude_search(search, started)
        else:
            text = (
                shortfall_of(claim, search.in_scope(), search.counts()) if search.in_scope() else "nothing was judged"
            )
            stopped = "the night was stopped: nothing found was a violation, and the evidence is not certified yet"
            finding = finding_of(search, UNDERPOWERED, started, message="; ".join(filter(None, (stopped, text))))
    except (Exception, SystemExit) as error:  # a claim is someone's code: what it raises is a finding about it
        return error_finding(claim, seed, failure(search, error))
    return replace(finding, judged=tuple(pair for pair in finding.judged if pair[0] is not _NO_INSTANCE))


class _Merged(Search):
    """A search that was made by many bouts; an instance that was judged in several counts once."""

    def take(self, bouts: Iterable[Mapping[str, Any]]) -> str:
        """Take in the bouts; the first error of one, empty where there is none."""
        self._letters = dict.fromkeys(LETTERS.values(), 0)
        smallest: tuple[int, str] | None = None
        known: set[str] = set()
        for bout in bouts:
            if bout["error"]:
                return str(bout["error"])
            for row in bout["rows"]:
                digest = row[0]
                kept = bout["kept"].get(digest)
                if digest not in known:
                    known.add(digest)
                    self._letters[row[1]] += 1
                elif kept is None or (digest in self.seen and self.seen[digest][0] is not _NO_INSTANCE):
                    continue
                if kept is not None or len(self.seen) < MOST_ROWS:
                    instance = _NO_INSTANCE if kept is None else Instance.from_json(kept["instance"])
                    self.seen[digest] = (instance, judgement_of(row))
            name = bout["minimal"]
            if name is not None and name in bout["kept"]:
                text = json.dumps(bout["kept"][name]["instance"], sort_keys=True)
                if smallest is None or (len(text), text) < smallest:
                    smallest = (len(text), text)
                    self.minimal = self.seen[name]
        return ""

    def counts(self) -> Counts:
        """How many instances got which verdict."""
        letters = getattr(self, "_letters", dict.fromkeys(LETTERS.values(), 0))
        return Counts(letters["c"], letters["v"], letters["i"], letters["o"])


def save_concluded(path: Path, judged: Judged) -> Path:
    """Keep a confirmed violation: it is not confirmed again when the night is resumed."""
    kept = {"schema": records.SCHEMA, "kind": "night-conclusion", **vars(judged)}
    return records.save_part(path, kept)


def load_concluded(path: Path) -> Judged:
    """A confirmed violation; RecordError where it is none."""
    found = records.load_part(path, "night-conclusion")
    if found["record"]["verdict"] != "FALSIFIED":
        raise records.RecordError(f"{path}: is no confirmed violation")
    return Judged(*(found[name] for name in ("record", "evidence", "judgements", "counterexamples")))
