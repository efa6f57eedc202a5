"""The pages of a run out of its records: the report, one HTML file that holds everything, and beside it a page for each statement,
of the same parts.

The records are read as they are: what is absent (no minimal counterexample, no evidence, no findings at all)
is said or left out, never an error, so that a run that went wrong still has a page that says so. All text
passes through jinja2 with autoescape; what is put in as markup (MathML, JSON blocks, the scripts) is built in
one place each and escaped there. A content security policy that names the scripts of the page by their hash
stands behind that: a script that got in by mistake would not run, and nothing can be fetched.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import os
import re
import shlex
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from reports.exhibits import EXHIBIT_TABLE, exhibit_view, exhibits_csv
from reports.figures import Evidence, curve_figure, drawings, engine, json_block, relation, script, slope_figure
from reports.mathml import statement_markup
from reports.matrix import Matrix, build_matrix
from reports.night import night_view
from reports.prose import blocks
from reports.words import (
    number,
    show_chance,
    show_date,
    show_decade,
    show_index,
    show_number,
    show_seconds,
    symbols,
)

SCHEMA = 1  # of the records; the same number as verifier.records.SCHEMA, which this package does not import
REPORT = "report.html"
STATEMENTS = "statements"
_SCORES = ("Claim", "What is claimed", "Verdict", "Expected", "Agrees", "Rests on", "Instances", "Power", "Time")
_TEMPLATES = Path(__file__).parent / "templates"
_COLUMNS = ("id", "role", "series", "x", "y", "lo", "hi")


@dataclass(frozen=True)
class Verdict:
    """How a verdict is called in a sentence, and what it means in one."""

    name: str
    word: str
    counted: tuple[str, str]  # of one reading, of several
    meaning: str

    @property
    def css(self) -> str:
        """The name of its class in the style sheet."""
        return self.name.lower()


_WORDS = {
    "SURVIVED": (
        "survived",
        ("survived", "survived"),
        "no violation in the instances judged, with the power stated",
    ),
    "FALSIFIED": (
        "falsified",
        ("was falsified", "were falsified"),
        "a violation was found and confirmed on fresh randomness",
    ),
    "UNDERPOWERED": (
        "underpowered",
        ("is undecided", "are undecided"),
        "no violation, but a wrong claim might not have been noticed within the budget",
    ),
    "VACUOUS": (
        "vacuous",
        ("was left without a test", "were left without a test"),
        "too few instances met the hypotheses for a verdict",
    ),
    "ERROR": (
        "error",
        ("ended in an error", "ended in an error"),
        "the machinery failed: no verdict",
    ),
}
VERDICTS = {name: Verdict(name, *words) for name, words in _WORDS.items()}
_UNKNOWN = ("has an unknown verdict", "have an unknown verdict")


def verdict_of(name: Any) -> Verdict:
    """The verdict called ``name``; one that this page does not know is shown under its own name."""
    word = str(name or "ERROR")
    return VERDICTS.get(word) or Verdict(word, word.lower(), _UNKNOWN, "this page does not know this verdict")


_EVIDENCE = {
    "equivalent": "deterministic equivalent",
    "simulation": "simulation",
    "certificate": "certificate",
    "proof": "proof",
}
_ROLES = {
    "minimal": ("Minimal counterexample", "the simplest instance on which the reading fails"),
    "worst": ("Worst counterexample", "the instance on which it fails by most"),
    "typical": ("Closest call", "the instance in scope that came closest to a violation"),
}
# Control characters and the marks that reorder a line: a title must not rearrange the words around it.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


# ----------------------------------------------------------------------------------------------------- public


def render(run_dir: Path, earlier: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Draw the pages of a run again from ``findings.json``, ``run.json``, ``evidence.parquet``, ``exhibits.json`` and, of a
    night, ``night.json`` in ``run_dir``; ``earlier`` are the nights before it, as of :func:`verifier.history.earlier_nights`.

    Without ``evidence.parquet`` instances have no charts, without ``exhibits.json`` figures are not drawn again; the other two
    are needed. Returns the path of the report. ValueError for what cannot be read, or has a schema that is too new.
    """
    run_dir = Path(run_dir)
    findings = _read(run_dir / "findings.json", list)
    night = _read(run_dir / "night.json", dict) if (run_dir / "night.json").exists() else None
    run = night if night and not (run_dir / "run.json").exists() else _read(run_dir / "run.json", dict)
    table = run_dir / "evidence.parquet"
    evidence = pd.read_parquet(table) if table.exists() else pd.DataFrame(columns=list(_COLUMNS))
    exhibits = _read(run_dir / "exhibits.json", dict).get("exhibits") if (run_dir / "exhibits.json").exists() else None
    return write_report(run_dir, findings, run, evidence, exhibits or (), night=night, earlier=earlier)


