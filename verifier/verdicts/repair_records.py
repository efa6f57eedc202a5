"""What is written about repairs: the JSON of ``verifier repair --json`` and the page of ``--markdown``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from verifier.provenance import version
from verifier.records import SCHEMA
from verifier.verdicts.falsify import ERROR
from verifier.verdicts.formulas import FormulaRepair, Trial
from verifier.verdicts.repair import NOTHING, UNREPAIRED, Added, Conjunction, Repair, Share
from verifier.verdicts.search import Case

MOST_TEXT = 400
"""Characters of an error on the page: its numbers may be many. The record has them all."""


FORMULAS_SAID = (
    "Where a reading holds a measured factor against a formula, formulas are searched as well: the whole vocabulary is judged on "
    "instances from the domains of all readings of the statement that observe the same, and what these do not refute is attacked "
    "there, twice. A formula must hold on all of them."
)


def repair_record(found: Repair, pack: str | None = None) -> dict[str, Any]:
    """The repair as JSON."""
    return {
        "claim": found.claim.id,
        "pack": pack,
        "statement": found.claim.statement,
        "status": found.status,
        "text": found.text,
        "seed": found.seed,
        "vocabulary": list(found.vocabulary),
        "falsified": {
            "verdict": found.finding.verdict,
            "minimal": _case(found.finding.minimal),
        },
        "repair": _conjunction_record(found.best),
        "alternatives": [_conjunction_record(item) for item in found.alternatives],
        "beside": [_conjunction_record(item) for item in found.beside],
        "rounds": found.rounds,
        "refused": list(found.refused),
        "message": found.message,
        "interrupted": found.interrupted,
        "seconds": found.seconds,
    }


def formula_record(found: FormulaRepair) -> dict[str, Any]:
    """The search for another formula as JSON."""
    return {
        "statement": found.claim.statement_id,
        "claim": found.claim.id,
        "readings": list(found.readings),
        "property": found.claimed,
        "status": found.status,
        "text": found.text,
        "seed": found.seed,
        "pool": found.pool,
        "trials": [_trial_record(trial) for trial in found.trials],
        "message": found.message,
        "interrupted": found.interrupted,
        "seconds": found.seconds,
    }


def _trial_record(trial: Trial) -> dict[str, Any]:
    return {
        "text": trial.text,
        "meaning": trial.meaning,
        "outcome": trial.outcome,
        "claimed": trial.claimed,
        "judged": trial.judged,
        "refuted": trial.refuted,
        "undecided": trial.undecided,
        "attacked": trial.attacked,
        "size": trial.size,
        "counterexample": _case(trial.counterexample),
    }


def repairs_record(
    repairs: Sequence[Mapping[str, Any]], command: str, formulas: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The file of ``verifier repair --json``; it has the key ``formulas`` where a formula was looked for."""
    record = {"schema": SCHEMA, "kind": "repairs", "version": version(), "command": command, "repairs": list(repairs)}
    return record | ({"formulas": list(formulas)} if formulas else {})


def edge_text(item: Added) -> str:
    """What is known of a constant, empty for a predicate."""
    if item.edge is None:
        return ""
    where = "the error vanishes at" if item.edge.vanishes else "survives at"
    broken = "no violation beyond it was confirmed" if item.edge.broken is None else f"violated at {item.edge.broken:g}"
    only = f"; of the domain this leaves {item.edge.only:g} alone" if item.edge.only is not None else ""
    return f"{where} {item.edge.safe:g}, {broken}{only}"


def trial_cells(trial: Trial) -> list[str]:
    """A row of the table of formulas: formula, outcome, instances of the pool that refute it, the simplest that does."""
    name = trial.text + (" (as claimed)" if trial.claimed else "")
    tried = f", {trial.attacked} more judged" if trial.attacked else ""
    case = "" if trial.counterexample is None else trial.counterexample.instance.describe()
    return [name, trial.outcome.lower() + tried, f"{trial.refuted} of {trial.judged}", case]


TRIAL_COLUMNS = ("formula", "outcome", "refuted by", "simplest counterexample")


def formula_section(found: FormulaRepair) -> list[str]:
    """The part of the page on another formula."""
    lines = [
        "",
        f"## {found.statement}: another formula in {found.claimed}",
        "",
        found.text,
        "",
        f"Instances come from the domains of {', '.join(found.readings)}.",
    ]
    if found.trials:
        lines += ["", "| " + " | ".join(TRIAL_COLUMNS) + " |", "|" + "---|" * len(TRIAL_COLUMNS)]
        for trial in found.trials:
            first, *rest = trial_cells(trial)
            lines.append("| " + " | ".join(_cell(cell) for cell in (f"`{first}`", *rest)) + " |")
    return lines


