"""The calibration that ships with the project: what it says of a reading, and whether it speaks of the code that runs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from verifier import records
from verifier.provenance import code_digest

SHIPPED = Path(__file__).resolve().parent.parent / "data" / "calibration.json"


@lru_cache(maxsize=1)
def shipped() -> dict[str, Any] | None:
    """The shipped table; None where there is none that this version can read."""
    if not SHIPPED.exists():
        return None
    try:
        record = records.read_json(SHIPPED)
    except records.RecordError as error:
        warnings.warn(f"no calibration is shown: {error}; `verifier calibrate --publish` makes it anew", stacklevel=2)
        return None
    readable = (
        isinstance(record, dict) and record.get("kind") == "calibration" and record.get("schema") == records.SCHEMA
    )
    return record if readable else None


def is_stale() -> bool | None:
    """Whether the shipped table was measured on other code or strategies; None where no table ships."""
    table = shipped()
    return None if table is None else table["digest"] != code_digest()


def calibration_of(reading: str) -> dict[str, Any] | None:
    """What the shipped table says of one reading, for its record; None where no table ships."""
    table = shipped()
    if table is None:
        return None
    measured = table["readings"].get(reading)
    facts = {} if measured is None else {name: in_words(value) for name, value in _leaves(measured)}
    audits = table["all"].get("audits")
    if audits is not None:
        facts["whole audits with a false alarm"] = in_words(audits["false alarms"])
    text = (
        "Size and power on claims whose truth a theorem gives, drawn from this reading's domain."
        if measured is not None
        else "This reading is not among those whose exponents were calibrated: it is about a bound, proved, or of another pack."
    )
    return {"stale": bool(is_stale()), "text": f"{text} Measured on code {table['digest'][:12]}.", **facts}


def in_brief(reading: str) -> str:
    """Size and power of one reading in a few words, STALE where they speak of other code; empty where nothing is known."""
    table = shipped()
    measured = None if table is None else table["readings"].get(reading, {}).get("judgements")
    if measured is None:
        return ""
    size, power = measured["size"], measured["power 0.02"]
    stale = "STALE " if is_stale() else ""
    noticed = "power not known" if power["rate"] is None else f"{power['rate']:.3f} at 0.02"
    return f"{stale}{size['hits']:g}/{size['trials']:g}, {noticed}"


def _leaves(measured: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and rates of a reading's measurements, judgements first and without their prefix."""
    leaves = []
    for measurement, rates in measured.items():
        prefix = "" if measurement == "judgements" else f"{measurement}: "
        leaves += [(f"{prefix}{name}", value) for name, value in rates.items()]
    return leaves


def in_words(value: Any) -> str:
    """A rate with its interval, or a count."""
    if not isinstance(value, Mapping):
        return f"{value:g}"
    if value["rate"] is None:
        return "not measured"
    return f"{value['hits']:g} of {value['trials']:g} = {value['rate']:.4g} [{value['low']:.4f}, {value['high']:.4f}]"


# ----------------------------------------------------------------------------------------------------
# The page in docs/

_PAGE = SHIPPED.parents[2] / "docs" / "calibration.md"


def is_checkout() -> bool:
    """Whether the code runs from a checkout, where the table and its page belong."""
    return _PAGE.parent.is_dir() and (SHIPPED.parents[2] / "pyproject.toml").exists()


def publish_table(table: Mapping[str, Any]) -> list[Path]:
    """Write the table that ships with the project and its page."""
    records.write_json(SHIPPED, table)
    records.write_text(_PAGE, markdown(table))
    shipped.cache_clear()
    return [SHIPPED, _PAGE]


