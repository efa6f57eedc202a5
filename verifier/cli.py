"""The ``verifier`` command: audit, falsify, repair, replay, claims, new-pack, fit, calibrate, plan, map.

Exit codes are part of the answer, so nothing else may use them: 0 to 3 are verdicts (falsify), agreement
with what is expected (audit) or sameness (replay); 3 is also a crash of the machinery; 64 is bad usage
everywhere (EX_USAGE of BSD's sysexits.h); 130 an interrupt. Results go to standard output, progress and
complaints to standard error.
"""

# ruff: noqa: E402
from __future__ import annotations

from verifier.threads import one_blas_thread

# A BLAS reads its thread count once, when it loads, and every worker inherits it: so before numpy.
one_blas_thread()

import difflib
import itertools
import math
import os
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import joblib
import threadpoolctl
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from verifier import cli_runs, provenance, records
from verifier.claims import Claim, installed_packs, load_pack
from verifier.here import import_from
from verifier.instances import Instance
from verifier.junit import save_junit
from verifier.measured import fit_curve, fit_rows, read_curve
from verifier.patch import NotViolated, Unpatchable, counterexample_of, patch_for
from verifier.records import RecordError, RunDirectory
from verifier.skeleton import new_pack
from verifier.tables import TableError
from verifier.terminal import ERROR, INTERRUPTED, USAGE
from verifier.terminal import agreement as _agreement
from verifier.terminal import clean as _clean
from verifier.terminal import complain as _complain
from verifier.terminal import console as _console
from verifier.terminal import refuse as _refuse
from verifier.terminal import verdict as _verdict
from verifier.verdicts.audit import DATABASE, AuditEvent, refuse_too_many, run_audit
from verifier.verdicts.calibration import Effort, calibrate
from verifier.verdicts.calibration import Progress as Measured
from verifier.verdicts.conditions import CONDITIONS, chosen
from verifier.verdicts.database import DatabaseError, check_database, redis_address
from verifier.verdicts.falsify import FALSIFIED, Finding, falsify
from verifier.verdicts.findings import counterexample_record, finding_record, from_pack
from verifier.verdicts.formulas import FormulaRepair, has_formula, relatives, repair_formula
from verifier.verdicts.mapping import JUDGEMENTS, Boundary, ReadingMap, Unmappable, map_reading, map_record
from verifier.verdicts.mapping import Progress as Mapped
from verifier.verdicts.nightly import (
    MOST_HOURS,
    MOST_SHARDS,
    NightError,
    NightEvent,
    NothingToResume,
    resume_night,
    run_night,
)
from verifier.verdicts.planner import plan
from verifier.verdicts.repair import EXAMPLES as REPAIR_EXAMPLES
from verifier.verdicts.repair import Conjunction, Repair, repair
from verifier.verdicts.repair_records import (
    TRIAL_COLUMNS,
    edge_text,
    formula_record,
    markdown,
    repair_record,
    repairs_record,
    trial_cells,
)
from verifier.verdicts.replay import replay
from verifier.verdicts.search import Budget
from verifier.verdicts.shipped import in_brief, is_checkout, publish_table
from verifier.verdicts.shown import shown_lines
from verifier.verdicts.workers import SchedulerError, scheduler_address

_DEFAULT_EXAMPLES = 200
_CORPUS = ".hypothesis/near-violations"
_PATIENCE = 2.0  # seconds without a sign of progress


class Profile(StrEnum):
    """How much an audit looks at."""

    quick = "quick"
    full = "full"


# ----------------------------------------------------------------------------------------------------
# Exit codes and output


class _Commands(TyperGroup):
    """Commands whose bad usage exits 64 and whose crash exits 3: the usual 2 and 1 are verdicts here."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit with its code, or return the code when not ``standalone_mode``."""
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra) or 0
        except typer.TyperException as error:
            error.show() if hasattr(error, "show") else _complain(str(error))
            code = USAGE
        except typer.Abort:
            code = INTERRUPTED
        except Exception as error:
            traceback.print_exc()
            _complain(f"failed: {type(error).__name__}: {error}")
            code = ERROR
        if standalone_mode:
            sys.exit(code)
        return code


# ----------------------------------------------------------------------------------------------------
# Which claims


@dataclass
class _Registry:
    """The claims that could be loaded, the ``--pack`` of each, and a sentence for each broken pack."""

    claims: dict[str, Claim] = field(default_factory=dict)
    packs: dict[str, str] = field(default_factory=dict)
    broken_installed: list[str] = field(default_factory=list)
    broken_named: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, packs: Sequence[str]) -> _Registry:
        """Load the installed packs and those on the command line; a broken one is named and left out."""
        if packs:
            import_from(os.getcwd())
        registry = cls()
        # Installed packs first: theirs is the id when two packs register the same.
        for spec in installed_packs():
            registry._add(spec, registry.broken_installed)
        for spec in dict.fromkeys(packs):
            registry.packs |= dict.fromkeys(registry._add(spec, registry.broken_named), spec)
        return registry

    def _add(self, spec: str, broken: list[str]) -> list[str]:
        """Add the claims of one pack and return their ids: all, or none and a sentence in ``broken``."""
        try:
            claims = load_pack(spec)
            taken = [claim.id for claim in claims if claim.id in self.claims]
            if taken:
                raise ValueError(f"pack {spec!r} registers the id {taken[0]!r}, which another pack has: rename it")
        except ValueError as error:
            _complain(str(error))
            broken.append(str(error))
            return []
        self.claims |= {claim.id: claim for claim in claims}
        return [claim.id for claim in claims]

    def select(self, words: Iterable[str]) -> list[Claim]:
        """Return the claims with these ids, as registered; a statement's id stands for all its readings."""
        wanted: set[str] = set()
        for word in words:
            found = {claim.id for claim in self.claims.values() if word in (claim.id, claim.statement_id)}
            if not found:
                _refuse(f"no claim is called {word!r}{self._suggest(word)}")
            wanted |= found
        return [claim for claim in self.claims.values() if claim.id in wanted]

    def everything(self) -> list[Claim]:
        """Return all claims; exit 64 when there is none."""
        if not self.claims:
            broken = self.broken_installed or self.broken_named
            _refuse("no claim could be loaded" if broken else "no claim is registered: install this project")
        return list(self.claims.values())

    def everything_by_id(self) -> dict[str, Claim]:
        """Return all claims by id; exit 64 when there is none."""
        return {claim.id: claim for claim in self.everything()}

    def chosen(self, only: Sequence[str] | None) -> list[Claim]:
        """Return the claims that ``--only`` names, all without it; exit 64 when there is none."""
        claims = self.everything() if only is None else self.select(_words(only))
        if not claims:
            _refuse("--only names no claim: give ids such as T1,L2")
        return claims

    def _suggest(self, word: str) -> str:
        known = {name.lower(): name for claim in self.claims.values() for name in (claim.statement_id, claim.id)}
        near = [known[name] for name in difflib.get_close_matches(word.lower(), list(known), n=3, cutoff=0.5)]
        return f": did you mean {' or '.join(near)}?" if near else ": see `verifier claims`"

    def exit_code(self, code: int, *, everything: bool = False) -> int:
        """Return ``code``, or 64 when a pack of the command line could not take part.

        A broken installed pack is an error of a command that was to look at ``everything``, and of no other.
        """
        if self.broken_named:
            return USAGE
        return max(code, ERROR) if everything and self.broken_installed else code