def write_report(
    run_dir: Path,
    findings: list[dict[str, Any]],
    run: dict[str, Any],
    evidence: pd.DataFrame,
    exhibits: Sequence[Mapping[str, Any]] = (),
    *,
    night: Mapping[str, Any] | None = None,
    earlier: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write ``report.html`` and ``statements/`` into ``run_dir``, each file whole or not at all, and return the report's path.

    ``findings``: the records of ``findings.json``; ``run``: that of ``run.json``; ``evidence``: the long
    table id, role, series, x, y, lo, hi, one row a point (it may be empty); ``exhibits``: those of ``exhibits.json``, whose points
    are written to ``exhibits.csv``; ``night``: the record of ``night.json`` where the run is a night, and ``earlier`` the nights
    before it (:func:`verifier.history.earlier_nights`).
    """
    if not evidence.empty:
        missing = [name for name in _COLUMNS if name not in evidence.columns]
        if missing:
            raise ValueError(
                f"evidence={list(evidence.columns)} lacks the columns {missing}; give the table with {list(_COLUMNS)}"
            )
    run_dir = Path(run_dir)
    for name, text in pages(findings, run, evidence, exhibits, night=night, earlier=earlier).items():
        _write(run_dir / name, text)
    if exhibits:
        _write(run_dir / EXHIBIT_TABLE, exhibits_csv(exhibits))
    return run_dir / REPORT


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        beside.write_bytes(text.encode("utf-8", errors="replace"))
        os.replace(beside, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def page(
    findings: Sequence[Mapping[str, Any]],
    run: Mapping[str, Any],
    evidence: pd.DataFrame,
    exhibits: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The report as one string of HTML."""
    return pages(findings, run, evidence, exhibits)[REPORT]


def pages(
    findings: Sequence[Mapping[str, Any]],
    run: Mapping[str, Any],
    evidence: pd.DataFrame,
    exhibits: Sequence[Mapping[str, Any]] = (),
    *,
    night: Mapping[str, Any] | None = None,
    earlier: Sequence[Mapping[str, Any]] = (),
) -> dict[str, str]:
    """Every page of a run as HTML, by its path in the run directory: the report first, then ``statements/T1.html`` and so on."""
    points = Evidence(evidence)
    slugs = slugs_of([str(finding.get("id") or "reading") for finding in findings])
    readings = [_reading(finding, slug, points) for finding, slug in zip(findings, slugs, strict=True)]
    statements = _statements(readings, exhibits)
    shared = {"run": run, "statements": statements, "columns": _SCORES}
    links = {statement["claim"]: statement["page"] for statement in statements}
    report = {"summary": _summary(readings, run), "readings": readings, "pages": links}
    places = {reading["id"]: reading["slug"] for reading in readings}
    searched = None if night is None else night_view(night, earlier, places)
    texts = {
        REPORT: rendered("page.html", statements, **shared, **report, home="", table=EXHIBIT_TABLE, night=searched)
    }
    for statement in statements:
        texts[statement["page"]] = rendered(
            "statement.html",
            [statement],
            **shared,
            s=statement,
            summary=_summary(statement["readings"], run),
            home=f"../{REPORT}",
            table=f"../{EXHIBIT_TABLE}",
        )
    return texts


def rendered(template: str, held: Sequence[Mapping[str, Any]], **view: Any) -> str:
    """A page that holds the given statements. One without a chart carries no engine."""
    cases = [case for statement in held for reading in statement["readings"] for case in reading["cases"]]
    panels = [panel for statement in held for each in statement["exhibits"] for panel in each["panels"]]
    kinds = {figure["kind"] for part in (*cases, *panels) for figure in part["figures"]}
    used = {kind: drawing for kind, drawing in drawings().items() if kind in kinds} if kinds else {}
    behaviour = _template("page.js")
    return _environment().get_template(template).render(
        **view,
        drawings=json_block(used) if used else None,
        style=Markup(_template("style.css")),
        engine=Markup(engine()) if used else "",
        behaviour=Markup(behaviour),
        policy=_policy([script(), behaviour] if used else [behaviour]),
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------- the view


def _reading(finding: Mapping[str, Any], slug: str, points: Evidence) -> dict[str, Any]:
    """One record with what the template needs beside it."""
    name = str(finding.get("id") or "reading")
    claim, _, reading = name.partition("/")
    power = finding.get("power") or {}
    return {
        **finding,
        "id": name,
        "claim": str(finding.get("claim") or claim),
        "reading": str(finding.get("reading") or reading),
        "slug": slug,
        "title": str(finding.get("title") or ""),
        "verdict": verdict_of(finding.get("verdict")),
        "agreement": agreement(finding),
        "statement_markup": statement_markup(str(finding.get("latex") or ""), str(finding.get("statement") or "")),
        "rests_on": [_EVIDENCE.get(str(kind), str(kind)) for kind in finding.get("evidence") or ()],
        "instances": finding.get("instances") or {},
        "power": power,
        "power_at": [(delta, number(chance)) for delta, chance in (power.get("at") or {}).items()],
        "size": finding.get("size") or {},
        "stale": bool((finding.get("calibration") or {}).get("stale")),
        "calibration_facts": _calibration(finding.get("calibration") or {}),
        "certificate_data": _shown((finding.get("certificate") or {}).get("data")),
        "cases": _cases(finding, slug, points),
    }


def agreement(finding: Mapping[str, Any]) -> str:
    """yes, differs, open (nobody knows what to expect) or none (an expectation, but nothing to hold against
    it).
    """
    if finding.get("agrees") is None:
        return "open" if finding.get("expected") is None else "none"
    return "yes" if finding["agrees"] else "differs"


def _cases(finding: Mapping[str, Any], slug: str, points: Evidence) -> list[dict[str, Any]]:
    """The cases of a reading; where the minimal counterexample is the worst one too, it is shown once."""
    cases = {role: case for role in _ROLES if (case := _case(finding, role, slug, points))}
    minimal, worst = (cases.get(role, {}).get("record", {}).get("digest") for role in ("minimal", "worst"))
    if minimal is not None and minimal == worst:
        del cases["worst"]
        cases["minimal"]["heading"] = "Minimal and worst counterexample"
        cases["minimal"]["meaning"] = "the simplest instance on which the reading fails, and by most"
    return list(cases.values())


def _case(finding: Mapping[str, Any], role: str, slug: str, points: Evidence) -> dict[str, Any] | None:
    """One counterexample, or closest call, with its figures; None when there is neither record nor
    evidence.
    """
    case = finding.get(role)
    record: Mapping[str, Any] = case if isinstance(case, Mapping) else {}
    name = str(finding.get("id") or "reading")
    observable = finding.get("observable") or {}
    figures = []
    for build in (curve_figure, slope_figure):
        figure = build(points, name, role, record, observable)
        if figure:
            block = {key: figure[key] for key in ("kind", "rows", "signals")}
            figures.append({**figure, "block": json_block(block), "slug": f"{slug}-{role}-{figure['kind']}"})
    if not record and not figures:
        return None
    heading, meaning = _ROLES[role]
    return {
        "role": role,
        "slug": f"{slug}-{role}",
        "heading": heading,
        "meaning": meaning,
        "record": record,
        "relation": relation(record),
        "instance": _shown(record.get("instance")),
        "figures": figures,
    }


def _statements(readings: Sequence[dict[str, Any]], exhibits: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The readings grouped by statement, in the order in which they come, each group with its matrix and its figures if it
    has any, and with the address of its page.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for reading in readings:
        groups.setdefault(reading["claim"], []).append(reading)
    slugs = slugs_of(list(groups))
    files = _file_names(slugs)
    statements = []
    for (claim, group), slug, file in zip(groups.items(), slugs, files, strict=True):
        own = [exhibit for exhibit in exhibits if str(exhibit.get("claim") or "") == claim]
        matrix: Matrix | None = build_matrix((reading, reading.get("cells") or ()) for reading in group)
        sources = dict.fromkeys(str(reading.get("source") or "") for reading in group)
        shared = len(group) > 1 and len({str(reading["statement_markup"]) for reading in group}) == 1
        statements.append(
            {
                "claim": claim,
                "slug": f"statement-{slug}",
                "readings": group,
                "source": next(iter(sources)) if len(sources) == 1 else "",
                "shared": group[0]["statement_markup"] if shared else None,
                "counts": counts_of(group),
                "matrix": matrix,
                "explanation": blocks(next(filter(None, (reading.get("explanation") for reading in group)), "")),
                "exhibits": [exhibit_view(exhibit, f"exhibit-{slug}-{place}") for place, exhibit in enumerate(own)],
                "file": file,
                "page": f"{STATEMENTS}/{file}",
            }
        )
    return statements


def counts_of(readings: Iterable[Mapping[str, Any]]) -> list[tuple[Verdict, int]]:
    """How many readings came to each verdict, in the order of the verdicts; none that no reading came to."""
    counted = Counter(reading["verdict"] for reading in readings)
    order = {name: place for place, name in enumerate(VERDICTS)}
    return sorted(counted.items(), key=lambda item: (order.get(item[0].name, len(order)), item[0].name))


def _summary(readings: Sequence[dict[str, Any]], run: Mapping[str, Any]) -> dict[str, Any]:
    controls = run.get("controls") or []
    stale = [reading for reading in readings if reading["stale"]]
    return {
        "counts": counts_of(readings),
        "sentence": sentence_of(readings),
        "readings": len(readings),
        "statements": len({reading["claim"] for reading in readings}),
        "agree": sum(reading["agreement"] == "yes" for reading in readings),
        "differ": [reading for reading in readings if reading["agreement"] == "differs"],
        "open": [reading for reading in readings if reading["agreement"] == "open"],
        "controls": controls,
        "wrong": [control for control in controls if not control.get("right")],
        "stale": stale,
        "is_stale": bool(run.get("stale")) or bool(stale),
        "unmeasured": sum(not reading.get("calibration") for reading in readings),
    }


def sentence_of(readings: Sequence[Mapping[str, Any]]) -> str:
    """The outcome in words: "20 readings survived, 12 were falsified and 2 are undecided"."""
    counts = counts_of(readings)
    if not counts:
        return "No reading was judged"
    parts = [f"{count} {verdict.counted[count != 1]}" for verdict, count in counts]
    parts[0] = parts[0].replace(" ", " reading " if counts[0][1] == 1 else " readings ", 1)
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


@dataclass(frozen=True)
class Fact:
    """One figure of the calibration: what was measured, the rate, counts, and the interval where it has one."""

    name: str
    value: str
    counted: str
    interval: str


def _calibration(record: Mapping[str, Any]) -> dict[str, list[Fact]]:
    """The facts of a calibration by what measured them; those to read first under the empty name."""
    groups: dict[str, list[Fact]] = {"": []}
    for name, text in _scalars(record, without=("stale", "text")):
        name = _FIRST.get(name, name)
        measurement, colon, what = name.partition(": ")
        if not colon or measurement not in _MEASUREMENTS:
            measurement, what = "", name
        groups.setdefault(measurement, []).append(_fact(what, text))
    return {measurement: facts for measurement, facts in groups.items() if facts}


_MEASUREMENTS = ("confirmations", "searches", "corners", "simulation alone")
_FIRST = {"searches: false alarms": "whole searches with a false alarm"}
_RATE = re.compile(r"(?P<hits>\S+) of (?P<trials>\S+) = (?P<rate>\S+) \[(?P<low>\S+), (?P<high>\S+)\]")
_FACT_WORDS = (
    (re.compile(r"^size$"), "size: a true claim called violated"),
    (re.compile(r"^power (\d\S*?)(?=,|$)"), r"power: an exponent wrong by \1 is noticed"),
    (re.compile(r"^power, (?!wrong)"), "power: formula wrong, "),
    (re.compile(r"^permitted (\S+)$"), r"finite samples permit noticing \1"),
)


def _fact(name: str, text: str) -> Fact:
    for pattern, words in _FACT_WORDS:
        name = pattern.sub(words, name)
    rate = _RATE.fullmatch(text)
    if rate is None:
        return Fact(name, text, "", "")
    counted = f"{rate['hits']} of {rate['trials']}"
    return Fact(name, rate["rate"], counted, f"{rate['low']} to {rate['high']}")


def _scalars(record: Mapping[str, Any], *, without: Sequence[str]) -> list[tuple[str, str]]:
    """What of a free-form record fits on a line each."""
    facts = []
    for key, value in record.items():
        if key in without or value is None:
            continue
        shown = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (dict, list)) else value
        text = show_number(shown) if isinstance(shown, (int, float)) and not isinstance(shown, bool) else str(shown)
        facts.append((str(key).replace("_", " "), _clipped(text, 400)))
    return facts


def _shown(value: Any) -> str:
    """A JSON value for reading; empty for null. What is long is clipped: the run directory holds the
    whole.
    """
    return (
        "" if value in (None, {}, []) else _clipped(json.dumps(value, ensure_ascii=False, indent=1, default=str), 4000)
    )


def _clipped(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + " … (the rest stands in findings.json)"


def _file_names(slugs: Sequence[str]) -> list[str]:
    """A file for each statement, also where the file system does not tell T1 from t1."""
    taken: Counter[str] = Counter()
    result = []
    for slug in slugs:
        base = slug.removeprefix("r-")
        taken[base.lower()] += 1
        count = taken[base.lower()]
        result.append(f"{base}.html" if count == 1 else f"{base}---{count}.html")
    return result


def slugs_of(names: Sequence[str]) -> list[str]:
    """Distinct ids for elements, made of letters, digits and hyphens whatever the names hold."""
    taken: Counter[str] = Counter()
    result = []
    for name in names:
        base = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60] or "unnamed"
        if re.sub(r"[/-]", "-", name) != base:  # something was lost: keep names apart that differ in it only
            base += "-" + hashlib.sha256(name.encode("utf-8", errors="replace")).hexdigest()[:6]
        taken[base] += 1
        result.append("r-" + (base if taken[base] == 1 else f"{base}--{taken[base]}"))
    return result


# -------------------------------------------------------------------------------------------------- machinery


def _printable(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str) and _UNPRINTABLE.search(value):
        clean = _UNPRINTABLE.sub("\ufffd", value)
        return Markup(clean) if isinstance(value, Markup) else clean
    return value


def _tolerant(show: Callable[..., str]) -> Callable[..., str]:
    """``show`` for templates: what a record lacks is shown as null is."""

    @functools.wraps(show)
    def shown(value: Any, *options: Any) -> str:
        return show(None if isinstance(value, jinja2.Undefined) else value, *options)

    return shown


def _is_command(text: Any) -> bool:
    """Whether a shell takes a text for one call of ``verifier`` with arguments and nothing else: it is quoted as shlex does."""
    try:
        words = shlex.split(str(text))
    except ValueError:
        return False
    return words[:1] == ["verifier"] and shlex.join(words) == str(text)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,  # records may lack what is optional
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name, show in (
        ("num", show_number),
        ("decade", show_decade),
        ("index", show_index),
        ("chance", show_chance),
        ("seconds", show_seconds),
        ("date", show_date),
        ("symbols", symbols),
    ):
        environment.filters[name] = _tolerant(show)
    environment.globals["verdict_of"] = verdict_of
    environment.tests["command_of_verifier"] = _is_command
    return environment


@functools.cache
def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(scripts: Iterable[str]) -> str:
    """The content security policy: the scripts of this page by their SHA-256, no other script, and no
    request.
    """
    hashes = " ".join(
        "'sha256-" + base64.b64encode(hashlib.sha256(block.encode()).digest()).decode() + "'" for block in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _read(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"run_dir={str(path.parent)!r} holds no readable {path.name} ({error}); give a finished run"
        ) from error
    for record in value if isinstance(value, list) else [value]:
        schema = record.get("schema") if isinstance(record, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise ValueError(
                f"{path.name} was written with schema {show_number(schema)}, this page reads up to {SCHEMA}: "
                "install a newer verifier"
            )
    if not isinstance(value, kind):
        raise ValueError(f"{path.name} holds a {type(value).__name__}, expected a {kind.__name__}; give a finished run")
    return value
