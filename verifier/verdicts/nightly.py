"""The night: rounds of bouts on every reading, more of them where progress is likely; what was found is confirmed at the end.

A round is planned from finished rounds only (:mod:`verifier.verdicts.allocation`), and its bouts are independent of each other,
so that for one seed and one number of examples any number of workers gives the same bouts and the same verdicts. The clock
decides only how many rounds there are: the first is always whole, and once the time is over no bout is started.

Every bout is written when it is finished. A night that was stopped, killed, or ran into a full disk goes on from there
(:func:`resume_night`): what is whole is read back, what is damaged is named and run again. Of the run's false-alarm budget each
reading may spend two confirmations (:mod:`verifier.verdicts.conclude`); a violation that is confirmed is not confirmed again.
Nights that are shards of one share one budget: each confirmation is made at the level of the whole, and of their number each
shard has its part.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verifier import provenance, records
from verifier.claims import Claim
from verifier.instances import Instance
from verifier.records import RecordError, RunDirectory
from verifier.verdicts import choices
from verifier.verdicts.allocation import Share, Standing, plan_round
from verifier.verdicts.audit import (
    Judged,
    calibrate_records,
    confirmations,
    error_finding,
    evidence_table,
    exit_code,
    judgement_table,
    recorded,
    refuse_too_many,
)
from verifier.verdicts.bouts import order_digest, run_bout
from verifier.verdicts.conclude import conclude, load_concluded, save_concluded
from verifier.verdicts.controls import controls, failed_control, run_control
from verifier.verdicts.corpus import FED, Entry, best, file_name, load_entries, save_entries
from verifier.verdicts.shipped import is_stale
from verifier.verdicts.workers import Lost, SchedulerError, Task, run_tasks

INTERRUPTED = 130
MOST_HOURS = 1e4
MOST_SHARDS = 50
MOST_DAMAGE, LONGEST_DAMAGE = 500, 400  # entries of night.json, and characters of one


class NightError(RuntimeError):
    """A night that cannot go on because its records cannot be written; one sentence with the remedy."""


class NothingToResume(ValueError):
    """A directory that holds no night which this verifier could go on with; one sentence with the remedy."""


@dataclass(frozen=True)
class NightEvent:
    """Progress of a night: ``stage`` is "controls", "bout", "confirming", "interrupted", "report" or "damage" (of ``text``)."""

    stage: str
    round: int = 0
    done: int = 0
    total: int = 0
    examples: int = 0
    seconds: float = 0.0
    near: int = 0
    found: int = 0
    text: str = ""


@dataclass(frozen=True)
class NightResult:
    """What a night wrote."""

    findings: list[dict[str, Any]]
    run: dict[str, Any]
    night: dict[str, Any]
    exit_code: int
    report: Path


def run_night(
    claims: Sequence[Claim],
    *,
    out: Path,
    hours: float | None = None,
    examples: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    scheduler: str | None = None,
    directory: Path | None = None,
    database: str | None = None,
    corpus: Path | None = None,
    packs: Mapping[str, str] | None = None,
    progress: Callable[[NightEvent], None] | None = None,
    command: str = "",
    shards: int = 1,
) -> NightResult:
    """Search for ``hours``, or until ``examples`` instances a reading are judged on average (whichever is first), and report.

    ``out`` is an empty run directory. ``directory`` and ``database`` (a Redis) keep Hypothesis's examples, ``corpus`` the
    near-violations, from night to night; without them the night is repeatable. ``packs`` names the pack of each claim that is
    not installed. ``shards``: so many nights, of which this is one, share one false-alarm budget; ValueError where the claims
    could spend more than this one's part of it.
    """
    if hours is None and examples is None:
        raise ValueError("hours=None, examples=None: give at least one of them, the night would not end")
    if hours is not None and not 0.0 < hours < MOST_HOURS:
        raise ValueError(f"hours={hours!r} must be a positive number of hours, such as 0.5")
    if examples is not None and examples < 1:
        raise ValueError(f"examples={examples!r} must be at least 1")
    if not 1 <= shards <= MOST_SHARDS:
        raise ValueError(f"shards={shards!r} must be the number of nights that share a budget, 1 to {MOST_SHARDS}")
    refuse_too_many(len(claims), shards)
    packs = packs or {}
    damage: list[dict[str, str]] = []
    readings = []
    for claim in claims:
        known = [] if corpus is None else load_entries(corpus, claim.id, _collect(damage))
        fed = [list(entry.choices) for entry in known]
        readings.append({"id": claim.id, "pack": packs.get(claim.id), "corpus": fed})
    orders = {
        "schema": records.SCHEMA,
        "kind": "night-orders",
        "command": command,
        "seed": seed,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "hours": hours,
        "examples": examples,
        "code": provenance.code_digest(),
        "readings": readings,
        "corpus": None if corpus is None else str(corpus),
        "directory": None if directory is None else str(directory),
        "database": database,
        "shards": shards,
    }
    run = RunDirectory(out)
    try:
        records.save_part(run.orders, orders)
    except RecordError as error:
        raise NightError(f"{error}; nothing was searched: make room, or name another --out") from None
    night = _Night(run, orders, {claim.id: claim for claim in claims}, jobs, scheduler, progress)
    night.damage += damage
    return night.go()


def resume_night(
    out: Path,
    claims: Mapping[str, Claim],
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    progress: Callable[[NightEvent], None] | None = None,
) -> NightResult:
    """Go on with the night in the directory ``out``. NothingToResume where it holds none, or other code searched there."""
    run = RunDirectory(out)
    try:
        orders = records.load_part(run.orders, "night-orders")
    except RecordError as error:
        raise NothingToResume(f"{out} holds no night to resume: {error}") from None
    if orders["code"] != provenance.code_digest():
        raise NothingToResume(f"{out} was searched by other code, whose verdicts may differ: begin a new night")
    missing = [reading["id"] for reading in orders["readings"] if reading["id"] not in claims]
    if missing:
        raise NothingToResume(f"the reading {missing[0]!r} of the night in {out} is not registered: name its --pack")
    chosen = {reading["id"]: claims[reading["id"]] for reading in orders["readings"]}
    refuse_too_many(len(chosen), orders.get("shards", 1))
    night = _Night(run, orders, chosen, jobs, scheduler, progress)
    night.earlier()
    return night.go()


def _collect(damage: list[dict[str, str]]) -> Callable[[str, str], None]:
    return lambda where, what: damage.append({"where": where, "what": what})


def _prepare_report() -> None:
    """Load and compile what draws the page, which takes seconds and is kept."""
    from reports.figures import drawings, engine

    engine()
    drawings()


@dataclass
class _State:
    """What a night knows of one reading."""

    standing: Standing = field(default_factory=Standing)
    corners: Counter[str] = field(default_factory=Counter)
    thresholds: dict[str, list[float]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    written: list[Entry] = field(default_factory=list)  # those that the corpus holds
    files: list[Path] = field(default_factory=list)
    failed: str = ""
    seconds: float = 0.0
    rounds: int = 0


class _Night:
    """One session of a night."""

    def __init__(
        self,
        run: RunDirectory,
        orders: Mapping[str, Any],
        claims: Mapping[str, Claim],
        jobs: int,
        scheduler: str | None,
        progress: Callable[[NightEvent], None] | None,
    ) -> None:
        self.run, self.orders, self.claims = run, orders, claims
        self.jobs, self.scheduler = jobs, scheduler
        self.cluster, self.worked = scheduler, False  # the scheduler as long as it is there; whether any task came back
        self.tell = progress or (lambda event: None)
        self.packs = {reading["id"]: reading["pack"] for reading in orders["readings"]}
        self.fed = {reading["id"]: reading["corpus"] for reading in orders["readings"]}
        self.states = {name: _State() for name in claims}
        self.searched = [name for name, claim in claims.items() if claim.proof is None]
        self.damage: list[dict[str, str]] = []
        self.resumed, self.spent_before = 0, 0.0
        self.clock = time.monotonic()
        self.rounds = self.done = self.total = 0
        self.running = 0  # examples of the bouts of this round, which are not yet taken into account
        self.interrupted = False
        self.preparing: threading.Thread | None = None

    # -- the order of things

    def earlier(self) -> None:
        """Take over the clock and the damage of earlier sessions."""
        self.resumed = 1
        if not self.run.session.exists():
            return
        try:
            session = records.load_part(self.run.session, "night-session")
        except RecordError as error:
            self._damaged("session.json", f"{error}; the time that was spent before is not counted")
            return
        self.spent_before = session["seconds"]
        self.resumed = session["resumed"] + 1
        self.damage += session["damage"]

    def go(self) -> NightResult:
        """Controls, rounds, confirmations, report."""
        checked: list[dict[str, Any]] = []
        try:
            self._save_session()
            checked = self._controls()
            self._search()
        except KeyboardInterrupt:
            self._interrupt()
        except RecordError as error:
            raise self._stopped(error) from None
        concluded: dict[str, Judged] = {}
        try:
            return self._end(concluded, checked)
        except KeyboardInterrupt:
            if self.interrupted:
                raise
            self._interrupt()
            return self._end(concluded, checked)

    def _interrupt(self) -> None:
        self.interrupted = True
        self._event("interrupted")

    def _end(self, concluded: dict[str, Judged], checked: list[dict[str, Any]]) -> NightResult:
        """Confirmations and report; ``concluded`` takes up what was concluded, so that after a stop only the rest is left."""
        try:
            self._save_corpus()
            self._save_session()
            self._conclude(concluded)
            return self._report(concluded, checked)
        except (RecordError, OSError) as error:
            raise self._stopped(error) from None

    def _stopped(self, error: RecordError | OSError) -> NightError:
        """What ends a night whose records cannot be written, such as a full disk."""
        where = f"{self.run.path}: " if isinstance(error, OSError) else ""
        return NightError(f"{where}{error}; what was found before is kept: verifier nightly --resume {self.run.path}")

    def _seconds(self) -> float:
        return self.spent_before + time.monotonic() - self.clock

    def _over(self) -> bool:
        hours = self.orders["hours"]
        return hours is not None and self._seconds() >= 3600.0 * hours

    def _tasks(self, tasks: Sequence[Task] | Iterator[Task]) -> Iterator[Any]:
        """Results as they come. A cluster that cannot be used to begin with is an error; one that worked ends no night."""
        left = iter(tasks)
        try:
            for result in run_tasks(left, self.jobs, self.cluster, on_damage=self._damaged):
                self.worked = True
                yield result
        except SchedulerError as error:
            if not self.worked:
                raise
            self._damaged("scheduler", f"{error}; the night goes on without it, on this machine")
            self.cluster = None
            yield from run_tasks(left, self.jobs, on_damage=self._damaged)

    def _controls(self) -> list[dict[str, Any]]:
        seed = self.orders["seed"]
        names = [claim.id for claim, _ in controls(seed)]
        found = []
        for result in self._tasks([Task(run_control, (name, seed)) for name in names]):
            if isinstance(result, Lost):
                name = result.task.arguments[0]
                result = failed_control(name, seed, f"control {name} was {result.what}")
            found.append(result)
            self._event("controls", done=len(found), total=len(names))
        return sorted(found, key=lambda record: names.index(record["id"]))

    # -- the search

    def _search(self) -> None:
        for number in itertools.count():
            if number > 0 and self._over():
                return
            standings = {name: self.states[name].standing for name in self.searched}
            shares = plan_round(number, standings, self._left())
            if not shares:
                return
            self.rounds = number + 1
            self._round(number, shares)
            self._save_session()
            self._save_corpus()

    def _left(self) -> int | None:
        """Examples that may still be judged."""
        each = self.orders["examples"]
        if each is None:
            return None
        spent = sum(state.standing.examples for state in self.states.values())
        return max(0, int(each) * len(self.searched) - spent)

    def _round(self, number: int, shares: Sequence[Share]) -> None:
        """Run the bouts of a round, those of earlier sessions apart, and take what they found into account in their order."""
        orders = {self._path(number, place): self._order(number, share) for place, share in enumerate(shares)}
        finished = {path: bout for path, order in orders.items() if (bout := self._read(path, order)) is not None}
        self.done, self.total = len(finished), len(orders)
        todo = {order_digest(order): path for path, order in orders.items() if path not in finished}
        waiting = (Task(run_bout, (orders[path],)) for path in todo.values() if number == 0 or not self._over())
        try:
            for result in self._tasks(waiting):
                if isinstance(result, Lost):
                    order = result.task.arguments[0]
                    self.states[
                        order["id"]
                    ].failed = f"a bout of claim {order['id']} was {result.what[:LONGEST_DAMAGE]}"
                    self.states[order["id"]].standing.failed = True
                    continue
                path = todo[result["order"]]
                self._write(path, result)
                finished[path] = result
                self.running += result["examples"]
                self._event("bout")
        finally:
            self.running = 0
            for state in self.states.values():
                state.standing.improved = False
            for path in orders:
                if path in finished:
                    self._take(path, finished[path])

    def _path(self, number: int, place: int) -> Path:
        return self.run.bouts / f"{number:05d}-{place:05d}.json"

    def _order(self, number: int, share: Share) -> dict[str, Any]:
        state = self.states[share.id]
        near = [list(entry.choices) for entry in state.entries[:FED]]
        fed = self.fed[share.id]
        # Of an earlier night as many in turns; what they are worth is seen when they are judged.
        near += [fed[(share.number + k) % len(fed)] for k in range(min(FED, len(fed)))]
        return {
            "id": share.id,
            "pack": self.packs[share.id],
            "round": number,
            "number": share.number,
            "purpose": share.purpose,
            "examples": share.examples,
            "seed": self.orders["seed"],
            "violated": state.standing.violated,
            "nearest": state.standing.nearest,
            "thresholds": state.thresholds,
            "corpus": near,
            "directory": self.orders["directory"],
            "database": self.orders["database"],
        }

    def _read(self, path: Path, order: Mapping[str, Any]) -> dict[str, Any] | None:
        """A bout of an earlier session, None where there is none; one that is damaged is named and run again."""
        if not path.exists():
            return None
        try:
            bout = records.load_part(path, "bout")
            if bout["order"] != order_digest(order):
                raise RecordError(f"{path}: is of another bout")
            for digest, kept in bout["kept"].items():
                self._check(order["id"], path, digest, kept)
        except RecordError as error:
            self._damaged(f"bouts/{path.name}", f"{error}; it is run again")
            return None
        return bout

    def _check(self, name: str, path: Path, digest: str, kept: Mapping[str, Any]) -> None:
        """RecordError unless an instance is what its choices draw from the domain: a file is no reason to leave the domain."""
        try:
            instance = Instance.from_json(kept["instance"])
            drawn = None
            if kept["choices"] is not None and choices.available():
                drawn = choices.draw(self.claims[name].domain, random.Random(0), prefix=kept["choices"])
                if drawn is None or drawn.instance != instance:
                    raise ValueError("the domain does not draw it")
        except (Exception, SystemExit) as error:  # the domain is someone's code
            raise RecordError(f"{path}: the instance {digest} is not what it says: {error}") from None

    def _take(self, path: Path, bout: Mapping[str, Any]) -> None:
        """Take a finished bout into account."""
        state = self.states[bout["id"]]
        standing = state.standing
        state.files.append(path)
        state.seconds += bout["seconds"]
        state.rounds = bout["round"] + 1
        for each in bout["damage"]:
            self._damaged(each["where"], each["what"])
        standing.bouts += 1
        if bout["error"]:
            standing.failed = True
            return
        standing.examples += bout["examples"]
        standing.undecided += sum(row[1] == "i" for row in bout["rows"])
        standing.violated = standing.violated or bout["minimal"] is not None
        for name, count in bout["behaviours"].items():
            standing.behaviours[name] = standing.behaviours.get(name, 0) + count
        state.corners.update(bout["corners"])
        state.thresholds = bout["thresholds"] or state.thresholds
        scores = {row[0]: row[6] for row in bout["rows"] if row[1] == "c"}
        nearest = max(scores.values(), default=None)
        if nearest is not None and (standing.nearest is None or nearest > standing.nearest):
            standing.nearest, standing.improved = nearest, True
        found = [
            Entry(scores[digest], tuple(kept["choices"]), kept["instance"])
            for digest, kept in bout["kept"].items()
            if digest in scores and kept["choices"] is not None
        ]
        state.entries = best([*state.entries, *found])

    # -- what is written while it runs

    def _write(self, path: Path, bout: Mapping[str, Any]) -> None:
        self.done += 1
        records.save_part(path, bout)

    def _save_session(self) -> None:
        record = {
            "schema": records.SCHEMA,
            "kind": "night-session",
            "seconds": self._seconds(),
            "resumed": self.resumed,
            "damage": self.damage,
        }
        records.save_part(self.run.session, record)

    def _save_corpus(self) -> None:
        """Write the near-violations into the night, and where later nights look for them; a corpus that cannot be written is
        named.
        """
        places = [self.run.corpus, *([] if self.orders["corpus"] is None else [Path(self.orders["corpus"])])]
        for name, state in self.states.items():
            entries = state.entries
            if entries == state.written:
                continue
            try:
                for place in places:
                    save_entries(place, name, entries)
                state.written = entries
            except RecordError as error:
                self._damaged(f"corpus of {name}", f"{error}; later nights start without it")

    def _damaged(self, where: str, what: str) -> None:
        entry = {"where": where[:LONGEST_DAMAGE], "what": what[:LONGEST_DAMAGE]}
        if entry not in self.damage and len(self.damage) < MOST_DAMAGE:
            self.damage.append(entry)
            self._event("damage", text=f"{entry['where']}: {entry['what']}")

    def _event(self, stage: str, *, done: int | None = None, total: int | None = None, text: str = "") -> None:
        standings = [state.standing for state in self.states.values()]
        self.tell(
            NightEvent(
                stage,
                self.rounds,
                self.done if done is None else done,
                self.total if total is None else total,
                self.running + sum(each.examples for each in standings),
                self._seconds(),
                sum(len(state.entries) for state in self.states.values()),
                sum(each.violated for each in standings),
                text,
            )
        )

    # -- the end

    def _conclude(self, found: dict[str, Judged]) -> None:
        """Bring into ``found`` the readings that are not there."""
        if self.preparing is None and (self.jobs > 1 or self.cluster is not None):
            # This process waits for others: otherwise they would wait for it.
            self.preparing = threading.Thread(target=_prepare_report)
            self.preparing.start()
        for name in [name for name in self.claims if name not in found]:
            path = self.run.concluded / file_name(name)
            if self.resumed and path.exists():
                try:
                    found[name] = self._timed(self._concluded_before(path, name))
                except RecordError as error:
                    self._damaged(f"concluded/{path.name}", f"{error}; it is confirmed again")
        left = [name for name in self.claims if name not in found]
        for name in [name for name in left if self.states[name].failed]:
            finding = error_finding(self.claims[name], self.orders["seed"], self.states[name].failed)
            found[name] = self._timed(recorded(finding, self.packs[name]))
        # What was slow to search is slow to certify: it goes first, so that no worker waits for the others at the end.
        left = sorted((name for name in left if name not in found), key=lambda name: -self._cost(name))
        tasks = (Task(conclude, self._to_conclude(name)) for name in left)
        for result in self._tasks(tasks):
            if isinstance(result, Lost):
                name = result.task.arguments[0]
                finding = error_finding(self.claims[name], self.orders["seed"], f"claim {name} was {result.what[:400]}")
                result = recorded(finding, self.packs[name])
            name = result.record["id"]
            for role, record in result.counterexamples.items():
                records.save_counterexample(self.run.counterexample(name, role), record)
            if result.record["verdict"] == "FALSIFIED" and self.claims[name].proof is None:
                save_concluded(self.run.concluded / file_name(name), result)
            found[name] = self._timed(result)
            self._event("confirming", done=len(found), total=len(self.claims))
        calibrate_records(found.values())

    def _timed(self, judged: Judged) -> Judged:
        """With the time of the search, once what is kept for another session was written without it."""
        judged.record["seconds"] += self.states[judged.record["id"]].seconds
        return judged

    def _cost(self, name: str) -> float:
        """Seconds that an example of a reading took."""
        state = self.states[name]
        return state.seconds / max(state.standing.examples, 1)

    def _concluded_before(self, path: Path, name: str) -> Judged:
        judged = load_concluded(path)
        if judged.record["id"] != name:
            raise RecordError(f"{path}: is of the reading {judged.record['id']!r}")
        if not self.states[name].standing.violated:
            raise RecordError(f"{path}: is of a violation that no bout found")
        return judged

    def _to_conclude(self, name: str) -> tuple[Any, ...]:
        bouts = [records.load_part(path, "bout") for path in self.states[name].files]
        return (name, self.packs[name], self.orders["seed"], bouts, not self.interrupted)

    def _report(self, judged: Mapping[str, Judged], checked: list[dict[str, Any]]) -> NightResult:
        if self.preparing is not None:
            self.preparing.join()
        from reports import write_report
        from verifier.history import earlier_nights

        finished = [judged[name] for name in self.claims]
        findings = [each.record for each in finished]
        shards = self.orders.get("shards", 1)
        spent = confirmations(findings, checked, shards)
        code = INTERRUPTED if self.interrupted else exit_code(findings, checked)
        origin = provenance.provenance()
        common = {
            "schema": records.SCHEMA,
            **origin,
            "seed": self.orders["seed"],
            "jobs": self.jobs,
            "started": self.orders["started"],
            "seconds": self._seconds(),
            "command": self.orders["command"],
            "exit_code": code,
        }
        run = common | {
            "profile": "nightly",
            "controls": checked,
            "confirmations": spent,
            "stale": is_stale(),
        }
        night = common | {
            "kind": "night",
            "hours": self.orders["hours"],
            "examples": self.orders["examples"],
            "shards": shards,
            "engine": "loky" if self.scheduler is None else "dask",
            "rounds": self.rounds,
            "resumed": self.resumed,
            "readings": [self._reading(name, judged[name].record) for name in self.claims],
            "damage": self.damage,
        }
        evidence = evidence_table(finished)
        self._event("report")
        records.save_findings(self.run, findings)
        records.save_evidence(self.run, evidence)
        records.save_judgements(self.run, judgement_table(finished))
        records.save_run(self.run, run)
        records.save_night(self.run, night)
        earlier = earlier_nights(self.run.path, self.orders["started"])
        page = write_report(self.run.path, findings, run, evidence, night=night, earlier=earlier)
        return NightResult(findings, run, night, code, page)

    def _reading(self, name: str, record: Mapping[str, Any]) -> dict[str, Any]:
        state, power = self.states[name], record["power"]
        standing = state.standing
        corners = [f"{parameter} {end}" for parameter in state.thresholds for end in ("low", "high")]
        return {
            "id": name,
            "pack": self.packs[name],
            "verdict": record["verdict"],
            "expected": record["expected"],
            "agrees": record["agrees"],
            "examples": standing.examples,
            "distinct": len(standing.behaviours),
            "corners": [{"name": corner, "examples": state.corners[corner]} for corner in corners],
            "seconds": state.seconds,
            "rounds": state.rounds,
            "nearest": None if standing.nearest is None else max(-standing.nearest, 0.0),
            "undecided": standing.undecided,
            "power": None if power is None or not power["at"] else power["at"],
            "corner": None if power is None else power["corner"],
        }