def _words(values: Sequence[str]) -> list[str]:
    """Split ``T1,L2`` and repeated options alike."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


# ----------------------------------------------------------------------------------------------------
# The commands

app = typer.Typer(
    name="verifier",
    cls=_Commands,
    help="Attack the claims of a paper on scaling laws, and say which survive.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

Packs = Annotated[
    list[str] | None,
    typer.Option("--pack", metavar="MODULE:ATTRIBUTE", help="Claims of your own; repeatable. Imports the module."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same run.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where to write, instead of below runs/.")]
Junit = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML too: one test case a reading.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        state = provenance.checkout()
        commit = f" (commit {state.commit[:12]}{', changed' * state.dirty})" if state.commit else ""
        typer.echo(f"verifier {provenance.version()}{commit}")
        raise typer.Exit(0)


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    # Where numpy was loaded before this module, the environment came too late for this process.
    threadpoolctl.threadpool_limits(limits=1, user_api="blas")
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)
        raise typer.Exit(0)


@app.command("audit")
def _audit(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="T1,L2", help="Statements or readings to judge, instead of all."),
    ] = None,
    profile: Annotated[Profile, typer.Option(help="How much to look at.")] = Profile.quick,
    seed: Seed = 0,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, help="Worker processes.", show_default="the number of processors"),
    ] = None,
    out: Out = None,
    junit: Junit = None,
    pack: Packs = None,
) -> None:
    """Judge every claim and write one HTML file that a referee can read.

    Exits 0 when every verdict is the expected one, 1 when one differs, 2 when one is undecided that should
    not be, 3 on an error or when a control came out wrong.
    """
    registry = _Registry.load(pack or [])
    claims = registry.chosen(only)
    try:
        refuse_too_many(len(claims))
    except ValueError as error:
        _refuse(str(error))
    if junit is not None and (why := _unwritable(junit)):
        _refuse(f"--junit is {junit}, which {why}")
    directory = _directory(out, seed=seed)
    command = _command("audit", only=",".join(_words(only or [])), profile=profile.value, seed=seed, pack=pack or [])
    events: list[AuditEvent] = []
    try:
        with _progress() as show:

            def progress(event: AuditEvent) -> None:
                events.append(event)
                show(event)

            result = run_audit(
                claims,
                profile=profile.value,
                seed=seed,
                jobs=jobs or joblib.cpu_count(),
                out=directory.path,
                progress=progress,
                command=command,
                packs={claim.id: registry.packs[claim.id] for claim in claims if claim.id in registry.packs},
            )
    except KeyboardInterrupt:
        _interrupted(directory, command, events)
    if junit is not None:
        _write_junit(junit, result.findings, result.run)
    _print_audit(result.findings, result.run, Path(result.report))
    raise typer.Exit(registry.exit_code(result.exit_code, everything=only is None))


@app.command("nightly")
def _nightly(
    hours: Annotated[
        float | None, typer.Option("--hours", metavar="H", help="How long to search; fractions are allowed.")
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option("--examples", min=1, help="Instances a reading, on average, after which to stop; repeatable."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="T1,L2", help="Statements or readings to attack, instead of all."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Decides what is drawn.", show_default="0")] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, help="Worker processes.", show_default="the number of processors"),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="tcp://HOST:PORT", help="Run on the workers of this Dask cluster instead."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="redis://HOST:PORT/0", help="Share examples with other machines."),
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(
            "--corpus",
            metavar="DIR",
            help="Near-violations of earlier nights, and of this one.",
            show_default=f"{_CORPUS} with --hours, none without",
        ),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(
            "--shards",
            min=1,
            max=MOST_SHARDS,
            metavar="K",
            help="This night is one of K that share one false-alarm budget.",
            show_default="1",
        ),
    ] = None,
    out: Out = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help="Go on with the night in this directory.")
    ] = None,
    junit: Junit = None,
    pack: Packs = None,
) -> None:
    """Hunt for counterexamples for hours, most where progress is likely, and write a report.

    The same --examples, --seed, --corpus and --database find the same with any number of workers. What is finished is kept: a
    night that was stopped goes on with --resume. Ctrl-C confirms what was found and writes the report first, a second one stops at
    once.

    Exits as audit does: 0 when every verdict is the expected one, 1 when one differs, 2 when one is undecided that should not be, 3
    on an error, when a control came out wrong, or when the records cannot be written.
    """
    registry = _Registry.load(pack or [])
    fresh = {"hours": hours, "examples": examples, "only": only, "seed": seed, "database": database, "corpus": corpus}
    fresh |= {"shards": shards}
    if resume is not None and (given := [name for name, value in {**fresh, "out": out}.items() if value is not None]):
        _refuse(f"--{given[0]} belongs to a new night; with --resume the one in {resume} goes on as it was begun")
    if resume is None and hours is None and examples is None:
        _refuse("nightly needs --hours H, --examples N or --resume DIR: how long is it to search?")
    if hours is not None and not 0.0 < hours < MOST_HOURS:
        _refuse(f"--hours is {hours:g}, expected a number above 0 and below {MOST_HOURS:g}, such as 0.5")
    if junit is not None and (why := _unwritable(junit)):
        _refuse(f"--junit is {junit}, which {why}")
    for name, place in (("--resume", resume), ("--corpus", corpus)):
        if place is not None and place.exists() and not place.is_dir():
            _refuse(f"{name} is {place}, which is a file: name a directory")
    try:
        if scheduler is not None:
            scheduler = scheduler_address(scheduler)
        if database is not None:
            database = redis_address(database)
            check_database(database)
        with _stoppable(), _watching() as show:
            workers = jobs or joblib.cpu_count()
            if resume is not None:
                result = resume_night(
                    resume, registry.everything_by_id(), jobs=workers, scheduler=scheduler, progress=show
                )
            else:
                claims = registry.chosen(only)
                try:
                    refuse_too_many(len(claims), shards or 1)
                except ValueError as error:
                    _refuse(str(error))
                kept = hours is not None or database is not None
                result = run_night(
                    claims,
                    jobs=workers,
                    scheduler=scheduler,
                    progress=show,
                    out=_directory(out, seed=seed or 0).path,
                    hours=hours,
                    examples=examples,
                    seed=seed or 0,
                    directory=Path(DATABASE) if kept else None,
                    database=database,
                    corpus=corpus or (Path(_CORPUS) if hours is not None else None),
                    packs={claim.id: registry.packs[claim.id] for claim in claims if claim.id in registry.packs},
                    shards=shards or 1,
                    command=_command(
                        "nightly",
                        **{
                            name: value
                            for name, value in (("hours", hours), ("examples", examples), ("shards", shards))
                            if value is not None
                        },
                        only=",".join(_words(only or [])),
                        seed=seed or 0,
                        pack=pack or [],
                    ),
                )
    except (SchedulerError, DatabaseError, NothingToResume) as error:
        _refuse(str(error))
    except NightError as error:
        _complain(str(error))
        raise typer.Exit(ERROR) from None
    except KeyboardInterrupt:
        _complain("stopped; what was found is kept, --resume goes on")
        raise typer.Exit(INTERRUPTED) from None
    if junit is not None:
        _write_junit(junit, result.findings, result.run)
    _print_audit(result.findings, result.run, Path(result.report))
    for each in result.night["damage"]:
        _complain(f"damage: {each['where']}: {each['what']}")
    everything = only is None and resume is None and result.exit_code != INTERRUPTED
    raise typer.Exit(registry.exit_code(result.exit_code, everything=everything))


@contextmanager
def _stoppable() -> Iterator[None]:
    """Whoever stops a night is heard: Ctrl-C, also where a shell started it in the background, and SIGTERM, of a cancelled job."""
    before = {each: signal.signal(each, signal.default_int_handler) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _watching() -> Iterator[Callable[[NightEvent], None]]:
    """Yield what shows how far a night is: a bar on a terminal, a plain line a quarter of each round elsewhere."""
    screen = _console(stderr=True)
    if not screen.is_terminal:
        said = ""

        def line(event: NightEvent) -> None:
            nonlocal said
            quarter = f"{event.stage} {event.round} {4 * event.done // max(event.total, 1)}"
            if event.stage in ("damage", "interrupted") or quarter != said:
                said = quarter
                screen.print(Text(_clean(_night_text(event))), soft_wrap=True)

        yield line
        return
    with _bar(screen) as bar:
        task = bar.add_task("starting", total=None)

        def show(event: NightEvent) -> None:
            if event.stage in ("damage", "interrupted"):
                screen.print(Text(_clean(_night_text(event)), "yellow"), soft_wrap=True)
                return
            bar.update(task, description=_clean(_night_text(event)), completed=event.done, total=event.total or None)

        yield show


def _night_text(event: NightEvent) -> str:
    counted = (
        f"{event.examples} examples ({event.examples / max(event.seconds, 1e-3):.0f}/s), {event.near} near-violations, "
    )
    match event.stage:
        case "damage":
            return f"damage: {event.text}"
        case "interrupted":
            return "interrupted: confirming what was found and writing the report; Ctrl-C again stops at once"
        case "bout":
            return f"round {event.round}, bout {event.done} of {event.total}: {counted}{event.found} violated"
        case "report":
            return "writing the report"
        case _:
            return f"{event.stage} {event.done} of {event.total}"


@app.command("falsify")
def _falsify(
    claim: Annotated[str | None, typer.Argument(metavar="[CLAIM]", help="T1 or T1/s-above-1.")] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="How long to attack each claim, instead of --examples.")
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option("--examples", min=1, help=f"How many instances to try; {_DEFAULT_EXAMPLES} by default."),
    ] = None,
    seed: Seed = 0,
    pack: Packs = None,
    out: Out = None,
) -> None:
    """Attack one claim, all readings of a statement, or all claims of a pack.

    Exits 0 for SURVIVED, 1 for FALSIFIED, 2 for UNDERPOWERED or VACUOUS, 3 for ERROR; for several claims,
    the highest.
    """
    if claim is None and not pack:
        _refuse("falsify needs a CLAIM or --pack MODULE:ATTRIBUTE: see `verifier claims`")
    budget = _budget(seconds, examples)
    registry = _Registry.load(pack or [])
    claims = registry.select([claim]) if claim else [registry.claims[name] for name in registry.packs]
    if not claims:
        _refuse("there is no claim to attack" if registry.broken_named else "the pack holds no claim")
    directory = _directory(out or Path("runs") / _slug("falsify", claim or (pack or [])[0], seed), seed=seed)
    console, findings = _console(), []
    code = 0
    try:
        for attacked in claims:
            with _attacking(attacked):
                finding = falsify(attacked, budget=budget, seed=seed)
            pack_name = registry.packs.get(attacked.id)
            finding = from_pack(finding, pack_name)
            replays = _save_counterexamples(directory, finding, pack_name)
            findings.append(finding_record(finding))
            records.save_findings(directory, findings)
            _print_finding(console, findings[-1], replays)
            code = max(code, finding.exit_code)
    except KeyboardInterrupt:
        _complain(f"interrupted; {len(findings)} of {len(claims)} claims are in {directory.path}")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(registry.exit_code(code))


@app.command("repair")
def _repair(
    claim: Annotated[str | None, typer.Argument(metavar="[CLAIM]", help="T1 or T1/tuned-each-target.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every registered reading that is falsified.")] = False,
    examples: Annotated[
        int, typer.Option("--examples", min=20, help="Instances drawn, and tried in each attack.")
    ] = REPAIR_EXAMPLES,
    seed: Seed = 0,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            "--conditions",
            metavar="a,b",
            help="The conditions to choose from, instead of all: " + ", ".join(each.name for each in CONDITIONS) + ".",
        ),
    ] = None,
    record_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the outcome as JSON.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write a page of all repairs.")
    ] = None,
    pack: Packs = None,
) -> None:
    """Find the weakest added hypotheses under which a falsified reading survives.

    Where falsified readings of a statement hold something measured against a formula, another formula is searched as well, on the
    domains of all of them; a reading whose formula is repaired counts as repaired.

    Exits 0 when every reading is repaired (or was not falsified), 2 when one is not, or is undecided, 3 on an error.
    """
    if (claim is None) != everything:
        _refuse("repair needs either a CLAIM or --all: see `verifier claims`")
    try:
        vocabulary = chosen(_words(conditions)) if conditions is not None else CONDITIONS
        if not vocabulary:
            raise ValueError("--conditions names none: leave it out, or give names such as s-at-most,noisy")
    except ValueError as error:
        _refuse(str(error))
    for file in (record_file, page):
        if file is not None and (why := _unwritable(file)):
            _refuse(f"{file} {why}")
    registry = _Registry.load(pack or [])
    claims = registry.everything() if claim is None else registry.select([claim])
    command = _command(
        "repair",
        conditions=",".join(_words(conditions or [])),
        examples=examples,
        seed=seed,
        pack=pack or [],
    ).replace("verifier repair", f"verifier repair {claim or '--all'}", 1)
    console = _console()
    found: list[Repair] = []
    formulas: list[FormulaRepair] = []
    code = 0
    with _repairing(len(claims)) as show:
        for number, attacked in enumerate(claims):
            show(number, attacked.id, "")
            try:
                outcome = repair(
                    attacked,
                    examples=examples,
                    seed=seed,
                    conditions=vocabulary,
                    progress=lambda text, number=number, name=attacked.id: show(number, name, text),  # type: ignore[misc]
                )
            except KeyboardInterrupt:  # before it was known whether there is anything to repair
                code = INTERRUPTED
                break
            found.append(outcome)
            _print_repair(console, outcome)
            if outcome.interrupted:
                code = INTERRUPTED
                break
        for first in [] if code == INTERRUPTED else _wrong_formulas(found):
            show(len(claims) - 1, f"the formula of {first.id}", "")
            try:
                other = repair_formula(
                    first,
                    registry.everything(),
                    examples=examples,
                    seed=seed,
                    progress=lambda text, name=first.id: show(len(claims) - 1, f"the formula of {name}", text),  # type: ignore[misc]
                )
            except KeyboardInterrupt:
                code = INTERRUPTED
                break
            formulas.append(other)
            _print_formula(console, other)
            if other.interrupted:
                code = INTERRUPTED
                break
    if code == INTERRUPTED:
        _complain(f"interrupted; what was found for {len(found)} of {len(claims)} readings is shown")
    else:
        mended = {name for other in formulas if other.exit_code == 0 for name in other.readings}
        codes = [outcome.exit_code for outcome in found if outcome.claim.id not in mended or outcome.exit_code == ERROR]
        code = max([0, *codes, *(other.exit_code for other in formulas if other.exit_code == ERROR)])
    try:
        if record_file is not None:
            made = [repair_record(outcome, registry.packs.get(outcome.claim.id)) for outcome in found]
            others = [formula_record(other) for other in formulas]
            records.save_repairs(record_file, repairs_record(made, command, others))
        if page is not None:
            records.write_text(
                page, markdown(found, f"{command} --markdown {page.name if page.is_absolute() else page}", formulas)
            )
    except RecordError as error:
        _refuse(str(error))
    for file in (record_file, page):
        if file is not None:
            console.print(Text(_clean(f"wrote {file}")), soft_wrap=True)
    raise typer.Exit(code if code == INTERRUPTED else registry.exit_code(code, everything=everything))


@app.command("replay")
def _replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A counterexample, as audit and falsify write it.")],
    pack: Packs = None,
) -> None:
    """Judge one counterexample again from its file alone.

    Exits 0 when the stored verdict comes out again, 1 when not. Nothing in the file is executed: a
    counterexample to a claim of a pack needs --pack.
    """
    try:
        record = records.load_counterexample(file)
    except RecordError as error:
        _refuse(str(error))
    registry = _Registry.load(pack or [])
    found = registry.claims.get(record["claim"])
    if found is None:
        if record["pack"] is not None and not pack:
            _refuse(
                f"{file}: is about the claim {record['claim']!r} of the pack {record['pack']!r}: "
                f"where you trust that pack, add --pack {shlex.quote(record['pack'])}"
            )
        _refuse(f"{file}: no claim is called {record['claim']!r}{registry._suggest(record['claim'])}")
    try:
        Instance.from_json(record["instance"])
    except ValueError as error:
        _refuse(f"{file}: $.instance: {error}")
    result = replay(record, found)
    _console().print(Text(_clean(result.text)), soft_wrap=True)
    raise typer.Exit(registry.exit_code(result.exit_code))


@app.command("patch")
def _patch(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run that found a counterexample.")],
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help="One reading, such as T1/s-above-1.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the patch there, instead of printing it.")
    ] = None,
    pack: Packs = None,
) -> None:
    """Turn the minimal counterexample of a run into a patch that adds a regression test beside the property.

    `verifier patch RUN CLAIM | git apply` adds it. Exits 0, or 1 when the instance is not violated here.
    """
    if out is not None and (why := _unwritable(out)):
        _refuse(f"--out is {out}, which {why}")
    registry = _Registry.load(pack or [])
    chosen = registry.select([claim])
    if len(chosen) > 1:
        _refuse(f"{claim} has {len(chosen)} readings: name one, such as {chosen[0].id}")
    try:
        patch = patch_for(chosen[0], *counterexample_of(run, chosen[0]))
        if out is not None:
            records.write_text(out, patch.text)
    except NotViolated as error:
        _complain(str(error))
        raise typer.Exit(1) from None
    except (Unpatchable, RecordError) as error:
        _refuse(str(error))
    if out is None:
        typer.echo(patch.text, nl=False)
    else:
        _console().print(Text(_clean(f"wrote {out}, which adds {patch.test} to {patch.file}")), soft_wrap=True)
    raise typer.Exit(registry.exit_code(0))


@app.command("claims")
def _claims(
    claim: Annotated[str | None, typer.Argument(metavar="[CLAIM]", help="Show this one in full.")] = None,
    pack: Packs = None,
) -> None:
    """List what is registered, with its source and readings."""
    registry = _Registry.load(pack or [])
    claims = registry.select([claim]) if claim else registry.everything()
    if claim:
        _print_claims_in_full(claims)
    else:
        _print_claims(claims)
    raise typer.Exit(registry.exit_code(0, everything=claim is None))


@app.command("new-pack")
def _new_pack(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the module, such as my_pack.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write it.")] = Path(),
) -> None:
    """Write a commented claim pack and its test, which run as they are.

    Exits 0, or 64 when the name is no module's name or is taken.
    """
    import_from(os.getcwd())
    try:
        module, test = new_pack(name, out)
    except ValueError as error:
        _refuse(str(error))
    console = _console()
    console.print(Text(_clean(f"wrote {module} and {test}")), soft_wrap=True)
    there = "" if module.parent == Path() else f"cd {shlex.quote(str(module.parent))} && "
    console.print(Text(_clean(f"{there}verifier falsify --pack {name}:CLAIMS")), soft_wrap=True)


@app.command("fit")
def _fit(
    file: Annotated[
        Path, typer.Argument(metavar="CURVE.csv", help="A measured learning curve; docs/packs.md has layouts.")
    ],
    n: Annotated[str | None, typer.Option("--n", metavar="COLUMN", help="The column of sample sizes.")] = None,
    risk: Annotated[str | None, typer.Option("--risk", metavar="COLUMN", help="The column of excess risks.")] = None,
    stderr: Annotated[str | None, typer.Option("--stderr", metavar="COLUMN", help="That of standard errors.")] = None,
    replicate: Annotated[
        str | None, typer.Option("--replicate", metavar="COLUMN", help="That which says which lines belong together.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write a figure: .html with its numbers, or .svg.")
    ] = None,
    record_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers as JSON.")
    ] = None,
) -> None:
    """Fit the exponent of a measured learning curve: interval, local slopes, corrections to scaling.

    Columns are found by their names in the first line (n, risk, stderr, replicate) or named by options. Exits 0, or 64
    where the file cannot be used.
    """
    if out is not None and out.suffix.lower() not in (".html", ".svg"):
        _refuse(f"--out is {out}: a figure is written as .html or .svg")
    try:
        record = fit_curve(read_curve(file, n=n, risk=risk, stderr=stderr, replicate=replicate))
        if record_file is not None:
            records.save_fit(record_file, record)
        if out is not None:
            from reports.fit import write_fit_figure  # altair takes a second to load

            write_fit_figure(out, record)
    except (TableError, RecordError) as error:
        _refuse(str(error))
    console = _console()
    console.print(Text(_clean(file), "bold"), soft_wrap=True)
    _print_rows(console, fit_rows(record))
    for written in (record_file, out):
        if written is not None:
            console.print(Text(_clean(f"wrote {written}")), soft_wrap=True)


@app.command("calibrate")
def _calibrate(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="T1,R1", help="Statements or readings, instead of all.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=1.0, help="Stop after about so long; call again to go on.")
    ] = None,
    judgements: Annotated[int, typer.Option("--judgements", min=1, help="Null judgements a reading.")] = 2000,
    confirmations: Annotated[int, typer.Option("--confirmations", min=0, help="With simulation, a reading.")] = 20,
    searches: Annotated[int, typer.Option("--searches", min=0, help="Targeted searches a reading.")] = 11,
    treated: Annotated[int, typer.Option("--treated", min=0, help="Judgements by simulation alone, a reading.")] = 30,
    audits: Annotated[int, typer.Option("--audits", min=0, help="Audits of what is expected to survive.")] = 200,
    seed: Seed = 0,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Worker processes.", show_default="the number of processors")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the parts are kept.")] = Path(
        "runs/calibration"
    ),
    publish: Annotated[
        bool, typer.Option("--publish", help="Write docs/calibration.md and the table that ships with the project.")
    ] = False,
) -> None:
    """Measure size and power on claims whose truth mathematics knows.

    What is finished is kept in DIR; the same command goes on where it stopped, and measures anew what was measured on other
    code. Exits 0 when everything asked for is measured and no search or audit of a true claim raised an alarm, 1 when one
    did, 2 when something is still missing.
    """
    registry = _Registry.load([])
    claims = registry.chosen(only)
    if publish and (only is not None or not is_checkout()):
        _refuse("--publish writes the table of all readings into a checkout: leave --only out, and run it in one")
    effort = Effort(judgements, confirmations, searches, treated, audits if only is None else 0)
    try:
        with _calibrating() as show:
            table = calibrate(
                claims,
                out=out,
                effort=effort,
                seed=seed,
                jobs=jobs or joblib.cpu_count(),
                seconds=math.inf if seconds is None else seconds,
                progress=show,
            )
    except KeyboardInterrupt:
        _complain(f"interrupted; what was measured is in {out}: the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    records.write_json(out / "calibration.json", table)
    written = publish_table(table) if publish else [out / "calibration.json"]
    _print_calibration(table, written)
    raise typer.Exit(1 if _alarmed(table) else 0 if table["complete"] else 2)


@app.command("plan")
def _plan(
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help="One reading, such as T1/tuned-worst-case.")],
    margin: Annotated[float, typer.Option("--margin", help="The error of the exponent to be noticed.")] = 0.05,
    route: Annotated[
        str | None,
        typer.Option("--route", metavar="A|B", help="B plans for simulation alone.", show_default="as judged"),
    ] = None,
    instances: Annotated[int, typer.Option("--instances", min=1, help="How many instances to plan for.")] = 8,
    seed: Seed = 0,
    pack: Packs = None,
) -> None:
    """Say what it takes to notice an exponent wrong by a margin: tolerance, sample sizes, replicates.

    Exits 0 when every instance could be decided, 2 when one could not at any sample size that is simulated.
    """
    registry = _Registry.load(pack or [])
    chosen = registry.select([claim])
    if len(chosen) > 1:
        _refuse(f"{claim} has {len(chosen)} readings: name one, such as {chosen[0].id}")
    try:
        with _attacking(chosen[0], "planning for"):
            plans = plan(chosen[0], margin=margin, instances=instances, seed=seed, route=route)
    except ValueError as error:
        _refuse(str(error))
    console = _console()
    table = Table(header_style="bold")
    for name in ("instance", "route", f"notices {margin:g}", "what it takes"):
        table.add_column(name, overflow="fold")
    for item in plans:
        table.add_row(Text(_clean(item.instance)), item.route, "yes" if item.decides else "no", Text(_clean(item.text)))
    console.print(table)
    raise typer.Exit(registry.exit_code(0 if all(item.decides for item in plans) else 2))


@app.command("map")
def _map(
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help="One reading, such as T1/tuned-each-target.")],
    x: Annotated[
        str, typer.Option("--x", metavar="NAME", help="Swept: s, beta, sigma, or any number of an ingredient.")
    ],
    y: Annotated[
        str | None, typer.Option("--y", metavar="NAME", help="Swept too: the boundary becomes a curve.")
    ] = None,
    fixed: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Held fixed; repeatable.")
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            metavar="NAME=LOW:HIGH",
            help="Of a swept parameter, instead of what the domain draws; repeatable.",
        ),
    ] = None,
    judgements: Annotated[
        int | None,
        typer.Option(
            "--judgements", min=1, help="How many to spend.", show_default=f"{JUDGEMENTS[1]}, with --y {JUDGEMENTS[2]}"
        ),
    ] = None,
    seed: Seed = 0,
    record_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers as JSON.")
    ] = None,
    table_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write points and boundaries as CSV.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help="Write a page with the figure, and a CSV beside it."),
    ] = None,
    pack: Packs = None,
) -> None:
    """Draw where a reading holds, where it fails, and where that is undecided.

    A point fails if an instance with these values is violated, and holds if 20 draws of the domain with these values were
    judged and none was: with probability .95 fewer than 14% of the draws violate there. The violation next to a boundary is
    confirmed on fresh randomness. An exponent that is wrong by less than the tolerance is not noticed: where the gap shrinks
    towards a boundary, it is continued to zero, and the interval takes in where it cannot be told from none. A gap that
    changes its law within the tolerance, or a crossing between two points that agree, is not excluded.

    Exits 0, or 2 when nothing could be decided. An interrupt writes what was found.
    """
    if out is not None and out.suffix.lower() != ".html":
        _refuse(f"--out is {out}: the page is written as .html")
    for option, path in (("--json", record_file), ("--csv", table_file), ("--out", out)):
        if path is not None and (path.is_dir() or not path.name):
            _refuse(f"{option} is {path}, a directory: name a file")
    held = {name: _number_of("--set", text, value) for name, value, text in _assignments("--set", fixed or [])}
    swept = {name: _range_of(text, value) for name, value, text in _assignments("--range", ranges or [])}
    registry = _Registry.load(pack or [])
    chosen = registry.select([claim])
    if len(chosen) > 1:
        _refuse(f"{claim} has {len(chosen)} readings: name one, such as {chosen[0].id}")
    try:
        with _mapping() as show:
            found = map_reading(
                chosen[0], x=x, y=y, fixed=held, ranges=swept, judgements=judgements, seed=seed, progress=show
            )
        record = map_record(found, registry.packs.get(chosen[0].id))
        written = _write_map(record, record_file, table_file, out)
    except (Unmappable, RecordError) as error:
        _refuse(str(error))
    except ValueError as error:  # the claim's own code, named in the sentence
        _complain(str(error))
        raise typer.Exit(ERROR) from None
    except KeyboardInterrupt:
        _complain("interrupted before anything was found")
        raise typer.Exit(INTERRUPTED) from None
    _print_map(found, record, written)
    if found.interrupted:
        _complain("interrupted: this is what was found")
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(registry.exit_code(0 if found.decided else 2))


cli_runs.register(app)


def main() -> None:
    """Run the command line."""
    app(prog_name="verifier")


# ----------------------------------------------------------------------------------------------------
# Pieces of the commands


def _directory(out: Path | None, *, seed: int) -> RunDirectory:
    try:
        return RunDirectory.create(out, seed=seed)
    except RecordError as error:
        _refuse(str(error) if out is None else f"--out: {error}")


def _write_junit(file: Path, readings: Sequence[Mapping[str, Any]], run: Mapping[str, Any]) -> None:
    """Write JUnit XML; a disk that takes no more of it does not change a verdict that is already kept."""
    try:
        save_junit(file, readings, run)
    except RecordError as error:
        _complain(str(error))


def _unwritable(file: Path) -> str:
    """Why a file cannot be written, to be said before minutes are spent; empty where nothing is in the way."""
    if file.is_dir():
        return "is a directory: name a file"
    parents = (parent for parent in file.absolute().parents if parent.exists())
    nearest = next(parents)
    return "" if nearest.is_dir() and os.access(nearest, os.W_OK) else f"cannot be written: {nearest} takes no files"


def _budget(seconds: float | None, examples: int | None) -> Budget:
    if seconds is not None and examples is not None:
        _refuse("--seconds and --examples are two ways to say how much: give one of them")
    if seconds is None:
        return Budget(examples=examples or _DEFAULT_EXAMPLES)
    if not (math.isfinite(seconds) and seconds > 0):
        _refuse(f"--seconds is {seconds}: give a positive number")
    return Budget(seconds=seconds)


def _assignments(option: str, texts: Sequence[str]) -> list[tuple[str, str, str]]:
    """Split NAME=VALUE, and keep the text for messages."""
    found: dict[str, tuple[str, str, str]] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            wanted = "NAME=VALUE, such as beta=2" if option == "--set" else "NAME=LOW:HIGH, such as s=0.1:1"
            _refuse(f"{option} {text}: give {wanted}")
        if name in found:
            _refuse(f"{option} {text}: {name} is given twice")
        found[name] = (name, value, text)
    return list(found.values())


def _number_of(option: str, text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        _refuse(f"{option} {text}: {value!r} is not a finite number")
    return number


def _range_of(text: str, value: str) -> tuple[float, float]:
    low, colon, high = value.partition(":")
    if not colon:
        _refuse(f"--range {text}: give NAME=LOW:HIGH, such as s=0.1:1")
    return _number_of("--range", text, low.strip()), _number_of("--range", text, high.strip())


def _write_map(record: Mapping[str, Any], json: Path | None, table: Path | None, page: Path | None) -> list[Path]:
    """Write what was asked for; the CSV stands beside the page unless it is named."""
    written = []
    if json is not None:
        written.append(records.save_map(json, record))
    if page is not None or table is not None:
        from reports.map import write_map, write_map_csv  # altair takes a second to load

        if page is not None:
            written.append(write_map(page, record))
            table = table or page.with_suffix(".csv")
        if table is not None:
            written.append(write_map_csv(table, record))
    return written


def _save_counterexamples(directory: RunDirectory, finding: Finding, pack: str | None) -> dict[str, str]:
    """Write a replayable file for each counterexample and return the command that replays it, by role."""
    commands: dict[str, str] = {}
    for role in records.ROLES:
        record = counterexample_record(finding, role, pack)
        if record is None:
            continue
        path = records.save_counterexample(directory.counterexample(finding.claim.id, role), record)
        words = ["verifier", "replay", str(path), *(("--pack", pack) if pack else ())]
        commands[role] = shlex.join(words)
    return commands


def _slug(*parts: object) -> str:
    """Return ``falsify-T1-s-above-1-0``: words that may stand in a path."""
    return records.slug("-".join(str(part) for part in parts))


def _command(verb: str, **options: object) -> str:
    """Return the command that repeats a run. Where it wrote is left out: that is a path of one machine."""
    words = ["verifier", verb]
    for name, value in options.items():
        for item in value if isinstance(value, list) else [value]:
            words += [f"--{name}", str(item)] if item != "" else []
    return shlex.join(words)


def _interrupted(directory: RunDirectory, command: str, events: Sequence[AuditEvent]) -> NoReturn:
    """Keep the verdicts that were reached, say where, and exit 130."""
    done = [
        {"id": event.id, "verdict": event.verdict, "seconds": event.seconds}
        for event in events
        if event.stage == "reading"
    ]
    records.write_json(
        directory.interrupted,
        {"schema": records.SCHEMA, "kind": "interrupted", "command": command, "done": done},
    )
    _complain(f"interrupted after {len(done)} readings; what they gave is in {directory.path}")
    raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _attacking(claim: Claim, doing: str = "attacking") -> Iterator[None]:
    console = _console(stderr=True)
    label = Text(_clean(f"{doing} {claim.id}"))
    if not console.is_terminal:
        console.print(label)
    with console.status(label) if console.is_terminal else nullcontext():
        yield


# ----------------------------------------------------------------------------------------------------
# Progress, on standard error


def _alarmed(table: Mapping[str, Any]) -> bool:
    """Whether a whole search or audit of a true claim raised a false alarm."""
    return any(table["all"].get(name, {}).get("false alarms", {}).get("hits") for name in ("searches", "audits"))


def _bar(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True)


@contextmanager
def _calibrating() -> Iterator[Callable[[Measured], None]]:
    """Yield what shows how far a calibration is: a bar on a terminal, one plain line a twentieth elsewhere."""
    console = _console(stderr=True)
    if not console.is_terminal:
        said = -1

        def line(event: Measured) -> None:
            nonlocal said
            step = 20 * event.done // max(event.total, 1)
            if step != said:
                said = step
                console.print(Text(_clean(f"[{event.done}/{event.total}] {event.last}")), soft_wrap=True)

        yield line
        return
    with _bar(console) as bar:
        task = bar.add_task("measuring", total=None)

        def show(event: Measured) -> None:
            bar.update(task, description=_clean(event.last or "measuring"), completed=event.done, total=event.total)

        yield show


@contextmanager
def _mapping() -> Iterator[Callable[[Mapped], None]]:
    """Yield what shows how far a map is, once it has taken two seconds: a bar on a terminal, a plain line a fifth elsewhere."""
    console = _console(stderr=True)
    started, said = time.monotonic(), 0
    with ExitStack() as stack:
        bar: Progress | None = None
        task: Any = None

        def show(event: Mapped) -> None:
            nonlocal bar, task, said
            if time.monotonic() - started < _PATIENCE:
                return
            if not console.is_terminal:
                step = 5 * event.done // max(event.total, 1)
                if step > said:
                    said = step
                    console.print(Text(f"[{event.done}/{event.total}] judgements"), soft_wrap=True)
                return
            if bar is None:
                bar = stack.enter_context(_bar(console))
                task = bar.add_task("mapping", total=event.total)
            bar.update(task, completed=event.done, total=event.total)

        yield show


@contextmanager
def _repairing(total: int) -> Iterator[Callable[[int, str, str], None]]:
    """Yield what shows which reading is repaired and what is tried: a bar on a terminal, one line a reading elsewhere."""
    console = _console(stderr=True)
    if not console.is_terminal:

        def line(done: int, name: str, doing: str) -> None:
            if not doing:
                console.print(Text(_clean(f"[{done + 1}/{total}] repairing {name}")), soft_wrap=True)

        yield line
        return
    with _bar(console) as bar:
        task = bar.add_task("starting", total=total)

        def show(done: int, name: str, doing: str) -> None:
            bar.update(task, description=_clean(f"{name} {doing}")[: max(20, console.width - 50)], completed=done)

        yield show


@contextmanager
def _progress() -> Iterator[Callable[[AuditEvent], None]]:
    """Yield what shows an event: a bar on a terminal, one plain line a finished reading elsewhere."""
    console = _console(stderr=True)
    if not console.is_terminal:
        yield lambda event: _print_line(console, event)
        return
    with _bar(console) as bar:
        task = bar.add_task("starting", total=None)

        def show(event: AuditEvent) -> None:
            if event.stage == "damage":  # stays when the bar moves on
                bar.console.print(Text(_event_text(event)), soft_wrap=True)
                return
            bar.update(task, description=_event_text(event), completed=event.done, total=event.total)

        yield show


def _print_line(console: Console, event: AuditEvent) -> None:
    width = len(str(event.total))
    timed = event.stage in ("reading", "exhibit")
    counted = f"[{event.done:{width}}/{event.total}] " if timed else ""
    spent = f" {event.seconds:.1f} s" if timed else ""
    console.print(Text(f"{counted}{_event_text(event)}{spent}"), soft_wrap=True)


def _event_text(event: AuditEvent) -> str:
    match event.stage:
        case "start":
            return f"judging {event.total} readings"
        case "reading":
            return _clean(f"{event.id} {event.verdict}")
        case "exhibit":
            return _clean(f"{event.id} figure drawn again")
        case "damage":
            return _clean(f"{event.id}: {event.text}")
        case "controls":
            return "controls: claims known to be true and known to be false"
        case _:
            return "writing the report"


# ----------------------------------------------------------------------------------------------------
# Results, on standard output


def _print_audit(findings: Sequence[Mapping[str, Any]], run: Mapping[str, Any], report: Path) -> None:
    """Print the table of verdicts, the controls, and, as the last line, the path of the page."""
    console = _console()
    controls = run["controls"]
    wrong = [control for control in controls if not control["right"]]
    if wrong:
        names = ", ".join(f"{control['id']} came out {control['verdict']}" for control in wrong)
        console.print(
            Text(_clean(f"A CONTROL IS WRONG, so no verdict of this run can be relied on: {names}"), "bold red")
        )
    table = Table(header_style="bold")
    for name in ("claim", "reading"):
        table.add_column(name, overflow="fold")
    for name in ("verdict", "expected", "agrees"):
        table.add_column(name, no_wrap=True)
    for name in ("instances", "power", "calibrated: false alarms, power", "seconds"):
        table.add_column(name, justify="right")
    for finding in findings:
        table.add_row(
            Text(_clean(finding["claim"])),
            Text(_clean(finding["reading"])),
            _verdict(finding["verdict"]),
            _verdict(finding["expected"]),
            _agreement(finding["agrees"]),
            str(finding["instances"]["judged"]),
            _power(finding["power"]),
            Text(in_brief(finding["id"]), "bold yellow" if run.get("stale") else ""),
            f"{finding['seconds']:.1f}",
        )
    console.print(table)
    for finding in findings:
        if finding["verdict"] in ("ERROR", "VACUOUS") or (finding["agrees"] is False and finding["message"]):
            console.print(Text(_clean(f"{finding['id']}: {finding['message']}")), soft_wrap=True)
    agreeing = sum(finding["agrees"] is True for finding in findings)
    news = sum(finding["agrees"] is None for finding in findings)
    console.print(
        f"{agreeing} of {len(findings) - news} verdicts are the expected ones"
        + (f"; {news} more were open" if news else "")
    )
    if run.get("stale"):
        console.print(
            Text("STALE: the calibration was measured on other code; `verifier calibrate` measures it anew", "bold")
        )
    console.print(f"Controls: {len(controls) - len(wrong)} of {len(controls)} right")
    console.print(Text(str(report)), soft_wrap=True)


def _print_calibration(table: Mapping[str, Any], written: Iterable[Path]) -> None:
    """Print the rates over all readings, the false alarms, and where the table is."""
    console = _console()
    shown = Table(header_style="bold")
    for name in ("measurement", "what", "rate", "95% interval"):
        shown.add_column(name, overflow="fold")
    for measurement, rates in table["all"].items():
        for name, value in rates.items():
            if isinstance(value, Mapping) and value["rate"] is not None:
                cells = (
                    f"{value['hits']:g}/{value['trials']:g} = {value['rate']:.4f}",
                    f"{value['low']:.4f} to {value['high']:.4f}",
                )
                shown.add_row(measurement, name, *cells)
    console.print(shown)
    for alarm in table["alarms"]:
        console.print(Text(_clean(f"false alarm: {alarm}")), soft_wrap=True)
    console.print("complete" if table["complete"] else "not complete: the same command goes on from here")
    for path in written:
        console.print(Text(_clean(f"wrote {path}")), soft_wrap=True)


def _unusual(found: ReadingMap, boundary: Boundary) -> bool:
    """Whether the way in which a boundary was placed is worth a line: on a curve only where it differs from the usual."""
    return found.y is None or boundary.method != "gap"


_STATUS_STYLES = {"holds": "green", "fails": "red", "undecided": "yellow"}


def _print_map(found: ReadingMap, record: Mapping[str, Any], written: Iterable[Path]) -> None:
    """Print the boundaries, the stretches along each line, what a point rests on, and the remarks."""
    console = _console()
    fixed = "".join(f", {name} = {value:g}" for name, value in found.fixed.items())
    over = found.x.name if found.y is None else f"{found.x.name} and {found.y.name}"
    console.print(Text(_clean(found.claim.id), "bold") + Text(_clean(f"  over {over}{fixed}")))
    if found.boundaries:
        shown = Table(header_style="bold")
        names = ["boundary", "interval", "holds at", "fails at", "confirmed", "violated there"]
        for name in names if found.y is None else [found.y.name, *names]:
            shown.add_column(_clean(name), overflow="fold")
        for one in found.boundaries:
            shown.add_row(
                *([] if one.y is None else [f"{one.y:.4g}"]),
                f"{one.at:.4g}",
                f"{one.interval[0]:.4g} to {one.interval[1]:.4g}",
                f"{one.holds:.5g}",
                f"{one.fails:.5g}",
                Text("yes" if one.confirmed else "NO", "" if one.confirmed else "bold yellow"),
                Text(_clean("" if one.instance is None else one.instance.describe())),
            )
        console.print(shown)
    else:
        console.print("no boundary was found in the range")
    for line in dict.fromkeys(point.y for point in found.points):
        points = [point for point in found.points if point.y == line]
        text = Text("" if line is None or found.y is None else _clean(f"{found.y.name} = {line:.4g}: "))
        for status, group in itertools.groupby(points, key=lambda point: point.status):
            ends = [point.x for point in group]
            where = f"{ends[0]:.5g}" if len(ends) == 1 else f"{ends[0]:.5g} to {ends[-1]:.5g}"
            text += Text(status, _STATUS_STYLES[status]) + Text(f" {where} ({len(ends)})  ")
        console.print(text, soft_wrap=True)
    rows = [
        ("holds", f"at least {record['draws']} draws judged at a point, none violated: with probability .95 fewer than "
         f"{record['missed']:.0%} of the draws violate there"),
        ("spent", f"{found.judgements} judgements, of them {found.confirmations} to confirm, {found.seconds:.1f} s"),
        *((b.method, b.text if b.y is None else f"{b.y:.4g}: {b.text}") for b in found.boundaries if _unusual(found, b)),
        *(("note", note) for note in found.notes),
        *(("undecided", reason) for reason in dict.fromkeys(p.reason for p in found.points if p.status == "undecided")),
    ]  # fmt: skip
    _print_rows(console, rows)
    for path in written:
        console.print(Text(_clean(f"wrote {path}")), soft_wrap=True)


def _power(power: Mapping[str, Any] | None) -> str:
    """Return the power in one cell: for exponents, the chance to notice one that is wrong by .05."""
    if power is None:
        return ""
    chance = power["at"].get("0.05")
    return str(_clean(power["kind"])) if chance is None else f"{chance:.3f} at 0.05"


def _print_finding(console: Console, finding: Mapping[str, Any], replays: Mapping[str, str]) -> None:
    """Print one verdict with its counterexamples and what they rest on."""
    line = Text(_clean(finding["id"]), "bold") + Text("  ") + _verdict(finding["verdict"])
    console.print(line)
    rows = [("claim", finding["statement"]), ("predicted", finding["prediction"]), ("", finding["message"])]
    for role in records.ROLES:
        case = finding[role]
        if role == "worst" and case is not None and case["digest"] == finding["minimal"]["digest"]:
            rows.append((role, "the minimal one"))
        elif case is not None:
            rows += _case_rows(role, case, replays.get(role, ""))
    counts = finding["instances"]
    rows.append(("instances", ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in counts)))
    rows.append(("size", finding["size"]["text"]))
    if finding["power"] is not None:
        rows.append(("power", finding["power"]["text"]))
    if finding["certificate"] is not None:
        rows.append(("certificate", finding["certificate"]["text"]))
    if finding["proof"] is not None:
        rows += [("proof", finding["proof"]["text"]), *(("", step) for step in finding["proof"]["steps"])]
    _print_rows(console, rows)


def _print_repair(console: Console, found: Repair) -> None:
    """Print the repaired statement, what it rests on, and the table of conjunctions."""
    console.print(Text(_clean(found.claim.id), "bold") + Text(f"  {found.status}"))
    rows = [("", found.text), ("note", "" if found.message in found.text else found.message)]
    shown: list[tuple[str, Conjunction]] = [] if found.best is None else [("repair", found.best)]
    shown += [("alternative", item) for item in found.alternatives] + [("beside", item) for item in found.beside]
    if shown:
        first = shown[0][1]
        if first.same:
            rows.append(("the same", "; ".join(first.same)))
        for added in first.added:
            if added.edge is not None:
                rows.append(("constant", f"{added.text}: {edge_text(added)}"))
            if added.needed is not None:
                rows.append(("needed", f"without {added.text}: {added.needed.instance.describe()}"))
        if first.confirmation.power is not None:
            rows.append(("power", first.confirmation.power.text))
    _print_rows(console, rows)
    if not shown:
        return
    table = Table(header_style="bold")
    for name in ("", "conditions", "keeps"):
        table.add_column(name, overflow="fold")
    for name in ("judged", "power"):
        table.add_column(name, justify="right")
    table.add_column("verdict", no_wrap=True)
    for role, item in shown:
        table.add_row(
            role,
            Text(_clean(item.text or "nothing added")),
            item.share.text,
            str(item.judged),
            item.power,
            _verdict(item.confirmation.verdict),
        )
    console.print(table)


def _wrong_formulas(found: Sequence[Repair]) -> list[Claim]:
    """One falsified reading for each statement and observable that holds something measured against a formula."""
    chosen: list[Claim] = []
    for outcome in found:
        claim = outcome.claim
        if outcome.finding.verdict != FALSIFIED or not has_formula(claim):
            continue
        if not any(claim.id == each.id for other in chosen for each in relatives(other, [claim])):
            chosen.append(claim)
    return chosen


def _print_formula(console: Console, found: FormulaRepair) -> None:
    """Print the repaired formula and the table of all that were tried."""
    console.print(
        Text(_clean(f"{found.statement}: another formula in {found.claimed}"), "bold") + Text(f"  {found.status}")
    )
    _print_rows(console, [("", found.text), ("note", "" if found.message in found.text else found.message)])
    if not found.trials:
        return
    table = Table(header_style="bold")
    for name in TRIAL_COLUMNS:
        table.add_column(name, overflow="fold")
    for trial in found.trials:
        table.add_row(*(Text(_clean(cell)) for cell in trial_cells(trial)))
    console.print(table)


def _case_rows(role: str, case: Mapping[str, Any], replay_command: str) -> list[tuple[str, str]]:
    rows = [(role, case["describe"])]
    if (predicted := case["predicted"]) is not None:
        value = "" if predicted["value"] is None else f" {predicted['value']:.6g}"
        rows.append(("  predicted", f"{predicted['kind']}{value}"))
    if case["exponent"] is not None:
        tolerance = "" if case["tolerance"] is None else f", tolerance {case['tolerance']:.2g}"
        rows.append(("  measured", f"exponent {case['exponent']:.6g}{tolerance}"))
    if case["interval"] is not None:
        low, high = case["interval"]
        rows.append(("  interval", f"[{low:.6g}, {high:.6g}]"))
    if case["witness"]:
        rows.append(("  witness", ", ".join(f"{name} = {number:.6g}" for name, number in case["witness"].items())))
    rows.append(("  because", case["reason"]))
    if case.get("why"):
        rows.append(("  why", case["why"]))
    rows += [(f"  {name}", text) for name, text in shown_lines(case)]
    return [*rows, ("  replay", replay_command)]


def _print_claims(claims: Sequence[Claim]) -> None:
    table = Table(header_style="bold")
    for name in ("claim", "title", "source", "expected"):
        table.add_column(name, overflow="fold")
    for claim in claims:
        table.add_row(
            Text(_clean(claim.id)),
            Text(_clean(claim.title)),
            Text(_clean(claim.source)),
            _verdict(claim.expected),
        )
    console = _console()
    console.print(table)
    statements = len({claim.statement_id for claim in claims})
    console.print(f"{len(claims)} readings of {statements} statements")


def _print_claims_in_full(claims: Sequence[Claim]) -> None:
    console = _console()
    for claim in claims:
        console.print(Text(_clean(claim.id), "bold"))
        hypotheses = [getattr(each, "__name__", repr(each)).replace("_", " ") for each in claim.hypotheses]
        rows = [
            ("title", claim.title),
            ("statement", claim.statement),
            ("source", claim.source),
            ("predicts", claim.prediction),
            ("tuning", claim.tuning if isinstance(claim.tuning, str) else "a function of the claim"),
            ("under", ", ".join(hypotheses)),
            ("expected", claim.expected or "open"),
            ("note", claim.note),
            *(("cell", cell) for cell in claim.cells),
        ]
        _print_rows(console, rows)


def _print_rows(console: Console, rows: Iterable[tuple[str, str]]) -> None:
    """Print the rows that say something as two columns; commands stay whole, to be copied."""
    for name, text in rows:
        if text:
            console.print(Text(f"  {name:<12}{_clean(text)}"), soft_wrap=True)