def markdown(repairs: Sequence[Repair], command: str, formulas: Sequence[FormulaRepair] = ()) -> str:
    """The page of repaired statements: one section a falsified reading."""
    lines = [
        "# Repaired statements",
        "",
        f"Written by `{command}`. For every reading that is falsified: the weakest conjunction of conditions under which no "
        'counterexample was found any more, from a fresh seed. "Keeps" is the share of the reading\'s own draws that meets the '
        'conditions (95% Clopper-Pearson interval, as if draws were independent); "power" is the chance that one judgement of '
        "the confirming run notices an exponent wrong by .05. For a constant, the values between which it is known are given: "
        "where the violation vanishes or the claim survives, and the nearest confirmed violation. A condition is needed when "
        "dropping it alone lets a counterexample through, which is shown. *Beside its domain* means that no part of its "
        "domain could be kept, or little, and that the reading's property (what is measured, against what is predicted) was "
        "tried on a changed domain: a formula that was simplified for the domain is then the general one.",
        "",
        "| reading | outcome | conditions | keeps | instances judged | power |",
        "|---|---|---|---|---|---|",
    ]
    falsified = [found for found in repairs if found.status != NOTHING]
    for found in falsified:
        first = found.best or (found.beside[0] if found.beside else None)
        cells = [found.claim.id, found.status.lower(), "", "", "", ""]
        if first is not None:
            cells[2:] = [first.text, _interval(first.share), str(first.judged), first.power]
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    if formulas:
        lines += ["", FORMULAS_SAID]
    for other in formulas:
        lines += formula_section(other)
    for found in falsified:
        lines += [
            "",
            f"## {found.claim.id}",
            "",
            shorten(found.text, MOST_TEXT) if found.status == ERROR else found.text,
        ]
        named = [("repair", found.best), *(("alternative", a) for a in found.alternatives)]
        named += [("beside its domain", item) for item in found.beside]
        for role, item in named:
            if item is not None:
                lines += ["", *_described(role, item)]
        if found.message not in found.text and found.status != UNREPAIRED:
            lines += ["", found.message]
    return "\n".join(lines) + "\n"


def _described(role: str, found: Conjunction) -> list[str]:
    """A list item with what is known of one conjunction."""
    same = f" (the same draws as: {'; '.join(found.same)})" if found.same else ""
    lines = [
        f"- {role}: **{found.text or 'nothing added'}**{same}; keeps {found.share.text}; {found.judged} instances judged, "
        f"{found.confirmation.verdict}" + (f", power {found.power}" if found.power else "")
    ]
    for item in found.added:
        if item.edge is not None:
            lines.append(f"  - {item.text}: {edge_text(item)}")
        if item.needed is not None:
            lines.append(f"  - without {item.text}: `{item.needed.instance.describe()}`")
    return lines


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{100 * share.value:.0f}% ({100 * low:.0f} to {100 * high:.0f}%)"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _case(case: Case | None) -> dict[str, Any] | None:
    if case is None:
        return None
    return {
        "instance": case.instance.to_json(),
        "describe": case.instance.describe(),
        "reason": case.judgement.reason,
    }


def _conjunction_record(found: Conjunction | None) -> dict[str, Any] | None:
    if found is None:
        return None
    power = found.confirmation.power
    counts = found.confirmation.counts
    return {
        "text": found.text,
        "imposed": list(found.imposed),
        "conditions": [
            {
                "name": item.condition.condition.name,
                "text": item.text,
                "value": item.condition.value,
                "strict": item.condition.strict,
                "edge": None
                if item.edge is None
                else {
                    "safe": item.edge.safe,
                    "broken": item.edge.broken,
                    "vanishes": item.edge.vanishes,
                    "only": item.edge.only,
                },
                "needed": _case(item.needed),
            }
            for item in found.added
        ],
        "same": list(found.same),
        "kept": {
            "kept": found.share.kept,
            "drawn": found.share.drawn,
            "share": found.share.value,
            "interval": list(found.share.interval),
        },
        "judged": found.judged,
        "confirmation": {
            "verdict": found.confirmation.verdict,
            "seed": found.confirmation.seed,
            "consistent": counts.consistent,
            "inconclusive": counts.inconclusive,
            "violated": counts.violated,
            "power": None
            if power is None
            else {"kind": power.kind, "at": power.at, "corner": power.corner, "text": power.text},
            "message": found.confirmation.message,
        },
    }
