"""The audit: every reading judged, controls beside them, records and the page written as they come.

Readings are independent of each other, and each is keyed by its own id and the run's seed, so that neither the number of
workers nor their order changes a verdict. Workers are sent the name of a claim and its pack, never code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis.database import DirectoryBasedExampleDatabase

from verifier import provenance, records
from verifier.claims import Claim, installed_packs, load_pack
from verifier.verdicts.controls import controls, failed_control, run_control
from verifier.verdicts.falsify import ERROR, Finding, falsify
from verifier.verdicts.findings import (
    counterexample_record,
    evidence_rows,
    finding_record,
    from_pack,
    judgement_rows,
)
from verifier.verdicts.reproduction import failed, reproduce
from verifier.verdicts.search import CONFIRMATIONS, FALSE_ALARMS, Budget, Counts
from verifier.verdicts.shipped import calibration_of, is_stale
from verifier.verdicts.workers import Lost, Task, run_tasks

EXAMPLES = {"quick": 40, "full": 400}
CONFIRMATIONS_A_READING = 2  # the minimal and the worst violation, or the closest instance and one as it was drawn
DATABASE = ".hypothesis/examples"  # of the full profile only: quick audits are repeatable
AGREES, DIFFERS, UNDECIDED, FAILED = 0, 1, 2, 3


@dataclass(frozen=True)
class AuditEvent:
    """Progress of an audit: ``stage`` is "start", "controls", "reading", "exhibit" or "report".

    Or "damage": what ``id`` names was lost, and ``text`` says what is done about it.
    """

    stage: str
    id: str = ""
    verdict: str = ""
    seconds: float = 0.0
    done: int = 0
    total: int = 0
    text: str = ""


@dataclass(frozen=True)
class AuditResult:
    """What an audit wrote."""

    findings: list[dict[str, Any]]
    run: dict[str, Any]
    exit_code: int
    report: Path
    directory: Path


@dataclass(frozen=True)
class Judged:
    """What a worker sends back: plain records only."""

    record: dict[str, Any]
    evidence: list[dict[str, Any]]
    judgements: list[dict[str, Any]]
    counterexamples: dict[records.Role, dict[str, Any]]


@dataclass(frozen=True)
class _Drawn:
    """What a worker sends back of an exhibit: its record."""

    record: dict[str, Any]


@dataclass(frozen=True)
class _Failed:
    """What a worker sends back that could not load the claim it was asked for."""

    id: str
    message: str


def run_audit(
    claims: Sequence[Claim],
    *,
    profile: str = "quick",
    seed: int = 0,
    jobs: int = 1,
    out: Path,
    progress: Callable[[AuditEvent], None] | None = None,
    command: str = "",
    packs: Mapping[str, str] | None = None,
) -> AuditResult:
    """Judge the claims and write findings, evidence, counterexamples and the page into the directory ``out``.

    ``packs`` names the pack (module:attribute) of each claim that is not installed. What is finished is written after
    every reading, so that an interruption loses nothing. A worker that is killed costs time; a claim whose workers die
    whenever it is judged is an ERROR of that claim.
    """
    if profile not in EXAMPLES:
        raise ValueError(f"profile={profile!r} must be one of {', '.join(EXAMPLES)}")
    refuse_too_many(len(claims))
    packs = packs or {}
    tell = progress or (lambda event: None)
    started, clock = datetime.now(UTC), time.perf_counter()
    names = [claim.id for claim, _ in controls(seed)]
    shown = [claim for claim in claims if claim.exhibit is not None]
    total = len(claims) + len(names) + len(shown)
    tell(AuditEvent("start", total=total))

    order = {claim.id: place for place, claim in enumerate(claims)}
    control_records: list[dict[str, Any]] = []
    judged: dict[str, Judged] = {}
    exhibits: dict[str, dict[str, Any]] = {}
    tasks = [Task(run_control, (name, seed)) for name in names]
    tasks += [Task(_judge_claim, (claim.id, packs.get(claim.id), profile, seed)) for claim in claims]
    tasks += [Task(_draw_exhibit, (claim.id, packs.get(claim.id), seed)) for claim in shown]
    by_id = {claim.id: claim for claim in claims}
    done = 0

    def damaged(where: str, what: str) -> None:
        tell(AuditEvent("damage", where, done=done, total=total, text=what))

    for done, result in enumerate(run_tasks(tasks, min(jobs, total), on_damage=damaged), start=1):
        if isinstance(result, Lost):
            result = _given_up(result, by_id, seed, packs)
        if isinstance(result, _Failed):
            result = recorded(error_finding(by_id[result.id], seed, result.message), packs.get(result.id))
        if isinstance(result, Judged):
            calibrate_records([result])
            judged[result.record["id"]] = result
            for role, record in result.counterexamples.items():
                name = records.counterexample_name(result.record["id"], role)
                records.save_counterexample(out / "counterexamples" / name, record)
            records.save_findings(out, [judged[i].record for i in sorted(judged, key=order.__getitem__)])
            tell(
                AuditEvent(
                    "reading",
                    result.record["id"],
                    result.record["verdict"],
                    result.record["seconds"],
                    done,
                    total,
                )
            )
        elif isinstance(result, _Drawn):
            exhibits[result.record["id"]] = result.record
            records.save_exhibits(out, [exhibits[i] for i in sorted(exhibits, key=order.__getitem__)])
            tell(AuditEvent("exhibit", result.record["id"], "", result.record["seconds"], done, total))
        else:
            control_records.append(result)
            tell(AuditEvent("controls", result["id"], result["verdict"], 0.0, done, total))

    finished = [judged[claim.id] for claim in claims]
    findings = [item.record for item in finished]
    control_records.sort(key=lambda record: names.index(record["id"]))
    spent = confirmations(findings, control_records)
    code = exit_code(findings, control_records)
    run = {
        "schema": records.SCHEMA,
        **provenance.provenance(),
        "seed": seed,
        "profile": profile,
        "jobs": jobs,
        "started": started.isoformat(timespec="seconds"),
        "seconds": time.perf_counter() - clock,
        "command": command,
        "controls": control_records,
        "exit_code": code,
        "confirmations": spent,
        "stale": is_stale(),
    }
    evidence = evidence_table(finished)
    tell(AuditEvent("report", done=total, total=total))
    records.save_run(out, run)
    records.save_evidence(out, evidence)
    records.save_judgements(out, judgement_table(finished))
    from reports import write_report

    drawn = [exhibits[claim.id] for claim in shown]
    page = write_report(out, findings, run, evidence, drawn)
    return AuditResult(findings, run, code, page, out)


def budget_of(shards: int) -> int:
    """Confirmations that one of so many runs may make which share one false-alarm budget: each is made at the same level."""
    return CONFIRMATIONS // shards


def refuse_too_many(claims: int, shards: int = 1) -> None:
    """ValueError where a run could spend more confirmations than its false-alarm budget, or its share of it, is divided by."""
    budget = budget_of(shards)
    most = max(0, budget // CONFIRMATIONS_A_READING - len(controls(0)))
    if claims > most:
        of = "a run" if shards == 1 else f"a shard, one of {shards}"
        raise ValueError(
            f"{claims} claims could spend more than the {budget} confirmations of {of}; its false-alarm rate holds for "
            f"at most {most} claims: name some with --only"
        )


def exit_code(findings: Sequence[Mapping[str, Any]], control_records: Sequence[Mapping[str, Any]]) -> int:
    """3 on an error or a wrong control, 1 when a verdict differs from its expected one, 2 when one is undecided."""
    if any(f["verdict"] == ERROR for f in findings) or not all(c["right"] for c in control_records):
        return FAILED
    wrong = [f for f in findings if f["agrees"] is False]
    if any(f["verdict"] in ("SURVIVED", "FALSIFIED") for f in wrong):
        return DIFFERS
    return UNDECIDED if wrong else AGREES


def _judge_claim(claim_id: str, pack: str | None, profile: str, seed: int) -> Judged | _Failed:
    """Judge one claim, found by name. An exception of the machinery is a finding with verdict ERROR about that claim."""
    try:
        claim = find_claim(claim_id, pack)
    except (Exception, SystemExit) as error:  # the pack loaded once, in the process that named the claim
        return _Failed(claim_id, f"claim {claim_id} could not be loaded again: {error}")
    database = DirectoryBasedExampleDatabase(DATABASE) if profile == "full" else None
    try:
        finding = falsify(claim, budget=Budget(examples=EXAMPLES[profile]), seed=seed, database=database)
        return recorded(finding, pack)
    except (Exception, SystemExit) as error:  # one claim may not take the others with it
        return recorded(error_finding(claim, seed, f"claim {claim.id}: {type(error).__name__}: {error}"), pack)


def _draw_exhibit(claim_id: str, pack: str | None, seed: int) -> _Drawn:
    """Draw the exhibit of one claim, found by name; what goes wrong is said in its place and costs no verdict."""
    claim = find_claim(claim_id, pack)
    try:
        return _Drawn(reproduce(claim, seed))
    except (Exception, SystemExit) as error:  # an exhibit of a pack may not take the verdicts with it
        return _Drawn(failed(claim, seed, f"the exhibit of claim {claim.id}: {type(error).__name__}: {error}"))


def _given_up(lost: Lost, claims: Mapping[str, Claim], seed: int, packs: Mapping[str, str]) -> Any:
    """The record of a task that never came back: a finding or a control that failed, an exhibit that was not drawn."""
    name = lost.task.arguments[0]
    if lost.task.function is _judge_claim:
        return recorded(error_finding(claims[name], seed, f"claim {name} was {lost.what}"), packs.get(name))
    if lost.task.function is _draw_exhibit:
        return _Drawn(failed(claims[name], seed, f"the exhibit of claim {name} was {lost.what}"))
    return failed_control(name, seed, f"control {name} was {lost.what}")


def error_finding(claim: Claim, seed: int, message: str) -> Finding:
    """The finding on a claim that could not be judged."""
    return Finding(claim, ERROR, seed, Counts(), None, 0, 0.0, message=message)


def recorded(finding: Finding, pack: str | None) -> Judged:
    """The records of a finding on a claim of that pack, without its calibration (:func:`calibrate_records`)."""
    finding = from_pack(finding, pack)
    files = {role: counterexample_record(finding, role, pack) for role in records.ROLES}
    return Judged(
        record=finding_record(finding, calibrated=False),
        evidence=evidence_rows(finding),
        judgements=judgement_rows(finding),
        counterexamples={role: record for role, record in files.items() if record is not None},
    )


def calibrate_records(judged: Iterable[Judged]) -> None:
    """Write into the records what the calibration says of their readings. The process that collects them does it: each worker
    would have to read all code first, to see whether the calibration is stale.
    """
    for each in judged:
        each.record["calibration"] = calibration_of(each.record["id"])


def find_claim(claim_id: str, pack: str | None) -> Claim:
    """The claim of that id, from its pack or from the installed ones."""
    packs = installed_packs() if pack is None else (pack,)
    for spec in packs:
        try:
            claims = load_pack(spec)
        except ValueError:
            if pack is not None:
                raise
            continue  # a broken pack does not hide the claims of the others
        for claim in claims:
            if claim.id == claim_id:
                return claim
    raise ValueError(f"no claim is called {claim_id!r} in {pack or 'the installed packs'}")


def confirmations(
    findings: Sequence[Mapping[str, Any]], control_records: Sequence[dict[str, Any]], shards: int = 1
) -> dict[str, Any]:
    """What a run, or one of so many shards, spent of its false-alarm budget; the counts of the controls, told nowhere else, are
    taken out of them.
    """
    spent = sum(f["size"]["confirmations"] for f in findings) + sum(c.pop("confirmations") for c in control_records)
    return {"spent": spent, "cap": budget_of(shards), "level": FALSE_ALARMS / CONFIRMATIONS}


def evidence_table(finished: Sequence[Judged]) -> pd.DataFrame:
    """The evidence of all readings as one table."""
    rows = [row for item in finished for row in item.evidence]
    return pd.DataFrame(rows, columns=["id", "role", "series", "x", "y", "lo", "hi"])


def judgement_table(finished: Sequence[Judged]) -> pd.DataFrame:
    """The judgements of all readings as one table."""
    columns = [
        "id",
        "digest",
        "instance",
        "verdict",
        "predicted_kind",
        "predicted",
        "exponent",
        "tolerance",
        "score",
    ]
    return pd.DataFrame([row for item in finished for row in item.judgements], columns=columns)