def markdown(table: Mapping[str, Any]) -> str:
    """The table as docs/calibration.md shows it."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(table["versions"].items()))
    lines = [
        "# Calibration",
        "",
        "What the tolerance is worth: size and power, measured on claims whose truth mathematics knows. `verifier calibrate`",
        "measures them, `verifier calibrate --publish` writes this page and `verifier/data/calibration.json`, which every report",
        "quotes beside its verdicts. How to read the columns stands below the tables.",
        "",
        f"Measured on code `{table['digest'][:12]}`, seed {table['seed']}, {table['seconds'] / 3600:.1f} processor hours"
        f"{'' if table['complete'] else ' (NOT COMPLETE)'}; {versions}.",
        "",
        "## Over all readings",
        "",
        "| measurement | what | rate | 95% interval |",
        "|---|---|---|---|",
    ]
    for measurement, rates in table["all"].items():
        lines += [f"| {measurement} | {name} | {_cells(value)} |" for name, value in rates.items()]
    lines += ["", "## Judgements, by reading", "", *_by_reading(table, "judgements")]
    for measurement in ("confirmations", "searches", "corners", "simulation alone"):
        rows = _by_reading(table, measurement)
        if rows:
            lines += ["", f"## {measurement.capitalize()}, by reading", "", *rows]
    lines += ["", "## False alarms", ""]
    lines += [f"- `{alarm}`" for alarm in table["alarms"]] or ["None."]
    return "\n".join([*lines, "", _READING_GUIDE, ""])


def _cells(value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"{value:g} | "
    shown = "-" if value["rate"] is None else f"{value['hits']:g}/{value['trials']:g} = {value['rate']:.4f}"
    return f"{shown} | [{value['low']:.4f}, {value['high']:.4f}]"


def _by_reading(table: Mapping[str, Any], measurement: str) -> Sequence[str]:
    rows = {reading: found[measurement] for reading, found in table["readings"].items() if measurement in found}
    names = list(dict.fromkeys(name for rates in rows.values() for name in rates))
    if not rows:
        return []
    lines = [f"| reading | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for reading, rates in rows.items():
        lines.append(f"| {reading} | {' | '.join(_short(rates.get(name)) for name in names)} |")
    return lines


def _short(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, Mapping):
        return f"{value:g}"
    return "-" if value["rate"] is None else f"{value['hits']:g}/{value['trials']:g}"


_READING_GUIDE = """## How to read it

- **judgements**: instances are drawn from the reading's own domain (ends of the intervals of beta, s and sigma included), and
  the machinery is asked about the exponent that a theorem gives, in the kind of the reading (equality, bound, order, straight
  line). `size` is how often that true claim is called violated at the first look, before any confirmation; `size, after the
  second look` is how often a search would have gone on to a confirmation. Where a theorem gives a bound alone the null is that
  bound, and no power is known. `size of the reading itself` counts
  the instances on which the theorem proves what the reading says. `undecided` is the share of inconclusive judgements. `power
  0.02` is how often the same claim with an exponent wrong by .02 is called violated (above and below; for one-sided claims on
  the wrong side); the named mutants are wrong formulas, counted where they are wrong by at least .02. Exchanging s and beta
  is no mutant: 2s/(2s + 1/beta) = 2 s beta/(2 s beta + 1).
- **confirmations**: the same with simulation, as the one judgement that a falsification has to pass. `not certified` counts
  simulations that disagreed with the deterministic equivalent, after which nothing is concluded.
- **searches**: whole targeted searches, shrinking and confirmation included, against the true claims. A false alarm is a
  search that ended FALSIFIED.
- **corners**: whole searches against claims that are right except in a corner (a window of beta inside the domain), where
  they are wrong by .1: how often the corner was found and confirmed, which share of the draws it really holds, and what
  independent draws of the same number would have found.
- **audits**: every reading that is expected to survive, searched as `verifier audit` does, from one seed after another.
- **simulation alone**: route B, on Rademacher, uniform and Student t (5 degrees) inputs, the default sample sizes;
  `permitted` is the share on which the finite-size allowance is at most half of the error asked about. Where it is more, no
  number of replicates helps: `verifier plan` says the sample size that would.

Intervals are Clopper and Pearson's, each at 95% on its own. An instance that is drawn again counts once; drawing goes on until
2,000 different ones are judged, or a part of 250 draws brings fewer than five new ones. The same instance can occur in the
domains of several readings, so that the rows of different readings are not independent. An error noticed above but not below the
truth counts as half a hit, and widens the interval on both sides."""
